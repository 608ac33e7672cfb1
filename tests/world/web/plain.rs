//! Files, pages and redirects that a story placed itself.

use std::{collections::HashMap, sync::Mutex};

use super::{
    http::{Reply, Request},
    lock,
};

/// What was placed, by host and path.
#[derive(Default)]
pub(super) struct Plain {
    placed: Mutex<HashMap<(String, String), Reply>>,
}

impl Plain {
    /// Places a reply and returns its https link. A path may hold a query: then the query must match too.
    pub(super) fn put(&self, host: &str, path: &str, reply: Reply) -> String {
        lock(&self.placed).insert((host.to_ascii_lowercase(), path.to_owned()), reply);
        format!("https://{host}{path}")
    }

    pub(super) fn answer(&self, request: &Request) -> Option<Reply> {
        let placed = lock(&self.placed);
        let with_query = request.url.query().map(|query| format!("{}?{query}", request.path));
        with_query
            .and_then(|target| placed.get(&(request.host.clone(), target)))
            .or_else(|| placed.get(&(request.host.clone(), request.path.clone())))
            .cloned()
    }
}
