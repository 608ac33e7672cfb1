//! `download`: the main job.

use crate::{
    discord::{
        link::{Ask, QualityChoice},
        request::{self, Target},
        types::{Context, Error},
    },
    model::Options,
};

/// Get the media of a post and show it right here
///
/// The files come in the order of the post, made to fit the upload limit of this place.
/// After the link you can say, in any order: a quality (`720p`, `best`, `worst` …), `--audio` for sound only, \
/// `--no-upload` to keep the files on the server instead, `--thread` for the earlier posts of the same thread, too, `--force` to ask the platform anew.
#[poise::command(
    slash_command,
    prefix_command,
    category = "Media",
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn download(
    ctx: Context<'_>,
    #[description = "Link to the post or video"] url: Ask,
    #[description = "The best picture you want (default: as good as fits)"] quality: Option<QualityChoice>,
    #[description = "Only the sound"] audio_only: Option<bool>,
    #[description = "Post the files here (default). No: keep them on the server"] upload: Option<bool>,
    #[description = "With the earlier posts of the same thread (X)"] thread: Option<bool>,
    #[description = "Ask the platform anew, whatever I remember"] force: Option<bool>,
) -> Result<(), Error> {
    let wish = url.0?;
    let options = Options {
        quality: quality.map(|choice| choice.0).or(wish.quality).unwrap_or_default(),
        audio_only: audio_only.or(wish.audio_only).unwrap_or_default(),
        thread: thread.or(wish.thread).unwrap_or_default(),
        force: force.or(wish.force).unwrap_or_default(),
        ..Options::default()
    };
    let target = if upload.or(wish.upload).unwrap_or(true) { Target::Here } else { Target::Server };
    request::download(ctx, wish.url, options, target).await
}
