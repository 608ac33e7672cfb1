//! The stand-in web: an upstream HTTP proxy that plays every host there is.
//!
//! Clients send it `CONNECT host:443` (TLS by the world's own authority) or absolute-form `http://…` requests. Each
//! request is logged, met by a fault if one was planted, and otherwise answered by the platform models and by the files,
//! pages and redirects that a story placed. What nobody placed is a 404 and shows up in [`Web::unexpected`].
//!
//! ```text
//! client ── CONNECT / absolute form ──► proxy (server.rs) ──► log ──► faults ──► platforms, plain files ──► files.rs
//! ```

mod downloads;
mod faults;
mod files;
mod http;
mod log;
mod plain;
mod server;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

pub use faults::{Fault, FaultKind, Faults};
pub use http::{Body, Reply, Request};
pub use log::Seen;
pub(super) use plain::{Plain, broadcast_part};

use super::{
    media::Media,
    platforms::{Instagram, Reddit, Sites, X, YouTube},
    tls::Authority,
};

/// How long the `wait_for…` functions wait before they fail the story with what they saw instead.
const PATIENCE: Duration = Duration::from_secs(30);

/// The stand-in web. Cheap to clone; it ends when the last clone is dropped.
#[derive(Clone)]
pub struct Web {
    world: Arc<World>,
    _server: Arc<server::Server>,
    address: SocketAddr,
}

/// What the server needs to answer.
pub(super) struct World {
    log: log::Log,
    faults: Faults,
    downloads: downloads::Downloads,
    plain: Plain,
    sites: Sites,
}

impl World {
    fn answer(&self, request: &Request) -> Option<Reply> {
        self.plain.answer(request).or_else(|| self.sites.answer(request))
    }
}

impl Web {
    /// Starts it on a free port of 127.0.0.1.
    pub async fn start(authority: &Authority) -> Self {
        let world = Arc::new(World {
            log: log::Log::default(),
            faults: Faults::default(),
            downloads: downloads::Downloads::default(),
            plain: Plain::default(),
            sites: Sites::default(),
        });
        let (server, address) = server::Server::start(authority, world.clone()).await;
        Self { world, _server: Arc::new(server), address }
    }

    /// Where the proxy listens: `http://127.0.0.1:port`.
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    // ---- what stands on it ----

    /// Every platform's model: `web.sites().bluesky`.
    pub fn sites(&self) -> &Sites {
        &self.world.sites
    }

    /// X / Twitter.
    pub fn x(&self) -> &X {
        &self.world.sites.x
    }

    /// Reddit.
    pub fn reddit(&self) -> &Reddit {
        &self.world.sites.reddit
    }

    /// YouTube.
    pub fn youtube(&self) -> &YouTube {
        &self.world.sites.youtube
    }

    /// Instagram.
    pub fn instagram(&self) -> &Instagram {
        &self.world.sites.instagram
    }

    /// Places a file; answers HEAD, ranges and conditional requests as a file server does. Returns its https link.
    pub fn file(&self, host: &str, path: &str, media: &Media) -> String {
        self.world.plain.put(host, path, Reply::file(&media.path, media.mime))
    }

    /// Places any file under a content type of one's own.
    pub fn file_as(&self, host: &str, path: &str, file: impl Into<PathBuf>, content_type: &str) -> String {
        self.world.plain.put(host, path, Reply::file(file, content_type))
    }

    /// Places a file that is sent without Content-Length and without ranges.
    pub fn chunked_file(&self, host: &str, path: &str, media: &Media) -> String {
        self.world.plain.put(host, path, Reply::file(&media.path, media.mime).without_length())
    }

    /// Places an HTML page.
    pub fn page(&self, host: &str, path: &str, html: &str) -> String {
        self.world.plain.put(host, path, Reply::html(html))
    }

    /// Places a redirect (302) to any address.
    pub fn redirect(&self, host: &str, path: &str, to: &str) -> String {
        self.world.plain.put(host, path, Reply::redirect(to))
    }

    /// Places every file of a folder below `path` (an HLS or DASH stream, say) and returns the link of that path.
    pub fn folder(&self, host: &str, path: &str, folder: impl Into<PathBuf>) -> String {
        self.world.plain.put_folder(host, path, folder.into())
    }

    /// Places a body that never ends and does not tell its length.
    pub fn endless(&self, host: &str, path: &str, content_type: &str) -> String {
        self.world.plain.put(host, path, Reply::endless(content_type))
    }

    /// Starts a broadcast that never ends (HLS) below `path` and returns the link of its playlist.
    pub fn live(&self, host: &str, path: &str) -> String {
        self.world.plain.broadcast(host, path)
    }

    /// Places any answer.
    pub fn reply(&self, host: &str, path: &str, reply: Reply) -> String {
        self.world.plain.put(host, path, reply)
    }

    // ---- what went through it ----

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.world.log.requests()
    }

    /// The requests to one host.
    pub fn requests_to(&self, host: &str) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.host == host).collect()
    }

    /// The requests that nothing placed here could answer (404).
    pub fn unexpected(&self) -> Vec<Seen> {
        self.requests().into_iter().filter(|seen| seen.unexpected).collect()
    }

    /// Every `host:port` that a tunnel was asked for.
    pub fn tunnels(&self) -> Vec<String> {
        self.world.log.tunnels()
    }

    /// Forgets the requests and tunnels so far.
    pub fn clear_log(&self) {
        self.world.log.clear();
    }

    /// Waits until a request matches (its status may still be open).
    ///
    /// # Panics
    /// After half a minute, with the log.
    pub async fn wait_for_request(&self, matches: impl Fn(&Seen) -> bool) -> Seen {
        self.world.log.wait(PATIENCE, |seen| matches(seen)).await
    }

    /// Waits until a request to `host` whose path and query contain `part` has been answered.
    ///
    /// # Panics
    /// After half a minute, with the log.
    pub async fn wait_for_answer(&self, host: &str, part: &str) -> Seen {
        self.wait_for_request(|seen| seen.host == host && seen.target().contains(part) && seen.status.is_some()).await
    }

    // ---- faults and downloads ----

    /// The faults planted.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// From now on every media body stops half-way (headers and the first half are sent) until [`Web::release`].
    pub fn hold_downloads(&self) {
        self.hold_downloads_at(50);
    }

    /// Like [`Web::hold_downloads`], at another percentage of each body (0: only headers are sent).
    pub fn hold_downloads_at(&self, percent: u8) {
        self.world.downloads.hold_at(percent);
    }

    /// Lets held downloads go on.
    pub fn release(&self) {
        self.world.downloads.release();
    }

    /// Media bodies being sent now.
    pub fn open_downloads(&self) -> usize {
        self.world.downloads.open()
    }

    /// The most media bodies that were being sent at once.
    pub fn max_concurrent_downloads(&self) -> usize {
        self.world.downloads.most()
    }

    /// Waits until no media body is held back any more: those who asked have gone, or the gate is open.
    pub async fn no_downloads(&self) {
        self.world.downloads.wait_for_none_held(PATIENCE).await;
    }

    /// Waits until `count` media bodies are held back at once.
    ///
    /// # Panics
    /// After half a minute.
    pub async fn wait_for_held_downloads(&self, count: usize) {
        self.world.downloads.wait_for_held(count, PATIENCE).await;
    }
}

/// Locks, ignoring that another test thread panicked meanwhile.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
