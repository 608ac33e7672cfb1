//! The model of Imgur.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Imgur {}

impl Imgur {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
