//! Making files fit, sending them, and where those go that can't be sent.

use secrecy::SecretString;

use super::{NUMBER, PLAIN, SIZE, SWITCH, Spec};
use crate::settings::{
    parse::{self, PRESETS},
    schema::{Animations, Hardware, VideoCodec},
};

/// These settings.
pub(super) const SPECS: &[Spec] = &[
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
        default: Some("auto"),
        takes: "auto or an x264 preset",
        doc: "How thoroughly videos are encoded, from ultrafast to veryslow: slower looks better at the same size. auto: the \
              longer a video takes, the faster, and within the time budget, from slow to superfast.",
        apply: |s, t| {
            if t.eq_ignore_ascii_case("auto") {
                s.compression.preset = None;
                return Ok(());
            }
            parse::one_of(t, PRESETS).map(|preset| s.compression.preset = Some(preset.to_owned()))
        },
        ..PLAIN
    },
    Spec {
        name: "COMPRESSION_TIME_BUDGET_SECONDS",
        path: "compression.time_budget_seconds",
        default: Some("120"),
        takes: "seconds",
        doc: "How long one encode should take at the most, as far as can be foreseen: a longer one is made faster at the \
              cost of quality.",
        apply: |s, t| parse::seconds(t).map(|time| s.compression.time_budget = time),
        ..NUMBER
    },
    Spec {
        name: "COMPRESSION_MAX_CONCURRENT",
        path: "compression.max_concurrent",
        default: Some("1"),
        takes: "number, 1 to 64",
        doc: "How many files are encoded at once. Each encode keeps the processor busy. Servers and people take turns.",
        apply: |s, t| parse::number(t, 1, 64).map(|count| s.compression.max_concurrent = count),
        ..NUMBER
    },
    Spec {
        name: "COMPRESSION_MIN_VIDEO_BITRATE_KBPS",
        path: "compression.min_video_bitrate_kbps",
        default: Some("60"),
        takes: "kbit/s, 10 to 50000",
        doc: "A video that would need less than this to fit is refused rather than made unwatchable. Fewer frames than 24 a second \
              need less.",
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
        default: Some("60"),
        takes: "number, 1 to 100",
        doc: "The lowest JPEG or WebP quality a picture is saved with; below it the picture is made smaller instead.",
        apply: |s, t| parse::number(t, 1, 100).map(|quality| s.compression.image_min_quality = quality),
        ..NUMBER
    },
    Spec {
        name: "COMPRESSION_ANIMATIONS",
        path: "compression.animations",
        default: Some("mp4"),
        takes: "mp4 or gif",
        doc: "What an animated GIF, WebP or PNG over the limit becomes: a video, or a GIF with fewer and smaller frames.",
        apply: |s, t| {
            parse::one_of(t, &["mp4", "gif"]).map(|kind| {
                s.compression.animations = if kind == "gif" { Animations::Gif } else { Animations::Mp4 };
            })
        },
        ..PLAIN
    },
    Spec {
        name: "COMPRESSION_OVERSIZE",
        path: "compression.oversize",
        default: Some("compress"),
        takes: "compress or split",
        doc: "What becomes of a video or sound that is over the limit: compress makes one file that fits, split makes up to \
              ten parts without loss (and compresses where that cannot be done). People can ask for parts themselves.",
        apply: |s, t| parse::one_of(t, &["compress", "split"]).map(|way| s.compression.split = way == "split"),
        ..PLAIN
    },
    Spec {
        name: "COMPRESSION_VIDEO_CODEC",
        path: "compression.video_codec",
        default: Some("h264"),
        takes: "h264, hevc or av1",
        doc: "What videos are encoded as. hevc and av1 look better at the same size, take longer, and some of Discord's \
              clients show only a frozen first picture of them.",
        apply: |s, t| {
            parse::one_of(t, &["h264", "hevc", "av1"]).map(|name| {
                s.compression.video_codec = match name {
                    "hevc" => VideoCodec::Hevc,
                    "av1" => VideoCodec::Av1,
                    _ => VideoCodec::H264,
                }
            })
        },
        ..PLAIN
    },
    Spec {
        name: "COMPRESSION_HARDWARE",
        path: "compression.hardware",
        default: Some("off"),
        takes: "off, auto, nvenc, vaapi, qsv or videotoolbox",
        doc: "Encoders of the machine's graphics hardware, for videos with bits to spare. They are fast, and look worse than \
              x264 at the same size, so tight limits are always met in software. Each is tried by a real encode first; one \
              that does not work, or fails later, is replaced by software.",
        apply: |s, t| {
            parse::one_of(t, &["off", "auto", "nvenc", "vaapi", "qsv", "videotoolbox"]).map(|name| {
                s.compression.hardware = match name {
                    "auto" => Hardware::Auto,
                    "nvenc" => Hardware::Nvenc,
                    "vaapi" => Hardware::Vaapi,
                    "qsv" => Hardware::Qsv,
                    "videotoolbox" => Hardware::VideoToolbox,
                    _ => Hardware::Off,
                }
            })
        },
        ..PLAIN
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
        name: "STORE_DIR",
        path: "store.dir",
        example: "/srv/www/media",
        takes: "folder",
        doc: "A folder that your own web server serves. With STORE_URL, a file that cannot be made small enough for Discord is \
              copied there, and the answer carries a link to it. Unset: such a file is refused.",
        apply: |s, t| parse::folder(t).map(|path| s.store.dir = Some(path)),
        ..PLAIN
    },
    Spec {
        name: "STORE_URL",
        path: "store.url",
        example: "https://media.example.org/",
        takes: "address",
        doc: "The address at which people reach what lies in STORE_DIR.",
        apply: |s, t| parse::address_of_folder(t).map(|url| s.store.url = Some(url)),
        ..PLAIN
    },
    Spec {
        name: "STORE_LINK_HOURS",
        path: "store.link_hours",
        default: Some("24"),
        takes: "number, 1 to 720",
        doc: "How many hours such a file stays.",
        apply: |s, t| parse::number(t, 1, 720).map(|hours| s.store.keep = parse::hours(hours)),
        ..NUMBER
    },
    Spec {
        name: "STORE_MAX_MB",
        path: "store.max_mb",
        default: Some("10240"),
        doc: "How much all of them may take. The oldest make room for new ones.",
        apply: |s, t| parse::size(t).map(|bytes| s.store.max_bytes = bytes),
        ..SIZE
    },
    Spec {
        name: "S3_BUCKET",
        path: "s3.bucket",
        example: "boss-bot",
        takes: "name",
        doc: "A bucket of an S3-compatible store, with S3_URL, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY. What one machine has \
              loaded and made is kept there too, so that the others need not load it again.",
        apply: |s, t| parse::bucket(t).map(|name| s.bucket.name = Some(name)),
        ..PLAIN
    },
    Spec {
        name: "S3_URL",
        path: "s3.url",
        example: "https://s3.eu-central-1.amazonaws.com",
        takes: "address",
        doc: "The store's address. Through NETWORK_PROXY, unless it is in a private network.",
        apply: |s, t| parse::server(t).map(|url| s.bucket.url = Some(url)),
        ..PLAIN
    },
    Spec {
        name: "S3_PUBLIC_URL",
        path: "s3.public_url",
        example: "https://s3.eu-central-1.amazonaws.com",
        takes: "address",
        doc: "The address at which members reach the store, often the same. With it, a file that cannot be made small enough for \
              Discord is put there, and the answer carries a signed link to it that ends after STORE_LINK_HOURS (a week at the \
              most). STORE_DIR goes first.",
        apply: |s, t| parse::server(t).map(|url| s.bucket.public_url = Some(url)),
        ..PLAIN
    },
    Spec {
        name: "S3_REGION",
        path: "s3.region",
        default: Some("us-east-1"),
        takes: "name",
        doc: "The store's region. Stores other than Amazon's mostly take any.",
        apply: |s, t| parse::word(t).map(|region| s.bucket.region = region),
        ..PLAIN
    },
    Spec {
        name: "S3_ACCESS_KEY_ID",
        path: "s3.access_key_id",
        example: "AKIAIOSFODNN7EXAMPLE",
        takes: "text",
        doc: "Who the bot is for the store. It needs to put, get, list and delete objects.",
        apply: |s, t| parse::word(t).map(|id| s.bucket.access_key_id = Some(id)),
        ..PLAIN
    },
    Spec {
        name: "S3_SECRET_ACCESS_KEY",
        path: "s3.secret_access_key",
        example: "paste-the-secret-here",
        takes: "text",
        secret: true,
        doc: "The secret of S3_ACCESS_KEY_ID.",
        apply: |s, t| parse::word(t).map(|key| s.bucket.secret_access_key = Some(SecretString::from(key))),
        ..PLAIN
    },
    Spec {
        name: "S3_PREFIX",
        path: "s3.prefix",
        example: "boss-bot/",
        takes: "text",
        doc: "What every name in the bucket begins with, where the bucket holds other things too.",
        apply: |s, t| parse::object_prefix(t).map(|prefix| s.bucket.prefix = prefix),
        ..PLAIN
    },
    Spec {
        name: "S3_PATH_STYLE",
        path: "s3.path_style",
        default: Some("true"),
        doc: "Whether the bucket's name is in the path (https://host/bucket/…) or in the host (https://bucket.host/…).",
        apply: |s, t| parse::boolean(t).map(|on| s.bucket.path_style = on),
        ..SWITCH
    },
    Spec {
        name: "S3_MAX_MB",
        path: "s3.max_mb",
        default: Some("10240"),
        doc: "How much the bot may keep there. The oldest goes first.",
        apply: |s, t| parse::size(t).map(|bytes| s.bucket.max_bytes = bytes),
        ..SIZE
    },
];
