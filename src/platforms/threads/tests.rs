//! What the pages of Threads become, by a hand-written post in the shape the site gives it.

use serde_json::{Value, json};

use super::*;
use crate::{model::FileType, platforms::common::testing::mutations};

fn thread() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/platforms/threads/thread.json")).unwrap()
}

fn resource() -> Resource {
    Threads.route(&Url::parse("https://www.threads.net/@tea.baker/post/DCSi_Fz-AAB").unwrap()).unwrap()
}

/// The page of a thread.
fn page(thread: &Value) -> Result<MediaMetadata> {
    let data = json!({"require": [["ScheduledServerJS", "handle", null, [{"__bbox": {"require": [
        ["RelayPrefetchedStreamCache", "next", [], ["adp", {"__bbox": {"result": {"data": {"data": {"edges": [{"node": thread}]}}}}}]],
    ]}}]]]});
    parse::page(
        &resource(),
        &Page::of(&format!("<!DOCTYPE html><script type=\"application/json\" data-sjs>{data}</script>")),
    )
}

#[test]
fn the_post_asked_for_is_found_in_its_thread() {
    let post = page(&thread()).unwrap();
    assert_eq!((post.id.as_str(), post.description.as_deref()), ("DCSi_Fz-AAB", Some("And it boils")));
    let author = post.author.unwrap();
    assert_eq!(
        (author.handle.as_str(), author.url.as_deref()),
        ("tea.baker", Some("https://www.threads.com/@tea.baker"))
    );
    assert_eq!(post.created_at.unwrap().to_rfc3339(), "2026-01-05T12:00:00+00:00");
    let counts = post.counts;
    assert_eq!((counts.like_count, counts.retweet_count, counts.comment_count), (Some(77), Some(5), Some(8)));
    let told: Vec<_> = post.items.iter().map(|item| (item.kind, item.alt_text.as_deref())).collect();
    assert_eq!(told, [(FileType::Image, Some("A kettle")), (FileType::Video, None)]);
}

#[test]
fn media_may_stand_in_a_quoted_post() {
    let mut thread = thread();
    let media = thread.pointer_mut("/thread_items/1/post").unwrap();
    let quoted = json!({"code": "x", "media_type": 8, "carousel_media": media["carousel_media"].take()});
    media["media_type"] = json!(19);
    media["text_post_app_info"]["share_info"] = json!({"quoted_post": quoted});
    assert_eq!(page(&thread).unwrap().items.len(), 2);
}

#[test]
fn what_shows_no_post_says_why() {
    let mut words = thread();
    let post = words.pointer_mut("/thread_items/1/post").unwrap();
    post["carousel_media"] = Value::Null;
    post["media_type"] = json!(19);
    assert_eq!(page(&words).unwrap_err().code(), "no_media");
    assert_eq!(page(&json!({"thread_items": []})).unwrap_err().code(), "platform_changed");
    assert_eq!(page(&json!({})).unwrap_err().code(), "login_required", "the frame without a thread");
    assert_eq!(parse::page(&resource(), &Page::of("<html>")).unwrap_err().code(), "platform_changed");
}

#[test]
fn odd_records_are_never_a_crash_and_never_a_verdict() {
    for changed in mutations(&thread()) {
        if let Err(error) = page(&changed) {
            assert!(!error.kind().is_fatal(), "{}: {changed}", error.code());
        }
    }
}
