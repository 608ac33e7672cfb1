//! The command line: one file a subcommand. It parses, asks the rooms below, and prints; it decides nothing about media.
//!
//! What people and scripts read goes to standard output, progress and logs to standard error. Exit codes are the same for
//! all subcommands, see [`Exit`].

mod bars;
mod batch;
mod cache;
mod completions;
mod config;
mod db;
mod doctor;
mod explain;
mod fetch;
mod fit;
mod new_platform;
mod output;
mod recovery;
mod run;
mod since;
mod stats;
mod stop;
mod strategies;
mod wishes;
mod worker;

use std::{ffi::OsString, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    app::App,
    discord::Role,
    model::{self, Kind},
    net::Cassette,
    platforms::Registry,
    settings::{self, Loaded, Overrides, Settings},
    telemetry,
    tools::gallery_config,
};

/// How the program ends. The numbers are documented in `--help` and stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done.
    Ok = 0,
    /// A fault of ours or of a tool, or something that fits no other number.
    Failure = 1,
    /// The command line makes no sense. (clap uses this number too.)
    Usage = 2,
    /// Some of several links worked, some did not.
    Some = 3,
    /// The settings cannot be used, or something they need is missing.
    Settings = 4,
    /// The link cannot be used: nobody knows it, or it leads where the bot does not go.
    Link = 5,
    /// The post cannot be had: gone, private, behind a login or an age check, without media.
    Unavailable = 6,
    /// Try again later: rate limit, timeout, network, a database that is away, not out yet.
    Later = 7,
    /// Larger or longer than allowed, or it cannot be made to fit.
    Size = 8,
    /// A program that is needed is missing: `boss-bot doctor` tells which.
    Missing = 9,
    /// Cancelled by Ctrl-C or SIGTERM.
    Cancelled = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// The number for a failure.
    pub fn of(error: &model::Error) -> Self {
        match error.kind() {
            Kind::UnsupportedUrl | Kind::BlockedAddress => Self::Link,
            Kind::NotFound
            | Kind::Private
            | Kind::LoginRequired
            | Kind::AgeRestricted
            | Kind::GeoBlocked
            | Kind::NoMedia => Self::Unavailable,
            Kind::RateLimited { .. } | Kind::Timeout | Kind::Network | Kind::NotYet | Kind::Live => Self::Later,
            Kind::TooLong | Kind::TooLarge | Kind::CannotFit | Kind::QuotaExceeded => Self::Size,
            Kind::ToolMissing { .. } => Self::Missing,
            Kind::Cancelled => Self::Cancelled,
            Kind::PlatformChanged | Kind::ToolFailed(_) | Kind::DiskFull | Kind::Internal => Self::Failure,
        }
    }

    /// One number for several links: theirs when they agree, [`Exit::Some`] when some worked.
    pub fn of_all(all: &[Self]) -> Self {
        match all {
            [] => Self::Ok,
            _ if all.contains(&Self::Cancelled) => Self::Cancelled,
            [first, rest @ ..] if rest.iter().all(|exit| exit == first) => *first,
            _ if all.contains(&Self::Ok) => Self::Some,
            _ => Self::Failure,
        }
    }
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done                                   6  the post is gone, private, or holds no media
  1  a fault of the program or of a tool    7  try again later (rate limit, timeout, network, database)
  2  wrong usage                            8  too large, too long, or cannot be made to fit
  3  some links worked, some did not        9  a needed program is missing (see `boss-bot doctor`)
  4  the settings cannot be used          130  cancelled
  5  no platform knows the link

Settings come from config/local.toml, .env and the environment: see `boss-bot config show`.";

/// Paste a link in Discord, get the media as a native attachment that plays inline.
#[derive(Debug, Parser)]
#[command(name = "boss-bot", version, about, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// A TOML file with settings, instead of config/local.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// error, warn, info, debug, trace or a filter; wins over LOG_LEVEL
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the Discord bot
    Run(run::Args),
    /// Work on what a gateway has written down, on this or another machine
    Worker(worker::Args),
    /// Download links into a folder, as the bot would
    Fetch(fetch::Args),
    /// Work through a list of links, and take it up again where it stopped
    Batch(batch::Args),
    /// Make a file on this machine fit a limit, as for a Discord upload
    Fit(fit::Args),
    /// Tell which platform knows a link and which paths would be tried, without touching the network
    Explain(explain::Args),
    /// Tell how each platform is asked and how often it may be
    Strategies(strategies::Args),
    /// Show or clear what is remembered of links
    Cache(cache::Args),
    /// Check the database of jobs, copy it, or put a copy back
    Db(db::Args),
    /// Look at requests from Discord that failed, and do them again
    Recovery(recovery::Args),
    /// Tell what came of the requests from Discord: how many, how large, how fast, what failed
    Stats(stats::Args),
    /// Check that everything the bot needs is there
    Doctor(doctor::Args),
    /// Show or check the settings
    Config(config::Args),
    /// Write the files that a new platform starts from
    NewPlatform(new_platform::Args),
    /// Print shell completions
    Completions(completions::Args),
}

/// Parses the arguments, loads the settings, and runs what was asked for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version come this way too; a closed pipe is nobody's fault.
            let _ = told.print();
            return if told.use_stderr() { Exit::Usage } else { Exit::Ok };
        }
    };
    let mut overrides = Overrides { config: cli.config, ..Overrides::process() };
    overrides.set.extend(cli.log_level.clone().map(|level| ("LOG_LEVEL".to_owned(), level)));
    if let Command::Completions(args) = &cli.command {
        return completions::execute(args, &mut Cli::command());
    }
    if let Command::NewPlatform(args) = &cli.command {
        return new_platform::execute(args);
    }
    let loaded = settings::load(&overrides);
    match cli.command {
        Command::Config(args) => return config::execute(&args, loaded),
        // The doctor looks at what is broken: settings included.
        Command::Doctor(args) => return with_runtime(|| doctor::execute(args, loaded)),
        Command::Run(_)
        | Command::Worker(_)
        | Command::Fetch(_)
        | Command::Batch(_)
        | Command::Fit(_)
        | Command::Explain(_)
        | Command::Strategies(_)
        | Command::Cache(_)
        | Command::Db(_)
        | Command::Recovery(_)
        | Command::Stats(_)
        | Command::NewPlatform(_)
        | Command::Completions(_) => {}
    }
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return output::refuse(&error),
    };
    match cli.command {
        Command::Explain(args) => {
            output::warn(&loaded.warnings);
            explain::execute(&args, loaded.settings)
        }
        Command::Strategies(args) => {
            output::warn(&loaded.warnings);
            strategies::execute(&args, loaded.settings)
        }
        Command::Cache(args) => {
            output::warn(&loaded.warnings);
            cache::execute(&args, &loaded.settings)
        }
        Command::Db(args) => {
            output::warn(&loaded.warnings);
            telemetry::init(&loaded.settings, quiet(&loaded));
            with_runtime(|| db::execute(args, loaded.settings))
        }
        Command::Recovery(args) => {
            output::warn(&loaded.warnings);
            telemetry::init(&loaded.settings, quiet(&loaded));
            with_runtime(|| recovery::execute(args, loaded.settings))
        }
        Command::Stats(args) => {
            output::warn(&loaded.warnings);
            telemetry::init(&loaded.settings, quiet(&loaded));
            with_runtime(|| stats::execute(args, loaded.settings))
        }
        Command::Fetch(args) => {
            output::warn(&loaded.warnings);
            match referred(&loaded.settings) {
                Ok(warnings) => output::warn(&warnings),
                Err(error) => return output::unusable(&error),
            }
            // The summary tells what happened: the log's account of it would only tear the progress bars.
            telemetry::init(&loaded.settings, quiet(&loaded));
            let mut loaded = loaded;
            match args.cassette(&mut loaded.settings) {
                Ok(cassette) => with_app(loaded, cassette, |app| fetch::execute(args, app)),
                Err(error) => output::unusable(&error),
            }
        }
        Command::Batch(args) => {
            output::warn(&loaded.warnings);
            match referred(&loaded.settings) {
                Ok(warnings) => output::warn(&warnings),
                Err(error) => return output::unusable(&error),
            }
            telemetry::init(&loaded.settings, quiet(&loaded));
            let mut loaded = loaded;
            args.apply(&mut loaded.settings);
            with_app(loaded, None, |app| batch::execute(args, app))
        }
        Command::Fit(args) => {
            output::warn(&loaded.warnings);
            telemetry::init(&loaded.settings, quiet(&loaded));
            with_runtime(|| fit::execute(args, loaded.settings))
        }
        Command::Run(args) => serve(args.role(), loaded),
        Command::Worker(args) => {
            let mut loaded = loaded;
            args.apply(&mut loaded.settings);
            serve(Role::Worker, loaded)
        }
        // Dealt with above.
        Command::Config(_) | Command::Doctor(_) | Command::NewPlatform(_) | Command::Completions(_) => Exit::Ok,
    }
}

/// Plays a part of the bot.
fn serve(role: Role, loaded: Loaded) -> Exit {
    telemetry::init(&loaded.settings, None);
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    if let Err(exit) = run::check(&loaded.settings) {
        return exit;
    }
    match referred(&loaded.settings) {
        Ok(warnings) => warnings.iter().for_each(|warning| tracing::warn!("{warning}")),
        Err(error) => return output::unusable(&error),
    }
    with_app(loaded, None, |app| run::execute(role, app))
}

/// The level for commands that print their own account, unless somebody asked for another.
fn quiet(loaded: &Loaded) -> Option<&'static str> {
    let asked = loaded.entries.iter().any(|entry| entry.name == "LOG_LEVEL" && entry.source != "default");
    (!asked).then_some("error")
}

/// What the loader cannot know because it knows no platforms and no tools: reads the files that settings name and that
/// would otherwise be looked at only when a job needs them. Gives back what looks odd.
fn referred(settings: &Settings) -> model::Result<Vec<String>> {
    let mut odd = match &settings.gallery_dl.config_file {
        Some(path) => gallery_config::read(path).map(|(_, warnings)| warnings)?,
        None => Vec::new(),
    };
    let registry = Registry::standard(settings);
    let wanted = settings.platforms.iter().filter(|(_, platform)| platform.use_api_client == Some(true));
    for (id, _) in wanted {
        if registry.get(id).is_none_or(|platform| platform.extractor().is_none()) {
            let name = id.to_ascii_uppercase();
            odd.push(format!("{name}_USE_API_CLIENT is on, but this build asks {id} by tools only"));
        }
    }
    Ok(odd)
}

fn with_app<F: Future<Output = Exit>>(
    loaded: Loaded,
    cassette: Option<Cassette>,
    work: impl FnOnce(Arc<App>) -> F,
) -> Exit {
    match App::with_cassette(loaded.settings, cassette) {
        Ok(app) => with_runtime(|| work(Arc::new(app))),
        // Nothing but the settings can keep it from being built.
        Err(error) => output::unusable(&error),
    }
}

fn with_runtime<F: Future<Output = Exit>>(work: impl FnOnce() -> F) -> Exit {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let exit = runtime.block_on(async { work().await });
            // Whatever still blocks (a name lookup, say) must not hold up the end.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            eprintln!("boss-bot: the machine is short of something: {error}");
            Exit::Failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_table_of_settings_knows_which_platforms_can_be_asked_in_process() {
        let registry = Registry::standard(&Settings::default());
        let flags = settings::PLATFORM_SPECS.iter().filter(|spec| spec.key == "use_api_client");
        for spec in flags {
            let platform = registry.get(spec.platform).unwrap_or_else(|| panic!("no platform {}", spec.platform));
            assert_eq!(platform.extractor().is_some(), spec.example == "true", "{}", spec.platform);
        }
    }

    #[test]
    fn a_flag_that_this_build_cannot_follow_is_pointed_out() {
        let mut settings = Settings::default();
        for platform in ["twitter", "nowhere"] {
            settings.platforms.entry(platform.to_owned()).or_default().use_api_client = Some(true);
        }
        let odd = referred(&settings).unwrap();
        assert_eq!(odd, ["NOWHERE_USE_API_CLIENT is on, but this build asks nowhere by tools only"]);
    }

    #[test]
    fn several_exits_become_one() {
        use Exit::*;
        for (all, one) in [
            (vec![], Ok),
            (vec![Ok, Ok], Ok),
            (vec![Ok, Link], Some),
            (vec![Link, Link], Link),
            (vec![Link, Later], Failure),
            (vec![Ok, Cancelled], Cancelled),
        ] {
            assert_eq!(Exit::of_all(&all), one, "{all:?}");
        }
    }
}
