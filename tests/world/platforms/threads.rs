//! The model of Threads.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Threads {}

impl Threads {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
