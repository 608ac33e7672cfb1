//! Hundreds of links, and where they go: a table made by hand, and every link in the test cases of the installed tools.
//!
//! `explain` touches no network, so nothing here needs a world.

use std::process::Command;

use serde_json::Value;

use crate::{
    cli::{boss_bot_reading, folder},
    world::bot::tools_dir,
};

/// One link a line behind what is expected of it: `platform kind id`, `not platform` for a look-alike, `bad` for what is
/// no web link at all.
const TABLE: &str = include_str!("../../fixtures/links.tsv");

fn table() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| line.split_once('\t').unwrap())
}

/// What `explain` says of each link, in their order.
async fn explained(links: &[&str]) -> Vec<Value> {
    let dir = folder();
    let ran = boss_bot_reading(links.join("\n").as_bytes(), dir.path(), &["explain", "--json", "-"], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    assert_eq!(lines.len(), links.len());
    lines
}

#[tokio::test]
async fn every_link_of_the_table_is_explained_as_it_says() {
    let rows: Vec<_> = table().collect();
    let wrong = rows.iter().filter(|(expected, _)| expected.starts_with("not ") || *expected == "bad").count();
    assert!(rows.len() >= 400 && wrong >= 100, "{} links, {wrong} of them look-alikes or malformed", rows.len());
    let links: Vec<&str> = rows.iter().map(|(_, link)| *link).collect();
    let mut off = Vec::new();
    for (told, (expected, link)) in explained(&links).await.iter().zip(&rows) {
        let text = |field: &str| told[field].as_str().unwrap_or("-");
        let (platform, kind, id) = (text("platform"), text("kind"), text("id"));
        let as_expected = match (*expected, expected.strip_prefix("not ")) {
            ("bad", _) => platform == "-" && told["error"]["code"] == "unsupported_url",
            (_, Some(other)) => platform != other,
            _ => *expected == format!("{platform} {kind} {id}"),
        };
        if !as_expected {
            off.push(format!("{link}: expected {expected}, told {platform} {kind} {id}"));
        }
    }
    assert!(off.is_empty(), "{}", off.join("\n"));
}

/// Prints `family \t link` for every link in the test cases and examples of both tools. Lists only: nothing is copied.
const TOOLS_LINKS: &str = r"
import yt_dlp.extractor, gallery_dl.extractor
for found in yt_dlp.extractor.gen_extractor_classes():
    for case in found.get_testcases(include_onlymatching=True):
        print(found.IE_NAME, case['url'].replace('\n', ''), sep='\t')
for found in gallery_dl.extractor.extractors():
    print('gallery-dl:' + found.category + ':' + found.subcategory, found.example, sep='\t')
";

/// Which extractors of the tools speak for which of our platforms, by the beginning of their names.
const FAMILIES: &[(&str, &[&str])] = &[
    ("twitter", &["twitter", "gallery-dl:twitter"]),
    ("reddit", &["reddit", "gallery-dl:reddit"]),
    ("instagram", &["instagram", "gallery-dl:instagram"]),
    ("youtube", &["youtube"]),
    ("tiktok", &["tiktok", "vm.tiktok", "gallery-dl:tiktok"]),
    ("bluesky", &["bluesky", "gallery-dl:bluesky"]),
    ("imgur", &["imgur", "gallery-dl:imgur"]),
    ("streamable", &["streamable"]),
    ("tumblr", &["tumblr", "gallery-dl:tumblr"]),
    ("pinterest", &["pinterest", "gallery-dl:pinterest"]),
    ("twitch", &["twitch:", "clips.twitch"]),
    ("soundcloud", &["soundcloud"]),
    ("vimeo", &["vimeo"]),
    ("dailymotion", &["dailymotion"]),
    ("facebook", &["facebook", "gallery-dl:facebook"]),
    // gallery-dl's servers of this kind have no category; Truth Social is one of yt-dlp's.
    ("mastodon", &["mastodon", "gallery-dl:mastodon", "truth"]),
    ("vk", &["vk:", "gallery-dl:vk"]),
    ("bilibili", &["bili", "gallery-dl:bilibili"]),
];

/// Whose link it is by the tools' own account.
fn family(extractor: &str) -> Option<&'static str> {
    let name = extractor.to_ascii_lowercase();
    let own =
        |starts: &[&str]| starts.iter().any(|start| name.starts_with(start)) || (name == "vk" && starts[0] == "vk:");
    FAMILIES.iter().find(|(_, starts)| own(starts)).map(|(platform, _)| *platform)
}

/// Links of yt-dlp's that our platform of the same name leaves to the generic one: by the extractor and a part of the
/// link. They are no posts, or not on the platform's own hosts.
const LEFT_OUT: &[(&str, &str)] = &[
    // Mirrors and players of strangers, hidden services, other brands.
    ("", ".onion/"),
    ("youtube", "invidio"),
    ("youtube", "vid.plus/"),
    ("youtube", "zwearz.com/"),
    ("dailymotion", "lequipe.fr/"),
    ("vimeo:pro", ""),
    // Searches, feeds, tags, and people's names without a mark.
    ("youtube:music:search_url", ""),
    ("youtube:search_url", ""),
    ("youtube:recommended", ""),
    ("youtube:tab", ""),
    ("instagram:tag", ""),
    ("tiktok:tag", ""),
    ("tiktok:effect", ""),
    ("twitter:card", "/i/cards/"),
    ("twitter:broadcast", "/i/events/"),
    ("twitter:amplify", ""),
    ("twitch:videos", "/videos/all"),
    ("vimeo:album", ""),
    ("vimeo:likes", ""),
    ("vimeo:watchlater", ""),
    ("vimeo", "/newspiritualguide"),
    ("facebook", "/watchparty/"),
    ("facebook", "/events/"),
    ("soundcloud:set", "/token"),
    // Another site of the same owner; courses, libraries and lists that only members see.
    ("biliintl", ""),
    ("bilibiliaudioalbum", ""),
    ("bilibili category", ""),
    ("bilibilicheese", ""),
    ("bilibilifavoriteslist", "/medialist/"),
    ("bilibiliplaylist", ""),
    ("bilibiliwatchlater", ""),
    // Not the platform's own: where they lead, and another path to the same post.
    ("facebookredirecturl", ""),
    ("truth", "/posts/"),
    // Cut or garbled.
    ("youtube:truncated", ""),
    ("youtube", "&amp;amp;"),
];

#[tokio::test]
async fn the_tools_own_test_links_go_to_the_platform_that_they_are_of() {
    let output = Command::new(tools_dir().join("bin/python")).args(["-I", "-c", TOOLS_LINKS]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.split_once('\t')).collect();
    assert!(rows.len() > 5000, "only {} links: is this the pinned yt-dlp?", rows.len());
    let links: Vec<&str> = rows.iter().map(|(_, link)| *link).collect();
    let (mut known, mut missed, mut taken) = (0, Vec::new(), Vec::new());
    for (told, (extractor, link)) in explained(&links).await.iter().zip(&rows) {
        let platform = told["platform"].as_str().unwrap_or("-");
        let left_out =
            || LEFT_OUT.iter().any(|(by, part)| extractor.to_ascii_lowercase().starts_with(by) && link.contains(part));
        match family(extractor) {
            Some(own) if own == platform => known += 1,
            // gallery-dl's examples hold words such as USER in place of what a link must have.
            Some(_) if extractor.starts_with("gallery-dl:") || !link.starts_with("http") || link.contains(' ') => {}
            Some(_) if left_out() => {}
            Some(own) => missed.push(format!("{link}: of {extractor}, not {own} but {platform}")),
            // Mirrors that gallery-dl counts as sites of their own.
            None if extractor.starts_with("gallery-dl::") => {}
            None if !matches!(platform, "-" | "generic" | "direct") => {
                taken.push(format!("{link}: of {extractor}, told {platform}"));
            }
            None => {}
        }
    }
    assert!(missed.is_empty(), "{} links not known:\n{}", missed.len(), missed.join("\n"));
    assert!(taken.is_empty(), "{} links of others taken:\n{}", taken.len(), taken.join("\n"));
    assert!(known > 600, "only {known} links are of our platforms");
}
