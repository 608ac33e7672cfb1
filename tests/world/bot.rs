//! The real binary, run against the world, with its whole log at hand.

use std::{
    ffi::OsString,
    future::Future,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
};

/// How long anything that the bot does may take before a story gives up on it. Generous: machines are slow at times.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The program under test: beside the test's or example's own executable, unless `BOSS_BOT_BINARY` names another.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("BOSS_BOT_BINARY") {
        return path.into();
    }
    // Cargo tells tests and benches at compile time; examples have to look beside themselves.
    if let Some(path) = option_env!("CARGO_BIN_EXE_boss-bot") {
        return path.into();
    }
    let own = std::env::current_exe().expect("the own executable");
    own.ancestors()
        .map(|folder| folder.join("boss-bot"))
        .find(|candidate| candidate.is_file())
        .expect("the boss-bot binary beside this executable: run `cargo build` first")
}

/// The pinned tools that the bot under test uses.
pub fn tools_dir() -> PathBuf {
    std::env::var_os("BOSS_BOT_TEST_TOOLS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tools"), PathBuf::from)
}

/// A running bot. Dropping it kills it.
#[derive(Debug)]
pub struct Bot {
    child: Child,
    pid: Pid,
    log: Log,
    /// Its data, downloads and logs.
    pub dir: PathBuf,
}

/// Everything the bot has written so far.
#[derive(Debug, Clone)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Receiver<usize>,
}

impl Log {
    /// All of it.
    pub fn text(&self) -> String {
        self.lines.lock().expect("the log").join("\n")
    }

    /// The first line for which `is_it` holds, waited for.
    pub async fn line(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let mut changed = self.changed.clone();
        let wait = async {
            loop {
                if let Some(line) = self.lines.lock().expect("the log").iter().find(|line| is_it(line)) {
                    return line.clone();
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(line) => line,
            Err(_) => panic!("the bot never logged {what}; it logged:\n{}", self.text()),
        }
    }
}

impl Bot {
    /// Starts `boss-bot run` with exactly this environment (and PATH).
    pub fn start(dir: &Path, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self::start_with(dir, ["run"], env)
    }

    /// Starts the binary with other arguments.
    pub fn start_with<'a>(
        dir: &Path,
        args: impl IntoIterator<Item = &'a str>,
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        Self::spawn(Command::new(binary()).args(args), dir, env)
    }

    /// Starts the binary by another program, which is to become it: the last argument of `program` is followed by the binary
    /// and its arguments.
    pub fn start_by(
        program: &[&str],
        dir: &Path,
        args: &[&str],
        env: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let (first, more) = program.split_first().expect("a program");
        Self::spawn(Command::new(first).args(more).arg(binary()).args(args), dir, env)
    }

    fn spawn(command: &mut Command, dir: &Path, env: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(env)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the bot starts");
        let pid = Pid::from_raw(child.id().expect("a running process").try_into().expect("a pid"));
        let (count, changed) = watch::channel(0);
        let log = Log { lines: Arc::default(), changed };
        let count = Arc::new(count);
        let out = child.stdout.take().expect("its output");
        let err = child.stderr.take().expect("its errors");
        tokio::spawn(collect(BufReader::new(out), log.lines.clone(), count.clone()));
        tokio::spawn(collect(BufReader::new(err), log.lines.clone(), count));
        Self { child, pid, log, dir: dir.to_owned() }
    }

    /// What it has written.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Runs a story while the bot runs; a bot that ends meanwhile fails the story at once, with its last words.
    pub async fn during<T>(&mut self, story: impl Future<Output = T>) -> T {
        tokio::select! {
            result = story => result,
            status = self.child.wait() => {
                panic!("the bot ended in the middle of the story ({status:?}); it logged:\n{}", self.log.text())
            }
        }
    }

    /// Asks it to stop, as a service manager does.
    pub fn terminate(&self) {
        kill(self.pid, Signal::SIGTERM).expect("the bot runs");
    }

    /// Asks it to stop, waits until it has, and returns how it ended, with how long that took.
    pub async fn stop(&mut self) -> (ExitStatus, Duration) {
        let asked = std::time::Instant::now();
        self.terminate();
        (self.ended().await, asked.elapsed())
    }

    /// Ends it as a crash does, without a chance to tidy up.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("the bot ran");
    }

    /// Waits until nothing that it started works any more. The end of somebody else's children has no event.
    pub async fn children_gone(&self) {
        let gone = async {
            while !self.processes_at_work().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, gone).await;
        assert!(waited.is_ok(), "these live on: {:?}", self.processes_at_work());
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("its status"),
            Err(_) => panic!("the bot does not end; it logged:\n{}", self.log.text()),
        }
    }

    /// Whether it has ended, however.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Resident memory in bytes, and its peak, from `/proc`.
    pub fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok())
                .unwrap_or(0)
                * 1024
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// Processes that still work inside the bot's folder: its children and theirs.
    pub fn processes_at_work(&self) -> Vec<String> {
        processes_inside(&self.dir)
            .into_iter()
            .filter(|(pid, _)| *pid != self.pid.as_raw())
            .map(|(_, name)| name)
            .collect()
    }
}

/// The processes whose working directory is `dir` or inside it.
pub fn processes_inside(dir: &Path) -> Vec<(i32, String)> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let entries = std::fs::read_dir("/proc").expect("/proc");
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let cwd = std::fs::read_link(entry.path().join("cwd")).ok()?;
            let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            cwd.starts_with(&dir).then(|| (pid, format!("{} ({pid})", name.trim())))
        })
        .collect()
}

async fn collect<R: tokio::io::AsyncRead + Unpin>(
    mut reader: BufReader<R>,
    lines: Arc<Mutex<Vec<String>>>,
    count: Arc<watch::Sender<usize>>,
) {
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(n) if n > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        lines.lock().expect("the log").push(text);
        count.send_modify(|count| *count += 1);
    }
}
