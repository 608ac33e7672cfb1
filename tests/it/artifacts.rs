//! What was loaded and made for one is there for the next: one load and one encode, however many ask. And what is in a channel
//! already is only pointed at there.

use std::{path::PathBuf, time::Duration};

use boss_bot::{
    artifacts::{Artifacts, Contents},
    jobs::store::JobStore,
    settings::{ArtifactSettings, DatabaseUrl},
};
use serde_json::{Value, json};

use crate::world::{
    bot::PATIENCE,
    discord::{Channel, Conversation, Message},
    media,
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

async fn ask(world: &World, channel: &Channel, wish: Value) -> Conversation {
    world.discord.user("ann").slash(channel, "download", wish).await
}

fn kept(world: &World) -> Contents {
    Artifacts::new(&ArtifactSettings::default(), &world.downloads(), None).unwrap().contents().unwrap()
}

/// Waits until so many jobs are written down as done: members see their files a moment before that, and of it there is no event.
async fn done(world: &World, count: u64) {
    let store = JobStore::open(&DatabaseUrl::Sqlite(world.dir().join("data/boss-bot.db"))).await.unwrap();
    let wait = async {
        while store.counts().await.unwrap().done < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{count} jobs were to be done");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_ask_at_once_cause_one_question_and_one_download_and_hold_up_nobody() {
    let world = World::start().await;
    let channels: Vec<Channel> = (0..25)
        .map(|number| world.discord.guild(&format!("guild-{}", number % 5), 0).channel(&format!("channel-{number}")))
        .collect();
    let video = media::small_video(900);
    let link = world.web.x().post(Tweet::video(&video));
    let other = media::small_video(904);
    let other_link = world.web.file("files.example", "/other.mp4", &other);
    let mut bot = world.bot(&[("MAX_CONCURRENT_DOWNLOADS", "4")]).await;
    bot.during(async {
        world.web.hold_downloads();
        let mut calls = Vec::new();
        for number in 0..100 {
            let call = ask(&world, &channels[number % channels.len()], json!({ "url": link })).await;
            call.acknowledged().await;
            calls.push(call);
        }
        // Those who wait for the first take no place from who wants something else.
        let someone_else = ask(&world, &channels[0], json!({ "url": other_link })).await;
        world.web.wait_for_held_downloads(2).await;
        world.web.release();
        assert_eq!(hashes(&someone_else.with_files(1).await), [other.sha256()]);
        for call in &calls {
            call.with_files(1).await;
        }
        done(&world, 101).await;
        for call in &calls {
            let messages = call.messages();
            assert_eq!((messages.len(), hashes(&messages)), (1, vec![video.sha256()]), "{messages:?}");
        }
        assert_eq!(channels.iter().map(|channel| channel.by_the_bot().len()).sum::<usize>(), 101);
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
    assert_eq!(world.left_behind(), Vec::<PathBuf>::new());
    // What the link brought, and that both files may stay as they are; what is behind the other link may change at any time.
    assert_eq!(kept(&world), Contents { answers: 3, files: 1, bytes: video.bytes() });
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
        // Else it would be taken up again, by force.
        done(&world, 4).await;
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
async fn without_room_nothing_is_kept_and_what_was_kept_goes() {
    let world = World::start().await;
    let channel = world.discord.guild("small", 0).channel("general");
    let link = world.web.x().post(Tweet::video(&media::small_video(903)));
    let left = world.downloads().join(".artifacts/objects");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("0".repeat(64)), "from before").unwrap();
    let mut bot = world.bot(&[("ARTIFACTS_MAX_MB", "0")]).await;
    assert!(!left.exists());
    bot.during(async {
        ask(&world, &channel, json!({ "url": link })).await.with_files(1).await;
        let first = asked(&world);
        ask(&world, &channel, json!({ "url": link })).await.with_files(1).await;
        assert!(asked(&world).1 > first.1);
    })
    .await;
    bot.stop().await;
    assert!(!left.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_bot_left_unfinished_is_gone_after_the_next_start() {
    let world = World::start().await;
    let channel = world.discord.guild("small", 0).channel("general");
    let video = media::small_video(905);
    let link = world.web.x().post(Tweet::video(&video));
    let mut bot = world.bot(&[]).await;
    bot.during(async { ask(&world, &channel, json!({ "url": link })).await.with_files(1).await }).await;
    bot.kill().await;
    let folder = world.downloads().join(".artifacts");
    std::fs::write(folder.join("objects").join("0".repeat(64)), "linked, but never noted").unwrap();
    std::fs::write(folder.join("notes/.tmpAbCdEf"), "{\"files\":[").unwrap();
    assert_eq!(world.unreferenced().len(), 2);
    let mut bot = world.bot(&[]).await;
    let log = bot.log().clone();
    bot.during(log.line("that it tidied", |line| line.contains("kept files have had their time"))).await;
    assert_eq!(kept(&world), Contents { answers: 2, files: 1, bytes: video.bytes() });
    assert_eq!(world.unreferenced(), Vec::<PathBuf>::new());
    bot.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_channel_already_is_pointed_at_as_long_as_it_is_there() {
    let world = World::start().await;
    let guild = world.discord.guild("small", 0);
    let (general, other) = (guild.channel("general"), guild.channel("other"));
    let bob = world.discord.user("bob");
    let video = media::small_video(906);
    let link = world.web.x().post(Tweet::video(&video));
    let mut bot = world.bot(&[("POSTED_ALREADY_HOURS", "24")]).await;
    bot.during(async {
        let first = ask(&world, &general, json!({ "url": link })).await.with_files(1).await;
        done(&world, 1).await;
        let before = asked(&world);
        let jump = format!("https://discord.com/channels/{}/{}/{}", guild.id, general.id, first[0].id);
        // Another spelling of the link is the same link.
        let spelt = link.replace("x.com", "mobile.twitter.com") + "?s=20&t=abc";
        for link in [&link, &spelt] {
            let answer = bob.slash(&general, "download", json!({ "url": link })).await.says("Posted already").await;
            assert!(answer.content.contains(&jump) && answer.content.contains("force"), "{}", answer.content);
            assert!(answer.is_ephemeral() && answer.attachments.is_empty());
        }
        let answer = bob.says(&general, &format!("$download {link}")).await.says("Posted already").await;
        assert!(answer.content.contains(&jump) && answer.content.contains("--force"), "{}", answer.content);
        assert_eq!(asked(&world), before);

        // Elsewhere, made otherwise, kept on the server, or by force, it is another matter.
        ask(&world, &other, json!({ "url": link })).await.with_files(1).await;
        ask(&world, &general, json!({ "url": link, "mute": true })).await.with_files(1).await;
        ask(&world, &general, json!({ "url": link, "upload": false })).await.says("Saved on the server").await;
        let forced = ask(&world, &general, json!({ "url": link, "force": true })).await.with_files(1).await;
        done(&world, 5).await;

        // What was taken away is posted again.
        bob.deletes(&forced[0]);
        let again = ask(&world, &general, json!({ "url": link })).await.with_files(1).await;
        assert_eq!(hashes(&again), [video.sha256()]);
    })
    .await;
    bot.stop().await;
    assert_eq!(world.discord.unexpected(), Vec::<String>::new());
}
