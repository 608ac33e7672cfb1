//! Vimeo: in process and by yt-dlp.

use boss_bot::model::{Options, Protocol, Tool};

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::{self, Dash},
        platforms::vimeo::{VimeoAccess, VimeoMedia, VimeoVideo},
        web::{Fault, FaultKind},
    },
};

#[tokio::test]
async fn a_vimeo_video_is_the_same_in_process_and_by_yt_dlp() {
    let stage = Stage::set().await;
    let file = media::small_video(321);
    let listed = stage.web.sites().vimeo.video(VimeoVideo::of("A walk", VimeoMedia::File(file.clone())));
    let unlisted =
        VimeoVideo { hash: Some("abd0e13fb4".into()), ..VimeoVideo::of("A talk", VimeoMedia::File(file.clone())) };
    for link in [listed, stage.web.sites().vimeo.video(unlisted)] {
        let found = stage.api(&link).await.unwrap();
        assert_eq!(found.author.as_ref().unwrap().handle, "fay");
        let paths = stage.download(&found).await.unwrap();
        assert_eq!(media::sha256(&paths[0]), file.sha256(), "{link}");
        let (by_tool, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
        assert_eq!(media::sha256(&files[0]), file.sha256(), "{link}");
        assert_eq!(comparable(&found), comparable(&by_tool), "{link}");
    }
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_vimeo_video_of_streams_only_comes_with_its_sound() {
    let mut stage = Stage::set().await;
    let link = stage.web.sites().vimeo.video(VimeoVideo::of("A walk", VimeoMedia::Streams(Dash::seed(322))));
    let found = stage.api(&link).await.unwrap();
    assert!(found.items[0].renditions.iter().all(|rendition| rendition.protocol == Protocol::Hls));
    let paths = stage.download(&found).await.unwrap();
    assert!(paths.len() == 1 && std::fs::metadata(&paths[0]).unwrap().len() > 10_000);
    stage.options = Options { metadata_only: true, ..Options::default() };
    let (by_tool, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&found), comparable(&by_tool));
}

#[tokio::test]
async fn each_refusal_of_vimeo_has_its_kind_in_process() {
    let stage = Stage::set().await;
    let vimeo = &stage.web.sites().vimeo;
    let file = media::small_video(321);
    let of = |access, hash: Option<&str>| {
        let media = VimeoMedia::File(file.clone());
        vimeo.video(VimeoVideo { access, hash: hash.map(Into::into), ..VimeoVideo::of("A walk", media) })
    };
    let unlisted = of(VimeoAccess::Public, Some("abd0e13fb4"));
    for (link, code) in [
        ("https://vimeo.com/1".to_owned(), "not_found"),
        (of(VimeoAccess::Private, None), "private"),
        (of(VimeoAccess::Password, None), "private"),
        (of(VimeoAccess::Live, None), "live"),
        // An unlisted one does not exist without its hash.
        (unlisted.replace("/abd0e13fb4", ""), "not_found"),
        ("https://vimeo.com/channels/tributes".to_owned(), "unsupported_url"),
    ] {
        let error = stage.api(&link).await.unwrap_err();
        assert_eq!(error.code(), code, "{link}: {error}");
    }
    let link = of(VimeoAccess::Public, None);
    for (kind, code) in [(FaultKind::RateLimit(Some(3)), "rate_limited"), (FaultKind::Status(403), "login_required")] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("player.vimeo.com", "", kind));
        assert_eq!(stage.api(&link).await.unwrap_err().code(), code);
    }
}
