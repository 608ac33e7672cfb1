//! The plan before the download: which rendition of an item to load, and what would become of it. Pure.
//!
//! Every way to load the item is forecast (`media::forecast`): it fits and plays as it is, it would have to be encoded
//! to so and so many lines, it is too long. What each of these loses is weighed on one scale (`loss.rs`). The least loss
//! wins; of equals the one with the fewest bytes to load, so that no 4K is loaded to make 720p of it.

mod loss;
#[cfg(test)]
mod tests;

use std::{cmp::Reverse, fmt};

use serde::{Serialize, Serializer, ser::SerializeStruct};

pub use self::loss::Loss;
use self::loss::{Given, Scale};
use crate::{
    media::{FitTarget, Means, Offer, Outlook, forecast, human_bytes, richness, usual_bits},
    model::{FileType, Item, MediaMetadata, Options, Quality, Rendition, Streams, UploadLimit},
};

/// Sizes computed from bit rates are this much too small at times.
const ESTIMATE_MARGIN: f64 = 1.05;

/// Sound tracks that are tried with each picture, best first.
const SOUNDS: usize = 6;

/// The renditions to load for one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The picture, or the whole.
    pub main: Rendition,
    /// The sound, when it comes apart.
    pub audio: Option<Rendition>,
}

/// What to load, and what would become of it. Shown as `1080p, 38 MB → encode to 9.9 MB at 720p, about 40 seconds`; in
/// JSON without addresses.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to load.
    pub selection: Selection,
    /// Bytes of it, at the most. `None`: nobody knows.
    pub bytes: Option<u64>,
    /// What would become of it.
    pub outlook: Outlook,
    /// What that loses.
    pub loss: Loss,
}

/// Plans what to load for an item. `None`: the item has nothing that can be loaded in process.
pub fn plan(item: &Item, options: &Options, limit: Option<UploadLimit>, means: &Means) -> Option<Plan> {
    best(considered(item, options, limit, means, |rendition| rendition.url.is_some()))
}

/// The plan of each item, to be shown: addresses that have gone stale do not matter. `None` for what nobody knows.
pub fn previews(
    metadata: &MediaMetadata,
    options: &Options,
    limit: Option<UploadLimit>,
    means: &Means,
) -> Vec<Option<Plan>> {
    let preview = |item: &Item| {
        let any = || best(considered(item, options, limit, means, |_| true));
        plan(item, options, limit, means).or_else(any).filter(|_| item.kind != FileType::Other)
    };
    match metadata.items.as_slice() {
        // Some platforms tell the length of the post only.
        [item] if item.duration.is_none() => {
            vec![preview(&Item { duration: metadata.duration, ..item.clone() })]
        }
        items => items.iter().map(preview).collect(),
    }
}

/// The least loss, then the fewest bytes to load, then one file rather than two.
fn best(plans: Vec<Plan>) -> Option<Plan> {
    plans.into_iter().min_by_key(|plan| (plan.loss, plan.bytes.unwrap_or(u64::MAX), plan.selection.audio.is_some()))
}

/// A plan for every way to load the item that the wish allows.
fn considered(
    item: &Item,
    options: &Options,
    limit: Option<UploadLimit>,
    means: &Means,
    usable: impl Fn(&Rendition) -> bool,
) -> Vec<Plan> {
    let usable: Vec<&Rendition> = item.renditions.iter().filter(|rendition| usable(rendition)).collect();
    let of = |main| Way { item, main, audio: None };
    let apart = || usable.iter().copied().filter(|rendition| rendition.streams == Streams::AudioOnly).map(of);
    let ways: Vec<Way<'_>> = match item.kind {
        FileType::Video if options.audio_only => {
            let apart: Vec<_> = apart().collect();
            if apart.is_empty() { usable.iter().copied().map(of).collect() } else { apart }
        }
        FileType::Video | FileType::Gif => allowed(ways(item, &usable), options.quality),
        FileType::Audio if apart().next().is_some() => apart().collect(),
        // The platforms' files put the original first.
        FileType::Audio | FileType::Image | FileType::Other => usable.first().copied().map(of).into_iter().collect(),
    };
    let mut target = FitTarget::of(options, limit.map(|limit| limit.per_file));
    target.audio_only &= item.kind != FileType::Gif;
    let outlooks: Vec<_> = ways.into_iter().map(|way| (way, way.outlook(&target, means))).collect();
    let scale = Scale::of(outlooks.iter().map(|(way, _)| way.given()));
    outlooks
        .into_iter()
        .map(|(way, outlook)| Plan {
            selection: Selection { main: way.main.clone(), audio: way.audio.cloned() },
            bytes: way.bytes(),
            outlook,
            loss: scale.loss(&way.given(), &outlook),
        })
        .collect()
}

/// A way to load an item: one rendition, or picture and sound apart.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    item: &'a Item,
    main: &'a Rendition,
    audio: Option<&'a Rendition>,
}

impl Way<'_> {
    fn short_side(&self) -> u32 {
        self.main.short_side().unwrap_or(0)
    }

    /// Seconds, if the platform tells of any that are.
    fn seconds(&self) -> Option<f64> {
        self.item.duration.filter(|seconds| seconds.is_finite() && *seconds > 0.0)
    }

    /// Bytes in all, as far as can be told, on the safe side.
    fn bytes(&self) -> Option<u64> {
        let margin = |bytes: f64| (bytes * ESTIMATE_MARGIN) as u64;
        let one = |rendition: &Rendition| match (rendition.bytes, rendition.bitrate, self.seconds()) {
            (Some(bytes), _, _) if rendition.bytes_exact => Some(bytes),
            (Some(bytes), _, _) => Some(margin(bytes as f64)),
            (None, Some(bits), Some(seconds)) => Some(margin(bits as f64 * seconds / 8.0)),
            _ => None,
        };
        Some(one(self.main)?.saturating_add(self.audio.map_or(Some(0), one)?))
    }

    /// What is worth comparing with other ways.
    fn given(&self) -> Given {
        let fps = self.main.fps.filter(|fps| (1.0..=240.0).contains(fps)).unwrap_or(30.0);
        let sound = self.audio.unwrap_or(self.main);
        Given {
            alone: self.main.streams == Streams::AudioOnly || self.item.kind == FileType::Audio,
            richness: richness(&self.offer()),
            lines: self.main.short_side(),
            fps,
            bits: self.main.bitrate.map(|bits| bits + self.audio.and_then(|audio| audio.bitrate).unwrap_or(0)),
            sound: match sound.streams {
                Streams::AudioOnly => sound.bitrate.map(|bits| bits as f64),
                _ if self.item.kind == FileType::Audio => sound.bitrate.map(|bits| bits as f64),
                // Platforms lower the sound with the picture.
                _ => Some(match self.short_side() {
                    720.. | 0 => 128_000.0,
                    360.. => 96_000.0,
                    _ => 64_000.0,
                }),
            },
        }
    }

    /// What fitting would make of it.
    fn outlook(&self, target: &FitTarget, means: &Means) -> Outlook {
        let limit = target.max_bytes;
        if matches!(self.item.kind, FileType::Image | FileType::Other) {
            return match (limit, self.bytes()) {
                (Some(limit), Some(bytes)) if bytes > limit && self.item.kind == FileType::Image => Outlook::Picture,
                _ => Outlook::Copy,
            };
        }
        let mut offer = self.offer();
        let thrifty = || {
            // Nobody knows. Where even a thrifty platform would need more than there is, it is no use to hope.
            let bytes = (usual_bits(self.main) * self.seconds()? * 0.6 / 8.0) as u64;
            (bytes > limit?).then_some(bytes)
        };
        offer.bytes = offer.bytes.or_else(thrifty);
        forecast(&offer, target, means)
    }

    fn offer(&self) -> Offer<'_> {
        Offer {
            main: self.main,
            audio: self.audio,
            sound: self.item.kind == FileType::Audio,
            silent: self.item.kind == FileType::Gif,
            bytes: self.bytes(),
            seconds: self.seconds(),
        }
    }

    fn plays(&self) -> bool {
        plays(self.main) && self.audio.is_none_or(plays)
    }

    /// Better is greater, whatever the limit. At the same size and rate one whole file beats two to be joined.
    fn worth(&self) -> (u32, u32, bool, u64) {
        let fps = self.main.fps.unwrap_or(0.0).round() as u32;
        (self.short_side(), fps, self.audio.is_none(), self.main.bitrate.unwrap_or(0))
    }
}

/// Whether a stream plays inline in every client: H.264 and AAC in mp4. Unknown codecs in an mp4 nearly always are.
fn plays(rendition: &Rendition) -> bool {
    let starts = |codec: &Option<String>, known: &[&str]| {
        codec.as_deref().is_none_or(|codec| known.iter().any(|start| codec.to_ascii_lowercase().starts_with(start)))
    };
    rendition.container.as_deref().is_none_or(|container| matches!(container, "mp4" | "m4v" | "m4a"))
        && starts(&rendition.video_codec, &["avc1", "avc3", "h264"])
        && starts(&rendition.audio_codec, &["mp4a", "aac"])
}

/// Every whole rendition, and every picture with the sounds that suit it.
fn ways<'a>(item: &'a Item, usable: &[&'a Rendition]) -> Vec<Way<'a>> {
    let of = |streams: Streams| usable.iter().copied().filter(move |rendition| rendition.streams == streams);
    let mut all: Vec<_> = of(Streams::Whole).map(|main| Way { item, main, audio: None }).collect();
    let mut sounds: Vec<&Rendition> = of(Streams::AudioOnly).collect();
    sounds.sort_by_key(|audio| Reverse(audio.bitrate));
    for main in of(Streams::VideoOnly) {
        // Joining without encoding wants sound that the picture's container takes.
        let suit = |audio: &&&Rendition| plays(audio) == plays(main);
        let suiting: Vec<_> = sounds.iter().filter(suit).take(SOUNDS).collect();
        let chosen = if suiting.is_empty() { sounds.iter().take(SOUNDS).collect() } else { suiting };
        if chosen.is_empty() {
            all.push(Way { item, main, audio: None });
        }
        all.extend(chosen.into_iter().map(|audio| Way { item, main, audio: Some(audio) }));
    }
    all
}

/// Those that the wish allows.
fn allowed(ways: Vec<Way<'_>>, quality: Quality) -> Vec<Way<'_>> {
    match quality {
        Quality::Worst => {
            let playing: Vec<_> = ways.iter().copied().filter(Way::plays).collect();
            smallest(if playing.is_empty() { ways } else { playing })
        }
        Quality::Best => ways,
        Quality::Height(height) => {
            let below: Vec<_> = ways.iter().copied().filter(|way| way.short_side() <= height).collect();
            // Nothing that small: the smallest there is comes nearest.
            if below.is_empty() { smallest(ways) } else { below }
        }
    }
}

/// The one with the least picture.
fn smallest(ways: Vec<Way<'_>>) -> Vec<Way<'_>> {
    ways.into_iter().min_by_key(Way::worth).into_iter().collect()
}

impl Plan {
    /// What is loaded, in a word: `1080p`, `128 kbit/s`, `4000×3000`.
    fn name(&self) -> Option<String> {
        let main = &self.selection.main;
        match (main.streams, main.width, main.height) {
            (Streams::AudioOnly, ..) => main.bitrate.map(|bits| format!("{:.0} kbit/s", bits as f64 / 1000.0)),
            (_, Some(width), Some(height)) if self.is_still() => Some(format!("{width}×{height}")),
            _ => main.short_side().map(|short| match main.fps {
                Some(fps) if fps > 32.0 => format!("{short}p{fps:.0}"),
                _ => format!("{short}p"),
            }),
        }
    }

    /// Whether it is a still picture.
    pub fn is_still(&self) -> bool {
        let still = ["jpg", "jpeg", "png", "webp", "avif", "heic", "bmp"];
        self.outlook == Outlook::Picture
            || self.selection.main.container.as_deref().is_some_and(|container| still.contains(&container))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = [self.name(), self.bytes.map(human_bytes)];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        if !facts.is_empty() {
            write!(f, "{} ", facts.join(", "))?;
        }
        write!(f, "→ {}", self.outlook)
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_struct("Plan", 5)?;
        all.serialize_field("load", &self.name())?;
        all.serialize_field("bytes", &self.bytes)?;
        all.serialize_field("outlook", &self.outlook)?;
        all.serialize_field("loss", &self.loss)?;
        all.serialize_field("text", &self.to_string())?;
        all.end()
    }
}
