//! What a file can do to the machine through ffmpeg: no more than it is allowed.

use std::time::{Duration, Instant};

use super::*;

#[tokio::test]
async fn files_with_hundreds_of_streams_are_refused_with_a_reason() {
    let room = Room::new();
    let one = clip("stream.m4a", "-f lavfi -i sine=d=0.1 -c:a aac");
    let maps = "-map 0:a ".repeat(300);
    let many = clip("streams.mp4", &format!("-i {} {maps} -c copy", one.display()));
    for limit in [Some(10 * MIB), Some(10_000), None] {
        let started = Instant::now();
        let error = room.fit(&many, limit).await.unwrap_err();
        assert_eq!(error.code(), "cannot_fit", "{error}");
        assert!(error.user_text().contains("too many streams"), "{}", error.user_text());
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
    // A film with a dozen languages is none of them.
    let maps = "-map 0:a ".repeat(24);
    let film = clip("languages.mp4", &format!("-i {} {maps} -c copy", one.display()));
    let made = room.fit(&film, 10 * MIB).await.unwrap();
    assert!(made.size > 0);
}

#[tokio::test]
async fn absurd_sound_ends_in_a_file_or_a_reason() {
    let room = Room::new();
    let wav = |channels: u16, rate: u32, bits: u16| {
        let data = vec![0x55; 40_000];
        let block = channels.wrapping_mul(bits / 8);
        let mut bytes = b"RIFF".to_vec();
        bytes.extend((36 + data.len() as u32).to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
        bytes.extend(channels.to_le_bytes());
        bytes.extend(rate.to_le_bytes());
        bytes.extend(rate.wrapping_mul(u32::from(block)).to_le_bytes());
        bytes.extend(block.to_le_bytes());
        bytes.extend(bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes
    };
    for (number, (channels, rate, bits)) in [
        (0, 44_100, 16),
        (65_535, 44_100, 16),
        (512, 48_000, 16),
        (2, 0, 16),
        (2, 1, 16),
        (2, u32::MAX, 16),
        (2, 44_100, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let path = room.dir.path().join(format!("{number}.wav"));
        std::fs::write(&path, wav(channels, rate, bits)).unwrap();
        for audio_only in [false, true] {
            let started = Instant::now();
            let target = FitTarget { audio_only, ..FitTarget::at_most(20_000) };
            match room.fit_to(&path, target).await {
                Ok(made) => assert!(made.size <= 20_000),
                Err(error) => assert!(["cannot_fit", "no_media"].contains(&error.code()), "{number}: {error}"),
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{number} took {:?}", started.elapsed());
        }
    }
}

#[tokio::test]
async fn every_run_is_held_to_its_share_of_the_machine() {
    // What ffmpeg and ffprobe are called with, and what the kernel allows them, written down by a wrapper.
    // Links rather than files: ffprobe may write none.
    let room = Room::behind(
        r#"ln -s "$(basename "$0") $*" "$HERE/call-$$"
        ln -s "$(nice) $(ulimit -d) $(ulimit -f)" "$HERE/limits-$$"
        exec "$REAL" "$@""#,
        |settings| settings.max_concurrent = 64,
    );
    let source = clip("limits.mkv", "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i sine=d=2 -c:v mpeg4 -c:a ac3");
    room.video(&source, 60_000).await;
    let told = |prefix: &str| -> Vec<String> {
        let entries = std::fs::read_dir(room.dir.path()).unwrap().flatten();
        let own = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        own.map(|entry| std::fs::read_link(entry.path()).unwrap().to_string_lossy().into_owned()).collect()
    };
    let calls = told("call-");
    assert!(calls.len() >= 3, "{calls:?}");
    for call in &calls {
        let words: Vec<_> = call.split(' ').collect();
        assert!(words.iter().any(|word| word.starts_with("file:")), "{call}");
        assert!(call.contains("-max_alloc "), "{call}");
        // What we made ourselves (samples, the finished sound) is no stranger's.
        if words[0] == "ffprobe" || call.contains("limits.mkv") {
            for guard in ["-protocol_whitelist file", "-format_whitelist mov,", "-max_pixels ", "-max_streams "] {
                assert!(call.contains(guard), "{guard}: {call}");
            }
        }
        if words[0] == "ffmpeg" {
            assert!(call.contains("-filter_threads 1 -filter_complex_threads 1"), "{call}");
            assert!(call.contains("-threads 1 "), "{call}");
        }
    }
    for limits in told("limits-") {
        let words: Vec<_> = limits.split_ascii_whitespace().collect();
        assert_eq!(words[0], "10", "nice: {limits}");
        assert_ne!(words[1], "unlimited", "memory: {limits}");
        assert_ne!(words[2], "unlimited", "file size: {limits}");
    }
}
