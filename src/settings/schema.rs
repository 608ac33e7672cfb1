//! The settings as the program uses them: typed, validated, with units in their names or comments.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::table::PLATFORM_SPECS;

/// Everything the program can be told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Discord.
    pub discord: Discord,
    /// Downloading.
    pub downloads: Downloads,
    /// gallery-dl.
    pub gallery_dl: GalleryDl,
    /// Making files fit.
    pub compression: Compression,
    /// Sending.
    pub upload: Upload,
    /// The operator's store.
    pub store: StoreSettings,
    /// An S3-compatible store.
    pub bucket: BucketSettings,
    /// The network.
    pub network: Network,
    /// What platforms answered before.
    pub cache: CacheSettings,
    /// What was loaded and made lately.
    pub artifacts: ArtifactSettings,
    /// Retries, breakers and rates.
    pub resilience: Resilience,
    /// External programs.
    pub tools: ToolsSettings,
    /// Where jobs are kept.
    pub database: DatabaseSettings,
    /// Logging.
    pub log: Log,
    /// Per platform, by its short name.
    pub platforms: BTreeMap<String, PlatformSettings>,
}

/// Discord.
#[derive(Debug, Clone)]
pub struct Discord {
    /// `DISCORD_TOKEN`. Needed by `boss-bot run` and `boss-bot worker` only.
    pub token: Option<SecretString>,
    /// `PREFIX`, default `$`.
    pub prefix: String,
    /// `DISCORD_API_ADDRESS`: connect here instead of discord.com's address; name and certificate are still checked.
    pub api_address: Option<SocketAddr>,
    /// `POSTED_ALREADY_HOURS`: for so long a link that was posted in a channel is pointed at there. Zero: it is posted again.
    pub posted_already: Duration,
}

/// Downloading.
#[derive(Debug, Clone)]
pub struct Downloads {
    /// `DOWNLOAD_DIR`: job folders live (and die) here; kept files too.
    pub dir: PathBuf,
    /// `DOWNLOAD_LAYOUT`: whether kept files are sorted by platform and author, with what is known of them beside them.
    pub archive: bool,
    /// `MAX_FILE_SIZE` in bytes: larger files are not downloaded.
    pub max_file_bytes: u64,
    /// `MAX_CONCURRENT_DOWNLOADS`.
    pub max_concurrent: usize,
    /// `MAX_JOBS_PER_PLATFORM`: requests from Discord at work at once for one platform, at all workers together. `None`: no
    /// such limit.
    pub max_per_platform: Option<usize>,
    /// `DOWNLOAD_API_FALLBACK_TO_CLI`: whether the tools may take over when the in-process path fails.
    pub api_fallback_to_cli: bool,
    /// `DOWNLOAD_TIMEOUT_SECONDS`: the deadline of one attempt, wall clock.
    pub timeout: Duration,
    /// `DOWNLOAD_ALLOW_GENERIC`: whether yt-dlp's generic extractor may look at unknown sites.
    pub allow_generic: bool,
    /// `DOWNLOAD_STALL_SECONDS`: how long a server may be silent, or too slow on average, in the middle of a file.
    pub stall: Duration,
    /// `DOWNLOAD_MIN_BYTES_PER_SECOND`: fewer on average over that time count as silence. 0: only silence does.
    pub min_rate: u64,
    /// `DOWNLOAD_CONNECTIONS_PER_HOST`: connections to one host at once, by all in-process downloads together.
    pub connections_per_host: usize,
    /// `DOWNLOAD_BANDWIDTH_LIMIT` in bytes a second, for all in-process downloads together.
    pub bandwidth: Option<u64>,
    /// `DOWNLOAD_BANDWIDTH_LIMIT_PER_JOB` in bytes a second, for the in-process downloads of one request.
    pub bandwidth_per_job: Option<u64>,
}

/// gallery-dl.
#[derive(Debug, Clone)]
pub struct GalleryDl {
    /// `GALLERY_DL_CONFIG_FILE`: merged under our own settings.
    pub config_file: Option<PathBuf>,
    /// `GALLERY_DL_COOKIES_FILE`: Netscape cookies, copied per job, handed to yt-dlp too.
    pub cookies_file: Option<PathBuf>,
    /// `GALLERY_DL_COOKIES_FROM_BROWSER`, for example `firefox`.
    pub cookies_from_browser: Option<String>,
    /// `GALLERY_DL_USER_AGENT`.
    pub user_agent: Option<String>,
    /// `GALLERY_DL_RATE_LIMIT` in bytes a second, handed to both tools.
    pub rate_limit: Option<u64>,
    /// `GALLERY_DL_TIMEOUT`: seconds a connection may be silent.
    pub timeout: Duration,
    /// `GALLERY_DL_RETRIES`.
    pub retries: u32,
    /// `GALLERY_DL_CONCURRENT_DOWNLOADS`: gallery-dl processes at once.
    pub concurrent: usize,
}

/// What an animated GIF, WebP or PNG over the limit becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Animations {
    /// A video: far smaller for the same picture.
    Mp4,
    /// A GIF with fewer and smaller frames.
    Gif,
}

/// Making files fit.
#[derive(Debug, Clone)]
pub struct Compression {
    /// `COMPRESSION_TARGET_SIZE_MB` in bytes: aim at this instead of the place's limit when it is lower. `None`: the limit.
    pub target_bytes: Option<u64>,
    /// `COMPRESSION_FFMPEG_PRESET`, an x264 preset name. `None`: by the time budget.
    pub preset: Option<String>,
    /// `COMPRESSION_TIME_BUDGET_SECONDS`: what one encode should take at the most.
    pub time_budget: Duration,
    /// `COMPRESSION_MAX_CONCURRENT`: encodes at once.
    pub max_concurrent: usize,
    /// `COMPRESSION_MIN_VIDEO_BITRATE_KBPS`: below this a video is refused rather than made unwatchable.
    pub min_video_kbps: u32,
    /// `COMPRESSION_MIN_AUDIO_BITRATE_KBPS`.
    pub min_audio_kbps: u32,
    /// `COMPRESSION_IMAGE_MIN_QUALITY`, 1–100.
    pub image_min_quality: u8,
    /// `COMPRESSION_OVERSIZE`: what is too large becomes several files without loss, where that works, rather than one that
    /// is compressed.
    pub split: bool,
    /// `COMPRESSION_VIDEO_CODEC`.
    pub video_codec: VideoCodec,
    /// `COMPRESSION_HARDWARE`.
    pub hardware: Hardware,
    /// `COMPRESSION_ANIMATIONS`: what animations over the limit become.
    pub animations: Animations,
    /// `COMPRESSION_MAX_UPLOAD_SIZE_MB` in bytes: the base upload limit where Discord does not tell one.
    pub base_upload_bytes: u64,
}

/// What videos are encoded as.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VideoCodec {
    /// H.264: plays everywhere.
    #[default]
    H264,
    /// HEVC (H.265).
    Hevc,
    /// AV1.
    Av1,
}

/// Which encoders of the machine's graphics hardware may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hardware {
    /// None.
    #[default]
    Off,
    /// The first that works.
    Auto,
    /// NVIDIA's NVENC.
    Nvenc,
    /// Linux' VAAPI (Intel, AMD).
    Vaapi,
    /// Intel's Quick Sync Video.
    Qsv,
    /// Apple's VideoToolbox.
    VideoToolbox,
}

/// Sending.
#[derive(Debug, Clone)]
pub struct Upload {
    /// `UPLOAD_CLEANUP_AFTER_SUCCESS`.
    pub cleanup_after_success: bool,
    /// `UPLOAD_ENABLE_PROGRESS_UPDATES`.
    pub progress_updates: bool,
    /// `UPLOAD_BATCH_SIZE_MB` in bytes: one message's attachments together, a single larger file excepted.
    pub batch_bytes: u64,
    /// `UPLOAD_MAX_FILES_PER_BATCH`, 1–10.
    pub max_files_per_batch: usize,
}

/// Where files go that are too large to be sent. It is used when both `dir` and `url` are set.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `STORE_DIR`: a folder that the operator's web server serves.
    pub dir: Option<PathBuf>,
    /// `STORE_URL`: the address of that folder. Its path ends in `/`.
    pub url: Option<Url>,
    /// `STORE_LINK_HOURS`: how long a file stays.
    pub keep: Duration,
    /// `STORE_MAX_MB` in bytes: all files together.
    pub max_bytes: u64,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { dir: None, url: None, keep: Duration::from_secs(24 * 3600), max_bytes: 10 << 30 }
    }
}

/// A bucket of an S3-compatible store. It is used when `name` is set.
#[derive(Debug, Clone)]
pub struct BucketSettings {
    /// `S3_BUCKET`.
    pub name: Option<String>,
    /// `S3_URL`: the store's own address.
    pub url: Option<Url>,
    /// `S3_PUBLIC_URL`: the address at which members reach it. Without it nobody is sent there.
    pub public_url: Option<Url>,
    /// `S3_REGION`.
    pub region: String,
    /// `S3_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `S3_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<SecretString>,
    /// `S3_PREFIX`: in front of every object's name; empty, or with a `/` at its end.
    pub prefix: String,
    /// `S3_PATH_STYLE`: whether the bucket is the first part of the path rather than of the host.
    pub path_style: bool,
    /// `S3_MAX_MB` in bytes: everything that the bot keeps there.
    pub max_bytes: u64,
}

impl Default for BucketSettings {
    fn default() -> Self {
        Self {
            name: None,
            url: None,
            public_url: None,
            region: "us-east-1".into(),
            access_key_id: None,
            secret_access_key: None,
            prefix: String::new(),
            path_style: true,
            max_bytes: 10 << 30,
        }
    }
}

/// The network.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// `NETWORK_PROXY`: an upstream HTTP proxy that allowed requests are handed to; it resolves names.
    pub proxy: Option<Url>,
    /// `NETWORK_CA_FILE`: an extra root certificate (PEM) for our clients and the tools.
    pub ca_file: Option<PathBuf>,
    /// `NETWORK_ALLOW_PRIVATE`: `host:port` pairs the guard lets through.
    pub allow_private: Vec<(String, u16)>,
    /// `COOKIES_FILE`: Netscape cookies of the operator's sessions, for the in-process path and the tools.
    pub cookies_file: Option<PathBuf>,
    /// How long is waited for what.
    pub timeouts: Timeouts,
}

/// How long is waited for what. Downloads have [`Downloads::timeout`].
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// `QUICK_TIMEOUT_SECONDS`: a check that only makes a choice better.
    pub quick: Duration,
    /// `SEARCH_TIMEOUT_SECONDS`: looking something up, for example where a short link leads.
    pub search: Duration,
    /// `METADATA_TIMEOUT_SECONDS`: asking in process what a post holds.
    pub metadata: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { quick: Duration::from_secs(2), search: Duration::from_secs(5), metadata: Duration::from_secs(10) }
    }
}

/// Retries, breakers and rates.
#[derive(Debug, Clone)]
pub struct Resilience {
    /// `RETRY_MAX_ATTEMPTS`: tries of the last path to a link.
    pub retry_max_attempts: u32,
    /// `RETRY_BASE_SECONDS`: the wait before the first retry, doubled for each further one.
    pub retry_base: Duration,
    /// `RETRY_MAX_SECONDS`: the longest wait.
    pub retry_max: Duration,
    /// `RETRY_RATE_LIMIT_SECONDS`: the wait after a rate limit that tells none.
    pub rate_limit_delay: Duration,
    /// `RETRY_LATER_MAX`: further attempts at a request from Discord that failed in a way that passes.
    pub retry_later_max: u32,
    /// `RETRY_LATER_SECONDS`: the wait before the first of them.
    pub retry_later: Duration,
    /// `BREAKER_FAILURE_PERCENT`: the share of recent failures that pauses a path.
    pub breaker_failure_percent: u32,
    /// `BREAKER_WINDOW_SECONDS`: how far back attempts are recent.
    pub breaker_window: Duration,
    /// `BREAKER_MIN_ATTEMPTS`: recent attempts without which no path is paused.
    pub breaker_min_attempts: usize,
    /// `BREAKER_COOL_DOWN_SECONDS`: the first pause, doubled each time its test fails.
    pub breaker_cool_down: Duration,
    /// `BREAKER_MAX_COOL_DOWN_SECONDS`: the longest pause.
    pub breaker_max_cool_down: Duration,
    /// `RATE_MAX_WAIT_SECONDS`: how long a request may wait for our own rates while other paths are left.
    pub rate_max_wait: Duration,
}

impl Default for Resilience {
    fn default() -> Self {
        Self {
            retry_max_attempts: 3,
            retry_base: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
            rate_limit_delay: Duration::from_secs(5),
            retry_later_max: 2,
            retry_later: Duration::from_secs(60),
            breaker_failure_percent: 50,
            breaker_window: Duration::from_secs(300),
            breaker_min_attempts: 5,
            breaker_cool_down: Duration::from_secs(30),
            breaker_max_cool_down: Duration::from_secs(900),
            rate_max_wait: Duration::from_secs(5),
        }
    }
}

/// What platforms answered before.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// `CACHE_ENABLED`.
    pub enabled: bool,
    /// `CACHE_POST_HOURS`: how long what a post says is used.
    pub post: Duration,
    /// `CACHE_ADDRESS_MINUTES`: how long media addresses are used that do not tell when they expire.
    pub addresses: Duration,
    /// `CACHE_LIST_MINUTES`: how long the entries of playlists and profiles are used.
    pub list: Duration,
    /// `CACHE_PROFILE_DAYS`: how long what a playlist or profile says of itself is used when it cannot be asked.
    pub profile: Duration,
    /// `CACHE_FAILURE_HOURS`: how long a refusal is believed that is about the post.
    pub failure: Duration,
    /// `CACHE_MAX_ENTRIES`: how many answers are kept on disk.
    pub max_entries: usize,
}

impl Default for CacheSettings {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            enabled: true,
            post: Duration::from_secs(24 * HOUR),
            addresses: Duration::from_secs(600),
            list: Duration::from_secs(900),
            profile: Duration::from_secs(7 * 24 * HOUR),
            failure: Duration::from_secs(6 * HOUR),
            max_entries: 2000,
        }
    }
}

/// Files that were loaded and made lately, kept for whoever asks for the same.
#[derive(Debug, Clone)]
pub struct ArtifactSettings {
    /// `ARTIFACTS_MAX_MB` in bytes: all files together. 0: nothing is kept.
    pub max_bytes: u64,
    /// `ARTIFACTS_HOURS`: how long.
    pub keep: Duration,
}

impl Default for ArtifactSettings {
    fn default() -> Self {
        Self { max_bytes: 1 << 30, keep: Duration::from_secs(24 * 3600) }
    }
}

/// External programs.
#[derive(Debug, Clone)]
pub struct ToolsSettings {
    /// `DATA_DIR`: where the private Python environment and other kept state live.
    pub data_dir: PathBuf,
    /// `TOOLS_DIR`: the private Python environment itself, default `DATA_DIR/tools`.
    pub dir: PathBuf,
    /// `FFMPEG_PATH`; default: the first `ffmpeg` in `PATH`.
    pub ffmpeg: Option<PathBuf>,
    /// `FFPROBE_PATH`; default: the first `ffprobe` in `PATH`.
    pub ffprobe: Option<PathBuf>,
    /// `TOOLS_WARM`: whether a process with the tool loaded waits for jobs and forks a child for each.
    pub warm: bool,
    /// `TOOLS_WARM_IDLE_SECONDS`: how long it waits for the next.
    pub warm_idle: Duration,
}

/// Where jobs are kept.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `DATABASE_URL`, default the file `boss-bot.db` in `DATA_DIR`.
    pub url: DatabaseUrl,
    /// `DATABASE_LEASE_SECONDS`: how long a worker may be silent before its jobs are taken over.
    pub lease: Duration,
    /// `DATABASE_KEEP_DAYS`: how long jobs that have ended stay.
    pub keep: Duration,
}

/// Which database.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server, as its address, which may hold a password.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// The password in it, if there is one.
    pub fn password(&self) -> Option<String> {
        let Self::Postgres(url) = self else { return None };
        let url = Url::parse(url.expose_secret()).ok()?;
        let in_query = || url.query_pairs().find(|(key, _)| key == "password").map(|(_, value)| value.into_owned());
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        url.password().map(decoded).or_else(in_query)
    }
}

/// Logging.
#[derive(Debug, Clone)]
pub struct Log {
    /// `LOG_LEVEL`: `error`, `warn`, `info`, `debug`, `trace`, or a tracing filter.
    pub level: String,
    /// `LOG_FORMAT`: `text` or `json`.
    pub json: bool,
}

/// One platform's settings: the `[platforms.<id>]` table and `<PLATFORM>_…` variables.
#[derive(Debug, Clone, Default)]
pub struct PlatformSettings {
    /// `<PLATFORM>_USE_API_CLIENT`. `None`: the platform's own default.
    pub use_api_client: Option<bool>,
    /// `<PLATFORM>_COOKIES_FILE`: cookies for this platform alone, instead of the common ones.
    pub cookies_file: Option<PathBuf>,
    /// `<PLATFORM>_COOKIES_FROM_BROWSER`: the browser whose cookies the tools take for this platform.
    pub cookies_from_browser: Option<String>,
    /// How often it may be asked, where that differs from the platform's own default.
    pub pace: PaceSettings,
    /// Everything else by lower-case name, for example `query_id` or `client_secret` (`REDDIT_CLIENT_SECRET`).
    pub params: BTreeMap<String, SecretString>,
}

/// What the operator says about how often a platform may be asked. `None`: the platform's own default.
#[derive(Debug, Clone, Copy, Default)]
pub struct PaceSettings {
    /// `<PLATFORM>_REQUESTS_PER_MINUTE`.
    pub requests_per_minute: Option<u32>,
    /// `<PLATFORM>_BURST`.
    pub burst: Option<u32>,
    /// `<PLATFORM>_SPACING_MS`.
    pub spacing: Option<Duration>,
    /// `<PLATFORM>_DAILY_UNITS`.
    pub daily_units: Option<u64>,
}

impl PlatformSettings {
    /// A parameter of `platform`: what the operator said, or else the default of the table.
    pub fn param(&self, platform: &str, key: &str) -> Option<&str> {
        let said = self.params.get(key).map(|value| value.expose_secret().trim()).filter(|value| !value.is_empty());
        said.or_else(|| PLATFORM_SPECS.iter().find(|spec| spec.platform == platform && spec.key == key)?.default)
    }
}

impl Default for Settings {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            discord: Discord {
                token: None,
                prefix: "$".into(),
                api_address: None,
                posted_already: Duration::from_secs(24 * 3600),
            },
            downloads: Downloads {
                dir: "downloads".into(),
                archive: true,
                max_file_bytes: 500 * MIB,
                max_concurrent: 5,
                max_per_platform: None,
                api_fallback_to_cli: true,
                timeout: Duration::from_secs(300),
                allow_generic: false,
                stall: Duration::from_secs(20),
                min_rate: 1024,
                connections_per_host: 8,
                bandwidth: None,
                bandwidth_per_job: None,
            },
            gallery_dl: GalleryDl {
                config_file: None,
                cookies_file: None,
                cookies_from_browser: None,
                user_agent: None,
                rate_limit: None,
                timeout: Duration::from_secs(30),
                retries: 3,
                concurrent: 5,
            },
            compression: Compression {
                target_bytes: None,
                preset: None,
                time_budget: Duration::from_secs(120),
                max_concurrent: 1,
                min_video_kbps: 60,
                min_audio_kbps: 24,
                image_min_quality: 60,
                split: false,
                video_codec: VideoCodec::H264,
                hardware: Hardware::Off,
                animations: Animations::Mp4,
                base_upload_bytes: 10 * MIB,
            },
            upload: Upload {
                cleanup_after_success: true,
                progress_updates: true,
                batch_bytes: 25 * MIB,
                max_files_per_batch: 10,
            },
            store: StoreSettings::default(),
            bucket: BucketSettings::default(),
            network: Network::default(),
            cache: CacheSettings::default(),
            artifacts: ArtifactSettings::default(),
            resilience: Resilience::default(),
            tools: ToolsSettings {
                data_dir: "data".into(),
                dir: "data/tools".into(),
                ffmpeg: None,
                ffprobe: None,
                warm: true,
                warm_idle: Duration::from_secs(600),
            },
            database: DatabaseSettings {
                lease: Duration::from_secs(15),
                url: DatabaseUrl::Sqlite("data/boss-bot.db".into()),
                keep: Duration::from_secs(30 * 24 * 3600),
            },
            log: Log { level: "info".into(), json: false },
            platforms: BTreeMap::new(),
        }
    }
}
