//! Staying connected to Discord, and leaving in time; or working on jobs without a connection.
//!
//! serenity reconnects and resumes by itself. What it does not do is done here: it would fall back to the public gateway
//! when the REST interface can't be reached, it ignores a stop while no shard runs, and it gives up when a privileged
//! intent is not granted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use poise::serenity_prelude as serenity;
use serenity::GatewayIntents;
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use super::{
    account::{self, Account, FIRST_PAUSE, LAST_PAUSE},
    commands, errors,
    host::DiscordHost,
    limits::LimitBook,
    permissions,
    rest::Rest,
    types::{Data, Error},
    waiting::Waiting,
};
use crate::{
    app::App,
    jobs::{
        durable::{Durable, Pace},
        store::JobStore,
    },
    model::{self, redact},
};

/// What the bot listens to. Message content is privileged: without it the mention prefix and direct messages still work.
const INTENTS: GatewayIntents = GatewayIntents::GUILDS
    .union(GatewayIntents::GUILD_MESSAGES)
    .union(GatewayIntents::DIRECT_MESSAGES)
    .union(GatewayIntents::MESSAGE_CONTENT);

/// The parts of a stop, together under ten seconds: cancelled jobs clean up, commands say their last words, the gateway
/// is told.
const STOP_JOBS: Duration = Duration::from_secs(4);
const STOP_COMMANDS: Duration = Duration::from_secs(3);
const STOP_GATEWAY: Duration = Duration::from_secs(1);

/// How often the commands are offered to Discord before giving up until the next start.
const REGISTER_TRIES: u32 = 5;

/// Why the bot could not run. The texts say what to do.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No token.
    #[error(
        "DISCORD_TOKEN is not set. Create an application with a bot on https://discord.com/developers/applications, copy its token, and put it into .env"
    )]
    NoToken,
    /// Discord does not know the token.
    #[error(
        "Discord refuses the token. Copy it again from https://discord.com/developers/applications (Bot, Reset Token) and put it into DISCORD_TOKEN"
    )]
    BadToken,
    /// The gateway's address is not acceptable.
    #[error("Discord's API names the gateway {0:?}: only wss:// is accepted (plain ws:// only on this machine)")]
    BadGateway(String),
    /// The HTTP client could not be built.
    #[error("the connection to Discord cannot be set up: {}", .0.operator_text())]
    Setup(#[from] model::Error),
    /// The gateway ended the session for good.
    #[error("Discord's gateway ended the session: {0}")]
    Gateway(String),
}

/// What a process does of the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All of it.
    All,
    /// Listens to Discord and writes down what is asked for: others do it.
    Gateway,
    /// Does what is written down, without listening. It speaks by REST.
    Worker,
}

/// Plays its part of the bot until `stop` fires. Returns within ten seconds then, whatever Discord does.
///
/// # Errors
/// See [`RunError`]. A Discord that cannot be reached is no error: it is tried again until it can.
pub async fn run(app: Arc<App>, store: JobStore, role: Role, stop: CancellationToken) -> Result<(), RunError> {
    let durable = Durable::new(store, app.jobs.clone(), Pace::of(&app.settings));
    let ended = match role {
        Role::All | Role::Gateway => connect(&app, &durable, role, &stop).await,
        Role::Worker => work(&app, &durable, &stop).await,
    };
    if !stop.is_cancelled() {
        // The connection broke for good: jobs are not left behind.
        end_jobs(&app, &durable).await;
    }
    ended
}

/// Breaks off what is under way. Durable jobs first: they tell a stop from somebody's cancel.
async fn end_jobs(app: &App, durable: &Durable) {
    let ended = async {
        durable.shut_down().await;
        app.jobs.shut_down().await;
    };
    if tokio::time::timeout(STOP_JOBS, ended).await.is_err() {
        tracing::warn!("some jobs did not end in time");
    }
}

/// Works on jobs until the stop.
async fn work(app: &App, durable: &Durable, stop: &CancellationToken) -> Result<(), RunError> {
    let account = Account::of(app)?;
    tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        known = account.is_known() => known?,
    }
    durable.start(Arc::new(DiscordHost {
        rest: Rest::new(account.client.clone(), Arc::new(account.http())),
        seal: account.seal,
        client: app.egress.client().clone(),
        limits: Arc::default(),
        settings: app.settings.clone(),
        waiting: Waiting::default(),
    }));
    tracing::info!(worker = durable.name(), "taking jobs");
    stop.cancelled().await;
    tracing::info!("stopping");
    end_jobs(app, durable).await;
    Ok(())
}

/// Listens to Discord until the stop, or until that cannot go on.
async fn connect(app: &Arc<App>, durable: &Durable, role: Role, stop: &CancellationToken) -> Result<(), RunError> {
    let account = Account::of(app)?;
    let gateway = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        gateway = account.gateway() => gateway?,
    };
    let waiting = Waiting::default();
    // Who works himself need not ask whether anybody does.
    let _watching = (role == Role::Gateway)
        .then(|| AbortOnDropHandle::new(tokio::spawn(waiting.clone().watch(durable.store().clone()))));
    let part = Part { app, durable, account: &account, gateway: &gateway, role, waiting: &waiting };
    let mut intents = INTENTS;
    loop {
        match serve(part, intents, stop).await {
            Err(serenity::Error::Gateway(serenity::GatewayError::DisallowedGatewayIntents))
                if intents.contains(GatewayIntents::MESSAGE_CONTENT) =>
            {
                tracing::warn!(
                    "the Message Content Intent is not switched on: text commands work only when they mention me, and in \
                     direct messages. Switch it on at https://discord.com/developers/applications (Bot, Privileged \
                     Gateway Intents) and restart"
                );
                intents.remove(GatewayIntents::MESSAGE_CONTENT);
            }
            Err(serenity::Error::Gateway(serenity::GatewayError::InvalidAuthentication)) => {
                return Err(RunError::BadToken);
            }
            Err(error) => return Err(RunError::Gateway(redact::text(&error.to_string()))),
            Ok(()) => return Ok(()),
        }
    }
}

/// What a connection needs.
#[derive(Clone, Copy)]
struct Part<'a> {
    app: &'a Arc<App>,
    durable: &'a Durable,
    account: &'a Account,
    /// The gateway's address.
    gateway: &'a str,
    role: Role,
    waiting: &'a Waiting,
}

/// One connection with these intents, until the stop or a final error.
async fn serve(part: Part<'_>, intents: GatewayIntents, stop: &CancellationToken) -> serenity::Result<()> {
    let Part { app, durable, account, gateway, role, waiting } = part;
    let commands = TaskTracker::new();
    let options = poise::FrameworkOptions {
        commands: commands::all(),
        on_error: |error| Box::pin(errors::on_error(error)),
        event_handler: |framework, event| Box::pin(on_event(framework, event)),
        allowed_mentions: Some(account::mentions()),
        initialize_owners: false,
        prefix_options: poise::PrefixFrameworkOptions {
            prefix: Some(app.settings.discord.prefix.clone().into()),
            mention_as_prefix: true,
            // Edits are not tracked: an edited link would start a second download beside the first.
            edit_tracker: None,
            case_insensitive_commands: true,
            ..poise::PrefixFrameworkOptions::default()
        },
        ..poise::FrameworkOptions::default()
    };
    let setup = {
        let (app, client, stop, commands) = (app.clone(), account.client.clone(), stop.clone(), commands.clone());
        let (seal, durable, waiting) = (account.seal.clone(), durable.clone(), waiting.clone());
        move |ctx: &serenity::Context, ready: &serenity::Ready, framework: &poise::Framework<Data, Error>| {
            announce(ctx, ready, framework, intents);
            let (rest, limits) = (Rest::new(client, ctx.http.clone()), Arc::new(LimitBook::default()));
            if role != Role::Gateway {
                durable.start(Arc::new(DiscordHost {
                    rest: rest.clone(),
                    seal: seal.clone(),
                    client: app.egress.client().clone(),
                    limits: limits.clone(),
                    settings: app.settings.clone(),
                    waiting: waiting.clone(),
                }));
            }
            Data {
                app,
                rest,
                seal,
                durable,
                waiting,
                limits,
                stop,
                commands,
                started: Instant::now(),
                reads_messages: intents.contains(GatewayIntents::MESSAGE_CONTENT),
            }
        }
    };
    let framework = poise::Framework::builder()
        .options(options)
        // Never an error: poise would wait for the data for ever.
        .setup(move |ctx, ready, framework| Box::pin(async move { Ok(setup(ctx, ready, framework)) }))
        .build();
    let mut bot = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        bot = serenity::ClientBuilder::new_with_http(account.http(), intents).framework(framework) => bot?,
    };
    // The builder asks for the address too, but takes the public one when that fails.
    gateway.clone_into(&mut *bot.ws_url.lock().await);

    let shards = bot.shard_manager.clone();
    let ended = tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = bot.start() => ended,
    };
    if stop.is_cancelled() {
        leave(app, durable, &commands, &shards).await;
    }
    ended
}

/// Ends what is under way, in the order that lets every request say a last word.
async fn leave(app: &App, durable: &Durable, commands: &TaskTracker, shards: &serenity::ShardManager) {
    tracing::info!("stopping");
    end_jobs(app, durable).await;
    commands.close();
    if tokio::time::timeout(STOP_COMMANDS, commands.wait()).await.is_err() {
        tracing::warn!("some requests could not say that they were stopped");
    }
    // Says goodbye to the gateway; returns at once when there is no shard, and would wait when one is stuck.
    let _ = tokio::time::timeout(STOP_GATEWAY, shards.shutdown_all()).await;
}

/// Says what the operator must know at the start, and offers the commands to Discord.
fn announce(
    ctx: &serenity::Context,
    ready: &serenity::Ready,
    framework: &poise::Framework<Data, Error>,
    intents: GatewayIntents,
) {
    tracing::info!(
        name = %ready.user.name,
        servers = ready.guilds.len(),
        text_commands = intents.contains(GatewayIntents::MESSAGE_CONTENT),
        "connected to Discord"
    );
    // Without its scheme: the log takes whatever looks like a URL apart, and browsers add it.
    tracing::info!("invite link: {}", permissions::invite(ready.application.id).trim_start_matches("https://"));
    let commands = poise::builtins::create_application_commands(&framework.options().commands);
    let http = ctx.http.clone();
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        for _ in 0..REGISTER_TRIES {
            match serenity::Command::set_global_commands(&http, commands.clone()).await {
                Ok(known) => return tracing::info!(commands = known.len(), "slash commands are registered"),
                Err(error) => tracing::warn!(error = %Error::from(error), "slash commands could not be registered"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 4).min(LAST_PAUSE);
        }
    });
}

/// What happens besides commands.
async fn on_event(
    framework: poise::FrameworkContext<'_, Data, Error>,
    event: &serenity::FullEvent,
) -> Result<(), Error> {
    match event {
        serenity::FullEvent::GuildCreate { guild, .. } => {
            let missing = permissions::missing_in_guild(guild, framework.bot_id());
            if !missing.is_empty() {
                tracing::warn!(guild = %guild.id, %missing, "permissions are missing in a server: some channels may not work");
            }
        }
        serenity::FullEvent::InteractionCreate { interaction } => forget(framework.serenity_context, interaction).await,
        serenity::FullEvent::Resume { .. } => tracing::info!("the session was resumed"),
        serenity::FullEvent::Ready { data_about_bot } => {
            tracing::debug!(session_servers = data_about_bot.guilds.len(), "a session began");
        }
        _ => {}
    }
    Ok(())
}

/// serenity keeps a rate limit for each interaction it ever answered. Events come here when their command has ended.
async fn forget(ctx: &serenity::Context, interaction: &serenity::Interaction) {
    let (interaction_id, token) = match interaction {
        serenity::Interaction::Command(command) | serenity::Interaction::Autocomplete(command) => {
            (command.id, &command.token)
        }
        _ => return,
    };
    if let Some(limiter) = &ctx.http.ratelimiter {
        let route = serenity::Route::InteractionResponse { interaction_id, token };
        limiter.routes().write().await.remove(&route.ratelimiting_bucket());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_over_within_ten_seconds() {
        assert!(STOP_JOBS + STOP_COMMANDS + STOP_GATEWAY < Duration::from_secs(9));
    }
}
