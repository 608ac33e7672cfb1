//! A platform that was down, and the operator who puts back what that cost.

use std::time::Duration;

use boss_bot::{
    jobs::store::{Filter, JobStore, State},
    settings::DatabaseUrl,
};
use serde_json::json;

use super::{arrives, ends_clean, general, hashes};
use crate::{
    cli::boss_bot_reading,
    world::{
        bot::PATIENCE,
        discord::{self, FaultAnswer},
        media::{self, Media},
        platforms::Tweet,
        stage::World,
        web::{Fault, FaultKind},
    },
};

/// Settings with which an outage is told at once: nobody else is asked, and nothing is tried again.
const OUTAGE: [(&str, &str); 3] =
    [("DOWNLOAD_API_FALLBACK_TO_CLI", "false"), ("RETRY_MAX_ATTEMPTS", "1"), ("RETRY_LATER_MAX", "0")];

/// `boss-bot recovery …` beside the bot, on its database.
async fn recovery(world: &World, args: &[&str]) -> String {
    let data = world.dir().join("data");
    let env = [("DATA_DIR", data.to_str().expect("UTF-8"))];
    let ran = boss_bot_reading(b"", world.dir(), &[&["recovery"], args].concat(), &env).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    ran.out
}

/// Waits until so many jobs have failed: members read of it a moment before it is written down, and of that there is no event.
async fn failed(world: &World, count: usize) {
    let store = JobStore::open(&DatabaseUrl::Sqlite(world.dir().join("data/boss-bot.db"))).await.unwrap();
    let filter = Filter { states: vec![State::Failed], ..Filter::default() };
    let wait = async {
        while store.list(filter.clone()).await.unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{count} jobs were to fail");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_outage_cost_is_done_again_by_one_command_and_each_member_has_the_files_once() {
    let world = World::start().await;
    let env = OUTAGE;
    let clips = [media::small_video(2301), media::small_video(2302)];
    let links = clips.each_ref().map(|clip| world.web.x().post(Tweet::video(clip)));
    world.web.faults().add(Fault::on("", "", FaultKind::Status(503)));
    let mut bot = world.bot(&env).await;
    let general = general(&world);
    let calls = bot
        .during(async {
            let ann = world.discord.user("ann");
            let slash = ann.slash(&general, "download", json!({"url": links[0]})).await;
            let prefix = ann.says(&general, &format!("$download {}", links[1])).await;
            for call in [&slash, &prefix] {
                call.says("❌").await;
            }
            failed(&world, 2).await;
            [slash, prefix]
        })
        .await;
    world.web.faults().clear();
    let listed = recovery(&world, &["list", "--since", "1h", "--platform", "twitter"]).await;
    assert!(listed.contains("2 jobs. Trying again can help 2"), "{listed}");
    bot.during(async {
        let told = recovery(&world, &["run", "--since", "1h", "--platform", "twitter"]).await;
        assert!(told.contains("2 jobs are in the queue again"), "{told}");
        for (call, clip) in calls.iter().zip(&clips) {
            let messages = arrives(call, std::slice::from_ref(clip)).await;
            assert_eq!(messages.len(), 1, "the message that told of the failure has become the file");
        }
    })
    .await;
    let told = recovery(&world, &["run", "--since", "1h"]).await;
    assert!(told.contains("nothing to do again"), "{told}");
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_back_while_no_bot_ran_is_done_by_the_next_one() {
    let world = World::start().await;
    let env = OUTAGE;
    let clip = media::small_video(2303);
    let link = world.web.x().post(Tweet::video(&clip));
    world.web.faults().add(Fault::on("", "", FaultKind::Status(503)));
    let general = general(&world);
    let mut bot = world.bot(&env).await;
    let call = bot
        .during(async {
            let call = world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
            call.says("❌").await;
            failed(&world, 1).await;
            call
        })
        .await;
    let (status, _) = bot.stop().await;
    assert!(status.success(), "{status}");
    world.web.faults().clear();
    recovery(&world, &["run", "--platform", "twitter"]).await;
    let mut bot = world.bot(&env).await;
    bot.during(async {
        assert_eq!(arrives(&call, std::slice::from_ref(&clip)).await.len(), 1);
    })
    .await;
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_posted_before_a_failure_is_not_posted_again() {
    let world = World::start().await;
    let images: Vec<Media> = (2310..2313).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images));
    let general = general(&world);
    let mut bot = world.bot(&[("UPLOAD_MAX_FILES_PER_BATCH", "1")]).await;
    // The first picture becomes the live message; no other message is taken.
    for path in ["/webhooks/", "/messages"] {
        world.discord.fault(discord::Fault::on(path, FaultAnswer::Status(400)).method("POST"));
    }
    let call = bot
        .during(async {
            let call = world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
            failed(&world, 1).await;
            call
        })
        .await;
    assert_eq!(hashes(&call.messages()), [images[0].sha256()]);
    world.discord.heal();
    bot.during(async {
        recovery(&world, &["run", "--since", "1h"]).await;
        assert_eq!(arrives(&call, &images).await.len(), 3, "a message for each picture, and none besides");
    })
    .await;
    let (status, _) = bot.stop().await;
    assert!(status.success(), "{status}");
    let kept = world.left_behind();
    assert!(kept.iter().all(|path| path.starts_with(world.downloads().join("kept"))), "{kept:?}");
    assert_eq!(kept.len(), 2, "what could not be posted at first is the operator's: {kept:?}");
}
