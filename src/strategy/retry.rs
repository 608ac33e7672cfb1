//! What to do after a failed try of a path: wait and try again, ask the platform anew, or leave it to others.
//!
//! Retries are worth it only where no other path is better: with others behind it, a path is tried once more at the most,
//! and only when that is quick.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::{
    model::{Error, Kind},
    settings::Resilience,
};

/// Tries of a path that others stand behind.
const QUICK_TRIES: u32 = 2;

/// Tries of a tool: it repeats its own requests, so running it again is the last thing to hope for.
const TOOL_TRIES: u32 = 2;

/// How patient retries are.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Tries of the last path.
    pub attempts: u32,
    /// The first wait at its longest.
    pub base: Duration,
    /// The longest wait.
    pub max: Duration,
}

impl From<&Resilience> for Patience {
    fn from(settings: &Resilience) -> Self {
        Self { attempts: settings.retry_max_attempts, base: settings.retry_base, max: settings.retry_max }
    }
}

/// What a path was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Asking the platform in process.
    Extract,
    /// Loading the media that it told of.
    Download,
    /// Running a tool, which does both.
    Tool,
}

/// A failed try.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// Why.
    pub error: &'a Error,
    /// Doing what.
    pub stage: Stage,
    /// Tries so far, this one included.
    pub tries: u32,
    /// Whether the platform has been asked anew already because its media addresses were refused.
    pub renewed: bool,
    /// Whether another path could be tried instead.
    pub more_paths: bool,
    /// Whether the try tests a paused path: then it is the only one.
    pub probe: bool,
    /// What is left of the attempt's time.
    pub left: Duration,
    /// The wait after a rate limit that tells none.
    pub rate_limit_delay: Duration,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The same path again after this wait.
    Again {
        /// The wait.
        after: Duration,
        /// Whether what the platform told must be asked anew, past every cache.
        renew: bool,
    },
    /// This path has done what it can.
    GiveUp,
}

/// Decides. `share`: a random number from 0 to 1, the share of the full delay that is waited ("full jitter").
pub fn step(failed: &Failed<'_>, patience: &Patience, share: f64) -> Step {
    let wait = match wait(failed, patience, share) {
        // Media addresses expire: the post is there, we have just read it.
        None if failed.stage == Stage::Download && !failed.renewed && is_refused_address(failed.error.kind()) => {
            return Step::Again { after: Duration::ZERO, renew: true };
        }
        None => return Step::GiveUp,
        Some(wait) => wait,
    };
    if wait >= failed.left { Step::GiveUp } else { Step::Again { after: wait, renew: false } }
}

/// How long to wait before the same path is worth another try. `None`: it is not.
fn wait(failed: &Failed<'_>, patience: &Patience, share: f64) -> Option<Duration> {
    if failed.probe || failed.tries >= tries(failed, patience) {
        return None;
    }
    match failed.error.kind() {
        Kind::Network => Some(backoff(patience, failed.tries).mul_f64(share.clamp(0.0, 1.0))),
        // Whoever was silent for a whole deadline is not asked again while somebody else can be.
        Kind::Timeout if !failed.more_paths => Some(backoff(patience, failed.tries).mul_f64(share.clamp(0.0, 1.0))),
        Kind::RateLimited { .. } => {
            let longest = if failed.more_paths { patience.base } else { patience.max };
            let asked = failed.error.retry_after();
            let wait = match asked {
                // Everybody who was refused waits as long: a little more, so that they do not come back at once.
                Some(asked) => asked + asked.mul_f64(share.clamp(0.0, 1.0) / 10.0),
                None if failed.more_paths => return None,
                None => failed.rate_limit_delay.min(patience.max),
            };
            (asked.unwrap_or(wait) <= longest).then_some(wait)
        }
        _ => None,
    }
}

fn tries(failed: &Failed<'_>, patience: &Patience) -> u32 {
    match (failed.more_paths, failed.stage) {
        (true, Stage::Tool) => 1,
        (true, _) => QUICK_TRIES.min(patience.attempts),
        (false, Stage::Tool) => TOOL_TRIES.min(patience.attempts),
        (false, _) => patience.attempts,
    }
}

/// The full delay after the `tries`-th try: base, twice that, four times …, never more than the longest.
fn backoff(patience: &Patience, tries: u32) -> Duration {
    let delays = ExponentialBuilder::new()
        .with_min_delay(patience.base.min(patience.max))
        .with_max_delay(patience.max)
        .without_max_times()
        .build();
    delays.into_iter().nth(tries.saturating_sub(1) as usize).unwrap_or(patience.max)
}

/// What the download makes of a media address that is refused (403, 404, 410) or answers with something else.
fn is_refused_address(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::LoginRequired | Kind::Private | Kind::NotFound | Kind::GeoBlocked | Kind::NoMedia | Kind::PlatformChanged
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { attempts: 4, base: Duration::from_secs(1), max: Duration::from_secs(30) };

    fn again(seconds: f64) -> Step {
        Step::Again { after: Duration::from_secs_f64(seconds), renew: false }
    }

    const RENEW: Step = Step::Again { after: Duration::ZERO, renew: true };

    fn failed(error: &Error) -> Failed<'_> {
        Failed {
            error,
            stage: Stage::Extract,
            tries: 1,
            renewed: false,
            more_paths: false,
            probe: false,
            left: Duration::from_secs(300),
            rate_limit_delay: Duration::from_secs(5),
        }
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays: Vec<u64> = (1..=8).map(|tries| backoff(&PATIENCE, tries).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[test]
    fn every_fault_has_its_step() {
        use Stage::{Download, Extract, Tool};
        let limited = |seconds| Kind::RateLimited { retry_after: seconds };
        for (kind, stage, tries, more_paths, expected) in [
            // Passing faults: with other paths one quick retry, on the last path more.
            (Kind::Network, Extract, 1, true, again(0.5)),
            (Kind::Network, Extract, 2, true, Step::GiveUp),
            (Kind::Network, Extract, 1, false, again(0.5)),
            (Kind::Network, Extract, 3, false, again(2.0)),
            (Kind::Network, Extract, 4, false, Step::GiveUp),
            (Kind::Network, Download, 2, false, again(1.0)),
            (Kind::Timeout, Extract, 1, true, Step::GiveUp),
            (Kind::Timeout, Extract, 1, false, again(0.5)),
            (Kind::Network, Tool, 1, true, Step::GiveUp),
            (Kind::Network, Tool, 1, false, again(0.5)),
            (Kind::Network, Tool, 2, false, Step::GiveUp),
            // Rate limits: what the platform asks for, if it is worth it.
            (limited(Some(1)), Extract, 1, true, again(1.05)),
            (limited(Some(2)), Extract, 1, true, Step::GiveUp),
            (limited(None), Extract, 1, true, Step::GiveUp),
            (limited(Some(20)), Extract, 1, false, again(21.0)),
            (limited(Some(31)), Extract, 1, false, Step::GiveUp),
            (limited(None), Extract, 3, false, again(5.0)),
            // Expired addresses: once more from the start.
            (Kind::PlatformChanged, Download, 1, true, RENEW),
            (Kind::PlatformChanged, Download, 1, false, RENEW),
            (Kind::NotFound, Download, 4, false, RENEW),
            // Changed answers and verdicts.
            (Kind::PlatformChanged, Extract, 1, true, Step::GiveUp),
            (Kind::PlatformChanged, Extract, 1, false, Step::GiveUp),
            (Kind::NotFound, Extract, 1, true, Step::GiveUp),
            (Kind::Private, Extract, 1, false, Step::GiveUp),
            (Kind::LoginRequired, Extract, 1, true, Step::GiveUp),
            (Kind::TooLarge, Download, 1, true, Step::GiveUp),
            (Kind::BlockedAddress, Download, 1, false, Step::GiveUp),
            (Kind::Cancelled, Tool, 1, false, Step::GiveUp),
        ] {
            let error = Error::new(kind.clone(), "x");
            let failed = Failed { stage, tries, more_paths, ..failed(&error) };
            assert_eq!(step(&failed, &PATIENCE, 0.5), expected, "{kind:?} {stage:?} {tries} {more_paths}");
        }
    }

    #[test]
    fn the_whole_range_of_the_delay_is_used() {
        let error = Error::new(Kind::Network, "x");
        for (share, seconds) in [(0.0, 0.0), (0.25, 1.0), (1.0, 4.0), (7.0, 4.0)] {
            assert_eq!(step(&Failed { tries: 3, ..failed(&error) }, &PATIENCE, share), again(seconds));
        }
    }

    #[test]
    fn nothing_is_tried_again_beyond_the_deadline_or_in_a_test_or_a_second_time_renewed() {
        let error = Error::new(Kind::Network, "x");
        let late = Failed { left: Duration::from_millis(400), ..failed(&error) };
        assert_eq!(step(&late, &PATIENCE, 0.5), Step::GiveUp);
        assert_eq!(step(&Failed { probe: true, ..failed(&error) }, &PATIENCE, 0.5), Step::GiveUp);
        let expired = Error::new(Kind::PlatformChanged, "x");
        let renewed = Failed { stage: Stage::Download, renewed: true, ..failed(&expired) };
        assert_eq!(step(&renewed, &PATIENCE, 0.5), Step::GiveUp);
    }
}
