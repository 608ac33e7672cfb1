//! A channel as the page shows it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::discord::{Id, Message, State};

/// How long Discord shows that somebody is typing.
const TYPING: Duration = Duration::from_secs(10);

/// Everything in a channel, the commands one can use there, and what is going on.
pub fn show(state: &State, channel: Id) -> Value {
    let messages = state.messages.values().filter(|message| message.channel == channel && !message.deleted);
    let messages: Vec<Value> = messages.map(|message| one(state, message)).collect();
    let commands: Vec<Value> = state
        .commands
        .iter()
        .filter(|command| command["type"] == 1)
        .map(|command| json!({"name": command["name"], "description": command["description"]}))
        .collect();
    // Calls that have no answer yet; the page itself gives up on them after three seconds.
    let waiting: Vec<Value> = state
        .interactions
        .values()
        .filter(|call| call.channel == channel && call.answer.is_none())
        .map(|call| json!({"id": call.id.to_string(), "user": state.name_of(call.user), "command": call.command}))
        .collect();
    let last = state.messages.values().rfind(|message| message.channel == channel && message.author == state.bot);
    let last = last.and_then(|message| message.history.last()).map(|shape| shape.at);
    let typing = state.typing.iter().rev().find(|(place, _)| *place == channel).map(|(_, when)| *when);
    let typing = typing.is_some_and(|when| when.elapsed() < TYPING && last.is_none_or(|last| last < when));
    json!({"messages": messages, "commands": commands, "waiting": waiting, "typing": typing})
}

fn one(state: &State, message: &Message) -> Value {
    let mut json = state.message_json(message, false);
    for (shown, file) in
        json["attachments"].as_array_mut().into_iter().flatten().zip(message.attachments.iter().filter(|f| !f.in_embed))
    {
        shown["url"] = address(file.id, &file.filename).into();
        shown["spoiler"] = file.spoiler.into();
    }
    let files: Value =
        message.attachments.iter().map(|file| (file.filename.clone(), address(file.id, &file.filename))).collect();
    let call = message.interaction.and_then(|id| state.interactions.get(&id));
    json["files"] = files;
    json["used"] = match call.filter(|call| call.original == Some(message.id)) {
        Some(call) => json!({"user": state.name_of(call.user), "command": call.command}),
        None => Value::Null,
    };
    json["answers"] = match message.reference.and_then(|id| state.messages.get(&id)) {
        Some(other) => json!({"user": state.name_of(other.author), "text": other.content}),
        None => Value::Null,
    };
    json["name"] = state.name_of(message.author).into();
    json["loading"] = message.is_loading().into();
    json["ephemeral"] = message.is_ephemeral().into();
    json
}

fn address(id: Id, name: &str) -> String {
    format!("/files/{id}/{name}")
}
