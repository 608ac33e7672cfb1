//! Posts of Reddit, and what Reddit tells about them.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::world::{
    media::{Dash, Media},
    platforms::{LOWER, name_of, next, posted},
};

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

    pub(super) fn link(&self) -> String {
        format!("https://www.reddit.com{}", self.permalink())
    }

    pub(super) fn identify(&mut self) {
        if self.id.is_empty() {
            // As Reddit's: base 36, seven letters, never starting with 0.
            self.id = format!("1{}", name_of(next(), 6, LOWER));
        }
        if let RedditContent::Crosspost(inner) = &mut self.content {
            inner.identify();
        }
    }

    /// The id of its video on `v.redd.it`.
    pub(super) fn video_id(&self) -> String {
        format!("v{}x{}", self.id, self.slug().len())
    }

    /// The name of its image (or of the gallery's image at `index`), without extension.
    pub(super) fn image_id(&self, index: usize) -> String {
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
    pub(super) fn data(&self) -> Value {
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

pub(super) fn extension(media: &Media) -> &'static str {
    match media.mime {
        "image/png" => "png",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => "jpg",
    }
}
