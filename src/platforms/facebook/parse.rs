//! What Facebook's pages mean. Pure: HTML in, metadata or the verdict out.
//!
//! Pages differ by what they show and change often, but a video's record keeps its names: what delivers it stands in the
//! record itself, in `videoDeliveryLegacyFields`, or in `videoDeliveryResponseFragment`. So records are looked for by these
//! names, wherever they are.

use std::collections::{BTreeMap, HashSet};

use chrono::DateTime;
use serde_json::Value;

use super::ID;
use crate::{
    model::{
        Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Rendition, Resource, ResourceKind, Result, Streams,
    },
    platforms::common::{
        expiry,
        html::Page,
        json::{float, int, is, link, list, text},
        meta,
        text::non_empty,
    },
};

/// Names that only occur where a video is delivered.
const DELIVERY: &[&str] =
    &["playable_url", "browser_native_hd_url", "browser_native_sd_url", "progressive_urls", "dash_manifests"];

/// The most that one request may ask for: above half a gigabyte the file hosts refuse.
const CHUNK: u64 = 250 << 20;

/// More videos than that no post has.
const MOST_ITEMS: usize = 50;

/// The video or post of a page.
///
/// # Errors
/// The verdict about it, `login_required`, or `platform_changed`.
pub fn page(resource: &Resource, html: &str, page: &Page) -> Result<MediaMetadata> {
    let documents = meta::documents(page, DELIVERY);
    let records = records(&documents, resource);
    let Some(first) = records.first() else { return Err(refusal(html, &documents)) };
    if is(first, "/is_live_streaming") {
        return Err(Error::new(Kind::Live, "Facebook says the video is live"));
    }
    let items: Vec<Item> = records.iter().filter_map(|record| item(record)).collect();
    if items.is_empty() {
        return Err(Error::platform_changed("a video without an address that can be loaded"));
    }
    let others = meta::documents(page, &["total_comment_count", "likers"]);
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title: text(first, "/name")
            .or_else(|| text(first, "/title/text"))
            .map(str::to_owned)
            .or_else(|| page.meta("og:title"))
            .as_deref()
            .and_then(title),
        description: text(first, "/savable_description/text")
            .or_else(|| text(first, "/creation_story/comet_sections/message/story/message/text"))
            .and_then(non_empty),
        author: [
            "/owner",
            "/short_form_video_context/video_owner",
            "/creation_story/short_form_video_context/video_owner",
        ]
        .iter()
        .find_map(|place| Some(author(text(first, &format!("{place}/id"))?, text(first, &format!("{place}/name"))))),
        created_at: ["/publish_time", "/creation_time"]
            .iter()
            .find_map(|name| int(first, name))
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        duration: items.iter().find_map(|item| item.duration),
        thumbnail: ["/thumbnailImage/uri", "/preferred_thumbnail/image/uri"]
            .iter()
            .find_map(|place| link(first, place))
            .map(String::from),
        counts: counts(resource, html, &others),
        items,
        ..MediaMetadata::default()
    })
}

/// A title as people gave it: pages put the site's name behind it, and yt-dlp a number where there is none.
pub fn title(text: &str) -> Option<String> {
    let title = text.trim_end_matches(" | Facebook");
    (!title.starts_with("Facebook video #") && title != "Facebook").then(|| non_empty(title)).flatten()
}

/// The record of a person or page. Pages tell the number rather than the name in links.
pub fn author(id: &str, name: Option<&str>) -> Author {
    Author {
        handle: id.to_owned(),
        name: name.and_then(non_empty),
        url: Some(format!("https://www.facebook.com/{id}")),
    }
}

/// The records of the videos that are asked for, in the page's order, each once.
fn records<'a>(documents: &'a [Value], resource: &Resource) -> Vec<&'a Value> {
    // Pages show other videos beside the one asked for: it is known by its number, and a post by being the first that is
    // laid out in sections.
    let is_video = resource.kind == ResourceKind::Video;
    let scope: Vec<&Value> = if is_video {
        documents.iter().collect()
    } else {
        let posts = documents.iter().flat_map(|document| meta::all(document, "comet_sections"));
        posts.into_iter().find(|post| !delivering(post).is_empty()).into_iter().collect()
    };
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for record in scope.into_iter().flat_map(delivering) {
        let id = ["/id", "/videoId", "/video_id"].iter().find_map(|name| text(record, name)).unwrap_or_default();
        let asked = !is_video || id == resource.id;
        if asked && found.len() < MOST_ITEMS && seen.insert(id) {
            found.push(record);
        }
    }
    found
}

/// Every record in a document that delivers a video.
fn delivering(document: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    let mut open = vec![document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                let (legacy, response) = (delivery(value), response(value));
                if value.get("id").or_else(|| value.get("videoId")).is_some()
                    && (response.is_some()
                        || DELIVERY.iter().any(|name| legacy.get(name).is_some_and(|v| !v.is_null())))
                {
                    found.push(value);
                } else {
                    open.extend(map.values().rev());
                }
            }
            Value::Array(values) => open.extend(values.iter().rev()),
            _ => {}
        }
    }
    found
}

/// Where a record has its plain addresses.
fn delivery(record: &Value) -> &Value {
    record.get("videoDeliveryLegacyFields").filter(|fields| fields.is_object()).unwrap_or(record)
}

/// Where a record has what replaces them.
fn response(record: &Value) -> Option<&Value> {
    record.pointer("/videoDeliveryResponseFragment/videoDeliveryResponseResult").filter(|result| result.is_object())
}

fn item(record: &Value) -> Option<Item> {
    let duration = float(record, "/playable_duration_in_ms")
        .map(|milliseconds| milliseconds / 1000.0)
        .or_else(|| float(record, "/length_in_second"))
        .filter(|seconds| *seconds > 0.0);
    let mut renditions = Vec::new();
    let legacy = delivery(record);
    for (name, quality) in [
        ("playable_url_quality_hd", "hd"),
        ("browser_native_hd_url", "hd"),
        ("playable_url", "sd"),
        ("browser_native_sd_url", "sd"),
    ] {
        renditions.extend(whole(link(legacy, &format!("/{name}")), quality));
    }
    let mut manifests: Vec<&str> = ["dash_manifest", "playlist", "dash_manifest_xml_string", "manifest_xml"]
        .iter()
        .find_map(|name| text(legacy, &format!("/{name}")))
        .into_iter()
        .collect();
    if let Some(result) = response(record) {
        for file in list(result, "/progressive_urls") {
            let quality = text(file, "/metadata/quality").unwrap_or("sd").to_lowercase();
            renditions.extend(whole(link(file, "/progressive_url"), &quality));
        }
        manifests.extend(list(result, "/dash_manifests").iter().filter_map(|manifest| text(manifest, "/manifest_xml")));
    }
    let mut seen = HashSet::new();
    renditions.retain(|rendition| seen.insert(rendition.url.clone()));
    for xml in manifests {
        // Older pages escape it as if for a link.
        let plain = if xml.trim_start().starts_with('<') {
            xml.to_owned()
        } else {
            percent_encoding::percent_decode_str(&xml.replace('+', " ")).decode_utf8_lossy().into_owned()
        };
        renditions.extend(meta::apart(&plain, duration));
    }
    // Browsers get these files slowly; the site's own preview maker does not.
    let headers = BTreeMap::from([("user-agent".to_owned(), "facebookexternalhit/1.1".to_owned())]);
    for rendition in &mut renditions {
        rendition.chunk_bytes = Some(CHUNK);
        rendition.headers.clone_from(&headers);
    }
    renditions.sort_by_key(|rendition| {
        let whole = rendition.streams == Streams::Whole;
        (rendition.streams == Streams::AudioOnly, std::cmp::Reverse((rendition.short_side(), whole, rendition.bitrate)))
    });
    (!renditions.is_empty()).then(|| Item {
        id: ["/id", "/videoId"].iter().find_map(|name| text(record, name)).map(str::to_owned),
        duration,
        ..Item::new(FileType::Video, renditions)
    })
}

/// A whole file. Its true size is not told: "hd" is at most 720 lines, "sd" fewer.
fn whole(url: Option<url::Url>, quality: &str) -> Option<Rendition> {
    let url = url.filter(|url| !url.path().ends_with(".mpd"))?;
    Some(Rendition {
        format_id: Some(quality.to_owned()),
        container: Some("mp4".into()),
        height: Some(if quality == "hd" { 720 } else { 360 }),
        expires_at: expiry::told_by(&url, "oe", 16),
        ..Rendition::at(url)
    })
}

/// The counters, which stand beside the record: those of the post whose link names the video.
fn counts(resource: &Resource, html: &str, documents: &[Value]) -> Counts {
    let mut counts = Counts { view_count: after(html, "\"video_view_count\":"), ..Counts::default() };
    let mut open: Vec<&Value> = documents.iter().collect();
    while let Some(value) = open.pop() {
        let own = text(value, "/url").is_some_and(|url| url.contains(&resource.id));
        if let Some(feedback) = value.get("feedback").filter(|_| own) {
            counts.like_count = int(feedback, "/likers/count").or(counts.like_count);
            counts.comment_count = int(feedback, "/total_comment_count").or(counts.comment_count);
            counts.retweet_count = int(feedback, "/share_count_reduced").or(counts.retweet_count);
        }
        match value {
            Value::Object(map) => open.extend(map.values()),
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
    counts
}

fn after(html: &str, name: &str) -> Option<i64> {
    let rest = html.split_once(name)?.1.trim_start();
    rest.get(..rest.find(|c: char| !c.is_ascii_digit())?)?.parse().ok()
}

/// Why a page shows no video.
fn refusal(html: &str, documents: &[Value]) -> Error {
    let has = |parts: &[&str]| parts.iter().any(|part| html.contains(part));
    if has(&["not available in your country", "isn't available in your country", "available in your location"]) {
        return Error::new(Kind::GeoBlocked, "Facebook says it is not available in this country");
    }
    if has(&[
        "content isn't available",
        "content isn\\u2019t available",
        "content isn’t available",
        "video isn't available",
        "Video Isn't Available",
        "page isn't available",
        "may have been removed",
    ]) {
        return Error::new(Kind::NotFound, "Facebook says the content is not available")
            .with_detail("it was deleted, or its owner shows it to few people");
    }
    if has(&["id=\"login_form\"", "id=\"loginbutton\"", ">You must log in to continue"]) {
        return Error::new(Kind::LoginRequired, "Facebook shows a login page instead");
    }
    if documents.is_empty() {
        // The page of a text or photo post has no video in it, and neither has one that changed.
        return Error::platform_changed("a page without a video's addresses");
    }
    Error::platform_changed("a page with other videos than the one asked for")
}
