//! Fitting, with the real ffmpeg on generated files; what comes out is read back by ffprobe.

mod animations;
mod cage;
mod clips;
mod corpus;
mod hardware;
mod hostile;
mod playback;
mod private;
mod sandbox;
mod slots;
mod sound;
mod stills;
mod videos;
mod wishes;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use boss_bot::{
    media::{FitProgress, FitTarget, Fitted, Media},
    model::{MediaFile, Result},
    net::Egress,
    settings::{Compression, Network, Settings, VideoCodec},
    tools::Tools,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

const MIB: u64 = 1 << 20;

/// A room with everything fitting needs, and a folder that goes away.
struct Room {
    dir: tempfile::TempDir,
    media: Media,
    heard: Arc<Mutex<Vec<f32>>>,
}

impl Room {
    fn new() -> Self {
        // Tests look at sizes and streams, not at beauty.
        Self::with(|settings| settings.preset = Some("veryfast".into()))
    }

    fn with(change: impl FnOnce(&mut Compression)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings.compression);
        let tools = Tools::new(&settings, Egress::new(&Network::default()).unwrap());
        let media = Media::new(settings.compression, Arc::new(tools));
        Self { dir: tempfile::tempdir().unwrap(), media, heard: Arc::default() }
    }

    /// With ffmpeg and ffprobe behind a shell script, to which the real program is `$REAL` and the room's folder `$HERE`.
    fn behind(script: &str, change: impl FnOnce(&mut Compression)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        change(&mut settings.compression);
        let wrap = |name: &str| {
            let path = dir.path().join(name);
            let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|folder| folder.join(name))
                .find(|path| path.exists())
                .unwrap();
            let (real, here) = (real.display(), dir.path().display());
            std::fs::write(&path, format!("#!/bin/sh\nREAL='{real}'\nHERE='{here}'\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            path
        };
        settings.tools.ffmpeg = Some(wrap("ffmpeg"));
        settings.tools.ffprobe = Some(wrap("ffprobe"));
        let tools = Tools::new(&settings, Egress::new(&Network::default()).unwrap());
        let media = Media::new(settings.compression, Arc::new(tools));
        Self { dir, media, heard: Arc::default() }
    }

    async fn describe(&self, path: &Path) -> MediaFile {
        let name = path.file_name().unwrap().to_string_lossy();
        self.media.describe(path, &name, 0).await.unwrap()
    }

    async fn fit(&self, path: &Path, limit: impl Into<Option<u64>>) -> Result<MediaFile> {
        self.fit_to(path, FitTarget::at_most(limit)).await
    }

    /// A fit that gives one file.
    async fn fit_to(&self, path: &Path, target: FitTarget) -> Result<MediaFile> {
        let mut fitted = self.fit_all(path, target).await?;
        assert_eq!(fitted.files.len(), 1, "{:?}", fitted.files);
        Ok(fitted.files.remove(0))
    }

    async fn fit_all(&self, path: &Path, target: FitTarget) -> Result<Fitted> {
        let file = self.describe(path).await;
        let heard = Arc::clone(&self.heard);
        let report = move |progress| {
            if let FitProgress::Working(fraction) = progress {
                heard.lock().unwrap().push(fraction);
            }
        };
        let out = self.dir.path().join("out");
        let fitted = self.media.fit(&file, target, &out, &report, &CancellationToken::new()).await;
        // Whatever happened, nothing but the result is left.
        let left: Vec<_> = std::fs::read_dir(&out).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        if let Ok(made) = &fitted {
            assert!(made.files.iter().all(|file| file.path == path || left.contains(&file.path)), "{left:?}");
        }
        assert!(left.iter().all(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.')), "{left:?}");
        fitted
    }

    /// A fit that must work: checks size, streams and the description, and returns what ffprobe says.
    async fn video(&self, path: &Path, limit: impl Into<Option<u64>>) -> (MediaFile, Streams) {
        let limit = limit.into();
        let made = self.fit(path, limit).await.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let streams = Streams::of(&made.path);
        streams.assert_plays_inline(&made, limit);
        (made, streams)
    }
}

/// What ffprobe says about a file.
struct Streams(Value);

impl Streams {
    fn of(path: &Path) -> Self {
        let out = std::process::Command::new("ffprobe")
            .args(["-v", "error", "-show_format", "-show_streams", "-count_packets", "-of", "json"])
            .arg(path)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&out.stderr));
        Self(serde_json::from_slice(&out.stdout).unwrap())
    }

    fn all(&self, kind: &str) -> Vec<&Value> {
        self.0["streams"].as_array().unwrap().iter().filter(|stream| stream["codec_type"] == kind).collect()
    }

    fn video(&self) -> &Value {
        let all = self.all("video");
        assert_eq!(all.len(), 1, "{}", self.0);
        all[0]
    }

    fn audio(&self) -> &Value {
        let all = self.all("audio");
        assert_eq!(all.len(), 1, "{}", self.0);
        all[0]
    }

    fn size(&self) -> (u64, u64) {
        (self.video()["width"].as_u64().unwrap(), self.video()["height"].as_u64().unwrap())
    }

    fn packets(&self) -> u64 {
        self.video()["nb_read_packets"].as_str().unwrap().parse().unwrap()
    }

    fn duration(&self) -> f64 {
        self.0["format"]["duration"].as_str().unwrap().parse().unwrap()
    }

    fn start(&self, kind: &str) -> f64 {
        self.all(kind)[0]["start_time"].as_str().unwrap().parse().unwrap()
    }

    fn assert_plays_inline(&self, made: &MediaFile, limit: Option<u64>) {
        let size = std::fs::metadata(&made.path).unwrap().len();
        assert_eq!(made.size, size);
        assert!(limit.is_none_or(|limit| size <= limit), "{size} bytes, over {limit:?}");
        assert!(made.filename.ends_with(".mp4") && made.mimetype == "video/mp4", "{made:?}");
        let video = self.video();
        assert_eq!((&video["codec_name"], &video["pix_fmt"]), (&"h264".into(), &"yuv420p".into()));
        assert!(video["level"].as_i64().unwrap() <= 42, "{video}");
        assert!(["High", "Main", "Constrained Baseline", "Baseline"].map(Value::from).contains(&video["profile"]));
        let (width, height) = self.size();
        assert!(width % 2 == 0 && height % 2 == 0, "{width} x {height}");
        for audio in self.all("audio") {
            assert_eq!((&audio["codec_name"], &audio["profile"]), (&"aac".into(), &"LC".into()));
            assert!(audio["channels"].as_u64().unwrap() <= 2);
        }
        assert_eq!(self.all("subtitle").len() + self.all("data").len() + self.all("attachment").len(), 0);
        let bytes = std::fs::read(&made.path).unwrap();
        let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
        assert!(at(b"moov") < at(b"mdat"), "the index is behind the media");
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> tracing_subscriber::fmt::MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A file made once and kept between runs: `name`, by ffmpeg with `args`.
fn clip(name: &str, args: &str) -> PathBuf {
    clips::made(name, |path| clips::ffmpeg(args, path))
}
