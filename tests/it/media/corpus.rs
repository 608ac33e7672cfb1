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
            let (width, height) = shown(&streams);
            if limit == 10 * MIB {
                assert!(width.abs_diff(size.0) <= 1 && height.abs_diff(size.1) <= 1, "{case}: {width} x {height}");
            }
            let shape = |(width, height): (u64, u64)| width as f64 / height as f64;
            // Even sides of a small picture cannot keep the shape exactly.
            let off = 2.5 / width.min(height) as f64;
            assert!((shape((width, height)) / shape(size) - 1.0).abs() < off.max(0.02), "{case}: {width} x {height}");
            // What is copied keeps its odd pixels and its flag, which players honour; what is encoded has neither.
            if limit < 10 * MIB {
                assert_eq!(shown(&streams), streams.size(), "{case}: still stretched or turned");
            }
            assert_eq!(streams.all("audio").len(), usize::from(sound), "{case}");
            let off = (streams.duration() - seconds).abs();
            assert!(off < (seconds * 0.03).max(0.15), "{case}: {} s, not {seconds}", streams.duration());
            decodes(&made.path);
        }
    }
}

/// Width and height as a player shows them.
fn shown(streams: &Streams) -> (u64, u64) {
    let ((width, height), video) = (streams.size(), streams.video());
    let sar = video["sample_aspect_ratio"].as_str().and_then(|text| text.split_once(':'));
    let sar = sar.map_or(1.0, |(above, below)| above.parse::<f64>().unwrap() / below.parse::<f64>().unwrap());
    let wide = (width as f64 * sar).round() as u64;
    let turned = video["side_data_list"][0]["rotation"].as_i64().is_some_and(|degrees| degrees % 180 != 0);
    if turned { (height, wide) } else { (wide, height) }
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
async fn pictures_of_every_shape_become_even_square_and_upright() {
    let upright = clip("corpus-plain.mp4", &format!("{} {H264} -c:a aac", av("640x360", 2.0)));
    let turned = |degrees| format!("-i {} -c copy -metadata:s:v rotate={degrees}", upright.display());
    let anamorphic = format!("{},setsar=64/45 {H264}", picture("720x576", 1.0));
    check(vec![
        row(
            "c-odd.mp4",
            &format!("{} -c:v libx264 -preset ultrafast -pix_fmt yuv444p", picture("427x241", 1.0)),
            (427, 241),
            1.0,
            false,
        ),
        row(
            "c-odd-height.mkv",
            &format!("{} -c:v libx264 -preset ultrafast -pix_fmt yuv444p", picture("640x359", 1.0)),
            (640, 359),
            1.0,
            false,
        ),
        row("c-anamorphic.mp4", &anamorphic, (1024, 576), 1.0, false),
        row("c-turned-270.mp4", &turned(270), (360, 640), 2.0, true),
        row("c-portrait.mp4", &format!("{} {H264} -c:a aac", av("540x960", 1.0)), (540, 960), 1.0, true),
        row("c-wide.mp4", &format!("{} {H264}", picture("5120x240", 1.0)), (3840, 180), 1.0, false),
        row(
            "c-tiny.mp4",
            "-f lavfi -i testsrc2=s=32x18:r=25 -frames:v 1 -c:v libx264 -pix_fmt yuv420p",
            (32, 18),
            0.04,
            false,
        ),
        row("c-fast.mp4", &format!("-f lavfi -i testsrc2=s=640x360:r=120:d=1 {H264}"), (640, 360), 1.0, false),
    ])
    .await;
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
async fn of_many_streams_one_picture_and_one_sound_stay() {
    let words = clips::made("c-words.srt", |path| {
        std::fs::write(path, "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n2\n00:00:01,000 --> 00:00:01,900\nWorld\n")
            .unwrap();
    });
    let cover = clip("c-cover.png", "-f lavfi -i color=red:s=300x300 -frames:v 1");
    let (words, cover) = (words.display(), cover.display());
    let base = av("640x360", 2.0);
    check(vec![
        row("c-silent.mp4", &format!("{} {H264}", picture("640x360", 2.0)), (640, 360), 2.0, false),
        row(
            "c-tracks.mkv",
            &format!("{base} -f lavfi -i sine=f=880:d=2 -map 0 -map 1 -map 2 {H264} -c:a libopus -disposition:a:1 default -disposition:a:0 0"),
            (640, 360),
            2.0,
            true,
        ),
        row("c-surround.mkv", &format!("{base} {H264} -c:a ac3 -ac 6"), (640, 360), 2.0, true),
        row("c-words.mkv", &format!("{base} -i {words} -map 0 -map 1 -map 2 {H264} -c:a aac -c:s srt"), (640, 360), 2.0, true),
        row("c-words.mp4", &format!("{base} -i {words} -map 0 -map 1 -map 2 {H264} -c:a aac -c:s mov_text"), (640, 360), 2.0, true),
        row(
            "c-cover.mp4",
            &format!("{base} -i {cover} -map 0 -map 1 -map 2 {H264} -c:a aac -c:v:1 png -disposition:v:1 attached_pic"),
            (640, 360),
            2.0,
            true,
        ),
        row("c-attached.mkv", &format!("{base} {H264} -c:a aac -attach {words} -metadata:s:t mimetype=text/plain"), (640, 360), 2.0, true),
    ])
    .await;
}

#[tokio::test]
async fn times_of_every_kind_begin_at_zero_and_last_as_long_as_before() {
    let base = clip("corpus-times.mp4", &format!("{} {H264} -g 15 -c:a aac", av("640x360", 4.0)));
    let base = base.display();
    let recorded = clips::made("c-recorded.webm", |path| {
        let args = format!(
            "-v error -nostdin {} -c:v libvpx -b:v 1M -deadline realtime -cpu-used 8 -c:a libopus -f webm -live 1 pipe:1",
            av("640x360", 2.0)
        );
        let out = std::process::Command::new("ffmpeg").args(args.split_ascii_whitespace()).output().unwrap();
        std::fs::write(path, out.stdout).unwrap();
    });
    check(vec![
        row(
            "c-vfr.mp4",
            &format!("-f lavfi -i testsrc2=s=640x360:r=30:d=4,select='lt(n,30)+not(mod(n,7))' -fps_mode vfr {H264}"),
            (640, 360),
            4.0,
            false,
        ),
        row("c-late.ts", &format!("-i {base} -c copy -output_ts_offset 95000"), (640, 360), 4.0, true),
        row("c-edit.mov", &format!("-ss 1.2 -i {base} -c copy"), (640, 360), 2.8, true),
        row(
            "c-long-sound.mp4",
            &format!("{} -f lavfi -i sine=d=5 {H264} -c:a aac", picture("640x360", 2.0)),
            (640, 360),
            5.0,
            true,
        ),
        row(
            "c-short-sound.mkv",
            &format!("{} -f lavfi -i sine=d=1 {H264} -c:a aac", picture("640x360", 3.0)),
            (640, 360),
            3.0,
            true,
        ),
        Row { name: "c-recorded.webm", path: recorded, size: (640, 360), seconds: 2.0, sound: true },
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
async fn three_hours_of_a_still_picture_are_no_trouble() {
    let still = clip("c-still.png", "-f lavfi -i testsrc2=s=320x180 -frames:v 1");
    let path = clip(
        "c-hours.mp4",
        &format!(
            "-loop 1 -framerate 1 -i {} -t 10800 -c:v libx264 -preset ultrafast -g 600 -pix_fmt yuv420p",
            still.display()
        ),
    );
    let room = Room::new();
    let size = std::fs::metadata(&path).unwrap().len();
    for limit in [10 * MIB, size * 9 / 10] {
        let started = Instant::now();
        match room.fit(&path, limit).await {
            Ok(made) => {
                let streams = Streams::of(&made.path);
                assert!(made.size <= limit);
                assert!((streams.duration() - 10_800.0).abs() < 330.0, "{}", streams.duration());
            }
            // Less than any picture needs: so it is said.
            Err(error) => {
                assert!(limit < size && error.code() == "cannot_fit", "{error}");
            }
        }
        assert!(started.elapsed() < SOON, "{limit} took {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn time_stamps_that_jump_give_what_there_is() {
    let part = |name, offset| {
        let args = format!("{} {H264} -c:a aac -output_ts_offset {offset}", av("640x360", 2.0));
        std::fs::read(clip(name, &args)).unwrap()
    };
    let (first, second) = (part("c-jump-1.ts", 0), part("c-jump-2.ts", 700));
    let path = clips::made("c-jump.ts", |path| std::fs::write(path, [first, second].concat()).unwrap());
    let room = Room::new();
    for limit in [10 * MIB, 150_000] {
        let started = Instant::now();
        let made = room.fit(&path, limit).await.unwrap_or_else(|error| panic!("{limit}: {error}"));
        assert!(started.elapsed() < SOON && made.size <= limit);
        let streams = Streams::of(&made.path);
        // Both halves, whatever is made of the time between them.
        assert!(streams.packets() > 90, "{} frames", streams.packets());
        decodes(&made.path);
    }
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
