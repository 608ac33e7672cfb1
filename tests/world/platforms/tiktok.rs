//! The model of Tiktok.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Tiktok {}

impl Tiktok {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
