//! What the stand-in knows: people, guilds, channels, messages with every edit, interactions, and what the bot asked.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;

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
