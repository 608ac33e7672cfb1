//! One to many: a gateway that only listens, and workers that only work, each in a folder of its own as on a machine of its
//! own.

use std::time::{Duration, Instant};

use boss_bot::{
    jobs::store::{Filter, JobStore, State},
    settings::DatabaseUrl,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use secrecy::SecretString;
use serde_json::json;

use super::{LEASE, all_end_clean, arrives, crash, general, hashes, while_they_run};
use crate::world::{
    bot::Bot,
    discord::Conversation,
    media::{self, Media},
    postgres,
    stage::World,
};

/// What a cancel may take, the killing included: a second to hear of it, and a busy machine.
const AT_ONCE: Duration = Duration::from_secs(2);

async fn workers(world: &World, env: &[(&str, &str)], names: &[&str]) -> Vec<Bot> {
    let mut workers = Vec::new();
    for name in names {
        workers.push(world.worker(name, env).await);
    }
    workers
}

/// Asks for files of one server, by slash and by prefix in turn, and waits until so many of them are being loaded.
async fn ask_for(world: &World, files: &[Media], at_work: usize) -> Vec<Conversation> {
    let (ann, general) = (world.discord.user("ann"), general(world));
    world.web.hold_downloads();
    let mut calls = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let link = world.web.file("files.example", &format!("/{number}.mp4"), file);
        calls.push(match number % 2 {
            0 => ann.slash(&general, "download", json!({"url": link})).await,
            _ => ann.says(&general, &format!("$download {link}")).await,
        });
    }
    for call in &calls {
        call.acknowledged().await;
    }
    world.web.wait_for_held_downloads(at_work).await;
    calls
}

async fn all_arrive(calls: &[Conversation], files: &[Media]) {
    for (call, file) in calls.iter().zip(files) {
        assert_eq!(arrives(call, std::slice::from_ref(file)).await.len(), 1, "the live message and nothing else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_listens_and_three_workers_share_the_work() {
    let world = World::start().await;
    let database = postgres::database().await;
    let env = [LEASE, ("DATABASE_URL", database.as_str()), ("MAX_CONCURRENT_DOWNLOADS", "1")];
    let mut gateway = world.gateway(&env).await;
    let mut workers = workers(&world, &env, &["one", "two", "three"]).await;
    let files: Vec<Media> = (1601..1605).map(media::small_video).collect();
    while_they_run(workers.iter_mut().chain([&mut gateway]), async {
        let calls = ask_for(&world, &files, 3).await;
        let ann = world.discord.user("ann");
        ann.slash(&general(&world), "status", json!({})).await.says("Running: 3\n- Queued: 1").await;
        world.web.release();
        all_arrive(&calls, &files).await;
    })
    .await;
    assert!(!gateway.log().text().contains("at work on a request"), "a gateway does no work");
    for worker in &workers {
        assert!(worker.log().text().contains("delivered"), "each did a part: {}", worker.log().text());
    }
    assert_eq!(world.discord.gateway().identifies, 1, "workers do not listen to Discord");
    workers.push(gateway);
    all_end_clean(&world, workers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_three_workers_one_is_killed_and_one_frozen_and_nothing_is_lost_or_posted_twice() {
    let world = World::start().await;
    let database = postgres::database().await;
    let env = [LEASE, ("DATABASE_URL", database.as_str()), ("MAX_CONCURRENT_DOWNLOADS", "1")];
    let mut gateway = world.gateway(&env).await;
    let mut others = workers(&world, &env, &["killed", "frozen"]).await;
    let mut left = world.worker("left", &env).await;
    let files: Vec<Media> = (1611..1616).map(media::small_video).collect();
    let calls = gateway.during(left.during(ask_for(&world, &files, 3))).await;
    crash(&mut others[0]).await;
    let frozen = others.remove(1);
    kill(Pid::from_raw(frozen.pid()), Signal::SIGSTOP).expect("it runs");
    world.web.release();
    gateway.during(left.during(all_arrive(&calls, &files))).await;
    let before: Vec<_> = calls.iter().map(|call| hashes(&call.messages())).collect();
    kill(Pid::from_raw(frozen.pid()), Signal::SIGCONT).expect("it runs");
    frozen.log().line("that it is too late", |line| line.contains("another worker has this job")).await;
    let after: Vec<_> = calls.iter().map(|call| hashes(&call.messages())).collect();
    assert_eq!(after, before, "nothing was posted twice");
    assert_eq!(general(&world).by_the_bot().len(), files.len());
    all_end_clean(&world, [gateway, left, frozen]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_hands_its_job_over_at_once() {
    let world = World::start().await;
    let database = postgres::database().await;
    // With the usual lease: what was given back need not lapse first.
    let env = [("DATABASE_URL", database.as_str())];
    let mut gateway = world.gateway(&env).await;
    let mut first = world.worker("first", &env).await;
    let files = [media::small_video(1617)];
    let calls = while_they_run([&mut gateway, &mut first], ask_for(&world, &files, 1)).await;
    let mut second = world.worker("second", &env).await;
    let (status, _) = first.stop().await;
    assert!(status.success(), "{status}; it logged:\n{}", first.log().text());
    let stopped = Instant::now();
    world.web.release();
    while_they_run([&mut gateway, &mut second], all_arrive(&calls, &files)).await;
    assert!(stopped.elapsed() < Duration::from_secs(14), "nothing waited for a lease: {:?}", stopped.elapsed());
    all_end_clean(&world, [gateway, second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_while_no_worker_runs_is_told_so_and_served_when_one_comes() {
    let world = World::start().await;
    // One file for both: a gateway and a worker of one machine need no server.
    let database = format!("sqlite:{}", world.dir().join("jobs.db").display());
    let env = [LEASE, ("DATABASE_URL", database.as_str())];
    let mut gateway = world.gateway(&env).await;
    let clip = media::small_video(1621);
    let link = world.web.file("files.example", "/alone.mp4", &clip);
    let log = gateway.log().clone();
    let call = gateway
        .during(async {
            log.line("what the file means", |line| line.contains("only a `boss-bot worker` on this machine")).await;
            let ann = world.discord.user("ann");
            let call = ann.slash(&general(&world), "download", json!({"url": link})).await;
            call.says("none of my workers is running").await;
            ann.slash(&general(&world), "status", json!({})).await.says("None of my workers is running").await;
            log.line("what to do", |line| line.contains("start `boss-bot worker`")).await;
            call
        })
        .await;
    let mut worker = world.worker("worker", &env).await;
    while_they_run([&mut gateway, &mut worker], async {
        assert_eq!(arrives(&call, &[clip]).await.len(), 1);
        log.line("that it is over", |line| line.contains("no job waits without a worker")).await;
    })
    .await;
    all_end_clean(&world, [gateway, worker]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_called_off_before_any_worker_had_it_says_so() {
    let world = World::start().await;
    let database = world.dir().join("jobs.db");
    let url = format!("sqlite:{}", database.display());
    let mut gateway = world.gateway(&[("DATABASE_URL", url.as_str())]).await;
    let link = world.web.file("files.example", "/never.mp4", &media::small_video(1622));
    gateway
        .during(async {
            let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
            call.says("Queued").await;
            let store = JobStore::open(&DatabaseUrl::Sqlite(database)).await.unwrap();
            let job = store.list(Filter::default()).await.unwrap().remove(0);
            assert!(store.cancel(&job.id).await.unwrap());
            call.says("Called off before it began").await;
            store.close().await;
        })
        .await;
    all_end_clean(&world, [gateway]).await;
}

/// Somebody else than the worker calls a job off while it encodes, with the usual lease: heartbeats come too late for that.
async fn a_cancel_ends_the_children_of_another_process(url: &DatabaseUrl, text: &str) {
    let world = World::start().await;
    let env =
        [("DATABASE_URL", text), ("COMPRESSION_FFMPEG_PRESET", "veryslow"), ("COMPRESSION_TARGET_SIZE_MB", "1MB")];
    let mut gateway = world.gateway(&env).await;
    let mut worker = world.worker("worker", &env).await;
    let link = world.web.file("files.example", "/long.mp4", &media::video_of(6_000_000, 1010));
    let call = while_they_run([&mut gateway, &mut worker], async {
        let call = world.discord.user("ann").slash(&general(&world), "download", json!({"url": link})).await;
        call.says("Compressing").await;
        call
    })
    .await;
    assert!(!worker.processes_at_work().is_empty(), "it encodes");
    let store = JobStore::open(url).await.unwrap();
    let running = Filter { states: vec![State::Running], ..Filter::default() };
    let job = store.list(running).await.unwrap().remove(0);
    let began = Instant::now();
    assert!(store.cancel(&job.id).await.unwrap());
    worker.children_gone().await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    while_they_run([&mut gateway, &mut worker], call.says("❌ Cancelled.")).await;
    store.close().await;
    all_end_clean(&world, [gateway, worker]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_by_another_process_ends_the_children_at_once_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jobs.db");
    let text = format!("sqlite:{}", path.display());
    a_cancel_ends_the_children_of_another_process(&DatabaseUrl::Sqlite(path), &text).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_by_another_process_ends_the_children_at_once_on_postgresql() {
    let text = postgres::database().await;
    let url = DatabaseUrl::Postgres(SecretString::from(text.as_str()));
    a_cancel_ends_the_children_of_another_process(&url, &text).await;
}
