//! Renditions as platforms tell of them, and what is said of them.

use url::Url;

use super::*;
use crate::model::FitWish;

const MIB: u64 = 1 << 20;

fn means() -> Means {
    Means {
        min_video_kbps: 80,
        min_audio_kbps: 24,
        preset: Some("medium".into()),
        time_budget: Duration::from_secs(120),
        cores: 2,
        codec: crate::settings::VideoCodec::H264,
        split: false,
    }
}

fn rendition(short: u32, container: &str, video: &str, audio: &str) -> Rendition {
    Rendition {
        container: Some(container.into()),
        video_codec: Some(video.into()).filter(|_| !video.is_empty()),
        audio_codec: Some(audio.into()).filter(|_| !audio.is_empty()),
        width: Some(short * 16 / 9),
        height: Some(short),
        ..Rendition::at(Url::parse("https://cdn.example/v").unwrap())
    }
}

fn seen(rendition: &Rendition, bytes: u64, seconds: f64, limit: u64) -> Outlook {
    let offer =
        Offer { main: rendition, audio: None, sound: false, silent: false, bytes: Some(bytes), seconds: Some(seconds) };
    forecast(&offer, &FitTarget::at_most(limit), &means())
}

#[test]
fn what_the_platform_says_is_planned_like_a_file() {
    let mp4 = |short| rendition(short, "mp4", "avc1.640028", "mp4a.40.2");
    let mut wrong = Vec::new();
    for (rendition, mib, seconds, limit, words) in [
        (mp4(720), 9, 60.0, 10, "as it is"),
        (mp4(1080), 38, 100.0, 10, "encode to 9.9 MB at 540p, about 2 minutes"),
        (mp4(1080), 38, 20.0, 10, "encode to 9.9 MB at 1080p, about 40 seconds"),
        (mp4(720), 300, 5400.0, 10, "too long: about 12 minutes fit"),
        (rendition(720, "mov", "avc1", "mp4a"), 9, 60.0, 10, "as it is, in an MP4"),
        (rendition(1440, "mp4", "avc1", "mp4a"), 9, 6.0, 10, "encode at 1080p, about 10 seconds"),
        (rendition(720, "mp4", "avc1.6e0028", "mp4a"), 9, 6.0, 10, "encode at 720p, some seconds"),
        (rendition(720, "mp4", "avc1.640034", "mp4a"), 9, 6.0, 10, "encode at 720p, some seconds"),
        (rendition(720, "mp4", "hvc1", "mp4a"), 5, 6.0, 10, "encode at 720p, some seconds"),
    ] {
        let seen = seen(&rendition, mib * MIB, seconds, limit * MIB).to_string();
        if seen != words {
            wrong.push(format!("{seen}, not {words}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sound_is_planned_as_sound() {
    let sound = |container: &str, codec: &str| Rendition {
        streams: Streams::AudioOnly,
        bitrate: Some(128_000),
        ..rendition(0, container, "", codec)
    };
    for (rendition, seconds, words) in [
        (sound("m4a", "mp4a.40.2"), 100.0, "as it is"),
        (sound("mp3", "mp3"), 100.0, "as it is"),
        (sound("m4a", "mp4a.40.2"), 1000.0, "encode the sound to 9"),
    ] {
        let bytes = (128_000.0 * seconds / 8.0) as u64;
        let seen = seen(&rendition, bytes, seconds, 10 * MIB).to_string();
        assert!(seen.starts_with(words), "{seen}");
    }
}

#[test]
fn a_part_of_a_clip_is_planned_as_that_part() {
    let rendition = rendition(1080, "mp4", "avc1", "mp4a");
    let offer = Offer {
        main: &rendition,
        audio: None,
        sound: false,
        silent: false,
        bytes: Some(100 * MIB),
        seconds: Some(100.0),
    };
    let mut target = FitTarget::at_most(10 * MIB);
    assert!(matches!(forecast(&offer, &target, &means()), Outlook::Encode(_)));
    target.wish.trim = Some(crate::model::Trim { start_ms: 20_000, end_ms: Some(25_000) });
    // What is cut is encoded, and five seconds have room for all lines.
    assert_eq!(forecast(&offer, &target, &means()).to_string(), "encode at 1080p, about 10 seconds");
}

#[test]
fn wishes_are_planned_as_they_come_true() {
    let rendition = rendition(720, "mp4", "avc1.640028", "mp4a.40.2");
    let seen = |mib: u64, wish: FitWish| {
        let offer = Offer {
            main: &rendition,
            audio: None,
            sound: false,
            silent: false,
            bytes: Some(mib * MIB),
            seconds: Some(100.0),
        };
        forecast(&offer, &FitTarget { wish, ..FitTarget::at_most(10 * MIB) }, &means()).to_string()
    };
    let split = FitWish { split: true, ..FitWish::default() };
    assert_eq!(seen(9, split), "as it is");
    assert_eq!(seen(38, split), "as it is, in 4 parts");
    assert!(seen(200, split).starts_with("encode to 9.9 MB"), "{}", seen(200, split));
    assert_eq!(seen(9, FitWish { mute: true, ..FitWish::default() }), "as it is, in an MP4");
    assert_eq!(seen(200, FitWish { gif: true, ..FitWish::default() }), "a GIF");
}
