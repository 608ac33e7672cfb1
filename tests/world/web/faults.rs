//! Faults on demand: what goes wrong on the real web, planted by stories.

use std::{path::PathBuf, sync::Mutex, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{
    http::{Reply, Request},
    lock,
    server::WireBody,
};

/// Time between two bytes of [`FaultKind::Drip`].
const DRIP: Duration = Duration::from_millis(100);

/// Time that the first half of a cut body has to leave.
const LEAVE: Duration = Duration::from_millis(30);

/// Bytes that a throttled body sends at once.
const THROTTLED: usize = 32 * 1024;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// This status with a short body.
    Status(u16),
    /// 429, with `Retry-After` in seconds if given.
    RateLimit(Option<u64>),
    /// The connection is reset instead of an answer.
    Reset,
    /// The right answer, but the connection is reset in the middle of its body.
    ResetMidway,
    /// The right answer, but the connection is reset after so many bytes of its body.
    ResetAt(u64),
    /// The right answer, but nothing comes after so many bytes of its body, and the connection stays open.
    StallAt(u64),
    /// The right answer, one byte every 100 ms.
    Drip,
    /// The right answer with its whole `Content-Length`, but the connection ends after half of the body.
    Truncate,
    /// The right answer with a `Content-Length` that is so much too large or too small.
    WrongLength(i64),
    /// This file instead of the right one: somebody replaced it, and so its `ETag` is another.
    Replaced(PathBuf),
    /// 200 with an HTML page.
    HtmlForJson,
    /// 200 with JSON of a shape nobody knows.
    ChangedJson,
    /// 302 to this address.
    Redirect(String),
    /// No answer at all until the client gives up.
    Hang,
    /// The right answer, its body at this many bytes a second: each connection at its own.
    Throttle(u64),
}

/// A fault and whom it meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The exact host; empty: every host.
    pub host: String,
    /// What path and query must contain; empty: anything.
    pub path_contains: String,
    /// What goes wrong.
    pub kind: FaultKind,
    /// How many matching requests it lets pass before it meets one.
    pub spares: u32,
    /// How many requests it meets; `None`: all.
    pub times: Option<u32>,
    /// Only requests with exactly this `User-Agent`; `None`: any.
    pub agent: Option<String>,
}

impl Fault {
    /// A fault that meets every matching request.
    pub fn on(host: &str, path_contains: &str, kind: FaultKind) -> Self {
        Self { host: host.into(), path_contains: path_contains.into(), kind, spares: 0, times: None, agent: None }
    }

    /// Meets only requests with exactly this `User-Agent`.
    pub fn only_agent(mut self, agent: &str) -> Self {
        self.agent = Some(agent.to_owned());
        self
    }

    /// Lets the first `spares` matching requests pass.
    pub fn after(mut self, spares: u32) -> Self {
        self.spares = spares;
        self
    }

    /// Meets only the first `times` requests.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// The faults planted, in order; the first that matches acts.
#[derive(Debug, Default)]
pub struct Faults {
    planted: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Plants one.
    pub fn add(&self, fault: Fault) {
        lock(&self.planted).push(fault);
    }

    /// Takes all away.
    pub fn clear(&self) {
        lock(&self.planted).clear();
    }

    /// The fault that meets this request, counted down.
    pub(super) fn meet(&self, request: &Request) -> Option<FaultKind> {
        let mut planted = lock(&self.planted);
        let target = match request.url.query() {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.clone(),
        };
        let fault = planted
            .iter_mut()
            .filter(|fault| {
                (fault.host.is_empty() || fault.host == request.host)
                    && target.contains(&fault.path_contains)
                    && fault.agent.as_deref().is_none_or(|agent| request.header("user-agent") == Some(agent))
                    && fault.times != Some(0)
            })
            .find_map(|fault| match fault.spares.checked_sub(1) {
                Some(left) => {
                    fault.spares = left;
                    None
                }
                None => Some(fault),
            })?;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.kind.clone())
    }
}

/// The reply that takes the place of the right one, for the faults that need not know the right one.
pub(super) fn instead(kind: &FaultKind, request: &Request) -> Option<Reply> {
    Some(match kind {
        FaultKind::Status(status) => Reply::new(*status, "text/plain; charset=utf-8", format!("error {status}\n")),
        FaultKind::RateLimit(after) => {
            let reply = rate_limited(request);
            match after {
                Some(seconds) => reply.with_header("retry-after", &seconds.to_string()),
                None => reply,
            }
        }
        FaultKind::HtmlForJson => Reply::html(
            "<!DOCTYPE html><html><head><title>Just a moment…</title></head><body><h1>Something went wrong</h1></body></html>",
        ),
        FaultKind::ChangedJson => {
            Reply::json(&serde_json::json!({"status": "ok", "payload": {"version": 7, "nodes": []}}))
        }
        FaultKind::Redirect(to) => Reply::redirect(to),
        FaultKind::Replaced(file) => Reply::file(file, "video/mp4"),
        FaultKind::Reset
        | FaultKind::ResetMidway
        | FaultKind::ResetAt(_)
        | FaultKind::StallAt(_)
        | FaultKind::Drip
        | FaultKind::Truncate
        | FaultKind::WrongLength(_)
        | FaultKind::Throttle(_)
        | FaultKind::Hang => return None,
    })
}

/// 429 in each platform's own words: the tools read them.
fn rate_limited(request: &Request) -> Reply {
    if request.host.ends_with("reddit.com") {
        Reply::json_status(429, &serde_json::json!({"message": "Too Many Requests", "error": 429}))
    } else {
        Reply::new(429, "text/plain; charset=utf-8", "Rate limit exceeded\n")
    }
}

/// The body cut off after `at` bytes; `at_cut` runs just before.
pub(super) fn cut_off(body: WireBody, at: u64, at_cut: impl FnOnce() + Send + 'static) -> WireBody {
    let state = (body, at, Some(at_cut));
    let frames = stream::unfold(state, |(mut body, mut left, mut at_cut)| async move {
        if left > 0
            && let Some(Ok(frame)) = body.frame().await
        {
            let mut data = frame.into_data().unwrap_or_default();
            data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= data.len() as u64;
            return Some((Ok(Frame::data(data)), (body, left, at_cut)));
        }
        let cut = at_cut.take()?;
        // What is buffered is lost with the connection: let it leave first.
        tokio::time::sleep(LEAVE).await;
        cut();
        Some((Err(std::io::Error::other("cut off on purpose")), (body, 0, None)))
    });
    StreamBody::new(Box::pin(frames)).boxed_unsync()
}

/// The first `at` bytes of the body, and then nothing.
pub(super) fn stall(body: WireBody, at: u64) -> WireBody {
    let frames = stream::unfold((body, at), |(mut body, mut left)| async move {
        if left == 0 {
            std::future::pending::<()>().await;
        }
        let mut data = body.frame().await?.ok()?.into_data().unwrap_or_default();
        data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        left -= data.len() as u64;
        Some((Ok(Frame::data(data)), (body, left)))
    });
    StreamBody::new(Box::pin(frames)).boxed_unsync()
}

/// The body, a byte at a time.
pub(super) fn drip(body: WireBody) -> WireBody {
    let frames = stream::unfold((body, BytesMut::new()), |(mut body, mut pending)| async move {
        while pending.is_empty() {
            pending.extend_from_slice(&body.frame().await?.ok()?.into_data().unwrap_or_default());
        }
        tokio::time::sleep(DRIP).await;
        let byte: Bytes = pending.split_to(1).freeze();
        Some((Ok(Frame::data(byte)), (body, pending)))
    });
    StreamBody::new(Box::pin(frames)).boxed_unsync()
}

/// The body, at so many bytes a second.
pub(super) fn throttle(body: WireBody, rate: u64) -> WireBody {
    let frames = stream::unfold((body, BytesMut::new(), None), move |(mut body, mut pending, begun)| async move {
        while pending.is_empty() {
            pending.extend_from_slice(&body.frame().await?.ok()?.into_data().unwrap_or_default());
        }
        // By the clock, so that short waits that take longer do not add up.
        let (begun, sent) = begun.unwrap_or_else(|| (tokio::time::Instant::now(), 0_u64));
        let next: Bytes = pending.split_to(pending.len().min(THROTTLED)).freeze();
        let sent = sent + next.len() as u64;
        tokio::time::sleep_until(begun + Duration::from_secs_f64(sent as f64 / rate as f64)).await;
        Some((Ok(Frame::data(next)), (body, pending, Some((begun, sent)))))
    });
    StreamBody::new(Box::pin(frames)).boxed_unsync()
}
