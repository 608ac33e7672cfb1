//! `download`: the main job.

use crate::{
    discord::{
        link::{Ask, Choice, Fields},
        request::{self, Target},
        types::{Context, Error},
    },
    model::{AudioFormat, Options, Quality, Speed},
};

/// Get the media of a post and show it right here
///
/// The files come in the order of the post, made to fit the upload limit of this place.
/// After the link you can say, in any order: a quality (`720p`, `best`, `worst` …), `--audio` for sound only (`--mp3`, \
/// `--m4a`, `--opus` as such a file), `--mute`, `--start 0:10`, `--end 0:20`, `--gif`, `--split` for parts without loss, \
/// `--fast` or `--best`, `--size 5MB`, `--no-upload` to keep the files on the server instead, `--thread` for the earlier \
/// posts of the same thread, too, `--force` to ask the platform anew and post it again.
#[poise::command(
    slash_command,
    prefix_command,
    category = "Media",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
#[expect(clippy::too_many_arguments, reason = "each is a field of the slash command")]
pub async fn download(
    ctx: Context<'_>,
    #[description = "Link to the post or video"] url: Ask,
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
    #[description = "Post the files here (default). No: keep them on the server"] upload: Option<bool>,
    #[description = "With the earlier posts of the same thread (X)"] thread: Option<bool>,
    #[description = "Ask the platform anew, whatever I remember"] force: Option<bool>,
) -> Result<(), Error> {
    let wish = url.0?;
    let fields = Fields { quality, audio_only, audio_format, mute, start, end, gif, split, speed, size };
    let options = Options {
        thread: thread.or(wish.thread).unwrap_or_default(),
        force: force.or(wish.force).unwrap_or_default(),
        ..fields.options(wish.wishes)?
    };
    let target = if upload.or(wish.upload).unwrap_or(true) { Target::Here } else { Target::Server };
    request::download(ctx, wish.url, options, target).await
}
