//! The media of a post: pictures, videos and GIFs with the ways to load them, best first.

use serde_json::Value;
use url::Url;

use super::parse::seconds;
use crate::{
    model::{Error, FileType, Item, Kind, Rendition, Result},
    platforms::common::{
        json::{link, list, positive, text},
        text::extension,
    },
};

/// The items of a list of X's media entities, in order, and the first one's preview picture. Media that X says is not
/// available is left out.
///
/// # Errors
/// `unsupported_url` when one can only be streamed: a tool does that.
pub fn items(entities: &[Value]) -> Result<(Vec<Item>, Option<String>)> {
    let available = |media: &&Value| text(media, "/ext_media_availability/status") != Some("Unavailable");
    let mut items = Vec::new();
    for media in entities.iter().filter(available) {
        items.push(item(media)?);
    }
    let first = entities.iter().find(available);
    let thumbnail = first.and_then(|media| link(media, "/media_url_https")).map(String::from);
    Ok((items, thumbnail))
}

fn item(media: &Value) -> Result<Item> {
    let (kind, renditions) = match text(media, "/type") {
        Some("photo") => (FileType::Image, photo(media)),
        Some("video") => (FileType::Video, video(media, true)),
        Some("animated_gif") => (FileType::Gif, video(media, false)),
        other => return Err(Error::platform_changed(format!("media of the unknown type {other:?}"))),
    };
    if renditions.is_empty() {
        return Err(Error::new(Kind::UnsupportedUrl, "a post's media has no address that can be loaded whole"));
    }
    Ok(Item {
        id: text(media, "/id_str").or_else(|| id_in_address(&renditions)).map(str::to_owned),
        alt_text: text(media, "/ext_alt_text").map(str::to_owned),
        duration: seconds(media, "/video_info/duration_millis"),
        ..Item::new(kind, renditions)
    })
}

/// Syndication leaves out the id of a video; its address holds it (`/ext_tw_video/ID/…`).
fn id_in_address(renditions: &[Rendition]) -> Option<&str> {
    let segments = renditions.first()?.url.as_ref()?.path_segments()?;
    segments
        .skip_while(|part| !matches!(*part, "ext_tw_video" | "amplify_video" | "tweet_video"))
        .nth(1)
        .filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

/// The original, then the large version (at most 2048 pixels a side).
fn photo(media: &Value) -> Vec<Rendition> {
    let Some(address) = link(media, "/media_url_https") else { return Vec::new() };
    let version = |name: &str, width, height| {
        let (url, format) = sized(&address, name)?;
        Some(Rendition { format_id: Some(name.to_owned()), container: format, width, height, ..Rendition::at(url) })
    };
    let original = version("orig", positive(media, "/original_info/width"), positive(media, "/original_info/height"));
    let large = version("large", positive(media, "/sizes/large/w"), positive(media, "/sizes/large/h"));
    original.into_iter().chain(large).collect()
}

/// `https://pbs.twimg.com/media/ID.jpg` in a named size: `…/media/ID?format=jpg&name=orig`.
fn sized(address: &Url, name: &str) -> Option<(Url, Option<String>)> {
    let mut url = address.clone();
    let mut format = extension(address);
    if let Some(extension) = &format {
        let path = address.path();
        url.set_path(path.get(..path.len() - extension.len() - 1)?);
    } else {
        format = address.query_pairs().find(|(key, _)| key == "format").map(|(_, value)| value.into_owned());
    }
    url.set_query(None);
    {
        let mut query = url.query_pairs_mut();
        if let Some(format) = &format {
            query.append_pair("format", format);
        }
        query.append_pair("name", name);
    }
    Some((url, format))
}

/// Turns an address in a named size back into the plain one, which is how previews are kept.
pub fn unsized_link(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    let format = url.query_pairs().find(|(key, _)| key == "format").map(|(_, value)| value.into_owned());
    if let Some(format) = format
        && extension(&url).is_none()
    {
        url.set_path(&format!("{}.{format}", url.path()));
    }
    url.set_query(None);
    Some(url.into())
}

/// The mp4 files, best first. Streams (HLS) are left out: the files hold the same.
fn video(media: &Value, with_sound: bool) -> Vec<Rendition> {
    let duration = seconds(media, "/video_info/duration_millis");
    let mut renditions: Vec<Rendition> = list(media, "/video_info/variants")
        .iter()
        .filter(|variant| text(variant, "/content_type") == Some("video/mp4"))
        .filter_map(|variant| {
            let url = link(variant, "/url")?;
            // GIFs and syndication may say 0 or nothing.
            let bitrate: Option<u64> = positive(variant, "/bitrate");
            let (width, height) = dimensions(&url)
                .unwrap_or((positive(media, "/original_info/width"), positive(media, "/original_info/height")));
            let codec = if ["/hevc/", "/hvc1/"].iter().any(|part| url.path().contains(part)) { "hvc1" } else { "avc1" };
            Some(Rendition {
                format_id: Some(bitrate.map_or_else(|| "http".to_owned(), |bits| format!("http-{}", bits / 1000))),
                container: Some("mp4".into()),
                video_codec: Some(codec.into()),
                audio_codec: with_sound.then(|| "mp4a".into()),
                width,
                height,
                bitrate,
                bytes: bitrate.zip(duration).map(|(bits, seconds)| (bits as f64 * seconds / 8.0) as u64),
                ..Rendition::at(url)
            })
        })
        .collect();
    renditions.sort_by_key(|rendition| std::cmp::Reverse(rendition.bitrate));
    renditions
}

/// Width and height from an address like `…/vid/avc1/1280x720/name.mp4`.
fn dimensions(url: &Url) -> Option<(Option<u32>, Option<u32>)> {
    url.path_segments()?.find_map(|part| {
        let (width, height) = part.split_once('x')?;
        Some((Some(width.parse().ok()?), Some(height.parse().ok()?)))
    })
}

/// The media in a post's card, where the card carries it in full (`unified_card`).
///
/// # Errors
/// As [`items`].
pub fn of_card(tweet: &Value) -> Result<(Vec<Item>, Option<String>)> {
    let Some(inner) = card_value(tweet, "unified_card") else { return Ok((Vec::new(), None)) };
    let Ok(card) = serde_json::from_str::<Value>(inner) else {
        return Err(Error::platform_changed("a unified card that is no JSON"));
    };
    let entities = card.get("media_entities").and_then(Value::as_object);
    items(&entities.map(|map| map.values().cloned().collect::<Vec<_>>()).unwrap_or_default())
}

/// The kind of a post's card, without the number before it.
pub fn card_name(tweet: &Value) -> Option<&str> {
    text(tweet, "/card/legacy/name").map(|name| name.rsplit(':').next().unwrap_or(name))
}

fn card_value<'a>(tweet: &'a Value, key: &str) -> Option<&'a str> {
    let values = list(tweet, "/card/legacy/binding_values");
    values.iter().find(|value| text(value, "/key") == Some(key)).and_then(|value| text(value, "/value/string_value"))
}
