//! SoundCloud, in process and by yt-dlp.

use boss_bot::{
    model::{FileType, Tool},
    settings::Settings,
};

use super::{code, hashes};
use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media,
        platforms::soundcloud::SoundcloudAccess::{Blocked, Downloadable, Open, Preview, Protected},
        web::{Fault, FaultKind},
    },
};

#[tokio::test]
async fn a_track_is_the_same_in_process_and_by_yt_dlp() {
    let stage = Stage::set().await;
    let sound = media::audio(2, false, 361);
    let soundcloud = &stage.web.sites().soundcloud;
    for link in [soundcloud.track("A tune", &sound, Open), soundcloud.secret_track("A secret", &sound)] {
        let api = stage.api(&link).await.unwrap();
        assert_eq!(api.items[0].kind, FileType::Audio);
        let (by_tool, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
        assert_eq!(comparable(&by_tool), comparable(&api));
        assert_eq!(hashes(&files), [sound.sha256()]);
        assert_eq!(hashes(&stage.download(&api).await.unwrap()), [sound.sha256()]);
    }
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_set_has_its_tracks_in_order_but_those_that_cannot_be_had() {
    let stage = Stage::set().await;
    let soundcloud = &stage.web.sites().soundcloud;
    let sounds = [media::audio(2, false, 361), media::audio(2, false, 362)];
    let tracks = [
        soundcloud.track("One", &sounds[0], Open),
        soundcloud.track("Hidden", &sounds[0], Preview),
        soundcloud.track("Two", &sounds[1], Open),
    ];
    let api = stage.api(&soundcloud.set("Two tunes", &tracks)).await.unwrap();
    assert_eq!((api.title.as_deref(), api.items.len()), (Some("Two tunes"), 2));
    let named: Vec<_> = api.items.iter().map(|item| (item.title.as_deref(), item.url.as_ref())).collect();
    assert_eq!(named, [(Some("One"), Some(&tracks[0])), (Some("Two"), Some(&tracks[2]))]);
    let expected: Vec<_> = sounds.iter().map(|sound| sound.sha256()).collect();
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected);

    let link = soundcloud.set("Two tunes", &[tracks[0].clone(), tracks[2].clone()]);
    let api = stage.api(&link).await.unwrap();
    let (by_tool, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    let mut known = comparable(&api);
    // What yt-dlp does not hand on of a set.
    (known.author, known.created_at, known.thumbnail, known.counts) = Default::default();
    assert_eq!(comparable(&by_tool), known);
    assert_eq!(hashes(&files), expected);
    let hidden = soundcloud.set("Nothing", &tracks[1..2]);
    assert_eq!(code(stage.api(&hidden).await), "private");
}

#[tokio::test]
async fn the_upload_comes_first_where_everybody_may_have_it() {
    let stage = Stage::set().await;
    let sound = media::audio(2, false, 363);
    let link = stage.web.sites().soundcloud.track("A tune", &sound, Downloadable);
    let api = stage.api(&link).await.unwrap();
    let names: Vec<_> = api.items[0].renditions.iter().filter_map(|rendition| rendition.format_id.as_deref()).collect();
    assert_eq!(names, ["download", "mp3_1_0"]);
    assert_eq!(api.items[0].renditions[0].bytes, Some(sound.bytes()));
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [sound.sha256()]);
}

#[tokio::test]
async fn a_client_id_is_looked_for_once_and_again_when_it_is_refused() {
    let stage = Stage::set().await;
    let soundcloud = &stage.web.sites().soundcloud;
    let link = soundcloud.track("A tune", &media::audio(2, false, 361), Open);
    let pages = || stage.web.requests_to("soundcloud.com").len();
    for _ in 0..2 {
        stage.api(&link).await.unwrap();
    }
    assert_eq!((pages(), stage.web.requests_to("a-v2.sndcdn.com").len()), (1, 2));
    soundcloud.change_client_id();
    soundcloud.tell_in_page();
    stage.api(&link).await.unwrap();
    assert_eq!((pages(), stage.web.requests_to("a-v2.sndcdn.com").len()), (2, 2), "the page itself told");

    // The operator's own is used as long as the API takes it.
    let own = format!("{:032}", 1234);
    let stage =
        Stage::with(|settings: &mut Settings| Stage::params(settings, "soundcloud", &[("client_id", &own)])).await;
    let soundcloud = &stage.web.sites().soundcloud;
    let link = soundcloud.track("A tune", &media::audio(2, false, 361), Open);
    stage.api(&link).await.unwrap();
    assert!(stage.web.requests_to("soundcloud.com").is_empty());
    soundcloud.change_client_id();
    stage.api(&link).await.unwrap();
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let stage = Stage::set().await;
    let soundcloud = &stage.web.sites().soundcloud;
    let sound = media::audio(2, false, 361);
    for (access, expected) in [(Preview, "private"), (Blocked, "geo_blocked"), (Protected, "unsupported_url")] {
        assert_eq!(code(stage.api(&soundcloud.track("A tune", &sound, access)).await), expected, "{access:?}");
    }
    assert_eq!(code(stage.api("https://soundcloud.com/ann/no-such-tune").await), "not_found");
    assert_eq!(code(stage.api("https://soundcloud.com/ann").await), "unsupported_url");
    let link = soundcloud.track("A tune", &sound, Open);
    for (part, kind, expected) in [
        ("/resolve", FaultKind::RateLimit(Some(9)), "rate_limited"),
        ("/resolve", FaultKind::Status(502), "network"),
        ("/resolve", FaultKind::Status(403), "login_required"),
        ("/resolve", FaultKind::ChangedJson, "platform_changed"),
        ("/stream/", FaultKind::Status(404), "platform_changed"),
        ("/stream/", FaultKind::RateLimit(None), "rate_limited"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("api-v2.soundcloud.com", part, kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{part} {kind:?}");
    }
}
