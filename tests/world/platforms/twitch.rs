//! Twitch: the questions about clips, and the host of their files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{MIXED, Reply, Request, name_of, next, posted};
use crate::world::{media::Media, web::lock};

const FILES: &str = "production.assets.clips.twitchcdn.net";

/// The model.
#[derive(Clone, Default)]
pub struct Twitch {
    clips: Arc<Mutex<HashMap<String, Clip>>>,
}

struct Clip {
    title: String,
    video: Media,
}

impl Twitch {
    /// A clip; returns its public link.
    pub fn clip(&self, title: &str, video: &Media) -> String {
        let slug = format!("FaintLightGull-{}", name_of(next(), 16, &MIXED[..62]));
        lock(&self.clips).insert(slug.clone(), Clip { title: title.into(), video: video.clone() });
        format!("https://www.twitch.tv/dora/clip/{slug}")
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "gql.twitch.tv" => Some(self.query(request)),
            FILES => self.file(request),
            "static-cdn.jtvnw.net" => Some(Reply::status(404)),
            _ => None,
        }
    }

    fn query(&self, request: &Request) -> Reply {
        if request.header("client-id").is_none() {
            return Reply::json_status(
                400,
                &json!({"error": "Bad Request", "message": "The \"Client-ID\" header is missing."}),
            );
        }
        let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let asked = &asked[0];
        if asked["operationName"] != "ShareClipRenderStatus" || asked["extensions"]["persistedQuery"]["version"] != 1 {
            return Reply::json(&json!([{"errors": [{"message": "PersistedQueryNotFound"}]}]));
        }
        let slug = asked["variables"]["slug"].as_str().unwrap_or_default();
        let clip = lock(&self.clips).get(slug).map(|clip| clip.told(slug));
        Reply::json(&json!([{"data": {"clip": clip}}]))
    }

    fn file(&self, request: &Request) -> Option<Reply> {
        let slug = request.path.strip_prefix("/v2/")?.strip_suffix(".mp4")?;
        if request.param("sig")? != "0a1b2c" || !request.param("token")?.contains(slug) {
            return Some(Reply::status(403));
        }
        let clips = lock(&self.clips);
        let clip = clips.get(slug)?;
        Some(Reply::file(&clip.video.path, clip.video.mime))
    }
}

impl Clip {
    fn told(&self, slug: &str) -> Value {
        let token = json!({"clip_slug": slug, "expires": 1_893_456_000}).to_string();
        let quality = json!({
            "quality": self.video.height.to_string(), "frameRate": 25,
            "sourceURL": format!("https://{FILES}/v2/{slug}.mp4"),
        });
        json!({
            "id": "3207364882", "slug": slug, "title": self.title,
            "createdAt": posted().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "durationSeconds": self.video.seconds, "viewCount": 77,
            "thumbnailURL": "https://static-cdn.jtvnw.net/small.jpg",
            "broadcaster": {"id": "71092938", "login": "dora", "displayName": "Dora", "isPartner": false,
                            "followers": {"totalCount": 5}},
            "curator": {"id": "744085721", "displayName": "eve"},
            "game": {"displayName": "Just Chatting"},
            "playbackAccessToken": {"signature": "0a1b2c", "value": token},
            "assets": [{
                "aspectRatio": f64::from(self.video.width) / f64::from(self.video.height),
                "thumbnailURL": "https://static-cdn.jtvnw.net/large.jpg",
                "videoQualities": [quality],
            }],
        })
    }
}
