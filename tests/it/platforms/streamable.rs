//! Streamable, in process and by yt-dlp.

use boss_bot::model::Tool;

use super::{code, hashes};
use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media,
        web::{Fault, FaultKind},
    },
};

#[tokio::test]
async fn a_video_is_the_same_in_process_and_by_yt_dlp() {
    let stage = Stage::set().await;
    let video = media::small_video(311);
    let link = stage.web.sites().streamable.video("A goal", &video);
    let api = stage.api(&link).await.unwrap();
    let best = &api.items[0].renditions[0];
    assert_eq!((best.bytes, best.bytes_exact), (Some(video.bytes()), true));
    let (by_tool, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&by_tool), comparable(&api));
    assert_eq!(hashes(&files), [video.sha256()]);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [video.sha256()]);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let stage = Stage::set().await;
    let streamable = &stage.web.sites().streamable;
    for (status, expected) in [(0, "not_yet"), (1, "not_yet"), (3, "not_found"), (7, "platform_changed")] {
        assert_eq!(code(stage.api(&streamable.in_state(status)).await), expected, "{status}");
    }
    assert_eq!(code(stage.api("https://streamable.com/nosuch").await), "not_found");
    let link = streamable.video("A goal", &media::small_video(311));
    for (kind, expected) in [
        (FaultKind::Status(403), "login_required"),
        (FaultKind::RateLimit(Some(9)), "rate_limited"),
        (FaultKind::HtmlForJson, "platform_changed"),
        (FaultKind::ChangedJson, "platform_changed"),
        (FaultKind::Truncate, "network"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("ajax.streamable.com", "", kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{kind:?}");
    }
}
