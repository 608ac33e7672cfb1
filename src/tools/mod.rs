//! External programs: where they are, how they are run, and what their words mean.
//!
//! ```text
//! Tools::run ── call (cookies, roots, limits) ── yt_dlp / gallery_dl (arguments) ── process (sandbox)
//!                                                        │ lines                     │ via net's loopback proxy
//!                                                        │ or a fork of a waiting one (warm)
//!                         mapping (metadata) ◄───────────┴──► classify (errors) ◄────┘ its log
//! ```
//!
//! It leaves to others: which tool to try (`strategy`), what a platform means by a field (`platforms`), what a file is
//! (`media`).

mod call;
mod certificates;
pub mod classify;
mod format;
pub mod gallery_config;
mod gallery_dl;
mod mapping;
pub mod process;
pub mod provision;
mod run;
mod warm;
mod yt_dlp;

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    model::{Error, ExternalToolError, Kind, MediaMetadata, Options, Progress, Resource, Result, Tool},
    net::{Egress, ToolCookies},
    platforms::CliTool,
    settings::{self, Settings},
};
use warm::Warm;

/// How long asking a tool for its version may take; a cold start on a slow disk takes seconds.
const VERSION_DEADLINE: Duration = Duration::from_secs(60);

/// The external programs, found once.
pub struct Tools {
    environment: PathBuf,
    ffmpeg: Found,
    ffprobe: Found,
    settings: settings::GalleryDl,
    timeout: Duration,
    allow_generic: bool,
    egress: Egress,
    gallery_slots: Semaphore,
    warm: Option<WarmTools>,
}

/// The waiting processes.
struct WarmTools {
    yt_dlp: Warm,
    gallery_dl: Warm,
}

impl WarmTools {
    fn of(&self, tool: Tool) -> &Warm {
        match tool {
            Tool::YtDlp => &self.yt_dlp,
            Tool::GalleryDl => &self.gallery_dl,
        }
    }
}

/// A program, or why it is not there.
type Found = std::result::Result<PathBuf, Error>;

/// One call of a command-line extractor.
pub struct ToolJob<'a> {
    /// What the link is.
    pub resource: &'a Resource,
    /// How to call the tool for it.
    pub call: &'a CliTool,
    /// What is wanted.
    pub options: &'a Options,
    /// Bytes one file may have: the guard of the download, not the upload limit.
    pub max_bytes: u64,
    /// An upload limit to prefer formats under, if any.
    pub prefer_below: Option<u64>,
    /// What to sign in with, if anything.
    pub cookies: Option<&'a ToolCookies>,
    /// An empty folder of the job's own.
    pub dir: &'a Path,
    /// Where to report.
    pub progress: &'a Progress,
    /// Ends it.
    pub cancel: &'a CancellationToken,
}

/// What a tool delivered.
#[derive(Debug)]
pub struct ToolOutput {
    /// The generic reading of its JSON, items in order. Where single items of a post could not be had,
    /// `platform_data["missing_items"]` counts them.
    pub metadata: MediaMetadata,
    /// Its own JSON, one dict an item, stripped of cookies, headers and signed links: see `Platform::refine`.
    pub raw: Vec<serde_json::Value>,
    /// The files, one an item, in order, canonicalised inside the job's folder. Empty when only metadata was asked.
    pub files: Vec<PathBuf>,
}

/// Which entries of a list are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// How many at the most.
    pub most: usize,
    /// From its end instead of its beginning: on channels, whose latest come first, from the oldest on.
    pub from_end: bool,
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its page.
    pub url: Url,
    /// What it is called.
    pub title: Option<String>,
}

impl Tools {
    /// Finds the programs. A missing one is an error only when it is needed.
    pub fn new(settings: &Settings, egress: Egress) -> Self {
        let warm = |tool| Warm::new(tool, &settings.tools.dir, settings.tools.warm_idle);
        Self {
            environment: settings.tools.dir.clone(),
            ffmpeg: find("ffmpeg", "FFMPEG_PATH", settings.tools.ffmpeg.as_deref()),
            ffprobe: find("ffprobe", "FFPROBE_PATH", settings.tools.ffprobe.as_deref()),
            settings: settings.gallery_dl.clone(),
            timeout: settings.downloads.timeout,
            allow_generic: settings.downloads.allow_generic,
            egress,
            gallery_slots: Semaphore::new(settings.gallery_dl.concurrent.max(1)),
            warm: settings
                .tools
                .warm
                .then(|| WarmTools { yt_dlp: warm(Tool::YtDlp), gallery_dl: warm(Tool::GalleryDl) }),
        }
    }

    /// Runs the tool: downloads into `job.dir`, or only looks when `job.options.metadata_only`.
    ///
    /// A link to one item of a post (`Resource::item`) gives that item alone by gallery-dl; yt-dlp, which knows videos
    /// only and so counts otherwise, gives all it knows.
    ///
    /// # Errors
    /// Of the kind its exit code, standard error and the proxy's log amount to.
    pub async fn run(&self, job: &ToolJob<'_>) -> Result<ToolOutput> {
        self.try_run(job, None).await
    }

    /// Names the entries of a playlist or channel without looking at them. `job` is by yt-dlp, and asks for metadata only.
    ///
    /// # Errors
    /// As for [`Tools::run`].
    pub async fn list(&self, job: &ToolJob<'_>, listing: &Listing) -> Result<Vec<Listed>> {
        let named = self.try_run(job, Some(listing)).await?.raw;
        let entry = |named: &serde_json::Value| {
            let text = |name: &str| named.get(name).and_then(serde_json::Value::as_str);
            let url = Url::parse(text("webpage_url").or_else(|| text("url"))?).ok()?;
            Some(Listed { url, title: text("title").map(str::to_owned) })
        };
        Ok(named.iter().filter_map(entry).collect())
    }

    async fn try_run(&self, job: &ToolJob<'_>, listing: Option<&Listing>) -> Result<ToolOutput> {
        call::check_link(&job.call.url)?;
        let _slot = match job.call.tool {
            Tool::YtDlp => None,
            Tool::GalleryDl => Some(tokio::select! {
                slot = self.gallery_slots.acquire() => slot.map_err(|_| Error::internal("the slots are closed"))?,
                () = job.cancel.cancelled() => return Err(Error::cancelled()),
            }),
        };
        let (mut warm, mut extracted) = (self.warm.as_ref().map(|warm| warm.of(job.call.tool)), false);
        loop {
            match self.run_once(job, listing, warm).await {
                Ok(output) => return Ok(output),
                // Nothing of the job is to blame: it is done once more, where no other process can take it along.
                Err(verdict) if verdict.lost && warm.is_some() => {
                    tracing::warn!(tool = %job.call.tool, "the warm process has died: starting again with a fresh one");
                    warm = None;
                }
                // Media links expire within minutes on some sites: a fresh extraction gets fresh ones.
                Err(verdict) if verdict.stale_link && !extracted => {
                    tracing::info!(tool = %job.call.tool, "the media link had gone stale: extracting again");
                    extracted = true;
                }
                Err(verdict) => return Err(verdict.error),
            }
        }
    }

    /// The process id of the waiting process that forks the tool's children (`TOOLS_WARM`), if there is one now.
    pub fn warm_process(&self, tool: Tool) -> Option<u32> {
        self.warm.as_ref().and_then(|warm| warm.of(tool).pid())
    }

    /// The ffmpeg to use.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn ffmpeg(&self) -> Result<&Path> {
        self.ffmpeg.as_deref().map_err(Clone::clone)
    }

    /// The ffprobe to use.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn ffprobe(&self) -> Result<&Path> {
        self.ffprobe.as_deref().map_err(Clone::clone)
    }

    /// Whether the extractor is installed (`TOOLS_DIR/bin/python` with its module), and its version.
    ///
    /// # Errors
    /// `tool_missing` when it is not there, `tool_failed` when it does not start.
    pub async fn version(&self, tool: Tool) -> Result<String> {
        version(&self.environment, tool).await
    }
}

/// The Python of an environment.
fn python(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// The tool's Python module.
fn module(tool: Tool) -> &'static str {
    match tool {
        Tool::YtDlp => yt_dlp::MODULE,
        Tool::GalleryDl => gallery_dl::MODULE,
    }
}

/// How Python is told to be the tool, with unbuffered output and nothing loaded from the working directory, the account or
/// `PYTHON*` variables. The tool's own arguments follow.
fn python_arguments(tool: Tool) -> [&'static str; 4] {
    ["-I", "-u", "-m", module(tool)]
}

async fn version(environment: &Path, tool: Tool) -> Result<String> {
    let home = tempfile::tempdir()?;
    let spawn = process::Spawn {
        tool: tool.name(),
        program: python(environment),
        args: ["-I", "-m", module(tool), "--version"].map(Into::into).to_vec(),
        env: vec![("YTDLP_NO_PLUGINS".into(), "1".into())],
        dir: home.path().to_owned(),
        limits: process::Limits { deadline: VERSION_DEADLINE, file_bytes: None, memory_bytes: None, nice: 0 },
    };
    let mut version = String::new();
    let end = process::run(spawn, &CancellationToken::new(), &mut |line| {
        if let process::Line::Out(text) = line
            && version.is_empty()
        {
            version = text.trim().to_owned();
        }
    })
    .await?;
    match end.code {
        Some(0) if !version.is_empty() => Ok(version),
        _ if end.stderr.contains("No module named") => Err(Error::new(
            Kind::ToolMissing { tool: tool.name().to_owned() },
            format!("{} holds no {tool}: {}", environment.display(), end.stderr),
        )),
        code => Err(ExternalToolError { tool: tool.name().to_owned(), code, stderr: end.stderr }.into()),
    }
}

/// A program as set, or the first of its name in `PATH`.
fn find(name: &'static str, setting: &str, set: Option<&Path>) -> Found {
    let missing = |what: String| Err(Error::new(Kind::ToolMissing { tool: name.to_owned() }, what));
    let runs = |path: &Path| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    match set {
        Some(path) if runs(path) => Ok(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
        Some(path) => missing(format!("{setting} is {}, which is no program", path.display())),
        None => std::env::var_os("PATH")
            .iter()
            .flat_map(std::env::split_paths)
            .map(|dir| dir.join(name))
            .find(|path| runs(path))
            .map_or_else(|| missing(format!("{name} is not in PATH and {setting} is not set")), Ok),
    }
}

/// Appends a line of what a tool says to people, keeping the end when it talks too much.
fn keep_words(words: &mut String, line: &str) {
    const MOST: usize = 64 * 1024;
    if !words.is_empty() {
        words.push('\n');
    }
    words.push_str(line);
    if words.len() > 2 * MOST {
        let mut from = words.len() - MOST;
        while !words.is_char_boundary(from) {
            from += 1;
        }
        words.drain(..from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_path_or_as_set() {
        assert!(find("sh", "SH_PATH", None).unwrap().ends_with("sh"));
        assert_eq!(find("sh", "SH_PATH", Some(Path::new("/bin/sh"))).unwrap(), Path::new("/bin/sh"));
        let plain = tempfile::NamedTempFile::new().unwrap();
        let error = find("ffmpeg", "FFMPEG_PATH", Some(plain.path())).unwrap_err();
        assert_eq!(error.code(), "tool_missing");
        assert!(error.operator_text().contains("FFMPEG_PATH"), "{error}");
        assert!(find("no-such-program-at-all", "X", None).is_err());
    }

    #[test]
    fn words_keep_their_end() {
        let mut words = String::new();
        for n in 0..40_000 {
            keep_words(&mut words, &format!("line {n} é"));
        }
        assert!(words.len() <= 128 * 1024 && words.ends_with("line 39999 é"));
    }
}
