//! `queue`: what runs and waits here, and what may be done about it. People decide about their own requests, moderators about
//! all of their server's. In a direct message everything that is shown is one's own.
//!
//! All of it is the database's: whichever process is asked, and after every restart.

use poise::serenity_prelude as serenity;

use super::{answer, told};
use crate::{
    discord::{
        host, permissions, texts,
        texts::queue::{Unfound, Viewer},
        types::{Context, Error},
    },
    jobs::store::{InLine, JobRow, JobStore, Line, Scope, State, StoreError, Whose},
};

/// Open jobs of a server that are looked at; of more only the first are shown and dealt with.
const MOST: usize = 500;

/// Jobs that are offered to choose from: Discord takes no more.
const CHOICES: usize = 25;

/// Show what is running and waiting here, and change it
///
/// Each request has a sign, such as `3f9a1c`, by which it can be called off, paused and resumed: your own by you, everybody's by \
/// moderators (Manage Messages or Manage Server).
#[poise::command(
    slash_command,
    prefix_command,
    category = "About me",
    subcommands("list", "remove", "clear", "pause", "resume"),
    install_context = "Guild|User",
    interaction_context = "Guild|BotDm|PrivateChannel"
)]
pub async fn queue(ctx: Context<'_>, #[description = "Which page"] page: Option<u32>) -> Result<(), Error> {
    show(ctx, page).await
}

/// Show what is running and waiting here
#[poise::command(slash_command, prefix_command)]
pub async fn list(
    ctx: Context<'_>,
    #[description = "Which page"]
    #[min = 1]
    page: Option<u32>,
) -> Result<(), Error> {
    show(ctx, page).await
}

/// Call a request off, whether it waits or runs
#[poise::command(slash_command, prefix_command)]
pub async fn remove(
    ctx: Context<'_>,
    #[description = "Which one: its sign in the list"]
    #[autocomplete = "choices"]
    job: String,
) -> Result<(), Error> {
    let viewer = viewer(ctx);
    let Some(line) = line(ctx, viewer).await else { return answer(ctx, &texts::not_known()).await };
    let row = match find(&line, &job, viewer) {
        Ok(found) => &found.row,
        Err(unfound) => return answer(ctx, &texts::queue::unfound(unfound, &job)).await,
    };
    let text = match told("calling a job off", ctx.data().durable.store().call_off(&row.id)).await {
        None => texts::not_known(),
        Some(None) => texts::queue::unfound(Unfound::Gone, &job),
        Some(Some(State::Cancelled)) => {
            say_so(ctx, vec![row.clone()]);
            texts::queue::removed(false)
        }
        // Its worker says so.
        Some(Some(_)) => texts::queue::removed(true),
    };
    answer(ctx, &text).await
}

/// Call off all your requests that wait; what runs goes on
///
/// Moderators call off everybody's with `all`.
#[poise::command(slash_command, prefix_command)]
pub async fn clear(
    ctx: Context<'_>,
    #[description = "Everybody's, not only yours (moderators)"]
    #[flag]
    all: bool,
) -> Result<(), Error> {
    let viewer = viewer(ctx);
    if all && viewer.guild.is_some() && !viewer.moderates {
        return answer(ctx, &texts::queue::moderators_only()).await;
    }
    // Many of them may take longer than Discord waits.
    ctx.defer_ephemeral().await?;
    let Some(line) = line(ctx, viewer).await else { return answer(ctx, &texts::not_known()).await };
    let wanted = |one: &&InLine| one.row.state == State::Queued && (all || viewer.is_asker(&one.row));
    let (mut gone, mut known) = (Vec::new(), true);
    for one in line.jobs.iter().filter(wanted) {
        match told("calling a job off", ctx.data().durable.store().call_off(&one.row.id)).await {
            Some(Some(State::Cancelled)) => gone.push(one.row.clone()),
            // It has just begun or ended.
            Some(_) => {}
            None => {
                known = false;
                break;
            }
        }
    }
    let count = gone.len();
    say_so(ctx, gone);
    let text = if known { texts::queue::cleared(count, line.total > line.jobs.len()) } else { texts::not_known() };
    answer(ctx, &text).await
}

/// Let nothing new begin: one request of yours, or all here (moderators)
#[poise::command(slash_command, prefix_command)]
pub async fn pause(
    ctx: Context<'_>,
    #[description = "Which one: its sign in the list"]
    #[autocomplete = "choices"]
    job: Option<String>,
) -> Result<(), Error> {
    hold(ctx, job, true).await
}

/// Let what is paused begin again: one request of yours, or all here (moderators)
#[poise::command(slash_command, prefix_command)]
pub async fn resume(
    ctx: Context<'_>,
    #[description = "Which one: its sign in the list"]
    #[autocomplete = "choices"]
    job: Option<String>,
) -> Result<(), Error> {
    hold(ctx, job, false).await
}

async fn show(ctx: Context<'_>, page: Option<u32>) -> Result<(), Error> {
    let viewer = viewer(ctx);
    let asked = async {
        let store = ctx.data().durable.store();
        Ok::<_, StoreError>((store.line(viewer.whose(), MOST).await?, store.is_paused(viewer.guild).await?))
    };
    let text = match told("listing the queue", asked).await {
        Some((line, paused)) => {
            let page = page.map_or(0, |page| usize::try_from(page).unwrap_or(usize::MAX).saturating_sub(1));
            texts::queue::list(&line, paused, page, viewer)
        }
        None => texts::not_known(),
    };
    answer(ctx, &text).await
}

/// Pauses or resumes a request; without one, the whole server, or in direct messages all of one's own.
async fn hold(ctx: Context<'_>, job: Option<String>, pause: bool) -> Result<(), Error> {
    let viewer = viewer(ctx);
    let store = ctx.data().durable.store();
    let what = if pause { "pausing" } else { "resuming" };
    let text = match (job, viewer.guild) {
        (Some(word), _) => {
            let Some(line) = line(ctx, viewer).await else { return answer(ctx, &texts::not_known()).await };
            match find(&line, &word, viewer) {
                Err(unfound) => texts::queue::unfound(unfound, &word),
                Ok(found) if found.row.state != State::Queued => texts::queue::runs_already(),
                Ok(found) => match told(what, change(store, pause, Scope::Job(found.row.id.clone()))).await {
                    Some(changed) => texts::queue::held_one(pause, changed, !pause && found.held && !found.row.paused),
                    None => texts::not_known(),
                },
            }
        }
        (None, Some(_)) if !viewer.moderates => texts::queue::moderators_only(),
        (None, Some(guild)) => match told(what, change(store, pause, Scope::Guild(guild))).await {
            Some(changed) => texts::queue::held_all(pause, changed),
            None => texts::not_known(),
        },
        (None, None) => {
            let Some(line) = line(ctx, viewer).await else { return answer(ctx, &texts::not_known()).await };
            let mut changed = Some(0);
            for one in line.jobs.iter().filter(|one| one.row.state == State::Queued) {
                let done = told(what, change(store, pause, Scope::Job(one.row.id.clone()))).await;
                changed = changed.zip(done).map(|(count, done)| count + usize::from(done));
            }
            changed.map_or_else(texts::not_known, |count| texts::queue::held_own(pause, count))
        }
    };
    answer(ctx, &text).await
}

async fn change(store: &JobStore, pause: bool, scope: Scope) -> Result<bool, StoreError> {
    if pause { store.pause(scope).await } else { store.resume(scope).await }
}

fn viewer(ctx: Context<'_>) -> Viewer {
    Viewer {
        user: ctx.author().id.get(),
        guild: ctx.guild_id().map(serenity::GuildId::get),
        channel: ctx.channel_id().get(),
        moderates: permissions::moderates(ctx),
    }
}

impl Viewer {
    /// The jobs that are shown.
    fn whose(self) -> Whose {
        self.guild.map_or(Whose::User(self.user), Whose::Guild)
    }

    fn is_asker(self, row: &JobRow) -> bool {
        row.user == Some(self.user)
    }

    fn may_change(self, row: &JobRow) -> bool {
        self.moderates || self.is_asker(row)
    }
}

async fn line(ctx: Context<'_>, viewer: Viewer) -> Option<Line> {
    told("listing the queue", ctx.data().durable.store().line(viewer.whose(), MOST)).await
}

/// The job that a sign means, if it may be changed: the end of an id, as long as no other ends so.
fn find<'a>(line: &'a Line, sign: &str, viewer: Viewer) -> Result<&'a InLine, Unfound> {
    let sign = sign.trim().trim_matches(['`', '#']).to_ascii_lowercase();
    if sign.len() < texts::queue::SIGN || !sign.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Unfound::NoSign);
    }
    let mut found = line.jobs.iter().filter(|one| one.row.id.ends_with(&sign));
    match (found.next(), found.next()) {
        (None, _) => Err(Unfound::Gone),
        (Some(_), Some(_)) => Err(Unfound::Several),
        (Some(one), None) if viewer.may_change(&one.row) => Ok(one),
        (Some(_), None) => Err(Unfound::NotYours),
    }
}

/// Says on the live messages of jobs that they were called off. Nobody waits for it but a stop.
fn say_so(ctx: Context<'_>, rows: Vec<JobRow>) {
    let data = ctx.data();
    let (waiting, rest, seal) = (data.waiting.clone(), data.rest.clone(), data.seal.clone());
    data.commands.spawn(async move {
        for row in rows {
            host::say_called_off(&waiting, rest.clone(), &seal, &row).await;
        }
    });
}

/// What somebody who types a sign may choose from.
async fn choices(ctx: Context<'_>, partial: &str) -> serenity::CreateAutocompleteResponse {
    let viewer = viewer(ctx);
    let line = line(ctx, viewer).await.unwrap_or_default();
    let (partial, long) = (partial.trim().to_lowercase(), texts::queue::sign_length(&line));
    let mine = line.jobs.iter().filter(|one| viewer.may_change(&one.row));
    mine.map(|one| (texts::queue::choice(one, long), texts::queue::sign(&one.row.id, long)))
        .filter(|(name, _)| name.to_lowercase().contains(&partial))
        .take(CHOICES)
        .fold(serenity::CreateAutocompleteResponse::new(), |response, (name, sign)| {
            response.add_string_choice(name, sign)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::texts::queue::tests::waiting;

    #[test]
    fn a_sign_means_one_job_of_those_that_may_be_changed() {
        let jobs = vec![waiting("00aaaaaa", 1), waiting("11aaaaaa", 2), waiting("00bbbbbb", 2)];
        let line = Line { total: jobs.len(), jobs };
        let ann = Viewer { user: 1, guild: Some(9), channel: 5, moderates: false };
        let found = |sign: &str, viewer| find(&line, sign, viewer).map(|one| one.row.id.as_str());
        for (sign, expected) in [
            ("00aaaaaa", Ok("00aaaaaa")),
            (" `00AAAAAA` ", Ok("00aaaaaa")),
            ("aaaaaa", Err(Unfound::Several)),
            ("bbbbbb", Err(Unfound::NotYours)),
            ("cccccc", Err(Unfound::Gone)),
            ("a", Err(Unfound::NoSign)),
            ("", Err(Unfound::NoSign)),
            ("%aaaaa", Err(Unfound::NoSign)),
        ] {
            assert_eq!(found(sign, ann), expected, "{sign:?}");
        }
        let moderator = Viewer { user: 3, moderates: true, ..ann };
        assert_eq!(found("bbbbbb", moderator), Ok("00bbbbbb"));
        assert_eq!(texts::queue::sign_length(&line), 7, "as long as it takes to tell them apart");
    }
}
