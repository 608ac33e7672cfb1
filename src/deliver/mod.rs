//! From finished files to where they belong: plans messages, and knows the sinks that send them.

use async_trait::async_trait;

use crate::model::{Error, MediaFile, MediaMetadata, UploadLimit};

/// How many files and bytes one message may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Files a message.
    pub max_files: usize,
    /// Bytes a message; a single larger file goes alone.
    pub batch_bytes: u64,
}

/// Splits files of these sizes into messages, order kept: ranges of indices. Pure.
pub fn plan(_sizes: &[u64], _limits: BatchLimits) -> Vec<std::ops::Range<usize>> {
    todo!()
}

/// One message's worth.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The request's id, for nonces.
    pub request: &'a str,
    /// What the post is (title, author, link), for the caption.
    pub metadata: &'a MediaMetadata,
    /// The files, in order.
    pub files: &'a [MediaFile],
    /// Which message, counted from 0.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

/// Why a part was not delivered.
#[derive(Debug)]
pub enum SendError {
    /// The place takes smaller files than thought. The sink has already learned it: ask [`Sink::limit`] again.
    TooLarge,
    /// Anything else.
    Failed(Error),
}

/// Where files are delivered.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The limit that holds there, as far as known. `None`: none.
    fn limit(&self) -> Option<UploadLimit>;

    /// Delivers one part and says where it is now (a link to a message, a path).
    async fn send(&self, part: Part<'_>) -> Result<String, SendError>;
}
