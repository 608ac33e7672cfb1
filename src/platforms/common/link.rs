//! Reading links: what people paste ([`parse_link`]), and the parts of a link that routing looks at ([`Link`]).

use url::{Host, Url};

use crate::model::{Error, Kind, Result};

/// Longer than any link worth following; longer ones are refused unread.
const MAX_LINK: usize = 4096;

/// Reads a link as people paste it: spaces around it, Discord's `<…>` and `||…||`, and a missing `https://` are
/// forgiven.
///
/// # Errors
/// `unsupported_url` for anything else than one http or https link without user information, with a detail saying what
/// is wrong.
pub fn parse_link(text: &str) -> Result<Url> {
    let text = unwrap(text);
    let refuse =
        |detail: &str| Err(Error::new(Kind::UnsupportedUrl, format!("not a link: {detail}")).with_detail(detail));
    if text.is_empty() {
        return refuse("there is no link");
    }
    if text.len() > MAX_LINK {
        return refuse("the link is too long");
    }
    // The parser would silently drop tabs and line ends inside, and glue two lines into one link.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return refuse("a link has no spaces in it; send one link at a time");
    }
    let url = match scheme(text) {
        Some(scheme) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => Url::parse(text),
        Some(_) => return refuse("only http and https links work"),
        None if looks_like_host(text) => Url::parse(&format!("https://{text}")),
        None => return refuse("that is not a link"),
    };
    let Ok(url) = url else { return refuse("the link is misspelt") };
    if has_credentials(&url) {
        return refuse("a link with a user name or password in it is not accepted");
    }
    if url.host_str().is_none_or(|host| host.trim_matches('.').is_empty()) {
        return refuse("the link names no site");
    }
    Ok(url)
}

/// Takes off what Discord and people put around links.
fn unwrap(text: &str) -> &str {
    let mut text = text.trim();
    for (open, close) in [("||", "||"), ("<", ">"), ("`", "`")] {
        if let Some(inner) = text.strip_prefix(open).and_then(|t| t.strip_suffix(close)) {
            text = inner.trim();
        }
    }
    text
}

/// The scheme, if there is one; `host:port` has none.
fn scheme(text: &str) -> Option<&str> {
    let (before, after) = text.split_once(':')?;
    let mut chars = before.chars();
    let valid = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let port = after.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    (valid && !host_and_port).then_some(before)
}

/// Whether text without a scheme starts with a host name that has a dot in it.
fn looks_like_host(text: &str) -> bool {
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    host.contains('.')
        && !host.starts_with(['.', '-'])
        && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') || !c.is_ascii())
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Whether any platform may look at the link: http(s), a host, no user information (what stands before an `@` is there
/// to look like a host).
pub fn is_routable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host().is_some() && !has_credentials(url)
}

/// A link taken apart for routing. Exists only for links with a host name and the scheme's own port: an address or an
/// odd port is never a known platform's.
#[derive(Debug)]
pub struct Link<'a> {
    url: &'a Url,
    host: &'a str,
    segments: Vec<&'a str>,
}

impl<'a> Link<'a> {
    /// Takes a link apart.
    pub fn of(url: &'a Url) -> Option<Self> {
        // `port()` is None for the scheme's own port, `domain()` is lower case and punycode.
        if !is_routable(url) || url.port().is_some() || !matches!(url.host(), Some(Host::Domain(_))) {
            return None;
        }
        let domain = url.domain()?;
        let host = domain.strip_suffix('.').unwrap_or(domain);
        let segments = url.path_segments().map(|s| s.filter(|s| !s.is_empty()).collect()).unwrap_or_default();
        Some(Self { url, host, segments })
    }

    /// The host: lower case, without the root's trailing dot.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The parts of the path that are not empty, still percent-encoded.
    pub fn segments(&self) -> &[&'a str] {
        &self.segments
    }

    /// The first value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// Whether `text` is made of ASCII letters, digits and `extra`, and has one of these lengths.
pub fn is_word(text: &str, extra: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

/// Builds a canonical link from a constant start and parts that were checked to be plain. `None` cannot happen for
/// those; it keeps routing free of panics.
pub fn canonical(start: &str, rest: &str) -> Option<Url> {
    Url::parse(&format!("{start}{rest}")).ok()
}

/// Names of query parameters that only say where a link was shared.
pub fn is_tracking(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("utm_")
        || matches!(
            name.as_str(),
            "fbclid" | "gclid" | "dclid" | "msclkid" | "yclid" | "igsh" | "igshid" | "mc_cid" | "mc_eid" | "twclid"
        )
}

/// The link without fragment and without parameters that only track. Leaves other links byte for byte as they are:
/// signatures in queries depend on it.
pub fn without_tracking(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    if let Some(query) = url.query() {
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        if query.split('&').any(|pair| is_tracking(&name(pair))) {
            let kept: Vec<&str> = query.split('&').filter(|pair| !is_tracking(&name(pair))).collect();
            let kept = kept.join("&");
            url.set_query((!kept.is_empty()).then_some(kept.as_str()));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_becomes_a_link() {
        for (pasted, link) in [
            ("https://x.com/a/status/1", "https://x.com/a/status/1"),
            ("  https://x.com/a/status/1 \n", "https://x.com/a/status/1"),
            ("<https://x.com/a/status/1>", "https://x.com/a/status/1"),
            ("||https://x.com/a/status/1||", "https://x.com/a/status/1"),
            ("|| <https://x.com/a> ||", "https://x.com/a"),
            ("`https://x.com/a`", "https://x.com/a"),
            ("x.com/a/status/1", "https://x.com/a/status/1"),
            ("www.youtube.com/watch?v=dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
            ("youtu.be", "https://youtu.be/"),
            ("HTTPS://X.COM/A", "https://x.com/A"),
            ("http://example.org/a.mp4", "http://example.org/a.mp4"),
            ("example.org:8443/a.mp4", "https://example.org:8443/a.mp4"),
            ("example.org?a=b:c", "https://example.org/?a=b:c"),
            ("127.0.0.1/x", "https://127.0.0.1/x"),
            ("bücher.example/a", "https://xn--bcher-kva.example/a"),
            ("https://x.com./a", "https://x.com./a"),
        ] {
            assert_eq!(parse_link(pasted).map(String::from), Ok(link.to_owned()), "{pasted}");
        }
    }

    #[test]
    fn what_is_no_web_link_is_refused_with_the_reason() {
        for (pasted, detail) in [
            ("", "no link"),
            ("   ", "no link"),
            ("<>", "no link"),
            ("hello", "not a link"),
            ("--exec=touch", "not a link"),
            ("-o.example/x", "not a link"),
            (".example/x", "not a link"),
            ("/etc/passwd", "not a link"),
            ("ftp://example.org/a.mp4", "only http"),
            ("file:///etc/passwd", "only http"),
            ("javascript:alert(1)", "only http"),
            ("data:text/html,x", "only http"),
            ("ytsearch5:cats", "only http"),
            ("oauth:reddit", "only http"),
            ("r:https://x.com/a", "only http"),
            ("ytdl:https://x.com/a", "only http"),
            ("https://user@x.com/a", "user name"),
            ("https://user:pw@x.com/a", "user name"),
            ("https://user@x.com@evil/", "user name"),
            ("https://x.com@evil.example/a/status/1", "user name"),
            ("x.com@evil.example/a", "not a link"),
            ("https://", "misspelt"),
            ("https://exa mple.org/", "no spaces"),
            ("https://x.com/a\nhttps://x.com/b", "no spaces"),
            ("https://x.com/a\u{0}b", "no spaces"),
            ("https://[::1/x", "misspelt"),
            ("https://x.com:99999/a", "misspelt"),
            ("https://./a", "no site"),
        ] {
            let error = parse_link(pasted).expect_err(pasted);
            assert_eq!(error.code(), "unsupported_url", "{pasted}");
            assert!(error.user_text().contains(detail), "{pasted}: {}", error.user_text());
        }
        assert!(parse_link(&format!("https://x.com/{}", "a".repeat(5000))).is_err());
    }

    #[test]
    fn only_tracking_parameters_are_dropped() {
        for (from, to) in [
            ("https://a.example/v?utm_source=x&id=3&fbclid=9#t", "https://a.example/v?id=3"),
            ("https://a.example/v?utm_source=x", "https://a.example/v"),
            ("https://a.example/v.jpg?w=1&s=ab%2Bc", "https://a.example/v.jpg?w=1&s=ab%2Bc"),
            ("https://a.example/v?", "https://a.example/v?"),
        ] {
            assert_eq!(without_tracking(&Url::parse(from).unwrap()).as_str(), to);
        }
    }
}
