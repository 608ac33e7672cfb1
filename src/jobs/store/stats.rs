//! Looking into the store: single jobs, lists, counts and statistics. Nothing here changes anything.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    JobStore,
    engine::{Row, args, one},
    error::Result,
    sql,
    types::{Filter, JobRow, Moment, State},
};

const DAY_MS: i64 = 86_400_000;

/// How many jobs there are. What has ended is counted since the beginning, tidied or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Waiting, without those that are paused themselves.
    pub queued: u64,
    /// Waiting and paused themselves.
    pub paused: u64,
    /// Running.
    pub running: u64,
    /// Delivered.
    pub done: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Called off.
    pub cancelled: u64,
    /// Ended because their workers died.
    pub needs_attention: u64,
}

/// What jobs came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Jobs that ended.
    pub jobs: u64,
    /// Delivered.
    pub done: u64,
    /// Ended with an error.
    pub failed: u64,
    /// Called off.
    pub cancelled: u64,
    /// Ended because their workers died.
    pub needs_attention: u64,
    /// Files delivered.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long the last attempts of those delivered took together, in milliseconds.
    pub done_took_ms: u64,
}

impl Tally {
    fn add(&mut self, row: &Counted) {
        self.jobs += row.jobs;
        match row.state {
            State::Done => {
                self.done += row.jobs;
                self.done_took_ms += row.took_ms;
            }
            State::Failed => self.failed += row.jobs,
            State::Cancelled => self.cancelled += row.jobs,
            State::NeedsAttention => self.needs_attention += row.jobs,
            State::Queued | State::Running => {}
        }
        self.files += row.files;
        self.bytes += row.bytes;
    }

    /// How long a delivered job took on average, in milliseconds.
    pub fn average_ms(&self) -> Option<u64> {
        self.done_took_ms.checked_div(self.done)
    }
}

/// Statistics, in all and by what people ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// All of it.
    pub total: Tally,
    /// By platform.
    pub platforms: BTreeMap<String, Tally>,
    /// By how the media was got: `api`, `cli`, `fallback`; empty: it never was.
    pub methods: BTreeMap<String, Tally>,
    /// By day: days since 1970, UTC.
    pub days: BTreeMap<i64, Tally>,
    /// How many ended with which error.
    pub errors: BTreeMap<String, u64>,
}

/// A line of the statistics, as the database gives it.
struct Counted {
    state: State,
    jobs: u64,
    files: u64,
    bytes: u64,
    took_ms: u64,
}

impl JobStore {
    /// One job.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, id: &str) -> Result<Option<JobRow>> {
        one(self.inner.read(sql::ROW, args![id]).await?).as_ref().map(job).transpose()
    }

    /// A page of jobs, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, filter: Filter) -> Result<Vec<JobRow>> {
        let mut values = Vec::new();
        values.extend(filter.guild.map(|id| Some(id).into()));
        values.extend(filter.user.map(|id| Some(id).into()));
        values.extend(filter.platform.as_deref().map(Into::into));
        values.extend(filter.code.as_deref().map(Into::into));
        values.extend(filter.ended_since.map(Into::into));
        values.extend(filter.before.as_deref().map(Into::into));
        let limit = if filter.limit == 0 { Filter::MOST } else { filter.limit.min(Filter::MOST) };
        values.push((limit as i64).into());
        self.inner.read_built(sql::list(&filter), values).await?.iter().map(job).collect()
    }

    /// How many jobs there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        for row in self.inner.read(sql::COUNTS, Vec::new()).await? {
            let paused = row.flag("paused")?;
            let place = match row.word("state", State::of)? {
                State::Queued if paused => &mut counts.paused,
                State::Queued => &mut counts.queued,
                State::Running => &mut counts.running,
                State::Done => &mut counts.done,
                State::Failed => &mut counts.failed,
                State::Cancelled => &mut counts.cancelled,
                State::NeedsAttention => &mut counts.needs_attention,
            };
            *place += unsigned(&row, "jobs")?;
        }
        Ok(counts)
    }

    /// What jobs came to that have ended: of a server or of all, from the day of `since` on or from the beginning. Days are
    /// those of UTC.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stats(&self, guild: Option<u64>, since: Option<Moment>) -> Result<Stats> {
        let from = since.map_or(i64::MIN, |moment| moment.div_euclid(DAY_MS));
        let mut stats = Stats::default();
        for row in self.inner.read(sql::STATS, args![guild, from]).await? {
            let counted = Counted {
                state: row.word("state", State::of)?,
                jobs: unsigned(&row, "jobs")?,
                files: unsigned(&row, "files")?,
                bytes: unsigned(&row, "bytes")?,
                took_ms: unsigned(&row, "took_ms")?,
            };
            stats.total.add(&counted);
            stats.platforms.entry(row.text("platform")?).or_default().add(&counted);
            stats.methods.entry(row.text("method")?).or_default().add(&counted);
            stats.days.entry(row.int("day")?).or_default().add(&counted);
            let code = row.text("error_code")?;
            if !code.is_empty() {
                *stats.errors.entry(code).or_default() += counted.jobs;
            }
        }
        Ok(stats)
    }
}

/// A sum of what is never negative.
fn unsigned(row: &Row, name: &str) -> Result<u64> {
    Ok(u64::try_from(row.int(name)?).unwrap_or_default())
}

fn job(row: &Row) -> Result<JobRow> {
    Ok(JobRow {
        id: row.text("id")?,
        state: row.word("state", State::of)?,
        paused: row.flag("paused")?,
        cancel_asked: row.flag("cancel_asked")?,
        group: row.text("group_key")?,
        user: row.discord("user_id")?,
        guild: row.discord("guild_id")?,
        channel: row.discord("channel_id")?,
        platform: row.text("platform")?,
        priority: row.int("priority")?,
        created_at: row.int("created_at")?,
        run_at: row.int("run_at")?,
        started_at: row.int_or_none("started_at")?,
        finished_at: row.int_or_none("finished_at")?,
        attempts: row.small("attempts")?,
        max_attempts: row.small("max_attempts")?,
        lease_until: row.int_or_none("lease_until")?,
        worker: row.text_or_none("worker")?,
        phase: row.text_or_none("phase")?,
        fraction: row.real_or_none("fraction")?.map(|fraction| fraction as f32),
        // A row that makes no sense shall be seen, too.
        request: row.json("request").unwrap_or_default(),
        address: row.json("address").unwrap_or_default(),
        method: row.text_or_none("method")?,
        error_code: row.text_or_none("error_code")?,
        error_text: row.text_or_none("error_text")?,
        outcome: row.json_or_none("outcome").unwrap_or_default(),
        files: row.int("files")?,
        bytes: row.int("bytes")?,
        took_ms: row.int("took_ms")?,
    })
}
