//! When Discord takes less, later, or never answers: limits, rate limits, faults, spent tokens.

use std::time::Duration;

use serde_json::json;

use crate::world::{
    discord::{Channel, Fault, FaultAnswer, MIB, permissions},
    media,
    platforms::Tweet,
    stage::World,
};

fn general(world: &World) -> Channel {
    world.discord.guild("No boost", 0).channel("general")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_size_is_learned_for_that_guild() {
    let world = World::start().await;
    // Boosted, but it takes no more than an unboosted one.
    let boosted = world.discord.guild("Boosted", 2);
    boosted.really_takes(10 * MIB);
    let other = world.discord.guild("Other", 2).channel("general");
    let mut bot = world.bot(&[("COMPRESSION_FFMPEG_PRESET", "ultrafast")]).await;
    let clip = media::padded_video(12 * MIB, 201);
    let link = world.web.file("files.example", "/twelve.mp4", &clip);
    bot.during(async {
        let channel = boosted.channel("general");
        let ann = world.discord.user("ann");
        for _ in 0..2 {
            let message = ann.slash(&channel, "download", json!({"url": link})).await.final_message().await;
            assert!(message.attachments[0].size <= 10 * MIB);
        }
        let refused = world.discord.requests().iter().filter(|request| request.status == 413).count();
        assert_eq!(refused, 1, "the second time it knew");
        ann.slash(&channel, "status", json!({})).await.says("10.0 MB a file").await;
        ann.slash(&other, "status", json!({})).await.says("50.0 MB a file").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_the_interactions_own_or_the_boost_tiers() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    bot.during(async {
        let ann = world.discord.user("ann");
        for (tier, expected) in [(0, "10.0 MB"), (2, "50.0 MB"), (3, "100.0 MB")] {
            let channel = world.discord.guild(&format!("Tier {tier}"), tier).channel("general");
            ann.slash(&channel, "status", json!({})).await.says(&format!("here: {expected}")).await;
            ann.says(&channel, "$status").await.says(&format!("here: {expected}")).await;
        }
        ann.may_upload(500 * MIB);
        ann.slash(&general(&world), "status", json!({})).await.says("here: 500.0 MB").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_for() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let link = world.web.file("files.example", "/patient.mp4", &media::small_video(210));
    let wait = || FaultAnswer::RateLimit { retry_after: Duration::from_millis(1200), global: false };
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for times in [1, 2] {
            world.discord.fault(Fault::on("@original", wait()).method("PATCH").times(times));
            ann.slash(&general, "download", json!({"url": link})).await.final_message().await;
            world.discord.fault(Fault::on("/messages", wait()).method("POST").times(times));
            let call = ann.says(&general, &format!("$download {link}")).await;
            call.final_message().await;
            assert_eq!(call.messages().len(), 1);
        }
    })
    .await;
    let early: Vec<_> = world.discord.requests().into_iter().filter(|request| request.status == 429).collect();
    assert!(early.len() <= 6, "no hammering: {early:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_discord_are_overcome_and_nothing_is_posted_twice() {
    let world = World::start().await;
    let mut bot = world.bot(&[("UPLOAD_ENABLE_PROGRESS_UPDATES", "false")]).await;
    let link = world.web.file("files.example", "/twice.mp4", &media::small_video(220));
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for answer in [FaultAnswer::Status(502), FaultAnswer::Reset, FaultAnswer::LoseAnswer] {
            world.discord.fault(Fault::on("/messages", answer.clone()).method("POST").times(1));
            let call = ann.says(&general, &format!("$download {link}")).await;
            call.final_message().await;
            assert_eq!(call.messages().len(), 1, "{answer:?}");
            world.discord.fault(Fault::on("@original", answer.clone()).method("PATCH").times(1));
            let call = ann.slash(&general, "download", json!({"url": link})).await;
            call.final_message().await;
            assert_eq!(call.messages().len(), 1, "{answer:?}");
        }
        assert_eq!(general.by_the_bot().len(), 6);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_tokens_life_it_finishes_with_a_message_in_the_channel() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    world.web.hold_downloads();
    let link = world.web.file("files.example", "/late.mp4", &media::small_video(230));
    bot.during(async {
        let general = general(&world);
        let call = world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
        call.acknowledged().await;
        world.web.wait_for_held_downloads(1).await;
        world.discord.expire_tokens();
        world.web.release();
        let message = general.until("the file in the channel", |message| !message.attachments.is_empty()).await;
        assert_eq!(message.interaction, None, "a message of the channel, not of the interaction");
        assert!(message.text().contains(&link));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_are_named_before_any_work() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let link = world.web.file("files.example", "/never.mp4", &media::small_video(240));
    bot.during(async {
        let general = general(&world);
        general.bot_may_not(permissions::ATTACH_FILES);
        let ann = world.discord.user("ann");
        ann.slash(&general, "download", json!({"url": link})).await.says("Attach Files").await;
        ann.says(&general, &format!("$download {link}")).await.says("Attach Files").await;
        assert_eq!(world.web.requests_to("files.example").len(), 0, "no work was begun");
        // What needs no files still works.
        ann.slash(&general, "metadata", json!({"url": link})).await.says("Platform").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_could_not_be_uploaded_are_kept() {
    let world = World::start().await;
    let mut bot = world.bot(&[("UPLOAD_ENABLE_PROGRESS_UPDATES", "false")]).await;
    let clip = media::small_video(250);
    let link = world.web.file("files.example", "/kept.mp4", &clip);
    world.discord.fault(Fault::on("@original", FaultAnswer::Status(400)).method("PATCH").times(1));
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        let text = call.says("kept on the server").await.text();
        assert!(!text.contains('/'), "no paths: {text}");
    })
    .await;
    let mut kept = world.left_behind();
    kept.retain(|path| path.starts_with(world.downloads().join("kept")));
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(media::sha256(&kept[0]), clip.sha256());
}

#[tokio::test(flavor = "multi_thread")]
async fn large_uploads_at_once_are_streamed_and_never_in_memory() {
    let world = World::start().await;
    let mut bot = world.bot(&[("UPLOAD_ENABLE_PROGRESS_UPDATES", "false"), ("LOG_LEVEL", "info")]).await;
    let size = 60 * MIB;
    let clip = media::padded_video(size, 260);
    bot.during(async {
        let boosted = world.discord.guild("Boosted", 3).channel("general");
        let links: Vec<_> =
            (0..3).map(|number| world.web.file("files.example", &format!("/{number}.mp4"), &clip)).collect();
        let mut calls = Vec::new();
        for link in &links {
            calls.push(world.discord.user("ann").slash(&boosted, "download", json!({"url": link})).await);
        }
        for call in calls {
            assert_eq!(call.final_message().await.attachments[0].size, size);
        }
    })
    .await;
    let (_, peak) = bot.memory();
    // One file in memory would be more than this; the bot itself needs the rest, and more in a debug build.
    assert!(peak < size + 40 * MIB, "the peak was {} MiB", peak / MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follow_up_whose_answer_was_lost_is_found_again_and_gets_its_file() {
    let world = World::start().await;
    let mut bot = world.bot(&[("UPLOAD_ENABLE_PROGRESS_UPDATES", "false"), ("UPLOAD_MAX_FILES_PER_BATCH", "1")]).await;
    let images: Vec<_> = (270..272).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Two"));
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        // Follow-ups have no nonce: what may have been posted is looked for, and then not posted again.
        let follow_up = |answer| Fault::on("/webhooks/", answer).method("POST").times(1);
        world.discord.fault(follow_up(FaultAnswer::LoseAnswer));
        let call = ann.slash(&general, "download", json!({"url": link})).await;
        let messages = call.with_files(2).await;
        assert!(messages.iter().all(|message| message.attachments.len() == 1), "both are there, once");
        assert_eq!(messages[1].history[0].content, "⬆️ Uploading 2/2…", "what stands there until the file does");
        assert_eq!(call.messages().len(), 2, "and nothing else");
        // One that never arrived whole is sent again.
        world.discord.fault(follow_up(FaultAnswer::Status(502)));
        let call = ann.slash(&general, "download", json!({"url": link})).await;
        assert_eq!(call.with_files(2).await.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_direct_messages_and_servers_without_the_bot_get_their_files_too() {
    let world = World::start().await;
    let guild = world.discord.guild("No boost", 0);
    let thread = guild.thread(&guild.channel("general"), "clips");
    let mut bot = world.bot(&[]).await;
    let link = world.web.file("files.example", "/anywhere.mp4", &media::small_video(280));
    bot.during(async {
        let ann = world.discord.user("ann");
        for place in [thread, ann.dm()] {
            ann.slash(&place, "download", json!({"url": link})).await.final_message().await;
            ann.says(&place, &format!("$download {link}")).await.final_message().await;
        }
        let elsewhere = world.discord.guild("Elsewhere", 0);
        let channel = elsewhere.channel("general");
        elsewhere.removes_the_bot();
        ann.slash(&channel, "download", json!({"url": link})).await.final_message().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_that_got_lost_does_not_lose_the_request() {
    let world = World::start().await;
    let mut bot = world.bot(&[]).await;
    let link = world.web.file("files.example", "/lost.mp4", &media::small_video(290));
    bot.during(async {
        let general = general(&world);
        let ann = world.discord.user("ann");
        for answer in [FaultAnswer::LoseAnswer, FaultAnswer::Reset] {
            world.discord.fault(Fault::on("/callback", answer).times(1));
            let call = ann.slash(&general, "download", json!({"url": link})).await;
            call.final_message().await;
            assert_eq!(call.messages().len(), 1);
        }
        // Never acknowledged in time: the channel is still there.
        world.discord.fault(Fault::on("/callback", FaultAnswer::Status(404)).times(2));
        let before = general.by_the_bot().len();
        ann.slash(&general, "download", json!({"url": link})).await;
        general
            .until("a message of its own", |message| message.interaction.is_none() && !message.attachments.is_empty())
            .await;
        assert_eq!(general.by_the_bot().len(), before + 1);
    })
    .await;
}
