//! What is lost on the way to a file that fits, on one scale.
//!
//! The unit is a halving that is seen: of the lines below [`WATCHABLE`], or of the bits that a picture needs. Above it
//! further lines are nice to have: no number of them is worth an encode, which takes time and is never quite as good as
//! the original. So the best rendition that fits as it is comes first while it is watchable; then an encode of something
//! larger; then what is small and fits.

use serde::Serialize;

use crate::media::{Encode, Outlook};

/// From this short side on (in pixels) more lines are nice to have, below it they are missed.
const WATCHABLE: f64 = 480.0;
/// A halving of the lines above [`WATCHABLE`]. From 4320 lines it is 3.2 halvings: less than an encode.
const LINES_ABOVE: f64 = 0.1;
/// A halving of the lines below it.
const LINES_BELOW: f64 = 2.0;
/// A halving of the bits that a picture needs.
const STARVED: f64 = 1.0;
/// Encoding at all: time, and a generation.
const ENCODED: f64 = 0.5;
/// Encoding the sound of a video only.
const SOUND_ENCODED: f64 = 0.05;
/// Twice as many files instead of one: more to click through, nothing that is lost.
const PARTED: f64 = 0.05;
/// A halving of the frame rate.
const FRAMES: f64 = 0.01;
/// A halving of the bits of what is copied, which says little: the platform made it to be watched.
const BITS: f64 = 0.002;
/// A halving of the sound's bits, beside a picture and alone.
const SOUND_BESIDE: f64 = 0.02;
const SOUND_ALONE: f64 = 0.2;
/// More bits a second of sound than this nobody hears beside a picture.
const HEARD: f64 = 256_000.0;
/// Half of what a rich source has is what its pictures need; a source that manages with few bits is easy to encode.
const NEEDED: f64 = 0.5;

/// What is lost, in thousandths of a halving. 0: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Loss(u32);

impl Loss {
    /// Everything: no file that fits.
    pub const ALL: Loss = Loss(u32::MAX);

    fn of(halvings: f64) -> Self {
        // Below `ALL`, whatever the numbers were.
        Self((halvings.max(0.0) * 1000.0).round().min(1e9) as u32)
    }
}

/// What a way to load an item gives, before anything is done to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Given {
    /// Whether it is sound without a picture.
    pub alone: bool,
    /// Bits of its picture, as a part of what a usual film of its size needs, if told.
    pub richness: Option<f64>,
    /// Short side in pixels, if told.
    pub lines: Option<u32>,
    /// Frames a second.
    pub fps: f64,
    /// Bits a second in all, if told.
    pub bits: Option<u64>,
    /// Bits a second of the sound, if told.
    pub sound: Option<f64>,
}

impl Given {
    /// What nobody tells is neither the best nor bad.
    fn lines(&self) -> f64 {
        self.lines.map_or(WATCHABLE, f64::from).max(1.0)
    }
}

/// The best of everything that there is: the measure for the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    lines: f64,
    fps: f64,
    bits: f64,
    sound: f64,
    /// What these pictures need, as a part of what a usual film does.
    ease: f64,
}

impl Scale {
    pub(super) fn of(all: impl Iterator<Item = Given>) -> Self {
        let mut scale = Self { lines: 1.0, fps: 1.0, bits: 1.0, sound: 1.0, ease: 1.0 };
        let mut richest: Option<f64> = None;
        for given in all {
            scale.lines = scale.lines.max(given.lines());
            scale.fps = scale.fps.max(given.fps);
            scale.bits = scale.bits.max(given.bits.unwrap_or(0) as f64);
            scale.sound = scale.sound.max(given.sound.unwrap_or(0.0));
            richest = [richest, given.richness].into_iter().flatten().reduce(f64::max);
        }
        scale.ease = richest.map_or(1.0, |richness| (richness * NEEDED).min(1.0));
        scale
    }

    /// What is lost when `given` becomes what the outlook says.
    pub(super) fn loss(&self, given: &Given, outlook: &Outlook) -> Loss {
        let copied = || {
            self.lines_lost(given.lines())
                + FRAMES * halvings(self.fps, given.fps)
                + BITS * given.bits.map_or(0.0, |bits| halvings(self.bits, bits as f64)).min(4.0)
                + SOUND_BESIDE * given.sound.map_or(0.0, |sound| halvings(self.sound.min(HEARD), sound)).min(4.0)
        };
        let sound = |bits: Option<f64>| SOUND_ALONE * bits.map_or(0.0, |bits| halvings(self.sound, bits));
        match outlook {
            Outlook::Copy | Outlook::Remux | Outlook::Split { .. } | Outlook::CopySound { .. } if given.alone => {
                Loss::of(sound(given.sound))
            }
            Outlook::Copy | Outlook::Remux => Loss::of(copied()),
            Outlook::Split { parts } => Loss::of(copied() + PARTED * halvings(*parts as f64, 1.0)),
            Outlook::CopyVideo { .. } => Loss::of(copied() + SOUND_ENCODED),
            Outlook::Encode(encode) => Loss::of(
                ENCODED
                    + self.lines_lost(f64::from(encode.short_side))
                    + FRAMES * halvings(self.fps, encode.fps)
                    + STARVED * self.starved(encode),
            ),
            Outlook::CopySound { .. } => Loss::of(sound(given.sound)),
            Outlook::EncodeSound { kbps, .. } => {
                let bits = given.sound.map_or(kbps * 1000.0, |sound| sound.min(kbps * 1000.0));
                Loss::of(ENCODED + sound(Some(bits)))
            }
            Outlook::Picture => Loss::of(ENCODED),
            // A GIF is small, so lines that it cannot have make none better.
            Outlook::Gif => Loss::of(ENCODED + LINES_BELOW * halvings(WATCHABLE.min(self.lines), given.lines())),
            Outlook::Refuse { .. } => Loss::ALL,
        }
    }

    fn lines_lost(&self, lines: f64) -> f64 {
        let watchable = WATCHABLE.min(self.lines);
        LINES_ABOVE * halvings(self.lines, lines.max(watchable)) + LINES_BELOW * halvings(watchable, lines)
    }

    /// Halvings of the bits below what the pictures need. More bits than the source has make nothing better.
    fn starved(&self, encode: &Encode) -> f64 {
        let bits = [encode.bits, encode.source].into_iter().flatten().reduce(f64::min);
        bits.map_or(0.0, |bits| halvings(self.ease * encode.need, bits))
    }
}

/// How often the best must be halved to be no more than this; 0 when it is as good.
fn halvings(best: f64, this: f64) -> f64 {
    (best / this.max(1e-6)).max(1.0).log2()
}
