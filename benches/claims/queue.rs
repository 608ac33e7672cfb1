//! The durable queue on both databases: how soon a job starts, how many pass through with so many workers, and how long `status`,
//! `queue` and `stats` take when there is a long history. SQLite writes to the disk as in production; the PostgreSQL server is the
//! tests' own and does not wait for its disk.

use std::time::{Duration, Instant};

use boss_bot::{
    jobs::store::{End, Filter, JobStore, NewJob, Priority, Report, State, StatsFilter, Whose, new_id, now},
    settings::DatabaseUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sqlx::{Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::mpsc;

use crate::{Line, median, world::postgres};

/// Jobs of which each is waited for.
const SINGLE: usize = 200;
/// Jobs that pass through as fast as they can.
const MANY: usize = 2000;
/// How many work on them, in one round after the other; the goal is about [`GOAL`] of them.
const WORKERS: [usize; 4] = [1, 2, 4, 8];
const GOAL: usize = 4;
/// Looks of each kind into the history.
const LOOKS: usize = 21;
/// Jobs that wait while the history is looked at.
const WAITING: usize = 200;
/// What each kind of look may take, in milliseconds.
const LOOK_MS: f64 = 50.0;

const LEASE: Duration = Duration::from_secs(15);
const PER_GROUP: i64 = 1000;

/// 100,000 jobs that ended on thirty days, of fifty servers, twelve platforms, three ways and times from 0.3 s to a minute and a
/// half, all mixed; every tenth failed, of five reasons. So the statistics are about as many rows as they can be. One text for both
/// engines, and statistics as the store itself would have written them.
const HISTORY: &str = "\
    WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 100000), \
        mixed AS (SELECT i, (i * 2654435761) % 1000003 AS h FROM n) \
    INSERT INTO jobs (id, group_key, user_id, guild_id, channel_id, platform, priority, state, created_at, run_at, started_at, \
        finished_at, attempts, max_attempts, request, address, method, error_code, outcome, files, bytes, took_ms) \
    SELECT '00000000' || CAST(1000000 + i AS TEXT), 'guild:' || CAST(h % 50 AS TEXT), h % 500, h % 50, 3, \
        'platform' || CAST((h / 50) % 12 AS TEXT), 20, CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'done' END, \
        1700000000000 + i * 25920, 0, 1700000000000 + i * 25920, 1700001000000 + i * 25920, 1, 3, \
        '{\"url\":\"https://x.com/ann/status/2008146458833846278\",\"options\":{}}', '{\"channel\":1,\"message\":2}', \
        CASE WHEN i % 10 = 0 THEN NULL WHEN (h / 600) % 3 = 0 THEN 'api' WHEN (h / 600) % 3 = 1 THEN 'cli' ELSE 'fallback' END, \
        CASE WHEN i % 10 = 0 THEN 'reason' || CAST((h / 1800) % 5 AS TEXT) END, \
        '{\"attempts\":[]}', 2, 1000000, 300 + (h % 997) * (h % 89) FROM mixed; \
    INSERT INTO job_days (day, guild_id, platform, method, state, error_code, jobs, files, bytes, took_ms) \
    SELECT finished_at / 86400000, guild_id, platform, coalesce(method, ''), state, coalesce(error_code, ''), count(*), \
        sum(files), sum(bytes), sum(took_ms) FROM jobs WHERE id LIKE '00000000%' \
    GROUP BY finished_at / 86400000, guild_id, platform, coalesce(method, ''), state, coalesce(error_code, ''); \
    WITH RECURSIVE steps (above, upto) AS (SELECT CAST(-1 AS BIGINT), CAST(1 AS BIGINT) \
        UNION ALL SELECT upto, upto + upto / 10 + 1 FROM steps WHERE upto < 86400000) \
    INSERT INTO job_times (platform, method, upto_ms, day, guild_id, jobs, least_ms, most_ms) \
    SELECT platform, method, upto, finished_at / 86400000, guild_id, count(*), min(took_ms), max(took_ms) \
    FROM jobs JOIN steps ON took_ms > above AND took_ms <= upto WHERE id LIKE '00000000%' AND state = 'done' \
    GROUP BY platform, method, upto, finished_at / 86400000, guild_id";

/// What is measured of an engine, and its goals.
struct Goals {
    start: &'static str,
    rates: [&'static str; WORKERS.len()],
    /// With the history.
    looks: [&'static str; 4],
    later: [&'static str; 2],
    start_ms: (f64, &'static str),
    rate: (f64, &'static str),
}

const SQLITE: Goals = Goals {
    start: "SQLite: enqueued to started, median",
    rates: ["SQLite: jobs through the queue, 1 worker", "  2 workers", "  4 workers", "  8 workers"],
    looks: ["SQLite, 100,000 ended jobs: status", "  queue", "  stats", "  lists"],
    later: ["  and enqueued to started then", "  and jobs through the queue then, 4 workers"],
    start_ms: (10.0, "< 10 ms"),
    rate: (500.0, "≥ 500 /s"),
};

const POSTGRES: Goals = Goals {
    start: "PostgreSQL: enqueued to started, median",
    rates: ["PostgreSQL: jobs through the queue, 1 worker", "  2 workers", "  4 workers", "  8 workers"],
    looks: ["PostgreSQL, 100,000 ended jobs: status", "  queue", "  stats", "  lists"],
    later: ["  and enqueued to started then", "  and jobs through the queue then, 4 workers"],
    start_ms: (20.0, "< 20 ms"),
    rate: (1000.0, "≥ 1,000 /s"),
};

/// Measures both databases.
pub async fn measure() -> Vec<Line> {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lines = on(DatabaseUrl::Sqlite(dir.path().join("boss-bot.db")), &SQLITE).await;
    let server = SecretString::from(postgres::database().await);
    lines.extend(on(DatabaseUrl::Postgres(server), &POSTGRES).await);
    lines
}

async fn on(url: DatabaseUrl, goals: &Goals) -> Vec<Line> {
    let store = JobStore::open(&url).await.expect("a database");
    let started = |what, ms: f64| Line {
        what,
        measured: format!("{ms:.2} ms"),
        goal: goals.start_ms.1,
        holds: Some(ms < goals.start_ms.0),
    };
    let passed = |what, rate: f64, is_goal: bool| Line {
        what,
        measured: format!("{rate:.0} /s"),
        goal: if is_goal { goals.rate.1 } else { "" },
        holds: is_goal.then_some(rate >= goals.rate.0),
    };
    let mut lines = vec![started(goals.start, start(&store).await)];
    for (what, workers) in goals.rates.into_iter().zip(WORKERS) {
        lines.push(passed(what, rate(&store, workers).await, workers == GOAL));
    }
    fill(&url).await;
    for (what, (ms, slowest)) in goals.looks.into_iter().zip(looks(&store).await) {
        let measured = format!("{ms:.1} ms ({slowest})");
        lines.push(Line { what, measured, goal: "< 50 ms", holds: Some(ms < LOOK_MS) });
    }
    lines.push(started(goals.later[0], start(&store).await));
    lines.push(passed(goals.later[1], rate(&store, GOAL).await, true));
    store.close().await;
    lines
}

fn job(group: usize) -> NewJob {
    NewJob {
        id: new_id(),
        source: Some(format!("m:{}", new_id())),
        key: None,
        group: format!("group {group}"),
        user: Some(1),
        guild: Some(2),
        channel: Some(3),
        platform: "twitter".to_owned(),
        priority: Priority::Interactive,
        run_at: now(),
        max_attempts: 3,
        request: json!({"url": "https://x.com/ann/status/2008146458833846278", "options": {}}),
        address: json!({"channel": 3, "message": 4}),
    }
}

/// Enqueues one job at a time while a worker waits; the median until the worker has it, in milliseconds.
async fn start(store: &JobStore) -> f64 {
    let (started, mut starts) = mpsc::channel(1);
    let worker = {
        let store = store.clone();
        tokio::spawn(async move {
            loop {
                match store.claim("worker", LEASE, PER_GROUP).await.expect("a claim") {
                    Some(claimed) => {
                        let at = Instant::now();
                        let ended = store.finish(&claimed.id, &claimed.lease, End::Done, Report::default()).await;
                        assert!(ended.expect("an end"), "nobody else has it");
                        if started.send(at).await.is_err() {
                            return;
                        }
                    }
                    None => store.wait_for_work(LEASE).await,
                }
            }
        })
    };
    let mut took = Vec::new();
    for _ in 0..SINGLE {
        // The worker has asked in vain once more, and waits.
        tokio::time::sleep(Duration::from_millis(10)).await;
        let begun = Instant::now();
        store.enqueue(job(0)).await.expect("a place in the queue");
        let at = starts.recv().await.expect("a start");
        took.push(at.duration_since(begun).as_secs_f64() * 1000.0);
    }
    worker.abort();
    median(took)
}

/// Jobs a second, from the first enqueued to the last ended.
async fn rate(store: &JobStore, workers: usize) -> f64 {
    let begun = Instant::now();
    let giver = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..MANY {
                store.enqueue(job(n % 20)).await.expect("a place in the queue");
            }
        })
    };
    let (ended, mut ends) = mpsc::channel(MANY);
    let workers: Vec<_> = (0..workers)
        .map(|n| {
            let (store, ended) = (store.clone(), ended.clone());
            tokio::spawn(async move {
                loop {
                    match store.claim(&format!("worker {n}"), LEASE, PER_GROUP).await.expect("a claim") {
                        Some(claimed) => {
                            let done = store.finish(&claimed.id, &claimed.lease, End::Done, Report::default()).await;
                            assert!(done.expect("an end"), "nobody else has it");
                            let _ = ended.send(()).await;
                        }
                        None => store.wait_for_work(LEASE).await,
                    }
                }
            })
        })
        .collect();
    for _ in 0..MANY {
        ends.recv().await.expect("an end");
    }
    let took = begun.elapsed();
    giver.await.expect("all were enqueued");
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    MANY as f64 / took.as_secs_f64()
}

/// Adds a long history.
async fn fill(url: &DatabaseUrl) {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let options = SqliteConnectOptions::new().filename(path);
            let mut connection = SqliteConnection::connect_with(&options).await.expect("a connection");
            sqlx::raw_sql(HISTORY).execute(&mut connection).await.expect("a history");
            connection.close().await.expect("a clean end");
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url.expose_secret()).await.expect("a connection");
            sqlx::raw_sql(HISTORY).execute(&mut connection).await.expect("a history");
            // As PostgreSQL does by itself within a minute of so large a change.
            sqlx::raw_sql("VACUUM ANALYZE").execute(&mut connection).await.expect("what is where is known");
            connection.close().await.expect("a clean end");
        }
    }
}

/// How long `status`, `queue`, `stats` and lists take: of each the median of its slowest kind, in milliseconds, and which that is.
async fn looks(store: &JobStore) -> [(f64, &'static str); 4] {
    // Something waits, and some of it runs.
    let mut open = Vec::new();
    for n in 0..WAITING {
        let job = NewJob { guild: Some(n as u64 % 50), ..job(n % 50) };
        open.push(job.id.clone());
        store.enqueue(job).await.expect("a place in the queue");
    }
    for _ in 0..5 {
        store.claim("worker", LEASE * 20, PER_GROUP).await.expect("a claim").expect("a job");
    }
    let status = vec![(timed(async || assert!(store.counts().await.expect("counts").done > 0)).await, "all")];

    let mut queue = Vec::new();
    for (whose, name) in [(Whose::All, "all"), (Whose::Guild(7), "of a server"), (Whose::User(1), "of a person")] {
        let look = async || {
            let line = store.line(whose, 500).await.expect("the queue");
            assert_eq!(line.total, line.jobs.len());
            store.is_paused(Some(7)).await.expect("whether it is paused");
        };
        queue.push((timed(look).await, name));
    }
    let place = async || assert!(store.place(&open[WAITING - 1]).await.expect("a place").is_some());
    queue.push((timed(place).await, "a place"));

    let (guild, platform) = (Some(7), Some("platform3".to_owned()));
    let mut stats = Vec::new();
    for (filter, least, name) in [
        (StatsFilter::default(), 100_000, "all"),
        (StatsFilter { guild, ..StatsFilter::default() }, 1000, "of a server"),
        (StatsFilter { platform, ..StatsFilter::default() }, 1000, "of a platform"),
    ] {
        let look = async || {
            let stats = store.stats(&filter).await.expect("statistics");
            assert!(stats.total.jobs >= least && stats.total.times.is_some(), "{stats:?}");
        };
        stats.push((timed(look).await, name));
    }
    let days = async || drop(store.days(&StatsFilter::default()).await.expect("days"));
    stats.push((timed(days).await, "by day"));

    let page = Filter { limit: 50, ..Filter::default() };
    let mut lists = Vec::new();
    for (filter, name) in [
        (page.clone(), "all"),
        (Filter { guild, ..page.clone() }, "of a server"),
        (Filter { user: Some(7), ..page.clone() }, "of a person"),
        (Filter { states: vec![State::Failed], ..page.clone() }, "failures"),
        (Filter { states: vec![State::Queued, State::Running], ..page.clone() }, "what is open"),
        (Filter { states: vec![State::Failed], guild, ..page }, "a server's failures"),
    ] {
        lists.push((timed(async || drop(store.list(filter.clone()).await.expect("a list"))).await, name));
    }
    for id in open {
        store.cancel(&id).await.expect("called off");
    }
    [status, queue, stats, lists]
        .map(|kinds| kinds.into_iter().max_by(|one, other| one.0.total_cmp(&other.0)).expect("some looks"))
}

/// The median of so many looks, in milliseconds.
async fn timed(look: impl AsyncFn()) -> f64 {
    let mut took = Vec::new();
    for _ in 0..LOOKS {
        let begun = Instant::now();
        look().await;
        took.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    median(took)
}
