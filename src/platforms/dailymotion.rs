//! Dailymotion: single videos in process; playlists and channels by yt-dlp.
//!
//! `GET www.dailymotion.com/player/metadata/video/ID` is what the site's player asks; its streams are HLS. What that does
//! not tell (the text, the counts) stands in the public data API, `api.dailymotion.com/video/ID`, and is asked for at the
//! same time.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::DateTime;
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        hls, http,
        json::{float, int, is, link, list, text, web_link},
        link::{Link, canonical, is_word},
        text::non_empty,
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
pub const ID: PlatformId = PlatformId("dailymotion");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("dailymotion")]) }

const HOSTS: &[&str] = &["dailymotion.com", "www.dailymotion.com", "touch.dailymotion.com", "geo.dailymotion.com"];

/// First path parts that are pages of the site, not channels.
const RESERVED: &[&str] = &[
    "about",
    "cdn",
    "crawler",
    "embed",
    "explore",
    "feed",
    "following",
    "hub",
    "legal",
    "library",
    "login",
    "old",
    "partner",
    "player",
    "player.html",
    "playlist",
    "privacy",
    "search",
    "settings",
    "signin",
    "signup",
    "sitemap",
    "studio",
    "swf",
    "topic",
    "trending",
    "upload",
    "user",
    "video",
    "videos",
    "widget",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "http://www.dailymotion.com/video/x5kesuj_office-christmas-party-review_news",
        "video x5kesuj https://www.dailymotion.com/video/x5kesuj",
    ),
    ("https://dailymotion.com/video/x5kesuj", "video x5kesuj https://www.dailymotion.com/video/x5kesuj"),
    ("https://www.dailymotion.com/video/xhza0o?start=3", "video xhza0o https://www.dailymotion.com/video/xhza0o"),
    (
        "https://www.dailymotion.com/video/x3z49k?playlist=xv4bw",
        "video x3z49k https://www.dailymotion.com/video/x3z49k",
    ),
    ("http://www.dailymotion.com/swf/video/x3n92nf", "video x3n92nf https://www.dailymotion.com/video/x3n92nf"),
    (
        "http://www.dailymotion.com/swf/x3ss1m_funny-magic-trick_fun",
        "video x3ss1m https://www.dailymotion.com/video/x3ss1m",
    ),
    ("https://www.dailymotion.com/embed/video/x8u4owg", "video x8u4owg https://www.dailymotion.com/video/x8u4owg"),
    ("https://www.dailymotion.com/crawler/video/x8u4owg", "video x8u4owg https://www.dailymotion.com/video/x8u4owg"),
    ("https://touch.dailymotion.com/video/x8u4owg", "video x8u4owg https://www.dailymotion.com/video/x8u4owg"),
    (
        "https://geo.dailymotion.com/player.html?video=x89eyek&mute=true",
        "video x89eyek https://www.dailymotion.com/video/x89eyek",
    ),
    (
        "https://geo.dailymotion.com/player/x86gw.html?video=k46oCapRs4iikoz9DWy",
        "video k46oCapRs4iikoz9DWy https://www.dailymotion.com/video/k46oCapRs4iikoz9DWy",
    ),
    (
        "https://geo.dailymotion.com/player/xf7zn.html?playlist=x7wdsj",
        "playlist x7wdsj https://www.dailymotion.com/playlist/x7wdsj",
    ),
    ("https://dai.ly/x94cnnk", "video x94cnnk https://www.dailymotion.com/video/x94cnnk"),
    ("https://dai.ly/x94cnnk?utm_source=x", "video x94cnnk https://www.dailymotion.com/video/x94cnnk"),
    (
        "http://www.dailymotion.com/playlist/xv4bw_nqtv_sport/1#video=xl8v3q",
        "playlist xv4bw https://www.dailymotion.com/playlist/xv4bw",
    ),
    ("https://www.dailymotion.com/user/nqtv", "profile nqtv https://www.dailymotion.com/nqtv"),
    (
        "http://www.dailymotion.com/old/user/UnderProject",
        "profile underproject https://www.dailymotion.com/underproject",
    ),
    ("https://www.dailymotion.com/nqtv", "profile nqtv https://www.dailymotion.com/nqtv"),
    ("https://www.dailymotion.com/", "generic"),
    ("https://www.dailymotion.com/search/cats/videos", "generic"),
    ("https://www.dailymotion.com/video/", "generic"),
    ("https://www.dailymotion.com/video/x5ke%2Fsuj", "generic"),
    ("https://geo.dailymotion.com/player.html", "generic"),
    ("https://dai.ly/", "generic"),
    ("https://developer.dailymotion.com/api", "generic"),
    ("https://dai.ly.evil.example/x94cnnk", "generic"),
    ("https://dailymotion.com.evil.example/video/x5kesuj", "generic"),
    ("https://notdailymotion.com/video/x5kesuj", "generic"),
    ("https://dailymotion.co/video/x5kesuj", "generic"),
    ("https://www.dailymotion.com:8443/video/x5kesuj", "generic"),
    ("https://www.dailymotion.com@evil.example/video/x5kesuj", "nothing"),
];

/// The platform.
pub struct Dailymotion;

impl Platform for Dailymotion {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Dailymotion"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["dailymotion.com", "dai.ly"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        match link.host() {
            "dai.ly" => match link.segments() {
                [id] => video(id),
                _ => None,
            },
            host if HOSTS.contains(&host) => match link.segments() {
                ["video", id] | ["embed" | "crawler" | "swf", "video", id] => video(id),
                ["swf", id] => video(id),
                ["player.html"] => player(&link),
                ["player", page] if page.ends_with(".html") => player(&link),
                ["playlist", id, ..] => playlist(id),
                ["user", name] | ["old", "user", name] | [name] | [name, "videos"] => channel(name),
                _ => None,
            },
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        vec![CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["dailymotion", "dailymotion:.*"],
            args: Vec::new(),
            why: "knows the player, and lists",
        }]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, _resource: &Resource, _tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        let Some(info) = raw.first() else { return };
        metadata.author = text(info, "/uploader_id").map(|id| author(id, text(info, "/uploader")));
        metadata.description = text(info, "/description").and_then(non_empty);
    }
}

/// What follows an underscore in an id is the title.
fn plain(id: &str) -> Option<&str> {
    let id = id.split('_').next()?;
    is_word(id, "", 4..=32).then_some(id)
}

fn video(id: &str) -> Option<Resource> {
    let id = plain(id)?;
    Some(Resource::new(ID, ResourceKind::Video, id, canonical("https://www.dailymotion.com/video/", id)?))
}

fn playlist(id: &str) -> Option<Resource> {
    let id = plain(id).filter(|id| id.starts_with('x'))?;
    Some(Resource::new(ID, ResourceKind::Playlist, id, canonical("https://www.dailymotion.com/playlist/", id)?))
}

/// The player by itself, which names in its query what it plays.
fn player(link: &Link<'_>) -> Option<Resource> {
    match link.query("video") {
        Some(id) => video(&id),
        None => playlist(&link.query("playlist")?),
    }
}

fn channel(name: &str) -> Option<Resource> {
    let name = name.to_ascii_lowercase();
    (is_word(&name, "_-.", 2..=64) && !RESERVED.contains(&name.as_str())).then_some(())?;
    let canonical = canonical("https://www.dailymotion.com/", &name)?;
    Some(Resource::new(ID, ResourceKind::Profile, name, canonical))
}

#[async_trait]
impl Extractor for Dailymotion {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.kind != ResourceKind::Video {
            return Err(Error::new(Kind::UnsupportedUrl, "in process only single videos are known"));
        }
        let at = |start: &str, query: &str| {
            canonical(start, &format!("{}?{query}", resource.id)).ok_or_else(|| Error::internal("the API's address"))
        };
        let player = at("https://www.dailymotion.com/player/metadata/video/", "app=com.dailymotion.neon")?;
        let data = at("https://api.dailymotion.com/video/", "fields=description,views_total,likes_total")?;
        // Explicit videos are told to visitors who have turned the family filter off.
        let player = cx.client.get(&player)?.header("cookie", "ff=off").header("origin", "https://www.dailymotion.com");
        let (player, data) = tokio::join!(http::ask(cx.client, player), more(cx, &data));
        let player = player?;
        let told = match (player.json(), player.refusal) {
            (Ok(told), None) => told,
            (Ok(told), Some(_)) if told["error"].is_object() => told,
            (_, Some(refusal)) => return Err(refusal),
            (Err(error), None) => return Err(error),
        };
        let (mut found, streams) = parse(resource, &told, &data)?;
        let Some(item) = found.items.first_mut() else { return Err(Error::internal("a video is one item")) };
        if let Some(master) = streams {
            let headers = BTreeMap::from([
                ("referer".to_owned(), "https://www.dailymotion.com/".to_owned()),
                ("origin".to_owned(), "https://www.dailymotion.com".to_owned()),
            ]);
            match hls::variants(cx.client, &master, &headers).await {
                Ok(variants) => item.renditions.extend(variants),
                Err(error) if item.renditions.is_empty() => return Err(error),
                Err(error) => tracing::debug!(%error, "the playlist of a Dailymotion video cannot be had"),
            }
        }
        Ok(found)
    }
}

/// The public data about a video. Never worth failing for.
async fn more(cx: &ExtractContext<'_>, url: &Url) -> Value {
    let ask = async { http::ask(cx.client, cx.client.get(url)?).await?.told() };
    ask.await.unwrap_or_else(|error: Error| {
        tracing::debug!(%error, "Dailymotion tells nothing beside the player");
        Value::Null
    })
}

/// The verdict that the player's error is. Codes are those of Dailymotion's documentation, "Access error".
fn refused(error: &Value) -> Error {
    let code = text(error, "/code").unwrap_or_default();
    let said = text(error, "/raw_message").or_else(|| text(error, "/title")).unwrap_or_default();
    let kind = match code {
        // No such video; deleted; taken down; broken; of a channel that is no more.
        "DM001" | "DM002" | "DM004" | "DM005" | "DM011" | "DM019" => Kind::NotFound,
        // A broadcast that has not begun; being published; being encoded.
        "DM003" | "DM006" | "DM012" | "DM013" => Kind::NotYet,
        "DM007" => Kind::GeoBlocked,
        "DM008" | "DM009" => Kind::AgeRestricted,
        "DM010" => Kind::Private,
        _ if said.to_lowercase().contains("password") => Kind::Private,
        _ => Kind::PlatformChanged,
    };
    Error::new(kind, format!("Dailymotion says {code}: {said}"))
}

/// Reads the player's answer (`data`: that of the data API, or null): the video with its whole files, and its playlist.
fn parse(resource: &Resource, player: &Value, data: &Value) -> Result<(MediaMetadata, Option<Url>)> {
    if player["error"].is_object() {
        return Err(refused(&player["error"]));
    }
    if is(player, "/is_password_protected") {
        return Err(
            Error::new(Kind::Private, "Dailymotion wants a password").with_detail("it is protected by a password")
        );
    }
    if text(player, "/mode") == Some("live") || is(player, "/onair") {
        return Err(Error::new(Kind::Live, "Dailymotion says that it is being broadcast"));
    }
    let Some(qualities) = player["qualities"].as_object() else {
        return Err(Error::platform_changed("no /qualities"));
    };
    let mut streams = None;
    let mut renditions = Vec::new();
    for (name, files) in qualities {
        for file in list(files, "") {
            match text(file, "/type") {
                Some("application/x-mpegURL") => streams = streams.or_else(|| link(file, "/url")),
                Some("video/mp4") => renditions.extend(whole(name, file)),
                _ => {}
            }
        }
    }
    renditions.sort_by_key(|rendition: &Rendition| std::cmp::Reverse(rendition.short_side()));
    if renditions.is_empty() && streams.is_none() {
        return Err(Error::platform_changed("nothing that can be loaded in /qualities"));
    }
    let duration = float(player, "/duration").filter(|seconds| *seconds > 0.0);
    let pictures = ["posters", "thumbnails"].into_iter().filter_map(|name| player[name].as_object()).flatten();
    let still = pictures.filter_map(|(height, url)| Some((height.parse::<u32>().ok()?, url.as_str()?))).max();
    Ok((
        MediaMetadata {
            platform: ID.0.to_owned(),
            url: resource.canonical.to_string(),
            id: resource.id.clone(),
            title: text(player, "/title").map(str::to_owned),
            description: text(data, "/description").and_then(non_empty),
            author: text(player, "/owner/id").map(|id| author(id, text(player, "/owner/screenname"))),
            created_at: int(player, "/created_time").and_then(|at| DateTime::from_timestamp(at, 0)),
            duration,
            thumbnail: still.and_then(|(_, url)| web_link(url)).map(String::from),
            sensitive: is(player, "/explicit"),
            counts: Counts {
                like_count: int(data, "/likes_total"),
                view_count: int(data, "/views_total"),
                ..Counts::default()
            },
            items: vec![Item { id: Some(resource.id.clone()), duration, ..Item::new(FileType::Video, renditions) }],
            ..MediaMetadata::default()
        },
        streams,
    ))
}

/// A whole file; its size in pixels stands in its address: `/H264-1280x720-60/`.
fn whole(quality: &str, file: &Value) -> Option<Rendition> {
    let url = link(file, "/url")?;
    let size = url.path_segments().into_iter().flatten().find_map(|part| {
        let mut parts = part.strip_prefix("H264-")?.split(['x', '-']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    });
    Some(Rendition {
        format_id: Some(format!("http-{quality}")),
        container: Some("mp4".to_owned()),
        width: size.map(|(width, _)| width),
        height: size.map(|(_, height)| height).or_else(|| quality.parse().ok()),
        ..Rendition::at(url)
    })
}

/// A channel by its id, which leads to its page as its name does.
fn author(id: &str, name: Option<&str>) -> Author {
    Author {
        handle: id.to_owned(),
        name: name.map(str::to_owned),
        url: Some(format!("https://www.dailymotion.com/{id}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::common::testing::mutations;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../fixtures/platforms/dailymotion/metadata.json")).unwrap()
    }

    fn resource() -> Resource {
        Dailymotion.route(&Url::parse("https://dai.ly/x5kesuj").unwrap()).unwrap()
    }

    #[test]
    fn a_video_is_read_whole() {
        let data = serde_json::json!({"description": "What it is about", "views_total": 9, "likes_total": 2});
        let (found, streams) = parse(&resource(), &fixture(), &data).unwrap();
        assert_eq!(found.title.as_deref(), Some("A party"));
        assert_eq!(found.description.as_deref(), Some("What it is about"));
        assert_eq!(found.author, Some(author("x1p7o", Some("Gus"))));
        assert_eq!((found.duration, found.sensitive), (Some(187.0), true));
        assert_eq!(found.created_at.unwrap().timestamp(), 1_767_614_400);
        assert_eq!(found.thumbnail.as_deref(), Some("https://s1.dmcdn.net/v/a/x1080"));
        assert_eq!((found.counts.view_count, found.counts.like_count), (Some(9), Some(2)));
        assert_eq!(streams.unwrap().host_str(), Some("cdndirector.dailymotion.com"));
        let whole = &found.items[0].renditions[0];
        assert_eq!((whole.width, whole.height), (Some(848), Some(480)));
    }

    #[test]
    fn every_other_answer_has_its_kind() {
        for (code, kind) in [
            ("DM001", "not_found"),
            ("DM002", "not_found"),
            ("DM003", "not_yet"),
            ("DM005", "not_found"),
            ("DM007", "geo_blocked"),
            ("DM008", "age_restricted"),
            ("DM010", "private"),
            ("DM012", "not_yet"),
            ("DM014", "platform_changed"),
            ("DM999", "platform_changed"),
        ] {
            let answer = serde_json::json!({"error": {"code": code, "title": "No"}});
            assert_eq!(parse(&resource(), &answer, &Value::Null).unwrap_err().code(), kind, "{code}");
        }
        for (answer, kind) in [
            (r#"{"error": {"title": "Enter the password"}}"#, "private"),
            (r#"{"mode": "live", "qualities": {}}"#, "live"),
            (r#"{"qualities": {}}"#, "platform_changed"),
            ("{}", "platform_changed"),
        ] {
            let answer = serde_json::from_str(answer).unwrap();
            assert_eq!(parse(&resource(), &answer, &Value::Null).unwrap_err().code(), kind, "{answer}");
        }
        for changed in mutations(&fixture()) {
            if let Ok((found, streams)) = parse(&resource(), &changed, &changed) {
                assert!(!found.items[0].renditions.is_empty() || streams.is_some(), "{changed}");
            }
        }
    }
}
