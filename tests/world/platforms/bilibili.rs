//! Bilibili: the site's page, its API, and the host of its streams.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{MIXED, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, DASH_SOUND, Dash},
    web::lock,
};

const STREAMS: &str = "upos-sz-mirrorcos.bilivideo.com";

/// The model.
#[derive(Clone, Default)]
pub struct Bilibili {
    videos: Arc<Mutex<HashMap<String, Video>>>,
    /// Short links: token and what they lead to.
    short: Arc<Mutex<HashMap<String, String>>>,
}

struct Video {
    title: String,
    /// Parts, or the code with which the API refuses the video.
    content: Result<Vec<Dash>, i64>,
}

impl Bilibili {
    /// A video of one or more parts; returns its public link.
    pub fn video(&self, title: &str, parts: &[Dash]) -> String {
        self.place(title, Ok(parts.to_vec()))
    }

    /// A video that the API refuses with a code such as −404.
    pub fn refused(&self, code: i64) -> String {
        self.place("Refused", Err(code))
    }

    /// A short link to a placed video.
    pub fn short(&self, link: &str) -> String {
        let token = name_of(next(), 7, &MIXED[..62]);
        lock(&self.short).insert(token.clone(), link.to_owned());
        format!("https://b23.tv/{token}")
    }

    fn place(&self, title: &str, content: Result<Vec<Dash>, i64>) -> String {
        let id = format!("BV1{}", name_of(next(), 9, &MIXED[..62]));
        lock(&self.videos).insert(id.clone(), Video { title: title.into(), content });
        format!("https://www.bilibili.com/video/{id}")
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let videos = lock(&self.videos);
        let asked = || request.param("bvid").and_then(|id| Some((videos.get(&id)?, id)));
        match (request.host.as_str(), &request.segments()[..]) {
            ("b23.tv", [token]) => {
                lock(&self.short).get(*token).map(|to| Reply::redirect(&format!("{to}?share_source=copy")))
            }
            ("www.bilibili.com", ["video", id]) => {
                let state = videos.get(*id).map_or_else(
                    || json!({"error": {"trueCode": -404}}),
                    |video| {
                        video.view(id).map_or_else(
                        |code| json!({"error": {"trueCode": code}}),
                        |data| json!({"videoData": data, "upData": {"name": "Hana", "mid": "65880958"}, "tags": []}),
                    )
                    },
                );
                Some(Reply::html(&format!("<!DOCTYPE html><script>window.__INITIAL_STATE__={state};</script>")))
            }
            ("api.bilibili.com", ["x", "web-interface", "view"]) => Some(match asked() {
                Some((video, id)) => match video.view(&id) {
                    Ok(data) => told(&data),
                    Err(code) => Reply::json(&json!({"code": code, "message": "no"})),
                },
                None => Reply::json(&json!({"code": -404, "message": "啥都木有"})),
            }),
            ("api.bilibili.com", ["x", "web-interface", "nav"]) => {
                let picture = |name: &str| format!("https://i0.hdslb.com/bfs/wbi/{name}.png");
                let keys = json!({"img_url": picture("7cd084941338484aae1ad9425b84077c"),
                                  "sub_url": picture("4932caff0ff746eab6f01bf08b70ac45")});
                Some(Reply::json(
                    &json!({"code": -101, "message": "账号未登录", "data": {"isLogin": false, "wbi_img": keys}}),
                ))
            }
            ("api.bilibili.com", ["x", "player", "pagelist"]) => {
                let (video, id) = asked()?;
                Some(told(&video.view(&id).ok()?["pages"]))
            }
            ("api.bilibili.com", ["x", "player", "wbi", "v2"]) => {
                Some(told(&json!({"subtitle": {"subtitles": []}, "view_points": []})))
            }
            ("api.bilibili.com", ["x", "player", "wbi", "playurl"]) => {
                let signed =
                    request.param("w_rid").is_some_and(|sum| sum.len() == 32) && request.param("wts").is_some();
                let (video, id) = asked()?;
                let part: usize = request.param("cid")?.parse().ok()?;
                // Whoever does not sign is sent to prove to be human.
                Some(if signed { told(&video.streams(&id, part)?) } else { told(&json!({"v_voucher": "voucher_x"})) })
            }
            (STREAMS, [id, part, name]) => {
                if request.header("referer").is_none_or(|from| !from.starts_with("https://www.bilibili.com/")) {
                    return Some(Reply::status(403));
                }
                let part = videos.get(*id)?.content.as_ref().ok()?.get(part.parse::<usize>().ok()?.checked_sub(1)?)?;
                let name = name.strip_suffix(".m4s")?;
                let mime = if *name == *DASH_SOUND { "audio/mp4" } else { "video/mp4" };
                Some(Reply::file(media::dash(part).join(name), mime))
            }
            ("i2.hdslb.com", _) => Some(Reply::status(404)),
            _ => None,
        }
    }
}

fn told(data: &Value) -> Reply {
    Reply::json(&json!({"code": 0, "message": "0", "ttl": 1, "data": data}))
}

impl Video {
    /// What it is. Parts are called by the numbers of their streams, 1, 2 …
    fn view(&self, id: &str) -> Result<Value, i64> {
        let parts = self.content.as_ref().map_err(|code| *code)?;
        let page = |(place, part): (usize, &Dash)| json!({"cid": place + 1, "page": place + 1, "part": format!("Part {}", place + 1), "duration": part.seconds});
        let pages: Vec<Value> = parts.iter().enumerate().map(page).collect();
        Ok(json!({
            "bvid": id, "aid": 8_903_802, "cid": 1, "title": self.title, "desc": "What it is about",
            "pic": "http://i2.hdslb.com/bfs/archive/a.jpg", "pubdate": posted().timestamp(),
            "duration": parts.iter().map(|part| part.seconds).sum::<u32>(),
            "owner": {"mid": 65_880_958, "name": "Hana"}, "stat": {"view": 9, "like": 2, "reply": 1},
            "rights": {"is_stein_gate": 0}, "pages": pages,
        }))
    }

    fn streams(&self, id: &str, part: usize) -> Option<Value> {
        let dash = self.content.as_ref().ok()?.get(part.checked_sub(1)?)?;
        let of = |number: u32, name: &str, mime: &str, codecs: &str| {
            let bytes = std::fs::metadata(media::dash(dash).join(name)).expect("the stream").len();
            json!({
                "id": number, "baseUrl": format!("https://{STREAMS}/{id}/{part}/{name}.m4s?deadline=1893456000"),
                "bandwidth": bytes * 8 / u64::from(dash.seconds), "mimeType": mime, "codecs": codecs,
            })
        };
        let picture = |number: u32, name: &str, halved: u32| {
            let mut picture = of(number, name, "video/mp4", "avc1.64001f");
            picture["width"] = (dash.width / halved).into();
            picture["height"] = (dash.height / halved).into();
            picture["frameRate"] = "25".into();
            picture
        };
        Some(json!({
            "quality": 32, "timelength": dash.seconds * 1000, "accept_quality": [32, 16], "support_formats": [],
            "dash": {
                "duration": dash.seconds,
                "video": [picture(32, &dash.best(), 1), picture(16, &dash.lower(), 2)],
                "audio": [of(30280, DASH_SOUND, "audio/mp4", "mp4a.40.2")],
            },
        }))
    }
}
