//! Fits pictures: the part that waits, around the part that computes ([`image`]).

mod image;
mod search;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::OwnedSemaphorePermit;

pub(in crate::media) use self::image::{ImagePlan, facts, plan};
use self::{
    image::{BEST_QUALITY, Decoded, Scales},
    search::Search,
};
use super::{
    Examined, blocking,
    ffmpeg::{Args, Ended, Run, reason},
    fit::Fit,
    probe::{Probe, Video},
    sniff::Sniffed,
    work::{Source, size},
};
use crate::model::{Error, Kind, Result};

/// Seconds ffmpeg may take for one picture.
const STILL_DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);
/// Bytes of an intermediate PNG.
const MAX_INTERMEDIATE: u64 = 512 << 20;
/// Quality of a JPEG made because clients can't show the original.
const CONVERTED_QUALITY: u8 = 92;

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
        let permit = self.picture_permit().await?;
        let facts = blocking(move || {
            let _permit = permit;
            Ok(image::facts(&owned))
        })
        .await?;
        let Some(facts) = facts else { return self.convert(path, sniffed, bytes).await };
        match image::plan(&facts, bytes, self.target.max_bytes) {
            ImagePlan::Keep => Ok(None),
            ImagePlan::Refuse => {
                Err(super::plan::Refusal::Oversized { width: facts.width, height: facts.height }.error())
            }
            ImagePlan::Animate if facts.format == ::image::ImageFormat::WebP => self.animate_webp(path).await,
            ImagePlan::Animate => self.moving(&self.media.examine(path, self.work, self.cancel).await?).await,
            ImagePlan::Encode => self.encode_picture(path, BEST_QUALITY).await.map(one),
        }
    }

    pub(in crate::media) async fn picture_permit(&self) -> Result<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            permit = Arc::clone(&self.media.pictures).acquire_owned() => {
                permit.map_err(|_| Error::internal("the picture slot is gone"))
            }
        }
    }

    /// A JPEG that fits, or a WebP where the picture has transparency.
    async fn encode_picture(&self, path: &Path, ceiling: u8) -> Result<PathBuf> {
        let permit = self.picture_permit().await?;
        let (source, out) = (path.to_owned(), self.work.join("picture.jpg"));
        let (limit, floor, cancel) =
            (self.target.max_bytes, self.media.settings.image_min_quality, self.cancel.clone());
        let target = out.clone();
        let made = blocking(move || {
            let _permit = permit;
            let decoded = image::decode(&source)?;
            if decoded.is_transparent() {
                return Ok(Err(decoded));
            }
            image::jpeg(&decoded, limit, floor, ceiling, &target, &cancel).map(Ok)
        })
        .await?;
        match made {
            Ok(true) => Ok(out),
            Ok(false) => Err(super::plan::Refusal::Stubborn.error()),
            Err(decoded) => self.transparent(Arc::new(decoded)).await,
        }
    }

    /// WebP by ffmpeg's libwebp: the only lossy format with transparency that Discord shows.
    async fn transparent(&self, decoded: Arc<Decoded>) -> Result<PathBuf> {
        let limit = self.target.max_bytes.unwrap_or(u64::MAX);
        let (still, trial, out) =
            (self.work.join("still.png"), self.work.join("trial.webp"), self.work.join("picture.webp"));
        let mut scales = Scales::of(&decoded.picture);
        loop {
            let (source, target, scale) = (Arc::clone(&decoded), still.clone(), scales.current());
            blocking(move || {
                let file = std::io::BufWriter::new(std::fs::File::create(target)?);
                if scale < 1.0 {
                    image::png(&image::scaled(&source.picture, scale)?, file)
                } else {
                    image::png(&source.picture, file)
                }
            })
            .await?;
            let mut search = Search::new(limit, self.media.settings.image_min_quality, BEST_QUALITY);
            let mut found = false;
            while let Some(quality) = search.next() {
                let args = Args::new()
                    .arg("-f png_pipe")
                    .input(&still, self.media.runner.threads)
                    .arg(format!("-c:v libwebp -compression_level 2 -quality {quality} -f webp"))
                    .path(&trial);
                let written = match self.ffmpeg(args, limit.saturating_mul(2).saturating_add(1 << 20)).await? {
                    Ended::Well(_) => size(&trial).await,
                    Ended::TooBig => limit.saturating_mul(2),
                    Ended::Badly(error) => return Err(error.into()),
                };
                if search.record(quality, written) {
                    tokio::fs::rename(&trial, &out).await?;
                    found = true;
                }
            }
            if found {
                return Ok(out);
            }
            if !scales.shrink(search.shrink()) {
                return Err(super::plan::Refusal::Stubborn.error());
            }
        }
    }

    async fn ffmpeg(&self, args: Args, file_bytes: u64) -> Result<Ended> {
        let run = Run {
            args,
            dir: self.work,
            deadline: STILL_DEADLINE,
            file_bytes: Some(file_bytes.min(MAX_INTERMEDIATE)),
            on_tick: &mut |_| {},
            told: None,
        };
        self.media.runner.run(run, self.cancel).await
    }

    /// Pictures that not every client shows (AVIF, HEIC, TIFF …), or that we cannot read: by ffmpeg, if it can.
    async fn convert(&self, path: &Path, sniffed: Sniffed, bytes: u64) -> Result<Option<Vec<PathBuf>>> {
        let still = self.work.join("converted.png");
        let args = Args::new()
            .input(path, self.media.runner.threads)
            .arg("-map 0:v:0 -frames:v 1 -c:v png -pred mixed -f image2pipe")
            .path(&still);
        let failure = match self.ffmpeg(args, MAX_INTERMEDIATE).await? {
            Ended::Well(_) if size(&still).await > 0 => {
                return self.encode_picture(&still, CONVERTED_QUALITY).await.map(one);
            }
            Ended::Well(_) => "the picture is damaged",
            Ended::TooBig => "its picture is too large",
            Ended::Badly(error) => {
                tracing::debug!(%error, "the picture cannot be converted");
                reason(&error).unwrap_or("it can't be converted here")
            }
        };
        let foreign = !matches!(sniffed.extension, "jpg" | "png" | "gif" | "webp");
        // ffmpeg's words about these are about the demuxer it would have used.
        let failure = if foreign { failure } else { "the picture is damaged" };
        if foreign && self.target.max_bytes.is_none_or(|limit| bytes <= limit) {
            // Newer clients show it; the others can save it.
            tracing::warn!(mime = sniffed.mime, "a picture that cannot be converted is kept as it is");
            return Ok(None);
        }
        Err(Error::new(Kind::CannotFit, format!("{}: {failure}", sniffed.mime)).with_detail(failure))
    }

    /// An animated WebP as a video.
    async fn animate_webp(&self, path: &Path) -> Result<Option<Vec<PathBuf>>> {
        let permit = self.picture_permit().await?;
        let (source, frames, cancel) = (path.to_owned(), self.work.join("frames.png"), self.cancel.clone());
        let target = frames.clone();
        let animation = blocking(move || {
            let _permit = permit;
            image::unfold_webp(&source, &target, &cancel)
        })
        .await?;
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
        self.moving(&Examined { source: Source { options, ..Source::file(&frames) }, probe, outline: None }).await
    }
}
