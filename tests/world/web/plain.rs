//! Files, pages, redirects, folders and streams that a story placed itself, or that a platform's model serves.

use std::{collections::HashMap, path::PathBuf, sync::Mutex, time::Instant};

use super::{
    http::{Reply, Request},
    lock,
};
use crate::world::media;

/// Seconds a segment of [`media::small_hls`] lasts, and how many there are.
const SEGMENT_SECONDS: u64 = 2;
const SEGMENTS: u64 = 3;

/// What was placed.
#[derive(Default)]
pub(crate) struct Plain {
    /// By host and path.
    placed: Mutex<HashMap<(String, String), Reply>>,
    /// Folders, by host and the path below which their files are.
    folders: Mutex<Vec<(String, String, PathBuf)>>,
    /// Broadcasts, by host and the path below which they run, with their start.
    broadcasts: Mutex<Vec<(String, String, Instant)>>,
}

impl Plain {
    /// Places a reply and returns its https link. A path may hold a query: then the query must match too.
    pub(crate) fn put(&self, host: &str, path: &str, reply: Reply) -> String {
        lock(&self.placed).insert((host.to_ascii_lowercase(), path.to_owned()), reply);
        format!("https://{host}{path}")
    }

    /// Places every file of a folder below a path and returns the link of that path.
    pub(crate) fn put_folder(&self, host: &str, path: &str, folder: PathBuf) -> String {
        let path = path.trim_end_matches('/');
        lock(&self.folders).push((host.to_ascii_lowercase(), format!("{path}/"), folder));
        format!("https://{host}{path}")
    }

    /// Starts a broadcast below a path and returns the link of its playlist.
    pub(crate) fn broadcast(&self, host: &str, path: &str) -> String {
        let path = path.trim_end_matches('/');
        lock(&self.broadcasts).push((host.to_ascii_lowercase(), format!("{path}/"), Instant::now()));
        format!("https://{host}{path}/live.m3u8")
    }

    pub(crate) fn answer(&self, request: &Request) -> Option<Reply> {
        self.single(request).or_else(|| self.in_folder(request)).or_else(|| self.in_broadcast(request))
    }

    fn single(&self, request: &Request) -> Option<Reply> {
        let placed = lock(&self.placed);
        let with_query = request.url.query().map(|query| format!("{}?{query}", request.path));
        with_query
            .and_then(|target| placed.get(&(request.host.clone(), target)))
            .or_else(|| placed.get(&(request.host.clone(), request.path.clone())))
            .cloned()
    }

    fn in_folder(&self, request: &Request) -> Option<Reply> {
        lock(&self.folders).iter().filter(|(host, ..)| *host == request.host).find_map(|(_, base, folder)| {
            let name = request.path.strip_prefix(base.as_str()).filter(|name| !name.contains('/'))?;
            let path = folder.join(name);
            path.is_file().then(|| Reply::file(path, media::stream_type(name)))
        })
    }

    fn in_broadcast(&self, request: &Request) -> Option<Reply> {
        lock(&self.broadcasts).iter().filter(|(host, ..)| *host == request.host).find_map(|(_, base, started)| {
            let name = request.path.strip_prefix(base.as_str())?;
            broadcast_part(name, *started)
        })
    }
}

/// A broadcast's playlist or segment: the same three segments again and again, a window of five, without an end.
pub(crate) fn broadcast_part(name: &str, started: Instant) -> Option<Reply> {
    if name == "live.m3u8" {
        let first = started.elapsed().as_secs() / SEGMENT_SECONDS;
        let mut playlist = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{SEGMENT_SECONDS}\n#EXT-X-MEDIA-SEQUENCE:{first}\n"
        );
        for number in first..first + 5 {
            playlist += &format!("#EXT-X-DISCONTINUITY\n#EXTINF:{SEGMENT_SECONDS}.0,\n{number}.ts\n");
        }
        return Some(Reply::new(200, "application/vnd.apple.mpegurl", playlist));
    }
    let number: u64 = name.strip_suffix(".ts")?.parse().ok()?;
    let segment = media::small_hls(30).join(format!("seg_{:03}.ts", number % SEGMENTS));
    Some(Reply::file(segment, "video/mp2t"))
}
