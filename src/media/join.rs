//! Putting together what came apart, without re-encoding: picture and sound, and the pieces of a stream.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    Media,
    ffmpeg::{Args, Ended, Run},
    probe::{Probe, Video},
    scratch,
    work::{self, Source},
};
use crate::model::{Error, Kind, Result};

/// Seconds a mux may take, and one more for this many bytes.
const MUX_SECONDS: u64 = 120;
/// See [`MUX_SECONDS`].
const MUX_BYTES_A_SECOND: u64 = 4 << 20;

impl Media {
    /// Joins a picture and a sound file without re-encoding, as an mp4 (Matroska for codecs that mp4 does not know). Only
    /// sound that mp4 players don't know is encoded.
    ///
    /// # Errors
    /// `platform_changed` when they are not what they should be, `tool_failed` when ffmpeg cannot join them.
    pub async fn mux(&self, video: &Path, audio: &Path, out: &Path, cancel: &CancellationToken) -> Result<()> {
        // Beside the result, so that it can be moved into place.
        let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let scratch = scratch(dir)?;
        let picture = self.probe(&Source::file(video), scratch.path(), cancel).await.map_err(odd)?;
        let sound = self.probe(&Source::file(audio), scratch.path(), cancel).await.map_err(odd)?;
        let (Some(picture), Some(track)) = (&picture.video, &sound.audio) else {
            return Err(Error::new(
                Kind::PlatformChanged,
                "a picture and a sound file to join lack the one or the other",
            ));
        };
        let bytes = work::size(video).await + work::size(audio).await;
        let made = scratch.path().join("mux");
        let keeps_sound = matches!(track.codec.as_str(), "aac" | "mp3");
        let args = Args::new()
            .input(video, self.runner.threads)
            .input(audio, self.runner.threads)
            .arg(format!("-map 0:{} -map 1:{} -c:v copy", picture.index, track.index))
            .arg(if keeps_sound { "-c:a copy" } else { "-c:a aac -b:a 160k -ac 2" });
        let args = if fits_mp4(picture) { args.mp4(&made) } else { args.matroska(&made) };
        let run = Run {
            args,
            dir: scratch.path(),
            deadline: Duration::from_secs(MUX_SECONDS + bytes / MUX_BYTES_A_SECOND),
            // Room for tables and for sound that grows by being encoded.
            file_bytes: Some(bytes.saturating_mul(2).saturating_add(64 << 20)),
            on_tick: &mut |_| {},
            told: None,
        };
        match self.runner.run(run, cancel).await? {
            Ended::Well(_) => Ok(tokio::fs::rename(&made, out).await?),
            Ended::TooBig => Err(Error::internal("joining picture and sound gave more than both together")),
            Ended::Badly(error) => Err(error.into()),
        }
    }

    /// Copies the streams of `parts`, which follow one another, into one file that plays by itself, without re-encoding: an
    /// mp4, or for sound alone what its codec is usually kept in. For MPEG-TS, fragments of mp4, and recordings that were
    /// cut into pieces; of several, the best picture and sound of each are joined.
    ///
    /// # Errors
    /// `platform_changed` when they are no media or cannot be copied.
    pub async fn remux(&self, parts: &[PathBuf], out: &Path, cancel: &CancellationToken) -> Result<()> {
        // Beside the result, so that it can be moved into place.
        let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let scratch = scratch(dir)?;
        let joined = scratch.path().join("joined");
        let source = match parts {
            [one] => one,
            several => {
                // MPEG-TS is made to be joined byte by byte, with the headers of each part kept and times that jump.
                let mut all = tokio::fs::File::create(&joined).await?;
                for part in several {
                    let made = scratch.path().join("part");
                    let probe = self.probe(&Source::file(part), scratch.path(), cancel).await.map_err(odd)?;
                    let output = Args::new().arg("-f mpegts").path(&made);
                    copied(self.copy(part, &probe, output, scratch.path(), cancel).await?)?;
                    tokio::io::copy(&mut tokio::fs::File::open(&made).await?, &mut all).await?;
                }
                tokio::io::AsyncWriteExt::flush(&mut all).await?;
                &joined
            }
        };
        let made = scratch.path().join("remux");
        let probe = self.probe(&Source::file(source), scratch.path(), cancel).await.map_err(odd)?;
        let output = match (&probe.video, &probe.audio) {
            (None, None) => return Err(Error::platform_changed("a stream without picture and sound")),
            (None, Some(sound)) if sound.codec == "mp3" => Args::new().arg("-map_metadata -1 -f mp3").path(&made),
            (None, Some(sound)) if sound.codec == "aac" => Args::new().m4a(&made),
            (Some(picture), _) if !fits_mp4(picture) => Args::new().matroska(&made),
            _ => Args::new().mp4(&made),
        };
        copied(self.copy(source, &probe, output, scratch.path(), cancel).await?)?;
        Ok(tokio::fs::rename(&made, out).await?)
    }

    /// Copies picture and sound of a file, without encoding, into `output`: a muxer and a path.
    pub(super) async fn copy(
        &self,
        source: &Path,
        probe: &Probe,
        output: Args,
        dir: &Path,
        cancel: &CancellationToken,
    ) -> Result<Ended> {
        let mut args = Args::new().input(source, self.runner.threads);
        for index in probe.wanted() {
            args = args.arg(format!("-map 0:{index}"));
        }
        let run = Run {
            args: args.arg("-c copy").join(output),
            dir,
            deadline: Duration::from_secs(MUX_SECONDS + probe.size / MUX_BYTES_A_SECOND),
            // Room for tables.
            file_bytes: Some(probe.size.saturating_mul(2).saturating_add(16 << 20)),
            on_tick: &mut |_| {},
            told: None,
        };
        self.runner.run(run, cancel).await
    }
}

/// What is wrong when the pieces of a stream cannot be copied.
fn copied(ended: Ended) -> Result<()> {
    match ended {
        Ended::Well(_) => Ok(()),
        Ended::TooBig => Err(Error::internal("copying a stream gave more than twice its bytes")),
        Ended::Badly(error) => Err(Error::platform_changed(format!("a stream cannot be copied: {error}"))),
    }
}

/// Whether mp4 knows the codec of a picture.
fn fits_mp4(picture: &Video) -> bool {
    !matches!(picture.codec.as_str(), "vp8" | "theora")
}

/// Nothing was to be fitted yet: what the platform sent is no media.
fn odd(error: Error) -> Error {
    match error.kind() {
        Kind::CannotFit => Error::platform_changed(error.operator_text()),
        _ => error,
    }
}
