//! HTTP messages that come in and go out, and the ways in which an answer may fail to arrive.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciba_core::{
    Timestamp,
    crypto::Hash,
    http::{Body, Headers, Method, Request, Response},
    named,
};
use x509_cert::{Certificate, der::Decode as _};

use crate::backend::verifier;

/// A request as it arrived. Unlike [`ciba_core::http::Request`] it may have any method and any target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// The method, as sent.
    pub method: String,
    /// The path, beginning with a slash, undecoded.
    pub path: String,
    /// The query without its question mark.
    pub query: Option<String>,
    /// Header fields in their order.
    pub headers: Headers,
    /// The whole body.
    pub body: Body,
    /// The scheme, host and port it was sent to, if the transport knows them. They may be those of
    /// an mTLS alias ([RFC 8705 section 5](https://www.rfc-editor.org/rfc/rfc8705#section-5)).
    pub origin: Option<String>,
    /// The certificate that the client presented on the connection.
    pub certificate: Option<PeerCertificate>,
    /// The number of the connection it came on, if the transport has connections.
    pub connection: Option<u64>,
    /// Whether it came over HTTP/2.
    pub is_http2: bool,
}

/// A certificate that a client presented.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCertificate {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// Whether it was issued by an authority that the listener trusts.
    pub trusted: bool,
}

impl PeerCertificate {
    /// Creates a certificate from what the transport found.
    #[must_use]
    pub fn new(der: impl Into<Vec<u8>>, trusted: bool) -> Self {
        Self { der: der.into(), trusted }
    }

    /// The subject in the form of RFC 4514, the last name first. `None` if this is not a
    /// certificate.
    pub(crate) fn subject(&self) -> Option<String> {
        let certificate = Certificate::from_der(&self.der).ok()?;
        Some(certificate.tbs_certificate().subject().to_string())
    }

    /// `x5t#S256` (RFC 8705 section 3.1).
    pub(crate) fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(verifier().digest(Hash::Sha256, &self.der).as_bytes())
    }
}

impl Incoming {
    /// Creates a request for a target in origin form (`/path?query`).
    #[must_use]
    pub fn new(method: &str, target: &str, headers: Headers, body: impl Into<Body>) -> Self {
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers,
            body: body.into(),
            origin: None,
            certificate: None,
            connection: None,
            is_http2: false,
        }
    }

    /// Creates a GET request.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target, Headers::new(), Vec::new())
    }

    /// Creates a POST request with these form parameters, which it encodes.
    #[must_use]
    pub fn post<'a>(
        target: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let headers = [("content-type", "application/x-www-form-urlencoded")].into_iter().collect();
        Self::new("POST", target, headers, crate::form::encode(parameters))
    }

    /// Sets the certificate that the client presented on the connection.
    #[must_use]
    pub fn certificate(mut self, certificate: PeerCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(name, value);
        self
    }
}

impl From<&Request> for Incoming {
    fn from(request: &Request) -> Self {
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let url = request.url.as_str();
        let after_scheme = url.find("://").map_or(url, |at| &url[at + 3..]);
        let target = after_scheme.find(['/', '?']).map_or("/", |at| &after_scheme[at..]);
        let origin = url.len() - after_scheme.len()
            + after_scheme.find(['/', '?']).unwrap_or(after_scheme.len());
        let incoming = Self::new(method, target, request.headers.clone(), request.body.clone());
        Self { origin: Some(url[..origin].to_owned()), ..incoming }
    }
}

/// The outcome of a request.
///
/// This enum is exhaustive: code that carries requests to a provider has to handle each variant.
#[must_use = "a reply that is not delivered is an answer that never arrives"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Send this answer now.
    Answer(Response),
    /// Wait: call [`Provider::resume`](crate::Provider::resume) at `until`, or earlier, whenever
    /// [`Provider::revision`](crate::Provider::revision) has changed (a decision ends a long poll).
    Hold {
        /// The exchange to resume.
        exchange: ExchangeId,
        /// The latest time to resume it; [`FOREVER`] if it is never answered.
        until: Timestamp,
    },
    /// Close the connection without answering.
    Drop,
    /// Send the head and the first `sent` bytes of the body, then close the connection.
    DropInside {
        /// The answer, which never arrives as a whole.
        response: Response,
        /// The number of bytes of the body to send.
        sent: usize,
    },
    /// Send the answer, then end the connection in this way.
    Close {
        /// The answer.
        response: Response,
        /// How the connection ends.
        closing: Closing,
    },
    /// Send the answer with its body in small pieces.
    Drip {
        /// The answer.
        response: Response,
        /// The number of bytes of the body to send per second.
        bytes_per_second: usize,
    },
    /// Send the head without a length, then repeat the body until the client gives up.
    Endless(Response),
}

impl Reply {
    /// Returns the answer, if it arrives as a whole and at once.
    #[must_use]
    pub fn into_answer(self) -> Option<Response> {
        match self {
            Self::Answer(response) | Self::Close { response, .. } => Some(response),
            Self::Hold { .. }
            | Self::Drop
            | Self::DropInside { .. }
            | Self::Drip { .. }
            | Self::Endless(_) => None,
        }
    }

    /// The answer, if the client is certain to have read it.
    pub(crate) const fn answer(&self) -> Option<&Response> {
        match self {
            Self::Answer(response) | Self::Close { response, .. } => Some(response),
            Self::Hold { .. }
            | Self::Drop
            | Self::DropInside { .. }
            | Self::Drip { .. }
            | Self::Endless(_) => None,
        }
    }
}

named! {
    /// How a server ends a connection that the client may have meant to keep.
    ///
    /// A request that arrives on such a connection in spite of it is recorded and judged
    /// ([`Exchange::unserved`](crate::Exchange::unserved)), but never acted upon.
    #[non_exhaustive]
    pub enum Closing {
        /// With the answer, which announces it: `Connection: close`, or over HTTP/2 a GOAWAY frame.
        Announced = "announced",
        /// Right after the answer and without notice, as a server with a short idle time-out does.
        AtOnce = "at-once",
        /// As soon as the first byte of the next request arrives, while the client still writes. Over
        /// HTTP/2, when the request has arrived.
        AtNextByte = "at-next-byte",
        /// When the next request has arrived as a whole. Without TLS the connection is reset; with TLS
        /// it ends without `close_notify`. Over HTTP/2 only the stream is refused (`REFUSED_STREAM`).
        InNextRequest = "in-next-request",
        /// When the next request has arrived as a whole, over HTTP/2 with a GOAWAY frame by which the
        /// request may have been processed. Without HTTP/2 like [`Self::InNextRequest`].
        GoAway = "go-away",
    }
}

/// A time that never comes.
pub const FOREVER: Timestamp = Timestamp::from_unix_millis(u64::MAX);

/// The number of a request, in the order of arrival, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

named! {
    /// The endpoint that a request goes to.
    #[derive(PartialOrd, Ord)]
    #[non_exhaustive]
    pub enum Endpoint {
        /// The metadata, at either well-known URL.
        Discovery = "discovery",
        /// The key set.
        KeySet = "key-set",
        /// The backchannel authentication endpoint.
        Backchannel = "backchannel",
        /// The token endpoint.
        Token = "token",
        /// UserInfo.
        UserInfo = "userinfo",
        /// The revocation endpoint (RFC 7009).
        Revocation = "revocation",
        /// The authorization endpoint. Metadata has to name one; it refuses every request.
        Authorization = "authorization",
        /// A URL that only clients request that follow what they must not follow: a redirect, a `jku`,
        /// an `error_uri`.
        Trap = "trap",
        /// The page that stands for the user's phone.
        Phone = "phone",
        /// The judge's report as JSON. Only a server has it.
        Report = "report",
        /// The client's notification endpoint, which the provider calls.
        Notification = "notification",
        /// Any other path.
        Unknown = "unknown",
    }
}
