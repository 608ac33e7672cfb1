//! Asking a server for a post, and before that what it is.

use std::time::Duration;

use moka::future::Cache;
use serde_json::Value;
use url::Url;

use super::parse;
use crate::{
    model::{Error, Kind, MediaMetadata, Resource, Result},
    platforms::{
        ExtractContext,
        common::{
            http,
            json::{link, list, text},
            link::canonical,
        },
    },
};

/// Software that answers Mastodon's client API.
const SOFTWARE: &[&str] = &[
    "akkoma",
    "ecko",
    "fedibird",
    "firefish",
    "friendica",
    "glitchcafe",
    "gotosocial",
    "hometown",
    "iceshrimp",
    "kmyblue",
    "mastodon",
    "mitra",
    "pixelfed",
    "pleroma",
    "rebased",
    "sharkey",
    "soapbox",
    "takahe",
];

/// Servers whose software is remembered, and for how long.
const SERVERS: u64 = 1000;
const SERVER_LIVES: Duration = Duration::from_secs(6 * 60 * 60);

/// Asks servers about posts. Remembers what they run between questions.
pub struct Api {
    /// Whether a host speaks the API.
    speaks: Cache<String, bool>,
}

impl Default for Api {
    fn default() -> Self {
        Self { speaks: Cache::builder().max_capacity(SERVERS).time_to_live(SERVER_LIVES).build() }
    }
}

impl Api {
    /// What a post holds. `known`: the server need not be asked what it runs.
    ///
    /// # Errors
    /// The verdict about the post, or why the server did not answer; `unsupported_url` if it is another kind of site.
    pub async fn post(&self, resource: &Resource, known: bool, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let no_id = || Error::internal("a post's id without its server");
        let (host, id) = resource.id.split_once('/').ok_or_else(no_id)?;
        if !known && !self.speaks(host, cx).await? {
            return Err(Error::new(Kind::UnsupportedUrl, format!("{host} runs nothing like Mastodon")));
        }
        let url = address(host, &format!("api/v1/statuses/{id}"))?;
        let answer = http::ask(cx.client, cx.client.get(&url)?).await?;
        match answer.refusal {
            None => parse::post(&answer.json()?, resource),
            Some(ref refusal) => Err(refused(&answer.json().unwrap_or_default()).unwrap_or_else(|| refusal.clone())),
        }
    }

    /// Whether a host runs software that speaks Mastodon's API.
    async fn speaks(&self, host: &str, cx: &ExtractContext<'_>) -> Result<bool> {
        if let Some(known) = self.speaks.get(host).await {
            return Ok(known);
        }
        let speaks = match software(host, cx).await {
            Ok(name) => SOFTWARE.contains(&name.to_ascii_lowercase().as_str()),
            // It is no such server, or does not say so.
            Err(error) if matches!(error.kind(), Kind::PlatformChanged | Kind::NotFound | Kind::LoginRequired) => false,
            Err(error) => return Err(error),
        };
        self.speaks.insert(host.to_owned(), speaks).await;
        Ok(speaks)
    }
}

/// What a host says that it runs.
async fn software(host: &str, cx: &ExtractContext<'_>) -> Result<String> {
    let index = ask(&address(host, ".well-known/nodeinfo")?, cx).await?;
    let of_schema = |entry: &&Value| text(entry, "/rel").is_some_and(|rel| rel.contains("/ns/schema/"));
    let document = list(&index, "/links").iter().rev().find(of_schema).and_then(|entry| link(entry, "/href"));
    // Nobody but the host itself is believed.
    let document =
        document.filter(|url| url.host_str() == Some(host) && url.scheme() == "https" && url.port().is_none());
    let document = document.ok_or_else(|| Error::platform_changed("NodeInfo without a document of the host's own"))?;
    let answer = ask(&document, cx).await?;
    let name = text(&answer, "/software/name").ok_or_else(|| Error::platform_changed("NodeInfo without a name"))?;
    Ok(name.to_owned())
}

async fn ask(url: &Url, cx: &ExtractContext<'_>) -> Result<Value> {
    let answer = http::ask(cx.client, cx.client.get(url)?).await?;
    match answer.refusal {
        None => answer.json(),
        Some(refusal) => Err(refusal),
    }
}

fn address(host: &str, path: &str) -> Result<Url> {
    canonical("https://", &format!("{host}/{path}")).ok_or_else(|| Error::internal("a server's address"))
}

/// What the body of a refusal says beyond its status. Servers in limited federation answer 401 or 422.
pub(super) fn refused(body: &Value) -> Option<Error> {
    let words = text(body, "/error")?;
    let wants_user = words.to_ascii_lowercase().contains("authenticated") || words.contains("access token");
    wants_user.then(|| Error::new(Kind::LoginRequired, format!("the server says: {words}")))
}
