//! Brings the tables of a database to what this program knows. The texts are part of the program (`migrations/`); sqlx's
//! migrator keeps in the table `_sqlx_migrations` which have run, and with which content.
//!
//! All of it is one transaction that begins by taking a lock: of several programs that open a fresh database at the same
//! moment one makes the tables, and the others wait and find them made.

use std::borrow::Cow;

use sqlx::{
    Connection, PgConnection, SqlSafeStr, SqliteConnection,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::error::{Result, StoreError};

/// Version, name and text of each migration, per engine. Texts never change once they are published; new ones are added.
const SQLITE: &[(i64, &str, &str)] = &[
    (1, "jobs", include_str!("../../../migrations/sqlite/0001_jobs.sql")),
    (2, "times", include_str!("../../../migrations/sqlite/0002_times.sql")),
    (3, "same", include_str!("../../../migrations/sqlite/0003_same.sql")),
];
const POSTGRES: &[(i64, &str, &str)] = &[
    (1, "jobs", include_str!("../../../migrations/postgres/0001_jobs.sql")),
    (2, "times", include_str!("../../../migrations/postgres/0002_times.sql")),
    (3, "same", include_str!("../../../migrations/postgres/0003_same.sql")),
];

/// The version that this program makes.
pub(super) fn known() -> i64 {
    SQLITE.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// Whether both engines have the same migrations, by number and name.
#[cfg(test)]
pub(super) fn numbers_agree() -> bool {
    let names = |texts: &[(i64, &'static str, &str)]| texts.iter().map(|text| (text.0, text.1)).collect::<Vec<_>>();
    names(SQLITE) == names(POSTGRES)
}

fn migrator(texts: &'static [(i64, &'static str, &'static str)]) -> Migrator {
    let migration = |&(version, name, text): &(i64, &'static str, &'static str)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(texts.iter().map(migration).collect());
    // Our transaction holds a lock already, and gives it back however it ends.
    migrator.set_locking(false);
    migrator
}

/// Migrates a file. The connection waits for its lock as long as its `busy_timeout` says.
pub(super) async fn sqlite(connection: &mut SqliteConnection) -> Result<()> {
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    // `run` takes whatever gives a connection, and so much freedom cannot be sent between threads.
    migrator(SQLITE).run_direct(None, &mut *tx, false).await.map_err(told)?;
    Ok(tx.commit().await?)
}

/// Migrates a server's database.
pub(super) async fn postgres(connection: &mut PgConnection) -> Result<()> {
    let mut tx = connection.begin_with(super::postgres::BEGIN_MIGRATION).await?;
    migrator(POSTGRES).run_direct(None, &mut *tx, false).await.map_err(told)?;
    Ok(tx.commit().await?)
}

/// How many tables there are.
const TABLES_OF_SQLITE: &str = "SELECT count(*) FROM sqlite_schema";
const TABLES_OF_POSTGRES: &str = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";

/// Which migrations have run.
const VERSION: &str = "SELECT max(version) FROM _sqlx_migrations WHERE success";

/// The version of a file's tables.
pub(super) async fn version_of_sqlite(connection: &mut SqliteConnection) -> Result<i64> {
    let tables = sqlx::query_scalar(TABLES_OF_SQLITE).fetch_one(&mut *connection).await?;
    usable(tables, sqlx::query_scalar(VERSION).fetch_one(connection).await)
}

/// The version of a server's tables.
pub(super) async fn version_of_postgres(connection: &mut PgConnection) -> Result<i64> {
    let tables = sqlx::query_scalar(TABLES_OF_POSTGRES).fetch_one(&mut *connection).await?;
    usable(tables, sqlx::query_scalar(VERSION).fetch_one(connection).await)
}

fn usable(tables: i64, found: Result<Option<i64>, sqlx::Error>) -> Result<i64> {
    let found = found.map_err(|error| match StoreError::from(error) {
        _ if tables == 0 => StoreError::Fresh,
        StoreError::Other(told) => StoreError::Foreign(told),
        other => other,
    })?;
    match found {
        Some(found) if found > known() => Err(StoreError::Newer { found, known: known() }),
        Some(found) => Ok(found),
        None => Err(StoreError::Foreign("no migration has run".into())),
    }
}

fn told(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match StoreError::from(error) {
            // Tables of ours that no migration of ours has made.
            StoreError::Other(told) => StoreError::Foreign(told),
            other => other,
        },
        MigrateError::VersionMissing(found) if found > known() => StoreError::Newer { found, known: known() },
        other => StoreError::Foreign(other.to_string()),
    }
}
