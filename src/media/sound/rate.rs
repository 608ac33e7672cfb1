//! How sound is encoded within a number of bytes: pure arithmetic.
//!
//! The numbers are measured with ffmpeg's own encoders: its AAC is fine from 64 kbit/s a channel, below that libopus is
//! far ahead; stereo at less than 32 kbit/s (Opus), 48 (AAC) or 56 (MP3) sounds worse than mono.

use super::format::Format;
use crate::{
    media::{probe::Audio, video::budget::Rules},
    model::AudioFormat,
};

/// The share of the room that a first encode aims at.
const AIM: f64 = 0.985;
/// Kilobits a second and channel from which ffmpeg's AAC is good enough to be preferred to Opus, because it plays everywhere.
const GOOD_AAC: f64 = 64.0;
/// A lossy source gains nothing by more than so many times its rate.
const LOSSY_GAIN: f64 = 1.25;
/// No lossy source is encoded at less than this for want of quality, in kbit/s.
const LOSSY_LEAST: f64 = 64.0;
/// The share of the least rate that is near enough to it to be tried.
const NEARLY: f64 = 0.93;
/// Seconds that no division goes below.
const INSTANT: f64 = 0.04;

/// How a sound file is encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::media) struct Encode {
    /// What it becomes.
    pub format: Format,
    /// Kilobits a second. Infinite where nothing is lost.
    pub kbps: f64,
    /// More would gain nothing.
    pub most: f64,
    /// 1 or 2.
    pub channels: u32,
    /// Hz.
    pub rate: u32,
}

/// Chooses for `seconds` of `audio`. `None`: not even the lowest rate fits.
pub(super) fn lossy(rules: &Rules, audio: &Audio, seconds: f64, wish: AudioFormat) -> Option<Encode> {
    let mono = audio.channels == 1;
    let of = |format: Format| {
        let most = most(format, audio);
        let kbps = room(rules, format, audio, seconds).min(most);
        let channels = if mono || kbps < stereo(format) { 1 } else { 2 };
        Encode { format, kbps, most, channels, rate: rate(format, audio.sample_rate, kbps / f64::from(channels)) }
    };
    let encode = Format::wanted(wish).map_or_else(
        || {
            let m4a = of(Format::M4a);
            let sources = if mono { 1.0 } else { 2.0 };
            if m4a.kbps >= GOOD_AAC * sources { m4a } else { of(Format::Ogg) }
        },
        of,
    );
    // The aim is below the limit: a rate that is a little too low by it may be right.
    (encode.kbps >= f64::from(rules.min_audio_kbps) * NEARLY).then_some(encode)
}

/// FLAC, where the source, whose sound has about `bytes`, has lost nothing either and it may well fit.
pub(super) fn lossless(rules: &Rules, audio: &Audio, seconds: f64, bytes: f64) -> Option<Encode> {
    let samples = f64::from(audio.sample_rate) * f64::from(audio.channels.min(2));
    let bytes = match audio.codec.as_str() {
        // Already packed as FLAC would. FLAC itself is packed anew where its container is another: a copy would not tell
        // how long it is.
        "flac" | "alac" | "wavpack" | "tta" | "ape" => bytes,
        // Music takes half to two thirds of its PCM, speech a third: a try costs little.
        codec if codec.starts_with("pcm_") && !codec.ends_with("law") => samples * seconds,
        _ => return None,
    };
    let rate = if (1..=192_000).contains(&audio.sample_rate) { audio.sample_rate } else { 48_000 };
    let (kbps, channels) = (f64::INFINITY, audio.channels.clamp(1, 2));
    rules.limit.is_none_or(|limit| bytes <= limit as f64).then_some(Encode {
        format: Format::Flac,
        kbps,
        most: kbps,
        channels,
        rate,
    })
}

/// Kilobits a second that fit.
fn room(rules: &Rules, format: Format, audio: &Audio, seconds: f64) -> f64 {
    let Some(limit) = rules.limit else { return f64::INFINITY };
    // Bytes that the container has once, and those that it adds each second.
    let (once, each) = match format {
        Format::Mp3 => (1500.0, 0.0),
        // Six bytes a packet of 1,024 samples.
        Format::M4a => (2000.0, f64::from(audio.sample_rate.clamp(8000, 48_000)) / 1024.0 * 6.0),
        // A page a second, with a byte or two for each of 50 packets.
        Format::Ogg | Format::Flac => (1000.0, 100.0),
    };
    ((limit as f64 - once) * AIM / seconds.max(INSTANT) - each) * 8.0 / 1000.0
}

/// Kilobits a second beyond which nobody hears a difference.
fn most(format: Format, audio: &Audio) -> f64 {
    let stereo = match format {
        Format::Mp3 | Format::M4a => 256.0,
        Format::Ogg => 192.0,
        Format::Flac => f64::INFINITY,
    };
    let best = if audio.channels == 1 { stereo / 2.0 } else { stereo };
    // Beyond two channels the rate is spread over more than is kept.
    let share = 2.0 / f64::from(audio.channels.max(2));
    match audio.bit_rate {
        Some(bits) if !is_lossless(&audio.codec) => best.min((bits / 1000.0 * share * LOSSY_GAIN).max(LOSSY_LEAST)),
        _ => best,
    }
}

/// Below this two channels sound worse than one.
fn stereo(format: Format) -> f64 {
    match format {
        Format::Mp3 => 56.0,
        Format::M4a => 48.0,
        Format::Ogg => 32.0,
        Format::Flac => 0.0,
    }
}

/// Samples a second: those of the source where the format has them, never more than it needs, fewer at low rates.
fn rate(format: Format, source: u32, each_kbps: f64) -> u32 {
    if format == Format::Ogg {
        // Opus always plays at 48 kHz; what it has to carry is told by the rate it is given.
        return [8000, 12_000, 16_000, 24_000]
            .into_iter()
            .find(|rate| *rate >= source)
            .filter(|_| source > 0)
            .unwrap_or(48_000);
    }
    let most = match each_kbps {
        each if each >= 48.0 => 48_000,
        // From 32 kHz on MP3 has no rates below 32 kbit/s.
        each if each >= 16.0 && format == Format::Mp3 => 24_000,
        each if each >= 40.0 => 48_000,
        each if each >= 24.0 => 32_000,
        each if each >= 16.0 => 24_000,
        _ => 16_000,
    };
    let source = if source == 0 { 48_000 } else { source };
    [48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000]
        .into_iter()
        .find(|rate| *rate <= source.min(most))
        .unwrap_or(8000)
}

fn is_lossless(codec: &str) -> bool {
    codec.starts_with("pcm_") || matches!(codec, "flac" | "alac" | "wavpack" | "tta" | "ape")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn rules(limit: impl Into<Option<u64>>) -> Rules {
        Rules {
            limit: limit.into(),
            min_video_kbps: 80,
            min_audio_kbps: 24,
            max_short: None,
            codec: crate::settings::VideoCodec::H264,
        }
    }

    fn pcm(channels: u32, sample_rate: u32) -> Audio {
        let bit_rate = Some(f64::from(channels * sample_rate) * 16.0);
        Audio { codec: "pcm_s16le".into(), channels, sample_rate, bit_rate, ..Audio::default() }
    }

    #[test]
    fn the_room_decides_on_codec_channels_and_rate() {
        use Format::{M4a, Mp3, Ogg};
        let (stereo, mono) = (pcm(2, 44_100), pcm(1, 44_100));
        for (audio, seconds, wish, format, channels, rate) in [
            (&stereo, 60.0, AudioFormat::Auto, M4a, 2, 44_100),
            (&stereo, 600.0, AudioFormat::Auto, M4a, 2, 44_100),
            (&stereo, 700.0, AudioFormat::Auto, Ogg, 2, 48_000),
            (&stereo, 3000.0, AudioFormat::Auto, Ogg, 1, 48_000),
            (&mono, 1200.0, AudioFormat::Auto, M4a, 1, 44_100),
            (&mono, 1500.0, AudioFormat::Auto, Ogg, 1, 48_000),
            (&stereo, 60.0, AudioFormat::Mp3, Mp3, 2, 44_100),
            (&stereo, 3000.0, AudioFormat::Mp3, Mp3, 1, 24_000),
            (&stereo, 2500.0, AudioFormat::M4a, M4a, 1, 32_000),
            (&stereo, 60.0, AudioFormat::Opus, Ogg, 2, 48_000),
            (&pcm(1, 8000), 60.0, AudioFormat::Auto, M4a, 1, 8000),
            (&pcm(1, 11_025), 60.0, AudioFormat::Opus, Ogg, 1, 12_000),
            (&pcm(2, 192_000), 60.0, AudioFormat::Auto, M4a, 2, 48_000),
            (&pcm(8, 88_200), 60.0, AudioFormat::Auto, M4a, 2, 48_000),
        ] {
            let encode = lossy(&rules(10 * MIB), audio, seconds, wish).unwrap();
            let got = (encode.format, encode.channels, encode.rate);
            assert_eq!(got, (format, channels, rate), "{seconds} s, {wish:?}: {encode:?}");
            assert!(encode.kbps * 125.0 * seconds <= 10.0 * MIB as f64);
        }
        assert_eq!(lossy(&rules(10 * MIB), &stereo, 4000.0, AudioFormat::Auto), None);
        assert_eq!(lossy(&rules(None), &stereo, 1e6, AudioFormat::Auto).unwrap().kbps, 256.0);
    }

    #[test]
    fn a_lossy_source_is_not_blown_up() {
        let wma = Audio { codec: "wmav2".into(), bit_rate: Some(96e3), ..pcm(2, 44_100) };
        let encode = lossy(&rules(10 * MIB), &wma, 60.0, AudioFormat::Auto).unwrap();
        assert_eq!((encode.kbps, encode.format), (120.0, Format::Ogg));
        // The six channels of a film become two.
        let film = Audio { codec: "ac3".into(), bit_rate: Some(640e3), channels: 6, ..pcm(6, 48_000) };
        assert_eq!(lossy(&rules(100 * MIB), &film, 60.0, AudioFormat::Mp3).unwrap().kbps, 256.0);
        let poor = Audio { codec: "amrnb".into(), bit_rate: Some(12e3), ..pcm(1, 8000) };
        assert_eq!(lossy(&rules(10 * MIB), &poor, 60.0, AudioFormat::Auto).unwrap().kbps, 64.0);
    }

    #[test]
    fn what_has_lost_nothing_stays_so_where_it_may_fit() {
        assert_eq!(lossless(&rules(10 * MIB), &pcm(2, 44_100), 60.0, 1e6).unwrap().format, Format::Flac);
        assert_eq!(lossless(&rules(10 * MIB), &pcm(2, 44_100), 300.0, 1e6), None);
        let flac = Audio { codec: "flac".into(), bit_rate: None, ..pcm(2, 44_100) };
        assert_eq!(lossless(&rules(10 * MIB), &flac, 60.0, 1e6).unwrap().format, Format::Flac);
        let aac = Audio { codec: "aac".into(), ..pcm(2, 44_100) };
        assert_eq!(lossless(&rules(None), &aac, 60.0, 1e6), None);
        assert_eq!(lossless(&rules(None), &pcm(2, 768_000), 60.0, 1e6).unwrap().rate, 48_000);
    }
}
