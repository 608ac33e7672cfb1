//! `boss-bot doctor`: is everything there that the bot needs, and what to do about what is not.

mod checks;

use serde::Serialize;
use serde_json::json;

use super::{Exit, output, referred};
use crate::{
    app::App,
    settings::{Loaded, Overrides, Settings, SettingsError},
    tools::provision,
};

/// Check that everything the bot needs is there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot doctor
  boss-bot doctor --fix        install the pinned yt-dlp and gallery-dl into TOOLS_DIR
  boss-bot doctor --json

Ends with 0 when the bot can work (warnings included), with 4 when a setting or the token is wrong, with 9 when a program
is missing.")]
pub(super) struct Args {
    /// Install what can be installed without the system's package manager
    #[arg(long)]
    fix: bool,

    /// Print only what is wrong
    #[arg(long, short)]
    quiet: bool,

    /// One JSON object
    #[arg(long, conflicts_with = "quiet")]
    json: bool,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// The bot works, and something could be better.
    Warn,
    /// The bot cannot do its work.
    Fail,
}

/// What was found about one thing.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    /// What was looked at.
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    /// How the program ends when this fails.
    #[serde(skip)]
    exit: Exit,
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), advice: None, exit: Exit::Ok }
    }

    fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warn, advice: Some(advice.into()), ..Self::ok(name, found) }
    }

    fn fail(name: &'static str, exit: Exit, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Fail, exit, advice: Some(advice.into()), ..Self::ok(name, found) }
    }
}

pub(super) async fn execute(args: Args, loaded: Result<Loaded, SettingsError>) -> Exit {
    let mut findings = Vec::new();
    let settings = match loaded {
        Ok(loaded) => {
            let advice = "`boss-bot config show` prints all of them";
            findings.push(match loaded.warnings.as_slice() {
                [] => Finding::ok("settings", "fine"),
                warnings => Finding::warn("settings", warnings.join("; "), advice),
            });
            match referred(&loaded.settings) {
                Ok(odd) if odd.is_empty() => {}
                Ok(odd) => findings.push(Finding::warn("settings", odd.join("; "), "take them out, or leave it so")),
                Err(error) => {
                    findings.push(Finding::fail("gallery-dl", Exit::Settings, error.operator_text(), "correct it"))
                }
            }
            loaded.settings
        }
        Err(error) => {
            let problems: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
            findings.push(Finding::fail("settings", Exit::Settings, problems.join("; "), "correct them"));
            defaults()
        }
    };
    if args.fix {
        findings.extend(fix(&settings, &args).await);
    }
    match App::new(settings) {
        Ok(app) => findings.extend(checks::all(&app).await),
        Err(error) => {
            let advice = "look at NETWORK_CA_FILE and NETWORK_PROXY";
            findings.push(Finding::fail("network", Exit::Settings, error.operator_text(), advice));
        }
    }
    let failed = findings.iter().find(|finding| finding.state == State::Fail);
    let exit = failed.map_or(Exit::Ok, |finding| finding.exit);
    let written = if args.json {
        output::print(|out| writeln!(out, "{}", json!({ "ok": exit == Exit::Ok, "checks": findings })))
    } else {
        tell(&findings, args.quiet)
    };
    if written == Exit::Ok { exit } else { written }
}

/// What to go on with when the operator's settings cannot be used: the doctor looks at the rest all the same.
fn defaults() -> Settings {
    crate::settings::load(&Overrides { dir: "/nonexistent".into(), ..Overrides::default() })
        .map_or_else(|_| Settings::default(), |loaded| loaded.settings)
}

/// Installs the tools. What it says goes to standard error, line by line, because it takes a while.
async fn fix(settings: &Settings, args: &Args) -> Option<Finding> {
    let speak = !args.quiet || !provision::is_current(&settings.tools.dir);
    let result = provision::provision(settings, &mut |line| {
        if speak {
            eprintln!("  {line}");
        }
    })
    .await;
    let error = result.err()?;
    let advice = "install Python 3.11 or later with its venv module (Debian, Ubuntu: apt-get install python3 python3-venv), \
                  check that PyPI can be reached, then run `boss-bot doctor --fix` again";
    Some(Finding::fail("installation", Exit::Missing, error.operator_text(), advice))
}

fn tell(findings: &[Finding], quiet: bool) -> Exit {
    output::print(|out| {
        for finding in findings {
            if quiet && finding.state != State::Fail {
                continue;
            }
            let mark = match finding.state {
                State::Ok => "✓",
                State::Warn => "!",
                State::Fail => "✗",
            };
            writeln!(out, "{mark} {:<14} {}", finding.name, finding.found)?;
            if let Some(advice) = &finding.advice {
                writeln!(out, "  {:<14} → {advice}", "")?;
            }
        }
        let count = |state| findings.iter().filter(|finding| finding.state == state).count();
        match (count(State::Fail), count(State::Warn)) {
            (0, _) if quiet => Ok(()),
            (0, 0) => writeln!(out, "\nEverything is there."),
            (0, warned) => writeln!(out, "\nThe bot can work; {warned} things could be better."),
            (failed, _) => writeln!(out, "\n{failed} things keep the bot from working."),
        }
    })
}
