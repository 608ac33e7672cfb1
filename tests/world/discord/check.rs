//! Whether a message's payload is one that Discord takes.

use serde_json::Value;

use super::{
    body::Submission,
    refusal::{Refusal, Result},
};

/// Where a payload goes: flags and fields differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Create a message in a channel.
    Create,
    /// Edit a message in a channel.
    Edit,
    /// First answer to an interaction: a message.
    Callback,
    /// First answer to an interaction: "is thinking…".
    Defer,
    /// A further message of an interaction.
    FollowUp,
    /// Edit an interaction's message.
    EditInteraction,
}

/// Flags.
pub const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// Only its receiver sees it.
pub const EPHEMERAL: u64 = 1 << 6;
/// "is thinking…".
pub const LOADING: u64 = 1 << 7;
/// No notification.
pub const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
/// A voice message.
pub const VOICE: u64 = 1 << 13;
/// New components instead of text and embeds.
pub const COMPONENTS_V2: u64 = 1 << 15;

impl Route {
    /// The flags that a sender may set here.
    fn flags(self) -> u64 {
        match self {
            Route::Create => SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | VOICE | COMPONENTS_V2,
            Route::Edit | Route::EditInteraction => SUPPRESS_EMBEDS | COMPONENTS_V2,
            Route::Callback | Route::FollowUp => {
                SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | VOICE | COMPONENTS_V2
            }
            Route::Defer => EPHEMERAL,
        }
    }

    fn is_edit(self) -> bool {
        matches!(self, Route::Edit | Route::EditInteraction)
    }
}

/// Checks form and limits. `limit`: bytes a file may have. `kept`: ids of files already on the message.
pub fn message(submission: &Submission, route: Route, limit: u64, kept: &[String]) -> Result<()> {
    let payload = &submission.payload;
    if !(payload.is_object() || payload.is_null()) {
        return Err(Refusal::invalid_json());
    }
    if submission.files.iter().any(|file| file.size > limit) {
        return Err(Refusal::too_large());
    }
    content(&payload["content"])?;
    flags(payload, route)?;
    if route == Route::Create {
        nonce(payload)?;
    }
    allowed_mentions(&payload["allowed_mentions"])?;
    embeds(&payload["embeds"])?;
    attachments(submission, kept, route)?;
    components(payload)?;
    if route == Route::Defer {
        return Ok(());
    }
    let v2 = payload["flags"].as_u64().unwrap_or_default() & COMPONENTS_V2 != 0;
    if v2 && (filled(&payload["content"]) || filled(&payload["embeds"])) {
        let code = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2";
        return Err(Refusal::form("content", code, "The 'content' field cannot be used when using components v2"));
    }
    let fields = ["content", "embeds", "components", "sticker_ids", "poll"];
    let empty = submission.files.is_empty() && !fields.iter().any(|field| filled(&payload[field]));
    if empty && !route.is_edit() {
        return Err(Refusal::empty_message());
    }
    Ok(())
}

fn filled(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
        _ => false,
    }
}

/// Length as Discord counts it: code points.
fn length(text: &str) -> usize {
    text.chars().count()
}

fn content(content: &Value) -> Result<()> {
    match content {
        Value::Null => Ok(()),
        Value::String(text) if length(text) <= 2000 => Ok(()),
        Value::String(_) => Err(Refusal::too_long("content", 2000)),
        _ => Err(Refusal::form("content", "BASE_TYPE_BAD", "Not a string")),
    }
}

fn flags(payload: &Value, route: Route) -> Result<()> {
    let flags = match &payload["flags"] {
        Value::Null => 0,
        value => value.as_u64().ok_or_else(|| Refusal::form("flags", "NUMBER_TYPE_COERCE", "Not a number"))?,
    };
    if flags & !route.flags() != 0 {
        return Err(Refusal::form("flags", "MESSAGE_FLAGS_INVALID", &format!("Not allowed here: {flags} ({route:?})")));
    }
    Ok(())
}

fn nonce(payload: &Value) -> Result<()> {
    let nonce = match &payload["nonce"] {
        Value::Null => {
            if payload["enforce_nonce"] == true {
                return Err(Refusal::missing("nonce"));
            }
            return Ok(());
        }
        Value::String(text) => length(text),
        Value::Number(number) => number.to_string().len(),
        _ => return Err(Refusal::form("nonce", "NONCE_TYPE_INVALID", "Must be a string or an integer")),
    };
    if nonce > 25 { Err(Refusal::too_long("nonce", 25)) } else { Ok(()) }
}

fn allowed_mentions(allowed: &Value) -> Result<()> {
    let Some(allowed) = allowed.as_object() else { return Ok(()) };
    let parse: Vec<&str> =
        allowed.get("parse").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for name in &parse {
        if !["roles", "users", "everyone"].contains(name) {
            return Err(Refusal::form("allowed_mentions.parse.0", "BASE_TYPE_CHOICES", "Unknown kind of mention"));
        }
    }
    for list in ["users", "roles"] {
        let named = allowed.get(list).and_then(Value::as_array).map_or(0, Vec::len);
        if named > 100 {
            return Err(Refusal::form(&format!("allowed_mentions.{list}"), "BASE_TYPE_MAX_LENGTH", "At most 100"));
        }
        if named > 0 && parse.contains(&list) {
            let code = "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE";
            return Err(Refusal::form("allowed_mentions", code, "parse and the list exclude each other"));
        }
    }
    Ok(())
}

fn embeds(embeds: &Value) -> Result<()> {
    let Some(embeds) = embeds.as_array() else { return Ok(()) };
    if embeds.len() > 10 {
        return Err(Refusal::too_long("embeds", 10));
    }
    let mut total = 0;
    for (index, embed) in embeds.iter().enumerate() {
        let mut limited = |path: &str, value: &Value, most: usize, counted: bool| {
            let Some(text) = value.as_str() else { return Ok(()) };
            let size = length(text);
            total += if counted { size } else { 0 };
            if size > most { Err(Refusal::too_long(&format!("embeds.{index}.{path}"), most)) } else { Ok(()) }
        };
        limited("title", &embed["title"], 256, true)?;
        limited("description", &embed["description"], 4096, true)?;
        limited("author.name", &embed["author"]["name"], 256, true)?;
        limited("footer.text", &embed["footer"]["text"], 2048, true)?;
        for (number, field) in embed["fields"].as_array().into_iter().flatten().enumerate() {
            let path = format!("embeds.{index}.fields.{number}");
            if number >= 25 {
                return Err(Refusal::too_long(&format!("embeds.{index}.fields"), 25));
            }
            limited(&format!("fields.{number}.name"), &field["name"], 256, true)?;
            limited(&format!("fields.{number}.value"), &field["value"], 1024, true)?;
            if !filled(&field["name"]) || !filled(&field["value"]) {
                return Err(Refusal::missing(&path));
            }
        }
        for (path, link) in [
            ("url", &embed["url"]),
            ("image.url", &embed["image"]["url"]),
            ("thumbnail.url", &embed["thumbnail"]["url"]),
            ("author.url", &embed["author"]["url"]),
            ("author.icon_url", &embed["author"]["icon_url"]),
            ("footer.icon_url", &embed["footer"]["icon_url"]),
        ] {
            limited(path, link, 2048, false)?;
            let known = ["http://", "https://", "attachment://"];
            if link.as_str().is_some_and(|link| !known.iter().any(|scheme| link.starts_with(scheme))) {
                let path = format!("embeds.{index}.{path}");
                return Err(Refusal::form(&path, "URL_TYPE_INVALID_URL", "Not a well formed URL."));
            }
        }
    }
    if total > 6000 { Err(Refusal::too_long("embeds", 6000)) } else { Ok(()) }
}

fn attachments(submission: &Submission, kept: &[String], route: Route) -> Result<()> {
    let listed = submission.payload["attachments"].as_array();
    for (index, entry) in listed.into_iter().flatten().enumerate() {
        let path = format!("attachments.{index}");
        let id = match &entry["id"] {
            Value::String(id) => id.clone(),
            Value::Number(id) => id.to_string(),
            _ => return Err(Refusal::missing(&format!("{path}.id"))),
        };
        let sent = submission.files.iter().any(|file| file.index.to_string() == id);
        if !(sent || route.is_edit() && kept.contains(&id)) {
            let message = format!("Attachment data not found: {id}");
            return Err(Refusal::form(&path, "MESSAGE_ATTACHMENT_NOT_FOUND", &message));
        }
        if entry["description"].as_str().is_some_and(|text| length(text) > 1024) {
            return Err(Refusal::too_long(&format!("{path}.description"), 1024));
        }
        if entry["filename"].as_str().is_some_and(|name| length(name) > 1024) {
            return Err(Refusal::too_long(&format!("{path}.filename"), 1024));
        }
    }
    let total = match listed {
        Some(listed) => listed.len().max(submission.files.len()),
        None => kept.len() + submission.files.len(),
    };
    if total > 10 { Err(Refusal::too_long("attachments", 10)) } else { Ok(()) }
}

fn components(payload: &Value) -> Result<()> {
    let Some(components) = payload["components"].as_array() else { return Ok(()) };
    let v2 = payload["flags"].as_u64().unwrap_or_default() & COMPONENTS_V2 != 0;
    if !v2 && components.len() > 5 {
        return Err(Refusal::too_long("components", 5));
    }
    for (index, component) in components.iter().enumerate() {
        let kind = component["type"].as_u64().unwrap_or_default();
        if !v2 && kind != 1 {
            let path = format!("components.{index}.type");
            return Err(Refusal::form(&path, "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (1,)."));
        }
        let items = component["items"].as_array().map_or(1, Vec::len);
        if kind == 12 && !(1..=10).contains(&items) {
            let path = format!("components.{index}.items");
            return Err(Refusal::form(&path, "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 10 in length."));
        }
    }
    Ok(())
}

/// An application command as it is registered.
pub fn command(index: usize, command: &Value) -> Result<()> {
    let at = |field: &str| format!("{index}.{field}");
    let kind = command["type"].as_u64().unwrap_or(1);
    let name = command["name"].as_str().ok_or_else(|| Refusal::missing(&at("name")))?;
    let description = command["description"].as_str().unwrap_or_default();
    let well_named = |name: &str| {
        (1..=32).contains(&length(name))
            && name.chars().all(|c| c.is_alphanumeric() || "-_'".contains(c))
            && name == name.to_lowercase()
    };
    if kind == 1 {
        if !well_named(name) {
            return Err(Refusal::form(&at("name"), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid"));
        }
        if !(1..=100).contains(&length(description)) {
            return Err(Refusal::too_long(&at("description"), 100));
        }
    } else if !(1..=32).contains(&length(name)) || !description.is_empty() {
        return Err(Refusal::form(&at("description"), "BASE_TYPE_BAD", "Context menus have names only"));
    }
    options(&at("options"), &command["options"], &well_named)
}

fn options(path: &str, options: &Value, well_named: &dyn Fn(&str) -> bool) -> Result<()> {
    let Some(list) = options.as_array() else { return Ok(()) };
    if list.len() > 25 {
        return Err(Refusal::too_long(path, 25));
    }
    let mut optional_seen = false;
    for (index, option) in list.iter().enumerate() {
        let path = format!("{path}.{index}");
        if !well_named(option["name"].as_str().unwrap_or_default()) {
            return Err(Refusal::form(&format!("{path}.name"), "APPLICATION_COMMAND_INVALID_NAME", "Name is invalid"));
        }
        if !(1..=100).contains(&length(option["description"].as_str().unwrap_or_default())) {
            return Err(Refusal::too_long(&format!("{path}.description"), 100));
        }
        let kind = option["type"].as_u64().ok_or_else(|| Refusal::missing(&format!("{path}.type")))?;
        let required = option["required"] == true;
        if required && optional_seen {
            let code = "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID";
            return Err(Refusal::form(&path, code, "Required options must be placed before non-required options"));
        }
        optional_seen |= !required && kind > 2;
        let choices = option["choices"].as_array().map_or(&[][..], Vec::as_slice);
        if choices.len() > 25 || (!choices.is_empty() && option["autocomplete"] == true) {
            return Err(Refusal::too_long(&format!("{path}.choices"), 25));
        }
        self::options(&format!("{path}.options"), &option["options"], well_named)?;
    }
    Ok(())
}
