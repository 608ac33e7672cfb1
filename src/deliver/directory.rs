//! Files into a directory: the command line's sink, and the bot's for files that stay on the server.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::{Delivered, Part, SendError, Sink};
use crate::model::{Error, MediaFile, UploadLimit};

/// How the names of copies begin that are not whole yet.
pub(super) const TEMPORARY: &str = ".boss-bot-";

/// How many numbered names are tried before giving up.
const MAX_NAMES: u32 = 10_000;

/// Puts files into one directory under their own names. Existing files are never overwritten: the new one gets a
/// number. A file appears whole or not at all.
#[derive(Debug, Clone)]
pub struct DirectorySink {
    dir: PathBuf,
    limit: Option<UploadLimit>,
    again: bool,
}

impl DirectorySink {
    /// Into `dir`, which is made when it is missing. `limit`: bytes a file may have, if the user wants that.
    pub fn new(dir: impl Into<PathBuf>, limit: Option<UploadLimit>) -> Self {
        Self { dir: dir.into(), limit, again: false }
    }

    /// For work that may be done again after a crash: a file that is there already, byte for byte, is not placed a second
    /// time under a number.
    pub fn again(self) -> Self {
        Self { again: true, ..self }
    }
}

#[async_trait]
impl Sink for DirectorySink {
    fn limit(&self) -> Option<UploadLimit> {
        self.limit
    }

    async fn send(&self, part: Part<'_>) -> Result<Delivered, SendError> {
        let (dir, again, files) = (self.dir.clone(), self.again, part.files.to_vec());
        let placed = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&dir)?;
            let put = |file: &MediaFile| {
                let known = if again { there(&dir, file)? } else { None };
                known.map_or_else(|| place(&dir, file), Ok)
            };
            files.iter().map(put).collect::<io::Result<Vec<_>>>()
        });
        match placed.await {
            Ok(Ok(paths)) => Ok(Delivered::Files(paths)),
            Ok(Err(error)) => Err(SendError::Failed(failure(&error))),
            Err(error) => Err(SendError::Failed(Error::internal(format!("placing files: {error}")))),
        }
    }
}

fn failure(error: &io::Error) -> Error {
    let failure = Error::io("cannot place a file", error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => failure.with_detail("I may not write into the target directory"),
        _ => failure,
    }
}

/// A whole copy of a file in `dir`, under a name that nobody looks at, until it is given another. Dropped, it is gone.
pub(super) fn copy_beside(file: &Path, dir: &Path) -> io::Result<tempfile::TempPath> {
    // As any new file: what the umask leaves of read and write for all.
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut copy =
        tempfile::Builder::new().prefix(TEMPORARY).suffix(".part").permissions(permissions).tempfile_in(dir)?;
    io::copy(&mut File::open(file)?, copy.as_file_mut())?;
    copy.as_file().sync_all()?;
    Ok(copy.into_temp_path())
}

/// Puts one file under the first free name, without ever showing half of it.
fn place(dir: &Path, file: &MediaFile) -> io::Result<PathBuf> {
    let name = safe_name(&file.filename);
    // On the same file system a hard link is atomic and refuses an existing name, and costs no copy.
    let copy = match free_name(dir, &name, |target| std::fs::hard_link(&file.path, target)) {
        Ok(path) => return Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
        Err(_) => copy_beside(&file.path, dir)?,
    };
    match free_name(dir, &name, |target| std::fs::hard_link(&copy, target)) {
        Ok(path) => Ok(path),
        // A file system without hard links: claim the name with an empty file, then move the whole one over it.
        Err(_) => {
            let path = free_name(dir, &name, |target| File::create_new(target).map(drop))?;
            copy.persist(&path).map_err(|error| error.error)?;
            Ok(path)
        }
    }
}

/// Where this very file is already, under the name that it would get or that name with a number.
fn there(dir: &Path, file: &MediaFile) -> io::Result<Option<PathBuf>> {
    for name in names(&safe_name(&file.filename)) {
        let path = dir.join(name);
        match std::fs::symlink_metadata(&path) {
            Ok(known) if known.is_file() && known.len() == file.size && same(&path, &file.path)? => {
                return Ok(Some(path));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether two files have the same content.
fn same(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (BufReader::new(File::open(one)?), BufReader::new(File::open(other)?));
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let both = left.len().min(right.len());
        if both == 0 {
            return Ok(left.is_empty() && right.is_empty());
        }
        if left.get(..both) != right.get(..both) {
            return Ok(false);
        }
        one.consume(both);
        other.consume(both);
    }
}

/// `name`, `name (2)`, `name (3)` …
fn names(name: &str) -> impl Iterator<Item = String> {
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    (1..=MAX_NAMES).map(move |number| match number {
        1 => name.to_owned(),
        number => format!("{stem} ({number}){extension}"),
    })
}

/// Calls `claim` with `name`, `name (2)`, `name (3)` … until one is not taken.
fn free_name(dir: &Path, name: &str, claim: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
    for name in names(name) {
        let path = dir.join(name);
        match claim(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every numbered name is taken"))
}

/// The last part of the name: names are made safe where files are described; this only makes sure that none can leave
/// the directory or hide in it.
fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default().trim_start_matches('.').replace('\0', "");
    if last.is_empty() { "file".to_owned() } else { last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileType, MediaMetadata};

    fn file(dir: &Path, name: &str, content: &str) -> MediaFile {
        let path = dir.join(format!("{}.tmp", content.len()));
        std::fs::write(&path, content).unwrap();
        MediaFile {
            filename: name.into(),
            path,
            file_type: FileType::Other,
            mimetype: "text/plain".into(),
            size: content.len() as u64,
            checksum: String::new(),
            alt_text: None,
            item: 0,
        }
    }

    #[tokio::test]
    async fn files_keep_their_names_and_nothing_is_overwritten() {
        let (work, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = out.path().join("new/folder");
        let sink = DirectorySink::new(&target, None);
        let files = [file(work.path(), "cat.mp4", "one"), file(work.path(), "cat.mp4", "three")];
        let part = Part {
            request: "r",
            metadata: &MediaMetadata::default(),
            files: &files,
            note: "",
            pieces: &[],
            index: 0,
            of: 1,
        };
        let Delivered::Files(paths) = sink.send(part).await.unwrap() else { panic!("a directory tells paths") };
        assert_eq!(paths, [target.join("cat.mp4"), target.join("cat (2).mp4")]);
        assert_eq!(std::fs::read_to_string(&paths[0]).unwrap(), "one");
        assert_eq!(std::fs::read_to_string(&paths[1]).unwrap(), "three");
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 2, "no half files");
    }

    #[tokio::test]
    async fn no_name_leaves_the_directory() {
        let (work, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (name, expected) in
            [("../../etc/passwd", "passwd"), ("..", "file"), (".hidden", "hidden"), ("", "file (2)")]
        {
            let placed = place(out.path(), &file(work.path(), name, "x")).unwrap();
            assert_eq!(placed, out.path().join(expected));
        }
    }

    #[tokio::test]
    async fn a_missing_source_is_a_failure_not_an_endless_search() {
        let out = tempfile::tempdir().unwrap();
        let mut gone = file(out.path(), "a", "x");
        gone.path = out.path().join("nowhere");
        assert_eq!(place(out.path(), &gone).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn what_is_there_byte_for_byte_is_placed_once_where_work_may_be_done_again() {
        let (work, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = [file(work.path(), "cat.mp4", "one"), file(work.path(), "cat.mp4", "three")];
        std::fs::write(out.path().join("cat.mp4"), "two").unwrap();
        for _ in 0..2 {
            let sink = DirectorySink::new(out.path(), None).again();
            let metadata = MediaMetadata::default();
            let part =
                Part { request: "r", metadata: &metadata, files: &files, note: "", pieces: &[], index: 0, of: 1 };
            let Delivered::Files(paths) = sink.send(part).await.unwrap() else { panic!("a directory tells paths") };
            assert_eq!(paths, [out.path().join("cat (2).mp4"), out.path().join("cat (3).mp4")]);
        }
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 3);
        assert_eq!(std::fs::read_to_string(out.path().join("cat.mp4")).unwrap(), "two");
    }
}
