//! Recordings: a run is written down without a secret in it, and played without any network.
//!
//! Those in `fixtures/cassettes/<platform>/<what>/` were recorded against the stand-in web; `UPDATE=1` records them anew.

use std::path::{Path, PathBuf};

use boss_bot::{
    app::App,
    model::{MediaMetadata, Options, Request, Requester, Result},
    net::{
        Cassette,
        cassette::{self, Body, Scrub},
    },
    settings::Settings,
};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::world::{
    bot::Bot,
    media,
    platforms::{Gone, RedditPost, Tweet, bluesky::BlueskyPost},
    stage::{self, World},
    tls::Authority,
    web::{Reply, Web},
};

const SECRET: &str = "sessionsecretvalue4711";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cassettes")
}

/// What a link holds, asked by these services.
async fn look(settings: &Settings, cassette: Cassette, link: &str) -> Result<MediaMetadata> {
    let mut settings = settings.clone();
    settings.cache.enabled = false;
    settings.downloads.api_fallback_to_cli = false;
    let app = App::with_cassette(settings, Some(cassette)).unwrap();
    let request = Request::new(link.parse().unwrap(), Options::default(), Requester::command_line());
    let mut metadata = app.jobs.metadata(&request, &CancellationToken::new()).await?;
    metadata.download_timestamp = None;
    Ok(metadata)
}

/// Without any network: there is no proxy, and whoever asked for a name would get none.
fn offline(dir: &Path) -> Settings {
    let mut settings = Settings::default();
    settings.network.proxy = Some("http://127.0.0.1:9".parse().unwrap());
    settings.downloads.dir = dir.join("downloads");
    settings.tools.data_dir = dir.join("data");
    settings
}

/// Every link that is recorded in the repository, placed on a stand-in web.
fn links(web: &Web) -> Vec<(&'static str, String)> {
    vec![
        (
            "twitter/pictures",
            web.x().post(Tweet::images(&[media::jpg(1), media::jpg(2)]).by("ann", "Ann").text("two cats")),
        ),
        ("twitter/video", web.x().post(Tweet::video(&media::small_video(1)).by("ann", "Ann").text("a clip"))),
        ("twitter/deleted", web.x().post(Tweet::gone(Gone::Deleted))),
        ("reddit/video", web.reddit().post(RedditPost::video(media::Dash::seed(1)))),
        ("reddit/picture", web.reddit().post(RedditPost::image(&media::jpg(4)))),
        (
            "bluesky/pictures",
            web.sites().bluesky.post(BlueskyPost::images(&[media::jpg(5), media::jpg(6)]).by("bea.example", "Bea B")),
        ),
        ("bluesky/video", web.sites().bluesky.post(BlueskyPost::video(&media::small_video(2)))),
        ("streamable/video", web.sites().streamable.video("A goal", &media::small_video(3))),
    ]
}

/// What a look amounts to, as text: the metadata, or the code of the refusal.
fn told(looked: &Result<MediaMetadata>) -> String {
    match looked {
        Ok(metadata) => serde_json::to_string_pretty(metadata).unwrap(),
        Err(error) => error.code().to_owned(),
    }
}

#[tokio::test]
async fn the_recordings_in_the_repository_give_what_they_gave() {
    let recordings = recordings().await;
    assert!(recordings.len() >= 8, "{recordings:?}");
    for dir in recordings {
        let own = tempfile::tempdir().unwrap();
        let link = std::fs::read_to_string(dir.join("link.txt")).unwrap();
        let looked = look(&offline(own.path()), Cassette::play(&dir).unwrap(), link.trim()).await;
        let expected = std::fs::read_to_string(dir.join("told.txt")).unwrap();
        assert_eq!(told(&looked), expected.trim_end(), "{}: {looked:?}", dir.display());
    }
}

#[tokio::test]
async fn the_recordings_in_the_repository_hold_no_secret() {
    let scrub = Scrub::default();
    for dir in recordings().await {
        for exchange in cassette::exchanges(&dir).unwrap() {
            let (asked, answered) = (&exchange.request, &exchange.response);
            for (name, value) in asked.headers.iter().chain(&answered.headers) {
                let secret = ["authorization", "x-guest-token", "x-csrf-token"].contains(&name.as_str());
                assert!(!secret || value == "[masked]", "{}: {name}: {value}", dir.display());
                let cookie = ["cookie", "set-cookie"].contains(&name.as_str());
                assert!(!cookie || value.ends_with("[masked]"), "{}: {name}: {value}", dir.display());
            }
            assert_eq!((scrub.url(&asked.url), scrub.url(&answered.url)), (asked.url.clone(), answered.url.clone()));
            match &answered.body {
                Body::Json(kept) => {
                    let mut clean = kept.clone();
                    scrub.json(&mut clean);
                    assert_eq!(&clean, kept, "{}", dir.display());
                }
                Body::Text(kept) => assert_eq!(&scrub.text(kept), kept, "{}", dir.display()),
                Body::Media { .. } => {}
            }
        }
    }
}

/// The folders of the recordings in the repository.
async fn recordings() -> Vec<PathBuf> {
    static ANEW: OnceCell<()> = OnceCell::const_new();
    if std::env::var_os("UPDATE").is_some() {
        ANEW.get_or_init(record_anew).await;
    }
    let folders = |dir: &Path| -> Vec<PathBuf> {
        let paths = std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
        paths.filter(|path| path.is_dir()).collect()
    };
    folders(&fixtures()).iter().flat_map(|platform| folders(platform)).collect()
}

async fn record_anew() {
    let authority = Authority::new();
    let web = Web::start(&authority).await;
    let own = tempfile::tempdir().unwrap();
    let settings = stage::settings(&authority, &web, own.path());
    let _ = std::fs::remove_dir_all(fixtures());
    for (name, link) in links(&web) {
        let dir = fixtures().join(name);
        let recorder = Cassette::record(&dir, str::to_owned, false).unwrap();
        let asked = look(&settings, recorder, &link).await;
        let looked = look(&offline(own.path()), Cassette::play(&dir).unwrap(), &link).await;
        assert_eq!(bare(&told(&looked)), bare(&told(&asked)), "{name}");
        std::fs::write(dir.join("link.txt"), link + "\n").unwrap();
        std::fs::write(dir.join("told.txt"), told(&looked) + "\n").unwrap();
        hides(&web, &dir);
    }
}

/// Without the queries of addresses, where signatures are masked in a recording, and their end with them.
fn bare(told: &str) -> String {
    let without = |line: &str| match (line.split_once('?'), line.contains("://")) {
        (Some((address, _)), true) => address.to_owned(),
        _ => line.trim_end_matches(',').to_owned(),
    };
    told.lines().filter(|line| !line.contains("\"expires_at\"")).map(without).collect()
}

/// No token that the stand-in web was sent stands in a recording.
fn hides(web: &Web, dir: &Path) -> usize {
    let names = ["authorization", "x-guest-token", "cookie", "x-csrf-token"];
    let requests = web.requests();
    let sent = requests.iter().flat_map(|seen| names.map(|name| seen.header(name))).flatten();
    let mut tokens: Vec<&str> =
        sent.map(|sent| sent.trim_start_matches("Bearer ").trim_start_matches("Basic ")).collect();
    tokens.sort_unstable();
    tokens.dedup();
    for (path, text) in texts(dir) {
        for token in &tokens {
            assert!(!text.contains(token), "{} holds {token}", path.display());
        }
    }
    tokens.len()
}

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
    assert!(hides(&world.web, &world.dir().join("rec")) > 0, "there was something to hide");
    for (path, text) in &written {
        assert!(!text.contains(SECRET), "{}: {text}", path.display());
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
async fn a_file_of_which_the_beginning_was_recorded_is_still_known() {
    let world = World::start().await;
    let video = media::small_video(127);
    // The one answers with the range that was asked for, the other with the whole file.
    let ranged = world.web.file("files.example", "/ranged.mp4", &video);
    let whole = world.web.reply(
        "files.example",
        "/whole.mp4",
        Reply::new(200, video.mime, std::fs::read(&video.path).unwrap()),
    );
    for (link, dir) in [(&ranged, "ranged"), (&whole, "whole")] {
        let (code, recorded) = fetch(&world, &["--record", dir, link], &[]).await;
        assert_eq!(code, 0, "{recorded}");
        assert!(recorded.contains(&video.sha256()), "{recorded}");
        world.web.clear_log();
        let (code, said) = fetch(&world, &["--replay", dir, "--metadata-only", link], &[]).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&format!("\"bytes\":{}", video.bytes())), "{said}");
        assert_eq!(world.web.requests().len(), 0, "{:?}", world.web.requests());
    }
}

#[tokio::test]
async fn a_recording_with_its_media_is_loaded_from() {
    let world = World::start().await;
    let picture = media::jpg(126);
    let tweet = world.web.x().post(Tweet::images(std::slice::from_ref(&picture)));
    assert_eq!(fetch(&world, &["--record", "rec", "--record-media", &tweet], &[]).await.0, 0);
    world.web.clear_log();
    let (code, said) = fetch(&world, &["--replay", "rec", &tweet], &[]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(&picture.sha256()), "{said}");
    assert_eq!(world.web.requests().len(), 0, "{:?}", world.web.requests());
    let recorded = cassette::exchanges(&world.dir().join("rec")).unwrap();
    assert!(recorded.iter().any(|exchange| exchange.request.url.host_str() == Some("pbs.twimg.com")));
}
