//! Reading pins.

use serde_json::json;

use super::*;
use crate::{
    model::{FileType, Protocol},
    platforms::common::testing::mutations,
};

fn body() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/platforms/pinterest/pin.json")).unwrap()
}

fn read(body: &Value) -> Result<MediaMetadata> {
    let link = "https://www.pinterest.com/pin/664281013778109217/";
    parse::pin(body, &Pinterest.route(&Url::parse(link).unwrap()).unwrap())
}

fn with(changes: Value) -> Value {
    let mut body = body();
    for (key, value) in changes.as_object().unwrap() {
        body["resource_response"]["data"][key] = value.clone();
    }
    body
}

fn addresses(pin: &MediaMetadata) -> Vec<Vec<&str>> {
    pin.items
        .iter()
        .map(|item| item.renditions.iter().map(|rendition| rendition.url.as_ref().unwrap().path()).collect())
        .collect()
}

#[test]
fn a_video_has_its_files_best_first_and_no_stream() {
    let pin = read(&body()).unwrap();
    assert_eq!((pin.title.as_deref(), pin.description.as_deref()), (Some("A box"), Some("Folded")));
    assert_eq!(pin.author.unwrap().url.as_deref(), Some("https://www.pinterest.com/ann_b/"));
    assert_eq!(pin.created_at.unwrap().to_rfc3339(), "2026-01-05T12:00:00+00:00");
    assert_eq!((pin.counts.like_count, pin.counts.retweet_count), (Some(12), Some(3)));
    assert_eq!(pin.thumbnail.as_deref(), Some("https://i.pinimg.com/736x/aa/bb/cc/box.jpg"));
    let item = &pin.items[0];
    assert_eq!((item.kind, item.duration), (FileType::Video, Some(57.7)));
    let rows: Vec<_> = item.renditions.iter().map(|r| (r.format_id.as_deref().unwrap(), r.height)).collect();
    assert_eq!(rows, [("V_720P", Some(720)), ("V_EXP3", Some(360))]);
}

#[test]
fn a_stream_is_taken_where_there_is_no_file() {
    let list =
        json!({"V_HLSV4": {"url": "https://v1.pinimg.com/videos/iht/hls/a.m3u8", "width": 720, "duration": 1000}});
    let pin = read(&with(json!({"videos": {"video_list": list}}))).unwrap();
    assert_eq!(pin.items[0].renditions[0].protocol, Protocol::Hls);
}

#[test]
fn pictures_carousels_and_pages_are_read_in_order() {
    let picture = read(&with(json!({"videos": null}))).unwrap();
    assert_eq!(addresses(&picture), [["/originals/aa/bb/cc/box.jpg", "/736x/aa/bb/cc/box.jpg"]]);
    assert_eq!(picture.items[0].alt_text.as_deref(), Some("a folded box"));

    let slot =
        |n: u8| json!({"id": n.to_string(), "images": {"750x": {"url": format!("https://i.pinimg.com/750x/{n}.jpg")}}});
    let carousel = read(&with(json!({"carousel_data": {"carousel_slots": [slot(1), slot(2)]}}))).unwrap();
    assert_eq!(addresses(&carousel), [["/originals/1.jpg", "/750x/1.jpg"], ["/originals/2.jpg", "/750x/2.jpg"]]);

    let video = json!({"id": "v1", "video_list": {"V_EXP7": {"url": "https://v1.pinimg.com/p.mp4", "duration": 2000}}});
    let pages = json!([
        {"blocks": [{"type": "story_pin_image_block", "image": {"images": {"originals": {"url": "https://i.pinimg.com/originals/p.png"}}}}]},
        {"blocks": [{"type": "story_pin_video_block", "video": video}, {"type": "story_pin_paragraph_block", "text": "words"}]},
        {"image_signature": "00112233445566778899aabbccddeeff", "blocks": [{"type": "story_pin_image_block"}]},
    ]);
    let story = read(&with(json!({"story_pin_data": {"pages": pages}}))).unwrap();
    let kinds: Vec<_> = story.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Image]);
    assert_eq!(addresses(&story)[2], ["/originals/00/11/22/00112233445566778899aabbccddeeff.jpg"]);
    assert_eq!(story.duration, Some(2.0));
}

#[test]
fn each_reason_why_there_is_nothing_has_its_name() {
    let error = |status: u16, words: &str| json!({"resource_response": {"status": "failure", "data": null, "error": {"http_status": status, "message": words}}});
    for (body, code) in [
        (error(404, "We couldn't find this Pin"), "not_found"),
        (error(403, "Sorry, this board is secret"), "private"),
        (error(403, "Authorization failed"), "login_required"),
        (error(429, "Too many requests"), "rate_limited"),
        (error(500, "odd"), "platform_changed"),
        (with(json!({"videos": null, "images": {}})), "no_media"),
        (with(json!({"videos": null, "embed": {"src": "https://www.youtube.com/embed/x"}})), "unsupported_url"),
        (json!({}), "platform_changed"),
        (json!([]), "platform_changed"),
    ] {
        assert_eq!(read(&body).unwrap_err().code(), code, "{body}");
    }
    for changed in mutations(&body()) {
        let _ = read(&changed);
    }
}
