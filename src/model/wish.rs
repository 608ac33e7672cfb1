//! What somebody wants made of a file, beyond what its platform offers: cut, muted, a GIF, in parts, smaller.

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

/// A part of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trim {
    /// Where it begins, in milliseconds from the beginning.
    pub start_ms: u64,
    /// Where it ends, in milliseconds from the beginning. `None`: at the end.
    pub end_ms: Option<u64>,
}
