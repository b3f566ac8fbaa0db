//! One HTTP exchange, with the promises the protocol needs.

use std::time::Duration;

use ciba_core::{Headers, Input, Method, Request, Response, Transmit, Unanswered};
use reqwest::{ClientBuilder, redirect, retry};

/// How long a connection, TLS included, may take unless [`HttpClient::with_connect_timeout`] says otherwise. Shorter than
/// the time-out of any exchange, so that a provider that drops packets is known not to have been reached.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Performs exchanges. Cheap to clone; all clones share one reqwest client.
///
/// It takes reqwest's *builder*, because only so can it promise that
/// - a request is sent once: no redirect is followed and nothing is retried, neither by reqwest nor underneath;
/// - any status is an answer;
/// - a body is never decompressed, and never read further than the exchange allows;
/// - certificates are verified. Roots, proxies, resolvers, client identities stay the caller's.
///
/// Every exchange has a connection of its own, over HTTP/1.1. A kept connection may have been closed by the other side
/// unnoticed; an authentication request written to one is lost without anybody having been asked, and may not be
/// repeated. The price, a TLS handshake (resumed where the provider allows it) for requests that are five seconds or
/// more apart, is less than that of an authentication with an unknown outcome.
#[derive(Debug, Clone)]
pub struct HttpClient(reqwest::Client);

impl HttpClient {
    /// Sets what is promised and builds the client. Do it once per process and clone it: reading the platform's roots
    /// takes milliseconds.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up.
    pub fn new(builder: ClientBuilder) -> reqwest::Result<Self> {
        Self::with_connect_timeout(builder, CONNECT_TIMEOUT)
    }

    /// As [`Self::new`], with another limit for connecting. A connection that takes longer counts as not made; one that
    /// outlasts the whole exchange's time-out counts as *lost* instead.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn with_connect_timeout(builder: ClientBuilder, limit: Duration) -> reqwest::Result<Self> {
        #[cfg(feature = "rustls-no-provider")]
        let builder = builder.tls_danger_accept_invalid_certs(false).tls_danger_accept_invalid_hostnames(false);
        let client = builder
            .redirect(redirect::Policy::none())
            .referer(false)
            // reqwest by itself repeats what HTTP/2 servers refuse. Below it, hyper-util repeats a request that a kept
            // connection had not begun to write, and offers no switch here; without kept connections it has no occasion.
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .http1_only()
            // These have no effect unless another crate in the build turned the features on.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .connect_timeout(limit)
            .build()?;
        Ok(Self(client))
    }

    /// Carries out what a machine asks for and returns the answer for its `handle`.
    ///
    /// Dropping the future leaves the question unanswered; see [`Driver::drive`](crate::Driver::drive) for a loop that
    /// takes care of it.
    pub async fn perform(&self, transmit: Transmit) -> Input {
        let (timeout, max_response) = (transmit.timeout(), transmit.max_response());
        let (request, ticket) = transmit.into_parts();
        match self.exchange(&request, timeout, max_response).await {
            Ok(response) => ticket.answered(response),
            Err(how) => ticket.unanswered(how),
        }
    }

    /// Sends one request, once.
    ///
    /// # Errors
    ///
    /// [`Unanswered::NotSent`] when no byte of the request left, [`Unanswered::Lost`] when one may have.
    pub async fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut sending = self.0.request(method, request.url.as_str()).timeout(timeout);
        for (name, value) in request.headers.iter() {
            sending = sending.header(name, value);
        }
        if request.method == Method::Post {
            sending = sending.body(request.body.expose().to_vec());
        }
        let response = sending.send().await.map_err(|error| unanswered(&error))?;
        read(response, max_response).await
    }
}

/// Errors of the connector (name, TCP, proxy tunnel, TLS) and of a request that could not even be built come before the
/// first byte; of all others it is not known.
fn unanswered(error: &reqwest::Error) -> Unanswered {
    if error.is_connect() || error.is_builder() { Unanswered::NotSent } else { Unanswered::Lost }
}

async fn read(mut response: reqwest::Response, max_response: usize) -> Result<Response, Unanswered> {
    let status = response.status().as_u16();
    let fields = response.headers().iter();
    let headers: Headers =
        fields.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()))).collect();
    let mut body = Vec::new();
    let mut truncated = false;
    while !truncated {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = max_response - body.len();
                truncated = chunk.len() > room;
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Ok(None) => break,
            Err(_) => return Err(Unanswered::Lost),
        }
    }
    let mut answer = Response::new(status, headers, body);
    answer.truncated = truncated;
    Ok(answer)
}
