//! Facebook: the pages of videos with their records in scripts, share links, and the host of its files.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{LOWER, MIXED, Reply, Request, name_of, next, posted};
use crate::world::{
    media::{self, Media},
    web::lock,
};

/// Where the files are.
const FILES: &str = "video.xx.fbcdn.net";

/// The model.
#[derive(Clone, Default)]
pub struct Facebook {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    videos: HashMap<String, FacebookVideo>,
    files: HashMap<String, Media>,
    shares: HashMap<String, String>,
}

/// Whether a video can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FacebookFate {
    /// Yes.
    Public,
    /// By people with an account.
    Members,
    /// The page leads visitors to the login page.
    LoginWall,
    /// Deleted, or shown to few.
    Gone,
    /// Not in this country.
    Abroad,
    /// It is being broadcast.
    Live,
}

/// A video to place. `FacebookVideo::of(&clip).titled("A kettle")`.
#[derive(Debug, Clone)]
pub struct FacebookVideo {
    id: String,
    name: String,
    title: String,
    description: String,
    best: Media,
    lower: Media,
    fate: FacebookFate,
}

impl FacebookVideo {
    /// A public video, in this and in a lower version.
    pub fn of(best: &Media) -> Self {
        let number = next();
        Self {
            id: (640_000_000_000_000 + number * 1_000_003).to_string(),
            name: name_of(number, 20, LOWER),
            title: "A kettle".into(),
            description: "It boils & sings".into(),
            best: best.clone(),
            lower: media::video(media::Video { width: 160, height: 90, ..media::Video::seed(7) }),
            fate: FacebookFate::Public,
        }
    }

    /// A video that visitors cannot see.
    pub fn gone(fate: FacebookFate) -> Self {
        Self { fate, ..Self::of(&media::small_video(97)) }
    }

    /// Its title.
    pub fn titled(mut self, title: &str) -> Self {
        self.title = title.into();
        self
    }

    fn path(&self, quality: &str) -> String {
        format!("/o1/v/t2/f2/m69/{}_{quality}.mp4", self.name)
    }

    fn address(&self, quality: &str) -> String {
        format!("https://{FILES}{}?efg=e30&oh=00_world&oe=F4865700", self.path(quality))
    }

    /// The record of its page.
    fn record(&self) -> Value {
        let file = |quality: &str| {
            json!({"progressive_url": self.address(quality), "failure_reason": null,
                   "metadata": {"quality": quality.to_uppercase()}})
        };
        json!({
            "__typename": "Video", "id": self.id, "name": self.title,
            "savable_description": {"text": self.description},
            "is_live_streaming": self.fate == FacebookFate::Live,
            "owner": {"__typename": "User", "id": "100064718678925", "name": "Tea Baker"},
            "publish_time": posted().timestamp(), "playable_duration_in_ms": self.best.seconds * 1000,
            "preferred_thumbnail": {"image": {"uri": format!("https://scontent.xx.fbcdn.net/v/{}.jpg?oe=F4865700", self.name)}},
            "videoDeliveryResponseFragment": {"videoDeliveryResponseResult": {
                "progressive_urls": [file("sd"), file("hd")],
                "dash_manifests": [], "dash_manifest_urls": [], "hls_playlist_urls": [],
            }},
        })
    }

    fn page(&self) -> Reply {
        let owner = json!({"__typename": "User", "id": "100064718678925", "name": "Tea Baker"});
        let stream = |data: Value| {
            json!({"require": [["ScheduledServerJS", "handle", null, [{"__bbox": {"require": [
                ["RelayPrefetchedStreamCache", "next", [], ["adp_Comet", {"__bbox": {
                    "complete": true, "result": {"data": data},
                }}]],
            ]}}]]]})
        };
        let video = stream(json!({"video": {
            "id": self.id, "owner": owner, "story": {"attachments": [{"media": self.record()}]},
        }}));
        let counters = stream(json!({
            "attachments": [{"media": {
                "__typename": "Video", "id": self.id, "title": {"text": self.title}, "owner": owner,
            }}],
            "url": format!("https://www.facebook.com/tea.baker/videos/{}/", self.id),
            "feedback": {"likers": {"count": 77}, "total_comment_count": 8, "share_count_reduced": "5"},
        }));
        Reply::html(&format!(
            "<!DOCTYPE html><html><head><title>{title}</title>\
             <meta property=\"og:title\" content=\"{title} | Facebook\">\
             <meta property=\"og:description\" content=\"{description}\"></head><body>\
             <script type=\"application/json\" data-content-len=\"1\" data-sjs>{video}</script>\
             <script type=\"application/json\" data-content-len=\"1\" data-sjs>{counters}</script></body></html>",
            title = self.title,
            description = self.description.replace('&', "&amp;"),
        ))
    }
}

impl Facebook {
    /// Places a video and returns its public link.
    pub fn video(&self, video: FacebookVideo) -> String {
        let link = format!("https://www.facebook.com/watch/?v={}", video.id);
        let mut state = lock(&self.state);
        state.files.insert(video.path("hd"), video.best.clone());
        state.files.insert(video.path("sd"), video.lower.clone());
        state.videos.insert(video.id.clone(), video);
        link
    }

    /// A share link to any address.
    pub fn share(&self, to: &str) -> String {
        let token = name_of(next(), 10, MIXED);
        lock(&self.state).shares.insert(token.clone(), to.to_owned());
        format!("https://www.facebook.com/share/v/{token}/")
    }

    /// Answers what is asked of Facebook's hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        match request.host.as_str() {
            "www.facebook.com" => match request.segments()[..] {
                ["watch"] => Some(page(request, state.videos.get(&request.param("v")?))),
                ["share", "v", token] => state.shares.get(token).map(|to| Reply::redirect(to)),
                ["login"] => Some(Reply::html("<!DOCTYPE html><title>Log in to Facebook</title>")),
                _ => None,
            },
            "fb.watch" => state.shares.get(*request.segments().first()?).map(|to| Reply::redirect(to)),
            FILES => {
                let media = state.files.get(&request.path)?;
                // What looks like a browser is slowed down; the stand-in refuses it.
                let preview =
                    request.header("user-agent").is_some_and(|agent| agent.starts_with("facebookexternalhit"));
                Some(if preview { Reply::file(&media.path, media.mime) } else { Reply::status(403) })
            }
            _ => None,
        }
    }
}

fn page(request: &Request, video: Option<&FacebookVideo>) -> Reply {
    let login = "<form id=\"login_form\" action=\"/login/\"></form>";
    let unavailable = format!("<!DOCTYPE html><span>This content isn't available right now</span>{login}");
    let Some(video) = video else { return Reply::html(&unavailable) };
    let member = request.cookie("c_user").is_some();
    match video.fate {
        FacebookFate::Members if !member => Reply::html(&format!("<!DOCTYPE html><title>Facebook</title>{login}")),
        FacebookFate::LoginWall if !member => Reply::redirect("https://www.facebook.com/login/?next=watch"),
        FacebookFate::Gone => Reply::html(&unavailable),
        FacebookFate::Abroad => Reply::html("<!DOCTYPE html><span>This video is not available in your country</span>"),
        _ => video.page(),
    }
}
