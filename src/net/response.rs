//! Answers and failures of HTTP, read into the program's error taxonomy.

use std::{error::Error as _, time::Duration};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::{Response, StatusCode, header};
use serde::de::DeserializeOwned;

use super::{cassette::Cut, policy::Refusal, resolver::ResolveError};
use crate::model::{Error, Kind, Result};

/// Turns an HTTP status that is not a success into an error of its kind (401/403 login_required, 404/410 not_found,
/// 429 rate_limited with Retry-After, 451 geo_blocked, 408 and 5xx network, else platform_changed).
pub fn check_status(response: Response) -> Result<Response> {
    match refusal(&response) {
        Some(error) => Err(error),
        None => Ok(response),
    }
}

/// The error of [`check_status`], for callers who want the body of a refusal too.
pub fn refusal(response: &Response) -> Option<Error> {
    let status = response.status();
    if status.is_success() {
        return None;
    }
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| retry_after(value, Utc::now()));
    let host = response.url().host_str().unwrap_or("?");
    Some(Error::new(status_kind(status, retry_after), format!("{host} answered {status}")))
}

fn status_kind(status: StatusCode, retry_after: Option<Duration>) -> Kind {
    match status.as_u16() {
        401 | 403 => Kind::LoginRequired,
        404 | 410 => Kind::NotFound,
        429 => Kind::RateLimited { retry_after: retry_after.map(|wait| wait.as_secs()) },
        451 => Kind::GeoBlocked,
        408 | 500..=599 => Kind::Network,
        _ => Kind::PlatformChanged,
    }
}

/// Reads `Retry-After`: whole seconds, or an HTTP date (RFC 9110, 10.2.3). A date in the past means now.
fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::parse_from_rfc2822(value.trim()).ok()?;
    Some((date.with_timezone(&Utc) - now).to_std().unwrap_or_default())
}

/// Reads a body of at most `max` bytes; a longer one is `platform_changed`, a broken one `network`.
pub async fn read_body(mut response: Response, max: usize) -> Result<Bytes> {
    let host = response.url().host_str().unwrap_or("?").to_owned();
    let too_long = || Error::platform_changed(format!("{host} answered more than {max} bytes"));
    if response.content_length().is_some_and(|length| length > max as u64) {
        return Err(too_long());
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(fault)? {
        if body.len().saturating_add(chunk.len()) > max {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Reads a JSON body of at most `max` bytes. HTML, broken JSON or JSON of another shape is `platform_changed`, with the
/// place where it differs but without its content.
pub async fn read_json<T: DeserializeOwned>(response: Response, max: usize) -> Result<T> {
    let host = response.url().host_str().unwrap_or("?").to_owned();
    let html = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let body = read_body(response, max).await?;
    serde_json::from_slice(&body).map_err(|error| {
        if html || body.trim_ascii_start().starts_with(b"<") {
            return Error::platform_changed(format!("{host} answered a web page instead of JSON"));
        }
        let what = match error.classify() {
            serde_json::error::Category::Data => "JSON of another shape",
            _ => "broken JSON",
        };
        let (line, column) = (error.line(), error.column());
        Error::platform_changed(format!("{host} answered {what} (line {line}, column {column})"))
    })
}

/// A failure of the guarded client as an error of its kind: refusals of the guard are `blocked_address`, timeouts
/// `timeout`, an endless redirect `platform_changed`, what a recording does not hold `internal`, everything else `network`.
/// Also for failures while a body is read.
pub fn fault(error: reqwest::Error) -> Error {
    let host = error.url().and_then(|url| url.host_str()).unwrap_or("?").to_owned();
    let mut deepest = String::new();
    let mut timed_out = error.is_timeout();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refusal) = cause.downcast_ref::<Refusal>() {
            return blocked(refusal);
        }
        if let Some(cut) = cause.downcast_ref::<Cut>() {
            return Error::internal(cut.to_string());
        }
        match cause.downcast_ref::<ResolveError>() {
            Some(ResolveError::Refused(refusal)) => return blocked(refusal),
            Some(error @ ResolveError::Lookup { .. }) => return Error::new(Kind::Network, error.to_string()),
            None => {}
        }
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            timed_out |= io.kind() == std::io::ErrorKind::TimedOut;
        }
        deepest = cause.to_string();
        source = cause.source();
    }
    if timed_out {
        return Error::new(Kind::Timeout, format!("{host} did not answer in time"));
    }
    if error.is_redirect() {
        return Error::platform_changed(format!("{host} redirects without end"));
    }
    let error = error.without_url();
    let text = if deepest.is_empty() { error.to_string() } else { format!("{error}: {deepest}") };
    if error.is_builder() {
        return Error::internal(format!("request to {host}: {text}"));
    }
    Error::new(Kind::Network, format!("{host}: {text}"))
}

/// A refusal of the guard as an error.
pub(super) fn blocked(refusal: &Refusal) -> Error {
    Error::new(Kind::BlockedAddress, format!("refused: {refusal}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let mut builder = hyper::http::Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(body.to_owned()).unwrap().into()
    }

    #[test]
    fn every_status_has_its_kind() {
        for status in [200, 204, 206] {
            assert!(check_status(response(status, &[], "")).is_ok());
        }
        for (status, code) in [
            (302, "platform_changed"),
            (400, "platform_changed"),
            (401, "login_required"),
            (403, "login_required"),
            (404, "not_found"),
            (408, "network"),
            (410, "not_found"),
            (418, "platform_changed"),
            (429, "rate_limited"),
            (451, "geo_blocked"),
            (500, "network"),
            (502, "network"),
            (503, "network"),
        ] {
            assert_eq!(check_status(response(status, &[], "")).unwrap_err().code(), code, "{status}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date() {
        let limited = check_status(response(429, &[("retry-after", "17")], "")).unwrap_err();
        assert_eq!(limited.retry_after(), Some(Duration::from_secs(17)));
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(retry_after("Sat, 21 Nov 2026 08:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Sat, 21 Nov 2026 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("-1", now), None);
    }

    #[tokio::test]
    async fn bodies_over_the_cap_are_not_read() {
        assert_eq!(read_body(response(200, &[], "12345"), 5).await.unwrap(), "12345");
        assert_eq!(read_body(response(200, &[], "123456"), 5).await.unwrap_err().code(), "platform_changed");
    }

    #[tokio::test]
    async fn json_of_another_kind_means_the_platform_changed() {
        #[derive(Debug, serde::Deserialize)]
        struct Post {
            id: u32,
        }
        assert_eq!(read_json::<Post>(response(200, &[], r#"{"id":7}"#), 100).await.unwrap().id, 7);
        for (body, said) in [
            ("<!doctype html><title>Log in</title>", "web page"),
            ("\n <html>secret", "web page"),
            (r#"{"id":"secret"}"#, "another shape"),
            (r#"{"id":7"#, "broken"),
            ("", "broken"),
        ] {
            let error = read_json::<Post>(response(200, &[], body), 100).await.unwrap_err();
            assert_eq!(error.code(), "platform_changed");
            assert!(error.operator_text().contains(said), "{}", error.operator_text());
            assert!(!error.operator_text().contains("secret"));
        }
        let typed = response(200, &[("content-type", "Text/HTML; charset=utf-8")], "oops");
        assert!(read_json::<Post>(typed, 100).await.unwrap_err().operator_text().contains("web page"));
    }
}
