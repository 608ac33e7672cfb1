//! File names that are safe on every system and show what the file is.

/// Characters of a name, extension included. Discord cuts longer ones.
const MAX_CHARS: usize = 80;
/// Bytes of a name: file systems take 255, and a suffix may have to fit.
const MAX_BYTES: usize = 230;
/// Extensions that are replaced rather than kept as part of the name.
const KNOWN: &[&str] = &[
    "3gp",
    "aac",
    "ac3",
    "aif",
    "aiff",
    "amr",
    "apng",
    "ass",
    "asf",
    "avi",
    "avif",
    "bin",
    "bmp",
    "flac",
    "flv",
    "gif",
    "heic",
    "heif",
    "htm",
    "html",
    "jfif",
    "jpe",
    "jpeg",
    "jpg",
    "jxl",
    "m2ts",
    "m3u8",
    "m4a",
    "m4b",
    "m4s",
    "m4v",
    "mka",
    "mkv",
    "mov",
    "mp2",
    "mp3",
    "mp4",
    "mpeg",
    "mpg",
    "mpd",
    "mts",
    "oga",
    "ogg",
    "ogv",
    "opus",
    "part",
    "png",
    "svg",
    "tif",
    "tiff",
    "ts",
    "txt",
    "unknown_video",
    "wav",
    "webm",
    "webp",
    "wma",
    "wmv",
];
/// Windows devices.
const RESERVED: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Makes `name` a safe file name that ends in `extension` (without dot; always from our own table).
///
/// Path separators and characters some systems refuse become `_`; control and invisible direction characters go (they
/// can make `gpj.exe` read as `exe.jpg`); no leading dots, no trailing dots or blanks, no device names; at most 80
/// characters. Other Unicode stays.
pub(in crate::media) fn safe(name: &str, extension: &str) -> String {
    format!("{}.{extension}", stem(name, extension))
}

/// Makes `name` a safe name of a folder, or of a file whose extension comes after it: by the same rules. Never empty.
pub(crate) fn folder(name: &str) -> String {
    stem(name, "")
}

/// A safe name that leaves room for this extension, without it.
fn stem(name: &str, extension: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => clean.push('_'),
            c if c.is_whitespace() => {
                if !clean.ends_with(' ') {
                    clean.push(' ');
                }
            }
            c if c.is_control() || is_invisible(c) => {}
            c => clean.push(c),
        }
    }
    let mut stem = clean.as_str();
    while let Some((rest, tail)) = stem.rsplit_once('.') {
        let tail = tail.to_ascii_lowercase();
        if extension.is_empty() || (!KNOWN.contains(&tail.as_str()) && tail != extension) {
            break;
        }
        stem = rest;
    }
    let stem = stem.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let room = MAX_CHARS - 1 - extension.chars().count().min(16);
    let mut short: String = stem.chars().take(room).collect();
    while short.len() > MAX_BYTES - 1 - extension.len() {
        short.pop();
    }
    if short.len() < stem.len() {
        // Don't end in half a cluster: an emoji joined to nothing, a lone variation selector.
        while short.ends_with(['\u{200d}', '\u{fe0f}', '.', ' ']) {
            short.pop();
        }
    }
    if short.chars().all(|c| c == '_') {
        "media".clone_into(&mut short);
    }
    let device = short.split('.').next().unwrap_or_default().trim().to_lowercase();
    let numbered = matches!(device.get(..3), Some("com" | "lpt")) && device.chars().count() == 4;
    if numbered || RESERVED.contains(&device.as_str()) {
        short.insert(0, '_');
    }
    short
}

/// Characters that show nothing and change how the rest reads. The joiners (U+200C, U+200D) stay: Persian and
/// emoji need them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_made_safe() {
        let long = "é".repeat(300);
        for (name, extension, want) in [
            ("clip.mkv", "mp4", "clip.mp4"),
            ("clip.MP4", "mp4", "clip.mp4"),
            ("clip.mp4.part", "mp4", "clip.mp4"),
            ("v1.2 final", "png", "v1.2 final.png"),
            ("../../etc/passwd", "jpg", "_.._etc_passwd.jpg"),
            ("a\\b:c*d?.jpg", "jpg", "a_b_c_d_.jpg"),
            (".hidden", "gif", "hidden.gif"),
            ("", "mp3", "media.mp3"),
            ("...", "mp3", "media.mp3"),
            ("///", "mp3", "media.mp3"),
            (".mp4", "mp4", "media.mp4"),
            ("con.mp4", "mp4", "_con.mp4"),
            ("COM1", "mp4", "_COM1.mp4"),
            ("común", "mp4", "común.mp4"),
            ("picture\u{202e}gpj.exe", "jpg", "picturegpj.exe.jpg"),
            ("line\nbreak\ttab\0nul", "txt", "line break tabnul.txt"),
            ("日本語 の 動画", "mp4", "日本語 の 動画.mp4"),
            ("a   b", "mp4", "a b.mp4"),
            ("-rf", "mp4", "-rf.mp4"),
        ] {
            assert_eq!(safe(name, extension), want, "{name:?}");
        }
        assert_eq!(safe(&long, "mp4").chars().count(), 80);
        assert!(safe(&"👩‍👩‍👧".repeat(40), "mp4").len() <= 230);
    }

    proptest! {
        #[test]
        fn any_name_becomes_one_plain_component(name in any::<String>()) {
            let safe = safe(&name, "mp4");
            prop_assert!(safe.ends_with(".mp4") && safe.len() > 4);
            prop_assert!(!safe.starts_with('.') && !safe.contains(['/', '\\', '\0']));
            prop_assert!(safe.chars().count() <= 81 && safe.len() <= 240);
            prop_assert_eq!(std::path::Path::new(&safe).components().count(), 1);
        }
    }
}
