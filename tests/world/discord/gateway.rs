//! The gateway: hello, identify, resume, heartbeats, events.

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{
        State as Extract, WebSocketUpgrade,
        ws::{CloseFrame, Message as Ws, WebSocket},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::mpsc::unbounded_channel};

use super::{
    Shared,
    model::{Frame, Message, Session},
    permissions,
    state::State,
};

/// Messages in guilds.
pub const GUILD_MESSAGES: u64 = 1 << 9;
/// Messages in direct conversations.
pub const DIRECT_MESSAGES: u64 = 1 << 12;
/// Their text, files and embeds: privileged.
pub const MESSAGE_CONTENT: u64 = 1 << 15;
/// Guilds, channels, threads.
pub const GUILDS: u64 = 1;
/// All intents that must be granted: members, presences, content.
pub const PRIVILEGED: u64 = 1 << 1 | 1 << 8 | MESSAGE_CONTENT;

/// How often clients send heartbeats, in milliseconds.
const HEARTBEAT: u64 = 41_250;

/// Serves the gateway for as long as the runtime lives.
pub fn serve(shared: Arc<Shared>, listener: TcpListener) {
    let router = Router::new().fallback(any(connect)).with_state(shared);
    tokio::spawn(async move { axum::serve(listener, router).await });
}

async fn connect(
    Extract(shared): Extract<Arc<Shared>>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let (refuses, hangs) = shared.read(|state| (state.rules.gateway_refuses, state.rules.gateway_hangs));
    if hangs {
        std::future::pending::<()>().await;
    }
    match upgrade {
        Ok(upgrade) if !refuses => upgrade.on_upgrade(move |socket| connection(shared, socket)),
        Ok(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(error) => error.into_response(),
    }
}

async fn connection(shared: Arc<Shared>, mut socket: WebSocket) {
    shared.change(|state| state.gateway.connections += 1);
    let (line, mut orders) = unbounded_channel();
    let hello = json!({"op": 10, "d": {"heartbeat_interval": HEARTBEAT, "_trace": []}, "s": null, "t": null});
    if socket.send(Ws::Text(hello.to_string().into())).await.is_err() {
        return;
    }
    let mut session = None;
    loop {
        tokio::select! {
            order = orders.recv() => if !obey(&mut socket, order).await { break },
            said = socket.recv() => {
                let text = match said {
                    Some(Ok(Ws::Text(text))) => text,
                    Some(Ok(Ws::Ping(_) | Ws::Pong(_))) => continue,
                    Some(Ok(Ws::Binary(_))) => { let _ = line.send(Frame::Close(4002, "Decode error")); continue }
                    Some(Ok(Ws::Close(_)) | Err(_)) | None => break,
                };
                let Ok(said) = serde_json::from_str::<Value>(&text) else {
                    let _ = line.send(Frame::Close(4002, "Decode error"));
                    continue;
                };
                shared.change(|state| hear(state, &said, &line, &mut session));
            }
        }
    }
    if let Some(id) = session {
        shared.change(|state| {
            if let Some(session) = state.sessions.get_mut(&id)
                && session.line.as_ref().is_some_and(|mine| mine.same_channel(&line))
            {
                session.line = None;
            }
        });
    }
}

/// Does what it is told; false when that ended the connection.
async fn obey(socket: &mut WebSocket, order: Option<Frame>) -> bool {
    match order {
        Some(Frame::Payload(payload)) => socket.send(Ws::Text(payload.to_string().into())).await.is_ok(),
        Some(Frame::Close(code, reason)) => {
            let _ = socket.send(Ws::Close(Some(CloseFrame { code, reason: reason.into() }))).await;
            // The other side answers the close; its going ends the connection.
            while let Some(Ok(_)) = socket.recv().await {}
            false
        }
        Some(Frame::Cut) | None => false,
    }
}

type Line = tokio::sync::mpsc::UnboundedSender<Frame>;

fn hear(state: &mut State, said: &Value, line: &Line, session: &mut Option<String>) {
    let close = |code, reason| {
        let _ = line.send(Frame::Close(code, reason));
    };
    let data = &said["d"];
    match said["op"].as_u64() {
        Some(1) => {
            state.gateway.heartbeats += 1;
            let _ = line.send(Frame::Payload(json!({"op": 11, "d": null, "s": null, "t": null})));
        }
        Some(2) if session.is_some() => close(4005, "Already authenticated."),
        Some(2) => {
            state.gateway.identifies += 1;
            let intents = data["intents"].as_u64().unwrap_or_default();
            state.gateway.intents = Some(intents);
            state.gateway.presence = Some(data["presence"].clone()).filter(|presence| !presence.is_null());
            let token = data["token"].as_str().unwrap_or_default().trim_start_matches("Bot ");
            if token != state.token {
                return close(4004, "Authentication failed.");
            }
            if intents & PRIVILEGED & !state.rules.privileged_intents != 0 {
                return close(4014, "Disallowed intent(s).");
            }
            *session = Some(state.identify(intents, line.clone()));
        }
        Some(3) => state.gateway.presence = Some(data.clone()),
        Some(4) | Some(8) | Some(31) => {}
        Some(6) => {
            state.gateway.resumes += 1;
            let id = data["session_id"].as_str().unwrap_or_default().to_owned();
            let seq = data["seq"].as_u64().unwrap_or_default();
            if state.resume(&id, seq, line) {
                *session = Some(id);
            } else {
                let _ = line.send(Frame::Payload(json!({"op": 9, "d": false, "s": null, "t": null})));
            }
        }
        _ => close(4001, "Unknown opcode."),
    }
}

impl State {
    fn identify(&mut self, intents: u64, line: Line) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        self.sessions.insert(id.clone(), Session { seq: 0, sent: Vec::new(), line: Some(line), intents });
        let guilds: Vec<u64> = self.guilds.values().filter(|guild| guild.has_bot).map(|guild| guild.id).collect();
        let unavailable: Vec<Value> =
            guilds.iter().map(|id| json!({"id": id.to_string(), "unavailable": true})).collect();
        let mut user = self.user_json(self.bot);
        user["verified"] = true.into();
        user["mfa_enabled"] = false.into();
        user["email"] = Value::Null;
        let ready = json!({
            "v": 10, "user": user, "guilds": unavailable, "session_id": id, "session_type": "normal",
            "resume_gateway_url": self.gateway_url, "shard": [0, 1],
            "application": {"id": self.bot.to_string(), "flags": self.application_flags()},
            "private_channels": [], "relationships": [], "presences": [], "user_settings": {}, "geo_ordered_rtc_regions": [],
            "auth": {}, "_trace": [],
        });
        self.tell(&id, "READY", ready);
        self.gateway.ready_at = Some(Instant::now());
        if intents & GUILDS != 0 {
            for guild in guilds {
                if let Some(json) = self.guild_create_json(guild) {
                    self.tell(&id, "GUILD_CREATE", json);
                }
            }
        }
        id
    }

    fn resume(&mut self, id: &str, seq: u64, line: &Line) -> bool {
        let Some(session) = self.sessions.get_mut(id) else { return false };
        if seq > session.seq {
            return false;
        }
        session.line = Some(line.clone());
        for (_, payload) in session.sent.iter().filter(|(at, _)| *at > seq) {
            let _ = line.send(Frame::Payload(payload.clone()));
        }
        self.tell(id, "RESUMED", json!({"_trace": []}));
        true
    }

    /// Tells one session.
    fn tell(&mut self, id: &str, event: &str, data: Value) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.seq += 1;
        let payload = json!({"op": 0, "t": event, "s": session.seq, "d": data});
        session.sent.push((session.seq, payload.clone()));
        if let Some(line) = &session.line {
            let _ = line.send(Frame::Payload(payload));
        }
    }

    /// Tells every session that asked for one of `intents` (0: everybody).
    pub fn dispatch(&mut self, event: &str, intents: u64, data: Value) {
        let listening = self.sessions.iter().filter(|(_, session)| intents == 0 || session.intents & intents != 0);
        let listening: Vec<String> = listening.map(|(id, _)| id.clone()).collect();
        for id in listening {
            self.tell(&id, event, data.clone());
        }
    }

    /// Tells of a message to whoever may know, without its content where that is privileged and was not asked for.
    pub fn dispatch_message(&mut self, event: &str, message: &Message) {
        let Some(channel) = self.channels.get(&message.channel) else { return };
        let guild = channel.guild;
        let there = guild.is_none_or(|id| self.guilds.get(&id).is_some_and(|guild| guild.has_bot));
        if message.is_ephemeral() || !there || !self.bot_may_all(message.channel, permissions::VIEW_CHANNEL) {
            return;
        }
        let intents = if guild.is_some() { GUILD_MESSAGES } else { DIRECT_MESSAGES };
        let full = self.message_event_json(message);
        let mut bare = full.clone();
        bare["content"] = "".into();
        for field in ["attachments", "embeds", "components"] {
            bare[field] = json!([]);
        }
        let open = guild.is_none() || message.author == self.bot || message.mentions.contains(&self.bot);
        let listening: Vec<(String, bool)> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.intents & intents != 0)
            .map(|(id, session)| (id.clone(), open || session.intents & MESSAGE_CONTENT != 0))
            .collect();
        for (id, whole) in listening {
            self.tell(&id, event, if whole { full.clone() } else { bare.clone() });
        }
    }
}
