//! A site whose every page leads astray, listeners that must stay silent, and names that lie: what the stories about the
//! guarded egress (`ssrf`, `egress`) run against.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    fs::File,
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    body::Body,
    http::{HeaderValue, Request, StatusCode, header},
    response::{IntoResponse, Response},
};
use boss_bot::{net::NameSource, settings::Network};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use nix::fcntl::{Flock, FlockArg};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::TlsAcceptor;

use crate::world::tls::Authority;

/// Where sites live: a loopback address of their own, so that letting the guard through to them says nothing about
/// `127.0.0.1`.
pub const SITE: &str = "127.77.0.1";

/// A site on a free loopback port. Pages take `?to=` and lead there.
pub struct Site {
    pub port: u16,
    scheme: &'static str,
    requests: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Site {
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// The same over TLS.
    pub async fn start_tls(authority: &Authority) -> Self {
        Self::start_with(Some(TlsAcceptor::from(authority.server_config()))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind((SITE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let log = requests.clone();
        let server = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, log) = (tls.clone(), log.clone());
                // Clients that go away or distrust us are part of the stories.
                tokio::spawn(async move {
                    match tls {
                        Some(tls) => serve(tls.accept(stream).await?, log).await,
                        None => serve(stream, log).await,
                    }
                });
            }
        });
        Self { port, scheme, requests, server }
    }

    /// Settings that let the guard through to this site only, by address and as `site.example`.
    pub fn network(&self) -> Network {
        let allow_private = vec![(SITE.to_owned(), self.port), ("site.example".to_owned(), self.port)];
        Network { allow_private, ..Network::default() }
    }

    /// The link to a page, with `to` in the query.
    pub fn leading(&self, path: &str, to: &str) -> String {
        let to: String = url::form_urlencoded::byte_serialize(to.as_bytes()).collect();
        format!("{}?to={to}", self.url(path))
    }

    /// The link to a page: by address, or over TLS by the name that its certificate is for.
    pub fn url(&self, path: &str) -> url::Url {
        let host = if self.scheme == "https" { "site.example" } else { SITE };
        format!("{}://{host}:{}{path}", self.scheme, self.port).parse().unwrap()
    }

    /// What was asked for, in order: method, path and query, and the headers as `name: value` lines.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let log = log.clone();
        async move { Ok::<_, Infallible>(page(&log, request).await) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    served.map_err(io::Error::other)
}

async fn page(requests: &Mutex<Vec<String>>, request: Request<Incoming>) -> Response {
    let mut line = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        line += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    requests.lock().unwrap().push(line.clone());
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).into_owned().collect();
    let to = query.get("to").map(String::as_str).unwrap_or_default();
    let hls = |body: String| typed("application/vnd.apple.mpegurl", body);
    let head = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n";
    let path: Vec<&str> = request.uri().path().split('/').skip(1).collect();
    match path.as_slice() {
        ["redirect", status, ..] => redirect(status.parse().unwrap(), to),
        // Ten hops are followed, then one more.
        ["hops", left, ..] => match left.parse::<u32>().unwrap() {
            0 => redirect(302, to),
            left => redirect(302, &format!("/hops/{}?to={to}", left - 1)),
        },
        ["segment.m3u8"] => hls(format!("{head}#EXTINF:1,\n/good.ts\n#EXTINF:1,\n{to}\n#EXT-X-ENDLIST\n")),
        ["key.m3u8"] => {
            hls(format!("{head}#EXT-X-KEY:METHOD=AES-128,URI=\"{to}\"\n#EXTINF:1,\n/good.ts\n#EXT-X-ENDLIST\n"))
        }
        ["map.m3u8"] => hls(format!("{head}#EXT-X-MAP:URI=\"{to}\"\n#EXTINF:1,\n/good.ts\n#EXT-X-ENDLIST\n")),
        ["master.m3u8"] => hls(format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,RESOLUTION=64x64\n{to}\n")),
        ["good.m3u8"] => hls(format!("{head}#EXTINF:1,\n/good.ts\n#EXT-X-ENDLIST\n")),
        ["dash.mpd"] => typed(
            "application/dash+xml",
            format!(
                r#"<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
                mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
                <AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000" width="64" height="64"
                codecs="avc1.42c00a"><BaseURL>{to}</BaseURL></Representation></AdaptationSet></Period></MPD>"#
            ),
        ),
        ["segments.mpd"] => typed(
            "application/dash+xml",
            format!(
                r#"<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"
                mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4">
                <Representation id="1" bandwidth="1000"><SegmentList duration="1"><SegmentURL media="/good.ts"/>
                <SegmentURL media="{to}"/></SegmentList></Representation></AdaptationSet></Period></MPD>"#
            ),
        ),
        ["embed.html"] => html(format!(r#"<video src="{to}"></video>"#)),
        ["source.html"] => html(format!(r#"<video><source src="{to}" type="video/mp4"></video>"#)),
        ["og.html"] => html(format!(
            r#"<head><meta property="og:video" content="{to}"><meta property="og:video:type" content="video/mp4"></head>"#
        )),
        ["refresh.html"] => html(format!(r#"<head><meta http-equiv="refresh" content="0; url={to}"></head>"#)),
        ["image.html"] => html(format!(r#"<a href="{to}"><img src="{to}"></a>"#)),
        ["good.ts"] => typed("video/mp2t", transport_stream().to_vec()),
        ["good.jpg"] => typed("image/jpeg", JPEG.to_vec()),
        // Shorteners that give browsers a script and everybody else a redirect.
        ["shy", ..] if line.contains("Mozilla") => html("<script>location.replace('…')</script>".into()),
        ["shy", ..] => redirect(301, to),
        ["status", status, ..] => StatusCode::from_u16(status.parse().unwrap()).unwrap().into_response(),
        ["zeros", count] => typed("video/mp4", vec![0; count.trim_end_matches(".mp4").parse().unwrap()]),
        ["hang"] => {
            std::future::pending::<()>().await;
            unreachable!()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Enough of a picture for gallery-dl, which looks at the first bytes.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9";

fn redirect(status: u16, to: &str) -> Response {
    let location = HeaderValue::from_bytes(to.as_bytes()).unwrap();
    (StatusCode::from_u16(status).unwrap(), [(header::LOCATION, location)]).into_response()
}

fn html(body: String) -> Response {
    typed("text/html", format!("<!doctype html><html><title>A page</title>{body}</html>"))
}

fn typed(kind: &str, body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, kind)], body.into()).into_response()
}

/// One second of a real video, made once a process.
fn transport_stream() -> &'static [u8] {
    static MADE: OnceLock<Vec<u8>> = OnceLock::new();
    MADE.get_or_init(|| {
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=10", "-c:v", "libx264"])
            .args(["-pix_fmt", "yuv420p", "-f", "mpegts", "-"])
            .stdin(Stdio::null())
            .output()
            .expect("ffmpeg");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        made.stdout
    })
}

/// Listeners on every address of this machine at ports 80 and 443 (where they may be bound) and at one free port.
/// Nobody may ever connect to them.
pub struct Traps {
    /// The free port.
    pub port: u16,
    listening: Vec<SocketAddr>,
    caught: watch::Receiver<Vec<(SocketAddr, SocketAddr)>>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Traps {
    pub async fn set() -> Self {
        let lock = tokio::task::spawn_blocking(|| {
            let file = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("port-80.lock")).unwrap();
            Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).unwrap()
        });
        // Tests run in several processes, and there is one port 80. Each listener keeps the lock, so that it is only given
        // up when all of them are closed.
        let lock = Arc::new(lock.await.unwrap());
        let (note, caught) = watch::channel(Vec::new());
        let note = Arc::new(note);
        let free = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        let mut listeners = vec![free];
        for address in ["0.0.0.0:80", "0.0.0.0:443", "[::1]:80", "[::1]:443"] {
            match TcpListener::bind(address).await {
                Ok(listener) => listeners.push(listener),
                // Without the right to bind them, the refusals' reasons are still checked.
                Err(error) => eprintln!("no trap at {address}: {error}"),
            }
        }
        let listening = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let tasks = listeners
            .into_iter()
            .map(|listener| {
                let (note, lock) = (note.clone(), lock.clone());
                tokio::spawn(async move {
                    let _lock = lock;
                    let listener = listener;
                    loop {
                        let (stream, peer) = listener.accept().await.unwrap();
                        note.send_modify(|caught| caught.push((stream.local_addr().unwrap(), peer)));
                    }
                })
            })
            .collect();
        Self { port, listening, caught, tasks }
    }

    /// Fails when anybody connected to any of them. Connects once itself, so that whatever came before was noted.
    pub async fn assert_silent(mut self) {
        for address in &self.listening {
            let ip = if address.is_ipv4() { IpAddr::from([127, 0, 0, 1]) } else { address.ip() };
            let own = TcpStream::connect((ip, address.port())).await.unwrap().local_addr().unwrap();
            let noted = self.caught.wait_for(|caught| caught.iter().any(|(_, peer)| *peer == own));
            tokio::time::timeout(Duration::from_secs(10), noted).await.expect("a trap is dead").unwrap();
        }
        let caught = self.caught.borrow().clone();
        let places: Vec<SocketAddr> = caught.iter().map(|(local, _)| *local).collect();
        assert_eq!(caught.len(), self.listening.len(), "connected to private addresses: {places:?}");
    }
}

impl Drop for Traps {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Names with the answers they give, one after the other; the last one stays.
#[derive(Default)]
pub struct Names {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: AtomicUsize,
}

impl Names {
    /// Names that all go wrong, and `site.example`.
    pub fn lying() -> Self {
        let names = Self::default();
        for (name, addresses) in LYING_NAMES {
            names.answer(name, addresses);
        }
        names.answer("site.example", &[SITE]);
        names
    }

    /// Adds one more answer for a name.
    pub fn answer(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.answers.lock().unwrap().entry(name.to_owned()).or_default().push_back(addresses);
    }

    /// How often any name was asked for.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl NameSource for Names {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let left = answers.get_mut(name).ok_or(io::ErrorKind::NotFound)?;
        let next = if left.len() > 1 { left.pop_front() } else { left.front().cloned() };
        next.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Public names with private addresses behind them, alone, in disguise, or among public ones.
pub const LYING_NAMES: &[(&str, &[&str])] = &[
    ("loopback.example", &["127.0.0.1"]),
    ("loopback-too.example", &["127.8.9.10"]),
    ("unspecified.example", &["0.0.0.0"]),
    ("six.example", &["::1"]),
    ("mapped.example", &["::ffff:127.0.0.1"]),
    ("compatible.example", &["::127.0.0.1"]),
    ("nat64.example", &["64:ff9b::7f00:1"]),
    ("six-to-four.example", &["2002:7f00:1::"]),
    ("home.example.com", &["192.168.1.1"]),
    ("ten.example", &["10.0.0.1"]),
    ("metadata.example", &["169.254.169.254"]),
    ("unique-local.example", &["fd00:ec2::254"]),
    ("mixed.example", &["93.184.216.34", "127.0.0.1"]),
    ("mixed-six.example", &["::1", "2606:4700::1111"]),
];

/// Runs a Python tool the way the program does, in an empty folder of its own; gives back all it said and the files it
/// left.
pub async fn run_tool(module: &str, args: &[String], env: &[(&str, &str)]) -> (String, Vec<PathBuf>) {
    let tools = std::env::var_os("BOSS_BOT_TEST_TOOLS_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tools"), PathBuf::from);
    let dir = tempfile::tempdir().unwrap();
    let files = dir.path().join("files");
    std::fs::create_dir(&files).unwrap();
    let child = tokio::process::Command::new(tools.join("bin/python"))
        .args(["-I", "-m", module])
        .args(args)
        .current_dir(&files)
        .env_clear()
        .env("HOME", dir.path())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("YTDLP_NO_PLUGINS", "1")
        .env("PYTHONIOENCODING", "utf-8")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output =
        tokio::time::timeout(Duration::from_secs(170), child).await.expect("the tool hangs").expect("the tool");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let mut left = Vec::new();
    let mut folders = vec![files];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { left.push(path) }
        }
    }
    (said.into_owned(), left)
}
