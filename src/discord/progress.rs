//! Keeps the live message up to date while a job runs: the newest state, at most one edit in [`EDIT_INTERVAL`].

use std::time::Duration;

use tokio::{task::JoinError, time::Instant};

use super::{live::Live, texts};
use crate::{
    jobs::Job,
    model::{Error, Outcome, TimeLeft},
};

/// Between two edits of one message. Discord allows about five edits in five seconds for each message; half of that
/// leaves room for the files.
const EDIT_INTERVAL: Duration = Duration::from_secs(2);

/// Before the first edit: what is done by then needs no progress text.
const FIRST_EDIT: Duration = Duration::from_millis(400);

/// Shows a job's progress until it ends. `shown`: `UPLOAD_ENABLE_PROGRESS_UPDATES`.
pub async fn follow(live: &Live, job: Job, shown: bool) -> Outcome {
    let Job { id, mut progress, mut outcome, .. } = job;
    if !shown {
        return settle(&id, outcome.await);
    }
    let begun = Instant::now();
    let mut left = TimeLeft::default();
    let mut next = begun + FIRST_EDIT;
    let (mut news, mut more) = (true, true);
    loop {
        tokio::select! {
            biased;
            ended = &mut outcome => return settle(&id, ended),
            () = tokio::time::sleep_until(next), if news => {
                news = false;
                let phase = progress.borrow_and_update().clone();
                if let Some(text) = texts::phase(&phase, left.hear(begun.elapsed(), &phase)) {
                    live.progress(&text).await;
                }
                next = Instant::now() + EDIT_INTERVAL;
            }
            changed = progress.changed(), if more => match changed {
                Ok(()) => news = true,
                Err(_) => more = false,
            },
        }
    }
}

fn settle(id: &str, ended: Result<Outcome, JoinError>) -> Outcome {
    ended.unwrap_or_else(|fault| Outcome {
        error: Some(Error::internal(format!("the job broke: {fault}"))),
        ..Outcome::of(id)
    })
}
