//! `status`: what is going on.

use std::time::Duration;

use crate::discord::{
    limits::Place,
    request, texts,
    types::{Context, Error},
};

/// How long counting the queue may take: Discord waits three seconds for the answer.
const ASK: Duration = Duration::from_millis(1500);

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
    let mut jobs = data.app.jobs.status();
    match tokio::time::timeout(ASK, data.durable.store().counts()).await {
        Ok(Ok(counts)) => {
            let number = |count| usize::try_from(count).unwrap_or(usize::MAX);
            (jobs.running, jobs.queued) = (number(counts.running), number(counts.queued));
        }
        // What this process knows is better than nothing.
        Ok(Err(error)) => tracing::warn!(%error, "the queue could not be counted"),
        Err(_) => tracing::warn!("the queue could not be counted in time"),
    }
    let text = texts::status(jobs, data.started.elapsed(), ping, limit);
    ctx.send(poise::CreateReply::default().content(text).reply(true)).await?;
    Ok(())
}
