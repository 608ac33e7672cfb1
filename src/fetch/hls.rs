//! HLS streams: playlists into pieces, pieces into one file.

use std::path::{Path, PathBuf};

use url::Url;

use super::{
    engine::Lane,
    m3u8::{self, Master, Playlist, Sound, Variant},
    stream,
};
use crate::model::{Error, Rendition, Result, Streams};

/// Loads an HLS rendition into `path`. Its address names a media playlist, or a master playlist of which the best variant
/// is taken, together with its sound where that comes apart.
///
/// # Errors
/// As for files; `live` when the stream is still running; `platform_changed` when it is protected, or a segment is missing.
pub(super) async fn load(lane: &Lane<'_>, rendition: &Rendition, path: &Path) -> Result<()> {
    let url = rendition.url.as_ref().ok_or_else(|| Error::internal("a rendition without an address"))?;
    let (variant, sound) = match playlist(lane, rendition, url).await? {
        Playlist::Media(playlist) => return stream::load(lane, rendition, playlist.pieces()?, path).await,
        Playlist::Master(master) => {
            let (variant, sound) = best(&master).ok_or_else(|| odd("without variants"))?;
            (variant.url.clone(), sound.map(|sound| sound.url.clone()))
        }
    };
    match (sound, rendition.streams) {
        (Some(sound), Streams::AudioOnly) => media(lane, rendition, &sound, path).await,
        (Some(sound), Streams::Whole) => {
            let beside = Beside::of(path);
            // One after the other, as one file to whoever watches: each has segments to load at once.
            media(lane, rendition, &variant, &beside.picture).await?;
            let before = tokio::fs::metadata(&beside.picture).await?.len();
            let report = |done: u64, total: Option<u64>| {
                (lane.report)(before.saturating_add(done), total.map(|total| before.saturating_add(total)));
            };
            media(&Lane { report: &report, ..*lane }, rendition, &sound, &beside.sound).await?;
            lane.media.mux(&beside.picture, &beside.sound, path, lane.cancel).await
        }
        _ => media(lane, rendition, &variant, path).await,
    }
}

/// Picture and sound before they are joined: removed when dropped.
struct Beside {
    picture: PathBuf,
    sound: PathBuf,
}

impl Beside {
    fn of(path: &Path) -> Self {
        let named = |end: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Self { picture: named(".picture"), sound: named(".sound") }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        for file in [&self.picture, &self.sound] {
            // Not there if it was not loaded; the job's folder is removed as a whole anyway.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Loads what a media playlist lists.
async fn media(lane: &Lane<'_>, rendition: &Rendition, url: &Url, path: &Path) -> Result<()> {
    match playlist(lane, rendition, url).await? {
        Playlist::Media(playlist) => stream::load(lane, rendition, playlist.pieces()?, path).await,
        Playlist::Master(_) => Err(odd("whose variant is a master playlist")),
    }
}

async fn playlist(lane: &Lane<'_>, rendition: &Rendition, url: &Url) -> Result<Playlist> {
    let manifest = stream::manifest(lane, url, &rendition.headers).await?;
    m3u8::parse(&manifest.text, &manifest.url)
}

fn odd(what: &str) -> Error {
    Error::platform_changed(format!("an HLS playlist {what}"))
}

/// The largest picture of most bits, and the sound that a player would take with it if that comes apart.
fn best(master: &Master) -> Option<(&Variant, Option<&Sound>)> {
    let worth = |variant: &&Variant| {
        (variant.resolution.map(|(width, height)| width.min(height)), variant.average_bandwidth.or(variant.bandwidth))
    };
    let variant = master.variants.iter().max_by_key(worth)?;
    Some((variant, master.sound_of(variant)))
}
