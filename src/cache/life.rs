//! How long an answer may be used: plain functions of what was said, when, and the settings.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

use super::{Answer, Entry};
use crate::{
    model::{Kind, MediaMetadata, ResourceKind},
    settings::CacheSettings,
};

/// Addresses are given up this long before they expire: a load takes its time.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// A story is gone after a day, and whoever posts stories posts more of them.
const STORY: Duration = Duration::from_secs(10 * 60);

/// Somebody may open their account, the operator may sign in again.
const HIDDEN: Duration = Duration::from_secs(15 * 60);

/// A stream ends, a video gets ready.
const NOT_YET: Duration = Duration::from_secs(60);

/// The platform may have shown one visitor something odd; should it have changed, asking each time helps nobody.
const ODD: Duration = Duration::from_secs(60);

/// Long enough for those who pasted the same link at the same moment.
const MOMENT: Duration = Duration::from_secs(5);

/// The longest that a rate limit is believed.
const LIMITED: Duration = Duration::from_secs(60);

/// Until when an answer may be used in any way.
pub(super) fn until(entry: &Entry, settings: &CacheSettings) -> DateTime<Utc> {
    let life = match &entry.answer {
        Answer::Found(_) => of_description(entry.kind, settings),
        Answer::Refused(error) => of_refusal(error.kind(), settings),
    };
    after(entry.told, life)
}

/// Until when it counts as an answer. After that what a list says of itself may only stand in for one.
pub(super) fn fresh_until(entry: &Entry, settings: &CacheSettings) -> DateTime<Utc> {
    match (&entry.answer, entry.kind) {
        (Answer::Found(_), ResourceKind::Playlist | ResourceKind::Profile) => after(entry.told, settings.list),
        _ => until(entry, settings),
    }
}

/// Until when the addresses in it work, as far as can be known: the first to expire counts.
pub(super) fn addresses_until(
    metadata: &MediaMetadata,
    told: DateTime<Utc>,
    settings: &CacheSettings,
) -> DateTime<Utc> {
    let unsaid = after(told, settings.addresses);
    let renditions = metadata.items.iter().flat_map(|item| &item.renditions).filter(|one| one.url.is_some());
    renditions.map(|one| one.expires_at.map_or(unsaid, |at| at - MARGIN)).min().unwrap_or(unsaid)
}

/// Whether a refusal is about the post and so outlives the process.
pub(super) fn is_lasting(kind: &Kind) -> bool {
    matches!(kind, Kind::NotFound | Kind::GeoBlocked | Kind::AgeRestricted | Kind::NoMedia | Kind::TooLong)
}

/// The longest life that any answer has.
pub(super) fn longest(settings: &CacheSettings) -> Duration {
    settings.post.max(settings.profile).max(settings.failure).max(HIDDEN)
}

fn of_description(kind: ResourceKind, settings: &CacheSettings) -> Duration {
    match kind {
        ResourceKind::Post | ResourceKind::Video | ResourceKind::Unknown => settings.post,
        ResourceKind::Playlist | ResourceKind::Profile => settings.profile.max(settings.list),
        ResourceKind::Story => STORY.min(settings.post),
        // Not kept: see `Key::of`.
        ResourceKind::File | ResourceKind::ShortLink => Duration::ZERO,
    }
}

fn of_refusal(kind: &Kind, settings: &CacheSettings) -> Duration {
    match kind {
        kind if is_lasting(kind) => settings.failure,
        Kind::Private | Kind::LoginRequired => HIDDEN.min(settings.failure),
        Kind::Live | Kind::NotYet => NOT_YET,
        Kind::PlatformChanged => ODD,
        Kind::RateLimited { retry_after } => retry_after.map_or(MOMENT, Duration::from_secs).min(LIMITED),
        Kind::Network | Kind::Timeout => MOMENT,
        // Not the platform's words: ours, the operator's, or the requester's.
        _ => Duration::ZERO,
    }
}

fn after(told: DateTime<Utc>, life: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(life).ok().and_then(|life| told.checked_add_signed(life)).unwrap_or(told)
}
