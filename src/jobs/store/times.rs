//! How long jobs took, as a histogram. The rows of jobs go with time, and a percentile cannot be made of sums: so each delivered
//! job is counted in a step, by day, server, platform and way. The steps grow by a tenth, and each knows its fastest and
//! slowest job: a percentile is off by less than a step, and exact where all took the same.

use std::collections::BTreeMap;

use serde::Serialize;

/// What took longer counts as this: a day, in milliseconds. `migrations/…/0002_times.sql` has the same number and steps.
const MOST: i64 = 86_400_000;

/// How long delivered jobs took, from claimed to ended, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Times {
    /// Of how many jobs that is known.
    pub jobs: u64,
    /// The fastest.
    pub fastest_ms: u64,
    /// Half of them took at most this long.
    pub p50_ms: u64,
    /// 95 of 100 took at most this long.
    pub p95_ms: u64,
    /// The slowest.
    pub slowest_ms: u64,
}

/// A time within the steps.
pub(super) fn bounded(took_ms: i64) -> i64 {
    took_ms.clamp(0, MOST)
}

/// The end of the step that a time belongs to.
pub(super) fn step(took_ms: i64) -> i64 {
    let (took, mut upto) = (bounded(took_ms), 1);
    while upto < took {
        upto += upto / 10 + 1;
    }
    upto
}

/// Jobs of one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) jobs: u64,
    /// The fastest of them.
    pub(super) least_ms: u64,
    /// The slowest of them.
    pub(super) most_ms: u64,
}

/// Jobs by the end of their step.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram(BTreeMap<i64, Step>);

impl Histogram {
    /// Adds jobs of the step that ends there.
    pub(super) fn add(&mut self, upto: i64, more: Step) {
        let step = self.0.entry(upto).or_insert(Step { jobs: 0, ..more });
        step.jobs += more.jobs;
        step.least_ms = step.least_ms.min(more.least_ms);
        step.most_ms = step.most_ms.max(more.most_ms);
    }

    /// What it comes to. `None`: there is nothing in it.
    pub(super) fn times(&self) -> Option<Times> {
        let (first, last) = (self.0.values().next()?, self.0.values().next_back()?);
        let jobs = self.0.values().map(|step| step.jobs).sum();
        Some(Times {
            jobs,
            fastest_ms: first.least_ms,
            p50_ms: self.percentile(50, jobs),
            p95_ms: self.percentile(95, jobs),
            slowest_ms: last.most_ms,
        })
    }

    /// The time of the job that has `percent` of all before it or at its place. Within a step jobs count as evenly spread.
    fn percentile(&self, percent: u64, jobs: u64) -> u64 {
        let rank = jobs.saturating_mul(percent).div_ceil(100).max(1);
        let mut before = 0;
        for step in self.0.values() {
            if before + step.jobs >= rank {
                let (nth, spread) = (rank - before - 1, step.most_ms - step.least_ms);
                return step.least_ms + spread.saturating_mul(nth).checked_div(step.jobs - 1).unwrap_or_default();
            }
            before += step.jobs;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[i64]) -> Histogram {
        let mut histogram = Histogram::default();
        for &took in times {
            let ms = bounded(took).cast_unsigned();
            histogram.add(step(took), Step { jobs: 1, least_ms: ms, most_ms: ms });
        }
        histogram
    }

    #[test]
    fn steps_grow_by_a_tenth_and_end() {
        let mut before = 0;
        for took in [-5, 0, 1, 2, 10, 11, 99, 100, 1500, 60_000, 3_600_000, MOST, i64::MAX] {
            let upto = step(took);
            assert!(upto >= bounded(took) && upto >= before, "{took}: {upto}");
            assert!(upto as f64 <= bounded(took) as f64 * 1.1 + 2.0, "{took}: {upto}");
            assert_eq!(step(upto.min(MOST)), upto, "an end belongs to its step");
            before = upto;
        }
        assert!((0..=MOST).step_by(997).map(step).collect::<std::collections::BTreeSet<_>>().len() < 200);
    }

    #[test]
    fn percentiles_are_within_a_step_of_the_truth() {
        // The logarithms are even: times as they are, many short and few very long ones.
        let mut times: Vec<i64> = (0..5000_u64)
            .map(|n| 40.0 * 1.0014_f64.powf((n.wrapping_mul(2_654_435_761) % 5000) as f64))
            .map(|ms| ms as i64)
            .collect();
        let histogram = of(&times);
        times.sort_unstable();
        let told = histogram.times().unwrap();
        for (told, truth) in [(told.p50_ms, times[2499]), (told.p95_ms, times[4749])] {
            let off = (told as f64 - truth as f64).abs() / truth as f64;
            assert!(off < 0.05, "{told} for {truth}");
        }
        assert_eq!((told.jobs, told.fastest_ms), (5000, times[0].cast_unsigned()));
        assert_eq!(told.slowest_ms, times[4999].cast_unsigned());
    }

    #[test]
    fn few_jobs_are_told_as_they_were() {
        assert_eq!(of(&[]).times(), None);
        let one = of(&[1234]).times().unwrap();
        assert_eq!((one.fastest_ms, one.p50_ms, one.p95_ms, one.slowest_ms), (1234, 1234, 1234, 1234));
        let three = of(&[100, 5000, 70_000]).times().unwrap();
        assert_eq!((three.fastest_ms, three.p50_ms, three.p95_ms, three.slowest_ms), (100, 5000, 70_000, 70_000));
        let even = of(&[700; 9]).times().unwrap();
        assert_eq!((even.p50_ms, even.p95_ms), (700, 700));
        assert_eq!(of(&[0, -3]).times().unwrap().slowest_ms, 0);
    }
}
