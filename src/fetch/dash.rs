//! DASH streams.

use std::path::Path;

use super::engine::Lane;
use crate::model::{Error, Rendition, Result};

/// Loads a DASH rendition into `path`.
///
/// # Errors
/// As for files.
pub(super) async fn load(_lane: &Lane<'_>, _rendition: &Rendition, _path: &Path) -> Result<()> {
    Err(Error::platform_changed("DASH cannot be loaded in process"))
}
