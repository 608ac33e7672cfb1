//! `boss-bot fit`: one file of this machine, made to fit as it would be for an upload.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use serde::Serialize;

use super::{Exit, bars::Bars, output, stop, wishes::Wishes};
use crate::{
    app,
    media::{FitProgress, FitReport, FitTarget, Fitted, Media, Summary},
    model::{Error, FitWish, MediaFile, Options, Phase, Progress},
    settings::{self, Settings},
};

/// Make a file on this machine fit a limit, as for a Discord upload.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot fit holiday.mov holiday.mp4 --max-size 10MB
  boss-bot fit talk.mkv small.mp4 --max-size 8388608 --quality 480p --speed best
  boss-bot fit concert.mp4 . --audio-format mp3 --start 1:30 --end 4:05
  boss-bot fit clip.mp4 clip.gif --gif --start 0:10 --end 0:14 --max-size 8MB
  boss-bot fit --json photo.png photo.jpg --max-size 1MB | jq .fill

A file that fits and plays already is copied as it is. When it becomes several (--split), OUT gets -1, -2 … before its
extension. --json prints one object: {input, files: [{path, size, mime, width, height, duration, video_codec, audio_codec}],
limit, fill (the largest file, percent of the limit), seconds, report}, or {error: {code, message}}. Neither a token nor a
network is needed. Nothing half-made stays behind, also after Ctrl-C.")]
pub(super) struct Args {
    /// The file to fit; it is only read
    #[arg(value_name = "IN")]
    input: PathBuf,

    /// Where the result goes: a file, replaced when it is done, or a folder
    #[arg(value_name = "OUT")]
    output: PathBuf,

    /// Bytes the result may have: 10MB, 9.5MB, 512KB or 524288; without it COMPRESSION_TARGET_SIZE_MB, or no limit
    #[arg(long, value_name = "SIZE", value_parser = settings::parse_size)]
    max_size: Option<u64>,

    #[command(flatten)]
    wishes: Wishes,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Why there is no result.
enum Failure {
    /// The command line makes no sense, or names files that cannot be used.
    Usage(String),
    /// The file cannot be made to fit, or the work on it failed.
    Fit(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fit(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Fit(error.into())
    }
}

impl Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Fit(error) => Exit::of(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Fit(error) => error.code(),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Usage(text) => text.clone(),
            Self::Fit(error) => error.user_text(),
        }
    }
}

/// A file as it is told of.
#[derive(Debug, Serialize)]
struct Told {
    path: PathBuf,
    size: u64,
    mime: String,
    width: Option<u32>,
    height: Option<u32>,
    duration: Option<f64>,
    video_codec: Option<String>,
    audio_codec: Option<String>,
}

impl Told {
    async fn of(media: &Media, file: &MediaFile, path: &Path) -> Self {
        // What cannot be read has no facts; whether that matters was decided by fitting.
        let Summary { video_codec, audio_codec, width, height, duration } =
            media.summary(path).await.unwrap_or_default();
        let (path, size, mime) = (path.to_owned(), file.size, file.mimetype.clone());
        Self { path, size, mime, width, height, duration, video_codec, audio_codec }
    }

    /// `video/mp4, 9.9 MB, 1280×720, 60.0 s`
    fn describe(&self) -> String {
        let mut text = format!("{}, {}", self.mime, output::size(self.size));
        if let (Some(width), Some(height)) = (self.width, self.height) {
            text.push_str(&format!(", {width}×{height}"));
        }
        if let Some(seconds) = self.duration {
            text.push_str(&format!(", {seconds:.1} s"));
        }
        text
    }
}

/// All there is to tell.
#[derive(Debug, Serialize)]
struct Done {
    input: Told,
    files: Vec<Told>,
    limit: Option<u64>,
    /// Percent of the limit that the largest file has.
    fill: Option<f64>,
    /// How long fitting took.
    seconds: f64,
    report: FitReport,
    /// Files whose name says something else than they are.
    #[serde(skip)]
    misnamed: Vec<String>,
}

pub(super) async fn execute(args: Args, settings: Settings) -> Exit {
    let done = match work(&args, settings).await {
        Ok(done) => done,
        Err(failure) => {
            let written = if args.json {
                let error = serde_json::json!({ "code": failure.code(), "message": failure.message() });
                output::print(|out| writeln!(out, "{}", serde_json::json!({ "error": error })))
            } else {
                Exit::Ok
            };
            eprintln!("boss-bot: {}", failure.message());
            if let Failure::Fit(error) = &failure
                && !error.operator_text().is_empty()
            {
                eprintln!("  ({})", error.operator_text());
            }
            return if written == Exit::Ok { failure.exit() } else { written };
        }
    };
    for note in &done.misnamed {
        eprintln!("boss-bot: note: {note}");
    }
    if args.json {
        output::print(|out| {
            serde_json::to_writer(&mut *out, &done)?;
            writeln!(out)
        })
    } else {
        output::print(|out| tell(&done, out))
    }
}

fn tell(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", done.input.path.display(), done.input.describe())?;
    for file in &done.files {
        writeln!(out, "{}: {}", file.path.display(), file.describe())?;
    }
    let how = match done.report.path {
        "keep" => "it fits and plays as it is",
        way => way,
    };
    let fill = done.fill.map(|fill| format!(", {fill:.1} % of the limit")).unwrap_or_default();
    writeln!(out, "{how}{fill}, {:.1} s", done.seconds)?;
    for warning in &done.report.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}

async fn work(args: &Args, settings: Settings) -> Result<Done, Failure> {
    let options = args.wishes.options().map_err(Failure::Usage)?;
    let fit = FitWish { max_bytes: args.max_size, ..options.fit };
    let target = FitTarget::of(
        &Options { fit, ..options },
        settings.compression.target_bytes.filter(|_| args.max_size.is_none()),
    );
    let limit = target.max_bytes;
    let place = Place::of(&args.input, &args.output)?;
    let stop = stop::on_signal()?;
    let media = app::media(&settings)?;

    let name = args.input.file_name().unwrap_or_default().to_string_lossy();
    let input = media.describe(&args.input, &name, 0).await?;
    // Beside the result, so that it can be moved into place; gone with everything in it, however this ends.
    let scratch = tempfile::Builder::new().prefix(".boss-bot-").tempdir_in(here(&place.dir))?;
    let (progress, heard) = Progress::new();
    progress.set(Phase::Compressing { file: 1, of: 1, fraction: 0.0 });
    let bars = Bars::new();
    let bar = tokio::spawn(bars.clone().follow(name.into_owned(), heard));
    let report = |how_far| {
        progress.set(match how_far {
            FitProgress::Waiting { ahead } => Phase::Queued { ahead },
            FitProgress::Working(fraction) => Phase::Compressing { file: 1, of: 1, fraction },
        });
    };
    let started = Instant::now();
    let fitted = media.fit(&input, target, scratch.path(), &report, &stop).await;
    let seconds = (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    progress.set(Phase::Done);
    // The bar ends with the last word; nothing it does can fail.
    let _ = bar.await;
    bars.clear();
    let Fitted { files: made, report } =
        fitted.map_err(|error| if stop.is_cancelled() { Error::cancelled() } else { error })?;

    let names = place.names(&made);
    if names.iter().any(|name| same(&args.input, name)) {
        return Err(Failure::Usage(OVERWRITES.to_owned()));
    }
    let (mut files, mut misnamed) = (Vec::new(), Vec::new());
    for (file, path) in made.iter().zip(&names) {
        if file.path == input.path {
            let copy = scratch.path().join("copy");
            tokio::fs::copy(&file.path, &copy).await?;
            tokio::fs::rename(&copy, path).await?;
        } else {
            tokio::fs::rename(&file.path, path).await?;
        }
        files.push(Told::of(&media, file, path).await);
        if !names_fit(path, &file.filename) {
            misnamed.push(format!("{} holds {}, whatever its name says", path.display(), file.mimetype));
        }
    }
    let largest = files.iter().map(|file| file.size).max().unwrap_or_default();
    let fill = limit.map(|limit| (largest as f64 / limit.max(1) as f64 * 10_000.0).round() / 100.0);
    let input = Told::of(&media, &input, &args.input).await;
    Ok(Done { input, files, limit, fill, seconds, report, misnamed })
}

const OVERWRITES: &str = "OUT is the same file as IN: give it another name";

/// Where results go.
struct Place {
    /// The folder they go into.
    dir: PathBuf,
    /// The name that was asked for; in a folder each file keeps its own.
    name: Option<PathBuf>,
}

impl Place {
    fn of(input: &Path, output: &Path) -> Result<Self, Failure> {
        let usage = |path: &Path, error: io::Error| Failure::Usage(format!("{}: {error}", path.display()));
        let known = std::fs::metadata(input).map_err(|error| usage(input, error))?;
        if !known.is_file() {
            return Err(Failure::Usage(format!("{}: not a file", input.display())));
        }
        if output.is_dir() {
            return Ok(Self { dir: output.to_owned(), name: None });
        }
        if same(input, output) {
            return Err(Failure::Usage(OVERWRITES.to_owned()));
        }
        let dir = output.parent().unwrap_or(Path::new(""));
        let folder = std::fs::metadata(here(dir)).map_err(|error| usage(dir, error))?;
        let name = output.file_name().filter(|_| folder.is_dir());
        let name = name.ok_or_else(|| Failure::Usage(format!("{}: not a place for a file", output.display())))?;
        Ok(Self { dir: dir.to_owned(), name: Some(PathBuf::from(name)) })
    }

    /// One path a file: as asked for, or its own name; with numbers where there are several.
    fn names(&self, files: &[MediaFile]) -> Vec<PathBuf> {
        let numbered = |(index, file): (usize, &MediaFile)| {
            let name = self.name.clone().unwrap_or_else(|| PathBuf::from(&file.filename));
            if files.len() == 1 {
                return self.dir.join(name);
            }
            let mut numbered = name.file_stem().unwrap_or_default().to_owned();
            numbered.push(format!("-{}", index + 1));
            if let Some(extension) = name.extension() {
                numbered.push(".");
                numbered.push(extension);
            }
            self.dir.join(numbered)
        };
        files.iter().enumerate().map(numbered).collect()
    }
}

/// The folder that the empty path stands for.
fn here(dir: &Path) -> &Path {
    if dir.as_os_str().is_empty() { Path::new(".") } else { dir }
}

/// Whether both lead to one file.
fn same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    id(one).is_some_and(|one| id(other) == Some(one))
}

/// Whether the name of `path` says what the file is, whose own name is `own`.
fn names_fit(path: &Path, own: &str) -> bool {
    let plain = |path: &Path| {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "jpeg" | "jpe" | "jfif" => "jpg".to_owned(),
            "m4v" => "mp4".to_owned(),
            "oga" | "opus" => "ogg".to_owned(),
            _ => extension,
        }
    };
    plain(path) == plain(Path::new(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_the_same_are_not_pointed_out() {
        for (path, own, fits) in [
            ("a.jpeg", "b.jpg", true),
            ("a.MP4", "b.mp4", true),
            ("a.opus", "b.ogg", true),
            ("a.png", "b.jpg", false),
            ("a", "b.mp4", false),
        ] {
            assert_eq!(names_fit(Path::new(path), own), fits, "{path}");
        }
    }
}
