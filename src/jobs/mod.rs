//! One request from link to delivery: order, limits, cancel.
//!
//! [`Jobs::submit`] takes a request and the place its files go to. At most `MAX_CONCURRENT_DOWNLOADS` requests are at
//! work; the others wait, and servers and people take turns. The way of one request is in `work/`.
//!
//! What is asked for on Discord is kept in a database until it is done (`store/`, `seal`), and a worker hands it to
//! [`Jobs::submit`] (`durable/`). The command line submits directly.

pub mod durable;
mod folder;
mod list;
mod seal;
pub mod store;
mod work;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

pub use folder::{Folder, Workshop};
pub use list::lister;
pub use seal::Seal;

use crate::{
    artifacts::Artifacts,
    cache::Cache,
    deliver::{Sink, Store},
    fetch::Fetcher,
    media::{self, Media, Party, Slots},
    model::{Error, MediaMetadata, Outcome, Phase, Progress, ProgressReceiver, Request, redact},
    net::Egress,
    settings::Settings,
    strategy::Strategy,
    tools::Tools,
};

/// What the runner of requests works with.
pub struct Parts {
    /// What the operator set.
    pub settings: Arc<Settings>,
    /// The guarded network.
    pub egress: Egress,
    /// Which paths to try.
    pub strategy: Arc<Strategy>,
    /// The external programs.
    pub tools: Arc<Tools>,
    /// Probing and fitting.
    pub media: Arc<Media>,
    /// What platforms answered before.
    pub cache: Cache,
    /// What was loaded and made lately, if it is kept.
    pub artifacts: Option<Artifacts>,
    /// Where files go that are too large to be sent.
    pub store: Option<Arc<Store>>,
}

/// The runner of requests. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    fetcher: Fetcher,
    /// `MAX_CONCURRENT_DOWNLOADS`, shared fairly between servers and people.
    slots: Slots,
    /// Made at the first request, so that commands which run none leave no folder.
    workshop: Mutex<Option<Arc<Workshop>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    running: AtomicUsize,
    queued: AtomicUsize,
    succeeded: AtomicU64,
    failed: AtomicU64,
}

/// A request under way.
pub struct Job {
    /// The request's id.
    pub id: String,
    /// How far it has come.
    pub progress: ProgressReceiver,
    /// Ends it.
    pub cancel: CancellationToken,
    /// What became of it. Never an error: a panic inside becomes an outcome with an `internal` error.
    pub outcome: tokio::task::JoinHandle<Outcome>,
}

/// What is going on, for `status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct JobsStatus {
    /// Requests at work.
    pub running: usize,
    /// Requests waiting for their turn.
    pub queued: usize,
    /// Requests that ended well since the start.
    pub succeeded: u64,
    /// Requests that failed since the start.
    pub failed: u64,
}

impl Jobs {
    /// A runner that has nothing to do yet.
    pub fn new(parts: Parts) -> Self {
        let fetcher = Fetcher::new(parts.egress.client(), &parts.settings.downloads);
        let inner = Inner {
            fetcher,
            slots: Slots::new(parts.settings.downloads.max_concurrent),
            workshop: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            running: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            succeeded: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            parts,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Makes sure that there is a place to work in, and removes what a killed run left there.
    ///
    /// # Errors
    /// When `DOWNLOAD_DIR` cannot be written to.
    pub fn prepare(&self) -> Result<(), Error> {
        self.inner.workshop().map(|_| ())
    }

    /// Takes a request; its files go to `sink`. After [`Jobs::shut_down`] it ends at once as cancelled.
    pub fn submit(&self, request: Request, sink: Arc<dyn Sink>) -> Job {
        let (progress, receiver) = Progress::new();
        let cancel = self.inner.stop.child_token();
        let id = request.id.clone();
        let link = redact::link(&request.url);
        let span = tracing::info_span!("job", id = %request.id);
        let outcome = {
            let (jobs, cancel, started) = (self.clone(), cancel.clone(), Instant::now());
            let work = async move {
                let id = request.id.clone();
                let task = {
                    let (jobs, progress) = (jobs.clone(), progress.clone());
                    tokio::spawn(async move { jobs.run(request, sink, progress, cancel).await }.in_current_span())
                };
                let (outcome, slot) = task.await.unwrap_or_else(|fault| {
                    let error = Some(Error::internal(format!("the job broke: {fault}")));
                    (Outcome { error, took: started.elapsed(), ..Outcome::of(&id) }, None)
                });
                jobs.settle(&link, &outcome);
                // Only now: the log never shows more at work than may be.
                drop(slot);
                progress.set(Phase::Done);
                outcome
            };
            self.inner.tasks.spawn(work.instrument(span))
        };
        Job { id, progress: receiver, cancel, outcome }
    }

    /// Looks at a link and loads nothing.
    ///
    /// # Errors
    /// As [`Outcome::error`] of a whole job.
    pub async fn metadata(&self, request: &Request, cancel: &CancellationToken) -> Result<MediaMetadata, Error> {
        let inner = &self.inner;
        let folder = inner.workshop()?.folder(&request.id)?;
        let mut request = request.clone();
        request.options.metadata_only = true;
        let progress = Progress::ignored();
        let mut work = work::Work::new(inner.kit(), &request, &folder, &progress, cancel);
        tokio::select! {
            found = work.look() => found,
            () = inner.stop.cancelled() => Err(Error::cancelled()),
        }
    }

    /// What is going on.
    pub fn status(&self) -> JobsStatus {
        let inner = &self.inner;
        JobsStatus {
            running: inner.running.load(Relaxed),
            queued: inner.queued.load(Relaxed),
            succeeded: inner.succeeded.load(Relaxed),
            failed: inner.failed.load(Relaxed),
        }
    }

    /// Takes no more requests, cancels those under way and waits until they have cleaned up.
    pub async fn shut_down(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        let workshop = self.inner.workshop.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(workshop);
    }

    /// Waits for a slot, then does the work.
    async fn run(
        &self,
        request: Request,
        sink: Arc<dyn Sink>,
        progress: Progress,
        cancel: CancellationToken,
    ) -> (Outcome, Option<Slot>) {
        let (inner, started) = (&self.inner, Instant::now());
        inner.queued.fetch_add(1, Relaxed);
        let party = Party::of(&request.requester);
        let slot = tokio::select! {
            slot = inner.slots.acquire(party, |ahead| progress.set(Phase::Queued { ahead })) => {
                Some(Slot::taken(inner, slot))
            }
            () = cancel.cancelled() => None,
        };
        inner.queued.fetch_sub(1, Relaxed);
        let mut outcome = Outcome::of(&request.id);
        if slot.is_none() {
            outcome.error = Some(Error::cancelled());
            outcome.took = started.elapsed();
            return (outcome, None);
        }
        tracing::info!(waited = started.elapsed().as_secs_f32(), "at work on a request");
        match inner.workshop().and_then(|workshop| workshop.folder(&request.id)) {
            Ok(folder) => {
                let mut work = work::Work::new(inner.kit(), &request, &folder, &progress, &cancel);
                work.run(sink.as_ref(), &mut outcome).await;
            }
            Err(error) => outcome.error = Some(error),
        }
        outcome.took = started.elapsed();
        (outcome, slot)
    }

    /// Counts an ended request and writes its one line into the log.
    fn settle(&self, link: &str, outcome: &Outcome) {
        let seconds = outcome.took.as_secs_f32();
        let platform = outcome.platform.as_deref().unwrap_or("none");
        let attempts = outcome.attempts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match &outcome.error {
            None => {
                self.inner.succeeded.fetch_add(1, Relaxed);
                let files = outcome.metadata.as_ref().map_or(0, |metadata| metadata.files.len());
                tracing::info!(link, platform, attempts, files, seconds, "delivered");
            }
            Some(error) => {
                self.inner.failed.fetch_add(1, Relaxed);
                let (code, reason) = (error.code(), error.operator_text());
                tracing::warn!(link, platform, attempts, code, reason, seconds, "not delivered");
            }
        }
    }
}

/// The right to be at work. Given back when dropped, also by a panic.
struct Slot {
    inner: Arc<Inner>,
    _slot: media::Slot,
}

impl Slot {
    fn taken(inner: &Arc<Inner>, slot: media::Slot) -> Self {
        inner.running.fetch_add(1, Relaxed);
        Self { inner: inner.clone(), _slot: slot }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.inner.running.fetch_sub(1, Relaxed);
    }
}

/// A random number from 0 to 1.
fn share() -> f64 {
    // 48 bits of a random UUID that hold neither its version nor its variant.
    let bits = (uuid::Uuid::new_v4().as_u128() >> 80) as u64;
    bits as f64 / (1u64 << 48) as f64
}

impl Inner {
    fn workshop(&self) -> Result<Arc<Workshop>, Error> {
        let mut workshop = self.workshop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(workshop) = &*workshop {
            return Ok(workshop.clone());
        }
        let dir = &self.parts.settings.downloads.dir;
        let opened = Workshop::open(dir)
            .map(Arc::new)
            .map_err(|error| Error::internal(format!("cannot write to DOWNLOAD_DIR ({}): {error}", dir.display())))?;
        Ok(workshop.insert(opened).clone())
    }

    fn kit(&self) -> work::Kit<'_> {
        work::Kit { parts: &self.parts, fetcher: &self.fetcher }
    }
}
