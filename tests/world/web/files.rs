//! Files from disk as file servers send them: HEAD, ranges, ETag, conditional requests; streamed, never whole in memory.

use std::{io::SeekFrom, path::Path, time::UNIX_EPOCH};

use bytes::BytesMut;
use futures_util::stream;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::{Method, Response, StatusCode, body::Frame};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt},
};

use super::{
    downloads::{Download, Downloads},
    http::Request,
    server::WireBody,
};

/// Bytes read from disk at once.
const CHUNK: usize = 256 * 1024;

/// What a `Range` header amounts to.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Everything.
    All,
    /// From the first to the last byte, both included.
    Part(u64, u64),
    /// Nothing that exists: 416.
    Beyond,
}

/// Fills a response with the file: status, length, range and entity headers, body.
pub(super) async fn serve(
    path: &Path,
    length_known: bool,
    request: &Request,
    mut response: hyper::http::response::Builder,
    downloads: &Downloads,
) -> Response<WireBody> {
    let Ok(mut file) = File::open(path).await else {
        return response.status(StatusCode::INTERNAL_SERVER_ERROR).body(nothing()).expect("a response");
    };
    let meta = file.metadata().await.expect("the file's metadata");
    let whole = meta.len();
    let changed = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let etag = format!("\"{whole:x}-{:x}\"", changed.as_nanos());

    if request.header("if-none-match") == Some(etag.as_str()) {
        return response.status(304).header("etag", etag).body(nothing()).expect("a response");
    }
    // A range is only good for the version the client knows.
    let same_version = request.header("if-range").is_none_or(|known| known == etag);
    let wanted = match request.header("range") {
        Some(range) if length_known && same_version => parse_range(range, whole),
        _ => Wanted::All,
    };
    let (first, last) = match wanted {
        Wanted::Beyond => {
            response = response.status(416).header("content-range", format!("bytes */{whole}"));
            return response.header("content-length", 0).body(nothing()).expect("a response");
        }
        Wanted::All => (0, whole.saturating_sub(1)),
        Wanted::Part(first, last) => {
            response = response.status(206).header("content-range", format!("bytes {first}-{last}/{whole}"));
            (first, last)
        }
    };
    let length = if whole == 0 { 0 } else { last - first + 1 };
    response = response.header("etag", etag);
    if length_known {
        response = response.header("accept-ranges", "bytes").header("content-length", length);
    }
    if request.method == Method::HEAD {
        return response.body(nothing()).expect("a response");
    }
    file.seek(SeekFrom::Start(first)).await.expect("a seek inside the file");
    response.body(stream_of(file, length, downloads.begin())).expect("a response")
}

/// No body.
pub(super) fn nothing() -> WireBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// What is sent, and how far it is.
struct Sending {
    file: File,
    sent: u64,
    length: u64,
    download: Download,
}

fn stream_of(file: File, length: u64, download: Download) -> WireBody {
    let frames = stream::unfold(Sending { file, sent: 0, length, download }, |mut sending| async move {
        let left = sending.length - sending.sent;
        if left == 0 {
            return None;
        }
        let mut allowed = sending.download.allowance(sending.length).saturating_sub(sending.sent);
        if allowed == 0 {
            sending.download.pass().await;
            allowed = left;
        }
        let size = left.min(allowed).min(CHUNK as u64) as usize;
        let mut chunk = BytesMut::zeroed(size);
        match sending.file.read_exact(&mut chunk).await {
            Ok(_) => {
                sending.sent += size as u64;
                Some((Ok(Frame::data(chunk.freeze())), sending))
            }
            Err(error) => {
                sending.length = sending.sent;
                Some((Err(error), sending))
            }
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

/// The same chunk again and again.
pub(super) fn endless(download: Download) -> WireBody {
    let chunk = bytes::Bytes::from(vec![0x5A; CHUNK]);
    let frames = stream::unfold((chunk, download), |(chunk, download)| async move {
        Some((Ok(Frame::data(chunk.clone())), (chunk, download)))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// Reads a `Range` header. Several ranges, other units and nonsense count as no range, as servers may.
fn parse_range(header: &str, whole: u64) -> Wanted {
    let Some((first, last)) = header.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Wanted::All;
    };
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), _) if first >= whole => Wanted::Beyond,
        (Ok(first), Ok(last)) if last >= first => Wanted::Part(first, last.min(whole - 1)),
        (Ok(first), Err(_)) if last.trim().is_empty() => Wanted::Part(first, whole - 1),
        (Err(_), Ok(0)) if first.trim().is_empty() => Wanted::Beyond,
        (Err(_), Ok(count)) if first.trim().is_empty() && whole > 0 => {
            Wanted::Part(whole.saturating_sub(count), whole - 1)
        }
        _ => Wanted::All,
    }
}
