//! Instagram: posts, reels, carousels, stories and highlights.
//!
//! In process, without an account: the page of a post carries its record in a script; where the page is held back, the
//! query that it would ask (its `doc_id` is a setting), and then the page that other sites embed. With the operator's
//! session the web application's own API answers at once, and stories can be seen at all.
//!
//! A shortcode means the same post under `/p/`, `/reel/` and `/tv/`; canonical is what the link says, `/p/` or `/reel/`,
//! because yt-dlp is the better tool for reels and gallery-dl for all else.

mod api;
mod embed;
mod parse;
mod refine;
mod stories;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
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
pub const ID: PlatformId = PlatformId("instagram");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("instagram"),
        PlatformSpec::param(
            "instagram",
            "app_id",
            Some("936619743392459"),
            "The id of Instagram's web application, the same for every visitor.",
        ),
        PlatformSpec::param(
            "instagram",
            "doc_id",
            Some("27130156389949648"),
            "The id of the query that a logged-out post page asks (`PolarisLoggedOutDesktopWWWPostRootContentQuery`). It \
             changes with releases of the web application.",
        ),
    ])
}

const HOSTS: &[&str] = &[
    "instagram.com",
    "www.instagram.com",
    "m.instagram.com",
    "instagr.am",
    "www.instagr.am",
    "ddinstagram.com",
    "www.ddinstagram.com",
    "d.ddinstagram.com",
    "g.ddinstagram.com",
    "kkinstagram.com",
    "www.kkinstagram.com",
    "vxinstagram.com",
    "www.vxinstagram.com",
];

/// First path parts that are pages of the site rather than people.
const RESERVED: &[&str] = &[
    "about",
    "accounts",
    "api",
    "challenge",
    "developer",
    "direct",
    "explore",
    "graphql",
    "legal",
    "p",
    "reel",
    "reels",
    "s",
    "share",
    "stories",
    "tv",
    "web",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://www.instagram.com/p/CxYz_12-abC/", "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    ("https://instagram.com/p/CxYz_12-abC", "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    ("https://m.instagram.com/p/CxYz_12-abC", "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    ("http://instagr.am/p/CxYz_12-abC", "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    ("https://ddinstagram.com/p/CxYz_12-abC", "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    (
        "https://www.instagram.com/p/CxYz_12-abC/?img_index=3&igsh=MTIz",
        "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/",
    ),
    (
        "https://www.instagram.com/p/CxYz_12-abC/embed/captioned/",
        "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/",
    ),
    ("https://www.instagram.com/nasa/p/CxYz_12-abC/", "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    ("https://www.instagram.com/reel/CxYz_12-abC/", "video CxYz_12-abC https://www.instagram.com/reel/CxYz_12-abC/"),
    ("https://www.instagram.com/reels/CxYz_12-abC/", "video CxYz_12-abC https://www.instagram.com/reel/CxYz_12-abC/"),
    ("https://www.instagram.com/tv/CxYz_12-abC/", "video CxYz_12-abC https://www.instagram.com/reel/CxYz_12-abC/"),
    (
        "https://www.instagram.com/na.sa_1/reel/CxYz_12-abC/",
        "video CxYz_12-abC https://www.instagram.com/reel/CxYz_12-abC/",
    ),
    (
        "https://WWW.Instagram.COM./reel/CxYz_12-abC/?utm_source=ig_web_copy_link",
        "video CxYz_12-abC https://www.instagram.com/reel/CxYz_12-abC/",
    ),
    ("https://kkinstagram.com/reel/CxYz_12-abC/", "video CxYz_12-abC https://www.instagram.com/reel/CxYz_12-abC/"),
    ("https://g.ddinstagram.com/nasa/p/CxYz_12-abC/", "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    (
        "https://www.instagram.com/p/CxYz_12-abC/media/?size=l",
        "post CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/",
    ),
    ("https://www.instagram.com/share/BAbC12_x", "short_link BAbC12_x https://www.instagram.com/share/BAbC12_x"),
    ("https://www.instagram.com/share/p/BAbC12_x/", "short_link BAbC12_x https://www.instagram.com/share/p/BAbC12_x"),
    (
        "https://www.instagram.com/share/reel/BAbC12_x",
        "short_link BAbC12_x https://www.instagram.com/share/reel/BAbC12_x",
    ),
    (
        "https://www.instagram.com/stories/nasa/3141592653589793238/",
        "story 3141592653589793238 https://www.instagram.com/stories/nasa/3141592653589793238/",
    ),
    (
        "https://www.instagram.com/stories/highlights/17912345678901234/",
        "story highlights/17912345678901234 https://www.instagram.com/stories/highlights/17912345678901234/",
    ),
    (
        "https://www.instagram.com/s/aGlnaGxpZ2h0OjE3OTEyMzQ1Njc4OTAxMjM0?story_media_id=3141592653589793238_1&igsh=x",
        "story highlights/17912345678901234 https://www.instagram.com/stories/highlights/17912345678901234/",
    ),
    ("https://www.instagram.com/s/bm8gaGlnaGxpZ2h0", "generic"),
    ("https://www.instagram.com/stories/highlights/", "generic"),
    ("https://www.instagram.com/stories/nasa/", "story nasa https://www.instagram.com/stories/nasa/"),
    ("https://www.instagram.com/nasa/", "profile nasa https://www.instagram.com/nasa/"),
    ("https://www.instagram.com/NASA?hl=en", "profile nasa https://www.instagram.com/nasa/"),
    ("https://www.instagram.com/nasa/reels/", "profile nasa https://www.instagram.com/nasa/"),
    ("https://www.instagram.com/", "generic"),
    ("https://www.instagram.com/explore/", "generic"),
    ("https://www.instagram.com/explore/tags/cats/", "generic"),
    ("https://www.instagram.com/reels/audio/123456/", "generic"),
    ("https://www.instagram.com/p/", "generic"),
    ("https://www.instagram.com/p/a%2Fb/", "generic"),
    ("https://www.instagram.com.evil.example/p/CxYz_12-abC/", "generic"),
    ("https://instagram.co/p/CxYz_12-abC/", "generic"),
    ("https://evilinstagram.com/p/CxYz_12-abC/", "generic"),
    ("https://evil.instagram.com/p/CxYz_12-abC/", "generic"),
    ("https://www.instagram.com:444/p/CxYz_12-abC/", "generic"),
    ("https://www.instagram.com@evil.example/p/CxYz_12-abC/", "nothing"),
    ("https://www.ınstagram.com/p/CxYz_12-abC/", "generic"),
];

/// The platform.
pub struct Instagram;

#[async_trait]
impl Extractor for Instagram {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        match resource.kind {
            ResourceKind::Post | ResourceKind::Video => api::post(resource, cx).await,
            ResourceKind::Story => stories::story(resource, cx).await,
            _ => Err(Error::new(Kind::UnsupportedUrl, "not a link to a post").with_detail("this is somebody's page")),
        }
    }
}

impl Platform for Instagram {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Instagram"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["instagram.com", "instagr.am", "ddinstagram.com", "kkinstagram.com", "vxinstagram.com"]
    }

    fn login_cookies(&self) -> &'static [&'static str] {
        &["sessionid"]
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
        match link.segments() {
            ["share", token] => short("", token),
            ["share", kind @ ("p" | "reel" | "reels" | "tv"), token] => short(&format!("{kind}/"), token),
            ["s", token, ..] => {
                let text = String::from_utf8(STANDARD_NO_PAD.decode(token.trim_end_matches("%3D")).ok()?).ok()?;
                let id = text.strip_prefix("highlight:").filter(|id| is_word(id, "", 1..=24))?;
                story(&format!("highlights/{id}"), &format!("highlights/{id}"))
            }
            ["stories", "highlights", id] if is_word(id, "", 1..=24) => {
                story(&format!("highlights/{id}"), &format!("highlights/{id}"))
            }
            ["stories", user, id, ..] if is_handle(user) && is_word(id, "", 1..=24) => {
                story(id, &format!("{}/{id}", user.to_ascii_lowercase()))
            }
            ["stories", user] if is_handle(user) && *user != "highlights" => {
                story(&user.to_ascii_lowercase(), &user.to_ascii_lowercase())
            }
            [kind @ ("p" | "reel" | "reels" | "tv"), code, ..] => post(kind, code),
            [user, kind @ ("p" | "reel" | "reels" | "tv"), code, ..] if is_handle(user) => post(kind, code),
            [user] | [user, "posts" | "reels" | "tagged" | "photos" | "highlights"] if is_handle(user) => {
                let user = user.to_ascii_lowercase();
                let canonical = canonical("https://www.instagram.com/", &format!("{user}/"))?;
                Some(Resource::new(ID, ResourceKind::Profile, user, canonical))
            }
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let gallery_dl = |why| CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why,
        };
        let yt_dlp = |why| CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["instagram", "instagram:story"],
            args: Vec::new(),
            why,
        };
        match resource.kind {
            ResourceKind::Video => {
                vec![yt_dlp("best for reels"), gallery_dl("takes over when yt-dlp finds no video")]
            }
            ResourceKind::Post | ResourceKind::Story => {
                vec![gallery_dl("loads pictures and videos of a post, in order"), yt_dlp("knows the videos of a post")]
            }
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

fn is_handle(text: &str) -> bool {
    is_word(text, "._", 1..=30) && !RESERVED.contains(&text.to_ascii_lowercase().as_str())
}

fn post(kind: &str, code: &str) -> Option<Resource> {
    (is_word(code, "_-", 5..=48) && !code.eq_ignore_ascii_case("audio")).then_some(())?;
    let (kind, path) = if kind == "p" { (ResourceKind::Post, "p") } else { (ResourceKind::Video, "reel") };
    let canonical = canonical("https://www.instagram.com/", &format!("{path}/{code}/"))?;
    Some(Resource::new(ID, kind, code, canonical))
}

fn short(kind: &str, token: &str) -> Option<Resource> {
    is_word(token, "_-", 5..=64).then_some(())?;
    let canonical = canonical("https://www.instagram.com/share/", &format!("{kind}{token}"))?;
    Some(Resource::new(ID, ResourceKind::ShortLink, token, canonical))
}

fn story(id: &str, path: &str) -> Option<Resource> {
    let canonical = canonical("https://www.instagram.com/stories/", &format!("{path}/"))?;
    Some(Resource::new(ID, ResourceKind::Story, id, canonical))
}
