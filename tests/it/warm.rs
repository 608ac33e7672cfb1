//! Tools forked from a process that has them loaded: the same results as from a fresh one, and nobody left behind.

use std::{path::Path, time::Duration};

use boss_bot::model::{MediaMetadata, Options, Tool};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    toolbox::{Ask, FRESH_ONLY, Toolbox, only},
    world::{
        bot::PATIENCE,
        media::{self, Media},
        platforms::{Tweet, TweetMedia},
        stage::World,
    },
};

const TOOLS: [Tool; 2] = [Tool::YtDlp, Tool::GalleryDl];

fn warm(toolbox: &Toolbox, tool: Tool) -> Option<i32> {
    toolbox.tools.warm_process(tool).map(|pid| i32::try_from(pid).unwrap())
}

fn ask(tool: Tool, link: &str) -> Ask {
    let extractors = if tool == Tool::YtDlp { vec!["twitter"] } else { vec![] };
    Ask { extractors, ..Ask::new(tool, link) }
}

/// Waits until a process has gone.
async fn gone(pid: i32) {
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !state().is_empty() && !state().contains(") Z ") {
        assert!(tokio::time::Instant::now() < deadline, "process {pid} still lives: {}", state());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn timeless(mut metadata: MediaMetadata) -> MediaMetadata {
    metadata.download_timestamp = None;
    metadata
}

#[tokio::test]
async fn a_warm_tool_tells_and_delivers_what_a_fresh_one_does() {
    let mut toolbox = Toolbox::start().await;
    let [first, second] = [media::jpg(1), media::small_video(2)];
    let items = vec![TweetMedia::photo(&first), TweetMedia::video(&second)];
    let link = toolbox.web.x().post(Tweet::of(items).by("ann", "Ann").text("two things"));
    let mut results = Vec::new();
    for is_warm in [true, false] {
        toolbox.change(|settings| settings.tools.warm = is_warm);
        for tool in TOOLS {
            // The second time by a process that has done something before.
            for metadata_only in [false, true, false] {
                let options = Options { metadata_only, ..Options::default() };
                let output = toolbox.run(&Ask { options, ..ask(tool, &link) }).await.unwrap();
                let files: Vec<String> = output.files.iter().map(|file| media::sha256(file)).collect();
                assert_eq!(files.is_empty(), metadata_only);
                assert_eq!(warm(&toolbox, tool).is_some(), is_warm);
                results.push((timeless(output.metadata), files));
            }
        }
    }
    let fresh = results.split_off(results.len() / 2);
    assert_eq!(results, fresh);
}

#[tokio::test]
async fn cookies_and_home_of_a_job_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let cookies = folder.path().join("cookies.txt");
    let line = ".files.example.com\tTRUE\t/\tTRUE\t2147483647\tsession\tsecret-value\n";
    std::fs::write(&cookies, format!("# Netscape HTTP Cookie File\n{line}")).unwrap();
    let toolbox = Toolbox::with(|settings| settings.gallery_dl.cookies_file = Some(cookies.clone())).await;
    let link = toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1));
    only(&toolbox.yt_dlp(&link, &["generic"]).await);
    let pid = warm(&toolbox, Tool::YtDlp).unwrap();
    assert!(toolbox.web.requests().iter().all(|seen| seen.header("cookie") == Some("session=secret-value")));
    // The next job gets no cookies, and so has none: not from memory, nor from a file at home.
    std::fs::write(&cookies, "# Netscape HTTP Cookie File\n").unwrap();
    toolbox.web.clear_log();
    only(&toolbox.yt_dlp(&link, &["generic"]).await);
    assert_eq!(warm(&toolbox, Tool::YtDlp), Some(pid), "the same process forked both");
    assert!(toolbox.web.requests().iter().all(|seen| seen.header("cookie").is_none()));
}

#[tokio::test]
async fn a_job_whose_warm_process_is_killed_is_done_again_and_the_next_is_warm() {
    let toolbox = Toolbox::start().await;
    let placed = media::small_video(1);
    let link = toolbox.web.file("files.example.com", "/a.mp4", &placed);
    toolbox.web.hold_downloads();
    let ask = Ask::new(Tool::YtDlp, &link);
    let murder = async {
        toolbox.web.wait_for_held_downloads(1).await;
        let parent = warm(&toolbox, Tool::YtDlp).unwrap();
        assert_eq!(toolbox.at_work().len(), 1, "{:?}", toolbox.at_work());
        kill(Pid::from_raw(parent), Signal::SIGKILL).unwrap();
        toolbox.web.release();
        parent
    };
    let (result, parent) = tokio::join!(toolbox.run(&ask), murder);
    assert_eq!(media::sha256(only(&result)), placed.sha256());
    assert_eq!(toolbox.at_work(), Vec::<String>::new());
    only(&toolbox.run(&ask).await);
    assert!(warm(&toolbox, Tool::YtDlp).is_some_and(|pid| pid != parent));
}

#[tokio::test]
async fn jobs_at_once_are_forked_by_one_process() {
    let toolbox = Toolbox::start().await;
    let placed: Vec<Media> = (1..=4).map(media::small_video).collect();
    let run = |n: usize, file: &Media| {
        let link = toolbox.web.file("files.example.com", &format!("/{n}.mp4"), file);
        let toolbox = &toolbox;
        async move { media::sha256(only(&toolbox.yt_dlp(&link, &["generic"]).await)) }
    };
    let all = placed.iter().enumerate().map(|(n, file)| run(n, file));
    let got = futures_util::future::join_all(all).await;
    assert_eq!(got, placed.iter().map(Media::sha256).collect::<Vec<_>>());
    assert_eq!(toolbox.at_work(), Vec::<String>::new());
}

/// The processes that a process has started.
fn children(parent: i32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // After the name, which may hold anything: state, parent.
            let (_, rest) = stat.rsplit_once(") ")?;
            (rest.split(' ').nth(1)? == parent.to_string()).then_some(pid)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_bot_ends_or_is_killed_no_warm_process_and_no_job_of_it_stays() {
    for asked_politely in [true, false] {
        let world = World::start().await;
        let channel = world.discord.guild("warm", 0).channel("general");
        let link = world.web.x().post(Tweet::video(&media::small_video(1)));
        world.web.hold_downloads();
        let mut bot = world.bot(&[("TWITTER_USE_API_CLIENT", "false")]).await;
        let pid = bot.pid();
        let family = bot
            .during(async {
                let ann = world.discord.user("ann");
                ann.slash(&channel, "download", serde_json::json!({"url": link})).await.acknowledged().await;
                world.web.wait_for_held_downloads(1).await;
                let parents = children(pid);
                let jobs: Vec<i32> = parents.iter().flat_map(|pid| children(*pid)).collect();
                assert!(!parents.is_empty() && !jobs.is_empty(), "{parents:?} {jobs:?}");
                [parents, jobs].concat()
            })
            .await;
        if asked_politely {
            bot.stop().await;
        } else {
            bot.kill().await;
        }
        for pid in family {
            gone(pid).await;
        }
    }
}

// ---- the other way ----

#[tokio::test]
async fn the_hazards_are_met_without_warm_processes_too() {
    if std::env::var_os(FRESH_ONLY).is_some() {
        return;
    }
    // The same test program once more: what limits, kills and keeps out, each by processes of its own.
    let inner = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["hazards::", "--skip", "inner_story", "--test-threads", "2"])
        .env(FRESH_ONLY, "1")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&inner.stdout).into_owned() + &String::from_utf8_lossy(&inner.stderr);
    assert!(inner.status.success() && said.contains("test result: ok") && !said.contains(" 0 passed"), "{said}");
}

#[tokio::test]
async fn switched_off_there_is_no_warm_process() {
    let toolbox = Toolbox::with(|settings| settings.tools.warm = false).await;
    let link = toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1));
    only(&toolbox.yt_dlp(&link, &["generic"]).await);
    assert_eq!(warm(&toolbox, Tool::YtDlp), None);
    let started = children(i32::try_from(std::process::id()).unwrap());
    let of_ours = |pid: &i32| {
        let dir = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        dir.starts_with(Path::new(&toolbox.jobs))
    };
    assert!(!started.iter().any(of_ours));
}
