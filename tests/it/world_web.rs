//! The stand-in web, tried with the real tools: what they fetch from it is what was placed in it.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use tempfile::TempDir;

use crate::world::{
    media::{self, Dash},
    platforms::{Access, Fate, Gone, InstagramPost, Playability, RedditPost, Tweet, TweetMedia, YouTubeVideo},
    tls::Authority,
    web::{Fault, FaultKind, Web},
};

/// The web, and the real tools pointed at it.
struct Bench {
    web: Web,
    authority: Authority,
    folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        std::fs::create_dir(folder.path().join("got")).unwrap();
        Self { web: Web::start(&authority).await, authority, folder }
    }

    fn got(&self) -> PathBuf {
        self.folder.path().join("got")
    }

    /// The files a tool left, by name.
    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(self.got()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    async fn python(&self, module: &str, args: &[&str]) -> Output {
        let tools = std::env::var_os("BOSS_BOT_TEST_TOOLS_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tools"), PathBuf::from);
        let ca = self.folder.path().join("ca.pem");
        tokio::process::Command::new(tools.join("bin/python"))
            .args(["-I", "-m", module, "--proxy", &self.web.proxy_url()])
            .args(args)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("SSL_CERT_FILE", &ca)
            .env("REQUESTS_CA_BUNDLE", &ca)
            .current_dir(self.got())
            .kill_on_drop(true)
            .output()
            .await
            .expect("the tools are installed")
    }

    async fn yt_dlp(&self, args: &[&str]) -> Output {
        let fixed = ["--ignore-config", "--no-progress", "--compat-options", "no-certifi", "-o", "%(id)s.%(ext)s"];
        self.python("yt_dlp", &[&fixed, args].concat()).await
    }

    async fn gallery_dl(&self, args: &[&str]) -> Output {
        let fixed = ["--config-ignore", "--no-input", "-R", "0", "-D", ".", "-f", "{num:>02}.{extension}"];
        self.python("gallery_dl", &[&fixed, args].concat()).await
    }

    /// A plain client through the proxy.
    fn client(&self) -> reqwest::Client {
        reqwest::Client::builder()
            .proxy(reqwest::Proxy::all(self.web.proxy_url()).unwrap())
            .add_root_certificate(reqwest::Certificate::from_pem(self.authority.pem().as_bytes()).unwrap())
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap()
    }
}

/// Both outputs of a tool, for messages.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

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
async fn a_file_is_served_with_ranges_and_conditions() {
    let bench = Bench::start().await;
    let placed = media::small_video(1);
    let bytes = std::fs::read(&placed.path).unwrap();
    let link = bench.web.file("files.example", "/clip.mp4", &placed);
    let client = bench.client();

    let whole = client.get(&link).send().await.unwrap();
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(whole.headers()["content-type"], "video/mp4");
    assert_eq!(whole.bytes().await.unwrap(), bytes);

    let head = client.head(&link).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], bytes.len().to_string().as_str());

    for (range, status, expected) in [
        ("bytes=0-99", 206, &bytes[..100]),
        ("bytes=1000-", 206, &bytes[1000..]),
        ("bytes=-10", 206, &bytes[bytes.len() - 10..]),
        ("bytes=99999999-", 416, &[][..]),
    ] {
        let part = client.get(&link).header("range", range).send().await.unwrap();
        assert_eq!(part.status(), status, "{range}");
        assert_eq!(part.bytes().await.unwrap(), expected, "{range}");
    }
    let stale = client.get(&link).header("range", "bytes=5-9").header("if-range", "\"other\"").send().await.unwrap();
    assert_eq!(stale.status(), 200);
    let same = client.get(&link).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(same.status(), 304);

    assert_eq!(client.get("https://nobody.example/").send().await.unwrap().status(), 404);
    assert_eq!(bench.web.unexpected().len(), 1);
    let plain = client.get(link.replace("https:", "http:")).send().await.unwrap();
    assert_eq!(plain.bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn each_fault_does_what_it_says() {
    let bench = Bench::start().await;
    let placed = media::padded_video(1_000_000, 1);
    let link = bench.web.file("files.example", "/clip.mp4", &placed);
    let client = bench.client();
    let plant = |kind: FaultKind| bench.web.faults().add(Fault::on("files.example", "clip", kind).times(1));
    let get = || client.get(&link).send();

    plant(FaultKind::Status(503));
    assert_eq!(get().await.unwrap().status(), 503);

    plant(FaultKind::RateLimit(Some(7)));
    let limited = get().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"7".parse().unwrap()));

    plant(FaultKind::HtmlForJson);
    assert!(get().await.unwrap().text().await.unwrap().starts_with("<!DOCTYPE html>"));

    plant(FaultKind::ChangedJson);
    assert!(get().await.unwrap().json::<serde_json::Value>().await.unwrap().is_object());

    plant(FaultKind::Redirect("http://169.254.169.254/".into()));
    let moved = get().await.unwrap();
    assert_eq!(
        (moved.status().as_u16(), &moved.headers()["location"]),
        (302, &"http://169.254.169.254/".parse().unwrap())
    );

    plant(FaultKind::Truncate);
    let short = get().await.unwrap();
    assert_eq!(short.content_length(), Some(1_000_000));
    assert!(received(short).await.1 == 500_000);

    plant(FaultKind::ResetMidway);
    let (error, got) = received(get().await.unwrap()).await;
    assert!(error.is_some() && got < 1_000_000);

    plant(FaultKind::Reset);
    let error = format!("{:?}", get().await.unwrap_err());
    assert!(error.contains("reset") || error.contains("Reset"), "{error}");
    assert_eq!(bench.web.requests().last().unwrap().status, None);

    plant(FaultKind::Drip);
    let mut dripping = get().await.unwrap();
    assert_eq!(dripping.content_length(), Some(1_000_000));
    assert_eq!(dripping.chunk().await.unwrap().unwrap().len(), 1);
    drop(dripping);

    plant(FaultKind::Hang);
    let hanging = tokio::spawn(get());
    bench.web.wait_for_request(|seen| seen.fault.as_deref() == Some("Hang")).await;
    assert!(!hanging.is_finished());
    hanging.abort();

    // Every fault was for one request: now all is well.
    assert_eq!(received(get().await.unwrap()).await.1, 1_000_000);
}

/// Reads a body to its end: the error that ended it, and the bytes that came.
async fn received(mut response: reqwest::Response) -> (Option<reqwest::Error>, u64) {
    let mut got = 0;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => got += chunk.len() as u64,
            Ok(None) => return (None, got),
            Err(error) => return (Some(error), got),
        }
    }
}

#[tokio::test]
async fn downloads_are_counted_and_can_be_held() {
    let bench = Bench::start().await;
    let placed = media::padded_video(1_000_000, 1);
    let link = bench.web.file("files.example", "/clip.mp4", &placed);
    let client = bench.client();
    bench.web.hold_downloads_at(30);

    let mut first = client.get(&link).send().await.unwrap();
    let mut got = 0;
    while got < 300_000 {
        got += first.chunk().await.unwrap().unwrap().len();
    }
    assert_eq!(got, 300_000);
    let second = client.get(&link).send().await.unwrap();
    bench.web.wait_for_held_downloads(2).await;
    assert_eq!(bench.web.open_downloads(), 2);

    bench.web.release();
    assert_eq!(received(first).await.1, 700_000);
    assert_eq!(received(second).await.1, 1_000_000);
    assert_eq!(bench.web.max_concurrent_downloads(), 2);
}

/// Codec and duration of each stream, as ffprobe reads them: `h264 3.0, aac 3.0`.
fn streams(file: &Path) -> String {
    let output = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_name,duration", "-of", "json"])
        .arg(file)
        .output()
        .unwrap();
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let stream = |stream: &serde_json::Value| {
        let seconds: f64 = stream["duration"].as_str().unwrap_or("0").parse().unwrap();
        format!("{} {seconds:.0}", stream["codec_name"].as_str().unwrap())
    };
    read["streams"].as_array().unwrap().iter().map(stream).collect::<Vec<_>>().join(", ")
}

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
async fn what_never_ends_is_served_until_the_client_leaves() {
    let bench = Bench::start().await;
    let client = bench.client();
    let endless = bench.web.endless("files.example", "/endless.mp4", "video/mp4");

    let mut answer = client.get(&endless).send().await.unwrap();
    assert_eq!(answer.content_length(), None);
    let mut got = 0;
    while got < 20_000_000 {
        got += answer.chunk().await.unwrap().unwrap().len();
    }

    let live = bench.web.live("live.example", "/show");
    let playlist = client.get(&live).send().await.unwrap().text().await.unwrap();
    assert!(playlist.contains("#EXT-X-MEDIA-SEQUENCE") && !playlist.contains("ENDLIST"), "{playlist}");
    let segment = playlist.lines().rfind(|line| !line.starts_with('#')).unwrap();
    let segment = client.get(format!("https://live.example/show/{segment}")).send().await.unwrap();
    assert_eq!(segment.status(), 200);
}

#[tokio::test]
async fn a_stream_in_segments_arrives_from_any_host() {
    let bench = Bench::start().await;
    let link = bench.web.folder("cdn.example", "/hls", media::small_hls(20)) + "/index.m3u8";

    let output = bench.yt_dlp(&[&link]).await;

    assert_eq!(streams(&bench.files()[0]), "h264 6, aac 6", "{}", said(&output));
    assert!(bench.web.unexpected().is_empty(), "{:?}", bench.web.unexpected());
}

#[test]
fn media_are_what_was_asked_for() {
    let five = media::video_of(5_000_000, 1);
    assert_eq!((five.bytes(), streams(&five.path).as_str()), (5_000_000, "h264 10, aac 10"));
    let over_ten = media::video_of(12 * 1024 * 1024, 2);
    assert_eq!((over_ten.bytes(), streams(&over_ten.path).as_str()), (12 * 1024 * 1024, "h264 10, aac 10"));
    let padded = media::padded_video(100_000_000, 3);
    assert_eq!((padded.bytes(), streams(&padded.path).as_str()), (100_000_000, "h264 2, aac 2"));
    assert_eq!(streams(&media::silent_video(4).path), "h264 2");
    let webm = media::video(media::Video { webm: true, ..media::Video::seed(5) });
    assert!(streams(&webm.path).starts_with("vp9"), "{}", streams(&webm.path));
    assert!(streams(&media::audio(3, false, 1).path).starts_with("mp3 3"));
    assert!(streams(&media::audio(3, true, 1).path).starts_with("aac 3"));
    for kind in [media::ImageKind::Jpg, media::ImageKind::Png, media::ImageKind::Webp, media::ImageKind::Gif] {
        let image = media::image(media::Image::seed(1, kind));
        let bytes = std::fs::read(&image.path).unwrap();
        assert_eq!(infer::get(&bytes).unwrap().mime_type(), image.mime);
        assert_ne!(image.sha256(), media::image(media::Image::seed(2, kind)).sha256());
    }
    let noisy = media::image(media::Image { noisy: true, ..media::Image::seed(1, media::ImageKind::Png) });
    assert!(noisy.bytes() > 640 * 480, "{}", noisy.bytes());

    let huge = Dash::huge(2);
    let folder = media::dash(&huge);
    assert!(std::fs::metadata(folder.join(huge.best())).unwrap().len() > 32 * 1024 * 1024);
    assert_eq!(streams(&folder.join(huge.best())), "h264 40");
    assert_eq!(streams(&folder.join(media::DASH_SOUND)), "aac 40");
}

#[tokio::test]
async fn sites_that_only_the_tools_know_are_there_too() {
    let bench = Bench::start().await;
    let images = [media::jpg(1), media::jpg(2)];
    let video = media::small_video(21);
    let streamable = bench.web.elsewhere().streamable("A goal", &video);
    let album = bench.web.elsewhere().imgur_album("A walk", &images);

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
