//! The proxy itself: tunnels, TLS for any host, absolute-form requests, and how replies and faults reach the wire.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{Method, Response, StatusCode, Uri, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{
    World,
    faults::{self, FaultKind},
    files,
    http::{Body, Reply, Request},
    lock,
};
use crate::world::tls::Authority;

/// A body on its way out.
pub(super) type WireBody = UnsyncBoxBody<Bytes, io::Error>;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// The running proxy; every connection ends when it is dropped.
pub(super) struct Server {
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    pub(super) async fn start(authority: &Authority, world: Arc<World>) -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let tls = TlsAcceptor::from(authority.server_config());
        let accepting = tokio::spawn(async move {
            // The set lives in this task, so that aborting it ends every connection.
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { continue };
                        connections.spawn(proxy_connection(stream, tls.clone(), world.clone()));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        (Self { accepting }, address)
    }
}

/// A second handle to the client's socket, to reset it.
#[derive(Clone, Default)]
struct Cutter {
    socket: Arc<Mutex<Option<TcpSocket>>>,
}

impl Cutter {
    fn new(stream: &TcpStream) -> Self {
        use std::os::fd::AsFd;
        let socket = stream.as_fd().try_clone_to_owned().ok().map(std::net::TcpStream::from);
        Self { socket: Arc::new(Mutex::new(socket.map(TcpSocket::from_std_stream))) }
    }

    /// Makes the close that follows a reset.
    fn reset_on_close(&self) {
        if let Some(socket) = lock(&self.socket).take() {
            let _ = socket.set_zero_linger();
        }
    }
}

/// One connection to the proxy: `CONNECT` or absolute-form requests.
async fn proxy_connection(stream: TcpStream, tls: TlsAcceptor, world: Arc<World>) {
    let _ = stream.set_nodelay(true);
    let cutter = Cutter::new(&stream);
    // A tunnel's work runs in this set, so that it ends with the connection's task.
    let (open, mut tunnels) = tokio::sync::mpsc::unbounded_channel();
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let (open, world, cutter) = (open.clone(), world.clone(), cutter.clone());
        async move {
            if request.method() == Method::CONNECT {
                let target = request.uri().authority().map(ToString::to_string).unwrap_or_default();
                world.log.tunnel(&target);
                let _ = open.send((hyper::upgrade::on(request), target));
                return Ok(Response::new(files::nothing()));
            }
            let base = match (request.uri().scheme_str(), request.uri().authority()) {
                (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
                _ => return Ok(plain(StatusCode::BAD_REQUEST, "this is a proxy: ask in absolute form\n")),
            };
            answer(request, &base, &world, &cutter).await
        }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    // The connection's future completes at the upgrade; what it was upgraded to is served after it.
    let _ = connection.await;
    drop(open);
    while let Some((upgrade, target)) = tunnels.recv().await {
        if let Ok(upgraded) = upgrade.await {
            tunnel(TokioIo::new(upgraded), &target, &tls, &world, &cutter).await;
        }
    }
}

/// Serves what runs inside a tunnel: TLS, or plain HTTP when the first byte says so.
async fn tunnel(
    mut inner: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    target: &str,
    tls: &TlsAcceptor,
    world: &Arc<World>,
    cutter: &Cutter,
) {
    let mut first = [0_u8];
    if inner.read_exact(&mut first).await.is_err() {
        return;
    }
    let (read, write) = tokio::io::split(inner);
    let inner = tokio::io::join(io::Cursor::new(first).chain(read), write);
    if first[0] == TLS_HANDSHAKE {
        let base = format!("https://{}", target.strip_suffix(":443").unwrap_or(target));
        if let Ok(stream) = tls.accept(inner).await {
            serve(stream, base, world.clone(), cutter.clone()).await;
        }
    } else {
        let base = format!("http://{}", target.strip_suffix(":80").unwrap_or(target));
        serve(inner, base, world.clone(), cutter.clone()).await;
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    base: String,
    world: Arc<World>,
    cutter: Cutter,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (base, world, cutter) = (base.clone(), world.clone(), cutter.clone());
        async move { answer(request, &base, &world, &cutter).await }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn plain(status: StatusCode, text: &'static str) -> Response<WireBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(|never| match never {}).boxed_unsync();
    Response::builder().status(status).body(body).expect("a response")
}

/// Log, fault, model, wire. The error ends the connection without an answer.
async fn answer(
    request: hyper::Request<Incoming>,
    base: &str,
    world: &Arc<World>,
    cutter: &Cutter,
) -> Result<Response<WireBody>, CutOff> {
    let (parts, body) = request.into_parts();
    let target = path_and_query(&parts.uri);
    let Ok(url) = Url::parse(&format!("{base}{target}")) else {
        return Ok(plain(StatusCode::BAD_REQUEST, "no such address\n"));
    };
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let request = Request {
        method: parts.method,
        host: url.host_str().unwrap_or_default().to_ascii_lowercase(),
        path: url.path().to_owned(),
        url,
        headers: parts.headers,
        body,
    };
    let entry = world.log.arrived(&request);
    let fault = world.faults.meet(&request);
    match &fault {
        Some(FaultKind::Hang) => {
            world.log.complete(entry, |seen| seen.fault = Some("Hang".into()));
            std::future::pending::<()>().await;
        }
        Some(FaultKind::Reset) => {
            world.log.complete(entry, |seen| seen.fault = Some("Reset".into()));
            cutter.reset_on_close();
            return Err(CutOff);
        }
        _ => {}
    }
    let instead = fault.as_ref().and_then(|kind| faults::instead(kind, &request));
    let found = instead.or_else(|| world.answer(&request));
    let unexpected = found.is_none();
    let reply = found.unwrap_or_else(|| Reply::new(404, "text/plain; charset=utf-8", "not found\n"));
    let response = on_the_wire(reply, &request, world).await;
    let response = match &fault {
        Some(FaultKind::Drip) => response.map(faults::drip),
        Some(FaultKind::Throttle(rate)) => {
            let rate = *rate;
            response.map(|body| faults::throttle(body, rate))
        }
        Some(FaultKind::StallAt(at)) => response.map(|body| faults::stall(body, *at)),
        Some(FaultKind::Truncate) => {
            let half = content_length(&response) / 2;
            response.map(|body| faults::cut_off(body, half, || {}))
        }
        Some(kind @ (FaultKind::ResetMidway | FaultKind::ResetAt(_))) => {
            let at = if let FaultKind::ResetAt(at) = kind { *at } else { content_length(&response) / 2 };
            let cutter = cutter.clone();
            response.map(|body| faults::cut_off(body, at, move || cutter.reset_on_close()))
        }
        Some(FaultKind::WrongLength(by)) => {
            let told = content_length(&response).saturating_add_signed(*by);
            let mut response = response;
            response.headers_mut().insert("content-length", told.into());
            response
        }
        _ => response,
    };
    let status = response.status().as_u16();
    world.log.complete(entry, |seen| {
        seen.status = Some(status);
        seen.fault = fault.map(|kind| format!("{kind:?}"));
        seen.unexpected = unexpected;
    });
    Ok(response)
}

/// 0 where none is told.
fn content_length(response: &Response<WireBody>) -> u64 {
    response.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

async fn on_the_wire(reply: Reply, request: &Request, world: &World) -> Response<WireBody> {
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    match reply.body {
        Body::Bytes(bytes) => {
            let response = response.header("content-length", bytes.len());
            let body = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
            response.body(body).expect("a response")
        }
        Body::File { path, length_known } => {
            files::serve(&path, length_known, request, response, &world.downloads).await
        }
        Body::Endless if request.method == Method::HEAD => response.body(files::nothing()).expect("a response"),
        Body::Endless => response.body(files::endless(world.downloads.begin())).expect("a response"),
    }
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str)
}

/// Ends a connection without an answer.
#[derive(Debug)]
struct CutOff;

impl std::fmt::Display for CutOff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut off on purpose")
    }
}

impl std::error::Error for CutOff {}
