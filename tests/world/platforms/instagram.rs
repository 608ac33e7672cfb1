//! Instagram.

use super::{Reply, Request};

/// The model.
#[derive(Clone, Default)]
pub struct Instagram {}
/// A post.
#[derive(Debug, Clone)]
pub struct InstagramPost {}
/// An item.
#[derive(Debug, Clone)]
pub struct InstagramItem {}
impl Instagram {
    /// Answers.
    pub fn answer(&self, _request: &Request) -> Option<Reply> {
        None
    }
}
