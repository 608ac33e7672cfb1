//! What a child writes, line by line.

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// A longer line is cut here; yt-dlp's JSON of a video with hundreds of formats has about 1 MiB.
pub(super) const MAX_LINE: usize = 16 * 1024 * 1024;
/// How much of the end of standard error is kept.
pub(super) const STDERR_TAIL: usize = 16 * 1024;

/// Reads lines of bounded length; dropping [`Lines::advance`] half way loses nothing.
pub(in crate::tools) struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
    complete: bool,
    /// Whether nothing more comes.
    pub(in crate::tools) ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(in crate::tools) fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, reader), line: Vec::new(), complete: true, ended: false }
    }

    /// Moves to the next line; false at the end.
    pub(in crate::tools) async fn advance(&mut self) -> bool {
        if self.ended {
            return false;
        }
        if self.complete {
            self.line.clear();
            self.complete = false;
        }
        loop {
            // A broken pipe ends the stream like its end does.
            let chunk = self.reader.fill_buf().await.unwrap_or_default();
            if chunk.is_empty() {
                self.ended = true;
                self.complete = true;
                return !self.line.is_empty();
            }
            let (part, used, complete) = match chunk.iter().position(|byte| *byte == b'\n') {
                Some(at) => (chunk.get(..at).unwrap_or_default(), at + 1, true),
                None => (chunk, chunk.len(), false),
            };
            let room = MAX_LINE.saturating_sub(self.line.len()).min(part.len());
            self.line.extend_from_slice(part.get(..room).unwrap_or_default());
            self.reader.consume(used);
            if complete {
                self.complete = true;
                return true;
            }
        }
    }

    /// The line, with anything that is not UTF-8 replaced.
    pub(in crate::tools) fn text(&self) -> String {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        String::from_utf8_lossy(line).into_owned()
    }
}

/// The end of standard error.
#[derive(Default)]
pub(super) struct Tail(String);

impl Tail {
    pub(super) fn push(&mut self, line: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(line);
        if self.0.len() > 4 * STDERR_TAIL {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let mut from = self.0.len().saturating_sub(STDERR_TAIL);
        while !self.0.is_char_boundary(from) {
            from += 1;
        }
        self.0.drain(..from);
    }

    pub(super) fn into_string(mut self) -> String {
        self.cut();
        self.0
    }
}
