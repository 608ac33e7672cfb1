//! VK: single videos and clips in process; posts, albums and lists by the tools.
//!
//! `POST vk.com/al_video.php` is what the site asks when somebody opens a video, and it answers visitors without an account
//! too. Where it first wants a script to be run (`/challenge.html`), yt-dlp takes over, which runs it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        hls, http,
        json::{float, int, link, text},
        link::{Link, canonical, is_word},
        text::{non_empty, unescape},
    },
};
use crate::{
    model::{
        Author, Counts, Error, FileType, Item, Kind, MediaMetadata, PlatformId, Rendition, Resource, ResourceKind,
        Result, Tool,
    },
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("vk");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("vk")]) }

const HOSTS: &[&str] = &[
    "vk.com",
    "www.vk.com",
    "m.vk.com",
    "new.vk.com",
    "vk.ru",
    "m.vk.ru",
    "vkvideo.ru",
    "www.vkvideo.ru",
    "m.vkvideo.ru",
    "vksport.vkvideo.ru",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://vk.com/video205387401_165548505", "video 205387401_165548505 https://vk.com/video205387401_165548505"),
    ("https://vk.com/video-77521_162222515", "video -77521_162222515 https://vk.com/video-77521_162222515"),
    ("http://new.vk.com/video205387401_165548505", "video 205387401_165548505 https://vk.com/video205387401_165548505"),
    (
        "https://m.vk.com/video-77521_162222515?from=video",
        "video -77521_162222515 https://vk.com/video-77521_162222515",
    ),
    (
        "https://vkvideo.ru/video-18403220_456239696",
        "video -18403220_456239696 https://vk.com/video-18403220_456239696",
    ),
    ("https://vk.ru/video-220754053_456242564", "video -220754053_456242564 https://vk.com/video-220754053_456242564"),
    (
        "https://vksport.vkvideo.ru/video-124096712_456240773",
        "video -124096712_456240773 https://vk.com/video-124096712_456240773",
    ),
    ("https://vk.com/clip30014565_456240946", "video 30014565_456240946 https://vk.com/video30014565_456240946"),
    (
        "https://vk.com/clips-74006511?z=clip-74006511_456247211",
        "video -74006511_456247211 https://vk.com/video-74006511_456247211",
    ),
    (
        "https://vk.com/videos-77521?z=video-77521_162222515%2Fclub77521",
        "video -77521_162222515 https://vk.com/video-77521_162222515",
    ),
    (
        "http://vk.com/feed?z=video-43215063_166094326%2Fbb50cacd3177146d7a",
        "video -43215063_166094326 https://vk.com/video-43215063_166094326",
    ),
    (
        "https://vk.com/video-93049196_456239755?list=ln-cBjJ7S4jYYx3ADnmDT",
        "video -93049196_456239755:ln-cBjJ7S4jYYx3ADnmDT https://vk.com/video-93049196_456239755?list=ln-cBjJ7S4jYYx3ADnmDT",
    ),
    (
        "https://vk.com/video-95168827_456239103?list=cca524a0f0d5557e16",
        "video -95168827_456239103:cca524a0f0d5557e16 https://vk.com/video-95168827_456239103?list=cca524a0f0d5557e16",
    ),
    (
        "https://vk.com/video_ext.php?oid=-77521&id=162222515",
        "video -77521_162222515 https://vk.com/video-77521_162222515",
    ),
    (
        "https://vkvideo.ru/video_ext.php?oid=-77521&id=162222515&hash=87b046504ccd8bfa&hd=2",
        "unknown -77521_162222515:87b046504ccd8bfa https://vk.com/video_ext.php?oid=-77521&id=162222515&hash=87b046504ccd8bfa",
    ),
    ("https://vk.com/wall-23538238_35", "post wall-23538238_35 https://vk.com/wall-23538238_35"),
    ("https://m.vk.com/wall-23538238_35?reply=1", "post wall-23538238_35 https://vk.com/wall-23538238_35"),
    ("https://vk.com/bs.official?w=wall-23538238_35", "post wall-23538238_35 https://vk.com/wall-23538238_35"),
    ("https://vk.com/album12345_00", "playlist album12345_00 https://vk.com/album12345_00"),
    ("https://vk.com/id12345", "profile id12345 https://vk.com/id12345"),
    ("https://vk.com/albums-12345", "profile albums-12345 https://vk.com/albums-12345"),
    ("https://vkvideo.ru/@mobidevices", "playlist @mobidevices https://vkvideo.ru/@mobidevices"),
    ("https://vk.com/video/@mobidevices?section=uploaded", "playlist @mobidevices https://vkvideo.ru/@mobidevices"),
    (
        "https://vkvideo.ru/playlist/-204353299_426",
        "playlist playlist/-204353299_426 https://vkvideo.ru/playlist/-204353299_426",
    ),
    (
        "https://vk.com/video/playlist/-174476437_2",
        "playlist playlist/-174476437_2 https://vkvideo.ru/playlist/-174476437_2",
    ),
    (
        "https://vkvideo.ru/playlist/-51890028_-2",
        "playlist playlist/-51890028_-2 https://vkvideo.ru/playlist/-51890028_-2",
    ),
    ("https://vk.com/", "generic"),
    ("https://vk.com/feed", "generic"),
    ("https://vk.com/durov", "generic"),
    ("https://vk.com/video", "generic"),
    ("https://vk.com/video-77521", "generic"),
    ("https://vk.com/video-77521_", "generic"),
    ("https://vk.com/video--77521_162222515", "generic"),
    ("https://vk.com/video-77521_16222%32515", "generic"),
    ("https://vk.com/video_ext.php?oid=x&id=1", "generic"),
    ("https://vk.com.evil.example/video-77521_162222515", "generic"),
    ("https://evil-vk.com/video-77521_162222515", "generic"),
    ("https://vk.co/video-77521_162222515", "generic"),
    ("https://login.vk.com/video-77521_162222515", "generic"),
    ("https://vk.com:8443/video-77521_162222515", "generic"),
    ("https://vk.com@evil.example/video-77521_162222515", "nothing"),
];

/// The platform.
pub struct Vk;

impl Platform for Vk {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "VK"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["vk.com", "vk.ru", "vkvideo.ru"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        HOSTS.contains(&link.host()).then_some(())?;
        // What is opened above a page stands in the page's query.
        let above = link.query("z").and_then(|above| {
            let above = above.split('/').next()?.to_owned();
            video(above.strip_prefix("video").or_else(|| above.strip_prefix("clip"))?, None)
        });
        if above.is_some() {
            return above;
        }
        if let Some(resource) = link.query("w").and_then(|above| post(&above)) {
            return Some(resource);
        }
        match link.segments() {
            ["video_ext.php"] => embedded(&link),
            ["playlist", id] | ["video", "playlist", id] => {
                is_pair(id).then(|| other(ResourceKind::Playlist, "https://vkvideo.ru/", &format!("playlist/{id}")))?
            }
            [name, ..] | ["video", name, ..] if name.starts_with('@') && is_word(&name[1..], "._-", 1..=64) => {
                other(ResourceKind::Playlist, "https://vkvideo.ru/", &name.to_ascii_lowercase())
            }
            [page] => {
                if let Some(resource) = post(page) {
                    return Some(resource);
                }
                if let Some(id) = page.strip_prefix("video").or_else(|| page.strip_prefix("clip")) {
                    return video(id, link.query("list").as_deref());
                }
                let album = page.strip_prefix("album").filter(|id| is_pair(id));
                if album.is_some() {
                    return other(ResourceKind::Playlist, "https://vk.com/", page);
                }
                let person = ["id", "albums", "photos"].iter().find_map(|of| page.strip_prefix(of));
                person.filter(|id| is_number(id)).and_then(|_| other(ResourceKind::Profile, "https://vk.com/", page))
            }
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        let tool = |tool: Tool, extractors: Vec<&'static str>, why: &'static str| CliTool {
            tool,
            url: resource.canonical.clone(),
            extractors,
            args: Vec::new(),
            why,
        };
        let yt_dlp = tool(Tool::YtDlp, vec!["vk", "vk:.*"], "runs the script that VK sets before its pages");
        let gallery_dl = tool(Tool::GalleryDl, Vec::new(), "loads the pictures of posts and albums");
        let on_site = resource.canonical.host_str() == Some("vk.com");
        match resource.kind {
            ResourceKind::Post => vec![gallery_dl, yt_dlp],
            ResourceKind::Playlist | ResourceKind::Profile if on_site => vec![gallery_dl],
            _ => vec![yt_dlp],
        }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, _resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        let Some(info) = raw.first().filter(|_| tool == Tool::YtDlp) else { return };
        metadata.author = text(info, "/uploader_id").map(|id| author(id, text(info, "/uploader").map(str::to_owned)));
        metadata.description = text(info, "/description").map(str::to_owned);
    }
}

/// A number that may be negative: communities have such ids.
fn is_number(id: &str) -> bool {
    let digits = id.strip_prefix('-').unwrap_or(id);
    (1..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Owner and number: `-77521_162222515`.
fn is_pair(id: &str) -> bool {
    id.split_once('_').is_some_and(|(owner, number)| is_number(owner) && is_number(number))
}

/// A video; the list that some are only shown from belongs to its id.
fn video(id: &str, list: Option<&str>) -> Option<Resource> {
    let (owner, number) = id.split_once('_')?;
    (is_number(owner) && is_number(number) && !number.starts_with('-')).then_some(())?;
    let start = "https://vk.com/video";
    match list.filter(|list| is_word(list, "-", 8..=40)) {
        Some(list) => {
            let canonical = canonical(start, &format!("{id}?list={list}"))?;
            Some(Resource::new(ID, ResourceKind::Video, format!("{id}:{list}"), canonical))
        }
        None => Some(Resource::new(ID, ResourceKind::Video, id, canonical(start, id)?)),
    }
}

/// The player by itself. One that carries a key shows what the site does not, and only yt-dlp reads its page.
fn embedded(link: &Link<'_>) -> Option<Resource> {
    let (owner, number) = (link.query("oid")?, link.query("id")?);
    let id = format!("{owner}_{number}");
    let plain = video(&id, None)?;
    let Some(hash) = link.query("hash").filter(|hash| is_word(hash, "", 8..=32)) else { return Some(plain) };
    let canonical = canonical("https://vk.com/video_ext.php", &format!("?oid={owner}&id={number}&hash={hash}"))?;
    Some(Resource::new(ID, ResourceKind::Unknown, format!("{id}:{hash}"), canonical))
}

fn post(page: &str) -> Option<Resource> {
    let id = page.strip_prefix("wall")?;
    is_pair(id).then(|| other(ResourceKind::Post, "https://vk.com/", &format!("wall{id}")))?
}

fn other(kind: ResourceKind, start: &str, id: &str) -> Option<Resource> {
    Some(Resource::new(ID, kind, id, canonical(start, id)?))
}

#[async_trait]
impl Extractor for Vk {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.kind != ResourceKind::Video {
            return Err(Error::new(Kind::UnsupportedUrl, "in process only single videos are known"));
        }
        let url = canonical("https://vk.com/", "al_video.php").ok_or_else(|| Error::internal("the site's address"))?;
        let (id, list) =
            resource.id.split_once(':').map_or((resource.id.as_str(), None), |(id, list)| (id, Some(list)));
        let list = list.map(|list| format!("&list={list}")).unwrap_or_default();
        let request = cx
            .client
            .request(reqwest::Method::POST, &url)?
            .header("content-type", "application/x-www-form-urlencoded")
            .header("referer", url.as_str())
            .header("x-requested-with", "XMLHttpRequest")
            .body(format!("act=show&al=1&video={id}{list}"));
        let answer = http::ask(cx.client, request).await?;
        if answer.url.path() == "/challenge.html" {
            return Err(Error::new(
                Kind::RateLimited { retry_after: None },
                "VK wants a script to be run: yt-dlp does",
            ));
        }
        let (mut found, streams) = parse(resource, &answer.told()?)?;
        let Some(item) = found.items.first_mut() else { return Err(Error::internal("a video is one item")) };
        if let (true, Some(master)) = (item.renditions.is_empty(), streams) {
            item.renditions = hls::variants(cx.client, &master, &BTreeMap::new()).await?;
        }
        Ok(found)
    }
}

/// Why the site shows a message instead of a video. It speaks Russian or English.
fn refused(message: &str) -> Error {
    let said = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let kind = if says(&["region", "country", "регион", "стран"]) {
        Kind::GeoBlocked
    } else if says(&["18 years", "age ", "возраст", "18 лет"]) {
        Kind::AgeRestricted
    } else if says(&[
        "deleted",
        "removed",
        "not found",
        "does not exist",
        "blocked",
        "удален",
        "изъят",
        "не найден",
        "заблокирован",
    ]) {
        Kind::NotFound
    } else if says(&["log in", "registered", "войдите", "зарегистр"]) {
        Kind::LoginRequired
    } else if says(&["access denied", "private", "privacy", "доступ", "приват"]) {
        Kind::Private
    } else if says(&["processing", "processed", "обраб"]) {
        Kind::NotYet
    } else {
        Kind::PlatformChanged
    };
    Error::new(kind, format!("VK says: {}", said.chars().take(200).collect::<String>()))
}

/// Reads the answer: `{"payload": [code, [title, page, …, options]]}`.
fn parse(resource: &Resource, answer: &Value) -> Result<(MediaMetadata, Option<Url>)> {
    let payload = answer.pointer("/payload/1").and_then(Value::as_array);
    let code = int(answer, "/payload/0");
    match (code, payload) {
        (Some(3), _) => return Err(Error::new(Kind::LoginRequired, "VK wants a sign-in")),
        (Some(8), Some(payload)) => {
            let message = payload.first().and_then(Value::as_str).unwrap_or_default();
            return Err(refused(&plain(message.trim_matches('"'))));
        }
        (Some(0), Some(_)) => {}
        _ => return Err(Error::platform_changed("no /payload of a known kind")),
    }
    let payload = payload.map(Vec::as_slice).unwrap_or_default();
    let options = payload.last().unwrap_or(&Value::Null);
    let Some(data) = options.pointer("/player/params/0") else {
        return Err(Error::platform_changed("no /player/params/0: perhaps another site's player"));
    };
    if int(data, "/live") == Some(2) {
        return Err(Error::new(Kind::Live, "VK says that it is being broadcast"));
    }
    let mut renditions: Vec<Rendition> =
        data.as_object().into_iter().flatten().filter_map(|(name, _)| whole(name, data)).collect();
    renditions.sort_by_key(|rendition| std::cmp::Reverse(rendition.height));
    let streams = ["/hls", "/hls_ondemand", "/hls_fmp4"].into_iter().find_map(|pointer| link(data, pointer));
    if renditions.is_empty() && streams.is_none() {
        return Err(Error::platform_changed("neither url… nor hls in /player/params/0"));
    }
    let about = &options["mvData"];
    let page = payload.get(1).and_then(Value::as_str).unwrap_or_default();
    let words = |value: &Value, pointer: &str| text(value, pointer).and_then(|words| non_empty(plain(words)));
    let duration = float(data, "/duration").or_else(|| float(about, "/duration")).filter(|seconds| *seconds > 0.0);
    let author_id = int(data, "/author_id").or_else(|| int(data, "/authorId")).map(|id| id.to_string());
    let id = resource.id.split(':').next().unwrap_or_default().to_owned();
    Ok((
        MediaMetadata {
            platform: ID.0.to_owned(),
            url: resource.canonical.to_string(),
            id: resource.id.clone(),
            title: words(data, "/md_title").or_else(|| words(about, "/title")),
            description: words(data, "/description").or_else(|| words(about, "/desc")),
            author: author_id.map(|id| author(&id, words(data, "/md_author"))),
            created_at: int(data, "/date").and_then(|at| DateTime::from_timestamp(at, 0)),
            duration,
            thumbnail: link(data, "/jpg").map(String::from),
            counts: Counts {
                like_count: int(about, "/likes"),
                view_count: views(page),
                comment_count: int(about, "/commcount"),
                ..Counts::default()
            },
            items: vec![Item { id: Some(id), duration, ..Item::new(FileType::Video, renditions) }],
            ..MediaMetadata::default()
        },
        streams,
    ))
}

/// A whole file under the key `url720`.
fn whole(name: &str, data: &Value) -> Option<Rendition> {
    let height = name.strip_prefix("url").or_else(|| name.strip_prefix("cache"))?.parse().ok()?;
    let url = link(data, &format!("/{name}"))?;
    Some(Rendition {
        format_id: Some(name.to_owned()),
        container: Some("mp4".to_owned()),
        height: Some(height),
        expires_at: expiry(&url),
        ..Rendition::at(url)
    })
}

/// Until when an address works: milliseconds since 1970 in `expires`.
fn expiry(url: &Url) -> Option<DateTime<Utc>> {
    let (_, at) = url.query_pairs().find(|(name, _)| name == "expires")?;
    DateTime::from_timestamp_millis(at.parse().ok()?)
}

/// The number behind the mark for views on the page.
fn views(page: &str) -> Option<i64> {
    let (_, rest) = page.split_once("mv_views_count")?;
    let (_, rest) = rest.split_once('>')?;
    let number: String = rest.chars().take_while(|c| *c != '<').filter(char::is_ascii_digit).collect();
    number.parse().ok()
}

/// A text without the few marks of HTML that VK puts into it.
fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let (tag, after) = after.split_once('>').unwrap_or((after, ""));
        if tag.starts_with("br") {
            out.push('\n');
        }
        rest = after;
    }
    out.push_str(rest);
    unescape(&out)
}

/// A person or, with a negative number, a community.
fn author(id: &str, name: Option<String>) -> Author {
    let page = match id.strip_prefix('-') {
        Some(community) => format!("club{community}"),
        None => format!("id{id}"),
    };
    Author { handle: id.to_owned(), name, url: Some(format!("https://vk.com/{page}")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::common::testing::mutations;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../fixtures/platforms/vk/show.json")).unwrap()
    }

    fn resource() -> Resource {
        Vk.route(&Url::parse("https://vk.com/video-77521_162222515").unwrap()).unwrap()
    }

    #[test]
    fn a_video_is_read_whole() {
        let (found, streams) = parse(&resource(), &fixture()).unwrap();
        assert_eq!(found.title.as_deref(), Some("Tea & cake"));
        assert_eq!(found.description.as_deref(), Some("First line\nsecond line"));
        let author = found.author.unwrap();
        assert_eq!((author.handle.as_str(), author.url.as_deref()), ("-77521", Some("https://vk.com/club77521")));
        assert_eq!((found.duration, found.created_at.unwrap().timestamp()), (Some(195.0), 1_329_049_880));
        assert_eq!((found.counts.view_count, found.counts.like_count), (Some(1234), Some(5)));
        let sides: Vec<_> = found.items[0].renditions.iter().map(Rendition::short_side).collect();
        assert_eq!(sides, [Some(720), Some(240)]);
        assert_eq!(found.items[0].renditions[0].expires_at.unwrap().timestamp(), 1_893_456_000);
        assert!(streams.is_some());
    }

    #[test]
    fn every_other_answer_has_its_kind() {
        let says = |message: &str| serde_json::json!({"payload": ["8", [format!("\"{message}\"")]]});
        for (answer, code) in [
            (serde_json::json!({"payload": ["3", ["\"x\""]]}), "login_required"),
            (says("This video is no longer available, because it has been deleted."), "not_found"),
            (says("Видеозапись была изъята из публичного доступа в связи с обращением правообладателя."), "not_found"),
            (says("This video is not available in your region."), "geo_blocked"),
            (says("Access denied"), "private"),
            (says("Владелец видео ограничил доступ"), "private"),
            (says("The video is still being processed"), "not_yet"),
            (says("You must be 18 years old"), "age_restricted"),
            (says("Something new"), "platform_changed"),
            (serde_json::json!({"payload": ["0", [1, "", {"player": {"params": [{"live": 2}]}}]]}), "live"),
            (serde_json::json!({"payload": ["0", [1, "", {"player": {"params": [{}]}}]]}), "platform_changed"),
            (serde_json::json!({"payload": ["0", []]}), "platform_changed"),
            (serde_json::json!({}), "platform_changed"),
        ] {
            assert_eq!(parse(&resource(), &answer).unwrap_err().code(), code, "{answer}");
        }
        for changed in mutations(&fixture()) {
            if let Ok((found, streams)) = parse(&resource(), &changed) {
                assert!(!found.items[0].renditions.is_empty() || streams.is_some(), "{changed}");
            }
        }
    }
}
