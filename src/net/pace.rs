//! How often a platform is asked: a token bucket, a least distance between two requests, and units a day.
//!
//! One [`Gate`] a platform is shared by all jobs. Requests pass it in the order they came; a wait that would be longer than
//! the caller has patience for is refused at once, as `rate_limited`, so that another path can be tried instead of waiting.

use std::{
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::Utc;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, Reference},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed},
};
use serde::Serialize;
use tokio::time::Instant;

use crate::{
    model::{Error, Kind, PlatformId, Result},
    settings::PaceSettings,
};

/// Seconds of a day. Daily units are counted by days of UTC.
const DAY: u64 = 86_400;

/// How often a platform may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pace {
    /// Requests a minute in the long run, at least 1.
    pub requests_per_minute: u32,
    /// Requests that may come at once after a quiet time, at least 1.
    pub burst: u32,
    /// The least time between two requests.
    #[serde(rename = "spacing_ms", serialize_with = "milliseconds")]
    pub spacing: Duration,
    /// Requests a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_units: Option<u64>,
}

fn milliseconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl Pace {
    /// For a platform of which nothing is known: about what one busy visitor's browser asks.
    pub const CONSERVATIVE: Self =
        Self { requests_per_minute: 60, burst: 30, spacing: Duration::from_millis(50), daily_units: None };

    /// For platforms that are on any host: no single host sees much of it.
    pub const ANY_HOST: Self =
        Self { requests_per_minute: 600, burst: 120, spacing: Duration::ZERO, daily_units: None };

    /// With what the operator says instead.
    pub fn with(self, said: PaceSettings) -> Self {
        Self {
            requests_per_minute: said.requests_per_minute.unwrap_or(self.requests_per_minute).max(1),
            burst: said.burst.unwrap_or(self.burst).max(1),
            spacing: said.spacing.unwrap_or(self.spacing),
            daily_units: said.daily_units.or(self.daily_units),
        }
    }

    /// Time in which one token comes back.
    fn interval(self) -> Duration {
        Duration::from_secs(60) / self.requests_per_minute.max(1)
    }
}

/// What is left of a platform's allowance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Allowance {
    /// What holds.
    #[serde(flatten)]
    pub pace: Pace,
    /// Requests that could be made right now.
    pub tokens_left: u32,
    /// Requests waiting for their turn.
    pub waiting: u32,
    /// Requests made today (UTC) since the start.
    pub units_today: u64,
}

/// tokio's time for governor, so that both stand still together in tests.
#[derive(Debug, Clone, Copy)]
struct Ticks(Instant);

/// Time since the gate was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tick(u64);

impl Clock for Ticks {
    type Instant = Tick;

    fn now(&self) -> Tick {
        Tick(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

impl std::ops::Add<Nanos> for Tick {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0.saturating_add(other.as_u64()))
    }
}

impl Reference for Tick {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.as_u64()))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Ticks, StateInformationMiddleware>;

/// A platform's gate.
pub struct Gate {
    platform: PlatformId,
    pace: Pace,
    rate: Limiter,
    spacing: Option<Limiter>,
    clock: Ticks,
    /// Held by whoever waits for the next token: tokio's mutex is fair, so this is the queue.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicU32,
    counted: Mutex<Counted>,
    /// Seconds since 1970 when the clock started.
    epoch: u64,
}

/// What has gone through.
#[derive(Debug, Default)]
struct Counted {
    /// Tokens that were left after the newest request, and when that was.
    left: Option<(u32, Instant)>,
    /// The day, in days since 1970, and its requests.
    day: u64,
    units: u64,
}

impl Gate {
    /// A gate with a full bucket.
    pub fn new(platform: PlatformId, pace: Pace) -> Self {
        let clock = Ticks(Instant::now());
        let limiter = |quota| RateLimiter::direct_with_clock(quota, clock).with_middleware();
        let burst = NonZeroU32::new(pace.burst).unwrap_or(NonZeroU32::MIN);
        let rate = Quota::with_period(pace.interval())
            .unwrap_or_else(|| Quota::per_minute(NonZeroU32::MIN))
            .allow_burst(burst);
        Self {
            platform,
            pace,
            rate: limiter(rate),
            spacing: Quota::with_period(pace.spacing).map(limiter),
            clock,
            turn: tokio::sync::Mutex::default(),
            waiting: AtomicU32::new(0),
            counted: Mutex::default(),
            epoch: u64::try_from(Utc::now().timestamp()).unwrap_or_default(),
        }
    }

    /// Lets one request through, after its turn, its distance and its token.
    ///
    /// # Errors
    /// `rate_limited` when that would take longer than `patience`, or today's units are used up.
    pub async fn pass(&self, patience: Duration) -> Result<()> {
        let _place = Place::take(&self.waiting);
        let expected = self.expected();
        if expected > patience {
            return Err(self.refusal(expected));
        }
        let through = async {
            let _turn = self.turn.lock().await;
            self.count_unit()?;
            if let Some(spacing) = &self.spacing {
                self.token(spacing).await;
            }
            let left = self.token(&self.rate).await;
            self.counted().left = Some((left, Instant::now()));
            Ok(())
        };
        // The estimate may have been too good: others were let through meanwhile.
        tokio::time::timeout(patience, through).await.unwrap_or_else(|_| Err(self.refusal(self.pace.interval())))
    }

    /// What is left.
    pub fn allowance(&self) -> Allowance {
        let today = self.today();
        let counted = self.counted();
        let units_today = if counted.day == today { counted.units } else { 0 };
        drop(counted);
        Allowance { pace: self.pace, tokens_left: self.tokens(), waiting: self.waiting.load(Relaxed), units_today }
    }

    /// One token, however long it takes; gives back how many are left.
    async fn token(&self, limiter: &Limiter) -> u32 {
        loop {
            match limiter.check() {
                Ok(state) => return state.remaining_burst_capacity(),
                // Not shorter than a millisecond, which is what the timer counts in.
                Err(not_yet) => {
                    let wait = not_yet.wait_time_from(self.clock.now());
                    tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
                }
            }
        }
    }

    /// How long a request that comes now will wait, those before it included.
    fn expected(&self) -> Duration {
        let ahead = self.waiting.load(Relaxed);
        let missing = ahead.saturating_sub(self.tokens());
        (self.pace.interval() * missing).max(self.pace.spacing * ahead.saturating_sub(1))
    }

    /// Tokens that are there now: what was left plus what has come back since.
    fn tokens(&self) -> u32 {
        match self.counted().left {
            None => self.pace.burst,
            Some((left, then)) => {
                let back = then.elapsed().as_nanos() / self.pace.interval().as_nanos().max(1);
                left.saturating_add(u32::try_from(back).unwrap_or(u32::MAX)).min(self.pace.burst)
            }
        }
    }

    fn count_unit(&self) -> Result<()> {
        let today = self.today();
        let mut counted = self.counted();
        if counted.day != today {
            (counted.day, counted.units) = (today, 0);
        }
        if self.pace.daily_units.is_some_and(|most| counted.units >= most) {
            drop(counted);
            let midnight = DAY - self.seconds() % DAY;
            return Err(self.refusal(Duration::from_secs(midnight)));
        }
        counted.units += 1;
        Ok(())
    }

    fn seconds(&self) -> u64 {
        self.epoch.saturating_add(self.clock.0.elapsed().as_secs())
    }

    fn today(&self) -> u64 {
        self.seconds() / DAY
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        // Counters stay usable whatever panicked while they were held.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refusal(&self, wait: Duration) -> Error {
        let (platform, rate) = (self.platform, self.pace.requests_per_minute);
        let seconds = wait.as_secs_f64().ceil() as u64;
        let text = format!("our own rate for {platform} ({rate} requests a minute) would make this wait {seconds} s");
        Error::new(Kind::RateLimited { retry_after: Some(seconds.max(1)) }, text)
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicU32);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Relaxed);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// One attempt's way through its platform's gate: as patient as the attempt is, and knowing how long it stood there.
pub struct Pass {
    gate: Arc<Gate>,
    patience: Duration,
    waits: Mutex<Waits>,
    refused: AtomicBool,
}

/// Time in which at least one request waited.
#[derive(Debug, Default)]
struct Waits {
    over: Duration,
    now: Option<(usize, Instant)>,
}

impl Waits {
    fn total(&self) -> Duration {
        self.over + self.now.map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }
}

/// A request that waits, until dropped.
struct Waiting<'a>(&'a Pass);

impl<'a> Waiting<'a> {
    fn begin(pass: &'a Pass) -> Self {
        let mut waits = pass.waits();
        let (count, since) = waits.now.unwrap_or((0, Instant::now()));
        waits.now = Some((count + 1, since));
        drop(waits);
        Self(pass)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.waits();
        match waits.now {
            Some((count, since)) if count > 1 => waits.now = Some((count - 1, since)),
            _ => *waits = Waits { over: waits.total(), now: None },
        }
    }
}

impl Pass {
    /// A way through `gate` for requests that wait up to `patience` each.
    pub fn new(gate: Arc<Gate>, patience: Duration) -> Self {
        Self { gate, patience, waits: Mutex::default(), refused: AtomicBool::new(false) }
    }

    /// Lets one request through.
    ///
    /// # Errors
    /// As [`Gate::pass`].
    pub async fn request(&self) -> Result<()> {
        let waiting = Waiting::begin(self);
        let passed = self.gate.pass(self.patience).await;
        drop(waiting);
        if passed.is_err() {
            self.refused.store(true, Relaxed);
        }
        passed
    }

    /// How long requests have waited here, those that wait now included.
    pub fn waited(&self) -> Duration {
        self.waits().total()
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request was refused here: then the platform itself has not been asked.
    pub fn refused(&self) -> bool {
        self.refused.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace { requests_per_minute: 60, burst: 3, spacing: Duration::ZERO, daily_units: None };

    fn gate(pace: Pace) -> Arc<Gate> {
        Arc::new(Gate::new(PlatformId("x"), pace))
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn a_burst_passes_at_once_and_then_one_a_second() {
        let gate = gate(PACE);
        let start = Instant::now();
        let mut passed = Vec::new();
        for _ in 0..6 {
            gate.pass(LONG).await.unwrap();
            passed.push(start.elapsed().as_secs_f64().round());
        }
        assert_eq!(passed, [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]);
        assert_eq!(gate.allowance().tokens_left, 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(gate.allowance().tokens_left, 2);
        tokio::time::sleep(LONG).await;
        assert_eq!(gate.allowance().tokens_left, 3, "never more than the burst");
    }

    #[tokio::test(start_paused = true)]
    async fn requests_of_all_jobs_keep_their_distance_and_their_order() {
        let gate = gate(Pace { burst: 100, spacing: Duration::from_millis(250), ..PACE });
        let start = Instant::now();
        let jobs = (0..5).map(|number| {
            let gate = gate.clone();
            async move {
                gate.pass(LONG).await.unwrap();
                (start.elapsed().as_millis() / 10 * 10, number)
            }
        });
        let passed = futures_util::future::join_all(jobs).await;
        assert_eq!(passed, [(0, 0), (250, 1), (500, 2), (750, 3), (1000, 4)]);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_they_have_patience_for() {
        let gate = gate(PACE);
        for _ in 0..3 {
            gate.pass(Duration::ZERO).await.unwrap();
        }
        let start = Instant::now();
        let refused = gate.pass(Duration::from_millis(500)).await.unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
        assert_eq!(start.elapsed(), Duration::ZERO, "refused at once");
        let (first, second, third) = tokio::join!(
            gate.pass(Duration::from_secs(2)),
            gate.pass(Duration::from_secs(2)),
            gate.pass(Duration::from_secs(2))
        );
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(third.unwrap_err().retry_after(), Some(Duration::from_secs(3)), "two are ahead");
        assert_eq!(gate.allowance().waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_has_its_units_and_the_next_day_has_its_own() {
        let gate = gate(Pace { burst: 100, daily_units: Some(2), ..PACE });
        gate.pass(LONG).await.unwrap();
        gate.pass(LONG).await.unwrap();
        let wait = gate.pass(LONG).await.unwrap_err().retry_after().unwrap();
        assert!(wait <= Duration::from_secs(DAY), "{wait:?}");
        assert_eq!(gate.allowance().units_today, 2);
        tokio::time::sleep(wait).await;
        gate.pass(LONG).await.unwrap();
        assert_eq!(gate.allowance().units_today, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_holds_nobody_up() {
        let gate = gate(Pace { burst: 1, ..PACE });
        gate.pass(LONG).await.unwrap();
        let given_up = tokio::time::timeout(Duration::from_millis(100), gate.pass(LONG)).await;
        assert!(given_up.is_err());
        let start = Instant::now();
        gate.pass(LONG).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}
