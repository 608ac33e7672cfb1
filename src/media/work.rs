//! What every way of making a file shares: the source, the folder it works in, progress, and running ffmpeg with limits
//! that fit the job.

use std::{
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    ffmpeg::{Args, Ended, Run, Runner, Tick},
    probe::Probe,
    target::{FitProgress, Notes},
    video::{budget::Rules, hardware::Encoders},
};
use crate::{
    model::{ExternalToolError, Result, Speed},
    settings::Compression,
};

/// Bytes a file may have when there is no upload limit: disks end somewhere.
const UNLIMITED_FILE: u64 = 4 << 30;
/// Time that every run gets, whatever its length.
const BASE_DEADLINE: Duration = Duration::from_secs(120);
/// Seconds of time for each second of media: `slower` at 1080p on one busy core.
const DEADLINE_FACTOR: f64 = 20.0;
/// No run takes longer.
const MAX_DEADLINE: Duration = Duration::from_secs(2 * 3600);

/// What one step gave.
#[derive(Debug)]
pub(super) enum Made {
    /// A file under the limit.
    File(PathBuf),
    /// Only files over the limit.
    Over,
    /// Nothing: ffmpeg could not.
    Failed(ExternalToolError),
}

/// The file to read.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Demuxer options before it, for files of our own making.
    pub options: String,
    /// Only this part of it: seconds from its beginning, and how many. The probe beside it speaks of the part.
    pub window: Option<(f64, f64)>,
}

impl Source {
    pub(super) fn file(path: &Path) -> Self {
        Self { path: path.to_owned(), options: String::new(), window: None }
    }
}

/// Reports progress: never backwards, never past 1.
pub(super) struct Meter<'a> {
    report: &'a (dyn Fn(FitProgress) + Send + Sync),
    last: Mutex<f32>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(report: &'a (dyn Fn(FitProgress) + Send + Sync)) -> Self {
        Self { report, last: Mutex::new(0.0) }
    }

    pub(super) fn set(&self, fraction: f32) {
        let fraction = fraction.clamp(0.0, 1.0);
        // A poisoned lock only means that a reporter panicked: the number is still good.
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if fraction > *last {
            *last = fraction;
            (self.report)(FitProgress::Working(fraction));
        }
    }

    /// Waiting for an encoder.
    pub(super) fn wait(&self, ahead: usize) {
        (self.report)(FitProgress::Waiting { ahead });
    }
}

/// Everything a step needs.
pub(super) struct Kit<'a> {
    pub runner: &'a Runner,
    pub source: &'a Source,
    pub probe: &'a Probe,
    pub rules: Rules,
    /// The operator's choices.
    pub settings: &'a Compression,
    /// How long it may take.
    pub speed: Speed,
    /// Encoders of the graphics hardware.
    pub hardware: &'a Encoders,
    /// A folder of this fit's own.
    pub work: &'a Path,
    pub cancel: &'a CancellationToken,
    pub meter: &'a Meter<'a>,
    pub notes: &'a Notes,
}

/// The share of the whole that one run is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub from: f32,
    pub to: f32,
}

impl Kit<'_> {
    /// Seconds of the file; the probe knows them by now, or nobody does.
    pub(super) fn seconds(&self) -> f64 {
        self.probe.duration.unwrap_or(0.0)
    }

    /// The input arguments.
    pub(super) fn input(&self) -> Args {
        self.input_at(self.source.window)
    }

    /// The input arguments for `length` seconds from `start`, both counted within the source's window.
    pub(super) fn piece(&self, start: f64, length: f64) -> Args {
        let offset = self.source.window.map_or(0.0, |(from, _)| from);
        self.input_at(Some((offset + start, length)))
    }

    fn input_at(&self, window: Option<(f64, f64)>) -> Args {
        // ffmpeg decodes from the key frame before, and hands on from the very frame.
        let seek = window.map_or(String::new(), |(start, length)| format!("-ss {start:.6} -t {length:.6}"));
        // ffmpeg's own decoders skip the transparency of VP8 and VP9.
        let decoder = match &self.probe.video {
            Some(video) if video.alpha_side && video.codec == "vp8" => "-c:v libvpx",
            Some(video) if video.alpha_side => "-c:v libvpx-vp9",
            _ => "",
        };
        Args::new().arg(&self.source.options).arg(seek).arg(decoder).input(&self.source.path, self.runner.threads)
    }

    /// Bytes ffmpeg may write before it is stopped: enough above the limit to learn by how much a try missed.
    pub(super) fn file_cap(&self) -> u64 {
        self.rules.limit.map_or(UNLIMITED_FILE, |limit| limit + limit / 4 + (1 << 20))
    }

    /// Runs ffmpeg with a deadline that grows with the media.
    pub(super) async fn run(&self, args: Args, file_bytes: u64, share: Share) -> Result<Ended> {
        self.listen(args, file_bytes, share, None).await
    }

    /// The same; `told` takes what encoders and filters tell about their work.
    pub(super) async fn listen(
        &self,
        args: Args,
        file_bytes: u64,
        share: Share,
        told: Option<&mut String>,
    ) -> Result<Ended> {
        let seconds = self.seconds().clamp(0.0, 1e6);
        let deadline = (BASE_DEADLINE + Duration::from_secs_f64(seconds * DEADLINE_FACTOR)).min(MAX_DEADLINE);
        let mut on_tick = |tick: Tick| {
            let done = if seconds > 0.0 { (tick.seconds / seconds).min(1.0) as f32 } else { 0.0 };
            self.meter.set(share.from + (share.to - share.from) * done);
        };
        let run = Run { args, dir: self.work, deadline, file_bytes: Some(file_bytes), on_tick: &mut on_tick, told };
        self.runner.run(run, self.cancel).await
    }

    /// Runs ffmpeg once and looks at the size of `out`.
    pub(super) async fn make(&self, args: Args, out: PathBuf, share: Share) -> Result<Made> {
        match self.run(args, self.file_cap(), share).await? {
            Ended::Well(_) => {
                let size = size(&out).await;
                Ok(if size > 0 && self.fits(size) { Made::File(out) } else { Made::Over })
            }
            Ended::TooBig => Ok(Made::Over),
            Ended::Badly(error) => Ok(Made::Failed(error)),
        }
    }

    /// Whether a file of this size may be delivered.
    pub(super) fn fits(&self, size: u64) -> bool {
        self.rules.limit.is_none_or(|limit| size <= limit)
    }
}

/// Bytes of a file; 0 when it is not there.
pub(super) async fn size(path: &Path) -> u64 {
    tokio::fs::metadata(path).await.map_or(0, |meta| meta.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_never_goes_back() {
        let heard = Mutex::new(Vec::new());
        let report = |progress| heard.lock().unwrap().push(progress);
        let meter = Meter::new(&report);
        for fraction in [0.1, 0.5, 0.3, 0.5, 2.0, f32::NAN] {
            meter.set(fraction);
        }
        assert_eq!(*heard.lock().unwrap(), [0.1, 0.5, 1.0].map(FitProgress::Working));
    }
}
