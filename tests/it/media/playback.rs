//! What comes out is played in a real browser: headless Chromium, whose media stack is the one of Discord's desktop client
//! and of Android's. ffprobe says that a file is right; this says that it is seen and heard.
//!
//! A page plays every file, muted, from its beginning to its end, and posts what happened. Files are served with ranges,
//! as Discord's CDN does.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use axum::{
    Json, Router,
    extract::{Path as Part, State},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use boss_bot::model::AudioFormat;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::*;

/// All files together; a few seconds on a quiet machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Plays `FILES` (name, type), one beside the other, and posts one report a file.
const PAGE: &str = r#"<!DOCTYPE html><meta charset="utf-8"><body><script>
const report = (name, told) => fetch('/report', {
  method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({name, ...told})});
// The mean brightness of what is shown, 0 to 255.
const brightness = (shown, width, height) => {
  const canvas = document.createElement('canvas');
  canvas.width = 32; canvas.height = 32;
  const context = canvas.getContext('2d');
  context.drawImage(shown, 0, 0, 32, 32);
  const data = context.getImageData(0, 0, 32, 32).data;
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += data[at] + data[at + 1] + data[at + 2];
  return sum / (32 * 32 * 3);
};
for (const [name, type] of FILES) {
  const kind = type.split('/')[0];
  if (kind === 'image') {
    const image = new Image();
    image.onload = () => report(name, {played: true, width: image.naturalWidth, height: image.naturalHeight,
      seconds: 0, brightness: brightness(image)});
    image.onerror = () => report(name, {error: 'the picture is not shown'});
    image.src = '/file/' + name;
    document.body.append(image);
    continue;
  }
  const media = document.createElement(kind);
  let playing = false;
  media.muted = true;
  media.onplaying = () => { playing = true; };
  media.onerror = () => report(name, {error: media.error.message || 'code ' + media.error.code});
  media.onended = () => report(name, {played: playing, width: media.videoWidth || 0, height: media.videoHeight || 0,
    seconds: media.currentTime, brightness: kind === 'video' ? brightness(media) : 255});
  media.src = '/file/' + name;
  document.body.append(media);
  media.play().catch(error => report(name, {error: String(error)}));
}
</script>"#;

/// What the page says of one file.
#[derive(Debug, Deserialize)]
struct Told {
    name: String,
    #[serde(default)]
    played: bool,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    width: u64,
    #[serde(default)]
    height: u64,
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    brightness: f64,
}

/// What is served.
#[derive(Clone)]
struct Served {
    files: Arc<BTreeMap<String, MediaFile>>,
    told: mpsc::UnboundedSender<Told>,
}

async fn page(State(served): State<Served>) -> Html<String> {
    let files: Vec<_> = served.files.iter().map(|(name, file)| (name, &file.mimetype)).collect();
    Html(PAGE.replace("FILES", &serde_json::to_string(&files).unwrap()))
}

async fn file(State(served): State<Served>, Part(name): Part<String>, headers: HeaderMap) -> Response {
    let Some(file) = served.files.get(&name) else { return StatusCode::NOT_FOUND.into_response() };
    let bytes = tokio::fs::read(&file.path).await.unwrap();
    let kind = (header::CONTENT_TYPE, file.mimetype.clone());
    let range =
        headers.get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let Some((from, to)) = range.and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok())))
    else {
        return ([kind, (header::ACCEPT_RANGES, "bytes".to_owned())], bytes).into_response();
    };
    let to = to.unwrap_or(usize::MAX).min(bytes.len() - 1);
    let Some(part) = bytes.get(from..=to) else { return StatusCode::RANGE_NOT_SATISFIABLE.into_response() };
    let told = (header::CONTENT_RANGE, format!("bytes {from}-{to}/{}", bytes.len()));
    (StatusCode::PARTIAL_CONTENT, [kind, told, (header::ACCEPT_RANGES, "bytes".to_owned())], part.to_vec())
        .into_response()
}

async fn hear(State(served): State<Served>, Json(told): Json<Told>) {
    let _ = served.told.send(told);
}

/// Plays files in Chromium and gives back what it said of each.
async fn played(files: BTreeMap<String, MediaFile>) -> BTreeMap<String, Told> {
    let (told, mut heard) = mpsc::unbounded_channel();
    let served = Served { files: Arc::new(files), told };
    let count = served.files.len();
    let router = Router::new()
        .route("/", get(page))
        .route("/file/{name}", get(file))
        .route("/report", post(hear))
        .with_state(served);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let home = tempfile::Builder::new().prefix("boss-bot-chromium-").tempdir().unwrap();
    let chromium = ["chromium", "chromium-browser"].into_iter().find(|name| {
        std::process::Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    });
    let chromium = chromium.expect("no Chromium: `scripts/prerequisites test` installs it");
    let mut browser = tokio::process::Command::new(chromium)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"])
        .args(["--autoplay-policy=no-user-gesture-required", "--mute-audio"])
        .arg(format!("--user-data-dir={}", home.path().display()))
        .arg(format!("http://{address}/"))
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let group = nix::unistd::Pid::from_raw(browser.id().unwrap().try_into().unwrap());
    let mut all = BTreeMap::new();
    let waited = tokio::time::timeout(PATIENCE, async {
        while all.len() < count {
            let told = heard.recv().await.expect("the server lives");
            all.insert(told.name.clone(), told);
        }
    })
    .await;
    // The browser and its helpers: all of the group that was made for them.
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
    let _ = browser.wait().await;
    server.abort();
    assert!(waited.is_ok(), "{count} files, heard only of {all:#?}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_comes_out_plays_to_its_end_in_a_browser() {
    const H264: &str = "-c:v libx264 -preset ultrafast -crf 20 -pix_fmt yuv420p";
    let av = "-f lavfi -i testsrc2=s=640x360:r=30:d=2 -f lavfi -i sine=f=440:d=2:r=48000";
    let picture = "-f lavfi -i testsrc2=s=640x360:r=30:d=2";
    let hdr = "-vf format=yuv420p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,\
               zscale=t=smpte2084:p=bt2020:m=bt2020nc:npl=200,format=yuv420p10le -c:v libx265 -preset ultrafast \
               -x265-params log-level=error -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc";
    let large = || FitTarget::at_most(10 * MIB);
    let sound = |format| {
        let mut target = FitTarget { audio_only: true, ..large() };
        target.wish.audio_format = format;
        target
    };
    let film = clip("p-film.mkv", &format!("{av} {H264} -c:a aac"));
    let cases = [
        ("remuxed", film.clone(), large(), (640, 360), 2.0),
        ("copied", clip("p-copied.mkv", &format!("{av} {H264} -c:a libopus")), large(), (640, 360), 2.0),
        (
            "encoded",
            clip("p-encoded.webm", &format!("{av} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus")),
            large(),
            (640, 360),
            2.0,
        ),
        ("starved", film.clone(), FitTarget::at_most(60_000), (0, 0), 2.0),
        (
            "odd",
            clip("p-odd.mkv", "-f lavfi -i testsrc2=s=427x241:r=25:d=2 -c:v ffv1 -pix_fmt yuv444p"),
            large(),
            (428, 242),
            2.0,
        ),
        (
            "uneven",
            clip("p-uneven.mp4", &format!("{picture},select='lt(n,20)+not(mod(n,5))' -fps_mode vfr {H264}")),
            FitTarget::at_most(90_000),
            (0, 0),
            2.0,
        ),
        ("hdr", clip("p-hdr.mp4", &format!("{picture} {hdr}")), large(), (640, 360), 2.0),
        (
            "animated",
            clip("p-animated.gif", "-f lavfi -i testsrc2=s=320x180:r=10:d=2"),
            FitTarget::at_most(50_000),
            (0, 0),
            2.0,
        ),
        ("sound-m4a", film.clone(), sound(AudioFormat::Auto), (0, 0), 2.0),
        ("sound-mp3", clip("p-sound.mp3", "-f lavfi -i sine=d=2 -c:a libmp3lame"), large(), (0, 0), 2.0),
        ("sound-ogg", clip("p-sound.ogg", "-f lavfi -i sine=d=2 -c:a libopus"), large(), (0, 0), 2.0),
        (
            "picture-jpg",
            clip("p-photo.png", "-f lavfi -i testsrc2=s=1280x720,noise=alls=60 -frames:v 1"),
            FitTarget::at_most(200_000),
            (0, 0),
            0.0,
        ),
        (
            "picture-webp",
            clip(
                "p-glass.png",
                "-f lavfi -i testsrc2=s=1280x720,format=rgba,colorchannelmixer=aa=0.7,noise=alls=60 -frames:v 1",
            ),
            FitTarget::at_most(200_000),
            (0, 0),
            0.0,
        ),
    ];
    let room = Room::new();
    let mut files = BTreeMap::new();
    for (name, path, target, ..) in &cases {
        let made = room.fit_to(path, target.clone()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(target.max_bytes.is_none_or(|limit| made.size <= limit), "{name}: {}", made.size);
        files.insert((*name).to_owned(), made);
    }
    // So that the browser is known to refuse what is broken.
    let broken = room.dir.path().join("broken.mp4");
    let whole = std::fs::read(&files["encoded"].path).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 20]).unwrap();
    let mut torn = room.describe(&broken).await;
    "video/mp4".clone_into(&mut torn.mimetype);
    files.insert("broken".to_owned(), torn);

    let all = played(files).await;
    assert!(all["broken"].error.is_some(), "{:?}", all["broken"]);
    for (name, _, _, size, seconds) in &cases {
        let told = &all[*name];
        assert!(told.played && told.error.is_none(), "{told:?}");
        assert!((told.seconds - seconds).abs() < 0.3, "{told:?}");
        assert!(told.brightness > 20.0, "all is black: {told:?}");
        if *size != (0, 0) {
            assert!(told.width.abs_diff(size.0) <= 2 && told.height.abs_diff(size.1) <= 2, "{told:?}");
        } else if !name.starts_with("sound") {
            let shape = told.width as f64 / told.height as f64;
            assert!((shape - 16.0 / 9.0).abs() < 0.06, "{told:?}");
        }
    }
}
