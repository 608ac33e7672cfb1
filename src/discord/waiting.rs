//! Live messages of this process whose jobs no worker has claimed yet: they show the place in the queue.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{live::Live, texts};
use crate::{
    jobs::store::{JobStore, Place, State},
    model::Phase,
};

/// Before a place in the queue is shown for the first time, and between two looks at it.
const FIRST_LOOK: Duration = Duration::from_millis(400);
const LOOK: Duration = Duration::from_secs(2);

/// How long the look at a stop may take.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Looks in a row at which jobs waited and nobody worked, until that is believed: between two jobs nobody works either.
const SURE: u32 = 3;

/// Live messages by job. Cheap to clone.
#[derive(Clone, Default)]
pub struct Waiting {
    live: Arc<Mutex<HashMap<String, Arc<Live>>>>,
    /// Whether jobs wait for a worker and there is none.
    unattended: Arc<AtomicBool>,
}

impl Waiting {
    /// Keeps the live message of a job until it is claimed.
    pub fn put(&self, id: &str, live: Arc<Live>) {
        self.live().insert(id.to_owned(), live);
    }

    /// Takes it back. `None`: the job was claimed here. Whoever claims it takes the very object, so that nobody else changes
    /// the message any more.
    pub fn take(&self, id: &str) -> Option<Arc<Live>> {
        self.live().remove(id)
    }

    fn get(&self, id: &str) -> Option<Arc<Live>> {
        self.live().get(id).cloned()
    }

    fn live(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether jobs wait for a worker and there is none. Only known where [`Waiting::watch`] looks.
    pub fn is_unattended(&self) -> bool {
        self.unattended.load(Relaxed)
    }

    /// Looks whether anybody works on the jobs. Never ends.
    pub async fn watch(self, store: JobStore) {
        let mut looks = 0;
        loop {
            tokio::time::sleep(LOOK).await;
            match store.unattended().await {
                Ok(0) => looks = 0,
                Ok(_) => looks = SURE.min(looks + 1),
                // It is told where jobs are written down.
                Err(_) => continue,
            }
            let unattended = looks >= SURE;
            match (self.unattended.swap(unattended, Relaxed), unattended) {
                (false, true) => tracing::warn!(
                    "jobs wait and no worker takes them: start `boss-bot worker` with the same DATABASE_URL and DISCORD_TOKEN"
                ),
                (true, false) => tracing::info!("no job waits without a worker any more"),
                _ => {}
            }
        }
    }

    /// Shows a job's place in the queue until it is claimed by whomever; when the bot stops, that it goes on later.
    pub async fn in_line(&self, id: &str, store: &JobStore, stop: &CancellationToken) {
        let mut pause = FIRST_LOOK;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {
                    // Another process may have claimed it since the last look, and have posted its files.
                    let place = tokio::time::timeout(LAST_LOOK, store.ahead(id)).await;
                    if let (Some(live), Ok(Ok(Some(_)))) = (self.take(id), place) {
                        live.pause(&texts::paused()).await;
                    }
                    return;
                }
            }
            pause = LOOK;
            if self.get(id).is_none() {
                return;
            }
            match store.place(id).await {
                // Looked up again: it may have been claimed meanwhile, and then its worker speaks.
                Ok(Some(place)) => {
                    let text = match place {
                        Place { held: true, .. } => Some(texts::queue::held()),
                        Place { .. } if self.is_unattended() => Some(texts::unattended()),
                        Place { ahead, .. } => texts::phase(&Phase::Queued { ahead }, None),
                    };
                    if let (Some(live), Some(text)) = (self.get(id), text) {
                        live.progress(&text).await;
                    }
                }
                Ok(None) => return self.leave(id, store).await,
                Err(error) => tracing::debug!(%error, "a place in the queue is not known"),
            }
        }
    }

    /// A job that does not wait any more: its worker speaks for it, unless it was called off before there was one.
    async fn leave(&self, id: &str, store: &JobStore) {
        let Some(live) = self.take(id) else { return };
        let row = store.get(id).await;
        if let Ok(Some(row)) = row
            && row.state == State::Cancelled
            && row.started_at.is_none()
        {
            live.finish(&texts::queue::called_off()).await;
        }
    }
}
