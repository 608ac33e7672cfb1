//! TikTok: what our own extractor reads, what the tools tell of the same post, and what each refusal is called.

use boss_bot::model::{Error, FileType, MediaMetadata, Tool};

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::{self, Media},
        platforms::{TikTokFate, TikTokPost},
        web::{Fault, FaultKind},
    },
};

/// What tools do not hand on: gallery-dl's previews are signed, and signed links are left out of what it tells.
fn without_preview(metadata: &MediaMetadata) -> MediaMetadata {
    MediaMetadata { thumbnail: None, ..comparable(metadata) }
}

fn same_bytes(paths: &[std::path::PathBuf], media: &[Media]) {
    let got: Vec<_> = paths.iter().map(|path| media::sha256(path)).collect();
    assert_eq!(got, media.iter().map(Media::sha256).collect::<Vec<_>>());
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().expect("a failure").code()
}

#[tokio::test]
async fn a_tiktok_video_is_the_same_post_in_process_and_by_both_tools() {
    let stage = Stage::set().await;
    let clip = media::small_video(201);
    let post = TikTokPost::video(&clip).by("leena.b", "Leena B").text("Look & see #tea");
    let link = stage.web.sites().tiktok.post(post);
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.description.as_deref(), Some("Look & see #tea"));
    let best = &api.items[0].renditions[0];
    assert_eq!((best.bytes, best.bytes_exact), (Some(clip.bytes()), true));
    assert!(best.expires_at.is_some() && api.items[0].renditions.len() == 2);
    same_bytes(&stage.download(&api).await.unwrap(), std::slice::from_ref(&clip));

    let (by_yt_dlp, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&by_yt_dlp), comparable(&api));
    same_bytes(&files, std::slice::from_ref(&clip));
    let (by_gallery_dl, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(without_preview(&by_gallery_dl), without_preview(&api));
    same_bytes(&files, &[clip]);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_tiktok_slideshow_is_its_photos_in_order_and_then_its_sound() {
    let stage = Stage::set().await;
    let (photos, sound) = ([media::jpg(202), media::jpg(203), media::jpg(204)], media::audio(2, false, 205));
    let link = stage.web.sites().tiktok.post(TikTokPost::slideshow(&photos, &sound));
    let all: Vec<Media> = photos.iter().cloned().chain([sound]).collect();
    let api = stage.api(&link).await.unwrap();
    let kinds: Vec<_> = api.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Image, FileType::Image, FileType::Audio]);
    same_bytes(&stage.download(&api).await.unwrap(), &all);
    let (by_gallery_dl, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(without_preview(&by_gallery_dl), without_preview(&api));
    same_bytes(&files, &all);
    // Some links call a slideshow a video.
    let called_video = link.replace("/photo/", "/video/");
    assert_eq!(stage.api(&called_video).await.unwrap().items, api.items);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn the_gate_of_tiktok_gets_its_work_done_by_us_and_by_the_tools() {
    let stage = Stage::set().await;
    let clip = media::small_video(206);
    let link = stage.web.sites().tiktok.post(TikTokPost::video(&clip));
    stage.web.sites().tiktok.gate();
    let api = stage.api(&link).await.unwrap();
    same_bytes(&stage.download(&api).await.unwrap(), std::slice::from_ref(&clip));
    same_bytes(&stage.cli(&link, Tool::YtDlp).await.unwrap().1, std::slice::from_ref(&clip));
    same_bytes(&stage.cli(&link, Tool::GalleryDl).await.unwrap().1, &[clip]);
}

#[tokio::test]
async fn the_short_links_of_tiktoks_apps_lead_to_the_post() {
    let stage = Stage::set().await;
    let link = stage.web.sites().tiktok.post(TikTokPost::video(&media::small_video(201)));
    let post = stage.resource(&link).await;
    let short = stage.web.sites().tiktok.short_link(&link);
    let token = short.trim_end_matches('/').rsplit('/').next().unwrap();
    for spelling in [
        short.clone(),
        format!("https://www.tiktok.com/t/{token}"),
        format!("https://vm.vxtiktok.com/{token}"),
        format!("https://m.tiktok.com/v/{}.html", post.id),
        format!("https://www.tiktok.com/embed/v2/{}", post.id),
    ] {
        assert_eq!(stage.resource(&spelling).await, post, "{spelling}");
    }
}

#[tokio::test]
async fn each_refusal_of_tiktok_has_its_name() {
    let stage = Stage::set().await;
    for (fate, expected) in [
        (TikTokFate::Status(10_204, "item doesn't exist"), "not_found"),
        (TikTokFate::Status(10_216, "status_self_see"), "private"),
        (TikTokFate::Status(10_222, "author_secret"), "private"),
        (TikTokFate::Status(10_231, "cross_border_violation"), "geo_blocked"),
        (TikTokFate::Status(10_215, "status_reviewing"), "not_yet"),
        (TikTokFate::Status(10_777, "something new"), "platform_changed"),
        (TikTokFate::Classified, "login_required"),
        (TikTokFate::LoginWall, "login_required"),
    ] {
        let link = stage.web.sites().tiktok.post(TikTokPost::gone(fate));
        assert_eq!(code(stage.api(&link).await), expected, "{fate:?}");
    }
    assert_eq!(code(stage.api("https://www.tiktok.com/@a/video/7000000000000000001").await), "not_found");
    let link = stage.web.sites().tiktok.post(TikTokPost::video(&media::small_video(201)));
    for (kind, expected) in [
        (FaultKind::Status(403), "login_required"),
        (FaultKind::RateLimit(Some(7)), "rate_limited"),
        (FaultKind::Status(500), "network"),
        (FaultKind::HtmlForJson, "platform_changed"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("www.tiktok.com", "/video/", kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{kind:?}");
    }
}
