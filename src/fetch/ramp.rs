//! How many connections a file gets: more as long as more are faster. Pure.

use std::time::Duration;

/// Between two looks at the speed.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// More connections must bring at least this much more, or they are given back.
const WORTH: f64 = 1.2;

/// A file that will be there within so many looks needs no more connections.
const SOON: u64 = 3;

/// More than this left at the start: two connections from the start.
const LARGE: u64 = 8 * 1024 * 1024;

/// The number of connections of one file.
#[derive(Debug)]
pub(super) struct Ramp {
    target: usize,
    most: usize,
    /// Bytes of the look before the last raise, and the number of connections then.
    before: Option<(u64, usize)>,
    /// The last raise was so short ago that new connections still come up.
    fresh: bool,
    settled: bool,
    /// Bytes of the last look.
    rate: Option<u64>,
}

impl Ramp {
    /// `left`: bytes still to load. `most`: connections it may have.
    pub(super) fn new(left: u64, most: usize) -> Self {
        let target = if left > LARGE { most.min(2) } else { 1 };
        Self { target, most, before: None, fresh: true, settled: most <= target, rate: None }
    }

    /// How many connections there should be now.
    pub(super) fn target(&self) -> usize {
        self.target
    }

    /// A look at the speed: `bytes` have come since the last, over `active` connections; `left` are still to come.
    pub(super) fn look(&mut self, bytes: u64, active: usize, left: u64) {
        self.rate = Some(bytes);
        // Nothing at all is the server's trouble, and no sign that more connections would help.
        if self.settled || std::mem::take(&mut self.fresh) || active < self.target || bytes == 0 {
            return;
        }
        if let Some((before, connections)) = self.before
            && (bytes as f64) < before as f64 * WORTH
        {
            self.target = connections;
            self.settled = true;
            return;
        }
        if left > bytes.saturating_mul(SOON) {
            self.before = Some((bytes, self.target));
            self.target = (self.target * 2).min(self.most);
            self.settled = self.target == self.before.map_or(0, |(_, connections)| connections);
            self.fresh = true;
        }
    }

    /// A connection was refused or failed while `active` others go on: so many it is, and no more.
    pub(super) fn settle_at(&mut self, active: usize) {
        self.target = self.target.min(active.max(1));
        self.most = self.target;
        self.settled = true;
    }

    /// Whether what one of `active` connections has left takes so long that another should help.
    pub(super) fn is_slow(&self, left: u64, active: usize) -> bool {
        self.rate.is_some_and(|rate| left.saturating_mul(active.max(1) as u64) > rate.saturating_mul(2 * SOON))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    /// Looks `looks` times at a server that gives `speed(connections)` bytes a look; the connections after each look.
    fn ramp(most: usize, looks: usize, left: u64, speed: impl Fn(usize) -> u64) -> Vec<usize> {
        let mut ramp = Ramp::new(left, most);
        (0..looks)
            .map(|_| {
                let active = ramp.target();
                ramp.look(speed(active), active, left);
                ramp.target()
            })
            .collect()
    }

    #[test]
    fn connections_are_added_while_they_make_it_faster() {
        // A server that slows down each connection.
        assert_eq!(ramp(8, 6, 1000 * MIB, |n| n as u64 * MIB), [2, 4, 4, 8, 8, 8]);
        // One that slows down each visitor: four bring nothing, two it stays.
        assert_eq!(ramp(8, 6, 1000 * MIB, |_| MIB), [2, 4, 4, 2, 2, 2]);
        // A line that is full with five.
        assert_eq!(ramp(16, 9, 1000 * MIB, |n| n.min(5) as u64 * MIB), [2, 4, 4, 8, 8, 16, 16, 8, 8]);
        assert_eq!(ramp(1, 3, 1000 * MIB, |n| n as u64 * MIB), [1, 1, 1]);
    }

    #[test]
    fn small_files_start_with_one_and_fast_ones_stay_as_they_are() {
        assert_eq!(ramp(8, 4, 4 * MIB, |n| n as u64 * 100_000), [1, 2, 2, 4]);
        assert_eq!(ramp(8, 4, 4 * MIB, |_| 2 * MIB), [1, 1, 1, 1]);
    }

    #[test]
    fn a_refused_connection_ends_the_rise() {
        let mut ramp = Ramp::new(1000 * MIB, 8);
        ramp.look(MIB, 2, 1000 * MIB);
        ramp.look(MIB, 2, 1000 * MIB);
        assert_eq!(ramp.target(), 4);
        ramp.settle_at(2);
        for _ in 0..5 {
            ramp.look(50 * MIB, 2, 1000 * MIB);
        }
        assert_eq!(ramp.target(), 2);
        ramp.settle_at(0);
        assert_eq!(ramp.target(), 1);
    }

    #[test]
    fn help_comes_only_where_it_is_slow() {
        let mut ramp = Ramp::new(100 * MIB, 4);
        assert!(!ramp.is_slow(100 * MIB, 1), "nothing is known yet");
        ramp.look(4 * MIB, 4, 100 * MIB);
        assert!(!ramp.is_slow(5 * MIB, 4), "a mebibyte a look: 5 looks");
        assert!(ramp.is_slow(7 * MIB, 4));
    }
}
