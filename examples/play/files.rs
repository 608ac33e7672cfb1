//! Attachments for the browser, with ranges: players ask for them.

use std::{io::SeekFrom, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::{Play, world::discord::Id};

/// `GET /files/{id}/{name}`.
pub async fn serve(
    State(play): State<Arc<Play>>,
    Path((id, _)): Path<(Id, String)>,
    headers: HeaderMap,
) -> Result<Response, StatusCode> {
    let found = play.discord.read(|state| {
        let mut all = state.messages.values().flat_map(|message| &message.attachments);
        all.find(|file| file.id == id).cloned()
    });
    let file = found.ok_or(StatusCode::NOT_FOUND)?;
    let mut bytes = tokio::fs::File::open(file.path()).await.map_err(|_| StatusCode::NOT_FOUND)?;
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let part = asked.and_then(|range| wanted(range, file.size));
    let (from, to) = part.unwrap_or((0, file.size.saturating_sub(1)));
    bytes.seek(SeekFrom::Start(from)).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let length = (to + 1).saturating_sub(from).min(file.size);
    let body = Body::from_stream(ReaderStream::new(bytes.take(length)));
    let kind = file.content_type.as_deref().unwrap_or("application/octet-stream");
    let mut response = ([(header::CONTENT_TYPE, kind), (header::ACCEPT_RANGES, "bytes")], body).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    if part.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        if let Ok(range) = format!("bytes {from}-{to}/{}", file.size).parse() {
            response.headers_mut().insert(header::CONTENT_RANGE, range);
        }
    }
    Ok(response)
}

/// The one range that browsers ask for: `bytes=from-` or `bytes=from-to`.
fn wanted(range: &str, size: u64) -> Option<(u64, u64)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let from = from.parse().ok()?;
    let last = size.checked_sub(1)?;
    let to = if to.is_empty() { last } else { to.parse::<u64>().ok()?.min(last) };
    (from <= to).then_some((from, to))
}
