//! Two sites that the bot knows nothing about but the tools do: Streamable (yt-dlp) and Imgur albums (gallery-dl).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{LOWER, MIXED, Reply, Request, name_of, next, posted};
use crate::world::{media::Media, web::lock};

/// The model.
#[derive(Clone, Default)]
pub struct Elsewhere {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Answers of the APIs, by host and path.
    told: HashMap<(&'static str, String), Value>,
    /// Files, by host and path.
    files: HashMap<(&'static str, String), Media>,
}

impl Elsewhere {
    /// A video on Streamable; returns its public link.
    pub fn streamable(&self, title: &str, video: &Media) -> String {
        let id = name_of(next(), 6, LOWER);
        let path = format!("/video/mp4/{id}.mp4");
        let file = json!({
            "url": format!("https://cdn-cf-east.streamable.com{path}"), "status": 2, "width": video.width,
            "height": video.height, "size": video.bytes(), "framerate": 25, "bitrate": 400_000, "duration": video.seconds,
        });
        let told = json!({
            "status": 2, "percent": 100, "title": title, "date_added": posted().timestamp() as f64,
            "duration": video.seconds, "plays": 9, "url": format!("streamable.com/{id}"), "files": {"mp4": file},
            "thumbnail_url": null, "owner": {"user_name": "eve"},
        });
        let mut state = lock(&self.state);
        state.told.insert(("ajax.streamable.com", format!("/videos/{id}")), told.clone());
        state.told.insert(("api.streamable.com", format!("/videos/{id}")), told);
        state.files.insert(("cdn-cf-east.streamable.com", path), video.clone());
        format!("https://streamable.com/{id}")
    }

    /// An album on Imgur; returns its public link.
    pub fn imgur_album(&self, title: &str, images: &[Media]) -> String {
        let id = name_of(next(), 7, &MIXED[..62]);
        let created = posted().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut state = lock(&self.state);
        let mut media = Vec::new();
        for image in images {
            let name = name_of(next(), 7, &MIXED[..62]);
            let extension = if image.mime == "image/png" { "png" } else { "jpg" };
            let path = format!("/{name}.{extension}");
            media.push(json!({
                "id": name, "account_id": 0, "mime_type": image.mime, "type": "image", "name": "", "basename": "",
                "url": format!("https://i.imgur.com{path}"), "ext": extension, "width": image.width,
                "height": image.height, "size": image.bytes(), "created_at": created,
                "metadata": {"title": "", "description": "", "is_animated": false, "is_looping": false,
                             "duration": 0, "has_sound": false},
            }));
            state.files.insert(("i.imgur.com", path), image.clone());
        }
        let told = json!({
            "id": id, "account_id": 0, "title": title, "description": "", "view_count": 3, "image_count": images.len(),
            "is_album": true, "is_mature": false, "created_at": created, "url": format!("https://imgur.com/a/{id}"),
            "privacy": "public", "tags": [], "account": null, "media": media,
        });
        state.told.insert(("api.imgur.com", format!("/post/v1/albums/{id}")), told);
        format!("https://imgur.com/a/{id}")
    }

    /// Answers what is asked of these hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        let here = |place: &(&'static str, String)| place.0 == request.host && place.1 == request.path;
        let told = state.told.iter().find(|(place, _)| here(place)).map(|(_, told)| Reply::json(told));
        told.or_else(|| {
            let (_, media) = state.files.iter().find(|(place, _)| here(place))?;
            Some(Reply::file(&media.path, media.mime))
        })
    }
}
