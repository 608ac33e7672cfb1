//! kill −9 at every step, then another start.

use serde_json::json;

use super::{LEASE, arrives, asked, crash, ends_clean, general};
use crate::world::{
    discord::{Fault, FaultAnswer, State},
    media::{self, Media},
    platforms::Tweet,
    stage::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_and_a_loading_job_survive_a_kill() {
    let world = World::start().await;
    let env = [LEASE, ("MAX_CONCURRENT_DOWNLOADS", "1")];
    let files: Vec<Media> = (1001..1004).map(media::small_video).collect();
    let link = |n: usize| world.web.file("files.example", &format!("/{n}.mp4"), &files[n]);
    let links = [link(0), link(1), link(2)];
    world.web.hold_downloads();
    let mut bot = world.bot(&env).await;
    let general = general(&world);
    let calls = bot
        .during(async {
            let ann = world.discord.user("ann");
            let loading = ann.slash(&general, "download", json!({"url": links[0]})).await;
            world.web.wait_for_held_downloads(1).await;
            let queued = ann.slash(&general, "download", json!({"url": links[1]})).await;
            queued.says("Queued").await;
            let also = ann.says(&general, &format!("$download {}", links[2])).await;
            also.says("1 ahead").await;
            [loading, queued, also]
        })
        .await;
    crash(&mut bot).await;
    world.web.release();
    let mut bot = world.bot(&env).await;
    bot.during(async {
        for (call, file) in calls.iter().zip(&files) {
            let messages = arrives(call, std::slice::from_ref(file)).await;
            assert_eq!(messages.len(), 1, "one live message and nothing else");
        }
    })
    .await;
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encode_is_done_again_after_a_kill_and_no_ffmpeg_lives_on() {
    let world = World::start().await;
    let env = [LEASE, ("COMPRESSION_FFMPEG_PRESET", "veryslow"), ("COMPRESSION_TARGET_SIZE_MB", "1MB")];
    let link = world.web.file("files.example", "/long.mp4", &media::video_of(6_000_000, 1010));
    let mut bot = world.bot(&env).await;
    let general = general(&world);
    let call = bot
        .during(async {
            let call = world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
            call.says("Compressing").await;
            call
        })
        .await;
    crash(&mut bot).await;
    let mut bot = world.bot(&[LEASE, ("COMPRESSION_FFMPEG_PRESET", "ultrafast"), env[2]]).await;
    bot.during(async {
        let message = call.final_message().await;
        assert!(message.attachments[0].size <= 1_048_576);
        assert_eq!(call.messages().len(), 1);
        assert_eq!(message.attachments.len(), 1);
    })
    .await;
    ends_clean(&world, bot).await;
}

/// Three pictures, one a message: killed when Discord has been asked what `fault` gives no answer to, then started again.
async fn broken_off_at(slash: bool, fault: Fault, seed: u32) -> World {
    let world = World::start().await;
    let env = [LEASE, ("UPLOAD_MAX_FILES_PER_BATCH", "1"), ("UPLOAD_ENABLE_PROGRESS_UPDATES", "false")];
    let images: Vec<Media> = (seed..seed + 3).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Three"));
    world.web.hold_downloads();
    let mut bot = world.bot(&env).await;
    let general = general(&world);
    let ann = world.discord.user("ann");
    let call = bot
        .during(async {
            let call = match slash {
                true => ann.slash(&general, "download", json!({"url": link})).await,
                false => ann.says(&general, &format!("$download {link}")).await,
            };
            call.acknowledged().await;
            world.web.wait_for_held_downloads(1).await;
            let seen = world.discord.requests().len();
            let (method, part, acts) =
                (fault.method, fault.path_contains.clone(), fault.answer == FaultAnswer::KeepAnswer);
            world.discord.fault(fault);
            world.web.release();
            let there = |state: &State| {
                let mut new = state.requests.iter().skip(seen);
                let faulty = new.find(|request| request.method == method && request.path.contains(&part))?;
                (!acts || faulty.status != 0).then_some(())
            };
            world.discord.wait_for("the request", there).await;
            call
        })
        .await;
    crash(&mut bot).await;
    world.discord.heal();
    let mut bot = world.bot(&env).await;
    bot.during(async {
        let messages = arrives(&call, &images).await;
        assert_eq!(messages.len(), 3, "one message a picture and nothing else: {messages:?}");
        assert!(messages[0].text().contains("Three") && messages[2].content.is_empty(), "the caption stands once");
        assert_eq!(general.by_the_bot().len(), 3);
    })
    .await;
    ends_clean(&world, bot).await;
    world
}

fn files_sent(world: &World) -> usize {
    world.discord.requests().iter().map(|request| request.files.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_first_files_left_costs_nothing() {
    broken_off_at(true, Fault::on("/messages/@original", FaultAnswer::Hang).method("PATCH"), 1020).await;
    broken_off_at(false, Fault::on("/messages/1", FaultAnswer::Hang).method("PATCH"), 1030).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_when_the_files_are_there_but_not_written_down_posts_nothing_twice() {
    for (slash, path, seed) in [(true, "/messages/@original", 1040), (false, "/messages/1", 1050)] {
        let world = broken_off_at(slash, Fault::on(path, FaultAnswer::KeepAnswer).method("PATCH"), seed).await;
        assert_eq!(files_sent(&world), 3, "what was there was seen to be there and not sent again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_two_messages_goes_on_with_the_second() {
    // Before the second message is there, when it is there without files, and when it has them.
    for (fault, seed) in [
        (Fault::on("/webhooks/", FaultAnswer::Hang).method("POST"), 1060),
        (Fault::on("/webhooks/", FaultAnswer::KeepAnswer).method("POST"), 1070),
        (Fault::on("/messages/1", FaultAnswer::Hang).method("PATCH"), 1080),
        (Fault::on("/messages/1", FaultAnswer::KeepAnswer).method("PATCH"), 1090),
    ] {
        broken_off_at(true, fault, seed).await;
    }
    let fault = |answer| Fault::on("/messages", answer).method("POST");
    broken_off_at(false, fault(FaultAnswer::Hang), 1100).await;
    broken_off_at(false, fault(FaultAnswer::KeepAnswer), 1110).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_command_was_answered_is_answered_in_the_channel() {
    let world = World::start().await;
    let clip = media::small_video(1120);
    let link = world.web.file("files.example", "/unanswered.mp4", &clip);
    let mut bot = world.bot(&[LEASE]).await;
    let general = general(&world);
    world.discord.fault(Fault::on("/callback", FaultAnswer::Hang));
    bot.during(async {
        let seen = world.discord.requests().len();
        world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
        asked(&world, seen, "the acknowledgement", |_, path| path.ends_with("/callback")).await;
    })
    .await;
    crash(&mut bot).await;
    world.discord.heal();
    let mut bot = world.bot(&[LEASE]).await;
    bot.during(async {
        let message = general.until("the file in the channel", |message| !message.attachments.is_empty()).await;
        assert_eq!(super::hashes(&[message]), [clip.sha256()]);
        assert_eq!(general.by_the_bot().len(), 1);
    })
    .await;
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_dies_each_time_is_given_up_and_says_so() {
    let world = World::start().await;
    let clip = media::small_video(1130);
    let link = world.web.file("files.example", "/deadly.mp4", &clip);
    let general = general(&world);
    let mut call = None;
    for attempt in 1..=3 {
        world.web.hold_downloads();
        let mut bot = world.bot(&[LEASE]).await;
        bot.during(async {
            if call.is_none() {
                call = Some(world.discord.user("ann").slash(&general, "download", json!({"url": link})).await);
            }
            world.web.wait_for_held_downloads(1).await;
        })
        .await;
        crash(&mut bot).await;
        world.web.release();
        world.web.no_downloads().await;
        assert!(attempt <= 3);
    }
    let call = call.expect("it was asked");
    let mut bot = world.bot(&[LEASE]).await;
    bot.during(async {
        call.says("Please ask again").await;
        assert_eq!(call.messages().len(), 1);
        let again = world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
        arrives(&again, &[clip]).await;
    })
    .await;
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_for_the_server_are_placed_once() {
    let world = World::start().await;
    let clip = media::small_video(1140);
    let link = world.web.file("files.example", "/placed.mp4", &clip);
    let env = [LEASE, ("UPLOAD_ENABLE_PROGRESS_UPDATES", "false")];
    let mut bot = world.bot(&env).await;
    let general = general(&world);
    world.discord.fault(Fault::on("/messages/@original", FaultAnswer::Hang).method("PATCH"));
    let call = bot
        .during(async {
            let seen = world.discord.requests().len();
            let call = world.discord.user("ann").slash(&general, "download-only", json!({"url": link})).await;
            asked(&world, seen, "the last word", |method, path| method == "PATCH" && path.ends_with("@original")).await;
            call
        })
        .await;
    crash(&mut bot).await;
    world.discord.heal();
    let mut bot = world.bot(&env).await;
    bot.during(call.says("placed.mp4")).await;
    let (status, _) = bot.stop().await;
    assert!(status.success());
    let left: Vec<_> = world.left_behind();
    let folder = world.downloads().join("direct");
    assert_eq!(left, ["placed.info.json", "placed.mp4"].map(|name| folder.join(name)), "once");
    assert_eq!(media::sha256(&left[1]), clip.sha256());
}
