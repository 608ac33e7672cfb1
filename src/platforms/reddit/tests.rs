//! What Reddit's answers become, by hand-written answers in the shape the site gives them.

use serde_json::{Value, json};

use super::{
    parse::{self, Post},
    *,
};
use crate::model::{Extension, FileType, Item, Rendition};
use crate::platforms::common::testing::mutations;

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/platforms/reddit/", $name, ".json")))
            .unwrap()
    };
}

fn resource() -> Resource {
    Reddit::default().route(&Url::parse("https://redd.it/abc123").unwrap()).unwrap()
}

fn read(body: &Value) -> Post {
    parse::listing(body, &resource()).unwrap()
}

fn addresses(item: &Item) -> Vec<&str> {
    item.renditions.iter().map(|r: &Rendition| r.url.as_ref().unwrap().as_str()).collect()
}

/// A listing of one post with these fields besides the usual ones.
fn post_with(fields: Value) -> Value {
    let mut body = fixture!("image");
    let post = body.pointer_mut("/0/data/children/0/data").unwrap().as_object_mut().unwrap();
    for name in ["url", "url_overridden_by_dest", "post_hint", "preview"] {
        post.remove(name);
    }
    post.extend(fields.as_object().unwrap().clone());
    body
}

fn verdict(body: &Value) -> &'static str {
    parse::listing(body, &resource()).unwrap_err().code()
}

#[test]
fn a_video_waits_for_its_manifest_and_tells_all_else() {
    let Post { metadata, videos } = read(&fixture!("video"));
    assert_eq!((metadata.platform.as_str(), metadata.id.as_str()), ("reddit", "abc123"));
    assert_eq!(metadata.url, "https://www.reddit.com/comments/abc123");
    assert_eq!(metadata.title.as_deref(), Some("Cats & <dogs>"));
    assert_eq!(metadata.description, None);
    let author = metadata.author.unwrap();
    assert_eq!(author.handle, "ann_b");
    assert_eq!(author.url.as_deref(), Some("https://www.reddit.com/user/ann_b"));
    assert_eq!(metadata.created_at.unwrap().timestamp(), 1_700_000_000);
    assert_eq!(metadata.duration, Some(12.0));
    assert!(metadata.sensitive);
    assert_eq!((metadata.counts.like_count, metadata.counts.comment_count), (Some(321), Some(45)));
    assert_eq!(metadata.thumbnail, None, "a signed address is no preview to keep");
    assert_eq!(
        metadata.extension,
        Some(Extension::Reddit { subreddit: "aww".into(), is_crosspost: false, spoiler: false })
    );

    assert_eq!(metadata.items.len(), 1);
    assert_eq!((metadata.items[0].kind, metadata.items[0].id.as_deref()), (FileType::Video, Some("v1d30")));
    let [video] = videos.as_slice() else { panic!("{videos:?}") };
    assert!(video.has_sound);
    assert!(video.dash.as_str().starts_with("https://v.redd.it/v1d30/DASHPlaylist.mpd?a="));
    assert_eq!(video.picture.height, Some(720));
}

#[test]
fn a_gallery_comes_in_its_authors_order_with_captions_and_without_failures() {
    let Post { metadata, videos } = read(&fixture!("gallery"));
    assert!(videos.is_empty());
    let rows: Vec<_> =
        metadata.items.iter().map(|i| (i.id.as_deref().unwrap(), i.kind, i.alt_text.as_deref())).collect();
    assert_eq!(
        rows,
        [
            ("two", FileType::Image, Some("Second is first")),
            ("one", FileType::Image, None),
            ("anim", FileType::Gif, Some("It moves")),
        ]
    );
    assert_eq!(
        addresses(&metadata.items[0]),
        ["https://i.redd.it/two.png", "https://preview.redd.it/two.png?width=900&format=png&auto=webp&s=bb",]
    );
    assert_eq!(metadata.items[0].renditions[0].height, Some(1200));
    assert_eq!(
        addresses(&metadata.items[2]),
        ["https://preview.redd.it/anim.gif?format=mp4&s=cc", "https://i.redd.it/anim.gif"]
    );
}

#[test]
fn a_picture_is_its_original_and_a_gif_its_mp4_first() {
    let picture = read(&fixture!("image")).metadata;
    assert_eq!(addresses(&picture.items[0]), ["https://i.redd.it/cat.jpg"]);
    assert_eq!(picture.items[0].kind, FileType::Image);
    assert_eq!(picture.items[0].renditions[0].width, Some(3000));
    assert_eq!(picture.thumbnail.as_deref(), Some("https://i.redd.it/cat.jpg"));
    assert!(matches!(picture.extension, Some(Extension::Reddit { spoiler: true, .. })));

    let gif = read(&fixture!("gif")).metadata;
    assert_eq!(gif.items[0].kind, FileType::Gif);
    assert_eq!(
        addresses(&gif.items[0]),
        ["https://preview.redd.it/loop.gif?format=mp4&s=cc", "https://i.redd.it/loop.gif"]
    );
}

#[test]
fn a_crosspost_shows_the_originals_media_under_its_own_title() {
    let Post { metadata, videos } = read(&fixture!("crosspost"));
    assert_eq!(metadata.title.as_deref(), Some("Seen elsewhere"));
    assert_eq!(metadata.author.unwrap().handle, "ann_b");
    assert_eq!(videos.len(), 1);
    assert!(matches!(metadata.extension, Some(Extension::Reddit { is_crosspost: true, .. })));
}

#[test]
fn media_within_a_text_comes_in_the_order_of_the_text() {
    let Post { metadata, videos } = read(&fixture!("text_with_media"));
    let kinds: Vec<_> = metadata.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Image]);
    assert_eq!(metadata.items[0].id.as_deref(), Some("pic2"));
    assert_eq!(videos[0].item, 1);
    assert!(metadata.description.unwrap().starts_with("See "));
}

#[test]
fn a_loop_that_reddit_keeps_a_copy_of_is_found() {
    let body = post_with(json!({
        "url": "https://gfycat.example/loop", "post_hint": "link",
        "preview": {"images": [], "reddit_video_preview": {
            "fallback_url": "https://v.redd.it/l00p/DASH_480.mp4", "dash_url": "https://v.redd.it/l00p/DASHPlaylist.mpd",
            "is_gif": true, "duration": 3, "width": 640, "height": 480, "transcoding_status": "completed",
        }},
    }));
    let Post { metadata, videos } = read(&body);
    assert_eq!(metadata.items[0].kind, FileType::Gif);
    assert!(!videos[0].has_sound);
}

#[test]
fn each_reason_for_showing_nothing_has_its_kind() {
    let children = |children: Value| json!([{"data": {"children": children}}]);
    let video = |status: &str| json!({"secure_media": {"reddit_video": {"fallback_url": "https://v.redd.it/a/DASH_1.mp4", "transcoding_status": status}}});
    for (body, code) in [
        (children(json!([])), "not_found"),
        (post_with(json!({"removed_by_category": "moderator"})), "not_found"),
        (post_with(json!({"removed_by_category": "deleted", "author": "[deleted]"})), "not_found"),
        (post_with(json!({"is_self": true, "selftext": "[removed]"})), "not_found"),
        (post_with(json!({"is_self": true, "selftext": "[deleted]"})), "not_found"),
        (post_with(json!({"is_self": true, "selftext": "Just words"})), "no_media"),
        (post_with(json!({"url": "https://news.example/story"})), "no_media"),
        (post_with(json!({"url": "https://notyoutube.com/watch"})), "no_media"),
        (post_with(json!({"url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ"})), "unsupported_url"),
        (post_with(json!({"url": "https://i.imgur.com/abc.gifv"})), "unsupported_url"),
        (post_with(json!({"url": "https://v.redd.it/a", "is_video": true})), "not_yet"),
        (post_with(video("transcoding")), "not_yet"),
        (post_with(json!({"is_gallery": true, "gallery_data": null})), "not_found"),
        (
            post_with(json!({"is_gallery": true, "gallery_data": {"items": [{"media_id": "a"}]},
                "media_metadata": {"a": {"status": "unprocessed"}}})),
            "not_yet",
        ),
        (json!({"error": 403, "reason": "private", "message": "Forbidden"}), "private"),
        (json!({"error": 403, "reason": "quarantined", "message": "Forbidden"}), "private"),
        (json!({"error": 404, "reason": "banned", "message": "Not Found"}), "not_found"),
        (json!({"error": 404, "message": "Not Found"}), "not_found"),
        (json!({"error": 403, "message": "Forbidden"}), "platform_changed"),
        (json!({}), "platform_changed"),
        (json!([]), "platform_changed"),
        (Value::Null, "platform_changed"),
        (children(json!([{"kind": "t3"}])), "platform_changed"),
        (children(json!([{"kind": "t3", "data": {}}])), "platform_changed"),
    ] {
        assert_eq!(verdict(&body), code, "{body}");
    }
    let elsewhere = parse::listing(&post_with(json!({"url": "https://www.news.example/story"})), &resource());
    assert!(elsewhere.unwrap_err().user_text().contains("it only links to news.example"));
    let quarantined = parse::refused(&json!({"error": 403, "reason": "quarantined"})).unwrap();
    assert!(quarantined.user_text().contains("quarantined"));
}

#[test]
fn answers_with_any_part_missing_or_odd_never_panic() {
    for body in [
        fixture!("video"),
        fixture!("gallery"),
        fixture!("image"),
        fixture!("gif"),
        fixture!("crosspost"),
        fixture!("text_with_media"),
    ] {
        for changed in mutations(&body) {
            let _ = parse::listing(&changed, &resource());
        }
    }
}

#[test]
fn what_gallery_dl_hands_on_is_read_as_reddits_own_answer() {
    // Its JSON arrives without addresses; those it loaded stand in the items.
    fn without_addresses(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|_, value| !value.as_str().is_some_and(|text| text.starts_with("https://")));
                map.values_mut().for_each(without_addresses);
            }
            Value::Array(list) => list.iter_mut().for_each(without_addresses),
            _ => {}
        }
    }
    for (body, loaded) in [
        (
            fixture!("gallery"),
            &["https://i.redd.it/two.png", "https://i.redd.it/one.jpg", "https://i.redd.it/anim.gif"][..],
        ),
        (fixture!("image"), &["https://i.redd.it/cat.jpg"]),
        (fixture!("gif"), &["https://i.redd.it/loop.gif"]),
        (fixture!("video"), &["https://v.redd.it/v1d30/DASHPlaylist.mpd?a=1"]),
        (fixture!("crosspost"), &["https://v.redd.it/v1d30/DASHPlaylist.mpd?a=1"]),
    ] {
        let mut post = body.pointer("/0/data/children/0/data").unwrap().clone();
        without_addresses(&mut post);
        let item = |link: &&str| Item::new(FileType::Other, vec![Rendition::at(Url::parse(link).unwrap())]);
        let mut metadata = MediaMetadata {
            title: Some("made up".into()),
            items: loaded.iter().map(item).collect(),
            ..MediaMetadata::default()
        };
        Reddit::default().refine(&resource(), Tool::GalleryDl, &[post], &mut metadata);
        let mut ours = read(&body).metadata;
        for item in ours.items.iter_mut().chain(&mut metadata.items) {
            item.renditions.clear();
        }
        assert_eq!(metadata, ours);
    }
}

#[test]
fn what_yt_dlp_tells_becomes_what_we_read_ourselves() {
    let info = json!({
        "id": "v1d30", "display_id": "abc123", "title": "Cats &amp; &lt;dogs&gt;", "alt_title": "Cats &amp; &lt;dogs&gt;",
        "timestamp": 1_700_000_000.0, "uploader": "ann_b", "channel_id": "aww", "like_count": 321, "dislike_count": 0,
        "comment_count": 45, "age_limit": 18, "duration": 12,
        "thumbnail": "https://external-preview.redd.it/prev.png?auto=webp&s=aa",
    });
    let mut metadata = MediaMetadata { items: vec![Item::new(FileType::Video, vec![])], ..MediaMetadata::default() };
    Reddit::default().refine(&resource(), Tool::YtDlp, &[info], &mut metadata);
    assert_eq!(metadata, read(&fixture!("video")).metadata);
}
