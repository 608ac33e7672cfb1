//! The model of Bluesky.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Bluesky {}

impl Bluesky {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
