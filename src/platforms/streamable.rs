//! Streamable: one short video a link. The API of its own page tells everything without a session; yt-dlp asks the same.

use async_trait::async_trait;
use chrono::DateTime;
use serde_json::Value;
use url::Url;

use super::{
    CliTool, ExtractContext, Extractor, Platform,
    common::{
        expiry, http, json,
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
pub const ID: PlatformId = PlatformId("streamable");

inventory::submit! { PlatformSettingsOf(&[PlatformSpec::flag("streamable")]) }

const HOSTS: &[&str] = &["streamable.com", "www.streamable.com"];

const API: &str = "https://ajax.streamable.com/videos/";

/// First path parts that are pages of the site.
const RESERVED: &[&str] = &[
    "about",
    "apps",
    "blog",
    "business",
    "contact",
    "content",
    "documentation",
    "dmca",
    "faq",
    "features",
    "help",
    "login",
    "oembed",
    "pricing",
    "privacy",
    "recover",
    "settings",
    "signup",
    "terms",
    "upload",
];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://streamable.com/dnd1", "video dnd1 https://streamable.com/dnd1"),
    ("http://www.streamable.com/dnd1/", "video dnd1 https://streamable.com/dnd1"),
    ("https://streamable.com/e/dnd1?autoplay=1", "video dnd1 https://streamable.com/dnd1"),
    ("https://streamable.com/o/dnd1", "video dnd1 https://streamable.com/dnd1"),
    ("https://streamable.com/s/okkqk/drxjds", "video okkqk https://streamable.com/okkqk"),
    ("https://streamable.com/moo?src=player-page-share#t=3", "video moo https://streamable.com/moo"),
    ("https://streamable.com/", "generic"),
    ("https://streamable.com/login", "generic"),
    ("https://streamable.com/e/", "generic"),
    ("https://streamable.com/e/dnd1/more", "generic"),
    ("https://streamable.com/dnd-1", "generic"),
    ("https://streamable.com/dnd%2F1", "generic"),
    ("https://ajax.streamable.com/videos/dnd1", "generic"),
    ("https://streamable.com.evil.example/dnd1", "generic"),
    ("https://evil-streamable.com/dnd1", "generic"),
    ("https://streamable.com:444/dnd1", "generic"),
    ("https://streamable.com@evil.example/dnd1", "nothing"),
];

/// The platform.
pub struct Streamable;

impl Platform for Streamable {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "Streamable"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["streamable.com"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        if !HOSTS.contains(&link.host()) {
            return None;
        }
        let id = match link.segments() {
            ["e" | "o", id] | ["s", id, ..] => *id,
            [id] if !RESERVED.contains(id) => *id,
            _ => return None,
        };
        is_word(id, "", 2..=12).then_some(())?;
        Some(Resource::new(ID, ResourceKind::Video, id, canonical("https://streamable.com/", id)?))
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        vec![CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["streamable"],
            args: Vec::new(),
            why: "knows Streamable",
        }]
    }

    fn extractor(&self) -> Option<&dyn Extractor> {
        Some(self)
    }

    fn refine(&self, _resource: &Resource, _tool: Tool, raw: &[Value], metadata: &mut MediaMetadata) {
        let Some(info) = raw.first() else { return };
        metadata.author = json::text(info, "/uploader").map(author);
        metadata.created_at = json::float(info, "/timestamp").and_then(moment);
        // Its link is signed.
        metadata.thumbnail = None;
        for item in &mut metadata.items {
            item.kind = FileType::Video;
        }
    }
}

#[async_trait]
impl Extractor for Streamable {
    async fn extract(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let url = canonical(API, &resource.id).ok_or_else(|| Error::internal("the API's address"))?;
        let answer = http::ask(cx.client, cx.client.get(&url)?).await?;
        if let Some(refusal) = answer.refusal {
            return Err(refusal);
        }
        parse(resource, &answer.json()?)
    }
}

/// Reads the API's answer. `status`: 0 being uploaded, 1 being processed, 2 at least one file is ready, 3 broken.
///
/// # Errors
/// `not_yet`, `not_found`, or `platform_changed` for what is no such answer.
fn parse(resource: &Resource, video: &Value) -> Result<MediaMetadata> {
    match json::int(video, "/status") {
        Some(2) => {}
        Some(0 | 1) => return Err(Error::new(Kind::NotYet, "Streamable is still processing the video")),
        Some(3) => return Err(Error::new(Kind::NotFound, "Streamable says that the video is broken")),
        other => return Err(Error::platform_changed(format!("/status is {other:?}"))),
    }
    let duration = json::float(video, "/duration").filter(|seconds| *seconds > 0.0);
    let files = video.get("files").and_then(Value::as_object);
    let mut renditions: Vec<_> =
        files.into_iter().flatten().filter_map(|(format, file)| rendition(format, file)).collect();
    renditions.sort_by_key(|rendition| std::cmp::Reverse((rendition.short_side(), rendition.bitrate)));
    if renditions.is_empty() {
        return Err(Error::platform_changed("no file in /files"));
    }
    let item = Item { id: Some(resource.id.clone()), duration, ..Item::new(FileType::Video, renditions) };
    Ok(MediaMetadata {
        platform: ID.0.to_owned(),
        url: resource.canonical.to_string(),
        id: resource.id.clone(),
        // A video that was taken from a Reddit post keeps that post's title.
        title: json::text(video, "/reddit_title").or_else(|| json::text(video, "/title")).and_then(non_empty),
        description: json::text(video, "/description").and_then(non_empty),
        author: json::text(video, "/owner/user_name").map(author),
        created_at: json::float(video, "/date_added").and_then(moment),
        duration,
        counts: Counts { view_count: json::int(video, "/plays"), ..Counts::default() },
        items: vec![item],
        ..MediaMetadata::default()
    })
}

fn rendition(format: &str, file: &Value) -> Option<Rendition> {
    let url = json::text(file, "/url")?;
    // Some answers leave the scheme to the page that embeds the video.
    let url = json::web_link(&if url.starts_with("//") { format!("https:{url}") } else { url.to_owned() })?;
    let bytes = json::positive(file, "/size");
    Some(Rendition {
        format_id: Some(format.to_owned()),
        container: Some("mp4".to_owned()),
        width: json::positive(file, "/width"),
        height: json::positive(file, "/height"),
        fps: json::float(file, "/framerate").filter(|rate| *rate > 0.0),
        bitrate: json::positive(file, "/bitrate"),
        bytes,
        bytes_exact: bytes.is_some(),
        expires_at: expiry::told_by(&url, "Expires", 10),
        ..Rendition::at(url)
    })
}

fn author(name: &str) -> Author {
    Author { handle: name.to_owned(), ..Author::default() }
}

/// Whole seconds: yt-dlp and the API differ in the fraction.
fn moment(seconds: f64) -> Option<DateTime<chrono::Utc>> {
    DateTime::from_timestamp(seconds as i64, 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platforms::common::testing::mutations;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../fixtures/platforms/streamable/video.json")).unwrap()
    }

    fn read(video: &Value) -> Result<MediaMetadata> {
        parse(&Streamable.route(&Url::parse("https://streamable.com/dnd1").unwrap()).unwrap(), video)
    }

    #[test]
    fn a_ready_video_has_its_renditions_best_first() {
        let video = read(&fixture()).unwrap();
        assert_eq!(video.title.as_deref(), Some("A goal"));
        assert_eq!(video.author.unwrap().handle, "teabaker");
        let renditions = &video.items[0].renditions;
        assert_eq!(renditions.iter().map(Rendition::short_side).collect::<Vec<_>>(), [Some(720), Some(360)]);
        assert_eq!(renditions[0].expires_at.unwrap().timestamp(), 1_770_000_000);
        assert_eq!(renditions[0].url.as_ref().unwrap().scheme(), "https");
    }

    #[test]
    fn what_is_not_ready_says_so() {
        for (video, code) in [
            (json!({"status": 0}), "not_yet"),
            (json!({"status": 1}), "not_yet"),
            (json!({"status": 3}), "not_found"),
            (json!({"status": 2, "files": {}}), "platform_changed"),
            (json!({"status": 2, "files": {"mp4": {"url": "file:///etc/passwd"}}}), "platform_changed"),
            (json!({"message": "hello"}), "platform_changed"),
        ] {
            assert_eq!(read(&video).unwrap_err().code(), code, "{video}");
        }
        for changed in mutations(&fixture()) {
            let _ = read(&changed);
        }
    }
}
