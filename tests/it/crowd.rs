//! Many at once, and an end in the middle of it.

use std::{collections::HashSet, time::Duration};

use serde_json::json;

use crate::world::{
    discord::{Channel, Conversation},
    media::{self, Media},
    platforms::{InstagramPost, Tweet},
    stage::World,
};

/// Places one post or file for each number, alternating kinds; returns the link and what must arrive.
fn place(world: &World, number: u32) -> (String, Vec<Media>) {
    let seed = 500 + number;
    match number % 3 {
        0 => {
            let video = media::small_video(seed);
            (world.web.x().post(Tweet::video(&video)), vec![video])
        }
        1 => {
            let pictures = vec![media::jpg(seed), media::jpg(seed + 100)];
            (world.web.x().post(Tweet::images(&pictures)), pictures)
        }
        _ => {
            let video = media::small_video(seed);
            (world.web.file("files.example", &format!("/{number}.mp4"), &video), vec![video])
        }
    }
}

async fn ask(world: &World, channel: &Channel, number: u32, link: &str) -> Conversation {
    let user = world.discord.user(&format!("member {}", number % 5));
    if number.is_multiple_of(2) {
        user.slash(channel, "download", json!({"url": link})).await
    } else {
        user.says(channel, &format!("$download {link}")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_links_at_once_arrive_whole_with_no_more_at_work_than_allowed() {
    let world = World::start().await;
    // Discord's limit of five messages in five seconds a channel holds; nobody has to wait behind it here.
    let guild = world.discord.guild("crowded", 0);
    let channels: Vec<Channel> = (0..5).map(|n| guild.channel(&format!("channel-{n}"))).collect();
    let mut bot = world.bot(&[("MAX_CONCURRENT_DOWNLOADS", "3")]).await;
    let placed: Vec<(String, Vec<Media>)> = (0..20).map(|number| place(&world, number)).collect();

    world.web.hold_downloads();
    let conversations = bot
        .during(async {
            let mut conversations = Vec::new();
            for (number, (link, _)) in placed.iter().enumerate() {
                let channel = &channels[number % channels.len()];
                conversations.push(ask(&world, channel, u32::try_from(number).unwrap(), link).await);
            }
            for conversation in &conversations {
                let after = conversation.acknowledged().await;
                assert!(after < Duration::from_secs(3), "{after:?}");
            }
            conversations
        })
        .await;
    // All have been asked and none can be done: now as many are at work as ever will be.
    world.web.release();

    let mut seen = HashSet::new();
    for (conversation, (link, expected)) in conversations.iter().zip(&placed) {
        let messages = bot.during(conversation.with_files(expected.len())).await;
        let got: Vec<String> =
            messages.iter().flat_map(|message| &message.attachments).map(|file| media::sha256(file.path())).collect();
        let wanted: Vec<String> = expected.iter().map(Media::sha256).collect();
        assert_eq!(got, wanted, "{link}");
        assert!(messages[0].content.contains("https://"), "the caption names its own link: {}", messages[0].content);
        for message in messages {
            assert!(seen.insert(message.id), "two answers in one message");
        }
    }
    // A post may load several pictures at once, so requests are counted, not connections.
    let most = most_at_work(&bot.log().text());
    assert!((2..=3).contains(&most), "{most} requests were at work at once");
    let (status, _) = bot.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
}

/// The most requests that worked at once, by the log's own words of begin and end.
fn most_at_work(log: &str) -> i32 {
    let (mut now, mut most) = (0, 0);
    for line in log.lines() {
        if line.contains("at work on a request") {
            now += 1;
        } else if line.contains("delivered") && line.contains("attempts=") {
            now -= 1;
        }
        most = most.max(now);
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_that_cannot_fit_does_not_hold_up_the_others() {
    let world = World::start().await;
    let channel = world.discord.guild("small", 0).channel("general");
    // Ten minutes in 300 kB would be 4 kbit/s: refused. The pictures are far below it.
    let long = media::video(media::Video { seconds: 600, width: 160, height: 90, ..media::Video::seed(91) });
    let pictures = [media::jpg(92), media::jpg(93)];
    let post = InstagramPost::carousel(&[pictures[0].clone(), long, pictures[1].clone()]);
    let link = world.web.instagram().post(post);
    let mut bot = world.bot(&[("COMPRESSION_TARGET_SIZE_MB", "300KB")]).await;
    bot.during(async {
        let call = world.discord.user("ann").slash(&channel, "download", json!({"url": link})).await;
        let messages = call.with_files(2).await;
        let got: Vec<String> =
            messages.iter().flat_map(|message| &message.attachments).map(|file| media::sha256(file.path())).collect();
        assert_eq!(got, pictures.each_ref().map(Media::sha256));
        call.says("1 of 3 files").await;
    })
    .await;
    bot.stop().await;
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_in_the_middle_of_a_crowd_leaves_no_process_and_no_half_file() {
    let world = World::start().await;
    let guild = world.discord.guild("crowded", 0);
    let mut bot = world.bot(&[("MAX_CONCURRENT_DOWNLOADS", "4"), ("TWITTER_USE_API_CLIENT", "false")]).await;
    world.web.hold_downloads();
    bot.during(async {
        // Tools at work as well as our own downloads: every second link goes by yt-dlp or gallery-dl.
        for number in 0..20 {
            let (link, _) = place(&world, number);
            let channel = guild.channel(&format!("channel-{}", number % 5));
            ask(&world, &channel, number, &link).await.acknowledged().await;
        }
        world.web.wait_for_answer("video.twimg.com", "").await;
    })
    .await;
    assert!(!bot.processes_at_work().is_empty(), "a tool is at work");

    let (status, took) = bot.stop().await;
    assert!(status.success(), "{status}: {}", bot.log().text());
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(bot.processes_at_work(), Vec::<String>::new());
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_bot_left_is_gone_after_the_next_start() {
    let world = World::start().await;
    let channel = world.discord.guild("quiet", 0).channel("general");
    let (link, expected) = place(&world, 60);
    world.web.hold_downloads();
    let mut first = world.bot(&[]).await;
    first
        .during(async {
            ask(&world, &channel, 60, &link).await.acknowledged().await;
            world.web.wait_for_held_downloads(1).await;
        })
        .await;
    first.kill().await;
    assert!(!world.left_behind().is_empty(), "a killed bot cannot tidy up");

    world.web.release();
    let mut second = world.bot(&[]).await;
    let left: Vec<_> = world.left_behind().into_iter().filter(|path| !path.ends_with("lock")).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new(), "but for the lock of the one that runs");
    let again = second.during(async { ask(&world, &channel, 60, &link).await.with_files(1).await }).await;
    assert_eq!(media::sha256(again[0].attachments[0].path()), expected[0].sha256());
    second.stop().await;
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
}
