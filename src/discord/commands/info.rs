//! `info`: what this bot is.

use crate::discord::{
    texts,
    types::{Context, Error},
};

/// Say what I am and what I can do
#[poise::command(
    slash_command,
    prefix_command,
    category = "About me",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn info(ctx: Context<'_>) -> Result<(), Error> {
    let data = ctx.data();
    let platforms: Vec<_> = data.app.registry.iter().map(|platform| platform.name()).collect();
    let settings = &data.app.settings;
    let kept = data.app.artifacts.as_ref().map(|_| settings.artifacts.keep);
    let text = texts::info(&settings.discord.prefix, &platforms, data.reads_messages, kept);
    ctx.send(poise::CreateReply::default().content(text).reply(true)).await?;
    Ok(())
}
