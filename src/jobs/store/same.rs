//! Jobs that ask for the same, by their key: when the next one may begin, and where it was posted before.

use super::{
    JobStore,
    engine::{args, one},
    error::Result,
    sql,
    types::{Lease, Moment},
};

/// A message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostedAt {
    /// Its channel.
    pub channel: u64,
    /// Its id.
    pub message: u64,
}

impl JobStore {
    /// What others with the same key wait for is there: from now on they run beside this job. Nothing changes when the lease
    /// is lost, or the job has no key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn share(&self, id: &str, lease: &Lease) -> Result<()> {
        let values = args![id, lease.0.as_str()];
        self.whole(async move |inner| inner.waking(sql::SHARE, values).await.map(drop)).await
    }

    /// The first message of the newest delivery of this key in this channel, if that ended at `since` or later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn posted(&self, key: &str, channel: u64, since: Moment) -> Result<Option<PostedAt>> {
        let Some(row) = one(self.inner.read(sql::POSTED, args![key, Some(channel), since]).await?) else {
            return Ok(None);
        };
        Ok(row
            .discord("channel_id")?
            .zip(row.discord("message_id")?)
            .map(|(channel, message)| PostedAt { channel, message }))
    }
}
