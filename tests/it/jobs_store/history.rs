//! What is kept of jobs: rows, lists, counts, statistics, and what is tidied away.

use std::time::Duration;

use boss_bot::jobs::store::{
    Counts, End, Extreme, Filter, NewJob, PartRow, PartState, Report, State, StatsFilter, Tally, Times, new_id, now,
};
use serde_json::{Value, json};

use super::place::{Place, job, on_both};

on_both!(
    a_job_is_kept_with_all_that_was_said_of_it,
    lists_are_newest_first_and_by_page,
    statistics_count_by_platform_method_day_and_error,
    statistics_tell_how_long_jobs_took,
    history_goes_and_statistics_stay,
);

/// Runs a job of a server to its end.
async fn ran(place: &Place, guild: Option<u64>, end: End, report: Report) -> String {
    let id = place.add(NewJob { guild, ..job("a") }).await;
    let claimed = place.claim().await.unwrap();
    assert_eq!(claimed.id, id);
    assert!(place.store.finish(&id, &claimed.lease, end, report).await.unwrap());
    id
}

async fn a_job_is_kept_with_all_that_was_said_of_it(place: &Place) {
    let before = now();
    let new = NewJob {
        user: Some(u64::MAX),
        guild: Some(1 << 63),
        channel: None,
        request: json!({"url": "https://example.org/ü", "options": {"quality": "720p"}}),
        address: json!(["'; DROP TABLE jobs; --", null, 1.5]),
        ..job("guild ö")
    };
    place.store.enqueue(new.clone()).await.unwrap();
    let row = place.store.get(&new.id).await.unwrap().unwrap();
    assert_eq!((row.state, row.paused, row.cancel_asked, row.attempts), (State::Queued, false, false, 0));
    assert_eq!((row.user, row.guild, row.channel), (new.user, new.guild, new.channel));
    assert_eq!((&row.request, &row.address, &row.group), (&new.request, &new.address, &new.group));
    assert_eq!((row.priority, row.run_at, row.max_attempts), (20, new.run_at, 3));
    assert_eq!((row.started_at, row.finished_at, row.outcome), (None, None, None));
    assert!(row.created_at >= before);

    let claimed = place.claim().await.unwrap();
    assert_eq!((&claimed.request, &claimed.address), (&new.request, &new.address));
    let report = Report {
        platform: Some("direct".into()),
        method: Some("cli".into()),
        error_code: Some("network".into()),
        error_text: Some("go\0ne".into()),
        outcome: json!({"attempts": []}),
        files: 2,
        bytes: 5_000_000_000,
        took_ms: 7,
    };
    assert!(place.store.finish(&new.id, &claimed.lease, End::Failed, report).await.unwrap());
    let row = place.store.get(&new.id).await.unwrap().unwrap();
    assert_eq!((row.state, row.platform.as_str(), row.method.as_deref()), (State::Failed, "direct", Some("cli")));
    assert_eq!((row.error_code.as_deref(), row.error_text.as_deref()), (Some("network"), Some("gone")));
    assert_eq!((row.files, row.bytes, row.took_ms, row.attempts), (2, 5_000_000_000, 7, 1));
    assert_eq!(row.outcome, Some(json!({"attempts": []})));
    assert!(row.started_at >= Some(row.created_at) && row.finished_at >= row.started_at);
    assert_eq!((row.lease_until, row.phase, row.worker.as_deref()), (None, None, Some("worker")));
}

async fn lists_are_newest_first_and_by_page(place: &Place) {
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(place.add(NewJob { guild: Some(n % 2), user: Some(n % 3), ..job("a") }).await);
    }
    ids.reverse();
    let listed = async |filter| {
        let rows = place.store.list(filter).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(Filter::default()).await, ids);
    let first = listed(Filter { limit: 4, ..Filter::default() }).await;
    assert_eq!(first, ids[..4]);
    let before = first.last().cloned();
    assert_eq!(listed(Filter { limit: 4, before, ..Filter::default() }).await, ids[4..8]);
    // Odd ones of the ten are of server 1, every third of person 0: 9 and 3 are both.
    let both = Filter { guild: Some(1), user: Some(0), ..Filter::default() };
    assert_eq!(listed(both).await, [ids[0].clone(), ids[6].clone()]);
    place.store.cancel(&ids[0]).await.unwrap();
    let claimed = place.claim().await.unwrap();
    for (states, found) in [
        (vec![State::Cancelled], vec![ids[0].clone()]),
        (vec![State::Running, State::Cancelled], vec![ids[0].clone(), claimed.id.clone()]),
        (vec![State::Done], vec![]),
    ] {
        assert_eq!(listed(Filter { states: states.clone(), ..Filter::default() }).await, found, "{states:?}");
    }
    assert_eq!(listed(Filter { guild: Some(0), states: vec![State::Cancelled], ..Filter::default() }).await.len(), 0);
}

async fn statistics_count_by_platform_method_day_and_error(place: &Place) {
    let report = |platform: &str, method: &str, took_ms| Report {
        platform: Some(platform.into()),
        method: Some(method.into()),
        files: 2,
        bytes: 10,
        took_ms,
        ..Report::default()
    };
    let failed = |code: &str| Report { error_code: Some(code.into()), ..Report::default() };
    let today = now() / 86_400_000;
    ran(place, Some(7), End::Done, report("twitter", "api", 100)).await;
    ran(place, Some(7), End::Done, report("twitter", "cli", 300)).await;
    ran(place, Some(8), End::Done, report("reddit", "api", 50)).await;
    ran(place, None, End::Failed, failed("network")).await;
    ran(place, Some(7), End::Failed, failed("not_found")).await;
    ran(place, Some(7), End::NeedsAttention, failed("internal")).await;
    let waiting = place.add(NewJob { guild: Some(7), ..job("a") }).await;
    place.store.cancel(&waiting).await.unwrap();
    // What is not over does not count.
    place.add(NewJob { guild: Some(7), ..job("a") }).await;
    place.claim().await.unwrap();
    place.add(NewJob { guild: Some(7), ..job("a") }).await;

    let everything = StatsFilter::default();
    let stats = place.store.stats(&everything).await.unwrap();
    let total = Tally {
        jobs: 7,
        done: 3,
        failed: 2,
        cancelled: 1,
        needs_attention: 1,
        files: 6,
        bytes: 30,
        done_took_ms: 450,
        times: Some(Times { jobs: 3, fastest_ms: 50, p50_ms: 100, p95_ms: 300, slowest_ms: 300 }),
    };
    assert_eq!(stats.total, total);
    assert_eq!((stats.total.average_ms(), stats.total.success_rate()), (Some(150), Some(0.5)));
    assert_eq!(stats.platforms["reddit"].jobs, 1);
    assert_eq!((stats.platforms["twitter"].jobs, stats.platforms["twitter"].done), (6, 2));
    assert_eq!((stats.methods["api"].done, stats.methods["cli"].done, stats.methods[""].done), (2, 1, 0));
    let days = place.store.days(&everything).await.unwrap();
    let of_today: u64 = days.range(today..=today + 1).map(|(_, tally)| tally.jobs).sum();
    assert_eq!(of_today, 7, "{days:?}");
    let errors: Vec<(&str, u64)> = stats.errors.iter().map(|(code, jobs)| (code.as_str(), *jobs)).collect();
    assert_eq!(errors, [("internal", 1), ("network", 1), ("not_found", 1)]);

    let of = async |guild, platform: Option<&str>, since| {
        let filter = StatsFilter { guild, platform: platform.map(str::to_owned), since };
        let (stats, days) = (place.store.stats(&filter).await.unwrap(), place.store.days(&filter).await.unwrap());
        assert_eq!(days.values().map(|day| day.jobs).sum::<u64>(), stats.total.jobs, "{filter:?}");
        stats.total
    };
    let of_seven = of(Some(7), None, Some(now() - 86_400_000)).await;
    assert_eq!((of_seven.jobs, of_seven.done_took_ms), (5, 400));
    assert_eq!(of_seven.times.unwrap().slowest_ms, 300);
    let of_twitter = of(Some(7), Some("twitter"), None).await;
    assert_eq!((of_twitter.jobs, of_twitter.done, of_twitter.times.unwrap().jobs), (5, 2, 2));
    assert_eq!(of(Some(7), Some("reddit"), None).await, Tally::default());
    assert_eq!(of(Some(9), None, None).await, Tally::default());
    assert_eq!(of(None, None, Some(now() + 2 * 86_400_000)).await, Tally::default());
    let counts = place.store.counts().await.unwrap();
    let expected = Counts { queued: 1, paused: 0, running: 1, done: 3, failed: 2, cancelled: 1, needs_attention: 1 };
    assert_eq!(counts, expected);
}

async fn statistics_tell_how_long_jobs_took(place: &Place) {
    let took = |platform: &str, method: &str, took_ms| Report {
        platform: Some(platform.into()),
        method: Some(method.into()),
        took_ms,
        ..Report::default()
    };
    for n in 1..=100 {
        ran(place, Some(n % 3), End::Done, took("twitter", "api", (n * 100) as i64)).await;
    }
    ran(place, Some(1), End::Done, took("bluesky", "api", 40)).await;
    ran(place, Some(1), End::Done, took("youtube", "fallback", 250_000)).await;
    // How long something took that failed is nobody's measure.
    ran(place, Some(1), End::Failed, took("youtube", "cli", 900_000)).await;
    ran(place, Some(1), End::Cancelled, took("youtube", "cli", 1)).await;
    let stats = place.store.stats(&StatsFilter::default()).await.unwrap();
    let twitter = stats.platforms["twitter"].times.unwrap();
    assert_eq!((twitter.jobs, twitter.fastest_ms, twitter.slowest_ms), (100, 100, 10_000));
    for (told, truth) in [(twitter.p50_ms, 5000), (twitter.p95_ms, 9500)] {
        assert!(told.abs_diff(truth) <= truth / 20, "{told} for {truth}");
    }
    assert_eq!(stats.methods["api"].times.unwrap().jobs, 101);
    assert_eq!(stats.methods["cli"].times, None);
    let extreme = |platform: &str, method: &str, took_ms| {
        Some(Extreme { platform: platform.to_owned(), method: method.to_owned(), took_ms })
    };
    assert_eq!(
        (stats.fastest, stats.slowest),
        (extreme("bluesky", "api", 40), extreme("youtube", "fallback", 250_000))
    );
}

async fn history_goes_and_statistics_stay(place: &Place) {
    let mut done = Vec::new();
    for _ in 0..3 {
        done.push(ran(place, Some(7), End::Done, Report { outcome: Value::Null, ..Report::default() }).await);
    }
    let running = place.add(job("a")).await;
    let claimed = place.claim().await.unwrap();
    let part = PartRow { number: 0, state: PartState::Sent, message: Some(1), channel: Some(2), files: vec![] };
    assert!(place.store.part(&running, &claimed.lease, &part).await.unwrap());
    let waiting = place.add(job("a")).await;
    let stats = place.store.stats(&StatsFilter::default()).await.unwrap();
    assert_eq!(place.store.tidy(Duration::from_secs(3600)).await.unwrap(), 0, "not old enough");
    // Whatever ended before now.
    let tidied = async || {
        let begun = now();
        while now() == begun {
            tokio::task::yield_now().await;
        }
        place.store.tidy(Duration::ZERO).await.unwrap()
    };
    assert_eq!(tidied().await, 3);
    assert_eq!(place.store.list(Filter::default()).await.unwrap().len(), 2);
    assert_eq!(place.store.stats(&StatsFilter::default()).await.unwrap(), stats);
    for id in [&running, &waiting] {
        assert!(place.store.get(id).await.unwrap().is_some(), "what is not over stays");
    }
    assert!(place.finish(&claimed, End::Done).await);
    assert_eq!(tidied().await, 1, "with what it has posted");
    assert_eq!(place.store.counts().await.unwrap().done, 4);
    // More than is taken away at once.
    for _ in 0..1100 {
        let id = place.add(NewJob { id: new_id(), ..job("b") }).await;
        place.store.cancel(&id).await.unwrap();
    }
    assert_eq!(tidied().await, 1100);
}
