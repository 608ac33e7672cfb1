//! The one table of settings: name, place in TOML, default, meaning, and how its text becomes a value. The loader reads it,
//! and `.env.example`, `config/default.toml` and `docs/configuration.md` are written from it.

use std::sync::LazyLock;

use secrecy::SecretString;

use super::{
    parse::{self, PRESETS, Parsed},
    resilience,
    schema::Settings,
};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name in the environment and in `.env`.
    pub name: &'static str,
    /// Its place in TOML: `section.key`.
    pub path: &'static str,
    /// Its value when nobody sets it. `None`: unset.
    pub default: Option<&'static str>,
    /// A value to show where there is no default.
    pub example: &'static str,
    /// What kind of value it takes, in a word or two.
    pub takes: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it does, in plain sentences.
    pub doc: &'static str,
    /// Whether TOML spells it without quotes (numbers and booleans).
    pub bare: bool,
    /// Puts the parsed text in its place.
    pub(super) apply: fn(&mut Settings, &str) -> Parsed<()>,
}

const PLAIN: Spec = Spec {
    name: "",
    path: "",
    default: None,
    example: "",
    takes: "text",
    secret: false,
    doc: "",
    bare: false,
    apply: |_, _| Ok(()),
};

const SWITCH: Spec = Spec { takes: "true or false", bare: true, ..PLAIN };
pub(super) const NUMBER: Spec = Spec { takes: "number", bare: true, ..PLAIN };
const SIZE: Spec = Spec { takes: "size in MB", ..NUMBER };
const FILE: Spec = Spec { takes: "file", ..PLAIN };

/// The sections of the TOML file with what they are about, in the order of [`SPECS`].
pub const SECTIONS: &[(&str, &str)] = &[
    ("discord", "Discord"),
    ("downloads", "Downloading"),
    ("gallery_dl", "gallery-dl and yt-dlp"),
    ("compression", "Making files fit the upload limit"),
    ("upload", "Sending"),
    ("network", "The network"),
    ("cache", "Remembered answers"),
    ("resilience", "Timeouts, retries, breakers and rates"),
    ("tools", "External programs and kept data"),
    ("log", "Logging"),
];

/// Every setting apart from those of the platforms.
pub static SPECS: LazyLock<Vec<Spec>> = LazyLock::new(|| [GENERAL, resilience::SPECS].concat());

const GENERAL: &[Spec] = &[
    Spec {
        name: "DISCORD_TOKEN",
        path: "discord.token",
        example: "paste-the-token-here",
        takes: "token",
        secret: true,
        doc: "The bot's token, from https://discord.com/developers/applications → your application → Bot → Reset Token. \
              Only `boss-bot run` needs it.",
        apply: |s, t| parse::token(t).map(|token| s.discord.token = Some(SecretString::from(token))),
        ..PLAIN
    },
    Spec {
        name: "PREFIX",
        path: "discord.prefix",
        default: Some("$"),
        takes: "up to 5 characters",
        doc: "What text commands start with: `$download <link>`. In `.env` write it in single quotes: '$'.",
        apply: |s, t| parse::prefix(t).map(|prefix| s.discord.prefix = prefix),
        ..PLAIN
    },
    Spec {
        name: "DISCORD_API_ADDRESS",
        path: "discord.api_address",
        example: "127.0.0.1:8443",
        takes: "host:port",
        doc: "Connect here instead of discord.com's own address: for tests and for machines behind a relay. The name and \
              the certificate are still checked.",
        apply: |s, t| parse::address(t).map(|address| s.discord.api_address = Some(address)),
        ..PLAIN
    },
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
        doc: "How many links are worked on at once. Further ones wait their turn and say so.",
        apply: |s, t| parse::number(t, 1, 64).map(|count| s.downloads.max_concurrent = count),
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
    Spec {
        name: "COMPRESSION_TARGET_SIZE_MB",
        path: "compression.target_size_mb",
        example: "8",
        doc: "Make files no larger than this even where the upload limit would allow more. Unset: use the whole limit.",
        apply: |s, t| parse::size(t).map(|bytes| s.compression.target_bytes = Some(bytes)),
        ..SIZE
    },
    Spec {
        name: "COMPRESSION_FFMPEG_PRESET",
        path: "compression.ffmpeg_preset",
        default: Some("medium"),
        takes: "x264 preset",
        doc: "How thoroughly videos are encoded, from ultrafast to veryslow: slower looks better at the same size.",
        apply: |s, t| parse::one_of(t, PRESETS).map(|preset| s.compression.preset = preset.to_owned()),
        ..PLAIN
    },
    Spec {
        name: "COMPRESSION_MAX_CONCURRENT",
        path: "compression.max_concurrent",
        default: Some("1"),
        takes: "number, 1 to 64",
        doc: "How many files are encoded at once. Each encode keeps the processor busy.",
        apply: |s, t| parse::number(t, 1, 64).map(|count| s.compression.max_concurrent = count),
        ..NUMBER
    },
    Spec {
        name: "COMPRESSION_MIN_VIDEO_BITRATE_KBPS",
        path: "compression.min_video_bitrate_kbps",
        default: Some("80"),
        takes: "kbit/s, 10 to 50000",
        doc: "A video that would need less than this to fit is refused rather than made unwatchable.",
        apply: |s, t| parse::number(t, 10, 50_000).map(|rate| s.compression.min_video_kbps = rate),
        ..NUMBER
    },
    Spec {
        name: "COMPRESSION_MIN_AUDIO_BITRATE_KBPS",
        path: "compression.min_audio_bitrate_kbps",
        default: Some("24"),
        takes: "kbit/s, 8 to 320",
        doc: "The least that sound is given.",
        apply: |s, t| parse::number(t, 8, 320).map(|rate| s.compression.min_audio_kbps = rate),
        ..NUMBER
    },
    Spec {
        name: "COMPRESSION_IMAGE_MIN_QUALITY",
        path: "compression.image_min_quality",
        default: Some("40"),
        takes: "number, 1 to 100",
        doc: "The lowest JPEG or WebP quality a picture is saved with; below it the picture is made smaller instead.",
        apply: |s, t| parse::number(t, 1, 100).map(|quality| s.compression.image_min_quality = quality),
        ..NUMBER
    },
    Spec {
        name: "COMPRESSION_MAX_UPLOAD_SIZE_MB",
        path: "compression.max_upload_size_mb",
        default: Some("10"),
        doc: "The upload limit to assume where Discord does not tell one: for text commands in servers without boosts. \
              Slash commands carry their own limit, boosted servers are known, and a refusal teaches the bot a lower one.",
        apply: |s, t| parse::size(t).map(|bytes| s.compression.base_upload_bytes = bytes),
        ..SIZE
    },
    Spec {
        name: "UPLOAD_CLEANUP_AFTER_SUCCESS",
        path: "upload.cleanup_after_success",
        default: Some("true"),
        doc: "Whether files are deleted once they are posted.",
        apply: |s, t| parse::boolean(t).map(|on| s.upload.cleanup_after_success = on),
        ..SWITCH
    },
    Spec {
        name: "UPLOAD_ENABLE_PROGRESS_UPDATES",
        path: "upload.enable_progress_updates",
        default: Some("true"),
        doc: "Whether the message is edited while the work goes on (downloading 42 %, compressing …).",
        apply: |s, t| parse::boolean(t).map(|on| s.upload.progress_updates = on),
        ..SWITCH
    },
    Spec {
        name: "UPLOAD_BATCH_SIZE_MB",
        path: "upload.batch_size_mb",
        default: Some("25"),
        doc: "How much one message's attachments may have together. A single larger file goes in a message of its own.",
        apply: |s, t| parse::size(t).map(|bytes| s.upload.batch_bytes = bytes),
        ..SIZE
    },
    Spec {
        name: "UPLOAD_MAX_FILES_PER_BATCH",
        path: "upload.max_files_per_batch",
        default: Some("10"),
        takes: "number, 1 to 10",
        doc: "How many attachments one message carries. Discord takes ten at the most.",
        apply: |s, t| parse::number(t, 1, 10).map(|count| s.upload.max_files_per_batch = count),
        ..NUMBER
    },
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
        name: "DATA_DIR",
        path: "tools.data_dir",
        default: Some("data"),
        takes: "folder",
        doc: "Where the bot keeps what it must remember.",
        apply: |s, t| parse::path(t).map(|path| s.tools.data_dir = path),
        ..PLAIN
    },
    Spec {
        name: "TOOLS_DIR",
        path: "tools.dir",
        example: "/opt/boss-bot/tools",
        takes: "folder",
        doc: "The private Python environment with yt-dlp and gallery-dl that `boss-bot doctor --fix` makes. Unset: `tools` \
              in DATA_DIR.",
        apply: |s, t| parse::path(t).map(|path| s.tools.dir = path),
        ..PLAIN
    },
    Spec {
        name: "FFMPEG_PATH",
        path: "tools.ffmpeg",
        example: "/usr/bin/ffmpeg",
        doc: "The ffmpeg to use. Unset: the first one in PATH.",
        apply: |s, t| parse::file(t).map(|path| s.tools.ffmpeg = Some(path)),
        ..FILE
    },
    Spec {
        name: "FFPROBE_PATH",
        path: "tools.ffprobe",
        example: "/usr/bin/ffprobe",
        doc: "The ffprobe to use. Unset: the first one in PATH.",
        apply: |s, t| parse::file(t).map(|path| s.tools.ffprobe = Some(path)),
        ..FILE
    },
    Spec {
        name: "TOOLS_WARM",
        path: "tools.warm",
        default: Some("true"),
        doc: "Keep yt-dlp and gallery-dl loaded once they were needed, each in a process of its own that forks a child for \
              every job. A job then starts several times faster; the two processes take about 100 MB together. With \
              false every job starts a process of its own.",
        apply: |s, t| parse::boolean(t).map(|on| s.tools.warm = on),
        ..SWITCH
    },
    Spec {
        name: "TOOLS_WARM_IDLE_SECONDS",
        path: "tools.warm_idle_seconds",
        default: Some("600"),
        takes: "seconds",
        doc: "A loaded tool that nobody has needed for so long ends; the next job that needs it loads it again.",
        apply: |s, t| parse::seconds(t).map(|time| s.tools.warm_idle = time),
        ..NUMBER
    },
    Spec {
        name: "LOG_LEVEL",
        path: "log.level",
        default: Some("info"),
        takes: "level or filter",
        doc: "How much is logged: error, warn, info, debug or trace; or a filter such as `info,boss_bot::net=debug`. Tokens, \
              cookies and signed links are masked at every level.",
        apply: |s, t| parse::log_level(t).map(|level| s.log.level = level),
        ..PLAIN
    },
    Spec {
        name: "LOG_FORMAT",
        path: "log.format",
        default: Some("text"),
        takes: "text or json",
        doc: "How lines are written: `text` for people, `json` for log collectors.",
        apply: |s, t| parse::one_of(t, &["text", "json"]).map(|format| s.log.json = format == "json"),
        ..PLAIN
    },
];

/// A setting of one platform.
#[derive(Debug, Clone, Copy)]
pub struct PlatformSpec {
    /// The platform's short name.
    pub platform: &'static str,
    /// The parameter's name in TOML; `<PLATFORM>_<KEY>` in the environment.
    pub key: &'static str,
    /// What holds when nobody says otherwise. Public keys, query ids and client versions stand here, because platforms
    /// change them and a setting is quicker than a release.
    pub default: Option<&'static str>,
    /// A value to show when there is no default.
    pub example: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it does.
    pub doc: &'static str,
}

impl PlatformSpec {
    /// The flag of a platform that can be asked in process.
    pub const fn flag(platform: &'static str) -> Self {
        Self {
            platform,
            key: USE_API_CLIENT,
            default: None,
            example: "true",
            secret: false,
            doc: "Whether the platform is asked in process first. Unset: whenever this build can.",
        }
    }

    /// The flag of a platform that this build can only ask by tools. Setting it is pointed out at start.
    pub const fn tools_only(platform: &'static str) -> Self {
        Self {
            example: "false",
            doc: "Whether the platform is asked in process first. This build cannot: tools are used whatever stands here.",
            ..Self::flag(platform)
        }
    }

    /// Something that may be shown.
    pub const fn param(
        platform: &'static str,
        key: &'static str,
        default: Option<&'static str>,
        doc: &'static str,
    ) -> Self {
        Self { platform, key, default, example: "", secret: false, doc }
    }

    /// Something that must never be shown. It has no default: what is in a public repository is no secret.
    pub const fn secret(platform: &'static str, key: &'static str, doc: &'static str) -> Self {
        Self { platform, key, default: None, example: "", secret: true, doc }
    }

    /// Its name in the environment.
    pub fn name(&self) -> String {
        format!("{}_{}", self.platform, self.key).to_ascii_uppercase()
    }
}

/// The key of the flag that every platform has.
pub const USE_API_CLIENT: &str = "use_api_client";

/// The keys that every platform takes without telling so: none of them is a secret itself.
pub const COOKIES_FILE: &str = "cookies_file";
/// See [`COOKIES_FILE`].
pub const COOKIES_FROM_BROWSER: &str = "cookies_from_browser";

/// The settings of one platform, told by its own file: `inventory::submit! { PlatformSettingsOf(&[…]) }`. So the table
/// knows them without importing platforms, and a new platform needs no line here.
#[derive(Debug)]
pub struct PlatformSettingsOf(pub &'static [PlatformSpec]);

inventory::collect!(PlatformSettingsOf);

/// Settings of platforms, with those that are documented, by platform. Any other `<PLATFORM>_<KEY>` of a platform named
/// here is handed to it as well.
pub static PLATFORM_SPECS: LazyLock<Vec<PlatformSpec>> = LazyLock::new(|| {
    let mut specs: Vec<PlatformSpec> = inventory::iter::<PlatformSettingsOf>().flat_map(|of| of.0).copied().collect();
    // The linker's order is not ours. Stable, so each platform's own order stays.
    specs.sort_by_key(|spec| spec.platform);
    specs
});

/// The short names of the platforms that take settings, each once.
pub fn platforms() -> impl Iterator<Item = &'static str> {
    PLATFORM_SPECS.iter().filter(|spec| spec.key == USE_API_CLIENT).map(|spec| spec.platform)
}
