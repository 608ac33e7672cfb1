//! What became of a request: every attempt made, how long it took and why it ended.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{DownloadMethod, Error, MediaMetadata};

/// One path tried for a link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// In-process or tool.
    pub method: DownloadMethod,
    /// `api`, `yt-dlp` or `gallery-dl`.
    pub by: String,
    /// How long it took.
    #[serde(rename = "seconds", with = "seconds")]
    pub took: Duration,
    /// Whether nobody was asked: the answer was known from before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// How it ended.
    pub end: AttemptEnd,
    /// Tries before the last one, in order: what stopped each and how long was waited then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<Retry>,
    /// Whether it tested a path that had been paused because it kept failing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub probe: bool,
}

/// A failed try that was followed by another on the same path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The code of what stopped it.
    pub code: String,
    /// How long was waited after it.
    #[serde(rename = "waited_seconds", with = "seconds")]
    pub waited: Duration,
    /// Whether the platform was asked anew because its media addresses were refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewed: bool,
}

impl fmt::Display for Attempt {
    /// For one line of a log: `api not_found 0.12 s`, `api ok (known) 0.00 s`, `api ok 3.40 s (3 tries)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.end.error().map_or("ok", Error::code);
        let known = if self.cached { " (known)" } else { "" };
        write!(f, "{} {end}{known} {:.2} s", self.by, self.took.as_secs_f32())?;
        match self.retries.len() {
            0 => Ok(()),
            retries => write!(f, " ({} tries)", retries + 1),
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum AttemptEnd {
    /// It delivered.
    Ok,
    /// No other path can help: gone, private, unsupported.
    Fatal {
        /// Why.
        error: Error,
    },
    /// The same path may work later.
    Retry {
        /// Why.
        error: Error,
    },
    /// Another path may do better.
    NextAttempt {
        /// Why.
        error: Error,
    },
}

impl AttemptEnd {
    /// Why it did not deliver.
    pub fn error(&self) -> Option<&Error> {
        match self {
            AttemptEnd::Ok => None,
            AttemptEnd::Fatal { error } | AttemptEnd::Retry { error } | AttemptEnd::NextAttempt { error } => {
                Some(error)
            }
        }
    }
}

/// Something that was delivered: a Discord message, or a file in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Links to messages, or paths of files.
    pub places: Vec<String>,
    /// What the person who asked should know of the files: a damaged source, a wish that could not be followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The request's id.
    pub request: String,
    /// The routed platform, if any recognised the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What the post holds, and the files as they were delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<MediaMetadata>,
    /// Where the files went.
    #[serde(default)]
    pub posted: Posted,
    /// Where files stay that could not be delivered, or that the operator wants kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
    /// Why it failed, if it did. Some files may have been delivered all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
    /// From asked to done.
    #[serde(rename = "seconds", with = "seconds")]
    pub took: Duration,
}

impl Outcome {
    /// The outcome of a request of which nothing is known yet.
    pub fn of(request: &str) -> Self {
        Self {
            request: request.to_owned(),
            platform: None,
            attempts: Vec::new(),
            metadata: None,
            posted: Posted::default(),
            kept: None,
            error: None,
            took: Duration::ZERO,
        }
    }
}

mod seconds {
    //! Durations in JSON: seconds with fraction.
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
