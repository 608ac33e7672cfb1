//! Downloads what an extractor found: picks renditions, loads them, muxes sound and picture when they come apart.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::{
    media::Media,
    model::{Item, MediaMetadata, Options, Progress, Rendition, Result, UploadLimit},
    net::Client,
};

/// The renditions to load for one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The picture, or the whole.
    pub main: Rendition,
    /// The sound, when it comes apart.
    pub audio: Option<Rendition>,
}

/// Picks what to load for an item: the best that the wish allows, and among those that need not be encoded the best
/// that fits the limit. Pure.
pub fn select(_item: &Item, _options: &Options, _limit: Option<UploadLimit>) -> Option<Selection> {
    todo!()
}

/// One download: everything a post holds.
#[derive(Clone, Copy)]
pub struct Download<'a> {
    /// What to load.
    pub metadata: &'a MediaMetadata,
    /// What is wanted of it.
    pub options: &'a Options,
    /// An upload limit to prefer renditions under.
    pub limit: Option<UploadLimit>,
    /// Joins sound and picture.
    pub media: &'a Media,
    /// An empty folder of the job's own.
    pub dir: &'a Path,
    /// Where to report.
    pub progress: &'a Progress,
    /// Ends it.
    pub cancel: &'a CancellationToken,
}

/// Downloads.
pub struct Fetcher {
    // private
}

impl Fetcher {
    /// `max_file_bytes`: bytes one file may have.
    pub fn new(_client: Client, _max_file_bytes: u64) -> Self {
        todo!()
    }

    /// Loads every item into `dir`; the files come back one an item, in order. Nothing half-loaded stays behind under a
    /// final name.
    pub async fn download(&self, _download: Download<'_>) -> Result<Vec<PathBuf>> {
        todo!()
    }
}
