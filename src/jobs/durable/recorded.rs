//! A folder as a sink that writes down what it was given, so that a job which is taken up again places nothing twice.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    deliver::{Already, Delivered, Entry, Journal, Part, SendError, Sink, Stage},
    model::UploadLimit,
};

/// The folder and its journal.
///
/// Placing files and writing that down are two steps. Who dies between them places them again, so the folder must know what it
/// has already.
pub struct Recorded {
    sink: Box<dyn Sink>,
    journal: Arc<dyn Journal>,
    already: Already,
}

impl Recorded {
    /// Into this folder. `entries`: what earlier attempts have written down.
    pub fn new(sink: Box<dyn Sink>, journal: Arc<dyn Journal>, entries: &[Entry]) -> Self {
        let mut already = Already::default();
        for entry in entries.iter().filter(|entry| entry.stage == Stage::Sent) {
            already.add(String::new(), &entry.pieces);
        }
        Self { sink, journal, already }
    }
}

#[async_trait]
impl Sink for Recorded {
    fn limit(&self) -> Option<UploadLimit> {
        self.sink.limit()
    }

    fn already(&self) -> Already {
        self.already.clone()
    }

    async fn send(&self, part: Part<'_>) -> Result<Delivered, SendError> {
        let entry = Entry { number: part.index, stage: Stage::Sent, place: None, pieces: part.pieces.to_vec() };
        let placed = self.sink.send(part).await?;
        self.journal.note(entry).await.map_err(SendError::Failed)?;
        Ok(placed)
    }
}
