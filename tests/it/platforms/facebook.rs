//! Facebook: what our own extractor reads, what yt-dlp tells of the same video, and what each refusal is called.

use std::sync::Arc;

use boss_bot::{
    model::{Error, Tool},
    net::Jar,
};

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media,
        platforms::{FacebookFate, FacebookVideo},
        web::{Fault, FaultKind},
    },
};

const SITE: &str = "www.facebook.com";

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().expect("a failure").code()
}

#[tokio::test]
async fn a_facebook_video_is_the_same_in_process_and_by_yt_dlp() {
    let stage = Stage::set().await;
    let clip = media::small_video(221);
    let link = stage.web.sites().facebook.video(FacebookVideo::of(&clip).titled("Tea time"));
    let api = stage.api(&link).await.unwrap();
    assert_eq!((api.title.as_deref(), api.counts.like_count), (Some("Tea time"), Some(77)));
    let best = &api.items[0].renditions[0];
    assert_eq!((best.bytes, best.bytes_exact), (Some(clip.bytes()), true));
    assert_eq!(media::sha256(&stage.download(&api).await.unwrap()[0]), clip.sha256());
    let (by_yt_dlp, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&by_yt_dlp), comparable(&api));
    assert_eq!(media::sha256(&files[0]), clip.sha256());
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn every_link_to_a_facebook_video_leads_to_it() {
    let stage = Stage::set().await;
    let link = stage.web.sites().facebook.video(FacebookVideo::of(&media::small_video(221)));
    let video = stage.resource(&link).await;
    let share = stage.web.sites().facebook.share(&format!("https://www.facebook.com/tea.baker/videos/{}/", video.id));
    let token = share.trim_end_matches('/').rsplit('/').next().unwrap();
    for spelling in [share.clone(), format!("https://fb.watch/{token}/"), link.replace("www.", "m.")] {
        assert_eq!(stage.resource(&spelling).await, video, "{spelling}");
    }
    let reel_link = format!("https://www.facebook.com/reel/{}", video.id);
    let reel = stage.api(&reel_link).await.unwrap();
    assert_eq!(reel.items, stage.api(&link).await.unwrap().items);
    let (by_yt_dlp, _) = stage.cli(&reel_link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&by_yt_dlp), comparable(&reel));
}

#[tokio::test]
async fn each_refusal_of_facebook_has_its_name() {
    let mut stage = Stage::set().await;
    let place = |fate| stage.web.sites().facebook.video(FacebookVideo::gone(fate));
    let (members, wall) = (place(FacebookFate::Members), place(FacebookFate::LoginWall));
    for (link, expected) in [
        (&members, "login_required"),
        (&wall, "login_required"),
        (&place(FacebookFate::Gone), "not_found"),
        (&place(FacebookFate::Abroad), "geo_blocked"),
        (&place(FacebookFate::Live), "live"),
        (&"https://www.facebook.com/watch/?v=1".to_owned(), "not_found"),
    ] {
        assert_eq!(code(stage.api(link).await), expected, "{link}");
    }
    let link = place(FacebookFate::Public);
    for (kind, expected) in [
        (FaultKind::Status(403), "login_required"),
        (FaultKind::RateLimit(Some(7)), "rate_limited"),
        (FaultKind::Status(500), "network"),
        (FaultKind::HtmlForJson, "platform_changed"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on(SITE, "", kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{kind:?}");
    }
    stage.web.faults().clear();
    stage.cookies = Some(Arc::new(Jar::parse(".facebook.com\tTRUE\t/\tTRUE\t2000000000\tc_user\t1234\n")));
    for link in [&members, &wall] {
        assert!(stage.api(link).await.is_ok(), "with a session");
    }
}
