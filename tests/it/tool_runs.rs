//! What the tools deliver when all is well: the right format, whole, in order, with what is known of the post.

use std::{path::Path, time::Duration};

use boss_bot::model::{FileType, Options, Phase, Progress, Quality, ResourceKind, Tool};

use crate::{
    toolbox::{Ask, Toolbox, only},
    world::{
        media::{self, Dash, Media, Video},
        platforms::{InstagramPost, RedditPost, Tweet, TweetMedia, YouTubeVideo},
    },
};

const YOUTUBE: [&str; 2] =
    ["--extractor-args", "youtube:player_client=visionos;player_skip=webpage,configs,js,initial_data"];

fn of(width: u32, height: u32, bytes: u64) -> Media {
    media::video(Video { width, height, padded_to: Some(bytes), ..Video::seed(height) })
}

/// Names and values that ffprobe prints of a file.
async fn probe(file: &Path, entries: &str) -> String {
    let output = tokio::process::Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", entries, "-of", "csv=p=0"])
        .arg(file)
        .output()
        .await
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn yt_dlp_takes_what_was_wished_and_what_fits_without_encoding() {
    let toolbox = Toolbox::start().await;
    let [low, middle, high] = [of(640, 360, 1_000_000), of(854, 480, 2_000_000), of(1280, 720, 6_000_000)];
    let qualities = [low.clone(), middle.clone(), high.clone()];
    let link = toolbox.web.x().post(Tweet::of(vec![TweetMedia::variants(&qualities)]));
    let wish = |quality| Options { quality, ..Options::default() };
    let cases = [
        (Quality::Best, None, &high),
        // What fits is taken while it is worth watching …
        (Quality::Best, Some(2_500_000), &middle),
        (Quality::Best, Some(9_000_000), &high),
        // … and otherwise the encoder gets the best.
        (Quality::Best, Some(1_500_000), &high),
        (Quality::Height(480), None, &middle),
        (Quality::Height(360), Some(2_500_000), &low),
        (Quality::Worst, None, &low),
    ];
    for (quality, prefer_below, expected) in cases {
        let ask =
            Ask { options: wish(quality), prefer_below, extractors: vec!["twitter"], ..Ask::new(Tool::YtDlp, &link) };
        let result = toolbox.run(&ask).await;
        let got = media::sha256(only(&result));
        assert_eq!(got, expected.sha256(), "{quality} below {prefer_below:?}");
        let quality = result.unwrap().metadata.quality;
        assert_eq!(quality, Some(format!("{}p", expected.height)));
    }
}

#[tokio::test]
async fn youtubes_picture_and_sound_are_joined_to_one_mp4() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.youtube().video(YouTubeVideo::of(Dash::seed(3)).titled("A clip"));
    let (extractors, kind) = (vec!["youtube"], ResourceKind::Video);
    let ask = Ask { extractors, kind, ..Ask::new(Tool::YtDlp, &link).args(&YOUTUBE) };
    let result = toolbox.run(&ask).await;
    let file = only(&result);
    assert_eq!(file.extension().unwrap(), "mp4");
    let streams = probe(file, "stream=codec_name,height").await;
    assert!(streams.contains("h264,360") && streams.contains("aac"), "{streams}");
    let metadata = result.unwrap().metadata;
    assert_eq!(metadata.title.as_deref(), Some("A clip"));
    assert!(metadata.items[0].renditions.len() >= 3, "{:?}", metadata.items);
}

#[tokio::test]
async fn sound_only_is_the_sound_alone() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.youtube().video(YouTubeVideo::of(Dash::seed(3)));
    let options = Options { audio_only: true, ..Options::default() };
    let (extractors, kind) = (vec!["youtube"], ResourceKind::Video);
    let ask = Ask { extractors, kind, options, ..Ask::new(Tool::YtDlp, &link).args(&YOUTUBE) };
    let result = toolbox.run(&ask).await;
    let streams = probe(only(&result), "stream=codec_type").await;
    assert_eq!(streams.trim(), "audio");
}

#[tokio::test]
async fn a_reddit_video_with_sound_apart_comes_whole_by_either_tool() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.reddit().post(RedditPost::video(Dash::seed(4)).titled("Look at this").by("ann"));
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        let ask = Ask { extractors: vec!["reddit"], ..Ask::new(tool, &link) };
        let result = toolbox.run(&ask).await;
        let streams = probe(only(&result), "stream=codec_type").await;
        assert!(streams.contains("video") && streams.contains("audio"), "{tool}: {streams}");
        assert_eq!(result.unwrap().metadata.title.as_deref(), Some("Look at this"), "{tool}");
    }
}

#[tokio::test]
async fn a_carousel_of_instagram_comes_in_order() {
    let toolbox = Toolbox::start().await;
    let placed = [media::jpg(1), media::small_video(2), media::jpg(3)];
    let link = toolbox.web.instagram().post(InstagramPost::carousel(&placed).by("ann", "Ann").caption("three"));
    let output = toolbox.gallery_dl(&link).await.unwrap();
    let got: Vec<String> = output.files.iter().map(|file| media::sha256(file)).collect();
    assert_eq!(got, placed.iter().map(Media::sha256).collect::<Vec<_>>());
    let kinds: Vec<FileType> = output.metadata.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Image]);
    assert_eq!(output.metadata.description.as_deref(), Some("three"));
}

#[tokio::test]
async fn a_link_to_one_picture_gives_that_picture() {
    let toolbox = Toolbox::start().await;
    let placed: Vec<_> = (1..=4).map(media::jpg).collect();
    let link = toolbox.web.x().post(Tweet::images(&placed));
    for metadata_only in [false, true] {
        let options = Options { metadata_only, ..Options::default() };
        let ask = Ask { item: Some(3), options, ..Ask::new(Tool::GalleryDl, &link) };
        let output = toolbox.run(&ask).await.unwrap();
        assert_eq!(output.metadata.items.len(), 1);
        if !metadata_only {
            assert_eq!(media::sha256(&output.files[0]), placed[2].sha256());
            assert_eq!(output.files.len(), 1);
        }
    }
    // A number beyond the last is the whole post.
    let output = toolbox.run(&Ask { item: Some(9), ..Ask::new(Tool::GalleryDl, &link) }).await.unwrap();
    assert_eq!(output.files.len(), 4);
}

#[tokio::test]
async fn progress_is_told_while_it_loads() {
    for tool in [Tool::YtDlp, Tool::GalleryDl] {
        let toolbox = Toolbox::start().await;
        let file = media::padded_video(4_000_000, 1);
        let name = if tool == Tool::YtDlp { "/a.mp4" } else { "/a.jpg" };
        let link = toolbox.web.file_as("files.example.com", name, &file.path, file.mime);
        toolbox.web.hold_downloads();
        let (progress, mut phases) = Progress::new();
        let ask = Ask { progress, ..Ask::new(tool, &link) };
        let watch = async {
            let begun = |phase: &Phase| matches!(phase, Phase::Downloading { done, .. } if *done > 0);
            let phase = tokio::time::timeout(Duration::from_secs(30), phases.wait_for(begun)).await;
            let phase = phase.expect("progress within half a minute").unwrap().clone();
            toolbox.web.release();
            phase
        };
        let (result, phase) = tokio::join!(toolbox.run(&ask), watch);
        only(&result);
        if tool == Tool::YtDlp {
            assert!(matches!(phase, Phase::Downloading { total: Some(4_000_000), .. }), "{phase:?}");
        }
    }
}

#[tokio::test]
async fn what_leaves_the_room_holds_no_signed_links_and_no_headers() {
    let toolbox = Toolbox::start().await;
    let link = toolbox.web.x().post(Tweet::video(&media::small_video(1)));
    for (tool, extractors) in [(Tool::YtDlp, vec!["twitter"]), (Tool::GalleryDl, vec![])] {
        let output = toolbox.run(&Ask { extractors, ..Ask::new(tool, &link) }).await.unwrap();
        let raw = serde_json::to_string(&output.raw).unwrap();
        for secret in ["http_headers", "User-Agent", "video.twimg.com", "cookies", "/home-"] {
            assert!(!raw.contains(secret), "{tool}: {secret} in {raw}");
        }
    }
}
