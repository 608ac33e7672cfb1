//! Reading pins. The fields are those that the site's own pages read; there is no public description of them.

use chrono::DateTime;
use serde_json::Value;
use url::Url;

use super::ID;
use crate::{
    model::{Author, Counts, Error, FileType, Item, Kind, MediaMetadata, Protocol, Rendition, Resource, Result, Tool},
    platforms::common::{
        json::{float, int, link, list, positive, text},
        text::{extension, non_empty},
    },
};

/// Reads the answer about a pin.
///
/// # Errors
/// The verdict of the body, `unsupported_url` for a pin that shows another site's video, `no_media`, or
/// `platform_changed`.
pub fn pin(body: &Value, resource: &Resource) -> Result<MediaMetadata> {
    if let Some(refusal) = refused(body) {
        return Err(refusal);
    }
    let pin = body.pointer("/resource_response/data").filter(|data| data.get("id").is_some());
    let pin = pin.ok_or_else(|| Error::platform_changed("no /resource_response/data"))?;
    let mut metadata = about(pin, resource);
    metadata.items = items(pin);
    if metadata.items.is_empty() || !has_video(&metadata.items) {
        // yt-dlp follows such links to sites that it knows.
        if let Some(host) = embedded(pin) {
            return Err(Error::new(Kind::UnsupportedUrl, format!("the pin shows a video of {host}"))
                .with_detail(format!("the pin shows a video of {host}")));
        }
    }
    match metadata.items.as_mut_slice() {
        [] => return Err(Error::new(Kind::NoMedia, "the pin has no picture and no video")),
        [only] => {
            only.id = Some(resource.id.clone());
            only.alt_text = text(pin, "/alt_text").and_then(non_empty);
        }
        _ => {}
    }
    metadata.thumbnail = link(pin, "/images/orig/url").map(|url| smaller(&url));
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
    Ok(metadata)
}

/// What the body of a refusal says.
pub fn refused(body: &Value) -> Option<Error> {
    let error = body.pointer("/resource_response/error").filter(|error| !error.is_null())?;
    let words = text(error, "/message").unwrap_or_default();
    let private = ["private", "secret", "permission"].iter().any(|part| words.to_ascii_lowercase().contains(part));
    let kind = match int(error, "/http_status") {
        _ if private => Kind::Private,
        Some(404 | 410) => Kind::NotFound,
        Some(401 | 403) => Kind::LoginRequired,
        Some(429) => Kind::RateLimited { retry_after: None },
        Some(451) => Kind::GeoBlocked,
        _ => return None,
    };
    Some(Error::new(kind, format!("Pinterest says: {words}")))
}

/// What is told about a pin besides its media.
fn about(pin: &Value, resource: &Resource) -> MediaMetadata {
    let by = ["/closeup_attribution", "/native_creator", "/origin_pinner", "/pinner"]
        .into_iter()
        .filter_map(|pointer| pin.pointer(pointer))
        .find_map(author);
    let likes = pin.get("reaction_counts").and_then(Value::as_object);
    MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title: text(pin, "/title").or_else(|| text(pin, "/grid_title")).and_then(non_empty),
        description: text(pin, "/description").and_then(non_empty),
        author: by,
        created_at: text(pin, "/created_at")
            .and_then(|told| DateTime::parse_from_rfc2822(told).ok())
            .map(|moment| moment.to_utc()),
        counts: Counts {
            like_count: likes.map(|counts| counts.values().filter_map(Value::as_i64).fold(0, i64::saturating_add)),
            retweet_count: int(pin, "/repin_count"),
            comment_count: int(pin, "/comment_count"),
            ..Counts::default()
        },
        ..MediaMetadata::default()
    }
}

fn author(person: &Value) -> Option<Author> {
    let handle = text(person, "/username")?;
    Some(Author {
        handle: handle.to_owned(),
        name: text(person, "/full_name").and_then(non_empty),
        url: Some(format!("https://www.pinterest.com/{handle}/")),
    })
}

/// The host of another site whose video the pin shows.
fn embedded(pin: &Value) -> Option<String> {
    let url = link(pin, "/embed/src")?;
    let host = url.host_str()?;
    let own = host == "pinimg.com" || host.ends_with(".pinimg.com") || text(pin, "/embed/type") == Some("gif");
    (!own).then(|| host.trim_start_matches("www.").to_owned())
}

fn has_video(items: &[Item]) -> bool {
    items.iter().any(|item| item.kind == FileType::Video)
}

/// The media of a pin in order: the pages of an idea pin, else the slots of a carousel, else its video or its picture.
fn items(pin: &Value) -> Vec<Item> {
    let pages = list(pin, "/story_pin_data/pages");
    let blocks: usize = pages.iter().map(|page| list(page, "/blocks").len()).sum();
    let original = || image(pin.get("images")?);
    let of_pages: Vec<_> = pages
        .iter()
        .flat_map(|page| list(page, "/blocks").iter().map(move |block| (page, block)))
        .filter_map(|(page, block)| {
            if let Some(video) = block.get("video").filter(|video| video.is_object()) {
                return self::video(video);
            }
            is_image(block).then_some(())?;
            let told = block.pointer("/image/images").and_then(image);
            // A pin of one picture has it in full among its own.
            if blocks == 1 { original().or(told) } else { told }.or_else(|| signed(page, block))
        })
        .collect();
    if !of_pages.is_empty() {
        return of_pages;
    }
    let slots: Vec<_> = list(pin, "/carousel_data/carousel_slots").iter().filter_map(slot).collect();
    if !slots.is_empty() {
        return slots;
    }
    pin.get("videos").and_then(video).or_else(original).into_iter().collect()
}

fn is_image(block: &Value) -> bool {
    text(block, "/type") == Some("story_pin_image_block") || block.get("image").is_some_and(Value::is_object)
}

/// A picture from its versions: the original, then the largest of the others.
fn image(versions: &Value) -> Option<Item> {
    let all = versions.as_object()?;
    let version = |name: &str| {
        let told = all.get(name)?;
        let url = link(told, "/url")?;
        Some(Rendition {
            format_id: Some(name.to_owned()),
            container: extension(&url),
            width: positive(told, "/width"),
            height: positive(told, "/height"),
            ..Rendition::at(url)
        })
    };
    let renditions: Vec<_> = ["orig", "originals", "1200x", "736x"].into_iter().filter_map(version).take(2).collect();
    (!renditions.is_empty()).then(|| Item::new(FileType::Image, renditions))
}

/// A picture of a page that is only named by its signature.
fn signed(page: &Value, block: &Value) -> Option<Item> {
    let signature = text(block, "/image_signature").or_else(|| text(page, "/image_signature"))?;
    super::is_word(signature, "", 32..=32).then_some(())?;
    let folder = [signature.get(..2)?, signature.get(2..4)?, signature.get(4..6)?].join("/");
    let url = Url::parse(&format!("https://i.pinimg.com/originals/{folder}/{signature}.jpg")).ok()?;
    let rendition = Rendition { container: Some("jpg".into()), ..Rendition::at(url) };
    Some(Item { id: Some(signature.to_owned()), ..Item::new(FileType::Image, vec![rendition]) })
}

/// A picture of a carousel: the version told names the original.
fn slot(slot: &Value) -> Option<Item> {
    let (size, told) = slot.get("images")?.as_object()?.iter().next()?;
    let url = link(told, "/url")?;
    let original = Url::parse(&url.as_str().replacen(&format!("/{size}/"), "/originals/", 1)).ok()?;
    let renditions = [original, url].map(|url| Rendition { container: extension(&url), ..Rendition::at(url) });
    Some(Item { id: text(slot, "/id").map(str::to_owned), ..Item::new(FileType::Image, renditions.into()) })
}

/// A video: its files, best first, or else its stream.
fn video(video: &Value) -> Option<Item> {
    let formats = video.get("video_list")?.as_object()?;
    let rendition = |(name, told): (&String, &Value)| {
        let url = link(told, "/url")?;
        let is_stream = extension(&url).as_deref() == Some("m3u8");
        Some(Rendition {
            format_id: Some(name.clone()),
            container: Some("mp4".into()),
            width: positive(told, "/width"),
            height: positive(told, "/height"),
            protocol: if is_stream { Protocol::Hls } else { Protocol::File },
            ..Rendition::at(url)
        })
    };
    let (mut files, streams): (Vec<_>, Vec<_>) =
        formats.iter().filter_map(rendition).partition(|rendition| rendition.protocol.is_file());
    files.sort_by_key(|rendition| std::cmp::Reverse(rendition.short_side()));
    if files.is_empty() {
        // They are the same stream for other players.
        files.extend(streams.into_iter().next());
    }
    (!files.is_empty()).then_some(())?;
    Some(Item {
        id: text(video, "/id").map(str::to_owned),
        duration: seconds(video),
        ..Item::new(FileType::Video, files)
    })
}

fn seconds(video: &Value) -> Option<f64> {
    let formats = video.get("video_list")?.as_object()?;
    let milliseconds = formats.values().find_map(|told| float(told, "/duration"))?;
    (milliseconds > 0.0).then_some(milliseconds / 1000.0)
}

/// The version of a picture for previews.
fn smaller(url: &Url) -> String {
    url.as_str().replacen("/originals/", "/736x/", 1)
}

/// Makes what the tools tell equal to what we read ourselves.
pub fn refine(resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
    let Some(first) = raw.first() else { return };
    let alone = metadata.items.len() == 1;
    match tool {
        Tool::YtDlp => {
            // The name in links it does not tell.
            if let (Some(id), Some(name)) = (text(first, "/uploader_id"), text(first, "/uploader")) {
                metadata.author = Some(Author { handle: id.to_owned(), name: Some(name.to_owned()), url: None });
            }
        }
        // gallery-dl hands on the pin as the site tells it.
        Tool::GalleryDl => {
            let told = about(first, resource);
            (metadata.title, metadata.description, metadata.author) = (told.title, told.description, told.author);
            (metadata.created_at, metadata.counts) = (told.created_at, told.counts);
            for (item, file) in metadata.items.iter_mut().zip(raw) {
                item.id = text(file, "/media_id").map(str::to_owned);
                item.alt_text = if alone { text(first, "/alt_text").and_then(non_empty) } else { None };
                item.duration =
                    item.duration.map(|milliseconds| milliseconds / 1000.0).filter(|seconds| *seconds > 0.0);
            }
            let address = metadata.items.first().and_then(|item| item.renditions.first()?.url.as_ref());
            metadata.thumbnail = address.map(|url| url.to_string());
        }
    }
    if let [only] = metadata.items.as_mut_slice() {
        only.id = Some(resource.id.clone());
    }
    metadata.thumbnail = metadata.thumbnail.as_deref().and_then(|text| Url::parse(text).ok()).map(|url| smaller(&url));
    metadata.duration = metadata.items.iter().find_map(|item| item.duration);
}
