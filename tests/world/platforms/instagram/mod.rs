//! Instagram: what visitors without an account and visitors with a session get, and the hosts of its files.

mod post;
mod stories;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

pub use post::{Access, InstagramItem, InstagramPost};

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
    /// The pages of posts lead visitors to the login page; their query and their embedded form stay open.
    page_wall: bool,
    /// The pages' query is refused.
    query_closed: bool,
    /// The only id under which the pages' query is still served, if a story says so.
    doc_id: Option<String>,
    /// Stories and highlights by the reel's id.
    reels: HashMap<String, Value>,
    /// Accounts with stories, by handle.
    people: HashMap<String, stories::Person>,
    shares: HashMap<String, String>,
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

    /// From now on the pages of posts lead visitors to the login page; what pages ask and what others embed stays open.
    pub fn page_wall(&self) {
        lock(&self.state).page_wall = true;
    }

    /// From now on the query of the pages is refused.
    pub fn close_query(&self) {
        lock(&self.state).query_closed = true;
    }

    /// Only this id of the pages' query is served from now on, as when Instagram changes it.
    pub fn only_doc_id(&self, id: &str) {
        lock(&self.state).doc_id = Some(id.to_owned());
    }

    /// A share link of the app.
    pub fn share(&self, link: &str) -> String {
        let token = name_of(next(), 11, MIXED);
        lock(&self.state).shares.insert(token.clone(), format!("{link}?igsh=abc"));
        format!("https://www.instagram.com/share/p/{token}")
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
            stories::SCRIPTS => stories::script(&request.path),
            _ => None,
        }
    }

    fn site(&self, request: &Request) -> Option<Reply> {
        let segments = request.segments();
        if let ["p", code, "embed", "captioned"] = segments[..] {
            return Some(self.embedded(code));
        }
        let segments = segments.strip_suffix(&["embed"]).unwrap_or(&segments);
        match *segments {
            ["share", _, token] => lock(&self.state).shares.get(token).map(|to| Reply::redirect(to)),
            ["api", "v1", "users", "web_profile_info"] => Some(self.profile(request)),
            ["api", "v1", "feed", "reels_media"] => Some(self.reels(request)),
            [] => Some(self.front(request)),
            ["accounts", "login"] => Some(Reply::html("<!DOCTYPE html><title>Login • Instagram</title>")),
            ["api", "v1", "web", "get_ruling_for_content"] => Some(self.ruling(request)),
            ["api", "v1", "media", pk, "info"] => Some(self.info(request, pk.parse().ok()?)),
            ["graphql", "query"] => self.application_query(request),
            ["api", "graphql"] => Some(self.application_query(request).unwrap_or_else(|| self.graphql(request))),
            ["stories", handle, ..] | [handle] => self.person_page(request, handle),
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
        let (doc_id, lsd) = (request.form("doc_id").unwrap_or_default(), request.form("lsd"));
        if state.doc_id.as_ref().is_some_and(|only| *only != doc_id) {
            return Reply::json(
                &json!({"errors": [{"message": "The GraphQL document was not found.", "severity": "CRITICAL"}]}),
            );
        }
        // The token in the form must be that in the header.
        if request.method != hyper::Method::POST
            || state.query_closed
            || lsd.as_deref() != request.header("x-fb-lsd")
            || lsd.is_none_or(|lsd| lsd.is_empty())
        {
            return Reply::json_status(403, &json!({"message": "Forbidden", "status": "fail"}));
        }
        Reply::json(&json!({"data": {"xig_polaris_media": logged_out(pk.and_then(|pk| state.posts.get(&pk)))}}))
    }

    /// The page that other sites embed, with the post in the shape of the first web API.
    fn embedded(&self, code: &str) -> Reply {
        let state = lock(&self.state);
        let post = pk_of(code).and_then(|pk| state.posts.get(&pk)).filter(|post| post.access == Access::Public);
        let context = json!({"gql_data": post.map(|post| json!({"shortcode_media": post.first_shape()}))}).to_string();
        let data = json!({"require": [["PolarisEmbedSimple", "init", [], [{"contextJSON": context}]]]});
        Reply::html(&format!("<!DOCTYPE html><html><body><script>s.handle({data});</script></body></html>"))
    }

    /// The page of a post, with its data in a script.
    fn page(&self, request: &Request, code: &str) -> Reply {
        let state = lock(&self.state);
        if (state.login_wall || state.page_wall) && !has_session(request) {
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
