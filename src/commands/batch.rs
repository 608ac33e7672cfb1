//! `boss-bot batch`: a list of links into a folder, on the same way as in Discord, to be taken up again where it stopped.
//!
//! ```text
//! list ──read──► entries ──► lists among them ──► what the record knows ──► at most N jobs at once, begun in the order of the list
//!   └ all that is wrong,     are taken apart      is left out  ▲                │
//!     before anything runs                                     └─ a line when a link is done
//! ```

mod list;
mod record;
mod report;

use std::{
    collections::HashMap,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use self::{
    list::{Entry, Problem, Wanted},
    record::{Kept, Record, RecordError},
    report::{Report, State},
};
use super::{Exit, bars::Bars, fetch, output, stop, wishes::Wishes};
use crate::{
    app::App,
    deliver::{ArchiveSink, DirectorySink, Sink},
    model::{Error, ITEMS_OF_A_LIST, Kind, Outcome, Request, Requester, UploadLimit, redact},
    settings::{self, Settings},
};

/// Work through a list of links.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot batch --file links.txt -o media
  boss-bot batch --file links.txt --dry-run
  boss-bot batch --file links.yaml -o media --max-concurrent 2 --continue-on-error
  grep -o 'https://[^ ]*' chat.log | boss-bot batch --file - --audio-format mp3 --json | jq .state

A list is a link a line; empty lines are skipped, and what stands after a # at the beginning of a line or after a space. Or it
is YAML or JSON, a list of links and of mappings whose options win over those of the command line:
  - https://x.com/someone/status/1234567890
  - url: https://youtu.be/dQw4w9WgXcQ
    quality: 720p         # also audio_only, audio_format, mute, start, end, gif, split, speed, max_size, thread, force
    start: 0:43
  - url: https://www.youtube.com/@someone
    max_items: 50         # also oldest_first
All of it is looked through first: when something is wrong, each mistake is told with its line, and nothing is begun.

A link to a list (a playlist, a channel, an album) becomes its entries, each a link of its own with the wishes of the list: the first
--max-items in the order of the list, or with --oldest-first its last ones, beginning at the end (channels have their latest
first). They are looked up each time it begins, so a list that has grown is gone on with. Lists that only gallery-dl knows are one
piece of work: their first ten entries, as for fetch. What is asked for twice is done once, in lists, too.

The same command again goes on where the last one stopped, however that was: a link that is done, with the same wishes, is left
out as long as its files are there. That stands in DIR/.boss-bot-batch.jsonl; --force does it again. Without
--continue-on-error no further link is begun after one has failed; those under way are finished.

--json prints one object a link, in the order of the list: {line, item, url, state, …}, where item counts the entries of a list
in that line, state is done, finished_before, same, failed or not_started, and the rest is as with fetch; and in the end
{summary}.")]
pub(super) struct Args {
    /// The list; `-` reads it from standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,

    /// Where the files go; made when it is missing
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,

    /// Sort the files by platform and author, with what is known of each post beside them (info.json, its words, its preview)
    #[arg(long)]
    archive: bool,

    /// Links worked on at once; without it MAX_CONCURRENT_DOWNLOADS
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    max_concurrent: Option<u8>,

    /// Go on with the other links after one has failed
    #[arg(long)]
    continue_on_error: bool,

    /// Look through the list and say what would be done; touches no network
    #[arg(long)]
    dry_run: bool,

    /// With the earlier posts of the same thread, where the platform has threads (X)
    #[arg(long)]
    thread: bool,

    /// Make every file at most this large, as for a Discord upload: 10MB, 9.5MB, 512KB
    #[arg(long, value_name = "SIZE", value_parser = settings::parse_size)]
    max_size: Option<u64>,

    #[command(flatten)]
    wishes: Wishes,

    /// Ask the platforms anew, whatever is remembered, and do again what is done
    #[arg(long)]
    force: bool,

    /// Entries of each playlist, channel or album at the most
    #[arg(long, value_name = "N", default_value_t = ITEMS_OF_A_LIST as u16, value_parser = clap::value_parser!(u16).range(1..=MOST_ITEMS))]
    max_items: u16,

    /// Begin at the end of each list, which on channels is the oldest
    #[arg(long)]
    oldest_first: bool,

    /// One JSON object a link, and a summary
    #[arg(long)]
    json: bool,
}

/// Entries of one list that may be wanted.
const MOST_ITEMS: i64 = list::MOST_ITEMS as i64;

impl Args {
    /// What it changes in the settings.
    pub(super) fn apply(&self, settings: &mut Settings) {
        if let Some(most) = self.max_concurrent {
            settings.downloads.max_concurrent = usize::from(most);
        }
    }

    /// Whether it comes from standard input.
    fn is_piped(&self) -> bool {
        self.file.as_os_str() == "-"
    }

    /// The list as it is.
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let source: Box<dyn Read> =
            if self.is_piped() { Box::new(io::stdin().lock()) } else { Box::new(std::fs::File::open(&self.file)?) };
        source.take(list::MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > list::MOST_BYTES {
            let told = format!("a list has at most {}: make two of it", output::size(list::MOST_BYTES));
            return Err(io::Error::new(io::ErrorKind::InvalidData, told));
        }
        Ok(bytes)
    }
}

pub(super) async fn execute(args: Args, app: Arc<App>) -> Exit {
    let usual = Wanted {
        wishes: args.wishes.clone(),
        max_size: args.max_size,
        thread: args.thread,
        force: args.force,
        max_items: usize::from(args.max_items),
        oldest_first: args.oldest_first,
    };
    let name = if args.is_piped() { Path::new("standard input") } else { &args.file };
    let wrong = |problems: &[Problem]| report::wrong(name, problems, args.json);
    if let Err(told) = args.wishes.options() {
        return wrong(&[Problem { line: 0, message: told }]);
    }
    let entries = match args.bytes() {
        Ok(bytes) => list::read(&bytes, (!args.is_piped()).then_some(args.file.as_path()), &usual, &app.strategy),
        Err(error) => Err(vec![Problem { line: 0, message: error.to_string() }]),
    };
    let entries = match entries {
        Ok(entries) => entries,
        Err(problems) => return wrong(&problems),
    };
    let opened = if args.dry_run { Record::look(&args.output) } else { Record::open(&args.output) };
    let record = match opened {
        Ok(record) => record,
        Err(error) => {
            eprintln!("boss-bot: {error}");
            return if let RecordError::Busy(_) = error { Exit::Later } else { Exit::Failure };
        }
    };
    if args.dry_run {
        return dry_run(&args, &entries, &record);
    }
    let stop = match stop::on_signal() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("boss-bot: signals cannot be heard: {error}");
            return Exit::Failure;
        }
    };
    let begun = Instant::now();
    let (entries, unlisted) = taken_apart(&args, entries, &app, &stop).await;
    let mut report = work(&args, &entries, unlisted, record, &app, &stop).await;
    report.took(begun.elapsed());
    report.end(args.continue_on_error)
}

/// Puts the entries of lists in their place, and says which lists could not be looked into. After such a one the others stay as
/// they are, unless failures are passed over.
async fn taken_apart(
    args: &Args,
    read: Vec<Entry>,
    app: &App,
    stop: &CancellationToken,
) -> (Vec<Entry>, HashMap<usize, Outcome>) {
    let (mut entries, mut failed) = (Vec::new(), HashMap::new());
    for entry in read {
        let goes_on = failed.is_empty() || args.continue_on_error;
        let Some(listing) = entry.listing.filter(|_| entry.same_as.is_none() && goes_on && !stop.is_cancelled()) else {
            entries.push(entry);
            continue;
        };
        let begun = Instant::now();
        let error = match app.jobs.list(&entry.url, &listing, stop).await {
            Ok(listed) => {
                let items = entry.taken_apart(listed, &app.strategy);
                if !items.is_empty() {
                    entries.extend(items);
                    continue;
                }
                Error::new(Kind::NoMedia, "the list holds nothing")
            }
            Err(error) => error,
        };
        let platform = Some(entry.platform.to_string());
        let outcome = Outcome { platform, error: Some(error), took: begun.elapsed(), ..Outcome::of("") };
        failed.insert(entries.len(), outcome);
        entries.push(entry);
    }
    list::find_same(&mut entries);
    (entries, failed)
}

/// What is done with a link without asking anybody. `None`: it is to be loaded.
fn known<'a>(entry: &Entry, record: &'a Record) -> Option<State<'a>> {
    match (entry.same_as, record.finished(&entry.key)) {
        (Some(line), _) => Some(State::Same(line)),
        (None, Some(files)) if !entry.options.force => Some(State::FinishedBefore(files)),
        (None, _) => None,
    }
}

fn dry_run(args: &Args, entries: &[Entry], record: &Record) -> Exit {
    let planned: Vec<_> = entries.iter().map(|entry| (entry, known(entry, record))).collect();
    output::print(|out| if args.json { report::plan_json(&planned, out) } else { report::plan(&planned, out) })
}

/// Begins the links in their order, as many at once as there may be, and tells of each when all before it are told of.
async fn work<'a>(
    args: &Args,
    entries: &'a [Entry],
    unlisted: HashMap<usize, Outcome>,
    mut record: Record,
    app: &App,
    stop: &CancellationToken,
) -> Report<'a> {
    let mut report = Report::new(entries, args.json);
    let mut queue = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match (unlisted.get(&index), known(entry, &record)) {
            (Some(outcome), _) => report.tell(index, &State::Ended(outcome)),
            (None, Some(state)) => report.tell(index, &state),
            (None, None) => queue.push((index, entry)),
        }
    }
    let bars = Bars::new();
    let whole = bars.whole(queue.len());
    let most = app.settings.downloads.max_concurrent.max(1);
    let (mut queue, mut running, mut failed) = (queue.into_iter(), FuturesUnordered::new(), unlisted.len());
    // What is written down could not be relied upon: nothing more is begun.
    let mut unwritten = None;
    loop {
        let goes_on = |failed: usize| failed == 0 || args.continue_on_error;
        while running.len() < most
            && goes_on(failed)
            && unwritten.is_none()
            && !stop.is_cancelled()
            && let Some((index, entry)) = queue.next()
        {
            let (link, bars) = (entry.link.clone(), bars.clone());
            let limit = entry.max_size.map(|per_file| UploadLimit { per_file });
            let sink: Arc<dyn Sink> = if args.archive {
                Arc::new(ArchiveSink::new(&args.output, limit, app.egress.client().clone()))
            } else {
                Arc::new(DirectorySink::new(&args.output, limit).again())
            };
            let request = Request::new(entry.url.clone(), entry.options.clone(), Requester::command_line());
            let job = app.jobs.submit(request, sink);
            let bar = tokio::spawn(bars.follow(link, job.progress.clone()));
            running.push(async move { (index, entry, fetch::ended(job, bar, stop).await) });
        }
        let Some((index, entry, outcome)) = running.next().await else { break };
        if outcome.error.is_some() {
            failed += 1;
        } else if let Err(error) =
            record.add(&entry.key, &redact::link(&entry.canonical), &kept(&outcome, &args.output))
        {
            // (Written here, on the main thread, where nobody else waits for it.)
            unwritten.get_or_insert(error);
        }
        whole.step(failed);
        report.tell(index, &State::Ended(&outcome));
    }
    // Takes the folders of the jobs away.
    app.jobs.shut_down().await;
    drop(whole);
    bars.clear();
    if let Some(error) = unwritten {
        eprintln!("boss-bot: what is done could not be written down: {error}");
        report.broken();
    }
    report
}

/// The files that a link has become, by their names in the folder.
fn kept(outcome: &Outcome, dir: &Path) -> Vec<Kept> {
    let files = outcome.metadata.iter().flat_map(|metadata| &metadata.files);
    files
        .filter_map(|file| {
            let name = file.path.strip_prefix(dir).ok()?.to_owned();
            Some(Kept { name, size: file.size })
        })
        .collect()
}
