//! `boss-bot strategies`: how each platform is asked and how often it may be, as the settings say.

use std::{
    io::{self, Write},
    sync::Arc,
};

use super::{Exit, output::print};
use crate::{
    platforms::Registry,
    settings::Settings,
    strategy::{PlatformHealth, Strategy},
};

/// Tell how each platform is asked and how often it may be, as the settings say.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A running bot knows more: which paths are paused, how well each has done lately, what is left of a platform's rate. Its
command /strategies in Discord shows that.

With --json: one array of {platform, name, has_api, api_enabled, fallback, paths, allowance}, as the bot knows them.")]
pub(super) struct Args {
    /// One JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(args: &Args, settings: Settings) -> Exit {
    let settings = Arc::new(settings);
    let health = Strategy::new(settings.clone(), Arc::new(Registry::standard(&settings))).health();
    print(|out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &health)?;
            return writeln!(out);
        }
        write_text(&health, out)
    })
}

fn write_text(health: &[PlatformHealth], out: &mut dyn Write) -> io::Result<()> {
    for platform in health {
        let way = match (platform.has_api, platform.api_enabled, platform.fallback) {
            (true, true, true) => "in process, then tools",
            (true, true, false) => "in process only",
            (true, false, _) => "tools (in process is switched off)",
            (false, ..) => "tools",
        };
        let pace = platform.allowance.pace;
        write!(out, "{:<12} {way:<35} {} requests a minute", platform.platform, pace.requests_per_minute)?;
        write!(out, ", {} at once, {} ms apart", pace.burst, pace.spacing.as_millis())?;
        match pace.daily_units {
            Some(units) => writeln!(out, ", {units} a day")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}
