//! What a post holds, whichever path told us, and the files that came of it.

use std::{collections::BTreeMap, path::PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

/// Everything known about a post. Both paths (in-process and command-line tools) fill the same fields; what a platform
/// tells beyond them is kept in `platform_data`. Unknown JSON fields survive a round trip there too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaMetadata {
    /// The platform's short name.
    pub platform: String,
    /// The canonical link.
    pub url: String,
    /// The platform's own id.
    pub id: String,
    /// Title, where the platform has titles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Body text: the words of a tweet, the description of a video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who posted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// When it was posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
    /// Length of the (first) video or sound, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// The media of the post in the order its author gave them.
    #[serde(default)]
    pub items: Vec<Item>,
    /// The files that were loaded, in the order of `items`.
    #[serde(default)]
    pub files: Vec<MediaFile>,
    /// A preview picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// Whether the platform marks it as not fit for everybody.
    #[serde(default)]
    pub sensitive: bool,
    /// When we asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_timestamp: Option<DateTime<Utc>>,
    /// By which path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_method: Option<DownloadMethod>,
    /// Bytes of all `files` together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size_bytes: Option<u64>,
    /// The quality that was loaded, for example `1080p`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// Likes, shares and the like.
    #[serde(flatten)]
    pub counts: Counts,
    /// What only this platform has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<Extension>,
    /// Anything else worth keeping, never secrets.
    #[serde(default, flatten)]
    pub platform_data: Map<String, Value>,
}

impl MediaMetadata {
    /// Takes out where to load from: addresses carry signatures that open what is behind them, and expire.
    pub fn drop_addresses(&mut self) {
        for rendition in self.items.iter_mut().flat_map(|item| &mut item.renditions) {
            rendition.url = None;
            rendition.headers.clear();
            rendition.expires_at = None;
        }
        if self.thumbnail.as_ref().is_some_and(|link| link.contains('?')) {
            self.thumbnail = None;
        }
    }
}

/// Who posted something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The name in the link, without `@` or `u/`.
    pub handle: String,
    /// The name on display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Public counters. `None`: the path that answered does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Likes, favourites, upvotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like_count: Option<i64>,
    /// Shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retweet_count: Option<i64>,
    /// Views.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view_count: Option<i64>,
    /// Replies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_count: Option<i64>,
}

/// Which path delivered: in-process requests (`api`) or a command-line tool (`cli`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadMethod {
    /// In-process requests.
    Api,
    /// A command-line tool.
    Cli,
}

/// What a file or item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileType {
    /// Moving picture, with or without sound.
    Video,
    /// Still picture (or an animated picture file such as a GIF).
    Image,
    /// Sound.
    Audio,
    /// A short silent loop that the platform serves as a video.
    Gif,
    /// Anything else.
    Other,
}

/// One picture, video or sound of a post, with the ways to load it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// What it is.
    pub kind: FileType,
    /// The platform's id of it, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The author's description for people who can't see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
    /// In a list of posts: the title of the post it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// In a list of posts: the canonical link of the post it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// The ways to load it, best first.
    #[serde(default)]
    pub renditions: Vec<Rendition>,
}

impl Item {
    /// An item with nothing but its kind and renditions.
    pub fn new(kind: FileType, renditions: Vec<Rendition>) -> Self {
        Self { kind, id: None, alt_text: None, title: None, url: None, duration: None, renditions }
    }
}

/// What streams a rendition carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streams {
    /// All the item has: load it and it is whole.
    #[default]
    Whole,
    /// Picture only; the sound is a rendition of its own.
    VideoOnly,
    /// Sound only.
    AudioOnly,
}

/// One way to load an item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rendition {
    /// Where it is. Often signed: never logged or shown; left out of JSON meant for users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Url>,
    /// The tool's or platform's name of the format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format_id: Option<String>,
    /// Which streams it carries.
    #[serde(default)]
    pub streams: Streams,
    /// File extension of the container: `mp4`, `jpg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// RFC 6381 or the tool's short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_codec: Option<String>,
    /// RFC 6381 or the tool's short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_codec: Option<String>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Bits per second of all streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether `bytes` was told by the server rather than estimated from bitrate and duration.
    #[serde(default)]
    pub bytes_exact: bool,
    /// How it is loaded.
    #[serde(default, skip_serializing_if = "Protocol::is_file")]
    pub protocol: Protocol,
    /// The most bytes one request may ask for, where the host slows down larger ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk_bytes: Option<u64>,
    /// Until when the address works, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Headers the file's host wants, an anonymous visitor's cookie included. Never the operator's credentials.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// How a rendition is loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// One file at one address.
    #[default]
    File,
    /// An HLS playlist: a media playlist, or a master playlist of which the best variant is taken.
    Hls,
    /// A DASH manifest; `format_id` names the representation.
    Dash,
}

impl Protocol {
    /// Whether it is one file at one address.
    pub fn is_file(&self) -> bool {
        *self == Protocol::File
    }
}

impl Rendition {
    /// A rendition that is only an address.
    pub fn at(url: Url) -> Self {
        Self { url: Some(url), ..Self::default() }
    }

    /// The smaller side in pixels, which is what people mean by `720p`.
    pub fn short_side(&self) -> Option<u32> {
        match (self.width, self.height) {
            (Some(width), Some(height)) => Some(width.min(height)),
            (None, height) => height,
            (width, None) => width,
        }
    }
}

/// A file on disk, described from its content, not from its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaFile {
    /// The name the receiver sees.
    pub filename: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub file_type: FileType,
    /// Sniffed from its first bytes.
    pub mimetype: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in lower-case hex.
    pub checksum: String,
    /// Alt text of the item it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_text: Option<String>,
    /// Which of `MediaMetadata::items` it came from, counted from 0.
    #[serde(default)]
    pub item: usize,
}

/// What only one platform has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Extension {
    /// X / Twitter.
    Twitter {
        /// The id in the link.
        tweet_id: String,
        /// Its author's handle.
        user_screen_name: String,
        /// Whether it only repeats another tweet.
        is_retweet: bool,
        /// Whether it quotes another tweet.
        is_quote_tweet: bool,
        /// Place in the author's thread, counted from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread_position: Option<u32>,
    },
    /// Reddit.
    Reddit {
        /// Without `r/`.
        subreddit: String,
        /// Whether it shows another post's media.
        is_crosspost: bool,
        /// Whether its author hides it as a spoiler.
        spoiler: bool,
    },
    /// YouTube.
    Youtube {
        /// The id in the link.
        video_id: String,
        /// The channel's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel_name: Option<String>,
        /// The channel's id, `UC…`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel_id: Option<String>,
        /// `YYYYMMDD`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload_date: Option<String>,
        /// The platform's categories.
        #[serde(default)]
        categories: Vec<String>,
        /// The uploader's tags.
        #[serde(default)]
        tags: Vec<String>,
        /// Whether it is or was a live stream.
        #[serde(default)]
        is_livestream: bool,
        /// The tool's description of the chosen format.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format_info: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_round_trips_and_keeps_what_it_does_not_know() {
        let json = serde_json::json!({
            "platform": "twitter", "url": "https://x.com/a/status/1", "id": "1", "title": "t", "like_count": 3,
            "items": [{"kind": "image", "alt_text": "a cat", "renditions": [{"url": "https://pbs.twimg.com/x.jpg", "width": 4, "height": 3}]}],
            "extension": {"of": "twitter", "tweet_id": "1", "user_screen_name": "a", "is_retweet": false, "is_quote_tweet": true},
            "mood": "sunny"
        });
        let metadata: MediaMetadata = serde_json::from_value(json).unwrap();
        assert_eq!(metadata.counts.like_count, Some(3));
        assert_eq!(metadata.platform_data["mood"], "sunny");
        let again: MediaMetadata = serde_json::from_str(&serde_json::to_string(&metadata).unwrap()).unwrap();
        assert_eq!(again, metadata);
    }
}
