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

use super::*;
use crate::{
    model::{Kind, Phase},
    net::Egress,
    settings::Network,
};

const STALL: Duration = Duration::from_secs(20);

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
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("01.mp4");
        let client = self.client();
        let report = |_: u64, _: Option<u64>| {};
        let transfer =
            Transfer { client: &client, max_bytes: 100_000, stall: Duration::from_millis(400), report: &report };
        let result = transfer.load(&rendition, &path).await.map(|()| std::fs::read(&path).unwrap());
        let left = std::fs::read_dir(dir.path()).unwrap();
        (result, left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
    }
}

async fn load(script: Vec<Reply>) -> (Result<Vec<u8>>, Vec<String>, Vec<String>) {
    let server = Server::start(script).await;
    let (result, left) = server.load(Rendition::at(server.url("/v.mp4"))).await;
    (result, left, server.heads())
}

#[tokio::test]
async fn a_whole_file_arrives_under_its_final_name() {
    let (result, left, heads) = load(vec![whole(mp4(50_000))]).await;
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
async fn a_cut_connection_is_resumed_once_where_it_was_cut() {
    let file = mp4(60_000);
    let mut cut = whole(file.clone());
    cut.head = cut.head.replace("Connection", "ETag: \"v1\"\r\nConnection");
    cut.body.truncate(20_000);
    let rest = reply(
        "206 Partial Content",
        "Content-Type: video/mp4\r\nContent-Range: bytes 20000-59999/60000\r\nContent-Length: 40000\r\n",
        &file[20_000..],
    );
    let (result, left, heads) = load(vec![cut, rest]).await;
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
    let (result, ..) = load(vec![cut, whole(file.clone())]).await;
    assert_eq!(result.unwrap(), file);
}

#[tokio::test]
async fn a_file_cut_twice_is_an_error_and_leaves_nothing() {
    let mut cut = whole(mp4(60_000));
    cut.body.truncate(20_000);
    let (result, left, heads) = load(vec![cut.clone(), cut]).await;
    assert_eq!(result.unwrap_err().code(), "network");
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(heads.len(), 2);
}

#[tokio::test]
async fn a_resume_at_another_place_is_refused() {
    let mut cut = whole(mp4(60_000));
    cut.body.truncate(20_000);
    let wrong =
        reply("206 Partial Content", "Content-Range: bytes 0-59999/60000\r\nContent-Length: 60000\r\n", mp4(60_000));
    let (result, left, _) = load(vec![cut, wrong]).await;
    assert_eq!(result.unwrap_err().code(), "network");
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_resume_that_brings_too_little_is_an_error() {
    let mut cut = whole(mp4(60_000));
    cut.body.truncate(20_000);
    let headers = "Content-Range: bytes 20000-29999/60000\r\nContent-Length: 10000\r\n";
    let part = reply("206 Partial Content", headers, &mp4(30_000)[20_000..]);
    let (result, left, _) = load(vec![cut, part]).await;
    assert_eq!(result.unwrap_err().code(), "network");
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_file_over_the_budget_is_refused_by_its_length_before_it_is_loaded() {
    let (result, left, _) = load(vec![reply("200 OK", "Content-Length: 100001\r\n", mp4(10))]).await;
    let error = result.unwrap_err();
    assert_eq!(error.code(), "too_large");
    assert!(error.user_text().contains("0.1 MB"), "{}", error.user_text());
    assert!(left.is_empty());
}

#[tokio::test]
async fn a_file_over_the_budget_is_stopped_when_nobody_told_its_length() {
    let (result, left, _) = load(vec![reply("200 OK", "Content-Type: video/mp4\r\n", mp4(150_000))]).await;
    assert_eq!(result.unwrap_err().code(), "too_large");
    assert!(left.is_empty());
    // One byte less than the budget is fine.
    let (result, ..) = load(vec![reply("200 OK", "Content-Type: video/mp4\r\n", mp4(100_000))]).await;
    assert_eq!(result.unwrap().len(), 100_000);
}

#[tokio::test]
async fn a_silent_server_is_a_timeout() {
    for body in [Vec::new(), mp4(500)] {
        let hang = Reply { hang: true, ..whole(mp4(1000)) };
        let (result, left, heads) = load(vec![Reply { body, ..hang }]).await;
        assert_eq!(result.unwrap_err().code(), "timeout");
        assert!(left.is_empty());
        assert_eq!(heads.len(), 1, "a stall is not retried");
    }
    let mute = Reply { head: String::new(), body: Vec::new(), hang: true };
    assert_eq!(load(vec![mute]).await.0.unwrap_err().code(), "timeout");
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
        let (result, left, _) = load(vec![reply("200 OK", &headers, body)]).await;
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
        let (result, left, _) = load(vec![reply(status, "Content-Length: 0\r\n", "")]).await;
        let error = result.unwrap_err();
        assert_eq!(error.code(), code, "{status}");
        assert_eq!(error.kind().is_fatal(), code == "geo_blocked");
        assert!(left.is_empty());
    }
}

#[tokio::test]
async fn an_empty_file_is_no_file() {
    let empty = whole(Vec::new());
    assert_eq!(load(vec![empty.clone(), empty]).await.0.unwrap_err().code(), "network");
}

#[tokio::test]
async fn private_addresses_are_refused() {
    let server = Server::start(vec![whole(mp4(100))]).await;
    let guarded = Egress::new(&Network::default()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let report = |_: u64, _: Option<u64>| {};
    let transfer = Transfer { client: guarded.client(), max_bytes: 1000, stall: STALL, report: &report };
    let result = transfer.load(&Rendition::at(server.url("/v.mp4")), &dir.path().join("v.mp4")).await;
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
    let (client, dir) = (server.client(), tempfile::tempdir().unwrap());
    let transfer = Transfer { client: &client, max_bytes: 100_000, stall: STALL, report: &report };
    transfer.load(&rendition, &dir.path().join("v.mp4")).await.unwrap();
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
