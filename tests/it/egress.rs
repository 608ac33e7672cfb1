//! The guarded egress at work: what it lets through arrives whole, through proxies too, and its limits hold.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use boss_bot::{
    net::{Egress, ProxyLog, ToolProxy, check_status, read_body, read_json},
    settings::Network,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

use crate::{
    site::{Names, SITE, Site, run_tool},
    world::tls::Authority,
};

/// An authority, its certificate in a file, and a site it vouches for.
struct Tls {
    file: tempfile::NamedTempFile,
    site: Site,
}

impl Tls {
    async fn start() -> Self {
        let authority = Authority::new();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), authority.pem()).unwrap();
        let site = Site::start_tls(&authority).await;
        Self { file, site }
    }

    fn network(&self) -> Network {
        Network { ca_file: Some(self.file.path().to_owned()), ..self.site.network() }
    }
}

fn egress(network: &Network) -> Egress {
    Egress::with_names(network, Arc::new(Names::lying())).unwrap()
}

fn port(url: &str) -> u16 {
    Url::parse(url).unwrap().port().unwrap()
}

/// The head of a request to a proxy with its secret, as tools send it.
fn with_secret(proxy: &ToolProxy, head: &str) -> String {
    let url: Url = proxy.url().parse().unwrap();
    let secret = format!("{}:{}", url.username(), url.password().unwrap());
    let secret = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, secret);
    format!("{head}Proxy-Authorization: Basic {secret}\r\n\r\n")
}

/// Sends bytes, reads until the end.
async fn exchange(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A cut connection ends in an error; what came before it counts.
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let _ = read.await.expect("the proxy neither ends nor cuts its answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn the_real_tools_load_through_the_tool_proxy_with_its_secret() {
    let tls = Tls::start().await;
    let plain = Site::start().await;
    let mut network = tls.network();
    network.allow_private.extend(plain.network().allow_private);
    let proxy = egress(&network).tool_proxy(1 << 30).await.unwrap();
    let ca = tls.file.path().to_str().unwrap();
    let args = |line: &str, links: &[Url]| -> Vec<String> {
        let options = line.split_whitespace().chain(["--proxy", proxy.url(), "--"]).map(str::to_owned);
        options.chain(links.iter().map(Url::to_string)).collect()
    };

    let links = [plain.url("/zeros/3000.mp4"), tls.site.url("/zeros/4000.mp4"), tls.site.url("/good.m3u8")];
    let options =
        "--ignore-config --no-plugin-dirs --compat-options no-certifi --fixup never -o %(autonumber)s.%(ext)s";
    let (said, files) = run_tool("yt_dlp", &args(options, &links), &[("SSL_CERT_FILE", ca)]).await;
    assert_eq!(files.len(), 3, "yt-dlp: {files:?}\n{said}");

    // The same playlist through ffmpeg as yt-dlp starts it.
    let options =
        "--ignore-config --no-plugin-dirs --compat-options no-certifi --downloader ffmpeg -o by-ffmpeg.%(ext)s";
    let links = [plain.url("/good.m3u8"), tls.site.url("/good.m3u8")];
    for link in links {
        let (said, files) = run_tool("yt_dlp", &args(options, &[link]), &[("SSL_CERT_FILE", ca)]).await;
        assert_eq!(files.len(), 1, "yt-dlp with ffmpeg: {files:?}\n{said}");
    }

    let links = [plain.url("/good.jpg"), tls.site.url("/good.jpg")];
    let options = "--config-ignore --no-input -R 0";
    let (said, files) = run_tool("gallery_dl", &args(options, &links), &[("REQUESTS_CA_BUNDLE", ca)]).await;
    assert_eq!(files.len(), 2, "gallery-dl: {files:?}\n{said}");

    for link in [plain.url("/good.ts"), tls.site.url("/good.ts")] {
        let before = proxy.log().bytes;
        let done = tokio::process::Command::new("ffmpeg")
            .args(["-v", "error", "-i", link.as_str(), "-f", "null", "-"])
            .env("http_proxy", proxy.url())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        assert!(done.status.success(), "ffmpeg: {}", String::from_utf8_lossy(&done.stderr));
        assert!(proxy.log().bytes > before, "ffmpeg went past the proxy");
    }

    let ProxyLog { refused, bytes, over_budget } = proxy.log();
    assert_eq!((refused, over_budget), (vec![], false));
    assert!(bytes > 7000, "{bytes}");
}

#[tokio::test]
async fn without_its_secret_the_tool_proxy_serves_nobody() {
    let site = Site::start().await;
    let proxy = egress(&site.network()).tool_proxy(1 << 20).await.unwrap();
    let target = format!("{SITE}:{}", site.port);
    for head in [format!("GET http://{target}/good.jpg"), format!("CONNECT {target}")] {
        for secret in ["", "Proxy-Authorization: Basic am9iOg==\r\n", "Proxy-Authorization: Bearer x\r\n"] {
            let answer = exchange(port(proxy.url()), &format!("{head} HTTP/1.1\r\nHost: x\r\n{secret}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 407 "), "{answer}");
            assert!(answer.to_lowercase().contains("proxy-authenticate: basic"), "{answer}");
        }
    }
    assert_eq!(site.requests(), Vec::<String>::new());
    assert_eq!(proxy.log(), ProxyLog::default());
}

#[tokio::test]
async fn a_forwarded_request_follows_the_url_and_loses_what_concerned_the_proxy() {
    let site = Site::start().await;
    let proxy = egress(&site.network()).tool_proxy(1 << 20).await.unwrap();
    let head = format!(
        "GET http://SITE.example.:{}/good.jpg?a=1#f HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close, X-Once\r\nX-Once: 1\r\n\
         Keep-Alive: 5\r\nProxy-Connection: keep-alive\r\nX-Kept: 2\r\nUpgrade: h2c\r\n",
        site.port
    );
    let answer = exchange(port(proxy.url()), &with_secret(&proxy, &head)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let request = site.requests().pop().unwrap();
    assert!(request.starts_with("GET /good.jpg?a=1\n"), "{request}");
    assert!(request.contains(&format!("host: site.example:{}\n", site.port)), "{request}");
    assert!(request.contains("x-kept: 2\n"), "{request}");
    for gone in ["proxy", "x-once", "keep-alive", "upgrade", "127.0.0.1"] {
        assert!(!request.to_lowercase().contains(gone), "{gone} in {request}");
    }
}

#[tokio::test]
async fn the_byte_budget_cuts_transfers_and_stays_cut() {
    for tunnel in [false, true] {
        let site = Site::start().await;
        let proxy = egress(&site.network()).tool_proxy(100_000).await.unwrap();
        let host = format!("{SITE}:{}", site.port);
        let request = |path: &str| {
            if tunnel {
                let connect = with_secret(&proxy, &format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n"));
                format!("{connect}GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            } else {
                with_secret(&proxy, &format!("GET http://{host}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"))
            }
        };
        let small = exchange(port(proxy.url()), &request("/zeros/50000.mp4")).await;
        assert!(small.len() > 50_000);
        let log = proxy.log();
        assert!((50_000..52_000).contains(&log.bytes) && !log.over_budget, "{log:?}");

        let large = exchange(port(proxy.url()), &request("/zeros/5000000.mp4")).await;
        assert!(large.len() < 60_000, "{} bytes got through", large.len());
        assert!(proxy.log().over_budget);
        let after = exchange(port(proxy.url()), &request("/good.jpg")).await;
        assert!(after.starts_with("HTTP/1.1 403 Egress-Over-Budget"), "{after}");
    }
}

#[tokio::test]
async fn dropping_the_tool_proxy_closes_its_port_and_its_connections() {
    let site = Site::start().await;
    let proxy = egress(&site.network()).tool_proxy(1 << 20).await.unwrap();
    let port = port(proxy.url());
    let host = format!("{SITE}:{}", site.port);
    let mut open = Vec::new();
    for head in [
        format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n"),
        format!("GET http://{host}/hang HTTP/1.1\r\nHost: x\r\n"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(with_secret(&proxy, &head).as_bytes()).await.unwrap();
        open.push(stream);
    }
    let mut answer = [0; 12];
    open[0].read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(proxy);
    for mut stream in open {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
        assert!(end.is_ok(), "a connection outlived its proxy");
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP/1.1 2"));
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "the port is still open");
}

/// An upstream proxy that leads every tunnel to one place and answers plain requests itself.
struct Upstream {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    async fn start(leads_to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let log = heads.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let log = log.clone();
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    log.lock().unwrap().push(head.clone());
                    if !head.starts_with("CONNECT ") {
                        return stream
                            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                            .await;
                    }
                    if head.starts_with("CONNECT refused.example") {
                        return stream.write_all(b"HTTP/1.1 403 Not For You\r\nContent-Length: 0\r\n\r\n").await;
                    }
                    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
                    let mut outside = TcpStream::connect(leads_to).await?;
                    tokio::io::copy_bidirectional(&mut stream, &mut outside).await?;
                    Ok(())
                });
            }
        });
        Self { port, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn address(port: u16) -> SocketAddr {
    format!("{SITE}:{port}").parse().unwrap()
}

#[tokio::test]
async fn behind_an_upstream_proxy_the_proxy_resolves_and_the_other_rules_hold() {
    let tls = Tls::start().await;
    let upstream = Upstream::start(address(tls.site.port)).await;
    let network = Network {
        proxy: Some(format!("http://me:p%40ss@127.0.0.1:{}", upstream.port).parse().unwrap()),
        ca_file: Some(tls.file.path().to_owned()),
        allow_private: Vec::new(),
        ..Network::default()
    };
    let names = Arc::new(Names::default());
    let egress = Egress::with_names(&network, names.clone()).unwrap();
    let credentials = "proxy-authorization: basic bwu6cebzcw=="; // me:p@ss, in lower case

    // In process.
    let client = egress.client();
    let answer = client.send(client.get(&"https://anything.example/good.jpg".parse().unwrap()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    let answer = client.send(client.get(&"http://plain.example/a?b".parse().unwrap()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let heads = upstream.heads();
    assert!(heads[0].starts_with("CONNECT anything.example:443 HTTP/1.1"), "{heads:?}");
    assert!(heads[1].starts_with("GET http://plain.example/a?b HTTP/1.1"), "{heads:?}");

    // Through the tool proxy.
    let proxy = egress.tool_proxy(1 << 20).await.unwrap();
    let ca = tls.file.path().to_str().unwrap();
    let options = ["--config-ignore", "--no-input", "-R", "0", "--proxy", proxy.url()].map(str::to_owned);
    let link = "https://pictures.example/good.jpg".to_owned();
    let args: Vec<String> = options.into_iter().chain(["--".into(), link]).collect();
    let (said, files) = run_tool("gallery_dl", &args, &[("REQUESTS_CA_BUNDLE", ca)]).await;
    assert_eq!(files.len(), 1, "{said}");
    let head = "GET http://plain.example/c HTTP/1.1\r\nHost: x\r\n";
    let answer = exchange(port(proxy.url()), &with_secret(&proxy, &format!("{head}Connection: close\r\n"))).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let heads = upstream.heads();
    assert!(heads[2].starts_with("CONNECT pictures.example:443 HTTP/1.1"), "{heads:?}");
    assert!(heads[3].starts_with("GET http://plain.example/c HTTP/1.1"), "{heads:?}");
    for head in &heads {
        assert!(head.to_lowercase().contains(credentials), "{head}");
        assert_eq!(head.to_lowercase().matches("proxy-authorization").count(), 1, "{head}");
    }
    let head = with_secret(&proxy, "CONNECT refused.example:443 HTTP/1.1\r\nHost: x\r\n");
    assert!(exchange(port(proxy.url()), &head).await.starts_with("HTTP/1.1 403 Egress-Upstream"));

    // What the guard can judge without resolving never gets there.
    let asked = upstream.heads().len();
    for link in [
        "http://127.0.0.1/",
        "https://0x7f.1/",
        "http://[::1]/",
        "https://169.254.169.254/",
        "http://localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "http://example.com:8080/",
        "https://u@a.example/",
    ] {
        assert_eq!(client.get(&link.parse().unwrap()).unwrap_err().code(), "blocked_address", "{link}");
        let host = link.split('/').nth(2).unwrap();
        let host = if host.ends_with(":8080") { host.to_owned() } else { format!("{host}:443") };
        let head = with_secret(&proxy, &format!("CONNECT {host} HTTP/1.1\r\nHost: x\r\n"));
        let answer = exchange(port(proxy.url()), &head).await;
        assert!(answer.starts_with("HTTP/1.1 403 Egress-Blocked"), "{host}: {answer}");
    }
    assert_eq!(upstream.heads().len(), asked);
    assert_eq!(names.asked(), 0, "names were resolved here, too");
}

#[tokio::test]
async fn an_extra_root_is_trusted_only_where_it_was_given() {
    let tls = Tls::start().await;
    let url = tls.site.url("/good.jpg");
    let client = egress(&tls.network()).client().clone();
    assert_eq!(client.send(client.get(&url).unwrap()).await.unwrap().status(), 200);
    let client = egress(&tls.site.network()).client().clone();
    let error = client.send(client.get(&url).unwrap()).await.unwrap_err();
    assert_eq!(error.code(), "network", "{error}");
    assert!(!error.operator_text().contains("good.jpg"), "a path in {error}");
}

#[tokio::test]
async fn discord_is_reached_at_the_given_address_by_its_own_name() {
    let tls = Tls::start().await;
    let address = address(tls.site.port);
    // A proxy that nobody listens at: the given address is reached without it.
    let network = Network { proxy: Some("http://127.0.0.1:1".parse().unwrap()), ..tls.network() };
    let discord = egress(&network).discord(Some(address)).unwrap();
    let answer = discord.get("https://discord.com/status/204").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.remote_addr()), (204, Some(address)));
    assert!(tls.site.requests()[0].contains("host: discord.com\n"));

    // Another name's certificate, or one of another authority, is refused.
    assert!(
        egress(&Network::default()).discord(Some(address)).unwrap().get("https://discord.com/").send().await.is_err()
    );
    let other = Tls::start().await;
    assert!(egress(&other.network()).discord(Some(address)).unwrap().get("https://discord.com/").send().await.is_err());

    // Without an address it goes where everything else goes: through the proxy.
    let upstream = Upstream::start(address).await;
    let proxy = format!("http://127.0.0.1:{}", upstream.port).parse().unwrap();
    let discord = egress(&Network { proxy: Some(proxy), ..tls.network() }).discord(None).unwrap();
    assert_eq!(discord.get("https://discord.com/status/204").send().await.unwrap().status(), 204);
    assert!(upstream.heads()[0].starts_with("CONNECT discord.com:443"));
}

#[tokio::test]
async fn short_links_lead_to_their_last_address_whatever_it_answers() {
    let site = Site::start().await;
    let client = egress(&site.network()).client().clone();
    let resolve = async |link: String| client.resolve(&link.parse().unwrap()).await;
    for end in ["/status/200/p", "/status/403/p", "/status/404/p", "/status/500/p"] {
        let end = site.url(end);
        for way in ["/redirect/301", "/redirect/302", "/redirect/307", "/hops/5", "/shy"] {
            assert_eq!(resolve(site.leading(way, end.as_str())).await.unwrap(), end, "{way}");
        }
    }
    assert_eq!(resolve(site.url("/status/200/p").into()).await.unwrap(), site.url("/status/200/p"));
    assert_eq!(resolve(site.url("/status/404").into()).await.unwrap_err().code(), "not_found");
    assert_eq!(resolve(site.url("/status/429").into()).await.unwrap_err().code(), "rate_limited");
    // A gigabyte behind a short link is not loaded.
    let large = site.url("/zeros/300000000.mp4");
    let way = site.leading("/redirect/302", large.as_str());
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), resolve(way)).await.unwrap().unwrap(), large);
}

#[tokio::test]
async fn ten_redirects_are_followed_and_no_more() {
    let site = Site::start().await;
    let client = egress(&site.network()).client().clone();
    let end = site.url("/good.jpg");
    let ask = async |path: &str| client.send(client.get(&site.leading(path, end.as_str()).parse().unwrap())?).await;
    assert_eq!(ask("/hops/9").await.unwrap().url(), &end);
    assert_eq!(ask("/hops/10").await.unwrap_err().code(), "platform_changed");
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let site = Site::start().await;
    let client = egress(&site.network()).client().clone();
    let url = site.url("/hang");
    let ask = client.send(client.get(&url).unwrap());
    tokio::pin!(ask);
    // The request is on its way before the clock is stopped: from then on time passes only when everybody waits.
    while site.requests().is_empty() {
        tokio::select! {
            answer = &mut ask => panic!("{answer:?}"),
            () = tokio::task::yield_now() => {}
        }
    }
    tokio::time::pause();
    let answer = tokio::time::timeout(Duration::from_secs(120), ask).await.expect("it waits for ever");
    assert_eq!(answer.unwrap_err().code(), "timeout");
}

#[tokio::test]
async fn bodies_and_statuses_become_errors_of_their_kinds() {
    let site = Site::start().await;
    let client = egress(&site.network()).client().clone();
    let get = async |path: &str| client.send(client.get(&site.url(path)).unwrap()).await.unwrap();
    assert_eq!(read_body(get("/zeros/1000.mp4").await, 1000).await.unwrap().len(), 1000);
    assert_eq!(read_body(get("/zeros/1001.mp4").await, 1000).await.unwrap_err().code(), "platform_changed");
    let page = read_json::<serde_json::Value>(get("/embed.html").await, 1 << 20).await.unwrap_err();
    assert_eq!(page.code(), "platform_changed");
    let error = check_status(get("/status/451?sig=topsecret").await).unwrap_err();
    assert_eq!(error.code(), "geo_blocked");
    assert!(!error.to_string().contains("topsecret"));
    drop(site);
}

#[tokio::test]
async fn an_unreachable_server_is_a_network_error() {
    // A port that was free a moment ago, and a name that does not exist.
    let gone = TcpListener::bind((SITE, 0)).await.unwrap().local_addr().unwrap().port();
    let network = Network { allow_private: vec![(SITE.to_owned(), gone)], ..Network::default() };
    let client = egress(&network).client().clone();
    for link in [format!("http://{SITE}:{gone}/"), "https://nowhere.example/".to_owned()] {
        let error = client.send(client.get(&link.parse().unwrap()).unwrap()).await.unwrap_err();
        assert_eq!(error.code(), "network", "{error}");
    }
    let proxy = egress(&network).tool_proxy(1 << 20).await.unwrap();
    for host in [format!("{SITE}:{gone}"), "nowhere.example:443".to_owned()] {
        let head = with_secret(&proxy, &format!("CONNECT {host} HTTP/1.1\r\nHost: x\r\n"));
        let answer = exchange(port(proxy.url()), &head).await;
        assert!(answer.starts_with("HTTP/1.1 502 Egress-Unreachable"), "{answer}");
    }
    assert_eq!(proxy.log().refused, Vec::<String>::new());
}
