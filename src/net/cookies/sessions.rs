//! Which cookies belong to which platform, read anew whenever their file changes, and how the sessions in them fare.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::Metadata,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use super::{Jar, Session};
use crate::{
    model::{Error, Kind, Result},
    net::Client,
    settings::Settings,
};

/// A larger file is no cookies file.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// From when on an end that is near is pointed out.
const SOON: TimeDelta = TimeDelta::days(3);

/// Whose cookies are meant.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The platform's short name.
    pub platform: &'a str,
    /// The names it owns: cookies of others are none of its business.
    pub domains: &'a [&'a str],
    /// The cookies that a session stands or falls with, where that is known.
    pub login: &'a [&'a str],
    /// For platforms that are on any host: the link that is asked for, whose host alone counts then.
    pub link: Option<&'a Url>,
}

/// What a tool is to sign in with.
#[derive(Debug, Clone, Default)]
pub struct ToolCookies {
    /// A cookies file with the platform's own cookies alone.
    pub file: Option<SecretString>,
    /// A browser to take them from.
    pub browser: Option<String>,
}

/// How a session fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum SessionState {
    /// There are cookies, and nothing speaks against them.
    Good,
    /// They end soon.
    EndsSoon {
        /// When.
        at: DateTime<Utc>,
    },
    /// Their time is over.
    Expired {
        /// Since when.
        at: DateTime<Utc>,
    },
    /// The platform asked for a login although it was sent.
    Refused {
        /// When it did first.
        at: DateTime<Utc>,
    },
    /// The file cannot be read.
    Unreadable,
    /// A browser's, which only the tools look into.
    Browser,
}

impl SessionState {
    /// Whether the operator should sign in again.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Expired { .. } | Self::Refused { .. })
    }
}

/// The operator's sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    all: Source,
    own: BTreeMap<String, Source>,
    files: Mutex<HashMap<PathBuf, Read>>,
    /// By platform: which version of its file was refused, and when.
    refused: Mutex<BTreeMap<String, (String, DateTime<Utc>)>>,
    /// Platforms and versions of files that were complained about.
    said: Mutex<BTreeSet<(String, String)>>,
}

/// Where cookies come from.
#[derive(Default)]
struct Source {
    file: Option<PathBuf>,
    browser: Option<String>,
}

/// A file as it was read.
#[derive(Clone)]
struct Read {
    version: String,
    jar: Arc<Jar>,
}

impl Sessions {
    /// Knows where cookies lie; reads none before they are asked for.
    pub fn new(settings: &Settings) -> Self {
        let own = settings.platforms.iter().map(|(platform, settings)| {
            let source = Source { file: settings.cookies_file.clone(), browser: settings.cookies_from_browser.clone() };
            (platform.clone(), source)
        });
        let tools = &settings.gallery_dl;
        let all = Source {
            file: settings.network.cookies_file.clone().or_else(|| tools.cookies_file.clone()),
            browser: tools.cookies_from_browser.clone(),
        };
        let own = own.filter(|(_, source)| source.file.is_some() || source.browser.is_some()).collect();
        let inner = Inner { all, own, files: Mutex::default(), refused: Mutex::default(), said: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Every cookies file there is, with the platform whose own it is.
    pub fn files(&self) -> Vec<(Option<&str>, &Path)> {
        let own = self.inner.own.iter().filter_map(|(id, source)| Some((Some(id.as_str()), source.file.as_deref()?)));
        self.inner.all.file.iter().map(|file| (None, file.as_path())).chain(own).collect()
    }

    /// The client that is signed in on this platform, if there are cookies for it that hold still.
    pub fn session(&self, client: &Client, scope: Scope<'_>) -> Option<Session> {
        let read = self.read(scope).ok().flatten()?;
        let jar = read.jar.within(scope);
        self.warn_of_the_end(scope, &jar, &read.version);
        jar.holds_at(Utc::now()).then(|| Session::new(client, Arc::new(jar)))
    }

    /// What tells the session on this platform from another one, if there is one. No secret.
    pub fn version(&self, scope: Scope<'_>) -> Option<String> {
        let read = self.read(scope).ok().flatten()?;
        read.jar.within(scope).holds_at(Utc::now()).then_some(read.version)
    }

    /// What a tool is to sign in with on this platform, if anything.
    ///
    /// # Errors
    /// When the file cannot be read: silently being nobody would look like the platform's fault.
    pub fn for_tool(&self, scope: Scope<'_>) -> Result<Option<ToolCookies>> {
        let browser = self.browser(scope.platform).map(str::to_owned);
        let file = self.read(scope)?.and_then(|read| {
            let jar = read.jar.within(scope);
            self.warn_of_the_end(scope, &jar, &read.version);
            jar.holds_at(Utc::now()).then(|| jar.to_netscape())
        });
        Ok((file.is_some() || browser.is_some()).then_some(ToolCookies { file, browser }))
    }

    /// Whether the platform is asked with the operator's cookies.
    pub fn is_signed_in(&self, scope: Scope<'_>) -> bool {
        self.browser(scope.platform).is_some()
            || self.read(scope).ok().flatten().is_some_and(|read| read.jar.within(scope).holds_at(Utc::now()))
    }

    /// Notes what a platform answered to somebody who was signed in. `error`: why it gave nothing, if it did not.
    pub fn note(&self, scope: Scope<'_>, error: Option<&Error>) {
        let Ok(Some(read)) = self.read(scope) else { return };
        match error.map(Error::kind) {
            None => {
                self.refused().remove(scope.platform);
            }
            Some(Kind::LoginRequired) => {
                let now = Utc::now();
                let mut refused = self.refused();
                let known = refused.get(scope.platform).is_some_and(|(version, _)| *version == read.version);
                if !known {
                    refused.insert(scope.platform.to_owned(), (read.version.clone(), now));
                    drop(refused);
                    self.say(scope.platform, &read.version, "the platform asks for a login although cookies were sent");
                }
            }
            // Says nothing about the session.
            Some(_) => {}
        }
    }

    /// How the session on a platform fares. `None`: there is none.
    pub fn state(&self, scope: Scope<'_>, now: DateTime<Utc>) -> Option<SessionState> {
        let read = match self.read(scope) {
            Ok(Some(read)) => read,
            Ok(None) => return self.browser(scope.platform).map(|_| SessionState::Browser),
            Err(_) => return Some(SessionState::Unreadable),
        };
        let jar = read.jar.within(scope);
        if jar.is_empty() {
            return self.browser(scope.platform).map(|_| SessionState::Browser);
        }
        let refused =
            self.refused().get(scope.platform).filter(|(version, _)| *version == read.version).map(|(_, at)| *at);
        Some(match (jar.ends(scope.login), refused) {
            (Some(at), _) if at <= now => SessionState::Expired { at },
            (_, Some(at)) => SessionState::Refused { at },
            (Some(at), None) if at - SOON <= now => SessionState::EndsSoon { at },
            _ => SessionState::Good,
        })
    }

    fn browser(&self, platform: &str) -> Option<&str> {
        let own = self.inner.own.get(platform);
        // Its own file says that it is not the browser's.
        if let Some(own) = own {
            return own.browser.as_deref();
        }
        self.inner.all.browser.as_deref()
    }

    /// The cookies file for a platform as it is now.
    fn read(&self, scope: Scope<'_>) -> Result<Option<Read>> {
        let own = self.inner.own.get(scope.platform);
        let file = match own {
            Some(own) => own.file.as_ref(),
            None => self.inner.all.file.as_ref(),
        };
        let Some(file) = file else { return Ok(None) };
        let failed = |error: std::io::Error| {
            Error::internal(format!("the cookies file {} cannot be read: {error}", file.display()))
        };
        let metadata = file.metadata().map_err(failed)?;
        let version = version(&metadata);
        if let Some(read) = self.known().get(file)
            && read.version == version
        {
            return Ok(Some(read.clone()));
        }
        if metadata.len() > MAX_FILE {
            return Err(Error::internal(format!("the cookies file {} is too large to be one", file.display())));
        }
        let jar = Arc::new(Jar::read(file)?);
        if metadata.permissions().mode() & 0o044 != 0 {
            tracing::warn!(file = %file.display(), "other users of this machine can read the cookies: chmod 600");
        }
        tracing::info!(file = %file.display(), cookies = jar.len(), "cookies read");
        let read = Read { version, jar };
        self.known().insert(file.clone(), read.clone());
        Ok(Some(read))
    }

    fn warn_of_the_end(&self, scope: Scope<'_>, jar: &Jar, version: &str) {
        if jar.ends(scope.login).is_some_and(|at| at <= Utc::now()) {
            self.say(scope.platform, version, "its cookies have expired");
        }
    }

    /// Once for each version of the file.
    fn say(&self, platform: &str, version: &str, what: &str) {
        let mut said = self.inner.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert((platform.to_owned(), version.to_owned())) {
            tracing::warn!(platform, "the session is over: {what}; sign in again and export the cookies anew");
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<PathBuf, Read>> {
        self.inner.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> MutexGuard<'_, BTreeMap<String, (String, DateTime<Utc>)>> {
        self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells one state of a file from the next.
pub fn version(metadata: &Metadata) -> String {
    format!("{}.{}.{}.{}", metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}
