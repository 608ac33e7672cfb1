//! A PostgreSQL server that is stopped and started again in the middle of jobs.

use serde_json::json;

use super::{all_end_clean, arrives, general, while_they_run};
use crate::world::{
    discord::{Conversation, State},
    media::{self, Media},
    platforms::Tweet,
    postgres::Server,
    stage::World,
};

async fn server() -> Server {
    tokio::task::spawn_blocking(Server::start).await.expect("a server")
}

/// Waits until Discord has been asked so much more.
async fn asked(world: &World, more: usize) {
    let enough = world.discord.requests().len() + more;
    world.discord.wait_for("some requests", |state: &State| (state.requests.len() >= enough).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_of_the_server_in_the_middle_of_deliveries_lose_nothing_and_post_nothing_twice() {
    const RESTARTS: usize = 3;
    let world = World::start().await;
    let mut server = server().await;
    let database = server.database().await;
    let env = [
        ("DATABASE_LEASE_SECONDS", "3"),
        ("DATABASE_URL", database.as_str()),
        ("UPLOAD_MAX_FILES_PER_BATCH", "1"),
        ("MAX_CONCURRENT_DOWNLOADS", "2"),
    ];
    let mut gateway = world.gateway(&env).await;
    let mut one = world.worker("one", &env).await;
    let mut two = world.worker("two", &env).await;
    let ann = world.discord.user("ann");
    while_they_run([&mut gateway, &mut one, &mut two], async {
        world.web.hold_downloads();
        let mut asked_for: Vec<(Conversation, Vec<Media>)> = Vec::new();
        for number in 0..6 {
            let images: Vec<Media> = (0..3).map(|n| media::jpg(1700 + number * 3 + n)).collect();
            let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Three"));
            let call = ann.slash(&general(&world), "download", json!({"url": link})).await;
            call.acknowledged().await;
            asked_for.push((call, images));
        }
        world.web.release();
        for _ in 0..RESTARTS {
            asked(&world, 5).await;
            tokio::task::block_in_place(|| {
                server.stop();
                server.start_again();
            });
        }
        for (call, images) in &asked_for {
            assert_eq!(arrives(call, images).await.len(), 3, "a message for each picture, and none besides");
        }
    })
    .await;
    all_end_clean(&world, [gateway, one, two]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_told_of_and_waited_for() {
    let world = World::start().await;
    let mut server = server().await;
    let database = server.database().await;
    let env = [("DATABASE_LEASE_SECONDS", "3"), ("DATABASE_URL", database.as_str())];
    let mut gateway = world.gateway(&env).await;
    let mut worker = world.worker("worker", &env).await;
    let clip = media::small_video(1731);
    let link = world.web.file("files.example", "/through.mp4", &clip);
    let (ann, general, log) = (world.discord.user("ann"), general(&world), worker.log().clone());
    while_they_run([&mut gateway, &mut worker], async {
        world.web.hold_downloads();
        let call = ann.slash(&general, "download", json!({"url": link})).await;
        world.web.wait_for_held_downloads(1).await;
        tokio::task::block_in_place(|| server.stop());
        world.web.release();
        log.line("that nothing can be taken", |line| line.contains("no jobs can be taken")).await;
        log.line("that it waits with what is done", |line| line.contains("cannot be written down now")).await;
        ann.slash(&general, "download", json!({"url": link})).await.says("my notes can't be written").await;
        tokio::task::block_in_place(|| server.start_again());
        assert_eq!(arrives(&call, std::slice::from_ref(&clip)).await.len(), 1);
        log.line("that it is over", |line| line.contains("the database is back")).await;
        let again = ann.says(&general, &format!("$download {link}")).await;
        assert_eq!(arrives(&again, &[clip]).await.len(), 1);
    })
    .await;
    all_end_clean(&world, [gateway, worker]).await;
}
