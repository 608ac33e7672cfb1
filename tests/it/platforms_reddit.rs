//! Reddit: what our own extractor reads, what the tools tell of the same post, and what each failure is called.

use boss_bot::{
    model::{Error, Extension, FileType, MediaMetadata, Tool},
    settings::Settings,
};

use super::platforms_stage::{Stage, comparable};
use crate::world::{
    media::{self, Dash},
    platforms::{Fate, RedditPost},
    web::{Fault, FaultKind},
};

const SITE: &str = "www.reddit.com";

/// What yt-dlp does not hand on: whether a post is a spoiler or repeats another.
fn as_yt_dlp_knows(metadata: &MediaMetadata) -> MediaMetadata {
    let mut metadata = comparable(metadata);
    if let Some(Extension::Reddit { is_crosspost, spoiler, .. }) = &mut metadata.extension {
        (*is_crosspost, *spoiler) = (false, false);
    }
    metadata
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().expect("a failure").code()
}

/// Kinds of the streams in a file, by ffprobe.
fn streams(path: &std::path::Path) -> String {
    let output = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    let mut kinds: Vec<_> = std::str::from_utf8(&output.stdout).unwrap().split_whitespace().collect();
    kinds.sort_unstable();
    kinds.join("+")
}

#[tokio::test]
async fn a_video_is_the_same_post_in_process_and_by_both_tools_and_has_its_sound() {
    let stage = Stage::set().await;
    let post = RedditPost::video(Dash::seed(81))
        .titled("Loud & <clear>, a title that is so long that yt-dlp cuts it off after 72 letters");
    let link = stage.web.reddit().post(post.by("bea_b").nsfw());
    let api = stage.api(&link).await.unwrap();
    assert!(api.sensitive && api.title.as_ref().unwrap().ends_with("72 letters"));
    let (by_yt_dlp, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(as_yt_dlp_knows(&by_yt_dlp), as_yt_dlp_knows(&api));
    assert_eq!(streams(&files[0]), "audio+video");
    let (by_gallery_dl, _) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(comparable(&by_gallery_dl), comparable(&api));

    let files = stage.download(&api).await.unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(streams(&files[0]), "audio+video");
}

#[tokio::test]
async fn a_gallery_is_the_same_post_in_process_and_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let pictures: Vec<_> = (82..85).map(media::jpg).collect();
    let link = stage.web.reddit().post(RedditPost::gallery(&pictures).caption(1, "the second").spoiler());
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.items[1].alt_text.as_deref(), Some("the second"));
    let (by_gallery_dl, by_tool) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(comparable(&by_gallery_dl), comparable(&api));
    let hashes = |paths: &[std::path::PathBuf]| paths.iter().map(|path| media::sha256(path)).collect::<Vec<_>>();
    let expected: Vec<_> = pictures.iter().map(|picture| picture.sha256()).collect();
    assert_eq!(hashes(&by_tool), expected);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected);
}

#[tokio::test]
async fn a_picture_a_gif_and_a_crosspost_show_their_media() {
    let stage = Stage::set().await;
    let picture = media::jpg(85);
    let image = stage.web.reddit().post(RedditPost::image(&picture));
    let api = stage.api(&image).await.unwrap();
    assert_eq!(comparable(&stage.cli(&image, Tool::GalleryDl).await.unwrap().0), comparable(&api));
    assert_eq!(media::sha256(&stage.download(&api).await.unwrap()[0]), picture.sha256());

    let moving = media::image(media::Image::seed(86, media::ImageKind::Gif));
    let gif = stage.web.reddit().post(RedditPost::gif(&moving));
    let api = stage.api(&gif).await.unwrap();
    assert_eq!(api.items[0].kind, FileType::Gif);
    assert_eq!(comparable(&stage.cli(&gif, Tool::GalleryDl).await.unwrap().0), comparable(&api));
    assert_eq!(streams(&stage.download(&api).await.unwrap()[0]), "video");

    let original = RedditPost::video(Dash::seed(81)).by("original");
    let crosspost = stage.web.reddit().post(RedditPost::crosspost(original).by("repeater").titled("Again"));
    let api = stage.api(&crosspost).await.unwrap();
    assert_eq!(api.author.as_ref().unwrap().handle, "repeater");
    assert!(matches!(api.extension, Some(Extension::Reddit { is_crosspost: true, .. })));
    let (by_yt_dlp, _) = stage.cli(&crosspost, Tool::YtDlp).await.unwrap();
    assert_eq!(as_yt_dlp_knows(&by_yt_dlp), as_yt_dlp_knows(&api));
}

#[tokio::test]
async fn a_silent_video_needs_no_sound_and_no_manifest() {
    let stage = Stage::set().await;
    let link = stage.web.reddit().post(RedditPost::video(Dash { sound: false, ..Dash::seed(87) }));
    let api = stage.api(&link).await.unwrap();
    assert_eq!(streams(&stage.download(&api).await.unwrap()[0]), "video");
    stage.web.faults().add(Fault::on("v.redd.it", ".mpd", FaultKind::Status(403)));
    let api = stage.api(&link).await.unwrap();
    assert_eq!(streams(&stage.download(&api).await.unwrap()[0]), "video");
}

#[tokio::test]
async fn a_video_with_sound_is_not_delivered_without_it() {
    let stage = Stage::set().await;
    let link = stage.web.reddit().post(RedditPost::video(Dash::seed(81)));
    for (kind, expected) in [
        (FaultKind::Status(403), "platform_changed"),
        (FaultKind::Status(404), "platform_changed"),
        (FaultKind::Status(500), "network"),
        (FaultKind::HtmlForJson, "platform_changed"),
        (FaultKind::ChangedJson, "platform_changed"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on("v.redd.it", ".mpd", kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{kind:?}");
    }
}

#[tokio::test]
async fn short_and_share_links_lead_to_the_post() {
    let stage = Stage::set().await;
    let reddit = stage.web.reddit();
    let link = reddit.post(RedditPost::video(Dash::seed(81)));
    let post = stage.resource(&link).await;
    let video = stage.api(&link).await.unwrap().items[0].id.clone().unwrap();
    for short in [
        reddit.short_link(&link),
        reddit.share_link(&link),
        reddit.video_link(&link),
        format!("https://v.redd.it/{video}"),
        format!("https://v.redd.it/{video}/DASH_360.mp4?source=fallback"),
        link.replace("www.", "old."),
    ] {
        assert_eq!(stage.resource(&short).await, post, "{short}");
    }
}

#[tokio::test]
async fn an_app_of_the_operators_is_let_in_where_visitors_are_not() {
    let app = [("client_id", "app-id"), ("client_secret", "app-secret")];
    let stage = Stage::with(|settings: &mut Settings| Stage::params(settings, "reddit", &app)).await;
    stage.web.reddit().refuse_anonymous();
    stage.web.reddit().register_app("app-id", "app-secret");
    let links = [81, 87].map(|seed| stage.web.reddit().post(RedditPost::video(Dash::seed(seed))));
    let tokens = || stage.web.requests().iter().filter(|seen| seen.target().contains("access_token")).count();
    for link in &links {
        stage.api(link).await.unwrap();
    }
    assert_eq!(tokens(), 1, "one token serves both");
    stage.web.reddit().expire_tokens();
    stage.api(&links[0]).await.unwrap();
    assert_eq!(tokens(), 2, "a spent token is renewed");
    let secret = |text: &str| text.contains("app-secret");
    assert!(!stage.web.requests().iter().any(|seen| secret(&seen.target())), "the secret is in no address");

    // A visitor is refused without a reason, and a wrong secret leaves only that way.
    for params in [&[][..], &[("client_id", "app-id"), ("client_secret", "wrong")]] {
        let stage = Stage::with(|settings: &mut Settings| Stage::params(settings, "reddit", params)).await;
        stage.web.reddit().refuse_anonymous();
        stage.web.reddit().register_app("app-id", "app-secret");
        let link = stage.web.reddit().post(RedditPost::image(&media::jpg(85)));
        let error = stage.api(&link).await.unwrap_err();
        assert_eq!(error.code(), "login_required", "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test]
async fn each_failure_of_the_site_has_its_name() {
    let stage = Stage::set().await;
    let link = stage.web.reddit().post(RedditPost::image(&media::jpg(85)));
    for (kind, expected) in [
        (FaultKind::Status(403), "login_required"),
        (FaultKind::RateLimit(Some(30)), "rate_limited"),
        (FaultKind::Status(500), "network"),
        (FaultKind::Status(502), "network"),
        (FaultKind::Reset, "network"),
        (FaultKind::Truncate, "network"),
        (FaultKind::HtmlForJson, "platform_changed"),
        (FaultKind::ChangedJson, "platform_changed"),
        (FaultKind::Redirect("http://127.0.0.1:1/".into()), "blocked_address"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on(SITE, ".json", kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{kind:?}");
    }
}

#[tokio::test]
async fn each_reason_why_a_post_is_not_shown_has_its_name() {
    let stage = Stage::set().await;
    for (fate, expected) in [
        (Fate::Missing, "not_found"),
        (Fate::Deleted, "not_found"),
        (Fate::Removed, "not_found"),
        (Fate::Private, "private"),
        (Fate::Quarantined, "private"),
    ] {
        let link = stage.web.reddit().post(RedditPost::gone(fate));
        assert_eq!(code(stage.api(&link).await), expected, "{fate:?}");
    }
    for (post, expected) in [
        (RedditPost::text("Only words"), "no_media"),
        (RedditPost::link_to("https://news.example/story"), "no_media"),
        (RedditPost::link_to("https://youtu.be/dQw4w9WgXcQ"), "unsupported_url"),
    ] {
        let link = stage.web.reddit().post(post);
        assert_eq!(code(stage.api(&link).await), expected);
    }
}
