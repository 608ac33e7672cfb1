//! `fit`: a file of this machine under a limit, without token and network.

use std::path::{Path, PathBuf};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{PATIENCE, Ran, boss_bot, command, folder};
use crate::world::{bot::processes_inside, media};

/// Encodes are looked at for their size, not their beauty.
const FAST: (&str, &str) = ("COMPRESSION_FFMPEG_PRESET", "ultrafast");

async fn fit(dir: &Path, args: &[&str]) -> Ran {
    boss_bot(dir, &[&["fit"], args].concat(), &[FAST]).await
}

/// A film of this many bytes as `name` in `dir`.
fn film(dir: &Path, name: &str, bytes: u64) -> PathBuf {
    let path = dir.join(name);
    std::fs::copy(media::video_of(bytes, 5), &path).unwrap();
    path
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_film_is_made_to_fit_and_json_tells_all_about_it() {
    let dir = folder();
    let film = film(dir.path(), "film.mp4", 3 << 20);
    let before = media::sha256(&film);
    let ran = fit(dir.path(), &["film.mp4", "small.mp4", "--max-size", "1MB", "--json"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let told = &ran.lines()[0];
    let size = dir.path().join("small.mp4").metadata().unwrap().len();
    assert!(size <= 1 << 20 && size > 1 << 19, "{size}");
    assert_eq!(told["files"][0]["size"], size, "{told}");
    assert_eq!(told["limit"], 1 << 20);
    let fill = told["fill"].as_f64().unwrap();
    assert!((fill - size as f64 / 10_485.76).abs() < 0.02, "{told}");
    assert_eq!((&told["files"][0]["mime"], &told["files"][0]["path"]), (&"video/mp4".into(), &"small.mp4".into()));
    assert_eq!((&told["files"][0]["video_codec"], &told["files"][0]["audio_codec"]), (&"h264".into(), &"aac".into()));
    assert_eq!(told["input"]["size"], film.metadata().unwrap().len());
    assert!(told["input"]["duration"].as_f64().unwrap() > 1.0 && told["seconds"].as_f64().unwrap() > 0.0, "{told}");
    assert_eq!(told["report"]["path"], "encode");
    assert!(ran.err.is_empty(), "without a terminal there is no bar: {}", ran.err);
    assert_eq!(names(dir.path()), ["film.mp4", "small.mp4"], "nothing else is left");
    assert_eq!(media::sha256(&film), before, "the input is only read");
}

#[tokio::test]
async fn what_fits_already_is_copied_byte_by_byte_into_a_folder_too() {
    let dir = folder();
    let small = media::small_video(4);
    std::fs::copy(&small, dir.path().join("clip.mp4")).unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    // As bytes, the way scripts have them.
    let ran = fit(dir.path(), &["clip.mp4", "out", "--max-size", "26214400"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(media::sha256(&dir.path().join("out/clip.mp4")), small.sha256());
    assert!(ran.out.contains("fits and plays as it is") && ran.out.contains("out/clip.mp4: video/mp4"), "{}", ran.out);
    assert_eq!(names(&dir.path().join("out")), ["clip.mp4"]);
}

#[tokio::test]
async fn a_result_of_another_kind_is_written_as_named_and_said() {
    let dir = folder();
    let picture =
        media::image(media::Image { width: 1600, height: 1200, ..media::Image::seed(3, media::ImageKind::Png) });
    std::fs::copy(&picture, dir.path().join("photo.png")).unwrap();
    let ran = fit(dir.path(), &["photo.png", "smaller.png", "--max-size", "60KB", "--json"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.lines()[0]["files"][0]["mime"], "image/jpeg");
    assert!(std::fs::read(dir.path().join("smaller.png")).unwrap().starts_with(&[0xff, 0xd8]));
    assert!(ran.err.contains("smaller.png holds image/jpeg"), "{}", ran.err);
}

#[tokio::test]
async fn what_cannot_fit_ends_with_8_and_leaves_nothing() {
    let dir = folder();
    film(dir.path(), "film.mp4", 3 << 20);
    let ran = fit(dir.path(), &["film.mp4", "small.mp4", "--max-size", "4KB", "--json"]).await;
    assert_eq!(ran.code, 8, "{}\n{}", ran.out, ran.err);
    let error = &ran.lines()[0]["error"];
    assert_eq!(error["code"], "cannot_fit");
    assert!(error["message"].as_str().unwrap().contains("4 kB"), "{error}");
    assert_eq!(names(dir.path()), ["film.mp4"]);
}

#[tokio::test]
async fn files_that_cannot_be_used_and_wishes_that_contradict_are_wrong_usage() {
    let dir = folder();
    std::fs::copy(media::small_video(4), dir.path().join("clip.mp4")).unwrap();
    std::os::unix::fs::symlink("clip.mp4", dir.path().join("link.mp4")).unwrap();
    for (args, told) in [
        (&["nowhere.mp4", "out.mp4"][..], "nowhere.mp4"),
        (&["clip.mp4", "clip.mp4"], "the same file"),
        (&["clip.mp4", "link.mp4"], "the same file"),
        (&["clip.mp4", "."], "the same file"),
        (&["clip.mp4", "nowhere/out.mp4"], "nowhere"),
        (&["clip.mp4", "out.mp4", "--gif", "--audio-only"], "don't go together"),
        (&["clip.mp4", "out.mp4", "--start", "0:20", "--end", "0:10"], "the end (0:10) must be after the start (0:20)"),
        (&["clip.mp4", "out.mp4", "--start", "soon"], "is no time"),
        (&["clip.mp4", "out.mp4", "--audio-format", "wav"], "auto, mp3, m4a, opus"),
    ] {
        let ran = fit(dir.path(), args).await;
        assert_eq!(ran.code, 2, "{args:?}: {}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(told) && ran.out.is_empty(), "{args:?}: {}", ran.err);
        assert_eq!(names(dir.path()), ["clip.mp4", "link.mp4"]);
    }
    let ran = fit(dir.path(), &["nowhere.mp4", "out.mp4", "--json"]).await;
    assert_eq!((ran.code, &ran.lines()[0]["error"]["code"]), (2, &Value::from("usage")));
}

#[tokio::test]
async fn an_interrupt_ends_the_encode_and_leaves_nothing() {
    let dir = folder();
    film(dir.path(), "film.mp4", 24 << 20);
    let args = ["fit", "film.mp4", "small.mp4", "--max-size", "2MB"];
    let env = [("COMPRESSION_FFMPEG_PRESET", "veryslow"), ("LOG_LEVEL", "debug")];
    let mut child = command(dir.path(), &args, &env).spawn().unwrap();
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
    // The log says when the encode begins.
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().unwrap()));
    let begun = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("fitting") {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("it begins");
    kill(pid, Signal::SIGINT).unwrap();
    let drain = async { while lines.next_line().await.unwrap().is_some() {} };
    let (ended, ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(child.wait_with_output(), drain) }).await.unwrap();
    assert_eq!(ended.unwrap().status.code(), Some(130));
    assert_eq!(names(dir.path()), ["film.mp4"], "no half file and no folder");
    assert_eq!(processes_inside(dir.path()), Vec::new(), "no orphan");
}
