//! What a file is, told by its first bytes: names and servers' headers lie.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
};

use super::bmff;
use crate::model::FileType;

/// Enough for every signature, the codec names of a WebM header and two packets of a transport stream.
const HEAD: u64 = 16 * 1024;

/// A type of file: MIME type, the extension its name gets, and what we do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) struct Sniffed {
    /// For example `video/mp4`.
    pub mime: &'static str,
    /// Without the dot.
    pub extension: &'static str,
    /// What it is to us.
    pub kind: FileType,
}

const fn is(mime: &'static str, extension: &'static str, kind: FileType) -> Sniffed {
    Sniffed { mime, extension, kind }
}

use FileType::{Audio, Image, Other, Video};

/// Anything we have no name for.
const UNKNOWN: Sniffed = is("application/octet-stream", "bin", Other);

/// Reads the first bytes (and, in ISO media files, the handlers of the tracks) of `path`.
pub(in crate::media) fn file(path: &Path) -> io::Result<Sniffed> {
    let mut file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut head = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut head)?;
    if head.get(4..8) == Some(b"ftyp") {
        file.rewind()?;
        return Ok(iso(&bmff::outline(&mut file, len)?));
    }
    Ok(bytes(&head))
}

/// mp4 and its relatives.
fn iso(outline: &bmff::Outline) -> Sniffed {
    let has = |brand: &[u8; 4]| outline.brands.contains(brand);
    let major = outline.brands.first();
    if has(b"avif") || has(b"avis") {
        return is("image/avif", "avif", Image);
    }
    if [b"heic", b"heix", b"hevc", b"hevx"].into_iter().any(has) || major == Some(b"mif1") {
        return is("image/heic", "heic", Image);
    }
    if !outline.video && (outline.audio || matches!(major, Some(b"M4A " | b"M4B "))) {
        return is("audio/mp4", "m4a", Audio);
    }
    match major {
        Some(b"qt  ") => is("video/quicktime", "mov", Video),
        Some([b'3', b'g', ..]) => is("video/3gpp", "3gp", Video),
        _ => is("video/mp4", "mp4", Video),
    }
}

/// Everything that its first bytes betray.
fn bytes(head: &[u8]) -> Sniffed {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if at(0, b"\x1a\x45\xdf\xa3") {
        return matroska(head);
    }
    if at(0, b"OggS") {
        return ogg(head);
    }
    if at(0, b"RIFF") {
        match head.get(8..12) {
            Some(b"WAVE") => return is("audio/wav", "wav", Audio),
            Some(b"AVI ") => return is("video/x-msvideo", "avi", Video),
            Some(b"WEBP") => return is("image/webp", "webp", Image),
            _ => {}
        }
    }
    // 188-byte packets, each beginning with 0x47.
    if at(0, b"G") && at(188, b"G") && at(376, b"G") {
        return is("video/mp2t", "ts", Video);
    }
    if at(0, b"ID3") {
        return is("audio/mpeg", "mp3", Audio);
    }
    if at(0, b"fLaC") {
        return is("audio/flac", "flac", Audio);
    }
    if let Some(&[0xff, second]) = head.first_chunk::<2>() {
        // MPEG audio: eleven sync bits; layer bits 00 mean ADTS (AAC), 01 mean layer III.
        if second & 0xf6 == 0xf0 {
            return is("audio/aac", "aac", Audio);
        }
        if second & 0xe6 == 0xe2 && second & 0x18 != 0x08 {
            return is("audio/mpeg", "mp3", Audio);
        }
    }
    if at(0, b"#EXTM3U") {
        return is("application/vnd.apple.mpegurl", "m3u8", Other);
    }
    // The rest is the `infer` crate's knowledge.
    let Some(found) = infer::get(head) else { return text(head).unwrap_or(UNKNOWN) };
    match found.mime_type() {
        "image/jpeg" => is("image/jpeg", "jpg", Image),
        "image/png" => is("image/png", "png", Image),
        "image/gif" => is("image/gif", "gif", Image),
        "video/quicktime" => is("video/quicktime", "mov", Video),
        mime => {
            let kind = match found.matcher_type() {
                infer::MatcherType::Image => Image,
                infer::MatcherType::Video => Video,
                infer::MatcherType::Audio => Audio,
                _ => Other,
            };
            is(mime, found.extension(), kind)
        }
    }
}

fn contains(head: &[u8], needle: &[u8]) -> bool {
    head.windows(needle.len()).any(|window| window == needle)
}

/// WebM is Matroska with another document type; its tracks' codec ids are plain text near the front.
fn matroska(head: &[u8]) -> Sniffed {
    let webm = contains(head.get(..64).unwrap_or(head), b"webm");
    let sound_only = contains(head, b"\x86\x85A_") || (contains(head, b"A_") && !contains(head, b"V_"));
    let video = contains(head, b"V_");
    match (webm, sound_only && !video) {
        (true, false) => is("video/webm", "webm", Video),
        (true, true) => is("audio/webm", "webm", Audio),
        (false, false) => is("video/x-matroska", "mkv", Video),
        (false, true) => is("audio/x-matroska", "mka", Audio),
    }
}

fn ogg(head: &[u8]) -> Sniffed {
    if contains(head, b"\x80theora") {
        is("video/ogg", "ogv", Video)
    } else {
        // Opus included: Discord and most players know it by this name better than as `.opus`.
        is("audio/ogg", "ogg", Audio)
    }
}

/// Text that poses as media: worth a name, since it is what error pages arrive as.
fn text(head: &[u8]) -> Option<Sniffed> {
    let sample = head.get(..512).unwrap_or(head);
    let printable = !sample.is_empty() && sample.iter().all(|byte| matches!(byte, 9 | 10 | 13 | 32..=126 | 128..));
    printable.then_some(is("text/plain", "txt", Other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_bytes() {
        let mut packets = vec![0; 600];
        for at in [0, 188, 376] {
            packets[at] = b'G';
        }
        let cases: &[(&[u8], &str, FileType)] = &[
            (b"\x1a\x45\xdf\xa3....\x42\x82\x84webm....\x86\x85V_VP9", "video/webm", Video),
            (b"\x1a\x45\xdf\xa3....\x42\x82\x84webm....\x86\x86A_OPUS", "audio/webm", Audio),
            (b"\x1a\x45\xdf\xa3....\x42\x82\x88matroska....V_MPEG4/ISO/AVC A_AAC", "video/x-matroska", Video),
            (b"OggS..........OpusHead", "audio/ogg", Audio),
            (b"RIFF....WAVEfmt ", "audio/wav", Audio),
            (b"RIFF....WEBPVP8X", "image/webp", Image),
            (b"RIFF....AVI LIST", "video/x-msvideo", Video),
            (&packets, "video/mp2t", Video),
            (b"ID3\x04", "audio/mpeg", Audio),
            (b"\xff\xfb\x90\x64", "audio/mpeg", Audio),
            (b"\xff\xf1\x50\x80", "audio/aac", Audio),
            (b"\xff\xd8\xff\xe0", "image/jpeg", Image),
            (b"\x89PNG\r\n\x1a\n", "image/png", Image),
            (b"GIF89a", "image/gif", Image),
            (b"#EXTM3U\n#EXTINF:4,\nfile:///x.ts\n", "application/vnd.apple.mpegurl", Other),
            (b"<!DOCTYPE html><html>", "text/html", Other),
            (b"just words", "text/plain", Other),
            (b"", "application/octet-stream", Other),
            (b"\x00\x01\x02\x03", "application/octet-stream", Other),
        ];
        for (head, mime, kind) in cases {
            let found = bytes(head);
            assert_eq!((found.mime, found.kind), (*mime, *kind), "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn mp4_is_named_by_its_brand_and_tracks() {
        let outline = |brand: &[u8; 4], video, audio| bmff::Outline {
            brands: vec![*brand],
            video,
            audio,
            ..bmff::Outline::default()
        };
        assert_eq!(iso(&outline(b"isom", true, true)).mime, "video/mp4");
        assert_eq!(iso(&outline(b"isom", false, true)).mime, "audio/mp4");
        assert_eq!(iso(&outline(b"M4A ", false, true)).extension, "m4a");
        assert_eq!(iso(&outline(b"qt  ", true, false)).mime, "video/quicktime");
        assert_eq!(iso(&outline(b"avif", false, false)).mime, "image/avif");
        assert_eq!(iso(&outline(b"heic", false, false)).kind, Image);
        assert_eq!(iso(&outline(b"3gp5", true, true)).extension, "3gp");
    }
}
