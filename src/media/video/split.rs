//! Parts instead of loss: the file is cut between keyframes and copied, so that each part plays by itself and is under
//! the limit.
//!
//! Where to cut is decided from the list of packets, which ffprobe writes a line each: what stands between two keyframes
//! cannot be parted, the sound of the same time goes along, and tables are counted.

use std::path::PathBuf;

use crate::{
    media::{
        FitTarget,
        ffmpeg::Ended,
        fit::Fit,
        plan,
        probe::Probe,
        video::budget::Rules,
        work::{Kit, Share, Source, size},
    },
    model::{AudioFormat, Result},
};

/// More parts than this nobody wants to click through.
const MAX_PARTS: usize = 10;
/// Shares of the limit to fill: the second when parts of the first came out too large.
const FILLS: [f64; 2] = [0.98, 0.93];
/// Bytes of an mp4 once, and for each packet, beyond the packets.
const BASE: u64 = 4096;
const PACKET: u64 = 24;
/// Seconds of sound that are kept together where there is no picture.
const SOUND_STEP: f64 = 0.5;
/// What is not parted further: more would not fit into memory, and no sane file has as many.
const MAX_UNITS: usize = 1_000_000;
const WHOLE: Share = Share { from: 0.0, to: 0.96 };

/// What stays together: from one keyframe to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Unit {
    /// Seconds.
    start: f64,
    /// With tables.
    bytes: u64,
}

/// Into how many parts such a file goes, before its packets are known. `None`: it would be encoded.
pub(in crate::media) fn foreseen(probe: &Probe, rules: &Rules, audio_only: bool) -> Option<usize> {
    form(probe, rules, audio_only)?;
    let room = rules.limit?.saturating_sub(BASE) as f64 * FILLS[0];
    // Cuts only go where keyframes are, so parts are seldom full.
    let parts = (probe.size as f64 * 1.03 / room.max(1.0)).ceil() as usize;
    (parts <= MAX_PARTS).then_some(parts)
}

/// How parts are written.
struct Form {
    extension: &'static str,
    muxer: &'static str,
    options: &'static str,
}

/// Parts of the file, or `None` with a warning when it cannot be parted without loss.
pub(in crate::media) async fn split(fit: &Fit<'_>, kit: &Kit<'_>, limit: u64) -> Result<Option<Vec<PathBuf>>> {
    let refuse = |why: &str| {
        kit.notes.warn(format!("it could not be split without loss ({why}): it was compressed instead"));
        Ok(None)
    };
    let Some(form) = form(kit.probe, &kit.rules, fit.target.audio_only) else {
        return refuse("its format doesn't play in parts");
    };
    let mut lines = Units::of(kit.probe, fit.target.audio_only);
    let read = kit.runner.packets(&kit.source.path, kit.work, &mut |line| lines.read(line), kit.cancel).await?;
    if let Err(error) = read {
        tracing::debug!(%error, "packets cannot be listed");
        return refuse("it is damaged");
    }
    let units = lines.finish();
    for fill in FILLS {
        let room = (limit as f64 * fill) as u64;
        let Some(cuts) = cuts(&units, room.saturating_sub(BASE)) else {
            return refuse("a scene alone is over the limit");
        };
        if cuts.len() + 1 > MAX_PARTS {
            return refuse(&format!("it would be more than {MAX_PARTS} parts"));
        }
        match write(kit, &form, &cuts).await? {
            Ended::Well(_) => {}
            Ended::TooBig => continue,
            Ended::Badly(error) => {
                tracing::debug!(%error, "parts cannot be written");
                return refuse("it is damaged");
            }
        }
        let (mut parts, mut fits) = (Vec::new(), true);
        for number in 0..=cuts.len() {
            let path = kit.work.join(format!("part-{number:03}.{}", form.extension));
            let written = size(&path).await;
            fits &= written > 0 && written <= limit;
            parts.push(path);
        }
        if fits && complete(fit, kit, &parts).await? {
            return Ok(Some(parts));
        }
        tracing::info!(fill, "parts did not come out as planned");
    }
    refuse("its parts come out too large")
}

/// Whether the parts hold all of it: each begins with something to see or hear, and they are as long as the whole.
async fn complete(fit: &Fit<'_>, kit: &Kit<'_>, parts: &[PathBuf]) -> Result<bool> {
    let mut seconds = 0.0;
    for part in parts {
        let Ok(probe) = fit.media.probe(&Source::file(part), kit.work, kit.cancel).await else { return Ok(false) };
        if probe.video.is_some() != (kit.probe.video.is_some() && !fit.target.audio_only) {
            return Ok(false);
        }
        seconds += probe.duration.unwrap_or(0.0);
    }
    let whole = kit.seconds();
    Ok((seconds - whole).abs() <= (whole * 0.02).max(0.2 * parts.len() as f64))
}

/// How parts of such a file are written. `None`: it has to be encoded to play.
fn form(probe: &Probe, rules: &Rules, audio_only: bool) -> Option<Form> {
    // What was cut elsewhere would have to begin between keyframes.
    if probe.cut {
        return None;
    }
    match (&probe.video, &probe.audio) {
        (Some(video), sound) if !audio_only => (plan::video_plays(video, rules.codec)
            && !rules.wants_smaller(video)
            && sound.as_ref().is_none_or(plan::audio_plays))
        .then_some(Form { extension: "mp4", muxer: "mp4", options: "movflags=+faststart" }),
        (_, Some(audio)) if plan::audio_plays(audio) => {
            Some(Form { extension: "m4a", muxer: "ipod", options: "movflags=+faststart" })
        }
        (_, Some(audio)) if audio.codec == "mp3" => {
            Some(Form { extension: "mp3", muxer: "mp3", options: "write_xing=1" })
        }
        _ => None,
    }
}

/// Copies picture and sound into parts that begin at `cuts`, in the working folder.
async fn write(kit: &Kit<'_>, form: &Form, cuts: &[f64]) -> Result<Ended> {
    let mut args = kit.input();
    if form.extension == "mp4" {
        for index in kit.probe.wanted() {
            args = args.arg(format!("-map 0:{index}"));
        }
    } else if let Some(audio) = &kit.probe.audio {
        args = args.arg(format!("-map 0:{}", audio.index));
    }
    args = args.arg("-c copy -sn -dn -map_metadata -1 -map_chapters -1 -f segment -reset_timestamps 1");
    if cuts.is_empty() {
        args = args.arg("-segment_time 1000000");
    } else {
        let times: Vec<String> = cuts.iter().map(|seconds| format!("{seconds:.6}")).collect();
        args = args.arg("-segment_times").one(times.join(",")).arg("-segment_time_delta 0.002");
    }
    let args = args
        .arg(format!("-segment_format {} -segment_format_options {}", form.muxer, form.options))
        // A pattern, so not a path: folders may have a percent sign in their names.
        .one(format!("part-%03d.{}", form.extension));
    kit.run(args, kit.file_cap(), WHOLE).await
}

/// Reads ffprobe's lines: `stream,seconds,bytes,flags`.
struct Units {
    /// The stream whose keyframes count; of sound alone every packet could begin a part.
    video: Option<usize>,
    audio: Option<usize>,
    units: Vec<Unit>,
    /// Bytes of sound by its time, in steps.
    sound: Vec<u64>,
    start: Option<f64>,
}

impl Units {
    fn of(probe: &Probe, audio_only: bool) -> Self {
        Self {
            video: probe.video.as_ref().filter(|_| !audio_only).map(|video| video.index),
            audio: probe.audio.as_ref().map(|audio| audio.index),
            units: Vec::new(),
            sound: Vec::new(),
            start: None,
        }
    }

    fn read(&mut self, line: &str) {
        let mut fields = line.trim_end_matches(',').split(',');
        let stream = fields.next().and_then(|field| field.parse::<usize>().ok());
        let seconds = fields.next().and_then(|field| field.parse::<f64>().ok()).filter(|seconds| seconds.is_finite());
        let bytes = fields.next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0) + PACKET;
        let key = fields.next().is_some_and(|flags| flags.contains('K'));
        if stream.is_some() && stream == self.video {
            let room = self.units.len() < MAX_UNITS;
            if let Some(start) = seconds.filter(|_| key && room) {
                self.units.push(Unit { start, bytes });
            } else if let Some(unit) = self.units.last_mut() {
                unit.bytes += bytes;
            }
        } else if stream.is_some() && stream == self.audio {
            let Some(seconds) = seconds else { return };
            let start = *self.start.get_or_insert(seconds);
            let step = ((seconds - start).max(0.0) / SOUND_STEP) as usize;
            if step < MAX_UNITS {
                if self.sound.len() <= step {
                    self.sound.resize(step + 1, 0);
                }
                if let Some(sum) = self.sound.get_mut(step) {
                    *sum += bytes;
                }
            }
        }
    }

    /// What stays together, each with the sound of its time.
    fn finish(self) -> Vec<Unit> {
        let start = self.start.unwrap_or(0.0);
        let sound = self
            .sound
            .iter()
            .enumerate()
            .map(|(step, bytes)| Unit { start: start + step as f64 * SOUND_STEP, bytes: *bytes });
        if self.video.is_none() {
            return sound.collect();
        }
        let mut units = self.units;
        units.sort_by(|one, other| one.start.total_cmp(&other.start));
        for step in sound {
            let after = units.partition_point(|unit| unit.start <= step.start);
            if let Some(unit) = units.get_mut(after.saturating_sub(1)) {
                unit.bytes += step.bytes;
            }
        }
        units
    }
}

/// Where the second part and the following begin. `None`: a unit alone is too large, or there is nothing.
fn cuts(units: &[Unit], room: u64) -> Option<Vec<f64>> {
    if units.is_empty() || units.iter().any(|unit| unit.bytes > room) {
        return None;
    }
    let (mut cuts, mut bytes) = (Vec::new(), 0_u64);
    for unit in units {
        if bytes > 0 && bytes + unit.bytes > room {
            cuts.push(unit.start);
            bytes = 0;
        }
        bytes += unit.bytes;
    }
    Some(cuts)
}

/// The limit that parts are wanted under, where they are wanted of this file. `always`: the operator prefers parts.
pub(in crate::media) fn wanted(probe: &Probe, target: &FitTarget, always: bool) -> Option<u64> {
    let any_kind = target.wish.audio_format == AudioFormat::Auto;
    let wanted = (target.wish.split || always) && any_kind && !target.wish.gif;
    let limit = target.max_bytes.filter(|limit| wanted && probe.size > *limit)?;
    // A part of a few frames is none.
    (limit > BASE * 4).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::probe::{Audio, Video};

    fn units(bytes: &[u64]) -> Vec<Unit> {
        bytes.iter().enumerate().map(|(second, bytes)| Unit { start: second as f64, bytes: *bytes }).collect()
    }

    #[test]
    fn parts_are_filled_in_order_and_never_over() {
        assert_eq!(cuts(&units(&[30, 30, 30, 30, 30]), 100), Some(vec![3.0]));
        assert_eq!(cuts(&units(&[100, 100]), 100), Some(vec![1.0]));
        assert_eq!(cuts(&units(&[10, 101, 10]), 100), None, "a scene alone is too large");
        assert_eq!(cuts(&units(&[10]), 100), Some(vec![]));
        assert_eq!(cuts(&[], 100), None);
    }

    #[test]
    fn packets_become_units_with_the_sound_of_their_time() {
        let probe = Probe {
            video: Some(Video { index: 0, ..Video::default() }),
            audio: Some(Audio { index: 1, ..Audio::default() }),
            ..Probe::default()
        };
        let lines = [
            "0,0.000000,1000,K_",
            "1,0.000000,100,K_",
            "0,0.080000,500,__",
            "0,0.040000,10,__,",
            "1,0.900000,100,K_",
            "2,0.0,99999,K_",
            "0,1.000000,2000,K_",
            "1,1.600000,50,K_",
            "0,N/A,7,__",
            "nonsense",
        ];
        let mut listed = Units::of(&probe, false);
        lines.iter().for_each(|line| listed.read(line));
        let found: Vec<(f64, u64)> = listed.finish().iter().map(|unit| (unit.start, unit.bytes)).collect();
        assert_eq!(found, [(0.0, 1510 + 200 + 5 * PACKET), (1.0, 2007 + 50 + 3 * PACKET)]);
        let mut alone = Units::of(&probe, true);
        lines.iter().for_each(|line| alone.read(line));
        assert_eq!(alone.finish().len(), 4, "steps of half a second");
    }
}
