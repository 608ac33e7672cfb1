//! What is in a media file, as ffprobe sees it, in our own types.

use serde::Deserialize;

use crate::media::{ffmpeg::MAX_PIXELS, sound::Tags};

/// Bits a second: no broadcast has so few.
const DOUBTFUL_BITS: f64 = 150_000.0;

/// What a file holds. Only what planning and encoding need.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::media) struct Probe {
    /// ffmpeg's names of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`.
    pub container: String,
    /// Seconds. `None`: the container doesn't tell (recordings of browsers).
    pub duration: Option<f64>,
    /// Bytes.
    pub size: u64,
    /// The moving picture; cover art doesn't count.
    pub video: Option<Video>,
    /// The sound track that a player would choose.
    pub audio: Option<Audio>,
    /// ffmpeg's stream number of a cover.
    pub cover: Option<usize>,
    /// What the file says about itself.
    pub tags: Tags,
    /// Further streams: other sound tracks, subtitles, data, cover art, fonts.
    pub others: usize,
    /// Only a part of the file is wanted, which may begin between keyframes: nothing of it can be copied.
    pub cut: bool,
}

/// A moving picture.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::media) struct Video {
    /// ffmpeg's stream number.
    pub index: usize,
    /// ffmpeg's name, for example `h264`.
    pub codec: String,
    /// For example `High`.
    pub profile: String,
    /// H.264: ten times the level.
    pub level: i64,
    /// For example `yuv420p`.
    pub pix_fmt: String,
    /// Pixels as stored.
    pub width: u32,
    /// Pixels as stored.
    pub height: u32,
    /// Width of a pixel by its height.
    pub sar: f64,
    /// Degrees to turn it for display: 0, 90, 180 or 270, whichever way.
    pub rotation: u32,
    /// Frames a second, on average.
    pub fps: f64,
    /// High dynamic range (PQ or HLG).
    pub hdr: bool,
    /// Two fields a frame.
    pub interlaced: bool,
    /// It has transparency.
    pub alpha: bool,
    /// WebM's VP8/VP9 with transparency: only libvpx decodes it.
    pub alpha_side: bool,
    /// Colours are RGB (GIF, screen recordings).
    pub rgb: bool,
    /// The colour matrix is told.
    pub matrix_known: bool,
    /// Bits a second, if told.
    pub bit_rate: Option<f64>,
    /// Seconds by which it starts after the file does.
    pub delay: f64,
    /// Seconds, if told.
    pub duration: Option<f64>,
    /// Frames, if told.
    pub frames: Option<u64>,
}

/// A sound track.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::media) struct Audio {
    /// ffmpeg's stream number.
    pub index: usize,
    /// ffmpeg's name, for example `aac`.
    pub codec: String,
    /// For example `LC`.
    pub profile: String,
    /// Channels.
    pub channels: u32,
    /// Hz.
    pub sample_rate: u32,
    /// Bits a second, if told.
    pub bit_rate: Option<f64>,
    /// Seconds by which it starts after the file does.
    pub delay: f64,
}

impl Probe {
    /// Reads ffprobe's JSON (`-show_format -show_streams`).
    ///
    /// # Errors
    /// When it is not that.
    pub(in crate::media) fn read(json: &str) -> Result<Self, serde_json::Error> {
        let raw: Raw = serde_json::from_str(json)?;
        Ok(Self::from_raw(&raw))
    }

    fn from_raw(raw: &Raw) -> Self {
        let start = number(raw.format.start_time.as_deref()).unwrap_or(0.0);
        let is_picture = |stream: &&RawStream| {
            stream.codec_type == "video" && !stream.disposition.on("attached_pic") && stream.width > 0
        };
        let sounds = || raw.streams.iter().filter(|stream| stream.codec_type == "audio" && stream.channels > 0);
        let video = raw
            .streams
            .iter()
            .filter(is_picture)
            .find(|stream| stream.disposition.on("default"))
            .or_else(|| raw.streams.iter().find(is_picture));
        let audio = sounds().find(|stream| stream.disposition.on("default")).or_else(|| sounds().next());
        let covers = |stream: &&RawStream| stream.codec_type == "video" && stream.disposition.on("attached_pic");
        // Ogg keeps its tags with the stream.
        let tag = |name: &str| tag(&raw.format.tags, name).or_else(|| tag(&audio?.tags, name));
        Self {
            container: raw.format.format_name.clone(),
            duration: number(raw.format.duration.as_deref()).filter(|seconds| *seconds > 0.0),
            size: raw.format.size.as_deref().and_then(|size| size.parse().ok()).unwrap_or(0),
            others: raw.streams.len() - usize::from(video.is_some()) - usize::from(audio.is_some()),
            cover: raw.streams.iter().find(covers).map(|stream| stream.index),
            tags: Tags::read(tag),
            video: video.map(|stream| stream.video(start)),
            audio: audio.map(|stream| stream.audio(start)),
            cut: false,
        }
    }

    /// ffmpeg's numbers of the streams that are kept: picture, then sound.
    pub(in crate::media) fn wanted(&self) -> impl Iterator<Item = usize> {
        let video = self.video.as_ref().map(|video| video.index);
        video.into_iter().chain(self.audio.as_ref().map(|audio| audio.index))
    }

    /// Whether a frame is larger than we decode.
    pub(in crate::media) fn is_oversized(&self) -> bool {
        self.video.as_ref().is_some_and(|v| u64::from(v.width) * u64::from(v.height) > MAX_PIXELS)
    }

    /// Whether its length is doubtful. Transport and program streams tell none: ffprobe takes the time between the first
    /// and the last stamp, which jump where recordings were joined. Hardly any bits for that time give it away.
    pub(in crate::media) fn is_doubtful(&self) -> bool {
        let stream = self.container.split(',').any(|name| matches!(name, "mpegts" | "mpeg" | "mpegvideo"));
        let starved = self.duration.is_some_and(|seconds| self.size as f64 * 8.0 / seconds < DOUBTFUL_BITS);
        stream && self.video.is_some() && starved
    }

    /// Whether the container is mp4 or one of its relatives.
    pub(in crate::media) fn is_mp4(&self) -> bool {
        self.container.split(',').any(|name| name == "mp4")
    }
}

impl Video {
    /// Width and height as shown: pixels square, rotation applied.
    pub(in crate::media) fn shown(&self) -> (f64, f64) {
        let (width, height) = (f64::from(self.width) * self.sar, f64::from(self.height));
        if self.rotation % 180 == 90 { (height, width) } else { (width, height) }
    }

    /// Seconds of picture, within a file of `whole` seconds.
    pub(in crate::media) fn seconds(&self, whole: f64) -> f64 {
        self.duration.filter(|seconds| *seconds > 0.0).map_or(whole, |seconds| seconds.min(whole))
    }
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    streams: Vec<RawStream>,
    #[serde(default)]
    format: RawFormat,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawFormat {
    format_name: String,
    duration: Option<String>,
    start_time: Option<String>,
    size: Option<String>,
    tags: RawTags,
}

type RawTags = serde_json::Map<String, serde_json::Value>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawStream {
    index: usize,
    codec_type: String,
    codec_name: String,
    profile: Option<serde_json::Value>,
    level: i64,
    pix_fmt: String,
    width: u32,
    height: u32,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: String,
    r_frame_rate: String,
    color_transfer: String,
    color_space: String,
    field_order: String,
    bit_rate: Option<String>,
    duration: Option<String>,
    nb_frames: Option<String>,
    start_time: Option<String>,
    channels: u32,
    sample_rate: Option<String>,
    disposition: Disposition,
    tags: RawTags,
    side_data_list: Vec<SideData>,
}

#[derive(Default, Deserialize)]
struct Disposition(serde_json::Map<String, serde_json::Value>);

impl Disposition {
    fn on(&self, name: &str) -> bool {
        self.0.get(name).and_then(serde_json::Value::as_i64) == Some(1)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SideData {
    rotation: Option<f64>,
}

impl RawStream {
    fn profile(&self) -> String {
        self.profile.as_ref().and_then(|profile| profile.as_str()).unwrap_or_default().to_owned()
    }

    fn tag(&self, name: &str) -> Option<&str> {
        tag(&self.tags, name)
    }

    fn bit_rate(&self) -> Option<f64> {
        number(self.bit_rate.as_deref()).or_else(|| number(self.tag("BPS"))).filter(|rate| *rate > 0.0)
    }

    fn duration(&self) -> Option<f64> {
        number(self.duration.as_deref()).or_else(|| clock(self.tag("DURATION")?)).filter(|seconds| *seconds > 0.0)
    }

    /// Seconds; longer than a minute is a broken time stamp rather than a pause.
    fn delay(&self, file_start: f64) -> f64 {
        let delay = number(self.start_time.as_deref()).unwrap_or(file_start) - file_start;
        if (0.0..60.0).contains(&delay) { delay } else { 0.0 }
    }

    fn video(&self, file_start: f64) -> Video {
        let sar = self.sample_aspect_ratio.as_deref().and_then(ratio).unwrap_or(1.0);
        let degrees = self.side_data_list.iter().find_map(|data| data.rotation).unwrap_or(0.0);
        let planar = ["yuva", "gbrap", "ya8", "ya16", "rgba", "bgra", "argb", "abgr", "pal8"];
        let alpha_side = matches!(self.codec_name.as_str(), "vp8" | "vp9") && self.tag("alpha_mode") == Some("1");
        // Averages beyond this come from broken time stamps.
        let sane = |fps: &f64| (0.01..=1000.0).contains(fps);
        Video {
            index: self.index,
            codec: self.codec_name.clone(),
            profile: self.profile(),
            level: self.level,
            pix_fmt: self.pix_fmt.clone(),
            width: self.width,
            height: self.height,
            // Nearly square pixels are square.
            sar: if (0.98..1.02).contains(&sar) || !(0.05..20.0).contains(&sar) { 1.0 } else { sar },
            rotation: ((degrees / 90.0).round().abs() as u32 % 4) * 90,
            fps: ratio(&self.avg_frame_rate)
                .filter(sane)
                .or_else(|| ratio(&self.r_frame_rate).filter(sane))
                .unwrap_or(25.0),
            hdr: matches!(self.color_transfer.as_str(), "smpte2084" | "arib-std-b67"),
            interlaced: matches!(self.field_order.as_str(), "tt" | "bb" | "tb" | "bt"),
            alpha: alpha_side || planar.iter().any(|prefix| self.pix_fmt.starts_with(prefix)),
            alpha_side,
            rgb: ["rgb", "bgr", "gbr", "argb", "abgr", "pal8", "0rgb", "0bgr", "x2rgb", "monow", "monob"]
                .iter()
                .any(|prefix| self.pix_fmt.starts_with(prefix)),
            matrix_known: !matches!(self.color_space.as_str(), "" | "unknown"),
            bit_rate: self.bit_rate(),
            delay: self.delay(file_start),
            duration: self.duration(),
            frames: self.nb_frames.as_deref().and_then(|frames| frames.parse().ok()),
        }
    }

    fn audio(&self, file_start: f64) -> Audio {
        Audio {
            index: self.index,
            codec: self.codec_name.clone(),
            profile: self.profile(),
            channels: self.channels,
            sample_rate: self.sample_rate.as_deref().and_then(|rate| rate.parse().ok()).unwrap_or(0),
            bit_rate: self.bit_rate(),
            delay: self.delay(file_start),
        }
    }
}

/// A tag of any case: Matroska writes `DURATION`, `BPS`, `alpha_mode`.
fn tag<'a>(tags: &'a RawTags, name: &str) -> Option<&'a str> {
    tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
}

/// A finite number in a string.
fn number(text: Option<&str>) -> Option<f64> {
    text?.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// `30000/1001` or `4:3`; `None` for `0/0`.
fn ratio(text: &str) -> Option<f64> {
    let (above, below) = text.split_once(['/', ':'])?;
    let (above, below) = (number(Some(above))?, number(Some(below))?);
    (above > 0.0 && below > 0.0).then(|| above / below)
}

/// `00:01:02.345000000`.
fn clock(text: &str) -> Option<f64> {
    text.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + number(Some(part))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_chosen_and_typed() {
        let json = r#"{"streams":[
            {"index":0,"codec_type":"video","codec_name":"mjpeg","width":600,"height":600,"avg_frame_rate":"0/0","r_frame_rate":"90000/1","disposition":{"attached_pic":1}},
            {"index":1,"codec_type":"video","codec_name":"h264","profile":"High","level":31,"pix_fmt":"yuv420p","width":720,"height":576,
             "sample_aspect_ratio":"64:45","avg_frame_rate":"30000/1001","r_frame_rate":"30/1","field_order":"tt","bit_rate":"900000",
             "disposition":{"default":1},"side_data_list":[{"side_data_type":"x"},{"rotation":-90}]},
            {"index":2,"codec_type":"audio","codec_name":"mp3","channels":2,"sample_rate":"44100","disposition":{"default":0}},
            {"index":3,"codec_type":"audio","codec_name":"aac","profile":"LC","channels":6,"sample_rate":"48000","start_time":"1.900000",
             "disposition":{"default":1},"tags":{"BPS":"128000"}},
            {"index":4,"codec_type":"subtitle","codec_name":"srt"}],
            "format":{"format_name":"matroska,webm","duration":"12.5","start_time":"1.400000","size":"1000"}}"#;
        let probe = Probe::read(json).unwrap();
        let video = probe.video.as_ref().unwrap();
        assert_eq!((video.index, video.rotation, video.interlaced), (1, 90, true));
        assert!((video.fps - 29.97).abs() < 0.01);
        assert_eq!(video.shown(), (576.0, 1024.0));
        let audio = probe.audio.as_ref().unwrap();
        assert_eq!((audio.index, audio.channels, audio.bit_rate), (3, 6, Some(128_000.0)));
        assert!((audio.delay - 0.5).abs() < 1e-9);
        assert_eq!((probe.others, probe.duration), (3, Some(12.5)));
        assert!(!probe.is_mp4());
    }

    #[test]
    fn cover_art_is_no_video() {
        let json = r#"{"streams":[{"index":0,"codec_type":"audio","codec_name":"mp3","channels":2},
            {"index":1,"codec_type":"video","codec_name":"png","width":600,"height":600,"disposition":{"attached_pic":1}}],
            "format":{"format_name":"mp3","duration":"3.0","tags":{"TITLE":"A song","comment":"private"}}}"#;
        let probe = Probe::read(json).unwrap();
        assert!(probe.video.is_none() && probe.audio.is_some());
        assert_eq!((probe.cover, probe.tags.title.as_deref()), (Some(1), Some("A song")));
    }

    #[test]
    fn what_is_missing_or_odd_becomes_a_default() {
        let json = r#"{"streams":[{"index":0,"codec_type":"video","codec_name":"vp9","width":320,"height":240,"pix_fmt":"yuv420p",
            "avg_frame_rate":"0/0","r_frame_rate":"90000/1","sample_aspect_ratio":"0:1","tags":{"alpha_mode":"1","DURATION":"00:01:02.500000000"}}],
            "format":{"format_name":"matroska,webm"}}"#;
        let probe = Probe::read(json).unwrap();
        let video = probe.video.unwrap();
        assert_eq!((video.fps, video.sar, video.duration), (25.0, 1.0, Some(62.5)));
        assert!(video.alpha && video.alpha_side && probe.duration.is_none());
        assert!(Probe::read("{}").unwrap().video.is_none());
        assert!(Probe::read("nonsense").is_err());
    }
}
