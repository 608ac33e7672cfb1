//! Messages to Discord, with files streamed from disk.
//!
//! serenity would hold every file in memory, twice; here a file passes through a 64 KiB window. Channel routes share
//! serenity's own rate limiter, so that both know of each other's requests. Routes with an interaction's token are
//! limited by Discord for each token, and serenity would make all interactions wait for one: they have a bucket
//! each.
//!
//! What is repeated, and when: a request that Discord answered with 429 or a fault of its own, and one whose body did
//! not leave in full, always. One that left in full and was never answered may have been carried out: it is repeated
//! only where doing it twice is the same as once (edits, and new messages with an enforced nonce).

mod look;
mod route;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use poise::serenity_prelude as serenity;
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT},
};
use serde_json::Value;

use super::upload;
use crate::model::{Error, Kind, MediaFile, redact};
pub use route::{Route, TICKET_LIFE, Ticket};

/// How often one request is tried when Discord or the way to it is at fault.
const MAX_FAULTS: u32 = 4;

/// The first pause after a fault; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How often a request waits for a rate limit, and how long at the most at a time. Longer means a ban, not a queue.
const MAX_WAITS: u32 = 6;
const MAX_WAIT: Duration = Duration::from_secs(60);

/// How long a request may take, uploads apart: those may also take as long as they need at [`SLOWEST`] bytes a second.
const DEADLINE: Duration = Duration::from_secs(20);
const SLOWEST: u64 = 64 * 1024;

/// How many places of a channel's bucket progress texts leave free.
const RESERVE: i64 = 2;

/// Answers are small; anything larger is not Discord's.
const MAX_ANSWER: usize = 1024 * 1024;

/// How much a request is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Try once, wait for nothing: a progress text that is outdated in a moment.
    Once,
    /// Wait for limits and repeat after faults.
    Patient,
}

/// One request.
pub struct Call<'a> {
    /// Where to.
    pub route: Route<'a>,
    /// The message's JSON, without `attachments`.
    pub body: Value,
    /// Files to attach, in order.
    pub files: &'a [MediaFile],
    /// How much it is worth.
    pub patience: Patience,
}

/// A message as Discord took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub message: serenity::MessageId,
    /// Its channel.
    pub channel: serenity::ChannelId,
}

/// Why Discord did not take a message. No text in here carries a token.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// A file is larger than the place takes.
    #[error("a file is too large there")]
    TooLarge,
    /// The interaction can't be answered any more.
    #[error("the interaction is over")]
    Expired,
    /// The message to edit is not there any more.
    #[error("the message is gone")]
    Gone,
    /// The bot lacks a right there.
    #[error("not allowed: {message} (code {code})")]
    Forbidden {
        /// Discord's code.
        code: u64,
        /// Discord's words.
        message: String,
    },
    /// Discord wants fewer requests, for longer than is worth waiting.
    #[error("rate limited for {} s", .0.as_secs())]
    RateLimited(Duration),
    /// Discord could not be reached, or broke.
    #[error("Discord cannot be reached: {0}")]
    Unreachable(String),
    /// It left in full but no answer came: it may or may not have been carried out.
    #[error("no answer: {0}")]
    Unanswered(String),
    /// Discord refused it for another reason.
    #[error("refused with status {status}: {message} (code {code})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Discord's code.
        code: u64,
        /// Discord's words.
        message: String,
    },
    /// A file could not be read.
    #[error("cannot read a file: {0}")]
    File(std::io::Error),
}

impl From<RestError> for Error {
    fn from(error: RestError) -> Self {
        let text = format!("sending to Discord: {error}");
        match error {
            RestError::TooLarge => Error::new(Kind::CannotFit, text),
            RestError::Forbidden { code: 50_013 | 50_001, .. } => {
                Error::new(Kind::Internal, text).with_detail("I may not send files in this channel")
            }
            RestError::Unreachable(_) | RestError::Unanswered(_) => {
                Error::new(Kind::Network, text).with_detail("Discord didn't take the files")
            }
            RestError::RateLimited(wait) => Error::new(Kind::RateLimited { retry_after: Some(wait.as_secs()) }, text),
            _ => Error::new(Kind::Internal, text),
        }
    }
}

/// Discord's REST interface as we use it. Cheap to clone.
#[derive(Clone)]
pub struct Rest {
    client: reqwest::Client,
    http: Arc<serenity::Http>,
    base: Arc<str>,
}

impl Rest {
    /// Over this client, sharing `http`'s token and limiter.
    pub fn new(client: reqwest::Client, http: Arc<serenity::Http>) -> Self {
        Self::at("https://discord.com/api/v10", client, http)
    }

    /// The same with another base address, for tests of this module.
    pub(super) fn at(base: &str, client: reqwest::Client, http: Arc<serenity::Http>) -> Self {
        Self { client, http, base: base.into() }
    }

    /// Sends a message or an edit.
    ///
    /// # Errors
    /// See [`RestError`].
    pub async fn send(&self, call: Call<'_>) -> Result<Sent, RestError> {
        let (mut faults, mut waits) = (0, 0);
        loop {
            let sent = self.attempt(&call, &mut waits).await;
            let (fault, pause) = match sent {
                Ok(Attempt::Done(result)) => return result,
                Ok(Attempt::Wait(wait)) if call.patience == Patience::Once => return Err(RestError::RateLimited(wait)),
                Ok(Attempt::Wait(wait)) => {
                    waits += 1;
                    if waits > MAX_WAITS || wait > MAX_WAIT {
                        return Err(RestError::RateLimited(wait));
                    }
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(fault) => (fault, FIRST_PAUSE * 2_u32.pow(faults)),
            };
            let again = match &fault {
                RestError::Unreachable(_) => true,
                RestError::Unanswered(_) => call.is_idempotent(),
                _ => false,
            };
            faults += 1;
            if !again || faults >= MAX_FAULTS || call.patience == Patience::Once {
                return Err(fault);
            }
            tracing::debug!(%fault, faults, "trying Discord again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, call: &Call<'_>, waits: &mut u32) -> Result<Attempt, RestError> {
        let shared = self.http.ratelimiter.as_ref().zip(call.route.shared());
        let gate = match (&shared, call.route.ticket()) {
            (Some((limiter, request)), _) => {
                let routes = limiter.routes();
                let bucket = routes.write().await.entry(request.route_ref().ratelimiting_bucket()).or_default().clone();
                if call.patience == Patience::Once {
                    // The last places of a channel's bucket are for files and last words; a locked bucket is asleep.
                    let free = bucket.try_lock().is_ok_and(|limit| {
                        limit.remaining() > RESERVE || limit.reset().is_none_or(|reset| reset <= SystemTime::now())
                    });
                    if !free {
                        return Ok(Attempt::Wait(Duration::ZERO));
                    }
                }
                bucket.lock().await.pre_hook(request, &|_| {}).await;
                Some(bucket)
            }
            (None, Some(ticket)) => {
                let wait = ticket.bucket.wait();
                if !wait.is_zero() {
                    // Its own limiter, not a refusal: no attempt is spent.
                    if call.patience == Patience::Once {
                        return Ok(Attempt::Wait(wait));
                    }
                    tokio::time::sleep(wait).await;
                }
                None
            }
            (None, None) => None,
        };

        let response = self.execute(call).await?;
        if let Some(ticket) = call.route.ticket() {
            ticket.bucket.note(response.headers());
        }
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            let header = number(response.headers(), "retry-after");
            let global = response.headers().contains_key("x-ratelimit-global");
            let body = answer(response).await;
            let told = header.or_else(|| body["retry_after"].as_f64()).unwrap_or(5.0);
            // Some milliseconds more: coming a moment early costs another refusal, and refusals are counted.
            let wait = seconds_up_to(told + 0.05, Duration::from_secs(86_400));
            tracing::debug!(?wait, global, waits, "Discord asks to wait");
            if let Some(ticket) = call.route.ticket() {
                ticket.bucket.close(wait.min(MAX_WAIT));
            }
            return Ok(Attempt::Wait(wait));
        }
        if let (Some(bucket), Some((_, request))) = (gate, &shared) {
            // Only reads headers here: 429, where it would sleep, is dealt with above.
            let noted = bucket.lock().await.post_hook(&response, request, &|_| {}, false).await;
            if let Err(error) = noted {
                tracing::debug!(%error, "odd rate limit headers");
            }
        }
        self.judge(call, response).await.map(Attempt::Done)
    }

    async fn execute(&self, call: &Call<'_>) -> Result<reqwest::Response, RestError> {
        let (method, path) = call.route.request();
        let bytes: u64 = call.files.iter().map(|file| file.size).sum();
        let deadline = DEADLINE + Duration::from_secs(bytes / SLOWEST);
        let mut request = self.request(method, &path, call.route.ticket().is_none())?.timeout(deadline);
        let handed_over = Arc::new(AtomicU64::new(0));
        request = if call.files.is_empty() {
            request.json(&call.body)
        } else {
            let form = upload::form(&call.body, call.files, handed_over.clone()).await;
            request.multipart(form.map_err(RestError::File)?)
        };
        request.send().await.map_err(|error| {
            let whole = handed_over.load(Relaxed) >= bytes;
            let left = !error.is_connect() && !error.is_builder() && whole;
            let text = redact::text(&causes(&error.without_url()));
            if left { RestError::Unanswered(text) } else { RestError::Unreachable(text) }
        })
    }

    /// A request to a path, with the bot's token where the path carries none of its own.
    fn request(&self, method: Method, path: &str, signed: bool) -> Result<reqwest::RequestBuilder, RestError> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        request = request.header(USER_AGENT, serenity::constants::USER_AGENT);
        if signed {
            let mut token = HeaderValue::from_str(self.http.token())
                .map_err(|_| RestError::Unreachable("the token is not fit for a header".into()))?;
            token.set_sensitive(true);
            request = request.header(AUTHORIZATION, token);
        }
        Ok(request)
    }

    /// What an answer means. `Err`: worth another try.
    async fn judge(&self, call: &Call<'_>, response: reqwest::Response) -> Result<Result<Sent, RestError>, RestError> {
        let status = response.status();
        if status.is_server_error() {
            let text = format!("status {status}");
            // A gateway that gave up waiting does not know what became of the request.
            let unknown = status == StatusCode::GATEWAY_TIMEOUT;
            return Err(if unknown { RestError::Unanswered(text) } else { RestError::Unreachable(text) });
        }
        let body = answer(response).await;
        if status.is_success() {
            let id = |name: &str| body[name].as_str().and_then(|id| id.parse::<u64>().ok()).filter(|id| *id != 0);
            let sent = id("id").map(|message| Sent {
                message: message.into(),
                channel: id("channel_id")
                    .map_or_else(|| call.route.channel(), |id| Some(id.into()))
                    .unwrap_or_default(),
            });
            let odd = || RestError::Unanswered("an answer without a message".into());
            return Ok(sent.ok_or_else(odd));
        }
        let code = body["code"].as_u64().unwrap_or(0);
        let message = redact::text(body["message"].as_str().unwrap_or("no words"));
        Ok(Err(refusal(status, code, message)))
    }
}

enum Attempt {
    Done(Result<Sent, RestError>),
    Wait(Duration),
}

/// What a refusal means (status and code as in Discord's documentation of JSON error codes).
fn refusal(status: StatusCode, code: u64, message: String) -> RestError {
    match (status.as_u16(), code) {
        // Request entity too large.
        (413, _) | (_, 40_005) => RestError::TooLarge,
        // Invalid webhook token; unknown webhook; unknown interaction.
        (_, 50_027 | 10_015 | 10_062) => RestError::Expired,
        // Unknown message.
        (_, 10_008) => RestError::Gone,
        (403, _) => RestError::Forbidden { code, message },
        (status, _) => RestError::Refused { status, code, message },
    }
}

async fn answer(mut response: reqwest::Response) -> Value {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_ANSWER {
            return Value::Null;
        }
    }
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

fn seconds_up_to(seconds: f64, most: Duration) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(most).min(most)
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl Call<'_> {
    /// Whether doing it twice is the same as doing it once.
    fn is_idempotent(&self) -> bool {
        match self.route {
            Route::Edit(..) | Route::Original(_) | Route::EditFollowUp(..) => true,
            Route::Create(_) => self.body["enforce_nonce"] == true,
            Route::FollowUp(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_mean_what_can_be_done_about_them() {
        let verdict = |status: u16, code| {
            let text = refusal(StatusCode::from_u16(status).unwrap(), code, "words".into());
            match text {
                RestError::TooLarge => "too large",
                RestError::Expired => "expired",
                RestError::Gone => "gone",
                RestError::Forbidden { .. } => "forbidden",
                _ => "refused",
            }
        };
        for (status, code, expected) in [
            (413, 0, "too large"),
            (413, 40_005, "too large"),
            (400, 40_005, "too large"),
            (401, 50_027, "expired"),
            (404, 10_015, "expired"),
            (404, 10_062, "expired"),
            (404, 10_008, "gone"),
            (403, 50_013, "forbidden"),
            (403, 50_001, "forbidden"),
            (401, 0, "refused"),
            (404, 10_003, "refused"),
            (400, 50_035, "refused"),
        ] {
            assert_eq!(verdict(status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn only_what_may_be_done_twice_is_repeated_blindly() {
        let ticket = Ticket::new(1.into(), "secret".into());
        for (route, body, expected) in [
            (Route::Create(1.into()), serde_json::json!({ "enforce_nonce": true }), true),
            (Route::Create(1.into()), serde_json::json!({ "nonce": "x" }), false),
            (Route::Edit(1.into(), 2.into()), Value::Null, true),
            (Route::Original(&ticket), Value::Null, true),
            (Route::EditFollowUp(&ticket, 3.into()), Value::Null, true),
            (Route::FollowUp(&ticket), serde_json::json!({ "enforce_nonce": true }), false),
        ] {
            let call = Call { route, body, files: &[], patience: Patience::Patient };
            assert_eq!(call.is_idempotent(), expected);
        }
    }
}
