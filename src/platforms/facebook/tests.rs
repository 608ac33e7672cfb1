//! What Facebook's pages become, by hand-written records in the shapes the site gives them.

use serde_json::{Value, json};

use super::*;
use crate::{
    model::Streams,
    platforms::common::{html::Page, testing::mutations},
};

fn watch_data() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/platforms/facebook/watch.json")).unwrap()
}

fn html(data: &Value) -> String {
    let data = json!({"require": [["ScheduledServerJS", "handle", null, [{"__bbox": {"require": [
        ["RelayPrefetchedStreamCache", "next", [], ["adp", {"__bbox": {"result": {"data": data}}}]],
    ]}}]]]});
    format!("<!DOCTYPE html><script type=\"application/json\" data-sjs>{data}</script>")
}

fn read(link: &str, html: &str) -> Result<MediaMetadata> {
    let resource = Facebook.route(&Url::parse(link).unwrap()).unwrap();
    parse::page(&resource, html, &Page::of(html))
}

const VIDEO: &str = "https://www.facebook.com/watch/?v=647537299265662";

#[test]
fn a_video_has_its_files_and_its_streams_apart_best_first() {
    let video = read(VIDEO, &html(&watch_data())).unwrap();
    assert_eq!((video.title.as_deref(), video.description.as_deref()), (Some("A kettle"), Some("It boils & sings")));
    let author = video.author.unwrap();
    assert_eq!((author.handle.as_str(), author.name.as_deref()), ("100064718678925", Some("Tea Baker")));
    assert_eq!(video.created_at.unwrap().to_rfc3339(), "2026-01-05T12:00:00+00:00");
    assert_eq!(video.duration, Some(4.5));
    let counts = video.counts;
    assert_eq!((counts.view_count, counts.like_count), (Some(4321), Some(77)));
    assert_eq!((counts.comment_count, counts.retweet_count), (Some(8), Some(5)));
    assert!(video.thumbnail.unwrap().contains("still.jpg"));
    let [item] = video.items.as_slice() else { panic!("the recommended one is not asked for: {:?}", video.items) };
    let rows: Vec<_> = item.renditions.iter().map(|r| (r.streams, r.height, r.url.as_ref().unwrap().path())).collect();
    assert_eq!(
        rows,
        [
            (Streams::VideoOnly, Some(1080), "/v/kettle-1080.mp4"),
            (Streams::Whole, Some(720), "/v/kettle-hd.mp4"),
            (Streams::Whole, Some(360), "/v/kettle-sd.mp4"),
            (Streams::AudioOnly, None, "/v/kettle-sound.mp4"),
        ]
    );
    for rendition in &item.renditions {
        assert_eq!(rendition.expires_at.unwrap().timestamp(), 1_767_614_400);
        assert_eq!(rendition.headers["user-agent"], "facebookexternalhit/1.1");
    }
}

#[test]
fn older_shapes_are_read_too() {
    let flat = json!({"video": {"id": "647537299265662", "playable_url": "https://video.example/sd.mp4",
        "playable_url_quality_hd": "https://video.example/hd.mp4", "length_in_second": 3}});
    let legacy = json!({"node": {"videoId": "647537299265662", "videoDeliveryLegacyFields": {
        "browser_native_hd_url": "https://video.example/hd.mp4", "browser_native_sd_url": "https://video.example/sd.mp4",
        "dash_manifest_xml_string": "no manifest"}}});
    for data in [flat, legacy] {
        let video = read(VIDEO, &html(&data)).unwrap();
        let heights: Vec<_> = video.items[0].renditions.iter().map(|r| r.height).collect();
        assert_eq!(heights, [Some(720), Some(360)], "{data}");
    }
    let post = "https://www.facebook.com/maxlayn/posts/10153807558977570";
    let one = |id: &str| json!({"media": {"id": id, "playable_url": format!("https://video.example/{id}.mp4")}});
    let story = |media: Value| json!({"node": {"comet_sections": {"content": {"story": {"attachments": media}}}}});
    let several = json!([story(json!([one("1"), one("2"), one("1")])), story(json!([one("3")])), one("4")]);
    let ids = |data: &Value| -> Vec<String> {
        read(post, &html(data)).unwrap().items.into_iter().filter_map(|item| item.id).collect()
    };
    assert_eq!(ids(&several), ["1", "2"], "those of the first post, each once");
    assert_eq!(read(post, &html(&one("4"))).unwrap_err().code(), "platform_changed", "a video beside a post of words");
}

#[test]
fn every_refusal_has_its_name() {
    let mut live = watch_data();
    live.pointer_mut("/video/story/attachments/0/media").unwrap()["is_live_streaming"] = json!(true);
    let other = json!({"video": {"id": "1", "playable_url": "https://video.example/sd.mp4"}});
    for (html, code) in [
        (html(&live), "live"),
        (html(&other), "platform_changed"),
        ("<form id=\"login_form\">".to_owned(), "login_required"),
        ("<div>You must log in to continue</div>".replace("<div>", "<div class=x>"), "login_required"),
        ("<span>This content isn't available right now</span><form id=\"login_form\">".to_owned(), "not_found"),
        ("<span>This video is not available in your country</span>".to_owned(), "geo_blocked"),
        ("<html>".to_owned(), "platform_changed"),
        (String::new(), "platform_changed"),
    ] {
        assert_eq!(read(VIDEO, &html).unwrap_err().code(), code, "{html}");
    }
}

#[test]
fn odd_records_are_never_a_crash_and_never_a_verdict() {
    for changed in mutations(&watch_data()) {
        if let Err(error) = read(VIDEO, &html(&changed)) {
            assert_eq!(error.code(), "platform_changed", "{changed}");
        }
    }
}

#[test]
fn titles_that_nobody_gave_are_none() {
    for (told, title) in [
        ("A kettle | Facebook", Some("A kettle")),
        ("Facebook video #647537299265662", None),
        ("Facebook", None),
        ("  ", None),
    ] {
        assert_eq!(parse::title(told).as_deref(), title, "{told}");
    }
}
