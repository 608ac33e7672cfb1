//! The durable queue on both databases: how soon a job starts, how many pass through, and how long looking takes when there
//! is a long history. SQLite writes to the disk as in production; the PostgreSQL server is the tests' own and does not wait
//! for its disk.

use std::time::{Duration, Instant};

use boss_bot::{
    jobs::store::{End, Filter, JobStore, NewJob, Priority, Report, State, new_id, now},
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
const WORKERS: usize = 4;
/// Looks of each kind into the history.
const LOOKS: usize = 15;

const LEASE: Duration = Duration::from_secs(15);
const PER_GROUP: i64 = 1000;

/// 100,000 jobs that ended on thirty days, of fifty servers and ten platforms; every tenth failed. One text for both engines.
const HISTORY: &str = "\
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
    INSERT INTO jobs (id, group_key, user_id, guild_id, platform, priority, state, created_at, run_at, started_at, finished_at, \
        attempts, max_attempts, request, address, method, error_code, outcome, files, bytes, took_ms) \
    SELECT '00000000' || CAST(1000000 + i AS TEXT), 'g' || CAST(i % 50 AS TEXT), i % 500, i % 50, \
        'platform' || CAST(i % 10 AS TEXT), 20, CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'done' END, \
        1700000000000 + i * 25920, 0, 1700000000000 + i * 25920, 1700001000000 + i * 25920, 1, 3, \
        '{\"url\":\"https://x.com/ann/status/2008146458833846278\",\"options\":{}}', '{\"channel\":1,\"message\":2}', 'api', \
        CASE WHEN i % 10 = 0 THEN 'network' END, '{\"attempts\":[]}', 2, 1000000, 1500 FROM n; \
    INSERT INTO job_days (day, guild_id, platform, method, state, error_code, jobs, files, bytes, took_ms) \
    SELECT finished_at / 86400000, guild_id, platform, method, state, coalesce(error_code, ''), count(*), sum(files), \
        sum(bytes), sum(took_ms) FROM jobs WHERE finished_at IS NOT NULL \
    GROUP BY finished_at / 86400000, guild_id, platform, method, state, coalesce(error_code, '')";

/// The goals of an engine.
struct Goals {
    name: [&'static str; 4],
    start: (f64, &'static str),
    rate: (f64, &'static str),
}

const SQLITE: Goals = Goals {
    name: [
        "SQLite: enqueued to started, median",
        "SQLite: jobs through the queue, 4 workers",
        "SQLite: 100,000 ended jobs, slowest of counts, lists, stats",
        "  and enqueued to started then",
    ],
    start: (10.0, "< 10 ms"),
    rate: (500.0, "≥ 500 /s"),
};

const POSTGRES: Goals = Goals {
    name: [
        "PostgreSQL: enqueued to started, median",
        "PostgreSQL: jobs through the queue, 4 workers",
        "PostgreSQL: 100,000 ended jobs, slowest of the same",
        "  and enqueued to started then",
    ],
    start: (20.0, "< 20 ms"),
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
    let line = |what, measured, goal, holds| Line { what, measured, goal, holds };
    let start = start(&store).await;
    let rate = rate(&store).await;
    fill(&url).await;
    let (look, slowest) = look(&store).await;
    let later = self::start(&store).await;
    store.close().await;
    vec![
        line(goals.name[0], format!("{start:.2} ms"), goals.start.1, Some(start < goals.start.0)),
        line(goals.name[1], format!("{rate:.0} /s"), goals.rate.1, Some(rate >= goals.rate.0)),
        line(goals.name[2], format!("{look:.1} ms ({slowest})"), "< 50 ms", Some(look < 50.0)),
        line(goals.name[3], format!("{later:.2} ms"), goals.start.1, Some(later < goals.start.0)),
    ]
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
async fn rate(store: &JobStore) -> f64 {
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
    let workers: Vec<_> = (0..WORKERS)
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
            connection.close().await.expect("a clean end");
        }
    }
}

/// The median of the slowest kind of look, in milliseconds, and which it is.
async fn look(store: &JobStore) -> (f64, &'static str) {
    let page = Filter { limit: 50, ..Filter::default() };
    let lists = [
        ("list", page.clone()),
        ("list of a server", Filter { guild: Some(7), ..page.clone() }),
        ("list of a person", Filter { user: Some(7), ..page.clone() }),
        ("list of failures", Filter { states: vec![State::Failed], ..page.clone() }),
        ("list of what runs", Filter { states: vec![State::Queued, State::Running], ..page.clone() }),
        ("list of a server's failures", Filter { states: vec![State::Failed], guild: Some(10), ..page }),
    ];
    let mut medians = Vec::new();
    for (name, filter) in lists {
        let mut took = Vec::new();
        for _ in 0..LOOKS {
            let begun = Instant::now();
            store.list(filter.clone()).await.expect("a list");
            took.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        medians.push((median(took), name));
    }
    let (mut counts, mut all, mut of_one) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..LOOKS {
        let begun = Instant::now();
        store.counts().await.expect("counts");
        counts.push(begun.elapsed().as_secs_f64() * 1000.0);
        for (guild, took) in [(None, &mut all), (Some(7), &mut of_one)] {
            let begun = Instant::now();
            let stats = store.stats(guild, None).await.expect("statistics");
            assert!(stats.total.jobs >= 2000, "{stats:?}");
            took.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    medians.extend([(median(counts), "counts"), (median(all), "stats"), (median(of_one), "stats of a server")]);
    medians.into_iter().max_by(|one, other| one.0.total_cmp(&other.0)).expect("some looks")
}
