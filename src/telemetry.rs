//! Logging: levels, formats, and the last line of defence against secrets in logs.
//!
//! Whoever logs is expected to leave secrets out. Libraries are not: serenity, hyper and others write tokens, cookies and
//! signed addresses at their finer levels. So every finished line passes [`Redaction`] before it reaches standard error.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use regex::Regex;
use secrecy::ExposeSecret;
use serde_json::Value;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    model::redact,
    net::{self, Sessions},
    settings::{PLATFORM_SPECS, Settings},
};

/// Libraries whose own `info` and `debug` lines help nobody; `LOG_LEVEL=trace` or a filter brings them back.
const QUIET: &[&str] = &[
    "h2",
    "hyper",
    "hyper_util",
    "poise",
    "reqwest",
    "rustls",
    "serenity",
    "tokio_tungstenite",
    "tower",
    "tungstenite",
];

/// What stands for a secret.
const MASK: &str = "[masked]";

/// A shorter secret would be found in ordinary words.
const SHORTEST_SECRET: usize = 8;

/// More cookies than this are not searched for one by one; the patterns still catch them by their names.
const MOST_COOKIES: usize = 500;

/// The same for all files together, over the life of the process.
const MOST_SECRETS: usize = 4000;

// Between a telling name and its value stand quotes, perhaps escaped.
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r#"(?i)\b(token|access_token|guest_token|auth_token|session_id|sessionid|csrftoken|ct0|client_secret|password|signature|sig)((?:\\*["']|\s)*[=:](?:\\*["']|\s|Some\()*)[^\s&;,"'\\]+"#,
    )
});
// Discord's routes carry the tokens of interactions and webhooks in the path.
static ROUTE: LazyLock<Regex> = LazyLock::new(|| constant(r"(?i)/(interactions|webhooks)/(\d+)/[A-Za-z0-9_.%~-]{16,}"));
// A path with a query, without scheme and host: signatures hide in both.
static QUERY: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r#"(/[^\s"'<>\\?]*)\?[^\s"'<>\\]*(?:sig|signature|token|expires?|policy|hmac|hash|key|x-amz-[a-z-]+)=[^\s"'<>\\]*"#,
    )
});

fn constant(text: &str) -> Regex {
    // Constant patterns that a test compiles.
    Regex::new(text).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
}

/// Takes secrets out of finished lines.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    known: Arc<Mutex<Known>>,
    json: bool,
}

/// The secrets known by heart.
#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    pattern: Option<Regex>,
    /// The cookies files, each with the version of it that was read.
    files: BTreeMap<PathBuf, Option<String>>,
}

impl fmt::Debug for Known {
    /// Never a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({} secrets)", self.secrets.len())
    }
}

impl Known {
    /// Learns the cookies of files that are new or have changed. What was a secret before stays one.
    fn refresh(&mut self) {
        let mut learned = false;
        for (path, version) in &mut self.files {
            let Ok(metadata) = path.metadata() else { continue };
            let now = net::cookies::version(&metadata);
            if version.as_ref() != Some(&now) {
                *version = Some(now);
                let values = cookie_values(path).into_iter().filter(|value| value.len() >= SHORTEST_SECRET);
                let room = MOST_SECRETS.saturating_sub(self.secrets.len());
                self.secrets.extend(values.take(room));
                learned = true;
            }
        }
        if learned || self.pattern.is_none() {
            // The longest first, so that no end of a secret stays behind when another one begins like it.
            let mut secrets: Vec<&String> = self.secrets.iter().collect();
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
            let any = secrets.iter().map(|secret| regex::escape(secret)).collect::<Vec<_>>().join("|");
            // An empty pattern would match everywhere.
            self.pattern = if any.is_empty() { None } else { Regex::new(&any).ok() };
        }
    }
}

impl Redaction {
    /// Knows the secrets of these settings by heart, whatever they look like: tokens, platform secrets, cookies. Cookies are
    /// learned anew when their file changes: before the next line is written, whoever writes it.
    pub fn new(settings: &Settings) -> Self {
        let mut secrets: Vec<String> = Vec::new();
        secrets.extend(settings.discord.token.iter().map(|token| token.expose_secret().to_owned()));
        for (platform, settings) in &settings.platforms {
            let open = |key: &str| {
                PLATFORM_SPECS.iter().any(|spec| spec.platform == platform && spec.key == key && !spec.secret)
            };
            let params = settings.params.iter().filter(|(key, _)| !open(key));
            secrets.extend(params.map(|(_, value)| value.expose_secret().to_owned()));
        }
        secrets.extend(settings.network.proxy.iter().filter_map(|proxy| proxy.password().map(str::to_owned)));
        secrets.extend(settings.database.url.password());
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        let sessions = Sessions::new(settings);
        let files = sessions.files().into_iter().map(|(_, path)| (path.to_owned(), None)).collect();
        let mut known = Known { secrets: secrets.into_iter().collect(), pattern: None, files };
        known.refresh();
        Self { known: Arc::new(Mutex::new(known)), json: settings.log.json }
    }

    /// Whether any secret that is known by heart stands in a text.
    pub fn finds_known(&self, text: &str) -> bool {
        self.pattern().is_some_and(|pattern| pattern.is_match(text))
    }

    /// The text without the secrets that are known by heart.
    pub fn without_known(&self, text: &str) -> String {
        match self.pattern() {
            Some(pattern) => pattern.replace_all(text, MASK).into_owned(),
            None => text.to_owned(),
        }
    }

    fn pattern(&self) -> Option<Regex> {
        // What a panic left behind is still a set of secrets.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.refresh();
        known.pattern.clone()
    }

    /// The line without secrets.
    pub fn line(&self, line: &str) -> String {
        if self.json
            && let Ok(mut value) = serde_json::from_str::<Value>(line)
        {
            // Inside the strings, so that what masks to the end of a line does not eat the closing brackets.
            self.walk(&mut value, None);
            return format!("{value}\n");
        }
        self.text(line)
    }

    fn walk(&self, value: &mut Value, name: Option<&str>) {
        match value {
            Value::String(text) => {
                // A field's name tells as much as a name inside the text would.
                let named = name.is_some_and(|name| PAIR.is_match(&format!("{name}=x")));
                *text = if named { MASK.to_owned() } else { self.text(text) };
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.walk(value, name)),
            Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| self.walk(value, Some(name))),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn text(&self, text: &str) -> String {
        let end = text.len() - text.trim_end_matches(['\n', '\r']).len();
        let (text, end) = text.split_at(text.len() - end);
        let text = self.without_known(text);
        // Ours first: the general patterns would take `Some(` for the value and leave what is in it.
        let text = PAIR.replace_all(&text, format!("$1$2{MASK}"));
        let text = redact::text(&text);
        let text = ROUTE.replace_all(&text, format!("/$1/$2/{MASK}"));
        let text = QUERY.replace_all(&text, "$1?…");
        format!("{text}{end}")
    }
}

/// The values in a Netscape cookie file: the seventh column.
fn cookie_values(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| line.strip_prefix("#HttpOnly_").unwrap_or(line));
    let values = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').nth(6));
    values.map(|value| value.trim().to_owned()).take(MOST_COOKIES).collect()
}

/// Standard error behind the redaction.
#[derive(Debug, Clone)]
struct Guarded(Redaction);

impl Write for Guarded {
    /// The formatter hands over one whole event a call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let clean = self.0.line(&String::from_utf8_lossy(line));
        io::stderr().lock().write_all(clean.as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for Guarded {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The filter for a level or a filter of the user's own.
fn filter(level: &str) -> EnvFilter {
    let plain = matches!(level, "error" | "warn" | "info" | "debug");
    let directives = if plain {
        let quiet = if level == "error" { "error" } else { "warn" };
        let quiet: String = QUIET.iter().map(|library| format!(",{library}={quiet}")).collect();
        format!("{level}{quiet}")
    } else {
        level.to_owned()
    };
    // The settings have checked it; should it not parse all the same, some log is better than none.
    EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"))
}

/// Starts logging to standard error and lets panics be logged like everything else. `level`: instead of the one set.
pub fn init(settings: &Settings, level: Option<&str>) {
    let redaction = Redaction::new(settings);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(level.unwrap_or(&settings.log.level)))
        .with_writer(Guarded(redaction))
        // Colours would stand between the names and values that the redaction looks for.
        .with_ansi(false);
    // Only fails when logging was started before, and then it works already.
    let _ = if settings.log.json {
        builder.json().flatten_event(true).with_span_list(false).try_init()
    } else {
        builder.try_init()
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let reason = panic.payload();
        let reason =
            reason.downcast_ref::<&str>().copied().or_else(|| reason.downcast_ref::<String>().map(String::as_str));
        tracing::error!(place, reason = reason.unwrap_or("unknown"), "a fault in the program");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: bool) -> Settings {
        let mut settings = Settings::default();
        settings.discord.token = Some("plain-looking-token".into());
        let database = "postgres://boss-bot:database-pass%20word@db.lan/jobs";
        settings.database.url = crate::settings::DatabaseUrl::Postgres(database.into());
        settings.log.json = json;
        settings
    }

    #[test]
    fn no_shape_of_a_secret_survives() {
        let redaction = Redaction::new(&settings(false));
        let interaction = format!("aW50ZXJhY3Rpb246{}", "x".repeat(180));
        for line in [
            "logging in as plain-looking-token".to_owned(),
            "the server refuses database-pass word".to_owned(),
            format!("POST /api/v10/interactions/123/{interaction}/callback"),
            format!("/webhooks/99/{interaction}/messages/@original"),
            format!(r#"ExecuteWebhook {{ webhook_id: WebhookId(1), token: "{interaction}", wait: true }}"#),
            format!(r#"sending "{{\"op\":2,\"d\":{{\"token\":\"{interaction}\",\"x\":1}}}}""#),
            format!("token=Some(\"{interaction}\")"),
            format!("authorization: \"Bot {interaction}\""),
            format!("GET /v/1.mp4?e=1&signature={interaction}&a=b HTTP/1.1"),
            format!("see https://user:{interaction}@video.example/{interaction}.mp4?x={interaction}"),
        ] {
            let clean = redaction.line(&line);
            assert!(!clean.contains(&interaction) && !clean.contains("plain-looking"), "{clean}");
            assert!(!clean.contains("database-pass"), "{clean}");
        }
        assert_eq!(redaction.line("downloading 42 % of 3 files\n"), "downloading 42 % of 3 files\n");
    }

    #[test]
    fn json_lines_stay_json() {
        let redaction = Redaction::new(&settings(true));
        let line = r#"{"level":"DEBUG","message":"Cookie: a=b","token":"short","nested":{"url":"https://a.example/x?y"},"n":1}"#;
        let clean = redaction.line(line);
        let value: Value = serde_json::from_str(&clean).unwrap();
        assert_eq!(value["message"], "Cookie: [masked]");
        assert_eq!(value["token"], "[masked]");
        assert_eq!(value["nested"]["url"], "https://a.example/…");
        assert_eq!(value["n"], 1);
        assert!(clean.ends_with("}\n"));
    }

    #[test]
    fn cookies_are_known_by_their_values() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookies.txt");
        let file = "# Netscape\n.x.com\tTRUE\t/\tTRUE\t0\ta\tsecretsecret\n#HttpOnly_.x.com\tTRUE\t/\tTRUE\t0\tb\tothersecret\n";
        std::fs::write(&path, file).unwrap();
        let mut settings = settings(false);
        settings.gallery_dl.cookies_file = Some(path);
        let redaction = Redaction::new(&settings);
        let line = "odd: secretsecret and othersecret and latersecret\n";
        assert_eq!(redaction.line(line), "odd: [masked] and [masked] and latersecret\n");
        // The operator signs in again while the bot runs: the old ones stay secrets.
        let path = dir.path().join("cookies.txt");
        std::fs::write(&path, ".x.com\tTRUE\t/\tTRUE\t0\ta\tlatersecret\n").unwrap();
        assert_eq!(redaction.line(line), "odd: [masked] and [masked] and [masked]\n");
    }

    #[test]
    fn plain_levels_quiet_the_libraries_and_trace_does_not() {
        assert!(filter("debug").to_string().contains("hyper=warn"));
        assert_eq!(filter("trace").to_string(), "trace");
        assert_eq!(filter("boss_bot=debug").to_string(), "boss_bot=debug");
    }
}
