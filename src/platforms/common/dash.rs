//! Reading a DASH manifest: which streams there are, picture and sound apart.

use std::cmp::Reverse;

use url::Url;

use crate::{
    fetch::mpd::{self, Stream},
    model::{Error, Protocol, Rendition, Result, Streams},
};

/// The renditions of a manifest, pictures before sounds, each best first, and its duration in seconds. `base` is the
/// manifest's own address. Sizes are estimated from bandwidth and duration (`known_duration` where the manifest has
/// none). Streams that are whole files are loaded as such; those in segments by way of the manifest.
///
/// # Errors
/// `live` when it is still running; `platform_changed` for what is no manifest, or one without streams that can be loaded.
pub fn renditions(xml: &str, base: &Url, known_duration: Option<f64>) -> Result<(Vec<Rendition>, Option<f64>)> {
    let manifest = mpd::parse(xml, base)?;
    let duration = manifest.seconds.or(known_duration);
    let mut found: Vec<Rendition> =
        manifest.streams()?.iter().filter_map(|stream| rendition(stream, base, duration)).collect();
    if found.is_empty() {
        return Err(Error::platform_changed("a DASH manifest without streams that can be loaded"));
    }
    found.sort_by_key(|r| (r.streams == Streams::AudioOnly, Reverse((r.short_side(), r.bitrate))));
    Ok((found, duration))
}

fn rendition(stream: &Stream<'_>, manifest: &Url, duration: Option<f64>) -> Option<Rendition> {
    let (set, representation) = (stream.set, stream.representation);
    let (url, protocol) = match stream.file() {
        Some(url) => (url.clone(), Protocol::File),
        // Without an id it could not be found again, and one whose pieces are not understood cannot be loaded.
        None if representation.id.is_some() && stream.pieces().is_ok() => (manifest.clone(), Protocol::Dash),
        None => return None,
    };
    let mime = representation.mimeType.as_ref().or(set.mimeType.as_ref()).map(String::as_str).unwrap_or_default();
    let content = representation.contentType.as_ref().or(set.contentType.as_ref()).map(String::as_str);
    let codecs = representation.codecs.clone().or_else(|| set.codecs.clone());
    let streams = match content.or_else(|| mime.split('/').next())? {
        "video" => Streams::VideoOnly,
        "audio" => Streams::AudioOnly,
        _ => return None,
    };
    let is_audio = streams == Streams::AudioOnly;
    let pixels = |own: Option<u64>, of_set: Option<u64>| own.or(of_set).and_then(|n| u32::try_from(n).ok());
    Some(Rendition {
        format_id: representation.id.clone(),
        protocol,
        streams,
        container: Some(match mime.rsplit('/').next() {
            Some("webm") => "webm".into(),
            _ if is_audio => "m4a".into(),
            _ => "mp4".into(),
        }),
        video_codec: codecs.clone().filter(|_| !is_audio),
        audio_codec: codecs.filter(|_| is_audio),
        width: pixels(representation.width, set.width),
        height: pixels(representation.height, set.height),
        fps: representation.frameRate.as_ref().or(set.frameRate.as_ref()).and_then(|rate| frame_rate(rate)),
        bitrate: representation.bandwidth,
        bytes: representation.bandwidth.zip(duration).map(|(bits, seconds)| (bits as f64 * seconds / 8.0) as u64),
        ..Rendition::at(url)
    })
}

/// `30`, `29.97` or `30000/1001`.
fn frame_rate(text: &str) -> Option<f64> {
    let rate = match text.split_once('/') {
        Some((frames, seconds)) => frames.trim().parse::<f64>().ok()? / seconds.trim().parse::<f64>().ok()?,
        None => text.trim().parse().ok()?,
    };
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("https://v.redd.it/abc/DASHPlaylist.mpd?a=1%2C2&v=1").unwrap()
    }

    #[test]
    fn picture_and_sound_are_told_apart_best_first_with_estimated_sizes() {
        let xml = include_str!("../../../fixtures/platforms/reddit/DASHPlaylist.mpd");
        let (found, duration) = renditions(xml, &base(), None).unwrap();
        assert_eq!(duration, Some(12.5));
        let rows: Vec<_> = found
            .iter()
            .map(|r| (r.streams, r.url.as_ref().unwrap().as_str(), r.width, r.height, r.bitrate, r.bytes))
            .collect();
        let video = Streams::VideoOnly;
        let audio = Streams::AudioOnly;
        assert_eq!(
            rows,
            [
                (video, "https://v.redd.it/abc/DASH_720.mp4", Some(1280), Some(720), Some(2_400_000), Some(3_750_000)),
                (video, "https://v.redd.it/abc/DASH_360.mp4", Some(640), Some(360), Some(800_000), Some(1_250_000)),
                (audio, "https://v.redd.it/abc/DASH_AUDIO_128.mp4", None, None, Some(128_000), Some(200_000)),
                (audio, "https://v.redd.it/abc/DASH_AUDIO_64.mp4", None, None, Some(64_000), Some(100_000)),
            ]
        );
        assert_eq!(found[0].video_codec.as_deref(), Some("avc1.4d401f"));
        assert_eq!(found[0].audio_codec, None);
        assert_eq!(found[2].audio_codec.as_deref(), Some("mp4a.40.2"));
        assert_eq!(found[0].container.as_deref(), Some("mp4"));
        assert_eq!(found[2].container.as_deref(), Some("m4a"));
        assert!((found[0].fps.unwrap() - 29.97).abs() < 0.01);
        assert!(found.iter().all(|r| !r.bytes_exact && r.protocol == Protocol::File));
    }

    #[test]
    fn streams_in_segments_are_loaded_by_way_of_the_manifest() {
        let xml = r#"<MPD mediaPresentationDuration="PT4S"><Period>
            <AdaptationSet mimeType="audio/webm"><Representation id="a" bandwidth="64000" codecs="opus">
            <SegmentList><SegmentURL media="1"/></SegmentList></Representation></AdaptationSet>
            <AdaptationSet mimeType="video/mp4"><SegmentTemplate media="$Number$.m4s" duration="2"/>
            <Representation id="v" bandwidth="800000" height="360" width="640"/>
            <Representation bandwidth="900000" height="720" width="1280"/></AdaptationSet></Period></MPD>"#;
        let (found, _) = renditions(xml, &base(), None).unwrap();
        let row = |r: &Rendition| {
            assert_eq!((r.protocol, r.url.as_ref()), (Protocol::Dash, Some(&base())));
            (r.format_id.clone().unwrap(), r.streams, r.container.clone().unwrap(), r.bytes)
        };
        assert_eq!(
            found.iter().map(row).collect::<Vec<_>>(),
            [
                ("v".to_owned(), Streams::VideoOnly, "mp4".to_owned(), Some(400_000)),
                ("a".to_owned(), Streams::AudioOnly, "webm".to_owned(), Some(32_000)),
            ]
        );
    }

    #[test]
    fn what_is_no_manifest_or_tells_no_segments_is_not_understood() {
        let segments = r#"<MPD mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4">
            <SegmentTemplate media="$Number$.m4s"/><Representation id="1" bandwidth="1"/></AdaptationSet></Period></MPD>"#;
        let file_scheme = r#"<MPD><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">
            <BaseURL>file:///etc/passwd</BaseURL></Representation></AdaptationSet></Period></MPD>"#;
        for xml in ["", "<html></html>", "{}", "<MPD></MPD>", segments, file_scheme] {
            assert_eq!(renditions(xml, &base(), None).unwrap_err().code(), "platform_changed", "{xml}");
        }
    }

    #[test]
    fn frame_rates_are_numbers_or_fractions() {
        assert_eq!(frame_rate("25"), Some(25.0));
        assert_eq!(frame_rate("30000/1000"), Some(30.0));
        assert!(["", "x", "1/0", "-5"].iter().all(|text| frame_rate(text).is_none()));
    }
}
