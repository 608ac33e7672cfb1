//! Imgur: images, GIFs, videos, albums and the gallery, in process and by both tools.

use boss_bot::model::{FileType, Tool};

use super::{code, hashes};
use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::{self, Image, ImageKind},
        platforms::imgur::ImgurRefusal,
    },
};

#[tokio::test]
async fn an_album_is_the_same_in_process_and_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let placed = [media::jpg(301), media::image(Image::seed(302, ImageKind::Png)), media::small_video(303)];
    let link = stage.web.sites().imgur.album("A walk", &placed);
    let api = stage.api(&link).await.unwrap();
    assert!(api.sensitive && api.items.iter().all(|item| item.renditions[0].bytes_exact));
    let (by_tool, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(comparable(&by_tool), comparable(&api));
    let expected: Vec<_> = placed.iter().map(|media| media.sha256()).collect();
    assert_eq!(hashes(&files), expected);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn an_image_and_its_file_are_the_same_post() {
    let stage = Stage::set().await;
    let placed = media::jpg(304);
    let link = stage.web.sites().imgur.image("One box", &placed);
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.title.as_deref(), Some("One box"));
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [placed.sha256()]);
    let file = format!("{}h.jpg", link.replace("https://", "https://i."));
    assert_eq!(comparable(&stage.api(&file).await.unwrap()), comparable(&api));
    assert_eq!(comparable(&stage.cli(&file, Tool::GalleryDl).await.unwrap().0), comparable(&api));
}

#[tokio::test]
async fn a_gif_comes_as_its_small_video_and_by_both_tools() {
    let stage = Stage::set().await;
    let gif = media::image(Image::seed(305, ImageKind::Gif));
    let link = stage.web.sites().imgur.gallery("It turns", &gif);
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.items[0].kind, FileType::Gif);
    let video = media::gif_as_video(&gif);
    assert_eq!(api.items[0].renditions[0].bytes, Some(video.bytes()), "asked for by HEAD");
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [video.sha256()]);

    let (by_gallery_dl, _) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(comparable(&by_gallery_dl), comparable(&api));
    // yt-dlp does not hand on the views.
    let (by_yt_dlp, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    let mut known = comparable(&api);
    known.counts.view_count = None;
    assert_eq!(comparable(&by_yt_dlp), known);
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let stage = Stage::set().await;
    for (refusal, expected) in [
        (ImgurRefusal::Missing, "not_found"),
        (ImgurRefusal::OverCapacity, "rate_limited"),
        (ImgurRefusal::TooMany, "rate_limited"),
        (ImgurRefusal::Region, "geo_blocked"),
    ] {
        let link = stage.web.sites().imgur.refused(refusal);
        assert_eq!(code(stage.api(&link).await), expected, "{refusal:?}");
    }
    let empty = stage.web.sites().imgur.album("Nothing", &[]);
    assert_eq!(code(stage.api(&empty).await), "no_media");
    assert_eq!(code(stage.api("https://imgur.com/user/ann_b").await), "unsupported_url");
}
