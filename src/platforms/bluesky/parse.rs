//! Reading Bluesky's answers. The views: <https://github.com/bluesky-social/atproto/tree/main/lexicons/app/bsky>.

use serde_json::Value;
use url::Url;

use super::{ID, is_host};
use crate::{
    model::{Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Rendition, Resource, Result},
    platforms::common::{
        json::{int, link, list, positive, text, time},
        text::non_empty,
    },
};

/// A post, with what its items were made from.
#[derive(Debug)]
pub struct Post {
    /// What is told about it.
    pub metadata: MediaMetadata,
    /// Whose uploads the items are.
    pub did: Option<String>,
    /// For each item, its upload and its playlist.
    pub sources: Vec<Source>,
}

/// What Bluesky made an item from.
#[derive(Debug, Default)]
pub struct Source {
    /// The upload: its content id, type and size in bytes.
    cid: Option<String>,
    mime: Option<String>,
    bytes: Option<u64>,
    size: (Option<u32>, Option<u32>),
    /// The master playlist of a video.
    pub playlist: Option<Url>,
}

/// Labels of what is not fit for everybody: <https://docs.bsky.app/docs/advanced-guides/moderation>.
const SENSITIVE: &[&str] = &["porn", "sexual", "nudity", "graphic-media", "gore", "nsfl"];

/// Reads the answer about a post.
///
/// # Errors
/// `not_found`, `private`, `no_media`, `unsupported_url` for a post that only links elsewhere, or `platform_changed`.
pub fn post(body: &Value, resource: &Resource) -> Result<Post> {
    let thread = body.pointer("/thread").ok_or_else(|| Error::platform_changed("no /thread"))?;
    match text(thread, "/$type").and_then(|kind| kind.rsplit('#').next()) {
        Some("notFoundPost") => return Err(Error::new(Kind::NotFound, "Bluesky says that the post is gone")),
        Some("blockedPost") => return Err(Error::new(Kind::Private, "Bluesky does not show the post to everybody")),
        _ => {}
    }
    let post = thread.pointer("/post").ok_or_else(|| Error::platform_changed("no /thread/post"))?;
    let mut metadata = about(post, resource)?;
    let nothing = Value::Null;
    let embed = post.get("embed").unwrap_or(&nothing);
    let record = post.pointer("/record/embed").unwrap_or(&nothing);
    let own = media(embed, record);
    // A post that has nothing of its own shows what it quotes.
    let quoted = embed.pointer("/record/record").or_else(|| embed.pointer("/record")).unwrap_or(&nothing);
    let (found, whose) = if own.is_empty() {
        let record = quoted.pointer("/value/embed").unwrap_or(&nothing);
        (list(quoted, "/embeds").iter().flat_map(|embed| media(embed, record)).collect(), quoted)
    } else {
        (own, post)
    };
    if found.is_empty() {
        return Err(nothing_to_load(embed));
    }
    metadata.thumbnail = found.first().and_then(|found| found.thumbnail.clone());
    let (items, sources) = found.into_iter().map(|found| (found.item, found.source)).unzip();
    metadata.items = items;
    let did = text(whose, "/author/did").filter(|did| did.starts_with("did:")).map(str::to_owned);
    Ok(Post { metadata, did, sources })
}

/// What is told about a post besides its media.
///
/// # Errors
/// `platform_changed` without an author.
fn about(post: &Value, resource: &Resource) -> Result<MediaMetadata> {
    let handle = text(post, "/author/handle").ok_or_else(|| Error::platform_changed("a post without author"))?;
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: key(resource),
        description: text(post, "/record/text").and_then(non_empty),
        author: Some(author(handle, text(post, "/author/displayName"))),
        created_at: time(post, "/record/createdAt").or_else(|| time(post, "/indexedAt")),
        sensitive: is_sensitive(list(post, "/labels")) || is_sensitive(list(post, "/record/labels/values")),
        counts: Counts {
            like_count: int(post, "/likeCount"),
            retweet_count: int(post, "/repostCount"),
            comment_count: int(post, "/replyCount"),
            ..Counts::default()
        },
        ..MediaMetadata::default()
    })
}

/// The post's own key, without its author.
pub fn key(resource: &Resource) -> String {
    resource.id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Whether one of the labels says so.
pub fn is_sensitive(labels: &[Value]) -> bool {
    labels.iter().any(|label| text(label, "/val").is_some_and(|value| SENSITIVE.contains(&value)))
}

/// Whoever posted.
pub fn author(handle: &str, name: Option<&str>) -> Author {
    Author {
        handle: handle.to_owned(),
        name: name.and_then(non_empty),
        url: Some(format!("https://bsky.app/profile/{handle}")),
    }
}

struct Found {
    item: Item,
    source: Source,
    thumbnail: Option<String>,
}

/// The media of a view, with what the record behind it tells about the uploads.
fn media(view: &Value, record: &Value) -> Vec<Found> {
    let view = view.get("media").unwrap_or(view);
    let record = record.get("media").unwrap_or(record);
    if view.get("playlist").is_some() {
        return video(view, record.get("video").unwrap_or(&Value::Null)).into_iter().collect();
    }
    if let Some(external) = view.get("external") {
        return gif(external).into_iter().collect();
    }
    // Galleries, which may be of up to 20 pictures, name their list otherwise.
    let (shown, told) = ["/images", "/items"]
        .map(|name| (list(view, name), list(record, name)))
        .into_iter()
        .find(|(shown, _)| !shown.is_empty())
        .unwrap_or_default();
    let told = told.iter().map(Some).chain(std::iter::repeat(None));
    shown.iter().zip(told).filter_map(|(shown, told)| picture(shown, told)).collect()
}

fn picture(view: &Value, record: Option<&Value>) -> Option<Found> {
    let url = link(view, "/fullsize")?;
    let blob = record.and_then(|record| record.get("image")).unwrap_or(&Value::Null);
    let source = source(blob, view, None).or_cid(cid_in(&url));
    let (width, height) = source.size;
    let fullsize = Rendition {
        format_id: Some("fullsize".into()),
        container: Some(if url.path().ends_with("@png") { "png" } else { "jpg" }.into()),
        width,
        height,
        ..Rendition::at(url)
    };
    let item = Item {
        id: source.cid.clone(),
        alt_text: text(view, "/alt").and_then(non_empty),
        ..Item::new(FileType::Image, vec![fullsize])
    };
    Some(Found { item, source, thumbnail: link(view, "/thumb").map(String::from) })
}

fn video(view: &Value, blob: &Value) -> Option<Found> {
    let playlist = link(view, "/playlist");
    let source = source(blob, view, playlist).or_cid(text(view, "/cid").map(str::to_owned));
    let item = Item {
        id: source.cid.clone(),
        alt_text: text(view, "/alt").and_then(non_empty),
        ..Item::new(FileType::Video, Vec::new())
    };
    Some(Found { item, source, thumbnail: link(view, "/thumbnail").map(String::from) })
}

fn source(blob: &Value, view: &Value, playlist: Option<Url>) -> Source {
    Source {
        cid: text(blob, "/ref/$link").or_else(|| text(blob, "/cid")).map(str::to_owned),
        mime: text(blob, "/mimeType").map(str::to_owned),
        bytes: positive(blob, "/size"),
        size: (positive(view, "/aspectRatio/width"), positive(view, "/aspectRatio/height")),
        playlist,
    }
}

impl Source {
    fn or_cid(mut self, cid: Option<String>) -> Self {
        self.cid = self.cid.or(cid).filter(|cid| super::is_word(cid, "", 1..=256));
        self
    }
}

/// The content id at the end of an address of the image host: `…/DID/CID@jpeg`.
fn cid_in(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    Some(last.split('@').next()?.to_owned())
}

/// A GIF of Tenor's, which is how the app's own picker posts them. Its id ends with the format's letters; the same loop
/// as a video is smaller.
fn gif(external: &Value) -> Option<Found> {
    let url = link(external, "/uri").filter(|url| url.host_str() == Some("media.tenor.com"))?;
    let (id, name) = url.path().strip_prefix('/')?.split_once('/')?;
    let (stem, name) = (id.strip_suffix("AAAAC")?, name.strip_suffix(".gif")?);
    let side = |key: &str| url.query_pairs().find(|(k, _)| k == key).and_then(|(_, value)| value.parse().ok());
    let rendition = |format: &str, link: String| {
        Some(Rendition {
            format_id: Some(format.to_owned()),
            container: Some(format.to_owned()),
            width: side("ww"),
            height: side("hh"),
            ..Rendition::at(Url::parse(&link).ok()?)
        })
    };
    let renditions = [
        rendition("mp4", format!("https://media.tenor.com/{stem}AAAP1/{name}.mp4")),
        rendition("gif", format!("https://media.tenor.com/{id}/{name}.gif")),
    ];
    let alt = text(external, "/description")
        .map(|words| ["ALT: ", "Alt: "].iter().find_map(|start| words.strip_prefix(start)).unwrap_or(words));
    let item = Item {
        id: Some(stem.to_owned()),
        alt_text: alt.and_then(non_empty),
        ..Item::new(FileType::Gif, renditions.into_iter().flatten().collect())
    };
    Some(Found { item, source: Source::default(), thumbnail: link(external, "/thumb").map(String::from) })
}

/// Why a post without media has none.
fn nothing_to_load(embed: &Value) -> Error {
    let quoted = embed.pointer("/record/record").or_else(|| embed.pointer("/record"));
    let gone = quoted
        .and_then(|quoted| text(quoted, "/$type"))
        .is_some_and(|kind| ["#viewNotFound", "#viewBlocked", "#viewDetached"].iter().any(|end| kind.ends_with(end)));
    if gone {
        return Error::new(Kind::NoMedia, "the quoted post is not shown").with_detail("the post it quotes is gone");
    }
    let external = embed.pointer("/media/external").or_else(|| embed.pointer("/external"));
    match external.and_then(|external| link(external, "/uri")) {
        // yt-dlp follows such links to sites that it knows.
        Some(url) => {
            let host = url.host_str().unwrap_or_default().trim_start_matches("www.").to_owned();
            let error = Error::new(Kind::UnsupportedUrl, format!("the post only links to {host}"));
            error.with_detail(format!("the post has no media of its own, it only links to {host}"))
        }
        None => Error::new(Kind::NoMedia, "the post has no media"),
    }
}

/// The server that a DID document names: <https://www.w3.org/TR/did-1.0/#services>.
pub fn server(document: &Value) -> Option<Url> {
    let services = list(document, "/service").iter();
    let mut servers = services.filter(|service| text(service, "/type") == Some("AtprotoPersonalDataServer"));
    let url = link(servers.next()?, "/serviceEndpoint")?;
    (url.scheme() == "https" && url.port().is_none() && url.domain().is_some_and(is_host)).then_some(url)
}

/// The upload itself, on the author's server.
pub fn original(server: Option<&Url>, did: Option<&str>, source: &Source) -> Option<Rendition> {
    let mut url = server?.join("/xrpc/com.atproto.sync.getBlob").ok()?;
    url.query_pairs_mut().append_pair("did", did?).append_pair("cid", source.cid.as_deref()?);
    let container = match source.mime.as_deref()?.rsplit('/').next()? {
        "jpeg" => "jpg",
        "quicktime" => "mov",
        other => other,
    };
    let (width, height) = source.size;
    Some(Rendition {
        format_id: Some("blob".into()),
        container: super::is_word(container, "", 2..=5).then(|| container.to_owned()),
        width,
        height,
        bytes: source.bytes,
        bytes_exact: source.bytes.is_some(),
        ..Rendition::at(url)
    })
}

/// The content id in an upload's address.
pub fn cid_of_blob(url: &Url) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == "cid").map(|(_, cid)| cid.into_owned())
}

/// The preview that Bluesky makes of an upload.
pub fn thumbnail(kind: FileType, did: &str, cid: &str) -> Option<String> {
    match kind {
        FileType::Image => Some(format!("https://cdn.bsky.app/img/feed_thumbnail/plain/{did}/{cid}@jpeg")),
        FileType::Video => {
            let did = did.replace(':', "%3A");
            Some(format!("https://video.bsky.app/watch/{did}/{cid}/thumbnail.jpg"))
        }
        _ => None,
    }
}
