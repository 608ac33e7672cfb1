//! Tags and cover on their way into a sound file: both are inputs of the run that makes it, so that its size counts them.

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Tags, format::Format};
use crate::{
    media::{
        ffmpeg::{Args, Ended},
        work::{Kit, Share, size},
    },
    model::Result,
};

/// The share of the limit that a cover may take.
const COVER_SHARE: u64 = 20;
/// Bytes of a cover at the most.
const COVER_BYTES: u64 = 300_000;
/// Side in pixels and JPEG quality (ffmpeg's, 2 is best) of covers, best first.
const COVERS: [(u32, u32); 3] = [(640, 4), (400, 6), (240, 8)];
/// Bytes of a tag beyond its text, whatever the format.
const TAG_BYTES: u64 = 40;

/// What a file is to say and show about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Label {
    /// A file in ffmpeg's own format for metadata.
    tags: Option<PathBuf>,
    /// A JPEG.
    cover: Option<PathBuf>,
    /// Bytes that it adds to the file, roughly.
    pub bytes: u64,
}

impl Label {
    /// The source's own tags, `others` where it has none, and its cover if `with_cover`.
    pub(super) async fn of(kit: &Kit<'_>, others: &Tags, format: Format, with_cover: bool) -> Result<Self> {
        let tags = kit.probe.tags.clone().or(others);
        let cover = if with_cover { cover(kit).await? } else { None };
        let mut text = tags.ffmetadata();
        let mut label = Label::default();
        let name = if cover.is_some() { "label.txt" } else { "tags.txt" };
        if let Some(cover) = cover {
            if format == Format::Ogg {
                let picture = STANDARD.encode(flac_picture(&tokio::fs::read(&cover).await?));
                text.push_str(&format!("METADATA_BLOCK_PICTURE={}\n", picture.replace('=', "\\=")));
            } else {
                label.bytes += size(&cover).await + 200;
                label.cover = Some(cover);
            }
        }
        if !text.is_empty() {
            label.bytes += text.len() as u64 + 5 * TAG_BYTES;
            let path = kit.work.join(name);
            tokio::fs::write(&path, format!(";FFMETADATA1\n{text}")).await?;
            label.tags = Some(path);
        }
        Ok(label)
    }

    /// Inputs after the source, which is the first.
    pub(super) fn inputs(&self, mut args: Args) -> Args {
        if let Some(tags) = &self.tags {
            args = args.arg("-f ffmetadata -i").path(tags);
        }
        if let Some(cover) = &self.cover {
            args = args.arg("-f mjpeg -i").path(cover);
        }
        args
    }

    /// Output arguments: nothing of the source's own metadata goes along but by way of the label.
    pub(super) fn outputs(&self, args: Args) -> Args {
        let from = if self.tags.is_some() { 1 } else { -1 };
        let args = args.arg(format!("-map_metadata {from} -map_chapters -1"));
        match &self.cover {
            Some(_) => args
                .arg(format!("-map {}:v -c:v copy -disposition:v attached_pic", from.max(0) + 1))
                .arg("-metadata:s:v")
                .one("comment=Cover (front)"),
            None => args,
        }
    }
}

/// The source's cover as a JPEG without metadata of its own, if it has one that can be read and made small enough.
async fn cover(kit: &Kit<'_>) -> Result<Option<PathBuf>> {
    let Some(stream) = kit.probe.cover else { return Ok(None) };
    let most = kit.rules.limit.map_or(COVER_BYTES, |limit| (limit / COVER_SHARE).min(COVER_BYTES));
    let out = kit.work.join("cover.jpg");
    for (side, quality) in COVERS {
        // Without the source's options: a cover has no place in time.
        let args = Args::new()
            .input(&kit.source.path, kit.runner.threads)
            .arg(format!("-map 0:{stream} -an -sn -dn -frames:v 1 -vf"))
            .one(format!(
                "scale='min({side},iw)':'min({side},ih)':force_original_aspect_ratio=decrease,setsar=1,format=yuvj420p"
            ))
            .arg(format!("-c:v mjpeg -q:v {quality} -map_metadata -1 -f mjpeg"))
            .path(&out);
        match kit.run(args, COVER_BYTES * 10, Share { from: 0.0, to: 0.0 }).await? {
            Ended::Well(_) if (1..=most).contains(&size(&out).await) => return Ok(Some(out)),
            Ended::Well(_) | Ended::TooBig => {}
            Ended::Badly(error) => {
                tracing::debug!(%error, "the cover cannot be read");
                return Ok(None);
            }
        }
    }
    Ok(None)
}

/// A picture block as FLAC has it, which Ogg's comments carry in base64. Source: RFC 9639, section 8.8.
fn flac_picture(jpeg: &[u8]) -> Vec<u8> {
    const MIME: &[u8] = b"image/jpeg";
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let mut block = Vec::with_capacity(jpeg.len() + 42);
    // Front cover; no description; width, height, depth and colours untold.
    block.extend(number(3));
    block.extend(number(MIME.len()));
    block.extend(MIME);
    block.extend([0; 20]);
    block.extend(number(jpeg.len()));
    block.extend(jpeg);
    block
}
