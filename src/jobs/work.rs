//! The way of one request: route → attempts → describe → fit → plan messages → send.

use std::{path::PathBuf, time::Instant};

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use super::{Folder, Parts};
use crate::{
    deliver::{self, BatchLimits, Delivered, Part, SendError, Sink},
    fetch::{Download, Fetcher},
    media::FitTarget,
    model::{
        Attempt, AttemptEnd, Error, FileType, Kind, MediaFile, MediaMetadata, Outcome, Phase, Progress, Request,
        Resource, ResourceKind, Result, UploadLimit,
    },
    platforms::{ExtractContext, Routed},
    settings::PlatformSettings,
    strategy::{self, Path},
    tools::ToolJob,
};

/// How many redirecting links may follow one another (a short link to a share link to a post).
const MAX_SHORT_LINKS: usize = 3;

/// How often a delivery is fitted again because the place took less than thought.
const MAX_REFITS: usize = 4;

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
        Self { kit, request, folder, progress, cancel, attempts: Vec::new() }
    }

    /// All of it. What happened stands in `outcome` afterwards, also when it failed half-way.
    pub(super) async fn run(&mut self, sink: &dyn Sink, outcome: &mut Outcome) {
        let result = self.load_and_deliver(sink, outcome).await;
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
        let Loaded { mut metadata, files: mut pending } = self.attempt_all(&routed, self.limit(sink)).await?;
        if self.request.options.metadata_only {
            outcome.metadata = Some(metadata);
            return Ok(());
        }
        metadata.file_size_bytes = Some(pending.iter().map(|file| file.size).sum());
        // A caption may name what the post holds, so the files stand there while they are sent, too.
        metadata.files.clone_from(&pending);
        let metadata = outcome.metadata.insert(metadata);
        let result = self.deliver(&mut pending, metadata, sink, &mut outcome.posted.places).await;
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
            let client = self.kit.parts.egress.client();
            url = self.guarded(client.resolve(&routed.resource.canonical)).await?;
        }
        Err(Error::new(Kind::NotFound, "a short link that leads to ever more short links"))
    }

    /// Walks the planned paths until one delivers or the verdict is final.
    async fn attempt_all(&mut self, routed: &Routed<'_>, limit: Option<UploadLimit>) -> Result<Loaded> {
        let strategy = &self.kit.parts.strategy;
        let paths = strategy.paths(routed);
        let cookies = strategy.flags(routed.platform).cookies;
        for (index, path) in paths.iter().enumerate() {
            self.progress.set(Phase::Resolving);
            let started = Instant::now();
            let deadline = self.kit.parts.settings.downloads.timeout;
            let result =
                match tokio::time::timeout(deadline, self.guarded(self.attempt(routed, path, index, limit))).await {
                    Ok(result) => result,
                    Err(_) => Err(Error::new(Kind::Timeout, format!("{} took longer than {deadline:?}", path.by()))),
                };
            let took = started.elapsed();
            strategy.record(routed.platform, path.by(), result.as_ref().err());
            let (end, loaded) = match result {
                Ok(loaded) => (AttemptEnd::Ok, Some(loaded)),
                Err(error) => {
                    tracing::info!(
                        by = path.by(),
                        code = error.code(),
                        reason = error.operator_text(),
                        "attempt failed"
                    );
                    (strategy::after(path, error, index + 1 < paths.len(), cookies), None)
                }
            };
            let over = !matches!(end, AttemptEnd::NextAttempt { .. });
            self.attempts.push(Attempt { method: path.method(), by: path.by().to_owned(), took, end });
            if let Some(loaded) = loaded {
                return Ok(loaded);
            }
            if over {
                break;
            }
        }
        let errors = self.attempts.iter().filter_map(|attempt| attempt.end.error());
        Err(strategy::most_telling(errors).cloned().unwrap_or_else(|| {
            Error::new(Kind::UnsupportedUrl, format!("no path is open for {}", routed.resource.platform))
        }))
    }

    /// One path, whole: what the post holds and its files on disk.
    async fn attempt(
        &self,
        routed: &Routed<'_>,
        path: &Path,
        index: usize,
        limit: Option<UploadLimit>,
    ) -> Result<Loaded> {
        let (mut metadata, paths) = match path {
            Path::Api => self.attempt_api(routed, index, limit).await?,
            Path::Cli(call) => {
                let dir = self.folder.sub(&format!("{index}-{}", call.tool))?;
                let job = ToolJob {
                    resource: &routed.resource,
                    call,
                    options: &self.request.options,
                    max_bytes: self.kit.parts.settings.downloads.max_file_bytes,
                    prefer_below: limit.map(|limit| limit.per_file),
                    dir: &dir,
                    progress: self.progress,
                    cancel: self.cancel,
                };
                let mut output = self.kit.parts.tools.run(&job).await?;
                routed.platform.refine(&routed.resource, call.tool, &output.raw, &mut output.metadata);
                (output.metadata, output.files)
            }
        };
        stamp(&mut metadata, &routed.resource, path);
        if self.request.options.metadata_only {
            return Ok(Loaded { metadata, files: Vec::new() });
        }
        let files = self.describe(&metadata, &paths).await?;
        // Tools save whatever they are sent, an error page included.
        if files.iter().all(|file| file.file_type == FileType::Other) {
            let what = files.first().map_or("nothing", |file| file.mimetype.as_str());
            return Err(Error::new(Kind::NoMedia, format!("{} loaded {what}", path.by())));
        }
        Ok(Loaded { metadata, files })
    }

    async fn attempt_api(
        &self,
        routed: &Routed<'_>,
        index: usize,
        limit: Option<UploadLimit>,
    ) -> Result<(MediaMetadata, Vec<PathBuf>)> {
        let parts = self.kit.parts;
        let extractor = routed
            .platform
            .extractor()
            .ok_or_else(|| Error::internal(format!("{} has no extractor", routed.resource.platform)))?;
        let none = PlatformSettings::default();
        let context = ExtractContext {
            platform: routed.resource.platform,
            session: None,
            client: parts.egress.client(),
            settings: parts.settings.platforms.get(routed.resource.platform.0).unwrap_or(&none),
            options: &self.request.options,
        };
        let metadata = extractor.extract(&routed.resource, &context).await?;
        if self.request.options.metadata_only {
            return Ok((metadata, Vec::new()));
        }
        let dir = self.folder.sub(&format!("{index}-api"))?;
        let key = routed.resource.key();
        let download = Download {
            key: Some(&key),
            metadata: &metadata,
            options: &self.request.options,
            limit,
            media: &parts.media,
            dir: &dir,
            progress: self.progress,
            cancel: self.cancel,
        };
        let paths = self.kit.fetcher.download(download).await?;
        Ok((metadata, paths))
    }

    /// Describes the loaded files from their content.
    async fn describe(&self, metadata: &MediaMetadata, paths: &[PathBuf]) -> Result<Vec<MediaFile>> {
        let mut files = Vec::with_capacity(paths.len());
        for (item, path) in paths.iter().enumerate() {
            let name = file_name(metadata, item, paths.len(), path);
            let mut file = self.guarded(self.kit.parts.media.describe(path, &name, item)).await?;
            file.alt_text = metadata.items.get(item).and_then(|item| item.alt_text.clone());
            files.push(file);
        }
        Ok(files)
    }

    /// The limit to aim at: the place's, or the operator's lower wish.
    fn limit(&self, sink: &dyn Sink) -> Option<UploadLimit> {
        let wish = self.kit.parts.settings.compression.target_bytes;
        sink.limit().map(|limit| UploadLimit { per_file: wish.map_or(limit.per_file, |wish| wish.min(limit.per_file)) })
    }

    /// Fits, plans and sends, and once more for what the place refused as too large. A file that can't be made to fit
    /// does not hold up the others.
    ///
    /// `pending` holds the files as loaded; afterwards those that were not delivered. What was delivered, as it was
    /// delivered, stands in `metadata`.
    async fn deliver(
        &self,
        pending: &mut Vec<MediaFile>,
        metadata: &mut MediaMetadata,
        sink: &dyn Sink,
        places: &mut Vec<String>,
    ) -> Result<()> {
        let upload = &self.kit.parts.settings.upload;
        let batches = BatchLimits { max_files: upload.max_files_per_batch, batch_bytes: upload.batch_bytes };
        let all = pending.len();
        let (mut refits, mut parts, mut left_out, mut sent) = (0, 0, Vec::new(), Vec::new());
        while !pending.is_empty() {
            let limit = self.limit(sink);
            let (mut fitting, mut ready) = (Vec::new(), Vec::new());
            for original in pending.iter() {
                match self.fit(original, limit, all, refits).await {
                    Ok(file) => {
                        ready.push(file);
                        fitting.push(original.clone());
                    }
                    Err(error) if all > 1 && *error.kind() == Kind::CannotFit => left_out.push(error),
                    Err(error) => return Err(error),
                }
            }
            *pending = fitting;
            let sizes: Vec<u64> = ready.iter().map(|file| file.size).collect();
            let plan = deliver::plan(&sizes, batches);
            for (index, range) in plan.iter().enumerate() {
                let of = parts + plan.len() - index;
                self.progress.set(Phase::Uploading { part: parts + 1, of });
                let files = &mut ready[range.clone()];
                let part = Part { request: &self.request.id, metadata, files, index: parts, of };
                match self.guarded(async { Ok(sink.send(part).await) }).await? {
                    Ok(delivered) => {
                        match delivered {
                            Delivered::Message(link) => places.push(link),
                            Delivered::Files(paths) => {
                                places.extend(paths.iter().map(|path| path.display().to_string()));
                                files.iter_mut().zip(paths).for_each(|(file, path)| file.path = path);
                            }
                        }
                        parts += 1;
                        sent.extend_from_slice(files);
                        pending.drain(..range.len());
                    }
                    Err(SendError::TooLarge) => {
                        refits += 1;
                        if refits > MAX_REFITS || self.limit(sink).map(|l| l.per_file) >= limit.map(|l| l.per_file) {
                            let text = "the place refuses a file that is below the limit it told";
                            return Err(Error::new(Kind::CannotFit, text));
                        }
                        tracing::info!(limit = ?self.limit(sink), "the place takes less than thought: fitting again");
                        break;
                    }
                    Err(SendError::Failed(error)) => return Err(error),
                }
            }
        }
        metadata.file_size_bytes = Some(sent.iter().map(|file| file.size).sum());
        metadata.files = sent;
        match left_out.into_iter().next() {
            Some(error) if places.is_empty() => Err(error),
            Some(error) => Err(error.with_detail(format!("{} of {all} files", all - metadata.files.len()))),
            None => Ok(()),
        }
    }

    /// Makes one file fit.
    async fn fit(&self, file: &MediaFile, limit: Option<UploadLimit>, of: usize, round: usize) -> Result<MediaFile> {
        let target =
            FitTarget { max_bytes: limit.map(|limit| limit.per_file), audio_only: self.request.options.audio_only };
        // One folder a file and round: a refit never overwrites what an upload may still read.
        let dir = self.folder.sub(&format!("fit-{}-{round}", file.item))?;
        let number = file.item + 1;
        let report = |fraction| self.progress.set(Phase::Compressing { file: number, of, fraction });
        self.guarded(self.kit.parts.media.fit(file, target, &dir, &report, self.cancel)).await
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

/// Notes where metadata came from, whichever path filled it.
fn stamp(metadata: &mut MediaMetadata, resource: &Resource, path: &Path) {
    metadata.platform = resource.platform.to_string();
    let mut url = resource.canonical.clone();
    if resource.kind == ResourceKind::File {
        // Links to files are often signed by their query, and this one is shown to everybody.
        url.set_query(None);
    }
    metadata.url = url.into();
    if resource.kind == ResourceKind::File {
        metadata.id.clone_from(&metadata.url);
    }
    if metadata.id.is_empty() {
        metadata.id.clone_from(&resource.id);
    }
    metadata.download_method = Some(path.method());
    metadata.download_timestamp = Some(Utc::now());
}

/// The name the receiver sees, before it is made safe: author and id tell more than the platform's hash, and a direct
/// link keeps its own name.
fn file_name(metadata: &MediaMetadata, item: usize, of: usize, path: &std::path::Path) -> String {
    let direct = metadata.items.first().is_some_and(|item| item.kind == FileType::Other);
    let own = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let base = match (&metadata.author, own) {
        (None, Some(own)) if metadata.platform == "direct" || direct => own,
        (Some(author), _) if !author.handle.is_empty() => format!("{}_{}", author.handle, metadata.id),
        _ => format!("{}_{}", metadata.platform, metadata.id),
    };
    if of > 1 { format!("{base}_{}", item + 1) } else { base }
}
