//! Discord's refusals: HTTP status, its own code, its words.

use serde_json::{Value, json};

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Discord's code; 0 for refusals without one.
    pub code: u64,
    /// Its words.
    pub message: String,
    /// Which field is wrong, as Discord nests it.
    pub errors: Option<Value>,
}

/// What a route answers, or why not.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

impl Refusal {
    fn new(status: u16, code: u64, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), errors: None }
    }

    /// The answer's body.
    pub fn body(&self) -> Value {
        let mut body = json!({"message": self.message, "code": self.code});
        if let Some(errors) = &self.errors {
            body["errors"] = errors.clone();
        }
        body
    }

    /// 50035: `field` (dots nest, as in `embeds.0.title`) breaks a rule.
    pub fn form(field: &str, code: &str, message: &str) -> Self {
        let leaf = json!({"_errors": [{"code": code, "message": message}]});
        let errors = field.rsplit('.').filter(|name| !name.is_empty()).fold(leaf, |inner, name| json!({name: inner}));
        Self { errors: Some(errors), ..Self::new(400, 50035, "Invalid Form Body") }
    }

    /// 50035: too long.
    pub fn too_long(field: &str, most: usize) -> Self {
        Self::form(field, "BASE_TYPE_MAX_LENGTH", &format!("Must be {most} or fewer in length."))
    }

    /// 50035: not there.
    pub fn missing(field: &str) -> Self {
        Self::form(field, "BASE_TYPE_REQUIRED", "This field is required")
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $status:literal, $code:literal, $message:literal;)*) => {
        impl Refusal {
            $($(#[$doc])* pub fn $name() -> Self { Self::new($status, $code, $message) })*
        }
    };
}

refusals! {
    /// Wrong token.
    unauthorized: 401, 0, "401: Unauthorized";
    /// No such route.
    no_route: 404, 0, "404: Not Found";
    /// The route exists, not with this method.
    wrong_method: 405, 0, "405: Method Not Allowed";
    /// No such channel.
    unknown_channel: 404, 10003, "Unknown Channel";
    /// No such guild.
    unknown_guild: 404, 10004, "Unknown Guild";
    /// No such member.
    unknown_member: 404, 10007, "Unknown Member";
    /// No such message.
    unknown_message: 404, 10008, "Unknown Message";
    /// No such user.
    unknown_user: 404, 10013, "Unknown User";
    /// No such webhook, or an interaction that has not been answered yet.
    unknown_webhook: 404, 10015, "Unknown Webhook";
    /// Answered later than three seconds, or never asked.
    unknown_interaction: 404, 10062, "Unknown interaction";
    /// No such command.
    unknown_command: 404, 10063, "Unknown application command";
    /// A file above the limit.
    too_large: 413, 40005, "Request entity too large";
    /// A second first answer.
    already_acknowledged: 400, 40060, "Interaction has already been acknowledged.";
    /// Cannot even see it.
    missing_access: 403, 50001, "Missing Access";
    /// Somebody else's message.
    not_yours: 403, 50005, "Cannot edit a message authored by another user";
    /// Nothing in it.
    empty_message: 400, 50006, "Cannot send an empty message";
    /// Not allowed here.
    missing_permissions: 403, 50013, "Missing Permissions";
    /// The interaction's token is spent.
    invalid_webhook_token: 401, 50027, "Invalid Webhook Token";
    /// No JSON.
    invalid_json: 400, 50109, "The request body contains invalid JSON.";
    /// A user-installed app's sixth follow-up.
    too_many_follow_ups: 400, 40094, "This interaction has reached its maximum number of follow-up messages.";
}
