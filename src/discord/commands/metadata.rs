//! `metadata`: what a link holds.

use crate::discord::{
    link::Ask,
    request,
    types::{Context, Error},
};

/// Say what a link holds, without downloading it
#[poise::command(
    slash_command,
    prefix_command,
    category = "Media",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn metadata(ctx: Context<'_>, #[description = "Link to the post or video"] url: Ask) -> Result<(), Error> {
    request::metadata(ctx, url.0?.url).await
}
