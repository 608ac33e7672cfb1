//! Everything that goes wrong while media is loaded, against each way of loading it: the file is right to the last byte,
//! or there is a clear error; and nothing half-loaded stays behind.

use std::{path::PathBuf, time::Duration};

use boss_bot::model::{Rendition, Streams};
use futures_util::StreamExt;

use crate::{
    fetch_streams::{HOST, Rig, dash, hls, pictures},
    site::Names,
    world::{
        media::{self, Hls, HlsKind},
        web::{Fault, FaultKind},
    },
};

/// What loads media, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A file of 3 MB, by ranges.
    File,
    /// MPEG-TS segments.
    Hls,
    /// Byte ranges of one file, by HLS.
    HlsRanges,
    /// Segments of a template.
    Dash,
    /// Byte ranges of one file, by DASH.
    DashRanges,
}

impl Way {
    const ALL: [Way; 5] = [Way::File, Way::Hls, Way::HlsRanges, Way::Dash, Way::DashRanges];

    /// Where the media is on disk: a file, or a folder and the playlist or manifest in it.
    fn source(self) -> PathBuf {
        match self {
            Way::File => media::video_of(3_000_000, 60).path,
            Way::Hls => media::hls(&Hls::seed(60)).join("high.m3u8"),
            Way::HlsRanges => media::hls(&Hls { kind: HlsKind::Ranges, ..Hls::seed(60) }).join("high.m3u8"),
            Way::Dash => media::segmented(60).join("number.mpd"),
            Way::DashRanges => media::segmented(60).join("ranges.mpd"),
        }
    }

    /// Another file in the place of the one that is loaded.
    fn replacement(self) -> PathBuf {
        match self {
            Way::File => media::video_of(3_000_000, 61).path,
            Way::Hls => media::hls(&Hls::seed(61)).join("high-001.ts"),
            Way::HlsRanges => media::hls(&Hls { kind: HlsKind::Ranges, ..Hls::seed(61) }).join("high.m4s"),
            Way::Dash => media::segmented(61).join("number-0-00002.m4s"),
            Way::DashRanges => media::segmented(61).join("ranges-0.mp4"),
        }
    }

    fn place(self, rig: &Rig) -> Vec<Rendition> {
        let source = self.source();
        let name = source.file_name().unwrap().to_str().unwrap();
        match self {
            Way::File => {
                let url = rig.web.file_as(HOST, "/v/video.mp4", &source, "video/mp4");
                vec![Rendition { container: Some("mp4".into()), ..Rendition::at(url.parse().unwrap()) }]
            }
            Way::Hls | Way::HlsRanges => vec![hls(&rig.place(source.parent().unwrap(), name))],
            Way::Dash | Way::DashRanges => {
                vec![dash(&rig.place(source.parent().unwrap(), name), "0", Streams::Whole)]
            }
        }
    }

    /// What the path of the media holds that the faults meet: one of several segments, where there are some.
    fn media(self) -> &'static str {
        match self {
            Way::File => "video.mp4",
            Way::Hls => "high-001.ts",
            Way::HlsRanges => "high.m4s",
            Way::Dash => "number-0-00002.m4s",
            Way::DashRanges => "ranges-0.mp4",
        }
    }

    /// What the path of the playlist or manifest holds.
    fn manifest(self) -> Option<&'static str> {
        match self {
            Way::File => None,
            Way::Hls | Way::HlsRanges => Some("high.m3u8"),
            Way::Dash | Way::DashRanges => Some(".mpd"),
        }
    }
}

/// How it must end.
#[derive(Debug, Clone, Copy)]
enum End {
    /// The right file.
    Right,
    /// This error.
    Error(&'static str),
    /// One of these errors.
    Errors(&'static [&'static str]),
    /// The right file, or one of these errors: never a wrong file.
    RightOr(&'static [&'static str]),
}

/// What goes wrong, with whom, and how it ends.
type Row = (&'static str, Vec<Fault>, End);

fn once(part: &str, kind: FaultKind) -> Vec<Fault> {
    vec![Fault::on(HOST, part, kind).times(1)]
}

fn always(part: &str, kind: FaultKind) -> Vec<Fault> {
    vec![Fault::on(HOST, part, kind)]
}

fn rows(way: Way) -> Vec<Row> {
    use FaultKind::*;
    let media = way.media();
    let mut rows: Vec<Row> = vec![
        ("reset before an answer, once", once(media, Reset), End::Right),
        ("reset before an answer, always", always(media, Reset), End::Error("network")),
        ("reset midway, always", always(media, ResetMidway), End::RightOr(&["network"])),
        ("no answer", always(media, Hang), End::Error("timeout")),
        ("silence midway", always(media, StallAt(1000)), End::Error("timeout")),
        ("a drip", always(media, Drip), End::Error("timeout")),
        ("cut off, once", once(media, Truncate), End::Right),
        ("cut off, always", always(media, Truncate), End::RightOr(&["network"])),
        ("a length that is too large, once", once(media, WrongLength(1000)), End::RightOr(&["network"])),
        ("a length that is too large, always", always(media, WrongLength(1000)), End::RightOr(&["network"])),
        (
            "a length that is too small, once",
            once(media, WrongLength(-1000)),
            End::RightOr(&["network", "platform_changed"]),
        ),
        (
            "a length that is too small, always",
            always(media, WrongLength(-1000)),
            End::RightOr(&["network", "platform_changed"]),
        ),
        ("refused", always(media, Status(403)), End::Error("platform_changed")),
        ("gone", always(media, Status(404)), End::Error("platform_changed")),
        ("not here", always(media, Status(451)), End::Error("geo_blocked")),
        // Where a range was asked for, a page is a whole that is too short.
        ("a page instead", always(media, HtmlForJson), End::Errors(&["platform_changed", "network"])),
        (
            "refused when the address expires midway",
            vec![Fault::on(HOST, media, ResetMidway).times(1), Fault::on(HOST, media, Status(403))],
            End::Error("platform_changed"),
        ),
        ("too many requests, for a second", once(media, RateLimit(Some(1))), End::RightOr(&["rate_limited"])),
        ("too many requests, for an hour", always(media, RateLimit(Some(3600))), End::Error("rate_limited")),
        ("too many requests", always(media, RateLimit(None)), End::RightOr(&["rate_limited"])),
        ("a server's fault, once", once(media, Status(503)), End::Right),
        ("a server's fault, always", always(media, Status(500)), End::Error("network")),
    ];
    for (name, at) in [
        ("reset at byte 0", 0),
        ("reset at byte 1", 1),
        ("reset at byte 188", 188),
        ("reset at byte 4096", 4096),
        ("reset at byte 65537", 65_537),
    ] {
        rows.push((name, once(media, ResetAt(at)), End::Right));
    }
    if matches!(way, Way::File | Way::HlsRanges | Way::DashRanges) {
        let replaced = |spared| vec![Fault::on(HOST, media, Replaced(way.replacement())).after(spared)];
        rows.extend([
            ("replaced after the first request", replaced(1), End::RightOr(&["network", "platform_changed"])),
            ("replaced after the second request", replaced(2), End::RightOr(&["network", "platform_changed"])),
        ]);
    }
    if let Some(manifest) = way.manifest() {
        rows.extend([
            ("the manifest: reset, once", once(manifest, ResetMidway), End::Right),
            ("the manifest: a server's fault, once", once(manifest, Status(502)), End::Right),
            ("the manifest: gone", always(manifest, Status(404)), End::Error("platform_changed")),
            ("the manifest: expired", always(manifest, Status(403)), End::Error("platform_changed")),
            ("the manifest: no answer", always(manifest, Hang), End::Error("timeout")),
            ("the manifest: a page instead", always(manifest, HtmlForJson), End::Error("platform_changed")),
            ("the manifest: too many requests", always(manifest, RateLimit(Some(3600))), End::Error("rate_limited")),
        ]);
    }
    rows
}

/// Loads with the faults planted. What is wrong about how it ended, if anything.
async fn cell(way: Way, expected: &str, (name, faults, end): Row) -> Result<(), String> {
    let rig = Rig::with(|settings| settings.downloads.stall = Duration::from_secs(2)).await;
    let renditions = way.place(&rig);
    for fault in faults {
        rig.web.faults().add(fault);
    }
    let (result, left) = rig.load(renditions).await;
    let said = match &result {
        Ok(path) => {
            let only = [path.file_name().unwrap().to_string_lossy().into_owned()];
            // A file that somebody replaced may be the new one, but never parts of both.
            let sum = media::sha256(path);
            let right = sum == expected || (way == Way::File && sum == media::sha256(&way.replacement()));
            match (right, left == only, end) {
                (false, ..) => "a wrong file".to_owned(),
                (_, false, _) => format!("left {left:?}"),
                (_, _, End::Right | End::RightOr(_)) => return Ok(()),
                (_, _, End::Error(_) | End::Errors(_)) => "the right file".to_owned(),
            }
        }
        Err(error) => match end {
            _ if !left.is_empty() => format!("{}, left {left:?}", error.code()),
            End::Error(code) if error.code() == code => return Ok(()),
            End::Errors(codes) | End::RightOr(codes) if codes.contains(&error.code()) => return Ok(()),
            _ => format!("{}: {}", error.code(), error.operator_text()),
        },
    };
    let log: Vec<String> =
        rig.web.requests().iter().map(|seen| format!("    {} {:?}", seen.line(), seen.fault)).collect();
    Err(format!("{way:?}, {name}: {end:?} expected, got {said}\n{}", log.join("\n")))
}

/// The checksum of what is loaded when nothing goes wrong.
async fn undisturbed(way: Way) -> String {
    let rig = Rig::set().await;
    let file = rig.file(way.place(&rig)).await;
    match way {
        Way::File => assert_eq!(media::sha256(&file), media::sha256(&way.source())),
        // The whole file: ffmpeg's own reader of manifests loses segments, or never ends.
        Way::Dash | Way::DashRanges => {
            assert_eq!(pictures(&file), pictures(&way.source().with_file_name("ranges-0.mp4")));
        }
        _ => assert_eq!(pictures(&file), pictures(&way.source())),
    }
    media::sha256(&file)
}

async fn matrix(way: Way) {
    let expected = undisturbed(way).await;
    // Nearly all of them wait for the server rather than work.
    let cells = rows(way).into_iter().map(|row| cell(way, &expected, row));
    let wrong: Vec<String> =
        futures_util::stream::iter(cells).buffer_unordered(40).filter_map(|end| async { end.err() }).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_file_is_right_or_refused_whatever_goes_wrong() {
    matrix(Way::File).await;
}

#[tokio::test]
async fn an_hls_stream_is_right_or_refused_whatever_goes_wrong() {
    matrix(Way::Hls).await;
}

#[tokio::test]
async fn an_hls_stream_of_byte_ranges_is_right_or_refused_whatever_goes_wrong() {
    matrix(Way::HlsRanges).await;
}

#[tokio::test]
async fn a_dash_stream_is_right_or_refused_whatever_goes_wrong() {
    matrix(Way::Dash).await;
}

#[tokio::test]
async fn a_dash_stream_of_byte_ranges_is_right_or_refused_whatever_goes_wrong() {
    matrix(Way::DashRanges).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_fault_of_the_network() {
    let rig = Rig::resolving(Names::default(), |_| {}).await;
    for way in Way::ALL {
        assert_eq!(rig.refused(way.place(&rig)).await, "network", "{way:?}");
    }
}
