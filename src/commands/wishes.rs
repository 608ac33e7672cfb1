//! The flags that say what is to be made of files: the same for `fetch`, `batch` and `fit`.

use std::{fmt::Display, str::FromStr};

use crate::model::{AudioFormat, FitWish, Moment, Options, Quality, Speed, Trim};

/// What is to be made of the files.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "What is made of the files")]
pub(super) struct Wishes {
    /// The best picture wanted: best, 4K, 1440p, 1080p, 720p, 480p, 360p or worst
    #[arg(long, default_value = "best")]
    quality: Quality,

    /// The sound only
    #[arg(long)]
    audio_only: bool,

    /// The sound only, as auto (whatever loses least), mp3, m4a or opus
    #[arg(long, value_name = "FORMAT")]
    audio_format: Option<AudioFormat>,

    /// Without sound
    #[arg(long)]
    mute: bool,

    /// Where to begin: 90, 1:30, 1:02:03.5 or 1m30s
    #[arg(long, value_name = "TIME")]
    start: Option<Moment>,

    /// Where to end, counted from the beginning of the whole clip
    #[arg(long, value_name = "TIME")]
    end: Option<Moment>,

    /// A GIF instead of a video
    #[arg(long)]
    gif: bool,

    /// Parts without loss, each under the limit, instead of one compressed file
    #[arg(long)]
    split: bool,

    /// How long encoding may take against how good it looks: fast, balanced or best
    #[arg(long, default_value = "balanced")]
    speed: Speed,
}

impl Wishes {
    /// What [`Wishes::set`] knows.
    pub(super) const NAMES: [&str; 9] =
        ["quality", "audio_only", "audio_format", "mute", "start", "end", "gif", "split", "speed"];

    /// Changes one wish by its name, which is that of the flag with `_` for `-`. `None`: there is no such wish.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Option<Result<(), String>> {
        Some(match name {
            "quality" => read(value).map(|quality| self.quality = quality),
            "audio_only" => yes_or_no(value).map(|yes| self.audio_only = yes),
            "audio_format" => read(value).map(|format| self.audio_format = Some(format)),
            "mute" => yes_or_no(value).map(|yes| self.mute = yes),
            "start" => read(value).map(|moment| self.start = Some(moment)),
            "end" => read(value).map(|moment| self.end = Some(moment)),
            "gif" => yes_or_no(value).map(|yes| self.gif = yes),
            "split" => yes_or_no(value).map(|yes| self.split = yes),
            "speed" => read(value).map(|speed| self.speed = speed),
            _ => return None,
        })
    }

    /// As the rooms below know them.
    ///
    /// # Errors
    /// What makes no sense together.
    pub(super) fn options(&self) -> Result<Options, String> {
        let fit = FitWish {
            audio_format: self.audio_format.unwrap_or_default(),
            mute: self.mute,
            trim: Trim::between(self.start, self.end).map_err(|error| error.to_string())?,
            gif: self.gif,
            split: self.split,
            speed: self.speed,
            max_bytes: None,
        };
        let audio_only = self.audio_only || self.audio_format.is_some();
        match fit.contradiction(audio_only) {
            Some(contradiction) => Err(contradiction.to_string()),
            None => Ok(Options { quality: self.quality, audio_only, fit, ..Options::default() }),
        }
    }
}

fn read<T: FromStr<Err: Display>>(value: &str) -> Result<T, String> {
    // An empty quality would be the best one: in a list it is a value that was forgotten.
    if value.trim().is_empty() { Err("there is no value".to_owned()) } else { value.parse().map_err(told) }
}

fn told(error: impl Display) -> String {
    error.to_string()
}

/// A switch in a list of links.
pub(super) fn yes_or_no(value: &str) -> Result<bool, String> {
    match value.trim() {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        other => Err(format!("{other:?} is neither true nor false")),
    }
}
