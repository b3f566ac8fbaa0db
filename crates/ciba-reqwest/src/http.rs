//! One HTTP exchange, with the guarantees that the protocol needs.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use ciba_core::{
    Event, Input, KeySetRequest, Sending,
    fault::ExchangeProblem,
    http::{Exchange, ExchangeObserver, Headers, Method, Request, Response, Unanswered},
};
use ciba_std::{Gate, KEPT_IDLE, KEPT_PER_HOST, KeyStep, LineState, Lines, Terms, answer};
use reqwest::{ClientBuilder, redirect, retry};

#[cfg(feature = "rustls-no-provider")]
use crate::ClientCertificate;
use crate::{Clock, Keys, address::Addresses, cause::unanswered, gate::GatedBody};

pub use crate::discover::discover;
// The compiler shows this to a program that lacks them: the usual feature first, although it
// enables the other one.
#[cfg(any(feature = "rustls", feature = "rustls-no-provider"))]
pub use crate::tls::{platform_roots, trusting};
#[cfg(feature = "rustls-no-provider")]
pub use ciba_std::{Authorities, CaError, CertificateError};
pub use ciba_std::{CONNECT_TIMEOUT, DiscoverError, USER_AGENT};

/// Performs exchanges. Cheap to clone; all clones share their connections.
///
/// It is created from a function that makes reqwest's *builder*, so that it can guarantee that
/// - a request is sent once: no redirect is followed, and nothing that may have arrived is sent
///   again, neither by reqwest nor below it;
/// - any status is an answer;
/// - a body is never decompressed, and never read further than the exchange allows;
/// - certificates are verified. Roots, proxies and resolvers are the caller's choice;
/// - plain HTTP, which only a provider on this machine may speak, goes there directly, never
///   through a proxy;
/// - every request has a `User-Agent`: [`USER_AGENT`] unless it has one of its own;
/// - the client certificate of [`Self::with_certificate`] is presented only in exchanges that
///   require it. reqwest has one TLS configuration for the provider and for a proxy with an
///   `https://` address, so such a proxy sees the certificate too if it asks for one. The private
///   key is never sent, and the connection to the provider is encrypted inside that to the proxy.
///
/// Under TLS 1.3 a server verifies the client certificate only after the handshake is over for the
/// client. A fatal alert about the certificate before the first byte of an answer means that the
/// request was not sent. reqwest offers no way to wait for that alert before it writes, so if a
/// server closes the connection without an alert, the request counts as lost.
///
/// A ready-made TLS configuration (`ClientBuilder::tls_backend_preconfigured`) replaces all TLS
/// settings of reqwest: certificates are verified as that configuration says, and neither
/// [`trusting`] nor the client certificate has any effect. Do not use one whose verifier
/// accepts everything.
///
/// # Connections
///
/// The authentication request goes over a connection made for it, over HTTP/1.1, which is closed
/// after the answer. The provider may have closed a kept connection unnoticed; an authentication
/// request written to it would be lost without the person having been asked, and must not be
/// repeated.
///
/// All other requests of a flow go over kept connections: HTTP/1.1, or HTTP/2 where the provider
/// offers it (feature `http2`). At most 128 idle connections are kept for each host, for at most
/// 20 seconds, and those with the client certificate apart from those without. A token request on a
/// dead connection counts as lost and is sent again after its interval; new connections are then
/// made for 20 seconds. A connection is not used around the time at which the provider announced to
/// close it (`Keep-Alive: timeout=5`).
#[derive(Clone)]
pub struct HttpClient {
    // Only a line with a client certificate is made later.
    #[cfg_attr(not(feature = "rustls-no-provider"), expect(dead_code, reason = "no certificate"))]
    make: Arc<Make>,
    pub(crate) lines: Lines<Line>,
}

type Make = dyn Fn() -> ClientBuilder + Send + Sync;

/// The clients for requests with the client certificate, or for those without.
#[derive(Clone)]
pub(crate) struct Line {
    encrypted: Clients,
    /// For plain HTTP, created when first needed.
    direct: Arc<OnceLock<Clients>>,
    connect_timeout: Duration,
    addresses: Addresses,
    state: LineState,
}

/// Clients of the HTTP library, by what happens to a connection after an exchange.
#[derive(Clone)]
struct Clients {
    fresh: reqwest::Client,
    kept: reqwest::Client,
}

impl HttpClient {
    /// Creates a client. Create one for the process and clone it: reading the platform's roots
    /// takes milliseconds.
    ///
    /// `make` is called several times, for connections that are kept, that are not, and that
    /// present the client certificate. It is [`platform_roots`] itself, the result of
    /// [`trusting`], or a closure that sets more.
    ///
    /// # Errors
    ///
    /// The error of reqwest if TLS cannot be set up.
    ///
    /// # Panics
    ///
    /// With the feature `rustls-no-provider` alone, reqwest panics if no process-wide cryptography
    /// provider of rustls is installed. The feature `rustls` brings one.
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

    /// As [`Self::new`], with another limit for connecting than [`CONNECT_TIMEOUT`]. A request
    /// whose connection takes longer counts as not sent. If the limit is longer than the time-out
    /// of the exchange, the request counts as lost instead.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(
        make: impl Fn() -> ClientBuilder + Send + Sync + 'static,
        limit: Duration,
    ) -> reqwest::Result<Self> {
        let lines = Lines::new(Line::new(&make, limit, LineState::default())?);
        Ok(Self { make: Arc::new(make), lines })
    }

    /// Adds a client certificate (RFC 8705), which is presented to any server that asks for one in
    /// an exchange that requires it, whatever authorities the server names.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Refused`] if TLS cannot be set up with it.
    #[cfg(feature = "rustls-no-provider")]
    pub fn with_certificate(
        self,
        certificate: ClientCertificate,
    ) -> Result<Self, CertificateError> {
        let identity = reqwest::Identity::from_pem(certificate.to_pem().as_bytes())
            .map_err(|_| CertificateError::Unreadable)?;
        let make = || (self.make)().identity(identity.clone());
        let Line { connect_timeout, state, .. } = self.lines.anonymous();
        let line = Line::new(&make, *connect_timeout, state.for_another_line())
            .map_err(|_| CertificateError::Refused)?;
        Ok(Self { lines: self.lines.with_certified(line), ..self })
    }

    /// Sends another `User-Agent` than [`USER_AGENT`].
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> Self {
        let lines = self.lines.each(|line| line.state.set_user_agent(user_agent));
        Self { lines, ..self }
    }

    /// Calls `observe` with every exchange when it is over, for diagnosis. `Display` of
    /// [`Exchange`] shows no value that could be secret or personal. The function runs in the
    /// middle of a flow, so it must return quickly.
    #[must_use]
    pub fn with_observer(self, observe: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        let observer = ExchangeObserver::new(observe);
        let lines = self.lines.each(|line| line.state.set_observer(&observer));
        Self { lines, ..self }
    }

    /// Sends the request of a flow and returns the outcome for the flow's `handle`. A request that
    /// needs a client certificate counts as not sent if there is none.
    pub async fn perform(&self, sending: Sending) -> Input {
        self.perform_if(sending, None).await
    }

    /// As [`Self::perform`], if the gate still lets the request pass right before its first byte.
    pub(crate) async fn perform_if(&self, sending: Sending, gate: Option<Gate>) -> Input {
        let (request, transmit) = (sending.request(), sending.transmit());
        let outcome = match self.lines.line_for(transmit) {
            Ok(line) => line
                .attempt(request, gate, &Terms::from(transmit))
                .await
                .map_err(|error| unanswered(&error)),
            Err(how) => Err(how),
        };
        answer(sending, outcome)
    }

    /// Answers a flow's question for keys, and fetches them if a fetch is due.
    ///
    /// If the future is dropped during a fetch, the next caller fetches.
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
    /// [`ExchangeProblem`] if they are unavailable now. A flow would ask again.
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

    /// Sends one request, once, over a connection made for it, without the client certificate.
    ///
    /// # Errors
    ///
    /// [`Unanswered::NotSent`] if the provider did not get the request, [`Unanswered::Lost`] if it
    /// may have.
    pub async fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        let terms = Terms { may_be_kept: false, timeout, max_response };
        let outcome = self.lines.anonymous().attempt(request, None, &terms).await;
        outcome.map_err(|error| unanswered(&error))
    }
}

/// Shows nothing: reqwest would print the settings of the caller's builder, which may hold secrets.
impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

impl Line {
    fn new(
        make: &dyn Fn() -> ClientBuilder,
        connect_timeout: Duration,
        state: LineState,
    ) -> reqwest::Result<Self> {
        let encrypted = Clients::new(make, connect_timeout)?;
        let (direct, addresses) = Default::default();
        Ok(Self { encrypted, direct, connect_timeout, addresses, state })
    }

    /// Returns the clients for a request. Plain HTTP is for providers on this machine: a proxy
    /// would look for the provider on its own machine, and see what the request carries.
    fn clients(&self, request: &Request) -> reqwest::Result<&Clients> {
        if request.url.scheme() != "http" {
            return Ok(&self.encrypted);
        }
        if let Some(clients) = self.direct.get() {
            return Ok(clients);
        }
        let make = || {
            let builder = reqwest::Client::builder().no_proxy();
            // It never uses TLS, so it needs no roots.
            #[cfg(feature = "rustls-no-provider")]
            let builder = builder.tls_certs_only([]);
            builder
        };
        let clients = Clients::new(&make, self.connect_timeout)?;
        Ok(self.direct.get_or_init(|| clients))
    }

    /// Performs an exchange.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        gate: Option<Gate>,
        terms: &Terms,
    ) -> reqwest::Result<Response> {
        let begun = self.state.begin(request, terms);
        let outcome = self.send(request, begun.is_kept(), gate, terms).await;
        begun.ended(outcome.as_ref().map_err(unanswered));
        outcome
    }

    async fn send(
        &self,
        request: &Request,
        is_kept: bool,
        gate: Option<Gate>,
        terms: &Terms,
    ) -> reqwest::Result<Response> {
        let clients = self.clients(request)?;
        let client = if is_kept { &clients.kept } else { &clients.fresh };
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let sending = match self.addresses.of(&request.url) {
            Some(address) => client.request(method, address),
            // Returns the error of reqwest.
            None => client.request(method, request.url.as_str()),
        };
        let mut sending = sending.timeout(terms.timeout);
        for (name, value) in self.state.fields(request) {
            sending = sending.header(name, value);
        }
        if request.method == Method::Post {
            let body = GatedBody::new(request.body.expose().to_vec().into(), gate);
            sending = sending.body(reqwest::Body::wrap(body));
        }
        read(sending.send().await?, terms.max_response).await
    }
}

impl Clients {
    fn new(make: &dyn Fn() -> ClientBuilder, connect_timeout: Duration) -> reqwest::Result<Self> {
        let fresh = guaranteed(make(), connect_timeout).http1_only().pool_max_idle_per_host(0);
        let kept = guaranteed(make(), connect_timeout)
            .pool_max_idle_per_host(KEPT_PER_HOST)
            .pool_idle_timeout(KEPT_IDLE);
        // One HTTP/2 connection carries all requests, and it is not idle while they wait on it. The
        // pings find out that it died.
        #[cfg(feature = "http2")]
        let kept = kept
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(10));
        Ok(Self { fresh: fresh.build()?, kept: kept.build()? })
    }
}

/// Sets what is guaranteed.
fn guaranteed(builder: ClientBuilder, connect_timeout: Duration) -> ClientBuilder {
    #[cfg(feature = "rustls-no-provider")]
    let builder =
        builder.tls_danger_accept_invalid_certs(false).tls_danger_accept_invalid_hostnames(false);
    builder
        .redirect(redirect::Policy::none())
        .referer(false)
        // By default, reqwest repeats requests that an HTTP/2 server refused. Below it, hyper-util
        // repeats a request over a new connection if the kept one turns out to be closed before it
        // took any of the request, and cannot be told not to. Nothing was written in that case, so
        // nothing is sent twice, and the gate is asked again.
        .retry(retry::never())
        // This would write secrets to the log.
        .connection_verbose(false)
        // These only have an effect if another crate in the build enabled the features.
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

/// Converts header fields.
pub(crate) fn headers(fields: &reqwest::header::HeaderMap) -> Headers {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
        .collect()
}
