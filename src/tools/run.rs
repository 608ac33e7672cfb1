//! One run of an extractor in its sandbox: prepared, watched, judged, and cleaned up.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::time::{Duration, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    Listing, ToolJob, ToolOutput, Tools,
    call::{self, Call},
    certificates,
    classify::{Failure, Seen, Verdict, classify},
    gallery_config, gallery_dl, mapping,
    process::{self, Finished, Limits, Line, Spawn},
    warm::Warm,
    yt_dlp,
};
use crate::{
    model::{Error, Kind, Phase, Result, Tool},
    net::{ProxyLog, ToolProxy},
};

/// Beside its files a job may read this much: pages, manifests, pictures of the player.
const PAGES_BYTES: u64 = 64 * 1024 * 1024;
/// Python with either tool needs some 50 MiB, the ffmpeg it starts to join streams 100, a JavaScript engine 300; what a
/// hostile page can make of them ends here.
const MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Behind the bot itself, which must answer Discord in time.
const NICE: i32 = 5;
/// How often the proxy is asked how far gallery-dl has come, which tells nothing useful itself.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What a run left behind.
struct Ended {
    finished: Finished,
    words: String,
    seen: Seen,
    infos: Vec<serde_json::Value>,
    files: Vec<PathBuf>,
    missing: usize,
}

impl From<Error> for Verdict {
    fn from(error: Error) -> Self {
        Self { error, stale_link: false, lost: false }
    }
}

impl Tools {
    /// Runs the tool once: by a fork of the warm process, if one is given; only to name what a list holds, if that is asked.
    pub(super) async fn run_once(
        &self,
        job: &ToolJob<'_>,
        listing: Option<&Listing>,
        warm: Option<&Warm>,
    ) -> std::result::Result<ToolOutput, Verdict> {
        let tool = job.call.tool;
        let dir = job.dir.canonicalize().map_err(Error::from)?;
        // HOME of the run: cookies and configuration lie here, so it goes whatever happens. Files go elsewhere.
        let home = scratch(&dir, "home-")?;
        let out = scratch(&dir, "files-")?;
        let proxy = self.egress.tool_proxy(budget(job)).await?;
        let ca = self.egress.ca_file().map(|extra| self.roots(extra, home.path())).transpose()?;
        let file = job.cookies.and_then(|cookies| cookies.file.as_ref());
        let cookies = file.map(|file| call::write_cookies(file, home.path())).transpose()?;
        let browser = job.cookies.and_then(|cookies| cookies.browser.as_deref());
        if browser.is_some() {
            call::link_browser_profiles(home.path());
        }
        // Without it yt-dlp leaves picture and sound apart and calls that success.
        let ffmpeg = if job.options.metadata_only { self.ffmpeg().ok() } else { Some(self.ffmpeg()?) };
        let call = Call {
            tool: job.call,
            options: job.options,
            max_bytes: job.max_bytes,
            prefer_below: job.prefer_below,
            items: call::items(tool, job.resource.kind),
            home: home.path(),
            out: out.path(),
            proxy: proxy.url(),
            ca: ca.as_deref(),
            cookies: cookies.as_deref(),
            browser,
            settings: &self.settings,
            allow_generic: self.allow_generic,
            ffmpeg,
            listing,
        };
        let mut ended = match tool {
            Tool::YtDlp => self.yt_dlp(job, &call, warm).await?,
            Tool::GalleryDl => self.gallery_dl(job, &call, &proxy, warm).await?,
        };
        let log = proxy.log();
        tracing::debug!(
            %tool, code = ended.finished.code, files = ended.files.len(), bytes = log.bytes,
            refused = log.refused.len(), "the tool has ended"
        );
        judge(job, &mut ended, &log)?;
        pick(job, &mut ended);
        let files = ended.files.iter().map(|file| inside(tool, out.path(), file)).collect::<Result<Vec<_>>>()?;
        if !files.is_empty() {
            // The files stay; the job's folder goes when the job does.
            let _ = out.keep();
        }
        let mut metadata = mapping::metadata(tool, job.resource, &ended.infos);
        if ended.missing > 0 {
            tracing::warn!(%tool, missing = ended.missing, "some items of the post could not be had");
            metadata.platform_data.insert("missing_items".to_owned(), ended.missing.into());
        }
        let mut raw = ended.infos;
        raw.iter_mut().for_each(mapping::scrub);
        Ok(ToolOutput { metadata, raw, files })
    }

    fn roots(&self, extra: &Path, home: &Path) -> Result<PathBuf> {
        let bundle = home.join("roots.pem");
        certificates::bundle(extra, &self.environment, &bundle)?;
        Ok(bundle)
    }

    async fn yt_dlp(
        &self,
        job: &ToolJob<'_>,
        call: &Call<'_>,
        warm: Option<&Warm>,
    ) -> std::result::Result<Ended, Verdict> {
        let mut reader = yt_dlp::Reader::new(job.progress);
        let spawn = self.spawn(job, call, yt_dlp::arguments(call));
        let finished = child(spawn, warm, job.cancel, &mut |line: Line<'_>| reader.line(line)).await?;
        let missing = reader.finish(job.options.metadata_only);
        Ok(Ended {
            finished,
            words: reader.words,
            seen: reader.seen,
            infos: reader.infos,
            files: reader.files,
            missing,
        })
    }

    async fn gallery_dl(
        &self,
        job: &ToolJob<'_>,
        call: &Call<'_>,
        proxy: &ToolProxy,
        warm: Option<&Warm>,
    ) -> std::result::Result<Ended, Verdict> {
        let arguments = gallery_dl::arguments(call, self.operator_config()?)?;
        let look = job.options.metadata_only;
        let mut reader = gallery_dl::Reader::default();
        let finished = {
            let mut on_line = |line: Line<'_>| if look { reader.line_of_json(line) } else { reader.line(line) };
            let running = child(self.spawn(job, call, arguments), warm, job.cancel, &mut on_line);
            tokio::pin!(running);
            let mut tick = interval(PROGRESS_EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    finished = &mut running => break finished?,
                    _ = tick.tick(), if !look => {
                        let done = proxy.log().bytes;
                        if done > 0 {
                            job.progress.set(Phase::Downloading { done, total: None });
                        }
                    }
                }
            }
        };
        if look {
            reader.finish_json();
        }
        Ok(Ended {
            finished,
            missing: reader.failed,
            words: reader.words,
            seen: Seen::default(),
            infos: reader.infos,
            files: reader.files,
        })
    }

    /// The operator's part of gallery-dl's configuration, read anew each time: it may be edited while the bot runs.
    fn operator_config(&self) -> Result<serde_json::Value> {
        let Some(file) = &self.settings.config_file else { return Ok(serde_json::json!({})) };
        let (config, removed) = gallery_config::read(file)?;
        if !removed.is_empty() {
            tracing::warn!(
                keys = removed.join(", "),
                "GALLERY_DL_CONFIG_FILE: these keys are not used, because they could leave the sandbox or change what the \
                 bot relies on"
            );
        }
        Ok(config)
    }

    fn spawn(&self, job: &ToolJob<'_>, call: &Call<'_>, arguments: Vec<OsString>) -> Spawn {
        let mut args: Vec<OsString> = super::python_arguments(job.call.tool).map(Into::into).to_vec();
        args.extend(arguments);
        Spawn {
            tool: job.call.tool.name(),
            program: super::python(&self.environment),
            args,
            env: call.environment(),
            dir: call.home.to_owned(),
            limits: Limits {
                deadline: self.timeout,
                file_bytes: Some(job.max_bytes),
                memory_bytes: Some(MEMORY_BYTES),
                nice: NICE,
            },
        }
    }
}

/// Runs a child to its end.
async fn child(
    spawn: Spawn,
    warm: Option<&Warm>,
    cancel: &CancellationToken,
    on_line: &mut (dyn FnMut(Line<'_>) + Send),
) -> std::result::Result<Finished, Verdict> {
    let Some(warm) = warm else { return Ok(process::run(spawn, cancel, on_line).await?) };
    let tool = spawn.tool;
    warm.run(spawn, cancel, on_line).await?.ok_or_else(|| Verdict {
        error: Error::internal(format!("the process that had forked {tool} has died")),
        stale_link: false,
        lost: true,
    })
}

/// A folder only we can enter, gone with its handle.
fn scratch(dir: &Path, prefix: &str) -> Result<TempDir> {
    Ok(tempfile::Builder::new().prefix(prefix).tempdir_in(dir)?)
}

/// Bytes the run may receive in all: a file twice over (picture and sound apart, retries), and what leads to it.
fn budget(job: &ToolJob<'_>) -> u64 {
    if job.options.metadata_only { PAGES_BYTES } else { job.max_bytes.saturating_mul(2).saturating_add(PAGES_BYTES) }
}

/// Whether what came is a success.
fn judge(job: &ToolJob<'_>, ended: &mut Ended, log: &ProxyLog) -> std::result::Result<(), Verdict> {
    let tool = job.call.tool;
    let delivered = if job.options.metadata_only { ended.infos.len() } else { ended.files.len() };
    let failure = Failure {
        tool,
        code: ended.finished.code,
        signal: ended.finished.signal,
        words: &ended.words,
        log,
        seen: ended.seen,
    };
    if delivered == 0 {
        return Err(classify(&failure));
    }
    // 101: yt-dlp stopped because it had loaded as many as it may.
    if matches!(ended.finished.code, Some(0 | 101)) && ended.missing == 0 {
        return Ok(());
    }
    // A part of the post came. What is gone for good does not hold back the rest; anything else may work next time, and a
    // post with a silent gap is worse than none.
    let verdict = classify(&failure);
    match verdict.error.kind() {
        Kind::NotFound | Kind::NoMedia | Kind::UnsupportedUrl | Kind::GeoBlocked => {
            ended.missing = ended.missing.max(1);
            Ok(())
        }
        _ => Err(verdict),
    }
}

/// Keeps the one item that a link like `/photo/2` asks for. Only gallery-dl counts the items of a post as its author does;
/// yt-dlp sees videos only. A number beyond the last means the whole post, as it does on the sites.
fn pick(job: &ToolJob<'_>, ended: &mut Ended) {
    let Some(number) = job.resource.item.filter(|_| job.call.tool == Tool::GalleryDl && ended.missing == 0) else {
        return;
    };
    if !(1..=ended.infos.len()).contains(&number) {
        return;
    }
    ended.infos = ended.infos.drain(number - 1..number).collect();
    if (1..=ended.files.len()).contains(&number) {
        ended.files = ended.files.drain(number - 1..number).collect();
    }
}

/// A printed path, checked: it must be a file inside `out`, whatever the tool says.
fn inside(tool: Tool, out: &Path, file: &Path) -> Result<PathBuf> {
    let wrong = |what: &str| Error::internal(format!("{tool} named a file that {what}: {}", file.display()));
    let path = file.canonicalize().map_err(|error| wrong(&format!("cannot be found ({error})")))?;
    let root = out.canonicalize()?;
    if !path.starts_with(&root) {
        return Err(wrong("lies outside its folder"));
    }
    let metadata = path.symlink_metadata()?;
    if !metadata.is_file() {
        return Err(wrong("is none"));
    }
    if metadata.len() == 0 {
        return Err(Error::new(Kind::Network, format!("{tool} wrote an empty file")));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_inside_the_folder_are_results() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        std::fs::create_dir(&out).unwrap();
        std::fs::write(out.join("001.mp4"), "x").unwrap();
        std::fs::write(out.join("empty.mp4"), "").unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), out.join("link.mp4")).unwrap();
        let check = |name: &str| inside(Tool::YtDlp, &out, &out.join(name));
        assert!(check("001.mp4").unwrap().ends_with("out/001.mp4"));
        assert_eq!(check("../secret").unwrap_err().code(), "internal");
        assert_eq!(check("link.mp4").unwrap_err().code(), "internal");
        assert_eq!(check("missing.mp4").unwrap_err().code(), "internal");
        assert_eq!(check("").unwrap_err().code(), "internal");
        assert_eq!(check("empty.mp4").unwrap_err().code(), "network");
    }
}
