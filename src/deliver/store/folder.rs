//! The store in a folder that a web server of the operator's serves.
//!
//! ```text
//! STORE_DIR/
//!   <32 hexadecimal digits>-<name>     a stored file; its time of change is when it was stored
//!   .boss-bot-….part                   a copy that is not whole yet
//! ```
//!
//! Anything else in the folder is the operator's and stays. Serving is the web server's business.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::sync::Mutex;
use url::Url;

use super::{Contents, Stored, is_ours, name};
use crate::{
    deliver::directory::{self, TEMPORARY},
    model::{Error, MediaFile, Result},
    settings::StoreSettings,
};

/// After this long a copy that is not whole yet is one that a killed process left.
const UNFINISHED: Duration = Duration::from_secs(3600);

/// The folder.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    url: Url,
    keep: Duration,
    max_bytes: u64,
    /// One file at a time, so that the room made for one is not taken by another.
    turn: Mutex<()>,
}

/// A stored file as it lies there.
struct Entry {
    path: PathBuf,
    bytes: u64,
    since: SystemTime,
}

impl Folder {
    /// The folder that the operator has set up, if any. Touches nothing.
    pub(super) fn new(settings: &StoreSettings) -> Option<Self> {
        let (dir, url) = (settings.dir.clone()?, settings.url.clone()?);
        Some(Self { dir, url, keep: settings.keep, max_bytes: settings.max_bytes, turn: Mutex::default() })
    }

    /// Where people find it.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Whether files can be put there.
    ///
    /// # Errors
    /// `internal`, naming the setting, when the folder cannot be written to.
    pub(super) fn check(&self) -> Result<()> {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.dir)
            .map(drop)
            .map_err(|error| Error::internal(format!("cannot write to STORE_DIR ({}): {error}", self.dir.display())))
    }

    /// What lies there now.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn contents(&self) -> io::Result<Contents> {
        let entries = entries(&self.dir)?;
        Ok(Contents { files: entries.len(), bytes: entries.iter().map(|entry| entry.bytes).sum() })
    }

    /// Copies a file there and says where people find it. Over the quota the oldest files go first.
    ///
    /// # Errors
    /// `internal` when it cannot be written.
    pub(super) async fn put(&self, file: &MediaFile) -> Result<Stored> {
        let name = name(&file.filename)?;
        let url = self.url.join(&name).map_err(|error| Error::internal(format!("STORE_URL: {error}")))?;
        let _turn = self.turn.lock().await;
        let (dir, source, size, max_bytes) = (self.dir.clone(), file.path.clone(), file.size, self.max_bytes);
        let copied = tokio::task::spawn_blocking(move || {
            let copy = directory::copy_beside(&source, &dir)?;
            // Whatever the bot's umask: the web server is somebody else.
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o644))?;
            make_room(&dir, size, max_bytes)?;
            Ok::<_, io::Error>(copy)
        });
        let wrong = |error: &dyn std::fmt::Display| {
            Error::internal(format!("cannot write to STORE_DIR ({}): {error}", self.dir.display()))
        };
        let copy = copied.await.map_err(|error| wrong(&error))?.map_err(|error| wrong(&error))?;
        // Whoever stops waiting before this leaves nothing behind.
        copy.persist(self.dir.join(&name)).map_err(|error| wrong(&error))?;
        tracing::info!(bytes = size, hours = self.keep.as_secs() / 3600, "a file went to the store");
        Ok(Stored { url, kept: self.keep })
    }

    /// Takes away what has had its time. Returns how many.
    pub(super) async fn sweep(&self) -> Result<usize> {
        let (dir, keep) = (self.dir.clone(), self.keep);
        let swept = tokio::task::spawn_blocking(move || sweep(&dir, keep, SystemTime::now()));
        let wrong = |error: &dyn std::fmt::Display| Error::internal(format!("STORE_DIR cannot be tidied: {error}"));
        swept.await.map_err(|error| wrong(&error))?.map_err(|error| wrong(&error))
    }
}

/// The stored files, the oldest first.
fn entries(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        // One that somebody has taken away meanwhile is no fault.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() && entry.file_name().to_str().is_some_and(is_ours) {
            entries.push(Entry { path: entry.path(), bytes: metadata.len(), since: metadata.modified()? });
        }
    }
    entries.sort_by_key(|entry| entry.since);
    Ok(entries)
}

/// Takes the oldest files away until `size` more bytes are within the quota.
fn make_room(dir: &Path, size: u64, max_bytes: u64) -> io::Result<()> {
    let entries = entries(dir)?;
    let mut held: u64 = entries.iter().map(|entry| entry.bytes).sum();
    for Entry { path, bytes, .. } in entries {
        if held.saturating_add(size) <= max_bytes {
            break;
        }
        remove(&path)?;
        held -= bytes;
        tracing::info!(bytes, "a file left the store before its time: STORE_MAX_MB");
    }
    Ok(())
}

/// Takes away the files that are older than `keep`, and copies that never became whole. Returns how many.
fn sweep(dir: &Path, keep: Duration, now: SystemTime) -> io::Result<usize> {
    // A clock that was set back makes files young, never old.
    let age = |since: SystemTime| now.duration_since(since).unwrap_or_default();
    let mut removed = 0;
    for entry in entries(dir)?.iter().filter(|entry| age(entry.since) > keep) {
        remove(&entry.path)?;
        removed += 1;
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let unfinished = entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY));
        if unfinished && entry.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|at| age(at) > UNFINISHED)
        {
            remove(&entry.path())?;
        }
    }
    Ok(removed)
}

/// Removes a file that may have been removed by somebody else.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ROUND, Store},
        *,
    };
    use crate::model::FileType;

    fn store(dir: &Path, max_bytes: u64) -> Store {
        let settings = StoreSettings {
            dir: Some(dir.to_owned()),
            url: Some(Url::parse("https://media.example/files/").unwrap()),
            keep: Duration::from_secs(24 * 3600),
            max_bytes,
        };
        Store::new(&settings, None).unwrap()
    }

    fn file(dir: &Path, name: &str, bytes: usize) -> MediaFile {
        let path = dir.join("source");
        fs::write(&path, vec![7; bytes]).unwrap();
        MediaFile {
            filename: name.into(),
            path,
            file_type: FileType::Video,
            mimetype: "video/mp4".into(),
            size: bytes as u64,
            checksum: String::new(),
            alt_text: None,
            item: 0,
        }
    }

    /// A file of this age in the store.
    fn aged(dir: &Path, name: &str, bytes: usize, age: Duration) -> PathBuf {
        let path = dir.join(name);
        fs::write(&path, vec![7; bytes]).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        path
    }

    fn ours(number: u32) -> String {
        format!("{number:032x}-clip.mp4")
    }

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_stored_file_is_whole_readable_and_under_a_name_that_nobody_guesses() {
        let (work, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = store(dir.path(), 1 << 20);
        store.check().await.unwrap();
        let mut names = Vec::new();
        for _ in 0..2 {
            let stored = store.put(&file(work.path(), "Ann's <cat>/ä.mp4", 1000)).await.unwrap();
            assert_eq!(stored.kept, 24 * HOUR);
            let name = stored.url.as_str().strip_prefix("https://media.example/files/").unwrap().to_owned();
            let (secret, own) = name.split_once('-').unwrap();
            assert_eq!((secret.len(), own), (32, "Ann_s__cat___.mp4"));
            let metadata = fs::metadata(dir.path().join(&name)).unwrap();
            assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (1000, 0o644));
            names.push(secret.to_owned());
        }
        assert_ne!(names[0], names[1]);
        assert_eq!(store.contents().await.unwrap(), Contents { files: 2, bytes: 2000 });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing else lies there");
    }

    #[tokio::test]
    async fn over_the_quota_the_oldest_go_first_and_what_is_not_ours_stays() {
        let (work, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let others = aged(dir.path(), "index.html", 5000, 90 * HOUR);
        let [oldest, older, young] = [3, 2, 1].map(|hours| aged(dir.path(), &ours(hours), 300, hours * HOUR));
        let store = store(dir.path(), 1000);
        store.put(&file(work.path(), "a.mp4", 300)).await.unwrap();
        assert!(!oldest.exists() && older.exists() && young.exists() && others.exists());
        assert_eq!(store.contents().await.unwrap(), Contents { files: 3, bytes: 900 });
        let refused = store.put(&file(work.path(), "b.mp4", 1001)).await.unwrap_err();
        assert_eq!(refused.code(), "cannot_fit");
        assert!(older.exists(), "nothing goes for what could never be kept");
        let other = MediaFile { file_type: FileType::Other, ..file(work.path(), "c.mp4", 10) };
        assert_eq!(store.put(&other).await.unwrap_err().code(), "cannot_fit");
    }

    #[test]
    fn files_go_when_their_hours_are_over_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let keep = 24 * HOUR;
        let due = aged(dir.path(), &ours(1), 10, keep + HOUR);
        let not_due = aged(dir.path(), &ours(2), 10, keep - HOUR);
        let others = aged(dir.path(), "clip.mp4", 10, 100 * keep);
        let left_by_a_killed_process = aged(dir.path(), ".boss-bot-x.part", 10, 2 * HOUR);
        let under_way = aged(dir.path(), ".boss-bot-y.part", 10, Duration::ZERO);
        assert_eq!(sweep(dir.path(), keep, SystemTime::now()).unwrap(), 1);
        assert!(!due.exists() && not_due.exists() && others.exists());
        assert!(!left_by_a_killed_process.exists() && under_way.exists());
        let before = SystemTime::now() - 1000 * HOUR;
        assert_eq!(sweep(dir.path(), keep, before).unwrap(), 0, "a clock set back takes nothing away");
    }

    #[tokio::test(start_paused = true)]
    async fn tidying_goes_on_every_hour_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path(), 1000);
        for round in 0..3 {
            let due = aged(dir.path(), &ours(round), 10, 25 * HOUR);
            // The first round is at once, the second an hour later.
            let gone = async {
                while due.exists() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
                let another = aged(dir.path(), &ours(round), 10, 25 * HOUR);
                while another.exists() {
                    tokio::time::sleep(Duration::from_secs(60)).await;
                }
            };
            let began = tokio::time::Instant::now();
            tokio::select! {
                () = store.tidy() => unreachable!("it never ends by itself"),
                () = gone => {}
            }
            assert!(began.elapsed() >= ROUND && began.elapsed() < 2 * ROUND, "{:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_to_is_named() {
        let gone = store(Path::new("/nowhere/media"), 10);
        assert!(gone.check().await.unwrap_err().operator_text().contains("STORE_DIR (/nowhere/media)"));
        assert!(Store::new(&StoreSettings::default(), None).is_none(), "off unless it is set up");
    }
}
