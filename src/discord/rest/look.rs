//! Looking at messages of ours, and taking one back: what is needed when a delivery is taken up again after a crash.
//!
//! These requests are rare and made one at a time, so they share no limiter; a 429 counts as not being able to look.

use poise::serenity_prelude as serenity;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{DEADLINE, Rest, RestError, Route, Sent, answer};

/// How many messages are looked through for one that may be ours.
const LOOK_THROUGH: usize = 50;

impl Rest {
    /// The message that this route edits, and how many files it has. `None`: it cannot be seen, or is not there.
    pub async fn look(&self, route: Route<'_>) -> Option<(Sent, usize)> {
        let (_, path) = route.request();
        let message = self.ask(Method::GET, &path, route.ticket().is_none()).await?;
        let sent = Sent { message: id(&message["id"])?.into(), channel: id(&message["channel_id"])?.into() };
        Some((sent, message["attachments"].as_array().map_or(0, Vec::len)))
    }

    /// The newest message without files that answers this interaction with exactly this text, after another message.
    pub async fn answer_with(
        &self,
        channel: serenity::ChannelId,
        after: serenity::MessageId,
        interaction: serenity::InteractionId,
        text: &str,
    ) -> Option<Sent> {
        let path = format!("/channels/{channel}/messages?after={after}&limit={LOOK_THROUGH}");
        let messages = self.ask(Method::GET, &path, true).await?;
        let ours = |message: &&Value| {
            message["interaction_metadata"]["id"] == interaction.to_string()
                && message["content"] == text
                && message["attachments"].as_array().is_none_or(Vec::is_empty)
        };
        let newest = messages.as_array()?.iter().filter(ours).filter_map(|message| id(&message["id"])).max()?;
        Some(Sent { message: newest.into(), channel })
    }

    /// Takes back the message that this route edits. That it is gone is all that counts.
    ///
    /// # Errors
    /// When it may still be there.
    pub async fn take_back(&self, route: Route<'_>) -> Result<(), RestError> {
        let (_, path) = route.request();
        let gone = self.ask(Method::DELETE, &path, route.ticket().is_none()).await;
        gone.map(drop).ok_or_else(|| RestError::Unreachable("a message could not be taken back".into()))
    }

    /// The JSON of a good answer; `Null` for one without a body.
    async fn ask(&self, method: Method, path: &str, signed: bool) -> Option<Value> {
        let response = self.request(method, path, signed).ok()?.timeout(DEADLINE).send().await.ok()?;
        match response.status() {
            StatusCode::NO_CONTENT => Some(Value::Null),
            status if status.is_success() => Some(answer(response).await),
            _ => None,
        }
    }
}

/// A snowflake out of JSON.
fn id(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok().filter(|id| *id != 0)
}
