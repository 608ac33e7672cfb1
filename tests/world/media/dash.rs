//! Videos whose picture and sound come apart: DASH and HLS, as v.redd.it serves them.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{FPS, constant_bit_rate, ffmpeg, make, picture, run, tone};

/// A video whose picture and sound come apart, as v.redd.it serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dash {
    /// Which one.
    pub seed: u32,
    /// Duration.
    pub seconds: u32,
    /// Pixels of the best quality.
    pub width: u32,
    /// Pixels of the best quality; the lower one has half of both.
    pub height: u32,
    /// Bytes of the best picture, about; `None`: as small as it gets.
    pub video_bytes: Option<u64>,
    /// Whether there is sound.
    pub sound: bool,
}

impl Dash {
    /// 3 s of 640 × 360 with sound.
    pub fn seed(seed: u32) -> Self {
        Self { seed, seconds: 3, width: 640, height: 360, video_bytes: None, sound: true }
    }

    /// 40 s of noise: a picture of more than 32 MiB, and sound.
    pub fn huge(seed: u32) -> Self {
        Self { seconds: 40, video_bytes: Some(34 * 1024 * 1024), ..Self::seed(seed) }
    }

    /// Name of the best picture's file.
    pub fn best(&self) -> String {
        format!("DASH_{}.mp4", self.height)
    }

    /// Name of the lower picture's file.
    pub fn lower(&self) -> String {
        format!("DASH_{}.mp4", self.height / 2)
    }
}

/// Name of the sound's file in a [`dash`] folder.
pub const DASH_SOUND: &str = "DASH_AUDIO_128.mp4";

/// Makes (or finds) a folder with `DASH_360.mp4`, `DASH_180.mp4`, `DASH_AUDIO_128.mp4` (fragmented MP4, each one stream),
/// `DASHPlaylist.mpd`, and the same as HLS: `HLSPlaylist.m3u8`, `HLS_360.m3u8`, `HLS_AUDIO_128.m3u8` and their segments.
pub fn dash(spec: &Dash) -> PathBuf {
    let Dash { seed, seconds, width, height, video_bytes, sound } = *spec;
    let size = video_bytes.map_or(String::new(), |bytes| format!("-{bytes}b"));
    let silent = if sound { "" } else { "-silent" };
    make(&format!("dash-{seed}-{seconds}s-{width}x{height}{size}{silent}"), |folder| {
        fs::create_dir_all(folder).expect("a folder");
        for (name, width, height, bytes) in
            [(spec.best(), width, height, video_bytes), (spec.lower(), width / 2, height / 2, None)]
        {
            let mut ffmpeg = ffmpeg();
            ffmpeg.args(["-f", "lavfi", "-i", &picture(seed, width, height, bytes.is_some())]);
            ffmpeg.args(["-t", &seconds.to_string(), "-pix_fmt", "yuv420p", "-g", &FPS.to_string()]);
            ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "high"]);
            if let Some(bytes) = bytes {
                ffmpeg.args(constant_bit_rate(bytes * 8 / u64::from(seconds)));
            }
            run(ffmpeg.args(["-movflags", FRAGMENTED]).arg(folder.join(name)));
        }
        if sound {
            let mut ffmpeg = ffmpeg();
            ffmpeg.args(["-f", "lavfi", "-i", &tone(seed), "-t", &seconds.to_string(), "-c:a", "aac", "-b:a", "128k"]);
            run(ffmpeg.args(["-movflags", FRAGMENTED]).arg(folder.join(DASH_SOUND)));
        }
        fs::write(folder.join("DASHPlaylist.mpd"), manifest(spec, folder)).expect("room on disk");
        hls(spec, folder);
    })
}

/// MP4 fragments with one index at the front, as DASH on-demand files have.
const FRAGMENTED: &str = "+frag_keyframe+empty_moov+default_base_moof+global_sidx";

fn manifest(spec: &Dash, folder: &Path) -> String {
    let representation = |id: u32, name: &str, attributes: &str| {
        let bytes = fs::metadata(folder.join(name)).expect("the stream").len();
        let bandwidth = bytes * 8 / u64::from(spec.seconds);
        let (index, header) = ranges(&folder.join(name));
        format!(
            "<Representation id=\"{id}\" bandwidth=\"{bandwidth}\" {attributes}><BaseURL>{name}</BaseURL>\
             <SegmentBase indexRange=\"{index}\"><Initialization range=\"{header}\"/></SegmentBase></Representation>"
        )
    };
    let picture = |width: u32, height: u32| {
        format!(
            "codecs=\"avc1.64001f\" mimeType=\"video/mp4\" frameRate=\"{FPS}\" width=\"{width}\" height=\"{height}\" \
             scanType=\"progressive\""
        )
    };
    let Dash { width, height, seconds, .. } = *spec;
    let pictures = representation(1, &spec.lower(), &picture(width / 2, height / 2))
        + &representation(2, &spec.best(), &picture(width, height));
    let sound = if spec.sound {
        let stream =
            representation(3, DASH_SOUND, "codecs=\"mp4a.40.2\" mimeType=\"audio/mp4\" audioSamplingRate=\"44100\"");
        format!(
            "<AdaptationSet contentType=\"audio\" id=\"1\" segmentAlignment=\"true\" startWithSAP=\"1\">{stream}</AdaptationSet>"
        )
    } else {
        String::new()
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD mediaPresentationDuration=\"PT{seconds}S\" \
         minBufferTime=\"PT1.500S\" profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\" type=\"static\" \
         xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><Period duration=\"PT{seconds}S\"><AdaptationSet contentType=\"video\" \
         id=\"0\" maxFrameRate=\"{FPS}\" maxHeight=\"{height}\" maxWidth=\"{width}\" par=\"16:9\" segmentAlignment=\"true\" \
         startWithSAP=\"1\">{pictures}</AdaptationSet>{sound}</Period></MPD>\n"
    )
}

/// The byte ranges of the index (`sidx`) and of the header (everything through `moov`) of a fragmented MP4.
fn ranges(path: &Path) -> (String, String) {
    let mut file = File::open(path).expect("the stream");
    let (mut at, mut index, mut header) = (0, String::new(), String::new());
    let mut head = [0_u8; 8];
    while index.is_empty() && file.read_exact(&mut head).is_ok() {
        let size = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        match &head[4..] {
            b"moov" => header = format!("0-{}", at + size - 1),
            b"sidx" => index = format!("{at}-{}", at + size - 1),
            _ => {}
        }
        at += size;
        file.seek(SeekFrom::Start(at)).expect("a seek");
    }
    assert!(!index.is_empty() && !header.is_empty(), "an index in {}", path.display());
    (index, header)
}

fn hls(spec: &Dash, folder: &Path) {
    let mut master = String::from("#EXTM3U\n#EXT-X-VERSION:4\n");
    let sound = spec.sound.then(|| segments(folder, DASH_SOUND, "HLS_AUDIO_128"));
    if sound.is_some() {
        master += "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"2\",NAME=\"audio_0\",DEFAULT=YES,AUTOSELECT=YES,\
                   URI=\"HLS_AUDIO_128.m3u8\"\n";
    }
    for (name, width, height) in
        [(spec.lower(), spec.width / 2, spec.height / 2), (spec.best(), spec.width, spec.height)]
    {
        let playlist = format!("HLS_{height}");
        let bits = segments(folder, &name, &playlist) * 8 / u64::from(spec.seconds);
        let (codec, group) = if sound.is_some() { (",mp4a.40.2", ",AUDIO=\"2\"") } else { ("", "") };
        master += &format!(
            "#EXT-X-STREAM-INF:BANDWIDTH={bits},CODECS=\"avc1.64001f{codec}\",RESOLUTION={width}x{height}{group}\n\
             {playlist}.m3u8\n"
        );
    }
    fs::write(folder.join("HLSPlaylist.m3u8"), master).expect("room on disk");
}

/// Cuts a stream into MPEG-TS segments with a playlist; returns the bytes they have.
fn segments(folder: &Path, stream: &str, playlist: &str) -> u64 {
    let mut ffmpeg = ffmpeg();
    ffmpeg.current_dir(folder).args(["-i", stream, "-c", "copy", "-f", "hls", "-hls_time", "4"]);
    ffmpeg.args(["-hls_playlist_type", "vod", "-hls_segment_filename", &format!("{playlist}_%03d.ts")]);
    run(ffmpeg.arg(format!("{playlist}.m3u8")));
    let files = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry"));
    files
        .filter(|file| {
            let name = file.file_name();
            let name = name.to_string_lossy();
            name.starts_with(playlist) && name.ends_with(".ts")
        })
        .map(|file| file.metadata().expect("its size").len())
        .sum()
}
