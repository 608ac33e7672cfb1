//! `boss-bot worker`: does what a gateway has written down.

use crate::settings::Settings;

/// Work on what a gateway has written down, on this or another machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  DATABASE_URL=postgres://… DISCORD_TOKEN=… boss-bot worker
  DATABASE_URL=postgres://… DISCORD_TOKEN=… boss-bot worker --slots 8

It takes jobs from the database, loads and fits their files, and answers in Discord by itself. It opens no connection to Discord's \
gateway and listens on no port. Any number may run, wherever they like: each takes what is next, and when one dies, another \
takes its jobs over after DATABASE_LEASE_SECONDS. It needs the token of the gateway's bot, and the tools (`boss-bot doctor`).

Ctrl-C and SIGTERM end it within 10 seconds: its jobs go back into the queue, and others take them at once.")]
pub(super) struct Args {
    /// Jobs at once; wins over MAX_CONCURRENT_DOWNLOADS
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: Option<u16>,
}

impl Args {
    /// Puts what was said here over the settings.
    pub(super) fn apply(&self, settings: &mut Settings) {
        if let Some(slots) = self.slots {
            settings.downloads.max_concurrent = slots.into();
        }
    }
}
