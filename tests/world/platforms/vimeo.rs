//! Vimeo: the player's page and configuration, and the hosts of its files and streams.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{Reply, Request, next};
use crate::world::{
    media::{self, Dash, Media},
    web::lock,
};

const FILES: &str = "vod-progressive.akamaized.net";
const STREAMS: &str = "fastly.vimeocdn.com";

/// The model.
#[derive(Clone, Default)]
pub struct Vimeo {
    videos: Arc<Mutex<HashMap<String, VimeoVideo>>>,
}

/// What a video is made of.
#[derive(Debug, Clone)]
pub enum VimeoMedia {
    /// One whole file.
    File(Media),
    /// Streams only, sound apart.
    Streams(Dash),
}

/// A video to place.
#[derive(Debug, Clone)]
pub struct VimeoVideo {
    /// Its title.
    pub title: String,
    /// What it is made of.
    pub media: VimeoMedia,
    /// The hash in the links of an unlisted one.
    pub hash: Option<String>,
    /// Who may see it.
    pub access: VimeoAccess,
}

/// Who may see a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VimeoAccess {
    /// Everybody.
    Public,
    /// Only on certain pages.
    Private,
    /// Whoever knows the password.
    Password,
    /// Everybody, but it is still being broadcast.
    Live,
}

impl VimeoVideo {
    /// A public video.
    pub fn of(title: &str, media: VimeoMedia) -> Self {
        Self { title: title.into(), media, hash: None, access: VimeoAccess::Public }
    }
}

impl Vimeo {
    /// Places a video; returns its public link.
    pub fn video(&self, video: VimeoVideo) -> String {
        let id = (76_000_000 + next()).to_string();
        let hash = video.hash.as_ref().map(|hash| format!("/{hash}")).unwrap_or_default();
        lock(&self.videos).insert(id.clone(), video);
        format!("https://vimeo.com/{id}{hash}")
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "player.vimeo.com" => match request.segments()[..] {
                ["video", id] => Some(self.page(id, request)),
                ["video", id, "config"] => Some(self.config(id, request)),
                _ => None,
            },
            FILES => {
                let id = request.path.strip_prefix('/')?.strip_suffix(".mp4")?;
                match &lock(&self.videos).get(id)?.media {
                    VimeoMedia::File(file) => Some(Reply::file(&file.path, file.mime)),
                    VimeoMedia::Streams(_) => None,
                }
            }
            STREAMS => {
                let [id, name] = request.segments()[..] else { return None };
                match &lock(&self.videos).get(id)?.media {
                    VimeoMedia::Streams(dash) => {
                        Some(Reply::file(media::dash(dash).join(name), media::stream_type(name)))
                    }
                    VimeoMedia::File(_) => None,
                }
            }
            "i.vimeocdn.com" => Some(Reply::status(404)),
            _ => None,
        }
    }

    fn told(&self, id: &str, request: &Request) -> Result<Value, (u16, &'static str)> {
        let videos = lock(&self.videos);
        let known = videos.get(id).filter(|video| video.hash == request.param("h"));
        let video = known.ok_or((404, "The page could not be found"))?;
        match video.access {
            VimeoAccess::Private => Err((403, "Because of its privacy settings, this video cannot be played here.")),
            VimeoAccess::Password => {
                Ok(json!({"view": 4, "request": {}, "video": {"id": id.parse::<u64>().unwrap_or(0)}}))
            }
            VimeoAccess::Public | VimeoAccess::Live => Ok(video.told(id)),
        }
    }

    fn config(&self, id: &str, request: &Request) -> Reply {
        match self.told(id, request) {
            Ok(told) => Reply::json(&told),
            Err((status, message)) => Reply::json_status(status, &json!({"message": message, "title": "Sorry"})),
        }
    }

    /// The page with the player, as it stands in frames.
    fn page(&self, id: &str, request: &Request) -> Reply {
        match self.told(id, request) {
            Ok(told) => Reply::html(&format!(
                "<!DOCTYPE html><html><body><script>window.playerConfig = {told}</script></body></html>"
            )),
            Err((status, message)) => Reply::new(status, "text/html", format!("<!DOCTYPE html><h1>{message}</h1>")),
        }
    }
}

impl VimeoVideo {
    fn told(&self, id: &str) -> Value {
        let (seconds, files) = match &self.media {
            VimeoMedia::File(file) => {
                let whole = json!({
                    "profile": 164, "width": file.width, "height": file.height, "fps": 25,
                    "quality": format!("{}p", file.height), "mime": "video/mp4", "url": format!("https://{FILES}/{id}.mp4"),
                });
                (file.seconds, json!({"progressive": [whole]}))
            }
            VimeoMedia::Streams(dash) => {
                let master = format!("https://{STREAMS}/{id}/HLSPlaylist.m3u8");
                let networks = json!({"fastly_skyfire": {"url": master}});
                (dash.seconds, json!({"hls": {"default_cdn": "fastly_skyfire", "cdns": networks, "separate_av": true}}))
            }
        };
        let live = (self.access == VimeoAccess::Live).then(|| json!({"status": "started"}));
        let still = |width: u32| format!("https://i.vimeocdn.com/video/{id}_{width}");
        json!({
            "view": 1, "request": {"files": files, "text_tracks": []}, "embed": {},
            "video": {
                "id": id.parse::<u64>().unwrap_or(0), "title": self.title, "duration": seconds,
                "owner": {"id": 152_184, "name": "Fay", "url": "https://vimeo.com/fay"},
                "thumbs": {"640": still(640), "1280": still(1280), "base": format!("https://i.vimeocdn.com/video/{id}")},
                "live_event": live,
            },
        })
    }
}
