//! One HTTP exchange, with the promises the protocol needs.

use std::{io::Read as _, time::Duration};

use ciba_core::{Headers, Input, Method, Request, Response, Transmit, Unanswered};
use ureq::{
    Agent,
    config::{AutoHeaderValue, ConfigBuilder},
    http,
    typestate::AgentScope,
    unversioned::resolver::DefaultResolver,
};

use crate::connector::{self, NotingConnector};

/// How long a connection, TLS included, may take unless [`HttpClient::with_connect_timeout`] says otherwise. Shorter than
/// the time-out of any exchange, so that a provider that drops packets leaves time for another attempt.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Performs exchanges. Cheap to clone; all clones share one ureq agent.
///
/// It takes ureq's *builder*, because only so can it promise that
/// - a request is sent once: no redirect is followed, nothing is retried;
/// - any status is an answer;
/// - a body is never read further than the exchange allows;
/// - certificates are verified. Roots, proxies and client certificates stay the caller's.
///
/// Every exchange has a connection of its own. A kept connection may have been closed by the other side unnoticed; an
/// authentication request written to one is lost without anybody having been asked, and may not be repeated. The
/// price, a TLS handshake (resumed where the provider allows it) for requests that are five seconds or more apart, is
/// less than that of an authentication with an unknown outcome.
#[derive(Debug, Clone)]
pub struct HttpClient(Agent);

impl HttpClient {
    /// Sets what is promised and builds the client. Do it once per process and clone it: reading the platform's roots
    /// takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`Unverified`] when the builder turns the verification of certificates off.
    pub fn new(builder: ConfigBuilder<AgentScope>) -> Result<Self, Unverified> {
        Self::with_connect_timeout(builder, CONNECT_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for connecting.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(builder: ConfigBuilder<AgentScope>, limit: Duration) -> Result<Self, Unverified> {
        let config = builder
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding(AutoHeaderValue::None)
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .timeout_connect(Some(limit))
            .build();
        #[cfg(feature = "rustls-no-provider")]
        if config.tls_config().disable_verification() {
            return Err(Unverified);
        }
        Ok(Self(Agent::with_parts(config, NotingConnector::default(), DefaultResolver::default())))
    }

    /// Carries out what a machine asks for and returns the answer for its `handle`.
    pub fn perform(&self, transmit: Transmit) -> Input {
        let (timeout, max_response) = (transmit.timeout(), transmit.max_response());
        let (request, ticket) = transmit.into_parts();
        match self.exchange(&request, timeout, max_response) {
            Ok(response) => ticket.answered(response),
            Err(how) => ticket.unanswered(how),
        }
    }

    /// Sends one request, once.
    ///
    /// # Errors
    ///
    /// [`Unanswered::NotSent`] when no byte of the request left, [`Unanswered::Lost`] when one may have.
    pub fn exchange(&self, request: &Request, timeout: Duration, max_response: usize) -> Result<Response, Unanswered> {
        connector::forget();
        self.attempt(request, timeout, max_response).map_err(|_| {
            // ureq reports refused connections and answers that broke off alike, so the connector says which it was.
            if connector::wrote() { Unanswered::Lost } else { Unanswered::NotSent }
        })
    }

    fn attempt(&self, request: &Request, timeout: Duration, max_response: usize) -> Result<Response, ureq::Error> {
        let mut sending = http::Request::builder().method(request.method.name()).uri(request.url.as_str());
        for (name, value) in request.headers.iter() {
            sending = sending.header(name, value);
        }
        let mut response = match request.method {
            Method::Get => self.run(sending.body(())?, timeout)?,
            Method::Post => self.run(sending.body(request.body.expose())?, timeout)?,
        };
        let status = response.status().as_u16();
        let fields = response.headers().iter();
        let headers: Headers =
            fields.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
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
        timeout: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let request = self.0.configure_request(request).timeout_global(Some(timeout)).build();
        self.0.run(request)
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
