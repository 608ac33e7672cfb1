//! Makes what the tools tell about a post equal to what we read ourselves.

use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use super::{
    ID, media,
    parse::{author, posted_at, without_trailing_short_links},
};
use crate::{
    model::{Counts, Extension, FileType, MediaMetadata, Resource, Tool},
    platforms::common::{
        json::{float, int, is, text},
        text::unescape,
    },
};

/// See `Platform::refine`.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    metadata.platform = ID.0.to_owned();
    metadata.id.clone_from(&resource.id);
    metadata.url = resource.canonical.to_string();
    // Posts have no titles; the tools make some up for file names.
    metadata.title = None;
    match tool {
        Tool::YtDlp => yt_dlp(resource, raw, metadata),
        Tool::GalleryDl => gallery_dl(resource, raw, metadata),
    }
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}

fn yt_dlp(resource: &Resource, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(info) = raw.first() else { return };
    if let Some(handle) = text(info, "/uploader_id") {
        metadata.author = Some(author(handle, text(info, "/uploader")));
    }
    metadata.description = text(info, "/description").and_then(|words| without_trailing_short_links(&unescape(words)));
    metadata.created_at = posted_at(&resource.id, stamp(info, "/timestamp"));
    metadata.sensitive = int(info, "/age_limit").is_some_and(|age| age >= 18);
    metadata.counts = Counts {
        like_count: int(info, "/like_count"),
        retweet_count: int(info, "/repost_count"),
        view_count: int(info, "/view_count"),
        comment_count: int(info, "/comment_count"),
    };
    metadata.thumbnail = metadata.thumbnail.as_deref().and_then(media::unsized_link);
    for (item, entry) in metadata.items.iter_mut().zip(raw) {
        item.id = text(entry, "/id").map(str::to_owned);
        item.duration = float(entry, "/duration");
        // A silent loop has its own folder on the video host.
        let addresses = item.renditions.iter().filter_map(|rendition| rendition.url.as_ref());
        let is_loop = addresses.map(Url::path).any(|path| path.starts_with("/tweet_video/"));
        item.kind = if is_loop { FileType::Gif } else { FileType::Video };
    }
    metadata.extension = extension(resource, metadata, false, None);
}

fn gallery_dl(resource: &Resource, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    if let Some(handle) = text(first, "/author/name") {
        metadata.author = Some(author(handle, text(first, "/author/nick")));
    }
    metadata.description = text(first, "/content").and_then(without_trailing_short_links);
    metadata.created_at = posted_at(&resource.id, stamp(first, "/date"));
    metadata.sensitive = is(first, "/sensitive");
    metadata.counts = Counts {
        like_count: int(first, "/favorite_count"),
        retweet_count: int(first, "/retweet_count"),
        // It says 0 when it was told nothing; a post that was found has been seen.
        view_count: int(first, "/view_count").filter(|count| *count > 0),
        comment_count: int(first, "/reply_count"),
    };
    for (item, file) in metadata.items.iter_mut().zip(raw) {
        item.kind = match text(file, "/type") {
            Some("photo") => FileType::Image,
            Some("video") => FileType::Video,
            Some("animated_gif") => FileType::Gif,
            _ => item.kind,
        };
        item.alt_text = text(file, "/description").map(str::to_owned);
        item.duration = float(file, "/duration").filter(|seconds| *seconds > 0.0);
    }
    let first_picture = metadata.items.first().filter(|item| item.kind == FileType::Image);
    let address = first_picture.and_then(|item| item.renditions.first()?.url.as_ref());
    metadata.thumbnail = address.and_then(|url| media::unsized_link(url.as_str()));
    let is_quote = int(first, "/quoted_id").is_some_and(|id| id != 0);
    let is_reply = int(first, "/reply_id").is_some_and(|id| id != 0);
    metadata.extension = extension(resource, metadata, is_quote, (!is_reply).then_some(1));
}

fn extension(
    resource: &Resource,
    metadata: &MediaMetadata,
    is_quote_tweet: bool,
    thread_position: Option<u32>,
) -> Option<Extension> {
    let author = metadata.author.as_ref()?;
    Some(Extension::Twitter {
        tweet_id: resource.id.clone(),
        user_screen_name: author.handle.clone(),
        is_retweet: false,
        is_quote_tweet,
        thread_position,
    })
}

/// A time as seconds since 1970, or as gallery-dl writes it (`2024-03-04 05:06:07`, UTC).
fn stamp(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    if let Some(seconds) = float(value, pointer) {
        return DateTime::from_timestamp(seconds as i64, 0);
    }
    let told = chrono::NaiveDateTime::parse_from_str(text(value, pointer)?, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(told.and_utc())
}
