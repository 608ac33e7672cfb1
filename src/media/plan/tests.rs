use super::*;

const MIB: u64 = 1 << 20;

fn h264() -> Video {
    Video {
        codec: "h264".into(),
        profile: "High".into(),
        level: 40,
        pix_fmt: "yuv420p".into(),
        width: 1280,
        height: 720,
        sar: 1.0,
        fps: 30.0,
        ..Video::default()
    }
}

fn aac() -> Audio {
    Audio { index: 1, codec: "aac".into(), profile: "LC".into(), channels: 2, sample_rate: 48_000, ..Audio::default() }
}

fn mp4(size: u64, seconds: f64) -> Probe {
    Probe {
        container: "mov,mp4,m4a,3gp,3g2,mj2".into(),
        duration: Some(seconds),
        size,
        video: Some(h264()),
        audio: Some(aac()),
        ..Probe::default()
    }
}

fn front() -> Outline {
    Outline { brands: vec![*b"isom"], indexed: true, faststart: true, video: true, ..Outline::default() }
}

fn decide(probe: &Probe, outline: Option<&Outline>, limit: Option<u64>, audio_only: bool) -> Plan {
    let rules = Rules {
        limit,
        min_video_kbps: 80,
        min_audio_kbps: 24,
        max_short: None,
        codec: crate::settings::VideoCodec::H264,
    };
    plan(probe, outline, &FitTarget { audio_only, ..FitTarget::at_most(limit) }, &rules)
}

/// The plan in a few letters, for tables.
fn brief(plan: &Plan) -> String {
    match plan {
        Plan::Keep => "keep".into(),
        Plan::Refuse(refusal) => format!("refuse {}", refusal.error().code()),
        Plan::Make { steps, .. } => {
            let names: Vec<_> = steps
                .iter()
                .map(|step| match step {
                    Step::Remux => "remux",
                    Step::CopyVideo(_) => "copy-video",
                    Step::Encode { .. } => "encode",
                    Step::CopySound(_) => "copy-sound",
                    Step::EncodeSound(_) => "sound",
                    Step::Gif => "gif",
                })
                .collect();
            names.join(" ")
        }
    }
}

#[test]
fn videos_take_the_cheapest_way_that_plays() {
    let limit = Some(10 * MIB);
    let video = |change: fn(&mut Video)| {
        let mut probe = mp4(5 * MIB, 60.0);
        change(probe.video.as_mut().unwrap());
        probe
    };
    let audio = |change: fn(&mut Audio)| {
        let mut probe = mp4(5 * MIB, 60.0);
        change(probe.audio.as_mut().unwrap());
        probe
    };
    let with = |change: fn(&mut Outline)| {
        let mut outline = front();
        change(&mut outline);
        Some(outline)
    };
    let matroska = || Probe { container: "matroska,webm".into(), ..mp4(5 * MIB, 60.0) };
    let everything = "remux copy-video encode";
    for (what, probe, outline, limit, want) in [
        ("plays and fits", mp4(5 * MIB, 60.0), Some(front()), limit, "keep"),
        ("exactly the limit", mp4(10 * MIB, 60.0), Some(front()), limit, "keep"),
        ("no limit", mp4(900 * MIB, 60.0), Some(front()), None, "keep"),
        ("no sound", Probe { audio: None, ..mp4(5 * MIB, 60.0) }, Some(front()), limit, "keep"),
        ("turned, not square", video(|v| (v.rotation, v.sar) = (90, 1.4)), Some(front()), limit, "keep"),
        ("index behind", mp4(5 * MIB, 60.0), with(|o| o.faststart = false), limit, everything),
        ("in fragments", mp4(5 * MIB, 60.0), with(|o| o.fragmented = true), limit, everything),
        ("cut short", mp4(5 * MIB, 60.0), with(|o| o.truncated = true), limit, everything),
        ("QuickTime", mp4(5 * MIB, 60.0), with(|o| o.brands = vec![*b"qt  "]), limit, everything),
        ("Matroska", matroska(), None, limit, everything),
        ("one byte over", mp4(10 * MIB + 1, 60.0), Some(front()), limit, everything),
        ("far over", mp4(50 * MIB, 60.0), Some(front()), limit, "encode"),
        ("other sound", audio(|a| a.codec = "mp3".into()), Some(front()), limit, "copy-video encode"),
        ("HE-AAC", audio(|a| a.profile = "HE-AAC".into()), Some(front()), limit, "copy-video encode"),
        ("HEVC", video(|v| v.codec = "hevc".into()), Some(front()), limit, "encode"),
        ("10 bits", video(|v| v.pix_fmt = "yuv420p10le".into()), Some(front()), limit, "encode"),
        ("4:4:4", video(|v| v.pix_fmt = "yuv444p".into()), Some(front()), limit, "encode"),
        ("level 5.1", video(|v| v.level = 51), Some(front()), limit, "encode"),
        ("HDR", video(|v| v.hdr = true), Some(front()), limit, "encode"),
        ("HEVC without a limit", video(|v| v.codec = "hevc".into()), Some(front()), None, "encode"),
        ("8K square", video(|v| (v.width, v.height) = (16_000, 8000)), Some(front()), limit, "refuse cannot_fit"),
        ("three hours", mp4(900 * MIB, 10_800.0), Some(front()), limit, "refuse cannot_fit"),
        ("three hours in 10 MiB already", mp4(9 * MIB, 10_800.0), Some(front()), limit, "keep"),
        ("nothing", Probe { video: None, audio: None, ..mp4(MIB, 1.0) }, None, limit, "refuse cannot_fit"),
    ] {
        assert_eq!(brief(&decide(&probe, outline.as_ref(), limit, false)), want, "{what}");
    }
}

#[test]
fn large_sound_or_further_streams_leave_the_picture_alone() {
    let mut probe = mp4(12 * MIB, 60.0);
    probe.video.as_mut().unwrap().bit_rate = Some(1e6);
    probe.audio.as_mut().unwrap().bit_rate = Some(640e3);
    assert_eq!(brief(&decide(&probe, Some(&front()), Some(10 * MIB), false)), "copy-video encode");
    // Four more sound tracks: the default one is copied.
    probe.audio.as_mut().unwrap().bit_rate = Some(128e3);
    probe.others = 4;
    assert_eq!(brief(&decide(&probe, Some(&front()), Some(10 * MIB), false)), "remux copy-video encode");
}

#[test]
fn sound_alone_is_another_rooms_to_plan() {
    let limit = Some(10 * MIB);
    let sound = |container: &str, codec: &str, size| Probe {
        container: container.into(),
        size,
        video: None,
        audio: Some(Audio { codec: codec.into(), ..aac() }),
        ..mp4(size, 300.0)
    };
    for (what, probe, audio_only, want) in [
        ("mp3", sound("mp3", "mp3", MIB), false, "keep"),
        ("large mp3", sound("mp3", "mp3", 50 * MIB), false, "sound"),
        ("of a video", mp4(50 * MIB, 300.0), true, "copy-sound sound"),
        ("of a silent video", Probe { audio: None, ..mp4(MIB, 3.0) }, true, "refuse no_media"),
        (
            "two hours",
            Probe { duration: Some(7200.0), ..sound("wav", "pcm_s16le", 900 * MIB) },
            false,
            "refuse cannot_fit",
        ),
    ] {
        assert_eq!(brief(&decide(&probe, None, limit, audio_only)), want, "{what}");
    }
}

#[test]
fn a_refusal_says_what_would_fit() {
    let Plan::Refuse(refusal) = decide(&mp4(900 * MIB, 10_800.0), Some(&front()), Some(10 * MIB), false) else {
        panic!("not refused");
    };
    let text = refusal.error().user_text();
    assert!(text.contains("it is 3 hours long; at 10 MB about 12 minutes fit"), "{text}");
}

#[test]
fn a_forecast_stays_under_the_limit() {
    for (seconds, limit) in [(20.0, MIB), (60.0, 8 * MIB), (600.0, 10 * MIB), (600.0, 50 * MIB)] {
        match decide(&mp4(900 * MIB, seconds), Some(&front()), Some(limit), false) {
            Plan::Make { steps, .. } => match steps.as_slice() {
                [Step::Encode { bytes, .. }] => assert!(bytes.is_none_or(|bytes| bytes <= limit), "{steps:?}"),
                other => panic!("{other:?}"),
            },
            other => panic!("{seconds} s in {limit}: {other:?}"),
        }
    }
}

#[test]
fn sizes_and_lengths_read_well() {
    for (bytes, want) in
        [(10 * MIB, "10 MB"), (MIB * 99 / 10, "9.9 MB"), (8 * MIB, "8 MB"), (200 << 10, "200 kB"), (5, "1 kB")]
    {
        assert_eq!(human_bytes(bytes), want);
    }
    for (seconds, want) in [
        (1.0, "1 second"),
        (45.2, "45 seconds"),
        (600.0, "10 minutes"),
        (3600.0, "1 hour"),
        (5400.0, "1 hour 30 minutes"),
        (10_800.0, "3 hours"),
        (40_000.0, "11 hours"),
    ] {
        assert_eq!(human_seconds(seconds, f64::round), want);
    }
}
