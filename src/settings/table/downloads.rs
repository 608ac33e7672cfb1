//! Loading files, in process and by the tools.

use super::{FILE, NUMBER, PLAIN, SIZE, SWITCH, Spec};
use crate::settings::parse;

/// These settings.
pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "DOWNLOAD_DIR",
        path: "downloads.dir",
        default: Some("downloads"),
        takes: "folder",
        doc: "Where files live while they are worked on, and where they stay when an upload failed.",
        apply: |s, t| parse::path(t).map(|path| s.downloads.dir = path),
        ..PLAIN
    },
    Spec {
        name: "DOWNLOAD_LAYOUT",
        path: "downloads.layout",
        default: Some("archive"),
        takes: "archive or flat",
        doc: "How `download-only` keeps files in DOWNLOAD_DIR. archive: platform/author/title-id, with what is known of the post \
              beside them (info.json, its words, its preview). flat: the files alone, in one folder.",
        apply: |s, t| parse::one_of(t, &["archive", "flat"]).map(|way| s.downloads.archive = way == "archive"),
        ..PLAIN
    },
    Spec {
        name: "MAX_FILE_SIZE",
        path: "downloads.max_file_size",
        default: Some("500"),
        doc: "The largest file that is downloaded. Larger ones are refused before the disk fills up.",
        apply: |s, t| parse::size(t).map(|bytes| s.downloads.max_file_bytes = bytes),
        ..SIZE
    },
    Spec {
        name: "MAX_CONCURRENT_DOWNLOADS",
        path: "downloads.max_concurrent",
        default: Some("5"),
        takes: "number, 1 to 64",
        doc: "How many links one process works on at once. Further ones wait and say so; servers and people take turns.",
        apply: |s, t| parse::number(t, 1, 64).map(|count| s.downloads.max_concurrent = count),
        ..NUMBER
    },
    Spec {
        name: "MAX_JOBS_PER_PLATFORM",
        path: "downloads.max_jobs_per_platform",
        example: "4",
        takes: "number, 1 to 1000",
        doc: "How many links of one platform are worked on at once for Discord, by all processes of the same database together. \
              Further ones wait while others go first. Unset: as many as there is room for.",
        apply: |s, t| parse::number(t, 1, 1000).map(|count| s.downloads.max_per_platform = Some(count)),
        ..NUMBER
    },
    Spec {
        name: "DOWNLOAD_API_FALLBACK_TO_CLI",
        path: "downloads.api_fallback_to_cli",
        default: Some("true"),
        doc: "Whether yt-dlp and gallery-dl take over when the in-process path of a platform fails.",
        apply: |s, t| parse::boolean(t).map(|on| s.downloads.api_fallback_to_cli = on),
        ..SWITCH
    },
    Spec {
        name: "DOWNLOAD_TIMEOUT_SECONDS",
        path: "downloads.timeout_seconds",
        default: Some("300"),
        takes: "seconds",
        doc: "How long one attempt may take, by the clock on the wall.",
        apply: |s, t| parse::seconds(t).map(|time| s.downloads.timeout = time),
        ..NUMBER
    },
    Spec {
        name: "DOWNLOAD_ALLOW_GENERIC",
        path: "downloads.allow_generic",
        default: Some("false"),
        doc: "Whether yt-dlp may search pages of sites it does not know for embedded media. It then follows embeds \
              anywhere on the public internet.",
        apply: |s, t| parse::boolean(t).map(|on| s.downloads.allow_generic = on),
        ..SWITCH
    },
    Spec {
        name: "DOWNLOAD_STALL_SECONDS",
        path: "downloads.stall_seconds",
        default: Some("20"),
        takes: "seconds",
        doc: "How long a server may be silent in the middle of a file before an in-process download gives up on it.",
        apply: |s, t| parse::seconds(t).map(|time| s.downloads.stall = time),
        ..NUMBER
    },
    Spec {
        name: "DOWNLOAD_MIN_BYTES_PER_SECOND",
        path: "downloads.min_bytes_per_second",
        default: Some("1024"),
        takes: "bytes a second, 0 to 1000000",
        doc: "A connection that brings fewer bytes on average over DOWNLOAD_STALL_SECONDS counts as silent. 0: only real \
              silence does.",
        apply: |s, t| parse::number(t, 0, 1_000_000).map(|rate| s.downloads.min_rate = rate),
        ..NUMBER
    },
    Spec {
        name: "DOWNLOAD_CONNECTIONS_PER_HOST",
        path: "downloads.connections_per_host",
        default: Some("8"),
        takes: "number, 1 to 32",
        doc: "The most connections to one media host at once, by all in-process downloads together. A large file starts \
              with one or two and takes more while they make it faster.",
        apply: |s, t| parse::number(t, 1, 32).map(|count| s.downloads.connections_per_host = count),
        ..NUMBER
    },
    Spec {
        name: "DOWNLOAD_BANDWIDTH_LIMIT",
        path: "downloads.bandwidth_limit",
        example: "20M",
        takes: "bytes a second",
        doc: "The most bytes a second that all in-process downloads together may take, such as `500k` or `2.5M`.",
        apply: |s, t| parse::rate(t).map(|rate| s.downloads.bandwidth = Some(rate)),
        ..PLAIN
    },
    Spec {
        name: "DOWNLOAD_BANDWIDTH_LIMIT_PER_JOB",
        path: "downloads.bandwidth_limit_per_job",
        example: "5M",
        takes: "bytes a second",
        doc: "The most bytes a second that the in-process downloads of one link may take.",
        apply: |s, t| parse::rate(t).map(|rate| s.downloads.bandwidth_per_job = Some(rate)),
        ..PLAIN
    },
    Spec {
        name: "GALLERY_DL_CONFIG_FILE",
        path: "gallery_dl.config_file",
        example: "gallery-dl.conf",
        doc: "A gallery-dl configuration (JSON). It is merged under the bot's own settings, which keep the last word on \
              everything that concerns safety.",
        apply: |s, t| parse::file(t).map(|path| s.gallery_dl.config_file = Some(path)),
        ..FILE
    },
    Spec {
        name: "GALLERY_DL_COOKIES_FILE",
        path: "gallery_dl.cookies_file",
        example: "cookies.txt",
        doc: "The older name of COOKIES_FILE, which wins when both are set.",
        apply: |s, t| parse::file(t).map(|path| s.gallery_dl.cookies_file = Some(path)),
        ..FILE
    },
    Spec {
        name: "GALLERY_DL_COOKIES_FROM_BROWSER",
        path: "gallery_dl.cookies_from_browser",
        example: "firefox",
        takes: "browser[:profile]",
        doc: "Take cookies from a browser on this machine instead: brave, chrome, chromium, edge, firefox, opera, safari, \
              vivaldi or whale.",
        apply: |s, t| parse::browser(t).map(|browser| s.gallery_dl.cookies_from_browser = Some(browser)),
        ..PLAIN
    },
    Spec {
        name: "GALLERY_DL_USER_AGENT",
        path: "gallery_dl.user_agent",
        example: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        doc: "The User-Agent that gallery-dl sends, for cookies that are bound to a browser.",
        apply: |s, t| parse::header(t).map(|agent| s.gallery_dl.user_agent = Some(agent)),
        ..PLAIN
    },
    Spec {
        name: "GALLERY_DL_RATE_LIMIT",
        path: "gallery_dl.rate_limit",
        example: "5M",
        takes: "bytes a second",
        doc: "The most bytes a second that a download by either tool may take, such as `500k` or `2.5M`.",
        apply: |s, t| parse::rate(t).map(|rate| s.gallery_dl.rate_limit = Some(rate)),
        ..PLAIN
    },
    Spec {
        name: "GALLERY_DL_TIMEOUT",
        path: "gallery_dl.timeout",
        default: Some("30"),
        takes: "seconds",
        doc: "How long a connection of either tool may be silent.",
        apply: |s, t| parse::seconds(t).map(|time| s.gallery_dl.timeout = time),
        ..NUMBER
    },
    Spec {
        name: "GALLERY_DL_RETRIES",
        path: "gallery_dl.retries",
        default: Some("3"),
        takes: "number, 0 to 20",
        doc: "How often a tool tries a failed request again.",
        apply: |s, t| parse::number(t, 0, 20).map(|count| s.gallery_dl.retries = count),
        ..NUMBER
    },
    Spec {
        name: "GALLERY_DL_CONCURRENT_DOWNLOADS",
        path: "gallery_dl.concurrent_downloads",
        default: Some("5"),
        takes: "number, 1 to 64",
        doc: "How many gallery-dl processes run at once.",
        apply: |s, t| parse::number(t, 1, 64).map(|count| s.gallery_dl.concurrent = count),
        ..NUMBER
    },
];
