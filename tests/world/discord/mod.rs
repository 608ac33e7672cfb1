//! A stand-in for Discord: REST over TLS and a gateway, with a model behind them that behaves, and refuses, as Discord
//! does. Stories drive it as people would ([`User::slash`], [`User::says`]) and read what a person would see
//! ([`Conversation`], [`Channel::messages`]); the bot under test talks to it as to Discord.
//!
//! ```text
//! story ── User, Channel ──▶ ┌───────────────┐ ◀── REST (TLS, discord.com) ── bot
//!                            │ State (model) │
//! story ◀─ Conversation ──── └───────────────┘ ──── gateway (ws) ──────────▶ bot
//! ```

mod body;
mod check;
mod directory;
mod faults;
mod gateway;
mod interactions;
mod limits;
mod messages;
mod model;
mod people;
pub mod permissions;
mod refusal;
mod render;
mod rest;
mod state;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{net::TcpListener, sync::watch};
use tokio_rustls::TlsAcceptor;

pub use self::{
    faults::{Fault, FaultAnswer},
    gateway::{DIRECT_MESSAGES, GUILD_MESSAGES, MESSAGE_CONTENT},
    model::{
        Attachment, ChannelKind, GatewayLog, Id, Interaction, InteractionKind, MIB, Message, Request, Revision, Rules,
    },
    people::{Channel, Conversation, Guild, User},
    state::State,
};
use self::{
    limits::Buckets,
    model::{Frame, GuildState, Person, snowflake},
};
use super::tls::Authority;

/// The bot's id, fixed so that its token can begin with it as real tokens do.
const BOT: Id = 1_180_000_000_000_000_001;

/// That id as the first part of a token.
const BOT_IN_BASE64: &str = "MTE4MDAwMDAwMDAwMDAwMDAwMQ";

/// How long stories wait for what must come. Generous: many run at once, and some encode video.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The stand-in. Clones are the same one. It serves as long as the runtime that started it.
#[derive(Clone)]
pub struct Discord {
    shared: Arc<Shared>,
    address: SocketAddr,
    gateway: SocketAddr,
}

impl std::fmt::Debug for Discord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Discord at {}", self.address)
    }
}

/// The model under its lock, and the bell that rings when it changes.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    folder: tempfile::TempDir,
}

impl Shared {
    /// Changes the model and rings.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // A story's failed assertion must not hide behind a poisoned lock.
        let done = change(&mut self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        self.changed.send_modify(|count| *count += 1);
        done
    }

    /// Reads the model.
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Where files are kept as received.
    fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Discord {
    /// Starts an empty one: a bot user, nobody else, both privileged intents that matter not granted but content.
    pub async fn start(authority: &Authority) -> Self {
        let rest = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let door = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = rest.local_addr().expect("an address");
        let gateway = door.local_addr().expect("an address");
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let bot = Person { id: BOT, name: "Boss".to_owned(), bot: true, uploads: None };
        let state = State {
            bot: BOT,
            token: format!("{BOT_IN_BASE64}.G{}.{}{}", &random()[..5], random(), &random()[..6]),
            people: BTreeMap::from([(BOT, bot)]),
            guilds: BTreeMap::new(),
            channels: BTreeMap::new(),
            messages: BTreeMap::new(),
            interactions: BTreeMap::new(),
            commands: Vec::new(),
            registered: false,
            typing: Vec::new(),
            requests: Vec::new(),
            unexpected: Vec::new(),
            faults: Vec::new(),
            rules: Rules {
                default_limit: 10 * MIB,
                enforce_rate_limits: true,
                privileged_intents: MESSAGE_CONTENT,
                gateway_refuses: false,
                gateway_hangs: false,
            },
            buckets: Buckets::default(),
            gateway_url: format!("ws://{gateway}/"),
            gateway: GatewayLog::default(),
            sessions: HashMap::new(),
        };
        let folder = tempfile::Builder::new().prefix("stand-in-discord-").tempdir().expect("a folder");
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(0), folder });
        rest::serve(shared.clone(), rest, TlsAcceptor::from(authority.server_config()));
        gateway::serve(shared.clone(), door);
        Self { shared, address, gateway }
    }

    /// Where the REST API is (TLS for any host name): what `DISCORD_API_ADDRESS` wants.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the gateway is, as `GET /gateway` tells it.
    pub fn gateway_url(&self) -> String {
        format!("ws://{}/", self.gateway)
    }

    /// The bot's token.
    pub fn token(&self) -> String {
        self.read(|state| state.token.clone())
    }

    /// The bot's id, and its application's.
    pub fn bot_id(&self) -> Id {
        BOT
    }

    /// What must never be seen in logs: the bot's token and every interaction's.
    pub fn secrets(&self) -> Vec<String> {
        self.read(|state| {
            let tokens = state.interactions.values().map(|interaction| interaction.token.clone());
            tokens.chain([state.token.clone()]).collect()
        })
    }

    /// A person by this name, known or new.
    pub fn user(&self, name: &str) -> User {
        let id = self.change(|state| {
            let known = state.people.values().find(|person| person.name == name).map(|person| person.id);
            known.unwrap_or_else(|| {
                let id = snowflake();
                state.people.insert(id, Person { id, name: name.to_owned(), bot: false, uploads: None });
                id
            })
        });
        User { discord: self.clone(), id }
    }

    /// A guild by this name, known or new, with this boost tier (0 to 3). The bot is a member.
    pub fn guild(&self, name: &str, tier: u8) -> Guild {
        let owner = self.user("owner").id;
        let id = self.change(|state| {
            if let Some(guild) = state.guilds.values_mut().find(|guild| guild.name == name) {
                guild.tier = tier;
                return guild.id;
            }
            let id = snowflake();
            let guild = GuildState {
                id,
                name: name.to_owned(),
                tier,
                owner,
                members: vec![owner],
                managers: Vec::new(),
                really_takes: None,
                has_bot: true,
            };
            state.guilds.insert(id, guild);
            if let Some(json) = state.guild_create_json(id) {
                state.dispatch("GUILD_CREATE", gateway::GUILDS, json);
            }
            id
        });
        Guild { discord: self.clone(), id }
    }

    /// Reads the model.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        self.shared.read(read)
    }

    /// Changes the model directly: for what no method here says.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.shared.change(change)
    }

    /// Rings at every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Waits until the model shows something. `what` it is goes into the panic when it never comes.
    pub async fn wait_for<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let mut changes = self.changes();
        let seen = tokio::time::timeout(PATIENCE, async {
            loop {
                changes.mark_unchanged();
                if let Some(seen) = self.read(&look) {
                    return seen;
                }
                // The sender lives in `self`.
                let _ = changes.changed().await;
            }
        });
        match seen.await {
            Ok(seen) => seen,
            Err(_) => panic!("waited {PATIENCE:?} for {what}; Discord shows:\n{}", self.read(State::summary)),
        }
    }

    /// Another bot process is about to start: [`Discord::ready`] shall wait for that one.
    pub fn expect_another_bot(&self) {
        self.change(|state| {
            state.gateway.ready_at = None;
            state.registered = false;
        });
    }

    /// Waits until the bot is connected and has registered its commands.
    pub async fn ready(&self) {
        self.wait_for("the bot to be ready", |state| {
            (state.gateway.ready_at.is_some() && state.registered).then_some(())
        })
        .await;
    }

    /// Everything the bot asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.read(|state| state.requests.clone())
    }

    /// Requests that Discord has no route for. Stories assert that there are none.
    pub fn unexpected(&self) -> Vec<String> {
        self.read(|state| state.unexpected.clone())
    }

    /// How often the bot ran into a rate limit.
    pub fn rate_limited(&self) -> usize {
        self.read(|state| state.buckets.refused)
    }

    /// What happened at the gateway.
    pub fn gateway(&self) -> GatewayLog {
        self.read(|state| state.gateway.clone())
    }

    /// The intents of the last IDENTIFY.
    pub fn identify_intents(&self) -> Option<u64> {
        self.gateway().intents
    }

    /// The commands as registered.
    pub fn commands(&self) -> Vec<Value> {
        self.read(|state| state.commands.clone())
    }

    /// Breaks requests from now on.
    pub fn fault(&self, fault: Fault) {
        self.change(|state| state.faults.push(fault));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.change(|state| state.faults.clear());
    }

    /// Bytes a file may have where neither boost nor subscription raise it.
    pub fn set_default_limit(&self, bytes: u64) {
        self.change(|state| state.rules.default_limit = bytes);
    }

    /// Whether buckets are enforced. They are unless told otherwise.
    pub fn enforce_rate_limits(&self, enforce: bool) {
        self.change(|state| state.rules.enforce_rate_limits = enforce);
    }

    /// Spends the tokens of all interactions so far, as 15 minutes would.
    pub fn expire_tokens(&self) {
        self.change(|state| state.interactions.values_mut().for_each(|interaction| interaction.expired = true));
    }

    /// Makes all interactions so far older.
    pub fn age_interactions(&self, by: Duration) {
        self.change(|state| {
            for interaction in state.interactions.values_mut() {
                interaction.sent = interaction.sent.checked_sub(by).unwrap_or_else(Instant::now);
            }
        });
    }

    /// Cuts all gateway connections without a word. Sessions stay and can be resumed.
    pub fn drop_gateway(&self) {
        self.change(|state| state.send_all(|| Frame::Cut));
    }

    /// Closes all gateway connections with a code, for example 4000 or 1001.
    pub fn close_gateway(&self, code: u16) {
        self.change(|state| state.send_all(|| Frame::Close(code, "")));
    }

    /// Asks all connections to reconnect (op 7), as Discord does before maintenance.
    pub fn ask_to_reconnect(&self) {
        let payload = || Frame::Payload(serde_json::json!({"op": 7, "d": null, "s": null, "t": null}));
        self.change(|state| state.send_all(payload));
    }

    /// Forgets all sessions: a RESUME is answered with op 9.
    pub fn forget_sessions(&self) {
        self.change(|state| state.sessions.clear());
    }

    /// Whether the gateway's door answers 503.
    pub fn refuse_gateway(&self, refuse: bool) {
        self.change(|state| state.rules.gateway_refuses = refuse);
    }

    /// Whether the gateway's door hangs.
    pub fn hang_gateway(&self, hang: bool) {
        self.change(|state| state.rules.gateway_hangs = hang);
    }

    /// Which privileged intents the application has been given: others are refused with close code 4014.
    pub fn grant_intents(&self, intents: u64) {
        self.change(|state| state.rules.privileged_intents = intents);
    }
}

impl State {
    fn send_all(&mut self, frame: impl Fn() -> Frame) {
        for line in self.sessions.values().filter_map(|session| session.line.as_ref()) {
            let _ = line.send(frame());
        }
    }
}
