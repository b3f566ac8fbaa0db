//! What comes in and what goes out: HTTP messages, and how an answer may fail to arrive.

use ciba_core::{Body, Headers, Method, Request, Response, Timestamp};

/// A request as it arrived. Unlike [`ciba_core::Request`] it can be anything: any method, any
/// target.
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
    /// The body, whole.
    pub body: Body,
    /// Scheme, host and port it was sent to, when the transport says so: it may be an alias (RFC
    /// 8705 5).
    pub origin: Option<String>,
    /// The certificate the client showed on the connection.
    pub certificate: Option<PeerCertificate>,
}

/// A client's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCertificate {
    /// The certificate in DER.
    pub der: Vec<u8>,
    /// Whether an authority vouches for it that the listener trusts.
    pub trusted: bool,
}

impl PeerCertificate {
    /// A certificate as a transport found it.
    #[must_use]
    pub fn new(der: impl Into<Vec<u8>>, trusted: bool) -> Self {
        Self { der: der.into(), trusted }
    }
}

impl Incoming {
    /// A request for a target in origin form (`/path?query`).
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
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target, Headers::new(), Vec::new())
    }

    /// A POST of form parameters, encoded here.
    #[must_use]
    pub fn post<'a>(
        target: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let headers = [("content-type", "application/x-www-form-urlencoded")].into_iter().collect();
        Self::new("POST", target, headers, crate::form::encode(parameters))
    }

    /// The same on a connection on which this certificate was shown.
    #[must_use]
    pub fn certificate(mut self, certificate: PeerCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// The same with one more header field.
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

/// The outcome of a request. Exhaustive on purpose: the code that carries requests to the provider
/// has to handle each.
#[must_use = "a reply that nobody delivers is an answer that never came"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Answer at once.
    Answer(Response),
    /// Not yet: call [`Provider::resume`](crate::Provider::resume) at `until`, or earlier, whenever
    /// [`Provider::revision`](crate::Provider::revision) has moved (a long poll is answered at a
    /// decision).
    Hold {
        /// The exchange to resume.
        exchange: ExchangeId,
        /// When it has to be resumed at the latest. [`FOREVER`] when it is never answered.
        until: Timestamp,
    },
    /// The request was read; close the connection without a byte of answer.
    Drop,
    /// Send the head and the first `sent` bytes of the body, then close the connection.
    DropInside {
        /// The answer that does not arrive whole.
        response: Response,
        /// How much of the body leaves.
        sent: usize,
    },
    /// Send the answer with its body in small pieces.
    Drip {
        /// The answer.
        response: Response,
        /// How many bytes of body leave in a second.
        bytes_per_second: usize,
    },
    /// Send the head without a length, then the body again and again until the client gives up.
    Endless(Response),
}

impl Reply {
    /// The answer, when it arrives whole and at once.
    #[must_use]
    pub fn into_answer(self) -> Option<Response> {
        match self {
            Self::Answer(response) => Some(response),
            Self::Hold { .. }
            | Self::Drop
            | Self::DropInside { .. }
            | Self::Drip { .. }
            | Self::Endless(_) => None,
        }
    }
}

/// An instant that never comes.
pub const FOREVER: Timestamp = Timestamp::from_unix_millis(u64::MAX);

/// Counts the requests a provider has seen, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// Either well-known address.
    Discovery,
    /// The key set.
    KeySet,
    /// The backchannel authentication endpoint.
    Backchannel,
    /// The token endpoint.
    Token,
    /// UserInfo.
    UserInfo,
    /// The authorization endpoint, which parsers of metadata want to be named. It refuses
    /// everything.
    Authorization,
    /// An address that only a client finds that follows what it must not follow: a redirect, a
    /// `jku`, an `error_uri`.
    Trap,
    /// The person's phone.
    Phone,
    /// What the judge says so far, as JSON. Only a server has it.
    Report,
    /// The client's own endpoint for notifications, where the provider is the one who calls.
    Notification,
    /// Anything else.
    Unknown,
}

impl Endpoint {
    /// A short lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::KeySet => "key-set",
            Self::Backchannel => "backchannel",
            Self::Token => "token",
            Self::UserInfo => "userinfo",
            Self::Authorization => "authorization",
            Self::Trap => "trap",
            Self::Phone => "phone",
            Self::Report => "report",
            Self::Notification => "notification",
            Self::Unknown => "unknown",
        }
    }
}
