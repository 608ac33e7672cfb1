//! The way of one request: route → attempts → describe → fit → plan messages → send.

mod attempts;
mod deliver;
mod kept;
mod remembered;
mod tries;

use std::sync::{Mutex, atomic::AtomicBool};

use tokio_util::sync::CancellationToken;

use super::{Folder, Parts};
use crate::{
    artifacts::Offer,
    deliver::Sink,
    fetch::Fetcher,
    model::{
        Attempt, Error, Kind, MediaFile, MediaMetadata, Outcome, Phase, Progress, Request, ResourceKind, Result,
        UploadLimit,
    },
    platforms::Routed,
};

/// How many redirecting links may follow one another (a short link to a share link to a post).
const MAX_SHORT_LINKS: usize = 3;

/// The services a request is worked on with.
#[derive(Clone, Copy)]
pub(super) struct Kit<'a> {
    pub(super) parts: &'a Parts,
    pub(super) fetcher: &'a Fetcher,
}

/// One request at work.
pub(super) struct Work<'a> {
    kit: Kit<'a>,
    request: &'a Request,
    folder: &'a Folder,
    progress: &'a Progress,
    cancel: &'a CancellationToken,
    attempts: Vec<Attempt>,
    /// Whether the attempt under way was answered from before.
    known: AtomicBool,
    /// What is on its way to other machines.
    offers: Mutex<Vec<Offer>>,
}

/// What an attempt brought: what the post holds, and its files in the order of its items.
struct Loaded {
    metadata: MediaMetadata,
    files: Vec<MediaFile>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        kit: Kit<'a>,
        request: &'a Request,
        folder: &'a Folder,
        progress: &'a Progress,
        cancel: &'a CancellationToken,
    ) -> Self {
        let (attempts, known, offers) = (Vec::new(), AtomicBool::new(false), Mutex::default());
        Self { kit, request, folder, progress, cancel, attempts, known, offers }
    }

    /// All of it. What happened stands in `outcome` afterwards, also when it failed half-way.
    pub(super) async fn run(&mut self, sink: &dyn Sink, outcome: &mut Outcome) {
        let result = self.load_and_deliver(sink, outcome).await;
        // Another job of the same link begins when this one ends, maybe on another machine.
        tokio::select! {
            () = self.settle() => {}
            () = self.cancel.cancelled() => {}
        }
        outcome.attempts = std::mem::take(&mut self.attempts);
        if let Err(error) = result {
            // A fault that only arose because somebody cancelled is a cancellation.
            outcome.error = Some(if self.cancel.is_cancelled() { Error::cancelled() } else { error });
        }
    }

    /// Looks at the link and loads nothing.
    pub(super) async fn look(&mut self) -> Result<MediaMetadata> {
        let routed = self.route().await?;
        Ok(self.attempt_all(&routed, None).await?.metadata)
    }

    async fn load_and_deliver(&mut self, sink: &dyn Sink, outcome: &mut Outcome) -> Result<()> {
        self.progress.set(Phase::Resolving);
        let routed = self.route().await?;
        outcome.platform = Some(routed.resource.platform.to_string());
        let Loaded { mut metadata, files: mut pending } = self.load(&routed, self.limit(sink)).await?;
        if self.request.options.metadata_only {
            outcome.metadata = Some(metadata);
            return Ok(());
        }
        metadata.file_size_bytes = Some(pending.iter().map(|file| file.size).sum());
        // A caption may name what the post holds, so the files stand there while they are sent, too.
        metadata.files.clone_from(&pending);
        let metadata = outcome.metadata.insert(metadata);
        let result = self.deliver(&mut pending, metadata, sink, &mut outcome.posted).await;
        let wanted = match &result {
            Ok(()) => {
                pending.clone_from(&metadata.files);
                !self.kit.parts.settings.upload.cleanup_after_success && sink.limit().is_some()
            }
            // What was loaded is worth keeping unless nobody wants it any more, or it never could be delivered.
            Err(error) => !self.cancel.is_cancelled() && !error.kind().is_fatal(),
        };
        if wanted {
            let kept = self.folder.keep(&mut pending)?;
            tracing::info!(place = %kept.display(), "files are kept");
            if result.is_ok() {
                metadata.files = pending;
            }
            outcome.kept = Some(kept);
        }
        result
    }

    /// Finds the platform; short links are followed first, through the guarded client.
    async fn route(&self) -> Result<Routed<'a>> {
        let mut url = self.request.url.clone();
        for _ in 0..=MAX_SHORT_LINKS {
            let routed = self.kit.parts.strategy.route(&url)?;
            if routed.resource.kind != ResourceKind::ShortLink {
                return Ok(routed);
            }
            url = self.follow(&routed).await?;
        }
        Err(Error::new(Kind::NotFound, "a short link that leads to ever more short links"))
    }

    /// The limit to aim at: the place's, or the operator's lower wish.
    fn limit(&self, sink: &dyn Sink) -> Option<UploadLimit> {
        let wish = self.kit.parts.settings.compression.target_bytes;
        sink.limit().map(|limit| UploadLimit { per_file: wish.map_or(limit.per_file, |wish| wish.min(limit.per_file)) })
    }

    /// Ends at once when the request is cancelled, whatever it waits for.
    async fn guarded<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Error::cancelled()),
            result = work => result,
        }
    }
}
