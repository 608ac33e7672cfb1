//! Real parents and children, of a tool that does what its first argument says: a package named like one of ours, in an
//! environment of its own.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::mpsc;

use super::*;
use crate::tools::process::tests::gone;

const LIMITS: Limits =
    Limits { deadline: Duration::from_secs(60), file_bytes: Some(1 << 20), memory_bytes: Some(1 << 30), nice: 3 };

/// A Python environment with the tool, its warm process, and a folder for jobs.
struct Stage {
    environment: tempfile::TempDir,
    jobs: tempfile::TempDir,
    warm: Warm,
}

impl Stage {
    fn set() -> Self {
        Self::waiting(Duration::from_secs(600))
    }

    /// With a warm process that ends when nobody has needed it for so long.
    fn waiting(idle: Duration) -> Self {
        let (environment, jobs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let made = std::process::Command::new("python3")
            .args(["-I", "-m", "venv", "--without-pip"])
            .arg(environment.path())
            .status();
        assert!(made.unwrap().success());
        let package = Self::packages(environment.path()).join("yt_dlp");
        fs::create_dir(&package).unwrap();
        let main = "import random, sys, tempfile\nseen = []\ndef main():\n    exec(sys.argv[1], {'seen': seen})\n";
        fs::write(package.join("__init__.py"), main).unwrap();
        fs::write(package.join("__main__.py"), "import yt_dlp\nyt_dlp.main()\n").unwrap();
        let warm = Warm::new(Tool::YtDlp, environment.path(), idle);
        Self { environment, jobs, warm }
    }

    fn packages(environment: &Path) -> PathBuf {
        let python = fs::read_dir(environment.join("lib")).unwrap().next().unwrap().unwrap();
        python.path().join("site-packages")
    }

    fn job(&self, script: &str) -> Spawn {
        let mut args = super::super::python_arguments(Tool::YtDlp).map(OsString::from).to_vec();
        args.push(script.into());
        Spawn {
            tool: "yt-dlp",
            program: super::super::python(self.environment.path()),
            args,
            env: vec![("EXTRA".into(), "x y".into())],
            dir: self.jobs.path().to_owned(),
            limits: LIMITS,
        }
    }

    async fn run(&self, spawn: Spawn) -> (Result<Option<Finished>>, Vec<String>) {
        let mut lines = Vec::new();
        let end = self.warm.run(spawn, &CancellationToken::new(), &mut |line| lines.push(text(line))).await;
        (end, lines)
    }

    /// Runs a script that must succeed by a fork, and returns what it printed.
    async fn print(&self, script: &str) -> Vec<String> {
        let (end, lines) = self.run(self.job(&format!("{WHO}{script}"))).await;
        assert!(end.as_ref().unwrap().as_ref().unwrap().success(), "{end:?}");
        let (parent, rest) = lines.split_first().unwrap();
        assert_eq!(*parent, format!("out {}", self.warm.pid().unwrap()), "not a fork");
        rest.to_vec()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.warm.pid().unwrap().try_into().unwrap())
    }
}

/// Says who has forked it.
const WHO: &str = "import os; print(os.getppid(), flush=True)\n";

fn text(line: Line<'_>) -> String {
    match line {
        Line::Out(text) => format!("out {text}"),
        Line::Err(text) => format!("err {text}"),
    }
}

fn number(line: &str) -> i32 {
    line.strip_prefix("out ").unwrap().parse().unwrap()
}

/// Scripts whose output tells what a job finds.
const VIEWS: &[&str] = &[
    // How it ends.
    "import sys; sys.exit(3)",
    "import sys; sys.exit(259)",
    "import sys; sys.exit('sorry')",
    "import sys; sys.exit()",
    "import os; os._exit(7)",
    "import os; os.kill(os.getpid(), 9)",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "import threading, time; threading.Thread(target=lambda: (time.sleep(.05), print('thread'))).start(); print('main')",
    "import atexit; atexit.register(print, 'at exit'); print('main')",
    // What it reads and writes.
    "import sys; print('one'); print('two', file=sys.stderr); sys.stdout.buffer.write(b'tail\\xff')",
    "import sys; print(repr(sys.stdin.read()), sys.stdin.isatty())",
    "import sys; print([(s.encoding, s.errors, s.line_buffering, s.write_through, s.seekable(), s.isatty()) \
     for s in (sys.stdout, sys.stderr)])",
    "import os; print([os.fstat(n).st_mode for n in range(3)])",
    // Where it is.
    "import os, sys; print(sorted(os.environ.items())); print(os.getcwd(), os.path.expanduser('~'))",
    "import os; os.execv('/usr/bin/env', ['env'])",
    "import sys; print(sys.argv, sys.flags, sys.path, sys.prefix, sys.warnoptions)",
    "import sys; print(__import__('__main__').__name__, __import__('__main__').__spec__.name)",
    "import tempfile, time; print(tempfile.gettempdir(), time.tzname)",
    // What it may do.
    "import resource as r; print({n: r.getrlimit(getattr(r, n)) for n in dir(r) if n.startswith('RLIMIT')})",
    "import os; print(os.nice(0), os.getpgrp() == os.getpid(), os.umask(0), os.getuid(), os.getgroups())",
    "import signal; print([(s, signal.getsignal(s)) for s in signal.valid_signals()], signal.pthread_sigmask(0, []))",
    "import threading; print(len(threading.enumerate()), threading.main_thread().ident == threading.get_ident())",
    "import ctypes; n = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(n)); print(n)",
    "open('large', 'wb').write(bytes(1 << 21))",
    "bytearray(2 << 30)",
];

#[tokio::test]
async fn a_fork_finds_what_a_fresh_process_finds_and_ends_the_same_way() {
    let stage = Stage::set();
    for script in VIEWS {
        let mut fresh_lines = Vec::new();
        let mut on_line = |line: Line<'_>| fresh_lines.push(text(line));
        let fresh = process::run(stage.job(script), &CancellationToken::new(), &mut on_line).await.unwrap();
        let _ = fs::remove_file(stage.jobs.path().join("large"));
        let (end, mut lines) = stage.run(stage.job(script)).await;
        let end = end.unwrap().unwrap();
        assert!(stage.warm.pid().is_some(), "no warm process");
        assert_eq!((end.code, end.signal), (fresh.code, fresh.signal), "{script}: {end:?} {fresh:?}");
        // Where a traceback begins, and where lines of two streams meet, is nobody's promise.
        let comparable = |lines: &mut Vec<String>| {
            lines.retain(|line| !line.starts_with("err   "));
            lines.sort();
        };
        comparable(&mut lines);
        comparable(&mut fresh_lines);
        assert_eq!(lines, fresh_lines, "{script}");
        if let Ok(large) = fs::metadata(stage.jobs.path().join("large")) {
            assert_eq!(large.len(), 1 << 20, "{script}");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_job_is_there_for_the_next() {
    let stage = Stage::set();
    let secret = format!("secret-{}", uuid::Uuid::new_v4());
    let script = "import random, tempfile\nseen.append(1)\nos.environ['LEFT'] = os.environ['EXTRA']\n\
                  tempfile.gettempdir()\nos.umask(0)\nprint(seen, os.environ['LEFT'], random.random())";
    let mut job = stage.job(&format!("{WHO}{script}"));
    job.env = vec![("EXTRA".into(), secret.clone().into())];
    let (end, first) = stage.run(job).await;
    assert!(end.unwrap().unwrap().success() && first[1].contains(&secret), "{first:?}");
    let pid = stage.pid();
    let second = stage.print("import random\nprint(seen, sorted(os.environ), random.random())").await;
    assert!(second[0].starts_with("out [] ") && !second[0].contains("LEFT"), "{second:?}");
    assert_eq!(stage.pid(), pid, "the same parent");
    let random = |line: &str| line.rsplit(' ').next().unwrap().to_owned();
    assert_ne!(random(&first[1]), random(&second[0]));
    // The parent could not tell if it wanted to: it has never seen the job.
    assert!(holds(pid, b"RLIMIT_FSIZE") && !holds(pid, secret.as_bytes()));
}

#[tokio::test]
async fn a_fork_holds_no_descriptor_but_its_standard_streams() {
    let stage = Stage::set();
    let script = "print(sorted(os.listdir('/proc/self/fd')))";
    // The last one is the listing's own.
    assert_eq!(stage.print(script).await, ["out ['0', '1', '2', '3']"]);
    let both = tokio::join!(stage.print(script), stage.print(script));
    assert_eq!(both.0, both.1);
}

/// Whether a process has these bytes anywhere in its memory.
fn holds(pid: Pid, bytes: &[u8]) -> bool {
    use std::os::unix::fs::FileExt;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    maps.lines().filter(|line| line.contains(" rw")).any(|line| {
        let (range, _) = line.split_once(' ').unwrap();
        let (from, to) = range.split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        let mut content = vec![0; usize::try_from(address(to) - address(from)).unwrap()];
        // Some special areas cannot be read.
        memory.read_exact_at(&mut content, address(from)).is_ok()
            && content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn past_the_deadline_the_grandchildren_of_a_fork_die_too() {
    let stage = Stage::set();
    stage.print("").await;
    let script = "import subprocess, time; print(subprocess.Popen(['sleep', '600']).pid); time.sleep(600)";
    let mut job = stage.job(script);
    job.limits.deadline = Duration::from_millis(700);
    let (end, lines) = stage.run(job).await;
    assert_eq!(end.unwrap_err().code(), "timeout");
    gone(number(&lines[0])).await;
    stage.print("").await;
}

#[tokio::test]
async fn a_fork_that_ignores_the_polite_signal_is_killed_within_the_grace() {
    let stage = Stage::set();
    let cancel = CancellationToken::new();
    let (sender, mut pids) = mpsc::unbounded_channel();
    let script = "import os, signal, subprocess, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n\
                  print(subprocess.Popen(['sh', '-c', 'trap \"\" TERM; sleep 600']).pid)\ntime.sleep(600)";
    let mut on_line = |line: Line<'_>| {
        sender.send(number(&text(line))).unwrap();
        cancel.cancel();
    };
    let before = Instant::now();
    let end = stage.warm.run(stage.job(script), &cancel, &mut on_line).await;
    assert_eq!(end.unwrap_err().code(), "cancelled");
    assert!(before.elapsed() < Duration::from_secs(10));
    gone(pids.recv().await.unwrap()).await;
    stage.print("").await;
}

#[tokio::test]
async fn what_a_fork_leaves_running_dies_with_it() {
    let stage = Stage::set();
    let lines = stage.print("import subprocess; print(subprocess.Popen(['sleep', '600']).pid)").await;
    gone(number(&lines[0])).await;
}

#[tokio::test]
async fn dropping_the_future_kills_the_group_of_a_fork() {
    let stage = Arc::new(Stage::set());
    let (sender, mut pids) = mpsc::unbounded_channel();
    let run = stage.clone();
    let task = tokio::spawn(async move {
        let script = "import os, subprocess, time\nprint(os.getpid())\nprint(subprocess.Popen(['sleep', '600']).pid)\n\
                      time.sleep(600)";
        let mut on_line = |line: Line<'_>| sender.send(number(&text(line))).unwrap();
        run.warm.run(run.job(script), &CancellationToken::new(), &mut on_line).await
    });
    let (child, grandchild) = (pids.recv().await.unwrap(), pids.recv().await.unwrap());
    task.abort();
    let _ = task.await;
    gone(child).await;
    gone(grandchild).await;
    stage.print("").await;
}

#[tokio::test]
async fn a_job_that_is_dropped_before_it_has_a_child_never_begins() {
    let stage = Stage::set();
    stage.print("").await;
    kill(stage.pid(), Signal::SIGSTOP).unwrap();
    let run = stage.run(stage.job("open('begun', 'w')"));
    assert!(tokio::time::timeout(Duration::from_millis(100), run).await.is_err());
    kill(stage.pid(), Signal::SIGCONT).unwrap();
    // In the order they were asked for.
    stage.print("").await;
    assert!(!stage.jobs.path().join("begun").exists());
}

#[tokio::test]
async fn a_cancelled_token_forks_nothing() {
    let stage = Stage::set();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let end = stage.warm.run(stage.job("open('begun', 'w')"), &cancel, &mut |_| ()).await;
    assert_eq!(end.unwrap_err().code(), "cancelled");
    assert_eq!(stage.warm.pid(), None);
}

#[tokio::test]
async fn when_the_parent_is_killed_its_children_die_and_the_next_job_has_a_new_one() {
    let stage = Stage::set();
    let (sender, mut pids) = mpsc::unbounded_channel();
    let script = "import os, subprocess, time\nprint(os.getpid())\nprint(subprocess.Popen(['sleep', '600']).pid)\n\
                  time.sleep(600)";
    let mut on_line = |line: Line<'_>| sender.send(number(&text(line))).unwrap();
    let cancel = CancellationToken::new();
    let run = stage.warm.run(stage.job(script), &cancel, &mut on_line);
    let murder = async {
        let family = [pids.recv().await.unwrap(), pids.recv().await.unwrap()];
        let parent = stage.pid();
        kill(parent, Signal::SIGKILL).unwrap();
        (family, parent)
    };
    let (end, (family, parent)) = tokio::join!(run, murder);
    assert!(end.unwrap().is_none(), "nobody can say how it ended");
    for pid in family {
        gone(pid).await;
    }
    stage.print("").await;
    assert_ne!(stage.pid(), parent);

    // And when nobody has noticed yet that it is gone.
    let parent = stage.pid();
    kill(parent, Signal::SIGKILL).unwrap();
    stage.print("").await;
    assert_ne!(stage.pid(), parent);
}

#[tokio::test]
async fn a_parent_that_does_not_answer_is_given_up_and_the_job_done_by_a_fresh_process() {
    let stage = Stage::set();
    stage.print("").await;
    let silent = stage.pid();
    kill(silent, Signal::SIGSTOP).unwrap();
    let (end, lines) = stage.run(stage.job(WHO)).await;
    assert!(end.unwrap().unwrap().success());
    assert_eq!(number(&lines[0]), i32::try_from(std::process::id()).unwrap());
    gone(silent.as_raw()).await;
    stage.print("").await;
}

#[tokio::test]
async fn where_no_parent_can_be_started_jobs_are_done_by_fresh_processes() {
    let stage = Stage::set();
    let python = super::super::python(stage.environment.path());
    let (real, tries) = (python.with_file_name("real"), stage.jobs.path().join("tries"));
    fs::rename(&python, &real).unwrap();
    // Refuses programs on the command line, and counts them.
    let script = format!(
        "#!/bin/sh\nif [ \"$3\" = -c ]; then echo >> {}; exit 1; fi\nexec {} \"$@\"\n",
        tries.display(),
        real.display()
    );
    fs::write(&python, script).unwrap();
    fs::set_permissions(&python, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for _ in 0..2 {
        let (end, lines) = stage.run(stage.job("print('done')")).await;
        assert!(end.unwrap().unwrap().success());
        assert_eq!(lines, ["out done"]);
        assert_eq!(stage.warm.pid(), None);
    }
    assert_eq!(fs::read_to_string(tries).unwrap().len(), 1, "it is not tried again at once");
}

#[tokio::test]
async fn a_parent_that_nobody_needs_ends_and_one_at_work_does_not() {
    let stage = Stage::waiting(Duration::from_millis(200));
    let lines = stage.print("import time; time.sleep(1); print('done')").await;
    assert_eq!(lines, ["out done"]);
    let pid = stage.pid();
    gone(pid.as_raw()).await;
    assert_eq!(stage.warm.pid(), None);
    stage.print("").await;
}

#[tokio::test]
async fn other_versions_of_the_tools_get_another_parent() {
    let stage = Stage::set();
    stage.print("").await;
    let old = stage.pid();
    stage.print("").await;
    assert_eq!(stage.pid(), old);
    let package = Stage::packages(stage.environment.path());
    fs::create_dir(package.join("yt_dlp-2.dist-info")).unwrap();
    stage.print("").await;
    assert_ne!(stage.pid(), old);
    gone(old.as_raw()).await;
}

#[tokio::test]
async fn many_jobs_at_once_share_a_parent_and_mix_nothing_up() {
    let stage = Stage::set();
    let jobs = (0..12).map(|n| {
        let stage = &stage;
        async move { (n, stage.print(&format!("print({n})\nraise SystemExit(0)")).await) }
    });
    for (n, lines) in futures_util::future::join_all(jobs).await {
        assert_eq!(lines, [format!("out {n}")]);
    }
}

#[tokio::test]
async fn the_parent_ends_with_its_owner() {
    let stage = Stage::set();
    stage.print("").await;
    let pid = stage.pid();
    drop(stage);
    gone(pid.as_raw()).await;
}
