//! `help`: all commands by category, or one of them with everything it takes.

use std::fmt::Write;

use poise::serenity_prelude as serenity;

use crate::discord::{
    commands::example,
    texts,
    types::{Context, Data, Error},
};

type Command = poise::Command<Data, Error>;

/// Show what I can do, or how one command is used
#[poise::command(
    slash_command,
    prefix_command,
    category = "About me",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn help(
    ctx: Context<'_>,
    #[description = "The command you want to know more about"]
    #[autocomplete = "names"]
    command: Option<String>,
) -> Result<(), Error> {
    let commands = &ctx.framework().options().commands;
    let prefix = match ctx {
        Context::Application(_) => "/",
        Context::Prefix(_) => ctx.data().app.settings.discord.prefix.as_str(),
    };
    let text = match command.as_deref().map(|name| name.trim().trim_start_matches(['/', '$'])) {
        None | Some("") => overview(commands, prefix),
        Some(name) => match commands.iter().find(|command| command.name.eq_ignore_ascii_case(name)) {
            Some(command) => detail(command, prefix),
            None => texts::unknown_command(None, prefix),
        },
    };
    ctx.send(poise::CreateReply::default().content(texts::cut(&text)).reply(true).ephemeral(true)).await?;
    Ok(())
}

async fn names(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let partial = partial.to_lowercase();
    let names = ctx.framework().options().commands.iter().map(|command| command.name.as_ref());
    names
        .filter(|name| name.contains(&partial))
        .take(25)
        .fold(serenity::CreateAutocompleteResponse::new(), |response, name| response.add_string_choice(name, name))
}

fn overview(commands: &[Command], prefix: &str) -> String {
    let mut text = "📖 **What I can do**".to_owned();
    let mut category = None;
    for command in commands {
        if command.category != category {
            category.clone_from(&command.category);
            let _ = write!(text, "\n\n**{}**", category.as_deref().unwrap_or("Other"));
        }
        let description = command.description.as_deref().unwrap_or_default();
        let _ = write!(text, "\n`{prefix}{}` {description}", command.name);
    }
    let _ = write!(
        text,
        "\n\nFor example: `{}`\nMore about one: `{}`. Instead of a prefix you can always mention me.",
        example(prefix, "download"),
        example(prefix, "help"),
    );
    text
}

fn detail(command: &Command, prefix: &str) -> String {
    let mut text = format!("📖 **{prefix}{}**", command.name);
    if let Some(description) = &command.description {
        let _ = write!(text, "\n{description}");
    }
    if let Some(help) = &command.help_text {
        let _ = write!(text, "\n{help}");
    }
    for parameter in &command.parameters {
        let optional = if parameter.required { "" } else { " (optional)" };
        let description = parameter.description.as_deref().unwrap_or_default();
        let _ = write!(text, "\n- `{}`{optional}: {description}", parameter.name);
    }
    for sub in &command.subcommands {
        let description = sub.description.as_deref().unwrap_or_default();
        let _ = write!(text, "\n- `{prefix}{} {}`: {description}", command.name, sub.name);
    }
    let _ = write!(text, "\nFor example: `{}`", example(prefix, &command.name));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::commands::all;

    #[test]
    fn help_names_every_command_and_fits_a_message() {
        let commands = all();
        let overview = overview(&commands, "$");
        assert!(overview.len() < 2000, "{overview}");
        for command in &commands {
            assert!(overview.contains(&format!("`${}`", command.name)), "{overview}");
            let detail = detail(command, "/");
            assert!(detail.len() < 2000 && detail.contains("For example: `/"), "{detail}");
        }
        assert!(detail(&commands[0], "$").contains("`quality` (optional)"));
        let queue = commands.iter().find(|command| command.name == "queue").unwrap();
        assert!(detail(queue, "$").contains("`$queue remove`: "), "{}", detail(queue, "$"));
    }
}
