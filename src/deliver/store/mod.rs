//! The operator's store, for files too large to be sent: the bot puts them there under names that nobody can guess, tells the
//! link, and takes them away when their time is over.
//!
//! - `folder`: a folder that a web server of the operator's serves (`STORE_DIR`).
//! - `links`: a bucket, with signed links that end by themselves (`S3_PUBLIC_URL`).

mod folder;
mod links;

use std::time::Duration;

use url::Url;

use crate::{
    model::{Error, FileType, Kind, MediaFile, Result},
    net::Bucket,
    settings::StoreSettings,
};
use folder::Folder;
use links::Links;

/// How often is looked for files whose time is over.
const ROUND: Duration = Duration::from_secs(3600);

/// Random bytes in a name: 128 bits cannot be guessed.
const SECRET_BYTES: usize = 16;

/// Characters of a file's own name that stay in its link.
const MAX_NAME: usize = 60;

/// A file in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where people find it.
    pub url: Url,
    /// How long it stays.
    pub kept: Duration,
}

/// What the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Files.
    pub files: usize,
    /// Bytes, all files together.
    pub bytes: u64,
}

/// The store.
#[derive(Debug)]
pub struct Store {
    place: Place,
    max_bytes: u64,
}

#[derive(Debug)]
enum Place {
    Folder(Folder),
    Links(Links),
}

impl Store {
    /// The store that the operator has set up, if any: the folder, or else a bucket that members reach. Touches nothing.
    pub fn new(settings: &StoreSettings, bucket: Option<&Bucket>) -> Option<Self> {
        let place = match Folder::new(settings) {
            Some(folder) => Place::Folder(folder),
            None => Place::Links(Links::new(bucket.filter(|bucket| bucket.has_links())?.clone(), settings)),
        };
        Some(Self { place, max_bytes: settings.max_bytes })
    }

    /// Whether files can be put there.
    ///
    /// # Errors
    /// `internal`, naming the setting, when they cannot; `network` or `timeout` when a bucket cannot be reached.
    pub async fn check(&self) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => folder.check(),
            Place::Links(links) => links.check().await,
        }
    }

    /// Where files go, in a word for the operator.
    pub fn name(&self) -> String {
        match &self.place {
            Place::Folder(folder) => folder.url().to_string(),
            Place::Links(_) => "signed links into the bucket".into(),
        }
    }

    /// What lies there now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn contents(&self) -> Result<Contents> {
        match &self.place {
            Place::Folder(folder) => Ok(folder.contents()?),
            Place::Links(links) => links.contents().await,
        }
    }

    /// Copies a file there and says where people find it. Over the quota the oldest files go first.
    ///
    /// # Errors
    /// `cannot_fit` when the file alone is more than the quota or no medium, `internal` when it cannot be written.
    pub async fn put(&self, file: &MediaFile) -> Result<Stored> {
        if file.file_type == FileType::Other {
            return Err(Error::new(Kind::CannotFit, "the store takes pictures, videos and sound only"));
        }
        if file.size > self.max_bytes {
            let text = format!("{} bytes are more than the store may hold (STORE_MAX_MB)", file.size);
            return Err(Error::new(Kind::CannotFit, text));
        }
        match &self.place {
            Place::Folder(folder) => folder.put(file).await,
            Place::Links(links) => links.put(file).await,
        }
    }

    /// Takes away what has had its time, now and every hour, for as long as it is awaited.
    pub async fn tidy(&self) {
        let mut rounds = tokio::time::interval(ROUND);
        loop {
            rounds.tick().await;
            let swept = match &self.place {
                Place::Folder(folder) => folder.sweep().await,
                Place::Links(links) => links.sweep().await,
            };
            match swept {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "files in the store have had their time"),
                Err(error) => tracing::warn!(reason = error.operator_text(), "the store cannot be tidied"),
            }
        }
    }
}

/// `<128 random bits>-<name>`, in letters that need no escaping in a link. The extension is one that no web server takes for
/// a page: names are made from a file's content, and this makes sure of it.
fn name(filename: &str) -> Result<String> {
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| Error::internal(format!("no random numbers: {error}")))?;
    let (stem, extension) = filename.rsplit_once('.').unwrap_or((filename, ""));
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    let stem: String = stem.chars().map(plain).take(MAX_NAME).collect();
    let known = !mime_is_page(extension) && (1..=5).contains(&extension.len());
    let extension = if known && extension.chars().all(|c| c.is_ascii_alphanumeric()) { extension } else { "bin" };
    Ok(format!("{}-{stem}.{extension}", hex::encode(secret)))
}

/// Whether browsers would run what is in a file of this extension.
fn mime_is_page(extension: &str) -> bool {
    let extension = extension.to_ascii_lowercase();
    ["htm", "html", "xhtml", "shtml", "xht", "svg", "svgz", "xml", "xsl", "js", "mjs", "php", "pdf"]
        .contains(&extension.as_str())
}

/// Whether a name is one of ours.
fn is_ours(name: &str) -> bool {
    let secret = name.split('-').next().unwrap_or_default();
    name.len() > secret.len() && secret.len() == 2 * SECRET_BYTES && secret.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_is_a_page_or_leaves_the_folder() {
        for (filename, expected) in [
            ("page.html", "page.bin"),
            ("drawing.SVG", "drawing.bin"),
            ("../../etc/passwd", "____.bin"),
            ("..", "_.bin"),
            ("a.tar.gz", "a_tar.gz"),
            ("x.m p", "x.bin"),
            ("", ".bin"),
        ] {
            let name = name(filename).unwrap();
            assert_eq!(name.split_once('-').unwrap().1, expected, "{filename}");
            assert!(is_ours(&name));
        }
        assert!(name(&format!("{}.mp4", "é".repeat(500))).unwrap().len() < 110);
    }
}
