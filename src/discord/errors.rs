//! What users read when a command goes wrong, and what the log keeps. poise's own handler would show them everything.

use poise::{FrameworkError, serenity_prelude as serenity};

use super::{
    commands,
    link::ArgumentError,
    texts,
    types::{Context, Data, Error},
};
use crate::model::redact;

/// Handles every error of the framework.
pub async fn on_error(error: FrameworkError<'_, Data, Error>) {
    let said = match error {
        FrameworkError::Setup { error, .. } => {
            tracing::error!(%error, "the setup failed");
            return;
        }
        FrameworkError::EventHandler { error, event, .. } => {
            tracing::error!(%error, event = event.snake_case_name(), "an event was not handled");
            return;
        }
        FrameworkError::Command { error, ctx, .. } => {
            let text = match &error {
                Error::Argument(wrong) => usage(ctx, &wrong.to_string()),
                Error::Failure(failure) => {
                    log(ctx, &format!("{}: {}", failure.code(), failure.operator_text()));
                    texts::failed(failure)
                }
                Error::Discord(reason) => {
                    log(ctx, reason);
                    texts::broken()
                }
            };
            say(ctx, text).await
        }
        FrameworkError::CommandPanic { payload, ctx, .. } => {
            log(ctx, &format!("panic: {}", payload.as_deref().unwrap_or("without words")));
            say(ctx, texts::broken()).await
        }
        FrameworkError::ArgumentParse { error, ctx, .. } => {
            let text = match error.downcast_ref::<ArgumentError>() {
                Some(wrong) => usage(ctx, &wrong.to_string()),
                None if error.is::<poise::TooManyArguments>() => usage(ctx, "That is more than this command takes."),
                None => usage(ctx, "I didn't understand that."),
            };
            say(ctx, text).await
        }
        FrameworkError::SubcommandRequired { ctx } => say(ctx, usage(ctx, "Something is missing after that.")).await,
        FrameworkError::CommandStructureMismatch { description, ctx, .. } => {
            let ctx = Context::Application(ctx);
            log(ctx, description);
            say(ctx, texts::outdated()).await
        }
        FrameworkError::CooldownHit { remaining_cooldown, ctx, .. } => {
            let seconds = remaining_cooldown.as_secs() + 1;
            say(ctx, format!("⏳ Not so fast: try again in {seconds} s.")).await
        }
        FrameworkError::MissingBotPermissions { missing_permissions, ctx, .. } => {
            say(ctx, texts::missing_permissions(missing_permissions)).await
        }
        FrameworkError::MissingUserPermissions { ctx, .. } => {
            say(ctx, "❌ You don't have the permissions for that.".to_owned()).await
        }
        FrameworkError::PermissionFetchFailed { ctx, .. } => {
            say(ctx, "❌ I couldn't check the permissions here. Try again in a moment.".to_owned()).await
        }
        FrameworkError::NotAnOwner { ctx, .. } => say(ctx, "❌ Only the bot's operator can do that.".to_owned()).await,
        FrameworkError::GuildOnly { ctx, .. } => say(ctx, "❌ That works only in a server.".to_owned()).await,
        FrameworkError::DmOnly { ctx, .. } => say(ctx, "❌ That works only in a direct message.".to_owned()).await,
        FrameworkError::NsfwOnly { ctx, .. } => {
            say(ctx, "❌ That works only in an age-restricted channel.".to_owned()).await
        }
        FrameworkError::CommandCheckFailed { error, ctx, .. } => {
            if let Some(error) = error {
                log(ctx, &error.to_string());
            }
            say(ctx, "❌ You can't do that here.".to_owned()).await
        }
        FrameworkError::DynamicPrefix { error, .. } | FrameworkError::NonCommandMessage { error, .. } => {
            tracing::error!(%error, "a message was not looked at");
            return;
        }
        FrameworkError::UnknownCommand { msg, content_start, framework, .. } => {
            unknown_command(framework, msg, usize::from(content_start)).await
        }
        FrameworkError::UnknownInteraction { interaction, framework, .. } => {
            tracing::warn!(name = interaction.data.name, "an interaction for a command that does not exist");
            let message = serenity::CreateInteractionResponseMessage::new().content(texts::outdated()).ephemeral(true);
            let response = serenity::CreateInteractionResponse::Message(message);
            interaction.create_response(framework.serenity_context, response).await.map_err(Error::from)
        }
        // The enum has a hidden variant that cannot exist.
        _ => return,
    };
    if let Err(error) = said {
        tracing::warn!(%error, "an error could not be told");
    }
}

fn log(ctx: Context<'_>, reason: &str) {
    let reason = redact::text(reason);
    tracing::error!(command = %ctx.command().qualified_name, user = %ctx.author().id, reason, "a command failed");
}

/// The sentence with an example of the command it was said about.
fn usage(ctx: Context<'_>, what: &str) -> String {
    let prefix = match ctx {
        Context::Application(_) => "/",
        Context::Prefix(_) => ctx.data().app.settings.discord.prefix.as_str(),
    };
    texts::usage(what, &commands::example(prefix, &ctx.command().qualified_name))
}

/// Answers where the person looks: in the message that says "thinking…", if there is one.
async fn say(ctx: Context<'_>, text: String) -> Result<(), Error> {
    if let Context::Application(app) = ctx
        && app.has_sent_initial_response.load(std::sync::atomic::Ordering::SeqCst)
    {
        let edit = serenity::EditInteractionResponse::new().content(text);
        app.interaction.edit_response(ctx.http(), edit).await?;
        return Ok(());
    }
    ctx.send(poise::CreateReply::default().content(text).ephemeral(true).reply(true)).await?;
    Ok(())
}

/// A message that begins as a command but names none. After a mention somebody surely meant us; after a prefix such as
/// `$` they may have meant another bot or no bot at all, so only what looks like a slip of the finger is answered.
async fn unknown_command(
    framework: poise::FrameworkContext<'_, Data, Error>,
    msg: &serenity::Message,
    content_start: usize,
) -> Result<(), Error> {
    let start = msg.content.get(..content_start).unwrap_or_default();
    let mentioned = start.starts_with("<@");
    let word = msg.content.get(content_start..).unwrap_or_default().split_whitespace().next().unwrap_or_default();
    let names = framework.options.commands.iter().map(|command| command.name.as_ref());
    let near = nearest(word, names);
    if near.is_none() && !mentioned {
        return Ok(());
    }
    let prefix = if mentioned { "@me " } else { start };
    let text = texts::unknown_command(near, prefix);
    let allowed = serenity::CreateAllowedMentions::new().replied_user(false);
    let reply = serenity::CreateMessage::new().content(text).reference_message(msg).allowed_mentions(allowed);
    msg.channel_id.send_message(framework.serenity_context, reply).await?;
    Ok(())
}

/// The name that differs from `word` by at most two typing errors, for words long enough to tell.
fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let close = |name: &&str| word.chars().count() > 3 && distance(&word, name) <= 2;
    names.filter(close).min_by_key(|name| distance(&word, name))
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (y, above) in b.iter().zip(row.iter().skip(1)) {
            let change = diagonal + usize::from(x != *y);
            left = change.min(left + 1).min(above + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let names = ["download", "metadata", "help", "info", "status"];
        for (word, expected) in [
            ("donwload", Some("download")),
            ("Downlaod", Some("download")),
            ("statsu", Some("status")),
            ("metdata", Some("metadata")),
            ("5", None),
            ("5.99", None),
            ("balance", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names.into_iter()), expected, "{word}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
