//! Reading tracks and sets. The API is the web client's own; there is no public description of it.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use super::ID;
use crate::{
    model::{
        Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Protocol, Rendition, Resource, ResourceKind,
        Result, Streams,
    },
    platforms::common::{
        json::{float, int, is, link, list, text, time},
        text::non_empty,
    },
};

/// Letters of a client id.
const CLIENT_ID: usize = 32;

/// A stream that the API offers: its address must be asked for.
#[derive(Debug)]
pub struct Stream {
    /// Where to ask.
    pub question: Url,
    preset: String,
    protocol: Protocol,
    container: &'static str,
    codec: Option<String>,
    bitrate: u64,
}

/// What is told about a track or a set.
///
/// # Errors
/// `platform_changed` without a number and a title.
pub fn about(told: &Value, resource: &Resource) -> Result<MediaMetadata> {
    let id = int(told, "/id").ok_or_else(|| Error::platform_changed("no /id"))?;
    let title = text(told, "/title").ok_or_else(|| Error::platform_changed("no /title"))?;
    let picture = text(told, "/artwork_url").or_else(|| text(told, "/user/avatar_url"));
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: id.to_string(),
        title: non_empty(title),
        description: text(told, "/description").and_then(non_empty),
        author: text(told, "/user/permalink").map(|handle| author(handle, text(told, "/user/username"))),
        created_at: time(told, "/created_at"),
        thumbnail: picture.and_then(preview),
        counts: Counts {
            like_count: int(told, "/favoritings_count").or_else(|| int(told, "/likes_count")),
            retweet_count: int(told, "/reposts_count"),
            view_count: int(told, "/playback_count"),
            comment_count: int(told, "/comment_count"),
        },
        ..MediaMetadata::default()
    })
}

fn author(handle: &str, name: Option<&str>) -> Author {
    Author {
        handle: handle.to_owned(),
        name: name.and_then(non_empty),
        url: Some(format!("https://soundcloud.com/{handle}")),
    }
}

/// A picture in the size for previews, 500 pixels a side: `…-large.jpg` names the size last.
fn preview(address: &str) -> Option<String> {
    let (stem, _) = address.rsplit_once('-')?;
    Some(format!("{stem}-t500x500.jpg"))
}

/// Whether the author lets everybody have the upload.
pub fn is_downloadable(track: &Value) -> bool {
    is(track, "/downloadable") && is(track, "/has_downloads_left")
}

/// The streams of a track worth asking for: the whole file first, because it is one request, then playlists, best first.
/// Protected ones and previews are left out.
///
/// # Errors
/// `geo_blocked`, `private` for tracks that only subscribers hear whole, `unsupported_url` for protected ones, `not_yet`,
/// or `platform_changed`.
pub fn streams(track: &Value) -> Result<Vec<Stream>> {
    if text(track, "/policy") == Some("BLOCK") {
        return Err(Error::new(Kind::GeoBlocked, "SoundCloud does not play the track in this country"));
    }
    let all = list(track, "/media/transcodings");
    let mut streams: Vec<_> = all.iter().filter_map(stream).collect();
    streams.sort_by_key(|stream| (!stream.protocol.is_file(), std::cmp::Reverse(stream.bitrate)));
    if !streams.is_empty() {
        return Ok(streams);
    }
    let any =
        |pointer: &str, matches: fn(&str) -> bool| all.iter().any(|told| text(told, pointer).is_some_and(matches));
    Err(if all.iter().any(|told| is(told, "/snipped")) || text(track, "/policy") == Some("SNIP") {
        Error::new(Kind::Private, "only a preview of the track is for everybody")
            .with_detail("only subscribers may hear the whole track")
    } else if any("/format/protocol", |protocol| protocol.contains("encrypted")) {
        Error::new(Kind::UnsupportedUrl, "all streams of the track are protected")
            .with_detail("the track is copy-protected")
    } else if text(track, "/state").is_some_and(|state| state == "processing") {
        Error::new(Kind::NotYet, "SoundCloud is still processing the track")
    } else {
        Error::platform_changed("no stream in /media/transcodings")
    })
}

fn stream(told: &Value) -> Option<Stream> {
    let question = link(told, "/url").filter(|url| url.host_str() == Some("api-v2.soundcloud.com"))?;
    let (protocol, preset) = (text(told, "/format/protocol")?, text(told, "/preset")?);
    let preview = is(told, "/snipped") || question.path().contains("/preview/");
    // `abr` playlists are broken.
    (!preview && !preset.starts_with("abr") && !protocol.contains("encrypted")).then_some(())?;
    let protocol = match protocol {
        "progressive" => Protocol::File,
        "hls" => Protocol::Hls,
        _ => return None,
    };
    let mime = text(told, "/format/mime_type").unwrap_or_default();
    let codec = mime.split_once("codecs=\"").and_then(|(_, codec)| codec.split('"').next());
    let (container, usual) = match (preset.split('_').next(), mime) {
        (Some("aac"), _) => ("m4a", 160_000),
        (Some("opus"), _) => ("ogg", 64_000),
        (_, mime) if mime.starts_with("audio/mp4") => ("m4a", 128_000),
        _ => ("mp3", 128_000),
    };
    let kilobits = preset.rsplit('_').next().and_then(|last| last.strip_suffix('k')?.parse::<u64>().ok());
    Some(Stream {
        preset: preset.to_owned(),
        protocol,
        container,
        codec: codec.map(str::to_owned).or_else(|| (container == "mp3").then(|| "mp3".to_owned())),
        bitrate: kilobits.filter(|bits| *bits < 10_000).map_or(usual, |bits| bits * 1000),
        question,
    })
}

/// The stream with its address.
///
/// # Errors
/// `platform_changed` without one.
pub fn rendition(told: &Value, stream: &Stream) -> Result<Rendition> {
    let url = link(told, "/url").ok_or_else(|| Error::platform_changed("a stream without address"))?;
    Ok(Rendition {
        format_id: Some(stream.preset.clone()),
        streams: Streams::Whole,
        container: Some(stream.container.to_owned()),
        audio_codec: stream.codec.clone(),
        bitrate: Some(stream.bitrate),
        protocol: stream.protocol,
        expires_at: expiry(&url),
        ..Rendition::at(url)
    })
}

/// The upload itself.
pub fn upload(url: Url, bytes: u64) -> Rendition {
    Rendition {
        format_id: Some("download".to_owned()),
        bytes: Some(bytes),
        bytes_exact: true,
        expires_at: expiry(&url),
        ..Rendition::at(url)
    }
}

/// A track's item with its estimated sizes.
pub fn item(track: &Value, mut renditions: Vec<Rendition>) -> Item {
    let duration = seconds(track);
    for rendition in renditions.iter_mut().filter(|rendition| !rendition.bytes_exact) {
        let bits = rendition.bitrate.zip(duration).map(|(bits, seconds)| bits as f64 * seconds);
        rendition.bytes = bits.map(|bits| (bits / 8.0) as u64);
    }
    let id = int(track, "/id").map(|id| id.to_string());
    Item { id, duration, ..Item::new(FileType::Audio, renditions) }
}

fn seconds(track: &Value) -> Option<f64> {
    float(track, "/duration").map(|milliseconds| milliseconds / 1000.0).filter(|seconds| *seconds > 0.0)
}

/// Until when a signed address works: CloudFront's policy is JSON in its own base 64
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html>).
fn expiry(url: &Url) -> Option<DateTime<Utc>> {
    let (_, policy) = url.query_pairs().find(|(key, _)| key == "Policy")?;
    let policy = policy.replace('-', "+").replace('_', "=").replace('~', "/");
    let policy: Value = serde_json::from_slice(&STANDARD.decode(policy).ok()?).ok()?;
    let seconds = int(&policy, "/Statement/0/Condition/DateLessThan/AWS:EpochTime")?;
    DateTime::from_timestamp(seconds, 0)
}

/// The client id in the data of the site's page.
pub fn client_id_of_page(data: &Value) -> Option<String> {
    let client = list(data, "").iter().find(|entry| text(entry, "/hydratable") == Some("apiClient"))?;
    text(client, "/data/id").filter(|id| is_client_id(id)).map(str::to_owned)
}

/// The client id in one of the site's scripts: `client_id:"…"`.
pub fn client_id_of_script(script: &str) -> Option<String> {
    script
        .match_indices("client_id")
        .filter_map(|(at, name)| {
            let rest = script.get(at + name.len()..)?.trim_start().strip_prefix(':')?.trim_start();
            rest.strip_prefix('"')?.split('"').next()
        })
        .find(|id| is_client_id(id))
        .map(str::to_owned)
}

fn is_client_id(id: &str) -> bool {
    super::is_word(id, "", CLIENT_ID..=CLIENT_ID)
}

/// Makes what yt-dlp tells equal to what we read ourselves.
pub fn refine(resource: &Resource, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    let handle = text(first, "/uploader_url").and_then(|url| url.trim_end_matches('/').rsplit('/').next());
    let by = handle.map(|handle| author(handle, text(first, "/uploader")));
    for (item, info) in metadata.items.iter_mut().zip(raw) {
        item.kind = FileType::Audio;
        item.id = text(info, "/id").map(str::to_owned);
    }
    match resource.kind {
        ResourceKind::Video => {
            metadata.id = text(first, "/id").unwrap_or_default().to_owned();
            metadata.author = by;
            metadata.thumbnail = metadata.thumbnail.as_deref().and_then(preview);
        }
        ResourceKind::Playlist => {
            metadata.id = text(first, "/playlist_id").unwrap_or_default().to_owned();
            metadata.title = text(first, "/playlist_title").and_then(non_empty);
            metadata.description = text(first, "/playlist_description").and_then(non_empty);
            // What it tells of each track is the track's own: nothing of it is the set's.
            (metadata.author, metadata.created_at, metadata.thumbnail) = (None, None, None);
            metadata.counts = Counts::default();
            for (item, info) in metadata.items.iter_mut().zip(raw) {
                item.title = text(info, "/title").map(str::to_owned);
                item.url = text(info, "/webpage_url").map(str::to_owned);
            }
        }
        _ => {}
    }
}
