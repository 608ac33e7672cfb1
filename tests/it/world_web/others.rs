//! YouTube, Instagram and two more in the stand-in web: what the real tools fetch and say.

use super::{Bench, said, streams};
use crate::world::{
    media::{self, Dash},
    platforms::{Access, InstagramPost, Playability, YouTubeVideo},
};

/// How yt-dlp is told to need no JavaScript.
const VISIONOS: &str = "youtube:player_client=visionos;player_skip=webpage,configs,js,initial_data";

#[tokio::test]
async fn a_youtube_video_arrives_with_its_sound_by_yt_dlp() {
    let bench = Bench::start().await;
    let link = bench.web.youtube().video(YouTubeVideo::of(Dash::seed(3)).titled("A song"));

    let output = bench.yt_dlp(&["--extractor-args", VISIONOS, "--print", "after_move:%(title)s", &link]).await;

    assert!(said(&output).contains("A song"), "{}", said(&output));
    assert_eq!(streams(&bench.files()[0]), "h264 3, aac 3", "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn youtube_refuses_as_youtube_does() {
    let bench = Bench::start().await;
    let youtube = bench.web.youtube();
    let mut args = vec!["-i", "--extractor-args", VISIONOS, "--match-filters", "!is_live & !is_upcoming"];
    let refusals = [
        (Playability::Unavailable, "Video unavailable"),
        (Playability::Private, "Private video"),
        (Playability::Age, "confirm your age"),
        (Playability::Geo, "not made this video available in your country"),
        (Playability::Members, "members-only"),
        (Playability::Live, "does not pass filter"),
        (Playability::Upcoming, "live event will begin"),
        (Playability::Bot, "not a bot"),
    ];
    let links: Vec<String> = refusals.iter().map(|(why, _)| youtube.video(YouTubeVideo::gone(*why))).collect();
    args.extend(links.iter().map(String::as_str));

    let said = said(&bench.yt_dlp(&args).await);

    for (why, expected) in refusals {
        assert!(said.contains(expected), "{why:?} → {expected}: {said}");
    }
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn an_instagram_carousel_arrives_in_order_by_gallery_dl() {
    let bench = Bench::start().await;
    let placed = [media::jpg(10), media::small_video(11), media::jpg(12)];
    let link = bench.web.instagram().post(InstagramPost::carousel(&placed));

    let output = bench.gallery_dl(&[&link]).await;

    let got: Vec<String> = bench.files().iter().map(|file| media::sha256(file)).collect();
    let expected: Vec<String> = placed.iter().map(media::Media::sha256).collect();
    assert_eq!(got, expected, "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn an_instagram_reel_arrives_by_yt_dlp() {
    let bench = Bench::start().await;
    let placed = media::small_video(11);
    let link = bench.web.instagram().post(InstagramPost::reel(&placed).caption("so fast"));

    let output = bench.yt_dlp(&["--print", "after_move:%(description)s by %(channel)s", &link]).await;

    assert!(said(&output).contains("so fast by dan"), "{}", said(&output));
    assert_eq!(media::sha256(&bench.files()[0]), placed.sha256());
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn instagram_refuses_as_instagram_does() {
    let bench = Bench::start().await;
    let instagram = bench.web.instagram();
    let private = instagram.post(InstagramPost::gone(Access::Private));
    let restricted = instagram.post(InstagramPost::gone(Access::Restricted));
    let missing = instagram.post(InstagramPost::gone(Access::Missing));

    let said_by_yt_dlp = said(&bench.yt_dlp(&["-i", &private, &restricted, &missing]).await);
    for expected in ["empty media response", "Restricted Video", "HTTP Error 404"] {
        assert!(said_by_yt_dlp.contains(expected), "{expected}: {said_by_yt_dlp}");
    }
    let said_by_gallery_dl = said(&bench.gallery_dl(&[&private]).await);
    assert!(said_by_gallery_dl.contains("HTTP redirect to login page"), "{said_by_gallery_dl}");

    let open = instagram.post(InstagramPost::reel(&media::small_video(11)));
    instagram.login_wall();
    let walled = said(&bench.yt_dlp(&[&open]).await);
    assert!(walled.contains("redirected to the login page"), "{walled}");
}

#[tokio::test]
async fn a_streamable_video_and_an_imgur_album_arrive_by_the_tools() {
    let bench = Bench::start().await;
    let images = [media::jpg(1), media::jpg(2)];
    let video = media::small_video(21);
    let streamable = bench.web.sites().streamable.video("A goal", &video);
    let album = bench.web.sites().imgur.album("A walk", &images);

    let by_yt_dlp = bench.yt_dlp(&["--ies", "default,-generic", "-o", "09.mp4", &streamable]).await;
    let by_gallery_dl = bench.gallery_dl(&[&album]).await;

    let got: Vec<String> = bench.files().iter().map(|file| media::sha256(file)).collect();
    let expected = [images[0].sha256(), images[1].sha256(), video.sha256()];
    assert_eq!(got, expected, "{}{}", said(&by_yt_dlp), said(&by_gallery_dl));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn a_youtube_video_arrives_by_yt_dlp_as_it_is_out_of_the_box() {
    let bench = Bench::start().await;
    let link = bench.web.youtube().video(YouTubeVideo::of(Dash::seed(3)));

    let output = bench.yt_dlp(&["--ies", "youtube", &link]).await;

    assert_eq!(streams(&bench.files()[0]), "h264 3, aac 3", "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}
