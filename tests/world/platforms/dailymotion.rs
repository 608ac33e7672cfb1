//! Dailymotion: the player's metadata, the two data APIs (ours and yt-dlp's), and the hosts of its streams.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{LOWER, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, Dash},
    web::lock,
};

const STREAMS: &str = "cdndirector.dailymotion.com";

/// The model.
#[derive(Clone, Default)]
pub struct Dailymotion {
    videos: Arc<Mutex<HashMap<String, Video>>>,
}

struct Video {
    title: String,
    /// What it is made of, or the code with which the player refuses it.
    content: Result<Dash, &'static str>,
}

impl Dailymotion {
    /// A public video; returns its public link.
    pub fn video(&self, title: &str, streams: Dash) -> String {
        self.place(title, Ok(streams))
    }

    /// A video that the player refuses with a code such as `DM007`.
    pub fn refused(&self, code: &'static str) -> String {
        self.place("Refused", Err(code))
    }

    fn place(&self, title: &str, content: Result<Dash, &'static str>) -> String {
        let id = format!("x{}", name_of(next(), 7, LOWER));
        lock(&self.videos).insert(id.clone(), Video { title: title.into(), content });
        format!("https://www.dailymotion.com/video/{id}")
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let videos = lock(&self.videos);
        match (request.host.as_str(), &request.segments()[..]) {
            ("www.dailymotion.com", ["player", "metadata", "video", id]) => Some(match videos.get(*id) {
                Some(video) => Reply::json(&video.player(id)),
                None => Reply::json_status(404, &refusal("DM001")),
            }),
            ("api.dailymotion.com", ["video", id]) => Some(match videos.get(*id) {
                Some(_) => Reply::json(&json!({"description": "What it is about", "views_total": 9, "likes_total": 2})),
                None => Reply::json_status(404, &json!({"error": {"code": 404, "type": "not_found"}})),
            }),
            ("graphql.api.dailymotion.com", ["oauth", "token"]) => {
                Some(Reply::json(&json!({"access_token": "a-token-for-visitors", "token_type": "Bearer"})))
            }
            ("graphql.api.dailymotion.com", []) => {
                let asked: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let query = asked["query"].as_str().unwrap_or_default();
                let id = query.split("xid: \"").nth(1).and_then(|rest| rest.split('"').next())?;
                let media = videos.contains_key(id).then(|| {
                    json!({"xid": id, "description": "What it is about", "geoblockedCountries": {"allowed": []},
                           "stats": {"likes": {"total": 2}, "views": {"total": 9}}})
                });
                Some(Reply::json(&json!({"data": {"media": media}, "errors": [{"message": "Video not found"}]})))
            }
            (STREAMS, [id, name]) => match &videos.get(*id)?.content {
                Ok(streams) => Some(Reply::file(media::dash(streams).join(name), media::stream_type(name))),
                Err(_) => None,
            },
            ("s1.dmcdn.net", _) => Some(Reply::status(404)),
            _ => None,
        }
    }
}

fn refusal(code: &str) -> Value {
    json!({"error": {"code": code, "title": "Content not available", "raw_message": "This cannot be watched."}})
}

impl Video {
    fn player(&self, id: &str) -> Value {
        let streams = match &self.content {
            Ok(streams) => streams,
            Err(code) => return refusal(code),
        };
        json!({
            "id": id, "title": self.title, "mode": "vod", "duration": streams.seconds,
            "created_time": posted().timestamp(), "explicit": false, "tags": ["test"],
            "owner": {"id": "x1p7o", "screenname": "Gus", "username": "gus"},
            "posters": {"60": format!("https://s1.dmcdn.net/v/{id}/x60"), "720": format!("https://s1.dmcdn.net/v/{id}/x720")},
            "qualities": {"auto": [{
                "type": "application/x-mpegURL", "url": format!("https://{STREAMS}/{id}/HLSPlaylist.m3u8"),
            }]},
        })
    }
}
