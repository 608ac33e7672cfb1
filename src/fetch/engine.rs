//! What all downloads share: the client, the limits, and how one request is made and its failure judged.

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{Response, header};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    answer,
    bandwidth::{Bandwidth, Throttle},
    hosts::Hosts,
    partial::Partials,
    patience::{Patience, Tries},
};
use crate::{
    media::Media,
    model::{Error, Kind, Result},
    net::{self, Client},
    settings::Downloads,
};

/// Before a request is made again for the first time.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The longest that a host which asks for patience is given within a download; beyond, the caller knows better ways.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Hears how many bytes of a file are there, and how many there will be, if known.
pub(super) type Report<'a> = dyn Fn(u64, Option<u64>) + Send + Sync + 'a;

/// What all downloads share.
pub(super) struct Engine {
    pub(super) client: Client,
    pub(super) hosts: Hosts,
    pub(super) patience: Patience,
    /// Bytes one file may have.
    pub(super) max_bytes: u64,
    /// The wait before the second try.
    pub(super) first_wait: Duration,
    /// Where half-loaded files outlive a crash.
    pub(super) partials: Option<Partials>,
    bandwidth: Option<Arc<Throttle>>,
    bandwidth_per_job: Option<u64>,
}

impl Engine {
    pub(super) fn new(client: &Client, settings: &Downloads) -> Self {
        Self {
            client: client.for_files(),
            hosts: Hosts::new(settings.connections_per_host),
            patience: Patience { window: settings.stall, min_rate: settings.min_rate },
            max_bytes: settings.max_file_bytes,
            first_wait: FIRST_WAIT,
            partials: Some(Partials::below(&settings.dir)),
            bandwidth: settings.bandwidth.map(|rate| Arc::new(Throttle::new(rate))),
            bandwidth_per_job: settings.bandwidth_per_job,
        }
    }

    /// The limits of a new job.
    pub(super) fn bandwidth(&self) -> Bandwidth {
        Bandwidth { shared: self.bandwidth.clone(), own: self.bandwidth_per_job.map(Throttle::new) }
    }

    /// Asks for a file or a part of it. The answer's status is not judged yet.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Response, Broken> {
        let mut request = self.client.get(ask.url)?;
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        // Media is compressed already, and lengths must be those of the file.
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if let Some(range) = &ask.range {
            request = request.header(header::RANGE, range);
            if let Some(validator) = ask.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let answer = self.patience.wait(self.client.send(request)).await.map_err(Broken::Stalled)?;
        answer.map_err(Broken::from)
    }
}

/// One request for media.
#[derive(Clone)]
pub(super) struct Ask<'a> {
    pub(super) url: &'a Url,
    pub(super) headers: &'a BTreeMap<String, String>,
    /// The value of the `Range` header.
    pub(super) range: Option<String>,
    /// The version that the range is for.
    pub(super) validator: Option<&'a str>,
}

/// The `Range` header for some bytes.
pub(super) fn range_header(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end.saturating_sub(1))
}

/// Why a request or its body ended early.
#[derive(Debug)]
pub(super) enum Broken {
    /// The connection was cut or never came up, or the server has a fault: asking again may help.
    Cut(Error),
    /// The server fell silent: asking it again has little hope.
    Stalled(Error),
    /// The host refuses the address or asks for fewer requests.
    Refused(Error),
    /// Asking again would not help.
    Final(Error),
}

impl Broken {
    pub(super) fn into_error(self) -> Error {
        match self {
            Broken::Cut(error) | Broken::Stalled(error) | Broken::Refused(error) | Broken::Final(error) => error,
        }
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::Network => Broken::Cut(error),
            Kind::Timeout => Broken::Stalled(error),
            Kind::RateLimited { .. } | Kind::PlatformChanged => Broken::Refused(error),
            _ => Broken::Final(error),
        }
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Broken::Final(error.into())
    }
}

/// The status of an answer to a request for media.
pub(super) fn check_status(response: Response) -> Result<Response, Broken> {
    Ok(net::check_status(response).map_err(|error| {
        // The post is there, we have just read it: only this address is not (any more).
        if matches!(error.kind(), Kind::LoginRequired | Kind::NotFound) {
            return Error::platform_changed(format!("a media address is refused: {}", error.operator_text()));
        }
        error
    })?)
}

/// What one rendition is loaded with.
#[derive(Clone, Copy)]
pub(super) struct Lane<'a> {
    pub(super) engine: &'a Engine,
    /// The limits of the job.
    pub(super) bandwidth: &'a Bandwidth,
    /// Hears how far it is.
    pub(super) report: &'a Report<'a>,
    /// Joins sound and picture, where they come apart.
    pub(super) media: &'a Media,
    /// Ends the job; only needed where more than futures must be ended.
    pub(super) cancel: &'a CancellationToken,
}

/// A small whole: a segment, a playlist, a key.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) body: Bytes,
    /// Where it came from, redirects followed: relative addresses in it are relative to this.
    pub(super) url: Url,
    pub(super) content_type: Option<String>,
    /// What tells one version of the resource from another, where the server says.
    pub(super) version: Option<String>,
}

impl Lane<'_> {
    /// Bytes one file may have in all.
    pub(super) fn max_bytes(&self) -> u64 {
        self.engine.max_bytes
    }

    /// Loads something small into memory: at most `max_bytes`, within `range` of the resource (end excluded) if given. A
    /// broken connection is tried again, a rate limit waited for if it is short; all downloads' limits hold.
    ///
    /// # Errors
    /// `too_large` over `max_bytes`, `timeout` when the server falls silent, `network` when it keeps cutting the
    /// connection, `platform_changed` when the address is refused or another part comes than was asked for,
    /// `rate_limited`.
    pub(super) async fn segment(
        &self,
        url: &Url,
        headers: &BTreeMap<String, String>,
        range: Option<Range<u64>>,
        max_bytes: u64,
    ) -> Result<Segment> {
        let mut tries = Tries::new(self.engine.first_wait);
        loop {
            let broken = match self.segment_once(url, headers, range.as_ref(), max_bytes).await {
                Ok(segment) => return Ok(segment),
                Err(broken) => broken,
            };
            let asked_to_wait = match &broken {
                Broken::Cut(_) => Duration::ZERO,
                Broken::Refused(error) => match error.retry_after() {
                    Some(wait) if wait <= LONGEST_WAIT => wait,
                    _ => return Err(broken.into_error()),
                },
                Broken::Stalled(_) | Broken::Final(_) => return Err(broken.into_error()),
            };
            let Some(wait) = tries.next(0) else { return Err(broken.into_error()) };
            let error = broken.into_error();
            tracing::debug!(reason = error.operator_text(), "a segment is asked for again");
            tokio::time::sleep(wait.max(asked_to_wait)).await;
        }
    }

    async fn segment_once(
        &self,
        url: &Url,
        headers: &BTreeMap<String, String>,
        range: Option<&Range<u64>>,
        max_bytes: u64,
    ) -> Result<Segment, Broken> {
        let _permit = self.engine.hosts.permit(url).await;
        let ask = Ask { url, headers, range: range.map(range_header), validator: None };
        let mut response = check_status(self.engine.ask(&ask).await?)?;
        // Servers may send the whole instead of a part.
        let skip = match range {
            Some(range) if response.status() == reqwest::StatusCode::PARTIAL_CONTENT => {
                if answer::content_range(&response).is_none_or(|(start, _)| start != range.start) {
                    return Err(Error::platform_changed("another part of a segment came than was asked for").into());
                }
                0
            }
            Some(range) => range.start,
            None => 0,
        };
        let wanted = range.map(|range| range.end.saturating_sub(range.start));
        let told = response.content_length();
        if wanted.or(told).is_some_and(|bytes| bytes > max_bytes) {
            return Err(Broken::Final(too_large(max_bytes, wanted.or(told))));
        }
        let (address, content_type) = (response.url().clone(), answer::content_type(&response));
        let version = answer::validator(&response);
        let (mut body, mut skip, mut watch) = (BytesMut::new(), skip, self.engine.patience.watch());
        loop {
            let chunk = match watch.wait(response.chunk()).await.map_err(Broken::Stalled)? {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return Err(net::fault(error).into()),
            };
            watch.got(chunk.len());
            self.pass(chunk.len(), &mut watch).await;
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
            skip -= passed as u64;
            body.extend_from_slice(chunk.get(passed..).unwrap_or_default());
            if body.len() as u64 > max_bytes {
                return Err(Broken::Final(too_large(max_bytes, None)));
            }
            if let Some(wanted) = wanted
                && body.len() as u64 >= wanted
            {
                body.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
                break;
            }
        }
        if wanted.is_some_and(|wanted| (body.len() as u64) < wanted) {
            let text = format!("a segment ended after {} bytes", body.len());
            return Err(Broken::Cut(Error::new(Kind::Network, text)));
        }
        Ok(Segment { body: body.freeze(), url: address, content_type, version })
    }

    /// Waits until the bandwidth limits let so many bytes pass.
    pub(super) async fn pass(&self, bytes: usize, watch: &mut super::patience::Watch) {
        if self.bandwidth.is_limited() {
            let begun = tokio::time::Instant::now();
            self.bandwidth.take(bytes).await;
            watch.excuse(begun.elapsed());
        }
    }
}

/// The error of a file over its budget.
pub(super) fn too_large(max_bytes: u64, total: Option<u64>) -> Error {
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / (1024.0 * 1024.0));
    let limit = megabytes(max_bytes);
    let detail = match total {
        Some(total) => format!("it has {}, the limit is {limit}", megabytes(total)),
        None => format!("it has more than {limit}"),
    };
    Error::new(Kind::TooLarge, format!("a file over MAX_FILE_SIZE: {detail}")).with_detail(detail)
}
