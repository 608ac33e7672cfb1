//! Whether trying a failed job again can help, and what would have to change before.

use serde_json::json;

use crate::model::Kind;

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Help {
    /// As it is.
    Yes,
    /// When something was changed before.
    Change,
    /// What failed is the post's, and stays so.
    No,
}

/// The kind of that code, without what only a real error knows. `None`: there is no such code.
pub(super) fn kind(code: &str) -> Option<Kind> {
    // Other kinds leave out what only some have.
    serde_json::from_value(json!({ "code": code, "tool": "", "exit_code": null, "stderr": "" })).ok()
}

/// Whether trying again can help after an error of this kind, and one sentence for the operator.
pub(super) fn of(kind: &Kind) -> (Help, &'static str) {
    match kind {
        Kind::RateLimited { .. } => (Help::Yes, "the platform wanted fewer requests: wait for a while, then try again"),
        Kind::Timeout | Kind::Network => (Help::Yes, "the platform could not be reached: try again when it can"),
        Kind::NotYet => (Help::Yes, "it was not out yet: try again when it is"),
        Kind::Live => (Help::Yes, "it was a live stream: try again when that has ended"),
        Kind::QuotaExceeded => (Help::Yes, "an allowance was used up: try again when it is not"),
        Kind::Cancelled => (Help::Yes, "somebody called it off: try again only if it is wanted after all"),
        Kind::Internal => (Help::Yes, "the bot or its machine was at fault: look into the log first, then try again"),
        Kind::LoginRequired | Kind::Private | Kind::AgeRestricted => {
            (Help::Change, "only people who are signed in see it: add or renew the platform's cookies, then try again")
        }
        Kind::PlatformChanged | Kind::ToolFailed(_) => (
            Help::Change,
            "the platform has changed, or a tool did not get on with it: update the bot and its tools, then try again \
             with force",
        ),
        Kind::ToolMissing { .. } => (Help::Change, "a program was missing: `boss-bot doctor --fix`, then try again"),
        Kind::DiskFull => (Help::Change, "the disk was full: make room for DOWNLOAD_DIR, then try again"),
        Kind::CannotFit => (
            Help::Change,
            "it could not be made to fit: try again with a lower quality, with audio_only, or with a store",
        ),
        Kind::TooLarge => (Help::Change, "it was too large: try again with a lower quality, or raise MAX_FILE_SIZE"),
        Kind::TooLong => (Help::Change, "it was too long for the settings: raise their limit, or try with audio_only"),
        Kind::GeoBlocked => {
            (Help::Change, "it is not shown in this country: try again through NETWORK_PROXY elsewhere")
        }
        Kind::BlockedAddress => {
            (Help::Change, "the link leads into a private network: only NETWORK_ALLOW_PRIVATE would let it pass")
        }
        Kind::NotFound => (Help::No, "the post is gone, or the link was wrong"),
        Kind::NoMedia => (Help::No, "the post holds no picture, video or sound"),
        Kind::UnsupportedUrl => (Help::No, "no platform knows the link"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_understood_and_what_passes_by_itself_is_worth_another_try() {
        let codes = [
            "unsupported_url",
            "not_found",
            "private",
            "login_required",
            "age_restricted",
            "geo_blocked",
            "live",
            "not_yet",
            "no_media",
            "rate_limited",
            "too_long",
            "too_large",
            "cannot_fit",
            "quota_exceeded",
            "timeout",
            "network",
            "platform_changed",
            "tool_failed",
            "tool_missing",
            "blocked_address",
            "disk_full",
            "cancelled",
            "internal",
        ];
        for code in codes {
            let kind = kind(code).unwrap_or_else(|| panic!("{code}"));
            assert_eq!(kind.code(), code);
            let (help, told) = of(&kind);
            assert!(!told.is_empty());
            assert!(!kind.retryable() || help == Help::Yes, "{code}");
        }
        assert_eq!(kind("nonsense"), None);
        assert_eq!(of(&Kind::NotFound).0, Help::No);
    }
}
