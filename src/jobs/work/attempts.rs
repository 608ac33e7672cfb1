//! The paths to a link, one after the other, until one delivers or the verdict is final.

use std::{path::PathBuf, sync::atomic::Ordering::Relaxed, time::Instant};

use chrono::Utc;

use super::{Loaded, Work};
use crate::{
    fetch::Download,
    model::{
        Attempt, AttemptEnd, Error, FileType, Kind, MediaFile, MediaMetadata, Phase, Resource, ResourceKind, Result,
        UploadLimit,
    },
    platforms::{self, ExtractContext, Routed},
    settings::PlatformSettings,
    strategy::{self, Path},
    tools::ToolJob,
};

impl Work<'_> {
    /// Walks the planned paths until one delivers or the verdict is final.
    pub(super) async fn attempt_all(&mut self, routed: &Routed<'_>, limit: Option<UploadLimit>) -> Result<Loaded> {
        let strategy = &self.kit.parts.strategy;
        let paths = strategy.paths(routed);
        let cookies = strategy.flags(routed.platform).cookies;
        for (index, path) in paths.iter().enumerate() {
            self.progress.set(Phase::Resolving);
            let started = Instant::now();
            self.known.store(false, Relaxed);
            let deadline = self.kit.parts.settings.downloads.timeout;
            let result =
                match tokio::time::timeout(deadline, self.guarded(self.attempt(routed, path, index, limit))).await {
                    Ok(result) => result,
                    Err(_) => Err(Error::new(Kind::Timeout, format!("{} took longer than {deadline:?}", path.by()))),
                };
            let (took, cached) = (started.elapsed(), self.known.load(Relaxed));
            if !cached {
                strategy.record(routed.platform, path.by(), result.as_ref().err());
            }
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
            self.attempts.push(Attempt { method: path.method(), by: path.by().to_owned(), took, cached, end });
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
                let scope = platforms::scope(routed.platform, Some(&routed.resource));
                let sessions = self.kit.parts.strategy.sessions();
                let cookies = sessions.for_tool(scope)?;
                let job = ToolJob {
                    cookies: cookies.as_ref(),
                    resource: &routed.resource,
                    call,
                    options: &self.request.options,
                    max_bytes: self.kit.parts.settings.downloads.max_file_bytes,
                    prefer_below: limit.map(|limit| limit.per_file),
                    dir: &dir,
                    progress: self.progress,
                    cancel: self.cancel,
                };
                let output = self.kit.parts.tools.run(&job).await;
                if let (Some(_), Err(error)) = (&cookies, &output) {
                    sessions.note(scope, Some(error));
                }
                let mut output = output?;
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

    /// Asks the platform what the post holds.
    pub(super) async fn extract(&self, routed: &Routed<'_>) -> Result<MediaMetadata> {
        let parts = self.kit.parts;
        let extractor = routed
            .platform
            .extractor()
            .ok_or_else(|| Error::internal(format!("{} has no extractor", routed.resource.platform)))?;
        let none = PlatformSettings::default();
        let scope = platforms::scope(routed.platform, Some(&routed.resource));
        let session = parts.strategy.sessions().session(parts.egress.client(), scope);
        let context = ExtractContext {
            platform: routed.resource.platform,
            session: session.as_ref(),
            client: parts.egress.client(),
            settings: parts.settings.platforms.get(routed.resource.platform.0).unwrap_or(&none),
            options: &self.request.options,
        };
        let said = extractor.extract(&routed.resource, &context).await;
        if session.is_some_and(|session| session.was_used()) {
            parts.strategy.sessions().note(scope, said.as_ref().err());
        }
        said
    }

    /// Loads the files that the platform told of.
    pub(super) async fn download(
        &self,
        routed: &Routed<'_>,
        metadata: &MediaMetadata,
        index: usize,
        limit: Option<UploadLimit>,
    ) -> Result<Vec<PathBuf>> {
        let dir = self.folder.sub(&format!("{index}-api"))?;
        let key = routed.resource.key();
        let download = Download {
            key: Some(&key),
            metadata,
            options: &self.request.options,
            limit,
            media: &self.kit.parts.media,
            dir: &dir,
            progress: self.progress,
            cancel: self.cancel,
        };
        self.kit.fetcher.download(download).await
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
    // What is known from before was asked for before.
    metadata.download_timestamp.get_or_insert_with(Utc::now);
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
