//! The model of Tumblr: the apps' API, the older one that gallery-dl asks, the pages and the API behind them that yt-dlp
//! reads, and files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{LOWER, Reply, Request, name_of, next, posted};
use crate::world::{
    media::Media,
    web::{Plain, lock},
};

/// The token that the login page hands to scripts.
const TOKEN: &str = "standInToken";

/// The model.
#[derive(Clone, Default)]
pub struct Tumblr {
    placed: Arc<Plain>,
    posts: Arc<Mutex<HashMap<String, Answers>>>,
}

/// What the APIs answer about a post.
struct Answers {
    status: u16,
    /// Blocks.
    new: Value,
    /// HTML.
    old: Value,
}

impl Tumblr {
    /// Places a post of the blog `ann` with a few words and returns its public link.
    pub fn post(&self, media: &[Media]) -> String {
        let id = new_id();
        let mut content = vec![json!({"type": "text", "text": "Look here"})];
        let mut old = json!({
            "type": "photo", "id": id.parse::<u64>().expect("a number"), "id_string": id, "blog_name": "ann",
            "blog": {"name": "ann", "title": "Ann's boxes", "url": "https://ann.tumblr.com/"}, "summary": "Look here",
            "timestamp": posted().timestamp(), "date": "2026-01-05 12:00:00 GMT", "caption": "<p>Look here</p>",
            "tags": [], "note_count": 5, "is_nsfw": true, "reblog": {"comment": "<p>Look here</p>", "tree_html": ""},
        });
        let mut photos = Vec::new();
        for media in media {
            let name = name_of(next(), 16, LOWER);
            if media.seconds > 0 {
                let host = "va.media.tumblr.com";
                let url = self.placed.put(host, &format!("/tumblr_{name}.mp4"), Reply::file(&media.path, media.mime));
                let poster = format!("https://64.media.tumblr.com/tumblr_{name}_frame1.jpg");
                content.push(json!({
                    "type": "video", "provider": "tumblr", "url": url, "poster": [{"url": poster}],
                    "media": {"url": url, "type": media.mime, "width": media.width, "height": media.height},
                }));
                old["type"] = "video".into();
                old["video_url"] = url.into();
                old["thumbnail_url"] = poster.into();
            } else {
                let version = |size: &str| {
                    let path = format!("/{name}/{size}/photo.jpg");
                    let url = self.placed.put("64.media.tumblr.com", &path, Reply::file(&media.path, media.mime));
                    json!({"url": url, "type": media.mime, "width": media.width, "height": media.height})
                };
                let best = version("s1280x1920");
                content.push(json!({"type": "image", "media": [best]}));
                photos.push(json!({"caption": "", "original_size": best, "alt_sizes": [best]}));
            }
        }
        if !photos.is_empty() {
            old["photos"] = photos.into();
        }
        let new = json!({
            "object_type": "post", "id": id, "blog_name": "ann", "blog": {"name": "ann", "title": "Ann's boxes"},
            "timestamp": posted().timestamp(), "summary": "Look here", "is_nsfw": true, "like_count": 3,
            "reblog_count": 2, "reply_count": 1, "note_count": 5, "tags": [], "content": content, "trail": [],
        });
        self.place(&id, Answers { status: 200, new, old })
    }

    /// A post that only embeds a video of another site.
    pub fn embedding(&self, link: &str) -> String {
        let content = [json!({"type": "video", "provider": "youtube", "url": link})];
        let new = json!({"object_type": "post", "blog_name": "ann", "content": content, "trail": []});
        self.place(&new_id(), Answers { status: 200, new, old: Value::Null })
    }

    /// A link to a post that the API refuses.
    pub fn refused(&self, status: u16, code: u16, words: &str) -> String {
        let body = json!({"meta": {"status": status}, "response": words, "errors": [{"code": code, "detail": words}]});
        self.place(&new_id(), Answers { status, new: body, old: Value::Null })
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let segments = request.segments();
        let posts = lock(&self.posts);
        match (request.host.as_str(), segments.as_slice()) {
            ("api-http2.tumblr.com", ["v2", "blog", "ann", "posts", id, "permalink"]) => {
                request.param("api_key").filter(|key| !key.is_empty())?;
                permalink(posts.get(*id)?)
            }
            ("api.tumblr.com", ["v2", "blog", "ann.tumblr.com", "posts"]) => {
                let old = &posts.get(&request.param("id")?)?.old;
                let response = json!({"blog": old["blog"], "posts": [old], "total_posts": 1});
                Some(Reply::json(&json!({"meta": {"status": 200, "msg": "OK"}, "response": response})))
            }
            ("www.tumblr.com", ["login"]) => {
                Some(Reply::html(&format!(r#"<script>window.state = {{"API_TOKEN": "{TOKEN}"}}</script>"#)))
            }
            ("www.tumblr.com", ["api", "v2", "blog", "ann", "posts", id, "permalink"]) => {
                (request.header("authorization") == Some(&format!("Bearer {TOKEN}"))).then_some(())?;
                permalink(posts.get(*id)?)
            }
            ("ann.tumblr.com", ["post", id]) => {
                posts.get(*id)?;
                Some(Reply::html(
                    "<title>Look here | Tumblr</title><meta property='og:description' content='Look here'>",
                ))
            }
            _ => self.placed.answer(request),
        }
    }

    fn place(&self, id: &str, answers: Answers) -> String {
        lock(&self.posts).insert(id.to_owned(), answers);
        format!("https://www.tumblr.com/ann/{id}/look-here")
    }
}

fn permalink(answers: &Answers) -> Option<Reply> {
    if answers.status != 200 {
        return Some(Reply::json_status(answers.status, &answers.new));
    }
    let response = json!({"timeline": {"elements": [answers.new]}});
    Some(Reply::json(&json!({"meta": {"status": 200, "msg": "OK"}, "response": response})))
}

fn new_id() -> String {
    (675_519_763_813_000_000 + next()).to_string()
}
