//! Threads: the pages of posts with their thread in a script. The files are where Instagram's are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{MIXED, Reply, Request, name_of, next, posted};
use crate::world::{media::Media, web::lock};

/// Where the files are.
const FILES: &str = "scontent-fra3-1.cdninstagram.com";

/// The model.
#[derive(Clone, Default)]
pub struct Threads {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    posts: HashMap<String, ThreadsPost>,
    files: HashMap<String, Media>,
}

/// Whether a post can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadsFate {
    /// Yes.
    Public,
    /// By followers.
    Private,
    /// The page leads to the login page.
    LoginWall,
    /// Deleted.
    Gone,
}

/// A post to place. `ThreadsPost::of(&[picture, clip])`.
#[derive(Debug, Clone)]
pub struct ThreadsPost {
    code: String,
    words: String,
    media: Vec<(String, Media)>,
    fate: ThreadsFate,
}

impl ThreadsPost {
    /// A post with these pictures and videos; without any, one of words.
    pub fn of(media: &[Media]) -> Self {
        let media = media.iter().map(|media| {
            let extension = if media.mime.starts_with("video/") { "mp4" } else { "jpg" };
            (format!("/v/t51/{}.{extension}", name_of(next(), 16, MIXED)), media.clone())
        });
        Self {
            code: name_of(next(), 11, MIXED),
            words: "And it boils".into(),
            media: media.collect(),
            fate: ThreadsFate::Public,
        }
    }

    /// A post that cannot be seen.
    pub fn gone(fate: ThreadsFate) -> Self {
        Self { fate, ..Self::of(&[]) }
    }

    fn record(&self) -> Value {
        let mut record = json!({
            "pk": "3500000000000000001", "code": self.code, "media_type": 19, "taken_at": posted().timestamp(),
            "user": {"pk": "1234", "username": "tea.baker", "full_name": "Tea Baker"},
            "caption": {"text": self.words}, "like_count": 77,
            "text_post_app_info": {"direct_reply_count": 8, "repost_count": 5},
            "image_versions2": {"candidates": []}, "video_versions": null, "carousel_media": null,
        });
        let parts: Vec<Value> = self.media.iter().map(|(path, media)| part(path, media)).collect();
        match &parts[..] {
            [] => {}
            [only] => {
                for (name, value) in only.as_object().expect("an object") {
                    record[name] = value.clone();
                }
            }
            _ => {
                record["media_type"] = json!(8);
                record["carousel_media"] = parts.into();
            }
        }
        record
    }

    fn page(&self) -> Reply {
        let thread = json!({"thread_items": [
            {"post": {"pk": "1", "code": "earlier", "media_type": 19, "caption": {"text": "A kettle"}}},
            {"post": self.record()},
        ]});
        frame(&json!({"data": {"edges": [{"node": thread}]}}))
    }
}

fn part(path: &str, media: &Media) -> Value {
    let address = format!("https://{FILES}{path}?oh=00_world&oe=F4865700");
    let candidate = json!({"url": address, "width": media.width, "height": media.height});
    if media.mime.starts_with("video/") {
        json!({"media_type": 2, "has_audio": true, "image_versions2": {"candidates": [candidate]},
               "video_versions": [{"type": 101, "url": address}]})
    } else {
        json!({"media_type": 1, "accessibility_caption": "A picture", "image_versions2": {"candidates": [candidate]},
               "video_versions": null})
    }
}

fn frame(data: &Value) -> Reply {
    let data = json!({"require": [["ScheduledServerJS", "handle", null, [{"__bbox": {"require": [
        ["RelayPrefetchedStreamCache", "next", [], ["adp_Barcelona", {"__bbox": {"complete": true, "result": {"data": data}}}]],
    ]}}]]]});
    Reply::html(&format!(
        "<!DOCTYPE html><html><head><title>Threads</title></head><body>\
         <script type=\"application/json\" data-sjs>{data}</script></body></html>"
    ))
}

impl Threads {
    /// Places a post and returns its public link.
    pub fn post(&self, post: ThreadsPost) -> String {
        let link = format!("https://www.threads.com/@tea.baker/post/{}", post.code);
        let mut state = lock(&self.state);
        state.files.extend(post.media.iter().cloned());
        state.posts.insert(post.code.clone(), post);
        link
    }

    /// Answers what is asked of the hosts of Threads.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        match request.host.as_str() {
            "www.threads.com" => match request.segments()[..] {
                ["t", code] => match state.posts.get(code) {
                    Some(post) if post.fate == ThreadsFate::LoginWall => {
                        Some(Reply::redirect("https://www.threads.com/login/?next=%2Ft%2F"))
                    }
                    Some(post) if post.fate != ThreadsFate::Gone => {
                        Some(Reply::redirect(&format!("https://www.threads.com/@tea.baker/post/{code}")))
                    }
                    _ => Some(Reply::redirect("https://www.threads.com/?error=invalid_post")),
                },
                // Without the marks of a visit a page comes without its data.
                [_, "post", code] if request.header("sec-fetch-mode") == Some("navigate") => {
                    let post = state.posts.get(code)?;
                    Some(if post.fate == ThreadsFate::Private { frame(&json!({"data": null})) } else { post.page() })
                }
                [_, "post", _] => Some(Reply::html("<!DOCTYPE html><title>Threads</title>")),
                [] | ["login"] => Some(Reply::html("<!DOCTYPE html><title>Threads</title>")),
                _ => None,
            },
            FILES => state.files.get(&request.path).map(|media| Reply::file(&media.path, media.mime)),
            _ => None,
        }
    }
}
