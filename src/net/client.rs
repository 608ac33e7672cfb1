//! The in-process HTTP client, guarded, and the plain one for Discord.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use reqwest::{Certificate, ClientBuilder, Method, NoProxy, Proxy, RequestBuilder, Response, header, redirect};
use url::Url;

use super::{
    cassette::Cassette,
    cookies::Attached,
    pace::Pass,
    resolver::{Guard, GuardedResolver},
    response::{blocked, check_status, fault},
};
use crate::{
    model::{Error, Kind, Result},
    settings::{Network, Timeouts},
};

/// What we call ourselves unless a request says otherwise: a common browser, because many sites refuse anything else.
pub const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// What we call ourselves to link shorteners that give browsers a page with a script instead of a redirect (t.co).
const PLAIN_USER_AGENT: &str = "curl/8.14.1";

/// How long a connection may take to come up, name lookup and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server may be silent, before its answer and within it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Redirects followed before giving up.
const MAX_REDIRECTS: usize = 10;

/// What is reached without the proxy when it is the operator's own: private addresses, and names that only private networks
/// have (RFC 1918, RFC 4193, RFC 6761, RFC 6762, RFC 8375).
const PRIVATE: &str =
    "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,localhost,local,lan,internal,home.arpa";

/// How long Discord may leave sent bytes unacknowledged, or an idle connection's probes unanswered.
pub const DISCORD_SILENCE: Duration = Duration::from_secs(60);

/// The guarded HTTP client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Speaks HTTP/1.1 only, so that parallel requests have a connection each.
    files: reqwest::Client,
    guard: Arc<Guard>,
    cookies: Option<Attached>,
    pass: Option<Arc<Pass>>,
    timeouts: Timeouts,
    cassette: Option<Arc<Cassette>>,
}

impl Client {
    pub(super) fn new(guard: Arc<Guard>, settings: &Network, roots: &[Certificate]) -> Result<Self> {
        let proxy = settings.proxy.as_ref();
        let http = build(guarded(&guard, proxy, roots)?.read_timeout(READ_TIMEOUT))?;
        // Downloads judge silence by a setting of their own.
        let files = build(guarded(&guard, proxy, roots)?.http1_only())?;
        Ok(Self { http, files, guard, cookies: None, pass: None, cassette: None, timeouts: settings.timeouts })
    }

    /// The same client for media files: over HTTP/1.1, because HTTP/2 would send parallel requests through one connection,
    /// which servers that slow down each connection would slow down as one. It waits for a silent server without an end:
    /// whoever downloads has a patience of their own.
    pub fn for_files(&self) -> Self {
        Self { http: self.files.clone(), ..self.clone() }
    }

    /// The same client, sending these cookies to their own domains. Redirects to another host lose them.
    pub(super) fn with_cookies(&self, cookies: Attached) -> Self {
        Self { cookies: Some(cookies), ..self.clone() }
    }

    /// The same client, each request passing a platform's gate first: for asking platforms, not for loading their media.
    pub fn paced(&self, pass: Arc<Pass>) -> Self {
        Self { pass: Some(pass), ..self.clone() }
    }

    /// How long is waited for what.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// The same client, recorded, or answered from a recording.
    pub(super) fn with_cassette(&self, cassette: Arc<Cassette>) -> Self {
        Self { cassette: Some(cassette), ..self.clone() }
    }

    /// A request, refused at once when the URL itself names a forbidden address, port or scheme.
    ///
    /// # Errors
    /// `blocked_address`.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder> {
        self.guard.policy().check_url(url).map_err(|refusal| blocked(&refusal))?;
        Ok(self.http.request(method, url.clone()))
    }

    /// Short for a GET [`Client::request`].
    ///
    /// # Errors
    /// `blocked_address`.
    pub fn get(&self, url: &Url) -> Result<RequestBuilder> {
        self.request(Method::GET, url)
    }

    /// Sends it. Network faults, timeouts and refusals of the guard become errors of their kinds; any HTTP status is Ok.
    ///
    /// # Errors
    /// `blocked_address`, `timeout`, `network`; `rate_limited` when our own rate would make it wait too long.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response> {
        let mut request = request.build().map_err(fault)?;
        // Judged again and sent by our own client, whoever made the request.
        self.guard.policy().check_url(request.url()).map_err(|refusal| blocked(&refusal))?;
        if let Some(attached) = &self.cookies
            && !request.headers().contains_key(header::COOKIE)
            && let Some(cookies) = attached.header_for(request.url())
        {
            let mut value = header::HeaderValue::from_str(&cookies)
                .map_err(|_| Error::internal("a cookie of the cookies file cannot be sent: it has odd characters"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::COOKIE, value);
        }
        if let Some(cassette) = &self.cassette
            && let Some(answer) = cassette.answer(&request)
        {
            return answer;
        }
        // HEAD asks file servers how large a file is: platforms do not count it.
        if let Some(pass) = self.pass.as_ref().filter(|_| request.method() != Method::HEAD) {
            pass.request().await?;
        }
        let asked = self.cassette.as_ref().and_then(|cassette| Some((cassette, cassette.asked(&request)?)));
        let response = self.http.execute(request).await.map_err(fault)?;
        match asked {
            Some((cassette, asked)) => cassette.heard(asked, response).await,
            None => Ok(response),
        }
    }

    /// Where a short link leads: follows redirects (each checked) and returns the last address, reading no body. The last
    /// address counts even if it refuses us: only the way there was asked for.
    ///
    /// # Errors
    /// `blocked_address`, `timeout`, `network`; the kind of its status when the short link itself is refused.
    pub async fn resolve(&self, url: &Url) -> Result<Url> {
        let follow = async {
            let first = self.send(self.get(url)?).await?;
            if first.url() != url {
                return Ok(first.url().clone());
            }
            let second = self.send(self.get(url)?.header(header::USER_AGENT, PLAIN_USER_AGENT)).await?;
            if second.url() != url {
                return Ok(second.url().clone());
            }
            check_status(first).map(|_| url.clone())
        };
        // GET, because HEAD is often refused or answered differently; the bodies are dropped unread.
        let late = |_| Error::new(Kind::Timeout, "a short link did not lead anywhere in time");
        tokio::time::timeout(self.timeouts.search, follow).await.map_err(late)?
    }
}

/// The client for Discord's API. See [`super::Egress::discord`].
pub(super) fn discord(
    address: Option<SocketAddr>,
    proxy: Option<&Url>,
    roots: &[Certificate],
) -> Result<reqwest::Client> {
    let mut builder = base(roots).tcp_keepalive(DISCORD_SILENCE / 2);
    #[cfg(target_os = "linux")]
    {
        builder = builder.tcp_user_timeout(DISCORD_SILENCE);
    }
    builder = match (address, proxy) {
        (Some(address), _) => builder.resolve("discord.com", address),
        (None, Some(proxy)) => builder.proxy(upstream(proxy)?),
        (None, None) => builder,
    };
    build(builder)
}

/// The client for a server of the operator's own. See [`super::Egress::own`].
pub(super) fn own(proxy: Option<&Url>, roots: &[Certificate]) -> Result<reqwest::Client> {
    // The environment has no say here; a redirect would lose the signature of a request.
    let builder = base(roots).redirect(redirect::Policy::none());
    build(match proxy {
        Some(proxy) => builder.proxy(upstream(proxy)?.no_proxy(NoProxy::from_string(PRIVATE))),
        None => builder,
    })
}

/// What the guarded clients share: every address and every redirect is judged.
fn guarded(guard: &Arc<Guard>, proxy: Option<&Url>, roots: &[Certificate]) -> Result<ClientBuilder> {
    let on_redirect = guard.clone();
    let policy = redirect::Policy::custom(move |attempt| {
        // The first of the previous URLs is the request's own.
        if attempt.previous().len() > MAX_REDIRECTS {
            return attempt.error("too many redirects");
        }
        match on_redirect.policy().check_url(attempt.url()) {
            Ok(_) => attempt.follow(),
            Err(refusal) => attempt.error(refusal),
        }
    });
    let builder = base(roots)
        .user_agent(USER_AGENT)
        .redirect(policy)
        // A referrer would carry a signed address to the next host.
        .referer(false);
    Ok(match proxy {
        // The proxy's own name is the operator's: it is not judged. Targets are resolved by the proxy.
        Some(proxy) => builder.proxy(upstream(proxy)?),
        None => builder.dns_resolver(Arc::new(GuardedResolver(guard.clone()))),
    })
}

/// What all clients share. The environment's proxy variables are ignored: the program's settings are the only ones.
fn base(roots: &[Certificate]) -> ClientBuilder {
    let builder = reqwest::Client::builder().use_rustls_tls().no_proxy().connect_timeout(CONNECT_TIMEOUT);
    roots.iter().fold(builder, |builder, root| builder.add_root_certificate(root.clone()))
}

fn upstream(proxy: &Url) -> Result<Proxy> {
    Proxy::all(proxy.clone()).map_err(|_| Error::internal("NETWORK_PROXY is not a usable address"))
}

fn build(builder: ClientBuilder) -> Result<reqwest::Client> {
    builder.build().map_err(|error| Error::internal(format!("the HTTP client cannot be built: {error}")))
}
