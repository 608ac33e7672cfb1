//! The loopback forward proxy that one tool process is made to use: same policy as the in-process client, a byte
//! budget, and a log that tells the truth whatever the tool says.
//!
//! ```text
//! tool ── CONNECT host:port ───────┐                        ┌─ direct: the checked address
//!      ── GET http://host/path ────┴─ secret, budget, guard ─┴─ NETWORK_PROXY, asked the same way
//! ```
//!
//! Any local user could reach a loopback port, so each proxy has a secret of its own, carried in its URL as
//! `Proxy-Authorization`; Python's HTTP libraries send it at once, ffmpeg after a first `407`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    client::conn::http1 as client,
    header::{self, HeaderName, HeaderValue},
    server::conn::http1 as server,
    service::service_fn,
    upgrade::OnUpgrade,
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::{
    meter::{Meter, Metered},
    policy::{Refusal, Target},
    resolver::{Guard, ResolveError},
};
use crate::model::{Error, Result};

/// How long reaching a target may take, all its addresses together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A loopback proxy for one tool process; dropping it closes it and every connection through it.
pub struct ToolProxy {
    url: String,
    meter: Arc<Meter>,
    _stop: DropGuard,
}

/// What went through a [`ToolProxy`]: the truth, whatever the tool says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyLog {
    /// `host:port` of every target that was refused, with the reason.
    pub refused: Vec<String>,
    /// Bytes received from outside.
    pub bytes: u64,
    /// Whether the byte budget ended a transfer.
    pub over_budget: bool,
}

impl ToolProxy {
    pub(super) async fn start(guard: Arc<Guard>, upstream: Option<Url>, budget: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let secret = uuid::Uuid::new_v4().simple().to_string();
        let meter = Arc::new(Meter::new(budget));
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            guard,
            upstream: upstream.map(Upstream::new).transpose()?,
            authorization: basic(USER, &secret),
            meter: meter.clone(),
            stop: stop.clone(),
        });
        tokio::spawn(accept(listener, shared));
        Ok(Self { url: format!("http://{USER}:{secret}@127.0.0.1:{port}"), meter, _stop: stop.drop_guard() })
    }

    /// `http://user:secret@127.0.0.1:port`: give it to the tool, never to a log. A command line can be read by other
    /// users of the machine; an environment variable or a file of the job's cannot.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What went through so far.
    pub fn log(&self) -> ProxyLog {
        self.meter.log()
    }
}

impl std::fmt::Debug for ToolProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolProxy").field("log", &self.log()).finish_non_exhaustive()
    }
}

/// The user name that goes with the secret.
const USER: &str = "job";

struct Shared {
    guard: Arc<Guard>,
    upstream: Option<Upstream>,
    /// What `Proxy-Authorization` must say.
    authorization: String,
    meter: Arc<Meter>,
    stop: CancellationToken,
}

/// `NETWORK_PROXY`, ready to be asked.
struct Upstream {
    host: String,
    port: u16,
    authorization: Option<HeaderValue>,
}

impl Upstream {
    fn new(url: Url) -> Result<Self> {
        let unusable = || Error::internal("NETWORK_PROXY is not a usable address");
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let value = basic(&decode(user), &decode(password.unwrap_or_default()));
                let mut value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        // Brackets belong to a URL, not to a socket address.
        let host = url.host_str().ok_or_else(unusable)?.trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port: url.port_or_known_default().ok_or_else(unusable)?, authorization })
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

type Body = BoxBody<Bytes, hyper::Error>;

/// Why a request got no answer from outside.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the byte budget of this job is used up")]
    OverBudget,
    #[error("{0} cannot be reached")]
    Unreachable(String),
    #[error("{0} did not answer in time")]
    Timeout(String),
    #[error("the upstream proxy answered {0}")]
    Upstream(StatusCode),
}

impl Failure {
    fn answer(&self) -> Response<Body> {
        let (status, reason) = match self {
            Failure::Refused(_) => (StatusCode::FORBIDDEN, "Egress-Blocked"),
            Failure::OverBudget => (StatusCode::FORBIDDEN, "Egress-Over-Budget"),
            Failure::Unreachable(_) => (StatusCode::BAD_GATEWAY, "Egress-Unreachable"),
            Failure::Timeout(_) => (StatusCode::GATEWAY_TIMEOUT, "Egress-Timeout"),
            Failure::Upstream(status)
                if *status == StatusCode::PROXY_AUTHENTICATION_REQUIRED || status.is_success() =>
            {
                (StatusCode::BAD_GATEWAY, "Egress-Upstream")
            }
            Failure::Upstream(status) => (*status, "Egress-Upstream"),
        };
        let mut response = answer(status, format!("{reason}: {self}\n"));
        response.extensions_mut().insert(hyper::ext::ReasonPhrase::from_static(reason.as_bytes()));
        response
    }
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    let serve = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => spawn(&shared, connection(stream, shared.clone())),
                // Out of file descriptors, most likely: let some be closed.
                Err(error) => {
                    tracing::warn!(%error, "the tool proxy cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    stop.run_until_cancelled(serve).await;
}

/// Runs a task for no longer than the proxy lives.
fn spawn(shared: &Shared, task: impl Future<Output = ()> + Send + 'static) {
    let stop = shared.stop.clone();
    tokio::spawn(async move { stop.run_until_cancelled(task).await });
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, std::convert::Infallible>(handle(request, &shared).await) }
    });
    let served = server::Builder::new()
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection of a tool ended");
    }
}

async fn handle(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Body> {
    if !authorized(request.headers(), &shared.authorization) {
        let mut response = answer(StatusCode::PROXY_AUTHENTICATION_REQUIRED, "Egress-Secret-Needed\n".into());
        response.headers_mut().insert(header::PROXY_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"boss-bot\""));
        return response;
    }
    let done = if request.method() == Method::CONNECT {
        connect(request, shared).await
    } else {
        forward(request, shared).await
    };
    done.unwrap_or_else(|failure| {
        tracing::debug!(%failure, "a tool's request was not let out");
        failure.answer()
    })
}

fn authorized(headers: &HeaderMap, expected: &str) -> bool {
    let given = headers.get(header::PROXY_AUTHORIZATION).map_or(&b""[..], HeaderValue::as_bytes);
    // Every byte is compared, so that the time taken tells nothing about where they differ.
    given.len() == expected.len() && given.iter().zip(expected.as_bytes()).fold(0, |acc, (a, b)| acc | (a ^ b)) == 0
}

/// `CONNECT host:port`: a tunnel.
async fn connect(mut request: Request<Incoming>, shared: &Arc<Shared>) -> Result<Response<Body>, Failure> {
    let authority = request.uri().authority().map(|a| a.as_str().to_owned()).unwrap_or_default();
    let target = admit(shared, &authority, shared.guard.policy().check_authority(&authority))?;
    let tool = hyper::upgrade::on(&mut request);
    match &shared.upstream {
        None => {
            let outside = dial(shared, &target).await?;
            spawn(shared, tunnel(tool, outside));
        }
        Some(upstream) => {
            let outside = connect_upstream(shared, upstream, &target).await?;
            spawn(shared, async move {
                if let Ok(outside) = outside.await {
                    tunnel(tool, TokioIo::new(outside)).await;
                }
            });
        }
    }
    Ok(Response::new(Full::default().map_err(|never| match never {}).boxed()))
}

async fn tunnel(tool: OnUpgrade, mut outside: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    if let Ok(tool) = tool.await {
        // Whatever ends it, the budget included, both sides are closed when this returns.
        if let Err(error) = tokio::io::copy_bidirectional(&mut TokioIo::new(tool), &mut outside).await {
            tracing::trace!(%error, "a tunnel of a tool ended");
        }
    }
}

/// `GET http://host/path`: passed on as a request of its own.
async fn forward(request: Request<Incoming>, shared: &Arc<Shared>) -> Result<Response<Body>, Failure> {
    // The host is judged and used as the URL standard reads it, so that judge and connector cannot differ.
    let asked = request.uri().to_string();
    let url = Url::parse(&asked).map_err(|_| Refusal::Host);
    let checked = url.as_ref().map_err(Clone::clone).and_then(|url| match url.scheme() {
        "http" => shared.guard.policy().check_url(url),
        other => Err(Refusal::Scheme(other.to_owned())),
    });
    let authority = request.uri().authority().map_or("?", |authority| authority.as_str()).to_owned();
    let target = admit(shared, &authority, checked)?;
    let url = url?;

    let (mut parts, body) = request.into_parts();
    strip_hop_by_hop(&mut parts.headers);
    // The Host header follows the URL (RFC 9112, 3.2.2), whatever the tool wrote into it.
    let host = url.port().map_or_else(|| target.host.to_string(), |port| format!("{}:{port}", target.host));
    parts.headers.insert(header::HOST, HeaderValue::from_str(&host).map_err(|_| Refusal::Host)?);
    let (stream, uri) = match &shared.upstream {
        None => (dial(shared, &target).await?, url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()),
        Some(upstream) => {
            if let Some(value) = &upstream.authorization {
                parts.headers.insert(header::PROXY_AUTHORIZATION, value.clone());
            }
            (dial_upstream(shared, upstream).await?, url[..url::Position::AfterQuery].to_owned())
        }
    };
    parts.uri = uri.parse::<Uri>().map_err(|_| Refusal::Host)?;
    parts.version = hyper::Version::HTTP_11;

    let lost = || Failure::Unreachable(target.authority());
    let (mut sender, driver) = handshake(stream).await.map_err(|_| lost())?;
    spawn(shared, async move {
        let _ = driver.await;
    });
    let mut response = sender.send_request(Request::from_parts(parts, body)).await.map_err(|_| lost())?;
    strip_hop_by_hop(response.headers_mut());
    if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        // It would speak of the upstream's credentials, which the tool does not have.
        return Err(Failure::Upstream(response.status()));
    }
    Ok(response.map(BodyExt::boxed))
}

type Driver = client::Connection<TokioIo<Metered>, Incoming>;

async fn handshake(stream: Metered) -> hyper::Result<(client::SendRequest<Incoming>, Driver)> {
    client::Builder::new().preserve_header_case(true).handshake(TokioIo::new(stream)).await
}

/// Lets a target pass, or writes down why not.
fn admit(shared: &Shared, asked: &str, checked: Result<Target, Refusal>) -> Result<Target, Failure> {
    if shared.meter.is_over() {
        return Err(Failure::OverBudget);
    }
    checked.map_err(|refusal| {
        shared.meter.refuse(asked, &refusal);
        Failure::Refused(refusal)
    })
}

/// Connects to the target itself: resolves, judges every address, and connects to those very addresses.
async fn dial(shared: &Shared, target: &Target) -> Result<Metered, Failure> {
    let reach = async {
        let addresses = shared.guard.addresses(target).await.map_err(|error| match error {
            ResolveError::Refused(refusal) => {
                shared.meter.refuse(&target.authority(), &refusal);
                Failure::Refused(refusal)
            }
            ResolveError::Lookup { host, .. } => Failure::Unreachable(host),
        })?;
        first_reachable(&addresses).await.ok_or_else(|| Failure::Unreachable(target.authority()))
    };
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, reach)
        .await
        .unwrap_or_else(|_| Err(Failure::Timeout(target.authority())))?;
    Ok(Metered::new(stream, shared.meter.clone()))
}

/// Tries addresses in order, IPv4 first: a broken IPv6 route is the more common fault and costs the whole wait.
async fn first_reachable(addresses: &[SocketAddr]) -> Option<TcpStream> {
    let (v4, v6): (Vec<&SocketAddr>, Vec<_>) = addresses.iter().partition(|address| address.is_ipv4());
    for address in v4.into_iter().chain(v6) {
        // Half the time for one address, so that a second one still gets its chance.
        if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_TIMEOUT / 2, TcpStream::connect(*address)).await {
            let _ = stream.set_nodelay(true);
            return Some(stream);
        }
    }
    None
}

/// Connects to the operator's proxy, which may be anywhere.
async fn dial_upstream(shared: &Shared, upstream: &Upstream) -> Result<Metered, Failure> {
    let connect = TcpStream::connect((upstream.host.as_str(), upstream.port));
    match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(Metered::new(stream, shared.meter.clone()))
        }
        Ok(Err(_)) => Err(Failure::Unreachable("the upstream proxy".into())),
        Err(_) => Err(Failure::Timeout("the upstream proxy".into())),
    }
}

/// Asks the operator's proxy for a tunnel.
async fn connect_upstream(shared: &Shared, upstream: &Upstream, target: &Target) -> Result<OnUpgrade, Failure> {
    let lost = || Failure::Unreachable("the upstream proxy".into());
    let authority = target.authority();
    let mut request = Request::connect(authority.as_str()).header(header::HOST, authority.as_str());
    if let Some(value) = &upstream.authorization {
        request = request.header(header::PROXY_AUTHORIZATION, value.clone());
    }
    let request = request.body(http_body_util::Empty::<Bytes>::new()).map_err(|_| Refusal::Host)?;
    let ask = async {
        let stream = dial_upstream(shared, upstream).await?;
        let (mut sender, driver) = client::handshake(TokioIo::new(stream)).await.map_err(|_| lost())?;
        spawn(shared, async move {
            let _ = driver.with_upgrades().await;
        });
        sender.send_request(request).await.map_err(|_| lost())
    };
    // The upstream proxy resolves and connects meanwhile: give it the time we would take.
    let response = tokio::time::timeout(CONNECT_TIMEOUT * 2, ask)
        .await
        .unwrap_or_else(|_| Err(Failure::Timeout("the upstream proxy".into())))?;
    if !response.status().is_success() {
        return Err(Failure::Upstream(response.status()));
    }
    Ok(hyper::upgrade::on(response))
}

/// Removes what concerns one connection only (RFC 9110, 7.6.1), and everything addressed to proxies.
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        headers.remove(name);
    }
}
