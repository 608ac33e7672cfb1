//! The paths to a link, one after the other, until one delivers or the verdict is final.

use std::{ops::ControlFlow, path::PathBuf, sync::atomic::Ordering::Relaxed};

use chrono::Utc;
use tokio::time::Instant;

use super::{Loaded, Work, tries::Walk};
use crate::{
    model::{
        Attempt, AttemptEnd, Error, FileType, Kind, MediaFile, MediaMetadata, Phase, Resource, ResourceKind, Result,
        UploadLimit,
    },
    platforms::Routed,
    strategy::{self, Path, Ticket},
};

impl Work<'_> {
    /// Walks the planned paths until one delivers or the verdict is final. Paused ones are left out, unless all are.
    pub(super) async fn attempt_all(&mut self, routed: &Routed<'_>, limit: Option<UploadLimit>) -> Result<Loaded> {
        let parts = self.kit.parts;
        let strategy = &parts.strategy;
        let paths = strategy.paths(routed);
        for (index, path) in paths.iter().enumerate() {
            let Some(ticket) = strategy.enter(routed.platform, path) else { continue };
            let more_paths = paths.iter().skip(index + 1).any(|path| strategy.is_open_to(routed.platform, path));
            match self.attempt(Walk::new(parts, routed, path, index, limit, more_paths), ticket).await {
                ControlFlow::Break(Some(loaded)) => return Ok(loaded),
                ControlFlow::Break(None) => break,
                ControlFlow::Continue(()) => {}
            }
        }
        if self.attempts.is_empty() && !paths.is_empty() {
            let (index, ticket) = strategy.enter_paused(routed.platform, &paths)?;
            if let Some(path) = paths.get(index)
                && let ControlFlow::Break(Some(loaded)) =
                    self.attempt(Walk::new(parts, routed, path, index, limit, false), ticket).await
            {
                return Ok(loaded);
            }
        }
        let errors = self.attempts.iter().filter_map(|attempt| attempt.end.error());
        Err(strategy::most_telling(errors).cloned().unwrap_or_else(|| {
            Error::new(Kind::UnsupportedUrl, format!("no path is open for {}", routed.resource.platform))
        }))
    }

    /// One path, whole, and what its end means for the next: go on, or stop with what it brought, if anything.
    async fn attempt(&mut self, walk: Walk<'_>, ticket: Ticket<'_>) -> ControlFlow<Option<Loaded>> {
        let (strategy, path) = (&self.kit.parts.strategy, walk.path);
        self.progress.set(Phase::Resolving);
        let started = Instant::now();
        self.known.store(false, Relaxed);
        let probe = ticket.is_probe();
        let allowed = self.kit.parts.settings.downloads.timeout;
        let mut retries = Vec::new();
        let tries = self.guarded(self.tries(&walk, probe, started + allowed, &mut retries));
        let result = match tokio::time::timeout_at(started + allowed, tries).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(Kind::Timeout, format!("{} took longer than {allowed:?}", path.by()))),
        };
        let (took, cached) = (started.elapsed(), self.known.load(Relaxed));
        // Answers from before and cancelled requests tell nothing about the path.
        if !cached && !self.cancel.is_cancelled() {
            ticket.settle(result.as_ref().err(), !walk.pass.refused(), took);
        } else {
            drop(ticket);
        }
        let (end, loaded) = match result {
            Ok(loaded) => (AttemptEnd::Ok, Some(loaded)),
            Err(error) => {
                tracing::info!(by = path.by(), code = error.code(), reason = error.operator_text(), "attempt failed");
                let cookies = strategy.flags(walk.routed.platform).cookies;
                (strategy::after(path, error, walk.more_paths, cookies), None)
            }
        };
        let next = matches!(end, AttemptEnd::NextAttempt { .. });
        let (method, by) = (path.method(), path.by().to_owned());
        self.attempts.push(Attempt { method, by, took, cached, end, retries, probe });
        if next { ControlFlow::Continue(()) } else { ControlFlow::Break(loaded) }
    }

    /// Describes what a path loaded.
    pub(super) async fn loaded(
        &self,
        walk: &Walk<'_>,
        mut metadata: MediaMetadata,
        paths: &[PathBuf],
    ) -> Result<Loaded> {
        stamp(&mut metadata, &walk.routed.resource, walk.path);
        if self.request.options.metadata_only {
            return Ok(Loaded { metadata, files: Vec::new() });
        }
        let files = self.describe(&metadata, paths).await?;
        // Tools save whatever they are sent, an error page included.
        if files.iter().all(|file| file.file_type == FileType::Other) {
            let what = files.first().map_or("nothing", |file| file.mimetype.as_str());
            return Err(Error::new(Kind::NoMedia, format!("{} loaded {what}", walk.path.by())));
        }
        Ok(Loaded { metadata, files })
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
