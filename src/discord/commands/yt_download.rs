//! `yt-download`: `download` for YouTube, with its qualities.

use crate::{
    discord::{
        link::{Ask, Choice, Fields},
        request::{self, Target},
        texts,
        types::{Context, Error},
    },
    model::{AudioFormat, Options, Quality, Speed},
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
#[expect(clippy::too_many_arguments, reason = "each is a field of the slash command")]
pub async fn yt_download(
    ctx: Context<'_>,
    #[description = "Link to the YouTube video"] url: Ask,
    #[description = "The best picture you want (default: as good as fits)"] quality: Option<Choice<Quality>>,
    #[description = "Only the sound"] audio_only: Option<bool>,
    #[description = "Only the sound, as this kind of file"] audio_format: Option<Choice<AudioFormat>>,
    #[description = "Without sound"] mute: Option<bool>,
    #[description = "Begin here: 90, 1:30 or 1m30s"] start: Option<String>,
    #[description = "End here, counted from the beginning of the clip"] end: Option<String>,
    #[description = "A GIF instead of a video, at most 15 seconds"] gif: Option<bool>,
    #[description = "Parts without loss instead of one compressed file"] split: Option<bool>,
    #[description = "Sooner, or better looking"] speed: Option<Choice<Speed>>,
    #[description = "At most this large, such as 5MB"] size: Option<String>,
    #[description = "Ask the platform anew, whatever I remember"] force: Option<bool>,
) -> Result<(), Error> {
    let wish = url.0?;
    let routed = ctx.data().app.strategy.route(&wish.url);
    if !routed.is_ok_and(|routed| routed.resource.platform.0 == "youtube") {
        ctx.send(poise::CreateReply::default().content(texts::not_youtube()).ephemeral(true).reply(true)).await?;
        return Ok(());
    }
    let fields = Fields { quality, audio_only, audio_format, mute, start, end, gif, split, speed, size };
    let force = force.or(wish.force).unwrap_or_default();
    let options = Options { force, ..fields.options(wish.wishes)? };
    request::download(ctx, wish.url, options, Target::Here).await
}
