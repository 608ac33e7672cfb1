//! `boss-bot run`: the Discord bot.

use std::{sync::Arc, time::Duration};

use tokio_util::task::AbortOnDropHandle;

use super::{Exit, stop};
use crate::{
    app::App,
    deliver::Store,
    discord::{self, RunError},
    jobs::store::{JobStore, StoreError},
    settings::Settings,
};

/// Run the Discord bot.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  DISCORD_TOKEN=… boss-bot run
  boss-bot --config /etc/boss-bot.toml run
  LOG_LEVEL=debug LOG_FORMAT=json boss-bot run

Ctrl-C and SIGTERM end it within 10 seconds: running jobs are broken off and go on after the next start. A second signal \
ends it at once.")]
pub(super) struct Args {}

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

pub(super) async fn execute(_args: Args, app: Arc<App>) -> Exit {
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
    let store = app.store.clone();
    if let Some(Err(error)) = store.as_deref().map(Store::check) {
        eprintln!("boss-bot: {}", error.operator_text());
        return Exit::Settings;
    }
    // Ends with this function.
    let _tidying = store.map(|store| AbortOnDropHandle::new(tokio::spawn(async move { store.tidy().await })));
    // Found out beside everything else, so that the first video need not wait for it.
    let media = app.media.clone();
    let _trying = AbortOnDropHandle::new(tokio::spawn(async move { media.hardware().await }));
    let keep = app.settings.database.keep;
    let _forgetting = AbortOnDropHandle::new(tokio::spawn(forget(jobs.clone(), keep)));
    let ended = discord::run(app, jobs.clone(), stop).await;
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
