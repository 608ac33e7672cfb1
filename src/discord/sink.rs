//! The sink that posts into the conversation a request came from.

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    limits::{LimitBook, Place},
    live::{DeliverError, Live},
    rest::RestError,
};
use crate::{
    deliver::{Already, Delivered, Part, SendError, Sink},
    model::UploadLimit,
};

/// Posts batches on the live message and after it.
pub struct DiscordSink {
    /// The message.
    pub live: Arc<Live>,
    /// What was learned about limits.
    pub limits: Arc<LimitBook>,
    /// Where it is.
    pub place: Place,
    /// What Discord told when it was asked for, in bytes a file.
    pub told: u64,
    /// What an earlier run of the same request has delivered.
    pub already: Already,
}

#[async_trait]
impl Sink for DiscordSink {
    fn limit(&self) -> Option<UploadLimit> {
        Some(UploadLimit { per_file: self.limits.limit(self.place, self.told) })
    }

    fn takes_links(&self) -> bool {
        true
    }

    fn already(&self) -> Already {
        self.already.clone()
    }

    async fn send(&self, part: Part<'_>) -> Result<Delivered, SendError> {
        match self.live.deliver(part).await {
            Ok(link) => Ok(Delivered::Message(link)),
            Err(DeliverError::Rest(RestError::TooLarge)) => {
                let largest = part.files.iter().map(|file| file.size).max().unwrap_or_default();
                let limit = self.limits.refused(self.place, largest);
                tracing::info!(place = ?self.place, refused = largest, limit, "learned a lower upload limit");
                Err(SendError::TooLarge)
            }
            Err(DeliverError::Rest(error)) => Err(SendError::Failed(error.into())),
            Err(DeliverError::NotOurs(error)) => Err(SendError::Failed(error)),
        }
    }
}
