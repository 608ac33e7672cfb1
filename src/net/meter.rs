//! Counts what a tool receives, against its budget, and keeps the log of its proxy.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::{policy::Refusal, proxy::ProxyLog};

/// Refusals kept: a hostile playlist can name thousands.
const MAX_REFUSED: usize = 200;

/// The account of one tool process, over all its connections.
pub(super) struct Meter {
    budget: u64,
    bytes: AtomicU64,
    over: AtomicBool,
    refused: Mutex<Vec<String>>,
}

impl Meter {
    pub(super) fn new(budget: u64) -> Self {
        Self { budget, bytes: AtomicU64::new(0), over: AtomicBool::new(false), refused: Mutex::default() }
    }

    /// Adds received bytes; false when they exceed the budget.
    fn count(&self, bytes: u64) -> bool {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let within = before.saturating_add(bytes) <= self.budget;
        if !within && !self.over.swap(true, Ordering::Relaxed) {
            tracing::info!(budget = self.budget, "a tool's byte budget is used up");
        }
        within
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub(super) fn refuse(&self, asked: &str, refusal: &Refusal) {
        // What was asked is a stranger's text: no credentials, no line breaks, no novels.
        let asked = asked.rsplit('@').next().unwrap_or_default();
        let asked: String = asked.chars().filter(|c| !c.is_control()).take(200).collect();
        let line = format!("{asked}: {refusal}");
        tracing::info!(asked, %refusal, "refused a tool's connection");
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < MAX_REFUSED && !refused.contains(&line) {
            refused.push(line);
        }
    }

    pub(super) fn log(&self) -> ProxyLog {
        ProxyLog {
            refused: self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            bytes: self.bytes.load(Ordering::Relaxed),
            over_budget: self.is_over(),
        }
    }
}

/// A connection to the outside whose received bytes are counted; it fails once the budget is used up.
pub(super) struct Metered {
    stream: TcpStream,
    meter: Arc<Meter>,
}

impl Metered {
    pub(super) fn new(stream: TcpStream, meter: Arc<Meter>) -> Self {
        Self { stream, meter }
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let received = buf.filled().len().saturating_sub(before);
        if self.meter.count(received as u64) && !(received > 0 && self.meter.is_over()) {
            return Poll::Ready(Ok(()));
        }
        // Nothing of what exceeds the budget reaches the tool.
        buf.set_filled(before);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the byte budget is used up")))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
