//! Who may be reached, as whom, and how long answers are remembered.

use super::{FILE, NUMBER, PLAIN, SWITCH, Spec};
use crate::settings::parse;

/// These settings.
pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "NETWORK_PROXY",
        path: "network.proxy",
        example: "http://127.0.0.1:3128",
        takes: "address of an HTTP proxy",
        doc: "An HTTP proxy that allowed requests are handed to. It then resolves names, so it must refuse private \
              addresses itself.",
        apply: |s, t| parse::proxy(t).map(|proxy| s.network.proxy = Some(proxy)),
        ..PLAIN
    },
    Spec {
        name: "NETWORK_CA_FILE",
        path: "network.ca_file",
        example: "/etc/ssl/our-root.pem",
        doc: "An extra root certificate (PEM) that the bot and both tools trust, for networks that inspect TLS.",
        apply: |s, t| parse::file(t).map(|path| s.network.ca_file = Some(path)),
        ..FILE
    },
    Spec {
        name: "NETWORK_ALLOW_PRIVATE",
        path: "network.allow_private",
        example: "10.0.0.5:8080,nas.lan:80",
        takes: "host:port, …",
        doc: "Private addresses that links may lead to all the same. Everything else that is not on the public internet \
              is refused.",
        apply: |s, t| parse::host_ports(t).map(|pairs| s.network.allow_private = pairs),
        ..PLAIN
    },
    Spec {
        name: "COOKIES_FILE",
        path: "network.cookies_file",
        example: "cookies.txt",
        doc: "Cookies in Netscape format (`cookies.txt`) of the sessions that the bot and both tools may use. Each cookie goes \
              to its own platform only; the file is never written, read anew when it changes, and its content never logged. \
              One platform's own file: `<PLATFORM>_COOKIES_FILE` (in TOML `cookies_file` under `[platforms.<name>]`); a \
              browser for its tools: `<PLATFORM>_COOKIES_FROM_BROWSER`.",
        apply: |s, t| parse::file(t).map(|path| s.network.cookies_file = Some(path)),
        ..FILE
    },
    Spec {
        name: "CACHE_ENABLED",
        path: "cache.enabled",
        default: Some("true"),
        doc: "Whether answers of platforms are remembered (in DATA_DIR/cache), so that the same link is not asked again at \
              once. `--force` asks anew.",
        apply: |s, t| parse::boolean(t).map(|on| s.cache.enabled = on),
        ..SWITCH
    },
    Spec {
        name: "CACHE_POST_HOURS",
        path: "cache.post_hours",
        default: Some("24"),
        takes: "number, 1 to 48",
        doc: "How many hours what a post says (title, author, counts) is used. Addresses of media only until they expire.",
        apply: |s, t| parse::number(t, 1, 48).map(|hours| s.cache.post = parse::hours(hours)),
        ..NUMBER
    },
    Spec {
        name: "CACHE_ADDRESS_MINUTES",
        path: "cache.address_minutes",
        default: Some("10"),
        takes: "number, 0 to 60",
        doc: "How many minutes an address of media is used that does not tell when it expires.",
        apply: |s, t| parse::number(t, 0, 60).map(|minutes| s.cache.addresses = parse::minutes(minutes)),
        ..NUMBER
    },
    Spec {
        name: "CACHE_LIST_MINUTES",
        path: "cache.list_minutes",
        default: Some("15"),
        takes: "number, 0 to 1440",
        doc: "How many minutes the entries of a playlist or profile are used.",
        apply: |s, t| parse::number(t, 0, 1440).map(|minutes| s.cache.list = parse::minutes(minutes)),
        ..NUMBER
    },
    Spec {
        name: "CACHE_PROFILE_DAYS",
        path: "cache.profile_days",
        default: Some("7"),
        takes: "number, 0 to 30",
        doc: "How many days what a playlist or profile says of itself may stand in for an answer while the platform cannot \
              be reached.",
        apply: |s, t| parse::number(t, 0, 30).map(|days: u64| s.cache.profile = parse::hours(days * 24)),
        ..NUMBER
    },
    Spec {
        name: "CACHE_FAILURE_HOURS",
        path: "cache.failure_hours",
        default: Some("6"),
        takes: "number, 0 to 48",
        doc: "How many hours it is believed that a post is gone. What may pass (a login, a rate limit, a fault) is believed \
              for minutes or seconds only.",
        apply: |s, t| parse::number(t, 0, 48).map(|hours| s.cache.failure = parse::hours(hours)),
        ..NUMBER
    },
    Spec {
        name: "CACHE_MAX_ENTRIES",
        path: "cache.max_entries",
        default: Some("2000"),
        takes: "number, 10 to 100000",
        doc: "How many answers are kept on disk at the most, half a megabyte each and mostly a few kilobytes.",
        apply: |s, t| parse::number(t, 10, 100_000).map(|count| s.cache.max_entries = count),
        ..NUMBER
    },
    Spec {
        name: "ARTIFACTS_MAX_MB",
        path: "cache.artifacts_max_mb",
        default: Some("1024"),
        takes: "number, 0 to 1048576",
        doc: "How many megabytes of files that were loaded and made lately are kept (in DOWNLOAD_DIR), so that a link that \
              several people paste is loaded and encoded once. The oldest go first. 0: none.",
        apply: |s, t| parse::number(t, 0, 1 << 20).map(|mb: u64| s.artifacts.max_bytes = mb << 20),
        ..NUMBER
    },
    Spec {
        name: "ARTIFACTS_HOURS",
        path: "cache.artifacts_hours",
        default: Some("24"),
        takes: "number, 1 to 720",
        doc: "How many hours they are kept: so long a post that is edited or deleted is still delivered as it was. `force` \
              loads it anew.",
        apply: |s, t| parse::number(t, 1, 720).map(|hours| s.artifacts.keep = parse::hours(hours)),
        ..NUMBER
    },
];
