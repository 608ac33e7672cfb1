//! What is planned for which renditions; and what holds for all of them.

use proptest::prelude::*;
use url::Url;

use super::*;
use crate::model::{FitWish, Trim};

const MIB: u64 = 1024 * 1024;

fn means() -> Means {
    Means {
        min_video_kbps: 80,
        min_audio_kbps: 24,
        preset: Some("medium".into()),
        time_budget: std::time::Duration::from_secs(120),
        cores: 2,
        codec: crate::settings::VideoCodec::H264,
        split: false,
    }
}

fn rendition(name: &str, streams: Streams, short: u32, bytes: u64, codecs: (&str, &str)) -> Rendition {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let container = match (codecs.0.starts_with('v'), codecs.1) {
        (true, _) | (_, "opus") => "webm",
        _ => "mp4",
    };
    Rendition {
        format_id: Some(name.into()),
        streams,
        container: Some(container.into()),
        video_codec: some(codecs.0),
        audio_codec: some(codecs.1),
        width: (short > 0).then_some(short * 16 / 9),
        height: (short > 0).then_some(short),
        // A hundred seconds.
        bitrate: Some(bytes * 8 / 100),
        bytes: (bytes > 0).then_some(bytes),
        bytes_exact: true,
        ..Rendition::at(Url::parse("https://cdn.example/v").unwrap())
    }
}

fn whole(name: &str, short: u32, mib: u64) -> Rendition {
    rendition(name, Streams::Whole, short, mib * MIB, ("avc1.64001f", "mp4a.40.2"))
}

fn picture(name: &str, short: u32, mib: u64) -> Rendition {
    rendition(name, Streams::VideoOnly, short, mib * MIB, ("avc1", ""))
}

fn audio(name: &str, mib: u64) -> Rendition {
    rendition(name, Streams::AudioOnly, 0, mib * MIB, ("", "mp4a"))
}

fn names(kind: FileType, renditions: &[Rendition], wish: &str, audio_only: bool, limit: u64) -> String {
    let item = Item::new(kind, renditions.to_vec());
    let options = Options { quality: wish.parse().unwrap(), audio_only, ..Options::default() };
    let limit = (limit > 0).then_some(UploadLimit { per_file: limit * MIB });
    let name = |rendition: &Rendition| rendition.format_id.clone().unwrap();
    match plan(&item, &options, limit, &means()).map(|plan| plan.selection) {
        None => "nothing".into(),
        Some(Selection { main, audio: None }) => name(&main),
        Some(Selection { main, audio: Some(audio) }) => format!("{}+{}", name(&main), name(&audio)),
    }
}

#[test]
fn the_best_that_the_wish_and_the_limit_allow_is_loaded() {
    let ladder = [whole("1080", 1080, 40), whole("720", 720, 20), whole("480", 480, 8), whole("270", 270, 3)];
    let unknown: Vec<_> = ladder.iter().map(|r| Rendition { bytes: None, ..r.clone() }).collect();
    let apart = [picture("v1080", 1080, 40), picture("v720", 720, 12), picture("v360", 360, 4), audio("a", 2)];
    let two_sounds = [picture("v720", 720, 12), audio("a64", 1), audio("a128", 2)];
    let both = [picture("v1080", 1080, 9), whole("720", 720, 5), audio("a", 2)];
    let same = [picture("v720", 720, 5), whole("720", 720, 5), audio("a", 1)];
    let silent = [picture("v720", 720, 5)];
    let vp9 = [
        rendition("vp9", Streams::VideoOnly, 1440, 9 * MIB, ("vp9", "")),
        picture("v720", 720, 5),
        rendition("opus", Streams::AudioOnly, 0, 2 * MIB, ("", "opus")),
        audio("a", 1),
    ];
    let only_vp9 = [vp9[0].clone(), vp9[2].clone()];
    let tiny = [whole("240", 240, 3), whole("144", 144, 1)];
    let hevc = [rendition("hevc", Streams::Whole, 1080, 5 * MIB, ("hvc1", "mp4a")), whole("480", 480, 8)];
    for (renditions, wish, limit, expected, why) in [
        (&ladder[..], "best", 0, "1080", "without a limit the best"),
        (&ladder, "best", 100, "1080", "all fit"),
        (&ladder, "best", 25, "720", "the best that fits"),
        (&ladder, "best", 10, "480", "the best that fits"),
        (&ladder, "best", 5, "480", "270 lines are not watchable: encode, from what is enough for that"),
        (&ladder, "best", 2, "270", "so little that a larger picture gives no more"),
        (&ladder, "720p", 0, "720", "the wish"),
        (&ladder, "720p", 10, "480", "the wish and the limit"),
        (&ladder, "360p", 10, "270", "a small wish makes the small one right"),
        (&ladder, "360p", 2, "270", "nothing else is allowed"),
        (&ladder, "4K", 0, "1080", "a wish above all there is"),
        (&ladder, "worst", 100, "270", "the smallest"),
        (&unknown, "best", 5, "1080", "unknown sizes may fit"),
        (&apart, "best", 0, "v1080+a", "picture and sound"),
        (&apart, "best", 20, "v720+a", "sizes of both count"),
        (&apart, "best", 13, "v720+a", "12 + 2 do not fit: encode, from enough"),
        (&apart, "360p", 13, "v360+a", "the wish"),
        (&apart, "worst", 0, "v360+a", "the smallest picture keeps its sound"),
        (&two_sounds, "best", 0, "v720+a128", "the best sound"),
        (&both, "best", 12, "v1080+a", "more lines beat one file"),
        (&both, "best", 10, "720", "the one that fits"),
        (&same, "best", 0, "720", "of equals the whole one"),
        (&silent, "best", 0, "v720", "a silent video is whole without sound"),
        (&vp9, "best", 0, "v720+a", "what plays inline comes before more lines"),
        (&only_vp9, "best", 0, "vp9+opus", "better encoded than nothing"),
        (&tiny, "best", 10, "240", "where all are tiny the best of them"),
        (&hevc, "best", 10, "480", "what plays inline"),
        (&[], "best", 0, "nothing", "nothing to load"),
    ] {
        assert_eq!(names(FileType::Video, renditions, wish, false, limit), expected, "{wish} {limit}: {why}");
    }
    // Portrait videos are measured by their short side.
    let portrait = Rendition { width: Some(1080), height: Some(1920), ..whole("portrait", 0, 5) };
    assert_eq!(names(FileType::Video, &[portrait, whole("480", 480, 3)], "1080p", false, 0), "portrait");
}

#[test]
fn sound_alone_is_taken_where_there_is_some() {
    let apart = [picture("v1080", 1080, 40), audio("a64", 1), audio("a128", 2)];
    let opus = [rendition("opus", Streams::AudioOnly, 0, 3 * MIB, ("", "opus")), audio("a", 1)];
    let ladder = [whole("1080", 1080, 40), whole("720", 720, 20), whole("270", 270, 3)];
    let large = [whole("2160", 2160, 90), whole("1080", 1080, 40)];
    for (kind, renditions, expected) in [
        (FileType::Video, &apart[..], "a128"),
        // Both are copied: the one with more bits is better.
        (FileType::Video, &opus, "opus"),
        (FileType::Video, &ladder, "720"),
        (FileType::Video, &large, "1080"),
        (FileType::Gif, &ladder, "1080"),
        (FileType::Image, &ladder, "1080"),
        (FileType::Audio, &opus, "opus"),
        (FileType::Audio, &ladder, "1080"),
    ] {
        assert_eq!(names(kind, renditions, "best", true, 0), expected, "{kind:?}");
    }
}

#[test]
fn pictures_are_loaded_as_originals_whatever_the_wish() {
    let versions = [whole("orig", 4000, 30), whole("large", 1000, 1)];
    for wish in ["best", "360p", "worst"] {
        assert_eq!(names(FileType::Image, &versions, wish, false, 10), "orig");
    }
}

#[test]
fn what_has_no_address_is_not_ours_to_load() {
    let mut hidden = whole("1080", 1080, 1);
    hidden.url = None;
    assert_eq!(names(FileType::Video, &[hidden.clone(), whole("480", 480, 1)], "best", false, 0), "480");
    assert_eq!(names(FileType::Video, &[hidden], "best", false, 0), "nothing");
}

#[test]
fn estimated_sizes_keep_a_margin() {
    let mut rendition = whole("720", 720, 10);
    let low = whole("480", 480, 5);
    assert_eq!(names(FileType::Video, &[rendition.clone(), low.clone()], "best", false, 10), "720");
    rendition.bytes_exact = false;
    assert_eq!(names(FileType::Video, &[rendition, low], "best", false, 10), "480");
}

#[test]
fn no_more_is_loaded_than_the_result_needs() {
    // 4K at the rates that platforms give it, and a limit that leaves 720 lines.
    let ladder = [whole("2160", 2160, 300), whole("1440", 1440, 120), whole("1080", 1080, 60), whole("720", 720, 30)];
    assert_eq!(names(FileType::Video, &ladder, "best", false, 10), "720");
    assert_eq!(names(FileType::Video, &ladder, "best", false, 25), "1080", "4K gives nothing that 1080 does not");
    // A larger picture than 1080 lines does not play everywhere: it would be encoded.
    assert_eq!(names(FileType::Video, &ladder, "best", false, 500), "1080");
    assert_eq!(names(FileType::Video, &ladder[..2], "best", false, 500), "1440");
}

#[test]
fn what_is_far_too_small_is_worth_less_than_an_encode() {
    let small = [whole("1080", 1080, 30), whole("360", 360, 9), whole("144", 144, 1)];
    // A hundred seconds in 10 MiB are watchable once encoded; in 4 MiB they are not, but 144 lines are still worse.
    assert_eq!(names(FileType::Video, &small, "best", false, 10), "1080", "540 lines beat 360 for nothing");
    assert_eq!(names(FileType::Video, &small[..1], "best", false, 4), "1080");
    assert_eq!(names(FileType::Video, &[small[0].clone(), small[2].clone()], "best", false, 4), "1080");
}

fn planned(renditions: &[Rendition], limit: u64) -> Plan {
    let item = Item { duration: Some(100.0), ..Item::new(FileType::Video, renditions.to_vec()) };
    plan(&item, &Options::default(), Some(UploadLimit { per_file: limit * MIB }), &means()).unwrap()
}

#[test]
fn the_plan_is_told_in_a_line_and_without_addresses() {
    let rendition = whole("1080", 1080, 38);
    for (limit, line) in [
        (10, "1080p, 38 MB → encode to 9.9 MB at 540p, about 2 minutes"),
        (50, "1080p, 38 MB → as it is"),
        (1, "1080p, 38 MB → too long: about 75 seconds fit"),
    ] {
        let plan = planned(std::slice::from_ref(&rendition), limit);
        assert_eq!(plan.to_string(), line);
        let json = serde_json::to_string(&plan).unwrap();
        assert!(!json.contains("cdn.example"), "{json}");
    }
    let json = serde_json::to_value(planned(&[rendition], 10)).unwrap();
    assert_eq!((&json["load"], &json["outlook"]["way"]), (&"1080p".into(), &"encode".into()), "{json}");
    assert_eq!(json["outlook"]["short_side"], 540, "{json}");
    let apart = [picture("v", 720, 4), audio("a", 1)];
    assert_eq!(planned(&apart, 10).to_string(), "720p, 5 MB → as it is");
}

prop_compose! {
    fn renditions()(
        streams in prop::sample::select(&[Streams::Whole, Streams::Whole, Streams::VideoOnly, Streams::AudioOnly][..]),
        short in prop::sample::select(&[0u32, 144, 240, 360, 480, 540, 720, 1080, 1440, 2160][..]),
        codecs in prop::sample::select(&[("avc1.64001f", "mp4a.40.2"), ("avc1", "mp4a"), ("vp9", "opus"), ("hvc1", ""), ("", "")][..]),
        bytes in prop_oneof![Just(0u64), 10_000u64..2_000_000_000],
        told in any::<bool>(),
        exact in any::<bool>(),
        fps in prop::sample::select(&[0.0, 24.0, 30.0, 60.0][..]),
    ) -> Rendition {
        let sound = streams == Streams::AudioOnly;
        let mut one = rendition("r", streams, if sound { 0 } else { short }, bytes, codecs);
        one.bytes_exact = exact;
        one.fps = (fps > 0.0).then_some(fps);
        one.bitrate = one.bitrate.filter(|bits| told && *bits > 0);
        one
    }
}

#[test]
fn sound_that_nobody_hears_does_not_outweigh_the_picture() {
    let loud = Rendition { bitrate: Some(972_127), bytes_exact: false, ..audio("loud", 12) };
    let whole = Rendition { bytes: Some(10_000), bitrate: None, ..whole("720", 720, 1) };
    let renditions = vec![Rendition { bitrate: None, ..picture("v480", 480, 0) }, loud, whole];
    let item = Item::new(FileType::Video, renditions);
    let plan = plan(&item, &Options::default(), Some(UploadLimit { per_file: 100_000 }), &means()).unwrap();
    assert_eq!(plan.selection.main.format_id.as_deref(), Some("720"), "{plan}");
}

#[test]
fn what_is_made_of_it_decides_what_is_loaded() {
    let ladder = [whole("1080", 1080, 40), whole("720", 720, 20), whole("480", 480, 8), whole("270", 270, 3)];
    let item = Item { duration: Some(100.0), ..Item::new(FileType::Video, ladder.to_vec()) };
    let limit = Some(UploadLimit { per_file: 10 * MIB });
    let part = Trim { start_ms: 20_000, end_ms: Some(25_000) };
    for (fit, expected, why) in [
        (FitWish::default(), "480", "the best that fits"),
        (FitWish { split: true, ..FitWish::default() }, "1080", "in parts nothing is too large"),
        (FitWish { gif: true, ..FitWish::default() }, "480", "a GIF has no more lines"),
        (FitWish { trim: Some(part), ..FitWish::default() }, "1080", "a few seconds have room for it"),
    ] {
        let plan = plan(&item, &Options { fit, ..Options::default() }, limit, &means()).unwrap();
        assert_eq!(plan.selection.main.format_id.as_deref(), Some(expected), "{why}: {plan}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_is_offered_the_least_loss_is_planned_within_the_limit_and_with_the_fewest_bytes(
        offered in prop::collection::vec(renditions(), 1..8),
        limit in 100_000u64..600_000_000,
        larger in 1u64..600_000_000,
        seconds in prop_oneof![Just(None), (1.0..20_000.0).prop_map(Some)],
    ) {
        let item = Item { duration: seconds, ..Item::new(FileType::Video, offered.clone()) };
        let options = Options::default();
        let at = |per_file: u64| plan(&item, &options, Some(UploadLimit { per_file }), &means());
        let all = considered(&item, &options, Some(UploadLimit { per_file: limit }), &means(), |_| true);
        let Some(chosen) = at(limit) else {
            prop_assert!(offered.iter().all(|one| one.streams == Streams::AudioOnly));
            return Ok(());
        };
        for other in &all {
            prop_assert!(chosen.loss <= other.loss, "{chosen} loses more than {other}");
            if other.outlook == chosen.outlook && other.loss == chosen.loss {
                let bytes = |plan: &Plan| plan.bytes.unwrap_or(u64::MAX);
                prop_assert!(bytes(&chosen) <= bytes(other), "{chosen} loads more than {other}");
            }
        }
        let promised = match chosen.outlook {
            Outlook::Copy | Outlook::Remux => chosen.bytes,
            // Each part is made under the limit.
            Outlook::Split { .. } | Outlook::Gif => None,
            Outlook::CopyVideo { bytes } | Outlook::CopySound { bytes } | Outlook::EncodeSound { bytes, .. } => Some(bytes),
            Outlook::Encode(encode) => encode.bytes,
            Outlook::Picture | Outlook::Refuse { .. } => None,
        };
        prop_assert!(promised.is_none_or(|bytes| bytes <= limit), "{chosen} is over {limit}");

        // Told without the planner's own words: what fits, plays and is watchable is never encoded, nor passed over for
        // something much smaller (480 lines at 60 frames may be better than 540 at 24).
        let ready = |one: &&Rendition| {
            one.streams == Streams::Whole && one.video_codec.as_deref() == Some("avc1.64001f")
                && one.short_side().is_some_and(|short| (480..=1080).contains(&short))
                && one.bytes_exact && one.bytes.is_some_and(|bytes| bytes <= limit)
        };
        if let Some(best) = offered.iter().filter(ready).filter_map(Rendition::short_side).max() {
            prop_assert!(!matches!(chosen.outlook, Outlook::Encode(_) | Outlook::Refuse { .. }), "{chosen}");
            prop_assert!(chosen.selection.main.short_side().unwrap_or(480) * 6 >= best * 5, "{chosen}, not {best}");
        }
        // More room never turns a watchable copy into an encode.
        if chosen.outlook == Outlook::Copy && chosen.selection.main.short_side().unwrap_or(480) >= 480 {
            let roomier = at(limit.saturating_add(larger)).unwrap();
            prop_assert!(!matches!(roomier.outlook, Outlook::Encode(_) | Outlook::Refuse { .. }), "{roomier}");
        }
    }
}
