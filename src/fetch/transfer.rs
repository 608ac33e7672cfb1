//! One file over HTTP into a folder: within a budget, with one resume when the connection is cut.

use std::{
    io::SeekFrom,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Response, StatusCode, header};
use tokio::{
    fs::File,
    io::{AsyncSeekExt, AsyncWriteExt},
};
use url::Url;

use super::{
    answer::{content_range, content_type, validator},
    sniff::{self, Served},
};
use crate::{
    model::{Error, Kind, Rendition, Result},
    net::{self, Client},
};

/// How a file is to be loaded.
#[derive(Clone, Copy)]
pub struct Transfer<'a> {
    /// The guarded client.
    pub client: &'a Client,
    /// Bytes the file may have.
    pub max_bytes: u64,
    /// How long the server may be silent.
    pub stall: Duration,
    /// Hears how many bytes are there and how many there will be, if known.
    pub report: &'a (dyn Fn(u64, Option<u64>) + Send + Sync),
}

/// A file on its way: removed when dropped unless it was given its final name.
struct Part {
    path: PathBuf,
    file: File,
    written: u64,
    first: Vec<u8>,
    kept: bool,
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept {
            // It may be gone already; the job's folder is removed as a whole anyway.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What must stay the same for a resume to make sense.
#[derive(Default)]
struct Known {
    /// Bytes of the whole file.
    total: Option<u64>,
    /// A strong `ETag`, or `Last-Modified`.
    validator: Option<String>,
    content_type: Option<String>,
}

/// Why an attempt ended early.
enum Broken {
    /// The connection was cut: what is there may be added to.
    Cut(Error),
    /// Asking again would not help.
    Final(Error),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Broken::Final(error)
    }
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Broken::Final(error.into())
    }
}

impl Transfer<'_> {
    /// Loads a rendition into `path`, by way of `<path>.part`.
    ///
    /// # Errors
    /// `too_large` over the budget, `timeout` when the server falls silent, `network` when it cuts the connection twice,
    /// `platform_changed` when what comes is no media or the address is no longer valid.
    pub async fn load(&self, rendition: &Rendition, path: &Path) -> Result<()> {
        let url = rendition.url.as_ref().ok_or_else(|| Error::internal("a rendition without an address"))?;
        let mut name = path.as_os_str().to_owned();
        name.push(".part");
        let part = PathBuf::from(name);
        let file = File::create(&part).await?;
        let mut part = Part { path: part, file, written: 0, first: Vec::new(), kept: false };
        let mut known = Known::default();
        if let Err(broken) = self.attempt(rendition, url, &mut part, &mut known).await {
            let first = match broken {
                Broken::Final(error) => return Err(error),
                Broken::Cut(error) => error,
            };
            tracing::debug!(reason = first.operator_text(), at = part.written, "a download was cut: resuming");
            self.attempt(rendition, url, &mut part, &mut known).await.map_err(|broken| match broken {
                Broken::Cut(error) | Broken::Final(error) => error,
            })?;
        }
        part.file.flush().await?;
        judge(&part.first, known.content_type.as_deref(), url)?;
        tokio::fs::rename(&part.path, path).await?;
        part.kept = true;
        Ok(())
    }

    /// One request, from where the part ends.
    async fn attempt(
        &self,
        rendition: &Rendition,
        url: &Url,
        part: &mut Part,
        known: &mut Known,
    ) -> Result<(), Broken> {
        let response = self.ask(rendition, url, part.written, known).await?;
        let response = self.accept(response, part, known).await?;
        self.drain(response, part, known).await?;
        match known.total {
            Some(total) if part.written < total => {
                Err(Broken::Cut(Error::new(Kind::Network, format!("cut at {} of {total} bytes", part.written))))
            }
            _ if part.written == 0 => Err(Broken::Cut(Error::new(Kind::Network, "an empty file"))),
            _ => Ok(()),
        }
    }

    async fn ask(&self, rendition: &Rendition, url: &Url, from: u64, known: &Known) -> Result<Response, Broken> {
        let mut request = self.client.get(url)?;
        for (name, value) in &rendition.headers {
            request = request.header(name, value);
        }
        // Media is compressed already, and lengths must be those of the file.
        request = request.header(header::ACCEPT_ENCODING, "identity");
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
            if let Some(validator) = &known.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        match tokio::time::timeout(self.stall, self.client.send(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if *error.kind() == Kind::Network => Err(Broken::Cut(error)),
            Ok(Err(error)) => Err(Broken::Final(error)),
            Err(_) => Err(self.stalled().into()),
        }
    }

    /// Judges the answer's head, and makes part and answer meet.
    async fn accept(&self, response: Response, part: &mut Part, known: &mut Known) -> Result<Response, Broken> {
        let response = net::check_status(response).map_err(|error| {
            // The post is there, we have just read it: only this address is not (any more).
            if matches!(error.kind(), Kind::LoginRequired | Kind::NotFound) {
                return Error::platform_changed(format!("a media address is refused: {}", error.operator_text()));
            }
            error
        })?;
        let resumed = response.status() == StatusCode::PARTIAL_CONTENT && part.written > 0;
        let total = if resumed {
            let (start, total) = content_range(&response).unwrap_or((u64::MAX, None));
            if start != part.written {
                return Err(Error::new(Kind::Network, "the server resumed at another place").into());
            }
            total.or(known.total)
        } else {
            if part.written > 0 {
                // It sends the whole again (it cannot resume, or the file changed).
                part.file.seek(SeekFrom::Start(0)).await?;
                part.file.set_len(0).await?;
                part.written = 0;
                part.first.clear();
            }
            response.content_length()
        };
        if total.is_some_and(|total| total > self.max_bytes) {
            return Err(self.too_large(total).into());
        }
        *known = Known { total, validator: validator(&response), content_type: content_type(&response) };
        (self.report)(part.written, total);
        Ok(response)
    }

    /// Writes what comes.
    async fn drain(&self, mut response: Response, part: &mut Part, known: &Known) -> Result<(), Broken> {
        loop {
            let chunk = match tokio::time::timeout(self.stall, response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(error)) => return Err(Broken::Cut(net::fault(error))),
                Err(_) => return Err(self.stalled().into()),
            };
            if part.written.saturating_add(chunk.len() as u64) > self.max_bytes {
                return Err(self.too_large(None).into());
            }
            if part.first.len() < sniff::ENOUGH {
                let wanted = sniff::ENOUGH - part.first.len();
                part.first.extend(chunk.iter().take(wanted));
            }
            part.file.write_all(&chunk).await?;
            part.written += chunk.len() as u64;
            (self.report)(part.written, known.total);
        }
    }

    fn stalled(&self) -> Error {
        Error::new(Kind::Timeout, format!("no byte of a file for {:?}", self.stall))
    }

    fn too_large(&self, total: Option<u64>) -> Error {
        let limit = megabytes(self.max_bytes);
        let detail = match total {
            Some(total) => format!("it has {}, the limit is {limit}", megabytes(total)),
            None => format!("it has more than {limit}"),
        };
        Error::new(Kind::TooLarge, format!("a file over MAX_FILE_SIZE: {detail}")).with_detail(detail)
    }
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

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / (1024.0 * 1024.0))
}
