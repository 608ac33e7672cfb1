//! The pieces that a stream is loaded in, whatever its manifest: HLS or DASH.

use url::Url;

/// Consecutive bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    start: u64,
    length: u64,
}

impl Span {
    /// From `start`, `length` bytes. `None`: there is no such span.
    pub fn new(start: u64, length: u64) -> Option<Self> {
        start.checked_add(length).filter(|_| length > 0).map(|_| Self { start, length })
    }

    /// The first byte.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// How many bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The byte after the last one.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.length)
    }
}

/// How a part is encrypted: AES-128 in CBC mode with PKCS #7 padding, the whole part at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Where its 16 bytes are.
    pub url: Url,
    /// The initialisation vector.
    pub iv: [u8; 16],
}

/// Something to load: a file, or bytes of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    /// Where it is.
    pub url: Url,
    /// Which bytes of it; `None`: all.
    pub span: Option<Span>,
    /// How it is encrypted, if it is.
    pub key: Option<Key>,
}

impl Part {
    /// A whole file, not encrypted.
    pub fn at(url: Url) -> Self {
        Self { url, span: None, key: None }
    }
}

/// A part in its place within a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Where it is.
    pub part: Part,
    /// How long it plays; 0 for headers.
    pub seconds: f64,
    /// Whether it is a header: it describes the pieces that follow and plays nothing itself.
    pub header: bool,
    /// Whether what comes does not continue what was before: other timestamps, or another header.
    pub starts: bool,
}

impl Piece {
    /// A header.
    pub fn header(part: Part) -> Self {
        Self { part, seconds: 0.0, header: true, starts: false }
    }

    /// A segment that continues the one before.
    pub fn segment(part: Part, seconds: f64) -> Self {
        Self { part, seconds, header: false, starts: false }
    }
}
