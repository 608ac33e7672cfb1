//! What fitting would give, told from what a platform says of a rendition, before a byte of it is loaded. Pure.
//!
//! The plan is the one that decides on the file itself (`plan.rs`). Here it decides on a probe made up from the platform's
//! words, which are at times wrong: so nothing is refused by a forecast, only chosen and shown.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    FitTarget,
    bmff::Outline,
    plan::{self, Plan, Refusal, Step, human_bytes, human_seconds},
    probe::{Audio, Probe, Video},
    video::{
        budget::{self, Rules},
        preset, split,
    },
    wishes,
};
use crate::{
    model::{Protocol, Rendition, Streams},
    settings::{Compression, VideoCodec},
};

/// The short side of a picture that nobody tells the size of, in pixels.
const USUAL_SHORT: u32 = 480;
/// Bits a second of a platform's sound that nobody tells the rate of.
const USUAL_SOUND: f64 = 128_000.0;
/// Kilobits a second of sound that is kept without loss.
const LOSSLESS_KBPS: f64 = 800.0;
/// Pixels that one core encodes in a second, in one pass of `veryfast`. Measured on a film of 1280 × 720.
const ENCODED: f64 = 47e6;

/// The rendition that would be loaded, with its sound where that comes apart.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// The picture, or the whole.
    pub main: &'a Rendition,
    /// The sound, when it comes apart.
    pub audio: Option<&'a Rendition>,
    /// Whether it is sound and nothing else, whatever the rendition is called.
    pub sound: bool,
    /// Whether it moves without a sound, as GIFs do.
    pub silent: bool,
    /// Bytes of both, at the most. `None`: nobody knows.
    pub bytes: Option<u64>,
    /// Seconds, if told.
    pub seconds: Option<f64>,
}

/// What this installation does with files: the part of its settings and of its machine that a forecast needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Means {
    /// `COMPRESSION_MIN_VIDEO_BITRATE_KBPS`.
    pub min_video_kbps: u32,
    /// `COMPRESSION_MIN_AUDIO_BITRATE_KBPS`.
    pub min_audio_kbps: u32,
    /// `COMPRESSION_FFMPEG_PRESET`, if it is set.
    pub preset: Option<String>,
    /// `COMPRESSION_TIME_BUDGET_SECONDS`.
    pub time_budget: Duration,
    /// Cores that one encode may use.
    pub cores: usize,
    /// `COMPRESSION_VIDEO_CODEC`.
    pub codec: VideoCodec,
    /// Whether parts are preferred to loss (`COMPRESSION_OVERSIZE`).
    pub split: bool,
}

impl Means {
    /// Of these settings, on this machine.
    pub fn of(settings: &Compression) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            min_video_kbps: settings.min_video_kbps,
            min_audio_kbps: settings.min_audio_kbps,
            preset: settings.preset.clone(),
            time_budget: settings.time_budget,
            cores: (cores / settings.max_concurrent.max(1)).max(1),
            codec: settings.video_codec,
            split: settings.split,
        }
    }
}

/// What would become of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum Outlook {
    /// It fits and plays as it is.
    Copy,
    /// Its streams are copied into a container that plays.
    Remux,
    /// Its picture is copied, its sound is encoded.
    CopyVideo {
        /// Bytes of the file.
        bytes: u64,
    },
    /// It is cut between key frames into files that are copied.
    Split {
        /// How many, roughly.
        parts: usize,
    },
    /// It is encoded.
    Encode(Encode),
    /// Its sound is copied into a file of its own.
    CopySound {
        /// Bytes of the file.
        bytes: u64,
    },
    /// Its sound is encoded into a file of its own.
    EncodeSound {
        /// Kilobits a second.
        kbps: f64,
        /// Bytes of the file.
        bytes: u64,
    },
    /// A still picture that is over the limit, or of a kind that is not shown inline, is encoded.
    Picture,
    /// A GIF is made of its first seconds, or of the part that was chosen.
    Gif,
    /// It cannot be made to fit.
    Refuse {
        /// Seconds of such a file that would fit, where its length is what is wrong.
        #[serde(skip_serializing_if = "Option::is_none")]
        fits: Option<f64>,
    },
}

/// An encode that is foreseen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Encode {
    /// Short side of the picture in pixels.
    pub short_side: u32,
    /// Frames a second.
    pub fps: f64,
    /// Bytes of the file; never more than the limit. `None`: as many as a good picture takes.
    pub bytes: Option<u64>,
    /// Seconds it takes, roughly, on this machine when it has nothing else to do.
    pub seconds: f64,
    /// Bits a second for the picture. `None`: as many as a good one takes.
    #[serde(skip)]
    pub bits: Option<f64>,
    /// Bits a second that a usual film needs at this size.
    #[serde(skip)]
    pub need: f64,
    /// Bits a second of the source's picture as H.264.
    #[serde(skip)]
    pub source: Option<f64>,
}

/// What fitting would make of it.
pub fn forecast(offer: &Offer<'_>, target: &FitTarget, means: &Means) -> Outlook {
    let rules = Rules {
        limit: target.max_bytes,
        min_video_kbps: means.min_video_kbps,
        min_audio_kbps: means.min_audio_kbps,
        max_short: wishes::most_lines(target.quality),
        codec: means.codec,
    };
    let (probe, outline) = imagined(offer, target);
    let steps = match plan::plan(&probe, outline.as_ref(), target, &rules) {
        Plan::Keep => return Outlook::Copy,
        Plan::Make { steps, .. } => steps,
        Plan::Refuse(refusal) => return refused(refusal),
    };
    if split::wanted(&probe, target, means.split).is_some()
        && let Some(parts) = split::foreseen(&probe, &rules, target.audio_only)
    {
        return Outlook::Split { parts };
    }
    let seconds = probe.duration.unwrap_or(0.0);
    let fits = |bytes: u64| rules.limit.is_none_or(|limit| bytes <= limit);
    let of_sound = |bits: f64| (bits * seconds / 8.0) as u64;
    // The steps are tries, some of them hopeful; a forecast takes the first that ought to work.
    for step in steps {
        let outlook = match step {
            Step::Remux if fits(probe.size) => Outlook::Remux,
            Step::CopyVideo(sound) => {
                let before = probe.audio.as_ref().and_then(|audio| audio.bit_rate).map_or(0, of_sound);
                let bytes = probe.size.saturating_sub(before) + of_sound(sound.kbps * 1030.0);
                if !fits(bytes) {
                    continue;
                }
                Outlook::CopyVideo { bytes }
            }
            Step::Encode { picture, bytes } => {
                let Some(video) = &probe.video else { continue };
                let bytes = bytes.map(|bytes| rules.limit.map_or(bytes, |limit| bytes.min(limit)));
                Outlook::Encode(encode(&probe, video, &picture, bytes, &rules, target, means))
            }
            Step::CopySound(_) => {
                let rate = probe.audio.as_ref().and_then(|audio| audio.bit_rate).unwrap_or(USUAL_SOUND);
                let bytes = of_sound(rate);
                if !fits(bytes) {
                    continue;
                }
                Outlook::CopySound { bytes }
            }
            Step::EncodeSound(sound) => {
                let kbps = if sound.kbps.is_finite() { sound.kbps } else { LOSSLESS_KBPS };
                let bytes = of_sound(kbps * 1000.0);
                let bytes = rules.limit.map_or(bytes, |limit| bytes.min(limit));
                Outlook::EncodeSound { kbps, bytes }
            }
            Step::Gif => Outlook::Gif,
            Step::Remux => continue,
        };
        return outlook;
    }
    Outlook::Refuse { fits: None }
}

fn refused(refusal: Refusal) -> Outlook {
    match refusal {
        Refusal::TooLong { fits, .. } => Outlook::Refuse { fits: Some(fits) },
        _ => Outlook::Refuse { fits: None },
    }
}

fn encode(
    probe: &Probe,
    video: &Video,
    picture: &budget::Picture,
    bytes: Option<u64>,
    rules: &Rules,
    target: &FitTarget,
    means: &Means,
) -> Encode {
    let seconds = probe.duration.unwrap_or(0.0);
    let fps = picture.fps.unwrap_or(video.fps);
    let sound =
        probe.audio.as_ref().map_or(0.0, |audio| rules.sound_of_video(audio, seconds).kbps * 1030.0 * seconds / 8.0);
    let bits = bytes.map(|bytes| (bytes as f64 - sound).max(0.0) * 8.0 / seconds.max(0.04));
    let pixels = |picture: &budget::Picture| f64::from(picture.width) * f64::from(picture.height);
    let native = pixels(&budget::scaled(video, rules.short_side(), None)).max(1.0);
    let work = preset::Work {
        frames: seconds * fps,
        pixels: pixels(picture) / native,
        speed: ENCODED * means.cores as f64 / native,
    };
    let preset = preset::choose(means.preset.as_deref(), target.wish.speed, means.time_budget, Some(work));
    Encode {
        short_side: picture.width.min(picture.height),
        fps,
        bytes,
        seconds: work.seconds(preset),
        bits,
        need: budget::usual_need(picture, fps),
        source: budget::source_need(probe, video),
    }
}

/// Bits a second of the picture, as H.264 would need them, as a part of what a usual film of its size does. `None`: nobody
/// tells how many it has.
pub fn richness(offer: &Offer<'_>) -> Option<f64> {
    let (probe, _) = imagined(offer, &FitTarget::default());
    let video = probe.video.as_ref()?;
    let bits = video.bit_rate.and(budget::source_need(&probe, video))?;
    Some(bits / budget::usual_need(&budget::scaled(video, f64::INFINITY, None), video.fps))
}

/// Bits a second that a rendition has if its platform gives it what a usual film needs.
pub fn usual_bits(rendition: &Rendition) -> f64 {
    if rendition.streams == Streams::AudioOnly {
        return USUAL_SOUND;
    }
    let video = picture(rendition);
    budget::usual_need(&budget::scaled(&video, f64::INFINITY, None), video.fps)
}

/// The probe of a file that is what the platform says.
fn imagined(offer: &Offer<'_>, target: &FitTarget) -> (Probe, Option<Outline>) {
    let main = offer.main;
    let mut seconds = offer.seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let mut size = offer.bytes.unwrap_or(0);
    let audio = match offer.audio {
        Some(audio) => Some(audio),
        None => (!offer.silent && (offer.sound || main.streams != Streams::VideoOnly)).then_some(main),
    };
    let apart = offer.audio.is_some() || main.streams == Streams::AudioOnly || offer.sound;
    let sound_rate = |audio: &Rendition| {
        let told = audio.bitrate.filter(|_| apart).map(|bits| bits as f64);
        told.or_else(|| apart.then(|| Some(audio.bytes? as f64 * 8.0 / seconds?))?).unwrap_or(USUAL_SOUND)
    };
    let audio = audio.map(|audio| Audio {
        index: 1,
        codec: sound_codec(audio),
        profile: String::new(),
        channels: 2,
        sample_rate: 44_100,
        bit_rate: Some(sound_rate(audio)),
        delay: 0.0,
    });
    let sound_bits = audio.as_ref().and_then(|audio| audio.bit_rate).unwrap_or(0.0);
    let video = (!offer.sound && main.streams != Streams::AudioOnly).then(|| {
        let mut video = picture(main);
        let told = main.bitrate.map(|bits| bits as f64).map(|bits| match main.streams {
            Streams::Whole => (bits - sound_bits).max(bits * 0.2),
            _ => bits,
        });
        let need = budget::usual_need(&budget::scaled(&video, f64::INFINITY, None), video.fps);
        if seconds.is_none() && size > 0 {
            // Platforms give about twice what a film needs.
            seconds = Some(size as f64 * 8.0 / (told.unwrap_or(2.0 * need) + sound_bits));
        }
        video.bit_rate = told.or_else(|| {
            let whole = size as f64 * 8.0 / seconds?;
            (size > 0).then(|| (whole - sound_bits).max(whole * 0.2))
        });
        video
    });
    if video.is_none() && seconds.is_none() && size > 0 {
        seconds = Some(size as f64 * 8.0 / sound_bits.max(1.0));
    }
    // As `wishes.rs` does with the file: of a clip that is to be cut only the part counts, and what is cut is encoded.
    let mut cut = false;
    if let (Some(trim), Some(whole)) = (&target.wish.trim, seconds) {
        let end = trim.end_ms.map_or(whole, |end| (end as f64 / 1000.0).min(whole));
        let part = (end - trim.start_ms as f64 / 1000.0).max(0.04);
        cut = part + 0.004 < whole;
        size = (size as f64 * (part / whole).min(1.0)) as u64;
        seconds = Some(part.min(whole));
    }
    let silenced = audio.is_some() && target.wish.mute && !target.audio_only;
    let audio = audio.filter(|_| !silenced);
    let container = container(offer, video.is_some());
    let outline = (container == MP4 && !cut && !silenced).then(|| Outline {
        brands: vec![*b"isom"],
        indexed: true,
        faststart: true,
        video: video.is_some(),
        audio: audio.is_some(),
        ..Outline::default()
    });
    let (container, others) = (container.to_owned(), usize::from(silenced));
    (Probe { container, duration: seconds, size, video, audio, cut, others, ..Probe::default() }, outline)
}

const MP4: &str = "mov,mp4,m4a,3gp,3g2,mj2";

/// ffmpeg's name of the container that is on disk after loading. What comes in pieces, or picture and sound apart, is
/// joined into an mp4.
fn container(offer: &Offer<'_>, picture: bool) -> &'static str {
    if offer.main.protocol != Protocol::File || offer.audio.is_some() {
        return MP4;
    }
    match offer.main.container.as_deref().unwrap_or_default().to_ascii_lowercase().as_str() {
        "webm" | "mkv" | "weba" => "matroska,webm",
        "mp3" => "mp3",
        "ogg" | "oga" | "opus" => "ogg",
        "flac" => "flac",
        "wav" => "wav",
        "ts" => "mpegts",
        "flv" => "flv",
        "avi" => "avi",
        "gif" => "gif",
        // The index of QuickTime files is wherever it likes to be.
        "mov" => "mov",
        "" if !picture => "mp3",
        _ => MP4,
    }
}

/// The picture that the platform tells of. What it does not tell is as it mostly is.
fn picture(rendition: &Rendition) -> Video {
    let (width, height) = match (rendition.width, rendition.height) {
        (Some(width), Some(height)) => (width, height),
        (None, Some(height)) => (height.saturating_mul(16) / 9, height),
        (Some(width), None) => (width, width.saturating_mul(9) / 16),
        (None, None) => (USUAL_SHORT * 16 / 9, USUAL_SHORT),
    };
    let fps = rendition.fps.filter(|fps| (1.0..=240.0).contains(fps)).unwrap_or(30.0);
    let told = rendition.video_codec.as_deref().unwrap_or_default().to_ascii_lowercase();
    let codec = match told.split('.').next().unwrap_or_default() {
        "" => match rendition.container.as_deref() {
            Some("webm") => "vp9",
            Some("gif") => "gif",
            _ => "h264",
        },
        "avc1" | "avc3" | "h264" => "h264",
        "hvc1" | "hev1" | "hevc" | "h265" => "hevc",
        "vp09" | "vp9" => "vp9",
        "vp08" | "vp8" => "vp8",
        "av01" | "av1" => "av1",
        "mp4v" => "mpeg4",
        other => other,
    };
    let blocks = u64::from(width.div_ceil(16)) * u64::from(height.div_ceil(16));
    let within = blocks <= 8704 && blocks as f64 * fps <= 522_240.0 * 1.01;
    let (profile, level) = avc(&told).unwrap_or(("High", 0));
    Video {
        index: 0,
        codec: codec.to_owned(),
        profile: profile.to_owned(),
        level: if within { level } else { level.max(51) },
        pix_fmt: "yuv420p".to_owned(),
        width,
        height,
        sar: 1.0,
        fps,
        matrix_known: true,
        ..Video::default()
    }
}

/// Profile and level of `avc1.640028` (RFC 6381, 3.3: three bytes in hexadecimal digits).
fn avc(codec: &str) -> Option<(&'static str, i64)> {
    let digits = codec.strip_prefix("avc1.").or_else(|| codec.strip_prefix("avc3."))?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let profile = match byte(0)? {
        0x42 => "Constrained Baseline",
        0x4d => "Main",
        0x64 => "High",
        0x6e => "High 10",
        0x7a => "High 4:2:2",
        _ => "other",
    };
    Some((profile, i64::from(byte(4)?)))
}

fn sound_codec(rendition: &Rendition) -> String {
    let told = rendition.audio_codec.as_deref().unwrap_or_default().to_ascii_lowercase();
    let codec = match told.split('.').next().unwrap_or_default() {
        "" => match rendition.container.as_deref() {
            Some("webm" | "opus") => "opus",
            Some("mp3") => "mp3",
            Some("ogg" | "oga") => "vorbis",
            Some("flac") => "flac",
            Some("wav") => "pcm_s16le",
            _ => "aac",
        },
        // 34 and 6b are MPEG-1 and MPEG-2 layer 3 (RFC 6381, 3.3).
        "mp4a" if told.ends_with(".34") || told.ends_with(".6b") => "mp3",
        "mp4a" | "aac" => "aac",
        other => other,
    };
    codec.to_owned()
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outlook::Copy => f.write_str("as it is"),
            Outlook::Remux => f.write_str("as it is, in an MP4"),
            Outlook::CopyVideo { bytes } => {
                write!(f, "picture as it is, sound encoded: {}", human_bytes(*bytes))
            }
            Outlook::Encode(Encode { short_side, bytes, seconds, .. }) => {
                f.write_str("encode ")?;
                if let Some(bytes) = bytes {
                    write!(f, "to {} ", human_bytes(*bytes))?;
                }
                write!(f, "at {short_side}p")?;
                match *seconds {
                    // Seconds unknown, or soon over.
                    seconds if seconds < 1.0 => Ok(()),
                    seconds if seconds < 10.0 => write!(f, ", some seconds"),
                    seconds => write!(f, ", about {}", human_seconds(rounded(seconds), f64::round)),
                }
            }
            Outlook::CopySound { bytes } => write!(f, "sound as it is: {}", human_bytes(*bytes)),
            Outlook::EncodeSound { kbps, bytes } => {
                write!(f, "encode the sound to {} at {kbps:.0} kbit/s", human_bytes(*bytes))
            }
            Outlook::Split { parts: 1 } => f.write_str("as it is"),
            Outlook::Split { parts } => write!(f, "as it is, in {parts} parts"),
            Outlook::Picture => f.write_str("a smaller picture"),
            Outlook::Gif => f.write_str("a GIF"),
            Outlook::Refuse { fits: Some(fits) } if *fits >= 1.0 => {
                write!(f, "too long: about {} fit", human_seconds(*fits, f64::floor))
            }
            Outlook::Refuse { .. } => f.write_str("can't be made small enough"),
        }
    }
}

/// To tens: nobody knows it better.
fn rounded(seconds: f64) -> f64 {
    (seconds / 10.0).round() * 10.0
}

#[cfg(test)]
mod tests;
