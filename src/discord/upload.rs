//! The multipart body of a message with files, streamed from disk: a file is never in memory as a whole.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use futures_util::StreamExt;
use reqwest::{
    Body,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use crate::model::MediaFile;

/// How much of a file is in memory at a time.
const WINDOW: usize = 64 * 1024;

/// What Discord allows as alt text, in characters (its documentation).
const MAX_ALT_TEXT: usize = 1024;

/// The body: `payload_json` first, then `files[0]`, `files[1]` … in order. `handed_over` counts the bytes of files that
/// went to the network, to tell afterwards whether a broken request had left in full.
///
/// # Errors
/// When a file cannot be opened or has changed its size.
pub(super) async fn form(body: &Value, files: &[MediaFile], handed_over: Arc<AtomicU64>) -> io::Result<Form> {
    let mut body = body.clone();
    body["attachments"] = attachments(files);
    let json = Part::text(body.to_string()).mime_str("application/json").map_err(io::Error::other)?;
    let mut form = Form::new().part("payload_json", json);
    for (index, file) in files.iter().enumerate() {
        let open = tokio::fs::File::open(&file.path).await?;
        let size = open.metadata().await?.len();
        if size != file.size {
            return Err(io::Error::other(format!("{} changed from {} to {size} bytes", file.filename, file.size)));
        }
        let counter = handed_over.clone();
        let stream = ReaderStream::with_capacity(open.take(size), WINDOW).inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                counter.fetch_add(chunk.len() as u64, Relaxed);
            }
        });
        let part = Part::stream_with_length(Body::wrap_stream(stream), size).file_name(file.filename.clone());
        let part = part.mime_str(&file.mimetype).map_err(io::Error::other)?;
        form = form.part(format!("files[{index}]"), part);
    }
    Ok(form)
}

/// The `attachments` field that goes with the files: names and alt texts.
fn attachments(files: &[MediaFile]) -> Value {
    files
        .iter()
        .enumerate()
        .map(|(index, file)| {
            let mut attachment = json!({ "id": index, "filename": file.filename });
            if let Some(text) = file.alt_text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
                attachment["description"] = text.chars().take(MAX_ALT_TEXT).collect::<String>().into();
            }
            attachment
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FileType;

    #[test]
    fn alt_text_goes_along_and_is_cut() {
        let file = |alt: Option<&str>| MediaFile {
            filename: "a.png".into(),
            path: "/nowhere".into(),
            file_type: FileType::Image,
            mimetype: "image/png".into(),
            size: 1,
            checksum: String::new(),
            alt_text: alt.map(Into::into),
            item: 0,
        };
        let json = attachments(&[file(Some(" a cat ")), file(None), file(Some(" ")), file(Some(&"ä".repeat(2000)))]);
        assert_eq!(json[0], json!({"id": 0, "filename": "a.png", "description": "a cat"}));
        assert_eq!(json[1], json!({"id": 1, "filename": "a.png"}));
        assert_eq!(json[2], json!({"id": 2, "filename": "a.png"}));
        assert_eq!(json[3]["description"].as_str().unwrap().chars().count(), MAX_ALT_TEXT);
    }

    #[tokio::test]
    async fn a_file_that_changed_meanwhile_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "four").unwrap();
        let file = MediaFile {
            filename: "a".into(),
            path,
            file_type: FileType::Other,
            mimetype: "text/plain".into(),
            size: 5,
            checksum: String::new(),
            alt_text: None,
            item: 0,
        };
        let error = form(&json!({}), &[file], Arc::default()).await.unwrap_err();
        assert!(error.to_string().contains("from 5 to 4 bytes"), "{error}");
    }
}
