//! The one table of settings: name, place in TOML, default, meaning, and how its text becomes a value. The loader reads it,
//! and `.env.example`, `config/default.toml` and `docs/configuration.md` are written from it. A file here holds what belongs
//! together; [`SECTIONS`] says in which order the documents tell it.

use std::sync::LazyLock;

use super::{parse::Parsed, resilience, schema::Settings};

mod delivery;
mod downloads;
mod network;
mod platforms;
mod program;

pub(super) use platforms::{COOKIES_FILE, COOKIES_FROM_BROWSER, USE_API_CLIENT};
pub use platforms::{PLATFORM_SPECS, PlatformSettingsOf, PlatformSpec, platforms};

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name in the environment and in `.env`.
    pub name: &'static str,
    /// Its place in TOML: `section.key`.
    pub path: &'static str,
    /// Its value when nobody sets it. `None`: unset.
    pub default: Option<&'static str>,
    /// A value to show where there is no default.
    pub example: &'static str,
    /// What kind of value it takes, in a word or two.
    pub takes: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it does, in plain sentences.
    pub doc: &'static str,
    /// Whether TOML spells it without quotes (numbers and booleans).
    pub bare: bool,
    /// Puts the parsed text in its place.
    pub(super) apply: fn(&mut Settings, &str) -> Parsed<()>,
}

const PLAIN: Spec = Spec {
    name: "",
    path: "",
    default: None,
    example: "",
    takes: "text",
    secret: false,
    doc: "",
    bare: false,
    apply: |_, _| Ok(()),
};

const SWITCH: Spec = Spec { takes: "true or false", bare: true, ..PLAIN };
pub(super) const NUMBER: Spec = Spec { takes: "number", bare: true, ..PLAIN };
const SIZE: Spec = Spec { takes: "size in MB", ..NUMBER };
const FILE: Spec = Spec { takes: "file", ..PLAIN };

/// The sections of the TOML file with what they are about, in the order of the documents.
pub const SECTIONS: &[(&str, &str)] = &[
    ("discord", "Discord"),
    ("downloads", "Downloading"),
    ("gallery_dl", "gallery-dl and yt-dlp"),
    ("compression", "Making files fit the upload limit"),
    ("upload", "Sending"),
    ("store", "Links to what is too large to be sent"),
    ("s3", "A store that several machines share"),
    ("network", "The network"),
    ("cache", "Remembered answers"),
    ("resilience", "Timeouts, retries, breakers and rates"),
    ("tools", "External programs and kept data"),
    ("database", "The database of jobs"),
    ("log", "Logging"),
];

/// Every setting apart from those of the platforms, in the order of [`SECTIONS`].
pub static SPECS: LazyLock<Vec<Spec>> = LazyLock::new(|| {
    let mut specs = [program::SPECS, downloads::SPECS, delivery::SPECS, network::SPECS, resilience::SPECS].concat();
    specs.sort_by_key(|spec| SECTIONS.iter().position(|(section, _)| spec.path.split('.').next() == Some(section)));
    specs
});
