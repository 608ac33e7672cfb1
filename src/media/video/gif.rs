//! A GIF of a clip, as large as the limit allows: one palette for all of it, few frames a second, and a width that is
//! searched until it fits. Animations that were GIFs before keep more of what they are: `picture/gif.rs`.

use std::path::Path;

use super::{budget::Picture, filters};
use crate::{
    media::{
        ffmpeg::Ended,
        probe::Video,
        shrink::Shrink,
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
/// How bytes grow with the width, before it was measured.
const EXPONENT: f64 = 1.8;

/// Makes a GIF.
pub(in crate::media) async fn make(kit: &Kit<'_>, video: &Video) -> Result<Made> {
    let (best, trial) = (kit.work.join("best.gif"), kit.work.join("trial.gif"));
    let widest = video.shown().0.clamp(2.0, MAX_WIDTH);
    let mut search = Shrink::new(kit.rules.limit, (MIN_WIDTH, widest), widest, EXPONENT);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_keeps_its_shape_and_has_even_sides() {
        let video = Video { width: 1080, height: 1921, sar: 1.0, fps: 30.0, ..Video::default() };
        let made = picture(&video, 271.3);
        assert_eq!((made.width, made.height, made.fps), (272, 482, Some(15.0)));
        assert_eq!(picture(&Video { fps: 8.0, ..video.clone() }, 100.0).fps, Some(8.0));
        assert_eq!(picture(&video, 100.0).fps, Some(10.0));
    }
}
