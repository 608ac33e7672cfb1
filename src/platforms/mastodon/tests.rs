//! Reading posts, and which links are taken for posts.

use serde_json::json;

use super::*;
use crate::{model::FileType, platforms::common::testing::mutations};

fn status() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/platforms/mastodon/status.json")).unwrap()
}

fn resource() -> Resource {
    let link = "https://mastodon.example/@ann/109876543210987654";
    Mastodon::new(None, false).route(&Url::parse(link).unwrap()).unwrap()
}

#[test]
fn a_post_has_its_media_in_order_with_their_kinds() {
    let post = parse::post(&status(), &resource()).unwrap();
    assert_eq!((post.id.as_str(), post.title.as_deref()), ("109876543210987654", None));
    assert_eq!(post.description.as_deref(), Some("Two boxes & a tune\nhere\n\nBye"));
    assert_eq!(post.platform_data["spoiler_text"], "boxes");
    assert!(post.sensitive);
    assert_eq!((post.counts.like_count, post.counts.retweet_count), (Some(3), Some(2)));
    let rows: Vec<_> = post
        .items
        .iter()
        .map(|item| {
            (item.kind, item.alt_text.as_deref(), item.duration, item.renditions[0].url.as_ref().unwrap().path())
        })
        .collect();
    assert_eq!(
        rows,
        [
            (FileType::Image, Some("A box"), None, "/media/original/a.png"),
            (FileType::Gif, None, Some(2.5), "/media/original/b.mp4"),
            (FileType::Audio, None, None, "/c.mp3"),
        ]
    );
}

#[test]
fn a_post_that_repeats_or_quotes_another_shows_its_media() {
    let media = status()["media_attachments"].clone();
    for (place, at) in [("reblog", "reblog"), ("quote", "quoted_status")] {
        let mut body = status();
        body["media_attachments"] = json!([]);
        body[place] =
            if place == at { json!({"media_attachments": media}) } else { json!({at: {"media_attachments": media}}) };
        assert_eq!(parse::post(&body, &resource()).unwrap().items.len(), 3, "{place}");
    }
}

#[test]
fn each_odd_answer_has_its_name() {
    let mut empty = status();
    empty["media_attachments"] = json!([]);
    let mut lost = status();
    lost["media_attachments"] = json!([{"id": "1", "type": "image", "url": null}]);
    for (body, code) in [
        (empty, "no_media"),
        (lost, "platform_changed"),
        (json!({"media_attachments": []}), "platform_changed"),
        (json!({"error": "odd"}), "platform_changed"),
        (json!([]), "platform_changed"),
    ] {
        assert_eq!(parse::post(&body, &resource()).unwrap_err().code(), code, "{body}");
    }
    let refused = |words: &str| api::refused(&json!({"error": words})).map(|error| error.code());
    assert_eq!(refused("This method requires an authenticated user"), Some("login_required"));
    assert_eq!(refused("This API requires an authenticated user"), Some("login_required"));
    assert_eq!(refused("Record not found"), None);
    for changed in mutations(&status()) {
        let _ = parse::post(&changed, &resource());
    }
}

#[test]
fn unknown_servers_are_tried_only_where_the_operator_allows_it() {
    let mut settings = PlatformSettings::default();
    settings.params.insert("any_host".into(), "false".to_owned().into());
    let strict = Mastodon::new(Some(&settings), false);
    let route = |link: &str| strict.route(&Url::parse(link).unwrap());
    assert!(route("https://toots.unknown.example/@ann/109876543210987654").is_none());
    assert!(route("https://mastodon.social/@ann/109876543210987654").is_some());
}

#[test]
fn tools_are_named_where_they_know_the_server() {
    for (host, tools) in [
        ("mastodon.social", vec![Tool::GalleryDl]),
        ("fosstodon.org", vec![]),
        ("toots.unknown.example", vec![Tool::YtDlp]),
    ] {
        let mastodon = Mastodon::new(None, true);
        let url = Url::parse(&format!("https://{host}/@ann/109876543210987654")).unwrap();
        let calls = mastodon.cli(&mastodon.route(&url).unwrap());
        assert_eq!(calls.iter().map(|call| call.tool).collect::<Vec<_>>(), tools, "{host}");
    }
}
