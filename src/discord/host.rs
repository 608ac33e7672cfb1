//! What durable jobs go to on Discord: takes a job up where its row says that its conversation is, and speaks for it.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    address::Address,
    limits::{self, LimitBook},
    live::Live,
    progress,
    request::Target,
    rest::Rest,
    sink::DiscordSink,
    texts,
    waiting::Waiting,
};
use crate::{
    deliver::{self, ArchiveSink, DirectorySink, Journal, Sink},
    jobs::{
        Seal,
        durable::{self, Host, Recorded, Taken, Talk, Word},
        store::{Claimed, JobRow},
    },
    model::{Error, Options, Outcome, ProgressReceiver, Request, Requester, Result},
    net::Client,
    settings::Settings,
};

/// What a job's row keeps of a request; its id is the row's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The link as pasted.
    pub url: url::Url,
    /// What is wanted of it.
    pub options: Options,
    /// Who asked.
    pub requester: Requester,
}

/// Discord as the place that durable jobs go to.
pub struct DiscordHost {
    /// Discord's REST interface.
    pub rest: Rest,
    /// Opens the tokens of interactions.
    pub seal: Arc<Seal>,
    /// Loads previews for the archive.
    pub client: Client,
    /// What was learned about upload limits.
    pub limits: Arc<LimitBook>,
    /// What the operator set.
    pub settings: Arc<Settings>,
    /// Live messages of this process whose jobs have not been claimed yet.
    pub waiting: Waiting,
}

/// Says on the live message of a job that it was called off before it began: no worker does. `row` is the job as it was, and
/// knows where that message is, whichever process wrote it.
pub async fn say_called_off(waiting: &Waiting, rest: Rest, seal: &Seal, row: &JobRow) {
    let live = match (waiting.take(&row.id), serde_json::from_value(row.address.clone())) {
        (Some(live), _) => live,
        (None, Ok(address)) => Arc::new(Live::at(rest, &row.id, address, seal)),
        (None, Err(error)) => return tracing::warn!(%error, id = row.id, "a row's address makes no sense"),
    };
    live.finish(&texts::queue::called_off()).await;
}

#[async_trait]
impl Host for DiscordHost {
    async fn take_up(&self, job: &Claimed, journal: Arc<dyn Journal>) -> Result<Taken> {
        let odd = |error: serde_json::Error| Error::internal(format!("a job's row makes no sense: {error}"));
        let Asked { url, options, requester } = serde_json::from_value(job.request.clone()).map_err(odd)?;
        let address: Address = serde_json::from_value(job.address.clone()).map_err(odd)?;
        let (guild, channel, target, told) = (address.guild, address.channel, address.target, address.told);
        let live = match self.waiting.take(&job.id) {
            Some(live) => live,
            None => Arc::new(Live::at(self.rest.clone(), &job.id, address.clone(), &self.seal)),
        };
        live.begin(&texts::begin()).await?;
        let now = live.address().await;
        if now != address {
            journal.readdress(serde_json::to_value(&now).map_err(odd)?).await?;
        }
        let entries: Vec<_> = job.parts.iter().map(durable::entry).collect();
        let sink: Arc<dyn Sink> = match target {
            Target::Here => Arc::new(DiscordSink {
                already: live.resume(journal, entries, job.attempt <= 1).await,
                live: live.clone(),
                limits: self.limits.clone(),
                place: limits::Place::of(guild, channel),
                told,
            }),
            Target::Server => {
                live.resume(journal.clone(), Vec::new(), job.attempt <= 1).await;
                let dir = &self.settings.downloads.dir;
                let sink: Box<dyn Sink> = if self.settings.downloads.archive {
                    Box::new(ArchiveSink::new(dir, None, self.client.clone()))
                } else {
                    // Who dies between placing files and writing that down would place them twice.
                    Box::new(DirectorySink::new(dir, None).again())
                };
                Arc::new(Recorded::new(sink, journal, &entries))
            }
        };
        let request = Request { id: job.id.clone(), url, options, requester };
        let talk = Arc::new(Voice { live, target, shown: self.settings.upload.progress_updates });
        Ok(Taken { request, sink, talk })
    }
}

/// Speaks for one job.
struct Voice {
    live: Arc<Live>,
    target: Target,
    /// `UPLOAD_ENABLE_PROGRESS_UPDATES`.
    shown: bool,
}

#[async_trait]
impl Talk for Voice {
    async fn follow(&self, progress: ProgressReceiver) {
        if self.shown {
            progress::follow(&self.live, progress).await;
        }
    }

    async fn say(&self, word: Word<'_>) {
        match word {
            Word::Ended(outcome) => match last_word(outcome, self.target) {
                Some(text) => self.live.finish(&text).await,
                None => self.live.tidy().await,
            },
            Word::Paused => self.live.pause(&texts::paused()).await,
            Word::Later { error, at } => self.live.pause(&texts::later(error, at)).await,
            Word::GivenUp => self.live.finish(&texts::given_up()).await,
        }
    }
}

/// What the live message says in the end. `None`: it has become the files.
fn last_word(outcome: &Outcome, target: Target) -> Option<String> {
    match &outcome.error {
        Some(error) => Some(texts::failure(outcome, error)),
        None if target == Target::Server => {
            let paths = outcome.posted.places.iter();
            let mut names: Vec<String> =
                paths.filter_map(|path| Some(Path::new(path).file_name()?.to_string_lossy().into_owned())).collect();
            if names.is_empty() {
                // An earlier attempt has placed them, and the name that each got then is not known any more.
                let files = outcome.metadata.iter().flat_map(|metadata| &metadata.files);
                names = files.map(|file| file.filename.clone()).collect();
            }
            let warned = deliver::warned(&outcome.posted.warnings).map(|warned| format!("\n{warned}"));
            Some(texts::kept(&names) + &warned.unwrap_or_default())
        }
        None => None,
    }
}
