//! `fetch` against the stand-in web: files in a folder, JSON, exit codes, and an orderly end.

use std::path::{Path, PathBuf};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{PATIENCE, Ran, boss_bot, command, folder};
use crate::world::{
    bot::{processes_inside, tools_dir},
    media,
    platforms::{Gone, Tweet},
    tls::Authority,
    web::Web,
};

/// A folder to work in, in front of the stand-in web.
pub(super) struct Stage {
    pub web: Web,
    pub dir: tempfile::TempDir,
}

impl Stage {
    pub async fn set() -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = folder();
        std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        Self { web, dir }
    }

    pub fn env(&self) -> Vec<(String, String)> {
        [
            ("NETWORK_PROXY", self.web.proxy_url()),
            ("NETWORK_CA_FILE", "ca.pem".into()),
            ("TOOLS_DIR", tools_dir().display().to_string()),
            ("DOWNLOAD_DIR", "downloads".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    async fn fetch(&self, args: &[&str]) -> Ran {
        self.fetch_with(args, &[]).await
    }

    async fn fetch_with(&self, args: &[&str], more: &[(&str, &str)]) -> Ran {
        let mut env = self.env();
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        boss_bot(self.dir.path(), &[&["fetch"], args].concat(), &env).await
    }

    /// All files below a folder, in order of their names.
    pub fn files(&self, folder: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.dir.path().join(folder), &mut found);
        found.sort();
        found
    }
}

fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

#[tokio::test]
async fn a_tweet_with_pictures_lies_in_the_folder_and_the_summary_tells_so() {
    let stage = Stage::set().await;
    let images: Vec<_> = (0..3).map(media::jpg).collect();
    let link = stage.web.x().post(Tweet::images(&images).by("ann", "Ann").text("three cats"));
    let ran = stage.fetch(&["-o", "out", &link]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let files = stage.files("out");
    let sums: Vec<String> = files.iter().map(|file| media::sha256(file)).collect();
    assert_eq!(sums, images.iter().map(media::Media::sha256).collect::<Vec<_>>(), "in the order of the post");
    for file in &files {
        assert!(ran.out.contains(file.file_name().unwrap().to_str().unwrap()), "{}", ran.out);
    }
    assert!(ran.out.contains("three cats") && ran.out.contains("api"), "{}", ran.out);
    assert_eq!(stage.files("downloads"), Vec::<PathBuf>::new(), "nothing is left at work");
}

#[tokio::test]
async fn json_is_one_outcome_a_line_without_signed_links() {
    let stage = Stage::set().await;
    let good = stage.web.x().post(Tweet::video(&media::small_video(3)).text("a clip"));
    let gone = stage.web.x().post(Tweet::gone(Gone::Deleted));
    let ran = stage.fetch(&["--json", "-o", "out", &good, &gone, "nonsense"]).await;
    assert_eq!(ran.code, 3, "some of several: {}", ran.err);
    let lines = ran.lines();
    assert_eq!(lines.iter().map(|line| line["url"].as_str().unwrap()).collect::<Vec<_>>(), [&good, &gone, "nonsense"]);
    assert_eq!(lines[0]["platform"], "twitter");
    assert_eq!(lines[0]["attempts"][0]["by"], "api");
    assert!(lines[0]["error"].is_null(), "{}", lines[0]);
    assert_eq!(lines[0]["metadata"]["files"][0]["checksum"], media::small_video(3).sha256());
    assert!(Path::new(lines[0]["posted"]["places"][0].as_str().unwrap()).is_relative());
    assert_eq!(lines[1]["error"]["code"], "not_found", "{}", lines[1]);
    assert_eq!(lines[2]["error"]["code"], "unsupported_url", "{}", lines[2]);
    assert!(!ran.out.contains("video.twimg.com"), "{}", ran.out);
    assert!(ran.err.is_empty(), "without a terminal there are no bars: {}", ran.err);
}

#[tokio::test]
async fn one_failure_gives_its_own_exit_code_and_one_clear_sentence() {
    let stage = Stage::set().await;
    let gone = stage.web.x().post(Tweet::gone(Gone::Deleted));
    let ran = stage.fetch(&[&gone]).await;
    assert_eq!(ran.code, 6, "{}", ran.out);
    assert!(ran.out.contains("This post doesn't exist any more"), "{}", ran.out);
    let ran = stage.fetch(&["http://10.0.0.1/secret.mp4"]).await;
    assert_eq!(ran.code, 5, "{}", ran.out);
    assert!(ran.out.contains("private networks"), "{}", ran.out);
    assert!(stage.web.requests_to("10.0.0.1").is_empty(), "nobody asked for it");
}

#[tokio::test]
async fn metadata_only_loads_nothing() {
    let stage = Stage::set().await;
    let link = stage.web.x().post(Tweet::video(&media::small_video(4)).by("ann", "Ann").text("only a look"));
    let ran = stage.fetch(&["--metadata-only", "--json", "-o", "out", &link]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = &ran.lines()[0];
    assert_eq!(line["metadata"]["author"]["handle"], "ann", "{line}");
    assert_eq!(line["metadata"]["items"][0]["kind"], "video", "{line}");
    assert_eq!(stage.files("out"), Vec::<PathBuf>::new());
    assert!(stage.web.requests_to("video.twimg.com").is_empty());
    assert_eq!(line["plan"][0]["outlook"]["way"], "copy", "{line}");
    let ran = stage.fetch(&["--metadata-only", &link]).await;
    assert!(ran.out.contains("only a look") && ran.out.contains("video"), "{}", ran.out);
    assert!(ran.out.contains("→ as it is"), "{}", ran.out);
}

#[tokio::test]
async fn files_are_made_to_fit_the_size_asked_for() {
    let stage = Stage::set().await;
    let original = media::video_of(3 * 1024 * 1024, 5);
    let link = stage.web.file("files.example", "/long.mp4", &original);
    let ran = stage.fetch(&["--max-size", "1MB", "--json", "-o", "out", &link]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let files = stage.files("out");
    assert_eq!(files.len(), 1);
    let size = files[0].metadata().unwrap().len();
    assert!(size <= 1024 * 1024 && size > 512 * 1024, "{size}");
}

#[tokio::test]
async fn a_log_in_json_stays_json_at_the_loudest_level_and_holds_no_secret() {
    let stage = Stage::set().await;
    let link = stage.web.file("cdn.example", "/clip.mp4", &media::small_video(6)) + "?signature=hunter2hunter2";
    let video = stage.web.x().post(Tweet::video(&media::small_video(7)));
    let ran = stage.fetch_with(&["-o", "out", &link, &video], &[("LOG_LEVEL", "trace"), ("LOG_FORMAT", "json")]).await;
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.err.lines().count() > 10, "the loudest level says more: {}", ran.err);
    for line in ran.err.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value["level"].is_string() && value["timestamp"].is_string(), "{line}");
    }
    assert!(!ran.err.contains("hunter2") && !ran.err.contains("/ext_tw_video/"), "a signed link in the log");
}

#[tokio::test]
async fn an_interrupt_cancels_cleans_up_and_ends_with_130() {
    let stage = Stage::set().await;
    stage.web.hold_downloads_at(50);
    let link = stage.web.file("files.example", "/held.mp4", &media::video_of(3 * 1024 * 1024, 5));
    let env = stage.env();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let child = command(stage.dir.path(), &["fetch", "-o", "out", &link], &env).spawn().unwrap();
    let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap());
    stage.web.wait_for_held_downloads(1).await;
    kill(pid, Signal::SIGINT).unwrap();
    let ran = Ran::of(tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap());
    assert_eq!(ran.code, 130, "{}\n{}", ran.out, ran.err);
    assert_eq!(stage.files("out"), Vec::<PathBuf>::new(), "no half file");
    assert_eq!(stage.files("downloads"), Vec::<PathBuf>::new(), "no half file");
    assert_eq!(processes_inside(stage.dir.path()), Vec::new(), "no orphan");
}
