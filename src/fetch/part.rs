//! A file on its way to the disk, written by several connections at once, each at its own place.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{partial::Record, ranges::Ranges};

/// Bytes gathered before they are written: fewer, larger writes. Less is written when no more comes at once.
const BATCH: usize = 512 * 1024;

/// A file on its way: removed when dropped unless it was given its final name.
pub(super) struct Part {
    path: PathBuf,
    pub(super) shared: Arc<Shared>,
    /// What a later process needs to go on with it, if one may.
    record: Option<Arc<Record>>,
    kept: bool,
}

/// What the writes of a part need, which may outlive it by a moment.
pub(super) struct Shared {
    file: File,
    /// What has been written.
    done: Mutex<Ranges>,
}

impl Shared {
    pub(super) fn done(&self) -> Ranges {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Part {
    /// A new file at `path`, with room for `total` bytes.
    pub(super) fn create(path: PathBuf, total: Option<u64>) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        // From here on, a failure removes the file.
        let part = Self::of(path, file, Ranges::default(), None);
        if let Some(total) = total {
            allocate(&part.shared.file, total)?;
        }
        Ok(part)
    }

    /// A file that may be gone on with after a crash. `done`: what of it is there.
    pub(super) fn recorded(record: Record, file: File, done: Ranges, total: u64) -> io::Result<Self> {
        let part = Self::of(record.part_path(), file, done, Some(Arc::new(record)));
        allocate(&part.shared.file, total)?;
        Ok(part)
    }

    fn of(path: PathBuf, file: File, done: Ranges, record: Option<Arc<Record>>) -> Self {
        Self { path, shared: Arc::new(Shared { file, done: Mutex::new(done) }), record, kept: false }
    }

    /// Notes what is there for a later process, now and then.
    pub(super) fn note(&self) {
        if let Some(record) = &self.record {
            record.note(&self.shared);
        }
    }

    /// The first bytes of the file.
    pub(super) async fn first(&self, bytes: usize) -> io::Result<Vec<u8>> {
        let shared = self.shared.clone();
        let read = move || {
            let mut first = vec![0; bytes];
            let mut filled = 0;
            while let Some(rest) = first.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match shared.file.read_at(rest, filled as u64)? {
                    0 => break,
                    read => filled += read,
                }
            }
            first.truncate(filled);
            Ok(first)
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// Gives it its final name.
    pub(super) fn keep(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            // It may be gone already.
            let _ = fs::remove_file(&self.path);
        }
        if let Some(record) = &self.record {
            record.close();
        }
    }
}

/// Takes the room at once, so that a full disk shows before anything is loaded.
fn allocate(file: &File, total: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use nix::{
            errno::Errno,
            fcntl::{FallocateFlags, fallocate},
        };
        let length = i64::try_from(total).map_err(io::Error::other)?;
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Ok(()) => return Ok(()),
            // Not every file system can.
            Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    file.set_len(total)
}

/// Writes what one connection brings, in order from one place on. One write is under way while the next is gathered.
pub(super) struct Writer {
    shared: Arc<Shared>,
    at: u64,
    gathered: Vec<Bytes>,
    bytes: usize,
    under_way: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    pub(super) fn new(part: &Part, at: u64) -> Self {
        Self { shared: part.shared.clone(), at, gathered: Vec::new(), bytes: 0, under_way: None }
    }

    /// Takes bytes; waits when the disk is slower than the network.
    pub(super) async fn push(&mut self, bytes: Bytes) -> io::Result<()> {
        self.bytes += bytes.len();
        self.gathered.push(bytes);
        if self.bytes >= BATCH {
            self.settle().await?;
            self.start();
        }
        Ok(())
    }

    /// Writes what is gathered while nothing comes, and then waits for ever: only an error ends it. Dropping it loses
    /// nothing.
    pub(super) async fn while_idle(&mut self) -> io::Error {
        loop {
            if let Err(error) = self.settle().await {
                return error;
            }
            if self.bytes == 0 {
                return std::future::pending().await;
            }
            self.start();
        }
    }

    /// Writes all there is.
    pub(super) async fn finish(&mut self) -> io::Result<()> {
        self.settle().await?;
        self.start();
        self.settle().await
    }

    async fn settle(&mut self) -> io::Result<()> {
        let Some(write) = &mut self.under_way else { return Ok(()) };
        let written = write.await;
        // Only now: whoever stops waiting must not lose the write.
        self.under_way = None;
        written.map_err(io::Error::other)?
    }

    fn start(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let (shared, start, gathered) = (self.shared.clone(), self.at, std::mem::take(&mut self.gathered));
        self.at += self.bytes as u64;
        self.bytes = 0;
        self.under_way = Some(tokio::task::spawn_blocking(move || {
            let mut at = start;
            for bytes in &gathered {
                shared.file.write_all_at(bytes, at)?;
                at += bytes.len() as u64;
            }
            shared.done.lock().unwrap_or_else(PoisonError::into_inner).insert(start..at);
            Ok(())
        }));
    }
}

#[cfg(test)]
impl Shared {
    /// Gives the lock away as the end of the process does.
    pub(super) fn unlock_for_test(&self) {
        self.file.unlock().expect("a lock to give away");
    }
}
