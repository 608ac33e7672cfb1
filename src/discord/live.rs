//! The one message that a request has: written once, edited while the work goes on, and in the end the files
//! themselves.
//!
//! Decided here: the first batch of files is put on the live message itself (its text becomes the caption), further
//! batches follow as messages of their own, in order. So the common case leaves exactly one message, and nobody is
//! pinged twice.
//!
//! ```text
//! interaction: defer ── edit @original … ── edit @original with files ── follow-up ── edit it with files
//!                              └ token spent, message gone ─┐
//! prefix:      reply ── edit …  ── edit with files ──────── new message (nonce) ── edit it with files
//! ```
//!
//! Files are put on messages only by edits: those can be repeated without harm, by this process or by the next one,
//! because the files of an edit take the place of those that are there. What is done is written down in a [`Journal`].

use std::sync::Arc;

use poise::serenity_prelude as serenity;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{
    address::{self, Address, Answering, Written},
    rest::{Call, Patience, Rest, RestError, Route, Sent, Ticket},
    texts,
};
use crate::{
    deliver::{self, Already, Entry, Journal, Part, Place, Stage},
    jobs::Seal,
    model::{Error, MediaFile},
};

/// "Cannot reply without permission to read message history".
const NO_REPLIES: u64 = 160_002;

/// How often a message that somebody takes away before its files are on it is made again.
const MAX_REMADE: usize = 2;

/// The live message.
pub struct Live {
    rest: Rest,
    id: String,
    state: Mutex<State>,
}

struct State {
    /// Where it is, but for what is below.
    address: Address,
    /// The interaction to answer, until it is spent.
    ticket: Option<Ticket>,
    /// The message, as far as its id is known.
    message: Option<Sent>,
    /// What it says now.
    text: String,
    /// Batches that were posted.
    delivered: usize,
    /// Whether files are on their way, or were when somebody broke that off: they may be there or not.
    sending: bool,
    /// The message of the next batch, when it is there already, without its files.
    begun: Option<Sent>,
    /// Whether an earlier process may have begun a message that it could not write down.
    resumed: bool,
    /// Where it is written down what was done.
    journal: Option<Arc<dyn Journal>>,
}

/// Why a batch was not posted.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// Discord did not take it.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// It is another one's to deliver by now.
    #[error("the delivery is another one's")]
    NotOurs(Error),
}

impl Live {
    /// The live message of the job `id` as its address tells it: of an interaction, or written before. Without either
    /// [`Live::begin`] writes it.
    pub fn at(rest: Rest, id: &str, address: Address, seal: &Seal) -> Self {
        let ticket = address.interaction.as_ref().and_then(|answering| answering.ticket(id, seal));
        let message = address.message.map(|written| Sent { message: written.message, channel: written.channel });
        let state = State {
            address,
            ticket,
            message,
            text: String::new(),
            delivered: 0,
            sending: false,
            begun: None,
            resumed: false,
            journal: None,
        };
        Self { rest, id: id.to_owned(), state: Mutex::new(state) }
    }

    /// Writes the live message into the channel, in reply to the message that asked, if there is none yet. Done twice it is
    /// still one message.
    ///
    /// # Errors
    /// When Discord does not take it: then there is no way to say anything.
    pub async fn begin(&self, text: &str) -> Result<(), RestError> {
        let mut state = self.state.lock().await;
        if state.ticket.is_some() || state.message.is_some() {
            return Ok(());
        }
        let sent = self.create(&state, state.address.asked, text, "s").await?;
        state.message = Some(sent);
        text.clone_into(&mut state.text);
        Ok(())
    }

    /// The interaction cannot be answered any more.
    pub async fn without_interaction(&self) {
        let mut state = self.state.lock().await;
        state.ticket = None;
    }

    /// Where the conversation is now.
    pub async fn address(&self) -> Address {
        self.state.lock().await.address()
    }

    /// Takes up a delivery: `entries` is what an earlier process wrote into the journal, in order. What was about to be
    /// sent is looked at; where that is not possible it will be sent again, onto the same message.
    pub async fn resume(&self, journal: Arc<dyn Journal>, entries: Vec<Entry>, first: bool) -> Already {
        let mut state = self.state.lock().await;
        state.journal = Some(journal);
        state.resumed = !first;
        let mut already = Already::default();
        for entry in entries {
            let mut place = entry.place.map(|at| Sent { message: at.message.into(), channel: at.channel.into() });
            let files = entry.pieces.iter().filter(|piece| matches!(piece, deliver::Piece::File { .. })).count();
            let mut there = entry.stage == Stage::Sent;
            if entry.stage == Stage::Sending
                && files > 0
                && let Some(route) = state.route(entry.number, place)
                && let Some((seen, count)) = self.rest.look(route).await
            {
                (place, there) = (Some(seen), count == files);
            }
            if entry.number == 0 {
                state.message = place.or(state.message);
            }
            if there {
                already.add(place.map(|at| state.link(at)).unwrap_or_default(), &entry.pieces);
                state.delivered = entry.number + 1;
                state.begun = None;
            } else if entry.number > 0 {
                state.begun = place;
            }
        }
        already
    }

    /// Shows how far it has come. Skipped when it can't be shown at once.
    pub async fn progress(&self, text: &str) {
        // Locked: files are on their way, or last words.
        let Ok(mut state) = self.state.try_lock() else { return };
        let spent = state.ticket.as_ref().is_some_and(Ticket::is_spent);
        if state.delivered > 0 || state.text == text || spent || !state.is_ours() {
            return;
        }
        match self.edit(&mut state, text, &[], Patience::Once).await {
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a progress text was not shown"),
        }
    }

    /// Says that it goes on later. Where files are, or may be, there is nothing to say: the text would take the place of
    /// their caption.
    pub async fn pause(&self, text: &str) {
        let mut state = self.state.lock().await;
        if state.delivered == 0
            && !state.sending
            && state.confirm().await
            && let Err(error) = self.edit(&mut state, text, &[], Patience::Patient).await
        {
            tracing::info!(%error, "a pause was not told");
        }
    }

    /// Says the last word when there are no files, or no more.
    pub async fn finish(&self, text: &str) {
        let mut state = self.state.lock().await;
        if !state.confirm().await {
            return;
        }
        let result = match (state.begun.take(), state.delivered) {
            // A message that waits for its files gets the word instead.
            (Some(begun), _) => match self.put(&state, begun, text, &[]).await {
                Err(RestError::Gone) => self.next(&mut state, text, "e").await.map_err(DeliverError::Rest),
                other => other.map_err(DeliverError::Rest),
            },
            (None, 0) => self.edit_or_create(&mut state, text, "e", &[], None).await,
            (None, _) => self.next(&mut state, text, "e").await.map_err(DeliverError::Rest),
        };
        if let Err(error) = result {
            tracing::warn!(%error, "the last word could not be said");
        }
    }

    /// Takes back a message that was begun and is not needed after all.
    pub async fn tidy(&self) {
        let mut state = self.state.lock().await;
        if let Some(begun) = state.begun.take()
            && state.confirm().await
            && let Some(route) = state.route(1, Some(begun))
            && let Err(error) = self.rest.take_back(route).await
        {
            tracing::info!(%error, "an empty message stays");
        }
    }

    /// Posts one batch and returns a link to its message.
    ///
    /// # Errors
    /// See [`DeliverError`].
    pub async fn deliver(&self, part: Part<'_>) -> Result<String, DeliverError> {
        let mut state = self.state.lock().await;
        let caption = match part.index {
            0 => deliver::caption_with(part.metadata, part.note),
            _ => part.note.to_owned(),
        };
        let nonce = part.index.to_string();
        state.sending = true;
        let sent = if state.delivered == 0 {
            state.note(&part, Stage::Sending, state.message).await?;
            self.edit_or_create(&mut state, &caption, &nonce, part.files, Some(&part)).await
        } else if part.files.is_empty() {
            self.next(&mut state, &caption, &nonce).await.map_err(DeliverError::Rest)
        } else {
            self.follow(&mut state, &caption, &nonce, &part).await
        };
        // A refusal is certain; what is dropped before this line is not.
        state.sending = sent.is_ok();
        let sent = sent?;
        state.note(&part, Stage::Sent, Some(sent)).await?;
        state.sending = false;
        state.delivered += 1;
        state.begun = None;
        Ok(state.link(sent))
    }

    /// Changes the live message; where that is not possible any more, writes a new one into the channel.
    async fn edit_or_create(
        &self,
        state: &mut State,
        text: &str,
        nonce: &str,
        files: &[MediaFile],
        part: Option<&Part<'_>>,
    ) -> Result<Sent, DeliverError> {
        if state.ticket.is_some() || state.message.is_some() {
            if !state.ticket.as_ref().is_some_and(Ticket::is_spent) {
                match self.edit(state, text, files, Patience::Patient).await {
                    Err(RestError::Expired | RestError::Gone) => {}
                    other => return Ok(other?),
                }
            }
            tracing::info!("the live message can't be edited any more: finishing with a message in the channel");
        }
        let old = state.message.filter(|_| state.ticket.is_some());
        let first = if files.is_empty() { text.to_owned() } else { part.map(texts::follows).unwrap_or_default() };
        let asked = state.address.asked.or(old.map(|old| old.message));
        let sent = self.create(state, asked, &first, nonce).await?;
        state.ticket = None;
        state.message = Some(sent);
        state.text = first;
        state.readdress().await?;
        if let Some(old) = old {
            // The message of a spent interaction is still ours as a message of the channel. A courtesy, no more.
            let body = json!({ "content": texts::continued(), "allowed_mentions": nobody() });
            let route = Route::Edit(old.channel, old.message);
            let _ = self.rest.send(Call { route, body, files: &[], patience: Patience::Once }).await;
        }
        if files.is_empty() {
            return Ok(sent);
        }
        if let Some(part) = part {
            state.note(part, Stage::Sending, Some(sent)).await?;
        }
        Ok(self.edit(state, text, files, Patience::Patient).await?)
    }

    /// A further message with files after the first batch: first without them, then with.
    async fn follow(&self, state: &mut State, text: &str, nonce: &str, part: &Part<'_>) -> Result<Sent, DeliverError> {
        let mut remade = 0;
        loop {
            let at = match state.begun {
                Some(begun) => begun,
                None => {
                    let nonce = if remade == 0 { nonce.to_owned() } else { format!("{nonce}r{remade}") };
                    let begun = self.next(state, &texts::follows(part), &nonce).await?;
                    state.begun = Some(begun);
                    state.note(part, Stage::Reserved, Some(begun)).await?;
                    begun
                }
            };
            state.note(part, Stage::Sending, Some(at)).await?;
            match self.put(state, at, text, part.files).await {
                Err(RestError::Gone) if remade < MAX_REMADE => {
                    remade += 1;
                    state.begun = None;
                }
                other => return Ok(other?),
            }
        }
    }

    /// A further message, text only. What may have got lost on the way back is looked for before it is sent again.
    async fn next(&self, state: &mut State, text: &str, nonce: &str) -> Result<Sent, RestError> {
        let mut look = state.resumed;
        let mut lost = false;
        while let Some(ticket) = state.ticket.as_ref().filter(|ticket| !ticket.is_spent()) {
            if look
                && let (Some(answering), Some(live)) = (&state.address.interaction, state.message)
                && let Some(sent) = self.rest.answer_with(live.channel, live.message, answering.id, text).await
            {
                return Ok(sent);
            }
            let body = json!({ "content": text, "allowed_mentions": nobody() });
            let call = Call { route: Route::FollowUp(ticket), body, files: &[], patience: Patience::Patient };
            match self.rest.send(call).await {
                Err(RestError::Expired) => break,
                Err(RestError::Unanswered(_)) if !lost => (look, lost) = (true, true),
                other => return other,
            }
        }
        state.ticket = None;
        let before = state.message.map(|sent| sent.message);
        self.create(state, state.address.asked.or(before), text, nonce).await
    }

    /// Changes the live message.
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

    /// Changes a further message: by the interaction while that lasts (it may take larger files), else as a message of the
    /// channel.
    async fn put(&self, state: &State, at: Sent, text: &str, files: &[MediaFile]) -> Result<Sent, RestError> {
        let call = |route| {
            let body = json!({ "content": text, "allowed_mentions": nobody() });
            Call { route, body, files, patience: Patience::Patient }
        };
        let route = state.route(1, Some(at)).unwrap_or(Route::Edit(at.channel, at.message));
        match self.rest.send(call(route)).await {
            // Made in the channel after the interaction had ended, or ended just now.
            Err(RestError::Expired | RestError::Gone) if state.ticket.is_some() => {
                self.rest.send(call(Route::Edit(at.channel, at.message))).await
            }
            other => other,
        }
    }

    /// Writes a new message into the channel, in reply to another where that is possible. The nonce makes Discord return
    /// the first one when it is sent twice.
    async fn create(
        &self,
        state: &State,
        reply_to: Option<serenity::MessageId>,
        text: &str,
        nonce: &str,
    ) -> Result<Sent, RestError> {
        let mut body = json!({
            "content": text,
            "allowed_mentions": nobody(),
            "nonce": nonce_of(&self.id, nonce),
            "enforce_nonce": true,
        });
        let route = Route::Create(state.address.channel);
        if let Some(message) = reply_to {
            let plain = body.clone();
            body["message_reference"] = json!({ "message_id": message.to_string(), "fail_if_not_exists": false });
            match self.rest.send(Call { route, body, files: &[], patience: Patience::Patient }).await {
                Err(RestError::Forbidden { code, .. } | RestError::Refused { code, .. }) if code == NO_REPLIES => {
                    body = plain;
                }
                other => return other,
            }
        }
        self.rest.send(Call { route, body, files: &[], patience: Patience::Patient }).await
    }
}

impl State {
    fn is_ours(&self) -> bool {
        self.journal.as_ref().is_none_or(|journal| journal.is_ours())
    }

    /// The same, made sure of.
    async fn confirm(&self) -> bool {
        match &self.journal {
            Some(journal) => journal.confirm().await.is_ok(),
            None => true,
        }
    }

    fn address(&self) -> Address {
        Address {
            interaction: self.address.interaction.clone().filter(|_: &Answering| self.ticket.is_some()),
            message: self.message.map(|sent| Written { channel: sent.channel, message: sent.message }),
            ..self.address.clone()
        }
    }

    fn link(&self, sent: Sent) -> String {
        address::jump(self.address.guild, sent.channel, sent.message)
    }

    /// The route that changes the `number`-th message of the delivery. `None`: nobody knows which one that is.
    fn route(&self, number: usize, at: Option<Sent>) -> Option<Route<'_>> {
        match (self.ticket.as_ref().filter(|ticket| !ticket.is_spent()), at) {
            (Some(ticket), _) if number == 0 => Some(Route::Original(ticket)),
            (Some(ticket), Some(at)) => Some(Route::EditFollowUp(ticket, at.message)),
            (None, Some(at)) => Some(Route::Edit(at.channel, at.message)),
            (_, None) => None,
        }
    }

    async fn note(&self, part: &Part<'_>, stage: Stage, at: Option<Sent>) -> Result<(), DeliverError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let place = at.map(|at| Place { channel: at.channel.get(), message: at.message.get() });
        let entry = Entry { number: part.index, stage, place, pieces: part.pieces.to_vec() };
        journal.note(entry).await.map_err(DeliverError::NotOurs)
    }

    async fn readdress(&self) -> Result<(), DeliverError> {
        let Some(journal) = &self.journal else { return Ok(()) };
        let address = serde_json::to_value(self.address()).unwrap_or_default();
        journal.readdress(address).await.map_err(DeliverError::NotOurs)
    }
}

/// Nobody is ever pinged, not even the person replied to.
fn nobody() -> Value {
    json!({ "parse": [], "replied_user": false })
}

/// At most 25 characters (Discord's limit), the same for the same message of the same request. The end of an id is its
/// random part.
fn nonce_of(request: &str, message: &str) -> String {
    let skipped = request.chars().count().saturating_sub(20);
    let id: String = request.chars().skip(skipped).collect();
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
        let sibling = "0123456789abcdef0123456789abcdee";
        assert_ne!(nonce_of(id, "1"), nonce_of(sibling, "1"), "ids of one moment begin alike");
    }
}
