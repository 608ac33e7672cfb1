//! What the strategy learns, with the real registry and time that stands still until it is moved.

use super::*;
use crate::platforms::parse_link;

const POST: &str = "https://x.com/ann/status/1460323737035677698";

fn strategy(change: impl FnOnce(&mut Settings)) -> Strategy {
    let mut settings = Settings::default();
    settings.resilience.breaker_min_attempts = 3;
    change(&mut settings);
    let registry = Registry::standard(&settings);
    Strategy::new(Arc::new(settings), Arc::new(registry))
}

fn network() -> Error {
    Error::new(Kind::Network, "down")
}

/// One attempt of the first path.
fn attempt(strategy: &Strategy, routed: &Routed<'_>, path: &Path, error: Option<&Error>, seconds: u64) {
    let ticket = strategy.enter(routed.platform, path).expect("the path is open");
    ticket.settle(error, true, Duration::from_secs(seconds));
}

#[tokio::test(start_paused = true)]
async fn a_path_that_keeps_failing_is_paused_and_comes_back_by_itself() {
    let strategy = strategy(|_| {});
    let routed = strategy.route(&parse_link(POST).unwrap()).unwrap();
    let paths = strategy.paths(&routed);
    for _ in 0..3 {
        assert!(strategy.is_open_to(routed.platform, &paths[0]));
        attempt(&strategy, &routed, &paths[0], Some(&network()), 1);
    }
    assert!(strategy.enter(routed.platform, &paths[0]).is_none());
    assert!(strategy.enter(routed.platform, &paths[1]).is_some(), "the tools are open");
    let plan = strategy.plan(&routed.resource, &Options::default());
    assert!(plan[0].why.contains("paused for 30 s after 3 of 3 attempts failed"), "{plan:?}");

    tokio::time::advance(Duration::from_secs(30)).await;
    let probe = strategy.enter(routed.platform, &paths[0]).unwrap();
    assert!(probe.is_probe());
    assert!(strategy.enter(routed.platform, &paths[0]).is_none(), "one at a time");
    drop(probe);
    let probe = strategy.enter(routed.platform, &paths[0]).expect("a cancelled test is repeated");
    probe.settle(None, true, Duration::from_secs(1));
    assert!(!strategy.enter(routed.platform, &paths[0]).unwrap().is_probe());
    let health = strategy.health().into_iter().find(|health| health.platform == "twitter").unwrap();
    let api = health.paths.iter().find(|path| path.by == "api").unwrap();
    assert_eq!((api.succeeded, api.failed, api.standing), (1, 3, Stands::Closed));
    assert_eq!(api.last_error.as_deref(), Some("network"));
}

#[tokio::test(start_paused = true)]
async fn when_every_path_is_paused_one_is_tested_and_the_others_hear_the_truth() {
    let strategy = strategy(|_| {});
    let routed = strategy.route(&parse_link(POST).unwrap()).unwrap();
    let paths = strategy.paths(&routed);
    for path in &paths {
        for _ in 0..3 {
            attempt(&strategy, &routed, path, Some(&network()), 1);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let refused = strategy.enter_paused(routed.platform, &paths).err().expect("too early");
    assert_eq!(refused.code(), "network");
    assert!(refused.user_text().contains("27 s"), "{}", refused.user_text());
    // Its test fails, so its pause is 60 s from now: it is tested before that when nothing else is left.
    tokio::time::advance(Duration::from_secs(27)).await;
    attempt(&strategy, &routed, &paths[0], Some(&network()), 1);
    tokio::time::advance(Duration::from_secs(5)).await;
    for path in &paths[1..] {
        attempt(&strategy, &routed, path, Some(&network()), 1);
    }
    assert!(strategy.enter_paused(routed.platform, &paths).is_err());
    tokio::time::advance(Duration::from_secs(26)).await;
    let (index, ticket) = strategy.enter_paused(routed.platform, &paths).expect("a test before its time");
    assert_eq!((index, ticket.is_probe()), (0, true));
}

#[tokio::test(start_paused = true)]
async fn the_in_process_path_stands_back_while_a_tool_does_clearly_better() {
    let strategy = strategy(|settings| settings.resilience.breaker_min_attempts = 50);
    let routed = strategy.route(&parse_link(POST).unwrap()).unwrap();
    let paths = strategy.paths(&routed);
    let names = || strategy.paths(&routed).iter().map(Path::by).collect::<Vec<_>>();
    let planned = names();
    for _ in 0..5 {
        attempt(&strategy, &routed, &paths[0], Some(&Error::new(Kind::Timeout, "slow")), 10);
        attempt(&strategy, &routed, &paths[1], None, 5);
    }
    let mut swapped = planned.clone();
    swapped.swap(0, 1);
    assert_eq!(names(), swapped, "behind the first tool, not dropped");
    let plan = strategy.plan(&routed.resource, &Options::default());
    assert!(plan[1].by == "api" && plan[1].why.contains("stands back"), "{plan:?}");
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(names(), planned, "failures fade");
}

#[tokio::test(start_paused = true)]
async fn our_own_rates_and_verdicts_and_other_hosts_pause_nothing() {
    let strategy = strategy(|_| {});
    let routed = strategy.route(&parse_link(POST).unwrap()).unwrap();
    let api = &strategy.paths(&routed)[0];
    for _ in 0..10 {
        let ours = Error::new(Kind::RateLimited { retry_after: Some(9) }, "our own rate");
        strategy.enter(routed.platform, api).unwrap().settle(Some(&ours), false, Duration::ZERO);
        attempt(&strategy, &routed, api, Some(&Error::new(Kind::NotFound, "gone")), 1);
    }
    let direct = strategy.route(&parse_link("https://files.example/a.mp4").unwrap()).unwrap();
    let path = &strategy.paths(&direct)[0];
    for _ in 0..10 {
        attempt(&strategy, &direct, path, Some(&network()), 1);
    }
    assert!(strategy.is_open_to(direct.platform, path), "one host's fault is not the next one's");
}

#[test]
fn the_wait_after_a_rate_limit_is_learnt() {
    let strategy = strategy(|_| {});
    let routed = strategy.route(&parse_link(POST).unwrap()).unwrap();
    let mut delays = vec![strategy.rate_limit_delay(routed.platform).as_secs()];
    for enough in [false, false, false, false, true, true, true] {
        strategy.rate_limit_waited(routed.platform, enough);
        delays.push(strategy.rate_limit_delay(routed.platform).as_secs());
    }
    assert_eq!(delays, [5, 10, 20, 30, 30, 15, 7, 5]);
}

#[test]
fn the_operator_sets_the_pace_of_a_platform() {
    let strategy = strategy(|settings| {
        let mut reddit = crate::settings::PlatformSettings::default();
        reddit.pace.requests_per_minute = Some(7);
        settings.platforms.insert("reddit".into(), reddit);
    });
    for health in strategy.health() {
        let pace = health.allowance.pace;
        assert_eq!(pace.requests_per_minute == 7, health.platform == "reddit", "{}", health.platform);
        assert_eq!(health.allowance.tokens_left, pace.burst, "{}", health.platform);
    }
}
