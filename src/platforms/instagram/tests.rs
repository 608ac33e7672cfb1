//! What Instagram's pages and answers become, by hand-written ones in the shape the site gives them.

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{FileType, Streams},
    platforms::common::{html::Page, testing::mutations},
};

fn carousel() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/platforms/instagram/carousel.json")).unwrap()
}

fn resource(link: &str) -> Resource {
    Instagram.route(&Url::parse(link).unwrap()).unwrap()
}

fn read(media: &Value) -> Result<MediaMetadata> {
    parse::post(&resource("https://www.instagram.com/p/DCSi_Fz-AAB/"), media)
}

/// A post's page, telling this about the post.
fn page_telling(told: &Value) -> Result<Value> {
    let data = json!({"require": [["ScheduledServerJS", "handle", null, [{"__bbox": {"require": [
        ["RelayPrefetchedStreamCache", "next", [], ["adp", {"__bbox": {"result": {"data": {"xig_polaris_media": told}}}}]],
    ]}}]]]});
    parse::page(&Page::of(&format!("<!DOCTYPE html><script type=\"application/json\" data-sjs>{data}</script>")))
}

#[test]
fn a_carousel_keeps_its_order_and_all_versions_best_first() {
    let post = read(&carousel()).unwrap();
    assert_eq!((post.title.as_deref(), post.description.as_deref()), (None, Some("Two teapots\nand a kettle")));
    let author = post.author.unwrap();
    assert_eq!((author.handle.as_str(), author.name.as_deref()), ("tea.baker", Some("Tea Baker")));
    assert_eq!(post.created_at.unwrap().to_rfc3339(), "2026-01-05T12:00:00+00:00");
    assert_eq!((post.counts.like_count, post.counts.comment_count), (Some(77), Some(8)));
    assert_eq!(post.duration, Some(4.5));
    assert!(post.thumbnail.unwrap().ends_with("one.jpg?stp=dst-jpg_e35&oe=695BA7C0"));
    let [picture, video] = post.items.as_slice() else { panic!("{:?}", post.items) };
    assert_eq!((picture.kind, picture.id.as_deref()), (FileType::Image, Some("3500000000000000002")));
    assert_eq!(picture.alt_text.as_deref(), Some("A teapot on a table"));
    assert_eq!(picture.renditions.iter().map(|r| r.width).collect::<Vec<_>>(), [Some(1080), Some(640)]);
    assert_eq!((video.kind, video.id.as_deref()), (FileType::Video, Some("3500000000000000003")));
    let rows: Vec<_> =
        video.renditions.iter().map(|r| (r.streams, r.height, r.expires_at.unwrap().timestamp())).collect();
    assert_eq!(
        rows,
        [
            (Streams::VideoOnly, Some(1920), 1_767_614_400),
            (Streams::Whole, Some(1280), 1_767_614_400),
            (Streams::AudioOnly, None, 1_767_614_400),
        ]
    );
}

#[test]
fn what_is_covered_until_people_ask_is_sensitive() {
    assert!(!read(&carousel()).unwrap().sensitive);
    for place in ["/media_overlay_info", "/carousel_media/1/media_overlay_info"] {
        let mut covered = carousel();
        let (parent, name) = place.rsplit_once('/').unwrap();
        covered.pointer_mut(parent).unwrap()[name] = json!({"overlay_type": 2, "title": "Sensitive content"});
        assert!(read(&covered).unwrap().sensitive, "{place}");
    }
}

#[test]
fn an_embedded_page_tells_the_same_post() {
    let post = read(&embed::page(include_str!("../../../fixtures/platforms/instagram/embed.html")).unwrap()).unwrap();
    let whole = read(&carousel()).unwrap();
    assert_eq!((post.author, post.created_at, post.counts), (whole.author, whole.created_at, whole.counts));
    let told = |items: &[crate::model::Item]| -> Vec<_> {
        items.iter().map(|item| (item.kind, item.id.clone(), item.alt_text.clone(), item.duration)).collect()
    };
    assert_eq!(told(&post.items), told(&whole.items));
    assert_eq!(post.items[0].renditions[0].width, Some(1080));
    for html in ["", "<html>", "\"contextJSON\":null", "\"contextJSON\":\"{}\"", "\"contextJSON\":\"no json\""] {
        assert_eq!(embed::page(html).unwrap_err().code(), "platform_changed", "{html}");
    }
}

#[test]
fn pages_and_the_query_tell_of_a_post_or_why_not() {
    let shown = json!({"if_not_gated_logged_out": {"code": "x"}});
    assert_eq!(page_telling(&shown).unwrap()["code"], "x");
    assert_eq!(parse::query(&json!({"data": {"xig_polaris_media": shown}})).unwrap()["code"], "x");
    let gated = page_telling(&json!({"if_not_gated_logged_out": null})).unwrap_err();
    assert_eq!(gated.code(), "login_required");
    assert!(parse::is_gated(&gated));
    for (body, code) in [
        (json!({"data": {"xig_polaris_media": null}}), "login_required"),
        (json!({"data": {"xig_polaris_media": {"if_not_gated_logged_out": null}}}), "login_required"),
        (json!({"data": {"xig_polaris_media": {}}}), "platform_changed"),
        (json!({"data": {}}), "platform_changed"),
        (json!({"errors": [{"message": "x"}]}), "platform_changed"),
        (json!([]), "platform_changed"),
    ] {
        assert_eq!(parse::query(&body).unwrap_err().code(), code, "{body}");
    }
    assert_eq!(page_telling(&Value::Null).unwrap_err().code(), "platform_changed");
    assert_eq!(parse::page(&Page::of("<html>")).unwrap_err().code(), "platform_changed");
    assert_eq!(parse::ruling(&json!({"title": "Restricted Video"})).unwrap().code(), "age_restricted");
    assert_eq!(parse::ruling(&json!({"status": "ok"})), None);
}

#[test]
fn one_story_of_a_reel_or_all_of_them() {
    let item = carousel().pointer("/carousel_media/1").unwrap().clone();
    let other = carousel().pointer("/carousel_media/0").unwrap().clone();
    let reel = json!({"user": {"username": "tea.baker"}, "title": "Kettles", "items": [item, other]});
    let read = |link: &str, reel: &Value| stories::read(&resource(link), reel);
    let one = read("https://www.instagram.com/stories/tea.baker/3500000000000000003/", &reel).unwrap();
    assert_eq!((one.items.len(), one.items[0].kind), (1, FileType::Video));
    for link in [
        "https://www.instagram.com/stories/tea.baker/",
        "https://www.instagram.com/stories/highlights/17912345678901234/",
    ] {
        let all = read(link, &reel).unwrap();
        assert_eq!((all.items.len(), all.author.unwrap().handle.as_str()), (2, "tea.baker"), "{link}");
    }
    let over = read("https://www.instagram.com/stories/tea.baker/3500000000000000009/", &reel).unwrap_err();
    assert_eq!(over.code(), "not_found");
}

#[test]
fn odd_records_are_never_a_crash_and_never_a_verdict() {
    for changed in mutations(&carousel()) {
        if let Err(error) = read(&changed) {
            assert_eq!(error.code(), "platform_changed", "{changed}");
        }
    }
}

#[test]
fn reels_go_to_yt_dlp_first_and_posts_to_gallery_dl() {
    for (link, expected) in [
        ("https://www.instagram.com/reel/CxYz_12-abC/", [Tool::YtDlp, Tool::GalleryDl]),
        ("https://www.instagram.com/p/CxYz_12-abC/", [Tool::GalleryDl, Tool::YtDlp]),
        ("https://www.instagram.com/stories/nasa/3141592653589793238/", [Tool::GalleryDl, Tool::YtDlp]),
    ] {
        let tools: Vec<_> = Instagram.cli(&resource(link)).iter().map(|call| call.tool).collect();
        assert_eq!(tools, expected, "{link}");
    }
    let page = resource("https://www.instagram.com/nasa/");
    assert!(Instagram.cli(&page).is_empty(), "a whole page is not loaded");
}

#[test]
fn both_tools_name_the_same_author() {
    let resource = resource("https://www.instagram.com/p/CxYz_12-abC/");
    let by = |tool, info| {
        let mut metadata = MediaMetadata { title: Some("Video by nasa".into()), ..MediaMetadata::default() };
        Instagram.refine(&resource, tool, &[info], &mut metadata);
        assert_eq!(metadata.title, None);
        metadata.author.unwrap()
    };
    let info = json!({"channel": "nasa", "uploader": "NASA", "uploader_id": "528817151"});
    let file = json!({"username": "nasa", "fullname": "NASA"});
    assert_eq!(by(Tool::YtDlp, info), by(Tool::GalleryDl, file));
}
