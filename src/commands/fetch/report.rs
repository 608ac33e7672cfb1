//! What `fetch` prints: a summary for people, or one JSON object a link.

use std::io::{self, Write};

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    super::{bars::shorten, output::size},
    Ended,
};
use crate::{
    fetch::Plan,
    model::{AttemptEnd, MediaMetadata, Outcome},
};

/// A line of JSON: the link as it was given, and all that became of it.
#[derive(Serialize)]
struct Line<'a> {
    url: &'a str,
    #[serde(flatten)]
    outcome: Outcome,
    /// Of each item, when it was only looked at: what would be loaded, and what would become of it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    plan: &'a [Option<Plan>],
}

pub(super) fn json(ended: &Ended, out: &mut dyn Write) -> io::Result<()> {
    let mut outcome = ended.outcome.clone();
    if let Some(metadata) = &mut outcome.metadata {
        metadata.drop_addresses();
    }
    serde_json::to_writer(&mut *out, &Line { url: &ended.link, outcome, plan: &ended.plans })?;
    writeln!(out)
}

pub(super) fn text(ended: &[Ended], out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["", "Link", "Post", "Files", "Size", "By", "Seconds"]);
    for column in [3, 4, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for one in ended {
        table.add_row(row(&one.link, &one.outcome));
    }
    writeln!(out, "{table}")?;
    for one in ended {
        details(&one.link, &one.outcome, &one.plans, out)?;
    }
    Ok(())
}

/// What stands in a table of a link: state, link, post, files, size, by, seconds.
pub(in crate::commands) fn row(link: &str, outcome: &Outcome) -> [String; 7] {
    let state = outcome.error.as_ref().map_or("ok", |error| error.code());
    let files = outcome.metadata.iter().flat_map(|metadata| &metadata.files);
    let (mut count, mut bytes) = (0, 0);
    for file in files {
        (count, bytes) = (count + 1, bytes + file.size);
    }
    let by: Vec<String> = outcome
        .attempts
        .iter()
        .map(|attempt| match &attempt.end {
            AttemptEnd::Ok => attempt.by.clone(),
            end => format!("{} ({})", attempt.by, end.error().map_or("failed", |error| error.code())),
        })
        .collect();
    let title = outcome.metadata.as_ref().map(title).unwrap_or_default();
    [
        state.to_owned(),
        shorten(link, 40),
        title,
        if count == 0 { "–".into() } else { count.to_string() },
        if count == 0 { "–".into() } else { size(bytes) },
        by.join(", "),
        format!("{:.1}", outcome.took.as_secs_f32()),
    ]
}

/// One line that tells posts apart.
fn title(metadata: &MediaMetadata) -> String {
    let text = metadata.title.as_deref().or(metadata.description.as_deref()).unwrap_or_default();
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = if text.chars().count() > 60 { text.chars().take(59).chain(['…']).collect() } else { text };
    match &metadata.author {
        Some(author) if text.is_empty() => author.handle.clone(),
        Some(author) => format!("{}: {text}", author.handle),
        None => text,
    }
}

/// Where the files are, what the post holds when nothing was loaded, or what went wrong.
pub(in crate::commands) fn details(
    link: &str,
    outcome: &Outcome,
    plans: &[Option<Plan>],
    out: &mut dyn Write,
) -> io::Result<()> {
    for place in &outcome.posted.places {
        writeln!(out, "{place}")?;
    }
    if let (true, Some(metadata)) = (outcome.posted.places.is_empty(), &outcome.metadata) {
        for (index, item) in metadata.items.iter().enumerate() {
            let best = item.renditions.first();
            let pixels = best.and_then(|best| Some(format!(" {}×{}", best.width?, best.height?))).unwrap_or_default();
            let long = item.duration.map(|seconds| format!(" {seconds:.0} s")).unwrap_or_default();
            let kind = format!("{:?}", item.kind).to_lowercase();
            write!(out, "{}: {kind}{pixels}{long}", index + 1)?;
            match plans.get(index) {
                Some(Some(plan)) => writeln!(out, "; {plan}")?,
                _ => writeln!(out)?,
            }
        }
    }
    for warning in &outcome.posted.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if let Some(error) = &outcome.error {
        writeln!(out, "{}: {}", shorten(link, 60), error.user_text())?;
        if !error.operator_text().is_empty() {
            writeln!(out, "  ({})", error.operator_text())?;
        }
    }
    if let Some(kept) = &outcome.kept {
        writeln!(out, "  what was loaded is kept in {}", kept.display())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FileType, Item, Rendition};

    #[test]
    fn json_for_readers_holds_no_signed_link() {
        let mut rendition = Rendition::at("https://cdn.example/v.mp4?sig=hunter2".parse().unwrap());
        rendition.headers.insert("x-key".into(), "hunter2".into());
        let metadata = MediaMetadata {
            items: vec![Item::new(FileType::Video, vec![rendition])],
            thumbnail: Some("https://cdn.example/t.jpg?sig=hunter2".into()),
            ..MediaMetadata::default()
        };
        let outcome = Outcome { metadata: Some(metadata), ..Outcome::of("r") };
        let mut out = Vec::new();
        json(&Ended { link: "https://x.com/a/status/1".into(), outcome, plans: Vec::new() }, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["url"], "https://x.com/a/status/1");
    }

    #[test]
    fn the_summary_says_what_failed_and_by_which_path() {
        let error = crate::model::Error::new(crate::model::Kind::NotFound, "HTTP 404");
        let outcome = Outcome { error: Some(error), ..Outcome::of("r") };
        let mut out = Vec::new();
        text(&[Ended { link: "https://x.com/a/status/1".into(), outcome, plans: Vec::new() }], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains("not_found") && text.contains("doesn't exist any more") && text.contains("HTTP 404"),
            "{text}"
        );
    }
}
