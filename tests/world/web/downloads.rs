//! Media bodies under way: how many at once, and a gate that holds them back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

/// The counters and the gate. Cheap to clone.
#[derive(Clone)]
pub(super) struct Downloads {
    inner: Arc<Inner>,
}

struct Inner {
    open: AtomicUsize,
    most: AtomicUsize,
    held: watch::Sender<usize>,
    /// The percentage at which bodies stop; `None`: the gate is open.
    gate: watch::Sender<Option<u8>>,
}

impl Default for Downloads {
    fn default() -> Self {
        let inner = Inner {
            open: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            held: watch::Sender::new(0),
            gate: watch::Sender::new(None),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Downloads {
    /// Counts a body as under way until the guard is dropped.
    pub(super) fn begin(&self) -> Download {
        let now = self.inner.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.inner.most.fetch_max(now, Ordering::SeqCst);
        Download { of: self.clone() }
    }

    pub(super) fn open(&self) -> usize {
        self.inner.open.load(Ordering::SeqCst)
    }

    pub(super) fn most(&self) -> usize {
        self.inner.most.load(Ordering::SeqCst)
    }

    pub(super) fn hold_at(&self, percent: u8) {
        self.inner.gate.send_replace(Some(percent.min(100)));
    }

    pub(super) fn release(&self) {
        self.inner.gate.send_replace(None);
    }

    pub(super) async fn wait_for_held(&self, count: usize, patience: Duration) {
        let mut held = self.inner.held.subscribe();
        let waited = tokio::time::timeout(patience, held.wait_for(|now| *now >= count)).await.map(drop);
        assert!(waited.is_ok(), "{count} held downloads were awaited, {} came", *self.inner.held.borrow());
    }

    pub(super) async fn wait_for_none_held(&self, patience: Duration) {
        let mut held = self.inner.held.subscribe();
        let waited = tokio::time::timeout(patience, held.wait_for(|now| *now == 0)).await.map(drop);
        assert!(waited.is_ok(), "{} downloads are still held", *self.inner.held.borrow());
    }
}

/// A body under way.
pub(super) struct Download {
    of: Downloads,
}

impl Download {
    /// How many bytes of `length` may be sent before [`Download::pass`] must be awaited.
    pub(super) fn allowance(&self, length: u64) -> u64 {
        self.of.inner.gate.borrow().map_or(u64::MAX, |percent| length / 100 * u64::from(percent))
    }

    /// Waits while the gate is shut.
    pub(super) async fn pass(&self) {
        let mut gate = self.of.inner.gate.subscribe();
        let _held = Held::new(&self.of);
        let _ = gate.wait_for(Option::is_none).await;
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.of.inner.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A body that is being held back.
struct Held<'a> {
    of: &'a Downloads,
}

impl<'a> Held<'a> {
    fn new(of: &'a Downloads) -> Self {
        of.inner.held.send_modify(|held| *held += 1);
        Self { of }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.of.inner.held.send_modify(|held| *held -= 1);
    }
}
