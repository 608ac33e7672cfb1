//! What is remembered of one path of one platform, and what it says about the order of paths.

use std::time::Duration;

use tokio::time::Instant;

use super::breaker::Breaker;
use crate::model::{Error, Kind};

/// Weight of the newest attempt in the averages: the last ten or so count.
const WEIGHT: f64 = 0.2;

/// After this time half of what failures have taken from the success rate is forgotten, so that a path that others were
/// preferred to comes back.
const HALF_LIFE: Duration = Duration::from_secs(600);

/// Attempts without which a path is not judged.
const ENOUGH: u32 = 3;

/// How much lower the success rate must be before a path stands back.
const CLEARLY_LESS: f64 = 0.2;

/// How many times dearer (see [`Memory::cost`]) a path must be before it stands back.
const CLEARLY_DEARER: f64 = 1.5;

/// The least success rate that costs are computed with.
const LEAST: f64 = 0.05;

/// What is remembered of one path.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Whether it is paused.
    pub(super) breaker: Breaker,
    /// Attempts that delivered since the start.
    pub(super) succeeded: u64,
    /// Attempts that failed since the start.
    pub(super) failed: u64,
    /// The code of its newest failure.
    pub(super) last_error: Option<String>,
    average: Option<Average>,
}

/// Exponentially weighted moving averages.
#[derive(Debug, Clone, Copy)]
struct Average {
    attempts: u32,
    success: f64,
    seconds: f64,
    at: Instant,
}

impl Memory {
    /// Notes an attempt: whether the path worked and how long it took.
    pub(super) fn learn(&mut self, now: Instant, worked: bool, took: Duration) {
        let (value, seconds) = (f64::from(u8::from(worked)), took.as_secs_f64());
        let old = self.average.unwrap_or(Average { attempts: 0, success: 1.0, seconds, at: now });
        self.average = Some(Average {
            attempts: old.attempts.saturating_add(1),
            success: faded(old, now) * (1.0 - WEIGHT) + value * WEIGHT,
            seconds: old.seconds * (1.0 - WEIGHT) + seconds * WEIGHT,
            at: now,
        });
    }

    /// The recent share of attempts in which the path worked, from 0 to 1.
    pub(super) fn success(&self, now: Instant) -> Option<f64> {
        self.average.map(|average| faded(average, now))
    }

    /// The recent average of seconds an attempt took.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.average.map(|average| average.seconds)
    }

    /// Expected seconds until it delivers, were it tried until it does.
    fn cost(&self, now: Instant) -> Option<(f64, f64)> {
        let average = self.average.filter(|average| average.attempts >= ENOUGH)?;
        let success = faded(average, now);
        Some((success, average.seconds / success.max(LEAST)))
    }

    /// Whether it has lately done clearly worse than `other`: it fails clearly more often, and waiting for its failure costs
    /// clearly more than what its success would save. A path that fails fast and succeeds faster keeps its place.
    pub(super) fn stands_back_for(&self, other: &Memory, now: Instant) -> bool {
        let (Some((success, cost)), Some((others_success, others_cost))) = (self.cost(now), other.cost(now)) else {
            return false;
        };
        success + CLEARLY_LESS < others_success && cost > others_cost * CLEARLY_DEARER
    }
}

fn faded(average: Average, now: Instant) -> f64 {
    let age = now.duration_since(average.at).as_secs_f64() / HALF_LIFE.as_secs_f64();
    1.0 - (1.0 - average.success) * 0.5_f64.powf(age)
}

/// Whether an attempt's end shows that the path works: it delivered or told a verdict about the post. `None`: it says
/// nothing about the path.
pub(super) fn worked(error: Option<&Error>) -> Option<bool> {
    let Some(error) = error else { return Some(true) };
    match error.kind() {
        Kind::Network | Kind::Timeout | Kind::RateLimited { .. } | Kind::PlatformChanged | Kind::ToolFailed(_) => {
            Some(false)
        }
        Kind::NotFound
        | Kind::Private
        | Kind::AgeRestricted
        | Kind::GeoBlocked
        | Kind::Live
        | Kind::NotYet
        | Kind::TooLong
        | Kind::TooLarge
        | Kind::CannotFit => Some(true),
        // A login wall may be the post's or the platform's, "no media" may only mean that a tool knows videos alone.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(now: Instant, ends: &[bool], seconds: f64) -> Memory {
        let mut memory = Memory::default();
        for worked in ends {
            memory.learn(now, *worked, Duration::from_secs_f64(seconds));
        }
        memory
    }

    #[test]
    fn a_path_stands_back_only_when_it_is_clearly_worse() {
        let now = Instant::now();
        const W: bool = true;
        const F: bool = false;
        for (ends, seconds, others, others_seconds, back) in [
            (&[F, F, F, F, F][..], 10.0, &[W, W, W][..], 6.0, true),
            (&[W, F, F, W, F, F, F], 8.0, &[W, W, W, W], 6.0, true),
            // It fails at once and is far quicker when it works: asking it costs next to nothing.
            (&[F, F, F, F, W], 0.3, &[W, W, W], 6.0, false),
            // Slow, but it delivers.
            (&[W, W, W, W, W], 30.0, &[W, W, W], 6.0, false),
            // Too little is known of one of them.
            (&[F, F], 10.0, &[W, W, W], 6.0, false),
            (&[F, F, F, F, F], 10.0, &[W, W], 6.0, false),
            // Both are bad.
            (&[F, F, F, F, F], 10.0, &[F, F, F, F, F], 6.0, false),
        ] {
            let (one, other) = (path(now, ends, seconds), path(now, others, others_seconds));
            assert_eq!(one.stands_back_for(&other, now), back, "{ends:?} in {seconds} s");
        }
    }

    #[test]
    fn failures_fade_so_that_a_path_comes_back() {
        let now = Instant::now();
        let (bad, good) = (path(now, &[false; 6], 10.0), path(now, &[true; 6], 6.0));
        assert!(bad.stands_back_for(&good, now));
        let later = now + HALF_LIFE * 3;
        assert!(!bad.stands_back_for(&good, later));
        assert!(bad.success(later).unwrap() > 0.9);
    }

    #[test]
    fn verdicts_about_posts_are_no_faults_of_the_path() {
        for (kind, expected) in [
            (Kind::NotFound, Some(true)),
            (Kind::Private, Some(true)),
            (Kind::TooLarge, Some(true)),
            (Kind::Network, Some(false)),
            (Kind::Timeout, Some(false)),
            (Kind::PlatformChanged, Some(false)),
            (Kind::RateLimited { retry_after: None }, Some(false)),
            (Kind::LoginRequired, None),
            (Kind::NoMedia, None),
            (Kind::Cancelled, None),
            (Kind::BlockedAddress, None),
            (Kind::ToolMissing { tool: "yt-dlp".into() }, None),
        ] {
            assert_eq!(worked(Some(&Error::new(kind.clone(), "x"))), expected, "{kind:?}");
        }
        assert_eq!(worked(None), Some(true));
    }
}
