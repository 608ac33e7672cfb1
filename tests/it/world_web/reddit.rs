//! Reddit in the stand-in web: what the real tools fetch and say.

use super::{Bench, said, streams};
use crate::world::{
    media::{self, Dash},
    platforms::{Fate, RedditPost},
    web::{Fault, FaultKind},
};

#[tokio::test]
async fn a_reddit_video_arrives_with_its_sound_by_yt_dlp() {
    let bench = Bench::start().await;
    let link = bench.web.reddit().post(RedditPost::video(Dash::seed(2)).titled("Loud and clear"));

    let output = bench.yt_dlp(&["--print", "after_move:%(title)s", &link]).await;

    assert!(said(&output).contains("Loud and clear"), "{}", said(&output));
    assert_eq!(streams(&bench.files()[0]), "h264 3, aac 3", "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn a_reddit_video_arrives_by_hls_when_dash_is_broken() {
    let bench = Bench::start().await;
    let link = bench.web.reddit().post(RedditPost::video(Dash::seed(2)));
    for broken in ["DASHPlaylist.mpd", "DASH_"] {
        bench.web.faults().add(Fault::on("v.redd.it", broken, FaultKind::Status(403)));
    }

    let output = bench.yt_dlp(&["-f", "bv[protocol^=m3u8]+ba", &link]).await;

    assert_eq!(streams(&bench.files()[0]), "h264 3, aac 3", "{}", said(&output));
}

#[tokio::test]
async fn a_reddit_gallery_arrives_in_order_by_gallery_dl() {
    let bench = Bench::start().await;
    let mut placed: Vec<_> = (5..=7).map(media::jpg).collect();
    placed.push(media::image(media::Image::seed(8, media::ImageKind::Gif)));
    let link = bench.web.reddit().post(RedditPost::gallery(&placed).caption(1, "two"));

    let output = bench.gallery_dl(&[&link]).await;

    let got: Vec<String> = bench.files().iter().map(|file| media::sha256(file)).collect();
    let expected: Vec<String> = placed.iter().map(media::Media::sha256).collect();
    assert_eq!(got, expected, "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn short_and_share_links_of_reddit_lead_to_the_post() {
    let bench = Bench::start().await;
    let reddit = bench.web.reddit();
    let link = reddit.post(RedditPost::video(Dash::seed(2)));
    let client = bench.client();
    for short in [reddit.short_link(&link), reddit.share_link(&link), reddit.video_link(&link)] {
        let mut at = short.clone();
        for _ in 0..3 {
            let answer = client.get(&at).send().await.unwrap();
            match answer.headers().get("location") {
                Some(next) => at = next.to_str().unwrap().to_owned(),
                None => break,
            }
        }
        assert!(at.starts_with(&link), "{short} led to {at}");
    }
}

#[tokio::test]
async fn reddit_refuses_as_reddit_does() {
    let bench = Bench::start().await;
    let reddit = bench.web.reddit();
    let private = reddit.post(RedditPost::gone(Fate::Private));
    let deleted = reddit.post(RedditPost::gone(Fate::Deleted));
    let missing = reddit.post(RedditPost::gone(Fate::Missing));

    let output = bench.yt_dlp(&["-i", &private, &deleted, &missing]).await;

    let said = said(&output);
    for expected in ["Private subreddit", "No media found", "HTTP Error 404"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

#[tokio::test]
async fn reddit_by_token_answers_apps_only() {
    let bench = Bench::start().await;
    let reddit = bench.web.reddit();
    reddit.refuse_anonymous();
    reddit.register_app("our-app", "our-secret");
    let link = reddit.post(RedditPost::image(&media::jpg(5)));
    let path = link.strip_prefix("https://www.reddit.com").unwrap();
    let client = bench.client();

    let anonymous = client.get(format!("{link}.json")).send().await.unwrap();
    assert_eq!(anonymous.status(), 403);
    let ask = |secret: &str| {
        let form = [("grant_type", "client_credentials")];
        let body = serde_json::to_string(&form).map(|_| "grant_type=client_credentials").unwrap();
        client
            .post("https://www.reddit.com/api/v1/access_token")
            .basic_auth("our-app", Some(secret.to_owned()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
    };
    assert_eq!(ask("wrong").await.unwrap().status(), 401);
    let token: serde_json::Value = ask("our-secret").await.unwrap().json().await.unwrap();
    let by_token = || {
        let url = format!("https://oauth.reddit.com{path}?raw_json=1");
        client.get(url).bearer_auth(token["access_token"].as_str().unwrap()).send()
    };
    let answer: serde_json::Value = by_token().await.unwrap().json().await.unwrap();
    assert_eq!(answer[0]["data"]["children"][0]["data"]["title"], "An image");
    reddit.expire_tokens();
    assert_eq!(by_token().await.unwrap().status(), 401);
}

#[tokio::test]
async fn reddit_videos_and_crossposts_arrive_by_gallery_dl_too() {
    let bench = Bench::start().await;
    let reddit = bench.web.reddit();
    let video = reddit.post(RedditPost::video(Dash::seed(2)));
    let crosspost = reddit.post(RedditPost::crosspost(RedditPost::video(Dash::seed(2)).titled("the original")));
    let ytdl = r#"downloader.ytdl.raw-options={"compat_opts":["no-certifi"]}"#;

    let output = bench.gallery_dl(&["-f", "{id}.{extension}", "-o", ytdl, &video, &crosspost]).await;

    let got: Vec<String> = bench.files().iter().map(|file| streams(file)).collect();
    assert_eq!(got, ["h264 3, aac 3", "h264 3, aac 3"], "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[tokio::test]
async fn a_gif_of_reddit_is_also_there_as_a_video() {
    let bench = Bench::start().await;
    let gif = media::image(media::Image::seed(8, media::ImageKind::Gif));
    let link = bench.web.reddit().post(RedditPost::gallery(&[media::jpg(5), gif.clone()]));
    let client = bench.client();
    let json = client.get(format!("{link}.json?raw_json=1")).send().await.unwrap().json::<serde_json::Value>();
    let post = json.await.unwrap()[0]["data"]["children"][0]["data"].clone();
    let id = post["gallery_data"]["items"][1]["media_id"].as_str().unwrap();

    let video = client.get(post["media_metadata"][id]["s"]["mp4"].as_str().unwrap()).send().await.unwrap();

    assert_eq!(video.headers()["content-type"], "video/mp4");
    assert_eq!(video.bytes().await.unwrap(), std::fs::read(media::gif_as_video(&gif)).unwrap());
    assert_eq!(streams(media::gif_as_video(&gif).as_ref()), "h264 1");
}
