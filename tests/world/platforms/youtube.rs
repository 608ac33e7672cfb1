//! YouTube.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct YouTube {}
/// A video.
#[derive(Debug, Clone)]
pub struct YouTubeVideo {}
/// Why.
#[derive(Debug, Clone)]
pub enum Playability {}
impl YouTube {
    /// Answers.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
