//! Where a job's files live while it runs, and how nothing of it stays behind.
//!
//! ```text
//! DOWNLOAD_DIR/
//!   jobs/<process>/           one a process, with a `lock` held for as long as it lives
//!     <request>/              one a request, removed when the request ends, however it ends
//!   .partial/                 half-loaded files of a killed process, see `fetch/partial.rs`
//!   kept/<request>/           files that could not be delivered, or that the operator wants kept
//! ```
//!
//! A process that was killed leaves its folder behind, unlocked; the next one that starts removes it.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use crate::model::{Error, MediaFile, Result};

const LOCK: &str = "lock";

/// The folder of this process. Dropping it removes it.
#[derive(Debug)]
pub struct Workshop {
    root: PathBuf,
    kept: PathBuf,
    _lock: File,
}

impl Workshop {
    /// Makes the folder and removes those that dead processes left.
    ///
    /// # Errors
    /// When `downloads` cannot be written to.
    pub fn open(downloads: &Path) -> io::Result<Self> {
        let jobs = downloads.join("jobs");
        fs::create_dir_all(&jobs)?;
        // Absolute, because tools run with another working directory.
        let jobs = jobs.canonicalize()?;
        sweep(&jobs);
        crate::fetch::sweep_partials(downloads);
        let root = jobs.join(uuid::Uuid::new_v4().simple().to_string());
        fs::create_dir(&root)?;
        let lock = File::create(root.join(LOCK))?;
        lock.lock()?;
        let kept = jobs.with_file_name("kept");
        Ok(Self { root, kept, _lock: lock })
    }

    /// A fresh folder for one request.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, request: &str) -> Result<Folder> {
        let path = self.root.join(request);
        fs::create_dir_all(&path)
            .map_err(|error| Error::io(format_args!("cannot make the job folder {}", path.display()), &error))?;
        Ok(Folder { path, kept: self.kept.join(request) })
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // Nothing more can be done about a folder that resists; the next start tries again.
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// Removes the folders of processes that are no more.
fn sweep(jobs: &Path) {
    let Ok(entries) = fs::read_dir(jobs) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let dead = match File::open(path.join(LOCK)) {
            Ok(lock) => !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)),
            // Between its folder and its lock a process that starts at the same moment has nothing to lose but the
            // folder itself, so only folders that already hold something count as left behind.
            Err(_) => fs::read_dir(&path).is_ok_and(|mut inside| inside.next().is_some()),
        };
        if dead {
            tracing::info!(folder = %path.display(), "removing what an earlier run left");
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// The folder of one request. Dropping it removes it with everything in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    kept: PathBuf,
}

impl Folder {
    /// Where it is: absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A fresh folder inside, for one attempt or step.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn sub(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Moves files to where they stay, and says where that is.
    ///
    /// # Errors
    /// When a file cannot be moved.
    pub fn keep(&self, files: &mut [MediaFile]) -> Result<PathBuf> {
        fs::create_dir_all(&self.kept)?;
        for file in files {
            let place = self.kept.join(format!("{:02}-{}", file.item + 1, file.filename));
            // Same file system by construction, so a rename is enough and atomic.
            fs::rename(&file.path, &place)?;
            file.path = place;
        }
        Ok(self.kept.clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "cannot remove a job folder");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_vanishes_with_its_request_and_a_dead_process_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join("jobs/0dead/request");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.parent().unwrap().join(LOCK), "").unwrap();

        let first = Workshop::open(dir.path()).unwrap();
        assert!(!left.exists(), "left over");
        let folder = first.folder("r1").unwrap();
        fs::write(folder.path().join("half.part"), "x").unwrap();

        let second = Workshop::open(dir.path()).unwrap();
        assert!(folder.path().exists(), "a living process keeps its folders");
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
        drop((first, second));
        assert_eq!(fs::read_dir(dir.path().join("jobs")).unwrap().count(), 0);
    }
}
