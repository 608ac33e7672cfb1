//! The operator's sessions: sent to their own platform only, read anew when their file changes, missed when they are over,
//! and never seen in a log.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use boss_bot::{
    app::App,
    deliver::DirectorySink,
    model::{Options, Outcome, Request, Requester},
    net::{Scope, SessionState, Sessions},
    settings::Settings,
};
use serde_json::json;
use url::Url;

use crate::world::{
    bot::{Bot, tools_dir},
    media,
    platforms::RedditPost,
    stage::{self, World},
    tls::Authority,
    web::{Fault, FaultKind, Web},
};

const REDDIT: Scope<'static> =
    Scope { platform: "reddit", domains: &["reddit.com", "redd.it"], login: &["reddit_session"], link: None };

/// A cookies file of one session on Reddit and one elsewhere. `ends`: seconds since 1970, 0 for never.
fn write(path: &Path, value: &str, ends: i64) {
    let text = format!(
        "# Netscape HTTP Cookie File\n.reddit.com\tTRUE\t/\tTRUE\t{ends}\treddit_session\t{value}\n\
         .elsewhere.example\tTRUE\t/\tTRUE\t0\tsid\tsomebody-elses-{value}\n"
    );
    std::fs::write(path, text).unwrap();
}

/// The real services against a stand-in web.
struct Stage {
    web: Web,
    dir: tempfile::TempDir,
    cookies: PathBuf,
    settings: Settings,
}

impl Stage {
    async fn set() -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = tempfile::tempdir().unwrap();
        let mut settings = stage::settings(&authority, &web, dir.path());
        let cookies = dir.path().join("cookies.txt");
        settings.network.cookies_file = Some(cookies.clone());
        Self { web, dir, cookies, settings }
    }

    fn app(&self) -> App {
        App::new(self.settings.clone()).unwrap()
    }

    /// By the tools alone: the in-process path of Reddit needs no session.
    fn by_tools(&mut self) {
        let reddit = self.settings.platforms.entry("reddit".into()).or_default();
        reddit.use_api_client = Some(false);
    }

    async fn fetch(&self, app: &App, link: &str) -> Outcome {
        let sink = Arc::new(DirectorySink::new(self.dir.path().join("out"), None));
        let request = Request::new(link.parse().unwrap(), Options::default(), Requester::command_line());
        app.jobs.submit(request, sink).outcome.await.unwrap()
    }

    /// The `Cookie` headers that a host was sent.
    fn cookies_to(&self, host: &str) -> Vec<String> {
        self.web.requests_to(host).iter().filter_map(|seen| seen.header("cookie").map(str::to_owned)).collect()
    }
}

fn state(app: &App) -> Option<SessionState> {
    app.strategy.health().into_iter().find(|platform| platform.platform == "reddit").unwrap().session
}

#[tokio::test]
async fn a_session_goes_to_its_own_platform_and_follows_its_file() {
    let stage = Stage::set().await;
    write(&stage.cookies, "the-first", 0);
    let app = stage.app();
    let (reddit, elsewhere) = ("https://www.reddit.com/me", "https://www.elsewhere.example/");
    stage.web.page("www.reddit.com", "/me", "hello");
    stage.web.page("www.elsewhere.example", "/", "hello");
    let sessions = Sessions::new(&stage.settings);
    let ask = async |link: &str| {
        let url = Url::parse(link).unwrap();
        let session = sessions.session(app.egress.client(), REDDIT).unwrap();
        assert!(!session.was_used());
        session.client().send(session.client().get(&url).unwrap()).await.unwrap();
        session.was_used()
    };
    assert!(ask(reddit).await);
    assert!(!ask(elsewhere).await, "it is Reddit's session: somebody else's cookies are not in it");
    assert_eq!(stage.cookies_to("www.reddit.com"), ["reddit_session=the-first"]);
    assert_eq!(stage.cookies_to("www.elsewhere.example"), Vec::<String>::new());
    write(&stage.cookies, "the-second", 0);
    assert!(ask(reddit).await);
    assert_eq!(stage.cookies_to("www.reddit.com")[1], "reddit_session=the-second");
    // Away with it: nobody is signed in any more.
    std::fs::write(&stage.cookies, "").unwrap();
    assert!(sessions.session(app.egress.client(), REDDIT).is_none());
}

#[tokio::test]
async fn the_tools_get_the_cookies_of_the_platform_and_no_others() {
    let mut stage = Stage::set().await;
    stage.by_tools();
    write(&stage.cookies, "the-value", 0);
    let handed = Sessions::new(&stage.settings).for_tool(REDDIT).unwrap().unwrap();
    let text = secrecy::ExposeSecret::expose_secret(handed.file.as_ref().unwrap()).to_owned();
    assert!(text.contains("the-value") && !text.contains("somebody"), "{text}");
    let link = stage.web.reddit().post(RedditPost::video(media::Dash::seed(111)));
    let outcome = stage.fetch(&stage.app(), &link).await;
    assert_eq!(outcome.error, None, "{outcome:#?}");
    let sent: Vec<String> =
        ["www.reddit.com", "old.reddit.com"].iter().flat_map(|host| stage.cookies_to(host)).collect();
    assert!(sent.iter().any(|cookies| cookies.contains("reddit_session=the-value")), "{sent:?}");
}

#[tokio::test]
async fn a_platforms_own_file_stands_in_for_the_common_one() {
    let mut stage = Stage::set().await;
    write(&stage.cookies, "the-common", 0);
    let own = stage.dir.path().join("reddit.txt");
    write(&own, "its-own", 0);
    let reddit = stage.settings.platforms.entry("reddit".into()).or_default();
    reddit.cookies_file = Some(own);
    let handed = Sessions::new(&stage.settings).for_tool(REDDIT).unwrap().unwrap();
    let text = secrecy::ExposeSecret::expose_secret(handed.file.as_ref().unwrap()).to_owned();
    assert!(text.contains("its-own") && !text.contains("the-common"), "{text}");
}

#[tokio::test]
async fn a_session_that_the_platform_refuses_is_over_until_its_file_changes() {
    let mut stage = Stage::set().await;
    stage.by_tools();
    write(&stage.cookies, "the-first", 0);
    let app = stage.app();
    assert_eq!(state(&app), Some(SessionState::Good));
    let link = stage.web.reddit().post(RedditPost::video(media::Dash::seed(112)));
    for host in ["www.reddit.com", "old.reddit.com", "oauth.reddit.com"] {
        stage.web.faults().add(Fault::on(host, "", FaultKind::Status(401)));
    }
    let outcome = stage.fetch(&app, &link).await;
    assert_eq!(outcome.error.as_ref().map(|error| error.code()), Some("login_required"), "{outcome:#?}");
    assert!(matches!(state(&app), Some(SessionState::Refused { .. })), "{:?}", state(&app));
    write(&stage.cookies, "the-second-one", 0);
    assert_eq!(state(&app), Some(SessionState::Good), "the operator has signed in again");
}

#[tokio::test]
async fn a_session_whose_time_is_over_is_not_sent_and_the_doctor_says_so() {
    let stage = Stage::set().await;
    write(&stage.cookies, "the-value", 1_700_000_000);
    let app = stage.app();
    assert!(matches!(state(&app), Some(SessionState::Expired { .. })), "{:?}", state(&app));
    let sessions = app.strategy.sessions();
    assert!(sessions.session(app.egress.client(), REDDIT).is_none());
    assert!(sessions.for_tool(REDDIT).unwrap().is_none());
    let env = [("COOKIES_FILE", stage.cookies.display().to_string()), ("TOOLS_DIR", tools_dir().display().to_string())];
    let env = env.map(|(name, value)| (name.into(), value.into()));
    let mut doctor = Bot::start_with(stage.dir.path(), ["doctor"], env);
    doctor.ended().await;
    let line = doctor.log().line("the session", |line| line.contains("session")).await;
    assert!(line.contains("Reddit") && line.contains("2023-11-14"), "{line}");
    assert!(!doctor.log().text().contains("the-value"));
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_that_came_while_the_bot_ran_are_as_secret_as_those_before() {
    let world = World::start().await;
    let (own, common) = (world.dir().join("reddit.txt"), world.dir().join("cookies.txt"));
    write(&own, "firstsessionvalue4711", 0);
    write(&common, "commonsessionvalue4711", 0);
    let mut bot = world
        .bot(&[
            ("LOG_LEVEL", "trace"),
            ("COOKIES_FILE", common.to_str().unwrap()),
            ("REDDIT_COOKIES_FILE", own.to_str().unwrap()),
            ("REDDIT_USE_API_CLIENT", "false"),
        ])
        .await;
    let channel = world.discord.guild("talkative", 0).channel("general");
    let ann = world.discord.user("ann");
    bot.during(async {
        for (seed, value) in [(113, "firstsessionvalue4711"), (114, "secondsessionvalue4711")] {
            write(&own, value, 0);
            let link = world.web.reddit().post(RedditPost::video(media::Dash::seed(seed)));
            ann.slash(&channel, "download", json!({"url": link})).await.final_message().await;
            let sent = world
                .web
                .requests_to("www.reddit.com")
                .into_iter()
                .filter_map(|seen| seen.header("cookie").map(str::to_owned));
            assert!(sent.collect::<String>().contains(value), "the tools are signed in");
        }
    })
    .await;
    bot.stop().await;
    let log = bot.log().text();
    assert!(log.contains("cookies read"), "the log says that there are cookies");
    assert!(
        !log.contains("sessionvalue4711"),
        "{}",
        log.lines().find(|line| line.contains("4711")).unwrap_or_default()
    );
}
