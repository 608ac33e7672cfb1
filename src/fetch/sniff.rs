//! What a file's first bytes and its `Content-Type` say about it.

use crate::model::FileType;

/// How many of the first bytes are enough to judge.
pub const ENOUGH: usize = 4096;

/// What something that was served turns out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// Media, with its MIME type and usual extension.
    Media {
        /// What it is.
        kind: FileType,
        /// Its MIME type.
        mime: String,
        /// The usual extension, where one is known.
        extension: Option<&'static str>,
    },
    /// Text of some kind: a web page, JSON, a playlist. Never media, whatever its name says.
    Text,
    /// Neither known media nor text.
    Unknown,
}

/// Judges by the first bytes, and by `content_type` where they are not known.
pub fn served(first: &[u8], content_type: Option<&str>) -> Served {
    if let Some(known) = infer::get(first) {
        let kind = match known.matcher_type() {
            infer::MatcherType::Video => Some(FileType::Video),
            infer::MatcherType::Image => Some(FileType::Image),
            infer::MatcherType::Audio => Some(FileType::Audio),
            _ => None,
        };
        if let Some(kind) = kind {
            return Served::Media { kind, mime: known.mime_type().to_owned(), extension: Some(known.extension()) };
        }
        if matches!(known.matcher_type(), infer::MatcherType::Text) {
            return Served::Text;
        }
        return Served::Unknown;
    }
    if is_text(first) {
        return Served::Text;
    }
    let mime = content_type.and_then(|t| t.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    match mime.split('/').next() {
        Some("video") => Served::Media { kind: FileType::Video, mime, extension: None },
        Some("image") => Served::Media { kind: FileType::Image, mime, extension: None },
        // `audio/mpegurl` names playlists, but those are text and were seen above.
        Some("audio") => Served::Media { kind: FileType::Audio, mime, extension: None },
        _ => Served::Unknown,
    }
}

/// Whether bytes read as text: valid UTF-8 (the end may be cut) without control characters. No media format starts so.
fn is_text(first: &[u8]) -> bool {
    let text = match std::str::from_utf8(first) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(first.get(..error.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_decide_before_headers() {
        let mp4 = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";
        let jpg = b"\xff\xd8\xff\xe0\0\x10JFIF\0";
        let kind = |first: &[u8], content_type| match served(first, content_type) {
            Served::Media { kind, .. } => format!("{kind:?}"),
            other => format!("{other:?}"),
        };
        for (first, content_type, expected) in [
            (&mp4[..], Some("video/mp4"), "Video"),
            (mp4, Some("text/html"), "Video"),
            (mp4, None, "Video"),
            (jpg, Some("video/mp4"), "Image"),
            (b"GIF89a\x01\0\x01\0", None, "Image"),
            (b"ID3\x03\0\0\0\0\0\0", None, "Audio"),
            (b"<!DOCTYPE html><html>", Some("video/mp4"), "Text"),
            (b"  <html lang=en>", Some("video/mp4"), "Text"),
            (b"{\"error\": 1}", Some("video/mp4"), "Text"),
            (b"#EXTM3U\n#EXT-X-VERSION:3\n", Some("video/mp4"), "Text"),
            ("später".as_bytes(), None, "Text"),
            (&"später".as_bytes()[..4], None, "Text"),
            (b"PK\x03\x04\x14\0\0\0", Some("video/mp4"), "Unknown"),
            (b"%PDF-1.7\n\xe2\xe3\xcf\xd3", Some("video/mp4"), "Unknown"),
            (b"\x01\x02\x03\x04", Some("video/x-odd; a=b"), "Video"),
            (b"\x01\x02\x03\x04", Some("application/octet-stream"), "Unknown"),
            (b"", Some("text/plain"), "Unknown"),
        ] {
            assert_eq!(kind(first, content_type), expected, "{first:?} {content_type:?}");
        }
    }
}
