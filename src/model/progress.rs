//! How far a request has come. The newest state replaces the one before: whoever shows it decides how often to look.

use tokio::sync::watch;

/// Where a request stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Phase {
    /// Waiting for its turn, with this many ahead of it.
    Queued {
        /// Requests ahead of this one.
        ahead: usize,
    },
    /// Asking the platform what the link holds.
    #[default]
    Resolving,
    /// Waiting before the next try.
    Waiting {
        /// Whole seconds, begun ones counted.
        seconds: u64,
    },
    /// Loading.
    Downloading {
        /// Bytes so far, over all files.
        done: u64,
        /// Bytes in all, if known.
        total: Option<u64>,
    },
    /// Making file `file` of `of` fit (counted from 1).
    Compressing {
        /// Which file, counted from 1.
        file: usize,
        /// Of how many.
        of: usize,
        /// 0.0 to 1.0.
        fraction: f32,
    },
    /// Sending message `part` of `of` (counted from 1).
    Uploading {
        /// Which message, counted from 1.
        part: usize,
        /// Of how many.
        of: usize,
    },
    /// Ended, well or not: see the outcome.
    Done,
}

/// The sending half: cheap to clone, never blocks, never fails.
#[derive(Debug, Clone)]
pub struct Progress(watch::Sender<Phase>);

/// The receiving half.
pub type ProgressReceiver = watch::Receiver<Phase>;

impl Progress {
    /// A fresh pair.
    pub fn new() -> (Self, ProgressReceiver) {
        let (sender, receiver) = watch::channel(Phase::default());
        (Self(sender), receiver)
    }

    /// One that nobody looks at.
    pub fn ignored() -> Self {
        Self::new().0
    }

    /// States where the request stands now.
    pub fn set(&self, phase: Phase) {
        self.0.send_replace(phase);
    }
}
