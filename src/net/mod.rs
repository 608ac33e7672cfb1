//! Guarded egress: every byte that leaves for a stranger's link goes through here, in process or from a tool.

use std::{net::SocketAddr, path::Path, sync::Arc};

use url::Url;

use crate::{model::Result, settings::Network};

/// The one factory of HTTP clients and tool proxies. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    settings: Network,
}

impl Egress {
    /// Builds the guarded clients.
    ///
    /// # Errors
    /// When the CA file cannot be read or the proxy address is not usable.
    pub fn new(_settings: &Network) -> Result<Self> {
        todo!()
    }

    /// The client for extractors and downloads: refuses every non-public address, each redirect again.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The client for Discord's own API: not for strangers' links. `address`: connect there instead of discord.com's address.
    pub fn discord(&self, _address: Option<SocketAddr>) -> Result<reqwest::Client> {
        todo!()
    }

    /// Starts a loopback forward proxy for one tool process, with the same policy. `budget`: bytes it may receive in all.
    pub async fn tool_proxy(&self, _budget: u64) -> Result<ToolProxy> {
        todo!()
    }

    /// The extra root certificate, for the tools.
    pub fn ca_file(&self) -> Option<&Path> {
        self.inner.settings.ca_file.as_deref()
    }
}

/// The guarded HTTP client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    // private
}

impl Client {
    /// A request, refused at once when the URL itself names a forbidden address, port or scheme.
    pub fn request(&self, _method: reqwest::Method, _url: &Url) -> Result<reqwest::RequestBuilder> {
        todo!()
    }

    /// Short for a GET [`Client::request`].
    pub fn get(&self, url: &Url) -> Result<reqwest::RequestBuilder> {
        self.request(reqwest::Method::GET, url)
    }

    /// Sends it. Network faults, timeouts and refusals of the guard become errors of their kinds; any HTTP status is Ok.
    pub async fn send(&self, _request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        todo!()
    }

    /// Where a short link leads: follows redirects (each checked) and returns the last address, reading no body.
    pub async fn resolve(&self, _url: &Url) -> Result<Url> {
        todo!()
    }
}

/// Turns an HTTP status that is not a success into an error of its kind (401/403 login_required, 404/410 not_found,
/// 429 rate_limited with Retry-After, 451 geo_blocked, 5xx network, else platform_changed).
pub fn check_status(_response: reqwest::Response) -> Result<reqwest::Response> {
    todo!()
}

/// Reads a body of at most `max` bytes; a longer one is `platform_changed`, a broken one `network`.
pub async fn read_body(_response: reqwest::Response, _max: usize) -> Result<bytes::Bytes> {
    todo!()
}

/// A loopback proxy for one tool process; dropping it closes it and every connection through it.
pub struct ToolProxy {
    // private
}

/// What went through a [`ToolProxy`]: the truth, whatever the tool says.
#[derive(Debug, Clone, Default)]
pub struct ProxyLog {
    /// `host:port` of every target that was refused, with the reason.
    pub refused: Vec<String>,
    /// Bytes received from outside.
    pub bytes: u64,
    /// Whether the byte budget ended a transfer.
    pub over_budget: bool,
}

impl ToolProxy {
    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> &str {
        todo!()
    }

    /// What went through so far.
    pub fn log(&self) -> ProxyLog {
        todo!()
    }
}
