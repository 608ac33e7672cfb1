//! The model of Pinterest.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Pinterest {}

impl Pinterest {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
