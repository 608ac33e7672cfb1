//! The model of Vk.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Vk {}

impl Vk {
    /// Answers what is asked of its hosts.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
