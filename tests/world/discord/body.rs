//! Request bodies: JSON, or a form whose files go straight to disk.

use std::path::{Path, PathBuf};

use axum::extract::{DefaultBodyLimit, FromRequest, Multipart};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::{
    model::snowflake,
    refusal::{Refusal, Result},
};

/// Bytes of JSON taken at most.
const MOST_JSON: usize = 8 * 1024 * 1024;

/// What a request carried.
#[derive(Debug, Default)]
pub struct Submission {
    /// Its JSON (of a form: `payload_json`), `null` when there was none.
    pub payload: Value,
    /// Its files, in order.
    pub files: Vec<Upload>,
}

/// A file of a form.
#[derive(Debug)]
pub struct Upload {
    /// The number in `files[n]`.
    pub index: u64,
    /// Its name as sent.
    pub name: String,
    /// What the sender said it is.
    pub content_type: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Where they are.
    pub path: PathBuf,
}

/// Why a body was not read.
#[derive(Debug)]
pub enum Unread {
    /// It is wrong.
    Refused(Refusal),
    /// The sender went away in the middle.
    Broken,
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Reads a body, its files into `folder`.
pub async fn read(request: hyper::Request<Incoming>, folder: &Path) -> Result<Submission, Unread> {
    let kind = request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("multipart/form-data") {
        return read_form(request, folder).await;
    }
    let is_json = kind.starts_with("application/json");
    let bytes = request.into_body().collect().await.map_err(|_| Unread::Broken)?.to_bytes();
    if bytes.is_empty() {
        return Ok(Submission::default());
    }
    if !is_json || bytes.len() > MOST_JSON {
        return Err(Refusal::invalid_json().into());
    }
    let payload = serde_json::from_slice(&bytes).map_err(|_| Refusal::invalid_json())?;
    Ok(Submission { payload, files: Vec::new() })
}

async fn read_form(request: hyper::Request<Incoming>, folder: &Path) -> Result<Submission, Unread> {
    let mut request = request.map(axum::body::Body::new);
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| Refusal::invalid_json())?;
    let mut submission = Submission::default();
    while let Some(mut field) = form.next_field().await.map_err(|_| Unread::Broken)? {
        let name = field.name().unwrap_or_default().to_owned();
        if name == "payload_json" {
            let text = field.text().await.map_err(|_| Unread::Broken)?;
            submission.payload = serde_json::from_str(&text).map_err(|_| Refusal::invalid_json())?;
            continue;
        }
        let index = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        let Some(index) = index.filter(|index| submission.files.iter().all(|file| file.index != *index)) else {
            return Err(Refusal::form(&name, "BASE_TYPE_BAD", "Not a field of this form").into());
        };
        let Some(file_name) = field.file_name().map(str::to_owned) else {
            return Err(Refusal::form(&name, "BASE_TYPE_BAD", "A file needs a name").into());
        };
        let content_type = field.content_type().map(str::to_owned);
        let path = folder.join(snowflake().to_string());
        let mut file = tokio::fs::File::create(&path).await.expect("a file in the stand-in's own folder");
        let mut size = 0;
        while let Some(chunk) = field.chunk().await.map_err(|_| Unread::Broken)? {
            size += chunk.len() as u64;
            file.write_all(&chunk).await.expect("room in the stand-in's own folder");
        }
        file.flush().await.expect("room in the stand-in's own folder");
        submission.files.push(Upload { index, name: file_name, content_type, size, path });
    }
    Ok(submission)
}
