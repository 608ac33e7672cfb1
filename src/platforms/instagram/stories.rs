//! Stories and highlights. Instagram shows them to signed-in people only.

use serde_json::Value;

use super::{api, parse};
use crate::{
    model::{Error, Item, Kind, MediaMetadata, Resource, Result},
    net::Session,
    platforms::{
        ExtractContext,
        common::{
            http,
            json::{list, text},
            meta,
        },
    },
};

/// What a story holds: one item of it if the link names one.
///
/// # Errors
/// `login_required` without a session, or with one that is not accepted; `not_found` when the story is over.
pub async fn story(resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
    let session = cx.session.ok_or_else(|| {
        Error::new(Kind::LoginRequired, "stories need a session: set the cookies of an account")
            .with_detail("Instagram shows stories to signed-in people only")
    })?;
    let reel = match resource.id.strip_prefix("highlights/") {
        Some(id) => format!("highlight:{id}"),
        None => owner(resource, session, cx).await?,
    };
    let mut url = api::address("api/v1/feed/reels_media/")?;
    url.query_pairs_mut().append_pair("reel_ids", &reel);
    let body = ask(&url, session, cx).await?;
    let found = body.get("reels").and_then(|reels| reels.get(&reel)).ok_or_else(|| {
        Error::new(Kind::NotFound, "Instagram knows no such story").with_detail("stories are gone after a day")
    })?;
    read(resource, found)
}

async fn ask(url: &url::Url, session: &Session, cx: &ExtractContext<'_>) -> Result<Value> {
    let request = api::api_request(session.client(), url, Some(session), cx)?;
    api::session_answer(&http::ask(session.client(), request).await?)
}

/// The number of the account whose story it is.
async fn owner(resource: &Resource, session: &Session, cx: &ExtractContext<'_>) -> Result<String> {
    let handle = resource.canonical.path_segments().and_then(|mut parts| parts.nth(1)).unwrap_or_default();
    let mut url = api::address("api/v1/users/web_profile_info/")?;
    url.query_pairs_mut().append_pair("username", handle);
    let body = ask(&url, session, cx).await?;
    text(&body, "/data/user/id")
        .map(str::to_owned)
        .ok_or_else(|| Error::new(Kind::NotFound, "Instagram knows no such account"))
}

/// A reel of stories as one post.
///
/// # Errors
/// `not_found` when the one asked for is over, `platform_changed` when nothing can be loaded.
pub fn read(resource: &Resource, reel: &Value) -> Result<MediaMetadata> {
    // Numbers name one story; handles and highlights name all.
    let wanted = resource.id.bytes().all(|b| b.is_ascii_digit()).then_some(resource.id.as_str());
    let stories: Vec<(&Value, Item)> = list(reel, "/items")
        .iter()
        .flat_map(|story| meta::items(story).into_iter().map(move |item| (story, item)))
        .filter(|(_, item)| wanted.is_none() || item.id.as_deref() == wanted)
        .collect();
    let Some((first, _)) = stories.first() else {
        return Err(if wanted.is_some() || list(reel, "/items").is_empty() {
            Error::new(Kind::NotFound, "the story is not there any more").with_detail("stories are gone after a day")
        } else {
            Error::platform_changed("stories without an address that can be loaded")
        });
    };
    let mut metadata = parse::post(resource, first)?;
    if let Some(handle) = text(reel, "/user/username") {
        metadata.author = Some(parse::author(handle, text(reel, "/user/full_name")));
    }
    metadata.title = text(reel, "/title").map(str::to_owned);
    metadata.items = stories.into_iter().map(|(_, item)| item).collect();
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
    Ok(metadata)
}
