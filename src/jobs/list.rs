//! What playlists and channels hold, so that each entry can be a request of its own.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use url::Url;

use super::Jobs;
use crate::{
    model::{Error, Kind, Options, Progress, ResourceKind, Result, Tool},
    net::pace::Pass,
    platforms::{self, CliTool, Routed},
    strategy::Strategy,
    tools::{Listed, Listing, ToolJob},
};

/// How many times longer a list waits for our own pace with its platform than a request does that has other ways.
const PATIENCE: u32 = 3;

/// How a list's entries can be named. `None`: this is no list, or one that yt-dlp is not the tool for.
pub fn lister(routed: &Routed<'_>) -> Option<CliTool> {
    let first = routed.platform.cli(&routed.resource).into_iter().next()?;
    (is_list(routed.resource.kind) && first.tool == Tool::YtDlp).then_some(first)
}

fn is_list(kind: ResourceKind) -> bool {
    matches!(kind, ResourceKind::Playlist | ResourceKind::Profile)
}

impl Jobs {
    /// Names the entries of a list, in its order or from its end. Lists within it, such as the tabs of a channel, are named in
    /// their place.
    ///
    /// # Errors
    /// Of the kind that the platform's answer amounts to; `unsupported_url` when its entries cannot be named.
    pub async fn list(&self, url: &Url, listing: &Listing, cancel: &CancellationToken) -> Result<Vec<Listed>> {
        let strategy = &self.inner.parts.strategy;
        let routed = strategy.route(url)?;
        let unknown = || Error::new(Kind::UnsupportedUrl, "no tool names the entries of this list");
        let call = lister(&routed).ok_or_else(unknown)?;
        let outer = self.named(&routed, &call, listing, cancel).await?;
        let mut entries = Vec::new();
        for entry in outer {
            let left = listing.most.saturating_sub(entries.len());
            if left == 0 {
                break;
            }
            if is_within(strategy, &routed, &entry.url) {
                let (call, listing) = (CliTool { url: entry.url, ..call.clone() }, Listing { most: left, ..*listing });
                entries.extend(self.named(&routed, &call, &listing, cancel).await?.into_iter().take(left));
            } else {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    async fn named(
        &self,
        routed: &Routed<'_>,
        call: &CliTool,
        listing: &Listing,
        cancel: &CancellationToken,
    ) -> Result<Vec<Listed>> {
        let parts = &self.inner.parts;
        let folder = self.inner.workshop()?.folder(&uuid::Uuid::new_v4().simple().to_string())?;
        let dir = folder.sub("list")?;
        let scope = platforms::scope(routed.platform, Some(&routed.resource));
        let sessions = parts.strategy.sessions();
        let cookies = sessions.for_tool(scope)?;
        let options = Options { metadata_only: true, ..Options::default() };
        let job = ToolJob {
            resource: &routed.resource,
            call,
            options: &options,
            max_bytes: parts.settings.downloads.max_file_bytes,
            prefer_below: None,
            cookies: cookies.as_ref(),
            dir: &dir,
            progress: &Progress::ignored(),
            cancel,
        };
        let wait: Duration = parts.settings.resilience.rate_max_wait * PATIENCE;
        let pass = Pass::new(parts.strategy.gate(routed.platform), wait);
        let named = async {
            tokio::select! {
                through = pass.request() => through?,
                () = cancel.cancelled() => return Err(Error::cancelled()),
            }
            parts.tools.list(&job, listing).await
        };
        let named = named.await;
        if let (Some(_), Err(error)) = (&cookies, &named) {
            sessions.note(scope, Some(error));
        }
        named
    }
}

/// Whether an entry is a list of the same platform.
fn is_within(strategy: &Strategy, of: &Routed<'_>, entry: &Url) -> bool {
    let routed = strategy.route(entry);
    routed.is_ok_and(|routed| routed.platform.id() == of.platform.id() && is_list(routed.resource.kind))
}
