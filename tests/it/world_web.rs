//! The stand-in web, tried with the real tools: what they fetch from it is what was placed in it.

mod others;
mod reddit;
mod x;

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use tempfile::TempDir;

use crate::world::{
    media::{self, Dash},
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_files_at_once_arrive_unmixed() {
    let bench = Bench::start().await;
    let client = bench.client();
    let loads = (1..=24_u32).map(|seed| {
        let placed = media::padded_video(4_000_000, seed);
        let link = bench.web.file(&format!("host{seed}.example"), "/clip.mp4", &placed);
        let client = client.clone();
        tokio::spawn(async move {
            let got = client.get(&link).send().await.unwrap().bytes().await.unwrap();
            assert!(got == std::fs::read(&placed.path).unwrap(), "{link}");
        })
    });
    for load in loads.collect::<Vec<_>>() {
        load.await.unwrap();
    }
    assert_eq!(bench.web.tunnels().len(), 24);
    assert_eq!(bench.web.open_downloads(), 0);
}
