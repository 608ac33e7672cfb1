//! Reaching Discord, staying connected, and leaving in time.
//!
//! serenity reconnects and resumes by itself. What it does not do is done here: it would fall back to the public gateway
//! when the REST interface can't be reached, it ignores a stop while no shard runs, and it gives up when a privileged
//! intent is not granted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use poise::serenity_prelude as serenity;
use secrecy::ExposeSecret;
use serenity::GatewayIntents;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    commands, errors,
    host::{DiscordHost, Waiting},
    limits::LimitBook,
    permissions,
    rest::Rest,
    types::{Data, Error},
};
use crate::{
    app::App,
    jobs::{
        Seal,
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

/// Between two tries to reach Discord: doubles from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// How long asking for the gateway may take.
const ASK_DEADLINE: Duration = Duration::from_secs(10);

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

/// Runs the bot until `stop` fires. Returns within ten seconds then, whatever Discord does.
///
/// # Errors
/// See [`RunError`]. A Discord that cannot be reached is no error: it is tried again until it can.
pub async fn run(app: Arc<App>, store: JobStore, stop: CancellationToken) -> Result<(), RunError> {
    let downloads = &app.settings.downloads;
    let pace = Pace { slots: downloads.max_concurrent, lease: app.settings.database.lease };
    let durable = Durable::new(store, app.jobs.clone(), pace);
    let ended = connect(&app, &durable, &stop).await;
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

async fn connect(app: &Arc<App>, durable: &Durable, stop: &CancellationToken) -> Result<(), RunError> {
    let settings = &app.settings.discord;
    let token = settings.token.as_ref().ok_or(RunError::NoToken)?.expose_secret().trim().to_owned();
    if token.is_empty() {
        return Err(RunError::NoToken);
    }
    let seal = Seal::of(&token).ok_or_else(|| model::Error::internal("no key can be made of the token"))?;
    let seal = Arc::new(seal);
    let client = app.egress.discord(settings.api_address)?;
    let gateway = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        gateway = reach(&client, &token) => gateway?,
    };
    let account = Account { client, token, seal, gateway };
    let mut intents = INTENTS;
    loop {
        match serve(app, durable, &account, intents, stop).await {
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

/// Asks for the gateway's address and checks the token, until Discord answers.
async fn reach(client: &reqwest::Client, token: &str) -> Result<String, RunError> {
    let mut pause = FIRST_PAUSE;
    loop {
        match tokio::try_join!(gateway_url(client), check_token(client, token)) {
            Ok((url, ())) => return acceptable(url),
            Err(Unreached::Final(error)) => return Err(error),
            Err(Unreached::Later(reason)) => {
                tracing::warn!(reason, retry_in = ?pause, "Discord cannot be reached");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

enum Unreached {
    Later(String),
    Final(RunError),
}

impl From<reqwest::Error> for Unreached {
    fn from(error: reqwest::Error) -> Self {
        let mut text = error.without_url().to_string();
        text.truncate(200);
        Self::Later(redact::text(&text))
    }
}

async fn gateway_url(client: &reqwest::Client) -> Result<String, Unreached> {
    #[derive(serde::Deserialize)]
    struct Gateway {
        url: String,
    }
    let request = client.get("https://discord.com/api/v10/gateway").timeout(ASK_DEADLINE);
    let request = request.header(reqwest::header::USER_AGENT, serenity::constants::USER_AGENT);
    Ok(request.send().await?.error_for_status()?.json::<Gateway>().await?.url)
}

/// Only a clear no counts: everything else shows soon enough elsewhere.
async fn check_token(client: &reqwest::Client, token: &str) -> Result<(), Unreached> {
    let mut value = reqwest::header::HeaderValue::from_str(&format!("Bot {token}"))
        .map_err(|_| Unreached::Final(RunError::BadToken))?;
    value.set_sensitive(true);
    let request = client.get("https://discord.com/api/v10/oauth2/applications/@me").timeout(ASK_DEADLINE);
    let request = request.header(reqwest::header::USER_AGENT, serenity::constants::USER_AGENT);
    let status = request.header(reqwest::header::AUTHORIZATION, value).send().await?.status();
    match status {
        reqwest::StatusCode::UNAUTHORIZED => Err(Unreached::Final(RunError::BadToken)),
        status if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS => {
            Err(Unreached::Later(format!("status {status}")))
        }
        _ => Ok(()),
    }
}

/// The gateway is handed the token: it must be encrypted, or on this machine.
fn acceptable(gateway: String) -> Result<String, RunError> {
    let Ok(url) = url::Url::parse(&gateway) else { return Err(RunError::BadGateway(gateway)) };
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "wss" if url.has_host() => Ok(gateway),
        "ws" if loopback => Ok(gateway),
        _ => Err(RunError::BadGateway(gateway)),
    }
}

/// Who the bot is, and how it reaches Discord.
struct Account {
    client: reqwest::Client,
    token: String,
    seal: Arc<Seal>,
    gateway: String,
}

/// One connection with these intents, until the stop or a final error.
async fn serve(
    app: &Arc<App>,
    durable: &Durable,
    account: &Account,
    intents: GatewayIntents,
    stop: &CancellationToken,
) -> serenity::Result<()> {
    let Account { client, token, seal, gateway } = account;
    let mentions = serenity::CreateAllowedMentions::new().replied_user(false);
    let http =
        serenity::HttpBuilder::new(token).client(client.clone()).default_allowed_mentions(mentions.clone()).build();
    let commands = TaskTracker::new();
    let options = poise::FrameworkOptions {
        commands: commands::all(),
        on_error: |error| Box::pin(errors::on_error(error)),
        event_handler: |framework, event| Box::pin(on_event(framework, event)),
        allowed_mentions: Some(mentions),
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
        let (app, client, stop, commands) = (app.clone(), client.clone(), stop.clone(), commands.clone());
        let (seal, durable) = (seal.clone(), durable.clone());
        move |ctx: &serenity::Context, ready: &serenity::Ready, framework: &poise::Framework<Data, Error>| {
            announce(ctx, ready, framework, intents);
            let (rest, limits) = (Rest::new(client, ctx.http.clone()), Arc::new(LimitBook::default()));
            let waiting = Waiting::default();
            durable.start(Arc::new(DiscordHost {
                rest: rest.clone(),
                seal: seal.clone(),
                limits: limits.clone(),
                settings: app.settings.clone(),
                waiting: waiting.clone(),
            }));
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
        bot = serenity::ClientBuilder::new_with_http(http, intents).framework(framework) => bot?,
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
    fn the_token_goes_to_encrypted_gateways_or_to_this_machine() {
        for good in ["wss://gateway.discord.gg", "ws://127.0.0.1:4000/", "ws://[::1]:1", "ws://localhost:9"] {
            assert!(acceptable(good.into()).is_ok(), "{good}");
        }
        for bad in
            ["ws://gateway.discord.gg", "ws://10.0.0.1", "ws://127.0.0.1.evil.example", "http://127.0.0.1", "", "wss:"]
        {
            assert!(matches!(acceptable(bad.into()), Err(RunError::BadGateway(_))), "{bad}");
        }
    }

    #[test]
    fn a_stop_is_over_within_ten_seconds() {
        assert!(STOP_JOBS + STOP_COMMANDS + STOP_GATEWAY < Duration::from_secs(9));
    }
}
