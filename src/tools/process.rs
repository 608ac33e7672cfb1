//! The one door for child processes: own group, limits, deadline, clean environment, killed as a whole.
//!
//! What a child gets is listed in [`Spawn`]; nothing else of ours reaches it: no environment variable, no standard
//! input, no working directory but the job's own. Its group (grandchildren included: the ffmpeg that yt-dlp starts) never
//! outlives the call, however that ends: by itself, by deadline, by cancellation, or because the future was dropped.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

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
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::model::{Error, Kind, Result};

/// How long a group may take to end by itself after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(1);
/// How long to go on reading what an ended child wrote: only a descendant that left the group could hold the pipe open.
const DRAIN: Duration = Duration::from_secs(2);
/// A longer line is cut here; yt-dlp's JSON of a video with hundreds of formats has about 1 MiB.
const MAX_LINE: usize = 16 * 1024 * 1024;
/// How much of the end of standard error is kept.
const STDERR_TAIL: usize = 16 * 1024;
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
    let mut child = start(&spawn)?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Error::internal(format!("{} was started without pipes", spawn.tool)));
    };
    let mut group = Group::of(&child);
    let mut out = Lines::new(out);
    let mut err = Lines::new(err);
    let mut tail = Tail::default();

    let status = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => {
                group.end(&mut child).await;
                return Err(Error::cancelled());
            }
            () = tokio::time::sleep_until(deadline) => {
                group.end(&mut child).await;
                let seconds = spawn.limits.deadline.as_secs_f64();
                return Err(Error::new(Kind::Timeout, format!("{} was ended after {seconds:.0} s", spawn.tool)));
            }
            more = out.advance(), if !out.ended => if more { on_line(Line::Out(&out.text())); },
            more = err.advance(), if !err.ended => if more {
                let text = err.text();
                tail.push(&text);
                on_line(Line::Err(&text));
            },
            status = child.wait() => break status,
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
    let status = status?;
    Ok(Finished {
        code: status.code(),
        signal: std::os::unix::process::ExitStatusExt::signal(&status),
        stderr: tail.into_string(),
    })
}

fn start(spawn: &Spawn) -> Result<Child> {
    let dir = spawn.dir.canonicalize().map_err(|error| {
        Error::internal(format!("{}: its folder {} is not there: {error}", spawn.tool, spawn.dir.display()))
    })?;
    let mut command = Command::new(absolute(&spawn.program));
    command
        .args(&spawn.args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()))
        .env("LANG", "C.UTF-8")
        .envs(
            ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"]
                .map(|name| (name, &dir)),
        )
        .envs(spawn.env.iter().map(|(name, value)| (name, value)))
        .current_dir(&dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let limits = spawn.limits;
    let parent = Pid::this();
    // SAFETY: between fork and exec only async-signal-safe calls are made (prctl, getppid, getrlimit, setrlimit, nice),
    // nothing is allocated, and the closure holds plain numbers.
    unsafe {
        command.pre_exec(move || confine(limits, parent));
    }
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Error::new(
            Kind::ToolMissing { tool: spawn.tool.to_owned() },
            format!("{} cannot be started from {}: {error}", spawn.tool, spawn.program.display()),
        ),
        _ => Error::internal(format!("{} cannot be started: {error}", spawn.tool)),
    })
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

/// A child's process group; killed when this goes out of scope.
struct Group(Option<Pid>);

impl Group {
    /// The group of a child started with `process_group(0)`: its id is the child's.
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// SIGTERM, a short grace, SIGKILL for all; then the child is reaped.
    async fn end(&mut self, child: &mut Child) {
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

/// Reads lines of bounded length; dropping [`Lines::advance`] half way loses nothing.
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    complete: bool,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, reader), line: Vec::new(), complete: true, ended: false }
    }

    /// Moves to the next line; false at the end.
    async fn advance(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.complete {
            self.line.clear();
            self.complete = false;
        }
        loop {
            // A broken pipe ends the stream like its end does.
            let chunk = self.reader.fill_buf().await.unwrap_or_default();
            if chunk.is_empty() {
                self.ended = true;
                self.complete = true;
                return !self.line.is_empty();
            }
            let (part, used, complete) = match chunk.iter().position(|byte| *byte == b'\n') {
                Some(at) => (chunk.get(..at).unwrap_or_default(), at + 1, true),
                None => (chunk, chunk.len(), false),
            };
            let room = MAX_LINE.saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(part.get(..room).unwrap_or_default());
            self.reader.consume(used);
            if complete {
                self.complete = true;
                return true;
            }
        }
    }

    /// The line, with anything that is not UTF-8 replaced.
    fn text(&self) -> String {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        String::from_utf8_lossy(line).into_owned()
    }
}

/// The end of standard error.
#[derive(Default)]
struct Tail(String);

impl Tail {
    fn push(&mut self, line: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(line);
        if self.0.len() > 4 * STDERR_TAIL {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let mut from = self.0.len().saturating_sub(STDERR_TAIL);
        while !self.0.is_char_boundary(from) {
            from += 1;
        }
        self.0.drain(..from);
    }

    fn into_string(mut self) -> String {
        self.cut();
        self.0
    }
}

#[cfg(test)]
mod tests;
