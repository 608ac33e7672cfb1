//! Reading tracks, and choosing among their streams.

use serde_json::json;

use super::*;
use crate::{model::Protocol, platforms::common::testing::mutations};

fn track() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/platforms/soundcloud/track.json")).unwrap()
}

fn resource() -> Resource {
    Soundcloud::default().route(&Url::parse("https://soundcloud.com/ann/a-tune").unwrap()).unwrap()
}

fn with(changes: Value) -> Value {
    let mut track = track();
    for (key, value) in changes.as_object().unwrap() {
        track[key] = value.clone();
    }
    track
}

#[test]
fn a_track_is_described_and_its_file_comes_before_its_playlists() {
    let track = track();
    let about = parse::about(&track, &resource()).unwrap();
    assert_eq!((about.id.as_str(), about.title.as_deref()), ("123998367", Some("A tune")));
    let author = about.author.unwrap();
    assert_eq!((author.handle.as_str(), author.name.as_deref()), ("ann", Some("Ann Example")));
    assert_eq!(about.thumbnail.as_deref(), Some("https://i1.sndcdn.com/artworks-abc-t500x500.jpg"));
    assert_eq!((about.counts.like_count, about.counts.view_count), (Some(3), Some(1200)));
    let streams = parse::streams(&track).unwrap();
    let renditions: Vec<_> = streams
        .iter()
        .map(|stream| parse::rendition(&json!({"url": "https://cf-media.sndcdn.com/a"}), stream).unwrap())
        .collect();
    let rows: Vec<_> = renditions
        .iter()
        .map(|r| (r.format_id.as_deref().unwrap(), r.protocol, r.container.as_deref().unwrap(), r.bitrate))
        .collect();
    assert_eq!(
        rows,
        [
            ("mp3_1_0", Protocol::File, "mp3", Some(128_000)),
            ("aac_160k", Protocol::Hls, "m4a", Some(160_000)),
            ("opus_0_0", Protocol::Hls, "ogg", Some(64_000)),
        ]
    );
    let item = parse::item(&track, renditions);
    assert_eq!((item.duration, item.renditions[0].bytes), (Some(12.5), Some(200_000)));
}

#[test]
fn a_signed_address_tells_how_long_it_works() {
    // {"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1770000000}}}]}
    let policy = "eyJTdGF0ZW1lbnQiOlt7IkNvbmRpdGlvbiI6eyJEYXRlTGVzc1RoYW4iOnsiQVdTOkVwb2NoVGltZSI6MTc3MDAwMDAwMH19fV19";
    let stream = parse::streams(&track()).unwrap().remove(0);
    let read = |link: String| parse::rendition(&json!({"url": link}), &stream).unwrap().expires_at;
    let told = read(format!("https://cf-media.sndcdn.com/a?Policy={policy}&Signature=x"));
    assert_eq!(told.unwrap().timestamp(), 1_770_000_000);
    assert_eq!(read("https://cf-media.sndcdn.com/a?Policy=odd".into()), None);
}

#[test]
fn each_reason_why_a_track_cannot_be_had_has_its_name() {
    let only = |changes: Value| {
        let mut told = track()["media"]["transcodings"][0].clone();
        for (key, value) in changes.as_object().unwrap() {
            told[key] = value.clone();
        }
        with(json!({"media": {"transcodings": [told]}}))
    };
    for (track, code) in [
        (with(json!({"policy": "BLOCK"})), "geo_blocked"),
        (only(json!({"snipped": true})), "private"),
        (only(json!({"format": {"protocol": "ctr-encrypted-hls"}})), "unsupported_url"),
        (only(json!({"url": "https://evil.example/stream"})), "platform_changed"),
        (with(json!({"media": {"transcodings": []}, "state": "processing"})), "not_yet"),
        (with(json!({"media": {"transcodings": []}})), "platform_changed"),
    ] {
        assert_eq!(parse::streams(&track).unwrap_err().code(), code, "{track}");
    }
    for changed in mutations(&track()) {
        let _ = parse::about(&changed, &resource());
        for stream in parse::streams(&changed).unwrap_or_default() {
            let _ = parse::rendition(&changed, &stream);
        }
    }
}

#[test]
fn a_client_id_is_found_in_the_page_or_in_a_script() {
    let id = "a".repeat(32);
    let page = json!([{"hydratable": "user"}, {"hydratable": "apiClient", "data": {"id": id}}]);
    assert_eq!(parse::client_id_of_page(&page).as_deref(), Some(id.as_str()));
    assert_eq!(parse::client_id_of_page(&json!([{"hydratable": "apiClient", "data": {"id": "short"}}])), None);
    let script = format!(r#"var a="client_id";b={{client_id:"x",c:1}};d={{client_id: "{id}"}};"#);
    assert_eq!(parse::client_id_of_script(&script).as_deref(), Some(id.as_str()));
    assert_eq!(parse::client_id_of_script("client_id"), None);
}
