//! What a platform answered is remembered: over a restart, until it is stale, and never past the end of an address.

use std::sync::Arc;

use boss_bot::{
    app::App,
    deliver::DirectorySink,
    model::{AttemptEnd, MediaMetadata, Options, Outcome, Request, Requester},
    settings::Settings,
};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::world::{
    media,
    platforms::{Gone, Tweet},
    stage,
    tls::Authority,
    web::{Fault, FaultKind, Web},
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

    /// A process of its own: nothing but the files is known to it.
    fn app(&self) -> App {
        App::new(self.settings.clone()).unwrap()
    }

    async fn load(&self, app: &App, link: &str, options: Options) -> Outcome {
        let sink = Arc::new(DirectorySink::new(self.dir.path().join("out"), None));
        let request = Request::new(link.parse().unwrap(), options, Requester::command_line());
        app.jobs.submit(request, sink).outcome.await.unwrap()
    }

    async fn look(&self, app: &App, link: &str) -> MediaMetadata {
        let request = Request::new(link.parse().unwrap(), Options::default(), Requester::command_line());
        app.jobs.metadata(&request, &CancellationToken::new()).await.unwrap()
    }

    /// How often the platform itself was asked.
    fn asked(&self) -> usize {
        let hosts = ["api.x.com", "x.com", "cdn.syndication.twimg.com"];
        hosts.iter().map(|host| self.web.requests_to(host).len()).sum()
    }

    fn loaded(&self) -> usize {
        self.web.requests_to("video.twimg.com").len()
    }
}

/// Who tried, whether they knew it from before, and how it ended.
fn attempts(outcome: &Outcome) -> Vec<(&str, bool, &str)> {
    let end = |end: &AttemptEnd| end.error().map_or("ok", |error| error.code());
    outcome.attempts.iter().map(|attempt| (attempt.by.as_str(), attempt.cached, end(&attempt.end))).collect()
}

#[tokio::test]
async fn after_a_restart_a_post_is_loaded_again_without_asking_its_platform() {
    let stage = Stage::set().await;
    let video = media::small_video(91);
    let link = stage.web.x().post(Tweet::video(&video).by("ann", "Ann"));
    let first = stage.load(&stage.app(), &link, Options::default()).await;
    assert_eq!(attempts(&first), [("api", false, "ok")], "{first:#?}");
    stage.web.clear_log();
    let again = stage.load(&stage.app(), &link, Options::default()).await;
    assert_eq!(attempts(&again), [("api", true, "ok")], "{again:#?}");
    assert_eq!(stage.asked(), 0, "{:?}", stage.web.requests());
    assert!(stage.loaded() > 0, "media are loaded anew");
    let (first, again) = (first.metadata.unwrap(), again.metadata.unwrap());
    assert_eq!(again.files[0].checksum, video.sha256());
    assert_eq!(again.author, first.author);
    assert_eq!(again.download_timestamp, first.download_timestamp, "it says when the platform was asked");
    // Another spelling of the same post is the same post; one of its items is not.
    let spelt = link.replace("x.com", "mobile.twitter.com") + "?s=20&t=abc";
    assert_eq!(attempts(&stage.load(&stage.app(), &spelt, Options::default()).await), [("api", true, "ok")]);
    let item = stage.load(&stage.app(), &(link.clone() + "/video/1"), Options::default()).await;
    assert_eq!(attempts(&item), [("api", false, "ok")]);
}

#[tokio::test]
async fn what_is_asked_for_by_force_is_asked_anew() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(92)));
    let app = stage.app();
    stage.load(&app, &link, Options::default()).await;
    stage.web.clear_log();
    let forced = stage.load(&app, &link, Options { force: true, ..Options::default() }).await;
    assert_eq!(attempts(&forced), [("api", false, "ok")]);
    assert!(stage.asked() > 0);
}

#[tokio::test]
async fn when_the_addresses_are_stale_a_load_asks_anew_and_a_look_does_not() {
    let mut stage = Stage::set().await;
    stage.settings.cache.addresses = std::time::Duration::ZERO;
    let link = stage.web.x().post(Tweet::video(&media::small_video(93)).by("ann", "Ann"));
    stage.load(&stage.app(), &link, Options::default()).await;
    stage.web.clear_log();
    let looked = stage.look(&stage.app(), &link).await;
    assert_eq!(stage.web.requests().len(), 0, "{:?}", stage.web.requests());
    assert_eq!(looked.author.as_ref().unwrap().handle, "ann");
    let renditions = &looked.items[0].renditions;
    assert!(!renditions.is_empty() && renditions.iter().all(|one| one.url.is_none()), "no stale address: {looked:#?}");
    let loaded = stage.load(&stage.app(), &link, Options::default()).await;
    assert_eq!(attempts(&loaded), [("api", false, "ok")], "{loaded:#?}");
}

#[tokio::test]
async fn an_address_that_died_before_its_time_is_asked_for_anew() {
    let stage = Stage::set().await;
    let video = media::small_video(94);
    let link = stage.web.x().post(Tweet::video(&video));
    let app = stage.app();
    stage.load(&app, &link, Options::default()).await;
    stage.web.clear_log();
    stage.web.faults().add(Fault::on("video.twimg.com", "", FaultKind::Status(403)).times(1));
    let again = stage.load(&app, &link, Options::default()).await;
    assert_eq!(attempts(&again), [("api", false, "ok")], "{again:#?}");
    assert_eq!(again.metadata.unwrap().files[0].checksum, video.sha256());
    assert!(stage.asked() > 0, "the platform was asked for another address");
}

#[tokio::test]
async fn a_post_that_is_gone_is_not_asked_for_again_unless_by_force() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::gone(Gone::Deleted));
    stage.load(&stage.app(), &link, Options::default()).await;
    stage.web.clear_log();
    let again = stage.load(&stage.app(), &link, Options::default()).await;
    assert_eq!(attempts(&again), [("api", true, "not_found")]);
    assert_eq!(stage.web.requests().len(), 0);
    let forced = stage.load(&stage.app(), &link, Options { force: true, ..Options::default() }).await;
    assert_eq!(attempts(&forced), [("api", false, "not_found")]);
    assert!(stage.asked() > 0);
}

#[tokio::test]
async fn a_fault_of_the_moment_is_over_after_a_restart() {
    let mut stage = Stage::set().await;
    stage.settings.downloads.api_fallback_to_cli = false;
    let link = stage.web.x().post(Tweet::video(&media::small_video(95)));
    for host in ["api.x.com", "x.com", "cdn.syndication.twimg.com"] {
        stage.web.faults().add(Fault::on(host, "", FaultKind::HtmlForJson));
    }
    let failed = stage.load(&stage.app(), &link, Options::default()).await;
    assert_eq!(failed.error.as_ref().map(|error| error.code()), Some("platform_changed"), "{failed:#?}");
    stage.web.faults().clear();
    let again = stage.load(&stage.app(), &link, Options::default()).await;
    assert_eq!(attempts(&again), [("api", false, "ok")], "{again:#?}");
}

#[tokio::test]
async fn of_many_who_paste_the_same_link_at_once_one_asks() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(96)));
    let app = stage.app();
    stage.load(&app, &link, Options { force: true, ..Options::default() }).await;
    let once = stage.asked();
    app.cache.clear().unwrap();
    stage.web.clear_log();
    let outcomes = join_all((0..5).map(|_| stage.load(&app, &link, Options::default()))).await;
    // The guest token is known from the first time.
    assert!((1..=once).contains(&stage.asked()), "{once}: {:?}", stage.web.requests());
    let asked = outcomes.iter().filter(|outcome| !outcome.attempts[0].cached).count();
    assert_eq!(asked, 1, "{outcomes:#?}");
}
