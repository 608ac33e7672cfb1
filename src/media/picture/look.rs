//! Looks at a picture's header and decides what is to be done with it, before anything of it is decoded.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use ::image::{ImageError, ImageFormat, ImageReader};

use super::{decode::limits, strip};
use crate::model::{Error, Kind, Result};

/// Pixels that are decoded: four bytes each, and a second copy while scaling.
pub(in crate::media) const MAX_PIXELS: u64 = 64_000_000;
/// A file over [`MAX_PIXELS`] with fewer bytes a pixel is no photograph but a trap.
const BOMB_BYTES: f64 = 0.02;
/// Pixels of all frames of an animation together.
pub(in crate::media) const MAX_ANIMATION: u64 = 1_500_000_000;
/// Pixels of all frames of an animation that is passed on as it is: whoever looks at it decodes them.
const MAX_KEPT_ANIMATION: u64 = 8 * MAX_ANIMATION;
/// Bytes of a picture's file: it is read whole.
pub(in crate::media) const MAX_FILE: u64 = 256 << 20;

/// What a header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) struct Facts {
    /// JPEG, PNG, GIF or WebP.
    pub format: ImageFormat,
    /// Pixels as stored.
    pub width: u32,
    /// Pixels as stored.
    pub height: u32,
    /// 1 for a still.
    pub frames: u64,
}

/// What is to be done with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum ImagePlan {
    /// Nothing, but to take out what is private.
    Keep,
    /// Encode it again.
    Encode,
    /// Make a video or a smaller animation of it.
    Animate,
    /// It is too large to decode.
    Refuse,
}

impl Facts {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Whether it is never decoded.
    pub(in crate::media) fn is_oversized(&self) -> bool {
        self.pixels() > MAX_PIXELS
    }

    pub(in crate::media) fn is_animated(&self) -> bool {
        self.frames > 1
    }
}

/// Decides: pure.
pub(in crate::media) fn plan(facts: &Facts, size: u64, limit: Option<u64>) -> ImagePlan {
    let fits = limit.is_none_or(|limit| size <= limit);
    let oversized = facts.is_oversized() || size > MAX_FILE;
    let all = facts.pixels().saturating_mul(facts.frames);
    match (fits, oversized) {
        (true, false) if facts.is_animated() && all > MAX_KEPT_ANIMATION => ImagePlan::Refuse,
        (true, false) => ImagePlan::Keep,
        (true, true) if size as f64 >= facts.pixels() as f64 * BOMB_BYTES => ImagePlan::Keep,
        (_, true) => ImagePlan::Refuse,
        (false, false) if facts.is_animated() && all > MAX_ANIMATION => ImagePlan::Refuse,
        (false, false) if facts.is_animated() => ImagePlan::Animate,
        (false, false) => ImagePlan::Encode,
    }
}

/// Reads the header. `None`: not a picture that we decode ourselves. Blocks.
pub(in crate::media) fn facts(path: &Path) -> Option<Facts> {
    header(path).ok().flatten()
}

/// The same; an error if already the header would take more memory than any good one does.
pub(in crate::media) fn header(path: &Path) -> Result<Option<Facts>> {
    let mut reader = ImageReader::new(BufReader::new(File::open(path)?)).with_guessed_format()?;
    reader.limits(limits(0));
    let Some(format) = reader.format() else { return Ok(None) };
    if format == ImageFormat::Jpeg && std::fs::metadata(path)?.len() > MAX_FILE {
        // Its decoder would read all of it to find the header.
        return Ok(None);
    }
    let (width, height) = match reader.into_dimensions() {
        Ok(size) => size,
        Err(ImageError::Limits(error)) => {
            let error = Error::new(Kind::CannotFit, format!("a picture's header: {error}"));
            return Err(error.with_detail("the picture is damaged or made to harm"));
        }
        Err(_) => return Ok(None),
    };
    let mut facts = Facts { format, width, height, frames: 1 };
    if facts.pixels() == 0 {
        return Ok(None);
    }
    if format != ImageFormat::Jpeg && !facts.is_oversized() {
        facts.frames = strip::frames(&bytes(path)?).max(1);
    }
    Ok(Some(facts))
}

/// The file's content. Blocks.
pub(in crate::media) fn bytes(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_planned_by_size_and_kind() {
        let facts = |width, height, frames| Facts { format: ImageFormat::Png, width, height, frames };
        let limit = Some(10 << 20);
        for (facts, size, limit, want) in [
            (facts(100, 100, 1), 1000, limit, ImagePlan::Keep),
            (facts(100, 100, 50), 1000, limit, ImagePlan::Keep),
            (facts(6000, 4000, 1), 20 << 20, limit, ImagePlan::Encode),
            (facts(6000, 4000, 1), 20 << 20, None, ImagePlan::Keep),
            (facts(500, 500, 50), 20 << 20, limit, ImagePlan::Animate),
            // A phone's 108 megapixels are kept, the same frame in 100 kB is a bomb.
            (facts(12_000, 9000, 1), 9 << 20, limit, ImagePlan::Keep),
            (facts(16_000, 8000, 1), 100 << 10, limit, ImagePlan::Refuse),
            (facts(16_000, 8000, 1), 20 << 20, limit, ImagePlan::Refuse),
            (facts(60_000, 60_000, 1), 1000, None, ImagePlan::Refuse),
            // So are frames without end.
            (facts(2000, 2000, 1000), 20 << 20, limit, ImagePlan::Refuse),
            (facts(2000, 2000, 1000), 9 << 20, limit, ImagePlan::Keep),
            (facts(5000, 5000, 10_000), 9 << 20, limit, ImagePlan::Refuse),
        ] {
            assert_eq!(plan(&facts, size, limit), want, "{facts:?} {size} {limit:?}");
        }
    }
}
