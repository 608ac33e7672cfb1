//! What was loaded and made lately, kept for whoever asks for the same: one load and one encode, however many ask at once
//! or within the day.
//!
//! ```text
//! jobs/work ── take ──► a note of the same request? ──► its contents, linked into the job's folder
//!     │
//!     └── turn, load or fit, keep ──► contents by checksum, and a note of what they are
//! ```
//!
//! It knows nothing of links or limits: a key is whatever its users say makes two requests the same. `cache/` remembers what
//! platforms *say*; this keeps the *files*.
//!
//! Where they are is the business of `shelf`: take, keep, tidy, contents and clear, by keys and checksums that no path goes into.
//! Behind it stands `shared`, a bucket, where several machines work together.

mod shared;
mod shelf;

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, TryLockError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use chrono::Utc;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;
use tracing::Instrument;

pub use shelf::Contents;

use crate::{
    model::{DownloadMethod, Error, MediaFile, MediaMetadata, Result},
    net::Bucket,
    settings::ArtifactSettings,
    turns::{Turn, Turns},
};
use shared::Shared;
use shelf::Shelf;

/// Bytes that may be added before the shelf is tidied, as a part of what it may hold.
const TIDY_AFTER: u64 = 20;

/// How often it is tidied when nothing is added.
const ROUND: Duration = Duration::from_secs(10 * 60);

/// How often the bucket is tidied, by each machine.
const SHARED_ROUND: Duration = Duration::from_secs(3600);

/// How long a job that is done waits for what it has brought to be in the bucket, before whoever waits for it begins.
const OFFER: Duration = Duration::from_secs(60);

/// The folder in `DOWNLOAD_DIR`.
const FOLDER: &str = ".artifacts";

/// What a request brought.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// What the post says, where files of a post are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<MediaMetadata>,
    /// Which path loaded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<(DownloadMethod, String)>,
    /// What the person who asks should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The files. On the shelf their paths are empty.
    pub files: Vec<MediaFile>,
}

/// What makes two requests the same: safe as a file's name, and tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArtifactKey(String);

impl ArtifactKey {
    /// Of everything that changes the result.
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // Lengths keep `["ab", "c"]` and `["a", "bc"]` apart.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hex::encode(hash.finalize()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The artifacts of this machine. Cheap to clone.
#[derive(Clone)]
pub struct Artifacts {
    inner: Arc<Inner>,
}

struct Inner {
    shelf: Shelf,
    shared: Option<Shared>,
    turns: Turns,
    /// Bytes added since it was tidied.
    added: AtomicU64,
    max_bytes: u64,
    /// Held by whoever tidies: one is enough.
    tidying: Mutex<()>,
}

impl Artifacts {
    /// Kept beside the downloads, because links between file systems do not work. `shared`: a bucket that other machines look
    /// into, and how many bytes it may hold. `None`: the operator wants none. Touches nothing.
    pub fn new(settings: &ArtifactSettings, downloads: &Path, shared: Option<(Bucket, u64)>) -> Option<Self> {
        let shelf = Shelf::new(downloads.join(FOLDER), settings.max_bytes, settings.keep);
        let (turns, added, max_bytes) = (Turns::default(), AtomicU64::new(0), settings.max_bytes);
        let shared = shared.map(|(bucket, most)| Shared::new(bucket, most, settings.keep));
        let inner = Inner { shelf, shared, turns, added, max_bytes, tidying: Mutex::default() };
        (settings.max_bytes > 0).then(|| Self { inner: Arc::new(inner) })
    }

    /// Waits until nobody else makes the same, so that the second finds what the first has made.
    pub async fn turn(&self, key: &ArtifactKey) -> Turn {
        self.inner.turns.take(&key.0).await
    }

    /// What the same request brought before, its files in a folder in `dir`. `None`: nothing, or not all of it is as it was.
    pub async fn take(&self, key: &ArtifactKey, dir: &Path) -> Option<Kept> {
        match self.take_here(key, dir).await {
            None if self.fetch(key, dir).await => self.take_here(key, dir).await,
            taken => taken,
        }
    }

    /// Brings what another machine has kept to this one. False: there is nothing.
    async fn fetch(&self, key: &ArtifactKey, dir: &Path) -> bool {
        let Some(shared) = &self.inner.shared else { return false };
        let Ok(dir) = tempfile::Builder::new().prefix("shared-").tempdir_in(dir) else { return false };
        match shared.fetch(&key.0, dir.path(), self.inner.max_bytes / 4, SystemTime::now()).await {
            Ok(Some((kept, since))) => {
                tracing::debug!(files = kept.files.len(), "another machine has what is asked for");
                self.put(key, kept, since).await
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(reason = error.operator_text(), "what other machines have kept cannot be had");
                false
            }
        }
    }

    async fn take_here(&self, key: &ArtifactKey, dir: &Path) -> Option<Kept> {
        let (inner, key, dir) = (self.inner.clone(), key.clone(), dir.to_owned());
        let taken = tokio::task::spawn_blocking(move || inner.shelf.take(&key.0, &dir, SystemTime::now()));
        match taken.await.ok()? {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(%error, "what was kept cannot be read");
                None
            }
        }
    }

    /// Keeps what a request brought, here and for other machines. A disk or a bucket that does not take it costs nothing but the
    /// next load.
    pub async fn keep(&self, key: &ArtifactKey, kept: Kept) -> Offer {
        let now = SystemTime::now();
        if !self.put(key, kept.clone(), now).await || self.inner.shared.is_none() {
            return Offer(None);
        }
        let (inner, key) = (self.inner.clone(), key.clone());
        let offer = async move {
            let Some(shared) = &inner.shared else { return };
            let mut kept = kept;
            for file in &mut kept.files {
                // The job's folder goes with the job.
                file.path = inner.shelf.object(file);
            }
            if let Err(error) = shared.offer(&key.0, kept, now).await {
                tracing::warn!(reason = error.operator_text(), "files could not be kept for other machines");
            }
        };
        Offer(Some(tokio::spawn(offer.in_current_span())))
    }

    /// Puts files on this machine's shelf. False: it does not take them.
    async fn put(&self, key: &ArtifactKey, kept: Kept, since: SystemTime) -> bool {
        let (inner, key) = (self.inner.clone(), key.clone());
        let bytes: u64 = kept.files.iter().map(|file| file.size).sum();
        if bytes > inner.max_bytes / 4 {
            // One that takes the place of everything else is not worth it.
            return false;
        }
        let done = tokio::task::spawn_blocking(move || inner.shelf.keep(&key.0, kept, since));
        let is_kept = match done.await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "files could not be kept for whoever asks again");
                false
            }
            Err(error) => {
                tracing::error!(%error, "keeping files broke");
                false
            }
        };
        let added = self.inner.added.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if added > self.inner.max_bytes / TIDY_AFTER {
            let inner = self.inner.clone();
            // Nobody waits for that.
            drop(tokio::task::spawn_blocking(move || inner.tidy()));
        }
        is_kept
    }

    /// Throws away what has had its time, what is too much, and what a killed process left: now and every ten minutes, for as
    /// long as it is awaited.
    pub async fn look_after(&self) {
        tokio::join!(self.look_after_shelf(), self.look_after_shared());
    }

    async fn look_after_shared(&self) {
        let Some(shared) = &self.inner.shared else { return };
        let mut rounds = tokio::time::interval(SHARED_ROUND);
        loop {
            rounds.tick().await;
            match shared.tidy(Utc::now()).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "files that machines share have had their time"),
                Err(error) => tracing::warn!(reason = error.operator_text(), "the bucket cannot be tidied"),
            }
        }
    }

    async fn look_after_shelf(&self) {
        let mut rounds = tokio::time::interval(ROUND);
        loop {
            rounds.tick().await;
            let inner = self.inner.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || inner.tidy()).await {
                tracing::error!(%error, "tidying kept files broke");
            }
        }
    }

    /// What is kept now.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn contents(&self) -> Result<Contents> {
        self.inner.shelf.contents().map_err(|error| unusable(&self.inner.shelf, &error))
    }

    /// Throws away everything that is kept there, by whatever settings, and says what that was.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(downloads: &Path) -> Result<Contents> {
        let shelf = Shelf::new(downloads.join(FOLDER), 0, Duration::ZERO);
        shelf.clear().map_err(|error| unusable(&shelf, &error))
    }
}

/// Files on their way to other machines. Dropped, they go on.
#[must_use]
pub struct Offer(Option<JoinHandle<()>>);

impl Offer {
    /// Waits until they are there, for a minute at the most: whoever waits for this job shall find them.
    pub async fn settled(self) {
        if let Some(offer) = self.0
            && tokio::time::timeout(OFFER, offer).await.is_err()
        {
            tracing::info!("files for other machines are still on their way");
        }
    }
}

impl Inner {
    fn tidy(&self) {
        let _tidying = match self.tidying.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(broken)) => broken.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        self.added.store(0, Relaxed);
        match self.shelf.tidy(SystemTime::now()) {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "kept files have had their time"),
            Err(error) => tracing::warn!(%error, "kept files cannot be tidied"),
        }
    }
}

fn unusable(shelf: &Shelf, error: &io::Error) -> Error {
    Error::internal(format!("kept files in {}: {error}", shelf.dir().display()))
}
