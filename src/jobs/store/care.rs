//! Looking after a database: is it whole, a copy of it, and a copy put back. Nothing here makes or migrates tables.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use log::LevelFilter;
use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, Connection, Row as _, SqliteConnection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};

use super::{
    error::{Result, StoreError},
    migrate, postgres, sqlite,
};
use crate::settings::DatabaseUrl;

/// What a look at a database found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Where it is, without secrets.
    pub place: String,
    /// The version of its tables.
    pub version: i64,
    /// The version that this program makes of it when it opens it.
    pub known: i64,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where it is now.
    pub path: PathBuf,
    /// Where that is what was there before, if there was something.
    pub former: Option<PathBuf>,
}

/// Looks whether a database is whole and whether this program can use it.
///
/// # Errors
/// When it cannot be reached, is damaged, is not ours, or is of a newer program.
pub async fn check(url: &DatabaseUrl) -> Result<Checked> {
    let (place, version, bytes) = match url {
        DatabaseUrl::Sqlite(path) => {
            let _lock = shared(path, "looked at")?;
            let mut connection = existing(path).await?;
            let version = whole(&mut connection).await.map_err(|error| error.about(path))?;
            connection.close().await?;
            let bytes = fs::metadata(path).map_err(|error| StoreError::of_file(path, &error))?.len();
            (path.display().to_string(), version, bytes)
        }
        DatabaseUrl::Postgres(url) => {
            let options: PgConnectOptions = url.expose_secret().parse()?;
            let mut connection = postgres::connect(&options).await?;
            let version = migrate::version_of_postgres(&mut connection).await?;
            let size = sqlx::query("SELECT pg_database_size(current_database())").fetch_one(&mut connection).await?;
            connection.close().await?;
            let place =
                format!("{} on {}", options.get_database().unwrap_or("the default database"), options.get_host());
            (place, version, u64::try_from(size.try_get::<i64, _>(0)?).unwrap_or_default())
        }
    };
    Ok(Checked { place, version, known: migrate::known(), bytes })
}

/// Copies a SQLite database as it is at this moment, also while a bot runs on it, and gives back the size of the copy. Half a
/// copy is never seen.
///
/// # Errors
/// When `to` is there already or cannot be written, and when the database cannot be read.
pub async fn backup(from: &Path, to: &Path) -> Result<u64> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(StoreError::Other(format!("{} is there already, and is not overwritten", to.display())));
    }
    let _lock = shared(from, "copied")?;
    let mut connection = existing(from).await?;
    let copy = copied(&mut connection, to).await.map_err(|error| error.about(from))?;
    connection.close().await?;
    let bytes = copy.as_file().metadata().map_err(|error| StoreError::of_file(to, &error))?.len();
    copy.persist_noclobber(to).map_err(|failed| StoreError::of_file(to, &failed.error))?;
    Ok(bytes)
}

/// Puts a copy in the place of a SQLite database: the one or the other is there at every moment. What was there is kept
/// beside it.
///
/// # Errors
/// When the copy is not whole, not ours or of a newer program; when a bot, or anybody else, has the database open.
pub async fn restore(from: &Path, to: &Path) -> Result<Restored> {
    let mut source = existing(from).await?;
    sqlite::make_folder(to)?;
    let lock = sqlite::lock_file(to)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::Held("a bot or another command has it open: stop it first".into()),
        TryLockError::Error(error) => StoreError::of_file(to, &error),
    })?;
    let copy = async {
        whole(&mut source).await?;
        copied(&mut source, to).await
    };
    let copy = copy.await.map_err(|error| error.about(from))?;
    source.close().await?;

    // What the former log holds belongs to the former file only. SQLite folds it in when the file is opened and closed by
    // nobody else; where it cannot, because the file is broken, the log goes aside with it.
    if to.exists()
        && let Ok(mut former) = existing(to).await
    {
        let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut former).await;
        let _ = former.close().await;
    }
    let former = sqlite::beside(to, "before-restore");
    let kept = keep_aside(to, &former)?.then(|| former.clone());
    for ending in ["wal", "shm"] {
        let log = sqlite::beside(to, ending);
        match fs::rename(&log, sqlite::beside(&former, ending)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::of_file(&log, &error)),
            _ => {}
        }
    }
    copy.persist(to).map_err(|failed| StoreError::of_file(to, &failed.error))?;
    Ok(Restored { path: to.to_owned(), former: kept })
}

/// Takes the lock of a database that is there.
fn shared(path: &Path, what: &str) -> Result<File> {
    if path.is_file() { sqlite::share(path, what) } else { Err(StoreError::Missing(path.to_owned())) }
}

/// Opens a file that is there. It stays as it is: its kind of log, too.
async fn existing(path: &Path) -> Result<SqliteConnection> {
    if !path.is_file() {
        return Err(StoreError::Missing(path.to_owned()));
    }
    let options = SqliteConnectOptions::new().filename(path).log_statements(LevelFilter::Trace);
    SqliteConnection::connect_with(&options).await.map_err(|error| StoreError::from(error).about(path))
}

/// Whether all of a file can be read and fits together; gives back the version of its tables.
async fn whole(connection: &mut SqliteConnection) -> Result<i64> {
    let version = migrate::version_of_sqlite(connection).await?;
    let said = sqlx::query("PRAGMA integrity_check(10)").fetch_all(&mut *connection).await?;
    let said: Vec<String> = said.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if said != ["ok"] {
        return Err(StoreError::Damaged(said.join("; ")));
    }
    match sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await?.len() {
        0 => Ok(version),
        lost => Err(StoreError::Damaged(format!("{lost} rows belong to jobs that are not there"))),
    }
}

/// A copy in the folder of `to`, on the disk to its last byte.
async fn copied(connection: &mut SqliteConnection, to: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: io::Error| StoreError::of_file(to, &error);
    // Readable by its owner only; SQLite takes a file that is empty.
    let copy = tempfile::Builder::new().prefix(".boss-bot-").suffix(".db").tempfile_in(folder).map_err(failed)?;
    let name = copy.path().to_str().ok_or_else(|| StoreError::Other(format!("{} is no UTF-8", folder.display())))?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(connection).await?;
    copy.as_file().sync_all().map_err(failed)?;
    Ok(copy)
}

/// Gives a file a second name, which replaces what had it. False: there is no such file.
fn keep_aside(path: &Path, aside: &Path) -> Result<bool> {
    let gone = |result: io::Result<()>| match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::of_file(aside, &error)),
    };
    if !path.exists() {
        return Ok(false);
    }
    gone(fs::remove_file(aside))?;
    gone(fs::hard_link(path, aside))
}
