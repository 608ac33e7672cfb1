//! `batch` against the stand-in web: lists of links, what is wrong with them, and how one is taken up again.

use std::path::{Path, PathBuf};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use super::{PATIENCE, Ran, boss_bot_reading, command, fetch::Stage};
use crate::world::{
    bot::processes_inside,
    media,
    platforms::{Gone, Tweet},
    web::{Fault, FaultKind},
};

/// Where a folder's batches write down what is done.
const RECORD: &str = "out/.boss-bot-batch.jsonl";

/// `boss-bot batch --file list -o out …`, after writing the list.
pub(super) async fn batch(stage: &Stage, list: &str, args: &[&str]) -> Ran {
    std::fs::write(stage.dir.path().join("list"), list).unwrap();
    piped(stage, "", &[&["--file", "list"], args].concat()).await
}

async fn piped(stage: &Stage, input: &str, args: &[&str]) -> Ran {
    let env = stage.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    boss_bot_reading(input.as_bytes(), stage.dir.path(), &[&["batch", "-o", "out"], args].concat(), &env).await
}

/// The same, still running.
fn begun(stage: &Stage, list: &str, args: &[&str]) -> tokio::process::Child {
    std::fs::write(stage.dir.path().join("list"), list).unwrap();
    let env = stage.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let args = [&["batch", "--file", "list", "-o", "out"], args].concat();
    command(stage.dir.path(), &args, &env).spawn().unwrap()
}

/// Pictures at `files.example`, as links in this order, with their hashes.
fn pictures(stage: &Stage, count: u32) -> (Vec<String>, Vec<String>) {
    let place = |seed: u32| {
        let picture = media::jpg(seed);
        (stage.web.file("files.example", &format!("/{seed}.jpg"), &picture), picture.sha256())
    };
    (0..count).map(place).unzip()
}

/// What lies in the folder, but for the record.
fn files(stage: &Stage) -> Vec<PathBuf> {
    let record = stage.dir.path().join(RECORD);
    stage.files("out").into_iter().filter(|path| *path != record).collect()
}

/// The hashes of it, sorted.
pub(super) fn hashes(stage: &Stage) -> Vec<String> {
    let mut hashes: Vec<String> = files(stage).iter().map(|path| media::sha256(path)).collect();
    hashes.sort();
    hashes
}

fn sorted(mut hashes: Vec<String>) -> Vec<String> {
    hashes.sort();
    hashes
}

/// The word of each link, in the order of the list, and the summary.
pub(super) fn states(ran: &Ran) -> (Vec<String>, Value) {
    let mut lines = ran.lines();
    let summary = lines.pop().unwrap()["summary"].clone();
    (lines.iter().map(|line| line["state"].as_str().unwrap().to_owned()).collect(), summary)
}

/// The paths that were asked for, in order, each once.
fn asked(stage: &Stage) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for seen in stage.web.requests_to("files.example") {
        if !paths.contains(&seen.path) {
            paths.push(seen.path);
        }
    }
    paths
}

#[tokio::test]
async fn everything_wrong_with_a_list_is_told_with_its_line_and_nothing_is_begun() {
    let stage = Stage::set().await;
    let (links, _) = pictures(&stage, 1);
    let list = format!("# mine\n{}\n\nnonsense\nftp://files.example/0.jpg\n", links[0]);
    let ran = batch(&stage, &list, &[]).await;
    assert_eq!(ran.code, 2, "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains("list:4: ") && ran.err.contains("list:5: "), "{}", ran.err);
    assert!(!ran.err.contains("list:2: ") && ran.out.is_empty(), "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.web.requests().len(), 0);
    assert!(!stage.dir.path().join("out").exists(), "not even the folder");
    let ran = batch(&stage, "- url: https://x.com/a/status/1\n  quality: 8K\n- {}\n", &["--json"]).await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    let problems = &ran.lines()[0]["error"]["problems"];
    assert_eq!([&problems[0]["line"], &problems[1]["line"]], [&json!(2), &json!(3)], "{problems}");
    assert!(problems[0]["message"].as_str().unwrap().contains("unknown quality"), "{problems}");
    let ran = piped(&stage, "", &["--file", "nowhere.txt"]).await;
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(ran.err.contains("nowhere.txt"), "{}", ran.err);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_touches_nothing() {
    let stage = Stage::set().await;
    let list = "https://x.com/a/status/1\nhttps://twitter.com/a/status/1?s=20\n\
        https://www.youtube.com/playlist?list=PLFgquLnL59alCl_2TQvOiD5Vgm1hCaGSI\n";
    let ran = batch(&stage, list, &["--dry-run", "--quality", "720p"]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in ["to do", "same as line 1", "line 3: a list: its first 10 entries", "720p", "3 links, 2 to do"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    let ran = batch(&stage, list, &["--dry-run", "--json"]).await;
    let lines = ran.lines();
    assert_eq!(lines[1]["state"], "same");
    assert_eq!(lines[1]["same_as"], 1);
    assert_eq!(lines[2]["kind"], "playlist");
    assert_eq!(lines[0]["canonical"], lines[1]["canonical"]);
    assert_eq!(stage.web.requests().len(), 0);
    assert!(!stage.dir.path().join("out").exists());
}

#[tokio::test]
async fn a_list_is_worked_through_in_its_order_and_what_stands_there_twice_is_done_once() {
    let stage = Stage::set().await;
    let (links, sums) = pictures(&stage, 3);
    let list = format!("{}\n{}\n{}\n{}\n", links[2], links[0], links[2], links[1]);
    let ran = batch(&stage, &list, &["--json", "--max-concurrent", "1"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let (states, summary) = states(&ran);
    assert_eq!(states, ["done", "done", "same", "done"]);
    assert_eq!(asked(&stage), ["/2.jpg", "/0.jpg", "/1.jpg"]);
    assert_eq!(hashes(&stage), sorted(sums));
    assert_eq!((&summary["links"], &summary["done"], &summary["same"]), (&json!(4), &json!(3), &json!(1)));
    assert_eq!(summary["files"], 3);
    let lines = ran.lines();
    assert_eq!(lines[0]["url"], links[2]);
    assert_eq!(lines[2]["same_as"], 1);
    assert_eq!(lines[3]["line"], 4);
    assert_eq!(lines[3]["metadata"]["files"][0]["checksum"], media::jpg(1).sha256());
    assert_eq!(stage.files("downloads"), Vec::<PathBuf>::new(), "nothing is left at work");
    assert!(ran.err.is_empty(), "without a terminal there are no bars: {}", ran.err);
}

#[tokio::test]
async fn wishes_of_an_entry_win_over_those_of_the_command_line() {
    let stage = Stage::set().await;
    let video = stage.web.file("files.example", "/clip.mp4", &media::small_video(31));
    let list = format!("- {video}\n- url: {video}\n  audio_format: m4a\n");
    let ran = piped(&stage, &list, &["--file", "-", "--audio-format", "mp3", "--json"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let lines = ran.lines();
    let mime = |line: &Value| line["metadata"]["files"][0]["mimetype"].as_str().unwrap().to_owned();
    assert_eq!([mime(&lines[0]), mime(&lines[1])], ["audio/mpeg", "audio/mp4"], "other wishes are other work");
}

#[tokio::test]
async fn no_more_links_are_worked_on_at_once_than_were_asked_for() {
    let stage = Stage::set().await;
    let (links, sums) = pictures(&stage, 5);
    stage.web.hold_downloads();
    let child = begun(&stage, &links.join("\n"), &["--max-concurrent", "2"]);
    stage.web.wait_for_held_downloads(2).await;
    assert_eq!(asked(&stage).len(), 2, "the others wait");
    stage.web.release();
    let ran = Ran::of(tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap());
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.web.max_concurrent_downloads(), 2);
    assert_eq!(hashes(&stage), sorted(sums));
    assert!(ran.out.contains("5 links: 5 done."), "{}", ran.out);
}

#[tokio::test]
async fn after_a_kill_in_the_middle_only_what_was_not_done_is_done_and_nothing_lies_there_twice() {
    let stage = Stage::set().await;
    let (links, sums) = pictures(&stage, 3);
    stage.web.faults().add(Fault::on("files.example", "/1.jpg", FaultKind::StallAt(1000)));
    let mut child = begun(&stage, &links.join("\n"), &["--max-concurrent", "1"]);
    stage.web.wait_for_request(|seen| seen.path == "/1.jpg" && seen.method == "GET").await;
    child.kill().await.unwrap();
    assert_eq!(hashes(&stage), [sums[0].clone()], "the first is whole, the second is not there by half");
    stage.web.faults().clear();
    stage.web.clear_log();
    let ran = batch(&stage, &links.join("\n"), &["--json"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert_eq!(states(&ran).0, ["finished_before", "done", "done"]);
    assert_eq!(ran.lines()[0]["files"][0]["size"], files_len(&media::jpg(0).path));
    assert!(!asked(&stage).contains(&"/0.jpg".to_owned()), "{:?}", asked(&stage));
    assert_eq!(hashes(&stage), sorted(sums));
}

fn files_len(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

#[tokio::test]
async fn files_that_were_placed_but_not_written_down_are_not_placed_again() {
    let stage = Stage::set().await;
    let (links, sums) = pictures(&stage, 2);
    let first = batch(&stage, &links.join("\n"), &["--max-concurrent", "1"]).await;
    assert_eq!(first.code, 0, "{}", first.err);
    // As a crash between the two leaves it: the last line is torn.
    let record = stage.dir.path().join(RECORD);
    let text = std::fs::read_to_string(&record).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    std::fs::write(&record, &text[..text.len() - 30]).unwrap();
    let ran = batch(&stage, &links.join("\n"), &["--json"]).await;
    assert_eq!(states(&ran).0, ["finished_before", "done"]);
    assert_eq!(hashes(&stage), sorted(sums), "once each");
}

#[tokio::test]
async fn what_was_removed_changed_or_is_wanted_otherwise_is_done_again() {
    let stage = Stage::set().await;
    let (links, _) = pictures(&stage, 3);
    let list = links.join("\n");
    assert_eq!(batch(&stage, &list, &["--max-concurrent", "1"]).await.code, 0);
    let of = |name: &str| files(&stage).into_iter().find(|path| path.to_string_lossy().contains(name)).unwrap();
    std::fs::remove_file(of("0")).unwrap();
    std::fs::write(of("1"), "shorter").unwrap();
    let ran = batch(&stage, &list, &["--json"]).await;
    assert_eq!(states(&ran).0, ["done", "done", "finished_before"], "{}", ran.out);
    let ran = batch(&stage, &list, &["--json", "--max-size", "5MB"]).await;
    assert_eq!(states(&ran).0, ["done", "done", "done"], "with other wishes it is other work");
    let ran = batch(&stage, &list, &["--json", "--force"]).await;
    assert_eq!(states(&ran).0, ["done", "done", "done"]);
    let ran = batch(&stage, &list, &["--dry-run"]).await;
    assert!(ran.out.contains("3 links, 0 to do"), "{}", ran.out);
}

#[tokio::test]
async fn after_a_failure_no_link_is_begun_unless_the_others_shall_go_on() {
    let stage = Stage::set().await;
    let (links, sums) = pictures(&stage, 2);
    let gone = stage.web.x().post(Tweet::gone(Gone::Deleted));
    let list = format!("{}\n{gone}\n{}\n", links[0], links[1]);
    let ran = batch(&stage, &list, &["--max-concurrent", "1"]).await;
    assert_eq!(ran.code, 3, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("not started") && ran.out.contains("--continue-on-error"), "{}", ran.out);
    assert!(ran.out.contains("This post doesn't exist any more"), "{}", ran.out);
    assert_eq!(asked(&stage), ["/0.jpg"]);
    let ran = batch(&stage, &list, &["--max-concurrent", "1", "--continue-on-error", "--json"]).await;
    assert_eq!(ran.code, 3, "{}\n{}", ran.out, ran.err);
    let (words, summary) = states(&ran);
    assert_eq!(words, ["finished_before", "failed", "done"]);
    assert_eq!(ran.lines()[1]["error"]["code"], "not_found");
    assert_eq!((&summary["failed"], &summary["not_started"]), (&json!(1), &json!(0)));
    assert_eq!(hashes(&stage), sorted(sums));
    let ran = batch(&stage, &gone, &[]).await;
    assert_eq!(ran.code, 6, "one kind of failure has its own number: {}", ran.out);
}

#[tokio::test]
async fn an_interrupt_cleans_up_ends_with_130_and_the_next_run_goes_on() {
    let stage = Stage::set().await;
    let (links, sums) = pictures(&stage, 3);
    let stalls = Fault::on("files.example", "/1.jpg", FaultKind::StallAt(1000));
    stage.web.faults().add(stalls);
    let child = begun(&stage, &links.join("\n"), &["--max-concurrent", "1"]);
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
    stage.web.wait_for_request(|seen| seen.path == "/1.jpg" && seen.method == "GET").await;
    // Another one in the same folder would do the same work twice.
    let other = batch(&stage, &links.join("\n"), &[]).await;
    assert_eq!(other.code, 7, "{}", other.out);
    assert!(other.err.contains("another batch is at work"), "{}", other.err);
    kill(pid, Signal::SIGINT).unwrap();
    let ran = Ran::of(tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap());
    assert_eq!(ran.code, 130, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("The same command again goes on from here"), "{}", ran.out);
    assert_eq!(hashes(&stage), [sums[0].clone()]);
    assert_eq!(stage.files("downloads"), Vec::<PathBuf>::new(), "no half file");
    assert_eq!(processes_inside(stage.dir.path()), Vec::new(), "no orphan");
    stage.web.faults().clear();
    let ran = batch(&stage, &links.join("\n"), &["--json"]).await;
    assert_eq!(states(&ran).0, ["finished_before", "done", "done"], "{}", ran.out);
    assert_eq!(hashes(&stage), sorted(sums));
}

#[tokio::test]
async fn an_archive_is_sorted_and_the_next_run_finds_what_it_holds() {
    let stage = Stage::set().await;
    let (links, sums) = pictures(&stage, 2);
    let list = links.join("\n");
    let ran = batch(&stage, &list, &["--archive", "--json"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let folder = stage.dir.path().join("out/direct");
    let all = ["0.info.json", "0.jpg", "1.info.json", "1.jpg"].map(|name| folder.join(name));
    assert_eq!(files(&stage), all);
    assert_eq!([1, 3].map(|index| media::sha256(&all[index])).to_vec(), sums);
    let (states, _) = states(&batch(&stage, &list, &["--archive", "--json"]).await);
    assert_eq!(states, ["finished_before"; 2]);
    std::fs::remove_file(&all[3]).unwrap();
    batch(&stage, &list, &["--archive"]).await;
    assert_eq!(files(&stage), all, "what is missing is loaded again, into its place");
}
