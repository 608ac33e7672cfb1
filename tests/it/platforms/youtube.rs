//! YouTube: in process and by yt-dlp.

use boss_bot::{
    model::{Extension, MediaMetadata, Options, Tool},
    settings::Settings,
};

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::{self, Dash},
        platforms::{Playability, YouTubeVideo},
        web::{Fault, FaultKind},
    },
};

/// yt-dlp as the client whose addresses need no script, with the page around the player.
async fn set() -> Stage {
    let params = [("player_client", "visionos"), ("player_skip", "configs,js")];
    Stage::with(|settings: &mut Settings| Stage::params(settings, "youtube", &params)).await
}

/// Without what only yt-dlp knows before anything is chosen: which format it would take.
fn comparable_video(metadata: &MediaMetadata) -> MediaMetadata {
    let mut metadata = comparable(metadata);
    if let Some(Extension::Youtube { format_info, .. }) = &mut metadata.extension {
        *format_info = None;
    }
    metadata
}

#[tokio::test]
async fn a_youtube_video_is_the_same_in_process_and_by_yt_dlp() {
    let mut stage = set().await;
    let dash = Dash::seed(301);
    let link = stage.web.youtube().video(YouTubeVideo::of(dash.clone()).titled("A tone").by("Cara's Channel"));
    let found = stage.api(&link).await.unwrap();
    assert_eq!(found.author.as_ref().unwrap().handle, "cara");
    assert_eq!((found.counts.like_count, found.counts.comment_count), (Some(4321), Some(12)));
    let best = &found.items[0].renditions[0];
    assert_eq!((best.height, best.bytes_exact, best.chunk_bytes), (Some(360), true, Some(10 << 20)));
    assert!(best.expires_at.is_some());

    let paths = stage.download(&found).await.unwrap();
    let tracks = [dash.best(), media::DASH_SOUND.to_owned()];
    let loaded: u64 = paths.iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    let parts: u64 = tracks.iter().map(|name| std::fs::metadata(media::dash(&dash).join(name)).unwrap().len()).sum();
    assert!(paths.len() == 1 && loaded > parts / 2, "{loaded} of {parts} bytes");

    stage.options = Options { metadata_only: true, ..Options::default() };
    let (by_tool, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable_video(&found), comparable_video(&by_tool));
    assert!(stage.web.unexpected().iter().all(|seen| seen.host == "i.ytimg.com"), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_youtube_playlist_comes_by_its_first_videos_in_order() {
    let mut stage = set().await;
    let youtube = stage.web.youtube();
    let one = youtube.video(YouTubeVideo::of(Dash::seed(302)).titled("The first"));
    let gone = youtube.video(YouTubeVideo { title: "Kept".into(), ..YouTubeVideo::gone(Playability::Private) });
    let two = youtube.video(YouTubeVideo::of(Dash::seed(303)).titled("The second"));
    let link = youtube.playlist("Tones", &[&one, &gone, &two]);
    let found = stage.api(&link).await.unwrap();
    assert_eq!(found.title.as_deref(), Some("Tones"));
    let titles: Vec<_> = found.items.iter().map(|item| item.title.as_deref().unwrap()).collect();
    assert_eq!(titles, ["The first", "The second"]);
    assert_eq!(found.items[1].url.as_deref(), Some(two.as_str()));
    assert_eq!(found.platform_data["missing_items"], 1);
    assert!(found.items.iter().all(|item| item.renditions.len() == 4), "{:?}", found.items);

    // yt-dlp gives up on a list with a video that cannot be had, as long as it only looks.
    let link = stage.web.youtube().playlist("Tones", &[&one, &two]);
    let found = stage.api(&link).await.unwrap();
    stage.options = Options { metadata_only: true, ..Options::default() };
    let (by_tool, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    let mut found = comparable(&found);
    // yt-dlp does not hand on what the list says of itself.
    assert_eq!(found.description.take().as_deref(), Some("One after the other"));
    assert_eq!(found, comparable(&by_tool));
}

#[tokio::test]
async fn a_long_youtube_playlist_is_followed_over_its_pages() {
    let stage = set().await;
    let youtube = stage.web.youtube();
    let links: Vec<_> =
        (0..12).map(|n| youtube.video(YouTubeVideo::of(Dash::seed(304)).titled(&format!("Number {n}")))).collect();
    let link = youtube.playlist("Many", &links.iter().map(String::as_str).collect::<Vec<_>>());
    let found = stage.api(&link).await.unwrap();
    let urls: Vec<_> = found.items.iter().filter_map(|item| item.url.clone()).collect();
    assert_eq!(urls, links[..10]);
    let pages = stage.web.requests().iter().filter(|seen| seen.path == "/youtubei/v1/browse").count();
    assert_eq!(pages, 2);
}

#[tokio::test]
async fn a_youtube_channel_comes_by_its_latest_videos() {
    let mut stage = set().await;
    let youtube = stage.web.youtube();
    let links: Vec<_> =
        (0..12).map(|n| youtube.video(YouTubeVideo::of(Dash::seed(304)).titled(&format!("Number {n}")))).collect();
    let link = youtube.channel("dora", "Dora", &links.iter().map(String::as_str).collect::<Vec<_>>());
    let found = stage.api(&link).await.unwrap();
    assert_eq!(found.items.len(), 10);
    assert_eq!(found.items[9].title.as_deref(), Some("Number 9"));
    stage.options = Options { metadata_only: true, ..Options::default() };
    let (by_tool, _) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    let mut found = comparable(&found);
    found.description = None;
    assert_eq!(found, comparable(&by_tool));
}

#[tokio::test]
async fn each_refusal_of_youtube_has_its_kind_in_process() {
    let stage = set().await;
    for (why, code) in [
        (Playability::Unavailable, "not_found"),
        (Playability::Private, "private"),
        (Playability::Age, "age_restricted"),
        (Playability::Geo, "geo_blocked"),
        (Playability::Members, "login_required"),
        (Playability::Live, "live"),
        (Playability::Upcoming, "not_yet"),
        (Playability::Bot, "rate_limited"),
    ] {
        let link = stage.web.youtube().video(YouTubeVideo::gone(why));
        let error = stage.api(&link).await.unwrap_err();
        assert_eq!(error.code(), code, "{why:?}: {error}");
    }
    for (link, code) in [
        (stage.web.youtube().private_playlist(), "private"),
        ("https://www.youtube.com/playlist?list=PLnothingnothingnothing".to_owned(), "not_found"),
        ("https://www.youtube.com/@nobody".to_owned(), "not_found"),
        // What only yt-dlp can do goes to yt-dlp.
        ("https://www.youtube.com/clip/UgkxAbCd_-123456".to_owned(), "unsupported_url"),
        ("https://www.youtube.com/playlist?list=RDdQw4w9WgXcQ".to_owned(), "unsupported_url"),
        ("https://www.youtube.com/playlist?list=WL".to_owned(), "login_required"),
    ] {
        let error = stage.api(&link).await.unwrap_err();
        assert_eq!(error.code(), code, "{link}: {error}");
    }
    stage.web.faults().add(Fault::on("www.youtube.com", "/youtubei/v1/player", FaultKind::RateLimit(Some(7))));
    let link = stage.web.youtube().video(YouTubeVideo::of(Dash::seed(305)));
    assert_eq!(stage.api(&link).await.unwrap_err().code(), "rate_limited");
}

#[tokio::test]
async fn what_this_path_cannot_load_is_left_to_yt_dlp() {
    let stage = set().await;
    let youtube = stage.web.youtube();
    let ciphered = youtube.video(YouTubeVideo { ciphered_for: Some("VISIONOS"), ..YouTubeVideo::of(Dash::seed(306)) });
    let error = stage.api(&ciphered).await.unwrap_err();
    assert_eq!(error.code(), "platform_changed");
    assert!(error.operator_text().contains("ciphered"), "{error}");
    // A device's client says it is gone; the site itself does not.
    let hidden = youtube.video(YouTubeVideo { only_on_the_web: true, ..YouTubeVideo::of(Dash::seed(306)) });
    let error = stage.api(&hidden).await.unwrap_err();
    assert_eq!(error.code(), "platform_changed", "{error}");
}
