//! The model of Streamable: its page's API and its files.

use std::sync::Arc;

use serde_json::json;

use super::{LOWER, Reply, Request, name_of, next, posted};
use crate::world::{media::Media, web::Plain};

/// The model.
#[derive(Clone, Default)]
pub struct Streamable {
    placed: Arc<Plain>,
}

impl Streamable {
    /// A video; returns its public link.
    pub fn video(&self, title: &str, video: &Media) -> String {
        let id = name_of(next(), 6, LOWER);
        let path = format!("/video/mp4/{id}.mp4");
        let file = json!({
            "url": format!("//cdn-cf-east.streamable.com{path}?Expires=4102444800&Signature=x"), "status": 2,
            "width": video.width, "height": video.height, "size": video.bytes(), "framerate": 25, "bitrate": 400_000,
            "duration": video.seconds,
        });
        let told = json!({
            "status": 2, "percent": 100, "title": title, "date_added": posted().timestamp() as f64 + 0.35,
            "duration": video.seconds, "plays": 9, "url": format!("streamable.com/{id}"), "files": {"mp4": file},
            "thumbnail_url": null, "owner": {"user_name": "eve"},
        });
        self.placed.put("ajax.streamable.com", &format!("/videos/{id}"), Reply::json(&told));
        self.placed.put("cdn-cf-east.streamable.com", &path, Reply::file(&video.path, video.mime));
        format!("https://streamable.com/{id}")
    }

    /// A link to a video in another state than ready: 0 being uploaded, 1 being processed, 3 broken.
    pub fn in_state(&self, status: u8) -> String {
        let id = name_of(next(), 6, LOWER);
        let told = json!({"status": status, "percent": 40, "title": "", "files": {}});
        self.placed.put("ajax.streamable.com", &format!("/videos/{id}"), Reply::json(&told));
        format!("https://streamable.com/{id}")
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        self.placed.answer(request)
    }
}
