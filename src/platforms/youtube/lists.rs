//! Playlists and channels: their first entries, by `browse` and its continuations.
//!
//! A playlist is the page `VL` + its id. A channel is found by `navigation/resolve_url` and its latest videos stand under
//! its tab "Videos"; one that has no such tab (only shorts or streams) has a list of all it ever uploaded, `UU` + the rest
//! of its id.

use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::{
    ID, api,
    parse::{self, author, handle_in, label},
};
use crate::{
    model::{Author, Error, ITEMS_OF_A_LIST, Item, Kind, MediaMetadata, Resource, ResourceKind, Result},
    platforms::{
        ExtractContext,
        common::{
            json::{list as elements, text},
            link::{canonical, is_word},
            text::non_empty,
        },
    },
};

/// Pages of a list that are asked for: the first has up to a hundred entries, later ones only count if most are gone.
const MAX_PAGES: usize = 3;

/// Videos that are asked about at the same time.
const AT_ONCE: usize = 3;

/// How deep a page's renderers may lie: far more than they do.
const MAX_DEPTH: usize = 48;

/// The tab "Videos" of a channel, as its own pages ask for it.
const VIDEOS_TAB: &str = "EgZ2aWRlb3PyBgQKAjoA";

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The video's id.
    pub id: String,
    /// Its title.
    pub title: Option<String>,
}

/// A list with its first entries, each of which can be loaded.
///
/// # Errors
/// Why there is no such list; the first video's error if none of them can be had.
pub async fn list(resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
    let (first, entries) = match resource.kind {
        ResourceKind::Profile => channel(resource, cx).await?,
        _ => {
            let page = playlist_page(&resource.id, cx).await?;
            let entries = all_entries(&page, cx).await?;
            (page, entries)
        }
    };
    if entries.is_empty() {
        return Err(Error::new(Kind::NoMedia, "a list without videos").with_detail("the list is empty"));
    }
    let asked = entries.into_iter().map(|entry| async move {
        let item = api::player(&entry.id, cx).await.and_then(|player| parse::item(&player))?;
        let url = canonical("https://www.youtube.com/watch?v=", &entry.id).map(String::from);
        Ok::<_, Error>(Item { title: entry.title, url, ..item })
    });
    let told: Vec<Result<Item>> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut metadata = about(resource, &first);
    let (mut missing, mut failed) = (0_usize, None);
    for item in told {
        match item {
            Ok(item) => metadata.items.push(item),
            Err(error) => {
                missing += 1;
                failed.get_or_insert(error);
            }
        }
    }
    match failed {
        Some(error) if metadata.items.is_empty() => return Err(error),
        Some(error) => {
            tracing::info!(missing, %error, "some videos of the list cannot be had");
            metadata.platform_data.insert("missing_items".to_owned(), missing.into());
        }
        None => {}
    }
    metadata.duration = metadata.items.first().and_then(|item| item.duration);
    Ok(metadata)
}

async fn browse(cx: &ExtractContext<'_>, body: Value) -> Result<Value> {
    let answer = api::ask_web(cx, "browse", body).await?;
    match answer.refusal {
        // InnerTube says so of an id that is malformed, too.
        Some(refusal) if answer.status == reqwest::StatusCode::BAD_REQUEST => {
            Err(Error::new(Kind::NotFound, refusal.operator_text()))
        }
        Some(refusal) => Err(refusal),
        None => answer.json(),
    }
}

async fn playlist_page(id: &str, cx: &ExtractContext<'_>) -> Result<Value> {
    match id {
        // Made up for each visitor while they watch: there is no page of it.
        _ if id.starts_with("RD") || id.starts_with("UL") => {
            return Err(Error::new(Kind::UnsupportedUrl, "a mix has no page: yt-dlp follows it video by video"));
        }
        "WL" | "LL" | "LM" => return Err(Error::new(Kind::LoginRequired, "a list that everybody has for themselves")),
        _ => {}
    }
    let page = browse(cx, json!({"browseId": format!("VL{id}")})).await?;
    alert(&page)?;
    Ok(page)
}

/// What YouTube says instead of a list.
fn alert(page: &Value) -> Result<()> {
    let said = elements(page, "/alerts")
        .iter()
        .filter_map(|alert| alert.get("alertRenderer"))
        .filter(|alert| text(alert, "/type") == Some("ERROR"))
        .find_map(|alert| label(&alert["text"]));
    let Some(said) = said.map(|said| said.to_lowercase()) else { return Ok(()) };
    let kind = match said.as_str() {
        said if said.contains("private") => Kind::Private,
        said if said.contains("does not exist") || said.contains("unavailable") || said.contains("terminated") => {
            Kind::NotFound
        }
        said if said.contains("unviewable") => Kind::UnsupportedUrl,
        _ => Kind::PlatformChanged,
    };
    Err(Error::new(kind, format!("YouTube says of the list: {said}")))
}

/// A channel's first page, and its latest videos.
async fn channel(resource: &Resource, cx: &ExtractContext<'_>) -> Result<(Value, Vec<Entry>)> {
    let id = channel_id(resource, cx).await?;
    let page = browse(cx, json!({"browseId": id, "params": VIDEOS_TAB})).await?;
    alert(&page)?;
    let entries = all_entries(&page, cx).await?;
    if !entries.is_empty() {
        return Ok((page, entries));
    }
    let uploads = id.strip_prefix("UC").map(|rest| format!("UU{rest}"));
    let uploads = uploads.ok_or_else(|| Error::platform_changed("a channel without uploads"))?;
    let entries = all_entries(&playlist_page(&uploads, cx).await?, cx).await?;
    Ok((page, entries))
}

async fn channel_id(resource: &Resource, cx: &ExtractContext<'_>) -> Result<String> {
    if let Some(id) = resource.id.strip_prefix("channel/") {
        return Ok(id.to_owned());
    }
    let answer = api::ask_web(cx, "navigation/resolve_url", json!({"url": resource.canonical.as_str()})).await?;
    if let Some(refusal) = answer.refusal {
        return Err(refusal);
    }
    let told = answer.json()?;
    let id = text(&told, "/endpoint/browseEndpoint/browseId")
        .filter(|id| id.starts_with("UC") && is_word(id, "_-", 24..=24))
        .ok_or_else(|| Error::platform_changed("/endpoint/browseEndpoint/browseId is no channel"))?;
    Ok(id.to_owned())
}

/// As many entries as are wanted, over as many pages as that takes.
async fn all_entries(first: &Value, cx: &ExtractContext<'_>) -> Result<Vec<Entry>> {
    let (mut found, mut next) = entries(first);
    for _ in 1..MAX_PAGES {
        let Some(token) = next.filter(|_| found.len() < ITEMS_OF_A_LIST) else { break };
        let page = browse(cx, json!({"continuation": token})).await?;
        let (more, after) = entries(&page);
        for entry in more {
            if !found.contains(&entry) {
                found.push(entry);
            }
        }
        next = after;
    }
    found.truncate(ITEMS_OF_A_LIST);
    Ok(found)
}

/// The videos on a page in order, each once, and the token of the next page.
pub fn entries(page: &Value) -> (Vec<Entry>, Option<String>) {
    let mut walk = Walk::default();
    // Beside the list stand recommendations; in a channel's answer every tab but the chosen one is empty.
    let lists = [
        "/contents/twoColumnBrowseResultsRenderer/tabs",
        "/contents/singleColumnBrowseResultsRenderer/tabs",
        "/onResponseReceivedActions",
        "/onResponseReceivedEndpoints",
    ];
    for part in lists.iter().filter_map(|pointer| page.pointer(pointer)) {
        walk.value(part, 0);
    }
    (walk.entries, walk.next)
}

#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    next: Option<String>,
}

impl Walk {
    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            _ if depth > MAX_DEPTH => {}
            Value::Array(parts) => parts.iter().for_each(|part| self.value(part, depth + 1)),
            Value::Object(parts) => {
                for (name, part) in parts {
                    match name.as_str() {
                        "playlistVideoRenderer" | "videoRenderer" | "gridVideoRenderer" | "reelItemRenderer" => {
                            let title = label(&part["title"]).or_else(|| label(&part["headline"]));
                            // What is gone from a list, or not out yet, stays in it under its id.
                            let playable = part.get("isPlayable").and_then(Value::as_bool) != Some(false)
                                && part.get("upcomingEventData").is_none();
                            self.add(text(part, "/videoId").filter(|_| playable), title);
                        }
                        "lockupViewModel" => {
                            let is_video = text(part, "/contentType") == Some("LOCKUP_CONTENT_TYPE_VIDEO");
                            let title = label(&part["metadata"]["lockupMetadataViewModel"]["title"]);
                            self.add(text(part, "/contentId").filter(|_| is_video), title);
                        }
                        "shortsLockupViewModel" => {
                            let title = label(&part["overlayMetadata"]["primaryText"]);
                            self.add(text(part, "/onTap/innertubeCommand/reelWatchEndpoint/videoId"), title);
                        }
                        "continuationItemRenderer" => {
                            let token = text(part, "/continuationEndpoint/continuationCommand/token");
                            if let (None, Some(token)) = (&self.next, token) {
                                self.next = Some(token.to_owned());
                            }
                        }
                        _ => self.value(part, depth + 1),
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, id: Option<&str>, title: Option<String>) {
        let Some(id) = id.filter(|id| is_word(id, "_-", 11..=11)) else { return };
        if self.entries.len() < 200 && self.entries.iter().all(|entry| entry.id != id) {
            self.entries.push(Entry { id: id.to_owned(), title });
        }
    }
}

/// What a page tells of the list itself.
pub fn about(resource: &Resource, page: &Value) -> MediaMetadata {
    let channel = &page["metadata"]["channelMetadataRenderer"];
    let playlist = &page["metadata"]["playlistMetadataRenderer"];
    let told = if channel.is_object() { channel } else { playlist };
    MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title: text(told, "/title").map(str::to_owned),
        description: text(told, "/description").and_then(non_empty),
        author: if channel.is_object() { of_channel(channel) } else { owner(page) },
        ..MediaMetadata::default()
    }
}

fn of_channel(channel: &Value) -> Option<Author> {
    let handle = text(channel, "/vanityChannelUrl").and_then(handle_in);
    author(handle, text(channel, "/title").map(str::to_owned), text(channel, "/externalId"))
}

/// Whose playlist it is: the box beside the list, or the header above it.
fn owner(page: &Value) -> Option<Author> {
    let boxes = elements(page, "/sidebar/playlistSidebarRenderer/items").iter();
    let beside = boxes.filter_map(|item| {
        item.pointer("/playlistSidebarSecondaryInfoRenderer/videoOwner/videoOwnerRenderer/title/runs/0")
    });
    let above = page.pointer("/header/playlistHeaderRenderer/ownerText/runs/0");
    let run = beside.chain(above).next()?;
    let endpoint = &run["navigationEndpoint"]["browseEndpoint"];
    let handle = text(endpoint, "/canonicalBaseUrl").and_then(handle_in);
    author(handle, text(run, "/text").map(str::to_owned), text(endpoint, "/browseId"))
}
