//! What X's answers mean. Pure: JSON in, metadata or the verdict out.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{ID, media};
use crate::{
    model::{Author, Counts, Error, Extension, Item, Kind, MediaMetadata, Resource, Result},
    platforms::common::{
        json::{float, int, is, list, text},
        text::{non_empty, unescape},
    },
};

/// The start of X's clock: its ids hold the milliseconds since then.
const SNOWFLAKE_EPOCH_MS: u64 = 1_288_834_974_657;

/// Ids below this were counted, not timed.
const FIRST_SNOWFLAKE: u64 = 300_000_000_000_000;

/// What an answer told about a post, before a single item is picked.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    handle: String,
    name: Option<String>,
    words: Option<String>,
    created_at: Option<DateTime<Utc>>,
    items: Vec<Item>,
    thumbnail: Option<String>,
    sensitive: bool,
    counts: Counts,
    is_retweet: bool,
    is_quote: bool,
    /// The post it answers, with the handle of that post's author.
    reply_to: Option<(String, String)>,
}

impl Found {
    /// The post before this one in a thread: the one it answers, when its author is the same.
    pub fn before(&self) -> Option<&str> {
        let (id, handle) = self.reply_to.as_ref()?;
        (!self.is_retweet && handle.eq_ignore_ascii_case(&self.handle)).then_some(id.as_str())
    }
}

/// Whether a post without media is an answer, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// It is: its place in a thread is what counts.
    Allowed,
    /// It is not.
    Refused,
}

/// Why an answer tells of no media.
#[derive(Debug, Clone, PartialEq)]
pub enum Trouble {
    /// It says something about the post: asking elsewhere would not change it.
    Verdict(Error),
    /// It says something about how we asked, or is not understood: another source may do better.
    Odd(Error),
}

impl Trouble {
    /// The error in it.
    pub fn into_error(self) -> Error {
        match self {
            Trouble::Verdict(error) | Trouble::Odd(error) => error,
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        if *error.kind() == Kind::PlatformChanged { Trouble::Odd(error) } else { Trouble::Verdict(error) }
    }
}

/// When a post was made: its id tells, except for the oldest.
pub fn posted_at(id: &str, told: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match id.parse::<u64>() {
        Ok(id) if id >= FIRST_SNOWFLAKE => {
            let seconds = ((id >> 22) + SNOWFLAKE_EPOCH_MS) / 1000;
            DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)
        }
        _ => told,
    }
}

/// The author's record with the link to their page.
pub fn author(handle: &str, name: Option<&str>) -> Author {
    Author { handle: handle.to_owned(), name: name.and_then(non_empty), url: Some(format!("https://x.com/{handle}")) }
}

/// The answer of the web client's API.
///
/// # Errors
/// The verdict about the post, or what is odd about the answer.
pub fn graphql(body: &Value, empty: Empty) -> Result<Found, Trouble> {
    let Some(result) = body.pointer("/data/tweetResult/result") else {
        return Err(no_result(body));
    };
    let tweet = visible(result)?;
    let mut found = one(tweet)?;
    if let Some(original) = tweet.pointer("/legacy/retweeted_status_result/result") {
        found = Found { is_retweet: true, ..one(visible(original)?)? };
    }
    if found.items.is_empty()
        && let Some(quoted) = tweet.pointer("/quoted_status_result/result")
        // A quoted post that is gone takes nothing from the post itself.
        && let Ok(quoted) = visible(quoted).and_then(one)
    {
        found.items = quoted.items;
        found.thumbnail = quoted.thumbnail;
        found.sensitive |= quoted.sensitive;
    }
    if found.items.is_empty() && empty == Empty::Refused {
        return Err(nothing_in(tweet).into());
    }
    Ok(found)
}

/// The answer of the syndication API.
///
/// # Errors
/// The verdict about the post, or `platform_changed`.
pub fn syndication(body: &Value) -> Result<Found> {
    if let Some(words) = tombstone(body) {
        return Err(tombstone_verdict(words));
    }
    let handle = text(body, "/user/screen_name").ok_or_else(|| Error::platform_changed("a post without author"))?;
    let id = text(body, "/id_str").unwrap_or_default();
    let told = text(body, "/created_at").and_then(|t| DateTime::parse_from_rfc3339(t).ok()).map(|t| t.to_utc());
    let (mut items, mut thumbnail) = media::items(list(body, "/mediaDetails"))?;
    if items.is_empty() {
        (items, thumbnail) = media::items(list(body, "/quoted_tweet/mediaDetails"))?;
    }
    if items.is_empty() {
        return Err(Error::new(Kind::NoMedia, "the post has no media"));
    }
    Ok(Found {
        handle: handle.to_owned(),
        name: text(body, "/user/name").map(str::to_owned),
        words: text(body, "/text").and_then(|words| readable(words, body.get("entities"))),
        created_at: posted_at(id, told),
        items,
        thumbnail,
        sensitive: is(body, "/possibly_sensitive"),
        counts: Counts {
            like_count: int(body, "/favorite_count"),
            comment_count: int(body, "/conversation_count"),
            ..Counts::default()
        },
        is_retweet: false,
        is_quote: body.get("quoted_tweet").is_some_and(Value::is_object),
        reply_to: reply_to(body),
    })
}

/// Makes metadata of it, and picks the one item that a link like `/photo/2` asks for.
pub fn finish(resource: &Resource, found: Found) -> MediaMetadata {
    let mut items = found.items;
    // A number beyond the last item means the whole post, as it does on the site.
    if let Some(number) = resource.item
        && (1..=items.len()).contains(&number)
    {
        items = items.drain(number - 1..number).collect();
    }
    MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title: None,
        description: found.words,
        author: Some(author(&found.handle, found.name.as_deref())),
        created_at: found.created_at,
        duration: items.iter().find_map(|item| item.duration),
        items,
        thumbnail: found.thumbnail,
        sensitive: found.sensitive,
        counts: found.counts,
        extension: Some(Extension::Twitter {
            tweet_id: resource.id.clone(),
            user_screen_name: found.handle,
            is_retweet: found.is_retweet,
            is_quote_tweet: found.is_quote,
            // The first post of a thread is known by answering nothing; the others' places a guest cannot see.
            thread_position: (found.reply_to.is_none() && !found.is_retweet).then_some(1),
        }),
        ..MediaMetadata::default()
    }
}

/// Makes one post of a thread, given from its first post to the one that was asked for: that one's words and counts, and
/// the media of all, each with the link of the post that it stands in.
///
/// # Errors
/// `no_media` when none of them has any.
pub fn finish_thread(resource: &Resource, thread: Vec<(String, Found)>) -> Result<MediaMetadata> {
    let place = u32::try_from(thread.len()).ok();
    let whole = thread.first().is_some_and(|(_, first)| first.reply_to.is_none());
    let mut items = Vec::new();
    let mut last = None;
    let mut sensitive = false;
    for (id, mut found) in thread {
        for mut item in std::mem::take(&mut found.items) {
            item.url = Some(format!("https://x.com/i/status/{id}"));
            items.push(item);
        }
        sensitive |= found.sensitive;
        last = Some(found);
    }
    let Some(last) = last.filter(|_| !items.is_empty()) else {
        return Err(Error::new(Kind::NoMedia, "no post of the thread has media"));
    };
    // A place in a link counts the items of its own post, not of the thread.
    let post = Resource { item: None, ..resource.clone() };
    let mut metadata = finish(&post, Found { items, sensitive, ..last });
    if let Some(Extension::Twitter { thread_position, .. }) = &mut metadata.extension {
        *thread_position = place.filter(|_| whole);
    }
    Ok(metadata)
}

fn reply_to(post: &Value) -> Option<(String, String)> {
    let id = text(post, "/in_reply_to_status_id_str")?;
    Some((id.to_owned(), text(post, "/in_reply_to_screen_name").unwrap_or_default().to_owned()))
}

/// The tweet in a result, unwrapped; or why there is none to see.
fn visible(result: &Value) -> Result<&Value> {
    if let Some(words) = tombstone(result) {
        return Err(tombstone_verdict(words));
    }
    match text(result, "/__typename") {
        Some("TweetUnavailable") => Err(unavailable(text(result, "/reason").unwrap_or_default())),
        Some("TweetWithVisibilityResults") => {
            result.get("tweet").ok_or_else(|| Error::platform_changed("a limited post without its content"))
        }
        // A wrapper may come without its name.
        _ if result.get("legacy").is_none() && result.get("tweet").is_some() => Ok(&result["tweet"]),
        _ => Ok(result),
    }
}

/// The words on a tombstone, if it is one.
fn tombstone(value: &Value) -> Option<&str> {
    let is_one = text(value, "/__typename") == Some("TweetTombstone") || value.get("tombstone").is_some();
    is_one.then(|| text(value, "/tombstone/text/text").or_else(|| text(value, "/tombstone/text")).unwrap_or_default())
}

/// One post as it stands in an answer, without what it repeats or quotes.
fn one(tweet: &Value) -> Result<Found> {
    let legacy = tweet.get("legacy").ok_or_else(|| Error::platform_changed("a post without `legacy`"))?;
    let user = tweet
        .pointer("/core/user_results/result")
        .ok_or_else(|| Error::platform_changed("a post without its author"))?;
    // Names moved from `legacy` to `core` in 2025; both are still seen.
    let of_user = |name: &str| text(user, &format!("/core/{name}")).or_else(|| text(user, &format!("/legacy/{name}")));
    let handle = of_user("screen_name").ok_or_else(|| Error::platform_changed("an author without a handle"))?;
    let id = text(legacy, "/id_str").or_else(|| text(tweet, "/rest_id")).unwrap_or_default();
    let told = text(legacy, "/created_at").and_then(|t| DateTime::parse_from_str(t, "%a %b %d %H:%M:%S %z %Y").ok());
    let note = tweet.pointer("/note_tweet/note_tweet_results/result");
    let words = match note.and_then(|note| Some((text(note, "/text")?, note.get("entity_set")))) {
        Some((words, entities)) => readable(words, entities.or_else(|| legacy.get("entities"))),
        None => text(legacy, "/full_text").and_then(|words| readable(words, legacy.get("entities"))),
    };
    let (mut items, mut thumbnail) = media::items(list(legacy, "/extended_entities/media"))?;
    if items.is_empty() {
        (items, thumbnail) = media::of_card(tweet)?;
    }
    Ok(Found {
        handle: handle.to_owned(),
        name: of_user("name").map(str::to_owned),
        words,
        created_at: posted_at(id, told.map(|t| t.to_utc())),
        items,
        thumbnail,
        sensitive: is(legacy, "/possibly_sensitive"),
        counts: Counts {
            like_count: int(legacy, "/favorite_count"),
            retweet_count: int(legacy, "/retweet_count"),
            view_count: int(tweet, "/views/count"),
            comment_count: int(legacy, "/reply_count"),
        },
        is_retweet: false,
        is_quote: is(legacy, "/is_quote_status") || tweet.get("quoted_status_result").is_some_and(Value::is_object),
        reply_to: reply_to(legacy),
    })
}

/// The words as people read them: entities undone, links spelled out, links to the post's own media gone.
fn readable(words: &str, entities: Option<&Value>) -> Option<String> {
    let mut words = unescape(words);
    if let Some(entities) = entities {
        for media in list(entities, "/media") {
            if let Some(short) = text(media, "/url") {
                words = words.replace(short, "");
            }
        }
        for link in list(entities, "/urls") {
            if let (Some(short), Some(long)) = (text(link, "/url"), text(link, "/expanded_url")) {
                words = words.replace(short, long);
            }
        }
    }
    without_trailing_short_links(&words)
}

/// The words without short links at their end: those lead to the post's own media.
pub fn without_trailing_short_links(words: &str) -> Option<String> {
    let mut words = words.trim_end();
    while let Some((before, last)) = words.rsplit_once(char::is_whitespace).or(Some(("", words)))
        && last.starts_with("https://t.co/")
    {
        words = before.trim_end();
    }
    non_empty(words)
}

/// Why an answer has no result at all.
fn no_result(body: &Value) -> Trouble {
    let errors = list(body, "/errors");
    let message = |error: &Value| text(error, "/message").unwrap_or("no message").to_owned();
    // Told beside good answers too, and then means nothing.
    let telling = errors.iter().find(|error| !message(error).eq_ignore_ascii_case("Dependency: Unspecified"));
    let Some(error) = telling else {
        // Deleted and never posted look the same: an empty object.
        let empty = body.pointer("/data/tweetResult").is_some_and(Value::is_object);
        return if empty {
            verdict(Kind::NotFound, "there is none with this id").into()
        } else {
            Trouble::Odd(Error::platform_changed("no `data.tweetResult` in the answer"))
        };
    };
    let words = message(error);
    match int(error, "/code") {
        Some(34 | 63 | 144) => verdict(Kind::NotFound, &words).into(),
        Some(179) => verdict(Kind::Private, &words).into(),
        Some(88) => Trouble::Odd(Error::new(Kind::RateLimited { retry_after: None }, format!("X: {words}"))),
        Some(32 | 89 | 239 | 326 | 353) => Trouble::Odd(Error::new(Kind::LoginRequired, format!("X: {words}"))),
        Some(29 | 130 | 131) => Trouble::Odd(Error::new(Kind::Network, format!("X: {words}"))),
        _ if words.to_lowercase().contains("not authorized") => verdict(Kind::Private, &words).into(),
        _ => Trouble::Odd(Error::platform_changed(format!("X: {words}"))),
    }
}

fn verdict(kind: Kind, reason: &str) -> Error {
    Error::new(kind, format!("X says of the post: {reason}"))
}

/// What `TweetUnavailable` means, by its reason.
fn unavailable(reason: &str) -> Error {
    match reason {
        "Protected" => verdict(Kind::Private, reason),
        // Whoever gives the tools a signed-in account's cookies gets these.
        "NsfwLoggedOut" => verdict(Kind::LoginRequired, reason).with_detail("it is marked as adult content"),
        "NsfwViewerHasNoStatedAge" | "NsfwViewerIsUnderage" => verdict(Kind::AgeRestricted, reason),
        "Suspended" => verdict(Kind::NotFound, reason).with_detail("its account is suspended"),
        "Deleted" | "Unspecified" | "NotFound" | "Unavailable" | "Deactivated" => verdict(Kind::NotFound, reason),
        "Withheld" | "CountryWithheld" | "Geoblocked" => verdict(Kind::GeoBlocked, reason),
        "LoggedOut" | "LoginRequired" | "BlockedByAuthor" => verdict(Kind::LoginRequired, reason),
        _ => Error::platform_changed(format!("a post is unavailable for an unknown reason: {reason:?}")),
    }
}

/// What a tombstone's words mean. They are English, because the question asked for English.
fn tombstone_verdict(words: &str) -> Error {
    let lower = words.to_lowercase().replace('’', "'");
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let kind = if has(&["age-restricted", "appropriate for people under", "confirm your age"]) {
        Kind::AgeRestricted
    } else if has(&["limits who can view", "protected", "only approved followers"]) {
        Kind::Private
    } else if has(&["withheld", "legal demand", "local law"]) {
        Kind::GeoBlocked
    } else if has(&["log in", "sign in", "sign up"]) {
        Kind::LoginRequired
    } else if has(&[
        "deleted",
        "suspended",
        "no longer exists",
        "violat",
        "unavailable",
        "isn't available",
        "not available",
    ]) {
        Kind::NotFound
    } else {
        return Error::platform_changed(format!("a tombstone with unknown words: {words:?}"));
    };
    let error = verdict(kind, words);
    if has(&["suspended"]) { error.with_detail("its account is suspended") } else { error }
}

/// Why a visible post has nothing to load.
fn nothing_in(tweet: &Value) -> Error {
    let media = list(tweet, "/legacy/extended_entities/media");
    if let Some(reason) = media.iter().find_map(|m| text(m, "/ext_media_availability/reason")) {
        let kind = if reason.to_lowercase().contains("geo") { Kind::GeoBlocked } else { Kind::NotFound };
        return verdict(kind, reason).with_detail("its media is not available any more");
    }
    match media::card_name(tweet) {
        // Players, live broadcasts and spaces: a tool may know them.
        Some(card) if !matches!(card, "summary" | "summary_large_image") && !card.starts_with("poll") => {
            verdict(Kind::UnsupportedUrl, &format!("its media is in a card of the kind {card}"))
        }
        _ => Error::new(Kind::NoMedia, "the post has no media"),
    }
}

/// A duration in X's milliseconds, as seconds.
pub(super) fn seconds(value: &Value, pointer: &str) -> Option<f64> {
    float(value, pointer).map(|millis| millis / 1000.0).filter(|seconds| *seconds > 0.0)
}
