use serde_json::json;

use super::*;
use crate::model::PlatformId;

fn resource(kind: ResourceKind) -> Resource {
    Resource::new(PlatformId("somewhere"), kind, "77", Url::parse("https://some.example/77").unwrap())
}

#[test]
fn an_info_dict_is_read_whole() {
    let info = json!({
        "id": "abc", "title": "A title", "description": "Words", "uploader": "Ann", "uploader_id": "@ann",
        "uploader_url": "https://some.example/@ann", "timestamp": 1_700_000_000, "duration": 12.5, "age_limit": 18,
        "like_count": 1, "repost_count": 2, "view_count": 3, "comment_count": 4, "ext": "mp4",
        "thumbnail": "https://i.example/t.jpg", "extractor_key": "Some",
        "requested_formats": [{"format_id": "v", "vcodec": "avc1.4d401f", "acodec": "none", "width": 1080, "height": 1920}],
        "formats": [
            {"format_id": "sb", "vcodec": "none", "acodec": "none", "ext": "mhtml"},
            {"format_id": "a", "vcodec": "none", "acodec": "mp4a.40.2", "abr": 128.0, "ext": "m4a", "filesize": 5},
            {"format_id": "v", "vcodec": "avc1.4d401f", "acodec": "none", "tbr": 1000.5, "width": 1080, "height": 1920,
             "fps": 30, "ext": "mp4", "filesize_approx": 7.5, "url": "https://cdn.example/v?sig=1"}
        ]
    });
    let metadata = metadata(Tool::YtDlp, &resource(ResourceKind::Unknown), &[info]);
    assert_eq!((metadata.id.as_str(), metadata.platform.as_str()), ("abc", "somewhere"));
    assert_eq!(metadata.author.unwrap().handle, "ann");
    assert_eq!(metadata.created_at.unwrap().timestamp(), 1_700_000_000);
    assert_eq!((metadata.quality.as_deref(), metadata.sensitive), (Some("1080p"), true));
    assert_eq!(metadata.counts.retweet_count, Some(2));
    assert_eq!(metadata.download_method, Some(DownloadMethod::Cli));
    let [item] = metadata.items.as_slice() else { panic!("{:?}", metadata.items) };
    let [best, sound] = item.renditions.as_slice() else { panic!("{:?}", item.renditions) };
    assert_eq!(
        (best.format_id.as_deref(), best.streams, best.bitrate),
        (Some("v"), Streams::VideoOnly, Some(1_000_500))
    );
    assert_eq!((best.bytes, best.bytes_exact, best.short_side()), (Some(7), false, Some(1080)));
    assert_eq!((sound.streams, sound.bytes, sound.bytes_exact), (Streams::AudioOnly, Some(5), true));
}

#[test]
fn sound_is_sound_and_a_post_keeps_the_id_of_its_link() {
    let info = json!({"id": "v1", "ext": "mp3", "formats": [{"vcodec": "none", "acodec": "mp3"}]});
    let metadata = metadata(Tool::YtDlp, &resource(ResourceKind::Post), &[info]);
    assert_eq!(metadata.id, "77");
    assert_eq!(metadata.items[0].kind, FileType::Audio);
}

#[test]
fn keyword_dicts_become_items_with_alt_text() {
    let picture = |num: u32, alt: &str| {
        json!({"tweet_id": 9, "content": "hello", "author": {"name": "ann", "nick": "Ann"}, "date": "2026-11-20 10:00:00",
               "description": alt, "extension": "jpg", "width": 4, "height": 3, "num": num, "favorite_count": 5,
               "sensitive": true, "bossbot-url": format!("https://pbs.example/{num}.jpg")})
    };
    let infos = [
        picture(1, "a cat"),
        picture(2, ""),
        json!({"extension": "mp4", "type": "animated_gif"}),
        json!({"extension": "", "type": "video"}),
        json!({"extension": "jpg", "bossbot-path": "/j/item.2.webm"}),
    ];
    let metadata = metadata(Tool::GalleryDl, &resource(ResourceKind::Post), &infos);
    assert_eq!(metadata.description.as_deref(), Some("hello"));
    assert_eq!(metadata.author, Some(Author { handle: "ann".into(), name: Some("Ann".into()), url: None }));
    assert_eq!(metadata.created_at.unwrap().to_rfc3339(), "2026-11-20T10:00:00+00:00");
    assert_eq!((metadata.counts.like_count, metadata.sensitive), (Some(5), true));
    assert_eq!(metadata.items[0].alt_text.as_deref(), Some("a cat"));
    assert_eq!(metadata.items[1].alt_text, None);
    assert_eq!(metadata.items[2].kind, FileType::Gif);
    assert_eq!(metadata.items[3].kind, FileType::Video);
    assert_eq!(
        (metadata.items[4].kind, metadata.items[4].renditions[0].container.as_deref()),
        (FileType::Video, Some("webm"))
    );
    assert_eq!(metadata.items[0].renditions[0].width, Some(4));
}

#[test]
fn a_caption_is_a_description_where_the_post_has_no_other_words() {
    let info = json!({"post_shortcode": "C1", "description": "a caption", "username": "ann", "fullname": "Ann", "extension": "jpg"});
    let metadata = metadata(Tool::GalleryDl, &resource(ResourceKind::Post), &[info]);
    assert_eq!(metadata.description.as_deref(), Some("a caption"));
    assert_eq!(metadata.items[0].alt_text, None);
    assert_eq!(metadata.author.unwrap().name.as_deref(), Some("Ann"));
}

#[test]
fn sessions_headers_and_signed_links_stay_here() {
    let mut info = json!({
        "id": "1", "webpage_url": "https://some.example/watch?v=1", "cookies": "sid=SECRET", "thumbnail": "https://i.example/t?sig=SECRET",
        "formats": [{"format_id": "v", "url": "https://cdn.example/SECRET/v.mp4", "http_headers": {"Cookie": "SECRET"},
                     "cookies": "SECRET", "manifest_url": "https://SECRET", "height": 3}],
        "thumbnails": ["https://i.example/t?sig=SECRET", "https://i.example/plain.jpg"],
        "description": "see https://a.example/?b=1 for more", "video_url": "ytdl:https://a/?SECRET=1",
        "__files_to_move": {}, "bossbot-path": "/home/SECRET"
    });
    scrub(&mut info);
    assert!(!info.to_string().contains("SECRET"), "{info}");
    assert_eq!(info["webpage_url"], "https://some.example/watch?v=1");
    assert_eq!(info["formats"][0], json!({"format_id": "v", "height": 3}));
    assert_eq!(info["description"], "see https://a.example/?b=1 for more");
}
