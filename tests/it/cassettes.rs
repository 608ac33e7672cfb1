//! Recordings: a run is written down without a secret in it, and played without any network.

use std::path::{Path, PathBuf};

use boss_bot::net::cassette;

use crate::world::{
    bot::Bot,
    media,
    platforms::{RedditPost, Tweet},
    stage::World,
};

const SECRET: &str = "sessionsecretvalue4711";

/// `boss-bot fetch` in this world.
async fn fetch(world: &World, args: &[&str], env: &[(&str, &str)]) -> (i32, String) {
    let all = [&["fetch", "--json", "--output", "out"], args].concat();
    let mut run = Bot::start_with(world.dir(), all, world.env(env));
    let code = run.ended().await.code().unwrap_or(-1);
    run.log().line("its answer", |line| line.starts_with('{')).await;
    (code, run.log().text())
}

fn texts(dir: &Path) -> Vec<(PathBuf, String)> {
    let files = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
    files.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[tokio::test]
async fn a_recorded_run_holds_no_secret_and_plays_without_network() {
    let world = World::start().await;
    let cookies = world.dir().join("cookies.txt");
    let jar = format!(
        "# Netscape HTTP Cookie File\n.reddit.com\tTRUE\t/\tTRUE\t0\treddit_session\t{SECRET}\n.x.com\tTRUE\t/\tTRUE\t0\tauth_token\t{SECRET}\n"
    );
    std::fs::write(&cookies, jar).unwrap();
    world.web.reddit().register_app("an-app", SECRET);
    let env =
        [("COOKIES_FILE", cookies.to_str().unwrap()), ("REDDIT_CLIENT_ID", "an-app"), ("REDDIT_CLIENT_SECRET", SECRET)];
    let tweet = world.web.x().post(Tweet::video(&media::small_video(121)).by("ann", "Ann"));
    let post = world.web.reddit().post(RedditPost::video(media::Dash::seed(122)));
    let file = world.web.file("files.example", "/clip.mp4", &media::small_video(123)) + "?signature=" + SECRET;
    let (code, said) = fetch(&world, &["--record", "rec", &tweet, &post, &file], &env).await;
    assert_eq!(code, 0, "{said}");
    let written = texts(&world.dir().join("rec"));
    assert!(written.len() >= 6, "{written:?}");
    let tokens: Vec<String> = world
        .web
        .requests()
        .iter()
        .flat_map(|seen| ["authorization", "x-guest-token", "cookie"].map(|name| seen.header(name).map(str::to_owned)))
        .flatten()
        .collect();
    assert!(!tokens.is_empty(), "there was something to hide");
    for (path, text) in &written {
        assert!(!text.contains(SECRET), "{}: {text}", path.display());
        for token in &tokens {
            let token = token.trim_start_matches("Bearer ").trim_start_matches("Basic ");
            assert!(!text.contains(token), "{} holds {token}", path.display());
        }
    }

    world.web.clear_log();
    let (code, said) = fetch(&world, &["--replay", "rec", "--metadata-only", &tweet, &post, &file], &env).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("\"handle\":\"ann\""), "{said}");
    assert_eq!(world.web.requests().len(), 0, "{:?}", world.web.requests());
    assert_eq!(world.web.tunnels(), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_recording_does_not_hold_is_named_and_not_asked_for() {
    let world = World::start().await;
    let tweet = world.web.x().post(Tweet::images(&[media::jpg(124)]));
    let other = world.web.x().post(Tweet::images(&[media::jpg(125)]));
    assert_eq!(fetch(&world, &["--record", "rec", &tweet], &[]).await.0, 0);
    world.web.clear_log();
    let (code, said) = fetch(&world, &["--replay", "rec", "--metadata-only", &other], &[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("the recording holds no answer to GET ") && said.contains("x.com/"), "{said}");
    // The picture itself was not recorded whole.
    let (code, said) = fetch(&world, &["--replay", "rec", &tweet], &[]).await;
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("only the beginning of GET pbs.twimg.com/"), "{said}");
    assert_eq!(world.web.requests().len(), 0, "{:?}", world.web.requests());
}

#[tokio::test]
async fn a_recording_with_its_media_is_loaded_from() {
    let world = World::start().await;
    let picture = media::jpg(126);
    let tweet = world.web.x().post(Tweet::images(&[picture.clone()]));
    assert_eq!(fetch(&world, &["--record", "rec", "--record-media", &tweet], &[]).await.0, 0);
    world.web.clear_log();
    let (code, said) = fetch(&world, &["--replay", "rec", &tweet], &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&picture.sha256()), "{said}");
    assert_eq!(world.web.requests().len(), 0, "{:?}", world.web.requests());
    let recorded = cassette::exchanges(&world.dir().join("rec")).unwrap();
    assert!(recorded.iter().any(|exchange| exchange.request.url.host_str() == Some("pbs.twimg.com")));
}
