//! HLS streams of every kind that is met: `master.m3u8` with a `high.m3u8` and a `low.m3u8`, and their segments.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aes::cipher::{BlockEncryptMut, KeyIvInit, block_padding::Pkcs7};

use super::{FPS, ffmpeg, make, picture, run, tone};

/// Seconds a segment lasts.
const SEGMENT: u32 = 2;

/// Name of the master playlist in a [`hls`] folder.
pub const HLS_MASTER: &str = "master.m3u8";

/// Bytes of the secret key in folders of encrypted streams, in `key.bin`.
const KEY: [u8; 16] = *b"sixteen bytes...";

/// What kind of HLS stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HlsKind {
    /// MPEG-TS segments with picture and sound.
    Ts,
    /// The same, encrypted with AES-128; the vectors are the segments' numbers.
    Encrypted,
    /// Fragmented MP4 in one file, by byte ranges.
    Ranges,
    /// Fragmented MP4, header and segments encrypted with AES-128 and a vector of their own.
    EncryptedFragments,
    /// MPEG-TS with the sound apart, in `sound.m3u8`.
    SoundApart,
    /// MPEG-TS of two recordings with a discontinuity between them.
    Discontinuity,
    /// Fragmented MP4 of two recordings, each with a header of its own.
    ChangingMaps,
}

impl HlsKind {
    /// All of them.
    pub const ALL: [HlsKind; 7] = [
        HlsKind::Ts,
        HlsKind::Encrypted,
        HlsKind::Ranges,
        HlsKind::EncryptedFragments,
        HlsKind::SoundApart,
        HlsKind::Discontinuity,
        HlsKind::ChangingMaps,
    ];
}

/// An HLS stream asked for. `Hls { kind: HlsKind::SoundApart, ..Hls::seed(3) }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hls {
    /// Which one.
    pub seed: u32,
    /// Its kind.
    pub kind: HlsKind,
    /// Duration.
    pub seconds: u32,
    /// Pixels of the best variant; the lower one has half of both.
    pub width: u32,
    /// Pixels of the best variant.
    pub height: u32,
}

impl Hls {
    /// 6 s of 640 × 360 in MPEG-TS with sound.
    pub fn seed(seed: u32) -> Self {
        Self { seed, kind: HlsKind::Ts, seconds: 6, width: 640, height: 360 }
    }
}

/// Makes (or finds) a folder with `master.m3u8`, `high.m3u8`, `low.m3u8` and what they name, for `Web::folder`.
pub fn hls(spec: &Hls) -> PathBuf {
    let Hls { seed, kind, seconds, width, height } = *spec;
    make(&format!("hls-{seed}-{kind:?}-{seconds}s-{width}x{height}"), |folder| {
        fs::create_dir_all(folder).expect("a folder");
        if matches!(kind, HlsKind::Encrypted | HlsKind::EncryptedFragments) {
            fs::write(folder.join("key.bin"), KEY).expect("room on disk");
        }
        let mut master = String::from("#EXTM3U\n#EXT-X-VERSION:6\n");
        let (mut sound_bytes, mut group) = (0, "");
        if kind == HlsKind::SoundApart {
            let source = folder.join("sound.m4a");
            let mut ffmpeg = ffmpeg();
            ffmpeg.args(["-f", "lavfi", "-i", &tone(seed), "-t", &seconds.to_string(), "-c:a", "aac", "-b:a", "128k"]);
            run(ffmpeg.arg(&source));
            cut(folder, "sound", &source, kind);
            fs::remove_file(source).expect("the source");
            sound_bytes = bytes_of(folder, "sound");
            group = ",AUDIO=\"aud\"";
            master += "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aud\",NAME=\"main\",DEFAULT=YES,AUTOSELECT=YES,\
                       URI=\"sound.m3u8\"\n";
        }
        for (name, width, height) in [("low", width / 2, height / 2), ("high", width, height)] {
            variant(folder, name, spec, (width, height));
            let bits = (bytes_of(folder, name) + sound_bytes) * 8 / u64::from(seconds);
            master += &format!(
                "#EXT-X-STREAM-INF:BANDWIDTH={bits},CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION={width}x{height},\
                 FRAME-RATE={FPS}.000{group}\n{name}.m3u8\n"
            );
        }
        fs::write(folder.join(HLS_MASTER), master).expect("room on disk");
    })
}

/// One variant's playlist and segments.
fn variant(folder: &Path, name: &str, spec: &Hls, size: (u32, u32)) {
    let Hls { seed, kind, seconds, .. } = *spec;
    let source = |seed: u32, seconds: u32| {
        let source = folder.join(format!("{name}-source.mp4"));
        record(&source, seed, seconds, size, kind != HlsKind::SoundApart);
        source
    };
    if !matches!(kind, HlsKind::Discontinuity | HlsKind::ChangingMaps) {
        let source = source(seed, seconds);
        cut(folder, name, &source, kind);
        return fs::remove_file(source).expect("the source");
    }
    // Two recordings of half the length each, cut apart, their playlists joined.
    let mut playlists = Vec::new();
    for (part, seed) in [("a", seed), ("b", seed + 1)] {
        let source = source(seed, seconds / 2);
        let part = format!("{name}-{part}");
        cut(folder, &part, &source, kind);
        fs::remove_file(source).expect("the source");
        let path = folder.join(format!("{part}.m3u8"));
        playlists.push(fs::read_to_string(&path).expect("its playlist"));
        fs::remove_file(path).expect("its playlist");
    }
    let body = |text: &str| -> String {
        let of_segments = |line: &&str| !line.starts_with("#EXT-X-") || line.starts_with("#EXT-X-MAP");
        text.lines().filter(|line| *line != "#EXTM3U").filter(of_segments).map(|line| format!("{line}\n")).collect()
    };
    let joined = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{SEGMENT}\n#EXT-X-PLAYLIST-TYPE:VOD\n{}\
         #EXT-X-DISCONTINUITY\n{}#EXT-X-ENDLIST\n",
        body(&playlists[0]),
        body(&playlists[1])
    );
    fs::write(folder.join(format!("{name}.m3u8")), joined).expect("room on disk");
}

fn record(path: &Path, seed: u32, seconds: u32, (width, height): (u32, u32), sound: bool) {
    let mut ffmpeg = ffmpeg();
    ffmpeg.args(["-f", "lavfi", "-i", &picture(seed, width, height, false)]);
    if sound {
        ffmpeg.args(["-f", "lavfi", "-i", &tone(seed), "-c:a", "aac", "-b:a", "96k"]);
    }
    ffmpeg.args(["-t", &seconds.to_string(), "-pix_fmt", "yuv420p", "-g", &FPS.to_string()]);
    run(ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high"]).arg(path));
}

/// Cuts a recording into `<name>.m3u8` and segments.
fn cut(folder: &Path, name: &str, source: &Path, kind: HlsKind) {
    let mut ffmpeg = ffmpeg();
    // Names in playlists are relative: work inside.
    let source = source.file_name().expect("a name");
    ffmpeg.current_dir(folder).arg("-i").arg(source).args(["-c", "copy", "-f", "hls"]);
    ffmpeg.args(["-hls_time", &SEGMENT.to_string(), "-hls_playlist_type", "vod"]);
    let fragments = |ffmpeg: &mut std::process::Command| {
        ffmpeg.args(["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", &format!("{name}-init.mp4")]);
        ffmpeg.args(["-hls_segment_filename", &format!("{name}-%03d.m4s")]);
    };
    match kind {
        HlsKind::Ranges => {
            ffmpeg.args(["-hls_segment_type", "fmp4", "-hls_flags", "single_file"]);
        }
        HlsKind::EncryptedFragments | HlsKind::ChangingMaps => fragments(&mut ffmpeg),
        _ => {
            ffmpeg.args(["-hls_segment_filename", &format!("{name}-%03d.ts")]);
        }
    }
    run(ffmpeg.arg(format!("{name}.m3u8")));
    match kind {
        HlsKind::Encrypted => encrypt(folder, name, None),
        HlsKind::EncryptedFragments => encrypt(folder, name, Some(0xB055_0000_0000_0000_0000_0000_0000_0001)),
        _ => {}
    }
}

/// Encrypts the segments, and the header if there is one, and says so in the playlist. `vector`: for all of them; else
/// each has its number.
fn encrypt(folder: &Path, name: &str, vector: Option<u128>) {
    let playlist = folder.join(format!("{name}.m3u8"));
    let text = fs::read_to_string(&playlist).expect("the playlist");
    let mut number = 0;
    let lock = |file: &str, vector: u128| {
        let path = folder.join(file);
        let plain = fs::read(&path).expect("a segment");
        let cipher = cbc::Encryptor::<aes::Aes128>::new(&KEY.into(), &vector.to_be_bytes().into());
        fs::write(path, cipher.encrypt_padded_vec_mut::<Pkcs7>(&plain)).expect("room on disk");
    };
    for line in text.lines() {
        if let Some(header) = line.strip_prefix("#EXT-X-MAP:URI=\"").and_then(|rest| rest.split('"').next()) {
            lock(header, vector.expect("a header's vector is told"));
        } else if !line.starts_with('#') && !line.is_empty() {
            lock(line, vector.unwrap_or(number));
            number += 1;
        }
    }
    let told = vector.map_or(String::new(), |vector| format!(",IV=0x{vector:032x}"));
    let key = format!("#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"{told}\n");
    // Before the header: what stands behind a key is encrypted with it.
    let at = text.find("#EXT-X-MAP").or_else(|| text.find("#EXTINF")).expect("segments");
    let (before, after) = text.split_at(at);
    fs::write(playlist, format!("{before}{key}{after}")).expect("room on disk");
}

/// Bytes of the segments of `name`.
fn bytes_of(folder: &Path, name: &str) -> u64 {
    let files = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry"));
    files
        .filter(|file| {
            let file = file.file_name().to_string_lossy().into_owned();
            file.starts_with(name) && !file.ends_with(".m3u8")
        })
        .map(|file| file.metadata().expect("its size").len())
        .sum()
}
