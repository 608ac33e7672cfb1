//! How many bits there are, and what to do with them: pure arithmetic on a probe and a limit.
//!
//! The numbers come from measurements with x264: a film needs about 830 kbit/s to look decent at 1280 × 720 × 30 (CRF 28),
//! bits grow with pixels to the power of 0.8 and with frame rate to the power of 0.75.

use crate::{
    media::probe::{Audio, Probe, Video},
    settings::VideoCodec,
};

/// The short sides tried, in pixels.
const RUNGS: &[f64] = &[1080.0, 900.0, 720.0, 540.0, 480.0, 360.0, 288.0, 240.0, 180.0];
/// H.264 level 4.2: macroblocks a frame, and a second.
const LEVEL_FRAME: f64 = 8704.0;
/// See [`LEVEL_FRAME`].
const LEVEL_SECOND: f64 = 522_240.0;
/// The fastest frame rate that is kept.
const MAX_FPS: f64 = 60.0;
/// Frame rates above this are halved before the picture is made tiny.
const HALVE_ABOVE: f64 = 32.0;
/// Bytes of an mp4 beyond its packets: once, and for each frame of video.
const MP4_BASE: u64 = 2000;
const MP4_FRAME: u64 = 16;
/// Seconds that nobody notices sound and picture to be apart.
pub(in crate::media) const DELAY: f64 = 0.02;
/// Quality of an encode that has all the room it needs, and of one without a limit.
const GOOD: f64 = 18.0;
pub(super) const UNLIMITED: f64 = 20.0;

/// What holds for fitting, beside the file itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::media) struct Rules {
    /// Bytes. `None`: no limit.
    pub limit: Option<u64>,
    /// Below this a video is refused, at the smallest size of picture.
    pub min_video_kbps: u32,
    /// Below this sound is refused.
    pub min_audio_kbps: u32,
    /// The most pixels wanted on the short side.
    pub max_short: Option<u32>,
    /// What videos become, and what may stay beside H.264.
    pub codec: VideoCodec,
}

/// How to encode a sound track.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::media) struct Sound {
    /// Kilobits a second.
    pub kbps: f64,
    /// 1 or 2.
    pub channels: u32,
    /// Hz.
    pub rate: u32,
}

/// The picture to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::media) struct Picture {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// A new constant frame rate. `None`: every frame keeps its time.
    pub fps: Option<f64>,
}

/// How the bits are spent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::media) enum Rate {
    /// Constant quality.
    Quality {
        /// x264's constant rate factor.
        crf: f64,
    },
    /// Two passes at this many bits a second.
    TwoPass {
        /// Bits a second.
        bits: f64,
    },
}

/// Picture and rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::media) struct Shape {
    /// Its size.
    pub picture: Picture,
    /// Its bits.
    pub rate: Rate,
}

impl Rules {
    /// The most pixels on the short side that an encode has.
    pub(in crate::media) fn short_side(&self) -> f64 {
        f64::from(self.max_short.unwrap_or(1080).clamp(2, 1080))
    }

    /// Whether a picture has more lines than wanted.
    pub(in crate::media) fn wants_smaller(&self, video: &Video) -> bool {
        let (width, height) = video.shown();
        self.max_short.is_some_and(|most| width.min(height).round() > f64::from(most))
    }

    /// All bits a second there are, in kilobits.
    pub(in crate::media) fn total_kbps(&self, seconds: f64) -> f64 {
        self.limit.map_or(f64::INFINITY, |limit| limit as f64 * 8.0 / 1000.0 / seconds.max(0.04))
    }

    /// The sound of a video: 128 kbit/s stereo where there is room, 24 mono at the bottom.
    pub(in crate::media) fn sound_of_video(&self, audio: &Audio, seconds: f64) -> Sound {
        let total = self.total_kbps(seconds);
        let mono = audio.channels == 1 || total < 200.0;
        let step = [
            (1500.0, 128.0),
            (1000.0, 112.0),
            (700.0, 96.0),
            (500.0, 80.0),
            (330.0, 64.0),
            (200.0, 48.0),
            (120.0, 40.0),
            (0.0, 24.0),
        ]
        .into_iter()
        .find_map(|(from, kbps)| (total >= from).then_some(kbps))
        .unwrap_or(24.0);
        let kbps = if audio.channels == 1 { f64::min(step, 64.0) } else { step };
        sound(kbps.max(f64::from(self.min_audio_kbps)), mono, audio)
    }

    /// Bits a second for the picture, once the sound's bytes are known. May be negative.
    pub(in crate::media) fn video_bits(&self, sound_bytes: u64, frames: u64, seconds: f64) -> Option<f64> {
        let limit = self.limit? as f64;
        let room = limit - sound_bytes as f64 - overhead(frames) as f64;
        Some(room * 8.0 * safety(seconds) / seconds.max(0.04))
    }

    /// Fewer bits a second than this are refused.
    pub(in crate::media) fn floor(&self, video: &Video) -> f64 {
        let picture = scaled(video, RUNGS.last().copied().unwrap_or(180.0), None);
        let pixels = f64::from(picture.width * picture.height) / (320.0 * 180.0);
        let fps = video.fps.min(MAX_FPS) / 24.0;
        f64::from(self.min_video_kbps) * 1000.0 * pixels.min(1.0).powf(0.8) * fps.min(1.0).powf(0.75)
    }

    /// Seconds of such a file that would fit.
    pub(in crate::media) fn seconds_that_fit(&self, probe: &Probe) -> f64 {
        let sound = if probe.audio.is_some() { f64::from(self.min_audio_kbps.max(24)) * 1000.0 } else { 0.0 };
        let (bits, frames) = match &probe.video {
            Some(video) => (self.floor(video), video.fps.min(MAX_FPS) * MP4_FRAME as f64 * 8.0),
            None => (0.0, 0.0),
        };
        let limit = self.limit.unwrap_or(u64::MAX).saturating_sub(MP4_BASE) as f64 * 8.0 * 0.985;
        limit / (sound * 1.05 + bits + frames).max(1.0)
    }
}

fn sound(kbps: f64, mono: bool, audio: &Audio) -> Sound {
    let channels = if mono { 1 } else { 2 };
    let each = kbps / f64::from(channels);
    let best = match audio.sample_rate {
        rate @ (16_000 | 22_050 | 24_000 | 32_000 | 44_100) => rate,
        _ => 48_000,
    };
    let rate = if each >= 32.0 { best } else { best.min(if each >= 24.0 { 32_000 } else { 24_000 }) };
    Sound { kbps, channels, rate }
}

/// Bytes an mp4 has beyond its packets.
pub(in crate::media) fn overhead(frames: u64) -> u64 {
    MP4_BASE + MP4_FRAME * frames
}

/// The share of the room to aim at: two passes miss by 1 to 4 % on short clips.
fn safety(seconds: f64) -> f64 {
    if seconds < 20.0 {
        0.98
    } else if seconds < 60.0 {
        0.986
    } else if seconds < 240.0 {
        0.992
    } else {
        0.995
    }
}

/// Frames that `seconds` of the picture have.
pub(in crate::media) fn frames(video: &Video, picture: &Picture, seconds: f64) -> u64 {
    let fps = picture.fps.unwrap_or(video.fps);
    (seconds * fps).ceil().clamp(0.0, 1e9) as u64 + 1
}

/// The picture at a short side of at most `short` pixels, within H.264 level 4.2, never larger than it is.
pub(in crate::media) fn scaled(video: &Video, short: f64, fps: Option<f64>) -> Picture {
    let (width, height) = video.shown();
    let fps = fps.or((video.fps > MAX_FPS * 1.01).then_some(MAX_FPS));
    let even = |side: f64, scale: f64| (((side * scale / 2.0).round() * 2.0).max(2.0)) as u32;
    let mut scale = (short / width.min(height).max(1.0)).min(3840.0 / width.max(height).max(1.0)).min(1.0);
    loop {
        let picture = Picture { width: even(width, scale), height: even(height, scale), fps };
        let blocks = f64::from(picture.width.div_ceil(16)) * f64::from(picture.height.div_ceil(16));
        let rate = fps.unwrap_or(video.fps).min(MAX_FPS * 1.01);
        if (blocks <= LEVEL_FRAME && blocks * rate <= LEVEL_SECOND * 1.01) || scale < 0.001 {
            return picture;
        }
        scale *= 0.97;
    }
}

/// The short sides worth trying for a picture of `short`, largest first.
pub(super) fn rungs(short: f64) -> Vec<f64> {
    std::iter::once(short).chain(RUNGS.iter().copied().filter(|rung| *rung < short * 0.93)).collect()
}

/// The CRF that a usual film gets for `bits` a second at this size.
pub(super) fn usual_crf(picture: &Picture, fps: f64, bits: f64) -> f64 {
    28.0 + 6.0 * (usual_need(picture, fps) / bits.max(1.0)).log2()
}

/// Bits a second a usual film needs at this size.
pub(in crate::media) fn usual_need(picture: &Picture, fps: f64) -> f64 {
    let pixels = f64::from(picture.width) * f64::from(picture.height) / (1280.0 * 720.0);
    830_000.0 * pixels.powf(0.8) * (fps / 30.0).powf(0.75)
}

/// Bits a second that H.264 needs for what the source's codec does with one.
fn as_h264(codec: &str) -> Option<f64> {
    Some(match codec {
        "h264" => 1.0,
        "hevc" => 1.6,
        "vp9" => 1.5,
        "av1" => 1.9,
        "vp8" => 0.9,
        "mpeg4" | "h263" | "wmv3" | "vc1" | "flv1" | "msmpeg4v3" | "theora" => 0.7,
        "mpeg2video" | "mpeg1video" => 0.5,
        // Stills, GIF and production codecs say nothing about motion.
        _ => return None,
    })
}

/// Bits a second of the source's picture, as H.264 would need them.
pub(in crate::media) fn source_need(probe: &Probe, video: &Video) -> Option<f64> {
    let factor = as_h264(&video.codec)?;
    let bits = video.bit_rate.or_else(|| {
        let whole = probe.size as f64 * 8.0 / probe.duration?;
        let sound = probe.audio.as_ref().map_or(0.0, |audio| audio.bit_rate.unwrap_or(96_000.0));
        Some((whole - sound).max(whole * 0.2))
    })?;
    (bits > 0.0).then_some(bits * factor)
}

/// Chooses size and rate for `bits` a second of picture (`None`: no limit). `smaller`: how many rungs below the choice,
/// for when the choice did not work out.
pub(in crate::media) fn choose(probe: &Probe, video: &Video, bits: Option<f64>, short: f64, smaller: usize) -> Shape {
    let native = scaled(video, short, None);
    let Some(bits) = bits else {
        return Shape { picture: native, rate: Rate::Quality { crf: UNLIMITED } };
    };
    let bits = bits.max(1000.0);
    let fps = native.fps.unwrap_or(video.fps);
    let source = source_need(probe, video);
    if smaller == 0 && (bits >= 5.0 * usual_need(&native, fps) || source.is_some_and(|need| bits >= 1.5 * need)) {
        return Shape { picture: native, rate: Rate::Quality { crf: GOOD } };
    }
    // A source that manages with few bits itself (a talk, a screen recording) needs no smaller picture; half of its bits
    // is about where a smaller picture starts to look better than a starved one.
    let usual = usual_need(&native, fps);
    let easy = source.map_or(1.0, |need| (0.5 * need / usual).min(1.0));
    let need = |picture: &Picture, fps: f64| easy * usual_need(picture, fps);
    let short = f64::from(native.width.min(native.height));
    let halved = Some(fps / 2.0).filter(|_| fps > HALVE_ABOVE);
    let starved = scaled(video, short.min(480.0), None);
    let fps_change = halved.filter(|_| need(&starved, fps) > bits);
    let fps_made = fps_change.unwrap_or(fps);
    let rungs = rungs(short);
    let chosen = rungs
        .iter()
        .position(|rung| need(&scaled(video, *rung, fps_change), fps_made) <= bits)
        .unwrap_or(rungs.len() - 1);
    let rung = rungs.get(chosen + smaller).or(rungs.last()).copied().unwrap_or(short);
    // More bits than twice what the source has buy nothing.
    let useful = source.map_or(bits, |need| bits.min(2.0 * need));
    Shape { picture: scaled(video, rung, fps_change), rate: Rate::TwoPass { bits: useful } }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn rules(limit: u64) -> Rules {
        Rules { limit: Some(limit), min_video_kbps: 80, min_audio_kbps: 24, max_short: None, codec: VideoCodec::H264 }
    }

    fn video(width: u32, height: u32, fps: f64) -> Video {
        Video { codec: "h264".into(), width, height, sar: 1.0, fps, ..Video::default() }
    }

    fn film(seconds: f64) -> Probe {
        let video = Video { bit_rate: Some(8e6), ..video(1920, 1080, 30.0) };
        let audio = Audio { channels: 2, sample_rate: 48_000, ..Audio::default() };
        Probe { duration: Some(seconds), video: Some(video), audio: Some(audio), ..Probe::default() }
    }

    #[test]
    fn sound_takes_its_share() {
        let stereo = Audio { channels: 6, sample_rate: 44_100, ..Audio::default() };
        let mono = Audio { channels: 1, sample_rate: 48_000, ..Audio::default() };
        for (audio, seconds, kbps, channels, rate) in [
            (&stereo, 10.0, 128.0, 2, 44_100),
            (&stereo, 110.0, 96.0, 2, 44_100),
            (&stereo, 250.0, 64.0, 2, 44_100),
            (&stereo, 500.0, 40.0, 1, 44_100),
            (&stereo, 900.0, 24.0, 1, 32_000),
            (&mono, 10.0, 64.0, 1, 48_000),
        ] {
            let sound = rules(10 * MIB).sound_of_video(audio, seconds);
            assert_eq!((sound.kbps, sound.channels, sound.rate), (kbps, channels, rate), "{seconds} s");
        }
        let floor = Rules { min_audio_kbps: 64, ..rules(10 * MIB) };
        assert_eq!(floor.sound_of_video(&stereo, 900.0).kbps, 64.0);
    }

    #[test]
    fn pictures_are_even_and_within_the_level() {
        for (width, height, fps, sar, rotation, short, want) in [
            (853, 481, 25.0, 1.0, 0, 1080.0, (854, 482, None)),
            (3840, 2160, 30.0, 1.0, 0, 1080.0, (1920, 1080, None)),
            (1920, 1080, 120.0, 1.0, 0, 1080.0, (1920, 1080, Some(60.0))),
            (1080, 1920, 30.0, 1.0, 0, 720.0, (720, 1280, None)),
            (640, 360, 30.0, 1.0, 90, 1080.0, (360, 640, None)),
            (720, 576, 25.0, 64.0 / 45.0, 0, 1080.0, (1024, 576, None)),
            (5120, 240, 30.0, 1.0, 0, 1080.0, (3840, 180, None)),
            (32, 18, 25.0, 1.0, 0, 1080.0, (32, 18, None)),
            (1, 1, 25.0, 1.0, 0, 1080.0, (2, 2, None)),
        ] {
            let video = Video { sar, rotation, ..video(width, height, fps) };
            let picture = scaled(&video, short, None);
            assert_eq!((picture.width, picture.height, picture.fps), want, "{width}x{height}");
        }
        let ultrawide = scaled(&video(3840, 1600, 60.0), 1080.0, None);
        assert!(ultrawide.width.div_ceil(16) * ultrawide.height.div_ceil(16) <= 8704, "{ultrawide:?}");
    }

    #[test]
    fn fewer_bits_mean_a_smaller_picture() {
        let heights: Vec<u32> = [20e6, 4e6, 1.2e6, 700e3, 300e3, 150e3, 90e3]
            .into_iter()
            .map(|bits| {
                let probe = film(60.0);
                choose(&probe, probe.video.as_ref().unwrap(), Some(bits), 1080.0, 0).picture.height
            })
            .collect();
        assert_eq!(heights, [1080, 1080, 900, 540, 360, 240, 180]);
    }

    #[test]
    fn an_easy_source_keeps_its_size() {
        let mut probe = film(600.0);
        probe.video.as_mut().unwrap().bit_rate = Some(300e3);
        let shape = choose(&probe, probe.video.as_ref().unwrap(), Some(200e3), 1080.0, 0);
        assert_eq!(shape.picture.height, 1080);
        assert_eq!(shape.rate, Rate::TwoPass { bits: 200e3 });
        // And with room to spare it is encoded by quality, capped.
        let shape = choose(&probe, probe.video.as_ref().unwrap(), Some(500e3), 1080.0, 0);
        assert_eq!(shape.rate, Rate::Quality { crf: GOOD });
    }

    #[test]
    fn fast_frames_are_halved_before_the_picture_is_tiny() {
        let probe = Probe { video: Some(video(1280, 720, 60.0)), ..film(60.0) };
        let video = probe.video.as_ref().unwrap();
        assert_eq!(choose(&probe, video, Some(1.5e6), 1080.0, 0).picture.fps, None);
        assert_eq!(choose(&probe, video, Some(300e3), 1080.0, 0).picture.fps, Some(30.0));
    }

    #[test]
    fn what_would_fit_is_consistent_with_the_floor() {
        let rules = rules(10 * MIB);
        let probe = film(3.0 * 3600.0);
        let fits = rules.seconds_that_fit(&probe);
        assert!((600.0..900.0).contains(&fits), "{fits}");
        let video = probe.video.as_ref().unwrap();
        let frames = (fits * 30.0) as u64;
        let bits = rules.video_bits((fits * 24_000.0 / 8.0) as u64, frames, fits).unwrap();
        assert!(bits >= rules.floor(video), "{bits} < {}", rules.floor(video));
    }

    #[test]
    fn a_smaller_try_goes_down_a_rung() {
        let probe = film(60.0);
        let video = probe.video.as_ref().unwrap();
        let first = choose(&probe, video, Some(300e3), 1080.0, 0).picture.height;
        let second = choose(&probe, video, Some(300e3), 1080.0, 1).picture.height;
        assert!(second < first);
    }
}
