//! The in-process path: remembers what the platform said, or asks it, and loads what it named.

use std::{path::PathBuf, sync::atomic::Ordering::Relaxed};

use chrono::Utc;

use super::Work;
use crate::{
    cache::{Cache, Key},
    model::{Kind, MediaMetadata, Result, UploadLimit},
    platforms::{self, Routed},
};

impl Work<'_> {
    /// What the post holds and, unless it is only looked at, its media as loaded.
    pub(super) async fn attempt_api(
        &self,
        routed: &Routed<'_>,
        index: usize,
        limit: Option<UploadLimit>,
    ) -> Result<(MediaMetadata, Vec<PathBuf>)> {
        // An answer to one session is none to another, or to nobody.
        let session =
            self.kit.parts.strategy.sessions().version(platforms::scope(routed.platform, Some(&routed.resource)));
        let key = Key::of(&routed.resource, &self.request.options, session.as_deref());
        let metadata = self.told(routed, key.as_ref(), self.request.options.force).await?;
        if self.request.options.metadata_only {
            return Ok((metadata, Vec::new()));
        }
        match (self.download(routed, &metadata, index, limit).await, key) {
            // An address may die before its time: the platform names another.
            (Err(error), Some(key)) if self.known.load(Relaxed) && may_be_stale(error.kind()) => {
                tracing::info!(code = error.code(), "a remembered address is of no use: asking anew");
                self.cache().forget(&key).await;
                let metadata = self.told(routed, Some(&key), true).await?;
                let paths = self.download(routed, &metadata, index, limit).await?;
                Ok((metadata, paths))
            }
            (paths, _) => Ok((metadata, paths?)),
        }
    }

    /// What the platform says of the post: from before if that still holds, unless it is to be asked `anew`. Whoever wants
    /// to know the same at the same moment waits for the one who asks.
    async fn told(&self, routed: &Routed<'_>, key: Option<&Key>, anew: bool) -> Result<MediaMetadata> {
        let Some(key) = key else { return self.extract(routed).await };
        let cache = self.cache();
        let _turn = cache.turn(key).await;
        let known = match (anew, self.request.options.metadata_only) {
            (true, _) => None,
            (false, true) => cache.to_look(key, Utc::now()).await,
            (false, false) => cache.to_load(key, Utc::now()).await,
        };
        self.known.store(known.is_some(), Relaxed);
        if let Some(known) = known {
            return known.answer.map(|metadata| MediaMetadata { download_timestamp: Some(known.told), ..metadata });
        }
        let said = self.extract(routed).await;
        let told = Utc::now();
        cache.put(key, "api", &said, told).await;
        said.map(|metadata| MediaMetadata { download_timestamp: Some(told), ..metadata })
    }

    fn cache(&self) -> &Cache {
        &self.kit.parts.cache
    }
}

/// Whether a failed load may be the fault of an address that was told some time ago.
fn may_be_stale(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::LoginRequired | Kind::Private | Kind::NotFound | Kind::GeoBlocked | Kind::NoMedia | Kind::PlatformChanged
    )
}
