//! Asking Reddit: as an app where the operator has registered one, else as a visitor.

use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, header};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::parse::{self, Post};
use crate::{
    model::{Error, Kind, MediaMetadata, Resource, Result},
    net,
    platforms::{
        ExtractContext,
        common::{dash, http, json},
    },
};

/// Where an app gets its token: <https://github.com/reddit-archive/reddit/wiki/OAuth2>.
const ACCESS_TOKEN: &str = "https://www.reddit.com/api/v1/access_token";

/// What apps call themselves: Reddit limits unnamed ones harder. Setting: `REDDIT_USER_AGENT`.
const APP_USER_AGENT: &str = concat!("linux:boss-bot:", env!("CARGO_PKG_VERSION"));

/// A page of the old site: it gives visitors the session that the JSON wants at times.
const SESSION: &str = "https://old.reddit.com/";

/// Larger than any manifest of a post's video.
const MAX_MANIFEST: usize = 1024 * 1024;

/// How long the manifest may take.
const MANIFEST_TIMEOUT: Duration = Duration::from_secs(20);

/// An app's token is renewed this long before it would end.
const TOKEN_MARGIN: Duration = Duration::from_secs(60);

/// Asks Reddit about posts. Keeps the app's token and the visitor's session between questions.
#[derive(Default)]
pub struct Api {
    /// Held while one is asked for, so that many links at once ask for one.
    token: Mutex<Option<Token>>,
    session: Mutex<Option<String>>,
}

struct Token {
    value: String,
    ends: Instant,
}

impl Api {
    /// What a post holds.
    ///
    /// # Errors
    /// The verdict about the post, or why Reddit did not answer.
    pub async fn post(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let body = match app(cx) {
            Some(app) => match self.by_app(&app, resource, cx).await {
                Ok(body) => body,
                Err(error) if error.kind().is_fatal() => return Err(error),
                Err(first) => {
                    tracing::debug!(reason = first.operator_text(), "asking Reddit as a visitor instead");
                    self.by_visitor(resource, cx)
                        .await
                        .map_err(|second| if second.kind().is_fatal() { second } else { first })?
                }
            },
            None => self.by_visitor(resource, cx).await?,
        };
        let post = parse::listing(&body, resource)?;
        self.with_streams(post, cx).await
    }

    /// By an app's token; a spent one is renewed once.
    async fn by_app(&self, app: &App, resource: &Resource, cx: &ExtractContext<'_>) -> Result<Value> {
        let url = comments("https://oauth.reddit.com/comments/", &resource.id, "")?;
        for renewed in [false, true] {
            let token = self.app_token(app, cx).await?;
            let request = cx.client.get(&url)?.header(header::USER_AGENT, &app.user_agent).bearer_auth(&token);
            let answer = http::ask(cx.client, request).await?;
            if answer.status == reqwest::StatusCode::UNAUTHORIZED && !renewed {
                self.token.lock().await.take_if(|kept| kept.value == token);
                continue;
            }
            return read(answer);
        }
        Err(Error::new(Kind::LoginRequired, "Reddit refuses a fresh app token"))
    }

    async fn app_token(&self, app: &App, cx: &ExtractContext<'_>) -> Result<String> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.ends > Instant::now()) {
            return Ok(token.value.clone());
        }
        let url = link(ACCESS_TOKEN)?;
        let request = cx
            .client
            .request(reqwest::Method::POST, &url)?
            .header(header::USER_AGENT, &app.user_agent)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .basic_auth(&app.id, Some(&app.secret))
            .body("grant_type=client_credentials");
        let answer = http::ask(cx.client, request).await?;
        if let Some(refusal) = answer.refusal {
            // Nothing about a post can be gone here; most likely the settings are wrong.
            let text = format!("no token for the app in REDDIT_CLIENT_ID: {}", refusal.operator_text());
            let kind = if refusal.kind().is_fatal() { Kind::PlatformChanged } else { refusal.kind().clone() };
            return Err(Error::new(kind, text));
        }
        let body = answer.json()?;
        let value = json::text(&body, "/access_token").ok_or_else(|| Error::platform_changed("no access token"))?;
        let lives = Duration::from_secs(json::positive(&body, "/expires_in").unwrap_or(3600));
        let ends = Instant::now() + lives.saturating_sub(TOKEN_MARGIN);
        *kept = Some(Token { value: value.to_owned(), ends });
        Ok(value.to_owned())
    }

    /// As a visitor; with a session when Reddit refuses those without.
    async fn by_visitor(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<Value> {
        let url = comments("https://www.reddit.com/comments/", &resource.id, "/.json")?;
        let kept = self.session.lock().await.clone();
        let ask = |session: Option<&str>| {
            let request = cx.client.get(&url)?;
            Ok::<_, Error>(match session {
                Some(session) => request.header(header::COOKIE, format!("{session}; over18=1")),
                None => request,
            })
        };
        let first = read(http::ask(cx.client, ask(kept.as_deref())?).await?);
        match first {
            // Refused without a reason: that is about us, not about the post.
            Err(error) if *error.kind() == Kind::LoginRequired => {
                let Some(session) = self.new_session(kept.as_deref(), cx).await else { return Err(error) };
                read(http::ask(cx.client, ask(Some(&session))?).await?)
            }
            other => other,
        }
    }

    /// A visitor's session cookie, unless there is none to get. `spent`: the one that did not help.
    async fn new_session(&self, spent: Option<&str>, cx: &ExtractContext<'_>) -> Option<String> {
        let mut kept = self.session.lock().await;
        if kept.is_some() && kept.as_deref() != spent {
            return kept.clone();
        }
        let request: RequestBuilder = cx.client.get(&link(SESSION).ok()?).ok()?;
        let response = cx.client.send(request).await.ok()?;
        let cookies = response.headers().get_all(header::SET_COOKIE).iter();
        let mut pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        *kept = pairs.find(|pair| pair.starts_with("loid=")).map(str::to_owned);
        kept.clone()
    }

    /// Reads the manifests of its videos.
    async fn with_streams(&self, post: Post, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let Post { mut metadata, videos } = post;
        for video in videos {
            let Some(item) = metadata.items.get_mut(video.item) else { continue };
            match manifest(&video.dash, cx).await.and_then(|xml| dash::renditions(&xml, &video.dash, item.duration)) {
                Ok((renditions, duration)) => {
                    item.renditions = renditions;
                    item.duration = item.duration.or(duration);
                }
                // The picture alone is the whole only of a video that has no sound.
                Err(error) if video.has_sound || video.picture.url.is_none() => return Err(error),
                Err(error) => {
                    tracing::debug!(reason = error.operator_text(), "no manifest: taking the silent file");
                    item.renditions = vec![video.picture];
                }
            }
        }
        metadata.duration = metadata.items.iter().find_map(|item| item.duration);
        Ok(metadata)
    }
}

/// An app that the operator has registered.
struct App {
    id: String,
    secret: String,
    user_agent: String,
}

fn app(cx: &ExtractContext<'_>) -> Option<App> {
    let param = |name: &str| cx.param(name).map(str::to_owned);
    let user_agent = param("user_agent").unwrap_or_else(|| APP_USER_AGENT.to_owned());
    Some(App { id: param("client_id")?, secret: param("client_secret")?, user_agent })
}

/// The listing in an answer, or what its refusal means.
fn read(answer: http::Answer) -> Result<Value> {
    match answer.refusal {
        None => answer.json(),
        Some(ref refusal) => {
            let body = answer.json().unwrap_or_default();
            Err(parse::refused(&body).unwrap_or_else(|| refusal.clone()))
        }
    }
}

async fn manifest(url: &Url, cx: &ExtractContext<'_>) -> Result<String> {
    let load = async {
        let response = cx.client.send(cx.client.get(url)?).await?;
        // A missing manifest says nothing about the post, which was just read.
        let response = net::check_status(response).map_err(|error| match error.kind() {
            Kind::NotFound | Kind::LoginRequired => {
                Error::platform_changed(format!("no manifest: {}", error.operator_text()))
            }
            _ => error,
        })?;
        let body = net::read_body(response, MAX_MANIFEST).await?;
        String::from_utf8(body.into()).map_err(|_| Error::platform_changed("a DASH manifest that is no text"))
    };
    let late = |_| Error::new(Kind::Timeout, format!("no manifest within {MANIFEST_TIMEOUT:?}"));
    tokio::time::timeout(MANIFEST_TIMEOUT, load).await.map_err(late)?
}

/// `raw_json=1`: texts without HTML entities. `limit=1`: nobody reads the comments here.
fn comments(start: &str, id: &str, end: &str) -> Result<Url> {
    link(&format!("{start}{id}{end}?raw_json=1&limit=1"))
}

fn link(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| Error::internal("a link of Reddit's is misspelt"))
}
