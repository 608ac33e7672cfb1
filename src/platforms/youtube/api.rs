//! Asking InnerTube, the interface of YouTube's own players: which requests, as which clients, in which order.
//!
//! `POST www.youtube.com/youtubei/v1/player` as the first configured client that gets usable formats, and at the same
//! time `…/next` as the web client for what stands around the player (handle, date, likes). The clients and their fields
//! are those that yt-dlp knows; they change over time, hence the settings.

use serde_json::{Map, Value, json};
use url::Url;

use super::parse;
use crate::{
    model::{Error, Kind, MediaMetadata, Resource, Result},
    net,
    platforms::{ExtractContext, common::http},
};

/// The clients asked unless the operator says otherwise: those of late 2026 that need neither script nor token.
pub const CLIENTS: &str = r#"[{"id":101,"clientName":"VISIONOS","clientVersion":"1.02","deviceMake":"Apple","deviceModel":"RealityDevice17,1","osName":"visionOS","osVersion":"26.5.23O471","userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 15_7_3) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15"}]"#;

/// More clients than this are a mistake: each is a request that YouTube counts.
const MAX_CLIENTS: usize = 4;

/// Whom we say to be.
pub struct Client {
    /// The value of X-YouTube-Client-Name.
    id: u64,
    /// The fields of the client context.
    context: Map<String, Value>,
}

impl Client {
    /// The site itself, in a browser.
    fn web(cx: &ExtractContext<'_>) -> Result<Self> {
        let version =
            cx.param("innertube_web_version").ok_or_else(|| Error::internal("no version of the web client"))?;
        let context = json!({"clientName": "WEB", "clientVersion": version, "userAgent": net::USER_AGENT});
        match context {
            Value::Object(context) => Ok(Self { id: 1, context }),
            _ => Err(Error::internal("a context is an object")),
        }
    }

    fn field(&self, name: &str) -> &str {
        self.context.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Reads the setting.
pub fn clients(setting: &str) -> Result<Vec<Client>> {
    let wrong = |what: &str| Error::internal(format!("YOUTUBE_INNERTUBE_CLIENTS: {what}"));
    let list: Vec<Map<String, Value>> =
        serde_json::from_str(setting).map_err(|error| wrong(&format!("no JSON list of objects: {error}")))?;
    if list.is_empty() || list.len() > MAX_CLIENTS {
        return Err(wrong(&format!("1 to {MAX_CLIENTS} clients are possible, {} are given", list.len())));
    }
    let client = |mut context: Map<String, Value>| {
        let id = context.remove("id").and_then(|id| id.as_u64()).ok_or_else(|| wrong("a client has no number `id`"))?;
        let client = Client { id, context };
        match ["clientName", "clientVersion", "userAgent"].iter().find(|name| client.field(name).is_empty()) {
            Some(missing) => Err(wrong(&format!("a client has no `{missing}`"))),
            None => Ok(client),
        }
    };
    list.into_iter().map(client).collect()
}

/// Asks one endpoint as one client.
///
/// # Errors
/// As for any request; `platform_changed` for an endpoint that is not there.
pub async fn ask(cx: &ExtractContext<'_>, client: &Client, endpoint: &str, mut body: Value) -> Result<http::Answer> {
    let url = Url::parse(&format!("https://www.youtube.com/youtubei/v1/{endpoint}?prettyPrint=false"))
        .map_err(|_| Error::internal("the address of InnerTube"))?;
    let mut context = client.context.clone();
    context.insert("hl".into(), cx.param("lang").unwrap_or("en").into());
    // Dates come in this zone.
    context.insert("timeZone".into(), "UTC".into());
    context.insert("utcOffsetMinutes".into(), 0.into());
    body["context"] = json!({"client": context});
    let request = cx
        .client
        .request(reqwest::Method::POST, &url)?
        .header("x-youtube-client-name", client.id)
        .header("x-youtube-client-version", client.field("clientVersion"))
        .header("user-agent", client.field("userAgent"))
        .header("origin", "https://www.youtube.com")
        .header("content-type", "application/json")
        .body(body.to_string());
    http::ask(cx.client, request).await
}

/// The same as the web client, for lists and details.
pub async fn ask_web(cx: &ExtractContext<'_>, endpoint: &str, body: Value) -> Result<http::Answer> {
    ask(cx, &Client::web(cx)?, endpoint, body).await
}

/// One video with everything around it.
pub async fn video(resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
    let (player, details) = tokio::join!(player(&resource.id, cx), details(&resource.id, cx));
    parse::video(resource, &player?, &details)
}

/// What the page around the player tells. Never worth failing for.
async fn details(id: &str, cx: &ExtractContext<'_>) -> Value {
    let body = json!({"videoId": id, "contentCheckOk": true, "racyCheckOk": true});
    ask_web(cx, "next", body).await.and_then(|answer| answer.told()).unwrap_or_else(|error| {
        tracing::debug!(%error, "YouTube tells nothing beside the player");
        Value::Null
    })
}

/// What the player's interface tells about a video that can be loaded: the first client's answer with usable formats.
///
/// # Errors
/// The verdict about the video; `platform_changed` when every client only gets formats that need the player's script.
pub async fn player(id: &str, cx: &ExtractContext<'_>) -> Result<Value> {
    let setting = cx.param("innertube_clients").unwrap_or(CLIENTS);
    let mut failed: Option<Error> = None;
    for client in clients(setting)? {
        let told = player_as(&client, id, cx).await;
        match told.and_then(|told| parse::renditions(&told).map(|_| told)) {
            Ok(told) => return Ok(told),
            Err(error) => {
                tracing::debug!(client = client.field("clientName"), %error, "no usable formats for this client");
                // Verdicts that tell something about the video need no second opinion.
                if error.kind().is_fatal() && *error.kind() != Kind::NotFound {
                    return Err(error);
                }
                failed = Some(failed.filter(|first| *first.kind() == Kind::NotFound).unwrap_or(error));
            }
        }
    }
    let error = failed.unwrap_or_else(|| Error::internal("no InnerTube client"));
    if *error.kind() != Kind::NotFound {
        return Err(error);
    }
    // Videos made for children do not exist for some clients: gone is only what is gone for the site too.
    let web = player_as(&Client::web(cx)?, id, cx).await?;
    match parse::verdict(&web) {
        Err(verdict) => Err(verdict),
        Ok(()) => Err(Error::platform_changed("YouTube hides the video from the configured clients only")),
    }
}

async fn player_as(client: &Client, id: &str, cx: &ExtractContext<'_>) -> Result<Value> {
    let body = json!({
        "videoId": id, "contentCheckOk": true, "racyCheckOk": true,
        "playbackContext": {"contentPlaybackContext": {"html5Preference": "HTML5_PREF_WANTS"}},
    });
    ask(cx, client, "player", body).await?.told()
}
