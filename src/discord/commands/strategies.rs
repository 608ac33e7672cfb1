//! `strategies`: how each platform is asked, and how that fares.

use crate::discord::{
    texts,
    types::{Context, Error},
};

/// Show how each platform is asked, and how that has gone lately
#[poise::command(
    slash_command,
    prefix_command,
    category = "About me",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn strategies(ctx: Context<'_>) -> Result<(), Error> {
    let text = texts::strategies(&ctx.data().app.strategy.health());
    ctx.send(poise::CreateReply::default().content(text).reply(true)).await?;
    Ok(())
}
