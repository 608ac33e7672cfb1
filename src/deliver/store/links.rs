//! The store in a bucket. Links are signed, and end by themselves; what they lead to is taken away then.
//!
//! ```text
//! S3_PREFIX/links/<32 hexadecimal digits>-<name>     a stored file; S3 knows when it was put there
//! ```

use std::time::Duration;

use chrono::Utc;
use tokio::sync::Mutex;

use super::{Contents, Stored, is_ours, name};
use crate::{
    model::{Error, MediaFile, Result},
    net::bucket::{Bucket, LONGEST_LINK, Listed},
    settings::StoreSettings,
};

/// Where they lie in the bucket.
const FOLDER: &str = "links/";

/// The stored files of a bucket.
#[derive(Debug)]
pub(super) struct Links {
    bucket: Bucket,
    keep: Duration,
    max_bytes: u64,
    /// One file at a time, so that the room made for one is not taken by another of this machine.
    turn: Mutex<()>,
}

impl Links {
    pub(super) fn new(bucket: Bucket, settings: &StoreSettings) -> Self {
        Self { bucket, keep: settings.keep.min(LONGEST_LINK), max_bytes: settings.max_bytes, turn: Mutex::default() }
    }

    pub(super) async fn check(&self) -> Result<()> {
        self.bucket.check().await
    }

    pub(super) async fn contents(&self) -> Result<Contents> {
        let stored = self.stored().await?;
        Ok(Contents { files: stored.len(), bytes: stored.iter().map(|object| object.bytes).sum() })
    }

    pub(super) async fn put(&self, file: &MediaFile) -> Result<Stored> {
        let name = format!("{FOLDER}{}", name(&file.filename)?);
        let _turn = self.turn.lock().await;
        self.make_room(file.size).await?;
        self.bucket.put(&name, &file.path, &file.mimetype).await?;
        let url = self.bucket.link(&name, self.keep).ok_or_else(|| Error::internal("S3_PUBLIC_URL is not set"))?;
        tracing::info!(bytes = file.size, hours = self.keep.as_secs() / 3600, "a file went to the bucket");
        Ok(Stored { url, kept: self.keep })
    }

    /// Takes the oldest files away until `size` more bytes are within the quota.
    async fn make_room(&self, size: u64) -> Result<()> {
        let stored = self.stored().await?;
        let mut held: u64 = stored.iter().map(|object| object.bytes).sum();
        for object in stored {
            if held.saturating_add(size) <= self.max_bytes {
                break;
            }
            self.bucket.remove(&object.name).await?;
            held -= object.bytes;
            tracing::info!(bytes = object.bytes, "a file left the store before its time: STORE_MAX_MB");
        }
        Ok(())
    }

    /// Takes away what has had its time. Returns how many.
    pub(super) async fn sweep(&self) -> Result<usize> {
        let now = Utc::now();
        let mut removed = 0;
        for object in self.stored().await? {
            // A clock that was set back makes files young, never old.
            if (now - object.since).to_std().unwrap_or_default() > self.keep {
                self.bucket.remove(&object.name).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The stored files, the oldest first.
    async fn stored(&self) -> Result<Vec<Listed>> {
        let mut all = self.bucket.list(FOLDER).await?;
        all.retain(|object| object.name.strip_prefix(FOLDER).is_some_and(is_ours));
        all.sort_by_key(|object| object.since);
        Ok(all)
    }
}
