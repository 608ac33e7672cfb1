//! Every class of failure, made to happen to the real tools, and what the bot makes of it.

use std::time::Duration;

use boss_bot::model::{Kind, Options, ResourceKind, Tool};
use serde_json::{Value, json};

use crate::{
    toolbox::{Ask, Toolbox, assert_code, code, only},
    world::{
        media,
        platforms::{Gone, Tweet},
        web::{Fault, FaultKind, Reply},
    },
};

/// What the platform's file hands over for YouTube where no player script is to be had.
const YOUTUBE: [&str; 2] =
    ["--extractor-args", "youtube:player_client=visionos;player_skip=webpage,configs,js,initial_data"];
const WATCH: &str = "https://www.youtube.com/watch?v=abcdefghijk";

fn youtube() -> Ask {
    let extractors = vec!["youtube"];
    Ask { extractors, kind: ResourceKind::Video, ..Ask::new(Tool::YtDlp, WATCH).args(&YOUTUBE) }
}

/// The player's answer for a video that is not to be had.
fn unplayable(status: &str, reason: &str) -> Value {
    json!({
        "playabilityStatus": {"status": status, "reason": reason},
        "videoDetails": {"videoId": "abcdefghijk", "title": "A title", "author": "Ann", "channelId": "UC123",
                         "lengthSeconds": "10", "isLiveContent": false},
    })
}

async fn youtube_says(status: &str, reason: &str) -> &'static str {
    let toolbox = Toolbox::start().await;
    toolbox.web.reply("www.youtube.com", "/youtubei/v1/player", Reply::json(&unplayable(status, reason)));
    let result = toolbox.run(&youtube()).await;
    assert!(result.is_err(), "{result:?}");
    code(&result)
}

/// A file at a host that answers with a fault instead, asked for by one tool.
async fn file_with(tool: Tool, fault: FaultKind) -> &'static str {
    let toolbox = Toolbox::with(|settings| settings.gallery_dl.timeout = Duration::from_secs(2)).await;
    let link = match tool {
        Tool::YtDlp => toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1)),
        Tool::GalleryDl => toolbox.web.file("files.example.com", "/a.jpg", &media::jpg(1)),
    };
    toolbox.web.faults().add(Fault::on("files.example.com", "/a.", fault));
    let result = toolbox.run(&Ask::new(tool, &link)).await;
    assert!(toolbox.left().is_empty(), "{:?}", toolbox.left());
    code(&result)
}

/// A tweet, asked for by either tool.
async fn tweet(tool: Tool, tweet: Tweet, fault: Option<FaultKind>) -> &'static str {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.x().post(tweet);
    if let Some(fault) = fault {
        for part in ["TweetResultByRestId", "TweetDetail", "tweet-result"] {
            toolbox.web.faults().add(Fault::on("", part, fault.clone()));
        }
    }
    let result = toolbox.run(&Ask { extractors: vec!["twitter"], ..Ask::new(tool, &link) }).await;
    code(&result)
}

// ---- login, private, age, gone, geo ----

#[tokio::test]
async fn private_posts_are_private() {
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        assert_eq!(tweet(tool, Tweet::gone(Gone::Protected), None).await, "private", "{tool}");
    }
    assert_eq!(
        youtube_says("LOGIN_REQUIRED", "This is a private video. Please sign in to verify that you may see it.").await,
        "private"
    );
}

#[tokio::test]
async fn what_only_members_see_needs_a_login() {
    assert_eq!(
        youtube_says(
            "UNPLAYABLE",
            "Join this channel to get access to members-only content like this video, and other exclusive perks."
        )
        .await,
        "login_required"
    );
    assert_eq!(file_with(Tool::YtDlp, FaultKind::Status(401)).await, "login_required");
    assert_eq!(file_with(Tool::GalleryDl, FaultKind::Status(403)).await, "login_required");
}

#[tokio::test]
async fn posts_for_adults_are_age_restricted() {
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        assert_eq!(tweet(tool, Tweet::gone(Gone::Nsfw), None).await, "age_restricted", "{tool}");
    }
    assert_eq!(tweet(Tool::YtDlp, Tweet::gone(Gone::AgeRestricted), None).await, "age_restricted");
    assert_eq!(youtube_says("LOGIN_REQUIRED", "Sign in to confirm your age").await, "age_restricted");
}

#[tokio::test]
async fn deleted_posts_are_not_found() {
    for gone in [Gone::Deleted, Gone::Suspended] {
        for tool in [Tool::YtDlp, Tool::GalleryDl] {
            assert_eq!(tweet(tool, Tweet::gone(gone), None).await, "not_found", "{tool} {gone:?}");
        }
    }
    assert_eq!(youtube_says("ERROR", "Video unavailable").await, "not_found");
    for status in [404, 410] {
        for tool in [Tool::YtDlp, Tool::GalleryDl] {
            assert_eq!(file_with(tool, FaultKind::Status(status)).await, "not_found", "{tool} {status}");
        }
    }
}

#[tokio::test]
async fn what_is_closed_here_is_geo_blocked() {
    assert_eq!(
        youtube_says("UNPLAYABLE", "The uploader has not made this video available in your country").await,
        "geo_blocked"
    );
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        assert_eq!(file_with(tool, FaultKind::Status(451)).await, "geo_blocked", "{tool}");
    }
}

// ---- nothing to load, unsupported ----

#[tokio::test]
async fn a_post_without_video_is_no_media_to_yt_dlp_and_pictures_to_gallery_dl() {
    let toolbox = Toolbox::start().await;
    let placed: Vec<_> = (1..=3).map(media::jpg).collect();
    let link = toolbox.web.x().post(Tweet::images(&placed).by("ann", "Ann").alt(1, "the second"));
    assert_code(&toolbox.yt_dlp(&link, &["twitter"]).await, "no_media");
    let output = toolbox.gallery_dl(&link).await.unwrap();
    let got: Vec<String> = output.files.iter().map(|file| media::sha256(file)).collect();
    assert_eq!(got, placed.iter().map(media::Media::sha256).collect::<Vec<_>>(), "in the order of the post");
    assert_eq!(output.metadata.items[1].alt_text.as_deref(), Some("the second"));
    assert_eq!(output.metadata.author.unwrap().handle, "ann");
}

#[tokio::test]
async fn a_post_of_words_is_no_media() {
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        assert_eq!(tweet(tool, Tweet::text_only("only words"), None).await, "no_media", "{tool}");
    }
}

#[tokio::test]
async fn a_look_at_a_post_that_is_gone_says_so_too() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.x().post(Tweet::gone(Gone::Deleted));
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        let options = Options { metadata_only: true, ..Options::default() };
        let result = toolbox.run(&Ask { options, extractors: vec!["twitter"], ..Ask::new(tool, &link) }).await;
        assert_code(&result, "not_found");
    }
}

#[tokio::test]
async fn a_page_no_tool_knows_is_unsupported() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.page("pages.example.com", "/", "<html><body>words</body></html>");
    assert_code(&toolbox.yt_dlp(&link, &["generic"]).await, "unsupported_url");
    assert_code(&toolbox.yt_dlp(&link, &["twitter"]).await, "unsupported_url");
    assert_code(&toolbox.gallery_dl(&link).await, "unsupported_url");
}

// ---- rate limits ----

#[tokio::test]
async fn a_429_is_a_rate_limit_and_nobody_waits_it_out() {
    let started = std::time::Instant::now();
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        let video = Tweet::video(&media::small_video(1));
        assert_eq!(tweet(tool, video, Some(FaultKind::RateLimit(None))).await, "rate_limited", "{tool}");
        assert_eq!(file_with(tool, FaultKind::RateLimit(Some(60))).await, "rate_limited", "{tool}");
    }
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
}

#[tokio::test]
async fn being_taken_for_a_robot_is_a_rate_limit() {
    assert_eq!(youtube_says("LOGIN_REQUIRED", "Sign in to confirm you’re not a bot").await, "rate_limited");
}

#[tokio::test]
async fn youtubes_429_stands_in_the_warnings_before_no_video_formats_found() {
    let toolbox = Toolbox::start().await;
    toolbox.web.faults().add(Fault::on("www.youtube.com", "/youtubei/v1/player", FaultKind::RateLimit(None)));
    assert_code(&toolbox.run(&youtube()).await, "rate_limited");
    toolbox.web.faults().clear();
    toolbox.web.faults().add(Fault::on("www.youtube.com", "/youtubei/v1/player", FaultKind::Status(500)));
    assert_code(&toolbox.run(&youtube()).await, "network");
}

// ---- passing faults ----

#[tokio::test]
async fn server_faults_cut_connections_and_silence_are_passing() {
    for fault in
        [FaultKind::Status(500), FaultKind::Status(503), FaultKind::Reset, FaultKind::Truncate, FaultKind::Hang]
    {
        for tool in [Tool::YtDlp, Tool::GalleryDl] {
            assert_eq!(file_with(tool, fault.clone()).await, "network", "{tool} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_fault_of_x_is_passing_though_gallery_dl_calls_the_post_unavailable() {
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        let video = Tweet::video(&media::small_video(1));
        assert_eq!(tweet(tool, video, Some(FaultKind::Status(503))).await, "network", "{tool}");
    }
}

#[tokio::test]
async fn a_proxy_that_is_away_is_passing() {
    let toolbox = Toolbox::with(|settings| settings.network.proxy = Some("http://127.0.0.1:9".parse().unwrap())).await;
    for (tool, link) in
        [(Tool::YtDlp, "https://files.example.com/a.mp4"), (Tool::GalleryDl, "https://files.example.com/a.jpg")]
    {
        assert_code(&toolbox.run(&Ask::new(tool, link)).await, "network");
    }
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_passing() {
    let toolbox = Toolbox::with(|settings| settings.network.ca_file = None).await;
    for (tool, link) in
        [(Tool::YtDlp, "https://files.example.com/a.mp4"), (Tool::GalleryDl, "https://files.example.com/a.jpg")]
    {
        assert_code(&toolbox.run(&Ask::new(tool, link)).await, "network");
    }
    assert!(toolbox.web.requests().is_empty());
}

#[tokio::test]
async fn a_picture_that_broke_off_is_loaded_again() {
    let toolbox = Toolbox::with(|settings| settings.gallery_dl.retries = 2).await;
    let placed = media::jpg(1);
    let link = toolbox.web.file("files.example.com", "/a.jpg", &placed);
    toolbox.web.faults().add(Fault::on("files.example.com", "/a.jpg", FaultKind::Truncate).times(1));
    let result = toolbox.gallery_dl(&link).await;
    assert_eq!(media::sha256(only(&result)), placed.sha256());
}

// ---- stale links ----

#[tokio::test]
async fn a_stale_media_link_is_extracted_again_once() {
    let toolbox = Toolbox::start().await;
    let placed = media::small_video(1);
    let link = toolbox.web.x().post(Tweet::video(&placed));
    let ask = Ask { extractors: vec!["twitter"], ..Ask::new(Tool::YtDlp, &link) };
    toolbox.web.faults().add(Fault::on("video.twimg.com", "", FaultKind::Status(403)).times(1));
    let result = toolbox.run(&ask).await;
    assert_eq!(media::sha256(only(&result)), placed.sha256());

    toolbox.web.clear_log();
    toolbox.web.faults().add(Fault::on("video.twimg.com", "", FaultKind::Status(403)));
    assert_code(&toolbox.run(&ask).await, "network");
    let extractions = toolbox.web.requests().iter().filter(|seen| seen.path.contains("TweetResultByRestId")).count();
    assert_eq!(extractions, 2, "once more, and not for ever");
}

// ---- not yet, live ----

#[tokio::test]
async fn what_is_announced_is_not_yet() {
    assert_eq!(youtube_says("LIVE_STREAM_OFFLINE", "This live event will begin in 3 hours.").await, "not_yet");
    assert_eq!(youtube_says("LIVE_STREAM_OFFLINE", "Premieres in 20 minutes").await, "not_yet");
}

// ---- answers nobody understands ----

#[tokio::test]
async fn an_answer_of_another_shape_is_a_changed_platform() {
    let with = |tool, fault| tweet(tool, Tweet::video(&media::small_video(1)), Some(fault));
    assert_eq!(with(Tool::YtDlp, FaultKind::HtmlForJson).await, "platform_changed");
    // Here the tools themselves take the odd answer for a post without video, or for one that is gone.
    assert_eq!(with(Tool::YtDlp, FaultKind::ChangedJson).await, "no_media");
    assert_eq!(with(Tool::GalleryDl, FaultKind::HtmlForJson).await, "not_found");
    assert_eq!(with(Tool::GalleryDl, FaultKind::ChangedJson).await, "not_found");
}

#[tokio::test]
async fn a_page_in_place_of_a_picture_is_not_delivered() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.page("files.example.com", "/a.jpg", "<html>not here</html>");
    let result = toolbox.gallery_dl(&link).await;
    assert!(result.is_err(), "{result:?}");
    assert!(toolbox.left().is_empty());
}

// ---- parts of a post ----

#[tokio::test]
async fn a_picture_that_is_gone_does_not_hold_back_the_others_but_is_counted() {
    let toolbox = Toolbox::start().await;
    let placed: Vec<_> = (1..=3).map(media::jpg).collect();
    let link = toolbox.web.x().post(Tweet::images(&placed));
    toolbox.gallery_dl(&link).await.unwrap();
    let second = toolbox.web.requests_to("pbs.twimg.com")[1].path.clone();
    toolbox.web.faults().add(Fault::on("pbs.twimg.com", &second, FaultKind::Status(404)));
    let output = toolbox.gallery_dl(&link).await.unwrap();
    let got: Vec<String> = output.files.iter().map(|file| media::sha256(file)).collect();
    assert_eq!(got, [placed[0].sha256(), placed[2].sha256()]);
    assert_eq!(output.metadata.platform_data["missing_items"], 1);
    assert_eq!(output.metadata.items.len(), 2, "items and files stay in step");

    // What may be there next time is a failure, not a gap.
    toolbox.web.faults().clear();
    toolbox.web.faults().add(Fault::on("pbs.twimg.com", &second, FaultKind::Status(503)));
    assert_code(&toolbox.gallery_dl(&link).await, "network");
}

// ---- tools that are not there, words nobody knows ----

#[tokio::test]
async fn tools_that_are_not_installed_are_missing() {
    let empty = tempfile::tempdir().unwrap();
    let dir = empty.path().to_owned();
    let toolbox = Toolbox::with(|settings| settings.tools.dir = dir).await;
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        let result = toolbox.run(&Ask::new(tool, "https://files.example.com/a.mp4")).await;
        assert_eq!(*result.unwrap_err().kind(), Kind::ToolMissing { tool: tool.name().into() });
        assert_eq!(toolbox.tools.version(tool).await.unwrap_err().code(), "tool_missing");
    }
}

#[tokio::test]
async fn without_ffmpeg_nothing_is_loaded_in_pieces() {
    let toolbox = Toolbox::with(|settings| settings.tools.ffmpeg = Some("/nowhere/ffmpeg".into())).await;
    let link = toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1));
    let error = toolbox.yt_dlp(&link, &["generic"]).await.unwrap_err();
    assert_eq!(*error.kind(), Kind::ToolMissing { tool: "ffmpeg".into() });
    assert!(toolbox.web.requests().is_empty());
}

#[tokio::test]
async fn an_unknown_failure_keeps_tool_code_and_words_for_the_operator() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.file("files.example.com", "/a.mp4", &media::small_video(1));
    let wrong = Ask::new(Tool::YtDlp, &link).args(&["--no-such-option", "--password=hunter2"]);
    let error = toolbox.run(&wrong).await.unwrap_err();
    let Kind::ToolFailed(tool) = error.kind() else { panic!("{error:?}") };
    assert_eq!((tool.tool.as_str(), tool.code), ("yt-dlp", Some(2)));
    assert!(tool.stderr.contains("no such option"), "{}", tool.stderr);
    assert!(!error.user_text().contains("option"), "{}", error.user_text());
}

#[tokio::test]
async fn both_tools_tell_their_version() {
    let toolbox = Toolbox::start().await;
    assert_eq!(toolbox.tools.version(Tool::YtDlp).await.unwrap(), "2026.10.26");
    assert_eq!(toolbox.tools.version(Tool::GalleryDl).await.unwrap(), "1.32.18");
}
