//! Makes what the tools tell about a post equal to what we read ourselves.

use chrono::DateTime;
use serde_json::Value;

use super::{ID, parse};
use crate::{
    model::{Counts, Extension, MediaMetadata, Resource, Tool},
    platforms::common::{
        json::{float, int, link, text},
        text::{non_empty, unescape},
    },
};

/// See `Platform::refine`.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    match tool {
        Tool::YtDlp => yt_dlp(resource, first, metadata),
        Tool::GalleryDl => gallery_dl(resource, first, metadata),
    }
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}

fn yt_dlp(resource: &Resource, info: &Value, metadata: &mut MediaMetadata) {
    metadata.platform = ID.0.to_owned();
    metadata.url = resource.canonical.to_string();
    metadata.id.clone_from(&resource.id);
    // Its own title is cut to 72 letters. It asks without `raw_json`, so texts are escaped.
    let title = text(info, "/alt_title").or_else(|| text(info, "/title"));
    metadata.title = title.map(unescape).and_then(non_empty);
    metadata.description = text(info, "/description").map(unescape).and_then(non_empty);
    metadata.author = text(info, "/uploader").filter(|name| *name != "[deleted]").map(parse::author_named);
    metadata.created_at = float(info, "/timestamp").and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0));
    metadata.thumbnail = link(info, "/thumbnail").map(String::from);
    metadata.sensitive = int(info, "/age_limit").is_some_and(|age| age >= 18);
    metadata.counts = Counts {
        like_count: int(info, "/like_count"),
        comment_count: int(info, "/comment_count"),
        ..Counts::default()
    };
    // Whether it repeats another post, or is a spoiler, yt-dlp does not say.
    metadata.extension = text(info, "/channel_id").map(|subreddit| Extension::Reddit {
        subreddit: subreddit.to_owned(),
        is_crosspost: false,
        spoiler: false,
    });
    let entries = match info.get("entries").and_then(Value::as_array) {
        Some(entries) => entries.iter().collect(),
        None => vec![info],
    };
    for (item, entry) in metadata.items.iter_mut().zip(entries) {
        item.id = text(entry, "/id").map(str::to_owned);
        item.duration = float(entry, "/duration").filter(|seconds| *seconds > 0.0);
    }
}

/// gallery-dl hands on the post's own JSON, so we read it as we read Reddit's.
fn gallery_dl(resource: &Resource, post: &Value, metadata: &mut MediaMetadata) {
    let told = parse::about(post, resource);
    let items = std::mem::take(&mut metadata.items);
    let keep = (metadata.download_method, metadata.download_timestamp, metadata.quality.take());
    let files = std::mem::take(&mut metadata.files);
    *metadata = MediaMetadata { items, files, ..told };
    (metadata.download_method, metadata.download_timestamp, metadata.quality) = keep;
    let Ok((ours, _)) = parse::media(post) else { return };
    // It leaves out what we leave out; if it did not, places would not match.
    if ours.len() == metadata.items.len() {
        for (item, ours) in metadata.items.iter_mut().zip(ours) {
            item.kind = ours.kind;
            item.id = ours.id;
            item.alt_text = ours.alt_text;
            item.duration = ours.duration;
        }
    }
}
