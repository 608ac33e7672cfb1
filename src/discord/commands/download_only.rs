//! `download-only`: files stay on the server.

use crate::{
    discord::{
        link::{Ask, QualityChoice},
        request::{self, Target},
        types::{Context, Error},
    },
    model::Options,
};

/// Save the media of a post on the bot's server without posting it
///
/// The files are kept at full quality in the bot's download folder; I tell you their names.
#[poise::command(
    slash_command,
    prefix_command,
    rename = "download-only",
    category = "Media",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn download_only(
    ctx: Context<'_>,
    #[description = "Link to the post or video"] url: Ask,
    #[description = "The best picture you want"] quality: Option<QualityChoice>,
    #[description = "Only the sound"] audio_only: Option<bool>,
) -> Result<(), Error> {
    let wish = url.0?;
    let options = Options {
        quality: quality.map(|choice| choice.0).or(wish.quality).unwrap_or_default(),
        audio_only: audio_only.or(wish.audio_only).unwrap_or_default(),
        ..Options::default()
    };
    request::download(ctx, wish.url, options, Target::Server).await
}
