//! What both extractors are called with: one run's view of settings, job and sandbox.

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Listing;
use crate::{
    model::{Error, ITEMS_OF_A_LIST, Kind, Options, ResourceKind, Result, Tool},
    platforms::CliTool,
    settings,
};

/// Items of one post: no platform has more in one.
const ITEMS_OF_A_POST: usize = 20;

/// Everything one run of a tool is made from.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// How the platform wants it called.
    pub tool: &'a CliTool,
    /// What is wanted.
    pub options: &'a Options,
    /// Bytes one file may have.
    pub max_bytes: u64,
    /// An upload limit to prefer formats under.
    pub prefer_below: Option<u64>,
    /// How many items may be loaded.
    pub items: usize,
    /// HOME and working directory of the run, gone after it.
    pub home: &'a Path,
    /// Where the files go.
    pub out: &'a Path,
    /// The loopback proxy.
    pub proxy: &'a str,
    /// Roots to trust, if not the tool's own.
    pub ca: Option<&'a Path>,
    /// This run's copy of the cookies.
    pub cookies: Option<&'a Path>,
    /// The browser to take cookies from.
    pub browser: Option<&'a str>,
    /// The operator's settings for both tools.
    pub settings: &'a settings::GalleryDl,
    /// Whether yt-dlp's generic extractor may look at unknown sites.
    pub allow_generic: bool,
    /// The ffmpeg to use.
    pub ffmpeg: Option<&'a Path>,
    /// Only what a list holds is asked for.
    pub listing: Option<&'a Listing>,
}

impl Call<'_> {
    /// Environment both tools get: proxy and roots, also for libraries and children that do not ask the tool.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut env: Vec<(OsString, OsString)> =
            ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
                .into_iter()
                .map(|name| (name.into(), self.proxy.into()))
                .collect();
        // Plugins are Python code of whoever can write to a folder; gallery-dl may start yt-dlp too.
        env.push(("YTDLP_NO_PLUGINS".into(), "1".into()));
        if let Some(ca) = self.ca {
            env.push(("SSL_CERT_FILE".into(), ca.into()));
            env.push(("REQUESTS_CA_BUNDLE".into(), ca.into()));
        }
        env
    }
}

/// How many items of a resource are loaded at the most.
pub(super) fn items(tool: Tool, kind: ResourceKind) -> usize {
    match kind {
        // gallery-dl knows galleries where we know nothing; for yt-dlp a list on an unknown page is endless.
        ResourceKind::Unknown if tool == Tool::GalleryDl => ITEMS_OF_A_LIST,
        ResourceKind::Post | ResourceKind::Story => ITEMS_OF_A_POST,
        ResourceKind::Playlist | ResourceKind::Profile => ITEMS_OF_A_LIST,
        ResourceKind::Video | ResourceKind::File | ResourceKind::ShortLink | ResourceKind::Unknown => 1,
    }
}

/// Only http(s) links reach a tool: both know other schemes, some of which crawl, listen or read local files.
pub(super) fn check_link(url: &Url) -> Result<()> {
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() {
        return Ok(());
    }
    Err(Error::new(Kind::UnsupportedUrl, format!("{} is not a scheme for tools", url.scheme())))
}

/// This run's own copy of the operator's cookies, which the tools rewrite.
pub(super) fn write_cookies(cookies: &SecretString, home: &Path) -> Result<PathBuf> {
    let to = home.join("cookies.txt");
    write_private(&to, cookies.expose_secret().as_bytes())?;
    Ok(to)
}

/// Writes a file only we can read.
pub(super) fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(io::Write::write_all(&mut file, content)?)
}

/// Makes the operator's browser profiles visible under the run's own HOME and XDG_CONFIG_HOME (which is the same folder),
/// and nothing else of the operator's home.
pub(super) fn link_browser_profiles(home: &Path) {
    let Some(real) = std::env::var_os("HOME").map(PathBuf::from) else { return };
    let config = std::env::var_os("XDG_CONFIG_HOME").map_or_else(|| real.join(".config"), PathBuf::from);
    let in_home = [".mozilla", ".var", "snap"].map(|name| (real.join(name), home.join(name)));
    let in_config =
        ["mozilla", "google-chrome", "chromium", "BraveSoftware", "microsoft-edge", "opera", "vivaldi", "librewolf"]
            .map(|name| (config.join(name), home.join(name)));
    for (from, to) in in_home.into_iter().chain(in_config) {
        if from.is_dir()
            && let Err(error) = symlink(&from, &to)
        {
            tracing::warn!(%error, profile = %from.display(), "a browser profile cannot be made visible to the tools");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_web_links_reach_a_tool() {
        for good in ["https://x.com/a/status/1", "http://127.0.0.1:80/"] {
            assert!(check_link(&Url::parse(good).unwrap()).is_ok(), "{good}");
        }
        for bad in
            ["ftp://a/b", "ytsearch5:cats", "oauth:reddit", "r:https://a/", "g:x", "ytdl:https://a/", "file:///a"]
        {
            assert_eq!(check_link(&Url::parse(bad).unwrap()).unwrap_err().code(), "unsupported_url", "{bad}");
        }
    }

    #[test]
    fn the_copy_of_the_cookies_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let copy = write_cookies(&"# Netscape HTTP Cookie File\n".into(), dir.path()).unwrap();
        assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(copy).unwrap(), "# Netscape HTTP Cookie File\n");
    }
}
