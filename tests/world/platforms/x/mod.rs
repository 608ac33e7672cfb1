//! X / Twitter: guest tokens, GraphQL, syndication, and the hosts of its files.

mod post;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

pub use post::{Gone, Tweet, TweetMedia};

use super::{MIXED, Reply, Request, name_of, next};
use crate::world::web::lock;
use post::Kind;

/// The model.
#[derive(Clone, Default)]
pub struct X {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tweets: HashMap<String, Tweet>,
    files: HashMap<(String, String), (PathBuf, String)>,
    guest_tokens: HashSet<String>,
    /// The only GraphQL query id that is still served, if a story says so.
    query_id: Option<String>,
    short_links: HashMap<String, String>,
}

impl X {
    /// Places a post and returns its public link.
    pub fn post(&self, mut tweet: Tweet) -> String {
        tweet.identify();
        let link = tweet.link();
        self.place(tweet);
        link
    }

    fn place(&self, tweet: Tweet) {
        for inner in [&tweet.quotes, &tweet.retweet_of].into_iter().flatten() {
            self.place((**inner).clone());
        }
        let mut state = lock(&self.state);
        for media in &tweet.media {
            for file in &media.files {
                let (host, path) = media.place(file);
                let place = |path: String| ((host.to_owned(), path), (file.path.clone(), file.mime.to_owned()));
                if media.kind == Kind::Photo {
                    state.files.extend([place(format!("{path}.{}", media.extension()))]);
                }
                state.files.extend([place(path)]);
            }
            if let Some(folder) = &media.hls {
                let base = format!("/ext_tw_video/{}/pu/pl/", media.id);
                for entry in std::fs::read_dir(folder).expect("the playlist's folder") {
                    let path = entry.expect("an entry").path();
                    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                    let (name, mime) = if name.ends_with(".m3u8") {
                        (format!("{}.m3u8", media.key), "application/x-mpegURL")
                    } else {
                        (name, "video/mp2t")
                    };
                    state.files.insert(("video.twimg.com".into(), base.clone() + &name), (path, mime.into()));
                }
            }
        }
        state.tweets.insert(tweet.id.clone(), tweet);
    }

    /// A `t.co` link to any address.
    pub fn short_link(&self, to: &str) -> String {
        let name = name_of(next(), 10, MIXED);
        lock(&self.state).short_links.insert(format!("/{name}"), to.to_owned());
        format!("https://t.co/{name}")
    }

    /// Every guest token given out so far is refused from now on.
    pub fn expire_guest_tokens(&self) {
        lock(&self.state).guest_tokens.clear();
    }

    /// Only this GraphQL query id is served from now on; others are 404, as when X changes it.
    pub fn only_query_id(&self, id: &str) {
        lock(&self.state).query_id = Some(id.to_owned());
    }

    /// Answers what is asked of X's hosts.
    pub fn answer(&self, request: &Request) -> Option<Reply> {
        match request.host.as_str() {
            "x.com" | "www.x.com" | "mobile.x.com" | "api.x.com" | "twitter.com" | "www.twitter.com"
            | "mobile.twitter.com" | "api.twitter.com" => self.api(request),
            "cdn.syndication.twimg.com" => self.syndication(request),
            "t.co" => lock(&self.state).short_links.get(&request.path).map(|to| Reply::redirect(to)),
            "video.twimg.com" | "pbs.twimg.com" => self.file(request),
            _ => None,
        }
    }

    fn api(&self, request: &Request) -> Option<Reply> {
        match request.segments()[..] {
            ["1.1", "guest", "activate.json"] if request.host.starts_with("api.") => Some(self.activate(request)),
            ["i", "api", "graphql", query_id, "TweetResultByRestId"] | ["graphql", query_id, "TweetResultByRestId"] => {
                Some(self.graphql(request, query_id))
            }
            // The page itself is an application that shows nothing without JavaScript.
            [_, "status", id, ..] if lock(&self.state).tweets.contains_key(id) => {
                Some(Reply::html("<!DOCTYPE html><html><head><title>X</title></head><body></body></html>"))
            }
            // `/i/web/status/ID` leads to the post's own address.
            ["i", "web", "status", id] | ["statuses", id] => {
                lock(&self.state).tweets.get(id).map(|tweet| Reply::redirect(&tweet.link()))
            }
            _ => None,
        }
    }

    fn activate(&self, request: &Request) -> Reply {
        if request.method != hyper::Method::POST {
            return Reply::status(405);
        }
        if !has_bearer(request) {
            return refused(401, 32, "Could not authenticate you");
        }
        let token = (1_990_000_000_000_000_000 + next()).to_string();
        lock(&self.state).guest_tokens.insert(token.clone());
        Reply::json(&json!({"guest_token": token}))
    }

    fn graphql(&self, request: &Request, query_id: &str) -> Reply {
        let state = lock(&self.state);
        if !has_bearer(request) {
            return refused(401, 32, "Could not authenticate you");
        }
        if state.query_id.as_deref().is_some_and(|only| only != query_id) {
            return Reply::status(404);
        }
        if !request.header("x-guest-token").is_some_and(|token| state.guest_tokens.contains(token)) {
            return refused(403, 239, "Bad guest token");
        }
        let variables: Value =
            request.param("variables").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        if request.param("features").is_none_or(|features| serde_json::from_str::<Value>(&features).is_err()) {
            return refused(400, 336, "The following features cannot be null: responsive_web_edit_tweet_api_enabled");
        }
        let id = match &variables["tweetId"] {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => return refused(400, 214, "Query: Unspecified"),
        };
        let result = state.tweets.get(&id).map_or(Value::Null, Tweet::result);
        let answer = if result.is_null() { json!({}) } else { json!({"result": result}) };
        Reply::json(&json!({"data": {"tweetResult": answer}}))
    }

    fn syndication(&self, request: &Request) -> Option<Reply> {
        if request.path != "/tweet-result" || request.param("token").is_none_or(|token| token.is_empty()) {
            return None;
        }
        let id = request.param("id")?;
        let told = lock(&self.state).tweets.get(&id).and_then(Tweet::syndicated);
        Some(told.map_or_else(|| Reply::status(404), |told| Reply::json(&told)))
    }

    fn file(&self, request: &Request) -> Option<Reply> {
        let state = lock(&self.state);
        if let Some((path, mime)) = state.files.get(&(request.host.clone(), request.path.clone())) {
            // Without an extension in the path, the format must be asked for.
            let named = request.path.rsplit('/').next().is_some_and(|name| name.contains('.'));
            return (named || request.param("format").is_some()).then(|| Reply::file(path, mime));
        }
        // Stills of videos, and faces: any picture will do.
        let still = request.path.contains("_thumb/") || request.path.starts_with("/profile_images/");
        still.then(|| Reply::file(crate::world::media::jpg(99).path, "image/jpeg"))
    }
}

fn has_bearer(request: &Request) -> bool {
    request.header("authorization").is_some_and(|value| value.starts_with("Bearer AAAA"))
}

fn refused(status: u16, code: u32, message: &str) -> Reply {
    Reply::json_status(status, &json!({"errors": [{"code": code, "message": message}]}))
}
