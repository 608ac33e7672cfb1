//! Takes secrets out of text before it reaches a log, an error or a reply.

use std::sync::LazyLock;

use regex::Regex;
use url::Url;

// Each pattern is a constant that a test compiles, so building it cannot fail at run time.
static URL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)\b(https?)://(?:[^\s/@'"<>]*@)?([^\s/?#'"<>\\]+)([^\s'"<>\\]*)"#));
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)\b(authorization|proxy-authorization|cookie|set-cookie|x-guest-token|x-csrf-token)(\W{1,4})[^\r\n]*")
});
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)\b(sessionid|csrftoken|auth_token|ct0|access_token|refresh_token|client_secret|password|passwd|token|sig|signature|sid)(["']?\s*[=:]\s*["']?)[^\s&;,"']+"#,
    )
});
static DISCORD_TOKEN: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\b[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}\b"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
}

/// Masks secrets in free text: URLs keep scheme and host only (signatures hide in paths as well as in queries), header
/// lines, `key=value` pairs with telling names and Discord tokens lose their values.
pub fn text(input: &str) -> String {
    let step = URL.replace_all(input, |c: &regex::Captures| {
        let rest = &c[3];
        format!("{}://{}{}", &c[1], &c[2], if rest.is_empty() || rest == "/" { rest } else { "/…" })
    });
    let step = HEADER.replace_all(&step, "$1$2[masked]");
    let step = PAIR.replace_all(&step, "$1$2[masked]");
    DISCORD_TOKEN.replace_all(&step, "[masked]").into_owned()
}

/// A page link fit for a log: without scheme (so that [`text`] lets it pass), user information, query and fragment, but
/// with the parameters that only name what is looked at (`v`, `list`). Not for media links, whose paths may be signed: give those to [`text`].
pub fn link(url: &Url) -> String {
    let is_id =
        |value: &str| value.len() <= 64 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let named: Vec<String> = url
        .query_pairs()
        .filter(|(name, value)| matches!(name.as_ref(), "v" | "list") && is_id(value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let query = if named.is_empty() { String::new() } else { format!("?{}", named.join("&")) };
    format!("{host}{port}{}{query}", url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_their_host_only() {
        assert_eq!(
            text("GET 'https://user:pw@cdn.example:8443/v/abc.mp4?sig=1#x' failed, see https://example.org/"),
            "GET 'https://cdn.example:8443/…' failed, see https://example.org/"
        );
    }

    #[test]
    fn tokens_cookies_and_pairs_are_masked() {
        let fake = format!("{}.{}.{}", "M".repeat(24), "G".repeat(6), "x".repeat(38));
        let masked = text(&format!("Cookie: sessionid=abc; a=b\nauth_token=deadbeef {fake} csrftoken=\"zz\""));
        for secret in ["abc", "deadbeef", "zz", fake.as_str()] {
            assert!(!masked.contains(secret), "{secret} in {masked}");
        }
    }

    #[test]
    fn links_lose_query_and_credentials() {
        let url = Url::parse("https://u:p@x.com/a/status/1?s=20#f").unwrap();
        assert_eq!(link(&url), "x.com/a/status/1");
        assert_eq!(text(&link(&url)), link(&url));
        let url = Url::parse("https://youtube.com/watch?si=secret&v=abc_-1&v=<b>").unwrap();
        assert_eq!(link(&url), "youtube.com/watch?v=abc_-1");
    }
}
