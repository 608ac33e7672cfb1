//! What the sites of Meta (Instagram, Threads, Facebook) share: pages that carry their data in scripts, login pages, and the
//! media records of Instagram and Threads.

use std::cmp::Reverse;

use futures_util::future;
use reqwest::RequestBuilder;
use serde_json::Value;
use url::Url;

use super::{
    dash, expiry,
    html::Page,
    http,
    json::{float, link, list, positive, text},
    text::extension,
};
use crate::{
    model::{FileType, Item, Rendition, Streams},
    net,
};

/// The letters of short codes: a post's number in base 64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The codes of private posts have this many letters more.
const PRIVATE_TAIL: usize = 28;

/// Most files whose size is asked for: more would cost more time than a better choice is worth.
const MOST_SIZES: usize = 4;

/// Makes a request look like a visit, as a browser's address line sends it: without that the pages come without data.
pub fn visit(request: RequestBuilder) -> RequestBuilder {
    request
        .header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("Accept-Language", "en-US,en;q=0.5")
        .header("Sec-Fetch-Dest", "document")
        .header("Sec-Fetch-Mode", "navigate")
        .header("Sec-Fetch-Site", "none")
}

/// Whether an address is where visitors are sent to sign in.
pub fn is_login(url: &Url) -> bool {
    let path = url.path();
    ["/accounts/login", "/login", "/checkpoint", "/challenge"].iter().any(|start| path.starts_with(start))
        || path == "/"
}

/// The JSON documents of a page's scripts in which one of these names occurs.
pub fn documents(page: &Page, names: &[&str]) -> Vec<Value> {
    page.texts("script[data-sjs]")
        .iter()
        .filter(|script| names.iter().any(|name| script.contains(name)))
        .filter_map(|script| serde_json::from_str(script.trim()).ok())
        .collect()
}

/// Every value that stands under this name, however deep, outer ones first.
pub fn all<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    // What is read was parsed with a limit to its depth.
    let mut open = std::collections::VecDeque::from([value]);
    while let Some(value) = open.pop_front() {
        match value {
            Value::Object(map) => {
                found.extend(map.get(name));
                open.extend(map.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    found
}

/// The number of a short code.
pub fn number_of(code: &str) -> Option<u64> {
    let code = code
        .len()
        .checked_sub(PRIVATE_TAIL)
        .filter(|short| *short > 0)
        .and_then(|short| code.get(..short))
        .unwrap_or(code);
    code.bytes().try_fold(0_u64, |number, letter| {
        let digit = ALPHABET.iter().position(|known| *known == letter)?;
        number.checked_mul(64)?.checked_add(u64::try_from(digit).ok()?)
    })
}

/// The items of a post of Instagram or Threads, in order: those of a carousel, or the post itself.
pub fn items(post: &Value) -> Vec<Item> {
    match list(post, "/carousel_media") {
        [] => item(post).into_iter().collect(),
        several => several.iter().filter_map(item).collect(),
    }
}

/// One picture or video.
fn item(media: &Value) -> Option<Item> {
    let video = video(media);
    let (kind, renditions) =
        if video.is_empty() { (FileType::Image, pictures(media)) } else { (FileType::Video, video) };
    (!renditions.is_empty()).then(|| Item {
        id: media.get("pk").and_then(plain_id),
        alt_text: text(media, "/accessibility_caption").map(str::to_owned),
        duration: float(media, "/video_duration").filter(|seconds| *seconds > 0.0 && kind == FileType::Video),
        ..Item::new(kind, renditions)
    })
}

/// An id as text: some are numbers, some end in the owner's (`123_456`).
fn plain_id(id: &Value) -> Option<String> {
    let text = match id {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    text.split('_').next().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// The versions of a picture, the largest first.
fn pictures(media: &Value) -> Vec<Rendition> {
    let mut versions: Vec<Rendition> = list(media, "/image_versions2/candidates")
        .iter()
        .filter_map(|version| {
            let url = link(version, "/url")?;
            Some(Rendition {
                container: extension(&url),
                width: positive(version, "/width"),
                height: positive(version, "/height"),
                expires_at: expiry::told_by(&url, "oe", 16),
                ..Rendition::at(url)
            })
        })
        .collect();
    versions.sort_by_key(|version| Reverse(version.short_side()));
    versions
}

/// The versions of a video, the best first: whole files, and picture and sound apart.
fn video(media: &Value) -> Vec<Rendition> {
    let whole = list(media, "/video_versions").iter().filter_map(|version| {
        let url = link(version, "/url")?;
        Some(Rendition {
            format_id: text(version, "/id").map(str::to_owned),
            container: Some("mp4".into()),
            audio_codec: media.get("has_audio").and_then(Value::as_bool).unwrap_or(true).then(|| "mp4a".into()),
            width: positive(version, "/width"),
            height: positive(version, "/height"),
            expires_at: expiry::told_by(&url, "oe", 16),
            ..Rendition::at(url)
        })
    });
    let mut versions: Vec<Rendition> = whole.collect();
    // Several types of the same file.
    versions.dedup_by(|second, first| second.url == first.url);
    if let Some(xml) = text(media, "/video_dash_manifest") {
        versions.extend(apart(xml, float(media, "/video_duration")));
    }
    versions.sort_by_key(|version| {
        (
            version.streams == Streams::AudioOnly,
            Reverse((version.short_side(), version.streams == Streams::Whole, version.bitrate)),
        )
    });
    versions
}

/// What a manifest within a record holds; nothing if it cannot be read, for there are whole files beside it.
pub fn apart(xml: &str, duration: Option<f64>) -> Vec<Rendition> {
    let Ok(base) = Url::parse("https://www.instagram.com/") else { return Vec::new() };
    let Ok((mut versions, _)) = dash::renditions(xml, &base, duration) else { return Vec::new() };
    for version in &mut versions {
        version.expires_at = version.url.as_ref().and_then(|url| expiry::told_by(url, "oe", 16));
    }
    versions
}

/// The post's preview: the largest picture of its first item.
pub fn preview(post: &Value) -> Option<String> {
    let first = list(post, "/carousel_media").first().unwrap_or(post);
    pictures(first).into_iter().find_map(|version| version.url).map(String::from)
}

/// Asks for the size of the best version of the first videos, where the record does not tell it.
pub async fn learn_sizes(client: &net::Client, items: &mut [Item]) {
    let best = items
        .iter_mut()
        .filter(|item| item.kind == FileType::Video)
        .filter_map(|item| item.renditions.first_mut())
        .filter(|version| version.bytes.is_none());
    let asked = best.take(MOST_SIZES).map(|version| async move {
        let Some(url) = &version.url else { return };
        version.bytes = http::size(client, url, &version.headers).await;
        version.bytes_exact = version.bytes.is_some();
    });
    future::join_all(asked).await;
}

/// Whether a picture or video of a post is covered until people ask to see it.
pub fn is_sensitive(post: &Value) -> bool {
    let covered = |media: &Value| {
        ["media_overlay_info", "sensitivity_friction_info"]
            .iter()
            .any(|name| media.get(name).is_some_and(Value::is_object))
    };
    covered(post) || list(post, "/carousel_media").iter().any(covered)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_numbers_in_base_64() {
        assert_eq!(number_of("aye83DjauH"), Some(482_584_233_761_418_119));
        assert_eq!(number_of("B"), Some(1));
        let private = format!("aye83DjauH{}", "x".repeat(28));
        assert_eq!(number_of(&private), Some(482_584_233_761_418_119));
        assert!(number_of("no code").is_none() && number_of(&"_".repeat(20)).is_none());
    }

    #[test]
    fn values_are_found_by_name_at_any_depth() {
        let value = json!({"a": [{"b": {"x": 1}}, {"x": {"x": null}}], "x": 0});
        assert_eq!(all(&value, "x"), [&json!(0), &json!({"x": null}), &json!(1), &json!(null)]);
        let page =
            Page::of("<script data-sjs>{\"x\": 1}</script><script data-sjs>{\"y\"</script><script>{\"x\": 2}</script>");
        assert_eq!(documents(&page, &["x", "y"]), [json!({"x": 1})]);
    }

    #[test]
    fn addresses_where_people_sign_in_are_known() {
        let is = |link: &str| is_login(&Url::parse(link).unwrap());
        assert!(is("https://www.instagram.com/accounts/login/?next=%2Fp%2Fx%2F") && is("https://www.instagram.com/"));
        assert!(!is("https://www.instagram.com/p/login/"));
    }
}
