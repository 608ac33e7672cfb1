//! VK: in process and by yt-dlp.

use boss_bot::model::Tool;

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media,
        web::{Fault, FaultKind, Reply},
    },
};

#[tokio::test]
async fn a_vk_video_is_the_same_in_process_and_by_yt_dlp() {
    let stage = Stage::set().await;
    let video = media::small_video(351);
    let link = stage.web.sites().vk.video("Tea", &video);
    let found = stage.api(&link).await.unwrap();
    assert_eq!(found.author.as_ref().unwrap().name.as_deref(), Some("The tea club"));
    assert_eq!((found.counts.view_count, found.counts.like_count), (Some(1234), Some(5)));
    assert!(found.items[0].renditions[0].expires_at.is_some());
    let paths = stage.download(&found).await.unwrap();
    assert_eq!(media::sha256(&paths[0]), video.sha256());
    let (by_tool, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(media::sha256(&files[0]), video.sha256());
    assert_eq!(comparable(&found), comparable(&by_tool));
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn each_refusal_of_vk_has_its_kind_in_process() {
    let stage = Stage::set().await;
    let vk = &stage.web.sites().vk;
    for (link, code) in [
        ("https://vk.com/video-1_2".to_owned(), "not_found"),
        (vk.refused("The video is not available in your region."), "geo_blocked"),
        (vk.refused("Access denied"), "private"),
        (vk.refused("Please log in or sign up"), "login_required"),
        (vk.refused("Never heard before"), "platform_changed"),
        ("https://vk.com/wall-23538238_35".to_owned(), "unsupported_url"),
    ] {
        let error = stage.api(&link).await.unwrap_err();
        assert_eq!(error.code(), code, "{link}: {error}");
    }
    let link = vk.video("Tea", &media::small_video(351));
    for (kind, code) in [(FaultKind::RateLimit(Some(3)), "rate_limited"), (FaultKind::Status(404), "platform_changed")]
    {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("vk.com", "/al_video.php", kind));
        assert_eq!(stage.api(&link).await.unwrap_err().code(), code);
    }
    // The page with the script that only yt-dlp runs.
    stage.web.faults().clear();
    stage.web.redirect("vk.com", "/al_video.php", "https://vk.com/challenge.html?hash429=abc");
    stage.web.reply("vk.com", "/challenge.html", Reply::html("<!DOCTYPE html><script>var salt = 1</script>"));
    assert_eq!(stage.api(&link).await.unwrap_err().code(), "rate_limited");
}
