//! Reading the player's answer: whether the video can be played, what it is, and its formats.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use url::Url;

use super::ID;
use crate::{
    model::{
        Author, Counts, Error, Extension, FileType, Item, Kind, MediaMetadata, Rendition, Resource, Result, Streams,
    },
    platforms::common::{
        json::{float, int, is, link, list, positive, text},
        text::non_empty,
    },
};

/// Larger requests are served slowly by the hosts of the streams.
const CHUNK_BYTES: u64 = 10 * 1024 * 1024;

/// Whether the video can be played by anybody, and if not, why.
///
/// # Errors
/// The verdict. What is unknown is `platform_changed`, so that yt-dlp is asked.
pub fn verdict(player: &Value) -> Result<()> {
    let status = text(player, "/playabilityStatus/status").unwrap_or_default();
    let reason = reason(player);
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    let refuse = |kind: Kind| Err(Error::new(kind, format!("YouTube says {status}: {reason}")));
    match status {
        "OK" if is(player, "/videoDetails/isLive") => refuse(Kind::Live),
        "OK" if is(player, "/videoDetails/isUpcoming") || is(player, "/videoDetails/isPostLiveDvr") => {
            refuse(Kind::NotYet)
        }
        "OK" => Ok(()),
        "" => Err(Error::platform_changed("the player's answer has no /playabilityStatus/status")),
        _ if says(&["not a bot", "try again later", "unusual traffic"]) => {
            refuse(Kind::RateLimited { retry_after: None })
        }
        _ if says(&["private"]) => refuse(Kind::Private),
        _ if player.pointer("/playabilityStatus/desktopLegacyAgeGateReason").is_some()
            || says(&["confirm your age", "age-restricted", "inappropriate for some users"]) =>
        {
            refuse(Kind::AgeRestricted)
        }
        "AGE_CHECK_REQUIRED" | "AGE_VERIFICATION_REQUIRED" | "CONTENT_CHECK_REQUIRED" => refuse(Kind::AgeRestricted),
        _ if says(&["available in your country", "in your location", "blocked it in your country"]) => {
            refuse(Kind::GeoBlocked)
        }
        "LIVE_STREAM_OFFLINE" if says(&["recording is not available"]) => refuse(Kind::NotFound),
        "LIVE_STREAM_OFFLINE" => refuse(Kind::NotYet),
        "LOGIN_REQUIRED" => refuse(Kind::LoginRequired),
        _ if says(&["members", "join this channel", "premium", "payment", "purchase", "rent", "sign in"]) => {
            refuse(Kind::LoginRequired)
        }
        "ERROR" => refuse(Kind::NotFound),
        "UNPLAYABLE" if says(&["unavailable", "removed", "terminated", "no longer", "deleted", "copyright"]) => {
            refuse(Kind::NotFound)
        }
        _ => refuse(Kind::PlatformChanged),
    }
}

/// What YouTube says for a reason, in lower case.
fn reason(player: &Value) -> String {
    let status = &player["playabilityStatus"];
    let error = &status["errorScreen"]["playerErrorMessageRenderer"];
    let said = [
        text(status, "/reason").map(str::to_owned),
        label(&error["reason"]),
        label(&error["subreason"]),
        text(status, "/errorScreen/playerInterstitialRenderer/content/interstitialViewModel/title/content")
            .map(str::to_owned),
        text(status, "/messages/0").map(str::to_owned),
    ];
    let mut said: Vec<String> = said.into_iter().flatten().collect();
    said.dedup();
    let said = said.join("; ").to_lowercase();
    said.chars().take(300).collect()
}

/// A text as InnerTube writes it: `simpleText`, `runs[].text` or `content`.
pub fn label(value: &Value) -> Option<String> {
    let plain = text(value, "/simpleText").or_else(|| text(value, "/content")).map(str::to_owned);
    plain.or_else(|| {
        let runs: String = list(value, "/runs").iter().filter_map(|run| text(run, "/text")).collect();
        non_empty(runs)
    })
}

/// The formats that can be loaded as they are, best first, sound last.
///
/// # Errors
/// The verdict about the video; `platform_changed` when what is left needs the player's script or a key, so that yt-dlp
/// takes over.
pub fn renditions(player: &Value) -> Result<Vec<Rendition>> {
    verdict(player)?;
    let (mut found, mut unusable, mut pictures) = (Vec::new(), Vec::new(), 0_usize);
    let adaptive = list(player, "/streamingData/adaptiveFormats");
    for (format, is_whole) in list(player, "/streamingData/formats")
        .iter()
        .map(|format| (format, true))
        .chain(adaptive.iter().map(|format| (format, false)))
    {
        pictures += usize::from(!is_whole && text(format, "/mimeType").is_some_and(|mime| mime.starts_with("video/")));
        match rendition(format, is_whole) {
            Ok(rendition) => found.extend(rendition),
            Err(why) => unusable.push(why),
        }
    }
    let has_picture = found.iter().any(|rendition| rendition.streams == Streams::VideoOnly);
    // One small file that is whole beside pictures that need the script is not what the video has to offer.
    if found.is_empty() || (pictures > 0 && !has_picture) {
        unusable.sort_unstable();
        unusable.dedup();
        let why = if unusable.is_empty() { "there are none".to_owned() } else { unusable.join(", ") };
        return Err(Error::platform_changed(format!("no formats for this path: {why}; yt-dlp may solve that")));
    }
    let rank = |r: &Rendition| {
        let fps = r.fps.unwrap_or(0.0).round() as u32;
        (r.streams == Streams::AudioOnly, std::cmp::Reverse((r.short_side(), fps, r.bitrate)))
    };
    found.sort_by_key(rank);
    Ok(found)
}

/// One format: nothing for what is not worth having, an error in a few words for what cannot be loaded as it is.
fn rendition(format: &Value, is_whole: bool) -> Result<Option<Rendition>, &'static str> {
    if format.get("drmFamilies").is_some() {
        return Err("protected formats");
    }
    let Some(url) = link(format, "/url") else {
        let ciphered = format.get("signatureCipher").or_else(|| format.get("cipher")).is_some();
        return Err(if ciphered { "ciphered formats" } else { "formats without addresses" });
    };
    let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if parameter("n").is_some() {
        return Err("throttled formats");
    }
    // In pieces behind one address (OTF), or of a stream that still runs.
    if text(format, "/type") == Some("FORMAT_STREAM_TYPE_OTF") || format.get("targetDurationSec").is_some() {
        return Err("formats in pieces");
    }
    // Dubbed sound, sound with its loudness levelled, and pictures that a machine made larger.
    let dubbed = format.get("audioTrack").is_some() && !is(format, "/audioTrack/audioIsDefault");
    let enlarged = parameter("xtags").is_some_and(|tags| tags.split([':', '&']).any(|tag| tag == "sr=1"));
    if dubbed || enlarged || is(format, "/isDrc") {
        return Ok(None);
    }
    let Some((mime, codecs)) = mime(text(format, "/mimeType").unwrap_or_default()) else { return Ok(None) };
    let is_audio = mime.starts_with("audio/");
    let streams = match (is_whole, is_audio) {
        (true, _) => Streams::Whole,
        (false, true) => Streams::AudioOnly,
        (false, false) => Streams::VideoOnly,
    };
    let bitrate = positive::<u64>(format, "/averageBitrate").or_else(|| positive(format, "/bitrate"));
    let exact = positive::<u64>(format, "/contentLength");
    let estimate = || {
        let seconds = float(format, "/approxDurationMs")? / 1000.0;
        Some((bitrate? as f64 * seconds / 8.0) as u64).filter(|bytes| *bytes > 0)
    };
    let mut codecs = codecs.into_iter();
    let (video_codec, audio_codec) = if is_audio { (None, codecs.next()) } else { (codecs.next(), codecs.next()) };
    Ok(Some(Rendition {
        format_id: int(format, "/itag").map(|itag| itag.to_string()),
        streams,
        container: Some(match mime.rsplit('/').next().unwrap_or_default() {
            "mp4" if is_audio => "m4a".into(),
            "3gpp" => "3gp".into(),
            other => other.to_owned(),
        }),
        video_codec,
        audio_codec,
        width: positive(format, "/width"),
        height: positive(format, "/height"),
        // One frame a second is how YouTube says that it does not know.
        fps: float(format, "/fps").filter(|fps| *fps > 1.0),
        bitrate,
        bytes: exact.or_else(estimate),
        bytes_exact: exact.is_some(),
        chunk_bytes: Some(CHUNK_BYTES),
        expires_at: expiry(&url),
        ..Rendition::at(url)
    }))
}

/// `video/mp4; codecs="avc1.4d401f, mp4a.40.2"`.
fn mime(text: &str) -> Option<(&str, Vec<String>)> {
    let (mime, rest) = text.split_once(';').unwrap_or((text, ""));
    let mime = mime.trim();
    matches!(mime.split('/').next(), Some("video" | "audio")).then_some(())?;
    let codecs = rest.split_once("codecs=").map_or("", |(_, codecs)| codecs.trim().trim_matches('"'));
    Some((mime, codecs.split(',').filter_map(non_empty).collect()))
}

/// Until when an address works: seconds since 1970 in `expire`.
fn expiry(url: &Url) -> Option<DateTime<Utc>> {
    let (_, seconds) = url.query_pairs().find(|(key, _)| key == "expire")?;
    DateTime::from_timestamp(seconds.parse().ok()?, 0)
}

/// The item of a video whose formats are known.
pub fn item(player: &Value) -> Result<Item> {
    let renditions = renditions(player)?;
    let sound = renditions.iter().all(|rendition| rendition.streams == Streams::AudioOnly);
    Ok(Item {
        id: text(player, "/videoDetails/videoId").map(str::to_owned),
        duration: duration(player),
        ..Item::new(if sound { FileType::Audio } else { FileType::Video }, renditions)
    })
}

/// Seconds.
fn duration(player: &Value) -> Option<f64> {
    float(player, "/videoDetails/lengthSeconds")
        .or_else(|| float(player, "/microformat/playerMicroformatRenderer/lengthSeconds"))
        .filter(|seconds| *seconds > 0.0)
}

/// Reads a video: `player` is the player's answer, `details` that of `next` or null.
///
/// # Errors
/// As [`renditions`]; `platform_changed` when it is about another video.
pub fn video(resource: &Resource, player: &Value, details: &Value) -> Result<MediaMetadata> {
    let item = item(player)?;
    if item.id.as_deref() != Some(resource.id.as_str()) {
        return Err(Error::platform_changed("the player's answer is about another video"));
    }
    let about = &player["videoDetails"];
    let page = &player["microformat"]["playerMicroformatRenderer"];
    let around = Details::of(details);
    let channel_id = text(about, "/channelId").or_else(|| text(page, "/externalChannelId"));
    let name = around.channel.clone().or_else(|| text(about, "/author").map(str::to_owned));
    let handle = text(page, "/ownerProfileUrl").and_then(handle_in).or_else(|| around.handle.clone());
    let created_at = text(page, "/uploadDate")
        .or_else(|| text(page, "/publishDate"))
        .and_then(|date| DateTime::parse_from_rfc3339(date).ok())
        .map(|date| date.to_utc())
        .or(around.date);
    let pictures = list(about, "/thumbnail/thumbnails").iter().chain(list(page, "/thumbnail/thumbnails"));
    let size = |picture: &&Value| int(picture, "/width").unwrap_or(0) * int(picture, "/height").unwrap_or(0);
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title: text(about, "/title").map(str::to_owned),
        description: text(about, "/shortDescription").map(str::to_owned),
        author: author(handle, name.clone(), channel_id),
        created_at,
        duration: item.duration,
        thumbnail: pictures.max_by_key(size).and_then(|picture| text(picture, "/url")).map(str::to_owned),
        sensitive: page.get("isFamilySafe").and_then(Value::as_bool) == Some(false),
        counts: Counts {
            like_count: around.likes,
            view_count: int(about, "/viewCount").or_else(|| int(page, "/viewCount")),
            comment_count: around.comments,
            ..Counts::default()
        },
        extension: Some(Extension::Youtube {
            video_id: resource.id.clone(),
            channel_name: name,
            channel_id: channel_id.map(str::to_owned),
            upload_date: created_at.map(|date| date.format("%Y%m%d").to_string()),
            categories: text(page, "/category").map(str::to_owned).into_iter().collect(),
            tags: list(about, "/keywords").iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
            is_livestream: is(about, "/isLiveContent"),
            format_info: None,
        }),
        items: vec![item],
        ..MediaMetadata::default()
    })
}

/// A channel by its handle (without `@`), or else by its id.
pub fn author(handle: Option<String>, name: Option<String>, channel_id: Option<&str>) -> Option<Author> {
    let url = match (&handle, channel_id) {
        (Some(handle), _) => format!("https://www.youtube.com/@{handle}"),
        (None, Some(id)) => format!("https://www.youtube.com/channel/{id}"),
        (None, None) => return None,
    };
    Some(Author { handle: handle.or_else(|| channel_id.map(str::to_owned))?, name, url: Some(url) })
}

/// The handle in a channel's address: `http://www.youtube.com/@cara`, `/@cara`.
pub fn handle_in(address: &str) -> Option<String> {
    let (_, handle) = address.rsplit_once("/@")?;
    non_empty(handle.split(['/', '?']).next().unwrap_or_default())
}

/// What stands around the player.
#[derive(Default)]
struct Details {
    channel: Option<String>,
    handle: Option<String>,
    date: Option<DateTime<Utc>>,
    likes: Option<i64>,
    comments: Option<i64>,
}

impl Details {
    fn of(next: &Value) -> Self {
        let parts = list(next, "/contents/twoColumnWatchNextResults/results/results/contents");
        let part = |name: &str| parts.iter().find_map(|part| part.get(name));
        let mut details = Self::default();
        if let Some(first) = part("videoPrimaryInfoRenderer") {
            details.date = label(&first["dateText"]).and_then(|date| day(&date));
            let like = "/segmentedLikeDislikeButtonViewModel/likeButtonViewModel/likeButtonViewModel/toggleButtonViewModel\
                        /toggleButtonViewModel/defaultButtonViewModel/buttonViewModel/accessibilityText";
            let buttons = list(first, "/videoActions/menuRenderer/topLevelButtons");
            details.likes = buttons.iter().find_map(|button| number_in(text(button, like)?));
        }
        if let Some(second) = part("videoSecondaryInfoRenderer") {
            let owner = &second["owner"]["videoOwnerRenderer"];
            details.channel = label(&owner["title"]);
            details.handle = text(owner, "/navigationEndpoint/browseEndpoint/canonicalBaseUrl").and_then(handle_in);
        }
        let panels = list(next, "/engagementPanels").iter().map(|panel| &panel["engagementPanelSectionListRenderer"]);
        let comments = panels.filter(|panel| {
            matches!(
                text(panel, "/panelIdentifier"),
                Some("engagement-panel-comments-section" | "comment-item-section")
            )
        });
        let count = |panel: &Value| {
            number_in(&label(&panel["header"]["engagementPanelTitleHeaderRenderer"]["contextualInfo"])?)
        };
        details.comments = comments.into_iter().find_map(count);
        details
    }
}

/// The first number in a text: `like this video along with 1,234 other people`, `1.2K`.
fn number_in(text: &str) -> Option<i64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = text.get(start..)?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.').unwrap_or(rest.len());
    let (digits, unit) = rest.split_at_checked(end)?;
    let number: f64 = digits.trim_end_matches('.').replace(',', "").parse().ok()?;
    let factor = match unit.chars().next() {
        Some('K' | 'k') => 1e3,
        Some('M') => 1e6,
        Some('B') => 1e9,
        _ => 1.0,
    };
    Some((number * factor).round() as i64)
}

/// `Jan 5, 2026`, `Premiered Jan 5, 2026`, `Streamed live on Jan 5, 2026`.
fn day(text: &str) -> Option<DateTime<Utc>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let last = words.get(words.len().checked_sub(3)?..)?.join(" ");
    Some(NaiveDate::parse_from_str(&last, "%b %d, %Y").ok()?.and_hms_opt(0, 0, 0)?.and_utc())
}
