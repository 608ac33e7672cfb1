//! Encodes pictures in memory: JPEG, WebP, and WebP without loss.

use std::io::Write;

use ::image::{
    DynamicImage, ImageEncoder,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, QuantizationTableType, SamplingFactor};

use super::strip;
use crate::model::{Error, Result};

/// A lossy format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Lossy {
    /// For what is opaque.
    Jpeg {
        /// Colours at the full resolution, as text and drawings need them; photographs do with a quarter.
        full_chroma: bool,
        /// In a third of the time, for 4 to 8 % more bytes: pictures of which every pass takes long.
        fast: bool,
    },
    /// The only lossy format with transparency that Discord shows.
    WebP,
}

/// How hard libwebp tries, of 6: 2 takes a sixth of the time of 4 (its default) for files about as small.
const WEBP_EFFORT: i32 = 2;
/// The same where nothing is lost; 0 to 100.
const LOSSLESS_EFFORT: f32 = 30.0;

impl Lossy {
    /// Its file extension.
    pub(in crate::media) fn extension(self) -> &'static str {
        match self {
            Lossy::Jpeg { .. } => "jpg",
            Lossy::WebP => "webp",
        }
    }

    /// The most pixels a side may have.
    pub(in crate::media) fn max_side(self) -> u32 {
        match self {
            Lossy::Jpeg { .. } => 65_535,
            Lossy::WebP => 16_383,
        }
    }

    /// Encodes at a quality of 1 to 100, fractions included.
    pub(in crate::media) fn encode(
        self,
        picture: &DynamicImage,
        profile: Option<&[u8]>,
        quality: f64,
    ) -> Result<Vec<u8>> {
        match self {
            Lossy::Jpeg { full_chroma, fast } => jpeg(picture, profile, quality, full_chroma, fast),
            Lossy::WebP => webp(picture, profile, |config| {
                config.quality = quality as f32;
                config.method = WEBP_EFFORT;
            }),
        }
    }
}

/// WebP without loss.
pub(in crate::media) fn lossless(picture: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>> {
    webp(picture, profile, |config| {
        config.lossless = 1;
        config.quality = LOSSLESS_EFFORT;
        config.method = WEBP_EFFORT;
    })
}

/// The coarse picture first, then the rest of it: more scans would take longer and make the file no smaller.
const PROGRESSIVE_SCANS: u8 = 2;

/// Quantisation tables by N. Robidoux, as ImageMagick and mozjpeg have them. The same for brightness and colour.
const TABLE: [u16; 64] = [
    16, 16, 16, 18, 25, 37, 56, 85, //
    16, 17, 20, 27, 34, 40, 53, 75, //
    16, 20, 24, 31, 43, 62, 91, 135, //
    18, 27, 31, 40, 53, 74, 106, 156, //
    25, 34, 43, 53, 69, 94, 131, 189, //
    37, 40, 62, 74, 94, 124, 169, 238, //
    56, 53, 91, 106, 131, 169, 226, 311, //
    85, 75, 135, 156, 189, 238, 311, 418,
];

/// How much of a table's slope is kept, as an exponent. Robidoux's tables, like those of the standard, take fine detail away
/// first. With half of the slope, frames of six films are as close to the original at 0.7 to 3 bits a pixel (SSIM within
/// 0.001, mostly closer), and grain is far closer: 0.919 rather than 0.902.
const SLOPE: f64 = 0.5;
/// What makes a quality of the flatter table about as good, and as large, as it is of the steep one.
const AS_GOOD: f64 = 1.2;

/// The table for a quality, by the formula of the Independent JPEG Group, which takes fractions as well.
fn table(quality: f64) -> QuantizationTableType {
    let percent = if quality < 50.0 { 5000.0 / quality.max(1.0) } else { 200.0 - 2.0 * quality };
    let [finest, ..] = TABLE.map(f64::from);
    let scaled = TABLE.map(|step| {
        let flatter = AS_GOOD * finest * (f64::from(step) / finest).powf(SLOPE);
        ((flatter * percent / 100.0).round() as u16).clamp(1, 255)
    });
    QuantizationTableType::Custom(Box::new(scaled))
}

fn jpeg(
    picture: &DynamicImage,
    profile: Option<&[u8]>,
    quality: f64,
    full_chroma: bool,
    fast: bool,
) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::internal(format!("encoding a JPEG: {error}"));
    let (Ok(width), Ok(height)) = (u16::try_from(picture.width()), u16::try_from(picture.height())) else {
        return Err(failed(&"its sides are too long"));
    };
    let color = match picture {
        DynamicImage::ImageLuma8(_) => ColorType::Luma,
        DynamicImage::ImageRgb8(_) => ColorType::Rgb,
        other => return Err(failed(&format!("{:?} was not converted", other.color()))),
    };
    let mut bytes = Vec::new();
    // The tables decide; this number is not used.
    let mut encoder = Encoder::new(&mut bytes, 100);
    encoder.set_quantization_tables(table(quality), table(quality));
    encoder.set_sampling_factor(if full_chroma { SamplingFactor::F_1_1 } else { SamplingFactor::F_2_2 });
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    // Optimised codes make a file smaller by a tenth; without progression the encoder would write each colour in a scan of
    // its own then, which is allowed, but not every decoder reads that.
    if !fast {
        encoder.set_optimized_huffman_tables(true);
        encoder.set_progressive_scans(PROGRESSIVE_SCANS);
    }
    if let Some(profile) = profile {
        encoder.add_icc_profile(profile).map_err(|error| failed(&error))?;
    }
    encoder.encode(picture.as_bytes(), width, height, color).map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn webp(
    picture: &DynamicImage,
    profile: Option<&[u8]>,
    configure: impl FnOnce(&mut webp::WebPConfig),
) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Debug| Error::internal(format!("encoding a WebP: {error:?}"));
    let (width, height) = (picture.width(), picture.height());
    let mut config = webp::WebPConfig::new().map_err(|()| failed(&"no configuration"))?;
    configure(&mut config);
    let made = match picture {
        DynamicImage::ImageRgba8(rgba) => webp::Encoder::from_rgba(rgba, width, height).encode_advanced(&config),
        DynamicImage::ImageRgb8(rgb) => webp::Encoder::from_rgb(rgb, width, height).encode_advanced(&config),
        other => webp::Encoder::from_rgb(&other.to_rgb8(), width, height).encode_advanced(&config),
    };
    let made = made.map_err(|error| failed(&error))?;
    // A profile of grey pixels says nothing about the RGB that they became.
    match profile.filter(|_| picture.color().has_color()) {
        Some(profile) => strip::webp_with_profile(&made, profile, width, height, picture.color().has_alpha())
            .ok_or_else(|| failed(&"the profile does not go in")),
        None => Ok(made.to_vec()),
    }
}

/// Writes a PNG quickly: an intermediate file for ffmpeg.
pub(in crate::media) fn png(picture: &DynamicImage, out: impl Write) -> Result<()> {
    PngEncoder::new_with_quality(out, CompressionType::Fast, FilterType::Adaptive)
        .write_image(picture.as_bytes(), picture.width(), picture.height(), picture.color().into())
        .map_err(|error| Error::internal(format!("encoding a PNG: {error}")))
}
