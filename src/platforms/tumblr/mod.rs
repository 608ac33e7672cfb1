//! Tumblr: posts with pictures, videos and sound, with what they reblog.
//!
//! The apps' API shows public posts to whoever names the apps' key. Blogs are recognised below `tumblr.com` only, not on
//! domains of their own. A post's id here is `BLOG/ID`: the API wants both.

mod parse;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use reqwest::header;
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        http,
        link::{Link, canonical, is_word},
    },
};
use crate::{
    model::{Error, Kind, MediaMetadata, PlatformId, Resource, ResourceKind, Result, Tool},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("tumblr");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("tumblr"),
        PlatformSpec::param(
            "tumblr",
            "api_key",
            Some("jrsCWX1XDuVxAFO4GkK147syAoN8BJZ5voz8tS80bPcj26Vc5Z"),
            "The public key that Tumblr's app names itself by.",
        ),
        PlatformSpec::param(
            "tumblr",
            "app",
            Some("iPhone/33.3/333010/17.3.1/tumblr"),
            "The version of the app that belongs to the key.",
        ),
    ])
}

const API: &str = "https://api-http2.tumblr.com/v2/blog/";

/// Names below `tumblr.com` that are no blogs.
const NO_BLOGS: &[&str] = &["a", "api", "api-http2", "assets", "at", "embed", "help", "media", "static", "staff-only"];

/// First path parts of www.tumblr.com that are pages of the site, not blogs.
const RESERVED: &[&str] = &[
    "about",
    "account",
    "apps",
    "blog",
    "communities",
    "dashboard",
    "docs",
    "explore",
    "followers",
    "following",
    "help",
    "inbox",
    "jobs",
    "likes",
    "login",
    "logout",
    "new",
    "oauth",
    "policy",
    "press",
    "privacy",
    "reblog",
    "register",
    "search",
    "settings",
    "support",
    "tagged",
    "tips",
    "tv",
    "video",
    "widgets",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://ann.tumblr.com/post/54196191430/a-title", "post ann/54196191430 https://www.tumblr.com/ann/54196191430"),
    ("http://Ann.tumblr.com/post/54196191430", "post ann/54196191430 https://www.tumblr.com/ann/54196191430"),
    ("https://ann.tumblr.com/image/54196191430", "post ann/54196191430 https://www.tumblr.com/ann/54196191430"),
    ("https://ann.tumblr.com/video/54196191430", "post ann/54196191430 https://www.tumblr.com/ann/54196191430"),
    (
        "https://www.tumblr.com/ann/54196191430/a-title?source=share",
        "post ann/54196191430 https://www.tumblr.com/ann/54196191430",
    ),
    ("https://tumblr.com/ann-b/54196191430", "post ann-b/54196191430 https://www.tumblr.com/ann-b/54196191430"),
    ("https://www.tumblr.com/blog/view/ann/54196191430", "post ann/54196191430 https://www.tumblr.com/ann/54196191430"),
    ("https://www.tumblr.com/blog/ann/54196191430", "post ann/54196191430 https://www.tumblr.com/ann/54196191430"),
    (
        "https://www.tumblr.com/dashboard/blog/ann/54196191430",
        "post ann/54196191430 https://www.tumblr.com/ann/54196191430",
    ),
    (
        "https://www.tumblr.com/video/ann/54196191430/500/",
        "post ann/54196191430 https://www.tumblr.com/ann/54196191430",
    ),
    (
        "https://embed.tumblr.com/embed/post/t:aBcDeFgHiJkLmNoPqRsTuV/54196191430/v2",
        "post t:aBcDeFgHiJkLmNoPqRsTuV/54196191430 https://www.tumblr.com/t:aBcDeFgHiJkLmNoPqRsTuV/54196191430",
    ),
    ("https://at.tumblr.com/ann/54196191430/abc123", "post ann/54196191430 https://www.tumblr.com/ann/54196191430"),
    (
        "https://at.tumblr.com/ann/a-title/abc123xyz",
        "short_link ann/a-title/abc123xyz https://at.tumblr.com/ann/a-title/abc123xyz",
    ),
    ("https://tmblr.co/ZqAbC-1_xYz", "short_link ZqAbC-1_xYz https://tmblr.co/ZqAbC-1_xYz"),
    ("https://ann.tumblr.com/", "profile ann https://www.tumblr.com/ann"),
    ("https://ann.tumblr.com/archive", "profile ann https://www.tumblr.com/ann"),
    ("https://www.tumblr.com/ann", "profile ann https://www.tumblr.com/ann"),
    ("https://www.tumblr.com/blog/view/ann", "profile ann https://www.tumblr.com/ann"),
    ("https://ann.tumblr.com/tagged/cats", "playlist ann/tagged/cats https://www.tumblr.com/ann/tagged/cats"),
    ("https://www.tumblr.com/ann/tagged/cats", "playlist ann/tagged/cats https://www.tumblr.com/ann/tagged/cats"),
    ("https://www.tumblr.com/", "generic"),
    ("https://www.tumblr.com/dashboard", "generic"),
    ("https://www.tumblr.com/tagged/cats", "generic"),
    ("https://www.tumblr.com/search/cats", "generic"),
    ("https://www.tumblr.com/ann/notanumber", "generic"),
    ("https://www.tumblr.com/ann/1", "generic"),
    ("https://ann.tumblr.com/post/", "generic"),
    ("https://ann.tumblr.com/ask", "generic"),
    ("https://api.tumblr.com/v2/blog/ann/posts", "generic"),
    ("https://64.media.tumblr.com/0123/abc/s1280x1920/x", "generic"),
    ("https://a.b.tumblr.com/post/54196191430", "generic"),
    ("https://-ann.tumblr.com/post/54196191430", "generic"),
    ("https://ann.tumblr.com.evil.example/post/54196191430", "generic"),
    ("https://ann.evil-tumblr.com/post/54196191430", "generic"),
    ("https://ann.tumblr.com:8443/post/54196191430", "generic"),
    ("https://ann.tumblr.com@evil.example/post/54196191430", "nothing"),
];

/// The platform.
pub struct Tumblr;

impl Platform for Tumblr {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Tumblr"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["tumblr.com", "tmblr.co"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        let segments = link.segments();
        match link.host() {
            "tmblr.co" | "www.tmblr.co" => match segments {
                [token] if is_word(token, "_-", 4..=64) => short("https://tmblr.co/", token),
                _ => None,
            },
            "tumblr.com" | "www.tumblr.com" => on_site(segments),
            "at.tumblr.com" => match segments {
                [blog, id, ..] if is_id(id) => post(blog, id),
                [blog, words, token] if [blog, words, token].iter().all(|part| is_word(part, "_-", 1..=128)) => {
                    short("https://at.tumblr.com/", &format!("{blog}/{words}/{token}"))
                }
                _ => None,
            },
            "embed.tumblr.com" => match segments {
                ["embed", "post", blog, id, ..] => post(blog, id),
                _ => None,
            },
            host => of_blog(host.strip_suffix(".tumblr.com")?, segments),
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "loads pictures, videos and whole blogs in order",
        };
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["tumblr", "youtube", "vimeo", "soundcloud", "twitch:clips", "dailymotion", "tiktok"],
            args: Vec::new(),
            why: "loads videos, also those of sites that a post embeds",
        };
        if resource.kind == ResourceKind::Post { vec![gallery_dl, yt_dlp] } else { vec![gallery_dl] }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        if resource.kind == ResourceKind::Post {
            parse::refine(resource, tool, raw, metadata);
        }
    }
}

#[async_trait]
impl Extractor for Tumblr {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.kind != ResourceKind::Post {
            return Err(Error::new(Kind::UnsupportedUrl, "not a link to a post").with_detail("this is a whole blog"));
        }
        let internal = || Error::internal("the API's address");
        let (blog, id) = resource.id.split_once('/').ok_or_else(internal)?;
        let mut url = canonical(API, &format!("{blog}/posts/{id}/permalink")).ok_or_else(internal)?;
        url.query_pairs_mut().append_pair("api_key", cx.param("api_key").unwrap_or_default());
        let app = cx.param("app").unwrap_or_default();
        let request = cx.client.get(&url)?.header(header::USER_AGENT, format!("Tumblr/{app}")).header("X-Version", app);
        let answer = http::ask(cx.client, request).await?;
        match answer.refusal {
            None => parse::post(&answer.json()?, resource),
            Some(ref refusal) => {
                let body = answer.json().unwrap_or_default();
                Err(parse::refused(answer.status.as_u16(), &body).unwrap_or_else(|| refusal.clone()))
            }
        }
    }
}

/// Links on www.tumblr.com.
fn on_site(segments: &[&str]) -> Option<Resource> {
    match segments {
        ["blog", "view", rest @ ..] | ["dashboard", "blog", rest @ ..] | ["blog", rest @ ..] => of_name(rest),
        ["video", blog, id, ..] => post(blog, id),
        all => of_name(all),
    }
}

/// `BLOG`, `BLOG/ID` and `BLOG/tagged/TAG`.
fn of_name(segments: &[&str]) -> Option<Resource> {
    match segments {
        [first, ..] if RESERVED.contains(first) => None,
        [blog, "tagged", tag] => tagged(blog, tag),
        [blog, id, ..] => post(blog, id),
        [blog] => profile(blog),
        [] => None,
    }
}

/// Links on a blog's own host.
fn of_blog(blog: &str, segments: &[&str]) -> Option<Resource> {
    if NO_BLOGS.contains(&blog) {
        return None;
    }
    match segments {
        ["post" | "image" | "video", id, ..] => post(blog, id),
        ["tagged", tag] => tagged(blog, tag),
        [] | ["archive"] => profile(blog),
        _ => None,
    }
}

fn post(blog: &str, id: &str) -> Option<Resource> {
    is_id(id).then_some(())?;
    let id = format!("{}/{id}", blog_name(blog)?);
    let canonical = canonical("https://www.tumblr.com/", &id)?;
    Some(Resource::new(ID, ResourceKind::Post, id, canonical))
}

fn profile(blog: &str) -> Option<Resource> {
    let blog = blog_name(blog)?;
    let canonical = canonical("https://www.tumblr.com/", &blog)?;
    Some(Resource::new(ID, ResourceKind::Profile, blog, canonical))
}

fn tagged(blog: &str, tag: &str) -> Option<Resource> {
    is_word(tag, "_-+%", 1..=140).then_some(())?;
    let id = format!("{}/tagged/{tag}", blog_name(blog)?);
    let canonical = canonical("https://www.tumblr.com/", &id)?;
    Some(Resource::new(ID, ResourceKind::Playlist, id, canonical))
}

fn short(start: &str, path: &str) -> Option<Resource> {
    Some(Resource::new(ID, ResourceKind::ShortLink, path, canonical(start, path)?))
}

/// Ids of posts: those of the first years have six digits.
fn is_id(id: &str) -> bool {
    (6..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}

/// A blog's name in lower case, or its unique id (`t:` and 22 letters).
fn blog_name(name: &str) -> Option<String> {
    if let Some(id) = name.strip_prefix("t:") {
        return is_word(id, "_-", 22..=22).then(|| name.to_owned());
    }
    (is_word(name, "-", 1..=32) && !name.starts_with('-')).then(|| name.to_ascii_lowercase())
}
