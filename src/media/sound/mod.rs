//! Makes sound files: copies what players know into a file of its own kind, encodes the rest; tags and cover go along.
//!
//! ```text
//! plan  keep · copy · FLAC where nothing was lost yet · AAC with room, Opus without; or what was asked for
//! rate  kilobits, channels, samples that fit
//! label tags and cover, from the source or the post
//! ```

mod format;
mod label;
mod plan;
mod rate;
mod tags;

use std::{path::Path, time::Instant};

use self::label::Label;
pub use self::tags::Tags;
pub(in crate::media) use self::{format::Format, plan::plan, rate::Encode};
use super::{
    ffmpeg::{Args, Ended},
    probe::Audio,
    video::budget::DELAY,
    work::{Kit, Made, Share, size},
};
use crate::model::Result;

/// Encodes at a corrected rate after the first.
const RETRIES: usize = 5;
/// From this one on Opus gets a constant rate: its variable one has steps on some sounds.
const STEADY: usize = 2;
/// An encode that took so many seconds is not repeated to fill what little room is left.
const SLOW_SECONDS: f64 = 20.0;
/// See [`SLOW_SECONDS`].
const NEARLY_FILLED: f64 = 0.9;
/// A file that fills less of its room is encoded once more, where more bits would be heard.
const FILLED: f64 = 0.97;
/// The share of the room that a corrected encode aims at.
const AIM: f64 = 0.99;
/// Sound at fewer kilobits a second gives none of them to a cover.
const COVER_KBPS: f64 = 64.0;
/// More channels have no order that ffmpeg knows how to mix.
const MIXED_CHANNELS: u32 = 8;
const WHOLE: Share = Share { from: 0.0, to: 0.96 };

/// Copies the sound into a file of its own kind, with as much of a label as fits.
pub(in crate::media) async fn copy(kit: &Kit<'_>, audio: &Audio, format: Format, tags: &Tags) -> Result<Made> {
    let out = kit.work.join("copy").with_extension(format.extension());
    let cover = Label::of(kit, tags, format, true).await?;
    let plain = Label::of(kit, tags, format, false).await?;
    let mut labels = vec![cover, plain, Label::default()];
    labels.dedup();
    let mut last = Made::Over;
    for label in labels {
        let args = run(kit, audio, &label, format, Args::new().arg("-c:a copy"), &out);
        last = kit.make(args, out.clone(), WHOLE).await?;
        if !matches!(last, Made::Over) {
            break;
        }
    }
    Ok(last)
}

/// Encodes the sound so that it fills the limit, but not below what the operator allows by more than a tenth.
pub(in crate::media) async fn encode(kit: &Kit<'_>, audio: &Audio, encode: Encode, tags: &Tags) -> Result<Made> {
    let format = encode.format;
    kit.notes.with(|report| report.preset = Some(format.encoder().to_owned()));
    let label = Label::of(kit, tags, format, encode.kbps >= COVER_KBPS).await?;
    let out = kit.work.join("sound").with_extension(format.extension());
    let best = kit.work.join("best").with_extension(format.extension());
    let limit = kit.rules.limit.unwrap_or(u64::MAX);
    // The room that is left for sound: rates are corrected by it, so that a cover doesn't count as sound.
    let room = limit.saturating_sub(label.bytes).max(1) as f64;
    let least = f64::from(kit.rules.min_audio_kbps) * 0.9;
    let mut kbps = encode.kbps;
    if kbps < encode.most && limit > 0 {
        kbps = (kbps * room / limit as f64).max(least);
    }
    let (mut filled, mut fits, mut over) = (0, 0.0, f64::INFINITY);
    let first = kbps;
    for attempt in 0..=RETRIES {
        let began = Instant::now();
        let steady = attempt >= STEADY && format == Format::Ogg;
        let args = run(kit, audio, &label, format, codec(audio, &Encode { kbps, ..encode }, steady), &out);
        kit.notes.attempt();
        let written = match kit.run(args, kit.file_cap(), WHOLE).await? {
            Ended::Well(_) => size(&out).await,
            Ended::TooBig => kit.file_cap(),
            Ended::Badly(error) if filled == 0 => return Ok(Made::Failed(error)),
            Ended::Badly(_) => break,
        };
        if written == 0 {
            break;
        }
        if kit.fits(written) {
            fits = kbps;
            if written > filled {
                tokio::fs::rename(&out, &best).await?;
                filled = written;
            }
            let enough = if began.elapsed().as_secs_f64() > SLOW_SECONDS { NEARLY_FILLED } else { FILLED };
            if kbps >= encode.most || written as f64 >= limit as f64 * enough {
                break;
            }
        } else {
            over = kbps;
            if !kbps.is_finite() {
                break;
            }
        }
        if format == Format::Ogg && attempt + 1 == STEADY {
            (kbps, fits, over) = (first, 0.0, f64::INFINITY);
            continue;
        }
        let sound = written.saturating_sub(label.bytes).max(1) as f64;
        let mut next = (kbps * room * AIM / sound).min(encode.most);
        if next <= fits || next >= over {
            // Encoders don't follow their rate exactly, least of all at the ends of what they can do.
            next = (fits + over.min(encode.most)) / 2.0;
        }
        if next < least || (next - kbps).abs() < kbps * 0.002 {
            break;
        }
        tracing::debug!(attempt, kbps, written, limit, next, "sound is encoded at a corrected rate");
        kbps = next;
    }
    Ok(if filled > 0 { Made::File(best) } else { Made::Over })
}

/// One run that makes a sound file.
fn run(kit: &Kit<'_>, audio: &Audio, label: &Label, format: Format, codec: Args, out: &Path) -> Args {
    let args = label.inputs(kit.input()).arg(format!("-map 0:{} -sn -dn", audio.index)).join(codec);
    label.outputs(args).join(format.muxer()).path(out)
}

/// The encoder's arguments.
fn codec(audio: &Audio, encode: &Encode, steady: bool) -> Args {
    let Encode { format, kbps, channels, rate, .. } = *encode;
    let args =
        Args::new().arg("-af").one(chain(audio)).arg(format!("-c:a {} -ac {channels} -ar {rate}", format.encoder()));
    match format {
        Format::Flac => args.arg("-compression_level 8"),
        Format::Mp3 => args.arg(format!("-abr 1 -b:a {:.0}", kbps * 1000.0)),
        Format::M4a => args.arg(format!("-b:a {:.0}", kbps * 1000.0)),
        // Free variable rates miss their mark by up to a quarter.
        Format::Ogg => {
            let vbr = if steady { "off" } else { "constrained" };
            args.arg(format!("-vbr {vbr} -b:a {:.0}", kbps.max(6.0) * 1000.0))
        }
    }
}

/// What is done to sound before it is encoded. Silence is put before sound that starts late, and into gaps: sound and
/// picture then share their zero. ffmpeg itself would keep the delay for some containers and lose it for others
/// (transport streams).
pub(in crate::media) fn chain(audio: &Audio) -> String {
    let mut chain = "asetpts=PTS-STARTPTS".to_owned();
    if audio.channels > MIXED_CHANNELS {
        chain.push_str(",pan=stereo|c0=c0|c1=c1");
    }
    if audio.delay >= DELAY {
        chain.push_str(&format!(",adelay={:.0}:all=1", audio.delay * 1000.0));
    }
    chain.push_str(",aresample=async=1:first_pts=0");
    chain
}
