//! Downloads in process against curl, against a server that slows each connection, and what a large file costs in memory.

use std::time::Instant;

use boss_bot::{
    fetch::{Download, Fetcher},
    media::Media,
    model::{FileType, Item, MediaMetadata, Options, Progress, Rendition},
    net::Egress,
    settings::Settings,
    tools::Tools,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Line, median,
    world::{
        bot::Bot,
        media,
        stage::{self, World},
        web::{Fault, FaultKind},
    },
};

const MIB: u64 = 1024 * 1024;
const MB: f64 = 1e6;

/// The file that both load.
const FILE_BYTES: u64 = 200 * 1000 * 1000;
const TURNS: usize = 5;

/// The file from the server that slows each connection, and how fast it lets each be.
const SLOW_BYTES: u64 = 120 * 1000 * 1000;
const SLOW_RATE: u64 = 6_000_000;

/// The file whose memory is measured.
const LARGE_BYTES: u64 = 1024 * MIB;

const HOST: &str = "files.example";

/// All three claims, in one run against one stand-in.
pub async fn measure() -> Vec<Line> {
    let world = World::start().await;
    let link = world.web.file(HOST, "/200.mp4", &media::padded_video(FILE_BYTES, 1));
    let (mut by_curl, mut by_us) = (Vec::new(), Vec::new());
    // In turns, so that whatever else the machine does meets both.
    for _ in 0..TURNS {
        by_curl.push(curl(&world, &link).await);
        by_us.push(ours(&world, &link).await);
    }
    let ratio = median(by_curl.clone()) / median(by_us.clone());

    let slow = world.web.file("slow.example", "/slow.mp4", &media::padded_video(SLOW_BYTES, 2));
    world.web.faults().add(Fault::on("slow.example", "", FaultKind::Throttle(SLOW_RATE)));
    let slow_curl = curl(&world, &slow).await;
    let slow_ours = ours(&world, &slow).await;
    let gain = slow_curl / slow_ours;

    let (small, large) = peaks(&world).await;
    let risen = large.saturating_sub(small) as f64;
    vec![
        Line {
            what: "200 MB: curl's time / ours, medians of 5",
            measured: format!("{ratio:.2}× ({:.2} s, {:.2} s)", median(by_curl), median(by_us)),
            goal: "≥ 0.95×",
            holds: Some(ratio >= 0.95),
        },
        Line {
            what: "120 MB at 6 MB/s a connection: curl's time / ours",
            measured: format!("{gain:.1}× ({slow_curl:.1} s, {slow_ours:.1} s)"),
            goal: "≥ 5×",
            holds: Some(gain >= 5.0),
        },
        Line {
            what: "1 GiB by `fetch`: peak memory beyond that of a small file",
            measured: format!("{:.1} MB", risen / MB),
            goal: "< 30 MB",
            holds: Some(risen < 30.0 * MB),
        },
    ]
}

/// Seconds that curl takes, through the same proxy to the same kind of disk.
async fn curl(world: &World, link: &str) -> f64 {
    let out = world.dir().join("curl.mp4");
    let begun = Instant::now();
    let status = tokio::process::Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--proxy", &world.web.proxy_url(), "--cacert"])
        .arg(world.dir().join("ca.pem"))
        .arg("--output")
        .arg(&out)
        .arg(link)
        .status()
        .await
        .expect("curl is installed");
    let took = begun.elapsed().as_secs_f64();
    assert!(status.success(), "curl: {status}");
    std::fs::remove_file(out).expect("curl's file");
    took
}

/// Seconds that our engine takes.
async fn ours(world: &World, link: &str) -> f64 {
    let settings: Settings = stage::settings(&world.authority, &world.web, world.dir());
    let egress = Egress::new(&settings.network).expect("the clients");
    let media = Media::new(settings.compression.clone(), Tools::new(&settings, egress.clone()).into());
    let fetcher = Fetcher::new(egress.client(), &settings.downloads);
    let rendition = Rendition::at(link.parse().expect("an address"));
    let metadata =
        MediaMetadata { items: vec![Item::new(FileType::Video, vec![rendition])], ..MediaMetadata::default() };
    let dir = world.dir().join("ours");
    std::fs::create_dir_all(&dir).expect("a folder");
    let (options, progress, cancel) = (Options::default(), Progress::ignored(), CancellationToken::new());
    let download = Download {
        key: Some("bench:file:1"),
        metadata: &metadata,
        options: &options,
        limit: None,
        media: &media,
        dir: &dir,
        progress: &progress,
        cancel: &cancel,
    };
    let begun = Instant::now();
    let paths = fetcher.download(download).await.expect("the file");
    let took = begun.elapsed().as_secs_f64();
    std::fs::remove_file(&paths[0]).expect("our file");
    took
}

/// Peak memory of `boss-bot fetch` of a small and of a large file, in bytes.
async fn peaks(world: &World) -> (u64, u64) {
    let small = world.web.file(HOST, "/small.mp4", &media::small_video(3));
    let large = world.web.file(HOST, "/large.mp4", &media::padded_video(LARGE_BYTES, 4));
    (peak(world, &small).await, peak(world, &large).await)
}

async fn peak(world: &World, link: &str) -> u64 {
    let env = world.env(&[("LOG_LEVEL", "info"), ("MAX_FILE_SIZE", "2GB")]);
    let mut bot = Bot::start_with(world.dir(), ["fetch", "-o", "out", link], env);
    // The peak only grows, and is gone with the process: looked at until the end.
    let mut peak = 0;
    let ended = loop {
        peak = bot.memory().1.max(peak);
        match tokio::time::timeout(std::time::Duration::from_millis(5), bot.ended()).await {
            Ok(status) => break status,
            Err(_) => continue,
        }
    };
    assert!(ended.success(), "{}", bot.log().text());
    std::fs::remove_dir_all(world.dir().join("out")).expect("the files");
    peak
}
