//! Which cookies go where, how long, and that they stay what they are.

use chrono::TimeDelta;

use super::*;

const FILE: &str = "# Netscape HTTP Cookie File\n\
    .x.com\tTRUE\t/\tTRUE\t2000000000\tauth_token\tvalue-x\n\
    #HttpOnly_.api.x.com\tTRUE\t/1.1\tTRUE\t0\tct0\tvalue-api\r\n\
    www.reddit.com\tFALSE\t/\tFALSE\t1000\treddit_session\tvalue-old\n\
    netflix.com\tFALSE\t/\tTRUE\t0\tNetflixId\tvalue-n\n\
    not a cookie\n# a comment\n\n";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn scope<'a>(domains: &'a [&'a str], link: Option<&'a Url>) -> Scope<'a> {
    Scope { platform: "a", domains, login: &[], link }
}

fn names(jar: &Jar) -> Vec<&str> {
    jar.cookies.iter().map(|cookie| cookie.name.as_str()).collect()
}

#[test]
fn a_platform_gets_its_own_cookies_and_no_neighbours() {
    let jar = Jar::parse(FILE);
    assert_eq!(jar.len(), 4);
    assert_eq!(names(&jar.within(scope(&["x.com", "twitter.com"], None))), ["auth_token", "ct0"]);
    assert_eq!(names(&jar.within(scope(&["reddit.com"], None))), ["reddit_session"]);
    // `netflix.com` ends with `x.com`, and is somebody else's.
    assert_eq!(names(&jar.within(scope(&["flix.com"], None))), Vec::<&str>::new());
}

#[test]
fn where_a_platform_is_on_any_host_the_host_of_the_link_counts() {
    let jar = Jar::parse(FILE);
    let api = url("https://v2.api.x.com/1");
    assert_eq!(names(&jar.within(scope(&[], Some(&api)))), ["auth_token", "ct0"]);
    let below = url("https://www.netflix.com/");
    assert_eq!(names(&jar.within(scope(&[], Some(&below)))), Vec::<&str>::new(), "it is for its own host only");
    // Where domains are known, whose link it is does not matter.
    assert_eq!(names(&jar.within(scope(&["x.com"], Some(&below)))), ["auth_token", "ct0"]);
}

#[test]
fn a_request_carries_what_its_address_may_see() {
    let jar = Jar::parse(FILE);
    let now = DateTime::from_timestamp(1_900_000_000, 0).unwrap();
    let header = |link: &str| jar.header_for(&url(link), now);
    assert_eq!(header("https://x.com/").as_deref(), Some("auth_token=value-x"));
    assert_eq!(header("https://api.x.com/1.1/x").as_deref(), Some("auth_token=value-x; ct0=value-api"));
    assert_eq!(header("https://api.x.com/1.10").as_deref(), Some("auth_token=value-x"));
    assert_eq!(header("https://netflix.com/").as_deref(), Some("NetflixId=value-n"));
    assert_eq!(header("https://www.netflix.com/"), None, "it is for its own host only");
    for nothing in ["http://x.com/", "https://notx.com/", "https://x.com.evil.example/", "https://www.reddit.com/"] {
        assert_eq!(header(nothing), None, "{nothing}");
    }
}

#[test]
fn a_file_for_tools_says_the_same() {
    let jar = Jar::parse(FILE);
    let text = jar.to_netscape();
    let text = text.expose_secret();
    assert!(text.starts_with("# Netscape HTTP Cookie File\n"), "{text}");
    assert!(text.contains("#HttpOnly_.api.x.com\tTRUE\t/1.1\tTRUE\t0\tct0\tvalue-api\n"), "{text}");
    assert!(text.contains("\nwww.reddit.com\tFALSE\t/\tFALSE\t1000\treddit_session\tvalue-old\n"), "{text}");
    assert_eq!(Jar::parse(text).to_netscape().expose_secret(), text);
}

#[test]
fn a_session_ends_with_its_login_and_otherwise_with_the_last_of_its_cookies() {
    let at = |seconds: i64| DateTime::from_timestamp(seconds, 0);
    let jar = Jar::parse(
        ".a.com\tTRUE\t/\tTRUE\t1000\tlogin\tvalue\n.a.com\tTRUE\t/\tTRUE\t5000\tcolour\tvalue\n.a.com\tTRUE\t/\tTRUE\t0\tpage\tvalue\n",
    );
    assert_eq!(jar.ends(&["login"]), at(1000));
    assert_eq!(jar.ends(&["login", "colour"]), at(5000));
    assert_eq!(jar.ends(&["page", "login"]), None);
    assert_eq!(jar.ends(&[]), at(5000));
    assert_eq!(jar.ends(&["nothing of this name"]), at(5000));
    let end = at(5000).unwrap();
    assert!(jar.holds_at(end - TimeDelta::seconds(1)));
    assert!(Jar::parse(".a.com\tTRUE\t/\tTRUE\t5000\tx\tvalue").holds_at(end - TimeDelta::seconds(1)));
    assert!(!Jar::parse(".a.com\tTRUE\t/\tTRUE\t5000\tx\tvalue").holds_at(end));
}
