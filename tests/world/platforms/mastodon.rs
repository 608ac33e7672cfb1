//! The model of Mastodon.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Mastodon {}

impl Mastodon {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
