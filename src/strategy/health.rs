//! How each platform is set and fares, by path, for `strategies`.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::{breaker::Standing, memory::Memory};
use crate::net::{SessionState, pace::Allowance};

/// How one platform is set and fares.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Its paths that have been used since the start.
    pub paths: Vec<PathHealth>,
    /// How often it may be asked and what is left of that.
    pub allowance: Allowance,
    /// How the operator's session on it fares, if there is one.
    pub session: Option<SessionState>,
}

/// How one path of a platform fares.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PathHealth {
    /// `api`, `yt-dlp` or `gallery-dl`.
    pub by: String,
    /// Attempts that delivered since the start.
    pub succeeded: u64,
    /// Attempts that failed since the start.
    pub failed: u64,
    /// The recent share of attempts in which the path worked, from 0 to 1. Posts that are gone or private do not count
    /// against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_rate: Option<f64>,
    /// The recent average of seconds an attempt took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The code of its newest failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Whether requests go this way.
    pub standing: Stands,
    /// Why requests do not go this way as usual, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Whether requests go a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Stands {
    /// They do.
    Closed,
    /// They do not for so many seconds; then one tests it.
    Open {
        /// Seconds until the test.
        next_probe_seconds: u64,
    },
    /// The next one tests it.
    HalfOpen,
    /// One is testing it now.
    Probing,
}

impl PathHealth {
    /// What is remembered of a path, as it stands now.
    pub(super) fn of(by: &str, memory: &Memory, now: Instant) -> Self {
        let round = |value: f64| (value * 1000.0).round() / 1000.0;
        let standing = match memory.breaker.standing(now) {
            Standing::Closed => Stands::Closed,
            Standing::Open { until } => Stands::Open { next_probe_seconds: ceil(until.saturating_duration_since(now)) },
            Standing::HalfOpen => Stands::HalfOpen,
            Standing::Probing => Stands::Probing,
        };
        Self {
            by: by.to_owned(),
            succeeded: memory.succeeded,
            failed: memory.failed,
            success_rate: memory.success(now).map(round),
            seconds: memory.seconds().map(round),
            last_error: memory.last_error.clone(),
            standing,
            why: why(memory, standing),
        }
    }
}

/// Why requests do not go this way as usual.
fn why(memory: &Memory, standing: Stands) -> Option<String> {
    let (failed, all) = memory.breaker.opened_after()?;
    let reason = format!("after {failed} of {all} attempts failed");
    match standing {
        Stands::Closed => None,
        Stands::Open { next_probe_seconds } => {
            Some(format!("paused for {next_probe_seconds} s {reason}; then one request tests it"))
        }
        Stands::HalfOpen => Some(format!("paused {reason}; the next request tests it")),
        Stands::Probing => Some(format!("paused {reason}; a request is testing it now")),
    }
}

/// Whole seconds, begun ones counted.
pub(super) fn ceil(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
