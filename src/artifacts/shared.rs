//! Artifacts in a bucket, for machines that work together: what one has loaded and made, the others need not.
//!
//! ```text
//! S3_PREFIX/artifacts/
//!   objects/<sha256>     a content
//!   notes/<key>.json     what a request brought, and when
//! ```
//!
//! Behind each machine's own shelf: what comes from here is put there first, and handed out from there, which compares it with
//! its checksum. A bucket that does not answer costs nothing but the load that it would have saved.

use std::{
    collections::HashSet,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Kept, shelf};
use crate::{
    model::{Error, MediaFile, Result},
    net::{Bucket, bucket::Listed},
};

/// Where they lie in the bucket.
const FOLDER: &str = "artifacts/";

/// The bucket.
pub(super) struct Shared {
    bucket: Bucket,
    max_bytes: u64,
    keep: Duration,
}

/// A note as it lies there.
#[derive(Serialize, Deserialize)]
struct Note {
    /// When it was loaded: seconds since 1970. When it was put there says less, it may have been put there again.
    at: u64,
    kept: Kept,
}

impl Shared {
    pub(super) fn new(bucket: Bucket, max_bytes: u64, keep: Duration) -> Self {
        Self { bucket, max_bytes, keep }
    }

    /// What the same request brought on another machine, its files in `dir`, and when. `None`: nothing, or more bytes than `most`.
    pub(super) async fn fetch(
        &self,
        key: &str,
        dir: &Path,
        most: u64,
        now: SystemTime,
    ) -> Result<Option<(Kept, SystemTime)>> {
        let Some(text) = self.bucket.get_bytes(&note(key), shelf::MAX_NOTE).await? else { return Ok(None) };
        let odd = |error: serde_json::Error| Error::internal(format!("a note in the bucket makes no sense: {error}"));
        let Note { at, mut kept } = serde_json::from_slice(&text).map_err(odd)?;
        let since = UNIX_EPOCH + Duration::from_secs(at);
        // A clock that is ahead of this one makes it young, never older.
        let is_young = now.duration_since(since).unwrap_or_default() <= self.keep;
        let bytes = kept.files.iter().fold(0_u64, |sum, file| sum.saturating_add(file.size));
        if !is_young || bytes > most || !kept.files.iter().all(|file| shelf::is_checksum(&file.checksum)) {
            return Ok(None);
        }
        for (index, file) in kept.files.iter_mut().enumerate() {
            file.path = dir.join(format!("{index:03}"));
            if !self.bucket.get_file(&object(file), &file.path, file.size).await? {
                return Ok(None);
            }
        }
        Ok(Some((kept, since)))
    }

    /// Puts there what a request brought, the note last.
    pub(super) async fn offer(&self, key: &str, kept: Kept, since: SystemTime) -> Result<()> {
        let mut put = HashSet::new();
        for file in &kept.files {
            if put.insert(&file.checksum) {
                self.bucket.put(&object(file), &file.path, &file.mimetype).await?;
            }
        }
        let at = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let kept = shelf::told(kept);
        let odd = |error: serde_json::Error| Error::internal(format!("a note cannot be written: {error}"));
        let text = serde_json::to_vec(&Note { at, kept }).map_err(odd)?;
        self.bucket.put_bytes(&note(key), text.into(), "application/json").await
    }

    /// Throws away what is too old, and the oldest of what is too much. Tells how many objects went.
    pub(super) async fn tidy(&self, now: DateTime<Utc>) -> Result<usize> {
        let all = self.bucket.list(FOLDER).await?;
        let gone = overdue(all, now, self.keep, self.max_bytes);
        for object in &gone {
            self.bucket.remove(&object.name).await?;
        }
        Ok(gone.len())
    }
}

fn note(key: &str) -> String {
    format!("{FOLDER}notes/{key}.json")
}

fn object(file: &MediaFile) -> String {
    format!("{FOLDER}objects/{}", file.checksum)
}

/// What is to go: everything older than `keep`, then the oldest until the rest is at most `max_bytes`. A note whose contents have
/// gone answers nothing, and goes when its own time is over.
fn overdue(mut all: Vec<Listed>, now: DateTime<Utc>, keep: Duration, max_bytes: u64) -> Vec<Listed> {
    all.sort_by_key(|object| object.since);
    let mut bytes: u64 = all.iter().map(|object| object.bytes).sum();
    let count = all
        .iter()
        .take_while(|object| {
            let is_due = (now - object.since).to_std().unwrap_or_default() > keep || bytes > max_bytes;
            bytes = bytes.saturating_sub(object.bytes);
            is_due
        })
        .count();
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_go_and_then_the_oldest_of_what_is_too_much() {
        let now = Utc::now();
        let object = |name: &str, hours: i64, bytes: u64| Listed {
            name: name.into(),
            bytes,
            since: now - chrono::TimeDelta::hours(hours),
        };
        let all = vec![object("young", 1, 10), object("old", 30, 10), object("middle", 2, 10), object("ahead", -5, 10)];
        let names = |max: u64| -> Vec<String> {
            overdue(all.clone(), now, Duration::from_secs(24 * 3600), max)
                .into_iter()
                .map(|object| object.name)
                .collect()
        };
        assert_eq!(names(1000), ["old"]);
        assert_eq!(names(30), ["old"]);
        assert_eq!(names(29), ["old", "middle"]);
        assert_eq!(names(0), ["old", "middle", "young", "ahead"]);
    }
}
