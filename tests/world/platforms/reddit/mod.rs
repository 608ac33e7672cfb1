//! Reddit: the JSON of posts (anonymous and by an app's token), short and share links, and the hosts of its files.

mod post;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

pub use post::{Fate, GalleryItem, RedditContent, RedditPost};

use super::{MIXED, Reply, Request, name_of, next};
use crate::world::{
    media::{self, Media},
    web::lock,
};
use post::extension;

/// The model.
#[derive(Clone, Default)]
pub struct Reddit {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    posts: HashMap<String, RedditPost>,
    /// Files of `i.redd.it` and `preview.redd.it` by name.
    images: HashMap<String, Media>,
    /// Videos of `v.redd.it`: the folder of their streams and the post that shows them.
    videos: HashMap<String, (PathBuf, String)>,
    /// Share tokens and the post they lead to.
    shared: HashMap<String, String>,
    anonymous_refused: bool,
    /// Client ids and secrets of apps; none: every app is known.
    apps: Vec<(String, String)>,
    tokens: HashSet<String>,
}

impl Reddit {
    /// Places a post and returns its public link.
    pub fn post(&self, mut post: RedditPost) -> String {
        post.identify();
        let link = post.link();
        self.place(post);
        link
    }

    fn place(&self, post: RedditPost) {
        if let RedditContent::Crosspost(original) = &post.content {
            self.place((**original).clone());
        }
        let mut state = lock(&self.state);
        match &post.content {
            RedditContent::Video(dash) => {
                state.videos.insert(post.video_id(), (media::dash(dash), post.id.clone()));
            }
            RedditContent::Image(image) | RedditContent::Gif(image) => {
                state.images.insert(format!("{}.{}", post.image_id(0), extension(image)), image.clone());
            }
            RedditContent::Gallery(items) => {
                for (index, item) in items.iter().enumerate() {
                    let name = format!("{}.{}", post.image_id(index), extension(&item.media));
                    state.images.insert(name, item.media.clone());
                }
            }
            RedditContent::Text | RedditContent::Link(_) | RedditContent::Crosspost(_) => {}
        }
        state.posts.insert(post.id.clone(), post);
    }

    /// `https://redd.it/ID` for a placed post's link.
    pub fn short_link(&self, link: &str) -> String {
        format!("https://redd.it/{}", id_in(link))
    }

    /// `https://www.reddit.com/r/S/s/TOKEN`, as the app shares it, for a placed post's link.
    pub fn share_link(&self, link: &str) -> String {
        let token = name_of(next(), 10, &MIXED[..62]);
        let mut state = lock(&self.state);
        let id = id_in(link);
        let subreddit = state.posts[&id].subreddit.clone();
        state.shared.insert(token.clone(), id);
        format!("https://www.reddit.com/r/{subreddit}/s/{token}")
    }

    /// `https://www.reddit.com/video/ID` for a placed video post's link.
    pub fn video_link(&self, link: &str) -> String {
        let state = lock(&self.state);
        format!("https://www.reddit.com/video/{}", state.posts[&id_in(link)].video_id())
    }

    /// From now on JSON without an app's token is refused (403 with a page), as often since May 2026.
    pub fn refuse_anonymous(&self) {
        lock(&self.state).anonymous_refused = true;
    }

    /// Only registered apps get tokens from now on.
    pub fn register_app(&self, client_id: &str, secret: &str) {
        lock(&self.state).apps.push((client_id.into(), secret.into()));
    }

    /// Every token given out so far is refused from now on.
    pub fn expire_tokens(&self) {
        lock(&self.state).tokens.clear();
    }

    /// Answers what is asked of Reddit's hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "www.reddit.com" | "old.reddit.com" | "new.reddit.com" => self.site(request),
            "oauth.reddit.com" => Some(self.by_token(request)),
            "reddit.com" | "m.reddit.com" | "np.reddit.com" => {
                let mut to = request.url.clone();
                to.set_host(Some("www.reddit.com")).ok()?;
                Some(Reply::redirect(to.as_str()))
            }
            "redd.it" | "www.redd.it" => {
                let state = lock(&self.state);
                let id = *request.segments().first()?;
                state.posts.contains_key(id).then(|| Reply::redirect(&format!("https://www.reddit.com/comments/{id}")))
            }
            "v.redd.it" => self.video_file(request),
            "i.redd.it" | "preview.redd.it" => self.image_file(request),
            _ => None,
        }
    }

    fn site(&self, request: &Request) -> Option<Reply> {
        if request.path == "/api/v1/access_token" {
            return Some(self.give_token(request));
        }
        match request.segments()[..] {
            [] => Some(with_session(Reply::html("<!DOCTYPE html><title>reddit: the front page</title>"))),
            ["svc", "shreddit", ..] => {
                Some(with_session(Reply::html("<!DOCTYPE html><shreddit-post></shreddit-post>")))
            }
            ["r" | "u" | "user", _, "s", token] => {
                let state = lock(&self.state);
                let post = state.posts.get(state.shared.get(token)?)?;
                Some(Reply::redirect(&format!("{}?share_id=abc&utm_medium=android_app&utm_name=share", post.link())))
            }
            ["video", id] => {
                let state = lock(&self.state);
                Some(Reply::redirect(&state.posts.get(&state.videos.get(id)?.1)?.link()))
            }
            ["gallery", id] => self.page(id, false),
            _ => {
                let (id, in_full) = comments_id(request)?;
                if request.path.trim_end_matches('/').ends_with(".json") {
                    let refused = lock(&self.state).anonymous_refused;
                    return Some(if refused { blocked() } else { self.comments(&id, request) });
                }
                self.page(&id, in_full)
            }
        }
    }

    /// The page of a post for people; a short address leads to the full one.
    fn page(&self, id: &str, in_full: bool) -> Option<Reply> {
        let state = lock(&self.state);
        let post = state.posts.get(id)?;
        Some(match post.fate {
            Fate::Missing => Reply { status: hyper::StatusCode::NOT_FOUND, ..Reply::html("<title>not found</title>") },
            _ if !in_full => Reply::redirect(&post.link()),
            _ => with_session(Reply::html(&format!("<!DOCTYPE html><title>{}</title>", post.title))),
        })
    }

    /// The JSON of a post: itself and no comments.
    fn comments(&self, id: &str, request: &Request) -> Reply {
        let state = lock(&self.state);
        let refused =
            |reason: &str| Reply::json_status(403, &json!({"reason": reason, "message": "Forbidden", "error": 403}));
        let Some(post) = state.posts.get(id).filter(|post| post.fate != Fate::Missing) else {
            return Reply::json_status(404, &json!({"message": "Not Found", "error": 404}));
        };
        match post.fate {
            Fate::Private => return refused("private"),
            Fate::Quarantined => return refused("quarantined"),
            _ => {}
        }
        let mut answer = json!([listing(&[post]), listing(&[])]);
        if request.param("raw_json").as_deref() != Some("1") {
            escape(&mut answer);
        }
        Reply::json(&answer)
    }

    fn give_token(&self, request: &Request) -> Reply {
        let mut state = lock(&self.state);
        let allowed =
            request.header("authorization").and_then(|value| value.strip_prefix("Basic ")).is_some_and(|given| {
                let known = state.apps.iter().any(|(id, secret)| base64(&format!("{id}:{secret}")) == given);
                known || (state.apps.is_empty() && given.len() > 4)
            });
        if request.method != hyper::Method::POST || !allowed {
            return Reply::json_status(401, &json!({"message": "Unauthorized", "error": 401}));
        }
        match request.form("grant_type").as_deref() {
            Some("client_credentials" | "https://oauth.reddit.com/grants/installed_client") => {}
            _ => return Reply::json(&json!({"error": "unsupported_grant_type"})),
        }
        let token = format!("eyJhbGciOiJSUzI1NiJ9.{}", name_of(next(), 30, MIXED));
        state.tokens.insert(token.clone());
        Reply::json(&json!({"access_token": token, "token_type": "bearer", "expires_in": 86400, "scope": "*"}))
    }

    fn by_token(&self, request: &Request) -> Reply {
        let known = request.header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| lock(&self.state).tokens.contains(token))
        });
        if known != Some(true) {
            return Reply::json_status(401, &json!({"message": "Unauthorized", "error": 401}));
        }
        if let Some((id, _)) = comments_id(request) {
            return self.comments(&id, request);
        }
        if request.path.trim_end_matches(".json") == "/api/info" {
            let id = request.param("id").unwrap_or_default();
            let state = lock(&self.state);
            let post = state
                .posts
                .get(id.trim_start_matches("t3_"))
                .filter(|post| !matches!(post.fate, Fate::Missing | Fate::Private | Fate::Quarantined));
            return Reply::json(&listing(post.as_slice()));
        }
        Reply::json_status(404, &json!({"message": "Not Found", "error": 404}))
    }

    fn video_file(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        match request.segments()[..] {
            [id] => {
                let (_, post) = state.videos.get(id)?;
                Some(Reply::redirect(&format!("https://www.reddit.com/video/{id}?from={post}")))
            }
            [id, name] => {
                let path = state.videos.get(id)?.0.join(name);
                // The store behind it says 403 to what it does not have.
                Some(if path.is_file() { Reply::file(&path, media::stream_type(name)) } else { Reply::status(403) })
            }
            _ => None,
        }
    }

    fn image_file(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        let name = *request.segments().first()?;
        let image = state.images.get(name)?;
        if request.param("format").as_deref() == Some("mp4") {
            return Some(Reply::file(media::gif_as_video(image).path, "video/mp4"));
        }
        Some(Reply::file(&image.path, image.mime))
    }
}

/// The id in `/r/S/comments/ID/…`, `/comments/ID/…` (and `/user/U/comments/ID/…`), and whether the address is in full.
fn comments_id(request: &Request) -> Option<(String, bool)> {
    let segments = request.segments();
    let at = segments.iter().position(|part| *part == "comments").filter(|at| matches!(at, 0 | 2))?;
    let id = segments.get(at + 1)?.trim_end_matches(".json");
    Some((id.to_owned(), at == 2))
}

fn id_in(link: &str) -> String {
    link.split("/comments/").nth(1).and_then(|rest| rest.split('/').next()).expect("a post's link").to_owned()
}

fn listing(posts: &[&RedditPost]) -> Value {
    let children: Vec<Value> = posts.iter().map(|post| json!({"kind": "t3", "data": post.data()})).collect();
    json!({"kind": "Listing", "data": {"after": null, "before": null, "dist": posts.len(), "children": children}})
}

/// The session of visitors without an account.
fn with_session(reply: Reply) -> Reply {
    reply.with_header("set-cookie", "loid=000000000abc.2.1770000000000.Z0FBQQ; Domain=reddit.com; Path=/; Secure")
}

fn blocked() -> Reply {
    let page = "<!DOCTYPE html><html><body><div class=\"-content-strong\">You've been blocked by network security.</div>\
                </body></html>";
    Reply { status: hyper::StatusCode::FORBIDDEN, ..Reply::html(page) }
}

/// Without `raw_json=1`, Reddit escapes `&`, `<` and `>` in every text.
fn escape(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        Value::Array(values) => values.iter_mut().for_each(escape),
        Value::Object(map) => map.values_mut().for_each(escape),
        _ => {}
    }
}

/// Standard Base64 with padding.
fn base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            encoded.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    encoded
}
