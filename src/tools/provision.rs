//! Installing the pinned tools into a private Python environment (`TOOLS_DIR`).
//!
//! The list (`config/tools/requirements.txt`) is part of the program: every version and every hash, wheels only, so that no
//! build script runs. The new environment is built beside the old one, tried, and then put in its place, so a failed or
//! interrupted run leaves what was there. A marker with the list's hash makes a second run do nothing.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::process::{self, Finished, Limits, Line, Spawn};
use crate::{
    model::{Error, ExternalToolError, Kind, Result, Tool, redact},
    settings::Settings,
};

/// What is installed.
pub const REQUIREMENTS: &str = include_str!("../../config/tools/requirements.txt");

/// The oldest Python both tools run on (yt-dlp dropped 3.10).
const OLDEST_PYTHON: (u32, u32) = (3, 11);
/// Interpreters to look at, in this order.
const PYTHONS: &[&str] = &["python3", "python3.14", "python3.13", "python3.12", "python3.11"];
/// Name of the marker inside the environment.
const MARKER: &str = ".boss-bot-requirements";
/// Enough for a slow line: the download has some 8 MB.
const DEADLINE: Duration = Duration::from_secs(600);
/// Whole variables, or beginnings of names, that pip and uv take settings from. Provisioning is the operator's own action:
/// what they set for their package index holds.
const PASSED: &[&str] =
    &["PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// Installs the pinned tools, unless they are there. `on_line` hears what happens.
///
/// # Errors
/// `tool_missing` when Python is missing, too old or without `venv`; `tool_failed` when the installer fails.
pub async fn provision(settings: &Settings, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    provision_into(&settings.tools.dir, &path, on_line).await
}

/// Whether the environment was made from the list this program carries.
pub fn is_current(dir: &Path) -> bool {
    std::fs::read_to_string(dir.join(MARKER)).is_ok_and(|marker| marker.trim() == fingerprint())
        && super::python(dir).is_file()
}

async fn provision_into(dir: &Path, path: &OsString, on_line: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
    if is_current(dir) {
        on_line("the pinned tools are installed already");
        return Ok(());
    }
    let dir = std::path::absolute(dir)?;
    let parent = dir.parent().ok_or_else(|| Error::internal("TOOLS_DIR cannot be the root"))?;
    refuse_strange_folder(&dir)?;
    std::fs::create_dir_all(parent)?;
    let scratch = tempfile::Builder::new().prefix(".tools-").tempdir_in(parent)?;
    let new = scratch.path().join("environment");
    let list = scratch.path().join("requirements.txt");
    std::fs::write(&list, REQUIREMENTS)?;

    let setup = Setup { path, home: scratch.path() };
    let python = setup.find_python().await?;
    let uv = which("uv", path);
    match &uv {
        Some(uv) => setup.with_uv(uv, &python, &new, &list, on_line).await?,
        None => setup.with_pip(&python, &new, &list, on_line).await?,
    }
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        let version = super::version(&new, tool).await?;
        on_line(&format!("{tool} {version} is installed"));
    }
    std::fs::write(new.join(MARKER), fingerprint())?;
    replace(&new, &dir, scratch.path())
}

fn fingerprint() -> String {
    hex::encode(Sha256::digest(REQUIREMENTS.as_bytes()))
}

/// A folder that is no Python environment is somebody's, and stays.
fn refuse_strange_folder(dir: &Path) -> Result<()> {
    let empty = std::fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    if empty || dir.join("pyvenv.cfg").is_file() {
        return Ok(());
    }
    Err(Error::internal(format!("TOOLS_DIR {} holds something that is no Python environment", dir.display())))
}

/// Puts the new environment in the old one's place. Its scripts name the place it was built at, but nothing uses them:
/// `bin/python -I -m …` works anywhere.
fn replace(new: &Path, dir: &Path, scratch: &Path) -> Result<()> {
    match std::fs::rename(dir, scratch.join("old")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    Ok(std::fs::rename(new, dir)?)
}

struct Setup<'a> {
    path: &'a OsString,
    home: &'a Path,
}

impl Setup<'_> {
    /// The first Python that is new enough.
    async fn find_python(&self) -> Result<PathBuf> {
        let mut seen = Vec::new();
        for name in PYTHONS {
            let Some(program) = which(name, self.path) else { continue };
            let mut version = String::new();
            let args = ["-I", "-c", "import sys; print(*sys.version_info[:2])"].map(OsString::from).to_vec();
            let end = self.run("python3", program.clone(), args, &mut |line| version.push_str(line)).await;
            let mut numbers = version.split_whitespace().map_while(|number| number.parse::<u32>().ok());
            match (end, numbers.next(), numbers.next()) {
                (Ok(end), Some(major), Some(minor)) if end.success() => {
                    if (major, minor) >= OLDEST_PYTHON {
                        return Ok(program);
                    }
                    seen.push(format!("{name} is {major}.{minor}"));
                }
                _ => seen.push(format!("{name} does not start")),
            }
        }
        let found = if seen.is_empty() { "there is none in PATH".to_owned() } else { seen.join(", ") };
        let (major, minor) = OLDEST_PYTHON;
        Err(missing("python3", format!("Python {major}.{minor} or newer is needed: {found}")))
    }

    async fn with_uv(
        &self,
        uv: &Path,
        python: &Path,
        new: &Path,
        list: &Path,
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        on_line("making the environment with uv");
        let venv = args(&["venv", "--relocatable", "--no-project", "--python"], &[python, new]);
        let end = self.run("uv", uv.to_owned(), venv, on_line).await?;
        check("uv", end)?;
        let mut install = args(&["pip", "install", "--require-hashes", "--no-deps", "--only-binary", ":all:"], &[]);
        install.extend(args(&["--python"], &[&super::python(new)]));
        install.extend(args(&["--requirements"], &[list]));
        check("uv", self.run("uv", uv.to_owned(), install, on_line).await?)
    }

    async fn with_pip(
        &self,
        python: &Path,
        new: &Path,
        list: &Path,
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<()> {
        on_line("making the environment with venv and pip");
        let mut said = String::new();
        let end = self
            .run("python3", python.to_owned(), args(&["-I", "-m", "venv"], &[new]), &mut |line| {
                said.push_str(line);
                said.push('\n');
                on_line(line);
            })
            .await?;
        if !end.success() && (said.contains("ensurepip") || said.contains("No module named venv")) {
            let hint =
                "this Python has no venv module: install it (Debian and Ubuntu: `apt install python3-venv`), or uv";
            return Err(missing("python3-venv", hint.to_owned()));
        }
        check("python3", end)?;
        let mut install =
            args(&["-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes"], &[]);
        install.extend(args(&["--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "-r"], &[list]));
        check("pip", self.run("pip", super::python(new), install, on_line).await?)
    }

    /// Runs one step; every line of either stream is handed on, without secrets.
    async fn run(
        &self,
        tool: &'static str,
        program: PathBuf,
        args: Vec<OsString>,
        on_line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Finished> {
        let spawn = Spawn {
            tool,
            program,
            args,
            env: environment(self.path),
            dir: self.home.to_owned(),
            limits: Limits { deadline: DEADLINE, file_bytes: None, memory_bytes: None, nice: 0 },
        };
        let mut relay = |line: Line<'_>| match line {
            Line::Out(text) | Line::Err(text) => on_line(&redact::text(text)),
        };
        process::run(spawn, &CancellationToken::new(), &mut relay).await
    }
}

fn args(words: &[&str], paths: &[&Path]) -> Vec<OsString> {
    words.iter().map(OsString::from).chain(paths.iter().map(OsString::from)).collect()
}

fn check(tool: &str, end: Finished) -> Result<()> {
    if end.success() {
        return Ok(());
    }
    Err(ExternalToolError { tool: tool.to_owned(), code: end.code, stderr: end.stderr }.into())
}

fn missing(tool: &str, what: String) -> Error {
    Error::new(Kind::ToolMissing { tool: tool.to_owned() }, what)
}

fn which(name: &str, path: &OsString) -> Option<PathBuf> {
    std::env::split_paths(path).map(|dir| dir.join(name)).find(|program| program.is_file())
}

/// The operator's settings for their package index, and their home, where pip and uv keep more of them.
fn environment(path: &OsString) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy().to_ascii_uppercase();
            PASSED.iter().any(|passed| name.starts_with(passed))
        })
        .collect();
    env.push(("PATH".into(), path.clone()));
    if let Some(home) = std::env::var_os("HOME") {
        let under = |name: &str, usual: &str| {
            std::env::var_os(name).unwrap_or_else(|| Path::new(&home).join(usual).into_os_string())
        };
        env.push(("XDG_CONFIG_HOME".into(), under("XDG_CONFIG_HOME", ".config")));
        env.push(("XDG_CACHE_HOME".into(), under("XDG_CACHE_HOME", ".cache")));
        env.push(("XDG_DATA_HOME".into(), under("XDG_DATA_HOME", ".local/share")));
        env.push(("HOME".into(), home));
    }
    env
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder of programs, to be a whole PATH.
    fn programs(scripts: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        dir
    }

    async fn try_with(scripts: &[(&str, &str)], dir: &Path) -> (Result<()>, String) {
        let path = programs(scripts);
        let mut said = String::new();
        let end = provision_into(dir, &path.path().as_os_str().to_owned(), &mut |line| {
            said.push_str(line);
            said.push('\n');
        })
        .await;
        (end, said)
    }

    #[test]
    fn everything_is_pinned_by_content() {
        let joined = REQUIREMENTS.replace("\\\n", " ");
        let lines: Vec<&str> = joined.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        for name in ["yt-dlp==", "yt-dlp-ejs==", "gallery-dl==", "requests==", "certifi==", "urllib3==", "idna=="] {
            assert!(lines.iter().any(|line| line.starts_with(name)), "{name}");
        }
        for line in lines {
            assert!(line.contains("==") && line.contains("--hash=sha256:"), "{line}");
        }
    }

    #[tokio::test]
    async fn a_missing_or_old_python_is_said_clearly() {
        let dir = tempfile::tempdir().unwrap();
        let tools = dir.path().join("tools");
        let error = try_with(&[], &tools).await.0.unwrap_err();
        assert_eq!(error.code(), "tool_missing");
        assert!(error.operator_text().contains("Python 3.11 or newer is needed: there is none in PATH"), "{error}");
        let error = try_with(&[("python3", "echo 3 9")], &tools).await.0.unwrap_err();
        assert!(error.operator_text().contains("python3 is 3.9"), "{error}");
        assert!(!tools.exists());
    }

    #[tokio::test]
    async fn a_python_without_venv_is_said_clearly() {
        let dir = tempfile::tempdir().unwrap();
        let script = r#"case "$2" in -c) echo 3 12;; *) echo "ensurepip is not available"; exit 1;; esac"#;
        let error = try_with(&[("python3", script)], &dir.path().join("tools")).await.0.unwrap_err();
        assert_eq!(*error.kind(), Kind::ToolMissing { tool: "python3-venv".into() });
        assert!(error.operator_text().contains("apt install python3-venv"), "{error}");
    }

    #[tokio::test]
    async fn a_failed_install_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let tools = dir.path().join("tools");
        std::fs::create_dir(&tools).unwrap();
        std::fs::write(tools.join("pyvenv.cfg"), "old").unwrap();
        let script =
            r#"case "$2" in -c) echo 3 12;; *) echo "no index at https://u:p@index.example/x" >&2; exit 1;; esac"#;
        let (end, said) = try_with(&[("python3", script)], &tools).await;
        let error = end.unwrap_err();
        assert_eq!(error.code(), "tool_failed");
        assert!(!format!("{said}{error}").contains("u:p"), "{said}{error}");
        assert_eq!(std::fs::read_to_string(tools.join("pyvenv.cfg")).unwrap(), "old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half-built stays");
    }

    #[tokio::test]
    async fn a_folder_of_somebody_elses_is_not_touched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("diary.txt"), "dear").unwrap();
        let error = try_with(&[("python3", "echo 3 12")], dir.path()).await.0.unwrap_err();
        assert!(error.operator_text().contains("no Python environment"), "{error}");
        assert!(dir.path().join("diary.txt").exists());
    }

    #[tokio::test]
    async fn with_uv_the_environment_is_built_tried_and_put_in_place_once() {
        let dir = tempfile::tempdir().unwrap();
        let tools = dir.path().join("tools");
        let calls = dir.path().join("calls");
        // Stands in for uv: an environment whose python answers `--version`; the arguments are what is tested.
        let uv = format!(
            r#"echo "$@" >> {calls}
            if [ "$1" = venv ]; then for last; do :; done; mkdir -p "$last/bin"; touch "$last/pyvenv.cfg"
              printf '#!/bin/sh\necho 1.2.3\n' > "$last/bin/python"; chmod +x "$last/bin/python"; fi"#,
            calls = calls.display()
        );
        let bin = programs(&[("uv", &uv), ("python3", "echo 3 13")]);
        for name in ["mkdir", "touch", "chmod"] {
            symlink(which(name, &std::env::var_os("PATH").unwrap()).unwrap(), bin.path().join(name)).unwrap();
        }
        let path = bin.path().as_os_str().to_owned();
        let mut said = Vec::new();
        provision_into(&tools, &path, &mut |line| said.push(line.to_owned())).await.unwrap();
        assert!(is_current(&tools), "{said:?}");
        assert!(said.contains(&"yt-dlp 1.2.3 is installed".to_owned()), "{said:?}");
        let first = std::fs::read_to_string(&calls).unwrap();
        assert!(first.contains("--require-hashes") && first.contains("--only-binary :all:"), "{first}");
        provision_into(&tools, &path, &mut |line| said.push(line.to_owned())).await.unwrap();
        assert_eq!(said.last().unwrap(), "the pinned tools are installed already");
        assert_eq!(std::fs::read_to_string(&calls).unwrap(), first, "nothing is installed twice");
        // An environment made from another list is replaced.
        std::fs::write(tools.join(MARKER), "another").unwrap();
        provision_into(&tools, &path, &mut |_| ()).await.unwrap();
        assert!(is_current(&tools));
    }
}
