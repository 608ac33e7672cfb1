//! What somebody wants made of a file, beyond what its platform offers: cut, muted, a GIF, in parts, smaller.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// What is wanted of every file of a request. The default wants nothing in particular.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct FitWish {
    /// The kind of sound file, where only the sound is wanted.
    pub audio_format: AudioFormat,
    /// Without sound.
    pub mute: bool,
    /// Only this part of it.
    pub trim: Option<Trim>,
    /// A GIF rather than a video.
    pub gif: bool,
    /// Several files without loss rather than one that is compressed.
    pub split: bool,
    /// How much time an encode may take.
    pub speed: Speed,
    /// Bytes wanted at the most, where that is less than the place takes.
    pub max_bytes: Option<u64>,
}

impl FitWish {
    /// Wishes that cannot come true together, named by what people call them. `audio_only`: only the sound is wanted.
    pub fn contradiction(&self, audio_only: bool) -> Option<Contradiction> {
        [
            (audio_only && self.mute, Contradiction("only the sound", "no sound")),
            (audio_only && self.gif, Contradiction("only the sound", "a GIF")),
            (self.gif && self.split, Contradiction("a GIF", "several parts")),
        ]
        .into_iter()
        .find_map(|(both, contradiction)| both.then_some(contradiction))
    }
}

/// Two wishes that cannot come true together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} and {1} don't go together: choose one of them")]
pub struct Contradiction(pub &'static str, pub &'static str);

/// A kind of sound file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioFormat {
    /// Whatever needs the least loss.
    #[default]
    Auto,
    /// MP3.
    Mp3,
    /// AAC in an M4A.
    M4a,
    /// Opus in an Ogg file.
    Opus,
}

impl AudioFormat {
    /// Every name, for help and choices.
    pub const NAMES: &[&str] = &["auto", "mp3", "m4a", "opus"];
}

impl FromStr for AudioFormat {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "auto" => AudioFormat::Auto,
            "mp3" => AudioFormat::Mp3,
            "m4a" | "aac" => AudioFormat::M4a,
            "opus" | "ogg" => AudioFormat::Opus,
            _ => return Err(UnknownWord { what: "audio format", word: text.to_owned(), names: Self::NAMES }),
        })
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AudioFormat::Auto => "auto",
            AudioFormat::Mp3 => "mp3",
            AudioFormat::M4a => "m4a",
            AudioFormat::Opus => "opus",
        })
    }
}

/// How long an encode may take, against how good it looks at the same size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speed {
    /// As soon as possible.
    Fast,
    /// As the operator has set it.
    #[default]
    Balanced,
    /// As good as possible.
    Best,
}

impl Speed {
    /// Every name, for help and choices.
    pub const NAMES: &[&str] = &["fast", "balanced", "best"];
}

impl FromStr for Speed {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "fast" => Speed::Fast,
            "balanced" => Speed::Balanced,
            "best" => Speed::Best,
            _ => return Err(UnknownWord { what: "speed", word: text.to_owned(), names: Self::NAMES }),
        })
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Speed::Fast => "fast",
            Speed::Balanced => "balanced",
            Speed::Best => "best",
        })
    }
}

/// A word that is none of those that stand for a choice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {word:?}: use one of {names}", names = names.join(", "))]
pub struct UnknownWord {
    /// What was to be chosen.
    pub what: &'static str,
    /// What was given.
    pub word: String,
    /// What may be given.
    pub names: &'static [&'static str],
}

/// A part of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trim {
    /// Where it begins, in milliseconds from the beginning.
    pub start_ms: u64,
    /// Where it ends, in milliseconds from the beginning. `None`: at the end.
    pub end_ms: Option<u64>,
}

impl Trim {
    /// The part between two moments. `None`: neither is given, so all of it is wanted.
    ///
    /// # Errors
    /// When it ends before it begins.
    pub fn between(start: Option<Moment>, end: Option<Moment>) -> Result<Option<Self>, EndsTooEarly> {
        let from = start.unwrap_or_default();
        match end {
            Some(end) if end <= from => Err(EndsTooEarly { start: from, end }),
            None if from == Moment::default() => Ok(None),
            end => Ok(Some(Self { start_ms: from.0, end_ms: end.map(|end| end.0) })),
        }
    }

    /// Where it begins.
    pub fn start(&self) -> Duration {
        Duration::from_millis(self.start_ms)
    }

    /// Where it ends, if not with the clip.
    pub fn end(&self) -> Option<Duration> {
        self.end_ms.map(Duration::from_millis)
    }
}

impl fmt::Display for Trim {
    /// `0:10 to 0:20`, `0:10 to the end`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end_ms {
            Some(end) => write!(f, "{} to {}", Moment(self.start_ms), Moment(end)),
            None => write!(f, "{} to the end", Moment(self.start_ms)),
        }
    }
}

/// The end of a part is not behind its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the end ({end}) must be after the start ({start})")]
pub struct EndsTooEarly {
    /// Where it was to begin.
    pub start: Moment,
    /// Where it was to end.
    pub end: Moment,
}

/// A time in a clip, in milliseconds from its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// No clip is longer than this: 100 hours.
const LATEST: u64 = 360_000_000;

/// A time that is not spelt in any of the usual ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time: write 90, 1:30, 1:02:03.5 or 1m30s")]
pub struct WrongTime(pub String);

impl FromStr for Moment {
    type Err = WrongTime;

    /// `90`, `1:30`, `1:02:03.5`, `1m30s`, `1h`, `250ms`.
    fn from_str(text: &str) -> Result<Self, WrongTime> {
        let wrong = || WrongTime(text.chars().take(40).collect());
        let trimmed = text.trim().to_ascii_lowercase();
        let seconds = if trimmed.contains(':') { clock(&trimmed) } else { units(&trimmed) };
        let milliseconds = (seconds.ok_or_else(wrong)? * 1000.0).round();
        // Checked before the conversion, which would saturate.
        if (0.0..=LATEST as f64).contains(&milliseconds) { Ok(Self(milliseconds as u64)) } else { Err(wrong()) }
    }
}

/// `1:30`, `1:02:03.5`.
fn clock(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    let (last, before) = parts.split_last()?;
    if before.len() > 2 {
        return None;
    }
    let mut seconds = 0.0;
    for (index, part) in before.iter().enumerate() {
        let whole = number(part).filter(|number| number.fract() == 0.0 && (index == 0 || *number < 60.0))?;
        seconds = (seconds + whole) * 60.0;
    }
    Some(seconds + number(last).filter(|number| *number < 60.0)?)
}

/// `90`, `1m30s`, `1.5h`: every unit at most once, from large to small; a bare number counts seconds.
fn units(text: &str) -> Option<f64> {
    if let Some(seconds) = number(text) {
        return Some(seconds);
    }
    let (mut rest, mut seconds, mut last) = (text, 0.0, f64::INFINITY);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (count, tail) = rest.split_at(end);
        let (unit, after) = [("ms", 0.001), ("h", 3600.0), ("min", 60.0), ("m", 60.0), ("s", 1.0)]
            .into_iter()
            .find_map(|(name, unit)| Some((unit, tail.strip_prefix(name)?)))?;
        if unit >= last {
            return None;
        }
        seconds += number(count)? * unit;
        (rest, last) = (after, unit);
    }
    (last < f64::INFINITY).then_some(seconds)
}

/// Digits with at most one point: what `f64` takes beyond that (`inf`, `1e9`, `-0`) is no time.
fn number(text: &str) -> Option<f64> {
    let plain = text.chars().all(|c| c.is_ascii_digit() || c == '.') && text.contains(|c: char| c.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Moment {
    /// `1:30`, `1:02:03.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, fraction) = (self.0 / 1000, self.0 % 1000);
        match seconds / 3600 {
            0 => write!(f, "{}:{:02}", seconds / 60, seconds % 60)?,
            hours => write!(f, "{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60)?,
        }
        match fraction {
            0 => Ok(()),
            fraction => write!(f, ".{}", format!("{fraction:03}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, milliseconds) in [
            ("0", 0),
            ("90", 90_000),
            ("2.5", 2500),
            ("1:30", 90_000),
            ("0:10", 10_000),
            ("90:00", 5_400_000),
            ("1:02:03.5", 3_723_500),
            ("1m30s", 90_000),
            ("1M30S", 90_000),
            ("2min", 120_000),
            ("1h2m3.25s", 3_723_250),
            ("250ms", 250),
            (" 45s ", 45_000),
        ] {
            assert_eq!(text.parse(), Ok(Moment(milliseconds)), "{text}");
        }
        for text in [
            "", "-1", ":", "1:", ":30", "1:60", "1:2:3:4", "1.5:30", "30s1m", "1m1m", "ten", "1e3", "inf", "1x",
            "101h", "1.2.3", ".",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for (milliseconds, text) in
            [(0, "0:00"), (10_000, "0:10"), (90_500, "1:30.5"), (3_723_050, "1:02:03.05"), (7, "0:00.007")]
        {
            assert_eq!(Moment(milliseconds).to_string(), text);
            assert_eq!(text.parse(), Ok(Moment(milliseconds)), "{text}");
        }
    }

    #[test]
    fn a_part_must_end_after_it_begins() {
        let (ten, twenty) = (Some(Moment(10_000)), Some(Moment(20_000)));
        let part = Trim::between(ten, twenty).unwrap().unwrap();
        assert_eq!((part.start_ms, part.end_ms, part.to_string()), (10_000, Some(20_000), "0:10 to 0:20".into()));
        assert_eq!(Trim::between(ten, None).unwrap().unwrap().to_string(), "0:10 to the end");
        assert_eq!(Trim::between(None, ten).unwrap().unwrap().start_ms, 0);
        assert_eq!(Trim::between(None, None), Ok(None));
        assert_eq!(Trim::between(Some(Moment(0)), None), Ok(None), "that is all of it");
        for (start, end) in [(twenty, ten), (ten, ten), (None, Some(Moment(0)))] {
            let told = Trim::between(start, end).unwrap_err().to_string();
            assert!(told.starts_with("the end (") && told.contains("must be after the start"), "{told}");
        }
    }

    #[test]
    fn every_name_is_read_back() {
        for name in AudioFormat::NAMES {
            assert_eq!(name.parse::<AudioFormat>().unwrap().to_string(), *name);
        }
        for name in Speed::NAMES {
            assert_eq!(name.parse::<Speed>().unwrap().to_string(), *name);
        }
        assert!("wav".parse::<AudioFormat>().unwrap_err().to_string().contains("auto, mp3, m4a, opus"));
        assert!("slow".parse::<Speed>().unwrap_err().to_string().contains("fast, balanced, best"));
    }

    #[test]
    fn wishes_survive_a_round_trip_and_old_ones_are_still_read() {
        let wish = FitWish {
            audio_format: AudioFormat::Opus,
            mute: true,
            trim: Some(Trim { start_ms: 1500, end_ms: None }),
            speed: Speed::Best,
            max_bytes: Some(5),
            ..FitWish::default()
        };
        let json = serde_json::to_string(&wish).unwrap();
        assert_eq!(serde_json::from_str::<FitWish>(&json).unwrap(), wish);
        assert_eq!(serde_json::from_str::<FitWish>("{}").unwrap(), FitWish::default());
    }

    #[test]
    fn what_cannot_be_together_is_named() {
        let gif = FitWish { gif: true, ..FitWish::default() };
        assert_eq!(gif.contradiction(false), None);
        let told = gif.contradiction(true).unwrap().to_string();
        assert_eq!(told, "only the sound and a GIF don't go together: choose one of them");
        assert!(FitWish { split: true, ..gif }.contradiction(false).is_some());
        assert!(FitWish { mute: true, ..FitWish::default() }.contradiction(true).is_some());
    }
}
