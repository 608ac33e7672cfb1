//! `boss-bot config show` and `boss-bot config check`.

use clap::Subcommand;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use super::{Exit, output, referred};
use crate::{
    app::App,
    settings::{Loaded, SettingsError},
};

/// Show or check the settings.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print every setting with its value and where it came from; secrets are masked
    #[command(after_help = "\
Examples:
  boss-bot config show
  boss-bot config show --changed
  boss-bot config show --json | jq '.[] | select(.source != \"default\")'")]
    Show {
        /// One JSON array instead of a table
        #[arg(long)]
        json: bool,
        /// Only what is not the default
        #[arg(long)]
        changed: bool,
    },
    /// Tell everything that is wrong with the settings, with name, value and source
    #[command(after_help = "\
Examples:
  boss-bot config check
  boss-bot --config /etc/boss-bot.toml config check

Ends with 0 when the settings can be used, with 4 when not.")]
    Check {
        /// One JSON object instead of text
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn execute(args: &Args, loaded: Result<Loaded, SettingsError>) -> Exit {
    match args.action {
        Action::Show { json, changed } => match loaded {
            Ok(loaded) => show(loaded, json, changed),
            Err(error) => output::refuse(&error),
        },
        Action::Check { json } => check(loaded, json),
    }
}

fn show(loaded: Loaded, json: bool, changed: bool) -> Exit {
    let mut entries = loaded.entries;
    entries.retain(|entry| !changed || entry.source != "default");
    if json {
        output::warn(&loaded.warnings);
        return output::print(|out| writeln!(out, "{}", serde_json::to_string_pretty(&entries)?));
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["NAME", "VALUE", "FROM"]);
    for entry in &entries {
        table.add_row([entry.name.as_str(), entry.value.as_deref().unwrap_or("–"), entry.source.as_str()]);
    }
    let exit = output::print(|out| writeln!(out, "{}", table.trim_fmt()));
    output::warn(&loaded.warnings);
    exit
}

/// Everything the loader finds, and what is wrong with the files that settings name.
fn check(loaded: Result<Loaded, SettingsError>, json: bool) -> Exit {
    let (set, problems, mut warnings, deeper) = match loaded {
        Ok(loaded) => {
            let set = loaded.entries.iter().filter(|entry| entry.source != "default").count();
            let deeper = referred(&loaded.settings).and_then(|odd| App::new(loaded.settings).map(|_| odd));
            (set, Vec::new(), loaded.warnings, deeper)
        }
        Err(error) => (0, error.problems, error.warnings, Ok(Vec::new())),
    };
    let mut told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    match deeper {
        Ok(odd) => warnings.extend(odd),
        Err(error) => told.push(error.operator_text().to_owned()),
    }
    let exit = if told.is_empty() { Exit::Ok } else { Exit::Settings };
    if json {
        output::print(|out| {
            writeln!(out, "{}", json!({ "ok": told.is_empty(), "problems": told, "warnings": warnings }))
        });
        return exit;
    }
    output::warn(&warnings);
    if told.is_empty() {
        return output::print(|out| writeln!(out, "The settings can be used. You have set {set} of them."));
    }
    eprintln!("boss-bot: the settings can't be used:");
    told.iter().for_each(|problem| eprintln!("  {problem}"));
    exit
}
