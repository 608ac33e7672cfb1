//! Pinterest, in process and by both tools.

use boss_bot::model::{FileType, Protocol, Tool};

use super::{code, hashes};
use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::{self, Image, ImageKind},
        platforms::pinterest::PinContent,
    },
};

#[tokio::test]
async fn pictures_carousels_and_pages_are_the_same_in_process_and_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let placed = [media::jpg(342), media::image(Image::seed(343, ImageKind::Png)), media::jpg(344)];
    let (one, all) = (&placed[..1], &placed[..]);
    for (content, expected) in [
        (PinContent::Image(placed[0].clone()), one),
        (PinContent::Carousel(all.into()), all),
        (PinContent::Pages(all.into()), all),
        (PinContent::Pages(one.into()), one),
    ] {
        let expected: Vec<_> = expected.iter().map(|media| media.sha256()).collect();
        let link = stage.web.sites().pinterest.pin("A box", &content);
        let api = stage.api(&link).await.unwrap();
        let (by_tool, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
        let (mut ours, mut theirs) = (comparable(&api), comparable(&by_tool));
        if expected.len() > 1 || matches!(content, PinContent::Pages(_)) {
            // gallery-dl names pages by the pictures' signatures, and keeps no preview of several.
            for metadata in [&mut ours, &mut theirs] {
                metadata.thumbnail = None;
                metadata.items.iter_mut().for_each(|item| item.id = None);
            }
        }
        assert_eq!(theirs, ours, "{content:?}");
        if !matches!(content, PinContent::Pages(ref pages) if pages.len() == 1) {
            assert_eq!(hashes(&files), expected, "{content:?}");
            assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected, "{content:?}");
        }
    }
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_video_is_the_same_in_process_and_by_yt_dlp() {
    let stage = Stage::set().await;
    let video = media::small_video(345);
    let link = stage.web.sites().pinterest.pin("A box", &PinContent::Video(video.clone()));
    let api = stage.api(&stage.web.sites().pinterest.short(&link)).await.unwrap();
    let (by_tool, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    let mut known = comparable(&api);
    // What yt-dlp does not hand on: the author's name in links, likes, the description for the blind.
    known.author = by_tool.author.clone();
    known.counts.like_count = None;
    known.items[0].alt_text = None;
    assert_eq!(comparable(&by_tool), known);
    assert_eq!(by_tool.author.unwrap().name, api.author.as_ref().unwrap().name);
    assert_eq!(hashes(&files), [video.sha256()]);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [video.sha256()]);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_stream_and_the_pages_of_an_idea_are_read() {
    let stage = Stage::set().await;
    let stream = stage.web.sites().pinterest.pin("A box", &PinContent::Stream);
    let api = stage.api(&stream).await.unwrap();
    let renditions = &api.items[0].renditions;
    assert!(renditions.len() > 1 && renditions.iter().all(|rendition| rendition.protocol == Protocol::Hls));

    let pages = [media::jpg(342), media::small_video(345)];
    let idea = stage.web.sites().pinterest.pin("Two pages", &PinContent::Pages(pages.to_vec()));
    let api = stage.api(&idea).await.unwrap();
    assert_eq!(api.items.iter().map(|item| item.kind).collect::<Vec<_>>(), [FileType::Image, FileType::Video]);
    let expected: Vec<_> = pages.iter().map(|media| media.sha256()).collect();
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected);
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let stage = Stage::set().await;
    let pinterest = &stage.web.sites().pinterest;
    for (status, words, expected) in [
        (404, "We couldn't find this Pin", "not_found"),
        (403, "This board is secret", "private"),
        (403, "Authorization failed", "login_required"),
        (429, "Too many requests", "rate_limited"),
        (500, "odd", "network"),
    ] {
        assert_eq!(code(stage.api(&pinterest.refused(status, words)).await), expected, "{status}");
    }
    let embed = pinterest.pin("Elsewhere", &PinContent::Embed("https://www.youtube.com/embed/dQw4w9WgXcQ".into()));
    assert_eq!(code(stage.api(&embed).await), "unsupported_url");
    assert_eq!(code(stage.api("https://www.pinterest.com/ann_b/boxes/").await), "unsupported_url");
}
