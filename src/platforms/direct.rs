//! Links to media files themselves, on any host, known by their extension. The file's own type is checked when it is
//! loaded: an extension is only a hint.

use url::Url;

use super::{CliTool, Platform, common::link};
use crate::model::{FileType, PlatformId, Resource, ResourceKind, Tool};

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
pub const LINKS: &[(&str, &str)] = &[
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
