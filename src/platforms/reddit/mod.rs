//! Reddit: posts with a video (picture and sound apart), a picture, a GIF or a gallery.
//!
//! Routed: `reddit.com` in all its spellings and `redd.it`. A post's canonical link is
//! `https://www.reddit.com/comments/ID`: subreddit and title in a link are decoration. Links that only a request can
//! resolve (`/r/S/s/TOKEN`, `/video/ID`, `v.redd.it/ID`) are short links.

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
pub const ID: PlatformId = PlatformId("reddit");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("reddit"),
        PlatformSpec::secret(
            "reddit",
            "client_id",
            "The id of an app registered at https://www.reddit.com/prefs/apps. With its secret the bot asks Reddit's \
             official interface, which refuses far less often.",
        ),
        PlatformSpec::secret("reddit", "client_secret", "The secret of that app."),
        PlatformSpec::param(
            "reddit",
            "user_agent",
            None,
            "What that app calls itself. Reddit asks for a name with the version and the owner's user name.",
        ),
    ])
}

const HOSTS: &[&str] = &[
    "reddit.com",
    "www.reddit.com",
    "old.reddit.com",
    "new.reddit.com",
    "np.reddit.com",
    "nm.reddit.com",
    "m.reddit.com",
    "i.reddit.com",
    "sh.reddit.com",
    "amp.reddit.com",
    "redditmedia.com",
    "www.redditmedia.com",
    // Mirrors of its paths that make previews.
    "rxddit.com",
    "www.rxddit.com",
    "vxreddit.com",
    "www.vxreddit.com",
];

/// yt-dlp's extractors: Reddit's own, and those of sites that posts often link to.
const YT_DLP: &[&str] = &[
    "reddit",
    "youtube",
    "twitter",
    "streamable",
    "imgur.*",
    "redgifs",
    "vimeo",
    "dailymotion",
    "twitch:clips",
    "tiktok",
    "instagram",
    "bluesky",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://www.reddit.com/r/aww/comments/abc123/a_cat/", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://reddit.com/r/aww/comments/abc123/a_cat/", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://old.reddit.com/r/aww/comments/abc123/", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://new.reddit.com/r/aww/comments/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://np.reddit.com/r/aww/comments/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://m.reddit.com/r/aww/comments/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    (
        "https://www.redditmedia.com/r/aww/comments/abc123/?embed=true",
        "post abc123 https://www.reddit.com/comments/abc123",
    ),
    ("https://rxddit.com/r/aww/comments/abc123/a_cat", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://vxreddit.com/r/aww/comments/abc123/a_cat", "post abc123 https://www.reddit.com/comments/abc123"),
    ("http://amp.reddit.com/r/aww/comments/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    (
        "https://www.reddit.com/r/aww/comments/abc123/a_cat/?utm_source=share&utm_medium=web2x",
        "post abc123 https://www.reddit.com/comments/abc123",
    ),
    (
        "https://www.reddit.com/r/aww/comments/abc123/comment/k2x9f0a/",
        "post abc123 https://www.reddit.com/comments/abc123",
    ),
    (
        "https://www.reddit.com/r/aww/comments/abc123/a_cat/k2x9f0a/?context=3",
        "post abc123 https://www.reddit.com/comments/abc123",
    ),
    ("https://www.reddit.com/R/aww/Comments/ABC123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.reddit.com/r/u_someone/comments/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.reddit.com/comments/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.reddit.com/comments/abc123/a_cat", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.reddit.com/user/ann/comments/abc123/me/", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.reddit.com/u/ann/comments/abc123/me/", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.reddit.com/gallery/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://redd.it/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.redd.it/abc123/", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://WWW.REDDIT.COM./gallery/abc123", "post abc123 https://www.reddit.com/comments/abc123"),
    ("https://www.reddit.com/r/aww/s/AbCdEf1234", "short_link AbCdEf1234 https://www.reddit.com/r/aww/s/AbCdEf1234"),
    (
        "https://www.reddit.com/u/ann/s/AbCdEf1234?x=1",
        "short_link AbCdEf1234 https://www.reddit.com/u/ann/s/AbCdEf1234",
    ),
    ("https://old.reddit.com/r/aww/s/AbCdEf1234", "short_link AbCdEf1234 https://www.reddit.com/r/aww/s/AbCdEf1234"),
    ("https://v.redd.it/x1y2z3", "short_link x1y2z3 https://v.redd.it/x1y2z3"),
    ("https://v.redd.it/x1y2z3/DASH_720.mp4?source=fallback", "short_link x1y2z3 https://v.redd.it/x1y2z3"),
    ("https://www.reddit.com/video/x1y2z3", "short_link x1y2z3 https://www.reddit.com/video/x1y2z3"),
    (
        "https://www.reddit.com/media?url=https%3A%2F%2Fi.redd.it%2Fcat.png",
        "short_link https://i.redd.it/cat.png https://i.redd.it/cat.png",
    ),
    (
        "https://www.reddit.com/media?url=https%3A%2F%2Fpreview.redd.it%2Fcat.png%3Fwidth%3D1%26s%3Dab",
        "short_link https://preview.redd.it/cat.png?width=1&s=ab https://preview.redd.it/cat.png?width=1&s=ab",
    ),
    ("https://www.reddit.com/media?url=https%3A%2F%2Fevil.example%2Fcat.png", "generic"),
    ("https://i.redd.it/cat.png", "direct file https://i.redd.it/cat.png"),
    ("https://preview.redd.it/cat.png?width=640&s=ab", "direct file https://preview.redd.it/cat.png?width=640&s=ab"),
    ("https://www.reddit.com/r/aww", "profile r/aww https://www.reddit.com/r/aww"),
    ("https://www.reddit.com/r/aww/top/?t=all", "profile r/aww https://www.reddit.com/r/aww"),
    ("https://www.reddit.com/user/ann", "profile user/ann https://www.reddit.com/user/ann"),
    ("https://www.reddit.com/u/ann/", "profile user/ann https://www.reddit.com/user/ann"),
    ("https://www.reddit.com/", "generic"),
    ("https://www.reddit.com/r/aww/comments/", "profile r/aww https://www.reddit.com/r/aww"),
    ("https://www.reddit.com/r/aww/comments/ab-c", "profile r/aww https://www.reddit.com/r/aww"),
    ("https://redd.it/", "generic"),
    ("https://redd.it/ab_c", "generic"),
    ("https://credd.it/abc123", "generic"),
    ("https://reddit.com.evil.example/gallery/abc123", "generic"),
    ("https://evil-reddit.com/gallery/abc123", "generic"),
    ("https://evil.reddit.com/gallery/abc123", "generic"),
    ("https://redd.it.evil.example/abc123", "generic"),
    ("https://www.reddit.com:8080/gallery/abc123", "generic"),
    ("https://reddit.co/gallery/abc123", "generic"),
    ("https://www.reddit.com@evil.example/gallery/abc123", "nothing"),
    ("https://www.rеddit.com/gallery/abc123", "generic"),
];

/// The platform.
#[derive(Default)]
pub struct Reddit {
    api: api::Api,
}

#[async_trait]
impl Extractor for Reddit {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        match resource.kind {
            ResourceKind::Post => self.api.post(resource, cx).await,
            _ => Err(Error::new(Kind::UnsupportedUrl, "not a link to a post")
                .with_detail("this is a whole community or somebody's page")),
        }
    }
}

impl Platform for Reddit {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Reddit"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["reddit.com", "redd.it", "redditmedia.com", "rxddit.com", "vxreddit.com"]
    }

    fn login_cookies(&self) -> &'static [&'static str] {
        &["reddit_session", "token_v2"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        match link.host() {
            "redd.it" | "www.redd.it" => match link.segments() {
                [id] => post(id),
                _ => None,
            },
            "v.redd.it" => short(link.segments().first()?, "https://v.redd.it/"),
            host if HOSTS.contains(&host) => on_site(&link),
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        if resource.kind != ResourceKind::Post {
            return Vec::new();
        }
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: YT_DLP.to_vec(),
            args: Vec::new(),
            why: "joins the picture and sound of videos",
        };
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: resource.canonical.clone(),
            extractors: Vec::new(),
            args: Vec::new(),
            why: "loads pictures and galleries in order",
        };
        vec![yt_dlp, gallery_dl]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        refine::refine(resource, tool, raw, metadata);
    }
}

fn post(id: &str) -> Option<Resource> {
    is_word(id, "", 1..=13).then_some(())?;
    let id = id.to_ascii_lowercase();
    let canonical = canonical("https://www.reddit.com/comments/", &id)?;
    Some(Resource::new(ID, ResourceKind::Post, id, canonical))
}

fn short(token: &str, start: &str) -> Option<Resource> {
    is_word(token, "", 1..=32).then_some(())?;
    Some(Resource::new(ID, ResourceKind::ShortLink, token, canonical(start, token)?))
}

/// Links on reddit.com itself.
fn on_site(link: &Link<'_>) -> Option<Resource> {
    let is = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
    match link.segments() {
        [comments, id, ..] if is(comments, "comments") || is(comments, "gallery") => post(id),
        [video, id, ..] if is(video, "video") => short(id, "https://www.reddit.com/video/"),
        [media] if is(media, "media") => {
            // The picture page: the picture itself stands in the query.
            let file = Url::parse(&link.query("url")?).ok()?;
            let inner = Link::of(&file)?;
            matches!(inner.host(), "i.redd.it" | "preview.redd.it").then_some(())?;
            Some(Resource::new(ID, ResourceKind::ShortLink, file.as_str(), file.clone()))
        }
        [of, name, rest @ ..] if is(of, "r") || is(of, "u") || is(of, "user") => {
            is_word(name, "_-", 1..=32).then_some(())?;
            let of = if is(of, "r") { "r" } else { "user" };
            match rest {
                [comments, id, ..] if is(comments, "comments") && is_word(id, "", 1..=13) => post(id),
                [s, token, ..] if *s == "s" => {
                    let of = if of == "r" { "r" } else { "u" };
                    short(token, &format!("https://www.reddit.com/{of}/{name}/s/"))
                }
                _ => {
                    let id = format!("{of}/{name}");
                    let canonical = canonical("https://www.reddit.com/", &id)?;
                    Some(Resource::new(ID, ResourceKind::Profile, id, canonical))
                }
            }
        }
        _ => None,
    }
}
