//! Opening a PostgreSQL database, and hearing from it.

use std::{sync::Arc, time::Duration};

use log::LevelFilter;
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
};

use super::{
    engine::{CANCELS, Engine, WORK},
    error::{Result, StoreError},
    migrate,
    types::Id,
};

/// Connections of one process at the most, the one that listens included.
const CONNECTIONS: u32 = 10;

/// How long is waited for a connection, and for the server to answer a first time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that was idle for longer is asked for a sign of life before it is used: the server may have been restarted.
const TRUSTED: Duration = Duration::from_secs(1);

/// The pause between two tries to listen again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// How a claim begins: with a lock that goes with the transaction. The number is ours ("boss" in ASCII, then 1), of the space
/// that all users of a database share. What the claim then reads is newer than the lock.
pub(super) const BEGIN_CLAIM: &str = "BEGIN; SELECT pg_advisory_xact_lock(422776632065)";

/// How a migration begins, with a lock of the same kind.
pub(super) const BEGIN_MIGRATION: &str = "BEGIN; SELECT pg_advisory_xact_lock(422776632066)";

/// One connection.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    let connected = tokio::time::timeout(PATIENCE, PgConnection::connect_with(options)).await;
    Ok(connected.map_err(|_| StoreError::Unreachable("it does not answer".into()))??)
}

/// Opens a database, makes its tables, and listens.
pub(super) async fn open(
    url: &str,
    wake: Arc<Notify>,
    cancels: broadcast::Sender<Id>,
) -> Result<(Engine, JoinHandle<()>)> {
    let options: PgConnectOptions = url.parse()?;
    // The statements themselves are told at the level `trace` only: workers ask twice a second.
    let options = options.application_name("boss-bot").log_statements(LevelFilter::Trace);
    let mut first = connect(&options).await?;
    migrate::postgres(&mut first).await?;
    first.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        // One question less while there is much to do.
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > TRUSTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        // A statement, or a program that was halted in the middle of a transaction, holds up nobody for ever.
        .connect_with(options.options([("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "30s")]))
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(WORK).await?;
    listener.listen(CANCELS).await?;
    let listening = tokio::spawn(async move {
        loop {
            match listener.try_recv().await {
                Ok(Some(notice)) if notice.channel() == CANCELS => {
                    // Nobody listens: no job runs here.
                    let _ = cancels.send(notice.payload().to_owned());
                }
                Ok(Some(_)) => wake.notify_one(),
                // The connection was lost and is there again: something may have been missed.
                Ok(None) => wake.notify_one(),
                Err(sqlx::Error::PoolClosed) => break,
                Err(error) => {
                    tracing::warn!(%error, "the database does not tell of new work; asking it goes on");
                    tokio::time::sleep(LISTEN_AGAIN).await;
                }
            }
        }
    });
    Ok((Engine::Postgres(pool), listening))
}
