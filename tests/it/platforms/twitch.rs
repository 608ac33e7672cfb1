//! Twitch: clips in process and by yt-dlp.

use boss_bot::model::Tool;

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media,
        web::{Fault, FaultKind, Reply},
    },
};

#[tokio::test]
async fn a_twitch_clip_is_the_same_in_process_and_by_yt_dlp() {
    let stage = Stage::set().await;
    let video = media::small_video(311);
    let link = stage.web.sites().twitch.clip("A long shot", &video);
    let found = stage.api(&link).await.unwrap();
    let best = &found.items[0].renditions[0];
    assert_eq!((best.bytes, best.bytes_exact), (Some(video.bytes()), true));
    assert_eq!((best.width, best.height), (Some(video.width), Some(video.height)));
    assert!(best.expires_at.is_some());
    let paths = stage.download(&found).await.unwrap();
    assert_eq!(media::sha256(&paths[0]), video.sha256());
    let (by_tool, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(media::sha256(&files[0]), video.sha256());
    assert_eq!(comparable(&found), comparable(&by_tool));
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn each_refusal_of_twitch_has_its_kind_in_process() {
    let stage = Stage::set().await;
    let gone = "https://clips.twitch.tv/NeverWasAnyClipOfThis";
    assert_eq!(stage.api(gone).await.unwrap_err().code(), "not_found");
    // Other kinds of links are yt-dlp's.
    for link in ["https://www.twitch.tv/videos/6528877", "https://www.twitch.tv/dora"] {
        assert_eq!(stage.api(link).await.unwrap_err().code(), "unsupported_url", "{link}");
    }
    let clip = stage.web.sites().twitch.clip("A long shot", &media::small_video(311));
    stage.web.reply("gql.twitch.tv", "/gql", Reply::html("<!DOCTYPE html><title>Hello</title>"));
    assert_eq!(stage.api(&clip).await.unwrap_err().code(), "platform_changed");
    for (kind, code) in [(FaultKind::RateLimit(Some(3)), "rate_limited"), (FaultKind::Status(404), "platform_changed")]
    {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("gql.twitch.tv", "", kind));
        assert_eq!(stage.api(&clip).await.unwrap_err().code(), code);
    }
}
