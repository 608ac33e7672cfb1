//! A file of known length over several connections, each at a place of its own.
//!
//! All runs in one task: dropping it ends every connection. `ranges.rs` shares the bytes out, `ramp.rs` says how many
//! connections are worth it.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use reqwest::{Response, StatusCode};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, MissedTickBehavior},
};

use super::{
    answer::{self, content_range},
    engine::{Ask, Broken, LONGEST_WAIT, check_status, range_header},
    part::{Part, Writer},
    partial::Version,
    patience::Tries,
    ramp::{Ramp, TICK},
    ranges::{Claim, Plan},
    transfer::{Ended, Transfer, same},
};
use crate::{
    model::{Error, Kind},
    net,
};

/// One version of a file being loaded.
pub(super) struct Run<'a> {
    transfer: &'a Transfer<'a>,
    part: &'a Part,
    version: Version,
    tries: &'a mut Tries,
}

/// What the connections of a run share.
struct Shared<'a> {
    transfer: &'a Transfer<'a>,
    part: &'a Part,
    version: &'a Version,
    /// Bytes there: found, and received since.
    there: AtomicU64,
}

/// How the work of one connection ended.
struct Piece {
    claim: Arc<Claim>,
    end: Result<(), Trouble>,
}

/// Why a connection ended before its piece was whole.
enum Trouble {
    Broken(Broken),
    /// The server sends the whole instead of the part.
    Whole(Response),
    /// The server has another version now.
    Changed,
}

impl<T: Into<Broken>> From<T> for Trouble {
    fn from(broken: T) -> Self {
        Trouble::Broken(broken.into())
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(transfer: &'a Transfer<'a>, part: &'a Part, version: Version, tries: &'a mut Tries) -> Self {
        Self { transfer, part, version, tries }
    }

    /// Loads what is missing; `response` brings the bytes of `first`.
    pub(super) async fn load(
        self,
        response: Response,
        first: Range<u64>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Ended> {
        let Self { transfer, part, version, tries } = self;
        let (engine, url) = (transfer.lane.engine, transfer.url);
        let ranged = response.status() == StatusCode::PARTIAL_CONTENT;
        let found = part.shared.done();
        let mut plan = Plan::new(found.missing(version.total), transfer.rendition.chunk_bytes);
        // A server that sends the whole where a part was asked for gets one connection.
        let most = if ranged { engine.hosts.per_host() } else { 1 };
        let mut ramp = Ramp::new(plan.left(), most);
        let shared = Shared { transfer, part, version: &version, there: AtomicU64::new(found.bytes()) };
        shared.report();
        let mut at_work: FuturesUnordered<BoxFuture<'_, Piece>> = FuturesUnordered::new();
        at_work.push(shared.piece(plan.claim(first), permit, Some(response)).boxed());
        let mut ticks = tokio::time::interval_at(Instant::now() + TICK, TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = found.bytes();
        loop {
            while at_work.len() < ramp.target() {
                let permit = if at_work.is_empty() {
                    if plan.is_claimed() {
                        break;
                    }
                    engine.hosts.permit(url).await
                } else {
                    let Some(permit) = engine.hosts.spare(url) else { break };
                    Some(permit)
                };
                let claim = plan.next(ramp.target()).or_else(|| {
                    let slow = ramp.is_slow(plan.left() / at_work.len().max(1) as u64, at_work.len());
                    if slow { plan.share() } else { None }
                });
                let Some(claim) = claim else { break };
                at_work.push(shared.piece(claim, permit, None).boxed());
            }
            let piece = tokio::select! {
                ended = at_work.next() => ended,
                _ = ticks.tick() => {
                    let there = shared.there.load(Relaxed);
                    ramp.look(there.saturating_sub(seen), at_work.len(), plan.left());
                    seen = there;
                    part.note();
                    continue;
                }
            };
            // Nobody at work and nothing to claim.
            let Some(Piece { claim, end }) = piece else { break };
            plan.release(&claim);
            let Err(trouble) = end else { continue };
            let alone = at_work.is_empty();
            let broken = match trouble {
                Trouble::Changed => return Err(Ended::Changed(None)),
                Trouble::Whole(answer) => {
                    let now = Version { validator: answer::validator(&answer), ..version.clone() };
                    let length = answer.content_length();
                    if length.is_some_and(|length| length != version.total) || !same(&version, &now) {
                        return Err(Ended::Changed(Some(answer)));
                    }
                    let error = Error::new(Kind::Network, "a server sends the whole where a part was asked for");
                    if alone {
                        return Err(Ended::FromStart(Some(answer), error));
                    }
                    Broken::Refused(error)
                }
                Trouble::Broken(broken) => broken,
            };
            if let Broken::Final(error) = broken {
                return Err(error.into());
            }
            if !alone {
                // The others go on and show whether it was this connection or the server.
                ramp.settle_at(at_work.len());
                continue;
            }
            let there = shared.there.load(Relaxed);
            let wait = again(broken, tries, there)?;
            tokio::time::sleep(wait).await;
        }
        shared.report();
        Ok(())
    }
}

/// How long to wait before asking again when the only connection failed.
fn again(broken: Broken, tries: &mut Tries, there: u64) -> Result<Duration, Error> {
    match broken {
        Broken::Cut(error) => {
            tracing::debug!(reason = error.operator_text(), there, "a download was cut: resuming");
            tries.next(there).ok_or(error)
        }
        Broken::Refused(error) => match error.retry_after() {
            Some(wait) if wait <= LONGEST_WAIT => Ok(tries.next(there).ok_or(error)?.max(wait)),
            None if *error.kind() == Kind::PlatformChanged => {
                let text = format!("after {there} bytes {}: it has expired", error.operator_text());
                Err(Error::platform_changed(text))
            }
            _ => Err(error),
        },
        Broken::Stalled(error) | Broken::Final(error) => Err(error),
    }
}

impl Shared<'_> {
    fn report(&self) {
        (self.transfer.lane.report)(self.there.load(Relaxed), Some(self.version.total));
    }

    /// The work of one connection. `permit`: its right to the host.
    async fn piece(
        &self,
        claim: Arc<Claim>,
        permit: Option<OwnedSemaphorePermit>,
        response: Option<Response>,
    ) -> Piece {
        let end = self.try_piece(&claim, response).await;
        drop(permit);
        Piece { claim, end }
    }

    async fn try_piece(&self, claim: &Claim, response: Option<Response>) -> Result<(), Trouble> {
        let response = match response {
            Some(response) => response,
            None => self.ask(claim.left()).await?,
        };
        let mut writer = Writer::new(self.part, claim.left().start);
        let end = self.drain(response, claim, &mut writer).await;
        // What came counts, however it ended.
        writer.finish().await?;
        Ok(end?)
    }

    /// Asks for a part and makes sure that it is that part of this version.
    async fn ask(&self, wanted: Range<u64>) -> Result<Response, Trouble> {
        let Transfer { lane, rendition, url } = self.transfer;
        let ask = Ask {
            url,
            headers: &rendition.headers,
            range: Some(range_header(&wanted)),
            validator: self.version.validator.as_deref(),
        };
        let response = lane.engine.ask(&ask).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Err(Trouble::Changed);
        }
        let response = check_status(response)?;
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(Trouble::Whole(response));
        }
        let (start, total) = content_range(&response).unwrap_or((u64::MAX, None));
        let now = Version {
            total: total.unwrap_or(self.version.total),
            validator: answer::validator(&response),
            content_type: None,
        };
        if !same(self.version, &now) {
            return Err(Trouble::Changed);
        }
        if start != wanted.start {
            let error = Error::new(Kind::Network, "a server sends another part than was asked for");
            return Err(Broken::Final(error).into());
        }
        Ok(response)
    }

    /// Writes what comes until the claim is done.
    async fn drain(&self, mut response: Response, claim: &Claim, writer: &mut Writer) -> Result<(), Broken> {
        let lane = self.transfer.lane;
        let mut watch = lane.engine.patience.watch();
        loop {
            let left = claim.left();
            if left.is_empty() {
                return Ok(());
            }
            let next = {
                let mut chunk = std::pin::pin!(response.chunk());
                match futures_util::poll!(&mut chunk) {
                    Poll::Ready(next) => next,
                    Poll::Pending => tokio::select! {
                        biased;
                        next = watch.wait(chunk) => next.map_err(Broken::Stalled)?,
                        error = writer.while_idle() => return Err(error.into()),
                    },
                }
            };
            let mut chunk = match next {
                Ok(Some(chunk)) => chunk,
                Ok(None) => {
                    let text = format!("cut at {} of {} bytes", left.start, self.version.total);
                    return Err(Broken::Cut(Error::new(Kind::Network, text)));
                }
                Err(error) => return Err(net::fault(error).into()),
            };
            watch.got(chunk.len());
            lane.pass(chunk.len(), &mut watch).await;
            // The end may have been given to another connection meanwhile.
            let left = claim.left();
            let room = left.end.saturating_sub(left.start);
            chunk.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            let bytes = chunk.len() as u64;
            // Before it is written, so that nobody takes over what is in hand.
            claim.advance(bytes);
            let busy = Instant::now();
            writer.push(chunk).await?;
            watch.excuse(busy.elapsed());
            self.there.fetch_add(bytes, Relaxed);
            self.report();
        }
    }
}
