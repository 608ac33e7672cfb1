//! What was loaded and made for one is there for the next: one load and one encode, however many ask.

use serde_json::json;

use crate::world::{
    discord::{Channel, Conversation, Message},
    media::{self, Media},
    platforms::Tweet,
    stage::World,
};

/// How often the platform and its media servers were asked.
fn asked(world: &World) -> (usize, usize) {
    let all = world.web.requests();
    let to = |host: &str| all.iter().filter(|seen| seen.host.ends_with(host)).count();
    (to("x.com") + to("twitter.com"), to("twimg.com"))
}

fn hashes(messages: &[Message]) -> Vec<String> {
    messages.iter().flat_map(|message| &message.attachments).map(|file| media::sha256(file.path())).collect()
}

async fn ask(world: &World, channel: &Channel, wish: serde_json::Value) -> Conversation {
    world.discord.user("ann").slash(channel, "download", wish).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_ask_at_once_cause_one_question_and_one_download() {
    let world = World::start().await;
    // Discord's limits are a channel's: nobody has to wait behind them here.
    let channels: Vec<Channel> = (0..25)
        .map(|number| world.discord.guild(&format!("guild-{}", number % 5), 0).channel(&format!("channel-{number}")))
        .collect();
    let video = media::small_video(900);
    let link = world.web.x().post(Tweet::video(&video));
    let mut bot = world.bot(&[("MAX_CONCURRENT_DOWNLOADS", "10")]).await;
    bot.during(async {
        world.web.hold_downloads();
        let mut calls = Vec::new();
        for number in 0..100 {
            calls.push(ask(&world, &channels[number % channels.len()], json!({ "url": link })).await);
        }
        world.web.wait_for_answer("video.twimg.com", "").await;
        world.web.release();
        for call in &calls {
            assert_eq!(hashes(&call.with_files(1).await), [video.sha256()]);
        }
    })
    .await;
    let alone = {
        let other = World::start().await;
        let link = other.web.x().post(Tweet::video(&video));
        let mut bot = other.bot(&[]).await;
        let channel = other.discord.guild("one", 0).channel("general");
        bot.during(async { ask(&other, &channel, json!({ "url": link })).await.with_files(1).await }).await;
        bot.stop().await;
        asked(&other)
    };
    assert_eq!(asked(&world), alone, "as many requests as for one alone");
    bot.stop().await;
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_again_it_is_there_without_a_question_unless_it_is_forced() {
    let world = World::start().await;
    let channel = world.discord.guild("small", 0).channel("general");
    let video = media::small_video(901);
    let link = world.web.x().post(Tweet::video(&video));
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        ask(&world, &channel, json!({ "url": link })).await.with_files(1).await;
        let first = asked(&world);
        assert!(first.0 > 0 && first.1 > 0, "{first:?}");
        let again = ask(&world, &channel, json!({ "url": link })).await.with_files(1).await;
        assert_eq!((hashes(&again), asked(&world)), (vec![video.sha256()], first));
        assert!(again[0].content.contains("https://"), "the caption is there, too: {}", again[0].content);
        // Another wish is another request.
        ask(&world, &channel, json!({ "url": link, "mute": true })).await.with_files(1).await;
        let other = asked(&world);
        assert!(other.1 > first.1, "{other:?}");
        ask(&world, &channel, json!({ "url": link, "force": true })).await.with_files(1).await;
        assert!(asked(&world).1 > other.1);
    })
    .await;
    bot.stop().await;
    // The next process finds it, too.
    let before = asked(&world);
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let again = ask(&world, &channel, json!({ "url": link })).await.with_files(1).await;
        assert_eq!((hashes(&again), asked(&world)), (vec![video.sha256()], before));
    })
    .await;
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_encoded_for_one_post_serves_another_with_the_same_content() {
    let world = World::start().await;
    let channel = world.discord.guild("small", 0).channel("general");
    let video = media::video(media::Video { seconds: 3, width: 640, height: 360, ..media::Video::seed(902) });
    let links = ["first", "second"].map(|text| world.web.x().post(Tweet::video(&video).text(text)));
    // Less than the clip has, so that it is encoded.
    let limit = format!("{}KB", video.bytes() * 3 / 4 / 1024);
    let mut bot = world.bot(&[("COMPRESSION_TARGET_SIZE_MB", &limit)]).await;
    bot.during(async {
        let mut seen = Vec::new();
        for link in &links {
            seen.push(hashes(&ask(&world, &channel, json!({ "url": link })).await.with_files(1).await));
        }
        assert_eq!(seen[0], seen[1]);
        assert_ne!(seen[0], [video.sha256()]);
    })
    .await;
    assert_eq!(bot.log().text().matches("made a file fit").count(), 1, "{}", bot.log().text());
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_nothing_is_kept() {
    let world = World::start().await;
    let channel = world.discord.guild("small", 0).channel("general");
    let video: Media = media::small_video(903);
    let link = world.web.x().post(Tweet::video(&video));
    let mut bot = world.bot(&[("ARTIFACTS_MAX_MB", "0")]).await;
    bot.during(async {
        ask(&world, &channel, json!({ "url": link })).await.with_files(1).await;
        let first = asked(&world);
        ask(&world, &channel, json!({ "url": link })).await.with_files(1).await;
        assert!(asked(&world).1 > first.1);
    })
    .await;
    bot.stop().await;
    assert!(!world.downloads().join(".artifacts").exists());
}
