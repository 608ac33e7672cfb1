//! How yt-dlp is called, and how its lines are read.
//!
//! Every flag here has a reason in "Hazards" (below) or "Output". Nothing is decided by its exit code alone: success is a
//! printed path that exists inside the job's folder.

use std::{ffi::OsString, path::PathBuf};

use serde_json::Value;

use super::{Listing, call::Call, classify::Seen, format};
use crate::{
    model::{Phase, Progress},
    tools::process::Line,
};

/// Its Python module.
pub(super) const MODULE: &str = "yt_dlp";

/// Prefixes of the lines we ask it to print.
const SEEN: &str = "BB-SEEN ";
const META: &str = "BB-META ";
const FILE: &str = "BB-FILE ";
const LOAD: &str = "BB-LOAD ";

/// The few lines of its chatter on standard output that explain a failure. The rest may hold a stranger's title.
const SPOKEN: &[&str] = &["larger than max-filesize", "Got error:", "Retrying", "Giving up"];

/// The arguments after `python -m yt_dlp`.
pub(super) fn arguments(call: &Call<'_>) -> Vec<OsString> {
    let mut args = Args::default();
    // Hazards: nothing from the operator's home, from the working directory, or from plugin folders is code or setting.
    args.all(&["--ignore-config", "--no-plugin-dirs", "--no-remote-components"]);
    args.all(&["--no-cache-dir", "--color", "no_color"]);
    // Hazards: everything goes through the guarded proxy, with the roots we trust.
    args.pair("--proxy", call.proxy);
    if call.ca.is_some() {
        args.pair("--compat-options", "no-certifi");
    }
    // Hazards: endless lists, live streams, silent gaps, embeds.
    let items = call.items.to_string();
    args.all(&["--no-playlist", "--match-filters", "!is_live & !is_upcoming", "--abort-on-unavailable-fragments"]);
    match call.listing {
        None => args.pair("-I", format!("1:{items}")),
        Some(Listing { most, from_end }) => {
            // Entries are named and not looked at.
            args.all(&["--flat-playlist"]);
            args.pair("-I", if *from_end { format!("-1:-{most}:-1") } else { format!("1:{most}") });
        }
    }
    args.pair("--ies", extractors(call));

    let settings = call.settings;
    let retries = settings.retries.to_string();
    for option in ["--retries", "--fragment-retries", "--extractor-retries"] {
        args.pair(option, &retries);
    }
    args.pair("--socket-timeout", settings.timeout.as_secs().max(1).to_string());
    if let Some(rate) = settings.rate_limit {
        args.pair("--limit-rate", rate.to_string());
    }
    if let Some(agent) = &settings.user_agent {
        args.pair("--user-agent", agent);
    }
    if let Some(cookies) = call.cookies {
        args.pair("--cookies", cookies);
    }
    if let Some(browser) = call.browser {
        args.pair("--cookies-from-browser", browser);
    }

    args.pair("-f", format::selector(call.options, call.max_bytes, call.prefer_below));
    args.pair("-S", format::order(call.options, call.prefer_below));
    // Output: one line of JSON each time something is known; what it says to people stays visible for the classification.
    args.pair("--print", format!("pre_process:{SEEN}%(.{{id,live_status,is_live}})j"));
    if call.options.metadata_only {
        args.all(&["--simulate", "--no-quiet", "--print", &format!("video:{META}%()j")]);
        // A post without formats still has a title.
        args.all(&["--no-progress"]);
    } else {
        args.all(&["--no-simulate", "--no-quiet", "--progress", "--newline", "--progress-delta", "0.5"]);
        args.pair("--progress-template", format!("download:{LOAD}%(progress)j"));
        args.pair("--print", format!("before_dl:{META}%()j"));
        args.pair("--print", format!("after_move:{FILE}%(filepath)j"));
        args.pair("--max-downloads", &items);
        args.pair("--max-filesize", call.max_bytes.to_string());
        args.pair("--merge-output-format", "mp4/mkv");
        args.all(&["--no-mtime", "--no-overwrites", "--no-embed-metadata"]);
        if let Some(ffmpeg) = call.ffmpeg {
            args.pair("--ffmpeg-location", ffmpeg);
        }
        // A fixed name: nothing a stranger wrote becomes part of a path.
        let mut template = call.out.as_os_str().to_string_lossy().replace('%', "%%");
        template.push_str("/%(autonumber)03d.%(ext)s");
        args.pair("-o", template);
    }
    args.0.extend(call.tool.args.iter().map(OsString::from));
    // Hazards: what follows is a link, whatever it looks like.
    args.pair("--", call.tool.url.as_str());
    args.0
}

/// Only the extractors of the routed platform; for other sites all but the generic one, which follows embeds anywhere.
fn extractors(call: &Call<'_>) -> String {
    match call.tool.extractors.as_slice() {
        [] if call.allow_generic => "default".to_owned(),
        [] => "default,-generic".to_owned(),
        names => names.join(","),
    }
}

#[derive(Default)]
struct Args(Vec<OsString>);

impl Args {
    fn all(&mut self, args: &[&str]) {
        self.0.extend(args.iter().map(OsString::from));
    }

    fn pair(&mut self, option: &str, value: impl Into<OsString>) {
        self.0.push(option.into());
        self.0.push(value.into());
    }
}

/// Reads what the tool prints.
pub(super) struct Reader<'a> {
    progress: &'a Progress,
    /// What is known of the post beside its metadata.
    pub seen: Seen,
    /// One info dict an item that arrived.
    pub infos: Vec<Value>,
    /// Paths as printed, one for each of `infos`.
    pub files: Vec<PathBuf>,
    /// What it said to people.
    pub words: String,
    begun: Vec<Value>,
    finished: u64,
    planned: Option<u64>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(progress: &'a Progress) -> Self {
        Self {
            progress,
            seen: Seen::default(),
            infos: Vec::new(),
            files: Vec::new(),
            words: String::new(),
            begun: Vec::new(),
            finished: 0,
            planned: Some(0),
        }
    }

    /// Takes one line.
    pub(super) fn line(&mut self, line: Line<'_>) {
        match line {
            Line::Out(text) => self.out(text),
            Line::Err(text) => self.say(text),
        }
    }

    /// Nothing more comes: after a look all that was told is the result. Returns how many items began and did not arrive.
    pub(super) fn finish(&mut self, looked: bool) -> usize {
        let begun = std::mem::take(&mut self.begun);
        if looked {
            self.infos = begun;
            return 0;
        }
        begun.len()
    }

    fn out(&mut self, text: &str) {
        if let Some(json) = text.strip_prefix(LOAD) {
            if let Ok(value) = serde_json::from_str(json) {
                self.load(&value);
            }
        } else if let Some(json) = text.strip_prefix(SEEN) {
            if let Ok(value) = serde_json::from_str::<Value>(json) {
                let status = value["live_status"].as_str().unwrap_or_default();
                self.seen.live |= status == "is_live" || value["is_live"] == Value::Bool(true);
                self.seen.upcoming |= matches!(status, "is_upcoming" | "post_live");
            }
        } else if let Some(json) = text.strip_prefix(META) {
            if let Ok(value) = serde_json::from_str(json) {
                self.seen.began = true;
                self.planned = self.planned.zip(size_of(&value)).map(|(planned, size)| planned + size);
                self.begun.push(value);
            }
        } else if let Some(json) = text.strip_prefix(FILE) {
            if let Ok(path) = serde_json::from_str::<String>(json) {
                self.files.push(path.into());
                self.infos.push(self.begun.pop().unwrap_or_default());
            }
        } else if SPOKEN.iter().any(|word| text.contains(word)) && !text.contains("does not pass filter") {
            self.say(text);
        }
    }

    fn say(&mut self, text: &str) {
        super::keep_words(&mut self.words, text);
    }

    fn load(&mut self, progress: &Value) {
        let number = |key: &str| progress[key].as_f64().filter(|n| *n >= 0.0).map(|n| n as u64);
        let loaded = number("downloaded_bytes").unwrap_or(0);
        let of = number("total_bytes").or_else(|| number("total_bytes_estimate"));
        let done = self.finished + loaded;
        if progress["status"] == "finished" {
            self.finished += number("total_bytes").unwrap_or(loaded);
        }
        let total = match self.planned {
            Some(planned) if planned > 0 => Some(planned.max(done)),
            // Unknown in advance: what this part and those before it have.
            _ => of.map(|of| (self.finished + of).max(done)),
        };
        self.progress.set(Phase::Downloading { done, total });
    }
}

/// Bytes of what will be loaded for one item, if told.
fn size_of(info: &Value) -> Option<u64> {
    let size =
        |format: &Value| format["filesize"].as_u64().or_else(|| format["filesize_approx"].as_f64().map(|n| n as u64));
    match info["requested_formats"].as_array() {
        Some(formats) => formats.iter().map(size).sum(),
        None => size(info),
    }
}

#[cfg(test)]
mod tests;
