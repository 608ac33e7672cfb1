//! The flags that say what is to be made of files: the same for `fetch` and `fit`.

use crate::model::{AudioFormat, FitWish, Moment, Options, Quality, Speed, Trim};

/// What is to be made of the files.
#[derive(Debug, clap::Args)]
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
