//! What people can wish of media in Discord, by the fields of a command or by words after the link.

use serde_json::json;

use crate::world::{
    discord::{Channel, Message},
    media,
    stage::World,
};

/// Encodes are looked at for what they are, not for their beauty.
const FAST: &[(&str, &str)] = &[("COMPRESSION_FFMPEG_PRESET", "ultrafast")];

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

/// What ffprobe says: length in seconds, and the kinds of streams.
fn streams(message: &Message, index: usize) -> (f64, Vec<String>) {
    let out = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format=duration:stream=codec_type", "-of", "json"])
        .arg(message.attachments[index].path())
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let kinds = told["streams"].as_array().unwrap().iter();
    let kinds = kinds.map(|stream| stream["codec_type"].as_str().unwrap().to_owned()).collect();
    (told["format"]["duration"].as_str().unwrap().parse().unwrap(), kinds)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_of_a_command_and_the_words_after_a_link_say_the_same() {
    let world = World::start().await;
    let mut bot = world.bot(FAST).await;
    let link = world.web.file("files.example", "/film.mp4", &media::video_of(3 << 20, 5));
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        let wish = json!({"url": link, "start": "0:02", "end": "3.5", "mute": true});
        let by_fields = ann.slash(&general, "download", wish).await.final_message().await;
        let words = format!("$download {link} --start 0:02 --end 3.5 --mute");
        let by_words = ann.says(&general, &words).await.final_message().await;
        for message in [by_fields, by_words] {
            let (seconds, kinds) = streams(&message, 0);
            assert!((seconds - 1.5).abs() < 0.1, "{seconds}");
            assert_eq!(kinds, ["video"], "muted");
        }
    })
    .await;
    assert_eq!(world.discord.unexpected(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gif_of_a_long_clip_says_that_it_is_the_beginning() {
    let world = World::start().await;
    let mut bot = world.bot(FAST).await;
    let long = media::video(media::Video { seconds: 20, width: 160, height: 90, ..media::Video::seed(61) });
    let link = world.web.file("files.example", "/long.mp4", &long);
    bot.during(async {
        let general = general(&world);
        let message = world.discord.user("ann").says(&general, &format!("$download {link} --gif")).await;
        let message = message.final_message().await;
        assert!(message.attachments[0].filename.ends_with(".gif"), "{}", message.attachments[0].filename);
        let last = message.text().lines().last().unwrap_or_default().to_owned();
        assert_eq!(last, "-# ⚠️ A GIF has at most 15 seconds: this is the beginning.");
        assert!((streams(&message, 0).0 - 15.0).abs() < 0.5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_without_loss_arrive_in_order_in_one_message() {
    let world = World::start().await;
    let mut bot = world.bot(FAST).await;
    let film = media::video_of(3 << 20, 5);
    let link = world.web.file("files.example", "/film.mp4", &film);
    bot.during(async {
        let general = general(&world);
        let wish = json!({"url": link, "split": true, "size": "1MB"});
        let message = world.discord.user("ann").slash(&general, "download", wish).await.final_message().await;
        let names: Vec<_> = message.attachments.iter().map(|file| file.filename.clone()).collect();
        assert!((3..=5).contains(&names.len()), "{names:?}");
        for (index, name) in names.iter().enumerate() {
            assert!(name.ends_with(&format!("-{}.mp4", index + 1)), "{names:?}");
            assert!(message.attachments[index].path().metadata().unwrap().len() <= 1 << 20);
        }
        let seconds: f64 = (0..names.len()).map(|index| streams(&message, index).0).sum();
        assert!((seconds - 10.0).abs() < 0.5, "{seconds}");
        assert!(!message.text().contains("⚠️"), "{}", message.text());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_that_make_no_sense_are_named_at_once() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let link = world.web.file("files.example", "/clip.mp4", &media::small_video(7));
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for (wish, told) in [
            (json!({"url": link, "start": "0:20", "end": "0:10"}), "the end (0:10) must be after the start (0:20)"),
            (json!({"url": link, "start": "soon"}), "I don't understand the time `soon`"),
            (json!({"url": link, "size": "huge"}), "I don't understand the size `huge`"),
            (json!({"url": link, "gif": true, "audio_only": true}), "don't go together"),
        ] {
            ann.slash(&general, "download", wish).await.says(told).await;
        }
        ann.says(&general, &format!("$download {link} --end never")).await.says("the time `never`").await;
        // The length is only known once it was loaded.
        let outside = ann.says(&general, &format!("$download {link} --start 1:00")).await;
        outside.says("it is only 0:02 long").await;
    })
    .await;
}
