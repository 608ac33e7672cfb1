//! Claims jobs when there is room, works on each in a task of its own, and ends each in the database.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};
use tracing::Instrument;

use super::{Host, Later, Taken, Word, page::Page};
use crate::{
    jobs::{
        Job, Jobs, share,
        store::{Claimed, End, JobStore, Limits, Moment, Report, now},
    },
    model::{DownloadMethod, Error, Kind, Outcome},
    settings::Settings,
};

/// How often a job is begun before it is given up: a crash may be the machine's, three in a row are the job's.
const TRIES: i32 = 3;

/// Attempts that a job is enqueued with: some more, in which nothing is tried and only the last word is said.
pub const ATTEMPTS: i32 = TRIES + 3;

/// How long the worker sleeps at the most when nobody wakes it: leases lapse without a sound.
const LOOK: Duration = Duration::from_secs(1);

/// After a failed claim.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// How long a stop waits for a last word to be said.
const LAST_WORD: Duration = Duration::from_secs(2);

/// When a job whose place could not be reached is tried again.
const LATER: Duration = Duration::from_secs(30);

/// How many at once, how long each may be silent, and how often what failed is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Jobs at work at once, in this process.
    pub slots: usize,
    /// Jobs at work at once, in all of them.
    pub limits: Limits,
    /// How long a worker may be silent before others take its jobs over.
    pub lease: Duration,
    /// Further attempts at what failed.
    pub later: Later,
}

impl Pace {
    /// As the operator set it.
    pub fn of(settings: &Settings) -> Self {
        let most = settings.downloads.max_per_platform;
        let platform = most.map_or(i64::MAX, |most| i64::try_from(most).unwrap_or(i64::MAX));
        Self {
            slots: settings.downloads.max_concurrent,
            limits: Limits { group: i64::MAX, platform },
            lease: settings.database.lease,
            later: Later::of(&settings.resilience),
        }
    }
}

/// The worker of this process. Cheap to clone.
#[derive(Clone)]
pub struct Durable {
    store: JobStore,
    jobs: Jobs,
    pace: Pace,
    name: Arc<str>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
    away: Arc<AtomicBool>,
    /// The jobs that have a task here.
    at_work: Arc<Mutex<HashMap<String, Arc<Page>>>>,
}

/// A job's task. Dropped, it has ended.
struct AtWork<'a> {
    worker: &'a Durable,
    page: Arc<Page>,
    /// The task that had the same job here before, and has lost it.
    before: Option<Arc<Page>>,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let mut at_work = self.worker.at_work();
        if at_work.get(self.page.id()).is_some_and(|page| Arc::ptr_eq(page, &self.page)) {
            at_work.remove(self.page.id());
        }
        self.page.gone.cancel();
    }
}

impl Durable {
    /// A worker that has not begun yet.
    pub fn new(store: JobStore, jobs: Jobs, pace: Pace) -> Self {
        let name = format!("{}-{}", std::process::id(), &uuid::Uuid::new_v4().simple().to_string()[..8]);
        Self {
            store,
            jobs,
            pace,
            name: name.into(),
            slots: Arc::new(Semaphore::new(pace.slots.max(1))),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            away: Arc::default(),
            at_work: Arc::default(),
        }
    }

    /// The name that its jobs bear in the store.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store that it works from.
    pub fn store(&self) -> &JobStore {
        &self.store
    }

    /// Begins to claim jobs.
    pub fn start(&self, host: Arc<dyn Host>) {
        let worker = self.clone();
        self.tasks.spawn(async move { worker.run(host).await });
    }

    /// Claims nothing more, breaks off what is under way, says so, gives it back, and waits until that is done.
    pub async fn shut_down(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn run(&self, host: Arc<dyn Host>) {
        loop {
            let slot = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                slot = self.slots.clone().acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            let Some((claimed, at)) = self.next().await else { return };
            let (worker, host) = (self.clone(), host.clone());
            let span = tracing::info_span!("durable", id = %claimed.id, attempt = claimed.attempt);
            self.tasks.spawn(async move { worker.work(claimed, at, host, slot).await }.instrument(span));
        }
    }

    /// The next job that may run, waited for, and when its lease began. `None`: the worker is to stop.
    async fn next(&self) -> Option<(Claimed, (Instant, SystemTime))> {
        loop {
            let at_work: Vec<_> = self.at_work().values().cloned().collect();
            for page in at_work {
                page.revive().await;
            }
            let at = (Instant::now(), SystemTime::now());
            // Not broken off by a stop: a claim that nobody hears of would have to lapse.
            let claimed = self.store.claim(&self.name, self.pace.lease, self.pace.limits).await;
            if self.stop.is_cancelled() {
                if let Ok(Some(claimed)) = claimed {
                    let page = Page::new(self.store.clone(), &claimed.id, claimed.lease, self.pace.lease, at);
                    page.give_back().await;
                }
                return None;
            }
            let wait = async {
                match claimed {
                    Ok(Some(claimed)) => {
                        self.back();
                        return Some(claimed);
                    }
                    Ok(None) => {
                        self.back();
                        self.store.wait_for_work(LOOK).await;
                    }
                    Err(error) => {
                        if !self.away.swap(true, Relaxed) {
                            tracing::error!(%error, "no jobs can be taken: trying again until the database is back");
                        }
                        tokio::time::sleep(AFTER_FAULT).await;
                    }
                }
                None
            };
            tokio::select! {
                claimed = wait => if let Some(claimed) = claimed { return Some((claimed, at)) },
                () = self.stop.cancelled() => return None,
            }
        }
    }

    fn at_work(&self) -> MutexGuard<'_, HashMap<String, Arc<Page>>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a job has a task here, and tells one that had it before that it has lost it.
    fn begin(&self, page: Arc<Page>) -> AtWork<'_> {
        let before = self.at_work().insert(page.id().to_owned(), page.clone());
        if let Some(before) = &before {
            before.lost.cancel();
        }
        AtWork { worker: self, page, before }
    }

    fn back(&self) {
        if self.away.swap(false, Relaxed) {
            tracing::info!("the database is back: jobs are taken again");
        }
    }

    /// One job, from claimed to its end in the database.
    async fn work(
        &self,
        claimed: Claimed,
        at: (Instant, SystemTime),
        host: Arc<dyn Host>,
        _slot: OwnedSemaphorePermit,
    ) {
        let page = Page::new(self.store.clone(), &claimed.id, claimed.lease.clone(), self.pace.lease, at);
        let page = Arc::new(page);
        let _heart = {
            let page = page.clone();
            AbortOnDropHandle::new(tokio::spawn(async move { page.keep_alive().await }.in_current_span()))
        };
        let at_work = self.begin(page.clone());
        if let Some(before) = &at_work.before {
            // They would work in the same folder.
            before.gone.cancelled().await;
        }
        if claimed.attempt > 1 {
            tracing::info!(
                parts = claimed.parts.len(),
                "taking up a job again that was broken off or failed for a time"
            );
        }
        let taken = tokio::select! {
            biased;
            () = page.lost.cancelled() => return silent(),
            taken = host.take_up(&claimed, page.clone()) => taken,
            () = self.stop.cancelled() => {
                page.give_back().await;
                return;
            }
        };
        let Taken { request, sink, talk } = match taken {
            Ok(taken) => taken,
            Err(error) => return self.not_taken_up(&page, &error).await,
        };
        if claimed.attempt > TRIES {
            tracing::error!("given up: every attempt was broken off");
            talk.say(Word::GivenUp).await;
            let error = Error::internal("every attempt was broken off by a crash");
            page.finish(End::NeedsAttention, report(&failed(&claimed.id, error))).await;
            return;
        }
        let (outcome, stopped) = self.carry_out(&page, self.jobs.submit(request, sink), talk.as_ref()).await;
        if page.lost.is_cancelled() {
            return silent();
        }
        let was_cancelled = outcome.error.as_ref().is_some_and(|error| *error.kind() == Kind::Cancelled);
        if was_cancelled && stopped && !page.cancelled.is_cancelled() {
            if tokio::time::timeout(LAST_WORD, talk.say(Word::Paused)).await.is_err() {
                tracing::info!("a pause was not told in time");
            }
            if page.give_back().await {
                tracing::info!("given back: it goes on after the restart");
            }
            return;
        }
        if let Some((error, at)) = self.again(&claimed, &page, &outcome) {
            talk.say(Word::Later { error, at }).await;
            if !page.finish(End::Again { at }, report(&outcome)).await {
                silent();
            }
            return;
        }
        talk.say(Word::Ended(&outcome)).await;
        let end = match &outcome.error {
            None => End::Done,
            Some(_) if was_cancelled => End::Cancelled,
            Some(_) => End::Failed,
        };
        if !page.finish(end, report(&outcome)).await {
            silent();
        }
    }

    /// Whether a job that failed is tried again by itself: why it failed, and when.
    fn again<'a>(&self, claimed: &Claimed, page: &Page, outcome: &'a Outcome) -> Option<(&'a Error, Moment)> {
        if page.cancelled.is_cancelled() || claimed.attempt >= TRIES {
            return None;
        }
        let wait = self.pace.later.after(claimed.attempt.unsigned_abs(), outcome, share())?;
        tracing::info!(?wait, "failed for now: it is tried again");
        let at = now().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        Some((outcome.error.as_ref()?, at))
    }

    /// Follows a job to its end. Also tells whether the worker broke it off because it is to stop.
    async fn carry_out(&self, page: &Page, job: Job, talk: &dyn super::Talk) -> (Outcome, bool) {
        let Job { id, progress, cancel, mut outcome } = job;
        page.watch(progress.clone());
        let mut stopped = false;
        let share = page.share(progress.clone());
        let follow = talk.follow(progress);
        tokio::pin!(follow, share);
        let (mut following, mut sharing) = (true, true);
        loop {
            tokio::select! {
                biased;
                ended = &mut outcome => {
                    if sharing && !stopped {
                        share.as_mut().await;
                    }
                    let broke = |fault| failed(&id, Error::internal(format!("the job broke: {fault}")));
                    return (ended.unwrap_or_else(broke), stopped);
                }
                () = page.lost.cancelled(), if !cancel.is_cancelled() => cancel.cancel(),
                () = page.cancelled.cancelled(), if !cancel.is_cancelled() => cancel.cancel(),
                () = self.stop.cancelled(), if !stopped => {
                    stopped = true;
                    cancel.cancel();
                }
                () = &mut share, if sharing => sharing = false,
                () = &mut follow, if following => following = false,
            }
        }
    }

    /// A job that nobody can be told about, for now or for good.
    async fn not_taken_up(&self, page: &Page, error: &Error) {
        tracing::warn!(code = error.code(), reason = error.operator_text(), "a job could not be taken up");
        let later = i64::try_from(LATER.as_millis()).unwrap_or_default();
        let end = if error.kind().retryable() { End::Again { at: now() + later } } else { End::Failed };
        page.finish(end, report(&failed("", error.clone()))).await;
    }
}

fn silent() {
    tracing::warn!("another worker has this job: leaving it to that one");
}

fn failed(id: &str, error: Error) -> Outcome {
    Outcome { error: Some(error), ..Outcome::of(id) }
}

/// What the database keeps of an outcome: no metadata, which may hold signed links.
fn report(outcome: &Outcome) -> Report {
    let delivered = outcome.attempts.last().filter(|attempt| attempt.end.error().is_none());
    let method = delivered.map(|attempt| match (attempt.method, outcome.attempts.len()) {
        (DownloadMethod::Api, 1) => "api",
        (DownloadMethod::Cli, 1) => "cli",
        _ => "fallback",
    });
    let files = outcome.metadata.as_ref().map_or(&[][..], |metadata| &metadata.files);
    let kept = Outcome { metadata: None, ..outcome.clone() };
    Report {
        platform: outcome.platform.clone(),
        method: method.map(str::to_owned),
        error_code: outcome.error.as_ref().map(|error| error.code().to_owned()),
        error_text: outcome.error.as_ref().map(|error| error.operator_text().to_owned()),
        outcome: serde_json::to_value(kept).unwrap_or_default(),
        files: i64::try_from(files.len()).unwrap_or(i64::MAX),
        bytes: i64::try_from(files.iter().map(|file| file.size).sum::<u64>()).unwrap_or(i64::MAX),
        took_ms: i64::try_from(outcome.took.as_millis()).unwrap_or(i64::MAX),
    }
}
