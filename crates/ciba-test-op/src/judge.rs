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
    /// `iss`, `sub`, `exp` or `jti` is missing or of the wrong type, `iat` is of the wrong type, or
    /// `iss` or `sub` names someone else.
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
    /// `requested_expiry` is no positive whole number; as advice, it is longer than any transaction
    /// lives here.
    RequestedExpiry,
    /// `authorization_details` is no array of objects with a type (RFC 9396 2).
    AuthorizationDetails,
    /// `resource` is no absolute URI without fragment (RFC 8707 2).
    Resource,
    /// `claims` is no JSON object of the form of OpenID Connect Core 5.5.
    Claims,
    /// `request_context` is no JSON object (FAPI-CIBA 5.3).
    RequestContext,
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
    /// Something about a `request` that is no reason to refuse it: a `sub`, a `typ` of another kind
    /// of token, null, an `aud` that names an endpoint.
    RequestObjectStyle,
    /// A request that FAPI-CIBA does not allow.
    Profile,
    /// No certificate, or not the registered one (RFC 8705 2, 3).
    Certificate,
    /// A client that shows certificates called the main address although there is an alias (RFC
    /// 8705 5).
    PlainHost,
    /// An authentication request was sent again after its answer was lost: the person is asked
    /// twice.
    RepeatedAuthenticationRequest,
    /// `grant_type` is missing, or one this provider or this client does not have.
    GrantType,
    /// A refresh token that was never given to this client, or that was used before (RFC 6749 6,
    /// 10.4).
    RefreshToken,
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
    /// A poll after a terminal error, `expired_token` among them.
    AfterTerminalAnswer,
    /// A poll after the tokens had been delivered: a second redemption.
    AfterSuccess,
    /// A request to an address that only a followed redirect, `jku` or `error_uri` can have named.
    Trap,
    /// `client_notification_token` is missing, too long, no bearer token, or has less than 128 bits
    /// (CIBA 7.1).
    NotificationToken,
    /// A good notification was not answered with 204 or 200, or a bad one not as it should be (CIBA
    /// 10.2, 10.3.1).
    NotificationAnswer,
    /// A notification was answered with a redirect (CIBA 10.2).
    NotificationRedirect,
    /// A notification with a wrong bearer token was accepted (CIBA 10.2).
    ForgedNotification,
    /// An access token that was never issued, or none.
    AccessToken,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 47] = [
        Self::Method,
        Self::MediaType,
        Self::ParametersInUrl,
        Self::MalformedForm,
        Self::DuplicateParameter,
        Self::SecondCredential,
        Self::AuthenticationMethod,
        Self::Credential,
        Self::AssertionType,
        Self::AssertionForm,
        Self::AssertionClaims,
        Self::AssertionTime,
        Self::AssertionAudience,
        Self::AssertionReplay,
        Self::ClientIdMismatch,
        Self::Scope,
        Self::Hint,
        Self::RequestedExpiry,
        Self::AuthorizationDetails,
        Self::Resource,
        Self::Claims,
        Self::RequestContext,
        Self::RequestObject,
        Self::RequestObjectForm,
        Self::RequestObjectClaims,
        Self::RequestObjectTime,
        Self::RequestObjectReplay,
        Self::RequestObjectStyle,
        Self::Profile,
        Self::Certificate,
        Self::PlainHost,
        Self::RepeatedAuthenticationRequest,
        Self::GrantType,
        Self::RefreshToken,
        Self::AuthReqId,
        Self::PushClientPolls,
        Self::TooEarly,
        Self::Overlap,
        Self::BeforeRetryAfter,
        Self::AfterTerminalAnswer,
        Self::AfterSuccess,
        Self::Trap,
        Self::NotificationToken,
        Self::NotificationAnswer,
        Self::NotificationRedirect,
        Self::ForgedNotification,
        Self::AccessToken,
    ];

    /// A kebab-case name, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().0
    }

    /// The sections that say so, such as `CIBA 7.3`.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        self.entry().1
    }

    /// What breaking it usually is: advice where the text says SHOULD, or leaves it open.
    pub(crate) const fn usual_severity(self) -> Severity {
        match self {
            Self::RequestObjectStyle
            | Self::RepeatedAuthenticationRequest
            | Self::BeforeRetryAfter => Severity::Advice,
            _ => Severity::Mistake,
        }
    }

    const fn entry(self) -> (&'static str, &'static str) {
        match self {
            Self::Method => ("method", "CIBA 7.1, 10.1"),
            Self::MediaType => ("media-type", "CIBA 7.1; RFC 6749 3.2"),
            Self::ParametersInUrl => ("parameters-in-url", "CIBA 7.1; RFC 6749 2.3.1"),
            Self::MalformedForm => ("malformed-form", "RFC 6749 appendix B"),
            Self::DuplicateParameter => ("duplicate-parameter", "RFC 6749 3.2"),
            Self::SecondCredential => ("second-credential", "RFC 6749 2.3"),
            Self::AuthenticationMethod => ("authentication-method", "OpenID Connect Core 9"),
            Self::Credential => ("credential", "RFC 6749 5.2"),
            Self::AssertionType => ("assertion-type", "RFC 7523 2.2"),
            Self::AssertionForm => ("assertion-form", "RFC 7523 3; OpenID Connect Core 9"),
            Self::AssertionClaims => ("assertion-claims", "OpenID Connect Core 9"),
            Self::AssertionTime => ("assertion-time", "RFC 7523 3"),
            Self::AssertionAudience => ("assertion-audience", "CIBA 7.1; RFC 7523 3"),
            Self::AssertionReplay => ("assertion-replay", "OpenID Connect Core 9; RFC 7523 3"),
            Self::ClientIdMismatch => ("client-id-mismatch", "RFC 7521 4.2"),
            Self::Scope => ("scope", "CIBA 7.1; RFC 6749 3.3"),
            Self::Hint => ("hint", "CIBA 7.1, 7.2"),
            Self::RequestedExpiry => ("requested-expiry", "CIBA 7.1"),
            Self::AuthorizationDetails => ("authorization-details", "RFC 9396 2, 5"),
            Self::Resource => ("resource", "RFC 8707 2"),
            Self::Claims => ("claims", "OpenID Connect Core 5.5"),
            Self::RequestContext => ("request-context", "FAPI-CIBA 5.3"),
            Self::RequestObject => ("request-object", "CIBA 4, 7.1.1"),
            Self::RequestObjectForm => ("request-object-form", "CIBA 7.1.1"),
            Self::RequestObjectClaims => ("request-object-claims", "CIBA 7.1.1"),
            Self::RequestObjectTime => ("request-object-time", "CIBA 7.1.1; FAPI-CIBA 5.2.2"),
            Self::RequestObjectReplay => ("request-object-replay", "CIBA 7.1.1; RFC 7519 4.1.7"),
            Self::RequestObjectStyle => ("request-object-style", "RFC 9101 4, 10.8"),
            Self::Profile => ("profile", "FAPI-CIBA 5.2.2"),
            Self::Certificate => ("certificate", "RFC 8705 2, 3"),
            Self::PlainHost => ("plain-host", "RFC 8705 5"),
            Self::RepeatedAuthenticationRequest => {
                ("repeated-authentication-request", "RFC 9110 9.2.2")
            }
            Self::GrantType => ("grant-type", "CIBA 10.1; RFC 6749 5.2"),
            Self::RefreshToken => ("refresh-token", "RFC 6749 6, 10.4"),
            Self::AuthReqId => ("auth-req-id", "CIBA 10.1"),
            Self::PushClientPolls => ("push-client-polls", "CIBA 11"),
            Self::TooEarly => ("too-early", "CIBA 7.3"),
            Self::Overlap => ("overlap", "CIBA 10.1"),
            Self::BeforeRetryAfter => ("before-retry-after", "CIBA 10.1; RFC 9110 10.2.3"),
            Self::AfterTerminalAnswer => ("after-terminal-answer", "CIBA 11"),
            Self::AfterSuccess => ("after-success", "CIBA 10.1.1"),
            Self::Trap => ("trap", "RFC 9700 4.12"),
            Self::NotificationToken => ("notification-token", "CIBA 7.1"),
            Self::NotificationAnswer => ("notification-answer", "CIBA 10.2, 10.3.1"),
            Self::NotificationRedirect => ("notification-redirect", "CIBA 10.2"),
            Self::ForgedNotification => ("forged-notification", "CIBA 10.2"),
            Self::AccessToken => ("access-token", "RFC 6750 2, 3"),
        }
    }
}

/// How much it matters that a rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Legal, and better done otherwise.
    Advice,
    /// A specification forbids it.
    Mistake,
}

impl Severity {
    /// `advice` or `mistake`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Mistake => "mistake",
        }
    }
}

/// One broken rule, with the reason in a sentence. It holds no secret, token, hint or id of the
/// request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// Whether it is a mistake or advice.
    pub severity: Severity,
    /// The client: the one that authenticated, or else the one the request names, which is not
    /// proven. `None` when it names none.
    pub client_id: Option<String>,
    /// The request that broke it; for an answer to a notification, the request that began the
    /// transaction.
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
        let Self { rule, exchange, endpoint, reason, client_id, .. } = self;
        write!(f, "request {} ({}", exchange.0, endpoint.name())?;
        if let Some(client) = client_id {
            write!(f, ", client {client:?}")?;
        }
        write!(f, "): {}: {reason} ({})", rule.name(), rule.clause())
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
    /// When the last byte of the answer left, or the connection was closed; `None` while it is
    /// open.
    pub ended: Option<Timestamp>,
    /// The status of the answer; `None` while there is none, or when the connection was closed
    /// without one.
    pub status: Option<u16>,
    /// The `error` member of the answer.
    pub error: Option<String>,
    /// Whether the answer was never sent, or only a part of it.
    pub lost: bool,
    /// Whether it arrived on a connection that the server was already closing. The provider never
    /// acted upon it, and [`Report::requests`](crate::Report::requests) does not count it.
    pub unserved: bool,
    /// The number of the connection it came on, if the transport has connections. The first request
    /// with a number came on a fresh connection.
    pub connection: Option<u64>,
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
