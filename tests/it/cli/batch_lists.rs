//! Playlists and channels in a `batch`: each entry is a link of its own.

use serde_json::Value;

use super::{
    Ran,
    batch::{batch, hashes, states},
    fetch::Stage,
};
use crate::world::{
    media::Dash,
    platforms::{Playability, YouTubeVideo},
};

/// So many videos with these numbers in their titles.
fn videos(stage: &Stage, count: usize) -> Vec<String> {
    let video = |number| YouTubeVideo::of(Dash::seed(420)).titled(&format!("Number {number}"));
    (0..count).map(|number| stage.web.youtube().video(video(number))).collect()
}

fn playlist(stage: &Stage, links: &[String]) -> String {
    stage.web.youtube().playlist("Many", &links.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The links that were worked on, with the places of their lists.
fn entries(ran: &Ran) -> Vec<(u64, Option<u64>, String)> {
    let mut lines = ran.lines();
    lines.pop();
    let told = |line: &Value| {
        let url = line["url"].as_str().unwrap().to_owned();
        (line["line"].as_u64().unwrap(), line["item"].as_u64(), url)
    };
    lines.iter().map(told).collect()
}

#[tokio::test]
async fn a_playlist_becomes_its_entries_and_is_gone_on_with_when_it_has_grown() {
    let stage = Stage::set().await;
    let links = videos(&stage, 8);
    let list = format!("{}\n{}\n", links[3], playlist(&stage, &links));
    let ran = batch(&stage, &list, &["--json", "--max-items", "7", "--audio-only"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let found = entries(&ran);
    assert_eq!(found[0], (1, None, links[3].clone()));
    let expected: Vec<_> = (0..7).map(|n| (2, Some(n as u64 + 1), links[n].clone())).collect();
    assert_eq!(found[1..], expected, "over the pages of the list, and no more than was asked for");
    let (states, summary) = states(&ran);
    assert_eq!(states.iter().filter(|state| *state == "done").count(), 7, "{states:?}");
    assert_eq!(states[4], "same", "it stands in line 1");
    assert_eq!((&summary["links"], &summary["failed"]), (&8.into(), &0.into()));
    assert_eq!(hashes(&stage).len(), 7);

    // The same again, and one more entry: only that one is loaded.
    stage.web.clear_log();
    let ran = batch(&stage, &list, &["--json", "--max-items", "8", "--audio-only"]).await;
    let (states, _) = super::batch::states(&ran);
    assert_eq!(states.iter().filter(|state| *state == "finished_before").count(), 7, "{states:?}");
    assert_eq!(states[8], "done");
    assert_eq!(hashes(&stage).len(), 8);
}

#[tokio::test]
async fn a_list_can_be_begun_at_its_end_and_a_channel_is_a_list_too() {
    let stage = Stage::set().await;
    let links = videos(&stage, 8);
    let youtube = stage.web.youtube();
    let channel = youtube.channel("dora", "Dora", &links.iter().map(String::as_str).collect::<Vec<_>>());
    let list = format!("- url: {}\n  max_items: 3\n  oldest_first: true\n- {channel}\n", playlist(&stage, &links));
    let ran = batch(&stage, &list, &["--json", "--max-items", "2", "--audio-only"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let found: Vec<String> = entries(&ran).into_iter().map(|(.., url)| url).collect();
    assert_eq!(found, [7, 6, 5, 0, 1].map(|n| links[n].clone()));
    let ran = batch(&stage, &list, &["--max-items", "2", "--audio-only"]).await;
    assert!(ran.out.contains("1.3") && ran.out.contains("5 finished before"), "{}", ran.out);
}

#[tokio::test]
async fn a_list_that_cannot_be_looked_into_fails_as_a_link_does() {
    let stage = Stage::set().await;
    let links = videos(&stage, 1);
    let gone = stage.web.youtube().video(YouTubeVideo::gone(Playability::Private));
    let private = stage.web.youtube().private_playlist();
    let list = format!("{private}\n{}\n", playlist(&stage, &[gone, links[0].clone()]));
    let ran = batch(&stage, &list, &["--json", "--audio-only"]).await;
    let (words, summary) = states(&ran);
    assert_eq!((words, ran.code), (vec!["failed".to_owned(), "not_started".to_owned()], 6), "{}\n{}", ran.out, ran.err);
    assert_eq!(summary["not_started"], 1);
    assert_eq!(ran.lines()[0]["error"]["code"], "private", "{}", ran.out);
    let ran = batch(&stage, &list, &["--json", "--audio-only", "--continue-on-error"]).await;
    let (words, _) = states(&ran);
    assert_eq!(words, ["failed", "failed", "done"], "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.code, 3);
}
