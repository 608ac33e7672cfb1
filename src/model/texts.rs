//! Every sentence about a failure that a user reads, in one place. No paths, no links, no tool names.

use super::Kind;

/// What happened and what to do, as one or two short sentences. `detail` has been made safe by whoever made the error.
pub(super) fn failure(kind: &Kind, detail: Option<&str>) -> String {
    let base = match kind {
        Kind::UnsupportedUrl => "I don't know how to get media from this link. Check that it leads to a single post.",
        Kind::NotFound => "This post doesn't exist any more, or the link is wrong.",
        Kind::Private => "This post is private, so I can't see it.",
        Kind::LoginRequired => {
            "The platform shows this post only to people who are signed in. The bot's operator can add cookies for it."
        }
        Kind::AgeRestricted => "This post is behind an age check, so I can't get it without an account.",
        Kind::GeoBlocked => "The platform doesn't show this post in the country I run in.",
        Kind::Live => "This is a live stream that is still running. Try again when it has ended.",
        Kind::NotYet => "This isn't out yet. Try again when it has been published.",
        Kind::NoMedia => "There is no picture, video or sound in this post.",
        Kind::RateLimited { retry_after: Some(seconds) } => {
            return with_detail(
                &format!("The platform asks me to slow down. Try again in {}.", human_seconds(*seconds)),
                detail,
            );
        }
        Kind::RateLimited { retry_after: None } => "The platform asks me to slow down. Try again in a few minutes.",
        Kind::TooLong => "This is longer than this bot is set to download.",
        Kind::TooLarge => "This is larger than this bot is set to download.",
        Kind::CannotFit => "This can't be made small enough for the upload limit and still be watchable.",
        Kind::QuotaExceeded => "The allowance for downloads is used up for now. Try again later.",
        Kind::Timeout => "The platform took too long to answer. Try again in a moment.",
        Kind::Network => "I couldn't reach the platform just now. Try again in a moment.",
        Kind::PlatformChanged => {
            "The platform answered in a way I don't understand yet. Its operator can see the details in the log."
        }
        Kind::ToolFailed(_) => "Downloading this didn't work. The bot's operator can see the details in the log.",
        Kind::ToolMissing { .. } => {
            "The bot isn't set up completely: a program it needs is missing. Its operator can run `boss-bot doctor`."
        }
        Kind::BlockedAddress => "I don't fetch links that lead into private networks.",
        Kind::DiskFull => {
            "There is no room left on my disk to work on this. The bot's operator can make some; please try again later."
        }
        Kind::Cancelled => "Cancelled.",
        Kind::Internal => "Something went wrong on my side. The bot's operator can see the details in the log.",
    };
    with_detail(base, detail)
}

fn with_detail(base: &str, detail: Option<&str>) -> String {
    match detail {
        Some(detail) => format!("{base} ({detail})"),
        None => base.to_owned(),
    }
}

fn human_seconds(seconds: u64) -> String {
    match seconds {
        0..=1 => "a second".to_owned(),
        2..=89 => format!("{seconds} seconds"),
        90..=5399 => format!("{} minutes", (seconds + 30) / 60),
        _ => format!("{} hours", (seconds + 1800) / 3600),
    }
}
