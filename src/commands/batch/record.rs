//! What a folder's batches have finished, so that the next run leaves it out.
//!
//! The record lies beside the files it is about, not in the job store: a batch needs no database and no bot, the folder may
//! be moved or deleted with its record, and whether something is finished is for the files to say: what was removed or
//! changed in length is loaded again.
//!
//! It is a log of one JSON object a line, added to and brought to the disk when a link is done. A line is the whole change: what a crash
//! tears off is the last line, which is then no JSON and counts as not written. Rewriting a whole file for each of thousands
//! of links would cost their square. A crash between placing files and writing the line loads them again;
//! [`crate::deliver::DirectorySink::again`] then finds them there and places nothing twice.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Seek, SeekFrom, Write},
    path::{Component, Path, PathBuf},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Its name in the folder of the files.
pub(super) const NAME: &str = ".boss-bot-batch.jsonl";

/// Bytes of a line that are believed to be one: far more than any has.
const MOST_OF_LINE: u64 = 1024 * 1024;

/// A file that a link has become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Its name in the folder.
    pub name: PathBuf,
    /// Its bytes.
    pub size: u64,
}

/// A line.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// [`super::list::Entry::key`].
    key: String,
    /// For people who read the record: the link without anything that may be secret.
    link: String,
    finished_at: DateTime<Utc>,
    files: Vec<Kept>,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// Somebody else writes to it.
    #[error("another batch is at work in {}: wait for its end, or give this one another folder", .0.display())]
    Busy(PathBuf),
    /// It cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// The record, or its folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// What was finished in a folder.
#[derive(Debug)]
pub(super) struct Record {
    dir: PathBuf,
    done: HashMap<String, Vec<Kept>>,
    /// Locked. `None`: it is only looked at.
    file: Option<File>,
}

impl Record {
    /// Opens the record of a folder, which is made when it is missing, for this process alone.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub(super) fn open(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(NAME);
        let failed = |error| RecordError::File { path: path.clone(), error };
        fs::create_dir_all(dir).map_err(|error| RecordError::File { path: dir.to_owned(), error })?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RecordError::Busy(dir.to_owned()),
            TryLockError::Error(error) => failed(error),
        })?;
        let (done, whole) = read(&file).map_err(failed)?;
        if !whole {
            // What a crash tore off must not swallow the next line.
            file.write_all(b"\n").map_err(failed)?;
        }
        Ok(Self { dir: dir.to_owned(), done, file: Some(file) })
    }

    /// Looks at the record of a folder and leaves everything as it is.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub(super) fn look(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(NAME);
        let done = match File::open(&path).and_then(|file| read(&file)) {
            Ok((done, _)) => done,
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => return Err(RecordError::File { path, error }),
        };
        Ok(Self { dir: dir.to_owned(), done, file: None })
    }

    /// The files of a link that is finished: all of them are still there, as long as they were.
    pub(super) fn finished(&self, key: &str) -> Option<&[Kept]> {
        let there = |kept: &Kept| {
            // A record that somebody else has written leads nowhere else.
            let plain = kept.name.components().all(|part| matches!(part, Component::Normal(_)));
            plain
                && fs::metadata(self.dir.join(&kept.name))
                    .is_ok_and(|known| known.is_file() && known.len() == kept.size)
        };
        let files = self.done.get(key)?;
        (!files.is_empty() && files.iter().all(there)).then_some(files)
    }

    /// Writes down that a link is finished. Comes back when that is on the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn add(&mut self, key: &str, link: &str, files: &[Kept]) -> Result<(), RecordError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line =
            Line { key: key.to_owned(), link: link.to_owned(), finished_at: Utc::now(), files: files.to_owned() };
        let written = serde_json::to_string(&line).map_err(io::Error::from).and_then(|text| {
            file.write_all(format!("{text}\n").as_bytes())?;
            file.sync_data()
        });
        written.map_err(|error| RecordError::File { path: self.dir.join(NAME), error })?;
        self.done.insert(line.key, line.files);
        Ok(())
    }
}

/// What the lines say; the later one about a link holds. Also whether the last one is whole.
fn read(file: &File) -> io::Result<(HashMap<String, Vec<Kept>>, bool)> {
    let (mut done, mut line, mut whole) = (HashMap::new(), Vec::new(), true);
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(0))?;
    loop {
        line.clear();
        if io::Read::take(&mut reader, MOST_OF_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok((done, whole));
        }
        whole = line.last() == Some(&b'\n');
        if let Ok(Line { key, files, .. }) = serde_json::from_slice(&line) {
            done.insert(key, files);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(dir: &Path, name: &str, content: &str) -> Kept {
        fs::write(dir.join(name), content).unwrap();
        Kept { name: name.into(), size: content.len() as u64 }
    }

    #[test]
    fn what_is_finished_is_known_the_next_time_as_long_as_its_files_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let mut record = Record::open(&out).unwrap();
        let files = [kept(&out, "a.mp4", "one"), kept(&out, "b.mp4", "three")];
        record.add("k1", "x.com/a/status/1", &files).unwrap();
        record.add("k2", "x.com/a/status/2", &files[..1]).unwrap();
        drop(record);
        let record = Record::open(&out).unwrap();
        assert_eq!(record.finished("k1"), Some(&files[..]));
        assert_eq!(record.finished("k3"), None);
        fs::write(out.join("b.mp4"), "changed").unwrap();
        assert_eq!(record.finished("k1"), None, "of another length");
        assert!(record.finished("k2").is_some(), "what is about other files stays");
        fs::remove_file(out.join("a.mp4")).unwrap();
        assert_eq!(record.finished("k2"), None, "gone");
    }

    #[test]
    fn a_line_that_a_crash_tore_is_as_if_it_had_not_been_written() {
        let dir = tempfile::tempdir().unwrap();
        let files = [kept(dir.path(), "a.mp4", "one")];
        let mut record = Record::open(dir.path()).unwrap();
        record.add("k1", "l", &files).unwrap();
        record.add("k2", "l", &files).unwrap();
        drop(record);
        let path = dir.path().join(NAME);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 20]).unwrap();
        let mut record = Record::open(dir.path()).unwrap();
        assert!(record.finished("k1").is_some() && record.finished("k2").is_none());
        record.add("k3", "l", &files).unwrap();
        drop(record);
        let record = Record::look(dir.path()).unwrap();
        assert!(record.finished("k1").is_some() && record.finished("k3").is_some());
    }

    #[test]
    fn two_batches_in_one_folder_are_refused_and_looking_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        assert!(Record::look(&out).unwrap().finished("k").is_none());
        assert!(!out.exists());
        let _first = Record::open(&out).unwrap();
        assert!(matches!(Record::open(&out), Err(RecordError::Busy(_))));
        Record::look(&out).unwrap();
    }

    #[test]
    fn a_record_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        kept(dir.path(), "a.mp4", "one");
        let mut record = Record::open(&out).unwrap();
        let outside = Kept { name: "../a.mp4".into(), size: 3 };
        record.add("k", "l", &[outside]).unwrap();
        assert_eq!(record.finished("k"), None);
    }
}
