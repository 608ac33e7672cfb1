//! Media for the world, made by ffmpeg once and kept in `target/world-media/`.
//!
//! Every piece is named by its specification; a lock and an atomic rename let parallel test processes share them. Pieces
//! of different seeds differ in hue and in pitch, so that a mix-up shows (and hashes differ).

mod dash;
mod hls;
mod segments;

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use nix::fcntl::{Flock, FlockArg};

pub use dash::{DASH_SOUND, Dash, dash};
pub use hls::{HLS_MASTER, Hls, HlsKind, hls};
pub use segments::{MANIFESTS, segmented};

/// Bit rate of the sound of videos, in bits a second.
const AUDIO_BITS: u64 = 96_000;

/// Frames a second of every video.
const FPS: u32 = 25;

/// A piece of media on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// Where it is.
    pub path: PathBuf,
    /// Its type.
    pub mime: &'static str,
    /// Pixels; 0 for sound.
    pub width: u32,
    /// Pixels; 0 for sound.
    pub height: u32,
    /// Duration; 0 for still images.
    pub seconds: u32,
}

impl Media {
    /// Its size.
    pub fn bytes(&self) -> u64 {
        fs::metadata(&self.path).expect("the media file").len()
    }

    /// Its SHA-256 in hexadecimal.
    pub fn sha256(&self) -> String {
        sha256(&self.path)
    }
}

impl AsRef<Path> for Media {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> String {
    use sha2::{Digest, Sha256};
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path).expect("the file"), &mut hasher).expect("reading it");
    hex::encode(hasher.finalize())
}

/// A video asked for. `Video { seconds: 40, ..Video::seed(3) }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// Which one: picks hue and pitch.
    pub seed: u32,
    /// Duration.
    pub seconds: u32,
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Fill it with noise until it has exactly this size (real bits, so it stays this large when copied).
    pub target_bytes: Option<u64>,
    /// Append an empty box so that it has exactly this size (cheap to make, cheap to decode).
    pub padded_to: Option<u64>,
    /// Whether it has sound.
    pub sound: bool,
    /// VP9 and Opus in WebM instead of H.264 and AAC in MP4.
    pub webm: bool,
}

impl Video {
    /// 2 s of 320 × 180 with sound, about 180 kB.
    pub fn seed(seed: u32) -> Self {
        Self {
            seed,
            seconds: 2,
            width: 320,
            height: 180,
            target_bytes: None,
            padded_to: None,
            sound: true,
            webm: false,
        }
    }

    fn name(&self) -> String {
        let Self { seed, seconds, width, height, target_bytes, padded_to, sound, webm } = self;
        let mut name = format!("video-{seed}-{seconds}s-{width}x{height}");
        if let Some(bytes) = target_bytes {
            name += &format!("-{bytes}b");
        }
        if let Some(bytes) = padded_to {
            name += &format!("-padded{bytes}");
        }
        name + if *sound { "" } else { "-silent" } + if *webm { ".webm" } else { ".mp4" }
    }
}

/// Makes (or finds) a video.
pub fn video(spec: Video) -> Media {
    let path = make(&spec.name(), |path| {
        // Noise does not obey a bit rate to the byte: try lower until it is under, then fill up.
        let mut share = 97;
        loop {
            encode_video(&spec, share, path);
            let Some(target) = spec.target_bytes.or(spec.padded_to) else { break };
            if pad(path, target) {
                break;
            }
            share -= 4;
        }
    });
    let mime = if spec.webm { "video/webm" } else { "video/mp4" };
    Media { path, mime, width: spec.width, height: spec.height, seconds: spec.seconds }
}

/// A small video: 2 s, about 180 kB.
pub fn small_video(seed: u32) -> Media {
    video(Video::seed(seed))
}

/// A video without sound, as GIF posts are delivered.
pub fn silent_video(seed: u32) -> Media {
    video(Video { sound: false, ..Video::seed(seed) })
}

/// A video of exactly `bytes` of real noise: 10 s of 640 × 360.
pub fn video_of(bytes: u64, seed: u32) -> Media {
    video(Video { seconds: 10, width: 640, height: 360, target_bytes: Some(bytes), ..Video::seed(seed) })
}

/// A small video that is padded to `bytes`: plays in 2 s, costs its size only to move.
pub fn padded_video(bytes: u64, seed: u32) -> Media {
    video(Video { padded_to: Some(bytes), ..Video::seed(seed) })
}

fn encode_video(spec: &Video, share: u64, path: &Path) {
    let mut ffmpeg = ffmpeg();
    ffmpeg.args(["-f", "lavfi", "-i", &picture(spec.seed, spec.width, spec.height, spec.target_bytes.is_some())]);
    if spec.sound {
        ffmpeg.args(["-f", "lavfi", "-i", &tone(spec.seed)]);
    }
    ffmpeg.args(["-t", &spec.seconds.to_string(), "-pix_fmt", "yuv420p", "-g", &FPS.to_string()]);
    if spec.webm {
        ffmpeg.args(["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "300k"]);
        ffmpeg.args(["-c:a", "libopus", "-b:a", "64k"]);
    } else {
        ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high", "-movflags", "+faststart"]);
        if let Some(bytes) = spec.target_bytes {
            let sound = if spec.sound { AUDIO_BITS } else { 0 };
            let bits = bytes * 8 / u64::from(spec.seconds) * share / 100 - sound;
            ffmpeg.args(constant_bit_rate(bits));
        }
        ffmpeg.args(["-c:a", "aac", "-b:a", &AUDIO_BITS.to_string()]);
    }
    run(ffmpeg.arg(path));
}

/// x264 arguments that really spend the bits, with filler where the picture needs fewer.
fn constant_bit_rate(bits: u64) -> [String; 10] {
    let bits = bits.to_string();
    ["-b:v", &bits, "-minrate", &bits, "-maxrate", &bits, "-bufsize", &bits, "-x264-params", "nal-hrd=cbr"]
        .map(str::to_owned)
}

/// Appends a `free` box so that the MP4 has exactly `target` bytes. False if it is too large already.
fn pad(path: &Path, target: u64) -> bool {
    let size = fs::metadata(path).expect("the encoded file").len();
    if size == target {
        return true;
    }
    if size + 8 > target {
        return false;
    }
    let room = target - size;
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("the encoded file");
    file.write_all(&u32::try_from(room).expect("padding below 4 GiB").to_be_bytes()).expect("room on disk");
    file.write_all(b"free").expect("room on disk");
    // The content of the box means nothing: a hole on disk will do.
    file.set_len(target).expect("room on disk");
    true
}

/// What kind of still or moving image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageKind {
    /// JPEG.
    Jpg,
    /// PNG.
    Png,
    /// WebP, still.
    Webp,
    /// GIF, moving, 1 s.
    Gif,
}

/// An image asked for. `Image { width: 4000, noisy: true, ..Image::seed(3, ImageKind::Png) }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Which one: picks the hue.
    pub seed: u32,
    /// Its format.
    pub kind: ImageKind,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Covered with noise, so that it is large: a byte or more for each pixel.
    pub noisy: bool,
}

impl Image {
    /// 640 × 480, plain.
    pub fn seed(seed: u32, kind: ImageKind) -> Self {
        Self { seed, kind, width: 640, height: 480, noisy: false }
    }
}

/// Makes (or finds) an image.
pub fn image(spec: Image) -> Media {
    let Image { seed, kind, width, height, noisy } = spec;
    let (extension, mime) = match kind {
        ImageKind::Jpg => ("jpg", "image/jpeg"),
        ImageKind::Png => ("png", "image/png"),
        ImageKind::Webp => ("webp", "image/webp"),
        ImageKind::Gif => ("gif", "image/gif"),
    };
    let noise = if noisy { "-noisy" } else { "" };
    let path = make(&format!("picture-{seed}-{width}x{height}{noise}.{extension}"), |path| {
        let mut ffmpeg = ffmpeg();
        ffmpeg.args(["-f", "lavfi", "-i", &picture(seed, width, height, noisy)]);
        match kind {
            ImageKind::Jpg => ffmpeg.args(["-frames:v", "1", "-q:v", "2", "-pix_fmt", "yuvj420p"]),
            ImageKind::Png => ffmpeg.args(["-frames:v", "1"]),
            ImageKind::Webp => ffmpeg.args(["-frames:v", "1", "-c:v", "libwebp"]),
            ImageKind::Gif => ffmpeg.args(["-t", "1", "-r", "10"]),
        };
        // Without a comment about the encoder: what tells nothing is delivered byte by byte.
        run(ffmpeg.args(["-flags", "+bitexact"]).arg(path));
    });
    Media { path, mime, width, height, seconds: u32::from(kind == ImageKind::Gif) }
}

/// A GIF as a video without sound, as platforms offer it besides.
pub fn gif_as_video(gif: &Media) -> Media {
    let name = gif.path.file_name().expect("a name").to_string_lossy();
    let path = make(&format!("{name}.mp4"), |path| {
        let mut ffmpeg = ffmpeg();
        ffmpeg.arg("-i").arg(&gif.path).args(["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]);
        run(ffmpeg.args(["-movflags", "+faststart"]).arg(path));
    });
    Media { path, mime: "video/mp4", ..gif.clone() }
}

/// A JPEG of 640 × 480.
pub fn jpg(seed: u32) -> Media {
    image(Image::seed(seed, ImageKind::Jpg))
}

/// Sound alone: MP3, or AAC in M4A.
pub fn audio(seconds: u32, m4a: bool, seed: u32) -> Media {
    let (extension, codec, mime) = if m4a { ("m4a", "aac", "audio/mp4") } else { ("mp3", "libmp3lame", "audio/mpeg") };
    let path = make(&format!("audio-{seed}-{seconds}s.{extension}"), |path| {
        let mut ffmpeg = ffmpeg();
        ffmpeg.args(["-f", "lavfi", "-i", &tone(seed), "-t", &seconds.to_string()]);
        run(ffmpeg.args(["-c:a", codec, "-b:a", "128k"]).arg(path));
    });
    Media { path, mime, width: 0, height: 0, seconds }
}

/// A folder with `index.m3u8` and `seg_000.ts` … of a small video with sound.
pub fn small_hls(seed: u32) -> PathBuf {
    let source = video(Video { seconds: 6, ..Video::seed(seed) });
    make(&format!("hls-{seed}"), |folder| {
        fs::create_dir_all(folder).expect("a folder");
        let mut ffmpeg = ffmpeg();
        ffmpeg.current_dir(folder).arg("-i").arg(&source.path).args(["-c", "copy", "-f", "hls", "-hls_time", "2"]);
        run(ffmpeg.args(["-hls_playlist_type", "vod", "-hls_segment_filename", "seg_%03d.ts", "index.m3u8"]));
    })
}

/// The content type of a file in a [`dash`] or [`small_hls`] folder.
pub fn stream_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("mpd") => "application/dash+xml",
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("ts") => "video/mp2t",
        _ => "video/mp4",
    }
}

// ---- how it is made ----

/// A moving picture of the seed's own hue.
fn picture(seed: u32, width: u32, height: u32, noisy: bool) -> String {
    let noise = if noisy { ",noise=alls=40:allf=t" } else { "" };
    format!("testsrc2=size={width}x{height}:rate={FPS},hue=h={}{noise}", seed * 67 % 360)
}

/// A tone of the seed's own pitch.
fn tone(seed: u32) -> String {
    format!("sine=frequency={}:sample_rate=44100", 220 + seed * 37 % 2000)
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-y"]);
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("ffmpeg is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Where the pieces are kept.
fn store() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/world-media")
}

/// Finds the piece `name` (a file or a folder), or makes it: one process at a time, visible only when whole.
fn make(name: &str, build: impl FnOnce(&Path)) -> PathBuf {
    let store = store();
    let path = store.join(name);
    if path.exists() {
        return path;
    }
    fs::create_dir_all(store.join("locks")).expect("the store");
    let lock = File::create(store.join("locks").join(name)).expect("a lock file");
    let _held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error).expect("the lock");
    if !path.exists() {
        let unfinished = store.join(format!("unfinished-{}-{name}", std::process::id()));
        build(&unfinished);
        fs::rename(&unfinished, &path).expect("the rename");
    }
    path
}
