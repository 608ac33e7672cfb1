//! Asking SoundCloud: its client id, a track or a set, and the address of each stream.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::parse::{self, Stream};
use crate::{
    model::{Error, Item, Kind, MediaMetadata, Rendition, Resource, Result},
    platforms::{
        ExtractContext,
        common::{
            html::{Page, json_after},
            http,
            json::{link, list, text},
            link::canonical,
        },
    },
};

const API: &str = "https://api-v2.soundcloud.com/";
const SITE: &str = "https://soundcloud.com/";

/// Scripts of the site's page that are searched for a client id, the last ones first: it is mostly in one of them.
const MAX_SCRIPTS: usize = 9;

/// Streams of a track whose address is asked for: the file, and the best playlist besides.
const MAX_STREAMS: usize = 2;

/// Tracks of a set that are read: what is delivered of any list.
const MAX_TRACKS: usize = 10;

/// Questions that run at once.
const AT_ONCE: usize = 4;

/// Asks SoundCloud. Keeps the client id between questions.
#[derive(Default)]
pub struct Api {
    /// Held while one is looked for, so that many links at once look for one.
    client_id: Mutex<Option<String>>,
}

impl Api {
    /// A track with its streams.
    ///
    /// # Errors
    /// The verdict about the track, or why SoundCloud did not answer.
    pub async fn track(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let told = self.resolve(resource, cx).await?;
        if text(&told, "/kind") != Some("track") {
            return Err(Error::platform_changed(format!("a track of the kind {:?}", text(&told, "/kind"))));
        }
        let mut metadata = parse::about(&told, resource)?;
        let item = self.item(&told, token(resource), true, cx).await?;
        metadata.duration = item.duration;
        metadata.items = vec![item];
        Ok(metadata)
    }

    /// A set with its first tracks. Those that cannot be had are left out.
    ///
    /// # Errors
    /// As [`Api::track`]; that of the first track when none can be had.
    pub async fn set(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let told = self.resolve(resource, cx).await?;
        let mut metadata = parse::about(&told, resource)?;
        let secret = token(resource);
        let tracks = self.tracks(&told, secret, cx).await?;
        let questions: Vec<_> = tracks.iter().map(|track| self.entry(track, secret, cx)).collect();
        let items: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
        let mut failed = None;
        for item in items {
            match item {
                Ok(item) => metadata.items.push(item),
                Err(error) => {
                    tracing::debug!(reason = error.operator_text(), "a track of a set is left out");
                    failed.get_or_insert(error);
                }
            }
        }
        if metadata.items.is_empty() {
            return Err(failed.unwrap_or_else(|| Error::new(Kind::NoMedia, "a set without tracks")));
        }
        metadata.duration = metadata.items.first().and_then(|item| item.duration);
        Ok(metadata)
    }

    /// A track as an entry of a set.
    async fn entry(&self, track: &Value, secret: Option<&str>, cx: &ExtractContext<'_>) -> Result<Item> {
        let item = self.item(track, secret, false, cx).await?;
        let url = link(track, "/permalink_url").map(String::from);
        Ok(Item { title: text(track, "/title").map(str::to_owned), url, ..item })
    }

    /// The tracks of a set: the first few come with it, of the others only their numbers.
    async fn tracks(&self, set: &Value, secret: Option<&str>, cx: &ExtractContext<'_>) -> Result<Vec<Value>> {
        let mut tracks: Vec<Value> = list(set, "/tracks").iter().take(MAX_TRACKS).cloned().collect();
        let number = |track: &Value| track.get("id").and_then(Value::as_u64);
        let missing: Vec<String> = tracks
            .iter()
            .filter(|track| track.get("media").is_none())
            .filter_map(number)
            .map(|id| id.to_string())
            .collect();
        if missing.is_empty() {
            return Ok(tracks);
        }
        let mut url = address("tracks")?;
        url.query_pairs_mut().append_pair("ids", &missing.join(","));
        if let (Some(secret), Some(set)) = (secret, number(set)) {
            let set = set.to_string();
            url.query_pairs_mut().append_pair("playlistId", &set).append_pair("playlistSecretToken", secret);
        }
        let told = self.ask(&url, cx).await?;
        for track in &mut tracks {
            let same = |other: &&Value| number(other) == number(track);
            if let Some(whole) = list(&told, "").iter().find(same) {
                *track = whole.clone();
            }
        }
        Ok(tracks)
    }

    /// A track's item. `original`: with the upload itself, where its author lets everybody have it.
    async fn item(&self, track: &Value, secret: Option<&str>, original: bool, cx: &ExtractContext<'_>) -> Result<Item> {
        let streams = parse::streams(track)?;
        let mut renditions = Vec::new();
        if original && parse::is_downloadable(track) {
            renditions.extend(self.upload(track, secret, cx).await);
        }
        let mut failed = None;
        for stream in streams.iter().take(MAX_STREAMS) {
            match self.stream(track, stream, secret, cx).await {
                Ok(rendition) => renditions.push(rendition),
                Err(error) if matches!(error.kind(), Kind::RateLimited { .. }) => return Err(error),
                Err(error) => {
                    failed.get_or_insert(error);
                }
            }
        }
        if renditions.is_empty() {
            // The track was just read: what is missing is its stream.
            let text = failed.map(|error| error.operator_text().to_owned()).unwrap_or_default();
            return Err(Error::platform_changed(format!("no stream of the track: {text}")));
        }
        Ok(parse::item(track, renditions))
    }

    async fn stream(
        &self,
        track: &Value,
        stream: &Stream,
        secret: Option<&str>,
        cx: &ExtractContext<'_>,
    ) -> Result<Rendition> {
        let mut url = stream.question.clone();
        if let Some(authorization) = text(track, "/track_authorization") {
            url.query_pairs_mut().append_pair("track_authorization", authorization);
        }
        if let Some(secret) = secret {
            url.query_pairs_mut().append_pair("secret_token", secret);
        }
        parse::rendition(&self.ask(&url, cx).await?, stream)
    }

    /// The upload itself; most are only for people who are signed in.
    async fn upload(&self, track: &Value, secret: Option<&str>, cx: &ExtractContext<'_>) -> Option<Rendition> {
        let id = track.get("id").and_then(Value::as_u64)?;
        let mut url = address(&format!("tracks/{id}/download")).ok()?;
        if let Some(secret) = secret {
            url.query_pairs_mut().append_pair("secret_token", secret);
        }
        let client_id = self.client_id(None, cx).await.ok()?;
        url.query_pairs_mut().append_pair("client_id", &client_id);
        let answer = http::ask(cx.client, cx.client.get(&url).ok()?).await.ok()?;
        answer.refusal.is_none().then_some(())?;
        let url = link(&answer.json().ok()?, "/redirectUri")?;
        let bytes = http::size(cx.client, &url, &BTreeMap::new()).await?;
        Some(parse::upload(url, bytes))
    }

    /// What a link stands for.
    async fn resolve(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<Value> {
        let url = match resource.id.split('/').collect::<Vec<_>>().as_slice() {
            [of @ ("tracks" | "playlists"), id, rest @ ..] => {
                let mut url = address(&format!("{of}/{id}"))?;
                if let [token] = rest {
                    url.query_pairs_mut().append_pair("secret_token", token);
                }
                url
            }
            _ => {
                let mut url = address("resolve")?;
                url.query_pairs_mut().append_pair("url", resource.canonical.as_str());
                url
            }
        };
        self.ask(&url, cx).await
    }

    /// Asks the API; with a new client id when it refuses the old one.
    async fn ask(&self, url: &Url, cx: &ExtractContext<'_>) -> Result<Value> {
        let mut spent = None;
        for last in [false, true] {
            let client_id = self.client_id(spent.as_deref(), cx).await?;
            let mut url = url.clone();
            url.query_pairs_mut().append_pair("client_id", &client_id);
            let answer = http::ask(cx.client, cx.client.get(&url)?).await?;
            if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) && !last {
                spent = Some(client_id);
                continue;
            }
            return match answer.refusal {
                None => answer.json(),
                Some(refusal) => Err(refusal),
            };
        }
        Err(Error::internal("asked SoundCloud twice"))
    }

    /// The client id: the operator's, or the one kept, or a new one. `spent`: one that the API refuses.
    async fn client_id(&self, spent: Option<&str>, cx: &ExtractContext<'_>) -> Result<String> {
        if let Some(own) = cx.param("client_id").filter(|own| spent != Some(*own)) {
            return Ok(own.to_owned());
        }
        let mut kept = self.client_id.lock().await;
        if let Some(id) = kept.as_ref().filter(|id| spent != Some(id.as_str())) {
            return Ok(id.clone());
        }
        let id = find_client_id(cx).await?;
        *kept = Some(id.clone());
        Ok(id)
    }
}

/// Looks for a client id in the data of the site's page, then in its scripts.
async fn find_client_id(cx: &ExtractContext<'_>) -> Result<String> {
    let page = load(&canonical(SITE, "").ok_or_else(|| Error::internal("the site's address"))?, cx).await?;
    let data = json_after(&page, "window.__sc_hydration =").unwrap_or_default();
    if let Some(id) = parse::client_id_of_page(&data) {
        return Ok(id);
    }
    let scripts = Page::of(&page).attributes("script[src]", "src");
    for script in scripts.iter().rev().filter_map(|script| Url::parse(script).ok()).take(MAX_SCRIPTS) {
        let own = script.host_str().is_some_and(|host| host.ends_with(".sndcdn.com"));
        if !own {
            continue;
        }
        match load(&script, cx).await {
            Ok(script) => {
                if let Some(id) = parse::client_id_of_script(&script) {
                    return Ok(id);
                }
            }
            Err(error) => tracing::debug!(reason = error.operator_text(), "a script of SoundCloud's did not come"),
        }
    }
    Err(Error::platform_changed("no client id on SoundCloud's page nor in its scripts"))
}

/// A page or script. That it is missing says nothing about a track.
async fn load(url: &Url, cx: &ExtractContext<'_>) -> Result<String> {
    let answer = http::ask(cx.client, cx.client.get(url)?).await?;
    answer.text().map(str::to_owned).map_err(|error| match error.kind() {
        kind if kind.is_fatal() => Error::platform_changed(format!("no client id: {}", error.operator_text())),
        _ => error,
    })
}

/// The secret part of a private link.
fn token(resource: &Resource) -> Option<&str> {
    resource.id.rsplit('/').next().filter(|part| super::is_token(part))
}

fn address(path: &str) -> Result<Url> {
    canonical(API, path).ok_or_else(|| Error::internal("the API's address"))
}
