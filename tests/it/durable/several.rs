//! Several bots with one token: with one database they share the work, with two the first one has it.

use boss_bot::{jobs::store::JobStore, settings::DatabaseUrl};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::{LEASE, arrives, ends_clean, general, hashes};
use crate::world::{
    bot::Bot,
    media::{self, Media},
    platforms::Tweet,
    postgres,
    stage::World,
};

/// Both answer nobody twice, however a command is given.
async fn one_answer_a_command(first: &[(&str, &str)], second: &[(&str, &str)], world: &World, prefix_too: bool) {
    let (mut one, mut two) = (world.bot(first).await, world.bot(second).await);
    let general = general(world);
    one.during(two.during(async {
        let ann = world.discord.user("ann");
        for number in 0..3 {
            let images: Vec<Media> = (0..2).map(|n| media::jpg(1300 + number * 10 + n)).collect();
            let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Two"));
            let slash = ann.slash(&general, "download", json!({"url": link})).await;
            assert_eq!(arrives(&slash, &images).await.len(), 1);
            if prefix_too {
                let prefix = ann.says(&general, &format!("$download {link}")).await;
                assert_eq!(arrives(&prefix, &images).await.len(), 1);
            }
        }
        let answers = general.by_the_bot();
        assert_eq!(answers.len(), if prefix_too { 6 } else { 3 }, "one a command: {answers:?}");
    }))
    .await;
    one.stop().await;
    ends_clean(world, two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bots_of_one_file_answer_each_command_once() {
    let world = World::start().await;
    one_answer_a_command(&[LEASE], &[LEASE], &world, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bots_of_one_postgresql_answer_each_command_once() {
    let world = World::start().await;
    let database = postgres::database().await;
    let env = [LEASE, ("DATABASE_URL", database.as_str())];
    one_answer_a_command(&env, &env, &world, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_bots_with_databases_of_their_own_one_answers_an_interaction() {
    let world = World::start().await;
    let files = [world.dir().join("one.db"), world.dir().join("other.db")];
    let urls = files.each_ref().map(|file| format!("sqlite:{}", file.display()));
    let [one, other] = urls.each_ref().map(|url| [LEASE, ("DATABASE_URL", url.as_str())]);
    // A message cannot be acknowledged, so there nothing tells them apart.
    one_answer_a_command(&one, &other, &world, false).await;
    let mut called_off = 0;
    for file in files {
        let store = JobStore::open(&DatabaseUrl::Sqlite(file)).await.unwrap();
        called_off += store.counts().await.unwrap().cancelled;
        store.close().await;
    }
    assert_eq!(called_off, 3, "who came second called its own job off, each time");
}

fn signal(bot: &Bot, signal: Signal) {
    kill(Pid::from_raw(bot.pid()), signal).expect("the bot runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_that_was_frozen_past_its_lease_says_nothing_when_it_thaws() {
    let world = World::start().await;
    let images: Vec<Media> = (1340..1342).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Two"));
    let env = [LEASE, ("UPLOAD_MAX_FILES_PER_BATCH", "1")];
    let general = general(&world);
    world.web.hold_downloads();
    let mut frozen = world.bot(&env).await;
    let call = frozen
        .during(async {
            let call = world.discord.user("ann").slash(&general, "download", json!({"url": link})).await;
            world.web.wait_for_held_downloads(1).await;
            call
        })
        .await;
    signal(&frozen, Signal::SIGSTOP);
    world.web.release();
    let mut other = world.bot(&env).await;
    let before = other.during(arrives(&call, &images)).await;
    signal(&frozen, Signal::SIGCONT);
    let log = frozen.log().clone();
    frozen.during(log.line("that it is too late", |line| line.contains("another worker has this job"))).await;
    let after = call.messages();
    assert_eq!(hashes(&after), hashes(&before), "nothing was posted twice");
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(new.history.len(), old.history.len(), "and nothing was changed: {:?}", new.history);
    }
    // Both still work.
    let again = other.during(world.discord.user("bob").slash(&general, "download", json!({"url": link}))).await;
    frozen.during(other.during(arrives(&again, &images))).await;
    frozen.stop().await;
    ends_clean(&world, other).await;
}
