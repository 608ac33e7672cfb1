//! Asking Instagram about a post: with a session its API; without one the post's page, the page's own query, and the page
//! that other sites embed, in this order.

use reqwest::{Method, RequestBuilder, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::{embed, parse};
use crate::{
    model::{Error, Kind, MediaMetadata, Resource, Result},
    net::{Client, Session},
    platforms::{
        ExtractContext,
        common::{
            html::Page,
            http::{self, Answer},
            json::text,
            link::canonical,
            meta,
        },
    },
};

/// The site.
pub const SITE: &str = "https://www.instagram.com/";

/// The name of the query that a post's page asks for visitors.
const QUERY: &str = "PolarisLoggedOutDesktopWWWPostRootContentQuery";

/// What a post holds.
///
/// # Errors
/// The verdict about the post, or why the first source that was asked did not answer: that is the most telling.
pub async fn post(resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
    let number =
        meta::number_of(&resource.id).ok_or_else(|| Error::new(Kind::NotFound, "a code that is no post's number"))?;
    let mut first = None;
    if let Some(session) = cx.session {
        match with_session(number, session, cx).await {
            Ok(media) => return finish(resource, &media, cx.client).await,
            Err(error) if error.kind().is_fatal() => return Err(error),
            Err(error) => {
                tracing::debug!(reason = error.operator_text(), "asking Instagram as a visitor instead");
                first = Some(error);
            }
        }
    }
    match as_visitor(resource, number, cx).await {
        Ok(media) => finish(resource, &media, cx.client).await,
        Err(error) if error.kind().is_fatal() => Err(error),
        Err(error) => Err(first.unwrap_or(error)),
    }
}

async fn finish(resource: &Resource, media: &Value, client: &Client) -> Result<MediaMetadata> {
    let mut metadata = parse::post(resource, media)?;
    meta::learn_sizes(client, &mut metadata.items).await;
    Ok(metadata)
}

/// The record as the web application's API tells it to people with an account.
async fn with_session(number: u64, session: &Session, cx: &ExtractContext<'_>) -> Result<Value> {
    let url = address(&format!("api/v1/media/{number}/info/"))?;
    let answer = http::ask(session.client(), api_request(session.client(), &url, Some(session), cx)?).await?;
    let body = session_answer(&answer)?;
    body.pointer("/items/0").cloned().ok_or_else(|| Error::platform_changed("no `items` in the API's answer"))
}

/// The JSON of an answer to somebody with an account.
///
/// # Errors
/// `login_required` when the session is not accepted, the verdict about the post, or `platform_changed`.
pub fn session_answer(answer: &Answer) -> Result<Value> {
    if meta::is_login(&answer.url) {
        return Err(Error::new(Kind::LoginRequired, "Instagram does not accept the session; it may have ended"));
    }
    match answer.json() {
        Ok(body) if text(&body, "/status") == Some("fail") => Err(parse::refusal(answer, &body)),
        Ok(body) => answer.refusal.clone().map_or(Ok(body), Err),
        // A refusal's status says more than that its body is a page.
        Err(odd) => Err(answer.refusal.clone().unwrap_or(odd)),
    }
}

/// A question to the API, as the web application asks it.
pub fn api_request(
    client: &Client,
    url: &Url,
    session: Option<&Session>,
    cx: &ExtractContext<'_>,
) -> Result<RequestBuilder> {
    let mut request = client
        .get(url)?
        .header("X-IG-App-ID", cx.param("app_id").unwrap_or_default())
        .header("X-IG-WWW-Claim", "0")
        .header("X-Requested-With", "XMLHttpRequest")
        .header(header::REFERER, SITE);
    if let Some(token) = session.and_then(|session| session.cookie(url, "csrftoken")) {
        request = request.header("X-CSRFToken", token.expose_secret());
    }
    Ok(request)
}

/// An address of the site.
pub fn address(path: &str) -> Result<Url> {
    canonical(SITE, path).ok_or_else(|| Error::internal("an address of Instagram"))
}

/// The record as visitors are told it.
async fn as_visitor(resource: &Resource, number: u64, cx: &ExtractContext<'_>) -> Result<Value> {
    let (page, visitor) = page(resource, cx.client).await;
    let first = match page {
        Ok(media) => return Ok(media),
        Err(error) if error.kind().is_fatal() => return Err(error),
        Err(error) => error,
    };
    tracing::debug!(reason = first.operator_text(), "asking the query of Instagram's page instead");
    let second = match query(resource, number, &visitor, cx).await {
        Ok(media) => return Ok(media),
        Err(error) if error.kind().is_fatal() => return Err(error),
        Err(error) => error,
    };
    tracing::debug!(reason = second.operator_text(), "asking Instagram's embedded page instead");
    let third = match embedded(resource, cx.client).await {
        Ok(media) => return Ok(media),
        Err(error) => error,
    };
    tracing::debug!(reason = third.operator_text(), "Instagram's embedded page does not help either");
    if parse::is_gated(&first) || parse::is_gated(&second) {
        Err(ruling(number, cx).await.unwrap_or(first))
    } else {
        Err(first)
    }
}

/// What a visitor was given with a page.
#[derive(Default)]
struct Visitor {
    csrf: Option<String>,
    lsd: Option<String>,
}

async fn page(resource: &Resource, client: &Client) -> (Result<Value>, Visitor) {
    let ask = async {
        let url = address(&format!("p/{}/", resource.id))?;
        http::ask(client, meta::visit(client.get(&url)?)).await
    };
    let answer = match ask.await {
        Ok(answer) => answer,
        Err(error) => return (Err(error), Visitor::default()),
    };
    let csrf = answer.cookie("csrftoken").map(str::to_owned);
    if meta::is_login(&answer.url) {
        let error =
            Error::new(Kind::LoginRequired, "Instagram leads to its login page: it shows this address no more posts");
        return (Err(error), Visitor { csrf, lsd: None });
    }
    match answer.text() {
        Ok(html) => {
            let lsd = html.split_once("[\"LSD\",[],{\"token\":\"").and_then(|(_, rest)| rest.split('"').next());
            let visitor = Visitor { csrf, lsd: lsd.map(str::to_owned) };
            (parse::page(&Page::of(html)), visitor)
        }
        Err(error) => (Err(error), Visitor { csrf, lsd: None }),
    }
}

/// What the page would ask by itself.
async fn query(resource: &Resource, number: u64, visitor: &Visitor, cx: &ExtractContext<'_>) -> Result<Value> {
    let url = address("api/graphql")?;
    // Any token will do, as long as the form and the header say the same.
    let lsd =
        visitor.lsd.clone().unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string().chars().take(11).collect());
    let variables = json!({"media_id": number.to_string()}).to_string();
    let form = [
        ("lsd", lsd.as_str()),
        ("fb_api_caller_class", "RelayModern"),
        ("fb_api_req_friendly_name", QUERY),
        ("server_timestamps", "true"),
        ("variables", &variables),
        ("doc_id", cx.param("doc_id").unwrap_or_default()),
    ];
    let mut request = cx
        .client
        .request(Method::POST, &url)?
        .form(&form)
        .header("X-IG-App-ID", cx.param("app_id").unwrap_or_default())
        .header("X-FB-Friendly-Name", QUERY)
        .header("X-FB-LSD", &lsd)
        .header("X-Requested-With", "XMLHttpRequest")
        .header("Sec-Fetch-Site", "same-origin")
        .header(header::ORIGIN, SITE.trim_end_matches('/'))
        .header(header::REFERER, resource.canonical.as_str());
    if let Some(csrf) = &visitor.csrf {
        request = request.header("X-CSRFToken", csrf).header(header::COOKIE, format!("csrftoken={csrf}"));
    }
    let answer = http::ask(cx.client, request).await?;
    if meta::is_login(&answer.url) {
        return Err(Error::new(Kind::LoginRequired, "Instagram's query leads to its login page"));
    }
    match answer.refusal {
        // A 404 is the query's, not the post's.
        Some(refusal) if *refusal.kind() == Kind::NotFound => Err(Error::platform_changed("Instagram's query is gone")),
        Some(refusal) => Err(refusal),
        None => parse::query(&answer.json()?),
    }
}

async fn embedded(resource: &Resource, client: &Client) -> Result<Value> {
    let url = address(&format!("p/{}/embed/captioned/", resource.id))?;
    let answer = http::ask(client, meta::visit(client.get(&url)?)).await?;
    if meta::is_login(&answer.url) {
        return Err(Error::new(Kind::LoginRequired, "Instagram's embedded page leads to its login page"));
    }
    embed::page(answer.text()?)
}

/// Why visitors do not see a post, if Instagram gives a reason.
async fn ruling(number: u64, cx: &ExtractContext<'_>) -> Option<Error> {
    let mut url = address("api/v1/web/get_ruling_for_content/").ok()?;
    url.query_pairs_mut().append_pair("content_type", "MEDIA").append_pair("target_id", &number.to_string());
    let answer = http::ask(cx.client, api_request(cx.client, &url, None, cx).ok()?).await.ok()?;
    parse::ruling(&answer.json().ok()?)
}
