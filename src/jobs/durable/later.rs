//! Whether a job that failed is worth another attempt by itself, and when. A plain decision.
//!
//! What a platform's bad minute costs is got back: a rate limit with a longer wait than anybody waits at a telephone, a site
//! that is down. Everything else is told at once: about the post, because no waiting changes it; about any server on the
//! internet, because that is as likely a slip of the pen.

use std::time::Duration;

use crate::{
    model::{Kind, Outcome},
    platforms,
    settings::Resilience,
};

/// The longest that a platform is waited for. Whoever asked has forgotten it by then.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// How many times longer each wait is than the one before.
const GROWTH: u32 = 5;

/// Up to this share of a wait is added to it, so that those who were refused together do not come back together.
const SPREAD: f64 = 0.1;

/// How often, and after how long.
#[derive(Debug, Clone, Copy)]
pub struct Later {
    /// How many further attempts there are at the most.
    pub most: u32,
    /// The wait before the first of them.
    pub first: Duration,
}

impl Later {
    /// As the operator set it.
    pub fn of(settings: &Resilience) -> Self {
        Self { most: settings.retry_later_max, first: settings.retry_later }
    }

    /// How long to wait before the next attempt, after `attempt` (from 1) came to `outcome`. `None`: there is none. `share`: a
    /// random number from 0 to 1.
    pub fn after(&self, attempt: u32, outcome: &Outcome, share: f64) -> Option<Duration> {
        let error = outcome.error.as_ref()?;
        // Of a known platform; and what was loaded, kept or posted is nothing that waiting would bring.
        let platform = outcome.platform.as_deref()?;
        let known = !platforms::is_any_server(platform);
        let passes = matches!(error.kind(), Kind::RateLimited { .. } | Kind::Network | Kind::Timeout);
        let early = outcome.kept.is_none() && outcome.posted.places.is_empty();
        if attempt == 0 || attempt > self.most || !(known && passes && early) {
            return None;
        }
        let own = self.first.saturating_mul(GROWTH.saturating_pow(attempt - 1));
        let wait = error.retry_after().map_or(own, |asked| asked.max(own));
        (wait <= LONGEST).then(|| wait + wait.mul_f64(SPREAD * share.clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Error, Posted};

    const LATER: Later = Later { most: 2, first: Duration::from_secs(60) };

    fn outcome(platform: Option<&str>, kind: Kind) -> Outcome {
        let error = Some(Error::new(kind, "x"));
        Outcome { platform: platform.map(str::to_owned), error, ..Outcome::of("id") }
    }

    fn seconds(attempt: u32, outcome: &Outcome) -> Option<u64> {
        LATER.after(attempt, outcome, 0.0).map(|wait| wait.as_secs())
    }

    #[test]
    fn what_passes_by_itself_is_tried_again_and_nothing_else() {
        let limited = |retry_after| Kind::RateLimited { retry_after };
        for (platform, kind, attempt, expected) in [
            (Some("twitter"), Kind::Network, 1, Some(60)),
            (Some("twitter"), Kind::Network, 2, Some(300)),
            (Some("twitter"), Kind::Network, 3, None),
            (Some("reddit"), Kind::Timeout, 1, Some(60)),
            (Some("reddit"), limited(None), 1, Some(60)),
            (Some("reddit"), limited(Some(10)), 1, Some(60)),
            (Some("reddit"), limited(Some(900)), 1, Some(900)),
            (Some("reddit"), limited(Some(900)), 2, Some(900)),
            (Some("reddit"), limited(Some(3600)), 1, Some(3600)),
            (Some("reddit"), limited(Some(3601)), 1, None),
            // Any server, and none at all.
            (Some("direct"), Kind::Network, 1, None),
            (Some("generic"), Kind::Timeout, 1, None),
            (None, Kind::Network, 1, None),
            // About the post, or for somebody to mend.
            (Some("twitter"), Kind::NotFound, 1, None),
            (Some("twitter"), Kind::NotYet, 1, None),
            (Some("twitter"), Kind::Live, 1, None),
            (Some("twitter"), Kind::LoginRequired, 1, None),
            (Some("twitter"), Kind::PlatformChanged, 1, None),
            (Some("twitter"), Kind::CannotFit, 1, None),
            (Some("twitter"), Kind::Cancelled, 1, None),
            (Some("twitter"), Kind::Internal, 1, None),
        ] {
            assert_eq!(seconds(attempt, &outcome(platform, kind.clone())), expected, "{platform:?} {kind:?} {attempt}");
        }
        assert_eq!(seconds(1, &Outcome { error: None, ..outcome(Some("twitter"), Kind::Network) }), None);
    }

    #[test]
    fn what_was_loaded_or_posted_is_told_at_once() {
        let failed = outcome(Some("twitter"), Kind::Network);
        assert_eq!(seconds(1, &Outcome { kept: Some("kept".into()), ..failed.clone() }), None);
        let posted = Posted { places: vec!["a message".into()], ..Posted::default() };
        assert_eq!(seconds(1, &Outcome { posted, ..failed }), None);
    }

    #[test]
    fn those_who_failed_together_come_back_one_after_the_other() {
        let failed = outcome(Some("twitter"), Kind::Network);
        let wait = |share| LATER.after(1, &failed, share).unwrap();
        assert_eq!(
            (wait(0.0), wait(0.5), wait(1.0)),
            (LATER.first, LATER.first.mul_f64(1.05), LATER.first.mul_f64(1.1))
        );
    }

    #[test]
    fn the_operator_can_switch_it_off() {
        let never = Later { most: 0, ..LATER };
        assert_eq!(never.after(1, &outcome(Some("twitter"), Kind::Network), 0.5), None);
    }
}
