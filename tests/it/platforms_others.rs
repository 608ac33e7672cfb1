//! Direct links, YouTube and Instagram: the first in process, the others by the tools, as their platform files plan it.

use boss_bot::{
    model::{Extension, FileType, Options, Tool},
    settings::Settings,
};

use super::platforms_stage::Stage;
use crate::world::{
    media::{self, Dash},
    platforms::{InstagramPost, YouTubeVideo},
    web::{Fault, FaultKind, Reply},
};

#[tokio::test]
async fn a_direct_link_is_the_very_file_under_its_own_name() {
    let stage = Stage::set().await;
    let clip = media::small_video(91);
    for link in [
        stage.web.file("files.example", "/My%20holiday.mp4", &clip),
        stage.web.chunked_file("files.example", "/streamed.mp4", &clip),
        // The server calls it something else, and so does its name.
        stage.web.file_as("files.example", "/odd.jpg", &clip.path, "application/octet-stream"),
    ] {
        let found = stage.api(&link).await.unwrap_or_else(|error| panic!("{link}: {error}"));
        assert_eq!(found.items[0].kind, FileType::Video, "{link}");
        let paths = stage.download(&found).await.unwrap();
        assert_eq!(media::sha256(&paths[0]), clip.sha256(), "{link}");
        assert_eq!(paths[0].file_stem().unwrap().to_str(), found.title.as_deref(), "{link}");
    }
    let (found, files) =
        stage.cli(&stage.web.file("files.example", "/again.mp4", &clip), Tool::GalleryDl).await.unwrap();
    assert_eq!((found.items.len(), media::sha256(&files[0])), (1, clip.sha256()));
}

#[tokio::test]
async fn a_direct_link_to_something_else_says_what_is_wrong() {
    let stage = Stage::set().await;
    let page = stage.web.page("files.example", "/clip.mp4", "<!DOCTYPE html><title>Sign in</title>");
    let playlist =
        stage.web.reply("files.example", "/list.mp4", Reply::new(200, "video/mp4", "#EXTM3U\nfile:///etc/passwd\n"));
    let archive = stage.web.reply("files.example", "/a.mp4", Reply::new(200, "video/mp4", "PK\u{3}\u{4}\u{14}\0\0\0"));
    let inwards = stage.web.redirect("files.example", "/in.mp4", "http://127.0.0.1:1/secret.mp4");
    for (link, code) in [
        (page.as_str(), "no_media"),
        (&playlist, "no_media"),
        (&archive, "no_media"),
        ("https://files.example/missing.mp4", "not_found"),
        (&inwards, "blocked_address"),
        ("https://127.0.0.1/secret.mp4", "blocked_address"),
    ] {
        assert_eq!(stage.api(link).await.unwrap_err().code(), code, "{link}");
    }
}

#[tokio::test]
async fn a_cut_download_is_resumed_as_long_as_it_gets_further() {
    let stage = Stage::set().await;
    let clip = media::padded_video(3_000_000, 92);
    let link = stage.web.file("files.example", "/long.mp4", &clip);
    let found = stage.api(&link).await.unwrap();
    for kind in [FaultKind::Truncate, FaultKind::ResetMidway] {
        stage.web.faults().clear();
        stage.web.clear_log();
        stage.web.faults().add(Fault::on("files.example", "/long.mp4", kind.clone()).times(1));
        let paths = stage.download(&found).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(media::sha256(&paths[0]), clip.sha256(), "{kind:?}");
        let asked = stage.web.requests_to("files.example");
        assert_eq!(asked.len(), 2, "{kind:?}");
        assert!(asked[1].header("range").is_some_and(|range| range.starts_with("bytes=")), "{kind:?}");
        // Cut several times, with something new each time; and cut for good.
        stage.web.faults().add(Fault::on("files.example", "/long.mp4", kind.clone()).times(3));
        let paths = stage.download(&found).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(media::sha256(&paths[0]), clip.sha256(), "{kind:?}");
        stage.web.faults().add(Fault::on("files.example", "/long.mp4", kind.clone()).times(1));
        stage.web.faults().add(Fault::on("files.example", "/long.mp4", FaultKind::Reset));
        stage.web.clear_log();
        assert_eq!(stage.download(&found).await.unwrap_err().code(), "network", "{kind:?}");
        assert!(stage.web.requests_to("files.example").len() < 10, "{kind:?}");
    }
}

#[tokio::test]
async fn youtube_comes_by_yt_dlp_with_what_only_youtube_has() {
    let params = [("player_client", "visionos"), ("player_skip", "webpage,configs,js,initial_data")];
    let mut stage = Stage::with(|settings: &mut Settings| Stage::params(settings, "youtube", &params)).await;
    stage.options = Options { metadata_only: true, ..Options::default() };
    let link = stage.web.youtube().video(YouTubeVideo::of(Dash::seed(93)).titled("A tone").by("Cara's Channel"));
    let (found, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(found.title.as_deref(), Some("A tone"));
    let Some(Extension::Youtube { video_id, channel_id, is_livestream, .. }) = found.extension else {
        panic!("{found:?}");
    };
    // The channel's name stands on the page, which this choice of clients does not load.
    assert!(channel_id.is_some_and(|id| id.starts_with("UC")));
    assert_eq!(video_id, found.id);
    assert!(!is_livestream && link.contains(&found.id));
}

#[tokio::test]
async fn an_instagram_carousel_comes_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let carousel = [media::jpg(94), media::small_video(95), media::jpg(96)];
    let link =
        stage.web.instagram().post(InstagramPost::carousel(&carousel).by("nasa", "NASA").caption("Three of them"));
    let (found, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    let kinds: Vec<_> = found.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Image]);
    let hashes: Vec<_> = files.iter().map(|path| media::sha256(path)).collect();
    assert_eq!(hashes, carousel.iter().map(|media| media.sha256()).collect::<Vec<_>>());
    let author = found.author.unwrap();
    assert_eq!((author.handle.as_str(), author.name.as_deref()), ("nasa", Some("NASA")));
    assert_eq!((found.title, found.description.as_deref()), (None, Some("Three of them")));
}
