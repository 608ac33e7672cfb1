//! Bluesky, in process and by both tools.

use boss_bot::{
    model::{FileType, Protocol, Tool},
    settings::Settings,
};

use super::{code, hashes};
use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::{self, Image, ImageKind},
        platforms::bluesky::{BlueskyFate, BlueskyPost},
        web::{Fault, FaultKind},
    },
};

#[tokio::test]
async fn pictures_are_the_uploads_in_process_and_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let placed = [media::jpg(321), media::image(Image::seed(322, ImageKind::Png)), media::jpg(323)];
    let post = BlueskyPost::images(&placed).alt(1, "the second").label("sexual").by("bea.example", "Bea B");
    let link = stage.web.sites().bluesky.post(post);
    let api = stage.api(&link).await.unwrap();
    assert!(api.sensitive && api.items[1].alt_text.as_deref() == Some("the second"));
    assert!(api.items.iter().all(|item| item.renditions.len() == 2 && item.renditions[0].bytes_exact));
    let (by_tool, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(comparable(&by_tool), comparable(&api));
    let expected: Vec<_> = placed.iter().map(|media| media.sha256()).collect();
    assert_eq!(hashes(&files), expected);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_video_is_the_same_in_process_and_by_both_tools() {
    let stage = Stage::set().await;
    let video = media::small_video(324);
    let link = stage.web.sites().bluesky.post(BlueskyPost::video(&video).alt(0, "it turns"));
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.items[0].kind, FileType::Video);
    let (by_gallery_dl, _) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(comparable(&by_gallery_dl), comparable(&api));
    let (by_yt_dlp, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&by_yt_dlp), comparable(&api));
    assert_eq!(files.len(), 1, "the upload or the best of the stream");
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [video.sha256()]);
    // The same by the author's DID, but for how the post is named.
    let by_did = stage.api(&stage.web.sites().bluesky.by_did(&link)).await.unwrap();
    assert_eq!((by_did.author, by_did.id), (api.author, api.id));
}

#[tokio::test]
async fn without_the_authors_server_there_is_what_bluesky_serves() {
    let stage = Stage::set().await;
    let bluesky = &stage.web.sites().bluesky;
    let picture = media::jpg(325);
    let (video, image) = (
        bluesky.post(BlueskyPost::video(&media::small_video(324))),
        bluesky.post(BlueskyPost::images(std::slice::from_ref(&picture))),
    );
    bluesky.lose_servers();
    let api = stage.api(&video).await.unwrap();
    let renditions = &api.items[0].renditions;
    assert!(renditions.len() > 1 && renditions.iter().all(|rendition| rendition.protocol == Protocol::Hls));
    let api = stage.api(&image).await.unwrap();
    assert_eq!(api.items[0].renditions.len(), 1);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [picture.sha256()]);

    // And where the operator wants no requests to strange servers.
    let params = [("originals", "false")];
    let stage = Stage::with(|settings: &mut Settings| Stage::params(settings, "bluesky", &params)).await;
    let link = stage.web.sites().bluesky.post(BlueskyPost::images(&[picture]));
    assert_eq!(stage.api(&link).await.unwrap().items[0].renditions.len(), 1);
    assert!(stage.web.requests_to("plc.directory").is_empty());
}

#[tokio::test]
async fn the_directory_is_asked_once_for_an_author() {
    let stage = Stage::set().await;
    for seed in [325, 326] {
        let link = stage.web.sites().bluesky.post(BlueskyPost::images(&[media::jpg(seed)]));
        stage.api(&link).await.unwrap();
    }
    assert_eq!(stage.web.requests_to("plc.directory").len(), 1);
}

#[tokio::test]
async fn a_quote_shows_its_own_media_or_those_that_it_quotes() {
    let stage = Stage::set().await;
    let (video, picture) = (media::small_video(324), media::jpg(327));
    let quoted = || BlueskyPost::video(&video).by("bea.example", "Bea B");
    let link = stage.web.sites().bluesky.post(BlueskyPost::quoting(quoted()));
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.author.as_ref().unwrap().name.as_deref(), Some("Ann Example"));
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [video.sha256()]);

    let mut both = BlueskyPost::images(std::slice::from_ref(&picture));
    both = both.and_quoting(quoted());
    let api = stage.api(&stage.web.sites().bluesky.post(both)).await.unwrap();
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [picture.sha256()]);
}

#[tokio::test]
async fn a_gif_of_the_picker_arrives_as_its_video() {
    let stage = Stage::set().await;
    let video = media::silent_video(328);
    stage.web.file("media.tenor.com", "/AbCAAAP1/cat.mp4", &video);
    let gif = "https://media.tenor.com/AbCAAAAC/cat.gif?hh=180&ww=320";
    let link = stage.web.sites().bluesky.post(BlueskyPost::external(gif, "Alt: a cat"));
    let api = stage.api(&link).await.unwrap();
    assert_eq!((api.items[0].kind, api.items[0].alt_text.as_deref()), (FileType::Gif, Some("a cat")));
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [video.sha256()]);
}

#[tokio::test]
async fn each_reason_why_a_post_is_not_shown_has_its_name() {
    let stage = Stage::set().await;
    let bluesky = &stage.web.sites().bluesky;
    for (fate, expected) in [
        (BlueskyFate::Deleted, "not_found"),
        (BlueskyFate::NotFound, "not_found"),
        (BlueskyFate::Blocked, "private"),
        (BlueskyFate::NoAccount, "not_found"),
        (BlueskyFate::TakenDown, "not_found"),
    ] {
        assert_eq!(code(stage.api(&bluesky.gone(fate)).await), expected, "{fate:?}");
    }
    assert_eq!(code(stage.api(&bluesky.post(BlueskyPost::images(&[]))).await), "no_media");
    let elsewhere = bluesky.post(BlueskyPost::external("https://www.youtube.com/watch?v=dQw4w9WgXcQ", ""));
    assert_eq!(code(stage.api(&elsewhere).await), "unsupported_url");
    assert_eq!(code(stage.api("https://bsky.app/profile/bea.example").await), "unsupported_url");
    let link = bluesky.post(BlueskyPost::images(&[media::jpg(325)]));
    for (kind, expected) in [
        (FaultKind::Status(403), "login_required"),
        (FaultKind::RateLimit(Some(30)), "rate_limited"),
        (FaultKind::Status(502), "network"),
        (FaultKind::HtmlForJson, "platform_changed"),
        (FaultKind::ChangedJson, "platform_changed"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("public.api.bsky.app", "", kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{kind:?}");
    }
}
