//! `boss-bot stats`: what came of the requests from Discord, as the database counts them.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    time::Duration,
};

use chrono::DateTime;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    Exit, db,
    output::{self, size},
    since::Since,
};
use crate::{
    jobs::store::{Extreme, Result, Stats, StatsFilter, StoreError, Tally},
    model::took,
    platforms::Registry,
    settings::Settings,
};

const DAY_SECONDS: i64 = 86_400;

/// Tell what came of the requests from Discord.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot stats
  boss-bot stats --since 7d --platform youtube
  boss-bot stats --json | jq '.platforms.twitter.times.p95_ms'

Jobs count on the day (UTC) on which they ended, so --since counts from the beginning of a day. Statistics stay when jobs are
forgotten (DATABASE_KEEP_DAYS). `success` is the share that was delivered of what was not called off. Times are of delivered jobs
only, from begun to posted; p50 and p95 are off by less than a tenth, because jobs are counted in steps.

--json prints one object: {since, guild, platform, total, platforms, methods, errors, fastest, slowest, days}, where each count is
{jobs, done, failed, cancelled, needs_attention, files, bytes, done_took_ms, average_ms, success_rate, times}. The methods are api
(asked in process), cli (by a tool), fallback (by another way when the first failed), and none.")]
pub(super) struct Args {
    /// Only since then: 7d, 2w ago, or a time as 2026-11-21T18:00:00Z; from the beginning of that day
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,

    /// Only this server
    #[arg(long, value_name = "ID")]
    guild: Option<u64>,

    /// Only this platform, as `strategies` names it
    #[arg(long, value_name = "NAME")]
    platform: Option<String>,

    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn execute(args: Args, settings: Settings) -> Exit {
    if let Some(name) = &args.platform {
        let registry = Registry::standard(&settings);
        // A name that nothing has would look like good news.
        if name != "unknown" && registry.get(name).is_none() {
            let known: Vec<&str> = registry.iter().map(|platform| platform.id().0).collect();
            eprintln!("boss-bot: there is no platform {name:?}: use one of {}", known.join(", "));
            return Exit::Usage;
        }
    }
    let filter = StatsFilter { guild: args.guild, platform: args.platform, since: args.since.map(|since| since.0) };
    match counted(&filter, &settings).await {
        Ok((stats, days)) => output::print(|out| match args.json {
            true => json(&stats, &days, &filter, out),
            false => text(&stats, &filter, out),
        }),
        Err(error) => db::failed(error),
    }
}

async fn counted(filter: &StatsFilter, settings: &Settings) -> Result<(Stats, BTreeMap<i64, Tally>)> {
    let store = db::open(&settings.database.url).await?;
    let counted = async { Ok::<_, StoreError>((store.stats(filter).await?, store.days(filter).await?)) };
    let counted = counted.await;
    store.close().await;
    counted
}

/// A day as people write it.
fn day(number: i64) -> String {
    let day = number.checked_mul(DAY_SECONDS).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    day.map(|day| day.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

/// The day that counting begins with.
fn first_day(filter: &StatsFilter) -> Option<String> {
    filter.since.map(|since| day(since.div_euclid(DAY_SECONDS * 1000)))
}

/// The name of a way of getting media.
fn method(name: &str) -> &str {
    if name.is_empty() { "none" } else { name }
}

/// Counters with what follows from them.
#[derive(Serialize)]
struct Count<'a> {
    #[serde(flatten)]
    tally: &'a Tally,
    average_ms: Option<u64>,
    success_rate: Option<f64>,
}

impl<'a> Count<'a> {
    fn of(tally: &'a Tally) -> Self {
        Self { tally, average_ms: tally.average_ms(), success_rate: tally.success_rate() }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    since: Option<String>,
    guild: Option<u64>,
    platform: Option<&'a str>,
    total: Count<'a>,
    platforms: BTreeMap<&'a str, Count<'a>>,
    methods: BTreeMap<&'a str, Count<'a>>,
    errors: &'a BTreeMap<String, u64>,
    fastest: Option<&'a Extreme>,
    slowest: Option<&'a Extreme>,
    days: BTreeMap<String, Count<'a>>,
}

fn json(stats: &Stats, days: &BTreeMap<i64, Tally>, filter: &StatsFilter, out: &mut dyn Write) -> io::Result<()> {
    let told = Told {
        since: first_day(filter),
        guild: filter.guild,
        platform: filter.platform.as_deref(),
        total: Count::of(&stats.total),
        platforms: stats.platforms.iter().map(|(name, tally)| (name.as_str(), Count::of(tally))).collect(),
        methods: stats.methods.iter().map(|(name, tally)| (method(name), Count::of(tally))).collect(),
        errors: &stats.errors,
        fastest: stats.fastest.as_ref(),
        slowest: stats.slowest.as_ref(),
        days: days.iter().map(|(number, tally)| (day(*number), Count::of(tally))).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &told)?;
    writeln!(out)
}

fn text(stats: &Stats, filter: &StatsFilter, out: &mut dyn Write) -> io::Result<()> {
    let total = &stats.total;
    let of = filter.platform.as_deref().map(|name| format!(" for {name}")).unwrap_or_default();
    let place = filter.guild.map_or_else(|| "all servers and people".to_owned(), |guild| format!("server {guild}"));
    let since = first_day(filter).map_or_else(|| "since the beginning".to_owned(), |day| format!("since {day}"));
    writeln!(out, "Requests{of} of {place}, {since} (UTC): {}", total.jobs)?;
    if total.jobs == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "{} delivered, {} failed, {} cancelled, {} need attention; {} files, {}",
        total.done,
        total.failed,
        total.cancelled,
        total.needs_attention,
        total.files,
        size(total.bytes)
    )?;
    if let (Some(fastest), Some(slowest)) = (&stats.fastest, &stats.slowest) {
        let one = |one: &Extreme| format!("{} ({}, {})", told(one.took_ms), one.platform, method(&one.method));
        writeln!(out, "fastest {}, slowest {}", one(fastest), one(slowest))?;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "",
        "ended",
        "delivered",
        "success",
        "files",
        "size",
        "average",
        "p50",
        "p95",
        "fastest",
        "slowest",
    ]);
    let mut platforms: Vec<_> = stats.platforms.iter().collect();
    platforms.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.jobs));
    table.add_row(cells("all", total));
    for (name, tally) in platforms {
        table.add_row(cells(name, tally));
    }
    for (name, tally) in &stats.methods {
        table.add_row(cells(&format!("by {}", method(name)), tally));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "\n{table}")?;
    if !stats.errors.is_empty() {
        let mut errors: Vec<_> = stats.errors.iter().collect();
        errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let errors: Vec<_> = errors.iter().map(|(code, count)| format!("{code} {count}")).collect();
        writeln!(out, "\nFailures: {}", errors.join(", "))?;
    }
    Ok(())
}

fn cells(name: &str, tally: &Tally) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let times = tally.times;
    vec![
        name.to_owned(),
        tally.jobs.to_string(),
        tally.done.to_string(),
        or_dash(tally.success_rate().map(|rate| format!("{:.1} %", rate * 100.0))),
        tally.files.to_string(),
        size(tally.bytes),
        or_dash(tally.average_ms().map(told)),
        or_dash(times.map(|times| told(times.p50_ms))),
        or_dash(times.map(|times| told(times.p95_ms))),
        or_dash(times.map(|times| told(times.fastest_ms))),
        or_dash(times.map(|times| told(times.slowest_ms))),
    ]
}

fn told(ms: u64) -> String {
    took(Duration::from_millis(ms))
}
