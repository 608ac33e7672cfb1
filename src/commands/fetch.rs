//! `boss-bot fetch`: links into a folder, on the same way as in Discord.

pub(super) mod report;

use std::{path::PathBuf, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{Exit, bars, output, stop, wishes::Wishes};
use crate::{
    app::App,
    deliver::{ArchiveSink, DirectorySink, Sink},
    fetch::{Plan, previews},
    jobs::Job,
    model::{Error, Options, Outcome, Request, Requester, Result, UploadLimit},
    net::Cassette,
    platforms::parse_link,
    settings::{self, Settings},
    telemetry::Redaction,
};

/// Download links into a folder, as the bot would.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  boss-bot fetch https://x.com/someone/status/1234567890
  boss-bot fetch -o clips --max-size 10MB https://www.reddit.com/r/videos/comments/abc123/ https://youtu.be/dQw4w9WgXcQ
  boss-bot fetch --audio-format mp3 --start 0:43 --end 1:25 https://youtu.be/dQw4w9WgXcQ
  boss-bot fetch --metadata-only --json https://www.instagram.com/p/CODE/ | jq .metadata.title

--json prints one object a link, in the order of the links: {url, platform, attempts, metadata, posted, error, seconds};
with --metadata-only also `plan`: what would be loaded of each item, and what would become of it.
Sizes count as Discord counts: 10MB is 10 × 1024 × 1024 bytes. Nothing half-loaded stays behind, also after Ctrl-C.")]
pub(super) struct Args {
    /// Links to posts, videos, or media files
    #[arg(required = true, value_name = "URL")]
    links: Vec<String>,

    /// Where the files go; made when it is missing
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,

    /// Sort the files by platform and author, with what is known of each post beside them (info.json, its words, its preview)
    #[arg(long)]
    archive: bool,

    /// With the earlier posts of the same thread, where the platform has threads (X)
    #[arg(long)]
    thread: bool,

    /// Make every file at most this large, as for a Discord upload: 10MB, 9.5MB, 512KB
    #[arg(long, value_name = "SIZE", value_parser = settings::parse_size)]
    max_size: Option<u64>,

    #[command(flatten)]
    wishes: Wishes,

    /// Look at the links and load nothing
    #[arg(long)]
    metadata_only: bool,

    /// Ask the platforms anew, whatever is remembered of these links
    #[arg(long)]
    force: bool,

    /// Write what the platforms are asked in process, and what they answer, into this folder, without cookies, tokens
    /// and signatures: for a report that a platform has changed, or to start a new one
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    record: Option<PathBuf>,

    /// Keep pictures and videos whole in the recording, not only their beginning
    #[arg(long, requires = "record")]
    record_media: bool,

    /// Answer from a recording instead of the network
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,

    /// One JSON object a link
    #[arg(long)]
    json: bool,
}

impl Args {
    /// What the run is recorded into or answered from, if anything. Recordings are of the in-process path: the tools are
    /// left out, and what is remembered is not used.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub(super) fn cassette(&self, settings: &mut Settings) -> Result<Option<Cassette>> {
        let cassette = match (&self.record, &self.replay) {
            (Some(dir), _) => {
                let known = Redaction::new(settings);
                Cassette::record(dir, move |text| known.without_known(text), self.record_media)?
            }
            (None, Some(dir)) => Cassette::play(dir)?,
            (None, None) => return Ok(None),
        };
        settings.cache.enabled = false;
        settings.downloads.api_fallback_to_cli = false;
        Ok(Some(cassette))
    }
}

/// One link on its way: a job, or refused before it became one.
enum Task {
    Job { job: Job, bar: tokio::task::JoinHandle<()> },
    Refused(Error),
}

/// What became of one link.
struct Ended {
    link: String,
    outcome: Outcome,
    /// When it was only looked at: what would be loaded of each item.
    plans: Vec<Option<Plan>>,
}

pub(super) async fn execute(args: Args, app: Arc<App>) -> Exit {
    let options = match args.wishes.options() {
        Ok(wished) => Options { metadata_only: args.metadata_only, thread: args.thread, force: args.force, ..wished },
        Err(told) => {
            eprintln!("boss-bot: {told}");
            return Exit::Usage;
        }
    };
    let stop = match stop::on_signal() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("boss-bot: signals cannot be heard: {error}");
            return Exit::Failure;
        }
    };
    let bars = bars::Bars::new();
    let limit = args.max_size.map(|per_file| UploadLimit { per_file });
    let sink: Arc<dyn Sink> = if args.archive {
        Arc::new(ArchiveSink::new(&args.output, limit, app.egress.client().clone()))
    } else {
        Arc::new(DirectorySink::new(&args.output, limit))
    };
    let tasks: Vec<(String, Task)> = args
        .links
        .iter()
        .map(|link| {
            let task = match parse_link(link) {
                Ok(url) => {
                    let request = Request::new(url, options.clone(), Requester::command_line());
                    let job = app.jobs.submit(request, sink.clone());
                    let bar = tokio::spawn(bars.clone().follow(link.clone(), job.progress.clone()));
                    Task::Job { job, bar }
                }
                Err(error) => Task::Refused(error),
            };
            (link.clone(), task)
        })
        .collect();

    let mut ended = Vec::new();
    let mut written = Exit::Ok;
    for (link, task) in tasks {
        let outcome = finish(task, &stop).await;
        let plans = match &outcome.metadata {
            Some(metadata) if options.metadata_only => previews(metadata, &options, limit, &app.media.means()),
            _ => Vec::new(),
        };
        let one = Ended { link, outcome, plans };
        if args.json && written == Exit::Ok {
            written = output::print(|out| report::json(&one, out));
        }
        ended.push(one);
    }
    // Takes the folders of the jobs away.
    app.jobs.shut_down().await;
    bars.clear();
    if !args.json {
        written = output::print(|out| report::text(&ended, out));
    }
    let exits: Vec<Exit> = ended.iter().map(|one| one.outcome.error.as_ref().map_or(Exit::Ok, Exit::of)).collect();
    if written == Exit::Ok { Exit::of_all(&exits) } else { written }
}

/// Waits for the end of one link.
async fn finish(task: Task, stop: &CancellationToken) -> Outcome {
    match task {
        Task::Job { job, bar } => ended(job, bar, stop).await,
        Task::Refused(error) => Outcome { error: Some(error), ..Outcome::of("") },
    }
}

/// Waits for the end of a job and of its bar. A signal cancels it, and its cleaning up is still waited for.
pub(super) async fn ended(mut job: Job, bar: tokio::task::JoinHandle<()>, stop: &CancellationToken) -> Outcome {
    let ended = tokio::select! {
        ended = &mut job.outcome => ended,
        () = stop.cancelled() => {
            job.cancel.cancel();
            (&mut job.outcome).await
        }
    };
    // The bar ends with the job's last word; nothing it does can fail.
    let _ = bar.await;
    ended.unwrap_or_else(|fault| Outcome {
        error: Some(Error::internal(format!("the job broke: {fault}"))),
        ..Outcome::of(&job.id)
    })
}
