//! What a file is, and how to make it fit and play inline: ffprobe and ffmpeg in the sandbox, pictures in process.

use std::{path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;

use crate::{
    model::{MediaFile, Result},
    settings::Compression,
    tools::Tools,
};

/// Probing and fitting. Cheap to share behind an `Arc`.
pub struct Media {
    // private
}

/// What a file must become.
#[derive(Debug, Clone, Copy)]
pub struct FitTarget {
    /// Bytes it may have at the most. `None`: only made to play inline.
    pub max_bytes: Option<u64>,
    /// Sound only.
    pub audio_only: bool,
}

impl Media {
    /// Shares the encoder slots (`COMPRESSION_MAX_CONCURRENT`) among all jobs.
    pub fn new(_settings: Compression, _tools: Arc<Tools>) -> Self {
        todo!()
    }

    /// Describes a file from its content: type by magic bytes, size, SHA-256. `name` becomes its safe file name (the
    /// extension follows the content).
    pub async fn describe(&self, _path: &Path, _name: &str, _item: usize) -> Result<MediaFile> {
        todo!()
    }

    /// Joins a picture and a sound file without re-encoding.
    pub async fn mux(&self, _video: &Path, _audio: &Path, _out: &Path, _cancel: &CancellationToken) -> Result<()> {
        todo!()
    }

    /// What fitting would do, in words, without doing it: "copy", "remux", "encode to 9.9 MB at 720p" or the reason it cannot.
    pub async fn feasibility(
        &self,
        _file: &MediaFile,
        _target: FitTarget,
        _cancel: &CancellationToken,
    ) -> Result<String> {
        todo!()
    }

    /// Makes a file that plays inline and has at most `target.max_bytes`. Returns the same file when it does already;
    /// otherwise a new one in `dir`. `on_fraction` hears 0.0 to 1.0.
    ///
    /// # Errors
    /// `cannot_fit` with the reason; never a file over the limit.
    pub async fn fit(
        &self,
        _file: &MediaFile,
        _target: FitTarget,
        _dir: &Path,
        _on_fraction: &(dyn Fn(f32) + Send + Sync),
        _cancel: &CancellationToken,
    ) -> Result<MediaFile> {
        todo!()
    }
}
