//! What people want of a clip beyond that it fits: parts of it, silence, fewer lines, a GIF, several files.

use std::process::Command;

use boss_bot::model::{AudioFormat, FitWish, Quality, Trim};

use super::*;

/// Ten seconds at 25 frames a second; the grey of each frame tells its number. A keyframe every four seconds only.
const NUMBERED: &str = "-f lavfi -i nullsrc=s=64x64:r=25:d=10,geq=lum='mod(N,200)+20':cb=128:cr=128 \
    -f lavfi -i sine=f=440:d=10 -c:v libx264 -preset veryfast -qp 6 -g 100 -keyint_min 100 -sc_threshold 0 -pix_fmt yuv420p \
    -c:a aac -b:a 64k -movflags +faststart";

/// Grey levels of all frames, by decoding.
fn greys(path: &Path) -> Vec<u8> {
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-vf", "crop=16:16:24:24,scale=1:1:flags=area", "-f", "rawvideo", "-pix_fmt", "gray"])
        .args(["-fps_mode", "passthrough", "-"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn wish(wish: FitWish) -> FitTarget {
    FitTarget { max_bytes: Some(10 * MIB), wish, ..FitTarget::default() }
}

fn part(start_ms: u64, end_ms: impl Into<Option<u64>>) -> FitWish {
    FitWish { trim: Some(Trim { start_ms, end_ms: end_ms.into() }), ..FitWish::default() }
}

#[tokio::test]
async fn a_part_begins_and_ends_with_exactly_the_frames_asked_for() {
    let room = Room::new();
    let clip = clip("numbered.mp4", NUMBERED);
    let all = greys(&clip);
    assert_eq!(all.len(), 250);
    // Neither bound is near a keyframe (0, 4 and 8 s).
    for (start, end, frames) in
        [(1000, Some(3000), 25..75), (2520, Some(2600), 63..65), (7000, None, 175..250), (0, Some(1000), 0..25)]
    {
        let made = room.fit_to(&clip, wish(part(start, end))).await.unwrap();
        let greys = greys(&made.path);
        assert_eq!(greys.len(), frames.len(), "{start} to {end:?}: frames");
        for (nth, number) in frames.enumerate() {
            let (found, expected) = (i32::from(greys[nth]), i32::from(all[number]));
            // An encode changes a level a little; a neighbouring frame is one level off, so the mean decides.
            assert!((found - expected).abs() <= 1, "{start} to {end:?}: frame {nth} is {found}, not {expected}");
        }
        let streams = Streams::of(&made.path);
        let seconds = end.unwrap_or(10_000) as f64 / 1000.0 - start as f64 / 1000.0;
        assert!((streams.duration() - seconds).abs() < 0.1, "{} of {seconds}", streams.duration());
        assert_eq!(streams.all("audio").len(), 1);
    }
}

#[tokio::test]
async fn the_first_frame_is_not_a_neighbour() {
    // Levels sixteen apart: no encode can hide a frame too many or too few.
    let clip = clip(
        "steps.mp4",
        "-f lavfi -i nullsrc=s=64x64:r=30000/1001:d=4,geq=lum='mod(N*16,208)+20':cb=128:cr=128 -c:v libx264 -preset veryfast \
         -qp 10 -g 60 -pix_fmt yuv420p -movflags +faststart",
    );
    let room = Room::new();
    let (all, made) = (greys(&clip), room.fit_to(&clip, wish(part(1500, 2500))).await.unwrap());
    let greys = greys(&made.path);
    // The first frame at or after 1.5 s is 45 (1.5015 s), the last before 2.5 s is 74 (2.4691 s).
    assert_eq!(greys.len(), 30);
    let near = |one: u8, other: u8| one.abs_diff(other) <= 4;
    assert!(near(greys[0], all[45]) && near(greys[29], all[74]), "{greys:?}");
}

#[tokio::test]
async fn a_part_that_the_clip_does_not_have_is_refused_with_its_length() {
    let room = Room::new();
    let clip = clip("numbered.mp4", NUMBERED);
    let error = room.fit_to(&clip, wish(part(12_000, 15_000))).await.unwrap_err();
    assert_eq!(error.code(), "cannot_fit");
    assert!(error.user_text().contains("only 0:10 long"), "{}", error.user_text());
    let fitted = room.fit_all(&clip, wish(part(8000, 60_000))).await.unwrap();
    assert!(
        fitted.report.warnings.iter().any(|warning| warning.contains("the part ends there")),
        "{:?}",
        fitted.report
    );
    assert!((Streams::of(&fitted.files[0].path).duration() - 2.0).abs() < 0.1);
}

#[tokio::test]
async fn sound_is_cut_too_and_a_picture_has_no_parts() {
    let room = Room::new();
    let tone = clip("tone-of-8.mp3", "-f lavfi -i sine=f=440:d=8 -c:a libmp3lame -b:a 96k");
    let made = room.fit_to(&tone, wish(part(2000, 5000))).await.unwrap();
    assert!((Streams::of(&made.path).duration() - 3.0).abs() < 0.1, "{}", Streams::of(&made.path).duration());
    let film = clip("numbered.mp4", NUMBERED);
    let only = FitTarget { audio_only: true, ..wish(part(1000, 2000)) };
    let made = room.fit_to(&film, only).await.unwrap();
    let streams = Streams::of(&made.path);
    assert!(streams.all("video").is_empty() && (streams.duration() - 1.0).abs() < 0.1, "{}", streams.0);
    let still = clip("still-of-wishes.png", "-f lavfi -i testsrc2=s=320x200 -frames:v 1");
    assert_eq!(room.fit_to(&still, wish(part(2000, 5000))).await.unwrap().path, still, "a still picture is kept");
}

#[tokio::test]
async fn a_part_of_a_gif_is_a_film_of_that_part() {
    let room = Room::new();
    let gif = clip("moving.gif", "-f lavfi -i testsrc2=s=160x120:r=10:d=4");
    let made = room.fit_to(&gif, wish(part(1000, 2500))).await.unwrap();
    let streams = Streams::of(&made.path);
    assert!((streams.duration() - 1.5).abs() < 0.15 && made.filename.ends_with(".mp4"), "{}", streams.0);
}

#[tokio::test]
async fn a_muted_film_keeps_its_picture_as_it_is() {
    let room = Room::new();
    let film = clip("numbered.mp4", NUMBERED);
    let fitted = room.fit_all(&film, wish(FitWish { mute: true, ..FitWish::default() })).await.unwrap();
    assert_eq!(fitted.report.path, "remux", "nothing is encoded for it");
    let streams = Streams::of(&fitted.files[0].path);
    assert!(streams.all("audio").is_empty(), "{}", streams.0);
    assert_eq!(greys(&fitted.files[0].path), greys(&film));
    // Under a small limit it is encoded, without sound.
    let target = FitTarget { max_bytes: Some(30_000), ..wish(FitWish { mute: true, ..FitWish::default() }) };
    let small = room.fit_to(&film, target).await.unwrap();
    assert!(Streams::of(&small.path).all("audio").is_empty() && small.size <= 30_000);
}

#[tokio::test]
async fn a_quality_limits_the_lines_and_leaves_smaller_ones_alone() {
    let room = Room::new();
    let film = clip(
        "hd.mp4",
        "-f lavfi -i testsrc2=s=1280x720:r=25:d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -movflags +faststart",
    );
    for (quality, size) in [
        (Quality::Height(480), Some((854, 480))),
        (Quality::Worst, Some((640, 360))),
        (Quality::Height(720), None),
        (Quality::Height(1080), None),
        (Quality::Best, None),
    ] {
        let target = FitTarget { quality, ..wish(FitWish::default()) };
        let made = room.fit_to(&film, target.clone()).await.unwrap();
        match size {
            Some(size) => assert_eq!(Streams::of(&made.path).size(), size, "{quality}"),
            None => assert_eq!(made.path, film, "{quality}: kept"),
        }
        // And where it is to fit anyway.
        let small = room.fit_to(&film, FitTarget { max_bytes: Some(120_000), ..target }).await.unwrap();
        let most = size.map_or(720, |(_, lines)| lines);
        assert!(Streams::of(&small.path).size().1 <= most, "{quality}");
    }
}

#[tokio::test]
async fn a_gif_is_made_as_wide_as_the_limit_allows() {
    let room = Room::new();
    let film = clip(
        "gif-source.mp4",
        "-f lavfi -i testsrc2=s=640x360:r=30:d=4 -f lavfi -i sine=d=4 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
    );
    let gif = FitWish { gif: true, ..FitWish::default() };
    let wide = room.fit_to(&film, FitTarget { max_bytes: None, ..wish(gif) }).await.unwrap();
    assert_eq!((wide.mimetype.as_str(), Streams::of(&wide.path).size()), ("image/gif", (480, 270)));
    assert_eq!(Streams::of(&wide.path).packets(), 60, "15 frames a second");
    let limit = wide.size / 3;
    let small = room.fit_all(&film, FitTarget { max_bytes: Some(limit), ..wish(gif) }).await.unwrap();
    let (made, width) = (&small.files[0], Streams::of(&small.files[0].path).size().0);
    assert!(made.size <= limit && made.size > limit / 2 && width < 480, "{} of {limit}, {width}", made.size);
    assert_eq!(small.report.path, "gif");
    let error = room.fit_to(&film, FitTarget { max_bytes: Some(2000), ..wish(gif) }).await.unwrap_err();
    assert_eq!(error.code(), "cannot_fit");
}

#[tokio::test]
async fn a_gif_of_a_long_clip_is_its_beginning_and_says_so() {
    let room = Room::new();
    let film = clip(
        "long-for-a-gif.mp4",
        "-f lavfi -i color=c=red:s=160x90:r=10:d=20 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    );
    let gif = FitWish { gif: true, ..FitWish::default() };
    let fitted = room.fit_all(&film, wish(gif)).await.unwrap();
    assert!(fitted.report.warnings[0].contains("at most 15 seconds"), "{:?}", fitted.report);
    let seconds = Streams::of(&fitted.files[0].path).duration();
    assert!((14.5..15.5).contains(&seconds), "{seconds}");
}

/// A film of about 3 MB with a keyframe every second.
fn splittable() -> PathBuf {
    clip(
        "splittable.mp4",
        "-f lavfi -i mandelbrot=s=320x240:r=25 -f lavfi -i sine=f=330 -t 12 -c:v libx264 -preset veryfast -b:v 1800k -maxrate 1800k \
         -bufsize 900k -g 25 -pix_fmt yuv420p -c:a aac -b:a 96k -movflags +faststart",
    )
}

#[tokio::test]
async fn a_large_film_becomes_parts_that_lose_nothing() {
    let room = Room::new();
    let film = splittable();
    let size = std::fs::metadata(&film).unwrap().len();
    let limit = size / 3;
    let split = FitWish { split: true, ..FitWish::default() };
    let target = FitTarget { max_bytes: Some(limit), ..wish(split) };
    let fitted = room.fit_all(&film, target).await.unwrap();
    assert_eq!(fitted.report.path, "split", "{:?}", fitted.report);
    assert!((3..=5).contains(&fitted.files.len()), "{}", fitted.files.len());
    let mut together = Vec::new();
    for (index, part) in fitted.files.iter().enumerate() {
        let streams = Streams::of(&part.path);
        streams.assert_plays_inline(part, Some(limit));
        assert!(part.filename.ends_with(&format!("-{}.mp4", index + 1)), "{}", part.filename);
        assert!(streams.start("video").abs() < 0.1 && streams.start("audio").abs() < 0.1, "{}", streams.0);
        assert_eq!(first_flags(&part.path), "K_", "a part begins with a keyframe");
        together.extend(greys(&part.path));
    }
    assert_eq!(together, greys(&film), "all frames, in order");
    let asked_for_by_the_operator = Room::with(|settings| settings.split = true);
    let fitted = asked_for_by_the_operator.fit_all(&film, FitTarget::at_most(limit)).await.unwrap();
    assert_eq!(fitted.report.path, "split");
    let kept = room.fit_to(&film, FitTarget { max_bytes: Some(size), ..wish(split) }).await.unwrap();
    assert_eq!(kept.path, film, "what fits is not split");
}

fn first_flags(path: &Path) -> String {
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=flags", "-read_intervals", "%+#1"])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8_lossy(&out.stdout).trim().trim_end_matches(',').to_owned()
}

#[tokio::test]
async fn what_cannot_be_parted_is_compressed_and_that_is_said() {
    let room = Room::new();
    let split = FitWish { split: true, ..FitWish::default() };
    // One keyframe for all of it.
    let film = clip("numbered-one.mp4", &NUMBERED.replace("-g 100 -keyint_min 100", "-g 1000 -keyint_min 1000"));
    let limit = std::fs::metadata(&film).unwrap().len() * 2 / 3;
    let fitted = room.fit_all(&film, FitTarget { max_bytes: Some(limit), ..wish(split) }).await.unwrap();
    assert!(fitted.files.len() == 1 && fitted.report.path != "split", "{:?}", fitted.report);
    assert!(fitted.report.warnings[0].contains("without loss"), "{:?}", fitted.report);
    assert!(fitted.files[0].size <= limit);
    // More parts than anybody wants.
    let film = splittable();
    let limit = std::fs::metadata(&film).unwrap().len() / 11;
    let fitted = room.fit_all(&film, FitTarget { max_bytes: Some(limit), ..wish(split) }).await.unwrap();
    assert!(fitted.files.len() == 1 && fitted.report.warnings.len() == 1, "{:?}", fitted.report);
}

#[tokio::test]
async fn sound_is_parted_too() {
    let room = Room::new();
    let split = FitWish { split: true, ..FitWish::default() };
    for (name, args) in [
        ("parts.mp3", "-f lavfi -i anoisesrc=d=20:a=0.3 -c:a libmp3lame -b:a 128k"),
        ("parts.m4a", "-f lavfi -i anoisesrc=d=20:a=0.3 -c:a aac -b:a 128k -movflags +faststart"),
    ] {
        let sound = clip(name, args);
        let limit = std::fs::metadata(&sound).unwrap().len() * 2 / 5;
        let fitted = room.fit_all(&sound, FitTarget { max_bytes: Some(limit), ..wish(split) }).await.unwrap();
        assert_eq!((fitted.files.len(), fitted.report.path), (3, "split"), "{name}: {:?}", fitted.report);
        assert!(fitted.files.iter().all(|part| part.size <= limit), "{name}");
        let seconds: f64 = fitted.files.iter().map(|part| Streams::of(&part.path).duration()).sum();
        assert!((seconds - 20.0).abs() < 0.3, "{name}: {seconds}");
    }
}

#[tokio::test]
async fn a_size_of_ones_own_counts_where_it_is_the_smaller() {
    let room = Room::new();
    let film = splittable();
    let size = std::fs::metadata(&film).unwrap().len();
    let options = boss_bot::model::Options {
        fit: FitWish { max_bytes: Some(size / 4), audio_format: AudioFormat::Auto, ..FitWish::default() },
        ..Default::default()
    };
    assert_eq!(FitTarget::of(&options, Some(1000)).max_bytes, Some(1000));
    let made = room.fit_to(&film, FitTarget::of(&options, Some(size))).await.unwrap();
    assert!(made.size <= size / 4);
}
