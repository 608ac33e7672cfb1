//! The stand-in web, tried with the real tools: what they fetch from it is what was placed in it.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use tempfile::TempDir;

use crate::world::{
    media,
    platforms::{Gone, Tweet},
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
