//! How long something under way will still take, believably: nothing is said before there is enough to tell by, and what
//! is said changes slowly. Pure: the clock is handed in.

use std::time::Duration;

use super::Phase;

/// Before this share was done, or this time has passed, the rate is a guess.
const ENOUGH_DONE: f64 = 0.05;
/// See [`ENOUGH_DONE`].
const ENOUGH_SECONDS: f64 = 3.0;
/// Seconds after which an older rate counts for a third: the passes of an encode differ in speed.
const MEMORY: f64 = 12.0;
/// Seconds after which what was said gives way to what is known by then.
const INERTIA: f64 = 6.0;
/// The longest time between two steps that counts in full.
const STEP: f64 = 2.0;
/// More is not worth saying: something is wrong.
const MOST: f64 = 24.0 * 3600.0;

/// Watches one request's phases and tells how long compressing will still take.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeLeft(Option<Run>);

/// One file's compression.
#[derive(Debug, Clone, Copy)]
struct Run {
    file: usize,
    /// When and where it was first heard of: a run may be joined late.
    begun: Point,
    last: Point,
    /// Shares a second, lately.
    rate: Option<f64>,
    /// What was said last, in seconds.
    said: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    seconds: f64,
    done: f64,
}

impl TimeLeft {
    /// Hears a phase at `now` (since whenever, as long as it is always the same) and tells what is left of it, if that can
    /// be told.
    pub fn hear(&mut self, now: Duration, phase: &Phase) -> Option<Duration> {
        let Phase::Compressing { file, fraction, .. } = *phase else {
            self.0 = None;
            return None;
        };
        let here = Point { seconds: now.as_secs_f64(), done: f64::from(fraction).clamp(0.0, 1.0) };
        let fresh = Run { file, begun: here, last: here, rate: None, said: None };
        let run = self.0.get_or_insert(fresh);
        if run.file != file || here.done < run.last.done || here.seconds < run.last.seconds {
            *run = fresh;
        }
        run.hear(here).map(Duration::from_secs_f64)
    }
}

impl Run {
    fn hear(&mut self, here: Point) -> Option<f64> {
        let (passed, done) = (here.seconds - self.last.seconds, here.done - self.last.done);
        if passed > 0.0 && done > 0.0 {
            let lately = done / passed;
            let weight = 1.0 - (-passed / MEMORY).exp();
            self.rate = Some(self.rate.map_or(lately, |rate| rate + (lately - rate) * weight));
            self.last = here;
        }
        let (all_passed, all_done) = (here.seconds - self.begun.seconds, here.done - self.begun.done);
        if all_passed < ENOUGH_SECONDS || all_done < ENOUGH_DONE || here.done >= 1.0 {
            return None;
        }
        // The mean of all of it steadies what the last seconds tell.
        let rate = (self.rate? + all_done / all_passed) / 2.0;
        let known = (1.0 - here.done) / rate;
        let said = match self.said {
            Some(said) if passed > 0.0 => {
                let expected = (said - passed).max(0.0);
                // After a pause one step of news is no more than that.
                expected + (known - expected) * (1.0 - (-passed.min(STEP) / INERTIA).exp())
            }
            Some(said) => said,
            None => known,
        };
        // Without news the clock of `last` stands still, and so must what is said.
        if done > 0.0 || self.said.is_none() {
            self.said = Some(said);
        }
        (said.is_finite() && said <= MOST).then_some(said.max(0.0))
    }
}

/// `a few seconds`, `about 20 s`, `about 3 min`, `about 1 h 10 min`.
pub fn about(left: Duration) -> String {
    let seconds = left.as_secs_f64();
    let rounded = |unit: f64| ((seconds / unit).round() * unit) as u64;
    match seconds {
        _ if seconds < 7.5 => "a few seconds".to_owned(),
        _ if seconds < 57.5 => format!("about {} s", rounded(5.0)),
        _ if seconds < 3570.0 => format!("about {} min", (rounded(60.0) / 60).max(1)),
        _ => match (rounded(600.0) / 3600, rounded(600.0) / 60 % 60) {
            (hours, 0) => format!("about {hours} h"),
            (hours, minutes) => format!("about {hours} h {minutes} min"),
        },
    }
}

/// How long something took: `0.4 s`, `31 s`, `4:12 min`, `1:02:03 h`.
pub fn took(time: Duration) -> String {
    let (tenths, seconds) = ((time.as_secs_f64() * 10.0).round(), time.as_secs_f64().round() as u64);
    match seconds {
        _ if tenths < 100.0 => format!("{:.1} s", tenths / 10.0),
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02} h", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_something_took_read_well() {
        for (ms, told) in [
            (0, "0.0 s"),
            (440, "0.4 s"),
            (9_940, "9.9 s"),
            (9_960, "10 s"),
            (59_400, "59 s"),
            (59_600, "1:00 min"),
            (252_000, "4:12 min"),
            (3_599_600, "1:00:00 h"),
            (3_723_000, "1:02:03 h"),
        ] {
            assert_eq!(took(Duration::from_millis(ms)), told);
        }
    }

    fn at(file: usize, fraction: f64) -> Phase {
        Phase::Compressing { file, of: 2, fraction: fraction as f32 }
    }

    /// What is said each second while `done` tells the share at that second.
    fn told(seconds: usize, done: impl Fn(f64) -> f64) -> Vec<Option<f64>> {
        let mut left = TimeLeft::default();
        (0..=seconds)
            .map(|second| left.hear(Duration::from_secs(second as u64), &at(1, done(second as f64))))
            .map(|left| left.map(|left| left.as_secs_f64()))
            .collect()
    }

    #[test]
    fn a_steady_run_is_told_right_and_not_too_early() {
        let told = told(100, |second| second / 100.0);
        assert_eq!(told[..5], [None; 5], "neither three seconds nor five percent");
        for (second, left) in told.iter().enumerate().take(100).skip(5) {
            let left = left.unwrap_or_else(|| panic!("silent at {second}"));
            assert!((left - (100 - second) as f64).abs() < 2.0, "{left} at {second}");
        }
        assert_eq!(told[100], None, "it is done");
    }

    #[test]
    fn a_second_pass_at_half_the_speed_makes_it_change_but_not_jump() {
        // 40 % in 20 s, then 60 % in 60 s.
        let told = told(79, |second| if second < 20.0 { second * 0.02 } else { 0.4 + (second - 20.0) * 0.01 });
        let told: Vec<f64> = told.into_iter().flatten().collect();
        for pair in told.windows(2) {
            assert!((pair[1] - pair[0]).abs() <= 5.0, "{pair:?}");
        }
        assert!(told[told.len() - 20] > 10.0 && told[told.len() - 20] < 30.0, "{told:?}");
    }

    #[test]
    fn a_burst_or_a_pause_is_no_reason_to_panic() {
        let told = told(60, |second| match second {
            second if second < 20.0 => second * 0.01,
            second if second < 30.0 => 0.2,
            second => 0.2 + (second - 30.0) * 0.01,
        });
        for pair in told.iter().flatten().collect::<Vec<_>>().windows(2) {
            assert!((pair[1] - pair[0]).abs() < 25.0, "{pair:?}");
        }
    }

    #[test]
    fn another_file_or_another_phase_begins_anew() {
        let mut left = TimeLeft::default();
        for second in 0..20 {
            left.hear(Duration::from_secs(second), &at(1, second as f64 * 0.02));
        }
        assert!(left.hear(Duration::from_secs(20), &at(1, 0.4)).is_some());
        assert_eq!(left.hear(Duration::from_secs(21), &at(2, 0.5)), None);
        assert_eq!(left.hear(Duration::from_secs(30), &Phase::Uploading { part: 1, of: 1 }), None);
        assert_eq!(left.hear(Duration::from_secs(31), &at(2, 0.9)), None);
        assert_eq!(left.hear(Duration::from_secs(40), &at(2, f64::NAN)), None);
    }

    #[test]
    fn the_words_are_as_exact_as_they_can_be_believed() {
        for (seconds, words) in [
            (2, "a few seconds"),
            (8, "about 10 s"),
            (22, "about 20 s"),
            (57, "about 55 s"),
            (58, "about 1 min"),
            (200, "about 3 min"),
            (3580, "about 1 h"),
            (4300, "about 1 h 10 min"),
        ] {
            assert_eq!(about(Duration::from_secs(seconds)), words, "{seconds}");
        }
    }
}
