//! What a recording keeps, and what it must not.

use serde_json::json;

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn signatures_in_addresses_become_words_that_stay_the_same() {
    let scrub = Scrub::default();
    let signed = url("https://me:pw@cdn.example/v.mp4?size=3&sig=hunter2&X-Amz-Signature=hunter3&oh=hunter4#hunter5");
    let clean = scrub.url(&signed);
    assert!(!clean.as_str().contains("hunter") && !clean.as_str().contains("pw"), "{clean}");
    assert!(clean.as_str().starts_with("https://cdn.example/v.mp4?size=3&sig=masked-"), "{clean}");
    assert_eq!(scrub.url(&clean), clean, "what is clean stays as it is");
    assert_eq!(scrub.url(&signed), clean, "the same secret has the same word");
    assert_ne!(scrub.url(&url("https://cdn.example/v.mp4?sig=a")), scrub.url(&url("https://cdn.example/v.mp4?sig=b")));
    let plain = url("https://www.example.com/watch?v=abc&list=def&id=7");
    assert_eq!(scrub.url(&plain), plain, "what names the post stays");
}

#[test]
fn tokens_in_answers_and_questions_go() {
    let scrub = Scrub::knowing(|text| text.replace("knownbyheart", "[masked]"));
    let mut value = json!({
        "guest_token": "hunter2", "title": "knownbyheart is odd", "id": "7", "e": "an ordinary field",
        "deep": [{"csrfToken": "hunter2", "url": "https://cdn.example/v.mp4?token=hunter2&w=3"}],
        "page": "var x = {\"access_token\": \"hunter2\"}"
    });
    scrub.json(&mut value);
    let text = value.to_string();
    assert!(!text.contains("hunter2") && !text.contains("knownbyheart"), "{text}");
    assert!(text.contains("an ordinary field") && text.contains("w=3"), "{text}");
    for body in ["grant=x&client_secret=hunter2&a=b", r#"{"password":"hunter2","a":1}"#, "token=hunter2"] {
        assert!(!scrub.body(body).contains("hunter2"), "{}", scrub.body(body));
    }
    let playlist = "#EXTM3U\nseg1.ts?sig=hunter2&n=1\n#EXT-X-KEY:METHOD=AES-128,URI=\"k?token=hunter2\"\n";
    let clean = scrub.text(playlist);
    assert!(!clean.contains("hunter2") && clean.contains("&n=1"), "{clean}");
}

#[test]
fn headers_keep_their_names_and_only_open_ones_their_values() {
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer hunter2"),
        ("cookie", "a=hunter2"),
        ("x-guest-token", "hunter2"),
        ("x-odd-header", "hunter2"),
        ("set-cookie", "sid=hunter2; Path=/"),
        ("location", "https://cdn.example/?sig=hunter2"),
        ("content-type", "text/html"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    let clean = Scrub::default().headers(&headers);
    assert_eq!(clean.len(), 7);
    let text = format!("{clean:?}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(text.contains("text/html") && text.contains("sid=[masked]"), "{text}");
}

#[test]
fn a_folder_without_a_recording_or_with_a_broken_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = || Cassette::play(dir.path()).err().expect("refused").operator_text().to_owned();
    assert!(refused().contains("holds no recording"));
    std::fs::write(dir.path().join("001.json"), "{").unwrap();
    assert!(refused().contains("001.json"));
    assert!(Cassette::record(dir.path(), str::to_owned, false).is_err(), "nothing is overwritten");
}

#[test]
fn an_answer_is_given_to_the_same_question_only_and_in_the_order_of_the_recording() {
    let url = Url::parse("https://a.example/1").unwrap();
    let exchange = |method: &str, range: Option<&str>, status| Exchange {
        format: FORMAT,
        request: Asked {
            method: method.to_owned(),
            url: url.clone(),
            headers: range.map(|range| ("range".to_owned(), range.to_owned())).into_iter().collect(),
            body: None,
        },
        response: Answered { status, url: url.clone(), headers: Vec::new(), body: Body::Text("x".to_owned()) },
    };
    let part = Some("bytes=0-9");
    let player = Player::new(vec![
        exchange("GET", part, 206),
        exchange("HEAD", None, 204),
        exchange("GET", None, 200),
        exchange("GET", None, 404),
    ]);
    let ask = |method: reqwest::Method, range: Option<&'static str>| {
        let mut request = Request::new(method, url.clone());
        if let Some(range) = range {
            request.headers_mut().insert("range", reqwest::header::HeaderValue::from_static(range));
        }
        player.answer(&request).map(|response| response.status().as_u16())
    };
    let (get, head) = (reqwest::Method::GET, reqwest::Method::HEAD);
    assert_eq!(ask(head.clone(), None).unwrap(), 204);
    assert_eq!(ask(get.clone(), part).unwrap(), 206);
    // In their order, and the last one as often as it is asked for.
    assert_eq!([(); 3].map(|()| ask(get.clone(), None).unwrap()), [200, 404, 404]);
    assert!(ask(head, part).is_err() && ask(reqwest::Method::POST, None).is_err(), "nobody asked that");
}
