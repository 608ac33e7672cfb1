//! What somebody wants of a video or sound, written into what was found out about it: planning and encoding then follow
//! as if the file had been so from the beginning.
//!
//! - **mute**: the sound is one of the streams that nobody wants.
//! - **trim**: the demuxer starts and stops where it was said; lengths and sizes follow. What is cut is encoded, since a
//!   copy can only begin at a keyframe.
//! - **quality**: the picture has at most that many lines; one that has fewer is left alone.

use super::{Examined, target::Notes};
use crate::model::{Error, FitWish, Kind, Moment, Quality, Result, Trim};

/// Lines of the smallest picture that is still worth choosing by name.
const WORST: u32 = 360;
/// Seconds a GIF may have: it takes about ten times the bytes of a video.
const MAX_GIF: f64 = 15.0;
/// Seconds by which two lengths may differ and still be the same: no clip has a frame shorter than this.
const SAME: f64 = 0.004;

/// Writes the wishes into `examined`.
///
/// # Errors
/// `cannot_fit` for a part that the file does not have, and for what it lacks.
pub(super) fn apply(examined: &Examined, wish: &FitWish, audio_only: bool, notes: &Notes) -> Result<Examined> {
    let mut examined = examined.clone();
    let moving = examined.probe.video.is_some();
    if let Some(trim) = wish.trim {
        cut(&mut examined, trim, notes)?;
    }
    if audio_only {
        return Ok(examined);
    }
    if wish.gif {
        if !moving {
            return Err(lacks("it has no picture to make a GIF of"));
        }
        shorten(&mut examined, notes)?;
    }
    if wish.mute && !moving && examined.probe.audio.is_some() {
        return Err(lacks("without its sound nothing of it would be left"));
    }
    if (wish.mute || wish.gif) && examined.probe.audio.take().is_some() {
        // A stream of the file all the same: it is not good as it is.
        examined.probe.others += 1;
        examined.outline = None;
    }
    Ok(examined)
}

/// Lines the short side may have at the most.
pub(super) fn most_lines(quality: Quality) -> Option<u32> {
    match quality {
        Quality::Best => None,
        Quality::Worst => Some(WORST),
        Quality::Height(lines) => Some(lines),
    }
}

fn lacks(detail: &str) -> Error {
    Error::new(Kind::CannotFit, detail).with_detail(detail)
}

/// Keeps the beginning of what is too long for a GIF.
fn shorten(examined: &mut Examined, notes: &Notes) -> Result<()> {
    if examined.probe.duration.is_some_and(|seconds| seconds > MAX_GIF + SAME) {
        let (start, _) = examined.source.window.unwrap_or_default();
        let end = start + MAX_GIF;
        notes.warn(format!("a GIF has at most {MAX_GIF:.0} seconds: this is the beginning"));
        set_part(examined, start, end)?;
    }
    Ok(())
}

/// Keeps one part.
fn cut(examined: &mut Examined, trim: Trim, notes: &Notes) -> Result<()> {
    let Some(whole) = examined.probe.duration else { return Ok(()) };
    let length = Moment((whole * 1000.0).round().max(0.0) as u64);
    let start = trim.start().as_secs_f64();
    if start + SAME >= whole {
        let detail = format!("it is only {length} long, so there is nothing from {trim}");
        return Err(Error::new(Kind::CannotFit, &detail).with_detail(detail));
    }
    let end = match trim.end() {
        Some(end) if end.as_secs_f64() > whole + SAME => {
            // Rounded to whole seconds as players show it, nobody means to ask for more than there is.
            if end.as_secs_f64() > whole.ceil() {
                notes.warn(format!("it is only {length} long: the part ends there"));
            }
            whole
        }
        Some(end) => end.as_secs_f64(),
        None => whole,
    };
    if start <= 0.0 && end + SAME >= whole {
        return Ok(());
    }
    set_part(examined, start, end)
}

/// Reads the file from `start` to `end`, in seconds from its beginning.
fn set_part(examined: &mut Examined, start: f64, end: f64) -> Result<()> {
    let (before, whole) = match (examined.source.window, examined.probe.duration) {
        (part, Some(whole)) => (part.map_or(0.0, |(start, _)| start), whole),
        (_, None) => return Err(Error::internal("a part of a file whose length is unknown")),
    };
    let length = end - start;
    examined.source.window = Some((start, length));
    examined.outline = None;
    let probe = &mut examined.probe;
    probe.cut = true;
    let share = (length / whole.max(length)).clamp(0.0, 1.0);
    probe.size = (probe.size as f64 * share).ceil() as u64;
    probe.duration = Some(length);
    let skipped = start - before;
    if let Some(video) = &mut probe.video {
        // What started late may have started by then.
        video.duration = video.duration.map(|seconds| (seconds - (skipped - video.delay).max(0.0)).clamp(0.0, length));
        video.delay = (video.delay - skipped).max(0.0);
        video.frames = video.frames.map(|frames| (frames as f64 * share).ceil() as u64);
    }
    if let Some(audio) = &mut probe.audio {
        audio.delay = (audio.delay - skipped).max(0.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        probe::{Audio, Probe, Video},
        work::Source,
    };

    fn clip(seconds: f64) -> Examined {
        let video = Video { duration: Some(seconds), delay: 0.5, frames: Some(250), ..Video::default() };
        let audio = Audio { channels: 2, ..Audio::default() };
        let probe =
            Probe { duration: Some(seconds), size: 1000, video: Some(video), audio: Some(audio), ..Probe::default() };
        Examined { source: Source::file(std::path::Path::new("clip")), probe, outline: None }
    }

    fn part(start_ms: u64, end_ms: impl Into<Option<u64>>) -> FitWish {
        FitWish { trim: Some(Trim { start_ms, end_ms: end_ms.into() }), ..FitWish::default() }
    }

    fn applied(seconds: f64, wish: FitWish) -> Result<(Examined, Vec<String>)> {
        let notes = Notes::default();
        let examined = apply(&clip(seconds), &wish, false, &notes)?;
        Ok((examined, notes.report().warnings))
    }

    #[test]
    fn a_part_changes_everything_that_goes_by_length() {
        let (cut, warnings) = applied(10.0, part(2000, 4500)).unwrap();
        assert_eq!(cut.source.window, Some((2.0, 2.5)));
        assert_eq!((cut.probe.duration, cut.probe.size, cut.probe.cut), (Some(2.5), 250, true));
        let video = cut.probe.video.unwrap();
        assert_eq!((video.duration, video.delay, video.frames), (Some(2.5), 0.0, Some(63)));
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn what_lies_outside_is_named_and_all_of_it_is_no_part() {
        let error = applied(10.0, part(10_000, 12_000)).err().unwrap();
        assert_eq!(error.code(), "cannot_fit");
        assert!(error.user_text().contains("it is only 0:10 long"), "{}", error.user_text());
        let (whole, warnings) = applied(9.96, part(0, 10_000)).unwrap();
        assert!(!whole.probe.cut && whole.source.window.is_none() && warnings.is_empty(), "{warnings:?}");
        let (cut, warnings) = applied(10.0, part(4000, 60_000)).unwrap();
        assert_eq!(cut.source.window, Some((4.0, 6.0)));
        assert_eq!(warnings, ["it is only 0:10 long: the part ends there"]);
    }

    #[test]
    fn a_gif_keeps_the_beginning_of_the_part_that_was_chosen() {
        let (gif, warnings) = applied(60.0, FitWish { gif: true, ..part(5000, None) }).unwrap();
        assert_eq!((gif.source.window, gif.probe.duration), (Some((5.0, 15.0)), Some(15.0)));
        assert!(gif.probe.audio.is_none() && warnings.len() == 1, "{warnings:?}");
    }

    #[test]
    fn sound_is_taken_away_and_nothing_else() {
        let mute = FitWish { mute: true, ..FitWish::default() };
        let (muted, _) = applied(10.0, mute).unwrap();
        assert!(muted.probe.audio.is_none() && muted.probe.others == 1 && !muted.probe.cut);
        let mut sound = clip(10.0);
        sound.probe.video = None;
        let error = apply(&sound, &mute, false, &Notes::default()).err().unwrap();
        assert!(error.user_text().contains("nothing of it would be left"));
    }

    #[test]
    fn a_quality_by_name_limits_the_lines() {
        for (quality, lines) in [(Quality::Best, None), (Quality::Worst, Some(360)), (Quality::Height(720), Some(720))]
        {
            assert_eq!(most_lines(quality), lines);
        }
    }
}
