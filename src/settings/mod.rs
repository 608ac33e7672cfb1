//! Every setting, where it came from, and whether it makes sense.
//!
//! Later sources win: built-in defaults, `config/default.toml`, `config/local.toml` or `--config`, `.env`, environment.

mod schema;

pub use schema::{
    Compression, Discord, Downloads, GalleryDl, Log, Network, PlatformSettings, Settings, ToolsSettings, Upload,
};
