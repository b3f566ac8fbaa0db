//! What the client did wrong, and everything it sent.

use core::fmt;

use ciba_core::{Body, Headers, Timestamp};

use crate::message::{Endpoint, ExchangeId};

/// A rule of the specifications that a client broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// The endpoint takes POST only (CIBA 7.1, 10.1).
    Method,
    /// The body is no form (CIBA 7.1, RFC 6749 3.2).
    MediaType,
    /// A secret, token, assertion, hint or `auth_req_id` stood in a URL, or parameters did.
    ParametersInUrl,
    /// The form cannot be decoded.
    MalformedForm,
    /// A parameter came twice (RFC 6749 3.2).
    DuplicateParameter,
    /// Two credentials in one request (RFC 6749 2.3).
    SecondCredential,
    /// No credential, or one of another method than registered.
    AuthenticationMethod,
    /// The credential is wrong: unknown client, wrong secret, bad signature.
    Credential,
    /// `client_assertion_type` is missing or wrong (RFC 7523 2.2).
    AssertionType,
    /// The assertion is no compact JWS with a proper header, or its algorithm is not registered.
    AssertionForm,
    /// `iss`, `sub`, `exp`, `iat` or `jti` is missing or of the wrong type, or `iss` or `sub` names someone else.
    AssertionClaims,
    /// The assertion has expired, lives for more than 24 hours, or begins in the future.
    AssertionTime,
    /// The assertion is for another audience (CIBA 7.1).
    AssertionAudience,
    /// The assertion's `jti` was used before, at either endpoint (RFC 7523 3).
    AssertionReplay,
    /// The body's `client_id` is another one.
    ClientIdMismatch,
    /// `scope` is missing, malformed or lacks `openid`.
    Scope,
    /// Not exactly one hint.
    Hint,
    /// `requested_expiry` is no positive whole number.
    RequestedExpiry,
    /// `authorization_details`, `claims` or `resource` is malformed.
    Parameter,
    /// Parameters outside of a `request` object, or a `request` of a client not registered for it.
    RequestObject,
    /// A `request` that is no JWS of the registered algorithm with a good signature (CIBA 7.1.1).
    RequestObjectForm,
    /// A claim of a `request` is missing, of the wrong type or wrong (CIBA 7.1.1).
    RequestObjectClaims,
    /// A `request` has expired, begins in the future, or lives for too long.
    RequestObjectTime,
    /// The `jti` of a `request` was used before.
    RequestObjectReplay,
    /// Something about a `request` that is no reason to refuse it: `sub`, `typ`, null, an `aud` that is an endpoint.
    RequestObjectStyle,
    /// A request that FAPI-CIBA does not allow.
    Profile,
    /// No certificate, or not the registered one (RFC 8705 2, 3).
    Certificate,
    /// A client that shows certificates called the main address although there is an alias (RFC 8705 5).
    PlainHost,
    /// An authentication request was sent again after its answer was lost: the person is asked twice.
    RepeatedAuthenticationRequest,
    /// `grant_type` is missing or not the CIBA one.
    GrantType,
    /// `auth_req_id` is missing, or one that was never given to this client.
    AuthReqId,
    /// The CIBA grant from a push client.
    PushClientPolls,
    /// A poll before the interval was over.
    TooEarly,
    /// Two polls of one transaction at the same time.
    Overlap,
    /// A poll before the instant `Retry-After` named.
    BeforeRetryAfter,
    /// A poll at or after the end of the transaction.
    AfterExpiry,
    /// A poll after a terminal error.
    AfterTerminalAnswer,
    /// A poll after the tokens had been delivered: a second redemption.
    AfterSuccess,
    /// A request to an address that only a followed redirect, `jku` or `error_uri` can have named.
    Trap,
    /// `client_notification_token` is missing, too long, no bearer token, or has less than 128 bits (CIBA 7.1).
    NotificationToken,
    /// A good notification was not answered with 204 or 200, or a bad one not as it should be (CIBA 10.2, 10.3.1).
    NotificationAnswer,
    /// A notification was answered with a redirect (CIBA 10.2).
    NotificationRedirect,
    /// A notification with a wrong bearer token was accepted (CIBA 10.2).
    ForgedNotification,
    /// An access token that was never issued, or not sent in the header.
    AccessToken,
}

impl Rule {
    /// A kebab-case name, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::MediaType => "media-type",
            Self::ParametersInUrl => "parameters-in-url",
            Self::MalformedForm => "malformed-form",
            Self::DuplicateParameter => "duplicate-parameter",
            Self::SecondCredential => "second-credential",
            Self::AuthenticationMethod => "authentication-method",
            Self::Credential => "credential",
            Self::AssertionType => "assertion-type",
            Self::AssertionForm => "assertion-form",
            Self::AssertionClaims => "assertion-claims",
            Self::AssertionTime => "assertion-time",
            Self::AssertionAudience => "assertion-audience",
            Self::AssertionReplay => "assertion-replay",
            Self::ClientIdMismatch => "client-id-mismatch",
            Self::Scope => "scope",
            Self::Hint => "hint",
            Self::RequestedExpiry => "requested-expiry",
            Self::Parameter => "parameter",
            Self::RequestObject => "request-object",
            Self::RequestObjectForm => "request-object-form",
            Self::RequestObjectClaims => "request-object-claims",
            Self::RequestObjectTime => "request-object-time",
            Self::RequestObjectReplay => "request-object-replay",
            Self::RequestObjectStyle => "request-object-style",
            Self::Profile => "profile",
            Self::Certificate => "certificate",
            Self::PlainHost => "plain-host",
            Self::RepeatedAuthenticationRequest => "repeated-authentication-request",
            Self::GrantType => "grant-type",
            Self::AuthReqId => "auth-req-id",
            Self::PushClientPolls => "push-client-polls",
            Self::TooEarly => "too-early",
            Self::Overlap => "overlap",
            Self::BeforeRetryAfter => "before-retry-after",
            Self::AfterExpiry => "after-expiry",
            Self::AfterTerminalAnswer => "after-terminal-answer",
            Self::AfterSuccess => "after-success",
            Self::Trap => "trap",
            Self::NotificationToken => "notification-token",
            Self::NotificationAnswer => "notification-answer",
            Self::NotificationRedirect => "notification-redirect",
            Self::ForgedNotification => "forged-notification",
            Self::AccessToken => "access-token",
        }
    }
}

/// One broken rule, with the reason in a sentence. It holds no secret, token, hint or id of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// The request that broke it; for an answer to a notification, the request that began the transaction.
    pub exchange: ExchangeId,
    /// Where it went.
    pub endpoint: Endpoint,
    /// When it came.
    pub at: Timestamp,
    /// What was wrong, for people.
    pub reason: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, exchange, endpoint, reason, .. } = self;
        write!(f, "request {} ({}): {}: {reason}", exchange.0, endpoint.name(), rule.name())
    }
}

/// One request and what became of it. `Debug` shows no body, token or hint.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// Its number.
    pub id: ExchangeId,
    /// Where it went.
    pub endpoint: Endpoint,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// All header fields of the request.
    pub headers: Headers,
    /// The certificate the client showed, by its SHA-256 thumbprint in base64url (RFC 8705 3.1).
    pub certificate: Option<String>,
    /// Scheme, host and port it was sent to, when the transport says so.
    pub origin: Option<String>,
    /// The raw body of the request.
    pub body: Body,
    /// When it arrived.
    pub arrived: Timestamp,
    /// When the last byte of the answer left, or the connection was closed; `None` while it is open.
    pub ended: Option<Timestamp>,
    /// The status of the answer; `None` while there is none, or when the connection was closed without one.
    pub status: Option<u16>,
    /// The `error` member of the answer.
    pub error: Option<String>,
    /// Whether the answer was never sent, or not whole.
    pub lost: bool,
    /// The transaction it belongs to, from 1 in the order of their acknowledgements.
    pub transaction: Option<usize>,
}

impl Exchange {
    /// A form parameter of the request, decoded. Keep it out of logs.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let parameters = crate::form::parse(self.body.expose()).ok()?;
        parameters.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// What a provider has to say about its clients at the end of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// Everything that was wrong, in the order it happened.
    pub violations: Vec<Violation>,
    /// How many requests each endpoint saw, the phone left out.
    pub requests: Vec<(Endpoint, usize)>,
    /// How many transactions were begun.
    pub transactions: usize,
    /// How many of them ended with tokens handed out.
    pub redeemed: usize,
}

impl Report {
    /// Whether no rule was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} transactions, {} redeemed;", self.transactions, self.redeemed)?;
        for (endpoint, count) in &self.requests {
            write!(f, " {} {}", endpoint.name(), count)?;
        }
        if self.is_clean() {
            return f.write_str("\nthe client broke no rule");
        }
        write!(f, "\nthe client broke {} rules:", self.violations.len())?;
        for violation in &self.violations {
            write!(f, "\n  {violation}")?;
        }
        Ok(())
    }
}
