//! X in the stand-in web: what the real tools fetch and say.

use super::{Bench, said, streams};
use crate::world::{
    media,
    platforms::{Gone, Tweet, TweetMedia},
    web::{Fault, FaultKind},
};

#[tokio::test]
async fn a_tweet_video_arrives_whole_by_yt_dlp() {
    let bench = Bench::start().await;
    let placed = media::small_video(1);
    let link = bench.web.x().post(Tweet::video(&placed));

    let output = bench.yt_dlp(&["--ies", "twitter", &link]).await;

    let files = bench.files();
    assert_eq!(files.len(), 1, "{}", said(&output));
    assert_eq!(media::sha256(&files[0]), placed.sha256());
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn four_images_of_a_tweet_arrive_in_order_by_gallery_dl() {
    let bench = Bench::start().await;
    let placed: Vec<_> = (1..=4).map(media::jpg).collect();
    let link = bench.web.x().post(Tweet::images(&placed).alt(0, "the first"));

    let output = bench.gallery_dl(&[&link]).await;

    let got: Vec<String> = bench.files().iter().map(|file| media::sha256(file)).collect();
    let expected: Vec<String> = placed.iter().map(media::Media::sha256).collect();
    assert_eq!(got, expected, "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn a_protected_tweet_is_refused_in_the_words_of_x() {
    let bench = Bench::start().await;
    let link = bench.web.x().post(Tweet::gone(Gone::Protected));

    let output = bench.yt_dlp(&[&link]).await;

    assert!(said(&output).contains("not authorized to view this protected tweet"), "{}", said(&output));
}

#[tokio::test]
async fn every_shape_of_tweet_says_what_x_says() {
    let bench = Bench::start().await;
    let x = bench.web.x();
    let video = || Tweet::video(&media::small_video(1)).by("bob", "Bob").text("the original");
    let posts = [
        (x.post(Tweet::gif(&media::silent_video(4))), "0 Look at this https"),
        (x.post(Tweet::text_only("see").quoting(video())), "0 see"),
        (x.post(Tweet::retweet(video())), "0 the original"),
        (x.post(video().sensitive().limited()), "18 the original"),
        (
            x.post(Tweet::of(vec![TweetMedia::photo(&media::jpg(1)), TweetMedia::video(&media::small_video(1))])),
            "0 Look",
        ),
    ];
    let refused = [
        (x.post(Tweet::gone(Gone::Missing)), "No video could be found"),
        (x.post(Tweet::gone(Gone::Deleted)), "was deleted by the Post author"),
        (x.post(Tweet::gone(Gone::Suspended)), "suspended account"),
        (x.post(Tweet::gone(Gone::AgeRestricted)), "Age-restricted"),
        (x.post(Tweet::gone(Gone::Nsfw)), "NSFW tweet requires"),
    ];
    let mut args = vec!["-i", "--ies", "twitter", "--print", "%(age_limit)s %(description)s %(formats.-1.format_id)s"];
    args.extend(posts.iter().chain(&refused).map(|(link, _)| link.as_str()));

    let output = bench.yt_dlp(&args).await;

    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), posts.len(), "{}", said(&output));
    for (line, (link, expected)) in lines.iter().zip(&posts) {
        assert!(line.starts_with(expected) && line.contains(" http"), "{link}: {line}");
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    for (link, expected) in &refused {
        assert!(errors.contains(expected), "{link} → {expected}: {errors}");
    }
}

#[tokio::test]
async fn a_tweet_arrives_by_syndication_when_graphql_is_rate_limited() {
    let bench = Bench::start().await;
    let placed = media::small_video(1);
    let link = bench.web.x().post(Tweet::video(&placed));
    bench.web.faults().add(Fault::on("x.com", "graphql", FaultKind::RateLimit(None)));

    let output = bench.yt_dlp(&["--ies", "twitter", &link]).await;

    assert_eq!(media::sha256(&bench.files()[0]), placed.sha256(), "{}", said(&output));
    bench.web.wait_for_answer("cdn.syndication.twimg.com", "/tweet-result").await;
}

#[tokio::test]
async fn a_tweet_with_a_playlist_arrives_in_segments() {
    let bench = Bench::start().await;
    let media = TweetMedia::video(&media::small_video(1)).with_hls(media::small_hls(20));
    let link = bench.web.x().post(Tweet::of(vec![media]));

    let output = bench.yt_dlp(&["--ies", "twitter", "-f", "hls", &link]).await;

    assert_eq!(streams(&bench.files()[0]), "h264 6, aac 6", "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn guest_tokens_and_query_ids_of_x_expire() {
    let bench = Bench::start().await;
    let x = bench.web.x();
    let link = x.post(Tweet::video(&media::small_video(1)));
    let id = link.rsplit('/').next().unwrap();
    let client = bench.client();
    let bearer = "AAAAworld";
    let activate = || client.post("https://api.x.com/1.1/guest/activate.json").bearer_auth(bearer).send();
    let token: serde_json::Value = activate().await.unwrap().json().await.unwrap();
    let ask = |host: &str| {
        let url = format!(
            "https://{host}/abc/TweetResultByRestId?variables=%7B%22tweetId%22%3A%22{id}%22%7D&features=%7B%7D"
        );
        client.get(url).bearer_auth(bearer).header("x-guest-token", token["guest_token"].as_str().unwrap()).send()
    };

    for host in ["x.com/i/api/graphql", "api.x.com/graphql"] {
        let answer: serde_json::Value = ask(host).await.unwrap().json().await.unwrap();
        assert_eq!(answer["data"]["tweetResult"]["result"]["rest_id"], id);
    }
    x.only_query_id("xyz");
    assert_eq!(ask("x.com/i/api/graphql").await.unwrap().status(), 404);
    x.only_query_id("abc");
    x.expire_guest_tokens();
    assert_eq!(ask("x.com/i/api/graphql").await.unwrap().status(), 403);
    let unsigned = client.post("https://api.x.com/1.1/guest/activate.json").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
}
