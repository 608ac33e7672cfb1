//! What only this room can see: every statement on freshly migrated databases of both kinds, and that their tables agree.

use std::collections::BTreeSet;

use secrecy::SecretString;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqlSafeStr, SqliteConnection};

use super::{
    Filter, JobStore, State, StoreError,
    engine::{CANCELLING, WAKING},
    migrate, sql, sqlite,
};
use crate::settings::DatabaseUrl;

#[path = "../../../tests/world/postgres.rs"]
#[allow(dead_code, reason = "stories need more of it")]
mod server;

/// Freshly migrated databases of both kinds.
async fn fresh() -> (tempfile::TempDir, SqliteConnection, PgConnection) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("boss-bot.db");
    JobStore::open(&DatabaseUrl::Sqlite(file.clone())).await.unwrap().close().await;
    let url = server::database().await;
    JobStore::open(&DatabaseUrl::Postgres(SecretString::from(url.as_str()))).await.unwrap().close().await;
    let lite = SqliteConnection::connect_with(&sqlite::options(&file)).await.unwrap();
    (dir, lite, PgConnection::connect(&url).await.unwrap())
}

/// Filters with and without each condition.
fn filters() -> impl Iterator<Item = Filter> {
    (0..128).map(|bits: u32| Filter {
        states: if bits & 1 == 0 { vec![] } else { State::ALL.to_vec() },
        guild: (bits & 2 != 0).then_some(1),
        user: (bits & 4 != 0).then_some(2),
        before: (bits & 8 != 0).then(|| "id".to_owned()),
        platform: (bits & 16 != 0).then(|| "direct".to_owned()),
        code: (bits & 32 != 0).then(|| "network".to_owned()),
        ended_since: (bits & 64 != 0).then_some(3),
        limit: 0,
    })
}

#[tokio::test]
async fn every_statement_can_be_prepared_on_both_engines() {
    let (_dir, mut lite, mut pg) = fresh().await;
    let lists: Vec<String> = filters().map(|filter| sql::list(&filter)).collect();
    assert_eq!(lists.iter().collect::<BTreeSet<_>>().len(), 128, "each filter has a text of its own");
    let texts = include_str!("sql.rs").matches("\npub(super) const ").count();
    assert_eq!(texts, sql::ALL.len() + 1, "every text is in the list, which is one more");
    let both: Vec<String> = sql::ALL.iter().map(|sql| (*sql).to_owned()).chain(lists).collect();
    let waking = WAKING.values().chain([&*CANCELLING]).cloned();
    for text in &both {
        let prepared = (&mut lite).prepare(AssertSqlSafe(text.clone()).into_sql_str()).await;
        assert!(prepared.is_ok(), "SQLite: {:?}: {text}", prepared.err());
    }
    for text in both.iter().cloned().chain(waking) {
        let prepared = (&mut pg).prepare(AssertSqlSafe(text.clone()).into_sql_str()).await;
        assert!(prepared.is_ok(), "PostgreSQL: {:?}: {text}", prepared.err());
    }
}

#[tokio::test]
async fn tables_columns_and_indexes_are_the_same_on_both_engines() {
    let (_dir, mut lite, mut pg) = fresh().await;
    let of_lite = sqlx::query(
        "SELECT m.name, c.name, lower(c.type), CASE c.\"notnull\" WHEN 1 THEN 'NO' ELSE 'YES' END, c.dflt_value \
         FROM sqlite_schema m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name LIKE 'job%'",
    );
    let of_pg = sqlx::query(
        "SELECT table_name::text, column_name::text, data_type::text, is_nullable::text, column_default::text \
         FROM information_schema.columns WHERE table_schema = 'public' AND table_name LIKE 'job%'",
    );
    // What PostgreSQL tells apart is one type in SQLite.
    let kind = |name: &str| match name {
        "bigint" => "integer".to_owned(),
        "double precision" => "real".to_owned(),
        other => other.to_owned(),
    };
    let default = |value: Option<String>| value.map(|value| value.trim_matches('\'').replace("'::bigint", ""));
    let mut columns = [BTreeSet::new(), BTreeSet::new()];
    for row in of_lite.fetch_all(&mut lite).await.unwrap() {
        let text = |index: usize| row.get::<String, _>(index);
        columns[0].insert((text(0), text(1), kind(&text(2)), text(3), default(row.get(4))));
    }
    for row in of_pg.fetch_all(&mut pg).await.unwrap() {
        let text = |index: usize| row.get::<String, _>(index);
        columns[1].insert((text(0), text(1), kind(&text(2)), text(3), default(row.get(4))));
    }
    assert!(columns[0].len() > 40, "{columns:?}");
    assert_eq!(columns[0], columns[1]);

    let of_lite =
        sqlx::query("SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'jobs\\_%' ESCAPE '\\'");
    let of_pg =
        sqlx::query("SELECT indexname::text FROM pg_indexes WHERE tablename = 'jobs' AND indexname !~ '_(pkey|key)$'");
    let lite: BTreeSet<String> = of_lite.fetch_all(&mut lite).await.unwrap().iter().map(|row| row.get(0)).collect();
    let pg: BTreeSet<String> = of_pg.fetch_all(&mut pg).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(lite.len() >= 4 && lite == pg, "{lite:?} {pg:?}");
}

#[test]
fn both_engines_have_migrations_of_the_same_numbers() {
    assert!(migrate::numbers_agree());
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_costs_nothing_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("boss-bot.db");
    let url = DatabaseUrl::Sqlite(file.clone());
    JobStore::open(&url).await.unwrap().close().await;
    // SQLite has an error of its own for it, and a limit that brings it about without filling a disk.
    let small = sqlite::options(&file).pragma("max_page_count", "60");
    let mut lite = SqliteConnection::connect_with(&small).await.unwrap();
    let mut put = 0;
    let full = loop {
        let pause = sqlx::query("INSERT INTO job_days VALUES ($1, 0, $2, '', 'done', '', 1, 1, 1, 1)");
        match pause.bind(put).bind("x".repeat(2000)).execute(&mut lite).await {
            Ok(_) => put += 1,
            Err(error) => break StoreError::from(error),
        }
        assert!(put < 1000, "the limit does not hold");
    };
    assert!(matches!(full, StoreError::Full), "{full:?}");
    assert!(full.to_string().contains("make room"), "{full}");
    lite.close().await.unwrap();
    let store = JobStore::open(&url).await.unwrap();
    assert!(put > 0);
    assert_eq!(store.counts().await.unwrap().done, u64::try_from(put).unwrap());
}
