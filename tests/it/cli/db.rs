//! `db check`, `db backup` and `db restore`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use boss_bot::{
    jobs::store::{JobStore, NewJob, Priority, new_id, now},
    settings::DatabaseUrl,
};
use serde_json::json;

use super::{Ran, boss_bot, folder};
use crate::world::postgres;

/// The database where the bot looks for it in `dir`.
async fn open(dir: &Path) -> JobStore {
    JobStore::open(&DatabaseUrl::Sqlite(dir.join("data/boss-bot.db"))).await.unwrap()
}

async fn add(store: &JobStore) {
    let job = NewJob {
        id: new_id(),
        source: None,
        key: None,
        group: "a".into(),
        user: None,
        guild: None,
        channel: None,
        platform: "direct".into(),
        priority: Priority::Interactive,
        run_at: now(),
        max_attempts: 1,
        request: json!({}),
        address: json!({}),
    };
    store.enqueue(job).await.unwrap();
}

async fn db(dir: &Path, args: &[&str]) -> Ran {
    boss_bot(dir, &[&["db"], args].concat(), &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_the_bot_runs_can_be_put_back_when_it_has_stopped() {
    let dir = folder();
    let dir = dir.path();
    let running = open(dir).await;
    add(&running).await;
    let ran = db(dir, &["check"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("1 jobs are open, 0 have ended") && ran.out.contains("It is whole."), "{}", ran.out);
    let ran = db(dir, &["backup", "copy.db"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let copy = dir.join("copy.db");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let content = fs::read(&copy).unwrap();
    let ran = db(dir, &["backup", "copy.db"]).await;
    assert!(ran.code == 1 && ran.err.contains("is not overwritten"), "{}", ran.err);

    add(&running).await;
    let ran = db(dir, &["restore", "copy.db"]).await;
    assert!(ran.code == 1 && ran.err.contains("stop it first"), "{}", ran.err);
    assert_eq!(running.counts().await.unwrap().queued, 2, "nothing has happened");
    running.close().await;
    drop(running);

    let ran = db(dir, &["restore", "copy.db"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("boss-bot.db-before-restore"), "{}", ran.out);
    assert_eq!(open(dir).await.counts().await.unwrap().queued, 1);
    assert_eq!(fs::metadata(dir.join("data/boss-bot.db")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&copy).unwrap(), content, "the copy stays as it is");
    let former = DatabaseUrl::Sqlite(dir.join("data/boss-bot.db-before-restore"));
    assert_eq!(JobStore::open(&former).await.unwrap().counts().await.unwrap().queued, 2);
    let mut left: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["copy.db", "data"], "nothing half-made stays behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_bot_left_in_the_log_does_not_get_into_the_copy_that_is_put_back() {
    let dir = folder();
    let dir = dir.path();
    let store = open(dir).await;
    add(&store).await;
    assert_eq!(db(dir, &["backup", "copy.db"]).await.code, 0);
    add(&store).await;
    // The files as a kill leaves them.
    let other = folder();
    fs::create_dir(other.path().join("data")).unwrap();
    for name in ["boss-bot.db", "boss-bot.db-wal"] {
        fs::copy(dir.join("data").join(name), other.path().join("data").join(name)).unwrap();
    }
    let copy = dir.join("copy.db");
    let ran = db(other.path(), &["restore", copy.to_str().unwrap()]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(open(other.path()).await.counts().await.unwrap().queued, 1);
    let former = DatabaseUrl::Sqlite(other.path().join("data/boss-bot.db-before-restore"));
    assert_eq!(JobStore::open(&former).await.unwrap().counts().await.unwrap().queued, 2, "its log was folded in");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_found_and_what_is_no_copy_is_not_put_back() {
    let dir = folder();
    let dir = dir.path();
    let ran = db(dir, &["check"]).await;
    assert!(ran.code == 1 && ran.err.contains("there is no database at"), "{}", ran.err);
    assert!(!dir.join("data").exists(), "looking makes nothing");
    let store = open(dir).await;
    for _ in 0..200 {
        add(&store).await;
    }
    store.close().await;
    drop(store);
    assert_eq!(db(dir, &["backup", "whole.db"]).await.code, 0);
    // The second half of the pages is lost.
    let path = dir.join("data/boss-bot.db");
    let mut content = fs::read(&path).unwrap();
    let half = content.len() / 2 / 4096 * 4096;
    content[half..].fill(0xa5);
    fs::write(&path, &content).unwrap();
    fs::write(dir.join("broken.db"), &content).unwrap();
    fs::write(dir.join("notes.txt"), "no database ".repeat(1000)).unwrap();

    let ran = db(dir, &["check"]).await;
    assert!(ran.code == 1 && ran.err.contains("the database is damaged"), "{} {}", ran.out, ran.err);
    assert!(ran.err.contains("boss-bot db restore"), "{}", ran.err);
    for (file, told) in [
        ("broken.db", "the database is damaged"),
        ("notes.txt", "notes.txt is not a database of boss-bot"),
        ("nowhere.db", "there is no database at"),
    ] {
        let ran = db(dir, &["restore", file]).await;
        assert!(ran.code != 0 && ran.err.contains(told), "{file}: {}", ran.err);
        assert_eq!(fs::read(&path).unwrap(), content, "{file}");
    }
    let ran = db(dir, &["restore", "whole.db"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(open(dir).await.counts().await.unwrap().queued, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_database_is_checked_and_copied_by_the_servers_own_tools() {
    let dir = folder();
    let url = postgres::database().await;
    let env = [("DATABASE_URL", url.as_str())];
    let ran = boss_bot(dir.path(), &["db", "check"], &env).await;
    assert!(ran.code == 1 && ran.err.contains("the database is empty"), "nobody has made its tables yet: {}", ran.err);
    let store = JobStore::open(&DatabaseUrl::Postgres(url.clone().into())).await.unwrap();
    add(&store).await;
    let ran = boss_bot(dir.path(), &["db", "check"], &env).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("1 jobs are open") && ran.out.contains("It can be used."), "{}", ran.out);
    for (args, tool) in [(["db", "backup", "copy"], "pg_dump"), (["db", "restore", "copy"], "pg_restore")] {
        let ran = boss_bot(dir.path(), &args, &env).await;
        assert!(ran.code == 2 && ran.err.contains(tool), "{args:?}: {}", ran.err);
    }
    let nowhere = [("DATABASE_URL", "postgres://boss:hunter2hunter2@127.0.0.1:9/jobs")];
    let ran = boss_bot(dir.path(), &["db", "check"], &nowhere).await;
    assert!(ran.code == 7 && ran.err.contains("cannot be reached"), "{}", ran.err);
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    for args in [&["run"][..], &["run", "--role", "gateway"], &["worker"], &["recovery", "list"]] {
        let ran = boss_bot(dir.path(), args, &[nowhere[0], ("DISCORD_TOKEN", "some.bot.token")]).await;
        assert_eq!(ran.code, 7, "whoever asks, it may be there later: {args:?}: {}", ran.err);
        assert!(ran.err.contains("cannot be reached") && !ran.err.contains("hunter2"), "{}", ran.err);
    }
}
