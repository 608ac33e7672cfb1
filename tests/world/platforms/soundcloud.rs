//! The model of Soundcloud.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Soundcloud {}

impl Soundcloud {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
