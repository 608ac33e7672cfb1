//! Looking into the store: single jobs, lists, counts and statistics. Nothing here changes anything.
//!
//! Statistics are counters by day, which stay when jobs are tidied away: how many, how large, how long (`times`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    JobStore,
    engine::{Arg, Row, args, one},
    error::Result,
    sql,
    times::{Histogram, Step, Times},
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
    /// How long they took one by one, as far as that is known: it is since version 2 of the tables.
    pub times: Option<Times>,
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

    /// The share that was delivered of what was not called off, from 0 to 1.
    pub fn success_rate(&self) -> Option<f64> {
        let tried = self.done + self.failed + self.needs_attention;
        (tried > 0).then(|| self.done as f64 / tried as f64)
    }
}

/// Which jobs [`JobStore::stats`] counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatsFilter {
    /// Of this server.
    pub guild: Option<u64>,
    /// Of this platform.
    pub platform: Option<String>,
    /// Ended on the day of this moment or later. Days are those of UTC.
    pub since: Option<Moment>,
}

/// The fastest or the slowest of delivered jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Extreme {
    /// Its platform.
    pub platform: String,
    /// How its media was got.
    pub method: String,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
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
    /// How many ended with which error.
    pub errors: BTreeMap<String, u64>,
    /// The fastest of those delivered.
    pub fastest: Option<Extreme>,
    /// The slowest of those delivered.
    pub slowest: Option<Extreme>,
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

    /// What jobs came to that have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stats(&self, of: &StatsFilter) -> Result<Stats> {
        let mut stats = Stats::default();
        // Side by side: each reads all of its table.
        let (counts, times) =
            tokio::try_join!(self.inner.read(sql::STATS, of.values()), self.inner.read(sql::TIMES, of.values()))?;
        for row in counts {
            let counted = counted(&row)?;
            stats.total.add(&counted);
            stats.platforms.entry(row.text("platform")?).or_default().add(&counted);
            stats.methods.entry(row.text("method")?).or_default().add(&counted);
            let code = row.text("error_code")?;
            if !code.is_empty() {
                *stats.errors.entry(code).or_default() += counted.jobs;
            }
        }
        let mut all = Histogram::default();
        let mut platforms: BTreeMap<String, Histogram> = BTreeMap::new();
        let mut methods: BTreeMap<String, Histogram> = BTreeMap::new();
        for row in times {
            let step = Step {
                jobs: unsigned(&row, "jobs")?,
                least_ms: unsigned(&row, "least_ms")?,
                most_ms: unsigned(&row, "most_ms")?,
            };
            let (upto, platform, method) = (row.int("upto_ms")?, row.text("platform")?, row.text("method")?);
            all.add(upto, step);
            platforms.entry(platform.clone()).or_default().add(upto, step);
            methods.entry(method.clone()).or_default().add(upto, step);
            let extreme = |took_ms| Some(Extreme { platform: platform.clone(), method: method.clone(), took_ms });
            if stats.fastest.as_ref().is_none_or(|fastest| step.least_ms < fastest.took_ms) {
                stats.fastest = extreme(step.least_ms);
            }
            if stats.slowest.as_ref().is_none_or(|slowest| step.most_ms > slowest.took_ms) {
                stats.slowest = extreme(step.most_ms);
            }
        }
        stats.total.times = all.times();
        for (tallies, histograms) in [(&mut stats.platforms, platforms), (&mut stats.methods, methods)] {
            for (name, histogram) in histograms {
                tallies.entry(name).or_default().times = histogram.times();
            }
        }
        Ok(stats)
    }

    /// The same by day: days since 1970, UTC. Without [`Tally::times`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn days(&self, of: &StatsFilter) -> Result<BTreeMap<i64, Tally>> {
        let mut days: BTreeMap<i64, Tally> = BTreeMap::new();
        for row in self.inner.read(sql::DAYS, of.values()).await? {
            days.entry(row.int("day")?).or_default().add(&counted(&row)?);
        }
        Ok(days)
    }
}

impl StatsFilter {
    /// The values of a statement about counters.
    fn values(&self) -> Vec<Arg> {
        let from = self.since.map_or(i64::MIN, |moment| moment.div_euclid(DAY_MS));
        args![self.guild, self.platform.clone(), from]
    }
}

fn counted(row: &Row) -> Result<Counted> {
    Ok(Counted {
        state: row.word("state", State::of)?,
        jobs: unsigned(row, "jobs")?,
        files: unsigned(row, "files")?,
        bytes: unsigned(row, "bytes")?,
        took_ms: unsigned(row, "took_ms")?,
    })
}

/// A sum of what is never negative.
pub(super) fn unsigned(row: &Row, name: &str) -> Result<u64> {
    Ok(u64::try_from(row.int(name)?).unwrap_or_default())
}

pub(super) fn job(row: &Row) -> Result<JobRow> {
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
