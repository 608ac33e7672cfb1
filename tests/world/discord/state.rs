//! The whole model in one value, and the questions that many ask of it.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use serde_json::Value;

use super::{
    faults::Fault,
    limits::Buckets,
    model::{ChannelState, GatewayLog, GuildState, Id, Interaction, MIB, Message, Person, Request, Rules, Session},
    permissions,
};

/// Everything.
#[derive(Debug)]
pub struct State {
    /// The bot: user and application alike.
    pub bot: Id,
    /// Its token.
    pub token: String,
    /// Everybody.
    pub people: BTreeMap<Id, Person>,
    /// All guilds.
    pub guilds: BTreeMap<Id, GuildState>,
    /// All channels.
    pub channels: BTreeMap<Id, ChannelState>,
    /// All messages, oldest first.
    pub messages: BTreeMap<Id, Message>,
    /// All interactions, oldest first.
    pub interactions: BTreeMap<Id, Interaction>,
    /// The application's commands as registered, ids included.
    pub commands: Vec<Value>,
    /// Whether they have been registered at all.
    pub registered: bool,
    /// Where the bot showed that it is typing.
    pub typing: Vec<(Id, Instant)>,
    /// What the bot asked.
    pub requests: Vec<Request>,
    /// Requests that no bot should make: unknown routes and the like.
    pub unexpected: Vec<String>,
    /// Faults to come.
    pub faults: Vec<Fault>,
    /// How it behaves.
    pub rules: Rules,
    /// Rate limits at work.
    pub buckets: Buckets,
    /// Where the gateway is.
    pub gateway_url: String,
    /// The gateway's book.
    pub gateway: GatewayLog,
    /// Sessions by id.
    pub sessions: HashMap<String, Session>,
}

impl State {
    /// The upload limit that a guild announces by its boost tier.
    pub fn announced_limit(&self, guild: Option<Id>) -> u64 {
        let boosted = match guild.and_then(|id| self.guilds.get(&id)).map(|guild| guild.tier) {
            Some(2) => 50 * MIB,
            Some(3..) => 100 * MIB,
            _ => 0,
        };
        boosted.max(self.rules.default_limit)
    }

    /// The upload limit that is enforced for a message of the bot in this channel.
    pub fn enforced_limit(&self, channel: Id) -> u64 {
        let guild = self.channels.get(&channel).and_then(|channel| channel.guild);
        self.really_takes(guild).unwrap_or_else(|| self.announced_limit(guild))
    }

    /// What a test made this guild take.
    pub fn really_takes(&self, guild: Option<Id>) -> Option<u64> {
        guild.and_then(|id| self.guilds.get(&id)).and_then(|guild| guild.really_takes)
    }

    /// What the bot may do in a channel.
    pub fn bot_may(&self, channel: Id) -> u64 {
        self.channels.get(&channel).map_or(0, |channel| channel.bot_may)
    }

    /// Whether the bot may do all of `bits` in a channel.
    pub fn bot_may_all(&self, channel: Id, bits: u64) -> bool {
        let has = self.bot_may(channel);
        has & permissions::ADMINISTRATOR != 0 || has & bits == bits
    }

    /// An interaction by its token.
    pub fn interaction_by_token(&mut self, token: &str) -> Option<&mut Interaction> {
        self.interactions.values_mut().find(|interaction| interaction.token == token)
    }

    /// What is in a channel now, oldest first; ephemeral messages included, deleted ones not.
    pub fn channel_messages(&self, channel: Id) -> Vec<Message> {
        self.messages.values().filter(|message| message.channel == channel && !message.deleted).cloned().collect()
    }

    /// A person's name.
    pub fn name_of(&self, id: Id) -> String {
        self.people.get(&id).map_or_else(|| id.to_string(), |person| person.name.clone())
    }

    /// The conversation as a person reads it, with what the bot asked last: for the messages of failing tests.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for message in self.messages.values() {
            let place = self.channels.get(&message.channel).map_or("?", |channel| &channel.name);
            let gone = if message.deleted { " (deleted)" } else { "" };
            let files: Vec<String> =
                message.attachments.iter().map(|file| format!("{} ({} bytes)", file.filename, file.size)).collect();
            text += &format!("  #{place} {}{gone}: {:?}", self.name_of(message.author), message.text());
            if message.is_loading() {
                text += " (thinking)";
            }
            if !files.is_empty() {
                text += &format!(" files: {}", files.join(", "));
            }
            text.push('\n');
        }
        for interaction in self.interactions.values() {
            text += &format!(
                "  /{} by {}: acknowledged after {:?}, answer {:?}\n",
                interaction.command,
                self.name_of(interaction.user),
                interaction.acknowledged_after,
                interaction.answer
            );
        }
        for request in self.requests.iter().rev().take(12).rev() {
            let path = self.without_secrets(&request.path);
            text += &format!("  {} {path} -> {} {}\n", request.method, request.status, request.code);
        }
        text += &format!("  gateway: {:?}\n  unexpected: {:?}\n", self.gateway, self.unexpected);
        text
    }

    fn without_secrets(&self, path: &str) -> String {
        self.interactions.values().fold(path.to_owned(), |path, interaction| path.replace(&interaction.token, "…"))
    }
}
