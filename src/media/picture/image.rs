//! Still pictures, in process: looks at a header before it decodes, keeps what fits, else JPEG (WebP where there is
//! transparency) at the highest quality that fits, then smaller.
//!
//! Everything here blocks: call it from `spawn_blocking`.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::Path,
};

use ::image::{
    AnimationDecoder, DynamicImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader, Limits,
    codecs::{
        gif::GifDecoder,
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
        webp::WebPDecoder,
    },
};
use fast_image_resize::{FilterType as Kernel, ResizeAlg, ResizeOptions, Resizer};
use tokio_util::sync::CancellationToken;

use super::search::Search;
use crate::model::{Error, Kind, Result};

/// Pixels that are decoded: four bytes each, and a second copy while scaling.
pub(in crate::media) const MAX_PIXELS: u64 = 64_000_000;
/// Bytes a decoder may take.
const MAX_ALLOC: u64 = 640 << 20;
/// A file over [`MAX_PIXELS`] with fewer bytes a pixel is no photograph but a trap.
const BOMB_BYTES: f64 = 0.02;
/// Pixels of all frames of an animation together.
const MAX_ANIMATION: u64 = 1_500_000_000;
/// The best JPEG worth making.
pub(in crate::media) const BEST_QUALITY: u8 = 95;
/// Sizes tried.
const SCALES: usize = 8;
/// The smallest side a picture is scaled to.
const MIN_SIDE: u32 = 16;

/// What a header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) struct Facts {
    /// JPEG, PNG, GIF or WebP.
    pub format: ImageFormat,
    /// Pixels as stored.
    pub width: u32,
    /// Pixels as stored.
    pub height: u32,
    /// More than one frame. Known for GIF and WebP of a size that we decode.
    pub animated: bool,
}

/// What is to be done with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum ImagePlan {
    /// Nothing.
    Keep,
    /// Encode it again.
    Encode,
    /// Make a video of it.
    Animate,
    /// It is too large to decode.
    Refuse,
}

impl Facts {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Decides: pure.
pub(in crate::media) fn plan(facts: &Facts, size: u64, limit: Option<u64>) -> ImagePlan {
    let fits = limit.is_none_or(|limit| size <= limit);
    let oversized = facts.pixels() > MAX_PIXELS;
    match (fits, oversized) {
        (true, false) => ImagePlan::Keep,
        (true, true) if size as f64 >= facts.pixels() as f64 * BOMB_BYTES => ImagePlan::Keep,
        (_, true) => ImagePlan::Refuse,
        (false, false) if facts.animated => ImagePlan::Animate,
        (false, false) => ImagePlan::Encode,
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOC);
    limits
}

fn reader(path: &Path) -> ::image::ImageResult<ImageReader<BufReader<File>>> {
    let mut reader = ImageReader::new(BufReader::new(File::open(path)?)).with_guessed_format()?;
    reader.limits(limits());
    Ok(reader)
}

/// Reads the header. `None`: not a picture that we decode ourselves.
pub(in crate::media) fn facts(path: &Path) -> Option<Facts> {
    let reader = reader(path).ok()?;
    let format = reader.format()?;
    let (width, height) = reader.into_dimensions().ok()?;
    let mut facts = Facts { format, width, height, animated: false };
    if facts.pixels() > 0 && facts.pixels() <= MAX_PIXELS {
        let open = || File::open(path).map(BufReader::new).ok();
        facts.animated = match format {
            ImageFormat::Gif => GifDecoder::new(open()?).is_ok_and(|mut decoder| {
                decoder.set_limits(limits()).is_ok() && decoder.into_frames().take(2).flatten().count() == 2
            }),
            ImageFormat::WebP => WebPDecoder::new(open()?).is_ok_and(|decoder| decoder.has_animation()),
            _ => false,
        };
    }
    Some(facts)
}

/// A decoded picture, upright.
pub(in crate::media) struct Decoded {
    /// 8 bits a channel: grey, RGB, or RGBA when anything of it is transparent.
    pub picture: DynamicImage,
    /// Its colour profile.
    profile: Option<Vec<u8>>,
}

impl Decoded {
    /// Whether anything of it is transparent.
    pub(in crate::media) fn is_transparent(&self) -> bool {
        self.picture.color().has_alpha()
    }
}

fn damaged(error: &::image::ImageError) -> Error {
    Error::new(Kind::CannotFit, format!("picture: {error}")).with_detail("the picture is damaged")
}

/// Decodes a picture, turned as its EXIF data say.
pub(in crate::media) fn decode(path: &Path) -> Result<Decoded> {
    let load = || -> ::image::ImageResult<_> {
        let mut decoder = reader(path)?.into_decoder()?;
        let orientation = decoder.orientation()?;
        let profile = decoder.icc_profile()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok((picture, profile))
    };
    let (picture, profile) = load().map_err(|error| damaged(&error))?;
    let picture = match picture {
        grey @ DynamicImage::ImageLuma8(_) => grey,
        DynamicImage::ImageLuma16(_) => DynamicImage::ImageLuma8(picture.into_luma8()),
        rgb @ DynamicImage::ImageRgb8(_) => rgb,
        other if other.color().has_alpha() => {
            let rgba = other.into_rgba8();
            if rgba.pixels().any(|pixel| pixel.0[3] != u8::MAX) {
                DynamicImage::ImageRgba8(rgba)
            } else {
                DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(rgba).into_rgb8())
            }
        }
        other => DynamicImage::ImageRgb8(other.into_rgb8()),
    };
    Ok(Decoded { picture, profile })
}

/// The picture at `scale` times its sides.
pub(in crate::media) fn scaled(picture: &DynamicImage, scale: f64) -> Result<DynamicImage> {
    let side = |pixels: u32| ((f64::from(pixels) * scale).round() as u32).max(1);
    let mut small = DynamicImage::new(side(picture.width()), side(picture.height()), picture.color());
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(Kernel::Lanczos3));
    Resizer::new()
        .resize(picture, &mut small, &options)
        .map_err(|error| Error::internal(format!("scaling a picture: {error}")))?;
    Ok(small)
}

/// Scales for the search: 1, then what [`Search::shrink`] says, until something fits or nothing is left.
pub(in crate::media) struct Scales {
    scale: f64,
    left: usize,
    side: u32,
}

impl Scales {
    pub(in crate::media) fn of(picture: &DynamicImage) -> Self {
        Self { scale: 1.0, left: SCALES, side: picture.width().min(picture.height()) }
    }

    pub(in crate::media) fn current(&self) -> f64 {
        self.scale
    }

    /// Goes on; false when there is nothing smaller to try.
    pub(in crate::media) fn shrink(&mut self, by: f64) -> bool {
        self.scale *= by;
        self.left -= 1;
        self.left > 0 && f64::from(self.side) * self.scale >= f64::from(MIN_SIDE.min(self.side / 2))
    }
}

/// Encodes JPEGs until one fits `limit`; `ceiling` is the best quality to try. `heard` gets a rough share of the work.
pub(in crate::media) fn jpeg(
    decoded: &Decoded,
    limit: Option<u64>,
    floor: u8,
    ceiling: u8,
    out: &Path,
    cancel: &CancellationToken,
) -> Result<bool> {
    let mut scales = Scales::of(&decoded.picture);
    loop {
        let small;
        let picture = if scales.current() < 1.0 {
            small = scaled(&decoded.picture, scales.current())?;
            &small
        } else {
            &decoded.picture
        };
        let mut search = Search::new(limit.unwrap_or(u64::MAX), floor, ceiling);
        let mut best = None;
        while let Some(quality) = search.next() {
            if cancel.is_cancelled() {
                return Err(Error::cancelled());
            }
            let mut bytes = Vec::new();
            let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
            if let Some(profile) = &decoded.profile {
                // Only fails for encoders without profiles, which this is not.
                let _ = encoder.set_icc_profile(profile.clone());
            }
            encoder
                .write_image(picture.as_bytes(), picture.width(), picture.height(), picture.color().into())
                .map_err(|error| Error::internal(format!("encoding a JPEG: {error}")))?;
            if search.record(quality, bytes.len() as u64) {
                best = Some(bytes);
            }
        }
        if let Some(bytes) = best {
            std::fs::write(out, bytes)?;
            return Ok(true);
        }
        if !scales.shrink(search.shrink()) {
            return Ok(false);
        }
    }
}

/// Writes a PNG quickly: an intermediate file, or a picture that is small already.
pub(in crate::media) fn png(picture: &DynamicImage, out: impl Write) -> Result<()> {
    PngEncoder::new_with_quality(out, CompressionType::Fast, FilterType::Adaptive)
        .write_image(picture.as_bytes(), picture.width(), picture.height(), picture.color().into())
        .map_err(|error| Error::internal(format!("encoding a PNG: {error}")))
}

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

/// Unfolds an animated WebP into PNGs of constant rate, one after another in one file: ffmpeg reads that, but no animated
/// WebP.
pub(in crate::media) fn unfold_webp(path: &Path, out: &Path, cancel: &CancellationToken) -> Result<Animation> {
    let open = || -> ::image::ImageResult<_> {
        let mut decoder = WebPDecoder::new(BufReader::new(File::open(path)?))?;
        decoder.set_limits(limits())?;
        Ok(decoder)
    };
    let decoder = open().map_err(|error| damaged(&error))?;
    let (width, height) = decoder.dimensions();
    let most = (MAX_ANIMATION / (u64::from(width) * u64::from(height)).max(1)).clamp(1, 20_000);
    // First the times alone, to find a rate that suits all.
    let mut delays = Vec::new();
    for frame in decoder.into_frames().take(most as usize) {
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
    let decoder = open().map_err(|error| damaged(&error))?;
    for (frame, delay) in decoder.into_frames().zip(&delays) {
        if cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        let Ok(frame) = frame else { break };
        let mut bytes = Vec::new();
        png(&DynamicImage::ImageRgba8(frame.into_buffer()), &mut bytes)?;
        for _ in 0..((delay / tick).round() as u64).clamp(1, 500) {
            if written < most {
                file.write_all(&bytes)?;
                written += 1;
            }
        }
    }
    file.flush()?;
    if written == 0 {
        return Err(
            Error::new(Kind::CannotFit, "no frame of the animation decodes").with_detail("the picture is damaged")
        );
    }
    Ok(Animation { fps: 1000.0 / tick, frames: written, width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_planned_by_size_and_kind() {
        let facts = |width, height, animated| Facts { format: ImageFormat::Png, width, height, animated };
        let limit = Some(10 << 20);
        for (facts, size, limit, want) in [
            (facts(100, 100, false), 1000, limit, ImagePlan::Keep),
            (facts(100, 100, true), 1000, limit, ImagePlan::Keep),
            (facts(6000, 4000, false), 20 << 20, limit, ImagePlan::Encode),
            (facts(6000, 4000, false), 20 << 20, None, ImagePlan::Keep),
            (facts(500, 500, true), 20 << 20, limit, ImagePlan::Animate),
            // A phone's 108 megapixels are kept, the same frame in 100 kB is a bomb.
            (facts(12_000, 9000, false), 9 << 20, limit, ImagePlan::Keep),
            (facts(16_000, 8000, false), 100 << 10, limit, ImagePlan::Refuse),
            (facts(16_000, 8000, false), 20 << 20, limit, ImagePlan::Refuse),
            (facts(60_000, 60_000, false), 1000, None, ImagePlan::Refuse),
        ] {
            assert_eq!(plan(&facts, size, limit), want, "{facts:?} {size} {limit:?}");
        }
    }

    #[test]
    fn a_photograph_fills_the_limit_and_shrinks_when_it_must() {
        let dir = tempfile::tempdir().unwrap();
        let mut seed = 1u32;
        let picture = ::image::RgbImage::from_fn(400, 300, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 27) as u8;
            ::image::Rgb([(x / 2) as u8, (y / 2) as u8 + noise, noise * 4])
        });
        let decoded = Decoded { picture: DynamicImage::ImageRgb8(picture), profile: None };
        let cancel = CancellationToken::new();
        for limit in [40_000, 20_000, 4000] {
            let out = dir.path().join("x.jpg");
            assert!(jpeg(&decoded, Some(limit), 40, BEST_QUALITY, &out, &cancel).unwrap());
            let size = std::fs::metadata(&out).unwrap().len();
            assert!(size <= limit && size as f64 > limit as f64 * 0.6, "{size} of {limit}");
        }
        assert!(!jpeg(&decoded, Some(100), 40, BEST_QUALITY, &dir.path().join("y.jpg"), &cancel).unwrap());
    }
}
