//! Makes what the tools tell about a post equal to what we read ourselves.

use chrono::DateTime;
use serde_json::Value;

use super::{ID, parse};
use crate::{
    model::{Counts, Extension, FileType, Item, MediaMetadata, Resource, Tool},
    platforms::common::{
        json::{float, int, is, text},
        text::{extension, non_empty, unescape},
    },
};

/// See `Platform::refine`.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    match tool {
        Tool::YtDlp => yt_dlp(resource, first, raw, metadata),
        Tool::GalleryDl => gallery_dl(resource, first, metadata),
    }
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}

fn yt_dlp(resource: &Resource, info: &Value, all: &[Value], metadata: &mut MediaMetadata) {
    metadata.platform = ID.0.to_owned();
    metadata.url = resource.canonical.to_string();
    metadata.id.clone_from(&resource.id);
    // Its own title is cut to 72 letters. It asks without `raw_json`, so texts are escaped.
    let title = text(info, "/alt_title").or_else(|| text(info, "/title"));
    metadata.title = title.map(unescape).and_then(non_empty);
    metadata.description = text(info, "/description").map(unescape).and_then(non_empty);
    metadata.author = text(info, "/uploader").filter(|name| *name != "[deleted]").map(parse::author_named);
    metadata.created_at = float(info, "/timestamp").and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0));
    // What it offers are signed addresses.
    metadata.thumbnail = None;
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
    for (item, entry) in metadata.items.iter_mut().zip(all) {
        item.id = text(entry, "/id").map(str::to_owned);
        item.duration = float(entry, "/duration").filter(|seconds| *seconds > 0.0);
    }
}

/// gallery-dl hands on the post's own JSON (without addresses, which are in the items already), so it is read as
/// Reddit's own answer.
fn gallery_dl(resource: &Resource, post: &Value, metadata: &mut MediaMetadata) {
    let told = parse::about(post, resource);
    metadata.platform = told.platform;
    metadata.url = told.url;
    metadata.id = told.id;
    metadata.title = told.title;
    metadata.description = told.description;
    metadata.author = told.author;
    metadata.created_at = told.created_at;
    metadata.sensitive = told.sensitive;
    metadata.counts = told.counts;
    metadata.extension = told.extension;

    let shown = parse::shown(post);
    let gallery = parse::gallery_order(shown);
    if gallery.len() == metadata.items.len() {
        for (item, (id, caption, moves)) in metadata.items.iter_mut().zip(gallery) {
            item.kind = if moves { FileType::Gif } else { FileType::Image };
            item.id = Some(id.to_owned());
            item.alt_text = caption.and_then(non_empty);
        }
    } else if let [item] = metadata.items.as_mut_slice() {
        only(item, parse::reddit_video(shown));
    }
    metadata.thumbnail = metadata.items.first().and_then(parse::thumbnail);
}

/// A post of one item: its address tells the rest.
fn only(item: &mut Item, video: Option<&Value>) {
    let Some(url) = item.renditions.first().and_then(|rendition| rendition.url.as_ref()) else { return };
    let mut parts = url.path_segments().into_iter().flatten();
    match video {
        Some(video) => {
            item.kind = if is(video, "/is_gif") { FileType::Gif } else { FileType::Video };
            item.id = parts.next().map(str::to_owned);
            item.duration = float(video, "/duration").filter(|seconds| *seconds > 0.0);
        }
        None => {
            item.kind = if extension(url).as_deref() == Some("gif") { FileType::Gif } else { FileType::Image };
            item.id = parts.next_back().and_then(|name| name.rsplit_once('.')).map(|(stem, _)| stem.to_owned());
        }
    }
}
