//! Makes what the tools tell about a post equal to what we read ourselves.

use serde_json::Value;

use super::parse::{author, counts};
use crate::{
    model::{FileType, MediaMetadata, Resource, ResourceKind, Tool},
    platforms::common::{json::text, text::non_empty},
};

/// See `Platform::refine`.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    if !matches!(resource.kind, ResourceKind::Video | ResourceKind::Post) {
        return;
    }
    // Posts have no titles; the tools cut one from the words.
    metadata.title = None;
    let Some(first) = raw.first() else { return };
    let (handle, name) = match tool {
        Tool::YtDlp => (text(first, "/uploader"), text(first, "/channel")),
        Tool::GalleryDl => (text(first, "/author/uniqueId"), text(first, "/author/nickname")),
    };
    if let Some(handle) = handle {
        metadata.author = Some(author(handle, name));
    }
    metadata.description = metadata.description.as_deref().and_then(non_empty);
    if tool == Tool::GalleryDl {
        metadata.counts = counts(first);
    }
    for (item, file) in metadata.items.iter_mut().zip(raw) {
        item.id = match item.kind {
            FileType::Video => Some(resource.id.clone()),
            FileType::Audio => text(file, "/music/id").map(str::to_owned),
            _ => None,
        };
        item.duration = item.duration.filter(|seconds| *seconds > 0.0);
        if item.kind == FileType::Image {
            item.duration = None;
        }
    }
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}
