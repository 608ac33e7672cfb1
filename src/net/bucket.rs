//! A bucket of an S3-compatible store (AWS S3, MinIO, Ceph, Garage, R2 …), for what several machines share.
//!
//! Requests are signed by `rusty-s3` and sent by the program's own HTTP client, so that the store is reached with the same
//! certificates and through the same proxy as everything else. Objects go up in one request each: what a bot loads is far
//! below the 5 GB that S3 takes so (Amazon S3 API reference, `PutObject`).
//!
//! Every request here may be repeated without harm, and is, when the store does not answer or answers that it cannot now.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use reqwest::{Body, Method, Response, StatusCode, header};
use rusty_s3::{
    Credentials, S3Action, UrlStyle,
    actions::{ListObjectsV2, ListObjectsV2Response},
};
use secrecy::ExposeSecret;
use tokio::{fs::File, io::AsyncWriteExt};
use tokio_util::io::ReaderStream;
use url::Url;

use super::{Egress, response};
use crate::{
    model::{Error, Kind, Result},
    settings::BucketSettings,
};

/// How long a signed request may wait before it is begun; clocks differ by some minutes.
const SIGNED_FOR: Duration = Duration::from_secs(900);
/// S3 signs for seven days at the most (Amazon S3 user guide, "Sharing objects with presigned URLs").
pub const LONGEST_LINK: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a request without a file may take.
const SMALL: Duration = Duration::from_secs(10);
/// How long a file may pause on its way.
const SILENCE: Duration = Duration::from_secs(30);
/// Waits before the second and third try.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// Bytes of a listing or of a refusal that are read.
const MAX_ANSWER: usize = 4 << 20;
/// Objects that a listing tells at the most: more are for the next time.
const MAX_LISTED: usize = 100_000;

/// A bucket. Cheap to clone.
#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    bucket: rusty_s3::Bucket,
    /// The same under the address that members reach, for links.
    public: Option<rusty_s3::Bucket>,
    credentials: Credentials,
    /// In front of every name.
    prefix: String,
}

/// An object as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// When it was put there.
    pub since: DateTime<Utc>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("url", &self.inner.bucket.base_url().as_str()).finish_non_exhaustive()
    }
}

impl Bucket {
    /// The bucket that the operator has set up, if any. Touches no network.
    ///
    /// # Errors
    /// `internal`, naming the setting, when something that it needs is missing or makes no address.
    pub fn new(settings: &BucketSettings, egress: &Egress) -> Result<Option<Self>> {
        let Some(name) = &settings.name else { return Ok(None) };
        let needed = |what: &str| Error::internal(format!("S3_BUCKET needs {what}"));
        let url = settings.url.as_ref().ok_or_else(|| needed("S3_URL"))?;
        let id = settings.access_key_id.as_ref().ok_or_else(|| needed("S3_ACCESS_KEY_ID"))?;
        let secret = settings.secret_access_key.as_ref().ok_or_else(|| needed("S3_SECRET_ACCESS_KEY"))?;
        let style = if settings.path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let at = |url: &Url, setting: &str| {
            rusty_s3::Bucket::new(url.clone(), style, name.clone(), settings.region.clone())
                .map_err(|error| Error::internal(format!("{setting} and S3_BUCKET make no address: {error}")))
        };
        let inner = Inner {
            http: egress.own()?,
            bucket: at(url, "S3_URL")?,
            public: settings.public_url.as_ref().map(|url| at(url, "S3_PUBLIC_URL")).transpose()?,
            credentials: Credentials::new(id.clone(), secret.expose_secret()),
            prefix: settings.prefix.clone(),
        };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }

    /// Puts a file there. It takes the place of an object of the same name.
    ///
    /// # Errors
    /// `network`, `timeout` when the store cannot be reached; `internal` when it refuses, or the file cannot be read.
    pub async fn put(&self, name: &str, path: &Path, mime: &str) -> Result<()> {
        patiently(|| self.send_file(name, path, mime)).await
    }

    /// Puts a few bytes there.
    ///
    /// # Errors
    /// As for [`Bucket::put`].
    pub async fn put_bytes(&self, name: &str, bytes: Bytes, mime: &str) -> Result<()> {
        patiently(|| self.send_body(name, bytes.clone().into(), bytes.len() as u64, mime)).await
    }

    /// The bytes of a small object. `None`: there is none.
    ///
    /// # Errors
    /// As for [`Bucket::put`]; `internal` when it is larger than `max`.
    pub async fn get_bytes(&self, name: &str, max: usize) -> Result<Option<Bytes>> {
        patiently(|| self.read(name, max)).await
    }

    /// Writes an object of exactly `bytes` into a new file at `path`. False: there is none.
    ///
    /// # Errors
    /// As for [`Bucket::put`]; `internal` when it has another size. Then no file is there.
    pub async fn get_file(&self, name: &str, path: &Path, bytes: u64) -> Result<bool> {
        let loaded = patiently(|| self.load(name, path, bytes)).await;
        if !matches!(loaded, Ok(true)) {
            // It may never have been begun.
            drop(tokio::fs::remove_file(path).await);
        }
        loaded
    }

    /// Takes objects away. Those that are not there are no fault.
    ///
    /// # Errors
    /// As for [`Bucket::put`].
    pub async fn remove(&self, name: &str) -> Result<()> {
        patiently(|| self.delete(name)).await
    }

    /// The objects whose names begin so, in no particular order; 100,000 at the most.
    ///
    /// # Errors
    /// As for [`Bucket::put`].
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let prefix = self.full(prefix);
        let (mut all, mut from) = (Vec::new(), None::<String>);
        loop {
            let page = patiently(|| self.page(&prefix, from.as_deref())).await?;
            for object in page.contents {
                let since = object.last_modified.as_deref().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
                if let (Some(name), Some(since)) = (object.key.strip_prefix(&self.inner.prefix), since) {
                    let (name, since) = (name.to_owned(), since.to_utc());
                    all.push(Listed { name, bytes: object.size.unwrap_or_default(), since });
                }
            }
            from = page.next_continuation_token;
            if from.is_none() || all.len() >= MAX_LISTED {
                return Ok(all);
            }
        }
    }

    /// An address at which anybody finds the object for so long (seven days at the most), under the store's public address.
    /// `None`: members cannot reach the store.
    pub fn link(&self, name: &str, lasts: Duration) -> Option<Url> {
        let public = self.inner.public.as_ref()?;
        let name = self.full(name);
        let action = public.get_object(Some(&self.inner.credentials), &name);
        Some(action.sign(lasts.min(LONGEST_LINK)))
    }

    /// Whether something can be put there, read and taken away again.
    ///
    /// # Errors
    /// As for [`Bucket::put`].
    pub async fn check(&self) -> Result<()> {
        let name = format!("boss-bot-check-{}", uuid::Uuid::new_v4().simple());
        self.put_bytes(&name, Bytes::from_static(b"ok"), "text/plain").await?;
        let read = self.get_bytes(&name, 16).await;
        self.remove(&name).await?;
        match read?.as_deref() {
            Some(b"ok") => Ok(()),
            _ => Err(Error::internal("what was put into the S3 store is not what comes out")),
        }
    }

    /// Whether members can reach what lies there.
    pub fn has_links(&self) -> bool {
        self.inner.public.is_some()
    }

    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.inner.prefix)
    }

    async fn send_file(&self, name: &str, path: &Path, mime: &str) -> Result<()> {
        let unreadable = |error: std::io::Error| Error::internal(format!("a file cannot be read: {error}"));
        let file = File::open(path).await.map_err(unreadable)?;
        let bytes = file.metadata().await.map_err(unreadable)?.len();
        self.send_body(name, Body::wrap_stream(ReaderStream::new(file)), bytes, mime).await
    }

    async fn read(&self, name: &str, max: usize) -> Result<Option<Bytes>> {
        let Some(answer) = self.get(name).await? else { return Ok(None) };
        let read = tokio::time::timeout(SMALL, response::read_body(answer, max));
        read.await.map_err(|_| late())?.map(Some).map_err(foreign)
    }

    async fn load(&self, name: &str, path: &Path, bytes: u64) -> Result<bool> {
        let Some(answer) = self.get(name).await? else { return Ok(false) };
        write(answer, path, bytes).await.map(|()| true)
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let name = self.full(name);
        let url = self.inner.bucket.delete_object(Some(&self.inner.credentials), &name).sign(SIGNED_FOR);
        let answer = self.small(Method::DELETE, url).await?;
        if answer.status() == StatusCode::NOT_FOUND { Ok(()) } else { accepted(answer).await.map(drop) }
    }

    async fn send_body(&self, name: &str, body: Body, bytes: u64, mime: &str) -> Result<()> {
        let name = self.full(name);
        let url = self.inner.bucket.put_object(Some(&self.inner.credentials), &name).sign(SIGNED_FOR);
        let request = self.inner.http.put(url).header(header::CONTENT_TYPE, mime);
        // Without it, bodies that are streams go in chunks, which S3 does not take.
        let request = request.header(header::CONTENT_LENGTH, bytes).body(body);
        accepted(request.send().await.map_err(response::fault)?).await.map(drop)
    }

    async fn get(&self, name: &str) -> Result<Option<Response>> {
        let name = self.full(name);
        let url = self.inner.bucket.get_object(Some(&self.inner.credentials), &name).sign(SIGNED_FOR);
        let answer = self.small(Method::GET, url).await?;
        let status = answer.status();
        if status != StatusCode::NOT_FOUND {
            return accepted(answer).await.map(Some);
        }
        match code(answer).await.as_deref() {
            Some(code @ "NoSuchBucket") => Err(refused(status, Some(code))),
            _ => Ok(None),
        }
    }

    async fn page(&self, prefix: &str, from: Option<&str>) -> Result<ListObjectsV2Response> {
        let mut action = self.inner.bucket.list_objects_v2(Some(&self.inner.credentials));
        action.with_prefix(prefix);
        if let Some(from) = from {
            action.with_continuation_token(from);
        }
        let answer = accepted(self.small(Method::GET, action.sign(SIGNED_FOR)).await?).await?;
        let read = tokio::time::timeout(SMALL, response::read_body(answer, MAX_ANSWER));
        let body = read.await.map_err(|_| late())?.map_err(foreign)?;
        let odd =
            |error: &dyn fmt::Display| Error::internal(format!("the S3 store lists in a way of its own: {error}"));
        let text = std::str::from_utf8(&body).map_err(|error| odd(&error))?;
        ListObjectsV2::parse_response(text).map_err(|error| odd(&error))
    }

    /// Sends a request without a body, and waits for the head of its answer.
    async fn small(&self, method: Method, url: Url) -> Result<Response> {
        let sent = self.inner.http.request(method, url).send();
        tokio::time::timeout(SMALL, sent).await.map_err(|_| late())?.map_err(response::fault)
    }
}

/// Again when the store was not reached or is overloaded.
async fn patiently<T, F: Future<Output = Result<T>>>(mut what: impl FnMut() -> F) -> Result<T> {
    for wait in AGAIN {
        match what().await {
            Err(error) if error.kind().retryable() => {
                tracing::debug!(reason = error.operator_text(), "the S3 store is asked again");
                tokio::time::sleep(wait).await;
            }
            ended => return ended,
        }
    }
    what().await
}

/// An answer that is not a refusal.
async fn accepted(answer: Response) -> Result<Response> {
    let status = answer.status();
    if status.is_success() { Ok(answer) } else { Err(refused(status, code(answer).await.as_deref())) }
}

/// A refusal, by status and by S3's own word for it.
fn refused(status: StatusCode, code: Option<&str>) -> Error {
    let text = format!("the S3 store answered {status}{}", code.map_or_else(String::new, |code| format!(" ({code})")));
    let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    if later { Error::new(Kind::Network, text) } else { Error::internal(text) }
}

/// What S3 calls a refusal, such as `SignatureDoesNotMatch`.
async fn code(answer: Response) -> Option<String> {
    let body = tokio::time::timeout(SMALL, response::read_body(answer, MAX_ANSWER)).await.ok()?.ok()?;
    let text = std::str::from_utf8(&body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 60 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

async fn write(mut answer: Response, path: &Path, bytes: u64) -> Result<()> {
    let full = |error: std::io::Error| Error::internal(format!("a file cannot be written: {error}"));
    let odd = || Error::internal("an object in the S3 store has another size than when it was put there");
    let mut file = File::create(path).await.map_err(full)?;
    let mut written = 0;
    loop {
        let chunk = tokio::time::timeout(SILENCE, answer.chunk()).await.map_err(|_| late())?;
        let Some(chunk) = chunk.map_err(response::fault)? else { break };
        written += chunk.len() as u64;
        if written > bytes {
            return Err(odd());
        }
        file.write_all(&chunk).await.map_err(full)?;
    }
    file.flush().await.map_err(full)?;
    if written == bytes { Ok(()) } else { Err(odd()) }
}

fn late() -> Error {
    Error::new(Kind::Timeout, "the S3 store did not answer in time")
}

/// A body that is too long or broken: the store is the operator's, so no platform has changed.
fn foreign(error: Error) -> Error {
    if error.kind().retryable() { error } else { Error::internal(error.operator_text()) }
}
