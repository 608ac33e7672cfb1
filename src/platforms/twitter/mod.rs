//! X / Twitter: posts with videos, GIFs and up to four pictures.
//!
//! Routed: `x.com`, `twitter.com` and their mobile spellings, the hosts that people use to get better previews
//! (`fxtwitter.com` …), and `t.co` as a short link. A post's canonical link is `https://x.com/i/status/ID`, because
//! the handle in a link is decoration: any handle leads to the same post.

mod api;
mod media;
mod parse;
mod refine;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
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
pub const ID: PlatformId = PlatformId("twitter");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("twitter"),
        PlatformSpec::param(
            "twitter",
            "query_id",
            Some("2ICDjqPd81tulZcYrtpTuQ"),
            "The id of X's GraphQL query for one post (`TweetResultByRestId`). It changes with releases of the web client.",
        ),
        PlatformSpec::param(
            "twitter",
            "bearer",
            Some(
                "AAAAAAAAAAAAAAAAAAAAANRILgAAAAAAnNwIzUejRCOuH5E6I8xnZz4puTs%3D1Zv7ttfk8LF81IUq16cHjhLTvJu4FA33AGWWjCpTnA",
            ),
            "The bearer token of X's public web page: the same for every visitor.",
        ),
    ])
}

/// The site itself, and hosts that mirror its paths to make previews.
const HOSTS: &[&str] = &[
    "x.com",
    "www.x.com",
    "mobile.x.com",
    "m.x.com",
    "twitter.com",
    "www.twitter.com",
    "mobile.twitter.com",
    "m.twitter.com",
    "fxtwitter.com",
    "www.fxtwitter.com",
    "d.fxtwitter.com",
    "vxtwitter.com",
    "www.vxtwitter.com",
    "d.vxtwitter.com",
    "fixupx.com",
    "www.fixupx.com",
    "d.fixupx.com",
    "fixvx.com",
    "www.fixvx.com",
    "d.fixvx.com",
    "twittpr.com",
    "www.twittpr.com",
    "xfixup.com",
    "www.xfixup.com",
    "nitter.net",
    "xcancel.com",
];

/// Hosts of short links.
const SHORT_HOSTS: &[&str] = &["t.co", "pic.x.com", "pic.twitter.com"];

/// First path parts that are pages of the site rather than people.
const RESERVED: &[&str] = &[
    "about",
    "compose",
    "download",
    "explore",
    "hashtag",
    "home",
    "i",
    "intent",
    "jobs",
    "login",
    "logout",
    "messages",
    "notifications",
    "privacy",
    "search",
    "settings",
    "share",
    "signup",
    "tos",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "https://x.com/NASA/status/1460323737035677698",
        "post 1460323737035677698 https://x.com/i/status/1460323737035677698",
    ),
    (
        "https://twitter.com/NASA/status/1460323737035677698",
        "post 1460323737035677698 https://x.com/i/status/1460323737035677698",
    ),
    ("http://twitter.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://www.x.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://mobile.x.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://m.x.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://www.twitter.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://mobile.twitter.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://m.twitter.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://fxtwitter.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://d.fxtwitter.com/NASA/status/20.mp4", "direct file https://d.fxtwitter.com/NASA/status/20.mp4"),
    ("https://vxtwitter.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://fixupx.com/NASA/status/20/en", "post 20 https://x.com/i/status/20"),
    ("https://fixvx.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://X.COM/nasa/STATUS/20", "post 20 https://x.com/i/status/20"),
    ("https://x.com./nasa/status/20", "post 20 https://x.com/i/status/20"),
    ("https://x.com:443/nasa/status/20", "post 20 https://x.com/i/status/20"),
    ("https://x.com//nasa//status/20/", "post 20 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20?s=20&t=AbCdEf", "post 20 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20#m", "post 20 https://x.com/i/status/20"),
    ("https://x.com/i/status/20", "post 20 https://x.com/i/status/20"),
    ("https://x.com/i/web/status/20", "post 20 https://x.com/i/status/20"),
    ("https://twitter.com/statuses/20", "post 20 https://x.com/i/status/20"),
    ("https://twitter.com/nasa/statuses/20", "post 20 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20/photo/1", "post 20#1 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20/photo/4?s=46", "post 20#4 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20/video/2", "post 20#2 https://x.com/i/status/20"),
    ("https://x.com/i/web/status/20/photo/3", "post 20#3 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20/photo/0", "post 20 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20/photo/five", "post 20 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/20/likes", "post 20 https://x.com/i/status/20"),
    ("https://x.com/nasa/status/0020", "post 20 https://x.com/i/status/20"),
    ("https://t.co/AbC123xyz0", "short_link AbC123xyz0 https://t.co/AbC123xyz0"),
    ("http://t.co/AbC123xyz0?amp=1", "short_link AbC123xyz0 https://t.co/AbC123xyz0"),
    ("https://pic.twitter.com/AbC123", "short_link AbC123 https://pic.twitter.com/AbC123"),
    ("https://x.com/NASA", "profile nasa https://x.com/nasa"),
    ("https://x.com/NASA/media", "profile nasa https://x.com/nasa"),
    ("https://x.com/home", "generic"),
    ("https://x.com/", "generic"),
    ("https://x.com/nasa/article/20", "post 20 https://x.com/i/status/20"),
    (
        "https://twitter.com/i/videos/tweet/705235433198714880",
        "post 705235433198714880 https://x.com/i/status/705235433198714880",
    ),
    (
        "https://twitter.com/i/videos/752274308186120192?embed_source=facebook",
        "post 752274308186120192 https://x.com/i/status/752274308186120192",
    ),
    (
        "https://twitter.com/i/cards/tfw/v1/560070183650213889?cardname=x",
        "post 560070183650213889 https://x.com/i/status/560070183650213889",
    ),
    (
        "https://twitter.com/i/broadcasts/1yNGaQLWpejGj",
        "video broadcasts/1yNGaQLWpejGj https://x.com/i/broadcasts/1yNGaQLWpejGj",
    ),
    ("https://x.com/i/spaces/1OwxWwQOPlNxQ?s=20", "video spaces/1OwxWwQOPlNxQ https://x.com/i/spaces/1OwxWwQOPlNxQ"),
    ("https://twittpr.com/NASA/status/20", "post 20 https://x.com/i/status/20"),
    ("https://xcancel.com/NASA/status/20#m", "post 20 https://x.com/i/status/20"),
    ("https://nitter.net/NASA/status/20/photo/2", "post 20#2 https://x.com/i/status/20"),
    ("https://x.com/i/broadcasts/1abc", "generic"),
    ("https://x.com/i/broadcasts/1abc-1abcdef", "generic"),
    ("https://x.com/nasa/status/", "generic"),
    ("https://x.com/nasa/status/abc", "generic"),
    ("https://x.com/nasa/status/99999999999999999999999", "generic"),
    ("https://x.com/na-sa/status/20", "generic"),
    ("https://x.com:8443/nasa/status/20", "generic"),
    ("http://x.com:443/nasa/status/20", "generic"),
    ("https://netflix.com/nasa/status/20", "generic"),
    ("https://ax.com/nasa/status/20", "generic"),
    ("https://x.com.evil.example/nasa/status/20", "generic"),
    ("https://x.com..evil.example/nasa/status/20", "generic"),
    ("https://evil.x.com/nasa/status/20", "generic"),
    ("https://x.comx/nasa/status/20", "generic"),
    ("https://x-com.example/nasa/status/20", "generic"),
    ("https://xn--x-7sb.com/nasa/status/20", "generic"),
    ("https://х.com/nasa/status/20", "generic"),
    ("https://twitter.co/nasa/status/20", "generic"),
    ("https://twiter.com/nasa/status/20", "generic"),
    ("https://evil.example/x.com/nasa/status/20", "generic"),
    ("https://evil.example/?u=https://x.com/nasa/status/20", "generic"),
    ("https://evil.example/#x.com/nasa/status/20", "generic"),
    ("https://user@x.com@evil.example/nasa/status/20", "nothing"),
    ("https://user@x.com/nasa/status/20", "nothing"),
    ("https://x.com@evil.example/nasa/status/20", "nothing"),
    ("https://evil.example\\@x.com/nasa/status/20", "generic"),
    ("ftp://x.com/nasa/status/20", "nothing"),
];

/// The platform.
#[derive(Default)]
pub struct Twitter {
    api: api::Api,
}

#[async_trait]
impl Extractor for Twitter {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let mut metadata = match resource.kind {
            ResourceKind::Post if cx.options.thread => self.api.thread(resource, cx).await?,
            ResourceKind::Post => self.api.post(resource, cx).await?,
            ResourceKind::Video => {
                return Err(Error::new(Kind::UnsupportedUrl, "broadcasts and talks are left to yt-dlp"));
            }
            _ => {
                return Err(
                    Error::new(Kind::UnsupportedUrl, "not a link to a post").with_detail("this is somebody's page")
                );
            }
        };
        // X tells nominal bit rates only; real files are often half as large.
        http::sizes(cx.client, &mut metadata.items).await;
        Ok(metadata)
    }
}

impl Platform for Twitter {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "X / Twitter"
    }

    fn domains(&self) -> &'static [&'static str] {
        &[
            "x.com",
            "twitter.com",
            "t.co",
            "fxtwitter.com",
            "vxtwitter.com",
            "fixupx.com",
            "fixvx.com",
            "twittpr.com",
            "xfixup.com",
            "nitter.net",
            "xcancel.com",
        ]
    }

    fn login_cookies(&self) -> &'static [&'static str] {
        &["auth_token"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if SHORT_HOSTS.contains(&link.host()) {
            let [token] = link.segments() else { return None };
            is_word(token, "", 1..=32).then_some(())?;
            let canonical = canonical("https://", &format!("{}/{token}", link.host()))?;
            return Some(Resource::new(ID, ResourceKind::ShortLink, *token, canonical));
        }
        if !HOSTS.contains(&link.host()) {
            return None;
        }
        post(link.segments()).or_else(|| live(link.segments())).or_else(|| profile(link.segments()))
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        if resource.kind == ResourceKind::Video {
            return vec![CliTool {
                tool: Tool::YtDlp,
                url: resource.canonical.clone(),
                extractors: vec!["twitter:broadcast", "twitter:spaces"],
                args: Vec::new(),
                why: "knows recorded broadcasts and talks",
            }];
        }
        if resource.kind != ResourceKind::Post {
            return Vec::new();
        }
        let post = &resource.canonical;
        // Both can be told to load one item of the post.
        let (range, video) = match resource.item {
            Some(number) => {
                (vec!["--range".into(), number.to_string()], canonical(post.as_str(), &format!("/video/{number}")))
            }
            None => (Vec::new(), None),
        };
        let gallery_dl = CliTool {
            tool: Tool::GalleryDl,
            url: post.clone(),
            extractors: Vec::new(),
            args: range,
            why: "loads pictures, GIFs and videos of a post, in order",
        };
        let yt_dlp = CliTool {
            tool: Tool::YtDlp,
            url: video.unwrap_or_else(|| post.clone()),
            extractors: vec!["twitter", "twitter:.*"],
            args: Vec::new(),
            why: "knows videos only, but also those of quoted posts and cards",
        };
        vec![gallery_dl, yt_dlp]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        refine::refine(resource, tool, raw, metadata);
    }
}

/// `/USER/status/ID`, `/i/web/status/ID`, `/statuses/ID`, each with `/photo/N` or `/video/N` behind.
fn post(segments: &[&str]) -> Option<Resource> {
    let is = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
    let (id, rest) = match segments {
        [i, web, status, id, rest @ ..] if is(i, "i") && is(web, "web") && is(status, "status") => (id, rest),
        [user, status, id, rest @ ..]
            if is_word(user, "_", 1..=20) && (is(status, "status") || is(status, "statuses")) =>
        {
            (id, rest)
        }
        [user, article, id, rest @ ..] if is_word(user, "_", 1..=20) && is(article, "article") => (id, rest),
        [statuses, id, rest @ ..] if is(statuses, "statuses") => (id, rest),
        // Players that other sites embed: the number is the post's.
        [i, videos, tweet, id] if is(i, "i") && is(videos, "videos") && is(tweet, "tweet") => (id, [].as_slice()),
        [i, videos, id] if is(i, "i") && is(videos, "videos") => (id, [].as_slice()),
        [i, cards, tfw, _, id] if is(i, "i") && is(cards, "cards") && is(tfw, "tfw") => (id, [].as_slice()),
        _ => return None,
    };
    // Ids are 64-bit numbers; parsing drops leading zeros too. `+1` would parse, so letters are checked first.
    let id: u64 = is_word(id, "", 1..=20).then(|| id.parse().ok()).flatten()?;
    let canonical = canonical("https://x.com/i/status/", &id.to_string())?;
    let mut resource = Resource::new(ID, ResourceKind::Post, id.to_string(), canonical);
    if let [kind, number, ..] = rest
        && (is(kind, "photo") || is(kind, "video"))
    {
        resource.item = number.parse().ok().filter(|n| (1..=16).contains(n));
    }
    Some(resource)
}

/// Recorded broadcasts and talks: `/i/broadcasts/ID`, `/i/spaces/ID`.
fn live(segments: &[&str]) -> Option<Resource> {
    let [i, of @ ("broadcasts" | "spaces"), id, ..] = segments else { return None };
    (*i == "i" && is_word(id, "", 8..=20)).then_some(())?;
    let canonical = canonical("https://x.com/i/", &format!("{of}/{id}"))?;
    Some(Resource::new(ID, ResourceKind::Video, format!("{of}/{id}"), canonical))
}

/// `/USER` and its tabs.
fn profile(segments: &[&str]) -> Option<Resource> {
    let user = match segments {
        [user] => user,
        [user, tab] if matches!(*tab, "media" | "with_replies" | "likes" | "highlights") => user,
        _ => return None,
    };
    let user = user.to_ascii_lowercase();
    (is_word(&user, "_", 1..=20) && !RESERVED.contains(&user.as_str())).then_some(())?;
    let canonical = canonical("https://x.com/", &user)?;
    Some(Resource::new(ID, ResourceKind::Profile, user, canonical))
}
