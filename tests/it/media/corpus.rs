//! The corpus of odd files: each gives a file that plays, under either of two limits, soon and with bounded memory.
//!
//! A row is a clip, made by ffmpeg from nothing, and what must come of it. What is broken or made to harm is in
//! `hostile.rs`; what is opened meanwhile is in `cage.rs`.

use std::time::{Duration, Instant};

use super::*;

/// Far more than any row takes on a busy machine, far less than a run that hangs.
const SOON: Duration = Duration::from_secs(120);
/// Bytes a second of a tight limit: 240 kbit/s, picture and sound.
const TIGHT: f64 = 30_000.0;

/// A clip, and what must come of it.
struct Row {
    name: &'static str,
    path: PathBuf,
    /// Pixels as shown, where nothing had to be made smaller.
    size: (u64, u64),
    /// Seconds.
    seconds: f64,
    sound: bool,
}

fn row(name: &'static str, args: &str, size: (u64, u64), seconds: f64, sound: bool) -> Row {
    Row { name, path: clip(name, args), size, seconds, sound }
}

/// A moving picture without sound.
fn picture(size: &str, seconds: f64) -> String {
    format!("-f lavfi -i testsrc2=s={size}:r=30:d={seconds}")
}

/// A moving picture with a beep.
fn av(size: &str, seconds: f64) -> String {
    format!("{} -f lavfi -i sine=f=440:d={seconds}:r=48000", picture(size, seconds))
}

const H264: &str = "-c:v libx264 -preset ultrafast -crf 20 -pix_fmt yuv420p";

/// Fits every row under both limits, and looks at what comes of it.
async fn check(rows: Vec<Row>) {
    for Row { name, path, size, seconds, sound } in rows {
        let room = Room::new();
        for limit in [10 * MIB, ((seconds * TIGHT) as u64).max(30_000)] {
            let case = format!("{name} at {limit}");
            println!("{case}");
            let started = Instant::now();
            let (made, streams) = room.video(&path, limit).await;
            assert!(started.elapsed() < SOON, "{case} took {:?}", started.elapsed());
            let (width, height) = streams.size();
            if limit == 10 * MIB {
                assert!(width.abs_diff(size.0) <= 1 && height.abs_diff(size.1) <= 1, "{case}: {width} x {height}");
            }
            let shape = |(width, height): (u64, u64)| width as f64 / height as f64;
            // Even sides of a small picture cannot keep the shape exactly.
            let off = 2.5 / width.min(height) as f64;
            assert!((shape((width, height)) / shape(size) - 1.0).abs() < off.max(0.02), "{case}: {width} x {height}");
            let sar = streams.video()["sample_aspect_ratio"].as_str().unwrap_or("1:1");
            assert_eq!(sar, "1:1", "{case}");
            assert!(streams.video()["side_data_list"].is_null(), "{case}: still turned by a flag");
            assert_eq!(streams.all("audio").len(), usize::from(sound), "{case}");
            let off = (streams.duration() - seconds).abs();
            assert!(off < (seconds * 0.03).max(0.15), "{case}: {} s, not {seconds}", streams.duration());
            decodes(&made.path);
        }
    }
}

/// Every packet can be decoded, and ffmpeg has nothing to say about it.
fn decodes(path: &Path) {
    let ended = std::process::Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-xerror", "-i"])
        .arg(path)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() && said.is_empty(), "{}: {said}", path.display());
}

#[tokio::test]
async fn colours_and_fields_of_every_kind_become_plain_ones() {
    let hdr = "-vf format=yuv420p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,\
               zscale=t=smpte2084:p=bt2020:m=bt2020nc:npl=200,format=yuv420p10le -c:v libx265 -preset ultrafast \
               -x265-params log-level=error -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc";
    let hlg = hdr.replace("smpte2084", "arib-std-b67");
    check(vec![
        row("c-hdr.mp4", &format!("{} {hdr}", picture("640x360", 1.0)), (640, 360), 1.0, false),
        row("c-hlg.mkv", &format!("{} {hlg}", picture("640x360", 1.0)), (640, 360), 1.0, false),
        row(
            "c-ten-444.mkv",
            &format!("{} -c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv444p10le", picture("640x360", 1.0)),
            (640, 360),
            1.0,
            false,
        ),
        row(
            "c-alpha.webm",
            "-f lavfi -i testsrc2=s=320x240:r=25:d=1,format=yuva420p,colorchannelmixer=aa=0.5 -c:v libvpx-vp9 \
             -deadline realtime -cpu-used 8",
            (320, 240),
            1.0,
            false,
        ),
        row(
            "c-fields.mp4",
            "-f lavfi -i testsrc2=s=720x576:r=50:d=1,interlace -c:v libx264 -preset ultrafast -flags +ilme+ildct -pix_fmt yuv420p",
            (720, 576),
            1.0,
            false,
        ),
        row("c-rgb.avi", &format!("{} -c:v rawvideo -pix_fmt bgr24", picture("160x90", 1.0)), (160, 90), 1.0, false),
    ])
    .await;
}

#[tokio::test]
async fn containers_of_every_kind_become_an_mp4() {
    let base = av("640x360", 2.0);
    check(vec![
        row(
            "c-fragments.mp4",
            &format!("{base} {H264} -c:a aac -movflags +frag_keyframe+empty_moov"),
            (640, 360),
            2.0,
            true,
        ),
        row("c-packed.avi", &format!("{base} -c:v mpeg4 -bf 2 -q:v 4 -c:a mp3"), (640, 360), 2.0, true),
        row("c-xvid.avi", &format!("{base} -c:v libxvid -q:v 4 -c:a mp2"), (640, 360), 2.0, true),
        row("c-flash.flv", &format!("{base} -c:v flv -q:v 4 -c:a mp3 -ar 44100"), (640, 360), 2.0, true),
        row("c-pcm.mov", &format!("{base} {H264} -c:a pcm_s16le"), (640, 360), 2.0, true),
        row("c-av1.webm", &format!("{base} -c:v libsvtav1 -preset 12 -c:a libopus"), (640, 360), 2.0, true),
        row("c-window.wmv", &format!("{base} -c:v wmv2 -q:v 4 -c:a wmav2"), (640, 360), 2.0, true),
    ])
    .await;
}

#[tokio::test]
async fn sound_with_a_cover_stays_sound() {
    let cover = clip("c-cover.png", "-f lavfi -i color=red:s=300x300 -frames:v 1");
    let args = format!(
        "-f lavfi -i sine=d=20 -i {} -map 0 -map 1 -c:a libmp3lame -b:a 128k -c:v mjpeg -disposition:v attached_pic",
        cover.display()
    );
    let path = clip("c-cover.mp3", &args);
    let room = Room::new();
    for limit in [10 * MIB, 150_000] {
        let made = room.fit(&path, limit).await.unwrap();
        assert!(made.size <= limit && made.mimetype.starts_with("audio/"), "{made:?}");
        let streams = Streams::of(&made.path);
        streams.audio();
        assert!((streams.duration() - 20.0).abs() < 0.6, "{}", streams.duration());
    }
}
