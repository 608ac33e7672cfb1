//! Asking TikTok: the page of a post, once more if the gate wants work done first.

use reqwest::header;

use super::{challenge::Challenge, parse};
use crate::{
    model::{Error, Kind, MediaMetadata, Resource, Result},
    net,
    platforms::{
        ExtractContext,
        common::{
            html::Page,
            http::{self, Answer},
            link::canonical,
        },
    },
};

/// The script that carries a page's data.
const DATA: &str = "script#__UNIVERSAL_DATA_FOR_REHYDRATION__";

/// The cookie of a visitor that the file hosts want to see again.
const VISITOR: &str = "tt_chain_token";

/// What a post holds. Where visitors are refused and the operator has a session, that is tried, too.
///
/// # Errors
/// The verdict about the post, `login_required`, or what is odd about the page.
pub async fn post(resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
    match (as_visitor(resource, cx.client).await, cx.session) {
        (Err(error), Some(session)) if matches!(error.kind(), Kind::LoginRequired | Kind::Private) => {
            tracing::debug!(reason = error.operator_text(), "asking TikTok again with the session");
            as_visitor(resource, session.client()).await
        }
        (result, _) => result,
    }
}

async fn as_visitor(resource: &Resource, client: &net::Client) -> Result<MediaMetadata> {
    // Only under this spelling does the page carry the post, a slideshow's too.
    let url = canonical("https://www.tiktok.com/@_/video/", &resource.id)
        .ok_or_else(|| Error::internal("the address of a post"))?;
    let mut answer = http::ask(client, client.get(&url)?).await?;
    let mut found = read(&answer)?;
    if let Found::Gate(challenge) = found {
        let work = tokio::task::spawn_blocking(move || challenge.answer());
        let cookies = work.await.map_err(|_| Error::internal("the work for TikTok's gate was lost"))??;
        answer = http::ask(client, client.get(&url)?.header(header::COOKIE, cookies)).await?;
        found = read(&answer)?;
    }
    match found {
        Found::Data(data) => parse::post(resource, &data, answer.cookie(VISITOR)),
        Found::Gate(_) => Err(Error::platform_changed("TikTok's gate does not accept the work it asked for")),
    }
}

/// What a page turned out to be.
enum Found {
    /// One with data.
    Data(serde_json::Value),
    /// One that asks for work first.
    Gate(Challenge),
}

fn read(answer: &Answer) -> Result<Found> {
    if answer.url.path().starts_with("/login") {
        return Err(Error::new(Kind::LoginRequired, "TikTok leads to its login page"));
    }
    let page = Page::of(answer.text()?);
    if let Some(data) = page.json(DATA) {
        return Ok(Found::Data(data));
    }
    Challenge::of(&page)
        .map(Found::Gate)
        .ok_or_else(|| Error::platform_changed("a page without its data, and without a task of the gate"))
}
