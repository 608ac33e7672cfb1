//! `stats` and `yt-stats`: what came of all that was asked.

use crate::{
    discord::{
        commands::told,
        texts,
        types::{Context, Error},
    },
    jobs::store::{StatsFilter, now},
};

const DAY_MS: i64 = 86_400_000;

/// Show what came of all requests: how many, how large, how fast, and what failed
///
/// In a server it counts that server's requests, in a direct message everybody's. Say a number of days to see the last ones only.
#[poise::command(
    slash_command,
    prefix_command,
    category = "About me",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn stats(
    ctx: Context<'_>,
    #[description = "Only the last so many days"]
    #[min = 1]
    #[max = 3650]
    days: Option<u16>,
) -> Result<(), Error> {
    tell(ctx, None, days).await
}

/// The same for YouTube only
#[poise::command(
    slash_command,
    prefix_command,
    rename = "yt-stats",
    category = "About me",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn yt_stats(
    ctx: Context<'_>,
    #[description = "Only the last so many days"]
    #[min = 1]
    #[max = 3650]
    days: Option<u16>,
) -> Result<(), Error> {
    tell(ctx, Some("youtube"), days).await
}

async fn tell(ctx: Context<'_>, platform: Option<&str>, days: Option<u16>) -> Result<(), Error> {
    let data = ctx.data();
    let filter = StatsFilter {
        guild: ctx.guild_id().map(|guild| guild.get()),
        platform: platform.map(str::to_owned),
        // Today is one of them.
        since: days.map(|days| now() - i64::from(days.max(1) - 1) * DAY_MS),
    };
    let name =
        |id: &str| data.app.registry.get(id).map_or_else(|| id.to_owned(), |platform| platform.name().to_owned());
    let text = match told("counting what was done", data.durable.store().stats(&filter)).await {
        Some(stats) => texts::stats::stats(&stats, &filter, days, name),
        None => texts::not_known(),
    };
    ctx.send(poise::CreateReply::default().content(text).reply(true)).await?;
    Ok(())
}
