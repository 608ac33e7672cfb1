//! What a file is, and how to make it fit and play inline: ffprobe and ffmpeg in the sandbox, pictures in process.
//!
//! ```text
//! describe  sniff → name → checksum                                       (look)
//! fit       sniff ─┬ picture → picture::plan → keep, JPEG, WebP, video     (picture)
//!                  └ else    → probe → plan → keep, or steps: remux, copy, encode   (plan; video, sound)
//! ```
//!
//! `plan`, `video::budget` and `picture::search` decide and touch nothing; the others do what was decided. A file over
//! the limit never leaves this room, nor does one that was not written to its end.

mod ffmpeg;
mod fit;
mod forecast;
mod join;
mod look;
mod picture;
mod plan;
mod shrink;
mod slots;
mod sound;
mod target;
mod video;
mod wishes;
mod work;

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::{
    ffmpeg::{Args, Ended, Runner},
    look::{
        bmff::{self, Outline},
        names,
        probe::{self, Probe},
        sniff::{self, Sniffed},
    },
    video::hardware,
    work::Source,
};
pub use self::{
    forecast::{Encode, Means, Offer, Outlook, forecast, richness, usual_bits},
    target::{FitProgress, FitReport, FitTarget, Fitted},
    video::hardware::HardwareCheck,
};
pub(crate) use self::{
    look::names::folder as folder_name,
    plan::human_bytes,
    slots::{Slot, Slots},
};
pub use self::{slots::Party, sound::Tags};
use crate::{
    model::{Error, FileType, Kind, MediaFile, Result},
    settings::Compression,
    tools::Tools,
};

/// Probing and fitting. Cheap to share behind an `Arc`.
pub struct Media {
    settings: Compression,
    runner: Runner,
    /// `COMPRESSION_MAX_CONCURRENT`, shared by all jobs, in turns.
    encoders: Slots,
    /// Encoders of the graphics hardware.
    hardware: hardware::Encoders,
    /// Pictures are decoded one at a time: a large one takes hundreds of megabytes. An `Arc`, because the permit goes
    /// with the thread that decodes, which outlives a request that is dropped.
    pictures: Arc<Semaphore>,
}

/// A few facts about a file, for tables and captions.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Summary {
    /// For example `h264`; for a picture its format.
    pub video_codec: Option<String>,
    /// For example `aac`.
    pub audio_codec: Option<String>,
    /// Pixels as shown.
    pub width: Option<u32>,
    /// Pixels as shown.
    pub height: Option<u32>,
    /// Seconds.
    pub duration: Option<f64>,
}

/// A file that was looked into.
#[derive(Clone)]
struct Examined {
    source: Source,
    probe: Probe,
    outline: Option<Outline>,
}

impl Media {
    /// Shares the encoder slots (`COMPRESSION_MAX_CONCURRENT`) among all jobs, fairly between servers and people.
    pub fn new(settings: Compression, tools: Arc<Tools>) -> Self {
        let at_once = settings.max_concurrent.max(1);
        Self {
            runner: Runner::new(tools, at_once),
            encoders: Slots::new(at_once),
            hardware: hardware::Encoders::new(&settings),
            pictures: Arc::new(Semaphore::new(1)),
            settings,
        }
    }

    /// Tries the hardware encoders that the operator allows (`COMPRESSION_HARDWARE`), once, and tells what came of it;
    /// those after the first that works are not tried. Takes seconds: to be called at start, before one is needed.
    pub async fn hardware(&self) -> Vec<HardwareCheck> {
        self.hardware.check(&self.runner).await
    }

    /// What a forecast needs to know of this installation.
    pub fn means(&self) -> Means {
        Means::of(&self.settings)
    }

    /// Describes a file from its content: type by magic bytes, size, SHA-256. `name` becomes its safe file name (the
    /// extension follows the content).
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn describe(&self, path: &Path, name: &str, item: usize) -> Result<MediaFile> {
        let path = path.to_owned();
        let name = name.to_owned();
        blocking(move || {
            let sniffed = sniff::file(&path)?;
            let (size, checksum) = checksum(&path)?;
            Ok(MediaFile {
                filename: names::safe(&name, sniffed.extension),
                path,
                file_type: sniffed.kind,
                mimetype: sniffed.mime.to_owned(),
                size,
                checksum,
                alt_text: None,
                item,
            })
        })
        .await
    }

    /// Codecs, size and length of a file, for tables and captions.
    ///
    /// # Errors
    /// When it is no media file.
    pub async fn summary(&self, path: &Path) -> Result<Summary> {
        let owned = path.to_owned();
        let (sniffed, facts) = blocking(move || {
            let sniffed = sniff::file(&owned)?;
            Ok((sniffed, picture::facts(&owned).filter(|_| sniffed.kind == FileType::Image)))
        })
        .await?;
        if let Some(facts) = facts {
            return Ok(Summary {
                video_codec: Some(sniffed.extension.replace("jpg", "jpeg")),
                width: Some(facts.width),
                height: Some(facts.height),
                ..Summary::default()
            });
        }
        let scratch = tempfile::tempdir()?;
        let probe = self.probe(&Source::file(path), scratch.path(), &CancellationToken::new()).await?;
        let shown = probe.video.as_ref().map(|video| video.shown());
        Ok(Summary {
            width: shown.map(|(width, _)| width.round() as u32),
            height: shown.map(|(_, height)| height.round() as u32),
            video_codec: probe.video.map(|video| video.codec),
            audio_codec: probe.audio.map(|audio| audio.codec),
            duration: probe.duration,
        })
    }

    async fn probe(&self, source: &Source, dir: &Path, cancel: &CancellationToken) -> Result<Probe> {
        let json = self.runner.probe(&source.path, dir, cancel).await?.map_err(|error| ffmpeg::unreadable(&error))?;
        let mut probe = Probe::read(&json).map_err(|error| {
            // It is cut off where a file tells megabytes about itself.
            Error::new(Kind::CannotFit, format!("ffprobe's answer is odd: {error}"))
                .with_detail("the file is damaged or isn't media")
        })?;
        probe.size = work::size(&source.path).await;
        Ok(probe)
    }

    /// Probes a file; one that does not tell its length, or a doubtful one, is copied into a container that does.
    async fn examine(&self, path: &Path, dir: &Path, cancel: &CancellationToken) -> Result<Examined> {
        let source = Source::file(path);
        let probe = self.probe(&source, dir, cancel).await?;
        let owned = path.to_owned();
        let outline = if probe.is_mp4() {
            Some(
                blocking(move || {
                    let len = std::fs::metadata(&owned)?.len();
                    Ok(bmff::outline(&mut BufReader::new(File::open(&owned)?), len)?)
                })
                .await?,
            )
        } else {
            None
        };
        let silent = probe.video.is_none() && probe.audio.is_none();
        let timed = probe.duration.is_some() && !probe.is_doubtful();
        if timed || silent || probe.is_oversized() {
            return Ok(Examined { source, probe, outline });
        }
        let fixed = dir.join("timed.mkv");
        let output = Args::new().arg("-f matroska").path(&fixed);
        match self.copy(path, &probe, output, dir, cancel).await? {
            Ended::Well(_) => {
                let source = Source::file(&fixed);
                let timed = self.probe(&source, dir, cancel).await?;
                if timed.duration.is_some() {
                    // The decision about the original stays the original's: its container and size.
                    let probe = Probe { container: probe.container, size: probe.size, others: probe.others, ..timed };
                    return Ok(Examined { source, probe, outline });
                }
            }
            // A doubtful length is better than none.
            _ if probe.duration.is_some() => return Ok(Examined { source, probe, outline }),
            Ended::TooBig => {}
            Ended::Badly(error) => return Err(ffmpeg::unreadable(&error)),
        }
        Err(Error::new(Kind::CannotFit, "its length cannot be found out")
            .with_detail("the file is damaged or isn't media"))
    }
}

/// Runs blocking work on a thread of its own.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(format!("a media task: {error}")))?
}

/// What a file is now, whatever was said about it before.
async fn look(path: &Path) -> Result<(Sniffed, u64)> {
    let path = path.to_owned();
    blocking(move || Ok((sniff::file(&path)?, std::fs::metadata(&path)?.len()))).await
}

/// A folder that goes away by itself.
fn scratch(dir: &Path) -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix(".fit-").tempdir_in(dir)?)
}

/// Moves a finished file to a free name in `dir`: nobody ever sees half of it.
async fn settle(made: &Path, dir: &Path) -> Result<PathBuf> {
    let extension = made.extension().map(|extension| extension.to_string_lossy().into_owned()).unwrap_or_default();
    let id = uuid::Uuid::new_v4().simple().to_string();
    let path = dir.join(format!("fitted-{}.{extension}", id.get(..12).unwrap_or(&id)));
    tokio::fs::rename(made, &path).await?;
    Ok(path)
}

fn checksum(path: &Path) -> std::io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex::encode(hash.finalize())));
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
}
