//! SIGTERM in the middle, then another start; and jobs that are called off.

use std::time::{Duration, Instant};

use boss_bot::{
    jobs::store::{Filter, JobStore, State as JobState},
    settings::DatabaseUrl,
};
use serde_json::json;

use super::{LEASE, arrives, ends_clean, general};
use crate::world::{
    discord::{Fault, FaultAnswer},
    media::{self, Media},
    platforms::Tweet,
    stage::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_is_told_and_everything_goes_on() {
    let world = World::start().await;
    // With the usual lease: what was given back need not lapse first.
    let env = [("MAX_CONCURRENT_DOWNLOADS", "2")];
    let files: Vec<Media> = (1201..1204).map(media::small_video).collect();
    let links: Vec<_> =
        files.iter().zip(0..).map(|(f, n)| world.web.file("files.example", &format!("/{n}.mp4"), f)).collect();
    world.web.hold_downloads();
    let mut bot = world.bot(&env).await;
    let general = general(&world);
    let calls = bot
        .during(async {
            let ann = world.discord.user("ann");
            let slash = ann.slash(&general, "download", json!({"url": links[0]})).await;
            let prefix = ann.says(&general, &format!("$download {}", links[1])).await;
            world.web.wait_for_held_downloads(2).await;
            let queued = ann.slash(&general, "download", json!({"url": links[2]})).await;
            queued.says("Queued").await;
            ann.slash(&general, "status", json!({})).await.says("Running: 2\n- Queued: 1").await;
            [slash, prefix, queued]
        })
        .await;
    let (status, took) = bot.stop().await;
    assert!(status.success(), "{status}; it logged:\n{}", bot.log().text());
    assert!(took < Duration::from_secs(10), "{took:?}");
    for call in &calls {
        call.says("This goes on by itself").await;
    }
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
    world.web.release();
    let began = Instant::now();
    let mut bot = world.bot(&env).await;
    bot.during(async {
        for (call, file) in calls.iter().zip(&files) {
            assert_eq!(arrives(call, std::slice::from_ref(file)).await.len(), 1);
        }
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(14), "nothing waited for a lease: {:?}", began.elapsed());
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_when_the_files_are_there_but_not_written_down_leaves_their_caption_alone() {
    let world = World::start().await;
    let images: Vec<Media> = (1230..1232).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Two"));
    let general = general(&world);
    world.discord.fault(Fault::on("/messages/@original", FaultAnswer::KeepAnswer).method("PATCH"));
    let mut bot = world.bot(&[("UPLOAD_ENABLE_PROGRESS_UPDATES", "false")]).await;
    let call = bot
        .during(async {
            let call = world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
            call.final_message().await;
            call
        })
        .await;
    let (status, took) = bot.stop().await;
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    world.discord.heal();
    let mut bot = world.bot(&[]).await;
    let log = bot.log().clone();
    bot.during(log.line("the end of the job", |line| line.contains("delivered"))).await;
    let messages = bot.during(arrives(&call, &images)).await;
    assert!(messages[0].content.contains("Two"), "{}", messages[0].content);
    assert_eq!((messages.len(), messages[0].history.len()), (1, 2), "thinking, then the files: nothing else was said");
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_restarts_cost_no_attempts() {
    let world = World::start().await;
    let clip = media::small_video(1210);
    let link = world.web.x().post(Tweet::video(&clip));
    let general = general(&world);
    let mut call = None;
    for _ in 0..5 {
        world.web.hold_downloads();
        let mut bot = world.bot(&[]).await;
        bot.during(async {
            if call.is_none() {
                call = Some(world.discord.user("ann").slash(&general, "download", json!({"url": link})).await);
            }
            world.web.wait_for_held_downloads(1).await;
        })
        .await;
        bot.stop().await;
        world.web.release();
        world.web.no_downloads().await;
    }
    let mut bot = world.bot(&[]).await;
    let call = call.expect("it was asked");
    bot.during(arrives(&call, &[clip])).await;
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_called_off_ends_within_a_second() {
    let world = World::start().await;
    let link = world.web.file("files.example", "/off.mp4", &media::small_video(1220));
    world.web.hold_downloads();
    let mut bot = world.bot(&[LEASE]).await;
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        world.web.wait_for_held_downloads(1).await;
        let store = JobStore::open(&DatabaseUrl::Sqlite(world.dir().join("data/boss-bot.db"))).await.unwrap();
        let running = Filter { states: vec![JobState::Running], ..Filter::default() };
        let job = store.list(running).await.unwrap().remove(0);
        let began = Instant::now();
        assert!(store.cancel(&job.id).await.unwrap());
        call.says("❌").await;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        store.close().await;
    })
    .await;
    world.web.release();
    ends_clean(&world, bot).await;
}
