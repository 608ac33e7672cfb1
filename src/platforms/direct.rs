//! Links to media files themselves, on any host, known by their extension. The file's own type is checked when it is
//! loaded: an extension is only a hint.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Response, StatusCode, header};
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{link, text},
};
use crate::{
    fetch::sniff::{self, Served},
    model::{Error, FileType, Item, Kind, MediaMetadata, PlatformId, Rendition, Resource, ResourceKind, Result, Tool},
    net,
};

/// The short name.
pub const ID: PlatformId = PlatformId("direct");

/// Extensions of files that can be delivered, with what they hold.
const EXTENSIONS: &[(&str, FileType)] = &[
    ("mp4", FileType::Video),
    ("m4v", FileType::Video),
    ("webm", FileType::Video),
    ("mov", FileType::Video),
    ("mkv", FileType::Video),
    ("avi", FileType::Video),
    ("jpg", FileType::Image),
    ("jpeg", FileType::Image),
    ("png", FileType::Image),
    ("gif", FileType::Image),
    ("webp", FileType::Image),
    ("avif", FileType::Image),
    ("bmp", FileType::Image),
    ("mp3", FileType::Audio),
    ("m4a", FileType::Audio),
    ("aac", FileType::Audio),
    ("ogg", FileType::Audio),
    ("oga", FileType::Audio),
    ("opus", FileType::Audio),
    ("wav", FileType::Audio),
    ("flac", FileType::Audio),
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://cdn.example/a/clip.mp4", "direct file https://cdn.example/a/clip.mp4"),
    ("http://cdn.example/a/clip.MP4?sig=a%2Bb&e=1", "direct file http://cdn.example/a/clip.MP4?sig=a%2Bb&e=1"),
    ("https://cdn.example:8443/clip.webm#t=3", "direct file https://cdn.example:8443/clip.webm"),
    ("https://cdn.example/clip.mp4?utm_source=x", "direct file https://cdn.example/clip.mp4"),
    ("https://cdn.example/clip.mp4/", "generic"),
    ("https://cdn.example/song.flac", "direct file https://cdn.example/song.flac"),
    ("https://cdn.example/pic%20ture.jpeg", "direct file https://cdn.example/pic%20ture.jpeg"),
    ("https://127.0.0.1/a.mp4", "direct file https://127.0.0.1/a.mp4"),
    ("https://pbs.twimg.com/media/AbC.jpg", "direct file https://pbs.twimg.com/media/AbC.jpg"),
    (
        "https://pbs.twimg.com/media/AbC?format=jpg&name=orig",
        "direct file https://pbs.twimg.com/media/AbC?format=jpg&name=orig",
    ),
    ("https://pbs.twimg.com/media/AbC?format=html", "generic"),
    ("https://evil.example/media/AbC?format=jpg", "generic"),
    ("https://cdn.example/mp4", "generic"),
    ("https://cdn.example/.mp4", "generic"),
    ("https://cdn.example/clip.mp4.html", "generic"),
    ("https://cdn.example/?file=clip.mp4", "generic"),
    ("https://clip.mp4/", "generic"),
    ("https://u:p@cdn.example/clip.mp4", "nothing"),
];

/// The platform.
pub struct Direct;

impl Platform for Direct {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Direct link"
    }

    fn domains(&self) -> &'static [&'static str] {
        &[]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        link::is_routable(url).then_some(())?;
        file_type(url)?;
        let canonical = link::without_tracking(url);
        Some(Resource::new(ID, ResourceKind::File, canonical.as_str(), canonical.clone()))
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        vec![CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "loads a plain file too",
        }]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }
}

/// How long the first bytes of a file may take.
const PEEK_TIMEOUT: Duration = Duration::from_secs(20);

#[async_trait]
impl Extractor for Direct {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let late = |_| Error::new(Kind::Timeout, format!("the first bytes did not come within {PEEK_TIMEOUT:?}"));
        let peeked = tokio::time::timeout(PEEK_TIMEOUT, peek(&resource.canonical, cx.client)).await.map_err(late)??;
        describe(resource, &peeked)
    }
}

/// What the start of a file tells.
#[derive(Debug)]
struct Peeked {
    first: Vec<u8>,
    content_type: Option<String>,
    /// Bytes in all, if the server says so.
    total: Option<u64>,
}

/// Asks for the first bytes only; a server that sends the whole instead is cut off.
async fn peek(url: &Url, client: &net::Client) -> Result<Peeked> {
    let range = format!("bytes=0-{}", sniff::ENOUGH - 1);
    let ask = |ranged: bool| {
        let request = client.get(url)?.header(header::ACCEPT_ENCODING, "identity");
        Ok::<_, Error>(if ranged { request.header(header::RANGE, &range) } else { request })
    };
    let mut response = client.send(ask(true)?).await?;
    if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
        response = client.send(ask(false)?).await?;
    }
    let mut response = net::check_status(response)?;
    let (total, content_type) = (total(&response), header_text(&response, header::CONTENT_TYPE));
    let mut first = Vec::new();
    while first.len() < sniff::ENOUGH
        && let Some(chunk) = response.chunk().await.map_err(net::fault)?
    {
        first.extend(chunk.iter().take(sniff::ENOUGH - first.len()));
    }
    Ok(Peeked { first, content_type, total })
}

fn header_text(response: &Response, name: header::HeaderName) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Bytes of the whole file, from either kind of answer.
fn total(response: &Response) -> Option<u64> {
    if response.status() == StatusCode::PARTIAL_CONTENT {
        return header_text(response, header::CONTENT_RANGE)?.rsplit_once('/')?.1.parse().ok();
    }
    response.content_length()
}

/// Metadata of a file, or why it is none that can be delivered.
fn describe(resource: &Resource, peeked: &Peeked) -> Result<MediaMetadata> {
    let (kind, mime, extension) = match sniff::served(&peeked.first, peeked.content_type.as_deref()) {
        Served::Media { kind, mime, extension } => (kind, mime, extension),
        Served::Text => {
            return Err(Error::new(Kind::NoMedia, "a direct link leads to text")
                .with_detail("the link leads to a web page or text, not to a media file"));
        }
        Served::Unknown => {
            return Err(Error::new(Kind::NoMedia, "a direct link leads to a file of an unknown type")
                .with_detail("the file is no picture, video or sound that I know"));
        }
    };
    let url = &resource.canonical;
    let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    let rendition = Rendition {
        container: extension.map(str::to_owned).or_else(|| text::extension(url)),
        bytes: peeked.total,
        bytes_exact: peeked.total.is_some(),
        ..Rendition::at(url.clone())
    };
    let mut metadata = MediaMetadata {
        platform: ID.0.to_owned(),
        url: url.to_string(),
        id: resource.id.clone(),
        title: text::non_empty(stem),
        items: vec![Item::new(kind, vec![rendition])],
        ..MediaMetadata::default()
    };
    metadata.platform_data.insert("mime_type".into(), mime.into());
    Ok(metadata)
}

/// What the extension promises, if it is one of a media file.
fn file_type(url: &Url) -> Option<FileType> {
    let name = url.path_segments()?.next_back()?;
    // The one well-known host that names the type in the query instead.
    let in_query = || {
        (url.domain() == Some("pbs.twimg.com")).then_some(())?;
        url.query_pairs().find(|(key, _)| key == "format").map(|(_, value)| value.into_owned())
    };
    let extension = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => extension.to_owned(),
        _ => in_query()?,
    };
    EXTENSIONS.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(link: &str, first: &[u8], content_type: Option<&str>) -> Result<MediaMetadata> {
        let resource = Direct.route(&Url::parse(link).unwrap()).unwrap();
        describe(
            &resource,
            &Peeked { first: first.to_vec(), content_type: content_type.map(str::to_owned), total: Some(9) },
        )
    }

    #[test]
    fn the_content_decides_and_the_extension_only_hints() {
        let mp4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
        let file = described("https://a.example/My%20clip.mp4?x=1", mp4, Some("application/octet-stream")).unwrap();
        assert_eq!(file.title.as_deref(), Some("My clip"));
        assert_eq!(file.items[0].kind, FileType::Video);
        let rendition = &file.items[0].renditions[0];
        assert_eq!((rendition.bytes, rendition.bytes_exact), (Some(9), true));
        assert_eq!(rendition.container.as_deref(), Some("mp4"));
        assert_eq!(file.platform_data["mime_type"], "video/mp4");

        let mislabelled = described("https://a.example/clip.mp4", b"\xff\xd8\xff\xe0\0\x10JFIF\0", Some("video/mp4"));
        let mislabelled = mislabelled.unwrap();
        assert_eq!(mislabelled.items[0].kind, FileType::Image);
        assert_eq!(mislabelled.items[0].renditions[0].container.as_deref(), Some("jpg"));
    }

    #[test]
    fn pages_and_programs_are_no_media_whatever_they_are_called() {
        for (first, content_type, words) in [
            (&b"<!DOCTYPE html>"[..], Some("video/mp4"), "web page"),
            (b"#EXTM3U\n", Some("video/mp4"), "web page"),
            (b"PK\x03\x04\x14\0\0\0", None, "no picture"),
            (b"\x01\x02", Some("application/octet-stream"), "no picture"),
        ] {
            let error = described("https://a.example/clip.mp4", first, content_type).unwrap_err();
            assert_eq!(error.code(), "no_media");
            assert!(error.user_text().contains(words), "{}", error.user_text());
        }
    }
}
