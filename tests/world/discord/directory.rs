//! Routes about who and what there is: users, channels, guilds, commands.

use serde_json::{Value, json};

use super::{
    check,
    messages::id_of,
    model::{ChannelKind, ChannelState, Id, Message, snowflake},
    permissions,
    refusal::{Refusal, Result},
    state::State,
};

impl State {
    /// The direct conversation with a person, made when there is none.
    pub fn direct(&mut self, user: Id) -> Id {
        let known = self.channels.values().find(|channel| channel.recipient == Some(user));
        if let Some(channel) = known {
            return channel.id;
        }
        let id = snowflake();
        let name = self.name_of(user);
        let channel = ChannelState {
            id,
            guild: None,
            kind: ChannelKind::Direct,
            name: format!("@{name}"),
            parent: None,
            recipient: Some(user),
            bot_may: permissions::OF_THE_BOT,
            nsfw: false,
        };
        self.channels.insert(id, channel);
        id
    }

    /// `POST /users/@me/channels`.
    pub fn direct_route(&mut self, payload: &Value) -> Result<Value> {
        let user = id_of(&payload["recipient_id"]).ok_or_else(|| Refusal::missing("recipient_id"))?;
        if !self.people.contains_key(&user) {
            return Err(Refusal::unknown_user());
        }
        let channel = self.direct(user);
        Ok(self.channel_json(&self.channels[&channel]))
    }

    /// `GET /users/{id}`.
    pub fn user_route(&self, user: Id) -> Result<Value> {
        if self.people.contains_key(&user) { Ok(self.user_json(user)) } else { Err(Refusal::unknown_user()) }
    }

    /// `GET /channels/{id}`.
    pub fn channel_route(&self, id: Id) -> Result<Value> {
        let channel = self.channels.get(&id).ok_or_else(Refusal::unknown_channel)?;
        let there = channel.guild.is_none_or(|guild| self.guilds.get(&guild).is_some_and(|guild| guild.has_bot));
        if !there || !self.bot_may_all(id, permissions::VIEW_CHANNEL) {
            return Err(Refusal::missing_access());
        }
        Ok(self.channel_json(channel))
    }

    /// `GET /guilds/{id}` and what is below it.
    pub fn guild_route(&self, id: Id, rest: &[&str]) -> Result<Value> {
        let guild = self.guilds.get(&id).filter(|guild| guild.has_bot).ok_or_else(Refusal::unknown_guild)?;
        match rest {
            [] => self.guild_json(id).ok_or_else(Refusal::unknown_guild),
            ["roles"] => Ok(self.roles_json(id)),
            ["channels"] => {
                let mine = self.channels.values();
                let mine = mine.filter(|channel| channel.guild == Some(id) && channel.kind == ChannelKind::Text);
                Ok(mine.map(|channel| self.channel_json(channel)).collect())
            }
            ["members", member] => {
                let member = member.parse().ok();
                let there = |member: &Id| *member == self.bot || guild.members.contains(member);
                let member = member.filter(there).ok_or_else(Refusal::unknown_member)?;
                Ok(self.member_json(id, member))
            }
            _ => Err(Refusal::no_route()),
        }
    }

    /// Everything below `/applications/{id}/commands`, and its twin for one guild.
    pub fn commands_route(
        &mut self,
        method: &str,
        app: &str,
        guild: Option<Id>,
        rest: &[&str],
        payload: Value,
    ) -> Result<Value> {
        if app != self.bot.to_string() {
            return Err(Refusal { status: 403, code: 20012, ..Refusal::missing_access() });
        }
        let place = guild.map_or(Value::Null, |id| id.to_string().into());
        let here = |command: &Value| command["guild_id"] == place;
        match (method, rest) {
            ("GET", []) => Ok(self.commands.iter().filter(|command| here(command)).cloned().collect()),
            ("PUT", []) => {
                let list = payload.as_array().ok_or_else(Refusal::invalid_json)?;
                for kind in 1..=3 {
                    let most = if kind == 1 { 100 } else { 15 };
                    if list.iter().filter(|command| command["type"].as_u64().unwrap_or(1) == kind).count() > most {
                        return Err(Refusal::form("", "APPLICATION_COMMANDS_TOO_MANY", "Too many commands"));
                    }
                }
                for (index, command) in list.iter().enumerate() {
                    check::command(index, command)?;
                    let same = |other: &Value| other["name"] == command["name"] && other["type"] == command["type"];
                    if list[..index].iter().any(same) {
                        let path = format!("{index}.name");
                        let code = "APPLICATION_COMMANDS_DUPLICATE_NAME";
                        return Err(Refusal::form(&path, code, "Application command names must be unique"));
                    }
                }
                let made: Vec<Value> = list.iter().map(|command| self.registered(command, &place)).collect();
                self.commands.retain(|command| !here(command));
                self.commands.extend(made.iter().cloned());
                self.registered = true;
                Ok(made.into())
            }
            ("POST", []) => {
                check::command(0, &payload)?;
                let made = self.registered(&payload, &place);
                self.commands.retain(|command| command["id"] != made["id"]);
                self.commands.push(made.clone());
                self.registered = true;
                Ok(made)
            }
            (_, [id]) => {
                let at = self.commands.iter().position(|command| here(command) && command["id"] == *id);
                let at = at.ok_or_else(Refusal::unknown_command)?;
                match method {
                    "GET" => Ok(self.commands[at].clone()),
                    "DELETE" => {
                        self.commands.remove(at);
                        Ok(Value::Null)
                    }
                    "PATCH" => {
                        for (field, value) in payload.as_object().into_iter().flatten() {
                            self.commands[at][field] = value.clone();
                        }
                        check::command(0, &self.commands[at])?;
                        Ok(self.commands[at].clone())
                    }
                    _ => Err(Refusal::wrong_method()),
                }
            }
            _ => Err(Refusal::no_route()),
        }
    }

    /// A command as Discord keeps it: one of the same name and type keeps its id.
    fn registered(&self, command: &Value, guild: &Value) -> Value {
        let kind = command["type"].as_u64().unwrap_or(1);
        let before = self
            .commands
            .iter()
            .find(|known| known["name"] == command["name"] && known["type"] == kind && known["guild_id"] == *guild);
        let id = before.map_or_else(|| snowflake().to_string().into(), |known| known["id"].clone());
        let mut made = json!({
            "id": id, "application_id": self.bot.to_string(), "version": snowflake().to_string(),
            "default_member_permissions": null, "type": kind, "name": "", "name_localizations": null,
            "description": "", "description_localizations": null, "dm_permission": true, "contexts": null,
            "integration_types": [0], "nsfw": false, "options": [],
        });
        if !guild.is_null() {
            made["guild_id"] = guild.clone();
        }
        for (field, value) in command.as_object().into_iter().flatten() {
            made[field] = value.clone();
        }
        made["type"] = kind.into();
        made
    }

    /// The answer to a callback with `with_response=true`.
    pub fn callback_json(&self, interaction: Id, answer: &Value, message: Option<&Message>) -> Value {
        let original = message.map(|message| message.id.to_string());
        let mut json = json!({
            "interaction": {
                "id": interaction.to_string(), "type": 2, "response_message_id": original,
                "response_message_loading": message.is_some_and(Message::is_loading),
                "response_message_ephemeral": message.is_some_and(Message::is_ephemeral),
            },
            "resource": {"type": answer},
        });
        if let Some(message) = message {
            json["resource"]["message"] = self.message_json(message, true);
        }
        json
    }
}
