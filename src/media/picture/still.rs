//! Makes a decoded picture fit: without loss where it is a drawing and that fits; else at the highest quality that fits;
//! else smaller, at the highest quality that fits then.
//!
//! Everything here blocks: call it from `spawn_blocking`.

use ::image::{DynamicImage, GenericImageView};
use tokio_util::sync::CancellationToken;

use super::{
    decode::{Decoded, scaled},
    encode::{self, Lossy},
    search::Search,
};
use crate::model::{Error, Result};

/// The best lossy quality worth making.
pub(in crate::media) const BEST_QUALITY: f64 = 99.0;
/// The quality from which on colours are kept at the full resolution.
const FULL_COLOURS: f64 = 92.0;
/// Sizes tried.
const SCALES: usize = 8;
/// The smallest side a picture is scaled to.
const MIN_SIDE: u32 = 16;
/// Pixels above which speed is worth some bytes: at 24 million a thorough encode takes two thirds of a second.
const LARGE_FROM: u64 = 12_000_000;
/// Pixels above which qualities are first tried on a sample of the rows.
const SAMPLED_FROM: u64 = 1_000_000;
/// Pixels that a sample has at least, and the share of a large picture.
const SAMPLE_PIXELS: u64 = 400_000;
const SAMPLE_SHARE: u64 = 32;
/// Rows that stay together in a sample: two rows of blocks with a quarter of the colours.
const BAND: u32 = 32;
/// A picture is a drawing when this share of its pixels is the same as the one before.
const FLAT: f64 = 0.6;
/// A sample of a drawing without loss misses the size of the whole by this factor at the most.
const LOSSLESS_DOUBT: f64 = 1.5;

/// What may be made.
#[derive(Debug, Clone, Copy)]
pub(in crate::media) struct Bounds {
    /// Bytes. `None`: any.
    pub limit: Option<u64>,
    /// The lowest quality; below it the picture is made smaller instead.
    pub floor: f64,
    /// The best quality.
    pub ceiling: f64,
}

/// A picture that fits.
#[derive(Debug)]
pub(in crate::media) struct Still {
    pub bytes: Vec<u8>,
    pub extension: &'static str,
    pub width: u32,
    pub height: u32,
    /// `None`: nothing was lost.
    pub quality: Option<f64>,
    /// Encodes of the whole picture.
    pub encodes: u32,
}

/// Makes it fit. `None`: nothing does.
pub(in crate::media) fn fit(decoded: &Decoded, bounds: &Bounds, cancel: &CancellationToken) -> Result<Option<Still>> {
    let mut work = Work { decoded, bounds, cancel, encodes: 0 };
    let flat = is_flat(&decoded.picture);
    if flat && let Some(bytes) = work.lossless()? {
        return Ok(Some(work.made(bytes, &decoded.picture, "webp", None)));
    }
    let format = if decoded.is_transparent() {
        Lossy::WebP
    } else {
        Lossy::Jpeg { full_chroma: flat || work.has_room_for_colours()?, fast: work.is_large() }
    };
    let side = decoded.picture.width().max(decoded.picture.height());
    let mut scale = (f64::from(format.max_side()) / f64::from(side)).min(1.0);
    let short = decoded.picture.width().min(decoded.picture.height());
    for _ in 0..SCALES {
        let small;
        let picture = if scale < 1.0 {
            small = scaled(&decoded.picture, scale)?;
            &small
        } else {
            &decoded.picture
        };
        match work.qualities(picture, format)? {
            Ok((bytes, quality)) => return Ok(Some(work.made(bytes, picture, format.extension(), Some(quality)))),
            Err(shrink) => scale *= shrink,
        }
        if f64::from(short) * scale < f64::from(MIN_SIDE.min(short / 2)) {
            break;
        }
    }
    Ok(None)
}

struct Work<'a> {
    decoded: &'a Decoded,
    bounds: &'a Bounds,
    cancel: &'a CancellationToken,
    encodes: u32,
}

impl Work<'_> {
    fn made(&self, bytes: Vec<u8>, picture: &DynamicImage, extension: &'static str, quality: Option<f64>) -> Still {
        let (width, height) = picture.dimensions();
        Still { bytes, extension, width, height, quality, encodes: self.encodes }
    }

    fn checked(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    fn limit(&self) -> u64 {
        self.bounds.limit.unwrap_or(u64::MAX)
    }

    fn is_large(&self) -> bool {
        let (width, height) = self.decoded.picture.dimensions();
        u64::from(width) * u64::from(height) > LARGE_FROM
    }

    fn profile(&self) -> Option<&[u8]> {
        // In a tiny file there is no room for it: without, the colours are a little off.
        self.decoded.profile.as_deref().filter(|profile| self.limit() / 4 > profile.len() as u64)
    }

    /// The whole drawing without loss, if that fits; tried only if a sample of it gives hope.
    fn lossless(&mut self) -> Result<Option<Vec<u8>>> {
        let picture = &self.decoded.picture;
        if picture.width().max(picture.height()) > Lossy::WebP.max_side() {
            return Ok(None);
        }
        if let Some((sample, share)) = sample(picture) {
            self.checked()?;
            let size = encode::lossless(&sample, None)?.len() as f64;
            if size / share > self.limit() as f64 * LOSSLESS_DOUBT {
                return Ok(None);
            }
        }
        self.checked()?;
        self.encodes += 1;
        let bytes = encode::lossless(picture, self.profile())?;
        Ok((bytes.len() as u64 <= self.limit()).then_some(bytes))
    }

    /// Whether a photograph fits with its colours at the full resolution and a quality from which on that is worth more
    /// than a yet better quality.
    fn has_room_for_colours(&self) -> Result<bool> {
        let Some(limit) = self.bounds.limit else { return Ok(false) };
        let format = Lossy::Jpeg { full_chroma: true, fast: self.is_large() };
        if self.decoded.picture.width().max(self.decoded.picture.height()) > format.max_side() {
            return Ok(false);
        }
        self.checked()?;
        let sample = sample(&self.decoded.picture);
        let (picture, share) = sample.as_ref().map_or((&self.decoded.picture, 1.0), |(sample, share)| (sample, *share));
        let size = format.encode(picture, None, FULL_COLOURS)?.len() as f64;
        Ok(size / share <= limit as f64)
    }

    /// The file at the highest quality that fits, or by how much to shrink the picture.
    fn qualities(&mut self, picture: &DynamicImage, format: Lossy) -> Result<std::result::Result<(Vec<u8>, f64), f64>> {
        let mut search = Search::new(self.limit(), self.bounds.floor, self.bounds.ceiling);
        if let (Some((sample, share)), Some(limit)) = (sample(picture), self.bounds.limit) {
            let mut rehearsal = Search::new((limit as f64 * share) as u64, self.bounds.floor, self.bounds.ceiling);
            while let Some(quality) = rehearsal.next() {
                self.checked()?;
                rehearsal.record(quality, format.encode(&sample, None, quality)?.len() as u64);
            }
            let shrink = rehearsal.shrink();
            if rehearsal.hopeless() && shrink < 0.85 {
                return Ok(Err(shrink));
            }
            search = Search::informed(limit, &rehearsal);
        }
        let mut best = None;
        while let Some(quality) = search.next() {
            self.checked()?;
            self.encodes += 1;
            let bytes = format.encode(picture, self.profile(), quality)?;
            if search.record(quality, bytes.len() as u64) {
                best = Some((bytes, quality));
            }
        }
        Ok(best.ok_or_else(|| search.shrink()))
    }
}

/// Bands of rows from all over a large picture, and the share of its rows that they are: their files grow and shrink
/// with the quality as the whole one's does.
fn sample(picture: &DynamicImage) -> Option<(DynamicImage, f64)> {
    let (width, height) = picture.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels < SAMPLED_FROM {
        return None;
    }
    let wanted = (pixels / SAMPLE_SHARE).max(SAMPLE_PIXELS);
    let bands = u32::try_from((wanted / u64::from(width) / u64::from(BAND)).max(3)).ok()?;
    let stride = height / bands;
    if stride < 2 * BAND {
        return None;
    }
    let row = picture.as_bytes().len() / usize::try_from(height).ok()?;
    let mut rows = Vec::with_capacity(row * (bands * BAND) as usize);
    for band in 0..bands {
        let from = row * (band * stride + (stride - BAND) / 2) as usize;
        rows.extend_from_slice(picture.as_bytes().get(from..from + row * BAND as usize)?);
    }
    let tall = bands * BAND;
    let sample = match picture {
        DynamicImage::ImageLuma8(_) => ::image::GrayImage::from_raw(width, tall, rows)?.into(),
        DynamicImage::ImageRgb8(_) => ::image::RgbImage::from_raw(width, tall, rows)?.into(),
        DynamicImage::ImageRgba8(_) => ::image::RgbaImage::from_raw(width, tall, rows)?.into(),
        _ => return None,
    };
    Some((sample, f64::from(tall) / f64::from(height)))
}

/// Whether a picture is a drawing, a screenshot, text: looks at some of its rows.
fn is_flat(picture: &DynamicImage) -> bool {
    let (width, height) = picture.dimensions();
    let depth = usize::from(picture.color().bytes_per_pixel());
    let row = width as usize * depth;
    let (mut same, mut all) = (0_u64, 0_u64);
    for pixels in picture.as_bytes().chunks_exact(row.max(1)).step_by((height as usize / 64).max(1)) {
        for (left, right) in pixels.chunks_exact(depth).zip(pixels.chunks_exact(depth).skip(1)) {
            same += u64::from(left == right);
            all += 1;
        }
    }
    all > 0 && same as f64 >= FLAT * all as f64
}

#[cfg(test)]
mod tests {
    use ::image::{Rgb, RgbImage};

    use super::*;

    fn photo(width: u32, height: u32) -> Decoded {
        let mut seed = 1u32;
        let picture = RgbImage::from_fn(width, height, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (seed >> 27) as u8;
            Rgb([(x * 200 / width) as u8, (y * 200 / height) as u8 + noise, noise * 4])
        });
        Decoded { picture: picture.into(), profile: None }
    }

    fn within(limit: u64) -> Bounds {
        Bounds { limit: Some(limit), floor: 60.0, ceiling: BEST_QUALITY }
    }

    #[test]
    fn a_photograph_fills_the_limit_and_shrinks_when_it_must() {
        let (cancel, decoded) = (CancellationToken::new(), photo(400, 300));
        for limit in [60_000, 40_000, 20_000, 4000] {
            let made = fit(&decoded, &within(limit), &cancel).unwrap().unwrap();
            let fill = made.bytes.len() as f64 / limit as f64;
            assert!((0.94..=1.0).contains(&fill), "{fill} of {limit}: {}", made.encodes);
        }
        assert!(fit(&decoded, &within(100), &cancel).unwrap().is_none());
    }

    #[test]
    fn a_large_photograph_is_tried_on_a_sample_first() {
        let (cancel, decoded) = (CancellationToken::new(), photo(2000, 1500));
        for limit in [1_000_000, 600_000, 100_000] {
            let made = fit(&decoded, &within(limit), &cancel).unwrap().unwrap();
            let fill = made.bytes.len() as f64 / limit as f64;
            assert!((0.94..=1.0).contains(&fill) && made.encodes <= 4, "{fill} of {limit}: {}", made.encodes);
        }
    }

    #[test]
    fn a_cancelled_fit_ends_before_the_next_encode() {
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert_eq!(fit(&photo(40, 30), &within(4000), &cancel).unwrap_err().code(), "cancelled");
    }

    #[test]
    fn finer_qualities_give_finer_sizes() {
        let decoded = photo(400, 300);
        let size = |quality| {
            Lossy::Jpeg { full_chroma: false, fast: false }.encode(&decoded.picture, None, quality).unwrap().len()
        };
        assert!(size(90.0) < size(90.5) && size(90.5) < size(91.0));
    }
}
