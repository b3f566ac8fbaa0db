//! One HTTP exchange, with the promises the protocol needs.

use std::{
    error::Error,
    io::Read as _,
    sync::Arc,
    time::{Duration, Instant},
};

use ciba_core::{
    Cause, Exchange, ExchangeObserver, Headers, Input, Method, Request, Response, Sending,
    Unanswered, Url,
};
#[cfg(feature = "rustls-no-provider")]
use ureq::tls::TlsConfig;
use ureq::{
    Agent, Proxy,
    config::{AutoHeaderValue, ConfigBuilder},
    http,
    typestate::AgentScope,
};

#[cfg(feature = "rustls-no-provider")]
use crate::{CertificateError, ClientCertificate, certificate::with_certificate};
use crate::{
    cause::unanswered,
    connector::{self, NotingConnector, NotingResolver},
};

/// How long a connection, TLS included, may take unless [`HttpClient::with_connect_timeout`] says
/// otherwise. Shorter than the time-out of any exchange, so that a provider that drops packets
/// leaves time for another attempt.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// What a client says it is unless [`HttpClient::with_user_agent`] says otherwise: some gateways
/// refuse requests that do not say.
pub const USER_AGENT: &str = concat!("ciba/", env!("CARGO_PKG_VERSION"));

/// Where ureq writes all that it sends and receives to the log, at TRACE. It has no switch for
/// that.
const SHOWS_ALL: &str = "ureq_proto::util";

/// Performs exchanges. Cheap to clone; all clones share their agents.
///
/// It takes ureq's *builder* so that it can promise that
/// - a request is sent once: no redirect is followed, nothing is retried;
/// - any status is an answer;
/// - a body is never read further than the exchange allows;
/// - nothing secret reaches the log: ureq writes what it sends and receives to the target
///   `ureq_proto::util` of the crate `log` at TRACE, so while a logger wants that, nothing is sent,
///   and an error there says why. Filter the target out;
/// - certificates are verified. Roots and proxies stay the caller's;
/// - plain HTTP, which only a provider on this machine may speak, goes there directly, past any
///   proxy;
/// - every request says what the client is: `User-Agent`, [`USER_AGENT`] unless the request has one
///   of its own;
/// - the client certificate of [`Self::with_certificate`] is shown where the flow says so, and
///   nowhere else.
///
/// Under TLS 1.3 a server looks at the client certificate only after the handshake is over for the
/// client. So after a handshake that ended with the client's own message, a request over a
/// connection with a client certificate is held back until the server says something, for at most
/// 50 ms: if the server refuses the certificate in that time, the request counts as not sent. Most
/// servers send session tickets at once, which ends the wait.
///
/// Every exchange has a connection of its own. A kept connection may have been closed by the other
/// side unnoticed; an authentication request written to one is lost without the person having been
/// asked, and may not be repeated. The price, a TLS handshake (resumed where the provider allows
/// it) for requests that are five seconds or more apart, is less than that of an authentication
/// with an unknown outcome. So no request goes over a connection that was made under another
/// identity either.
#[derive(Debug, Clone)]
pub struct HttpClient {
    anonymous: Line,
    /// Its own agent, with TLS sessions of its own.
    certified: Option<Line>,
}

/// One agent of the HTTP library: with the client certificate, or without.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    agent: Agent,
    /// In place of the agent's own: with a client certificate, or with the cryptography provider of
    /// this crate.
    #[cfg(feature = "rustls-no-provider")]
    tls: Option<TlsConfig>,
    #[cfg(feature = "rustls-no-provider")]
    connect_timeout: Duration,
    user_agent: Arc<str>,
    proxies: Option<Proxies>,
    observer: ExchangeObserver,
}

/// Chooses the proxy for an address.
#[derive(Clone)]
struct Proxies(Arc<Choose>);

type Choose = dyn Fn(&Url) -> Option<Proxy> + Send + Sync;

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proxies(..)")
    }
}

impl HttpClient {
    /// Sets what is promised and builds the client. Do it once per process and clone it: reading
    /// the platform's roots takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`Unverified`] when the builder turns the verification of certificates off.
    ///
    /// # Panics
    ///
    /// The first connection panics, in ureq, when only the feature `rustls-no-provider` is on, the
    /// builder names no cryptography provider, and no process-wide one of rustls is installed. The
    /// features `rustls` and `rustls-aws-lc-rs` bring one.
    pub fn new(builder: ConfigBuilder<AgentScope>) -> Result<Self, Unverified> {
        Self::with_connect_timeout(builder, CONNECT_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for connecting.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(
        builder: ConfigBuilder<AgentScope>,
        limit: Duration,
    ) -> Result<Self, Unverified> {
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
        builder: ConfigBuilder<AgentScope>,
        certificate: ClientCertificate,
    ) -> Result<Self, CertificateError> {
        let Line { connect_timeout, user_agent, proxies, observer, .. } = self.anonymous.clone();
        let line =
            Line::new(builder, connect_timeout).map_err(|Unverified| CertificateError::Refused)?;
        let tls = Some(with_certificate(line.agent.config().tls_config(), &certificate)?);
        Ok(Self { certified: Some(Line { tls, user_agent, proxies, observer, ..line }), ..self })
    }

    /// Says what the client is in another way than [`USER_AGENT`]: the value of the header field
    /// `User-Agent`.
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> Self {
        let user_agent: Arc<str> = user_agent.into();
        self.each_line(|line| line.user_agent = Arc::clone(&user_agent))
    }

    /// Calls `observe` with every exchange when it is over, for diagnosis: `Display` of
    /// [`Exchange`] shows no value that could be secret or personal. It runs in the middle of a
    /// flow, so it must not take long.
    #[must_use]
    pub fn with_observer(self, observe: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        let observer = ExchangeObserver::new(observe);
        self.each_line(|line| line.observer = observer.clone())
    }

    /// Chooses the proxy for each address, `None` for none, in place of the one proxy of the
    /// builder. It is not asked for plain HTTP.
    #[must_use]
    pub fn with_proxies(
        self,
        choose: impl Fn(&Url) -> Option<Proxy> + Send + Sync + 'static,
    ) -> Self {
        let proxies = Proxies(Arc::new(choose));
        self.each_line(|line| line.proxies = Some(proxies.clone()))
    }

    fn each_line(mut self, change: impl Fn(&mut Line)) -> Self {
        change(&mut self.anonymous);
        self.certified.as_mut().into_iter().for_each(change);
        self
    }

    /// Sends what a machine has to send now and returns the outcome for its `handle`. An exchange
    /// that needs a client certificate where there is none counts as not sent.
    pub fn perform(&self, sending: Sending) -> Input {
        let transmit = sending.transmit();
        let line = if transmit.presents_certificate() {
            self.certified.as_ref()
        } else {
            Some(&self.anonymous)
        };
        let answer = match line {
            Some(line) => {
                line.exchange(sending.request(), transmit.timeout(), transmit.max_response())
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
    pub fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        self.anonymous.exchange(request, timeout, max_response)
    }

    pub(crate) const fn anonymous(&self) -> &Line {
        &self.anonymous
    }

    pub(crate) const fn has_certificate(&self) -> bool {
        self.certified.is_some()
    }
}

impl Line {
    fn new(
        builder: ConfigBuilder<AgentScope>,
        connect_timeout: Duration,
    ) -> Result<Self, Unverified> {
        let config = builder
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding(AutoHeaderValue::None)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .timeout_connect(Some(connect_timeout))
            .build();
        #[cfg(feature = "rustls-no-provider")]
        if config.tls_config().disable_verification() {
            return Err(Unverified);
        }
        Ok(Self {
            #[cfg(feature = "rustls-no-provider")]
            tls: crate::tls::completed(config.tls_config()),
            #[cfg(feature = "rustls-no-provider")]
            connect_timeout,
            user_agent: USER_AGENT.into(),
            observer: ExchangeObserver::default(),
            proxies: None,
            agent: Agent::with_parts(config, NotingConnector::default(), NotingResolver::default()),
        })
    }

    pub(crate) fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        self.explained(request, timeout, max_response).map_err(|(how, _)| how)
    }

    /// An exchange; when it fails, with the reason.
    pub(crate) fn explained(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, (Unanswered, Box<dyn Error + Send + Sync>)> {
        let began = Instant::now();
        let outcome = self.send(request, timeout, max_response);
        self.observer.tell(
            request,
            outcome.as_ref().map_err(|(how, _)| how.cause()),
            began.elapsed(),
        );
        outcome
    }

    fn send(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, (Unanswered, Box<dyn Error + Send + Sync>)> {
        if log::log_enabled!(target: SHOWS_ALL, log::Level::Trace) {
            let why = format!(
                "nothing is sent while the log shows {SHOWS_ALL} at TRACE: ureq would write secrets there"
            );
            log::error!("{why}");
            return Err((Unanswered::NotSent(Cause::Local), why.into()));
        }
        connector::begin();
        self.attempt(request, timeout, max_response).map_err(|error| {
            let how = unanswered(&error, connector::mark());
            (how, error.into_io().into())
        })
    }

    fn attempt(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, ureq::Error> {
        let mut sending =
            http::Request::builder().method(request.method.name()).uri(request.url.as_str());
        if request.headers.get("user-agent").is_none() {
            sending = sending.header("user-agent", &*self.user_agent);
        }
        for (name, value) in request.headers.iter() {
            sending = sending.header(name, value);
        }
        let mut response = match request.method {
            Method::Get => self.run(sending.body(())?, &request.url, timeout)?,
            Method::Post => {
                self.run(sending.body(request.body.expose())?, &request.url, timeout)?
            }
        };
        let status = response.status().as_u16();
        let fields = response.headers().iter();
        let headers: Headers = fields
            .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let mut body = Vec::new();
        let one_more = u64::try_from(max_response).unwrap_or(u64::MAX).saturating_add(1);
        response.body_mut().as_reader().take(one_more).read_to_end(&mut body)?;
        let truncated = body.len() > max_response;
        body.truncate(max_response);
        let mut answer = Response::new(status, headers, body);
        answer.truncated = truncated;
        Ok(answer)
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        request: http::Request<B>,
        url: &Url,
        timeout: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let settings = self.agent.configure_request(request).timeout_global(Some(timeout));
        // An agent's own TLS settings cannot be changed once they are known, so the certificate
        // comes with each request; the connector sees to it that they count as the agent's.
        #[cfg(feature = "rustls-no-provider")]
        let settings = match &self.tls {
            Some(tls) => settings.tls_config(tls.clone()),
            None => settings,
        };
        // Plain HTTP is for providers on this machine, which a proxy would look for on its own, and
        // see what it carries.
        let settings = match &self.proxies {
            _ if url.as_str().starts_with("http://") => settings.proxy(None),
            Some(Proxies(choose)) => settings.proxy(choose(url)),
            None => settings,
        };
        self.agent.run(settings.build())
    }
}

/// The verification of certificates was turned off in the builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unverified;

impl std::fmt::Display for Unverified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("certificates have to be verified; trust a CA of your own instead")
    }
}

impl std::error::Error for Unverified {}
