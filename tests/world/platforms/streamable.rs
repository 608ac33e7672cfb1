//! The model of Streamable.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Streamable {}

impl Streamable {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
