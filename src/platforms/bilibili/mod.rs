//! Bilibili: single videos and the parts of longer ones in process, as visitors without an account get them. Series, lists,
//! posts and broadcasts by the tools.
//!
//! Three questions to `api.bilibili.com`: `x/web-interface/view` (what it is), `x/web-interface/nav` (the keys of the day) and
//! `x/player/wbi/playurl` (its streams, signed with them). Picture and sound are whole files, apart, whose hosts want the
//! site as referrer.

mod parse;
mod wbi;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        http,
        json::text,
        link::{Link, canonical, is_word},
    },
};
use crate::{
    model::{Error, Kind, MediaMetadata, PlatformId, Resource, ResourceKind, Result, Tool},
    settings::{PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("bilibili");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("bilibili")]) }

const HOSTS: &[&str] = &["bilibili.com", "www.bilibili.com", "m.bilibili.com"];

/// Parts of one video that a link may name.
const MAX_PART: usize = 2000;

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://www.bilibili.com/video/BV13x41117TL", "video BV13x41117TL https://www.bilibili.com/video/BV13x41117TL"),
    ("https://www.bilibili.com/video/bv13x41117TL/", "video BV13x41117TL https://www.bilibili.com/video/BV13x41117TL"),
    (
        "https://m.bilibili.com/video/BV13x41117TL?spm_id_from=333.1007&vd_source=x",
        "video BV13x41117TL https://www.bilibili.com/video/BV13x41117TL",
    ),
    ("http://www.bilibili.com/video/av1074402/", "video av1074402 https://www.bilibili.com/video/av1074402"),
    ("https://bilibili.com/video/AV1074402", "video av1074402 https://www.bilibili.com/video/av1074402"),
    (
        "https://www.bilibili.com/video/BV1bK411W797?p=2&t=10",
        "video BV1bK411W797#2 https://www.bilibili.com/video/BV1bK411W797?p=2",
    ),
    (
        "https://www.bilibili.com/video/BV1bK411W797?p=x",
        "video BV1bK411W797 https://www.bilibili.com/video/BV1bK411W797",
    ),
    (
        "https://www.bilibili.com/festival/bh3-7th?bvid=BV1tr4y1f7p2&",
        "video BV1tr4y1f7p2 https://www.bilibili.com/video/BV1tr4y1f7p2",
    ),
    (
        "https://www.bilibili.com/list/watchlater?oid=1&bvid=BV1tr4y1f7p2",
        "video BV1tr4y1f7p2 https://www.bilibili.com/video/BV1tr4y1f7p2",
    ),
    (
        "https://player.bilibili.com/player.html?aid=92494333&cid=157926707&page=1",
        "video av92494333 https://www.bilibili.com/video/av92494333",
    ),
    (
        "https://player.bilibili.com/player.html?isOutside=true&bvid=BV1tr4y1f7p2&p=3",
        "video BV1tr4y1f7p2#3 https://www.bilibili.com/video/BV1tr4y1f7p2?p=3",
    ),
    ("https://b23.tv/BV13x41117TL", "video BV13x41117TL https://www.bilibili.com/video/BV13x41117TL"),
    ("https://b23.tv/av1074402", "video av1074402 https://www.bilibili.com/video/av1074402"),
    ("https://b23.tv/Ya65brl?share_medium=android", "short_link Ya65brl https://b23.tv/Ya65brl"),
    ("https://bili2233.cn/Ya65brl", "short_link Ya65brl https://bili2233.cn/Ya65brl"),
    (
        "https://www.bilibili.com/bangumi/play/ep21495/",
        "unknown bangumi/play/ep21495 https://www.bilibili.com/bangumi/play/ep21495",
    ),
    (
        "https://www.bilibili.com/bangumi/play/ss26801",
        "playlist bangumi/play/ss26801 https://www.bilibili.com/bangumi/play/ss26801",
    ),
    (
        "https://www.bilibili.com/bangumi/media/md24097891",
        "playlist bangumi/media/md24097891 https://www.bilibili.com/bangumi/media/md24097891",
    ),
    ("https://www.bilibili.com/audio/au1003142", "unknown audio/au1003142 https://www.bilibili.com/audio/au1003142"),
    ("https://space.bilibili.com/3985676/video", "profile 3985676 https://space.bilibili.com/3985676"),
    ("https://space.bilibili.com/3985676", "profile 3985676 https://space.bilibili.com/3985676"),
    (
        "https://t.bilibili.com/998134289197432852",
        "post 998134289197432852 https://www.bilibili.com/opus/998134289197432852",
    ),
    (
        "https://www.bilibili.com/opus/998134289197432852?x=1",
        "post 998134289197432852 https://www.bilibili.com/opus/998134289197432852",
    ),
    ("https://live.bilibili.com/196", "unknown live/196 https://live.bilibili.com/196"),
    ("https://www.bilibili.com/", "generic"),
    ("https://www.bilibili.com/v/kichiku/mad", "generic"),
    ("https://www.bilibili.com/video/", "generic"),
    ("https://www.bilibili.com/video/BV13x41117T", "generic"),
    ("https://www.bilibili.com/video/BV13x41117T%2F", "generic"),
    ("https://www.bilibili.com/video/av12x", "generic"),
    ("https://player.bilibili.com/player.html", "generic"),
    ("https://b23.tv/", "generic"),
    ("https://b23.tv.evil.example/BV13x41117TL", "generic"),
    ("https://bilibili.com.evil.example/video/BV13x41117TL", "generic"),
    ("https://notbilibili.com/video/BV13x41117TL", "generic"),
    ("https://passport.bilibili.com/video/BV13x41117TL", "generic"),
    ("https://www.bilibili.com:8443/video/BV13x41117TL", "generic"),
    ("https://www.bilibili.com@evil.example/video/BV13x41117TL", "nothing"),
];

/// The platform.
pub struct Bilibili;

impl Platform for Bilibili {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Bilibili"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["bilibili.com", "b23.tv", "bili2233.cn"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        let part = link.query("p").and_then(|part| part.parse().ok()).filter(|part| (1..=MAX_PART).contains(part));
        match link.host() {
            host @ ("b23.tv" | "bili2233.cn") => match link.segments() {
                [id] if is_video(id) => video(id, part),
                [token] => short(host, token),
                _ => None,
            },
            "player.bilibili.com" => match link.query("bvid") {
                Some(id) => video(&id, part),
                None => video(&format!("av{}", link.query("aid")?), part),
            },
            "space.bilibili.com" => {
                let id = link.segments().first().filter(|id| is_number(id))?;
                let canonical = canonical("https://space.bilibili.com/", id)?;
                Some(Resource::new(ID, ResourceKind::Profile, *id, canonical))
            }
            "live.bilibili.com" => {
                let id = link.segments().last().filter(|id| is_number(id))?;
                let canonical = canonical("https://live.bilibili.com/", id)?;
                Some(Resource::new(ID, ResourceKind::Unknown, format!("live/{id}"), canonical))
            }
            "t.bilibili.com" => post(link.segments().first()?),
            host if HOSTS.contains(&host) => match link.segments() {
                ["video", id, ..] => video(id, part),
                ["festival" | "list", _] => video(&link.query("bvid")?, part),
                ["opus", id] => post(id),
                ["bangumi", "play", id] if id.starts_with("ep") => {
                    other(ResourceKind::Unknown, &["bangumi", "play", id])
                }
                ["bangumi", of @ ("play" | "media"), id] => other(ResourceKind::Playlist, &["bangumi", of, id]),
                ["audio", id] if id.starts_with("au") => other(ResourceKind::Unknown, &["audio", id]),
                _ => None,
            },
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
        let yt_dlp = tool(Tool::YtDlp, vec!["bili.*"], "knows videos, series and lists");
        match resource.kind {
            ResourceKind::ShortLink => Vec::new(),
            ResourceKind::Post => vec![tool(Tool::GalleryDl, Vec::new(), "loads the pictures of posts"), yt_dlp],
            _ => vec![yt_dlp],
        }
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, _resource: &Resource, tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        let Some(info) = raw.first().filter(|_| tool == Tool::YtDlp) else { return };
        metadata.author = text(info, "/uploader_id").map(|id| parse::author(id, text(info, "/uploader")));
    }
}

fn is_number(id: &str) -> bool {
    (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit())
}

/// `BV` and ten letters, or `av` and a number.
fn is_video(id: &str) -> bool {
    match id.split_at_checked(2) {
        Some((start, rest)) if start.eq_ignore_ascii_case("bv") => is_word(rest, "", 10..=10),
        Some((start, rest)) if start.eq_ignore_ascii_case("av") => is_number(rest),
        _ => false,
    }
}

fn video(id: &str, part: Option<usize>) -> Option<Resource> {
    is_video(id).then_some(())?;
    let (start, rest) = id.split_at_checked(2)?;
    let start = if start.eq_ignore_ascii_case("bv") { "BV" } else { "av" };
    let id = format!("{start}{rest}");
    let query = part.map(|part| format!("?p={part}")).unwrap_or_default();
    let canonical = canonical("https://www.bilibili.com/video/", &format!("{id}{query}"))?;
    Some(Resource { item: part, ..Resource::new(ID, ResourceKind::Video, id, canonical) })
}

fn short(host: &str, token: &str) -> Option<Resource> {
    is_word(token, "", 5..=16).then_some(())?;
    let canonical = canonical(&format!("https://{host}/"), token)?;
    Some(Resource::new(ID, ResourceKind::ShortLink, token, canonical))
}

fn post(id: &str) -> Option<Resource> {
    is_number(id).then_some(())?;
    Some(Resource::new(ID, ResourceKind::Post, id, canonical("https://www.bilibili.com/opus/", id)?))
}

fn other(kind: ResourceKind, parts: &[&str]) -> Option<Resource> {
    parts.iter().all(|part| is_word(part, "", 2..=24)).then_some(())?;
    let id = parts.join("/");
    let canonical = canonical("https://www.bilibili.com/", &id)?;
    Some(Resource::new(ID, kind, id, canonical))
}

#[async_trait]
impl Extractor for Bilibili {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        if resource.kind != ResourceKind::Video {
            return Err(Error::new(Kind::UnsupportedUrl, "in process only single videos are known"));
        }
        let about = match resource.id.strip_prefix("av") {
            Some(number) => format!("aid={number}"),
            None => format!("bvid={}", resource.id),
        };
        let about = format!("x/web-interface/view?{about}");
        let (view, nav) = tokio::join!(ask(cx, &about), ask(cx, "x/web-interface/nav"));
        let view = view?;
        let part = parse::part(resource, &view)?;
        let key = wbi::key(&nav?)?;
        let cid = part.cid.to_string();
        // Visitors without an account may look at better pictures for a while.
        let parameters = [("bvid", part.bvid.as_str()), ("cid", &cid), ("fnval", "4048"), ("try_look", "1")];
        let query = wbi::signed(&parameters, &key, chrono::Utc::now().timestamp());
        let streams = ask(cx, &format!("x/player/wbi/playurl?{query}")).await?;
        parse::video(resource, &view, &part, &streams)
    }
}

/// Asks the API. Its verdicts stand in the body; statuses are those of the guard before it.
async fn ask(cx: &ExtractContext<'_>, path: &str) -> Result<Value> {
    let url = canonical("https://api.bilibili.com/", path).ok_or_else(|| Error::internal("the API's address"))?;
    let request = cx.client.get(&url)?.header("referer", parse::REFERRER).header("origin", "https://www.bilibili.com");
    let answer = http::ask(cx.client, request).await?;
    match &answer.refusal {
        // The guard's own status for visitors it takes for machines.
        Some(refusal) if answer.status.as_u16() == 412 => {
            Err(Error::new(Kind::RateLimited { retry_after: None }, refusal.operator_text()))
        }
        _ => answer.told(),
    }
}
