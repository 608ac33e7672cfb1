//! Tumblr, in process and by both tools.

use boss_bot::model::{FileType, Tool};

use super::{code, hashes};
use crate::{
    platforms_stage::{Stage, comparable},
    world::media,
};

#[tokio::test]
async fn pictures_are_the_same_in_process_and_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let placed = [media::jpg(351), media::jpg(352), media::jpg(353)];
    let link = stage.web.sites().tumblr.post(&placed);
    let api = stage.api(&link).await.unwrap();
    assert!(api.sensitive && api.counts.like_count == Some(3));
    let (by_tool, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    // It asks an older interface, which counts notes of all kinds together.
    let mut known = comparable(&api);
    known.counts = by_tool.counts;
    assert_eq!(comparable(&by_tool), known);
    let expected: Vec<_> = placed.iter().map(|media| media.sha256()).collect();
    assert_eq!(hashes(&files), expected);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_video_is_the_same_in_process_and_by_both_tools() {
    let stage = Stage::set().await;
    let video = media::small_video(354);
    let link = stage.web.sites().tumblr.post(std::slice::from_ref(&video));
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.items[0].kind, FileType::Video);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), [video.sha256()]);
    let (by_gallery_dl, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    let mut known = comparable(&api);
    known.counts = by_gallery_dl.counts;
    assert_eq!(comparable(&by_gallery_dl), known);
    assert_eq!(hashes(&files), [video.sha256()]);
    let (by_yt_dlp, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    let mut known = comparable(&api);
    // What yt-dlp does not hand on: the blog's title, replies.
    known.author.as_mut().unwrap().name = None;
    known.counts.comment_count = None;
    assert_eq!(comparable(&by_yt_dlp), known);
    assert_eq!(hashes(&files), [video.sha256()]);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn every_spelling_of_a_link_is_the_same_post() {
    let stage = Stage::set().await;
    let link = stage.web.sites().tumblr.post(&[media::jpg(351)]);
    let post = stage.resource(&link).await;
    let id = post.id.split('/').next_back().unwrap();
    stage.web.redirect("tmblr.co", "/ZqAbC1xYz", &link);
    stage.web.page("www.tumblr.com", &format!("/ann/{id}/look-here"), "<title>Look here</title>");
    for other in [
        format!("https://ann.tumblr.com/post/{id}/look-here"),
        format!("https://www.tumblr.com/blog/view/ann/{id}"),
        "https://tmblr.co/ZqAbC1xYz".to_owned(),
    ] {
        assert_eq!(stage.resource(&other).await, post, "{other}");
    }
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let stage = Stage::set().await;
    let tumblr = &stage.web.sites().tumblr;
    for (status, number, words, expected) in [
        (404, 0, "Not Found", "not_found"),
        (404, 4012, "This Tumblr is only viewable within the Tumblr dashboard", "login_required"),
        (403, 0, "You do not have permission to view this blog", "private"),
        (401, 0, "Unauthorized", "platform_changed"),
        (429, 0, "Limit Exceeded", "rate_limited"),
        (503, 0, "odd", "network"),
    ] {
        assert_eq!(code(stage.api(&tumblr.refused(status, number, words)).await), expected, "{status} {number}");
    }
    assert_eq!(code(stage.api(&tumblr.post(&[])).await), "no_media");
    let embed = tumblr.embedding("https://www.youtube.com/watch?v=dQw4w9WgXcQ");
    assert_eq!(code(stage.api(&embed).await), "unsupported_url");
    assert_eq!(code(stage.api("https://ann.tumblr.com/").await), "unsupported_url");
}
