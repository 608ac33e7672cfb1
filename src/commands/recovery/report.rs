//! What `recovery` prints.

use std::{
    io::{self, Write},
    path::Path,
};

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{super::bars::shorten, advice::Help, job::Lost};
use crate::{
    jobs::store::{Moment, State},
    model::{Options, redact},
};

/// What became of a job that was to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is in the queue.
    Queued,
    /// It would be.
    Would,
    /// It has not ended, or was delivered.
    Not(State),
    /// There is no such job.
    Unknown,
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Would => "would_be_queued",
            Self::Not(_) => "refused",
            Self::Unknown => "unknown",
        }
    }

    fn told(self) -> String {
        match self {
            Self::Queued => "in the queue again".to_owned(),
            Self::Would => "would be in the queue again".to_owned(),
            Self::Not(State::Done) => "not: it was delivered".to_owned(),
            Self::Not(state) => format!("not: it is {}", state.word()),
            Self::Unknown => "there is no such job".to_owned(),
        }
    }
}

/// A job that was to run again.
pub(super) struct Taken {
    /// As it was named.
    pub id: String,
    /// What is known of it.
    pub job: Option<Lost>,
    /// What became of it.
    pub fate: Fate,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    state: State,
    platform: &'a str,
    link: &'a str,
    asked_at: Option<String>,
    ended_at: Option<String>,
    user: Option<u64>,
    guild: Option<u64>,
    channel: Option<u64>,
    attempts: i32,
    files: i64,
    code: &'a str,
    reason: String,
    help: Help,
    advice: &'static str,
}

impl<'a> Line<'a> {
    fn of(job: &'a Lost) -> Self {
        let row = &job.row;
        let (help, advice) = job.advice();
        Self {
            id: &row.id,
            state: row.state,
            platform: &row.platform,
            link: &job.link,
            asked_at: time(row.created_at),
            ended_at: row.finished_at.and_then(time),
            user: row.user,
            guild: row.guild,
            channel: row.channel,
            attempts: row.attempts,
            files: row.files,
            code: job.code(),
            reason: job.reason(),
            help,
            advice,
        }
    }
}

/// One way that was tried.
#[derive(Serialize)]
struct Attempt {
    by: String,
    seconds: f64,
    code: &'static str,
    reason: String,
    /// What stopped earlier tries of the same way.
    retries: Vec<String>,
}

fn attempts(job: &Lost) -> Vec<Attempt> {
    let made = job.outcome.iter().flat_map(|outcome| &outcome.attempts);
    made.map(|attempt| Attempt {
        by: attempt.by.clone(),
        seconds: (attempt.took.as_secs_f64() * 1000.0).round() / 1000.0,
        code: attempt.end.error().map_or("ok", |error| error.code()),
        reason: attempt.end.error().map(|error| redact::text(error.operator_text())).unwrap_or_default(),
        retries: attempt.retries.iter().map(|retry| retry.code.clone()).collect(),
    })
    .collect()
}

fn time(moment: Moment) -> Option<String> {
    Some(DateTime::<Utc>::from_timestamp_millis(moment)?.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

fn help_word(help: Help) -> &'static str {
    match help {
        Help::Yes => "can help",
        Help::Change => "after a change",
        Help::No => "cannot help",
    }
}

pub(super) fn json(jobs: &[Lost], out: &mut dyn Write) -> io::Result<()> {
    for job in jobs {
        serde_json::to_writer(&mut *out, &Line::of(job))?;
        writeln!(out)?;
    }
    Ok(())
}

pub(super) fn list(jobs: &[Lost], more: bool, out: &mut dyn Write) -> io::Result<()> {
    if jobs.is_empty() {
        return writeln!(out, "Nothing like that has failed.");
    }
    let mut table = new_table(&["Job", "Ended", "Platform", "Link", "Why", "Trying again"]);
    for job in jobs {
        let why = match job.row.state {
            State::NeedsAttention => format!("{} (needs attention)", job.code()),
            _ => job.code().to_owned(),
        };
        table.add_row([
            job.row.id.clone(),
            job.row.finished_at.and_then(time).unwrap_or_default(),
            job.row.platform.clone(),
            shorten(&job.link, 40),
            why,
            help_word(job.help()).to_owned(),
        ]);
    }
    writeln!(out, "{table}")?;
    if more {
        writeln!(out, "There are more: --limit shows them, --since, --platform, --code and --guild choose.")?;
    }
    let count = |help: Help| jobs.iter().filter(|job| job.help() == help).count();
    let (yes, change, no) = (count(Help::Yes), count(Help::Change), count(Help::No));
    writeln!(out, "{} jobs. Trying again can help {yes}, {change} after a change, {no} not.", jobs.len())?;
    writeln!(out, "`boss-bot recovery show ID` tells why and what to change, `boss-bot recovery run` does them again.")
}

pub(super) fn show_json(job: &Lost, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(flatten)]
        line: Line<'a>,
        options: &'a Options,
        told: Option<String>,
        attempts_made: Vec<Attempt>,
    }
    let told = job.error.as_ref().map(|error| error.user_text());
    serde_json::to_writer(
        &mut *out,
        &Shown { line: Line::of(job), options: &job.options, told, attempts_made: attempts(job) },
    )?;
    writeln!(out)
}

pub(super) fn show(job: &Lost, out: &mut dyn Write) -> io::Result<()> {
    let row = &job.row;
    writeln!(out, "{}: {}", row.id, row.state.word().replace('_', " "))?;
    let mut tell = |name: &str, value: &str| {
        if value.is_empty() { Ok(()) } else { writeln!(out, "  {name:<10} {value}") }
    };
    tell("link", &job.link)?;
    tell("platform", &row.platform)?;
    let place = [(row.user, "by user"), (row.guild, "in server"), (row.channel, "in channel")];
    let place: Vec<String> = place.iter().filter_map(|(id, what)| Some(format!("{what} {}", (*id)?))).collect();
    tell("asked", &format!("{} {}", time(row.created_at).unwrap_or_default(), place.join(", ")))?;
    if let Some(ended) = row.finished_at.and_then(time) {
        tell("ended", &format!("{ended}, after {:.1} s", row.took_ms as f64 / 1000.0))?;
    }
    if row.attempts > 1 {
        tell("begun", &format!("{} times", row.attempts))?;
    }
    let posted = job.outcome.as_ref().map_or(0, |outcome| outcome.posted.places.len());
    if posted > 0 {
        tell("posted", &format!("{posted} messages or files; what is there is not posted again"))?;
    }
    for (index, attempt) in attempts(job).iter().enumerate() {
        let tries = if attempt.retries.is_empty() {
            String::new()
        } else {
            format!(", before: {}", attempt.retries.join(", "))
        };
        let reason = if attempt.reason.is_empty() { String::new() } else { format!(" – {}", attempt.reason) };
        let (by, code, seconds) = (&attempt.by, attempt.code, attempt.seconds);
        tell(&format!("attempt {}", index + 1), &format!("{by}: {code} after {seconds:.2} s{tries}{reason}"))?;
    }
    if row.state == State::Done {
        return Ok(());
    }
    let reason = job.reason();
    tell("why", &if reason.is_empty() { job.code().to_owned() } else { format!("{}: {reason}", job.code()) })?;
    tell("told", &job.error.as_ref().map(|error| error.user_text()).unwrap_or_default())?;
    let (help, advice) = job.advice();
    tell("again", &format!("{}: {advice}", help_word(help)))
}

/// What was left out and why.
fn left_out(left: usize, more: bool, out: &mut dyn Write) -> io::Result<()> {
    if left > 0 {
        writeln!(
            out,
            "{left} left out: trying again cannot help them (the post is gone, say). --all takes them, too."
        )?;
    }
    if more {
        writeln!(out, "There are more than can be dealt with at once: do it again afterwards.")?;
    }
    Ok(())
}

pub(super) fn created(file: &Path, jobs: usize, left: usize, more: bool, out: &mut dyn Write) -> io::Result<()> {
    let file = file.display();
    writeln!(out, "{file}: {jobs} jobs. Look through it, then `boss-bot recovery run {file}`.")?;
    left_out(left, more, out)
}

pub(super) fn taken_json(taken: &[Taken], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Shown<'a> {
        id: &'a str,
        fate: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        link: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        failed_with: Option<&'a str>,
        message: String,
    }
    for Taken { id, job, fate } in taken {
        let link = job.as_ref().map(|job| job.link.as_str());
        let failed_with = job.as_ref().map(Lost::code);
        serde_json::to_writer(&mut *out, &Shown { id, fate: fate.word(), link, failed_with, message: fate.told() })?;
        writeln!(out)?;
    }
    Ok(())
}

pub(super) fn taken(taken: &[Taken], left: usize, more: bool, out: &mut dyn Write) -> io::Result<()> {
    if taken.is_empty() {
        writeln!(out, "There is nothing to do again.")?;
        return left_out(left, more, out);
    }
    let mut table = new_table(&["Job", "Platform", "Link", "Had failed with", ""]);
    for Taken { id, job, fate } in taken {
        let (platform, link, code) = match job {
            Some(job) => (job.row.platform.clone(), shorten(&job.link, 40), job.code().to_owned()),
            None => Default::default(),
        };
        table.add_row([id.clone(), platform, link, code, fate.told()]);
    }
    writeln!(out, "{table}")?;
    left_out(left, more, out)?;
    let count = |wanted: Fate| taken.iter().filter(|one| one.fate == wanted).count();
    match (count(Fate::Queued), count(Fate::Would)) {
        (0, 0) => writeln!(out, "Nothing was begun."),
        (0, would) => writeln!(out, "{would} jobs would be in the queue again. Nothing was begun."),
        (queued, _) => writeln!(
            out,
            "{queued} jobs are in the queue again: the bot that runs does them now, or the next one that starts, and answers \
             where they were asked."
        ),
    }
}
