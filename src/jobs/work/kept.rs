//! Loads and fits once what several ask for: whoever asks for the same meanwhile waits, and whoever asks later finds it.
//!
//! Jobs whose links look the same do not even begin together (`durable/`, `store/`). Those that meet here came by links that
//! turned out to be the same, or want the same made of one content.

use std::{path::Path, sync::PoisonError};

use tokio::time::Instant;

use super::{Loaded, Work};
use crate::{
    artifacts::{ArtifactKey, Artifacts, Kept, Offer},
    cache::Key,
    media::{FitReport, FitTarget, Fitted},
    model::{Attempt, AttemptEnd, FileType, MediaFile, Options, Origin, Result, UploadLimit},
    platforms::{self, Routed},
};

/// What a fitted file is called in reports when another request has made it.
const AGAIN: &str = "made before";

impl Work<'_> {
    /// What the link brings: from an earlier request that wanted the same, or loaded.
    pub(super) async fn load(&mut self, routed: &Routed<'_>, limit: Option<UploadLimit>) -> Result<Loaded> {
        let Some((artifacts, key)) = self.key_of_load(routed, limit) else {
            return self.attempt_all(routed, limit).await;
        };
        let began = Instant::now();
        let _turn = self.guarded(async { Ok(artifacts.turn(&key).await) }).await?;
        if !self.request.options.force {
            let taken = artifacts.take(&key, self.folder.path()).await;
            if let Some(Kept { metadata: Some(metadata), by: Some((method, by)), files, .. }) = taken {
                let (took, end) = (began.elapsed(), AttemptEnd::Ok);
                self.attempts.push(Attempt { method, by, took, cached: true, end, retries: Vec::new(), probe: false });
                return Ok(Loaded { metadata, files });
            }
        }
        let loaded = self.attempt_all(routed, limit).await?;
        let by = self.attempts.last().map(|attempt| (attempt.method, attempt.by.clone()));
        let (metadata, files) = (Some(loaded.metadata.clone()), loaded.files.clone());
        let offer = artifacts.keep(&key, Kept { metadata, by, files, ..Kept::default() }).await;
        self.offered(offer);
        Ok(loaded)
    }

    /// A file that fits: from an earlier request that wanted the same of the same content, or made by `fit`.
    pub(super) async fn fit_once(
        &self,
        file: &MediaFile,
        target: &FitTarget,
        dir: &Path,
        fit: impl Future<Output = Result<Fitted>>,
    ) -> Result<Fitted> {
        let Some(artifacts) = self.artifacts() else { return fit.await };
        let is_sound = target.audio_only || file.file_type == FileType::Audio;
        let key = self.key_of_fit(file, target, is_sound);
        let _turn = self.guarded(async { Ok(artifacts.turn(&key).await) }).await?;
        if !self.request.options.force
            && let Some(Kept { files, warnings, .. }) = artifacts.take(&key, dir).await
        {
            let of = files.len();
            let own = |(index, made): (usize, MediaFile)| MediaFile {
                filename: named(&file.filename, &made.filename, index, of),
                alt_text: file.alt_text.clone(),
                item: file.item,
                ..made
            };
            let files = match of {
                0 => vec![file.clone()],
                _ => files.into_iter().enumerate().map(own).collect(),
            };
            return Ok(Fitted { files, report: FitReport { path: AGAIN, warnings, ..FitReport::default() } });
        }
        let fitted = fit.await?;
        let (warnings, mut files) = (fitted.report.warnings.clone(), fitted.files.clone());
        // Sound says what it is and whose, and only the key of what looked like sound tells that.
        if is_sound || files.iter().all(|made| made.file_type != FileType::Audio) {
            // That a file may stay as it is is worth knowing, but no reason to keep it.
            files.retain(|made| made.path != file.path);
            self.offered(artifacts.keep(&key, Kept { files, warnings, ..Kept::default() }).await);
        }
        Ok(fitted)
    }

    fn offered(&self, offer: Offer) {
        self.offers.lock().unwrap_or_else(PoisonError::into_inner).push(offer);
    }

    /// Waits until other machines can find what was kept.
    pub(super) async fn settle(&self) {
        let offers = std::mem::take(&mut *self.offers.lock().unwrap_or_else(PoisonError::into_inner));
        for offer in offers {
            offer.settled().await;
        }
    }

    fn key_of_fit(&self, file: &MediaFile, target: &FitTarget, is_sound: bool) -> ArtifactKey {
        let FitTarget { max_bytes, quality, audio_only, wish, tags, party: _ } = target;
        let what = format!("{max_bytes:?} {quality} {audio_only} {wish:?}");
        let tags = if is_sound { format!("{tags:?}") } else { String::new() };
        // An operator who changes how files are made wants them made so.
        let how = format!("{:?}", self.kit.parts.settings.compression);
        ArtifactKey::of(&["fit", &file.checksum, &what, &tags, &how])
    }

    /// Whoever sits at this machine's keyboard wants files, not a copy of them kept elsewhere.
    fn artifacts(&self) -> Option<Artifacts> {
        self.kit.parts.artifacts.clone().filter(|_| self.request.requester.origin != Origin::CommandLine)
    }

    fn key_of_load(&self, routed: &Routed<'_>, limit: Option<UploadLimit>) -> Option<(Artifacts, ArtifactKey)> {
        let (artifacts, resource) = (self.artifacts()?, &routed.resource);
        if self.request.options.metadata_only || !resource.kind.is_lasting() {
            return None;
        }
        let scope = platforms::scope(routed.platform, Some(resource));
        let session = self.kit.parts.strategy.sessions().version(scope);
        let asked = Key::of(resource, &self.request.options, session.as_deref())?;
        // What is wanted of it and the room there is decide which rendition is loaded.
        let options = Options { force: false, ..self.request.options.clone() };
        let wanted = serde_json::to_string(&options).ok()?;
        let room = limit.map_or_else(String::new, |limit| limit.per_file.to_string());
        Some((artifacts, ArtifactKey::of(&["load", asked.id(), &wanted, &room])))
    }
}

/// The name of this post's file, with the extension (and, of several, the number) of the one that was made.
fn named(own: &str, made: &str, index: usize, of: usize) -> String {
    let stem = own.rsplit_once('.').map_or(own, |(stem, _)| stem);
    let extension = made.rsplit_once('.').map_or("", |(_, extension)| extension);
    let number = if of > 1 { format!("-{}", index + 1) } else { String::new() };
    if extension.is_empty() { format!("{stem}{number}") } else { format!("{stem}{number}.{extension}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_made_for_another_post_gets_this_ones_name() {
        assert_eq!(named("alice_1.webm", "bob_2.mp4", 0, 1), "alice_1.mp4");
        assert_eq!(named("alice_1.webm", "bob_2-2.mp4", 1, 3), "alice_1-2.mp4");
        assert_eq!(named("alice", "bob", 0, 1), "alice");
    }
}
