//! The one error taxonomy: kinds are modelled on what a user can do about them, not on where they arose.

use std::{fmt, io, time::Duration};

use serde::{Deserialize, Serialize};

use super::{redact, texts};

/// The result of anything that can end in a user-visible failure.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a link could not be turned into media. The code of each kind ([`Kind::code`]) is stable: statistics, JSON output
/// and tests rely on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// No platform knows this link, or it is no http(s) link at all.
    UnsupportedUrl,
    /// Deleted, or it never existed.
    NotFound,
    /// Only its owner's followers may see it.
    Private,
    /// The platform shows it to signed-in visitors only.
    LoginRequired,
    /// Behind an age gate.
    AgeRestricted,
    /// Not shown in the country this bot runs in, or withheld for legal reasons.
    GeoBlocked,
    /// A live stream that is still running.
    Live,
    /// Announced or still being processed.
    NotYet,
    /// A post without pictures, video or sound.
    NoMedia,
    /// The platform asks for fewer requests.
    RateLimited {
        /// Whole seconds to wait, where the platform said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
    /// Longer than the operator allows.
    TooLong,
    /// Larger than the operator allows to be downloaded.
    TooLarge,
    /// Cannot be made small enough for the upload limit without becoming unwatchable.
    CannotFit,
    /// The member's or the server's allowance is used up.
    QuotaExceeded,
    /// A deadline passed.
    Timeout,
    /// The platform could not be reached or answered with a passing fault.
    Network,
    /// The platform answered something we do not understand.
    PlatformChanged,
    /// A subprocess failed in a way that fits no other kind.
    ToolFailed(ExternalToolError),
    /// A program this needs is not installed.
    ToolMissing {
        /// Its name, for example `yt-dlp`.
        tool: String,
    },
    /// The link leads to a private or otherwise forbidden network address.
    BlockedAddress,
    /// There is no room left on the disk that files are worked on.
    DiskFull,
    /// Somebody cancelled it.
    Cancelled,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// The stable code, for example `not_found`.
    pub fn code(&self) -> &'static str {
        match self {
            Kind::UnsupportedUrl => "unsupported_url",
            Kind::NotFound => "not_found",
            Kind::Private => "private",
            Kind::LoginRequired => "login_required",
            Kind::AgeRestricted => "age_restricted",
            Kind::GeoBlocked => "geo_blocked",
            Kind::Live => "live",
            Kind::NotYet => "not_yet",
            Kind::NoMedia => "no_media",
            Kind::RateLimited { .. } => "rate_limited",
            Kind::TooLong => "too_long",
            Kind::TooLarge => "too_large",
            Kind::CannotFit => "cannot_fit",
            Kind::QuotaExceeded => "quota_exceeded",
            Kind::Timeout => "timeout",
            Kind::Network => "network",
            Kind::PlatformChanged => "platform_changed",
            Kind::ToolFailed(_) => "tool_failed",
            Kind::ToolMissing { .. } => "tool_missing",
            Kind::BlockedAddress => "blocked_address",
            Kind::DiskFull => "disk_full",
            Kind::Cancelled => "cancelled",
            Kind::Internal => "internal",
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub fn retryable(&self) -> bool {
        matches!(self, Kind::RateLimited { .. } | Kind::Timeout | Kind::Network | Kind::NotYet)
    }

    /// Whether no other path to the same link can help: the verdict is about the post or this machine, not about how we asked.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Kind::NotFound
                | Kind::Private
                | Kind::AgeRestricted
                | Kind::GeoBlocked
                | Kind::Live
                | Kind::NotYet
                | Kind::TooLong
                | Kind::TooLarge
                | Kind::CannotFit
                | Kind::QuotaExceeded
                | Kind::BlockedAddress
                | Kind::DiskFull
                | Kind::Cancelled
        )
    }
}

/// What a subprocess left behind when it failed. For operators: users never see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{tool} ended with {}: {stderr}", code.map_or_else(|| "a signal".to_owned(), |c| format!("code {c}")))]
pub struct ExternalToolError {
    /// `yt-dlp`, `gallery-dl`, `ffmpeg` or `ffprobe`.
    pub tool: String,
    /// Its exit code; `None` when a signal ended it.
    #[serde(rename = "exit_code")]
    pub code: Option<i32>,
    /// The end of its standard error, redacted.
    pub stderr: String,
}

/// A failure with its two voices: [`Error::user_text`] for the member who pasted the link, [`Error::operator_text`] for
/// the log. Neither carries secrets: the operator's text is redacted when the error is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {operator}", kind.code())]
pub struct Error {
    #[serde(flatten)]
    kind: Kind,
    /// What happened, for the log.
    #[serde(default)]
    operator: String,
    /// A safe detail for the user's sentence, for example "it is 3 hours long, the limit is 1 hour".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Error {
    /// A failure of `kind`, with what the operator's log should say. URLs in `operator` lose all but their host, tokens
    /// and cookies are masked.
    pub fn new(kind: Kind, operator: impl AsRef<str>) -> Self {
        Self { kind, operator: redact::text(operator.as_ref()), detail: None }
    }

    /// A fault of ours.
    pub fn internal(operator: impl AsRef<str>) -> Self {
        Self::new(Kind::Internal, operator)
    }

    /// What the system did not do: `what` was it to do?
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        let full = match error.kind() {
            io::ErrorKind::StorageFull => true,
            // Of the system; others use the kind for allowances of their own.
            io::ErrorKind::QuotaExceeded => error.raw_os_error().is_some(),
            _ => false,
        };
        Self::new(if full { Kind::DiskFull } else { Kind::Internal }, format!("{what}: {error}"))
    }

    /// Ended because somebody asked for it.
    pub fn cancelled() -> Self {
        Self::new(Kind::Cancelled, "cancelled")
    }

    /// The platform's answer was not understood; `what` names the part that is missing or odd.
    pub fn platform_changed(what: impl AsRef<str>) -> Self {
        Self::new(Kind::PlatformChanged, what)
    }

    /// Adds a detail that is safe to show to users: no paths, no URLs, no tokens.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The stable code of its kind.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// How long the platform asked to wait, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            Kind::RateLimited { retry_after } => retry_after.map(Duration::from_secs),
            _ => None,
        }
    }

    /// One sentence for the person who asked: what happened and what to do.
    pub fn user_text(&self) -> String {
        texts::failure(&self.kind, self.detail.as_deref())
    }

    /// One line for the operator's log, without secrets.
    pub fn operator_text(&self) -> &str {
        &self.operator
    }
}

impl From<ExternalToolError> for Error {
    fn from(error: ExternalToolError) -> Self {
        let error = ExternalToolError { stderr: redact::text(&error.stderr), ..error };
        Self::new(Kind::ToolFailed(error.clone()), error.to_string())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::io("input/output", &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_round_trip_and_carry_their_code() {
        let error = Error::new(Kind::RateLimited { retry_after: Some(7) }, "429 from https://api.example/x?sig=secret");
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json["code"], "rate_limited");
        assert!(!json.to_string().contains("secret"), "{json}");
        assert_eq!(serde_json::from_value::<Error>(json).unwrap(), error);
    }

    #[test]
    fn a_full_disk_is_told_apart_from_other_faults_of_the_system() {
        // ENOSPC, EDQUOT and EIO, the same on Linux and macOS but for the second.
        let quota = if cfg!(target_os = "macos") { 69 } else { 122 };
        for (error, code) in [
            (io::Error::from_raw_os_error(28), "disk_full"),
            (io::Error::from_raw_os_error(quota), "disk_full"),
            (io::Error::from_raw_os_error(5), "internal"),
            (io::Error::new(io::ErrorKind::QuotaExceeded, "a budget of ours"), "internal"),
        ] {
            assert_eq!(Error::from(error).code(), code);
        }
        let error = Error::from(io::Error::from_raw_os_error(28));
        assert!(
            error.user_text().contains("no room left") && error.operator_text().contains("No space left"),
            "{error}"
        );
    }

    #[test]
    fn tool_errors_keep_what_the_operator_needs() {
        let error: Error =
            ExternalToolError { tool: "yt-dlp".into(), code: Some(1), stderr: "ERROR: odd".into() }.into();
        assert_eq!(error.code(), "tool_failed");
        assert!(error.operator_text().contains("yt-dlp ended with code 1: ERROR: odd"));
        assert!(!error.user_text().contains("yt-dlp"));
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!(json["exit_code"], 1);
    }
}
