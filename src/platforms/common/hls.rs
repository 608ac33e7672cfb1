//! Reading an HLS master playlist: which variants there are, with their sound where it comes apart.

use std::{cmp::Reverse, collections::BTreeMap};

use url::Url;

use crate::{
    fetch::{
        m3u8::{self, Master, MediaPlaylist, Playlist, Variant},
        manifest,
    },
    model::{Error, Kind, Protocol, Rendition, Result, Streams},
    net,
};

/// What sound that comes apart takes, in bits a second: playlists tell the sum of picture and sound only.
const SOUND_BITS: u64 = 128_000;

/// The variants of a master playlist, best first; of a media playlist, the one rendition that it is. Sound that comes
/// apart follows the pictures as renditions of its own. `headers`: what the host wants.
///
/// Asks for the best variant's playlist besides: only that tells whether the stream is live or protected, and how long
/// it is, from which the sizes are estimated.
///
/// # Errors
/// As for any request; `live` when the stream is still running; `platform_changed` for what is no playlist, or one that is
/// protected by DRM.
pub async fn variants(
    client: &net::Client,
    master: &Url,
    headers: &BTreeMap<String, String>,
) -> Result<Vec<Rendition>> {
    let manifest = manifest::load(client, master, headers).await?;
    let master = match m3u8::parse(&manifest.text, &manifest.url)? {
        Playlist::Media(playlist) => {
            playlist.check()?;
            return Ok(vec![stream(master.clone(), headers)]);
        }
        Playlist::Master(master) => master,
    };
    let found = renditions(&master, headers, None);
    let Some(best) = found.first().and_then(|rendition| rendition.url.as_ref()) else {
        return Err(Error::platform_changed("an HLS playlist without variants"));
    };
    match inspect(client, best, headers).await {
        Ok(playlist) => Ok(renditions(&master, headers, Some(playlist.seconds()))),
        Err(error) if matches!(error.kind(), Kind::Network | Kind::Timeout) => {
            tracing::debug!(reason = error.operator_text(), "a variant's playlist did not come: its length is unknown");
            Ok(found)
        }
        Err(error) => Err(error),
    }
}

async fn inspect(client: &net::Client, url: &Url, headers: &BTreeMap<String, String>) -> Result<MediaPlaylist> {
    let manifest = manifest::load(client, url, headers).await?;
    match m3u8::parse(&manifest.text, &manifest.url)? {
        Playlist::Media(playlist) => playlist.check().map(|()| playlist),
        Playlist::Master(_) => Err(Error::platform_changed("an HLS variant that is a master playlist")),
    }
}

fn stream(url: Url, headers: &BTreeMap<String, String>) -> Rendition {
    Rendition { protocol: Protocol::Hls, container: Some("mp4".into()), headers: headers.clone(), ..Rendition::at(url) }
}

/// Best first, sounds last. `seconds`: how long the stream is, if known.
fn renditions(master: &Master, headers: &BTreeMap<String, String>, seconds: Option<f64>) -> Vec<Rendition> {
    let bytes = |bits: Option<u64>| Some((bits? as f64 * seconds? / 8.0) as u64);
    let mut found: Vec<Rendition> = Vec::new();
    for variant in &master.variants {
        // The same stream is often listed once for each sound, or once for each group of subtitles.
        if found.iter().any(|other| other.url.as_ref() == Some(&variant.url)) {
            continue;
        }
        let (video, audio) = codecs(variant);
        let sound_only = variant.resolution.is_none() && video.is_none() && audio.is_some();
        let sound_apart = !sound_only && master.sound_of(variant).is_some();
        let told = variant.average_bandwidth.or(variant.bandwidth);
        let bitrate = if sound_apart { told.map(|bits| bits.saturating_sub(SOUND_BITS).max(1)) } else { told };
        found.push(Rendition {
            streams: match (sound_only, sound_apart) {
                (true, _) => Streams::AudioOnly,
                (_, true) => Streams::VideoOnly,
                _ => Streams::Whole,
            },
            container: Some(if sound_only { "m4a".into() } else { "mp4".into() }),
            video_codec: video,
            audio_codec: audio.filter(|_| !sound_apart),
            width: variant.resolution.map(|(width, _)| width),
            height: variant.resolution.map(|(_, height)| height),
            fps: variant.frame_rate,
            bitrate,
            bytes: bytes(bitrate),
            ..stream(variant.url.clone(), headers)
        });
    }
    for (rank, (sound, codec)) in sounds(master).into_iter().enumerate() {
        // Better sound goes with better pictures; by how much is not told.
        let bitrate = Some(SOUND_BITS / (rank as u64 + 1));
        found.push(Rendition {
            streams: Streams::AudioOnly,
            container: Some("m4a".into()),
            audio_codec: codec,
            bitrate,
            bytes: bytes(bitrate),
            ..stream(sound, headers)
        });
    }
    found.sort_by_key(|r| (r.streams == Streams::AudioOnly, Reverse((r.short_side(), r.bitrate))));
    found
}

/// One sound of each group, that of the best variant first: the default one, as a player would take. With its codec.
fn sounds(master: &Master) -> Vec<(Url, Option<String>)> {
    let mut variants: Vec<_> = master.variants.iter().collect();
    variants.sort_by_key(|variant| Reverse(variant.bandwidth));
    let mut found: Vec<(Url, Option<String>)> = Vec::new();
    for variant in variants {
        let Some(sound) = master.sound_of(variant) else { continue };
        if found.iter().all(|(url, _)| *url != sound.url) {
            found.push((sound.url.clone(), codecs(variant).1));
        }
    }
    found
}

/// The codecs of picture and sound (RFC 6381).
fn codecs(variant: &Variant) -> (Option<String>, Option<String>) {
    let starts = |known: &'static [&str]| {
        let is = move |codec: &&String| known.iter().any(|start| codec.to_ascii_lowercase().starts_with(start));
        variant.codecs.iter().find(is).cloned()
    };
    (
        starts(&["avc", "hvc", "hev", "dvh", "dva", "vp0", "vp8", "vp9", "av01"]),
        starts(&["mp4a", "ac-3", "ec-3", "ac-4", "opus", "flac", "mp3"]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str, seconds: Option<f64>) -> Vec<Rendition> {
        let base = Url::parse("https://video.example/a/master.m3u8?sig=1").unwrap();
        let Ok(Playlist::Master(master)) = m3u8::parse(text, &base) else { panic!("no master playlist") };
        let headers = BTreeMap::from([("Referer".to_owned(), "https://example.com/".to_owned())]);
        let found = renditions(&master, &headers, seconds);
        assert!(found.iter().all(|rendition| {
            rendition.protocol == Protocol::Hls && rendition.headers == headers && !rendition.bytes_exact
        }));
        found
    }

    fn row(rendition: &Rendition) -> String {
        let url = rendition.url.as_ref().unwrap();
        let (side, bits, bytes) = (rendition.short_side(), rendition.bitrate, rendition.bytes);
        let codecs = [&rendition.video_codec, &rendition.audio_codec].map(|codec| codec.as_deref().unwrap_or("-"));
        format!("{} {:?} {side:?} {bits:?} {bytes:?} {}", url.path(), rendition.streams, codecs.join(" "))
    }

    #[test]
    fn variants_come_best_first_with_sizes_estimated_from_the_length() {
        let text = "#EXTM3U\n\
            #EXT-X-STREAM-INF:BANDWIDTH=500000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\"\nlow.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=9000000,AVERAGE-BANDWIDTH=2000000,RESOLUTION=1280x720,FRAME-RATE=29.97\n\
            /hd/index.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.5\"\nsound.m3u8\n";
        let found = listed(text, Some(10.0));
        assert_eq!(
            found.iter().map(row).collect::<Vec<_>>(),
            [
                "/hd/index.m3u8 Whole Some(720) Some(2000000) Some(2500000) - -",
                "/a/low.m3u8 Whole Some(360) Some(500000) Some(625000) avc1.4d401e mp4a.40.2",
                "/a/sound.m3u8 AudioOnly None Some(64000) Some(80000) - mp4a.40.5",
            ]
        );
        assert_eq!(found[0].fps, Some(29.97));
        assert!(listed(text, None).iter().all(|rendition| rendition.bytes.is_none()));
    }

    #[test]
    fn sound_that_comes_apart_follows_once_for_each_group() {
        let text = "#EXTM3U\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"lo\",NAME=\"en\",DEFAULT=YES,URI=\"lo.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"hi\",NAME=\"de\",LANGUAGE=\"de\",URI=\"hi-de.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"hi\",NAME=\"en\",LANGUAGE=\"en\",DEFAULT=YES,URI=\"hi-en.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"en\",FORCED=NO,URI=\"s.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=600000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.5\",AUDIO=\"lo\"\nlow.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2128000,RESOLUTION=1280x720,CODECS=\"avc1.4d401f,mp4a.40.2\",AUDIO=\"hi\"\nhigh.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2100000,RESOLUTION=1280x720,CODECS=\"avc1.4d401f,mp4a.40.5\",AUDIO=\"lo\"\nhigh.m3u8\n";
        let found = listed(text, Some(8.0));
        assert_eq!(
            found.iter().map(row).collect::<Vec<_>>(),
            [
                "/a/high.m3u8 VideoOnly Some(720) Some(2000000) Some(2000000) avc1.4d401f -",
                "/a/low.m3u8 VideoOnly Some(360) Some(472000) Some(472000) avc1.4d401e -",
                "/a/hi-en.m3u8 AudioOnly None Some(128000) Some(128000) - mp4a.40.2",
                "/a/lo.m3u8 AudioOnly None Some(64000) Some(64000) - mp4a.40.5",
            ]
        );
        assert_eq!(found[2].container.as_deref(), Some("m4a"));
    }

    #[test]
    fn a_group_without_addresses_is_in_the_variants_themselves() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",DEFAULT=YES\n\
            #EXT-X-STREAM-INF:BANDWIDTH=600000,RESOLUTION=640x360,AUDIO=\"a\"\nlow.m3u8\n";
        assert_eq!(listed(text, None).iter().map(|r| r.streams).collect::<Vec<_>>(), [Streams::Whole]);
    }
}
