//! `download-only`: files stay on the server.

use crate::{
    discord::{
        link::{Ask, Choice, Fields},
        request::{self, Target},
        types::{Context, Error},
    },
    model::{AudioFormat, Options, Quality, Speed},
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
#[expect(clippy::too_many_arguments, reason = "each is a field of the slash command")]
pub async fn download_only(
    ctx: Context<'_>,
    #[description = "Link to the post or video"] url: Ask,
    #[description = "The best picture you want"] quality: Option<Choice<Quality>>,
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
    let fields = Fields { quality, audio_only, audio_format, mute, start, end, gif, split, speed, size };
    let force = force.or(wish.force).unwrap_or_default();
    let options = Options { force, ..fields.options(wish.wishes)? };
    request::download(ctx, wish.url, options, Target::Server).await
}
