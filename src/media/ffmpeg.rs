//! Runs ffmpeg and ffprobe on files nobody vouches for: only local files, only known containers, bounded pictures,
//! memory, output and time. Everything else in this room builds argument lists and hands them over here.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use crate::{
    model::{Error, ExternalToolError, Kind, Result},
    tools::{
        Tools,
        process::{self, Finished, Limits, Line, Spawn},
    },
};

/// Containers that may be opened. ffmpeg tells a container by its content, and one of them (HLS) is a text that names
/// other local files: the protocol whitelist alone does not stop that, a format whitelist does.
const FORMATS: &str = "mov,matroska,webm,avi,gif,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,flv,asf,ogg,mp3,wav,flac,aac,w64,aiff,ac3,\
    eac3,dv,amr,amrnb,amrwb,caf,apng,png_pipe,jpeg_pipe,bmp_pipe,tiff_pipe,webp_pipe,avif";
/// Pixels a frame may have: 8K passes, a 16,000 × 8,000 frame (1.4 GB decoded) does not.
pub(super) const MAX_PIXELS: u64 = 36_000_000;
/// Bytes of one allocation: a frame of that many pixels in floating point, as HDR is converted, takes 432 MB.
const MAX_ALLOC: u64 = 512 << 20;
/// Streams a file may have: films with all their languages have dozens.
const MAX_STREAMS: u32 = 200;
/// Address space of one process: x264 `slow` at 1080p stays under 1 GB.
const MEMORY: u64 = 3 << 30;
/// What ffprobe may take; a bomb that gets past the whitelists dies here.
const PROBE_DEADLINE: Duration = Duration::from_secs(30);
/// ffprobe's JSON of a file with thousands of streams is cut off here.
const MAX_JSON: usize = 4 << 20;
/// What encoders tell is cut off here.
const MAX_TOLD: usize = 256 << 10;
/// Encoding yields to the bot's own work.
const NICE: i32 = 10;
/// SIGXFSZ: the process wrote more than it may.
const SIGXFSZ: i32 = 25;

/// How an ffmpeg run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With exit code 0.
    Well(Tick),
    /// It wrote more than it was allowed to.
    TooBig,
    /// It could not.
    Badly(ExternalToolError),
}

/// How far ffmpeg has come.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Tick {
    /// Seconds of output written.
    pub seconds: f64,
    /// Frames written.
    pub frames: u64,
}

/// One ffmpeg run.
pub(super) struct Run<'a> {
    /// All arguments after the common ones.
    pub args: Args,
    /// The folder it works in: HOME, TMPDIR, working directory.
    pub dir: &'a Path,
    /// Wall clock.
    pub deadline: Duration,
    /// Bytes any file it writes may have.
    pub file_bytes: Option<u64>,
    /// Hears how far it is.
    pub on_tick: &'a mut (dyn FnMut(Tick) + Send),
    /// Takes what encoders and filters tell about their work, at the most [`MAX_TOLD`] bytes. `None`: only errors are
    /// wanted.
    pub told: Option<&'a mut String>,
}

/// Runs ffmpeg and ffprobe.
#[derive(Clone)]
pub(super) struct Runner {
    tools: Arc<Tools>,
    /// Threads one process may use.
    pub threads: usize,
}

impl Runner {
    pub(super) fn new(tools: Arc<Tools>, at_once: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { tools, threads: (cores / at_once.max(1)).max(1) }
    }

    /// ffprobe's JSON about a file, or what it said when it could not read it.
    pub(super) async fn probe(
        &self,
        path: &Path,
        dir: &Path,
        cancel: &CancellationToken,
    ) -> Result<std::result::Result<String, ExternalToolError>> {
        let mut json = String::new();
        let mut keep = |line: &str| {
            if json.len() < MAX_JSON {
                json.push_str(line);
                json.push('\n');
            }
        };
        let ended = self.ffprobe("-show_format -show_streams -of json", path, dir, &mut keep, cancel).await?;
        Ok(ended.map(|()| json))
    }

    /// The packets of a file, a line each: stream, seconds, bytes, flags.
    pub(super) async fn packets(
        &self,
        path: &Path,
        dir: &Path,
        on_line: &mut (dyn FnMut(&str) + Send),
        cancel: &CancellationToken,
    ) -> Result<std::result::Result<(), ExternalToolError>> {
        let what = "-show_entries packet=stream_index,pts_time,size,flags -of csv=p=0";
        self.ffprobe(what, path, dir, on_line, cancel).await
    }

    async fn ffprobe(
        &self,
        what: &str,
        path: &Path,
        dir: &Path,
        on_line: &mut (dyn FnMut(&str) + Send),
        cancel: &CancellationToken,
    ) -> Result<std::result::Result<(), ExternalToolError>> {
        let args =
            Args::new().arg(format!("-v error -hide_banner -max_alloc {MAX_ALLOC}")).guard().arg(what).path(path);
        let spawn = Spawn {
            tool: "ffprobe",
            program: self.tools.ffprobe()?.to_owned(),
            args: args.0,
            env: Vec::new(),
            dir: dir.to_owned(),
            limits: Limits { deadline: PROBE_DEADLINE, file_bytes: Some(0), memory_bytes: Some(MEMORY), nice: NICE },
        };
        let ended = process::run(spawn, cancel, &mut |line| {
            if let Line::Out(text) = line {
                on_line(text);
            }
        })
        .await
        .map_err(too_slow)?;
        Ok(if ended.success() { Ok(()) } else { Err(failure("ffprobe", ended)) })
    }

    /// Runs ffmpeg.
    pub(super) async fn run(&self, run: Run<'_>, cancel: &CancellationToken) -> Result<Ended> {
        let level = if run.told.is_some() { "info" } else { "error" };
        let threads = self.threads;
        let args = Args::new()
            .arg("-hide_banner -nostdin -y -progress pipe:1 -nostats -stats_period 0.5 -loglevel")
            .arg(level)
            .arg(format!("-max_alloc {MAX_ALLOC} -filter_threads {threads} -filter_complex_threads {threads}"))
            .join(run.args);
        let spawn = Spawn {
            tool: "ffmpeg",
            program: self.tools.ffmpeg()?.to_owned(),
            args: args.0,
            env: Vec::new(),
            dir: run.dir.to_owned(),
            limits: Limits {
                deadline: run.deadline,
                file_bytes: run.file_bytes,
                memory_bytes: Some(MEMORY),
                nice: NICE,
            },
        };
        let mut tick = Tick::default();
        let mut told = run.told;
        let ended = process::run(spawn, cancel, &mut |line| match line {
            Line::Out(text) => {
                if read_progress(text, &mut tick) {
                    (run.on_tick)(tick);
                }
            }
            Line::Err(text) => {
                if let Some(told) = told.as_deref_mut().filter(|told| told.len() < MAX_TOLD) {
                    told.push_str(text);
                    told.push('\n');
                }
            }
        })
        .await
        .map_err(too_slow)?;
        if ended.success() {
            return Ok(Ended::Well(tick));
        }
        if ended.signal == Some(SIGXFSZ) || ended.stderr.contains("File too large") {
            return Ok(Ended::TooBig);
        }
        if ended.stderr.contains("No space left on device") {
            return Err(Error::new(Kind::DiskFull, "ffmpeg: no space left on device"));
        }
        Ok(Ended::Badly(failure("ffmpeg", ended)))
    }
}

fn failure(tool: &str, ended: Finished) -> ExternalToolError {
    ExternalToolError { tool: tool.to_owned(), code: ended.code, stderr: ended.stderr }
}

/// Reads a line of `-progress`; true at the end of a report.
fn read_progress(line: &str, tick: &mut Tick) -> bool {
    match line.split_once('=') {
        // Before the first packet it says N/A.
        Some(("out_time_us", value)) => {
            if let Ok(micros) = value.trim().parse::<i64>() {
                tick.seconds = tick.seconds.max(micros as f64 / 1e6);
            }
            false
        }
        Some(("frame", value)) => {
            tick.frames = value.trim().parse().unwrap_or(tick.frames);
            false
        }
        Some(("progress", _)) => true,
        _ => false,
    }
}

/// The reason in a tool's words, for users: short, without paths. `None`: it is not the file's fault.
pub(super) fn reason(error: &ExternalToolError) -> Option<&'static str> {
    let says = |text: &str| error.stderr.contains(text);
    if ["Unknown encoder", "Unknown decoder", "No such filter", "Unrecognized option", "Option not found"]
        .into_iter()
        .any(says)
    {
        return None;
    }
    Some(if says("moov atom not found") {
        "the file is incomplete, damaged or isn't media"
    } else if says("not in whitelist") || says("Format not on whitelist") {
        "it isn't a kind of media file that I open"
    } else if says("Picture size") || says("max_pixels") {
        "its picture is too large"
    } else if says("max_streams") {
        "it has too many streams"
    } else if says("Cannot allocate memory") {
        "it needs more memory than it may have"
    } else if says("Invalid data found") || says("Invalid argument") || says("could not find codec parameters") {
        "the file is damaged or isn't media"
    } else if error.code.is_none() {
        // Killed from outside.
        return None;
    } else {
        "the file can't be read"
    })
}

/// `cannot_fit` for a file that a tool could not read, `tool_failed` when it is the tool that lacks something.
pub(super) fn unreadable(error: &ExternalToolError) -> Error {
    match reason(error) {
        Some(reason) => Error::new(Kind::CannotFit, error.to_string()).with_detail(reason),
        None => error.clone().into(),
    }
}

/// A deadline of ours is no fault of the platform's, which is what `timeout` would tell the user.
fn too_slow(error: Error) -> Error {
    if *error.kind() == Kind::Timeout {
        Error::new(Kind::CannotFit, error.operator_text()).with_detail("working on it took too long")
    } else {
        error
    }
}

/// An argument list.
#[derive(Debug, Clone, Default)]
pub(super) struct Args(Vec<OsString>);

impl Args {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds words separated by blanks: for constants and numbers, never for names.
    pub(super) fn arg(mut self, words: impl AsRef<str>) -> Self {
        self.0.extend(words.as_ref().split_ascii_whitespace().map(OsString::from));
        self
    }

    /// Adds one argument as it is.
    pub(super) fn one(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.push(argument.as_ref().to_owned());
        self
    }

    pub(super) fn join(mut self, other: Args) -> Self {
        self.0.extend(other.0);
        self
    }

    /// What keeps a decoder inside the file it was given.
    fn guard(self) -> Self {
        self.arg("-protocol_whitelist file -format_whitelist")
            .one(FORMATS)
            .arg(format!("-max_pixels {MAX_PIXELS} -max_streams {MAX_STREAMS}"))
    }

    /// Adds an input from outside.
    pub(super) fn input(self, path: &Path, threads: usize) -> Self {
        self.guard().arg(format!("-threads {threads} -i")).path(path)
    }

    /// Adds a path so that no name can be an option or another protocol.
    pub(super) fn path(self, path: &Path) -> Self {
        let mut url = OsString::from("file:");
        url.push(std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)));
        self.one(url)
    }

    /// Adds an mp4 output that starts to play before it is loaded whole and tells nothing about its origin.
    pub(super) fn mp4(self, path: &Path) -> Self {
        self.arg("-map_metadata -1 -map_chapters -1 -movflags +faststart -f mp4").path(path)
    }

    /// The same for sound alone: an mp4 that calls itself M4A.
    pub(super) fn m4a(self, path: &Path) -> Self {
        self.arg("-map_metadata -1 -map_chapters -1 -movflags +faststart -f ipod").path(path)
    }

    /// Adds an output for codecs that mp4 does not know.
    pub(super) fn matroska(self, path: &Path) -> Self {
        self.arg("-map_metadata -1 -f matroska").path(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_ffmpegs_lines() {
        let mut tick = Tick::default();
        let lines = ["frame=12", "fps=24.9", "out_time_us=N/A", "out_time_us=480000", "speed=1.2x"];
        assert!(lines.iter().all(|line| !read_progress(line, &mut tick)));
        assert!(read_progress("progress=continue", &mut tick));
        assert_eq!(tick, Tick { seconds: 0.48, frames: 12 });
        // The last report of some muxers goes back to a negative start.
        read_progress("out_time_us=-21333", &mut tick);
        assert_eq!(tick.seconds, 0.48);
    }

    #[test]
    fn a_tool_that_lacks_something_is_not_the_files_fault() {
        let failed = |code, stderr: &str| {
            let error = ExternalToolError { tool: "ffmpeg".into(), code, stderr: stderr.into() };
            unreadable(&error).code()
        };
        assert_eq!(failed(Some(1), "Unknown encoder 'libx264'"), "tool_failed");
        assert_eq!(failed(None, ""), "tool_failed");
        assert_eq!(failed(Some(1), "x.mp4: Invalid data found when processing input"), "cannot_fit");
        assert_eq!(failed(Some(1), "anything else"), "cannot_fit");
        assert_eq!(too_slow(Error::new(Kind::Timeout, "ended after 9 s")).code(), "cannot_fit");
        assert_eq!(too_slow(Error::cancelled()).code(), "cancelled");
    }

    #[test]
    fn no_name_can_be_an_option_or_a_protocol() {
        let args = Args::new().input(Path::new("http:x -i y"), 2).mp4(Path::new("-rf"));
        let words: Vec<_> = args.0.iter().map(|word| word.to_string_lossy()).collect();
        let base = std::path::absolute(".").unwrap();
        assert!(words.contains(&format!("file:{}", base.join("http:x -i y").display()).into()), "{words:?}");
        assert_eq!(words.last().unwrap(), &format!("file:{}", base.join("-rf").display()));
    }
}
