//! What platforms answered before, so that the same link is not asked again at once.
//!
//! ```text
//! jobs/ ── Cache ── moka (bounded by bytes) ── files in DATA_DIR/cache (bounded by number and size)
//!             └─ life.rs: how long which answer, and which part of it, may be used
//! ```
//!
//! An answer has two lives. What a post *says* (title, author, counts) holds for a day; the *addresses* of its media only
//! until they expire. So a look at a link is answered for a day, and a load asks anew as soon as the addresses have gone
//! stale. Refusals are kept, too: hours when they are about the post, seconds when they are about the moment.
//!
//! Tools' downloads are none of its business: a tool finds its addresses itself.

mod key;
mod life;
mod store;

use std::{path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    model::{Error, MediaMetadata, ResourceKind, Result},
    settings::CacheSettings,
    turns::{Turn, Turns},
};
pub use key::Key;
pub use store::Shown;
use store::Store;

/// Bytes that the answers in memory may take together, counted as they would be written.
const MEMORY_BYTES: u64 = 16 * 1024 * 1024;

/// The shape of the files. One of another shape is removed when it is met.
const FORMAT: u32 = 1;

/// What a platform said of a link, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// [`FORMAT`].
    format: u32,
    /// The hash of the key, so that a file under another's name is noticed.
    id: String,
    /// The key as people may read it.
    label: String,
    /// What was asked for.
    kind: ResourceKind,
    /// Which path asked: `api`, `yt-dlp` or `gallery-dl`.
    by: String,
    /// When it was asked.
    told: DateTime<Utc>,
    /// What it said.
    answer: Answer,
}

/// What a platform said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// What the post holds.
    Found(Box<MediaMetadata>),
    /// Why it cannot be had.
    Refused(Error),
}

/// An answer from before.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Which path asked: `api`, `yt-dlp` or `gallery-dl`.
    pub by: String,
    /// When.
    pub told: DateTime<Utc>,
    /// What it was told.
    pub answer: Result<MediaMetadata>,
}

/// The answers from before. Cheap to clone.
#[derive(Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

struct Inner {
    settings: CacheSettings,
    memory: moka::future::Cache<String, (Arc<Entry>, u32)>,
    store: Store,
    turns: Turns,
}

impl Cache {
    /// A cache that keeps its files in `dir`. Nothing is read or written before the first question.
    pub fn new(settings: &CacheSettings, dir: &Path) -> Self {
        let memory = moka::future::Cache::builder()
            .max_capacity(MEMORY_BYTES)
            .weigher(|_, (_, bytes): &(Arc<Entry>, u32)| *bytes)
            .build();
        let store = Store::new(dir.to_owned(), settings.max_entries, life::longest(settings));
        Self { inner: Arc::new(Inner { settings: settings.clone(), memory, store, turns: Turns::default() }) }
    }

    /// An answer good enough to load by: its addresses work still. A refusal counts as well.
    pub async fn to_load(&self, key: &Key, now: DateTime<Utc>) -> Option<Known> {
        let entry = self.fresh(key, now).await?;
        if let Answer::Found(metadata) = &entry.answer
            && now >= life::addresses_until(metadata, entry.told, &self.inner.settings)
        {
            return None;
        }
        Some(known(&entry))
    }

    /// An answer good enough to look at. Addresses that have gone stale are left out of it.
    pub async fn to_look(&self, key: &Key, now: DateTime<Utc>) -> Option<Known> {
        let entry = self.fresh(key, now).await?;
        let mut known = known(&entry);
        if let Ok(metadata) = &mut known.answer
            && now >= life::addresses_until(metadata, entry.told, &self.inner.settings)
        {
            metadata.drop_addresses();
        }
        Some(known)
    }

    /// What a post or list says of itself, however old its entries are: for a look while the platform cannot be asked.
    pub async fn to_stand_in(&self, key: &Key, now: DateTime<Utc>) -> Option<Known> {
        let entry = self.entry(key, now).await?;
        let mut known = known(&entry);
        let metadata = known.answer.as_mut().ok()?;
        metadata.drop_addresses();
        if now >= life::fresh_until(&entry, &self.inner.settings) {
            metadata.items.clear();
        }
        metadata.download_timestamp = Some(entry.told);
        Some(known)
    }

    /// Keeps what was said just now. Faults of the moment stay in memory: the next process starts afresh.
    pub async fn put(&self, key: &Key, by: &str, said: &Result<MediaMetadata>, now: DateTime<Utc>) {
        let inner = &self.inner;
        if !inner.settings.enabled {
            return;
        }
        let answer = match said {
            Ok(metadata) => Answer::Found(Box::new(MediaMetadata { files: Vec::new(), ..metadata.clone() })),
            Err(error) => Answer::Refused(error.clone()),
        };
        let entry = Entry {
            format: FORMAT,
            id: key.id().to_owned(),
            label: key.label().to_owned(),
            kind: key.kind(),
            by: by.to_owned(),
            told: now,
            answer,
        };
        if life::until(&entry, &inner.settings) <= now {
            return;
        }
        let lasting = match &entry.answer {
            Answer::Found(_) => true,
            Answer::Refused(error) => life::is_lasting(error.kind()),
        };
        let Ok(text) = serde_json::to_vec(&entry) else { return };
        let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        inner.memory.insert(key.id().to_owned(), (Arc::new(entry), bytes)).await;
        if lasting {
            inner.store.write(key.id(), text).await;
        } else {
            // An older answer must not come back when this one has left the memory.
            inner.store.remove(key.id()).await;
        }
    }

    /// Forgets one answer: it turned out to be of no use.
    pub async fn forget(&self, key: &Key) {
        self.inner.memory.invalidate(key.id()).await;
        self.inner.store.remove(key.id()).await;
    }

    /// Waits until nobody else asks for the same, so that the second finds what the first was told.
    pub async fn turn(&self, key: &Key) -> Turn {
        self.inner.turns.take(key.id()).await
    }

    /// What lies in the files, newest first.
    pub fn shown(&self, now: DateTime<Utc>) -> Vec<Shown> {
        self.inner.store.shown(|entry| life::until(entry, &self.inner.settings), now)
    }

    /// Removes everything, and says how many answers that were.
    ///
    /// # Errors
    /// When the folder cannot be read or a file not be removed.
    pub fn clear(&self) -> Result<usize> {
        self.inner.memory.invalidate_all();
        self.inner.store.clear()
    }

    /// The entry, if it still counts as an answer.
    async fn fresh(&self, key: &Key, now: DateTime<Utc>) -> Option<Arc<Entry>> {
        self.entry(key, now).await.filter(|entry| now < life::fresh_until(entry, &self.inner.settings))
    }

    /// The entry, if it may still be used at all.
    async fn entry(&self, key: &Key, now: DateTime<Utc>) -> Option<Arc<Entry>> {
        let inner = &self.inner;
        if !inner.settings.enabled {
            return None;
        }
        let entry = match inner.memory.get(key.id()).await {
            Some((entry, _)) => entry,
            None => {
                let (entry, bytes) = inner.store.read(key.id()).await?;
                let entry = Arc::new(entry);
                inner.memory.insert(key.id().to_owned(), (entry.clone(), bytes)).await;
                entry
            }
        };
        // A clock that was set back must not make old answers young for ever.
        if entry.told <= now && now < life::until(&entry, &inner.settings) {
            return Some(entry);
        }
        self.forget(key).await;
        None
    }
}

fn known(entry: &Entry) -> Known {
    let answer = match &entry.answer {
        Answer::Found(metadata) => Ok(MediaMetadata::clone(metadata)),
        Answer::Refused(error) => Err(error.clone()),
    };
    Known { by: entry.by.clone(), told: entry.told, answer }
}

#[cfg(test)]
mod tests;
