//! Playlists and channels of YouTube, as the site's application and its pages show them.

use serde_json::{Value, json};

use super::{MIXED, Reply, Request, YouTube, lock, name_of, next};

/// A list to place: a playlist, or the videos of a channel.
#[derive(Debug, Clone)]
pub(super) struct List {
    title: String,
    description: String,
    /// Ids and titles.
    videos: Vec<(String, String)>,
    /// Whether its owner keeps it.
    private: bool,
}

/// Videos on one page of a playlist. Real ones have a hundred.
const PAGE: usize = 6;

/// The id of a placed channel: as long as real ones.
pub(super) fn channel_id(handle: &str) -> String {
    format!("UC{handle:-<22}")
}

impl List {
    /// The videos of one page from `start` on, and the token of the next page where there is one.
    fn page(&self, browse_id: &str, start: usize) -> Vec<Value> {
        let video = |(id, title): &(String, String)| {
            json!({"playlistVideoRenderer": {
                "videoId": id, "title": {"runs": [{"text": title}]}, "lengthSeconds": "3", "isPlayable": true,
            }})
        };
        let mut items: Vec<Value> = self.videos.iter().skip(start).take(PAGE).map(video).collect();
        let next = start + PAGE;
        if next < self.videos.len() {
            let command =
                json!({"token": format!("{browse_id}/{next}"), "request": "CONTINUATION_REQUEST_TYPE_BROWSE"});
            let endpoint = json!({"continuationCommand": command});
            items.push(json!({"continuationItemRenderer": {"continuationEndpoint": endpoint}}));
        }
        items
    }

    fn playlist(&self, browse_id: &str) -> Value {
        if self.private {
            let text = "This playlist is private.";
            return json!({"alerts": [{"alertRenderer": {"type": "ERROR", "text": {"runs": [{"text": text}]}}}]});
        }
        let videos = self.page(browse_id, 0);
        let content = json!({"sectionListRenderer": {"contents": [{"itemSectionRenderer": {"contents": [
            {"playlistVideoListRenderer": {"contents": videos}},
        ]}}]}});
        let owner = json!({"text": "Cara's Channel", "navigationEndpoint": {"browseEndpoint": {
            "browseId": "UCabcdefghijklmnopqrstuv", "canonicalBaseUrl": "/@cara",
        }}});
        json!({
            "contents": {"twoColumnBrowseResultsRenderer": {"tabs": [
                {"tabRenderer": {"selected": true, "content": content}},
            ]}},
            "header": {"playlistHeaderRenderer": {"ownerText": {"runs": [owner]}}},
            "metadata": {"playlistMetadataRenderer": {"title": self.title, "description": self.description}},
        })
    }

    fn channel(&self, handle: &str) -> Value {
        let video = |(id, title): &(String, String)| {
            json!({"richItemRenderer": {"content": {"videoRenderer": {
                "videoId": id, "title": {"runs": [{"text": title}]}, "lengthText": {"simpleText": "0:03"},
            }}}})
        };
        let videos: Vec<Value> = self.videos.iter().map(video).collect();
        let endpoint = json!({"commandMetadata": {"webCommandMetadata": {"url": format!("/@{handle}/videos")}}});
        json!({
            "contents": {"twoColumnBrowseResultsRenderer": {"tabs": [{"tabRenderer": {
                "selected": true, "title": "Videos", "endpoint": endpoint,
                "content": {"richGridRenderer": {"contents": videos}},
            }}]}},
            "metadata": {"channelMetadataRenderer": {
                "title": self.title, "description": self.description, "externalId": channel_id(handle),
                "vanityChannelUrl": format!("http://www.youtube.com/@{handle}"),
            }},
        })
    }
}

impl YouTube {
    /// A playlist; returns its public link. The videos are placed by their links.
    pub fn playlist(&self, title: &str, links: &[&str]) -> String {
        let id = format!("PL{}", name_of(next(), 32, &MIXED[..62]));
        let list = self.list_of(title, links);
        lock(&self.state).playlists.insert(id.clone(), list);
        format!("https://www.youtube.com/playlist?list={id}")
    }

    /// A playlist that only its owner sees; returns its public link.
    pub fn private_playlist(&self) -> String {
        let link = self.playlist("Mine", &[]);
        let mut state = lock(&self.state);
        if let Some(list) = state.playlists.values_mut().find(|list| list.title == "Mine") {
            list.private = true;
        }
        link
    }

    /// The videos of a channel, latest first; returns its public link.
    pub fn channel(&self, handle: &str, title: &str, links: &[&str]) -> String {
        let list = self.list_of(title, links);
        lock(&self.state).channels.insert(handle.to_owned(), list);
        format!("https://www.youtube.com/@{handle}")
    }

    fn list_of(&self, title: &str, links: &[&str]) -> List {
        let state = lock(&self.state);
        let video = |link: &&str| {
            let (_, id) = link.split_once("v=").expect("a link to a video");
            (id.to_owned(), state.videos[id].title.clone())
        };
        let videos = links.iter().map(video).collect();
        List { title: title.into(), description: "One after the other".into(), videos, private: false }
    }

    /// The page of a playlist or of a channel's videos.
    pub(super) fn list(&self, browse_id: &str) -> Option<Value> {
        let state = lock(&self.state);
        if let Some(list) = browse_id.strip_prefix("VL").and_then(|id| state.playlists.get(id)) {
            return Some(list.playlist(browse_id));
        }
        let handle = browse_id.strip_prefix("UC")?.trim_end_matches('-');
        state.channels.get(handle).map(|list| list.channel(handle))
    }

    pub(super) fn browse(&self, request: &Request) -> Reply {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let missing = || {
            let text = "The playlist does not exist.";
            json!({"alerts": [{"alertRenderer": {"type": "ERROR", "text": {"runs": [{"text": text}]}}}]})
        };
        let told = match asked["continuation"].as_str() {
            Some(token) => self.next_page(token),
            None => self.list(asked["browseId"].as_str().unwrap_or_default()),
        };
        Reply::json(&told.unwrap_or_else(missing))
    }

    /// What follows on a playlist's page.
    fn next_page(&self, token: &str) -> Option<Value> {
        let (id, start) = token.strip_prefix("VL")?.split_once('/')?;
        let state = lock(&self.state);
        let items = state.playlists.get(id)?.page(&format!("VL{id}"), start.parse().ok()?);
        Some(json!({"onResponseReceivedActions": [{"appendContinuationItemsAction": {
            "targetId": "list", "continuationItems": items,
        }}]}))
    }

    pub(super) fn resolve(&self, request: &Request) -> Reply {
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let handle = asked["url"].as_str().and_then(|url| url.split_once("/@")).map(|(_, handle)| handle.to_owned());
        match handle.filter(|handle| lock(&self.state).channels.contains_key(handle)) {
            Some(handle) => Reply::json(&json!({"endpoint": {"browseEndpoint": {"browseId": channel_id(&handle)}}})),
            None => {
                Reply::json_status(404, &json!({"error": {"code": 404, "message": "Requested entity was not found."}}))
            }
        }
    }

    /// A page for people with its data in a script.
    pub(super) fn data_page(data: &Value) -> Reply {
        Reply::html(&format!("<!DOCTYPE html><html><body><script>var ytInitialData = {data};</script></body></html>"))
    }
}
