//! Which addresses, ports and names a stranger's link may lead to. Plain decisions; no input, no output.
//!
//! Sources: IANA's IPv4 and IPv6 special-purpose address registries, the IPv6 address space registry, RFC 6761 and
//! RFC 6762 (special-use names), ICANN's reservation of `.internal`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

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

/// Whether an address belongs to the public Internet. What no registry calls globally reachable is refused, and so are
/// the few global special ranges where no media can live (AS112, AMT, 6to4, Teredo, ORCHID).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IPv4 ranges refused, as (network, prefix length).
const SPECIAL_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // carrier-grade NAT
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // Azure's host: a public number that every guest reaches privately
    ([169, 254, 0, 0], 16),   // link-local, cloud metadata
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 31, 196, 0], 24),  // AS112
    ([192, 52, 193, 0], 24),  // AMT
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([192, 175, 48, 0], 24),  // AS112
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !SPECIAL_V4.iter().any(|(network, length)| {
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        bits & mask == u32::from(Ipv4Addr::from(*network))
    })
}

/// IPv6 ranges refused within 2000::/3, the only space given out as global unicast.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, ORCHID, AMT …
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: any IPv4 address can hide in it
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16), // the former 6bone
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |network: Ipv6Addr, length: u32| {
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        u128::from(address) & mask == u128::from(network)
    };
    // NAT64's well-known prefix is what a name server of an IPv6-only network answers for every IPv4 host: judge the
    // address inside. Its local-use sibling 64:ff9b:1::/48 may translate to anything and is refused below.
    if within(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !SPECIAL_V6.iter().any(|(network, length)| within(*network, *length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_and_last_address_of_every_special_range_are_refused() {
        for address in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.0",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.9",
            "192.0.0.10",
            "192.0.0.192",
            "192.0.0.255",
            "192.0.2.0",
            "192.0.2.255",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.0",
            "192.88.99.255",
            "192.168.0.0",
            "192.168.255.255",
            "192.175.48.1",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.0",
            "198.51.100.255",
            "203.0.113.0",
            "203.0.113.255",
            "224.0.0.0",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.254",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
            "100::",
            "100::1",
            "100:0:0:1::1",
            "2001::",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:30::1",
            "2001:1ff:ffff::1",
            "2001:db8::",
            "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
            "2002::",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2620:4f:8000::1",
            "3ffe::1",
            "3fff::",
            "3fff:fff:ffff::1",
            "4000::1",
            "5f00::1",
            "fc00::",
            "fd00:ec2::254",
            "fdff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff00::",
            "ff02::1",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            assert!(!is_public(ip(address)), "{address} passed");
        }
    }

    #[test]
    fn their_public_neighbours_pass() {
        for address in [
            "1.0.0.0",
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffd::1",
            "3fff:1000::1",
            "64:ff9b::8.8.8.8",
        ] {
            assert!(is_public(ip(address)), "{address} refused");
        }
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
