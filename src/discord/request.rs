//! From a command to a job and back: what `download`, `download-only`, `yt-download` and `metadata` have in common.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use url::Url;

use super::{
    address::{self, Address, Answering},
    host::Asked,
    limits::{self, Place},
    live::Live,
    permissions,
    rest::Route,
    texts,
    types::{Context, Data, Error},
};
use crate::{
    artifacts::ArtifactKey,
    fetch::previews,
    jobs::{
        durable::ATTEMPTS,
        store::{self, Enqueued, NewJob, Priority},
    },
    model::{self, Kind, Options, Origin, Request, Requester, Resource, ResourceKind, UploadLimit},
};

/// Where the files of a request go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Into the conversation.
    Here,
    /// Into `DOWNLOAD_DIR`.
    Server,
}

/// How long writing a command down may take: Discord waits three seconds for the first answer to it.
const WRITE_DOWN: Duration = Duration::from_millis(1500);

/// How long it may take to find out whether a link was posted already.
const LOOK_BACK: Duration = Duration::from_millis(800);

/// A job that was written down runs after this even if it was never released: then whoever wrote it down is gone.
const HOLD: i64 = 10_000;

/// How long, and how often, a command that may have been written down after all is called off.
const CALL_OFF: Duration = Duration::from_secs(60);
const CALL_OFF_PAUSE: Duration = Duration::from_secs(1);

/// Writes down what is wanted of a link, acknowledges the command, and leaves the rest to whichever worker claims the job.
///
/// What was posted in this channel lately is pointed at instead, unless it is wanted by force.
///
/// In this order, so that nothing is lost: what dies after the first step is answered by the job, which runs by itself a
/// little later. And nothing is done twice: of several processes that see the same command, only the one whose row it is
/// goes on.
///
/// # Errors
/// When not even the live message could be written. Everything else is said in it.
pub async fn download(ctx: Context<'_>, url: Url, options: Options, target: Target) -> Result<(), Error> {
    let data = ctx.data();
    let _alive = data.commands.token();
    if !may_begin(ctx, target == Target::Here).await? {
        return Ok(());
    }
    let id = store::new_id();
    let span = tracing::info_span!("request", %id);
    async {
        let store = data.durable.store();
        let force = options.force;
        let job = job(ctx, &id, Asked { url, options, requester: requester(ctx) }, target)?;
        let same = job.key.clone().filter(|_| target == Target::Here && !force);
        match tokio::time::timeout(WRITE_DOWN, store.enqueue(job)).await {
            Ok(Ok(Enqueued::New)) => {}
            Ok(Ok(Enqueued::Known)) => {
                tracing::info!("another process of this bot has this command");
                return Ok(());
            }
            failed => {
                let reason = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => format!("no answer within {WRITE_DOWN:?}"),
                };
                tracing::error!(reason, "a command could not be written down");
                call_off(data, id.clone());
                let reply = poise::CreateReply::default().content(texts::not_recorded());
                ctx.send(reply.ephemeral(true).reply(true)).await?;
                return Ok(());
            }
        }
        // Only now: of several processes one answers.
        if let Some(key) = same
            && let Some(link) = posted_already(ctx, &key).await
        {
            tracing::info!("pointed at what was posted already");
            call_off(data, id.clone());
            let again = if matches!(ctx, Context::Prefix(_)) { "--force" } else { "force:True" };
            let reply = poise::CreateReply::default().content(texts::posted_already(&link, again));
            ctx.send(reply.ephemeral(true).reply(true)).await?;
            return Ok(());
        }
        let live = match begin(ctx, &id, target).await {
            Ok(Some(live)) => Arc::new(live),
            nothing => {
                call_off(data, id.clone());
                return nothing.map(drop);
            }
        };
        let address = serde_json::to_value(live.address().await).unwrap_or_default();
        data.waiting.put(&id, live);
        match tokio::time::timeout(WRITE_DOWN, store.release(&id, address)).await {
            Ok(Ok(true)) => {}
            // Answering took so long that the job has begun by itself: its worker has found the same message.
            Ok(Ok(false)) => drop(data.waiting.take(&id)),
            Ok(Err(error)) => tracing::warn!(%error, "a job was not released: it begins by itself in a moment"),
            Err(_) => tracing::warn!("a job was not released in time: it begins by itself in a moment"),
        }
        data.waiting.in_line(&id, store, &data.stop).await;
        Ok(())
    }
    .instrument(span)
    .await
}

/// The row of a command.
fn job(ctx: Context<'_>, id: &str, asked: Asked, target: Target) -> Result<NewJob, model::Error> {
    let odd = |error: serde_json::Error| model::Error::internal(format!("a request cannot be written down: {error}"));
    let Requester { user, guild, channel, .. } = asked.requester;
    let source = match ctx {
        Context::Application(app) => format!("i:{}", app.interaction.id),
        Context::Prefix(prefix) => format!("m:{}", prefix.msg.id),
    };
    let routed = ctx.data().app.strategy.route(&asked.url);
    let key = routed.as_ref().ok().and_then(|routed| key(&routed.resource, &asked.options, target));
    Ok(NewJob {
        id: id.to_owned(),
        source: Some(source),
        key,
        group: match (guild, user) {
            (Some(guild), _) => format!("guild:{guild}"),
            (None, Some(user)) => format!("user:{user}"),
            (None, None) => "nobody".to_owned(),
        },
        user,
        guild,
        channel,
        platform: routed.map_or_else(|_| "unknown".to_owned(), |routed| routed.resource.platform.to_string()),
        priority: Priority::Interactive,
        run_at: store::now() + HOLD,
        max_attempts: ATTEMPTS,
        request: serde_json::to_value(asked).map_err(odd)?,
        address: serde_json::to_value(address(ctx, id, target)).map_err(odd)?,
    })
}

/// What makes two jobs the same: the second finds what the first has loaded, and what one has posted answers the other. `None`:
/// what is behind the link may be something else each time.
fn key(resource: &Resource, options: &Options, target: Target) -> Option<String> {
    let lasting = resource.kind.is_lasting() || resource.kind == ResourceKind::ShortLink;
    let wanted = serde_json::to_string(&(Options { force: false, ..options.clone() }, target)).ok()?;
    lasting.then(|| ArtifactKey::of(&["job", &resource.key(), &wanted]).as_str().to_owned())
}

/// A link to the message with the media of this key in this channel, if there was one lately and it is still there.
async fn posted_already(ctx: Context<'_>, key: &str) -> Option<String> {
    let data = ctx.data();
    let within =
        i64::try_from(data.app.settings.discord.posted_already.as_millis()).ok().filter(|within| *within > 0)?;
    let look = async {
        let found = data.durable.store().posted(key, ctx.channel_id().get(), store::now().saturating_sub(within)).await;
        let at = found.inspect_err(|error| tracing::warn!(%error, "what was posted is not known")).ok().flatten()?;
        // Without its files it is not worth a jump.
        let (sent, files) = data.rest.look(Route::Edit(at.channel.into(), at.message.into())).await?;
        (files > 0).then(|| address::jump(ctx.guild_id(), sent.channel, sent.message))
    };
    tokio::time::timeout(LOOK_BACK, look).await.ok().flatten()
}

/// Calls a job off that nobody shall hear of, also when the database does not answer at once.
fn call_off(data: &Data, id: String) {
    let store = data.durable.store().clone();
    data.commands.spawn(async move {
        let tries = async {
            while let Err(error) = store.cancel(&id).await {
                tracing::debug!(%error, id, "a job could not be called off yet");
                tokio::time::sleep(CALL_OFF_PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(CALL_OFF, tries).await;
    });
}

/// Looks at a link and says what it holds.
///
/// # Errors
/// When not even the live message could be written.
pub async fn metadata(ctx: Context<'_>, url: Url) -> Result<(), Error> {
    let data = ctx.data();
    let _alive = data.commands.token();
    if !may_begin(ctx, false).await? {
        return Ok(());
    }
    let request = Request::new(url, Options { metadata_only: true, ..Options::default() }, requester(ctx));
    let span = tracing::info_span!("request", id = %request.id);
    async {
        let Some(live) = begin(ctx, &request.id, Target::Here).await? else { return Ok(()) };
        let text = match data.app.jobs.metadata(&request, &data.stop.child_token()).await {
            Ok(metadata) => {
                let place = Place::of(ctx.guild_id(), ctx.channel_id());
                let limit = UploadLimit { per_file: data.limits.limit(place, told(ctx)) };
                let means = data.app.media.means();
                texts::metadata(&metadata, &previews(&metadata, &request.options, Some(limit), &means))
            }
            Err(error) if *error.kind() == Kind::Cancelled && data.stop.is_cancelled() => texts::stopped(),
            Err(error) => {
                tracing::info!(code = error.code(), reason = error.operator_text(), "no metadata");
                texts::failed(&error)
            }
        };
        live.finish(&text).await;
        Ok(())
    }
    .instrument(span)
    .await
}

/// Whether to begin at all; says why not.
async fn may_begin(ctx: Context<'_>, files: bool) -> Result<bool, Error> {
    let missing = permissions::missing(ctx, files);
    let text = if ctx.data().stop.is_cancelled() {
        texts::stopped()
    } else if missing.is_empty() {
        return Ok(true);
    } else {
        tracing::warn!(guild = ?ctx.guild_id(), channel = %ctx.channel_id(), %missing, "permissions are missing");
        let silent = serenity::Permissions::SEND_MESSAGES
            | serenity::Permissions::SEND_MESSAGES_IN_THREADS
            | serenity::Permissions::VIEW_CHANNEL;
        if matches!(ctx, Context::Prefix(_)) && missing.intersects(silent) {
            return Ok(false);
        }
        texts::missing_permissions(missing)
    };
    ctx.send(poise::CreateReply::default().content(text).ephemeral(true).reply(true)).await?;
    Ok(false)
}

/// Where a command was given, as it is before it is answered.
fn address(ctx: Context<'_>, id: &str, target: Target) -> Address {
    let (asked, interaction) = match ctx {
        Context::Application(app) => (None, Answering::of(app.interaction, id, &ctx.data().seal)),
        Context::Prefix(prefix) => (Some(prefix.msg.id), None),
    };
    let (guild, channel, told) = (ctx.guild_id(), ctx.channel_id(), told(ctx));
    Address { guild, channel, asked, interaction, message: None, target, told }
}

/// Acknowledges the command and returns its live message. `None`: another process of this bot is at it already.
async fn begin(ctx: Context<'_>, id: &str, target: Target) -> Result<Option<Live>, Error> {
    let data = ctx.data();
    let live = Live::at(data.rest.clone(), id, address(ctx, id, target), &data.seal);
    if let Context::Application(_) = ctx {
        match acknowledge(ctx).await {
            Acknowledged::Yes => {}
            // There is still the channel.
            Acknowledged::TooLate => live.without_interaction().await,
            Acknowledged::ByAnother => return Ok(None),
        }
    }
    live.begin(&texts::begin()).await.map_err(|error| Error::Discord(error.to_string()))?;
    Ok(Some(live))
}

/// What became of an acknowledgement.
enum Acknowledged {
    Yes,
    TooLate,
    ByAnother,
}

/// "Interaction has already been acknowledged" and "unknown interaction", Discord's codes.
const ALREADY_ACKNOWLEDGED: isize = 40_060;
const UNKNOWN_INTERACTION: isize = 10_062;

/// Acknowledges an interaction. A lost answer is no loss: the second try tells whether the first one arrived.
async fn acknowledge(ctx: Context<'_>) -> Acknowledged {
    for attempt in 0..2 {
        let Err(error) = ctx.defer().await else { return Acknowledged::Yes };
        let code = match &error {
            serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(response)) => response.error.code,
            _ => 0,
        };
        tracing::warn!(attempt, error = %Error::from(error), "the interaction could not be acknowledged");
        match code {
            ALREADY_ACKNOWLEDGED if attempt == 0 => return Acknowledged::ByAnother,
            ALREADY_ACKNOWLEDGED => return Acknowledged::Yes,
            UNKNOWN_INTERACTION => return Acknowledged::TooLate,
            _ => {}
        }
    }
    Acknowledged::TooLate
}

/// The upload limit that Discord tells for this command, in bytes a file.
pub fn told(ctx: Context<'_>) -> u64 {
    let interaction = match ctx {
        Context::Application(app) => Some(app.interaction.attachment_size_limit),
        Context::Prefix(_) => None,
    };
    let tier = ctx.guild().map(|guild| guild.premium_tier);
    limits::told(interaction, tier, ctx.data().app.settings.compression.base_upload_bytes)
}

fn requester(ctx: Context<'_>) -> Requester {
    Requester {
        origin: match ctx {
            Context::Application(_) => Origin::Interaction,
            Context::Prefix(_) => Origin::Message,
        },
        user: Some(ctx.author().id.get()),
        guild: ctx.guild_id().map(serenity::GuildId::get),
        channel: Some(ctx.channel_id().get()),
    }
}
