//! What is written down while a delivery goes on, so that it can be taken up again where it was left.
//!
//! Every message is noted three times: once it is there without its files, before the files are put on it, and when they
//! are on it. Putting files on a message that is there can be repeated without harm, so whatever moment a process dies in,
//! the next one knows which pieces are there and on which message to put the others.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::model::Result;

/// What is told apart when a delivery is taken up again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// A file.
    File {
        /// The item of the post it was made of, counted from 0.
        item: usize,
        /// Which of the files made of that item, counted from 0.
        ordinal: usize,
        /// Its SHA-256 in hexadecimal digits.
        sha256: String,
    },
    /// A text below a caption, such as a link to what was too large.
    Note {
        /// Which of the delivery's texts, counted from 0.
        ordinal: usize,
    },
}

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is there, without files.
    Reserved,
    /// Its files are about to be put on it, or are on it already.
    Sending,
    /// Its files are on it.
    Sent,
}

/// A message of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its channel.
    pub channel: u64,
    /// Its id.
    pub message: u64,
}

/// One line of the journal. A later one about the same message replaces the earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which message of the delivery, counted from 0.
    pub number: usize,
    /// How far it has come.
    pub stage: Stage,
    /// Where it is, as far as known.
    pub place: Option<Place>,
    /// What it carries, or shall.
    pub pieces: Vec<Piece>,
}

/// Where the lines go.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Whether the delivery is still ours, as far as is known without asking. What is not may not even change a text.
    fn is_ours(&self) -> bool;

    /// Makes sure that it is, where that is in doubt.
    ///
    /// # Errors
    /// As [`Journal::note`].
    async fn confirm(&self) -> Result<()>;

    /// Writes a line down. Comes back when it is safe.
    ///
    /// # Errors
    /// `cancelled` when the delivery is another one's by now: then nothing more may be said or sent.
    async fn note(&self, entry: Entry) -> Result<()>;

    /// Writes down where the conversation is, which has changed.
    ///
    /// # Errors
    /// As [`Journal::note`].
    async fn readdress(&self, address: serde_json::Value) -> Result<()>;
}

/// What an earlier run of the same request has delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Already {
    /// Messages that carry their files.
    pub messages: usize,
    /// Links to them.
    pub places: Vec<String>,
    /// Item and ordinal of the files on them.
    files: BTreeSet<(usize, usize)>,
    /// How many of the texts have been told.
    notes: usize,
}

impl Already {
    /// Counts a message and what is on it.
    pub fn add(&mut self, link: String, pieces: &[Piece]) {
        self.messages += 1;
        self.places.push(link);
        for piece in pieces {
            match piece {
                Piece::File { item, ordinal, .. } => drop(self.files.insert((*item, *ordinal))),
                Piece::Note { ordinal } => self.notes = self.notes.max(ordinal + 1),
            }
        }
    }

    /// Whether this file is there.
    pub fn has(&self, item: usize, ordinal: usize) -> bool {
        self.files.contains(&(item, ordinal))
    }

    /// How many texts are there.
    pub fn notes(&self) -> usize {
        self.notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_known_by_item_and_ordinal() {
        let mut already = Already::default();
        let file = |item, ordinal| Piece::File { item, ordinal, sha256: String::new() };
        already.add("a".into(), &[file(0, 0), file(1, 0), Piece::Note { ordinal: 0 }]);
        already.add("b".into(), &[file(1, 1)]);
        assert!(already.has(0, 0) && already.has(1, 1) && !already.has(0, 1) && !already.has(2, 0));
        assert_eq!((already.messages, already.notes()), (2, 1));
    }
}
