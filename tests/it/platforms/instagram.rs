//! Instagram: what our own extractor reads by each of its ways, what the tools tell of the same post, and what each refusal
//! is called.

use std::sync::Arc;

use boss_bot::{
    model::{Error, FileType, MediaMetadata, Tool},
    net::Jar,
    settings::Settings,
};

use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media::{self, Media},
        platforms::{Access, InstagramPost},
        web::{Fault, FaultKind},
    },
};

const SITE: &str = "www.instagram.com";

/// What gallery-dl does not hand on: previews (signed addresses are left out), lengths of videos.
fn as_gallery_dl_knows(metadata: &MediaMetadata) -> MediaMetadata {
    let mut metadata = comparable(metadata);
    metadata.thumbnail = None;
    metadata.duration = None;
    metadata.counts.comment_count = None;
    metadata.items.iter_mut().for_each(|item| item.duration = None);
    metadata
}

fn same_bytes(paths: &[std::path::PathBuf], media: &[Media]) {
    let got: Vec<_> = paths.iter().map(|path| media::sha256(path)).collect();
    assert_eq!(got, media.iter().map(Media::sha256).collect::<Vec<_>>());
}

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().expect("a failure").code()
}

/// The cookies of somebody with an account, as the operator's file has them.
fn cookies() -> String {
    let line = |name: &str, value: &str| format!(".instagram.com\tTRUE\t/\tTRUE\t2000000000\t{name}\t{value}\n");
    line("sessionid", "1234%3Aworld") + &line("csrftoken", "worldcsrf")
}

/// The session of somebody with an account.
fn session() -> Option<Arc<Jar>> {
    Some(Arc::new(Jar::parse(&cookies())))
}

/// A stage on which the in-process path and the tools are signed in.
async fn signed_in() -> Stage {
    let mut stage = Stage::with(|settings| {
        let dir = settings.tools.data_dir.parent().unwrap().to_owned();
        let write = |name: &str, text: &str| {
            let path = dir.join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        settings.network.cookies_file = write("cookies.txt", &format!("# Netscape HTTP Cookie File\n{}", cookies()));
        // By itself gallery-dl waits for six to twelve seconds before each further question to Instagram.
        settings.gallery_dl.config_file =
            write("gallery-dl.conf", r#"{"extractor": {"instagram": {"sleep-request": 0}}}"#);
    })
    .await;
    stage.cookies = session();
    stage
}

#[tokio::test]
async fn an_instagram_reel_is_the_same_post_in_process_and_by_both_tools() {
    let stage = Stage::set().await;
    let clip = media::small_video(211);
    let link = stage.web.instagram().post(InstagramPost::reel(&clip).by("tea.baker", "Tea Baker").caption("so fast"));
    let api = stage.api(&link).await.unwrap();
    assert_eq!((api.title.as_deref(), api.description.as_deref()), (None, Some("so fast")));
    let best = &api.items[0].renditions[0];
    assert_eq!((best.bytes, best.bytes_exact), (Some(clip.bytes()), true));
    assert!(best.expires_at.is_some());
    same_bytes(&stage.download(&api).await.unwrap(), std::slice::from_ref(&clip));
    let (by_yt_dlp, files) = stage.cli(&link, Tool::YtDlp).await.unwrap();
    assert_eq!(comparable(&by_yt_dlp), comparable(&api));
    same_bytes(&files, std::slice::from_ref(&clip));
    let (by_gallery_dl, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(as_gallery_dl_knows(&by_gallery_dl), as_gallery_dl_knows(&api));
    same_bytes(&files, &[clip]);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn an_instagram_carousel_is_the_same_post_in_process_and_by_gallery_dl() {
    let stage = Stage::set().await;
    let carousel = [media::jpg(212), media::small_video(213), media::jpg(214)];
    let link = stage.web.instagram().post(InstagramPost::carousel(&carousel).caption("Three of them"));
    let api = stage.api(&link).await.unwrap();
    let kinds: Vec<_> = api.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Image]);
    same_bytes(&stage.download(&api).await.unwrap(), &carousel);
    let (by_gallery_dl, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(as_gallery_dl_knows(&by_gallery_dl), as_gallery_dl_knows(&api));
    same_bytes(&files, &carousel);
}

#[tokio::test]
async fn every_way_to_an_instagram_post_tells_the_same() {
    let carousel = [media::jpg(212), media::small_video(213)];
    let mut told = Vec::new();
    for way in ["page", "query", "embed", "session"] {
        let mut stage = Stage::set().await;
        let link = stage
            .web
            .instagram()
            .post(InstagramPost { pk: 3_500_000_000_000_000_001, ..InstagramPost::carousel(&carousel) });
        if way != "page" {
            stage.web.instagram().page_wall();
        }
        if way == "embed" || way == "session" {
            stage.web.instagram().close_query();
        }
        if way == "session" {
            stage.cookies = session();
        }
        let api = stage.api(&link).await.unwrap_or_else(|error| panic!("{way}: {error}"));
        same_bytes(&stage.download(&api).await.unwrap(), &carousel);
        let asked: Vec<_> = stage.web.requests_to(SITE).iter().map(|seen| seen.target().to_owned()).collect();
        let count = match way {
            "page" | "session" => 1,
            "query" => 3,
            _ => 4,
        };
        // The login page that the post's own leads to counts, too.
        assert_eq!(asked.len(), count, "{way}: {asked:?}");
        let mut api = comparable(&api);
        // Numbers of single pictures are made anew for each world.
        api.items.iter_mut().for_each(|item| item.id = None);
        api.thumbnail = None;
        told.push(api);
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
}

#[tokio::test]
async fn the_ids_that_instagram_changes_are_settings() {
    let set = |settings: &mut Settings| Stage::params(settings, "instagram", &[("doc_id", "99"), ("app_id", "77")]);
    let stage = Stage::with(set).await;
    let link = stage.web.instagram().post(InstagramPost::reel(&media::small_video(211)));
    stage.web.instagram().page_wall();
    stage.web.instagram().only_doc_id("99");
    stage.api(&link).await.unwrap();
    let query = stage.web.wait_for_answer(SITE, "/api/graphql").await;
    assert_eq!(query.header("x-ig-app-id"), Some("77"));
    assert!(!stage.web.requests_to(SITE).iter().any(|seen| seen.target().contains("embed")), "the query answered");
}

#[tokio::test]
async fn each_refusal_of_instagram_has_its_name() {
    let mut stage = Stage::set().await;
    let post = |access| stage.web.instagram().post(InstagramPost::gone(access));
    let (private, restricted, missing) = (post(Access::Private), post(Access::Restricted), post(Access::Missing));
    assert_eq!(code(stage.api(&private).await), "login_required");
    assert_eq!(code(stage.api(&restricted).await), "age_restricted");
    assert_eq!(code(stage.api(&missing).await), "not_found");
    let link = stage.web.instagram().post(InstagramPost::reel(&media::small_video(211)));
    for (kind, expected) in [
        (FaultKind::Status(403), "login_required"),
        (FaultKind::RateLimit(Some(7)), "rate_limited"),
        (FaultKind::Status(500), "network"),
        (FaultKind::HtmlForJson, "platform_changed"),
    ] {
        stage.web.faults().clear();
        stage.web.faults().add(Fault::on(SITE, "", kind.clone()));
        assert_eq!(code(stage.api(&link).await), expected, "{kind:?}");
    }
    stage.web.faults().clear();
    stage.cookies = session();
    assert_eq!(code(stage.api(&private).await), "private");
    assert_eq!(code(stage.api(&missing).await), "not_found");
    stage.cookies = None;
    stage.web.instagram().login_wall();
    stage.web.instagram().close_query();
    stage.web.faults().add(Fault::on(SITE, "/embed/", FaultKind::Status(429)));
    assert_eq!(code(stage.api(&link).await), "login_required");
}

#[tokio::test]
async fn stories_are_for_signed_in_people_and_are_said_to_be() {
    let mut stage = Stage::set().await;
    let placed = [media::small_video(215), media::jpg(216)];
    let [all, first, highlight] = stage.web.instagram().stories("tea.baker", &placed);
    let refused = stage.api(&all).await.unwrap_err();
    assert_eq!(refused.code(), "login_required");
    assert!(refused.user_text().contains("signed-in people only"), "{}", refused.user_text());
    assert!(stage.web.requests().is_empty(), "nobody is asked in vain");

    stage.cookies = session();
    for link in [&all, &highlight] {
        let api = stage.api(link).await.unwrap();
        assert_eq!(api.author.as_ref().unwrap().handle, "tea.baker");
        same_bytes(&stage.download(&api).await.unwrap(), &placed);
    }
    let one = stage.api(&first).await.unwrap();
    same_bytes(&stage.download(&one).await.unwrap(), &placed[..1]);
    let over = "https://www.instagram.com/stories/tea.baker/1/";
    assert_eq!(code(stage.api(over).await), "not_found");
    assert_eq!(code(stage.api("https://www.instagram.com/stories/nobody/").await), "not_found");
    let asked = stage.web.wait_for_answer(SITE, "/api/v1/feed/reels_media/").await;
    assert_eq!(asked.header("x-csrftoken"), Some("worldcsrf"));
}

#[tokio::test]
async fn instagram_stories_and_highlights_are_the_same_in_process_and_by_gallery_dl() {
    let stage = signed_in().await;
    let placed = [media::small_video(215), media::jpg(216)];
    let [all, first, highlight] = stage.web.instagram().stories("tea.baker", &placed);
    for (link, media, title) in
        [(&all, &placed[..], None), (&first, &placed[..1], None), (&highlight, &placed[..], Some("Kettles"))]
    {
        let api = stage.api(link).await.unwrap();
        assert_eq!(api.title.as_deref(), title, "{link}");
        same_bytes(&stage.download(&api).await.unwrap(), media);
        let (by_gallery_dl, files) = stage.cli(link, Tool::GalleryDl).await.unwrap();
        assert_eq!(as_gallery_dl_knows(&by_gallery_dl), as_gallery_dl_knows(&api), "{link}");
        same_bytes(&files, media);
    }
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn yt_dlp_tells_the_same_of_a_video_among_instagram_stories() {
    let stage = signed_in().await;
    let clip = media::small_video(215);
    let [all, first, _] = stage.web.instagram().stories("tea.baker", std::slice::from_ref(&clip));
    for link in [&all, &first] {
        let api = stage.api(link).await.unwrap();
        let (by_yt_dlp, files) = stage.cli(link, Tool::YtDlp).await.unwrap();
        assert_eq!(comparable(&by_yt_dlp), comparable(&api), "{link}");
        same_bytes(&files, std::slice::from_ref(&clip));
    }
}

#[tokio::test]
async fn a_share_link_of_instagram_leads_to_the_post() {
    let stage = Stage::set().await;
    let link = stage.web.instagram().post(InstagramPost::single(&media::jpg(212)));
    let post = stage.resource(&link).await;
    assert_eq!(stage.resource(&stage.web.instagram().share(&link)).await, post);
    assert_eq!(stage.resource(&link.replace("www.instagram.com", "ddinstagram.com")).await, post);
}
