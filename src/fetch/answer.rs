//! What the head of an answer says about a file.

use reqwest::{Response, header};

/// Where a part starts and how long the whole is: `Content-Range: bytes 100-199/1000`.
pub(super) fn content_range(response: &Response) -> Option<(u64, Option<u64>)> {
    let value = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split('-').next()?.parse().ok()?, total.parse().ok()))
}

pub(super) fn content_type(response: &Response) -> Option<String> {
    Some(response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?.to_owned())
}

/// What `If-Range` may carry: a strong tag or a date (RFC 9110, 13.1.5).
pub(super) fn validator(response: &Response) -> Option<String> {
    let tag = response.headers().get(header::ETAG).filter(|tag| !tag.as_bytes().starts_with(b"W/"));
    let value = tag.or_else(|| response.headers().get(header::LAST_MODIFIED))?;
    Some(value.to_str().ok()?.to_owned())
}
