//! From a command to a job and back: what `download`, `download-only`, `yt-download` and `metadata` have in common.

use std::{path::Path, sync::Arc};

use poise::serenity_prelude as serenity;
use tracing::Instrument;
use url::Url;

use super::{
    limits::{self, Place},
    live::{Live, Spot},
    permissions, progress,
    rest::Ticket,
    sink::DiscordSink,
    texts,
    types::{Context, Data, Error},
};
use crate::{
    deliver::{self, DirectorySink, Sink},
    fetch::previews,
    model::{Kind, Options, Origin, Outcome, Request, Requester, UploadLimit},
};

/// Where the files of a request go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Into the conversation.
    Here,
    /// Into `DOWNLOAD_DIR`.
    Server,
}

/// Downloads a link and delivers it, with the live message from the first to the last word.
///
/// # Errors
/// When not even the live message could be written. Everything else is said in it.
pub async fn download(ctx: Context<'_>, url: Url, options: Options, target: Target) -> Result<(), Error> {
    let data = ctx.data();
    let _alive = data.commands.token();
    if !may_begin(ctx, target == Target::Here).await? {
        return Ok(());
    }
    let request = Request::new(url, options, requester(ctx));
    let span = tracing::info_span!("request", id = %request.id);
    async {
        let Some(live) = begin(ctx, &request.id).await?.map(Arc::new) else { return Ok(()) };
        let sink: Arc<dyn Sink> = match target {
            Target::Here => Arc::new(DiscordSink {
                live: live.clone(),
                limits: data.limits.clone(),
                place: Place::of(ctx.guild_id(), ctx.channel_id()),
                told: told(ctx),
            }),
            Target::Server => Arc::new(DirectorySink::new(&data.app.settings.downloads.dir, None)),
        };
        let job = data.app.jobs.submit(request, sink);
        let outcome = progress::follow(&live, job, data.app.settings.upload.progress_updates).await;
        if let Some(text) = last_word(data, &outcome, target) {
            live.finish(&text).await;
        }
        Ok(())
    }
    .instrument(span)
    .await
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
        let Some(live) = begin(ctx, &request.id).await? else { return Ok(()) };
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

/// What the live message says in the end. `None`: it has become the files.
fn last_word(data: &Data, outcome: &Outcome, target: Target) -> Option<String> {
    match &outcome.error {
        Some(error) if *error.kind() == Kind::Cancelled && data.stop.is_cancelled() => Some(texts::stopped()),
        Some(error) => Some(texts::failure(outcome, error)),
        None if target == Target::Server => {
            let paths = outcome.posted.places.iter();
            let names: Vec<String> =
                paths.filter_map(|path| Some(Path::new(path).file_name()?.to_string_lossy().into_owned())).collect();
            let warned = deliver::warned(&outcome.posted.warnings).map(|warned| format!("\n{warned}"));
            Some(texts::kept(&names) + &warned.unwrap_or_default())
        }
        None => None,
    }
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

/// Acknowledges the command and returns its live message. `None`: another process of this bot is at it already.
async fn begin(ctx: Context<'_>, id: &str) -> Result<Option<Live>, Error> {
    let rest = ctx.data().rest.clone();
    let spot = |asked| Spot { guild: ctx.guild_id(), channel: ctx.channel_id(), asked };
    match ctx {
        Context::Application(app) => {
            let ticket = Ticket::new(app.interaction.application_id, app.interaction.token.clone());
            match acknowledge(ctx).await {
                Acknowledged::Yes => Ok(Some(Live::of_interaction(rest, spot(None), id, ticket))),
                // There is still the channel.
                Acknowledged::TooLate => in_channel(rest, spot(None), id).await.map(Some),
                Acknowledged::ByAnother => Ok(None),
            }
        }
        Context::Prefix(prefix) => in_channel(rest, spot(Some(prefix.msg.id)), id).await.map(Some),
    }
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

async fn in_channel(rest: super::rest::Rest, spot: Spot, id: &str) -> Result<Live, Error> {
    Live::in_channel(rest, spot, id, &texts::begin()).await.map_err(|error| Error::Discord(error.to_string()))
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
