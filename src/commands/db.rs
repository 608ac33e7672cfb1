//! `boss-bot db check`, `backup` and `restore`: looking after the database of jobs.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{
    Exit,
    output::{self, print, size},
};
use crate::{
    jobs::store::{JobStore, Result, StoreError, care},
    settings::{DatabaseUrl, Settings},
};

/// Check the database of jobs, copy it, or put a copy back.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Look whether the database is whole and fits this program; also while the bot runs
    #[command(after_help = "\
Examples:
  boss-bot db check
  DATABASE_URL=sqlite:copy.db boss-bot db check

Reads all of it and changes nothing.")]
    Check,
    /// Copy the SQLite database into a file; also while the bot runs
    #[command(after_help = "\
Examples:
  boss-bot db backup boss-bot-$(date +%F).db

The copy is the database as it is at one moment. FILE must not be there yet; it is readable by you only, because it holds the
links that people asked for. For PostgreSQL use pg_dump.")]
    Backup {
        /// Where the copy goes
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a copy in the place of the SQLite database; the bot must not run
    #[command(after_help = "\
Examples:
  boss-bot db restore boss-bot-2026-11-20.db

FILE is looked through first and stays as it is. What was there before is kept beside the database, with the ending
-before-restore. Jobs that the copy holds as waiting or running are done when the bot starts: what they had posted since is
not in the copy, and is posted again. For PostgreSQL use pg_restore.")]
    Restore {
        /// A copy that `db backup` made
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) async fn execute(args: Args, settings: Settings) -> Exit {
    let url = &settings.database.url;
    match args.action {
        Action::Check => told(check(url).await),
        Action::Backup { file } => match of_file(url, "pg_dump --format=custom --file=FILE") {
            Ok(database) => told(backup(database, &file).await),
            Err(exit) => exit,
        },
        Action::Restore { file } => match of_file(url, "pg_restore --clean --if-exists --dbname=URL FILE") {
            Ok(database) => told(restore(&file, database).await),
            Err(exit) => exit,
        },
    }
}

/// The file of the database; servers have tools of their own.
fn of_file<'a>(url: &'a DatabaseUrl, instead: &str) -> std::result::Result<&'a Path, Exit> {
    match url {
        DatabaseUrl::Sqlite(path) => Ok(path),
        DatabaseUrl::Postgres(_) => {
            eprintln!("boss-bot: the database is on a PostgreSQL server: use its own tool there, `{instead}`");
            Err(Exit::Usage)
        }
    }
}

async fn check(url: &DatabaseUrl) -> Result<String> {
    let checked = care::check(url).await?;
    let mut told = format!("{}: {}, tables of version {}", checked.place, size(checked.bytes), checked.version);
    if checked.version < checked.known {
        told.push_str(&format!("; the bot brings them to version {} when it starts", checked.known));
    } else {
        let store = JobStore::open(url).await?;
        let counts = store.counts().await?;
        store.close().await;
        let open = counts.queued + counts.paused + counts.running;
        let ended = counts.done + counts.failed + counts.cancelled + counts.needs_attention;
        told.push_str(&format!("; {open} jobs are open, {ended} have ended"));
    }
    // A server looks after its own files.
    let verdict = if let DatabaseUrl::Sqlite(_) = url { "It is whole." } else { "It can be used." };
    Ok(format!("{told}\n{verdict}"))
}

async fn backup(database: &Path, file: &Path) -> Result<String> {
    let bytes = care::backup(database, file).await?;
    Ok(format!("{}: {}", file.display(), size(bytes)))
}

async fn restore(file: &Path, database: &Path) -> Result<String> {
    let restored = care::restore(file, database).await?;
    Ok(match restored.former {
        Some(former) => format!("{} is back; what was there is {}", restored.path.display(), former.display()),
        None => format!("{} is back", restored.path.display()),
    })
}

fn told(result: Result<String>) -> Exit {
    match result {
        Ok(told) => print(|out| writeln!(out, "{told}")),
        Err(error) => failed(error),
    }
}

/// Opens a database that is there. Only the bot makes one.
pub(super) async fn open(url: &DatabaseUrl) -> Result<JobStore> {
    if let DatabaseUrl::Sqlite(path) = url
        && !path.is_file()
    {
        return Err(StoreError::Missing(path.clone()));
    }
    JobStore::open(url).await
}

/// Says why the database did not do what was asked. The number is that of `boss-bot run` where a server is not there: it may be
/// later.
pub(super) fn failed(error: StoreError) -> Exit {
    let exit = match error {
        StoreError::Unreachable(_) | StoreError::Full => Exit::Later,
        StoreError::NotADatabase(_) | StoreError::Forbidden(_) | StoreError::Refused(_) => Exit::Settings,
        _ => Exit::Failure,
    };
    output::unusable(&error.into());
    exit
}
