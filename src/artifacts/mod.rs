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
//! Where they are is the business of `shelf` alone: take, keep, tidy, contents and clear, by keys and checksums that no path
//! goes into. A store that several machines share stands behind the same five.

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

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use shelf::Contents;

use crate::{
    model::{DownloadMethod, Error, MediaFile, MediaMetadata, Result},
    settings::ArtifactSettings,
    turns::{Turn, Turns},
};
use shelf::Shelf;

/// Bytes that may be added before the shelf is tidied, as a part of what it may hold.
const TIDY_AFTER: u64 = 20;

/// How often it is tidied when nothing is added.
const ROUND: Duration = Duration::from_secs(10 * 60);

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
    turns: Turns,
    /// Bytes added since it was tidied.
    added: AtomicU64,
    max_bytes: u64,
    /// Held by whoever tidies: one is enough.
    tidying: Mutex<()>,
}

impl Artifacts {
    /// Kept beside the downloads, because links between file systems do not work. `None`: the operator wants none. Touches
    /// nothing.
    pub fn new(settings: &ArtifactSettings, downloads: &Path) -> Option<Self> {
        let shelf = Shelf::new(downloads.join(FOLDER), settings.max_bytes, settings.keep);
        let (turns, added, max_bytes) = (Turns::default(), AtomicU64::new(0), settings.max_bytes);
        let inner = Inner { shelf, turns, added, max_bytes, tidying: Mutex::default() };
        (settings.max_bytes > 0).then(|| Self { inner: Arc::new(inner) })
    }

    /// Waits until nobody else makes the same, so that the second finds what the first has made.
    pub async fn turn(&self, key: &ArtifactKey) -> Turn {
        self.inner.turns.take(&key.0).await
    }

    /// What the same request brought before, its files in a folder in `dir`. `None`: nothing, or not all of it is as it was.
    pub async fn take(&self, key: &ArtifactKey, dir: &Path) -> Option<Kept> {
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

    /// Keeps what a request brought. A disk that does not take it costs nothing but the next load.
    pub async fn keep(&self, key: &ArtifactKey, kept: Kept) {
        let (inner, key) = (self.inner.clone(), key.clone());
        let bytes: u64 = kept.files.iter().map(|file| file.size).sum();
        if bytes > inner.max_bytes / 4 {
            // One that takes the place of everything else is not worth it.
            return;
        }
        let done = tokio::task::spawn_blocking(move || inner.shelf.keep(&key.0, kept));
        if let Ok(Err(error)) = done.await {
            tracing::warn!(%error, "files could not be kept for whoever asks again");
        }
        let added = self.inner.added.fetch_add(bytes, Relaxed).saturating_add(bytes);
        if added > self.inner.max_bytes / TIDY_AFTER {
            let inner = self.inner.clone();
            // Nobody waits for that.
            drop(tokio::task::spawn_blocking(move || inner.tidy()));
        }
    }

    /// Throws away what has had its time, what is too much, and what a killed process left: now and every ten minutes, for as
    /// long as it is awaited.
    pub async fn look_after(&self) {
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
