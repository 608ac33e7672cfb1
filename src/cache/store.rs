//! Answers in files: one a file, named by the hash of its key.
//!
//! Addresses in them are signed, so only the bot's own user may read them. Each is written beside its place and moved
//! there, so that a reader never sees half of one. What cannot be read is removed: it is only a cache.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Answer, Entry, FORMAT};
use crate::model::{Error, Result};

/// Larger answers stay in memory: a playlist of thousands is not worth a megabyte on disk.
const MAX_BYTES: usize = 512 * 1024;

/// Writes between two rounds of tidying up.
const TIDY_EVERY: usize = 64;

/// A file that was never moved to its place belongs to a process that was killed.
const ABANDONED: Duration = Duration::from_secs(3600);

const ENDING: &str = "json";
const UNFINISHED: &str = "part";

/// What one file holds, for `cache show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// What was asked for.
    pub key: String,
    /// Which path asked.
    pub by: String,
    /// When.
    pub told: DateTime<Utc>,
    /// Until when it may be used.
    pub until: DateTime<Utc>,
    /// `found`, or the code of the refusal.
    pub answer: String,
}

/// The folder of answers.
#[derive(Clone)]
pub(super) struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    max_entries: usize,
    longest: Duration,
    writes: AtomicUsize,
}

impl Store {
    /// `longest`: older files are of no use to anybody.
    pub(super) fn new(dir: PathBuf, max_entries: usize, longest: Duration) -> Self {
        Self { inner: Arc::new(Inner { dir, max_entries, longest, writes: AtomicUsize::new(0) }) }
    }

    /// One answer with the bytes that it takes.
    pub(super) async fn read(&self, id: &str) -> Option<(Entry, u32)> {
        let (inner, id) = (self.inner.clone(), id.to_owned());
        tokio::task::spawn_blocking(move || inner.read(&inner.path(&id), &id)).await.ok()?
    }

    /// Keeps one answer, as JSON. A disk that does not take it costs nothing but the next question.
    pub(super) async fn write(&self, id: &str, entry: Vec<u8>) {
        let (inner, id) = (self.inner.clone(), id.to_owned());
        let written = tokio::task::spawn_blocking(move || inner.write(&id, &entry)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "an answer could not be kept on disk");
        }
    }

    /// Removes one answer.
    pub(super) async fn remove(&self, id: &str) {
        let (inner, id) = (self.inner.clone(), id.to_owned());
        let _ = tokio::task::spawn_blocking(move || fs::remove_file(inner.path(&id))).await;
    }

    /// What there is, newest first; what is over is left out.
    pub(super) fn shown(&self, until: impl Fn(&Entry) -> DateTime<Utc>, now: DateTime<Utc>) -> Vec<Shown> {
        let mut shown: Vec<Shown> = self
            .inner
            .files(ENDING)
            .into_iter()
            .filter_map(|(path, _)| {
                let id = path.file_stem()?.to_str()?.to_owned();
                let (entry, _) = self.inner.read(&path, &id)?;
                let until = until(&entry);
                let answer = match &entry.answer {
                    Answer::Found(_) => "found".to_owned(),
                    Answer::Refused(error) => error.code().to_owned(),
                };
                (until > now).then_some(Shown { key: entry.label, by: entry.by, told: entry.told, until, answer })
            })
            .collect();
        shown.sort_by_key(|one| std::cmp::Reverse(one.told));
        shown
    }

    /// Removes all answers, and says how many there were.
    pub(super) fn clear(&self) -> Result<usize> {
        let files = self.inner.files(ENDING);
        for (path, _) in files.iter().chain(&self.inner.files(UNFINISHED)) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::internal(format!("{} cannot be removed: {error}", path.display())));
                }
                _ => {}
            }
        }
        Ok(files.len())
    }
}

impl Inner {
    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(id).with_extension(ENDING)
    }

    fn read(&self, path: &Path, id: &str) -> Option<(Entry, u32)> {
        let bytes = path.metadata().ok()?.len();
        let small = usize::try_from(bytes).is_ok_and(|bytes| bytes <= 2 * MAX_BYTES);
        let file = small.then(|| fs::read(path).ok()).flatten();
        match file.and_then(|text| serde_json::from_slice::<Entry>(&text).ok()) {
            Some(entry) if entry.format == FORMAT && entry.id == id => {
                Some((entry, u32::try_from(bytes).unwrap_or(u32::MAX)))
            }
            _ => {
                tracing::debug!(file = %path.display(), "a kept answer cannot be read: removed");
                let _ = fs::remove_file(path);
                None
            }
        }
    }

    fn write(&self, id: &str, entry: &[u8]) -> io::Result<()> {
        if entry.len() > MAX_BYTES {
            // An older answer would come back when this one has left the memory.
            return match fs::remove_file(self.path(id)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let mut file = tempfile::Builder::new()
            .suffix(&format!(".{UNFINISHED}"))
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(&self.dir)?;
        file.write_all(entry)?;
        file.persist(self.path(id)).map_err(|failed| failed.error)?;
        if self.writes.fetch_add(1, Relaxed).is_multiple_of(TIDY_EVERY) {
            self.tidy();
        }
        Ok(())
    }

    /// Removes what is too old for any use, what was never finished, and the oldest of what is too many.
    fn tidy(&self) {
        let older = |changed: SystemTime, than: Duration| changed.elapsed().is_ok_and(|age| age > than);
        for (path, changed) in self.files(UNFINISHED) {
            if older(changed, ABANDONED) {
                let _ = fs::remove_file(path);
            }
        }
        let mut files = self.files(ENDING);
        files.sort_by_key(|(_, changed)| std::cmp::Reverse(*changed));
        for (index, (path, changed)) in files.iter().enumerate() {
            if index >= self.max_entries || older(*changed, self.longest) {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn files(&self, ending: &str) -> Vec<(PathBuf, SystemTime)> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().extension().is_some_and(|found| found == ending));
        files.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.modified().ok()?))).collect()
    }
}
