//! What a sound file says about itself: kept from the source, or written from what the post says.

use crate::model::{Author, MediaMetadata, redact};

/// Characters of one tag.
const MAX_CHARS: usize = 200;

/// The tags that are kept. Everything else (comments, encoders, places, links) stays behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    /// What it is called.
    pub title: Option<String>,
    /// Who made it.
    pub artist: Option<String>,
    /// What it belongs to.
    pub album: Option<String>,
    /// When it was made: a year, or `2024-05-17`.
    pub date: Option<String>,
    /// Its kind of music.
    pub genre: Option<String>,
}

impl Tags {
    /// What a post says about the file of its item `item`.
    pub fn of(metadata: &MediaMetadata, item: usize) -> Self {
        let own = metadata.items.get(item).and_then(|item| item.title.as_deref());
        let name = |author: &Author| author.name.clone().unwrap_or_else(|| author.handle.clone());
        Self {
            title: own.or(metadata.title.as_deref()).and_then(clean),
            artist: metadata.author.as_ref().and_then(|author| clean(&name(author))),
            date: metadata.created_at.map(|at| at.format("%Y-%m-%d").to_string()),
            ..Self::default()
        }
    }
}

/// One line without control characters and secrets, if there is anything in it.
fn clean(text: &str) -> Option<String> {
    let line = redact::text(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    (!short.is_empty()).then_some(short)
}
