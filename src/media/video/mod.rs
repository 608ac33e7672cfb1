//! Makes videos: copies what can stay, encodes the rest as H.264 and AAC in an mp4.
//!
//! Sound is encoded first, so that its exact size is known; then the picture takes what is left, in two passes. A try
//! that comes out too large is repeated at a corrected rate on the same first pass. Nothing over the limit leaves here.

pub(super) mod budget;

use std::path::PathBuf;

use self::budget::{DELAY, Picture, Rate, Sound};
use super::{
    ffmpeg::{Args, Ended},
    probe::{Audio, Video},
    work::{Kit, Made, Share, size},
};
use crate::model::Result;

/// Tries at a corrected rate after the first.
const RETRIES: usize = 3;
/// x264's statistics for its second pass: bytes a macroblock and frame, with room to spare.
const STATS_BYTES: u64 = 4;
/// Shares of the whole run.
const SOUND: Share = Share { from: 0.0, to: 0.06 };
const FIRST: Share = Share { from: 0.06, to: 0.38 };
const SECOND: Share = Share { from: 0.38, to: 0.96 };
const SINGLE: Share = Share { from: 0.06, to: 0.96 };
const WHOLE: Share = Share { from: 0.0, to: 0.96 };

/// Copies picture and default sound into an mp4 that starts at once.
pub(in crate::media) async fn remux(kit: &Kit<'_>) -> Result<Made> {
    let out = kit.work.join("remux.mp4");
    let mut args = kit.input();
    for index in kit.probe.wanted() {
        args = args.arg(format!("-map 0:{index}"));
    }
    kit.make(args.arg("-c copy -sn -dn").mp4(&out), out, WHOLE).await
}

/// Copies the picture and encodes the sound.
pub(in crate::media) async fn copy_video(kit: &Kit<'_>, video: &Video, audio: &Audio, sound: Sound) -> Result<Made> {
    let track = match track(kit, audio, sound, Share { from: 0.0, to: 0.7 }).await? {
        Made::File(path) => path,
        other => return Ok(other),
    };
    let out = kit.work.join("copy.mp4");
    let args =
        kit.input().arg("-i").path(&track).arg(format!("-map 0:{} -map 1:a -c copy -sn -dn", video.index)).mp4(&out);
    kit.make(args, out, Share { from: 0.7, to: 0.96 }).await
}

/// Encodes (or copies, where it is small enough) the default sound into a file of its own.
async fn track(kit: &Kit<'_>, audio: &Audio, sound: Sound, share: Share) -> Result<Made> {
    let out = kit.work.join("sound.m4a");
    let small = audio.bit_rate.is_some_and(|rate| rate <= sound.kbps * 1100.0);
    let copy = audio.codec == "aac"
        && audio.profile == "LC"
        && audio.channels <= 2
        && audio.delay < DELAY
        && (small || kit.rules.limit.is_none());
    let args = kit.input().arg(format!("-map 0:{} -vn -sn -dn", audio.index));
    let args = if copy { args.arg("-c:a copy") } else { args.join(encoder(audio, sound)) };
    kit.make(args.mp4(&out), out, share).await
}

/// AAC-LC. Silence is put before sound that starts late, and into gaps: sound and picture then share their zero. ffmpeg
/// itself would keep the delay for some containers and lose it for others (transport streams).
pub(in crate::media) fn encoder(audio: &Audio, sound: Sound) -> Args {
    let Sound { kbps, channels, rate } = sound;
    let mut chain = "asetpts=PTS-STARTPTS".to_owned();
    if audio.delay >= DELAY {
        chain.push_str(&format!(",adelay={:.0}:all=1", audio.delay * 1000.0));
    }
    Args::new()
        .arg(format!("-af {chain},aresample=async=1:first_pts=0 -c:a aac -b:a {kbps:.1}k -ac {channels} -ar {rate}"))
}

/// Encodes picture and sound.
pub(in crate::media) async fn encode(kit: &Kit<'_>, video: &Video) -> Result<Made> {
    let mut sound = None;
    let mut sound_bytes = 0;
    if let Some(audio) = &kit.probe.audio {
        let wanted = kit.rules.sound_of_video(audio, kit.seconds());
        match track(kit, audio, wanted, SOUND).await? {
            Made::File(path) => {
                sound_bytes = size(&path).await;
                sound = Some(path);
            }
            Made::Over => return Ok(Made::Over),
            Made::Failed(error) => {
                tracing::warn!(codec = %audio.codec, %error, "the sound cannot be decoded: encoding the picture without it");
            }
        }
    }
    let job = Job { kit, video, sound, sound_bytes };
    let mut last = Made::Over;
    // The second round is a rung smaller: pictures that overshoot every time follow their rate badly.
    for smaller in 0..2 {
        last = job.round(smaller).await?;
        if !matches!(last, Made::Over) || kit.rules.limit.is_none() {
            break;
        }
        tracing::info!(smaller, "every try came out over the limit");
    }
    Ok(last)
}

struct Job<'a> {
    kit: &'a Kit<'a>,
    video: &'a Video,
    sound: Option<PathBuf>,
    sound_bytes: u64,
}

/// What the first pass taught.
#[derive(Clone, Copy)]
struct Real {
    seconds: f64,
    frames: u64,
}

impl Job<'_> {
    async fn round(&self, smaller: usize) -> Result<Made> {
        let seconds = self.video.seconds(self.kit.seconds());
        let native = budget::scaled(self.video, 1080.0, None);
        let frames = budget::frames(self.video, &native, seconds);
        let bits = self.kit.rules.video_bits(self.sound_bytes, frames, seconds);
        let shape = budget::choose(self.kit.probe, self.video, bits, smaller);
        tracing::debug!(?shape, sound = self.sound_bytes, "encoding");
        match (shape.rate, bits) {
            (Rate::Quality { crf, cap }, _) => {
                let out = self.kit.work.join("quality.mp4");
                // The buffer allows a burst, and a whole file can exceed cap × duration by no more than the buffer.
                let cap = cap.map(|bits| (bits, bits * (seconds / 10.0).clamp(0.1, 2.0)));
                let rate = match cap {
                    Some((bits, buffer)) => format!("-crf {crf} -maxrate {bits:.0} -bufsize {buffer:.0}"),
                    None => format!("-crf {crf}"),
                };
                let made = self.kit.make(self.pass(&shape.picture, &rate).mp4(&out), out, SINGLE).await?;
                match (made, bits) {
                    // Rare: a burst at the very end. Two passes know how to spend the same bits.
                    (Made::Over, Some(bits)) => self.two_passes(&shape.picture, bits, seconds).await,
                    (made, _) => Ok(made),
                }
            }
            (Rate::TwoPass { bits }, _) => self.two_passes(&shape.picture, bits, seconds).await,
        }
    }

    async fn two_passes(&self, picture: &Picture, bits: f64, seconds: f64) -> Result<Made> {
        let real = match self.first_pass(picture, bits).await? {
            Ok(real) => real,
            Err(made) => return Ok(made),
        };
        let mut bits = bits;
        if (real.seconds - seconds).abs() > 0.03 * seconds {
            // The container lied about its length, or its end is missing: the first pass has seen all there is.
            if let Some(corrected) = self.kit.rules.video_bits(self.sound_bytes, real.frames, real.seconds) {
                bits = corrected.max(1000.0).min(bits * 4.0);
            }
        }
        let out = self.kit.work.join("encode.mp4");
        for attempt in 0..=RETRIES {
            let args = self.pass(picture, &rate(bits)).arg("-pass 2 -passlogfile").one(self.log());
            self.kit.notes.attempt();
            let written = match self.kit.run(args.mp4(&out), self.kit.file_cap(), SECOND).await? {
                Ended::Well(_) => size(&out).await,
                Ended::TooBig => self.kit.file_cap(),
                Ended::Badly(error) => return Ok(Made::Failed(error)),
            };
            if written > 0 && self.kit.fits(written) {
                return Ok(Made::File(out));
            }
            let Some(limit) = self.kit.rules.limit else { break };
            bits = corrected(bits, limit, written, self.sound_bytes, attempt);
            tracing::info!(attempt, written, limit, "an encode came out too large: trying lower");
        }
        Ok(Made::Over)
    }

    /// The first pass, shared by all tries at this size.
    async fn first_pass(&self, picture: &Picture, bits: f64) -> Result<std::result::Result<Real, Made>> {
        let seconds = self.video.seconds(self.kit.seconds());
        let blocks = u64::from(picture.width.div_ceil(16)) * u64::from(picture.height.div_ceil(16));
        let stats = budget::frames(self.video, picture, seconds).saturating_mul(blocks * STATS_BYTES + 1024);
        let args = self
            .kit
            .input()
            .join(self.picture(picture))
            .arg("-an")
            .arg(rate(bits))
            .arg("-pass 1 -passlogfile")
            .one(self.log())
            .arg("-f null /dev/null");
        Ok(match self.kit.run(args, stats.saturating_add(64 << 20), FIRST).await? {
            Ended::Well(tick) if tick.frames > 0 => {
                Ok(Real { seconds: if tick.seconds > 0.0 { tick.seconds } else { seconds }, frames: tick.frames })
            }
            Ended::Well(_) => Err(Made::Failed(nothing_decoded())),
            Ended::TooBig => Err(Made::Over),
            Ended::Badly(error) => Err(Made::Failed(error)),
        })
    }

    fn log(&self) -> PathBuf {
        self.kit.work.join("pass")
    }

    /// Inputs, picture and sound of a pass that makes a file.
    fn pass(&self, picture: &Picture, rate: &str) -> Args {
        let mut args = self.kit.input();
        if let Some(sound) = &self.sound {
            args = args.arg("-i").path(sound);
        }
        args = args.join(self.picture(picture)).arg(rate);
        if self.sound.is_some() { args.arg("-map 1:a -c:a copy") } else { args.arg("-an") }
    }

    /// The picture's arguments: the same in both passes, or the second would not match the first.
    fn picture(&self, picture: &Picture) -> Args {
        let mode = if picture.fps.is_some() { "cfr" } else { "vfr" };
        Args::new()
            .arg(format!("-map 0:{} -sn -dn -vf", self.video.index))
            .one(filters(self.video, picture))
            .arg(format!("-c:v libx264 -preset {} -profile:v high -level:v 4.2", self.kit.preset))
            .arg(format!("-threads {} -fps_mode {mode}", self.kit.runner.threads))
    }
}

fn rate(bits: f64) -> String {
    format!("-b:v {:.0}", bits.max(1000.0))
}

/// The next rate to try after `written` bytes were too many: a little lower each time.
fn corrected(bits: f64, limit: u64, written: u64, sound: u64, attempt: usize) -> f64 {
    let room = limit.saturating_sub(sound) as f64;
    let took = written.saturating_sub(sound).max(1) as f64;
    let caution = [0.99, 0.96, 0.9].get(attempt).copied().unwrap_or(0.9);
    bits * (room / took).min(1.0) * caution
}

fn nothing_decoded() -> crate::model::ExternalToolError {
    crate::model::ExternalToolError {
        tool: "ffmpeg".into(),
        code: Some(0),
        stderr: "Invalid data found: not one frame could be decoded".into(),
    }
}

/// Everything that is done to the picture before it is encoded.
fn filters(video: &Video, picture: &Picture) -> String {
    let mut chain = Vec::new();
    if video.interlaced {
        chain.push("bwdif=mode=send_frame".to_owned());
    }
    if let Some(fps) = picture.fps {
        chain.push(format!("fps={fps:.5}"));
    }
    if video.hdr {
        chain.push(
            "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
                .to_owned(),
        );
    }
    // RGB has no matrix of its own: choose the one that players assume.
    let matrix = if video.rgb { ":out_color_matrix=bt709" } else { "" };
    chain.push(format!("scale={}:{}:flags=bicubic:out_range=tv{matrix}", picture.width, picture.height));
    if video.alpha {
        // The picture over a copy of itself that is painted grey: the copy has every frame's time.
        chain.push(
            "format=yuva444p,split[picture][copy];[copy]drawbox=color=0x808080@1:t=fill:replace=1[ground];\
             [ground][picture]overlay=format=yuv444"
                .to_owned(),
        );
    }
    chain.push("setsar=1,format=yuv420p".to_owned());
    if video.hdr || video.rgb || video.assumed_hd() {
        // A small picture without a label would be read in the colours of standard definition.
        chain.push("setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709".to_owned());
    }
    // A picture that starts after the sound is shown from the beginning.
    chain.push(if video.delay >= DELAY {
        format!("setpts='if(eq(N,0),0,PTS-STARTPTS+{:.3}/TB)'", video.delay)
    } else {
        "setpts=PTS-STARTPTS".to_owned()
    });
    chain.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_follow_the_picture() {
        let picture = Picture { width: 640, height: 360, fps: None };
        let plain = Video { height: 360, ..Video::default() };
        assert_eq!(
            filters(&plain, &picture),
            "scale=640:360:flags=bicubic:out_range=tv,setsar=1,format=yuv420p,setpts=PTS-STARTPTS"
        );
        let all = Video { delay: 0.5, interlaced: true, hdr: true, alpha: true, rgb: true, ..plain };
        let chain = filters(&all, &Picture { fps: Some(30.0), ..picture });
        let order = ["bwdif", "fps=30", "tonemap", "scale=640", "overlay", "yuv420p", "bt709:color_prim", "setpts"];
        let places: Vec<_> =
            order.iter().map(|part| chain.find(part).unwrap_or_else(|| panic!("{part}: {chain}"))).collect();
        assert!(places.is_sorted(), "{chain}");
    }

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
}
