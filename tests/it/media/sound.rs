//! Sound: kept, copied, encoded, or taken out of a video.

use super::*;

async fn sound(room: &Room, path: &Path, limit: u64, audio_only: bool) -> (MediaFile, Streams) {
    let made = room.fit_to(path, FitTarget { audio_only, ..FitTarget::at_most(limit) }).await.unwrap();
    assert!(made.size <= limit, "{} of {limit}", made.size);
    let streams = Streams::of(&made.path);
    assert_eq!(streams.all("audio").len(), 1);
    (made, streams)
}

#[tokio::test]
async fn formats_that_play_are_kept() {
    let room = Room::new();
    for (name, args) in [
        ("tone.mp3", "-c:a libmp3lame"),
        ("tone.m4a", "-c:a aac"),
        ("tone.ogg", "-c:a libvorbis"),
        ("tone.opus", "-c:a libopus"),
        ("tone.flac", "-c:a flac"),
        ("tone.wav", "-c:a pcm_s16le"),
    ] {
        let path = clip(name, &format!("-f lavfi -i sine=d=2 {args}"));
        let (made, _) = sound(&room, &path, 10 * MIB, false).await;
        assert_eq!((&made.path, made.filename.as_str()), (&path, name));
    }
}

#[tokio::test]
async fn sound_over_the_limit_is_encoded_to_fill_it() {
    let room = Room::new();
    let path = clip("long.wav", "-f lavfi -i anoisesrc=d=30:c=pink:r=44100 -ac 2 -c:a pcm_s16le");
    for limit in [MIB, 400_000, 120_000] {
        let (made, streams) = sound(&room, &path, limit, false).await;
        assert!(made.filename.ends_with(".m4a") && made.mimetype == "audio/mp4", "{made:?}");
        assert_eq!(streams.audio()["codec_name"], "aac");
        assert!((streams.duration() - 30.0).abs() < 0.3);
        assert!(limit == MIB || made.size as f64 > limit as f64 * 0.8, "{} of {limit}", made.size);
    }
    let error = room.fit(&path, 30_000).await.unwrap_err();
    assert_eq!(error.code(), "cannot_fit");
    assert!(error.user_text().contains("it is 30 seconds long"), "{}", error.user_text());
}

#[tokio::test]
async fn cover_art_makes_no_video() {
    let room = Room::new();
    let cover = clip("cover.png", "-f lavfi -i testsrc2=s=300x300 -frames:v 1");
    for (name, args) in [("album.mp3", "-c:a libmp3lame"), ("album.m4a", "-c:a aac -f ipod")] {
        let path = clip(
            name,
            &format!(
                "-f lavfi -i anoisesrc=d=20:r=44100 -i {} -map 0 -map 1 {args} -b:a 256k -c:v copy -disposition:v attached_pic",
                cover.display()
            ),
        );
        let (kept, _) = sound(&room, &path, 10 * MIB, false).await;
        assert_eq!(kept.path, path);
        let (made, streams) = sound(&room, &path, 200_000, false).await;
        assert!(made.filename.ends_with(".m4a") && streams.all("video").is_empty(), "{made:?}");
    }
}

#[tokio::test]
async fn the_sound_of_a_video_is_copied_or_encoded() {
    let room = Room::new();
    let av = "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -f lavfi -i sine=d=3:r=44100";
    for (name, args, codec, extension) in [
        ("aac.mp4", "-c:v libx264 -preset ultrafast -c:a aac", "aac", ".m4a"),
        ("mp3.mkv", "-c:v mpeg4 -c:a libmp3lame", "mp3", ".mp3"),
        ("opus.mkv", "-c:v mpeg4 -c:a libopus", "aac", ".m4a"),
    ] {
        let (made, streams) = sound(&room, &clip(name, &format!("{av} {args}")), 10 * MIB, true).await;
        assert!(made.filename.ends_with(extension) && made.mimetype.starts_with("audio/"), "{made:?}");
        assert_eq!(streams.audio()["codec_name"], codec, "{name}");
        assert!(streams.all("video").is_empty());
        assert!((streams.duration() - 3.0).abs() < 0.2);
    }
    let silent = clip("silent-short.mp4", "-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -preset ultrafast");
    let error = room.fit_to(&silent, FitTarget { audio_only: true, ..FitTarget::default() }).await.unwrap_err();
    assert_eq!(error.code(), "no_media");
    assert!(error.user_text().contains("no sound"), "{}", error.user_text());
}

#[tokio::test]
async fn sound_in_a_container_that_does_not_play_is_moved() {
    let room = Room::new();
    for (name, args) in [("tone.mka", "-c:a libopus"), ("tone.webm", "-c:a libopus"), ("tone.aac", "-c:a aac")] {
        let path = clip(name, &format!("-f lavfi -i sine=d=2 {args}"));
        assert!(room.describe(&path).await.mimetype.starts_with("audio/"), "{name}");
        let (made, streams) = sound(&room, &path, 10 * MIB, false).await;
        assert!(made.filename.ends_with(".m4a"), "{made:?}");
        assert_eq!(streams.audio()["codec_name"], "aac");
    }
}
