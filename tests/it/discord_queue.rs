//! The queue and the statistics as people see and change them on Discord.

use serde_json::json;

use crate::world::{
    discord::{Channel, Conversation, Message},
    media::{self, Media},
    stage::World,
};

const ONE_AT_A_TIME: (&str, &str) = ("MAX_CONCURRENT_DOWNLOADS", "1");

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

/// Files, and links to them that end with their numbers.
fn links(world: &World, seed: u32, count: usize) -> (Vec<Media>, Vec<String>) {
    let files: Vec<Media> = (seed..).take(count).map(media::small_video).collect();
    let link = |(number, file): (usize, &Media)| world.web.file("files.example", &format!("/{number}.mp4"), file);
    let links = files.iter().enumerate().map(link).collect();
    (files, links)
}

/// The sign of the request whose line has these words.
fn sign(list: &Message, words: &str) -> String {
    let text = list.text();
    let line = text.lines().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words} in {text}"));
    line.split('`').nth(1).expect("a sign").to_owned()
}

/// Waits until the request has become these files.
async fn arrives(call: &Conversation, file: &Media) {
    let message = call.final_message().await;
    let hashes: Vec<_> = message.attachments.iter().map(|file| media::sha256(file.path())).collect();
    assert_eq!(hashes, [file.sha256()]);
    assert_eq!(call.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_the_queue_and_call_off_what_is_theirs_and_moderators_all() {
    let world = World::start().await;
    let (files, links) = links(&world, 1500, 4);
    world.web.hold_downloads();
    let mut bot = world.bot(&[ONE_AT_A_TIME]).await;
    bot.during(async {
        let guild = world.discord.guild("No boost", 0);
        let (general, elsewhere) = (general(&world), guild.channel("elsewhere"));
        let [ann, bob, carl] = ["ann", "bob", "carl"].map(|name| world.discord.user(name));
        guild.managed_by(&carl);
        ann.slash(&general, "queue list", json!({})).await.says("Nothing here is running or waiting.").await;
        let running = ann.slash(&general, "download", json!({"url": links[0]})).await;
        world.web.wait_for_held_downloads(1).await;
        let of_bob = bob.says(&general, &format!("$download {}", links[1])).await;
        of_bob.says("Queued: you are next").await;
        let of_ann = ann.slash(&elsewhere, "download", json!({"url": links[2]})).await;
        of_ann.says("Queued: 1 ahead").await;

        let list = ann.slash(&general, "queue list", json!({})).await.says("Queue here").await;
        assert!(list.is_ephemeral(), "nobody else need read it");
        let text = list.text();
        assert!(text.contains("1 running, 2 waiting") && text.contains("▶️"), "{text}");
        assert!(text.contains("⏳ next · `files.example/1.mp4`") && text.contains("⏳ 1 ahead"), "{text}");
        assert!(text.contains("in another channel") && !text.contains("/2.mp4"), "{text}");
        assert!(list.pinged.is_empty(), "{:?}", list.pinged);
        let mentions = bob.says(&general, "$queue").await.says("1 running, 2 waiting").await;
        assert_eq!(mentions.pinged, Vec::<String>::new());
        bob.says(&general, "$queue list 2").await.says("⏳ next").await;

        // Who may.
        let (first, second, third) = (sign(&list, "/0.mp4"), sign(&list, "/1.mp4"), sign(&list, "in another channel"));
        let remove = async |user: &crate::world::discord::User, sign: &str| {
            user.slash(&general, "queue remove", json!({"job": sign})).await
        };
        remove(&ann, &second).await.says("somebody else's request").await;
        remove(&ann, "nonsense").await.says("isn't the sign of a request").await;
        remove(&ann, "0000000000").await.says("There is no request").await;
        let offered = ann.autocomplete(&general, "queue remove", json!({"job": ""}), "job").await;
        let values: Vec<_> = offered.iter().filter_map(|choice| choice["value"].as_str()).collect();
        assert_eq!(values, [first.as_str(), third.as_str()], "{offered:?}");
        let offered = carl.autocomplete(&general, "queue remove", json!({"job": ""}), "job").await;
        assert_eq!(offered.len(), 3, "{offered:?}");
        remove(&carl, &second).await.says("Called off before it began").await;
        of_bob.says("Called off before it began").await;
        remove(&carl, &second).await.says("There is no request").await;

        // What runs is stopped, and the next one begins.
        ann.says(&general, &format!("$queue remove {first}")).await.says("It is being stopped").await;
        running.says("Cancelled").await;
        world.web.release();
        arrives(&of_ann, &files[2]).await;
        // The row ends a moment after the files are there.
        loop {
            let asked = ann.slash(&general, "queue list", json!({})).await;
            let list = asked.until("a list", |message| message.content.starts_with('📋')).await;
            if list.content.contains("Nothing here") {
                break;
            }
        }
        let status = ann.slash(&general, "status", json!({})).await.says("Delivered so far: 1").await;
        assert!(status.text().contains("Running: 0\n- Queued: 0"), "{}", status.text());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moderators_pause_stays_so_over_a_restart() {
    let world = World::start().await;
    let (files, links) = links(&world, 1520, 3);
    let general = general(&world);
    let guild = world.discord.guild("No boost", 0);
    let [ann, carl] = ["ann", "carl"].map(|name| world.discord.user(name));
    guild.managed_by(&carl);
    let mut bot = world.bot(&[]).await;
    let (slash, prefix, mine) = bot
        .during(async {
            ann.slash(&general, "queue pause", json!({})).await.says("Only moderators").await;
            ann.says(&general, "$queue clear all").await.says("Only moderators").await;
            carl.says(&general, "$queue pause").await.says("Nothing new begins in this server").await;
            carl.slash(&general, "queue pause", json!({})).await.says("paused already").await;
            let slash = ann.slash(&general, "download", json!({"url": links[0]})).await;
            slash.says("⏸️ Paused").await;
            let prefix = ann.says(&general, &format!("$download {}", links[1])).await;
            prefix.says("⏸️ Paused").await;
            let list = ann.slash(&general, "queue list", json!({})).await.says("nothing new begins until").await;
            assert!(list.text().contains("0 running, 2 waiting"), "{}", list.text());
            // Other servers go on.
            let other = world.discord.guild("Elsewhere", 0).channel("general");
            arrives(&ann.slash(&other, "download", json!({"url": links[2]})).await, &files[2]).await;
            (slash, prefix, sign(&list, "/1.mp4"))
        })
        .await;
    bot.stop().await;
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let list = ann.slash(&general, "queue list", json!({})).await.says("nothing new begins until").await;
        assert_eq!(sign(&list, "/1.mp4"), mine, "the same as before");
        // The one who speaks is not the process that wrote the message.
        ann.slash(&general, "queue remove", json!({"job": mine})).await.says("Called off before it began").await;
        prefix.says("Called off before it began").await;
        assert_eq!(prefix.messages().len(), 1);
        let held = sign(&list, "/0.mp4");
        let one = ann.slash(&general, "queue resume", json!({"job": held})).await;
        one.says("everything here is").await;
        carl.says(&general, "$queue resume").await.says("begin again").await;
        arrives(&slash, &files[0]).await;
        carl.slash(&general, "queue resume", json!({})).await.says("wasn't paused").await;
    })
    .await;
    let (status, _) = bot.stop().await;
    assert!(status.success());
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_requests_are_paused_and_cleared_without_asking_anybody() {
    let world = World::start().await;
    let (files, links) = links(&world, 1540, 4);
    world.web.hold_downloads();
    let mut bot = world.bot(&[ONE_AT_A_TIME]).await;
    bot.during(async {
        let guild = world.discord.guild("No boost", 0);
        let general = general(&world);
        let [ann, bob, carl] = ["ann", "bob", "carl"].map(|name| world.discord.user(name));
        guild.managed_by(&carl);
        let running = ann.slash(&general, "download", json!({"url": links[0]})).await;
        world.web.wait_for_held_downloads(1).await;
        let waiting = ann.slash(&general, "download", json!({"url": links[1]})).await;
        waiting.says("Queued: you are next").await;
        let of_bob = bob.slash(&general, "download", json!({"url": links[2]})).await;
        of_bob.says("Queued: 1 ahead").await;
        let list = ann.slash(&general, "queue list", json!({})).await.says("Queue here").await;
        let (first, second) = (sign(&list, "/0.mp4"), sign(&list, "/1.mp4"));
        ann.slash(&general, "queue pause", json!({"job": second})).await.says("⏸️ Paused").await;
        waiting.says("⏸️ Paused").await;
        of_bob.says("Queued: you are next").await;
        ann.slash(&general, "queue pause", json!({"job": second})).await.says("paused already").await;
        ann.slash(&general, "queue pause", json!({"job": first})).await.says("It runs already").await;
        bob.slash(&general, "queue resume", json!({"job": second})).await.says("somebody else's").await;
        ann.slash(&general, "queue resume", json!({"job": second})).await.says("may begin again").await;
        waiting.says("Queued: you are next").await;

        // Clearing takes what waits and is one's own; with `all` a moderator takes everybody's.
        ann.slash(&general, "queue clear", json!({})).await.says("One waiting request was called off").await;
        waiting.says("Called off before it began").await;
        ann.slash(&general, "queue clear", json!({})).await.says("nothing waiting").await;
        ann.slash(&general, "queue clear", json!({"all": true})).await.says("Only moderators").await;
        carl.slash(&general, "queue clear", json!({"all": true}))
            .await
            .says("One waiting request was called off")
            .await;
        of_bob.says("Called off before it began").await;
        world.web.release();
        arrives(&running, &files[0]).await;

        // In a direct message there are one's own only, and nobody else to ask.
        let dm = ann.dm();
        ann.slash(&dm, "queue pause", json!({})).await.says("nothing to change").await;
        world.web.hold_downloads();
        let held = bob.slash(&general, "download", json!({"url": links[3]})).await;
        world.web.wait_for_held_downloads(1).await;
        let direct = ann.slash(&dm, "download", json!({"url": links[1]})).await;
        direct.says("Queued: you are next").await;
        let list = ann.says(&dm, "$queue").await.says("Your queue").await;
        assert!(list.text().contains("0 running, 1 waiting"), "{}", list.text());
        ann.slash(&dm, "queue pause", json!({})).await.says("Waiting requests paused: 1").await;
        direct.says("⏸️ Paused").await;
        ann.slash(&dm, "queue resume", json!({})).await.says("may begin again: 1").await;
        world.web.release();
        arrives(&held, &files[3]).await;
        arrives(&direct, &files[1]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_those_of_the_server_and_survive_a_restart() {
    let world = World::start().await;
    let (files, links) = links(&world, 1560, 2);
    let general = general(&world);
    let other = world.discord.guild("Elsewhere", 0).channel("general");
    let ann = world.discord.user("ann");
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        for command in ["stats", "yt-stats"] {
            ann.slash(&general, command, json!({})).await.says("Nothing has been asked for yet").await;
        }
        arrives(&ann.slash(&general, "download", json!({"url": links[0]})).await, &files[0]).await;
        arrives(&ann.slash(&other, "download", json!({"url": links[1]})).await, &files[1]).await;
        let gone = ann.slash(&general, "download", json!({"url": "https://files.example/gone.mp4"})).await;
        gone.until("a failure", |message| message.content.starts_with('❌')).await;
    })
    .await;
    bot.stop().await;
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let message = ann.slash(&general, "stats", json!({"days": 7})).await.says("Statistics in this server").await;
        let text = message.text();
        for words in [
            "the last 7 days",
            "Requests: 2, 1 of them delivered, 1 failed (50 % success)",
            "Files: 1",
            "half within",
            "not_found",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        ann.says(&general, "$stats 1").await.says("today (UTC)").await;
        ann.says(&ann.dm(), "$stats").await.says("Requests: 3, 2 of them delivered").await;
        ann.says(&general, "$yt-stats").await.says("Nothing has been asked for yet").await;
        ann.says(&general, "$stats many").await.says("For example: `$stats`").await;
    })
    .await;
}
