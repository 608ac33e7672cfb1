//! Artifacts in files.
//!
//! ```text
//! DOWNLOAD_DIR/.artifacts/
//!   objects/<sha256>     a content, once, whatever it is called and however many posts hold it
//!   notes/<key>.json     what a request brought, and when (its time of change)
//! ```
//!
//! Contents go in and come out as hard links: nothing is copied, and a job keeps what it has taken out whatever is thrown
//! away here meanwhile. What is handed out is read first and compared with its checksum.
//!
//! Everything here blocks.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};

use super::Kept;
use crate::model::MediaFile;

/// A content that no note names belongs to a note that is being written, or to a process that was killed.
const UNNAMED: Duration = Duration::from_secs(600);
/// Notes are small; anything larger is none.
const MAX_NOTE: u64 = 4 << 20;
/// How file systems say that they have no links, or no more of them.
const UNLINKABLE: [io::ErrorKind; 4] = [
    io::ErrorKind::Unsupported,
    io::ErrorKind::CrossesDevices,
    io::ErrorKind::TooManyLinks,
    io::ErrorKind::PermissionDenied,
];
/// Bytes of a file that are in memory at a time.
const WINDOW: usize = 256 * 1024;

/// What is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// Requests.
    pub requests: usize,
    /// Files.
    pub files: usize,
    /// Bytes, all files together.
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

    /// Puts the files of a request into `dir`. `None`: there is no such request, it is too old, or a file is not what it was;
    /// then it is forgotten.
    pub(super) fn take(&self, key: &str, dir: &Path, now: SystemTime) -> io::Result<Option<Kept>> {
        let path = self.note(key);
        let since = match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            about => about?.modified()?,
        };
        let mut kept = read(&path).filter(|_| now.duration_since(since).is_ok_and(|age| age <= self.keep));
        if let Some(kept) = &mut kept {
            for (index, file) in kept.files.iter_mut().enumerate() {
                let extension = Path::new(&file.filename).extension().unwrap_or_default();
                file.path = dir.join(format!("{index:03}")).with_extension(extension);
                if !self.hand_out(file)? {
                    tracing::warn!(object = %file.checksum, "a kept file is not what it was: forgotten");
                    remove(&self.objects().join(&file.checksum))?;
                    remove(&path)?;
                    return Ok(None);
                }
            }
            // However often it is asked for, its age counts from when it was loaded: posts are edited and deleted.
            return Ok(Some(kept.clone()));
        }
        remove(&path)?;
        Ok(None)
    }

    /// Links one content to where it is wanted. False: it is gone, or it has changed.
    fn hand_out(&self, file: &MediaFile) -> io::Result<bool> {
        match link(&self.objects().join(&file.checksum), &file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            linked => linked?,
        }
        let intact = file.path.metadata()?.len() == file.size && checksum(&file.path)? == file.checksum;
        if !intact {
            remove(&file.path)?;
        }
        Ok(intact)
    }

    /// Keeps the files of a request, as they are now.
    pub(super) fn keep(&self, key: &str, mut kept: Kept) -> io::Result<()> {
        let (objects, notes) = (self.objects(), self.notes());
        for dir in [&objects, &notes] {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        for file in &mut kept.files {
            if !is_checksum(&file.checksum) {
                return Err(io::Error::other("a file without a checksum"));
            }
            match link(&file.path, &objects.join(&file.checksum)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                linked => linked?,
            }
            file.path = PathBuf::new();
        }
        if let Some(metadata) = &mut kept.metadata {
            metadata.files = Vec::new();
            // Nothing is loaded by them any more, and they may be signed.
            metadata.drop_addresses();
        }
        let mut note = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(&notes)?;
        note.write_all(&serde_json::to_vec(&kept)?)?;
        note.persist(self.note(key)).map_err(|failed| failed.error)?;
        Ok(())
    }

    /// Throws away what is too old, the oldest of what is too much, and contents that no note names.
    pub(super) fn tidy(&self, now: SystemTime) -> io::Result<()> {
        let mut notes = listed(&self.notes())?;
        notes.sort_by_key(|(_, about)| std::cmp::Reverse(about.modified().unwrap_or(SystemTime::UNIX_EPOCH)));
        let (mut named, mut bytes) = (HashSet::new(), 0_u64);
        for (path, about) in notes {
            let age = now.duration_since(about.modified()?).unwrap_or_default();
            let is_note = path.extension().is_some_and(|extension| extension == "json");
            let kept = (age <= self.keep && is_note).then(|| read(&path)).flatten();
            let more = |kept: &Kept| -> u64 {
                kept.files.iter().filter(|file| !named.contains(&file.checksum)).map(|file| file.size).sum()
            };
            match kept {
                Some(kept) if bytes.saturating_add(more(&kept)) <= self.max_bytes => {
                    bytes += more(&kept);
                    named.extend(kept.files.into_iter().map(|file| file.checksum));
                }
                // One that is being written has another name until it is whole.
                None if !is_note && age < UNNAMED => {}
                _ => remove(&path)?,
            }
        }
        let since = |about: &fs::Metadata| {
            let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(about.ctime().unsigned_abs());
            now.duration_since(changed).unwrap_or_default()
        };
        for (path, about) in listed(&self.objects())? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !named.contains(&name) && since(&about) >= UNNAMED {
                remove(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn contents(&self) -> io::Result<Contents> {
        let objects = listed(&self.objects())?;
        Ok(Contents {
            requests: listed(&self.notes())?.len(),
            files: objects.len(),
            bytes: objects.iter().map(|(_, about)| about.len()).sum(),
        })
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// A note, if it is one.
fn read(path: &Path) -> Option<Kept> {
    if path.metadata().ok()?.len() > MAX_NOTE {
        return None;
    }
    let kept: Kept = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    kept.files.iter().all(|file| is_checksum(&file.checksum)).then_some(kept)
}

/// A checksum names a file, so it must be nothing else.
fn is_checksum(text: &str) -> bool {
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
            self.shelf.keep(key, Kept { files: vec![file], ..Kept::default() }).unwrap();
            fs::remove_file(self.dir.path().join(name)).unwrap();
        }

        fn take(&self, key: &str, now: SystemTime) -> Option<Vec<Vec<u8>>> {
            let out = tempfile::tempdir_in(self.dir.path()).unwrap();
            let kept = self.shelf.take(key, out.path(), now).unwrap()?;
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
        room.shelf.clear().unwrap();
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
    fn the_oldest_goes_first_when_it_is_too_much_and_nothing_unnamed_stays() {
        let room = Room::new(10);
        let now = SystemTime::now();
        for (age, key) in [(3, "old"), (2, "middle"), (1, "new")] {
            room.keep(key, "x.mp4", format!("{key:5}").as_bytes());
            let note = File::options().write(true).open(room.shelf.note(key)).unwrap();
            note.set_modified(now - Duration::from_secs(age)).unwrap();
        }
        fs::write(room.shelf.objects().join("0".repeat(64)), "left by a killed process").unwrap();
        room.shelf.tidy(now + UNNAMED * 2).unwrap();
        assert_eq!(room.objects(), 2);
        assert_eq!(room.take("old", now), None);
        assert_eq!(room.take("new", now), Some(vec![b"new  ".to_vec()]));
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
