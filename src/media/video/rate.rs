//! Reaches the limit from below: two passes at a rate, or a search for the quality where bits hardly follow the rate.
//! Nothing over the limit leaves here, and the best file under it is kept while a better one is tried.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use super::{
    Job,
    budget::{self, Picture},
    codec::{Pass, Software},
};
use crate::{
    media::{
        ffmpeg::Ended,
        work::{Made, Share, size},
    },
    model::{ExternalToolError, Result},
};

/// Tries at a corrected rate after the first.
const RETRIES: usize = 3;
/// Encodes of a search for the quality.
pub(super) const SEARCHES: usize = 4;
/// x264's statistics for its second pass: bytes a macroblock and frame, with room to spare.
const STATS_BYTES: u64 = 4;
/// A file that fills the limit to this share is full enough for a search to end.
const FULL: f64 = 0.945;
/// Where a search aims.
const AIM: f64 = 0.985;
/// The best quality worth its bytes: what is lost cannot be seen.
pub(super) const BEST_CRF: f64 = 17.0;
/// By how much samples must foresee a yet better quality before it is relied upon: they miss by some bits.
pub(super) const DOUBT: f64 = 1.5;
/// An encode that took less than this may be repeated to use room that was left.
const CHEAP_SECONDS: f64 = 12.0;

/// What the first pass taught.
#[derive(Clone, Copy)]
struct Real {
    seconds: f64,
    frames: u64,
}

impl Job<'_> {
    /// Two passes at `bits` a second.
    pub(super) async fn two_passes(&self, picture: &Picture, bits: f64) -> Result<Made> {
        let seconds = self.seconds();
        let (log, passes) = (self.kit.work.join("pass"), self.codec().has_passes());
        let real = if passes {
            match self.first_pass(picture, bits, &log).await? {
                Ok(real) => real,
                Err(made) => return Ok(made),
            }
        } else {
            Real { seconds, frames: budget::frames(self.video, picture, seconds) }
        };
        let mut bits = bits;
        if (real.seconds - seconds).abs() > 0.03 * seconds {
            // The container lied about its length, or its end is missing: the first pass has seen all there is.
            if let Some(corrected) = self.kit.rules.video_bits(self.sound_bytes, real.frames, real.seconds) {
                bits = corrected.max(1000.0).min(bits * 4.0);
            }
        }
        let out = self.kit.work.join("encode.mp4");
        let mut kept = None;
        for attempt in 0..=RETRIES {
            let began = Instant::now();
            let args = self.pass(picture, &rate(bits), if passes { Pass::Second(&log) } else { Pass::Single });
            self.kit.notes.attempt();
            let written = match self.kit.run(args.mp4(&out), self.kit.file_cap(), self.second).await? {
                Ended::Well(_) => size(&out).await,
                Ended::TooBig => self.kit.file_cap(),
                Ended::Badly(error) => return Ok(kept.map_or(Made::Failed(error), Made::File)),
            };
            let Some(limit) = self.kit.rules.limit else { return Ok(Made::File(out)) };
            let fits = written > 0 && self.kit.fits(written);
            if let Some(kept) = kept {
                // The second of two that were made to use more room.
                if !fits {
                    return Ok(Made::File(kept));
                }
                return Ok(Made::File(out));
            }
            if fits {
                let room = limit.saturating_sub(self.sound_bytes) as f64;
                let took = written.saturating_sub(self.sound_bytes).max(1) as f64;
                let wasted = (written as f64) < limit as f64 * FULL && took < room;
                if !wasted || attempt > 0 || began.elapsed().as_secs_f64() > CHEAP_SECONDS {
                    return Ok(Made::File(out));
                }
                let keep = self.keep(&out).await?;
                bits *= (room / took * 0.985).min(1.6);
                kept = Some(keep);
                continue;
            }
            bits = corrected(bits, limit, written, self.sound_bytes, attempt);
            tracing::info!(attempt, written, limit, "an encode came out too large: trying lower");
        }
        Ok(kept.map_or(Made::Over, Made::File))
    }

    /// The first pass, shared by all tries at this size.
    async fn first_pass(&self, picture: &Picture, bits: f64, log: &Path) -> Result<std::result::Result<Real, Made>> {
        let blocks = u64::from(picture.width.div_ceil(16)) * u64::from(picture.height.div_ceil(16));
        let stats = budget::frames(self.video, picture, self.seconds()).saturating_mul(blocks * STATS_BYTES + 1024);
        let args = self
            .kit
            .input()
            .join(self.picture(picture, Pass::First(log)))
            .arg("-an")
            .arg(rate(bits))
            .arg("-f null /dev/null");
        Ok(match self.kit.run(args, stats.saturating_add(64 << 20), self.first).await? {
            Ended::Well(tick) if tick.frames > 0 => {
                let seconds = if tick.seconds > 0.0 { tick.seconds } else { self.seconds() };
                Ok(Real { seconds, frames: tick.frames })
            }
            Ended::Well(_) => Err(Made::Failed(nothing_decoded())),
            Ended::TooBig => Err(Made::Over),
            Ended::Badly(error) => Err(Made::Failed(error)),
        })
    }

    /// Searches the quality that fills the limit, from `crf`, in at most `tries` encodes; `slope` steps of it halve the bits.
    pub(super) async fn by_quality(&self, picture: &Picture, crf: f64, slope: f64, tries: usize) -> Result<Made> {
        let out = self.kit.work.join("quality.mp4");
        let Some(limit) = self.kit.rules.limit else {
            self.kit.notes.attempt();
            let crf = self.codec().crf(crf);
            let args = self.pass(picture, &format!("-crf {crf:.1}"), Pass::Single).mp4(&out);
            return self.kit.make(args, out, self.whole()).await;
        };
        let mut search =
            Quality { goal: limit.saturating_sub(self.sound_bytes) as f64 * AIM, slope, points: Vec::new() };
        let (mut crf, mut kept): (f64, Option<(PathBuf, u64)>) = (crf.clamp(BEST_CRF, 51.0), None);
        for _ in 0..tries {
            self.kit.notes.attempt();
            let cap = limit.saturating_mul(3).saturating_add(1 << 20);
            let args = self.pass(picture, &format!("-crf {:.2}", self.codec().crf(crf)), Pass::Single).mp4(&out);
            let written = match self.kit.run(args, cap, self.whole()).await? {
                Ended::Well(_) => size(&out).await,
                Ended::TooBig => cap,
                Ended::Badly(error) => return Ok(kept.map_or(Made::Failed(error), |(path, _)| Made::File(path))),
            };
            if written > 0 && written <= limit && kept.as_ref().is_none_or(|(_, size)| written > *size) {
                kept = Some((self.keep(&out).await?, written));
            }
            if written <= limit && (written as f64 >= FULL * limit as f64 || crf <= BEST_CRF) {
                break;
            }
            tracing::info!(crf, written, limit, "a quality tried");
            let next = search.next(crf, written.saturating_sub(self.sound_bytes).max(1) as f64);
            let stuck = kept.is_none() && search.is_stuck(written as f64 / limit as f64);
            // The worst quality there is, once more, would give the same file.
            if stuck || (next - crf).abs() < 0.01 {
                break;
            }
            crf = next;
        }
        Ok(kept.map_or(Made::Over, |(path, _)| Made::File(path)))
    }

    pub(super) fn whole(&self) -> Share {
        Share { from: self.first.from, to: self.second.to }
    }

    async fn keep(&self, out: &Path) -> Result<PathBuf> {
        let kept = self.kit.work.join("kept.mp4");
        tokio::fs::rename(out, &kept).await?;
        Ok(kept)
    }
}

/// A search over CRF.
struct Quality {
    /// Bytes the picture should have.
    goal: f64,
    slope: f64,
    points: Vec<(f64, f64)>,
}

impl Quality {
    /// Whether the last two tries say that no quality will do: hardly fewer bytes for clearly less of it.
    fn is_stuck(&self, over: f64) -> bool {
        match self.points.as_slice() {
            [.., (c1, b1), (c2, b2)] => c2 - c1 > 1.0 && over > 1.01 && b1 / b2 < 1.0 + 0.02 * (c2 - c1),
            _ => false,
        }
    }

    /// The next CRF after `crf` gave `bytes`.
    fn next(&mut self, crf: f64, bytes: f64) -> f64 {
        self.points.push((crf, bytes));
        if let [.., (c1, b1), (c2, b2)] = self.points.as_slice()
            && (b1 / b2).log2().abs() > 0.01
        {
            self.slope = ((c2 - c1) / (b1 / b2).log2()).clamp(2.0, 25.0);
        }
        // What is known to be too much or too little bounds the guess.
        let over = self.points.iter().filter(|(_, bytes)| *bytes > self.goal / AIM).map(|(crf, _)| *crf);
        let under = self.points.iter().filter(|(_, bytes)| *bytes <= self.goal / AIM).map(|(crf, _)| *crf);
        let (low, high) = (over.fold(0.0, f64::max), under.fold(f64::INFINITY, f64::min));
        let guess = crf + self.slope * (bytes / self.goal).log2();
        let guess = if guess <= low || guess >= high { (low + high.min(low + 6.0)) / 2.0 } else { guess };
        let guess = if (guess - crf).abs() < 0.05 { crf + 0.3 } else { guess };
        guess.clamp(BEST_CRF, 51.0)
    }
}

fn rate(bits: f64) -> String {
    format!("-b:v {:.0}", bits.max(1000.0))
}

/// The next rate to try after `written` bytes were too many: a little lower each time.
fn corrected(bits: f64, limit: u64, written: u64, sound: u64, attempt: usize) -> f64 {
    let room = limit.saturating_sub(sound) as f64;
    let took = written.saturating_sub(sound).max(1) as f64;
    let caution = [0.993, 0.97, 0.9].get(attempt).copied().unwrap_or(0.9);
    bits * (room / took).min(1.0) * caution
}

fn nothing_decoded() -> ExternalToolError {
    ExternalToolError {
        tool: "ffmpeg".into(),
        code: Some(0),
        stderr: "Invalid data found: not one frame could be decoded".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_always_goes_down() {
        let limit = 1_000_000;
        for attempt in 0..4 {
            for written in [1_000_001, 1_100_000, 5_000_000] {
                let next = corrected(500e3, limit, written, 100_000, attempt);
                assert!(next < 500e3 * 0.995 && next > 0.0, "{attempt} {written}: {next}");
            }
        }
    }

    #[test]
    fn a_search_for_the_quality_ends_near_the_goal() {
        for (slope, start) in [(6.0, 30.0), (12.0, 24.0), (18.0, 20.0), (4.0, 40.0)] {
            let bytes = |crf: f64| 2e6 * 2f64.powf((28.0 - crf) / slope);
            let mut search = Quality { goal: 1e6 * AIM, slope: 8.0, points: Vec::new() };
            let mut crf = start;
            let mut best: f64 = 0.0;
            for _ in 0..SEARCHES {
                if bytes(crf) <= 1e6 {
                    best = best.max(bytes(crf));
                }
                crf = search.next(crf, bytes(crf));
            }
            assert!(best >= 0.93e6, "{slope} {start}: {best}");
        }
    }
}
