//! What an open store holds, and the operations that take more than one statement.

use std::{fs::File, sync::Arc, time::Duration};

use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
    time::timeout,
};

use super::{
    engine::{Arg, Begin, Engine, Row, Tx, args, id_of, one},
    error::{Result, StoreError},
    sql,
    types::{Claimed, Id, Lease, Limits, Moment, PartRow, PartState, State, now},
};

/// How long an operation is waited for. It goes on all the same: whether it comes to its end is for the database to say.
pub(super) const ANSWER: Duration = Duration::from_secs(40);

pub(super) struct Inner {
    pub(super) engine: Engine,
    /// Rung once for each change that made work.
    pub(super) wake: Arc<Notify>,
    /// The ids of running jobs that somebody wants to stop.
    pub(super) cancels: broadcast::Sender<Id>,
    /// Who listens to PostgreSQL.
    pub(super) listening: Option<JoinHandle<()>>,
    /// Held as long as a SQLite file is open.
    pub(super) _lock: Option<File>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(listening) = &self.listening {
            listening.abort();
        }
    }
}

impl Inner {
    /// A statement whose rows mean that there is work.
    pub(super) async fn waking(&self, sql: &'static str, values: Vec<Arg>) -> Result<Vec<Row>> {
        let rows = self.engine.write(self.engine.waking(sql), values).await?;
        if !rows.is_empty() {
            self.rang();
        }
        Ok(rows)
    }

    /// A statement that only reads.
    pub(super) async fn read(&self, sql: &'static str, values: Vec<Arg>) -> Result<Vec<Row>> {
        timeout(ANSWER, self.engine.read(sql, values)).await.unwrap_or_else(|_| Err(no_answer()))
    }

    /// The same for a text that was put together, from our own words only.
    pub(super) async fn read_built(&self, sql: String, values: Vec<Arg>) -> Result<Vec<Row>> {
        timeout(ANSWER, self.engine.read_built(sql, values)).await.unwrap_or_else(|_| Err(no_answer()))
    }

    /// Wakes a worker of this process. PostgreSQL wakes those of all processes by itself.
    pub(super) fn rang(&self) {
        if let Engine::Sqlite { .. } = self.engine {
            self.wake.notify_one();
        }
    }

    pub(super) async fn claim(&self, worker: &str, lease: Duration, limits: Limits) -> Result<Option<Claimed>> {
        loop {
            let now = now();
            let word = uuid::Uuid::new_v4().simple().to_string();
            let mut tx = self.engine.begin(Begin::Claim).await?;
            let values = args![now, word.as_str(), until(now, lease), worker, limits.group, limits.platform];
            let Some(row) = one(tx.rows(sql::CLAIM, values).await?) else {
                tx.rollback().await?;
                return Ok(None);
            };
            let id = id_of(&row)?;
            let state = row.word("state", State::of)?;
            if state != State::Running {
                tracing::warn!(id, "a job has lost its worker at every attempt: it needs attention");
                settle(tx, &id, state).await?;
                continue;
            }
            match claimed_of(&mut tx, &id, &word, &row).await {
                Ok(claimed) => {
                    tx.commit().await?;
                    return Ok(Some(claimed));
                }
                // Left in the queue it would be the next one again and again.
                Err(StoreError::Odd(told)) => {
                    tracing::error!(id, told, "a job cannot be read: it needs attention");
                    let state = State::NeedsAttention;
                    let (none, code) = (None::<String>, Some("internal".to_owned()));
                    let ended = args![
                        id.as_str(),
                        word.as_str(),
                        now,
                        state.word(),
                        None::<i64>,
                        none.clone(),
                        none.clone(),
                        code,
                        told.as_str(),
                        none,
                        0,
                        0,
                        0,
                    ];
                    tx.rows(sql::FINISH, ended).await?;
                    settle(tx, &id, state).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A row that was claimed, with what earlier attempts have posted.
async fn claimed_of(tx: &mut Tx, id: &str, word: &str, row: &Row) -> Result<Claimed> {
    let mut parts = Vec::new();
    if row.int("parts")? > 0 {
        for part in tx.rows(sql::PARTS, args![id]).await? {
            parts.push(part_of(&part)?);
        }
    }
    Ok(Claimed {
        id: id.to_owned(),
        lease: Lease(word.to_owned()),
        attempt: row.small("attempts")?,
        max_attempts: row.small("max_attempts")?,
        request: row.json("request")?,
        address: row.json("address")?,
        parts,
    })
}

/// Ends the transaction that brought a job to `state`: one that has ended for good is added to the statistics with it.
pub(super) async fn settle(mut tx: Tx, id: &str, state: State) -> Result<()> {
    if state.is_final() {
        tx.rows(sql::TALLY, args![id]).await?;
    }
    tx.commit().await
}

fn part_of(row: &Row) -> Result<PartRow> {
    Ok(PartRow {
        number: row.small("number")?,
        state: row.word("state", PartState::of)?,
        message: row.discord("message_id")?,
        channel: row.discord("channel_id")?,
        files: row.json("files")?,
    })
}

pub(super) fn no_answer() -> StoreError {
    StoreError::Unreachable(format!("no answer for {} s", ANSWER.as_secs()))
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// When a lease that begins now ends.
pub(super) fn until(now: Moment, lease: Duration) -> Moment {
    now.saturating_add(millis(lease))
}
