//! Instagram: posts, reels, carousels and stories. By the command-line tools only: what the site shows without a
//! session changes often, and they follow it.
//!
//! A shortcode means the same post under `/p/`, `/reel/` and `/tv/`, so `https://www.instagram.com/p/CODE/` is
//! canonical; the kind remembers that a link said "reel".

use url::Url;

use super::{
    CliTool, Platform,
    common::{
        json::text,
        link::{Link, canonical, is_word},
    },
};
use crate::{
    model::{Author, MediaMetadata, PlatformId, Resource, ResourceKind, Tool},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("instagram");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::tools_only("instagram")]) }

const HOSTS: &[&str] = &[
    "instagram.com",
    "www.instagram.com",
    "m.instagram.com",
    "instagr.am",
    "www.instagr.am",
    "ddinstagram.com",
    "www.ddinstagram.com",
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
    ("https://www.instagram.com/reel/CxYz_12-abC/", "video CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    ("https://www.instagram.com/reels/CxYz_12-abC/", "video CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    ("https://www.instagram.com/tv/CxYz_12-abC/", "video CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/"),
    (
        "https://www.instagram.com/na.sa_1/reel/CxYz_12-abC/",
        "video CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/",
    ),
    (
        "https://WWW.Instagram.COM./reel/CxYz_12-abC/?utm_source=ig_web_copy_link",
        "video CxYz_12-abC https://www.instagram.com/p/CxYz_12-abC/",
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
    ("https://www.instagram.com/stories/nasa/", "story nasa https://www.instagram.com/stories/nasa/"),
    ("https://www.instagram.com/nasa/", "profile nasa https://www.instagram.com/nasa/"),
    ("https://www.instagram.com/NASA?hl=en", "profile nasa https://www.instagram.com/nasa/"),
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

impl Platform for Instagram {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Instagram"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["instagram.com", "instagr.am", "ddinstagram.com"]
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
            [user] if is_handle(user) => {
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

    fn refine(&self, _resource: &Resource, tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        // Posts have no titles; yt-dlp makes some up for file names ("Video by nasa").
        metadata.title = None;
        let Some(first) = raw.first() else { return };
        let (handle, name) = match tool {
            Tool::YtDlp => (text(first, "/channel").or_else(|| text(first, "/uploader_id")), text(first, "/uploader")),
            Tool::GalleryDl => (text(first, "/username"), text(first, "/fullname")),
        };
        if let Some(handle) = handle {
            metadata.author = Some(Author {
                handle: handle.to_owned(),
                name: name.map(str::to_owned),
                url: Some(format!("https://www.instagram.com/{handle}/")),
            });
        }
    }
}

fn is_handle(text: &str) -> bool {
    is_word(text, "._", 1..=30) && !RESERVED.contains(&text.to_ascii_lowercase().as_str())
}

fn post(kind: &str, code: &str) -> Option<Resource> {
    (is_word(code, "_-", 5..=48) && !code.eq_ignore_ascii_case("audio")).then_some(())?;
    let canonical = canonical("https://www.instagram.com/p/", &format!("{code}/"))?;
    let kind = if kind == "p" { ResourceKind::Post } else { ResourceKind::Video };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reels_go_to_yt_dlp_first_and_posts_to_gallery_dl() {
        for (link, expected) in [
            ("https://www.instagram.com/reel/CxYz_12-abC/", [Tool::YtDlp, Tool::GalleryDl]),
            ("https://www.instagram.com/p/CxYz_12-abC/", [Tool::GalleryDl, Tool::YtDlp]),
            ("https://www.instagram.com/stories/nasa/3141592653589793238/", [Tool::GalleryDl, Tool::YtDlp]),
        ] {
            let resource = Instagram.route(&Url::parse(link).unwrap()).unwrap();
            let tools: Vec<_> = Instagram.cli(&resource).iter().map(|call| call.tool).collect();
            assert_eq!(tools, expected, "{link}");
        }
        let page = Instagram.route(&Url::parse("https://www.instagram.com/nasa/").unwrap()).unwrap();
        assert!(Instagram.cli(&page).is_empty(), "a whole page is not loaded");
    }

    #[test]
    fn both_tools_name_the_same_author() {
        let resource = Instagram.route(&Url::parse("https://www.instagram.com/p/CxYz_12-abC/").unwrap()).unwrap();
        let by = |tool, info| {
            let mut metadata = MediaMetadata { title: Some("Video by nasa".into()), ..MediaMetadata::default() };
            Instagram.refine(&resource, tool, &[info], &mut metadata);
            assert_eq!(metadata.title, None);
            metadata.author.unwrap()
        };
        let info = serde_json::json!({"channel": "nasa", "uploader": "NASA", "uploader_id": "528817151"});
        let file = serde_json::json!({"username": "nasa", "fullname": "NASA"});
        assert_eq!(by(Tool::YtDlp, info), by(Tool::GalleryDl, file));
    }
}
