//! How each platform has fared since the start, by path.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Flags;
use crate::{
    model::{Error, PlatformId},
    net::SessionState,
};

/// How one platform is set and fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// Attempts that delivered since the start, by path (`api`, `yt-dlp`, `gallery-dl`).
    pub succeeded: BTreeMap<String, u64>,
    /// Attempts that failed since the start, by path.
    pub failed: BTreeMap<String, u64>,
    /// The code of the newest failure.
    pub last_error: Option<String>,
    /// How the operator's session on it fares, if there is one.
    pub session: Option<SessionState>,
}

/// Counters of all platforms.
#[derive(Debug, Default)]
pub(super) struct Scores {
    succeeded: BTreeMap<(PlatformId, String), u64>,
    failed: BTreeMap<(PlatformId, String), u64>,
    last_error: BTreeMap<PlatformId, String>,
}

impl Scores {
    /// Notes one ended attempt.
    pub(super) fn record(&mut self, platform: PlatformId, by: &str, error: Option<&Error>) {
        let key = (platform, by.to_owned());
        match error {
            None => *self.succeeded.entry(key).or_default() += 1,
            Some(error) => {
                *self.failed.entry(key).or_default() += 1;
                self.last_error.insert(platform, error.code().to_owned());
            }
        }
    }

    /// The report of one platform.
    pub(super) fn report(&self, platform: PlatformId, name: &str, has_api: bool, flags: Flags) -> PlatformHealth {
        let of = |counts: &BTreeMap<(PlatformId, String), u64>| {
            counts.iter().filter(|((id, _), _)| *id == platform).map(|((_, by), n)| (by.clone(), *n)).collect()
        };
        PlatformHealth {
            platform: platform.0.to_owned(),
            name: name.to_owned(),
            has_api,
            api_enabled: flags.api,
            fallback: flags.fallback,
            succeeded: of(&self.succeeded),
            failed: of(&self.failed),
            last_error: self.last_error.get(&platform).cloned(),
            session: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn a_report_holds_only_its_own_platform() {
        let (x, reddit) = (PlatformId("twitter"), PlatformId("reddit"));
        let mut scores = Scores::default();
        scores.record(x, "api", None);
        scores.record(x, "yt-dlp", Some(&Error::new(Kind::Network, "down")));
        scores.record(reddit, "api", None);
        let report = scores.report(x, "X", true, Flags { api: true, fallback: true, cookies: false });
        assert_eq!(report.succeeded, BTreeMap::from([("api".to_owned(), 1)]));
        assert_eq!(report.failed, BTreeMap::from([("yt-dlp".to_owned(), 1)]));
        assert_eq!(report.last_error.as_deref(), Some("network"));
    }
}
