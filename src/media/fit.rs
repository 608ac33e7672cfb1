//! The way of one file: look, plan, do, check.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::{
    Examined, FitProgress, FitTarget, Fitted, Media, Slot, blocking, ffmpeg, look, picture,
    plan::{self, Plan, Step},
    probe::Probe,
    scratch, settle, sound,
    target::Notes,
    video::{self, budget::Rules},
    wishes,
    work::{self, Kit, Made, Meter, Source},
};
use crate::model::{Error, FileType, Kind, MediaFile, Result};

impl Media {
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
                blocking(move || Ok(picture::facts(&path).map(|facts| picture::plan(&facts, size, target.max_bytes))))
                    .await?;
            return Ok(match plan {
                Some(picture::ImagePlan::Keep) => "copy",
                Some(picture::ImagePlan::Encode) => "encode the picture",
                Some(picture::ImagePlan::Animate) => "encode as a video",
                Some(picture::ImagePlan::Refuse) => "its picture is too large",
                None => "convert the picture",
            }
            .to_owned());
        }
        let examined = self.examine(&file.path, scratch.path(), cancel).await?;
        let examined = wishes::apply(&examined, &target.wish, target.audio_only, &Notes::default())?;
        Ok(match plan::plan(&examined.probe, examined.outline.as_ref(), &target, &self.rules(&target)) {
            Plan::Keep => "copy".to_owned(),
            Plan::Make { steps, .. } => steps.first().map(Step::describe).unwrap_or_default(),
            Plan::Refuse(refusal) => refusal.error().user_text(),
        })
    }

    /// Makes a file that plays inline and has at most `target.max_bytes`. Returns the same file when it does already;
    /// otherwise a new one in `dir`. `on_progress` hears how many others go before, and then how far it is.
    ///
    /// # Errors
    /// `cannot_fit` with the reason; never a file over the limit.
    pub async fn fit(
        &self,
        file: &MediaFile,
        target: FitTarget,
        dir: &Path,
        on_progress: &(dyn Fn(FitProgress) + Send + Sync),
        cancel: &CancellationToken,
    ) -> Result<Fitted> {
        let (sniffed, size) = look(&file.path).await?;
        if size == 0 {
            return Err(Error::new(Kind::CannotFit, "an empty file").with_detail("the file is empty"));
        }
        tokio::fs::create_dir_all(dir).await?;
        let scratch = scratch(dir)?;
        let meter = Meter::new(on_progress);
        let notes = Notes::default();
        let fit = Fit { media: self, target: &target, work: scratch.path(), cancel, meter: &meter, notes: &notes };
        let made = if sniffed.kind == FileType::Image {
            if target.audio_only {
                return Err(plan::Refusal::NoSound.error());
            }
            fit.picture(&file.path, sniffed, size).await?
        } else {
            fit.moving(&self.examine(&file.path, scratch.path(), cancel).await?).await?
        };
        let Some(made) = made else {
            notes.with(|report| report.path = "keep");
            return Ok(Fitted { files: vec![file.clone()], report: notes.report() });
        };
        let (mut files, many) = (Vec::new(), made.len() > 1);
        for made in &made {
            let written = work::size(made).await;
            if target.max_bytes.is_some_and(|limit| written > limit) {
                // Every way of making a file checks this; here it is checked for all of them.
                return Err(plan::Refusal::Stubborn.error());
            }
            let path = settle(made, dir).await?;
            let name = match many {
                true => numbered(&file.filename, files.len() + 1),
                false => file.filename.clone(),
            };
            let mut fitted = self.describe(&path, &name, file.item).await?;
            fitted.alt_text.clone_from(&file.alt_text);
            files.push(fitted);
        }
        meter.set(1.0);
        let (report, to) = (notes.report(), files.iter().map(|file| file.size).sum::<u64>());
        tracing::info!(from = size, to, files = files.len(), limit = target.max_bytes, ?report, "made a file fit");
        Ok(Fitted { files, report })
    }

    fn rules(&self, target: &FitTarget) -> Rules {
        Rules {
            limit: target.max_bytes,
            min_video_kbps: self.settings.min_video_kbps,
            min_audio_kbps: self.settings.min_audio_kbps,
            max_short: wishes::most_lines(target.quality),
            codec: self.settings.video_codec,
        }
    }
}

/// The name of a part: its number before the extension.
fn numbered(name: &str, number: usize) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}-{number}.{extension}"),
        _ => format!("{name}-{number}"),
    }
}

/// One fit under way.
pub(super) struct Fit<'a> {
    pub media: &'a Media,
    pub target: &'a FitTarget,
    /// A folder of this fit's own.
    pub work: &'a Path,
    pub cancel: &'a CancellationToken,
    pub meter: &'a Meter<'a>,
    pub notes: &'a Notes,
}

impl Fit<'_> {
    /// Videos and sound. `None`: the file is good as it is.
    pub(super) async fn moving(&self, examined: &Examined) -> Result<Option<Vec<PathBuf>>> {
        self.notes.with(|report| report.source_seconds = examined.probe.duration);
        let target = self.target;
        let examined = &wishes::apply(examined, &target.wish, target.audio_only, self.notes)?;
        let rules = self.media.rules(self.target);
        let plan = plan::plan(&examined.probe, examined.outline.as_ref(), self.target, &rules);
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
            settings: &self.media.settings,
            speed: self.target.wish.speed,
            hardware: &self.media.hardware,
            work: self.work,
            cancel: self.cancel,
            meter: self.meter,
            notes: self.notes,
        };
        if let Some(limit) = video::split::wanted(&examined.probe, target, self.media.settings.split)
            && let Some(parts) = video::split::split(self, &kit, limit).await?
        {
            self.notes.with(|report| report.path = "split");
            return Ok(Some(parts));
        }
        let mut failure = None;
        for step in steps {
            match self.step(&kit, step).await? {
                Made::File(path) => match self.verify(&path, &examined.probe).await? {
                    Ok(()) => {
                        self.notes.with(|report| report.path = step.name());
                        return Ok(Some(vec![path]));
                    }
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
            Step::Remux | Step::CopySound(_) => None,
            _ => Some(self.slot().await?),
        };
        match step {
            Step::Remux => video::remux(kit).await,
            Step::CopyVideo(sound) => video::copy_video(kit, video()?, audio()?, sound).await,
            Step::Encode { .. } => video::encode(kit, video()?).await,
            Step::CopySound(format) => sound::copy(kit, audio()?, format, &self.target.tags).await,
            Step::EncodeSound(encode) => sound::encode(kit, audio()?, encode, &self.target.tags).await,
            Step::Gif => video::gif::make(kit, video()?).await,
        }
    }

    /// Waits for an encoder slot.
    pub(super) async fn slot(&self) -> Result<Slot> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            slot = self.media.encoders.acquire(self.target.party, |ahead| self.meter.wait(ahead)) => Ok(slot),
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
            self.notes.warn("the file is damaged or incomplete: what could be read of it is here");
        }
        Ok(Ok(()))
    }
}
