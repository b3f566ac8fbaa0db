//! What clients did wrong, and the record of what they sent.

use core::fmt;

use ciba_core::{
    Timestamp,
    http::{Body, Headers},
    named,
};

use crate::message::{Endpoint, ExchangeId};

named! {
    /// A rule of the specifications that a client broke. Its name is stable.
    #[derive(PartialOrd, Ord)]
    #[non_exhaustive]
    pub enum Rule {
        /// The endpoint takes POST only (CIBA 7.1, 10.1).
        Method = "method",
        /// The body is not a form (CIBA 7.1, RFC 6749 3.2).
        MediaType = "media-type",
        /// A URL contains a secret, a token, an assertion, a hint, an `auth_req_id` or parameters.
        ParametersInUrl = "parameters-in-url",
        /// The form cannot be decoded.
        MalformedForm = "malformed-form",
        /// A parameter occurs twice (RFC 6749 3.2).
        DuplicateParameter = "duplicate-parameter",
        /// A request has two credentials (RFC 6749 2.3).
        SecondCredential = "second-credential",
        /// The credential is missing, or its method is not the registered one.
        AuthenticationMethod = "authentication-method",
        /// The credential is wrong: unknown client, wrong secret, bad signature.
        Credential = "credential",
        /// `client_assertion_type` is missing or wrong (RFC 7523 2.2).
        AssertionType = "assertion-type",
        /// The assertion is not a compact JWS with a valid header, or its algorithm is not registered.
        AssertionForm = "assertion-form",
        /// `iss`, `sub`, `exp` or `jti` is missing or has the wrong type, `iat` has the wrong type, or
        /// `iss` or `sub` is not the client id.
        AssertionClaims = "assertion-claims",
        /// The assertion is expired, valid for more than 24 hours, or not valid yet.
        AssertionTime = "assertion-time",
        /// The assertion is for another audience (CIBA 7.1).
        AssertionAudience = "assertion-audience",
        /// The assertion's `jti` was used before, at either endpoint (RFC 7523 3).
        AssertionReplay = "assertion-replay",
        /// The body's `client_id` is not that of the authenticated client.
        ClientIdMismatch = "client-id-mismatch",
        /// `scope` is missing, malformed or lacks `openid`.
        Scope = "scope",
        /// There is not exactly one hint.
        Hint = "hint",
        /// `requested_expiry` is not a positive integer. As advice: it is longer than the provider's
        /// longest lifetime.
        RequestedExpiry = "requested-expiry",
        /// `authorization_details` is not an array of objects with a type (RFC 9396 2).
        AuthorizationDetails = "authorization-details",
        /// `resource` is not an absolute URI without fragment (RFC 8707 2).
        Resource = "resource",
        /// `claims` is not a JSON object of the form of OpenID Connect Core 5.5.
        Claims = "claims",
        /// `request_context` is not a JSON object (FAPI-CIBA 5.3).
        RequestContext = "request-context",
        /// There are parameters outside of a `request` object, or the client is not registered for
        /// signed requests.
        RequestObject = "request-object",
        /// A `request` is not a JWS with the registered algorithm and a valid signature (CIBA 7.1.1).
        RequestObjectForm = "request-object-form",
        /// A claim of a `request` is missing, has the wrong type or the wrong value (CIBA 7.1.1).
        RequestObjectClaims = "request-object-claims",
        /// A `request` is expired, not valid yet, or valid for too long.
        RequestObjectTime = "request-object-time",
        /// The `jti` of a `request` was used before.
        RequestObjectReplay = "request-object-replay",
        /// A `request` has something that is no reason to refuse it: a `sub`, the `typ` of another kind
        /// of token, a null claim, an `aud` that names an endpoint.
        RequestObjectStyle = "request-object-style",
        /// FAPI-CIBA does not allow the request.
        Profile = "profile",
        /// The certificate is missing, or not the registered one (RFC 8705 2, 3).
        Certificate = "certificate",
        /// The DPoP proof is missing although the client's tokens are bound to a key, or it fails one
        /// of the checks of RFC 9449 4.3.
        DpopProof = "dpop-proof",
        /// The `jti` of a DPoP proof was used before (RFC 9449 11.1).
        DpopReplay = "dpop-replay",
        /// A client with a certificate used the main URL although there is an alias (RFC 8705 5).
        PlainHost = "plain-host",
        /// An authentication request was repeated after its answer was lost, so the user is prompted
        /// twice.
        RepeatedAuthenticationRequest = "repeated-authentication-request",
        /// `grant_type` is missing, or one that the provider or the client does not support.
        GrantType = "grant-type",
        /// A refresh token was never issued to this client, or was used before (RFC 6749 6, 10.4).
        RefreshToken = "refresh-token",
        /// `auth_req_id` is missing, or was never issued to this client.
        AuthReqId = "auth-req-id",
        /// A push client used the CIBA grant.
        PushClientPolls = "push-client-polls",
        /// A poll arrived before the interval was over.
        TooEarly = "too-early",
        /// Two polls of one transaction overlapped.
        Overlap = "overlap",
        /// A poll arrived before the time in `Retry-After`.
        BeforeRetryAfter = "before-retry-after",
        /// A poll arrived after a terminal error, which includes `expired_token`.
        AfterTerminalAnswer = "after-terminal-answer",
        /// A poll arrived after the tokens had been delivered.
        AfterSuccess = "after-success",
        /// A request went to a URL that occurs only in a redirect, a `jku` or an `error_uri`.
        Trap = "trap",
        /// `client_notification_token` is missing, too long, not a bearer token, or has less than 128
        /// bits of entropy (CIBA 7.1).
        NotificationToken = "notification-token",
        /// A valid notification was not answered with 204 or 200, or an invalid one was not refused
        /// (CIBA 10.2, 10.3.1).
        NotificationAnswer = "notification-answer",
        /// A notification was answered with a redirect (CIBA 10.2).
        NotificationRedirect = "notification-redirect",
        /// A notification with a wrong bearer token was accepted (CIBA 10.2).
        ForgedNotification = "forged-notification",
        /// The access token is missing or was never issued.
        AccessToken = "access-token",
    }
}

impl Rule {
    /// Returns the sections that contain the rule, such as `CIBA 7.3`.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::Method => "CIBA 7.1, 10.1",
            Self::MediaType => "CIBA 7.1; RFC 6749 3.2",
            Self::ParametersInUrl => "CIBA 7.1; RFC 6749 2.3.1",
            Self::MalformedForm => "RFC 6749 appendix B",
            Self::DuplicateParameter => "RFC 6749 3.2",
            Self::SecondCredential => "RFC 6749 2.3",
            Self::AuthenticationMethod => "OpenID Connect Core 9",
            Self::Credential => "RFC 6749 5.2",
            Self::AssertionType => "RFC 7523 2.2",
            Self::AssertionForm => "RFC 7523 3; OpenID Connect Core 9",
            Self::AssertionClaims => "OpenID Connect Core 9",
            Self::AssertionTime => "RFC 7523 3",
            Self::AssertionAudience => "CIBA 7.1; RFC 7523 3",
            Self::AssertionReplay => "OpenID Connect Core 9; RFC 7523 3",
            Self::ClientIdMismatch => "RFC 7521 4.2",
            Self::Scope => "CIBA 7.1; RFC 6749 3.3",
            Self::Hint => "CIBA 7.1, 7.2",
            Self::RequestedExpiry => "CIBA 7.1",
            Self::AuthorizationDetails => "RFC 9396 2, 5",
            Self::Resource => "RFC 8707 2",
            Self::Claims => "OpenID Connect Core 5.5",
            Self::RequestContext => "FAPI-CIBA 5.3",
            Self::RequestObject => "CIBA 4, 7.1.1",
            Self::RequestObjectForm => "CIBA 7.1.1",
            Self::RequestObjectClaims => "CIBA 7.1.1",
            Self::RequestObjectTime => "CIBA 7.1.1; FAPI-CIBA 5.2.2",
            Self::RequestObjectReplay => "CIBA 7.1.1; RFC 7519 4.1.7",
            Self::RequestObjectStyle => "RFC 9101 4, 10.8",
            Self::Profile => "FAPI-CIBA 5.2.2",
            Self::Certificate => "RFC 8705 2, 3",
            Self::DpopProof => "RFC 9449 4.3, 5",
            Self::DpopReplay => "RFC 9449 11.1",
            Self::PlainHost => "RFC 8705 5",
            Self::RepeatedAuthenticationRequest => "RFC 9110 9.2.2",
            Self::GrantType => "CIBA 10.1; RFC 6749 5.2",
            Self::RefreshToken => "RFC 6749 6, 10.4",
            Self::AuthReqId => "CIBA 10.1",
            Self::PushClientPolls => "CIBA 11",
            Self::TooEarly => "CIBA 7.3",
            Self::Overlap => "CIBA 10.1",
            Self::BeforeRetryAfter => "CIBA 10.1; RFC 9110 10.2.3",
            Self::AfterTerminalAnswer => "CIBA 11",
            Self::AfterSuccess => "CIBA 10.1.1",
            Self::Trap => "RFC 9700 4.12",
            Self::NotificationToken => "CIBA 7.1",
            Self::NotificationAnswer => "CIBA 10.2, 10.3.1",
            Self::NotificationRedirect => "CIBA 10.2",
            Self::ForgedNotification => "CIBA 10.2",
            Self::AccessToken => "RFC 6750 2, 3",
        }
    }

    /// The usual severity: advice where the text says SHOULD or leaves it open.
    pub(crate) const fn usual_severity(self) -> Severity {
        match self {
            Self::RequestObjectStyle
            | Self::RepeatedAuthenticationRequest
            | Self::BeforeRetryAfter => Severity::Advice,
            _ => Severity::Mistake,
        }
    }
}

named! {
    /// How severe a finding is.
    #[derive(PartialOrd, Ord)]
    #[non_exhaustive]
    pub enum Severity {
        /// Allowed, but better done differently.
        Advice = "advice",
        /// A specification forbids it.
        Mistake = "mistake",
    }
}

/// A finding of the judge. It contains no secret, token, hint or id of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The rule.
    pub rule: Rule,
    /// How severe it is.
    pub severity: Severity,
    /// The client that authenticated, or else the one that the request names without proof. `None` if
    /// it names none.
    pub client_id: Option<String>,
    /// The request that broke the rule; for an answer to a notification, the request that began the
    /// transaction.
    pub exchange: ExchangeId,
    /// The endpoint that it was sent to.
    pub endpoint: Endpoint,
    /// When it arrived.
    pub at: Timestamp,
    /// What was wrong, as text.
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

/// A recorded request and its outcome. `Debug` shows no body, token or hint.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// Its number.
    pub id: ExchangeId,
    /// The endpoint that it was sent to.
    pub endpoint: Endpoint,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// All header fields of the request.
    pub headers: Headers,
    /// The SHA-256 thumbprint of the certificate that the client presented, in base64url ([RFC 8705
    /// section 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)).
    pub certificate: Option<String>,
    /// The scheme, host and port it was sent to, if the transport knows them.
    pub origin: Option<String>,
    /// The raw body of the request.
    pub body: Body,
    /// When it arrived.
    pub arrived: Timestamp,
    /// When the last byte of the answer was sent, or the connection was closed; `None` before that.
    pub ended: Option<Timestamp>,
    /// The status of the answer, if there is one.
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
    /// Whether it came over HTTP/2.
    pub is_http2: bool,
    /// The transaction it belongs to, from 1 in the order of their acknowledgements.
    pub transaction: Option<usize>,
}

impl Exchange {
    /// Returns a form parameter of the request, decoded. Do not log it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        let parameters = crate::form::parse(self.body.expose()).ok()?;
        parameters.into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}
