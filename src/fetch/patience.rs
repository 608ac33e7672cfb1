//! How long to wait for a server, and how often to ask it again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::model::{Error, Kind, Result};

/// Tries in a row that may bring nothing new, after the first.
const FRUITLESS: usize = 4;

/// Tries in all, after the first, however much they bring: a connection that breaks at every few bytes is no connection.
const TRIES: u32 = 30;

/// Each wait is up to this many times the first.
const LONGEST: u32 = 16;

/// When a server counts as silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// How long it may send nothing.
    pub(super) window: Duration,
    /// Bytes a second that it must send on average not to count as silent. 0: any byte counts.
    pub(super) min_rate: u64,
}

impl Patience {
    /// Waits for something that either comes or does not: the head of an answer.
    pub(super) async fn wait<T>(&self, what: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout(self.window, what).await.map_err(|_| self.stalled())
    }

    pub(super) fn watch(self) -> Watch {
        Watch { patience: self, until: Instant::now() + self.window }
    }

    fn stalled(&self) -> Error {
        let text = format!("a server sent less than {} bytes a second for {:?}", self.min_rate.max(1), self.window);
        Error::new(Kind::Timeout, text)
    }
}

/// Watches one connection. Each byte buys the time that it may take at the least rate, and nobody saves up more than the
/// window; so silence ends it after the window, and a drip of bytes hardly later.
#[derive(Debug)]
pub(super) struct Watch {
    patience: Patience,
    until: Instant,
}

impl Watch {
    /// Waits for the next bytes.
    pub(super) async fn wait<T>(&self, bytes: impl Future<Output = T>) -> Result<T> {
        tokio::time::timeout_at(self.until, bytes).await.map_err(|_| self.patience.stalled())
    }

    /// Bytes have come.
    pub(super) fn got(&mut self, bytes: usize) {
        let longest = Instant::now() + self.patience.window;
        self.until = match Duration::try_from_secs_f64(bytes as f64 / self.patience.min_rate as f64) {
            Ok(bought) => longest.min(self.until + bought.min(self.patience.window)),
            // Divided by 0: any byte counts.
            Err(_) => longest,
        };
    }

    /// We were slow ourselves for this long: nothing that the server must answer for.
    pub(super) fn excuse(&mut self, time: Duration) {
        self.until += time;
    }
}

/// How often a file or a piece may still be asked for.
#[derive(Debug)]
pub(super) struct Tries {
    first_wait: Duration,
    waits: backon::ExponentialBackoff,
    left: u32,
    furthest: u64,
}

impl Tries {
    /// `first_wait`: before the second try; later waits grow.
    pub(super) fn new(first_wait: Duration) -> Self {
        Self { first_wait, waits: waits(first_wait), left: TRIES, furthest: 0 }
    }

    /// A try failed in a way that may pass; `reached`: bytes that are there all the same. More than ever before are
    /// progress. Says how long to wait before the next; `None`: enough.
    pub(super) fn next(&mut self, reached: u64) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        if reached > self.furthest {
            self.furthest = reached;
            self.waits = waits(self.first_wait);
        }
        self.waits.next()
    }
}

fn waits(first: Duration) -> backon::ExponentialBackoff {
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(first * LONGEST)
        .with_max_times(FRUITLESS)
        .with_jitter()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a server is borne that sends `bytes` every `every`, at 1024 bytes a second over 20 s; at most an hour.
    async fn borne(bytes: usize, every: Duration) -> Duration {
        let begun = Instant::now();
        let mut watch = Patience { window: Duration::from_secs(20), min_rate: 1024 }.watch();
        while watch.wait(tokio::time::sleep(every)).await.is_ok() && begun.elapsed() < Duration::from_secs(3600) {
            watch.got(bytes);
        }
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_a_drip_of_bytes_are_both_a_stall() {
        assert_eq!(borne(0, Duration::from_secs(3600)).await, Duration::from_secs(20));
        let drip = borne(1, Duration::from_millis(100)).await;
        assert!(drip > Duration::from_secs(20) && drip < Duration::from_secs(22), "{drip:?}");
        let slow = borne(900, Duration::from_secs(1)).await;
        assert!(slow > Duration::from_secs(60) && slow < Duration::from_secs(300), "{slow:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn slow_and_bursty_servers_are_borne() {
        let hour = Duration::from_secs(3600);
        assert!(borne(1100, Duration::from_secs(1)).await >= hour);
        assert!(borne(30_000, Duration::from_secs(19)).await >= hour);
    }

    #[tokio::test(start_paused = true)]
    async fn many_bytes_buy_no_more_than_the_window() {
        let mut watch = Patience { window: Duration::from_secs(20), min_rate: 1024 }.watch();
        watch.got(1 << 40);
        let begun = Instant::now();
        assert_eq!(watch.wait(std::future::pending::<()>()).await.unwrap_err().code(), "timeout");
        assert_eq!(begun.elapsed(), Duration::from_secs(20));
    }

    #[test]
    fn progress_renews_the_tries_but_not_for_ever() {
        let second = Duration::from_secs(1);
        let mut fruitless = Tries::new(second);
        assert_eq!(std::iter::from_fn(|| fruitless.next(0)).count(), FRUITLESS);
        // The same bytes again and again are no progress after the first time.
        let mut vain = Tries::new(second);
        assert_eq!(std::iter::from_fn(|| vain.next(500)).count(), FRUITLESS);
        let (mut fruitful, mut reached) = (Tries::new(second), 0);
        let further = std::iter::from_fn(|| {
            reached += 1;
            fruitful.next(reached)
        });
        assert_eq!(further.count(), TRIES as usize);
        let waits: Vec<Duration> = std::iter::from_fn({
            let mut tries = Tries::new(second);
            move || tries.next(0)
        })
        .collect();
        assert!(waits[0] >= second && waits[3] >= 4 * second, "{waits:?}");
    }
}
