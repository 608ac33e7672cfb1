//! Which paths to try for a link, in which order, and what a failure means for the next one.
//!
//! Decisions only: nothing here touches the network or starts a process. `jobs/` carries them out: it asks to
//! [`Strategy::enter`] each path, decides about retries by [`step`], and tells how the path fared ([`Ticket::settle`]). From
//! that the strategy learns which paths to pause (`breaker.rs`) and which to prefer (`memory.rs`); [`Strategy::health`]
//! shows it. Everything learnt is bounded, a few numbers a platform and path, and gone with the process.

mod breaker;
mod decide;
mod health;
mod memory;
mod retry;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::Utc;
use tokio::time::Instant;
use url::Url;

pub use breaker::{Breaker, Rules, Standing};
pub use decide::{Flags, Path, PlannedAttempt, after, most_telling, plan};
pub use health::{PathHealth, PlatformHealth, Stands};
pub use retry::{Failed, Patience, Stage, Step, step};

use crate::{
    model::{Error, Kind, Options, PlatformId, Resource, Result},
    net::{Sessions, pace::Gate},
    platforms::{Platform, Registry, Routed, scope},
    settings::Settings,
};
use memory::Memory;

/// Decides about paths, and remembers how each platform fares.
pub struct Strategy {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    sessions: Sessions,
    /// Each platform's gate, shared by all jobs.
    gates: BTreeMap<PlatformId, Arc<Gate>>,
    learnt: Mutex<Learnt>,
}

/// What attempts have taught: as many entries as there are platforms and paths.
#[derive(Debug, Default)]
struct Learnt {
    paths: BTreeMap<(PlatformId, &'static str), Memory>,
    /// The wait after a rate limit that tells none, where it is not the operator's.
    delays: BTreeMap<PlatformId, Duration>,
}

impl Strategy {
    /// Reads the flags from the settings at each question, so that there is one truth.
    pub fn new(settings: Arc<Settings>, registry: Arc<Registry>) -> Self {
        let sessions = Sessions::new(&settings);
        let gates = registry
            .iter()
            .map(|platform| {
                let id = platform.id();
                let said = settings.platforms.get(id.0).map(|settings| settings.pace).unwrap_or_default();
                (id, Arc::new(Gate::new(id, platform.pace().with(said))))
            })
            .collect();
        Self { settings, registry, sessions, gates, learnt: Mutex::default() }
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

    /// The ordered paths for a routed link, ready to be walked. Paused ones are among them: [`Strategy::enter`] tells.
    pub fn paths(&self, routed: &Routed<'_>) -> Vec<Path> {
        let mut paths = decide::paths(self.flags(routed.platform), routed.platform.cli(&routed.resource));
        if self.stands_back(routed.platform.id(), &paths) {
            decide::stand_back(&mut paths);
        }
        paths
    }

    /// Whether the in-process path has lately done clearly worse than the tool behind it.
    fn stands_back(&self, platform: PlatformId, paths: &[Path]) -> bool {
        let [api, tool, ..] = paths else { return false };
        let (learnt, now) = (self.learnt(), Instant::now());
        let of = |path: &Path| learnt.paths.get(&(platform, path.by()));
        matches!((of(api), of(tool)), (Some(one), Some(other)) if one.stands_back_for(other, now))
    }

    /// The ordered paths for a resource in words, for `explain`.
    pub fn plan(&self, resource: &Resource, _options: &Options) -> Vec<PlannedAttempt> {
        let Some(platform) = self.registry.get(resource.platform.0) else { return Vec::new() };
        let (flags, has_api) = (self.flags(platform), platform.extractor().is_some());
        let paths = decide::paths(flags, platform.cli(resource));
        let back = self.stands_back(resource.platform, &paths);
        let mut planned = plan(flags, has_api, platform.cli(resource));
        if back && let [api, tool, ..] = planned.as_mut_slice() {
            api.why.push_str("; stands back, because it has lately failed more often");
            std::mem::swap(api, tool);
        }
        let (learnt, now) = (self.learnt(), Instant::now());
        for attempt in &mut planned {
            let memory = learnt.paths.iter().find(|((id, by), _)| *id == resource.platform && *by == attempt.by);
            let why = memory.and_then(|((_, by), memory)| PathHealth::of(by, memory, now).why);
            attempt.why.extend(why.map(|why| format!("; {why}")));
        }
        planned
    }

    /// A platform's gate: every request to it and every run of a tool for it passes here.
    pub fn gate(&self, platform: &dyn Platform) -> Arc<Gate> {
        let id = platform.id();
        // Every platform of the registry has one.
        self.gates.get(&id).cloned().unwrap_or_else(|| Arc::new(Gate::new(id, platform.pace())))
    }

    /// Whether a request may go this way now, if only to test it.
    pub fn is_open_to(&self, platform: &dyn Platform, path: &Path) -> bool {
        let learnt = self.learnt();
        let memory = learnt.paths.get(&(platform.id(), path.by()));
        memory.is_none_or(|memory| {
            matches!(memory.breaker.standing(Instant::now()), Standing::Closed | Standing::HalfOpen)
        })
    }

    /// Goes a way, unless it is paused.
    pub fn enter(&self, platform: &dyn Platform, path: &Path) -> Option<Ticket<'_>> {
        self.admit(platform, path, false)
    }

    /// When every path is paused: tests the one whose pause ends first, before it does, so that whoever asks gets more than
    /// a refusal. One test at a time, and none within the shortest pause after the last.
    ///
    /// # Errors
    /// `network`, with the time until the next test, when even that would be too much.
    pub fn enter_paused(&self, platform: &dyn Platform, paths: &[Path]) -> Result<(usize, Ticket<'_>)> {
        let now = Instant::now();
        let mut paused: Vec<(Instant, usize)> = {
            let learnt = self.learnt();
            let until = |path: &Path| match learnt.paths.get(&(platform.id(), path.by()))?.breaker.standing(now) {
                Standing::Open { until } => Some(until),
                _ => None,
            };
            paths.iter().enumerate().filter_map(|(index, path)| Some((until(path)?, index))).collect()
        };
        paused.sort();
        let entered = paused.iter().find_map(|(_, index)| {
            let path = paths.get(*index)?;
            Some((*index, self.admit(platform, path, true)?))
        });
        entered.ok_or_else(|| {
            let wait = paused.first().map_or(Duration::ZERO, |(until, _)| until.saturating_duration_since(now));
            let seconds = health::ceil(wait).max(1);
            let text = format!("every path to {} is paused; the next test is in {seconds} s", platform.id());
            Error::new(Kind::Network, text).with_detail(format!("it has failed a lot lately; I test it in {seconds} s"))
        })
    }

    fn admit(&self, platform: &dyn Platform, path: &Path, early: bool) -> Option<Ticket<'_>> {
        let (id, by, now) = (platform.id(), path.by(), Instant::now());
        let probe = {
            let mut learnt = self.learnt();
            let breaker = &mut learnt.paths.entry((id, by)).or_default().breaker;
            match breaker.standing(now) {
                Standing::Closed => false,
                _ if breaker.probe(now, early, &self.rules()) => true,
                _ => return None,
            }
        };
        // On any host: what one of them does says nothing about the next.
        let learns = !platform.domains().is_empty();
        Some(Ticket { strategy: self, platform: id, by, probe, learns, settled: false })
    }

    /// The wait after a rate limit of this platform that tells none.
    pub fn rate_limit_delay(&self, platform: &dyn Platform) -> Duration {
        self.learnt().delays.get(&platform.id()).copied().unwrap_or(self.settings.resilience.rate_limit_delay)
    }

    /// Learns whether that wait was long enough.
    pub fn rate_limit_waited(&self, platform: &dyn Platform, enough: bool) {
        let (first, longest) = (self.settings.resilience.rate_limit_delay, self.settings.resilience.retry_max);
        let mut learnt = self.learnt();
        let delay = learnt.delays.entry(platform.id()).or_insert(first);
        *delay = if enough { (*delay / 2).max(first) } else { (*delay * 2).min(longest.max(first)) };
    }

    /// How patient retries are.
    pub fn patience(&self) -> Patience {
        Patience::from(&self.settings.resilience)
    }

    fn rules(&self) -> Rules {
        Rules::from(&self.settings.resilience)
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        // A poisoned lock only means that a counter update panicked; counters stay usable.
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How every platform is set and fares.
    pub fn health(&self) -> Vec<PlatformHealth> {
        let (learnt, now) = (self.learnt(), Instant::now());
        self.registry
            .iter()
            .map(|platform| {
                let (id, flags) = (platform.id(), self.flags(platform));
                let paths = learnt.paths.iter().filter(|((of, _), _)| *of == id);
                PlatformHealth {
                    platform: id.0.to_owned(),
                    name: platform.name().to_owned(),
                    has_api: platform.extractor().is_some(),
                    api_enabled: flags.api,
                    fallback: flags.fallback,
                    paths: paths.map(|((_, by), memory)| PathHealth::of(by, memory, now)).collect(),
                    allowance: self.gate(platform).allowance(),
                    session: self.sessions.state(scope(platform, None), Utc::now()),
                }
            })
            .collect()
    }
}

/// The right to go one way once. Dropped unsettled (the request was cancelled), it counts as having told nothing.
pub struct Ticket<'a> {
    strategy: &'a Strategy,
    platform: PlatformId,
    by: &'static str,
    probe: bool,
    learns: bool,
    settled: bool,
}

impl Ticket<'_> {
    /// Whether this request tests a paused path.
    pub fn is_probe(&self) -> bool {
        self.probe
    }

    /// Tells how the path fared. `asked`: whether the platform was asked at all, and not only our own rate.
    pub fn settle(mut self, error: Option<&Error>, asked: bool, took: Duration) {
        self.settled = true;
        let worked = memory::worked(error).filter(|_| asked && self.learns);
        let now = Instant::now();
        let mut learnt = self.strategy.learnt();
        let memory = learnt.paths.entry((self.platform, self.by)).or_default();
        match error {
            None => memory.succeeded += 1,
            Some(error) => {
                memory.failed += 1;
                memory.last_error = Some(error.code().to_owned());
            }
        }
        if let Some(worked) = worked {
            memory.learn(now, worked, took);
        }
        let before = memory.breaker.standing(now);
        memory.breaker.record(now, self.probe, worked, &self.strategy.rules());
        let after = memory.breaker.standing(now);
        drop(learnt);
        let (platform, by) = (self.platform.0, self.by);
        match (before, after) {
            (Standing::Closed, Standing::Open { .. }) => {
                tracing::warn!(platform, by, "this path keeps failing: it is paused, the others take over");
            }
            (Standing::Probing, Standing::Closed) => tracing::info!(platform, by, "this path works again"),
            (Standing::Probing, Standing::Open { .. }) => tracing::info!(platform, by, "this path still fails"),
            _ => {}
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if !self.settled {
            let mut learnt = self.strategy.learnt();
            let memory = learnt.paths.entry((self.platform, self.by)).or_default();
            memory.breaker.record(Instant::now(), self.probe, None, &self.strategy.rules());
        }
    }
}
