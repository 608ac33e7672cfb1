//! Reading a post: <https://docs.joinmastodon.org/entities/Status/>.

use serde_json::Value;

use super::ID;
use crate::{
    model::{Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Rendition, Resource, Result},
    platforms::common::{
        json::{float, int, is, link, list, positive, text, time},
        text::{extension, non_empty, of_html},
    },
};

/// Reads the answer about a post. One that repeats another shows the other's media, one that quotes and has none of its
/// own those that it quotes.
///
/// # Errors
/// `no_media`, or `platform_changed` for what is no post.
pub fn post(status: &Value, resource: &Resource) -> Result<MediaMetadata> {
    if status.get("media_attachments").is_none() {
        return Err(Error::platform_changed("no /media_attachments"));
    }
    let mut metadata = about(status, resource)?;
    let shown = [Some(status), status.get("reblog"), status.pointer("/quote/quoted_status")];
    let mut media = shown.into_iter().flatten().map(|status| list(status, "/media_attachments"));
    let Some(media) = media.find(|media| !media.is_empty()) else {
        return Err(Error::new(Kind::NoMedia, "the post has no media"));
    };
    metadata.items = media.iter().filter_map(item).collect();
    if metadata.items.is_empty() {
        return Err(Error::platform_changed("media without addresses"));
    }
    metadata.thumbnail = media.first().and_then(|first| link(first, "/preview_url")).map(String::from);
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
    Ok(metadata)
}

/// What is told about a post besides its media.
fn about(status: &Value, resource: &Resource) -> Result<MediaMetadata> {
    let handle = text(status, "/account/acct").ok_or_else(|| Error::platform_changed("a post without author"))?;
    let mut metadata = MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.rsplit('/').next().unwrap_or_default().to_owned(),
        description: text(status, "/content").map(of_html).and_then(non_empty),
        author: Some(Author {
            handle: handle.to_owned(),
            name: text(status, "/account/display_name").and_then(non_empty),
            url: resource.canonical.join(&format!("/@{handle}")).ok().map(String::from),
        }),
        created_at: time(status, "/created_at"),
        sensitive: is(status, "/sensitive") || is(status, "/reblog/sensitive"),
        counts: Counts {
            like_count: int(status, "/favourites_count"),
            retweet_count: int(status, "/reblogs_count"),
            comment_count: int(status, "/replies_count"),
            ..Counts::default()
        },
        ..MediaMetadata::default()
    };
    if let Some(warning) = text(status, "/spoiler_text").and_then(non_empty) {
        metadata.platform_data.insert("spoiler_text".into(), warning.into());
    }
    Ok(metadata)
}

/// <https://docs.joinmastodon.org/entities/MediaAttachment/>. The server's own copy, then the file where it comes from.
fn item(media: &Value) -> Option<Item> {
    let copies = [link(media, "/url"), link(media, "/remote_url")].into_iter().flatten();
    let rendition = |url: url::Url| Rendition {
        container: extension(&url),
        width: positive(media, "/meta/original/width"),
        height: positive(media, "/meta/original/height"),
        bitrate: positive(media, "/meta/original/bitrate"),
        ..Rendition::at(url)
    };
    let renditions: Vec<_> = copies.map(rendition).collect();
    let guessed = renditions.first()?.container.clone().unwrap_or_default();
    Some(Item { renditions, ..described(media, &guessed) })
}

/// What is told about a file besides its addresses; its extension says what it is where the server does not.
fn described(media: &Value, extension: &str) -> Item {
    let kind = kind(text(media, "/type"), extension);
    Item {
        id: text(media, "/id").map(str::to_owned),
        alt_text: text(media, "/description").and_then(non_empty),
        duration: float(media, "/meta/original/duration").filter(|seconds| *seconds > 0.0 && kind != FileType::Image),
        ..Item::new(kind, Vec::new())
    }
}

/// Media of types that the server cannot show are `unknown`: then the file's name tells.
fn kind(told: Option<&str>, extension: &str) -> FileType {
    match (told, extension) {
        (Some("image"), _) => FileType::Image,
        (Some("gifv"), _) => FileType::Gif,
        (Some("video"), _) => FileType::Video,
        (Some("audio"), _) => FileType::Audio,
        (_, "jpg" | "jpeg" | "png" | "gif" | "webp" | "avif" | "heic") => FileType::Image,
        (_, "mp4" | "webm" | "mov" | "m4v") => FileType::Video,
        (_, "mp3" | "ogg" | "oga" | "wav" | "flac" | "opus" | "m4a" | "aac") => FileType::Audio,
        _ => FileType::Other,
    }
}

/// Makes what gallery-dl tells equal to what we read ourselves: it hands on the server's own answer, with each file its
/// attachment in `media`.
pub fn refine(resource: &Resource, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    let Ok(told) = about(first, resource) else { return };
    let kept = std::mem::replace(metadata, told);
    metadata.download_method = kept.download_method;
    metadata.download_timestamp = kept.download_timestamp;
    metadata.quality = kept.quality;
    metadata.items = kept.items;
    metadata.thumbnail = link(first, "/media/preview_url").map(String::from);
    for (item, file) in metadata.items.iter_mut().zip(raw) {
        let media = file.get("media").unwrap_or(&Value::Null);
        let told = described(media, text(file, "/extension").unwrap_or_default());
        *item = Item { renditions: std::mem::take(&mut item.renditions), ..told };
    }
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}
