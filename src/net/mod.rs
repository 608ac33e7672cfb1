//! Guarded egress: every byte that leaves for a stranger's link goes through here, in process or from a tool.
//!
//! ```text
//! extractors, downloads ── Client ──┐                         ┌── the checked address itself
//!                                   ├── Policy ── NameSource ─┤
//! yt-dlp, gallery-dl ── ToolProxy ──┘   (one set of rules)    └── NETWORK_PROXY, which then resolves
//! ```
//!
//! [`policy`] holds the rules as plain functions, [`resolver`] turns names into checked addresses (the address that was
//! checked is the address that is connected), [`client`] is the in-process HTTP client, [`proxy`] the loopback proxy
//! that tools are made to use. Discord's own API is no stranger: [`Egress::discord`] is a plain client.

pub mod addresses;
pub mod bucket;
pub mod cassette;
pub mod client;
pub mod cookies;
mod meter;
pub mod pace;
pub mod policy;
pub mod proxy;
pub mod resolver;
pub mod response;

use std::{net::SocketAddr, path::Path, sync::Arc};

pub use bucket::Bucket;
pub use cassette::Cassette;
pub use client::{Client, USER_AGENT};
pub use cookies::{Jar, Scope, Session, SessionState, Sessions, ToolCookies};
pub use proxy::{ProxyLog, ToolProxy};
pub use resolver::{NameSource, SystemNames};
pub use response::{check_status, fault, read_body, read_json, refusal};

use crate::{
    model::{Error, Result},
    settings::Network,
};
use policy::Policy;
use resolver::Guard;

/// The one factory of HTTP clients and tool proxies. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    guard: Arc<Guard>,
    settings: Network,
    roots: Vec<reqwest::Certificate>,
    /// Whether answers come from a recording.
    offline: bool,
}

impl Egress {
    /// Builds the guarded clients; names are resolved by the system.
    ///
    /// # Errors
    /// When the CA file cannot be read or the proxy address is not usable.
    pub fn new(settings: &Network) -> Result<Self> {
        Self::with_names(settings, Arc::new(SystemNames))
    }

    /// The same, with names resolved by `names`: for a resolver other than the system's, and for tests, which make
    /// names resolve privately or differently on the second ask. Whatever `names` says is checked. With
    /// `NETWORK_PROXY` set it is not asked, because the proxy resolves.
    ///
    /// # Errors
    /// As for [`Egress::new`].
    pub fn with_names(settings: &Network, names: Arc<dyn NameSource>) -> Result<Self> {
        if let Some(proxy) = &settings.proxy
            && (proxy.scheme() != "http" || proxy.host_str().is_none())
        {
            return Err(Error::internal("NETWORK_PROXY must be an http:// address with a host"));
        }
        let roots = match &settings.ca_file {
            Some(path) => read_roots(path)?,
            None => Vec::new(),
        };
        let guard = Arc::new(Guard::new(Policy::new(&settings.allow_private), names));
        let client = Client::new(guard.clone(), settings, &roots)?;
        Ok(Self { inner: Arc::new(Inner { client, guard, settings: settings.clone(), roots, offline: false }) })
    }

    /// The same egress, recorded, or answered from a recording. Then nothing leaves the machine: tools have no way out.
    pub fn with_cassette(&self, cassette: Arc<Cassette>) -> Self {
        let inner = &self.inner;
        Self {
            inner: Arc::new(Inner {
                client: inner.client.with_cassette(cassette.clone()),
                guard: inner.guard.clone(),
                settings: inner.settings.clone(),
                roots: inner.roots.clone(),
                offline: cassette.is_played(),
            }),
        }
    }

    /// The client for extractors and downloads: refuses every non-public address, each redirect again.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// The client for Discord's own API: not for strangers' links. `address`: connect there instead of discord.com's
    /// address (the certificate is still checked against the name), always directly. Without it, `NETWORK_PROXY` applies
    /// when set: a machine that reaches the world only through a proxy reaches Discord's API only through it, too.
    ///
    /// It has no overall and no read timeout, because reqwest's would run while a large upload is still being sent; a
    /// peer that stops acknowledging is noticed by TCP after [`client::DISCORD_SILENCE`].
    ///
    /// # Errors
    /// When the TLS configuration cannot be built.
    pub fn discord(&self, address: Option<SocketAddr>) -> Result<reqwest::Client> {
        client::discord(address, self.inner.settings.proxy.as_ref(), &self.inner.roots)
    }

    /// A client for a server of the operator's own: not for strangers' links. `NETWORK_PROXY` applies, unless the server is
    /// in a private network.
    ///
    /// # Errors
    /// When the TLS configuration cannot be built.
    pub fn own(&self) -> Result<reqwest::Client> {
        client::own(self.inner.settings.proxy.as_ref(), &self.inner.roots)
    }

    /// Starts a loopback forward proxy for one tool process, with the same policy. `budget`: bytes it may receive in all.
    ///
    /// # Errors
    /// When no loopback port can be had.
    pub async fn tool_proxy(&self, budget: u64) -> Result<ToolProxy> {
        if self.inner.offline {
            return Err(Error::internal("a recording is played: tools are not asked"));
        }
        ToolProxy::start(self.inner.guard.clone(), self.inner.settings.proxy.clone(), budget).await
    }

    /// The extra root certificate, for the tools.
    pub fn ca_file(&self) -> Option<&Path> {
        self.inner.settings.ca_file.as_deref()
    }
}

fn read_roots(path: &Path) -> Result<Vec<reqwest::Certificate>> {
    let pem = std::fs::read(path)
        .map_err(|error| Error::internal(format!("NETWORK_CA_FILE {} cannot be read: {error}", path.display())))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem)
        .map_err(|error| Error::internal(format!("NETWORK_CA_FILE {} is no PEM file: {error}", path.display())))?;
    if roots.is_empty() {
        return Err(Error::internal(format!("NETWORK_CA_FILE {} holds no certificate", path.display())));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn refused(settings: Network) -> String {
        match Egress::new(&settings) {
            Ok(_) => panic!("accepted {settings:?}"),
            Err(error) => error.operator_text().to_owned(),
        }
    }

    #[test]
    fn a_ca_file_must_exist_and_hold_a_certificate() {
        let missing = Network { ca_file: Some("does/not/exist.pem".into()), ..Network::default() };
        assert!(refused(missing).contains("NETWORK_CA_FILE"));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"not a certificate\n").unwrap();
        let odd = Network { ca_file: Some(file.path().to_owned()), ..Network::default() };
        assert!(refused(odd).contains("holds no certificate"));
    }

    #[test]
    fn the_upstream_proxy_speaks_plain_http() {
        for proxy in ["https://proxy.example:3128", "socks5://127.0.0.1:1080", "file:///tmp/x"] {
            let settings = Network { proxy: Some(proxy.parse().unwrap()), ..Network::default() };
            assert!(refused(settings).contains("NETWORK_PROXY"), "{proxy}");
        }
        assert!(
            Egress::new(&Network { proxy: Some("http://127.0.0.1:3128".parse().unwrap()), ..Network::default() })
                .is_ok()
        );
    }
}
