//! YouTube: videos, shorts, finished live streams, clips; lists and channels by their first entries. By yt-dlp only:
//! the site's addresses need what its player's script computes, and yt-dlp follows that script.

use secrecy::ExposeSecret;
use url::Url;

use super::{
    CliTool, Platform,
    common::{
        json::{is, list, text},
        link::{Link, canonical, is_word},
    },
};
use crate::{
    model::{Extension, MediaMetadata, PlatformId, Resource, ResourceKind, Tool},
    settings::{PlatformSettings, PlatformSettingsOf, PlatformSpec},
};

/// The short name.
pub const ID: PlatformId = PlatformId("youtube");

inventory::submit! {
    PlatformSettingsOf(&[
        PlatformSpec::tools_only("youtube"),
        PlatformSpec::param(
            "youtube",
            "player_client",
            None,
            "The player clients that yt-dlp asks, as in its extractor arguments. Unset: its own choice.",
        ),
        PlatformSpec::param(
            "youtube",
            "player_skip",
            None,
            "The requests that yt-dlp leaves out, as in its extractor arguments.",
        ),
        PlatformSpec::param(
            "youtube",
            "lang",
            None,
            "The language that titles and descriptions are asked for in, such as `en`.",
        ),
        PlatformSpec::param(
            "youtube",
            "formats",
            None,
            "Which formats yt-dlp looks at, as in its extractor arguments.",
        ),
        PlatformSpec::secret(
            "youtube",
            "po_token",
            "Proof-of-origin tokens for yt-dlp, as in its extractor arguments.",
        ),
    ])
}

const HOSTS: &[&str] = &[
    "youtube.com",
    "www.youtube.com",
    "m.youtube.com",
    "music.youtube.com",
    "gaming.youtube.com",
    "youtube-nocookie.com",
    "www.youtube-nocookie.com",
];

/// Settings that are handed to yt-dlp as arguments of its YouTube extractor, under the same names. Some clients need
/// a script engine or tokens that others do not, and which ones changes over time.
const PARAMS: &[&str] = &["player_client", "player_skip", "lang", "formats", "po_token"];

/// Links and what they are, for tests and for people who read this file.
#[cfg(test)]
const LINKS: &[(&str, &str)] = &[
    ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://youtube.com/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("http://m.youtube.com/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ&si=abc",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://www.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ&t=42s",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    (
        "https://www.youtube.com/watch?list=PLabc&index=2&v=dQw4w9WgXcQ",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://www.youtube.com/watch/?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://www.youtube.com/watch?v=-_w4w9WgX-_", "video -_w4w9WgX-_ https://www.youtube.com/watch?v=-_w4w9WgX-_"),
    ("https://youtu.be/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://youtu.be/dQw4w9WgXcQ?si=AbCd&t=3", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://www.youtu.be/dQw4w9WgXcQ/", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://youtu.be/watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/shorts/dQw4w9WgXcQ?feature=share",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://www.youtube.com/live/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/embed/dQw4w9WgXcQ?start=3",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://www.youtube.com/v/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("https://www.youtube.com/e/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://youtube-nocookie.com/embed/dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3DdQw4w9WgXcQ%26feature%3Dshare",
        "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    ("https://WWW.YOUTUBE.COM./watch?v=dQw4w9WgXcQ", "video dQw4w9WgXcQ https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    (
        "https://www.youtube.com/clip/UgkxAbCd_-123456",
        "video UgkxAbCd_-123456 https://www.youtube.com/clip/UgkxAbCd_-123456",
    ),
    (
        "https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
        "playlist PLrAXtmErZgOe https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
    ),
    (
        "https://music.youtube.com/playlist?list=OLAK5uy_k&si=x",
        "playlist OLAK5uy_k https://www.youtube.com/playlist?list=OLAK5uy_k",
    ),
    (
        "https://www.youtube.com/embed/videoseries?list=PLrAXtmErZgOe",
        "playlist PLrAXtmErZgOe https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
    ),
    (
        "https://www.youtube.com/watch?list=PLrAXtmErZgOe",
        "playlist PLrAXtmErZgOe https://www.youtube.com/playlist?list=PLrAXtmErZgOe",
    ),
    ("https://www.youtube.com/@NASA", "profile @nasa https://www.youtube.com/@nasa"),
    ("https://www.youtube.com/@NASA/videos", "profile @nasa https://www.youtube.com/@nasa"),
    (
        "https://www.youtube.com/channel/UCLA_DiR1FfKNvjuUpBHmylQ",
        "profile channel/UCLA_DiR1FfKNvjuUpBHmylQ https://www.youtube.com/channel/UCLA_DiR1FfKNvjuUpBHmylQ",
    ),
    ("https://www.youtube.com/c/NASA", "profile c/NASA https://www.youtube.com/c/NASA"),
    (
        "https://www.youtube.com/user/NASAtelevision/featured",
        "profile user/NASAtelevision https://www.youtube.com/user/NASAtelevision",
    ),
    ("https://www.youtube.com/", "generic"),
    ("https://www.youtube.com/watch", "generic"),
    ("https://www.youtube.com/watch?v=", "generic"),
    ("https://www.youtube.com/watch?v=short", "generic"),
    ("https://www.youtube.com/watch?v=dQw4w9WgXcQQ", "generic"),
    ("https://www.youtube.com/watch?v=dQw4w9WgX%2FQ", "generic"),
    ("https://www.youtube.com/shorts/", "generic"),
    ("https://www.youtube.com/feed/trending", "generic"),
    ("https://www.youtube.com/attribution_link?u=https%3A%2F%2Fevil.example%2Fwatch%3Fv%3DdQw4w9WgXcQ", "generic"),
    ("https://www.youtube.com/attribution_link?u=%2Fattribution_link%3Fu%3Dx", "generic"),
    ("https://youtu.be/", "generic"),
    ("https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://notyoutube.com/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://evil.youtube.com/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://youtu.be.evil.example/dQw4w9WgXcQ", "generic"),
    ("https://www.youtube.com:8443/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://youtube.co/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://www.youtube.com@evil.example/watch?v=dQw4w9WgXcQ", "nothing"),
    ("https://www.уoutube.com/watch?v=dQw4w9WgXcQ", "generic"),
    ("https://evil.example/watch?v=dQw4w9WgXcQ", "generic"),
];

/// The platform.
pub struct Youtube {
    /// Arguments for yt-dlp's extractor, from the settings.
    args: Vec<String>,
}

impl Youtube {
    /// With the operator's choice of clients, if any.
    pub fn new(settings: Option<&PlatformSettings>) -> Self {
        Self { args: extractor_args(settings) }
    }
}

/// `--extractor-args youtube:player_client=…;player_skip=…`, or nothing.
fn extractor_args(settings: Option<&PlatformSettings>) -> Vec<String> {
    let given = |name: &&str| {
        let value = settings?.params.get(*name)?.expose_secret().trim().to_owned();
        (!value.is_empty()).then(|| format!("{name}={value}"))
    };
    let pairs: Vec<String> = PARAMS.iter().filter_map(given).collect();
    if pairs.is_empty() { Vec::new() } else { vec!["--extractor-args".into(), format!("youtube:{}", pairs.join(";"))] }
}

impl Platform for Youtube {
    fn id(&self) -> PlatformId {
        ID
    }

    fn name(&self) -> &'static str {
        "YouTube"
    }

    fn domains(&self) -> &'static [&'static str] {
        &["youtube.com", "youtu.be", "youtube-nocookie.com"]
    }

    #[cfg(test)]
    fn links(&self) -> &'static [(&'static str, &'static str)] {
        LINKS
    }

    fn route(&self, url: &Url) -> Option<Resource> {
        let link = Link::of(url)?;
        match link.host() {
            "youtu.be" | "www.youtu.be" => match link.segments() {
                ["watch"] => video(&link.query("v")?),
                [id] => video(id),
                _ => None,
            },
            host if HOSTS.contains(&host) => on_site(&link, url),
            _ => None,
        }
    }

    fn cli(&self, resource: &Resource) -> Vec<CliTool> {
        if resource.kind == ResourceKind::ShortLink {
            return Vec::new();
        }
        vec![CliTool {
            tool: Tool::YtDlp,
            url: resource.canonical.clone(),
            extractors: vec!["youtube", "youtube:.*"],
            args: self.args.clone(),
            why: "the only path that keeps up with YouTube's player",
        }]
    }

    fn refine(&self, _resource: &Resource, _tool: Tool, raw: &[serde_json::Value], metadata: &mut MediaMetadata) {
        let Some(info) = raw.first() else { return };
        let Some(video_id) = text(info, "/id") else { return };
        let owned = |pointer: &str| text(info, pointer).map(str::to_owned);
        let words = |pointer: &str| {
            list(info, pointer).iter().filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        metadata.extension = Some(Extension::Youtube {
            video_id: video_id.to_owned(),
            channel_name: owned("/channel").or_else(|| owned("/uploader")),
            channel_id: owned("/channel_id"),
            upload_date: owned("/upload_date"),
            categories: words("/categories"),
            tags: words("/tags"),
            is_livestream: is(info, "/was_live")
                || is(info, "/is_live")
                || matches!(text(info, "/live_status"), Some("is_live" | "was_live" | "post_live")),
            format_info: owned("/format"),
        });
    }
}

fn video(id: &str) -> Option<Resource> {
    is_word(id, "_-", 11..=11).then_some(())?;
    Some(Resource::new(ID, ResourceKind::Video, id, canonical("https://www.youtube.com/watch?v=", id)?))
}

fn playlist(list: &str) -> Option<Resource> {
    is_word(list, "_-", 2..=64).then_some(())?;
    Some(Resource::new(ID, ResourceKind::Playlist, list, canonical("https://www.youtube.com/playlist?list=", list)?))
}

fn profile(id: &str) -> Option<Resource> {
    Some(Resource::new(ID, ResourceKind::Profile, id, canonical("https://www.youtube.com/", id)?))
}

fn on_site(link: &Link<'_>, url: &Url) -> Option<Resource> {
    match link.segments() {
        ["watch"] => match link.query("v") {
            Some(id) => video(&id),
            None => playlist(&link.query("list")?),
        },
        ["playlist"] | ["embed", "videoseries"] => playlist(&link.query("list")?),
        ["shorts" | "live" | "embed" | "v" | "e" | "watch", id, ..] => video(id),
        ["clip", id] if is_word(id, "_-", 4..=64) => {
            Some(Resource::new(ID, ResourceKind::Video, *id, canonical("https://www.youtube.com/clip/", id)?))
        }
        ["attribution_link"] => {
            // The target is a path on the same site; one that is another such link is somebody's game.
            let inner = url.join(&link.query("u")?).ok()?;
            let inner_link = Link::of(&inner)?;
            (HOSTS.contains(&inner_link.host()) && inner_link.segments() == ["watch"]).then_some(())?;
            video(&inner_link.query("v")?)
        }
        [handle, ..] if handle.starts_with('@') => {
            // Handles may hold letters of any script, percent-encoded here.
            is_word(&handle[1..], "._-%", 1..=200).then_some(())?;
            profile(&handle.to_ascii_lowercase())
        }
        ["channel", id, ..] if is_word(id, "_-", 4..=64) => profile(&format!("channel/{id}")),
        [of @ ("c" | "user"), name, ..] if is_word(name, "._-%", 1..=200) => profile(&format!("{of}/{name}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_youtube_has_is_kept() {
        let info = serde_json::json!({
            "id": "dQw4w9WgXcQ", "channel": "Cara", "channel_id": "UC1", "upload_date": "20240305", "live_status": "was_live",
            "categories": ["Music"], "tags": ["tone", "sine"], "format": "137 - 1080p + 140 - audio only",
        });
        let youtube = Youtube::new(None);
        let resource = youtube.route(&Url::parse("https://youtu.be/dQw4w9WgXcQ").unwrap()).unwrap();
        let mut metadata = MediaMetadata::default();
        youtube.refine(&resource, Tool::YtDlp, &[info], &mut metadata);
        assert_eq!(
            metadata.extension,
            Some(Extension::Youtube {
                video_id: "dQw4w9WgXcQ".into(),
                channel_name: Some("Cara".into()),
                channel_id: Some("UC1".into()),
                upload_date: Some("20240305".into()),
                categories: vec!["Music".into()],
                tags: vec!["tone".into(), "sine".into()],
                is_livestream: true,
                format_info: Some("137 - 1080p + 140 - audio only".into()),
            })
        );
        // What a tool did not tell leaves the rest alone.
        let mut untouched = MediaMetadata::default();
        youtube.refine(&resource, Tool::YtDlp, &[], &mut untouched);
        assert_eq!(untouched, MediaMetadata::default());
    }

    #[test]
    fn the_operators_choice_of_clients_reaches_yt_dlp() {
        assert!(extractor_args(None).is_empty());
        let mut settings = PlatformSettings::default();
        assert!(extractor_args(Some(&settings)).is_empty());
        settings.params.insert("player_client".into(), "visionos".into());
        settings.params.insert("player_skip".into(), "webpage,configs".into());
        assert_eq!(
            extractor_args(Some(&settings)),
            ["--extractor-args", "youtube:player_client=visionos;player_skip=webpage,configs"]
        );
        settings.params.clear();
        settings.params.insert("player_client".into(), "visionos;player_skip=webpage".into());
        assert_eq!(extractor_args(Some(&settings))[1], "youtube:player_client=visionos;player_skip=webpage");
    }
}
