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

/// Downloads.
pub struct Fetcher {
    /// The guarded client.
    pub client: Client,
    /// Bytes one file may have.
    pub max_file_bytes: u64,
}

impl Fetcher {
    /// Loads every item of `metadata` into `dir`; the files come back one an item, in order. Nothing half-loaded stays
    /// behind under a final name.
    pub async fn download(
        &self,
        _metadata: &MediaMetadata,
        _options: &Options,
        _limit: Option<UploadLimit>,
        _media: &Media,
        _dir: &Path,
        _progress: &Progress,
        _cancel: &CancellationToken,
    ) -> Result<Vec<PathBuf>> {
        todo!()
    }
}
