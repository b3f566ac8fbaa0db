//! One HTTP exchange, with the promises the protocol needs.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use ciba_core::{
    Cause, Exchange, ExchangeObserver, Headers, Input, Method, Request, Response, Sending,
    Unanswered,
};
use reqwest::{ClientBuilder, redirect, retry};

#[cfg(feature = "rustls-no-provider")]
use crate::{CertificateError, ClientCertificate};
use crate::{cause::unanswered, gate::GateLayer};

/// How long a connection, TLS included, may take unless [`HttpClient::with_connect_timeout`] says
/// otherwise. Shorter than the time-out of any exchange, so that a provider that drops packets is
/// known not to have been reached.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// What a client says it is unless [`HttpClient::with_user_agent`] says otherwise: some gateways
/// refuse requests that do not say.
pub const USER_AGENT: &str = concat!("ciba/", env!("CARGO_PKG_VERSION"));

/// Performs exchanges. Cheap to clone; all clones share their connectors.
///
/// It takes reqwest's *builder* so that it can promise that
/// - a request is sent once: no redirect is followed and nothing is retried, neither by reqwest nor
///   underneath;
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
/// verification is then what that configuration does, and neither [`with_ca`](crate::with_ca) nor
/// the client certificate has any effect. Do not hand in one whose verifier accepts everything.
///
/// Every exchange has a connection of its own, over HTTP/1.1. A kept connection may have been
/// closed by the other side unnoticed; an authentication request written to one is lost without the
/// person having been asked, and may not be repeated. The price, a TLS handshake (resumed where the
/// provider allows it) for requests that are five seconds or more apart, is less than that of an
/// authentication with an unknown outcome. So no request goes over a connection that was made under
/// another identity either.
#[derive(Debug, Clone)]
pub struct HttpClient {
    anonymous: Line,
    /// Its own client, with TLS sessions of its own.
    certified: Option<Line>,
}

/// One client of the HTTP library: with the client certificate, or without.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    client: reqwest::Client,
    /// For plain HTTP, made when it is first needed.
    direct: Arc<OnceLock<reqwest::Client>>,
    connect_timeout: Duration,
    user_agent: Arc<str>,
    observer: ExchangeObserver,
}

impl HttpClient {
    /// Sets what is promised and builds the client. Do it once per process and clone it: reading
    /// the platform's roots takes milliseconds.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up.
    ///
    /// # Panics
    ///
    /// With the feature `rustls-no-provider` alone, when no process-wide cryptography provider of
    /// rustls is installed: reqwest panics then. The feature `rustls` brings one.
    pub fn new(builder: ClientBuilder) -> reqwest::Result<Self> {
        Self::with_connect_timeout(builder, CONNECT_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for connecting. A connection that takes longer counts
    /// as not made; one that outlasts the whole exchange's time-out counts as *lost* instead.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(builder: ClientBuilder, limit: Duration) -> reqwest::Result<Self> {
        Ok(Self { anonymous: Line::new(builder, limit)?, certified: None })
    }

    /// With a client certificate (RFC 8705), shown to any server that asks for one in the exchanges
    /// that are to be authenticated so, whatever authorities the server names or does not name. The
    /// builder is for the connections that show it, which are kept apart from the others: give one
    /// like that of [`Self::new`].
    ///
    /// # Errors
    ///
    /// [`CertificateError::Refused`] when TLS cannot be set up with it.
    #[cfg(feature = "rustls-no-provider")]
    pub fn with_certificate(
        self,
        builder: ClientBuilder,
        certificate: ClientCertificate,
    ) -> Result<Self, CertificateError> {
        let identity = reqwest::Identity::from_pem(certificate.to_pem().as_bytes())
            .map_err(|_| CertificateError::Unreadable)?;
        let builder = builder.identity(identity);
        let line = Line::new(builder, self.anonymous.connect_timeout)
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
        let transmit = sending.transmit();
        let line = if transmit.presents_certificate() {
            self.certified.as_ref()
        } else {
            Some(&self.anonymous)
        };
        let answer = match line {
            Some(line) => {
                line.exchange(sending.request(), transmit.timeout(), transmit.max_response()).await
            }
            None => Err(Unanswered::NotSent(Cause::Local)),
        };
        match answer {
            Ok(response) => sending.answered(response),
            Err(how) => sending.unanswered(how),
        }
    }

    /// Sends one request, once, and shows no client certificate.
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
        self.anonymous.exchange(request, timeout, max_response).await
    }

    pub(crate) const fn anonymous(&self) -> &Line {
        &self.anonymous
    }

    pub(crate) const fn has_certificate(&self) -> bool {
        self.certified.is_some()
    }
}

impl Line {
    fn new(builder: ClientBuilder, connect_timeout: Duration) -> reqwest::Result<Self> {
        Ok(Self {
            client: build(builder, connect_timeout)?,
            direct: Arc::default(),
            connect_timeout,
            user_agent: USER_AGENT.into(),
            observer: ExchangeObserver::default(),
        })
    }

    /// The client for a request: plain HTTP is for providers on this machine, which a proxy would
    /// look for on its own, and see what the request carries.
    fn client(&self, request: &Request) -> reqwest::Result<&reqwest::Client> {
        if !request.url.as_str().starts_with("http://") {
            return Ok(&self.client);
        }
        if let Some(client) = self.direct.get() {
            return Ok(client);
        }
        let builder = reqwest::Client::builder().no_proxy();
        // It never speaks TLS, so it needs no roots.
        #[cfg(feature = "rustls-no-provider")]
        let builder = builder.tls_certs_only([]);
        let client = build(builder, self.connect_timeout)?;
        Ok(self.direct.get_or_init(|| client))
    }

    pub(crate) async fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        self.attempt(request, timeout, max_response).await.map_err(|error| unanswered(&error))
    }

    /// An exchange; when it fails, with the reason.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> reqwest::Result<Response> {
        let began = Instant::now();
        let outcome = self.send(request, timeout, max_response).await;
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
        timeout: Duration,
        max_response: usize,
    ) -> reqwest::Result<Response> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut sending =
            self.client(request)?.request(method, request.url.as_str()).timeout(timeout);
        if request.headers.get("user-agent").is_none() {
            sending = sending.header(reqwest::header::USER_AGENT, &*self.user_agent);
        }
        for (name, value) in request.headers.iter() {
            sending = sending.header(name, value);
        }
        if request.method == Method::Post {
            sending = sending.body(request.body.expose().to_vec());
        }
        read(sending.send().await?, max_response).await
    }
}

/// A client that keeps what is promised.
fn build(builder: ClientBuilder, connect_timeout: Duration) -> reqwest::Result<reqwest::Client> {
    #[cfg(feature = "rustls-no-provider")]
    let builder =
        builder.tls_danger_accept_invalid_certs(false).tls_danger_accept_invalid_hostnames(false);
    builder
        .redirect(redirect::Policy::none())
        .referer(false)
        // reqwest by itself repeats what HTTP/2 servers refuse. Below it, hyper-util repeats a
        // request that a kept connection had not begun to write, and offers no switch here; without
        // kept connections it has no occasion.
        .retry(retry::never())
        .pool_max_idle_per_host(0)
        .http1_only()
        // It would write secrets to the log.
        .connection_verbose(false)
        // These have no effect unless another crate in the build turned the features on.
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .connect_timeout(connect_timeout)
        .connector_layer(GateLayer)
        .build()
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
