//! Cookies of the operator's sessions, from Netscape files: read only, sent only where their own domain is asked.

use std::{fmt, path::Path, sync::Arc};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Client;
use crate::model::{Error, Result};

/// The cookies of one file.
#[derive(Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
}

/// One line of the file.
struct Cookie {
    /// Lower case, without a leading dot.
    domain: String,
    /// Whether hosts below the domain get it, too.
    below: bool,
    path: String,
    secure: bool,
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

    fn for_url<'a, 'u>(&'a self, url: &'u Url, now: DateTime<Utc>) -> impl Iterator<Item = &'a Cookie> + use<'a, 'u> {
        let host = url.domain().unwrap_or_default().trim_end_matches('.');
        self.cookies.iter().filter(move |cookie| {
            let below = host.strip_suffix(cookie.domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
            (host == cookie.domain || (cookie.below && below))
                && (!cookie.secure || url.scheme() == "https")
                && path_matches(url.path(), &cookie.path)
                && cookie.expires.is_none_or(|expires| expires > now)
        })
    }
}

/// RFC 6265, 5.1.4.
fn path_matches(path: &str, of_cookie: &str) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|rest| of_cookie.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

fn cookie(line: &str) -> Option<Cookie> {
    let line = line.strip_prefix("#HttpOnly_").unwrap_or(line);
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
        secure: secure.eq_ignore_ascii_case("TRUE"),
        expires: expires.and_then(|at| DateTime::from_timestamp(at as i64, 0)),
        name: name.to_owned(),
        value: SecretString::from(value),
    })
}

/// The operator's session on one platform: a client that carries its cookies, to their own domains only.
#[derive(Clone)]
pub struct Session {
    client: Client,
    jar: Arc<Jar>,
}

impl Session {
    /// Signs a client in.
    pub fn new(client: &Client, jar: Arc<Jar>) -> Self {
        Self { client: client.with_cookies(jar.clone()), jar }
    }

    /// The client that carries the cookies.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// One cookie as a request to this address would carry it: some platforms want it repeated in a header.
    pub fn cookie(&self, url: &Url, name: &str) -> Option<SecretString> {
        self.jar.get(url, name, Utc::now()).cloned()
    }
}
