//! Reading posts, and links to them.

use serde_json::{Value, json};

use super::*;
use crate::{
    model::{FileType, Rendition},
    platforms::common::testing::mutations,
};

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("../../../fixtures/platforms/bluesky/", $name, ".json")))
            .unwrap()
    };
}

fn resource() -> Resource {
    let link = "https://bsky.app/profile/ann.example/post/3laaaaaaaaaaa";
    Bluesky::default().route(&Url::parse(link).unwrap()).unwrap()
}

fn verdict(body: &Value) -> &'static str {
    parse::post(body, &resource()).unwrap_err().code()
}

#[test]
fn pictures_are_read_in_order_with_their_uploads() {
    let post = parse::post(&fixture!("images"), &resource()).unwrap();
    let metadata = &post.metadata;
    assert_eq!((metadata.id.as_str(), metadata.title.as_deref()), ("3laaaaaaaaaaa", None));
    assert_eq!(metadata.description.as_deref(), Some("Two boxes\nand a line"));
    assert_eq!(metadata.author.as_ref().unwrap().name.as_deref(), Some("Ann Example"));
    assert!(metadata.sensitive);
    assert_eq!(metadata.counts.retweet_count, Some(2));
    assert_eq!(metadata.items[0].alt_text.as_deref(), Some("A box"));
    assert_eq!(metadata.items[1].alt_text, None);
    let server = Url::parse("https://pds.example").unwrap();
    let original = |n: usize| parse::original(Some(&server), post.did.as_deref(), &post.sources[n]).unwrap();
    let Rendition { url, container, bytes, bytes_exact, width, .. } = original(1);
    assert_eq!((container.as_deref(), bytes, bytes_exact, width), (Some("png"), Some(40_000), true, Some(640)));
    assert_eq!(
        url.unwrap().as_str(),
        "https://pds.example/xrpc/com.atproto.sync.getBlob?did=did%3Aplc%3Aaaaaaaaaaaaaaaaaaaaaaaaa&cid=bafkreitwo"
    );
    assert!(parse::original(None, post.did.as_deref(), &post.sources[0]).is_none());
}

#[test]
fn a_post_without_media_shows_those_of_the_post_that_it_quotes() {
    let body = fixture!("quote");
    let post = parse::post(&body, &resource()).unwrap();
    assert_eq!(post.metadata.author.as_ref().unwrap().handle, "ann.example");
    assert_eq!(post.metadata.author.as_ref().unwrap().name, None);
    assert_eq!(post.metadata.items[0].kind, FileType::Video);
    assert_eq!(post.did.as_deref(), Some("did:web:bea.example"));
    assert!(post.sources[0].playlist.is_some());

    // Media of its own come first, also beside a quote.
    let mut both = body.clone();
    let images = fixture!("images");
    both["thread"]["post"]["embed"] = json!({
        "$type": "app.bsky.embed.recordWithMedia#view", "media": images["thread"]["post"]["embed"],
        "record": {"record": body["thread"]["post"]["embed"]["record"]},
    });
    both["thread"]["post"]["record"]["embed"] = json!({"media": images["thread"]["post"]["record"]["embed"]});
    let post = parse::post(&both, &resource()).unwrap();
    assert_eq!(post.metadata.items.len(), 2);
    assert_eq!(post.did.as_deref(), Some("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"));
    both["thread"]["post"]["embed"]["media"] = Value::Null;
    assert_eq!(parse::post(&both, &resource()).unwrap().did.as_deref(), Some("did:web:bea.example"));
}

fn with_embed(embed: Value) -> Value {
    let mut body = fixture!("images");
    body["thread"]["post"]["embed"] = embed;
    body
}

#[test]
fn a_gif_of_the_picker_comes_as_a_video_and_as_itself() {
    let link = "https://media.tenor.com/AbC-1_AAAAC/cat-jump.gif?hh=280&ww=498";
    let body = with_embed(json!({"external": {"uri": link, "title": "cat", "description": "ALT: a cat jumps"}}));
    let post = parse::post(&body, &resource()).unwrap();
    let item = &post.metadata.items[0];
    assert_eq!((item.kind, item.alt_text.as_deref()), (FileType::Gif, Some("a cat jumps")));
    let rows: Vec<_> = item.renditions.iter().map(|r| (r.url.as_ref().unwrap().as_str(), r.width)).collect();
    assert_eq!(
        rows,
        [
            ("https://media.tenor.com/AbC-1_AAAP1/cat-jump.mp4", Some(498)),
            ("https://media.tenor.com/AbC-1_AAAAC/cat-jump.gif", Some(498)),
        ]
    );
}

#[test]
fn each_reason_why_there_is_nothing_has_its_name() {
    let thread = |kind: &str| json!({"thread": {"$type": format!("app.bsky.feed.defs#{kind}"), "uri": "at://x"}});
    let quoted = json!({"record": {"$type": "app.bsky.embed.record#viewNotFound", "notFound": true}});
    for (body, code) in [
        (thread("notFoundPost"), "not_found"),
        (thread("blockedPost"), "private"),
        (with_embed(Value::Null), "no_media"),
        (with_embed(quoted), "no_media"),
        (with_embed(json!({"external": {"uri": "https://youtu.be/dQw4w9WgXcQ"}})), "unsupported_url"),
        (with_embed(json!({"external": {"uri": "https://media.tenor.com/x/y.html"}})), "unsupported_url"),
        (json!({"thread": {}}), "platform_changed"),
        (json!({"thread": {"post": {}}}), "platform_changed"),
        (json!({}), "platform_changed"),
        (json!([]), "platform_changed"),
    ] {
        assert_eq!(verdict(&body), code, "{body}");
    }
    for (error, message, code) in [
        ("NotFound", "Post not found: at://x", Some("not_found")),
        ("InvalidRequest", "Unable to resolve handle", Some("not_found")),
        ("InvalidRequest", "Error: uri must be a valid at-uri", None),
        ("AccountTakedown", "Account has been suspended", Some("not_found")),
        ("InternalServerError", "Internal Server Error", None),
    ] {
        let refused = api::refused(&json!({"error": error, "message": message})).map(|error| error.code());
        assert_eq!(refused, code, "{error}: {message}");
    }
    for fixture in [fixture!("images"), fixture!("quote")] {
        for changed in mutations(&fixture) {
            let _ = parse::post(&changed, &resource());
        }
    }
}

#[test]
fn only_plain_servers_of_the_directory_are_asked() {
    let document =
        |endpoint: &str| json!({"service": [{"type": "AtprotoPersonalDataServer", "serviceEndpoint": endpoint}]});
    assert!(parse::server(&document("https://pds.example")).is_some());
    for odd in ["http://pds.example", "https://127.0.0.1", "https://pds.example:8443", "https://localhost", "ftp://a.b"]
    {
        assert!(parse::server(&document(odd)).is_none(), "{odd}");
    }
    assert!(parse::server(&json!({"service": []})).is_none());
}
