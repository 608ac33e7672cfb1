//! Makes videos: copies what can stay, encodes the rest as H.264 and AAC in an mp4.
//!
//! ```text
//! sound first: its exact bytes are known then
//!   → sample    a few short pieces, encoded at several qualities and sizes
//!   → advice    the size that looks best at the bits that are left, and how bits follow quality here
//!   → preset    as slow as the time budget allows
//!   → rate      two passes, or a search for the quality; nothing over the limit leaves it
//! ```

mod advice;
pub(super) mod budget;
mod codec;
mod filters;
pub(super) mod gif;
pub(super) mod hardware;
pub(super) mod preset;
mod rate;
mod sample;
pub(super) mod split;

use std::path::PathBuf;

use self::{
    advice::Advice,
    budget::{DELAY, Picture, Rate, Sound},
    codec::{Pass, Software},
    rate::SEARCHES,
    sample::Samples,
};
use super::{
    ffmpeg::Args,
    probe::{Audio, Video},
    sound::chain,
    work::{Kit, Made, Share, size},
};
use crate::{model::Result, settings::VideoCodec};

/// Seconds between key frames at the most: what a player must decode to jump.
const KEY_SECONDS: f64 = 12.0;
/// Shares of the whole run.
const SOUND: Share = Share { from: 0.0, to: 0.03 };
const SAMPLES: Share = Share { from: 0.05, to: 0.18 };
const FIRST: Share = Share { from: 0.18, to: 0.44 };
const SECOND: Share = Share { from: 0.44, to: 0.96 };
const WHOLE: Share = Share { from: 0.0, to: 0.96 };

/// Copies picture and default sound into an mp4 that starts at once.
pub(in crate::media) async fn remux(kit: &Kit<'_>) -> Result<Made> {
    let out = kit.work.join("remux.mp4");
    let mut args = kit.input();
    for index in kit.probe.wanted() {
        args = args.arg(format!("-map 0:{index}"));
    }
    kit.make(args.arg("-c copy -sn -dn").arg(tag(kit)).mp4(&out), out, WHOLE).await
}

/// The name by which Apple's players know HEVC; other codecs have one only.
fn tag(kit: &Kit<'_>) -> &'static str {
    if kit.probe.video.as_ref().is_some_and(|video| video.codec == "hevc") { "-tag:v hvc1" } else { "" }
}

/// Copies the picture and encodes the sound.
pub(in crate::media) async fn copy_video(kit: &Kit<'_>, video: &Video, audio: &Audio, sound: Sound) -> Result<Made> {
    let track = match track(kit, audio, sound, Share { from: 0.0, to: 0.7 }).await? {
        Made::File(path) => path,
        other => return Ok(other),
    };
    let out = kit.work.join("copy.mp4");
    let args = kit
        .input()
        .arg("-i")
        .path(&track)
        .arg(format!("-map 0:{} -map 1:a -c copy -sn -dn", video.index))
        .arg(tag(kit))
        .mp4(&out);
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
        && !kit.probe.cut
        && (small || kit.rules.limit.is_none());
    let args = kit.input().arg(format!("-map 0:{} -vn -sn -dn", audio.index));
    let args = if copy { args.arg("-c:a copy") } else { args.join(encoder(audio, sound)) };
    kit.make(args.mp4(&out), out, share).await
}

/// AAC-LC.
fn encoder(audio: &Audio, sound: Sound) -> Args {
    let Sound { kbps, channels, rate } = sound;
    Args::new().arg("-af").one(chain(audio)).arg(format!("-c:a aac -b:a {kbps:.1}k -ac {channels} -ar {rate}"))
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
                kit.notes.warn("its sound is damaged and was left out");
            }
        }
    }
    let job = Job { kit, video, sound, sound_bytes, preset: "medium", first: FIRST, second: SECOND };
    job.run().await
}

/// One encode of picture and sound.
struct Job<'a> {
    kit: &'a Kit<'a>,
    video: &'a Video,
    /// The finished sound.
    sound: Option<PathBuf>,
    sound_bytes: u64,
    preset: &'static str,
    /// What the passes are of the whole.
    first: Share,
    second: Share,
}

impl Job<'_> {
    async fn run(mut self) -> Result<Made> {
        let native = budget::scaled(self.video, self.kit.rules.short_side(), None);
        let frames = budget::frames(self.video, &native, self.seconds());
        let Some(bits) = self.kit.rules.video_bits(self.sound_bytes, frames, self.seconds()) else {
            self.preset = self.chosen(None, &native);
            self.note(&native, "crf");
            return self.by_quality(&native, budget::UNLIMITED, advice::SLOPE, 1).await;
        };
        let bits = bits.max(1000.0);
        let advice = self.advice(&native, bits).await?;
        tracing::debug!(?advice, bits, sound = self.sound_bytes, "encoding");
        let Some(advice) = advice else { return self.unadvised(bits).await };
        let picture = &advice.picture;
        self.preset = self.chosen(Some((&advice, &native)), picture);
        let comfortable = advice.crf < rate::BEST_CRF - rate::DOUBT;
        if comfortable || self.hopeless(&advice, &native) {
            // The bits that the best quality takes, which a comfortable encode need not exceed.
            let need = bits * 2f64.powf((advice.crf - rate::BEST_CRF).min(0.0) / advice.slope);
            if let Some(made) = self.in_hardware(picture, bits, need).await? {
                return Ok(made);
            }
        }
        let mut made = Made::Over;
        if comfortable {
            self.note(picture, "crf");
            made = self.by_quality(picture, rate::BEST_CRF, advice.slope, 1).await?;
        }
        if !matches!(made, Made::Over) {
            return Ok(made);
        }
        // Where samples promised too much, it is as if they had promised nothing.
        made = if advice.stiff() {
            self.note(picture, "crf");
            self.by_quality(picture, advice.crf + 0.7, advice.slope, SEARCHES).await?
        } else {
            self.note(picture, "2pass");
            let frames = budget::frames(self.video, picture, self.seconds());
            let bits = self.kit.rules.video_bits(self.sound_bytes, frames, self.seconds()).unwrap_or(bits).max(1000.0);
            self.two_passes(picture, bits).await?
        };
        if matches!(made, Made::Over) { self.smaller(picture, advice.crf, advice.stiff()).await } else { Ok(made) }
    }

    /// A search for the quality at this size (unless it was `searched`), then at smaller ones, for what keeps coming out over
    /// the limit: there are pictures whose bits no quality brings down.
    async fn smaller(&self, picture: &Picture, crf: f64, searched: bool) -> Result<Made> {
        let short = f64::from(picture.width.min(picture.height));
        let rungs = [1.0, 0.7, 0.5, 0.3].map(|scale| budget::scaled(self.video, short * scale, picture.fps));
        for rung in rungs.into_iter().skip(usize::from(searched)) {
            tracing::info!(?rung, "every try came out over the limit: searching the quality");
            self.note(&rung, "crf");
            let made = self.by_quality(&rung, (crf + 1.0).min(36.0), advice::SLOPE, SEARCHES).await?;
            if !matches!(made, Made::Over) {
                return Ok(made);
            }
        }
        Ok(Made::Over)
    }

    /// What samples say about `bits` a second. `None`: there are none, or they say nothing.
    async fn advice(&self, native: &Picture, bits: f64) -> Result<Option<Advice>> {
        let Some(mut samples) = Samples::cut(self.kit, self.video, *native, SAMPLES).await? else { return Ok(None) };
        let guess = budget::usual_crf(native, native.fps.unwrap_or(self.video.fps), bits);
        let advice = advice::ask(&mut samples, self.video, bits * self.codec().gain(), guess).await?;
        let spent = samples.spent().as_secs_f64();
        self.kit.notes.with(|report| report.sample_seconds = Some((spent * 100.0).round() / 100.0));
        Ok(advice)
    }

    /// The picture that the rule of thumb chooses, and a rung below it if that overshoots every time.
    async fn unadvised(&mut self, bits: f64) -> Result<Made> {
        let mut last = Made::Over;
        for smaller in 0..2 {
            let shape = budget::choose(self.kit.probe, self.video, Some(bits), self.kit.rules.short_side(), smaller);
            self.preset = self.chosen(None, &shape.picture);
            last = match shape.rate {
                Rate::Quality { crf } => {
                    self.note(&shape.picture, "crf");
                    self.by_quality(&shape.picture, crf, advice::SLOPE, SEARCHES).await?
                }
                Rate::TwoPass { bits } => {
                    self.note(&shape.picture, "2pass");
                    self.two_passes(&shape.picture, bits).await?
                }
            };
            if !matches!(last, Made::Over) {
                break;
            }
            tracing::info!(smaller, "every try came out over the limit");
        }
        Ok(last)
    }

    fn chosen(&self, advice: Option<(&Advice, &Picture)>, picture: &Picture) -> &'static str {
        let work = advice.and_then(|(advice, native)| self.work(advice, native, picture));
        let settings = self.kit.settings;
        preset::choose(settings.preset.as_deref(), self.kit.speed, settings.time_budget, work)
    }

    fn work(&self, advice: &Advice, native: &Picture, picture: &Picture) -> Option<preset::Work> {
        let pixels = |picture: &Picture| f64::from(picture.width) * f64::from(picture.height);
        (advice.speed > 0.0).then(|| preset::Work {
            frames: budget::frames(self.video, picture, self.seconds()) as f64,
            pixels: pixels(picture) / pixels(native).max(1.0),
            speed: advice.speed / self.codec().cost(),
        })
    }

    /// Whether not even the fastest preset keeps the time budget.
    fn hopeless(&self, advice: &Advice, native: &Picture) -> bool {
        let work = self.work(advice, native, &advice.picture);
        work.is_some_and(|work| work.seconds("superfast") > self.kit.settings.time_budget.as_secs_f64())
    }

    fn note(&self, picture: &Picture, mode: &'static str) {
        self.note_of(self.preset, picture, mode);
    }

    fn note_of(&self, encoder: &str, picture: &Picture, mode: &'static str) {
        self.kit.notes.with(|report| {
            report.preset = Some(encoder.to_owned());
            report.mode = Some(mode);
            report.picture = Some((picture.width, picture.height));
        });
    }

    /// Seconds of picture.
    fn seconds(&self) -> f64 {
        self.video.seconds(self.kit.seconds())
    }

    /// Inputs, picture and sound of a pass that makes a file.
    fn pass(&self, picture: &Picture, rate: &str, pass: Pass<'_>) -> Args {
        self.with_sound(self.kit.input(), self.picture(picture, pass).arg(rate))
    }

    /// Picture and sound from `input`, the picture as `picture` tells.
    fn with_sound(&self, input: Args, picture: Args) -> Args {
        match &self.sound {
            Some(sound) => input.arg("-i").path(sound).join(picture).arg("-map 1:a -c:a copy"),
            None => input.join(picture).arg("-an"),
        }
    }

    /// The picture's arguments: but for the pass the same in both, or the second would not match the first.
    fn picture(&self, picture: &Picture, pass: Pass<'_>) -> Args {
        self.filtered(picture, "").join(self.codec().args(self.preset, pass, self.kit.runner.threads))
    }

    fn codec(&self) -> VideoCodec {
        self.kit.rules.codec
    }

    /// What every encoder is given: the filters, with `more` behind them, and the times of frames.
    fn filtered(&self, picture: &Picture, more: &str) -> Args {
        let mode = if picture.fps.is_some() { "cfr" } else { "vfr" };
        let fps = picture.fps.unwrap_or(self.video.fps);
        let keys = (fps * KEY_SECONDS).clamp(250.0, 720.0);
        Args::new()
            .arg(format!("-map 0:{} -sn -dn -vf", self.video.index))
            .one(format!("{}{more}", filters::chain(self.video, picture)))
            .arg(format!("-g {keys:.0} -fps_mode {mode}"))
    }
}
