//! Looks for the most of something (the width of a GIF, the share of an animation's pixels) whose file is under a limit. Bytes
//! grow with a power of it; which one, two tries tell. Pure.

/// The share of the limit that is aimed at.
const AIM: f64 = 0.94;
/// The share that is good enough: another try takes as long as all of it.
const GOOD: f64 = 0.85;
/// What the power may be: wider than ever seen, so that one odd file leads nowhere far off.
const POWERS: std::ops::RangeInclusive<f64> = 0.3..=5.0;
/// Tries closer together than this give the same file.
const CLOSE: f64 = 0.01;

/// A search under way.
#[derive(Debug)]
pub(super) struct Shrink {
    limit: u64,
    least: f64,
    most: f64,
    first: f64,
    power: f64,
    /// The most that fitted, with its bytes.
    under: Option<(f64, f64)>,
    /// The least that did not.
    over: Option<(f64, f64)>,
}

impl Shrink {
    /// Between `least` and `most`, from `first` on; bytes grow with about this `power` of it. Without a limit `first` will do.
    pub(super) fn new(limit: Option<u64>, (least, most): (f64, f64), first: f64, power: f64) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self {
            limit,
            least: least.min(most),
            most,
            first: first.clamp(least.min(most), most),
            power,
            under: None,
            over: None,
        }
    }

    /// What to try next; `None` when there is nothing better to be had.
    pub(super) fn next(&self) -> Option<f64> {
        let aim = self.limit as f64 * AIM;
        let (known, guess) = match (self.under, self.over) {
            (None, None) => return Some(self.first),
            (Some((most, bytes)), _) if most >= self.most || bytes >= self.limit as f64 * GOOD => return None,
            (Some((under, low)), Some((over, high))) => {
                let power = ((high / low).ln() / (over / under).ln()).clamp(*POWERS.start(), *POWERS.end());
                (under, (under * (aim / low).powf(1.0 / power)).clamp(under, over * (1.0 - CLOSE)))
            }
            (Some((under, low)), None) => (under, under * (aim / low).powf(1.0 / self.power)),
            // A try that was stopped says only that it was far too large.
            (None, Some((over, high))) => (over, (over * (aim / high).powf(1.0 / self.power)).min(over * 0.9)),
        };
        let guess = guess.clamp(self.least, self.most);
        ((guess / known).ln().abs() >= CLOSE).then_some(guess)
    }

    /// Notes the bytes that came of a try, 0 for no file; true when it is the best so far.
    pub(super) fn record(&mut self, tried: f64, bytes: u64) -> bool {
        if bytes == 0 || bytes > self.limit {
            self.over = Some((tried, bytes.max(1) as f64));
            return false;
        }
        let better = self.under.is_none_or(|(under, _)| tried > under);
        if better {
            self.under = Some((tried, bytes as f64));
        }
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches with bytes that grow as `scale` × width to the power of `power`: the best, and how many tries it took.
    fn search(limit: u64, first: f64, scale: f64, power: f64) -> (Option<f64>, usize) {
        let mut search = Shrink::new(Some(limit), (64.0, 480.0), first, 1.8);
        let mut best = None;
        for tries in 0..5 {
            let Some(width) = search.next() else { return (best, tries) };
            assert!((64.0..=480.0).contains(&width), "{width}");
            if search.record(width, (scale * width.powf(power)) as u64) {
                best = Some(width);
            }
        }
        (best, 5)
    }

    #[test]
    fn the_most_that_fits_is_found_in_a_few_tries() {
        assert_eq!(search(10 << 20, 480.0, 1.0, 1.8), (Some(480.0), 1), "it fits as it is");
        for power in [1.2, 1.8, 2.2, 2.6] {
            for scale in [5.0, 20.0, 80.0] {
                let limit = 500_000;
                let ideal = (limit as f64 / scale).powf(1.0 / power);
                for first in [480.0, 100.0] {
                    match search(limit, first, scale, power).0 {
                        Some(best) => {
                            assert!(best <= ideal && best >= (ideal * 0.8).min(470.0), "{best} of {ideal}: {power}");
                        }
                        None => assert!(ideal < 64.0, "{ideal}"),
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_limit_the_first_try_is_the_last() {
        let mut search = Shrink::new(None, (64.0, 480.0), 480.0, 1.8);
        assert_eq!(search.next(), Some(480.0));
        assert!(search.record(480.0, 1 << 40));
        assert_eq!(search.next(), None);
    }

    #[test]
    fn no_file_at_all_is_a_try_that_was_too_large() {
        let mut search = Shrink::new(Some(1000), (64.0, 480.0), 480.0, 1.8);
        assert!(!search.record(480.0, 0));
        assert!(search.next().is_some_and(|next| next < 480.0));
    }
}
