//! Retries, breakers, rates: by the real jobs and the real bot, against platforms that fail on purpose.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use boss_bot::{
    app::App,
    deliver::DirectorySink,
    jobs::Job,
    model::{Attempt, Options, Outcome, Phase, Request, Requester},
    net::USER_AGENT,
    settings::{PlatformSettings, Settings},
    strategy::{PathHealth, Stands},
};
use futures_util::future::join_all;
use serde_json::json;
use tokio::process::Command;

use crate::world::{
    bot::binary,
    media,
    platforms::Tweet,
    stage::{self, World},
    tls::Authority,
    web::{Fault, FaultKind, Seen, Web},
};

/// What X is asked by in process.
const API: [&str; 3] = ["api.x.com", "x.com", "cdn.syndication.twimg.com"];

/// The real services against a stand-in web, in one process.
struct Stage {
    web: Web,
    dir: tempfile::TempDir,
    app: App,
}

impl Stage {
    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = tempfile::tempdir().unwrap();
        let mut settings = stage::settings(&authority, &web, dir.path());
        settings.resilience.retry_base = Duration::from_millis(50);
        change(&mut settings);
        Self { web, dir, app: App::new(settings).unwrap() }
    }

    fn submit(&self, link: &str) -> Job {
        let sink = Arc::new(DirectorySink::new(self.dir.path().join("out"), None));
        let request = Request::new(link.parse().unwrap(), Options::default(), Requester::command_line());
        self.app.jobs.submit(request, sink)
    }

    async fn load(&self, link: &str) -> Outcome {
        self.submit(link).outcome.await.unwrap()
    }

    /// A fresh post with a video.
    fn post(&self, seed: u32) -> String {
        self.web.x().post(Tweet::video(&media::small_video(seed)))
    }

    /// How X's in-process path stands.
    fn api(&self) -> PathHealth {
        let health = self.app.strategy.health();
        let x = health.into_iter().find(|platform| platform.platform == "twitter").unwrap();
        x.paths.into_iter().find(|path| path.by == "api").expect("it has been used")
    }
}

/// Breaks what X is asked by in process, `times` times on each host; for nobody else.
fn break_x(web: &Web, kind: &FaultKind, times: Option<u32>) {
    for host in API {
        let fault = Fault { times, ..Fault::on(host, "", kind.clone()) };
        web.faults().add(fault.only_agent(USER_AGENT));
    }
}

/// The requests that our own client made to X's API.
fn asked(web: &Web) -> Vec<Seen> {
    let ours = |seen: &Seen| API.contains(&seen.host.as_str()) && seen.header("user-agent") == Some(USER_AGENT);
    web.requests().into_iter().filter(ours).collect()
}

/// Who tried, how it ended, and what stopped the tries before: `api ok after network`.
fn told(outcome: &Outcome) -> Vec<String> {
    let told = |attempt: &Attempt| {
        let end = attempt.end.error().map_or("ok", |error| error.code());
        let before: Vec<&str> = attempt.retries.iter().map(|retry| retry.code.as_str()).collect();
        let after = if before.is_empty() { String::new() } else { format!(" after {}", before.join(", ")) };
        format!("{} {end}{after}", attempt.by)
    };
    outcome.attempts.iter().map(told).collect()
}

#[tokio::test]
async fn a_path_that_keeps_failing_is_left_alone_while_a_tool_delivers() {
    let stage = Stage::with(|settings| {
        settings.resilience.breaker_min_attempts = 2;
        settings.resilience.breaker_cool_down = Duration::from_secs(3600);
    })
    .await;
    break_x(&stage.web, &FaultKind::Status(503), None);
    for seed in 200..202 {
        let outcome = stage.load(&stage.post(seed)).await;
        assert_eq!(told(&outcome), ["api network after network", "gallery-dl ok"], "{outcome:#?}");
    }
    assert!(matches!(stage.api().standing, Stands::Open { next_probe_seconds: 3590.. }), "{:?}", stage.api());
    stage.web.clear_log();
    for seed in 202..204 {
        let outcome = stage.load(&stage.post(seed)).await;
        assert_eq!(told(&outcome), ["gallery-dl ok"], "{outcome:#?}");
    }
    assert_eq!(asked(&stage.web).iter().map(Seen::line).collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test]
async fn a_paused_path_is_tested_by_one_request_and_returns_by_itself() {
    // The pause is over long before a tool has delivered, so each request after it is a test.
    let stage = Stage::with(|settings| {
        settings.resilience.breaker_min_attempts = 1;
        settings.resilience.breaker_cool_down = Duration::from_millis(10);
        settings.resilience.breaker_max_cool_down = Duration::from_millis(20);
    })
    .await;
    break_x(&stage.web, &FaultKind::Status(503), None);
    let failing = stage.load(&stage.post(210)).await;
    assert!(!failing.attempts[0].probe, "{failing:#?}");
    stage.web.clear_log();
    let probing = stage.load(&stage.post(211)).await;
    assert!(probing.attempts[0].probe, "{probing:#?}");
    assert_eq!(told(&probing), ["api network", "gallery-dl ok"], "a test is tried once");
    let probes = asked(&stage.web).len();
    assert!((1..=2).contains(&probes), "one question, by its two ways: {:?}", asked(&stage.web));

    stage.web.faults().clear();
    let recovered = stage.load(&stage.post(212)).await;
    assert!(recovered.attempts[0].probe, "{recovered:#?}");
    assert_eq!(told(&recovered), ["api ok"]);
    assert_eq!(stage.api().standing, Stands::Closed);
    let after = stage.load(&stage.post(213)).await;
    assert!(!after.attempts[0].probe, "{after:#?}");
    assert_eq!(told(&after), ["api ok"]);
}

#[tokio::test]
async fn posts_that_are_gone_pause_nothing() {
    let stage = Stage::with(|settings| settings.resilience.breaker_min_attempts = 1).await;
    for _ in 0..3 {
        let link = stage.web.x().post(Tweet::gone(crate::world::platforms::Gone::Deleted));
        assert_eq!(told(&stage.load(&link).await), ["api not_found"]);
    }
    assert_eq!((stage.api().standing, stage.api().failed), (Stands::Closed, 3));
}

#[tokio::test]
async fn a_passing_fault_is_tried_once_more_before_a_tool_and_more_often_when_there_is_none() {
    let stage = Stage::with(|_| {}).await;
    break_x(&stage.web, &FaultKind::Status(503), Some(1));
    let outcome = stage.load(&stage.post(220)).await;
    assert_eq!(told(&outcome), ["api ok after network"], "{outcome:#?}");

    let alone = Stage::with(|settings| settings.downloads.api_fallback_to_cli = false).await;
    break_x(&alone.web, &FaultKind::Status(503), Some(2));
    let outcome = alone.load(&alone.post(221)).await;
    assert_eq!(told(&outcome), ["api ok after network, network"], "{outcome:#?}");
    let waited: Vec<Duration> = outcome.attempts[0].retries.iter().map(|retry| retry.waited).collect();
    assert!(waited[0] <= Duration::from_millis(50) && waited[1] <= Duration::from_millis(100), "{waited:?}");

    break_x(&alone.web, &FaultKind::Reset, None);
    let outcome = alone.load(&alone.post(222)).await;
    assert_eq!(told(&outcome), ["api network after network, network"], "three tries, then the truth");
    let text = outcome.error.unwrap().user_text();
    assert!(text.contains("couldn't reach the platform"), "{text}");
}

#[tokio::test]
async fn the_wait_that_a_platform_asks_for_is_kept() {
    let stage = Stage::with(|settings| settings.downloads.api_fallback_to_cli = false).await;
    break_x(&stage.web, &FaultKind::RateLimit(Some(2)), Some(1));
    let link = stage.post(230);
    let mut job = stage.submit(&link);
    let said = job.progress.wait_for(|phase| matches!(phase, Phase::Waiting { .. })).await.unwrap().clone();
    assert!(matches!(said, Phase::Waiting { seconds: 2..=3 }), "{said:?}");
    let outcome = job.outcome.await.unwrap();
    assert_eq!(told(&outcome), ["api ok after rate_limited"], "{outcome:#?}");
    let asked = asked(&stage.web);
    let place = asked.iter().position(|seen| seen.status != Some(429)).unwrap();
    let (refused, next) = (asked[place - 1].at, asked[place].at);
    assert!(next.duration_since(refused) >= Duration::from_secs(2), "{:?}", next.duration_since(refused));
}

#[tokio::test]
async fn a_platform_that_tells_no_wait_is_left_alone_for_longer_each_time() {
    let stage = Stage::with(|settings| {
        settings.downloads.api_fallback_to_cli = false;
        settings.resilience.rate_limit_delay = Duration::from_millis(40);
    })
    .await;
    break_x(&stage.web, &FaultKind::RateLimit(None), Some(2));
    let outcome = stage.load(&stage.post(233)).await;
    assert_eq!(told(&outcome), ["api ok after rate_limited, rate_limited"], "{outcome:#?}");
    let waited: Vec<Duration> = outcome.attempts[0].retries.iter().map(|retry| retry.waited).collect();
    assert_eq!(waited, [Duration::from_millis(40), Duration::from_millis(80)]);
}

#[tokio::test]
async fn nobody_waits_long_for_a_platform_that_a_tool_can_ask() {
    let stage = Stage::with(|_| {}).await;
    break_x(&stage.web, &FaultKind::RateLimit(Some(25)), None);
    let outcome = stage.load(&stage.post(231)).await;
    assert_eq!(told(&outcome), ["api rate_limited", "gallery-dl ok"], "{outcome:#?}");
}

#[tokio::test]
async fn cancelling_ends_a_wait_at_once() {
    let stage = Stage::with(|settings| settings.downloads.api_fallback_to_cli = false).await;
    break_x(&stage.web, &FaultKind::RateLimit(Some(28)), None);
    let mut job = stage.submit(&stage.post(232));
    job.progress.wait_for(|phase| matches!(phase, Phase::Waiting { .. })).await.unwrap();
    let began = Instant::now();
    job.cancel.cancel();
    let outcome = job.outcome.await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(outcome.error.unwrap().code(), "cancelled");
}

#[tokio::test]
async fn an_expired_media_address_is_asked_for_anew_once() {
    let stage = Stage::with(|_| {}).await;
    // Sizes are asked for before the file itself: as often as for a post of the same shape.
    stage.load(&stage.post(239)).await;
    let sizes = stage.web.requests_to("video.twimg.com").iter().filter(|seen| seen.method == "HEAD").count();
    stage.web.clear_log();
    let refuse = |times| Fault { times, ..Fault::on("video.twimg.com", ".mp4", FaultKind::Status(410)) };
    stage.web.faults().add(refuse(Some(sizes as u32 + 1)).only_agent(USER_AGENT));
    let outcome = stage.load(&stage.post(240)).await;
    assert_eq!(told(&outcome), ["api ok after platform_changed"], "{outcome:#?}");
    assert!(outcome.attempts[0].retries[0].renewed, "{outcome:#?}");
    let graphql = |web: &Web| asked(web).iter().filter(|seen| seen.path.contains("TweetResultByRestId")).count();
    assert_eq!(graphql(&stage.web), 2, "{:?}", asked(&stage.web));

    stage.web.clear_log();
    stage.web.faults().add(refuse(None).only_agent(USER_AGENT));
    let outcome = stage.load(&stage.post(241)).await;
    assert_eq!(told(&outcome)[0], "api platform_changed after platform_changed", "{outcome:#?}");
    assert_eq!(told(&outcome)[1], "gallery-dl ok", "{outcome:#?}");
    assert_eq!(graphql(&stage.web), 2, "once, and no more");
}

#[tokio::test]
async fn a_platform_that_does_not_answer_in_time_is_left_to_a_tool() {
    let stage = Stage::with(|settings| settings.network.timeouts.metadata = Duration::from_millis(300)).await;
    break_x(&stage.web, &FaultKind::Hang, None);
    let outcome = stage.load(&stage.post(245)).await;
    assert_eq!(told(&outcome), ["api timeout", "gallery-dl ok"], "{outcome:#?}");
    assert!(outcome.attempts[0].took < Duration::from_secs(3), "{outcome:#?}");
}

/// Settings with a pace for X.
fn pace(settings: &mut Settings, change: impl FnOnce(&mut PlatformSettings)) {
    change(settings.platforms.entry("twitter".into()).or_default());
}

#[tokio::test]
async fn however_many_jobs_ask_a_platform_hears_one_request_at_a_time() {
    const SPACING: Duration = Duration::from_millis(120);
    let stage = Stage::with(|settings| {
        settings.downloads.max_concurrent = 8;
        pace(settings, |x| x.pace.spacing = Some(SPACING));
    })
    .await;
    let links: Vec<String> = (250..258).map(|seed| stage.post(seed)).collect();
    let outcomes = join_all(links.iter().map(|link| stage.load(link))).await;
    assert!(outcomes.iter().all(|outcome| outcome.error.is_none() && told(outcome) == ["api ok"]), "{outcomes:#?}");
    let asked = asked(&stage.web);
    assert!(asked.len() >= 9, "a guest token and eight posts: {asked:?}");
    // A busy machine may deliver one late and the next in time, and the first needs a connection: their whole is measured.
    let all = asked[asked.len() - 1].at.duration_since(asked[0].at);
    assert!(all >= SPACING * (asked.len() as u32 - 3), "{} requests in {all:?}", asked.len());
}

#[tokio::test]
async fn what_would_wait_too_long_for_our_own_rate_is_left_to_a_tool_and_pauses_nothing() {
    let stage = Stage::with(|settings| {
        settings.resilience.rate_max_wait = Duration::from_millis(2500);
        settings.resilience.breaker_min_attempts = 1;
        // A guest token and a post; the next token comes after six seconds.
        pace(settings, |x| (x.pace.requests_per_minute, x.pace.burst) = (Some(10), Some(2)));
    })
    .await;
    let first = stage.load(&stage.post(260)).await;
    assert_eq!(told(&first), ["api ok"], "{first:#?}");
    stage.web.clear_log();
    let second = stage.load(&stage.post(261)).await;
    assert_eq!(told(&second), ["api rate_limited", "gallery-dl ok"], "{second:#?}");
    assert_eq!(asked(&stage.web).len(), 0, "X has not been asked");
    assert_eq!(stage.api().standing, Stands::Closed);
}

#[tokio::test]
async fn a_day_has_no_more_requests_than_its_units() {
    let stage = Stage::with(|settings| {
        settings.downloads.api_fallback_to_cli = false;
        pace(settings, |x| x.pace.daily_units = Some(2));
    })
    .await;
    let first = stage.load(&stage.post(265)).await;
    assert_eq!(told(&first), ["api ok"], "{first:#?}");
    let second = stage.load(&stage.post(266)).await;
    assert_eq!(told(&second), ["api rate_limited"], "{second:#?}");
    assert_eq!(asked(&stage.web).len(), 2);
}

#[tokio::test]
async fn a_run_of_a_tool_counts_as_a_request() {
    let stage = Stage::with(|settings| {
        pace(settings, |x| (x.use_api_client, x.pace.daily_units) = (Some(false), Some(1)));
    })
    .await;
    let first = stage.load(&stage.post(267)).await;
    assert_eq!(told(&first), ["gallery-dl ok"], "{first:#?}");
    let link = stage.post(268);
    stage.web.clear_log();
    let second = stage.load(&link).await;
    assert_eq!(second.error.as_ref().map(|error| error.code()), Some("rate_limited"), "{second:#?}");
    assert_eq!(stage.web.requests().len(), 0, "nobody has been asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn strategies_shows_which_path_is_paused_and_why() {
    let world = World::start().await;
    let settings =
        [("BREAKER_MIN_ATTEMPTS", "2"), ("BREAKER_COOL_DOWN_SECONDS", "10m"), ("RETRY_BASE_SECONDS", "50ms")];
    let mut bot = world.bot(&settings).await;
    break_x(&world.web, &FaultKind::Status(503), None);
    bot.during(async {
        let general = world.discord.guild("No boost", 0).channel("general");
        let ann = world.discord.user("ann");
        for seed in 270..272 {
            let link = world.web.x().post(Tweet::video(&media::small_video(seed)));
            ann.slash(&general, "download", json!({"url": link})).await.with_files(1).await;
        }
        let message = ann.slash(&general, "strategies", json!({})).await.says("after 2 of 2 attempts failed").await;
        let text = message.text();
        assert!(text.contains("directly: 0 ok, 2 failed") && text.contains("paused for "), "{text}");
        assert!(text.contains("gallery-dl: 2 ok, 0 failed"), "{text}");
        world.web.clear_log();
        let link = world.web.x().post(Tweet::video(&media::small_video(272)));
        ann.slash(&general, "download", json!({"url": link})).await.with_files(1).await;
        assert_eq!(asked(&world.web).len(), 0, "{:?}", asked(&world.web));
    })
    .await;
}

#[tokio::test]
async fn the_command_line_tells_the_pace_of_every_platform() {
    let dir = tempfile::tempdir().unwrap();
    let run = async |args: &[&str]| {
        let ran = Command::new(binary())
            .args(args)
            .current_dir(dir.path())
            .env("REDDIT_REQUESTS_PER_MINUTE", "7")
            .env("REDDIT_DAILY_UNITS", "900")
            .output()
            .await
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    let json: serde_json::Value = serde_json::from_str(&run(&["strategies", "--json"]).await).unwrap();
    let reddit = json.as_array().unwrap().iter().find(|platform| platform["platform"] == "reddit").unwrap();
    assert_eq!(reddit["allowance"]["requests_per_minute"], 7, "{reddit}");
    assert_eq!(reddit["allowance"]["daily_units"], 900, "{reddit}");
    let text = run(&["strategies"]).await;
    let line = text.lines().find(|line| line.starts_with("reddit ")).unwrap();
    assert!(line.contains("in process, then tools") && line.contains("7 requests a minute"), "{line}");
}
