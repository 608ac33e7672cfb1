//! Every platform's test links through the whole registry, and look-alike hosts by the thousand.

use std::sync::LazyLock;

use proptest::prelude::*;
use url::Url;

use super::Registry;
use crate::{model::ResourceKind, settings::Settings};

/// What the registry makes of a link, in the words of the platforms' tables. `platform` is left out where it is the
/// table's own.
fn verdict(registry: &Registry, table: &str, link: &str) -> String {
    let Ok(url) = Url::parse(link) else { return "not a url".into() };
    let Some(routed) = registry.route(&url) else { return "nothing".into() };
    let resource = routed.resource;
    assert_eq!(resource.platform, routed.platform.id());
    let kind = serde_json::to_value(resource.kind).unwrap();
    let kind = kind.as_str().unwrap();
    match resource.platform.0 {
        "generic" => "generic".into(),
        "direct" => format!("direct {kind} {}", resource.canonical),
        platform => {
            assert_eq!(platform, table, "{link}");
            let item = resource.item.map(|n| format!("#{n}")).unwrap_or_default();
            format!("{kind} {}{item} {}", resource.id, resource.canonical)
        }
    }
}

/// Every platform's table.
fn tables(registry: &Registry) -> Vec<(&'static str, &'static [(&'static str, &'static str)])> {
    registry.iter().map(|platform| (platform.id().0, platform.links())).collect()
}

#[test]
fn every_test_link_is_routed_as_its_platforms_table_says() {
    let registry = Registry::standard(&Settings::default());
    for (table, links) in tables(&registry) {
        for (link, expected) in links {
            assert_eq!(verdict(&registry, table, link), *expected, "{link}");
        }
    }
}

#[test]
fn a_canonical_link_routes_to_itself() {
    let registry = Registry::standard(&Settings::default());
    for (table, links) in tables(&registry) {
        for (link, _) in links {
            let Some(routed) = Url::parse(link).ok().and_then(|url| registry.route(&url)) else { continue };
            let again = registry.route(&routed.resource.canonical).unwrap_or_else(|| panic!("{link} of {table}"));
            assert_eq!(again.resource.canonical, routed.resource.canonical, "{link}");
            // The picture page of Reddit is a short link whose canonical link is the file itself.
            if routed.resource.kind != ResourceKind::ShortLink {
                assert_eq!(again.resource.id, routed.resource.id, "{link}");
                assert_eq!(again.resource.platform, routed.resource.platform, "{link}");
            }
        }
    }
}

/// A link as somebody else might paste it: it must mean the same.
fn decorated(link: &str, shared_by: &str, shout: bool, fragment: &str) -> Option<Url> {
    let mut url = Url::parse(link).ok()?;
    if !shared_by.is_empty() {
        let query = url.query().map_or_else(|| shared_by.to_owned(), |query| format!("{query}&{shared_by}"));
        url.set_query(Some(&query));
    }
    url.set_fragment((!fragment.is_empty()).then_some(fragment));
    let text = url.to_string();
    if shout {
        let host = url.host_str()?;
        return Url::parse(&text.replacen(host, &host.to_ascii_uppercase(), 1)).ok();
    }
    Url::parse(&text).ok()
}

#[test]
fn tools_get_only_http_links_of_known_hosts() {
    let registry = Registry::standard(&Settings::default());
    for (_, links) in tables(&registry) {
        for (link, _) in links {
            let Some(routed) = Url::parse(link).ok().and_then(|url| registry.route(&url)) else { continue };
            for call in routed.platform.cli(&routed.resource) {
                assert!(matches!(call.url.scheme(), "http" | "https"), "{link}");
                assert!(!call.why.is_empty());
            }
        }
    }
}

/// Registrable names that the named platforms own.
static OWN: LazyLock<Vec<&str>> = LazyLock::new(|| {
    Registry::standard(&Settings::default()).iter().flat_map(|platform| platform.domains().iter().copied()).collect()
});

const PATHS: &[&str] = &[
    "/nasa/status/20",
    "/i/web/status/20",
    "/r/aww/comments/abc123/",
    "/gallery/abc123",
    "/abc123",
    "/p/CxYz_12-abC/",
    "/reel/CxYz_12-abC/",
    "/watch?v=dQw4w9WgXcQ",
    "/dQw4w9WgXcQ",
    "/shorts/dQw4w9WgXcQ",
];

/// Whether the host is one of [`OWN`] or below it.
fn is_own(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    OWN.iter().any(|own| host == *own || host.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')))
}

fn is_named(registry: &Registry, url: &Url) -> bool {
    registry.route(url).is_some_and(|r| !matches!(r.resource.platform.0, "direct" | "generic"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Names built around real ones: glued before, behind and between, with dots, dashes, `@`, ports and odd letters.
    #[test]
    fn look_alike_hosts_never_route_to_a_named_platform(
        before in r"([a-zA-Zа-я0-9@.\-_%:/\\]{0,8}|www|user@|evil\.|xn--)",
        own in prop::sample::select(OWN.clone()),
        behind in r"([a-zA-Zа-я0-9@.\-_%:\\]{0,8}|\.evil\.example|\.|:443|:8443|@evil\.example|%2eevil)",
        path in prop::sample::select(PATHS),
        scheme in prop::sample::select(&["https://", "http://", "HTTPS://", "ftp://", "https:/"][..]),
    ) {
        let registry = Registry::standard(&Settings::default());
        let Ok(url) = Url::parse(&format!("{scheme}{before}{own}{behind}{path}")) else { return Ok(()) };
        if is_named(&registry, &url) {
            // Whoever is asked in the end must be the platform itself, on its own port, with nothing before an `@`.
            prop_assert!(is_own(url.host_str().unwrap_or_default()), "{url}");
            prop_assert!(url.port().is_none(), "{url}");
            prop_assert!(url.username().is_empty() && url.password().is_none(), "{url}");
            prop_assert!(matches!(url.scheme(), "http" | "https"), "{url}");
            let canonical = registry.route(&url).map(|r| r.resource.canonical);
            prop_assert!(canonical.is_some_and(|c| is_own(c.host_str().unwrap_or_default())), "{url}");
        }
    }

    /// One letter changed in a real name is another name.
    #[test]
    fn one_changed_letter_is_another_site(
        own in prop::sample::select(OWN.clone()),
        at in 0usize..20,
        letter in "[a-zа-яıߋ0-9-]",
        path in prop::sample::select(PATHS),
    ) {
        let registry = Registry::standard(&Settings::default());
        let at = at % own.len();
        let host = format!("{}{letter}{}", &own[..at], &own[at + 1..]);
        let Ok(url) = Url::parse(&format!("https://{host}{path}")) else { return Ok(()) };
        if !is_own(url.host_str().unwrap_or_default()) {
            prop_assert!(!is_named(&registry, &url), "{url}");
        }
    }

    /// Where a link was shared, and how loudly, does not change what it is: one key, and one canonical link that keeps it.
    #[test]
    fn the_key_outlives_tracking_fragments_and_capitals(
        at in any::<prop::sample::Index>(),
        shared_by in prop::sample::select(&["", "utm_source=share&utm_medium=x", "fbclid=1", "igshid=a", "gclid=b&mc_cid=c"][..]),
        shout: bool,
        fragment in prop::sample::select(&["", "t", "section-2"][..]),
    ) {
        let registry = Registry::standard(&Settings::default());
        let links: Vec<&str> = tables(&registry).iter().flat_map(|(_, links)| links.iter().map(|(link, _)| *link)).collect();
        let link = links[at.index(links.len())];
        let plain = Url::parse(link).ok().and_then(|url| registry.route(&url));
        let other = decorated(link, shared_by, shout, fragment).and_then(|url| registry.route(&url));
        if let (Some(plain), Some(other)) = (&plain, &other) && plain.resource.platform.0 != "generic" {
            prop_assert_eq!(plain.resource.key(), other.resource.key(), "{}", link);
            let again = registry.route(&other.resource.canonical).map(|routed| routed.resource);
            let again = again.filter(|again| again.kind == other.resource.kind);
            if let Some(again) = again {
                prop_assert_eq!(&again.canonical, &other.resource.canonical);
                prop_assert_eq!(again.id, other.resource.id.clone());
            }
        }
        prop_assert_eq!(plain.is_some(), other.is_some());
    }

    /// Whatever is pasted, nothing panics, and what is accepted is a plain web link.
    #[test]
    fn nothing_pasted_panics(text in r"\PC{0,60}|(https?:)?/{0,3}[\w.@:/?#&=%-]{0,60}") {
        let registry = Registry::standard(&Settings::default());
        if let Ok(url) = super::parse_link(&text) {
            prop_assert!(matches!(url.scheme(), "http" | "https"));
            prop_assert!(url.username().is_empty() && url.password().is_none());
            if let Some(routed) = registry.route(&url) {
                routed.platform.cli(&routed.resource);
            }
        }
    }
}
