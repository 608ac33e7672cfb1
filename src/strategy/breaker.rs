//! A circuit breaker: a path that keeps failing by its own fault is left alone for a while, then tested by one request.
//!
//! ```text
//!          enough recent failures                pause over
//! closed ────────────────────────────► open ────────────────────► half-open (one request tests it)
//!    ▲                                  ▲                             │    │
//!    │                                  └── fails: pause doubles ─────┘    │
//!    └───────────────────────────── works ─────────────────────────────────┘
//! ```
//!
//! Plain data: every function is told the time.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::settings::Resilience;

/// Recent attempts remembered, whatever the window: enough for a share, little enough to forget about.
const REMEMBERED: usize = 64;

/// When a breaker opens and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Share of failures, in percent.
    pub failure_percent: u32,
    /// How far back attempts count.
    pub window: Duration,
    /// Attempts within the window without which it stays closed.
    pub min_attempts: usize,
    /// The first pause.
    pub cool_down: Duration,
    /// The longest pause.
    pub max_cool_down: Duration,
}

impl From<&Resilience> for Rules {
    fn from(settings: &Resilience) -> Self {
        Self {
            failure_percent: settings.breaker_failure_percent,
            window: settings.breaker_window,
            min_attempts: settings.breaker_min_attempts.min(REMEMBERED),
            cool_down: settings.breaker_cool_down,
            max_cool_down: settings.breaker_max_cool_down.max(settings.breaker_cool_down),
        }
    }
}

/// Where a path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Requests go.
    Closed,
    /// None goes before `until`.
    Open {
        /// When one will test it.
        until: Instant,
    },
    /// The pause is over: the next request tests it.
    HalfOpen,
    /// A request is testing it; others stay away until it is back.
    Probing,
}

/// The breaker of one path.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Recent attempts, and whether the path worked.
    recent: VecDeque<(Instant, bool)>,
    paused: Option<Pause>,
}

#[derive(Debug, Clone, Copy)]
struct Pause {
    since: Instant,
    length: Duration,
    probing: bool,
    /// Failures, and attempts, that it was opened for.
    after: (usize, usize),
}

impl Breaker {
    /// Where it stands.
    pub fn standing(&self, now: Instant) -> Standing {
        match &self.paused {
            None => Standing::Closed,
            Some(pause) if pause.probing => Standing::Probing,
            Some(pause) if now >= pause.since + pause.length => Standing::HalfOpen,
            Some(pause) => Standing::Open { until: pause.since + pause.length },
        }
    }

    /// Begins the test of a path that is not closed. `early`: before its pause is over, but not before the shortest pause
    /// is.
    pub fn probe(&mut self, now: Instant, early: bool, rules: &Rules) -> bool {
        let due = match self.standing(now) {
            Standing::HalfOpen => true,
            Standing::Open { .. } => {
                early && self.paused.as_ref().is_some_and(|pause| now >= pause.since + rules.cool_down)
            }
            Standing::Closed | Standing::Probing => false,
        };
        if let (true, Some(pause)) = (due, &mut self.paused) {
            pause.probing = true;
        }
        due
    }

    /// Notes how an attempt ended: whether the path worked, or `None` when it says nothing about the path.
    pub fn record(&mut self, now: Instant, probe: bool, worked: Option<bool>, rules: &Rules) {
        if probe {
            match (&mut self.paused, worked) {
                (_, Some(true)) => *self = Self::default(),
                (Some(pause), Some(false)) => {
                    let length = (pause.length * 2).min(rules.max_cool_down);
                    *pause = Pause { since: now, length, probing: false, ..*pause };
                }
                // The test told nothing: the next request is one.
                (Some(pause), None) => pause.probing = false,
                (None, _) => {}
            }
            return;
        }
        let Some(worked) = worked else { return };
        self.recent.push_back((now, worked));
        self.forget(now, rules);
        let (failed, all) = self.failures(now, rules);
        // Attempts that began before it opened may still come in: they neither prolong nor end the pause.
        if self.paused.is_none()
            && !worked
            && all >= rules.min_attempts.max(1)
            && failed * 100 >= all * rules.failure_percent as usize
        {
            self.paused = Some(Pause { since: now, length: rules.cool_down, probing: false, after: (failed, all) });
        }
    }

    /// Failures, and attempts, that it was opened for.
    pub fn opened_after(&self) -> Option<(usize, usize)> {
        self.paused.as_ref().map(|pause| pause.after)
    }

    /// Recent failures, and recent attempts.
    fn failures(&self, now: Instant, rules: &Rules) -> (usize, usize) {
        let recent = self.recent.iter().filter(|(then, _)| now.duration_since(*then) <= rules.window);
        recent.fold((0, 0), |(failed, all), (_, worked)| (failed + usize::from(!worked), all + 1))
    }

    fn forget(&mut self, now: Instant, rules: &Rules) {
        let old = |(then, _): &(Instant, bool)| now.duration_since(*then) > rules.window;
        while self.recent.len() > REMEMBERED || self.recent.front().is_some_and(old) {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        failure_percent: 50,
        window: Duration::from_secs(300),
        min_attempts: 4,
        cool_down: Duration::from_secs(30),
        max_cool_down: Duration::from_secs(100),
    };

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn opened(start: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.record(start, false, Some(false), &RULES);
        }
        breaker
    }

    #[test]
    fn it_opens_on_the_share_of_failures_and_not_before_there_are_enough_attempts() {
        let start = Instant::now();
        for (ends, open) in [
            ("fff", false),
            ("ffff", true),
            ("wwff", true),
            ("wwwf", false),
            ("wwwfff", true),
            ("ff????", false),
            ("wwwwffff", true),
            ("wwwww", false),
        ] {
            let mut breaker = Breaker::default();
            for end in ends.chars() {
                let worked = match end {
                    'w' => Some(true),
                    'f' => Some(false),
                    _ => None,
                };
                breaker.record(start, false, worked, &RULES);
            }
            assert_eq!(breaker.standing(start) != Standing::Closed, open, "{ends}");
        }
    }

    #[test]
    fn old_failures_are_forgotten() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        for seconds in [0, 10, 20, 400] {
            breaker.record(after(start, seconds), false, Some(false), &RULES);
        }
        assert_eq!(breaker.standing(after(start, 400)), Standing::Closed);
        for _ in 0..1000 {
            breaker.record(after(start, 401), false, Some(true), &RULES);
        }
        assert!(breaker.recent.len() <= REMEMBERED);
    }

    #[test]
    fn one_request_tests_it_and_the_pause_grows_while_the_test_fails() {
        let start = Instant::now();
        let mut breaker = opened(start);
        assert_eq!(breaker.standing(start), Standing::Open { until: after(start, 30) });
        assert!(!breaker.probe(after(start, 29), false, &RULES));
        let mut now = after(start, 30);
        for pause in [60, 100, 100] {
            assert_eq!(breaker.standing(now), Standing::HalfOpen);
            assert!(breaker.probe(now, false, &RULES));
            assert!(!breaker.probe(now, false, &RULES), "one at a time");
            breaker.record(now, false, Some(true), &RULES);
            assert_eq!(breaker.standing(now), Standing::Probing, "late news of earlier attempts change nothing");
            breaker.record(now, true, Some(false), &RULES);
            assert_eq!(breaker.standing(now), Standing::Open { until: after(now, pause) });
            now = after(now, pause);
        }
        assert!(breaker.probe(now, false, &RULES));
        breaker.record(now, true, None, &RULES);
        assert_eq!(breaker.standing(now), Standing::HalfOpen, "a test that told nothing is repeated");
        assert!(breaker.probe(now, false, &RULES));
        breaker.record(now, true, Some(true), &RULES);
        assert_eq!(breaker.standing(now), Standing::Closed);
        breaker.record(now, false, Some(false), &RULES);
        assert_eq!(breaker.standing(now), Standing::Closed, "it starts afresh");
    }

    #[test]
    fn an_early_test_still_keeps_the_shortest_pause() {
        let start = Instant::now();
        let mut breaker = opened(start);
        assert!(breaker.probe(after(start, 30), false, &RULES));
        breaker.record(after(start, 30), true, Some(false), &RULES);
        assert!(!breaker.probe(after(start, 59), true, &RULES));
        assert!(!breaker.probe(after(start, 60), false, &RULES));
        assert!(breaker.probe(after(start, 60), true, &RULES));
    }
}
