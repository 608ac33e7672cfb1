//! The two engines behind one door: a statement with its values goes in, rows come out. Everything above this file is written
//! once; what differs between SQLite and PostgreSQL is here and in the files of the two.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::Value;
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, SqlitePool, Transaction, postgres::PgRow,
    query::Query, sqlite::SqliteRow,
};

use super::{
    error::{Result, StoreError},
    sql,
    types::Id,
};

/// The channel on which PostgreSQL tells that there is work.
pub(super) const WORK: &str = "boss_bot_work";

/// The channel on which PostgreSQL tells that a running job shall stop; the text is its id.
pub(super) const CANCELS: &str = "boss_bot_cancels";

/// A database that is open and has the tables of this program.
pub(super) enum Engine {
    /// One file. SQLite knows one writer at a time: writes wait for their turn here, in order, and not in SQLite, which would
    /// have them try again and again. Reads never wait for writes.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Rows that are changed are locked.
    Plain,
    /// As the only claim at this moment, so that no two see the same group below its limit.
    Claim,
}

/// A value of a statement.
#[derive(Debug, Clone)]
pub(super) enum Arg {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<Option<u64>> for Arg {
    /// Discord's ids have 64 bits; databases know signed ones only. The sign is no loss: it comes back as it was.
    fn from(value: Option<u64>) -> Self {
        Self::Int(value.map(u64::cast_signed))
    }
}

impl From<Option<f32>> for Arg {
    fn from(value: Option<f32>) -> Self {
        Self::Real(value.map(f64::from))
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        // PostgreSQL refuses a zero in a text, and tools may say anything.
        Self::Text(Some(value.replace('\0', "")))
    }
}

impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        value.as_deref().map_or(Self::Text(None), Self::from)
    }
}

impl From<&Value> for Arg {
    fn from(value: &Value) -> Self {
        // JSON writes a zero as an escape.
        Self::Text(Some(value.to_string()))
    }
}

/// The values of a statement.
macro_rules! args {
    ($($value:expr),* $(,)?) => { vec![$($crate::jobs::store::engine::Arg::from($value)),*] };
}
pub(super) use args;

/// A row of either engine.
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// One column, whatever the engine.
macro_rules! column {
    ($row:expr, $name:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($name)?,
            Row::Postgres(row) => row.try_get($name)?,
        }
    };
}

impl Row {
    pub(super) fn int(&self, name: &str) -> Result<i64> {
        Ok(column!(self, name))
    }

    pub(super) fn int_or_none(&self, name: &str) -> Result<Option<i64>> {
        Ok(column!(self, name))
    }

    pub(super) fn small(&self, name: &str) -> Result<i32> {
        let value = self.int(name)?;
        i32::try_from(value).map_err(|_| StoreError::Odd(format!("{name} is {value}")))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.int(name)? != 0)
    }

    pub(super) fn discord(&self, name: &str) -> Result<Option<u64>> {
        Ok(self.int_or_none(name)?.map(i64::cast_unsigned))
    }

    pub(super) fn real_or_none(&self, name: &str) -> Result<Option<f64>> {
        Ok(column!(self, name))
    }

    pub(super) fn text(&self, name: &str) -> Result<String> {
        Ok(column!(self, name))
    }

    pub(super) fn text_or_none(&self, name: &str) -> Result<Option<String>> {
        Ok(column!(self, name))
    }

    /// A text that one of our own words must be.
    pub(super) fn word<T>(&self, name: &str, of: impl Fn(&str) -> Option<T>) -> Result<T> {
        let word = self.text(name)?;
        of(&word).ok_or_else(|| StoreError::Odd(format!("{name} is {word:?}")))
    }

    pub(super) fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        parsed(name, &self.text(name)?)
    }

    pub(super) fn json_or_none(&self, name: &str) -> Result<Option<Value>> {
        self.text_or_none(name)?.map(|text| parsed(name, &text)).transpose()
    }
}

fn parsed<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T> {
    // The text is left out: an address holds secrets, if sealed ones.
    serde_json::from_str(text).map_err(|error| StoreError::Odd(format!("{name} is not what it should be: {error}")))
}

/// Gives a query of either engine its values.
macro_rules! bound {
    ($engine:ty, $sql:expr, $args:expr) => {
        $args.into_iter().fold(sqlx::query::<$engine>($sql), |query: Query<'static, $engine, _>, arg| match arg {
            Arg::Int(value) => query.bind(value),
            Arg::Real(value) => query.bind(value),
            Arg::Text(value) => query.bind(value),
        })
    };
}

/// A transaction. Dropped without [`Tx::commit`] it never was.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// Runs a statement to its end.
    pub(super) async fn rows(&mut self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<Row>> {
        Ok(match self {
            Self::Sqlite(tx) => {
                bound!(Sqlite, sql, args).fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Self::Postgres(tx) => {
                bound!(Postgres, sql, args).fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Ends it as if it had never been. Dropping it does the same, only later: its locks are held until then.
    pub(super) async fn rollback(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// The statements whose rows mean that there is work, as PostgreSQL runs them: change and notice are one statement, so that
/// no change is without its notice. Workers elsewhere hear of it when it is committed.
pub(super) static WAKING: LazyLock<HashMap<&'static str, String>> = LazyLock::new(|| {
    let waking = |sql: &'static str| {
        (sql, format!("WITH changed AS ({sql}) SELECT changed.*, pg_notify('{WORK}', '') FROM changed"))
    };
    [sql::ENQUEUE, sql::RELEASE, sql::SHARE, sql::GIVE_BACK, sql::AGAIN, sql::PAUSE_JOB, sql::RESUME].map(waking).into()
});

/// The same for a cancel. What was only queued has no worker that would have to hear of it.
pub(super) static CANCELLING: LazyLock<String> = LazyLock::new(|| {
    format!("WITH changed AS ({}) SELECT changed.*, pg_notify('{CANCELS}', changed.id) FROM changed", sql::CANCEL)
});

impl Engine {
    /// Begins a transaction that will write.
    pub(super) async fn begin(&self, begin: Begin) -> Result<Tx> {
        Ok(match self {
            // Not deferred: a reader that becomes a writer later may find that it has read what is no more, and must fail.
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("BEGIN IMMEDIATE").await.map_err(in_line)?),
            Self::Postgres(pool) => Tx::Postgres(match begin {
                Begin::Plain => pool.begin().await?,
                Begin::Claim => pool.begin_with(super::postgres::BEGIN_CLAIM).await?,
            }),
        })
    }

    /// Runs one statement that writes, as a transaction of its own.
    pub(super) async fn write(&self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite { write, .. } => lite(write, sql.into_sql_str(), args).await,
            Self::Postgres(pool) => pg(pool, sql.into_sql_str(), args).await,
        }
    }

    /// The text of a statement whose rows mean that there is work.
    pub(super) fn waking(&self, sql: &'static str) -> &'static str {
        match self {
            Self::Sqlite { .. } => sql,
            Self::Postgres(_) => WAKING.get(sql).map_or(sql, String::as_str),
        }
    }

    /// The text of the statement that cancels.
    pub(super) fn cancelling(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => sql::CANCEL,
            Self::Postgres(_) => CANCELLING.as_str(),
        }
    }

    /// Runs one statement that only reads.
    pub(super) async fn read(&self, sql: &'static str, args: Vec<Arg>) -> Result<Vec<Row>> {
        match self {
            Self::Sqlite { read, .. } => lite(read, sql.into_sql_str(), args).await,
            Self::Postgres(pool) => pg(pool, sql.into_sql_str(), args).await,
        }
    }

    /// The same for a text that was put together, from our own words only.
    pub(super) async fn read_built(&self, sql: String, args: Vec<Arg>) -> Result<Vec<Row>> {
        let sql = AssertSqlSafe(sql).into_sql_str();
        match self {
            Self::Sqlite { read, .. } => lite(read, sql, args).await,
            Self::Postgres(pool) => pg(pool, sql, args).await,
        }
    }

    /// Lets go of the database.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                // The writer last: with it SQLite folds its log into the file.
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

async fn lite(pool: &SqlitePool, sql: SqlStr, args: Vec<Arg>) -> Result<Vec<Row>> {
    let rows = bound!(Sqlite, sql, args).fetch_all(pool).await.map_err(in_line)?;
    Ok(rows.into_iter().map(Row::Sqlite).collect())
}

/// There is no server to be reached where a connection to a file does not become free.
fn in_line(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::PoolTimedOut => StoreError::Held("writes of this program stand in line for too long".into()),
        other => other.into(),
    }
}

async fn pg(pool: &PgPool, sql: SqlStr, args: Vec<Arg>) -> Result<Vec<Row>> {
    Ok(bound!(Postgres, sql, args).fetch_all(pool).await?.into_iter().map(Row::Postgres).collect())
}

/// The only row of an answer that has one or none.
pub(super) fn one(rows: Vec<Row>) -> Option<Row> {
    rows.into_iter().next()
}

/// The id in a row that a statement gave back.
pub(super) fn id_of(row: &Row) -> Result<Id> {
    row.text("id")
}
