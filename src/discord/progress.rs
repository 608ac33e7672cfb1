//! Keeps the live message up to date while a job runs: the newest state, at most one edit in [`EDIT_INTERVAL`].

use std::time::Duration;

use tokio::time::Instant;

use super::{live::Live, texts};
use crate::model::{Phase, ProgressReceiver, TimeLeft};

/// Between two edits of one message. Discord allows about five edits in five seconds for each message; half of that
/// leaves room for the files.
const EDIT_INTERVAL: Duration = Duration::from_secs(2);

/// Before the first edit: what is done by then needs no progress text.
const FIRST_EDIT: Duration = Duration::from_millis(400);

/// Shows a job's progress until it ends.
pub async fn follow(live: &Live, mut progress: ProgressReceiver) {
    let begun = Instant::now();
    let mut left = TimeLeft::default();
    let mut next = begun + FIRST_EDIT;
    let mut news = true;
    loop {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(next), if news => {
                news = false;
                let phase = progress.borrow_and_update().clone();
                if phase == Phase::Done {
                    return;
                }
                if let Some(text) = texts::phase(&phase, left.hear(begun.elapsed(), &phase)) {
                    live.progress(&text).await;
                }
                next = Instant::now() + EDIT_INTERVAL;
            }
            changed = progress.changed() => match changed {
                Ok(()) => news = true,
                Err(_) => return,
            },
        }
    }
}
