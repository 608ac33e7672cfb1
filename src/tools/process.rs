//! The one door for child processes: own group, limits, deadline, clean environment, killed as a whole.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::model::Result;

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
    /// RLIMIT_AS in bytes.
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

/// Runs a child to its end, handing on every line it writes. Any exit code is Ok.
///
/// # Errors
/// `tool_missing` when it cannot be started, `timeout` past the deadline, `cancelled` when `cancel` fires.
pub async fn run(
    _spawn: Spawn,
    _cancel: &CancellationToken,
    _on_line: &mut (dyn FnMut(Line<'_>) + Send),
) -> Result<Finished> {
    todo!()
}
