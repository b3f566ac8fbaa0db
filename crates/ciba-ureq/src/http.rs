//! One HTTP exchange, with the guarantees that the protocol needs.

use std::{error::Error, fmt, io::Read as _, sync::Arc, time::Duration};

use ciba_core::{
    Event, Input, KeySetRequest, Sending,
    fault::{Cause, ExchangeProblem},
    http::{Exchange, ExchangeObserver, Method, Request, Response, Unanswered, Url},
};
use ciba_std::{KEPT_IDLE, KEPT_PER_HOST, KeyStep, LineState, Lines, Outgoing, Terms, answer};
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
    connector::{NotingConnector, NotingResolver},
    progress::{Mark, mark, reach, while_allowed},
};

pub use crate::discover::discover;
// The compiler shows this to a program that lacks them: the usual feature first, although it
// enables the other one.
#[cfg(any(feature = "rustls", feature = "rustls-aws-lc-rs", feature = "rustls-no-provider"))]
pub use crate::tls::{platform_roots, trusting};
#[cfg(feature = "rustls-no-provider")]
pub use ciba_std::{Authorities, CaError, CertificateError};
pub use ciba_std::{CONNECT_TIMEOUT, DiscoverError, USER_AGENT, Unverified};

/// The log target at which ureq writes everything that it sends and receives, at TRACE. ureq has no
/// switch for that.
const SHOWS_ALL: &str = "ureq_proto::util";

/// Performs exchanges. Cheap to clone; all clones share their connections.
///
/// It is created from a function that makes ureq's *builder*, so that it can guarantee that
/// - a request is sent once: no redirect is followed, nothing is retried;
/// - any status is an answer;
/// - a body is never read further than the exchange allows;
/// - nothing secret reaches the log: ureq writes what it sends and receives to the target
///   `ureq_proto::util` of the crate `log` at TRACE. While a logger accepts that, nothing is sent,
///   and an error in the log says why. Filter the target out;
/// - certificates are verified. Roots and proxies are the caller's choice;
/// - plain HTTP, which only a provider on this machine may speak, goes there directly, never
///   through a proxy;
/// - every request has a `User-Agent`: [`USER_AGENT`] unless it has one of its own;
/// - the client certificate of [`Self::with_certificate`] is presented to the provider where the
///   flow requires it, and nowhere else: a proxy with an `https://` address does not see it.
///
/// Under TLS 1.3 a server verifies the client certificate only after the handshake is over for the
/// client. So if the client sent the last message of the handshake, a request over a connection
/// with a client certificate is held back until the server sends something, for at most 50 ms. If
/// the server refuses the certificate in that time, the request counts as not sent. Most servers
/// send session tickets at once, which ends the wait.
///
/// # Connections
///
/// The authentication request goes over a connection made for it, which is closed after the answer.
/// The provider may have closed a kept connection unnoticed; an authentication request written to
/// it would be lost without the person having been asked, and must not be repeated.
///
/// All other requests of a flow go over kept connections. At most 128 idle connections are kept for
/// each host, for at most 20 seconds, and those with the client certificate apart from those
/// without. A token request on a dead connection counts as lost and is sent again after its
/// interval; new connections are then made for 20 seconds. A connection is not used around the time
/// at which the provider announced to close it (`Keep-Alive: timeout=5`).
#[derive(Clone)]
pub struct HttpClient {
    // Only a line with a client certificate is made later.
    #[cfg_attr(not(feature = "rustls-no-provider"), expect(dead_code, reason = "no certificate"))]
    make: Arc<Make>,
    pub(crate) lines: Lines<Line>,
}

type Make = dyn Fn() -> ConfigBuilder<AgentScope> + Send + Sync;

/// The agents for requests with the client certificate, or for those without.
#[derive(Clone)]
pub(crate) struct Line {
    /// Closes its connections after each exchange.
    fresh: Agent,
    kept: Agent,
    // Only a line with a client certificate is made later.
    #[cfg_attr(not(feature = "rustls-no-provider"), expect(dead_code, reason = "no certificate"))]
    connect_timeout: Duration,
    proxies: Option<Proxies>,
    state: LineState,
}

/// Chooses the proxy for an address.
#[derive(Clone)]
struct Proxies(Arc<Choose>);

type Choose = dyn Fn(&Url) -> Option<Proxy> + Send + Sync;

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
    /// [`Unverified`] if the builder turns the verification of certificates off.
    ///
    /// # Panics
    ///
    /// With the feature `rustls-no-provider` alone, ureq panics at the first connection if the
    /// builder names no cryptography provider and no process-wide one of rustls is installed. The
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

    /// As [`Self::new`], with another limit for connecting than [`CONNECT_TIMEOUT`].
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(
        make: impl Fn() -> ConfigBuilder<AgentScope> + Send + Sync + 'static,
        limit: Duration,
    ) -> Result<Self, Unverified> {
        #[cfg(feature = "rustls-no-provider")]
        let line = {
            let tls = make().build().tls_config().clone();
            if tls.disable_verification() {
                return Err(Unverified);
            }
            let tls = crate::tls::completed(&tls).unwrap_or(tls);
            Line::new(&|| make().tls_config(tls.clone()), limit)
        };
        #[cfg(not(feature = "rustls-no-provider"))]
        let line = Line::new(&make, limit);
        Ok(Self { make: Arc::new(make), lines: Lines::new(line) })
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
        let tls = with_certificate((self.make)().build().tls_config(), &certificate)?;
        let make = || (self.make)().tls_config(tls.clone());
        let Line { connect_timeout, proxies, state, .. } = self.lines.anonymous();
        let (proxies, state) = (proxies.clone(), state.for_another_line());
        let line = Line { proxies, state, ..Line::new(&make, *connect_timeout) };
        Ok(Self { lines: self.lines.with_certified(line), ..self })
    }

    /// Sends another `User-Agent` than [`USER_AGENT`].
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> Self {
        self.each_line(|line| line.state.set_user_agent(user_agent))
    }

    /// Calls `observe` with every exchange when it is over, for diagnosis. `Display` of
    /// [`Exchange`] shows no value that could be secret or personal. The function runs in the
    /// middle of a flow, so it must return quickly.
    #[must_use]
    pub fn with_observer(self, observe: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        let observer = ExchangeObserver::new(observe);
        self.each_line(|line| line.state.set_observer(&observer))
    }

    /// Chooses the proxy for each address, `None` for none, instead of the one proxy of the
    /// builder. Not called for plain HTTP.
    #[must_use]
    pub fn with_proxies(
        self,
        choose: impl Fn(&Url) -> Option<Proxy> + Send + Sync + 'static,
    ) -> Self {
        let proxies = Proxies(Arc::new(choose));
        self.each_line(|line| line.proxies = Some(proxies.clone()))
    }

    fn each_line(self, change: impl Fn(&mut Line)) -> Self {
        Self { lines: self.lines.each(change), ..self }
    }

    /// Sends the request of a flow and returns the outcome for the flow's `handle`. A request that
    /// needs a client certificate counts as not sent if there is none.
    pub fn perform(&self, sending: Sending) -> Input {
        let (request, transmit) = (sending.request(), sending.transmit());
        let outcome = self
            .lines
            .line_for(transmit)
            .and_then(|line| line.attempt(request, &Terms::from(transmit)).map_err(|(how, _)| how));
        answer(sending, outcome)
    }

    /// As [`Self::perform`], if the gate still lets the request pass right before its first byte.
    pub(crate) fn perform_if(&self, outgoing: Outgoing) -> Input {
        while_allowed(outgoing.gate, || self.perform(outgoing.sending))
    }

    /// Answers a flow's question for keys, and fetches them if a fetch is due.
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
    /// [`ExchangeProblem`] if they are unavailable now. A flow would ask again.
    pub fn prefetch_keys(&self, keys: &Keys, clock: &dyn Clock) -> Result<(), ExchangeProblem> {
        while let Some(sending) = keys.prefetch(clock)? {
            keys.fetched(self.perform(sending), clock);
        }
        Ok(())
    }

    /// Sends one request, once, over a connection made for it, without the client certificate.
    ///
    /// # Errors
    ///
    /// [`Unanswered::NotSent`] if the provider did not get the request, [`Unanswered::Lost`] if it
    /// may have.
    pub fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        let terms = Terms { may_be_kept: false, timeout, max_response };
        self.lines.anonymous().attempt(request, &terms).map_err(|(how, _)| how)
    }
}

/// Shows nothing: ureq would print the settings of the caller's builder, which may hold secrets.
impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").finish_non_exhaustive()
    }
}

/// Why there is no answer: whether the request was sent, and the error of ureq.
type Failed = (Unanswered, Box<dyn Error + Send + Sync>);

impl Line {
    fn new(make: &dyn Fn() -> ConfigBuilder<AgentScope>, connect_timeout: Duration) -> Self {
        let fresh = guaranteed(make(), connect_timeout)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0);
        // The endpoints of one provider are on a few hosts.
        let kept = guaranteed(make(), connect_timeout)
            .max_idle_connections(4 * KEPT_PER_HOST)
            .max_idle_connections_per_host(KEPT_PER_HOST)
            .max_idle_age(KEPT_IDLE);
        let (fresh, kept) = (agent(fresh), agent(kept));
        Self { fresh, kept, connect_timeout, proxies: None, state: LineState::default() }
    }

    /// Performs an exchange.
    pub(crate) fn attempt(&self, request: &Request, terms: &Terms) -> Result<Response, Failed> {
        let begun = self.state.begin(request, terms);
        let agent = if begun.is_kept() { &self.kept } else { &self.fresh };
        let outcome = self.send(agent, request, terms);
        begun.ended(outcome.as_ref().map_err(|(how, _)| *how));
        outcome
    }

    fn send(&self, agent: &Agent, request: &Request, terms: &Terms) -> Result<Response, Failed> {
        if log::log_enabled!(target: SHOWS_ALL, log::Level::Trace) {
            let why = format!(
                "nothing is sent while the log shows {SHOWS_ALL} at TRACE: ureq would write secrets there"
            );
            log::error!("{why}");
            return Err((Unanswered::NotSent(Cause::Local), why.into()));
        }
        reach(Mark::Resolving);
        self.exchange(agent, request, terms)
            .map_err(|error| (unanswered(&error, mark()), error.into_io().into()))
    }

    fn exchange(
        &self,
        agent: &Agent,
        request: &Request,
        terms: &Terms,
    ) -> Result<Response, ureq::Error> {
        let mut sending =
            http::Request::builder().method(request.method.name()).uri(request.url.as_str());
        for (name, value) in self.state.fields(request) {
            sending = sending.header(name, value);
        }
        let (url, body) = (&request.url, request.body.expose());
        let response = match request.method {
            Method::Get => self.run(agent, sending.body(())?, url, terms)?,
            Method::Post => self.run(agent, sending.body(body)?, url, terms)?,
        };
        read(response, terms.max_response)
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        agent: &Agent,
        request: http::Request<B>,
        url: &Url,
        terms: &Terms,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let settings = agent.configure_request(request).timeout_global(Some(terms.timeout));
        // Plain HTTP is for providers on this machine: a proxy would look for the provider on its
        // own machine, and see what the request carries.
        let settings = match &self.proxies {
            _ if url.scheme() == "http" => settings.proxy(None),
            Some(Proxies(choose)) => settings.proxy(choose(url)),
            None => settings,
        };
        agent.run(settings.build())
    }
}

fn read(
    response: http::Response<ureq::Body>,
    max_response: usize,
) -> Result<Response, ureq::Error> {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let one_more = u64::try_from(max_response).unwrap_or(u64::MAX).saturating_add(1);
    body.as_reader().take(one_more).read_to_end(&mut bytes)?;
    let truncated = bytes.len() > max_response;
    bytes.truncate(max_response);
    Ok(Response::from_http(&head, bytes, truncated))
}

/// The buffers of a connection, in bytes. ureq's own are 128 KiB each, which every authentication
/// request would allocate and clear. The head of a response must fit into the first one: ureq reads
/// heads of at most 64 KiB.
const INPUT_BUFFER: usize = 66 * 1024;
/// One record of TLS.
const OUTPUT_BUFFER: usize = 16 * 1024;

/// Sets what is guaranteed, and what an exchange costs.
fn guaranteed(
    builder: ConfigBuilder<AgentScope>,
    connect_timeout: Duration,
) -> ConfigBuilder<AgentScope> {
    builder
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .accept_encoding(AutoHeaderValue::None)
        .timeout_connect(Some(connect_timeout))
        .input_buffer_size(INPUT_BUFFER)
        .output_buffer_size(OUTPUT_BUFFER)
}

fn agent(builder: ConfigBuilder<AgentScope>) -> Agent {
    Agent::with_parts(builder.build(), <NotingConnector>::default(), <NotingResolver>::default())
}
