//! One claimed job's row, as its worker writes to it: heartbeat, journal, end.
//!
//! A worker may be frozen, or cut off from the database, for longer than its lease lasts; then another one takes the job
//! over. So everything here carries the lease, and what a database no longer takes is not done either: the worker falls
//! silent. Between two heartbeats it believes in its lease for as long as that lasts by its own clock, and no longer.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::super::store::{Beat, End, JobStore, Lease, Report, StoreError};
use crate::{
    deliver::{Entry, Journal},
    model::{Error, Phase, ProgressReceiver, Result},
};

/// How long a write waits for a database that is away. The work is done by then: it is worth waiting for.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The pauses between tries of such a write: from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// How long one write may take before it counts as failed: a connection may hang.
const WRITE: Duration = Duration::from_secs(10);

/// The row.
pub(super) struct Page {
    store: JobStore,
    id: String,
    lease: Lease,
    lasts: Duration,
    /// When the lease was last extended: by a clock that never jumps, and by one that goes on while the machine sleeps.
    extended: Mutex<(Instant, SystemTime)>,
    /// Whether the database did not take the last heartbeat.
    away: AtomicBool,
    /// How far the job has come, once it is at work.
    progress: OnceLock<ProgressReceiver>,
    /// The job is another one's.
    pub(super) lost: CancellationToken,
    /// Somebody wants it to end.
    pub(super) cancelled: CancellationToken,
    /// Its task here has ended.
    pub(super) gone: CancellationToken,
}

impl Page {
    /// The page of a job that was claimed a moment ago.
    pub(super) fn new(
        store: JobStore,
        id: &str,
        lease: Lease,
        lasts: Duration,
        claimed: (Instant, SystemTime),
    ) -> Self {
        Self {
            store,
            id: id.to_owned(),
            lease,
            lasts,
            extended: Mutex::new(claimed),
            away: AtomicBool::new(false),
            progress: OnceLock::new(),
            lost: CancellationToken::new(),
            cancelled: CancellationToken::new(),
            gone: CancellationToken::new(),
        }
    }

    /// Extends the lease now if much of it has gone by: a process that was starved hears of nothing in time, and must not
    /// take its own job for another one's.
    pub(super) async fn revive(&self) {
        if !self.lost.is_cancelled() && self.age() > self.lasts / 2 {
            self.beat().await;
        }
    }

    /// The job's id.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// From now on the heartbeat tells how far it has come.
    pub(super) fn watch(&self, progress: ProgressReceiver) {
        // A second job on one page there is not.
        let _ = self.progress.set(progress);
    }

    /// Once nothing is loaded or made any more, whoever asks for the same may begin: it finds all of it.
    pub(super) async fn share(&self, mut progress: ProgressReceiver) {
        // An error: it has ended without a word.
        drop(progress.wait_for(|phase| matches!(phase, Phase::Uploading { .. } | Phase::Done)).await);
        if let Err(error) = in_time(self.store.share(&self.id, &self.lease)).await {
            tracing::debug!(%error, "whoever asks for the same waits until this has ended");
        }
    }

    /// Extends the lease until the job is another one's. Never ends otherwise.
    pub(super) async fn keep_alive(&self) {
        loop {
            tokio::select! {
                () = self.lost.cancelled() => return,
                () = self.store.cancelled(&self.id), if !self.cancelled.is_cancelled() => self.cancelled.cancel(),
                () = tokio::time::sleep(self.lasts / 3) => self.beat().await,
            }
        }
    }

    async fn beat(&self) {
        let (phase, fraction) = self.progress.get().map_or(("claimed", None), |seen| word(&seen.borrow()));
        let now = (Instant::now(), SystemTime::now());
        match in_time(self.store.beat(&self.id, &self.lease, self.lasts, phase, fraction)).await {
            Ok(Beat::Lost) => self.lost.cancel(),
            Ok(beat) => {
                self.extended(now);
                if beat == Beat::Cancel {
                    self.cancelled.cancel();
                }
                if self.away.swap(false, Relaxed) {
                    tracing::info!("the database takes heartbeats again");
                }
            }
            Err(error) if !self.away.swap(true, Relaxed) => {
                tracing::warn!(%error, "a heartbeat was not taken: going on, and writing down later what was done");
            }
            Err(_) => {}
        }
    }

    /// How long ago the lease was extended.
    fn age(&self) -> Duration {
        let (steady, wall) = *self.extended.lock().unwrap_or_else(PoisonError::into_inner);
        // A wall clock that was set back tells nothing; one that jumped forward makes us careful.
        steady.elapsed().max(wall.elapsed().unwrap_or_default())
    }

    fn extended(&self, at: (Instant, SystemTime)) {
        *self.extended.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Ends the job. `false`: it is another one's.
    pub(super) async fn finish(&self, end: End, report: Report) -> bool {
        self.patiently("the end", || self.store.finish(&self.id, &self.lease, end, report.clone())).await.is_ok()
    }

    /// Puts the job back into the queue. `false`: it is another one's.
    pub(super) async fn give_back(&self) -> bool {
        self.patiently("giving back", || self.store.give_back(&self.id, &self.lease)).await.is_ok()
    }

    /// Writes until the database has taken it, however long it is away.
    async fn patiently<F>(&self, what: &str, write: impl Fn() -> F + Send + Sync) -> Result<()>
    where
        F: Future<Output = Result<bool, StoreError>> + Send,
    {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            if self.lost.is_cancelled() {
                return Err(Error::cancelled());
            }
            match in_time(write()).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    self.lost.cancel();
                    return Err(Error::cancelled());
                }
                // No patience makes that better.
                Err(error @ StoreError::Odd(_)) => return Err(error.into()),
                Err(error) if begun.elapsed() > PATIENCE => {
                    tracing::error!(%error, what, "the database did not come back: this job will be done again");
                    self.lost.cancel();
                    return Err(Error::internal(format!("the database is away: {error}")));
                }
                Err(error) => tracing::warn!(%error, what, retry_in = ?pause, "cannot be written down now"),
            }
            tokio::select! {
                () = self.lost.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
}

#[async_trait]
impl Journal for Page {
    fn is_ours(&self) -> bool {
        !self.lost.is_cancelled() && self.age() < self.lasts
    }

    async fn confirm(&self) -> Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        self.patiently("that a job is still ours", || async {
            let now = (Instant::now(), SystemTime::now());
            let beat = self.store.beat(&self.id, &self.lease, self.lasts, "ending", None).await?;
            if beat != Beat::Lost {
                self.extended(now);
            }
            Ok(beat != Beat::Lost)
        })
        .await
    }

    async fn note(&self, entry: Entry) -> Result<()> {
        let row = super::row(&entry);
        self.patiently("a part of a delivery", || self.store.part(&self.id, &self.lease, &row)).await
    }

    async fn readdress(&self, address: Value) -> Result<()> {
        let write = || self.store.readdress(&self.id, &self.lease, address.clone());
        self.patiently("where a conversation is", write).await
    }
}

/// The same, but a hanging connection is a failure.
async fn in_time<T>(write: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match tokio::time::timeout(WRITE, write).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::Unreachable(format!("no answer within {WRITE:?}"))),
    }
}

/// A phase as the database has it: for `queue` and `status`, on whatever machine they are asked.
fn word(phase: &Phase) -> (&'static str, Option<f32>) {
    let share = |part: usize, of: usize| Some(part.saturating_sub(1) as f32 / of.max(1) as f32);
    match phase {
        Phase::Queued { .. } => ("waiting for an encoder", None),
        Phase::Resolving => ("resolving", None),
        Phase::Waiting { .. } => ("waiting to try again", None),
        Phase::Downloading { done, total } => {
            let fraction = total.filter(|total| *total > 0).map(|total| (*done as f32 / total as f32).min(1.0));
            ("downloading", fraction)
        }
        Phase::Compressing { fraction, .. } => ("compressing", Some(fraction.clamp(0.0, 1.0))),
        Phase::Uploading { part, of } => ("uploading", share(*part, *of)),
        Phase::Done => ("ending", None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        deliver::Stage,
        jobs::store::{Claimed, Enqueued, NewJob, Priority, new_id, now},
        settings::DatabaseUrl,
    };

    const LEASE: Duration = Duration::from_millis(400);

    async fn store(dir: &tempfile::TempDir) -> JobStore {
        let store = JobStore::open(&DatabaseUrl::Sqlite(dir.path().join("jobs.db"))).await.unwrap();
        let job = NewJob {
            id: new_id(),
            source: None,
            key: None,
            group: "g".into(),
            user: None,
            guild: None,
            channel: None,
            platform: "x".into(),
            priority: Priority::Interactive,
            run_at: now(),
            max_attempts: 9,
            request: json!({}),
            address: json!({}),
        };
        assert_eq!(store.enqueue(job).await.unwrap(), Enqueued::New);
        store
    }

    /// The next claim, with the moment before it.
    async fn claim(store: &JobStore) -> Page {
        let (claimed, at) = loop {
            let at = (Instant::now(), SystemTime::now());
            match store.claim("w", LEASE, 9).await.unwrap() {
                Some(claimed) => break (claimed, at),
                None => store.wait_for_work(LEASE).await,
            }
        };
        let Claimed { id, lease, .. } = claimed;
        Page::new(store.clone(), &id, lease, LEASE, at)
    }

    fn entry() -> Entry {
        Entry { number: 0, stage: Stage::Sending, place: None, pieces: Vec::new() }
    }

    #[tokio::test]
    async fn a_lease_that_nobody_has_taken_lives_again_once_it_is_made_sure_of() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let page = claim(&store).await;
        assert!(page.is_ours());
        tokio::time::sleep(LEASE * 2).await;
        assert!(!page.is_ours(), "by its own clock it may be another one's");
        page.confirm().await.unwrap();
        assert!(page.is_ours());
        page.note(entry()).await.unwrap();
    }

    #[tokio::test]
    async fn a_starved_process_renews_its_own_lease_before_it_takes_jobs() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let page = claim(&store).await;
        tokio::time::sleep(LEASE * 2).await;
        page.revive().await;
        assert!(store.claim("w", LEASE, 9).await.unwrap().is_none(), "its own job looked like another one's");
        page.note(entry()).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_was_taken_over_can_write_nothing_and_knows_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir).await;
        let first = claim(&store).await;
        let second = claim(&store).await;
        assert!(first.note(entry()).await.is_err() && first.lost.is_cancelled() && !first.is_ours());
        assert!(!first.finish(End::Done, Report::default()).await && !first.give_back().await);
        second.confirm().await.unwrap();
        assert!(second.finish(End::Done, Report::default()).await);
    }
}
