//! What the stand-in knows: people, guilds, channels, messages with every edit, interactions, and what the bot asked.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

use super::{faults::Fault, limits::Buckets, permissions};

/// A snowflake.
pub type Id = u64;

/// Bytes in a mebibyte.
pub const MIB: u64 = 1024 * 1024;

/// How long Discord waits for the first answer to an interaction.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(3);

/// How long an interaction's token lives.
pub const TOKEN_LIVES: Duration = Duration::from_secs(15 * 60);

/// 2015-01-01, where Discord's time begins, in milliseconds.
const EPOCH: u64 = 1_420_070_400_000;

/// A fresh snowflake: time in its upper bits, as clients read it, and never the same twice.
pub fn snowflake() -> Id {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = (Utc::now().timestamp_millis().max(0) as u64).saturating_sub(EPOCH) << 22;
    let last = LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last + 1)));
    now.max(last.expect("always some") + 1)
}

/// Somebody, bot or not.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their id.
    pub id: Id,
    /// Their name, shown and unique alike.
    pub name: String,
    /// Whether it is a bot.
    pub bot: bool,
    /// What they may upload by their own subscription: raises the limit of their interactions.
    pub uploads: Option<u64>,
}

/// A server.
#[derive(Debug, Clone)]
pub struct GuildState {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub name: String,
    /// Boost tier, 0 to 3.
    pub tier: u8,
    /// Who owns it.
    pub owner: Id,
    /// Who has joined.
    pub members: Vec<Id>,
    /// Who may manage it.
    pub managers: Vec<Id>,
    /// What it really takes, where a test makes that differ from what it announces.
    pub really_takes: Option<u64>,
    /// Whether the bot is a member (false: people bring it along as a user-installed app).
    pub has_bot: bool,
}

/// What kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelKind {
    /// A text channel of a guild.
    Text,
    /// A conversation between one person and the bot.
    Direct,
    /// A public thread in a guild's channel.
    Thread,
}

/// A place where messages are.
#[derive(Debug, Clone)]
pub struct ChannelState {
    /// Its id.
    pub id: Id,
    /// Its guild; none for direct messages.
    pub guild: Option<Id>,
    /// What it is.
    pub kind: ChannelKind,
    /// Its name.
    pub name: String,
    /// The channel a thread belongs to.
    pub parent: Option<Id>,
    /// The other one in a direct conversation.
    pub recipient: Option<Id>,
    /// What the bot may do here (Discord's bits).
    pub bot_may: u64,
    /// Marked for adults.
    pub nsfw: bool,
}

/// A file as Discord received it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attachment {
    /// Its id.
    pub id: Id,
    /// Its name after Discord's cleaning.
    pub filename: String,
    /// Its name as sent.
    pub sent_as: String,
    /// Alternative text.
    pub description: Option<String>,
    /// Bytes.
    pub size: u64,
    /// What the sender said it is.
    pub content_type: Option<String>,
    /// Pixels, for pictures.
    pub dimensions: Option<(u32, u32)>,
    /// Shown inside an embed rather than as a file of the message.
    pub in_embed: bool,
    /// Hidden behind a click.
    pub spoiler: bool,
    path: PathBuf,
}

impl Attachment {
    pub(super) fn new(filename: String, sent_as: String, size: u64, path: PathBuf) -> Self {
        let spoiler = filename.starts_with("SPOILER_");
        Self {
            id: snowflake(),
            filename,
            sent_as,
            description: None,
            size,
            content_type: None,
            dimensions: None,
            in_embed: false,
            spoiler,
            path,
        }
    }

    /// Where its bytes are, exactly as received. The file lives as long as the stand-in.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }
}

/// What a message looked like at one time.
#[derive(Debug, Clone)]
pub struct Revision {
    /// When it took this shape.
    pub at: Instant,
    /// Its text.
    pub content: String,
    /// Its embeds.
    pub embeds: Vec<Value>,
    /// Its components.
    pub components: Vec<Value>,
    /// Names of its files.
    pub files: Vec<String>,
    /// Still only "is thinking…".
    pub loading: bool,
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id.
    pub id: Id,
    /// Where it is.
    pub channel: Id,
    /// Who wrote it.
    pub author: Id,
    /// Its text.
    pub content: String,
    /// Its embeds, as sent.
    pub embeds: Vec<Value>,
    /// Its components, as sent.
    pub components: Vec<Value>,
    /// Its files, in order.
    pub attachments: Vec<Attachment>,
    /// Discord's bits (4 suppresses embeds, 64 ephemeral, 128 loading, 4096 silent, 32768 components v2).
    pub flags: u64,
    /// When it was made.
    pub sent: DateTime<Utc>,
    /// When it was last edited.
    pub edited: Option<DateTime<Utc>>,
    /// The message it replies to.
    pub reference: Option<Id>,
    /// The interaction it answers.
    pub interaction: Option<Id>,
    /// Whom its first version notified: names, `@everyone` among them.
    pub pinged: Vec<String>,
    /// People named in the text.
    pub mentions: Vec<Id>,
    /// What the sender named it by.
    pub nonce: Option<Value>,
    /// Reactions: emoji and who.
    pub reactions: Vec<(String, Id)>,
    /// Taken back.
    pub deleted: bool,
    /// Every shape it had, the first first, the present one last.
    pub history: Vec<Revision>,
}

impl Message {
    /// Only its receiver sees it.
    pub fn is_ephemeral(&self) -> bool {
        self.flags & 64 != 0
    }

    /// Still "is thinking…".
    pub fn is_loading(&self) -> bool {
        self.flags & 128 != 0
    }

    /// Text and the words of its embeds and components, for searching.
    pub fn text(&self) -> String {
        let mut words = self.content.clone();
        for part in self.embeds.iter().chain(&self.components) {
            collect_words(part, &mut words);
        }
        words
    }

    pub(super) fn remember(&mut self) {
        self.history.push(Revision {
            at: Instant::now(),
            content: self.content.clone(),
            embeds: self.embeds.clone(),
            components: self.components.clone(),
            files: self.attachments.iter().map(|file| file.filename.clone()).collect(),
            loading: self.is_loading(),
        });
    }
}

fn collect_words(part: &Value, words: &mut String) {
    match part {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text)
                        if ["title", "description", "name", "value", "text", "content", "label", "url"]
                            .contains(&name.as_str()) =>
                    {
                        words.push('\n');
                        words.push_str(text);
                    }
                    _ => collect_words(value, words),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_words(item, words)),
        _ => {}
    }
}

/// What kind of interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InteractionKind {
    /// A slash command or a context menu.
    Command,
    /// A button or a menu.
    Component,
    /// Asked while typing.
    Autocomplete,
}

/// A command somebody used, and what became of it.
#[derive(Debug, Clone)]
pub struct Interaction {
    /// Its id.
    pub id: Id,
    /// The token to answer with.
    pub token: String,
    /// What it is.
    pub kind: InteractionKind,
    /// Who.
    pub user: Id,
    /// Where.
    pub channel: Id,
    /// The command's name.
    pub command: String,
    /// When it was sent to the bot.
    pub sent: Instant,
    /// How long the bot took to answer first.
    pub acknowledged_after: Option<Duration>,
    /// The kind of the first answer (4 message, 5 deferred, 8 choices …).
    pub answer: Option<u64>,
    /// The choices that an autocomplete was answered with.
    pub choices: Vec<Value>,
    /// A modal it was answered with.
    pub modal: Option<Value>,
    /// Its own message.
    pub original: Option<Id>,
    /// Further messages.
    pub follow_ups: Vec<Id>,
    /// Token spent.
    pub expired: bool,
    /// Bytes a file may have, as told to the bot.
    pub attachment_size_limit: u64,
    /// Brought along by its user into a place where the bot is no member.
    pub user_installed: bool,
}

/// One request of the bot.
#[derive(Debug, Clone)]
pub struct Request {
    /// When it came.
    pub at: Instant,
    /// Its method.
    pub method: String,
    /// Its path below `/api/v10`.
    pub path: String,
    /// Its query.
    pub query: String,
    /// Its headers, without `Authorization`.
    pub headers: Vec<(String, String)>,
    /// The JSON it carried (of a form: `payload_json`).
    pub body: Value,
    /// The files it carried: name and bytes.
    pub files: Vec<(String, u64)>,
    /// How it was answered; 0 while at it or when the line was cut.
    pub status: u16,
    /// Discord's code in the answer, if it was refused.
    pub code: u64,
}

/// How the stand-in behaves.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Bytes a file may have without boost or subscription.
    pub default_limit: u64,
    /// Whether buckets are enforced (their headers are always sent).
    pub enforce_rate_limits: bool,
    /// Privileged intents that the application has been given (Discord's bits).
    pub privileged_intents: u64,
    /// Answers 503 at the gateway's door.
    pub gateway_refuses: bool,
    /// Lets the gateway's door hang.
    pub gateway_hangs: bool,
}

/// A gateway session, alive beyond its connection so that it can be resumed.
#[derive(Debug)]
pub struct Session {
    /// Its last event.
    pub seq: u64,
    /// Every event it got.
    pub sent: Vec<(u64, Value)>,
    /// The way to its connection, while there is one.
    pub line: Option<UnboundedSender<Frame>>,
    /// What it wants to hear.
    pub intents: u64,
}

/// What is told to a gateway connection.
#[derive(Debug)]
pub enum Frame {
    /// Say this.
    Payload(Value),
    /// Close with this code.
    Close(u16, &'static str),
    /// Cut the line.
    Cut,
}

/// What happened at the gateway.
#[derive(Debug, Clone, Default)]
pub struct GatewayLog {
    /// Connections accepted.
    pub connections: usize,
    /// New sessions.
    pub identifies: usize,
    /// Sessions taken up again.
    pub resumes: usize,
    /// Heartbeats.
    pub heartbeats: usize,
    /// What the last IDENTIFY asked for.
    pub intents: Option<u64>,
    /// When the last READY was sent.
    pub ready_at: Option<Instant>,
    /// Presence as last told.
    pub presence: Option<Value>,
}

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
