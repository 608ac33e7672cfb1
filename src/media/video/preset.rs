//! How thoroughly to encode: the longer it takes, the less thoroughly, and within the time allowed.

use std::time::Duration;

use crate::model::Speed;

/// x264's presets, slowest first, with the time of two passes as a multiple of one pass of `veryfast`. Measured on films
/// at 720p; slower than `slow` costs most of the time again for a third of a VMAF point.
const COSTS: &[(&str, f64)] = &[
    ("veryslow", 13.0),
    ("slower", 7.0),
    ("slow", 4.2),
    ("medium", 3.3),
    ("fast", 2.9),
    ("faster", 2.4),
    ("veryfast", 1.9),
    ("superfast", 1.4),
    ("ultrafast", 1.0),
];
/// The share of the time allowed that each preset may take, for the ones that are chosen among: who waits for a minute
/// gets more from half of it than from half a VMAF point. What takes longer is left to the next.
const PATIENCE: &[(&str, f64)] = &[("slower", 0.25), ("slow", 0.25), ("medium", 0.5), ("fast", 0.75)];
/// Part of an encode's time that does not shrink with the picture: reading, decoding and scaling the source.
const FIXED: f64 = 0.35;

/// What is known of the work.
#[derive(Debug, Clone, Copy)]
pub(in crate::media) struct Work {
    /// Frames to encode.
    pub frames: f64,
    /// Pixels of a frame, as a share of those the speed was measured with.
    pub pixels: f64,
    /// Frames a second of one fast encode at full size.
    pub speed: f64,
}

impl Work {
    /// Seconds that two passes of `preset` take, roughly.
    pub(in crate::media) fn seconds(&self, preset: &str) -> f64 {
        let cost = COSTS.iter().find_map(|(name, cost)| (*name == preset).then_some(*cost)).unwrap_or(4.2);
        self.frames * (FIXED + (1.0 - FIXED) * self.pixels) / self.speed.max(0.01) * cost
    }
}

/// The preset: the operator's, if there is one, else the slowest that keeps its share of the budget. `work` is unknown where no
/// samples could be had.
pub(in crate::media) fn choose(
    wanted: Option<&str>,
    speed: Speed,
    budget: Duration,
    work: Option<Work>,
) -> &'static str {
    let at = |name: &str| COSTS.iter().position(|(known, _)| *known == name);
    let (slowest, fastest) = (2, COSTS.len() - 2);
    let index = match (wanted.and_then(at), work) {
        (Some(index), _) => match speed {
            Speed::Fast => (index + 2).min(fastest.max(index)),
            Speed::Balanced => index,
            Speed::Best => index.saturating_sub(1),
        },
        (None, work) => {
            let (from, factor) = match speed {
                Speed::Fast => (4, 0.25),
                Speed::Balanced => (slowest, 1.0),
                Speed::Best => (slowest - 1, 3.0),
            };
            let budget = budget.as_secs_f64() * factor;
            match work {
                Some(work) => (from..fastest)
                    .find(|index| {
                        COSTS.get(*index).is_some_and(|(name, _)| work.seconds(name) <= budget * patience(name))
                    })
                    .unwrap_or(fastest),
                None => from.max(3),
            }
        }
    };
    COSTS.get(index).map_or("medium", |(name, _)| name)
}

fn patience(preset: &str) -> f64 {
    PATIENCE.iter().find_map(|(name, share)| (*name == preset).then_some(*share)).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_secs(100);

    fn work(seconds_of_slow: f64) -> Option<Work> {
        Some(Work { frames: seconds_of_slow / 4.2 * 100.0, pixels: 1.0, speed: 100.0 })
    }

    #[test]
    fn the_slowest_that_keeps_its_share_of_the_budget_is_taken() {
        // Seconds that `slow` would take; 100 are allowed.
        for (slow, want) in [
            (10.0, "slow"),
            (24.0, "slow"),
            (26.0, "medium"),
            (63.0, "medium"),
            (65.0, "fast"),
            (108.0, "fast"),
            (110.0, "faster"),
            (176.0, "veryfast"),
            (1e6, "superfast"),
        ] {
            assert_eq!(choose(None, Speed::Balanced, BUDGET, work(slow)), want, "{slow}");
        }
        assert_eq!(choose(None, Speed::Balanced, BUDGET, None), "medium");
    }

    #[test]
    fn what_the_operator_set_is_obeyed_and_the_wish_moves_it() {
        assert_eq!(choose(Some("veryslow"), Speed::Balanced, BUDGET, work(1e6)), "veryslow");
        assert_eq!(choose(Some("medium"), Speed::Fast, BUDGET, None), "faster");
        assert_eq!(choose(Some("medium"), Speed::Best, BUDGET, None), "slow");
        assert_eq!(choose(Some("ultrafast"), Speed::Fast, BUDGET, None), "ultrafast");
        assert_eq!(choose(None, Speed::Best, BUDGET, work(40.0)), "slower");
        assert_eq!(choose(None, Speed::Best, BUDGET, work(70.0)), "slow");
        assert_eq!(choose(None, Speed::Fast, BUDGET, work(10.0)), "fast");
    }

    #[test]
    fn a_smaller_picture_is_less_work() {
        let full = work(100.0).unwrap();
        let small = Work { pixels: 0.25, ..full };
        let share = small.seconds("slow") / full.seconds("slow");
        assert!((0.4..0.6).contains(&share), "{share}");
    }
}
