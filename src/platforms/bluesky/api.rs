//! Asking Bluesky for a post, and where its author's server is.

use std::{collections::BTreeMap, time::Duration};

use moka::future::Cache;
use serde_json::Value;
use url::Url;

use super::{is_host, parse};
use crate::{
    model::{Error, Kind, MediaMetadata, Resource, Result},
    platforms::{
        ExtractContext,
        common::{hls, http, json, link::canonical},
    },
};

/// The AppView that asks for no session.
const POST_THREAD: &str = "https://public.api.bsky.app/xrpc/app.bsky.feed.getPostThread";

/// The directory of accounts: <https://web.plc.directory/>.
const DIRECTORY: &str = "https://plc.directory/";

/// How long finding an author's server may take: without it there is still what Bluesky serves.
const DIRECTORY_TIMEOUT: Duration = Duration::from_secs(4);

/// Servers that are remembered, and for how long: accounts move now and then.
const SERVERS: u64 = 10_000;
const SERVER_LIVES: Duration = Duration::from_secs(60 * 60);

/// Uploads below this size fit everywhere: nobody needs the smaller versions of them. Bytes.
const SMALL: u64 = 8 * 1024 * 1024;

/// Asks Bluesky about posts. Remembers authors' servers between questions.
pub struct Api {
    servers: Cache<String, Url>,
}

impl Default for Api {
    fn default() -> Self {
        Self { servers: Cache::builder().max_capacity(SERVERS).time_to_live(SERVER_LIVES).build() }
    }
}

impl Api {
    /// What a post holds.
    ///
    /// # Errors
    /// The verdict about the post, or why Bluesky did not answer.
    pub async fn post(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let body = thread(resource, cx).await?;
        let mut post = parse::post(&body, resource)?;
        let server = match &post.did {
            Some(did) if cx.param("originals") != Some("false") => self.server(did, cx).await,
            _ => None,
        };
        for (item, source) in post.metadata.items.iter_mut().zip(&post.sources) {
            let original = parse::original(server.as_ref(), post.did.as_deref(), source);
            let enough = original.as_ref().is_some_and(|original| original.bytes.is_some_and(|bytes| bytes < SMALL));
            if let Some(playlist) = &source.playlist
                && !enough
            {
                match hls::variants(cx.client, playlist, &BTreeMap::new()).await {
                    Ok(variants) => item.renditions = variants,
                    Err(error) if original.is_none() => return Err(error),
                    Err(error) => tracing::debug!(reason = error.operator_text(), "only the upload itself"),
                }
            }
            item.renditions.splice(0..0, original);
        }
        Ok(post.metadata)
    }

    /// The server that keeps an account's uploads.
    async fn server(&self, did: &str, cx: &ExtractContext<'_>) -> Option<Url> {
        if let Some(known) = self.servers.get(did).await {
            return Some(known);
        }
        let ask = async {
            let document = match did.strip_prefix("did:web:") {
                Some(host) if is_host(host) => canonical("https://", &format!("{host}/.well-known/did.json")),
                Some(_) => None,
                None => canonical(DIRECTORY, did),
            };
            let answer = http::ask(cx.client, cx.client.get(&document?).ok()?).await.ok()?;
            parse::server(&answer.json().ok()?)
        };
        let server = tokio::time::timeout(DIRECTORY_TIMEOUT, ask).await.ok().flatten()?;
        self.servers.insert(did.to_owned(), server.clone()).await;
        Some(server)
    }
}

async fn thread(resource: &Resource, cx: &ExtractContext<'_>) -> Result<Value> {
    let (actor, key) = resource.id.split_once('/').ok_or_else(|| Error::internal("a post's id without its author"))?;
    let mut url = canonical(POST_THREAD, "").ok_or_else(|| Error::internal("the API's address"))?;
    let uri = format!("at://{actor}/app.bsky.feed.post/{key}");
    url.query_pairs_mut().append_pair("uri", &uri).append_pair("depth", "0").append_pair("parentHeight", "0");
    let answer = http::ask(cx.client, cx.client.get(&url)?).await?;
    match answer.refusal {
        None => answer.json(),
        Some(ref refusal) => Err(refused(&answer.json().unwrap_or_default()).unwrap_or_else(|| refusal.clone())),
    }
}

/// What the body of a refusal says beyond its status.
pub(super) fn refused(body: &Value) -> Option<Error> {
    let words = json::text(body, "/message").unwrap_or_default();
    let kind = match json::text(body, "/error")? {
        "NotFound" | "AccountTakedown" | "RepoTakendown" | "AccountDeactivated" | "RepoDeactivated" => Kind::NotFound,
        "AuthMissing" | "AuthenticationRequired" => Kind::LoginRequired,
        // One code for all that is wrong with a question; the words tell whether the account is.
        "InvalidRequest" | "InvalidHandle"
            if ["resolve", "not found", "not find", "valid handle"].iter().any(|part| words.contains(part)) =>
        {
            Kind::NotFound
        }
        _ => return None,
    };
    Some(Error::new(kind, format!("Bluesky says: {words}")))
}
