//! Recordings of what the in-process path asked and was answered, and playing them back without any network.
//!
//! ```text
//! Client::send ──┬── record: ask, then write NNN-host-path.json (scrubbed)
//!                └── replay: answer from the files; a request that is in none of them is an error
//! ```
//!
//! A recording is made to be shared: cookies, authorisation, tokens and signatures are replaced before anything is
//! written. Each is replaced by the same word wherever it stands, so that an address in one answer still leads to the
//! exchange in which it was asked for.

mod play;
mod scrub;
mod tape;

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use reqwest::{Request, Response, ResponseBuilderExt};
use serde::{Deserialize, Serialize};
use url::Url;

pub(super) use play::Cut;
pub use scrub::Scrub;

use crate::model::{Error, Result};
use play::Player;
use tape::Recorder;

/// The shape of the files.
const FORMAT: u32 = 1;

/// A text longer than this is no answer of an API; the rest is left out.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// What is kept of pictures, videos and sound: enough to tell what they are.
const MEDIA_HEAD: usize = 4 * 1024;

/// What is kept of them when they are wanted whole.
const MAX_MEDIA: usize = 64 * 1024 * 1024;

/// The most exchanges in one recording.
const MAX_EXCHANGES: usize = 2_000;

/// A recording under way, or one that is played.
pub struct Cassette {
    mode: Mode,
}

enum Mode {
    Record(Arc<Recorder>),
    Play(Player),
}

/// One question and its answer, as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    format: u32,
    /// What was asked.
    pub request: Asked,
    /// What was answered.
    pub response: Answered,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// `GET`, `POST` …
    pub method: String,
    /// Where, scrubbed.
    pub url: Url,
    /// With which headers, scrubbed.
    pub headers: Vec<(String, String)>,
    /// With which body, if it is a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// Where the answer came from, redirects followed, scrubbed.
    pub url: Url,
    /// Its headers, scrubbed.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Body,
}

/// The body of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// JSON, scrubbed.
    Json(serde_json::Value),
    /// Any other text, scrubbed.
    Text(String),
    /// Anything else.
    Media {
        /// Its beginning, in base64.
        base64: String,
        /// How many bytes it had.
        bytes: usize,
        /// Whether there is only the beginning.
        cut: bool,
    },
}

impl Cassette {
    /// Records into a folder, which is made and must hold no recording. `known` takes out secrets known by heart;
    /// `media`: keep media whole.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn record(dir: &Path, known: impl Fn(&str) -> String + Send + Sync + 'static, media: bool) -> Result<Self> {
        Ok(Self { mode: Mode::Record(Arc::new(Recorder::new(dir, Scrub::knowing(known), media)?)) })
    }

    /// Plays what lies in a folder.
    ///
    /// # Errors
    /// When there is no recording, or one that cannot be read.
    pub fn play(dir: &Path) -> Result<Self> {
        Ok(Self { mode: Mode::Play(Player::new(exchanges(dir)?)) })
    }

    /// Whether it answers instead of the network.
    pub fn is_played(&self) -> bool {
        matches!(self.mode, Mode::Play(_))
    }

    /// The answer to a request, if this is played. None: ask the network, and tell [`Cassette::heard`].
    ///
    /// # Errors
    /// `internal`, naming host and path, when the recording does not hold it.
    pub(super) fn answer(&self, request: &Request) -> Option<Result<Response>> {
        match &self.mode {
            Mode::Play(player) => Some(player.answer(request)),
            Mode::Record(_) => None,
        }
    }

    /// What a request is remembered by, to be handed to [`Cassette::heard`].
    pub(super) fn asked(&self, request: &Request) -> Option<Asked> {
        match &self.mode {
            Mode::Record(recorder) => Some(recorder.asked(request)),
            Mode::Play(_) => None,
        }
    }

    /// Writes an answer down and gives it back as it was.
    ///
    /// # Errors
    /// As reading the body.
    pub(super) async fn heard(&self, asked: Asked, response: Response) -> Result<Response> {
        match &self.mode {
            Mode::Record(recorder) => recorder.heard(asked, response).await,
            Mode::Play(_) => Ok(response),
        }
    }
}

/// Every exchange of a recording, in the order of their files.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub fn exchanges(dir: &Path) -> Result<Vec<Exchange>> {
    let unreadable = |path: &Path, error: &dyn std::fmt::Display| {
        Error::internal(format!("the recording {} cannot be read: {error}", path.display()))
    };
    let entries = std::fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    paths.truncate(MAX_EXCHANGES);
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let exchange: Exchange = serde_json::from_slice(&text).map_err(|error| unreadable(path, &error))?;
        if exchange.format == FORMAT { Ok(exchange) } else { Err(unreadable(path, &"it is of another format")) }
    };
    let exchanges = paths.iter().map(read).collect::<Result<Vec<_>>>()?;
    if exchanges.is_empty() {
        Err(Error::internal(format!("{} holds no recording", dir.display())))
    } else {
        Ok(exchanges)
    }
}

/// An answer as reqwest would give it.
fn response(status: u16, url: Url, headers: &[(String, String)], body: impl Into<reqwest::Body>) -> Result<Response> {
    let mut builder = hyper::http::Response::builder().status(status).url(url);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    let built = builder.body(body.into());
    built.map(Response::from).map_err(|error| Error::internal(format!("an answer of a recording is none: {error}")))
}

/// The bytes that are kept of a body.
fn bytes(body: &Body) -> Result<Bytes> {
    Ok(match body {
        Body::Json(value) => serde_json::to_vec(value).map_err(|error| Error::internal(error.to_string()))?.into(),
        Body::Text(text) => text.clone().into(),
        Body::Media { base64, .. } => {
            let decoded = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, base64);
            decoded.map_err(|error| Error::internal(format!("a recorded medium is no base64: {error}")))?.into()
        }
    })
}

#[cfg(test)]
mod tests;
