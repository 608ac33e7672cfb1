//! Sound: kept, copied, encoded, or taken out of a video; with its tags and its cover.

use boss_bot::{
    media::Tags,
    model::{AudioFormat, FitWish},
};

use super::*;

fn wanting(limit: impl Into<Option<u64>>, audio_format: AudioFormat) -> FitTarget {
    let wish = FitWish { audio_format, ..FitWish::default() };
    FitTarget { audio_only: true, wish, ..FitTarget::at_most(limit) }
}

async fn sound_to(room: &Room, path: &Path, target: FitTarget) -> (MediaFile, Streams) {
    let limit = target.max_bytes.unwrap_or(u64::MAX);
    let made = room.fit_to(path, target).await.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(made.size <= limit, "{} of {limit}", made.size);
    assert_eq!(made.size, std::fs::metadata(&made.path).unwrap().len());
    assert!(made.mimetype.starts_with("audio/"), "{made:?}");
    let streams = Streams::of(&made.path);
    assert_eq!(streams.all("audio").len(), 1);
    // The whole of it can be decoded.
    clips::ffmpeg(&format!("-xerror -i {} -map 0:a -f null", made.path.display()), Path::new("-"));
    (made, streams)
}

async fn sound(room: &Room, path: &Path, limit: u64, audio_only: bool) -> (MediaFile, Streams) {
    sound_to(room, path, FitTarget { audio_only, ..FitTarget::at_most(limit) }).await
}

/// What there is of tags, wherever the container keeps them.
fn tags(streams: &Streams) -> serde_json::Map<String, Value> {
    let mut all = serde_json::Map::new();
    for place in [&streams.0["format"]["tags"], &streams.audio()["tags"]] {
        let found = place.as_object().into_iter().flatten();
        all.extend(found.map(|(name, value)| (name.to_lowercase(), value.clone())));
    }
    all
}

/// The hardest there is to encode, in stereo.
const NOISE: &str = "-f lavfi -i aevalsrc=0.2*random(0)|0.2*random(1):s=44100";

/// Half a minute of it.
fn noise() -> PathBuf {
    clip("noise.wav", &format!("{NOISE}:d=30 -c:a pcm_s16le"))
}

/// Half a minute of changing chords with a little noise, as music is to an encoder.
fn chords(name: &str, args: &str) -> PathBuf {
    let wave = "0.3*sin(2*PI*t*(220+110*floor(mod(t*2\\,4))))+0.2*sin(2*PI*t*(440+55*floor(mod(t*3\\,5))))+0.03*random";
    clip(name, &format!("-f lavfi -i aevalsrc={wave}(0)|{wave}(1):s=44100:d=30 {args}"))
}

#[tokio::test]
async fn formats_that_play_are_kept() {
    let room = Room::new();
    for (name, args, kept) in [
        ("tone.mp3", "-c:a libmp3lame", "tone.mp3"),
        ("tone.m4a", "-c:a aac", "tone.m4a"),
        ("tone.ogg", "-c:a libvorbis", "tone.ogg"),
        ("tone.opus", "-c:a libopus", "tone.ogg"),
        ("tone.flac", "-c:a flac", "tone.flac"),
        ("tone.wav", "-c:a pcm_s16le", "tone.wav"),
    ] {
        let path = clip(name, &format!("-f lavfi -i sine=d=2 {args}"));
        let (made, _) = sound(&room, &path, 10 * MIB, false).await;
        assert_eq!((&made.path, made.filename.as_str()), (&path, kept));
    }
}

#[tokio::test]
async fn sound_over_the_limit_is_encoded_to_fill_it() {
    let room = Room::new();
    for source in [noise(), chords("chords.wav", "-c:a pcm_s16le")] {
        for (limit, codec, channels) in
            [(750_000, "aac", 2), (600_000, "aac", 2), (400_000, "opus", 2), (200_000, "opus", 2), (100_000, "opus", 1)]
        {
            let (made, streams) = sound(&room, &source, limit, false).await;
            assert_eq!(streams.audio()["codec_name"], codec, "{limit}");
            assert_eq!(streams.audio()["channels"], channels, "{limit}");
            assert!((streams.duration() - 30.0).abs() < 0.3, "{}", streams.duration());
            let fill = made.size as f64 / limit as f64;
            assert!(fill >= 0.97, "{fill:.3} of {limit}: {}", source.display());
        }
        // Where there is more room than anybody hears, it is left.
        let (made, streams) = sound(&room, &source, 2 * MIB, false).await;
        assert_eq!(streams.audio()["codec_name"], "aac");
        assert!(made.size < MIB + MIB / 8, "{}", made.size);
        let error = room.fit(&source, 30_000).await.unwrap_err();
        assert_eq!(error.code(), "cannot_fit");
        assert!(error.user_text().contains("it is 30 seconds long"), "{}", error.user_text());
    }
}

#[tokio::test]
async fn what_has_lost_nothing_is_packed_without_loss_where_that_fits() {
    let room = Room::new();
    let sine = |name, args: &str| clip(name, &format!("-f lavfi -i sine=d=20:r=48000 -ac 2 {args}"));
    for (path, room_for_it) in [
        (sine("packs.wav", "-c:a pcm_s24le"), 0.6),
        (sine("packs.m4a", "-c:a alac"), 3.0),
        (sine("packs.oga", "-c:a flac"), 3.0),
    ] {
        let limit = (std::fs::metadata(&path).unwrap().len() as f64 * room_for_it) as u64;
        let (made, streams) = sound(&room, &path, limit, false).await;
        assert!(made.filename.ends_with(".flac") && streams.audio()["codec_name"] == "flac", "{made:?}");
        assert_eq!(streams.audio()["sample_rate"], "48000");
        assert!((streams.duration() - 20.0).abs() < 0.01, "{}", streams.duration());
    }
    // Loud noise packs a little worse than was hoped: it takes the lossy way after all.
    let loud = "-f lavfi -i aevalsrc=2*random(0)-1|2*random(1)-1:s=44100:d=30 -c:a pcm_s16le";
    let (made, _) = sound(&room, &clip("loud.wav", loud), 2_660_000, false).await;
    assert!(made.filename.ends_with(".m4a"), "{made:?}");
}

#[tokio::test]
async fn the_kind_that_was_asked_for_is_made() {
    let room = Room::new();
    let source = chords("chords.mp3", "-c:a libmp3lame -b:a 192k");
    let video = clip(
        "hiss.mp4",
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r=25:d=30 {NOISE}:d=30 -c:v libx264 -preset ultrafast -c:a aac -b:a 256k"
        ),
    );
    for (format, extension, codec) in
        [(AudioFormat::Mp3, ".mp3", "mp3"), (AudioFormat::M4a, ".m4a", "aac"), (AudioFormat::Opus, ".ogg", "opus")]
    {
        for path in [&source, &video] {
            let (made, streams) = sound_to(&room, path, wanting(None, format)).await;
            assert!(made.filename.ends_with(extension), "{made:?}");
            assert_eq!(streams.audio()["codec_name"], codec);
            for limit in [500_000, 250_000, 100_000] {
                let (made, streams) = sound_to(&room, path, wanting(limit, format)).await;
                assert!(made.filename.ends_with(extension), "{made:?}");
                assert_eq!(streams.audio()["codec_name"], codec);
                assert!((streams.duration() - 30.0).abs() < 0.4, "{}", streams.duration());
                let fill = made.size as f64 / limit as f64;
                assert!(fill >= 0.97, "{fill:.3} of {limit} as {extension}: {}", path.display());
            }
        }
    }
    // What is of that kind already is not encoded again.
    let (kept, _) = sound_to(&room, &source, wanting(MIB, AudioFormat::Mp3)).await;
    assert_eq!(kept.path, source);
}

#[tokio::test]
async fn tags_and_cover_go_along_and_private_ones_stay_behind() {
    let room = Room::new();
    let cover = clip("cover.png", "-f lavfi -i testsrc2=s=900x900 -frames:v 1");
    let private =
        "-metadata comment=https://cdn.example/x?sig=secret -metadata location=+52.5+013.4/ -metadata encoded_by=Bob";
    let public =
        "-metadata title=A=b;c -metadata artist=Ännä -metadata album=Album -metadata date=2021 -metadata genre=Jazz";
    for (name, args) in [("album.mp3", "-c:a libmp3lame"), ("album.m4a", "-c:a aac -f ipod")] {
        let path = clip(
            &format!("labelled-{name}"),
            &format!(
                "{NOISE}:d=20 -i {} -map 0 -map 1 {args} -b:a 256k -c:v copy -disposition:v attached_pic \
                 {private} {public}",
                cover.display()
            ),
        );
        let (kept, _) = sound(&room, &path, 10 * MIB, false).await;
        assert_eq!(kept.path, path);
        for format in [AudioFormat::Mp3, AudioFormat::M4a, AudioFormat::Opus] {
            for limit in [400_000, 200_000, 100_000] {
                let (made, streams) = sound_to(&room, &path, wanting(limit, format)).await;
                let tags = tags(&streams);
                for (name, value) in
                    [("title", "A=b;c"), ("artist", "Ännä"), ("album", "Album"), ("date", "2021"), ("genre", "Jazz")]
                {
                    assert_eq!(tags[name], value, "{format:?} {limit}: {tags:?}");
                }
                let all = streams.0.to_string();
                assert!(!["secret", "52.5", "Bob"].iter().any(|private| all.contains(private)), "{all}");
                // The cover takes part only where the sound can spare its bytes.
                let covers = streams.all("video");
                assert_eq!(covers.len(), usize::from(limit > 160_000), "{format:?} {limit}");
                for cover in covers {
                    assert_eq!(
                        (&cover["codec_name"], &cover["disposition"]["attached_pic"]),
                        (&"mjpeg".into(), &1.into())
                    );
                    assert!(cover["width"].as_u64().unwrap() <= 640 && cover["width"] == cover["height"], "{cover}");
                }
                assert!(made.size as f64 >= limit as f64 * 0.97, "{} of {limit}", made.size);
            }
        }
    }
}

#[tokio::test]
async fn a_post_names_sound_that_has_no_name() {
    let room = Room::new();
    let av = "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -f lavfi -i sine=d=3:r=44100";
    let named = Tags { title: Some("From the post".into()), artist: Some("Ann".into()), ..Tags::default() };
    for (name, args) in [
        ("aac.mp4", "-c:v libx264 -preset ultrafast -c:a aac"),
        ("opus.mkv", "-c:v mpeg4 -c:a libopus"),
        ("flac.mkv", "-c:v mpeg4 -c:a flac"),
        ("ac3.mkv", "-c:v mpeg4 -c:a ac3"),
    ] {
        let target = FitTarget { audio_only: true, tags: named.clone(), ..FitTarget::at_most(10 * MIB) };
        let (_, streams) = sound_to(&room, &clip(name, &format!("{av} {args}")), target).await;
        let tags = tags(&streams);
        assert_eq!((&tags["title"], &tags["artist"]), (&"From the post".into(), &"Ann".into()), "{name}: {tags:?}");
    }
}

#[tokio::test]
async fn the_sound_of_a_video_is_copied_or_encoded() {
    let room = Room::new();
    let av = "-f lavfi -i testsrc2=s=320x180:r=25:d=3 -f lavfi -i sine=d=3:r=44100";
    for (name, args, codec, extension) in [
        ("aac.mp4", "-c:v libx264 -preset ultrafast -c:a aac", "aac", ".m4a"),
        ("mp3.mkv", "-c:v mpeg4 -c:a libmp3lame", "mp3", ".mp3"),
        ("opus.mkv", "-c:v mpeg4 -c:a libopus", "opus", ".ogg"),
        ("vorbis.mkv", "-c:v mpeg4 -c:a libvorbis", "vorbis", ".ogg"),
        ("flac.mkv", "-c:v mpeg4 -c:a flac", "flac", ".flac"),
        ("ac3.mkv", "-c:v mpeg4 -c:a ac3", "aac", ".m4a"),
    ] {
        let (made, streams) = sound(&room, &clip(name, &format!("{av} {args}")), 10 * MIB, true).await;
        assert!(made.filename.ends_with(extension), "{made:?}");
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
    for (name, args, extension) in [
        ("tone.mka", "-c:a libopus", ".ogg"),
        ("tone.webm", "-c:a libopus", ".ogg"),
        ("tone.aac", "-c:a aac", ".m4a"),
        ("tone.oga", "-c:a flac", ".flac"),
    ] {
        let path = clip(name, &format!("-f lavfi -i sine=d=2 {args}"));
        assert!(room.describe(&path).await.mimetype.starts_with("audio/"), "{name}");
        let (made, streams) = sound(&room, &path, 10 * MIB, false).await;
        assert!(made.filename.ends_with(extension), "{made:?}");
        assert!((streams.duration() - 2.0).abs() < 0.1, "{}", streams.duration());
    }
}

#[tokio::test]
async fn many_channels_become_two_and_no_sample_is_invented() {
    let room = Room::new();
    for (name, args, channels, rate) in [
        ("six.mka", "-ac 6 -ar 48000 -c:a ac3 -b:a 448k", 2, "48000"),
        ("eight.wav", "-ac 8 -ar 96000 -c:a pcm_s16le", 2, "48000"),
        ("many.wav", "-af pan=24c|c0=c0|c1=c0|c23=c0 -ar 44100 -c:a pcm_s16le", 2, "44100"),
        ("slow.wav", "-ac 1 -ar 8000 -c:a pcm_u8", 1, "8000"),
        ("fast.wav", "-ac 2 -ar 384000 -c:a pcm_s16le", 2, "48000"),
    ] {
        let path = clip(name, &format!("-f lavfi -i anoisesrc=d=4:c=pink:r=48000 {args}"));
        let (_, streams) = sound_to(&room, &path, wanting(10 * MIB, AudioFormat::M4a)).await;
        let audio = streams.audio();
        assert_eq!((&audio["channels"], &audio["sample_rate"]), (&channels.into(), &rate.into()), "{name}");
        assert!((streams.duration() - 4.0).abs() < 0.2, "{name}: {}", streams.duration());
        // Something is to be heard.
        let (made, _) = sound_to(&room, &path, wanting(10 * MIB, AudioFormat::M4a)).await;
        let heard = std::process::Command::new("ffmpeg")
            .args(["-hide_banner", "-nostdin", "-i"])
            .arg(&made.path)
            .args(["-af", "volumedetect", "-f", "null", "-"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&heard.stderr).into_owned();
        let mean = said.split("mean_volume: ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse::<f64>();
        assert!(mean.unwrap() > -45.0, "{name}: {said}");
    }
}
