//! Messages as the model makes and changes them, and the channel routes that ask for it.

use chrono::Utc;
use serde_json::{Value, json};

use super::{
    body::{Submission, Upload},
    check::{self, COMPONENTS_V2, LOADING, Route, SUPPRESS_EMBEDS},
    model::{Attachment, ChannelKind, Id, Message, snowflake},
    permissions as may,
    refusal::{Refusal, Result},
    state::State,
};

impl State {
    /// Puts a message into a channel and tells whoever listens. Nothing is checked here.
    pub fn post(&mut self, channel: Id, author: Id, mut submission: Submission, interaction: Option<Id>) -> Message {
        let uploads = std::mem::take(&mut submission.files);
        let payload = &submission.payload;
        let reference = id_of(&payload["message_reference"]["message_id"]);
        let (mentions, pinged) = self.pings(payload, reference);
        let mut message = Message {
            id: snowflake(),
            channel,
            author,
            content: payload["content"].as_str().unwrap_or_default().to_owned(),
            embeds: list(&payload["embeds"]),
            components: list(&payload["components"]),
            attachments: Vec::new(),
            flags: payload["flags"].as_u64().unwrap_or_default(),
            sent: Utc::now(),
            edited: None,
            reference,
            interaction,
            pinged,
            mentions,
            nonce: Some(payload["nonce"].clone()).filter(|nonce| !nonce.is_null()),
            reactions: Vec::new(),
            deleted: false,
            history: Vec::new(),
        };
        message.attachments = attach(uploads, payload, &[]);
        mark_embedded(&mut message);
        message.remember();
        self.messages.insert(message.id, message.clone());
        self.dispatch_message("MESSAGE_CREATE", &message);
        message
    }

    /// Changes a message as an edit asks. Only what an edit names changes.
    pub fn edit(&mut self, id: Id, mut submission: Submission) -> Result<Message> {
        let uploads = std::mem::take(&mut submission.files);
        let payload = &submission.payload;
        let mut message = self.messages.get(&id).cloned().ok_or_else(Refusal::unknown_message)?;
        let was_loading = message.is_loading();
        if let Some(content) = payload.get("content") {
            message.content = content.as_str().unwrap_or_default().to_owned();
        }
        if let Some(embeds) = payload.get("embeds") {
            message.embeds = list(embeds);
        }
        if let Some(components) = payload.get("components") {
            message.components = list(components);
        }
        message.attachments = attach(uploads, payload, &message.attachments);
        if let Some(flags) = payload["flags"].as_u64() {
            message.flags = (message.flags & !SUPPRESS_EMBEDS) | flags;
        }
        message.flags &= !LOADING;
        let bare = message.content.trim().is_empty() && message.embeds.is_empty();
        if bare && message.attachments.is_empty() && message.components.is_empty() {
            return Err(Refusal::empty_message());
        }
        if message.flags & COMPONENTS_V2 != 0 && !(message.content.is_empty() && message.embeds.is_empty()) {
            let code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2";
            return Err(Refusal::form("content", code, "The 'content' field cannot be used when using components v2"));
        }
        let (mentions, pinged) = self.pings(payload, None);
        message.mentions = mentions;
        if was_loading {
            // What replaces "is thinking…" notifies like a new message; an edit never does.
            message.pinged = pinged;
        }
        message.edited = (!was_loading).then(Utc::now);
        mark_embedded(&mut message);
        message.remember();
        self.messages.insert(id, message.clone());
        self.dispatch_message("MESSAGE_UPDATE", &message);
        Ok(message)
    }

    /// Takes a message back.
    pub fn remove(&mut self, id: Id) -> Result<()> {
        let message = self.messages.get_mut(&id).filter(|message| !message.deleted);
        let message = message.ok_or_else(Refusal::unknown_message)?;
        message.deleted = true;
        let message = message.clone();
        let guild = self.channels.get(&message.channel).and_then(|channel| channel.guild);
        let mut event = json!({"id": id.to_string(), "channel_id": message.channel.to_string()});
        if let Some(guild) = guild {
            event["guild_id"] = guild.to_string().into();
        }
        if !message.is_ephemeral() {
            self.dispatch("MESSAGE_DELETE", if guild.is_some() { 1 << 9 } else { 1 << 12 }, event);
        }
        Ok(())
    }

    /// Whom a payload names and notifies, by `allowed_mentions`.
    fn pings(&self, payload: &Value, reference: Option<Id>) -> (Vec<Id>, Vec<String>) {
        let text = payload["content"].as_str().unwrap_or_default();
        let allowed = payload["allowed_mentions"].as_object();
        let by = |kind: &str| {
            allowed.is_none_or(|allowed| {
                allowed.get("parse").and_then(Value::as_array).is_some_and(|parse| parse.iter().any(|one| one == kind))
            })
        };
        let listed = |kind: &str, id: &str| {
            let list = allowed.and_then(|allowed| allowed.get(kind)).and_then(Value::as_array);
            list.is_some_and(|list| list.iter().any(|one| one == id))
        };
        let (mut mentions, mut pinged) = (Vec::new(), Vec::new());
        if (text.contains("@everyone") || text.contains("@here")) && by("everyone") {
            pinged.push("@everyone".to_owned());
        }
        for part in text.split('<').skip(1) {
            let Some(inside) = part.split('>').next() else { continue };
            if let Some(role) = inside.strip_prefix("@&") {
                if by("roles") || listed("roles", role) {
                    pinged.push(format!("role {role}"));
                }
            } else if let Some(user) = inside.strip_prefix('@').map(|id| id.trim_start_matches('!'))
                && let Ok(id) = user.parse::<Id>()
                && (by("users") || listed("users", user))
                && !mentions.contains(&id)
            {
                mentions.push(id);
                pinged.push(self.name_of(id));
            }
        }
        let replied = reference.and_then(|id| self.messages.get(&id)).map(|message| message.author);
        let may_notify = allowed.is_none_or(|allowed| allowed.get("replied_user") == Some(&Value::Bool(true)));
        if let Some(author) = replied.filter(|author| may_notify && !mentions.contains(author)) {
            mentions.push(author);
            pinged.push(self.name_of(author));
        }
        (mentions, pinged)
    }

    /// A channel the bot can see.
    fn visible(&self, channel: Id) -> Result<()> {
        if !self.channels.contains_key(&channel) {
            return Err(Refusal::unknown_channel());
        }
        if self.bot_may_all(channel, may::VIEW_CHANNEL) { Ok(()) } else { Err(Refusal::missing_access()) }
    }

    /// A message that the bot can read in that channel.
    pub fn readable(&self, channel: Id, id: Id) -> Result<&Message> {
        self.visible(channel)?;
        let message = self.messages.get(&id).filter(|message| message.channel == channel);
        message.filter(|message| !message.deleted && !message.is_ephemeral()).ok_or_else(Refusal::unknown_message)
    }

    /// `POST /channels/{channel}/messages`.
    pub fn create_route(&mut self, channel: Id, submission: Submission) -> Result<Value> {
        self.visible(channel)?;
        let thread = self.channels.get(&channel).is_some_and(|channel| channel.kind == ChannelKind::Thread);
        let mut needs = if thread { may::SEND_MESSAGES_IN_THREADS } else { may::SEND_MESSAGES };
        check::message(&submission, Route::Create, self.enforced_limit(channel), &[])?;
        let payload = &submission.payload;
        if !submission.files.is_empty() {
            needs |= may::ATTACH_FILES;
        }
        if payload["embeds"].as_array().is_some_and(|embeds| !embeds.is_empty()) {
            needs |= may::EMBED_LINKS;
        }
        if !self.bot_may_all(channel, needs) {
            return Err(Refusal::missing_permissions());
        }
        if let Some(replied) = id_of(&payload["message_reference"]["message_id"]) {
            if !self.bot_may_all(channel, may::READ_MESSAGE_HISTORY) {
                let code = "REPLIES_CANNOT_REPLY_WITHOUT_READ_HISTORY";
                return Err(Refusal::form("message_reference", code, "Cannot reply without reading history"));
            }
            let strict = payload["message_reference"]["fail_if_not_exists"] != false;
            if self.readable(channel, replied).is_err() && strict {
                return Err(Refusal::form("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message"));
            }
        }
        if payload["enforce_nonce"] == true {
            let same = |message: &&Message| {
                message.channel == channel
                    && message.author == self.bot
                    && message.nonce.as_ref() == Some(&payload["nonce"])
            };
            if let Some(first) = self.messages.values().find(same) {
                return Ok(self.message_json(first, true));
            }
        }
        let message = self.post(channel, self.bot, submission, None);
        Ok(self.message_json(&message, true))
    }

    /// `PATCH /channels/{channel}/messages/{id}`.
    pub fn edit_route(&mut self, channel: Id, id: Id, submission: Submission) -> Result<Value> {
        let message = self.readable(channel, id)?;
        let kept = ids(message);
        let flags_only = submission.payload.as_object().is_some_and(|fields| fields.keys().all(|key| key == "flags"));
        if message.author != self.bot {
            // Hiding the embeds of others is the one edit that MANAGE_MESSAGES allows.
            if !flags_only {
                return Err(Refusal::not_yours());
            }
            if !self.bot_may_all(channel, may::MANAGE_MESSAGES) {
                return Err(Refusal::missing_permissions());
            }
        }
        check::message(&submission, Route::Edit, self.enforced_limit(channel), &kept)?;
        if !submission.files.is_empty() && !self.bot_may_all(channel, may::ATTACH_FILES) {
            return Err(Refusal::missing_permissions());
        }
        let message = self.edit(id, submission)?;
        Ok(self.message_json(&message, true))
    }

    /// `DELETE /channels/{channel}/messages/{id}`.
    pub fn delete_route(&mut self, channel: Id, id: Id) -> Result<Value> {
        let mine = self.readable(channel, id)?.author == self.bot;
        if !mine && !self.bot_may_all(channel, may::MANAGE_MESSAGES) {
            return Err(Refusal::missing_permissions());
        }
        self.remove(id).map(|()| Value::Null)
    }

    /// `GET /channels/{channel}/messages`.
    pub fn list_route(&self, channel: Id, query: &[(String, String)]) -> Result<Value> {
        self.visible(channel)?;
        if !self.bot_may_all(channel, may::READ_MESSAGE_HISTORY) {
            return Ok(json!([]));
        }
        let number = |name: &str| query.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok());
        let (before, after): (u64, u64) = (number("before").unwrap_or(u64::MAX), number("after").unwrap_or(0));
        let limit = number("limit").unwrap_or(50).clamp(1, 100) as usize;
        let mut found: Vec<Message> = self.channel_messages(channel);
        found.retain(|message| message.id < before && message.id > after && !message.is_ephemeral());
        Ok(found.iter().rev().take(limit).map(|message| self.message_json(message, true)).collect())
    }

    /// `PUT` and `DELETE …/reactions/{emoji}/@me`.
    pub fn react_route(&mut self, channel: Id, id: Id, emoji: &str, add: bool) -> Result<Value> {
        self.readable(channel, id)?;
        if add && !self.bot_may_all(channel, may::ADD_REACTIONS | may::READ_MESSAGE_HISTORY) {
            return Err(Refusal::missing_permissions());
        }
        let mine = (emoji.to_owned(), self.bot);
        if let Some(message) = self.messages.get_mut(&id) {
            message.reactions.retain(|reaction| *reaction != mine);
            if add {
                message.reactions.push(mine);
            }
        }
        Ok(Value::Null)
    }

    /// `POST /channels/{channel}/typing`.
    pub fn typing_route(&mut self, channel: Id) -> Result<Value> {
        self.visible(channel)?;
        if !self.bot_may_all(channel, may::SEND_MESSAGES) {
            return Err(Refusal::missing_permissions());
        }
        self.typing.push((channel, std::time::Instant::now()));
        Ok(Value::Null)
    }
}

/// Ids of a message's files.
pub fn ids(message: &Message) -> Vec<String> {
    message.attachments.iter().map(|file| file.id.to_string()).collect()
}

/// A snowflake out of JSON.
pub fn id_of(value: &Value) -> Option<Id> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The files of a message after a request: those it keeps and those it brings. An `attachments` list names all that
/// stay, in order; without one everything stays and new files come last.
fn attach(uploads: Vec<Upload>, payload: &Value, old: &[Attachment]) -> Vec<Attachment> {
    let listed = payload["attachments"].as_array();
    let entry = |id: Id| {
        let mut list = listed.into_iter().flatten();
        list.find(|entry| id_of(&entry["id"]) == Some(id)).cloned().unwrap_or_default()
    };
    let kept = old.iter().filter(|file| listed.is_none() || !entry(file.id).is_null());
    let mut files: Vec<Attachment> = kept.cloned().collect();
    for file in &mut files {
        if let Some(text) = entry(file.id).get("description") {
            file.description = text.as_str().map(str::to_owned);
        }
    }
    for upload in uploads {
        let entry = entry(upload.index);
        let name = entry["filename"].as_str().unwrap_or(&upload.name).to_owned();
        let mut file = Attachment::new(clean_name(&name), name, upload.size, upload.path);
        file.description = entry["description"].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        file.spoiler |= entry["is_spoiler"] == true;
        file.content_type = upload.content_type;
        let reader = image::ImageReader::open(file.path()).and_then(|reader| reader.with_guessed_format());
        file.dimensions = reader.ok().and_then(|reader| reader.into_dimensions().ok());
        files.push(file);
    }
    files
}

/// File names as Discord keeps them: Latin letters, digits, dots, dashes; underscores for blanks; the rest falls away.
fn clean_name(name: &str) -> String {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let kept: String = name
        .chars()
        .map(|c| if c == ' ' { '_' } else { c })
        .filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
        .collect();
    match kept.trim_start_matches('.') {
        "" => "unknown".to_owned(),
        kept => kept.to_owned(),
    }
}

/// Files that an embed shows are not listed with the message.
fn mark_embedded(message: &mut Message) {
    let embeds = serde_json::to_string(&message.embeds).unwrap_or_default();
    for file in &mut message.attachments {
        file.in_embed = embeds.contains(&format!("\"attachment://{}\"", file.filename));
    }
}
