//! `boss-bot run`: the Discord bot, or that part of it which listens. What every part does at its start and end.

use std::{sync::Arc, time::Duration};

use tokio_util::task::AbortOnDropHandle;

use super::{Exit, stop};
use crate::{
    app::App,
    artifacts::Artifacts,
    discord::{self, Role, RunError},
    jobs::store::{JobStore, StoreError},
    settings::{DatabaseUrl, Settings},
};

/// Run the Discord bot.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  DISCORD_TOKEN=… boss-bot run
  boss-bot --config /etc/boss-bot.toml run
  LOG_LEVEL=debug LOG_FORMAT=json boss-bot run
  DATABASE_URL=postgres://… boss-bot run --role gateway      # and on the same or other machines: boss-bot worker

One process does everything. When its machine becomes too small, start a gateway, which listens to Discord and writes down what \
is asked for, and any number of workers, which do it; all with the same DATABASE_URL and DISCORD_TOKEN. docs/operating.md tells \
how to get there.

Ctrl-C and SIGTERM end it within 10 seconds: running jobs are broken off and go on after the next start. A second signal \
ends it at once.")]
pub(super) struct Args {
    /// What this process does
    #[arg(long, value_enum, default_value_t = RunRole::All)]
    role: RunRole,
}

/// The parts that listen to Discord.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RunRole {
    /// Everything
    All,
    /// Listen to Discord and write down what is asked for; `boss-bot worker` does it
    Gateway,
}

impl Args {
    /// The part that this process plays.
    pub(super) fn role(&self) -> Role {
        match self.role {
            RunRole::All => Role::All,
            RunRole::Gateway => Role::Gateway,
        }
    }
}

/// How long a stop waits for the database.
const CLOSE: Duration = Duration::from_millis(500);

/// How often jobs that ended long ago are looked for.
const FORGET: Duration = Duration::from_secs(6 * 60 * 60);

/// Removes jobs that ended longer ago than `keep`, now and then, for as long as it is awaited.
async fn forget(jobs: JobStore, keep: Duration) {
    loop {
        match jobs.tidy(keep).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "jobs that ended long ago are forgotten"),
            Err(error) => tracing::warn!(%error, "old jobs could not be removed"),
        }
        tokio::time::sleep(FORGET).await;
    }
}

/// What must be there before anything is started.
pub(super) fn check(settings: &Settings) -> Result<(), Exit> {
    if settings.discord.token.is_some() {
        return Ok(());
    }
    eprintln!("boss-bot: DISCORD_TOKEN is not set, so there is no bot to sign in as.");
    eprintln!("  1. Open https://discord.com/developers/applications and make an application.");
    eprintln!("  2. Bot → Reset Token, and copy it. On the same page switch on MESSAGE CONTENT INTENT.");
    eprintln!("  3. Put the line DISCORD_TOKEN=<token> into the file .env here (see .env.example).");
    eprintln!("  4. `boss-bot doctor` checks it and prints the link that adds the bot to your server.");
    eprintln!("No token at hand? `make play` shows everything without one.");
    Err(Exit::Settings)
}

/// Says what a queue in a file means for a process that needs others.
fn point_out(role: Role, url: &DatabaseUrl) {
    let DatabaseUrl::Sqlite(path) = url else { return };
    let path = path.display();
    match role {
        Role::All => {}
        Role::Gateway => tracing::warn!(
            "the queue is the file {path}: only a `boss-bot worker` on this machine with the same DATA_DIR (or DATABASE_URL) does \
             the work. Workers on other machines need PostgreSQL"
        ),
        Role::Worker => tracing::warn!(
            "the queue is the file {path}: only what a gateway on this machine with the same DATA_DIR (or DATABASE_URL) writes \
             down is done. Gateways on other machines need PostgreSQL"
        ),
    }
}

/// Plays a part of the bot until a signal ends it.
pub(super) async fn execute(role: Role, app: Arc<App>) -> Exit {
    let stop = match stop::on_signal() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("boss-bot: signals cannot be heard: {error}");
            return Exit::Failure;
        }
    };
    if let Err(error) = app.jobs.prepare() {
        eprintln!("boss-bot: {}", error.operator_text());
        return Exit::Settings;
    }
    let jobs = match JobStore::open(&app.settings.database.url).await {
        Ok(jobs) => jobs,
        Err(error) => {
            eprintln!("boss-bot: {error}");
            // What passes by itself is worth another start; a service manager does not repeat wrong settings.
            return match error {
                StoreError::Unreachable(_) | StoreError::Held(_) | StoreError::Full => Exit::Later,
                _ => Exit::Settings,
            };
        }
    };
    point_out(role, &app.settings.database.url);
    let store = app.store.clone();
    // A bucket that cannot be reached now is told by the first round of tidying: everything else works without it.
    if let Some(store) = store.as_ref().filter(|_| app.settings.store.dir.is_some())
        && let Err(error) = store.check().await
    {
        eprintln!("boss-bot: {}", error.operator_text());
        return Exit::Settings;
    }
    // Ends with this function.
    let _tidying = store.map(|store| AbortOnDropHandle::new(tokio::spawn(async move { store.tidy().await })));
    let _keeping = match app.artifacts.clone() {
        Some(artifacts) => Some(AbortOnDropHandle::new(tokio::spawn(async move { artifacts.look_after().await }))),
        None => {
            // What was kept when it was switched on.
            if let Err(error) = Artifacts::clear(&app.settings.downloads.dir) {
                tracing::warn!(reason = error.operator_text(), "kept files cannot be removed");
            }
            None
        }
    };
    // Found out beside everything else, so that the first video need not wait for it.
    let _trying = (role != Role::Gateway).then(|| {
        let media = app.media.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { media.hardware().await }))
    });
    let keep = app.settings.database.keep;
    let _forgetting = AbortOnDropHandle::new(tokio::spawn(forget(jobs.clone(), keep)));
    let ended = discord::run(app, jobs.clone(), role, stop).await;
    if tokio::time::timeout(CLOSE, jobs.close()).await.is_err() {
        tracing::warn!("the database could not be closed in time");
    }
    match ended {
        Ok(()) => Exit::Ok,
        Err(error) => {
            eprintln!("boss-bot: {error}");
            match error {
                RunError::NoToken | RunError::BadToken => Exit::Settings,
                RunError::BadGateway(_) | RunError::Setup(_) | RunError::Gateway(_) => Exit::Failure,
            }
        }
    }
}
