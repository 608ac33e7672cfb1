//! Reading posts.

use serde_json::json;

use super::*;
use crate::{model::FileType, platforms::common::testing::mutations};

fn body() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/platforms/tumblr/reblog.json")).unwrap()
}

fn read(body: &Value) -> Result<MediaMetadata> {
    let link = "https://bea.tumblr.com/post/675519763813908480/boxes";
    parse::post(body, &Tumblr.route(&Url::parse(link).unwrap()).unwrap())
}

fn with_content(content: Value) -> Value {
    let mut body = body();
    body["response"]["timeline"]["elements"][0]["content"] = content;
    body["response"]["timeline"]["elements"][0]["trail"] = json!([]);
    body
}

#[test]
fn a_reblog_shows_what_it_reblogs_before_its_own() {
    let post = read(&body()).unwrap();
    assert_eq!((post.id.as_str(), post.title.as_deref()), ("675519763813908480", None));
    assert_eq!(post.description.as_deref(), Some("Two boxes\n\nI like it"));
    let author = post.author.unwrap();
    assert_eq!((author.handle.as_str(), author.name.as_deref()), ("bea", Some("Bea's boxes")));
    assert!(post.sensitive);
    assert_eq!((post.counts.like_count, post.counts.comment_count), (Some(3), Some(1)));
    let rows: Vec<_> = post
        .items
        .iter()
        .map(|item| (item.kind, item.alt_text.as_deref(), item.renditions[0].url.as_ref().unwrap().path()))
        .collect();
    assert_eq!(
        rows,
        [
            (FileType::Image, Some("A box"), "/aa/s2048x3072/x.jpg"),
            (FileType::Video, None, "/tumblr_v.mp4"),
            (FileType::Audio, None, "/tumblr_tune.mp3"),
        ]
    );
    assert_eq!(post.items[0].renditions.len(), 2);
}

#[test]
fn each_reason_why_there_is_nothing_has_its_name() {
    let youtube = json!([{"type": "video", "provider": "youtube", "url": "https://www.youtube.com/watch?v=x"}]);
    for (body, code) in [
        (with_content(json!([])), "no_media"),
        (with_content(json!([{"type": "text", "text": "words"}])), "no_media"),
        (with_content(youtube), "unsupported_url"),
        (with_content(Value::Null), "no_media"),
        (json!({"response": {"timeline": {"elements": []}}}), "platform_changed"),
        (json!({"response": []}), "platform_changed"),
        (json!([]), "platform_changed"),
    ] {
        assert_eq!(read(&body).unwrap_err().code(), code, "{body}");
    }
    let refused = |status: u16, body: Value| parse::refused(status, &body).map(|error| error.code());
    assert_eq!(refused(404, json!({"errors": [{"code": 4012, "detail": "x"}]})), Some("login_required"));
    assert_eq!(refused(404, json!({"errors": [{"code": 0, "detail": "Not found"}]})), None);
    assert_eq!(refused(403, json!({"response": "You do not have permission to view this blog"})), Some("private"));
    assert_eq!(refused(401, json!({"errors": [{"title": "Unauthorized"}]})), Some("platform_changed"));
    for changed in mutations(&body()) {
        let _ = read(&changed);
    }
}
