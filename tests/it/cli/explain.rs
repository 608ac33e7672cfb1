//! `explain`: which platform, which ways, and no network.

use super::{boss_bot, boss_bot_reading, folder};

/// Link, platform, kind, id.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    ("https://x.com/nasa/status/1234567890123456789", "twitter", "post", "1234567890123456789"),
    ("https://TWITTER.com/nasa/status/1234567890123456789?s=20", "twitter", "post", "1234567890123456789"),
    ("https://mobile.twitter.com/nasa/status/1234567890123456789", "twitter", "post", "1234567890123456789"),
    ("https://www.reddit.com/r/videos/comments/abc123/a_title/", "reddit", "post", "abc123"),
    ("https://youtu.be/dQw4w9WgXcQ?si=tracking", "youtube", "video", "dQw4w9WgXcQ"),
    ("https://www.youtube.com/watch?list=x&v=dQw4w9WgXcQ", "youtube", "video", "dQw4w9WgXcQ"),
    ("https://m.youtube.com/shorts/dQw4w9WgXcQ", "youtube", "video", "dQw4w9WgXcQ"),
];

/// Links that only look like those of a platform: never that platform's.
const LOOK_ALIKES: &[(&str, &str)] = &[
    ("https://netflix.com/status/1234567890123456789", "twitter"),
    ("https://x.com.evil.example/nasa/status/1234567890123456789", "twitter"),
    ("https://x.com@evil.example/nasa/status/1234567890123456789", "twitter"),
    ("https://user@x.com@evil.example/nasa/status/1", "twitter"),
    ("https://notx.com/nasa/status/1234567890123456789", "twitter"),
    ("https://xn--twtter-4va.com/nasa/status/1234567890123456789", "twitter"),
    ("https://twіtter.com/nasa/status/1234567890123456789", "twitter"),
    ("https://evil.example/https://x.com/nasa/status/1", "twitter"),
    ("https://evil.example/?u=https://x.com/nasa/status/1", "twitter"),
    ("https://reddit.com.evil.example/r/videos/comments/abc123/", "reddit"),
    ("https://fakereddit.com/r/videos/comments/abc123/", "reddit"),
    ("https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ", "youtube"),
    ("https://myyoutu.be/dQw4w9WgXcQ", "youtube"),
    ("https://instagram.com.evil.example/p/CODE/", "instagram"),
];

#[tokio::test]
async fn links_of_every_platform_are_told_with_kind_id_and_ways() {
    let dir = folder();
    let links: Vec<&str> = KNOWN.iter().map(|known| known.0).collect();
    let ran = boss_bot(dir.path(), &[&["explain", "--json"][..], &links].concat(), &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    assert_eq!(lines.len(), KNOWN.len());
    for (line, (link, platform, kind, id)) in lines.iter().zip(KNOWN) {
        assert_eq!(line["url"], *link);
        assert_eq!(
            (&line["platform"], &line["kind"], &line["id"]),
            (&(*platform).into(), &(*kind).into(), &(*id).into())
        );
        assert!(line["canonical"].as_str().unwrap().contains(id), "{line}");
        let attempts = line["attempts"].as_array().unwrap();
        assert!(!attempts.is_empty(), "{line}");
        for attempt in attempts {
            assert!(["api", "yt-dlp", "gallery-dl"].contains(&attempt["by"].as_str().unwrap()), "{line}");
            assert!(!attempt["why"].as_str().unwrap().is_empty(), "{line}");
        }
        assert!(line["error"].is_null(), "{line}");
    }
}

#[tokio::test]
async fn look_alikes_are_never_taken_for_the_platform() {
    let dir = folder();
    let links: Vec<&str> = LOOK_ALIKES.iter().map(|alike| alike.0).collect();
    let ran = boss_bot(dir.path(), &[&["explain", "--json"][..], &links].concat(), &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    for (line, (link, never)) in ran.lines().iter().zip(LOOK_ALIKES) {
        assert_eq!(line["url"], *link);
        assert_ne!(line["platform"], *never, "{line}");
        assert!(line["platform"].is_string() != line["error"].is_object(), "a platform or an error: {line}");
    }
}

#[tokio::test]
async fn what_is_no_link_is_answered_too() {
    let dir = folder();
    let links = ["ftp://x.com/a", "javascript:alert(1)", "--exec=id", "nonsense", "file:///etc/passwd"];
    let ran = boss_bot(dir.path(), &[&["explain", "--json", "--"][..], &links].concat(), &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in ran.lines() {
        assert_eq!(line["error"]["code"], "unsupported_url", "{line}");
        assert!(line["platform"].is_null() && line["attempts"].as_array().unwrap().is_empty(), "{line}");
    }
    let ran = boss_bot(dir.path(), &["explain", "nonsense"], &[]).await;
    assert!(ran.out.contains("unsupported_url"), "{}", ran.out);
}

#[tokio::test]
async fn thousands_of_links_are_read_from_standard_input_in_no_time() {
    let dir = folder();
    let mut input = b"# a comment\n\n   \nno text: \xff\xfe\n".to_vec();
    for number in 0..5000 {
        input.extend(format!("  https://x.com/a/status/{}\r\n", 1_000_000 + number).bytes());
    }
    let started = std::time::Instant::now();
    let ran = boss_bot_reading(&input, dir.path(), &["explain", "--json", "-"], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines = ran.lines();
    assert_eq!(lines.len(), 5001);
    assert_eq!(lines[0]["error"]["code"], "unsupported_url", "the odd line: {}", lines[0]);
    assert_eq!(lines[5000]["id"], "1004999");
    // A process start or a look-up for each would take minutes.
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[tokio::test]
async fn the_flags_of_the_operator_show_in_the_plan() {
    let dir = folder();
    let by = async |env: &[(&str, &str)]| {
        let ran = boss_bot(dir.path(), &["explain", "--json", KNOWN[0].0], env).await;
        let attempts = ran.lines()[0]["attempts"].as_array().unwrap().clone();
        attempts.iter().map(|attempt| attempt["by"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(by(&[]).await[0], "api");
    assert!(!by(&[("TWITTER_USE_API_CLIENT", "off")]).await.contains(&"api".to_owned()));
    assert_eq!(by(&[("DOWNLOAD_API_FALLBACK_TO_CLI", "no")]).await, ["api"]);
}
