//! The REST side: TLS, log, faults, token, rate limits, and the table of routes.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Body;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{
    Shared,
    body::{self, Submission, Unread},
    faults::{self, FaultAnswer},
    model::{Id, Request},
    refusal::{Refusal, Result},
    state::State,
};

type Response = hyper::Response<Body>;

/// The line is cut instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Serves the API for as long as the runtime lives.
pub fn serve(shared: Arc<Shared>, listener: TcpListener, tls: TlsAcceptor) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (shared, tls) = (shared.clone(), tls.clone());
            tokio::spawn(async move {
                let Ok(stream) = tls.accept(stream).await else { return };
                let service = service_fn(move |request| answer(shared.clone(), request));
                // Errors here are connections that were cut, by them or (as told) by us.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
}

/// What a route gives back.
enum Answer {
    Json(Value),
    NoContent,
    File(std::path::PathBuf, Option<String>),
}

async fn answer(shared: Arc<Shared>, request: hyper::Request<Incoming>) -> Result<Response, Cut> {
    let method = request.method().as_str().to_owned();
    let full_path = request.uri().path().to_owned();
    let path = full_path.strip_prefix("/api/v10").unwrap_or(&full_path).to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let place = shared.change(|state| {
        state.requests.push(log_entry(&request, &method, &path, &query));
        state.requests.len() - 1
    });
    let fault = shared.change(|state| faults::take(&mut state.faults, &method, &path));
    match &fault {
        Some(FaultAnswer::Reset) => return Err(Cut),
        Some(FaultAnswer::Hang) => std::future::pending().await,
        Some(FaultAnswer::Slow(wait)) => tokio::time::sleep(*wait).await,
        _ => {}
    }
    let authorized = is_open(&path, &full_path) || {
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        shared.read(|state| given == Some(&format!("Bot {}", state.token)))
    };
    let segments: Vec<String> = path
        .split('/')
        .filter(|part| !part.is_empty())
        .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let verdict = shared.change(|state| {
        let enforce = state.rules.enforce_rate_limits;
        state.buckets.count(&method, &segments, enforce)
    });
    // Even a refused body is read to its end, so that the refusal reaches a client that is still sending.
    let submission = match body::read(request, shared.folder()).await {
        Err(Unread::Broken) => return Err(Cut),
        Err(Unread::Refused(refusal)) => Err(refusal),
        Ok(submission) => Ok(submission),
    };
    if let Some(response) = fault.as_ref().and_then(faulty) {
        shared.change(|state| state.requests[place].status = response.status().as_u16());
        return Ok(response);
    }
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let (mut response, status, code) = shared.change(|state| {
        if let Ok(submission) = &submission {
            state.requests[place].body = submission.payload.clone();
            state.requests[place].files = submission.files.iter().map(|file| (file.name.clone(), file.size)).collect();
        }
        let result = if !authorized {
            Err(Refusal::unauthorized())
        } else if let Some((wait, global)) = verdict.refused {
            state.requests[place].status = 429;
            return (too_many(wait, global), 429, 0);
        } else {
            submission.and_then(|submission| route(state, &method, &segments, &query, submission))
        };
        match result {
            Ok(Answer::Json(json)) => (json_response(200, &json), 200, 0),
            Ok(Answer::NoContent) => (empty(204), 204, 0),
            Ok(Answer::File(path, kind)) => (file(&path, kind), 200, 0),
            Err(refusal) => {
                if refusal.code == 0 && matches!(refusal.status, 404 | 405) {
                    state.unexpected.push(format!("{method} {path}"));
                    eprintln!("the stand-in Discord has no route {method} {path}");
                }
                (json_response(refusal.status, &refusal.body()), refusal.status, refusal.code)
            }
        }
    });
    shared.change(|state| {
        state.requests[place].status = status;
        state.requests[place].code = code;
    });
    for (name, value) in verdict.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    match fault {
        Some(FaultAnswer::LoseAnswer) => Err(Cut),
        Some(FaultAnswer::KeepAnswer) => std::future::pending().await,
        _ => Ok(response),
    }
}

fn log_entry(request: &hyper::Request<Incoming>, method: &str, path: &str, query: &str) -> Request {
    let headers = request.headers().iter().filter(|(name, _)| *name != "authorization");
    Request {
        at: Instant::now(),
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned())).collect(),
        body: Value::Null,
        files: Vec::new(),
        status: 0,
        code: 0,
    }
}

/// What a fault answers, if it is one that answers.
fn faulty(fault: &FaultAnswer) -> Option<Response> {
    Some(match fault {
        FaultAnswer::TooLarge => json_response(413, &Refusal::too_large().body()),
        FaultAnswer::RateLimit { retry_after, global } => too_many(retry_after.as_secs_f64(), *global),
        FaultAnswer::Status(status @ 500..) => {
            let page = format!("<html><head><title>{status}</title></head><body>cloudflare</body></html>");
            let response = hyper::Response::builder().status(*status).header("content-type", "text/html");
            response.body(Body::from(page)).unwrap_or_default()
        }
        FaultAnswer::Status(status) => json_response(*status, &json!({"message": format!("{status}"), "code": 0})),
        FaultAnswer::Reset
        | FaultAnswer::LoseAnswer
        | FaultAnswer::KeepAnswer
        | FaultAnswer::Hang
        | FaultAnswer::Slow(_) => return None,
    })
}

/// Routes that need no token.
fn is_open(path: &str, full_path: &str) -> bool {
    path.starts_with("/interactions/")
        || path.starts_with("/webhooks/")
        || path == "/gateway"
        || full_path.starts_with("/attachments/")
}

fn json_response(status: u16, json: &Value) -> Response {
    let response = hyper::Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(json.to_string())).unwrap_or_default()
}

fn empty(status: u16) -> Response {
    hyper::Response::builder().status(status).body(Body::empty()).unwrap_or_default()
}

fn file(path: &std::path::Path, kind: Option<String>) -> Response {
    let kind = kind.unwrap_or_else(|| "application/octet-stream".to_owned());
    match std::fs::read(path) {
        Ok(bytes) => {
            hyper::Response::builder().header("content-type", kind).body(Body::from(bytes)).unwrap_or_default()
        }
        Err(_) => empty(404),
    }
}

fn too_many(wait: f64, global: bool) -> Response {
    let wait = (wait * 1000.0).ceil() / 1000.0;
    let message = "You are being rate limited.";
    let mut response = json_response(429, &json!({"message": message, "retry_after": wait, "global": global}));
    let headers = response.headers_mut();
    for (name, value) in [
        ("retry-after", format!("{}", Duration::from_secs_f64(wait).as_secs_f64().ceil())),
        ("x-ratelimit-scope", if global { "global" } else { "user" }.to_owned()),
        ("via", "1.1 google".to_owned()),
    ] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    if global && let Ok(value) = "true".parse() {
        headers.insert("x-ratelimit-global", value);
    }
    response
}

fn id(text: &str, refusal: impl FnOnce() -> Refusal) -> Result<Id> {
    text.parse().map_err(|_| refusal())
}

fn channel(text: &str) -> Result<Id> {
    id(text, Refusal::unknown_channel)
}

fn message(text: &str) -> Result<Id> {
    id(text, Refusal::unknown_message)
}

fn json(result: Result<Value>) -> Result<Answer> {
    result.map(|json| if json.is_null() { Answer::NoContent } else { Answer::Json(json) })
}

/// The table of routes.
fn route(
    state: &mut State,
    method: &str,
    path: &[&str],
    query: &[(String, String)],
    submission: Submission,
) -> Result<Answer> {
    json(match (method, path) {
        ("GET", ["gateway"]) => Ok(json!({"url": state.gateway_url})),
        ("GET", ["gateway", "bot"]) => Ok(json!({
            "url": state.gateway_url, "shards": 1,
            "session_start_limit": {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1},
        })),
        ("GET", ["users", "@me"]) => Ok(state.user_json(state.bot)),
        ("GET", ["oauth2", "applications", "@me"] | ["applications", "@me"]) => Ok(state.application_json()),
        ("GET", ["users", "@me", "guilds"]) => Ok(state.guilds.keys().filter_map(|id| state.guild_json(*id)).collect()),
        ("POST", ["users", "@me", "channels"]) => state.direct_route(&submission.payload),
        ("GET", ["users", user]) => state.user_route(id(user, Refusal::unknown_user)?),
        (_, ["applications", app, "commands", rest @ ..]) => {
            return json(state.commands_route(method, app, None, rest, submission.payload));
        }
        (_, ["applications", app, "guilds", guild, "commands", rest @ ..]) => {
            let guild = id(guild, Refusal::unknown_guild)?;
            return json(state.commands_route(method, app, Some(guild), rest, submission.payload));
        }
        ("POST", ["interactions", interaction, token, "callback"]) => {
            let id = id(interaction, Refusal::unknown_interaction)?;
            let answer = submission.payload["type"].clone();
            let message = state.callback_route(id, token, submission)?;
            let wanted = query.iter().any(|(name, value)| name == "with_response" && value == "true");
            Ok(if wanted { state.callback_json(id, &answer, message.as_ref()) } else { Value::Null })
        }
        ("POST", ["webhooks", app, token]) => state.follow_up_route(app, token, submission),
        ("GET", ["webhooks", app, token, "messages", which]) => {
            state.webhook_message(app, token, which).map(|(_, message)| state.message_json(&message, true))
        }
        ("PATCH", ["webhooks", app, token, "messages", which]) => {
            state.edit_webhook_route(app, token, which, submission)
        }
        ("DELETE", ["webhooks", app, token, "messages", which]) => {
            let (_, message) = state.webhook_message(app, token, which)?;
            state.remove(message.id).map(|()| Value::Null)
        }
        ("POST", ["channels", at, "messages"]) => state.create_route(channel(at)?, submission),
        ("GET", ["channels", at, "messages"]) => state.list_route(channel(at)?, query),
        ("GET", ["channels", at, "messages", which]) => {
            state.readable(channel(at)?, message(which)?).map(|message| state.message_json(message, true))
        }
        ("PATCH", ["channels", at, "messages", which]) => state.edit_route(channel(at)?, message(which)?, submission),
        ("DELETE", ["channels", at, "messages", which]) => state.delete_route(channel(at)?, message(which)?),
        ("PUT", ["channels", at, "messages", which, "reactions", emoji, "@me"]) => {
            state.react_route(channel(at)?, message(which)?, emoji, true)
        }
        ("DELETE", ["channels", at, "messages", which, "reactions", emoji, "@me"]) => {
            state.react_route(channel(at)?, message(which)?, emoji, false)
        }
        ("POST", ["channels", at, "typing"]) => state.typing_route(channel(at)?),
        ("GET", ["channels", at]) => state.channel_route(channel(at)?),
        ("GET", ["guilds", guild, rest @ ..]) => state.guild_route(id(guild, Refusal::unknown_guild)?, rest),
        ("GET", ["attachments", _, file, _]) => {
            let file = id(file, Refusal::no_route)?;
            let all = state.messages.values().flat_map(|message| &message.attachments);
            let found = all.into_iter().find(|attachment| attachment.id == file).ok_or_else(Refusal::no_route)?;
            return Ok(Answer::File(found.path().to_owned(), found.content_type.clone()));
        }
        _ => Err(Refusal::no_route()),
    })
}
