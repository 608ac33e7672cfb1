//! Answering from a recording.

use std::{
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use reqwest::{Request, Response};

use super::{Body, Exchange, Scrub, bytes, response};
use crate::model::{Error, Result, redact};

/// Answers from exchanges. Each is given once, in their order; the last of its kind as often as it is asked for.
pub(super) struct Player {
    exchanges: Vec<Exchange>,
    given: Mutex<Vec<bool>>,
}

impl Player {
    pub(super) fn new(exchanges: Vec<Exchange>) -> Self {
        let given = Mutex::new(vec![false; exchanges.len()]);
        Self { exchanges, given }
    }

    pub(super) fn answer(&self, request: &Request) -> Result<Response> {
        let place = || format!("{} {}", request.method(), redact::link(request.url()));
        let Some(exchange) = self.find(request) else {
            return Err(Error::internal(format!("the recording holds no answer to {}", place())));
        };
        let answer = &exchange.response;
        let kept = bytes(&answer.body)?;
        let body = match answer.body {
            Body::Media { cut: true, bytes, .. } => {
                reqwest::Body::wrap(Beginning { kept: Some(kept), bytes, of: Some(place()) })
            }
            _ => kept.into(),
        };
        response(answer.status, answer.url.clone(), &answer.headers, body)
    }

    /// Secrets are taken out of what is asked as they were taken out of what is recorded; what is left must be the same.
    fn find(&self, request: &Request) -> Option<&Exchange> {
        let scrub = Scrub::default();
        let url = scrub.url(request.url());
        let range = request.headers().get("range").and_then(|value| value.to_str().ok());
        let body =
            request.body().and_then(reqwest::Body::as_bytes).map(|body| scrub.body(&String::from_utf8_lossy(body)));
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, exchange) = self
            .exchanges
            .iter()
            .enumerate()
            .filter(|(_, exchange)| {
                let asked = &exchange.request;
                let told = asked.headers.iter().find(|(name, _)| name == "range").map(|(_, value)| value.as_str());
                asked.method == request.method().as_str() && asked.url == url && told == range
            })
            // The same question exactly before one with another body (a time, a random number); the first not given
            // before; else the last.
            .max_by_key(|(index, exchange)| {
                let fresh = !given.get(*index).copied().unwrap_or(false);
                let place = if fresh { self.exchanges.len() - index } else { *index };
                (exchange.request.body == body, fresh, place)
            })?;
        if let Some(given) = given.get_mut(index) {
            *given = true;
        }
        Some(exchange)
    }
}

/// A medium of which only the beginning was kept: enough for whoever wants to know what it is. It is as long as it was.
struct Beginning {
    kept: Option<Bytes>,
    bytes: usize,
    of: Option<String>,
}

/// Somebody wanted more of a medium than was recorded; holds what it was.
#[derive(Debug, thiserror::Error)]
#[error(
    "the recording holds only the beginning of {0}: look at it with --metadata-only, or record it with --record-media"
)]
pub(in crate::net) struct Cut(String);

impl hyper::body::Body for Beginning {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Cut>>> {
        let kept = self.kept.take().filter(|kept| !kept.is_empty());
        Poll::Ready(match kept {
            Some(kept) => {
                self.bytes = self.bytes.saturating_sub(kept.len());
                Some(Ok(Frame::data(kept)))
            }
            None => self.of.take().map(|of| Err(Cut(of))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes as u64)
    }
}
