//! The model of SoundCloud: the page and script that hold the client id, the web client's API, and files.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{LOWER, Reply, Request, name_of, next, posted};
use crate::world::{
    media::Media,
    web::{Plain, lock},
};

/// The model.
#[derive(Clone, Default)]
pub struct Soundcloud {
    placed: Arc<Plain>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What there is, by its public link.
    told: Vec<(String, Value)>,
    /// How often the client id changed.
    generation: u64,
    /// Whether the page itself tells the client id.
    in_page: bool,
}

/// What people may hear of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoundcloudAccess {
    /// All of it.
    Open,
    /// All of it, and the upload.
    Downloadable,
    /// A preview.
    Preview,
    /// Nothing in this country.
    Blocked,
    /// Protected streams only.
    Protected,
}

impl Soundcloud {
    /// A track of `ann`; returns its public link.
    pub fn track(&self, title: &str, sound: &Media, access: SoundcloudAccess) -> String {
        let name = name_of(next(), 12, LOWER);
        self.place_track(title, sound, access, &format!("https://soundcloud.com/ann/{name}"))
    }

    /// A track that only those who have its link may hear; returns the link.
    pub fn secret_track(&self, title: &str, sound: &Media) -> String {
        let name = name_of(next(), 12, LOWER);
        let link = format!("https://soundcloud.com/ann/{name}/s-Tok3n");
        self.place_track(title, sound, SoundcloudAccess::Open, &link)
    }

    /// A set of tracks, of which only the first comes with it, as on the site; returns its public link.
    pub fn set(&self, title: &str, tracks: &[String]) -> String {
        let link = format!("https://soundcloud.com/ann/sets/{}", name_of(next(), 12, LOWER));
        let mut state = lock(&self.state);
        let of = |link: &String| state.told.iter().find(|(known, _)| known == link).expect("a track").1.clone();
        let mut tracks: Vec<Value> = tracks.iter().map(of).collect();
        for track in tracks.iter_mut().skip(1) {
            *track = json!({"id": track["id"], "kind": "track", "policy": "ALLOW"});
        }
        let set = json!({
            "kind": "playlist", "id": next(), "title": title, "description": null, "permalink_url": link,
            "created_at": created(), "user": user(), "likes_count": 3, "reposts_count": 2, "artwork_url": null,
            "tracks": tracks, "track_count": tracks.len(),
        });
        state.told.push((link.clone(), set));
        link
    }

    /// From now on the API refuses the client id, and the scripts hold another.
    pub fn change_client_id(&self) {
        lock(&self.state).generation += 1;
    }

    /// From now on the page itself tells the client id.
    pub fn tell_in_page(&self) {
        lock(&self.state).in_page = true;
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        let client_id = format!("{:032}", 1234 + state.generation);
        match (request.host.as_str(), request.segments().as_slice()) {
            ("soundcloud.com", []) => {
                let client = json!([{"hydratable": "apiClient", "data": {"id": client_id, "isExpiring": false}}]);
                let data = if state.in_page { client } else { json!([{"hydratable": "geoip"}]) };
                Some(Reply::html(&format!(
                    r#"<script>window.__sc_hydration = {data};</script>
                       <script crossorigin src="https://a-v2.sndcdn.com/assets/49-one.js"></script>
                       <script crossorigin src="https://a-v2.sndcdn.com/assets/0-two.js"></script>"#
                )))
            }
            ("a-v2.sndcdn.com", ["assets", "49-one.js"]) => Some(Reply::new(
                200,
                "application/javascript",
                format!(r#"var e={{client_id:"{client_id}",env:"production"}};"#),
            )),
            ("a-v2.sndcdn.com", ["assets", "0-two.js"]) => Some(Reply::new(200, "application/javascript", "var n=1;")),
            ("api-v2.soundcloud.com", _) if request.param("client_id").as_deref() != Some(client_id.as_str()) => {
                Some(Reply::status(401))
            }
            ("api-v2.soundcloud.com", ["resolve"]) => {
                let link = request.param("url")?;
                Some(told(&state, |known, _| *known == link))
            }
            ("api-v2.soundcloud.com", ["tracks"]) => {
                let ids = request.param("ids")?;
                let wanted = |track: &Value| ids.split(',').any(|id| is(track, id));
                let tracks: Vec<_> = state.told.iter().filter(|(_, told)| wanted(told)).map(|(_, told)| told).collect();
                Some(Reply::json(&json!(tracks)))
            }
            ("api-v2.soundcloud.com", ["tracks", id]) => Some(told(&state, |_, told| is(told, id))),
            _ => self.placed.answer(request),
        }
    }

    fn place_track(&self, title: &str, sound: &Media, access: SoundcloudAccess, link: &str) -> String {
        let id = 123_000_000 + next();
        let files = "cf-media.sndcdn.com";
        let file = self.placed.put(files, &format!("/{id}.128.mp3"), Reply::file(&sound.path, sound.mime));
        let question = format!("/media/soundcloud:tracks:{id}/aa/stream/progressive");
        let answer = Reply::json(&json!({"url": format!("{file}?Policy=x&Signature=y")}));
        let question = self.placed.put("api-v2.soundcloud.com", &question, answer);
        if access == SoundcloudAccess::Downloadable {
            let original = self.placed.put(files, &format!("/{id}.original"), Reply::file(&sound.path, sound.mime));
            let answer = Reply::json(&json!({"redirectUri": original}));
            self.placed.put("api-v2.soundcloud.com", &format!("/tracks/{id}/download"), answer);
        }
        let artwork = format!("https://i1.sndcdn.com/artworks-{id}");
        for size in ["original", "large", "t500x500"] {
            let picture = crate::world::media::jpg(360);
            self.placed.put(
                "i1.sndcdn.com",
                &format!("/artworks-{id}-{size}.jpg"),
                Reply::file(picture.path, picture.mime),
            );
        }
        let protocol = if access == SoundcloudAccess::Protected { "ctr-encrypted-hls" } else { "progressive" };
        let stream = json!({
            "url": question, "preset": "mp3_1_0", "duration": sound.seconds * 1000,
            "snipped": access == SoundcloudAccess::Preview,
            "format": {"protocol": protocol, "mime_type": "audio/mpeg"}, "quality": "sq",
        });
        let policy = match access {
            SoundcloudAccess::Preview => "SNIP",
            SoundcloudAccess::Blocked => "BLOCK",
            _ => "ALLOW",
        };
        let track = json!({
            "kind": "track", "id": id, "title": title, "description": "Hummed", "duration": sound.seconds * 1000,
            "created_at": created(), "permalink_url": link, "artwork_url": format!("{artwork}-large.jpg"),
            "likes_count": 3, "playback_count": 1200, "comment_count": 1, "reposts_count": 2, "user": user(),
            "downloadable": access == SoundcloudAccess::Downloadable, "has_downloads_left": true, "policy": policy,
            "state": "finished", "track_authorization": "token", "media": {"transcodings": [stream]},
        });
        lock(&self.state).told.push((link.to_owned(), track));
        link.to_owned()
    }
}

fn told(state: &State, matches: impl Fn(&String, &Value) -> bool) -> Reply {
    let found = state.told.iter().find(|(link, told)| matches(link, told));
    found.map_or_else(|| Reply::json_status(404, &json!({})), |(_, told)| Reply::json(told))
}

/// Whether something has this number.
fn is(told: &Value, id: &str) -> bool {
    told["id"].as_u64().is_some_and(|number| id.parse() == Ok(number))
}

fn created() -> String {
    posted().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn user() -> Value {
    json!({"id": 7, "permalink": "ann", "username": "Ann Example", "permalink_url": "https://soundcloud.com/ann",
           "avatar_url": "https://a1.sndcdn.com/avatars-x-large.jpg"})
}
