//! Downloads of whole files by the real client and the real binary: parts at once, limits, and what a crash leaves.

use std::{
    ops::Range,
    path::PathBuf,
    time::{Duration, Instant},
};

use boss_bot::model::{FileType, Item, MediaMetadata, Rendition};

use crate::{
    platforms_stage::Stage,
    world::{
        bot::Bot,
        media::{self, Media, sha256},
        platforms::Tweet,
        stage::World,
        web::{Fault, FaultKind, Seen, Web},
    },
};

const MIB: u64 = 1024 * 1024;

/// A post that holds the files at these links.
fn post(links: &[&str]) -> MediaMetadata {
    let item = |link: &&str| Item::new(FileType::Video, vec![Rendition::at(link.parse().unwrap())]);
    MediaMetadata { items: links.iter().map(item).collect(), ..MediaMetadata::default() }
}

/// The bytes that a request asked for.
fn range(seen: &Seen) -> Option<Range<u64>> {
    let (first, last) = seen.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
    Some(first.parse().ok()?..last.parse::<u64>().ok()? + 1)
}

fn ranges(web: &Web, host: &str) -> Vec<Range<u64>> {
    web.requests_to(host).iter().filter(|seen| seen.method == "GET").filter_map(range).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_slows_each_connection_is_asked_for_parts_at_once() {
    let stage = Stage::set().await;
    let file = media::padded_video(24 * MIB, 1);
    let link = stage.web.file("cdn.example", "/v.mp4", &file);
    stage.web.faults().add(Fault::on("cdn.example", "", FaultKind::Throttle(3_000_000)));
    let begun = Instant::now();
    let paths = stage.download(&post(&[&link])).await.unwrap();
    let took = begun.elapsed();
    assert_eq!(sha256(&paths[0]), file.sha256());
    let asked = ranges(&stage.web, "cdn.example");
    assert!(asked.len() > 4, "{asked:?}");
    assert!(asked.iter().all(|range| !range.is_empty()), "every request asks for a part: {asked:?}");
    let most = stage.web.max_concurrent_downloads();
    assert!(most > 2 && most <= stage.settings.downloads.connections_per_host, "{most} connections");
    // One connection alone would take more than eight seconds.
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_costs_one_request() {
    let stage = Stage::set().await;
    let file = media::small_video(2);
    let link = stage.web.file("cdn.example", "/v.mp4", &file);
    let paths = stage.download(&post(&[&link])).await.unwrap();
    assert_eq!(sha256(&paths[0]), file.sha256());
    assert_eq!(stage.web.requests_to("cdn.example").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_parts_or_tells_no_length_is_read_as_one_stream() {
    let stage = Stage::set().await;
    let file = media::padded_video(12 * MIB, 3);
    let refusing = stage.web.file("refusing.example", "/v.mp4", &file);
    stage.web.faults().add(Fault::on("refusing.example", "", FaultKind::Status(416)).times(1));
    let chunked = stage.web.chunked_file("chunked.example", "/v.mp4", &file);
    for link in [&refusing, &chunked] {
        let paths = stage.download(&post(&[link])).await.unwrap();
        assert_eq!(sha256(&paths[0]), file.sha256());
    }
    assert_eq!(stage.web.max_concurrent_downloads(), 1);
    let refused = stage.web.requests_to("refusing.example");
    assert_eq!(refused.len(), 2);
    assert!(refused[0].header("range").is_some() && refused[1].header("range").is_none());
    assert_eq!(stage.web.requests_to("chunked.example").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_is_larger_than_the_platform_said() {
    let stage = Stage::set().await;
    let file = media::padded_video(12 * MIB, 4);
    let link = stage.web.file("cdn.example", "/v.mp4", &file);
    let mut post = post(&[&link]);
    post.items[0].renditions[0].chunk_bytes = Some(700_000);
    let paths = stage.download(&post).await.unwrap();
    assert_eq!(sha256(&paths[0]), file.sha256());
    let asked = ranges(&stage.web, "cdn.example");
    assert_eq!(asked.len(), stage.web.requests_to("cdn.example").len());
    assert!(asked.iter().all(|range| range.end - range.start <= 700_000), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_one_host_share_its_connections() {
    let stage = Stage::with(|settings| settings.downloads.connections_per_host = 3).await;
    let files: Vec<Media> = (10..14).map(|seed| media::padded_video(9 * MIB, seed)).collect();
    let place = |(index, file): (usize, &Media)| stage.web.file("cdn.example", &format!("/{index}.mp4"), file);
    let links: Vec<String> = files.iter().enumerate().map(place).collect();
    stage.web.faults().add(Fault::on("cdn.example", "", FaultKind::Throttle(5_000_000)));
    let paths = stage.download(&post(&links.iter().map(String::as_str).collect::<Vec<_>>())).await.unwrap();
    for (path, file) in paths.iter().zip(&files) {
        assert_eq!(sha256(path), file.sha256());
    }
    assert_eq!(stage.web.max_concurrent_downloads(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drip_of_bytes_is_a_stall() {
    let stage = Stage::with(|settings| settings.downloads.stall = Duration::from_secs(1)).await;
    let link = stage.web.file("cdn.example", "/v.mp4", &media::small_video(5));
    stage.web.faults().add(Fault::on("cdn.example", "", FaultKind::Drip));
    let begun = Instant::now();
    assert_eq!(stage.download(&post(&[&link])).await.unwrap_err().code(), "timeout");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    // Without a least rate, a drip is patience's business.
    let patient = Stage::with(|settings| {
        settings.downloads.stall = Duration::from_secs(1);
        settings.downloads.min_rate = 0;
    })
    .await;
    let link = patient.web.file("cdn.example", "/v.mp4", &media::small_video(5));
    patient.web.faults().add(Fault::on("cdn.example", "", FaultKind::Drip));
    let tried = tokio::time::timeout(Duration::from_secs(4), patient.download(&post(&[&link]))).await;
    assert!(tried.is_err(), "{tried:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bandwidth_limits_hold_for_a_job_and_for_all() {
    let limit = 4_000_000;
    for per_job in [false, true] {
        let stage = Stage::with(|settings| {
            let downloads = &mut settings.downloads;
            let one = if per_job { &mut downloads.bandwidth_per_job } else { &mut downloads.bandwidth };
            *one = Some(limit);
        })
        .await;
        let files = [media::padded_video(5 * MIB, 6), media::padded_video(5 * MIB, 7)];
        let links =
            [stage.web.file("a.example", "/v.mp4", &files[0]), stage.web.file("b.example", "/v.mp4", &files[1])];
        let begun = Instant::now();
        let paths = stage.download(&post(&[&links[0], &links[1]])).await.unwrap();
        let rate = 10.0 * MIB as f64 / begun.elapsed().as_secs_f64();
        assert_eq!(sha256(&paths[1]), files[1].sha256());
        // A burst of an eighth of a second comes at once.
        assert!(rate < limit as f64 * 1.1, "{rate} bytes a second");
        assert!(rate > limit as f64 * 0.5, "{rate} bytes a second");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_address_and_a_broken_server_leave_nothing_behind() {
    let stage = Stage::set().await;
    let file = media::padded_video(12 * MIB, 8);
    let link = stage.web.file("cdn.example", "/v.mp4", &file);
    // The first part comes, everything after it is refused.
    stage.web.faults().add(Fault::on("cdn.example", "", FaultKind::Throttle(50_000_000)).times(1));
    stage.web.faults().add(Fault::on("cdn.example", "", FaultKind::Status(403)));
    let error = stage.download(&post(&[&link])).await.unwrap_err();
    assert_eq!(error.code(), "platform_changed");
    assert!(error.operator_text().contains("expired"), "{}", error.operator_text());
    assert!(!error.operator_text().contains("v.mp4"), "{}", error.operator_text());
}

/// A post on X with a video of 24 MiB.
fn posted(world: &World, seed: u32) -> (String, Media) {
    let file = media::padded_video(24 * MIB, seed);
    (world.web.x().post(Tweet::video(&file)), file)
}

/// Starts `boss-bot fetch`, with the files going to `out`.
fn fetch(world: &World, link: &str) -> Bot {
    Bot::start_with(world.dir(), ["fetch", "-o", "out", link], world.env(&[]))
}

fn loaded(world: &World) -> PathBuf {
    let mut files = std::fs::read_dir(world.dir().join("out")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none());
    file
}

/// What the requests for parts were answered while bodies were held half-way.
fn halves(web: &Web, host: &str) -> Vec<Range<u64>> {
    let half = |range: Range<u64>| range.start..range.start + (range.end - range.start) / 100 * 50;
    ranges(web, host).into_iter().map(half).collect()
}

fn bytes(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// Kills a download in the middle, when all that came is noted. Returns what came, and the path it came from.
async fn killed_midway(world: &World, link: &str, host: &str) -> (Vec<Range<u64>>, String) {
    world.web.hold_downloads();
    let mut bot = fetch(world, link);
    bot.during(world.web.wait_for_held_downloads(2)).await;
    let log = bot.log().clone();
    bot.during(log.line("that all which came is noted", |line| {
        let came = bytes(&halves(&world.web, host));
        line.contains("noted what of a file is there") && line.contains(&format!("bytes={came}"))
    }))
    .await;
    bot.kill().await;
    let came = halves(&world.web, host);
    let path = world.web.requests_to(host).remove(0).path;
    world.web.release();
    world.web.clear_log();
    assert_eq!(partials(world).len(), 2, "the part and its note stay");
    (came, path)
}

fn partials(world: &World) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(world.downloads().join(".partial")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

const X_MEDIA: &str = "video.twimg.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_goes_on_with_what_is_there() {
    let world = World::start().await;
    let (link, file) = posted(&world, 20);
    let (came, _) = killed_midway(&world, &link, X_MEDIA).await;
    assert!(bytes(&came) > MIB);

    let mut again = fetch(&world, &link);
    assert!(again.ended().await.success(), "{}", again.log().text());
    assert_eq!(sha256(&loaded(&world)), file.sha256());
    let asked = ranges(&world.web, X_MEDIA);
    assert!(!asked.is_empty());
    for asked in &asked {
        for came in &came {
            assert!(asked.end <= came.start || asked.start >= came.end, "{asked:?} was there: {came:?}");
        }
    }
    assert_eq!(world.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_after_the_crash_is_begun_again() {
    let world = World::start().await;
    let (link, old) = posted(&world, 21);
    let (_, path) = killed_midway(&world, &link, X_MEDIA).await;
    // Another version at the same address, of the same length: only its tag tells.
    let new = media::padded_video(24 * MIB, 22);
    world.web.file(X_MEDIA, &path, &new);

    let mut again = fetch(&world, &link);
    assert!(again.ended().await.success(), "{}", again.log().text());
    let got = sha256(&loaded(&world));
    assert_ne!(got, old.sha256());
    assert_eq!(got, new.sha256());
    assert_eq!(world.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_download_leaves_nothing_behind() {
    let world = World::start().await;
    let (link, _) = posted(&world, 23);
    world.web.hold_downloads();
    let mut bot = fetch(&world, &link);
    bot.during(world.web.wait_for_held_downloads(2)).await;
    assert!(!partials(&world).is_empty());
    let (status, _) = bot.stop().await;
    assert!(!status.success());
    assert_eq!(world.left_behind(), Vec::<PathBuf>::new());
}
