//! The words above the files: title, author, the post's own words, and the link.
//!
//! ```text
//! **A title** by Ann (@ann)
//! > the post's own words, shortened at a word…
//! <https://example.org/post/1>
//! ```
//!
//! Everything a stranger wrote is escaped, so that it shows as written and can't dress up as something else; links stand
//! in angle brackets, so that Discord shows no preview beside the files.

use url::Url;

use super::Stored;
use crate::model::{Extension, MediaMetadata};

/// What Discord allows in one message, in characters (its documentation). Counted here in UTF-16 units, which are never
/// fewer than characters.
pub const MAX_CAPTION: usize = 2000;

/// What stands below a caption at the most, its line break counted.
const MAX_NOTE: usize = MAX_CAPTION / 2 - 1;

const MAX_TITLE: usize = 240;
const MAX_AUTHOR: usize = 120;
const MAX_WORDS: usize = 900;

/// The caption of a post. Never longer than [`MAX_CAPTION`]; empty only when nothing at all is known.
pub fn caption(metadata: &MediaMetadata) -> String {
    caption_with(metadata, "")
}

/// The caption of a post with one of its [`notes`] below. Never longer than [`MAX_CAPTION`].
pub fn caption_with(metadata: &MediaMetadata, note: &str) -> String {
    let title = metadata.title.as_deref().map(one_line).filter(|title| !title.is_empty());
    let words = metadata.description.as_deref().map(tidy).filter(|words| !words.is_empty());
    // Platforms without titles make one from the first words: don't say them twice.
    let title = title.filter(|title| !words.as_deref().is_some_and(|words| repeats(title, words)));
    let author = author(metadata);

    let mut lines = Vec::new();
    match (title, author) {
        (Some(title), Some(author)) => lines.push(format!("**{}** by {author}", escape(&shorten(&title, MAX_TITLE)))),
        (Some(title), None) => lines.push(format!("**{}**", escape(&shorten(&title, MAX_TITLE)))),
        (None, Some(author)) => lines.push(format!("**{author}**")),
        (None, None) => {}
    }
    if let Some(words) = words {
        lines.push(quote(&shorten(&words, MAX_WORDS)));
    }
    if let Some(missing) = metadata.platform_data.get("missing_items").and_then(serde_json::Value::as_u64) {
        lines.push(match missing {
            1 => "-# One item of this post can't be had any more.".to_owned(),
            _ => format!("-# {missing} items of this post can't be had any more."),
        });
    }
    let link = Url::parse(&metadata.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let link = link.map(|url| format!("<{url}>")).filter(|link| units(link) <= MAX_CAPTION / 2);

    // Escaping at most doubles the text, which could be too much: the words give way first, the link last.
    let room = MAX_CAPTION - link.as_deref().map_or(0, |link| units(link) + 1) - (units(note) + 1).min(MAX_NOTE);
    while !lines.is_empty() && units(&lines.join("\n")) > room {
        lines.pop();
    }
    lines.extend(link);
    if !note.is_empty() {
        lines.push(note.to_owned());
    }
    lines.join("\n")
}

/// Says where the files are that are too large to be sent: a line for each, in texts short enough to stand below a caption.
pub fn notes(stored: &[Stored]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for Stored { url, kept } in stored {
        let hours = kept.as_secs() / 3600;
        let time = if hours == 1 { "an hour".to_owned() } else { format!("{hours} hours") };
        // Without brackets: Discord shows what the link leads to, and it plays right there.
        let line = format!("📦 Too large to be sent here: {url} (kept for {time})");
        match notes.last_mut() {
            Some(note) if units(note) + units(&line) + 2 <= MAX_NOTE => *note = format!("{note}\n{line}"),
            _ => notes.push(line),
        }
    }
    notes
}

/// Makes one line show as written: Discord's markdown, mentions and emoji codes are escaped, control characters dropped.
/// Links stay whole, in angle brackets. Escapes no more than needed: notifications show the backslashes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let at_start = rest.len() == text.len();
        if let Some(link) = leading_link(rest) {
            out.push('<');
            out.push_str(link);
            out.push('>');
            rest = &rest[link.len()..];
            continue;
        }
        match first {
            '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '[' | ']' => {
                out.push('\\');
                out.push(first);
            }
            // Headings, small print, lists, quotes.
            '#' | '-' | '+' | '>' if at_start => {
                out.push('\\');
                out.push(first);
            }
            c if c.is_control() || is_direction(c) => {}
            c => out.push(c),
        }
        rest = &rest[first.len_utf8()..];
    }
    out
}

/// The link that `text` starts with, when it may stand between angle brackets as it is.
fn leading_link(text: &str) -> Option<&str> {
    let scheme = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme))?;
    let end = text.find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '`' | '|'));
    let link = text[..end.unwrap_or(text.len())].trim_end_matches(['.', ',', ')', '!', '?', ':', ';', '…']);
    (link.len() > scheme.len()).then_some(link)
}

/// Characters that turn the direction of the text around them, used to disguise names and links.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

fn author(metadata: &MediaMetadata) -> Option<String> {
    let author = metadata.author.as_ref()?;
    let handle = shorten(&one_line(&author.handle), MAX_AUTHOR);
    let channel = match &metadata.extension {
        Some(Extension::Youtube { channel_name, .. }) => channel_name.as_deref(),
        _ => None,
    };
    let name = author.name.as_deref().or(channel).map(one_line).map(|name| shorten(&name, MAX_AUTHOR));
    // As people write it there.
    let sign = if metadata.platform == "reddit" { "u/" } else { "@" };
    match name.filter(|name| !name.is_empty()) {
        Some(name) if handle.is_empty() || name.eq_ignore_ascii_case(&handle) => Some(escape(&name)),
        Some(name) => Some(format!("{} ({})", escape(&name), escape(&format!("{sign}{handle}")))),
        None if handle.is_empty() => None,
        None => Some(escape(&format!("{sign}{handle}"))),
    }
}

/// Whether the title says nothing that the words don't say, a title cut short included.
fn repeats(title: &str, words: &str) -> bool {
    let title = title.trim_end_matches(['…', '.']).trim_end();
    one_line(words).to_lowercase().starts_with(&title.to_lowercase())
}

/// One line, single spaces.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines trimmed, no more than one empty line in a row.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(one_line) {
        if !(line.is_empty() && lines.last().is_none_or(String::is_empty)) {
            lines.push(line);
        }
    }
    lines.join("\n").trim_end().to_owned()
}

fn quote(text: &str) -> String {
    text.lines().map(|line| format!("> {}", escape(line))).collect::<Vec<_>>().join("\n")
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// At most `max` UTF-16 units, cut after a word where there is one to cut after, with an ellipsis.
fn shorten(text: &str, max: usize) -> String {
    if units(text) <= max {
        return text.to_owned();
    }
    let mut end = 0;
    let mut used = 1; // the ellipsis
    for (index, c) in text.char_indices() {
        used += c.len_utf16();
        if used > max {
            break;
        }
        end = index + c.len_utf8();
    }
    let whole = text[end..].starts_with(char::is_whitespace);
    let cut = &text[..end];
    // A word longer than half of what is left (a long link, a language without spaces) is cut through.
    let at = if whole { None } else { cut.rfind(char::is_whitespace).filter(|at| *at > end / 2) };
    format!("{}…", cut[..at.unwrap_or(end)].trim_end())
}

/// What the person who asked should know of the files above it, a small line each; each comes without capital and full
/// stop. `None`: nothing.
pub fn warned(warnings: &[String]) -> Option<String> {
    const MOST: usize = 5;
    let lines = warnings.iter().take(MOST).map(|warning| {
        let mut letters = warning.chars();
        let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
        let rest: String = letters.take(MAX_NOTE / MOST / 2).collect();
        format!("-# ⚠️ {first}{}.", escape(&rest))
    });
    Some(lines.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Author;

    fn post(title: Option<&str>, words: Option<&str>, author: Option<(&str, Option<&str>)>) -> MediaMetadata {
        MediaMetadata {
            url: "https://x.com/ann/status/1".into(),
            title: title.map(Into::into),
            description: words.map(Into::into),
            author: author.map(|(handle, name)| Author {
                handle: handle.into(),
                name: name.map(Into::into),
                url: None,
            }),
            ..MediaMetadata::default()
        }
    }

    #[test]
    fn links_to_what_is_too_large_stand_below_the_link_of_the_post_whatever_its_length() {
        let stored = |number: usize| Stored {
            url: Url::parse(&format!("https://media.example/{}/{number}.mp4", "x".repeat(150))).unwrap(),
            kept: std::time::Duration::from_secs(24 * 3600),
        };
        let all: Vec<Stored> = (0..30).map(stored).collect();
        let notes = notes(&all);
        assert!(notes.len() > 1 && notes.iter().all(|note| units(note) < MAX_NOTE), "{notes:?}");
        let said = notes.join("\n");
        for Stored { url, .. } in &all {
            assert!(said.contains(&format!("Too large to be sent here: {url} (kept for 24 hours)")), "{said}");
        }
        let long = "word ".repeat(1000);
        let mut metadata = post(Some("A title"), Some(&long), Some(("ann", None)));
        for length in [20, MAX_CAPTION / 2 - 25] {
            metadata.url = format!("https://x.com/{}", "y".repeat(length));
            let caption = caption_with(&metadata, &notes[0]);
            assert!(units(&caption) <= MAX_CAPTION, "{}", units(&caption));
            assert!(caption.ends_with(&format!("<{}>\n{}", metadata.url, notes[0])), "{caption}");
        }
        let hour = Stored { kept: std::time::Duration::from_secs(3600), ..stored(1) };
        assert!(super::notes(&[hour])[0].ends_with("(kept for an hour)"));
    }

    #[test]
    fn what_is_missing_is_said() {
        let mut metadata = post(Some("Four cats"), None, None);
        metadata.platform_data.insert("missing_items".into(), 1.into());
        assert!(caption(&metadata).contains("\n-# One item of this post can't be had any more.\n<https://"));
    }

    #[test]
    fn a_caption_says_title_author_words_and_link() {
        let link = "<https://x.com/ann/status/1>";
        let table = [
            (post(Some("A cat"), None, Some(("ann", Some("Ann")))), format!("**A cat** by Ann\n{link}")),
            (
                post(None, Some("look at\n\n\n\n  this   cat  "), Some(("ann_1", Some("Ann B")))),
                format!("**Ann B (@ann\\_1)**\n> look at\n> \n> this cat\n{link}"),
            ),
            (
                post(Some("look at…"), Some("look at this"), Some(("ann", None))),
                format!("**@ann**\n> look at this\n{link}"),
            ),
            (post(Some("  "), Some("\n"), None), link.to_owned()),
            (
                MediaMetadata { platform: "reddit".into(), ..post(Some("Cats"), None, Some(("bea", None))) },
                format!("**Cats** by u/bea\n{link}"),
            ),
            (
                MediaMetadata {
                    extension: Some(Extension::Youtube {
                        video_id: "1".into(),
                        channel_name: Some("Cara's Channel".into()),
                        channel_id: None,
                        upload_date: None,
                        categories: Vec::new(),
                        tags: Vec::new(),
                        is_livestream: false,
                        format_info: None,
                    }),
                    ..post(Some("A song"), None, Some(("cara", None)))
                },
                format!("**A song** by Cara's Channel (@cara)\n{link}"),
            ),
            (MediaMetadata { url: "javascript:alert(1)".into(), ..MediaMetadata::default() }, String::new()),
        ];
        for (metadata, expected) in table {
            assert_eq!(caption(&metadata), expected);
        }
    }

    #[test]
    fn what_strangers_wrote_is_shown_as_written() {
        let table = [
            ("**bold** _it_ ~~no~~ ||spoil||", r"\*\*bold\*\* \_it\_ \~\~no\~\~ \|\|spoil\|\|"),
            ("@everyone <@123> <#4> <:a:5>", r"@everyone \<@123> \<#4> \<:a:5>"),
            ("[safe](https://evil.example)", r"\[safe\](<https://evil.example>)"),
            ("see https://t.co/a_b*c.", "see <https://t.co/a_b*c>."),
            ("https:// alone", "https:// alone"),
            ("# big\u{202e}gnp", r"\# biggnp"),
            ("`code`", r"\`code\`"),
            ("> said", r"\> said"),
            ("-# small - not # here", r"\-# small - not # here"),
        ];
        for (text, expected) in table {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn long_words_are_cut_after_a_word() {
        assert_eq!(shorten("one two three", 9), "one two…");
        assert_eq!(shorten("one two three", 8), "one two…");
        assert_eq!(shorten("onetwothree", 5), "onet…");
        assert_eq!(shorten("short", 5), "short");
        let caption = caption(&post(None, Some(&"word ".repeat(1000)), None));
        assert!(caption.contains("word…\n<https://x.com/"), "{caption}");
    }

    proptest! {
        #[test]
        fn a_caption_always_fits_and_keeps_the_link(title in ".{0,400}", words in "(?s).{0,3000}", handle in ".{0,300}") {
            let caption = caption(&post(Some(&title), Some(&words), Some((&handle, None))));
            prop_assert!(units(&caption) <= MAX_CAPTION);
            prop_assert!(caption.ends_with("<https://x.com/ann/status/1>"));
        }

        #[test]
        fn stars_only_never_break_the_limit(count in 0_usize..3000) {
            let caption = caption(&post(Some(&"*".repeat(count)), Some(&"_ ".repeat(count)), Some((&"~".repeat(count), None))));
            prop_assert!(units(&caption) <= MAX_CAPTION);
        }
    }

    #[test]
    fn warnings_are_small_lines() {
        assert_eq!(warned(&[]), None);
        let told = warned(&["it is damaged".to_owned(), "two".to_owned()]);
        assert_eq!(told.as_deref(), Some("-# ⚠️ It is damaged.\n-# ⚠️ Two."));
        let many = warned(&vec!["word ".repeat(200); 9]).unwrap();
        assert!(units(&many) <= MAX_NOTE && many.lines().count() == 5, "{}", units(&many));
    }
}
