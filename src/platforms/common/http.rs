//! Asking a platform's API: one answer, read as JSON.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode, header};
use serde_json::Value;

use crate::{
    model::{Error, Kind, Result},
    net,
};

/// Larger than any API's answer about one post; a longer one is no such answer.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// How long one question to an API may take in all, retries excluded.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// An API's answer whatever its status: some put the reason of a refusal into the body.
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Whole seconds of its `Retry-After`, if it said so.
    pub retry_after: Option<u64>,
    /// The host that answered, for messages.
    pub host: String,
    body: bytes::Bytes,
}

impl Answer {
    /// The body as JSON, whatever the status.
    ///
    /// # Errors
    /// `platform_changed` when it is none: a web page, a challenge, a cut answer.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let page = self.body.trim_ascii_start().starts_with(b"<");
            let what = if page { "a web page".to_owned() } else { error.to_string() };
            Error::platform_changed(format!("{} answered {} without JSON: {what}", self.host, self.status))
        })
    }

    /// The error that its status alone amounts to, if it is no success.
    pub fn refusal(&self) -> Option<Error> {
        if self.status.is_success() {
            return None;
        }
        let kind = match self.status.as_u16() {
            401 | 403 => Kind::LoginRequired,
            404 | 410 => Kind::NotFound,
            408 => Kind::Timeout,
            429 => Kind::RateLimited { retry_after: self.retry_after },
            451 => Kind::GeoBlocked,
            500.. => Kind::Network,
            _ => Kind::PlatformChanged,
        };
        Some(Error::new(kind, format!("{} answered {}", self.host, self.status)))
    }
}

/// Sends a request to an API and reads its whole answer.
///
/// # Errors
/// `network`, `timeout`, `blocked_address`; any HTTP status is an answer.
pub async fn ask(client: &net::Client, request: RequestBuilder) -> Result<Answer> {
    let answer = async {
        let response = client.send(request).await?;
        let status = response.status();
        let header = response.headers().get(header::RETRY_AFTER);
        let retry_after = header.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let host = response.url().host_str().unwrap_or_default().to_owned();
        let body = net::read_body(response, MAX_ANSWER).await?;
        Ok(Answer { status, retry_after, host, body })
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| Err(Error::new(Kind::Timeout, format!("no whole answer within {ANSWER_TIMEOUT:?}"))))
}
