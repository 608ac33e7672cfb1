//! Which renditions of an item to load. Pure.

use std::cmp::Reverse;

use super::Selection;
use crate::model::{FileType, Item, Options, Quality, Rendition, Streams, UploadLimit};

/// A short side below this is not worth saving an encode for, if there is better.
const WATCHABLE: u32 = 480;

/// The short side that is plenty to encode from when nothing fits as it is.
const ENCODE_FROM: u32 = 720;

/// Sizes computed from bit rates are this much too small at times.
const ESTIMATE_MARGIN: f64 = 1.05;

/// Picks what to load for an item: the best that the wish allows, and among those that need not be encoded the best
/// that fits the limit. `None`: the item has nothing that can be loaded in process.
pub fn select(item: &Item, options: &Options, limit: Option<UploadLimit>) -> Option<Selection> {
    let loadable: Vec<&Rendition> = item.renditions.iter().filter(|rendition| rendition.url.is_some()).collect();
    match item.kind {
        FileType::Video | FileType::Gif => {
            let candidates = candidates(&loadable);
            if options.audio_only
                && item.kind == FileType::Video
                && let Some(sound) = sound(&loadable, &candidates)
            {
                return Some(sound);
            }
            pick(candidates, options.quality, limit)
        }
        FileType::Audio => sound(&loadable, &[]).or_else(|| alone(loadable.first()?)),
        // The platforms' files put the original first.
        FileType::Image | FileType::Other => alone(loadable.first()?),
    }
}

fn alone(rendition: &Rendition) -> Option<Selection> {
    Some(Selection { main: rendition.clone(), audio: None })
}

/// A way to load a video: one rendition, or picture and sound apart.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    main: &'a Rendition,
    audio: Option<&'a Rendition>,
}

impl Candidate<'_> {
    fn short_side(&self) -> u32 {
        self.main.short_side().unwrap_or(0)
    }

    /// Whether it plays inline as it is, at most repacked.
    fn plays(&self) -> bool {
        plays(self.main) && self.audio.is_none_or(plays)
    }

    /// Bytes in all, as far as can be told, on the safe side.
    fn bytes(&self) -> Option<u64> {
        let one = |rendition: &Rendition| {
            let bytes = rendition.bytes?;
            Some(if rendition.bytes_exact { bytes } else { (bytes as f64 * ESTIMATE_MARGIN) as u64 })
        };
        Some(one(self.main)?.saturating_add(self.audio.map_or(Some(0), one)?))
    }

    fn fits(&self, limit: Option<UploadLimit>) -> bool {
        match (limit, self.bytes()) {
            (Some(limit), Some(bytes)) => bytes <= limit.per_file,
            // What nobody knows is tried: the encoder has the last word.
            _ => true,
        }
    }

    /// Better is greater. At the same size and rate one whole file beats two to be joined.
    fn worth(&self) -> (u32, u32, bool, u64) {
        let fps = self.main.fps.unwrap_or(0.0).round() as u32;
        (self.short_side(), fps, self.audio.is_none(), self.main.bitrate.unwrap_or(0))
    }

    fn selection(self) -> Selection {
        Selection { main: self.main.clone(), audio: self.audio.cloned() }
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

/// Every whole rendition, and every picture with the best sound that suits it.
fn candidates<'a>(loadable: &[&'a Rendition]) -> Vec<Candidate<'a>> {
    let of = |streams: Streams| loadable.iter().copied().filter(move |rendition| rendition.streams == streams);
    let whole = of(Streams::Whole).map(|main| Candidate { main, audio: None });
    let pairs = of(Streams::VideoOnly).map(|main| {
        // Joining without encoding wants sound that the picture's container takes.
        let audio = of(Streams::AudioOnly).max_by_key(|audio| (plays(audio) == plays(main), audio.bitrate));
        Candidate { main, audio }
    });
    whole.chain(pairs).collect()
}

/// The best sound alone, or the file that holds it with the least picture around it.
fn sound(loadable: &[&Rendition], candidates: &[Candidate<'_>]) -> Option<Selection> {
    let alone_best = loadable
        .iter()
        .filter(|rendition| rendition.streams == Streams::AudioOnly)
        .max_by_key(|rendition| (plays(rendition), rendition.bitrate));
    if let Some(best) = alone_best {
        return alone(best);
    }
    // Platforms lower the sound with the picture: the middle sizes have good sound without the bytes of the largest.
    let whole: Vec<_> = candidates.iter().filter(|candidate| candidate.audio.is_none()).collect();
    let small = whole.iter().filter(|candidate| candidate.short_side() <= ENCODE_FROM).max_by_key(|c| c.worth());
    small.or_else(|| whole.iter().min_by_key(|c| c.worth())).map(|candidate| candidate.selection())
}

fn pick(candidates: Vec<Candidate<'_>>, quality: Quality, limit: Option<UploadLimit>) -> Option<Selection> {
    if quality == Quality::Worst {
        return candidates.into_iter().min_by_key(|c| (!c.plays(), c.worth())).map(Candidate::selection);
    }
    let allowed: Vec<_> = match quality.max_height() {
        Some(height) => {
            let allowed: Vec<_> = candidates.iter().copied().filter(|c| c.short_side() <= height).collect();
            // Nothing that small: the smallest there is comes nearest.
            let smallest = || candidates.iter().copied().min_by_key(Candidate::worth).into_iter().collect();
            if allowed.is_empty() { smallest() } else { allowed }
        }
        None => candidates,
    };
    let ready: Vec<_> = allowed.iter().copied().filter(Candidate::plays).collect();
    let best_side = ready.iter().map(Candidate::short_side).max().unwrap_or(0);
    let floor = WATCHABLE.min(best_side);
    let fitting = ready.iter().copied().filter(|c| c.fits(limit) && c.short_side() >= floor);
    if let Some(best) = fitting.max_by_key(Candidate::worth) {
        return Some(best.selection());
    }
    // Something must be encoded: from enough, not from the most there is.
    let sources = if ready.is_empty() { allowed } else { ready };
    let enough = sources.iter().copied().filter(|c| c.short_side() >= ENCODE_FROM);
    enough
        .min_by_key(|c| (c.short_side(), Reverse(c.worth())))
        .or_else(|| sources.into_iter().max_by_key(Candidate::worth))
        .map(Candidate::selection)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn rendition(name: &str, streams: Streams, short: u32, bytes: u64, codecs: (&str, &str)) -> Rendition {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let container = match (codecs.0.starts_with('v'), codecs.1) {
            (true, _) | (_, "opus") => "webm",
            _ => "mp4",
        };
        Rendition {
            format_id: Some(name.into()),
            streams,
            container: Some(container.into()),
            video_codec: some(codecs.0),
            audio_codec: some(codecs.1),
            width: (short > 0).then_some(short * 16 / 9),
            height: (short > 0).then_some(short),
            bitrate: Some(bytes / 100),
            bytes: (bytes > 0).then_some(bytes),
            bytes_exact: true,
            ..Rendition::at(Url::parse("https://cdn.example/v").unwrap())
        }
    }

    fn whole(name: &str, short: u32, mib: u64) -> Rendition {
        rendition(name, Streams::Whole, short, mib * MIB, ("avc1.64001f", "mp4a.40.2"))
    }

    fn picture(name: &str, short: u32, mib: u64) -> Rendition {
        rendition(name, Streams::VideoOnly, short, mib * MIB, ("avc1", ""))
    }

    fn audio(name: &str, mib: u64) -> Rendition {
        rendition(name, Streams::AudioOnly, 0, mib * MIB, ("", "mp4a"))
    }

    fn names(kind: FileType, renditions: &[Rendition], wish: &str, audio_only: bool, limit: u64) -> String {
        let item = Item::new(kind, renditions.to_vec());
        let options = Options { quality: wish.parse().unwrap(), audio_only, ..Options::default() };
        let limit = (limit > 0).then_some(UploadLimit { per_file: limit * MIB });
        let name = |rendition: &Rendition| rendition.format_id.clone().unwrap();
        match select(&item, &options, limit) {
            None => "nothing".into(),
            Some(Selection { main, audio: None }) => name(&main),
            Some(Selection { main, audio: Some(audio) }) => format!("{}+{}", name(&main), name(&audio)),
        }
    }

    #[test]
    fn the_best_that_the_wish_and_the_limit_allow_is_loaded() {
        let ladder = [whole("1080", 1080, 40), whole("720", 720, 20), whole("480", 480, 8), whole("270", 270, 3)];
        let unknown: Vec<_> = ladder.iter().map(|r| Rendition { bytes: None, ..r.clone() }).collect();
        let apart = [picture("v1080", 1080, 40), picture("v720", 720, 12), picture("v360", 360, 4), audio("a", 2)];
        let two_sounds = [picture("v720", 720, 12), audio("a64", 1), audio("a128", 2)];
        let both = [picture("v1080", 1080, 9), whole("720", 720, 5), audio("a", 2)];
        let same = [picture("v720", 720, 5), whole("720", 720, 5), audio("a", 1)];
        let silent = [picture("v720", 720, 5)];
        let vp9 = [
            rendition("vp9", Streams::VideoOnly, 1440, 9 * MIB, ("vp9", "")),
            picture("v720", 720, 5),
            rendition("opus", Streams::AudioOnly, 0, 2 * MIB, ("", "opus")),
            audio("a", 1),
        ];
        let only_vp9 = [vp9[0].clone(), vp9[2].clone()];
        let tiny = [whole("240", 240, 3), whole("144", 144, 1)];
        let hevc = [rendition("hevc", Streams::Whole, 1080, 5 * MIB, ("hvc1", "mp4a")), whole("480", 480, 8)];
        for (renditions, wish, limit, expected, why) in [
            (&ladder[..], "best", 0, "1080", "without a limit the best"),
            (&ladder, "best", 100, "1080", "all fit"),
            (&ladder, "best", 25, "720", "the best that fits"),
            (&ladder, "best", 10, "480", "the best that fits"),
            (&ladder, "best", 5, "720", "270 lines are not watchable: encode, from enough"),
            (&ladder, "720p", 0, "720", "the wish"),
            (&ladder, "720p", 10, "480", "the wish and the limit"),
            (&ladder, "360p", 10, "270", "a small wish makes the small one right"),
            (&ladder, "360p", 2, "270", "nothing else is allowed"),
            (&ladder, "4K", 0, "1080", "a wish above all there is"),
            (&ladder, "worst", 100, "270", "the smallest"),
            (&unknown, "best", 5, "1080", "unknown sizes may fit"),
            (&apart, "best", 0, "v1080+a", "picture and sound"),
            (&apart, "best", 20, "v720+a", "sizes of both count"),
            (&apart, "best", 13, "v720+a", "12 + 2 do not fit: encode, from enough"),
            (&apart, "360p", 13, "v360+a", "the wish"),
            (&apart, "worst", 0, "v360+a", "the smallest picture keeps its sound"),
            (&two_sounds, "best", 0, "v720+a128", "the best sound"),
            (&both, "best", 12, "v1080+a", "more lines beat one file"),
            (&both, "best", 10, "720", "the one that fits"),
            (&same, "best", 0, "720", "of equals the whole one"),
            (&silent, "best", 0, "v720", "a silent video is whole without sound"),
            (&vp9, "best", 0, "v720+a", "what plays inline comes before more lines"),
            (&only_vp9, "best", 0, "vp9+opus", "better encoded than nothing"),
            (&tiny, "best", 10, "240", "where all are tiny the best of them"),
            (&hevc, "best", 10, "480", "what plays inline"),
            (&[], "best", 0, "nothing", "nothing to load"),
        ] {
            assert_eq!(names(FileType::Video, renditions, wish, false, limit), expected, "{wish} {limit}: {why}");
        }
        // Portrait videos are measured by their short side.
        let portrait = Rendition { width: Some(1080), height: Some(1920), ..whole("portrait", 0, 5) };
        assert_eq!(names(FileType::Video, &[portrait, whole("480", 480, 3)], "1080p", false, 0), "portrait");
    }

    #[test]
    fn sound_alone_is_taken_where_there_is_some() {
        let apart = [picture("v1080", 1080, 40), audio("a64", 1), audio("a128", 2)];
        let opus = [rendition("opus", Streams::AudioOnly, 0, 3 * MIB, ("", "opus")), audio("a", 1)];
        let ladder = [whole("1080", 1080, 40), whole("720", 720, 20), whole("270", 270, 3)];
        let large = [whole("2160", 2160, 90), whole("1080", 1080, 40)];
        for (kind, renditions, expected) in [
            (FileType::Video, &apart[..], "a128"),
            (FileType::Video, &opus, "a"),
            (FileType::Video, &ladder, "720"),
            (FileType::Video, &large, "1080"),
            (FileType::Gif, &ladder, "1080"),
            (FileType::Image, &ladder, "1080"),
            (FileType::Audio, &opus, "a"),
            (FileType::Audio, &ladder, "1080"),
        ] {
            assert_eq!(names(kind, renditions, "best", true, 0), expected, "{kind:?}");
        }
    }

    #[test]
    fn pictures_are_loaded_as_originals_whatever_the_wish() {
        let versions = [whole("orig", 4000, 30), whole("large", 1000, 1)];
        for wish in ["best", "360p", "worst"] {
            assert_eq!(names(FileType::Image, &versions, wish, false, 10), "orig");
        }
    }

    #[test]
    fn what_has_no_address_is_not_ours_to_load() {
        let mut hidden = whole("1080", 1080, 1);
        hidden.url = None;
        assert_eq!(names(FileType::Video, &[hidden.clone(), whole("480", 480, 1)], "best", false, 0), "480");
        assert_eq!(names(FileType::Video, &[hidden], "best", false, 0), "nothing");
    }

    #[test]
    fn estimated_sizes_keep_a_margin() {
        let mut rendition = whole("720", 720, 10);
        let low = whole("480", 480, 5);
        assert_eq!(names(FileType::Video, &[rendition.clone(), low.clone()], "best", false, 10), "720");
        rendition.bytes_exact = false;
        assert_eq!(names(FileType::Video, &[rendition, low], "best", false, 10), "480");
    }
}
