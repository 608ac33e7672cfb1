//! X / Twitter: what our own extractor reads, what the tools tell of the same post, and what each failure is called.

use boss_bot::{
    model::{Error, Extension, FileType, MediaMetadata, Tool},
    settings::Settings,
};

use super::platforms_stage::{Stage, comparable};
use crate::world::{
    media::{self, Media},
    platforms::{Gone, Tweet, TweetMedia},
    web::{Fault, FaultKind},
};

const GRAPHQL: &str = "x.com";
const GUEST_TOKEN: &str = "api.x.com";
const SYNDICATION: &str = "cdn.syndication.twimg.com";

/// What gallery-dl is not told: ids of media, and previews of videos.
fn as_gallery_dl_knows(metadata: &MediaMetadata) -> MediaMetadata {
    let mut metadata = comparable(metadata);
    metadata.items.iter_mut().for_each(|item| item.id = None);
    if metadata.items.first().is_some_and(|item| item.kind != FileType::Image) {
        metadata.thumbnail = None;
    }
    metadata
}

/// What yt-dlp does not hand on: descriptions of media, and whether a post answers or quotes another.
fn as_yt_dlp_knows(metadata: &MediaMetadata) -> MediaMetadata {
    let mut metadata = comparable(metadata);
    metadata.items.iter_mut().for_each(|item| item.alt_text = None);
    if let Some(Extension::Twitter { is_quote_tweet, thread_position, .. }) = &mut metadata.extension {
        *is_quote_tweet = false;
        *thread_position = None;
    }
    metadata
}

fn same_bytes(paths: &[std::path::PathBuf], media: &[Media]) {
    let got: Vec<_> = paths.iter().map(|path| media::sha256(path)).collect();
    let expected: Vec<_> = media.iter().map(Media::sha256).collect();
    assert_eq!(got, expected);
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().expect("a failure").code()
}

#[tokio::test]
async fn a_video_is_the_same_post_in_process_and_by_both_tools() {
    let stage = Stage::set().await;
    let clip = media::small_video(61);
    let tweet = Tweet::video(&clip).by("ann", "Ann & Co").text("Look & see <this>").alt(0, "A test card").sensitive();
    let link = stage.web.x().post(tweet);
    let api = stage.api(&link).await.unwrap();
    assert_eq!(api.description.as_deref(), Some("Look & see <this>"));
    assert!(api.sensitive && api.counts.view_count.is_some() && api.duration.is_some());
    let (by_yt_dlp, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(as_yt_dlp_knows(&by_yt_dlp), as_yt_dlp_knows(&api));
    let (by_gallery_dl, _) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(as_gallery_dl_knows(&by_gallery_dl), as_gallery_dl_knows(&api));
    same_bytes(&stage.download(&api).await.unwrap(), &[clip]);
}

#[tokio::test]
async fn four_pictures_are_the_same_post_in_process_and_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let pictures: Vec<_> = (71..75).map(media::jpg).collect();
    let link = stage.web.x().post(Tweet::images(&pictures).alt(0, "first").alt(2, "third"));
    let api = stage.api(&link).await.unwrap();
    let (by_gallery_dl, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(as_gallery_dl_knows(&by_gallery_dl), as_gallery_dl_knows(&api));
    assert_eq!(api.items[2].alt_text.as_deref(), Some("third"));
    same_bytes(&files, &pictures);
    same_bytes(&stage.download(&api).await.unwrap(), &pictures);
    assert_eq!(code(stage.cli(&link, Tool::YtDlp).await), "no_media");
}

#[tokio::test]
async fn a_mixed_post_keeps_its_order_and_a_link_to_one_item_loads_that_one() {
    let stage = Stage::set().await;
    let (picture, clip, loop_) = (media::jpg(75), media::small_video(76), media::silent_video(77));
    let tweet = Tweet::of(vec![TweetMedia::photo(&picture), TweetMedia::video(&clip), TweetMedia::gif(&loop_)]);
    let link = stage.web.x().post(tweet);
    let api = stage.api(&link).await.unwrap();
    let kinds: Vec<_> = api.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Gif]);
    same_bytes(&stage.download(&api).await.unwrap(), &[picture.clone(), clip.clone(), loop_]);
    let (by_gallery_dl, _) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(as_gallery_dl_knows(&by_gallery_dl), as_gallery_dl_knows(&api));

    let second = format!("{link}/video/2");
    let one = stage.api(&second).await.unwrap();
    same_bytes(&stage.download(&one).await.unwrap(), std::slice::from_ref(&clip));
    same_bytes(&stage.cli(&second, Tool::GalleryDl).await.unwrap().1, std::slice::from_ref(&clip));
    same_bytes(&stage.cli(&second, Tool::YtDlp).await.unwrap().1, &[clip]);
    same_bytes(&stage.cli(&format!("{link}/photo/1"), Tool::GalleryDl).await.unwrap().1, &[picture]);
}

#[tokio::test]
async fn a_gif_a_quote_and_a_retweet_show_their_media() {
    let stage = Stage::set().await;
    let loop_ = media::silent_video(78);
    let gif = stage.web.x().post(Tweet::gif(&loop_));
    let api = stage.api(&gif).await.unwrap();
    assert_eq!(api.items[0].kind, FileType::Gif);
    let (by_yt_dlp, _) = stage.cli(&gif, Tool::YtDlp).await.unwrap();
    assert_eq!(as_yt_dlp_knows(&by_yt_dlp), as_yt_dlp_knows(&api));
    let (by_gallery_dl, _) = stage.cli(&gif, Tool::GalleryDl).await.unwrap();
    assert_eq!(as_gallery_dl_knows(&by_gallery_dl), as_gallery_dl_knows(&api));

    let clip = media::small_video(79);
    let quote = stage.web.x().post(Tweet::text_only("What a clip").quoting(Tweet::video(&clip).by("bob", "Bob")));
    let quote = stage.api(&quote).await.unwrap();
    assert_eq!(quote.author.as_ref().unwrap().handle, "ann");
    assert!(matches!(quote.extension, Some(Extension::Twitter { is_quote_tweet: true, .. })));
    same_bytes(&stage.download(&quote).await.unwrap(), std::slice::from_ref(&clip));

    let retweet = stage.web.x().post(Tweet::retweet(Tweet::video(&clip).by("bob", "Bob").text("Mine")));
    let retweet = stage.api(&retweet).await.unwrap();
    assert_eq!(retweet.author.as_ref().unwrap().handle, "bob");
    assert_eq!(retweet.description.as_deref(), Some("Mine"));
    assert!(matches!(retweet.extension, Some(Extension::Twitter { is_retweet: true, .. })));

    let limited = stage.web.x().post(Tweet::video(&clip).limited());
    assert_eq!(stage.api(&limited).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn every_spelling_of_a_link_leads_to_the_same_post() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(61)));
    let id = link.rsplit('/').next().unwrap();
    let post = stage.resource(&link).await;
    let short = stage.web.x().short_link(&link);
    for spelling in [
        format!("twitter.com/someone/status/{id}?s=20"),
        format!("https://mobile.twitter.com/i/web/status/{id}"),
        format!("https://vxtwitter.com/a/status/{id}"),
        short,
    ] {
        assert_eq!(stage.resource(&spelling).await, post, "{spelling}");
    }
}

#[tokio::test]
async fn one_guest_token_serves_many_posts_until_it_is_spent() {
    let stage = Stage::set().await;
    let links: Vec<_> = (61..64).map(|seed| stage.web.x().post(Tweet::video(&media::small_video(seed)))).collect();
    let asked = || stage.web.requests().iter().filter(|seen| seen.target().contains("guest/activate")).count();
    let together = futures_util::future::join_all(links.iter().map(|link| stage.api(link))).await;
    assert!(together.iter().all(Result::is_ok));
    assert_eq!(asked(), 1);
    stage.web.x().expire_guest_tokens();
    stage.api(&links[0]).await.unwrap();
    assert_eq!(asked(), 2, "a spent token is replaced");
    assert!(stage.web.requests_to(SYNDICATION).is_empty());
}

#[tokio::test]
async fn the_query_id_is_a_setting() {
    let set = |settings: &mut Settings| Stage::params(settings, "twitter", &[("query_id", "NewQueryId0123456789ab")]);
    for (stage, by_syndication) in [(Stage::set().await, true), (Stage::with(set).await, false)] {
        let link = stage.web.x().post(Tweet::video(&media::small_video(61)));
        stage.web.x().only_query_id("NewQueryId0123456789ab");
        stage.api(&link).await.unwrap();
        assert_eq!(!stage.web.requests_to(SYNDICATION).is_empty(), by_syndication);
    }
}

#[tokio::test]
async fn syndication_answers_when_the_guest_api_does_not() {
    for kind in [FaultKind::Status(403), FaultKind::Status(404), FaultKind::RateLimit(None), FaultKind::ChangedJson] {
        let stage = Stage::set().await;
        let link = stage.web.x().post(Tweet::video(&media::small_video(61)));
        let whole = stage.api(&link).await.unwrap();
        stage.web.faults().add(Fault::on(GRAPHQL, "graphql", kind.clone()));
        let part = stage.api(&link).await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(part.items, whole.items, "{kind:?}");
        assert_eq!(part.created_at, whole.created_at);
        assert_eq!(part.author, whole.author);
        assert_eq!(part.description, whole.description);
    }
}

#[tokio::test]
async fn each_failure_of_the_site_has_its_name() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(61)));
    for (kind, expected) in [
        (FaultKind::Status(401), "login_required"),
        (FaultKind::Status(403), "login_required"),
        (FaultKind::Status(404), "platform_changed"),
        (FaultKind::RateLimit(Some(77)), "rate_limited"),
        (FaultKind::Status(451), "geo_blocked"),
        (FaultKind::Status(500), "network"),
        (FaultKind::Status(503), "network"),
        (FaultKind::Reset, "network"),
        (FaultKind::Truncate, "network"),
        (FaultKind::HtmlForJson, "platform_changed"),
        (FaultKind::ChangedJson, "platform_changed"),
        (FaultKind::Redirect("http://169.254.169.254/latest".into()), "blocked_address"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on(GRAPHQL, "graphql", kind.clone()));
        stage.web.faults().add(Fault::on(SYNDICATION, "", FaultKind::Status(404)));
        let error = stage.api(&link).await.expect_err("a fault");
        assert_eq!(error.code(), expected, "{kind:?}: {error}");
        if let FaultKind::RateLimit(Some(seconds)) = kind {
            assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(seconds));
        }
    }
    // The same before a token is there.
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(61)));
    for (kind, expected) in [(FaultKind::Status(404), "platform_changed"), (FaultKind::RateLimit(None), "rate_limited")]
    {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on(GUEST_TOKEN, "", kind));
        stage.web.faults().add(Fault::on(SYNDICATION, "", FaultKind::Status(500)));
        assert_eq!(code(stage.api(&link).await), expected);
    }
}

#[tokio::test]
async fn each_reason_why_a_post_is_not_shown_has_its_name() {
    let stage = Stage::set().await;
    for (why, expected) in [
        (Gone::Missing, "not_found"),
        (Gone::Deleted, "not_found"),
        (Gone::Suspended, "not_found"),
        (Gone::AgeRestricted, "age_restricted"),
        (Gone::Protected, "private"),
        (Gone::Nsfw, "login_required"),
    ] {
        let link = stage.web.x().post(Tweet::gone(why));
        assert_eq!(code(stage.api(&link).await), expected, "{why:?}");
    }
    let words = stage.web.x().post(Tweet::text_only("Only words"));
    assert_eq!(code(stage.api(&words).await), "no_media");
    assert_eq!(code(stage.api("https://x.com/someone").await), "unsupported_url");
    assert!(stage.web.requests_to(SYNDICATION).is_empty(), "a verdict is not questioned");
}

#[tokio::test]
async fn a_thread_brings_the_media_of_the_same_author_up_to_the_post_in_order() {
    let mut stage = Stage::set().await;
    stage.options.thread = true;
    let pictures = [media::jpg(81), media::jpg(82), media::jpg(83)];
    let elsewhere = stage.web.x().post(Tweet::images(&pictures[..1]).by("bea", "Bea"));
    let first = stage.web.x().post(Tweet::images(&pictures[..1]).text("1/3"));
    let second = stage.web.x().post(Tweet::text_only("2/3, words alone").answering(&first));
    let third = stage.web.x().post(Tweet::images(&pictures[1..]).text("3/3").answering(&second));
    let found = stage.api(&third).await.unwrap();
    same_bytes(&stage.download(&found).await.unwrap(), &pictures);
    assert_eq!(found.description.as_deref(), Some("3/3"));
    let id = |link: &str| link.rsplit('/').next().unwrap().to_owned();
    let from: Vec<_> = found.items.iter().map(|item| id(item.url.as_deref().unwrap())).collect();
    assert_eq!(from, [id(&first), id(&third), id(&third)]);
    assert!(matches!(found.extension, Some(Extension::Twitter { thread_position: Some(3), .. })));
    // Somebody else's post is no part of it, and a missing one ends it without harm.
    let answer = stage.web.x().post(Tweet::images(&pictures[1..]).answering(&elsewhere));
    assert_eq!(stage.api(&answer).await.unwrap().items.len(), 2);
    let orphan = Tweet::images(&pictures[1..]).answering("https://x.com/ann/status/1234567890123456789");
    let found = stage.api(&stage.web.x().post(orphan)).await.unwrap();
    assert_eq!(found.items.len(), 2);
    assert!(matches!(found.extension, Some(Extension::Twitter { thread_position: None, .. })));
}

#[tokio::test]
async fn sizes_of_a_video_are_those_of_its_files_and_not_what_its_bit_rate_promises() {
    let stage = Stage::set().await;
    let qualities = [media::video_of(300_000, 84), media::padded_video(700_000, 85)];
    let link = stage.web.x().post(Tweet::of(vec![TweetMedia::variants(&qualities)]));
    let found = stage.api(&link).await.unwrap();
    let mut told: Vec<_> = found.items[0].renditions.iter().map(|r| (r.bytes_exact, r.bytes.unwrap())).collect();
    told.sort_unstable();
    let mut real: Vec<_> = qualities.iter().map(|media| (true, media.bytes())).collect();
    real.sort_unstable();
    assert_eq!(told, real);
    // A host that won't tell costs nothing but the exactness.
    stage.web.faults().add(Fault::on("video.twimg.com", "", FaultKind::Status(405)));
    let found = stage.api(&link).await.unwrap();
    assert!(found.items[0].renditions.iter().all(|rendition| !rendition.bytes_exact));
}
