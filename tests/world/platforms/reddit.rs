//! Reddit.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Reddit {}
/// A post.
#[derive(Debug, Clone)]
pub struct RedditPost {}
impl Reddit {
    /// Answers.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
