//! The exact words of both tools, as their source has them or as they were seen.

use super::*;

fn quiet() -> ProxyLog {
    ProxyLog::default()
}

fn code_of(tool: Tool, code: i32, words: &str) -> &'static str {
    let log = quiet();
    let failure = Failure { tool, code: Some(code), signal: None, words, log: &log, seen: Seen::default() };
    classify(&failure).error.code()
}

#[test]
fn yt_dlp_words_have_their_kinds() {
    let hint = "Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ#how-do-i-pass-cookies-to-yt-dlp  for how to manually pass cookies";
    let cases: &[(&str, &str)] = &[
        ("ERROR: [youtube] abc: Private video. Sign in if you've been granted access to this video. HINT", "private"),
        ("ERROR: [twitter] 1: You are not authorized to view this protected tweet. HINT", "private"),
        ("ERROR: [Reddit] a: Private subreddit; an account that has been approved is required. HINT", "private"),
        ("ERROR: [facebook] 1: You do not have permission to view this", "private"),
        (
            "ERROR: [Instagram] Cxx: This content is only available for registered users who follow this account. HINT",
            "login_required",
        ),
        ("ERROR: [Reddit] a: Account authentication is required. HINT", "login_required"),
        (
            "ERROR: [youtube] a: Join this channel to get access to members-only content like this video, and other exclusive perks.",
            "login_required",
        ),
        ("ERROR: unable to write data: [Errno 28] No space left on device", "disk_full"),
        ("ERROR: [x] 1: HTTP Error 403: Forbidden", "login_required"),
        ("ERROR: [twitter] 1: NSFW tweet requires authentication. HINT", "age_restricted"),
        (
            "ERROR: [youtube] a: Sign in to confirm your age. This video may be inappropriate for some users. HINT",
            "age_restricted",
        ),
        (
            "ERROR: [twitter] 1: Twitter API says: Age-restricted adult content. This content might not be appropriate",
            "age_restricted",
        ),
        (
            "ERROR: [generic] Unable to download webpage: HTTP Error 404: Not Found (caused by <HTTPError 404: Not Found>)",
            "not_found",
        ),
        ("ERROR: [generic] Unable to download webpage: HTTP Error 410: Gone", "not_found"),
        ("ERROR: [youtube] a: Video unavailable. This video has been removed by the uploader", "not_found"),
        ("ERROR: [twitter] 1: Twitter API says: This Post is from a suspended account. Learn more", "not_found"),
        ("ERROR: [twitter] 1: Requested tweet is unavailable", "not_found"),
        ("ERROR: [youtube] a: The uploader has not made this video available in your country", "geo_blocked"),
        ("ERROR: [generic] Unable to download webpage: HTTP Error 451: Unavailable For Legal Reasons", "geo_blocked"),
        ("ERROR: [vimeo] 1: This video is not available from your location due to geo restriction", "geo_blocked"),
        ("ERROR: [twitter] 1: No video could be found in this tweet", "no_media"),
        ("ERROR: [Instagram] a: There is no video in this post", "no_media"),
        ("ERROR: [Reddit] a: No media found", "no_media"),
        ("ERROR: [Imgur] abc: abc is not a video or animated image", "no_media"),
        ("ERROR: Unsupported URL: https://example.com/", "unsupported_url"),
        ("ERROR: No suitable extractor (Generic) found for URL https://example.com/", "unsupported_url"),
        ("ERROR: [generic] 'nonsense' is not a valid URL. Set --default-search", "unsupported_url"),
        ("ERROR: [x] 1: This video is DRM protected", "unsupported_url"),
        ("ERROR: [x] 1: Unable to download JSON metadata: HTTP Error 429: Too Many Requests", "rate_limited"),
        ("ERROR: [youtube] a: Sign in to confirm you’re not a bot. HINT", "rate_limited"),
        (
            "ERROR: [youtube] a: Video unavailable. The current session has been rate-limited by YouTube for up to an hour.",
            "rate_limited",
        ),
        (
            "ERROR: [Instagram] a: The webpage request was redirected to the login page. You have exceeded the rate-limit for accessing posts anonymously. HINT",
            "rate_limited",
        ),
        ("ERROR: [Reddit] a: Your IP address is unable to access the Reddit API", "rate_limited"),
        ("ERROR: [TikTok] 1: Your IP address is blocked from accessing this post", "rate_limited"),
        ("ERROR: [x] 1: Unable to download webpage: HTTP Error 503: Service Unavailable", "network"),
        (
            "ERROR: [x] 1: Unable to download webpage: The read operation timed out (caused by TransportError('The read operation timed out'))",
            "network",
        ),
        (
            "ERROR: unable to download video data: ('Unable to connect to proxy', OSError('Tunnel connection failed: 502 Bad Gateway'))",
            "network",
        ),
        ("ERROR: [x] 1: Failed to resolve 'x.example' ([Errno -2] Name or service not known)", "network"),
        ("ERROR: unable to download video data: 1024 bytes read, 4096 more expected", "network"),
        ("ERROR: ffmpeg exited with code 1", "network"),
        (
            "ERROR: \r[download] Got error: HTTP Error 404: Not Found\nERROR: fragment 2 not found, unable to continue",
            "network",
        ),
        ("ERROR: The downloaded file is empty", "network"),
        ("ERROR: unable to download video data: HTTP Error 403: Forbidden", "network"),
        ("ERROR: [youtube] a: This live event will begin in 3 hours.", "not_yet"),
        ("ERROR: [youtube] a: Premieres in 20 minutes", "not_yet"),
        ("ERROR: [x] 1: The video may still be uploading", "not_yet"),
        (
            "ERROR: [youtube] a: No video formats found!; please report this issue on  https://github.com/yt-dlp/yt-dlp/issues",
            "platform_changed",
        ),
        ("ERROR: [x] 1: Unable to extract title; please report this issue on", "platform_changed"),
        (
            "ERROR: [x] 1: Failed to parse JSON (caused by JSONDecodeError(\"Expecting value in '': line 1 column 1 (char 0)\"))",
            "platform_changed",
        ),
        ("ERROR: unable to write data: [Errno 27] File too large", "too_large"),
        ("[download] File is larger than max-filesize (900 bytes > 100 bytes). Aborting.", "too_large"),
        (
            "ERROR: You have requested merging of multiple formats but ffmpeg is not installed. Aborting due to --abort-on-error",
            "tool_missing",
        ),
        ("/data/tools/bin/python: No module named yt_dlp", "tool_missing"),
        ("ERROR: Something nobody has seen before", "tool_failed"),
    ];
    for (words, kind) in cases {
        assert_eq!(code_of(Tool::YtDlp, 1, &words.replace("HINT", hint)), *kind, "{words}");
    }
}

#[test]
fn an_error_that_says_nothing_is_explained_by_the_warning_before_it() {
    let mute = "ERROR: [youtube] a: No video formats found!; please report this issue on  https://github.com/yt-dlp/";
    let warning = "WARNING: [youtube] Unable to download API page: HTTP Error 429: Too Many Requests (caused by <HTTPError 429: Too Many Requests>)";
    assert_eq!(code_of(Tool::YtDlp, 1, &format!("{warning}\n{mute}")), "rate_limited");
    let warning = "WARNING: [youtube] a: Unable to download API page: HTTP Error 500: Internal Server Error";
    assert_eq!(code_of(Tool::YtDlp, 1, &format!("{warning}\n{mute}")), "network");
    let mute = "ERROR: [youtube] a: Failed to extract any player response; please report this issue on";
    assert_eq!(code_of(Tool::YtDlp, 1, &format!("{warning}\n{mute}")), "network");
    // An error that does say something is not overruled by a fault that was got over.
    let error = "ERROR: [youtube] a: Video unavailable";
    assert_eq!(code_of(Tool::YtDlp, 1, &format!("{warning}\n{error}")), "not_found");
}

#[test]
fn gallery_dl_words_and_bits_have_their_kinds() {
    let cases: &[(i32, &str, &str)] = &[
        (64, "[gallery-dl][error] Unsupported URL 'https://example.com/x'", "unsupported_url"),
        (4, "[x][error] Unable to download data:  OSError: [Errno 28] No space left on device", "disk_full"),
        (4, "[imgur][error] HttpError: '404 Not Found' for 'https://api.imgur.com/post/v1/media/x'", "not_found"),
        (4, "[reddit][error] NotFoundError: Requested submission could not be found", "not_found"),
        (4, "[twitter][error] 'Unavailable'", "not_found"),
        (
            4,
            "[twitter][warning] '503 Service Unavailable' for 'https://x.com/i'\n[twitter][error] 'Unavailable'",
            "network",
        ),
        (4, "[twitter][error] Tweet unavailable ('Suspended')", "not_found"),
        (
            16,
            "[twitter][error] AuthRequired: authenticated cookies needed to access this tweet ('Protected Tweet')",
            "private",
        ),
        (16, "[twitter][error] AuthRequired: authenticated cookies needed ('NSFW Tweet')", "age_restricted"),
        (
            4,
            "[instagram][error] HTTP redirect to login page (https://www.instagram.com/accounts/login/)",
            "login_required",
        ),
        (16, "[reddit][error] AuthorizationError: Insufficient privileges to access this resource", "login_required"),
        (4, "[x][error] HttpError: '403 Forbidden' for 'https://x.example/a'", "login_required"),
        (4, "[x][error] HttpError: '451 Unavailable For Legal Reasons' for 'https://x.example/a'", "geo_blocked"),
        (4, "[x][error] HttpError: '429 Too Many Requests' for 'https://x.example/a'", "rate_limited"),
        (4, "[twitter][error] Rate limit exceeded", "rate_limited"),
        (8, "[x][error] ChallengeError: Cloudflare challenge (403 Forbidden) for 'https://x.example/'", "rate_limited"),
        (4, "[x][error] HttpError: '503 Service Unavailable' for 'https://x.example/a'", "network"),
        (
            4,
            "[x][error] HttpError:  ProxyError: ('Unable to connect to proxy', OSError('Tunnel connection failed: 502 Bad Gateway'))",
            "network",
        ),
        (
            4,
            "[downloader.http][warning] file size mismatch (100 < 2000) (4/4)\n[download][error] Failed to download a.jpg",
            "network",
        ),
        (
            1,
            "[x][error] An unexpected error occurred: KeyError - 'items'. Please run gallery-dl again with the --verbose flag",
            "platform_changed",
        ),
        (
            1,
            "[x][error] Failed to parse JSON data:  JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
            "platform_changed",
        ),
        (0, "[downloader.http][warning] File size larger than allowed maximum (900 > 100)", "too_large"),
        (4, "[download][warning] OSError: [Errno 27] File too large", "too_large"),
        (0, "", "no_media"),
        (0, "[reddit][info] No results for https://www.reddit.com/comments/a", "no_media"),
        (16, "", "login_required"),
        (8, "", "rate_limited"),
        (64, "", "unsupported_url"),
        (1, "/data/tools/bin/python: No module named gallery_dl", "tool_missing"),
        (2, "__main__.py: error: unrecognized arguments", "tool_failed"),
    ];
    for (code, words, kind) in cases {
        assert_eq!(code_of(Tool::GalleryDl, *code, words), *kind, "{code} {words}");
    }
}

#[test]
fn the_proxy_is_believed_before_the_tool() {
    let words = "ERROR: The downloaded file is empty";
    let refused = ProxyLog { refused: vec!["169.254.169.254:80".into()], ..quiet() };
    let failure =
        Failure { tool: Tool::YtDlp, code: Some(1), signal: None, words, log: &refused, seen: Seen::default() };
    assert_eq!(classify(&failure).error.code(), "blocked_address");
    assert!(classify(&failure).error.operator_text().contains("169.254.169.254:80"));
    let over = ProxyLog { over_budget: true, bytes: 7, ..quiet() };
    assert_eq!(classify(&Failure { log: &over, ..failure }).error.code(), "too_large");
    let log = quiet();
    assert_eq!(classify(&Failure { log: &log, ..failure }).error.code(), "network");
    let killed = Failure { log: &log, code: None, signal: Some(SIGXFSZ), words: "", ..failure };
    assert_eq!(classify(&killed).error.code(), "too_large");
}

#[test]
fn silence_is_explained_by_what_was_seen() {
    let log = quiet();
    let silent = |seen| Failure { tool: Tool::YtDlp, code: Some(0), signal: None, words: "", log: &log, seen };
    let code = |seen| classify(&silent(seen)).error.code();
    assert_eq!(code(Seen { live: true, ..Seen::default() }), "live");
    assert_eq!(code(Seen { upcoming: true, ..Seen::default() }), "not_yet");
    assert_eq!(code(Seen { began: true, ..Seen::default() }), "too_large");
    assert_eq!(code(Seen::default()), "no_media");
}

#[test]
fn a_refused_media_link_is_worth_one_more_extraction() {
    let log = quiet();
    let failure =
        |words| Failure { tool: Tool::YtDlp, code: Some(1), signal: None, words, log: &log, seen: Seen::default() };
    assert!(classify(&failure("ERROR: unable to download video data: HTTP Error 403: Forbidden")).stale_link);
    assert!(
        classify(&failure(
            "[download] Got error: HTTP Error 403: Forbidden. Retrying fragment 1 (1/3)...\nERROR: fragment 1 not found, unable to continue"
        ))
        .stale_link
    );
    assert!(!classify(&failure("ERROR: [x] 1: HTTP Error 403: Forbidden")).stale_link);
}

#[test]
fn unknown_words_are_kept_for_the_operator_without_secrets() {
    let log = quiet();
    let words = "ERROR: odd thing at https://cdn.example/v?sig=secret1 Cookie: sessionid=secret2";
    let failure = Failure { tool: Tool::YtDlp, code: Some(1), signal: None, words, log: &log, seen: Seen::default() };
    let error = classify(&failure).error;
    let Kind::ToolFailed(tool) = error.kind() else { panic!("{error}") };
    assert_eq!((tool.tool.as_str(), tool.code), ("yt-dlp", Some(1)));
    for text in [tool.stderr.as_str(), error.operator_text(), &error.user_text()] {
        assert!(!text.contains("secret1") && !text.contains("secret2"), "{text}");
    }
}
