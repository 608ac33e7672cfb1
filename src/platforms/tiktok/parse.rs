//! What the data of TikTok's pages means. Pure: JSON in, metadata or the verdict out.

use std::{cmp::Reverse, collections::BTreeMap};

use chrono::DateTime;
use serde_json::Value;
use url::Url;

use super::ID;
use crate::{
    model::{Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Rendition, Resource, Result},
    platforms::common::{
        expiry,
        json::{float, int, is, link, list, positive, text, web_link},
        text::{extension, non_empty},
    },
};

/// The post in a page's data. `visitor`: the cookie that the page gave its visitor.
///
/// # Errors
/// The verdict about the post, or `platform_changed`.
pub fn post(resource: &Resource, data: &Value, visitor: Option<&str>) -> Result<MediaMetadata> {
    let detail = data
        .pointer("/__DEFAULT_SCOPE__/webapp.video-detail")
        .ok_or_else(|| Error::platform_changed("a page without `webapp.video-detail`"))?;
    if let Some(code) = int(detail, "/statusCode").filter(|code| *code != 0) {
        return Err(refusal(code, text(detail, "/statusMsg").unwrap_or_default()));
    }
    let post = detail
        .pointer("/itemInfo/itemStruct")
        .filter(|post| post.is_object())
        .ok_or_else(|| Error::platform_changed("a page without `itemStruct`"))?;
    let items = if post.get("imagePost").is_some_and(Value::is_object) {
        slideshow(post, visitor)
    } else {
        video(resource, post, visitor).into_iter().collect()
    };
    if items.is_empty() {
        return Err(if is(post, "/isContentClassified") {
            Error::new(Kind::LoginRequired, "TikTok shows it to signed-in visitors only")
                .with_detail("it may not be comfortable for some audiences")
        } else {
            Error::platform_changed("a post without an address that can be loaded")
        });
    }
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        description: text(post, "/desc").and_then(non_empty),
        author: text(post, "/author/uniqueId").map(|handle| author(handle, text(post, "/author/nickname"))),
        created_at: int(post, "/createTime").and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        duration: items.iter().find_map(|item| item.duration),
        items,
        thumbnail: ["originCover", "cover"]
            .iter()
            .find_map(|name| address(text(post, &format!("/video/{name}"))?))
            .map(String::from),
        sensitive: is(post, "/isContentClassified"),
        counts: counts(post),
        ..MediaMetadata::default()
    })
}

/// The record of a person.
pub fn author(handle: &str, name: Option<&str>) -> Author {
    Author {
        handle: handle.to_owned(),
        name: name.and_then(non_empty),
        url: Some(format!("https://www.tiktok.com/@{handle}")),
    }
}

/// The counters of a post, as the page tells them (and gallery-dl, which hands the page's own record on).
pub fn counts(post: &Value) -> Counts {
    Counts {
        like_count: int(post, "/stats/diggCount"),
        retweet_count: int(post, "/stats/shareCount"),
        view_count: int(post, "/stats/playCount"),
        comment_count: int(post, "/stats/commentCount"),
    }
}

/// What a status code means: the codes that yt-dlp and gallery-dl know, then the words beside it.
fn refusal(code: i64, message: &str) -> Error {
    let words = message.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let kind = match code {
        // Deleted, or (so yt-dlp) not shown to this address. The words of the site are the same.
        10_204 | 10_221 => Kind::NotFound,
        10_216 | 10_222 => Kind::Private,
        10_231 => Kind::GeoBlocked,
        _ if has(&["self_see", "friend_see", "secret", "private"]) => Kind::Private,
        _ if has(&["review"]) => Kind::NotYet,
        _ if has(&["delete", "not exist", "doesn't exist"]) => Kind::NotFound,
        _ if has(&["cross_border", "region"]) => Kind::GeoBlocked,
        _ if has(&["login"]) => Kind::LoginRequired,
        _ => return Error::platform_changed(format!("the unknown status {code} ({message:.80})")),
    };
    let error = Error::new(kind, format!("TikTok's status is {code} ({message:.80})"));
    match code {
        10_216 => error.with_detail("only its author can see it"),
        10_222 => error.with_detail("the account is private"),
        _ => error,
    }
}

/// What a file's host wants: the page as the referrer, and on the site's own domain, whose it is, the visitor's cookie.
fn headers(url: &Url, visitor: Option<&str>) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::from([("referer".to_owned(), "https://www.tiktok.com/".to_owned())]);
    let own = url.domain().is_some_and(|host| host == "tiktok.com" || host.ends_with(".tiktok.com"));
    if let Some(token) = visitor.filter(|_| own) {
        headers.insert("cookie".to_owned(), format!("tt_chain_token={token}"));
    }
    headers
}

/// A file's address. Some lack the scheme; those on the site's own host lead nowhere.
fn address(text: &str) -> Option<Url> {
    let url = if text.starts_with("//") { web_link(&format!("https:{text}")) } else { web_link(text) };
    url.filter(|url| url.host_str() != Some("www.tiktok.com"))
}

/// The first address of a list that can be loaded.
fn first_address(value: &Value, pointer: &str) -> Option<Url> {
    list(value, pointer).iter().filter_map(Value::as_str).find_map(address)
}

fn video(resource: &Resource, post: &Value, visitor: Option<&str>) -> Option<Item> {
    let video = post.get("video")?;
    let duration = float(video, "/duration").filter(|seconds| *seconds > 0.0);
    let mut renditions: Vec<Rendition> = list(video, "/bitrateInfo").iter().filter_map(rendition).collect();
    // The same width means the same file under another signature.
    let play = text(video, "/playAddr").and_then(address).map(|url| Rendition {
        format_id: Some("play".into()),
        width: positive(video, "/width"),
        height: positive(video, "/height"),
        video_codec: Some(codec(text(video, "/codecType").unwrap_or("h264")).into()),
        bitrate: positive(video, "/bitrate"),
        ..Rendition::at(url)
    });
    renditions.extend(play.filter(|play| renditions.iter().all(|other| other.width != play.width)));
    // With the site's mark in the picture: only where there is nothing else.
    if renditions.is_empty() {
        renditions.extend(
            text(video, "/downloadAddr")
                .and_then(address)
                .map(|url| Rendition { format_id: Some("download".into()), ..Rendition::at(url) }),
        );
    }
    for rendition in &mut renditions {
        rendition.container = Some("mp4".into());
        rendition.audio_codec = Some("mp4a".into());
        if let Some(url) = &rendition.url {
            rendition.expires_at = expiry::told_by(url, "expire", 10);
            rendition.headers = headers(url, visitor);
        }
    }
    renditions.sort_by_key(|version| {
        Reverse((version.short_side(), version.video_codec.as_deref() == Some("avc1"), version.bitrate))
    });
    (!renditions.is_empty()).then(|| Item {
        id: Some(resource.id.clone()),
        duration,
        ..Item::new(FileType::Video, renditions)
    })
}

/// One version of a video.
fn rendition(version: &Value) -> Option<Rendition> {
    let url = first_address(version, "/PlayAddr/UrlList")?;
    let name = text(version, "/CodecType").or_else(|| text(version, "/PlayAddr/UrlKey")).unwrap_or("h264");
    // ByteDance's own codec, which nothing else plays; and addresses that hold no sound, or nothing.
    if name.contains("bytevc2") || name.contains("h266") || url.path().ends_with("/media-video-hvc1/") {
        return None;
    }
    let bytes = positive(version, "/PlayAddr/DataSize");
    Some(Rendition {
        format_id: text(version, "/GearName").map(str::to_owned),
        video_codec: Some(codec(name).into()),
        width: positive(version, "/PlayAddr/Width"),
        height: positive(version, "/PlayAddr/Height"),
        bitrate: positive(version, "/Bitrate"),
        bytes,
        bytes_exact: bytes.is_some(),
        ..Rendition::at(url)
    })
}

fn codec(name: &str) -> &'static str {
    if name.contains("h265") || name.contains("bytevc1") || name.contains("hvc1") { "hvc1" } else { "avc1" }
}

/// The photos in order, then the sound they are shown to.
fn slideshow(post: &Value, visitor: Option<&str>) -> Vec<Item> {
    let photos = list(post, "/imagePost/images").iter().filter_map(|image| {
        let url = first_address(image, "/imageURL/urlList")?;
        let rendition = Rendition {
            container: extension(&url),
            width: positive(image, "/imageWidth"),
            height: positive(image, "/imageHeight"),
            expires_at: expiry::told_by(&url, "x-expires", 10),
            ..Rendition::at(url)
        };
        Some(Item::new(FileType::Image, vec![rendition]))
    });
    let photos: Vec<Item> = photos.collect();
    // A sound without a photo is no slideshow; a photo without its sound is.
    let sound = if photos.is_empty() { None } else { sound(post, visitor) };
    photos.into_iter().chain(sound).collect()
}

fn sound(post: &Value, visitor: Option<&str>) -> Option<Item> {
    let url = link(post, "/music/playUrl").filter(|url| url.host_str() != Some("www.tiktok.com"))?;
    // `mime_type=audio_mpeg`, and m4a otherwise.
    let mpeg = url.query_pairs().any(|(key, value)| key == "mime_type" && value == "audio_mpeg")
        || extension(&url).as_deref() == Some("mp3");
    let rendition = Rendition {
        container: Some(if mpeg { "mp3" } else { "m4a" }.into()),
        audio_codec: Some(if mpeg { "mp3" } else { "mp4a" }.into()),
        expires_at: expiry::told_by(&url, "expire", 10),
        headers: headers(&url, visitor),
        ..Rendition::at(url)
    };
    Some(Item {
        id: text(post, "/music/id").map(str::to_owned),
        duration: float(post, "/music/duration").filter(|seconds| *seconds > 0.0),
        ..Item::new(FileType::Audio, vec![rendition])
    })
}
