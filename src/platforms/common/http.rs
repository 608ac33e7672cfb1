//! Asking a platform's API: one answer, read as JSON.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
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
    /// The error that its status alone amounts to, if it is no success.
    pub refusal: Option<Error>,
    host: String,
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
}

/// Sends a request to an API and reads its whole answer.
///
/// # Errors
/// `network`, `timeout`, `blocked_address`; any HTTP status is an answer.
pub async fn ask(client: &net::Client, request: RequestBuilder) -> Result<Answer> {
    let answer = async {
        let response = client.send(request).await?;
        let (status, refusal) = (response.status(), net::refusal(&response));
        let host = response.url().host_str().unwrap_or_default().to_owned();
        let body = net::read_body(response, MAX_ANSWER).await?;
        Ok(Answer { status, refusal, host, body })
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| Err(Error::new(Kind::Timeout, format!("no whole answer within {ANSWER_TIMEOUT:?}"))))
}
