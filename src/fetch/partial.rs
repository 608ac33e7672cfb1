//! Half-loaded files that outlive a killed process.
//!
//! ```text
//! DOWNLOAD_DIR/.partial/
//!   <id>.part      the bytes so far, locked by the process that loads them
//!   <id>.json      what of it is there, and of which version of which file
//! ```
//!
//! A file is known by what was asked for and by its format, not by its address: addresses are signed anew each time. Every
//! clean end removes both; only a killed process leaves them, and the next one that loads the same file goes on with them
//! if the server still has the same version.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    part::{Part, Shared},
    ranges::Ranges,
};

/// The folder's name below `DOWNLOAD_DIR`.
const FOLDER: &str = ".partial";

/// Half-loaded files older than this are removed at the start: addresses and files have changed by then.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// Bytes that all half-loaded files together may keep over a start; the oldest go first.
const MOST_BYTES: u64 = 2 << 30;

/// Between two notes of what is there.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// A note is never larger.
const MOST_NOTED: u64 = 1 << 20;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// `key`: the resource's; `item`: its place in the post; `file`: which file of the item; `format`: the platform's name
    /// of the format.
    pub(super) fn new(key: &str, item: usize, file: &str, format: Option<&str>) -> Self {
        Self(format!("{key} {item} {file} {}", format.unwrap_or_default()))
    }

    /// A name for the disk: keys are long and hold signs that file names can't.
    fn id(&self) -> String {
        let mut id = hex::encode(Sha256::digest(self.0.as_bytes()));
        id.truncate(32);
        id
    }
}

/// The version of a file, as its server tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// Bytes in all.
    pub(super) total: u64,
    /// A strong `ETag`, or `Last-Modified`.
    pub(super) validator: Option<String>,
    pub(super) content_type: Option<String>,
}

/// What stands in the file beside a half-loaded one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Journal {
    name: String,
    version: Version,
    /// After the machine itself has crashed nobody knows which writes reached the disk.
    boot: Option<String>,
    done: Ranges,
}

/// The half-loaded files below one download folder.
#[derive(Debug, Clone)]
pub(super) struct Partials {
    dir: PathBuf,
}

/// The right to one half-loaded file.
pub(super) struct Claimed {
    /// `None` once it has become a part.
    held: Option<(Record, File)>,
    /// What an earlier process left.
    found: Option<(Version, Ranges)>,
}

impl Partials {
    pub(super) fn below(downloads: &Path) -> Self {
        Self { dir: downloads.join(FOLDER) }
    }

    /// Takes the right to a file's half-loaded state; `None` if another job has it, or the disk is not ours to write to.
    pub(super) fn claim(&self, name: &Name) -> Option<Claimed> {
        let open = || -> io::Result<Option<Claimed>> {
            fs::create_dir_all(&self.dir)?;
            let record = Record { dir: self.dir.clone(), id: name.id(), name: name.0.clone(), notes: Mutex::default() };
            let path = record.part_path();
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
            // Whoever had it may have removed it between our opening and locking.
            let same = || Some(fs::metadata(&path).ok()?.ino() == file.metadata().ok()?.ino());
            if file.try_lock().is_err() || same() != Some(true) {
                return Ok(None);
            }
            let found = record.read(&file);
            Ok(Some(Claimed { held: Some((record, file)), found }))
        };
        open().unwrap_or_else(|error| {
            tracing::warn!(%error, "a download goes on without a place for its half-loaded file");
            None
        })
    }

    /// Removes what is too old, unreadable or too much. What a living process works on stays.
    pub(super) fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut kept = Vec::new();
        let now = SystemTime::now();
        let recent = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age < OLDEST);
        for path in entries.flatten().map(|entry| entry.path()) {
            let noted = fs::metadata(path.with_extension("json")).and_then(|note| note.modified());
            if path.extension().is_some_and(|extension| extension == "part") {
                let Ok(file) = File::open(&path) else { continue };
                if file.try_lock().is_err() {
                    continue;
                }
                match noted {
                    Ok(time) if recent(time) => kept.push((time, path, file.metadata().map_or(0, |data| data.len()))),
                    _ => remove(&path),
                }
            } else if !path.with_extension("part").exists() || path.extension().is_some_and(|end| end == "new") {
                let _ = fs::remove_file(&path);
            }
        }
        kept.sort_by_key(|(time, ..)| std::cmp::Reverse(*time));
        let mut bytes = 0_u64;
        for (_, path, length) in kept {
            bytes = bytes.saturating_add(length);
            if bytes > MOST_BYTES {
                remove(&path);
            }
        }
    }
}

/// Removes a half-loaded file and its note.
fn remove(part: &Path) {
    tracing::info!(file = %part.display(), "removing a half-loaded file of an earlier run");
    let _ = fs::remove_file(part.with_extension("json"));
    let _ = fs::remove_file(part);
}

impl Claimed {
    /// What an earlier process left: of which version, and what of it.
    pub(super) fn found(&self) -> Option<&(Version, Ranges)> {
        self.found.as_ref()
    }

    /// The part to load into. What was found counts only if it is of this very version.
    pub(super) fn part(mut self, version: &Version) -> io::Result<Part> {
        let Some((record, file)) = self.held.take() else { return Err(io::Error::other("a part taken twice")) };
        let done = match self.found.take() {
            Some((found, done)) if found == *version => done,
            _ => {
                record.close();
                file.set_len(0)?;
                Ranges::default()
            }
        };
        *record.notes.lock().unwrap_or_else(PoisonError::into_inner) =
            Notes { version: Some(version.clone()), noted: done.bytes(), last: None };
        Part::recorded(record, file, done, version.total)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if let Some((record, _file)) = &self.held {
            let _ = fs::remove_file(record.part_path());
            record.close();
        }
    }
}

/// Where a half-loaded file and its note are.
pub(super) struct Record {
    dir: PathBuf,
    id: String,
    name: String,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// `None`: nothing is to be noted (any more).
    version: Option<Version>,
    noted: u64,
    last: Option<Instant>,
}

impl Record {
    pub(super) fn part_path(&self) -> PathBuf {
        self.dir.join(format!("{}.part", self.id))
    }

    fn note_path(&self) -> PathBuf {
        self.dir.join(format!("{}.json", self.id))
    }

    /// What an earlier process noted, if it makes sense.
    fn read(&self, part: &File) -> Option<(Version, Ranges)> {
        let mut text = String::new();
        File::open(self.note_path()).ok()?.take(MOST_NOTED).read_to_string(&mut text).ok()?;
        let journal: Journal = serde_json::from_str(&text).ok()?;
        let whole = part.metadata().ok()?.len() == journal.version.total;
        let same = journal.name == self.name && journal.boot == boot();
        let done = journal.done.checked(journal.version.total)?;
        (whole && same && !done.is_empty()).then_some((journal.version, done))
    }

    /// Writes down what is there, at most once a second and only if it is more.
    pub(super) fn note(self: &Arc<Self>, shared: &Arc<Shared>) {
        let now = Instant::now();
        {
            let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            if notes.version.is_none()
                || notes.last.is_some_and(|last| now.duration_since(last) < NOTE_EVERY)
                || shared.done().bytes() == notes.noted
            {
                return;
            }
            notes.last = Some(now);
        }
        let (record, shared) = (self.clone(), shared.clone());
        tokio::task::spawn_blocking(move || {
            // Locked while it writes, so that nothing is written after the end.
            let mut notes = record.notes.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(version) = notes.version.clone() else { return };
            let done = shared.done();
            let bytes = done.bytes();
            let journal = Journal { name: record.name.clone(), version, boot: boot(), done };
            match record.write(&journal) {
                Ok(()) => {
                    tracing::debug!(bytes, "noted what of a file is there");
                    notes.noted = bytes;
                }
                Err(error) => tracing::debug!(%error, "cannot note what of a file is there"),
            }
        });
    }

    fn write(&self, journal: &Journal) -> io::Result<()> {
        let new = self.dir.join(format!("{}.new", self.id));
        fs::write(&new, serde_json::to_vec(journal)?)?;
        fs::rename(&new, self.note_path())
    }

    /// Nothing is noted from now on, and what was is forgotten.
    pub(super) fn close(&self) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.version = None;
        let _ = fs::remove_file(self.note_path());
    }
}

/// Which start of the machine this is, where it can be told.
fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// Removes half-loaded files below `downloads` that are too old, unreadable or too much. For the start of a process.
pub fn sweep(downloads: &Path) {
    Partials::below(downloads).sweep();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn version(validator: &str) -> Version {
        Version { total: 1000, validator: Some(validator.into()), content_type: Some("video/mp4".into()) }
    }

    /// Leaves a half-loaded file as a killed process does.
    async fn leave(partials: &Partials, name: &Name, validator: &str) {
        let claimed = partials.claim(name).unwrap();
        let part = claimed.part(&version(validator)).unwrap();
        let mut writer = super::super::part::Writer::new(&part, 100);
        writer.push(bytes::Bytes::from(vec![7; 300])).await.unwrap();
        writer.finish().await.unwrap();
        part.note();
        let note = partials.dir.join(format!("{}.json", name.id()));
        while !note.exists() {
            tokio::task::yield_now().await;
        }
        // Nothing runs when a process is killed; the lock goes with it.
        let file = part.shared.clone();
        std::mem::forget(part);
        file.unlock_for_test();
    }

    fn left(partials: &Partials) -> usize {
        fs::read_dir(&partials.dir).unwrap().count()
    }

    #[tokio::test]
    async fn what_a_killed_process_left_is_found_for_the_same_version_only() {
        let dir = tempfile::tempdir().unwrap();
        let partials = Partials::below(dir.path());
        let name = Name::new("direct:file:x", 0, "main", Some("hd"));
        for (validator, found) in [("v1", true), ("v2", false)] {
            leave(&partials, &name, "v1").await;
            let claimed = partials.claim(&name).unwrap();
            assert_eq!(claimed.found().unwrap().0, version("v1"));
            let part = claimed.part(&version(validator)).unwrap();
            assert_eq!(part.shared.done().bytes(), if found { 300 } else { 0 });
            drop(part);
            assert_eq!(left(&partials), 0, "a clean end leaves nothing");
        }
    }

    #[tokio::test]
    async fn a_file_that_another_job_loads_is_not_shared() {
        let dir = tempfile::tempdir().unwrap();
        let partials = Partials::below(dir.path());
        let name = Name::new("direct:file:x", 0, "main", None);
        let first = partials.claim(&name).unwrap();
        assert!(partials.claim(&name).is_none());
        assert!(partials.claim(&Name::new("direct:file:x", 1, "main", None)).is_some());
        drop(first);
        assert!(partials.claim(&name).unwrap().found().is_none());
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_not_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let partials = Partials::below(dir.path());
        let name = Name::new("x:post:1", 0, "main", None);
        let note = partials.dir.join(format!("{}.json", name.id()));
        let spoil: [&dyn Fn(); 5] = [
            &|| fs::write(&note, "{}").unwrap(),
            &|| fs::remove_file(&note).unwrap(),
            &|| {
                let text = fs::read_to_string(&note).unwrap();
                fs::write(&note, text.replace("[[100,400]]", "[[100,4000]]")).unwrap();
            },
            &|| {
                let text = fs::read_to_string(&note).unwrap();
                fs::write(&note, text.replace("x:post:1", "x:post:2")).unwrap();
            },
            &|| File::options().write(true).open(note.with_extension("part")).unwrap().set_len(999).unwrap(),
        ];
        for (index, spoil) in spoil.into_iter().enumerate() {
            leave(&partials, &name, "v1").await;
            spoil();
            let claimed = partials.claim(&name).unwrap();
            assert!(claimed.found().is_none(), "{index}");
            drop(claimed);
        }
    }

    #[tokio::test]
    async fn the_start_removes_what_is_old_or_odd_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let partials = Partials::below(dir.path());
        let name = |number: usize| Name::new("x:post:1", number, "main", None);
        let path = |number: usize, end: &str| partials.dir.join(format!("{}.{end}", name(number).id()));
        for number in 0..3 {
            leave(&partials, &name(number), "v1").await;
        }
        let old = SystemTime::now() - Duration::from_secs(25 * 3600);
        File::options().write(true).open(path(0, "json")).unwrap().set_modified(old).unwrap();
        fs::remove_file(path(1, "json")).unwrap();
        fs::write(partials.dir.join("odd.json"), "{}").unwrap();
        fs::write(path(2, "new"), "{}").unwrap();
        let at_work = partials.claim(&name(3)).unwrap();
        partials.sweep();
        assert!(!path(0, "part").exists() && !path(0, "json").exists(), "old");
        assert!(!path(1, "part").exists(), "without a note");
        assert!(path(2, "part").exists() && path(2, "json").exists());
        assert!(path(3, "part").exists(), "at work");
        assert_eq!(left(&partials), 3);
        drop(at_work);

        // Too much: the newest stays.
        let length = MOST_BYTES * 2 / 3;
        for (number, age) in [(4, 10), (5, 20)] {
            fs::write(path(number, "json"), "{}").unwrap();
            let note = File::options().write(true).open(path(number, "json")).unwrap();
            note.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            File::create(path(number, "part")).unwrap().set_len(length).unwrap();
        }
        partials.sweep();
        assert!(path(4, "part").exists() && !path(5, "part").exists());
        let byte = &mut [0];
        File::open(path(2, "part")).unwrap().read_exact_at(byte, 399).unwrap();
    }
}
