//! TikTok: the pages of posts with their data in a script, the gate before them, the apps' short links, and the hosts of
//! its files, which want the page's cookie back.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{LOWER, MIXED, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, Media},
    web::lock,
};

/// Where videos and sounds are.
const FILES: &str = "v16-webapp-prime.tiktok.com";

/// Where photos are.
const PHOTOS: &str = "p16-sign.tiktokcdn-us.com";

/// The cookie of the gate.
const GATE: &str = "_wafchallengeid";

/// What the gate's number is.
const WORK: &str = "3217";

/// The model.
#[derive(Clone, Default)]
pub struct Tiktok {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    posts: HashMap<String, TikTokPost>,
    files: HashMap<(String, String), Media>,
    short_links: HashMap<String, String>,
    /// The cookie that pages give out and the hosts of videos and sounds want to see.
    visitor: String,
    /// Pages want work done first.
    gate: bool,
}

/// Whether a post can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TikTokFate {
    /// Yes.
    Public,
    /// The page tells a status instead of a post: its code and its words.
    Status(i64, &'static str),
    /// The page tells of a post, but holds back its media.
    Classified,
    /// The page leads to the login page.
    LoginWall,
}

/// A post to place. `TikTokPost::video(&clip).by("tea.baker", "Tea Baker")`.
#[derive(Debug, Clone)]
pub struct TikTokPost {
    id: String,
    name: String,
    handle: String,
    nickname: String,
    words: String,
    created_at: DateTime<Utc>,
    content: Content,
    fate: TikTokFate,
}

#[derive(Debug, Clone)]
enum Content {
    Video { best: Media, lower: Media },
    Slideshow { photos: Vec<Media>, sound: Media },
}

impl TikTokPost {
    fn new(content: Content) -> Self {
        let number = next();
        Self {
            id: (7_300_000_000_000_000_000 + number * 1_000_003).to_string(),
            name: name_of(number, 24, LOWER),
            handle: "tea.baker".into(),
            nickname: "Tea Baker".into(),
            words: "A kettle boils #tea".into(),
            created_at: posted(),
            content,
            fate: TikTokFate::Public,
        }
    }

    /// A video, in this and in a lower version.
    pub fn video(best: &Media) -> Self {
        let lower = media::video(media::Video { width: 160, height: 90, ..media::Video::seed(7) });
        Self::new(Content::Video { best: best.clone(), lower })
    }

    /// Photos and the sound they are shown to.
    pub fn slideshow(photos: &[Media], sound: &Media) -> Self {
        Self::new(Content::Slideshow { photos: photos.to_vec(), sound: sound.clone() })
    }

    /// A post that cannot be seen.
    pub fn gone(fate: TikTokFate) -> Self {
        Self { fate, ..Self::video(&media::small_video(97)) }
    }

    /// Whose it is.
    pub fn by(mut self, handle: &str, nickname: &str) -> Self {
        self.handle = handle.into();
        self.nickname = nickname.into();
        self
    }

    /// What it says.
    pub fn text(mut self, words: &str) -> Self {
        self.words = words.into();
        self
    }

    fn photo_path(&self, number: usize) -> String {
        format!("/tos-useast5/{}{number}~tplv-photomode-image.jpeg", self.name)
    }

    fn file_path(&self, what: &str) -> String {
        format!("/{what}/tos/useast5/{}/", self.name)
    }

    /// An address as the page tells it.
    fn address(&self, what: &str) -> String {
        format!("https://{FILES}{}?a=1988&expire=4102444800&signature=world&tk=tt_chain_token", self.file_path(what))
    }

    /// The hosts and paths of its files.
    fn places(&self) -> Vec<((String, String), Media)> {
        let at = |host: &str, path: String, media: &Media| ((host.to_owned(), path), media.clone());
        match &self.content {
            Content::Video { best, lower } => {
                vec![at(FILES, self.file_path("video"), best), at(FILES, self.file_path("lower"), lower)]
            }
            Content::Slideshow { photos, sound } => photos
                .iter()
                .enumerate()
                .map(|(number, photo)| at(PHOTOS, self.photo_path(number), photo))
                .chain([at(FILES, self.file_path("music"), sound)])
                .collect(),
        }
    }

    /// `itemStruct` of the page.
    fn record(&self) -> Value {
        let cover = format!("https://{PHOTOS}/obj/{}.image?x-expires=4102444800", self.name);
        let mut record = json!({
            "id": self.id,
            "desc": self.words,
            "createTime": self.created_at.timestamp().to_string(),
            "author": {"id": "6691488002098119685", "uniqueId": self.handle, "nickname": self.nickname,
                       "secUid": "MS4wLjABAAAA_world"},
            "music": {"id": "6700000000000000001", "title": "original sound", "authorName": self.nickname, "duration": 2,
                      "playUrl": self.address("music") + "&mime_type=audio_mpeg"},
            "stats": {"diggCount": 321, "shareCount": 54, "commentCount": 7, "playCount": 98765, "collectCount": "12"},
            "video": {"id": "", "duration": 0, "width": 0, "height": 0, "cover": cover, "originCover": cover, "playAddr": ""},
        });
        if self.fate == TikTokFate::Classified {
            record["isContentClassified"] = json!(true);
            record["video"] = Value::Null;
            return record;
        }
        match &self.content {
            Content::Video { best, lower } => {
                let version = |what: &str, media: &Media, lines: u32, bits: u64| {
                    json!({
                        "Bitrate": bits, "GearName": format!("adapt_{lines}_0"), "CodecType": "h264",
                        "PlayAddr": {
                            "DataSize": media.bytes().to_string(), "Width": media.width, "Height": media.height,
                            "UrlKey": format!("v1_h264_{lines}p_{bits}"), "UrlList": [self.address(what)],
                        },
                    })
                };
                record["video"] = json!({
                    "id": self.id, "duration": best.seconds, "width": best.width, "height": best.height,
                    "format": "mp4", "codecType": "h264", "cover": cover, "originCover": cover,
                    "playAddr": self.address("video"),
                    "bitrateInfo": [version("lower", lower, 360, 200_000), version("video", best, 720, 700_000)],
                });
            }
            Content::Slideshow { photos, .. } => {
                let image = |(number, photo): (usize, &Media)| {
                    json!({
                        "imageURL": {"urlList": [
                            format!("https://{PHOTOS}{}?x-expires=4102444800&x-signature=world", self.photo_path(number)),
                        ]},
                        "imageWidth": photo.width, "imageHeight": photo.height,
                    })
                };
                record["imagePost"] = json!({"images": photos.iter().enumerate().map(image).collect::<Vec<_>>()});
            }
        }
        record
    }
}

impl Tiktok {
    /// Places a post and returns its public link.
    pub fn post(&self, post: TikTokPost) -> String {
        let kind = if matches!(post.content, Content::Video { .. }) { "video" } else { "photo" };
        let link = format!("https://www.tiktok.com/@{}/{kind}/{}", post.handle, post.id);
        let mut state = lock(&self.state);
        state.files.extend(post.places());
        state.posts.insert(post.id.clone(), post);
        link
    }

    /// A link as the apps share it.
    pub fn short_link(&self, to: &str) -> String {
        let token = name_of(next(), 9, MIXED);
        lock(&self.state).short_links.insert(token.clone(), format!("{to}?_r=1&_t=8xyz"));
        format!("https://vm.tiktok.com/{token}/")
    }

    /// From now on every page wants work done first.
    pub fn gate(&self) {
        lock(&self.state).gate = true;
    }

    /// Answers what is asked of TikTok's hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "www.tiktok.com" => match request.segments()[..] {
                [user, "video", id] if user.starts_with('@') => Some(self.page(request, id)),
                ["login"] => Some(Reply::html("<!DOCTYPE html><title>Log in | TikTok</title>")),
                ["t", token] => self.lead(token),
                _ => None,
            },
            "vm.tiktok.com" | "vt.tiktok.com" => self.lead(request.segments().first()?),
            FILES | PHOTOS => {
                let state = lock(&self.state);
                let media = state.files.get(&(request.host.clone(), request.path.clone()))?;
                // Photos are open to everybody; videos and sounds only to whom a page was shown before.
                let known =
                    !state.visitor.is_empty() && request.cookie("tt_chain_token").as_ref() == Some(&state.visitor);
                Some(if request.host == PHOTOS || known {
                    Reply::file(&media.path, media.mime)
                } else {
                    Reply::status(403)
                })
            }
            _ => None,
        }
    }

    fn lead(&self, token: &str) -> Option<Reply> {
        lock(&self.state).short_links.get(token).map(|to| Reply::redirect(to))
    }

    /// The page of a post.
    fn page(&self, request: &Request, id: &str) -> Reply {
        let mut state = lock(&self.state);
        if state.gate && !request.cookie(GATE).is_some_and(|answer| is_answer(&answer)) {
            return gate();
        }
        let post = state.posts.get(id);
        let detail = match post.map(|post| post.fate) {
            Some(TikTokFate::LoginWall) => {
                return Reply::redirect(&format!("https://www.tiktok.com/login?redirect_url=%2Fvideo%2F{id}"));
            }
            Some(TikTokFate::Status(code, words)) => json!({"statusCode": code, "statusMsg": words}),
            Some(_) => {
                json!({"statusCode": 0, "statusMsg": "", "itemInfo": {"itemStruct": post.map(TikTokPost::record)}})
            }
            None => json!({"statusCode": 10204, "statusMsg": "item doesn't exist"}),
        };
        if state.visitor.is_empty() {
            state.visitor = name_of(next(), 24, MIXED);
        }
        let data = json!({"__DEFAULT_SCOPE__": {
            "webapp.app-context": {"language": "en", "region": "US"},
            "webapp.video-detail": detail,
        }});
        Reply::html(&format!(
            "<!DOCTYPE html><html><head><title>TikTok</title></head><body>\
             <script id=\"__UNIVERSAL_DATA_FOR_REHYDRATION__\" type=\"application/json\">{data}</script></body></html>"
        ))
        .with_header(
            "set-cookie",
            &format!("tt_chain_token={}; Domain=.tiktok.com; Path=/; HttpOnly; Secure", state.visitor),
        )
    }
}

/// The page of the gate, with its task.
fn gate() -> Reply {
    let task = json!({
        "v": {
            "a": BASE64.encode("world"), "b": "x",
            "c": BASE64.encode(Sha256::digest(format!("world{WORK}"))),
        },
        "s": "signature",
    });
    let task = BASE64.encode(task.to_string());
    Reply::html(&format!(
        "<!DOCTYPE html><html><body>Please wait...<p id=\"cs\" class=\"{task}\"></p>\
         <p id=\"wci\" class=\"{GATE}\"></p><p id=\"rci\" class=\"waforiginalreid\"></p><p id=\"rs\" class=\"rs1\"></p>\
         </body></html>"
    ))
}

/// Whether a visitor did the work.
fn is_answer(cookie: &str) -> bool {
    let told: Value =
        BASE64.decode(cookie).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    let number = told["d"].as_str().and_then(|number| BASE64.decode(number).ok());
    told["s"] == "signature" && number.as_deref() == Some(WORK.as_bytes())
}
