//! Answering from a recording.

use std::sync::{Mutex, PoisonError};

use reqwest::{Request, Response};

use super::{Exchange, Scrub, bytes, response};
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
        let Some(body) = bytes(&answer.body)? else {
            let what = "look at it with --metadata-only, or record it with --record-media";
            return Err(Error::internal(format!("the recording holds only the beginning of {}: {what}", place())));
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
