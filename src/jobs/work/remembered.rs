//! The in-process path remembers what a platform said, or asks it.

use std::sync::atomic::Ordering::Relaxed;

use chrono::Utc;

use super::{Work, tries::Walk};
use crate::{
    cache::{Cache, Key},
    model::{MediaMetadata, Result},
    platforms,
};

impl Work<'_> {
    /// What the platform says of the post: from before if that still holds, unless it is to be asked `anew`. Whoever wants
    /// to know the same at the same moment waits for the one who asks.
    pub(super) async fn told(&self, path: &Walk<'_>, anew: bool) -> Result<MediaMetadata> {
        // An answer to one session is none to another, or to nobody.
        let scope = platforms::scope(path.routed.platform, Some(&path.routed.resource));
        let session = self.kit.parts.strategy.sessions().version(scope);
        let Some(key) = &Key::of(&path.routed.resource, &self.request.options, session.as_deref()) else {
            return self.extract(path).await;
        };
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
        let said = self.extract(path).await;
        let told = Utc::now();
        // Who only looks is better served by what was said lately than by a fault of the moment.
        if let Err(error) = &said
            && error.kind().retryable()
            && !anew
            && self.request.options.metadata_only
            && let Some(Ok(metadata)) = cache.to_stand_in(key, told).await.map(|known| known.answer)
        {
            self.known.store(true, Relaxed);
            return Ok(metadata);
        }
        cache.put(key, "api", &said, told).await;
        said.map(|metadata| MediaMetadata { download_timestamp: Some(told), ..metadata })
    }

    fn cache(&self) -> &Cache {
        &self.kit.parts.cache
    }
}
