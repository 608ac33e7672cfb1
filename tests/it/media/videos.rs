//! Videos: under the limit, playing inline, with everything right about picture and sound.

use super::*;

/// A moving test picture with a beep.
const AV: &str = "-f lavfi -i testsrc2=s=640x360:r=30:d=4 -f lavfi -i sine=f=440:d=4:r=48000";
const H264: &str = "-c:v libx264 -preset ultrafast -crf 12 -pix_fmt yuv420p";

/// Four seconds of H.264 and AAC, index in front: plays inline as it is.
fn plain() -> PathBuf {
    clip("plain.mp4", &format!("{AV} {H264} -profile:v high -c:a aac -b:a 128k -movflags +faststart"))
}

/// A picture that is hard to encode.
fn noisy() -> PathBuf {
    clip(
        "noise.mp4",
        &format!(
            "-f lavfi -i testsrc2=s=480x270:r=30:d=6,noise=alls=30:allf=t -f lavfi -i sine=f=440:d=6:r=48000 {H264} \
             -c:a aac -b:a 192k"
        ),
    )
}

#[tokio::test]
async fn a_file_that_fits_and_plays_is_kept_as_it_is() {
    let room = Room::new();
    let made = room.fit(&plain(), 10 * MIB).await.unwrap();
    assert_eq!(made.path, plain());
    let unlimited = room.fit(&plain(), None).await.unwrap();
    assert_eq!(unlimited.path, plain());
    assert!(room.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn no_limit_is_ever_passed_and_little_of_it_is_wasted() {
    let room = Room::new();
    // The bytes of sound and container count most where there are few.
    for limit in [2 * MIB, 600_000, 160_000] {
        let (made, streams) = room.video(&noisy(), limit).await;
        assert!(made.size as f64 > limit as f64 * 0.85, "{} of {limit}", made.size);
        assert!((streams.duration() - 6.0).abs() < 0.2);
    }
    let heard = room.heard.lock().unwrap();
    assert!(heard.iter().all(|fraction| (0.0..=1.0).contains(fraction)));
    assert_eq!(heard.iter().filter(|fraction| **fraction == 1.0).count(), 3, "{heard:?}");
    for run in heard.split_inclusive(|fraction| *fraction == 1.0) {
        assert!(run.is_sorted() && run.len() > 3, "{run:?}");
    }
}

#[tokio::test]
async fn an_encode_that_comes_out_too_large_is_repeated_lower() {
    // A still picture that jumps twice a second, as a scrolled page does: bits hardly follow the quality.
    let page = clip(
        "page.png",
        "-f lavfi -i color=gray:s=320x360,noise=alls=100:all_seed=1,scale=640:720:flags=neighbor -frames:v 1",
    );
    let path = clip(
        "scroll.mp4",
        &format!("-loop 1 -framerate 30 -t 6 -i {} -vf crop=640:360:0:floor(t*2)*20 {H264}", page.display()),
    );
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let room = Room::new();
    for limit in [100_000, 150_000, 200_000] {
        let (made, streams) = room.video(&path, limit).await;
        assert!(made.size as f64 > limit as f64 * 0.9, "{} of {limit}", made.size);
        assert!((streams.duration() - 6.0).abs() < 0.2);
    }
    assert!(log.text().contains("a quality tried"), "nothing overshot: this test tests nothing\n{}", log.text());
}

/// ffmpeg whose second passes write a tenth more than they were told.
const GENEROUS: &str = r#"
case " $* " in *" -pass 2 "*)
    set -- "$@" --end--
    while [ "$1" != --end-- ]; do
        case "$1" in
            -b:v) set -- "$@" "$1" $(($2 * 11 / 10)); shift ;;
            *) set -- "$@" "$1" ;;
        esac
        shift
    done
    shift
esac
exec "$REAL" "$@""#;

#[tokio::test]
async fn two_passes_that_write_too_much_are_corrected_by_the_second_alone() {
    let room = Room::behind(GENEROUS, |settings| settings.preset = Some("veryfast".into()));
    let fitted = room.fit_all(&noisy(), FitTarget::at_most(300_000)).await.unwrap();
    assert_eq!((fitted.report.mode, fitted.report.attempts), (Some("2pass"), 2), "{:?}", fitted.report);
    let made = &fitted.files[0];
    assert!(made.size <= 300_000 && made.size > 270_000, "{} bytes", made.size);
}

#[tokio::test]
async fn a_picture_whose_bits_no_quality_brings_down_is_made_smaller() {
    let path = clip(
        "life.mp4",
        &format!(
            "-f lavfi -i life=s=160x90:r=30:ratio=0.3:seed=1,scale=640:360:flags=bilinear,format=yuv420p -t 5 {H264}"
        ),
    );
    let room = Room::new();
    let (_, streams) = room.video(&path, 60_000).await;
    assert!(streams.size().1 < 360 && (streams.duration() - 5.0).abs() < 0.2, "{:?}", streams.size());
}

#[tokio::test]
async fn the_codec_that_an_operator_answers_for_is_made_and_kept() {
    for (codec, name, tag) in [(VideoCodec::Hevc, "hevc", "hvc1"), (VideoCodec::Av1, "av1", "av01")] {
        let room = Room::with(|settings| {
            settings.video_codec = codec;
            settings.preset = Some("veryfast".into());
        });
        let target = FitTarget::at_most(300_000);
        let made = room.fit_to(&noisy(), target.clone()).await.unwrap();
        let streams = Streams::of(&made.path);
        let video = streams.video();
        assert_eq!((&video["codec_name"], &video["codec_tag_string"]), (&name.into(), &tag.into()));
        assert!(made.size <= 300_000 && made.size > 240_000, "{name}: {} bytes", made.size);
        assert!((streams.duration() - 6.0).abs() < 0.2, "{name}: {} s", streams.duration());
        // What fits already stays.
        assert_eq!(room.fit_to(&made.path, target).await.unwrap().path, made.path);
    }
}

#[tokio::test]
async fn no_more_encodes_run_at_once_than_allowed() {
    let room = Room::with(|settings| {
        settings.max_concurrent = 1;
        settings.preset = Some("veryfast".into());
    });
    let file = room.describe(&noisy()).await;
    let most = Mutex::new(0);
    let root = room.dir.path().display().to_string();
    let report = |_| {
        let running = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                let line = String::from_utf8_lossy(&line).into_owned();
                line.contains("libx264") && line.contains(&root)
            })
        });
        let mut most = most.lock().unwrap();
        *most = running.count().max(*most);
    };
    let target = FitTarget::at_most(300_000);
    let cancel = CancellationToken::new();
    let dirs = [1, 2, 3].map(|number| room.dir.path().join(number.to_string()));
    let fit = |dir| room.media.fit(&file, target.clone(), dir, &report, &cancel);
    let (one, two, three) = tokio::join!(fit(&dirs[0]), fit(&dirs[1]), fit(&dirs[2]));
    assert!([one, two, three].iter().all(Result::is_ok));
    assert_eq!(*most.lock().unwrap(), 1);
}

#[tokio::test]
async fn other_containers_are_remuxed_without_loss() {
    let room = Room::new();
    let original = Streams::of(&plain());
    for (name, args) in [
        ("remux.mkv", "-c copy"),
        ("remux.ts", "-c copy"),
        ("remux.flv", "-c copy"),
        ("remux.mov", "-c copy"),
        ("back.mp4", "-c copy"),
    ] {
        let path = clip(name, &format!("-i {} {args}", plain().display()));
        let (made, streams) = room.video(&path, 10 * MIB).await;
        assert_ne!(made.path, path, "{name}");
        assert_eq!(streams.packets(), original.packets(), "{name}");
        assert_eq!(
            streams.video()["bit_rate"].as_str().map(str::len),
            original.video()["bit_rate"].as_str().map(str::len)
        );
    }
}

#[tokio::test]
async fn codecs_that_do_not_play_everywhere_are_transcoded() {
    let room = Room::new();
    let short = "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -f lavfi -i sine=d=1";
    for (name, args) in [
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
        ("hevc.mp4", "-c:v libx265 -preset ultrafast -x265-params log-level=error -c:a aac"),
        ("mpeg4.avi", "-c:v mpeg4 -c:a mp3"),
        ("mpeg2.mpg", "-c:v mpeg2video -c:a mp2"),
    ] {
        let path = clip(name, &format!("{short} {args}"));
        let (_, streams) = room.video(&path, 10 * MIB).await;
        assert_eq!(streams.size(), (320, 180), "{name}");
        assert!((streams.duration() - 1.0).abs() < 0.2, "{name}: {}", streams.duration());
        streams.audio();
    }
}

#[tokio::test]
async fn odd_sizes_full_chroma_and_ten_bits_become_even_420_and_eight() {
    let path = clip(
        "odd.mkv",
        "-f lavfi -i testsrc2=s=427x241:r=25:d=1 -c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv444p10le",
    );
    let (_, streams) = Room::new().video(&path, MIB).await;
    let (width, height) = streams.size();
    assert!(width.abs_diff(427) <= 1 && height.abs_diff(241) <= 1, "{width} x {height}");
}

#[tokio::test]
async fn pixels_that_are_not_square_and_turned_pictures_are_made_upright_and_square() {
    let room = Room::new();
    let wide = clip("anamorphic.mpg", "-f lavfi -i testsrc2=s=720x576:r=25:d=1,setsar=64/45 -c:v mpeg2video -q:v 4");
    let (_, streams) = room.video(&wide, 10 * MIB).await;
    assert_eq!(streams.size(), (1024, 576));
    assert_eq!(streams.video()["sample_aspect_ratio"], "1:1");

    let turned = clip("turned.mp4", &format!("-i {} -c copy -metadata:s:v rotate=90", plain().display()));
    let size = std::fs::metadata(&turned).unwrap().len();
    let (_, streams) = room.video(&turned, size / 3).await;
    let (width, height) = streams.size();
    assert!(height > width, "{width} x {height}");
    assert!(streams.video()["side_data_list"].is_null(), "{}", streams.video());
}

#[tokio::test]
async fn frames_keep_their_times() {
    let path = clip(
        "vfr.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=640x360:r=60:d=4,select='if(lt(t,2),not(mod(n,10)),1)' -fps_mode vfr {H264} -f matroska"
        ),
    );
    let before = Streams::of(&path);
    let size = std::fs::metadata(&path).unwrap().len();
    let (_, after) = Room::new().video(&path, size * 2 / 3).await;
    assert_eq!(after.packets(), before.packets());
    assert_ne!(after.video()["avg_frame_rate"], after.video()["r_frame_rate"]);
}

#[tokio::test]
async fn silence_several_tracks_and_surround_are_handled() {
    let room = Room::new();
    let silent = clip("silent.mp4", &format!("-f lavfi -i testsrc2=s=640x360:r=30:d=2 {H264}"));
    let (_, streams) = room.video(&silent, 150_000).await;
    assert!(streams.all("audio").is_empty());

    // Two languages, the second is the default; subtitles.
    let subtitles =
        clips::made("s.srt", |path| std::fs::write(path, "1\n00:00:00,000 --> 00:00:02,000\nhello\n").unwrap());
    let many = clip(
        "many.mkv",
        &format!(
            "{AV} -f lavfi -i sine=f=880:d=4:r=44100 -i {} -map 0 -map 1 -map 2 -map 3 {H264} -c:a aac -c:s srt \
             -disposition:a:0 0 -disposition:a:1 default",
            subtitles.display()
        ),
    );
    for limit in [10 * MIB, 300_000] {
        let (_, streams) = room.video(&many, limit).await;
        assert_eq!(streams.audio()["sample_rate"], "44100", "the default track");
    }

    let surround = clip(
        "surround.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=640x360:r=30:d=2 -f lavfi -i aevalsrc=exprs=sin(440*t)|sin(550*t)|sin(660*t)|0.1*sin(60*t)|sin(770*t)|sin(880*t):c=5.1:d=2 {H264} -c:a ac3"
        ),
    );
    let (_, streams) = room.video(&surround, 10 * MIB).await;
    assert_eq!(streams.audio()["channels"], 2);
}

#[tokio::test]
async fn sound_longer_than_the_picture_stays_whole_and_nothing_starts_before_zero() {
    let room = Room::new();
    let path =
        clip("longer.mp4", &format!("-f lavfi -i testsrc2=s=640x360:r=30:d=2 -f lavfi -i sine=d=12 {H264} -c:a aac"));
    for limit in [10 * MIB, 300_000] {
        let (_, streams) = room.video(&path, limit).await;
        assert!((streams.duration() - 12.0).abs() < 0.3, "{}", streams.duration());
    }
    // A transport stream that starts at a large time, its sound a second after the picture.
    let late = clip(
        "late.ts",
        "-f lavfi -i testsrc2=s=640x360:r=30:d=4 -itsoffset 1 -f lavfi -i sine=d=3 -map 0 -map 1 -c:v mpeg2video -q:v 4 -c:a mp2 \
         -output_ts_offset 9500",
    );
    let (made, streams) = room.video(&late, 200_000).await;
    assert!((0.0..0.1).contains(&streams.start("video")) && (0.0..0.1).contains(&streams.start("audio")));
    assert!((streams.duration() - 4.0).abs() < 0.3, "{}", streams.duration());
    // The beep is heard where it was: a second of silence first.
    let end = detected(&made.path, "-af", "silencedetect=n=-40dB:d=0.5", "silence_end: ");
    assert!((end - 1.0).abs() < 0.15, "{end}");

    // The other way round: a black second, then white, to a sound that starts at once. White comes after two seconds.
    let late = clip(
        "late-picture.ts",
        "-itsoffset 1 -f lavfi -i color=white:s=320x180:r=30:d=3,drawbox=t=fill:color=black:enable='lt(t,1)' -f lavfi -i sine=d=4 \
         -map 0 -map 1 -c:v mpeg2video -q:v 4 -c:a mp2",
    );
    let (made, streams) = room.video(&late, 10 * MIB).await;
    assert!((0.0..0.1).contains(&streams.start("video")), "{}", streams.start("video"));
    let end = detected(&made.path, "-vf", "blackdetect=d=0.1", "black_end:");
    assert!((end - 2.0).abs() < 0.15, "{end}");
}

/// What one of ffmpeg's detectors says after `label`.
fn detected(path: &Path, option: &str, filter: &str, label: &str) -> f64 {
    let out = std::process::Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-i"])
        .arg(path)
        .args([option, filter, "-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    let value = text.split(label).nth(1).and_then(|rest| rest.split([' ', '\n']).next());
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

#[tokio::test]
async fn interlaced_and_hdr_pictures_are_made_progressive_and_sdr() {
    let room = Room::new();
    let fields = clip(
        "fields.mpg",
        "-f lavfi -i testsrc2=s=720x576:r=50:d=1,interlace -c:v mpeg2video -flags +ilme+ildct -q:v 4",
    );
    let (_, streams) = room.video(&fields, 10 * MIB).await;
    assert_eq!(streams.video()["field_order"], "progressive");
    let hdr = clip(
        "hdr.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -vf format=yuv420p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,zscale=t=smpte2084:p=bt2020:m=bt2020nc:npl=200,format=yuv420p10le -c:v libx265 \
         -preset ultrafast -x265-params log-level=error -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
    );
    let (_, streams) = room.video(&hdr, 10 * MIB).await;
    assert_eq!(streams.video()["color_transfer"], "bt709");
    assert_eq!(streams.video()["color_space"], "bt709");
}

#[tokio::test]
async fn transparency_is_laid_on_grey() {
    let path = clip(
        "alpha.webm",
        "-f lavfi -i color=white:s=320x240:r=25:d=1,format=yuva420p,geq=lum='p(X,Y)':cb=128:cr=128:a='if(gt(X,160),255,0)' \
         -c:v libvpx-vp9 -deadline realtime -cpu-used 8",
    );
    let room = Room::new();
    let (made, _) = room.video(&path, 10 * MIB).await;
    let pixels = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(&made.path)
        .args(["-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"])
        .output()
        .unwrap()
        .stdout;
    let at = |x: usize| pixels[120 * 320 + x];
    assert!((110..145).contains(&at(40)), "transparent half: {}", at(40));
    assert!(at(280) > 225, "opaque half: {}", at(280));
}

#[tokio::test]
async fn a_single_frame_and_a_tiny_picture_are_no_trouble() {
    let room = Room::new();
    let one = clip("one.mkv", "-f lavfi -i testsrc2=s=640x360:r=25 -frames:v 1 -c:v mpeg4 -q:v 2");
    let (_, streams) = room.video(&one, 10 * MIB).await;
    assert_eq!(streams.packets(), 1);
    let tiny = clip("tiny.mkv", "-f lavfi -i testsrc2=s=32x18:r=25:d=0.4 -c:v mpeg4 -q:v 2");
    let (_, streams) = room.video(&tiny, 10 * MIB).await;
    assert_eq!((streams.size(), streams.packets()), ((32, 18), 10));
    let (_, streams) = room.video(&tiny, 6000).await;
    assert!(streams.packets() > 4);
}

#[tokio::test]
async fn recordings_without_a_length_are_encoded_all_the_same() {
    let path = clips::made("nodur.webm", |path| {
        let out = std::process::Command::new("ffmpeg")
            .args(format!("-v error -nostdin {AV} -c:v libvpx -b:v 2M -deadline realtime -cpu-used 8 -c:a libopus -f webm -live 1 pipe:1").split(' '))
            .output()
            .unwrap();
        std::fs::write(path, out.stdout).unwrap();
    });
    assert!(Streams::of(&path).0["format"]["duration"].is_null());
    let (_, streams) = Room::new().video(&path, 300_000).await;
    assert!((streams.duration() - 4.0).abs() < 0.2, "{}", streams.duration());
}

#[tokio::test]
async fn what_cannot_fit_is_said_before_anything_is_encoded() {
    let room = Room::new();
    let path = clip(
        "long.mp4",
        "-f lavfi -i color=gray:s=64x36:r=1:d=600 -f lavfi -i anullsrc=d=600 -c:v libx264 -preset ultrafast -c:a aac -b:a 16k",
    );
    let error = room.fit(&path, 20_000).await.unwrap_err();
    assert_eq!(error.code(), "cannot_fit");
    assert!(error.user_text().contains("it is 10 minutes long; at 20 kB"), "{}", error.user_text());
    assert!(room.heard.lock().unwrap().is_empty());

    let file = room.describe(&noisy()).await;
    let cancel = CancellationToken::new();
    for (limit, want) in
        [(Some(100 * MIB), "remux"), (Some(300_000), "encode to "), (Some(20_000), "can't be made small enough")]
    {
        let target = FitTarget::at_most(limit);
        let words = room.media.feasibility(&file, target, &cancel).await.unwrap();
        assert!(words.contains(want), "{limit:?}: {words}");
    }
}

#[tokio::test]
async fn picture_and_sound_of_two_files_are_joined() {
    let room = Room::new();
    let sound = clip("opus.webm", "-f lavfi -i sine=d=4 -c:a libopus");
    let m4a = clip("m4a.m4a", "-f lavfi -i sine=d=4 -c:a aac");
    let picture = clip(
        "picture.mp4",
        &format!("-f lavfi -i testsrc2=s=320x180:r=30:d=4 {H264} -movflags +frag_keyframe+empty_moov"),
    );
    let out = room.dir.path().join("joined.mp4");
    for sound in [sound, m4a] {
        room.media.mux(&picture, &sound, &out, &CancellationToken::new()).await.unwrap();
        let streams = Streams::of(&out);
        assert_eq!((&streams.video()["codec_name"], &streams.audio()["codec_name"]), (&"h264".into(), &"aac".into()));
        assert_eq!(streams.packets(), 120);
        let kept = room.fit(&out, 10 * MIB).await.unwrap();
        assert_eq!(kept.path, out, "what was joined plays as it is");
    }
    let page = clips::made("page.html", |path| std::fs::write(path, "<html>Sign in</html>").unwrap());
    for (picture, sound) in [(&m4a_only(), &m4a_only()), (&page, &m4a_only()), (&picture, &page)] {
        let error = room.media.mux(picture, sound, &out, &CancellationToken::new()).await.unwrap_err();
        assert_eq!(error.code(), "platform_changed");
    }
}

fn m4a_only() -> PathBuf {
    clip("m4a.m4a", "-f lavfi -i sine=d=4 -c:a aac")
}

#[tokio::test]
async fn a_summary_tells_codecs_size_and_length() {
    let summary = Room::new().media.summary(&plain()).await.unwrap();
    assert_eq!((summary.video_codec.as_deref(), summary.audio_codec.as_deref()), (Some("h264"), Some("aac")));
    assert_eq!((summary.width, summary.height), (Some(640), Some(360)));
    assert!((summary.duration.unwrap() - 4.0).abs() < 0.1);
}
