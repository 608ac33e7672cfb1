//! The model of Bluesky: the AppView, the directory of accounts, an author's own server, and the hosts of what Bluesky
//! makes of uploads.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{LOWER, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, HLS_MASTER, Hls, Media},
    web::{Plain, lock},
};

/// Where authors keep their uploads.
const SERVER: &str = "pds.bsky-stand-in.example";

/// The model.
#[derive(Clone, Default)]
pub struct Bluesky {
    placed: Arc<Plain>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// DIDs by handle.
    accounts: HashMap<String, String>,
    /// Status and answer, by author (handle or DID) and key.
    posts: HashMap<String, (u16, Value)>,
    /// Uploads, by DID and content id.
    blobs: HashMap<(String, String), Media>,
    /// Whether the directory knows nobody.
    lost: bool,
}

/// Why a post is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlueskyFate {
    /// Deleted: the answer is a refusal.
    Deleted,
    /// Deleted: the answer is a thread without the post.
    NotFound,
    /// Its author blocks.
    Blocked,
    /// There is no such account.
    NoAccount,
    /// The account was taken down.
    TakenDown,
}

/// A post to place.
#[derive(Debug, Clone)]
pub struct BlueskyPost {
    handle: String,
    name: String,
    text: String,
    pictures: Vec<(Media, String)>,
    video: Option<(Media, String)>,
    external: Option<(String, String)>,
    labels: Vec<String>,
    quotes: Option<Box<BlueskyPost>>,
}

impl BlueskyPost {
    fn new() -> Self {
        Self {
            handle: "ann.bsky-stand-in.example".into(),
            name: "Ann Example".into(),
            text: "Look".into(),
            pictures: Vec::new(),
            video: None,
            external: None,
            labels: Vec::new(),
            quotes: None,
        }
    }

    /// With pictures.
    pub fn images(pictures: &[Media]) -> Self {
        let pictures = pictures.iter().map(|picture| (picture.clone(), String::new())).collect();
        Self { pictures, ..Self::new() }
    }

    /// With a video.
    pub fn video(video: &Media) -> Self {
        Self { video: Some((video.clone(), String::new())), ..Self::new() }
    }

    /// With a link and its description: a GIF of Tenor's, or a page.
    pub fn external(link: &str, description: &str) -> Self {
        Self { external: Some((link.into(), description.into())), ..Self::new() }
    }

    /// Quoting another.
    pub fn quoting(post: BlueskyPost) -> Self {
        Self::new().and_quoting(post)
    }

    /// The same, quoting another.
    pub fn and_quoting(self, post: BlueskyPost) -> Self {
        Self { quotes: Some(Box::new(post)), ..self }
    }

    /// By somebody else.
    pub fn by(mut self, handle: &str, name: &str) -> Self {
        (self.handle, self.name) = (handle.into(), name.into());
        self
    }

    /// With a description of a picture, counted from 0, or of the video.
    pub fn alt(mut self, index: usize, text: &str) -> Self {
        match &mut self.video {
            Some((_, alt)) => *alt = text.into(),
            None => self.pictures[index].1 = text.into(),
        }
        self
    }

    /// With a label of its author.
    pub fn label(mut self, label: &str) -> Self {
        self.labels.push(label.into());
        self
    }
}

impl Bluesky {
    /// Places a post and returns its public link.
    pub fn post(&self, post: BlueskyPost) -> String {
        let handle = post.handle.clone();
        let view = self.place(post);
        let key = view["uri"].as_str().and_then(|uri| uri.rsplit('/').next()).expect("a key").to_owned();
        let thread = json!({"thread": {"$type": "app.bsky.feed.defs#threadViewPost", "post": view, "replies": []}});
        self.answer_with(&handle, &key, 200, thread);
        format!("https://bsky.app/profile/{handle}/post/{key}")
    }

    /// A link to a post that is not shown.
    pub fn gone(&self, fate: BlueskyFate) -> String {
        let (handle, key) = ("gone.bsky-stand-in.example", key());
        self.account(handle);
        let thread =
            |kind: &str| json!({"thread": {"$type": format!("app.bsky.feed.defs#{kind}"), "uri": "at://gone"}});
        let error = |error: &str, message: &str| json!({"error": error, "message": message});
        let (status, body) = match fate {
            BlueskyFate::Deleted => (400, error("NotFound", "Post not found: at://gone")),
            BlueskyFate::NotFound => (200, thread("notFoundPost")),
            BlueskyFate::Blocked => (200, thread("blockedPost")),
            BlueskyFate::NoAccount => (400, error("InvalidRequest", "Unable to resolve handle")),
            BlueskyFate::TakenDown => (400, error("AccountTakedown", "Account has been suspended")),
        };
        self.answer_with(handle, &key, status, body);
        format!("https://bsky.app/profile/{handle}/post/{key}")
    }

    /// The same post by its author's DID.
    pub fn by_did(&self, link: &str) -> String {
        let handle = link.split('/').nth(4).expect("a handle");
        link.replace(handle, &self.account(handle))
    }

    /// From now on the directory of accounts knows nobody.
    pub fn lose_servers(&self) {
        lock(&self.state).lost = true;
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        let missing =
            || Reply::json_status(400, &json!({"error": "InvalidRequest", "message": "Unable to resolve handle"}));
        match (request.host.as_str(), request.path.as_str()) {
            ("public.api.bsky.app" | "api.bsky.app", "/xrpc/app.bsky.feed.getPostThread") => {
                let uri = request.param("uri")?;
                let post = uri.strip_prefix("at://")?.replace("/app.bsky.feed.post", "");
                let (status, body) = state.posts.get(&post)?;
                Some(Reply::json_status(*status, body))
            }
            ("public.api.bsky.app" | "api.bsky.app", "/xrpc/com.atproto.identity.resolveHandle") => {
                let did = state.accounts.get(&request.param("handle")?);
                Some(did.map_or_else(missing, |did| Reply::json(&json!({"did": did}))))
            }
            ("plc.directory", path) => {
                let did = path.trim_start_matches('/').replace("%3A", ":");
                if state.lost || !state.accounts.values().any(|known| *known == did) {
                    return Some(Reply::json_status(404, &json!({"message": "DID not registered"})));
                }
                let server = json!({"id": "#atproto_pds", "type": "AtprotoPersonalDataServer",
                                    "serviceEndpoint": format!("https://{SERVER}")});
                Some(Reply::json(&json!({"id": did, "service": [server]})))
            }
            (SERVER, "/xrpc/com.atproto.sync.getBlob") => {
                let blob = state.blobs.get(&(request.param("did")?, request.param("cid")?))?;
                Some(Reply::file(&blob.path, blob.mime))
            }
            _ => self.placed.answer(request),
        }
    }

    fn answer_with(&self, handle: &str, key: &str, status: u16, body: Value) {
        let did = self.account(handle);
        let mut state = lock(&self.state);
        for author in [handle, &did] {
            state.posts.insert(format!("{author}/{key}"), (status, body.clone()));
        }
    }

    /// The DID of a handle; a new one for a new handle.
    fn account(&self, handle: &str) -> String {
        let new = || format!("did:plc:{}", name_of(next(), 24, LOWER));
        lock(&self.state).accounts.entry(handle.to_owned()).or_insert_with(new).clone()
    }

    /// Places what a post holds; returns its view.
    fn place(&self, post: BlueskyPost) -> Value {
        let did = self.account(&post.handle);
        let (mut record, mut view) = self.media(&did, &post);
        if let Some(quoted) = post.quotes {
            let quoted = self.place(*quoted);
            let shown = json!({
                "$type": "app.bsky.embed.record#viewRecord", "uri": quoted["uri"], "author": quoted["author"],
                "value": quoted["record"], "embeds": [quoted["embed"]], "labels": [], "indexedAt": quoted["indexedAt"],
            });
            let only = json!({"$type": "app.bsky.embed.record#view", "record": shown});
            if view.is_null() {
                (record, view) = (json!({"$type": "app.bsky.embed.record"}), only);
            } else {
                record = json!({"$type": "app.bsky.embed.recordWithMedia", "media": record});
                view = json!({"$type": "app.bsky.embed.recordWithMedia#view", "media": view, "record": only});
            }
        }
        let at = posted().format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let labels: Vec<_> = post.labels.iter().map(|label| json!({"src": did, "val": label})).collect();
        let mut told = json!({"$type": "app.bsky.feed.post", "createdAt": at, "text": post.text});
        let mut shown = json!({
            "uri": format!("at://{did}/app.bsky.feed.post/{}", key()),
            "author": {"did": did, "handle": post.handle, "displayName": post.name, "labels": []},
            "replyCount": 1, "repostCount": 2, "likeCount": 3, "quoteCount": 0, "indexedAt": at, "labels": labels,
        });
        if !view.is_null() {
            told["embed"] = record;
            shown["embed"] = view;
        }
        shown["record"] = told;
        shown
    }

    /// The record of what a post embeds, and its view.
    fn media(&self, did: &str, post: &BlueskyPost) -> (Value, Value) {
        if let Some((link, description)) = &post.external {
            let external = json!({"uri": link, "title": "a title", "description": description});
            let record = json!({"$type": "app.bsky.embed.external", "external": external});
            return (record, json!({"$type": "app.bsky.embed.external#view", "external": external}));
        }
        let ratio = |media: &Media| json!({"width": media.width, "height": media.height});
        if let Some((video, alt)) = &post.video {
            let (cid, blob) = self.upload(did, video);
            let base = format!("/watch/{}/{cid}", did.replace(':', "%3A"));
            let stream = media::hls(&Hls::seed(320));
            let master = Reply::file(stream.join(HLS_MASTER), media::stream_type(HLS_MASTER));
            let playlist = self.placed.put("video.bsky.app", &format!("{base}/playlist.m3u8"), master);
            self.placed.put_folder("video.bsky.app", &base, stream);
            let record =
                json!({"$type": "app.bsky.embed.video", "video": blob, "alt": alt, "aspectRatio": ratio(video)});
            let view = json!({
                "$type": "app.bsky.embed.video#view", "cid": cid, "playlist": playlist, "alt": alt,
                "thumbnail": format!("https://video.bsky.app{base}/thumbnail.jpg"), "aspectRatio": ratio(video),
            });
            return (record, view);
        }
        if post.pictures.is_empty() {
            return (Value::Null, Value::Null);
        }
        let (mut told, mut shown) = (Vec::new(), Vec::new());
        for (picture, alt) in &post.pictures {
            let (cid, blob) = self.upload(did, picture);
            let version = |size: &str| {
                let path = format!("/img/{size}/plain/{did}/{cid}@jpeg");
                self.placed.put("cdn.bsky.app", &path, Reply::file(&picture.path, picture.mime))
            };
            told.push(json!({"image": blob, "alt": alt, "aspectRatio": ratio(picture)}));
            shown.push(json!({"thumb": version("feed_thumbnail"), "fullsize": version("feed_fullsize"), "alt": alt,
                              "aspectRatio": ratio(picture)}));
        }
        let record = json!({"$type": "app.bsky.embed.images", "images": told});
        (record, json!({"$type": "app.bsky.embed.images#view", "images": shown}))
    }

    /// Keeps an upload; returns its content id and how records name it.
    fn upload(&self, did: &str, file: &Media) -> (String, Value) {
        let cid = format!("bafkrei{}", name_of(next(), 52, LOWER));
        lock(&self.state).blobs.insert((did.to_owned(), cid.clone()), file.clone());
        let blob = json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": file.mime, "size": file.bytes()});
        (cid, blob)
    }
}

fn key() -> String {
    format!("3l{}", name_of(next(), 11, &LOWER[..26]))
}
