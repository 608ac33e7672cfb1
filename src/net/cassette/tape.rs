//! Writing a recording.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use reqwest::{Request, Response, header};

use super::{Answered, Asked, Body, Exchange, FORMAT, MAX_EXCHANGES, MAX_MEDIA, MAX_TEXT, MEDIA_HEAD, Scrub, response};
use crate::{
    model::{Error, Result},
    net::read_body,
};

/// Writes exchanges into a folder.
pub(super) struct Recorder {
    dir: PathBuf,
    scrub: Scrub,
    keep: usize,
    count: AtomicUsize,
}

impl Recorder {
    pub(super) fn new(dir: &Path, scrub: Scrub, media: bool) -> Result<Self> {
        let failed = |error: std::io::Error| Error::internal(format!("cannot record into {}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(failed)?;
        let full = fs::read_dir(dir)
            .map_err(failed)?
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|ending| ending == "json"));
        if full {
            return Err(Error::internal(format!("{} holds a recording already", dir.display())));
        }
        let keep = if media { MAX_MEDIA } else { MEDIA_HEAD };
        Ok(Self { dir: dir.to_owned(), scrub, keep, count: AtomicUsize::new(0) })
    }

    pub(super) fn asked(&self, request: &Request) -> Asked {
        let body = request.body().and_then(reqwest::Body::as_bytes).map(|body| String::from_utf8_lossy(body));
        Asked {
            method: request.method().to_string(),
            url: self.scrub.url(request.url()),
            headers: self.scrub.headers(request.headers()),
            body: body.map(|body| self.scrub.body(&body)),
        }
    }

    pub(super) async fn heard(self: &Arc<Self>, asked: Asked, answer: Response) -> Result<Response> {
        let number = self.count.fetch_add(1, Relaxed);
        let (status, url) = (answer.status().as_u16(), answer.url().clone());
        // As they were: whoever asked gets the real ones.
        let headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let answered = Answered {
            status,
            url: self.scrub.url(&url),
            headers: self.scrub.headers(answer.headers()),
            body: Body::Text(String::new()),
        };
        let exchange = Exchange { format: FORMAT, request: asked, response: answered };
        if is_text(&answer) {
            let body = read_body(answer, MAX_TEXT).await?;
            self.write(number, exchange, self.body_of_text(&String::from_utf8_lossy(&body)));
            return response(status, url, &headers, body);
        }
        let tape = Tape { recorder: self.clone(), number, exchange: Some(exchange), head: Vec::new(), bytes: 0 };
        response(status, url, &headers, reqwest::Body::wrap(Taped { body: answer.into(), tape }))
    }

    fn body_of_text(&self, text: &str) -> Body {
        match serde_json::from_str(text) {
            Ok(mut value @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
                self.scrub.json(&mut value);
                Body::Json(value)
            }
            _ => Body::Text(self.scrub.text(text)),
        }
    }

    fn write(&self, number: usize, mut exchange: Exchange, body: Body) {
        if number >= MAX_EXCHANGES {
            return;
        }
        exchange.response.body = body;
        let name = name(number, &exchange.request);
        let written = serde_json::to_vec_pretty(&exchange).map_err(std::io::Error::from).and_then(|text| {
            let path = self.dir.join(name);
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(&text)
        });
        if let Err(error) = written {
            tracing::error!(%error, "an exchange could not be recorded");
        }
    }
}

/// `003-api.x.com-graphql-abc.json`.
fn name(number: usize, asked: &Asked) -> String {
    let place = format!("{}{}", asked.url.host_str().unwrap_or("nowhere"), asked.url.path());
    let safe: String =
        place.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(60).collect();
    format!("{:03}-{}.json", number + 1, safe.trim_end_matches(['-', '.']))
}

/// Whether an answer is kept whole as a text.
fn is_text(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let known = ["text/", "json", "xml", "javascript", "mpegurl", "x-www-form-urlencoded"];
    known.iter().any(|part| kind.contains(part)) || answer.content_length() == Some(0)
}

/// The body of a medium: what passes is taped. It knows its length as the answer did, which a stream would not.
struct Taped {
    body: reqwest::Body,
    tape: Tape,
}

impl hyper::body::Body for Taped {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, reqwest::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.tape.take(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What was kept of a medium so far. Written when it has passed, or when nobody wants the rest.
struct Tape {
    recorder: Arc<Recorder>,
    number: usize,
    exchange: Option<Exchange>,
    head: Vec<u8>,
    bytes: usize,
}

impl Tape {
    fn take(&mut self, chunk: &[u8]) {
        let room = self.recorder.keep.saturating_sub(self.head.len());
        self.head.extend(chunk.iter().take(room));
        self.bytes = self.bytes.saturating_add(chunk.len());
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        let Some(exchange) = self.exchange.take() else { return };
        let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &self.head);
        let told = exchange.response.headers.iter().find(|(name, _)| name == "content-length");
        let told: usize = told.and_then(|(_, value)| value.parse().ok()).unwrap_or(self.bytes);
        let bytes = if exchange.request.method == "HEAD" { 0 } else { told.max(self.bytes) };
        let body = Body::Media { base64, bytes, cut: self.head.len() < bytes };
        self.recorder.write(self.number, exchange, body);
    }
}
