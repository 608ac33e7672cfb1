//! Which bytes of a file are there, and who loads which of the others. Pure.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use serde::{Deserialize, Serialize};

/// The least worth a request of its own.
const SMALLEST: u64 = 256 * 1024;

/// The most one request asks for while a single connection is enough.
const ALONE: u64 = 4 * 1024 * 1024;

/// The most one request asks for at all: a connection is given up between requests when another job waits for it.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A claim must have this much left for another connection to take half of it.
const WORTH_SHARING: u64 = 1024 * 1024;

/// Sorted ranges of bytes that neither overlap nor touch; ends are excluded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Ranges {
    list: Vec<(u64, u64)>,
}

impl Ranges {
    /// Adds bytes that may be in already.
    pub(super) fn insert(&mut self, range: Range<u64>) {
        let (mut start, mut end) = (range.start, range.end);
        if start >= end {
            return;
        }
        self.list.retain(|&(other_start, other_end)| {
            let apart = other_end < start || other_start > end;
            if !apart {
                start = start.min(other_start);
                end = end.max(other_end);
            }
            apart
        });
        let at = self.list.partition_point(|&(other, _)| other < start);
        self.list.insert(at, (start, end));
    }

    /// Takes away the first bytes that are in, at most `most` and in one piece.
    fn take_first(&mut self, most: u64) -> Option<Range<u64>> {
        let first = self.list.first_mut()?;
        let taken = first.0..first.1.min(first.0.saturating_add(most.max(1)));
        first.0 = taken.end;
        if first.0 == first.1 {
            self.list.remove(0);
        }
        Some(taken)
    }

    /// The first bytes that are in, up to the first that is not.
    pub(super) fn first(&self) -> Option<Range<u64>> {
        self.list.first().map(|&(start, end)| start..end)
    }

    /// Bytes in all.
    pub(super) fn bytes(&self) -> u64 {
        self.list.iter().map(|(start, end)| end - start).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What is not in, of `total` bytes.
    pub(super) fn missing(&self, total: u64) -> Self {
        let mut missing = Self::default();
        let mut at = 0;
        for &(start, end) in &self.list {
            missing.insert(at..start);
            at = end;
        }
        missing.insert(at..total);
        missing
    }

    /// The same, if it is what it should be: data from disk may be anything.
    pub(super) fn checked(self, total: u64) -> Option<Self> {
        let sound = self.list.iter().all(|(start, end)| start < end && *end <= total);
        let apart = self.list.windows(2).all(|pair| matches!(pair, [before, after] if before.1 < after.0));
        (sound && apart).then_some(self)
    }
}

/// Bytes that one connection loads, from where it is to where it stops. Another may take over its end.
#[derive(Debug)]
pub(super) struct Claim {
    at: AtomicU64,
    end: AtomicU64,
}

impl Claim {
    fn new(range: &Range<u64>) -> Arc<Self> {
        Arc::new(Self { at: AtomicU64::new(range.start), end: AtomicU64::new(range.end) })
    }

    /// What is still to come.
    pub(super) fn left(&self) -> Range<u64> {
        self.at.load(Relaxed)..self.end.load(Relaxed)
    }

    pub(super) fn advance(&self, bytes: u64) {
        self.at.fetch_add(bytes, Relaxed);
    }
}

/// The missing bytes of a file, shared out among connections.
#[derive(Debug)]
pub(super) struct Plan {
    unclaimed: Ranges,
    claims: Vec<Arc<Claim>>,
    /// The most one request may ask for.
    most: u64,
}

impl Plan {
    /// `most`: what the host likes a request to ask for at most, if it has a wish.
    pub(super) fn new(missing: Ranges, most: Option<u64>) -> Self {
        Self { unclaimed: missing, claims: Vec::new(), most: most.unwrap_or(LARGEST).clamp(1, LARGEST) }
    }

    /// Claims exactly these bytes: an answer that carries them is there already.
    pub(super) fn claim(&mut self, range: Range<u64>) -> Arc<Claim> {
        let mut rest = Ranges::default();
        for &(start, end) in &self.unclaimed.list {
            rest.insert(start..end.min(range.start));
            rest.insert(start.max(range.end)..end);
        }
        self.unclaimed = rest;
        self.keep(&range)
    }

    /// The next bytes for one of `connections`: the first that nobody loads, in pieces that get smaller towards the end so
    /// that all connections end together.
    pub(super) fn next(&mut self, connections: usize) -> Option<Arc<Claim>> {
        let share = match connections {
            0 | 1 => ALONE,
            several => (self.unclaimed.bytes() / (2 * several as u64)).clamp(SMALLEST, LARGEST),
        };
        let range = self.unclaimed.take_first(share.min(self.most))?;
        Some(self.keep(&range))
    }

    /// The second half of what the connection with most to do has left, if that is worth it.
    pub(super) fn share(&mut self) -> Option<Arc<Claim>> {
        let busiest = self.claims.iter().max_by_key(|claim| claim.left().end.saturating_sub(claim.left().start))?;
        let left = busiest.left();
        if left.end.saturating_sub(left.start) < WORTH_SHARING {
            return None;
        }
        let middle = left.start + (left.end - left.start) / 2;
        busiest.end.store(middle, Relaxed);
        Some(self.keep(&(middle..left.end)))
    }

    /// A connection has ended; what it has not loaded is anybody's again.
    pub(super) fn release(&mut self, claim: &Arc<Claim>) {
        self.claims.retain(|other| !Arc::ptr_eq(other, claim));
        self.unclaimed.insert(claim.left());
    }

    /// Whether nobody needs to be asked for anything more.
    pub(super) fn is_claimed(&self) -> bool {
        self.unclaimed.is_empty()
    }

    /// Bytes that are still to come.
    pub(super) fn left(&self) -> u64 {
        let claimed: u64 = self.claims.iter().map(|claim| claim.left().end.saturating_sub(claim.left().start)).sum();
        self.unclaimed.bytes() + claimed
    }

    fn keep(&mut self, range: &Range<u64>) -> Arc<Claim> {
        let claim = Claim::new(range);
        self.claims.push(claim.clone());
        claim
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn ranges(list: &[(u64, u64)]) -> Ranges {
        let mut ranges = Ranges::default();
        list.iter().for_each(|&(start, end)| ranges.insert(start..end));
        ranges
    }

    #[test]
    fn ranges_join_where_they_meet() {
        assert_eq!(ranges(&[(10, 20), (0, 5), (30, 40)]).list, [(0, 5), (10, 20), (30, 40)]);
        assert_eq!(ranges(&[(10, 20), (20, 30), (0, 10)]).list, [(0, 30)]);
        assert_eq!(ranges(&[(0, 5), (10, 15), (20, 25), (3, 21)]).list, [(0, 25)]);
        assert_eq!(ranges(&[(7, 7), (9, 8)]).list, []);
        assert_eq!(ranges(&[(0, 5), (10, 15)]).bytes(), 10);
        assert_eq!(ranges(&[(0, 5), (10, 15)]).missing(20).list, [(5, 10), (15, 20)]);
        assert_eq!(ranges(&[]).missing(20).list, [(0, 20)]);
        assert!(ranges(&[(0, 20)]).missing(20).is_empty());
    }

    #[test]
    fn ranges_from_disk_are_checked() {
        let from = |text: &str| serde_json::from_str::<Ranges>(text).unwrap().checked(100);
        assert!(from("[[0,10],[20,100]]").is_some());
        for odd in ["[[0,101]]", "[[10,10]]", "[[20,10]]", "[[0,10],[10,20]]", "[[50,60],[0,10]]", "[[0,20],[10,30]]"] {
            assert!(from(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn every_byte_is_claimed_once_in_pieces_that_get_smaller() {
        let mut plan = Plan::new(ranges(&[(0, 100 * MIB)]), None);
        let first = plan.claim(0..MIB);
        let mut all = ranges(&[]);
        let mut sizes = Vec::new();
        while let Some(claim) = plan.next(4) {
            sizes.push(claim.left().end - claim.left().start);
            all.insert(claim.left());
        }
        assert_eq!(all.list, [(MIB, 100 * MIB)]);
        assert_eq!(sizes.iter().sum::<u64>(), 99 * MIB);
        assert!(sizes.is_sorted_by(|a, b| a >= b || *b == SMALLEST) && sizes[0] > 8 * MIB, "{sizes:?}");
        assert_eq!(plan.left(), 100 * MIB);
        first.advance(MIB);
        plan.release(&first);
        assert_eq!(plan.left(), 99 * MIB);
    }

    #[test]
    fn a_hosts_wish_bounds_every_request() {
        let mut plan = Plan::new(ranges(&[(0, 10 * MIB)]), Some(300_000));
        while let Some(claim) = plan.next(1) {
            assert!(claim.left().end - claim.left().start <= 300_000);
        }
    }

    #[test]
    fn what_a_connection_leaves_is_anybodys() {
        let mut plan = Plan::new(ranges(&[(0, 1000)]), None);
        let claim = plan.next(1).unwrap();
        assert!(plan.is_claimed() && plan.next(1).is_none());
        claim.advance(400);
        plan.release(&claim);
        assert_eq!(plan.next(1).unwrap().left(), 400..1000);
    }

    #[test]
    fn the_busiest_connection_shares_what_it_has_left() {
        let mut plan = Plan::new(ranges(&[(0, 10 * MIB)]), None);
        let (slow, fast) = (plan.claim(0..6 * MIB), plan.claim(6 * MIB..10 * MIB));
        slow.advance(MIB);
        fast.advance(4 * MIB);
        let shared = plan.share().unwrap();
        assert_eq!((slow.left(), shared.left()), (MIB..7 * MIB / 2, 7 * MIB / 2..6 * MIB));
        slow.advance(2 * MIB);
        shared.advance(2 * MIB);
        assert!(plan.share().is_none(), "half a mebibyte each is left to itself");
    }
}
