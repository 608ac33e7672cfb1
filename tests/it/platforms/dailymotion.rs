//! Dailymotion: in process and by yt-dlp.

use boss_bot::model::{Options, Protocol, Tool};

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::Dash,
        web::{Fault, FaultKind, Reply},
    },
};

#[tokio::test]
async fn a_dailymotion_video_is_the_same_in_process_and_by_yt_dlp() {
    let mut stage = Stage::set().await;
    let link = stage.web.sites().dailymotion.video("A party", Dash::seed(331));
    let found = stage.api(&link).await.unwrap();
    assert_eq!(found.author.as_ref().unwrap().name.as_deref(), Some("Gus"));
    assert_eq!((found.counts.view_count, found.counts.like_count), (Some(9), Some(2)));
    assert_eq!(found.items[0].renditions[0].protocol, Protocol::Hls);
    let paths = stage.download(&found).await.unwrap();
    assert!(paths.len() == 1 && std::fs::metadata(&paths[0]).unwrap().len() > 10_000);
    stage.options = Options { metadata_only: true, ..Options::default() };
    let (by_tool, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&found), comparable(&by_tool));
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn each_refusal_of_dailymotion_has_its_kind_in_process() {
    let stage = Stage::set().await;
    let dailymotion = &stage.web.sites().dailymotion;
    for (link, code) in [
        ("https://dai.ly/x0000000".to_owned(), "not_found"),
        (dailymotion.refused("DM002"), "not_found"),
        (dailymotion.refused("DM007"), "geo_blocked"),
        (dailymotion.refused("DM008"), "age_restricted"),
        (dailymotion.refused("DM010"), "private"),
        (dailymotion.refused("DM012"), "not_yet"),
        (dailymotion.refused("DM014"), "platform_changed"),
        ("https://www.dailymotion.com/playlist/xv4bw".to_owned(), "unsupported_url"),
    ] {
        let error = stage.api(&link).await.unwrap_err();
        assert_eq!(error.code(), code, "{link}: {error}");
    }
    let link = dailymotion.video("A party", Dash::seed(331));
    for (kind, code) in [(FaultKind::RateLimit(Some(3)), "rate_limited"), (FaultKind::Status(403), "login_required")] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("www.dailymotion.com", "/player/metadata", kind));
        assert_eq!(stage.api(&link).await.unwrap_err().code(), code);
    }
    stage.web.faults().clear();
    // What stands beside the video may fail; the video may not.
    stage.web.faults().add(Fault::on("api.dailymotion.com", "", FaultKind::Status(500)));
    assert_eq!(stage.api(&link).await.unwrap().description, None);
    let id = link.rsplit('/').next().unwrap();
    stage.web.reply(
        "www.dailymotion.com",
        &format!("/player/metadata/video/{id}"),
        Reply::html("<!DOCTYPE html>Hello"),
    );
    assert_eq!(stage.api(&link).await.unwrap_err().code(), "platform_changed");
}
