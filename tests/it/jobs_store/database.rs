//! The databases themselves: what they refuse whoever asks, and opening them by several at once.

use std::{collections::BTreeSet, time::Duration};

use boss_bot::{
    jobs::store::{End, JobStore, NewJob, POLL, State, StatsFilter, StoreError, care},
    settings::DatabaseUrl,
};
use futures_util::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::place::{LONG, MANY, Place, job, on_both};
use crate::world::postgres;

on_both!(
    many_that_open_a_fresh_database_at_once_all_find_its_tables,
    the_tables_refuse_states_that_cannot_be,
    an_older_database_with_jobs_in_it_is_brought_up_to_date,
    a_database_of_a_newer_program_is_left_alone,
    tables_that_are_not_ours_are_left_alone,
    a_row_that_makes_no_sense_holds_up_nobody,
    after_the_end_nothing_is_taken,
);

/// Runs a statement past the store; the error is the database's.
pub(super) async fn bare(url: &DatabaseUrl, sql: &'static str) -> Result<u64, sqlx::Error> {
    match url {
        DatabaseUrl::Sqlite(path) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
            let mut connection = SqliteConnection::connect_with(&options).await?;
            let done = sqlx::raw_sql(sql).execute(&mut connection).await.map(|done| done.rows_affected());
            connection.close().await?;
            done
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url.expose_secret()).await?;
            let done = sqlx::raw_sql(sql).execute(&mut connection).await.map(|done| done.rows_affected());
            connection.close().await?;
            done
        }
    }
}

/// A database of the same kind that nobody has opened yet.
pub(super) async fn untouched(place: &Place) -> (DatabaseUrl, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let url = match &place.url {
        DatabaseUrl::Sqlite(_) => DatabaseUrl::Sqlite(dir.path().join("fresh.db")),
        DatabaseUrl::Postgres(_) => DatabaseUrl::Postgres(SecretString::from(postgres::database().await)),
    };
    (url, dir)
}

async fn many_that_open_a_fresh_database_at_once_all_find_its_tables(place: &Place) {
    let (url, _dir) = untouched(place).await;
    let opened = join_all((0..8).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { JobStore::open(&url).await })
    }));
    let stores: Vec<JobStore> = opened.await.into_iter().map(|opened| opened.unwrap().unwrap()).collect();
    for store in &stores {
        store.enqueue(job("a")).await.unwrap();
    }
    assert_eq!(stores[0].counts().await.unwrap().queued, 8);
    let ran = bare(&url, "UPDATE _sqlx_migrations SET success = true").await.unwrap();
    assert_eq!(ran, care::check(&url).await.unwrap().known.cast_unsigned(), "each ran once");
}

async fn the_tables_refuse_states_that_cannot_be(place: &Place) {
    place.add(job("a")).await;
    let claimed = place.claim().await.unwrap();
    place.add(job("a")).await;
    for wrong in [
        "UPDATE jobs SET state = 'paused' WHERE state = 'queued'",
        "UPDATE jobs SET state = 'done' WHERE state = 'queued'",
        "UPDATE jobs SET state = 'running' WHERE state = 'queued'",
        "UPDATE jobs SET state = 'running', lease = 'x' WHERE state = 'queued'",
        "UPDATE jobs SET state = 'queued' WHERE state = 'running'",
        "UPDATE jobs SET lease = NULL WHERE state = 'running'",
        "UPDATE jobs SET finished_at = 1 WHERE state = 'running'",
        "UPDATE jobs SET attempts = -1",
        "UPDATE jobs SET request = NULL",
        "INSERT INTO job_parts (job, number, state, files) VALUES ('nobody', 0, 'sent', '[]')",
        "INSERT INTO job_parts (job, number, state, files) SELECT id, 0, 'lost', '[]' FROM jobs",
    ] {
        let refused = bare(&place.url, wrong).await;
        assert!(matches!(refused, Err(sqlx::Error::Database(_))), "{wrong}: {refused:?}");
    }
    assert!(bare(&place.url, "UPDATE jobs SET priority = 1").await.is_ok(), "it was not the connection");
    assert!(place.finish(&claimed, End::Done).await);
    assert_eq!(place.store.get(&claimed.id).await.unwrap().unwrap().state, State::Done);
}

async fn an_older_database_with_jobs_in_it_is_brought_up_to_date(place: &Place) {
    let keyed = || NewJob { key: Some("post".into()), ..job("a") };
    let ids = [place.add(keyed()).await, place.add(keyed()).await];
    let running = place.claim().await.unwrap();
    let older =
        "DROP INDEX jobs_same; ALTER TABLE jobs DROP COLUMN shared; DELETE FROM _sqlx_migrations WHERE version = 3";
    bare(&place.url, older).await.unwrap();
    let store = place.again().await;
    assert_eq!(store.counts().await.unwrap().queued, 1);
    assert!(store.claim("w", LONG, MANY).await.unwrap().is_none(), "the second waits as it did");
    store.share(&running.id, &running.lease).await.unwrap();
    assert_eq!(store.claim("w", LONG, MANY).await.unwrap().unwrap().id, ids[1]);
}

async fn a_database_of_a_newer_program_is_left_alone(place: &Place) {
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    assert_eq!(bare(&place.url, newer).await.unwrap(), 1);
    let refused = JobStore::open(&place.url).await.unwrap_err();
    let StoreError::Newer { found: 99, known } = refused else { panic!("{refused:?}") };
    assert!((2..99).contains(&known), "{known}");
    assert!(refused.to_string().contains("use the newer program"), "{refused}");
    // Who refuses holds nothing.
    assert_eq!(bare(&place.url, "DELETE FROM _sqlx_migrations WHERE version = 99").await.unwrap(), 1);
    tokio::time::timeout(Duration::from_secs(60), place.again()).await.unwrap();
}

async fn tables_that_are_not_ours_are_left_alone(place: &Place) {
    let (url, _dir) = untouched(place).await;
    bare(&url, "CREATE TABLE jobs (what TEXT); INSERT INTO jobs VALUES ('theirs')").await.unwrap();
    let refused = JobStore::open(&url).await.unwrap_err();
    assert!(matches!(refused, StoreError::Foreign(_)), "{refused:?}");
    assert_eq!(bare(&url, "UPDATE jobs SET what = 'still theirs'").await.unwrap(), 1);
    assert!(bare(&url, "SELECT * FROM job_parts").await.is_err(), "nothing was made");
    // A text of ours that was changed after it had run.
    bare(&place.url, "UPDATE _sqlx_migrations SET description = 'x', checksum = checksum || checksum").await.unwrap();
    assert!(matches!(JobStore::open(&place.url).await, Err(StoreError::Foreign(_))));
}

async fn a_row_that_makes_no_sense_holds_up_nobody(place: &Place) {
    let broken = place.add(job("a")).await;
    let fine = place.add(job("a")).await;
    bare(&place.url, "UPDATE jobs SET address = '{' WHERE id = (SELECT min(id) FROM jobs)").await.unwrap();
    assert_eq!(place.claim_all(MANY).await, [fine]);
    let row = place.store.get(&broken).await.unwrap().unwrap();
    assert_eq!((row.state, row.address.is_null(), row.request.is_null()), (State::NeedsAttention, true, false));
    assert_eq!(place.store.counts().await.unwrap().needs_attention, 1);
    assert_eq!(place.store.stats(&StatsFilter::default()).await.unwrap().errors["internal"], 1);
}

async fn after_the_end_nothing_is_taken(place: &Place) {
    let other = place.again().await;
    other.close().await;
    assert!(other.enqueue(job("a")).await.is_err());
    assert!(other.claim("worker", LONG, MANY).await.is_err());
    assert!(other.counts().await.is_err());
    place.add(job("a")).await;
    assert_eq!(place.claim_all(MANY).await.len(), 1, "others go on");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_refuses_is_told_apart() {
    let good = postgres::database().await;
    let mut told = BTreeSet::new();
    for (url, what) in [
        (good.replace("test_", "nowhere_"), "the database server refuses"),
        (good.replace("user=tester", "user=nobody-there"), "the database server refuses"),
        ("postgres://boss:hunter2hunter2@127.0.0.1:9/jobs".to_owned(), "the database server cannot be reached"),
        (good.replace("/tmp/pg", "/tmp/nowhere"), "the database server cannot be reached"),
    ] {
        let refused = JobStore::open(&DatabaseUrl::Postgres(SecretString::from(url))).await.unwrap_err().to_string();
        assert!(refused.starts_with(what) && refused.contains("DATABASE_URL"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
        told.insert(refused);
    }
    assert_eq!(told.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_has_cut_are_made_anew() {
    let place = Place::postgres().await;
    let worker = place.again().await;
    let id = place.add(job("a")).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    bare(&place.url, cut).await.unwrap();
    // What was under way when it happened may fail; not for longer than there are connections.
    let mut failed = 0;
    let claimed = loop {
        match worker.claim("worker", LONG, MANY).await {
            Ok(Some(claimed)) => break claimed,
            Ok(None) => worker.wait_for_work(LONG).await,
            Err(error) => {
                failed += 1;
                assert!(failed <= 10, "{error}");
            }
        }
    };
    assert_eq!(claimed.id, id);
    // News are heard again, too: without them this would wait for the clock, ten times.
    let mut heard = 0;
    for _ in 0..100 {
        let begun = std::time::Instant::now();
        let (_, given) = tokio::join!(worker.wait_for_work(LONG), place.store.enqueue(job("b")));
        if given.is_ok() && begun.elapsed() < POLL / 2 {
            heard += 1;
        }
        if heard == 10 {
            return;
        }
    }
    panic!("heard {heard} of 100");
}
