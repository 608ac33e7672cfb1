//! What a file is, and how to make it fit and play inline: ffprobe and ffmpeg in the sandbox, pictures in process.
//!
//! ```text
//! describe  sniff → name → checksum                       (sniff, names)
//! fit       sniff ─┬ picture → image::plan  → keep, JPEG, WebP, video
//!                  └ else    → probe → plan → keep, or steps: remux, copy, encode   (encode, audio)
//! ```
//!
//! `plan`, `budget` and `search` decide and touch nothing; the others do what was decided. A file over
//! the limit never leaves this room, nor does one that was not written to its end.

mod audio;
mod bmff;
mod budget;
mod encode;
mod ffmpeg;
mod image;
mod join;
mod names;
mod plan;
mod probe;
mod search;
mod sniff;
mod stills;
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
    bmff::Outline,
    budget::Rules,
    ffmpeg::{Args, Ended, Runner},
    plan::{Plan, Step},
    probe::Probe,
    sniff::Sniffed,
    work::{Kit, Made, Meter, Source},
};
use crate::{
    model::{Error, FileType, Kind, MediaFile, Result},
    settings::Compression,
    tools::Tools,
};

/// Probing and fitting. Cheap to share behind an `Arc`.
pub struct Media {
    settings: Compression,
    runner: Runner,
    /// `COMPRESSION_MAX_CONCURRENT`, shared by all jobs.
    encoders: Semaphore,
    /// Pictures are decoded one at a time: a large one takes hundreds of megabytes. An `Arc`, because the permit goes
    /// with the thread that decodes, which outlives a request that is dropped.
    pictures: Arc<Semaphore>,
}

/// What a file must become.
#[derive(Debug, Clone, Copy)]
pub struct FitTarget {
    /// Bytes it may have at the most. `None`: only made to play inline.
    pub max_bytes: Option<u64>,
    /// Sound only.
    pub audio_only: bool,
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
struct Examined {
    source: Source,
    probe: Probe,
    outline: Option<Outline>,
}

impl Media {
    /// Shares the encoder slots (`COMPRESSION_MAX_CONCURRENT`) among all jobs.
    pub fn new(settings: Compression, tools: Arc<Tools>) -> Self {
        let at_once = settings.max_concurrent.max(1);
        Self {
            runner: Runner::new(tools, at_once),
            encoders: Semaphore::new(at_once),
            pictures: Arc::new(Semaphore::new(1)),
            settings,
        }
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
            Ok((sniffed, image::facts(&owned).filter(|_| sniffed.kind == FileType::Image)))
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

    /// What fitting would do, in words, without doing it: "copy", "remux", "encode to 9.9 MB at 720p" or the reason it cannot.
    ///
    /// # Errors
    /// When the file cannot be read at all, or `cancelled`.
    pub async fn feasibility(&self, file: &MediaFile, target: FitTarget, cancel: &CancellationToken) -> Result<String> {
        let scratch = tempfile::tempdir()?;
        let (sniffed, size) = look(&file.path).await?;
        if sniffed.kind == FileType::Image && !target.audio_only {
            let path = file.path.clone();
            let plan =
                blocking(move || Ok(image::facts(&path).map(|facts| image::plan(&facts, size, target.max_bytes))))
                    .await?;
            return Ok(match plan {
                Some(image::ImagePlan::Keep) => "copy",
                Some(image::ImagePlan::Encode) => "encode the picture",
                Some(image::ImagePlan::Animate) => "encode as a video",
                Some(image::ImagePlan::Refuse) => "its picture is too large",
                None => "convert the picture",
            }
            .to_owned());
        }
        let examined = self.examine(&file.path, scratch.path(), cancel).await?;
        Ok(match plan::plan(&examined.probe, examined.outline.as_ref(), &target, &self.rules(target)) {
            Plan::Keep => "copy".to_owned(),
            Plan::Make { steps, .. } => steps.first().map(Step::describe).unwrap_or_default(),
            Plan::Refuse(refusal) => refusal.error().user_text(),
        })
    }

    /// Makes a file that plays inline and has at most `target.max_bytes`. Returns the same file when it does already;
    /// otherwise a new one in `dir`. `on_fraction` hears 0.0 to 1.0, never less than before.
    ///
    /// # Errors
    /// `cannot_fit` with the reason; never a file over the limit.
    pub async fn fit(
        &self,
        file: &MediaFile,
        target: FitTarget,
        dir: &Path,
        on_fraction: &(dyn Fn(f32) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<MediaFile> {
        let (sniffed, size) = look(&file.path).await?;
        if size == 0 {
            return Err(Error::new(Kind::CannotFit, "an empty file").with_detail("the file is empty"));
        }
        tokio::fs::create_dir_all(dir).await?;
        let scratch = scratch(dir)?;
        let meter = Meter::new(on_fraction);
        let fit = Fit { media: self, target, work: scratch.path(), cancel, meter: &meter };
        let made = if sniffed.kind == FileType::Image {
            if target.audio_only {
                return Err(plan::Refusal::NoSound.error());
            }
            fit.picture(&file.path, sniffed, size).await?
        } else {
            fit.moving(&self.examine(&file.path, scratch.path(), cancel).await?).await?
        };
        let Some(made) = made else { return Ok(file.clone()) };
        let written = work::size(&made).await;
        if target.max_bytes.is_some_and(|limit| written > limit) {
            // Every way of making a file checks this; here it is checked for all of them.
            return Err(plan::Refusal::Stubborn.error());
        }
        let path = settle(&made, dir).await?;
        let mut fitted = self.describe(&path, &file.filename, file.item).await?;
        fitted.alt_text.clone_from(&file.alt_text);
        meter.set(1.0);
        tracing::info!(from = size, to = written, limit = target.max_bytes, mime = %fitted.mimetype, "made a file fit");
        Ok(fitted)
    }

    fn rules(&self, target: FitTarget) -> Rules {
        Rules {
            limit: target.max_bytes,
            min_video_kbps: self.settings.min_video_kbps,
            min_audio_kbps: self.settings.min_audio_kbps,
        }
    }

    async fn probe(&self, source: &Source, dir: &Path, cancel: &CancellationToken) -> Result<Probe> {
        let json = self.runner.probe(&source.path, dir, cancel).await?.map_err(|error| ffmpeg::unreadable(&error))?;
        let mut probe =
            Probe::read(&json).map_err(|error| Error::internal(format!("ffprobe's answer is odd: {error}")))?;
        probe.size = work::size(&source.path).await;
        Ok(probe)
    }

    /// Probes a file; one that does not tell its length is copied into a container that does.
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
        if probe.duration.is_some() || silent || probe.is_oversized() {
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
            Ended::TooBig => {}
            Ended::Badly(error) => return Err(ffmpeg::unreadable(&error)),
        }
        Err(Error::new(Kind::CannotFit, "its length cannot be found out")
            .with_detail("the file is damaged or isn't media"))
    }
}

/// One fit under way.
struct Fit<'a> {
    media: &'a Media,
    target: FitTarget,
    work: &'a Path,
    cancel: &'a CancellationToken,
    meter: &'a Meter<'a>,
}

impl Fit<'_> {
    /// Videos and sound. `None`: the file is good as it is.
    async fn moving(&self, examined: &Examined) -> Result<Option<PathBuf>> {
        let rules = self.media.rules(self.target);
        let plan = plan::plan(&examined.probe, examined.outline.as_ref(), &self.target, &rules);
        tracing::debug!(?plan, "fitting");
        let (steps, otherwise) = match plan {
            Plan::Keep => return Ok(None),
            Plan::Refuse(refusal) => return Err(refusal.error()),
            Plan::Make { steps, otherwise } => (steps, otherwise),
        };
        let kit = Kit {
            runner: &self.media.runner,
            source: &examined.source,
            probe: &examined.probe,
            rules,
            preset: &self.media.settings.preset,
            work: self.work,
            cancel: self.cancel,
            meter: self.meter,
        };
        let mut failure = None;
        for step in steps {
            match self.step(&kit, step).await? {
                Made::File(path) => match self.verify(&path, &examined.probe).await? {
                    Ok(()) => return Ok(Some(path)),
                    Err(error) => failure = Some(error),
                },
                Made::Over => tracing::debug!(?step, "did not fit"),
                Made::Failed(error) => {
                    tracing::debug!(?step, %error, "did not work");
                    failure = Some(ffmpeg::unreadable(&error));
                }
            }
        }
        Err(failure.unwrap_or_else(|| otherwise.error()))
    }

    async fn step(&self, kit: &Kit<'_>, step: Step) -> Result<Made> {
        let missing = || Error::internal("a step without the stream it is about");
        let video = || kit.probe.video.as_ref().ok_or_else(missing);
        let audio = || kit.probe.audio.as_ref().ok_or_else(missing);
        let _slot = match step {
            Step::Remux | Step::CopyToM4a | Step::CopyToMp3 => None,
            _ => Some(self.slot().await?),
        };
        match step {
            Step::Remux => encode::remux(kit).await,
            Step::CopyVideo(sound) => encode::copy_video(kit, video()?, audio()?, sound).await,
            Step::Encode { .. } => encode::encode(kit, video()?).await,
            Step::CopyToM4a => audio::copy_to_m4a(kit, audio()?).await,
            Step::CopyToMp3 => audio::copy_to_mp3(kit, audio()?).await,
            Step::EncodeSound(sound) => audio::encode(kit, audio()?, sound).await,
        }
    }

    /// Waits for an encoder slot.
    async fn slot(&self) -> Result<tokio::sync::SemaphorePermit<'_>> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            permit = self.media.encoders.acquire() => permit.map_err(|_| Error::internal("the encoder slots are gone")),
        }
    }

    /// Reads a made file back: it must hold what the source held. A different length is only worth a warning, since it
    /// is the source that is damaged then.
    async fn verify(&self, path: &Path, source: &Probe) -> Result<std::result::Result<(), Error>> {
        let made = match self.media.probe(&Source::file(path), self.work, self.cancel).await {
            Ok(made) => made,
            Err(error) if *error.kind() == Kind::CannotFit => return Ok(Err(error)),
            Err(error) => return Err(error),
        };
        let picture_lost = source.video.is_some() && !self.target.audio_only && made.video.is_none();
        if picture_lost || (made.video.is_none() && made.audio.is_none()) {
            let error = Error::new(Kind::CannotFit, "nothing of the file could be decoded");
            return Ok(Err(error.with_detail("the file is damaged")));
        }
        if let (Some(before), Some(after)) = (source.duration, made.duration)
            && (before - after).abs() > (before * 0.03).max(1.0)
        {
            tracing::warn!(before, after, "the length changed: the source is damaged or cut short");
        }
        Ok(Ok(()))
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
