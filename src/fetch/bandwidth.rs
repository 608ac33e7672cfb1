//! Limits of bytes a second: one for all downloads, one for each job.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::{sync::Mutex, time::Instant};

/// Bytes are counted in cells of this size, so that high rates stay exact: the limiter counts whole nanoseconds a cell.
const CELL: u64 = 256;

/// A burst is what comes in this part of a second.
const BURSTS_A_SECOND: u32 = 8;

/// Tokio's clock, so that tests can stop it.
#[derive(Debug, Clone, Copy)]
struct Now {
    start: Instant,
}

impl Clock for Now {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// One limit.
#[derive(Debug)]
pub(super) struct Throttle {
    /// Locked while somebody waits, so that waiting is in order.
    cells: Mutex<RateLimiter<NotKeyed, InMemoryState, Now, NoOpMiddleware<Duration>>>,
    burst: NonZeroU32,
    clock: Now,
}

impl Throttle {
    /// `rate`: bytes a second.
    pub(super) fn new(rate: u64) -> Self {
        let cells = NonZeroU32::new(u32::try_from(rate / CELL).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(cells.get() / BURSTS_A_SECOND).unwrap_or(NonZeroU32::MIN);
        let clock = Now { start: Instant::now() };
        let limiter = RateLimiter::direct_with_clock(Quota::per_second(cells).allow_burst(burst), clock);
        Self { cells: Mutex::new(limiter), burst, clock }
    }

    /// Waits until so many bytes are allowed.
    async fn take(&self, bytes: usize) {
        let cells = self.cells.lock().await;
        let mut left = (bytes as u64).div_ceil(CELL);
        while left > 0 {
            let now = u32::try_from(left).unwrap_or(u32::MAX).min(self.burst.get());
            let Some(count) = NonZeroU32::new(now) else { return };
            // The outer error says that the burst is too small, which it is not.
            match cells.check_n(count) {
                Ok(Err(not_until)) => tokio::time::sleep(not_until.wait_time_from(self.clock.now())).await,
                Ok(Ok(())) | Err(_) => left -= u64::from(now),
            }
        }
    }
}

/// The limits that hold for one job.
#[derive(Debug, Default)]
pub(super) struct Bandwidth {
    pub(super) shared: Option<Arc<Throttle>>,
    pub(super) own: Option<Throttle>,
}

impl Bandwidth {
    /// Whether there is any limit.
    pub(super) fn is_limited(&self) -> bool {
        self.shared.is_some() || self.own.is_some()
    }

    /// Waits until so many bytes are allowed.
    pub(super) async fn take(&self, bytes: usize) {
        if let Some(own) = &self.own {
            own.take(bytes).await;
        }
        if let Some(shared) = &self.shared {
            shared.take(bytes).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_kept_from_slow_to_fast() {
        for rate in [1024_u64, 500_000, 20_000_000, 2_000_000_000] {
            let throttle = Throttle::new(rate);
            let begun = Instant::now();
            for _ in 0..40 {
                throttle.take(rate as usize / 4).await;
            }
            let took = begun.elapsed().as_secs_f64();
            assert!((9.5..10.6).contains(&took), "{rate}: ten seconds' worth took {took}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_share_the_limit_of_all_and_keep_their_own() {
        let shared = Arc::new(Throttle::new(1_000_000));
        let job = |own: Option<u64>| Bandwidth { shared: Some(shared.clone()), own: own.map(Throttle::new) };
        let (slow, fast) = (job(Some(100_000)), job(None));
        let begun = Instant::now();
        let load = |job: Bandwidth, bytes: usize| async move {
            for _ in 0..bytes / 10_000 {
                job.take(10_000).await;
            }
            begun.elapsed().as_secs_f64()
        };
        let (slow, fast) = tokio::join!(load(slow, 1_000_000), load(fast, 9_000_000));
        assert!((9.5..11.0).contains(&slow), "1 MB at 100 kB/s took {slow}");
        assert!((8.8..10.6).contains(&fast), "9 MB at what is left of 1 MB/s took {fast}");
    }
}
