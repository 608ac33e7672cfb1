//! Streams are loaded in process into one file that holds exactly what the real ffmpeg finds in them.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use boss_bot::{
    fetch::{Download, Fetcher},
    media::Media,
    model::{FileType, Item, MediaMetadata, Options, Phase, Progress, Protocol, Rendition, Result, Streams},
    net::Egress,
    settings::Settings,
    tools::Tools,
};
use tokio_util::sync::CancellationToken;

use crate::{
    site::{Names, Site, Traps},
    world::{
        media::{self, Hls, HlsKind},
        stage,
        tls::Authority,
        web::{Reply, Web},
    },
};

/// Where the streams lie.
pub const HOST: &str = "cdn.example";

/// The real downloads against a stand-in web.
pub struct Rig {
    pub web: Web,
    pub settings: Settings,
    pub cancel: CancellationToken,
    pub progress: Progress,
    pub phases: tokio::sync::watch::Receiver<Phase>,
    egress: Egress,
    dir: tempfile::TempDir,
}

impl Rig {
    pub async fn set() -> Self {
        Self::with(|_| {}).await
    }

    /// With settings changed.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = tempfile::tempdir().unwrap();
        let mut settings = stage::settings(&authority, &web, dir.path());
        change(&mut settings);
        let egress = Egress::new(&settings.network).unwrap();
        Self::of(web, settings, egress, dir)
    }

    /// Without an upstream proxy: names are resolved by `names`.
    pub async fn resolving(names: Names, change: impl FnOnce(&mut Settings)) -> Self {
        let authority = Authority::new();
        let web = Web::start(&authority).await;
        let dir = tempfile::tempdir().unwrap();
        let mut settings = stage::settings(&authority, &web, dir.path());
        settings.network.proxy = None;
        change(&mut settings);
        let egress = Egress::with_names(&settings.network, Arc::new(names)).unwrap();
        Self::of(web, settings, egress, dir)
    }

    fn of(web: Web, settings: Settings, egress: Egress, dir: tempfile::TempDir) -> Self {
        let (progress, phases) = Progress::new();
        Self { web, settings, cancel: CancellationToken::new(), progress, phases, egress, dir }
    }

    /// Loads one video, and says what is in the job's folder then.
    pub async fn load(&self, renditions: Vec<Rendition>) -> (Result<PathBuf>, Vec<String>) {
        let item = Item::new(FileType::Video, renditions);
        let metadata = MediaMetadata { items: vec![item], ..MediaMetadata::default() };
        let tools = Arc::new(Tools::new(&self.settings, self.egress.clone()));
        let media = Media::new(self.settings.compression.clone(), tools);
        let fetcher = Fetcher::new(self.egress.client(), &self.settings.downloads);
        let dir = tempfile::Builder::new().tempdir_in(self.dir.path()).unwrap().keep();
        let download = Download {
            key: None,
            metadata: &metadata,
            options: &Options::default(),
            limit: None,
            media: &media,
            dir: &dir,
            progress: &self.progress,
            cancel: &self.cancel,
        };
        let result = fetcher.download(download).await.map(|paths| paths[0].clone());
        let left = std::fs::read_dir(&dir).unwrap();
        (result, left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect())
    }

    /// Loads one video, which must work and leave nothing else behind.
    pub async fn file(&self, renditions: Vec<Rendition>) -> PathBuf {
        let (result, left) = self.load(renditions).await;
        let path = result.unwrap();
        assert_eq!(left, [path.file_name().unwrap().to_string_lossy()]);
        path
    }

    /// Loads one video, which must fail and leave nothing behind: the code of the error.
    pub async fn refused(&self, renditions: Vec<Rendition>) -> &'static str {
        let (result, left) = self.load(renditions).await;
        let error = result.unwrap_err();
        assert_eq!(left, Vec::<String>::new(), "{}", error.operator_text());
        error.code()
    }

    /// Places a stream and names one of its files.
    pub fn place(&self, folder: &Path, name: &str) -> String {
        format!("{}/{name}", self.web.folder(HOST, "/v", folder))
    }
}

impl Rig {
    /// Places a stream whose segments are held back before their first byte until they are released.
    fn held(&self, folder: &Path) -> Rendition {
        let text = std::fs::read_to_string(folder.join("high.m3u8")).unwrap();
        self.web.folder(HOST, "/v", folder);
        self.web.hold_downloads_at(0);
        // Not as a file, or it would be held, too.
        hls(&self.web.reply(HOST, "/v/list.m3u8", Reply::new(200, "application/vnd.apple.mpegurl", text)))
    }
}

/// A whole HLS stream.
pub fn hls(url: &str) -> Rendition {
    Rendition { protocol: Protocol::Hls, container: Some("mp4".into()), ..Rendition::at(url.parse().unwrap()) }
}

/// A stream of a DASH manifest.
pub fn dash(url: &str, id: &str, streams: Streams) -> Rendition {
    let container = if streams == Streams::AudioOnly { "m4a" } else { "mp4" };
    let format_id = Some(id.to_owned());
    Rendition { protocol: Protocol::Dash, format_id, streams, container: Some(container.into()), ..hls(url) }
}

fn ffmpeg(args: &[&str]) -> String {
    let output = Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The hashes in what framemd5 says, one a frame or packet. Side data has hashes of its own, behind.
fn hashes(text: &str) -> Vec<String> {
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split(',').nth(5).unwrap().trim().to_owned()).collect()
}

/// The pictures of a file or local playlist, decoded.
pub fn pictures(input: &Path) -> Vec<String> {
    let input = input.to_str().unwrap();
    hashes(&ffmpeg(
        &["-allowed_extensions", "ALL", "-i", input, "-map", "0:v:0", "-vsync", "0", "-f", "framemd5", "-"]
            [skip(input)..],
    ))
}

/// The packets of sound, without what containers wrap around them.
fn sounds(input: &Path) -> Vec<String> {
    let input = input.to_str().unwrap();
    let args = [
        "-allowed_extensions",
        "ALL",
        "-i",
        input,
        "-map",
        "0:a:0",
        "-c",
        "copy",
        "-bsf:a",
        "aac_adtstoasc",
        "-f",
        "framemd5",
        "-",
    ];
    hashes(&ffmpeg(&args[skip(input)..]))
}

/// Only the HLS reader knows that option.
fn skip(input: &str) -> usize {
    if input.ends_with(".m3u8") { 0 } else { 2 }
}

/// Seconds, and what plays in which container.
fn about(path: &Path) -> (f64, String) {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-show_entries", "stream=codec_name:format=format_name,duration"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (streams, format): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| !line.contains('.'));
    let (name, seconds) = format[0].rsplit_once(',').unwrap();
    (seconds.parse().unwrap(), format!("{} in {}", streams.join("+"), name.trim_matches('"')))
}

/// Whether its index is in front, so that it plays before it is loaded whole, and is not cut into fragments.
fn starts_at_once(path: &Path) -> bool {
    let bytes = std::fs::read(path).unwrap();
    let find = |name: &[u8]| bytes.windows(4).position(|window| window == name);
    find(b"moov").unwrap() < find(b"mdat").unwrap() && find(b"moof").is_none()
}

#[tokio::test]
async fn each_kind_of_hls_stream_becomes_one_file_with_all_its_pictures_and_sound() {
    for (index, kind) in HlsKind::ALL.into_iter().enumerate() {
        let folder = media::hls(&Hls { kind, width: 320, height: 180, ..Hls::seed(40 + index as u32 * 2) });
        let rig = Rig::set().await;
        let file = rig.file(vec![hls(&rig.place(&folder, media::HLS_MASTER))]).await;
        let (seconds, what) = about(&file);
        assert!((seconds - 6.0).abs() < 0.15, "{kind:?}: {seconds}");
        assert_eq!(what, "h264+aac in mov,mp4,m4a,3gp,3g2,mj2", "{kind:?}");
        assert!(starts_at_once(&file), "{kind:?}");
        let high = folder.join("high.m3u8");
        let (seen, heard) = (pictures(&file), sounds(&file));
        assert_eq!(seen.len(), 150, "{kind:?}");
        match kind {
            // ffmpeg itself loses what follows the second header: each recording is read alone.
            HlsKind::ChangingMaps => {
                let recordings = ["a", "b"].map(|part| {
                    let whole = folder.parent().unwrap().join(format!("whole-{}-{part}.mp4", std::process::id()));
                    let pieces =
                        ["init.mp4", "000.m4s", "001.m4s"].map(|piece| folder.join(format!("high-{part}-{piece}")));
                    std::fs::write(&whole, pieces.map(|piece| std::fs::read(piece).unwrap()).concat()).unwrap();
                    let found = (pictures(&whole), sounds(&whole));
                    std::fs::remove_file(whole).unwrap();
                    found
                });
                let [(one, one_sound), (two, two_sound)] = recordings;
                assert_eq!(seen, [one, two].concat(), "{kind:?}");
                assert_eq!(heard, [one_sound, two_sound].concat(), "{kind:?}");
            }
            HlsKind::SoundApart => {
                assert_eq!(seen, pictures(&high), "{kind:?}");
                assert_eq!(heard, sounds(&folder.join("sound.m3u8")), "{kind:?}");
            }
            _ => {
                assert_eq!(seen, pictures(&high), "{kind:?}");
                assert_eq!(heard, sounds(&high), "{kind:?}");
            }
        }
        assert!(rig.web.unexpected().is_empty(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_variant_is_loaded_alone_and_its_sound_joined_from_a_rendition_of_its_own() {
    let folder = media::hls(&Hls { kind: HlsKind::SoundApart, ..Hls::seed(48) });
    let rig = Rig::set().await;
    let picture = Rendition { streams: Streams::VideoOnly, ..hls(&rig.place(&folder, "low.m3u8")) };
    let sound = Rendition {
        streams: Streams::AudioOnly,
        container: Some("m4a".into()),
        ..hls(&format!("https://{HOST}/v/sound.m3u8"))
    };
    let file = rig.file(vec![picture, sound.clone()]).await;
    assert_eq!(pictures(&file), pictures(&folder.join("low.m3u8")));
    assert_eq!(sounds(&file), sounds(&folder.join("sound.m3u8")));
    assert!(rig.web.requests().iter().all(|seen| !seen.path.contains("high")));
    let alone = rig.file(vec![Rendition { streams: Streams::Whole, ..sound }]).await;
    assert_eq!(about(&alone).1, "aac in mov,mp4,m4a,3gp,3g2,mj2");
    assert_eq!(sounds(&alone), sounds(&folder.join("sound.m3u8")));
}

#[tokio::test]
async fn each_kind_of_segmented_dash_becomes_one_file_with_all_its_pictures_and_sound() {
    let folder = media::segmented(50);
    for name in media::MANIFESTS {
        let rig = Rig::set().await;
        let url = rig.place(&folder, name);
        let file = rig.file(vec![dash(&url, "0", Streams::VideoOnly), dash(&url, "2", Streams::AudioOnly)]).await;
        let (seconds, what) = about(&file);
        assert!((seconds - 6.0).abs() < 0.15, "{name}: {seconds}");
        assert_eq!(what, "h264+aac in mov,mp4,m4a,3gp,3g2,mj2", "{name}");
        assert!(starts_at_once(&file), "{name}");
        let seen = pictures(&file);
        assert_eq!(seen.len(), 150, "{name}");
        // The whole files that the manifest of ranges is about: all manifests describe the same video, and ffmpeg's own
        // reader loses the first segment of one, and never ends reading another.
        assert_eq!(seen, pictures(&folder.join("ranges-0.mp4")), "{name}");
        assert_eq!(sounds(&file), sounds(&folder.join("ranges-2.mp4")), "{name}");
        assert!(rig.web.unexpected().is_empty(), "{name}");
        assert_eq!(rig.refused(vec![dash(&url, "9", Streams::Whole)]).await, "platform_changed", "{name}");
    }
}

#[tokio::test]
async fn a_few_segments_are_loaded_at_once_and_no_more() {
    let folder = media::hls(&Hls { seconds: 20, width: 320, height: 180, ..Hls::seed(52) });
    let rig = Rig::set().await;
    let renditions = vec![rig.held(&folder)];
    let watch = async {
        rig.web.wait_for_held_downloads(4).await;
        let asked = rig.web.requests().iter().filter(|seen| seen.path.ends_with(".ts")).count();
        rig.web.release();
        asked
    };
    let (file, asked) = tokio::join!(rig.file(renditions), watch);
    assert_eq!(asked, 4);
    assert_eq!(pictures(&file), pictures(&folder.join("high.m3u8")));
    let Phase::Downloading { done, total } = rig.phases.borrow().clone() else { panic!("no progress") };
    let bytes: u64 = (0..10).map(|n| folder.join(format!("high-{n:03}.ts")).metadata().unwrap().len()).sum();
    assert_eq!((done, total), (bytes, Some(bytes)));
}

#[tokio::test]
async fn the_budget_holds_for_all_segments_together() {
    let folder = media::hls(&Hls::seed(40));
    let segment = folder.join("high-000.ts").metadata().unwrap().len();
    let rig = Rig::with(|settings| settings.downloads.max_file_bytes = segment * 3 / 2).await;
    assert_eq!(rig.refused(vec![hls(&rig.place(&folder, "high.m3u8"))]).await, "too_large");
    let folder = media::segmented(50);
    let url = format!("{}/number.mpd", rig.web.folder(HOST, "/dash", folder));
    let rig = Rig {
        settings: {
            let mut s = rig.settings.clone();
            s.downloads.max_file_bytes = 200_000;
            s
        },
        ..rig
    };
    assert_eq!(rig.refused(vec![dash(&url, "0", Streams::Whole)]).await, "too_large");
}

#[tokio::test]
async fn a_cancelled_stream_leaves_nothing_behind() {
    let folder = media::hls(&Hls { seconds: 20, width: 320, height: 180, ..Hls::seed(52) });
    let rig = Rig::set().await;
    let load = rig.refused(vec![rig.held(&folder)]);
    let stop = async {
        rig.web.wait_for_held_downloads(4).await;
        rig.cancel.cancel();
    };
    let (code, ()) = tokio::join!(load, stop);
    assert_eq!(code, "cancelled");
}

#[tokio::test]
async fn broadcasts_protected_streams_and_streams_with_gaps_are_refused() {
    let rig = Rig::set().await;
    assert_eq!(rig.refused(vec![hls(&rig.web.live(HOST, "/live"))]).await, "live");
    let folder = media::hls(&Hls::seed(40));
    rig.web.folder(HOST, "/v", &folder);
    let playlist = |name: &str, text: &str| {
        let reply = Reply::new(200, "application/vnd.apple.mpegurl", text.to_owned());
        hls(&rig.web.reply(HOST, &format!("/v/{name}"), reply))
    };
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";
    for (name, text) in [
        (
            "drm.m3u8",
            format!("{head}#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n#EXTINF:2,\nhigh-000.ts\n#EXT-X-ENDLIST\n"),
        ),
        ("gap.m3u8", format!("{head}#EXTINF:2,\nhigh-000.ts\n#EXT-X-GAP\n#EXTINF:2,\nhigh-001.ts\n#EXT-X-ENDLIST\n")),
        ("gone.m3u8", format!("{head}#EXTINF:2,\nhigh-000.ts\n#EXTINF:2,\nhigh-009.ts\n#EXT-X-ENDLIST\n")),
        ("text.m3u8", format!("{head}#EXTINF:2,\nhigh-000.ts\n#EXTINF:2,\nmaster.m3u8\n#EXT-X-ENDLIST\n")),
        (
            "range.m3u8",
            format!(
                "{head}#EXTINF:2,\nhigh-000.ts\n#EXTINF:2,\n#EXT-X-BYTERANGE:9@99999999\nhigh-001.ts\n#EXT-X-ENDLIST\n"
            ),
        ),
        (
            "key.m3u8",
            format!(
                "{head}#EXT-X-KEY:METHOD=AES-128,URI=\"high-000.ts\"\n#EXTINF:2,\nhigh-000.ts\n#EXTINF:2,\nhigh-001.ts\n#EXT-X-ENDLIST\n"
            ),
        ),
        ("page.m3u8", "<html>sign in</html>".to_owned()),
    ] {
        let rendition = playlist(name, &text);
        assert_eq!(rig.refused(vec![rendition]).await, "platform_changed", "{name}");
    }
}

#[tokio::test]
async fn nothing_in_a_playlist_or_manifest_leads_to_a_private_address() {
    let traps = Traps::set().await;
    let site = Site::start().await;
    let rig = Rig::resolving(Names::lying(), |settings| {
        settings.network.allow_private = site.network().allow_private;
    })
    .await;
    assert_eq!(about(&rig.file(vec![hls(site.url("/good.m3u8").as_str())]).await).1, "h264 in mov,mp4,m4a,3gp,3g2,mj2");
    let targets = [
        format!("http://127.0.0.1:{}/", traps.port),
        "http://127.0.0.1/".to_owned(),
        "http://[::1]/".to_owned(),
        "http://loopback.example/".to_owned(),
        "http://mixed.example/".to_owned(),
        site.leading("/redirect/302", "http://127.0.0.1/"),
        site.leading("/redirect/307", "http://six.example/"),
    ];
    for target in &targets {
        for page in ["/segment.m3u8", "/key.m3u8", "/map.m3u8", "/master.m3u8"] {
            let code = rig.refused(vec![hls(&site.leading(page, target))]).await;
            assert_eq!(code, "blocked_address", "{page} {target}");
        }
        for page in ["/dash.mpd", "/segments.mpd"] {
            let code = rig.refused(vec![dash(&site.leading(page, target), "1", Streams::Whole)]).await;
            assert_eq!(code, "blocked_address", "{page} {target}");
        }
        assert_eq!(rig.refused(vec![hls(target)]).await, "blocked_address", "{target}");
    }
    for page in ["/segment.m3u8", "/key.m3u8", "/map.m3u8", "/master.m3u8", "/dash.mpd", "/segments.mpd"] {
        let link = site.leading(page, "file:///etc/passwd");
        let rendition = if page.ends_with("mpd") { dash(&link, "1", Streams::Whole) } else { hls(&link) };
        assert_eq!(rig.refused(vec![rendition]).await, "platform_changed", "{page}");
    }
    traps.assert_silent().await;
}
