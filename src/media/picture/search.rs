//! Finds the highest quality whose file still fits: a secant on the logarithm of the size, which is close to straight.

/// Tries for one size of picture.
const TRIES: usize = 6;
/// A file that fills the limit to this share is good enough.
const FULL: f64 = 0.965;
/// Where to aim within the limit.
const AIM: f64 = 0.985;
/// Change of the size's natural logarithm a step of quality, before two tries tell.
const SLOPE: f64 = 0.035;
/// Where to begin when nothing is known.
const BEGIN: f64 = 82.0;
/// Qualities closer than this give the same file.
const CLOSE: f64 = 0.05;

/// A search over qualities `floor..=ceiling`, fractions included: whole steps near the top change the size by a tenth.
#[derive(Debug, Clone)]
pub(in crate::media) struct Search {
    limit: u64,
    floor: f64,
    ceiling: f64,
    /// Where to begin.
    first: f64,
    /// What one step of quality does to the size's logarithm, until two tries tell.
    slope: f64,
    /// The best that fits.
    under: Option<(f64, u64)>,
    /// The lowest that does not.
    over: Option<(f64, u64)>,
    tries: usize,
}

impl Search {
    pub(in crate::media) fn new(limit: u64, floor: f64, ceiling: f64) -> Self {
        let floor = floor.clamp(1.0, 100.0);
        let ceiling = ceiling.clamp(floor, 100.0);
        // Without a limit the best is right at once.
        let first = if limit == u64::MAX { ceiling } else { BEGIN.clamp(floor, ceiling) };
        Self { limit, floor, ceiling, first, slope: SLOPE, under: None, over: None, tries: 0 }
    }

    /// The same search over the whole picture after one over a sample of it: begins where that ended, with the slope it
    /// learned.
    pub(in crate::media) fn informed(limit: u64, sample: &Search) -> Self {
        let mut search = Self::new(limit, sample.floor, sample.ceiling);
        search.first = match (sample.under, sample.over) {
            (Some(under), _) if under.0 >= sample.ceiling - CLOSE => sample.ceiling,
            (None, Some((quality, _))) if quality <= sample.floor + CLOSE => sample.floor,
            (Some(known), _) | (None, Some(known)) => sample.aim(known),
            (None, None) => search.first,
        }
        .clamp(search.floor, search.ceiling);
        search.slope = sample.slope;
        search
    }

    /// The next quality to try; `None` when it is done.
    pub(in crate::media) fn next(&self) -> Option<f64> {
        if self.tries >= TRIES {
            return None;
        }
        let guess = match (self.under, self.over) {
            (None, None) => return Some(self.first),
            (Some((quality, size)), _)
                if quality >= self.ceiling - CLOSE || size as f64 >= FULL * self.limit as f64 =>
            {
                return None;
            }
            (None, Some((quality, _))) if quality <= self.floor + CLOSE => return None,
            (Some(under), Some(over)) if over.0 - under.0 <= CLOSE => return None,
            // Nothing fits yet: the last try goes to the floor, to know whether anything does.
            (None, Some(_)) if self.tries + 1 == TRIES => self.floor,
            (Some(under), _) => self.aim(under),
            (None, Some(over)) => self.aim(over),
        };
        // Not so close to a known end that the try teaches nothing.
        let low = self.under.map_or(self.floor, |(quality, _)| quality + CLOSE);
        let high = self.over.map_or(self.ceiling, |(quality, _)| quality - CLOSE).max(low);
        Some(guess.clamp(low, high))
    }

    /// The quality at which the file should just fill the limit.
    fn aim(&self, from: (f64, u64)) -> f64 {
        from.0 + ((self.limit as f64 * AIM).ln() - ln(from.1)) / self.slope
    }

    /// Notes what a quality gave; true when it is the best that fits so far.
    pub(in crate::media) fn record(&mut self, quality: f64, size: u64) -> bool {
        self.tries += 1;
        let fits = size <= self.limit;
        let better = if fits {
            let better = self.under.is_none_or(|(known, _)| quality > known);
            if better {
                self.under = Some((quality, size));
            }
            better
        } else {
            if self.over.is_none_or(|(known, _)| quality < known) {
                self.over = Some((quality, size));
            }
            false
        };
        if let (Some(under), Some(over)) = (self.under, self.over)
            && over.0 > under.0
        {
            self.slope = ((ln(over.1) - ln(under.1)) / (over.0 - under.0)).clamp(0.002, 0.5);
        }
        better
    }

    /// When nothing fits: by how much to scale each side so that the lowest quality fits with some room, which a better
    /// quality then fills.
    pub(in crate::media) fn shrink(&self) -> f64 {
        let size = self.over.map_or(self.limit, |(_, size)| size).max(1);
        (self.limit as f64 * 0.75 / size as f64).sqrt().clamp(0.05, 0.9)
    }

    /// Whether nothing can fit at this size of picture: not even the lowest quality did.
    pub(in crate::media) fn hopeless(&self) -> bool {
        self.under.is_none() && self.over.is_some_and(|(quality, _)| quality <= self.floor + CLOSE)
    }
}

fn ln(size: u64) -> f64 {
    (size.max(1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose size grows by `slope` a step, `base` bytes at quality 50, with a bend.
    fn sizes(base: f64, slope: f64) -> impl Fn(f64) -> u64 {
        move |q| (base * (slope * (q - 50.0) + if q > 85.0 { (q - 85.0) * 0.06 } else { 0.0 }).exp()) as u64
    }

    fn run(mut search: Search, size: impl Fn(f64) -> u64) -> (Option<(f64, u64)>, Search) {
        let mut best = None;
        while let Some(quality) = search.next() {
            if search.record(quality, size(quality)) {
                best = Some((quality, size(quality)));
            }
        }
        (best, search)
    }

    #[test]
    fn it_fills_the_limit_in_few_tries() {
        for (base, slope) in [(1e6, 0.03), (1e6, 0.02), (2.5e6, 0.035), (4e6, 0.04), (3e5, 0.05)] {
            let (best, search) = run(Search::new(3_000_000, 40.0, 95.0), sizes(base, slope));
            let (quality, size) = best.unwrap_or_else(|| panic!("{base} {slope}: nothing fits"));
            assert!(size <= 3_000_000 && search.tries <= TRIES);
            let full = size as f64 >= FULL * 3e6 || quality == 95.0;
            assert!(full, "{base} {slope}: quality {quality}, {size} bytes after {}", search.tries);
        }
    }

    #[test]
    fn a_sample_saves_tries_even_when_it_is_a_little_wrong() {
        for (base, slope) in [(1e6, 0.03), (2.5e6, 0.035), (4e6, 0.04)] {
            for error in [0.97, 1.0, 1.03] {
                let size = sizes(base, slope);
                let sample = run(Search::new(300_000, 40.0, 95.0), |q| (size(q) as f64 / 10.0 * error) as u64).1;
                let (best, search) = run(Search::informed(3_000_000, &sample), &size);
                let full = best.unwrap().1 as f64 >= FULL * 3e6;
                assert!(full && search.tries <= 3, "{base} {slope} {error}: {best:?} after {}", search.tries);
            }
        }
    }

    #[test]
    fn it_says_when_nothing_fits_and_how_far_to_shrink() {
        let (best, search) = run(Search::new(100_000, 60.0, 95.0), sizes(4e6, 0.03));
        assert_eq!(best, None);
        assert!(search.hopeless() && search.shrink() < 0.3);
    }

    #[test]
    fn all_the_room_in_the_world_means_the_best_quality() {
        let (best, search) = run(Search::new(1 << 30, 40.0, 95.0), sizes(1e5, 0.03));
        assert_eq!((best.unwrap().0, search.tries), (95.0, 2));
    }
}
