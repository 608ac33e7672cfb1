//! Vimeo: videos with and without the hash that unlisted ones have in their links. Shows, lists and films for sale by
//! yt-dlp.
//!
//! `GET player.vimeo.com/video/ID/config` is what the embedded player asks; signed out it is the only page that still tells
//! everything, which is why yt-dlp gets the player's link too. It knows neither dates nor counts.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        hls, http,
        json::{float, int, link, list, positive, text},
        link::{Link, canonical, is_word},
    },
};
use crate::{
    model::{
        Author, Error, FileType, Item, Kind, MediaMetadata, PlatformId, Rendition, Resource, ResourceKind, Result, Tool,
    },
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("vimeo");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("vimeo")]) }

const HOSTS: &[&str] = &["vimeo.com", "www.vimeo.com"];

/// First path parts that are pages of the site, not people.
const RESERVED: &[&str] = &[
    "about",
    "album",
    "blog",
    "business",
    "categories",
    "channels",
    "community",
    "create",
    "developer",
    "event",
    "events",
    "explore",
    "features",
    "for-hire",
    "forgot_password",
    "groups",
    "help",
    "home",
    "join",
    "jobs",
    "library",
    "live",
    "log_in",
    "login",
    "manage",
    "moogaloop.swf",
    "ondemand",
    "ott",
    "playground",
    "plus",
    "premium",
    "press",
    "privacy",
    "pro",
    "search",
    "settings",
    "showcase",
    "sign_up",
    "site_map",
    "solutions",
    "staff",
    "stock",
    "store",
    "terms",
    "upgrade",
    "upload",
    "user",
    "video",
    "videoschool",
    "watch",
    "watchlater",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://vimeo.com/76979871", "video 76979871 https://vimeo.com/76979871"),
    ("http://www.vimeo.com/56015672#at=0", "video 56015672 https://vimeo.com/56015672"),
    ("https://vimeo.com/76979871?share=copy", "video 76979871 https://vimeo.com/76979871"),
    ("https://vimeo.com/160743502/abd0e13fb4", "video 160743502:abd0e13fb4 https://vimeo.com/160743502/abd0e13fb4"),
    ("https://vimeo.com/160743502?h=abd0e13fb4", "video 160743502:abd0e13fb4 https://vimeo.com/160743502/abd0e13fb4"),
    (
        "https://player.vimeo.com/video/160743502?h=abd0e13fb4&autoplay=1",
        "video 160743502:abd0e13fb4 https://vimeo.com/160743502/abd0e13fb4",
    ),
    ("https://player.vimeo.com/video/54469442", "video 54469442 https://vimeo.com/54469442"),
    ("https://vimeo.com/channels/keypeele/75629013", "video 75629013 https://vimeo.com/75629013"),
    ("https://vimeo.com/channels/31259/53576664", "video 53576664 https://vimeo.com/53576664"),
    ("https://vimeo.com/groups/travelhd/videos/22439234", "video 22439234 https://vimeo.com/22439234"),
    ("https://vimeo.com/album/2632481/video/79010983", "video 79010983 https://vimeo.com/79010983"),
    ("https://vimeo.com/showcase/3253534/video/119195465", "video 119195465 https://vimeo.com/119195465"),
    ("https://vimeo.com/showcase/3253534?video=119195465", "video 119195465 https://vimeo.com/119195465"),
    ("https://vimeo.com/video/54469442", "video 54469442 https://vimeo.com/54469442"),
    (
        "https://vimeo.com/manage/videos/54469442/abd0e13fb4",
        "video 54469442:abd0e13fb4 https://vimeo.com/54469442/abd0e13fb4",
    ),
    ("http://vimeo.com/moogaloop.swf?clip_id=2539741", "video 2539741 https://vimeo.com/2539741"),
    ("https://vimeo.com/mgmt/75629013", "video 75629013 https://vimeo.com/75629013"),
    ("https://vimeo.com/channels/tributes", "playlist channels/tributes https://vimeo.com/channels/tributes"),
    ("https://vimeo.com/groups/kattykay", "playlist groups/kattykay https://vimeo.com/groups/kattykay"),
    ("https://vimeo.com/showcase/3253534", "playlist showcase/3253534 https://vimeo.com/showcase/3253534"),
    ("https://vimeo.com/album/2632481", "playlist showcase/2632481 https://vimeo.com/showcase/2632481"),
    ("https://vimeo.com/nkistudio/videos", "profile nkistudio https://vimeo.com/nkistudio"),
    ("https://vimeo.com/user7108434", "profile user7108434 https://vimeo.com/user7108434"),
    ("https://vimeo.com/ondemand/20704", "unknown ondemand/20704 https://vimeo.com/ondemand/20704"),
    ("https://vimeo.com/event/4154130", "unknown event/4154130 https://vimeo.com/event/4154130"),
    (
        "https://vimeo.com/user21297594/review/75524534/3c257a1b5d",
        "unknown user21297594/review/75524534/3c257a1b5d https://vimeo.com/user21297594/review/75524534/3c257a1b5d",
    ),
    ("https://vimeo.com/", "generic"),
    ("https://vimeo.com/upgrade", "generic"),
    ("https://vimeo.com/76979871x!", "generic"),
    ("https://player.vimeo.com/video/", "generic"),
    ("https://developer.vimeo.com/76979871", "generic"),
    ("https://vimeo.com.evil.example/76979871", "generic"),
    ("https://notvimeo.com/76979871", "generic"),
    ("https://player.vimeo.com.evil.example/video/54469442", "generic"),
    ("https://evil.player.vimeo.com/video/54469442", "generic"),
    ("https://vimeo.com:8443/76979871", "generic"),
    ("https://vimeo.com@evil.example/76979871", "nothing"),
];

/// The platform.
pub struct Vimeo;

impl Platform for Vimeo {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Vimeo"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["vimeo.com"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        let hash = link.query("h");
        match link.host() {
            "player.vimeo.com" => match link.segments() {
                ["video", id] => video(id, hash.as_deref()),
                _ => None,
            },
            host if HOSTS.contains(&host) => match link.segments() {
                [id] if is_number(id) => video(id, hash.as_deref()),
                [id, hash] if is_number(id) => video(id, Some(hash)),
                ["video" | "videos", id] => video(id, hash.as_deref()),
                ["manage", "videos", id] => video(id, None),
                ["manage", "videos", id, hash] => video(id, Some(hash)),
                ["moogaloop.swf"] => video(&link.query("clip_id")?, None),
                ["channels", _, id] if is_number(id) => video(id, None),
                ["groups", _, "videos", id] => video(id, None),
                ["album" | "showcase", list] => match link.query("video") {
                    Some(id) => video(&id, hash.as_deref()),
                    None => is_number(list).then(|| other(ResourceKind::Playlist, &format!("showcase/{list}")))?,
                },
                ["album" | "showcase", _, "video", id] => video(id, hash.as_deref()),
                [of @ ("channels" | "groups"), name, ..] if is_word(name, "_-", 1..=64) => {
                    other(ResourceKind::Playlist, &format!("{of}/{name}"))
                }
                [of @ ("ondemand" | "event"), id, ..] if is_word(id, "_-", 1..=64) => {
                    other(ResourceKind::Unknown, &format!("{of}/{id}"))
                }
                [user, "review", id, hash] if is_word(user, "_-", 1..=64) && is_number(id) && is_hash(hash) => {
                    other(ResourceKind::Unknown, &format!("{user}/review/{id}/{hash}"))
                }
                [user, id] if is_number(id) && is_person(user) => video(id, None),
                [user] | [user, "videos" | "about"] if is_person(user) => {
                    other(ResourceKind::Profile, &user.to_ascii_lowercase())
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        vec![CliTool {
            tool: Tool::YtDlp,
            // Signed out, yt-dlp gets nothing from the page of a video itself.
            url: player(resource).unwrap_or_else(|| resource.canonical.clone()),
            extractors: vec!["vimeo", "vimeo:.*"],
            args: Vec::new(),
            why: "knows the player, and lists",
        }]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, _resource: &Resource, _tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        let Some(info) = raw.first() else { return };
        metadata.author = text(info, "/uploader_url").and_then(|url| author(url, text(info, "/uploader")));
    }
}

fn is_number(id: &str) -> bool {
    (1..=12).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}

fn is_hash(hash: &str) -> bool {
    (8..=16).contains(&hash.len()) && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_person(name: &str) -> bool {
    is_word(name, "_-", 2..=64) && !RESERVED.contains(&name.to_ascii_lowercase().as_str()) && !is_number(name)
}

/// A video; the hash of an unlisted one belongs to its id, for without it there is no such video.
fn video(id: &str, hash: Option<&str>) -> Option<Resource> {
    is_number(id).then_some(())?;
    match hash {
        Some(hash) => {
            is_hash(hash).then_some(())?;
            let canonical = canonical("https://vimeo.com/", &format!("{id}/{hash}"))?;
            Some(Resource::new(ID, ResourceKind::Video, format!("{id}:{hash}"), canonical))
        }
        None => Some(Resource::new(ID, ResourceKind::Video, id, canonical("https://vimeo.com/", id)?)),
    }
}

fn other(kind: ResourceKind, id: &str) -> Option<Resource> {
    Some(Resource::new(ID, kind, id, canonical("https://vimeo.com/", id)?))
}

/// The address of a video's player; none for what is no video.
fn player(resource: &Resource) -> Option<Url> {
    (resource.kind == ResourceKind::Video).then_some(())?;
    let (id, hash) = resource.id.split_once(':').map_or((resource.id.as_str(), None), |(id, hash)| (id, Some(hash)));
    let hash = hash.map(|hash| format!("?h={hash}")).unwrap_or_default();
    canonical("https://player.vimeo.com/video/", &format!("{id}{hash}"))
}

#[async_trait]
impl Extractor for Vimeo {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let Some(mut url) = player(resource) else {
            return Err(Error::new(Kind::UnsupportedUrl, "in process only single videos are known"));
        };
        url.set_path(&format!("{}/config", url.path()));
        let request = cx.client.get(&url)?.header("referer", "https://vimeo.com/").header("accept", "application/json");
        let answer = http::ask(cx.client, request).await?;
        if let Some(refusal) = &answer.refusal {
            return Err(refused(refusal, answer.json().unwrap_or_default()));
        }
        let (mut found, streams) = parse(resource, &answer.json()?)?;
        let Some(item) = found.items.first_mut() else { return Err(Error::internal("a video is one item")) };
        if let Some(master) = streams {
            match hls::variants(cx.client, &master, &BTreeMap::new()).await {
                Ok(variants) => item.renditions.extend(variants),
                Err(error) if item.renditions.is_empty() => return Err(error),
                Err(error) => tracing::debug!(%error, "the playlist of a Vimeo video cannot be had"),
            }
        }
        Ok(found)
    }
}

/// What a refusal of the player means. `body` says why.
fn refused(refusal: &Error, body: Value) -> Error {
    let said = text(&body, "/message").or_else(|| text(&body, "/title")).unwrap_or_default().to_lowercase();
    let kind = match refusal.kind() {
        Kind::LoginRequired if said.contains("privacy") || said.contains("private") => Kind::Private,
        Kind::LoginRequired if said.contains("country") || said.contains("region") => Kind::GeoBlocked,
        kind => kind.clone(),
    };
    Error::new(kind, format!("{}: {said}", refusal.operator_text()))
}

/// Reads the player's configuration: the video with its whole files, and the playlist of its streams.
fn parse(resource: &Resource, config: &Value) -> Result<(MediaMetadata, Option<Url>)> {
    // 4 is the form that asks for a password.
    if int(config, "/view") == Some(4) {
        return Err(Error::new(Kind::Private, "Vimeo wants a password").with_detail("it is protected by a password"));
    }
    let video = &config["video"];
    match text(video, "/live_event/status") {
        Some("started") => return Err(Error::new(Kind::Live, "Vimeo says that it is being broadcast")),
        Some("pending" | "active") => {
            return Err(Error::new(Kind::NotYet, "Vimeo says that the broadcast has not begun"));
        }
        _ => {}
    }
    let id = int(video, "/id").map(|id| id.to_string());
    if id.is_none() || id.as_deref() != resource.id.split(':').next() {
        return Err(Error::platform_changed("/video/id is not that of the video asked for"));
    }
    let files = if video["files"].is_object() { &video["files"] } else { &config["request"]["files"] };
    let mut renditions: Vec<Rendition> = list(files, "/progressive").iter().filter_map(whole).collect();
    renditions.sort_by_key(|rendition| std::cmp::Reverse(rendition.short_side()));
    let streams = playlist(&files["hls"]);
    if renditions.is_empty() && streams.is_none() {
        if int(video, "/status") == Some(2) || text(video, "/state").is_some_and(|state| state == "transcoding") {
            return Err(Error::new(Kind::NotYet, "Vimeo is still processing it"));
        }
        return Err(Error::platform_changed("neither /request/files/progressive nor /request/files/hls"));
    }
    let duration = float(video, "/duration").filter(|seconds| *seconds > 0.0);
    let width = |name: &String| name.parse::<u32>().ok();
    let stills = video["thumbs"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(name, link)| Some((width(name), link.as_str()?)));
    Ok((
        MediaMetadata {
            platform: ID.0.to_owned(),
            url: resource.canonical.to_string(),
            id: resource.id.clone(),
            title: text(video, "/title").map(str::to_owned),
            author: text(video, "/owner/url").and_then(|url| author(url, text(video, "/owner/name"))),
            duration,
            thumbnail: stills.max().map(|(_, link)| link.to_owned()),
            items: vec![Item { id, duration, ..Item::new(FileType::Video, renditions) }],
            ..MediaMetadata::default()
        },
        streams,
    ))
}

fn whole(file: &Value) -> Option<Rendition> {
    Some(Rendition {
        format_id: text(file, "/quality").map(|quality| format!("http-{quality}")),
        container: Some("mp4".to_owned()),
        width: positive(file, "/width"),
        height: positive(file, "/height"),
        fps: float(file, "/fps").filter(|fps| *fps > 0.0),
        ..Rendition::at(link(file, "/url")?)
    })
}

/// The master playlist at the network that Vimeo prefers; H.264 where there are several codecs.
fn playlist(hls: &Value) -> Option<Url> {
    let networks = hls["cdns"].as_object()?;
    let preferred = text(hls, "/default_cdn").and_then(|name| networks.get(name));
    let link_of = |network: &Value| link(network, "/avc_url").or_else(|| link(network, "/url"));
    preferred.into_iter().chain(networks.values()).find_map(link_of)
}

/// Whose page it is: `https://vimeo.com/NAME`.
fn author(url: &str, name: Option<&str>) -> Option<Author> {
    let handle = url.trim_end_matches('/').rsplit('/').next().filter(|handle| is_word(handle, "_-", 1..=64))?;
    Some(Author {
        handle: handle.to_owned(),
        name: name.map(str::to_owned),
        url: Some(format!("https://vimeo.com/{handle}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::common::testing::mutations;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../fixtures/platforms/vimeo/config.json")).unwrap()
    }

    fn resource() -> Resource {
        Vimeo.route(&Url::parse("https://vimeo.com/76979871").unwrap()).unwrap()
    }

    #[test]
    fn a_video_is_read_whole() {
        let (found, streams) = parse(&resource(), &fixture()).unwrap();
        assert_eq!(found.title.as_deref(), Some("The new player"));
        assert_eq!(found.author.unwrap().handle, "staff");
        assert_eq!(found.duration, Some(62.0));
        assert_eq!(found.thumbnail.as_deref(), Some("https://i.vimeocdn.com/video/1_1280"));
        let sides: Vec<_> = found.items[0].renditions.iter().map(Rendition::short_side).collect();
        assert_eq!(sides, [Some(720), Some(360)]);
        assert_eq!(streams.unwrap().host_str(), Some("fastly.vimeocdn.com"));
    }

    #[test]
    fn every_other_answer_has_its_kind() {
        for (config, code) in [
            (r#"{"view": 4}"#, "private"),
            (r#"{"video": {"id": 76979871, "live_event": {"status": "started"}}}"#, "live"),
            (r#"{"video": {"id": 76979871, "live_event": {"status": "pending"}}}"#, "not_yet"),
            (r#"{"video": {"id": 1}}"#, "platform_changed"),
            (r#"{"video": {"id": 76979871}, "request": {"files": {}}}"#, "platform_changed"),
            (r#"{"video": {"id": 76979871, "status": 2}}"#, "not_yet"),
            ("{}", "platform_changed"),
        ] {
            let config = serde_json::from_str(config).unwrap();
            assert_eq!(parse(&resource(), &config).unwrap_err().code(), code, "{config}");
        }
        for (status, body, code) in [
            (Kind::NotFound, r#"{"title": "Sorry"}"#, "not_found"),
            (
                Kind::LoginRequired,
                r#"{"message": "Because of its privacy settings, this video cannot be played here."}"#,
                "private",
            ),
            (Kind::LoginRequired, r#"{"message": "not available in your country"}"#, "geo_blocked"),
            (Kind::LoginRequired, "null", "login_required"),
            (Kind::RateLimited { retry_after: None }, "null", "rate_limited"),
        ] {
            let error = refused(&Error::new(status, "player.vimeo.com"), serde_json::from_str(body).unwrap());
            assert_eq!(error.code(), code, "{body}");
        }
        for changed in mutations(&fixture()) {
            if let Ok((found, streams)) = parse(&resource(), &changed) {
                assert!(!found.items[0].renditions.is_empty() || streams.is_some(), "{changed}");
            }
        }
    }
}
