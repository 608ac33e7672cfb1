//! Posts of X, and what X tells about them.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::world::{
    media::Media,
    platforms::{MIXED, name_of, next, posted},
};

/// The first millisecond of X's ids: <https://docs.x.com/fundamentals/x-ids>.
const EPOCH_MS: i64 = 1_288_834_974_657;

/// A post to place. `Tweet::video(media).by("ann", "Ann").text("look")`.
#[derive(Debug, Clone)]
pub struct Tweet {
    /// Its id; given at placing when empty.
    pub id: String,
    /// The handle.
    pub screen_name: String,
    /// The display name.
    pub name: String,
    /// The text, without the trailing t.co link.
    pub text: String,
    /// When it was posted (whole seconds).
    pub created_at: DateTime<Utc>,
    /// What it carries.
    pub media: Vec<TweetMedia>,
    /// Likes.
    pub likes: u64,
    /// Reposts.
    pub retweets: u64,
    /// Replies.
    pub replies: u64,
    /// Views.
    pub views: u64,
    /// Marked as sensitive.
    pub sensitive: bool,
    /// The post it quotes.
    pub quotes: Option<Box<Tweet>>,
    /// The post it repeats.
    pub retweet_of: Option<Box<Tweet>>,
    /// Answered inside a `TweetWithVisibilityResults`.
    pub limited_visibility: bool,
    /// Not to be had.
    pub gone: Option<Gone>,
    /// The post it answers: its id, and its author's handle.
    pub answers: Option<(String, String)>,
}

/// Why a post is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// Never was, or deleted so long ago that nothing is left: an empty result.
    Missing,
    /// A tombstone: deleted by its author.
    Deleted,
    /// A tombstone: the account is suspended.
    Suspended,
    /// A tombstone: age-restricted.
    AgeRestricted,
    /// Unavailable: a protected account.
    Protected,
    /// Unavailable: adults with an account only.
    Nsfw,
}

/// One piece of a post.
#[derive(Debug, Clone)]
pub struct TweetMedia {
    pub(super) kind: Kind,
    /// Best last; images have one.
    pub(super) files: Vec<Media>,
    pub(super) hls: Option<PathBuf>,
    alt: Option<String>,
    pub(super) id: u64,
    pub(super) key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Photo,
    Video,
    Gif,
}

impl TweetMedia {
    fn new(kind: Kind, files: Vec<Media>) -> Self {
        let number = next();
        let id = 1_900_000_000_000_000_000 + number * 7919;
        Self { kind, files, hls: None, alt: None, id, key: name_of(number, 15, MIXED) }
    }

    /// A still image.
    pub fn photo(media: &Media) -> Self {
        Self::new(Kind::Photo, vec![media.clone()])
    }

    /// A video in one quality.
    pub fn video(media: &Media) -> Self {
        Self::new(Kind::Video, vec![media.clone()])
    }

    /// A video in several qualities, worst first.
    pub fn variants(qualities: &[Media]) -> Self {
        Self::new(Kind::Video, qualities.to_vec())
    }

    /// A GIF, which X keeps as an MP4 without sound.
    pub fn gif(media: &Media) -> Self {
        Self::new(Kind::Gif, vec![media.clone()])
    }

    /// Also offers an HLS playlist (a folder of [`crate::world::media::small_hls`]).
    pub fn with_hls(mut self, folder: PathBuf) -> Self {
        self.hls = Some(folder);
        self
    }

    /// Describes it for those who cannot see it.
    pub fn alt(mut self, text: &str) -> Self {
        self.alt = Some(text.into());
        self
    }

    fn best(&self) -> &Media {
        self.files.last().expect("a file")
    }

    /// Host and path of one quality.
    pub(super) fn place(&self, media: &Media) -> (&'static str, String) {
        match self.kind {
            Kind::Photo => ("pbs.twimg.com", format!("/media/{}", self.key)),
            Kind::Gif => ("video.twimg.com", format!("/tweet_video/{}.mp4", self.key)),
            Kind::Video => (
                "video.twimg.com",
                format!("/ext_tw_video/{}/pu/vid/avc1/{}x{}/{}.mp4", self.id, media.width, media.height, self.key),
            ),
        }
    }

    fn bitrate(media: &Media) -> u64 {
        media.bytes() * 8 / u64::from(media.seconds.max(1))
    }

    pub(super) fn extension(&self) -> &'static str {
        match self.best().mime {
            "image/png" => "png",
            "image/webp" => "webp",
            _ => "jpg",
        }
    }

    fn thumbnail(&self) -> String {
        match self.kind {
            Kind::Photo => format!("https://pbs.twimg.com/media/{}.{}", self.key, self.extension()),
            Kind::Video => format!("https://pbs.twimg.com/ext_tw_video_thumb/{}/pu/img/{}.jpg", self.id, self.key),
            Kind::Gif => format!("https://pbs.twimg.com/tweet_video_thumb/{}.jpg", self.key),
        }
    }

    fn entity(&self, link: &str) -> Value {
        let Media { width, height, seconds, .. } = *self.best();
        let kind = match self.kind {
            Kind::Photo => "photo",
            Kind::Video => "video",
            Kind::Gif => "animated_gif",
        };
        let place = if self.kind == Kind::Photo { "photo" } else { "video" };
        let mut entity = json!({
            "id_str": self.id.to_string(),
            "media_key": format!("3_{}", self.id),
            "type": kind,
            "media_url_https": self.thumbnail(),
            "url": "https://t.co/abcdefghij",
            "display_url": "pic.x.com/abcdefghij",
            "expanded_url": format!("{link}/{place}/1"),
            "ext_media_availability": {"status": "Available"},
            "original_info": {"width": width, "height": height, "focus_rects": []},
            "sizes": {"large": {"w": width, "h": height, "resize": "fit"}},
        });
        if let Some(alt) = &self.alt {
            entity["ext_alt_text"] = json!(alt);
        }
        if self.kind != Kind::Photo {
            let mut variants = Vec::new();
            if self.hls.is_some() {
                let url = format!("https://video.twimg.com/ext_tw_video/{}/pu/pl/{}.m3u8?tag=12", self.id, self.key);
                variants.push(json!({"content_type": "application/x-mpegURL", "url": url}));
            }
            for media in &self.files {
                let (host, path) = self.place(media);
                let (bitrate, tag) = if self.kind == Kind::Gif { (0, "") } else { (Self::bitrate(media), "?tag=12") };
                let url = format!("https://{host}{path}{tag}");
                variants.push(json!({"bitrate": bitrate, "content_type": "video/mp4", "url": url}));
            }
            entity["video_info"] = json!({"aspect_ratio": [16, 9], "variants": variants});
            if self.kind == Kind::Video {
                entity["video_info"]["duration_millis"] = json!(u64::from(seconds) * 1000);
            }
        }
        entity
    }
}

impl Tweet {
    /// A post of words alone.
    pub fn text_only(text: &str) -> Self {
        Self {
            id: String::new(),
            screen_name: "ann".into(),
            name: "Ann Example".into(),
            text: text.into(),
            created_at: posted(),
            media: Vec::new(),
            likes: 12,
            retweets: 3,
            replies: 2,
            views: 456,
            sensitive: false,
            quotes: None,
            retweet_of: None,
            limited_visibility: false,
            gone: None,
            answers: None,
        }
    }

    /// A post with these pieces.
    pub fn of(media: Vec<TweetMedia>) -> Self {
        Self { media, ..Self::text_only("Look at this") }
    }

    /// A post with one video.
    pub fn video(media: &Media) -> Self {
        Self::of(vec![TweetMedia::video(media)])
    }

    /// A post with one GIF.
    pub fn gif(media: &Media) -> Self {
        Self::of(vec![TweetMedia::gif(media)])
    }

    /// A post with images, in this order.
    pub fn images(images: &[Media]) -> Self {
        Self::of(images.iter().map(TweetMedia::photo).collect())
    }

    /// A post that is not to be had.
    pub fn gone(why: Gone) -> Self {
        Self { gone: Some(why), ..Self::text_only("") }
    }

    /// Whose it is.
    pub fn by(mut self, screen_name: &str, name: &str) -> Self {
        self.screen_name = screen_name.into();
        self.name = name.into();
        self
    }

    /// Its text.
    pub fn text(mut self, text: &str) -> Self {
        self.text = text.into();
        self
    }

    /// Describes the piece at `index`.
    pub fn alt(mut self, index: usize, text: &str) -> Self {
        self.media[index].alt = Some(text.into());
        self
    }

    /// Marks it.
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Quotes another post (which is placed too).
    pub fn quoting(mut self, other: Tweet) -> Self {
        self.quotes = Some(Box::new(other));
        self
    }

    /// An answer to the post behind a link.
    pub fn answering(mut self, link: &str) -> Self {
        let parts: Vec<&str> = link.rsplit('/').collect();
        self.answers = Some((parts[0].to_owned(), parts[2].to_owned()));
        self
    }

    /// A repeat of another post (which is placed too).
    pub fn retweet(of: Tweet) -> Self {
        Self { retweet_of: Some(Box::new(of)), ..Self::text_only("") }
    }

    /// Answered with its visibility limited.
    pub fn limited(mut self) -> Self {
        self.limited_visibility = true;
        self
    }

    /// Gives it (and what it holds) an id that says when it was posted, as X's ids do.
    pub(super) fn identify(&mut self) {
        if self.id.is_empty() {
            let ms = self.created_at.timestamp_millis() - EPOCH_MS;
            self.id = ((ms << 22) as u64 + next()).to_string();
        }
        for inner in [&mut self.quotes, &mut self.retweet_of].into_iter().flatten() {
            inner.identify();
        }
    }

    pub(super) fn link(&self) -> String {
        format!("https://x.com/{}/status/{}", self.screen_name, self.id)
    }

    fn user_id(&self) -> String {
        let sum = self.screen_name.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
        (sum % 1_000_000_000).to_string()
    }

    fn full_text(&self) -> String {
        if let Some(original) = &self.retweet_of {
            return format!("RT @{}: {}", original.screen_name, original.text);
        }
        if self.media.is_empty() { self.text.clone() } else { format!("{} https://t.co/abcdefghij", self.text) }
    }

    fn user(&self) -> Value {
        let avatar = "https://pbs.twimg.com/profile_images/1/face_normal.jpg";
        json!({
            "__typename": "User",
            "rest_id": self.user_id(),
            "core": {"name": self.name, "screen_name": self.screen_name, "created_at": "Tue Mar 21 20:50:14 +0000 2006"},
            "avatar": {"image_url": avatar},
            "location": {"location": ""},
            "privacy": {"protected": false},
            "verification": {"verified": false},
            "is_blue_verified": false,
            "legacy": {
                "name": self.name,
                "screen_name": self.screen_name,
                "created_at": "Tue Mar 21 20:50:14 +0000 2006",
                "description": "",
                "entities": {"description": {"urls": []}},
                "favourites_count": 1, "followers_count": 2, "friends_count": 3, "listed_count": 0,
                "media_count": 4, "statuses_count": 5,
                "profile_image_url_https": avatar,
            },
        })
    }

    fn entities(&self) -> Vec<Value> {
        self.media.iter().map(|media| media.entity(&self.link())).collect()
    }

    /// The GraphQL `Tweet` object.
    fn object(&self) -> Value {
        let mut legacy = json!({
            "id_str": self.id,
            "user_id_str": self.user_id(),
            "conversation_id_str": self.id,
            "created_at": self.created_at.format("%a %b %d %H:%M:%S +0000 %Y").to_string(),
            "full_text": self.full_text(),
            "lang": "en",
            "display_text_range": [0, self.text.chars().count()],
            "favorite_count": self.likes,
            "retweet_count": self.retweets,
            "reply_count": self.replies,
            "quote_count": 0,
            "bookmark_count": 0,
            "is_quote_status": self.quotes.is_some(),
            "possibly_sensitive": self.sensitive,
            "entities": {"hashtags": [], "symbols": [], "timestamps": [], "urls": [], "user_mentions": []},
        });
        if let Some((id, screen_name)) = &self.answers {
            legacy["in_reply_to_status_id_str"] = json!(id);
            legacy["in_reply_to_screen_name"] = json!(screen_name);
        }
        if !self.media.is_empty() {
            legacy["entities"]["media"] = json!(self.entities());
            legacy["extended_entities"] = json!({"media": self.entities()});
        }
        if let Some(original) = &self.retweet_of {
            legacy["retweeted_status_result"] = json!({"result": original.object()});
            // A repeat carries what the original carries.
            if !original.media.is_empty() {
                legacy["extended_entities"] = json!({"media": original.entities()});
            }
        }
        let mut object = json!({
            "__typename": "Tweet",
            "rest_id": self.id,
            "core": {"user_results": {"result": self.user()}},
            "views": {"count": self.views.to_string(), "state": "EnabledWithCount"},
            "source": "<a href=\"https://mobile.x.com\" rel=\"nofollow\">X Web App</a>",
            "legacy": legacy,
        });
        if let Some(quoted) = &self.quotes {
            object["legacy"]["quoted_status_id_str"] = json!(quoted.id);
            object["quoted_status_result"] = json!({"result": quoted.result()});
        }
        object
    }

    /// `tweetResult.result`.
    pub(super) fn result(&self) -> Value {
        let tombstone = |text: &str| {
            json!({
                "__typename": "TweetTombstone",
                "tombstone": {"__typename": "TextTombstone", "text": {"rtl": false, "text": text, "entities": []}},
            })
        };
        let unavailable = |reason: &str| json!({"__typename": "TweetUnavailable", "reason": reason});
        match self.gone {
            None if self.limited_visibility => json!({
                "__typename": "TweetWithVisibilityResults",
                "tweet": self.object(),
                "limitedActionResults": {"limited_actions": []},
            }),
            None => self.object(),
            Some(Gone::Missing) => Value::Null,
            Some(Gone::Deleted) => tombstone("This Post was deleted by the Post author. Learn more"),
            Some(Gone::Suspended) => tombstone("This Post is from a suspended account. Learn more"),
            Some(Gone::AgeRestricted) => tombstone(
                "Age-restricted adult content. This content might not be appropriate for people under 18 years old. \
                 To view this media, you’ll need to log in to X. Learn more",
            ),
            Some(Gone::Protected) => unavailable("Protected"),
            Some(Gone::Nsfw) => unavailable("NsfwLoggedOut"),
        }
    }

    /// What the syndication host tells; `None`: 404.
    pub(super) fn syndicated(&self) -> Option<Value> {
        match self.gone {
            Some(Gone::Missing | Gone::Protected) => return None,
            Some(Gone::Deleted | Gone::Suspended | Gone::AgeRestricted | Gone::Nsfw) => {
                let mut result = match self.gone {
                    Some(Gone::Nsfw) => Self::gone(Gone::AgeRestricted).result(),
                    _ => self.result(),
                };
                result["__typename"] = json!("TweetTombstone");
                return Some(result);
            }
            None => {}
        }
        let details: Vec<Value> = self
            .entities()
            .into_iter()
            .map(|mut entity| {
                // This host tells less: neither ids nor alternative texts.
                for missing in ["id_str", "media_key", "ext_alt_text"] {
                    entity.as_object_mut().expect("an object").remove(missing);
                }
                entity
            })
            .collect();
        let mut told = json!({
            "__typename": "Tweet",
            "id_str": self.id,
            "lang": "en",
            "text": self.full_text(),
            "created_at": self.created_at.format("%Y-%m-%dT%H:%M:%S.000Z").to_string(),
            "favorite_count": self.likes,
            "conversation_count": self.replies,
            "possibly_sensitive": self.sensitive,
            "display_text_range": [0, self.text.chars().count()],
            "entities": {"hashtags": [], "urls": [], "user_mentions": [], "symbols": []},
            "user": {
                "id_str": self.user_id(),
                "name": self.name,
                "screen_name": self.screen_name,
                "profile_image_url_https": "https://pbs.twimg.com/profile_images/1/face_normal.jpg",
            },
            "mediaDetails": details,
            "isEdited": false,
        });
        if let Some(quoted) = self.quotes.as_ref().and_then(|quoted| quoted.syndicated()) {
            told["quoted_tweet"] = quoted;
        }
        Some(told)
    }
}
