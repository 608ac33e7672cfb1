//! Threads: what our own extractor reads and what each refusal is called. No tool knows Threads.

use boss_bot::model::{Error, FileType};

use crate::{
    platforms_stage::Stage,
    world::{
        media,
        platforms::{ThreadsFate, ThreadsPost},
        web::{Fault, FaultKind},
    },
};

const SITE: &str = "www.threads.com";

fn code<T>(result: Result<T, Error>) -> &'static str {
    result.err().expect("a failure").code()
}

#[tokio::test]
async fn the_media_of_a_threads_post_come_in_order() {
    let stage = Stage::set().await;
    let placed = [media::jpg(231), media::small_video(232), media::jpg(233)];
    let link = stage.web.sites().threads.post(ThreadsPost::of(&placed));
    let api = stage.api(&link).await.unwrap();
    let kinds: Vec<_> = api.items.iter().map(|item| item.kind).collect();
    assert_eq!(kinds, [FileType::Image, FileType::Video, FileType::Image]);
    assert_eq!(api.description.as_deref(), Some("And it boils"));
    assert_eq!(api.author.as_ref().map(|author| author.handle.as_str()), Some("tea.baker"));
    assert_eq!(api.items[0].alt_text.as_deref(), Some("A picture"));
    let got: Vec<_> = stage.download(&api).await.unwrap().iter().map(|path| media::sha256(path)).collect();
    assert_eq!(got, placed.each_ref().map(media::Media::sha256));
    let one = stage.web.sites().threads.post(ThreadsPost::of(&placed[1..2]));
    assert_eq!(stage.api(&one.replace("threads.com", "threads.net")).await.unwrap().items[0].kind, FileType::Video);
    assert!(stage.web.unexpected().is_empty(), "{:?}", stage.web.unexpected());
}

#[tokio::test]
async fn each_refusal_of_threads_has_its_name() {
    let stage = Stage::set().await;
    let threads = &stage.web.sites().threads;
    for (post, expected) in [
        (ThreadsPost::gone(ThreadsFate::Gone), "not_found"),
        (ThreadsPost::gone(ThreadsFate::Private), "login_required"),
        (ThreadsPost::gone(ThreadsFate::LoginWall), "login_required"),
        (ThreadsPost::of(&[]), "no_media"),
    ] {
        assert_eq!(code(stage.api(&threads.post(post)).await), expected);
    }
    let link = threads.post(ThreadsPost::of(&[media::jpg(231)]));
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
}
