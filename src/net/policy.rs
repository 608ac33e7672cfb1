//! Which addresses, ports and names a stranger's link may lead to. Plain decisions; no input, no output.
//!
//! Sources: RFC 6761 and RFC 6762 (special-use names), ICANN's reservation of `.internal`; for addresses see
//! [`super::addresses`].

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

pub use super::addresses::is_public;

/// Why the guard refused. Its text names hosts, addresses and ports only, never paths or queries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Neither http nor https.
    #[error("the scheme {0} is not http or https")]
    Scheme(String),
    /// User name or password in the link.
    #[error("the link carries credentials")]
    Credentials,
    /// No host at all, or one that is no host name.
    #[error("the link names no usable host")]
    Host,
    /// A port other than 80 and 443 that the operator does not allow.
    #[error("port {port} of {host} is not allowed")]
    Port {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// A name that never means a public host.
    #[error("the name {0} is private")]
    Name(String),
    /// A non-public address, written in the link or found behind its name.
    #[error("{host} is at the non-public address {address}")]
    Address {
        /// The host as it was asked for.
        host: String,
        /// The first address that was refused.
        address: IpAddr,
    },
}

/// An endpoint that passed the checks that need no resolving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The host: names in lower case, in ASCII, without a trailing dot; addresses parsed however they were spelled.
    pub host: Host<String>,
    /// The port.
    pub port: u16,
    /// Whether the operator lets this very pair through to a private address.
    pub allowed: bool,
}

impl Target {
    /// `host:port`, IPv6 in brackets.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The rules, with the operator's exceptions (`NETWORK_ALLOW_PRIVATE`).
#[derive(Debug, Clone, Default)]
pub struct Policy {
    allowed: Vec<(Host<String>, u16)>,
}

impl Policy {
    /// Rules with exceptions for these `host:port` pairs. A host named here is reached at its named ports only: the
    /// resolver is told names without ports, so another port must be refused before it is asked.
    pub fn new(allow_private: &[(String, u16)]) -> Self {
        let allowed = allow_private.iter().filter_map(|(host, port)| Some((parse_host(host)?, *port))).collect();
        Self { allowed }
    }

    /// Judges a URL by everything but the addresses behind a name.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn check_url(&self, url: &Url) -> Result<Target, Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => Host::Domain(plain_name(name)),
            Some(Host::Ipv4(address)) => Host::Ipv4(address),
            Some(Host::Ipv6(address)) => Host::Ipv6(address),
            None => return Err(Refusal::Host),
        };
        self.check(host, url.port_or_known_default().ok_or(Refusal::Host)?)
    }

    /// Judges a `host:port` as a CONNECT request names it. The host is read as in a URL, so that `0x7f.1` and `127.0.0.1`
    /// are the same.
    ///
    /// # Errors
    /// The reason to refuse it.
    pub fn check_authority(&self, authority: &str) -> Result<Target, Refusal> {
        let (host, port) = authority.rsplit_once(':').ok_or(Refusal::Host)?;
        if host.contains('@') {
            return Err(Refusal::Credentials);
        }
        let port = port.parse().map_err(|_| Refusal::Host)?;
        self.check(parse_host(host).ok_or(Refusal::Host)?, port)
    }

    fn check(&self, host: Host<String>, port: u16) -> Result<Target, Refusal> {
        if self.allowed.iter().any(|(h, p)| *h == host && *p == port) {
            return Ok(Target { host, port, allowed: true });
        }
        let address = match &host {
            Host::Domain(name) if name.is_empty() => return Err(Refusal::Host),
            Host::Domain(name) if is_private_name(name) => return Err(Refusal::Name(name.clone())),
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
        };
        if let Some(address) = address.filter(|address| !is_public(*address)) {
            return Err(Refusal::Address { host: host.to_string(), address });
        }
        if !matches!(port, 80 | 443) || self.allowed.iter().any(|(h, _)| *h == host) {
            return Err(Refusal::Port { host: host.to_string(), port });
        }
        Ok(Target { host, port, allowed: false })
    }

    /// Whether the operator lets this name through at some port. Ports were judged with the URL.
    pub fn allows_name(&self, name: &str) -> bool {
        let name = plain_name(name);
        self.allowed.iter().any(|(host, _)| matches!(host, Host::Domain(allowed) if *allowed == name))
    }

    /// Judges what a name resolved to: one non-public address among them refuses it whole, because a name that mixes
    /// them is either misconfigured or hostile.
    ///
    /// # Errors
    /// The first address that is not public.
    pub fn check_addresses(&self, host: &str, allowed: bool, addresses: &[IpAddr]) -> Result<(), Refusal> {
        match addresses.iter().find(|address| !allowed && !is_public(**address)) {
            Some(address) => Err(Refusal::Address { host: host.to_owned(), address: *address }),
            None => Ok(()),
        }
    }
}

/// Reads a host as a URL's: any spelling of an address, names in lower case ASCII. `None` when it is neither.
fn parse_host(host: &str) -> Option<Host<String>> {
    let bare_v6 = host.parse::<Ipv6Addr>();
    if let Ok(address) = bare_v6 {
        return Some(Host::Ipv6(address));
    }
    match Host::parse(host).ok()? {
        Host::Domain(name) => Some(Host::Domain(plain_name(&name))),
        other => Some(other),
    }
}

/// A name in lower case, without the trailing dot of a fully qualified one.
fn plain_name(name: &str) -> String {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}

/// Suffixes whose names never belong to the public Internet.
const PRIVATE_SUFFIXES: &[&str] = &[
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "in-addr.arpa",
    "ip6.arpa",
];

/// Whether a name (lower case, no trailing dot) can only mean something on this machine or its network: special-use
/// suffixes, and names of a single label, which the system would complete by its search list.
pub fn is_private_name(name: &str) -> bool {
    !name.contains('.')
        || name.ends_with('.')
        || PRIVATE_SUFFIXES
            .iter()
            .any(|suffix| name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn check(policy: &Policy, url: &str) -> Result<Target, Refusal> {
        policy.check_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn every_spelling_of_a_private_host_is_refused() {
        let policy = Policy::default();
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.0x0.0x0.0x1/",
            "http://0177.0.0.1/",
            "http://017700000001/",
            "http://0x7f.1/",
            "http://127.0.0.1./",
            "http://127.000.000.001/",
            "http://0/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[::1]/",
            "http://[0:0:0:0:0:0:0:1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://①②⑦.⓪.⓪.①/",
            "http://127。0。0。1/",
            "http://１２７.0.0.1/",
            "http://127%2e0%2e0%2e1/",
            "http://%31%32%37.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://a.localhost/",
            "http://localhost.localdomain/",
            "http://printer.local/",
            "http://metadata.google.internal/",
            "http://metadata/",
            "http://router/",
            "http://x.home.arpa/",
            "http://nas.lan/",
            "https://ⓛocalhost/",
            "http://local/",
            "http://example.com../",
        ] {
            assert!(check(&policy, url).is_err(), "{url} passed");
        }
    }

    #[test]
    fn public_links_pass_whatever_their_case_and_dots() {
        let policy = Policy::default();
        for (url, host, port) in [
            ("https://x.com/a/status/1", "x.com", 443),
            ("HTTP://EXAMPLE.org./a", "example.org", 80),
            ("https://bücher.example.com/", "xn--bcher-kva.example.com", 443),
            ("http://example.com:443/", "example.com", 443),
            ("https://8.8.8.8/", "8.8.8.8", 443),
            ("https://[2606:4700::1111]/", "[2606:4700::1111]", 443),
            ("https://localhost.example.com/", "localhost.example.com", 443),
            ("https://a.notlocal/", "a.notlocal", 443),
        ] {
            let target = check(&policy, url).unwrap();
            assert_eq!((target.host.to_string().as_str(), target.port, target.allowed), (host, port, false), "{url}");
        }
    }

    #[test]
    fn schemes_credentials_and_ports_are_judged() {
        let policy = Policy::default();
        assert_eq!(check(&policy, "ftp://example.com/"), Err(Refusal::Scheme("ftp".into())));
        assert_eq!(check(&policy, "file:///etc/passwd"), Err(Refusal::Scheme("file".into())));
        assert_eq!(check(&policy, "gopher://example.com/"), Err(Refusal::Scheme("gopher".into())));
        assert_eq!(check(&policy, "https://user@example.com/"), Err(Refusal::Credentials));
        assert_eq!(check(&policy, "https://:pw@example.com/"), Err(Refusal::Credentials));
        for port in [1, 22, 25, 3306, 6379, 8080, 8443, 11211] {
            let refusal = check(&policy, &format!("http://example.com:{port}/"));
            assert_eq!(refusal, Err(Refusal::Port { host: "example.com".into(), port }));
        }
    }

    #[test]
    fn the_operators_pairs_pass_and_only_they() {
        let policy = Policy::new(&[
            ("127.0.0.1".into(), 8080),
            ("Media.Internal.".into(), 8443),
            ("::1".into(), 80),
            ("[fd00::1]".into(), 80),
        ]);
        for url in [
            "http://127.0.0.1:8080/",
            "http://0x7f.1:8080/",
            "https://media.internal:8443/",
            "https://MEDIA.internal.:8443/",
            "http://[::1]/",
            "http://[fd00::1]/",
        ] {
            assert!(check(&policy, url).unwrap().allowed, "{url}");
        }
        for url in [
            "http://127.0.0.1/",
            "http://127.0.0.1:8081/",
            "http://127.0.0.2:8080/",
            "https://media.internal/",
            "http://[::1]:8080/",
            "http://other.internal:8443/",
            "http://[::ffff:127.0.0.1]:8080/",
        ] {
            assert!(check(&policy, url).is_err(), "{url}");
        }
        assert!(policy.allows_name("MEDIA.internal"));
        assert!(!policy.allows_name("127.0.0.1"));
        assert!(!policy.allows_name("a.media.internal"));
    }

    #[test]
    fn an_allowed_name_is_closed_at_its_other_ports() {
        // The resolver sees names without ports and lets this one through to private addresses.
        let policy = Policy::new(&[("cdn.example.com".into(), 8443)]);
        assert!(check(&policy, "https://cdn.example.com:8443/").is_ok());
        assert!(check(&policy, "https://cdn.example.com/").is_err());
    }

    #[test]
    fn authorities_are_read_like_urls() {
        let policy = Policy::default();
        assert_eq!(policy.check_authority("Example.COM.:443").unwrap().authority(), "example.com:443");
        assert_eq!(policy.check_authority("[2606:4700::1111]:443").unwrap().authority(), "[2606:4700::1111]:443");
        for authority in [
            "127.0.0.1:443",
            "0x7f.1:443",
            "2130706433:443",
            "[::1]:443",
            "::1:443",
            "localhost:443",
            "example.com",
            "example.com:22",
            "u@example.com:443",
            ":443",
            "exa mple.com:443",
            "example.com:99999",
            "a/b.com:443",
            "example.com:",
            "①②⑦.0.0.1:443",
        ] {
            assert!(policy.check_authority(authority).is_err(), "{authority} passed");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_loopback_address_is_refused_in_every_notation(low in 0u32..1 << 24) {
            let bits = 127 << 24 | low;
            let [a, b, c, d] = bits.to_be_bytes();
            let policy = Policy::default();
            for host in [
                format!("{a}.{b}.{c}.{d}"),
                format!("{bits}"),
                format!("{bits:#x}"),
                format!("0{bits:o}"),
                format!("{a:#x}.{b:#o}.{c}.{d}").replace("0o", "0"),
                format!("{a}.{low}"),
                format!("{a}.{b}.{}", bits & 0xffff),
                format!("0{a:o}.{b:#X}.{}.", bits & 0xffff).replace("0X", "0x"),
                format!("[::ffff:{a}.{b}.{c}.{d}]"),
                format!("[64:ff9b::{:x}:{:x}]", bits >> 16, bits & 0xffff),
                format!("[2002:{:x}:{:x}::1]", bits >> 16, bits & 0xffff),
            ] {
                let url = Url::parse(&format!("http://{host}/")).unwrap();
                proptest::prop_assert!(policy.check_url(&url).is_err(), "{host}");
                proptest::prop_assert!(policy.check_authority(&format!("{host}:443")).is_err(), "{host}");
            }
        }
    }

    #[test]
    fn one_private_address_spoils_the_answer() {
        let policy = Policy::default();
        let mixed = [ip("93.184.216.34"), ip("10.0.0.1")];
        assert!(policy.check_addresses("a.example", false, &mixed[..1]).is_ok());
        assert_eq!(
            policy.check_addresses("a.example", false, &mixed),
            Err(Refusal::Address { host: "a.example".into(), address: mixed[1] })
        );
        assert!(policy.check_addresses("a.example", true, &mixed).is_ok());
    }
}
