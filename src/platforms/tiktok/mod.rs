//! TikTok: videos, and slideshows of photos with their sound.
//!
//! Routed: posts under all the addresses that the site, its embeds and its apps use, hosts that people use to get better
//! previews (`vxtiktok.com` …), and the short links of the apps. The handle in a link is decoration, so a canonical link
//! has `@_` in its place; whether a link said "video" or "photo" stays in it, because only gallery-dl knows slideshows.
//!
//! In process the page of a post is read: it carries the post's data in a script, and sets the visitor's cookie that the
//! file hosts want to see again. A page that wants work done first (a number whose hash is told) gets it done.

mod challenge;
mod page;
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
pub const ID: PlatformId = PlatformId("tiktok");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("tiktok")]) }

/// The site, its mobile spelling, the host that its apps share, and hosts that mirror its paths to make previews.
const HOSTS: &[&str] = &[
    "tiktok.com",
    "www.tiktok.com",
    "m.tiktok.com",
    "us.tiktok.com",
    "lite.tiktok.com",
    "tiktokv.com",
    "www.tiktokv.com",
    "m.tiktokv.com",
    "vxtiktok.com",
    "www.vxtiktok.com",
    "tnktok.com",
    "www.tnktok.com",
    "a.tnktok.com",
    "d.tnktok.com",
    "tfxktok.com",
    "www.tfxktok.com",
];

/// Hosts of the apps' short links, and whose they are in truth.
const SHORT_HOSTS: &[(&str, &str)] = &[
    ("vm.tiktok.com", "vm.tiktok.com"),
    ("vt.tiktok.com", "vt.tiktok.com"),
    ("vm.vxtiktok.com", "vm.tiktok.com"),
    ("vt.vxtiktok.com", "vt.tiktok.com"),
    ("vm.tnktok.com", "vm.tiktok.com"),
    ("vt.tnktok.com", "vt.tiktok.com"),
    ("vm.tfxktok.com", "vm.tiktok.com"),
    ("vt.tfxktok.com", "vt.tiktok.com"),
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "https://www.tiktok.com/@leena.b_1/video/6748451240264420610",
        "video 6748451240264420610 https://www.tiktok.com/@_/video/6748451240264420610",
    ),
    ("https://tiktok.com/@a/video/6748451240264420610?is_from_webapp=1&sender_device=pc", VIDEO),
    ("https://m.tiktok.com/@a/video/6748451240264420610", VIDEO),
    ("http://www.tiktok.com/@/video/6748451240264420610/", VIDEO),
    ("https://www.tiktok.com/@_/video/6748451240264420610", VIDEO),
    ("https://www.tiktok.com/@MS4wLjABAAAATh8Vewkn0-LYM7Fo03_/video/6748451240264420610", VIDEO),
    ("https://www.tiktok.com/@a/video/6748451240264420610?lang=en#x", VIDEO),
    ("https://WWW.TIKTOK.COM./@a/video/6748451240264420610", VIDEO),
    ("https://www.tiktok.com/embed/6748451240264420610", VIDEO),
    ("https://www.tiktok.com/embed/v2/6748451240264420610?lang=en", VIDEO),
    ("https://www.tiktok.com/embed/v3/6748451240264420610", VIDEO),
    ("https://www.tiktok.com/player/v1/6748451240264420610?autoplay=1", VIDEO),
    ("https://www.tiktok.com/share/video/6748451240264420610/", VIDEO),
    ("https://www.tiktokv.com/share/video/6748451240264420610/", VIDEO),
    ("https://m.tiktok.com/v/6748451240264420610.html?u_code=d1&preview_pb=0", VIDEO),
    ("https://www.tiktok.com/v/6748451240264420610", VIDEO),
    ("https://www.tiktok.com/video/6748451240264420610", VIDEO),
    ("https://vxtiktok.com/@a/video/6748451240264420610", VIDEO),
    ("https://www.tnktok.com/@a/video/6748451240264420610", VIDEO),
    (
        "https://www.tiktok.com/@a/photo/7253412088251534594",
        "post 7253412088251534594 https://www.tiktok.com/@_/photo/7253412088251534594",
    ),
    (
        "https://www.tiktok.com/@/photo/7253412088251534594?_r=1",
        "post 7253412088251534594 https://www.tiktok.com/@_/photo/7253412088251534594",
    ),
    (
        "https://www.tiktok.com/share/photo/7253412088251534594",
        "post 7253412088251534594 https://www.tiktok.com/@_/photo/7253412088251534594",
    ),
    ("https://vm.tiktok.com/ZTR45GpSF/", "short_link ZTR45GpSF https://vm.tiktok.com/ZTR45GpSF/"),
    ("https://vt.tiktok.com/ZSe4FqkKd", "short_link ZSe4FqkKd https://vt.tiktok.com/ZSe4FqkKd/"),
    ("https://vm.vxtiktok.com/ZTR45GpSF", "short_link ZTR45GpSF https://vm.tiktok.com/ZTR45GpSF/"),
    ("https://www.tiktok.com/t/ZTRC5xgJp", "short_link ZTRC5xgJp https://www.tiktok.com/t/ZTRC5xgJp/"),
    ("https://tiktok.com/t/ZTRC5xgJp/?k=1", "short_link ZTRC5xgJp https://www.tiktok.com/t/ZTRC5xgJp/"),
    ("https://www.tiktok.com/@Leena.B", "profile leena.b https://www.tiktok.com/@leena.b"),
    ("https://www.tiktok.com/@leena.b/?lang=en", "profile leena.b https://www.tiktok.com/@leena.b"),
    ("https://m.tiktok.com/@leena.b", "profile leena.b https://www.tiktok.com/@leena.b"),
    (
        "https://www.tiktok.com/@a/playlist/Cats-7111887189571160875",
        "playlist playlist/7111887189571160875 https://www.tiktok.com/@_/playlist/_-7111887189571160875",
    ),
    (
        "https://www.tiktok.com/@a/collection/count-test-7371330159376370462",
        "playlist collection/7371330159376370462 https://www.tiktok.com/@_/collection/_-7371330159376370462",
    ),
    ("https://www.tiktok.com/tag/Cats", "playlist tag/cats https://www.tiktok.com/tag/cats"),
    (
        "https://www.tiktok.com/music/Build-a-Bitch-6956990112127585029?lang=en",
        "playlist music/6956990112127585029 https://www.tiktok.com/music/_-6956990112127585029",
    ),
    ("https://www.tiktok.com/@a/live", "unknown https://www.tiktok.com/@a/live https://www.tiktok.com/@a/live"),
    (
        "https://m.tiktok.com/share/live/7209423610325322522/?language=en",
        "unknown https://m.tiktok.com/share/live/7209423610325322522 https://m.tiktok.com/share/live/7209423610325322522",
    ),
    ("https://www.tiktok.com/@leena.b/posts", "profile leena.b https://www.tiktok.com/@leena.b"),
    ("https://www.tiktok.com/", "generic"),
    ("https://www.tiktok.com/foryou", "generic"),
    ("https://www.tiktok.com/explore", "generic"),
    ("https://www.tiktok.com/login", "generic"),
    ("https://www.tiktok.com/t/", "generic"),
    ("https://www.tiktok.com/t/a%2Fb", "generic"),
    ("https://vm.tiktok.com/", "generic"),
    ("https://vm.tiktok.com/a/b", "generic"),
    ("https://www.tiktok.com/@a/video/", "generic"),
    ("https://www.tiktok.com/@a/video/abc", "generic"),
    ("https://www.tiktok.com/@a/video/-6748451240264420610", "generic"),
    ("https://www.tiktok.com/@a/video/0", "generic"),
    ("https://www.tiktok.com/@a/video/999999999999999999999999", "generic"),
    ("https://www.tiktok.com/@a%2Fb/video/6748451240264420610", "generic"),
    ("https://www.tiktok.com/a/video/6748451240264420610", "generic"),
    ("https://www.tiktok.com/tag/a%20b%2F", "generic"),
    ("https://www.tiktok.com:8443/@a/video/6748451240264420610", "generic"),
    ("https://www.tiktok.com.evil.example/@a/video/6748451240264420610", "generic"),
    ("https://eviltiktok.com/@a/video/6748451240264420610", "generic"),
    ("https://evil.tiktok.com/@a/video/6748451240264420610", "generic"),
    ("https://www.tiktok.co/@a/video/6748451240264420610", "generic"),
    ("https://www.tiktοk.com/@a/video/6748451240264420610", "generic"),
    ("https://evil.example/www.tiktok.com/@a/video/6748451240264420610", "generic"),
    ("https://www.tiktok.com@evil.example/@a/video/6748451240264420610", "nothing"),
    ("https://user@www.tiktok.com/@a/video/6748451240264420610", "nothing"),
];

#[cfg(test)]
const VIDEO: &str = "video 6748451240264420610 https://www.tiktok.com/@_/video/6748451240264420610";

/// The platform.
pub struct Tiktok;

#[async_trait]
impl Extractor for Tiktok {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        match resource.kind {
            ResourceKind::Video | ResourceKind::Post => page::post(resource, cx).await,
            _ => Err(Error::new(Kind::UnsupportedUrl, "lists and broadcasts are for the tools")),
        }
    }
}

impl Platform for Tiktok {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "TikTok"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["tiktok.com", "tiktokv.com", "vxtiktok.com", "tnktok.com", "tfxktok.com"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if let Some((_, host)) = SHORT_HOSTS.iter().find(|(spelling, _)| *spelling == link.host()) {
            let [token] = link.segments() else { return None };
            return short(&format!("{host}/"), token);
        }
        if !HOSTS.contains(&link.host()) {
            return None;
        }
        match link.segments() {
            ["t", token] => short("www.tiktok.com/t/", token),
            [user, kind @ ("video" | "photo"), id, ..] if handle(user).is_some() => post(kind, id),
            ["share", kind @ ("video" | "photo"), id, ..] => post(kind, id),
            ["video" | "v" | "embed", id] | ["embed", "v2" | "v3", id] | ["player", "v1", id] => post("video", id),
            ["share", "live", id] => {
                let canonical = canonical("https://m.tiktok.com/share/live/", number(id)?)?;
                Some(Resource::new(ID, ResourceKind::Unknown, canonical.to_string(), canonical))
            }
            [user, "live"] => {
                let user = handle(user).filter(|user| !user.is_empty())?;
                let canonical = canonical("https://www.tiktok.com/@", &format!("{user}/live"))?;
                Some(Resource::new(ID, ResourceKind::Unknown, canonical.to_string(), canonical))
            }
            [user, kind @ ("playlist" | "collection"), name] if handle(user).is_some() => {
                list(&format!("@_/{kind}/_-"), kind, counted(name)?)
            }
            ["music", name] => list("music/_-", "music", counted(name)?),
            ["tag", name] if is_word(name, "_", 1..=100) => {
                let name = name.to_ascii_lowercase();
                list("tag/", "tag", &name)
            }
            [user] | [user, "posts" | "reposts" | "liked"] => {
                let user = handle(user).filter(|user| !user.is_empty())?;
                let canonical = canonical("https://www.tiktok.com/@", &user)?;
                Some(Resource::new(ID, ResourceKind::Profile, user, canonical))
            }
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let tool = |tool, why| CliTool {
            tool,
            url: resource.canonical.clone(),
            extractors: if tool == Tool::YtDlp { vec!["tiktok.*"] } else { Vec::new() },
            args: Vec::new(),
            why,
        };
        match resource.kind {
            ResourceKind::Video => vec![
                tool(Tool::YtDlp, "chooses among all versions of a video"),
                tool(Tool::GalleryDl, "takes over when the link leads to a slideshow"),
            ],
            ResourceKind::Post => vec![tool(Tool::GalleryDl, "loads a slideshow and its sound; yt-dlp knows none")],
            ResourceKind::Profile => vec![tool(Tool::YtDlp, "lists the videos of a page")],
            // What stands under a tag or a sound no tool can list at present.
            ResourceKind::Playlist if resource.id.starts_with("collection/") => {
                vec![tool(Tool::YtDlp, "lists the videos of a collection")]
            }
            ResourceKind::Unknown => vec![tool(Tool::YtDlp, "tells whether a broadcast is on")],
            _ => Vec::new(),
        }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        refine::refine(resource, tool, raw, metadata);
    }
}

/// The handle behind an `@`, in lower case; it may be empty, as in some shared links.
fn handle(part: &str) -> Option<String> {
    let handle = part.strip_prefix('@')?;
    is_word(handle, "._-", 0..=80).then(|| handle.to_ascii_lowercase())
}

/// A post by its number. `kind` is what the link calls it.
fn post(kind: &str, id: &str) -> Option<Resource> {
    let id = number(id.strip_suffix(".html").unwrap_or(id))?;
    let (kind, path) = if kind == "photo" { (ResourceKind::Post, "photo") } else { (ResourceKind::Video, "video") };
    let canonical = canonical("https://www.tiktok.com/@_/", &format!("{path}/{id}"))?;
    Some(Resource::new(ID, kind, id, canonical))
}

/// A short link; `place` is its host and path without the scheme.
fn short(place: &str, token: &str) -> Option<Resource> {
    is_word(token, "_-", 5..=24).then_some(())?;
    let canonical = canonical("https://", &format!("{place}{token}/"))?;
    Some(Resource::new(ID, ResourceKind::ShortLink, token, canonical))
}

/// A list of posts.
fn list(path: &str, kind: &str, id: &str) -> Option<Resource> {
    let canonical = canonical("https://www.tiktok.com/", &format!("{path}{id}"))?;
    Some(Resource::new(ID, ResourceKind::Playlist, format!("{kind}/{id}"), canonical))
}

/// The number at the end of a name such as `Build-a-Bitch-6956990112127585029`.
fn counted(name: &str) -> Option<&str> {
    let (_, id) = name.rsplit_once('-')?;
    number(id).map(|_| id)
}

/// Ids are 64-bit numbers without a leading zero.
fn number(id: &str) -> Option<&str> {
    let plain = is_word(id, "", 1..=20) && !id.starts_with('0');
    plain.then(|| id.parse::<u64>().ok()).flatten().map(|_| id)
}
