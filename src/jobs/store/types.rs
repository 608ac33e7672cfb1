//! What goes into the store and comes out of it: plain data.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job's id: a UUID of version 7 in 32 hexadecimal digits, so that ids sort by age.
pub type Id = String;

/// A moment: milliseconds since 1970, UTC.
pub type Moment = i64;

/// A fresh id.
pub fn new_id() -> Id {
    uuid::Uuid::now_v7().simple().to_string()
}

/// Now.
pub fn now() -> Moment {
    chrono::Utc::now().timestamp_millis()
}

/// Whose turn it is first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i64)]
pub enum Priority {
    /// Found by watching; nobody waits for it.
    Watch = 0,
    /// One of many that somebody asked for at once.
    Batch = 10,
    /// Somebody waits for it.
    Interactive = 20,
}

/// How many jobs run at once, at all workers together. What is above is passed over and waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one group: a server, or a person outside of servers.
    pub group: i64,
    /// Of one platform.
    pub platform: i64,
}

impl From<i64> for Limits {
    /// So many of a group, of whatever platform.
    fn from(group: i64) -> Self {
        Self { group, platform: i64::MAX }
    }
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits to be claimed.
    Queued,
    /// A worker has it, or had it until its lease lapsed.
    Running,
    /// Delivered.
    Done,
    /// Ended with an error.
    Failed,
    /// Somebody called it off.
    Cancelled,
    /// Its workers died under it, each time: somebody should look why.
    NeedsAttention,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled, Self::NeedsAttention];

    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::NeedsAttention => "needs_attention",
        }
    }

    /// The state of that word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether nothing comes after it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A job to be enqueued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id, see [`new_id`].
    pub id: Id,
    /// What asked for it, for example `i:<interaction id>`: a second job of the same source is not taken.
    pub source: Option<String>,
    /// Jobs with the same key run one after the other until [`super::JobStore::share`]: the second finds what the first has
    /// made.
    pub key: Option<String>,
    /// Who shares the limit of jobs at once: a server, or a person outside of servers.
    pub group: String,
    /// Who asked.
    pub user: Option<u64>,
    /// In which server.
    pub guild: Option<u64>,
    /// In which channel.
    pub channel: Option<u64>,
    /// The routed platform.
    pub platform: String,
    /// Whose turn it is first.
    pub priority: Priority,
    /// Not claimed before.
    pub run_at: Moment,
    /// How many attempts it has.
    pub max_attempts: i32,
    /// What is to be done.
    pub request: Value,
    /// Where the answer goes.
    pub address: Value,
}

/// What became of [`super::JobStore::enqueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is in the queue.
    New,
    /// A job of the same source was there already: nothing has changed.
    Known,
}

/// The right to write to a running job: a word that nobody else has. Whoever takes a job over gets a fresh one, and from then
/// on nothing that the former worker writes is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease(pub String);

/// A job that a worker has got.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// Its id.
    pub id: Id,
    /// The right to write to it.
    pub lease: Lease,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// How many there are.
    pub max_attempts: i32,
    /// What is to be done.
    pub request: Value,
    /// Where the answer goes.
    pub address: Value,
    /// What earlier attempts have posted, in order.
    pub parts: Vec<PartRow>,
}

/// How far a message of a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    /// The message is there, without files.
    Reserved,
    /// Its files may have been put on it or not.
    Sending,
    /// Its files are on it. Nothing comes after this.
    Sent,
}

impl PartState {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Sending => "sending",
            Self::Sent => "sent",
        }
    }

    /// The state of that word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Reserved, Self::Sending, Self::Sent].into_iter().find(|state| state.word() == word)
    }
}

/// One message of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// Its place, from 0.
    pub number: i32,
    /// How far it has come.
    pub state: PartState,
    /// The message, once it is there.
    pub message: Option<u64>,
    /// Where it is.
    pub channel: Option<u64>,
    /// The files that it carries or shall carry.
    pub files: Vec<SentFile>,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentFile {
    /// Which item of the post it is, from 0.
    pub item: i32,
    /// Which file of that item, from 0.
    pub ordinal: i32,
    /// Its content.
    pub sha256: String,
}

/// What a worker hears when it says that it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// Go on.
    Alive,
    /// Somebody wants it to stop: end it as cancelled.
    Cancel,
    /// Another worker has the job, or it has ended: stop at once and say nothing.
    Lost,
}

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Delivered.
    Done,
    /// Failed for good.
    Failed,
    /// Called off.
    Cancelled,
    /// Somebody should look at it.
    NeedsAttention,
    /// Failed for now. Without attempts left it is [`End::Failed`], after a cancel [`End::Cancelled`].
    Again {
        /// When the next attempt may begin.
        at: Moment,
    },
}

impl End {
    /// The state that it asks for.
    pub(super) fn state(self) -> State {
        match self {
            Self::Done => State::Done,
            Self::Failed => State::Failed,
            Self::Cancelled => State::Cancelled,
            Self::NeedsAttention => State::NeedsAttention,
            Self::Again { .. } => State::Queued,
        }
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The platform, where it was only known while working.
    pub platform: Option<String>,
    /// How the media was got: `api`, `cli` or `fallback`.
    pub method: Option<String>,
    /// The code of the error, if it failed.
    pub error_code: Option<String>,
    /// What the operator should know of it.
    pub error_text: Option<String>,
    /// [`crate::model::Outcome`] as JSON.
    pub outcome: Value,
    /// Files delivered.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
    /// From claimed to ended, in milliseconds.
    pub took_ms: i64,
}

/// What a pause is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One job.
    Job(Id),
    /// The jobs of one server.
    Guild(u64),
    /// All jobs.
    All,
}

/// One job as `queue`, `status` and the history show it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// Its id.
    pub id: Id,
    /// Where it stands.
    pub state: State,
    /// Whether it was paused itself. Its server, or everything, may be paused besides.
    pub paused: bool,
    /// Whether somebody wants it to stop.
    pub cancel_asked: bool,
    /// Who shares its limit.
    pub group: String,
    /// Who asked.
    pub user: Option<u64>,
    /// In which server.
    pub guild: Option<u64>,
    /// In which channel.
    pub channel: Option<u64>,
    /// The platform.
    pub platform: String,
    /// See [`Priority`].
    pub priority: i64,
    /// When it was asked for.
    pub created_at: Moment,
    /// Not claimed before.
    pub run_at: Moment,
    /// When the first attempt began.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// Attempts so far.
    pub attempts: i32,
    /// How many there are.
    pub max_attempts: i32,
    /// Until when its worker is believed to be alive.
    pub lease_until: Option<Moment>,
    /// Who runs it, or ran it last.
    pub worker: Option<String>,
    /// How far it has come, in the worker's word.
    pub phase: Option<String>,
    /// How far that is, from 0 to 1.
    pub fraction: Option<f32>,
    /// What is to be done.
    pub request: Value,
    /// Where the answer goes.
    pub address: Value,
    /// How the media was got.
    pub method: Option<String>,
    /// The code of the error.
    pub error_code: Option<String>,
    /// What the operator should know of it.
    pub error_text: Option<String>,
    /// [`crate::model::Outcome`] as JSON.
    pub outcome: Option<Value>,
    /// Files delivered.
    pub files: i64,
    /// Their bytes.
    pub bytes: i64,
    /// How long the last attempt took, in milliseconds.
    pub took_ms: i64,
}

/// Which jobs [`super::JobStore::list`] gives, newest first.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// Of this server.
    pub guild: Option<u64>,
    /// Of this person.
    pub user: Option<u64>,
    /// Of this platform.
    pub platform: Option<String>,
    /// Ended with this error.
    pub code: Option<String>,
    /// Ended at this moment or later.
    pub ended_since: Option<Moment>,
    /// Older than this job: the last one of the page before.
    pub before: Option<Id>,
    /// How many at the most, up to [`Filter::MOST`]; 0: as many as that.
    pub limit: usize,
}

impl Filter {
    /// Jobs of one page at the most.
    pub const MOST: usize = 500;
}
