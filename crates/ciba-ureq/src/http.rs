//! One HTTP exchange, with the promises the protocol needs.

use std::{
    error::Error,
    io::Read as _,
    sync::Arc,
    time::{Duration, Instant},
};

use ciba_core::{
    Event, Input, KeySetRequest, Sending,
    fault::{Cause, ExchangeProblem},
    http::{Exchange, ExchangeObserver, Headers, Method, Request, Response, Unanswered, Url},
};
use ciba_std::{Gate, KEPT_IDLE, KEPT_PER_HOST, KeptConnections, KeyStep};
use ureq::{
    Agent, Proxy,
    config::{AutoHeaderValue, ConfigBuilder},
    http,
    typestate::AgentScope,
};

#[cfg(feature = "rustls-no-provider")]
use crate::{ClientCertificate, certificate::with_certificate};
use crate::{
    Clock, Keys,
    cause::unanswered,
    connector::{self, NotingConnector, NotingResolver},
};

pub use crate::discover::{discover, discover_with};
// The compiler shows this to a program that lacks them: the usual feature first, although it
// enables the other one.
#[cfg(any(feature = "rustls", feature = "rustls-aws-lc-rs", feature = "rustls-no-provider"))]
pub use crate::tls::{platform_roots, with_ca};
pub use ciba_std::DiscoverError;
#[cfg(feature = "rustls-no-provider")]
pub use ciba_std::{CaError, CertificateError};

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

/// Performs exchanges. Cheap to clone; all clones share their connections.
///
/// It takes a function that makes ureq's *builder* so that it can promise that
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
/// # Connections
///
/// The authentication request goes over a connection made for it, which is closed after the answer.
/// A kept connection may have been closed by the other side unnoticed; an authentication request
/// written to one is lost without the person having been asked, and may not be repeated.
///
/// All other requests that a flow asks for go over kept connections. At most 128 idle connections are
/// kept for each host, for at most 20 seconds, and those with the client certificate apart from
/// those without. A token request that meets a dead connection counts as lost and is asked again
/// after its interval; after that, connections are made anew for 20 seconds. Nor is a connection
/// used at the time at which the provider announced to close it (`Keep-Alive: timeout=5`).
#[derive(Clone)]
pub struct HttpClient {
    make: Arc<Make>,
    anonymous: Line,
    /// Its own agents, with connections and TLS sessions of their own.
    certified: Option<Line>,
}

type Make = dyn Fn() -> ConfigBuilder<AgentScope> + Send + Sync;

/// What goes with the client certificate, or what goes without.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Closes its connections after each exchange.
    fresh: Agent,
    kept: Agent,
    known: KeptConnections,
    #[cfg(feature = "rustls-no-provider")]
    connect_timeout: Duration,
    user_agent: Arc<str>,
    proxies: Option<Proxies>,
    observer: ExchangeObserver,
}

/// How an exchange is to be done.
pub(crate) struct Terms {
    /// Whether it may go over a kept connection.
    pub(crate) is_kept: bool,
    pub(crate) timeout: Duration,
    pub(crate) max_response: usize,
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
    ///
    /// # Examples
    ///
    /// ```
    /// use ciba_ureq::{HttpClient, ureq::Proxy, http::platform_roots};
    ///
    /// let http = HttpClient::new(platform_roots)?;
    /// let proxy = Proxy::new("http://proxy.example:3128").expect("an address");
    /// let proxied = HttpClient::new(move || platform_roots().proxy(Some(proxy.clone())))?;
    /// # Ok::<(), ciba_ureq::http::Unverified>(())
    /// ```
    pub fn new(
        make: impl Fn() -> ConfigBuilder<AgentScope> + Send + Sync + 'static,
    ) -> Result<Self, Unverified> {
        Self::with_connect_timeout(make, CONNECT_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for connecting.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(
        make: impl Fn() -> ConfigBuilder<AgentScope> + Send + Sync + 'static,
        limit: Duration,
    ) -> Result<Self, Unverified> {
        #[cfg(feature = "rustls-no-provider")]
        let anonymous = {
            let tls = make().build().tls_config().clone();
            if tls.disable_verification() {
                return Err(Unverified);
            }
            let tls = crate::tls::completed(&tls).unwrap_or(tls);
            Line::new(&|| make().tls_config(tls.clone()), limit)
        };
        #[cfg(not(feature = "rustls-no-provider"))]
        let anonymous = Line::new(&make, limit);
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
        let Line { connect_timeout, user_agent, proxies, observer, .. } = self.anonymous.clone();
        let tls = with_certificate((self.make)().build().tls_config(), &certificate)?;
        let line = Line::new(&|| (self.make)().tls_config(tls.clone()), connect_timeout);
        Ok(Self { certified: Some(Line { user_agent, proxies, observer, ..line }), ..self })
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
        self.send(sending)
    }

    /// The same; the request leaves only if the gate says so right before its first byte.
    pub(crate) fn perform_if(&self, sending: Sending, gate: Gate) -> Input {
        connector::while_allowed(gate, || self.send(sending))
    }

    fn send(&self, sending: Sending) -> Input {
        let transmit = sending.transmit();
        let line = if transmit.presents_certificate() {
            self.certified.as_ref()
        } else {
            Some(&self.anonymous)
        };
        let terms = Terms {
            is_kept: !transmit.needs_fresh_connection(),
            timeout: transmit.timeout(),
            max_response: transmit.max_response(),
        };
        let answer = match line {
            Some(line) => line.explained(sending.request(), &terms).map_err(|(how, _)| how),
            None => Err(Unanswered::NotSent(Cause::Local)),
        };
        match answer {
            Ok(response) => sending.answered(response),
            Err(how) => sending.unanswered(how),
        }
    }

    /// Answers a flow's question for keys, with a fetch when one is due.
    pub fn find_keys(
        &self,
        keys: &Keys,
        mut question: KeySetRequest,
        clock: &dyn Clock,
        progress: &mut dyn FnMut(&Event),
    ) -> Input {
        loop {
            match keys.step(question, clock, progress) {
                KeyStep::Answer(answer) => return answer,
                KeyStep::Fetch(sending, asked) => {
                    keys.fetched(self.perform(sending), clock);
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
    pub fn prefetch_keys(&self, keys: &Keys, clock: &dyn Clock) -> Result<(), ExchangeProblem> {
        while let Some(sending) = keys.prefetch(clock)? {
            keys.fetched(self.perform(sending), clock);
        }
        Ok(())
    }

    /// Sends one request, once, over a connection made for it, and shows no client certificate.
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
        let terms = Terms { is_kept: false, timeout, max_response };
        self.anonymous.explained(request, &terms).map_err(|(how, _)| how)
    }

    pub(crate) const fn anonymous(&self) -> &Line {
        &self.anonymous
    }

    pub(crate) const fn has_certificate(&self) -> bool {
        self.certified.is_some()
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("anonymous", &self.anonymous)
            .field("certified", &self.certified)
            .finish_non_exhaustive()
    }
}

impl Line {
    fn new(make: &dyn Fn() -> ConfigBuilder<AgentScope>, connect_timeout: Duration) -> Self {
        let fresh = promising(make(), connect_timeout)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0);
        // The bound for all hosts together is for those of one provider.
        let kept = promising(make(), connect_timeout)
            .max_idle_connections(4 * KEPT_PER_HOST)
            .max_idle_connections_per_host(KEPT_PER_HOST)
            .max_idle_age(KEPT_IDLE);
        Self {
            fresh: agent(fresh),
            kept: agent(kept),
            known: KeptConnections::default(),
            #[cfg(feature = "rustls-no-provider")]
            connect_timeout,
            user_agent: USER_AGENT.into(),
            observer: ExchangeObserver::default(),
            proxies: None,
        }
    }

    /// An exchange; when it fails, with the reason.
    pub(crate) fn explained(
        &self,
        request: &Request,
        terms: &Terms,
    ) -> Result<Response, (Unanswered, Box<dyn Error + Send + Sync>)> {
        let began = Instant::now();
        let is_kept = terms.is_kept && self.known.may_use(&request.url);
        let outcome = self.send(request, &Terms { is_kept, ..*terms });
        match &outcome {
            Ok(response) if is_kept => self.known.answered(&request.url, &response.headers),
            Err((Unanswered::Lost(_), _)) if is_kept => self.known.lost(&request.url),
            _ => {}
        }
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
        terms: &Terms,
    ) -> Result<Response, (Unanswered, Box<dyn Error + Send + Sync>)> {
        if log::log_enabled!(target: SHOWS_ALL, log::Level::Trace) {
            let why = format!(
                "nothing is sent while the log shows {SHOWS_ALL} at TRACE: ureq would write secrets there"
            );
            log::error!("{why}");
            return Err((Unanswered::NotSent(Cause::Local), why.into()));
        }
        connector::begin();
        self.attempt(request, terms).map_err(|error| {
            let how = unanswered(&error, connector::mark());
            (how, error.into_io().into())
        })
    }

    fn attempt(&self, request: &Request, terms: &Terms) -> Result<Response, ureq::Error> {
        let max_response = terms.max_response;
        let mut sending =
            http::Request::builder().method(request.method.name()).uri(request.url.as_str());
        if request.headers.get("user-agent").is_none() {
            sending = sending.header("user-agent", &*self.user_agent);
        }
        for (name, value) in request.headers.iter() {
            sending = sending.header(name, value);
        }
        let mut response = match request.method {
            Method::Get => self.run(sending.body(())?, &request.url, terms)?,
            Method::Post => self.run(sending.body(request.body.expose())?, &request.url, terms)?,
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
        terms: &Terms,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let agent = if terms.is_kept { &self.kept } else { &self.fresh };
        let settings = agent.configure_request(request).timeout_global(Some(terms.timeout));
        // Plain HTTP is for providers on this machine, which a proxy would look for on its own, and
        // see what it carries.
        let settings = match &self.proxies {
            _ if url.as_str().starts_with("http://") => settings.proxy(None),
            Some(Proxies(choose)) => settings.proxy(choose(url)),
            None => settings,
        };
        agent.run(settings.build())
    }
}

/// A builder that keeps what is promised.
fn promising(
    builder: ConfigBuilder<AgentScope>,
    connect_timeout: Duration,
) -> ConfigBuilder<AgentScope> {
    builder
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept_encoding(AutoHeaderValue::None)
        .timeout_connect(Some(connect_timeout))
}

fn agent(builder: ConfigBuilder<AgentScope>) -> Agent {
    Agent::with_parts(builder.build(), NotingConnector::default(), NotingResolver::default())
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
