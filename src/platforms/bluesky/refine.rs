//! Makes what the tools tell about a post equal to what we read ourselves.

use chrono::DateTime;
use serde_json::Value;

use super::parse::{author, cid_of_blob, is_sensitive, key, thumbnail};
use crate::{
    model::{FileType, MediaMetadata, Resource, Tool},
    platforms::common::{
        json::{int, list, text, time},
        text::non_empty,
    },
};

/// See `Platform::refine`.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    metadata.id = key(resource);
    // Posts have no titles; the tools make some up for file names.
    metadata.title = None;
    for item in &mut metadata.items {
        item.id = item.renditions.iter().filter_map(|rendition| rendition.url.as_ref()).find_map(cid_of_blob);
    }
    let did = match tool {
        Tool::YtDlp => {
            if let Some(handle) = text(first, "/uploader_id") {
                metadata.author = Some(author(handle, text(first, "/uploader")));
            }
            metadata.created_at = int(first, "/timestamp").and_then(|at| DateTime::from_timestamp(at, 0));
            metadata.description = text(first, "/description").and_then(non_empty);
            for (item, info) in metadata.items.iter_mut().zip(raw) {
                item.alt_text = text(info, "/alt_title").and_then(non_empty);
            }
            text(first, "/channel_id")
        }
        Tool::GalleryDl => {
            if let Some(handle) = text(first, "/author/handle") {
                metadata.author = Some(author(handle, text(first, "/author/displayName")));
            }
            metadata.description = text(first, "/text").and_then(non_empty);
            metadata.created_at = time(first, "/createdAt").or(metadata.created_at);
            metadata.sensitive = is_sensitive(list(first, "/labels")) || is_sensitive(list(first, "/labels/values"));
            for (item, file) in metadata.items.iter_mut().zip(raw) {
                item.alt_text = text(file, "/description").and_then(non_empty);
                if item.kind == FileType::Other && text(file, "/extension") == Some("quicktime") {
                    item.kind = FileType::Video;
                }
            }
            text(first, "/author/did")
        }
    };
    let preview = metadata.items.first().and_then(|item| thumbnail(item.kind, did?, item.id.as_deref()?));
    metadata.thumbnail = preview.or(metadata.thumbnail.take());
}
