//! Real children of `/bin/sh`.

use std::time::Duration;

use nix::{sys::signal::kill, unistd::Pid};
use tokio::sync::mpsc;

use super::{
    lines::{MAX_LINE, STDERR_TAIL},
    *,
};

const LIMITS: Limits = Limits { deadline: Duration::from_secs(30), file_bytes: None, memory_bytes: None, nice: 0 };

fn sh(script: &str, dir: &Path) -> Spawn {
    Spawn {
        tool: "sh",
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        env: Vec::new(),
        dir: dir.to_owned(),
        limits: LIMITS,
    }
}

async fn collect(spawn: Spawn) -> (Result<Finished>, Vec<String>) {
    let mut lines = Vec::new();
    let end = run(spawn, &CancellationToken::new(), &mut |line| {
        lines.push(match line {
            Line::Out(text) => format!("out {text}"),
            Line::Err(text) => format!("err {text}"),
        });
    })
    .await;
    (end, lines)
}

/// Waits until a process has gone; it may be a zombie of init for a moment.
pub(in crate::tools) async fn gone(pid: i32) {
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let deadline = Instant::now() + Duration::from_secs(10);
    while kill(Pid::from_raw(pid), None).is_ok() && !state().contains(") Z ") {
        assert!(Instant::now() < deadline, "process {pid} still lives: {}", state());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn lines_of_both_streams_and_the_code_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (end, mut lines) = collect(sh("echo one; echo two >&2; printf 'tail\\377'; exit 3", dir.path())).await;
    let end = end.unwrap();
    lines.sort();
    assert_eq!(lines, ["err two", "out one", "out tail\u{fffd}"]);
    assert_eq!((end.code, end.signal, end.stderr.as_str()), (Some(3), None, "two"));
}

#[tokio::test]
async fn the_environment_is_ours_alone_and_standard_input_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh("env; pwd; cat", dir.path());
    spawn.env.push(("EXTRA".into(), "x".into()));
    let (end, lines) = collect(spawn).await;
    assert!(end.unwrap().success());
    let home = dir.path().canonicalize().unwrap();
    for wanted in [
        "out EXTRA=x".to_owned(),
        "out LANG=C.UTF-8".to_owned(),
        format!("out HOME={}", home.display()),
        format!("out TMPDIR={}", home.display()),
        format!("out XDG_CONFIG_HOME={}", home.display()),
        format!("out {}", home.display()),
    ] {
        assert!(lines.contains(&wanted), "{wanted} in {lines:?}");
    }
    // cargo sets many variables; none may pass.
    assert!(!lines.iter().any(|line| line.contains("CARGO")), "{lines:?}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_missing_tool() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh("", dir.path());
    spawn.program = "/nowhere/at-all".into();
    assert_eq!(collect(spawn).await.0.unwrap_err().code(), "tool_missing");
}

#[tokio::test]
async fn past_the_deadline_the_grandchildren_die_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh("sleep 600 & echo $!; wait", dir.path());
    spawn.limits.deadline = Duration::from_millis(300);
    let (end, lines) = collect(spawn).await;
    assert_eq!(end.unwrap_err().code(), "timeout");
    gone(lines[0].strip_prefix("out ").unwrap().parse().unwrap()).await;
}

#[tokio::test]
async fn a_group_that_ignores_the_polite_signal_is_killed_within_the_grace() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    let (sender, mut pids) = mpsc::unbounded_channel();
    let spawn = sh("trap '' TERM; (trap '' TERM; sleep 600) & echo $!; while :; do sleep 600; done", dir.path());
    let mut on_line = |line: Line<'_>| {
        if let Line::Out(text) = line {
            sender.send(text.parse::<i32>().unwrap()).unwrap();
            cancel.cancel();
        }
    };
    let before = Instant::now();
    let end = run(spawn, &cancel, &mut on_line).await;
    assert_eq!(end.unwrap_err().code(), "cancelled");
    assert!(before.elapsed() < Duration::from_secs(5));
    gone(pids.recv().await.unwrap()).await;
}

#[tokio::test]
async fn what_a_child_leaves_running_dies_with_it() {
    let dir = tempfile::tempdir().unwrap();
    // The grandchild holds both pipes open: waiting for their end would take ten minutes.
    let (end, lines) = collect(sh("sleep 600 & echo $!", dir.path())).await;
    assert!(end.unwrap().success());
    gone(lines[0].strip_prefix("out ").unwrap().parse().unwrap()).await;
}

#[tokio::test]
async fn dropping_the_future_kills_the_group() {
    let dir = tempfile::tempdir().unwrap();
    let (sender, mut pids) = mpsc::unbounded_channel();
    let spawn = sh("echo $$; sleep 600 & echo $!; wait", dir.path());
    let task = tokio::spawn(async move {
        let mut on_line = |line: Line<'_>| {
            if let Line::Out(text) = line {
                sender.send(text.parse::<i32>().unwrap()).unwrap();
            }
        };
        run(spawn, &CancellationToken::new(), &mut on_line).await
    });
    let (child, grandchild) = (pids.recv().await.unwrap(), pids.recv().await.unwrap());
    task.abort();
    let _ = task.await;
    gone(child).await;
    gone(grandchild).await;
}

#[tokio::test]
async fn the_file_limit_ends_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh("exec head -c 100000 /dev/zero > big", dir.path());
    spawn.limits.file_bytes = Some(4096);
    let end = collect(spawn).await.0.unwrap();
    assert_eq!((end.code, end.signal), (None, Some(libc::SIGXFSZ)));
    assert_eq!(dir.path().join("big").metadata().unwrap().len(), 4096);
}

#[tokio::test]
async fn core_files_memory_and_niceness_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    let mut spawn = sh("ulimit -c; ulimit -d; exec nice", dir.path());
    spawn.limits.memory_bytes = Some(1 << 30);
    spawn.limits.nice = 5;
    let (end, lines) = collect(spawn).await;
    assert!(end.unwrap().success());
    let base: i32 =
        String::from_utf8(std::process::Command::new("nice").output().unwrap().stdout).unwrap().trim().parse().unwrap();
    assert_eq!(lines, ["out 0".to_owned(), format!("out {}", 1 << 20), format!("out {}", (base + 5).min(19))]);
}

#[tokio::test]
async fn the_memory_limit_ends_what_grows_without_end() {
    let dir = tempfile::tempdir().unwrap();
    // `tail` keeps a whole line in memory, and this one has 300 MB.
    let mut spawn = sh("head -c 300000000 /dev/zero | tail -n 1 | wc -c", dir.path());
    spawn.limits.memory_bytes = Some(64 << 20);
    let (end, lines) = collect(spawn).await;
    assert!(lines.contains(&"out 0".to_owned()), "{end:?} {lines:?}");
}

#[tokio::test]
async fn standard_error_keeps_its_end_only() {
    let dir = tempfile::tempdir().unwrap();
    let script = "i=0; while [ $i -lt 4000 ]; do echo \"line $i ééééééééé\" >&2; i=$((i+1)); done";
    let end = collect(sh(script, dir.path())).await.0.unwrap();
    assert!(end.stderr.len() <= STDERR_TAIL, "{}", end.stderr.len());
    assert!(end.stderr.ends_with("line 3999 ééééééééé"));
}

#[tokio::test]
async fn an_endless_line_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("head -c {} /dev/zero | tr '\\0' x; echo; echo next", MAX_LINE + 1000);
    let (end, lines) = collect(sh(&script, dir.path())).await;
    assert!(end.unwrap().success());
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [MAX_LINE + 4, 8]);
}

#[tokio::test]
async fn a_cancelled_token_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let end = run(sh("touch started", dir.path()), &cancel, &mut |_| ()).await;
    assert_eq!(end.unwrap_err().code(), "cancelled");
    assert!(!dir.path().join("started").exists());
}
