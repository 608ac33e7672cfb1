//! Reading posts. Their blocks: <https://www.tumblr.com/docs/npf>.

use chrono::DateTime;
use serde_json::Value;

use super::ID;
use crate::{
    model::{Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Rendition, Resource, Result, Tool},
    platforms::common::{
        json::{int, is, link, list, positive, text},
        text::{extension, non_empty, of_html},
    },
};

/// Reads the answer about a post: what it reblogs stands before its own words and media, as people see it.
///
/// # Errors
/// `unsupported_url` for a post that only embeds another site's video, `no_media`, or `platform_changed`.
pub fn post(body: &Value, resource: &Resource) -> Result<MediaMetadata> {
    let post = body.pointer("/response/timeline/elements/0");
    let post = post.filter(|post| post.get("content").is_some());
    let post = post.ok_or_else(|| Error::platform_changed("no /response/timeline/elements/0/content"))?;
    let trail = list(post, "/trail").iter().flat_map(|earlier| list(earlier, "/content"));
    let blocks: Vec<&Value> = trail.chain(list(post, "/content")).collect();
    let mut metadata = about(post, resource);
    metadata.description = words(&blocks);
    metadata.items = blocks.iter().filter_map(|block| item(block)).collect();
    if metadata.items.is_empty() {
        return Err(nothing_to_load(&blocks));
    }
    let first = blocks.iter().find(|block| item(block).is_some());
    metadata.thumbnail = first.and_then(|block| link(block, "/poster/0/url")).map(String::from);
    Ok(metadata)
}

/// What is told about a post besides its blocks.
fn about(post: &Value, resource: &Resource) -> MediaMetadata {
    MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: id(resource),
        author: text(post, "/blog_name")
            .or_else(|| text(post, "/blog/name"))
            .map(|name| author(name, text(post, "/blog/title"))),
        created_at: int(post, "/timestamp").and_then(|at| DateTime::from_timestamp(at, 0)),
        sensitive: is(post, "/is_nsfw") || is(post, "/community_labels/has_community_label"),
        counts: Counts {
            like_count: int(post, "/like_count"),
            retweet_count: int(post, "/reblog_count"),
            comment_count: int(post, "/reply_count"),
            ..Counts::default()
        },
        ..MediaMetadata::default()
    }
}

/// The post's own id, without its blog.
fn id(resource: &Resource) -> String {
    resource.id.rsplit('/').next().unwrap_or_default().to_owned()
}

fn author(blog: &str, title: Option<&str>) -> Author {
    Author {
        handle: blog.to_owned(),
        name: title.and_then(non_empty),
        url: Some(format!("https://www.tumblr.com/{blog}")),
    }
}

/// The paragraphs.
fn words(blocks: &[&Value]) -> Option<String> {
    let of_text = blocks.iter().filter(|block| text(block, "/type") == Some("text"));
    let paragraphs: Vec<_> = of_text.filter_map(|block| text(block, "/text")).collect();
    non_empty(paragraphs.join("\n\n"))
}

/// What a block shows, if Tumblr has it itself.
fn item(block: &Value) -> Option<Item> {
    match text(block, "/type")? {
        "image" => {
            let mut renditions: Vec<_> = list(block, "/media").iter().filter_map(rendition).collect();
            renditions.sort_by_key(|rendition| std::cmp::Reverse(rendition.width));
            renditions.truncate(2);
            (!renditions.is_empty()).then_some(())?;
            let alt_text = text(block, "/alt_text").and_then(non_empty);
            Some(Item { alt_text, ..Item::new(FileType::Image, renditions) })
        }
        "video" => Some(Item::new(FileType::Video, vec![rendition(block.get("media")?)?])),
        "audio" => Some(Item::new(FileType::Audio, vec![rendition(block.get("media")?)?])),
        _ => None,
    }
}

fn rendition(media: &Value) -> Option<Rendition> {
    let url = link(media, "/url")?;
    Some(Rendition {
        container: extension(&url).map(|container| if container == "gifv" { "gif".into() } else { container }),
        width: positive(media, "/width"),
        height: positive(media, "/height"),
        ..Rendition::at(url)
    })
}

/// Why a post without media has none.
fn nothing_to_load(blocks: &[&Value]) -> Error {
    let embedded = blocks.iter().find(|block| matches!(text(block, "/type"), Some("video" | "audio")));
    let host = embedded.and_then(|block| link(block, "/url")).and_then(|url| url.host_str().map(str::to_owned));
    match host {
        // yt-dlp follows such links to sites that it knows.
        Some(host) => Error::new(Kind::UnsupportedUrl, format!("the post only embeds {host}"))
            .with_detail(format!("the post has no media of its own, it only embeds {host}")),
        None => Error::new(Kind::NoMedia, "the post has no media"),
    }
}

/// What the body of a refusal says beyond its status.
pub fn refused(status: u16, body: &Value) -> Option<Error> {
    let error = body.pointer("/errors/0");
    let words = error.and_then(|error| text(error, "/detail")).or_else(|| text(body, "/response")).unwrap_or_default();
    // 4012: the blog is only shown on the dashboard, to people who are signed in.
    let on_dashboard = error.and_then(|error| int(error, "/code")) == Some(4012) || words.contains("dashboard");
    let kind = match status {
        403 | 404 if on_dashboard => Kind::LoginRequired,
        403 if words.contains("permission") => Kind::Private,
        // The key or the app's version: nothing about the post.
        401 => Kind::PlatformChanged,
        _ => return None,
    };
    Some(Error::new(kind, format!("Tumblr says {status}: {words}")))
}

/// Makes what the tools tell equal to what we read ourselves.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    metadata.id = id(resource);
    // Posts have no titles; the tools make some up of their first words.
    metadata.title = None;
    for item in &mut metadata.items {
        item.id = None;
    }
    match tool {
        Tool::YtDlp => {
            // Its uploader is whoever posted first; we name the blog that was linked.
            let blog = resource.id.split('/').next().unwrap_or_default();
            metadata.author = Some(author(blog, None));
        }
        Tool::GalleryDl => {
            let told = about(first, resource);
            (metadata.author, metadata.created_at) = (told.author, told.created_at);
            (metadata.sensitive, metadata.counts) = (told.sensitive, told.counts);
            // It asks for posts in their older form, which is HTML.
            let words = text(first, "/caption").or_else(|| text(first, "/body"));
            metadata.description = words.map(of_html).and_then(non_empty);
            metadata.thumbnail = text(first, "/thumbnail_url").map(str::to_owned);
            for (item, file) in metadata.items.iter_mut().zip(raw) {
                item.alt_text = None;
                item.duration = None;
                if text(file, "/source") == Some("audio") {
                    item.kind = FileType::Audio;
                }
            }
        }
    }
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}
