//! Pictures that not every client shows (AVIF, HEIC, TIFF …), or that we cannot read: by ffmpeg, if it can.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    super::{
        ffmpeg::{Args, Ended, reason},
        fit::Fit,
        plan::Refusal,
        sniff::Sniffed,
        work::size,
    },
    decode::{self, Decoded},
    heif::{self, Coded},
    look::{self, MAX_FILE, MAX_PIXELS},
    one,
};
use crate::model::{Error, Kind, Result};

/// Seconds ffmpeg may take for one picture.
const DEADLINE: Duration = Duration::from_secs(60);
/// Bytes of an intermediate PNG.
const MAX_INTERMEDIATE: u64 = 512 << 20;
/// Quality of a JPEG made because clients can't show the original.
const CONVERTED_QUALITY: f64 = 92.0;
/// As [`reason`] says it.
const TOO_LARGE: &str = "its picture is too large";
/// What EXIF and XMP data begin with, in any format.
const PRIVATE: [&[u8]; 3] = [b"Exif\0", b"<x:xmpmeta", b"http://ns.adobe.com/"];

impl Fit<'_> {
    /// Converts it. `None`: the file is good as it is.
    pub(super) async fn foreign(&self, path: &Path, sniffed: Sniffed, bytes: u64) -> Result<Option<Vec<PathBuf>>> {
        if bytes > MAX_FILE {
            return Err(
                Error::new(Kind::CannotFit, "a picture of too many bytes").with_detail("the picture is too large")
            );
        }
        let is_heif = matches!(sniffed.extension, "avif" | "heic");
        let decoded = if is_heif { self.heif(path).await? } else { self.decode_by_ffmpeg(path).await? };
        let failure = match decoded {
            Ok(decoded) => return self.encode_decoded(decoded, CONVERTED_QUALITY).await.map(one),
            Err(failure) => failure,
        };
        let foreign = !matches!(sniffed.extension, "jpg" | "png" | "gif" | "webp");
        // ffmpeg's words about these are about the demuxer it would have used.
        let failure = if foreign { failure } else { "the picture is damaged" };
        if foreign
            && failure != TOO_LARGE
            && self.target.max_bytes.is_none_or(|limit| bytes <= limit)
            && let Some(kept) = self.keep_foreign(path, sniffed, is_heif).await?
        {
            // Newer clients show it; the others can save it.
            tracing::warn!(mime = sniffed.mime, "a picture that cannot be converted is kept as it is");
            return Ok(kept);
        }
        Err(Error::new(Kind::CannotFit, format!("{}: {failure}", sniffed.mime)).with_detail(failure))
    }

    /// The file with its private data blanked; `None` where they cannot be found.
    async fn keep_foreign(&self, path: &Path, sniffed: Sniffed, is_heif: bool) -> Result<Option<Option<Vec<PathBuf>>>> {
        let owned = path.to_owned();
        let blanked = self
            .compute(move || {
                let mut bytes = look::bytes(&owned)?;
                if !is_heif {
                    let private = PRIVATE.iter().any(|mark| bytes.windows(mark.len()).any(|window| window == *mark));
                    return Ok((!private).then_some(None));
                }
                let Some(private) = heif::private(&bytes) else { return Ok(None) };
                let some = !private.is_empty();
                for range in private {
                    if let Some(data) = bytes.get_mut(range) {
                        data.fill(0);
                    }
                }
                Ok(Some(some.then_some(bytes)))
            })
            .await?;
        let Some(blanked) = blanked else { return Ok(None) };
        let Some(bytes) = blanked else { return Ok(Some(None)) };
        let out = self.work.join(format!("picture.{}", sniffed.extension));
        tokio::fs::write(&out, bytes).await?;
        Ok(Some(one(out)))
    }

    /// HEIC and AVIF: taken apart here, decoded by ffmpeg.
    async fn heif(&self, path: &Path) -> Result<std::result::Result<Decoded, &'static str>> {
        let owned = path.to_owned();
        let coded = self.compute(move || Ok(heif::read(&look::bytes(&owned)?))).await?;
        let Some(coded) = coded else { return self.decode_by_ffmpeg(path).await };
        let Coded { format, stream, alpha, grid, width, height, turns, profile } = coded;
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > MAX_PIXELS {
            return Err(Refusal::Oversized { width, height }.error());
        }
        let (main, transparency) = (self.work.join("main.coded"), self.work.join("alpha.coded"));
        tokio::fs::write(&main, stream).await?;
        let mut filters = Vec::new();
        if grid != (1, 1) {
            filters.push(format!("tile={}x{}", grid.0, grid.1));
        }
        // Cropped as RGB: with a quarter of the colours only even sizes could be.
        filters.push(format!("format=rgb24,crop='min(iw,{width})':'min(ih,{height})':0:0"));
        let mut more = Vec::new();
        if let Some(alpha) = alpha {
            tokio::fs::write(&transparency, alpha).await?;
            more.push(transparency.as_path());
            filters.push("format=rgba[picture];[1:v]format=gray[alpha];[picture][alpha]alphamerge".to_owned());
        }
        filters.extend(turns.into_iter().map(str::to_owned));
        let options = Args::new().arg(format!("-f {format}"));
        let graph = format!("[0:v]{}[out]", filters.join(","));
        let decoded = self.decode_graph(options, &main, &more, Some(&graph)).await?;
        Ok(decoded.map(|decoded| decoded.with_profile(profile)))
    }

    /// Decodes a picture by ffmpeg, or says why not.
    pub(super) async fn decode_by_ffmpeg(&self, path: &Path) -> Result<std::result::Result<Decoded, &'static str>> {
        self.decode_graph(Args::new(), path, &[], None).await
    }

    /// The same with `options` before each input, several inputs, and filters that join them into `[out]`.
    async fn decode_graph(
        &self,
        options: Args,
        path: &Path,
        more: &[&Path],
        graph: Option<&str>,
    ) -> Result<std::result::Result<Decoded, &'static str>> {
        let still = self.work.join("converted.png");
        let mut args = options.clone().input(path, self.media.runner.threads);
        for input in more {
            args = args.join(options.clone().input(input, self.media.runner.threads));
        }
        let args = match graph {
            Some(graph) => args.arg("-filter_complex").one(graph).arg("-map [out]"),
            None => args.arg("-map 0:v:0"),
        };
        let args = args.arg("-frames:v 1 -c:v png -compression_level 1 -f image2pipe").path(&still);
        let failure = match self.ffmpeg(args, MAX_INTERMEDIATE, DEADLINE).await? {
            Ended::Well(_) if size(&still).await > 0 => {
                let decoded = self.compute(move || decode::decode(&look::bytes(&still)?)).await;
                match decoded {
                    Err(error) if *error.kind() == Kind::CannotFit => "the picture is damaged",
                    decoded => return decoded.map(Ok),
                }
            }
            Ended::Well(_) => "the picture is damaged",
            Ended::TooBig => TOO_LARGE,
            Ended::Badly(error) => {
                tracing::debug!(%error, "the picture cannot be converted");
                reason(&error).unwrap_or("it can't be converted here")
            }
        };
        Ok(Err(failure))
    }
}
