//! SoundCloud: tracks and sets.
//!
//! The web client's API (`api-v2.soundcloud.com`) wants a client id that the site's page or one of its scripts holds; it is
//! read once and kept until the API refuses it. Each stream is a question of its own, because its address is signed.
//!
//! Routed by name (`USER/TRACK`, with the secret token of a private link), or by number (`tracks/ID`) where a link has
//! only that.

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
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("soundcloud");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("soundcloud"),
        PlatformSpec::param(
            "soundcloud",
            "client_id",
            None,
            "The id that SoundCloud's web client names itself by. Unset: read from its page.",
        ),
    ])
}

const HOSTS: &[&str] = &["soundcloud.com", "www.soundcloud.com", "m.soundcloud.com"];

/// First path parts that are pages of the site, not people.
const RESERVED: &[&str] = &[
    "charts",
    "community-guidelines",
    "discover",
    "download",
    "feed",
    "go",
    "groups",
    "imprint",
    "jobs",
    "library",
    "login",
    "logout",
    "messages",
    "notifications",
    "pages",
    "people",
    "playlists",
    "player",
    "popular",
    "premium",
    "pro",
    "search",
    "settings",
    "signin",
    "signup",
    "stations",
    "stream",
    "subscriptions",
    "tags",
    "terms-of-use",
    "tracks",
    "upload",
    "you",
];

/// Second path parts that are lists of a person's page, not tracks.
const LISTS: &[&str] = &[
    "albums",
    "comments",
    "followers",
    "following",
    "likes",
    "popular-tracks",
    "reposts",
    "sets",
    "spotlight",
    "tracks",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "http://soundcloud.com/ethmusic/lostin-powers-she-so-heavy",
        "video ethmusic/lostin-powers-she-so-heavy https://soundcloud.com/ethmusic/lostin-powers-she-so-heavy",
    ),
    (
        "https://m.soundcloud.com/Ann/A-Tune?utm_source=clipboard&si=abc#t=0:30",
        "video ann/a-tune https://soundcloud.com/ann/a-tune",
    ),
    ("https://soundcloud.com/ann/a-tune?in=bea/sets/best", "video ann/a-tune https://soundcloud.com/ann/a-tune"),
    (
        "https://soundcloud.com/jaimemf/youtube-dl-test-video-a-y-baw/s-8Pjrp",
        "video jaimemf/youtube-dl-test-video-a-y-baw/s-8Pjrp https://soundcloud.com/jaimemf/youtube-dl-test-video-a-y-baw/s-8Pjrp",
    ),
    (
        "https://api.soundcloud.com/tracks/123998367?secret_token=s-8Pjrp",
        "video tracks/123998367/s-8Pjrp https://api.soundcloud.com/tracks/123998367?secret_token=s-8Pjrp",
    ),
    (
        "https://api-v2.soundcloud.com/tracks/123998367",
        "video tracks/123998367 https://api.soundcloud.com/tracks/123998367",
    ),
    (
        "https://api.soundcloud.com/tracks/soundcloud%3Atracks%3A1083788353",
        "video tracks/1083788353 https://api.soundcloud.com/tracks/1083788353",
    ),
    (
        "https://w.soundcloud.com/player/?visual=true&url=https%3A%2F%2Fapi.soundcloud.com%2Ftracks%2F123998367&auto_play=false",
        "video tracks/123998367 https://api.soundcloud.com/tracks/123998367",
    ),
    (
        "https://w.soundcloud.com/player/?url=https%3A%2F%2Fsoundcloud.com%2Fann%2Fa-tune",
        "video ann/a-tune https://soundcloud.com/ann/a-tune",
    ),
    (
        "https://soundcloud.com/the-concept-band/sets/the-royal-concept-ep",
        "playlist the-concept-band/sets/the-royal-concept-ep https://soundcloud.com/the-concept-band/sets/the-royal-concept-ep",
    ),
    (
        "https://soundcloud.com/ann/sets/mine/s-Tok3n?si=1",
        "playlist ann/sets/mine/s-Tok3n https://soundcloud.com/ann/sets/mine/s-Tok3n",
    ),
    (
        "https://soundcloud.com/discover/sets/weekly::flacmatic",
        "playlist discover/sets/weekly::flacmatic https://soundcloud.com/discover/sets/weekly::flacmatic",
    ),
    (
        "https://api.soundcloud.com/playlists/922213810",
        "playlist playlists/922213810 https://api.soundcloud.com/playlists/922213810",
    ),
    (
        "https://w.soundcloud.com/player/?url=https%3A%2F%2Fapi.soundcloud.com%2Fplaylists%2F922213810&secret_token=s-ziYey",
        "playlist playlists/922213810/s-ziYey https://api.soundcloud.com/playlists/922213810?secret_token=s-ziYey",
    ),
    ("https://on.soundcloud.com/AbC12xyz", "short_link AbC12xyz https://on.soundcloud.com/AbC12xyz"),
    ("https://soundcloud.app.goo.gl/AbC12xyz", "short_link AbC12xyz https://soundcloud.app.goo.gl/AbC12xyz"),
    ("https://soundcloud.com/ann", "profile ann https://soundcloud.com/ann"),
    ("https://soundcloud.com/ann/tracks", "profile ann/tracks https://soundcloud.com/ann/tracks"),
    ("https://soundcloud.com/ann/sets", "profile ann/sets https://soundcloud.com/ann/sets"),
    ("https://api.soundcloud.com/users/30909869", "profile users/30909869 https://api.soundcloud.com/users/30909869"),
    (
        "https://api.soundcloud.com/playlists/soundcloud:playlists:2104769627?secret_token=s-wmpCLuExeYX",
        "playlist playlists/2104769627/s-wmpCLuExeYX https://api.soundcloud.com/playlists/2104769627?secret_token=s-wmpCLuExeYX",
    ),
    (
        "https://soundcloud.com/stations/track/ann/a-tune",
        "playlist stations/track/ann/a-tune https://soundcloud.com/stations/track/ann/a-tune",
    ),
    (
        "https://soundcloud.com/ann/a-tune/recommended",
        "playlist ann/a-tune/recommended https://soundcloud.com/ann/a-tune/recommended",
    ),
    ("https://soundcloud.com/ann/a-tune/comments/more", "generic"),
    ("https://soundcloud.com/", "generic"),
    ("https://soundcloud.com/discover", "generic"),
    ("https://soundcloud.com/search?q=tune", "generic"),
    ("https://soundcloud.com/ann/a%2Ftune", "generic"),
    ("https://api.soundcloud.com/tracks/abc", "generic"),
    ("https://w.soundcloud.com/player/?url=https%3A%2F%2Fevil.example%2Ftracks%2F1", "generic"),
    ("https://w.soundcloud.com/player/", "generic"),
    ("https://help.soundcloud.com/hc/en-us", "generic"),
    ("https://evil.app.goo.gl/AbC12xyz", "generic"),
    ("https://soundcloud.com.evil.example/ann/a-tune", "generic"),
    ("https://evil-soundcloud.com/ann/a-tune", "generic"),
    ("https://soundcloud.com:8080/ann/a-tune", "generic"),
    ("https://soundcloud.com@evil.example/ann/a-tune", "nothing"),
];

/// The platform.
#[derive(Default)]
pub struct Soundcloud {
    api: api::Api,
}

impl Platform for Soundcloud {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "SoundCloud"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["soundcloud.com", "soundcloud.app.goo.gl"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        match link.host() {
            "on.soundcloud.com" | "soundcloud.app.goo.gl" => {
                let [token] = link.segments() else { return None };
                is_word(token, "_-", 4..=64).then_some(())?;
                let start = format!("https://{}/", link.host());
                Some(Resource::new(ID, ResourceKind::ShortLink, *token, canonical(&start, token)?))
            }
            "api.soundcloud.com" | "api-v2.soundcloud.com" => by_number(&link, link.query("secret_token").as_deref()),
            "w.soundcloud.com" | "player.soundcloud.com" => {
                // The player names what it plays in its query.
                let inner = Url::parse(&link.query("url")?).ok()?;
                let inner = Link::of(&inner)?;
                let token = link.query("secret_token").or_else(|| inner.query("secret_token"));
                match inner.host() {
                    "api.soundcloud.com" | "api-v2.soundcloud.com" => by_number(&inner, token.as_deref()),
                    host if HOSTS.contains(&host) => by_name(inner.segments()),
                    _ => None,
                }
            }
            host if HOSTS.contains(&host) => by_name(link.segments()),
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        vec![CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["soundcloud.*"],
            args: Vec::new(),
            why: "knows tracks, sets and people's pages",
        }]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, _tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        parse::refine(resource, raw, metadata);
    }
}

#[async_trait]
impl Extractor for Soundcloud {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        match resource.kind {
            ResourceKind::Video => self.api.track(resource, cx).await,
            ResourceKind::Playlist if is_set(&resource.id) => self.api.set(resource, cx).await,
            _ => Err(Error::new(Kind::UnsupportedUrl, "not a link to a track or a set")
                .with_detail("this is somebody's page or a list that the site makes up")),
        }
    }
}

/// `USER/TRACK`, `USER/sets/SET`, each with a secret token behind it or not, and people's pages.
fn by_name(segments: &[&str]) -> Option<Resource> {
    let is_name = |part: &&str| is_word(part, "_-", 1..=255);
    // Case makes no difference in names; in tokens it does.
    let lower = |parts: &[&str]| parts.join("/").to_ascii_lowercase();
    let (names, token) = match segments {
        [names @ .., token] if names.len() > 1 && is_token(token) => (names, Some(*token)),
        names => (names, None),
    };
    let with_token = |kind, name: String| {
        let id = token.map_or_else(|| name.clone(), |token| format!("{name}/{token}"));
        let canonical = canonical("https://soundcloud.com/", &id)?;
        Some(Resource::new(ID, kind, id, canonical))
    };
    match names {
        // Sets of the site's own have colons in their names.
        [user, "sets", set] if is_name(user) && is_word(set, "_-:", 1..=255) => {
            with_token(ResourceKind::Playlist, lower(names))
        }
        // What the site plays after a track, and where a track is: lists that yt-dlp knows.
        ["stations", "track", user, track] if is_name(user) && is_name(track) && token.is_none() => {
            with_token(ResourceKind::Playlist, lower(names))
        }
        [user, ..] if RESERVED.contains(user) => None,
        [user, track, "albums" | "sets" | "recommended"] if is_name(user) && is_name(track) && token.is_none() => {
            with_token(ResourceKind::Playlist, lower(names))
        }
        [user] if is_name(user) && token.is_none() => with_token(ResourceKind::Profile, lower(names)),
        [user, list] if is_name(user) && LISTS.contains(list) && token.is_none() => {
            with_token(ResourceKind::Profile, lower(names))
        }
        [user, track] if is_name(user) && is_name(track) && !LISTS.contains(track) => {
            with_token(ResourceKind::Video, lower(names))
        }
        _ => None,
    }
}

/// `tracks/ID` and `playlists/ID`, as embedded players name them.
fn by_number(link: &Link<'_>, token: Option<&str>) -> Option<Resource> {
    let [of @ ("tracks" | "playlists" | "users"), id] = link.segments() else { return None };
    let id = id.replace("%3A", ":");
    let id = id.rsplit(':').next().filter(|id| id.bytes().all(|b| b.is_ascii_digit()) && is_word(id, "", 1..=20))?;
    let kind = match *of {
        "tracks" => ResourceKind::Video,
        "playlists" => ResourceKind::Playlist,
        _ => ResourceKind::Profile,
    };
    let start = format!("https://api.soundcloud.com/{of}/{id}");
    match token.filter(|token| is_token(token)) {
        Some(token) => {
            let canonical = canonical(&start, &format!("?secret_token={token}"))?;
            Some(Resource::new(ID, kind, format!("{of}/{id}/{token}"), canonical))
        }
        None => Some(Resource::new(ID, kind, format!("{of}/{id}"), canonical(&start, "")?)),
    }
}

/// Whether a playlist is a set that somebody made.
fn is_set(id: &str) -> bool {
    id.starts_with("playlists/") || id.split('/').nth(1) == Some("sets")
}

/// The secret part of a private link.
fn is_token(text: &str) -> bool {
    text.strip_prefix("s-").is_some_and(|rest| is_word(rest, "", 3..=64))
}
