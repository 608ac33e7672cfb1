//! How gallery-dl is called, and how its answers are read.
//!
//! Everything is set in a configuration file of the run's own (see `gallery_config`); the arguments only say that nothing
//! else is read. Its exit code means little: 0 with no file is common.

use std::{ffi::OsString, path::PathBuf};

use serde_json::Value;

use super::{
    call::{Call, write_private},
    gallery_config::{self, PATH_KEY},
};
use crate::{model::Result, tools::process::Line};

/// Its Python module.
pub(super) const MODULE: &str = "gallery_dl";

/// More JSON than this is no post (a post with 20 items has some 100 KiB).
const MAX_JSON: usize = 32 * 1024 * 1024;

/// The arguments after `python -m gallery_dl`; writes the configuration file they name.
pub(super) fn arguments(call: &Call<'_>, operator: Value) -> Result<Vec<OsString>> {
    let config = call.home.join("gallery-dl.json");
    write_private(&config, gallery_config::build(call, operator).to_string().as_bytes())?;
    let mut args: Vec<OsString> = ["--config-ignore", "--config-json"].into_iter().map(OsString::from).collect();
    args.push(config.into());
    args.extend(["--no-input", "--no-colors"].map(OsString::from));
    if let Some(cookies) = call.cookies {
        args.push("--cookies".into());
        args.push(cookies.into());
    }
    if let Some(browser) = call.browser {
        args.push("--cookies-from-browser".into());
        args.push(browser.into());
    }
    if call.options.metadata_only {
        args.push("--resolve-json".into());
    }
    args.extend(call.tool.args.iter().map(OsString::from));
    args.push("--".into());
    args.push(call.tool.url.as_str().into());
    Ok(args)
}

/// Reads what the tool prints while it downloads.
#[derive(Default)]
pub(super) struct Reader {
    /// One keyword dict a file, in order.
    pub infos: Vec<Value>,
    /// The files, as printed.
    pub files: Vec<PathBuf>,
    /// What it said to people.
    pub words: String,
    /// Files it gave up on.
    pub failed: usize,
    json: String,
}

impl Reader {
    /// Takes one line of a download.
    pub(super) fn line(&mut self, line: Line<'_>) {
        match line {
            Line::Out(text) => {
                let Ok(info @ Value::Object(_)) = serde_json::from_str::<Value>(text) else { return };
                if let Some(path) = info[PATH_KEY].as_str() {
                    self.files.push(path.into());
                    self.infos.push(info);
                }
            }
            Line::Err(text) => self.say(text),
        }
    }

    /// Takes one line of `--resolve-json`.
    pub(super) fn line_of_json(&mut self, line: Line<'_>) {
        match line {
            Line::Out(text) if self.json.len() + text.len() < MAX_JSON => {
                self.json.push_str(text);
                self.json.push('\n');
            }
            Line::Out(_) => {}
            Line::Err(text) => self.say(text),
        }
    }

    /// The end of `--resolve-json`: its messages become keyword dicts, its errors words.
    pub(super) fn finish_json(&mut self) {
        let Ok(Value::Array(messages)) = serde_json::from_str::<Value>(&std::mem::take(&mut self.json)) else { return };
        for message in messages {
            match (message[0].as_i64(), message[1].clone(), message[2].clone()) {
                (Some(3), Value::String(url), Value::Object(mut info)) => {
                    info.insert(gallery_config::URL_KEY.to_owned(), url.into());
                    self.infos.push(Value::Object(info));
                }
                (Some(-1), error, _) => {
                    let word = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
                    self.say(&format!("[gallery-dl][error] {}: {}", word("error"), word("message")));
                }
                _ => {}
            }
        }
    }

    fn say(&mut self, text: &str) {
        if text.contains("[error] Failed to download ") {
            self.failed += 1;
        }
        super::keep_words(&mut self.words, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_download_become_files_in_order() {
        let mut reader = Reader::default();
        for line in [
            Line::Err("[twitter][info] hello"),
            Line::Out(r#"{"num": 1, "bossbot-path": "/j/item.jpg"}"#),
            Line::Out("not json"),
            Line::Out(r#"{"num": 2, "bossbot-path": "/j/item.1.jpg"}"#),
            Line::Err("[download][error] Failed to download item.2.jpg"),
        ] {
            reader.line(line);
        }
        assert_eq!(reader.files, [PathBuf::from("/j/item.jpg"), "/j/item.1.jpg".into()]);
        assert_eq!((reader.infos.len(), reader.failed), (2, 1));
        assert!(reader.words.contains("hello"));
    }

    #[test]
    fn messages_become_items_and_errors_words() {
        let mut reader = Reader::default();
        let json = r#"[[2, {"a": 1}], [3, "https://a/1.jpg", {"num": 1}], [-1, {"error": "NotFoundError", "message": "Requested post could not be found"}]]"#;
        for line in json.replace(", [", ",\n[").lines() {
            reader.line_of_json(Line::Out(line));
        }
        reader.finish_json();
        assert_eq!(reader.infos[0]["bossbot-url"], "https://a/1.jpg");
        assert_eq!(reader.words, "[gallery-dl][error] NotFoundError: Requested post could not be found");
    }
}
