//! The one door for child processes: own group, limits, deadline, clean environment, killed as a whole.
//!
//! What a child gets is listed in [`Spawn`]; nothing else of ours reaches it: no environment variable, no standard
//! input, no working directory but the job's own. Its group (grandchildren included: the ffmpeg that yt-dlp starts) never
//! outlives the call, however that ends: by itself, by deadline, by cancellation, or because the future was dropped.

pub(super) mod lines;

use std::{
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use async_trait::async_trait;
use nix::{
    libc,
    sys::{
        prctl,
        resource::{Resource, getrlimit, rlim_t, setrlimit},
        signal::{Signal, killpg},
    },
    unistd::{Pid, getppid},
};
use tokio::{
    io::AsyncRead,
    process::{Child, Command},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::model::{Error, Kind, Result};
use lines::{Lines, Tail};

/// How long a group may take to end by itself after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(1);
/// How long to go on reading what an ended child wrote: only a descendant that left the group could hold the pipe open.
const DRAIN: Duration = Duration::from_secs(2);
/// `PATH` of children when we have none ourselves.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A child process to run.
#[derive(Debug, Clone)]
pub struct Spawn {
    /// The tool's name for errors: `yt-dlp`, `ffmpeg` …
    pub tool: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments; no shell is involved.
    pub args: Vec<OsString>,
    /// Its whole environment beyond the fixed minimum (PATH, LANG, HOME and TMPDIR of the job).
    pub env: Vec<(OsString, OsString)>,
    /// Working directory, HOME and TMPDIR: a folder of the job's own.
    pub dir: PathBuf,
    /// What it may use.
    pub limits: Limits,
}

/// What a child may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Wall clock; then the whole group is killed and the error is `timeout`.
    pub deadline: Duration,
    /// RLIMIT_FSIZE in bytes.
    pub file_bytes: Option<u64>,
    /// RLIMIT_DATA in bytes: what a process may really use. Address space that is only reserved does not count, because
    /// JavaScript engines (yt-dlp starts one for YouTube where it finds one) reserve it by the gigabyte.
    pub memory_bytes: Option<u64>,
    /// Added niceness.
    pub nice: i32,
}

/// A line the child wrote, without its end.
#[derive(Debug, Clone, Copy)]
pub enum Line<'a> {
    /// On standard output.
    Out(&'a str),
    /// On standard error.
    Err(&'a str),
}

/// How the child ended by itself.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit code; `None`: a signal.
    pub code: Option<i32>,
    /// The signal that ended it (SIGXFSZ: the file-size limit).
    pub signal: Option<i32>,
    /// The end of its standard error (at most 16 KiB), not redacted.
    pub stderr: String,
}

impl Finished {
    /// Whether it ended with code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Runs a child to its end, handing on every line it writes. Any exit code is Ok. Call it from a thread that lives as
/// long as the runtime (a worker or the main thread, not `spawn_blocking`): the child dies with the thread that started
/// it.
///
/// # Errors
/// `tool_missing` when it cannot be started, `timeout` past the deadline, `cancelled` when `cancel` fires.
pub async fn run(
    spawn: Spawn,
    cancel: &CancellationToken,
    on_line: &mut (dyn FnMut(Line<'_>) + Send),
) -> Result<Finished> {
    if cancel.is_cancelled() {
        return Err(Error::cancelled());
    }
    let deadline = Instant::now() + spawn.limits.deadline;
    let running = start(&spawn)?;
    watch(running, &spawn, deadline, cancel, on_line)
        .await?
        .ok_or_else(|| Error::internal(format!("how {} ended cannot be told", spawn.tool)))
}

/// A child under way, whoever started it.
pub(super) struct Running {
    // Before `end`: while that is held, the group's number cannot become somebody else's.
    group: Group,
    out: Box<dyn AsyncRead + Send + Unpin>,
    err: Box<dyn AsyncRead + Send + Unpin>,
    end: Box<dyn End>,
}

impl Running {
    /// `pid`: the child, the leader of a group of its own; `None`: it has ended already.
    pub(super) fn new(
        pid: Option<u32>,
        out: impl AsyncRead + Send + Unpin + 'static,
        err: impl AsyncRead + Send + Unpin + 'static,
        end: impl End + 'static,
    ) -> Self {
        let group = Group(pid.and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        Self { group, out: Box::new(out), err: Box::new(err), end: Box::new(end) }
    }
}

/// Hears how a child ends.
#[async_trait]
pub(super) trait End: Send {
    /// Waits for the end; `None`: it has come, but nobody can say how. Dropped half way, it loses nothing.
    async fn wait(&mut self) -> io::Result<Option<ExitStatus>>;
}

#[async_trait]
impl End for Child {
    async fn wait(&mut self) -> io::Result<Option<ExitStatus>> {
        Child::wait(self).await.map(Some)
    }
}

/// Watches a child to its end; `None`: it is gone, and nobody can say how it ended. `spawn` is what it was made from.
///
/// # Errors
/// `timeout` past the deadline, `cancelled` when `cancel` fires.
pub(super) async fn watch(
    running: Running,
    spawn: &Spawn,
    deadline: Instant,
    cancel: &CancellationToken,
    on_line: &mut (dyn FnMut(Line<'_>) + Send),
) -> Result<Option<Finished>> {
    let Running { group, out, err, mut end } = running;
    // Goes out of scope before `end`, as it does in `Running`.
    let mut group = group;
    let mut out = Lines::new(out);
    let mut err = Lines::new(err);
    let mut tail = Tail::default();

    let status = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                group.end(&mut *end).await;
                return Err(Error::cancelled());
            }
            () = tokio::time::sleep_until(deadline) => {
                group.end(&mut *end).await;
                return Err(too_late(spawn));
            }
            more = out.advance(), if !out.ended => if more { on_line(Line::Out(&out.text())); },
            more = err.advance(), if !err.ended => if more {
                let text = err.text();
                tail.push(&text);
                on_line(Line::Err(&text));
            },
            status = end.wait() => break status,
        }
    };
    // Whatever the child left running goes before we look at what it made.
    group.kill();
    let drain = (Instant::now() + DRAIN).min(deadline);
    while let Ok(true) = timeout_at(drain, out.advance()).await {
        on_line(Line::Out(&out.text()));
    }
    while let Ok(true) = timeout_at(drain, err.advance()).await {
        let text = err.text();
        tail.push(&text);
        on_line(Line::Err(&text));
    }
    Ok(status?.map(|status| Finished { code: status.code(), signal: status.signal(), stderr: tail.into_string() }))
}

/// The error past the deadline.
pub(super) fn too_late(spawn: &Spawn) -> Error {
    let seconds = spawn.limits.deadline.as_secs_f64();
    Error::new(Kind::Timeout, format!("{} was ended after {seconds:.0} s", spawn.tool))
}

/// Starts a child of our own.
pub(super) fn start(spawn: &Spawn) -> Result<Running> {
    let dir = folder(spawn)?;
    let mut command = command(&spawn.program, spawn.limits);
    command
        .args(&spawn.args)
        .envs(environment(spawn, &dir))
        .current_dir(&dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Error::new(
            Kind::ToolMissing { tool: spawn.tool.to_owned() },
            format!("{} cannot be started from {}: {error}", spawn.tool, spawn.program.display()),
        ),
        _ => Error::internal(format!("{} cannot be started: {error}", spawn.tool)),
    })?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Error::internal(format!("{} was started without pipes", spawn.tool)));
    };
    Ok(Running::new(child.id(), out, err, child))
}

/// A program with an empty environment in a group of its own, killed with its handle and with the thread that starts it.
pub(super) fn command(program: &Path, limits: Limits) -> Command {
    let mut command = Command::new(absolute(program));
    command.env_clear().process_group(0).kill_on_drop(true);
    let parent = Pid::this();
    // SAFETY: between fork and exec only async-signal-safe calls are made (prctl, getppid, getrlimit, setrlimit, nice),
    // nothing is allocated, and the closure holds plain numbers.
    unsafe {
        command.pre_exec(move || confine(limits, parent));
    }
    command
}

/// The child's folder, absolute.
pub(super) fn folder(spawn: &Spawn) -> Result<PathBuf> {
    spawn.dir.canonicalize().map_err(|error| {
        Error::internal(format!("{}: its folder {} is not there: {error}", spawn.tool, spawn.dir.display()))
    })
}

/// The whole environment of a child.
pub(super) fn environment(spawn: &Spawn, dir: &Path) -> Vec<(OsString, OsString)> {
    let homes = ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"];
    let mut all = common_environment();
    all.extend(homes.map(|name| (name.into(), dir.into())));
    all.extend(spawn.env.iter().cloned());
    all
}

/// What all children get: where programs are, and a locale in which text is UTF-8.
pub(super) fn common_environment() -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    vec![("PATH".into(), path), ("LANG".into(), "C.UTF-8".into())]
}

/// A program given by a relative path means ours, not one relative to the child's folder; a bare name means `PATH`.
fn absolute(program: &Path) -> PathBuf {
    if program.components().count() < 2 {
        return program.to_owned();
    }
    std::path::absolute(program).unwrap_or_else(|_| program.to_owned())
}

/// Runs in the child between fork and exec.
fn confine(limits: Limits, parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if getppid() != parent {
        // The parent died before the line above could take hold.
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    lower(Resource::RLIMIT_CORE, 0)?;
    if let Some(bytes) = limits.file_bytes {
        lower(Resource::RLIMIT_FSIZE, bytes)?;
    }
    if let Some(bytes) = limits.memory_bytes {
        lower(Resource::RLIMIT_DATA, bytes)?;
    }
    if limits.nice != 0 {
        // SAFETY: no pointers. Raising niceness is always allowed; lowering may be refused, which does no harm.
        let _ = unsafe { libc::nice(limits.nice) };
    }
    Ok(())
}

fn lower(resource: Resource, bytes: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let limit = hard.min(bytes as rlim_t);
    Ok(setrlimit(resource, limit, limit)?)
}

/// A child's process group, whose number is the child's; killed when this goes out of scope.
struct Group(Option<Pid>);

impl Group {
    /// SIGTERM, a short grace, SIGKILL for all; then the child is reaped.
    async fn end(&mut self, child: &mut dyn End) {
        if let Some(group) = self.0 {
            // Fails only when nobody is left.
            let _ = killpg(group, Signal::SIGTERM);
        }
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
        self.kill();
        let _ = tokio::time::timeout(DRAIN, child.wait()).await;
    }

    fn kill(&mut self) {
        if let Some(group) = self.0.take() {
            // Fails only when nobody is left.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
pub(super) mod tests;
