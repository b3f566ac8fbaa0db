//! One exchange, and whom it trusts.

use std::time::Duration;

use ciba_core::{
    Input, Sending,
    http::{Request, Response, Unanswered},
};
use ciba_reqwest::reqwest::{self, ClientBuilder};
use ciba_ureq::{
    ClientCertificate,
    http::CertificateError,
    ureq::{self, config::ConfigBuilder, typestate::AgentScope},
};

use super::{Adapter, Of, block_on};

/// Whom an adapter trusts.
#[derive(Debug, Clone, Copy)]
pub enum Roots<'a> {
    /// Whom the platform trusts.
    Platform,
    /// The authority in a PEM file.
    Ca(&'a str),
}

/// How an HTTP client is made.
#[expect(missing_debug_implementations, reason = "ureq's builder has none")]
pub struct HttpBuilder(Of<Make<ClientBuilder>, Make<ConfigBuilder<AgentScope>>>);

type Make<T> = Box<dyn Fn() -> T + Send + Sync>;

/// Performs exchanges.
#[derive(Debug, Clone)]
pub struct HttpClient(pub(super) Of<ciba_reqwest::HttpClient, ciba_ureq::HttpClient>);

impl Adapter {
    /// A client that uses no proxy; `None` if the roots are no certificates.
    #[must_use]
    pub fn builder(self, roots: Roots<'_>) -> Option<HttpBuilder> {
        Some(HttpBuilder(match (self, roots) {
            (Self::Reqwest, Roots::Platform) => {
                Of::Reqwest(Box::new(|| ciba_reqwest::http::platform_roots().no_proxy()))
            }
            (Self::Reqwest, Roots::Ca(pem)) => {
                let roots = ciba_reqwest::http::with_ca(pem.as_bytes()).ok()?;
                Of::Reqwest(Box::new(move || roots().no_proxy()))
            }
            (Self::Ureq, Roots::Platform) => {
                Of::Ureq(Box::new(|| ciba_ureq::http::platform_roots().proxy(None)))
            }
            (Self::Ureq, Roots::Ca(pem)) => {
                let roots = ciba_ureq::http::with_ca(pem.as_bytes()).ok()?;
                Of::Ureq(Box::new(move || roots().proxy(None)))
            }
        }))
    }

    /// A client that trusts whom the platform trusts, and uses no proxy.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn http(self) -> HttpClient {
        self.builder(Roots::Platform).and_then(HttpBuilder::client).expect("a client")
    }

    /// The same through a proxy.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn http_through(self, proxy: &str) -> HttpClient {
        let builder: HttpBuilder = HttpBuilder(match self {
            Self::Reqwest => {
                let proxy = reqwest::Proxy::all(proxy).expect("a proxy");
                Of::Reqwest(Box::new(move || {
                    ciba_reqwest::http::platform_roots().proxy(proxy.clone())
                }))
            }
            Self::Ureq => {
                let proxy = ureq::Proxy::new(proxy).expect("a proxy");
                Of::Ureq(Box::new(move || {
                    ciba_ureq::http::platform_roots().proxy(Some(proxy.clone()))
                }))
            }
        });
        builder.client().expect("a client")
    }
}

impl HttpBuilder {
    /// The client; `None` if it cannot be made.
    #[must_use]
    pub fn client(self) -> Option<HttpClient> {
        Some(HttpClient(match self.0 {
            Of::Reqwest(builder) => Of::Reqwest(ciba_reqwest::HttpClient::new(builder).ok()?),
            Of::Ureq(builder) => Of::Ureq(ciba_ureq::HttpClient::new(builder).ok()?),
        }))
    }
}

impl HttpClient {
    /// One exchange.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
        max_response: usize,
    ) -> Result<Response, Unanswered> {
        match &self.0 {
            Of::Reqwest(http) => block_on(http.exchange(request, timeout, max_response)),
            Of::Ureq(http) => http.exchange(request, timeout, max_response),
        }
    }

    /// Performs what a flow sends.
    pub fn perform(&self, sending: Sending) -> Input {
        match &self.0 {
            Of::Reqwest(http) => block_on(http.perform(sending)),
            Of::Ureq(http) => http.perform(sending),
        }
    }

    /// With a client certificate for requests that need one.
    ///
    /// # Errors
    ///
    /// When it cannot be used.
    pub fn with_certificate(
        self,
        certificate: ClientCertificate,
    ) -> Result<Self, CertificateError> {
        Ok(Self(match self.0 {
            Of::Reqwest(http) => Of::Reqwest(http.with_certificate(certificate)?),
            Of::Ureq(http) => Of::Ureq(http.with_certificate(certificate)?),
        }))
    }

    /// Saying of itself what it is.
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> Self {
        Self(match self.0 {
            Of::Reqwest(http) => Of::Reqwest(http.with_user_agent(user_agent)),
            Of::Ureq(http) => Of::Ureq(http.with_user_agent(user_agent)),
        })
    }
}
