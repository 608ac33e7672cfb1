//! Makes animations smaller and leaves them GIFs: fewer and smaller frames, as many colours as a GIF can have, and what is
//! transparent stays so. GIFs of clips are made by `video/gif.rs`, with the filters of videos and none of that.

use std::{path::PathBuf, time::Duration};

use super::{
    super::{
        Examined,
        ffmpeg::{Args, Ended},
        fit::Fit,
        plan::Refusal,
        probe::Video,
        shrink::Shrink,
        work::size,
    },
    look::MAX_ANIMATION,
};
use crate::model::Result;

/// Encodes tried.
const TRIES: usize = 5;
/// Frames a second: browsers slow down what is faster, and eyes see less than this as slides.
const MAX_FPS: f64 = 25.0;
const MIN_FPS: f64 = 8.0;
/// Pixels of the first try, all frames together: a GIF of more would be over any limit, and take minutes.
const FIRST_PIXELS: f64 = 400e6;
/// The smallest side.
const MIN_SIDE: f64 = 48.0;
/// What twice the pixels do to the size: less than twice, since neighbours repeat.
const SLOPE: f64 = 0.9;
/// The least share of the source's pixels that is tried.
const LEAST: f64 = 1e-5;
/// Seconds one run may take.
const DEADLINE: Duration = Duration::from_secs(300);

/// How large and how fast.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    width: u32,
    height: u32,
    fps: f64,
}

/// What a share `rate` of all pixels of the source is best spent on: sides and frames both give way, frames a third of it.
fn shape(video: &Video, rate: f64) -> Shape {
    let (width, height) = video.shown();
    let most = video.fps.clamp(1.0, MAX_FPS);
    let least = most.min(MIN_FPS);
    let fps = (most * rate.powf(1.0 / 3.0)).clamp(least, most);
    let scale = (rate * most / fps).sqrt().min(1.0);
    let scale = scale.max((MIN_SIDE / width.min(height)).min(1.0));
    let side = |pixels: f64| ((pixels * scale).round() as u32).max(1);
    Shape { width: side(width), height: side(height), fps }
}

impl Fit<'_> {
    /// A GIF that fits, of an animation or a video. `None` where not even the smallest does.
    pub(in crate::media) async fn smaller_gif(&self, examined: &Examined) -> Result<Option<Vec<PathBuf>>> {
        let Some(video) = &examined.probe.video else { return Err(Refusal::Stubborn.error()) };
        let _slot = self.slot().await?;
        let limit = self.target.max_bytes.unwrap_or(u64::MAX);
        let seconds = examined.probe.duration.unwrap_or(1.0).max(0.04);
        let (width, height) = video.shown();
        let pixels = (width * height * seconds * video.fps.clamp(1.0, MAX_FPS)).max(1.0);
        if pixels > MAX_ANIMATION as f64 * 4.0 {
            return Ok(None);
        }
        let palette = self.work.join("palette.png");
        let (trial, out) = (self.work.join("trial.gif"), self.work.join("picture.gif"));
        let first = (FIRST_PIXELS / pixels).min(1.0);
        let mut search = Shrink::new(self.target.max_bytes, (LEAST, 1.0), first, SLOPE);
        let (mut last, mut found) = (None, false);
        for attempt in 0..TRIES {
            let Some(rate) = search.next() else { break };
            let shape = shape(video, rate);
            if last.replace(shape) == Some(shape) {
                break;
            }
            let filters = format!("fps={:.4},scale={}:{}:flags=lanczos", shape.fps, shape.width, shape.height);
            if attempt == 0 && !self.palette(examined, &filters, &palette).await? {
                return Ok(None);
            }
            self.notes.attempt();
            let cap = limit.saturating_add(limit / 2).saturating_add(1 << 20);
            let args = self
                .gif_input(examined)
                .arg("-i")
                .path(&palette)
                .arg("-filter_complex")
                .one(format!(
                    "[0:v:0]{filters}[small];[small][1:v]paletteuse=dither=bayer:bayer_scale=4:diff_mode=rectangle"
                ))
                .arg("-an -map_metadata -1 -loop 0 -f gif")
                .path(&trial);
            let written = match self.ffmpeg(args, cap, DEADLINE).await? {
                Ended::Well(_) => size(&trial).await,
                Ended::TooBig => cap,
                Ended::Badly(error) => return Err(super::super::ffmpeg::unreadable(&error)),
            };
            tracing::debug!(?shape, written, limit, "tried a GIF");
            self.meter.set((attempt + 1) as f32 / TRIES as f32);
            if search.record(rate, written) {
                tokio::fs::rename(&trial, &out).await?;
                found = true;
                self.notes.with(|report| report.picture = Some((shape.width, shape.height)));
            }
        }
        if !found {
            return Ok(None);
        }
        self.notes.with(|report| report.path = "gif");
        Ok(Some(vec![out]))
    }

    fn gif_input(&self, examined: &Examined) -> Args {
        Args::new().arg(&examined.source.options).input(&examined.source.path, self.media.runner.threads)
    }

    /// The colours of the whole animation, one of them for what is transparent.
    async fn palette(&self, examined: &Examined, filters: &str, out: &std::path::Path) -> Result<bool> {
        let args = self
            .gif_input(examined)
            .arg("-map 0:v:0 -vf")
            .one(format!("{filters},palettegen=stats_mode=full"))
            .arg("-frames:v 1 -c:v png -f image2pipe")
            .path(out);
        match self.ffmpeg(args, 1 << 20, DEADLINE).await? {
            Ended::Well(_) => Ok(size(out).await > 0),
            Ended::TooBig => Ok(false),
            Ended::Badly(error) => Err(super::super::ffmpeg::unreadable(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_and_frames_give_way_together() {
        let video = Video { width: 640, height: 480, sar: 1.0, fps: 24.0, ..Video::default() };
        assert_eq!(shape(&video, 1.0), Shape { width: 640, height: 480, fps: 24.0 });
        let small = shape(&video, 0.1);
        assert!(small.fps < 24.0 && small.width < 640, "{small:?}");
        let share = f64::from(small.width * small.height) * small.fps / (640.0 * 480.0 * 24.0);
        assert!((0.08..0.12).contains(&share), "{share}");
        let tiny = shape(&video, 1e-5);
        assert!(tiny.fps == MIN_FPS && tiny.height == MIN_SIDE as u32, "{tiny:?}");
    }
}
