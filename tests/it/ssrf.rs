//! No spelling of a private address and no route to one is ever connected to: not by the in-process client, not by
//! yt-dlp, not by gallery-dl. The witnesses are listeners on this machine's own addresses.

use std::{net::SocketAddr, sync::Arc};

use boss_bot::{
    net::{Egress, ToolProxy},
    settings::Network,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use crate::site::{LYING_NAMES, Names, SITE, Site, Traps, run_tool};

/// Hosts as a stranger may spell them; each stands between `http://` and the path.
const SPELLINGS: &[&str] = &[
    "127.0.0.1",
    "127.0.0.1:443",
    "127.1",
    "127.0.1",
    "127.8.9.10",
    "127.000.000.001",
    "127.0.0.1.",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7F.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "0000000177.0.0.1",
    "0",
    "0.0.0.0",
    "0x0",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]:443",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:0001]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[fd00::1]",
    "[fec0::1]",
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "127。0。0。1",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "localhost",
    "LocalHost",
    "localhost.",
    "a.localhost",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "localhost.localdomain",
    "ip6-localhost",
    "printer.local",
    "metadata.google.internal",
    "metadata",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "198.18.0.1",
    "user:secret@127.0.0.1",
    "example.com@127.0.0.1",
    "example.com:80@127.0.0.1",
    "user:secret@loopback.example",
    "127.0.0.1#@example.com",
    "127.0.0.1?@example.com",
    "127.0.0.1\\@example.com",
];

fn links(scheme: &str, file: &str) -> Vec<String> {
    let names = LYING_NAMES.iter().map(|(name, _)| *name);
    SPELLINGS.iter().copied().chain(names).map(|host| format!("{scheme}://{host}/{file}")).collect()
}

#[tokio::test]
#[should_panic(expected = "connected to private addresses")]
async fn the_traps_notice_a_visitor() {
    let traps = Traps::set().await;
    TcpStream::connect(("127.0.0.1", traps.port)).await.unwrap();
    traps.assert_silent().await;
}

fn egress(site: &Site) -> Egress {
    Egress::with_names(&site.network(), Arc::new(Names::lying())).unwrap()
}

async fn fetch(egress: &Egress, url: &Url) -> boss_bot::model::Result<u16> {
    let client = egress.client();
    Ok(client.send(client.get(url)?).await?.status().as_u16())
}

#[tokio::test]
async fn the_client_connects_to_no_private_address_however_it_is_spelled() {
    let traps = Traps::set().await;
    let site = Site::start().await;
    let egress = egress(&site);
    let mut tried = 0;
    for link in links("http", "x.mp4").into_iter().chain(links("https", "x.mp4")) {
        // What is no URL at all cannot be asked for.
        let Ok(url) = Url::parse(&link) else { continue };
        assert_eq!(fetch(&egress, &url).await.expect_err(&link).code(), "blocked_address", "{link}");
        assert_eq!(egress.client().resolve(&url).await.expect_err(&link).code(), "blocked_address", "{link}");
        tried += 1;
    }
    assert!(tried >= 140, "{tried}");
    traps.assert_silent().await;
}

#[tokio::test]
async fn the_client_follows_no_redirect_to_a_private_address() {
    let traps = Traps::set().await;
    let site = Site::start().await;
    let egress = egress(&site);
    let mut blocked = 0;
    for to in links("http", "x").into_iter().chain(links("https", "x")) {
        for status in [301, 302, 303, 307, 308] {
            let url = site.leading(&format!("/redirect/{status}"), &to).parse().unwrap();
            match fetch(&egress, &url).await {
                Err(error) => {
                    assert_eq!(error.code(), "blocked_address", "{status} to {to}: {error}");
                    blocked += 1;
                }
                // A Location that is no URI is not followed; the redirect itself is then the answer.
                Ok(answer) => assert_eq!(answer, status, "{to}"),
            }
        }
        let url = site.leading("/hops/3", &to).parse().unwrap();
        assert!(egress.client().resolve(&url).await.map_or_else(
            |e| e.code() == "blocked_address",
            |end| { end.host_str() == Some(SITE) && end.port() == Some(site.port) }
        ));
    }
    assert!(blocked >= 600, "{blocked}");
    for to in ["ftp://127.0.0.1/", "gopher://127.0.0.1:80/", "//127.0.0.1/", "http://example.com:22/"] {
        let url = site.leading("/redirect/302", to).parse().unwrap();
        assert_eq!(fetch(&egress, &url).await.expect_err(to).code(), "blocked_address", "{to}");
    }
    traps.assert_silent().await;
}

#[tokio::test]
async fn private_ports_of_a_public_name_are_refused_before_it_is_resolved() {
    let traps = Traps::set().await;
    let names = Arc::new(Names::lying());
    let egress = Egress::with_names(&Network::default(), names.clone()).unwrap();
    for port in [22, 25, 6379, traps.port] {
        let url = format!("http://loopback.example:{port}/").parse().unwrap();
        assert_eq!(fetch(&egress, &url).await.unwrap_err().code(), "blocked_address");
    }
    assert_eq!(names.asked(), 0);
    traps.assert_silent().await;
}

/// `site.example` answers with the site's address first and with a trap's afterwards. Both are allowed by the operator,
/// so only connecting to the very address that was checked keeps the trap silent.
fn turning_names() -> Arc<Names> {
    let names = Names::default();
    names.answer("site.example", &[SITE]);
    names.answer("site.example", &["127.6.6.6"]);
    Arc::new(names)
}

#[tokio::test]
async fn a_name_that_turns_private_between_check_and_connect_gains_nothing() {
    let traps = Traps::set().await;
    let site = Site::start().await;
    // The trap listens on every address but the one the site has taken at its port.
    let turned = tokio::net::TcpListener::bind(("127.6.6.6", site.port)).await.unwrap();
    let url: Url = format!("http://site.example:{}/good.jpg", site.port).parse().unwrap();

    let names = turning_names();
    let egress = Egress::with_names(&site.network(), names.clone()).unwrap();
    assert_eq!(fetch(&egress, &url).await.unwrap(), 200);
    assert_eq!(names.asked(), 1, "resolved once, checked and connected");

    let names = turning_names();
    let proxy = Egress::with_names(&site.network(), names.clone()).unwrap().tool_proxy(1 << 20).await.unwrap();
    let answer = ask_proxy(&proxy, &format!("GET {url} HTTP/1.1\r\nHost: x\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(names.asked(), 1);

    // And a name that was public when it was let in is judged afresh on every later connection.
    let names = Names::default();
    names.answer("turns.example", &["127.0.0.1"]);
    let egress = Egress::with_names(&site.network(), Arc::new(names)).unwrap();
    let url = "http://turns.example/".parse().unwrap();
    for _ in 0..3 {
        assert_eq!(fetch(&egress, &url).await.unwrap_err().code(), "blocked_address");
    }
    let knock = TcpStream::connect(("127.6.6.6", site.port)).await.unwrap();
    let (_, first) = turned.accept().await.unwrap();
    assert_eq!(first, knock.local_addr().unwrap(), "somebody connected to the turned address");
    traps.assert_silent().await;
}

/// Sends a request head to the proxy with its secret and reads the answer's head.
async fn ask_proxy(proxy: &ToolProxy, head: &str) -> String {
    let url: Url = proxy.url().parse().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], url.port().unwrap()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let secret = format!("{}:{}", url.username(), url.password().unwrap());
    let secret = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, secret);
    stream.write_all(format!("{head}Proxy-Authorization: Basic {secret}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        answer.extend_from_slice(&buffer[..count]);
        if count == 0 || answer.windows(4).any(|end| end == b"\r\n\r\n") {
            return String::from_utf8_lossy(&answer).into_owned();
        }
    }
}

#[tokio::test]
async fn the_tool_proxy_lets_nothing_through_to_private_addresses() {
    let traps = Traps::set().await;
    let site = Site::start().await;
    let proxy = egress(&site).tool_proxy(1 << 30).await.unwrap();
    let mut refused = 0;
    for link in links("http", "x") {
        let host = link.trim_start_matches("http://").trim_end_matches("/x");
        let connect = if host.trim_end_matches(']').contains("]:") || host.ends_with(":443") {
            host.to_owned()
        } else {
            format!("{host}:443")
        };
        for head in [
            format!("CONNECT {connect} HTTP/1.1\r\nHost: example.com:443\r\n"),
            format!("GET {link} HTTP/1.1\r\nHost: example.com\r\n"),
            format!("POST {link} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n"),
        ] {
            let answer = ask_proxy(&proxy, &head).await;
            match answer.split_once("\r\n").map(|(first, _)| first) {
                Some("HTTP/1.1 403 Egress-Blocked") => refused += 1,
                // What is no request target at all does not get as far as the guard.
                Some("HTTP/1.1 400 Bad Request") => {}
                _ => panic!("{head} was answered {answer:?}"),
            }
        }
    }
    // Neither form may name this machine in any other way.
    for head in [
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "GET https://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "GET ftp://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "CONNECT 127.0.0.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "CONNECT example.com:25 HTTP/1.1\r\nHost: example.com:25\r\n",
    ] {
        let answer = ask_proxy(&proxy, head).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{head} was answered {answer:?}");
    }
    assert!(refused >= 180, "{refused}");
    let log = proxy.log();
    assert!(log.refused.len() >= 100, "{log:?}");
    assert_eq!(log.bytes, 0);
    assert!(!format!("{log:?}").contains("secret"), "credentials in {log:?}");
    traps.assert_silent().await;
}

/// Pages of the site that lead on, each to a loopback address of its own, so that the proxy's log tells which of them
/// were really tried.
fn routes(site: &Site, pages: &[&str], file: &str) -> Vec<(String, String)> {
    let route = |(i, page): (usize, &&str)| {
        let host = format!("127.0.7.{}", i + 1);
        let scheme = if page.contains("tls") { "https" } else { "http" };
        (site.leading(page, &format!("{scheme}://{host}/{file}")), host)
    };
    pages.iter().enumerate().map(route).collect()
}

#[tokio::test]
async fn yt_dlp_reaches_no_private_address() {
    let traps = Traps::set().await;
    let site = Site::start().await;
    let proxy = egress(&site).tool_proxy(1 << 30).await.unwrap();
    let options = "--ignore-config --no-plugin-dirs --ignore-errors --retries 0 --fragment-retries 0 --file-access-retries 0 \
                   --extractor-retries 0 --socket-timeout 10 --no-check-certificates --abort-on-unavailable-fragments --no-progress --proxy";
    let options: Vec<String> = options.split_whitespace().chain([proxy.url()]).map(str::to_owned).collect();

    let direct =
        links("http", "x.mp4").into_iter().chain(["https://127.0.0.1/x.mp4".into(), "https://[::1]/x.mp4".into()]);
    let pages = [
        "/redirect/301/a.mp4",
        "/redirect/302/a.mp4",
        "/redirect/303/a.mp4",
        "/redirect/307/a.mp4",
        "/redirect/308/a.mp4",
        "/redirect/302/tls.mp4",
        "/hops/3",
        "/segment.m3u8",
        "/key.m3u8",
        "/map.m3u8",
        "/master.m3u8",
        "/dash.mpd",
        "/embed.html",
        "/source.html",
        "/og.html",
        "/refresh.html",
    ];
    let routes = routes(&site, &pages, "x.mp4");
    let redirected = ["2130706433", "[::ffff:7f00:1]", "loopback.example", "mixed.example", "localhost"]
        .map(|host| site.leading("/redirect/302/b.mp4", &format!("http://{host}/x.mp4")));
    let given: Vec<String> = direct.chain(routes.iter().map(|(link, _)| link.clone())).chain(redirected).collect();
    let args: Vec<String> = options.iter().cloned().chain(["--".into()]).chain(given.clone()).collect();
    let (said, left) = run_tool("yt_dlp", &args, &[]).await;

    let log = proxy.log();
    for (link, host) in &routes {
        assert!(log.refused.iter().any(|line| line.starts_with(&format!("{host}:"))), "{link} was not tried\n{said}");
    }
    assert!(said.matches("ERROR:").count() >= given.len() - 3, "{said}");
    assert!(log.refused.len() >= 60, "{log:?}\n{said}");
    let media = left.iter().filter(|path| path.extension().is_some_and(|e| e != "part" && e != "ytdl")).count();
    assert_eq!(media, 0, "{left:?}\n{said}");

    // The same playlists through ffmpeg, which yt-dlp starts for some of them.
    let before = log.refused.len();
    let pages = ["/segment.m3u8", "/key.m3u8", "/master.m3u8"];
    let playlists = pages.map(|page| site.leading(page, "http://127.0.8.1/x.ts"));
    let more = ["--downloader", "ffmpeg", "--"].map(str::to_owned);
    let args: Vec<String> = options.into_iter().chain(more).chain(playlists).collect();
    let (said, _) = run_tool("yt_dlp", &args, &[]).await;
    assert!(proxy.log().refused.len() > before, "{said}");
    assert!(!said.contains("Proxy Authentication Required"), "{said}");
    traps.assert_silent().await;
}

#[tokio::test]
async fn gallery_dl_reaches_no_private_address() {
    let traps = Traps::set().await;
    let site = Site::start().await;
    let proxy = egress(&site).tool_proxy(1 << 30).await.unwrap();
    let options =
        "--config-ignore --no-postprocessors --no-input -R 0 --http-timeout 10 --no-check-certificate --proxy";
    let options = options.split_whitespace().chain([proxy.url()]).map(str::to_owned);

    let direct =
        links("http", "x.jpg").into_iter().chain(["https://127.0.0.1/x.jpg".into(), "https://[::1]/x.jpg".into()]);
    let generic =
        ["http://127.0.6.1/page", "http://0x7f.1/page", "http://loopback.example/page"].map(|l| format!("g:{l}"));
    let pages = [
        "/redirect/301/a.jpg",
        "/redirect/302/a.jpg",
        "/redirect/303/a.jpg",
        "/redirect/307/a.jpg",
        "/redirect/308/a.jpg",
        "/redirect/302/tls.jpg",
        "/hops/3/a.jpg",
    ];
    let mut routes = routes(&site, &pages, "x.jpg");
    routes.push((format!("r:{}", site.leading("/image.html", "http://127.0.9.2/x.jpg")), "127.0.9.2".into()));
    routes.push((format!("ytdl:{}", site.leading("/embed.html", "http://127.0.9.3/x.mp4")), "127.0.9.3".into()));
    let redirected = ["2130706433", "[::ffff:7f00:1]", "loopback.example", "mixed.example", "localhost"]
        .map(|host| site.leading("/redirect/302/b.jpg", &format!("http://{host}/x.jpg")));
    let given = direct.chain(generic).chain(routes.iter().map(|(link, _)| link.clone())).chain(redirected);
    let args: Vec<String> = options.chain(["--".into()]).chain(given).collect();
    let (said, left) = run_tool("gallery_dl", &args, &[]).await;

    let log = proxy.log();
    for (link, host) in &routes {
        assert!(log.refused.iter().any(|line| line.starts_with(&format!("{host}:"))), "{link} was not tried\n{said}");
    }
    assert!(log.refused.len() >= 60, "{log:?}\n{said}");
    assert_eq!(left, Vec::<std::path::PathBuf>::new(), "{said}");
    traps.assert_silent().await;
}
