//! Decides what becomes of a sound file, or of the sound of a video: kept, copied into a file of its own kind, or encoded.

use super::{format::Format, rate};
use crate::{
    media::{
        bmff::Outline,
        plan::{Plan, Refusal, Step},
        probe::{Audio, Probe},
        target::FitTarget,
        video::budget::Rules,
    },
    model::AudioFormat,
};

/// How far over the limit a copy may be by the source's word, which is never exact.
const SLACK: f64 = 1.02;

/// Decides. `outline` of mp4 files and their relatives.
pub(in crate::media) fn plan(
    probe: &Probe,
    audio: &Audio,
    outline: Option<&Outline>,
    target: &FitTarget,
    rules: &Rules,
) -> Plan {
    let seconds = probe.duration.unwrap_or(0.0);
    let wish = target.wish.audio_format;
    let own = Format::of(&audio.codec, &audio.profile)
        .filter(|format| *format != Format::Flac && suits(wish, &audio.codec) && !probe.cut);
    let fits = rules.limit.is_none_or(|limit| probe.size <= limit);
    let whole = outline.is_none_or(|outline| !outline.fragmented && !outline.truncated);
    if probe.video.is_none() && !probe.cut && fits && plays(probe, audio, whole) && suits(wish, &audio.codec) {
        return Plan::Keep;
    }
    let mut steps = Vec::new();
    let told = audio.bit_rate.map(|rate| rate * seconds / 8.0);
    // Beside a picture nobody knows how much of the file the sound is, and a copy costs nothing.
    let bytes = told.unwrap_or(if probe.video.is_some() { 0.0 } else { probe.size as f64 });
    if let Some(format) = own
        && rules.limit.is_none_or(|limit| bytes <= limit as f64 * SLACK)
    {
        steps.push(Step::CopySound(format));
    }
    if wish == AudioFormat::Auto {
        steps.extend(rate::lossless(rules, audio, seconds, bytes).map(Step::EncodeSound));
    }
    let otherwise = match rate::lossy(rules, audio, seconds, wish) {
        Some(encode) => {
            steps.push(Step::EncodeSound(encode));
            if wish == AudioFormat::Auto && encode.format != Format::M4a {
                // Not every ffmpeg has libopus; each has AAC.
                steps.extend(rate::lossy(rules, audio, seconds, AudioFormat::M4a).map(Step::EncodeSound));
            }
            Refusal::Stubborn
        }
        None => {
            let sound = Probe { video: None, audio: Some(audio.clone()), ..Probe::default() };
            let limit = rules.limit.unwrap_or(u64::MAX);
            Refusal::TooLong { seconds, fits: rules.seconds_that_fit(&sound), limit }
        }
    };
    if steps.is_empty() { Plan::Refuse(otherwise) } else { Plan::Make { steps, otherwise } }
}

/// Whether every client plays the file as it is.
fn plays(probe: &Probe, audio: &Audio, whole: bool) -> bool {
    let container = |name: &str| probe.container.split(',').any(|own| own == name);
    match Format::of(&audio.codec, &audio.profile) {
        Some(Format::Mp3) => container("mp3"),
        Some(Format::M4a) => probe.is_mp4() && whole,
        Some(Format::Ogg) => container("ogg"),
        Some(Format::Flac) => container("flac"),
        None => audio.codec.starts_with("pcm_") && container("wav"),
    }
}

/// Whether a codec is what was asked for.
fn suits(wish: AudioFormat, codec: &str) -> bool {
    match wish {
        AudioFormat::Auto => true,
        AudioFormat::Mp3 => codec == "mp3",
        AudioFormat::M4a => codec == "aac",
        AudioFormat::Opus => codec == "opus",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        media::plan::plan as decide,
        model::{AudioFormat::*, FitWish},
    };

    const MIB: u64 = 1 << 20;

    fn sound(container: &str, codec: &str, bit_rate: f64, seconds: f64) -> Probe {
        let audio = Audio {
            codec: codec.into(),
            profile: if codec == "aac" { "LC".into() } else { String::new() },
            channels: 2,
            sample_rate: 44_100,
            bit_rate: Some(bit_rate),
            ..Audio::default()
        };
        let size = (bit_rate * seconds / 8.0) as u64;
        Probe { container: container.into(), duration: Some(seconds), size, audio: Some(audio), ..Probe::default() }
    }

    fn brief(probe: &Probe, wish: AudioFormat) -> String {
        let rules = Rules {
            limit: Some(10 * MIB),
            min_video_kbps: 80,
            min_audio_kbps: 24,
            max_short: None,
            codec: crate::settings::VideoCodec::H264,
        };
        let target =
            FitTarget { wish: FitWish { audio_format: wish, ..FitWish::default() }, ..FitTarget::at_most(10 * MIB) };
        match decide(probe, None, &target, &rules) {
            Plan::Keep => "keep".into(),
            Plan::Refuse(refusal) => format!("refuse {}", refusal.error().code()),
            Plan::Make { steps, .. } => {
                let name = |step: &Step| match step {
                    Step::CopySound(format) => format!("copy {}", format.extension()),
                    Step::EncodeSound(encode) => encode.format.encoder().to_owned(),
                    step => panic!("{step:?}"),
                };
                steps.iter().map(name).collect::<Vec<_>>().join(", ")
            }
        }
    }

    #[test]
    fn what_loses_least_comes_first() {
        let mp4 = "mov,mp4,m4a,3gp,3g2,mj2";
        for (container, codec, kbps, seconds, wish, want) in [
            ("mp3", "mp3", 128e3, 60.0, Auto, "keep"),
            (mp4, "aac", 128e3, 60.0, Auto, "keep"),
            ("ogg", "opus", 128e3, 60.0, Auto, "keep"),
            ("ogg", "vorbis", 128e3, 60.0, Auto, "keep"),
            ("flac", "flac", 900e3, 60.0, Auto, "keep"),
            ("wav", "pcm_s16le", 1411e3, 30.0, Auto, "keep"),
            ("ogg", "flac", 900e3, 60.0, Auto, "flac, aac"),
            ("matroska,webm", "opus", 128e3, 60.0, Auto, "copy ogg, aac"),
            ("matroska,webm", "vorbis", 128e3, 60.0, Auto, "copy ogg, aac"),
            ("aac", "aac", 128e3, 60.0, Auto, "copy m4a, aac"),
            ("wav", "pcm_s16le", 1411e3, 100.0, Auto, "flac, aac"),
            ("wav", "pcm_s16le", 1411e3, 600.0, Auto, "aac"),
            ("wav", "pcm_s16le", 1411e3, 900.0, Auto, "libopus, aac"),
            (mp4, "alac", 800e3, 60.0, Auto, "flac, aac"),
            ("mp3", "mp3", 320e3, 600.0, Auto, "aac"),
            ("wav", "pcm_s16le", 1411e3, 7200.0, Auto, "refuse cannot_fit"),
            ("mp3", "mp3", 128e3, 60.0, Mp3, "keep"),
            ("mp3", "mp3", 128e3, 60.0, M4a, "aac"),
            ("flac", "flac", 900e3, 60.0, Mp3, "libmp3lame"),
            ("wav", "pcm_s16le", 1411e3, 30.0, Opus, "libopus"),
            ("ogg", "vorbis", 128e3, 60.0, Opus, "libopus"),
            ("matroska,webm", "opus", 128e3, 60.0, Opus, "copy ogg, libopus"),
        ] {
            let got = brief(&sound(container, codec, kbps, seconds), wish);
            assert_eq!(got, want, "{container} {codec} {seconds} s {wish:?}");
        }
    }

    #[test]
    fn old_and_new_profiles_of_aac_are_encoded() {
        let mut probe = sound("aac", "aac", 64e3, 60.0);
        for (profile, want) in
            [("HE-AAC", "copy m4a, libopus, aac"), ("xHE-AAC", "libopus, aac"), ("Main", "libopus, aac")]
        {
            probe.audio.as_mut().unwrap().profile = profile.into();
            assert_eq!(brief(&probe, Auto), want, "{profile}");
        }
    }
}
