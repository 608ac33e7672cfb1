//! The registry of platforms. Adding one = one file here, its fixtures, and one line in [`Registry::standard`].

mod bilibili;
mod bluesky;
mod common;
mod dailymotion;
mod direct;
mod facebook;
mod generic;
mod imgur;
mod instagram;
mod mastodon;
mod pinterest;
mod reddit;
mod soundcloud;
mod streamable;
mod threads;
mod tiktok;
mod tumblr;
mod twitch;
mod twitter;
mod vimeo;
mod vk;
mod youtube;

#[cfg(test)]
mod routing_tests;

pub use common::link::parse_link;

use async_trait::async_trait;
use url::Url;

use crate::{
    model::{MediaMetadata, Options, PlatformId, Resource, ResourceKind, Result, Tool},
    net,
    settings::{PlatformSettings, Settings},
};

/// What a platform knows how to do.
pub trait Platform: Send + Sync {
    /// The short name, for example `twitter`.
    fn id(&self) -> PlatformId;

    /// The name people know, for example `X / Twitter`.
    fn name(&self) -> &'static str;

    /// The registrable names that it owns, for example `x.com`: cookies, rates and look-alike tests go by them. Empty for
    /// platforms that are on any host.
    fn domains(&self) -> &'static [&'static str];

    /// The cookies that a session on it stands or falls with; one of them is enough. Empty where that is not known.
    fn login_cookies(&self) -> &'static [&'static str] {
        &[]
    }

    /// Links and what they are, for tests.
    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)];

    /// Whether this link is this platform's, and what it points to. Exact hosts only; touches no network.
    fn route(&self, url: &Url) -> Option<Resource>;

    /// Which tools can load it, in the order worth trying.
    fn cli(&self, resource: &Resource) -> Vec<CliTool>;

    /// The in-process extractor, if there is one.
    fn extractor(&self) -> Option<&dyn Extractor> {
        None
    }

    /// Why there is no in-process path, for `explain`, where people would expect one.
    fn no_extractor_because(&self) -> Option<&'static str> {
        None
    }

    /// Whether the in-process path is used when no setting says otherwise.
    fn api_by_default(&self) -> bool {
        self.extractor().is_some()
    }

    /// How often it may be asked when the operator says nothing else.
    fn pace(&self) -> net::pace::Pace {
        if self.domains().is_empty() { net::pace::Pace::ANY_HOST } else { net::pace::Pace::CONSERVATIVE }
    }

    /// Makes what a tool told equal to what the in-process path tells: `raw` is the tool's own JSON (yt-dlp: its info
    /// dict first; gallery-dl: one keyword dict a file), `metadata` the generic reading of it.
    fn refine(&self, _resource: &Resource, _tool: Tool, _raw: &[serde_json::Value], _metadata: &mut MediaMetadata) {}
}

/// Whether this short name stands for any server there is, not for a site that is known.
pub fn is_any_server(id: &str) -> bool {
    [direct::ID, generic::ID].iter().any(|any| any.0 == id)
}

/// Whose cookies a platform gets. `resource`: what is asked for, which tells the host where a platform is on any.
pub fn scope<'a>(platform: &'a dyn Platform, resource: Option<&'a Resource>) -> net::Scope<'a> {
    net::Scope {
        platform: platform.id().0,
        domains: platform.domains(),
        login: platform.login_cookies(),
        link: resource.map(|resource| &resource.canonical),
    }
}

/// How a tool is to be called for one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliTool {
    /// Which tool.
    pub tool: Tool,
    /// What to hand it (usually the canonical link).
    pub url: Url,
    /// yt-dlp: the extractor names for `--ies`; empty: `default,-generic`. Unused for gallery-dl.
    pub extractors: Vec<&'static str>,
    /// Further arguments, constants of the platform's file, never from users.
    pub args: Vec<String>,
    /// Why it stands at this place, for `explain`.
    pub why: &'static str,
}

/// What an extractor may use.
pub struct ExtractContext<'a> {
    /// Whose extractor it is.
    pub platform: PlatformId,
    /// The guarded HTTP client, signed in nowhere; its requests keep the platform's pace.
    pub client: &'a net::Client,
    /// This platform's settings.
    pub settings: &'a PlatformSettings,
    /// What is wanted.
    pub options: &'a Options,
    /// The operator's session on this platform, if there is one.
    pub session: Option<&'a net::Session>,
}

impl ExtractContext<'_> {
    /// A parameter of this platform: what the operator said, or else the default told in its `SETTINGS`.
    pub fn param(&self, key: &str) -> Option<&str> {
        self.settings.param(self.platform.0, key)
    }
}

/// The in-process path: HTTP in, metadata with renditions out. Downloads no media.
#[async_trait]
pub trait Extractor: Send + Sync {
    /// Asks the platform what the post holds.
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata>;
}

/// All platforms, most specific first.
pub struct Registry {
    platforms: Vec<Box<dyn Platform>>,
}

/// A link with the platform that knows it.
pub struct Routed<'a> {
    /// Whose it is.
    pub platform: &'a dyn Platform,
    /// What it is.
    pub resource: Resource,
}

impl Registry {
    /// Every platform this build knows. Some read their settings: which YouTube clients to ask, whether unknown sites may
    /// be looked at.
    pub fn standard(settings: &Settings) -> Self {
        Self {
            platforms: vec![
                Box::new(twitter::Twitter::default()),
                Box::new(reddit::Reddit::default()),
                Box::new(instagram::Instagram),
                Box::new(youtube::Youtube::new(settings.platforms.get(youtube::ID.0))),
                Box::new(bilibili::Bilibili),
                Box::new(bluesky::Bluesky::default()),
                Box::new(dailymotion::Dailymotion),
                Box::new(facebook::Facebook),
                Box::new(imgur::Imgur),
                Box::new(pinterest::Pinterest),
                Box::new(soundcloud::Soundcloud::default()),
                Box::new(streamable::Streamable),
                Box::new(threads::Threads),
                Box::new(tiktok::Tiktok),
                Box::new(tumblr::Tumblr),
                Box::new(twitch::Twitch),
                Box::new(vimeo::Vimeo),
                Box::new(vk::Vk),
                // Knows links by their shape on hosts that it does not know: after those that know theirs.
                Box::new(mastodon::Mastodon::new(
                    settings.platforms.get(mastodon::ID.0),
                    settings.downloads.allow_generic,
                )),
                Box::new(direct::Direct),
                // Knows every link: must stay last.
                Box::new(generic::Generic::new(settings.downloads.allow_generic)),
            ],
        }
    }

    /// The first platform that knows the link. Only http and https links without user information are known to any.
    pub fn route(&self, url: &Url) -> Option<Routed<'_>> {
        if !common::link::is_routable(url) {
            return None;
        }
        let mut known = self.platforms.iter().filter_map(|platform| {
            platform.route(url).map(|resource| Routed { platform: platform.as_ref(), resource })
        });
        known.find(|routed| !self.is_of_another(url, routed))
    }

    /// Whether a platform that knows posts by their shape on any host has taken one on a host that another platform owns.
    /// Files may lie anywhere, and the generic platform is for what is left.
    fn is_of_another(&self, url: &Url, routed: &Routed<'_>) -> bool {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        let owns = |platform: &dyn Platform| platform.domains().iter().any(|domain| is_below(host, domain));
        !matches!(routed.resource.kind, ResourceKind::File | ResourceKind::Unknown)
            && !owns(routed.platform)
            && self.iter().any(owns)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Platform> {
        self.platforms.iter().map(AsRef::as_ref)
    }

    /// One by its short name.
    pub fn get(&self, id: &str) -> Option<&dyn Platform> {
        self.iter().find(|platform| platform.id().0 == id)
    }
}

/// Whether a host is a domain or lies below it.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
