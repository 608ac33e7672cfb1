//! The command line, by the real binary: what it prints, where, and how it ends.

mod batch;
mod batch_lists;
mod cache;
mod db;
mod doctor;
mod explain;
mod fetch;
mod fit;
mod recovery;
mod settings;
mod stats;
mod usage;

use std::{
    path::Path,
    process::{Output, Stdio},
};

use tokio::{io::AsyncWriteExt, process::Command};

use crate::world::bot::{PATIENCE, binary};

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Standard output as JSON, one value a line.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(parse).collect()
    }
}

/// `boss-bot …` in `dir`, with PATH and `env` as its whole environment.
fn command(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(env.iter().copied())
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

pub async fn boss_bot_reading(input: &[u8], dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut child = command(dir, args, env).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // Beside reading, so that neither side waits for the other with a full pipe.
    let writer = tokio::spawn(async move { stdin.write_all(&input).await });
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("its output");
    // A command that reads nothing may have closed the pipe.
    let _ = writer.await;
    Ran::of(output)
}

async fn boss_bot(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> Ran {
    boss_bot_reading(b"", dir, args, env).await
}

/// An empty folder for one command.
pub fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("boss-bot-cli-").tempdir().expect("a folder")
}
