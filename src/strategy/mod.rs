//! Which paths to try for a link, in which order, and what a failure means for the next one.

use std::sync::Arc;

use crate::{
    model::{Options, Resource, Result},
    platforms::{Registry, Routed},
    settings::Settings,
};

/// Decides about paths, and remembers how each platform fares.
pub struct Strategy {
    // private
}

/// One path as planned, for `explain` and `strategies`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PlannedAttempt {
    /// `api`, `yt-dlp` or `gallery-dl`.
    pub by: String,
    /// Why it stands at this place.
    pub why: String,
}

/// How one platform is set and fares.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PlatformHealth {
    /// Its short name.
    pub platform: String,
    /// The name people know.
    pub name: String,
    /// Whether an in-process extractor exists.
    pub has_api: bool,
    /// Whether it is used.
    pub api_enabled: bool,
    /// Whether tools may take over.
    pub fallback: bool,
    /// Requests that ended well since the start, by path (`api`, `yt-dlp`, `gallery-dl`).
    pub succeeded: std::collections::BTreeMap<String, u64>,
    /// Requests that failed since the start, by path.
    pub failed: std::collections::BTreeMap<String, u64>,
    /// The code of the newest failure.
    pub last_error: Option<String>,
}

impl Strategy {
    /// Reads the flags.
    pub fn new(_settings: Arc<Settings>, _registry: Arc<Registry>) -> Self {
        todo!()
    }

    /// Which platform knows the link.
    ///
    /// # Errors
    /// `unsupported_url`, with a detail where the link is close to one we know.
    pub fn route(&self, _url: &url::Url) -> Result<Routed<'_>> {
        todo!()
    }

    /// The ordered paths for a resource. Pure apart from the flags.
    pub fn plan(&self, _routed: &Resource, _options: &Options) -> Vec<PlannedAttempt> {
        todo!()
    }

    /// How every platform is set and fares.
    pub fn health(&self) -> Vec<PlatformHealth> {
        todo!()
    }
}
