//! What must not stand in a recording: cookies, authorisation, tokens, signatures.

use std::sync::{Arc, LazyLock};

use regex::{Captures, Regex};
use reqwest::header::HeaderMap;
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

/// What stands for a secret in a header.
const MASK: &str = "[masked]";

/// How the word that stands for a secret begins. One that stands there already stays as it is.
const WORD: &str = "masked-";

/// Headers of requests and answers that say nothing about who asks. All others lose their values.
const OPEN: &[&str] = &[
    "accept",
    "accept-language",
    "accept-ranges",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "origin",
    "range",
    "retry-after",
    "user-agent",
    "x-rate-limit-limit",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-used",
    "x-requested-with",
];

/// Names of secrets, in queries and in JSON.
const NAMES: &str = "(?:[a-z_-]*(?:token|secret|password|passwd|signature|credential|csrf|session_?id|visitor_?data|api_?key|\
    authorization|cookie)[a-z_-]*|sig|sid|ct0|hmac|hdnts|hdntl|policy|key-pair-id|expires?|expire|oh|oe|lsig|sparams|lsparams|pot|\
    x-amz-[a-z-]+|x-expires|x-signature|verify|nonce|acl|__gda__|e|s|hash|h|k|auth|auth_key|wssecret|upsig)";

static QUERY: LazyLock<Regex> =
    LazyLock::new(|| constant(&format!(r#"(?i)([?&;]|\\u0026|&amp;)({NAMES})=([^&"'\s<>\\#;]+)"#)));
static PAIR: LazyLock<Regex> =
    LazyLock::new(|| constant(&format!(r#"(?i)(["'])({NAMES})(["']\s*:\s*["'])([^"'\\]+)"#)));
static NAME: LazyLock<Regex> = LazyLock::new(|| constant(&format!("(?i)^{NAMES}$")));
static FORM: LazyLock<Regex> = LazyLock::new(|| constant(&format!(r"(?i)(^|&)({NAMES})=([^&\s]+)")));

fn constant(text: &str) -> Regex {
    // Constant patterns that a test compiles.
    Regex::new(text).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
}

/// Takes secrets out of exchanges.
#[derive(Clone)]
pub struct Scrub {
    known: Arc<dyn Fn(&str) -> String + Send + Sync>,
}

impl Default for Scrub {
    fn default() -> Self {
        Self::knowing(str::to_owned)
    }
}

impl Scrub {
    /// `known` takes out what is known by heart.
    pub fn knowing(known: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self { known: Arc::new(known) }
    }

    /// An address without signatures in its query and without user information.
    pub fn url(&self, url: &Url) -> Url {
        let mut url = url.clone();
        // Both only fail for addresses that cannot have user information.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        Url::parse(&self.text(url.as_str())).unwrap_or(url)
    }

    /// A text: HTML, a playlist, a script, a form.
    pub fn text(&self, text: &str) -> String {
        let text =
            QUERY.replace_all(text, |found: &Captures<'_>| format!("{}{}={}", &found[1], &found[2], word(&found[3])));
        let pair = |found: &Captures<'_>| format!("{}{}{}{}", &found[1], &found[2], &found[3], word(&found[4]));
        // Last: whoever plays the recording may know other secrets by heart, but finds the same by their names.
        (self.known)(&PAIR.replace_all(&text, pair))
    }

    /// The body of a request: JSON, a form, or another text.
    pub fn body(&self, text: &str) -> String {
        if let Ok(mut value) = serde_json::from_str::<Value>(text) {
            self.json(&mut value);
            return value.to_string();
        }
        let form =
            FORM.replace_all(text, |found: &Captures<'_>| format!("{}{}={}", &found[1], &found[2], word(&found[3])));
        self.text(&form)
    }

    /// JSON, strings within it included.
    pub fn json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.json(value)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value {
                        // Short names (`e`, `s`, `h`) are secrets in queries only.
                        Value::String(text) if name.len() > 3 && NAME.is_match(name) => *text = word(text),
                        value => self.json(value),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Headers: those that say nothing about who asks as they are; of cookies the names; of all others that they were there.
    pub fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let scrubbed = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
            let text = value.to_str().unwrap_or(MASK);
            let value = match name.as_str() {
                open if OPEN.contains(&open) => self.text(text),
                "location" | "referer" => {
                    Url::parse(text).map_or_else(|_| MASK.to_owned(), |url| self.url(&url).into())
                }
                "set-cookie" => match text.split_once('=') {
                    Some((cookie, _)) => format!("{cookie}={MASK}"),
                    None => MASK.to_owned(),
                },
                _ => MASK.to_owned(),
            };
            (name.as_str().to_owned(), value)
        };
        headers.iter().map(scrubbed).collect()
    }
}

/// The word that stands for a secret: always the same for the same one, and of no use to get it back.
fn word(secret: &str) -> String {
    if secret.is_empty() || secret.starts_with(WORD) || secret.contains("masked]") {
        return secret.to_owned();
    }
    let digest = hex::encode(Sha256::digest(secret));
    format!("{WORD}{}", digest.get(..6).unwrap_or_default())
}
