//! What YouTube's answers become, by hand-written answers in the shape of the real ones.

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{Author, Extension, Streams},
    platforms::common::testing::mutations,
};

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/platforms/youtube/", $name, ".json")))
            .unwrap()
    };
}

fn resource(link: &str) -> Resource {
    Youtube::new(None).route(&Url::parse(link).unwrap()).unwrap()
}

fn video() -> Resource {
    resource("https://youtu.be/dQw4w9WgXcQ")
}

#[test]
fn a_video_is_read_whole() {
    let found = parse::video(&video(), &fixture!("player"), &fixture!("next")).unwrap();
    assert_eq!(found.title.as_deref(), Some("A tone"));
    assert_eq!(found.description.as_deref(), Some("One note, held"));
    assert_eq!(
        found.author,
        Some(Author {
            handle: "cara".into(),
            name: Some("Cara's Channel".into()),
            url: Some("https://www.youtube.com/@cara".into())
        })
    );
    assert_eq!(found.created_at.unwrap().to_rfc3339(), "2026-01-05T20:00:00+00:00");
    assert_eq!((found.duration, found.sensitive), (Some(213.0), false));
    assert_eq!(found.thumbnail.as_deref(), Some("https://i.ytimg.com/vi/dQw4w9WgXcQ/hqdefault.jpg"));
    let counts = (found.counts.view_count, found.counts.like_count, found.counts.comment_count);
    assert_eq!(counts, (Some(1234), Some(4321), Some(1200)));
    let Some(Extension::Youtube { channel_id, upload_date, categories, tags, is_livestream, .. }) = found.extension
    else {
        panic!("{:?}", found.extension);
    };
    assert_eq!((channel_id.as_deref(), upload_date.as_deref()), (Some("UCabcdefghijklmnopqrstuv"), Some("20260105")));
    assert_eq!((categories, tags, is_livestream), (vec!["Music".to_owned()], vec!["tone".to_owned()], false));
    let rows: Vec<_> = found.items[0]
        .renditions
        .iter()
        .map(|r| (r.format_id.as_deref().unwrap(), r.streams, r.height, r.bytes, r.bytes_exact))
        .collect();
    let (whole, picture, sound) = (Streams::Whole, Streams::VideoOnly, Streams::AudioOnly);
    assert_eq!(
        rows,
        [
            ("137", picture, Some(1080), Some(79_000_000), true),
            ("18", whole, Some(360), Some(9_318_750), false),
            ("140", sound, None, Some(3_400_000), true),
            ("251", sound, None, Some(3_300_000), true),
        ]
    );
    let best = &found.items[0].renditions[0];
    assert_eq!((best.chunk_bytes, best.expires_at.unwrap().timestamp()), (Some(10 << 20), 1_893_456_000));
    assert_eq!((best.video_codec.as_deref(), best.audio_codec.as_deref()), (Some("avc1.640028"), None));
    assert_eq!((best.container.as_deref(), best.fps), (Some("mp4"), Some(30.0)));
    let whole = &found.items[0].renditions[1];
    assert_eq!((whole.video_codec.as_deref(), whole.audio_codec.as_deref()), (Some("avc1.42001E"), Some("mp4a.40.2")));
}

#[test]
fn without_what_stands_around_the_player_a_video_is_still_one() {
    let mut player = fixture!("player");
    player.as_object_mut().unwrap().remove("microformat");
    let found = parse::video(&video(), &player, &Value::Null).unwrap();
    assert_eq!(found.author.unwrap().handle, "UCabcdefghijklmnopqrstuv");
    assert_eq!((found.created_at, found.counts.like_count), (None, None));
    // The date below the video is better than none.
    let found = parse::video(&video(), &player, &fixture!("next")).unwrap();
    assert_eq!(found.created_at.unwrap().to_rfc3339(), "2026-01-05T00:00:00+00:00");
    assert_eq!(found.author.unwrap().handle, "cara");
}

#[test]
fn every_refusal_has_its_kind() {
    let age = json!({"status": "LOGIN_REQUIRED", "reason": "Sign in", "desktopLegacyAgeGateReason": 1});
    let geo = json!({"status": "UNPLAYABLE", "reason": "Video unavailable", "errorScreen": {"playerErrorMessageRenderer": {
        "subreason": {"runs": [{"text": "The uploader has not made this video available in your country"}]}}}});
    let says = |status: &str, reason: &str| json!({"status": status, "reason": reason});
    for (status, code) in [
        (age, "age_restricted"),
        (geo, "geo_blocked"),
        (says("AGE_VERIFICATION_REQUIRED", "This video may be inappropriate for some users."), "age_restricted"),
        (says("LOGIN_REQUIRED", "Sign in to confirm your age"), "age_restricted"),
        (says("LOGIN_REQUIRED", "Private video. Please sign in if you've been granted access"), "private"),
        (says("LOGIN_REQUIRED", "Sign in to confirm you’re not a bot"), "rate_limited"),
        (says("LOGIN_REQUIRED", "Sign in to continue"), "login_required"),
        (says("ERROR", "This video is unavailable"), "not_found"),
        (says("ERROR", "This content isn't available, try again later."), "rate_limited"),
        (says("UNPLAYABLE", "This video has been removed by the uploader"), "not_found"),
        (
            says(
                "UNPLAYABLE",
                "Video unavailable. This video contains content from A, who has blocked it in your country on copyright grounds",
            ),
            "geo_blocked",
        ),
        (says("UNPLAYABLE", "Join this channel to get access to members-only content"), "login_required"),
        (says("UNPLAYABLE", "This video requires payment to watch"), "login_required"),
        (says("UNPLAYABLE", "Something never seen before"), "platform_changed"),
        (says("LIVE_STREAM_OFFLINE", "This live event will begin in 2 hours."), "not_yet"),
        (says("LIVE_STREAM_OFFLINE", "This live stream recording is not available."), "not_found"),
        (says("A_NEW_STATUS", ""), "platform_changed"),
        (json!({}), "platform_changed"),
    ] {
        let error = parse::verdict(&json!({"playabilityStatus": status})).unwrap_err();
        assert_eq!(error.code(), code, "{status}");
    }
    for (details, code) in [
        (json!({"isLive": true}), "live"),
        (json!({"isUpcoming": true}), "not_yet"),
        (json!({"isPostLiveDvr": true}), "not_yet"),
    ] {
        let player = json!({"playabilityStatus": {"status": "OK"}, "videoDetails": details});
        assert_eq!(parse::verdict(&player).unwrap_err().code(), code, "{details}");
    }
}

#[test]
fn formats_that_need_the_players_script_are_left_to_yt_dlp() {
    let of = |formats: Value, adaptive: Value| {
        let player = json!({"playabilityStatus": {"status": "OK"},
            "streamingData": {"formats": formats, "adaptiveFormats": adaptive}});
        parse::renditions(&player).map(|found| found.len()).map_err(|error| {
            assert_eq!(error.code(), "platform_changed");
            error.operator_text().to_owned()
        })
    };
    let plain =
        json!({"itag": 18, "mimeType": "video/mp4", "height": 360, "url": "https://r.googlevideo.com/v?itag=18"});
    let ciphered = json!({"itag": 137, "mimeType": "video/mp4", "signatureCipher": "s=abc&url=x"});
    let throttled =
        json!({"itag": 137, "mimeType": "video/mp4", "url": "https://r.googlevideo.com/v?itag=137&n=AbCdEf"});
    let no_address = json!({"itag": 137, "mimeType": "video/mp4"});
    let protected = json!({"itag": 137, "mimeType": "video/mp4", "url": "https://r.googlevideo.com/v", "drmFamilies": ["WIDEVINE"]});
    assert_eq!(of(json!([plain]), json!([])), Ok(1));
    for (formats, adaptive, why) in [
        (json!([]), json!([ciphered]), "ciphered"),
        (json!([]), json!([throttled, ciphered]), "ciphered formats, throttled formats"),
        (json!([]), json!([no_address]), "without addresses"),
        (json!([]), json!([protected]), "protected"),
        (json!([]), json!([]), "there are none"),
        // 360 lines are not what a video has to offer whose better pictures only lack a signature.
        (json!([plain]), json!([ciphered]), "ciphered"),
    ] {
        let told = of(formats, adaptive).unwrap_err();
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn dubbed_levelled_and_enlarged_formats_are_left_out() {
    let url = |more: &str| format!("https://r.googlevideo.com/v?expire=1893456000{more}");
    let player = json!({"playabilityStatus": {"status": "OK"}, "streamingData": {"adaptiveFormats": [
        {"itag": 137, "mimeType": "video/mp4; codecs=\"avc1.640028\"", "height": 1080, "url": url("")},
        {"itag": 399, "mimeType": "video/mp4; codecs=\"av01\"", "height": 2160, "url": url("&xtags=sr%3D1")},
        {"itag": 140, "mimeType": "audio/mp4", "url": url(""), "audioTrack": {"audioIsDefault": true}},
        {"itag": 140, "mimeType": "audio/mp4", "url": url(""), "audioTrack": {"audioIsDefault": false}},
        {"itag": 140, "mimeType": "audio/mp4", "url": url(""), "isDrc": true},
        {"itag": 22, "mimeType": "text/plain", "url": url("")},
    ]}});
    let found = parse::renditions(&player).unwrap();
    assert_eq!(found.iter().map(|r| r.format_id.as_deref().unwrap()).collect::<Vec<_>>(), ["137", "140"]);
}

#[test]
fn entries_are_read_in_whatever_shape_a_list_shows_them() {
    let (found, next) = lists::entries(&fixture!("browse"));
    let rows: Vec<_> = found.iter().map(|e| (e.id.as_str(), e.title.as_deref())).collect();
    assert_eq!(
        rows,
        [
            ("aaaaaaaaaaA", Some("In a playlist")),
            ("bbbbbbbbbbA", Some("A lockup")),
            ("ccccccccccA", Some("A short")),
            ("ddddddddddA", Some("In a grid")),
        ]
    );
    assert_eq!(next.as_deref(), Some("TOKEN"));
    let page = fixture!("browse");
    let list = resource("https://www.youtube.com/playlist?list=PLrAXtmErZgOe");
    let about = lists::about(&list, &page);
    assert_eq!((about.title.as_deref(), about.author.unwrap().handle.as_str()), (Some("Tones"), "cara"));
}

#[test]
fn no_answer_is_taken_for_more_than_it_is() {
    let (player, next, browse) = (fixture!("player"), fixture!("next"), fixture!("browse"));
    for changed in mutations(&player) {
        if let Ok(found) = parse::video(&video(), &changed, &next) {
            assert!(!found.items[0].renditions.is_empty(), "{changed}");
        }
    }
    for changed in mutations(&next) {
        assert!(parse::video(&video(), &player, &changed).is_ok(), "{changed}");
    }
    for changed in mutations(&browse) {
        let (found, _) = lists::entries(&changed);
        assert!(found.iter().all(|entry| entry.id.len() == 11));
    }
    let other = resource("https://youtu.be/eeeeeeeeeeA");
    assert_eq!(parse::video(&other, &player, &next).unwrap_err().code(), "platform_changed");
}

#[test]
fn clients_are_configuration_and_a_mistake_in_it_is_named() {
    assert_eq!(api::clients(api::CLIENTS).unwrap().len(), 1);
    for (setting, wrong) in [
        ("", "no JSON list"),
        ("visionos", "no JSON list"),
        ("[]", "0 are given"),
        (r#"[{"clientName":"A","clientVersion":"1","userAgent":"x"}]"#, "`id`"),
        (r#"[{"id":1,"clientName":"A","userAgent":"x"}]"#, "`clientVersion`"),
    ] {
        let error = api::clients(setting).err().unwrap();
        assert_eq!(error.code(), "internal", "{setting}");
        assert!(error.operator_text().contains(wrong), "{error}");
        assert!(error.operator_text().contains("YOUTUBE_INNERTUBE_CLIENTS"), "{error}");
    }
}

#[test]
fn what_only_youtube_has_is_kept() {
    let info = json!({
        "id": "dQw4w9WgXcQ", "channel": "Cara", "channel_id": "UC1", "upload_date": "20240305", "live_status": "was_live",
        "categories": ["Music"], "tags": ["tone", "sine"], "format": "137 - 1080p + 140 - audio only",
    });
    let youtube = Youtube::new(None);
    let mut metadata = MediaMetadata::default();
    youtube.refine(&video(), Tool::YtDlp, &[info], &mut metadata);
    assert_eq!(
        metadata.extension,
        Some(Extension::Youtube {
            video_id: "dQw4w9WgXcQ".into(),
            channel_name: Some("Cara".into()),
            channel_id: Some("UC1".into()),
            upload_date: Some("20240305".into()),
            categories: vec!["Music".into()],
            tags: vec!["tone".into(), "sine".into()],
            is_livestream: true,
            format_info: Some("137 - 1080p + 140 - audio only".into()),
        })
    );
    // What a tool did not tell leaves the rest alone.
    let mut untouched = MediaMetadata::default();
    youtube.refine(&video(), Tool::YtDlp, &[], &mut untouched);
    assert_eq!(untouched, MediaMetadata::default());
}

#[test]
fn the_operators_choice_of_clients_reaches_yt_dlp() {
    assert!(extractor_args(None).is_empty());
    let mut settings = PlatformSettings::default();
    assert!(extractor_args(Some(&settings)).is_empty());
    settings.params.insert("player_client".into(), "visionos".into());
    settings.params.insert("player_skip".into(), "webpage,configs".into());
    assert_eq!(
        extractor_args(Some(&settings)),
        ["--extractor-args", "youtube:player_client=visionos;player_skip=webpage,configs"]
    );
    settings.params.clear();
    settings.params.insert("player_client".into(), "visionos;player_skip=webpage".into());
    assert_eq!(extractor_args(Some(&settings))[1], "youtube:player_client=visionos;player_skip=webpage");
}
