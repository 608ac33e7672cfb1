//! What the data of TikTok's pages becomes, by hand-written pages in the shape the site gives them.

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{FileType, Rendition},
    platforms::common::testing::mutations,
};

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/platforms/tiktok/", $name, ".json")))
            .unwrap()
    };
}

fn resource(link: &str) -> Resource {
    Tiktok.route(&Url::parse(link).unwrap()).unwrap()
}

fn read(data: &Value) -> Result<MediaMetadata> {
    parse::post(&resource("https://www.tiktok.com/@a/video/6748451240264420610"), data, Some("abc123"))
}

/// A page that tells of no post.
fn refused(status: i64, message: &str) -> Value {
    json!({"__DEFAULT_SCOPE__": {"webapp.video-detail": {"statusCode": status, "statusMsg": message}}})
}

#[test]
fn a_video_has_all_playable_versions_best_first() {
    let post = read(&fixture!("video")).unwrap();
    assert_eq!((post.title.as_deref(), post.description.as_deref()), (None, Some("A kettle boils #tea")));
    let author = post.author.unwrap();
    assert_eq!((author.handle.as_str(), author.name.as_deref()), ("tea.baker", Some("Tea Baker")));
    assert_eq!(author.url.as_deref(), Some("https://www.tiktok.com/@tea.baker"));
    assert_eq!(post.created_at.unwrap().to_rfc3339(), "2026-01-05T12:00:00+00:00");
    assert_eq!(post.duration, Some(13.0));
    let counts = post.counts;
    assert_eq!((counts.like_count, counts.retweet_count), (Some(321), Some(54)));
    assert_eq!((counts.view_count, counts.comment_count), (Some(98765), Some(7)));
    assert!(post.thumbnail.unwrap().contains("/origin.image"));
    let [item] = post.items.as_slice() else { panic!("{:?}", post.items) };
    let rows: Vec<_> = item
        .renditions
        .iter()
        .map(|r| (r.url.as_ref().unwrap().path(), r.height, r.video_codec.as_deref(), r.bytes, r.bytes_exact))
        .collect();
    assert_eq!(
        rows,
        [
            ("/video/tos/large/", Some(1920), Some("hvc1"), Some(2_437_500), true),
            ("/video/tos/normal/", Some(1024), Some("avc1"), Some(1_462_500), true),
            ("/video/tos/hevc/", Some(1024), Some("hvc1"), Some(650_000), true),
        ],
        "nothing marked, nothing that cannot be played, nothing twice"
    );
    for Rendition { headers, expires_at, .. } in &item.renditions {
        assert_eq!(headers["cookie"], "tt_chain_token=abc123");
        assert_eq!(expires_at.unwrap().timestamp(), 1_767_787_200);
    }
}

#[test]
fn the_visitors_cookie_goes_to_the_sites_own_domain_only() {
    let mut data = fixture!("video");
    let video = data.pointer_mut("/__DEFAULT_SCOPE__/webapp.video-detail/itemInfo/itemStruct/video").unwrap();
    video["bitrateInfo"] = json!(null);
    for (address, own) in [
        ("https://v16-webapp-prime.tiktok.com/video/", true),
        ("https://v19-web.tiktokcdn.example/video/", false),
        ("https://eviltiktok.com/video/", false),
    ] {
        let video = data.pointer_mut("/__DEFAULT_SCOPE__/webapp.video-detail/itemInfo/itemStruct/video").unwrap();
        video["playAddr"] = json!(address);
        let headers = read(&data).unwrap().items[0].renditions[0].headers.clone();
        assert_eq!(headers.contains_key("cookie"), own, "{address}");
    }
}

#[test]
fn without_its_versions_a_video_is_what_the_page_plays_and_then_what_it_offers_to_keep() {
    let mut data = fixture!("video");
    let video = data.pointer_mut("/__DEFAULT_SCOPE__/webapp.video-detail/itemInfo/itemStruct/video").unwrap();
    video["bitrateInfo"] = json!(null);
    let names = |data: &Value| -> Vec<String> {
        read(data).unwrap().items[0].renditions.iter().filter_map(|r| r.format_id.clone()).collect()
    };
    assert_eq!(names(&data), ["play"]);
    let video = data.pointer_mut("/__DEFAULT_SCOPE__/webapp.video-detail/itemInfo/itemStruct/video").unwrap();
    video["playAddr"] = json!("https://www.tiktok.com/aweme/v1/play/?video_id=v1");
    assert_eq!(names(&data), ["download"]);
}

#[test]
fn a_slideshow_is_its_photos_in_order_and_then_its_sound() {
    let post = read(&fixture!("slideshow")).unwrap();
    let rows: Vec<_> = post
        .items
        .iter()
        .map(|item| {
            let first = &item.renditions[0];
            (item.kind, first.container.as_deref().unwrap(), first.width, first.headers.contains_key("cookie"))
        })
        .collect();
    assert_eq!(
        rows,
        [
            (FileType::Image, "jpeg", Some(1080), false),
            (FileType::Image, "webp", Some(1080), false),
            (FileType::Audio, "m4a", None, true),
        ]
    );
    assert_eq!((post.duration, post.items[2].id.as_deref()), (Some(60.0), Some("6700000000000000001")));
}

#[test]
fn every_refusal_has_its_name() {
    let classified = json!({"__DEFAULT_SCOPE__": {"webapp.video-detail": {
        "statusCode": 0, "itemInfo": {"itemStruct": {"id": "1", "isContentClassified": true}}}}});
    for (data, code) in [
        (refused(10_204, "item doesn't exist"), "not_found"),
        (refused(10_221, ""), "not_found"),
        (refused(10_216, "status_self_see"), "private"),
        (refused(10_222, "author_secret"), "private"),
        (refused(10_231, ""), "geo_blocked"),
        (refused(10_215, "status_reviewing"), "not_yet"),
        (refused(10_217, "status_friend_see"), "private"),
        (refused(10_299, "status_deleted"), "not_found"),
        (refused(10_299, "need login"), "login_required"),
        (refused(10_299, "something new"), "platform_changed"),
        (refused(0, ""), "platform_changed"),
        (classified, "login_required"),
        (json!({}), "platform_changed"),
        (json!([]), "platform_changed"),
    ] {
        assert_eq!(read(&data).unwrap_err().code(), code, "{data}");
    }
}

#[test]
fn odd_data_is_never_a_crash_and_never_a_verdict() {
    for data in [fixture!("video"), fixture!("slideshow")] {
        for changed in mutations(&data) {
            if let Err(error) = read(&changed) {
                assert_eq!(error.code(), "platform_changed", "{changed}");
            }
        }
    }
}

#[test]
fn slideshows_are_for_gallery_dl_and_videos_for_both() {
    for (link, expected) in [
        ("https://www.tiktok.com/@a/video/6748451240264420610", &[Tool::YtDlp, Tool::GalleryDl][..]),
        ("https://www.tiktok.com/@a/photo/6748451240264420610", &[Tool::GalleryDl]),
        ("https://www.tiktok.com/@a", &[Tool::YtDlp]),
        ("https://www.tiktok.com/@a/live", &[Tool::YtDlp]),
    ] {
        let tools: Vec<_> = Tiktok.cli(&resource(link)).iter().map(|call| call.tool).collect();
        assert_eq!(tools, expected, "{link}");
    }
}
