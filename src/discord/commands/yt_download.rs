//! `yt-download`: `download` for YouTube, with its qualities.

use crate::{
    discord::{
        link::{Ask, QualityChoice},
        request::{self, Target},
        texts,
        types::{Context, Error},
    },
    model::Options,
};

/// Get a YouTube video, in the quality you choose
///
/// Qualities: `4K`, `2K`, `1080p`, `720p`, `480p`, `360p`, `best`, `worst`. `--audio` gives only the sound.
/// What is too large for this place is made to fit.
#[poise::command(
    slash_command,
    prefix_command,
    rename = "yt-download",
    category = "Media",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn yt_download(
    ctx: Context<'_>,
    #[description = "Link to the YouTube video"] url: Ask,
    #[description = "The best picture you want (default: as good as fits)"] quality: Option<QualityChoice>,
    #[description = "Only the sound"] audio_only: Option<bool>,
) -> Result<(), Error> {
    let wish = url.0?;
    let routed = ctx.data().app.strategy.route(&wish.url);
    if !routed.is_ok_and(|routed| routed.resource.platform.0 == "youtube") {
        ctx.send(poise::CreateReply::default().content(texts::not_youtube()).ephemeral(true).reply(true)).await?;
        return Ok(());
    }
    let options = Options {
        quality: quality.map(|choice| choice.0).or(wish.quality).unwrap_or_default(),
        audio_only: audio_only.or(wish.audio_only).unwrap_or_default(),
        ..Options::default()
    };
    request::download(ctx, wish.url, options, Target::Here).await
}
