//! Problems that a flow handles by itself.

use core::{fmt, time::Duration};

use crate::{
    endpoint::Endpoint,
    fault::{Cause, ExchangeProblem, Fault, write_reason},
    named::named,
};

/// A problem that the flow is handling.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setback {
    /// The authentication request could not be sent. No person was prompted, and it is retried.
    NotSent {
        /// The cause.
        cause: Cause,
        /// The number of attempts.
        attempts: u32,
    },
    /// A token request was not answered.
    NoAnswer {
        /// The cause.
        cause: Cause,
        /// The number of token requests.
        attempts: u32,
    },
    /// The token endpoint is temporarily unavailable: status 408, 425, 429 or 5xx.
    Unavailable {
        /// The status.
        status: u16,
        /// The delay requested with `Retry-After`.
        retry_after: Option<Duration>,
        /// The number of token requests.
        attempts: u32,
    },
    /// A call with tokens, such as a revocation, had no usable answer and is made again.
    Repeated {
        /// The endpoint.
        endpoint: Endpoint,
        /// The reason.
        problem: ExchangeProblem,
        /// The number of requests.
        attempts: u32,
    },
    /// The private key could not be used, for example because its service is down. The token
    /// request is made later.
    KeyUnavailable,
    /// The key set could not be fetched yet.
    KeysUnavailable {
        /// The reason.
        problem: ExchangeProblem,
        /// The number of consecutive lookups without a key set.
        attempts: u32,
    },
    /// No key fits yet. A newer key set will be requested.
    // REQ-JWKS-09, REQ-JWKS-10
    UnknownKey,
    /// The state could not be saved. The authentication request is not sent before it is.
    // Ruling 26.
    NotSaved,
    /// The clock was set back by this duration, and all waits became longer by it.
    // Ruling 18.
    ClockSetBack(Duration),
}

named! {
    impl Setback {
        NotSent = "not_sent",
        NoAnswer = "no_answer",
        Unavailable = "unavailable",
        Repeated = "repeated",
        KeyUnavailable = "key_unavailable",
        KeysUnavailable = "keys_unavailable",
        UnknownKey = "unknown_key",
        NotSaved = "not_saved",
        ClockSetBack = "clock_set_back",
    }
}

named!(serialize Setback);

impl fmt::Display for Setback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent { cause, .. } => {
                f.write_str("the authentication request could not be sent yet")?;
                write_reason(f, (*cause).into())
            }
            Self::NoAnswer { cause, .. } => {
                f.write_str("a token request was not answered")?;
                write_reason(f, (*cause).into())
            }
            Self::Unavailable { status, .. } => {
                write!(f, "the token endpoint is unavailable (status {status})")
            }
            Self::Repeated { endpoint, problem, .. } => {
                write!(f, "a request to {endpoint} had no usable answer")?;
                write_reason(f, *problem)
            }
            Self::KeyUnavailable => f.write_str("the private key cannot be used yet"),
            Self::KeysUnavailable { problem, .. } => {
                f.write_str("the provider's keys cannot be fetched yet")?;
                write_reason(f, *problem)
            }
            Self::UnknownKey => f.write_str("no key of the provider fits the token yet"),
            Self::NotSaved => f.write_str("the state of the flow could not be saved yet"),
            Self::ClockSetBack(by) => write!(f, "the clock was set back by {} s", by.as_secs()),
        }
    }
}

impl core::error::Error for Setback {}

impl Setback {
    /// Returns the endpoint concerned.
    #[must_use]
    pub const fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::NotSent { .. } => Some(Endpoint::BackchannelAuthentication),
            Self::NoAnswer { .. } | Self::Unavailable { .. } => Some(Endpoint::Token),
            Self::Repeated { endpoint, .. } => Some(*endpoint),
            Self::KeysUnavailable { .. } | Self::UnknownKey => Some(Endpoint::KeySet),
            Self::KeyUnavailable | Self::NotSaved | Self::ClockSetBack(_) => None,
        }
    }

    /// Returns what went wrong with the exchange.
    #[must_use]
    pub const fn problem(&self) -> Option<ExchangeProblem> {
        match self {
            Self::NotSent { cause, .. } | Self::NoAnswer { cause, .. } => {
                Some(ExchangeProblem::Unanswered(*cause))
            }
            Self::Unavailable { status, .. } => {
                Some(ExchangeProblem::Unusable { fault: Fault::Status, status: *status })
            }
            Self::KeysUnavailable { problem, .. } | Self::Repeated { problem, .. } => {
                Some(*problem)
            }
            Self::UnknownKey | Self::KeyUnavailable | Self::NotSaved | Self::ClockSetBack(_) => {
                None
            }
        }
    }

    /// Returns the number of attempts so far, if something was attempted.
    #[must_use]
    pub const fn attempts(&self) -> Option<u32> {
        match self {
            Self::NotSent { attempts, .. }
            | Self::NoAnswer { attempts, .. }
            | Self::Unavailable { attempts, .. }
            | Self::Repeated { attempts, .. }
            | Self::KeysUnavailable { attempts, .. } => Some(*attempts),
            Self::KeyUnavailable | Self::UnknownKey | Self::NotSaved | Self::ClockSetBack(_) => {
                None
            }
        }
    }
}
