//! Downloads what an extractor found: picks renditions, loads them, muxes sound and picture when they come apart.
//!
//! [`plan`] decides what to load (pure); `transfer.rs` loads one file, `hls.rs` and `dash.rs` streams, all by way of
//! `engine.rs`, which knows the limits that they share; `sniff.rs` judges what was served. Here they are put together for
//! all items of a post.

mod answer;
mod bandwidth;
mod dash;
mod engine;
mod hls;
mod hosts;
pub mod m3u8;
pub mod manifest;
pub mod mpd;
mod parallel;
mod part;
mod partial;
mod patience;
pub mod pieces;
mod progress;
mod ramp;
mod ranges;
mod select;
pub mod sniff;
mod stream;
mod transfer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use futures_util::{FutureExt, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

pub use partial::sweep as sweep_partials;
pub use select::{Loss, Plan, Selection, plan, previews};

use crate::{
    media::Media,
    model::{Error, MediaMetadata, Options, Progress, Protocol, Rendition, Result, UploadLimit},
    net::Client,
    settings::Downloads,
};
use bandwidth::Bandwidth;
use engine::{Engine, Lane};
use partial::Name;
use progress::Tally;

/// Items of one post that are loaded at the same time.
const PARALLEL: usize = 4;

/// One download: everything a post holds.
#[derive(Clone, Copy)]
pub struct Download<'a> {
    /// The key of what is loaded ([`Resource::key`](crate::model::Resource::key)): a killed process's half-loaded file is
    /// found again by it. `None`: nothing is kept for that.
    pub key: Option<&'a str>,
    /// What to load.
    pub metadata: &'a MediaMetadata,
    /// What is wanted of it.
    pub options: &'a Options,
    /// An upload limit to prefer renditions under.
    pub limit: Option<UploadLimit>,
    /// Joins sound and picture.
    pub media: &'a Media,
    /// An empty folder of the job's own.
    pub dir: &'a Path,
    /// Where to report.
    pub progress: &'a Progress,
    /// Ends it.
    pub cancel: &'a CancellationToken,
}

/// Downloads.
pub struct Fetcher {
    engine: Engine,
}

impl Fetcher {
    /// With the limits that the operator set.
    pub fn new(client: &Client, settings: &Downloads) -> Self {
        Self { engine: Engine::new(client, settings) }
    }

    /// Loads every item into `dir`; the files come back one an item, in order. Nothing half-loaded stays behind under a
    /// final name.
    ///
    /// # Errors
    /// `too_large`, `timeout`, `network`, `platform_changed`, `cancelled`; whatever joining sound and picture ends in.
    pub async fn download(&self, download: Download<'_>) -> Result<Vec<PathBuf>> {
        let mut selected = Vec::new();
        let means = download.media.means();
        for (index, item) in download.metadata.items.iter().enumerate() {
            let plan = plan(item, download.options, download.limit, &means)
                .ok_or_else(|| Error::platform_changed(format!("item {} has no address", index + 1)))?;
            tracing::debug!(item = index + 1, %plan, "planned");
            selected.push((stem(download.metadata, index), plan.selection));
        }
        let bandwidth = self.engine.bandwidth();
        let tally = Tally::new(download.progress, selected.iter().map(|(_, selection)| selection));
        let mut loads = Vec::with_capacity(selected.len());
        for (index, (stem, selection)) in selected.iter().enumerate() {
            // Boxed, because a stream of plain closures makes this future too general for the compiler to call `Send`.
            loads.push(self.one(&download, &tally, &bandwidth, index, stem, selection).boxed());
        }
        let all = futures_util::stream::iter(loads).buffered(PARALLEL).try_collect();
        tokio::select! {
            biased;
            () = download.cancel.cancelled() => Err(Error::cancelled()),
            paths = all => paths,
        }
    }

    /// One item: one file, or two that are joined.
    async fn one(
        &self,
        download: &Download<'_>,
        tally: &Tally<'_>,
        bandwidth: &Bandwidth,
        index: usize,
        stem: &str,
        selection: &Selection,
    ) -> Result<PathBuf> {
        let main = download.dir.join(format!("{stem}.{}", extension(&selection.main)));
        let lane =
            |report| Lane { engine: &self.engine, bandwidth, report, media: download.media, cancel: download.cancel };
        let name = |file: &str, rendition: &Rendition| {
            download.key.map(|key| Name::new(key, index, file, rendition.format_id.as_deref()))
        };
        let (of_main, of_sound) = (tally.reporter(index, 0), tally.reporter(index, 1));
        let Some(audio) = &selection.audio else {
            load(&lane(&of_main), &selection.main, &main, name("main", &selection.main)).await?;
            return Ok(main);
        };
        let picture = download.dir.join(format!("{stem}.picture.{}", extension(&selection.main)));
        let sound = download.dir.join(format!("{stem}.sound.{}", extension(audio)));
        let (picture_lane, sound_lane) = (lane(&of_main), lane(&of_sound));
        tokio::try_join!(
            load(&picture_lane, &selection.main, &picture, name("main", &selection.main)),
            load(&sound_lane, audio, &sound, name("sound", audio)),
        )?;
        download.media.mux(&picture, &sound, &main, download.cancel).await?;
        for part in [picture, sound] {
            tokio::fs::remove_file(part).await?;
        }
        Ok(main)
    }
}

/// Loads one rendition into `path`, as its protocol asks.
async fn load(lane: &Lane<'_>, rendition: &Rendition, path: &Path, name: Option<Name>) -> Result<()> {
    match rendition.protocol {
        Protocol::File => transfer::load(lane, rendition, path, name).await,
        Protocol::Hls => hls::load(lane, rendition, path).await,
        Protocol::Dash => dash::load(lane, rendition, path).await,
    }
}

/// A file name without its extension: a single file keeps its title, so that a direct link keeps its own name; several
/// are numbered.
fn stem(metadata: &MediaMetadata, index: usize) -> String {
    let title = metadata.title.as_deref().filter(|_| metadata.items.len() == 1 && metadata.author.is_none());
    let safe: String = title
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | ' ') { c } else { '_' })
        .take(80)
        .collect();
    // Leading dashes look like options to tools, and a name of underscores says nothing.
    match safe.trim_start_matches('-').trim() {
        safe if safe.chars().any(char::is_alphanumeric) => safe.to_owned(),
        _ => format!("{:02}", index + 1),
    }
}

/// The container's extension, if it is a plain one. Only a first guess: the content decides in the end.
fn extension(rendition: &Rendition) -> String {
    let plain = |text: &&String| (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    rendition.container.as_ref().filter(plain).map_or_else(|| "bin".to_owned(), |text| text.to_ascii_lowercase())
}
