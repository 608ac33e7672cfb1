//! What Reddit's answers mean. Pure: JSON in; metadata, or the verdict, out.

use chrono::DateTime;
use serde_json::Value;
use url::Url;

use super::ID;
use crate::{
    model::{
        Author, Counts, Error, Extension, FileType, Item, Kind, MediaMetadata, Rendition, Resource, Result, Streams,
    },
    platforms::common::{
        json::{float, int, is, link, list, positive, text, web_link},
        text::{extension, non_empty},
    },
};

/// Extensions of pictures.
const PICTURES: &[&str] = &["jpg", "jpeg", "png", "gif", "webp", "avif"];

/// Sites that posts often link to and whose media the tools know.
const KNOWN_ELSEWHERE: &[&str] = &[
    "youtube.com",
    "youtu.be",
    "x.com",
    "twitter.com",
    "instagram.com",
    "streamable.com",
    "imgur.com",
    "redgifs.com",
    "vimeo.com",
    "dailymotion.com",
    "twitch.tv",
    "tiktok.com",
    "bsky.app",
];

/// A post as its JSON tells it; the streams of its videos stand in manifests of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct Post {
    /// All but the renditions of `videos`.
    pub metadata: MediaMetadata,
    /// Items whose manifest is still to be read.
    pub videos: Vec<Streamed>,
}

/// A video whose streams stand in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Streamed {
    /// Which of the items.
    pub item: usize,
    /// The DASH manifest.
    pub dash: Url,
    /// The best picture without sound, as the post itself names it.
    pub picture: Rendition,
    /// Whether there is sound in the manifest.
    pub has_sound: bool,
}

/// The answer about one post.
///
/// # Errors
/// The verdict about the post, or `platform_changed`.
pub fn listing(body: &Value, resource: &Resource) -> Result<Post> {
    if let Some(refusal) = refused(body) {
        return Err(refusal);
    }
    let children = body
        .pointer("/0/data/children")
        .and_then(Value::as_array)
        .ok_or_else(|| Error::platform_changed("Reddit's answer is no listing"))?;
    let post = match children.first() {
        Some(child) => child.get("data").ok_or_else(|| Error::platform_changed("a post without data"))?,
        None => return Err(Error::new(Kind::NotFound, "Reddit knows no such post")),
    };
    if text(post, "/id").is_none() || text(post, "/subreddit").is_none() {
        return Err(Error::platform_changed("a post without id or subreddit"));
    }
    if let Some(by) = text(post, "/removed_by_category") {
        return Err(Error::new(Kind::NotFound, format!("the post was removed by {by}")));
    }
    let (items, videos) = media(post)?;
    if items.is_empty() {
        return Err(nothing_in(post));
    }
    let mut metadata = about(post, resource);
    metadata.duration = items.iter().find_map(|item| item.duration);
    metadata.thumbnail = items.first().and_then(thumbnail);
    metadata.items = items;
    Ok(Post { metadata, videos })
}

/// What a refusal's JSON says: `{"error": 403, "reason": "private"}`.
pub fn refused(body: &Value) -> Option<Error> {
    let code = int(body, "/error")?;
    let reason = text(body, "/reason").unwrap_or_default();
    let text = format!("Reddit answered {code}, reason {reason:?}");
    let with = |kind: Kind, detail: &str| Some(Error::new(kind, &text).with_detail(detail));
    match (code, reason) {
        (_, "private" | "employee_only") => with(Kind::Private, "its community is private"),
        (_, "quarantined") => with(Kind::Private, "its community is quarantined"),
        (_, "gated" | "gold_only") => with(Kind::Private, "its community is for members only"),
        (_, "banned") => with(Kind::NotFound, "its community is banned"),
        (404, _) => Some(Error::new(Kind::NotFound, text)),
        (451, _) => Some(Error::new(Kind::GeoBlocked, text)),
        _ => None,
    }
}

/// Everything about a post but its media. Also reads what gallery-dl hands on, which is the same JSON.
pub fn about(post: &Value, resource: &Resource) -> MediaMetadata {
    let author = text(post, "/author").filter(|name| *name != "[deleted]");
    MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title: text(post, "/title").and_then(non_empty),
        description: text(post, "/selftext").and_then(non_empty),
        author: author.map(author_named),
        created_at: float(post, "/created_utc").and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0)),
        sensitive: is(post, "/over_18"),
        counts: Counts {
            like_count: int(post, "/ups").or_else(|| int(post, "/score")),
            comment_count: int(post, "/num_comments"),
            ..Counts::default()
        },
        extension: text(post, "/subreddit").map(|subreddit| Extension::Reddit {
            subreddit: subreddit.to_owned(),
            is_crosspost: original(post).is_some(),
            spoiler: is(post, "/spoiler"),
        }),
        ..MediaMetadata::default()
    }
}

/// The preview of a post whose first item is a picture: the original. Reddit's own previews are signed addresses, which
/// do not belong into what is shown or kept.
pub fn thumbnail(first: &Item) -> Option<String> {
    let addresses = first.renditions.iter().filter_map(|rendition| rendition.url.as_ref());
    let is_picture = |url: &&Url| extension(url).is_some_and(|format| PICTURES.contains(&format.as_str()));
    addresses.filter(is_picture).find(|url| url.query().is_none()).map(ToString::to_string)
}

/// The pictures of a gallery in the author's order, without those that Reddit failed to process: id, caption, and
/// whether it moves.
pub fn gallery_order(post: &Value) -> Vec<(&str, Option<&str>, bool)> {
    let known = |entry| {
        let id = text(entry, "/media_id")?;
        let media = post.get("media_metadata")?.get(id)?;
        (text(media, "/status") == Some("valid")).then_some(())?;
        Some((id, text(entry, "/caption"), text(media, "/e") == Some("AnimatedImage")))
    };
    list(post, "/gallery_data/items").iter().filter_map(known).collect()
}

/// The post whose media is shown: the original of a crosspost, else the post itself.
pub fn shown(post: &Value) -> &Value {
    original(post).unwrap_or(post)
}

/// An author's record.
pub fn author_named(name: &str) -> Author {
    Author { handle: name.to_owned(), name: None, url: Some(format!("https://www.reddit.com/user/{name}")) }
}

/// The post that a crosspost shows.
fn original(post: &Value) -> Option<&Value> {
    list(post, "/crosspost_parent_list").first()
}

/// The items of a post in order, and those whose streams stand elsewhere.
///
/// # Errors
/// `not_yet` for a video that is still being processed, `platform_changed`.
pub fn media(post: &Value) -> Result<(Vec<Item>, Vec<Streamed>)> {
    let mut found = Found::default();
    if let Some(video) = reddit_video(post) {
        found.video(video, None)?;
    } else if post.get("gallery_data").is_some() || is(post, "/is_gallery") {
        found.gallery(post);
    } else if is(post, "/is_self") {
        found.in_text(post)?;
    } else if is(post, "/is_video") {
        return Err(Error::new(Kind::NotYet, "a video without streams: Reddit is still processing it"));
    } else {
        found.picture(post);
    }
    if found.items.is_empty()
        && let Some(original) = original(post)
        // One level is all there is: Reddit names the first original.
        && self::original(original).is_none()
    {
        return media(original);
    }
    Ok((found.items, found.videos))
}

/// The record of a video of `v.redd.it`.
pub fn reddit_video(post: &Value) -> Option<&Value> {
    ["/secure_media/reddit_video", "/media/reddit_video"]
        .iter()
        .find_map(|at| post.pointer(at).filter(|video| video.is_object()))
}

#[derive(Default)]
struct Found {
    items: Vec<Item>,
    videos: Vec<Streamed>,
}

impl Found {
    /// A video of `v.redd.it`.
    fn video(&mut self, video: &Value, alt_text: Option<&str>) -> Result<()> {
        let picture_url = link(video, "/fallback_url").or_else(|| link(video, "/scrubber_media_url"));
        let folder = picture_url.as_ref().and_then(|url| url.join(".").ok());
        let dash = link(video, "/dash_url")
            .or_else(|| folder.and_then(|folder| folder.join("DASHPlaylist.mpd").ok()))
            .ok_or_else(|| Error::platform_changed("a video without any address"))?;
        if text(video, "/transcoding_status").is_some_and(|status| status != "completed") {
            return Err(Error::new(Kind::NotYet, "Reddit is still processing the video"));
        }
        let is_loop = is(video, "/is_gif");
        let mut item = Item::new(if is_loop { FileType::Gif } else { FileType::Video }, Vec::new());
        item.id = dash.path_segments().and_then(|mut parts| parts.next()).map(str::to_owned);
        item.duration = float(video, "/duration").filter(|seconds| *seconds > 0.0);
        item.alt_text = alt_text.and_then(non_empty);
        let picture = Rendition {
            url: picture_url,
            format_id: Some("fallback".into()),
            streams: Streams::VideoOnly,
            container: Some("mp4".into()),
            video_codec: Some("avc1".into()),
            width: positive(video, "/width"),
            height: positive(video, "/height"),
            bitrate: positive(video, "/bitrate_kbps").map(|kbps: u64| kbps * 1000),
            ..Rendition::default()
        };
        let has_sound = video.get("has_audio").and_then(Value::as_bool).unwrap_or(!is_loop);
        self.videos.push(Streamed { item: self.items.len(), dash, picture, has_sound });
        self.items.push(item);
        Ok(())
    }

    /// The pictures of a gallery in the author's order. Those that Reddit failed to process are left out.
    fn gallery(&mut self, post: &Value) {
        for (id, caption, _) in gallery_order(post) {
            let media = post.get("media_metadata").and_then(|all| all.get(id));
            self.items.extend(media.and_then(|media| gallery_item(id, media, caption)));
        }
    }

    /// Pictures and videos within the text, in the order of the text.
    fn in_text(&mut self, post: &Value) -> Result<()> {
        let words = text(post, "/selftext").unwrap_or_default();
        let Some(all) = post.get("media_metadata").and_then(Value::as_object) else { return Ok(()) };
        let mut ordered: Vec<_> = all.iter().collect();
        ordered.sort_by_key(|(id, _)| words.find(id.as_str()).unwrap_or(usize::MAX));
        for (id, media) in ordered {
            match link(media, "/dashUrl") {
                Some(dash) if text(media, "/status") == Some("valid") => {
                    let mut video = serde_json::json!({"dash_url": dash.as_str(), "is_gif": is(media, "/isGif")});
                    for (from, to) in [("/x", "width"), ("/y", "height")] {
                        if let Some(pixels) = int(media, from) {
                            video[to] = pixels.into();
                        }
                    }
                    self.video(&video, None)?;
                }
                _ => self.items.extend(gallery_item(id, media, None)),
            }
        }
        Ok(())
    }

    /// A post that is one picture or GIF.
    fn picture(&mut self, post: &Value) {
        let Some(url) = link(post, "/url_overridden_by_dest").or_else(|| link(post, "/url")) else { return };
        let Some(format) = extension(&url).filter(|format| PICTURES.contains(&format.as_str())) else {
            return self.preview_video(post);
        };
        let preview = "/preview/images/0";
        let sized = |rendition: Rendition, of: &str| Rendition {
            width: positive(post, &format!("{preview}{of}/source/width")),
            height: positive(post, &format!("{preview}{of}/source/height")),
            ..rendition
        };
        let original = sized(Rendition { container: Some(format.clone()), ..Rendition::at(url.clone()) }, "");
        let id = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        let mut item = Item::new(FileType::Image, vec![original]);
        item.id = id.rsplit_once('.').map(|(stem, _)| stem.to_owned());
        if format == "gif" {
            item.kind = FileType::Gif;
            if let Some(mp4) = link(post, &format!("{preview}/variants/mp4/source/url")) {
                item.renditions.insert(0, sized(as_mp4(mp4), "/variants/mp4"));
            }
        }
        self.items.push(item);
    }

    /// A loop from elsewhere that Reddit keeps a copy of.
    fn preview_video(&mut self, post: &Value) {
        let Some(video) = post.pointer("/preview/reddit_video_preview").filter(|video| video.is_object()) else {
            return;
        };
        // Without addresses it is no copy, and the post counts as a link.
        let _ = self.video(video, None);
    }
}

fn as_mp4(url: Url) -> Rendition {
    Rendition { container: Some("mp4".into()), video_codec: Some("avc1".into()), ..Rendition::at(url) }
}

/// One picture or GIF of `media_metadata`.
fn gallery_item(id: &str, media: &Value, caption: Option<&str>) -> Option<Item> {
    (text(media, "/status") == Some("valid")).then_some(())?;
    let (width, height) = (positive(media, "/s/x"), positive(media, "/s/y"));
    let sized = |rendition: Rendition| Rendition { width, height, ..rendition };
    let mut renditions = Vec::new();
    let mut kind = if text(media, "/e") == Some("AnimatedImage") { FileType::Gif } else { FileType::Image };
    if let Some(mp4) = link(media, "/s/mp4") {
        kind = FileType::Gif;
        renditions.push(sized(as_mp4(mp4)));
    }
    for preview in [link(media, "/s/gif"), link(media, "/s/u")].into_iter().flatten() {
        let format = extension(&preview);
        // The preview is made smaller and signed; the original lies beside it unsigned.
        if preview.host_str() == Some("preview.redd.it") {
            let path = preview.path().to_owned();
            if let Some(original) = web_link(&format!("https://i.redd.it{path}")) {
                renditions.push(sized(Rendition { container: format.clone(), ..Rendition::at(original) }));
            }
        }
        renditions.push(sized(Rendition { container: format, ..Rendition::at(preview) }));
    }
    (!renditions.is_empty()).then(|| Item {
        id: Some(id.to_owned()),
        alt_text: caption.and_then(non_empty),
        ..Item::new(kind, renditions)
    })
}

/// Why a post that is there has nothing to load.
fn nothing_in(post: &Value) -> Error {
    let shown = shown(post);
    let words = text(shown, "/selftext").unwrap_or_default();
    if matches!(words, "[removed]" | "[deleted]") || text(shown, "/removed_by_category").is_some() {
        return Error::new(Kind::NotFound, "the post was emptied");
    }
    let is_gallery = shown.get("gallery_data").is_some() || is(shown, "/is_gallery");
    if is_gallery {
        let unfinished = |media: &Value| text(media, "/status") == Some("unprocessed");
        let media = shown.get("media_metadata").and_then(Value::as_object);
        if media.is_some_and(|all| all.values().any(unfinished)) {
            return Error::new(Kind::NotYet, "Reddit is still processing the gallery");
        }
        return Error::new(Kind::NotFound, "a gallery whose pictures are gone");
    }
    let elsewhere = link(shown, "/url").filter(|_| !is(shown, "/is_self"));
    let host = elsewhere.as_ref().and_then(Url::domain).map(|host| host.trim_start_matches("www."));
    match host {
        Some(host) if host != "reddit.com" && !host.ends_with(".reddit.com") && host != "redd.it" => {
            let known = KNOWN_ELSEWHERE
                .iter()
                .any(|site| host == *site || host.strip_suffix(site).is_some_and(|rest| rest.ends_with('.')));
            // A tool can follow the link to a site it knows; elsewhere there is nothing for anybody.
            let kind = if known { Kind::UnsupportedUrl } else { Kind::NoMedia };
            Error::new(kind, format!("the post only links to {host}")).with_detail(format!("it only links to {host}"))
        }
        _ => Error::new(Kind::NoMedia, "the post has no media"),
    }
}
