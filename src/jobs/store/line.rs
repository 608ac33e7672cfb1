//! The line of those who wait: who is in it, and where.

use super::{
    JobStore,
    engine::{args, one},
    error::Result,
    sql,
    stats::job,
    types::{JobRow, now},
};

/// Whose open jobs are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    All,
    /// Those of a server.
    Guild(u64),
    /// Those of a person, outside of servers.
    User(u64),
}

/// Where a job stands that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// How many jobs have their turn before it.
    pub ahead: usize,
    /// Whether it may not begin because it, its server or everything is paused.
    pub held: bool,
}

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct InLine {
    /// The job.
    pub row: JobRow,
    /// How many have their turn before it. `None`: it runs, or may not begin now.
    pub ahead: Option<usize>,
    /// Whether it, its server or everything is paused.
    pub held: bool,
}

/// Jobs that have not ended, in the order in which they are worked on: those that run, those that wait, those that may not
/// begin now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// The first of them.
    pub jobs: Vec<InLine>,
    /// How many there are.
    pub total: usize,
}

impl JobStore {
    /// How many jobs have their turn before this one. `None`: it is not queued.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ahead(&self, id: &str) -> Result<Option<usize>> {
        Ok(self.place(id).await?.map(|place| place.ahead))
    }

    /// Where a job stands in the line. `None`: it is not queued.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn place(&self, id: &str) -> Result<Option<Place>> {
        let row = one(self.inner.read(sql::PLACE, args![id, now()]).await?);
        row.map(|row| Ok(Place { ahead: count(row.int("ahead")?), held: row.flag("held")? })).transpose()
    }

    /// What runs and what waits, `most` of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn line(&self, whose: Whose, most: usize) -> Result<Line> {
        let (guild, user) = match whose {
            Whose::All => (None, None),
            Whose::Guild(guild) => (Some(guild), None),
            Whose::User(user) => (None, Some(user)),
        };
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut line = Line::default();
        for row in self.inner.read(sql::QUEUE, args![now(), guild, user, most]).await? {
            line.total = count(row.int("total")?);
            line.jobs.push(InLine {
                row: job(&row)?,
                ahead: row.int_or_none("ahead")?.map(count),
                held: row.flag("held")?,
            });
        }
        Ok(line)
    }

    /// Whether nothing of a server is begun, or nothing at all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_paused(&self, guild: Option<u64>) -> Result<bool> {
        Ok(!self.inner.read(sql::PAUSED, args![guild]).await?.is_empty())
    }
}

fn count(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
