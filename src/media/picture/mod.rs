//! Fits pictures: the part that waits, around the parts that compute.
//!
//! ```text
//! look      header → keep, encode, animate, refuse                 (nothing is decoded)
//! keep      strip what is private                                  (strip)
//! encode    decode → lossless, quality, scale                      (decode, still, search, encode)
//! convert   AVIF, HEIC, TIFF …: ffmpeg → decode → …                (foreign, heif)
//! animate   a video, or a smaller GIF by choice                    (animation, gif)
//! ```

mod animation;
mod decode;
mod encode;
mod foreign;
mod gif;
mod heif;
mod look;
mod search;
mod still;
mod strip;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ::image::ImageFormat;

pub(in crate::media) use self::look::{Facts, ImagePlan, facts, plan};
use self::{
    decode::Decoded,
    still::{BEST_QUALITY, Bounds, Still},
    strip::Stripped,
};
use super::{
    Examined, blocking,
    ffmpeg::{Args, Ended, Run},
    fit::Fit,
    plan::Refusal,
    probe::{Probe, Video},
    sniff::Sniffed,
    work::{Source, size},
};
use crate::{
    model::{Error, Result},
    settings::Animations,
};

/// What to say of a picture that could be read only in part.
const DAMAGED: &str = "the picture is damaged or incomplete: what could be read of it is here";

fn one(path: PathBuf) -> Option<Vec<PathBuf>> {
    Some(vec![path])
}

impl Fit<'_> {
    /// Pictures. `None`: the file is good as it is.
    pub(in crate::media) async fn picture(
        &self,
        path: &Path,
        sniffed: Sniffed,
        bytes: u64,
    ) -> Result<Option<Vec<PathBuf>>> {
        let owned = path.to_owned();
        let facts = self.compute(move || look::header(&owned)).await?;
        let Some(facts) = facts else { return self.foreign(path, sniffed, bytes).await };
        let gif_wanted = self.target.wish.gif && facts.is_animated() && facts.format != ImageFormat::Gif;
        match look::plan(&facts, bytes, self.target.max_bytes) {
            // A part of it is a film of its own.
            ImagePlan::Keep if gif_wanted || (facts.is_animated() && self.target.wish.trim.is_some()) => {
                self.animate(path, &facts).await
            }
            ImagePlan::Keep => self.keep(path, &facts).await,
            ImagePlan::Refuse => Err(Refusal::Oversized { width: facts.width, height: facts.height }.error()),
            ImagePlan::Animate => self.animate(path, &facts).await,
            ImagePlan::Encode => self.encode_picture(path).await.map(one),
        }
    }

    /// Work on a thread of its own, one picture at a time. When it is cancelled this returns at once; the thread keeps its
    /// place until it ends, which is at its next step.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let permit = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(Error::cancelled()),
            permit = Arc::clone(&self.media.pictures).acquire_owned() => permit,
        };
        let permit = permit.map_err(|_| Error::internal("the picture slot is gone"))?;
        let done = blocking(move || {
            let _permit = permit;
            work()
        });
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            done = done => done,
        }
    }

    /// A picture that fits, without what is private in it.
    async fn keep(&self, path: &Path, facts: &Facts) -> Result<Option<Vec<PathBuf>>> {
        let owned = path.to_owned();
        let bytes = self.compute(move || look::bytes(&owned)).await?;
        if bytes.len() as u64 > look::MAX_FILE {
            return Err(Refusal::Oversized { width: facts.width, height: facts.height }.error());
        }
        match self.compute(move || Ok(strip::strip(&bytes))).await? {
            Stripped::Clean => Ok(None),
            Stripped::Made(bytes) if self.fits(bytes.len()) => {
                let format = match facts.format {
                    ImageFormat::Jpeg => "picture.jpg",
                    ImageFormat::Png => "picture.png",
                    ImageFormat::WebP => "picture.webp",
                    _ => "picture.gif",
                };
                let out = self.work.join(format);
                tokio::fs::write(&out, bytes).await?;
                self.notes.with(|report| (report.path, report.mode) = ("keep", Some("stripped")));
                Ok(one(out))
            }
            _ if facts.is_oversized() => Err(Refusal::Oversized { width: facts.width, height: facts.height }.error()),
            Stripped::Made(_) => self.encode_picture(path).await.map(one),
            Stripped::Damaged => {
                self.notes.warn(DAMAGED);
                if facts.is_animated() {
                    return self.animate(path, facts).await;
                }
                self.encode_picture(path).await.map(one)
            }
        }
    }

    fn fits(&self, bytes: usize) -> bool {
        self.target.max_bytes.is_none_or(|limit| bytes as u64 <= limit)
    }

    /// A JPEG that fits, or a WebP where the picture has transparency or is a drawing.
    async fn encode_picture(&self, path: &Path) -> Result<PathBuf> {
        let owned = path.to_owned();
        let decoded = self
            .compute(move || {
                let bytes = look::bytes(&owned)?;
                let damaged = strip::strip(&bytes) == Stripped::Damaged;
                Ok(decode::decode(&bytes).map(|decoded| (decoded, damaged)))
            })
            .await?;
        let decoded = match decoded {
            Ok((decoded, damaged)) => {
                if damaged && self.notes.report().warnings.is_empty() {
                    self.notes.warn(DAMAGED);
                }
                decoded
            }
            // Some decoders give nothing of a picture that is cut short; ffmpeg's give what there is.
            Err(error) => {
                let Ok(decoded) = self.decode_by_ffmpeg(path).await? else { return Err(error) };
                self.notes.warn(DAMAGED);
                decoded
            }
        };
        self.encode_decoded(decoded, BEST_QUALITY).await
    }

    async fn encode_decoded(&self, decoded: Decoded, ceiling: f64) -> Result<PathBuf> {
        let floor = f64::from(self.media.settings.image_min_quality).min(ceiling);
        let bounds = Bounds { limit: self.target.max_bytes, floor, ceiling };
        let cancel = self.cancel.clone();
        self.meter.set(0.2);
        let made = self.compute(move || still::fit(&decoded, &bounds, &cancel)).await?;
        let Some(Still { bytes, extension, width, height, quality, encodes }) = made else {
            return Err(Refusal::Stubborn.error());
        };
        let out = self.work.join(format!("picture.{extension}"));
        tokio::fs::write(&out, bytes).await?;
        self.notes.with(|report| {
            report.path = "picture";
            report.attempts += encodes;
            report.mode = Some(match (extension, quality) {
                (_, None) => "webp lossless",
                ("webp", _) => "webp",
                _ => "jpeg",
            });
            report.quality = quality.map(|quality| (quality * 10.0).round() / 10.0);
            report.picture = Some((width, height));
        });
        Ok(out)
    }

    async fn ffmpeg(&self, args: Args, file_bytes: u64, deadline: Duration) -> Result<Ended> {
        let run =
            Run { args, dir: self.work, deadline, file_bytes: Some(file_bytes), on_tick: &mut |_| {}, told: None };
        self.media.runner.run(run, self.cancel).await
    }

    /// An animation as a video, or as a smaller GIF where that is wanted.
    async fn animate(&self, path: &Path, facts: &Facts) -> Result<Option<Vec<PathBuf>>> {
        let examined = if facts.format == ImageFormat::Gif {
            self.media.examine(path, self.work, self.cancel).await?
        } else {
            self.unfolded(path, facts.format).await?
        };
        if self.target.wish.gif || self.media.settings.animations == Animations::Gif {
            if let Some(made) = self.smaller_gif(&examined).await? {
                return Ok(Some(made));
            }
            self.notes.warn("a GIF that fits would be too small to see: here is a video");
        }
        self.moving(&examined).await
    }

    /// An animated WebP or PNG as ffmpeg can read it.
    async fn unfolded(&self, path: &Path, format: ImageFormat) -> Result<Examined> {
        let (source, frames, cancel) = (path.to_owned(), self.work.join("frames.png"), self.cancel.clone());
        let target = frames.clone();
        let animation = self.compute(move || animation::unfold(&source, format, &target, &cancel)).await?;
        let video = Video {
            codec: "png".into(),
            pix_fmt: "rgba".into(),
            width: animation.width,
            height: animation.height,
            sar: 1.0,
            fps: animation.fps,
            alpha: true,
            rgb: true,
            frames: Some(animation.frames),
            ..Video::default()
        };
        let probe = Probe {
            container: "png_pipe".into(),
            duration: Some(animation.frames as f64 / animation.fps),
            size: size(&frames).await,
            video: Some(video),
            ..Probe::default()
        };
        let options = format!("-f png_pipe -framerate {:.4}", animation.fps);
        Ok(Examined { source: Source { options, ..Source::file(&frames) }, probe, outline: None })
    }
}
