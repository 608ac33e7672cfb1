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
    let text = texts::info(&data.app.settings.discord.prefix, &platforms, data.reads_messages);
    ctx.send(poise::CreateReply::default().content(text).reply(true)).await?;
    Ok(())
}
