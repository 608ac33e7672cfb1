//! The generic reading of the tools' own JSON. What only one platform means by a field is for `Platform::refine`.

use std::path::Path;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Map, Value};
use url::Url;

use super::gallery_config::{PATH_KEY, URL_KEY};
use crate::model::{
    Author, Counts, DownloadMethod, FileType, Item, MediaMetadata, Rendition, Resource, ResourceKind, Streams, Tool,
};

/// Reads what a tool told: yt-dlp's info dicts or gallery-dl's keyword dicts, one an item.
pub(super) fn metadata(tool: Tool, resource: &Resource, infos: &[Value]) -> MediaMetadata {
    let mut metadata = match tool {
        Tool::YtDlp => from_yt_dlp(infos),
        Tool::GalleryDl => from_gallery_dl(infos),
    };
    metadata.platform = resource.platform.to_string();
    metadata.url = resource.canonical.to_string();
    // The tool's id is often that of the first video, not that of the post.
    if !matches!(resource.kind, ResourceKind::Unknown | ResourceKind::File) || metadata.id.is_empty() {
        metadata.id.clone_from(&resource.id);
    }
    metadata.download_method = Some(DownloadMethod::Cli);
    metadata.download_timestamp = Some(Utc::now());
    metadata
}

fn from_yt_dlp(infos: &[Value]) -> MediaMetadata {
    let Some(first) = infos.first() else { return MediaMetadata::default() };
    let several = infos.len() > 1;
    let handle = text(first, &["uploader_id", "channel_id", "uploader", "channel"]);
    let author = handle.map(|handle| Author {
        handle: handle.trim_start_matches('@').to_owned(),
        name: text(first, &["uploader", "channel"]),
        url: text(first, &["uploader_url", "channel_url"]),
    });
    let created_at = integer(first, &["timestamp", "release_timestamp"])
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .or_else(|| text(first, &["upload_date", "release_date"]).as_deref().and_then(day));
    let mut platform_data = Map::new();
    if let Some(extractor) = text(first, &["extractor_key", "extractor"]) {
        platform_data.insert("extractor".to_owned(), extractor.into());
    }
    MediaMetadata {
        id: text(first, if several { &["playlist_id", "display_id", "id"] } else { &["id"] }).unwrap_or_default(),
        title: text(first, if several { &["playlist_title", "title"] } else { &["title"] }),
        description: text(first, if several { &["playlist_description", "description"] } else { &["description"] }),
        author,
        created_at,
        duration: number(first, &["duration"]),
        items: infos.iter().map(item_of_info).collect(),
        thumbnail: text(first, &["thumbnail"]),
        sensitive: number(first, &["age_limit"]).is_some_and(|age| age >= 18.0),
        quality: quality(first),
        counts: Counts {
            like_count: integer(first, &["like_count"]),
            retweet_count: integer(first, &["repost_count"]),
            view_count: integer(first, &["view_count"]),
            comment_count: integer(first, &["comment_count"]),
        },
        platform_data,
        ..MediaMetadata::default()
    }
}

/// The short side of what was (or would be) taken, as people name it.
fn quality(info: &Value) -> Option<String> {
    let formats = info["requested_formats"].as_array().map_or_else(|| std::slice::from_ref(info), Vec::as_slice);
    let lines = formats.iter().filter_map(|format| rendition_of_format(format)?.short_side()).max()?;
    Some(format!("{lines}p"))
}

fn item_of_info(info: &Value) -> Item {
    let formats = info["formats"].as_array().map_or_else(|| std::slice::from_ref(info), Vec::as_slice);
    // yt-dlp lists the best last.
    let renditions: Vec<Rendition> = formats.iter().rev().filter_map(rendition_of_format).collect();
    let sound = !renditions.is_empty() && renditions.iter().all(|rendition| rendition.streams == Streams::AudioOnly);
    let kind = match text(info, &["ext"]).as_deref() {
        _ if sound => FileType::Audio,
        Some(extension) => match kind_of(extension) {
            FileType::Other => FileType::Video,
            kind => kind,
        },
        None => FileType::Video,
    };
    Item { id: text(info, &["id"]), duration: number(info, &["duration"]), ..Item::new(kind, renditions) }
}

fn rendition_of_format(format: &Value) -> Option<Rendition> {
    let codec = |key: &str| format[key].as_str();
    let streams = match (codec("vcodec"), codec("acodec")) {
        // Storyboards and subtitles.
        (Some("none"), Some("none")) => return None,
        (Some("none"), _) => Streams::AudioOnly,
        (_, Some("none")) => Streams::VideoOnly,
        _ => Streams::Whole,
    };
    let known = |key: &str| codec(key).filter(|name| *name != "none").map(str::to_owned);
    let exact = number(format, &["filesize"]);
    let kilobits = number(format, &["tbr"]).or_else(|| {
        let (picture, sound) = (number(format, &["vbr"]), number(format, &["abr"]));
        picture.or(sound).map(|_| picture.unwrap_or(0.0) + sound.unwrap_or(0.0))
    });
    Some(Rendition {
        url: text(format, &["url"]).and_then(|url| Url::parse(&url).ok()),
        format_id: text(format, &["format_id"]),
        streams,
        container: text(format, &["ext"]),
        video_codec: known("vcodec"),
        audio_codec: known("acodec"),
        width: pixels(format, "width"),
        height: pixels(format, "height"),
        fps: number(format, &["fps"]),
        bitrate: kilobits.map(|kilobits| (kilobits * 1000.0) as u64).filter(|bits| *bits > 0),
        bytes: exact.or_else(|| number(format, &["filesize_approx"])).map(|bytes| bytes as u64),
        bytes_exact: exact.is_some(),
        ..Rendition::default()
    })
}

fn from_gallery_dl(infos: &[Value]) -> MediaMetadata {
    let Some(first) = infos.first() else { return MediaMetadata::default() };
    // Where a post has words of its own, `description` is that of the picture.
    let words = text(first, &["content", "caption", "text", "selftext"]);
    let description_is_alt = first.get("content").is_some();
    let author = ["author", "user", "uploader", "owner", "username"].iter().find_map(|key| match &first[*key] {
        Value::String(handle) if !handle.is_empty() => Some(Author {
            handle: handle.trim_start_matches('@').to_owned(),
            name: text(first, &["fullname", "nick", "displayname"]),
            url: None,
        }),
        Value::Object(_) => author_of(&first[*key]),
        _ => None,
    });
    let mut platform_data = Map::new();
    if let Some(category) = text(first, &["category"]) {
        platform_data.insert("extractor".to_owned(), category.into());
    }
    MediaMetadata {
        id: text(first, &["tweet_id", "post_id", "shortcode", "id"]).unwrap_or_default(),
        title: text(first, &["title"]),
        description: words.or_else(|| if description_is_alt { None } else { text(first, &["description", "desc"]) }),
        author,
        created_at: ["date", "post_date", "created_utc", "created_at", "timestamp"]
            .iter()
            .find_map(|key| moment(&first[*key])),
        duration: number(first, &["duration"]),
        items: infos.iter().map(|info| item_of_keywords(info, description_is_alt)).collect(),
        thumbnail: text(first, &["thumbnail", "thumbnail_url"]),
        sensitive: ["sensitive", "possibly_sensitive", "nsfw", "over_18", "mature"]
            .iter()
            .any(|key| first[*key] == Value::Bool(true)),
        counts: Counts {
            like_count: integer(first, &["favorite_count", "likes", "like_count", "likeCount", "score"]),
            retweet_count: integer(first, &["retweet_count", "repost_count", "repostCount", "reblogs_count"]),
            view_count: integer(first, &["view_count", "views"]),
            comment_count: integer(first, &["reply_count", "replyCount", "num_comments", "comment_count", "comments"]),
        },
        platform_data,
        ..MediaMetadata::default()
    }
}

fn author_of(person: &Value) -> Option<Author> {
    let handle = text(person, &["name", "username", "handle", "screen_name", "uniqueId", "acct"])?;
    Some(Author {
        handle,
        name: text(person, &["nick", "fullname", "full_name", "displayName", "display_name", "nickname"]),
        url: None,
    })
}

fn item_of_keywords(info: &Value, description_is_alt: bool) -> Item {
    // The name of what was written follows the content; before that there is only what the site says.
    let written =
        text(info, &[PATH_KEY]).and_then(|path| Some(Path::new(&path).extension()?.to_string_lossy().into_owned()));
    // The second file of a name is numbered in its extension: `1.jpg`.
    let told = || text(info, &["extension"]).map(|text| text.rsplit('.').next().unwrap_or_default().to_owned());
    let extension = written.or_else(told);
    let kind = match (text(info, &["type"]).as_deref(), extension.as_deref().map_or(FileType::Other, kind_of)) {
        (Some("animated_gif"), _) => FileType::Gif,
        (Some("image" | "photo"), FileType::Other) => FileType::Image,
        (Some("video"), FileType::Other) => FileType::Video,
        (Some("audio"), FileType::Other) => FileType::Audio,
        (_, kind) => kind,
    };
    let alt_text = text(info, &["alt_text", "alt", "accessibility_caption"])
        .or_else(|| if description_is_alt { text(info, &["description"]) } else { None });
    let url = text(info, &[URL_KEY]).and_then(|url| Url::parse(url.strip_prefix("ytdl:").unwrap_or(&url)).ok());
    let exact = number(info, &["filesize", "file_size", "size"]).filter(|bytes| *bytes > 0.0);
    Item {
        id: text(info, &["media_id", "sidecar_media_id", "file_id"]),
        alt_text,
        duration: number(info, &["duration"]),
        ..Item::new(
            kind,
            vec![Rendition {
                url,
                container: extension,
                width: pixels(info, "width"),
                height: pixels(info, "height"),
                bitrate: integer(info, &["bitrate"]).and_then(|bits| u64::try_from(bits).ok()).filter(|bits| *bits > 0),
                bytes: exact.map(|bytes| bytes as u64),
                bytes_exact: exact.is_some(),
                ..Rendition::default()
            }],
        )
    }
}

fn kind_of(extension: &str) -> FileType {
    match extension.to_ascii_lowercase().as_str() {
        "mp4" | "m4v" | "mov" | "webm" | "mkv" | "avi" | "flv" | "ts" | "3gp" | "mpg" | "mpeg" | "ogv" => {
            FileType::Video
        }
        "jpg" | "jpeg" | "png" | "gif" | "webp" | "avif" | "heic" | "bmp" | "tiff" | "jxl" => FileType::Image,
        "mp3" | "m4a" | "aac" | "ogg" | "oga" | "opus" | "flac" | "wav" => FileType::Audio,
        _ => FileType::Other,
    }
}

/// The first of the keys that holds words; numbers count (ids often are).
fn text(value: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| match &value[*key] {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

fn number(value: &Value, keys: &[&str]) -> Option<f64> {
    keys.iter().find_map(|key| value[*key].as_f64()).filter(|number| number.is_finite() && *number >= 0.0)
}

fn integer(value: &Value, keys: &[&str]) -> Option<i64> {
    keys.iter().find_map(|key| value[*key].as_i64().or_else(|| value[*key].as_f64().map(|number| number as i64)))
}

fn pixels(value: &Value, key: &str) -> Option<u32> {
    number(value, &[key]).map(|number| number as u32).filter(|pixels| *pixels > 0)
}

fn day(text: &str) -> Option<DateTime<Utc>> {
    Some(NaiveDate::parse_from_str(text, "%Y%m%d").ok()?.and_hms_opt(0, 0, 0)?.and_utc())
}

/// gallery-dl's dates: `2026-11-21 08:00:00` in UTC, RFC 3339, or seconds since 1970.
fn moment(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::String(text) => NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
            .map(|moment| moment.and_utc())
            .or_else(|_| DateTime::parse_from_rfc3339(text).map(|moment| moment.to_utc()))
            .ok(),
        Value::Number(seconds) => DateTime::from_timestamp(seconds.as_f64()? as i64, 0),
        _ => None,
    }
}

/// Keys that never leave this room: sessions, headers, our own paths, and what only repeats the rest.
const SECRET: &[&str] = &[
    "cookies",
    "http_headers",
    "_http_headers",
    "headers",
    "fragments",
    "fragment_base_url",
    "manifest_url",
    "url",
    "urls",
    "hls_url",
    "dash_url",
    "requested_downloads",
    "filename",
    "_filename",
    "filepath",
    "formats_table",
    "thumbnails_table",
    "subtitles_table",
    "automatic_captions_table",
    "automatic_captions",
    "subtitles",
    "requested_subtitles",
    "heatmap",
    PATH_KEY,
    URL_KEY,
];

/// Links that are pages, not media: kept with their query.
const PAGES: &[&str] = &["webpage_url", "original_url", "uploader_url", "channel_url", "post_url", "permalink"];

/// Takes out of a tool's JSON what must not travel further: cookies, headers, and links that may be signed.
pub(super) fn scrub(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| {
                !SECRET.contains(&key.as_str())
                    && !key.starts_with("__")
                    && (PAGES.contains(&key.as_str()) || !is_signed(value))
            });
            map.values_mut().for_each(scrub);
        }
        Value::Array(values) => {
            values.retain(|value| !is_signed(value));
            values.iter_mut().for_each(scrub);
        }
        _ => {}
    }
}

/// Whether it is a link with a query, where signatures live.
fn is_signed(value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    let link = text.strip_prefix("ytdl:").unwrap_or(text);
    (link.starts_with("http://") || link.starts_with("https://")) && !link.contains(' ') && link.contains('?')
}

#[cfg(test)]
mod tests;
