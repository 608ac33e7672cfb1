//! The model of Imgur: its API as the tools and our extractor ask it, the page of a GIF that yt-dlp reads, and its files.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{MIXED, Reply, Request, name_of, next, posted};
use crate::world::{media::Media, web::Plain};

/// Letters of ids.
const LETTERS: usize = 62;

/// The model.
#[derive(Clone, Default)]
pub struct Imgur {
    placed: Arc<Plain>,
}

/// Why the API shows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImgurRefusal {
    /// Deleted, private, or never there: it makes no difference.
    Missing,
    /// Too many people ask.
    OverCapacity,
    /// Too many requests of one visitor.
    TooMany,
    /// The country is not served.
    Region,
}

impl Imgur {
    /// An album; returns its public link.
    pub fn album(&self, title: &str, media: &[Media]) -> String {
        let id = new_id();
        let all = media.iter().map(|media| self.media(media, "")).collect();
        self.api(&format!("albums/{id}"), post(&id, title, true, all));
        format!("https://imgur.com/a/{id}")
    }

    /// A single image, GIF or video; returns its public link.
    pub fn image(&self, title: &str, media: &Media) -> String {
        let told = self.media(media, title);
        self.single(title, told)
    }

    fn single(&self, title: &str, told: Value) -> String {
        let id = told["id"].as_str().expect("an id").to_owned();
        self.api(&format!("media/{id}"), post(&id, title, false, vec![told]));
        format!("https://imgur.com/{id}")
    }

    /// A single image as a post of the gallery; returns its public link.
    pub fn gallery(&self, title: &str, media: &Media) -> String {
        let told = self.media(media, title);
        let page = self.single(title, told.clone());
        let id = page.rsplit('/').next().expect("an id");
        self.api(&format!("posts/{id}"), post(id, title, false, vec![told]));
        format!("https://imgur.com/gallery/{id}")
    }

    /// A link to an image that the API refuses.
    pub fn refused(&self, refusal: ImgurRefusal) -> String {
        let id = new_id();
        let (status, detail) = match refusal {
            ImgurRefusal::Missing => (404, "unable to find data"),
            ImgurRefusal::OverCapacity => (403, "Imgur is temporarily over capacity. Please try again later."),
            ImgurRefusal::TooMany => (429, "Too Many Requests"),
            ImgurRefusal::Region => (403, "Content not available in your region."),
        };
        let body = json!({"errors": [{"id": "1", "code": status.to_string(), "status": "", "detail": detail}]});
        self.placed.put("api.imgur.com", &format!("/post/v1/media/{id}"), Reply::json_status(status, &body));
        format!("https://imgur.com/{id}")
    }

    /// Answers what is asked of its hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let api = request.host == "api.imgur.com";
        if api && request.header("authorization").is_none() && request.param("client_id").is_none() {
            return Some(Reply::json_status(401, &json!({"errors": [{"detail": "Authentication required"}]})));
        }
        self.placed.answer(request)
    }

    fn api(&self, path: &str, told: Value) {
        self.placed.put("api.imgur.com", &format!("/post/v1/{path}"), Reply::json(&told));
    }

    /// Places the file and what is told about it.
    fn media(&self, media: &Media, title: &str) -> Value {
        let id = new_id();
        let (kind, extension) = match media.mime {
            "image/png" => ("image", "png"),
            "image/gif" => ("image", "gif"),
            "video/mp4" => ("video", "mp4"),
            _ => ("image", "jpeg"),
        };
        let moves = media.seconds > 0;
        let file = Reply::file(&media.path, media.mime);
        let name = if extension == "jpeg" { "jpg" } else { extension };
        self.placed.put("i.imgur.com", &format!("/{id}.{name}"), file);
        if kind == "image" && moves {
            let video = crate::world::media::gif_as_video(media);
            self.placed.put("i.imgur.com", &format!("/{id}.mp4"), Reply::file(&video.path, video.mime));
        }
        let gif = if extension == "gif" {
            format!("<script>var videoItem = {{gifUrl: '//i.imgur.com/{id}.gif', size: {}}};</script>", media.bytes())
        } else {
            String::new()
        };
        let page = format!(
            r#"<meta property="og:title" content="{title}"><meta property="og:image" content="https://i.imgur.com/{id}h.jpg">
               <meta property="og:video:width" content="{}"><meta property="og:video:height" content="{}">
               <div class="video-elements"><source src="//i.imgur.com/{id}.mp4" type="video/mp4"></div>{gif}"#,
            media.width, media.height
        );
        self.placed.put("i.imgur.com", &format!("/{id}.gifv"), Reply::html(&page));
        json!({
            "id": id, "account_id": 77, "mime_type": media.mime, "type": kind, "name": "", "basename": "",
            "url": format!("https://i.imgur.com/{id}.{extension}"), "ext": extension, "width": media.width,
            "height": media.height, "size": media.bytes(), "created_at": created(),
            "metadata": {"title": title, "description": "", "is_animated": moves, "is_looping": false,
                         "duration": media.seconds, "has_sound": kind == "video"},
        })
    }
}

fn new_id() -> String {
    name_of(next(), 7, &MIXED[..LETTERS])
}

fn created() -> String {
    posted().format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn post(id: &str, title: &str, is_album: bool, media: Vec<Value>) -> Value {
    let page = if is_album { "a/" } else { "" };
    json!({
        "id": id, "account_id": 77, "title": title, "description": "", "view_count": 3, "upvote_count": 7,
        "downvote_count": 1, "comment_count": 2, "image_count": media.len(), "is_album": is_album, "is_mature": true,
        "created_at": created(), "updated_at": "2026-02-01T00:00:00Z", "url": format!("https://imgur.com/{page}{id}"),
        "privacy": "public", "tags": [],
        "account": {"id": 77, "username": "ann_b", "avatar_url": "https://i.imgur.com/ava_d.png?maxwidth=290"},
        "media": media,
    })
}
