//! Bluesky: posts with pictures, a video or a GIF, and what a post quotes.
//!
//! The public AppView (`public.api.bsky.app`) shows posts to everybody. It serves pictures made smaller and videos as HLS;
//! the uploads themselves are on the author's own server (PDS), which the directory of accounts names. They are the best
//! rendition where that server can be found.
//!
//! A post's id here is `HANDLE/RKEY`: keys of posts are only unique within an account.

mod api;
mod parse;
mod refine;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::link::{Link, canonical, is_word},
};
use crate::{
    model::{Error, Kind, MediaMetadata, PlatformId, Resource, ResourceKind, Result, Tool},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("bluesky");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("bluesky"),
        PlatformSpec::param(
            "bluesky",
            "originals",
            Some("true"),
            "Whether the uploads themselves are loaded from their authors' servers rather than what Bluesky makes of them.",
        ),
    ])
}

/// Bluesky's own names, and those of mirrors of its paths that make previews.
const DOMAINS: &[&str] = &[
    "bsky.app",
    "bskye.app",
    "bskyx.app",
    "bskx.app",
    "bsyy.app",
    "bsyye.app",
    "bsyyx.app",
    "bsky.dev",
    "cbsky.app",
    "cbskye.app",
    "cbskyx.app",
    "cbsyy.app",
    "fxbsky.app",
    "fxbskye.app",
    "fxbskyx.app",
    "fxbsyy.app",
    "vxbsky.app",
    "vxbskye.app",
    "vxbskyx.app",
    "vxbsyy.app",
    "xbsky.app",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "https://bsky.app/profile/ann.bsky.social/post/3l4omssdl632g",
        "post ann.bsky.social/3l4omssdl632g https://bsky.app/profile/ann.bsky.social/post/3l4omssdl632g",
    ),
    (
        "http://www.bsky.app/profile/Ann.Bsky.Social/post/3l4omssdl632g?ref_src=embed#top",
        "post ann.bsky.social/3l4omssdl632g https://bsky.app/profile/ann.bsky.social/post/3l4omssdl632g",
    ),
    (
        "https://main.bsky.dev/profile/souris.moe/post/3l4qhp7bcs52c/",
        "post souris.moe/3l4qhp7bcs52c https://bsky.app/profile/souris.moe/post/3l4qhp7bcs52c",
    ),
    (
        "https://bsky.app/profile/souris.moe/post/3l4qhp7bcs52c/liked-by",
        "post souris.moe/3l4qhp7bcs52c https://bsky.app/profile/souris.moe/post/3l4qhp7bcs52c",
    ),
    (
        "https://bsky.app/profile/did:plc:z72i7hdynmk6r22z27h6tvur/post/3l4qhp7bcs52c",
        "post did:plc:z72i7hdynmk6r22z27h6tvur/3l4qhp7bcs52c \
         https://bsky.app/profile/did:plc:z72i7hdynmk6r22z27h6tvur/post/3l4qhp7bcs52c",
    ),
    (
        "https://bsky.app/profile/did%3Aplc%3Az72i7hdynmk6r22z27h6tvur/post/3l4qhp7bcs52c",
        "post did:plc:z72i7hdynmk6r22z27h6tvur/3l4qhp7bcs52c \
         https://bsky.app/profile/did:plc:z72i7hdynmk6r22z27h6tvur/post/3l4qhp7bcs52c",
    ),
    (
        "https://bsky.app/profile/did:web:de1.tentacle.expert/post/3l3w4tnezek2e",
        "post did:web:de1.tentacle.expert/3l3w4tnezek2e \
         https://bsky.app/profile/did:web:de1.tentacle.expert/post/3l3w4tnezek2e",
    ),
    (
        "https://embed.bsky.app/embed/did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3l4qhp7bcs52c?id=7",
        "post did:plc:z72i7hdynmk6r22z27h6tvur/3l4qhp7bcs52c \
         https://bsky.app/profile/did:plc:z72i7hdynmk6r22z27h6tvur/post/3l4qhp7bcs52c",
    ),
    (
        "https://fxbsky.app/profile/souris.moe/post/3l4qhp7bcs52c/photo/1",
        "post souris.moe/3l4qhp7bcs52c https://bsky.app/profile/souris.moe/post/3l4qhp7bcs52c",
    ),
    (
        "https://bskx.app/profile/souris.moe/post/3l4qhp7bcs52c",
        "post souris.moe/3l4qhp7bcs52c https://bsky.app/profile/souris.moe/post/3l4qhp7bcs52c",
    ),
    (
        "https://bsyy.app/profile/@souris.moe/post/3l4qhp7bcs52c",
        "post souris.moe/3l4qhp7bcs52c https://bsky.app/profile/souris.moe/post/3l4qhp7bcs52c",
    ),
    ("https://bsky.app/profile/bsky.app", "profile bsky.app https://bsky.app/profile/bsky.app"),
    ("https://vxbsky.app/profile/bsky.app/media", "profile bsky.app https://bsky.app/profile/bsky.app"),
    (
        "https://bsky.app/profile/bsky.app/feed/whats-hot",
        "playlist bsky.app/feed/whats-hot https://bsky.app/profile/bsky.app/feed/whats-hot",
    ),
    (
        "https://bsky.app/profile/bsky.app/lists/3abc",
        "playlist bsky.app/lists/3abc https://bsky.app/profile/bsky.app/lists/3abc",
    ),
    ("https://bsky.app/hashtag/nature", "playlist hashtag/nature https://bsky.app/hashtag/nature"),
    ("https://bsky.app/", "generic"),
    ("https://bsky.app/settings", "generic"),
    ("https://bsky.app/search?q=cats", "generic"),
    ("https://bsky.app/profile/", "generic"),
    ("https://bsky.app/profile/ann/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app/profile/ann..b.social/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app/profile/-ann.social/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app/profile/did:key:zQ3sh/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app/profile/did:plc:short/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app/profile/did:web:a%2Fb.example/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app/profile/souris.moe/post/", "generic"),
    ("https://bsky.app/profile/souris.moe/post/3l4q%2Fhp7", "generic"),
    ("https://evil.bsky.app/profile/souris.moe/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app.evil.example/profile/souris.moe/post/3l4qhp7bcs52c", "generic"),
    ("https://notbsky.app/profile/souris.moe/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.social/profile/souris.moe/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app:8443/profile/souris.moe/post/3l4qhp7bcs52c", "generic"),
    ("https://bsky.app@evil.example/profile/souris.moe/post/3l4qhp7bcs52c", "nothing"),
];

/// The platform.
#[derive(Default)]
pub struct Bluesky {
    api: api::Api,
}

impl Platform for Bluesky {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Bluesky"
    }

    fn domains(&self) -> &'static [&'static str] {
        DOMAINS
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if link.host() == "embed.bsky.app" {
            return match link.segments() {
                ["embed", actor, "app.bsky.feed.post", key] => post(actor, key),
                _ => None,
            };
        }
        let name = link.host().strip_prefix("www.").unwrap_or(link.host());
        if name != "main.bsky.dev" && (name == "bsky.dev" || !DOMAINS.contains(&name)) {
            return None;
        }
        match link.segments() {
            ["profile", actor, "post", key, ..] => post(actor, key),
            ["profile", actor] | ["profile", actor, "posts" | "replies" | "media" | "video" | "likes"] => {
                let actor = account(actor)?;
                let canonical = canonical("https://bsky.app/profile/", &actor)?;
                Some(Resource::new(ID, ResourceKind::Profile, actor, canonical))
            }
            ["profile", actor, of @ ("feed" | "lists"), name] if is_word(name, "_-", 1..=64) => {
                list(&format!("{}/{of}/{name}", account(actor)?), "https://bsky.app/profile/")
            }
            ["hashtag", tag, ..] if is_word(tag, "_", 1..=64) => list(&format!("hashtag/{tag}"), "https://bsky.app/"),
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "loads the uploads themselves, pictures and videos",
        };
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["bluesky", "youtube", "bandcamp", "soundcloud", "vimeo", "twitch:clips"],
            args: Vec::new(),
            why: "loads videos, also those of quoted posts and of sites that a post links to",
        };
        if resource.kind == ResourceKind::Post { vec![gallery_dl, yt_dlp] } else { vec![gallery_dl] }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        if resource.kind == ResourceKind::Post {
            refine::refine(resource, tool, raw, metadata);
        }
    }
}

#[async_trait]
impl Extractor for Bluesky {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        match resource.kind {
            ResourceKind::Post => self.api.post(resource, cx).await,
            _ => Err(Error::new(Kind::UnsupportedUrl, "not a link to a post")
                .with_detail("this is somebody's page or a whole feed")),
        }
    }
}

fn post(actor: &str, key: &str) -> Option<Resource> {
    let actor = account(actor)?;
    // Keys are mostly timestamps of 13 letters; others are allowed: <https://atproto.com/specs/record-key>.
    is_word(key, "_-", 1..=64).then_some(())?;
    let canonical = canonical("https://bsky.app/profile/", &format!("{actor}/post/{key}"))?;
    Some(Resource::new(ID, ResourceKind::Post, format!("{actor}/{key}"), canonical))
}

fn list(id: &str, start: &str) -> Option<Resource> {
    Some(Resource::new(ID, ResourceKind::Playlist, id, canonical(start, id)?))
}

/// An account by its handle (a host name, in lower case) or its DID: <https://atproto.com/specs/did>.
fn account(part: &str) -> Option<String> {
    let part = part.replace("%3A", ":").replace("%3a", ":");
    let part = part.strip_prefix('@').unwrap_or(&part);
    if let Some(key) = part.strip_prefix("did:plc:") {
        return is_word(key, "", 24..=24).then(|| part.to_owned());
    }
    let host = part.strip_prefix("did:web:").unwrap_or(part);
    is_host(host).then(|| part.to_ascii_lowercase())
}

/// Whether a text is a host name of at least two plain labels.
fn is_host(text: &str) -> bool {
    let label = |label: &str| is_word(label, "-", 1..=63) && !label.starts_with('-') && !label.ends_with('-');
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}
