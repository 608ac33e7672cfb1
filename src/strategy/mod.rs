//! Which paths to try for a link, in which order, and what a failure means for the next one.
//!
//! Decisions only: nothing here touches the network or starts a process. `jobs/` carries them out and reports back how
//! each path fared ([`Strategy::record`]), which [`Strategy::health`] shows.

mod decide;
mod health;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::Utc;
use url::Url;

pub use decide::{Flags, Path, PlannedAttempt, after, most_telling, plan};
pub use health::PlatformHealth;

use crate::{
    model::{Error, Kind, Options, Resource, Result},
    net::Sessions,
    platforms::{Platform, Registry, Routed, scope},
    settings::Settings,
};

/// Decides about paths, and remembers how each platform fares.
pub struct Strategy {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    sessions: Sessions,
    scores: Mutex<health::Scores>,
}

impl Strategy {
    /// Reads the flags from the settings at each question, so that there is one truth.
    pub fn new(settings: Arc<Settings>, registry: Arc<Registry>) -> Self {
        let sessions = Sessions::new(&settings);
        Self { settings, registry, sessions, scores: Mutex::default() }
    }

    /// The operator's sessions on platforms.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Which platform knows the link.
    ///
    /// # Errors
    /// `unsupported_url` when none does.
    pub fn route(&self, url: &Url) -> Result<Routed<'_>> {
        self.registry.route(url).ok_or_else(|| {
            Error::new(Kind::UnsupportedUrl, format!("no platform knows {}", crate::model::redact::link(url)))
        })
    }

    /// The flags that hold for a platform.
    pub fn flags(&self, platform: &dyn Platform) -> Flags {
        let set = self.settings.platforms.get(platform.id().0).and_then(|platform| platform.use_api_client);
        Flags {
            api: platform.extractor().is_some() && set.unwrap_or_else(|| platform.api_by_default()),
            fallback: self.settings.downloads.api_fallback_to_cli,
            cookies: self.sessions.is_signed_in(scope(platform, None)),
        }
    }

    /// The ordered paths for a routed link, ready to be walked.
    pub fn paths(&self, routed: &Routed<'_>) -> Vec<Path> {
        decide::paths(self.flags(routed.platform), routed.platform.cli(&routed.resource))
    }

    /// The ordered paths for a resource in words, for `explain`.
    pub fn plan(&self, resource: &Resource, _options: &Options) -> Vec<PlannedAttempt> {
        self.registry.get(resource.platform.0).map_or_else(Vec::new, |platform| {
            plan(self.flags(platform), platform.extractor().is_some(), platform.cli(resource))
        })
    }

    /// Notes how a path fared.
    pub fn record(&self, platform: &dyn Platform, by: &str, error: Option<&Error>) {
        // A poisoned lock only means that a counter update panicked; counters stay usable.
        let mut scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        scores.record(platform.id(), by, error);
    }

    /// How every platform is set and fares.
    pub fn health(&self) -> Vec<PlatformHealth> {
        let scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        self.registry
            .iter()
            .map(|platform| {
                let has_api = platform.extractor().is_some();
                let report = scores.report(platform.id(), platform.name(), has_api, self.flags(platform));
                PlatformHealth { session: self.sessions.state(scope(platform, None), Utc::now()), ..report }
            })
            .collect()
    }
}
