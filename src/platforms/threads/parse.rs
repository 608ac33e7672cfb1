//! What the pages of Threads mean. Pure: pages in, metadata or the verdict out.

use chrono::DateTime;
use serde_json::Value;

use super::ID;
use crate::{
    model::{Author, Counts, Error, Item, Kind, MediaMetadata, Resource, Result},
    platforms::common::{
        html::Page,
        json::{int, text},
        meta,
        text::non_empty,
    },
};

/// The name under which pages tell the posts of a thread.
const THREAD: &str = "thread_items";

/// The post of a page.
///
/// # Errors
/// The verdict about it, or `platform_changed`.
pub fn page(resource: &Resource, page: &Page) -> Result<MediaMetadata> {
    let documents = meta::documents(page, &[THREAD]);
    let mut posts = documents
        .iter()
        .flat_map(|document| meta::all(document, THREAD))
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|entry| entry.get("post"));
    match posts.find(|post| text(post, "/code") == Some(&resource.id)) {
        Some(post) => read(resource, post),
        // Pages of private accounts come with their frame only.
        None if documents.is_empty() && !page.texts("script[data-sjs]").is_empty() => {
            Err(Error::new(Kind::LoginRequired, "Threads shows visitors no post")
                .with_detail("it is private, or shown to signed-in people only"))
        }
        None => Err(Error::platform_changed("a page without the post asked for")),
    }
}

/// The metadata of a post's record.
///
/// # Errors
/// `no_media` for a post of words alone, `platform_changed` when its media cannot be loaded.
pub fn read(resource: &Resource, post: &Value) -> Result<MediaMetadata> {
    let (source, items) = with_media(post)?;
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        description: text(post, "/caption/text").and_then(non_empty),
        author: text(post, "/user/username").map(|handle| Author {
            handle: handle.to_owned(),
            name: text(post, "/user/full_name").and_then(non_empty),
            url: Some(format!("https://www.threads.com/@{handle}")),
        }),
        created_at: int(post, "/taken_at").and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        duration: items.iter().find_map(|item| item.duration),
        items,
        thumbnail: meta::preview(source),
        sensitive: meta::is_sensitive(source),
        counts: Counts {
            like_count: int(post, "/like_count").filter(|count| *count >= 0),
            retweet_count: int(post, "/text_post_app_info/repost_count"),
            comment_count: int(post, "/text_post_app_info/direct_reply_count"),
            ..Counts::default()
        },
        ..MediaMetadata::default()
    })
}

/// The record that holds the media and its items: the post itself, what it shows inline, or the post that it quotes or
/// repeats.
fn with_media(post: &Value) -> Result<(&Value, Vec<Item>)> {
    let info = "/text_post_app_info";
    let others = ["/linked_inline_media", "/share_info/quoted_post", "/share_info/reposted_post"];
    let sources = std::iter::once(Some(post)).chain(others.iter().map(|place| post.pointer(&format!("{info}{place}"))));
    for source in sources.flatten() {
        let items = meta::items(source);
        if !items.is_empty() {
            return Ok((source, items));
        }
        // Posts of words have empty lists; a type that promises media must have some.
        if matches!(int(source, "/media_type"), Some(1 | 2 | 8))
            && source.get("image_versions2").is_none_or(Value::is_null)
        {
            return Err(Error::platform_changed("a post's media has no address that can be loaded"));
        }
    }
    match post.get("media_type").or_else(|| post.get("caption")) {
        Some(_) => Err(Error::new(Kind::NoMedia, "the post has words only")),
        None => Err(Error::platform_changed("a post without its type")),
    }
}
