//! Names to checked addresses. What is checked is what is connected: the addresses handed on are the very ones that
//! were judged, so a name that answers differently a moment later changes nothing.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::policy::{Policy, Refusal, Target};

/// Where the addresses of names come from.
#[async_trait]
pub trait NameSource: Send + Sync + 'static {
    /// All addresses of `name`.
    ///
    /// # Errors
    /// When the name does not exist or cannot be resolved now.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver: `/etc/hosts`, then DNS.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl NameSource for SystemNames {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Why a target has no addresses to connect to.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The guard refused them.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The name could not be resolved.
    #[error("{host} cannot be resolved: {error}")]
    Lookup {
        /// The name.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
}

/// The policy with eyes: judges targets, resolves them, judges the answer.
pub struct Guard {
    policy: Policy,
    names: Arc<dyn NameSource>,
}

impl Guard {
    /// A guard over `names`.
    pub fn new(policy: Policy, names: Arc<dyn NameSource>) -> Self {
        Self { policy, names }
    }

    /// The rules.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The checked addresses of a target that the policy let through.
    ///
    /// # Errors
    /// When one of them is not public, or there is none.
    pub async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, ResolveError> {
        let addresses = match &target.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => return Ok(with_port(self.resolve_name(name, target.allowed).await?, target.port)),
        };
        self.policy.check_addresses(&target.host.to_string(), target.allowed, &addresses)?;
        Ok(with_port(addresses, target.port))
    }

    async fn resolve_name(&self, name: &str, allowed: bool) -> Result<Vec<IpAddr>, ResolveError> {
        let failed = |error| ResolveError::Lookup { host: name.to_owned(), error };
        let addresses = self.names.lookup(name).await.map_err(failed)?;
        self.policy.check_addresses(name, allowed, &addresses)?;
        if addresses.is_empty() {
            return Err(failed(io::Error::new(io::ErrorKind::NotFound, "no address")));
        }
        Ok(addresses)
    }
}

fn with_port(addresses: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()
}

/// The guard as reqwest's resolver. URLs were judged before (an address in a URL never comes here), so a name that the
/// operator allows at some port is being asked for at that port.
pub(super) struct GuardedResolver(pub(super) Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let allowed = guard.policy.allows_name(name.as_str());
            let addresses = guard.resolve_name(name.as_str(), allowed).await?;
            // Port 0 lets the connector put in the URL's.
            Ok(Box::new(with_port(addresses, 0).into_iter()) as Addrs)
        })
    }
}
