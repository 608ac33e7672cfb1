//! One path to a link, tried as often as it is worth.

use std::{
    path::PathBuf,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;
use url::Url;

use super::{
    super::{Parts, share},
    Loaded, Work,
};
use crate::{
    fetch::Download,
    model::{Error, Kind, MediaMetadata, Phase, Result, Retry, UploadLimit},
    net::{Client, pace::Pass},
    platforms::{self, ExtractContext, Routed},
    settings::PlatformSettings,
    strategy::{Failed, Path, Stage, Step, step},
    tools::ToolJob,
};

/// How many times longer a tool or the last path waits for our own rates than asking in process does while there are
/// others: somebody has to.
const LAST_PATIENCE: u32 = 3;

/// One path on its way.
pub(super) struct Walk<'a> {
    /// Where it leads.
    pub(super) routed: &'a Routed<'a>,
    /// Which it is.
    pub(super) path: &'a Path,
    /// Its place in the plan.
    index: usize,
    /// The limit that files had better fit.
    limit: Option<UploadLimit>,
    /// Whether another path could be tried instead.
    pub(super) more_paths: bool,
    /// Its way through the platform's gate.
    pub(super) pass: Arc<Pass>,
    /// Asks the platform.
    client: Client,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        parts: &Parts,
        routed: &'a Routed<'a>,
        path: &'a Path,
        index: usize,
        limit: Option<UploadLimit>,
        more_paths: bool,
    ) -> Self {
        let pass = pass(parts, routed, more_paths && *path == Path::Api);
        let client = parts.egress.client().paced(pass.clone());
        Self { routed, path, index, limit, more_paths, pass, client }
    }
}

/// A way through the platform's gate, less patient when hurried.
fn pass(parts: &Parts, routed: &Routed<'_>, hurried: bool) -> Arc<Pass> {
    let patience = parts.settings.resilience.rate_max_wait * if hurried { 1 } else { LAST_PATIENCE };
    Arc::new(Pass::new(parts.strategy.gate(routed.platform), patience))
}

impl Work<'_> {
    /// Tries a path until it delivers or is not worth another try.
    pub(super) async fn tries(
        &self,
        walk: &Walk<'_>,
        probe: bool,
        deadline: Instant,
        retries: &mut Vec<Retry>,
    ) -> Result<Loaded> {
        let strategy = &self.kit.parts.strategy;
        let platform = walk.routed.platform;
        let (mut tries, mut anew, mut renewed) = (0, self.request.options.force, false);
        // What the platform told stays good while only its media are tried again.
        let mut told = None;
        let mut learning = false;
        loop {
            tries += 1;
            let (stage, error) = match self.once(walk, tries, anew, &mut told).await {
                Ok((metadata, paths)) => {
                    if learning {
                        strategy.rate_limit_waited(platform, true);
                    }
                    return self.loaded(walk, metadata, &paths).await;
                }
                Err(failed) => failed,
            };
            let untold = matches!(error.kind(), Kind::RateLimited { retry_after: None });
            if learning && untold {
                strategy.rate_limit_waited(platform, false);
            }
            // Somebody has asked just now, and was refused.
            if stage == Stage::Extract && self.known.load(Relaxed) {
                return Err(error);
            }
            let failed = Failed {
                error: &error,
                stage,
                tries,
                renewed,
                more_paths: walk.more_paths,
                probe,
                left: deadline.saturating_duration_since(Instant::now()),
                rate_limit_delay: strategy.rate_limit_delay(platform),
            };
            let Step::Again { after, renew } = step(&failed, &strategy.patience(), share()) else {
                return Err(error);
            };
            if renew {
                (told, renewed) = (None, true);
            }
            anew = true;
            learning = untold;
            tracing::info!(
                by = walk.path.by(),
                code = error.code(),
                reason = error.operator_text(),
                wait = after.as_secs_f32(),
                "trying again"
            );
            retries.push(Retry { code: error.code().to_owned(), waited: after, renewed: renew });
            self.pause(after).await?;
        }
    }

    /// One try: what the post holds and, unless it is only looked at, its files.
    async fn once(
        &self,
        walk: &Walk<'_>,
        tries: u32,
        anew: bool,
        told: &mut Option<MediaMetadata>,
    ) -> Result<(MediaMetadata, Vec<PathBuf>), (Stage, Error)> {
        let name = if tries > 1 {
            format!("{}-{}-{tries}", walk.index, walk.path.by())
        } else {
            format!("{}-{}", walk.index, walk.path.by())
        };
        let dir = self.folder.sub(&name).map_err(|error| (Stage::Extract, error))?;
        let options = &self.request.options;
        let call = match walk.path {
            Path::Cli(call) => call,
            Path::Api => {
                let metadata = match told.take() {
                    Some(metadata) => metadata,
                    None => self.told(walk, anew).await.map_err(|error| (Stage::Extract, error))?,
                };
                if options.metadata_only {
                    return Ok((metadata, Vec::new()));
                }
                let key = walk.routed.resource.key();
                let download = Download {
                    key: Some(&key),
                    metadata: &metadata,
                    options,
                    limit: walk.limit,
                    media: &self.kit.parts.media,
                    dir: &dir,
                    progress: self.progress,
                    cancel: self.cancel,
                };
                return match self.kit.fetcher.download(download).await {
                    Ok(paths) => Ok((metadata, paths)),
                    Err(error) => {
                        *told = Some(metadata);
                        Err((Stage::Download, error))
                    }
                };
            }
        };
        let scope = platforms::scope(walk.routed.platform, Some(&walk.routed.resource));
        let sessions = self.kit.parts.strategy.sessions();
        let cookies = sessions.for_tool(scope).map_err(|error| (Stage::Tool, error))?;
        let job = ToolJob {
            cookies: cookies.as_ref(),
            resource: &walk.routed.resource,
            call,
            options,
            max_bytes: self.kit.parts.settings.downloads.max_file_bytes,
            prefer_below: walk.limit.map(|limit| limit.per_file),
            dir: &dir,
            progress: self.progress,
            cancel: self.cancel,
        };
        let run = async {
            walk.pass.request().await?;
            self.kit.parts.tools.run(&job).await
        };
        let output = run.await;
        if let (Some(_), Err(error)) = (&cookies, &output) {
            sessions.note(scope, Some(error));
        }
        let mut output = output.map_err(|error| (Stage::Tool, error))?;
        walk.routed.platform.refine(&walk.routed.resource, call.tool, &output.raw, &mut output.metadata);
        Ok((output.metadata, output.files))
    }

    /// Asks the platform what the post holds.
    pub(super) async fn extract(&self, walk: &Walk<'_>) -> Result<MediaMetadata> {
        let (parts, resource) = (self.kit.parts, &walk.routed.resource);
        let platform = resource.platform;
        let extractor =
            walk.routed.platform.extractor().ok_or_else(|| Error::internal(format!("{platform} has no extractor")))?;
        let none = PlatformSettings::default();
        let scope = platforms::scope(walk.routed.platform, Some(resource));
        let session = parts.strategy.sessions().session(&walk.client, scope);
        let context = ExtractContext {
            platform,
            session: session.as_ref(),
            client: &walk.client,
            settings: parts.settings.platforms.get(platform.0).unwrap_or(&none),
            options: &self.request.options,
        };
        let allowed = parts.settings.network.timeouts.metadata;
        let late =
            || Error::new(Kind::Timeout, format!("{platform} did not tell within {allowed:?} what the post holds"));
        let said = in_time(extractor.extract(resource, &context), allowed, &walk.pass).await;
        let said = said.unwrap_or_else(|| Err(late()));
        if session.is_some_and(|session| session.was_used()) {
            parts.strategy.sessions().note(scope, said.as_ref().err());
        }
        said
    }

    /// Where a short link leads. There is no other path to that, so it is asked as patiently as a last one.
    pub(super) async fn follow(&self, routed: &Routed<'_>) -> Result<Url> {
        let parts = self.kit.parts;
        let client = parts.egress.client().paced(pass(parts, routed, false));
        let deadline = Instant::now() + parts.settings.downloads.timeout;
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match self.guarded(client.resolve(&routed.resource.canonical)).await {
                Ok(url) => return Ok(url),
                Err(error) => error,
            };
            let failed = Failed {
                error: &error,
                stage: Stage::Extract,
                tries,
                renewed: false,
                more_paths: false,
                probe: false,
                left: deadline.saturating_duration_since(Instant::now()),
                rate_limit_delay: parts.strategy.rate_limit_delay(routed.platform),
            };
            let Step::Again { after, .. } = step(&failed, &parts.strategy.patience(), share()) else {
                return Err(error);
            };
            self.pause(after).await?;
        }
    }

    /// Waits before the next try, and says so when it is long enough to be noticed.
    async fn pause(&self, wait: Duration) -> Result<()> {
        if wait >= Duration::from_secs(1) {
            self.progress.set(Phase::Waiting { seconds: wait.as_secs_f64().ceil() as u64 });
        }
        self.guarded(async {
            tokio::time::sleep(wait).await;
            Ok(())
        })
        .await?;
        self.progress.set(Phase::Resolving);
        Ok(())
    }
}

/// The result of `work`, unless it takes longer than `allowed`, time spent at the gate left out.
async fn in_time<T>(work: impl Future<Output = T>, allowed: Duration, pass: &Pass) -> Option<T> {
    let mut work = pin!(work);
    let (began, before) = (Instant::now(), pass.waited());
    loop {
        let until = began + allowed + pass.waited().saturating_sub(before);
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = tokio::time::sleep_until(until) => {
                if Instant::now() >= began + allowed + pass.waited().saturating_sub(before) {
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::PlatformId,
        net::pace::{Gate, Pace},
    };

    #[tokio::test(start_paused = true)]
    async fn time_at_our_own_gate_is_not_the_platforms() {
        let pace = Pace { requests_per_minute: 6, burst: 1, spacing: Duration::ZERO, daily_units: None };
        let pass = Pass::new(Arc::new(Gate::new(PlatformId("x"), pace)), Duration::from_secs(60));
        pass.request().await.unwrap();
        let allowed = Duration::from_secs(5);
        for (takes, in_its_time) in [(4, true), (6, false)] {
            // The turn comes after up to ten seconds.
            let answer = async {
                pass.request().await.unwrap();
                tokio::time::sleep(Duration::from_secs(takes)).await;
            };
            assert_eq!(in_time(answer, allowed, &pass).await.is_some(), in_its_time, "{takes} s");
        }
    }

    #[test]
    fn waits_are_spread_over_their_whole_length() {
        let shares: Vec<f64> = (0..200).map(|_| share()).collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
        assert!(shares.iter().any(|share| *share < 0.25) && shares.iter().any(|share| *share > 0.75), "{shares:?}");
    }
}
