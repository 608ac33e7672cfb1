//! One file over HTTP: finds out what the server can do, and goes on where it was cut.
//!
//! The first request asks for the first part only. A server that answers with it (206) serves ranges: `parallel.rs` loads
//! the rest over as many connections as make it faster, into a file that outlives a crash. One that sends the whole (200)
//! is read as one stream. Either way a cut connection is resumed where it was cut, as long as the server still has the
//! same version.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use reqwest::{Response, StatusCode};
use url::Url;

use super::{
    answer::{self, content_range, content_type},
    engine::{Ask, Broken, Lane, check_status, range_header, too_large},
    parallel::Run,
    part::{Part, Writer},
    partial::{Claimed, Name, Version},
    patience::Tries,
    ranges::Ranges,
    sniff::{self, Served},
};
use crate::{
    model::{Error, Kind, Rendition, Result},
    net,
};

/// The first request asks for so much: small files come whole, and of larger ones the length is known soon.
const FIRST: u64 = 1024 * 1024;

/// How often a file that changes while it is loaded is begun again.
const RESTARTS: u32 = 1;

/// One file to load.
pub(super) struct Transfer<'a> {
    pub(super) lane: &'a Lane<'a>,
    pub(super) rendition: &'a Rendition,
    pub(super) url: &'a Url,
}

/// Why a version of the file cannot be loaded to its end.
pub(super) enum Ended {
    /// For good.
    Failed(Error),
    /// The server has another version now. Its first answer, if it starts at the beginning.
    Changed(Option<Response>),
    /// The server can't go on where it was cut: from the beginning again, by this answer if there is one.
    FromStart(Option<Response>, Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Ended::Failed(error)
    }
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        Ended::Failed(error.into())
    }
}

/// What the first answer is.
enum Opening {
    /// A part of a file that is served in parts.
    Ranged { response: Response, part: Range<u64>, version: Version },
    /// The whole.
    Whole { response: Response, total: Option<u64> },
}

/// Loads a rendition into `path`. `name`: by which a half-loaded file of an earlier, killed process is found.
///
/// # Errors
/// `too_large` over the budget, `timeout` when the server falls silent, `network` when it keeps cutting the connection,
/// `platform_changed` when what comes is no media or the address is no longer valid.
pub(super) async fn load(lane: &Lane<'_>, rendition: &Rendition, path: &Path, name: Option<Name>) -> Result<()> {
    let url = rendition.url.as_ref().ok_or_else(|| Error::internal("a rendition without an address"))?;
    let transfer = Transfer { lane, rendition, url };
    let (mut restarts, mut first) = (RESTARTS, None);
    let mut tries = Tries::new(lane.engine.first_wait);
    loop {
        let claimed = match &first {
            None => claim(lane, name.as_ref()).await?,
            // One stream from the beginning: nothing that a later process could go on with.
            Some(_) => None,
        };
        // What an earlier process has left may be of another version at no cost.
        restarts += u32::from(claimed.as_ref().is_some_and(|claimed| claimed.found().is_some()));
        match transfer.version(path, claimed, &mut tries, first.take()).await {
            Ok(()) => return Ok(()),
            Err(Ended::Failed(error)) => return Err(error),
            Err(Ended::Changed(answer)) => {
                restarts = restarts
                    .checked_sub(1)
                    .ok_or_else(|| Error::new(Kind::Network, "a file keeps changing while it is loaded"))?;
                tracing::debug!("a file has changed: from the start");
                first = answer;
            }
            Err(Ended::FromStart(answer, error)) => {
                let wait = tries.next(0).ok_or(error)?;
                if answer.is_none() {
                    tokio::time::sleep(wait).await;
                }
                first = answer;
            }
        }
    }
}

/// Takes the right to a file's half-loaded state, if it has a name and nobody else has the right.
async fn claim(lane: &Lane<'_>, name: Option<&Name>) -> Result<Option<Claimed>> {
    let (Some(partials), Some(name)) = (lane.engine.partials.clone(), name.cloned()) else { return Ok(None) };
    let claim = tokio::task::spawn_blocking(move || partials.claim(&name)).await;
    claim.map_err(|error| Error::internal(format!("claiming a half-loaded file: {error}")))
}

impl<'a> Transfer<'a> {
    /// Loads one version of the file to its end.
    async fn version(
        &self,
        path: &Path,
        claimed: Option<Claimed>,
        tries: &mut Tries,
        first: Option<Response>,
    ) -> Result<(), Ended> {
        let found = claimed.as_ref().and_then(|claimed| claimed.found().cloned());
        let permit = self.lane.engine.hosts.permit(self.url).await;
        let opening = match first {
            Some(response) => self.whole(response)?,
            None => self.open(found, tries).await?,
        };
        let total = match &opening {
            Opening::Ranged { version, .. } => Some(version.total),
            Opening::Whole { total, .. } => *total,
        };
        let max_bytes = self.lane.max_bytes();
        if total.is_some_and(|total| total > max_bytes) {
            return Err(too_large(max_bytes, total).into());
        }
        if total == Some(0) {
            return Err(Error::new(Kind::Network, "an empty file").into());
        }
        let (part, content_type) = match opening {
            Opening::Ranged { response, part: range, version } => {
                let content_type = version.content_type.clone();
                let part = match claimed {
                    Some(claimed) => claimed.part(&version)?,
                    None => Part::create(beside(path), total)?,
                };
                Run::new(self, &part, version, tries).load(response, range, permit).await?;
                (part, content_type)
            }
            Opening::Whole { response, total } => {
                // Nothing that a later process could go on with.
                drop(claimed);
                let content_type = content_type(&response);
                let part = Part::create(beside(path), total)?;
                match total {
                    Some(total) => {
                        let version = Version {
                            total,
                            validator: answer::validator(&response),
                            content_type: content_type.clone(),
                        };
                        Run::new(self, &part, version, tries).load(response, 0..total, permit).await?;
                    }
                    None => self.endless(response, &part).await?,
                }
                (part, content_type)
            }
        };
        judge(&part.first(sniff::ENOUGH).await?, content_type.as_deref(), self.url)?;
        part.keep(path)?;
        Ok(())
    }

    /// Asks for the first part, or for the first that is missing of what was found.
    async fn open(&self, found: Option<(Version, Ranges)>, tries: &mut Tries) -> Result<Opening, Ended> {
        let most = self.rendition.chunk_bytes.unwrap_or(FIRST).clamp(1, FIRST);
        let missing = found.as_ref().and_then(|(version, done)| done.missing(version.total).first());
        let wanted = missing.map_or(0..most, |first| first.start..first.end.min(first.start.saturating_add(most)));
        let known = found.map(|(version, _)| version);
        let mut range = Some(range_header(&wanted));
        loop {
            let validator = known.as_ref().and_then(|version| version.validator.as_deref());
            let ask = Ask { url: self.url, headers: &self.rendition.headers, range: range.clone(), validator };
            let answer = match self.lane.engine.ask(&ask).await {
                Ok(response) if range.is_some() && refuses_ranges(response.status()) => {
                    if known.is_some() {
                        return Err(Ended::Changed(None));
                    }
                    tracing::debug!(status = response.status().as_u16(), "a server refuses ranges: as one stream");
                    range = None;
                    continue;
                }
                Ok(response) => check_status(response),
                Err(broken) => Err(broken),
            };
            let response = match answer {
                Ok(response) => response,
                Err(Broken::Cut(error)) => {
                    let Some(wait) = tries.next(0) else { return Err(error.into()) };
                    tracing::debug!(reason = error.operator_text(), "a file is asked for again");
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(broken) => return Err(broken.into_error().into()),
            };
            if response.status() != StatusCode::PARTIAL_CONTENT {
                return if known.is_some() { Err(Ended::Changed(Some(response))) } else { Ok(self.whole(response)?) };
            }
            match (content_range(&response), &known) {
                (Some((start, Some(total))), known) if start == wanted.start => {
                    let version = Version {
                        total,
                        validator: answer::validator(&response),
                        content_type: content_type(&response),
                    };
                    if known.as_ref().is_some_and(|known| !same(known, &version)) {
                        return Err(Ended::Changed(None));
                    }
                    let length = response.content_length().unwrap_or(wanted.end - wanted.start);
                    let end = start.saturating_add(length).min(wanted.end).min(total);
                    // The version that was found keeps its own name of itself.
                    let version = known.clone().unwrap_or(version);
                    return Ok(Opening::Ranged { response, part: start..end, version });
                }
                (_, None) => {
                    tracing::debug!("a server serves odd ranges: as one stream");
                    range = None;
                }
                (_, Some(_)) => return Err(Ended::Changed(None)),
            }
        }
    }

    fn whole(&self, response: Response) -> Result<Opening> {
        let total = response.content_length();
        Ok(Opening::Whole { response, total })
    }

    /// Reads a body of unknown length to its end.
    async fn endless(&self, mut response: Response, part: &Part) -> Result<(), Ended> {
        let (received, max_bytes) = (AtomicU64::new(0), self.lane.max_bytes());
        let mut writer = Writer::new(part, 0);
        let mut watch = self.lane.engine.patience.watch();
        loop {
            let chunk = match watch.wait(response.chunk()).await? {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(Ended::FromStart(None, net::fault(error))),
            };
            watch.got(chunk.len());
            let so_far = received.fetch_add(chunk.len() as u64, Relaxed) + chunk.len() as u64;
            if so_far > max_bytes {
                return Err(too_large(max_bytes, None).into());
            }
            self.lane.pass(chunk.len(), &mut watch).await;
            writer.push(chunk).await?;
            (self.lane.report)(so_far, None);
        }
        writer.finish().await?;
        let total = received.into_inner();
        if total == 0 {
            return Err(Error::new(Kind::Network, "an empty file").into());
        }
        (self.lane.report)(total, Some(total));
        Ok(())
    }
}

/// Whether an answer to a request for a part says that parts are not served, rather than that the file is not there.
fn refuses_ranges(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 405 | 416 | 501)
}

/// Whether two answers are about the same version, as far as they tell.
pub(super) fn same(known: &Version, now: &Version) -> bool {
    let validators_differ = matches!((&known.validator, &now.validator), (Some(known), Some(now)) if known != now);
    known.total == now.total && !validators_differ
}

/// Where a file is while it is loaded.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Refuses what is no media.
fn judge(first: &[u8], content_type: Option<&str>, url: &Url) -> Result<()> {
    match sniff::served(first, content_type) {
        Served::Text => {
            let host = url.host_str().unwrap_or_default();
            Err(Error::platform_changed(format!("{host} served text ({content_type:?}) where media was expected")))
        }
        // Rare formats are no reason to stop: whoever reads the file next decides.
        Served::Media { .. } | Served::Unknown => Ok(()),
    }
}
