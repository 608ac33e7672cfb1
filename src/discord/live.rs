//! The one message that a request has: written once, edited while the work goes on, and in the end the files
//! themselves.
//!
//! Decided here: the first batch of files is put on the live message itself (its text becomes the caption), further
//! batches follow as messages of their own, in order. So the common case leaves exactly one message, an edit can be
//! repeated safely, and nobody is pinged twice.
//!
//! ```text
//! interaction: defer ── edit @original … ── edit @original with files ── follow-ups
//!                              └ token spent, message gone ─┐
//! prefix:      reply ── edit …  ── edit with files ──────── new messages in the channel (nonce)
//! ```

use poise::serenity_prelude as serenity;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    rest::{Call, Patience, Rest, RestError, Route, Sent, Ticket},
    texts,
};
use crate::{deliver, deliver::Part, model::MediaFile};

/// "Cannot reply without permission to read message history".
const NO_REPLIES: u64 = 160_002;

/// Where the conversation is.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    /// The server, if it is one.
    pub guild: Option<serenity::GuildId>,
    /// The channel.
    pub channel: serenity::ChannelId,
    /// The message that asked, to reply to.
    pub asked: Option<serenity::MessageId>,
}

impl Spot {
    fn link(&self, sent: Sent) -> String {
        let guild = self.guild.map_or_else(|| "@me".to_owned(), |guild| guild.to_string());
        format!("https://discord.com/channels/{guild}/{}/{}", sent.channel, sent.message)
    }
}

/// The live message.
pub struct Live {
    rest: Rest,
    spot: Spot,
    id: String,
    state: Mutex<State>,
}

struct State {
    /// The interaction to answer, until it is spent.
    ticket: Option<Ticket>,
    /// The message, as far as its id is known.
    message: Option<Sent>,
    /// What it says now.
    text: String,
    /// Batches that were posted.
    delivered: usize,
}

impl Live {
    /// The live message of an interaction that was just acknowledged. `id`: the request's.
    pub fn of_interaction(rest: Rest, spot: Spot, id: &str, ticket: Ticket) -> Self {
        let state = State { ticket: Some(ticket), message: None, text: String::new(), delivered: 0 };
        Self { rest, spot, id: id.to_owned(), state: Mutex::new(state) }
    }

    /// Writes the live message into the channel, as a reply to the message that asked.
    ///
    /// # Errors
    /// When Discord does not take it: then there is no way to say anything.
    pub async fn in_channel(rest: Rest, spot: Spot, id: &str, text: &str) -> Result<Self, RestError> {
        let state = State { ticket: None, message: None, text: text.to_owned(), delivered: 0 };
        let live = Self { rest, spot, id: id.to_owned(), state: Mutex::new(state) };
        let sent = live.create(spot.asked, text, "s", &[]).await?;
        live.state.lock().await.message = Some(sent);
        Ok(live)
    }

    /// Shows how far it has come. Skipped when it can't be shown at once.
    pub async fn progress(&self, text: &str) {
        // Locked: files are on their way, or last words.
        let Ok(mut state) = self.state.try_lock() else { return };
        if state.delivered > 0 || state.text == text || state.ticket.as_ref().is_some_and(Ticket::is_spent) {
            return;
        }
        match self.edit(&mut state, text, &[], Patience::Once).await {
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a progress text was not shown"),
        }
    }

    /// Says the last word when there are no files, or no more.
    pub async fn finish(&self, text: &str) {
        let mut state = self.state.lock().await;
        let result = if state.delivered > 0 {
            self.next(&mut state, text, "e", &[]).await
        } else {
            self.edit_or_create(&mut state, text, "e", &[]).await
        };
        if let Err(error) = result {
            tracing::warn!(%error, "the last word could not be said");
        }
    }

    /// Posts one batch and returns a link to its message.
    ///
    /// # Errors
    /// See [`RestError`].
    pub async fn deliver(&self, part: Part<'_>) -> Result<String, RestError> {
        let mut state = self.state.lock().await;
        let caption = match part.index {
            0 => deliver::caption_with(part.metadata, part.note),
            _ => part.note.to_owned(),
        };
        let nonce = part.index.to_string();
        let sent = if state.delivered == 0 {
            self.edit_or_create(&mut state, &caption, &nonce, part.files).await
        } else {
            self.next(&mut state, &caption, &nonce, part.files).await
        }?;
        state.delivered += 1;
        Ok(self.spot.link(sent))
    }

    /// Changes the live message; where that is not possible any more, writes a new one into the channel.
    async fn edit_or_create(
        &self,
        state: &mut State,
        text: &str,
        nonce: &str,
        files: &[MediaFile],
    ) -> Result<Sent, RestError> {
        if state.ticket.is_some() || state.message.is_some() {
            if !state.ticket.as_ref().is_some_and(Ticket::is_spent) {
                match self.edit(state, text, files, Patience::Patient).await {
                    Err(RestError::Expired | RestError::Gone) => {}
                    other => return other,
                }
            }
            tracing::info!("the live message can't be edited any more: finishing with a message in the channel");
        }
        let old = state.message.filter(|_| state.ticket.is_some());
        let sent = self.create(self.spot.asked.or(old.map(|old| old.message)), text, nonce, files).await?;
        state.ticket = None;
        state.message = Some(sent);
        text.clone_into(&mut state.text);
        if let Some(old) = old {
            // The message of a spent interaction is still ours as a message of the channel. A courtesy, no more.
            let body = json!({ "content": texts::continued(), "allowed_mentions": nobody() });
            let route = Route::Edit(old.channel, old.message);
            let _ = self.rest.send(Call { route, body, files: &[], patience: Patience::Once }).await;
        }
        Ok(sent)
    }

    /// A further message after the first batch.
    async fn next(&self, state: &mut State, text: &str, nonce: &str, files: &[MediaFile]) -> Result<Sent, RestError> {
        if let Some(ticket) = state.ticket.as_ref().filter(|ticket| !ticket.is_spent()) {
            let body = json!({ "content": text, "allowed_mentions": nobody() });
            let call = Call { route: Route::FollowUp(ticket), body, files, patience: Patience::Patient };
            match self.rest.send(call).await {
                Err(RestError::Expired) => {}
                other => return other,
            }
        }
        state.ticket = None;
        let before = state.message.map(|sent| sent.message);
        self.create(self.spot.asked.or(before), text, nonce, files).await
    }

    async fn edit(
        &self,
        state: &mut State,
        text: &str,
        files: &[MediaFile],
        patience: Patience,
    ) -> Result<Sent, RestError> {
        let route = match (&state.ticket, state.message) {
            (Some(ticket), _) => Route::Original(ticket),
            (None, Some(sent)) => Route::Edit(sent.channel, sent.message),
            (None, None) => return Err(RestError::Gone),
        };
        let body = json!({ "content": text, "allowed_mentions": nobody() });
        let sent = self.rest.send(Call { route, body, files, patience }).await?;
        state.message = Some(sent);
        text.clone_into(&mut state.text);
        Ok(sent)
    }

    /// Writes a new message into the channel, in reply to another where that is possible. The nonce makes Discord return
    /// the first one when it is sent twice.
    async fn create(
        &self,
        reply_to: Option<serenity::MessageId>,
        text: &str,
        nonce: &str,
        files: &[MediaFile],
    ) -> Result<Sent, RestError> {
        let mut body = json!({
            "content": text,
            "allowed_mentions": nobody(),
            "nonce": nonce_of(&self.id, nonce),
            "enforce_nonce": true,
        });
        let route = Route::Create(self.spot.channel);
        if let Some(message) = reply_to {
            let plain = body.clone();
            body["message_reference"] = json!({ "message_id": message.to_string(), "fail_if_not_exists": false });
            match self.rest.send(Call { route, body, files, patience: Patience::Patient }).await {
                Err(RestError::Forbidden { code, .. } | RestError::Refused { code, .. }) if code == NO_REPLIES => {
                    body = plain;
                }
                other => return other,
            }
        }
        self.rest.send(Call { route, body, files, patience: Patience::Patient }).await
    }
}

/// Nobody is ever pinged, not even the person replied to.
fn nobody() -> Value {
    json!({ "parse": [], "replied_user": false })
}

/// At most 25 characters (Discord's limit), the same for the same message of the same request.
fn nonce_of(request: &str, message: &str) -> String {
    let id: String = request.chars().take(20).collect();
    format!("{id}-{}", message.chars().take(4).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_short_stable_and_different() {
        let id = "0123456789abcdef0123456789abcdef";
        let nonces: std::collections::BTreeSet<_> =
            ["s", "e", "0", "1", "9999"].into_iter().map(|message| nonce_of(id, message)).collect();
        assert_eq!(nonces.len(), 5);
        assert!(nonces.iter().all(|nonce| nonce.chars().count() <= 25), "{nonces:?}");
        assert_eq!(nonce_of(id, "1"), nonce_of(id, "1"));
    }
}
