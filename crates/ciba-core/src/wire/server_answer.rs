//! What is kept of a server's answer that did not serve: enough to find out why, bounded, and never in `Display`.

use alloc::string::String;
use core::{fmt, time::Duration};

use crate::{ask::Endpoint, wire::Members};

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
            /// The code of that name; names longer than 128 bytes are cut, control characters dropped.
            #[must_use]
            pub fn from_name(name: &str) -> Self {
                match name {
                    $($name => Self::$variant,)*
                    other => Self::Unknown(UnknownCode(crate::bounds::plain_text(other, UnknownCode::MAX))),
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

/// An error code nobody defined, as received: at most 128 bytes, control characters removed.
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

/// An answer that did not serve. The texts are untrusted: control characters are removed and lengths bounded, but do not
/// render them as HTML or follow the URI (REQ-AERR-15).
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAnswer {
    pub(crate) endpoint: Endpoint,
    pub(crate) status: u16,
    pub(crate) code: Option<ErrorCode>,
    pub(crate) description: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) extra: Members,
    pub(crate) headers: crate::wire::Headers,
    pub(crate) excerpt: String,
}

impl ServerAnswer {
    /// The endpoint that gave it.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The HTTP status.
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

    /// The other members of the error object, as received (Idura adds some).
    #[must_use]
    pub const fn extra(&self) -> &Members {
        &self.extra
    }

    /// The first header fields of the answer, `Trace-Id` and `WWW-Authenticate` among them: at most 32, each at most 1 KiB.
    #[must_use]
    pub const fn headers(&self) -> &crate::wire::Headers {
        &self.headers
    }

    /// The first 512 bytes of a body that was not an OAuth error, control characters removed.
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
