//! Mastodon and what speaks its API (Pleroma, Akkoma, GoToSocial …), on any host.
//!
//! Well-known servers are recognised by their names. On other hosts a link is taken for a post by its shape, unless the
//! operator forbids that; before the host's API is asked, its NodeInfo must say that it runs such software
//! (<https://nodeinfo.diaspora.software/protocol>). Where it does not, the link is handed to the tools as any other.
//!
//! A post's id here is `HOST/ID`: ids are only unique on a server.

mod api;
mod parse;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::link::{Link, canonical, is_word},
};
use crate::{
    model::{Error, Kind, MediaMetadata, PlatformId, Resource, ResourceKind, Result, Tool},
    settings::{PlatformSettings, PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("mastodon");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("mastodon"),
        PlatformSpec::param(
            "mastodon",
            "any_host",
            Some("true"),
            "Whether links on unknown servers that look like posts are tried: the server is asked what software it runs.",
        ),
    ])
}

/// Servers that need not be asked what they run.
const SERVERS: &[&str] = &[
    "aethy.com",
    "aus.social",
    "baraag.net",
    "c.im",
    "chaos.social",
    "fedibird.com",
    "floss.social",
    "fosstodon.org",
    "framapiaf.org",
    "hachyderm.io",
    "indieweb.social",
    "infosec.exchange",
    "ioc.exchange",
    "journa.host",
    "kolektiva.social",
    "mas.to",
    "mastodon.art",
    "mastodon.cloud",
    "mastodon.gamedev.place",
    "mastodon.nl",
    "mastodon.nz",
    "mastodon.online",
    "mastodon.sdf.org",
    "mastodon.social",
    "mastodon.world",
    "mastodonapp.uk",
    "mathstodon.xyz",
    "mstdn.jp",
    "mstdn.party",
    "mstdn.social",
    "octodon.social",
    "pawoo.net",
    "piaille.fr",
    "qoto.org",
    "sfba.social",
    "social.vivaldi.net",
    "tech.lgbt",
    "techhub.social",
    "toot.community",
    "troet.cafe",
    "universeodon.com",
];

/// Those that gallery-dl knows by itself.
const GALLERY_DL: &[&str] = &["aethy.com", "baraag.net", "mastodon.art", "mastodon.social", "pawoo.net"];

/// Digits of the ids that servers give since 2018: shorter numbers on unknown hosts mean too many other things.
const LONG_ID: std::ops::RangeInclusive<usize> = 15..=20;

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "https://mastodon.social/@ann/109876543210987654",
        "post mastodon.social/109876543210987654 https://mastodon.social/@ann/109876543210987654",
    ),
    (
        "https://mastodon.social/@ann/109876543210987654?utm_source=x#top",
        "post mastodon.social/109876543210987654 https://mastodon.social/@ann/109876543210987654",
    ),
    (
        "https://mastodon.social/@ann@art.example/109876543210987654/",
        "post mastodon.social/109876543210987654 https://mastodon.social/@ann@art.example/109876543210987654",
    ),
    (
        "https://mastodon.social/users/ann/statuses/109876543210987654",
        "post mastodon.social/109876543210987654 https://mastodon.social/@ann/109876543210987654",
    ),
    (
        "https://mastodon.social/web/@ann/109876543210987654",
        "post mastodon.social/109876543210987654 https://mastodon.social/@ann/109876543210987654",
    ),
    (
        "https://mastodon.social/deck/@ann/109876543210987654/embed",
        "post mastodon.social/109876543210987654 https://mastodon.social/@ann/109876543210987654",
    ),
    (
        "https://mastodon.social/web/statuses/109876543210987654",
        "post mastodon.social/109876543210987654 https://mastodon.social/web/statuses/109876543210987654",
    ),
    ("https://pawoo.net/@zasu/13038", "post pawoo.net/13038 https://pawoo.net/@zasu/13038"),
    (
        "https://toots.unknown.example/@ann/109876543210987654",
        "post toots.unknown.example/109876543210987654 https://toots.unknown.example/@ann/109876543210987654",
    ),
    (
        "https://toots.unknown.example/users/ann/statuses/109876543210987654",
        "post toots.unknown.example/109876543210987654 https://toots.unknown.example/@ann/109876543210987654",
    ),
    (
        "https://pleroma.example/notice/A5kqSmfSdh0hFvSKoi",
        "post pleroma.example/A5kqSmfSdh0hFvSKoi https://pleroma.example/notice/A5kqSmfSdh0hFvSKoi",
    ),
    (
        "https://akkoma.example/@ann/posts/A5kqSmfSdh0hFvSKoi",
        "post akkoma.example/A5kqSmfSdh0hFvSKoi https://akkoma.example/notice/A5kqSmfSdh0hFvSKoi",
    ),
    ("https://mastodon.social/@ann", "profile mastodon.social/@ann https://mastodon.social/@ann"),
    ("https://mastodon.art/users/ann/media", "profile mastodon.art/@ann https://mastodon.art/@ann"),
    ("https://mastodon.social/", "generic"),
    ("https://mastodon.social/about", "generic"),
    ("https://mastodon.social/@ann/followers", "generic"),
    ("https://mastodon.social/@ann/10987x", "generic"),
    ("https://mastodon.social/@/109876543210987654", "generic"),
    ("https://mastodon.social/@a%2Fb/109876543210987654", "generic"),
    ("https://toots.unknown.example/@ann", "generic"),
    ("https://toots.unknown.example/@ann/1234567890", "generic"),
    ("https://toots.unknown.example/@ann/109876543210987654321", "generic"),
    ("https://toots.unknown.example/@ann/109876543210987654/more/parts", "generic"),
    ("https://toots.unknown.example/notice/12345", "generic"),
    ("https://toots.unknown.example:3000/@ann/109876543210987654", "generic"),
    ("https://10.0.0.1/@ann/109876543210987654", "generic"),
    ("https://localhost/@ann/109876543210987654", "generic"),
    ("https://medium.com/@ann/a-story-1a2b3c4d5e6f", "generic"),
    ("https://odysee.com/@ann:1/a-video:2", "generic"),
    ("https://truthsocial.com/@ann/posts/108779000807761862", "generic"),
    ("https://mastodon.social@evil.example/@ann/109876543210987654", "nothing"),
];

/// The platform.
pub struct Mastodon {
    any_host: bool,
    /// Whether yt-dlp's generic extractor may look at what turns out to be no such server.
    allow_generic: bool,
    api: api::Api,
}

impl Mastodon {
    /// With its settings, and whether yt-dlp's generic extractor may be used.
    pub fn new(settings: Option<&PlatformSettings>, allow_generic: bool) -> Self {
        let any_host = settings.and_then(|settings| settings.param(ID.0, "any_host"));
        Self { any_host: any_host != Some("false"), allow_generic, api: api::Api::default() }
    }
}

impl Platform for Mastodon {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Mastodon"
    }

    fn domains(&self) -> &'static [&'static str] {
        SERVERS
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        let host = link.host();
        let known = SERVERS.contains(&host);
        if !known && (!self.any_host || !host.contains('.')) {
            return None;
        }
        let segments = match link.segments() {
            ["web" | "deck", rest @ ..] => rest,
            all => all,
        };
        let is_id = |id: &str| {
            id.bytes().all(|b| b.is_ascii_digit())
                && (LONG_ID.contains(&id.len()) || known && (1..=20).contains(&id.len()))
        };
        match segments {
            ["statuses", id] if is_id(id) => post(host, id, "web/statuses"),
            [at, id] | [at, id, "embed"] if is_id(id) => post(host, id, &format!("@{}", user(at.strip_prefix('@')?)?)),
            ["users", name, "statuses", id] if is_id(id) => post(host, id, &format!("@{}", user(name)?)),
            ["notice", id] if is_flake(id) => post(host, id, "notice"),
            [at, "posts", id] if is_flake(id) => {
                user(at.strip_prefix('@')?)?;
                post(host, id, "notice")
            }
            [at] if known => profile(host, at.strip_prefix('@')?),
            [at, "media"] if known && at.starts_with('@') => profile(host, at.strip_prefix('@')?),
            ["users", name] | ["users", name, "media"] if known => profile(host, name),
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let by_gallery_dl = resource.canonical.host_str().is_some_and(|host| GALLERY_DL.contains(&host));
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "knows this server",
        };
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: if self.allow_generic { vec!["default"] } else { Vec::new() },
            args: Vec::new(),
            why: "knows most sites, should this be another kind of site",
        };
        match (by_gallery_dl, SERVERS.iter().any(|server| resource.canonical.host_str() == Some(server))) {
            (true, _) => vec![gallery_dl],
            (false, true) => Vec::new(),
            (false, false) => vec![yt_dlp],
        }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        if tool == Tool::GalleryDl && resource.kind == ResourceKind::Post {
            parse::refine(resource, raw, metadata);
        }
    }
}

#[async_trait]
impl Extractor for Mastodon {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.kind != ResourceKind::Post {
            return Err(Error::new(Kind::UnsupportedUrl, "not a link to a post").with_detail("this is somebody's page"));
        }
        let known = resource.canonical.host_str().is_some_and(|host| SERVERS.contains(&host));
        self.api.post(resource, known, cx).await
    }
}

/// `https://HOST/PAGE/ID`.
fn post(host: &str, id: &str, page: &str) -> Option<Resource> {
    let canonical = canonical("https://", &format!("{host}/{page}/{id}"))?;
    Some(Resource::new(ID, ResourceKind::Post, format!("{host}/{id}"), canonical))
}

fn profile(host: &str, name: &str) -> Option<Resource> {
    let name = format!("{host}/@{}", user(name)?);
    let canonical = canonical("https://", &name)?;
    Some(Resource::new(ID, ResourceKind::Profile, name, canonical))
}

/// `ann`, or `ann@art.example` for somebody of another server.
fn user(text: &str) -> Option<&str> {
    let (name, server) = text.split_once('@').unwrap_or((text, "here"));
    (is_word(name, "_-.", 1..=64) && is_word(server, "-.", 1..=253)).then_some(text)
}

/// A Pleroma id: 18 letters, capitals and digits among them.
fn is_flake(id: &str) -> bool {
    is_word(id, "", 18..=18) && id.bytes().any(|b| b.is_ascii_uppercase()) && id.bytes().any(|b| b.is_ascii_lowercase())
}
