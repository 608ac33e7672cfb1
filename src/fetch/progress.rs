//! One progress for several files that load at the same time.

use std::sync::{Mutex, PoisonError};

use super::Selection;
use crate::model::{Phase, Progress, Rendition};

/// Bytes between two reports that show the same percentage: a watcher looks a few times a second at most.
const STEP: u64 = 64 * 1024;

/// Adds up files.
pub struct Tally<'a> {
    progress: &'a Progress,
    state: Mutex<State>,
}

struct State {
    /// Two files an item at the most: the picture or the whole, and the sound.
    files: Vec<[Option<Counted>; 2]>,
    reported: u64,
}

#[derive(Clone, Copy)]
struct Counted {
    done: u64,
    total: Option<u64>,
}

impl<'a> Tally<'a> {
    /// With the sizes that the extractor told or estimated.
    pub fn new<'s>(progress: &'a Progress, selected: impl Iterator<Item = &'s Selection>) -> Self {
        let counted = |rendition: &Rendition| Counted { done: 0, total: rendition.bytes };
        let files = selected.map(|s| [Some(counted(&s.main)), s.audio.as_ref().map(counted)]).collect();
        Self { progress, state: Mutex::new(State { files, reported: 0 }) }
    }

    /// Takes reports about one file: bytes so far, and in all if known.
    pub fn reporter(&self, item: usize, file: usize) -> impl Fn(u64, Option<u64>) + Send + Sync + '_ {
        move |done, total| self.report(item, file, done, total)
    }

    fn report(&self, item: usize, file: usize, done: u64, total: Option<u64>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(counted) = state.files.get_mut(item).and_then(|files| files.get_mut(file)) else { return };
        let before = counted.unwrap_or(Counted { done: 0, total: None });
        *counted = Some(Counted { done, total: total.or(before.total) });
        let ended = total == Some(done);
        let (done, total) = state.sum();
        // What people read must not stay behind while nothing comes: a server may pause right after a small step.
        let percent = |bytes: u64| total.map(|total| u128::from(bytes) * 100 / u128::from(total.max(1)));
        let shows = percent(done) != percent(state.reported);
        // A resume from the start takes the sum back.
        if ended || shows || done < state.reported || done >= state.reported + STEP || state.reported == 0 {
            state.reported = done;
            self.progress.set(Phase::Downloading { done, total });
        }
    }
}

impl State {
    fn sum(&self) -> (u64, Option<u64>) {
        let files = || self.files.iter().flatten().flatten();
        let done = files().map(|file| file.done).sum();
        let total: Option<u64> = files().map(|file| file.total).sum();
        // Estimates may be too small: never show more than all.
        (done, total.map(|total| total.max(done)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_add_up_and_an_unknown_size_makes_the_sum_unknown() {
        let (progress, receiver) = Progress::new();
        let known = Rendition { bytes: Some(1000), ..Rendition::default() };
        let pair = Selection { main: known.clone(), audio: Some(known.clone()) };
        let alone = Selection { main: Rendition::default(), audio: None };
        let tally = Tally::new(&progress, [&pair, &alone].into_iter());
        let now = || receiver.borrow().clone();

        tally.reporter(0, 0)(400, Some(900));
        assert_eq!(now(), Phase::Downloading { done: 400, total: None });
        tally.reporter(1, 0)(500, Some(500));
        assert_eq!(now(), Phase::Downloading { done: 900, total: Some(2400) });
        // Less than a step, and the same percentage: not worth a report.
        tally.reporter(0, 1)(10, None);
        assert_eq!(now(), Phase::Downloading { done: 900, total: Some(2400) });
        tally.reporter(0, 1)(1000, Some(1000));
        tally.reporter(0, 0)(900, Some(900));
        assert_eq!(now(), Phase::Downloading { done: 2400, total: Some(2400) });
    }

    #[test]
    fn the_percentage_that_is_shown_is_never_behind() {
        let (progress, receiver) = Progress::new();
        let known = Rendition { bytes: Some(1_000_000), ..Rendition::default() };
        let tally = Tally::new(&progress, [&Selection { main: known, audio: None }].into_iter());
        let report = tally.reporter(0, 0);
        // As bytes come on a busy machine: in pieces of any size, the last one small.
        for done in [30_000, 65_000, 130_000, 355_000, 380_000, 419_000, 420_000] {
            report(done, Some(1_000_000));
            let Phase::Downloading { done: shown, total: Some(total) } = *receiver.borrow() else { panic!("no total") };
            assert_eq!(shown * 100 / total, done * 100 / 1_000_000, "after {done} bytes");
        }
    }
}
