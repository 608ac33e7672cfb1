//! The log of what came through the proxy: what stories assert on, and wait for.

use std::{
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use hyper::HeaderMap;
use tokio::sync::watch;

use super::{http::Request, lock};

/// One request that arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When, by the wall clock.
    pub time: SystemTime,
    /// When, for measuring.
    pub at: Instant,
    /// `GET` …
    pub method: String,
    /// `https` or `http`.
    pub scheme: String,
    /// The host, in lower case.
    pub host: String,
    /// The port asked for.
    pub port: u16,
    /// The path, percent-encoded.
    pub path: String,
    /// The query without `?`, empty if there was none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The status answered; `None` while open, and for good if the connection was cut instead.
    pub status: Option<u16>,
    /// The fault it met.
    pub fault: Option<String>,
    /// Nothing placed here could answer it.
    pub unexpected: bool,
}

impl Seen {
    /// Path and query.
    pub fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// One line: `GET https://host/path?query → 200`.
    pub fn line(&self) -> String {
        let status = self.status.map_or("–".to_owned(), |status| status.to_string());
        format!("{} {}://{}{} → {status}", self.method, self.scheme, self.host, self.target())
    }
}

/// The log.
pub(super) struct Log {
    seen: Mutex<Vec<Seen>>,
    tunnels: Mutex<Vec<String>>,
    changed: watch::Sender<u64>,
}

impl Default for Log {
    fn default() -> Self {
        Self { seen: Mutex::default(), tunnels: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

/// Where an arrived request stands in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry(Instant, usize);

impl Log {
    pub(super) fn arrived(&self, request: &Request) -> Entry {
        let at = Instant::now();
        let seen = Seen {
            time: SystemTime::now(),
            at,
            method: request.method.to_string(),
            scheme: request.url.scheme().to_owned(),
            host: request.host.clone(),
            port: request.url.port_or_known_default().unwrap_or_default(),
            path: request.path.clone(),
            query: request.url.query().unwrap_or_default().to_owned(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            status: None,
            fault: None,
            unexpected: false,
        };
        let index = {
            let mut all = lock(&self.seen);
            all.push(seen);
            all.len() - 1
        };
        self.changed.send_modify(|count| *count += 1);
        Entry(at, index)
    }

    /// Completes an entry (unless the log was cleared meanwhile).
    pub(super) fn complete(&self, entry: Entry, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = lock(&self.seen).get_mut(entry.1).filter(|seen| seen.at == entry.0) {
            change(seen);
        }
        self.changed.send_modify(|count| *count += 1);
    }

    pub(super) fn tunnel(&self, target: &str) {
        lock(&self.tunnels).push(target.to_owned());
    }

    pub(super) fn tunnels(&self) -> Vec<String> {
        lock(&self.tunnels).clone()
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    pub(super) fn clear(&self) {
        lock(&self.seen).clear();
        lock(&self.tunnels).clear();
    }

    pub(super) async fn wait(&self, patience: Duration, matches: impl Fn(&Seen) -> bool) -> Seen {
        let mut changed = self.changed.subscribe();
        let found = tokio::time::timeout(patience, async {
            loop {
                changed.borrow_and_update();
                if let Some(seen) = lock(&self.seen).iter().find(|seen| matches(seen)) {
                    return seen.clone();
                }
                changed.changed().await.expect("the log lives");
            }
        });
        match found.await {
            Ok(seen) => seen,
            Err(_) => {
                let lines: Vec<String> = self.requests().iter().map(Seen::line).collect();
                panic!("the awaited request never came; these did:\n{}", lines.join("\n"))
            }
        }
    }
}
