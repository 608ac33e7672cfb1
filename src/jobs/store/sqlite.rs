//! Opening a SQLite file: ours alone to read, beside a lock that tells a restore that it is in use.

use std::{
    ffi::OsString,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use log::LevelFilter;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    engine::Engine,
    error::{Result, StoreError},
    migrate,
};

/// How long a statement waits for another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a write waits for those of this process.
const IN_LINE: Duration = Duration::from_secs(30);

/// Connections that read, at the most.
const READERS: u32 = 4;

/// What SQLite's log may keep of the disk after a large change, in bytes.
const MOST_OF_LOG: u32 = 16 << 20;

/// How connections to the file behave.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // What was said to be done survives a loss of power, too.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .foreign_keys(true)
        .pragma("journal_size_limit", MOST_OF_LOG.to_string())
        .optimize_on_close(true, 400)
        .thread_name(|number| format!("sqlite-{number}"))
        // The statements themselves are told at the level `trace` only: workers ask twice a second.
        .log_statements(LevelFilter::Trace)
}

/// Opens the file, which is made where it is not there, and makes its tables. The lock is held as long as it is open.
pub(super) async fn open(path: &Path) -> Result<(Engine, File)> {
    let lock = prepare(path)?;
    let opened = async {
        let mut first = SqliteConnection::connect_with(&options(path)).await?;
        migrate::sqlite(&mut first).await?;
        first.close().await?;
        let pool = |most: u32, options| {
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(IN_LINE)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                // After a fault such as a full disk SQLite has ended the transaction by itself, and what sqlx does to end it fails:
                // it would refuse to begin another on this connection, for ever.
                .after_release(|connection, _| {
                    Box::pin(async move {
                        // By the answer a rollback that was only begun is done.
                        connection.ping().await?;
                        Ok(!connection.is_in_transaction())
                    })
                })
                .connect_with(options)
        };
        let write = pool(1, options(path)).await?;
        let read = pool(READERS, options(path).pragma("query_only", "ON").optimize_on_close(false, None)).await?;
        Ok::<_, StoreError>(Engine::Sqlite { write, read })
    };
    Ok((opened.await.map_err(|error| error.about(path))?, lock))
}

/// Makes folder and file, readable by their owner only, and takes the lock that many may hold.
fn prepare(path: &Path) -> Result<File> {
    make_folder(path)?;
    let lock = share(path, "opened")?;
    // SQLite gives its log the mode of the file.
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map_err(|error| StoreError::of_file(path, &error))?;
    Ok(lock)
}

/// Makes the folder of a database where it is not there.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| StoreError::of_file(folder, &error))
}

/// Takes the lock that many may hold, and a restore alone.
pub(super) fn share(path: &Path, what: &str) -> Result<File> {
    let lock = lock_file(path)?;
    lock.try_lock_shared().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::Held(format!("a copy is being put back, so it cannot be {what}")),
        TryLockError::Error(error) => StoreError::of_file(path, &error),
    })?;
    Ok(lock)
}

/// The file beside a database that is locked: shared by all that have it open, alone by a restore.
pub(super) fn lock_file(path: &Path) -> Result<File> {
    let lock = beside(path, "lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
    opened.map_err(|error| StoreError::of_file(&lock, &error))
}

/// `PATH-ending`, as SQLite names what belongs to a database.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-");
    name.push(ending);
    PathBuf::from(name)
}
