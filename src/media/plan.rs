//! Decides what must happen to a file so that it fits and plays inline: pure, from a probe and the rules.
//!
//! What plays inline in every client: mp4 with H.264 (up to High, level 4.2, 4:2:0, 8 bits) and AAC-LC, its index in
//! front; sound as MP3, M4A, Ogg, FLAC or WAV; pictures as JPEG, PNG, GIF or WebP.

use super::{
    FitTarget,
    bmff::Outline,
    probe::{Audio, Probe, Video},
    sound,
    video::budget::{self, Picture, Rate, Rules, Sound},
};
use crate::{
    model::{Error, Kind},
    settings::VideoCodec,
};

/// What is to be done with a video or sound file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// Nothing.
    Keep,
    /// These, in order, until one gives a file that fits; then the refusal, if there is one.
    Make {
        /// What to try.
        steps: Vec<Step>,
        /// What to say when none works.
        otherwise: Refusal,
    },
    /// It cannot work.
    Refuse(Refusal),
}

/// A way to make the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Copy picture and sound into an mp4.
    Remux,
    /// Copy the picture, encode the sound.
    CopyVideo(Sound),
    /// Encode both. The values are a forecast: the real ones follow when the sound's bytes are known.
    Encode {
        /// The picture's size.
        picture: Picture,
        /// Bytes the file will have, roughly.
        bytes: Option<u64>,
    },
    /// Copy the sound into a file of its own kind.
    CopySound(sound::Format),
    /// Encode the sound.
    EncodeSound(sound::Encode),
    /// Make a GIF of the picture.
    Gif,
}

/// Why a file cannot be made to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Refusal {
    /// It holds neither picture nor sound.
    NotMedia,
    /// Sound was wanted, and it has none.
    NoSound,
    /// A frame is larger than we decode.
    Oversized {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// No picture worth watching (or sound worth hearing) fits.
    TooLong {
        /// Seconds it has.
        seconds: f64,
        /// Seconds that would fit.
        fits: f64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Nothing that was tried gave a file under the limit.
    Stubborn,
}

impl Refusal {
    /// The error that users and operators read.
    pub(super) fn error(&self) -> Error {
        let cannot = |operator: String, detail: String| Error::new(Kind::CannotFit, operator).with_detail(detail);
        match *self {
            Refusal::NotMedia => {
                cannot("no picture and no sound in the file".into(), "the file is damaged or isn't media".into())
            }
            Refusal::NoSound => {
                Error::new(Kind::NoMedia, "sound was wanted, the file has none").with_detail("it has no sound")
            }
            Refusal::Oversized { width, height } => cannot(
                format!("a frame of {width} x {height} pixels"),
                format!("its picture of {width} × {height} pixels is too large"),
            ),
            Refusal::TooLong { seconds, fits, limit } => {
                let length = human_seconds(seconds, f64::round);
                let fitting = if fits < 1.0 {
                    "nothing of it fits".to_owned()
                } else {
                    format!("about {} fit", human_seconds(fits, f64::floor))
                };
                cannot(
                    format!("{seconds:.0} s at {limit} bytes; {fits:.0} s would fit"),
                    format!("it is {length} long; at {} {fitting}", human_bytes(limit)),
                )
            }
            Refusal::Stubborn => {
                cannot("every try came out too large".into(), "every attempt came out too large".into())
            }
        }
    }
}

/// Decides. `outline` of mp4 files and their relatives.
pub(super) fn plan(probe: &Probe, outline: Option<&Outline>, target: &FitTarget, rules: &Rules) -> Plan {
    if let Some(video) = probe.video.as_ref().filter(|_| probe.is_oversized()) {
        return Plan::Refuse(Refusal::Oversized { width: video.width, height: video.height });
    }
    match (&probe.video, &probe.audio) {
        (None, None) if target.audio_only => Plan::Refuse(Refusal::NoSound),
        (None, None) => Plan::Refuse(Refusal::NotMedia),
        (Some(_), _) if target.wish.gif && !target.audio_only => {
            Plan::Make { steps: vec![Step::Gif], otherwise: Refusal::Stubborn }
        }
        (Some(video), _) if !target.audio_only => plan_video(probe, video, outline, rules),
        (_, Some(audio)) => sound::plan(probe, audio, outline, target, rules),
        (_, None) => Plan::Refuse(Refusal::NoSound),
    }
}

/// Whether every client plays this picture, or those that the operator answers for.
pub(super) fn video_plays(video: &Video, codec: VideoCodec) -> bool {
    let chosen = match codec {
        VideoCodec::H264 => false,
        VideoCodec::Hevc => video.codec == "hevc",
        VideoCodec::Av1 => video.codec == "av1",
    };
    if chosen {
        return matches!(video.pix_fmt.as_str(), "yuv420p" | "yuv420p10le") && !video.hdr;
    }
    video.codec == "h264"
        && matches!(video.pix_fmt.as_str(), "yuv420p" | "yuvj420p")
        && matches!(video.profile.as_str(), "" | "Baseline" | "Constrained Baseline" | "Main" | "High")
        && video.level <= 42
        && !video.hdr
}

/// Whether every client plays this sound in an mp4.
pub(super) fn audio_plays(audio: &Audio) -> bool {
    audio.codec == "aac" && matches!(audio.profile.as_str(), "" | "LC")
}

fn plan_video(probe: &Probe, video: &Video, outline: Option<&Outline>, rules: &Rules) -> Plan {
    let seconds = probe.duration.unwrap_or(0.0);
    let fits = rules.limit.is_none_or(|limit| probe.size <= limit);
    let picture_plays = video_plays(video, rules.codec) && !probe.cut && !rules.wants_smaller(video);
    let sound_plays = probe.audio.as_ref().is_none_or(audio_plays);
    if picture_plays && sound_plays && fits && outline.is_some_and(starts_at_once) {
        return Plan::Keep;
    }
    let mut steps = Vec::new();
    let near = |bytes: f64| rules.limit.is_none_or(|limit| bytes <= limit as f64 * 1.02);
    let sound_bytes = probe.audio.as_ref().and_then(|audio| audio.bit_rate).map(|rate| rate * seconds / 8.0);
    let video_bytes = video.bit_rate.map(|rate| rate * seconds / 8.0);
    if picture_plays && sound_plays {
        // With further streams in the file, the two that are wanted may be much smaller than the whole.
        let wanted = match (video_bytes, sound_bytes) {
            (Some(video), Some(sound)) if probe.others > 0 => video + sound,
            _ if probe.others > 0 => probe.size as f64 / 4.0,
            _ => probe.size as f64,
        };
        if near(wanted) {
            steps.push(Step::Remux);
        }
    }
    // A picture that starts late would lose its place: only an encode can hold its first frame from the beginning.
    if let Some(audio) = probe.audio.as_ref().filter(|_| picture_plays && video.delay < budget::DELAY) {
        let sound = rules.sound_of_video(audio, seconds);
        let rest = video_bytes.unwrap_or_else(|| match sound_bytes {
            Some(sound) => (probe.size as f64 - sound).max(0.0),
            None if probe.others > 0 => f64::INFINITY,
            None => probe.size as f64 * 0.9,
        });
        if near(rest + sound.kbps * 1000.0 * seconds / 8.0) {
            steps.push(Step::CopyVideo(sound));
        }
    }
    let too_long =
        Refusal::TooLong { seconds, fits: rules.seconds_that_fit(probe), limit: rules.limit.unwrap_or(u64::MAX) };
    let otherwise = match forecast(probe, video, rules, seconds) {
        Some(step) => {
            steps.push(step);
            Refusal::Stubborn
        }
        None => too_long,
    };
    if steps.is_empty() { Plan::Refuse(otherwise) } else { Plan::Make { steps, otherwise } }
}

/// What an encode will give. `None`: nothing worth watching.
fn forecast(probe: &Probe, video: &Video, rules: &Rules, seconds: f64) -> Option<Step> {
    let sound_bytes = probe
        .audio
        .as_ref()
        .map_or(0.0, |audio| rules.sound_of_video(audio, seconds).kbps * 1000.0 * 1.03 * seconds / 8.0);
    let picture_seconds = video.seconds(seconds);
    let native = budget::scaled(video, rules.short_side(), None);
    let frames = budget::frames(video, &native, picture_seconds);
    let bits = rules.video_bits(sound_bytes as u64, frames, picture_seconds);
    if bits.is_some_and(|bits| bits < rules.floor(video)) {
        return None;
    }
    let shape = budget::choose(probe, video, bits, rules.short_side(), 0);
    let bytes = match shape.rate {
        Rate::TwoPass { bits } => Some((bits * picture_seconds / 8.0 + sound_bytes) as u64 + budget::overhead(frames)),
        Rate::Quality { .. } => None,
    };
    Some(Step::Encode { picture: shape.picture, bytes })
}

/// Whether a player can begin with the first bytes, and the file is whole.
fn starts_at_once(outline: &Outline) -> bool {
    let mp4 = outline.brands.first().is_some_and(|brand| brand != b"qt  " && !brand.starts_with(b"3g"));
    mp4 && outline.faststart && !outline.fragmented && !outline.truncated
}

impl Step {
    /// Its name in reports.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Step::Remux => "remux",
            Step::CopyVideo(_) => "copy_video",
            Step::Encode { .. } => "encode",
            Step::CopySound(_) | Step::EncodeSound(_) => "audio",
            Step::Gif => "gif",
        }
    }

    /// In words, for `explain` and the metadata command.
    pub(super) fn describe(&self) -> String {
        match self {
            Step::Remux => "remux".into(),
            Step::CopyVideo(_) => "copy the picture, encode the sound".into(),
            Step::Encode { picture, bytes } => {
                let short = picture.width.min(picture.height);
                match bytes {
                    Some(bytes) => format!("encode to {} at {short}p", human_bytes(*bytes)),
                    None => format!("encode at {short}p"),
                }
            }
            Step::CopySound(_) => "copy the sound".into(),
            Step::Gif => "make a GIF".into(),
            Step::EncodeSound(encode) if encode.kbps.is_finite() => {
                format!("encode the sound at {:.0} kbit/s", encode.kbps)
            }
            Step::EncodeSound(_) => "encode the sound without loss".into(),
        }
    }
}

/// As Discord counts and calls it: 10 MiB are "10 MB".
pub(crate) fn human_bytes(bytes: u64) -> String {
    let mb = bytes as f64 / 1_048_576.0;
    if mb >= 9.95 && (mb - mb.round()).abs() < 0.05 {
        format!("{mb:.0} MB")
    } else if mb >= 0.95 {
        format!("{mb:.1} MB").replace(".0 ", " ")
    } else {
        format!("{:.0} kB", (bytes as f64 / 1024.0).max(1.0))
    }
}

/// `45 seconds`, `12 minutes`, `1 hour 30 minutes`, `3 hours`.
pub(super) fn human_seconds(seconds: f64, round: fn(f64) -> f64) -> String {
    let unit = |count: f64, name: &str| format!("{count:.0} {name}{}", if count == 1.0 { "" } else { "s" });
    if seconds < 90.0 {
        return unit(round(seconds).max(1.0), "second");
    }
    let minutes = round(seconds / 60.0);
    if minutes < 60.0 {
        return unit(minutes, "minute");
    }
    let (hours, rest) = ((minutes / 60.0).floor(), minutes % 60.0);
    if rest == 0.0 || hours >= 10.0 {
        unit(hours, "hour")
    } else {
        format!("{} {}", unit(hours, "hour"), unit(rest, "minute"))
    }
}

#[cfg(test)]
mod tests;
