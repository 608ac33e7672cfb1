//! A database that goes away in the middle.

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{LEASE, arrives, general};
use crate::world::{
    bot::Bot,
    media::{self, Media},
    platforms::Tweet,
    postgres,
    stage::World,
};

/// A database that can be taken away and given back.
struct Database {
    url: String,
    name: String,
    admin: PgConnection,
}

impl Database {
    async fn new() -> Self {
        let url = postgres::database().await;
        let (before, rest) = url.split_once(":///").expect("an address");
        let (name, query) = rest.split_once('?').expect("its query");
        let admin = PgConnection::connect(&format!("{before}:///postgres?{query}")).await.expect("the server");
        Self { name: name.to_owned(), url: url.clone(), admin }
    }

    async fn run(&mut self, sql: String) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.admin).await.expect("it is done");
    }

    /// As a server that is being restarted: lines are cut, new ones refused.
    async fn goes_away(&mut self) {
        let name = self.name.clone();
        self.run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        self.run(format!("{cut} = '{name}'")).await;
    }

    async fn comes_back(&mut self) {
        self.run(format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name)).await;
    }
}

async fn logs(bot: &mut Bot, words: &str) {
    let log = bot.log().clone();
    bot.during(log.line(words, |line| line.contains(words))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_under_way_ends_well_when_the_database_comes_back_and_new_commands_hear_of_it() {
    let world = World::start().await;
    let mut database = Database::new().await;
    let url = database.url.clone();
    let env = [("DATABASE_LEASE_SECONDS", "3"), ("DATABASE_URL", url.as_str()), ("UPLOAD_MAX_FILES_PER_BATCH", "1")];
    let images: Vec<Media> = (1400..1402).map(media::jpg).collect();
    let link = world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Two"));
    let general = general(&world);
    let ann = world.discord.user("ann");
    world.web.hold_downloads();
    let mut bot = world.bot(&env).await;
    let call = bot
        .during(async {
            let call = ann.slash(&general, "download", json!({"url": link})).await;
            world.web.wait_for_held_downloads(1).await;
            call
        })
        .await;
    database.goes_away().await;
    world.web.release();
    logs(&mut bot, "cannot be written down now").await;
    logs(&mut bot, "no jobs can be taken").await;
    bot.during(async {
        ann.slash(&general, "download", json!({"url": link})).await.says("my notes can't be written").await;
        ann.says(&general, &format!("$download {link}")).await.says("my notes can't be written").await;
        ann.slash(&general, "status", json!({})).await.says("Running").await;
    })
    .await;
    database.comes_back().await;
    bot.during(arrives(&call, &images)).await;
    logs(&mut bot, "the database is back").await;
    let again = bot.during(ann.slash(&general, "download", json!({"url": link}))).await;
    bot.during(arrives(&again, &images)).await;
    let (status, _) = bot.stop().await;
    assert!(status.success(), "{status}");
    assert_eq!(world.left_behind(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_whose_database_cannot_be_opened_says_why_and_does_not_start() {
    let world = World::start().await;
    std::fs::write(world.dir().join("letters.db"), "Dear diary, this is no database at all. ".repeat(100)).unwrap();
    let url = format!("sqlite:{}", world.dir().join("letters.db").display());
    let mut bot = Bot::start(world.dir(), world.env(&[LEASE, ("DATABASE_URL", &url)]));
    assert_eq!(bot.ended().await.code(), Some(4), "the settings cannot be used");
    bot.log().line("what is wrong", |line| line.contains("is not a database of boss-bot")).await;

    // A server that is not there yet is no mistake: a service manager tries again.
    let url = format!("postgres:///jobs?host={}&user=nobody", world.dir().display());
    let mut bot = Bot::start(world.dir(), world.env(&[LEASE, ("DATABASE_URL", &url)]));
    assert_eq!(bot.ended().await.code(), Some(7), "later");
    bot.log().line("what is wrong", |line| line.contains("cannot be reached")).await;
}
