//! `boss-bot explain`: where a link would go and why, without touching the network.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::Arc,
};

use chrono::Utc;
use serde::Serialize;

use super::{Exit, output::print};
use crate::{
    cache::{Cache, Key},
    fetch::{Plan, previews},
    media::Means,
    model::{Error, Options, ResourceKind, UploadLimit},
    platforms::{self, Registry, Routed, parse_link},
    settings::Settings,
    strategy::{PlannedAttempt, Strategy},
};

/// Tell which platform knows a link and which paths would be tried, without touching the network.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot explain https://x.com/someone/status/1234567890
  boss-bot explain --json https://www.reddit.com/r/videos/comments/abc123/
  boss-bot explain --json - < links.txt      one link a line; empty lines and # lines are skipped

With --json every link gives one line: {url, platform, kind, id, canonical, key, attempts: [{by, why}], error}; `plan`, too,
where what the post holds is remembered: what would be loaded, and what would become of it. A link that
nobody knows is an answer too: its `error` says so, and the command still ends with 0.")]
pub(super) struct Args {
    /// Links, or `-` to read them from standard input
    #[arg(required = true, value_name = "URL")]
    links: Vec<String>,

    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// What is known of a link. `null` where nobody knows it.
#[derive(Debug, Serialize)]
struct Explained<'a> {
    url: &'a str,
    platform: Option<&'static str>,
    kind: Option<ResourceKind>,
    id: Option<String>,
    canonical: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    /// The one key that cache and duplicates go by.
    key: Option<String>,
    attempts: Vec<PlannedAttempt>,
    /// Of each item, where the post is remembered: what would be loaded, and what would become of it at the usual limit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plan: Vec<Option<Plan>>,
    /// Why the platform is not asked in process, where people would expect it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    error: Option<Refused>,
}

/// Why nobody knows it.
#[derive(Debug, Serialize)]
struct Refused {
    code: &'static str,
    message: String,
}

pub(super) fn execute(args: &Args, settings: Settings) -> Exit {
    let settings = Arc::new(settings);
    let strategy = Strategy::new(settings.clone(), Arc::new(Registry::standard(&settings)));
    let runtime = match tokio::runtime::Builder::new_current_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("boss-bot: the machine is short of something: {error}");
            return Exit::Failure;
        }
    };
    let known = Known {
        strategy,
        cache: Cache::new(&settings.cache, &settings.tools.data_dir.join("cache")),
        settings,
        runtime,
    };
    let typed = io::stdin().is_terminal();
    print(|out| {
        for link in &args.links {
            if link == "-" {
                for line in io::stdin().lock().split(b'\n') {
                    // A byte that is no text spoils its own line, not the thousand after it.
                    let line = line?;
                    let line = String::from_utf8_lossy(&line);
                    let line = line.trim();
                    if !line.is_empty() && !line.starts_with('#') {
                        tell(&known, line, args.json, out)?;
                        if typed {
                            out.flush()?;
                        }
                    }
                }
            } else {
                tell(&known, link.trim(), args.json, out)?;
            }
        }
        Ok(())
    })
}

/// What is known without the network.
struct Known {
    strategy: Strategy,
    cache: Cache,
    settings: Arc<Settings>,
    /// Reads what is remembered.
    runtime: tokio::runtime::Runtime,
}

impl Known {
    /// What would be loaded, where it is remembered what the post holds.
    fn plan(&self, routed: &Routed<'_>, options: &Options) -> Vec<Option<Plan>> {
        let session = self.strategy.sessions().version(platforms::scope(routed.platform, Some(&routed.resource)));
        let Some(key) = Key::of(&routed.resource, options, session.as_deref()) else { return Vec::new() };
        let known = self.runtime.block_on(self.cache.to_look(&key, Utc::now()));
        let Some(Ok(metadata)) = known.map(|known| known.answer) else { return Vec::new() };
        let compression = &self.settings.compression;
        let limit = UploadLimit { per_file: compression.base_upload_bytes };
        previews(&metadata, options, Some(limit), &Means::of(compression))
    }
}

fn tell(known: &Known, link: &str, json: bool, out: &mut dyn Write) -> io::Result<()> {
    let explained = explain(known, link);
    if json {
        serde_json::to_writer(&mut *out, &explained)?;
        return writeln!(out);
    }
    write_text(&explained, out)
}

fn explain<'a>(known: &Known, link: &'a str) -> Explained<'a> {
    let strategy = &known.strategy;
    let found = parse_link(link).and_then(|url| strategy.route(&url));
    match found {
        Ok(routed) => {
            let plan = known.plan(&routed, &Options::default());
            let resource = routed.resource;
            Explained {
                url: link,
                platform: Some(resource.platform.0),
                kind: Some(resource.kind),
                key: Some(resource.key()),
                attempts: strategy.plan(&resource, &Options::default()),
                plan,
                note: routed.platform.no_extractor_because(),
                canonical: Some(resource.canonical.into()),
                id: Some(resource.id),
                item: resource.item,
                error: None,
            }
        }
        Err(error) => Explained {
            url: link,
            platform: None,
            kind: None,
            id: None,
            canonical: None,
            item: None,
            key: None,
            attempts: Vec::new(),
            plan: Vec::new(),
            note: None,
            error: Some(refused(&error)),
        },
    }
}

fn refused(error: &Error) -> Refused {
    Refused { code: error.code(), message: error.user_text() }
}

fn write_text(explained: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", explained.url)?;
    if let Some(error) = &explained.error {
        return writeln!(out, "  {} ({})", error.message, error.code);
    }
    let row = |out: &mut dyn Write, name: &str, value: &str| writeln!(out, "  {name:<10} {value}");
    row(out, "platform", explained.platform.unwrap_or_default())?;
    if let Some(kind) = explained.kind {
        // The name that JSON has, so that both speak of the same thing.
        row(out, "kind", serde_json::to_value(kind)?.as_str().unwrap_or_default())?;
        if kind == ResourceKind::ShortLink {
            row(out, "", "(asked first where it leads; the post behind it is explained by its own link)")?;
        }
    }
    row(out, "id", explained.id.as_deref().unwrap_or_default())?;
    row(out, "canonical", explained.canonical.as_deref().unwrap_or_default())?;
    if let Some(item) = explained.item {
        row(out, "item", &item.to_string())?;
    }
    for (index, attempt) in explained.attempts.iter().enumerate() {
        row(out, &format!("attempt {}", index + 1), &format!("{} – {}", attempt.by, attempt.why))?;
    }
    for plan in explained.plan.iter().flatten() {
        row(out, "plan", &plan.to_string())?;
    }
    if let Some(note) = explained.note {
        row(out, "in process", &format!("no: {note}"))?;
    }
    Ok(())
}
