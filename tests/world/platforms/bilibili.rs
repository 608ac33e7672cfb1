//! The model of Bilibili.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Bilibili {}

impl Bilibili {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
