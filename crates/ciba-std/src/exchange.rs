//! One exchange, as far as it does not depend on the HTTP library.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ciba_core::{
    Discovery, Input, Sending, Transmit,
    fault::Cause,
    http::{ExchangeObserver, Request, Response, Unanswered},
};

use crate::KeptConnections;

/// How long a connection, TLS included, may take unless `HttpClient::with_connect_timeout` says
/// otherwise. Shorter than the time-out of any exchange, so that a request to a provider that drops
/// packets is known not to have been sent.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// The `User-Agent` of every request unless `HttpClient::with_user_agent` says otherwise. Some
/// gateways refuse requests without one.
pub const USER_AGENT: &str = concat!("ciba/", env!("CARGO_PKG_VERSION"));

/// The terms of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Whether it may go over a kept connection. Otherwise a connection is made for it, and closed
    /// after it.
    pub may_be_kept: bool,
    /// How long it may take, connecting included.
    pub timeout: Duration,
    /// How many bytes of the answer's body are read.
    pub max_response: usize,
}

impl From<&Transmit> for Terms {
    fn from(transmit: &Transmit) -> Self {
        Self {
            may_be_kept: !transmit.needs_fresh_connection(),
            timeout: transmit.timeout(),
            max_response: transmit.max_response(),
        }
    }
}

impl From<&Discovery> for Terms {
    fn from(discovery: &Discovery) -> Self {
        Self {
            may_be_kept: true,
            timeout: discovery.timeout(),
            max_response: discovery.max_response(),
        }
    }
}

/// Answers a sending with the outcome of its exchange.
pub fn answer(sending: Sending, outcome: Result<Response, Unanswered>) -> Input {
    match outcome {
        Ok(response) => sending.answered(response),
        Err(how) => sending.unanswered(how),
    }
}

/// The clients of the HTTP library, apart for requests with the client certificate and for those
/// without: neither connections nor TLS sessions are shared between the two.
#[derive(Debug, Clone)]
pub struct Lines<L> {
    anonymous: L,
    certified: Option<L>,
}

impl<L> Lines<L> {
    /// Creates lines without a client certificate.
    pub const fn new(anonymous: L) -> Self {
        Self { anonymous, certified: None }
    }

    /// Adds a line that shows the client certificate.
    #[must_use]
    pub fn with_certified(self, certified: L) -> Self {
        Self { certified: Some(certified), ..self }
    }

    /// Returns the line that shows no client certificate.
    pub const fn anonymous(&self) -> &L {
        &self.anonymous
    }

    /// Returns whether there is a line that shows the client certificate.
    pub const fn has_certificate(&self) -> bool {
        self.certified.is_some()
    }

    /// Returns the line for a request.
    ///
    /// # Errors
    ///
    /// [`Unanswered::NotSent`] if the request needs a client certificate and there is none.
    pub fn line_for(&self, transmit: &Transmit) -> Result<&L, Unanswered> {
        match transmit.presents_certificate() {
            true => self.certified.as_ref().ok_or(Unanswered::NotSent(Cause::Local)),
            false => Ok(&self.anonymous),
        }
    }

    /// Changes each line.
    #[must_use]
    pub fn each(mut self, change: impl Fn(&mut L)) -> Self {
        change(&mut self.anonymous);
        self.certified.iter_mut().for_each(change);
        self
    }
}

/// What a line knows beside its clients.
#[derive(Debug, Clone)]
pub struct LineState {
    known: KeptConnections,
    user_agent: Arc<str>,
    observer: ExchangeObserver,
}

impl LineState {
    /// Returns the same settings for another line, whose connections are its own.
    #[must_use]
    pub fn for_another_line(&self) -> Self {
        Self { known: KeptConnections::default(), ..self.clone() }
    }

    /// Sets the value of the header field `User-Agent`.
    pub fn set_user_agent(&mut self, user_agent: &str) {
        self.user_agent = user_agent.into();
    }

    /// Sets the observer of every exchange.
    pub fn set_observer(&mut self, observer: &ExchangeObserver) {
        self.observer = observer.clone();
    }

    /// Returns the header fields to send with a request: its own, and `User-Agent` unless the
    /// request has it.
    pub fn fields<'a>(&'a self, request: &'a Request) -> impl Iterator<Item = (&'a str, &'a str)> {
        let has_own = request.headers.get("user-agent").is_some();
        let user_agent = (!has_own).then_some(("user-agent", &*self.user_agent));
        user_agent.into_iter().chain(request.headers.iter())
    }

    /// Begins an exchange.
    #[must_use]
    pub fn begin<'a>(&'a self, request: &'a Request, terms: &Terms) -> ExchangeBegun<'a> {
        let is_kept = terms.may_be_kept && self.known.may_use(&request.url);
        ExchangeBegun { line: self, request, began: Instant::now(), is_kept }
    }
}

impl Default for LineState {
    fn default() -> Self {
        Self {
            known: KeptConnections::default(),
            user_agent: USER_AGENT.into(),
            observer: ExchangeObserver::default(),
        }
    }
}

/// An exchange that has begun. Its outcome decides which connections may be used afterwards.
#[derive(Debug)]
pub struct ExchangeBegun<'a> {
    line: &'a LineState,
    request: &'a Request,
    began: Instant,
    is_kept: bool,
}

impl ExchangeBegun<'_> {
    /// Returns whether the exchange goes over a kept connection.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Takes the outcome, and calls the observer with it.
    pub fn ended(self, outcome: Result<&Response, Unanswered>) {
        let Self { line, request, began, is_kept } = self;
        match outcome {
            Ok(response) if is_kept => line.known.answered(&request.url, &response.headers),
            Err(Unanswered::Lost(_)) if is_kept => line.known.lost(&request.url),
            _ => {}
        }
        line.observer.tell(request, outcome.map_err(Unanswered::cause), began.elapsed());
    }
}
