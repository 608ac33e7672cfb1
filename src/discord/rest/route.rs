//! Where messages go, and the limiter of those routes that carry an interaction's token.

use std::time::Duration;

use poise::serenity_prelude as serenity;
use reqwest::{Method, header::HeaderMap};
use tokio::time::Instant;

use super::{MAX_WAIT, number, seconds_up_to};

/// Where a message goes. The tokens of interactions are secrets for a quarter of an hour: `Debug` is not derived.
#[derive(Clone, Copy)]
pub enum Route<'a> {
    /// A new message in a channel.
    Create(serenity::ChannelId),
    /// A message of ours in a channel.
    Edit(serenity::ChannelId, serenity::MessageId),
    /// The first answer to an interaction, after it was acknowledged.
    Original(&'a Ticket),
    /// A further answer to an interaction.
    FollowUp(&'a Ticket),
    /// One of the further answers that is there.
    EditFollowUp(&'a Ticket, serenity::MessageId),
}

/// The right to answer an interaction.
pub struct Ticket {
    /// The application.
    pub application: serenity::ApplicationId,
    /// The secret.
    pub token: String,
    /// When it can no longer be used.
    pub until: Instant,
    /// The limiter of its routes.
    pub bucket: TokenBucket,
}

/// How long Discord takes answers to an interaction (15 minutes), less a reserve for a slow upload.
pub const TICKET_LIFE: Duration = Duration::from_secs(14 * 60 + 30);

impl Ticket {
    /// A ticket handed out just now.
    #[cfg(test)]
    pub fn new(application: serenity::ApplicationId, token: String) -> Self {
        Self::lasting(application, token, TICKET_LIFE)
    }

    /// A ticket that can still be used for so long.
    pub fn lasting(application: serenity::ApplicationId, token: String, left: Duration) -> Self {
        Self { application, token, until: Instant::now() + left.min(TICKET_LIFE), bucket: TokenBucket::default() }
    }

    /// Whether it is too late to use it.
    pub fn is_spent(&self) -> bool {
        Instant::now() > self.until
    }
}

/// When the next request with a token may be sent.
#[derive(Debug, Default)]
pub struct TokenBucket(std::sync::Mutex<Option<Instant>>);

impl TokenBucket {
    /// How long to wait.
    pub(super) fn wait(&self) -> Duration {
        let until = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    /// Nothing may be sent for so long.
    pub(super) fn close(&self, wait: Duration) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now() + wait);
    }

    /// Reads what an answer says about the next request.
    pub(super) fn note(&self, headers: &HeaderMap) {
        if number(headers, "x-ratelimit-remaining") == Some(0.0)
            && let Some(seconds) = number(headers, "x-ratelimit-reset-after")
        {
            self.close(seconds_up_to(seconds, MAX_WAIT));
        }
    }
}

impl<'a> Route<'a> {
    /// Method and path.
    pub(super) fn request(self) -> (Method, String) {
        match self {
            Route::Create(channel) => (Method::POST, format!("/channels/{channel}/messages")),
            Route::Edit(channel, message) => (Method::PATCH, format!("/channels/{channel}/messages/{message}")),
            Route::Original(Ticket { application, token, .. }) => {
                (Method::PATCH, format!("/webhooks/{application}/{token}/messages/@original"))
            }
            Route::FollowUp(Ticket { application, token, .. }) => {
                (Method::POST, format!("/webhooks/{application}/{token}"))
            }
            Route::EditFollowUp(Ticket { application, token, .. }, message) => {
                (Method::PATCH, format!("/webhooks/{application}/{token}/messages/{message}"))
            }
        }
    }

    /// The route as serenity's limiter knows it, where it is shared.
    pub(super) fn shared(self) -> Option<serenity::Request<'static>> {
        match self {
            Route::Create(channel_id) => Some(serenity::Request::new(
                serenity::Route::ChannelMessages { channel_id },
                serenity::LightMethod::Post,
            )),
            Route::Edit(channel_id, message_id) => Some(serenity::Request::new(
                serenity::Route::ChannelMessage { channel_id, message_id },
                serenity::LightMethod::Patch,
            )),
            Route::Original(_) | Route::FollowUp(_) | Route::EditFollowUp(..) => None,
        }
    }

    /// The interaction it answers.
    pub(super) fn ticket(self) -> Option<&'a Ticket> {
        match self {
            Route::Original(ticket) | Route::FollowUp(ticket) | Route::EditFollowUp(ticket, _) => Some(ticket),
            Route::Create(_) | Route::Edit(..) => None,
        }
    }

    /// The channel, where the route names it.
    pub(super) fn channel(self) -> Option<serenity::ChannelId> {
        match self {
            Route::Create(channel) | Route::Edit(channel, _) => Some(channel),
            Route::Original(_) | Route::FollowUp(_) | Route::EditFollowUp(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tokens_bucket_closes_when_it_is_empty_and_opens_again() {
        let headers = |remaining: &str, after: &str| {
            HeaderMap::from_iter([
                ("x-ratelimit-remaining".parse().unwrap(), remaining.parse().unwrap()),
                (reqwest::header::HeaderName::from_static("x-ratelimit-reset-after"), after.parse().unwrap()),
            ])
        };
        let bucket = TokenBucket::default();
        bucket.note(&headers("1", "5"));
        assert_eq!(bucket.wait(), Duration::ZERO);
        bucket.note(&headers("0", "2.5"));
        assert_eq!(bucket.wait(), Duration::from_millis(2500));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(bucket.wait(), Duration::ZERO);
        bucket.note(&headers("0", "1e99"));
        assert_eq!(bucket.wait(), MAX_WAIT, "odd numbers are no reason to wait for ever");
        bucket.note(&headers("0", "-1"));
    }
}
