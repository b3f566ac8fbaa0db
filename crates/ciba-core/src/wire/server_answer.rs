//! The parts of an unsuccessful response that are kept to explain a failure. They are bounded and
//! never part of `Display`.

use alloc::string::String;
use core::{fmt, time::Duration};

use crate::{
    bounds::TEXT_BYTES,
    endpoint::Endpoint,
    fault::Fault,
    json::{Object, Raw},
    named::named,
    text::plain_at_most,
    time::Timestamp,
    wire::{Headers, JsonObject, Response, retry_after::retry_after},
};

named! {
    /// The `error` member of an error response.
    ///
    /// The codes come from [RFC 6749 section 5.2], [CIBA Core 11], [CIBA Core 12],
    /// [CIBA Core 13] and the specifications named at each variant. Unknown codes are kept.
    ///
    /// [RFC 6749 section 5.2]: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
    /// [CIBA Core 11]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.11
    /// [CIBA Core 12]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.12
    /// [CIBA Core 13]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.13
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum ErrorCode {
        /// The request is malformed (RFC 6749 section 5.2, CIBA Core 11 and 13).
        InvalidRequest = "invalid_request",
        /// Client authentication failed (RFC 6749 section 5.2).
        InvalidClient = "invalid_client",
        /// The `auth_req_id` is unknown, already used or issued to another client (RFC 6749 section
        /// 5.2, CIBA Core 11).
        InvalidGrant = "invalid_grant",
        /// The client may not use this grant or delivery mode (RFC 6749 section 5.2, CIBA Core 11
        /// and 13).
        UnauthorizedClient = "unauthorized_client",
        /// The provider does not support the grant type (RFC 6749 section 5.2).
        UnsupportedGrantType = "unsupported_grant_type",
        /// The scope is invalid or unknown (RFC 6749 section 5.2, CIBA Core 13).
        InvalidScope = "invalid_scope",
        /// The `login_hint_token` has expired (CIBA Core 13).
        ExpiredLoginHintToken = "expired_login_hint_token",
        /// The hint does not identify a user (CIBA Core 13).
        UnknownUserId = "unknown_user_id",
        /// A user code is required (CIBA Core 13). Ask the person for it, then start a new flow.
        MissingUserCode = "missing_user_code",
        /// The user code is invalid (CIBA Core 13).
        InvalidUserCode = "invalid_user_code",
        /// The binding message is invalid or unacceptable (CIBA Core 13).
        InvalidBindingMessage = "invalid_binding_message",
        /// The person or the provider denied the request (CIBA Core 11, 12 and 13).
        AccessDenied = "access_denied",
        /// The person has not decided yet (CIBA Core 11).
        AuthorizationPending = "authorization_pending",
        /// The person has not decided yet, and the client polls too fast (CIBA Core 11).
        SlowDown = "slow_down",
        /// The request has expired (CIBA Core 11 and 12).
        ExpiredToken = "expired_token",
        /// The provider failed to obtain a result (CIBA Core 12).
        TransactionFailed = "transaction_failed",
        /// The request object is invalid (RFC 9101 section 7).
        InvalidRequestObject = "invalid_request_object",
        /// The provider does not support request objects (RFC 9101 section 7).
        RequestNotSupported = "request_not_supported",
        /// `authorization_details` are invalid (RFC 9396 section 5).
        InvalidAuthorizationDetails = "invalid_authorization_details",
        /// A requested resource is invalid or unknown (RFC 8707 section 2).
        InvalidTarget = "invalid_target",
        /// The provider requires a DPoP nonce (RFC 9449 section 8).
        UseDpopNonce = "use_dpop_nonce",
        /// The DPoP proof is invalid (RFC 9449 section 5).
        InvalidDpopProof = "invalid_dpop_proof",
        /// The provider cannot revoke tokens of this type (RFC 7009 section 2.2.1).
        UnsupportedTokenType = "unsupported_token_type",
        /// The access token has expired, was revoked or is otherwise invalid (RFC 6750 section 3.1).
        InvalidToken = "invalid_token",
        /// The request needs more than the access token grants (RFC 6750 section 3.1).
        InsufficientScope = "insufficient_scope",
        /// The provider met an unexpected condition (RFC 6749 section 4.1.2.1).
        ServerError = "server_error",
        /// The provider is temporarily overloaded or under maintenance (RFC 6749 section 4.1.2.1).
        TemporarilyUnavailable = "temporarily_unavailable",
    } borrowed with {
        /// A code that none of these specifications defines.
        Unknown(code: UnknownCode) = &code.0,
    }
}

impl ErrorCode {
    /// Returns the code with the given name. Unknown names are truncated to 128 bytes, and control
    /// characters in them are replaced by spaces.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::without_data(name)
            .unwrap_or_else(|| Self::Unknown(UnknownCode(plain_at_most(name, UnknownCode::MAX))))
    }
}

/// An error code that no known specification defines. It has at most 128 bytes and no control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownCode(String);

impl UnknownCode {
    const MAX: usize = 128;
}

/// An unsuccessful response of the provider.
///
/// Its strings are untrusted. Control characters are replaced and lengths are bounded, but they
/// must not be rendered as HTML, and the URI must not be followed automatically.
// REQ-AERR-15
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAnswer {
    pub(crate) endpoint: Endpoint,
    pub(crate) status: u16,
    pub(crate) code: Option<ErrorCode>,
    pub(crate) description: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) extra: JsonObject,
    pub(crate) headers: Headers,
    pub(crate) excerpt: String,
}

/// Members that are never kept from an unsuccessful response.
const SECRET_MEMBERS: [&str; 4] = ["access_token", "refresh_token", "id_token", "auth_req_id"];
/// The maximum length of an error object whose other members are kept.
const EXTRA_BYTES: usize = 64 * 1024;
const EXCERPT_BYTES: usize = 512;
const HEADER_FIELDS: usize = 32;

/// A body that was parsed once. Its meaning depends on the status as well.
pub(crate) enum Content {
    /// An OAuth error (RFC 6749 section 5.2, CIBA Core 13), with any status.
    // REQ-AERR-02, REQ-ACK-23
    Error(ErrorMembers),
    /// A JSON object without `error`.
    Object(Object),
    /// A body that cannot be used.
    Unusable(Fault),
}

/// The members of an OAuth error.
pub(crate) struct ErrorMembers {
    pub(crate) code: ErrorCode,
    description: Option<String>,
    uri: Option<String>,
    rest: Object,
}

impl Content {
    /// Reads the body of a response.
    ///
    /// In a successful response or a notification it must be `application/json` and exactly one
    /// object. Outside of 2xx, every JSON object with a string `error` is an OAuth error, whatever
    /// its media type and encoding.
    // Ruling 36: an error grants nothing, so it is read leniently.
    pub(crate) fn read(response: &Response) -> Self {
        // The rest might change the meaning, for example by a second member of the same name.
        if response.truncated {
            return Self::Unusable(Fault::TooLarge);
        }
        // Nothing here decompresses, so that a small body cannot become a large one.
        if response.is_encoded() {
            return Self::Unusable(Fault::ContentCoding);
        }
        let is_json = response.media_type().as_deref() == Some("application/json");
        let is_error = response.status >= 300;
        let read = match is_error {
            true => Object::parse_leniently(response.body.expose()),
            false if !is_json => Err(Fault::MediaType),
            false => Object::parse(response.body.expose()),
        };
        let mut object = match read {
            Ok(object) => object,
            Err(_) if !is_json => return Self::Unusable(Fault::MediaType),
            Err(fault) => return Self::Unusable(fault),
        };
        let code = match object.get("error").filter(|error| !error.is_null()).map(Raw::text) {
            None => return Self::Object(object),
            // Some serializers write every member they know, so an empty error counts as absent
            // (ruling 33).
            Some(Some(name)) if name.is_empty() => return Self::Object(object),
            Some(Some(name)) => ErrorCode::from_name(&name),
            // For example, an object that a gateway wrote.
            Some(None) if is_error => return Self::Object(object),
            Some(None) => return Self::Unusable(Fault::WrongType("error")),
        };
        object.take("error");
        // A description that is not a string is dropped. The code is usable without it.
        let text =
            |value: Option<Raw<'_>>| value?.text().map(|text| plain_at_most(&text, TEXT_BYTES));
        let description = text(object.take("error_description"));
        let uri = text(object.take("error_uri"));
        Self::Error(ErrorMembers { code, description, uri, rest: object })
    }
}

impl ErrorMembers {
    /// Returns the `interval` member, which some providers add.
    // DV-09
    pub(crate) fn interval(&self) -> Option<Raw<'_>> {
        self.rest.get("interval")
    }

    /// Removes and returns another member.
    pub(crate) fn take(&mut self, name: &str) -> Option<Raw<'_>> {
        self.rest.take(name)
    }

    /// Whether any of these members is present and not `null`.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.rest.get(name).is_some_and(|value| !value.is_null()))
    }

    /// Returns the description, sanitized for display.
    pub(crate) fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns the description, sanitized for display.
    pub(crate) fn into_description(self) -> Option<String> {
        self.description
    }
}

impl ServerAnswer {
    /// Keeps the relevant parts of an unsuccessful response. `error` is what [`Content::read`]
    /// found in it.
    pub(crate) fn new(
        endpoint: Endpoint,
        response: &Response,
        error: Option<ErrorMembers>,
        now: Timestamp,
    ) -> Self {
        let mut answer = Self {
            endpoint,
            status: response.status,
            code: None,
            description: None,
            uri: None,
            retry_after: retry_after(&response.headers, now),
            extra: JsonObject::default(),
            headers: bounded(&response.headers),
            excerpt: String::new(),
        };
        match error {
            Some(error) => {
                answer.code = Some(error.code);
                answer.description = error.description;
                answer.uri = error.uri;
                // A saved flow contains these members, so their size is bounded.
                if response.body.len() <= EXTRA_BYTES {
                    answer.extra = error.rest.rest_without(&SECRET_MEMBERS);
                }
            }
            // A successful response may contain tokens anywhere, so no excerpt of it is kept.
            None if !(200..300).contains(&response.status) => {
                let start =
                    response.body.expose().get(..EXCERPT_BYTES).unwrap_or(response.body.expose());
                let text = String::from_utf8_lossy(start);
                // A search in the text and not a parse, because the excerpt may be cut in the
                // middle of a value.
                let is_secret = SECRET_MEMBERS.iter().any(|name| text.contains(name));
                let is_markup = is_markup(&text)
                    || response.media_type().is_some_and(|name| name.contains("html"));
                // Such a body explains nothing.
                let is_empty = matches!(text.trim(), "{}" | "[]" | "null");
                if !is_secret && !is_markup && !is_empty && !response.is_encoded() {
                    answer.excerpt =
                        plain_at_most(text.trim_start_matches('\u{feff}'), EXCERPT_BYTES);
                }
            }
            None => {}
        }
        answer
    }

    /// Whether the cause may be temporary: `temporarily_unavailable`, or status 408, 425, 429 or
    /// 503 without a more specific code.
    // Rulings 36 and 39.
    pub(crate) fn is_passing(&self) -> bool {
        match self.code {
            Some(ErrorCode::TemporarilyUnavailable) => true,
            // These codes say no more than the status does.
            None | Some(ErrorCode::ServerError | ErrorCode::SlowDown | ErrorCode::Unknown(_)) => {
                matches!(self.status, 408 | 425 | 429 | 503)
            }
            Some(_) => false,
        }
    }

    /// Returns a shorter version to keep while the flow continues: endpoint, status, error and
    /// excerpt.
    pub(crate) fn brief(&self) -> Self {
        Self {
            endpoint: self.endpoint,
            status: self.status,
            code: self.code.clone(),
            description: self.description.clone(),
            // A flow keeps this in its snapshot while it polls, so it must stay small.
            uri: None,
            retry_after: self.retry_after,
            extra: JsonObject::default(),
            headers: Headers::new(),
            excerpt: self.excerpt.clone(),
        }
    }

    /// Like [`Self::new`], for a document that is fetched outside of a flow. `Retry-After` is
    /// ignored, because nothing waits for it.
    pub(crate) fn of_document(endpoint: Endpoint, response: &Response) -> Self {
        Self { retry_after: None, ..Self::new(endpoint, response, None, Timestamp::EPOCH) }
    }
}

/// Whether a status says that the same request may succeed later.
// Ruling 36.
pub(crate) const fn is_passing_status(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..600)
}

/// Whether a text contains tags. HTML is not useful to show as plain text.
// Ruling 36.
fn is_markup(text: &str) -> bool {
    let begins_tag =
        |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "!/?".contains(c));
    text.split('<').skip(1).any(begins_tag)
}

/// Returns at most [`HEADER_FIELDS`] fields, without control characters and cookies. The fields
/// that help in diagnosis are always kept.
fn bounded(headers: &Headers) -> Headers {
    const HELPFUL: [&str; 2] = ["trace-id", "www-authenticate"];
    let is_helpful = |name: &str| HELPFUL.iter().any(|helpful| name.eq_ignore_ascii_case(helpful));
    // A cookie is a credential.
    let fields = headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
    let (helpful, others): (alloc::vec::Vec<_>, alloc::vec::Vec<_>) =
        fields.partition(|(name, _)| is_helpful(name));
    let kept = helpful.into_iter().chain(others).take(HEADER_FIELDS);
    kept.map(|(name, value)| (plain_at_most(name, TEXT_BYTES), plain_at_most(value, TEXT_BYTES)))
        .collect()
}

impl ServerAnswer {
    /// Returns the endpoint that sent the response.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// Returns the HTTP status, or 0 for an error that was delivered by push.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the `error` member.
    #[must_use]
    pub const fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// Returns the `error_description` member, at most 1 KiB.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Returns the `error_uri` member, at most 1 KiB.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// Returns the delay that the server requested with `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the other members of the error object, as received; Idura, for example, adds some.
    ///
    /// Empty if the body is longer than 64 KiB. Tokens and request ids are removed.
    // REQ-TOK-11
    #[must_use]
    pub const fn extra(&self) -> &JsonObject {
        &self.extra
    }

    /// Returns the first header fields of the response, and always `Trace-Id` and
    /// `WWW-Authenticate`: at most 32 fields of at most 1 KiB each, without cookies.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the `WWW-Authenticate` field, at most 1 KiB ([RFC 9110 section 11.6.1]).
    ///
    /// [RFC 9110 section 11.6.1]: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1
    #[must_use]
    pub fn www_authenticate(&self) -> Option<&str> {
        self.headers.get("www-authenticate")
    }

    /// Returns the first 512 bytes of a body that is not an OAuth error, without control
    /// characters.
    ///
    /// Empty if the status is 2xx, if the body is HTML or XML, or if it may contain a token or
    /// request id.
    // REQ-TOK-11
    #[must_use]
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

impl fmt::Debug for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_ref().map(ErrorCode::name);
        f.debug_struct("ServerAnswer")
            .field("endpoint", &self.endpoint)
            .field("status", &self.status)
            .field("code", &code)
            .finish_non_exhaustive()
    }
}
