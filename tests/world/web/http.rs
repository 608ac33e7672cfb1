//! Requests as the models see them, and replies as they give them.

use std::path::PathBuf;

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use url::Url;

/// A request that came through the proxy.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole address, as asked for.
    pub url: Url,
    /// The host, in lower case.
    pub host: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Request {
    /// A query parameter, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A form field of the body, decoded.
    pub fn form(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(&self.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok()).find_map(|line| {
            line.split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        })
    }

    /// The parts of the path, without empty ones.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }
}

/// What a reply carries.
#[derive(Debug, Clone)]
pub enum Body {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A file on disk, streamed, with ranges.
    File {
        /// Where it is.
        path: PathBuf,
        /// Whether its length is told and ranges are served.
        length_known: bool,
    },
    /// Noise without end, until the client leaves.
    Endless,
}

/// A reply of a model.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Headers beyond length, range and date.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl Reply {
    /// Text of any type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: vec![("content-type".into(), content_type.into())],
            body: Body::Bytes(body.into()),
        }
    }

    /// 200 with JSON.
    pub fn json(value: &Value) -> Self {
        Self::new(200, "application/json; charset=utf-8", value.to_string())
    }

    /// JSON with another status.
    pub fn json_status(status: u16, value: &Value) -> Self {
        Self { status: StatusCode::from_u16(status).expect("a status"), ..Self::json(value) }
    }

    /// 200 with a page.
    pub fn html(page: &str) -> Self {
        Self::new(200, "text/html; charset=utf-8", page.to_owned())
    }

    /// Only a status.
    pub fn status(status: u16) -> Self {
        Self::new(status, "text/plain; charset=utf-8", Bytes::new())
    }

    /// 302.
    pub fn redirect(to: &str) -> Self {
        Self::status(302).with_header("location", to)
    }

    /// A file.
    pub fn file(path: impl Into<PathBuf>, content_type: &str) -> Self {
        let body = Body::File { path: path.into(), length_known: true };
        Self { body, ..Self::new(200, content_type, Bytes::new()) }
    }

    /// Noise without end.
    pub fn endless(content_type: &str) -> Self {
        Self { body: Body::Endless, ..Self::new(200, content_type, Bytes::new()) }
    }

    /// Adds a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends a file without telling its length.
    pub fn without_length(mut self) -> Self {
        if let Body::File { length_known, .. } = &mut self.body {
            *length_known = false;
        }
        self
    }
}
