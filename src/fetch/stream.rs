//! Loads the pieces of a stream into one file: several at once, written in order, a few in memory at a time.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use aes::cipher::{BlockDecryptMut, KeyIvInit, block_padding::Pkcs7};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::{fs::File, io::AsyncWriteExt, sync::OnceCell};
use url::Url;

use super::{
    engine::{self, Lane, Segment},
    manifest::{self, Manifest},
    pieces::{Key, Part, Piece, Span},
    sniff::{self, Served},
    transfer,
};
use crate::model::{Error, Kind, Protocol, Rendition, Result};

/// Pieces on their way or waiting for their turn. Each may be in memory.
const AHEAD: usize = 4;

/// Bytes a piece may have. Segments are a few seconds long; larger ones of known length are loaded by parts.
const MAX_PIECE: u64 = 64 * 1024 * 1024;

/// Bytes of which a key is taken for one; it has 16.
const MAX_KEY: u64 = 4096;

/// Parts of a long piece.
const PART: u64 = 8 * 1024 * 1024;

/// Recordings that one stream may be put together from.
const MAX_RUNS: usize = 64;

/// Loads a manifest as a piece is loaded: tried again, watched for stalls.
///
/// # Errors
/// As for pieces; `platform_changed` when it is no text.
pub(super) async fn manifest(lane: &Lane<'_>, url: &Url, headers: &BTreeMap<String, String>) -> Result<Manifest> {
    let loaded = bounded(lane, url, headers, None, manifest::MAX_BYTES as u64).await?;
    Ok(Manifest { text: manifest::text(loaded.body)?, url: loaded.url })
}

/// Loads something of at most `max_bytes`. More is nothing that the user could do something about, unless it is over the
/// budget, too.
async fn bounded(
    lane: &Lane<'_>,
    url: &Url,
    headers: &BTreeMap<String, String>,
    range: Option<Range<u64>>,
    max_bytes: u64,
) -> Result<Segment> {
    lane.segment(url, headers, range, max_bytes.min(lane.max_bytes())).await.map_err(|error| {
        if *error.kind() == Kind::TooLarge && max_bytes < lane.max_bytes() {
            return Error::platform_changed(format!("a part of a stream has more than {max_bytes} bytes"));
        }
        error
    })
}

/// Loads `pieces` into `path`. What is not a file that plays by itself (MPEG-TS, fragments, several recordings) is copied
/// into one. `rendition`: whose they are.
///
/// # Errors
/// `too_large` over the budget in all; `platform_changed` when a piece is missing or is no media; whatever loading a piece
/// or copying ends in. Nothing stays behind.
pub(super) async fn load(lane: &Lane<'_>, rendition: &Rendition, pieces: Vec<Piece>, path: &Path) -> Result<()> {
    let mut parts = Parts { path, files: Vec::new() };
    match pieces.as_slice() {
        // One piece is a file: loaded as one, by ranges and with all that belongs to it.
        [Piece { part: Part { url, span: None, key: None }, .. }] => {
            let whole = Rendition { url: Some(url.clone()), protocol: Protocol::File, ..rendition.clone() };
            transfer::load(lane, &whole, &parts.another(), None).await?;
        }
        _ => assemble(lane, rendition, pieces, &mut parts).await?,
    }
    let first = parts.files.first().ok_or_else(|| Error::internal("a stream without parts"))?;
    if parts.files.len() == 1 && is_finished(&head(first).await?) {
        tokio::fs::rename(first, path).await?;
        return Ok(());
    }
    lane.media.remux(&parts.files, path, lane.cancel).await
}

/// The files a stream is put together from: removed when dropped.
struct Parts<'a> {
    path: &'a Path,
    files: Vec<PathBuf>,
}

impl Parts<'_> {
    /// The name of the next.
    fn another(&mut self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{:02}", self.files.len()));
        self.files.push(PathBuf::from(&name));
        PathBuf::from(name)
    }
}

impl Drop for Parts<'_> {
    fn drop(&mut self) {
        for file in &self.files {
            // The last one may have its final name already; the job's folder is removed as a whole anyway.
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Loads pieces and writes them in order, a file for each header that replaces another.
async fn assemble(lane: &Lane<'_>, rendition: &Rendition, pieces: Vec<Piece>, parts: &mut Parts<'_>) -> Result<()> {
    if pieces.iter().filter(|piece| piece.header && piece.starts).count() >= MAX_RUNS {
        return Err(Error::platform_changed("a stream of too many recordings"));
    }
    let mut progress = Progress::of(&pieces);
    let known = Known::default();
    let loads = split(pieces).map(|piece| {
        let known = &known;
        async move { Ok::<_, Error>((one(lane, rendition, &piece.part, known).await?, piece)) }.boxed()
    });
    let ahead = AHEAD.min(lane.engine.hosts.per_host()).max(1);
    let mut loaded = futures_util::stream::iter(loads).buffered(ahead);
    let mut file: Option<File> = None;
    while let Some(next) = loaded.next().await {
        let (body, piece) = next?;
        progress.add(&piece, body.len() as u64);
        if progress.written > lane.max_bytes() {
            return Err(engine::too_large(lane.max_bytes(), None));
        }
        if piece.header
            && piece.starts
            && let Some(mut full) = file.take()
        {
            full.flush().await?;
        }
        let out = match &mut file {
            Some(out) => out,
            None => file.insert(File::create(parts.another()).await?),
        };
        out.write_all(&body).await?;
        (lane.report)(progress.written, progress.estimate());
    }
    if let Some(mut file) = file {
        file.flush().await?;
    }
    (lane.report)(progress.written, Some(progress.written));
    Ok(())
}

/// Long pieces of known length by parts: so that few bytes are in memory.
fn split(pieces: Vec<Piece>) -> impl Iterator<Item = Piece> {
    pieces.into_iter().flat_map(|piece| {
        let Some(span) = piece.part.span.filter(|span| span.length() > PART && piece.part.key.is_none()) else {
            return VecDeque::from([piece]);
        };
        let mut parts = VecDeque::new();
        let mut at = span.start();
        while let Some(next) = Span::new(at, PART.min(span.end().saturating_sub(at))) {
            parts.push_back(Piece {
                part: Part { span: Some(next), ..piece.part.clone() },
                seconds: piece.seconds * next.length() as f64 / span.length() as f64,
                header: piece.header,
                starts: piece.starts && at == span.start(),
            });
            at = next.end();
        }
        parts
    })
}

/// One piece, decrypted.
async fn one(lane: &Lane<'_>, rendition: &Rendition, part: &Part, known: &Known) -> Result<Bytes> {
    let range = part.span.map(|span| span.start()..span.end());
    let loaded = bounded(lane, &part.url, &rendition.headers, range, MAX_PIECE).await?;
    if part.span.is_some() {
        known.same_version(&part.url, loaded.version)?;
    }
    let body = match &part.key {
        Some(key) => decrypt(loaded.body, &known.key(lane, rendition, key).await?, &key.iv)?,
        None => loaded.body,
    };
    if body.is_empty() {
        return Err(Error::new(Kind::Network, "an empty segment"));
    }
    let first = body.get(..body.len().min(sniff::ENOUGH)).unwrap_or_default();
    if sniff::served(first, loaded.content_type.as_deref()) == Served::Text {
        let host = part.url.host_str().unwrap_or_default();
        return Err(Error::platform_changed(format!("{host} served text where a segment was expected")));
    }
    if part.span.is_none() && !is_whole(&body) {
        return Err(Error::new(Kind::Network, "a segment that is cut off"));
    }
    Ok(body)
}

/// Whether a segment ends where it must, as far as its format tells: a cut one would leave a gap that nobody notices.
/// MPEG-TS consists of packets of 188 bytes, MP4 of boxes that tell their lengths.
fn is_whole(body: &[u8]) -> bool {
    const PACKET: usize = 188;
    const SYNC: Option<&u8> = Some(&0x47);
    if body.first() == SYNC && (body.len() < PACKET || body.get(PACKET) == SYNC) {
        return body.len().is_multiple_of(PACKET);
    }
    let boxes = [b"styp", b"sidx", b"moof", b"ftyp", b"emsg", b"prft"];
    if !body.get(4..8).is_some_and(|name| boxes.iter().any(|known| *known == name)) {
        return true;
    }
    let mut left = body;
    while let Some((length, _)) = left.split_first_chunk::<4>() {
        let length = match u32::from_be_bytes(*length) {
            // Up to the end.
            0 => return true,
            // Told in 64 bits, behind the name.
            1 => left.get(8..16).and_then(|long| long.try_into().ok()).map_or(u64::MAX, u64::from_be_bytes),
            length => u64::from(length),
        };
        let rest = usize::try_from(length).ok().filter(|length| *length >= 8).and_then(|length| left.get(length..));
        let Some(rest) = rest else { return false };
        left = rest;
    }
    left.is_empty()
}

/// What is known about one stream after some pieces.
#[derive(Default)]
struct Known {
    /// Its keys, each loaded once.
    keys: Mutex<HashMap<Url, Arc<OnceCell<[u8; 16]>>>>,
    /// The versions of the files that it is loaded from by ranges.
    versions: Mutex<HashMap<Url, String>>,
}

impl Known {
    async fn key(&self, lane: &Lane<'_>, rendition: &Rendition, key: &Key) -> Result<[u8; 16]> {
        let cell = self.keys.lock().unwrap_or_else(PoisonError::into_inner).entry(key.url.clone()).or_default().clone();
        let load = async {
            let loaded = bounded(lane, &key.url, &rendition.headers, None, MAX_KEY).await?;
            <[u8; 16]>::try_from(loaded.body.as_ref())
                .map_err(|_| Error::platform_changed(format!("a key of {} bytes", loaded.body.len())))
        };
        cell.get_or_try_init(|| load).await.copied()
    }

    /// Ranges of two versions of a file make no file.
    fn same_version(&self, url: &Url, version: Option<String>) -> Result<()> {
        let Some(version) = version else { return Ok(()) };
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if *versions.entry(url.clone()).or_insert_with(|| version.clone()) == version {
            return Ok(());
        }
        Err(Error::new(Kind::Network, "a file was replaced while its ranges were loaded"))
    }
}

fn decrypt(body: Bytes, key: &[u8; 16], iv: &[u8; 16]) -> Result<Bytes> {
    let cipher = cbc::Decryptor::<aes::Aes128>::new(key.into(), iv.into());
    let mut body = Vec::from(body);
    let length = cipher
        .decrypt_padded_mut::<Pkcs7>(&mut body)
        .map_err(|_| Error::platform_changed("a segment that its key does not open"))?
        .len();
    body.truncate(length);
    Ok(body.into())
}

/// How much there is, and how much there will be.
struct Progress {
    written: u64,
    /// Where every piece tells its bytes.
    exact: Option<u64>,
    played: f64,
    seconds: f64,
}

impl Progress {
    fn of(pieces: &[Piece]) -> Self {
        Self {
            written: 0,
            exact: pieces.iter().map(|piece| piece.part.span.map(|span| span.length())).sum(),
            played: 0.0,
            seconds: pieces.iter().map(|piece| piece.seconds).sum(),
        }
    }

    fn add(&mut self, piece: &Piece, bytes: u64) {
        self.written = self.written.saturating_add(bytes);
        self.played += piece.seconds;
    }

    /// As the bytes so far relate to the time they play.
    fn estimate(&self) -> Option<u64> {
        self.exact.or_else(|| (self.played > 0.0).then(|| (self.written as f64 * self.seconds / self.played) as u64))
    }
}

async fn head(path: &Path) -> Result<Vec<u8>> {
    use tokio::io::AsyncReadExt;
    let mut head = Vec::with_capacity(sniff::ENOUGH);
    File::open(path).await?.take(sniff::ENOUGH as u64).read_to_end(&mut head).await?;
    Ok(head)
}

/// Whether pieces one after another are a file as players know it. MPEG-TS, raw AAC and fragments of MP4 are not.
fn is_finished(head: &[u8]) -> bool {
    matches!(sniff::served(head, None), Served::Media { mime, .. } if !mime.ends_with("/mp4") && !mime.ends_with("aac"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(url: &str, span: Option<(u64, u64)>, seconds: f64) -> Piece {
        let span = span.and_then(|(start, length)| Span::new(start, length));
        Piece::segment(Part { span, ..Part::at(Url::parse(url).unwrap()) }, seconds)
    }

    #[test]
    fn ranges_of_two_versions_of_a_file_are_refused() {
        let (known, url) = (Known::default(), Url::parse("https://v.example/v").unwrap());
        let is_same = |url: &Url, version: Option<&str>| known.same_version(url, version.map(String::from)).is_ok();
        assert!(is_same(&url, Some("one")) && is_same(&url, Some("one")) && is_same(&url, None));
        assert!(!is_same(&url, Some("two")));
        assert!(is_same(&url.join("/w").unwrap(), Some("two")), "another file");
    }

    #[test]
    fn long_pieces_of_known_length_are_loaded_by_parts() {
        let header = Piece { starts: true, ..Piece::header(piece("https://v.example/v", Some((0, 10)), 0.0).part) };
        let long = Piece { starts: true, ..piece("https://v.example/v", Some((10, 2 * PART + 5)), 8.0) };
        let whole = piece("https://v.example/w", None, 4.0);
        let parts: Vec<Piece> = split(vec![header.clone(), long, whole.clone()]).collect();
        let spans: Vec<_> = parts[1..4]
            .iter()
            .map(|p| (p.part.span.unwrap().start(), p.part.span.unwrap().length(), p.starts))
            .collect();
        assert_eq!(spans, [(10, PART, true), (10 + PART, PART, false), (10 + 2 * PART, 5, false)]);
        assert!((parts[1..4].iter().map(|p| p.seconds).sum::<f64>() - 8.0).abs() < 1e-9);
        assert_eq!((&parts[0], &parts[4], parts.len()), (&header, &whole, 5));
    }

    #[test]
    fn sizes_are_estimated_from_what_has_come_unless_all_are_told() {
        let pieces = [piece("https://v.example/1", None, 2.0), piece("https://v.example/2", None, 6.0)];
        let mut progress = Progress::of(&pieces);
        assert_eq!(progress.estimate(), None);
        progress.add(&pieces[0], 100);
        assert_eq!(progress.estimate(), Some(400));
        let told =
            [piece("https://v.example/v", Some((0, 70)), 0.0), piece("https://v.example/v", Some((70, 30)), 0.0)];
        assert_eq!(Progress::of(&told).estimate(), Some(100));
    }

    #[test]
    fn cut_segments_are_noticed_where_their_format_tells() {
        let mut ts = vec![0; 376];
        (ts[0], ts[188]) = (0x47, 0x47);
        let mut mp4 = b"\0\0\0\x0cstypmsdh\0\0\0\x01mdat\0\0\0\0\0\0\0\x12ab".to_vec();
        assert!(is_whole(&ts) && is_whole(&mp4) && is_whole(&[0xff, 0xfb, 1, 2, 3, 4, 5, 6, 7]));
        for cut in [375, 200, 189] {
            assert!(!is_whole(&ts[..cut]), "{cut}");
        }
        for cut in [8, 11, 13, 15, 20, 29] {
            assert!(!is_whole(&mp4[..cut]), "{cut}");
        }
        mp4[15] = 0;
        assert!(is_whole(&mp4[..20]), "up to the end");
        mp4[15] = 7;
        assert!(!is_whole(&mp4), "a box that is shorter than its head");
    }

    #[test]
    fn wrong_keys_and_cut_ciphertext_are_noticed() {
        use aes::cipher::BlockEncryptMut;
        let (key, iv) = ([7; 16], [9; 16]);
        let locked =
            cbc::Encryptor::<aes::Aes128>::new(&key.into(), &iv.into()).encrypt_padded_vec_mut::<Pkcs7>(&[200; 40]);
        assert_eq!(decrypt(locked.clone().into(), &key, &iv).unwrap(), [200; 40][..]);
        for (body, key) in [(&locked[..], [8; 16]), (&locked[..32], key), (&locked[..33], key), (&[], key)] {
            assert_eq!(decrypt(Bytes::copy_from_slice(body), &key, &iv).unwrap_err().code(), "platform_changed");
        }
    }

    #[test]
    fn streams_that_are_no_files_yet_are_told_by_their_first_bytes() {
        let mut ts = vec![0; 400];
        (ts[0], ts[188], ts[376]) = (0x47, 0x47, 0x47);
        for (head, finished) in [
            (ts.as_slice(), false),
            (b"\0\0\0\x20ftypiso5\0\0\x02\0iso5iso6mp41", false),
            (b"\xff\xf1\x50\x80\0\0\0", false),
            (b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x84webm", true),
            (b"\xff\xfb\x90\x64\0\0", true),
            (b"OggS\0\x02", true),
        ] {
            assert_eq!(is_finished(head), finished, "{head:?}");
        }
    }
}
