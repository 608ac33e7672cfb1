//! An archive: files sorted by platform and author, with what is known of their post beside them.
//!
//! ```text
//! <dir>/<platform>/<author>/<title>-<id>.mp4
//!                           <title>-<id>.info.json      everything that is known, without addresses to load from
//!                           <title>-<id>.description    the post's words
//!                           <title>-<id>.thumb.jpg      its preview
//! ```
//!
//! Files of a post without a title keep the names that they have anyway, which tell author and post. The names of the tools are
//! no part of the way: which of them has loaded a post, or whether it went without one, is chance.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use url::Url;

use super::{Delivered, DirectorySink, Part, SendError, Sink};
use crate::{
    media::folder_name,
    model::{MediaFile, MediaMetadata, Result, UploadLimit},
    net::{Client, check_status, read_body},
};

/// A preview that is larger than this is none.
const MAX_THUMBNAIL: usize = 8 << 20;
/// Characters of a title that stand in a name.
const MAX_TITLE: usize = 60;

/// Sorts files into folders. What is there already, byte for byte, is not placed a second time.
#[derive(Clone)]
pub struct ArchiveSink {
    dir: PathBuf,
    limit: Option<UploadLimit>,
    client: Client,
}

impl ArchiveSink {
    /// Into folders in `dir`. `limit`: bytes a file may have, if the user wants that. `client`: loads previews.
    pub fn new(dir: impl Into<PathBuf>, limit: Option<UploadLimit>, client: Client) -> Self {
        Self { dir: dir.into(), limit, client }
    }

    /// The preview picture and its extension. `None`: there is none, or it cannot be had, which is no reason to fail.
    async fn thumbnail(&self, metadata: &MediaMetadata) -> Option<(Vec<u8>, &'static str)> {
        let url = Url::parse(metadata.thumbnail.as_deref()?).ok()?;
        let loaded: Result<_> = async {
            let answer = check_status(self.client.send(self.client.get(&url)?).await?)?;
            read_body(answer, MAX_THUMBNAIL).await
        }
        .await;
        match loaded {
            Ok(bytes) => {
                let kind = infer::get(&bytes).filter(|kind| kind.matcher_type() == infer::MatcherType::Image)?;
                Some((bytes.into(), kind.extension()))
            }
            Err(error) => {
                tracing::debug!(reason = error.operator_text(), "a preview cannot be loaded");
                None
            }
        }
    }

    /// Writes what is known of the post beside its files.
    async fn describe(&self, metadata: &MediaMetadata, dir: PathBuf, base: String) -> io::Result<()> {
        let thumbnail = self.thumbnail(metadata).await;
        let mut known = metadata.clone();
        known.drop_addresses();
        // They are beside it, and where they were made is nobody's business.
        known.files.clear();
        let written = tokio::task::spawn_blocking(move || {
            write(&dir, &format!("{base}.info.json"), &serde_json::to_vec_pretty(&known)?)?;
            if let Some(words) = known.description.filter(|words| !words.is_empty()) {
                write(&dir, &format!("{base}.description"), words.as_bytes())?;
            }
            if let Some((picture, extension)) = thumbnail {
                write(&dir, &format!("{base}.thumb.{extension}"), &picture)?;
            }
            Ok(())
        });
        written.await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

#[async_trait]
impl Sink for ArchiveSink {
    fn limit(&self) -> Option<UploadLimit> {
        self.limit
    }

    async fn send(&self, part: Part<'_>) -> Result<Delivered, SendError> {
        let dir = folder(&self.dir, part.metadata);
        let files: Vec<MediaFile> = part.files.iter().map(|file| named(file, part.metadata)).collect();
        let placed = DirectorySink::new(&dir, None).again().send(Part { files: &files, ..part }).await?;
        if let (0, Some(first)) = (part.index, files.first()) {
            let base = base(part.metadata).unwrap_or_else(|| stem(&first.filename).to_owned());
            if let Err(error) = self.describe(part.metadata, dir, base).await {
                tracing::warn!(%error, "what is known of a post cannot be written beside its files");
            }
        }
        Ok(placed)
    }
}

/// The folder of a post.
fn folder(root: &Path, metadata: &MediaMetadata) -> PathBuf {
    let platform = root.join(folder_name(&metadata.platform));
    match metadata.author.as_ref().map(|author| author.handle.trim()).filter(|handle| !handle.is_empty()) {
        Some(author) => platform.join(folder_name(author)),
        None => platform,
    }
}

/// What the names of a post begin with. `None`: it has no title, or is a plain file, whose id is its address.
fn base(metadata: &MediaMetadata) -> Option<String> {
    if metadata.id.contains("://") {
        return None;
    }
    let title = metadata.title.as_deref().map(str::trim).filter(|title| !title.is_empty())?;
    let short: String = title.chars().take(MAX_TITLE).collect();
    Some(folder_name(&format!("{}-{}", short.trim_end(), metadata.id)))
}

/// The file under the name that it gets in the archive.
fn named(file: &MediaFile, metadata: &MediaMetadata) -> MediaFile {
    let Some(base) = base(metadata) else { return file.clone() };
    let extension = file.filename.rsplit_once('.').map(|(_, extension)| extension).unwrap_or_default();
    let number = if metadata.items.len() > 1 { format!("_{}", file.item + 1) } else { String::new() };
    let filename = if extension.is_empty() { format!("{base}{number}") } else { format!("{base}{number}.{extension}") };
    MediaFile { filename, ..file.clone() }
}

fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Writes a small file whole or not at all; what is known now takes the place of what was known before.
fn write(dir: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let prefix = super::directory::TEMPORARY;
    let mut file = tempfile::Builder::new().prefix(prefix).suffix(".part").permissions(permissions).tempfile_in(dir)?;
    file.write_all(content)?;
    file.persist(dir.join(name)).map(drop).map_err(|failed| failed.error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Author, FileType, Item};

    fn post(title: Option<&str>, author: Option<&str>, items: usize) -> MediaMetadata {
        MediaMetadata {
            platform: "youtube".into(),
            id: "abc".into(),
            title: title.map(str::to_owned),
            author: author.map(|handle| Author { handle: handle.into(), ..Author::default() }),
            items: vec![Item::new(FileType::Video, Vec::new()); items],
            ..MediaMetadata::default()
        }
    }

    fn file(name: &str, item: usize) -> MediaFile {
        MediaFile {
            filename: name.into(),
            path: PathBuf::new(),
            file_type: FileType::Video,
            mimetype: "video/mp4".into(),
            size: 1,
            checksum: String::new(),
            alt_text: None,
            item,
        }
    }

    #[test]
    fn files_lie_where_platform_author_and_title_say() {
        let root = Path::new("/a");
        let cat = post(Some("A cat / part 1"), Some("ann"), 1);
        assert_eq!(folder(root, &cat), Path::new("/a/youtube/ann"));
        assert_eq!(named(&file("x.mp4", 0), &cat).filename, "A cat _ part 1-abc.mp4");
        let several = post(Some("Cats"), None, 3);
        assert_eq!(folder(root, &several), Path::new("/a/youtube"));
        assert_eq!(named(&file("x.jpg", 2), &several).filename, "Cats-abc_3.jpg");
        assert_eq!(named(&file("ann_abc_2.jpg", 1), &post(None, Some("ann"), 3)).filename, "ann_abc_2.jpg");
        let plain = MediaMetadata { id: "https://files.example/x.mp4".into(), ..cat };
        assert_eq!(named(&file("x.mp4", 0), &plain).filename, "x.mp4");
    }

    #[test]
    fn no_name_leads_out_of_the_archive() {
        for author in ["..", ".", "../../etc", "/etc", "a/b", "a\\b", "\u{202e}x", "con", "  "] {
            let dir = folder(Path::new("/a"), &post(None, Some(author), 1));
            let inner = dir.strip_prefix("/a/youtube").unwrap();
            assert!(
                inner.components().all(|part| matches!(part, std::path::Component::Normal(_))),
                "{author}: {dir:?}"
            );
            assert!(inner.components().count() <= 1, "{author}: {dir:?}");
        }
        let long = "ä".repeat(500);
        let name = named(&file("x.mp4", 0), &post(Some(&long), None, 1)).filename;
        assert!(name.ends_with("-abc.mp4") && name.len() < 200, "{name}");
    }
}
