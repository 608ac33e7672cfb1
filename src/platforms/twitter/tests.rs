//! What X's answers become, by hand-written answers in the shape the site gives them.

use serde_json::{Value, json};

use super::{
    parse::{self, Empty, Found, Trouble},
    *,
};
use crate::model::{Extension, FileType, Item, Rendition, Streams};
use crate::platforms::common::testing::mutations;

const POST: &str = "1460323737035677698";

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/platforms/twitter/", $name, ".json")))
            .unwrap()
    };
}

fn resource(link: &str) -> Resource {
    Twitter::default().route(&Url::parse(link).unwrap()).unwrap()
}

fn read(body: &Value) -> MediaMetadata {
    parse::finish(
        &resource(&format!("https://x.com/whoever/status/{POST}")),
        parse::graphql(body, Empty::Refused).unwrap(),
    )
}

fn kind_of(body: &Value) -> (String, bool) {
    match parse::graphql(body, Empty::Refused).map(|found: Found| found) {
        Err(Trouble::Verdict(error)) => (error.code().to_owned(), true),
        Err(Trouble::Odd(error)) => (error.code().to_owned(), false),
        Ok(_) => panic!("found something in {body}"),
    }
}

fn addresses(item: &Item) -> Vec<&str> {
    item.renditions.iter().map(|r| r.url.as_ref().unwrap().as_str()).collect()
}

#[test]
fn a_video_comes_with_its_files_best_first_and_without_the_stream() {
    let post = read(&fixture!("video"));
    assert_eq!((post.platform.as_str(), post.id.as_str()), ("twitter", POST));
    assert_eq!(post.url, format!("https://x.com/i/status/{POST}"));
    assert_eq!(post.title, None);
    assert_eq!(post.description.as_deref(), Some("Liftoff & beyond <3\nSee https://www.nasa.gov/launch"));
    let author = post.author.unwrap();
    assert_eq!((author.handle.as_str(), author.name.as_deref()), ("NASA", Some("NASA")));
    assert_eq!(author.url.as_deref(), Some("https://x.com/NASA"));
    // From the id's own clock: 1460323737035677698 >> 22 milliseconds after the epoch of X.
    assert_eq!(post.created_at.unwrap().to_rfc3339(), "2021-11-15T19:08:05+00:00");
    assert_eq!(post.duration, Some(12.345));
    assert!(!post.sensitive);
    let counts = post.counts;
    assert_eq!((counts.like_count, counts.retweet_count), (Some(321), Some(54)));
    assert_eq!((counts.view_count, counts.comment_count), (Some(98765), Some(7)));
    assert!(post.thumbnail.unwrap().ends_with("/pu/img/Prev.jpg"));
    assert_eq!(
        post.extension,
        Some(Extension::Twitter {
            tweet_id: POST.into(),
            user_screen_name: "NASA".into(),
            is_retweet: false,
            is_quote_tweet: false,
            thread_position: Some(1),
        })
    );

    let [item] = post.items.as_slice() else { panic!("{:?}", post.items) };
    assert_eq!(item.kind, FileType::Video);
    assert_eq!(item.id.as_deref(), Some("1460300000000000001"));
    assert_eq!(item.alt_text.as_deref(), Some("A rocket rises"));
    let sizes: Vec<_> = item.renditions.iter().map(|r| (r.width, r.height, r.bitrate)).collect();
    assert_eq!(
        sizes,
        [
            (Some(1280), Some(720), Some(2_176_000)),
            (Some(640), Some(360), Some(832_000)),
            (Some(480), Some(270), Some(256_000)),
        ]
    );
    let best = &item.renditions[0];
    assert_eq!(best.container.as_deref(), Some("mp4"));
    assert_eq!(best.streams, Streams::Whole);
    assert_eq!((best.bytes, best.bytes_exact), (Some(3_357_840), false));
}

#[test]
fn four_pictures_come_in_order_as_originals_with_alt_text() {
    let post = read(&fixture!("images"));
    assert!(post.sensitive);
    assert_eq!(post.description.as_deref(), Some("Four views"));
    let originals: Vec<_> = post.items.iter().map(|item| addresses(item)[0]).collect();
    assert_eq!(
        originals,
        [
            "https://pbs.twimg.com/media/AAA?format=jpg&name=orig",
            "https://pbs.twimg.com/media/BBB?format=jpg&name=orig",
            "https://pbs.twimg.com/media/CCC?format=png&name=orig",
            "https://pbs.twimg.com/media/DDD?format=jpg&name=orig",
        ]
    );
    let alt: Vec<_> = post.items.iter().map(|item| item.alt_text.as_deref()).collect();
    assert_eq!(alt, [Some("First light"), None, Some("Third"), None]);
    let first = &post.items[0].renditions;
    assert_eq!((first[0].width, first[0].height), (Some(4096), Some(2731)));
    assert_eq!(first[1].url.as_ref().unwrap().as_str(), "https://pbs.twimg.com/media/AAA?format=jpg&name=large");
    assert!(post.items.iter().all(|item| item.kind == FileType::Image));
    assert_eq!(post.thumbnail.as_deref(), Some("https://pbs.twimg.com/media/AAA.jpg"));
}

#[test]
fn a_gif_is_a_silent_video_and_a_post_without_words_has_no_description() {
    let post = read(&fixture!("gif"));
    assert_eq!(post.description, None);
    assert_eq!(post.items[0].kind, FileType::Gif);
    let file = &post.items[0].renditions[0];
    assert_eq!(file.url.as_ref().unwrap().as_str(), "https://video.twimg.com/tweet_video/FGif01.mp4");
    assert_eq!((file.width, file.bitrate, file.audio_codec.as_deref()), (Some(498), None, None));
}

#[test]
fn a_mixed_post_keeps_its_order_and_a_link_to_one_item_picks_it() {
    let body = fixture!("mixed");
    let kinds: Vec<_> = read(&body).items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Gif]);
    // The names are where the site puts them since 2025.
    assert_eq!(read(&body).author.unwrap().name.as_deref(), Some("NASA 🚀"));

    for (link, expected) in [
        ("photo/1", vec![FileType::Image]),
        ("video/2", vec![FileType::Video]),
        ("photo/3", vec![FileType::Gif]),
        ("photo/4", vec![FileType::Image, FileType::Video, FileType::Gif]),
    ] {
        let resource = resource(&format!("https://x.com/NASA/status/{POST}/{link}"));
        let post = parse::finish(&resource, parse::graphql(&body, Empty::Refused).unwrap());
        assert_eq!(post.items.iter().map(|item| item.kind).collect::<Vec<_>>(), expected, "{link}");
    }
}

#[test]
fn a_quote_without_media_of_its_own_shows_the_quoted_posts_media() {
    let post = read(&fixture!("quote"));
    assert_eq!(post.author.as_ref().unwrap().handle, "NASA");
    assert_eq!(post.description.as_deref(), Some("Look at this https://x.com/esa/status/1460000000000000000"));
    assert_eq!(post.items.len(), 1);
    assert!(post.sensitive, "the quoted post's media is");
    assert!(matches!(post.extension, Some(Extension::Twitter { is_quote_tweet: true, is_retweet: false, .. })));
}

#[test]
fn a_retweet_is_the_original_under_the_retweets_id() {
    let post = read(&fixture!("retweet"));
    assert_eq!(post.id, POST);
    assert_eq!(post.author.as_ref().unwrap().handle, "esa");
    assert_eq!(post.description.as_deref(), Some("The original words"));
    assert_eq!(post.items.len(), 1);
    assert!(matches!(post.extension, Some(Extension::Twitter { is_retweet: true, .. })));
}

#[test]
fn limited_posts_are_unwrapped_and_long_ones_are_whole() {
    let limited = read(&fixture!("limited"));
    assert_eq!(limited.items.len(), 1);
    assert!(matches!(limited.extension, Some(Extension::Twitter { thread_position: None, .. })), "it is an answer");
    let note = read(&fixture!("note"));
    assert_eq!(note.description.as_deref(), Some("A long story that is cut here and goes on & on"));
}

#[test]
fn media_in_cards_is_read_or_left_to_the_tools() {
    assert_eq!(read(&fixture!("unified_card")).items[0].kind, FileType::Video);
    assert_eq!(kind_of(&fixture!("broadcast_card")), ("unsupported_url".into(), true));
    assert_eq!(kind_of(&fixture!("text_only")), ("no_media".into(), true));
    assert_eq!(kind_of(&fixture!("media_geoblocked")), ("geo_blocked".into(), true));
}

#[test]
fn each_reason_for_showing_nothing_has_its_kind() {
    let result = |result: Value| json!({"data": {"tweetResult": {"result": result}}});
    let unavailable = |reason: &str| result(json!({"__typename": "TweetUnavailable", "reason": reason}));
    let tombstone =
        |words: &str| result(json!({"__typename": "TweetTombstone", "tombstone": {"text": {"text": words}}}));
    let error = |code: i64, message: &str| json!({"errors": [{"code": code, "message": message}], "data": {}});
    for (body, code, is_verdict) in [
        (unavailable("Protected"), "private", true),
        (unavailable("NsfwLoggedOut"), "login_required", true),
        (unavailable("NsfwViewerHasNoStatedAge"), "age_restricted", true),
        (unavailable("Suspended"), "not_found", true),
        (unavailable("SomethingNew"), "platform_changed", false),
        (tombstone("This Post was deleted by the Post author. Learn more"), "not_found", true),
        (tombstone("This Post is from a suspended account. Learn more"), "not_found", true),
        (tombstone("This Post is from an account that no longer exists. Learn more"), "not_found", true),
        (tombstone("This Post violated the X Rules. Learn more"), "not_found", true),
        (tombstone("This Post is unavailable. Learn more"), "not_found", true),
        (
            tombstone("You’re unable to view this Post because this account owner limits who can view their Posts."),
            "private",
            true,
        ),
        (
            tombstone("Age-restricted adult content. This content might not be appropriate for people under 18."),
            "age_restricted",
            true,
        ),
        (
            tombstone("This Post from @a has been withheld in Germany in response to a legal demand."),
            "geo_blocked",
            true,
        ),
        (tombstone("Words nobody has seen before"), "platform_changed", false),
        (json!({"data": {"tweetResult": {}}}), "not_found", true),
        (error(144, "No status found with that ID."), "not_found", true),
        (error(179, "Sorry, you are not authorized to see this status."), "private", true),
        (error(88, "Rate limit exceeded."), "rate_limited", false),
        (error(239, "Bad guest token"), "login_required", false),
        (error(131, "Internal error"), "network", false),
        (error(999, "Something"), "platform_changed", false),
        (json!({"data": {}}), "platform_changed", false),
        (json!({}), "platform_changed", false),
        (json!([1]), "platform_changed", false),
        (Value::Null, "platform_changed", false),
        (result(json!({})), "platform_changed", false),
        (result(json!({"legacy": {}})), "platform_changed", false),
        (result(json!({"__typename": "TweetWithVisibilityResults"})), "platform_changed", false),
    ] {
        assert_eq!(kind_of(&body), (code.to_owned(), is_verdict), "{body}");
    }
}

#[test]
fn answers_with_any_part_missing_or_odd_never_panic() {
    for body in
        [fixture!("video"), fixture!("images"), fixture!("quote"), fixture!("retweet"), fixture!("unified_card")]
    {
        for changed in mutations(&body) {
            let _ = parse::graphql(&changed, Empty::Refused)
                .map(|found| parse::finish(&resource("https://x.com/i/status/20"), found));
        }
    }
    for changed in mutations(&fixture!("syndication")) {
        let _ = parse::syndication(&changed);
    }
}

#[test]
fn syndication_tells_the_same_as_far_as_it_knows() {
    let resource = resource(&format!("https://x.com/NASA/status/{POST}"));
    let post = parse::finish(&resource, parse::syndication(&fixture!("syndication")).unwrap());
    let graphql = read(&fixture!("video"));
    assert_eq!(post.description.as_deref(), Some("Liftoff & beyond"));
    assert_eq!(post.created_at, graphql.created_at);
    assert_eq!(post.author, graphql.author);
    assert_eq!(post.items[0].renditions, graphql.items[0].renditions);
    assert_eq!(post.items[0].id, graphql.items[0].id);
    assert_eq!(post.counts.like_count, Some(321));
    assert_eq!(post.counts.comment_count, Some(7));
    assert_eq!(post.counts.view_count, None);

    let error = parse::syndication(&fixture!("syndication_tombstone")).unwrap_err();
    assert_eq!(error.code(), "age_restricted");
    assert_eq!(parse::syndication(&json!({})).unwrap_err().code(), "platform_changed");
}

#[test]
fn what_the_tools_tell_becomes_what_we_read_ourselves() {
    let resource = resource(&format!("https://x.com/NASA/status/{POST}"));
    let generic = |items: usize| MediaMetadata {
        title: Some("NASA - made up".into()),
        items: (0..items).map(|_| Item::new(FileType::Other, vec![])).collect(),
        ..MediaMetadata::default()
    };

    let mut by_yt_dlp = generic(1);
    by_yt_dlp.thumbnail = Some("https://pbs.twimg.com/ext_tw_video_thumb/1/pu/img/Prev.jpg?name=orig".into());
    let info = json!({
        "id": "1460300000000000001", "title": "NASA - Four views", "description": "Four views &amp; more https://t.co/x",
        "uploader": "NASA", "uploader_id": "NASA", "timestamp": 1637003285.0, "age_limit": 18, "like_count": 321,
        "repost_count": 54, "view_count": 98765, "comment_count": 7, "duration": 12.345,
    });
    Twitter::default().refine(&resource, Tool::YtDlp, &[info], &mut by_yt_dlp);
    let mut by_gallery_dl = generic(1);
    let file = json!({
        "tweet_id": 1_460_323_737_035_677_698_u64, "content": "Four views & more", "author": {"name": "NASA", "nick": "NASA"},
        "date": "2021-11-15 19:08:05", "sensitive": true, "favorite_count": 321, "retweet_count": 54, "view_count": 98765,
        "reply_count": 7, "type": "video", "duration": 12.345, "quoted_id": 0, "reply_id": 0, "description": null,
    });
    Twitter::default().refine(&resource, Tool::GalleryDl, &[file], &mut by_gallery_dl);

    assert_eq!(by_yt_dlp.items[0].id.take().as_deref(), Some("1460300000000000001"));
    assert_eq!(
        by_yt_dlp.thumbnail.take().as_deref(),
        Some("https://pbs.twimg.com/ext_tw_video_thumb/1/pu/img/Prev.jpg")
    );
    // yt-dlp does not say whether a post is an answer.
    by_gallery_dl.extension = match by_gallery_dl.extension {
        Some(Extension::Twitter {
            tweet_id,
            user_screen_name,
            is_retweet,
            is_quote_tweet,
            thread_position: Some(1),
        }) => {
            Some(Extension::Twitter { tweet_id, user_screen_name, is_retweet, is_quote_tweet, thread_position: None })
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(by_yt_dlp, by_gallery_dl);
    assert_eq!(by_yt_dlp.created_at.unwrap().to_rfc3339(), "2021-11-15T19:08:05+00:00");
    assert_eq!(by_yt_dlp.description.as_deref(), Some("Four views & more"));
    assert_eq!(by_yt_dlp.title, None);
    assert_eq!(by_yt_dlp.duration, Some(12.345));
}

#[test]
fn a_gif_is_recognised_in_what_yt_dlp_tells() {
    let file = Rendition::at(Url::parse("https://video.twimg.com/tweet_video/F.mp4").unwrap());
    let mut metadata =
        MediaMetadata { items: vec![Item::new(FileType::Video, vec![file])], ..MediaMetadata::default() };
    let info = json!({"uploader_id": "a"});
    refine::refine(&resource("https://x.com/i/status/20"), Tool::YtDlp, &[info], &mut metadata);
    assert_eq!(metadata.items[0].kind, FileType::Gif);
    assert_eq!(metadata.author.unwrap().handle, "a");
}
