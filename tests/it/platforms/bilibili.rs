//! Bilibili: in process and by yt-dlp.

use boss_bot::model::{Options, Tool};

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::Dash,
        web::{Fault, FaultKind},
    },
};

#[tokio::test]
async fn a_bilibili_video_is_the_same_in_process_and_by_yt_dlp() {
    let mut stage = Stage::set().await;
    let bilibili = &stage.web.sites().bilibili;
    let link = bilibili.video("A tone", &[Dash::seed(341)]);
    let short = bilibili.short(&link);
    let two = bilibili.video("Two tones", &[Dash::seed(341), Dash { seconds: 2, ..Dash::seed(342) }]);
    for (link, title) in [
        (link, "A tone"),
        (short, "A tone"),
        (two.clone(), "Two tones p01 Part 1"),
        (format!("{two}?p=2"), "Two tones p02 Part 2"),
    ] {
        stage.options = Options::default();
        let found = stage.api(&link).await.unwrap();
        assert_eq!(found.title.as_deref(), Some(title));
        let streams = &found.items[0].renditions;
        assert!(streams.len() == 3 && streams.iter().all(|stream| stream.expires_at.is_some()), "{streams:?}");
        assert_eq!(stage.download(&found).await.unwrap().len(), 1, "{link}");
        stage.options = Options { metadata_only: true, ..Options::default() };
        let (by_tool, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
        assert_eq!(comparable(&found), comparable(&by_tool), "{link}");
    }
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn each_refusal_of_bilibili_has_its_kind_in_process() {
    let stage = Stage::set().await;
    let bilibili = &stage.web.sites().bilibili;
    for (link, code) in [
        ("https://www.bilibili.com/video/BV1xxxxxxxxx".to_owned(), "not_found"),
        (bilibili.refused(62002), "not_found"),
        (bilibili.refused(62004), "not_yet"),
        (bilibili.refused(62012), "private"),
        (bilibili.refused(-403), "login_required"),
        (bilibili.refused(-352), "rate_limited"),
        (bilibili.refused(77), "platform_changed"),
        ("https://www.bilibili.com/bangumi/play/ep21495".to_owned(), "unsupported_url"),
    ] {
        let error = stage.api(&link).await.unwrap_err();
        assert_eq!(error.code(), code, "{link}: {error}");
    }
    let link = bilibili.video("A tone", &[Dash::seed(341)]);
    for (kind, code) in [(FaultKind::Status(412), "rate_limited"), (FaultKind::Status(404), "platform_changed")] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("api.bilibili.com", "/x/player", kind));
        assert_eq!(stage.api(&link).await.unwrap_err().code(), code);
    }
}
