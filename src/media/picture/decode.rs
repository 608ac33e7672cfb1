//! Decodes still pictures in process, upright and with 8 bits a channel, and scales them.
//!
//! Everything here blocks: call it from `spawn_blocking`.

use std::io::Cursor;

use ::image::{
    DynamicImage, ImageDecoder, ImageError, ImageReader, Limits,
    error::{LimitError, LimitErrorKind},
};
use fast_image_resize::{FilterType as Kernel, ResizeAlg, ResizeOptions, Resizer};

use super::look::MAX_PIXELS;
use crate::model::{Error, Kind, Result};

/// Bytes a decoder may take for a pixel: 16 bits a channel with transparency.
const PIXEL_BYTES: u64 = 8;
/// Bytes it may take for all else: headers, a compressed colour profile, its own tables.
const OVERHEAD: u64 = 16 << 20;
/// Bytes of a colour profile that is passed on; a usual one has 500 to 3,000.
const MAX_PROFILE: usize = 1 << 20;

/// A decoded picture, upright.
pub(in crate::media) struct Decoded {
    /// 8 bits a channel: grey, RGB, or RGBA when anything of it is transparent.
    pub picture: DynamicImage,
    /// Its colour profile.
    pub profile: Option<Vec<u8>>,
}

impl Decoded {
    /// Whether anything of it is transparent.
    pub(in crate::media) fn is_transparent(&self) -> bool {
        self.picture.color().has_alpha()
    }

    /// The same with another colour profile, if that is about such pixels.
    pub(in crate::media) fn with_profile(self, profile: Option<Vec<u8>>) -> Self {
        let profile = profile.filter(|profile| profile.len() <= MAX_PROFILE && suits(profile, &self.picture));
        Self { profile, ..self }
    }
}

/// What to say about a picture that does not decode.
pub(in crate::media) fn damaged(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::CannotFit, format!("picture: {error}")).with_detail("the picture is damaged")
}

/// What decoders may take for a picture of so many pixels; none for its header alone.
pub(in crate::media) fn limits(pixels: u64) -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(pixels.saturating_mul(PIXEL_BYTES).saturating_add(OVERHEAD));
    limits
}

/// Decodes a picture, turned as its EXIF data say.
pub(in crate::media) fn decode(bytes: &[u8]) -> Result<Decoded> {
    let open = |limits| -> ::image::ImageResult<_> {
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        reader.limits(limits);
        Ok(reader)
    };
    let load = || -> ::image::ImageResult<_> {
        let (width, height) = open(limits(0))?.into_dimensions()?;
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MAX_PIXELS {
            return Err(ImageError::Limits(LimitError::from_kind(LimitErrorKind::DimensionError)));
        }
        let mut decoder = open(limits(pixels))?.into_decoder()?;
        let orientation = decoder.orientation()?;
        let profile = decoder.icc_profile()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(orientation);
        Ok((picture, profile))
    };
    let (picture, profile) = load().map_err(damaged)?;
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
    Ok(Decoded { picture, profile: None }.with_profile(profile))
}

/// Whether a profile is about such pixels: CMYK was converted while decoding, and its profile says nothing about what it
/// became (ICC.1:2022, 7.2.6: the colour space of the data).
fn suits(profile: &[u8], picture: &DynamicImage) -> bool {
    let space: &[u8] = if picture.color().has_color() { b"RGB " } else { b"GRAY" };
    profile.get(16..20) == Some(space)
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
