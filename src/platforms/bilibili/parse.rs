//! Reading Bilibili's answers.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::Value;
use url::Url;

use super::ID;
use crate::{
    model::{Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Rendition, Resource, Result, Streams},
    platforms::common::{
        json::{float, int, is, list, positive, text, web_link},
        text::non_empty,
    },
};

/// What the hosts of the streams want to see.
pub const REFERRER: &str = "https://www.bilibili.com/";

/// The part of a video that is asked for. Most have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The video's id, whichever id the link has.
    pub bvid: String,
    /// The id of the part's streams.
    pub cid: i64,
    /// Its place, counted from 1.
    number: usize,
    /// Its own title, where there are several.
    title: Option<String>,
}

/// Fails for what is no success, by the code in the body.
fn check(answer: &Value) -> Result<()> {
    let code = int(answer, "/code").ok_or_else(|| Error::platform_changed("no /code"))?;
    let kind = match code {
        0 => return Ok(()),
        // Not there; taken out of sight.
        -404 | 62002 => Kind::NotFound,
        // Still being looked at by the site's people.
        62004 => Kind::NotYet,
        62012 => Kind::Private,
        -688 | -10403 => Kind::GeoBlocked,
        -101 | -403 => Kind::LoginRequired,
        -352 | -401 | -412 | -509 | -799 => Kind::RateLimited { retry_after: None },
        _ => Kind::PlatformChanged,
    };
    let said = text(answer, "/message").unwrap_or_default();
    Err(Error::new(kind, format!("Bilibili says {code}: {said}")))
}

/// Which part of the video the link means.
///
/// # Errors
/// The verdict about the video; `unsupported_url` for what leads on to a series or is played by choosing.
pub fn part(resource: &Resource, view: &Value) -> Result<Part> {
    check(view)?;
    let data = &view["data"];
    if text(data, "/redirect_url").is_some() {
        return Err(Error::new(Kind::UnsupportedUrl, "an episode of a series: yt-dlp knows those"));
    }
    if int(data, "/rights/is_stein_gate") == Some(1) {
        return Err(Error::new(Kind::UnsupportedUrl, "a video that its viewer steers: yt-dlp knows its branches"));
    }
    let bvid = text(data, "/bvid").ok_or_else(|| Error::platform_changed("no /data/bvid"))?.to_owned();
    let pages = list(data, "/pages");
    let number = resource.item.unwrap_or(1);
    let page = pages.iter().find(|page| positive::<i64>(page, "/page") == i64::try_from(number).ok());
    if resource.item.is_some() && page.is_none() {
        return Err(Error::new(Kind::NotFound, format!("the video has no part {number}")));
    }
    let cid = page.and_then(|page| int(page, "/cid")).or_else(|| int(data, "/cid"));
    Ok(Part {
        bvid,
        cid: cid.ok_or_else(|| Error::platform_changed("no /data/cid"))?,
        number,
        title: page.filter(|_| pages.len() > 1).map(|page| text(page, "/part").unwrap_or_default().to_owned()),
    })
}

/// The video, out of what it is and its streams.
///
/// # Errors
/// The verdict about its streams; `platform_changed` when there are none that can be loaded.
pub fn video(resource: &Resource, view: &Value, part: &Part, streams: &Value) -> Result<MediaMetadata> {
    check(streams)?;
    let (data, play) = (&view["data"], &streams["data"]);
    let renditions = renditions(play);
    if renditions.is_empty() {
        return Err(match play.get("v_voucher") {
            Some(_) => Error::new(Kind::RateLimited { retry_after: None }, "Bilibili wants a proof of being human"),
            None if is(data, "/is_upower_exclusive") => {
                Error::new(Kind::LoginRequired, "Bilibili shows it to supporters of its author only")
            }
            None => Error::platform_changed("neither /data/dash nor a single file in /data/durl"),
        });
    }
    let duration =
        float(play, "/timelength").map(|milliseconds| milliseconds / 1000.0).filter(|seconds| *seconds > 0.0);
    let title = text(data, "/title").map(|title| match &part.title {
        Some(name) => format!("{title} p{:02} {name}", part.number).trim_end().to_owned(),
        None => title.to_owned(),
    });
    let several = part.title.is_some() || resource.item.is_some();
    let id = if several { format!("{}_p{}", part.bvid, part.number) } else { part.bvid.clone() };
    let author_id = int(data, "/owner/mid").map(|id| id.to_string());
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title,
        description: text(data, "/desc").and_then(non_empty),
        author: author_id.map(|id| author(&id, text(data, "/owner/name"))),
        created_at: int(data, "/pubdate").and_then(|at| DateTime::from_timestamp(at, 0)),
        duration,
        thumbnail: text(data, "/pic").map(str::to_owned),
        counts: Counts {
            like_count: int(data, "/stat/like"),
            view_count: int(data, "/stat/view"),
            comment_count: int(data, "/stat/reply"),
            ..Counts::default()
        },
        items: vec![Item { id: Some(id), duration, ..Item::new(FileType::Video, renditions) }],
        ..MediaMetadata::default()
    })
}

/// Pictures and sounds, each best first; a single file where there is nothing newer.
fn renditions(play: &Value) -> Vec<Rendition> {
    let seconds = float(play, "/timelength").map(|milliseconds| milliseconds / 1000.0);
    let sounds = list(play, "/dash/audio").iter().chain(list(play, "/dash/dolby/audio"));
    let sounds: Vec<Rendition> = sounds.filter_map(|sound| stream(sound, Streams::AudioOnly, seconds)).collect();
    let of_picture = if sounds.is_empty() { Streams::Whole } else { Streams::VideoOnly };
    let pictures = list(play, "/dash/video").iter().filter_map(|picture| stream(picture, of_picture, seconds));
    let mut found: Vec<Rendition> = pictures.chain(sounds).collect();
    if let ([file], true) = (list(play, "/durl"), found.is_empty()) {
        found.extend(text(file, "/url").and_then(web_link).map(|url| Rendition {
            format_id: int(play, "/quality").map(|quality| quality.to_string()),
            container: Some(if url.path().ends_with(".flv") { "flv".into() } else { "mp4".into() }),
            bytes: positive(file, "/size"),
            bytes_exact: positive::<u64>(file, "/size").is_some(),
            expires_at: expiry(&url),
            headers: headers(),
            ..Rendition::at(url)
        }));
    }
    found.sort_by_key(|r| (r.streams == Streams::AudioOnly, std::cmp::Reverse((r.short_side(), r.bitrate))));
    found
}

fn stream(stream: &Value, streams: Streams, seconds: Option<f64>) -> Option<Rendition> {
    let url = text(stream, "/baseUrl").or_else(|| text(stream, "/base_url")).and_then(web_link)?;
    let codec = text(stream, "/codecs").map(str::to_owned);
    let bitrate = positive::<u64>(stream, "/bandwidth");
    let is_sound = streams == Streams::AudioOnly;
    let rate = text(stream, "/frameRate").or_else(|| text(stream, "/frame_rate"));
    Some(Rendition {
        format_id: int(stream, "/id").map(|id| id.to_string()),
        streams,
        container: Some(if is_sound { "m4a".into() } else { "mp4".into() }),
        video_codec: codec.clone().filter(|_| !is_sound),
        audio_codec: codec.filter(|_| is_sound),
        width: positive(stream, "/width"),
        height: positive(stream, "/height"),
        fps: rate.and_then(|rate| rate.parse().ok()).filter(|fps: &f64| fps.is_finite() && *fps > 0.0),
        bitrate,
        bytes: bitrate
            .zip(seconds)
            .map(|(bits, seconds)| (bits as f64 * seconds / 8.0) as u64)
            .filter(|bytes| *bytes > 0),
        expires_at: expiry(&url),
        headers: headers(),
        ..Rendition::at(url)
    })
}

fn headers() -> BTreeMap<String, String> {
    BTreeMap::from([("referer".to_owned(), REFERRER.to_owned())])
}

/// Until when an address works: seconds since 1970 in `deadline`.
fn expiry(url: &Url) -> Option<DateTime<chrono::Utc>> {
    let (_, seconds) = url.query_pairs().find(|(name, _)| name == "deadline")?;
    DateTime::from_timestamp(seconds.parse().ok()?, 0)
}

/// Somebody by their number.
pub fn author(id: &str, name: Option<&str>) -> Author {
    Author {
        handle: id.to_owned(),
        name: name.map(str::to_owned),
        url: Some(format!("https://space.bilibili.com/{id}")),
    }
}
