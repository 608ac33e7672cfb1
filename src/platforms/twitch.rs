//! Twitch: clips in process. Recordings, collections and channels by yt-dlp, which follows their playlists; a channel
//! that broadcasts is a live stream.
//!
//! A clip is one question to `gql.twitch.tv`, as the site's player asks it: a stored query by its hash. The answer has the
//! files, and the token that their host wants.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        http,
        json::{float, int, link, list, text},
        link::{Link, canonical, is_word},
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
pub const ID: PlatformId = PlatformId("twitch");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::flag("twitch"),
        PlatformSpec::param(
            "twitch",
            "client_id",
            Some("ue6666qo983tsx6so1t0vnawi233wa"),
            "The public id as which the site's player asks gql.twitch.tv.",
        ),
        PlatformSpec::param(
            "twitch",
            "clip_query",
            Some("2db6a3b20eabf510bd3cf465ae2408834b59eb6b8af89ca73ab1486cacecfb63"),
            "The hash of the stored query `ShareClipRenderStatus`, by which clips are asked for.",
        ),
    ])
}

const HOSTS: &[&str] = &["twitch.tv", "www.twitch.tv", "m.twitch.tv", "go.twitch.tv"];

/// First path parts that are pages of the site, not channels.
const RESERVED: &[&str] = &[
    "broadcast",
    "clip",
    "collections",
    "creatorcamp",
    "dashboard",
    "directory",
    "downloads",
    "drops",
    "embed",
    "event",
    "friends",
    "inventory",
    "jobs",
    "legal",
    "login",
    "logout",
    "messages",
    "moderator",
    "p",
    "partner",
    "payments",
    "popout",
    "prime",
    "privacy",
    "products",
    "search",
    "settings",
    "signup",
    "store",
    "subs",
    "subscriptions",
    "team",
    "turbo",
    "u",
    "user",
    "videos",
    "wallet",
];

/// Sizes that are asked for: the best ones decide what is loaded.
const SIZES: usize = 3;

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    (
        "https://clips.twitch.tv/FaintLightGullWholeWheat",
        "video FaintLightGullWholeWheat https://clips.twitch.tv/FaintLightGullWholeWheat",
    ),
    (
        "https://clips.twitch.tv/FaintLightGullWholeWheat?tt_medium=redt&utm_source=x",
        "video FaintLightGullWholeWheat https://clips.twitch.tv/FaintLightGullWholeWheat",
    ),
    (
        "https://clips.twitch.tv/rflegendary/UninterestedBeeDAESuppy",
        "video UninterestedBeeDAESuppy https://clips.twitch.tv/UninterestedBeeDAESuppy",
    ),
    (
        "https://clips.twitch.tv/embed?clip=InquisitiveBreakableYogurtJebaited&parent=a.example",
        "video InquisitiveBreakableYogurtJebaited https://clips.twitch.tv/InquisitiveBreakableYogurtJebaited",
    ),
    (
        "https://www.twitch.tv/xqc/clip/CulturedAmazingKuduDatSheffy-TiZ_-ixAGYR3y2Uy?filter=clips",
        "video CulturedAmazingKuduDatSheffy-TiZ_-ixAGYR3y2Uy https://clips.twitch.tv/CulturedAmazingKuduDatSheffy-TiZ_-ixAGYR3y2Uy",
    ),
    (
        "https://m.twitch.tv/clip/FaintLightGullWholeWheat",
        "video FaintLightGullWholeWheat https://clips.twitch.tv/FaintLightGullWholeWheat",
    ),
    (
        "https://go.twitch.tv/rossbroadcast/clip/ConfidentBraveHumanChefFrank",
        "video ConfidentBraveHumanChefFrank https://clips.twitch.tv/ConfidentBraveHumanChefFrank",
    ),
    ("https://www.twitch.tv/videos/6528877?t=5m10s", "video videos/6528877 https://www.twitch.tv/videos/6528877"),
    ("https://www.twitch.tv/riotgames/v/6528877", "video videos/6528877 https://www.twitch.tv/videos/6528877"),
    ("https://m.twitch.tv/beagsandjam/v/247478721", "video videos/247478721 https://www.twitch.tv/videos/247478721"),
    (
        "https://www.twitch.tv/northernlion/video/291940395",
        "video videos/291940395 https://www.twitch.tv/videos/291940395",
    ),
    ("https://player.twitch.tv/?t=5m10s&video=v6528877", "video videos/6528877 https://www.twitch.tv/videos/6528877"),
    ("https://player.twitch.tv/?video=480452374", "video videos/480452374 https://www.twitch.tv/videos/480452374"),
    ("https://player.twitch.tv/?channel=Lotsofs", "profile lotsofs https://www.twitch.tv/lotsofs"),
    ("https://player.twitch.tv/?collection=wlDCoH0zEBZZbQ&video=v1", "video videos/1 https://www.twitch.tv/videos/1"),
    (
        "https://www.twitch.tv/collections/wlDCoH0zEBZZbQ",
        "playlist collections/wlDCoH0zEBZZbQ https://www.twitch.tv/collections/wlDCoH0zEBZZbQ",
    ),
    ("https://www.twitch.tv/Spamfish", "profile spamfish https://www.twitch.tv/spamfish"),
    ("https://go.twitch.tv/food/", "profile food https://www.twitch.tv/food"),
    ("https://m.twitch.tv/spamfish/profile", "profile spamfish https://www.twitch.tv/spamfish"),
    (
        "https://www.twitch.tv/spamfish/videos?filter=all",
        "playlist spamfish/videos https://www.twitch.tv/spamfish/videos",
    ),
    (
        "https://www.twitch.tv/vanillatv/clips?range=30d",
        "playlist vanillatv/clips https://www.twitch.tv/vanillatv/clips",
    ),
    ("https://www.twitch.tv/", "generic"),
    ("https://www.twitch.tv/directory/game/Chess", "generic"),
    ("https://www.twitch.tv/p/legal/terms-of-service", "generic"),
    ("https://www.twitch.tv/videos/", "generic"),
    ("https://www.twitch.tv/videos/12x", "generic"),
    ("https://clips.twitch.tv/", "generic"),
    ("https://clips.twitch.tv/embed", "generic"),
    ("https://clips.twitch.tv/a%2Fb", "generic"),
    ("https://dev.twitch.tv/docs", "generic"),
    ("https://twitch.tv.evil.example/xqc/clip/FaintLightGullWholeWheat", "generic"),
    ("https://nottwitch.tv/xqc/clip/FaintLightGullWholeWheat", "generic"),
    ("https://clips.twitch.tv.evil.example/FaintLightGullWholeWheat", "generic"),
    ("https://evil.clips.twitch.tv/FaintLightGullWholeWheat", "generic"),
    ("https://clips.twitch.tv:8443/FaintLightGullWholeWheat", "generic"),
    ("https://clips.twitch.tv@evil.example/FaintLightGullWholeWheat", "nothing"),
];

/// The platform.
pub struct Twitch;

impl Platform for Twitch {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Twitch"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["twitch.tv"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        match link.host() {
            "clips.twitch.tv" => match link.segments() {
                ["embed"] => clip(&link.query("clip")?),
                [slug] | [_, slug] => clip(slug),
                _ => None,
            },
            "player.twitch.tv" => match (link.query("video"), link.query("channel")) {
                (Some(id), _) => recording(id.strip_prefix('v').unwrap_or(&id)),
                (None, Some(name)) => channel(&name),
                (None, None) => None,
            },
            host if HOSTS.contains(&host) => match link.segments() {
                ["clip", slug] | [_, "clip", slug] => clip(slug),
                ["videos", id] | [_, "v" | "video", id] => recording(id),
                ["collections", id] if is_word(id, "_-", 4..=32) => list_of(&format!("collections/{id}")),
                [name] | [name, "profile" | "home" | "about" | "schedule"] => channel(name),
                [name, of @ ("videos" | "clips")] => list_of(&format!("{}/{of}", channel(name)?.id)),
                _ => None,
            },
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        vec![CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["twitch:.*"],
            args: Vec::new(),
            why: "knows clips, recordings and channels",
        }]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, _resource: &Resource, _tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        let Some(info) = raw.first() else { return };
        // Whom yt-dlp calls the uploader only cut the clip out.
        if let Some(name) = text(info, "/channel") {
            metadata.author = Some(author(&name.to_lowercase(), Some(name)));
        }
    }
}

fn clip(slug: &str) -> Option<Resource> {
    is_word(slug, "_-", 4..=128).then_some(())?;
    Some(Resource::new(ID, ResourceKind::Video, slug, canonical("https://clips.twitch.tv/", slug)?))
}

/// A finished stream or an upload.
fn recording(id: &str) -> Option<Resource> {
    ((1..=12).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
    let id = format!("videos/{id}");
    let canonical = canonical("https://www.twitch.tv/", &id)?;
    Some(Resource::new(ID, ResourceKind::Video, id, canonical))
}

fn channel(name: &str) -> Option<Resource> {
    let name = name.to_ascii_lowercase();
    (is_word(&name, "_", 3..=25) && !RESERVED.contains(&name.as_str())).then_some(())?;
    let canonical = canonical("https://www.twitch.tv/", &name)?;
    Some(Resource::new(ID, ResourceKind::Profile, name, canonical))
}

fn list_of(id: &str) -> Option<Resource> {
    Some(Resource::new(ID, ResourceKind::Playlist, id, canonical("https://www.twitch.tv/", id)?))
}

#[async_trait]
impl Extractor for Twitch {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.canonical.host_str() != Some("clips.twitch.tv") {
            return Err(Error::new(Kind::UnsupportedUrl, "in process only clips are known"));
        }
        let url = canonical("https://gql.twitch.tv/", "gql").ok_or_else(|| Error::internal("the API's address"))?;
        let setting = |key: &str| cx.param(key).ok_or_else(|| Error::internal(format!("TWITCH has no {key}")));
        let query = json!([{
            "operationName": "ShareClipRenderStatus",
            "variables": {"slug": resource.id},
            "extensions": {"persistedQuery": {"version": 1, "sha256Hash": setting("clip_query")?}},
        }]);
        let request = cx
            .client
            .request(reqwest::Method::POST, &url)?
            .header("client-id", setting("client_id")?)
            .header("content-type", "text/plain;charset=UTF-8")
            .body(query.to_string());
        let mut found = parse(resource, &http::ask(cx.client, request).await?.told()?)?;
        let renditions = found.items.iter_mut().flat_map(|item| &mut item.renditions).take(SIZES);
        join_all(renditions.map(|rendition| async {
            if let Some(url) = &rendition.url {
                rendition.bytes = http::size(cx.client, url, &rendition.headers).await;
                rendition.bytes_exact = rendition.bytes.is_some();
            }
        }))
        .await;
        Ok(found)
    }
}

/// Reads the answer: a list with one result.
fn parse(resource: &Resource, answer: &Value) -> Result<MediaMetadata> {
    let Some(clip) = answer.pointer("/0/data/clip") else {
        let said = text(answer, "/0/errors/0/message").unwrap_or("no /0/data/clip");
        return Err(Error::platform_changed(format!("gql.twitch.tv: {said}")));
    };
    if clip.is_null() {
        return Err(Error::new(Kind::NotFound, "Twitch has no such clip"));
    }
    let token = text(clip, "/playbackAccessToken/value");
    let (Some(token), Some(signature)) = (token, text(clip, "/playbackAccessToken/signature")) else {
        return Err(Error::platform_changed("a clip without /playbackAccessToken"));
    };
    // The first asset is the clip as it was broadcast; a second one is cut for phones.
    let asset = clip.pointer("/assets/0").unwrap_or(clip);
    let ratio = float(asset, "/aspectRatio").filter(|ratio| *ratio > 0.0);
    let mut renditions: Vec<Rendition> = list(asset, "/videoQualities")
        .iter()
        .filter_map(|quality| {
            let mut url = link(quality, "/sourceURL")?;
            url.query_pairs_mut().append_pair("sig", signature).append_pair("token", token);
            let height =
                int(quality, "/quality").and_then(|lines| u32::try_from(lines).ok()).filter(|lines| *lines > 0);
            Some(Rendition {
                format_id: text(quality, "/quality").map(str::to_owned),
                container: Some("mp4".to_owned()),
                width: height.zip(ratio).map(|(height, ratio)| (f64::from(height) * ratio).round() as u32),
                height,
                fps: float(quality, "/frameRate").filter(|fps| *fps > 0.0),
                expires_at: expiry(token),
                ..Rendition::at(url)
            })
        })
        .collect();
    if renditions.is_empty() {
        return Err(Error::platform_changed("a clip without /assets/0/videoQualities"));
    }
    renditions.sort_by_key(|rendition| std::cmp::Reverse((rendition.height, rendition.fps.map(|fps| fps as u32))));
    let duration = float(clip, "/durationSeconds").filter(|seconds| *seconds > 0.0);
    let id = text(clip, "/id").unwrap_or(&resource.id).to_owned();
    let broadcaster = |pointer: &str| text(clip, &format!("/broadcaster/{pointer}"));
    let handle = broadcaster("login").map(str::to_owned).or_else(|| Some(broadcaster("displayName")?.to_lowercase()));
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        title: text(clip, "/title").map(str::to_owned),
        author: handle.map(|handle| author(&handle, broadcaster("displayName"))),
        created_at: text(clip, "/createdAt").and_then(|at| DateTime::parse_from_rfc3339(at).ok()).map(|at| at.to_utc()),
        duration,
        thumbnail: text(asset, "/thumbnailURL").or_else(|| text(clip, "/thumbnailURL")).map(str::to_owned),
        counts: Counts { view_count: int(clip, "/viewCount"), ..Counts::default() },
        items: vec![Item { id: Some(id), duration, ..Item::new(FileType::Video, renditions) }],
        ..MediaMetadata::default()
    })
}

/// Until when the token works: it is JSON itself.
fn expiry(token: &str) -> Option<DateTime<Utc>> {
    let token: Value = serde_json::from_str(token).ok()?;
    DateTime::from_timestamp(int(&token, "/expires")?, 0)
}

fn author(handle: &str, name: Option<&str>) -> Author {
    Author {
        handle: handle.to_owned(),
        name: name.map(str::to_owned),
        url: Some(format!("https://www.twitch.tv/{handle}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::common::testing::mutations;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../fixtures/platforms/twitch/clip.json")).unwrap()
    }

    fn resource() -> Resource {
        Twitch.route(&Url::parse("https://clips.twitch.tv/FaintLightGullWholeWheat").unwrap()).unwrap()
    }

    #[test]
    fn a_clip_is_read_whole() {
        let found = parse(&resource(), &fixture()).unwrap();
        assert_eq!(found.title.as_deref(), Some("A long shot"));
        assert_eq!(found.author, Some(author("dora", Some("Dora"))));
        assert_eq!((found.duration, found.counts.view_count), (Some(32.0), Some(77)));
        assert_eq!(found.created_at.unwrap().to_rfc3339(), "2026-01-05T12:00:00+00:00");
        let best = &found.items[0].renditions[0];
        assert_eq!((best.width, best.height, best.fps), (Some(1920), Some(1080), Some(60.0)));
        assert_eq!(best.expires_at.unwrap().timestamp(), 1_893_456_000);
        let query: Vec<_> = best.url.as_ref().unwrap().query_pairs().map(|(name, _)| name.into_owned()).collect();
        assert_eq!(query, ["sig", "token"]);
        assert_eq!(found.items[0].renditions.len(), 2);
    }

    #[test]
    fn every_other_answer_has_its_kind() {
        for (answer, code) in [
            (r#"[{"data": {"clip": null}}]"#, "not_found"),
            (r#"[{"errors": [{"message": "PersistedQueryNotFound"}]}]"#, "platform_changed"),
            (r#"[{"data": {"clip": {"title": "a"}}}]"#, "platform_changed"),
            (r#"[{"data": {"clip": {"playbackAccessToken": {"value": "{}", "signature": "a"}}}}]"#, "platform_changed"),
            (r#"{"error": "Unauthorized"}"#, "platform_changed"),
        ] {
            let answer = serde_json::from_str(answer).unwrap();
            assert_eq!(parse(&resource(), &answer).unwrap_err().code(), code, "{answer}");
        }
        for changed in mutations(&fixture()) {
            if let Ok(found) = parse(&resource(), &changed) {
                assert!(!found.items[0].renditions.is_empty(), "{changed}");
            }
        }
    }
}
