//! What a file must become, and what became of it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{slots::Party, sound::Tags};
use crate::model::{FitWish, MediaFile, Options, Quality};

/// What a file must become.
#[derive(Debug, Clone, Default)]
pub struct FitTarget {
    /// Bytes it may have at the most. `None`: only made to play inline.
    pub max_bytes: Option<u64>,
    /// The best picture wanted.
    pub quality: Quality,
    /// Sound only.
    pub audio_only: bool,
    /// What else is wanted.
    pub wish: FitWish,
    /// What a sound file says about itself where it does not tell by itself.
    pub tags: Tags,
    /// Whose it is: encoder slots are shared fairly between parties.
    pub party: Party,
}

impl FitTarget {
    /// A file of at most this many bytes.
    pub fn at_most(max_bytes: impl Into<Option<u64>>) -> Self {
        Self { max_bytes: max_bytes.into(), ..Self::default() }
    }

    /// What `options` want, at a place that takes `limit` bytes.
    pub fn of(options: &Options, limit: Option<u64>) -> Self {
        let max_bytes = [limit, options.fit.max_bytes].into_iter().flatten().min();
        Self {
            max_bytes,
            quality: options.quality,
            audio_only: options.audio_only,
            wish: options.fit,
            ..Self::default()
        }
    }
}

/// How far a fit has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FitProgress {
    /// Waiting for an encoder, with this many ahead.
    Waiting {
        /// Files ahead of this one.
        ahead: usize,
    },
    /// At work: 0.0 to 1.0, never less than before.
    Working(f32),
}

/// What fitting gave.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The file; several in their order when it was split.
    pub files: Vec<MediaFile>,
    /// How it was done.
    pub report: FitReport,
}

/// How a file was made to fit, for JSON, logs and tables.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct FitReport {
    /// The way that worked: `keep`, `remux`, `copy_video`, `encode`, `audio`, `picture`, `gif` or `split`.
    pub path: &'static str,
    /// Encodes of the whole picture that were needed; copies count none.
    pub attempts: u32,
    /// x264 preset, or the name of the encoder where it was another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// How the bits were spent: `crf`, `2pass`, `vbr` by a hardware encoder; of pictures what they became: `jpeg`, `webp`,
    /// `webp lossless`, `stripped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// Width and height in pixels of the picture that was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<(u32, u32)>,
    /// JPEG or WebP quality of a picture that was made, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// Seconds that were spent on trying samples before the encode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_seconds: Option<f64>,
    /// Seconds of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_seconds: Option<f64>,
    /// What the person who asked should know: a damaged source, sound that was lost.
    pub warnings: Vec<String>,
}

/// A report that grows while the work goes on.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<FitReport>);

impl Notes {
    /// Writes something down.
    pub(super) fn with(&self, write: impl FnOnce(&mut FitReport)) {
        write(&mut self.lock());
    }

    /// A finished encode of the whole picture.
    pub(super) fn attempt(&self) {
        self.lock().attempts += 1;
    }

    /// Something that the person who asked should know.
    pub(super) fn warn(&self, text: impl Into<String>) {
        self.lock().warnings.push(text.into());
    }

    /// What was written.
    pub(super) fn report(&self) -> FitReport {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, FitReport> {
        // A poisoned lock only means that a writer panicked: what is written is still good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
