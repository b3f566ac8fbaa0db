//! What is kept of a server's answer that did not serve: enough to find out why, bounded, and never
//! in `Display`.

use alloc::string::String;
use core::{fmt, time::Duration};

use crate::{
    bounds::TEXT_BYTES,
    endpoint::Endpoint,
    fault::Fault,
    json::{Object, Raw},
    text::plain_at_most,
    time::Timestamp,
    wire::{Headers, JsonObject, Response, retry_after::retry_after},
};

/// Declares the registered codes and their names once.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// The `error` member of an error response. Unknown codes are kept (REQ-AERR-14).
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
            /// A code no specification we know defines.
            Unknown(UnknownCode),
        }

        impl ErrorCode {
            /// The code of that name; names longer than 128 bytes are cut, control characters
            /// become blanks.
            #[must_use]
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    other => Self::Unknown(UnknownCode(plain_at_most(other, UnknownCode::MAX))),
                }
            }

            /// The code as it stands on the wire.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Unknown(code) => &code.0,
                }
            }
        }
    };
}

codes! {
    /// RFC 6749 5.2, CIBA 11 and 13.
    InvalidRequest = "invalid_request";
    /// RFC 6749 5.2: client authentication failed.
    InvalidClient = "invalid_client";
    /// RFC 6749 5.2, CIBA 11: the `auth_req_id` is unknown, used, or another client's.
    InvalidGrant = "invalid_grant";
    /// RFC 6749 5.2, CIBA 11 and 13.
    UnauthorizedClient = "unauthorized_client";
    /// RFC 6749 5.2.
    UnsupportedGrantType = "unsupported_grant_type";
    /// RFC 6749 5.2, CIBA 13.
    InvalidScope = "invalid_scope";
    /// CIBA 13.
    ExpiredLoginHintToken = "expired_login_hint_token";
    /// CIBA 13.
    UnknownUserId = "unknown_user_id";
    /// CIBA 13: ask the person for the code, then start a new flow.
    MissingUserCode = "missing_user_code";
    /// CIBA 13.
    InvalidUserCode = "invalid_user_code";
    /// CIBA 13.
    InvalidBindingMessage = "invalid_binding_message";
    /// CIBA 11, 12 and 13.
    AccessDenied = "access_denied";
    /// CIBA 11.
    AuthorizationPending = "authorization_pending";
    /// CIBA 11.
    SlowDown = "slow_down";
    /// CIBA 11 and 12.
    ExpiredToken = "expired_token";
    /// CIBA 12.
    TransactionFailed = "transaction_failed";
    /// RFC 9101 7.
    InvalidRequestObject = "invalid_request_object";
    /// RFC 9101 7.
    RequestNotSupported = "request_not_supported";
    /// RFC 9396 5.
    InvalidAuthorizationDetails = "invalid_authorization_details";
    /// RFC 8707 2.
    InvalidTarget = "invalid_target";
    /// RFC 9449 8.
    UseDpopNonce = "use_dpop_nonce";
    /// RFC 9449 5.
    InvalidDpopProof = "invalid_dpop_proof";
    /// RFC 6749 4.1.2.1.
    ServerError = "server_error";
    /// RFC 6749 4.1.2.1.
    TemporarilyUnavailable = "temporarily_unavailable";
}

/// An error code that no specification defines, as received: at most 128 bytes, control characters
/// removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownCode(String);

impl UnknownCode {
    const MAX: usize = 128;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An answer that did not serve. The texts are untrusted: control characters are removed and
/// lengths bounded, but do not render them as HTML or follow the URI (REQ-AERR-15).
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

/// JsonObject that are never kept from an answer that did not serve.
const SECRET_MEMBERS: [&str; 4] = ["access_token", "refresh_token", "id_token", "auth_req_id"];
/// The longest error object whose other members are kept.
const EXTRA_BYTES: usize = 64 * 1024;
const EXCERPT_BYTES: usize = 512;
const HEADER_FIELDS: usize = 32;

/// A body that was looked at once: what the answer means depends on it and on the status.
pub(crate) enum Content {
    /// An OAuth error (RFC 6749 5.2, CIBA 13), whatever the status (REQ-AERR-02, REQ-ACK-23).
    Error(ErrorMembers),
    /// A JSON object without `error`.
    Object(Object),
    /// Nothing that can be used.
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
    /// Reads the body of an answer.
    ///
    /// In a success, or a notification, it has to be `application/json` and one object. An error
    /// grants nothing, so outside of 2xx anything with a string `error` in it is one, whatever its
    /// label and the encoding of its texts (ruling 36).
    pub(crate) fn read(response: &Response) -> Self {
        if response.truncated {
            return Self::Unusable(Fault::TooLarge);
        }
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
            // Some serialisers write every member they know: an empty error is none (ruling 33).
            Some(Some(name)) if name.is_empty() => return Self::Object(object),
            Some(Some(name)) => ErrorCode::from_name(&name),
            // A gateway's own object, for example.
            Some(None) if is_error => return Self::Object(object),
            Some(None) => return Self::Unusable(Fault::WrongType("error")),
        };
        object.take("error");
        // A description that is no text is of no use and takes nothing away from the code.
        let text =
            |value: Option<Raw<'_>>| value?.text().map(|text| plain_at_most(&text, TEXT_BYTES));
        let description = text(object.take("error_description"));
        let uri = text(object.take("error_uri"));
        Self::Error(ErrorMembers { code, description, uri, rest: object })
    }
}

impl ErrorMembers {
    /// An `interval` member (DV-09).
    pub(crate) fn interval(&self) -> Option<Raw<'_>> {
        self.rest.get("interval")
    }

    /// Takes another member out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Raw<'_>> {
        self.rest.take(name)
    }

    /// Whether one of these members is there too; `null` is absence.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.rest.get(name).is_some_and(|value| !value.is_null()))
    }

    /// The description, made safe to show.
    pub(crate) fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The description, made safe to show.
    pub(crate) fn into_description(self) -> Option<String> {
        self.description
    }
}

impl ServerAnswer {
    /// What is kept of an answer that did not serve; `error` is what [`Content::read`] found in it.
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
                if response.body.len() <= EXTRA_BYTES {
                    answer.extra = error.rest.rest_without(&SECRET_MEMBERS);
                }
            }
            None if !(200..300).contains(&response.status) => {
                let start =
                    response.body.expose().get(..EXCERPT_BYTES).unwrap_or(response.body.expose());
                let text = String::from_utf8_lossy(start);
                let is_secret = SECRET_MEMBERS.iter().any(|name| text.contains(name));
                let is_markup = is_markup(&text)
                    || response.media_type().is_some_and(|name| name.contains("html"));
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

    /// Whether the trouble it tells of may be over soon: `temporarily_unavailable`, or status 408,
    /// 425, 429 or 503 with no code that says more (rulings 36 and 39).
    pub(crate) fn is_passing(&self) -> bool {
        match self.code {
            Some(ErrorCode::TemporarilyUnavailable) => true,
            None | Some(ErrorCode::ServerError | ErrorCode::SlowDown | ErrorCode::Unknown(_)) => {
                matches!(self.status, 408 | 425 | 429 | 503)
            }
            Some(_) => false,
        }
    }

    /// What is kept of it while the flow goes on: who answered what, and not all that came with it.
    pub(crate) fn brief(&self) -> Self {
        Self {
            endpoint: self.endpoint,
            status: self.status,
            code: self.code.clone(),
            description: self.description.clone(),
            uri: None,
            retry_after: self.retry_after,
            extra: JsonObject::default(),
            headers: Headers::new(),
            excerpt: self.excerpt.clone(),
        }
    }

    /// The same for a document that is fetched outside of a flow: nothing waits, so `Retry-After`
    /// is ignored.
    pub(crate) fn of_document(endpoint: Endpoint, response: &Response) -> Self {
        Self { retry_after: None, ..Self::new(endpoint, response, None, Timestamp::EPOCH) }
    }
}

/// Whether a text has tags in it: a page says nothing to a person who reads it as text (ruling 36).
fn is_markup(text: &str) -> bool {
    let begins_tag =
        |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphabetic() || "!/?".contains(c));
    text.split('<').skip(1).any(begins_tag)
}

/// At most so many fields, without control characters and cookies; those that help in finding a
/// fault are always kept.
fn bounded(headers: &Headers) -> Headers {
    const HELPFUL: [&str; 2] = ["trace-id", "www-authenticate"];
    let is_helpful = |name: &str| HELPFUL.iter().any(|helpful| name.eq_ignore_ascii_case(helpful));
    let fields = headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
    let (helpful, others): (alloc::vec::Vec<_>, alloc::vec::Vec<_>) =
        fields.partition(|(name, _)| is_helpful(name));
    let kept = helpful.into_iter().chain(others).take(HEADER_FIELDS);
    kept.map(|(name, value)| (plain_at_most(name, TEXT_BYTES), plain_at_most(value, TEXT_BYTES)))
        .collect()
}

impl ServerAnswer {
    /// The endpoint that gave it.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The HTTP status; 0 for an error that was pushed to us.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The `error` member.
    #[must_use]
    pub const fn code(&self) -> Option<&ErrorCode> {
        self.code.as_ref()
    }

    /// The `error_description` member, at most 1 KiB.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// The `error_uri` member, at most 1 KiB.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// The delay the server asked for.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The other members of the error object, as received (Idura adds some); none when the answer
    /// is longer than 64 KiB. Tokens and request ids that stand beside an `error` are left out
    /// (REQ-TOK-11).
    #[must_use]
    pub const fn extra(&self) -> &JsonObject {
        &self.extra
    }

    /// The first header fields of the answer, `Trace-Id` and `WWW-Authenticate` always among them:
    /// at most 32, each at most 1 KiB, without cookies.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Returns the `WWW-Authenticate` field, at most 1 KiB (RFC 9110 11.6.1).
    #[must_use]
    pub fn www_authenticate(&self) -> Option<&str> {
        self.headers.get("www-authenticate")
    }

    /// The first 512 bytes of a body that was not an OAuth error, control characters removed. Empty
    /// when the status is one of success, when the body is HTML or XML, or when a token or request
    /// id may be in it (REQ-TOK-11).
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
