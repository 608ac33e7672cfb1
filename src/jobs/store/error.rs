//! What can go wrong with a database, in words that say what to do.

use std::path::{Path, PathBuf};

use crate::model;

/// The result of anything that the store does.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store could not do something. The texts are for operators; they hold no passwords.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is something else.
    #[error("{} is not a database of boss-bot: move it away, or set DATABASE_URL to another place", .0.display())]
    NotADatabase(PathBuf),
    /// There is no such file.
    #[error("there is no database at {}: the bot makes one at its first start", .0.display())]
    Missing(PathBuf),
    /// There is nothing in it.
    #[error("the database is empty: the bot makes its tables at its first start")]
    Fresh,
    /// Its content contradicts itself.
    #[error(
        "the database is damaged ({0}): stop the bot, look with `boss-bot db check`, and put a backup back with `boss-bot db restore`"
    )]
    Damaged(String),
    /// Its tables are of a later version of this program.
    #[error(
        "the database was written by a newer boss-bot (its tables have version {found}, this program knows {known}): use the newer program, or a backup from before"
    )]
    Newer {
        /// The version of the database.
        found: i64,
        /// The latest that this program knows.
        known: i64,
    },
    /// Its tables are not what the migrations of this program make.
    #[error(
        "the tables of the database do not fit this program ({0}): use the program that made them, or another database"
    )]
    Foreign(String),
    /// No room.
    #[error(
        "there is no room left for the database: make room on its disk; nothing is lost, and work goes on by itself"
    )]
    Full,
    /// Somebody else holds it.
    #[error("the database is held by another process ({0}): try again when that is done")]
    Held(String),
    /// It may not be opened or written.
    #[error("the database cannot be opened ({0}): it and its folder must be writable by the user that runs boss-bot")]
    Forbidden(String),
    /// The server is not there.
    #[error("the database server cannot be reached ({0}): check DATABASE_URL, and that the server runs")]
    Unreachable(String),
    /// The server does not let us in.
    #[error("the database server refuses ({0}): check user, password and database name in DATABASE_URL")]
    Refused(String),
    /// A row that this program would not have written.
    #[error("a row of the database makes no sense: {0}")]
    Odd(String),
    /// Anything else.
    #[error("the database failed: {0}")]
    Other(String),
}

/// Primary result codes of SQLite, <https://www.sqlite.org/rescode.html>: the lowest eight bits of the extended ones.
mod sqlite {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const AUTH: i32 = 23;
    pub(super) const NOTADB: i32 = 26;
}

impl StoreError {
    /// The same, knowing which file it is about.
    pub(super) fn about(self, path: &Path) -> Self {
        match self {
            Self::NotADatabase(_) => Self::NotADatabase(path.to_owned()),
            Self::Forbidden(why) => Self::Forbidden(format!("{}: {why}", path.display())),
            other => other,
        }
    }

    /// A file operation beside the database that failed.
    pub(super) fn of_file(path: &Path, error: &std::io::Error) -> Self {
        let told = format!("{}: {error}", path.display());
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::Forbidden(told),
            _ => Self::Other(told),
        }
    }

    fn of_database(error: &dyn sqlx::error::DatabaseError) -> Self {
        let told = error.to_string();
        if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
            let code = error.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(1);
            return match code & 0xff {
                sqlite::NOTADB => Self::NotADatabase(PathBuf::new()),
                sqlite::CORRUPT => Self::Damaged(told),
                sqlite::FULL => Self::Full,
                sqlite::BUSY | sqlite::LOCKED => Self::Held(told),
                sqlite::PERM | sqlite::READONLY | sqlite::CANTOPEN | sqlite::AUTH => Self::Forbidden(told),
                _ => Self::Other(told),
            };
        }
        // Classes and codes of PostgreSQL, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
        match error.code().as_deref() {
            Some("53100") => Self::Full,
            Some("55P03" | "40P01") => Self::Held(told),
            Some("3D000" | "42501" | "25006") => Self::Refused(told),
            Some(code) if code.starts_with("28") => Self::Refused(told),
            Some(code) if code.starts_with("08") || code.starts_with("57P") || code.starts_with("53") => {
                Self::Unreachable(told)
            }
            Some(code) if code.starts_with("XX") => Self::Damaged(told),
            _ => Self::Other(told),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::of_database(error.as_ref()),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => {
                Self::Unreachable(error.to_string())
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Odd(error.to_string())
            }
            other => Self::Other(other.to_string()),
        }
    }
}

impl From<StoreError> for model::Error {
    fn from(error: StoreError) -> Self {
        Self::internal(error.to_string())
    }
}
