//! What samples advise: the size of picture that looks best at the bits there are, the quality to expect, and how bits
//! follow quality here.
//!
//! Bits fall by half for every six steps of CRF or so, and with the picture's side to the power of 1.6; both are only a
//! first guess, which the trials correct. Where bits hardly follow the quality (screen recordings, slides), two passes at a
//! rate go wrong, and a search for the quality is right.

use super::{
    budget::{self, Picture},
    sample::{Samples, Trial},
};
use crate::{media::probe::Video, model::Result};

/// Steps of CRF that halve the bits, before it is known.
pub(super) const SLOPE: f64 = 6.0;
/// More steps than this: bits hardly follow the quality.
const STIFF: f64 = 9.0;
/// Bits grow with the short side to this power.
const SIDE: f64 = 1.6;
/// Bits grow with the frame rate to this power.
const FRAME_RATE: f64 = 0.75;
/// A native picture of this quality needs no smaller one.
const SCALE_FROM: f64 = 26.0;
/// The quality at which a picture is about as large as it should be, on films.
const USUAL: f64 = 29.0;
/// A smaller picture must be better by this many decibels: doubt is for the larger one.
const BIAS: f64 = 0.05;
/// Decibels of likeness that twice the bits bring, before it is known.
const GAIN: f64 = 2.0;
/// Frame rates above this are halved when the picture is still starved.
const HALVE_ABOVE: f64 = 32.0;
/// Starved: what the chosen picture would need.
const STARVED: f64 = 34.0;

/// A size that would need a worse quality than this breaks up: x264's scale ends at 51, and samples tell a little too few bits
/// where most of a video hardly changes.
const HOPELESS: f64 = 47.0;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Advice {
    /// The picture.
    pub picture: Picture,
    /// The CRF that gives about the bits there are.
    pub crf: f64,
    /// Steps of CRF that halve the bits.
    pub slope: f64,
    /// Frames a second of one fast encode at the native size.
    pub speed: f64,
}

impl Advice {
    /// Whether bits hardly follow the quality.
    pub(super) fn stiff(&self) -> bool {
        self.slope > STIFF
    }
}

/// One size of picture, tried.
#[derive(Debug, Clone, Copy)]
struct Tried {
    index: usize,
    /// Decibels of likeness at the bits there are.
    likeness: f64,
    /// The CRF that gives them.
    crf: f64,
}

impl Tried {
    fn hopeless(&self) -> bool {
        self.crf > HOPELESS
    }
}

/// Asks the samples for `bits` a second. `guess`: the CRF to begin with. `None`: they do not answer.
pub(super) async fn ask(samples: &mut Samples<'_>, video: &Video, bits: f64, guess: f64) -> Result<Option<Advice>> {
    let top = samples.short();
    let Some((native, slope)) = native(samples, top, bits, guess).await? else { return Ok(None) };
    let need = crf_for(&native, bits, slope);
    let advice = Advice { picture: samples.native, crf: need, slope, speed: samples.speed };
    tracing::debug!(?advice, "at the native size");
    if need <= SCALE_FROM {
        return Ok(Some(advice));
    }
    let mut climb = Climb { samples, bits, slope, rungs: budget::rungs(top), offset: 0.0, need };
    let Some(best) = climb.best(&native).await? else { return Ok(Some(advice)) };
    let short = climb.rungs.get(best.index).copied().unwrap_or(top);
    let mut advice =
        Advice { crf: best.crf, slope: if best.index == 0 { slope } else { SLOPE.max(slope.min(STIFF)) }, ..advice };
    let fps = samples.native.fps.unwrap_or(video.fps);
    let halved = (fps > HALVE_ABOVE && best.crf > STARVED).then_some(fps / 2.0);
    if halved.is_some() {
        // Half the frames need more than half the bits.
        advice.crf -= advice.slope * FRAME_RATE;
    }
    advice.picture = budget::scaled(video, short, halved.or(samples.native.fps));
    Ok(Some(advice))
}

/// Two trials at the native size: the one nearer to the bits there are, and the slope between them.
async fn native(samples: &mut Samples<'_>, top: f64, bits: f64, guess: f64) -> Result<Option<(Trial, f64)>> {
    let Some(first) = samples.trial(top, guess.clamp(20.0, 38.0)).await? else { return Ok(None) };
    let need = crf_for(&first, bits, SLOPE).clamp(17.0, 46.0);
    // Two points that lie together tell no slope.
    let apart = if need >= first.crf { first.crf + 3.0 } else { first.crf - 3.0 };
    let second = if (need - first.crf).abs() < 3.0 { apart } else { need };
    let Some(second) = samples.trial(top, second).await? else { return Ok(Some((first, SLOPE))) };
    let slope = slope(&first, &second);
    let near = |trial: &Trial| (trial.bits / bits).log2().abs();
    Ok(Some(if near(&first) < near(&second) { (first, slope) } else { (second, slope) }))
}

/// Steps of CRF that halve the bits, from two trials.
fn slope(one: &Trial, two: &Trial) -> f64 {
    let halvings = (one.bits / two.bits).log2();
    let steps = two.crf - one.crf;
    // More bits for less quality are noise.
    if halvings.abs() < 0.02 || halvings.signum() != steps.signum() {
        16.0
    } else {
        (steps / halvings).clamp(3.5, 16.0)
    }
}

/// The CRF that gives `bits`.
fn crf_for(trial: &Trial, bits: f64, slope: f64) -> f64 {
    trial.crf + slope * (trial.bits / bits).log2()
}

/// Looks for the size that is most like the source at the bits there are. Likeness over size has one summit on films, and
/// the native size is tried in any case: on screen recordings it is a second one.
struct Climb<'s, 'k> {
    samples: &'s mut Samples<'k>,
    bits: f64,
    slope: f64,
    /// Short sides, the native first.
    rungs: Vec<f64>,
    /// By how much the guesses of CRF were wrong.
    offset: f64,
    /// The CRF at the native size.
    need: f64,
}

impl Climb<'_, '_> {
    async fn best(&mut self, native: &Trial) -> Result<Option<Tried>> {
        let Some(top) = self.refine(0, native.clone()).await? else { return Ok(None) };
        let start = start(&self.rungs, self.need, self.slope);
        if start == 0 {
            return Ok(Some(top));
        }
        let mut best = top;
        let Some(first) = self.try_at(start).await? else { return Ok(Some(best)) };
        best = better(best, first);
        // Larger ones first: where they win, the smaller need not be tried.
        let mut at = first;
        for index in (1..start).rev() {
            let Some(next) = self.try_at(index).await? else { break };
            best = better(best, next);
            if next.likeness < at.likeness - BIAS {
                break;
            }
            at = next;
        }
        if best.index == start {
            at = first;
            for index in start + 1..self.rungs.len() {
                let Some(next) = self.try_at(index).await? else { break };
                best = better(best, next);
                if !at.hopeless() && next.likeness < at.likeness + BIAS {
                    break;
                }
                at = next;
            }
        }
        Ok(Some(best))
    }

    async fn try_at(&mut self, index: usize) -> Result<Option<Tried>> {
        let Some(short) = self.rungs.get(index).copied() else { return Ok(None) };
        let guess = (expected(&self.rungs, index, self.need) + self.offset).clamp(18.0, 48.0);
        let Some(trial) = self.samples.trial(short, guess).await? else { return Ok(None) };
        let tried = self.refine(index, trial).await?;
        if let Some(tried) = &tried {
            self.offset = (tried.crf - expected(&self.rungs, index, self.need)).clamp(-8.0, 8.0);
        }
        Ok(tried)
    }

    /// The likeness at the bits there are, from a trial near them; a second trial when the first is far off.
    async fn refine(&mut self, index: usize, trial: Trial) -> Result<Option<Tried>> {
        let slope = if index == 0 { self.slope } else { SLOPE };
        let Some(likeness) = self.samples.likeness(&trial).await? else { return Ok(None) };
        let off = (trial.bits / self.bits).log2();
        let near = if index == 0 { 0.7 } else { 0.4 };
        if off.abs() > near && trial.crf > 18.0 && trial.crf < 48.0 {
            let crf = crf_for(&trial, self.bits, slope).clamp(18.0, 48.0);
            if let Some(second) = self.samples.trial(trial.short, crf).await?
                && let Some(closer) = self.samples.likeness(&second).await?
            {
                let octaves = (second.bits / trial.bits).log2();
                let gain = if octaves.abs() > 0.05 { ((closer - likeness) / octaves).clamp(0.5, 6.0) } else { GAIN };
                return Ok(Some(self.tried(index, &second, closer, gain, slope)));
            }
        }
        Ok(Some(self.tried(index, &trial, likeness, GAIN, slope)))
    }

    fn tried(&self, index: usize, trial: &Trial, likeness: f64, gain: f64, slope: f64) -> Tried {
        let likeness = likeness + gain * (self.bits / trial.bits).log2();
        let tried = Tried { index, likeness, crf: crf_for(trial, self.bits, slope) };
        tracing::debug!(short = trial.short, likeness, crf = tried.crf, "tried a size");
        tried
    }
}

/// The better of two: a smaller picture must be clearly better, if the larger one is worth anything.
fn better(one: Tried, two: Tried) -> Tried {
    let (large, small) = if one.index <= two.index { (one, two) } else { (two, one) };
    if large.hopeless() || small.likeness > large.likeness + BIAS { small } else { large }
}

/// The CRF that a rung should need, from that of the native size.
fn expected(rungs: &[f64], index: usize, need: f64) -> f64 {
    let side = |index: usize| rungs.get(index).copied().unwrap_or(1.0);
    need + SLOPE * SIDE * (side(index) / side(0).max(1.0)).log2()
}

/// The rung to begin with: where the usual quality is expected; for stiff sources one below the native size, since their
/// small pictures lose the text.
fn start(rungs: &[f64], need: f64, slope: f64) -> usize {
    let last = rungs.len().saturating_sub(1);
    if slope > STIFF {
        return 1.min(last);
    }
    (0..rungs.len()).find(|index| expected(rungs, *index, need) <= USUAL + 1.0).unwrap_or(last).clamp(1.min(last), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_guess_of_a_size_follows_the_need() {
        let rungs = [720.0, 540.0, 480.0, 360.0, 288.0, 240.0, 180.0];
        for (need, slope, want) in [
            (27.0, 6.0, 1),
            (31.0, 6.0, 1),
            (35.0, 6.0, 2),
            (39.0, 6.0, 3),
            (42.0, 6.0, 4),
            (60.0, 6.0, 6),
            (45.0, 12.0, 1),
        ] {
            assert_eq!(start(&rungs, need, slope), want, "{need} {slope}");
        }
        assert_eq!(start(&[100.0], 40.0, 6.0), 0);
    }

    #[test]
    fn doubt_is_for_the_larger_picture() {
        let tried = |index, likeness| Tried { index, likeness, crf: 30.0 };
        assert_eq!(better(tried(0, 15.0), tried(2, 15.04)).index, 0);
        assert_eq!(better(tried(2, 15.1), tried(0, 15.0)).index, 2);
        let hopeless = Tried { crf: 51.0, ..tried(0, 15.0) };
        assert_eq!(better(tried(2, 14.0), hopeless).index, 2);
    }
}
