//! Makes what yt-dlp tells equal to what we read ourselves.

use serde_json::Value;

use super::parse::author;
use crate::{
    model::{Counts, Extension, MediaMetadata, Resource, ResourceKind},
    platforms::common::{
        json::{is, list, text},
        link::canonical,
        text::non_empty,
    },
};

/// See `Platform::refine`.
pub fn refine(resource: &Resource, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(info) = raw.first() else { return };
    if matches!(resource.kind, ResourceKind::Playlist | ResourceKind::Profile) {
        of_list(resource, info, raw, metadata);
        return;
    }
    let Some(video_id) = text(info, "/id") else { return };
    let owned = |pointer: &str| text(info, pointer).map(str::to_owned);
    let words = |pointer: &str| {
        list(info, pointer).iter().filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    metadata.extension = Some(Extension::Youtube {
        video_id: video_id.to_owned(),
        channel_name: owned("/channel").or_else(|| owned("/uploader")),
        channel_id: owned("/channel_id"),
        upload_date: owned("/upload_date"),
        categories: words("/categories"),
        tags: words("/tags"),
        is_livestream: is(info, "/was_live")
            || is(info, "/is_live")
            || matches!(text(info, "/live_status"), Some("is_live" | "was_live" | "post_live")),
        format_info: owned("/format"),
    });
}

/// Of a list yt-dlp tells its first video; what it tells of the list itself stands beside that.
fn of_list(resource: &Resource, info: &Value, raw: &[Value], metadata: &mut MediaMetadata) {
    let owned = |pointer: &str| text(info, pointer).map(str::to_owned);
    metadata.title = match resource.kind {
        // The title ends with the name of the tab.
        ResourceKind::Profile => owned("/playlist_channel").or_else(|| owned("/playlist_title")),
        _ => owned("/playlist_title"),
    };
    metadata.description = text(info, "/playlist_description").and_then(non_empty);
    metadata.author = author(
        text(info, "/playlist_uploader_id").map(|handle| handle.trim_start_matches('@').to_owned()),
        owned("/playlist_channel").or_else(|| owned("/playlist_uploader")),
        text(info, "/playlist_channel_id"),
    );
    metadata.created_at = None;
    metadata.thumbnail = None;
    metadata.sensitive = false;
    metadata.counts = Counts::default();
    for (item, entry) in metadata.items.iter_mut().zip(raw) {
        item.title = text(entry, "/title").map(str::to_owned);
        item.url =
            text(entry, "/id").and_then(|id| canonical("https://www.youtube.com/watch?v=", id)).map(String::from);
    }
}
