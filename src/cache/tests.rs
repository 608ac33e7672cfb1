//! How long answers live, and what files survive.

use std::os::unix::fs::PermissionsExt;

use chrono::TimeDelta;
use url::Url;

use super::*;
use crate::model::{FileType, Item, Kind, Options, PlatformId, Rendition, Resource};

fn resource(kind: ResourceKind, id: &str) -> Resource {
    Resource::new(PlatformId("a"), kind, id, Url::parse("https://a.example/p/1").unwrap())
}

fn key_of(kind: ResourceKind) -> Key {
    Key::of(&resource(kind, "1"), &Options::default(), None).unwrap()
}

fn key() -> Key {
    key_of(ResourceKind::Post)
}

/// A post with one video whose address expires then.
fn post(expires_at: Option<DateTime<Utc>>) -> MediaMetadata {
    let address = Url::parse("https://cdn.a.example/v.mp4?sig=hunter2").unwrap();
    let mut rendition = Rendition { expires_at, bytes: Some(7), ..Rendition::at(address) };
    rendition.headers.insert("cookie".into(), "visitor=hunter2".into());
    MediaMetadata {
        title: Some("a post".into()),
        thumbnail: Some("https://cdn.a.example/t.jpg?sig=hunter2".into()),
        items: vec![Item::new(FileType::Video, vec![rendition])],
        ..MediaMetadata::default()
    }
}

fn refused(kind: Kind) -> Result<MediaMetadata> {
    Err(Error::new(kind, "said so"))
}

fn now() -> DateTime<Utc> {
    "2026-01-05T12:00:00Z".parse().unwrap()
}

struct Place {
    dir: tempfile::TempDir,
    settings: CacheSettings,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), settings: CacheSettings::default() }
    }

    /// As the next process would open it: nothing in memory.
    fn open(&self) -> Cache {
        Cache::new(&self.settings, &self.dir.path().join("cache"))
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("cache")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

#[tokio::test]
async fn addresses_are_used_until_just_before_they_expire_and_the_rest_for_a_day() {
    let (place, asked) = (Place::new(), now());
    let cache = place.open();
    let expires = asked + TimeDelta::hours(2);
    cache.put(&key(), "api", &Ok(post(Some(expires))), asked).await;
    for (after, loads, looks) in [
        (TimeDelta::zero(), true, true),
        (TimeDelta::minutes(118), true, true),
        (TimeDelta::minutes(119), false, true),
        (TimeDelta::hours(23), false, true),
        (TimeDelta::hours(24), false, false),
    ] {
        let now = asked + after;
        let load = cache.to_load(&key(), now).await;
        assert_eq!(load.is_some(), loads, "{after}");
        let look = cache.to_look(&key(), now).await;
        assert_eq!(look.is_some(), looks, "{after}");
        let Some(look) = look else { continue };
        let text = serde_json::to_string(&look.answer.unwrap()).unwrap();
        assert_eq!(text.contains("hunter2"), loads, "no signed address is given out past its time: {text}");
        assert!(text.contains("a post") && text.contains("\"bytes\":7"), "{text}");
    }
}

#[tokio::test]
async fn an_address_that_does_not_tell_is_used_for_minutes_and_the_first_to_expire_counts() {
    let (place, asked) = (Place::new(), now());
    let cache = place.open();
    let mut two = post(Some(asked + TimeDelta::hours(5)));
    two.items.extend(post(None).items);
    cache.put(&key(), "api", &Ok(two), asked).await;
    assert!(cache.to_load(&key(), asked + TimeDelta::minutes(9)).await.is_some());
    assert!(cache.to_load(&key(), asked + TimeDelta::minutes(10)).await.is_none());
}

#[tokio::test]
async fn what_had_expired_when_it_was_told_is_never_loaded_by() {
    let (place, asked) = (Place::new(), now());
    let cache = place.open();
    cache.put(&key(), "api", &Ok(post(Some(asked - TimeDelta::hours(1)))), asked).await;
    assert!(cache.to_load(&key(), asked).await.is_none());
    assert!(cache.to_look(&key(), asked).await.is_some());
}

#[tokio::test]
async fn every_refusal_is_believed_as_long_as_it_deserves() {
    let hour = 3600;
    for (kind, seconds) in [
        (Kind::NotFound, 6 * hour),
        (Kind::GeoBlocked, 6 * hour),
        (Kind::NoMedia, 6 * hour),
        (Kind::AgeRestricted, 6 * hour),
        (Kind::Private, 900),
        (Kind::LoginRequired, 900),
        (Kind::Live, 60),
        (Kind::NotYet, 60),
        (Kind::PlatformChanged, 60),
        (Kind::RateLimited { retry_after: Some(20) }, 20),
        (Kind::RateLimited { retry_after: Some(9000) }, 60),
        (Kind::RateLimited { retry_after: None }, 5),
        (Kind::Network, 5),
        (Kind::Timeout, 5),
        (Kind::TooLarge, 0),
        (Kind::BlockedAddress, 0),
        (Kind::Cancelled, 0),
        (Kind::Internal, 0),
    ] {
        let place = Place::new();
        let (cache, asked) = (place.open(), now());
        cache.put(&key(), "api", &refused(kind.clone()), asked).await;
        let kept = place.open().to_load(&key(), asked).await.is_some();
        assert_eq!(kept, seconds >= 6 * hour, "{kind:?}: only verdicts outlive the process");
        let known = async |after: i64| cache.to_load(&key(), asked + TimeDelta::seconds(after)).await;
        if seconds > 0 {
            let known = known(seconds - 1).await.unwrap_or_else(|| panic!("{kind:?}"));
            assert_eq!(known.answer.unwrap_err().kind(), &kind);
        }
        assert_eq!(known(seconds).await, None, "{kind:?}");
    }
}

#[tokio::test]
async fn lists_are_asked_again_sooner_than_posts() {
    let (place, asked) = (Place::new(), now());
    let cache = place.open();
    for (kind, minutes) in [
        (ResourceKind::Profile, 15),
        (ResourceKind::Playlist, 15),
        (ResourceKind::Story, 10),
        (ResourceKind::Video, 1440),
    ] {
        cache.put(&key_of(kind), "api", &Ok(post(None)), asked).await;
        assert!(cache.to_look(&key_of(kind), asked + TimeDelta::minutes(minutes - 1)).await.is_some(), "{kind:?}");
        assert!(cache.to_look(&key_of(kind), asked + TimeDelta::minutes(minutes)).await.is_none(), "{kind:?}");
    }
}

#[tokio::test]
async fn what_a_list_says_of_itself_stands_in_for_a_week() {
    let (place, asked) = (Place::new(), now());
    let cache = place.open();
    let key = key_of(ResourceKind::Playlist);
    cache.put(&key, "api", &Ok(post(None)), asked).await;
    let later = cache.to_stand_in(&key, asked + TimeDelta::days(6)).await.unwrap().answer.unwrap();
    assert_eq!((later.title.as_deref(), later.items.len()), (Some("a post"), 0), "its entries are out of date");
    assert!(cache.to_stand_in(&key, asked + TimeDelta::days(7)).await.is_none());
}

#[tokio::test]
async fn the_next_process_knows_it_and_nobody_else_may_read_it() {
    let (place, asked) = (Place::new(), now());
    let said = Ok(post(Some(asked + TimeDelta::hours(2))));
    place.open().put(&key(), "api", &said, asked).await;
    let known = place.open().to_load(&key(), asked).await.unwrap();
    assert_eq!((known.answer, known.by.as_str(), known.told), (said, "api", asked));
    let files = place.files();
    assert_eq!(files.len(), 1);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&files[0]), mode(files[0].parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn a_broken_file_is_as_good_as_none_and_goes() {
    for broken in
        ["".to_owned(), "{".to_owned(), "[]".to_owned(), r#"{"format":2}"#.to_owned(), "x".repeat(3 * 1024 * 1024)]
    {
        let place = Place::new();
        place.open().put(&key(), "api", &Ok(post(None)), now()).await;
        let file = place.files().remove(0);
        std::fs::write(&file, broken).unwrap();
        assert_eq!(place.open().to_look(&key(), now()).await, None);
        assert!(!file.exists());
    }
    // Of another format, or of another key: written by us, and all the same not what was asked for.
    for (from, to) in [(r#""format":1"#, r#""format":2"#), (r#""id":""#, r#""id":"0"#)] {
        let place = Place::new();
        place.open().put(&key(), "api", &Ok(post(None)), now()).await;
        let file = place.files().remove(0);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        assert_eq!(place.open().to_look(&key(), now()).await, None, "{to}");
        assert!(!file.exists());
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_keep_answers_young() {
    let place = Place::new();
    place.open().put(&key(), "api", &Ok(post(None)), now()).await;
    assert_eq!(place.open().to_look(&key(), now() - TimeDelta::days(30)).await, None);
}

#[tokio::test]
async fn the_folder_holds_no_more_answers_than_it_may() {
    let mut place = Place::new();
    place.settings.max_entries = 10;
    let cache = place.open();
    for id in 0..200 {
        let key = Key::of(&resource(ResourceKind::Post, &id.to_string()), &Options::default(), None).unwrap();
        cache.put(&key, "api", &Ok(post(None)), now()).await;
    }
    let files = place.files().len();
    assert!((10..10 + 64).contains(&files), "{files}");
    let known = place.open().shown(now());
    assert!(known.iter().any(|one| one.key == "a:post:199"), "the newest stay: {known:?}");
}

#[tokio::test]
async fn what_is_too_large_for_a_file_stays_in_memory_and_replaces_the_older_file() {
    let place = Place::new();
    let cache = place.open();
    cache.put(&key(), "api", &Ok(post(None)), now()).await;
    let large = MediaMetadata { description: Some("x".repeat(1024 * 1024)), ..post(None) };
    cache.put(&key(), "api", &Ok(large), now()).await;
    assert_eq!(place.files(), Vec::<std::path::PathBuf>::new());
    assert!(cache.to_look(&key(), now()).await.unwrap().answer.unwrap().description.is_some());
}

#[tokio::test]
async fn it_can_be_looked_at_cleared_and_switched_off() {
    let mut place = Place::new();
    let cache = place.open();
    cache.put(&key(), "api", &Ok(post(None)), now()).await;
    cache.put(&key_of(ResourceKind::Video), "api", &refused(Kind::NotFound), now()).await;
    let shown: Vec<_> = cache.shown(now()).into_iter().map(|one| (one.key, one.answer)).collect();
    assert!(shown.contains(&("a:post:1".into(), "found".into())), "{shown:?}");
    assert!(shown.contains(&("a:video:1".into(), "not_found".into())), "{shown:?}");
    assert_eq!(cache.clear().unwrap(), 2);
    assert_eq!((cache.to_look(&key(), now()).await, place.files().len()), (None, 0));
    place.settings.enabled = false;
    let off = place.open();
    off.put(&key(), "api", &Ok(post(None)), now()).await;
    assert_eq!((off.to_look(&key(), now()).await, place.files().len()), (None, 0));
}

#[tokio::test]
async fn who_asks_the_same_meanwhile_waits_and_is_not_in_the_way_of_others() {
    let place = Place::new();
    let cache = place.open();
    let first = cache.turn(&key()).await;
    let other = cache.turn(&key_of(ResourceKind::Video)).await;
    let same = key();
    let mut second = Box::pin(cache.turn(&same));
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    assert!(futures_util::poll!(&mut second).is_ready());
    drop(other);
}
