//! SQLite files: whose they are, and what is said of those that cannot be used.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use boss_bot::{
    jobs::store::{JobStore, StoreError},
    settings::DatabaseUrl,
};

use super::place::{MANY, Place, job};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn open(path: &Path) -> Result<JobStore, StoreError> {
    JobStore::open(&DatabaseUrl::Sqlite(path.to_owned())).await
}

#[tokio::test]
async fn folder_and_file_are_made_for_their_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("not").join("there");
    let path = folder.join("boss-bot.db");
    let store = open(&path).await.unwrap();
    store.enqueue(job("a")).await.unwrap();
    assert_eq!(mode(&folder), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["boss-bot.db", "boss-bot.db-lock", "boss-bot.db-shm", "boss-bot.db-wal"]);
    store.close().await;
    assert!(!folder.join("boss-bot.db-wal").exists(), "after a clean end all is in the one file");
    assert_eq!(open(&path).await.unwrap().counts().await.unwrap().queued, 1);
}

#[tokio::test]
async fn what_is_there_is_there_after_a_killed_process_too() {
    let place = Place::sqlite().await;
    let id = place.add(job("a")).await;
    let DatabaseUrl::Sqlite(path) = &place.url else { unreachable!() };
    // What a killed process leaves behind: its files as they are at this moment.
    let dir = tempfile::tempdir().unwrap();
    for name in ["boss-bot.db", "boss-bot.db-wal"] {
        fs::copy(path.with_file_name(name), dir.path().join(name)).unwrap();
    }
    let store = open(&dir.path().join("boss-bot.db")).await.unwrap();
    let claimed = store.claim("worker", super::place::LONG, MANY).await.unwrap().unwrap();
    assert_eq!(claimed.id, id);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    let text = "I am not a database, and long enough that nobody could take me for an empty one. ".repeat(50);
    fs::write(&path, &text).unwrap();
    let refused = open(&path).await.unwrap_err();
    assert!(matches!(&refused, StoreError::NotADatabase(named) if *named == path), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("notes.txt") && told.contains("DATABASE_URL"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    // A folder is none either.
    let refused = open(dir.path()).await.unwrap_err();
    assert!(!matches!(refused, StoreError::Unreachable(_)), "{refused:?}");
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    for path in ["/proc/boss-bot/boss-bot.db", "/dev/null/boss-bot.db"] {
        let told = open(Path::new(path)).await.unwrap_err().to_string();
        assert!(told.contains(path.rsplit_once('/').unwrap().0), "{told}");
    }
}
