//! Asking a platform's API: one answer, read as JSON.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, StatusCode, header, header::HeaderMap};
use serde_json::Value;
use url::Url;

use crate::{
    model::{Error, FileType, Item, Kind, Rendition, Result},
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
    /// Its headers.
    pub headers: HeaderMap,
    /// Where it came from, redirects followed.
    pub url: Url,
    host: String,
    body: bytes::Bytes,
}

impl Answer {
    /// The body, if the answer is a success.
    ///
    /// # Errors
    /// The error its status amounts to; `platform_changed` when it is no text.
    pub fn text(&self) -> Result<&str> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        str::from_utf8(&self.body).map_err(|_| Error::platform_changed(format!("{} answered no text", self.host)))
    }

    /// A cookie that the answer sets: some file hosts want an anonymous visitor's back.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|line| {
            let (key, value) = line.split(';').next()?.split_once('=')?;
            (key.trim() == name).then_some(value.trim())
        })
    }

    /// The body as JSON, of an interface that tells its verdicts in the body: a status that would be one (404, 451) is
    /// about the interface, not about the post.
    ///
    /// # Errors
    /// The error its status amounts to, `platform_changed` in place of a verdict; `platform_changed` when it is no JSON.
    pub fn told(&self) -> Result<Value> {
        match &self.refusal {
            Some(refusal) if refusal.kind().is_fatal() => Err(Error::platform_changed(refusal.operator_text())),
            Some(refusal) => Err(refusal.clone()),
            None => self.json(),
        }
    }

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
        let (headers, url) = (response.headers().clone(), response.url().clone());
        let host = response.url().host_str().unwrap_or_default().to_owned();
        let body = net::read_body(response, MAX_ANSWER).await?;
        Ok(Answer { status, refusal, headers, url, host, body })
    };
    tokio::time::timeout(ANSWER_TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| Err(Error::new(Kind::Timeout, format!("no whole answer within {ANSWER_TIMEOUT:?}"))))
}

/// The size of a file by HEAD, in bytes. `None` when it cannot be had quickly: nobody waits long for what only makes a
/// choice better.
pub async fn size(
    client: &net::Client,
    url: &Url,
    headers: &std::collections::BTreeMap<String, String>,
) -> Option<u64> {
    let ask = async {
        let mut request = client.request(Method::HEAD, url).ok()?;
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // Lengths must be those of the file, not of a compressed answer.
        let response = client.send(request.header(header::ACCEPT_ENCODING, "identity")).await.ok()?;
        // Not `content_length()`, which is that of the (empty) body.
        let length = response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
        (response.status().is_success() && length > 0).then_some(length)
    };
    tokio::time::timeout(client.timeouts().quick, ask).await.ok().flatten()
}

/// Files whose size is asked for at most: more would cost more time than a better choice saves.
const MAX_SIZES: usize = 8;

/// Asks for the exact sizes of videos and loops among whose files there is a choice, all at once. What cannot be had quickly keeps its
/// estimate.
pub async fn sizes(client: &net::Client, items: &mut [Item]) {
    let wanted = |rendition: &&mut Rendition| rendition.protocol.is_file() && !rendition.bytes_exact;
    let open = items
        .iter_mut()
        .filter(|item| matches!(item.kind, FileType::Video | FileType::Gif) && item.renditions.len() > 1)
        .flat_map(|item| &mut item.renditions);
    join_all(open.filter(wanted).take(MAX_SIZES).map(|rendition| async move {
        let Some(url) = &rendition.url else { return };
        if let Some(bytes) = size(client, url, &rendition.headers).await {
            rendition.bytes = Some(bytes);
            rendition.bytes_exact = true;
        }
    }))
    .await;
}
