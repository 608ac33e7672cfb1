//! Mastodon, on servers known and unknown, in process and by gallery-dl.

use boss_bot::model::{FileType, Tool};

use super::{code, hashes};
use crate::{
    platforms_stage::{Stage, comparable},
    world::{
        media,
        platforms::mastodon::MastodonPost,
        web::{Fault, FaultKind},
    },
};

#[tokio::test]
async fn a_post_is_the_same_in_process_and_by_gallery_dl_in_order() {
    let stage = Stage::set().await;
    let placed = [media::jpg(331), media::small_video(332), media::audio(2, false, 333)];
    let post = MastodonPost::of(&placed).alt(1, "it turns").sensitive();
    let link = stage.web.sites().mastodon.post(post);
    let api = stage.api(&link).await.unwrap();
    let kinds: Vec<_> = api.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Audio]);
    assert!(api.sensitive && api.items[1].alt_text.as_deref() == Some("it turns"));
    let (by_tool, files) = stage.cli(&link, Tool::GalleryDl).await.unwrap();
    assert_eq!(comparable(&by_tool), comparable(&api));
    let expected: Vec<_> = placed.iter().map(|media| media.sha256()).collect();
    assert_eq!(hashes(&files), expected);
    assert_eq!(hashes(&stage.download(&api).await.unwrap()), expected);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn an_unknown_server_is_asked_once_what_it_runs() {
    let stage = Stage::set().await;
    let mastodon = &stage.web.sites().mastodon;
    let picture = media::jpg(334);
    mastodon.server("toots.stand-in.example", "Pleroma");
    let of_picture = || MastodonPost::of(std::slice::from_ref(&picture)).on("toots.stand-in.example");
    let links = [mastodon.post(of_picture()), mastodon.post(of_picture().boosted())];
    for link in &links {
        let api = stage.api(link).await.unwrap();
        assert_eq!(hashes(&stage.download(&api).await.unwrap()), [picture.sha256()]);
    }
    let asked = stage.web.requests().iter().filter(|seen| seen.target().contains("nodeinfo")).count();
    assert_eq!(asked, 2, "the index and the document, for both posts together");
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn a_site_of_another_kind_is_left_to_the_tools_without_asking_more() {
    let stage = Stage::set().await;
    let mastodon = &stage.web.sites().mastodon;
    mastodon.server("blog.stand-in.example", "wordpress");
    mastodon.says("liar.stand-in.example", "mastodon", "toots.stand-in.example");
    stage.web.page("page.stand-in.example", "/.well-known/nodeinfo", "<html>not found</html>");
    for host in ["blog", "liar", "page", "missing"] {
        let link = format!("https://{host}.stand-in.example/@ann/109876543210987654");
        assert_eq!(code(stage.api(&link).await), "unsupported_url", "{host}");
    }
    assert!(!stage.web.requests().iter().any(|seen| seen.target().contains("/api/")));
    // A passing fault says nothing about the site, and is not remembered.
    let host = "down.stand-in.example";
    mastodon.server(host, "mastodon");
    let link = mastodon.post(MastodonPost::of(&[media::jpg(334)]).on(host));
    stage.web.faults().add(Fault::on(host, "nodeinfo", FaultKind::Status(503)).times(1));
    assert_eq!(code(stage.api(&link).await), "network");
    stage.api(&link).await.unwrap();
}

#[tokio::test]
async fn each_refusal_has_its_name() {
    let stage = Stage::set().await;
    let mastodon = &stage.web.sites().mastodon;
    for (status, error, expected) in [
        (404, "Record not found", "not_found"),
        (410, "Gone", "not_found"),
        (401, "This API requires an authenticated user", "login_required"),
        (422, "This method requires an authenticated user", "login_required"),
        (403, "This action is not allowed", "login_required"),
        (429, "Too many requests", "rate_limited"),
        (503, "Remote data could not be fetched", "network"),
        (400, "odd", "platform_changed"),
    ] {
        assert_eq!(code(stage.api(&mastodon.refused(status, error)).await), expected, "{status}");
    }
    assert_eq!(code(stage.api(&mastodon.post(MastodonPost::of(&[]))).await), "no_media");
    assert_eq!(code(stage.api("https://mastodon.social/@ann").await), "unsupported_url");
}
