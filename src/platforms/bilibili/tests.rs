//! What Bilibili's answers become, by hand-written answers in the shape of the real ones.

use serde_json::{Value, json};

use super::*;
use crate::{model::Streams, platforms::common::testing::mutations};

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/platforms/bilibili/", $name, ".json")))
            .unwrap()
    };
}

fn resource(link: &str) -> Resource {
    Bilibili.route(&Url::parse(link).unwrap()).unwrap()
}

fn read(link: &str, view: &Value, streams: &Value) -> Result<MediaMetadata> {
    let resource = resource(link);
    parse::part(&resource, view).and_then(|part| parse::video(&resource, view, &part, streams))
}

const LINK: &str = "https://www.bilibili.com/video/BV13x41117TL";

#[test]
fn a_video_and_each_of_its_parts_is_read_whole() {
    let (view, streams) = (fixture!("view"), fixture!("playurl"));
    let found = read(LINK, &view, &streams).unwrap();
    assert_eq!(found.title.as_deref(), Some("Two tones p01 The first"));
    assert_eq!(found.author, Some(parse::author("65880958", Some("Hana"))));
    assert_eq!((found.duration, found.items[0].id.as_deref()), (Some(308.067), Some("BV13x41117TL_p1")));
    assert_eq!(
        (found.counts.view_count, found.counts.like_count, found.counts.comment_count),
        (Some(9), Some(2), Some(1))
    );
    let rows: Vec<_> =
        found.items[0].renditions.iter().map(|r| (r.streams, r.height, r.bytes.is_some(), r.headers.len())).collect();
    let (picture, sound) = (Streams::VideoOnly, Streams::AudioOnly);
    assert_eq!(rows, [(picture, Some(720), true, 1), (picture, Some(360), true, 1), (sound, None, true, 1)]);
    assert_eq!(found.items[0].renditions[0].expires_at.unwrap().timestamp(), 1_893_456_000);
    let second = read(&format!("{LINK}?p=2"), &view, &streams).unwrap();
    assert_eq!(second.title.as_deref(), Some("Two tones p02 The second"));
    assert_eq!(parse::part(&resource(&format!("{LINK}?p=2")), &view).unwrap().cid, 222);
    assert_eq!(read(&format!("{LINK}?p=9"), &view, &streams).unwrap_err().code(), "not_found");
}

#[test]
fn every_other_answer_has_its_kind() {
    let (view, streams) = (fixture!("view"), fixture!("playurl"));
    for (code, kind) in [
        (-404, "not_found"),
        (62002, "not_found"),
        (62004, "not_yet"),
        (62012, "private"),
        (-403, "login_required"),
        (-688, "geo_blocked"),
        (-352, "rate_limited"),
        (-412, "rate_limited"),
        (12345, "platform_changed"),
    ] {
        let answer = json!({"code": code, "message": "no"});
        assert_eq!(read(LINK, &answer, &streams).unwrap_err().code(), kind, "{code}");
        assert_eq!(read(LINK, &view, &answer).unwrap_err().code(), kind, "{code}");
    }
    for (answer, kind) in [
        (json!({"code": 0, "data": {"v_voucher": "voucher_x"}}), "rate_limited"),
        (json!({"code": 0, "data": {}}), "platform_changed"),
        (json!({}), "platform_changed"),
    ] {
        assert_eq!(read(LINK, &view, &answer).unwrap_err().code(), kind, "{answer}");
    }
    let episode = json!({"code": 0, "data": {"bvid": "BV13x41117TL", "redirect_url": "https://www.bilibili.com/bangumi/play/ep1"}});
    assert_eq!(read(LINK, &episode, &streams).unwrap_err().code(), "unsupported_url");
    let single = json!({"code": 0, "data": {"quality": 64, "timelength": 1000, "durl": [
        {"url": "https://upos.bilivideo.com/1.mp4?deadline=1893456000", "size": 77}]}});
    let found = read(LINK, &view, &single).unwrap();
    assert_eq!((found.items[0].renditions[0].bytes, found.items[0].renditions[0].streams), (Some(77), Streams::Whole));
    for changed in mutations(&view) {
        let _ = read(LINK, &changed, &streams);
    }
    for changed in mutations(&streams) {
        if let Ok(found) = read(LINK, &view, &changed) {
            assert!(!found.items[0].renditions.is_empty(), "{changed}");
        }
    }
}
