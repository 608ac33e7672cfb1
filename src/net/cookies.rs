//! Cookies of the operator's sessions, from Netscape files: read only, sent only where their own domain is asked.

mod sessions;

use std::{
    fmt,
    fmt::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use sessions::{Scope, SessionState, Sessions, ToolCookies, version};

use super::Client;
use crate::model::{Error, Result};

/// The cookies of one file.
#[derive(Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
}

/// One line of the file.
#[derive(Clone)]
struct Cookie {
    /// Lower case, without a leading dot.
    domain: String,
    /// Whether hosts below the domain get it, too.
    below: bool,
    path: String,
    secure: bool,
    /// Whether scripts on the page may not see it.
    http_only: bool,
    expires: Option<DateTime<Utc>>,
    name: String,
    value: SecretString,
}

impl fmt::Debug for Jar {
    /// Never a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jar({} cookies)", self.cookies.len())
    }
}

impl Jar {
    /// Reads a Netscape cookie file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::internal(format!("the cookies file {} cannot be read: {error}", path.display())))?;
        Ok(Self::parse(&text))
    }

    /// Reads what such a file holds: `domain, below, path, secure, expires, name, value`, separated by tabs. Lines that
    /// are none are skipped.
    pub fn parse(text: &str) -> Self {
        Self { cookies: text.lines().filter_map(cookie).collect() }
    }

    /// What `Cookie` header a request to this address gets, if any.
    pub fn header_for(&self, url: &Url, now: DateTime<Utc>) -> Option<String> {
        let pairs: Vec<String> =
            self.for_url(url, now).map(|cookie| format!("{}={}", cookie.name, cookie.value.expose_secret())).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// One cookie as a request to this address would carry it.
    pub fn get(&self, url: &Url, name: &str, now: DateTime<Utc>) -> Option<&SecretString> {
        self.for_url(url, now).find(|cookie| cookie.name == name).map(|cookie| &cookie.value)
    }

    /// Those that belong to a platform, or to the host of a link where a platform is on any host.
    pub fn within(&self, scope: Scope<'_>) -> Self {
        let host = scope.link.filter(|_| scope.domains.is_empty()).and_then(Url::domain);
        let cookies = self.cookies.iter().filter(|cookie| {
            scope.domains.iter().any(|domain| is_below(&cookie.domain, domain))
                || host.is_some_and(|host| host == cookie.domain || (cookie.below && is_below(host, &cookie.domain)))
        });
        Self { cookies: cookies.cloned().collect() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cookies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// Whether any of them would be sent at this time.
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.cookies.iter().any(|cookie| cookie.holds_at(now))
    }

    /// When the session in them ends. `login`: the cookies it stands or falls with, of which one is enough; where that is
    /// not known it lasts as long as any cookie that has an end. `None`: no end is told.
    pub fn ends(&self, login: &[&str]) -> Option<DateTime<Utc>> {
        let of_login = |cookie: &&Cookie| login.contains(&cookie.name.as_str());
        let known = self.cookies.iter().any(|cookie| of_login(&cookie));
        let of_session = self.cookies.iter().filter(|cookie| !known || of_login(cookie));
        // One of the login that ends with the browser never ends here.
        let ends: Vec<Option<DateTime<Utc>>> = of_session.map(|cookie| cookie.expires).collect();
        if known && ends.contains(&None) { None } else { ends.into_iter().flatten().max() }
    }

    /// The same as a Netscape file: for tools, which read nothing else.
    pub fn to_netscape(&self) -> SecretString {
        let mut text = "# Netscape HTTP Cookie File\n".to_owned();
        for cookie in &self.cookies {
            let prefix = if cookie.http_only { "#HttpOnly_" } else { "" };
            let dot = if cookie.below { "." } else { "" };
            let flag = |on: bool| if on { "TRUE" } else { "FALSE" };
            let expires = cookie.expires.map_or(0, |at| at.timestamp());
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{prefix}{dot}{}\t{}\t{}\t{}\t{expires}\t{}\t{}",
                cookie.domain,
                flag(cookie.below),
                cookie.path,
                flag(cookie.secure),
                cookie.name,
                cookie.value.expose_secret()
            );
        }
        text.into()
    }

    fn for_url<'a, 'u>(&'a self, url: &'u Url, now: DateTime<Utc>) -> impl Iterator<Item = &'a Cookie> + use<'a, 'u> {
        let host = url.domain().unwrap_or_default().trim_end_matches('.');
        self.cookies.iter().filter(move |cookie| {
            let below = host.strip_suffix(cookie.domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
            (host == cookie.domain || (cookie.below && below))
                && (!cookie.secure || url.scheme() == "https")
                && path_matches(url.path(), &cookie.path)
                && cookie.holds_at(now)
        })
    }
}

impl Cookie {
    fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// Whether a name is a domain or below it.
fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// RFC 6265, 5.1.4.
fn path_matches(path: &str, of_cookie: &str) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|rest| of_cookie.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

fn cookie(line: &str) -> Option<Cookie> {
    let (line, http_only) = line.strip_prefix("#HttpOnly_").map_or((line, false), |line| (line, true));
    if line.starts_with('#') {
        return None;
    }
    let mut parts = line.trim_end_matches(['\r', '\n']).split('\t');
    let mut next = || parts.next();
    let (domain, below, path, secure, expires, name, value) =
        (next()?, next()?, next()?, next()?, next()?, next()?, next()?);
    let domain = domain.trim().to_ascii_lowercase();
    let expires = expires.trim().parse::<f64>().ok().filter(|at| *at > 0.0);
    Some(Cookie {
        below: below.eq_ignore_ascii_case("TRUE") || domain.starts_with('.'),
        domain: domain.trim_start_matches('.').to_owned(),
        path: if path.starts_with('/') { path.to_owned() } else { "/".to_owned() },
        http_only,
        secure: secure.eq_ignore_ascii_case("TRUE"),
        expires: expires.and_then(|at| DateTime::from_timestamp(at as i64, 0)),
        name: name.to_owned(),
        value: SecretString::from(value),
    })
}

/// Cookies that a client sends, and whether it has.
#[derive(Clone)]
pub(super) struct Attached {
    jar: Arc<Jar>,
    sent: Arc<AtomicBool>,
}

impl Attached {
    /// The `Cookie` header of a request to this address, if it gets one. From then on they count as sent.
    pub(super) fn header_for(&self, url: &Url) -> Option<String> {
        let header = self.jar.header_for(url, Utc::now())?;
        self.sent.store(true, Relaxed);
        Some(header)
    }
}

/// The operator's session on one platform: a client that carries its cookies, to their own domains only.
#[derive(Clone)]
pub struct Session {
    client: Client,
    jar: Arc<Jar>,
    sent: Arc<AtomicBool>,
}

impl Session {
    /// Signs a client in.
    pub fn new(client: &Client, jar: Arc<Jar>) -> Self {
        let sent = Arc::new(AtomicBool::new(false));
        let client = client.with_cookies(Attached { jar: jar.clone(), sent: sent.clone() });
        Self { client, jar, sent }
    }

    /// The client that carries the cookies.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// One cookie as a request to this address would carry it: some platforms want it repeated in a header.
    pub fn cookie(&self, url: &Url, name: &str) -> Option<SecretString> {
        self.jar.get(url, name, Utc::now()).cloned()
    }

    /// Whether any request carried a cookie. Extractors may ask signed out although there is a session.
    pub fn was_used(&self) -> bool {
        self.sent.load(Relaxed)
    }
}

#[cfg(test)]
mod tests;
