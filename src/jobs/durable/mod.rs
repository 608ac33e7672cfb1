//! Durable jobs: what was asked for stands in the database before anything is done about it, and whoever is alive works
//! on it. A crash, a restart or a second process loses nothing and delivers nothing twice.
//!
//! ```text
//! command ──► store (queued) ◄──claim── worker ──► Jobs::submit ──► the work of one request
//!                    ▲                    │ │
//!                    └──── page: heartbeat, journal of the delivery, end
//!                                         └──► host: where the files go, who is told what
//! ```
//!
//! - `worker`: claims what may run when a slot is free, one task a job, and gives back what a stop interrupts; `later`: which
//!   failures are tried again by themselves.
//! - `page`: one claimed job's row. Everything written to it carries the lease; whoever has lost that falls silent.
//! - `recorded`: a folder as a sink that remembers what it was given.
//!
//! What a job's files and words go to is the host's business (`discord/host.rs`).

mod later;
mod page;
mod recorded;
mod worker;

use std::sync::Arc;

use async_trait::async_trait;

pub use later::Later;
pub use recorded::Recorded;
pub use worker::{ATTEMPTS, Durable, Pace};

use super::store::{Claimed, Moment, PartRow, PartState, SentFile};
use crate::{
    deliver::{Entry, Journal, Piece, Place, Sink, Stage},
    model::{Error, Outcome, ProgressReceiver, Request, Result},
};

/// Whoever knows what a job's files and words go to.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// Takes up a claimed job, for the first time or where an earlier attempt was broken off.
    ///
    /// # Errors
    /// When nobody can be told anything, or the row makes no sense. A retryable one is tried again later.
    async fn take_up(&self, job: &Claimed, journal: Arc<dyn Journal>) -> Result<Taken>;
}

/// A job that was taken up.
pub struct Taken {
    /// What is to be done.
    pub request: Request,
    /// Where the files go.
    pub sink: Arc<dyn Sink>,
    /// Who is told how it goes.
    pub talk: Arc<dyn Talk>,
}

/// What is said while a job goes on and when it ends.
#[async_trait]
pub trait Talk: Send + Sync {
    /// Shows how far it has come until it has ended.
    async fn follow(&self, progress: ProgressReceiver);

    /// Says the last word, as far as the files don't speak for themselves.
    async fn say(&self, word: Word<'_>);
}

/// A last word.
#[derive(Debug, Clone, Copy)]
pub enum Word<'a> {
    /// It has ended, well or not.
    Ended(&'a Outcome),
    /// It failed in a way that passes, and is tried again then.
    Later {
        /// How it failed.
        error: &'a Error,
        /// When the next attempt may begin, in milliseconds since 1970.
        at: Moment,
    },
    /// The bot stops; it goes on after the restart, or at another bot.
    Paused,
    /// It was broken off too often.
    GivenUp,
}

/// The number in the database that stands for a text below a caption where otherwise the item of a file stands.
const NOTE: i32 = -1;

/// A journal's line as a row.
fn row(entry: &Entry) -> PartRow {
    let number = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let file = |piece: &Piece| match piece {
        Piece::File { item, ordinal, sha256 } => {
            SentFile { item: number(*item), ordinal: number(*ordinal), sha256: sha256.clone() }
        }
        Piece::Note { ordinal } => SentFile { item: NOTE, ordinal: number(*ordinal), sha256: String::new() },
    };
    PartRow {
        number: number(entry.number),
        state: match entry.stage {
            Stage::Reserved => PartState::Reserved,
            Stage::Sending => PartState::Sending,
            Stage::Sent => PartState::Sent,
        },
        message: entry.place.map(|place| place.message),
        channel: entry.place.map(|place| place.channel),
        files: entry.pieces.iter().map(file).collect(),
    }
}

/// A row as a journal's line.
pub fn entry(row: &PartRow) -> Entry {
    let number = |number: i32| usize::try_from(number).unwrap_or_default();
    let piece = |file: &SentFile| match file.item {
        NOTE => Piece::Note { ordinal: number(file.ordinal) },
        item => Piece::File { item: number(item), ordinal: number(file.ordinal), sha256: file.sha256.clone() },
    };
    Entry {
        number: number(row.number),
        stage: match row.state {
            PartState::Reserved => Stage::Reserved,
            PartState::Sending => Stage::Sending,
            PartState::Sent => Stage::Sent,
        },
        place: row.channel.zip(row.message).map(|(channel, message)| Place { channel, message }),
        pieces: row.files.iter().map(piece).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_journal_survives_the_database() {
        for (stage, place) in [
            (Stage::Reserved, Some(Place { channel: 1, message: 2 })),
            (Stage::Sending, None),
            (Stage::Sent, Some(Place { channel: u64::MAX, message: 3 })),
        ] {
            let pieces = vec![Piece::File { item: 3, ordinal: 1, sha256: "ab".into() }, Piece::Note { ordinal: 2 }];
            let before = Entry { number: 4, stage, place, pieces };
            assert_eq!(entry(&row(&before)), before);
        }
    }
}
