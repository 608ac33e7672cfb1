//! What somebody asked for.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use super::FitWish;

/// One link, with what is wanted of it and who wants it.
#[derive(Debug, Clone)]
pub struct Request {
    /// A random id that every log line and progress message of this request carries.
    pub id: String,
    /// The link as pasted, already known to be http(s).
    pub url: Url,
    /// What is wanted of it.
    pub options: Options,
    /// Who asked, for limits and logs.
    pub requester: Requester,
}

impl Request {
    /// A request with a fresh id.
    pub fn new(url: Url, options: Options, requester: Requester) -> Self {
        Self { id: uuid::Uuid::new_v4().simple().to_string(), url, options, requester }
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A Discord slash or context-menu command.
    Interaction,
    /// A Discord message with the prefix or a mention.
    Message,
    /// `boss-bot fetch`.
    CommandLine,
}

/// Who asked. All ids are Discord's and absent on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requester {
    /// Where from.
    pub origin: Origin,
    /// The member.
    pub user: Option<u64>,
    /// The server.
    pub guild: Option<u64>,
    /// The channel.
    pub channel: Option<u64>,
}

impl Requester {
    /// The person at the keyboard of this machine.
    pub fn command_line() -> Self {
        Self { origin: Origin::CommandLine, user: None, guild: None, channel: None }
    }
}

/// What is wanted of a link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// The best picture wanted.
    #[serde(default)]
    pub quality: Quality,
    /// Sound only.
    #[serde(default)]
    pub audio_only: bool,
    /// Look, but load nothing.
    #[serde(default)]
    pub metadata_only: bool,
    /// Ask the platform anew, whatever the cache knows.
    #[serde(default)]
    pub force: bool,
    /// Where the platform has threads: the posts of the same author that belong together.
    #[serde(default)]
    pub thread: bool,
    /// What is to be made of the files.
    #[serde(default)]
    pub fit: FitWish,
}

/// The best picture wanted. The names are those users know; heights are of the short side in pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Quality {
    /// As good as fits.
    #[default]
    Best,
    /// The smallest there is.
    Worst,
    /// At most this many lines on the short side.
    Height(u32),
}

impl Quality {
    /// Every name [`Quality::from_str`] knows, best first, for help and autocomplete.
    pub const NAMES: &[&str] =
        &["best", "4K", "2160p", "2K", "1440p", "FHD", "1080p", "HD", "720p", "480p", "360p", "worst"];

    /// The most lines wanted on the short side, if limited.
    pub fn max_height(self) -> Option<u32> {
        match self {
            Quality::Height(height) => Some(height),
            Quality::Best | Quality::Worst => None,
        }
    }
}

/// A quality name that is not one of [`Quality::NAMES`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown quality {0:?}: use one of {names}", names = Quality::NAMES.join(", "))]
pub struct UnknownQuality(pub String);

impl FromStr for Quality {
    type Err = UnknownQuality;

    fn from_str(text: &str) -> Result<Self, UnknownQuality> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "best" | "" => Quality::Best,
            "worst" => Quality::Worst,
            "4k" | "2160p" | "2160" | "uhd" => Quality::Height(2160),
            "2k" | "1440p" | "1440" | "qhd" => Quality::Height(1440),
            "fhd" | "1080p" | "1080" => Quality::Height(1080),
            "hd" | "720p" | "720" => Quality::Height(720),
            "480p" | "480" | "sd" => Quality::Height(480),
            "360p" | "360" => Quality::Height(360),
            _ => return Err(UnknownQuality(text.to_owned())),
        })
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quality::Best => f.write_str("best"),
            Quality::Worst => f.write_str("worst"),
            Quality::Height(height) => write!(f, "{height}p"),
        }
    }
}

impl From<Quality> for String {
    fn from(quality: Quality) -> Self {
        quality.to_string()
    }
}

impl TryFrom<String> for Quality {
    type Error = UnknownQuality;

    fn try_from(text: String) -> Result<Self, UnknownQuality> {
        text.parse()
    }
}

/// How large one file may be where it is to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadLimit {
    /// Bytes a single file may have.
    pub per_file: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_advertised_quality_parses() {
        for name in Quality::NAMES {
            name.parse::<Quality>().unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!("4k".parse(), Ok(Quality::Height(2160)));
        assert!("8k".parse::<Quality>().unwrap_err().to_string().contains("1080p"));
    }
}
