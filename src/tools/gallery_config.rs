//! The configuration gallery-dl runs with: the operator's file, cleaned, under our own settings.
//!
//! gallery-dl reads a key at the root of its configuration before the same key anywhere below, so what we put at the root
//! cannot be overruled. What could run code, write elsewhere, leave the guarded network or evaluate expressions is taken
//! out of the operator's part all the same: most of it has meaning only there.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{call::Call, format};
use crate::model::{Error, Result};

/// Names of the two keys we add to every file's keywords.
pub(super) const PATH_KEY: &str = "bossbot-path";
/// See [`PATH_KEY`].
pub(super) const URL_KEY: &str = "bossbot-url";

/// Sections of the operator's file that are used.
const SECTIONS: &[&str] = &["extractor", "downloader"];

/// Keys that are taken out wherever they stand.
const REMOVED: &[&str] = &[
    // They run code or programs, or load it from files.
    "postprocessors",
    "postprocessor",
    "postprocessor-options",
    "postprocess",
    "exec",
    "cmdline-args",
    "config-file",
    "raw-options",
    "module",
    "modules",
    "module-sources",
    "globals",
    "actions",
    "environment",
    "signals-actions",
    "signals-ignore",
    "subconfigs",
    "init",
    "outtmpl",
    "hooks",
    // They leave the guarded network, or stop checking it.
    "proxy",
    "proxy-env",
    "source-address",
    "verify",
    "netrc",
    // They write elsewhere, or change the names we rely on.
    "base-directory",
    "directory",
    "filename",
    "extension-map",
    "part-directory",
    "parent-directory",
    "path-restrict",
    "path-replace",
    "path-remove",
    "path-strip",
    "path-extended",
    "path-convert",
    "archive",
    "archive-format",
    "archive-prefix",
    "archive-table",
    "archive-pragma",
    "archive-event",
    "archive-mode",
    "write-pages",
    "skip",
    "skip-filter",
    "keywords",
    "keywords-global",
    "keywords-eval",
    "metadata-path",
    "metadata-url",
    "metadata-parent",
    "metadata-extractor",
    "metadata-http",
    "metadata-version",
    "http-metadata",
    "url-metadata",
    "path-metadata",
    "extractor-metadata",
    "version-metadata",
    "follow",
    "sleep-429",
    "ratelimit",
    // Cookies come from GALLERY_DL_COOKIES_FILE and _FROM_BROWSER, as a copy.
    "cookies",
    "cookies-update",
    "cookies-select",
];

/// Reads the operator's file and cleans it. Returns what may be used, and the paths of the keys that were taken out.
///
/// # Errors
/// `internal`, naming the setting, when the file cannot be read or is no JSON object.
pub fn read(path: &Path) -> Result<(Value, Vec<String>)> {
    let wrong = |what: String| Error::internal(format!("GALLERY_DL_CONFIG_FILE {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("is not valid JSON: {error}")))?;
    let Value::Object(mut whole) = value else {
        return Err(wrong("is not a JSON object, such as {\"extractor\": {}}".to_owned()));
    };
    let mut removed = Vec::new();
    let mut kept = Map::new();
    for (key, value) in std::mem::take(&mut whole) {
        match value {
            Value::Object(mut section) if SECTIONS.contains(&key.as_str()) => {
                clean(&mut section, &key, &mut removed);
                kept.insert(key, Value::Object(section));
            }
            _ if SECTIONS.contains(&key.as_str()) => return Err(wrong(format!("{key:?} is not an object"))),
            _ => removed.push(key),
        }
    }
    Ok((Value::Object(kept), removed))
}

fn clean(section: &mut Map<String, Value>, at: &str, removed: &mut Vec<String>) {
    section.retain(|key, value| {
        let place = format!("{at}.{key}");
        // Filters are Python expressions.
        let forbidden = REMOVED.contains(&key.as_str()) || key.ends_with("-filter") || holds_formula(value);
        if forbidden {
            removed.push(place);
            return false;
        }
        if let Value::Object(inner) = value {
            clean(inner, &place, removed);
        }
        true
    });
}

/// Strings that begin with a form feed are programs to gallery-dl: expressions, modules, templates read from files.
fn holds_formula(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with('\u{c}'),
        Value::Array(values) => values.iter().any(holds_formula),
        _ => false,
    }
}

/// The whole configuration of one run.
pub(super) fn build(call: &Call<'_>, operator: Value) -> Value {
    let settings = call.settings;
    let mut ours = json!({
        "proxy": call.proxy,
        "proxy-env": false,
        // Without the environment REQUESTS_CA_BUNDLE is not read either: the roots are named here.
        "verify": call.ca.map_or_else(|| json!(true), |ca| json!(ca)),
        "retries": settings.retries,
        "timeout": settings.timeout.as_secs_f64().max(1.0),
        // By default a 429 of X is waited out for ever, others for a minute: we answer, and the job may be tried again.
        "ratelimit": "abort",
        "sleep-429": "1",
        "file-range": format!("1-{}", call.items),
        "child-range": format!("1-{}", call.items),
        "base-directory": call.out,
        "directory": [],
        // A fixed name: nothing a stranger wrote becomes part of a path. The order is that of the printed lines.
        "filename": "item.{extension}",
        "skip": "enumerate",
        "archive": null,
        "actions": null,
        "keywords": null,
        "part": true,
        "part-directory": null,
        "mtime": false,
        "filesize-max": call.max_bytes.to_string(),
        "cookies-update": false,
        "metadata-path": PATH_KEY,
        "metadata-url": URL_KEY,
        "postprocess": true,
        "postprocessors": [
            // One line of JSON a finished file, on standard output.
            {"name": "metadata", "event": "after", "mode": "jsonl", "filename": "-", "ascii": true}
        ],
        "cache": {"file": call.home.join("cache.sqlite3")},
        "output": {
            "mode": {"start": [0, ""], "success": [0, ""], "skip": [0, ""]},
            "shorten": false,
            "log": {"format": "[{name}][{levelname}] {message}"}
        },
    });
    if let Some(rate) = settings.rate_limit {
        ours["rate"] = json!(rate.to_string());
    }
    if let Some(agent) = &settings.user_agent {
        ours["user-agent"] = json!(agent);
    }
    let mut raw = json!({
        "cachedir": false,
        "noplaylist": true,
        "playlist_items": format!("1:{}", call.items),
        "skip_unavailable_fragments": false,
        "merge_output_format": "mp4/mkv",
        "format_sort": format::order(call.options, call.prefer_below).split(',').collect::<Vec<_>>(),
        "allowed_extractors": if call.allow_generic { json!(["default"]) } else { json!(["default", "-generic"]) },
    });
    if call.ca.is_some() {
        raw["compat_opts"] = json!(["no-certifi"]);
    }
    if let Some(ffmpeg) = call.ffmpeg {
        raw["ffmpeg_location"] = json!(ffmpeg);
    }
    let ytdl = json!({
        "format": format::selector(call.options, call.max_bytes, call.prefer_below),
        "raw-options": raw,
    });
    ours["downloader"] = json!({"progress": null, "ytdl": ytdl});
    ours["extractor"] = json!({"ytdl": ytdl});
    let mut whole = operator;
    merge(&mut whole, ours);
    whole
}

/// Lays `over` over `under`: objects are joined, everything else is replaced.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gallery-dl.conf");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn what_is_harmless_is_kept_and_what_is_not_is_named() {
        let (_dir, path) = file(
            r#"{"extractor": {"base-directory": "/etc", "twitter": {"username": "u", "retweets": true,
                 "postprocessors": [{"name": "exec", "command": "id"}], "image-filter": "__import__('os')",
                 "ytdl": {"cmdline-args": "--exec id", "format": "best"}, "filename": "../../x", "text": "\fE 1"}},
                "downloader": {"http": {"proxy": "http://a", "headers": {"A": "b"}}},
                "postprocessor": {}, "output": {"log": "x"}}"#,
        );
        let (kept, mut removed) = read(&path).unwrap();
        assert_eq!(
            kept,
            json!({"extractor": {"twitter": {"username": "u", "retweets": true, "ytdl": {"format": "best"}}},
                   "downloader": {"http": {"headers": {"A": "b"}}}})
        );
        removed.sort();
        assert_eq!(
            removed,
            [
                "downloader.http.proxy",
                "extractor.base-directory",
                "extractor.twitter.filename",
                "extractor.twitter.image-filter",
                "extractor.twitter.postprocessors",
                "extractor.twitter.text",
                "extractor.twitter.ytdl.cmdline-args",
                "output",
                "postprocessor"
            ]
        );
    }

    #[test]
    fn a_file_that_is_no_configuration_is_refused_by_name() {
        for (text, wanted) in [
            ("{", "is not valid JSON"),
            ("[1]", "is not a JSON object"),
            (r#"{"extractor": 3}"#, "\"extractor\" is not an object"),
        ] {
            let (_dir, path) = file(text);
            let error = read(&path).unwrap_err();
            assert!(error.operator_text().contains("GALLERY_DL_CONFIG_FILE"), "{error}");
            assert!(error.operator_text().contains(wanted), "{error}");
        }
        assert!(read(Path::new("/nowhere/conf")).unwrap_err().operator_text().contains("cannot be read"));
    }

    #[test]
    fn ours_lies_over_theirs() {
        let mut whole = json!({"extractor": {"twitter": {"a": 1}, "ytdl": {"enabled": true}}, "proxy": "theirs"});
        merge(&mut whole, json!({"proxy": "ours", "extractor": {"ytdl": {"format": "b"}}}));
        assert_eq!(
            whole,
            json!({"extractor": {"twitter": {"a": 1}, "ytdl": {"enabled": true, "format": "b"}}, "proxy": "ours"})
        );
    }
}
