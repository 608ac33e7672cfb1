//! Reddit: the JSON of posts (anonymous and by an app's token), short and share links, and the hosts of its files.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{LOWER, MIXED, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, Dash, Media},
    web::lock,
};

/// The model.
#[derive(Clone, Default)]
pub struct Reddit {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    posts: HashMap<String, RedditPost>,
    /// Files of `i.redd.it` and `preview.redd.it` by name.
    images: HashMap<String, Media>,
    /// Videos of `v.redd.it`: the folder of their streams and the post that shows them.
    videos: HashMap<String, (PathBuf, String)>,
    /// Share tokens and the post they lead to.
    shared: HashMap<String, String>,
    anonymous_refused: bool,
    /// Client ids and secrets of apps; none: every app is known.
    apps: Vec<(String, String)>,
    tokens: HashSet<String>,
}

/// A post to place. `RedditPost::video(Dash::huge(1)).titled("loud").in_subreddit("videos")`.
#[derive(Debug, Clone)]
pub struct RedditPost {
    /// Its id; given at placing when empty.
    pub id: String,
    /// The subreddit, without `r/`.
    pub subreddit: String,
    /// The account, without `u/`.
    pub author: String,
    /// The title.
    pub title: String,
    /// The text below it.
    pub selftext: String,
    /// When it was posted.
    pub created: DateTime<Utc>,
    /// Votes.
    pub score: i64,
    /// Comments.
    pub comments: u64,
    /// For adults.
    pub over_18: bool,
    /// Gives something away.
    pub spoiler: bool,
    /// What it shows.
    pub content: RedditContent,
    /// Whether it can still be seen.
    pub fate: Fate,
}

/// What a post shows.
#[derive(Debug, Clone)]
pub enum RedditContent {
    /// Words alone.
    Text,
    /// A video of `v.redd.it`.
    Video(Dash),
    /// One still image of `i.redd.it`.
    Image(Media),
    /// One GIF of `i.redd.it`.
    Gif(Media),
    /// Several images, in order.
    Gallery(Vec<GalleryItem>),
    /// A link to elsewhere.
    Link(String),
    /// Another post.
    Crosspost(Box<RedditPost>),
}

/// One image of a gallery.
#[derive(Debug, Clone)]
pub struct GalleryItem {
    /// The image or GIF.
    pub media: Media,
    /// What stands below it.
    pub caption: Option<String>,
    /// Reddit could not process it.
    pub failed: bool,
}

/// Whether a post can still be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Yes.
    Visible,
    /// Deleted by its author: the shell is left.
    Deleted,
    /// Removed by moderators: the shell is left.
    Removed,
    /// Never was: 404.
    Missing,
    /// In a private subreddit: 403.
    Private,
    /// In a quarantined subreddit: 403.
    Quarantined,
}

impl RedditPost {
    fn new(title: &str, content: RedditContent) -> Self {
        Self {
            id: String::new(),
            subreddit: "pics".into(),
            author: "bea".into(),
            title: title.into(),
            selftext: String::new(),
            created: posted(),
            score: 321,
            comments: 45,
            over_18: false,
            spoiler: false,
            content,
            fate: Fate::Visible,
        }
    }

    /// A video.
    pub fn video(dash: Dash) -> Self {
        Self::new("A video", RedditContent::Video(dash)).in_subreddit("videos")
    }

    /// A still image.
    pub fn image(media: &Media) -> Self {
        Self::new("An image", RedditContent::Image(media.clone()))
    }

    /// A GIF.
    pub fn gif(media: &Media) -> Self {
        Self::new("A GIF", RedditContent::Gif(media.clone()))
    }

    /// A gallery, in this order.
    pub fn gallery(images: &[Media]) -> Self {
        let item = |media: &Media| GalleryItem { media: media.clone(), caption: None, failed: false };
        Self::new("A gallery", RedditContent::Gallery(images.iter().map(item).collect()))
    }

    /// A link to elsewhere.
    pub fn link_to(url: &str) -> Self {
        Self::new("A link", RedditContent::Link(url.into()))
    }

    /// Words alone.
    pub fn text(words: &str) -> Self {
        Self { selftext: words.into(), ..Self::new("A text", RedditContent::Text) }
    }

    /// A repeat of another post (which is placed too).
    pub fn crosspost(of: RedditPost) -> Self {
        Self::new("A crosspost", RedditContent::Crosspost(Box::new(of)))
    }

    /// A post that cannot be seen (any more).
    pub fn gone(fate: Fate) -> Self {
        Self { fate, ..Self::new("[deleted by user]", RedditContent::Text) }
    }

    /// Its title.
    pub fn titled(mut self, title: &str) -> Self {
        self.title = title.into();
        self
    }

    /// Its author.
    pub fn by(mut self, author: &str) -> Self {
        self.author = author.into();
        self
    }

    /// Its subreddit.
    pub fn in_subreddit(mut self, subreddit: &str) -> Self {
        self.subreddit = subreddit.into();
        self
    }

    /// For adults.
    pub fn nsfw(mut self) -> Self {
        self.over_18 = true;
        self
    }

    /// Gives something away.
    pub fn spoiler(mut self) -> Self {
        self.spoiler = true;
        self
    }

    /// A caption for the gallery's image at `index`.
    pub fn caption(mut self, index: usize, text: &str) -> Self {
        if let RedditContent::Gallery(items) = &mut self.content {
            items[index].caption = Some(text.into());
        }
        self
    }

    fn slug(&self) -> String {
        let words = self.title.to_lowercase();
        let words = words.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.take(8).collect::<Vec<_>>().join("_")
    }

    fn permalink(&self) -> String {
        format!("/r/{}/comments/{}/{}/", self.subreddit, self.id, self.slug())
    }

    fn link(&self) -> String {
        format!("https://www.reddit.com{}", self.permalink())
    }

    fn identify(&mut self) {
        if self.id.is_empty() {
            // As Reddit's: base 36, seven letters, never starting with 0.
            self.id = format!("1{}", name_of(next(), 6, LOWER));
        }
        if let RedditContent::Crosspost(inner) = &mut self.content {
            inner.identify();
        }
    }

    /// The id of its video on `v.redd.it`.
    fn video_id(&self) -> String {
        format!("v{}x{}", self.id, self.slug().len())
    }

    /// The name of its image (or of the gallery's image at `index`), without extension.
    fn image_id(&self, index: usize) -> String {
        format!("i{}n{index:02}", self.id)
    }

    fn gone_by(&self) -> Option<&'static str> {
        match self.fate {
            Fate::Deleted => Some("deleted"),
            Fate::Removed => Some("moderator"),
            _ => None,
        }
    }

    /// The `data` of its `t3`.
    fn data(&self) -> Value {
        let gone = self.gone_by();
        let (author, selftext) = match self.fate {
            Fate::Deleted => ("[deleted]", "[deleted]"),
            Fate::Removed => (self.author.as_str(), "[removed]"),
            _ => (self.author.as_str(), self.selftext.as_str()),
        };
        let mut data = json!({
            "id": self.id,
            "name": format!("t3_{}", self.id),
            "title": self.title,
            "author": author,
            "author_fullname": "t2_abc12",
            "subreddit": self.subreddit,
            "subreddit_name_prefixed": format!("r/{}", self.subreddit),
            "selftext": selftext,
            "selftext_html": null,
            "created_utc": self.created.timestamp() as f64,
            "created": self.created.timestamp() as f64,
            "score": self.score,
            "ups": self.score,
            "downs": 0,
            "upvote_ratio": 0.97,
            "num_comments": self.comments,
            "over_18": self.over_18,
            "spoiler": self.spoiler,
            "locked": false,
            "stickied": false,
            "pinned": false,
            "is_self": false,
            "is_video": false,
            "is_reddit_media_domain": false,
            "permalink": self.permalink(),
            "url": self.link(),
            "domain": format!("self.{}", self.subreddit),
            "media": null,
            "secure_media": null,
            "media_embed": {},
            "secure_media_embed": {},
            "removed_by_category": gone,
        });
        if gone.is_none() {
            self.show(&mut data);
        } else {
            data["is_self"] = json!(true);
        }
        data
    }

    /// Adds what the content says.
    fn show(&self, data: &mut Value) {
        let mut set = |name: &str, value: Value| data[name] = value;
        match &self.content {
            RedditContent::Text => set("is_self", json!(true)),
            RedditContent::Link(url) => {
                set("url", json!(url));
                set("url_overridden_by_dest", json!(url));
                set("domain", json!(url.split('/').nth(2)));
                set("post_hint", json!("link"));
            }
            RedditContent::Video(dash) => {
                let url = format!("https://v.redd.it/{}", self.video_id());
                let video = json!({"reddit_video": self.reddit_video(dash)});
                set("url", json!(url));
                set("url_overridden_by_dest", json!(url));
                set("domain", json!("v.redd.it"));
                set("post_hint", json!("hosted:video"));
                set("is_video", json!(true));
                set("is_reddit_media_domain", json!(true));
                set("media", video.clone());
                set("secure_media", video);
            }
            RedditContent::Image(image) | RedditContent::Gif(image) => {
                let name = format!("{}.{}", self.image_id(0), extension(image));
                let url = format!("https://i.redd.it/{name}");
                set("url", json!(url));
                set("url_overridden_by_dest", json!(url));
                set("domain", json!("i.redd.it"));
                set("post_hint", json!("image"));
                set("is_reddit_media_domain", json!(true));
                let size = json!({"width": image.width, "height": image.height});
                let source = |query: &str| {
                    let mut source = size.clone();
                    source["url"] = json!(format!("https://preview.redd.it/{name}?{query}"));
                    source
                };
                let variants = if matches!(self.content, RedditContent::Gif(_)) {
                    json!({
                        "gif": {"source": source("s=aa11"), "resolutions": []},
                        "mp4": {"source": source("format=mp4&s=bb22"), "resolutions": []},
                    })
                } else {
                    json!({})
                };
                set(
                    "preview",
                    json!({"enabled": true, "images": [{
                        "id": "pre", "source": source("auto=webp&s=cc33"), "resolutions": [], "variants": variants,
                    }]}),
                );
            }
            RedditContent::Gallery(items) => {
                let url = format!("https://www.reddit.com/gallery/{}", self.id);
                set("url", json!(url));
                set("url_overridden_by_dest", json!(url));
                set("domain", json!("old.reddit.com"));
                set("is_gallery", json!(true));
                let order: Vec<Value> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        let mut entry = json!({"media_id": self.image_id(index), "id": 1000 + index});
                        if let Some(caption) = &item.caption {
                            entry["caption"] = json!(caption);
                        }
                        entry
                    })
                    .collect();
                set("gallery_data", json!({"items": order}));
                // Reddit's map is in no order: the reverse shows who relies on it.
                let meta: serde_json::Map<String, Value> = items
                    .iter()
                    .enumerate()
                    .rev()
                    .map(|(index, item)| (self.image_id(index), self.gallery_meta(index, item)))
                    .collect();
                set("media_metadata", Value::Object(meta));
            }
            RedditContent::Crosspost(original) => {
                let parent = original.data();
                for name in ["url", "url_overridden_by_dest", "domain", "post_hint", "preview"] {
                    if !parent[name].is_null() {
                        set(name, parent[name].clone());
                    }
                }
                set("crosspost_parent", json!(format!("t3_{}", original.id)));
                set("crosspost_parent_list", json!([parent]));
            }
        }
    }

    fn gallery_meta(&self, index: usize, item: &GalleryItem) -> Value {
        let id = self.image_id(index);
        if item.failed {
            return json!({"status": "failed", "id": id});
        }
        let Media { width, height, mime, .. } = item.media;
        if mime == "image/gif" {
            let mp4 = format!("https://preview.redd.it/{id}.gif?width={width}&format=mp4&s=dd44");
            return json!({
                "status": "valid", "e": "AnimatedImage", "m": mime, "id": id, "p": [],
                "s": {"y": height, "x": width, "gif": format!("https://i.redd.it/{id}.gif"), "mp4": mp4},
            });
        }
        let extension = extension(&item.media);
        let preview = format!("https://preview.redd.it/{id}.{extension}?width={width}&format=pjpg&auto=webp&s=ee55");
        json!({
            "status": "valid", "e": "Image", "m": format!("image/{extension}"), "id": id, "p": [],
            "s": {"y": height, "x": width, "u": preview},
        })
    }

    fn reddit_video(&self, dash: &Dash) -> Value {
        let base = format!("https://v.redd.it/{}", self.video_id());
        let bytes = dash.video_bytes.unwrap_or(100_000 * u64::from(dash.seconds));
        json!({
            "bitrate_kbps": bytes * 8 / u64::from(dash.seconds) / 1000,
            "fallback_url": format!("{base}/{}?source=fallback", dash.best()),
            "has_audio": dash.sound,
            "height": dash.height,
            "width": dash.width,
            "scrubber_media_url": format!("{base}/{}", dash.lower()),
            "dash_url": format!("{base}/DASHPlaylist.mpd?a=1770000000%2CZmFrZQ&v=1&f=sd"),
            "duration": dash.seconds,
            "hls_url": format!("{base}/HLSPlaylist.m3u8?a=1770000000%2CZmFrZQ&v=1&f=sd"),
            "is_gif": !dash.sound,
            "transcoding_status": "completed",
        })
    }
}

fn extension(media: &Media) -> &'static str {
    match media.mime {
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => "jpg",
    }
}

impl Reddit {
    /// Places a post and returns its public link.
    pub fn post(&self, mut post: RedditPost) -> String {
        post.identify();
        let link = post.link();
        self.place(post);
        link
    }

    fn place(&self, post: RedditPost) {
        if let RedditContent::Crosspost(original) = &post.content {
            self.place((**original).clone());
        }
        let mut state = lock(&self.state);
        match &post.content {
            RedditContent::Video(dash) => {
                state.videos.insert(post.video_id(), (media::dash(dash), post.id.clone()));
            }
            RedditContent::Image(image) | RedditContent::Gif(image) => {
                state.images.insert(format!("{}.{}", post.image_id(0), extension(image)), image.clone());
            }
            RedditContent::Gallery(items) => {
                for (index, item) in items.iter().enumerate() {
                    let name = format!("{}.{}", post.image_id(index), extension(&item.media));
                    state.images.insert(name, item.media.clone());
                }
            }
            RedditContent::Text | RedditContent::Link(_) | RedditContent::Crosspost(_) => {}
        }
        state.posts.insert(post.id.clone(), post);
    }

    /// `https://redd.it/ID` for a placed post's link.
    pub fn short_link(&self, link: &str) -> String {
        format!("https://redd.it/{}", id_in(link))
    }

    /// `https://www.reddit.com/r/S/s/TOKEN`, as the app shares it, for a placed post's link.
    pub fn share_link(&self, link: &str) -> String {
        let token = name_of(next(), 10, &MIXED[..62]);
        let mut state = lock(&self.state);
        let id = id_in(link);
        let subreddit = state.posts[&id].subreddit.clone();
        state.shared.insert(token.clone(), id);
        format!("https://www.reddit.com/r/{subreddit}/s/{token}")
    }

    /// `https://www.reddit.com/video/ID` for a placed video post's link.
    pub fn video_link(&self, link: &str) -> String {
        let state = lock(&self.state);
        format!("https://www.reddit.com/video/{}", state.posts[&id_in(link)].video_id())
    }

    /// From now on JSON without an app's token is refused (403 with a page), as often since May 2026.
    pub fn refuse_anonymous(&self) {
        lock(&self.state).anonymous_refused = true;
    }

    /// Only registered apps get tokens from now on.
    pub fn register_app(&self, client_id: &str, secret: &str) {
        lock(&self.state).apps.push((client_id.into(), secret.into()));
    }

    /// Every token given out so far is refused from now on.
    pub fn expire_tokens(&self) {
        lock(&self.state).tokens.clear();
    }

    /// Answers what is asked of Reddit's hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "www.reddit.com" | "old.reddit.com" | "new.reddit.com" => self.site(request),
            "oauth.reddit.com" => Some(self.by_token(request)),
            "reddit.com" | "m.reddit.com" | "np.reddit.com" => {
                let mut to = request.url.clone();
                to.set_host(Some("www.reddit.com")).ok()?;
                Some(Reply::redirect(to.as_str()))
            }
            "redd.it" | "www.redd.it" => {
                let state = lock(&self.state);
                let id = *request.segments().first()?;
                state.posts.contains_key(id).then(|| Reply::redirect(&format!("https://www.reddit.com/comments/{id}")))
            }
            "v.redd.it" => self.video_file(request),
            "i.redd.it" | "preview.redd.it" => self.image_file(request),
            _ => None,
        }
    }

    fn site(&self, request: &Request) -> Option<Reply> {
        if request.path == "/api/v1/access_token" {
            return Some(self.give_token(request));
        }
        match request.segments()[..] {
            [] => Some(with_session(Reply::html("<!DOCTYPE html><title>reddit: the front page</title>"))),
            ["svc", "shreddit", ..] => {
                Some(with_session(Reply::html("<!DOCTYPE html><shreddit-post></shreddit-post>")))
            }
            ["r" | "u" | "user", _, "s", token] => {
                let state = lock(&self.state);
                let post = state.posts.get(state.shared.get(token)?)?;
                Some(Reply::redirect(&format!("{}?share_id=abc&utm_medium=android_app&utm_name=share", post.link())))
            }
            ["video", id] => {
                let state = lock(&self.state);
                Some(Reply::redirect(&state.posts.get(&state.videos.get(id)?.1)?.link()))
            }
            ["gallery", id] => self.page(id, false),
            _ => {
                let (id, in_full) = comments_id(request)?;
                if request.path.trim_end_matches('/').ends_with(".json") {
                    let refused = lock(&self.state).anonymous_refused;
                    return Some(if refused { blocked() } else { self.comments(&id, request) });
                }
                self.page(&id, in_full)
            }
        }
    }

    /// The page of a post for people; a short address leads to the full one.
    fn page(&self, id: &str, in_full: bool) -> Option<Reply> {
        let state = lock(&self.state);
        let post = state.posts.get(id)?;
        Some(match post.fate {
            Fate::Missing => Reply { status: hyper::StatusCode::NOT_FOUND, ..Reply::html("<title>not found</title>") },
            _ if !in_full => Reply::redirect(&post.link()),
            _ => with_session(Reply::html(&format!("<!DOCTYPE html><title>{}</title>", post.title))),
        })
    }

    /// The JSON of a post: itself and no comments.
    fn comments(&self, id: &str, request: &Request) -> Reply {
        let state = lock(&self.state);
        let refused =
            |reason: &str| Reply::json_status(403, &json!({"reason": reason, "message": "Forbidden", "error": 403}));
        let Some(post) = state.posts.get(id).filter(|post| post.fate != Fate::Missing) else {
            return Reply::json_status(404, &json!({"message": "Not Found", "error": 404}));
        };
        match post.fate {
            Fate::Private => return refused("private"),
            Fate::Quarantined => return refused("quarantined"),
            _ => {}
        }
        let mut answer = json!([listing(&[post]), listing(&[])]);
        if request.param("raw_json").as_deref() != Some("1") {
            escape(&mut answer);
        }
        Reply::json(&answer)
    }

    fn give_token(&self, request: &Request) -> Reply {
        let mut state = lock(&self.state);
        let allowed =
            request.header("authorization").and_then(|value| value.strip_prefix("Basic ")).is_some_and(|given| {
                let known = state.apps.iter().any(|(id, secret)| base64(&format!("{id}:{secret}")) == given);
                known || (state.apps.is_empty() && given.len() > 4)
            });
        if request.method != hyper::Method::POST || !allowed {
            return Reply::json_status(401, &json!({"message": "Unauthorized", "error": 401}));
        }
        match request.form("grant_type").as_deref() {
            Some("client_credentials" | "https://oauth.reddit.com/grants/installed_client") => {}
            _ => return Reply::json(&json!({"error": "unsupported_grant_type"})),
        }
        let token = format!("eyJhbGciOiJSUzI1NiJ9.{}", name_of(next(), 30, MIXED));
        state.tokens.insert(token.clone());
        Reply::json(&json!({"access_token": token, "token_type": "bearer", "expires_in": 86400, "scope": "*"}))
    }

    fn by_token(&self, request: &Request) -> Reply {
        let known = request.header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| lock(&self.state).tokens.contains(token))
        });
        if known != Some(true) {
            return Reply::json_status(401, &json!({"message": "Unauthorized", "error": 401}));
        }
        if let Some((id, _)) = comments_id(request) {
            return self.comments(&id, request);
        }
        if request.path.trim_end_matches(".json") == "/api/info" {
            let id = request.param("id").unwrap_or_default();
            let state = lock(&self.state);
            let post = state
                .posts
                .get(id.trim_start_matches("t3_"))
                .filter(|post| !matches!(post.fate, Fate::Missing | Fate::Private | Fate::Quarantined));
            return Reply::json(&listing(post.as_slice()));
        }
        Reply::json_status(404, &json!({"message": "Not Found", "error": 404}))
    }

    fn video_file(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        match request.segments()[..] {
            [id] => {
                let (_, post) = state.videos.get(id)?;
                Some(Reply::redirect(&format!("https://www.reddit.com/video/{id}?from={post}")))
            }
            [id, name] => {
                let path = state.videos.get(id)?.0.join(name);
                // The store behind it says 403 to what it does not have.
                Some(if path.is_file() { Reply::file(&path, media::stream_type(name)) } else { Reply::status(403) })
            }
            _ => None,
        }
    }

    fn image_file(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        let name = *request.segments().first()?;
        let image = state.images.get(name)?;
        if request.param("format").as_deref() == Some("mp4") {
            return Some(Reply::file(media::silent_video(50).path, "video/mp4"));
        }
        Some(Reply::file(&image.path, image.mime))
    }
}

/// The id in `/r/S/comments/ID/…`, `/comments/ID/…` (and `/user/U/comments/ID/…`), and whether the address is in full.
fn comments_id(request: &Request) -> Option<(String, bool)> {
    let segments = request.segments();
    let at = segments.iter().position(|part| *part == "comments").filter(|at| matches!(at, 0 | 2))?;
    let id = segments.get(at + 1)?.trim_end_matches(".json");
    Some((id.to_owned(), at == 2))
}

fn id_in(link: &str) -> String {
    link.split("/comments/").nth(1).and_then(|rest| rest.split('/').next()).expect("a post's link").to_owned()
}

fn listing(posts: &[&RedditPost]) -> Value {
    let children: Vec<Value> = posts.iter().map(|post| json!({"kind": "t3", "data": post.data()})).collect();
    json!({"kind": "Listing", "data": {"after": null, "before": null, "dist": posts.len(), "children": children}})
}

/// The session of visitors without an account.
fn with_session(reply: Reply) -> Reply {
    reply.with_header("set-cookie", "loid=000000000abc.2.1770000000000.Z0FBQQ; Domain=reddit.com; Path=/; Secure")
}

fn blocked() -> Reply {
    let page = "<!DOCTYPE html><html><body><div class=\"-content-strong\">You've been blocked by network security.</div>\
                </body></html>";
    Reply { status: hyper::StatusCode::FORBIDDEN, ..Reply::html(page) }
}

/// Without `raw_json=1`, Reddit escapes `&`, `<` and `>` in every text.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        Value::Array(values) => values.iter_mut().for_each(escape),
        Value::Object(map) => map.values_mut().for_each(escape),
        _ => {}
    }
}

/// Standard Base64 with padding.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            encoded.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    encoded
}
