//! The model of Dailymotion.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Dailymotion {}

impl Dailymotion {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
