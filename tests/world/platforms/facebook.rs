//! The model of Facebook.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Facebook {}

impl Facebook {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
