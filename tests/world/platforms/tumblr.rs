//! The model of Tumblr.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Tumblr {}

impl Tumblr {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
