//! The model of Vimeo.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Vimeo {}

impl Vimeo {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
