//! The part of the table about patience: timeouts, retries, breakers and rates.

use super::{
    parse::{self, Parsed},
    schema::PlatformSettings,
    table::{NUMBER, Spec},
};

const SECONDS: Spec = Spec { takes: "seconds, fractions too", ..NUMBER };

/// Its settings, below `[resilience]`.
pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "QUICK_TIMEOUT_SECONDS",
        path: "resilience.quick_timeout_seconds",
        default: Some("2"),
        doc: "How long a quick check may take that only makes a choice better: the size of a file, say.",
        apply: |s, t| parse::wait(t).map(|time| s.network.timeouts.quick = time),
        ..SECONDS
    },
    Spec {
        name: "SEARCH_TIMEOUT_SECONDS",
        path: "resilience.search_timeout_seconds",
        default: Some("5"),
        doc: "How long looking something up may take: where a short link leads, what software a host runs.",
        apply: |s, t| parse::wait(t).map(|time| s.network.timeouts.search = time),
        ..SECONDS
    },
    Spec {
        name: "METADATA_TIMEOUT_SECONDS",
        path: "resilience.metadata_timeout_seconds",
        default: Some("10"),
        doc: "How long asking a platform in process what a post holds may take, all its requests together, waiting for our \
              own rates left out. yt-dlp and gallery-dl look and load in one go and need longer on small machines: for them \
              only DOWNLOAD_TIMEOUT_SECONDS counts.",
        apply: |s, t| parse::wait(t).map(|time| s.network.timeouts.metadata = time),
        ..SECONDS
    },
    Spec {
        name: "RETRY_MAX_ATTEMPTS",
        path: "resilience.retry_max_attempts",
        default: Some("3"),
        takes: "number, 1 to 10",
        doc: "How often the last path to a link is tried when it meets a passing fault. A path with others behind it is \
              tried once more at the most: the next one is quicker than waiting.",
        apply: |s, t| parse::number(t, 1, 10).map(|count| s.resilience.retry_max_attempts = count),
        ..NUMBER
    },
    Spec {
        name: "RETRY_BASE_SECONDS",
        path: "resilience.retry_base_seconds",
        default: Some("1"),
        doc: "The wait before the first retry, doubled for each further one. A random share of it is waited, so that jobs \
              that failed together do not come back together.",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.retry_base = time),
        ..SECONDS
    },
    Spec {
        name: "RETRY_MAX_SECONDS",
        path: "resilience.retry_max_seconds",
        default: Some("30"),
        doc: "The longest wait before a retry. A platform that asks for a longer one is not waited for: its answer is told, or a \
              request from Discord is tried again later (RETRY_LATER_MAX).",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.retry_max = time),
        ..SECONDS
    },
    Spec {
        name: "RETRY_RATE_LIMIT_SECONDS",
        path: "resilience.retry_rate_limit_seconds",
        default: Some("5"),
        doc: "The wait after a rate limit that tells none. It doubles while it proves too short and falls back when it \
              proves long enough.",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.rate_limit_delay = time),
        ..SECONDS
    },
    Spec {
        name: "RETRY_LATER_MAX",
        path: "resilience.retry_later_max",
        default: Some("2"),
        takes: "number, 0 to 2",
        doc: "How often a request from Discord is tried again later by itself when its platform is down or asks to slow down. Its \
              message says when. 0: such failures are told at once.",
        apply: |s, t| parse::number(t, 0, 2).map(|count| s.resilience.retry_later_max = count),
        ..NUMBER
    },
    Spec {
        name: "RETRY_LATER_SECONDS",
        path: "resilience.retry_later_seconds",
        default: Some("60"),
        doc: "The wait before the first of these attempts; before the second it is five times as long. A platform that asks for \
              longer, up to an hour, gets it.",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.retry_later = time),
        ..SECONDS
    },
    Spec {
        name: "BREAKER_FAILURE_PERCENT",
        path: "resilience.breaker_failure_percent",
        default: Some("50"),
        takes: "number, 1 to 100",
        doc: "A path of a platform is paused when at least this share of its recent attempts failed by the path's own fault. \
              Posts that are gone or private do not count as faults.",
        apply: |s, t| parse::number(t, 1, 100).map(|share| s.resilience.breaker_failure_percent = share),
        ..NUMBER
    },
    Spec {
        name: "BREAKER_WINDOW_SECONDS",
        path: "resilience.breaker_window_seconds",
        default: Some("300"),
        doc: "How far back attempts count as recent.",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.breaker_window = time),
        ..SECONDS
    },
    Spec {
        name: "BREAKER_MIN_ATTEMPTS",
        path: "resilience.breaker_min_attempts",
        default: Some("5"),
        takes: "number, 1 to 50",
        doc: "A path is not paused before this many recent attempts.",
        apply: |s, t| parse::number(t, 1, 50).map(|count| s.resilience.breaker_min_attempts = count),
        ..NUMBER
    },
    Spec {
        name: "BREAKER_COOL_DOWN_SECONDS",
        path: "resilience.breaker_cool_down_seconds",
        default: Some("30"),
        doc: "How long a path is paused before one request tests it. Doubled each time the test fails.",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.breaker_cool_down = time),
        ..SECONDS
    },
    Spec {
        name: "BREAKER_MAX_COOL_DOWN_SECONDS",
        path: "resilience.breaker_max_cool_down_seconds",
        default: Some("900"),
        doc: "The longest pause of a path.",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.breaker_max_cool_down = time),
        ..SECONDS
    },
    Spec {
        name: "RATE_MAX_WAIT_SECONDS",
        path: "resilience.rate_max_wait_seconds",
        default: Some("5"),
        doc: "How long a request to a platform may wait for our own rates (<PLATFORM>_REQUESTS_PER_MINUTE …) before another \
              path is tried. Tools and the last path wait three times as long.",
        apply: |s, t| parse::wait(t).map(|time| s.resilience.rate_max_wait = time),
        ..SECONDS
    },
];

/// A setting that every platform takes.
#[derive(Debug)]
pub struct PlatformKey {
    /// Its name in TOML; `<PLATFORM>_<KEY>` in the environment.
    pub key: &'static str,
    /// What kind of value it takes.
    pub takes: &'static str,
    /// What it does.
    pub doc: &'static str,
    /// Puts the parsed text in its place.
    pub(super) apply: fn(&mut PlatformSettings, &str) -> Parsed<()>,
}

/// The rates, which every platform takes and has its own defaults for.
pub const PLATFORM_KEYS: &[PlatformKey] = &[
    PlatformKey {
        key: "requests_per_minute",
        takes: "number, 1 to 6000",
        doc: "How many requests a minute the platform is asked in the long run, all jobs together. A tool's run counts as one; \
              media files do not count.",
        apply: |p, t| parse::number(t, 1, 6000).map(|count| p.pace.requests_per_minute = Some(count)),
    },
    PlatformKey {
        key: "burst",
        takes: "number, 1 to 1000",
        doc: "How many of them may come at once after a quiet time.",
        apply: |p, t| parse::number(t, 1, 1000).map(|count| p.pace.burst = Some(count)),
    },
    PlatformKey {
        key: "spacing_ms",
        takes: "milliseconds, 0 to 60000",
        doc: "The least time between two requests.",
        apply: |p, t| {
            parse::number(t, 0, 60_000).map(|time| p.pace.spacing = Some(std::time::Duration::from_millis(time)))
        },
    },
    PlatformKey {
        key: "daily_units",
        takes: "number, 1 to 100000000",
        doc: "How many requests a day (UTC) at the most, counted since the start of the program. Then other paths are used until \
              midnight. Unset: no such limit.",
        apply: |p, t| parse::number(t, 1, 100_000_000).map(|count| p.pace.daily_units = Some(count)),
    },
];
