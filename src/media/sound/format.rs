//! The kinds of sound file that Discord plays inline, and what can go into each.

use crate::{media::ffmpeg::Args, model::AudioFormat};

/// A kind of sound file that is made. WAV plays, too, and is only ever kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) enum Format {
    /// MP3.
    Mp3,
    /// AAC in an mp4 that calls itself M4A.
    M4a,
    /// Opus or Vorbis in Ogg. Discord's own voice messages are Opus in Ogg, so every client plays it.
    Ogg,
    /// FLAC: no loss.
    Flac,
}

impl Format {
    /// The kind of file that a codec can be copied into.
    pub(super) fn of(codec: &str, profile: &str) -> Option<Self> {
        match codec {
            "mp3" => Some(Format::Mp3),
            // HE-AAC plays wherever LC does; the others (Main, LTP, xHE-AAC) don't.
            "aac" if matches!(profile, "" | "LC" | "HE-AAC" | "HE-AACv2") => Some(Format::M4a),
            "opus" | "vorbis" => Some(Format::Ogg),
            "flac" => Some(Format::Flac),
            _ => None,
        }
    }

    /// What somebody asked for. `None`: anything.
    pub(super) fn wanted(wish: AudioFormat) -> Option<Self> {
        match wish {
            AudioFormat::Auto => None,
            AudioFormat::Mp3 => Some(Format::Mp3),
            AudioFormat::M4a => Some(Format::M4a),
            AudioFormat::Opus => Some(Format::Ogg),
        }
    }

    /// ffmpeg's encoder.
    pub(super) fn encoder(self) -> &'static str {
        match self {
            Format::Mp3 => "libmp3lame",
            Format::M4a => "aac",
            Format::Ogg => "libopus",
            Format::Flac => "flac",
        }
    }

    /// The file's extension, by which ffmpeg tells it apart in our own folders.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Format::Mp3 => "mp3",
            Format::M4a => "m4a",
            Format::Ogg => "ogg",
            Format::Flac => "flac",
        }
    }

    /// Arguments of the muxer.
    pub(super) fn muxer(self) -> Args {
        Args::new().arg(match self {
            // Version 3 of ID3v2 is what everybody reads.
            Format::Mp3 => "-id3v2_version 3 -f mp3",
            Format::M4a => "-movflags +faststart -f ipod",
            Format::Ogg => "-f ogg",
            Format::Flac => "-f flac",
        })
    }
}
