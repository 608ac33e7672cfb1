//! Asking Facebook: the page of a video or post, as a visitor and then with the operator's session.

use super::parse;
use crate::{
    model::{Error, Kind, MediaMetadata, Resource, ResourceKind, Result},
    net::Client,
    platforms::{
        ExtractContext,
        common::{html::Page, http, link::canonical, meta},
    },
};

/// What a video or post holds.
///
/// # Errors
/// The verdict about it, `login_required`, or what is odd about the page.
pub async fn video(resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
    match (ask(resource, cx.client).await, cx.session) {
        (Err(error), Some(session)) if matches!(error.kind(), Kind::LoginRequired | Kind::NotFound) => {
            tracing::debug!(reason = error.operator_text(), "asking Facebook again with the session");
            ask(resource, session.client()).await
        }
        (result, _) => result,
    }
}

async fn ask(resource: &Resource, client: &Client) -> Result<MediaMetadata> {
    // Of a reel, too: its own page tells less.
    let url = match resource.kind {
        ResourceKind::Video => canonical("https://www.facebook.com/watch/?v=", &resource.id)
            .ok_or_else(|| Error::internal("the address of a video"))?,
        _ => resource.canonical.clone(),
    };
    let answer = http::ask(client, meta::visit(client.get(&url)?)).await?;
    if meta::is_login(&answer.url) {
        return Err(Error::new(Kind::LoginRequired, "Facebook leads to its login page"));
    }
    let html = answer.text()?;
    let mut metadata = parse::page(resource, html, &Page::of(html))?;
    meta::learn_sizes(client, &mut metadata.items).await;
    Ok(metadata)
}
