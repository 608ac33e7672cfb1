//! DASH streams: a manifest into pieces, pieces into one file.

use std::path::Path;

use super::{engine::Lane, mpd, stream};
use crate::model::{Error, Rendition, Result};

/// Loads a DASH rendition into `path`: the representation of the manifest at its address that `format_id` names.
///
/// # Errors
/// As for files; `live` when the stream is still running; `platform_changed` when the manifest has no such representation,
/// it is protected, or a segment is missing.
pub(super) async fn load(lane: &Lane<'_>, rendition: &Rendition, path: &Path) -> Result<()> {
    let url = rendition.url.as_ref().ok_or_else(|| Error::internal("a rendition without an address"))?;
    let manifest = stream::manifest(lane, url, &rendition.headers).await?;
    let description = mpd::parse(&manifest.text, &manifest.url)?;
    let streams = description.streams()?;
    let wanted = streams.iter().find(|stream| stream.representation.id == rendition.format_id);
    let wanted = wanted.ok_or_else(|| Error::platform_changed("a DASH manifest without the stream it had before"))?;
    stream::load(lane, rendition, wanted.pieces()?, path).await
}
