//! When the in-process path fails, the tools deliver, and the outcome says why; when they may not, the error is clear.

use std::{sync::Arc, time::Duration};

use boss_bot::{
    app::App,
    deliver::DirectorySink,
    model::{AttemptEnd, Options, Outcome, Request, Requester},
    net::USER_AGENT,
    settings::{PlatformSettings, Settings},
};

use crate::world::{
    media,
    platforms::{RedditPost, Tweet, YouTubeVideo},
    stage,
    tls::Authority,
    web::{Fault, FaultKind, Reply, Web},
};

/// The real services against a stand-in web.
struct Stage {
    web: Web,
    dir: tempfile::TempDir,
    settings: Settings,
}

impl Stage {
    async fn set() -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = tempfile::tempdir().unwrap();
        let settings = stage::settings(&authority, &web, dir.path());
        Self { web, dir, settings }
    }

    async fn fetch(&self, link: &str) -> Outcome {
        let app = App::new(self.settings.clone()).unwrap();
        let sink = Arc::new(DirectorySink::new(self.dir.path().join("out"), None));
        let request = Request::new(link.parse().unwrap(), Options::default(), Requester::command_line());
        let outcome = app.jobs.submit(request, sink).outcome.await.unwrap();
        app.jobs.shut_down().await;
        outcome
    }
}

/// Every way the in-process path can break, with the code it must end with.
fn faults() -> Vec<(FaultKind, &'static str)> {
    vec![
        (FaultKind::Status(403), "login_required"),
        (FaultKind::RateLimit(Some(60)), "rate_limited"),
        (FaultKind::Status(503), "network"),
        (FaultKind::Reset, "network"),
        (FaultKind::Hang, "timeout"),
        (FaultKind::HtmlForJson, "platform_changed"),
        (FaultKind::ChangedJson, "platform_changed"),
    ]
}

/// Breaks every request that our own client makes to these hosts, and nobody else's.
fn break_in_process(web: &Web, hosts: &[&str], kind: &FaultKind) {
    web.faults().clear();
    for host in hosts {
        web.faults().add(Fault::on(host, "", kind.clone()).only_agent(USER_AGENT));
    }
}

async fn the_tool_takes_over(stage: &mut Stage, link: &str, hosts: &[&str]) {
    for (kind, code) in faults() {
        // A hanging platform must not cost the tool its own time.
        stage.settings.downloads.timeout = Duration::from_secs(if kind == FaultKind::Hang { 8 } else { 60 });
        stage.settings.downloads.api_fallback_to_cli = true;
        break_in_process(&stage.web, hosts, &kind);
        let outcome = stage.fetch(link).await;
        let (first, last) = (outcome.attempts.first().unwrap(), outcome.attempts.last().unwrap());
        assert_eq!(outcome.error, None, "{kind:?}: {outcome:#?}");
        assert_eq!((first.by.as_str(), &last.end), ("api", &AttemptEnd::Ok), "{kind:?}");
        assert_ne!(last.by, "api", "{kind:?}");
        assert!(matches!(&first.end, AttemptEnd::NextAttempt { error } if error.code() == code), "{kind:?}: {first:?}");
        let files = outcome.metadata.map(|metadata| metadata.files).unwrap_or_default();
        assert!(files.len() == 1 && files[0].path.is_file(), "{kind:?}: {files:?}");

        stage.settings.downloads.api_fallback_to_cli = false;
        let outcome = stage.fetch(link).await;
        let error = outcome.error.unwrap_or_else(|| panic!("{kind:?} delivered all the same"));
        assert_eq!((outcome.attempts.len(), error.code()), (1, code), "{kind:?}: {error}");
        assert!(error.user_text().ends_with('.') && !error.user_text().contains("http"), "{}", error.user_text());
    }
}

#[tokio::test]
async fn when_x_fails_in_process_yt_dlp_delivers_and_the_outcome_says_why() {
    let mut stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(41)));
    the_tool_takes_over(&mut stage, &link, &["api.x.com", "x.com", "cdn.syndication.twimg.com"]).await;
}

#[tokio::test]
async fn when_reddit_fails_in_process_yt_dlp_delivers_and_the_outcome_says_why() {
    let mut stage = Stage::set().await;
    let link = stage.web.reddit().post(RedditPost::video(media::Dash::seed(42)));
    the_tool_takes_over(&mut stage, &link, &["www.reddit.com", "old.reddit.com", "oauth.reddit.com"]).await;
}

#[tokio::test]
async fn when_the_media_host_refuses_our_client_a_tool_delivers() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(43)));
    break_in_process(&stage.web, &["video.twimg.com"], &FaultKind::Status(403));
    let outcome = stage.fetch(&link).await;
    assert_eq!(outcome.error, None, "{outcome:#?}");
    assert_eq!(outcome.attempts.len(), 2, "{outcome:#?}");
}

#[tokio::test]
async fn when_youtube_gives_our_client_only_ciphered_formats_yt_dlp_delivers() {
    let mut stage = Stage::set().await;
    // Another client than ours, whose addresses the stand-in serves without the token that the real one wants.
    let params = [
        ("player_client", "android_vr"),
        ("player_skip", "webpage,configs,js,initial_data"),
        ("formats", "missing_pot"),
    ];
    let params = params.map(|(name, value)| (name.to_owned(), value.into())).into();
    stage.settings.platforms.insert("youtube".into(), PlatformSettings { params, ..PlatformSettings::default() });
    let video = YouTubeVideo { ciphered_for: Some("VISIONOS"), ..YouTubeVideo::of(media::Dash::seed(44)) };
    let link = stage.web.youtube().video(video);
    let outcome = stage.fetch(&link).await;
    assert_eq!(outcome.error, None, "{outcome:#?}");
    let ends: Vec<_> = outcome.attempts.iter().map(|attempt| (attempt.by.as_str(), &attempt.end)).collect();
    let [("api", AttemptEnd::NextAttempt { error }), ("yt-dlp", AttemptEnd::Ok)] = ends[..] else {
        panic!("{ends:#?}")
    };
    assert!(error.operator_text().contains("ciphered formats"), "{error}");
}

#[tokio::test]
async fn a_verdict_about_the_post_asks_nobody_else() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::gone(crate::world::platforms::Gone::Deleted));
    let outcome = stage.fetch(&link).await;
    let error = outcome.error.as_ref().expect("it is gone");
    assert_eq!((outcome.attempts.len(), error.code()), (1, "not_found"), "{outcome:#?}");
}

#[tokio::test]
async fn a_page_that_a_tool_saved_in_place_of_media_is_not_delivered() {
    let mut stage = Stage::set().await;
    stage.settings.downloads.allow_generic = true;
    let page = Reply::new(200, "video/mp4", "<!DOCTYPE html><title>Sorry</title>");
    let link = stage.web.reply("videos.example", "/watch", page);
    let outcome = stage.fetch(&link).await;
    let error = outcome.error.as_ref().expect("there is nothing to deliver");
    assert!(["no_media", "unsupported_url"].contains(&error.code()), "{outcome:#?}");
    assert!(outcome.attempts.len() > 1, "the next tool is asked: {outcome:#?}");
    assert!(outcome.posted.places.is_empty(), "{outcome:#?}");
}
