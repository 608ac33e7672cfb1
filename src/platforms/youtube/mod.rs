//! YouTube: videos, shorts, finished live streams, clips; lists and channels by their first entries.
//!
//! In process the player's own interface (InnerTube) is asked as a client whose addresses need no script. Where only
//! addresses are left that the player's script must complete, and for clips, yt-dlp takes over: it follows that script.

mod api;
mod lists;
mod parse;
mod refine;

#[cfg(test)]
mod links;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use secrecy::ExposeSecret;
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
pub const ID: PlatformId = PlatformId("youtube");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("youtube"),
        PlatformSpec::param(
            "youtube",
            "innertube_clients",
            Some(api::CLIENTS),
            "The clients as which the in-process path asks YouTube's player interface, in order: a JSON list of objects \
             with the fields of InnerTube's client context, and `id` for its X-YouTube-Client-Name. Only clients whose \
             addresses need no script are of use.",
        ),
        PlatformSpec::param(
            "youtube",
            "innertube_web_version",
            Some("2.20260708.00.00"),
            "The version of the web client as which lists and details are asked for.",
        ),
        PlatformSpec::param(
            "youtube",
            "player_client",
            None,
            "The player clients that yt-dlp asks, as in its extractor arguments. Unset: its own choice.",
        ),
        PlatformSpec::param(
            "youtube",
            "player_skip",
            None,
            "The requests that yt-dlp leaves out, as in its extractor arguments.",
        ),
        PlatformSpec::param(
            "youtube",
            "lang",
            None,
            "The language that titles and descriptions are asked for in, such as `en`.",
        ),
        PlatformSpec::param(
            "youtube",
            "formats",
            None,
            "Which formats yt-dlp looks at, as in its extractor arguments.",
        ),
        PlatformSpec::secret(
            "youtube",
            "po_token",
            "Proof-of-origin tokens for yt-dlp, as in its extractor arguments.",
        ),
    ])
}

const HOSTS: &[&str] = &[
    "youtube.com",
    "www.youtube.com",
    "m.youtube.com",
    "music.youtube.com",
    "gaming.youtube.com",
    "youtube-nocookie.com",
    "www.youtube-nocookie.com",
    "youtubekids.com",
    "www.youtubekids.com",
    "youtube.googleapis.com",
];

/// Settings that are handed to yt-dlp as arguments of its YouTube extractor, under the same names. Some clients need
/// a script engine or tokens that others do not, and which ones changes over time.
const PARAMS: &[&str] = &["player_client", "player_skip", "lang", "formats", "po_token"];

/// The platform.
pub struct Youtube {
    /// Arguments for yt-dlp's extractor, from the settings.
    args: Vec<String>,
}

impl Youtube {
    /// With the operator's choice of clients, if any.
    pub fn new(settings: Option<&PlatformSettings>) -> Self {
        Self { args: extractor_args(settings) }
    }
}

/// `--extractor-args youtube:player_client=…;player_skip=…`, or nothing.
fn extractor_args(settings: Option<&PlatformSettings>) -> Vec<String> {
    let given = |name: &&str| {
        let value = settings?.params.get(*name)?.expose_secret().trim().to_owned();
        (!value.is_empty()).then(|| format!("{name}={value}"))
    };
    let pairs: Vec<String> = PARAMS.iter().filter_map(given).collect();
    if pairs.is_empty() { Vec::new() } else { vec!["--extractor-args".into(), format!("youtube:{}", pairs.join(";"))] }
}

impl Platform for Youtube {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "YouTube"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["youtube.com", "youtu.be", "youtube-nocookie.com", "youtubekids.com", "youtube.googleapis.com"]
    }

    fn login_cookies(&self) -> &'static [&'static str] {
        &["LOGIN_INFO", "__Secure-1PSID", "__Secure-3PSID"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        links::LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        match link.host() {
            "youtu.be" | "www.youtu.be" => match link.segments() {
                ["watch"] => video(&link.query("v")?),
                [id] => video(id),
                _ => None,
            },
            // The page about cookies that stands before every other in some countries.
            "consent.youtube.com" => wrapped(url, &link.query("continue")?),
            host if HOSTS.contains(&host) => on_site(&link, url),
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        if resource.kind == ResourceKind::ShortLink {
            return Vec::new();
        }
        vec![CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["youtube", "youtube:.*"],
            args: self.args.clone(),
            why: "keeps up with YouTube's player, and cuts clips",
        }]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, resource: &Resource, _tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        refine::refine(resource, raw, metadata);
    }
}

#[async_trait]
impl Extractor for Youtube {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let found = match resource.kind {
            ResourceKind::Video if is_clip(resource) => {
                Err(Error::new(Kind::UnsupportedUrl, "a clip is a part of a video: yt-dlp cuts it out"))
            }
            ResourceKind::Video => api::video(resource, cx).await,
            ResourceKind::Playlist | ResourceKind::Profile => lists::list(resource, cx).await,
            _ => Err(Error::new(Kind::UnsupportedUrl, "neither a video nor a list of videos")),
        };
        // The operator's session is yt-dlp's to use: this path asks as a client that signs in nowhere.
        match found {
            Err(error) if cx.session.is_some() && matches!(error.kind(), Kind::AgeRestricted | Kind::Private) => {
                Err(Error::new(Kind::LoginRequired, error.operator_text()))
            }
            found => found,
        }
    }
}

fn is_clip(resource: &Resource) -> bool {
    resource.canonical.path().starts_with("/clip/")
}

fn video(id: &str) -> Option<Resource> {
    is_word(id, "_-", 11..=11).then_some(())?;
    Some(Resource::new(ID, ResourceKind::Video, id, canonical("https://www.youtube.com/watch?v=", id)?))
}

fn playlist(list: &str) -> Option<Resource> {
    is_word(list, "_-", 2..=64).then_some(())?;
    Some(Resource::new(ID, ResourceKind::Playlist, list, canonical("https://www.youtube.com/playlist?list=", list)?))
}

fn profile(id: &str) -> Option<Resource> {
    Some(Resource::new(ID, ResourceKind::Profile, id, canonical("https://www.youtube.com/", id)?))
}

/// A link to a page of the site that another of its pages carries. One inside another is somebody's game.
fn wrapped(outer: &Url, inner: &str) -> Option<Resource> {
    let inner = outer.join(inner).ok()?;
    let link = Link::of(&inner)?;
    match link.host() {
        "youtu.be" => video(link.segments().first()?),
        host if HOSTS.contains(&host) => match link.segments() {
            ["watch"] => video(&link.query("v")?),
            ["shorts" | "live", id] => video(id),
            ["playlist"] => playlist(&link.query("list")?),
            _ => None,
        },
        _ => None,
    }
}

fn on_site(link: &Link<'_>, url: &Url) -> Option<Resource> {
    match link.segments() {
        ["watch" | "watch_popup" | "details"] => match link.query("v") {
            Some(id) => video(&id),
            None => playlist(&link.query("list")?),
        },
        ["playlist"] | ["embed", "videoseries"] => playlist(&link.query("list")?),
        ["embed", "live_stream"] => channel(&link.query("channel")?),
        ["source", id, "shorts"] => video(id),
        ["shorts" | "live" | "embed" | "v" | "e" | "watch", id, ..] => video(id),
        ["clip", id] if is_word(id, "_-", 4..=64) => {
            Some(Resource::new(ID, ResourceKind::Video, *id, canonical("https://www.youtube.com/clip/", id)?))
        }
        ["attribution_link"] => wrapped(url, &link.query("u")?),
        ["oembed"] => wrapped(url, &link.query("url")?),
        ["browse", id] => match id.strip_prefix("VL") {
            Some(list) => playlist(list),
            None => channel(id),
        },
        [handle, ..] if handle.starts_with('@') => {
            // Handles may hold letters of any script, percent-encoded here.
            is_word(&handle[1..], "._-%", 1..=200).then_some(())?;
            profile(&handle.to_ascii_lowercase())
        }
        ["channel", id, ..] if is_word(id, "_-", 4..=64) => profile(&format!("channel/{id}")),
        [of @ ("c" | "user"), name, ..] if is_word(name, "._-%", 1..=200) => profile(&format!("{of}/{name}")),
        _ => None,
    }
}

/// A channel by its id, `UC` and 22 letters.
fn channel(id: &str) -> Option<Resource> {
    (id.starts_with("UC") && is_word(id, "_-", 24..=24)).then_some(())?;
    profile(&format!("channel/{id}"))
}
