//! Interactions as the bot answers them: the first answer, its message, what follows.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    body::Submission,
    check::{self, EPHEMERAL, LOADING, Route},
    messages::ids,
    model::{ACKNOWLEDGE_WITHIN, Id, Interaction, InteractionKind, Message, TOKEN_LIVES},
    refusal::{Refusal, Result},
    state::State,
};

/// Messages that a user-installed app may add where the bot is no member.
const FOLLOW_UPS_OF_STRANGERS: usize = 5;

impl State {
    /// `POST /interactions/{id}/{token}/callback`. The message it made, if any.
    pub fn callback_route(&mut self, id: Id, token: &str, submission: Submission) -> Result<Option<Message>> {
        let interaction = self.interactions.get(&id).filter(|interaction| interaction.token == token);
        let interaction = interaction.ok_or_else(Refusal::unknown_interaction)?.clone();
        if interaction.acknowledged_after.is_some() {
            return Err(Refusal::already_acknowledged());
        }
        let after = interaction.sent.elapsed();
        if after > ACKNOWLEDGE_WITHIN || interaction.expired {
            return Err(Refusal::unknown_interaction());
        }
        let Submission { mut payload, files } = submission;
        let answer = payload["type"].as_u64().ok_or_else(|| Refusal::missing("type"))?;
        let submission = Submission { payload: payload["data"].take(), files };
        let limit = self.interaction_limit(&interaction);
        let message = match (interaction.kind, answer) {
            (InteractionKind::Autocomplete, 8) => {
                let choices = choices(&submission.payload)?;
                self.acknowledge(id, answer, after, |interaction| interaction.choices = choices);
                None
            }
            (InteractionKind::Command | InteractionKind::Component, 4) => {
                check::message(&submission, Route::Callback, limit, &[])?;
                self.acknowledge(id, answer, after, |_| {});
                Some(self.answer_with(id, submission))
            }
            (InteractionKind::Command | InteractionKind::Component, 5) => {
                check::message(&submission, Route::Defer, limit, &[])?;
                self.acknowledge(id, answer, after, |_| {});
                let flags = submission.payload["flags"].as_u64().unwrap_or_default() | LOADING;
                Some(self.answer_with(id, Submission { payload: json!({"flags": flags}), files: Vec::new() }))
            }
            (InteractionKind::Component, 6 | 7) => {
                check::message(&submission, Route::Edit, limit, &[])?;
                self.acknowledge(id, answer, after, |_| {});
                None
            }
            (InteractionKind::Command | InteractionKind::Component, 9) => {
                let modal = submission.payload;
                self.acknowledge(id, answer, after, |interaction| interaction.modal = Some(modal));
                None
            }
            _ => return Err(Refusal::form("type", "BASE_TYPE_CHOICES", "Not an answer to this kind of interaction")),
        };
        Ok(message)
    }

    fn acknowledge(&mut self, id: Id, answer: u64, after: Duration, more: impl FnOnce(&mut Interaction)) {
        if let Some(interaction) = self.interactions.get_mut(&id) {
            interaction.acknowledged_after = Some(after);
            interaction.answer = Some(answer);
            more(interaction);
        }
    }

    fn answer_with(&mut self, id: Id, submission: Submission) -> Message {
        let channel = self.interactions[&id].channel;
        let message = self.post(channel, self.bot, submission, Some(id));
        if let Some(interaction) = self.interactions.get_mut(&id) {
            interaction.original = Some(message.id);
        }
        message
    }

    /// Bytes a file of this interaction may really have.
    fn interaction_limit(&self, interaction: &Interaction) -> u64 {
        let guild = self.channels.get(&interaction.channel).and_then(|channel| channel.guild);
        self.really_takes(guild).unwrap_or(u64::MAX).min(interaction.attachment_size_limit)
    }

    /// The interaction behind a webhook route.
    fn webhook(&mut self, application: &str, token: &str) -> Result<Interaction> {
        if application != self.bot.to_string() {
            return Err(Refusal::unknown_webhook());
        }
        let interaction = self.interaction_by_token(token).ok_or_else(Refusal::invalid_webhook_token)?.clone();
        if interaction.expired || interaction.sent.elapsed() > TOKEN_LIVES {
            return Err(Refusal::invalid_webhook_token());
        }
        match interaction.answer {
            Some(_) => Ok(interaction),
            None => Err(Refusal::unknown_webhook()),
        }
    }

    /// `POST /webhooks/{application}/{token}`.
    pub fn follow_up_route(&mut self, application: &str, token: &str, submission: Submission) -> Result<Value> {
        let interaction = self.webhook(application, token)?;
        check::message(&submission, Route::FollowUp, self.interaction_limit(&interaction), &[])?;
        let thinking =
            interaction.original.and_then(|id| self.messages.get(&id)).filter(|message| message.is_loading());
        let message = if let Some(thinking) = thinking {
            // The first follow-up after "is thinking…" takes its place, and stays as private as that was.
            let mut submission = submission;
            let flags = submission.payload["flags"].as_u64().unwrap_or_default() & !EPHEMERAL;
            submission.payload["flags"] = flags.into();
            self.edit(thinking.id, submission)?
        } else {
            if interaction.user_installed && interaction.follow_ups.len() >= FOLLOW_UPS_OF_STRANGERS {
                return Err(Refusal::too_many_follow_ups());
            }
            let message = self.post(interaction.channel, self.bot, submission, Some(interaction.id));
            if let Some(interaction) = self.interactions.get_mut(&interaction.id) {
                interaction.follow_ups.push(message.id);
            }
            message
        };
        Ok(self.message_json(&message, true))
    }

    /// `…/webhooks/{application}/{token}/messages/{@original or id}`.
    pub fn webhook_message(&mut self, application: &str, token: &str, which: &str) -> Result<(Interaction, Message)> {
        let interaction = self.webhook(application, token)?;
        let id = match which {
            "@original" => interaction.original,
            id => id.parse().ok(),
        };
        let message = id.and_then(|id| self.messages.get(&id)).filter(|message| !message.deleted);
        let message = message.filter(|message| message.interaction == Some(interaction.id)).cloned();
        message.map(|message| (interaction, message)).ok_or_else(Refusal::unknown_message)
    }

    /// `PATCH` of such a message.
    pub fn edit_webhook_route(&mut self, app: &str, token: &str, which: &str, submission: Submission) -> Result<Value> {
        let (interaction, message) = self.webhook_message(app, token, which)?;
        check::message(&submission, Route::EditInteraction, self.interaction_limit(&interaction), &ids(&message))?;
        let message = self.edit(message.id, submission)?;
        Ok(self.message_json(&message, true))
    }

    /// An interaction as the gateway brings it. `data`: the command with its options.
    pub fn interaction_json(&self, interaction: &Interaction, data: Value, locale: &str) -> Value {
        let kind = match interaction.kind {
            InteractionKind::Command => 2,
            InteractionKind::Component => 3,
            InteractionKind::Autocomplete => 4,
        };
        let channel = &self.channels[&interaction.channel];
        let bot_may = self.bot_may(interaction.channel).to_string();
        let user_may = self.permissions_of(interaction.channel, interaction.user).to_string();
        let mut partial = self.channel_json(channel);
        partial["permissions"] = user_may.as_str().into();
        let mut json = json!({
            "id": interaction.id.to_string(), "application_id": self.bot.to_string(), "type": kind, "data": data,
            "channel": partial, "channel_id": channel.id.to_string(), "token": interaction.token, "version": 1,
            "app_permissions": bot_may, "locale": locale, "entitlements": [], "entitlement_sku_ids": [],
            "authorizing_integration_owners":
                self.owners_json(channel.id, interaction.user, interaction.user_installed),
            "context": if channel.guild.is_some() { 0 } else { 1 },
            "attachment_size_limit": interaction.attachment_size_limit,
        });
        match channel.guild {
            Some(guild) => {
                let mut member = self.member_json(guild, interaction.user);
                member["permissions"] = user_may.into();
                json["member"] = member;
                json["guild_id"] = guild.to_string().into();
                json["guild_locale"] = "en-US".into();
                json["guild"] = json!({"id": guild.to_string(), "locale": "en-US", "features": []});
            }
            None => json["user"] = self.user_json(interaction.user),
        }
        json
    }
}

/// The choices of an autocomplete's answer.
fn choices(data: &Value) -> Result<Vec<Value>> {
    let choices = data["choices"].as_array().ok_or_else(|| Refusal::missing("data.choices"))?;
    if choices.len() > 25 {
        return Err(Refusal::too_long("data.choices", 25));
    }
    for (index, choice) in choices.iter().enumerate() {
        let long = |value: &Value| value.as_str().is_some_and(|text| text.chars().count() > 100);
        if long(&choice["name"]) || choice["name"].as_str().is_none_or(str::is_empty) {
            return Err(Refusal::too_long(&format!("data.choices.{index}.name"), 100));
        }
        if long(&choice["value"]) {
            return Err(Refusal::too_long(&format!("data.choices.{index}.value"), 100));
        }
    }
    Ok(choices.clone())
}
