//! Artifacts in files.
//!
//! ```text
//! DOWNLOAD_DIR/.artifacts/
//!   objects/<sha256>     a content, once, whatever it is called and however many posts hold it
//!   notes/<key>.json     what a request brought, and when (its time of change)
//!   lock                 held shared by whoever adds or takes, alone by whoever throws away
//! ```
//!
//! Contents go in and come out as hard links: nothing is copied, and a job keeps what it has taken out whatever is thrown
//! away here meanwhile. What is handed out is read first and compared with its checksum.
//!
//! A note is written last and under another name until it is whole. So whatever no note names while nobody adds anything was
//! left by a process that was killed, and goes at the next [`Shelf::tidy`].
//!
//! Everything here blocks.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use sha2::{Digest, Sha256};

use super::Kept;
use crate::model::MediaFile;

/// Notes are small; anything larger is none.
pub(super) const MAX_NOTE: usize = 4 << 20;
/// How file systems say that they have no links, or no more of them.
const UNLINKABLE: [io::ErrorKind; 4] = [
    io::ErrorKind::Unsupported,
    io::ErrorKind::CrossesDevices,
    io::ErrorKind::TooManyLinks,
    io::ErrorKind::PermissionDenied,
];
/// How long the lock is waited for: a process that is frozen may hold it, and nobody depends on what is kept.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks at the lock.
const LOOK: Duration = Duration::from_millis(5);
/// A note that is younger than now by less than this was written just now; clocks of files tick on their own.
const SLACK: Duration = Duration::from_secs(60);
/// Bytes of a file that are in memory at a time.
const WINDOW: usize = 256 * 1024;

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// Loads and fits that can be answered.
    pub answers: usize,
    /// Files.
    pub files: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// The folder.
pub(super) struct Shelf {
    dir: PathBuf,
    max_bytes: u64,
    keep: Duration,
}

impl Shelf {
    pub(super) fn new(dir: PathBuf, max_bytes: u64, keep: Duration) -> Self {
        Self { dir, max_bytes, keep }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    fn notes(&self) -> PathBuf {
        self.dir.join("notes")
    }

    fn note(&self, key: &str) -> PathBuf {
        self.notes().join(key).with_extension("json")
    }

    fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    pub(super) fn object(&self, file: &MediaFile) -> PathBuf {
        self.objects().join(&file.checksum)
    }

    /// Takes the lock, shared or alone. It is let go when the file is dropped, also by a kill.
    fn locked(&self, lock: impl Fn(&File) -> Result<(), TryLockError>) -> io::Result<File> {
        make(&self.dir)?;
        let file = File::options().write(true).create(true).truncate(false).open(self.dir.join("lock"))?;
        let begun = Instant::now();
        loop {
            match lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => return Err(io::Error::from(io::ErrorKind::WouldBlock)),
            }
        }
    }

    /// Puts the files of a request into a fresh folder in `dir`. `None`: there is no such request, it is too old, or a file is
    /// not what it was; then it is forgotten.
    pub(super) fn take(&self, key: &str, dir: &Path, now: SystemTime) -> io::Result<Option<Kept>> {
        let note = self.note(key);
        if !note.try_exists()? {
            return Ok(None);
        }
        let lock = self.locked(File::try_lock_shared)?;
        // However often it is asked for, its age counts from when it was loaded: posts are edited and deleted.
        let is_young = age(&note, now)?.is_some_and(|age| age <= self.keep);
        let Some(mut kept) = is_young.then(|| read(&note)).flatten() else {
            remove(&note)?;
            return Ok(None);
        };
        // Dropped with all that is in it, unless all is well.
        let folder = tempfile::Builder::new().prefix("kept-").tempdir_in(dir)?;
        for (index, file) in kept.files.iter_mut().enumerate() {
            let extension = Path::new(&file.filename).extension().unwrap_or_default();
            file.path = folder.path().join(format!("{index:03}")).with_extension(extension);
            match link(&self.object(file), &file.path) {
                // What is not there does not have the right content either.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        // What was linked stays, whatever is thrown away while it is read.
        drop(lock);
        let mut intact = true;
        for file in &kept.files {
            if !is_intact(file)? {
                tracing::warn!(object = %file.checksum, "a kept file is not what it was: forgotten");
                remove(&self.object(file))?;
                intact = false;
            }
        }
        if !intact {
            remove(&note)?;
            return Ok(None);
        }
        let _ = folder.keep();
        Ok(Some(kept))
    }

    /// Keeps the files of a request, as they are now. `since`: when they were loaded.
    pub(super) fn keep(&self, key: &str, kept: Kept, since: SystemTime) -> io::Result<()> {
        let (objects, notes) = (self.objects(), self.notes());
        let _lock = self.locked(File::try_lock_shared)?;
        make(&objects)?;
        make(&notes)?;
        for file in &kept.files {
            if !is_checksum(&file.checksum) {
                return Err(io::Error::other("a file without a checksum"));
            }
            match link(&file.path, &objects.join(&file.checksum)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => linked?,
            }
        }
        let text = serde_json::to_vec(&told(kept))?;
        if text.len() > MAX_NOTE {
            return Err(io::Error::other("what the post says is too long"));
        }
        let mut note = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(&notes)?;
        note.write_all(&text)?;
        note.as_file().set_modified(since)?;
        note.persist(self.note(key)).map_err(|failed| failed.error)?;
        Ok(())
    }

    /// Throws away what is too old, the oldest of what is too much, and what no note names. Tells how many files went.
    pub(super) fn tidy(&self, now: SystemTime) -> io::Result<usize> {
        if !self.dir.try_exists()? {
            return Ok(0);
        }
        let _lock = self.locked(File::try_lock)?;
        let mut notes = listed(&self.notes())?;
        notes.sort_by_key(|(_, about)| std::cmp::Reverse(about.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
        let (mut named, mut bytes, mut removed) = (HashSet::new(), 0_u64, 0);
        for (path, about) in notes {
            let is_young = age(&path, now)?.is_some_and(|age| age <= self.keep);
            let kept = (is_note(&path) && is_young).then(|| read(&path)).flatten();
            // One whose contents are not all there answers nothing.
            let kept = kept.filter(|kept| kept.files.iter().all(|file| self.object(file).is_file()));
            let new = |kept: &Kept| -> u64 {
                kept.files.iter().filter(|file| !named.contains(&file.checksum)).map(|file| file.size).sum()
            };
            match kept.map(|kept| (bytes.saturating_add(new(&kept)).saturating_add(about.len()), kept)) {
                Some((sum, kept)) if sum <= self.max_bytes => {
                    bytes = sum;
                    named.extend(kept.files.into_iter().map(|file| file.checksum));
                }
                _ => remove(&path)?,
            }
        }
        for (path, _) in listed(&self.objects())? {
            if !path.file_name().and_then(|name| name.to_str()).is_some_and(|name| named.contains(name)) {
                remove(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    pub(super) fn contents(&self) -> io::Result<Contents> {
        let objects = listed(&self.objects())?;
        Ok(Contents {
            answers: listed(&self.notes())?.iter().filter(|(path, _)| is_note(path)).count(),
            files: objects.len(),
            bytes: objects.iter().map(|(_, about)| about.len()).sum(),
        })
    }

    /// Throws everything away, and says what that was.
    pub(super) fn clear(&self) -> io::Result<Contents> {
        if !self.dir.try_exists()? {
            return Ok(Contents::default());
        }
        let _lock = self.locked(File::try_lock)?;
        let contents = self.contents()?;
        // Not the lock: somebody may be waiting for it.
        for dir in [self.notes(), self.objects()] {
            match fs::remove_dir_all(dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(contents)
    }
}

/// Makes a folder that is nobody else's business.
fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Whether it is a note by its name: one that was never finished has another.
fn is_note(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// How long ago a note was written. `None`: it is not there, or a clock was set back and nobody knows.
fn age(note: &Path, now: SystemTime) -> io::Result<Option<Duration>> {
    let about = match note.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        about => about?,
    };
    Ok(match now.duration_since(about.modified()?) {
        Ok(age) => Some(age),
        Err(later) => (later.duration() < SLACK).then_some(Duration::ZERO),
    })
}

/// A note, if it is one.
fn read(path: &Path) -> Option<Kept> {
    if path.metadata().ok()?.len() > MAX_NOTE as u64 {
        return None;
    }
    let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    kept.files.iter().all(|file| is_checksum(&file.checksum)).then_some(kept)
}

/// What is written down of it: no paths, which are this machine's, and no addresses, by which nothing is loaded any more and
/// which may be signed.
pub(super) fn told(mut kept: Kept) -> Kept {
    for file in &mut kept.files {
        file.path = PathBuf::new();
    }
    if let Some(metadata) = &mut kept.metadata {
        metadata.files = Vec::new();
        metadata.drop_addresses();
    }
    kept
}

/// A checksum names a file, so it must be nothing else.
pub(super) fn is_checksum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Makes `to` the same file as `from`; where the file system has no links, a copy.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if UNLINKABLE.contains(&error.kind()) => {
            let beside = to.parent().unwrap_or(Path::new("."));
            let mut copy = tempfile::Builder::new().tempfile_in(beside)?;
            io::copy(&mut File::open(from)?, copy.as_file_mut())?;
            copy.persist_noclobber(to).map(drop).map_err(|failed| failed.error)
        }
        linked => linked,
    }
}

/// Whether a file has the content that it shall have.
fn is_intact(file: &MediaFile) -> io::Result<bool> {
    match file.path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        about => Ok(about?.len() == file.size && checksum(&file.path)? == file.checksum),
    }
}

fn checksum(path: &Path) -> io::Result<String> {
    let mut file = io::BufReader::with_capacity(WINDOW, File::open(path)?);
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash)?;
    Ok(hex::encode(hash.finalize()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The files of a folder; none where there is no such folder.
fn listed(dir: &Path) -> io::Result<Vec<(PathBuf, fs::Metadata)>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry?;
        // Taken away meanwhile: somebody else tidies as well.
        if let Ok(about) = entry.metadata()
            && about.is_file()
        {
            all.push((entry.path(), about));
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileType;

    const DAY: Duration = Duration::from_secs(86_400);

    struct Room {
        dir: tempfile::TempDir,
        shelf: Shelf,
    }

    impl Room {
        fn new(max_bytes: u64) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let shelf = Shelf::new(dir.path().join("shelf"), max_bytes, DAY);
            Self { dir, shelf }
        }

        fn file(&self, name: &str, content: &[u8]) -> MediaFile {
            let path = self.dir.path().join(name);
            fs::write(&path, content).unwrap();
            MediaFile {
                filename: name.into(),
                path,
                file_type: FileType::Video,
                mimetype: "video/mp4".into(),
                size: content.len() as u64,
                checksum: hex::encode(Sha256::digest(content)),
                alt_text: None,
                item: 0,
            }
        }

        fn keep(&self, key: &str, name: &str, content: &[u8]) {
            let file = self.file(name, content);
            self.shelf.keep(key, Kept { files: vec![file], ..Kept::default() }, SystemTime::now()).unwrap();
            fs::remove_file(self.dir.path().join(name)).unwrap();
        }

        fn take(&self, key: &str, now: SystemTime) -> Option<Vec<Vec<u8>>> {
            let out = tempfile::tempdir_in(self.dir.path()).unwrap();
            let Some(kept) = self.shelf.take(key, out.path(), now).unwrap() else {
                assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "nothing of it is handed out");
                return None;
            };
            assert!(kept.files.iter().all(|file| file.path.extension().is_some_and(|extension| extension == "mp4")));
            Some(kept.files.iter().map(|file| fs::read(&file.path).unwrap()).collect())
        }

        fn objects(&self) -> usize {
            self.shelf.contents().unwrap().files
        }
    }

    #[test]
    fn what_was_kept_comes_back_until_its_time_is_over() {
        let room = Room::new(1000);
        let now = SystemTime::now();
        assert_eq!(room.take("a", now), None);
        room.keep("a", "one.mp4", b"one");
        assert_eq!(room.take("a", now), Some(vec![b"one".to_vec()]));
        assert_eq!(room.take("b", now), None);
        assert_eq!(room.take("a", now + DAY * 2), None);
        assert_eq!(room.take("a", now), None, "what is too old is forgotten");
    }

    #[test]
    fn one_content_is_kept_once_and_a_job_keeps_what_it_took() {
        let room = Room::new(1000);
        room.keep("a", "one.mp4", b"same");
        room.keep("b", "two.mp4", b"same");
        assert_eq!(room.objects(), 1);
        let out = tempfile::tempdir_in(room.dir.path()).unwrap();
        let kept = room.shelf.take("b", out.path(), SystemTime::now()).unwrap().unwrap();
        assert_eq!(kept.files[0].filename, "two.mp4");
        assert_eq!(room.shelf.clear().unwrap(), Contents { answers: 2, files: 1, bytes: 4 });
        assert_eq!(room.shelf.contents().unwrap(), Contents::default());
        assert_eq!(fs::read(&kept.files[0].path).unwrap(), b"same");
    }

    #[test]
    fn a_file_that_changed_is_never_handed_out() {
        let room = Room::new(1000);
        room.keep("a", "one.mp4", b"right");
        let object = listed(&room.shelf.objects()).unwrap().remove(0).0;
        fs::write(&object, b"wrong").unwrap();
        assert_eq!(room.take("a", SystemTime::now()), None);
        assert_eq!(room.objects(), 0);
        room.keep("a", "one.mp4", b"right");
        assert_eq!(room.take("a", SystemTime::now()), Some(vec![b"right".to_vec()]));
    }

    #[test]
    fn the_oldest_goes_first_when_it_is_too_much() {
        // The notes count, too.
        let content = 6;
        let probe = Room::new(1 << 20);
        probe.keep("new", "x.mp4", b"new   ");
        let note = probe.shelf.note("new").metadata().unwrap().len();
        let room = Room::new(2 * (note + content));
        let now = SystemTime::now();
        for (age, key) in [(3, "old"), (2, "middle"), (1, "new")] {
            room.keep(key, "x.mp4", format!("{key:6}").as_bytes());
            let note = File::options().write(true).open(room.shelf.note(key)).unwrap();
            note.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        room.shelf.tidy(now).unwrap();
        assert_eq!(room.objects(), 2);
        assert_eq!(room.take("old", now), None);
        assert_eq!(room.take("new", now), Some(vec![b"new   ".to_vec()]));
    }

    #[test]
    fn what_a_killed_process_left_goes_as_soon_as_nobody_adds_anything() {
        let room = Room::new(1000);
        room.keep("a", "one.mp4", b"one");
        fs::write(room.shelf.objects().join("0".repeat(64)), "linked, but never noted").unwrap();
        fs::write(room.shelf.notes().join(".tmpAbCdEf"), "{\"files\":[").unwrap();
        let adding = room.shelf.locked(File::try_lock_shared).unwrap();
        std::thread::scope(|scope| {
            let tidying = scope.spawn(|| room.shelf.tidy(SystemTime::now()).unwrap());
            for _ in 0..20 {
                room.keep("b", "two.mp4", b"two");
            }
            // Whoever adds has linked its contents and not written its note yet: those are not to go.
            assert_eq!(room.shelf.contents().unwrap(), Contents { answers: 2, files: 3, bytes: 29 });
            drop(adding);
            assert_eq!(tidying.join().unwrap(), 1);
        });
        assert_eq!(room.shelf.contents().unwrap(), Contents { answers: 2, files: 2, bytes: 6 });
        assert_eq!(listed(&room.shelf.notes()).unwrap().len(), 2);
        assert_eq!(room.take("b", SystemTime::now()), Some(vec![b"two".to_vec()]));
    }

    #[test]
    fn a_lock_that_is_never_given_back_costs_no_more_than_what_is_kept() {
        let room = Room::new(1000);
        room.keep("a", "one.mp4", b"one");
        let _frozen = room.shelf.locked(File::try_lock).unwrap();
        let taken = room.shelf.take("a", room.dir.path(), SystemTime::now());
        assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn notes_that_name_other_files_are_none() {
        let room = Room::new(1000);
        room.keep("a", "one.mp4", b"one");
        let note = fs::read_to_string(room.shelf.note("a")).unwrap();
        let (from, _) = note.split_once("\"checksum\":\"").unwrap();
        fs::write(room.shelf.note("a"), format!("{from}\"checksum\":\"../../secret\",\"item\":0}}]}}")).unwrap();
        assert_eq!(room.take("a", SystemTime::now()), None);
    }
}
