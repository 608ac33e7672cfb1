//! Files that are broken, or made to harm.

use std::time::{Duration, Instant};

use super::*;

/// Hostile files must end soon, whatever they end in.
const SOON: Duration = Duration::from_secs(20);

async fn refused(room: &Room, path: &Path, limit: impl Into<Option<u64>>) -> String {
    let started = Instant::now();
    let error = match room.fit(path, limit).await {
        Ok(made) => panic!("{} was accepted: {made:?}", path.display()),
        Err(error) => error,
    };
    assert!(started.elapsed() < SOON, "{} took {:?}", path.display(), started.elapsed());
    assert_eq!(error.code(), "cannot_fit", "{error}");
    let text = error.user_text();
    assert!(!text.contains('/') && !text.contains("ffmpeg"), "{text}");
    text
}

fn written(name: &str, bytes: &[u8]) -> PathBuf {
    clips::made(name, |path| std::fs::write(path, bytes).unwrap())
}

#[tokio::test]
async fn empty_garbage_and_text_are_refused_with_a_reason() {
    let room = Room::new();
    let mut seed = 1u32;
    let garbage: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(100_000)
    .collect();
    for (name, bytes, reason) in [
        ("empty.mp4", &b""[..], "empty"),
        ("garbage.mp4", &garbage, "damaged or isn't media"),
        ("page.mp4", b"<!DOCTYPE html><html><body>Sign in to continue</body></html>", "isn't"),
        ("words.mp4", b"not found", "isn't"),
        ("header.mp4", b"\0\0\0\x18ftypisom\0\0\0\0isomavc1\0\0\x10\0mdat12345678", "incomplete"),
        ("header.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0", "damaged"),
        ("header.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "damaged"),
    ] {
        let path = written(name, bytes);
        for limit in [Some(10 * MIB), Some(4), None] {
            let text = refused(&room, &path, limit).await;
            assert!(text.contains(reason), "{name}: {text}");
        }
    }
}

#[tokio::test]
async fn of_a_cut_file_what_there_is_is_delivered() {
    let room = Room::new();
    let whole = clip(
        "whole.mp4",
        "-f lavfi -i testsrc2=s=640x360:r=30:d=6 -f lavfi -i sine=d=6 -c:v libx264 -preset ultrafast -g 30 -c:a aac -movflags +faststart",
    );
    let bytes = std::fs::read(&whole).unwrap();
    let cut = written("cut.mp4", &bytes[..bytes.len() * 6 / 10]);
    for limit in [10 * MIB, 300_000] {
        let (made, streams) = room.video(&cut, limit).await;
        assert_ne!(made.path, cut);
        assert!((2.0..5.0).contains(&streams.duration()), "{}", streams.duration());
    }
}

#[tokio::test]
async fn damaged_files_end_in_a_playable_file_or_a_reason() {
    let room = Room::new();
    let av = "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -f lavfi -i sine=d=1";
    let files = [
        clip("d.mp4", &format!("{av} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -movflags +faststart")),
        clip("d.mkv", &format!("{av} -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a libopus")),
        clip("d.webm", &format!("{av} -c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis")),
        clip("d.gif", "-f lavfi -i testsrc2=s=160x90:r=10:d=1"),
        clip("d.mp3", "-f lavfi -i sine=d=1"),
        clip("d.jpg", "-f lavfi -i testsrc2=s=160x90 -frames:v 1"),
        clip("d.png", "-f lavfi -i testsrc2=s=160x90 -frames:v 1"),
    ];
    let mut seed = 3u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let mut played = 0;
    for file in &files {
        let whole = std::fs::read(file).unwrap();
        for (damage, cut) in [(3, false), (whole.len() / 50, false), (0, true)] {
            let mut bytes = whole.clone();
            for _ in 0..damage {
                // The first bytes stay, or it is only garbage.
                let at = 16 + random(bytes.len() - 16);
                bytes[at] = random(256) as u8;
            }
            if cut {
                bytes.truncate(bytes.len() / 2);
            }
            let path = room.dir.path().join(file.file_name().unwrap());
            std::fs::write(&path, &bytes).unwrap();
            let limit = bytes.len() as u64 * 2 / 3;
            let started = Instant::now();
            match room.fit(&path, limit).await {
                Ok(made) => {
                    assert!(made.size <= limit);
                    Streams::of(&made.path);
                    played += 1;
                }
                Err(error) => {
                    assert!(["cannot_fit", "no_media"].contains(&error.code()), "{}: {error}", path.display())
                }
            }
            assert!(started.elapsed() < SOON, "{} took {:?}", path.display(), started.elapsed());
        }
    }
    assert!(played > 5, "only {played} were saved");
}

#[tokio::test]
async fn a_playlist_posing_as_a_video_reads_no_other_file() {
    let room = Room::new();
    let secret = clip("secret.ts", "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -c:v libx264 -preset ultrafast");
    let hls = |target: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n");
    let secret = secret.display().to_string();
    let concat = format!("ffconcat version 1.0\nfile '{secret}'\n");
    for (name, text) in [
        ("evil-url.mp4", hls(&format!("file://{secret}"))),
        ("evil-path.mp4", hls(&secret)),
        ("evil-name.mp4", hls("secret.ts")),
        ("evil-http.mp4", hls("http://127.0.0.1:1/x.ts")),
        ("evil-concat.mp4", concat),
    ] {
        for limit in [Some(10 * MIB), Some(10), None] {
            refused(&room, &written(name, text.as_bytes()), limit).await;
        }
    }
    // The same file asked for directly is fine: it is the playlist that is refused.
    room.video(Path::new(&secret), 10 * MIB).await;
}

#[tokio::test]
async fn giant_frames_are_refused_before_they_are_decoded() {
    let room = Room::new();
    let wide = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/media/wide.mp4");
    for limit in [Some(10 * MIB), Some(20_000), None] {
        let text = refused(&room, &wide, limit).await;
        assert!(text.contains("too large"), "{text}");
    }
}

#[tokio::test]
async fn picture_bombs_are_refused_before_they_are_decoded() {
    let room = Room::new();
    // 60,000 x 60,000 pixels on paper.
    let mut gif = b"GIF89a\x60\xea\x60\xea\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    for _ in 0..50 {
        gif.extend_from_slice(b"\x2c\0\0\0\0\x60\xea\x60\xea\0\x02\x02\x44\x01\0");
    }
    gif.push(b';');
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let ihdr = b"IHDR\0\0\xea\x60\0\0\xea\x60\x08\x06\0\0\0";
    png.extend_from_slice(&13u32.to_be_bytes());
    png.extend_from_slice(ihdr);
    png.extend_from_slice(&crc(ihdr).to_be_bytes());
    let idat = b"IDAT\x78\x9c\x63\0\0\0\x01\0\x01";
    png.extend_from_slice(&9u32.to_be_bytes());
    png.extend_from_slice(idat);
    png.extend_from_slice(&crc(idat).to_be_bytes());
    let webp = b"RIFF\x2a\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\xff\x3f\0\xff\x3f\0ANIM\x06\0\0\0\0\0\0\0\0\0ANMF\0\0\0\0";
    // A JPEG of 16,000 x 8,000 pixels without content: with it, 100 kB.
    let mut jpeg = b"\xff\xd8\xff\xc0\0\x11\x08\x1f\x40\x3e\x80\x03\x01\x22\0\x02\x11\x01\x03\x11\x01".to_vec();
    jpeg.resize(100_000, 0);
    for (name, bytes) in [("bomb.gif", &gif[..]), ("bomb.png", &png), ("bomb.webp", webp), ("bomb.jpg", &jpeg)] {
        let path = written(name, bytes);
        let before = peak_memory();
        for limit in [Some(10 * MIB), Some(10), None] {
            refused(&room, &path, limit).await;
        }
        assert!(peak_memory() < before + (200 << 10), "{name} was decoded");
    }
}

#[tokio::test]
async fn compressed_text_and_profiles_are_not_unpacked() {
    let room = Room::new();
    // 600 MB of nothing, as a profile and as a comment of a picture of four pixels.
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(9));
    for _ in 0..600 {
        std::io::Write::write_all(&mut packed, &vec![0; 1 << 20]).unwrap();
    }
    let packed = packed.finish().unwrap();
    let dot = clip("dot-rgb.png", "-f lavfi -i color=red:s=2x2 -frames:v 1 -pix_fmt rgb24");
    let dot = std::fs::read(dot).unwrap();
    for (name, kind, head) in [("iccp.png", b"iCCP", &b"icc\0\0"[..]), ("ztxt.png", b"zTXt", b"Comment\0\0")] {
        let content = [kind, head, &packed].concat();
        let length = u32::try_from(content.len() - 4).unwrap().to_be_bytes();
        let bytes = [&dot[..33], &length, &content, &crc(&content).to_be_bytes(), &dot[33..]].concat();
        let path = room.dir.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        let before = peak_memory();
        let started = Instant::now();
        for limit in [Some(10 * MIB), Some(300_000), None] {
            // It may be refused; a picture without its bomb is as good.
            match room.fit(&path, limit).await {
                Ok(made) => assert!(made.size <= limit.unwrap_or(u64::MAX), "{name}"),
                Err(error) => assert_eq!(error.code(), "cannot_fit", "{name}: {error}"),
            }
        }
        assert!(started.elapsed() < SOON, "{name} took {:?}", started.elapsed());
        assert!(peak_memory() < before + (200 << 10), "{name} was unpacked");
    }
}

/// The most memory this process ever had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_ffmpeg_at_once_and_leaves_nothing() {
    let path = clip(
        "slow.mp4",
        "-f lavfi -i testsrc2=s=1280x720:r=30:d=10 -c:v libx264 -preset ultrafast -crf 20 -pix_fmt yuv420p",
    );
    let room = Room::with(|settings| settings.preset = Some("veryslow".into()));
    let file = room.describe(&path).await;
    let out = room.dir.path().join("out");
    let cancel = CancellationToken::new();
    // The first progress is heard while ffmpeg works: the moment to cancel.
    let (token, at) = (cancel.clone(), Arc::new(Mutex::new(None)));
    let cancelled = Arc::clone(&at);
    let report = move |_| {
        cancelled.lock().unwrap().get_or_insert_with(Instant::now);
        token.cancel();
    };
    let target = FitTarget::at_most(300_000);
    let error = room.media.fit(&file, target, &out, &report, &cancel).await.unwrap_err();
    assert_eq!(error.code(), "cancelled");
    let since = at.lock().unwrap().expect("progress was heard");
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0, "something is left");
    let mine = room.dir.path().display().to_string();
    let alive = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
            let line = String::from_utf8_lossy(&line).into_owned();
            line.contains("ffmpeg") && line.contains(&mine)
        })
    });
    assert!(!alive, "ffmpeg still runs");
}

#[tokio::test]
async fn names_that_look_like_options_or_links_are_just_files() {
    let room = Room::new();
    let source = clip("named.mkv", "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -preset ultrafast");
    for name in ["-i.mkv", "http:x.mkv", "a b'c\"%d.mkv", "concat:x|y.mkv", "ü😀.mkv"] {
        let path = room.dir.path().join(name);
        std::fs::copy(&source, &path).unwrap();
        room.video(&path, 10 * MIB).await;
    }
}
