//! Tries an encode on a few short pieces before the whole is encoded: how many bits a quality costs here, how steeply
//! they fall, how fast this machine is, and how good a smaller picture would look at the same bits.
//!
//! Samples only choose; what they predict misses by some 15 %, so nothing is promised by them.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    budget::{self, Picture},
    filters,
};
use crate::{
    media::{
        ffmpeg::{Args, Ended},
        probe::Video,
        work::{Kit, Share, size},
    },
    model::Result,
};

/// The preset of samples: fast, and its order of sizes is that of the slow ones.
const PRESET: &str = "veryfast";
/// Frames after which x264 begins anew; a sample's first frame stands for one in so many.
const KEY_FRAMES: f64 = 250.0;
/// Pixels of all pieces together: those of six seconds at 1080p and 30 frames. What has more is sampled for a shorter time, or
/// looking for a size would take as long as the encode. Half of this misjudged a screen recording (47 VMAF rather than 73).
const PIXELS: f64 = 360e6;
/// Seconds that a piece has at least: shorter ones are mostly their opening frame.
const SHORTEST: f64 = 0.5;
/// Frames of all pieces together are stored nearly without loss; this many bytes at the most.
const STORE: u64 = 1 << 30;
/// Seconds that a process takes to start, out of the measured time.
const START: f64 = 0.08;
/// Sides of pictures are compared at about this size: closer to how they are seen than pixel by pixel.
const COMPARED_AT: f64 = 256.0;

/// What one encode of the samples gave.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    /// The short side in pixels.
    pub short: f64,
    /// x264's constant rate factor.
    pub crf: f64,
    /// Bits a second of the whole that it stands for.
    pub bits: f64,
    file: PathBuf,
}

/// The pieces of a video, ready to be encoded.
pub(super) struct Samples<'a> {
    kit: &'a Kit<'a>,
    video: &'a Video,
    /// The picture of the pieces.
    pub native: Picture,
    reference: PathBuf,
    pieces: usize,
    whole: bool,
    fps: f64,
    trials: Vec<Trial>,
    share: Share,
    /// Frames a second that one fast encode at the native size makes; 0 before the first.
    pub speed: f64,
    /// When it began.
    since: Instant,
}

/// Where the pieces begin and how long they are, in seconds, of a video with so many pixels a second.
pub(super) fn places(seconds: f64, pixels: f64) -> Vec<(f64, f64)> {
    let (count, each): (u32, f64) = match seconds {
        s if s <= 5.0 => return vec![(0.0, s.max(0.04))],
        s if s <= 30.0 => (3, 1.2),
        s if s <= 180.0 => (4, 1.4),
        _ => (6, 1.4),
    };
    let each = each.min((PIXELS / pixels.max(1.0) / f64::from(count)).max(SHORTEST));
    let part = seconds / f64::from(count);
    (0..count).map(|number| (part * (f64::from(number) + 0.5) - each / 2.0, each)).collect()
}

impl<'a> Samples<'a> {
    /// Cuts the pieces. `None`: they cannot be had, and the encode must do without.
    pub(super) async fn cut(kit: &'a Kit<'a>, video: &'a Video, native: Picture, share: Share) -> Result<Option<Self>> {
        let since = Instant::now();
        let rate = f64::from(native.width) * f64::from(native.height) * native.fps.unwrap_or(video.fps).max(0.1);
        let places = places(video.seconds(kit.seconds()), rate);
        let reference = kit.work.join("samples.mkv");
        let mut args = Args::new();
        let mut graph = String::new();
        for (number, (start, length)) in places.iter().enumerate() {
            args = args.join(kit.piece(*start, *length));
            let chain = filters::piece(video, &native, number);
            graph.push_str(&format!("[{number}:{}]{chain}[s{number}];", video.index));
        }
        let all: String = (0..places.len()).map(|number| format!("[s{number}]")).collect();
        graph.push_str(&format!("{all}concat=n={}:v=1:a=0[all]", places.len()));
        let args = args
            .arg("-filter_complex")
            .one(graph)
            .arg("-map [all] -an -sn -dn -c:v libx264 -preset ultrafast -crf 5 -g 60")
            .arg(format!("-threads {} -fps_mode vfr", kit.runner.threads))
            .matroska(&reference);
        match kit.run(args, STORE, Share { to: share.from, ..share }).await? {
            Ended::Well(tick) if tick.frames > 0 && size(&reference).await > 0 => {}
            other => {
                tracing::debug!(?other, "no samples can be cut");
                return Ok(None);
            }
        }
        Ok(Some(Self {
            kit,
            video,
            native,
            reference,
            pieces: places.len(),
            whole: places.len() == 1,
            fps: native.fps.unwrap_or(video.fps).max(0.1),
            trials: Vec::new(),
            share,
            speed: 0.0,
            since,
        }))
    }

    /// The short side of the pieces.
    pub(super) fn short(&self) -> f64 {
        f64::from(self.native.width.min(self.native.height))
    }

    /// Time spent so far.
    pub(super) fn spent(&self) -> Duration {
        self.since.elapsed()
    }

    /// Encodes the pieces at a size and quality. `None`: it did not work.
    pub(super) async fn trial(&mut self, short: f64, crf: f64) -> Result<Option<Trial>> {
        let crf = (crf.clamp(14.0, 50.0) * 10.0).round() / 10.0;
        if let Some(known) = self.trials.iter().find(|trial| trial.short == short && trial.crf == crf) {
            return Ok(Some(known.clone()));
        }
        let file = self.kit.work.join(format!("trial-{}.mkv", self.trials.len()));
        let picture = budget::scaled(self.video, short, self.native.fps);
        let native = short >= self.short();
        let mut args = self.own_input();
        if !native {
            args = args.arg("-vf").one(format!("scale={}:{}:flags=bicubic", picture.width, picture.height));
        }
        let args = args
            .arg(format!("-an -c:v libx264 -preset {PRESET} -crf {crf} -threads {}", self.kit.runner.threads))
            .arg("-fps_mode vfr")
            .matroska(&file);
        let (mut told, began) = (String::new(), Instant::now());
        let Ended::Well(_) = self.kit.listen(args, STORE, self.next_share(), Some(&mut told)).await? else {
            return Ok(None);
        };
        let Some(bits) = bits_a_second(&told, self.fps, (!self.whole).then_some(self.pieces)) else {
            tracing::debug!("x264 told no sizes");
            return Ok(None);
        };
        if native && self.speed == 0.0 {
            let frames: f64 = sizes(&told).iter().map(|(_, count, _)| count).sum();
            self.speed = frames / (began.elapsed().as_secs_f64() - START).max(0.01);
        }
        let trial = Trial { short, crf, bits, file };
        tracing::debug!(short, crf, bits, "a trial");
        self.trials.push(trial.clone());
        Ok(Some(trial))
    }

    /// How alike a trial is to the pieces, in decibels of SSIM: both brought to the native size first, since that is how
    /// a player shows them.
    pub(super) async fn likeness(&self, trial: &Trial) -> Result<Option<f64>> {
        let Picture { width, height, .. } = self.native;
        let shrink = (f64::from(width.min(height)) / COMPARED_AT).round().max(1.0);
        let mut view = format!("scale={width}:{height}:flags=bicubic");
        if shrink > 1.0 {
            let side = |pixels: u32| (f64::from(pixels) / shrink).max(2.0) as u32;
            view.push_str(&format!(",scale={}:{}:flags=area", side(width), side(height)));
        }
        let args = self
            .own_input()
            .arg("-i")
            .path(&trial.file)
            .arg("-lavfi")
            .one(format!("[0:v]{view}[a];[1:v]{view}[b];[b][a]ssim"))
            .arg("-f null /dev/null");
        let mut told = String::new();
        let Ended::Well(_) = self.kit.listen(args, STORE, self.next_share(), Some(&mut told)).await? else {
            return Ok(None);
        };
        Ok(ssim_decibels(&told))
    }

    /// Each trial is worth less of the progress than the one before: nobody knows how many there will be.
    fn next_share(&self) -> Share {
        let at = |tried: usize| {
            self.share.from + (self.share.to - self.share.from) * (1.0 - 0.75_f32.powi(tried.min(30) as i32))
        };
        Share { from: at(self.trials.len()), to: at(self.trials.len() + 1) }
    }

    fn own_input(&self) -> Args {
        Args::new().arg(format!("-threads {} -i", self.kit.runner.threads)).path(&self.reference)
    }
}

/// x264's closing lines: kind of frame, how many, bytes of each on average.
fn sizes(told: &str) -> Vec<(char, f64, f64)> {
    told.lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("frame ")?;
            let (kind, rest) = rest.split_once(':')?;
            let kind = kind.chars().next().filter(|_| kind.len() == 1)?;
            let count = rest.split_whitespace().next()?.parse().ok()?;
            let bytes = rest.split_once("size:")?.1.split_whitespace().next()?.parse().ok()?;
            Some((kind, count, bytes))
        })
        .collect()
}

/// Bits a second of the whole video. `pieces`: how many pieces it was, each begun by a whole picture that the video
/// itself has only now and then; `None`: the samples are the whole.
fn bits_a_second(told: &str, fps: f64, pieces: Option<usize>) -> Option<f64> {
    let sizes = sizes(told);
    let frames: f64 = sizes.iter().map(|(_, count, _)| count).sum();
    if frames < 1.0 {
        return None;
    }
    let (mut whole, mut rest) = ((0.0, 0.0), 0.0);
    for (kind, count, bytes) in &sizes {
        if *kind == 'I' {
            whole = (*count, *bytes);
        } else {
            rest += count * bytes;
        }
    }
    let lead = pieces.map_or(0.0, |pieces| whole.0.min(pieces as f64));
    // The frame that opens a piece stands for its share of one in KEY_FRAMES.
    let share = pieces.map_or(1.0, |pieces| (frames / pieces as f64 / KEY_FRAMES).min(1.0));
    let bytes = whole.1 * (whole.0 - lead + lead * share) + rest;
    Some(bytes * 8.0 / (frames / fps))
}

/// What the filter says at its end, as decibels: `SSIM Y:0.973 (15.7) U:…`.
fn ssim_decibels(told: &str) -> Option<f64> {
    let line = told.lines().rev().find(|line| line.contains("SSIM Y:"))?;
    let value: f64 = line.split_once("SSIM Y:")?.1.split_whitespace().next()?.parse().ok()?;
    Some(-10.0 * (1.0 - value).max(1e-6).log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "[libx264 @ 0x1] using SAR=1/1\n\
        [libx264 @ 0x1] frame I:4     Avg QP:22.11  size: 40000\n\
        [libx264 @ 0x1] frame P:26    Avg QP:25.00  size: 10000\n\
        [libx264 @ 0x1] frame B:60    Avg QP:28.00  size:  1000\n\
        [libx264 @ 0x1] kb/s:123\n";

    #[test]
    fn pieces_lie_within_the_video_and_apart() {
        for seconds in [0.0, 0.04, 4.0, 5.1, 12.0, 31.0, 179.0, 7200.0] {
            let places = places(seconds, 25e6);
            let mut end = 0.0;
            for (start, length) in &places {
                assert!(*start >= end - 1e-9 && *length > 0.0, "{seconds}: {places:?}");
                end = start + length;
            }
            assert!(end <= seconds.max(0.04) + 1e-9, "{seconds}: {places:?}");
        }
    }

    #[test]
    fn large_pictures_are_sampled_for_a_shorter_time() {
        let sampled = |pixels: f64| places(60.0, pixels).iter().map(|(_, length)| length).sum::<f64>();
        assert!((sampled(1280.0 * 720.0 * 30.0) - 5.6).abs() < 0.01);
        assert!((sampled(1920.0 * 1080.0 * 30.0) - 5.6).abs() < 0.01);
        assert!((2.5..3.5).contains(&sampled(1920.0 * 1080.0 * 60.0)));
        assert_eq!(sampled(3840.0 * 2160.0 * 60.0), 4.0 * SHORTEST);
    }

    #[test]
    fn opening_frames_count_for_their_share() {
        // The samples are the whole: all bytes count.
        let whole = bits_a_second(TOLD, 30.0, None).unwrap();
        assert!((whole - (160_000.0 + 260_000.0 + 60_000.0) * 8.0 / 3.0).abs() < 1.0, "{whole}");
        // Three pieces of 30 frames: three of the four whole pictures count for 30 of 250 frames.
        let pieces = bits_a_second(TOLD, 30.0, Some(3)).unwrap();
        let want = (40_000.0 * (1.0 + 3.0 * 0.12) + 320_000.0) * 8.0 / 3.0;
        assert!((pieces - want).abs() < 1.0, "{pieces} {want}");
        assert_eq!(bits_a_second("nothing", 30.0, None), None);
    }

    #[test]
    fn likeness_is_read_from_the_last_line() {
        let told = "[Parsed_ssim_4 @ 0x2] SSIM Y:0.990000 (20.0) U:0.9 (9) V:0.9 (9) All:0.97 (15.2)\n";
        assert!((ssim_decibels(told).unwrap() - 20.0).abs() < 1e-6);
        assert_eq!(ssim_decibels("[Parsed_ssim_4 @ 0x2] SSIM Y:1.000000 (inf)").unwrap(), 60.0);
        assert_eq!(ssim_decibels(""), None);
    }
}
