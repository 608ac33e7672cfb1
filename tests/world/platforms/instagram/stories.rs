//! Stories and highlights, as people with an account get them: by the API that we ask (and yt-dlp), and by the queries of the
//! web application, which gallery-dl finds out about as a browser does: the page names scripts, a script names the queries.

use serde_json::{Value, json};

use super::{
    FILES, Instagram, InstagramItem, Reply, Request, has_session, next, number_of, posted, to_login, with_session,
};
use crate::world::{
    media::{self, Media},
    web::lock,
};

/// Where the web application's scripts are.
pub(super) const SCRIPTS: &str = "static.cdninstagram.com";
/// The only one that counts.
const SCRIPT: &str = "/rsrc.php/v4/yA/r/world.js";

/// The queries by name, and the ids that the script gives them.
const PERSON: (&str, &str) = ("PolarisProfilePageContentQuery", "7100000000000001");
/// See [`PERSON`].
const REELS: (&str, &str) = ("PolarisStoriesV3ReelPageGalleryQuery", "7100000000000002");

/// The tokens that pages carry and queries must repeat.
const LSD: &str = "AVqWorldLsd";
/// See [`LSD`].
const DTSG: &str = "NAcWorldDtsg:17:1";

/// Somebody whose stories can be seen.
#[derive(Clone)]
pub(super) struct Person {
    pub id: String,
    handle: String,
}

impl Person {
    fn record(&self) -> Value {
        json!({
            "pk": self.id, "id": self.id, "username": self.handle, "full_name": "Somebody", "is_private": false,
            "profile_pic_url": format!("https://{FILES}/v/t51.2885-19/face.jpg"),
        })
    }
}

impl Instagram {
    /// Places stories of an account, and a highlight with the same in it; returns the links of the account's stories, of its
    /// first story, and of the highlight.
    pub fn stories(&self, handle: &str, media: &[Media]) -> [String; 3] {
        let items: Vec<InstagramItem> = media.iter().map(InstagramItem::of).collect();
        let person = Person { id: number_of(next()).to_string(), handle: handle.to_owned() };
        let highlight = number_of(next()).to_string();
        let first = items.first().map(|item| item.pk).unwrap_or_default();
        let objects: Vec<Value> = items
            .iter()
            .map(|item| {
                let mut object = item.object();
                object["taken_at"] = json!(posted().timestamp());
                object["expiring_at"] = json!(posted().timestamp() + 86_400);
                object
            })
            .collect();
        let mut state = lock(&self.state);
        for item in &items {
            if item.is_video() {
                state.files.insert(item.video_path(), item.media.clone());
                state.files.insert(item.image_path(), media::jpg(96));
            } else {
                state.files.insert(item.image_path(), item.media.clone());
            }
        }
        let seen = posted().timestamp();
        for (id, kind, title) in [
            (person.id.clone(), "user_reel", Value::Null),
            (format!("highlight:{highlight}"), "highlight_reel", json!("Kettles")),
        ] {
            let reel = json!({
                "id": id, "reel_type": kind, "title": title, "user": person.record(), "items": objects,
                "seen": seen, "latest_reel_media": seen,
            });
            state.reels.insert(id, reel);
        }
        state.people.insert(handle.to_owned(), person);
        let at = |rest: &str| format!("https://www.instagram.com/stories/{rest}/");
        [at(handle), at(&format!("{handle}/{first}")), at(&format!("highlights/{highlight}"))]
    }

    /// The number of an account.
    pub(super) fn profile(&self, request: &Request) -> Reply {
        if !has_session(request) {
            return to_login(request);
        }
        let state = lock(&self.state);
        match request.param("username").and_then(|handle| state.people.get(&handle)) {
            Some(person) => Reply::json(&json!({"data": {"user": {"id": person.id}}, "status": "ok"})),
            None => Reply::json_status(404, &json!({"message": "User not found", "status": "fail"})),
        }
    }

    /// Stories by the API.
    pub(super) fn reels(&self, request: &Request) -> Reply {
        if !has_session(request) {
            return to_login(request);
        }
        let id = request.param("reel_ids").unwrap_or_default();
        let reel = lock(&self.state).reels.get(&id).cloned();
        let reels: serde_json::Map<String, Value> = reel.map(|reel| (id, reel)).into_iter().collect();
        Reply::json(&json!({"reels": reels, "status": "ok"}))
    }

    /// The page of an account, and that of its stories: both tell its number.
    pub(super) fn person_page(&self, request: &Request, handle: &str) -> Option<Reply> {
        let person = lock(&self.state).people.get(handle).cloned()?;
        if !has_session(request) {
            return Some(to_login(request));
        }
        let data = json!({
            "params": {"username": handle},
            "rootView": {"props": {"profile_id": person.id}},
            "user": person.record(),
        });
        Some(application(&data))
    }

    /// The front page: visitors get a token, people with an account the application.
    pub(super) fn front(&self, request: &Request) -> Reply {
        if has_session(request) {
            return application(&json!({}));
        }
        with_session(Reply::html(&format!(
            "<!DOCTYPE html><script>requireLazy([\"LSD\",[],{{\"token\":\"{LSD}\"}},323])</script>"
        )))
    }

    /// What the application asks by name; `None`: not one of the queries here.
    pub(super) fn application_query(&self, request: &Request) -> Option<Reply> {
        let name = request.form("fb_api_req_friendly_name")?;
        let (_, id) = [PERSON, REELS].into_iter().find(|(known, _)| *known == name)?;
        let allowed = has_session(request)
            && request.form("doc_id").as_deref() == Some(id)
            && request.form("fb_dtsg").as_deref() == Some(DTSG)
            && request.form("lsd").as_deref() == Some(LSD)
            && request.header("x-fb-lsd") == Some(LSD);
        if !allowed {
            return Some(Reply::json_status(403, &json!({"message": "Forbidden", "status": "fail"})));
        }
        let variables: Value = serde_json::from_str(&request.form("variables")?).ok()?;
        let state = lock(&self.state);
        let data = if name == PERSON.0 {
            let person = state.people.values().find(|person| variables["id"] == json!(person.id));
            json!({"user": person.map(Person::record)})
        } else {
            let wanted = variables["reel_ids"].as_array().into_iter().flatten();
            let found = wanted.filter_map(|id| state.reels.get(id.as_str()?));
            let edges: Vec<Value> = found.map(|reel| json!({"node": reel})).collect();
            let info = json!({"has_next_page": false, "end_cursor": null});
            json!({"xdt_api__v1__feed__reels_media__connection": {"edges": edges, "page_info": info}})
        };
        Some(Reply::json(&json!({"data": data, "status": "ok"})))
    }
}

/// A page of the web application: its tokens, its script, and what it is about.
fn application(data: &Value) -> Reply {
    let tokens = json!({"l": LSD, "f": DTSG});
    with_session(Reply::html(&format!(
        "<!DOCTYPE html><html><head><title>Instagram</title>\
         <link rel=\"preload\" href=\"https://{SCRIPTS}{SCRIPT}\" as=\"script\" />\
         <script type=\"application/json\" id=\"__eqmc\">{tokens}</script></head><body>\
         <script type=\"application/json\" data-sjs>{data}</script></body></html>"
    )))
}

/// The application's script: modules, of which some name the ids of queries.
pub(super) fn script(path: &str) -> Option<Reply> {
    (path == SCRIPT).then(|| {
        let modules: Vec<String> = [PERSON, REELS]
            .iter()
            .map(|(name, id)| {
                format!(
                    "__d(\"{name}_instagramRelayOperation\",[],(function(t,n,r,o,a,i){{a.exports=\"{id}\"}}),null);\n"
                )
            })
            .collect();
        Reply::new(200, "application/x-javascript; charset=utf-8", modules.concat())
    })
}
