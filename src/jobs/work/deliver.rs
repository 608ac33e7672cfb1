//! From files on disk to messages: fit, plan, send, and once more for what was refused as too large. What cannot be made to
//! fit goes to the operator's store, where there is one, and the message gets a link.

use std::collections::{HashMap, VecDeque};

use super::Work;
use crate::{
    deliver::{self, BatchLimits, Delivered, Part, Piece, SendError, Sink, Stored},
    media::{FitProgress, FitTarget, Fitted, Party, Tags},
    model::{Error, Kind, MediaFile, MediaMetadata, Phase, Posted, Result, UploadLimit},
};

/// How often a delivery is fitted again because the place took less than thought.
const MAX_REFITS: usize = 4;

impl Work<'_> {
    /// Fits, plans and sends, and once more for what the place refused as too large. A file that can't be made to fit
    /// does not hold up the others; it is linked to, if that can be.
    ///
    /// `pending` holds the files as loaded; afterwards those that were not delivered. What was delivered, as it was
    /// delivered, stands in `metadata`. What an earlier run of the same request has delivered is made again, because only
    /// then is known which file it is, and left out.
    pub(super) async fn deliver(
        &self,
        pending: &mut Vec<MediaFile>,
        metadata: &mut MediaMetadata,
        sink: &dyn Sink,
        posted: &mut Posted,
    ) -> Result<()> {
        let upload = &self.kit.parts.settings.upload;
        let batches = BatchLimits { max_files: upload.max_files_per_batch, batch_bytes: upload.batch_bytes };
        let all = pending.len();
        let already = sink.already();
        let (mut refits, mut parts, mut left_out, mut sent) = (0, already.messages, Vec::new(), Vec::new());
        // Texts about what went to the store that have not been told yet; how many were; how many to leave out.
        let (mut notes, mut told, mut known_notes) = (VecDeque::new(), already.notes(), already.notes());
        let Posted { places, warnings } = posted;
        places.extend(already.places.iter().cloned());
        while !pending.is_empty() {
            let limit = self.limit(sink);
            let (mut fitting, mut ready, mut stored) = (Vec::new(), Vec::new(), Vec::new());
            let mut pieces = Vec::new();
            // Files are sent in order, so what is made of an item goes on where what was sent of it ends.
            let mut made: HashMap<usize, usize> = HashMap::new();
            sent.iter().for_each(|file: &MediaFile| *made.entry(file.item).or_default() += 1);
            let known = warnings.len();
            for original in pending.iter() {
                match self.fit(original, metadata, limit, all, refits).await {
                    Ok(fitted) => {
                        // What is to be fitted again should the place refuse it: the original, or of one that was
                        // split the part, for the others may be there already.
                        let split = fitted.files.len() != 1;
                        for file in fitted.files {
                            let made = made.entry(file.item).or_default();
                            let (item, ordinal) = (file.item, std::mem::replace(made, *made + 1));
                            if already.has(item, ordinal) {
                                sent.push(file);
                                continue;
                            }
                            fitting.push(if split { file.clone() } else { original.clone() });
                            pieces.push(Piece::File { item, ordinal, sha256: file.checksum.clone() });
                            ready.push(file);
                        }
                        let new = fitted.report.warnings.into_iter().filter(|warning| !warnings.contains(warning));
                        warnings.extend(new.collect::<Vec<_>>());
                    }
                    Err(error) if *error.kind() == Kind::CannotFit => match self.store(original, sink).await? {
                        Some(link) => stored.push(link),
                        None if all > 1 => left_out.push(error),
                        None => return Err(error),
                    },
                    Err(error) => return Err(error),
                }
            }
            *pending = fitting;
            notes.extend(deliver::notes(&stored));
            if let Some(warned) = deliver::warned(warnings.get(known..).unwrap_or_default()) {
                notes.push_front(warned);
            }
            drop(notes.drain(..std::mem::take(&mut known_notes).min(notes.len())));
            let sizes: Vec<u64> = ready.iter().map(|file| file.size).collect();
            let plan = deliver::plan(&sizes, batches);
            for (index, range) in plan.iter().enumerate() {
                let of = parts + plan.len() - index;
                self.progress.set(Phase::Uploading { part: parts + 1, of });
                let files = &mut ready[range.clone()];
                let note = notes.front().map_or("", String::as_str);
                let mut pieces = pieces[range.clone()].to_vec();
                pieces.extend(notes.front().map(|_| Piece::Note { ordinal: told }));
                let part = Part { request: &self.request.id, metadata, files, note, pieces: &pieces, index: parts, of };
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
                        told += usize::from(notes.pop_front().is_some());
                        sent.extend_from_slice(files);
                        pending.drain(..range.len());
                    }
                    Err(SendError::TooLarge) => {
                        refits += 1;
                        if refits > MAX_REFITS || self.limit(sink).map(|l| l.per_file) >= limit.map(|l| l.per_file) {
                            let text = "the place refuses a file that is below the limit it told";
                            let mut stored = Vec::new();
                            for original in pending.drain(..) {
                                let link = self.store(&original, sink).await?;
                                stored.push(link.ok_or_else(|| Error::new(Kind::CannotFit, text))?);
                            }
                            notes.extend(deliver::notes(&stored));
                            break;
                        }
                        tracing::info!(limit = ?self.limit(sink), "the place takes less than thought: fitting again");
                        break;
                    }
                    Err(SendError::Failed(error)) => return Err(error),
                }
            }
        }
        while let Some(note) = notes.pop_front() {
            let of = parts + 1 + notes.len();
            let pieces = [Piece::Note { ordinal: told }];
            let request = &self.request.id;
            let part = Part { request, metadata, files: &[], note: &note, pieces: &pieces, index: parts, of };
            match self.guarded(async { Ok(sink.send(part).await) }).await? {
                Ok(Delivered::Message(link)) => places.push(link),
                Ok(Delivered::Files(_)) => {}
                Err(SendError::Failed(error)) => return Err(error),
                Err(SendError::TooLarge) => return Err(Error::internal("a message without files is too large")),
            }
            parts += 1;
            told += 1;
        }
        metadata.file_size_bytes = Some(sent.iter().map(|file| file.size).sum());
        metadata.files = sent;
        let missing = left_out.len();
        match left_out.into_iter().next() {
            Some(error) if places.is_empty() => Err(error),
            Some(error) => Err(error.with_detail(format!("{missing} of {all} files"))),
            None => Ok(()),
        }
    }

    /// Puts a file that cannot be made to fit where a link leads to it. `None`: there is no such place, or it does not take
    /// the file either.
    async fn store(&self, original: &MediaFile, sink: &dyn Sink) -> Result<Option<Stored>> {
        let Some(store) = self.kit.parts.store.as_ref().filter(|_| sink.takes_links()) else { return Ok(None) };
        match self.guarded(async { Ok(store.put(original).await) }).await? {
            Ok(stored) => Ok(Some(stored)),
            Err(error) => {
                tracing::warn!(reason = error.operator_text(), "the store does not take a file");
                Ok(None)
            }
        }
    }

    /// Makes one file fit.
    async fn fit(
        &self,
        file: &MediaFile,
        metadata: &MediaMetadata,
        limit: Option<UploadLimit>,
        of: usize,
        round: usize,
    ) -> Result<Fitted> {
        let target = FitTarget {
            tags: Tags::of(metadata, file.item),
            party: Party::of(&self.request.requester),
            ..FitTarget::of(&self.request.options, limit.map(|limit| limit.per_file))
        };
        // One folder a file and round: a refit never overwrites what an upload may still read.
        let dir = self.folder.sub(&format!("fit-{}-{round}", file.item))?;
        let number = file.item + 1;
        let report = |progress| {
            self.progress.set(match progress {
                FitProgress::Waiting { ahead } => Phase::Queued { ahead },
                FitProgress::Working(fraction) => Phase::Compressing { file: number, of, fraction },
            });
        };
        let fit = self.guarded(self.kit.parts.media.fit(file, target.clone(), &dir, &report, self.cancel));
        self.fit_once(file, &target, &dir, fit).await
    }
}
