//! What a tool's failure means: (tool, exit code, its words, the proxy's log) → one [`Kind`]. A pure table.
//!
//! The proxy's log is the truth about the network: what it refused or cut short decides before any word of the tool.
//! Then the file-size limit, then the words. yt-dlp's `ERROR` lines decide before its `WARNING` lines, because it warns of
//! faults it gets over; but some errors say nothing (`No video formats found!`), and then the cause stands in the
//! warnings. gallery-dl's exit code is a set of bits and is only asked when its words are not known.
//!
//! The wording is that of yt-dlp 2026.10.26 and gallery-dl 1.32.18.

use std::sync::LazyLock;

use nix::libc::SIGXFSZ;
use regex::Regex;

use crate::{
    model::{Error, ExternalToolError, Kind, Tool},
    net::ProxyLog,
};

/// How a tool ended without having delivered.
#[derive(Debug, Clone, Copy)]
pub struct Failure<'a> {
    /// Which one.
    pub tool: Tool,
    /// Its exit code; `None`: a signal.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it said: standard error, and the lines of standard output that are for people.
    pub words: &'a str,
    /// What went through the proxy.
    pub log: &'a ProxyLog,
    /// What it told about the post before it gave up.
    pub seen: Seen,
}

/// What a tool told about a post before it gave up on it without a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// It is a live stream that runs.
    pub live: bool,
    /// It is announced, or a finished stream that is still being processed.
    pub upcoming: bool,
    /// The download was about to begin.
    pub began: bool,
}

/// What a failure means.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The error.
    pub error: Error,
    /// Whether a media link had gone stale: extracting again, once, may help.
    pub stale_link: bool,
    /// Whether the process was taken along by the one that had forked it: the error says nothing about the job.
    pub lost: bool,
}

/// What a row of the tables stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Private,
    Login,
    Age,
    Gone,
    Geo,
    Live,
    NotYet,
    NoMedia,
    Unsupported,
    Protected,
    RateLimited,
    Passing,
    Blocked,
    TooLarge,
    Full,
    Changed,
    NoFfmpeg,
    NotInstalled,
}

struct Row(Class, Regex);

fn table(rows: &[(Class, &str)]) -> Vec<Row> {
    rows.iter()
        .map(|(class, pattern)| {
            let pattern = Regex::new(&format!("(?i){pattern}"));
            Row(*class, pattern.unwrap_or_else(|error| unreachable!("a constant pattern: {error}")))
        })
        .collect()
}

/// What Python, and ffmpeg, say of a full disk.
const FULL: &str = r"no space left on device|disk quota exceeded";

/// yt-dlp's words, the more telling first: a line asking for cookies may really be about age or about being a robot.
static YT_DLP: LazyLock<Vec<Row>> = LazyLock::new(|| {
    table(&[
        (Class::Blocked, r"egress-blocked"),
        (Class::Full, FULL),
        (
            Class::TooLarge,
            r"file too large|\[Errno 27\]|larger than max-filesize|ffmpeg exited with code (-25|153)|larger than allowed maximum",
        ),
        (Class::NotInstalled, r"no module named '?yt_dlp"),
        (Class::NoFfmpeg, r"ffmpeg (and ffprobe )?(is |are )?not (installed|found)|ffprobe and ffmpeg not found"),
        (
            Class::RateLimited,
            r"HTTP Error 429|too many requests|rate-limited by|not a bot|exceeded the rate-limit|IP address is (blocked|unable)|rate limit exceeded",
        ),
        (Class::Age, r"confirm your age|age[- ]restricted|restricted video|NSFW tweet requires"),
        (
            Class::Private,
            r"private video|(video|playlist) is private|protected tweet|private subreddit|do not have permission|limits who can view|account is private|private account",
        ),
        (
            Class::Login,
            r"use --cookies|members-only|registered users|login required|authentication is required|log ?in to|sign in to|account that has",
        ),
        (Class::Geo, r"available in your country|HTTP Error 451|geo restriction|geo-?restricted|your location due to"),
        (
            Class::NotYet,
            r"live event will begin|premieres in|still be uploading|not (yet )?started|is processing|not downloadable yet|will be available",
        ),
        // One segment of many: the post is there, its host is not quite.
        (Class::Passing, r"got error: HTTP Error (404|410)|fragment \d+ not found"),
        (
            Class::Gone,
            r"HTTP Error (404|410)|video unavailable|suspended account|has been (removed|deleted|suspended)|was deleted|no longer (exists|available)|tweet is unavailable|does not exist|page isn't available|not found$|video is not available|\bdoesn.t exist",
        ),
        (
            Class::NoMedia,
            r"no video could be found|there is no video in this post|is not a video or animated|no media found|is not a video\b|no video in",
        ),
        (
            Class::Unsupported,
            r"unsupported URL|no suitable extractor|is not a valid URL|unsupported url scheme|\bnot supported\b",
        ),
        (Class::Protected, r"DRM protected|copy.?protected"),
        (
            Class::Passing,
            r"HTTP Error 5\d\d|timed? ?out|proxyerror|tunnel connection failed|failed to resolve|more expected|ffmpeg exited|downloaded file is empty|did not get any data blocks|connection (reset|refused|aborted|broken)|remote end closed|incompleteread|unable to connect to proxy|certificate verify failed|network is unreachable|SSL: |unable to continue|giving up after",
        ),
        (Class::Login, r"HTTP Error (401|403)"),
        (
            Class::Changed,
            r"no video formats found|unable to (extract|parse)|failed to (extract|parse)|please report this issue|requested format is not available|keyerror|jsondecodeerror|error\(s\) while querying API|empty media response|expecting value|traceback \(most recent",
        ),
    ])
});

/// gallery-dl's words; without a 404's reason the site's own word is all there is.
static GALLERY_DL: LazyLock<Vec<Row>> = LazyLock::new(|| {
    table(&[
        (Class::Blocked, r"egress-blocked"),
        (Class::Full, FULL),
        (
            Class::TooLarge,
            r"file too large|\[Errno 27\]|larger than allowed maximum|larger than max-filesize|ffmpeg exited with code (-25|153)",
        ),
        (Class::NotInstalled, r"no module named '?gallery_dl"),
        (Class::Unsupported, r"unsupported URL|noextractorerror|URLs are not supported"),
        (
            Class::RateLimited,
            r"'?429 too many requests|rate limit exceeded|too many requests|not a bot|rate-limited|please wait a few",
        ),
        (Class::RateLimited, r"cloudflare (challenge|captcha)|ddos-guard challenge|challengeerror"),
        (Class::Age, r"NSFW tweet|age[- ]restricted|confirm your age|adult content"),
        (
            Class::Private,
            r"protected tweet|tweets are protected|account is private|private (account|post|subreddit|gallery)|limits who can view|\bis private\b",
        ),
        (
            Class::Login,
            r"redirect to (login|challenge)|authrequired|authorizationerror|authenticationerror|credentials (required|needed)|needed to access|login required|insufficient privileges|user input required|'40[13] ",
        ),
        (Class::Geo, r"'451 |not available in your (country|region|location)|geo-?(restricted|blocked)"),
        (
            Class::Gone,
            r"'?(404 |410 )|notfounderror|could not be found|tweet unavailable|'unavailable'|suspended|'(deleted|removed)'|has been (removed|deleted)",
        ),
        (
            Class::Passing,
            r"'5\d\d |timed? ?out|proxyerror|tunnel connection failed|newconnectionerror|nameresolutionerror|connection (reset|refused|aborted|broken)|remote end closed|remotedisconnected|incompleteread|file size mismatch|certificate verify failed|protocolerror|sslerror|maxretryerror|connectionerror|chunkedencodingerror|unable to download data",
        ),
        (Class::NoMedia, r"no results for|html response|empty file|media unavailable"),
        (
            Class::Changed,
            r"unexpected error occurred|jsondecodeerror|failed to parse|keyerror|typeerror|indexerror|attributeerror|failed to load API data",
        ),
        (Class::Login, r"httperror"),
    ])
});

/// yt-dlp's errors that do not name their cause.
static YT_DLP_MUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)no video formats found|requested format is not available|downloaded file is empty|ffmpeg exited|empty media response|(unable|failed) to extract|giving up after")
        .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

/// And gallery-dl's: a fault of X, a deleted tweet and one that never was are all the same to it.
static GALLERY_DL_MUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\[error\] 'unavailable'|failed to download")
        .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

static STALE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?is)unable to download video data: HTTP Error 403|HTTP Error 403: Forbidden\. (Retrying|Giving up).*fragment")
        .unwrap_or_else(|error| unreachable!("a constant pattern: {error}"))
});

/// What the failure means.
pub fn classify(failure: &Failure<'_>) -> Verdict {
    let stale_link = failure.tool == Tool::YtDlp && failure.log.refused.is_empty() && STALE.is_match(failure.words);
    let error = match decide(failure, stale_link) {
        Some(class) => error_of(class, failure),
        None => ExternalToolError {
            tool: failure.tool.name().to_owned(),
            code: failure.code,
            stderr: tail(failure.words).to_owned(),
        }
        .into(),
    };
    Verdict { error, stale_link, lost: false }
}

fn decide(failure: &Failure<'_>, stale_link: bool) -> Option<Class> {
    if !failure.log.refused.is_empty() {
        return Some(Class::Blocked);
    }
    if failure.log.over_budget || failure.signal == Some(SIGXFSZ) {
        return Some(Class::TooLarge);
    }
    if stale_link {
        return Some(Class::Passing);
    }
    let said = match failure.tool {
        Tool::YtDlp => said(&YT_DLP, &YT_DLP_MUTE, failure.words, |line| line.starts_with("ERROR:")),
        Tool::GalleryDl => said(&GALLERY_DL, &GALLERY_DL_MUTE, failure.words, |line| line.contains("[error]")),
    };
    said.or_else(|| unsaid(failure))
}

/// What its errors say; where they say nothing, what it warned of before names the cause.
fn said(table: &[Row], mute: &Regex, words: &str, is_error: impl Fn(&str) -> bool) -> Option<Class> {
    let (errors, others): (Vec<&str>, Vec<&str>) = words.lines().partition(|line| is_error(line));
    let (errors, others) = (errors.join("\n"), others.join("\n"));
    let of_errors = find(table, &errors);
    if of_errors.is_none() || mute.is_match(&errors) { find(table, &others).or(of_errors) } else { of_errors }
}

fn find(table: &[Row], words: &str) -> Option<Class> {
    table.iter().find(|Row(_, pattern)| words.lines().any(|line| pattern.is_match(line))).map(|Row(class, _)| *class)
}

/// What follows from the exit code and from what was seen, when no word is known.
fn unsaid(failure: &Failure<'_>) -> Option<Class> {
    if failure.seen.live {
        return Some(Class::Live);
    }
    if failure.seen.upcoming {
        return Some(Class::NotYet);
    }
    let code = failure.code?;
    match failure.tool {
        // A download that was about to begin and left no file: the server told a size above the limit.
        Tool::YtDlp if matches!(code, 0 | 101) && failure.seen.began => Some(Class::TooLarge),
        Tool::YtDlp if matches!(code, 0 | 101) => Some(Class::NoMedia),
        Tool::YtDlp => None,
        // Text posts, and what a site shows to nobody.
        Tool::GalleryDl if code == 0 => Some(Class::NoMedia),
        Tool::GalleryDl if code & 64 != 0 => Some(Class::Unsupported),
        Tool::GalleryDl if code & 16 != 0 => Some(Class::Login),
        Tool::GalleryDl if code & 8 != 0 => Some(Class::RateLimited),
        Tool::GalleryDl => None,
    }
}

fn error_of(class: Class, failure: &Failure<'_>) -> Error {
    let kind = match class {
        Class::Private => Kind::Private,
        Class::Login => Kind::LoginRequired,
        Class::Age => Kind::AgeRestricted,
        Class::Gone => Kind::NotFound,
        Class::Geo => Kind::GeoBlocked,
        Class::Live => Kind::Live,
        Class::NotYet => Kind::NotYet,
        Class::NoMedia => Kind::NoMedia,
        Class::Unsupported | Class::Protected => Kind::UnsupportedUrl,
        Class::RateLimited => Kind::RateLimited { retry_after: None },
        Class::Passing => Kind::Network,
        Class::Blocked => Kind::BlockedAddress,
        Class::TooLarge => Kind::TooLarge,
        Class::Full => Kind::DiskFull,
        Class::Changed => Kind::PlatformChanged,
        Class::NoFfmpeg => Kind::ToolMissing { tool: "ffmpeg".to_owned() },
        Class::NotInstalled => Kind::ToolMissing { tool: failure.tool.name().to_owned() },
    };
    let what = match class {
        Class::Blocked => match failure.log.refused.as_slice() {
            [] => "the proxy refused a request".to_owned(),
            refused => format!("refused: {}", refused.join(", ")),
        },
        Class::TooLarge if failure.log.over_budget => format!("cut off after {} bytes", failure.log.bytes),
        _ => last_words(failure.words),
    };
    let code = failure.code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"));
    let error = Error::new(kind, format!("{} ended with {code}: {what}", failure.tool));
    match class {
        Class::Protected => error.with_detail("it is copy-protected"),
        _ => error,
    }
}

/// As much of the end as an operator may want to read.
fn tail(words: &str) -> &str {
    const BYTES: usize = 16 * 1024;
    let mut from = words.len().saturating_sub(BYTES);
    while !words.is_char_boundary(from) {
        from += 1;
    }
    words.get(from..).unwrap_or_default()
}

/// The end of what was said, short enough for a line of the log.
fn last_words(words: &str) -> String {
    const LINES: usize = 6;
    let lines: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let from = lines.len().saturating_sub(LINES);
    match lines.get(from..) {
        Some([]) | None => "without a word".to_owned(),
        Some(lines) => lines.join(" | "),
    }
}

#[cfg(test)]
mod tests;
