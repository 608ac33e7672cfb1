//! Imgur: images, albums, and the gallery's posts, which are one or the other.
//!
//! Its own web client asks `api.imgur.com/post/v1/` with a public client id; so do the tools, and so do we. A direct file
//! (`i.imgur.com/ID.ext`) is routed to its image: the same answer tells its title, its sound and its original.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header;
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        http, json,
        link::{Link, canonical, is_word},
        text::non_empty,
    },
};
use crate::{
    model::{
        Author, Counts, Error, FileType, Item, Kind, MediaMetadata, PlatformId, Rendition, Resource, ResourceKind,
        Result, Tool,
    },
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("imgur");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("imgur"),
        PlatformSpec::param(
            "imgur",
            "client_id",
            Some("546c25a59c58ad7"),
            "The public id that Imgur's web client names itself by.",
        ),
    ])
}

const HOSTS: &[&str] = &[
    "imgur.com",
    "www.imgur.com",
    "m.imgur.com",
    "i.imgur.com",
    "imgur.io",
    "www.imgur.io",
    "m.imgur.io",
    "i.imgur.io",
];

const API: &str = "https://api.imgur.com/post/v1/";

/// Where the files are.
const FILES: &str = "https://i.imgur.com/";

/// How long Imgur asks to wait when it is over capacity and names no time.
const OVER_CAPACITY: Duration = Duration::from_secs(600);

/// Names that could be an image's id and are something else.
const RESERVED: &[&str] = &["about", "apps", "gallery", "emerald", "privacy", "removed", "search", "topic"];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://imgur.com/A61SaA1", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("http://www.imgur.com/A61SaA1?utm_source=x#more", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("https://m.imgur.com/A61SaA1", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("https://imgur.io/A61SaA1", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("https://imgur.com/mrw-gifv-is-up-running-without-any-bugs-A61SaA1", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("https://imgur.com/A61SaA1.png", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("https://imgur.com/A61SaA1/embed", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("https://i.imgur.com/A61SaA1.gifv", "post A61SaA1 https://imgur.com/A61SaA1"),
    ("https://i.imgur.com/crGpqCV.mp4", "post crGpqCV https://imgur.com/crGpqCV"),
    ("https://i.imgur.com/21yMxCS.png?fb", "post 21yMxCS https://imgur.com/21yMxCS"),
    ("https://i.imgur.com/21yMxCSh.png", "post 21yMxCS https://imgur.com/21yMxCS"),
    ("https://i.imgur.com/ll5Vk.jpg", "post ll5Vk https://imgur.com/ll5Vk"),
    ("https://i.imgur.com/ll5Vks.jpg", "post ll5Vk https://imgur.com/ll5Vk"),
    ("https://i.imgur.com/Iv9wJgb_d.webp?maxwidth=520&fidelity=high", "post Iv9wJgb https://imgur.com/Iv9wJgb"),
    ("https://imgur.com/a/j6Orj", "post a/j6Orj https://imgur.com/a/j6Orj"),
    ("https://imgur.com/a/iX265HX#layout", "post a/iX265HX https://imgur.com/a/iX265HX"),
    ("https://imgur.com/a/enen-no-shouboutai-iX265HX", "post a/iX265HX https://imgur.com/a/iX265HX"),
    ("https://imgur.com/a/iX265HX/embed?pub=true", "post a/iX265HX https://imgur.com/a/iX265HX"),
    ("https://imgur.com/a/iX265HX/layout/grid", "post a/iX265HX https://imgur.com/a/iX265HX"),
    ("https://imgur.com/gallery/YcAQlkx", "post gallery/YcAQlkx https://imgur.com/gallery/YcAQlkx"),
    ("https://imgur.com/gallery/YcAQlkx/new", "post gallery/YcAQlkx https://imgur.com/gallery/YcAQlkx"),
    ("https://imgur.com/gallery/classic-gif-YcAQlkx", "post gallery/YcAQlkx https://imgur.com/gallery/YcAQlkx"),
    ("http://imgur.com/topic/Aww/ll5Vk", "post gallery/ll5Vk https://imgur.com/gallery/ll5Vk"),
    ("https://imgur.com/t/unmuted/6lAn9VQ", "post gallery/6lAn9VQ https://imgur.com/gallery/6lAn9VQ"),
    ("https://imgur.com/t/unmuted/penguins-6lAn9VQ", "post gallery/6lAn9VQ https://imgur.com/gallery/6lAn9VQ"),
    ("http://imgur.com/r/aww/VQcQPhM", "post gallery/VQcQPhM https://imgur.com/gallery/VQcQPhM"),
    ("https://imgur.com/user/ann_b", "profile user/ann_b https://imgur.com/user/ann_b"),
    ("https://imgur.com/user/ann_b/posts", "profile user/ann_b https://imgur.com/user/ann_b"),
    ("https://imgur.com/user/ann_b/favorites", "playlist user/ann_b/favorites https://imgur.com/user/ann_b/favorites"),
    ("https://imgur.com/r/aww", "playlist r/aww https://imgur.com/r/aww"),
    ("https://imgur.com/t/funny", "playlist t/funny https://imgur.com/t/funny"),
    ("https://imgur.com/", "generic"),
    ("https://imgur.com/upload", "generic"),
    ("https://imgur.com/search?q=cats", "generic"),
    ("https://imgur.com/user/me", "generic"),
    ("https://imgur.com/user/me/hidden", "generic"),
    ("https://imgur.com/a/", "generic"),
    ("https://imgur.com/a/abcd", "generic"),
    ("https://imgur.com/a/abc%2Fdef1", "generic"),
    ("https://imgur.com/gallery", "generic"),
    ("https://i.imgur.com/removed.png", "direct file https://i.imgur.com/removed.png"),
    ("https://imgur.com/privacy", "generic"),
    ("https://imgur.com/A61SaA", "generic"),
    ("https://imgur.com/A61SaA12345", "generic"),
    ("https://api.imgur.com/3/image/A61SaA1", "generic"),
    ("https://help.imgur.com/A61SaA1", "generic"),
    ("https://imgur.com.evil.example/A61SaA1", "generic"),
    ("https://evil-imgur.com/A61SaA1", "generic"),
    ("https://imgur.co/A61SaA1", "generic"),
    ("https://imgur.com:8443/A61SaA1", "generic"),
    ("https://imgur.com@evil.example/A61SaA1", "nothing"),
    ("https://іmgur.com/A61SaA1", "generic"),
];

/// The platform.
pub struct Imgur;

impl Platform for Imgur {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Imgur"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["imgur.com", "imgur.io"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if !HOSTS.contains(&link.host()) {
            return None;
        }
        if link.host().starts_with("i.") {
            let [file] = link.segments() else { return None };
            return post("", image_id(file)?);
        }
        match link.segments() {
            ["a", last, ..] => post("a/", id_of(last)?),
            ["gallery", last, ..] | ["t" | "topic" | "r", _, last, ..] => post("gallery/", id_of(last)?),
            ["user", "me", ..] => None,
            ["user", name] | ["user", name, "posts" | "submitted"] => list(ResourceKind::Profile, "user/", name, ""),
            ["user", name, "favorites"] => list(ResourceKind::Playlist, "user/", name, "/favorites"),
            ["r", name] => list(ResourceKind::Playlist, "r/", name, ""),
            ["t", name] => list(ResourceKind::Playlist, "t/", name, ""),
            [last] | [last, "embed"] => post("", image_id(last)?),
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "loads images, videos and whole albums in order",
        };
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["imgur.*"],
            args: Vec::new(),
            why: "loads the videos and GIFs of a post",
        };
        if resource.kind == ResourceKind::Post { vec![gallery_dl, yt_dlp] } else { vec![gallery_dl] }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        if resource.kind != ResourceKind::Post {
            return;
        }
        match tool {
            Tool::YtDlp => refine_yt_dlp(resource, raw, metadata),
            Tool::GalleryDl => refine_gallery_dl(resource, raw, metadata),
        }
        metadata.thumbnail = thumbnail(&metadata.items);
        metadata.duration = metadata.items.iter().find_map(|item| item.duration);
    }
}

/// A post of the site; `of` says which kind of page it has.
fn post(of: &str, id: &str) -> Option<Resource> {
    let id = format!("{of}{id}");
    let canonical = canonical("https://imgur.com/", &id)?;
    Some(Resource::new(ID, ResourceKind::Post, id, canonical))
}

fn list(kind: ResourceKind, of: &str, name: &str, rest: &str) -> Option<Resource> {
    is_word(name, "_-", 2..=64).then_some(())?;
    let id = format!("{of}{name}{rest}");
    let canonical = canonical("https://imgur.com/", &id)?;
    Some(Resource::new(ID, kind, id, canonical))
}

/// The id at the end of a slug: `title-words-A61SaA1`. Ids have seven letters; those of the first years five.
fn id_of(part: &str) -> Option<&str> {
    let id = part.rsplit('-').next()?;
    (is_word(id, "", 5..=5) || is_word(id, "", 7..=7)).then_some(id)
}

/// The id of an image from its name: without extension, and without the letter of a smaller version
/// (<https://api.imgur.com/models/image#thumbs>) or `_d`, a version made on demand.
fn image_id(name: &str) -> Option<&str> {
    let stem = name.split('.').next().filter(|stem| !RESERVED.contains(stem))?;
    let stem = stem.strip_suffix("_d").unwrap_or(stem);
    id_of(stem).or_else(|| id_of(stem.strip_suffix(['s', 'b', 't', 'm', 'l', 'h'])?))
}

#[async_trait]
impl Extractor for Imgur {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let (of, id) = match resource.id.split_once('/') {
            _ if resource.kind != ResourceKind::Post => {
                return Err(Error::new(Kind::UnsupportedUrl, "not a link to a post")
                    .with_detail("this is a whole collection or somebody's page"));
            }
            Some(("a", id)) => ("albums/", id),
            Some(("gallery", id)) => ("posts/", id),
            _ => ("media/", resource.id.as_str()),
        };
        let mut metadata = parse(resource, &ask(of, id, cx).await?)?;
        // The API tells the size of the GIF, not of its video.
        http::sizes(cx.client, &mut metadata.items).await;
        Ok(metadata)
    }
}

async fn ask(of: &str, id: &str, cx: &ExtractContext<'_>) -> Result<Value> {
    let url = canonical(API, &format!("{of}{id}?include=media,tags,account"))
        .ok_or_else(|| Error::internal("the API's address"))?;
    let client_id = cx.param("client_id").unwrap_or_default();
    let request = cx.client.get(&url)?.header(header::AUTHORIZATION, format!("Client-ID {client_id}"));
    let answer = http::ask(cx.client, request).await?;
    match answer.refusal {
        None => answer.json(),
        Some(ref refusal) => Err(refused(&answer.json().unwrap_or_default()).unwrap_or_else(|| refusal.clone())),
    }
}

/// What the body of a refusal says beyond its status.
fn refused(body: &Value) -> Option<Error> {
    let words = json::text(body, "/errors/0/detail").or_else(|| json::text(body, "/data/error"))?;
    let words = words.to_ascii_lowercase();
    if words.contains("capacity") {
        let wait = Some(OVER_CAPACITY.as_secs());
        return Some(Error::new(Kind::RateLimited { retry_after: wait }, "Imgur is over capacity"));
    }
    if words.contains("region") || words.contains("country") {
        return Some(Error::new(Kind::GeoBlocked, "Imgur does not serve this country"));
    }
    None
}

/// Reads the answer about an image, an album or a post.
///
/// # Errors
/// `no_media` for an empty album, `platform_changed` for what is no such answer.
fn parse(resource: &Resource, post: &Value) -> Result<MediaMetadata> {
    let Some(media) = post.get("media").and_then(Value::as_array) else {
        return Err(Error::platform_changed("no list of media"));
    };
    if media.is_empty() {
        return Err(Error::new(Kind::NoMedia, "an album without images").with_detail("the album is empty"));
    }
    let mut items = media.iter().map(item).collect::<Result<Vec<_>>>()?;
    let mut metadata = about(resource, post);
    if let [only] = media.as_slice() {
        // A post of one image is titled as a post or as the image.
        metadata.title = words(only, "/metadata/title").or(metadata.title);
        metadata.description = words(only, "/metadata/description").or(metadata.description);
        items.iter_mut().for_each(|item| item.alt_text = None);
    }
    metadata.thumbnail = thumbnail(&items);
    metadata.duration = items.iter().find_map(|item| item.duration);
    metadata.items = items;
    Ok(metadata)
}

/// What is told about a post besides its media.
fn about(resource: &Resource, post: &Value) -> MediaMetadata {
    MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: bare_id(resource),
        title: words(post, "/title"),
        description: words(post, "/description"),
        author: json::text(post, "/account/username").map(author),
        created_at: json::time(post, "/created_at"),
        sensitive: json::is(post, "/is_mature"),
        counts: Counts {
            like_count: json::int(post, "/upvote_count"),
            view_count: json::int(post, "/view_count"),
            comment_count: json::int(post, "/comment_count"),
            ..Counts::default()
        },
        ..MediaMetadata::default()
    }
}

/// The platform's own id, without the kind of page before it.
fn bare_id(resource: &Resource) -> String {
    resource.id.rsplit('/').next().unwrap_or_default().to_owned()
}

fn words(value: &Value, pointer: &str) -> Option<String> {
    json::text(value, pointer).and_then(non_empty)
}

fn author(name: &str) -> Author {
    Author { handle: name.to_owned(), name: None, url: canonical("https://imgur.com/user/", name).map(String::from) }
}

/// One image or video. What is told with a GIF is the GIF; the same as a video is smaller and better.
fn item(media: &Value) -> Result<Item> {
    let missing = || Error::platform_changed("media without id and extension");
    let id = json::text(media, "/id").filter(|id| is_word(id, "", 1..=16)).ok_or_else(missing)?;
    let extension = json::text(media, "/ext").filter(|ext| is_word(ext, "", 2..=5)).ok_or_else(missing)?;
    let extension = if extension == "jpeg" { "jpg" } else { extension };
    let file = |extension: &str| {
        Some(Rendition {
            format_id: Some(extension.to_owned()),
            container: Some(extension.to_owned()),
            width: json::positive(media, "/width"),
            height: json::positive(media, "/height"),
            ..Rendition::at(canonical(FILES, &format!("{id}.{extension}"))?)
        })
    };
    let told = Rendition {
        bytes: json::positive(media, "/size"),
        bytes_exact: json::positive::<u64>(media, "/size").is_some(),
        ..file(extension).ok_or_else(missing)?
    };
    let moves = json::is(media, "/metadata/is_animated");
    let (kind, renditions) = match extension {
        "gif" if moves => (FileType::Gif, file("mp4").into_iter().chain([told]).collect()),
        "mp4" | "webm" | "mov" => (FileType::Video, vec![told]),
        _ => (FileType::Image, vec![told]),
    };
    Ok(Item {
        id: Some(id.to_owned()),
        alt_text: words(media, "/metadata/description"),
        duration: json::float(media, "/metadata/duration").filter(|seconds| *seconds > 0.0),
        ..Item::new(kind, renditions)
    })
}

/// The large preview of the first item.
fn thumbnail(items: &[Item]) -> Option<String> {
    let id = items.first()?.id.as_deref()?;
    canonical(FILES, &format!("{id}h.jpg")).map(String::from)
}

/// yt-dlp tells a post's own fields with each of its videos.
fn refine_yt_dlp(resource: &Resource, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    metadata.id = bare_id(resource);
    metadata.author = json::text(first, "/uploader").map(author);
    // Its `timestamp` is the last change.
    let posted = json::int(first, "/release_timestamp").and_then(|at| chrono::DateTime::from_timestamp(at, 0));
    metadata.created_at = posted.or(metadata.created_at);
    let alone = raw.len() == 1;
    for (item, info) in metadata.items.iter_mut().zip(raw) {
        let is_gif = item.renditions.iter().any(|rendition| rendition.format_id.as_deref() == Some("gif"));
        item.kind = if is_gif { FileType::Gif } else { FileType::Video };
        item.duration = item.duration.filter(|seconds| *seconds > 0.0);
        item.alt_text = if alone { None } else { words(info, "/description") };
    }
}

/// gallery-dl hands on the API's own answer: with each file its media, the album's fields in `album`; of a single image
/// its own title replaced the post's.
fn refine_gallery_dl(resource: &Resource, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    let told = about(resource, first.get("album").unwrap_or(first));
    let alone = raw.len() == 1;
    metadata.id = told.id;
    metadata.title = told.title;
    metadata.description = told.description;
    if alone {
        metadata.title = words(first, "/title").or_else(|| metadata.title.take());
        metadata.description = words(first, "/description").or_else(|| metadata.description.take());
    }
    metadata.author = told.author;
    metadata.created_at = told.created_at;
    metadata.sensitive = told.sensitive;
    metadata.counts = told.counts;
    for (item, file) in metadata.items.iter_mut().zip(raw) {
        let is_gif = json::is(file, "/is_animated") && json::text(file, "/mime_type") == Some("image/gif");
        item.kind = if is_gif { FileType::Gif } else { item.kind };
        item.id = json::text(file, "/id").map(str::to_owned);
        item.alt_text = if alone { None } else { words(file, "/description") };
        item.duration = item.duration.filter(|seconds| *seconds > 0.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platforms::common::testing::mutations;

    fn album() -> Value {
        serde_json::from_str(include_str!("../../fixtures/platforms/imgur/album.json")).unwrap()
    }

    fn read(link: &str, post: &Value) -> Result<MediaMetadata> {
        parse(&Imgur.route(&Url::parse(link).unwrap()).unwrap(), post)
    }

    #[test]
    fn an_album_has_its_media_in_order_with_the_video_of_a_gif_first() {
        let album = read("https://imgur.com/a/penguins-6lAn9VQ", &album()).unwrap();
        assert_eq!((album.id.as_str(), album.title.as_deref()), ("6lAn9VQ", Some("Penguins!")));
        assert_eq!(album.author.unwrap().url.as_deref(), Some("https://imgur.com/user/ann_b"));
        assert_eq!(album.created_at.unwrap().to_rfc3339(), "2026-01-05T12:00:00+00:00");
        assert_eq!(album.counts.like_count, Some(40));
        let rows: Vec<_> = album
            .items
            .iter()
            .map(|item| {
                let files = item.renditions.iter().map(|r| (r.url.as_ref().unwrap().path(), r.bytes));
                (item.kind, item.alt_text.as_deref(), item.duration, files.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            rows,
            [
                (FileType::Image, Some("On the ice"), None, vec![("/aaaaaa1.jpg", Some(81_234))]),
                (FileType::Gif, None, Some(3.5), vec![("/aaaaaa2.mp4", None), ("/aaaaaa2.gif", Some(4_000_000))]),
                (FileType::Video, None, Some(30.0), vec![("/aaaaaa3.mp4", Some(900_000))]),
            ]
        );
        assert_eq!(album.thumbnail.as_deref(), Some("https://i.imgur.com/aaaaaa1h.jpg"));
        assert_eq!(album.duration, Some(3.5));
    }

    #[test]
    fn a_single_image_is_described_by_its_own_words() {
        let mut post = album();
        post["media"].as_array_mut().unwrap().truncate(1);
        post["media"][0]["metadata"]["title"] = json!("One penguin");
        let image = read("https://imgur.com/gallery/6lAn9VQ", &post).unwrap();
        assert_eq!(image.title.as_deref(), Some("One penguin"));
        assert_eq!(image.description.as_deref(), Some("On the ice"));
        assert_eq!(image.items[0].alt_text, None);
    }

    #[test]
    fn each_odd_answer_has_its_name() {
        for (body, code) in [
            (json!({"media": []}), "no_media"),
            (json!({}), "platform_changed"),
            (json!({"media": [{"id": "a"}]}), "platform_changed"),
            (json!({"media": [{"id": "../x", "ext": "jpg"}]}), "platform_changed"),
            (json!([]), "platform_changed"),
        ] {
            assert_eq!(read("https://imgur.com/a/6lAn9VQ", &body).unwrap_err().code(), code, "{body}");
        }
        let detail = |words: &str| refused(&json!({"errors": [{"detail": words}]})).map(|error| error.code());
        assert_eq!(detail("Imgur is temporarily over capacity"), Some("rate_limited"));
        assert_eq!(detail("Content not available in your region"), Some("geo_blocked"));
        assert_eq!(detail("unable to find data"), None);
        for changed in mutations(&album()) {
            let _ = read("https://imgur.com/a/6lAn9VQ", &changed);
        }
    }
}
