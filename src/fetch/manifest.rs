//! Loading manifests: HLS playlists and DASH descriptions.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use url::Url;

use crate::{
    model::{Error, Kind, Result},
    net::{self, Client},
};

/// Larger than a playlist of a whole day in segments of two seconds with signed addresses.
pub(super) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A manifest.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// What it says.
    pub text: String,
    /// Where it came from, redirects followed: addresses in it are relative to this.
    pub url: Url,
}

/// Loads a manifest. `headers`: what its host wants.
///
/// # Errors
/// `platform_changed` when it is refused, gone (that says nothing about the post, which was read before) or no text;
/// otherwise as for any request.
pub async fn load(client: &Client, url: &Url, headers: &BTreeMap<String, String>) -> Result<Manifest> {
    let load = async {
        let request = headers.iter().fold(client.get(url)?, |request, (name, value)| request.header(name, value));
        let response = net::check_status(client.send(request).await?).map_err(|error| match error.kind() {
            Kind::NotFound | Kind::LoginRequired => {
                Error::platform_changed(format!("no manifest: {}", error.operator_text()))
            }
            _ => error,
        })?;
        let url = response.url().clone();
        let body = net::read_body(response, MAX_BYTES).await?;
        Ok(Manifest { text: text(body)?, url })
    };
    let late = |_| Error::new(Kind::Timeout, format!("no manifest within {TIMEOUT:?}"));
    tokio::time::timeout(TIMEOUT, load).await.map_err(late)?
}

/// The text that a manifest's bytes are.
///
/// # Errors
/// `platform_changed` when they are none.
pub(super) fn text(body: Bytes) -> Result<String> {
    String::from_utf8(body.into()).map_err(|_| Error::platform_changed("a manifest that is no text"))
}
