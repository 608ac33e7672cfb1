//! `boss-bot cache show` and `boss-bot cache clear`: what is remembered of links.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use comfy_table::{ContentArrangement, Table, presets};

use super::{
    Exit,
    output::{self, print},
};
use crate::{
    artifacts::{Artifacts, Contents},
    cache::{Cache, Shown},
    settings::Settings,
};

/// Show or clear what is remembered of links.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what platforms answered, newest first; no addresses of media, which are often signed
    #[command(after_help = "\
Examples:
  boss-bot cache show
  boss-bot cache show --json | jq -r '.[] | select(.answer != \"found\") | .key'

With --json: one array of {key, by, told, until, answer}; `answer` is `found`, or the code of the refusal.")]
    Show {
        /// One JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Forget all answers, and throw away the files that are kept for whoever asks again; a running bot still knows what it
    /// has in memory, for minutes
    Clear,
}

pub(super) fn execute(args: &Args, settings: &Settings) -> Exit {
    let cache = Cache::new(&settings.cache, &settings.tools.data_dir.join("cache"));
    match args.action {
        Action::Show { json } => {
            let shown = cache.shown(Utc::now());
            print(|out| write(&shown, json, out))
        }
        Action::Clear => {
            let files = Artifacts::clear(&settings.downloads.dir);
            match cache.clear().and_then(|count| Ok((count, files?))) {
                Ok((count, Contents { files, bytes, .. })) => print(|out| {
                    writeln!(out, "{count} answers forgotten.")?;
                    writeln!(out, "{files} files ({}) thrown away.", output::size(bytes))
                }),
                Err(error) => output::unusable(&error),
            }
        }
    }
}

fn write(shown: &[Shown], json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, shown)?;
        return writeln!(out);
    }
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["link", "answer", "by", "asked", "usable until"]);
    for one in shown {
        table.add_row([one.key.clone(), one.answer.clone(), one.by.clone(), time(one.told), time(one.until)]);
    }
    writeln!(out, "{table}")
}
