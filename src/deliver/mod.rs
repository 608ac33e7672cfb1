//! From finished files to where they belong: plans messages, and knows the sinks that send them.
//!
//! ```text
//! files ──plan──► parts ──Sink::send──► a directory or an archive (here) · a Discord channel (discord/)
//!   │                     ▲
//!   │      caption (title, author, words, link)
//!   │                     ▲
//!   └── too large ──► the operator's store, as links
//! ```
//!
//! What a place takes is the sink's to know ([`Sink::limit`]); making files fit it is `media/`'s.

mod archive;
mod caption;
mod directory;
mod journal;
mod store;

use std::path::PathBuf;

use async_trait::async_trait;

use crate::model::{Error, MediaFile, MediaMetadata, UploadLimit};

pub use archive::ArchiveSink;
pub use caption::{MAX_CAPTION, caption, caption_with, escape, notes, warned};
pub use directory::DirectorySink;
pub use journal::{Already, Entry, Journal, Piece, Place, Stage};
pub use store::{Contents, Store, Stored};

/// How many files and bytes one message may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Files a message.
    pub max_files: usize,
    /// Bytes a message; a single larger file goes alone.
    pub batch_bytes: u64,
}

/// Splits files of these sizes into messages, order kept: ranges of indices. Pure.
///
/// Greedy, which is optimal when the order must stay: a message takes files until the next one would be too many or too
/// much. A file that alone is more than `batch_bytes` gets a message of its own.
pub fn plan(sizes: &[u64], limits: BatchLimits) -> Vec<std::ops::Range<usize>> {
    let max_files = limits.max_files.max(1);
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0_u64);
    for (index, &size) in sizes.iter().enumerate() {
        let full = index - start >= max_files || bytes.saturating_add(size) > limits.batch_bytes;
        if full && index > start {
            parts.push(start..index);
            (start, bytes) = (index, 0);
        }
        bytes = bytes.saturating_add(size);
    }
    if start < sizes.len() {
        parts.push(start..sizes.len());
    }
    parts
}

/// One message's worth.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The request's id, for nonces.
    pub request: &'a str,
    /// What the post is (title, author, link), for the caption.
    pub metadata: &'a MediaMetadata,
    /// The files, in order. None when only `note` is left to be said.
    pub files: &'a [MediaFile],
    /// What stands below the caption, or alone where there is none: see [`notes`].
    pub note: &'a str,
    /// What it carries, as a [`Journal`] tells it apart.
    pub pieces: &'a [Piece],
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

/// Where a part is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// In a message with this link.
    Message(String),
    /// At these paths, one a file, in order.
    Files(Vec<PathBuf>),
}

/// Where files are delivered.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The limit that holds there, as far as known. `None`: none.
    fn limit(&self) -> Option<UploadLimit>;

    /// Whether people there read what stands below a caption: whether a link may stand for a file.
    fn takes_links(&self) -> bool {
        false
    }

    /// What an earlier run of the same request has delivered there.
    fn already(&self) -> Already {
        Already::default()
    }

    /// Delivers one part and says where it is now.
    async fn send(&self, part: Part<'_>) -> Result<Delivered, SendError>;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_are_filled_in_order() {
        // Sizes, files and bytes a message, and how many files each message gets.
        for (sizes, max_files, batch_bytes, expected) in [
            (&[][..], 10, 25, &[][..]),
            (&[5], 10, 25, &[1]),
            (&[5, 5, 5, 5], 10, 25, &[4]),
            (&[5, 5, 5, 5], 2, 25, &[2, 2]),
            (&[10, 10, 5, 1], 10, 25, &[3, 1]),
            (&[30, 1, 1], 10, 25, &[1, 2]),
            (&[1, 30, 1], 10, 25, &[1, 1, 1]),
            (&[25, 25], 10, 25, &[1, 1]),
            (&[0, 0, 0], 0, 0, &[1, 1, 1]),
            (&[u64::MAX, u64::MAX], 10, 25, &[1, 1]),
        ] {
            let lengths: Vec<_> =
                plan(sizes, BatchLimits { max_files, batch_bytes }).iter().map(ExactSizeIterator::len).collect();
            assert_eq!(lengths, expected, "{sizes:?} {max_files} {batch_bytes}");
        }
    }

    proptest! {
        #[test]
        fn every_file_goes_once_in_order_and_within_the_limits(
            sizes in proptest::collection::vec(0_u64..40, 0..60),
            max_files in 1_usize..12,
            batch_bytes in 0_u64..60,
        ) {
            let parts = plan(&sizes, BatchLimits { max_files, batch_bytes });
            let indices: Vec<usize> = parts.iter().cloned().flatten().collect();
            prop_assert_eq!(indices, (0..sizes.len()).collect::<Vec<_>>());
            for part in &parts {
                prop_assert!(!part.is_empty() && part.len() <= max_files);
                let bytes: u64 = sizes[part.clone()].iter().sum();
                prop_assert!(bytes <= batch_bytes || part.len() == 1, "{:?} is {} bytes", part, bytes);
            }
            // Nothing is split without need: the first file of each message would not have fitted the one before.
            for pair in parts.windows(2) {
                let bytes: u64 = sizes[pair[0].start..=pair[1].start].iter().sum();
                prop_assert!(pair[0].len() == max_files || bytes > batch_bytes);
            }
        }
    }
}
