//! Extractors that are loaded already: one waiting Python process a tool, which forks a child for each job.
//!
//! ```text
//! bot ── control socket ──► parent (tool imported, knows nothing of any job)
//!  │   out, err, channel      │ fork
//!  └──── the job ───────────► child: own group, limits, environment; becomes what `python -m tool` is
//! ```
//!
//! A fresh process spends most of its time on importing; a fork has that behind it. All else is as with a fresh process: the
//! child is confined, watched and killed by [`process::watch`], and nothing of a job outlives it, because the parent only
//! passes descriptors on. What a fresh process decides at its start and a fork inherits is the seed of string hashes, the same
//! for all jobs of one parent.
//!
//! A parent is started when it is first needed and ends with the bot, when nobody has needed it for a while, after
//! [`MOST_JOBS`], and when other versions of the tools were installed. Whatever goes wrong with it, the job is done by a fresh
//! process.

use std::{
    ffi::OsString,
    fmt, fs,
    io::{self, IoSlice},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use nix::{
    fcntl::OFlag,
    sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, send, sendmsg, socketpair},
    unistd::pipe2,
};
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf, pipe::Receiver},
    },
    process::Child,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::process::{self, End, Finished, Limits, Line, Running, Spawn, lines::Lines};
use crate::model::{Error, Result, Tool};

/// The parent's program.
const PARENT: &str = include_str!("warm/parent.py");
/// Runs the program that is the first message on standard input.
const LOADER: &str = "import os; exec(compile(os.read(0, 1 << 18), 'warm parent', 'exec'))";
/// How long a new parent may take until its first fork: importing on a slow disk takes seconds.
const STARTING: Duration = Duration::from_secs(30);
/// How long a parent may take for another fork, on a machine that is short of processors and memory.
const FORKING: Duration = Duration::from_secs(5);
/// How long to leave it when a parent could not be started.
const REST: Duration = Duration::from_secs(60);
/// Jobs of one parent; then a new one, with another hash seed.
const MOST_JOBS: usize = 500;
/// A larger job does not fit the channel at once.
const MOST_BYTES: usize = 128 * 1024;

/// The waiting parent of one tool, or the place for it.
pub(super) struct Warm {
    tool: Tool,
    environment: PathBuf,
    idle: Duration,
    slot: Arc<Mutex<Slot>>,
}

#[derive(Default)]
struct Slot {
    parent: Option<Arc<Parent>>,
    rest_until: Option<Instant>,
}

impl Warm {
    /// A place for the parent of `tool` from this Python environment. Starts nothing. A parent that nobody has needed for
    /// `idle` ends.
    pub(super) fn new(tool: Tool, environment: &Path, idle: Duration) -> Self {
        Self { tool, environment: environment.to_owned(), idle, slot: Arc::default() }
    }

    /// The process id of the parent, if one waits.
    pub(super) fn pid(&self) -> Option<u32> {
        lock(&self.slot).parent.as_ref().and_then(|parent| parent.child().id())
    }

    /// [`process::run`] by a fork, or by a fresh process where that cannot be had. `None`: the parent died, and the job with
    /// it.
    ///
    /// # Errors
    /// Those of [`process::run`].
    pub(super) async fn run(
        &self,
        spawn: Spawn,
        cancel: &CancellationToken,
        on_line: &mut (dyn FnMut(Line<'_>) + Send),
    ) -> Result<Option<Finished>> {
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        let deadline = Instant::now() + spawn.limits.deadline;
        let forked = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::cancelled()),
            () = tokio::time::sleep_until(deadline) => return Err(process::too_late(&spawn)),
            forked = self.fork(&spawn) => forked,
        };
        let running = match forked {
            Ok(running) => running,
            Err(why) => {
                tracing::warn!(tool = spawn.tool, %why, "no warm process: starting a fresh one");
                process::start(&spawn)?
            }
        };
        process::watch(running, &spawn, deadline, cancel, on_line).await
    }

    async fn fork(&self, spawn: &Spawn) -> std::result::Result<Running, Refusal> {
        let job = job(self.tool, spawn).ok_or(Refusal::Unfit)?;
        loop {
            let parent = self.parent()?;
            match parent.clone().fork(&job).await {
                Ok(running) => return Ok(running),
                Err(refusal) => {
                    self.dismiss(&parent);
                    // One that has worked and died meanwhile is replaced at once.
                    if !matches!(refusal, Refusal::Gone) || !parent.has_answered() {
                        return Err(refusal);
                    }
                }
            }
        }
    }

    /// Sends no more jobs to this parent. One that has never answered would do no better if it were started again.
    fn dismiss(&self, parent: &Arc<Parent>) {
        let mut slot = lock(&self.slot);
        if slot.parent.as_ref().is_some_and(|there| Arc::ptr_eq(there, parent)) {
            slot.parent = None;
            slot.rest_until = (!parent.has_answered()).then(|| Instant::now() + REST);
        }
    }

    /// The parent to ask: the waiting one, or a new one.
    fn parent(&self) -> std::result::Result<Arc<Parent>, Refusal> {
        let mut slot = lock(&self.slot);
        if slot.rest_until.is_some_and(|until| Instant::now() < until) {
            return Err(Refusal::Resting);
        }
        let installed = installed(&self.environment);
        if let Some(parent) = slot.parent.as_ref().filter(|parent| parent.serves(&installed)) {
            parent.touch();
            return Ok(parent.clone());
        }
        // Jobs under way hold the old one.
        slot.parent = None;
        match Parent::start(self.tool, &self.environment, installed) {
            Ok(parent) => {
                let parent = Arc::new(parent);
                slot.parent = Some(parent.clone());
                tokio::spawn(end_when_idle(Arc::downgrade(&self.slot), Arc::downgrade(&parent), self.idle));
                Ok(parent)
            }
            Err(error) => {
                slot.rest_until = Some(Instant::now() + REST);
                Err(Refusal::Failed(error))
            }
        }
    }
}

/// Why a job gets no fork.
#[derive(Debug)]
enum Refusal {
    /// It cannot be put into words: a path that is not UTF-8, or very long arguments.
    Unfit,
    /// No parent could be started a short while ago.
    Resting,
    /// The parent has ended.
    Gone,
    /// The parent is there and does not answer.
    Silent,
    /// The operating system refuses.
    Failed(io::Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit => f.write_str("the job cannot be handed over"),
            Self::Resting => f.write_str("the last one could not be started"),
            Self::Gone => f.write_str("it has ended"),
            Self::Silent => f.write_str("it does not answer"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => Self::Gone,
            io::ErrorKind::WouldBlock => Self::Silent,
            _ => Self::Failed(error),
        }
    }
}

impl From<nix::Error> for Refusal {
    fn from(error: nix::Error) -> Self {
        io::Error::from(error).into()
    }
}

/// What the child reads.
fn job(tool: Tool, spawn: &Spawn) -> Option<Vec<u8>> {
    let python = super::python_arguments(tool);
    let (module, args) = spawn.args.split_at_checked(python.len())?;
    if module != python {
        return None;
    }
    let dir = process::folder(spawn).ok()?;
    let env = process::environment(spawn, &dir);
    let text = |value: &OsString| value.to_str().map(str::to_owned);
    let job = json!({
        "args": args.iter().map(text).collect::<Option<Vec<_>>>()?,
        "env": env.iter().map(|(name, value)| Some((text(name)?, text(value)?.into())))
            .collect::<Option<serde_json::Map<_, _>>>()?,
        "dir": dir.to_str()?,
        "file_bytes": spawn.limits.file_bytes,
        "memory_bytes": spawn.limits.memory_bytes,
        "nice": spawn.limits.nice,
    });
    let line = format!("{job}\n").into_bytes();
    (line.len() <= MOST_BYTES).then_some(line)
}

/// What tells one installation from another: the packages' descriptions with their times.
fn installed(environment: &Path) -> Vec<(OsString, Option<SystemTime>)> {
    let entries = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries(environment.join("lib"))
        .flat_map(|python| entries(python.path().join("site-packages")))
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "dist-info"))
        .map(|entry| (entry.file_name(), entry.metadata().and_then(|metadata| metadata.modified()).ok()))
        .collect();
    found.sort();
    found
}

/// A waiting process with the tool imported. Killed when the last job and the slot have let go of it.
struct Parent {
    child: Mutex<Child>,
    control: OwnedFd,
    installed: Vec<(OsString, Option<SystemTime>)>,
    used: Mutex<Instant>,
    jobs: AtomicUsize,
    answered: AtomicBool,
}

impl Parent {
    fn start(tool: Tool, environment: &Path, installed: Vec<(OsString, Option<SystemTime>)>) -> io::Result<Self> {
        let (control, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        let limits = Limits { deadline: Duration::MAX, file_bytes: None, memory_bytes: None, nice: 0 };
        let child = process::command(&super::python(environment), limits)
            .args(["-I", "-u", "-c", LOADER, super::module(tool)])
            .envs(process::common_environment())
            .env("YTDLP_NO_PLUGINS", "1")
            // Nothing is to be found at home, or left there.
            .env("HOME", "/nonexistent")
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            // Never read. Python asks once what its streams can do, and these are like the children's.
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        send(control.as_raw_fd(), PARENT.as_bytes(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?;
        tracing::debug!(%tool, pid = child.id(), "a warm process is started");
        Ok(Self {
            child: Mutex::new(child),
            control,
            installed,
            used: Mutex::new(Instant::now()),
            jobs: AtomicUsize::new(0),
            answered: AtomicBool::new(false),
        })
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        lock(&self.child)
    }

    /// Whether the next job may go to it.
    fn serves(&self, installed: &[(OsString, Option<SystemTime>)]) -> bool {
        self.installed == installed
            && self.jobs.load(Ordering::Relaxed) < MOST_JOBS
            && matches!(self.child().try_wait(), Ok(None))
    }

    fn touch(&self) {
        *lock(&self.used) = Instant::now();
    }

    fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Asks for a child and gives it the job.
    async fn fork(self: Arc<Self>, job: &[u8]) -> std::result::Result<Running, Refusal> {
        self.jobs.fetch_add(1, Ordering::Relaxed);
        let (out, child_out) = pipe2(OFlag::O_CLOEXEC)?;
        let (err, child_err) = pipe2(OFlag::O_CLOEXEC)?;
        let (channel, child_channel) = UnixStream::pair()?;
        let child_channel = child_channel.into_std()?;
        child_channel.set_nonblocking(false)?;
        let passed = [child_out.as_raw_fd(), child_err.as_raw_fd(), child_channel.as_raw_fd()];
        sendmsg::<UnixAddr>(
            self.control.as_raw_fd(),
            &[IoSlice::new(b"j")],
            &[ControlMessage::ScmRights(&passed)],
            MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL,
            None,
        )?;
        drop((child_out, child_err, child_channel));
        let (out, err) = (Receiver::from_owned_fd(out)?, Receiver::from_owned_fd(err)?);
        let (answers, mut asking) = channel.into_split();
        let mut answers = Lines::new(answers);
        let patience = if self.has_answered() { FORKING } else { STARTING };
        // When this ends early the channel closes, and the parent ends the child that has got no job yet.
        match timeout(patience, answers.advance()).await {
            Err(_) => return Err(Refusal::Silent),
            Ok(false) => return Err(Refusal::Gone),
            Ok(true) => {}
        }
        let pid = answers.text().strip_prefix("pid ").and_then(|pid| pid.parse::<u32>().ok());
        let Some(pid) = pid.filter(|pid| *pid > 1) else { return Err(Refusal::Silent) };
        self.answered.store(true, Ordering::Relaxed);
        asking.write_all(job).await?;
        Ok(Running::new(Some(pid), out, err, Forked { answers, end: None, _asking: asking, _parent: self }))
    }
}

/// A child's channel. While it is open, the child's number stays its own.
struct Forked {
    answers: Lines<OwnedReadHalf>,
    end: Option<ExitStatus>,
    _asking: OwnedWriteHalf,
    _parent: Arc<Parent>,
}

#[async_trait]
impl End for Forked {
    async fn wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.end.is_none() && self.answers.advance().await {
            let said = self.answers.text();
            let number = |word: &str| said.strip_prefix(word).and_then(|number| number.parse::<i32>().ok());
            // As wait(2) packs them.
            self.end = number("code ").map(|code| code << 8).or_else(|| number("signal ")).map(ExitStatus::from_raw);
        }
        Ok(self.end)
    }
}

/// Takes a parent out of its slot when nobody has needed it for a while.
async fn end_when_idle(slot: Weak<Mutex<Slot>>, parent: Weak<Parent>, idle: Duration) {
    let mut until = Instant::now() + idle;
    loop {
        tokio::time::sleep_until(until).await;
        let (Some(slot), Some(parent)) = (slot.upgrade(), parent.upgrade()) else { return };
        let mut slot = lock(&slot);
        if !slot.parent.as_ref().is_some_and(|there| Arc::ptr_eq(there, &parent)) {
            return;
        }
        // The slot and we; every job holds it too.
        let at_work = Arc::strong_count(&parent) > 2;
        until = if at_work { Instant::now() } else { *lock(&parent.used) } + idle;
        if until <= Instant::now() {
            slot.parent = None;
            return;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
