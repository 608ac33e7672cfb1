//! `status`: what is going on.

use std::time::Duration;

use crate::discord::{
    commands::told,
    limits::Place,
    request, texts,
    types::{Context, Error},
};

/// Show what I am working on
#[poise::command(
    slash_command,
    prefix_command,
    category = "About me",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn status(ctx: Context<'_>) -> Result<(), Error> {
    let data = ctx.data();
    let ping = Some(ctx.ping().await).filter(|ping| *ping > Duration::ZERO);
    let limit = data.limits.limit(Place::of(ctx.guild_id(), ctx.channel_id()), request::told(ctx));
    // What this process knows is better than nothing.
    let counts = told("counting the queue", data.durable.store().counts()).await;
    let text = texts::status(counts, data.app.jobs.status(), data.started.elapsed(), ping, limit);
    let text = if data.waiting.is_unattended() { text + &texts::nobody_works() } else { text };
    ctx.send(poise::CreateReply::default().content(text).reply(true)).await?;
    Ok(())
}
