//! VK: the question about a video, and the host of its files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::json;

use super::{Reply, Request, next, posted};
use crate::world::{media::Media, web::lock};

const FILES: &str = "vkvd1.mycdn.me";

/// The model.
#[derive(Clone, Default)]
pub struct Vk {
    videos: Arc<Mutex<HashMap<String, Video>>>,
}

struct Video {
    title: String,
    /// A file, or what the site says instead.
    content: Result<Media, &'static str>,
}

impl Vk {
    /// A public video; returns its public link.
    pub fn video(&self, title: &str, video: &Media) -> String {
        self.place(title, Ok(video.clone()))
    }

    /// A video in whose place the site says something.
    pub fn refused(&self, message: &'static str) -> String {
        self.place("Refused", Err(message))
    }

    fn place(&self, title: &str, content: Result<Media, &'static str>) -> String {
        let id = format!("-77521_{}", 456_239_000 + next());
        lock(&self.videos).insert(id.clone(), Video { title: title.into(), content });
        format!("https://vkvideo.ru/video{id}")
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let videos = lock(&self.videos);
        match (request.host.as_str(), &request.segments()[..]) {
            ("vk.com", ["al_video.php"]) => {
                let script = request.header("x-requested-with").is_some() && request.form("al").as_deref() == Some("1");
                if !script || request.form("act").as_deref() != Some("show") {
                    return Some(Reply::html("<!DOCTYPE html>"));
                }
                let id = request.form("video")?;
                let message = match videos.get(&id) {
                    Some(video) => match &video.content {
                        Ok(file) => return Some(Reply::json(&video.told(&id, file))),
                        Err(message) => *message,
                    },
                    None => "This video is no longer available, because it has been deleted.",
                };
                Some(Reply::json(&json!({"payload": ["8", [format!("\"{message}\"")]], "statsMeta": {}})))
            }
            (FILES, [id]) => {
                let file = videos.get(id.strip_suffix(".mp4")?)?.content.as_ref().ok()?;
                Some(Reply::file(&file.path, file.mime))
            }
            ("sun9-1.userapi.com", _) => Some(Reply::status(404)),
            _ => None,
        }
    }
}

impl Video {
    fn told(&self, id: &str, file: &Media) -> serde_json::Value {
        let name = format!("url{}", file.height);
        let mut player = json!({
            "vid": 1, "oid": -77521, "md_title": self.title, "md_author": "The tea club", "author_id": -77521,
            "date": posted().timestamp(), "duration": file.seconds, "jpg": "https://sun9-1.userapi.com/a.jpg", "live": 0,
        });
        player[name] = format!("https://{FILES}/{id}.mp4?expires=1893456000000&srcIp=1").into();
        let about = json!({
            "title": self.title, "desc": "What it is<br>about", "duration": file.seconds, "likes": 5, "commcount": 2,
        });
        let page = "<div class=\"mv_views_count\">1,234</div>";
        json!({"payload": ["0", [self.title, page, {"mvData": about, "player": {"params": [player]}}]], "statsMeta": {}})
    }
}
