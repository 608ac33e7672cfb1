//! Failures that pass: tried again later, and told.

use std::time::Duration;

use boss_bot::{
    jobs::store::{Filter, JobRow, JobStore, State, now},
    settings::DatabaseUrl,
};
use serde_json::json;

use super::{arrives, ends_clean, general};
use crate::world::{
    bot::PATIENCE,
    media,
    platforms::Tweet,
    stage::World,
    web::{Fault, FaultKind},
};

/// Nobody else is asked, and what failed a moment ago is asked again.
const ALONE: [(&str, &str); 3] =
    [("DOWNLOAD_API_FALLBACK_TO_CLI", "false"), ("RETRY_MAX_ATTEMPTS", "1"), ("CACHE_ENABLED", "false")];

async fn store(world: &World) -> JobStore {
    JobStore::open(&DatabaseUrl::Sqlite(world.dir().join("data/boss-bot.db"))).await.unwrap()
}

/// The only job, once it is in this state: members read of it a moment before, and of that there is no event.
async fn job(store: &JobStore, state: State) -> JobRow {
    let wait = async {
        loop {
            let job = store.list(Filter::default()).await.unwrap().remove(0);
            if job.state == state {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it was to be {state:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_is_down_is_asked_again_later_and_the_message_says_when() {
    let world = World::start().await;
    let clip = media::small_video(1801);
    let link = world.web.x().post(Tweet::video(&clip));
    world.web.faults().add(Fault::on("", "", FaultKind::Status(503)));
    let mut bot = world.bot(&[&ALONE[..], &[("RETRY_LATER_SECONDS", "3")]].concat()).await;
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        let message = call.says("I'll try again by myself <t:").await;
        assert!(message.content.starts_with("⏳ I can't reach the platform"), "{}", message.content);
        world.web.faults().clear();
        let messages = arrives(&call, &[clip]).await;
        assert_eq!(messages.len(), 1);
        let store = store(&world).await;
        assert_eq!(job(&store, State::Done).await.attempts, 2);
        store.close().await;
    })
    .await;
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_stays_down_is_told_of_after_the_last_attempt() {
    let world = World::start().await;
    let link = world.web.x().post(Tweet::video(&media::small_video(1802)));
    world.web.faults().add(Fault::on("", "", FaultKind::Status(503)));
    let mut bot = world.bot(&[&ALONE[..], &[("RETRY_LATER_SECONDS", "0.1")]].concat()).await;
    bot.during(async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        call.says("❌ I couldn't reach the platform").await;
        let store = store(&world).await;
        let job = job(&store, State::Failed).await;
        assert_eq!((job.attempts, job.error_code.as_deref()), (3, Some("network")));
        store.close().await;
    })
    .await;
    ends_clean(&world, bot).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_wants_a_long_pause_gets_it() {
    let world = World::start().await;
    let link = world.web.x().post(Tweet::video(&media::small_video(1803)));
    world.web.faults().add(Fault::on("", "", FaultKind::RateLimit(Some(600))));
    let mut bot = world.bot(&ALONE).await;
    bot.during(async {
        let before = now();
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        call.says("⏳ The platform asks me to slow down. I'll try again by myself").await;
        let store = store(&world).await;
        let job = job(&store, State::Queued).await;
        assert!(job.run_at - before >= 600_000 && job.run_at - now() <= 660_000, "{}", job.run_at - before);
        assert!(store.cancel(&job.id).await.unwrap(), "what waits can be called off");
        store.close().await;
    })
    .await;
    ends_clean(&world, bot).await;
}
