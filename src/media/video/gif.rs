//! A GIF of a clip, as large as the limit allows: one palette for all of it, few frames a second, and a width that is
//! searched downwards until it fits.

use std::path::Path;

use super::{budget::Picture, filters};
use crate::{
    media::{
        ffmpeg::Ended,
        probe::Video,
        work::{Kit, Made, Share, size},
    },
    model::Result,
};

/// The widest a GIF is made, in pixels: chats show it no wider.
const MAX_WIDTH: f64 = 480.0;
/// Below this a GIF is a postage stamp.
const MIN_WIDTH: f64 = 64.0;
/// Frames a second.
const FPS: f64 = 15.0;
/// Frames a second of small ones: better fewer frames than no picture.
const SMALL_FPS: f64 = 10.0;
/// Narrower ones are small.
const SMALL: f64 = 200.0;
/// Encodes of the whole.
const TRIES: usize = 5;
/// The share of the limit that is aimed at, and the one that is good enough.
const AIM: f64 = 0.95;
const GOOD: f64 = 0.85;
/// How bytes grow with the width, before it was measured.
const EXPONENT: f64 = 1.8;

/// Makes a GIF.
pub(in crate::media) async fn make(kit: &Kit<'_>, video: &Video) -> Result<Made> {
    let (best, trial) = (kit.work.join("best.gif"), kit.work.join("trial.gif"));
    let mut search = Search::new(video.shown().0.min(MAX_WIDTH), kit.rules.limit);
    let mut found = false;
    for attempt in 0..TRIES {
        let Some(width) = search.next() else { break };
        let share = Share { from: attempt as f32 / TRIES as f32, to: (attempt + 1) as f32 / TRIES as f32 * 0.96 };
        let written = match run(kit, video, width, &trial, share).await? {
            Ended::Well(_) => size(&trial).await,
            Ended::TooBig => kit.file_cap(),
            Ended::Badly(error) => return Ok(Made::Failed(error)),
        };
        kit.notes.attempt();
        tracing::debug!(width, written, "a GIF");
        if search.record(width, written) {
            tokio::fs::rename(&trial, &best).await?;
            found = true;
        }
    }
    Ok(if found { Made::File(best) } else { Made::Over })
}

async fn run(kit: &Kit<'_>, video: &Video, width: f64, out: &Path, share: Share) -> Result<Ended> {
    let args = kit
        .input()
        .arg("-filter_complex")
        .one(format!(
            "[0:{}]{},split[picture][copy];[copy]palettegen=stats_mode=diff[palette];\
             [picture][palette]paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle",
            video.index,
            filters::chain(video, &picture(video, width))
        ))
        .arg("-an -sn -dn -map_metadata -1 -loop 0 -f gif")
        .path(out);
    kit.run(args, kit.file_cap(), share).await
}

fn picture(video: &Video, width: f64) -> Picture {
    let (shown_width, shown_height) = video.shown();
    let even = |side: f64| ((side / 2.0).round() * 2.0).max(2.0) as u32;
    let height = shown_height * width / shown_width.max(1.0);
    let fps = if width < SMALL { SMALL_FPS } else { FPS };
    Picture { width: even(width), height: even(height), fps: Some(fps.min(video.fps.max(1.0))) }
}

/// Looks for the largest width that fits.
struct Search {
    limit: Option<u64>,
    widest: f64,
    /// The widest that fitted, with its bytes.
    under: Option<(f64, f64)>,
    /// The narrowest that did not.
    over: Option<(f64, f64)>,
    done: bool,
}

impl Search {
    fn new(widest: f64, limit: Option<u64>) -> Self {
        Self { limit, widest: widest.max(2.0), under: None, over: None, done: false }
    }

    /// The next width to try.
    fn next(&self) -> Option<f64> {
        if self.done {
            return None;
        }
        let aim = self.limit.map_or(f64::INFINITY, |limit| limit as f64 * AIM);
        let narrowest = MIN_WIDTH.min(self.widest);
        let width = match (self.under, self.over) {
            (None, None) => self.widest,
            // Both sides are known: the slope of bytes over width between them, on logarithmic scales.
            (Some((under, low)), Some((over, high))) => {
                let slope = ((high / low).ln() / (over / under).ln()).clamp(0.5, 4.0);
                (under * (aim / low).powf(1.0 / slope)).clamp(under * 1.01, over * 0.97)
            }
            (None, Some((over, high))) => (over * (aim / high).powf(1.0 / EXPONENT)).min(over * 0.9).max(narrowest),
            (Some(_), None) => return None,
        };
        let tried = |side: Option<(f64, f64)>| side.is_some_and(|(tried, _)| (tried - width).abs() < 2.0);
        (!tried(self.under) && !tried(self.over)).then_some(width)
    }

    /// Notes what came of a width; true when it is the best so far.
    fn record(&mut self, width: f64, bytes: u64) -> bool {
        let limit = self.limit.unwrap_or(u64::MAX);
        let fits = bytes > 0 && bytes <= limit;
        if !fits {
            self.over = Some((width, bytes.max(1) as f64));
            return false;
        }
        let better = self.under.is_none_or(|(under, _)| width > under);
        if better {
            self.under = Some((width, bytes as f64));
        }
        self.done = width >= self.widest - 0.5 || bytes as f64 >= limit as f64 * GOOD;
        better
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches with bytes that grow as `scale` × width to the power of `exponent`.
    fn search(limit: u64, scale: f64, exponent: f64) -> (Option<f64>, usize) {
        let mut search = Search::new(480.0, Some(limit));
        let mut best = None;
        for tries in 0..TRIES {
            let Some(width) = search.next() else { return (best, tries) };
            assert!((2.0..=480.0).contains(&width), "{width}");
            if search.record(width, (scale * width.powf(exponent)) as u64) {
                best = Some(width);
            }
        }
        (best, TRIES)
    }

    #[test]
    fn the_widest_that_fits_is_found_in_a_few_tries() {
        assert_eq!(search(10 << 20, 1.0, 1.8), (Some(480.0), 1), "it fits as it is");
        for exponent in [1.2, 1.8, 2.2, 2.6] {
            for scale in [5.0, 20.0, 80.0] {
                let limit = 500_000;
                let ideal = (limit as f64 / scale).powf(1.0 / exponent);
                let (best, _) = search(limit, scale, exponent);
                match best {
                    Some(best) => assert!(best <= ideal && best >= (ideal * 0.8).min(470.0), "{best} of {ideal}"),
                    None => assert!(ideal < MIN_WIDTH, "{ideal}"),
                }
            }
        }
    }

    #[test]
    fn a_picture_keeps_its_shape_and_has_even_sides() {
        let video = Video { width: 1080, height: 1921, sar: 1.0, fps: 30.0, ..Video::default() };
        let made = picture(&video, 271.3);
        assert_eq!((made.width, made.height, made.fps), (272, 482, Some(15.0)));
        assert_eq!(picture(&Video { fps: 8.0, ..video.clone() }, 100.0).fps, Some(8.0));
        assert_eq!(picture(&video, 100.0).fps, Some(10.0));
    }
}
