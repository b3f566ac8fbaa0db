//! One HTTP exchange, with the promises the protocol needs.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use ciba_core::{
    Event, Input, KeySetRequest, Sending,
    fault::{Cause, ExchangeProblem},
    http::{Exchange, ExchangeObserver, Headers, Method, Request, Response, Unanswered},
};
use ciba_std::{Gate, KEPT_IDLE, KEPT_PER_HOST, KeptConnections, KeyStep};
use reqwest::{ClientBuilder, redirect, retry};

#[cfg(feature = "rustls-no-provider")]
use crate::ClientCertificate;
use crate::{Clock, Keys, cause::unanswered, gate::GatedBody};

pub use crate::discover::{discover, discover_with};
// The compiler shows this to a program that lacks them: the usual feature first, although it
// enables the other one.
#[cfg(any(feature = "rustls", feature = "rustls-no-provider"))]
pub use crate::tls::{platform_roots, with_ca};
pub use ciba_std::DiscoverError;
#[cfg(feature = "rustls-no-provider")]
pub use ciba_std::{CaError, CertificateError};

/// How long a connection, TLS included, may take unless [`HttpClient::with_connect_timeout`] says
/// otherwise. Shorter than the time-out of any exchange, so that a provider that drops packets is
/// known not to have been reached.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// What a client says it is unless [`HttpClient::with_user_agent`] says otherwise: some gateways
/// refuse requests that do not say.
pub const USER_AGENT: &str = concat!("ciba/", env!("CARGO_PKG_VERSION"));

/// Performs exchanges. Cheap to clone; all clones share their connections.
///
/// It takes a function that makes reqwest's *builder* so that it can promise that
/// - a request is sent once: no redirect is followed, and nothing is sent again that may have
///   arrived, neither by reqwest nor underneath;
/// - any status is an answer;
/// - a body is never decompressed, and never read further than the exchange allows;
/// - certificates are verified. Roots, proxies and resolvers stay the caller's;
/// - plain HTTP, which only a provider on this machine may speak, goes there directly, past any
///   proxy;
/// - every request says what the client is: `User-Agent`, [`USER_AGENT`] unless the request has one
///   of its own;
/// - the client certificate of [`Self::with_certificate`] is shown where the flow says so, and
///   nowhere else.
///
/// Under TLS 1.3 a server looks at the client certificate only after the handshake is over for the
/// client. A fatal alert about the certificate before the first byte of an answer means that the
/// request was not sent; reqwest offers no way to wait for that alert before it writes, so a server
/// that closes the connection without sending one leaves the request counted as lost.
///
/// A TLS configuration that is handed to reqwest ready-made
/// (`ClientBuilder::tls_backend_preconfigured`) takes the place of all its TLS settings:
/// verification is then what that configuration does, and neither [`with_ca`] nor
/// the client certificate has any effect. Do not hand in one whose verifier accepts everything.
///
/// # Connections
///
/// The authentication request goes over a connection made for it, over HTTP/1.1, which is closed
/// after the answer. A kept connection may have been closed by the other side unnoticed; an
/// authentication request written to one is lost without the person having been asked, and may not
/// be repeated.
///
/// All other requests that a flow asks for go over kept connections: HTTP/1.1, or HTTP/2 where the
/// provider offers it (feature `http2`). At most 128 idle connections are kept for each host, for at
/// most 20 seconds, and those with the client certificate apart from those without. A token request
/// that meets a dead connection counts as lost and is asked again after its interval; after that,
/// connections are made anew for 20 seconds. Nor is a connection used at the time at which the
/// provider announced to close it (`Keep-Alive: timeout=5`).
#[derive(Clone)]
pub struct HttpClient {
    make: Arc<Make>,
    anonymous: Line,
    /// Its own clients, with connections and TLS sessions of their own.
    certified: Option<Line>,
}

type Make = dyn Fn() -> ClientBuilder + Send + Sync;

/// What goes with the client certificate, or what goes without.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    encrypted: Clients,
    /// For plain HTTP, made when it is first needed.
    direct: Arc<OnceLock<Clients>>,
    known: KeptConnections,
    connect_timeout: Duration,
    user_agent: Arc<str>,
    observer: ExchangeObserver,
}

/// Clients of the HTTP library that differ in what becomes of a connection after an exchange.
#[derive(Debug, Clone)]
struct Clients {
    fresh: reqwest::Client,
    kept: reqwest::Client,
}

/// Which connection a request may go over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connection {
    /// One that is made for it.
    Fresh,
    /// A kept one, if there is one.
    Kept,
}

impl HttpClient {
    /// Sets what is promised and builds the client. Do it once per process and clone it: reading
    /// the platform's roots takes milliseconds.
    ///
    /// `make` is called several times, for connections that are kept, that are not, and that show
    /// the client certificate: [`platform_roots`] itself, what
    /// [`with_ca`] returns, or a closure that sets more.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up.
    ///
    /// # Panics
    ///
    /// With the feature `rustls-no-provider` alone, when no process-wide cryptography provider of
    /// rustls is installed: reqwest panics then. The feature `rustls` brings one.
    ///
    /// # Examples
    ///
    /// ```
    /// use ciba_reqwest::{HttpClient, reqwest::Proxy, http::platform_roots};
    ///
    /// let http = HttpClient::new(platform_roots)?;
    /// let proxied = HttpClient::new(|| {
    ///     platform_roots().proxy(Proxy::all("http://proxy.example:3128").expect("an address"))
    /// })?;
    /// # Ok::<(), ciba_reqwest::reqwest::Error>(())
    /// ```
    pub fn new(make: impl Fn() -> ClientBuilder + Send + Sync + 'static) -> reqwest::Result<Self> {
        Self::with_connect_timeout(make, CONNECT_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for connecting. A connection that takes longer counts
    /// as not made; one that outlasts the whole exchange's time-out counts as *lost* instead.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(
        make: impl Fn() -> ClientBuilder + Send + Sync + 'static,
        limit: Duration,
    ) -> reqwest::Result<Self> {
        let anonymous = Line::new(&make, limit)?;
        Ok(Self { make: Arc::new(make), anonymous, certified: None })
    }

    /// With a client certificate (RFC 8705), shown to any server that asks for one in the exchanges
    /// that are to be authenticated so, whatever authorities the server names or does not name.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Refused`] when TLS cannot be set up with it.
    #[cfg(feature = "rustls-no-provider")]
    pub fn with_certificate(
        self,
        certificate: ClientCertificate,
    ) -> Result<Self, CertificateError> {
        let identity = reqwest::Identity::from_pem(certificate.to_pem().as_bytes())
            .map_err(|_| CertificateError::Unreadable)?;
        let make = || (self.make)().identity(identity.clone());
        let line = Line::new(&make, self.anonymous.connect_timeout)
            .map_err(|_| CertificateError::Refused)?;
        let line = Line {
            user_agent: Arc::clone(&self.anonymous.user_agent),
            observer: self.anonymous.observer.clone(),
            ..line
        };
        Ok(Self { certified: Some(line), ..self })
    }

    /// Says what the client is in another way than [`USER_AGENT`]: the value of the header field
    /// `User-Agent`.
    #[must_use]
    pub fn with_user_agent(mut self, user_agent: &str) -> Self {
        let user_agent: Arc<str> = user_agent.into();
        if let Some(line) = &mut self.certified {
            line.user_agent = Arc::clone(&user_agent);
        }
        self.anonymous.user_agent = user_agent;
        self
    }

    /// Calls `observe` with every exchange when it is over, for diagnosis: `Display` of
    /// [`Exchange`] shows no value that could be secret or personal. It runs in the middle of a
    /// flow, so it must not take long.
    #[must_use]
    pub fn with_observer(
        mut self,
        observe: impl Fn(&Exchange<'_>) + Send + Sync + 'static,
    ) -> Self {
        let observer = ExchangeObserver::new(observe);
        if let Some(line) = &mut self.certified {
            line.observer = observer.clone();
        }
        self.anonymous.observer = observer;
        self
    }

    /// Sends what a machine has to send now and returns the outcome for its `handle`. An exchange
    /// that needs a client certificate where there is none counts as not sent.
    pub async fn perform(&self, sending: Sending) -> Input {
        self.perform_if(sending, None).await
    }

    /// The same; the request leaves only if the gate says so right before its first byte.
    pub(crate) async fn perform_if(&self, sending: Sending, gate: Option<Gate>) -> Input {
        let transmit = sending.transmit();
        let line = if transmit.presents_certificate() {
            self.certified.as_ref()
        } else {
            Some(&self.anonymous)
        };
        let connection =
            if transmit.needs_fresh_connection() { Connection::Fresh } else { Connection::Kept };
        let (timeout, most) = (transmit.timeout(), transmit.max_response());
        let answer = match line {
            Some(line) => line
                .attempt(sending.request(), connection, gate, timeout, most)
                .await
                .map_err(|error| unanswered(&error)),
            None => Err(Unanswered::NotSent(Cause::Local)),
        };
        match answer {
            Ok(response) => sending.answered(response),
            Err(how) => sending.unanswered(how),
        }
    }

    /// Answers a flow's question for keys, with a fetch when one is due.
    ///
    /// Dropping the future in the middle of a fetch lets the next one who asks fetch.
    pub async fn find_keys(
        &self,
        keys: &Keys,
        mut question: KeySetRequest,
        clock: &dyn Clock,
        progress: &mut (dyn FnMut(&Event) + Send),
    ) -> Input {
        loop {
            match keys.step(question, clock, progress) {
                KeyStep::Answer(answer) => return answer,
                KeyStep::Fetch(sending, asked) => {
                    keys.fetched(self.perform(sending).await, clock);
                    question = asked;
                }
            }
        }
    }

    /// Fetches keys before a flow asks for them.
    ///
    /// # Errors
    ///
    /// [`ExchangeProblem`] when they cannot be had now; a flow would ask again.
    pub async fn prefetch_keys(
        &self,
        keys: &Keys,
        clock: &dyn Clock,
    ) -> Result<(), ExchangeProblem> {
        while let Some(sending) = keys.prefetch(clock)? {
            keys.fetched(self.perform(sending).await, clock);
        }
        Ok(())
    }

    /// Sends one request, once, over a connection made for it, and shows no client certificate.
    ///
    /// # Errors
    ///
    /// [`Unanswered::NotSent`] when the provider did not get the request, [`Unanswered::Lost`] when
    /// it may have.
    pub async fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        self.anonymous
            .attempt(request, Connection::Fresh, None, timeout, max_response)
            .await
            .map_err(|error| unanswered(&error))
    }

    pub(crate) const fn anonymous(&self) -> &Line {
        &self.anonymous
    }

    pub(crate) const fn has_certificate(&self) -> bool {
        self.certified.is_some()
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("anonymous", &self.anonymous)
            .field("certified", &self.certified)
            .finish_non_exhaustive()
    }
}

impl Line {
    fn new(make: &dyn Fn() -> ClientBuilder, connect_timeout: Duration) -> reqwest::Result<Self> {
        Ok(Self {
            encrypted: Clients::new(make, connect_timeout)?,
            direct: Arc::default(),
            known: KeptConnections::default(),
            connect_timeout,
            user_agent: USER_AGENT.into(),
            observer: ExchangeObserver::default(),
        })
    }

    /// The clients for a request: plain HTTP is for providers on this machine, which a proxy would
    /// look for on its own, and see what the request carries.
    fn clients(&self, request: &Request) -> reqwest::Result<&Clients> {
        if request.url.scheme() != "http" {
            return Ok(&self.encrypted);
        }
        if let Some(clients) = self.direct.get() {
            return Ok(clients);
        }
        let make = || {
            let builder = reqwest::Client::builder().no_proxy();
            // It never speaks TLS, so it needs no roots.
            #[cfg(feature = "rustls-no-provider")]
            let builder = builder.tls_certs_only([]);
            builder
        };
        let clients = Clients::new(&make, self.connect_timeout)?;
        Ok(self.direct.get_or_init(|| clients))
    }

    /// An exchange; when it fails, with the reason.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        connection: Connection,
        gate: Option<Gate>,
        timeout: Duration,
        max_response: usize,
    ) -> reqwest::Result<Response> {
        let began = Instant::now();
        let is_kept = connection == Connection::Kept && self.known.may_use(&request.url);
        let outcome = self.send(request, is_kept, gate, timeout, max_response).await;
        match outcome.as_ref().map_err(unanswered) {
            Ok(response) if is_kept => self.known.answered(&request.url, &response.headers),
            Err(Unanswered::Lost(_)) if is_kept => self.known.lost(&request.url),
            _ => {}
        }
        self.observer.tell(
            request,
            outcome.as_ref().map_err(|error| unanswered(error).cause()),
            began.elapsed(),
        );
        outcome
    }

    async fn send(
        &self,
        request: &Request,
        is_kept: bool,
        gate: Option<Gate>,
        timeout: Duration,
        max_response: usize,
    ) -> reqwest::Result<Response> {
        let clients = self.clients(request)?;
        let client = if is_kept { &clients.kept } else { &clients.fresh };
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut sending = client.request(method, request.url.as_str()).timeout(timeout);
        if request.headers.get("user-agent").is_none() {
            sending = sending.header(reqwest::header::USER_AGENT, &*self.user_agent);
        }
        for (name, value) in request.headers.iter() {
            sending = sending.header(name, value);
        }
        if request.method == Method::Post {
            let body = GatedBody::new(request.body.expose().to_vec().into(), gate);
            sending = sending.body(reqwest::Body::wrap(body));
        }
        read(sending.send().await?, max_response).await
    }
}

impl Clients {
    fn new(make: &dyn Fn() -> ClientBuilder, connect_timeout: Duration) -> reqwest::Result<Self> {
        let fresh = promising(make(), connect_timeout).http1_only().pool_max_idle_per_host(0);
        let kept = promising(make(), connect_timeout)
            .pool_max_idle_per_host(KEPT_PER_HOST)
            .pool_idle_timeout(KEPT_IDLE);
        // A connection of HTTP/2 that died is noticed while requests wait on it: there is only one
        // for all of them, and it counts as used as long as they come.
        #[cfg(feature = "http2")]
        let kept = kept
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(10));
        Ok(Self { fresh: fresh.build()?, kept: kept.build()? })
    }
}

/// A builder that keeps what is promised.
fn promising(builder: ClientBuilder, connect_timeout: Duration) -> ClientBuilder {
    #[cfg(feature = "rustls-no-provider")]
    let builder =
        builder.tls_danger_accept_invalid_certs(false).tls_danger_accept_invalid_hostnames(false);
    builder
        .redirect(redirect::Policy::none())
        .referer(false)
        // reqwest by itself repeats what HTTP/2 servers refuse. Below it, hyper-util repeats a
        // request over a new connection when the kept one turns out to be closed before it has
        // taken any of the request, and hands the request back whole: nothing of it was written, so
        // nothing is sent twice, and the gate is asked again. It offers no switch here.
        .retry(retry::never())
        // It would write secrets to the log.
        .connection_verbose(false)
        // These have no effect unless another crate in the build turned the features on.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .connect_timeout(connect_timeout)
}

async fn read(mut response: reqwest::Response, max_response: usize) -> reqwest::Result<Response> {
    let status = response.status().as_u16();
    let headers = headers(response.headers());
    let mut body = Vec::new();
    let mut truncated = false;
    while !truncated {
        let Some(chunk) = response.chunk().await? else { break };
        let room = max_response - body.len();
        truncated = chunk.len() > room;
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    let mut answer = Response::new(status, headers, body);
    answer.truncated = truncated;
    Ok(answer)
}

/// Header fields in the machine's form.
pub(crate) fn headers(fields: &reqwest::header::HeaderMap) -> Headers {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect()
}
