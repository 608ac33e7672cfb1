//! What `batch` prints: what is wrong with a list, what would be done, and what became of each link.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    super::{
        Exit,
        bars::shorten,
        fetch::report::{details, row},
        output::{self, size},
    },
    list::{Entry, Problem},
    record::Kept,
};
use crate::model::{Kind, Options, Outcome, PlatformId, Quality, ResourceKind, Speed};

/// Mistakes that are told of one list: whoever has more has given the wrong file.
const MOST_PROBLEMS: usize = 50;

/// What became of a link.
#[derive(Debug)]
pub(super) enum State<'a> {
    /// It was worked on, well or not.
    Ended(&'a Outcome),
    /// An earlier run has done it; these are its files.
    FinishedBefore(&'a [Kept]),
    /// The entry in that line asks for the same.
    Same(usize),
}

/// How many links came to what.
#[derive(Debug, Clone, Copy, Default, Serialize)]
struct Summary {
    links: usize,
    done: usize,
    finished_before: usize,
    same: usize,
    failed: usize,
    cancelled: usize,
    not_started: usize,
    files: usize,
    bytes: u64,
    seconds: f64,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    line: usize,
    /// Which entry of the list in that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<usize>,
    url: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as: Option<usize>,
    /// What an earlier run has made of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<&'a [Kept]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(flatten)]
    outcome: Option<Outcome>,
}

/// What is kept of a link until the end: its texts, not its outcome, which may be large.
struct Told {
    row: [String; 8],
    details: String,
    json: String,
    exit: Option<Exit>,
}

/// Gathers what became of the links.
pub(super) struct Report<'a> {
    entries: &'a [Entry],
    json: bool,
    told: Vec<Option<Told>>,
    /// How many of them have been printed.
    printed: usize,
    summary: Summary,
    /// How printing went, as long as it went well.
    written: Exit,
    broken: bool,
}

impl<'a> Report<'a> {
    pub(super) fn new(entries: &'a [Entry], json: bool) -> Self {
        Self {
            entries,
            json,
            told: entries.iter().map(|_| None).collect(),
            printed: 0,
            summary: Summary { links: entries.len(), ..Summary::default() },
            written: Exit::Ok,
            broken: false,
        }
    }

    /// Takes what became of a link, and prints what is next in order.
    pub(super) fn tell(&mut self, index: usize, state: &State<'_>) {
        let (Some(entry), Some(place)) = (self.entries.get(index), self.told.get_mut(index)) else { return };
        let summary = &mut self.summary;
        match state {
            State::Ended(Outcome { error: None, metadata, .. }) => {
                summary.done += 1;
                let files = metadata.iter().flat_map(|metadata| &metadata.files);
                (summary.files, summary.bytes) =
                    files.fold((summary.files, summary.bytes), |(count, bytes), file| (count + 1, bytes + file.size));
            }
            State::Ended(Outcome { error: Some(error), .. }) if *error.kind() == Kind::Cancelled => {
                summary.cancelled += 1;
            }
            State::Ended(_) => summary.failed += 1,
            State::FinishedBefore(_) => summary.finished_before += 1,
            State::Same(_) => summary.same += 1,
        }
        *place = Some(told(entry, Some(state)));
        while self.json
            && self.written == Exit::Ok
            && let Some(Some(next)) = self.told.get(self.printed)
        {
            self.written = output::print(|out| writeln!(out, "{}", next.json));
            self.printed += 1;
        }
    }

    /// What is done could not be written down.
    pub(super) fn broken(&mut self) {
        self.broken = true;
    }

    /// How long all of it took.
    pub(super) fn took(&mut self, took: Duration) {
        self.summary.seconds = (took.as_secs_f64() * 1000.0).round() / 1000.0;
    }

    /// Prints the rest, and says how to go on.
    pub(super) fn end(mut self, continues: bool) -> Exit {
        let rest = self.told.iter().filter(|told| told.is_none()).count();
        self.summary.not_started = rest;
        let told: Vec<Told> = std::mem::take(&mut self.told)
            .into_iter()
            .zip(self.entries)
            .map(|(known, entry)| known.unwrap_or_else(|| told(entry, None)))
            .collect();
        let written = match (self.written, self.json) {
            (Exit::Ok, true) => output::print(|out| {
                for one in told.iter().skip(self.printed) {
                    writeln!(out, "{}", one.json)?;
                }
                serde_json::to_writer(&mut *out, &serde_json::json!({ "summary": self.summary }))?;
                writeln!(out)
            }),
            (Exit::Ok, false) => output::print(|out| text(&told, &self.summary, continues, out)),
            (failed, _) => failed,
        };
        let exits: Vec<Exit> = told.iter().filter_map(|one| one.exit).collect();
        match written {
            Exit::Ok if self.broken => Exit::Failure,
            Exit::Ok => Exit::of_all(&exits),
            failed => failed,
        }
    }
}

/// The texts of a link. Without a state it was not begun.
fn told(entry: &Entry, state: Option<&State<'_>>) -> Told {
    let mut line = Line {
        line: entry.line,
        item: entry.item,
        url: &entry.link,
        state: "",
        same_as: None,
        files: None,
        note: entry.note(),
        outcome: None,
    };
    let (cells, mut text, exit) = match state {
        Some(State::Ended(outcome)) => {
            let mut out = Vec::new();
            // Into memory: it cannot fail.
            let _ = details(&entry.link, outcome, &[], &mut out);
            let cells = row(&entry.link, outcome);
            let mut outcome = Outcome::clone(outcome);
            if let Some(metadata) = &mut outcome.metadata {
                metadata.drop_addresses();
            }
            let ended = outcome.error.as_ref().map_or(Exit::Ok, Exit::of);
            line.state = match ended {
                Exit::Ok => "done",
                Exit::Cancelled => "cancelled",
                _ => "failed",
            };
            line.outcome = Some(outcome);
            (cells, String::from_utf8_lossy(&out).into_owned(), Some(ended))
        }
        other => {
            let (word, files) = match other {
                Some(State::FinishedBefore(files)) => ("finished_before", Some(*files)),
                Some(State::Same(same_as)) => {
                    line.same_as = Some(*same_as);
                    ("same", None)
                }
                _ => ("not_started", None),
            };
            (line.state, line.files) = (word, files);
            let bytes = files.map(|files| files.iter().map(|file| file.size).sum::<u64>());
            let cells = [
                line.same_as.map_or_else(|| word.replace('_', " "), |line| format!("same as line {line}")),
                shorten(&entry.link, 40),
                String::new(),
                files.map_or_else(|| "–".to_owned(), |files| files.len().to_string()),
                bytes.map_or_else(|| "–".to_owned(), size),
                String::new(),
                String::new(),
            ];
            (cells, String::new(), files.map(|_| Exit::Ok))
        }
    };
    if let Some(note) = &line.note {
        text.push_str(&format!("line {}: {note}\n", entry.place()));
    }
    let json = serde_json::to_string(&line).unwrap_or_default();
    let [state, link, post, files, bytes, by, seconds] = cells;
    Told { row: [entry.place(), state, link, post, files, bytes, by, seconds], details: text, json, exit }
}

fn text(told: &[Told], summary: &Summary, continues: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut table = new_table(&["Line", "", "Link", "Post", "Files", "Size", "By", "Seconds"], &[0, 4, 5, 7]);
    for one in told {
        table.add_row(&one.row);
    }
    writeln!(out, "{table}")?;
    for one in told {
        write!(out, "{}", one.details)?;
    }
    let parts = [
        (summary.done, "done"),
        (summary.finished_before, "finished before"),
        (summary.same, "the same as another"),
        (summary.failed, "failed"),
        (summary.cancelled, "cancelled"),
        (summary.not_started, "not started"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let (links, files, bytes, seconds) = (summary.links, summary.files, size(summary.bytes), summary.seconds);
    writeln!(out, "{links} links: {}. {files} files, {bytes}, {seconds:.1} s.", parts.join(", "))?;
    match () {
        () if summary.cancelled > 0 || (summary.not_started > 0 && summary.failed == 0) => {
            writeln!(out, "Stopped. The same command again goes on from here.")
        }
        () if summary.failed == 0 => Ok(()),
        () if continues => writeln!(out, "The same command again tries those that failed, and only those."),
        () if summary.not_started == 0 => writeln!(out, "The same command again tries what failed."),
        () => writeln!(
            out,
            "No further link was begun after the first that failed. The same command again goes on from there; with \
             --continue-on-error the others do not wait for it."
        ),
    }
}

fn new_table(header: &[&str], right: &[usize]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Says what is wrong with a list: every line of it.
pub(super) fn wrong(list: &Path, problems: &[Problem], json: bool) -> Exit {
    let name = list.display();
    for Problem { line, message } in problems.iter().take(MOST_PROBLEMS) {
        match line {
            0 => eprintln!("boss-bot: {name}: {message}"),
            line => eprintln!("boss-bot: {name}:{line}: {message}"),
        }
    }
    if let Some(more @ 1..) = problems.len().checked_sub(MOST_PROBLEMS) {
        eprintln!("boss-bot: {name}: and {more} more");
    }
    eprintln!("Nothing was begun.");
    if !json {
        return Exit::Usage;
    }
    let error = serde_json::json!({ "code": "usage", "message": "the list cannot be used", "problems": problems });
    match output::print(|out| writeln!(out, "{}", serde_json::json!({ "error": error }))) {
        Exit::Ok => Exit::Usage,
        failed => failed,
    }
}

/// What would be done with each link.
type Planned<'a> = (&'a Entry, Option<State<'a>>);

fn plan_words(state: Option<&State<'_>>) -> (&'static str, Option<usize>) {
    match state {
        Some(State::Same(line)) => ("same", Some(*line)),
        Some(State::FinishedBefore(_) | State::Ended(_)) => ("finished_before", None),
        None => ("to_do", None),
    }
}

pub(super) fn plan(planned: &[Planned<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut table = new_table(&["Line", "", "Link", "Platform", "Kind", "Wishes"], &[0]);
    for (entry, state) in planned {
        let (word, same_as) = plan_words(state.as_ref());
        let word = same_as.map_or_else(|| word.replace('_', " "), |line| format!("same as line {line}"));
        let kind = serde_json::to_value(entry.kind)?;
        let kind = kind.as_str().unwrap_or_default().to_owned();
        let platform = entry.platform.to_string();
        table.add_row([entry.line.to_string(), word, shorten(&entry.link, 48), platform, kind, wishes(entry)]);
    }
    writeln!(out, "{table}")?;
    for (entry, _) in planned {
        if let Some(note) = entry.note() {
            writeln!(out, "line {}: {note}", entry.line)?;
        }
    }
    let to_do = planned.iter().filter(|(_, state)| state.is_none()).count();
    writeln!(out, "{} links, {to_do} to do. Nothing was begun.", planned.len())
}

/// What is wanted beyond the usual, in a few words.
fn wishes(entry: &Entry) -> String {
    let (options, fit) = (&entry.options, &entry.options.fit);
    let quality = options.quality.max_height().is_some() || options.quality == Quality::Worst;
    let words = [
        quality.then(|| options.quality.to_string()),
        options.audio_only.then(|| format!("sound only ({})", fit.audio_format)),
        fit.mute.then(|| "mute".to_owned()),
        fit.trim.map(|trim| trim.to_string()),
        fit.gif.then(|| "GIF".to_owned()),
        fit.split.then(|| "split".to_owned()),
        (fit.speed != Speed::default()).then(|| fit.speed.to_string()),
        entry.max_size.map(|bytes| format!("up to {}", size(bytes))),
        options.thread.then(|| "thread".to_owned()),
        options.force.then(|| "anew".to_owned()),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A line of JSON of what would be done.
#[derive(Serialize)]
struct PlanLine<'a> {
    line: usize,
    url: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_as: Option<usize>,
    platform: PlatformId,
    kind: ResourceKind,
    canonical: &'a str,
    options: &'a Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub(super) fn plan_json(planned: &[Planned<'_>], out: &mut dyn Write) -> io::Result<()> {
    for (entry, state) in planned {
        let (state, same_as) = plan_words(state.as_ref());
        let line = PlanLine {
            line: entry.line,
            url: &entry.link,
            state,
            same_as,
            platform: entry.platform,
            kind: entry.kind,
            canonical: entry.canonical.as_str(),
            options: &entry.options,
            max_size: entry.max_size,
            note: entry.note(),
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}
