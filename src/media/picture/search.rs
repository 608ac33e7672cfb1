//! Finds the highest quality whose file still fits: a secant on the logarithm of the size, which is close to straight.

/// Tries for one size of picture.
const TRIES: usize = 6;
/// A file that fills the limit to this share is good enough.
const FULL: f64 = 0.95;
/// Where to aim within the limit.
const AIM: f64 = 0.975;
/// Change of the size's natural logarithm a step of quality, before two tries tell.
const SLOPE: f64 = 0.03;

/// A search over qualities `floor..=ceiling`.
#[derive(Debug, Clone)]
pub(in crate::media) struct Search {
    limit: u64,
    floor: u8,
    ceiling: u8,
    /// The best that fits.
    under: Option<(u8, u64)>,
    /// The lowest that does not.
    over: Option<(u8, u64)>,
    tries: usize,
}

impl Search {
    pub(in crate::media) fn new(limit: u64, floor: u8, ceiling: u8) -> Self {
        let floor = floor.clamp(1, 100);
        Self { limit, floor, ceiling: ceiling.clamp(floor, 100), under: None, over: None, tries: 0 }
    }

    /// The next quality to try; `None` when it is done.
    pub(in crate::media) fn next(&self) -> Option<u8> {
        if self.tries >= TRIES {
            return None;
        }
        let guess = match (self.under, self.over) {
            (None, None) => return Some(82.clamp(self.floor, self.ceiling)),
            (Some((quality, size)), _) if quality == self.ceiling || size as f64 >= FULL * self.limit as f64 => {
                return None;
            }
            (_, Some((quality, _))) if quality == self.floor => return None,
            (Some(under), Some(over)) if over.0 - under.0 <= 1 => return None,
            (Some(under), Some(over)) => {
                let slope = (ln(over.1) - ln(under.1)) / f64::from(over.0 - under.0);
                self.aim(under, slope.max(0.001))
            }
            // Nothing fits yet: the last try may go to the floor, to know whether anything does.
            (None, Some(_)) if self.tries + 1 == TRIES => f64::from(self.floor),
            (Some(known), None) | (None, Some(known)) => self.aim(known, SLOPE),
        };
        let low = self.under.map_or(self.floor, |(quality, _)| quality + 1);
        let high = self.over.map_or(self.ceiling, |(quality, _)| quality.saturating_sub(1)).max(low);
        Some((guess.round().clamp(0.0, 100.0) as u8).clamp(low, high))
    }

    fn aim(&self, from: (u8, u64), slope: f64) -> f64 {
        f64::from(from.0) + ((self.limit as f64 * AIM).ln() - ln(from.1)) / slope
    }

    /// Notes what a quality gave; true when it is the best that fits so far.
    pub(in crate::media) fn record(&mut self, quality: u8, size: u64) -> bool {
        self.tries += 1;
        if size <= self.limit {
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
        }
    }

    /// When nothing fits: by how much to scale each side for the lowest quality to have a chance.
    pub(in crate::media) fn shrink(&self) -> f64 {
        let size = self.over.map_or(self.limit, |(_, size)| size).max(1);
        (self.limit as f64 * 0.8 / size as f64).sqrt().clamp(0.1, 0.85)
    }
}

fn ln(size: u64) -> f64 {
    (size.max(1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file whose size grows by `slope` a step, `base` bytes at quality 50, with a bend.
    fn sizes(base: f64, slope: f64) -> impl Fn(u8) -> u64 {
        move |quality| {
            let q = f64::from(quality);
            (base * (slope * (q - 50.0) + if q > 85.0 { (q - 85.0) * 0.06 } else { 0.0 }).exp()) as u64
        }
    }

    fn run(limit: u64, floor: u8, size: impl Fn(u8) -> u64) -> (Option<(u8, u64)>, usize, Search) {
        let mut search = Search::new(limit, floor, 95);
        let mut best = None;
        while let Some(quality) = search.next() {
            if search.record(quality, size(quality)) {
                best = Some((quality, size(quality)));
            }
        }
        (best, search.tries, search)
    }

    #[test]
    fn it_fills_the_limit_in_few_tries() {
        for (base, slope) in [(1e6, 0.03), (1e6, 0.02), (2.5e6, 0.035), (4e6, 0.04), (3e5, 0.05)] {
            let (best, tries, _) = run(3_000_000, 40, sizes(base, slope));
            let (quality, size) = best.unwrap_or_else(|| panic!("{base} {slope}: nothing fits"));
            assert!(size <= 3_000_000 && tries <= TRIES);
            let next = sizes(base, slope)(quality + 1);
            let full = size as f64 >= 0.88 * 3e6 || quality == 95 || next > 3_000_000;
            assert!(full, "{base} {slope}: quality {quality}, {size} bytes after {tries}");
        }
    }

    #[test]
    fn it_says_when_nothing_fits_and_how_far_to_shrink() {
        let (best, _, search) = run(100_000, 60, sizes(4e6, 0.03));
        assert_eq!(best, None);
        assert!(search.shrink() < 0.3);
    }

    #[test]
    fn all_the_room_in_the_world_means_the_best_quality() {
        let (best, tries, _) = run(1 << 30, 40, sizes(1e5, 0.03));
        assert_eq!((best.unwrap().0, tries), (95, 2));
    }
}
