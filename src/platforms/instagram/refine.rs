//! Makes what the tools tell about a post equal to what we read ourselves.

use serde_json::Value;

use super::parse::author;
use crate::{
    model::{MediaMetadata, Resource, ResourceKind, Tool},
    platforms::common::{
        json::{int, text},
        meta,
        text::non_empty,
    },
};

/// See `Platform::refine`.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    // Highlights have titles, and nothing else has; yt-dlp makes some up for file names ("Video by nasa").
    metadata.title = match tool {
        _ if resource.kind != ResourceKind::Story || !resource.id.starts_with("highlights/") => None,
        Tool::GalleryDl => text(first, "/highlight_title").and_then(non_empty),
        Tool::YtDlp => {
            text(first, "/playlist_title").filter(|title| !title.starts_with("Story by ")).and_then(non_empty)
        }
    };
    let (handle, name) = match tool {
        Tool::YtDlp => (text(first, "/channel").or_else(|| text(first, "/uploader_id")), text(first, "/uploader")),
        Tool::GalleryDl => (text(first, "/username"), text(first, "/fullname")),
    };
    if let Some(handle) = handle {
        metadata.author = Some(author(handle, name));
    }
    metadata.description = metadata.description.as_deref().and_then(non_empty);
    if tool == Tool::GalleryDl {
        metadata.counts.like_count = int(first, "/likes");
    }
    for (item, entry) in metadata.items.iter_mut().zip(raw) {
        // yt-dlp tells the code of a picture or video, gallery-dl (and Instagram) its number.
        item.id = match tool {
            Tool::YtDlp => text(entry, "/id").and_then(meta::number_of).map(|number| number.to_string()),
            Tool::GalleryDl => text(entry, "/media_id").map(str::to_owned),
        };
    }
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}
