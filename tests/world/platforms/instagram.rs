//! Instagram: what visitors without an account and visitors with a session get, and the hosts of its files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{MIXED, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, Media},
    web::lock,
};

/// Where the files are.
const FILES: &str = "scontent.cdninstagram.com";

/// Instagram's alphabet of short codes: a number in base 64.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The model.
#[derive(Clone, Default)]
pub struct Instagram {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By the number of the post.
    posts: HashMap<u64, InstagramPost>,
    files: HashMap<String, Media>,
    /// Everything but the front page leads visitors without a session to the login page.
    login_wall: bool,
    /// The post API wants a session.
    session_needed: bool,
}

/// A post to place. `InstagramPost::carousel(vec![…]).by("dan", "Dan Example")`.
#[derive(Debug, Clone)]
pub struct InstagramPost {
    /// Its number; given at placing when 0.
    pub pk: u64,
    /// The account.
    pub username: String,
    /// The account's display name.
    pub full_name: String,
    /// The text below it.
    pub caption: String,
    /// When it was posted.
    pub taken_at: DateTime<Utc>,
    /// Likes.
    pub likes: u64,
    /// Comments.
    pub comments: u64,
    /// What it holds; more than one: a carousel.
    pub items: Vec<InstagramItem>,
    /// Its address is `/reel/`.
    pub reel: bool,
    /// Whether it can be seen.
    pub access: Access,
}

/// Whether a post can be seen without an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Yes.
    Public,
    /// A private account.
    Private,
    /// Restricted by age.
    Restricted,
    /// Never was, or deleted.
    Missing,
}

/// One image or video of a post.
#[derive(Debug, Clone)]
pub struct InstagramItem {
    media: Media,
    pk: u64,
    name: String,
}

impl InstagramItem {
    /// An image or a video, as its type says.
    pub fn of(media: &Media) -> Self {
        let number = next();
        Self { media: media.clone(), pk: number_of(number), name: format!("{number}_{}_n", name_of(number, 12, MIXED)) }
    }

    fn is_video(&self) -> bool {
        self.media.mime.starts_with("video/")
    }

    fn image_path(&self) -> String {
        let extension = if self.media.mime == "image/webp" { "webp" } else { "jpg" };
        format!("/v/t51.2885-15/{}.{extension}", self.name)
    }

    fn video_path(&self) -> String {
        format!("/o1/v/t16/f2/m86/{}.mp4", self.name)
    }

    /// The media object, as it stands alone or in a carousel.
    fn object(&self) -> Value {
        let Media { width, height, seconds, .. } = self.media;
        let mut object = json!({
            "pk": self.pk.to_string(),
            "id": format!("{}_1234", self.pk),
            "code": code_of(self.pk),
            "media_type": if self.is_video() { 2 } else { 1 },
            "original_width": width,
            "original_height": height,
            "accessibility_caption": null,
            "image_versions2": {"candidates": [
                {"url": format!("https://{FILES}{}?stp=dst-jpg_e35&oh=00_world&oe=70000000", self.image_path()),
                 "width": width, "height": height},
                {"url": format!("https://{FILES}{}?stp=dst-jpg_s150x150&oh=00_world&oe=70000000", self.image_path()),
                 "width": width / 2, "height": height / 2},
            ]},
        });
        if self.is_video() {
            object["video_versions"] = json!([{
                "type": 101, "id": format!("{}v", self.pk), "width": width, "height": height,
                "url": format!("https://{FILES}{}?efg=e30&oh=00_world&oe=70000000", self.video_path()),
            }]);
            object["video_duration"] = json!(f64::from(seconds));
            object["has_audio"] = json!(true);
        }
        object
    }
}

impl InstagramPost {
    fn new(items: Vec<InstagramItem>) -> Self {
        Self {
            pk: 0,
            username: "dan".into(),
            full_name: "Dan Example".into(),
            caption: "A day out".into(),
            taken_at: posted(),
            likes: 77,
            comments: 8,
            items,
            reel: false,
            access: Access::Public,
        }
    }

    /// A post with one image or video.
    pub fn single(media: &Media) -> Self {
        Self::new(vec![InstagramItem::of(media)])
    }

    /// A reel.
    pub fn reel(media: &Media) -> Self {
        Self { reel: true, ..Self::single(media) }
    }

    /// A carousel of images and videos, in this order.
    pub fn carousel(media: &[Media]) -> Self {
        Self::new(media.iter().map(InstagramItem::of).collect())
    }

    /// A post that cannot be seen.
    pub fn gone(access: Access) -> Self {
        Self { access, ..Self::single(&media::jpg(97)) }
    }

    /// Whose it is.
    pub fn by(mut self, username: &str, full_name: &str) -> Self {
        self.username = username.into();
        self.full_name = full_name.into();
        self
    }

    /// Its text.
    pub fn caption(mut self, text: &str) -> Self {
        self.caption = text.into();
        self
    }

    /// The media object of the API.
    fn object(&self) -> Value {
        let user = json!({
            "pk": "1234", "id": "1234", "username": self.username, "full_name": self.full_name,
            "is_private": self.access == Access::Private,
            "profile_pic_url": format!("https://{FILES}/v/t51.2885-19/face.jpg"),
        });
        let mut object = if let [only] = &self.items[..] { only.object() } else { json!({}) };
        let parts = json!({
            "pk": self.pk.to_string(),
            "id": format!("{}_1234", self.pk),
            "code": code_of(self.pk),
            "taken_at": self.taken_at.timestamp(),
            "user": user,
            "owner": user,
            "caption": {"pk": "1", "text": self.caption},
            "like_count": self.likes,
            "comment_count": self.comments,
            "product_type": if self.reel { "clips" } else { "feed" },
        });
        for (name, value) in parts.as_object().expect("an object") {
            object[name] = value.clone();
        }
        if self.items.len() > 1 {
            object["media_type"] = json!(8);
            object["carousel_media_count"] = json!(self.items.len());
            object["image_versions2"] = self.items[0].object()["image_versions2"].clone();
            object["carousel_media"] = self.items.iter().map(InstagramItem::object).collect();
        }
        object
    }
}

impl Instagram {
    /// Places a post and returns its public link.
    pub fn post(&self, mut post: InstagramPost) -> String {
        if post.pk == 0 {
            post.pk = number_of(next());
        }
        if let [only] = &mut post.items[..] {
            only.pk = post.pk;
        }
        let kind = if post.reel { "reel" } else { "p" };
        let link = format!("https://www.instagram.com/{kind}/{}/", code_of(post.pk));
        let mut state = lock(&self.state);
        for item in &post.items {
            if item.is_video() {
                state.files.insert(item.video_path(), item.media.clone());
                state.files.insert(item.image_path(), media::jpg(96));
            } else {
                state.files.insert(item.image_path(), item.media.clone());
            }
        }
        state.posts.insert(post.pk, post);
        link
    }

    /// From now on every address of a post leads visitors without a session to the login page.
    pub fn login_wall(&self) {
        lock(&self.state).login_wall = true;
    }

    /// From now on the API that gallery-dl asks wants a session (the pages stay open).
    pub fn api_needs_session(&self) {
        lock(&self.state).session_needed = true;
    }

    /// Answers what is asked of Instagram's hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "www.instagram.com" | "i.instagram.com" => self.site(request),
            "instagram.com" => {
                let mut to = request.url.clone();
                to.set_host(Some("www.instagram.com")).ok()?;
                Some(Reply::redirect(to.as_str()))
            }
            FILES => {
                let state = lock(&self.state);
                state.files.get(&request.path).map(|media| Reply::file(&media.path, media.mime))
            }
            _ => None,
        }
    }

    fn site(&self, request: &Request) -> Option<Reply> {
        let segments = request.segments();
        let segments = segments.strip_suffix(&["embed"]).unwrap_or(&segments);
        match *segments {
            [] => Some(with_session(Reply::html(
                "<!DOCTYPE html><script>requireLazy([\"LSD\",[],{\"token\":\"AVqWorldLsd\"},323])</script>",
            ))),
            ["accounts", "login"] => Some(Reply::html("<!DOCTYPE html><title>Login • Instagram</title>")),
            ["api", "v1", "web", "get_ruling_for_content"] => Some(self.ruling(request)),
            ["api", "v1", "media", pk, "info"] => Some(self.info(request, pk.parse().ok()?)),
            ["api", "graphql"] => Some(self.graphql(request)),
            ["p" | "reel" | "reels" | "tv", code] | [_, "p" | "reel", code] => Some(self.page(request, code)),
            _ => None,
        }
    }

    fn ruling(&self, request: &Request) -> Reply {
        let state = lock(&self.state);
        let post = request.param("target_id").and_then(|pk| state.posts.get(&pk.parse().ok()?));
        with_session(Reply::json(&match post.map(|post| post.access) {
            Some(Access::Restricted) => json!({
                "title": "Restricted Video",
                "description": "You must be 18 years old or over to see this video",
                "status": "ok",
            }),
            _ => json!({"status": "ok"}),
        }))
    }

    /// The post API of the web application.
    fn info(&self, request: &Request, pk: u64) -> Reply {
        let state = lock(&self.state);
        let session = has_session(request);
        let Some(post) = state.posts.get(&pk).filter(|post| post.access != Access::Missing) else {
            return Reply::json_status(404, &json!({"message": "Media not found or unavailable", "status": "fail"}));
        };
        let open = post.access == Access::Public && !state.login_wall && !state.session_needed;
        if !session && !open {
            return to_login(request);
        }
        if post.access == Access::Private {
            return Reply::json_status(400, &json!({"message": "Not authorized to view user", "status": "fail"}));
        }
        Reply::json(&json!({
            "num_results": 1, "more_available": false, "auto_load_more_enabled": false, "status": "ok",
            "items": [post.object()],
        }))
    }

    fn graphql(&self, request: &Request) -> Reply {
        let variables: Value =
            request.form("variables").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let pk = variables["media_id"].as_str().and_then(|pk| pk.parse().ok());
        let state = lock(&self.state);
        Reply::json(&json!({"data": {"xig_polaris_media": logged_out(pk.and_then(|pk| state.posts.get(&pk)))}}))
    }

    /// The page of a post, with its data in a script.
    fn page(&self, request: &Request, code: &str) -> Reply {
        let state = lock(&self.state);
        if state.login_wall && !has_session(request) {
            return to_login(request);
        }
        let post = pk_of(code).and_then(|pk| state.posts.get(&pk));
        let Some(post) = post.filter(|post| post.access != Access::Missing) else {
            return Reply { status: hyper::StatusCode::NOT_FOUND, ..Reply::html("<title>Page not found</title>") };
        };
        let data = json!({"require": [["ScheduledServerJS", "handle", null, [{"__bbox": {"require": [
            ["RelayPrefetchedStreamCache", "next", [], ["adp_Polaris", {"__bbox": {
                "complete": true, "result": {"data": {"xig_polaris_media": logged_out(Some(post))}},
            }}]],
        ]}}]]]});
        with_session(Reply::html(&format!(
            "<!DOCTYPE html><html><head><title>Instagram</title></head><body>\
             <script type=\"application/json\" data-content-len=\"1\" data-sjs>{data}</script></body></html>"
        )))
    }
}

/// What visitors without an account are told about a post.
fn logged_out(post: Option<&InstagramPost>) -> Value {
    match post {
        Some(post) if post.access == Access::Public => json!({
            "if_not_gated_logged_out": post.object(),
            "comments_connection": {"edges": []},
        }),
        Some(post) if post.access != Access::Missing => json!({"if_not_gated_logged_out": null}),
        _ => Value::Null,
    }
}

fn has_session(request: &Request) -> bool {
    request.cookie("sessionid").is_some_and(|value| !value.is_empty())
}

fn to_login(request: &Request) -> Reply {
    let next = request.path.replace('/', "%2F");
    Reply::redirect(&format!("https://www.instagram.com/accounts/login/?next={next}"))
}

fn with_session(reply: Reply) -> Reply {
    reply.with_header("set-cookie", "csrftoken=worldcsrfworldcsrfworldcsrf12; Domain=.instagram.com; Path=/; Secure")
}

/// A number as large as Instagram's are now: codes of eleven letters.
fn number_of(number: u64) -> u64 {
    3_500_000_000_000_000_000 + number * 1_000_003
}

/// The short code of a number.
fn code_of(mut pk: u64) -> String {
    let mut letters = Vec::new();
    while pk > 0 {
        letters.push(ALPHABET[(pk % 64) as usize]);
        pk /= 64;
    }
    letters.reverse();
    String::from_utf8(letters).expect("an ASCII alphabet")
}

/// The number of a short code. Codes with 28 letters more are those of private posts.
fn pk_of(code: &str) -> Option<u64> {
    let code = if code.len() > 28 { &code[..code.len() - 28] } else { code };
    code.bytes().try_fold(0_u64, |pk, letter| {
        let digit = ALPHABET.iter().position(|known| *known == letter)? as u64;
        pk.checked_mul(64)?.checked_add(digit)
    })
}
