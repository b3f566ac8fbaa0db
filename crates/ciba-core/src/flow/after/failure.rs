//! Why a call with tokens was not made, or had no result.

use alloc::boxed::Box;
use core::fmt;

use crate::{
    endpoint::Endpoint,
    error::KeyProblem,
    fault::{Cause, ExchangeProblem, Rejection},
    wire::{ErrorCode, Misbehaviour, ServerAnswer},
};

/// The reason for which a call cannot be made. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotPossible {
    /// The provider publishes no such endpoint, and none is configured.
    NoEndpoint(Endpoint),
    /// The provider issued no refresh token. Many do only with the scope `offline_access`.
    NoRefreshToken,
    /// There is no ID Token with whose subject the claims could be compared.
    NoSubject,
    /// The token contains characters that a header field or form must not contain, or is empty.
    UnusableToken,
    /// Tokens are bound to a key (DPoP), and this call is only made with bearer tokens so far.
    BoundToKey,
    /// UserInfo answers are registered to be signed with the client secret, which is not supported.
    SymmetricAlgorithm,
}

impl fmt::Display for NotPossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint(endpoint) => {
                write!(f, "the provider does not publish {endpoint}, and none is configured")
            }
            Self::NoRefreshToken => {
                f.write_str("the provider issued no refresh token; request offline_access")
            }
            Self::NoSubject => f.write_str(
                "there is no ID Token with whose subject the claims could be compared: the request did not include openid",
            ),
            Self::UnusableToken => {
                f.write_str("the token is empty or not printable ASCII, so it cannot be sent")
            }
            Self::BoundToKey => {
                f.write_str("tokens are bound to a key (DPoP), which this call does not support yet")
            }
            Self::SymmetricAlgorithm => f.write_str(
                "userinfo_signed_response_alg is an HMAC, which is not supported; register an asymmetric algorithm",
            ),
        }
    }
}

impl core::error::Error for NotPossible {}

/// The reason for which a call had no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallFailure {
    /// The provider refused the request. `invalid_token` means that the access token has expired or
    /// was revoked ([RFC 6750 section 3.1]).
    ///
    /// [RFC 6750 section 3.1]: https://www.rfc-editor.org/rfc/rfc6750#section-3.1
    Refused(Box<ServerAnswer>),
    /// The endpoint stayed unavailable: status 408, 425, 429 or 5xx. Try again later, not before
    /// [`ServerAnswer::retry_after`] if there is one.
    Unavailable(Box<ServerAnswer>),
    /// No answer was received, however often the request was made. Try again later.
    Unanswered {
        /// Why the last request was not answered.
        cause: Cause,
        /// The number of requests.
        attempts: u32,
    },
    /// The answer to a refresh was lost, and the provider may have replaced the refresh token. The
    /// request was not repeated.
    ///
    /// The old refresh token may be valid or not. Using it again is safe only if the provider
    /// allows it: otherwise it counts as stolen, and every token of the authentication is revoked.
    /// The safe way is a new authentication.
    RefreshLost(ExchangeProblem),
    /// The answer cannot be used.
    Misbehaved(Misbehaviour),
    /// The claims, or the ID Token of a refresh, did not pass a check. Nothing of the answer is
    /// available.
    Untrusted(Rejection),
    /// The private key could not be used.
    PrivateKey(KeyProblem),
    /// The issuer's keys could not be fetched to verify the answer.
    KeysUnavailable(ExchangeProblem),
    /// The call is not over.
    Abandoned,
}

impl CallFailure {
    /// Returns the name of the kind of failure, as the `ciba` command prints it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
            Self::Unanswered { .. } => "unanswered",
            Self::RefreshLost(_) => "refresh_lost",
            Self::Misbehaved(_) => "provider_misbehaved",
            Self::Untrusted(_) => "untrusted",
            Self::PrivateKey(_) => "private_key",
            Self::KeysUnavailable(_) => "keys_unavailable",
            Self::Abandoned => "abandoned",
        }
    }

    /// Returns the answer of the provider.
    #[must_use]
    pub fn answer(&self) -> Option<&ServerAnswer> {
        match self {
            Self::Refused(answer) | Self::Unavailable(answer) => Some(answer),
            Self::Misbehaved(misbehaviour) => misbehaviour.answer.as_deref(),
            Self::Unanswered { .. }
            | Self::RefreshLost(_)
            | Self::Untrusted(_)
            | Self::PrivateKey(_)
            | Self::KeysUnavailable(_)
            | Self::Abandoned => None,
        }
    }

    /// Returns `true` if the access token has expired, was revoked or is otherwise invalid.
    #[must_use]
    pub fn is_invalid_token(&self) -> bool {
        matches!(self, Self::Refused(answer) if answer.code() == Some(&ErrorCode::InvalidToken))
    }

    /// Returns `true` if the same call may succeed later.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Unanswered { .. }
            | Self::PrivateKey(_)
            | Self::KeysUnavailable(_)
            | Self::Abandoned => true,
            Self::Refused(_) | Self::RefreshLost(_) | Self::Misbehaved(_) | Self::Untrusted(_) => {
                false
            }
        }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = |answer: &ServerAnswer| answer.code().map(|code| alloc::format!(": {code}"));
        match self {
            Self::Refused(answer) => {
                let code = code(answer).unwrap_or_default();
                write!(f, "{} refused the request{code}", answer.endpoint())
            }
            Self::Unavailable(answer) => {
                write!(f, "{} is unavailable (status {})", answer.endpoint(), answer.status())
            }
            Self::Unanswered { cause, attempts } => {
                write!(f, "no answer to {attempts} requests: {cause}")
            }
            Self::RefreshLost(problem) => write!(
                f,
                "the answer to the refresh was lost, and the refresh token may have been replaced: {problem}"
            ),
            Self::Misbehaved(misbehaviour) => misbehaviour.fmt(f),
            // The messages of the checks are about ID Tokens.
            Self::Untrusted(rejection) => {
                write!(f, "the answer failed the check {}", rejection.check().name())
            }
            Self::PrivateKey(_) => f.write_str("the private key cannot be used"),
            Self::KeysUnavailable(problem) => {
                write!(f, "the provider's keys cannot be fetched: {problem}")
            }
            Self::Abandoned => f.write_str("the call is not over"),
        }
    }
}

impl core::error::Error for CallFailure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::PrivateKey(problem) if *problem != KeyProblem::Unknown => Some(problem),
            Self::PrivateKey(_)
            | Self::Refused(_)
            | Self::Unavailable(_)
            | Self::Unanswered { .. }
            | Self::RefreshLost(_)
            | Self::Misbehaved(_)
            | Self::Untrusted(_)
            | Self::KeysUnavailable(_)
            | Self::Abandoned => None,
        }
    }
}
