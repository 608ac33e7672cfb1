//! The durable queue: every request is a row in a database, which outlives the process and can be shared by several.
//!
//! ```text
//!   enqueue ──► queued ──claim──► running ──finish──► done | failed | cancelled | needs_attention
//!                 ▲  │               │  │
//!                 │  └──cancel──► cancelled
//!                 ├──give_back, finish(Again), lapsed lease (claimed anew)
//!                 └──again──── failed | cancelled | needs_attention
//! ```
//!
//! A worker gets a job by [`JobStore::claim`], for the time of its lease, which each [`JobStore::beat`] extends. A worker that
//! dies says nothing more; when its lease has lapsed, the next claim takes the job over. Every write of a worker carries its
//! [`Lease`], a word that changes with each claim: a worker that was only slow finds that nothing it writes is taken.
//!
//! What the queue promises rests on the database alone: every change is one transaction, states are checked by the tables,
//! and what is not allowed from a state matches no row (`sql.rs`). Operations are finished once begun, even when their caller
//! has gone. Times are the machine's: machines that share a database need clocks that agree to a second or so.
//!
//! It knows nothing of what a job does: requests, addresses and outcomes are JSON.

pub mod care;
mod engine;
mod error;
mod inner;
mod line;
mod migrate;
mod postgres;
mod same;
mod sql;
mod sqlite;
mod stats;
#[cfg(test)]
mod tests;
mod times;
mod types;

use std::{fmt, sync::Arc, time::Duration};

use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::{
    sync::{Notify, broadcast, oneshot},
    time::timeout,
};

pub use error::{Result, StoreError};
pub use line::{InLine, Line, Place, Whose};
pub use same::PostedAt;
pub use stats::{Counts, Extreme, Stats, StatsFilter, Tally};
pub use times::Times;
pub use types::{
    Beat, Claimed, End, Enqueued, Filter, Id, JobRow, Lease, Limits, Moment, NewJob, PartRow, PartState, Priority,
    Report, Scope, SentFile, State, new_id, now,
};

use crate::settings::DatabaseUrl;
use engine::{Begin, Engine, args, one};
use inner::{ANSWER, Inner, millis, no_answer, settle, until};

/// A worker that hears of nothing looks all the same this often: for jobs whose time has come, for lapsed leases, and for
/// what another process has put into a SQLite file.
pub const POLL: Duration = Duration::from_millis(500);

/// A running job asks this often whether somebody wants it to stop: with SQLite, where other processes are not heard, and
/// with PostgreSQL, in case a notice was missed.
const ASK_SQLITE: Duration = Duration::from_millis(500);
const ASK_POSTGRES: Duration = Duration::from_secs(5);

/// Cancels that may wait to be heard.
const UNHEARD_CANCELS: usize = 256;

/// Jobs that are tidied away in one transaction.
const TIDIED_AT_ONCE: i64 = 500;

/// The place of [`Scope::All`] among servers: no server has this id.
const EVERYTHING: i64 = 0;

/// The durable queue. Cheap to clone.
#[derive(Clone)]
pub struct JobStore {
    inner: Arc<Inner>,
}

impl fmt::Debug for JobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = match self.inner.engine {
            Engine::Sqlite { .. } => "SQLite",
            Engine::Postgres(_) => "PostgreSQL",
        };
        write!(f, "JobStore({engine})")
    }
}

/// A claimed job that its caller has not heard of yet. Dropped, it is given back.
struct Unheard {
    store: JobStore,
    claimed: Option<Claimed>,
}

impl Drop for Unheard {
    fn drop(&mut self) {
        let Some(claimed) = self.claimed.take() else { return };
        let store = self.store.clone();
        // Without a runtime, or should this fail, the lease lapses.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { store.give_back(&claimed.id, &claimed.lease).await });
        }
    }
}

impl JobStore {
    /// Opens a database and brings its tables to what this program knows. A SQLite file is made where there is none.
    ///
    /// # Errors
    /// When it is no database, is of a newer program, or cannot be reached or written: see [`StoreError`].
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        let (wake, cancels) = (Arc::new(Notify::new()), broadcast::channel(UNHEARD_CANCELS).0);
        let (engine, listening, lock) = match url {
            DatabaseUrl::Sqlite(path) => {
                let (engine, lock) = sqlite::open(path).await?;
                (engine, None, Some(lock))
            }
            DatabaseUrl::Postgres(url) => {
                let opened = postgres::open(url.expose_secret(), wake.clone(), cancels.clone()).await?;
                (opened.0, Some(opened.1), None)
            }
        };
        Ok(Self { inner: Arc::new(Inner { engine, wake, cancels, listening, _lock: lock }) })
    }

    /// Puts a job into the queue, unless one of the same source is there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue(&self, job: NewJob) -> Result<Enqueued> {
        self.whole(async move |inner| {
            let now = now();
            let due = job.run_at <= now;
            let values = args![
                job.id.as_str(),
                job.source,
                job.key,
                job.group.as_str(),
                job.user,
                job.guild,
                job.channel,
                job.platform.as_str(),
                job.priority as i64,
                now,
                job.run_at,
                i64::from(job.max_attempts.max(1)),
                &job.request,
                &job.address,
            ];
            // What is held back wakes nobody.
            let rows = if due {
                inner.waking(sql::ENQUEUE, values).await?
            } else {
                inner.engine.write(sql::ENQUEUE, values).await?
            };
            Ok(if rows.is_empty() { Enqueued::Known } else { Enqueued::New })
        })
        .await
    }

    /// Lets a job that was held back run now, and says where its answer goes. False: a worker has had it already, or it has
    /// ended; then nothing changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self, id: &str, address: Value) -> Result<bool> {
        let id = id.to_owned();
        self.whole(async move |inner| {
            Ok(!inner.waking(sql::RELEASE, args![id.as_str(), now(), &address]).await?.is_empty())
        })
        .await
    }

    /// Gets the next job for `worker`, for as long as `lease`, within `limits` of what runs at once, at all workers together.
    /// `None`: there is nothing that may run now. A job that was got for a caller who has gone meanwhile is given back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, worker: &str, lease: Duration, limits: impl Into<Limits>) -> Result<Option<Claimed>> {
        let (store, worker, limits) = (self.clone(), worker.to_owned(), limits.into());
        let (answer, asked) = oneshot::channel();
        tokio::spawn(async move {
            let claimed = store.inner.claim(&worker, lease, limits).await;
            let unheard = claimed.map(|claimed| claimed.map(|claimed| Unheard { store, claimed: Some(claimed) }));
            // Whether the caller has gone before or goes with the answer in hand: what nobody takes out is given back.
            drop(answer.send(unheard));
        });
        match timeout(ANSWER, asked).await {
            Ok(Ok(unheard)) => Ok(unheard?.and_then(|mut unheard| unheard.claimed.take())),
            Ok(Err(_)) => Err(StoreError::Other("a claim broke".into())),
            Err(_) => Err(no_answer()),
        }
    }

    /// Says that the worker is alive and how far it has come, and extends its lease to `for_` from now.
    ///
    /// # Errors
    /// When the database fails. That says nothing about the lease: try again as long as it should hold.
    pub async fn beat(
        &self,
        id: &str,
        lease: &Lease,
        for_: Duration,
        phase: &str,
        fraction: Option<f32>,
    ) -> Result<Beat> {
        let values = args![id, lease.0.as_str(), until(now(), for_), phase, fraction];
        self.whole(async move |inner| {
            Ok(match one(inner.engine.write(sql::BEAT, values).await?) {
                None => Beat::Lost,
                Some(row) if row.flag("cancel_asked")? => Beat::Cancel,
                Some(_) => Beat::Alive,
            })
        })
        .await
    }

    /// Changes where the answer of a running job goes. False: the lease is lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn readdress(&self, id: &str, lease: &Lease, address: Value) -> Result<bool> {
        let values = args![id, lease.0.as_str(), &address];
        self.whole(async move |inner| Ok(!inner.engine.write(sql::READDRESS, values).await?.is_empty())).await
    }

    /// Records how far a message of the delivery has come. False: the lease is lost.
    ///
    /// # Errors
    /// When the database fails, and when the part was sent and shall no longer have been.
    pub async fn part(&self, id: &str, lease: &Lease, part: &PartRow) -> Result<bool> {
        let (id, lease, part) = (id.to_owned(), lease.clone(), part.clone());
        self.whole(async move |inner| {
            let files = serde_json::to_value(&part.files).map_err(|error| StoreError::Odd(error.to_string()))?;
            let mut tx = inner.engine.begin(Begin::Plain).await?;
            if tx.rows(sql::HOLD, args![id.as_str(), lease.0.as_str()]).await?.is_empty() {
                return Ok(false);
            }
            let values =
                args![id.as_str(), i64::from(part.number), part.state.word(), part.message, part.channel, &files];
            if tx.rows(sql::PART, values).await?.is_empty() {
                return Err(StoreError::Odd(format!("part {} of job {id} was sent already", part.number)));
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Ends an attempt. False: the lease is lost, and nothing has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish(&self, id: &str, lease: &Lease, end: End, report: Report) -> Result<bool> {
        let at = match end {
            End::Again { at } => Some(at),
            _ => None,
        };
        let values = args![
            id,
            lease.0.as_str(),
            now(),
            end.state().word(),
            at,
            report.platform,
            report.method,
            report.error_code,
            report.error_text,
            &report.outcome,
            report.files,
            report.bytes,
            report.took_ms,
        ];
        let (id, took) = (id.to_owned(), times::bounded(report.took_ms));
        self.whole(async move |inner| {
            let mut tx = inner.engine.begin(Begin::Plain).await?;
            let Some(row) = one(tx.rows(sql::FINISH, values).await?) else { return Ok(false) };
            let state = row.word("state", State::of)?;
            if state == State::Done {
                tx.rows(sql::TIME, args![id.as_str(), times::step(took), took]).await?;
            }
            settle(tx, &id, state).await?;
            Ok(true)
        })
        .await
    }

    /// Puts a running job back into the queue as if this attempt had not been: the worker has to stop for reasons of its own.
    /// False: the lease is lost.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back(&self, id: &str, lease: &Lease) -> Result<bool> {
        let (id, lease) = (id.to_owned(), lease.clone());
        self.whole(async move |inner| {
            let mut tx = inner.engine.begin(Begin::Plain).await?;
            let sql = inner.engine.waking(sql::GIVE_BACK);
            let Some(row) = one(tx.rows(sql, args![id.as_str(), lease.0.as_str(), now()]).await?) else {
                return Ok(false);
            };
            settle(tx, &id, row.word("state", State::of)?).await?;
            inner.rang();
            Ok(true)
        })
        .await
    }

    /// Calls a job off: at once where it only waits; its worker hears of it otherwise, see [`JobStore::cancelled`]. False:
    /// there is no such job, or it has ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, id: &str) -> Result<bool> {
        Ok(self.call_off(id).await?.is_some())
    }

    /// The same, and tells what that has made of it: [`State::Cancelled`], then it only waited and nobody else speaks of it;
    /// or [`State::Running`], then its worker does when it has stopped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn call_off(&self, id: &str) -> Result<Option<State>> {
        let id = id.to_owned();
        self.whole(async move |inner| {
            let mut tx = inner.engine.begin(Begin::Plain).await?;
            let Some(row) = one(tx.rows(inner.engine.cancelling(), args![id.as_str(), now()]).await?) else {
                return Ok(None);
            };
            let state = row.word("state", State::of)?;
            settle(tx, &id, state).await?;
            if let Engine::Sqlite { .. } = inner.engine {
                // Nobody listens: no job runs here.
                let _ = inner.cancels.send(id);
            }
            Ok(Some(state))
        })
        .await
    }

    /// Puts a job that ended without success back into the queue, with all its attempts before it, and with `request` for
    /// what is to be done, if that is given. What it has posted stays written down, so that only the rest is sent. In the
    /// statistics each of its ends counts. False: there is no such job, or it waits, runs, was delivered, or was
    /// called off before it began; then nothing changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn again(&self, id: &str, request: Option<Value>) -> Result<bool> {
        let values = args![id, now(), request.map(|request| request.to_string())];
        self.whole(async move |inner| Ok(!inner.waking(sql::AGAIN, values).await?.is_empty())).await
    }

    /// Waits until somebody wants the job to stop, so that its worker need not wait for its next beat to hear it. What another
    /// process was asked is heard at once with PostgreSQL, and within a second with SQLite.
    pub async fn cancelled(&self, id: &str) {
        let mut heard = self.inner.cancels.subscribe();
        let often = match self.inner.engine {
            Engine::Sqlite { .. } => ASK_SQLITE,
            Engine::Postgres(_) => ASK_POSTGRES,
        };
        loop {
            // Asked before this began to listen, while it could not keep up, or where it cannot hear.
            let asked = self.inner.read(sql::IS_CANCEL_ASKED, args![id]).await;
            let asked = asked.ok().and_then(one).is_some_and(|row| row.flag("cancel_asked").unwrap_or(false));
            if asked {
                return;
            }
            loop {
                match timeout(often, heard.recv()).await {
                    Ok(Ok(cancelled)) if cancelled == id => return,
                    Ok(Ok(_)) => {}
                    Ok(Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => break,
                    // The sender lives as long as the store.
                    Ok(Err(broadcast::error::RecvError::Closed)) => return std::future::pending().await,
                }
            }
        }
    }

    /// How many jobs may run while nobody works on any: whether there is a worker at all. Between two jobs there may be some
    /// for a moment, too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unattended(&self) -> Result<usize> {
        let row = one(self.inner.read(sql::UNATTENDED, args![now()]).await?);
        let waiting = row.map_or(Ok(0), |row| row.int("waiting"))?;
        Ok(usize::try_from(waiting).unwrap_or_default())
    }

    /// Starts no more of these jobs; what runs goes on. False: nothing has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pause(&self, scope: Scope) -> Result<bool> {
        self.whole(async move |inner| {
            let rows = match scope {
                Scope::Job(id) => inner.engine.write(sql::PAUSE_JOB, args![id.as_str(), 1]).await?,
                Scope::Guild(guild) => inner.engine.write(sql::PAUSE, args![Some(guild), now()]).await?,
                Scope::All => inner.engine.write(sql::PAUSE, args![EVERYTHING, now()]).await?,
            };
            Ok(!rows.is_empty())
        })
        .await
    }

    /// Lets them run again. A job that is paused itself stays so when its server is resumed. False: nothing has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume(&self, scope: Scope) -> Result<bool> {
        self.whole(async move |inner| {
            let rows = match scope {
                Scope::Job(id) => inner.waking(sql::PAUSE_JOB, args![id.as_str(), 0]).await?,
                Scope::Guild(guild) => inner.waking(sql::RESUME, args![Some(guild)]).await?,
                Scope::All => inner.waking(sql::RESUME, args![EVERYTHING]).await?,
            };
            Ok(!rows.is_empty())
        })
        .await
    }

    /// Waits until there may be work: until a change made some, for [`POLL`], or for `at_most`, whichever is first. There may
    /// be none all the same.
    pub async fn wait_for_work(&self, at_most: Duration) {
        let _ = timeout(at_most.min(POLL), self.inner.wake.notified()).await;
    }

    /// Removes jobs that ended longer ago than that, with what they posted, and says how many. Statistics stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tidy(&self, keep_done_for: Duration) -> Result<u64> {
        let before = now().saturating_sub(millis(keep_done_for));
        let mut removed = 0;
        loop {
            let values = args![before, TIDIED_AT_ONCE];
            let rows = self.whole(async move |inner| inner.engine.write(sql::TIDY, values).await).await?;
            removed += rows.len() as u64;
            if (rows.len() as i64) < TIDIED_AT_ONCE {
                return Ok(removed);
            }
        }
    }

    /// Lets go of the database. Whatever is asked afterwards fails.
    pub async fn close(&self) {
        if let Some(listening) = &self.inner.listening {
            listening.abort();
        }
        self.inner.engine.close().await;
    }

    /// Runs an operation to its end, whether or not its caller waits for it: a write that was dropped halfway would leave its
    /// connection in a transaction.
    async fn whole<T, F>(&self, work: impl FnOnce(Arc<Inner>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match timeout(ANSWER, tokio::spawn(work(self.inner.clone()))).await {
            Ok(done) => done.unwrap_or_else(|broken| Err(StoreError::Other(format!("an operation broke: {broken}")))),
            Err(_) => Err(no_answer()),
        }
    }
}
