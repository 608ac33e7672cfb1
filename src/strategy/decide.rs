//! The decisions as plain functions on plain data.

use serde::Serialize;

use crate::{
    model::{AttemptEnd, DownloadMethod, Error, Kind},
    platforms::CliTool,
};

/// The switches that hold for one platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// Whether the in-process path is to be used.
    pub api: bool,
    /// Whether tools may take over when it fails.
    pub fallback: bool,
    /// Whether the tools sign in with the operator's cookies, and so may see what we are not shown.
    pub cookies: bool,
}

/// One path to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// In process.
    Api,
    /// By a command-line tool.
    Cli(CliTool),
}

impl Path {
    /// `api`, `yt-dlp` or `gallery-dl`.
    pub fn by(&self) -> &'static str {
        match self {
            Path::Api => "api",
            Path::Cli(call) => call.tool.name(),
        }
    }

    /// Which of the two methods it is.
    pub fn method(&self) -> DownloadMethod {
        match self {
            Path::Api => DownloadMethod::Api,
            Path::Cli(_) => DownloadMethod::Cli,
        }
    }
}

/// One path as planned, for `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedAttempt {
    /// `api`, `yt-dlp` or `gallery-dl`.
    pub by: String,
    /// Why it stands at this place.
    pub why: String,
}

/// The ordered paths: in process first when it is on; the tools when it is off, or may take over.
pub fn paths(flags: Flags, tools: Vec<CliTool>) -> Vec<Path> {
    let api = flags.api.then_some(Path::Api);
    let tools = tools.into_iter().map(Path::Cli).filter(|_| !flags.api || flags.fallback);
    api.into_iter().chain(tools).collect()
}

/// Puts the in-process path behind the first tool, where another has lately done clearly better.
pub fn stand_back(paths: &mut [Path]) {
    if let [Path::Api, Path::Cli(_), ..] = paths {
        paths.swap(0, 1);
    }
}

/// `paths` in words.
pub fn plan(flags: Flags, has_api: bool, tools: Vec<CliTool>) -> Vec<PlannedAttempt> {
    let off = has_api && !flags.api;
    paths(flags, tools)
        .into_iter()
        .map(|path| {
            let why = match &path {
                Path::Api if flags.fallback => {
                    "in process: no process start, real errors; tools take over if it fails".into()
                }
                Path::Api => "in process; tools may not take over (DOWNLOAD_API_FALLBACK_TO_CLI is off)".into(),
                Path::Cli(call) if off => format!("{} (the in-process path is switched off)", call.why),
                Path::Cli(call) => call.why.to_owned(),
            };
            PlannedAttempt { by: path.by().to_owned(), why }
        })
        .collect()
}

/// What a failed path means: is the verdict final, may another path do better, or only time? `cookies`: whether the tools
/// are signed in ([`Flags::cookies`]).
pub fn after(path: &Path, error: Error, more_paths: bool, cookies: bool) -> AttemptEnd {
    let kind = error.kind();
    // In process we read the platform's own answer, so "nothing in it" is a fact. yt-dlp says it of posts with pictures
    // only, and gallery-dl of posts that it cannot read.
    let verdict = kind.is_fatal() || (*kind == Kind::NoMedia && *path == Path::Api);
    // The in-process path never signs in.
    let hidden = *path == Path::Api && matches!(kind, Kind::Private | Kind::AgeRestricted);
    if verdict && !(hidden && cookies && more_paths) {
        AttemptEnd::Fatal { error }
    } else if more_paths {
        AttemptEnd::NextAttempt { error }
    } else if kind.retryable() {
        AttemptEnd::Retry { error }
    } else {
        AttemptEnd::Fatal { error }
    }
}

/// Of the errors of several failed paths, the one that tells the user most; of equals the last.
pub fn most_telling<'a>(errors: impl Iterator<Item = &'a Error>) -> Option<&'a Error> {
    errors.max_by_key(|error| match error.kind() {
        kind if kind.is_fatal() => 100,
        Kind::LoginRequired => 90,
        Kind::RateLimited { .. } => 70,
        Kind::NoMedia => 65,
        Kind::Timeout | Kind::Network => 60,
        Kind::PlatformChanged => 50,
        Kind::UnsupportedUrl => 45,
        Kind::ToolFailed(_) => 40,
        Kind::ToolMissing { .. } => 30,
        _ => 20,
    })
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::model::Tool;

    fn tools() -> Vec<CliTool> {
        [Tool::YtDlp, Tool::GalleryDl]
            .map(|tool| CliTool {
                tool,
                url: Url::parse("https://x.com/a/status/1").unwrap(),
                extractors: vec![],
                args: vec![],
                why: "because",
            })
            .into()
    }

    fn names(flags: Flags) -> Vec<&'static str> {
        paths(flags, tools()).iter().map(Path::by).collect()
    }

    #[test]
    fn flags_decide_who_is_asked_and_in_which_order() {
        assert_eq!(names(Flags { api: true, fallback: true, cookies: false }), ["api", "yt-dlp", "gallery-dl"]);
        assert_eq!(names(Flags { api: true, fallback: false, cookies: false }), ["api"]);
        assert_eq!(names(Flags { api: false, fallback: true, cookies: false }), ["yt-dlp", "gallery-dl"]);
        assert_eq!(names(Flags { api: false, fallback: false, cookies: false }), ["yt-dlp", "gallery-dl"]);
    }

    #[test]
    fn a_verdict_about_the_post_ends_it_and_a_fault_of_the_path_does_not() {
        let yt_dlp = Path::Cli(tools().remove(0));
        let end = |path: &Path, kind: Kind, more| match after(path, Error::new(kind, "x"), more, false) {
            AttemptEnd::Ok => "ok",
            AttemptEnd::Fatal { .. } => "fatal",
            AttemptEnd::Retry { .. } => "retry",
            AttemptEnd::NextAttempt { .. } => "next",
        };
        for (path, kind, more, expected) in [
            (&Path::Api, Kind::NotFound, true, "fatal"),
            (&Path::Api, Kind::Private, true, "fatal"),
            (&Path::Api, Kind::NoMedia, true, "fatal"),
            (&Path::Api, Kind::LoginRequired, true, "next"),
            (&Path::Api, Kind::PlatformChanged, true, "next"),
            (&Path::Api, Kind::RateLimited { retry_after: None }, true, "next"),
            (&Path::Api, Kind::RateLimited { retry_after: None }, false, "retry"),
            (&Path::Api, Kind::Timeout, false, "retry"),
            (&Path::Api, Kind::PlatformChanged, false, "fatal"),
            (&yt_dlp, Kind::NoMedia, true, "next"),
            (&yt_dlp, Kind::NoMedia, false, "fatal"),
            (&yt_dlp, Kind::Network, true, "next"),
            (&yt_dlp, Kind::BlockedAddress, true, "fatal"),
        ] {
            assert_eq!(end(path, kind.clone(), more), expected, "{} {kind:?} {more}", path.by());
        }
    }

    #[test]
    fn what_is_hidden_from_us_is_left_to_tools_that_are_signed_in() {
        let end = |cookies, more| after(&Path::Api, Error::new(Kind::Private, "x"), more, cookies);
        assert!(matches!(end(true, true), AttemptEnd::NextAttempt { .. }));
        assert!(matches!(end(true, false), AttemptEnd::Fatal { .. }));
        assert!(matches!(end(false, true), AttemptEnd::Fatal { .. }));
    }

    #[test]
    fn the_user_hears_the_error_that_tells_most() {
        let errors = [Kind::PlatformChanged, Kind::NoMedia, Kind::ToolMissing { tool: "gallery-dl".into() }]
            .map(|kind| Error::new(kind, "x"));
        assert_eq!(most_telling(errors.iter()).unwrap().code(), "no_media");
        let errors = [Kind::LoginRequired, Kind::Network].map(|kind| Error::new(kind, "x"));
        assert_eq!(most_telling(errors.iter()).unwrap().code(), "login_required");
        assert_eq!(most_telling([].iter()), None);
    }
}
