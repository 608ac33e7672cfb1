//! What people do, and what they see.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{
    Discord,
    body::Submission,
    model::{
        ACKNOWLEDGE_WITHIN, ChannelKind, ChannelState, Id, Interaction, InteractionKind, Message, Revision, snowflake,
    },
    permissions,
    state::State,
};

/// A server.
#[derive(Debug, Clone)]
pub struct Guild {
    pub(super) discord: Discord,
    /// Its id.
    pub id: Id,
}

impl Guild {
    /// A text channel by this name, known or new.
    pub fn channel(&self, name: &str) -> Channel {
        self.place(name, ChannelKind::Text, None)
    }

    /// A thread in one of its channels.
    pub fn thread(&self, parent: &Channel, name: &str) -> Channel {
        self.place(name, ChannelKind::Thread, Some(parent.id))
    }

    fn place(&self, name: &str, kind: ChannelKind, parent: Option<Id>) -> Channel {
        let guild = self.id;
        let id = self.discord.change(|state| {
            let same = |channel: &&ChannelState| {
                channel.guild == Some(guild) && channel.name == name && channel.kind == kind && channel.parent == parent
            };
            if let Some(channel) = state.channels.values().find(same) {
                return channel.id;
            }
            let id = snowflake();
            let bot_may = if state.guilds[&guild].has_bot { permissions::OF_THE_BOT } else { 0 };
            let name = name.to_owned();
            let channel =
                ChannelState { id, guild: Some(guild), kind, name, parent, recipient: None, bot_may, nsfw: false };
            let mut json = state.channel_json(&channel);
            state.channels.insert(id, channel);
            let event = if kind == ChannelKind::Thread { "THREAD_CREATE" } else { "CHANNEL_CREATE" };
            json["newly_created"] = true.into();
            if state.guilds[&guild].has_bot {
                state.dispatch(event, super::gateway::GUILDS, json);
            }
            id
        });
        Channel { discord: self.discord.clone(), id }
    }

    /// Makes it take less than it announces: what the bot learns only by being refused.
    pub fn really_takes(&self, bytes: u64) {
        self.discord.change(|state| {
            if let Some(guild) = state.guilds.get_mut(&self.id) {
                guild.really_takes = Some(bytes);
            }
        });
    }

    /// Lets somebody manage it.
    pub fn managed_by(&self, user: &User) {
        self.discord.change(|state| {
            if let Some(guild) = state.guilds.get_mut(&self.id) {
                guild.managers.push(user.id);
            }
        });
    }

    /// Takes the bot out: from then on people bring it along as a user-installed app.
    pub fn removes_the_bot(&self) {
        self.discord.change(|state| {
            if let Some(guild) = state.guilds.get_mut(&self.id) {
                guild.has_bot = false;
            }
            state.channels.values_mut().filter(|channel| channel.guild == Some(self.id)).for_each(|c| c.bot_may = 0);
            let gone = json!({"id": self.id.to_string()});
            state.dispatch("GUILD_DELETE", super::gateway::GUILDS, gone);
        });
    }
}

/// A place where messages are.
#[derive(Debug, Clone)]
pub struct Channel {
    pub(super) discord: Discord,
    /// Its id.
    pub id: Id,
}

impl Channel {
    /// What is in it now, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.discord.read(|state| state.channel_messages(self.id))
    }

    /// What the bot wrote in it, oldest first.
    pub fn by_the_bot(&self) -> Vec<Message> {
        let bot = self.discord.bot_id();
        self.messages().into_iter().filter(|message| message.author == bot).collect()
    }

    /// Takes rights from the bot here ([`permissions`]).
    pub fn bot_may_not(&self, bits: u64) {
        self.set_rights(|rights| rights & !bits);
    }

    /// Gives rights to the bot here.
    pub fn bot_may(&self, bits: u64) {
        self.set_rights(|rights| rights | bits);
    }

    fn set_rights(&self, change: impl Fn(u64) -> u64) {
        self.discord.change(|state| {
            if let Some(channel) = state.channels.get_mut(&self.id) {
                channel.bot_may = change(channel.bot_may);
            }
            let channel = state.channels[&self.id].clone();
            if channel.guild.is_some() {
                let json = state.channel_json(&channel);
                state.dispatch("CHANNEL_UPDATE", super::gateway::GUILDS, json);
            }
        });
    }

    /// Waits until a message in it is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        let id = self.id;
        let look = |state: &State| {
            let mut here = state.messages.values().filter(|message| message.channel == id && !message.deleted);
            here.find(|message| wanted(message)).cloned()
        };
        self.discord.wait_for(what, look).await
    }
}

/// Somebody.
#[derive(Debug, Clone)]
pub struct User {
    pub(super) discord: Discord,
    /// Their id.
    pub id: Id,
}

impl User {
    /// Their direct conversation with the bot.
    pub fn dm(&self) -> Channel {
        let id = self.discord.change(|state| state.direct(self.id));
        Channel { discord: self.discord.clone(), id }
    }

    /// Gives them a subscription with which files of their interactions may have so many bytes.
    pub fn may_upload(&self, bytes: u64) {
        self.discord.change(|state| {
            if let Some(person) = state.people.get_mut(&self.id) {
                person.uploads = Some(bytes);
            }
        });
    }

    /// Writes a message.
    pub async fn says(&self, channel: &Channel, text: &str) -> Conversation {
        self.writes(channel, json!({"content": text}))
    }

    /// Writes a message in reply to another.
    pub async fn replies(&self, to: &Message, text: &str) -> Conversation {
        let channel = Channel { discord: self.discord.clone(), id: to.channel };
        self.writes(&channel, json!({"content": text, "message_reference": {"message_id": to.id.to_string()}}))
    }

    fn writes(&self, channel: &Channel, payload: Value) -> Conversation {
        let message = self.discord.change(|state| {
            state.join(channel.id, self.id);
            state.post(channel.id, self.id, Submission { payload, files: Vec::new() }, None)
        });
        Conversation { discord: self.discord.clone(), start: Start::Message(message.id), began: Instant::now() }
    }

    /// Takes a message of theirs back.
    pub fn deletes(&self, message: &Message) {
        let _ = self.discord.change(|state| state.remove(message.id));
    }

    /// Uses a slash command. Subcommands follow the name after a blank; options are an object by name.
    ///
    /// # Panics
    /// When the command, as registered, has no such options or needs more: Discord would not let them send it.
    pub async fn slash(&self, channel: &Channel, command: &str, options: Value) -> Conversation {
        self.registered(command, 1).await;
        self.try_slash(channel, command, options).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Like [`User::slash`], for commands that may not be there or be filled in wrongly: says what Discord would say.
    pub fn try_slash(&self, channel: &Channel, command: &str, options: Value) -> Result<Conversation, String> {
        let data = self.command_data(command, options, None)?;
        Ok(self.interact(channel, InteractionKind::Command, command, data))
    }

    /// Types into a slash command's option, and gets the choices that the bot offers.
    pub async fn autocomplete(&self, channel: &Channel, command: &str, options: Value, focused: &str) -> Vec<Value> {
        self.registered(command, 1).await;
        let data = self.command_data(command, options, Some(focused)).unwrap_or_else(|why| panic!("{why}"));
        let call = self.interact(channel, InteractionKind::Autocomplete, command, data);
        call.acknowledged().await;
        call.interaction().map(|interaction| interaction.choices).unwrap_or_default()
    }

    /// Uses a message's context menu.
    pub async fn context_menu(&self, command: &str, message: &Message) -> Conversation {
        let registered = self.registered(command, 3).await;
        let target = message.id.to_string();
        let resolved = self.discord.read(|state| state.message_json(message, false));
        let data = json!({
            "id": registered["id"], "name": registered["name"], "type": 3, "target_id": target,
            "resolved": {"messages": {target: resolved}},
        });
        let channel = Channel { discord: self.discord.clone(), id: message.channel };
        self.interact(&channel, InteractionKind::Command, command, data)
    }

    /// Presses a button or chooses from a menu of a message.
    pub async fn presses(&self, message: &Message, custom_id: &str) -> Conversation {
        let channel = Channel { discord: self.discord.clone(), id: message.channel };
        let data = json!({"custom_id": custom_id, "component_type": 2, "message": message.id.to_string()});
        self.interact(&channel, InteractionKind::Component, custom_id, data)
    }

    /// Discord offers only what is registered: waits for it.
    async fn registered(&self, name: &str, kind: u64) -> Value {
        let look = |state: &State| command(state, name, kind);
        self.discord.wait_for(&format!("the command {name:?} to be registered"), look).await
    }

    fn command_data(&self, name: &str, options: Value, focused: Option<&str>) -> Result<Value, String> {
        let registered = self.discord.read(|state| command(state, name, 1));
        let registered = registered.ok_or_else(|| format!("there is no command /{name}"))?;
        let given = options.as_object().cloned().unwrap_or_default();
        let path: Vec<&str> = name.split(' ').skip(1).collect();
        let options = fill(&registered["options"], &path, &given, focused)?;
        Ok(json!({"id": registered["id"], "name": registered["name"], "type": 1, "options": options}))
    }

    fn interact(&self, channel: &Channel, kind: InteractionKind, command: &str, data: Value) -> Conversation {
        let id = snowflake();
        self.discord.change(|state| {
            state.join(channel.id, self.id);
            let guild = state.channels[&channel.id].guild;
            let uploads = state.people[&self.id].uploads.unwrap_or(0);
            let interaction = Interaction {
                id,
                token: interaction_token(),
                kind,
                user: self.id,
                channel: channel.id,
                command: command.to_owned(),
                sent: Instant::now(),
                acknowledged_after: None,
                answer: None,
                choices: Vec::new(),
                modal: None,
                original: None,
                follow_ups: Vec::new(),
                expired: false,
                attachment_size_limit: state.announced_limit(guild).max(uploads),
                user_installed: guild.is_some_and(|guild| !state.guilds[&guild].has_bot),
            };
            let mut json = state.interaction_json(&interaction, data, "en-US");
            if kind == InteractionKind::Component {
                let pressed = super::messages::id_of(&json["data"]["message"]);
                if let Some(message) = pressed.and_then(|id| state.messages.get(&id)) {
                    json["message"] = state.message_json(message, false);
                }
            }
            state.interactions.insert(id, interaction);
            state.dispatch("INTERACTION_CREATE", 0, json);
        });
        Conversation { discord: self.discord.clone(), start: Start::Interaction(id), began: Instant::now() }
    }
}

/// A token as long and as odd as real ones.
fn interaction_token() -> String {
    let random: Vec<String> = (0..5).map(|_| uuid::Uuid::new_v4().simple().to_string()).collect();
    format!("aW50ZXJhY3Rpb246{}", random.concat())
}

/// A registered command. Slash commands are found by the first word of `name`, which subcommands follow.
fn command(state: &State, name: &str, kind: u64) -> Option<Value> {
    let wanted = name.split(' ').next().filter(|_| kind == 1).unwrap_or(name);
    state.commands.iter().find(|command| command["name"] == wanted && command["type"] == kind).cloned()
}

/// Options as the gateway brings them, by the command's definition.
fn fill(
    defined: &Value,
    path: &[&str],
    given: &Map<String, Value>,
    focused: Option<&str>,
) -> Result<Vec<Value>, String> {
    let defined = defined.as_array().map_or(&[][..], Vec::as_slice);
    let find = |name: &str| {
        let names: Vec<&str> = defined.iter().filter_map(|option| option["name"].as_str()).collect();
        let option = defined.iter().find(|option| option["name"] == name);
        option.ok_or_else(|| format!("the command has no {name:?}, only {names:?}"))
    };
    if let Some((first, rest)) = path.split_first() {
        let sub = find(first)?;
        let options = fill(&sub["options"], rest, given, focused)?;
        return Ok(vec![json!({"name": first, "type": sub["type"], "options": options})]);
    }
    for option in defined.iter().filter(|option| option["required"] == true && focused.is_none()) {
        let name = option["name"].as_str().unwrap_or_default();
        if !given.contains_key(name) {
            return Err(format!("the command needs {name:?}"));
        }
    }
    let one = |(name, value): (&String, &Value)| {
        let option = find(name)?;
        let value = match option["choices"].as_array().filter(|choices| !choices.is_empty() && focused.is_none()) {
            None => value.clone(),
            Some(choices) => {
                // People choose by the label they see.
                let chosen = choices.iter().find(|choice| choice["name"] == *value || choice["value"] == *value);
                chosen.ok_or_else(|| format!("{name:?} does not offer {value}"))?["value"].clone()
            }
        };
        let mut filled = json!({"name": name, "type": option["type"], "value": value});
        if focused == Some(name) {
            if option["autocomplete"] != true {
                return Err(format!("{name:?} has no autocomplete"));
            }
            filled["focused"] = true.into();
        }
        Ok(filled)
    };
    given.iter().map(one).collect()
}

impl State {
    /// Whoever acts in a guild is a member of it.
    fn join(&mut self, channel: Id, user: Id) {
        let guild = self.channels.get(&channel).and_then(|channel| channel.guild);
        if let Some(guild) = guild.and_then(|id| self.guilds.get_mut(&id))
            && !guild.members.contains(&user)
        {
            guild.members.push(user);
        }
    }

    /// The bot's messages that answer this, directly or as replies to its own answers; deleted ones not.
    fn answers_to(&self, start: Start) -> Vec<Message> {
        let mut thread: Vec<Id> = match start {
            Start::Message(id) => vec![id],
            Start::Interaction(_) => Vec::new(),
        };
        let mut answers = Vec::new();
        for message in self.messages.values().filter(|message| message.author == self.bot) {
            let answers_call = message.interaction.map(Start::Interaction) == Some(start);
            if answers_call || message.reference.is_some_and(|id| thread.contains(&id)) {
                thread.push(message.id);
                if !message.deleted {
                    answers.push(message.clone());
                }
            }
        }
        answers
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Message(Id),
    Interaction(Id),
}

/// Something somebody asked of the bot (by command or by message) and the bot's answers to it: its messages that belong
/// to the interaction or reply to the message, and replies to those.
#[derive(Debug, Clone)]
pub struct Conversation {
    discord: Discord,
    start: Start,
    began: Instant,
}

impl Conversation {
    /// How long the bot took to acknowledge: the first answer to an interaction; typing, a reaction or a message for a
    /// message. Panics when an interaction's three seconds pass.
    pub async fn acknowledged(&self) -> Duration {
        let start = self.start;
        match start {
            Start::Interaction(id) => {
                let look = |state: &State| state.interactions[&id].acknowledged_after;
                let waited = tokio::time::timeout(
                    ACKNOWLEDGE_WITHIN + Duration::from_secs(1),
                    self.discord.wait_for("an acknowledgement", look),
                );
                match waited.await {
                    Ok(after) => after,
                    Err(_) => {
                        let summary = self.discord.read(State::summary);
                        panic!("The application did not respond. Discord shows:\n{summary}")
                    }
                }
            }
            Start::Message(id) => {
                let look = |state: &State| {
                    let message = &state.messages[&id];
                    let typing = state.typing.iter().find(|(at, when)| *at == message.channel && *when >= self.began);
                    let reacted = message.reactions.iter().any(|(_, by)| *by == state.bot);
                    let answers = state.answers_to(start);
                    let first = answers.first().and_then(|answer| answer.history.first()).map(|shape| shape.at);
                    typing.map(|(_, when)| *when).or(first).or(reacted.then(Instant::now))
                };
                self.discord.wait_for("a sign of life", look).await - self.began
            }
        }
    }

    /// The interaction, if it is one.
    pub fn interaction(&self) -> Option<Interaction> {
        match self.start {
            Start::Interaction(id) => self.discord.read(|state| state.interactions.get(&id).cloned()),
            Start::Message(_) => None,
        }
    }

    /// The message that began it, if it is one.
    pub fn asked(&self) -> Option<Message> {
        match self.start {
            Start::Message(id) => self.discord.read(|state| state.messages.get(&id).cloned()),
            Start::Interaction(_) => None,
        }
    }

    /// The bot's answers so far, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.discord.read(|state| state.answers_to(self.start))
    }

    /// The same as [`Conversation::messages`], as one says of messages.
    pub fn replies(&self) -> Vec<Message> {
        self.messages()
    }

    /// Every shape the first answer had, the present one last.
    pub fn history(&self) -> Vec<Revision> {
        self.messages().into_iter().next().map(|message| message.history).unwrap_or_default()
    }

    /// Waits until one of the answers is as wanted.
    pub async fn until(&self, what: &str, wanted: impl Fn(&Message) -> bool) -> Message {
        let look = |state: &State| state.answers_to(self.start).into_iter().find(&wanted);
        self.discord.wait_for(what, look).await
    }

    /// Waits until the answers, all together, are as wanted.
    pub async fn settles(&self, what: &str, wanted: impl Fn(&[Message]) -> bool) {
        let look = |state: &State| wanted(&state.answers_to(self.start)).then_some(());
        self.discord.wait_for(what, look).await;
    }

    /// Waits until an answer says this (in its text, embeds or components).
    pub async fn says(&self, words: &str) -> Message {
        self.until(&format!("an answer with {words:?}"), |message| message.text().contains(words)).await
    }

    /// Waits until the answers carry so many files in all, and gives those answers that carry some.
    pub async fn with_files(&self, count: usize) -> Vec<Message> {
        let look = |state: &State| {
            let mut answers = state.answers_to(self.start);
            answers.retain(|message| !message.attachments.is_empty());
            let files: usize = answers.iter().map(|message| message.attachments.len()).sum();
            (files >= count).then_some(answers)
        };
        self.discord.wait_for(&format!("{count} files"), look).await
    }

    /// Waits until an answer carries files, and gives it: what most stories end with.
    pub async fn final_message(&self) -> Message {
        self.until("an answer with files", |message| !message.attachments.is_empty()).await
    }
}
