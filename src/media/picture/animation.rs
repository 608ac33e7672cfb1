//! Unfolds animated WebPs, which ffmpeg cannot read, and PNGs, whose length it does not know, into what it can.
//!
//! Everything here blocks: call it from `spawn_blocking`.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::Path,
};

use ::image::{
    AnimationDecoder, DynamicImage, Frames, ImageDecoder, ImageFormat,
    codecs::{png::PngDecoder, webp::WebPDecoder},
};
use tokio_util::sync::CancellationToken;

use super::{
    decode::{damaged, limits},
    encode,
    look::{MAX_ANIMATION, MAX_PIXELS},
};
use crate::model::{Error, Kind, Result};

/// Bytes of all frames unfolded: they lie on the disk while the animation is encoded.
const MAX_UNFOLDED: usize = 1 << 30;

/// An animation as ffmpeg can read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::media) struct Animation {
    /// Frames a second.
    pub fps: f64,
    /// Frames written.
    pub frames: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// The size and the frames of an animated WebP or PNG.
fn frames(path: &Path, format: ImageFormat) -> ::image::ImageResult<((u32, u32), Frames<'static>)> {
    let file = BufReader::new(File::open(path)?);
    if format == ImageFormat::WebP {
        let mut decoder = WebPDecoder::new(file)?;
        decoder.set_limits(limits(MAX_PIXELS))?;
        return Ok((decoder.dimensions(), decoder.into_frames()));
    }
    let decoder = PngDecoder::with_limits(file, limits(MAX_PIXELS))?;
    let size = decoder.dimensions();
    Ok((size, decoder.apng()?.into_frames()))
}

/// Unfolds an animation into PNGs of constant rate, one after another in one file.
pub(in crate::media) fn unfold(
    path: &Path,
    format: ImageFormat,
    out: &Path,
    cancel: &CancellationToken,
) -> Result<Animation> {
    let ((width, height), unfolded) = frames(path, format).map_err(damaged)?;
    let most = (MAX_ANIMATION / (u64::from(width) * u64::from(height)).max(1)).clamp(1, 20_000);
    // First the times alone, to find a rate that suits all.
    let mut delays = Vec::new();
    for frame in unfolded.take(most as usize) {
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        // What comes after a damaged frame is lost, what came before is good.
        let Ok(frame) = frame else { break };
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        // Browsers show frames without a time, or with less than 11 ms, for 100 ms.
        let delay = f64::from(numerator) / f64::from(denominator.max(1));
        delays.push(if delay < 11.0 { 100.0 } else { delay });
    }
    let tick = delays.iter().copied().fold(f64::INFINITY, f64::min).clamp(20.0, 500.0);
    let mut file = BufWriter::new(File::create(out)?);
    let mut written = 0;
    let mut bytes_written = 0_usize;
    let (_, unfolded) = frames(path, format).map_err(damaged)?;
    for (frame, delay) in unfolded.zip(&delays) {
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        let Ok(frame) = frame else { break };
        let mut bytes = Vec::new();
        encode::png(&DynamicImage::ImageRgba8(frame.into_buffer()), &mut bytes)?;
        for _ in 0..((delay / tick).round() as u64).clamp(1, 500) {
            if written < most && bytes_written <= MAX_UNFOLDED {
                file.write_all(&bytes)?;
                bytes_written += bytes.len();
                written += 1;
            }
        }
        if bytes_written > MAX_UNFOLDED {
            let error = Error::new(Kind::CannotFit, "an animation unfolds into too many bytes");
            return Err(error.with_detail("the animation is too large"));
        }
    }
    file.flush()?;
    if written == 0 {
        return Err(damaged("no frame of the animation decodes"));
    }
    Ok(Animation { fps: 1000.0 / tick, frames: written, width, height })
}
