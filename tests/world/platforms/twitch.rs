//! The model of Twitch.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Twitch {}

impl Twitch {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
