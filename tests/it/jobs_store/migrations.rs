//! Databases that earlier versions of this program have left behind, with what was in them.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use boss_bot::{
    jobs::store::{
        Counts, End, Enqueued, Filter, JobStore, NewJob, PartState, Report, Scope, State, StatsFilter, care,
    },
    settings::DatabaseUrl,
};
use secrecy::ExposeSecret;
use sqlx::{
    Connection, PgConnection, SqlSafeStr, SqliteConnection,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::SqliteConnectOptions,
};

use super::{
    database::{bare, untouched},
    place::{LONG, MANY, Place, job, on_both},
};

on_both!(
    a_database_of_the_first_version_keeps_all_that_was_in_it,
    times_of_the_first_version_count_as_those_of_now,
    a_migration_that_fails_leaves_the_database_as_it_was,
);

/// The texts that made a database of each version, for either engine, and what may be in it. The last version is not here: it
/// is what this program makes.
type Text = (i64, &'static str, &'static str);
const SQLITE: &[Text] = &[
    (1, "jobs", include_str!("../../../migrations/sqlite/0001_jobs.sql")),
    (2, "times", include_str!("../../../migrations/sqlite/0002_times.sql")),
];
const POSTGRES: &[Text] = &[
    (1, "jobs", include_str!("../../../migrations/postgres/0001_jobs.sql")),
    (2, "times", include_str!("../../../migrations/postgres/0002_times.sql")),
];
const VERSION_1: &str = include_str!("../../../fixtures/database/version-1.sql");

/// A database as the program of a version made it.
async fn of_version(place: &Place, version: i64) -> (DatabaseUrl, tempfile::TempDir) {
    let (url, dir) = untouched(place).await;
    let migrator = |texts: &[Text]| {
        let texts = texts.iter().filter(|(number, ..)| *number <= version);
        let migration = |&(number, name, text): &Text| {
            Migration::new(number, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
        };
        Migrator::with_migrations(texts.map(migration).collect())
    };
    match &url {
        DatabaseUrl::Sqlite(path) => {
            let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            migrator(SQLITE).run_direct(None, &mut connection, false).await.unwrap();
            connection.close().await.unwrap();
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url.expose_secret()).await.unwrap();
            migrator(POSTGRES).run_direct(None, &mut connection, false).await.unwrap();
            connection.close().await.unwrap();
        }
    }
    (url, dir)
}

/// One of the first version with something in it.
async fn first_version(place: &Place) -> (DatabaseUrl, tempfile::TempDir) {
    let (url, dir) = of_version(place, 1).await;
    bare(&url, VERSION_1).await.unwrap();
    let checked = care::check(&url).await.unwrap();
    assert_eq!(checked.version, 1);
    assert_eq!(checked.known, SQLITE.len() as i64 + 1, "each version before the last has its text here");
    (url, dir)
}

/// The end of an id in `fixtures/database/version-1.sql`.
fn id(end: &str) -> String {
    format!("019a7b0000007000800000000000{end}")
}

async fn a_database_of_the_first_version_keeps_all_that_was_in_it(place: &Place) {
    let (url, _dir) = first_version(place).await;
    let store = JobStore::open(&url).await.unwrap();
    let checked = care::check(&url).await.unwrap();
    assert_eq!(checked.version, checked.known);
    // Rows, in every state.
    let counts = store.counts().await.unwrap();
    let expected = Counts { queued: 3, paused: 1, running: 1, done: 245, failed: 5, cancelled: 1, needs_attention: 1 };
    assert_eq!(counts, expected);
    let mut states: BTreeMap<State, usize> = BTreeMap::new();
    for row in store.list(Filter::default()).await.unwrap() {
        *states.entry(row.state).or_default() += 1;
    }
    let expected = [
        (State::Queued, 4),
        (State::Running, 1),
        (State::Done, 205),
        (State::Failed, 1),
        (State::Cancelled, 1),
        (State::NeedsAttention, 1),
    ];
    assert_eq!(states, BTreeMap::from(expected));
    let row = store.get(&id("d002")).await.unwrap().unwrap();
    assert_eq!((row.group.as_str(), row.user, row.guild, row.channel), ("guild:11", Some(7), Some(11), Some(21)));
    assert_eq!((row.platform.as_str(), row.method.as_deref(), row.attempts), ("twitter", Some("cli"), 2));
    assert_eq!((row.started_at, row.finished_at), (Some(1_763_000_010_100), Some(1_763_000_105_100)));
    assert_eq!((row.files, row.bytes, row.took_ms), (1, 9_000_000, 95_000));
    assert_eq!(row.request["url"], "https://x.com/ann/status/2");
    let row = store.get(&id("f001")).await.unwrap().unwrap();
    assert_eq!((row.error_code.as_deref(), row.error_text.as_deref()), (Some("network"), Some("no answer")));
    let row = store.get(&id("d004")).await.unwrap().unwrap();
    assert_eq!((row.guild, row.bytes), (Some(u64::MAX - 2), 5_000_000_000));
    // Statistics, also of jobs that are long gone.
    let stats = store.stats(&StatsFilter::default()).await.unwrap();
    assert_eq!((stats.total.jobs, stats.total.done, stats.total.files), (252, 245, 286));
    assert_eq!((stats.platforms["twitter"].jobs, stats.platforms["twitter"].done), (48, 42));
    assert_eq!((stats.errors["not_found"], stats.errors["network"], stats.errors["internal"]), (4, 1, 1));
    let old = StatsFilter { guild: Some(11), since: Some(20_301 * 86_400_000), ..StatsFilter::default() };
    assert_eq!(store.stats(&old).await.unwrap().total.jobs, 4);
    let twitter = stats.platforms["twitter"].times.unwrap();
    assert_eq!((twitter.jobs, twitter.fastest_ms, twitter.slowest_ms), (2, 1200, 95_000));
    assert_eq!(stats.total.times.unwrap().jobs, 205, "as far as the jobs are there");
    // What is known stays known.
    let known = NewJob { source: Some("i:1001".into()), ..job("a") };
    assert_eq!(store.enqueue(known).await.unwrap(), Enqueued::Known);
    // What is paused stays paused; what has lapsed goes on with what it has posted; what is due runs.
    assert!(store.is_paused(Some(13)).await.unwrap() && !store.is_paused(Some(12)).await.unwrap());
    let mut claimed = BTreeMap::new();
    while let Some(one) = store.claim("worker", LONG, MANY).await.unwrap() {
        claimed.insert(one.id.clone(), one);
    }
    assert_eq!(claimed.keys().cloned().collect::<Vec<_>>(), [id("b001"), id("e001")]);
    let lapsed = &claimed[&id("b001")];
    assert_eq!((lapsed.attempt, lapsed.parts.len(), lapsed.parts[0].files[0].sha256.as_str()), (2, 2, "aa"));
    assert_eq!((lapsed.parts[0].state, lapsed.parts[1].state), (PartState::Sent, PartState::Sending));
    assert_eq!((lapsed.parts[1].message, lapsed.parts[1].channel), (Some(32), Some(22)));
    // And all of it goes on.
    let report = Report { method: Some("api".into()), took_ms: 10, ..Report::default() };
    assert!(store.finish(&lapsed.id, &lapsed.lease, End::Done, report).await.unwrap());
    assert!(store.resume(Scope::Guild(13)).await.unwrap());
    assert_eq!(store.claim("worker", LONG, MANY).await.unwrap().unwrap().id, id("e004"));
    assert!(store.again(&id("f001"), None).await.unwrap());
    let after = store.stats(&StatsFilter::default()).await.unwrap();
    assert_eq!((after.total.done, after.total.times.unwrap().jobs), (246, 206));
    assert_eq!(store.tidy(Duration::from_secs(86_400)).await.unwrap(), 207);
    assert_eq!(store.stats(&StatsFilter::default()).await.unwrap(), after);
    store.close().await;
    // Opened once more there is nothing left to do.
    JobStore::open(&url).await.unwrap().close().await;
}

/// The counters of times, as texts.
async fn counters(url: &DatabaseUrl) -> Vec<String> {
    let sql = "SELECT platform || ' ' || method || ' ' || CAST(upto_ms AS TEXT) || ' ' || CAST(sum(jobs) AS TEXT) || ' ' \
               || CAST(min(least_ms) AS TEXT) || ' ' || CAST(max(most_ms) AS TEXT) \
               FROM job_times GROUP BY platform, method, upto_ms ORDER BY platform, method, upto_ms";
    match url {
        DatabaseUrl::Sqlite(path) => {
            let options = SqliteConnectOptions::new().filename(path);
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url.expose_secret()).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
        }
    }
}

async fn times_of_the_first_version_count_as_those_of_now(place: &Place) {
    let (url, _dir) = first_version(place).await;
    let store = JobStore::open(&url).await.unwrap();
    let done = store.list(Filter { states: vec![State::Done], ..Filter::default() }).await.unwrap();
    assert_eq!(done.len(), 205);
    // The same jobs, done by the program of now.
    for row in &done {
        let id = place.add(NewJob { platform: row.platform.clone(), guild: row.guild, ..job("a") }).await;
        let claimed = place.claim().await.unwrap();
        let report = Report { method: row.method.clone(), took_ms: row.took_ms, ..Report::default() };
        assert!(place.store.finish(&id, &claimed.lease, End::Done, report).await.unwrap());
    }
    let migrated = counters(&url).await;
    assert!(migrated.len() > 80, "{migrated:?}");
    assert_eq!(migrated, counters(&place.url).await);
    assert_eq!(
        store.stats(&StatsFilter::default()).await.unwrap().total.times,
        place.store.stats(&StatsFilter::default()).await.unwrap().total.times
    );
}

async fn a_migration_that_fails_leaves_the_database_as_it_was(place: &Place) {
    let (url, _dir) = first_version(place).await;
    // Something stands in the way of the second version.
    bare(&url, "CREATE TABLE job_times (what TEXT)").await.unwrap();
    assert!(JobStore::open(&url).await.is_err());
    assert_eq!(care::check(&url).await.unwrap().version, 1);
    assert_eq!(bare(&url, "UPDATE job_days SET files = files WHERE state = 'done'").await.unwrap(), 7);
    bare(&url, "DROP TABLE job_times").await.unwrap();
    let store = JobStore::open(&url).await.unwrap();
    assert_eq!(store.counts().await.unwrap().done, 245);
}
