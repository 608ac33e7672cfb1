//! One request from link to delivery: order, limits, cancel.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{
    deliver::Sink,
    model::{Error, MediaMetadata, Outcome, ProgressReceiver, Request},
};

/// The runner of requests. Cheap to clone.
#[derive(Clone)]
pub struct Jobs {
    // private
}

/// A request under way.
pub struct Job {
    /// The request's id.
    pub id: String,
    /// How far it has come.
    pub progress: ProgressReceiver,
    /// Ends it.
    pub cancel: CancellationToken,
    /// What became of it. Never an error: a panic inside becomes an outcome with an `internal` error.
    pub outcome: tokio::task::JoinHandle<Outcome>,
}

/// What is going on, for `status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct JobsStatus {
    /// Requests at work.
    pub running: usize,
    /// Requests waiting for their turn.
    pub queued: usize,
    /// Requests that ended well since the start.
    pub succeeded: u64,
    /// Requests that failed since the start.
    pub failed: u64,
}

impl Jobs {
    /// Takes a request; its files go to `sink`.
    pub fn submit(&self, _request: Request, _sink: Arc<dyn Sink>) -> Job {
        todo!()
    }

    /// Looks at a link and loads nothing.
    pub async fn metadata(&self, _request: &Request, _cancel: &CancellationToken) -> Result<MediaMetadata, Error> {
        todo!()
    }

    /// What is going on.
    pub fn status(&self) -> JobsStatus {
        todo!()
    }

    /// Takes no more requests, cancels those under way and waits until they have cleaned up.
    pub async fn shut_down(&self) {
        todo!()
    }
}
