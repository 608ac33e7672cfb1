//! `boss-bot recovery`: what failed, why, and doing it again.
//!
//! ```text
//! list ── show ID          what failed, and whether trying again can help
//!   └── create PLAN.json   the same as a file, to look through and to change
//!         └── run          back into the queue: the bot does it and answers where it was asked
//! ```
//!
//! Nothing is downloaded here. A job goes back into the queue of the job store, in one statement that only takes what has
//! ended without success; the bot that runs, or the next one that starts, does the rest as for any job. What a job has posted
//! already it does not post again.

mod advice;
mod job;
mod plan;
mod report;

use std::path::PathBuf;

use clap::Subcommand;

use self::{
    advice::Help,
    job::Lost,
    plan::{Change, Plan},
    report::{Fate, Taken},
};
use super::{Exit, db, output, since::Since};
use crate::{
    jobs::store::{Filter, JobStore, Result, State},
    platforms::Registry,
    settings::Settings,
};

/// Jobs that one command deals with.
const MOST: usize = 10_000;

/// Look at requests from Discord that failed, and do them again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the jobs that failed or need attention, newest first
    #[command(after_help = "\
Examples:
  boss-bot recovery list --since 2h
  boss-bot recovery list --platform twitter --code network --json | jq -r .id

--json prints one object a job: {id, state, platform, link, asked_at, ended_at, user, guild, channel, attempts, code, reason,
help, advice}; `help` says whether trying again can help: yes, change (when something was changed before), or no.")]
    List {
        #[command(flatten)]
        which: Which,
        /// Jobs at the most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// One JSON object a job
        #[arg(long)]
        json: bool,
    },
    /// Tell all that is known of a job: every attempt, why it failed, and what would help
    #[command(after_help = "\
Examples:
  boss-bot recovery show 019aa6f0c3d27b6c9f3a8e51d2b4c607
  boss-bot recovery show --json 019aa6f0c3d27b6c9f3a8e51d2b4c607 | jq .attempts_made

Links are shown without their queries, and nothing that is secret is shown.")]
    Show {
        /// The job, as `recovery list` or the log names it
        #[arg(value_name = "ID")]
        id: String,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write what failed into a file, to be looked through, changed, and run
    #[command(after_help = "\
Examples:
  boss-bot recovery create --file plan.json --since 2h
  boss-bot recovery create --file plan.json --code cannot_fit && $EDITOR plan.json && boss-bot recovery run plan.json

In the file `quality`, `audio_only` and `force` of each job may be changed, and jobs taken out. Everything else is there to be
read. Jobs that trying again cannot help (the post is gone, say) are left out, unless --all is given.")]
    Create {
        /// The file to write; one that is there is not replaced
        #[arg(short, long, value_name = "PLAN.json")]
        file: PathBuf,
        #[command(flatten)]
        which: Which,
        /// Also those that trying again cannot help
        #[arg(long)]
        all: bool,
    },
    /// Put jobs back into the queue: the bot does them and answers where they were asked
    #[command(after_help = "\
Examples:
  boss-bot recovery run --since 2h --platform twitter         # all that an outage cost
  boss-bot recovery run plan.json --dry-run
  boss-bot recovery run 019aa6f0c3d27b6c9f3a8e51d2b4c607

The bot that runs takes them at once; otherwise the next one that starts does. Files that were posted are not posted again. By
filters, jobs that trying again cannot help are left out unless --all is given; a plan and ids are followed as they are. Platforms
are asked anew, whatever is remembered of a link, unless a plan says otherwise.
Exit codes: 0 all of them are in the queue (or there were none), 3 some, 1 none.")]
    Run {
        /// A file that `recovery create` wrote, or the ids of jobs
        #[arg(value_name = "PLAN.json | ID")]
        what: Vec<String>,
        #[command(flatten)]
        which: Which,
        /// Also those that trying again cannot help
        #[arg(long)]
        all: bool,
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// One JSON object a job
        #[arg(long)]
        json: bool,
    },
}

/// Which of the jobs that failed.
#[derive(Debug, Clone, clap::Args)]
struct Which {
    /// Only those that ended since then: 90m, 2h, 3d, 1w ago, or a time as 2026-11-21T18:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,

    /// Only those of this platform, as `strategies` names it
    #[arg(long, value_name = "NAME")]
    platform: Option<String>,

    /// Only those that ended with this error: network, rate_limited, login_required …
    #[arg(long, value_name = "CODE")]
    code: Option<String>,

    /// Only those of this server
    #[arg(long, value_name = "ID")]
    guild: Option<u64>,
}

impl Which {
    fn is_empty(&self) -> bool {
        self.since.is_none() && self.platform.is_none() && self.code.is_none() && self.guild.is_none()
    }

    /// A name that nothing has finds nothing, and that would look like good news.
    fn check(&self, settings: &Settings) -> std::result::Result<(), String> {
        if let Some(name) = &self.platform {
            let registry = Registry::standard(settings);
            if name != "unknown" && registry.get(name).is_none() {
                let known: Vec<&str> = registry.iter().map(|platform| platform.id().0).collect();
                return Err(format!("there is no platform {name:?}: use one of {}", known.join(", ")));
            }
        }
        match &self.code {
            Some(code) if advice::kind(code).is_none() => {
                Err(format!("there is no error {code:?}: `recovery list` shows those that there are"))
            }
            _ => Ok(()),
        }
    }
}

pub(super) async fn execute(args: Args, settings: Settings) -> Exit {
    let wrong = |told: String| {
        eprintln!("boss-bot: {told}");
        Exit::Usage
    };
    let which = match &args.action {
        Action::List { which, .. } | Action::Create { which, .. } | Action::Run { which, .. } => Some(which),
        Action::Show { .. } => None,
    };
    if let Some(Err(told)) = which.map(|which| which.check(&settings)) {
        return wrong(told);
    }
    // Before the database is opened: a plan that is wrong is wrong without it.
    let asked = match &args.action {
        Action::Run { what, which, all, .. } => match Asked::of(what, which, *all) {
            Ok(asked) => Some(asked),
            Err(told) => return wrong(told),
        },
        _ => None,
    };
    let store = match db::open(&settings.database.url).await {
        Ok(store) => store,
        Err(error) => return db::failed(error),
    };
    let done = match args.action {
        Action::List { which, limit, json } => list(&store, &which, limit, json).await,
        Action::Show { id, json } => show(&store, &id, json).await,
        Action::Create { file, which, all } => create(&store, &file, &which, all).await,
        Action::Run { which, all, dry_run, json, .. } => match asked {
            Some(asked) => run(&store, asked, &which, all, dry_run, json).await,
            None => Ok(Exit::Usage),
        },
    };
    store.close().await;
    done.unwrap_or_else(db::failed)
}

/// The jobs that failed, newest first, and whether there are more.
async fn lost(store: &JobStore, which: &Which, most: usize) -> Result<(Vec<Lost>, bool)> {
    let (mut lost, mut before) = (Vec::new(), None);
    loop {
        let page = store
            .list(Filter {
                states: vec![State::Failed, State::NeedsAttention],
                guild: which.guild,
                platform: which.platform.clone(),
                code: which.code.clone(),
                ended_since: which.since.map(|since| since.0),
                before,
                ..Filter::default()
            })
            .await?;
        let last = page.len() < Filter::MOST;
        before = page.last().map(|row| row.id.clone());
        for row in page {
            if lost.len() == most {
                return Ok((lost, true));
            }
            lost.push(Lost::of(row));
        }
        if last {
            return Ok((lost, false));
        }
    }
}

async fn list(store: &JobStore, which: &Which, limit: usize, json: bool) -> Result<Exit> {
    let (lost, more) = lost(store, which, limit.clamp(1, MOST)).await?;
    Ok(output::print(|out| if json { report::json(&lost, out) } else { report::list(&lost, more, out) }))
}

async fn show(store: &JobStore, id: &str, json: bool) -> Result<Exit> {
    let Some(row) = store.get(id).await? else {
        eprintln!("boss-bot: there is no job {id:?}; jobs that ended long ago are forgotten (DATABASE_KEEP_DAYS)");
        return Ok(Exit::Failure);
    };
    let lost = Lost::of(row);
    Ok(output::print(|out| if json { report::show_json(&lost, out) } else { report::show(&lost, out) }))
}

/// Those that trying again can help, and how many others there are.
fn worthwhile(lost: Vec<Lost>, all: bool) -> (Vec<Lost>, usize) {
    let (taken, left): (Vec<_>, Vec<_>) = lost.into_iter().partition(|job| all || job.help() != Help::No);
    (taken, left.len())
}

async fn create(store: &JobStore, file: &std::path::Path, which: &Which, all: bool) -> Result<Exit> {
    let (lost, more) = lost(store, which, MOST).await?;
    let (taken, left) = worthwhile(lost, all);
    if let Err(error) = Plan::of(&taken).write(file) {
        eprintln!("boss-bot: {}: {error}", file.display());
        return Ok(Exit::Failure);
    }
    Ok(output::print(|out| report::created(file, taken.len(), left, more, out)))
}

/// What `run` was asked for.
enum Asked {
    Plan(Plan),
    Ids(Vec<String>),
    Filters,
}

impl Asked {
    fn of(what: &[String], which: &Which, all: bool) -> std::result::Result<Self, String> {
        let looks_like_file = |text: &String| text.ends_with(".json") || text.contains(['/', '.']);
        match what {
            [] if which.is_empty() && !all => {
                Err("say which jobs: a plan, ids, or filters such as --since 2h; --all takes every one".to_owned())
            }
            [] => Ok(Self::Filters),
            _ if !which.is_empty() || all => {
                Err("filters choose jobs, and a plan or ids name them: give one or the other".to_owned())
            }
            [file] if looks_like_file(file) => Plan::read(file.as_ref()).map(Self::Plan),
            ids if ids.iter().any(looks_like_file) => Err("one plan at a time, and without ids beside it".to_owned()),
            ids => {
                let mut named: Vec<String> = Vec::new();
                for id in ids {
                    if !named.contains(id) {
                        named.push(id.clone());
                    }
                }
                Ok(Self::Ids(named))
            }
        }
    }
}

async fn run(store: &JobStore, asked: Asked, which: &Which, all: bool, dry_run: bool, json: bool) -> Result<Exit> {
    let named = !matches!(asked, Asked::Filters);
    let (mut wanted, mut left, mut more) = (Vec::new(), 0, false);
    match asked {
        Asked::Plan(plan) => {
            for job in plan.jobs {
                let row = store.get(&job.id).await?.map(Lost::of);
                wanted.push((job.id.clone(), row, Some(job)));
            }
        }
        Asked::Ids(ids) => {
            for id in ids {
                let row = store.get(&id).await?.map(Lost::of);
                wanted.push((id, row, None));
            }
        }
        Asked::Filters => {
            let (found, cut) = lost(store, which, MOST).await?;
            let (taken, others) = worthwhile(found, all);
            (left, more) = (others, cut);
            wanted.extend(taken.into_iter().map(|job| (job.row.id.clone(), Some(job), None)));
        }
    }
    // Everything that was changed is tried on the job before any of them is begun.
    let (mut ready, mut wrong) = (Vec::new(), Vec::new());
    for (id, job, change) in wanted {
        let request = match (&job, &change) {
            (Some(job), Some(change)) => change.applied(&job.row.request),
            // Of a row that makes no sense nothing can be changed: whoever runs it says so.
            (Some(job), None) => Ok(Change::anew(&id).applied(&job.row.request).unwrap_or_default()),
            (None, _) => Ok(None),
        };
        match request {
            Ok(request) => ready.push((id, job, request)),
            Err(told) => wrong.push(format!("job {id}: {told}")),
        }
    }
    if !wrong.is_empty() {
        for told in wrong {
            eprintln!("boss-bot: {told}");
        }
        eprintln!("Nothing was begun.");
        return Ok(Exit::Usage);
    }
    let mut taken = Vec::new();
    // The oldest first, as they were asked.
    ready.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    for (id, job, request) in ready {
        let fate = match &job {
            None => Fate::Unknown,
            Some(job) if !job.may_run_again() => Fate::Not(job.row.state),
            Some(_) if dry_run => Fate::Would,
            Some(job) => {
                if store.again(&job.row.id, request).await? {
                    Fate::Queued
                } else {
                    // Somebody was faster.
                    store.get(&job.row.id).await?.map_or(Fate::Unknown, |row| Fate::Not(row.state))
                }
            }
        };
        taken.push(Taken { id, job, fate });
    }
    let written = output::print(|out| match json {
        true => report::taken_json(&taken, out),
        false => report::taken(&taken, left, more, out),
    });
    if written != Exit::Ok {
        return Ok(written);
    }
    let good = taken.iter().filter(|one| matches!(one.fate, Fate::Queued | Fate::Would)).count();
    Ok(match good {
        _ if good == taken.len() && (named || !more) => Exit::Ok,
        0 => Exit::Failure,
        _ => Exit::Some,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_run_must_be_said_and_said_once() {
        let none = Which { since: None, platform: None, code: None, guild: None };
        let some = Which { guild: Some(1), ..none.clone() };
        let ids = ["a".to_owned(), "b".to_owned(), "a".to_owned()];
        assert!(Asked::of(&[], &none, false).is_err(), "not everything by accident");
        assert!(matches!(Asked::of(&[], &none, true), Ok(Asked::Filters)));
        assert!(matches!(Asked::of(&[], &some, false), Ok(Asked::Filters)));
        assert!(matches!(Asked::of(&ids, &none, false), Ok(Asked::Ids(ids)) if ids == ["a", "b"]));
        assert!(Asked::of(&ids, &some, false).is_err());
        assert!(Asked::of(&["a".to_owned(), "plan.json".to_owned()], &none, false).is_err());
    }
}
