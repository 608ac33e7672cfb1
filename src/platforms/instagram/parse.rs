//! What Instagram's answers mean. Pure: pages and JSON in, metadata or the verdict out.

use chrono::DateTime;
use serde_json::Value;

use super::ID;
use crate::{
    model::{Author, Counts, Error, Kind, MediaMetadata, Resource, Result},
    platforms::common::{
        html::Page,
        http::Answer,
        json::{int, text},
        meta,
        text::non_empty,
    },
};

/// The name under which pages and the query tell of a post.
const POST: &str = "xig_polaris_media";

/// What people see for a post that visitors may not see.
const GATED: &str = "it is private, or shown to signed-in people only";

/// The metadata of a post's record.
///
/// # Errors
/// `platform_changed` when nothing in it can be loaded.
pub fn post(resource: &Resource, media: &Value) -> Result<MediaMetadata> {
    let items = meta::items(media);
    if items.is_empty() {
        return Err(Error::platform_changed("a post without an address that can be loaded"));
    }
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        description: text(media, "/caption/text").and_then(non_empty),
        author: text(media, "/user/username")
            .or_else(|| text(media, "/owner/username"))
            .map(|handle| author(handle, text(media, "/user/full_name").or_else(|| text(media, "/owner/full_name")))),
        created_at: int(media, "/taken_at").and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        duration: items.iter().find_map(|item| item.duration),
        items,
        thumbnail: meta::preview(media),
        sensitive: meta::is_sensitive(media),
        counts: counts(media),
        ..MediaMetadata::default()
    })
}

/// The record of a person.
pub fn author(handle: &str, name: Option<&str>) -> Author {
    Author {
        handle: handle.to_owned(),
        name: name.and_then(non_empty),
        url: Some(format!("https://www.instagram.com/{handle}/")),
    }
}

fn counts(media: &Value) -> Counts {
    // Hidden counters are negative.
    let count = |name: &str| int(media, name).filter(|count| *count >= 0);
    Counts {
        like_count: count("/like_count"),
        view_count: count("/view_count").or_else(|| count("/play_count")),
        comment_count: count("/comment_count"),
        ..Counts::default()
    }
}

/// The record in a post's page.
///
/// # Errors
/// `login_required` when it is held back, `platform_changed` when the page tells nothing about it.
pub fn page(page: &Page) -> Result<Value> {
    let documents = meta::documents(page, &[POST]);
    let mut told = documents.iter().flat_map(|document| meta::all(document, POST));
    match told.find(|media| media.is_object()) {
        Some(media) => shown(media),
        None => Err(Error::platform_changed(format!("a page without `{POST}`"))),
    }
}

/// The record in the answer to the page's query.
///
/// # Errors
/// As [`page`].
pub fn query(body: &Value) -> Result<Value> {
    match body.pointer("/data").and_then(|data| data.get(POST)) {
        Some(media) if media.is_object() => shown(media),
        // Deleted posts, and those of private accounts, are both nothing to visitors.
        Some(Value::Null) => Err(gated("Instagram tells visitors nothing of the post")),
        _ => Err(Error::platform_changed(format!("no `data.{POST}` in the answer"))),
    }
}

fn shown(media: &Value) -> Result<Value> {
    match media.get("if_not_gated_logged_out") {
        Some(post) if post.is_object() => Ok(post.clone()),
        Some(Value::Null) => Err(gated("Instagram shows the post to people with an account only")),
        _ => Err(Error::platform_changed("a post without `if_not_gated_logged_out`")),
    }
}

fn gated(what: &str) -> Error {
    Error::new(Kind::LoginRequired, what).with_detail(GATED)
}

/// Whether the post itself is held back, rather than this visitor.
pub fn is_gated(error: &Error) -> bool {
    *error.kind() == Kind::LoginRequired && error.user_text().contains(GATED)
}

/// The reason that Instagram gives for holding a post back.
pub fn ruling(body: &Value) -> Option<Error> {
    let title = text(body, "/title")?;
    let kind = if title.to_lowercase().contains("restricted") { Kind::AgeRestricted } else { Kind::LoginRequired };
    Some(Error::new(kind, format!("Instagram says of the post: {title:.80}")))
}

/// What the API says to people with an account instead of a post.
pub fn refusal(answer: &Answer, body: &Value) -> Error {
    let message = text(body, "/message").unwrap_or_default();
    let words = message.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let kind = if has(&["not authorized"]) {
        Kind::Private
    } else if has(&["not found", "unavailable", "deleted"]) {
        Kind::NotFound
    } else if has(&["wait a few", "try again later"]) {
        Kind::RateLimited { retry_after: None }
    } else if has(&["login_required", "checkpoint", "challenge", "csrf"]) {
        Kind::LoginRequired
    } else if let Some(refusal) = &answer.refusal {
        return refusal.clone();
    } else {
        return Error::platform_changed(format!("Instagram's API says {message:.80}"));
    };
    Error::new(kind, format!("Instagram's API says {message:.80}"))
}
