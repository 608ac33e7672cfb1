//! A database of either kind to try the store on, and the jobs that go into it.

use std::time::Duration;

use boss_bot::{
    jobs::store::{Claimed, End, JobStore, NewJob, Priority, Report, new_id, now},
    settings::DatabaseUrl,
};
use secrecy::SecretString;
use serde_json::json;

use crate::world::postgres;

/// Long enough that no lease lapses while a test runs.
pub const LONG: Duration = Duration::from_secs(600);

/// A lease that has lapsed when it is given.
pub const LAPSED: Duration = Duration::ZERO;

/// More of a group than any test has.
pub const MANY: i64 = 1000;

/// A fresh database, and the store on it.
pub struct Place {
    pub url: DatabaseUrl,
    pub store: JobStore,
    _dir: tempfile::TempDir,
}

impl Place {
    pub async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(dir.path().join("data").join("boss-bot.db"));
        Self { store: JobStore::open(&url).await.unwrap(), url, _dir: dir }
    }

    pub async fn postgres() -> Self {
        let url = DatabaseUrl::Postgres(SecretString::from(postgres::database().await));
        Self { store: JobStore::open(&url).await.unwrap(), url, _dir: tempfile::tempdir().unwrap() }
    }

    /// The same database once more, as another process opens it.
    pub async fn again(&self) -> JobStore {
        JobStore::open(&self.url).await.unwrap()
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.url, DatabaseUrl::Postgres(_))
    }

    /// Puts a job into the queue and gives back its id.
    pub async fn add(&self, job: NewJob) -> String {
        let id = job.id.clone();
        self.store.enqueue(job).await.unwrap();
        id
    }

    /// The next job, for as long as a test runs.
    pub async fn claim(&self) -> Option<Claimed> {
        self.store.claim("worker", LONG, MANY).await.unwrap()
    }

    /// The ids of all jobs that can be had, in order.
    pub async fn claim_all(&self, per_group: i64) -> Vec<String> {
        let mut ids = Vec::new();
        while let Some(claimed) = self.store.claim("worker", LONG, per_group).await.unwrap() {
            ids.push(claimed.id);
        }
        ids
    }

    pub async fn finish(&self, claimed: &Claimed, end: End) -> bool {
        self.store.finish(&claimed.id, &claimed.lease, end, Report::default()).await.unwrap()
    }
}

/// A job of a group, due now.
pub fn job(group: &str) -> NewJob {
    NewJob {
        id: new_id(),
        source: None,
        key: None,
        group: group.to_owned(),
        user: Some(1),
        guild: None,
        channel: Some(3),
        platform: "twitter".to_owned(),
        priority: Priority::Interactive,
        run_at: now(),
        max_attempts: 3,
        request: json!({"url": "https://x.com/ann/status/1"}),
        address: json!({"channel": 3}),
    }
}

/// The tests named, on databases of both kinds.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&crate::jobs_store::place::Place::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(&crate::jobs_store::place::Place::postgres().await).await;
            })+
        }
    };
}
pub(super) use on_both;
