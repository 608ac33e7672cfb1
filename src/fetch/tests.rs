//! Downloads from a server that behaves badly on demand, by the real client over real connections.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

use super::{engine::Report, *};
use crate::{
    model::{Kind, Phase},
    net::Egress,
    settings::{Network, Settings},
    tools::Tools,
};

/// The first bytes of an mp4, then filler.
fn mp4(len: usize) -> Vec<u8> {
    let mut bytes = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41".to_vec();
    bytes.extend((bytes.len()..len).map(|i| (i % 251) as u8));
    bytes
}

/// What one connection is answered.
#[derive(Clone)]
struct Reply {
    head: String,
    body: Vec<u8>,
    /// Stay open and silent afterwards instead of closing.
    hang: bool,
}

fn reply(status: &str, headers: &str, body: impl Into<Vec<u8>>) -> Reply {
    let body = body.into();
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
    Reply { head, body, hang: false }
}

fn whole(body: Vec<u8>) -> Reply {
    reply("200 OK", &format!("Content-Type: video/mp4\r\nContent-Length: {}\r\n", body.len()), body)
}

/// Answers one connection after the other from a script; keeps the heads of the requests.
struct Server {
    address: std::net::SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        let task = tokio::spawn(async move {
            let mut silent: Vec<TcpStream> = Vec::new();
            for reply in script {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                seen.lock().unwrap().push(String::from_utf8(head).unwrap());
                // The client may refuse the rest of what it is sent.
                let _ = stream.write_all(reply.head.as_bytes()).await;
                let _ = stream.write_all(&reply.body).await;
                if reply.hang {
                    silent.push(stream);
                }
            }
            std::future::pending::<()>().await;
        });
        Self { address, heads, task }
    }

    fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    fn client(&self) -> Client {
        let allow_private = vec![(self.address.ip().to_string(), self.address.port())];
        Egress::new(&Network { allow_private, ..Network::default() }).unwrap().client().clone()
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// Loads one rendition with a budget of 100 000 bytes. Gives the file, and what is left in the folder.
    async fn load(&self, rendition: Rendition) -> (Result<Vec<u8>>, Vec<String>) {
        let report = |_: u64, _: Option<u64>| {};
        load_with(&self.client(), &rendition, &report).await
    }
}

/// Loads one rendition with a budget of 100 000 bytes, hardly a wait between tries, and as much patience as a test has.
async fn load_with(client: &Client, rendition: &Rendition, report: &Report<'_>) -> (Result<Vec<u8>>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("01.mp4");
    let mut settings = Settings::default();
    settings.downloads.max_file_bytes = 100_000;
    settings.downloads.stall = Duration::from_millis(400);
    let egress = Egress::new(&settings.network).unwrap();
    let media = Media::new(settings.compression.clone(), Arc::new(Tools::new(&settings, egress)));
    let mut engine = Engine::new(client, &settings.downloads);
    engine.first_wait = Duration::from_millis(5);
    let (bandwidth, cancel) = (engine.bandwidth(), CancellationToken::new());
    let lane = Lane { engine: &engine, bandwidth: &bandwidth, report, media: &media, cancel: &cancel };
    let result = super::load(&lane, rendition, &path, None).await.map(|()| std::fs::read(&path).unwrap());
    let left = std::fs::read_dir(dir.path()).unwrap();
    (result, left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
}

async fn load_all(script: Vec<Reply>) -> (Result<Vec<u8>>, Vec<String>, Vec<String>) {
    let server = Server::start(script).await;
    let (result, left) = server.load(Rendition::at(server.url("/v.mp4"))).await;
    (result, left, server.heads())
}

#[tokio::test]
async fn a_whole_file_arrives_under_its_final_name() {
    let (result, left, heads) = load_all(vec![whole(mp4(50_000))]).await;
    assert_eq!(result.unwrap(), mp4(50_000));
    assert_eq!(left, ["01.mp4"]);
    assert!(heads[0].contains("accept-encoding: identity"), "{heads:?}");
}

#[tokio::test]
async fn the_headers_a_rendition_wants_are_sent() {
    let server = Server::start(vec![whole(mp4(100))]).await;
    let mut rendition = Rendition::at(server.url("/v.mp4"));
    rendition.headers.insert("Referer".into(), "https://a.example/".into());
    server.load(rendition).await.0.unwrap();
    assert!(server.heads()[0].contains("referer: https://a.example/"), "{:?}", server.heads());
}

#[tokio::test]
async fn a_cut_connection_is_resumed_where_it_was_cut() {
    let file = mp4(60_000);
    let mut cut = whole(file.clone());
    cut.head = cut.head.replace("Connection", "ETag: \"v1\"\r\nConnection");
    cut.body.truncate(20_000);
    let rest = reply(
        "206 Partial Content",
        "Content-Type: video/mp4\r\nContent-Range: bytes 20000-59999/60000\r\nContent-Length: 40000\r\n",
        &file[20_000..],
    );
    let (result, left, heads) = load_all(vec![cut, rest]).await;
    assert_eq!(result.unwrap(), file);
    assert_eq!(left, ["01.mp4"]);
    assert!(heads[1].contains("range: bytes=20000-"), "{heads:?}");
    assert!(heads[1].contains("if-range: \"v1\""), "{heads:?}");
}

#[tokio::test]
async fn a_server_that_cannot_resume_sends_the_whole_again() {
    let file = mp4(60_000);
    let mut cut = whole(mp4(60_000));
    cut.body.truncate(20_000);
    let (result, ..) = load_all(vec![cut, whole(file.clone())]).await;
    assert_eq!(result.unwrap(), file);
}

/// An answer with the bytes from `start` to `end` of a file of 60 000.
fn part(start: usize, end: usize) -> Reply {
    let headers = format!(
        "Content-Type: video/mp4\r\nContent-Range: bytes {start}-{}/60000\r\nContent-Length: {}\r\n",
        end - 1,
        end - start
    );
    reply("206 Partial Content", &headers, &mp4(60_000)[start..end])
}

/// The same, cut after `bytes`.
fn cut_part(start: usize, end: usize, bytes: usize) -> Reply {
    let mut cut = part(start, end);
    cut.body.truncate(bytes);
    cut
}

#[tokio::test]
async fn a_file_cut_again_and_again_arrives_as_long_as_each_try_brings_more() {
    let mut script: Vec<Reply> = (0..12).map(|turn| cut_part(turn * 4000, 60_000, 4000)).collect();
    script.push(part(48_000, 60_000));
    let (result, left, heads) = load_all(script).await;
    assert_eq!(result.unwrap(), mp4(60_000));
    assert_eq!(left, ["01.mp4"]);
    let ranges: Vec<&str> =
        heads.iter().filter_map(|head| head.lines().find(|line| line.starts_with("range:"))).collect();
    assert_eq!(ranges[0], "range: bytes=0-1048575");
    assert_eq!(ranges[5], "range: bytes=20000-59999");
    assert_eq!(ranges.len(), 13);
}

#[tokio::test]
async fn a_file_that_never_gets_further_is_an_error_and_leaves_nothing() {
    let mut cut = whole(mp4(60_000));
    cut.body.truncate(20_000);
    let (result, left, heads) = load_all(vec![cut; 20]).await;
    assert_eq!(result.unwrap_err().code(), "network");
    assert_eq!(left, Vec::<String>::new());
    assert!((3..8).contains(&heads.len()), "{}", heads.len());
    // A server that serves parts but sends nothing of them.
    let (result, left, heads) = load_all(vec![cut_part(0, 60_000, 0); 20]).await;
    assert_eq!(result.unwrap_err().code(), "network");
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(heads.len(), 5);
}

#[tokio::test]
async fn a_resume_at_another_place_is_refused() {
    let (result, left, _) = load_all(vec![cut_part(0, 60_000, 20_000), part(0, 60_000)]).await;
    assert_eq!(result.unwrap_err().code(), "network");
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_resume_that_brings_too_little_is_asked_for_the_rest() {
    let script = vec![cut_part(0, 60_000, 20_000), part(20_000, 30_000), part(30_000, 60_000)];
    let (result, _, heads) = load_all(script).await;
    assert_eq!(result.unwrap(), mp4(60_000));
    assert!(heads[2].contains("range: bytes=30000-59999"), "{heads:?}");
}

#[tokio::test]
async fn a_file_that_changes_midway_is_begun_again_once() {
    let tagged = |reply: Reply, tag: &str| Reply {
        head: reply.head.replace("Connection", &format!("ETag: \"{tag}\"\r\nConnection")),
        ..reply
    };
    let mut new = mp4(60_000);
    new.reverse();
    new.splice(..32, mp4(32));
    // With a whole, as `If-Range` asks for; and with a part of the new version all the same.
    let as_whole = vec![tagged(cut_part(0, 60_000, 20_000), "v1"), tagged(whole(new.clone()), "v2")];
    let (result, left, heads) = load_all(as_whole).await;
    assert_eq!(result.unwrap(), new);
    assert_eq!((left.len(), heads.len()), (1, 2));
    let first = tagged(cut_part(0, 60_000, 20_000), "v1");
    let second = tagged(part(20_000, 60_000), "v2");
    let (result, ..) = load_all(vec![first.clone(), second, tagged(whole(new.clone()), "v2")]).await;
    assert_eq!(result.unwrap(), new);
    // One that changes all the time.
    let other = tagged(cut_part(0, 60_000, 20_000), "v2");
    let third = tagged(part(20_000, 60_000), "v3");
    let (result, left, _) = load_all(vec![first, other.clone(), other, third.clone(), third]).await;
    assert_eq!(result.unwrap_err().code(), "network");
    assert!(left.is_empty());
}

#[tokio::test]
async fn an_address_that_expires_midway_says_so() {
    for status in ["403 Forbidden", "410 Gone"] {
        let script = vec![cut_part(0, 60_000, 20_000), reply(status, "Content-Length: 0\r\n", "")];
        let (result, left, _) = load_all(script).await;
        let error = result.unwrap_err();
        assert_eq!(error.code(), "platform_changed");
        assert!(error.operator_text().contains("expired"), "{}", error.operator_text());
        assert!(left.is_empty());
    }
}

#[tokio::test]
async fn a_passing_fault_is_waited_out() {
    let fault = |status: &str| reply(status, "Content-Length: 0\r\n", "");
    let gone = || Reply { head: String::new(), body: Vec::new(), hang: false };
    let script =
        vec![fault("503 Service Unavailable"), gone(), cut_part(0, 60_000, 20_000), gone(), part(20_000, 60_000)];
    let (result, ..) = load_all(script).await;
    assert_eq!(result.unwrap(), mp4(60_000));
    // Asked to wait a second in the middle: it is waited.
    let busy = reply("429 Too Many Requests", "Retry-After: 1\r\nContent-Length: 0\r\n", "");
    let begun = std::time::Instant::now();
    let (result, ..) = load_all(vec![cut_part(0, 60_000, 20_000), busy, part(20_000, 60_000)]).await;
    assert_eq!(result.unwrap(), mp4(60_000));
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_refuses_ranges_is_read_as_one_stream() {
    for status in ["416 Range Not Satisfiable", "400 Bad Request", "501 Not Implemented"] {
        let refusal = reply(status, "Content-Length: 0\r\n", "");
        let (result, _, heads) = load_all(vec![refusal, whole(mp4(60_000))]).await;
        assert_eq!(result.unwrap(), mp4(60_000));
        assert!(!heads[1].contains("range:"), "{heads:?}");
    }
    // Parts of an unknown whole are of no use.
    let odd = reply("206 Partial Content", "Content-Range: bytes 0-59999/*\r\nContent-Length: 60000\r\n", mp4(60_000));
    let (result, ..) = load_all(vec![odd, whole(mp4(60_000))]).await;
    assert_eq!(result.unwrap(), mp4(60_000));
}

#[tokio::test]
async fn no_request_asks_for_more_than_a_host_likes() {
    let server = Server::start((0..3).map(|turn| part(turn * 20_000, (turn + 1) * 20_000)).collect()).await;
    let rendition = Rendition { chunk_bytes: Some(20_000), ..Rendition::at(server.url("/v.mp4")) };
    assert_eq!(server.load(rendition).await.0.unwrap(), mp4(60_000));
    for (index, head) in server.heads().iter().enumerate() {
        let range = format!("range: bytes={}-{}", index * 20_000, (index + 1) * 20_000 - 1);
        assert!(head.contains(&range), "{head}");
    }
}

#[tokio::test]
async fn a_file_over_the_budget_is_refused_by_its_length_before_it_is_loaded() {
    let (result, left, _) = load_all(vec![reply("200 OK", "Content-Length: 100001\r\n", mp4(10))]).await;
    let error = result.unwrap_err();
    assert_eq!(error.code(), "too_large");
    assert!(error.user_text().contains("0.1 MB"), "{}", error.user_text());
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_file_over_the_budget_is_stopped_when_nobody_told_its_length() {
    let (result, left, _) = load_all(vec![reply("200 OK", "Content-Type: video/mp4\r\n", mp4(150_000))]).await;
    assert_eq!(result.unwrap_err().code(), "too_large");
    assert!(left.is_empty());
    // One byte less than the budget is fine.
    let (result, ..) = load_all(vec![reply("200 OK", "Content-Type: video/mp4\r\n", mp4(100_000))]).await;
    assert_eq!(result.unwrap().len(), 100_000);
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    for body in [Vec::new(), mp4(500)] {
        let hang = Reply { hang: true, ..whole(mp4(1000)) };
        let (result, left, heads) = load_all(vec![Reply { body, ..hang }]).await;
        assert_eq!(result.unwrap_err().code(), "timeout");
        assert!(left.is_empty());
        assert_eq!(heads.len(), 1, "a stall is not retried");
    }
    let mute = Reply { head: String::new(), body: Vec::new(), hang: true };
    assert_eq!(load_all(vec![mute]).await.0.unwrap_err().code(), "timeout");
}

#[tokio::test]
async fn text_where_media_is_expected_is_an_answer_we_do_not_understand() {
    for (content_type, body) in [
        ("text/html", "<!DOCTYPE html><html><body>Please sign in</body></html>"),
        ("video/mp4", "<html><head></head></html>"),
        ("video/mp4", "#EXTM3U\n#EXTINF:4,\nfile:///etc/passwd\n"),
        ("application/json", "{\"error\":\"gone\"}"),
    ] {
        let headers = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
        let (result, left, _) = load_all(vec![reply("200 OK", &headers, body)]).await;
        assert_eq!(result.unwrap_err().code(), "platform_changed", "{content_type} {body}");
        assert!(left.is_empty());
    }
}

#[tokio::test]
async fn refused_addresses_leave_the_verdict_to_others() {
    for (status, code) in [
        ("403 Forbidden", "platform_changed"),
        ("404 Not Found", "platform_changed"),
        ("410 Gone", "platform_changed"),
        ("429 Too Many Requests", "rate_limited"),
        ("451 Unavailable For Legal Reasons", "geo_blocked"),
        ("500 Internal Server Error", "network"),
        ("503 Service Unavailable", "network"),
    ] {
        let (result, left, _) = load_all(vec![reply(status, "Content-Length: 0\r\n", ""); 8]).await;
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{status}");
        assert_eq!(error.kind().is_fatal(), code == "geo_blocked");
        assert!(left.is_empty());
    }
}

#[tokio::test]
async fn an_empty_file_is_no_file() {
    let empty = whole(Vec::new());
    assert_eq!(load_all(vec![empty.clone(), empty]).await.0.unwrap_err().code(), "network");
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let server = Server::start(vec![whole(mp4(100))]).await;
    let guarded = Egress::new(&Network::default()).unwrap();
    let report = |_: u64, _: Option<u64>| {};
    let (result, _) = load_with(guarded.client(), &Rendition::at(server.url("/v.mp4")), &report).await;
    assert_eq!(*result.unwrap_err().kind(), Kind::BlockedAddress);
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn progress_is_told_from_nothing_to_all() {
    let server = Server::start(vec![whole(mp4(90_000))]).await;
    let (progress, receiver) = Progress::new();
    let rendition = Rendition { bytes: Some(80_000), ..Rendition::at(server.url("/v.mp4")) };
    let selection = Selection { main: rendition.clone(), audio: None };
    let tally = Tally::new(&progress, std::iter::once(&selection));
    let report = tally.reporter(0, 0);
    load_with(&server.client(), &rendition, &report).await.0.unwrap();
    assert_eq!(*receiver.borrow(), Phase::Downloading { done: 90_000, total: Some(90_000) });
}

#[test]
fn names_on_disk_are_plain() {
    use crate::model::{Author, FileType, Item};
    let named = |title: Option<&str>, items: usize, author: bool, index: usize| {
        let metadata = MediaMetadata {
            title: title.map(str::to_owned),
            items: vec![Item::new(FileType::Video, vec![]); items],
            author: author.then(Author::default),
            ..MediaMetadata::default()
        };
        stem(&metadata, index)
    };
    assert_eq!(named(Some("My clip (1)"), 1, false, 0), "My clip _1_");
    assert_eq!(named(Some("../../etc/passwd"), 1, false, 0), "______etc_passwd");
    assert_eq!(named(Some("--exec=x"), 1, false, 0), "exec_x");
    assert_eq!(named(Some("..."), 1, false, 0), "01");
    assert_eq!(named(Some("post"), 1, true, 0), "01");
    assert_eq!(named(Some("post"), 3, false, 2), "03");
    assert_eq!(named(None, 1, false, 0), "01");
    assert_eq!(named(Some(&"x".repeat(300)), 1, false, 0).len(), 80);
    for (container, expected) in
        [(Some("mp4"), "mp4"), (Some("JPG"), "jpg"), (Some("../x"), "bin"), (Some(""), "bin"), (None, "bin")]
    {
        let rendition = Rendition { container: container.map(str::to_owned), ..Rendition::default() };
        assert_eq!(extension(&rendition), expected);
    }
}
