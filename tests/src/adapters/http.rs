//! A single exchange, and the certificates that it trusts.

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

/// The certificates that an adapter trusts.
#[derive(Debug, Clone, Copy)]
pub enum Roots<'a> {
    /// Those of the platform.
    Platform,
    /// The authority in a PEM file.
    Ca(&'a str),
}

/// The options of an HTTP client.
#[expect(missing_debug_implementations, reason = "ureq's builder has none")]
pub struct HttpBuilder(Of<Make<ClientBuilder>, Make<ConfigBuilder<AgentScope>>>);

type Make<T> = Box<dyn Fn() -> T + Send + Sync>;

/// Performs exchanges.
#[derive(Debug, Clone)]
pub struct HttpClient(pub(super) Of<ciba_reqwest::HttpClient, ciba_ureq::HttpClient>);

impl Adapter {
    /// Creates a client without a proxy, or `None` if the roots are not certificates.
    #[must_use]
    pub fn builder(self, roots: Roots<'_>) -> Option<HttpBuilder> {
        Some(HttpBuilder(match (self, roots) {
            (Self::Reqwest, Roots::Platform) => {
                Of::Reqwest(Box::new(|| ciba_reqwest::http::platform_roots().no_proxy()))
            }
            (Self::Reqwest, Roots::Ca(pem)) => {
                let roots = ciba_reqwest::http::trusting(&ciba_reqwest::http::Authorities::Only(
                    pem.into(),
                ))
                .ok()?;
                Of::Reqwest(Box::new(move || roots().no_proxy()))
            }
            (Self::Ureq, Roots::Platform) => {
                Of::Ureq(Box::new(|| ciba_ureq::http::platform_roots().proxy(None)))
            }
            (Self::Ureq, Roots::Ca(pem)) => {
                let roots =
                    ciba_ureq::http::trusting(&ciba_ureq::http::Authorities::Only(pem.into()))
                        .ok()?;
                Of::Ureq(Box::new(move || roots().proxy(None)))
            }
        }))
    }

    /// Creates a client that trusts the certificates of the platform and uses no proxy.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn http(self) -> HttpClient {
        self.builder(Roots::Platform).and_then(HttpBuilder::client).expect("a client")
    }

    /// Creates the same client with a proxy.
    ///
    /// # Panics
    ///
    /// When it cannot be made.
    #[must_use]
    pub fn http_through(self, proxy: &str) -> HttpClient {
        let builder = self.builder(Roots::Platform).map(|builder| builder.through(proxy));
        builder.and_then(HttpBuilder::client).expect("a client")
    }
}

impl HttpBuilder {
    /// Uses a proxy.
    ///
    /// # Panics
    ///
    /// When it is not the address of one.
    #[must_use]
    pub fn through(self, proxy: &str) -> Self {
        Self(match self.0 {
            Of::Reqwest(make) => {
                let proxy = reqwest::Proxy::all(proxy).expect("a proxy");
                Of::Reqwest(Box::new(move || make().proxy(proxy.clone())))
            }
            Of::Ureq(make) => {
                let proxy = ureq::Proxy::new(proxy).expect("a proxy");
                Of::Ureq(Box::new(move || make().proxy(Some(proxy.clone()))))
            }
        })
    }

    /// Creates the client, or returns `None` if that is not possible.
    #[must_use]
    pub fn client(self) -> Option<HttpClient> {
        Some(HttpClient(match self.0 {
            Of::Reqwest(builder) => Of::Reqwest(ciba_reqwest::HttpClient::new(builder).ok()?),
            Of::Ureq(builder) => Of::Ureq(ciba_ureq::HttpClient::new(builder).ok()?),
        }))
    }
}

impl HttpClient {
    /// Performs an exchange.
    ///
    /// # Errors
    ///
    /// Returns the reason if there is no answer.
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

    /// Performs an exchange of a flow.
    pub fn perform(&self, sending: Sending) -> Input {
        match &self.0 {
            Of::Reqwest(http) => block_on(http.perform(sending)),
            Of::Ureq(http) => http.perform(sending),
        }
    }

    /// Sets the client certificate for requests that require one.
    ///
    /// # Errors
    ///
    /// Returns an error if it cannot be used.
    pub fn with_certificate(
        self,
        certificate: ClientCertificate,
    ) -> Result<Self, CertificateError> {
        Ok(Self(match self.0 {
            Of::Reqwest(http) => Of::Reqwest(http.with_certificate(certificate)?),
            Of::Ureq(http) => Of::Ureq(http.with_certificate(certificate)?),
        }))
    }

    /// Sets the `User-Agent`.
    #[must_use]
    pub fn with_user_agent(self, user_agent: &str) -> Self {
        Self(match self.0 {
            Of::Reqwest(http) => Of::Reqwest(http.with_user_agent(user_agent)),
            Of::Ureq(http) => Of::Ureq(http.with_user_agent(user_agent)),
        })
    }
}
