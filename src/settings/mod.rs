//! Every setting, where it came from, and whether it makes sense.
//!
//! Later sources win: built-in defaults (`config/default.toml`), `config/local.toml` or `--config`, `.env`, environment.
//! One table (`table/`) drives the loader and the documents, so that neither can forget a setting.

pub mod documents;
mod load;
mod parse;
mod resilience;
mod schema;
mod sources;
mod table;

pub use load::{Entry, Loaded, Overrides, Problem, SettingsError, load};
pub use resilience::{PLATFORM_KEYS, PlatformKey};
pub use schema::{
    Animations, ArtifactSettings, BucketSettings, CacheSettings, Compression, DatabaseSettings, DatabaseUrl, Discord,
    Downloads, GalleryDl, Hardware, Log, Network, PaceSettings, PlatformSettings, Resilience, Settings, StoreSettings,
    Timeouts, ToolsSettings, Upload, VideoCodec,
};
pub use table::{PLATFORM_SPECS, PlatformSettingsOf, PlatformSpec, SECTIONS, SPECS, Spec, platforms};

/// Reads a size as people type it on a command line or in a message: as the settings spell it, where a bare number counts
/// MB of 1024 × 1024 bytes, but a bare number too large for that (from 10,000 on) counts bytes.
///
/// # Errors
/// What was expected instead.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse::size_or_bytes(text.trim())
}
