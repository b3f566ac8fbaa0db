//! What a flow is dealing with while it goes on.

use core::{fmt, time::Duration};

use crate::{
    endpoint::Endpoint,
    fault::{Cause, Fault, Trouble, write_reason},
};

/// Something that went wrong and is being handled.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setback {
    /// The authentication request could not be sent; no person was prompted, and it is tried again.
    NotSent {
        /// Why.
        cause: Cause,
        /// How many requests were tried.
        attempts: u32,
    },
    /// A token request was not answered.
    NoAnswer {
        /// Why.
        cause: Cause,
        /// How many token requests were made.
        attempts: u32,
    },
    /// The token endpoint is busy: 429 or 5xx.
    Unavailable {
        /// The status.
        status: u16,
        /// What it asked for in `Retry-After`.
        retry_after: Option<Duration>,
        /// How many token requests were made.
        attempts: u32,
    },
    /// The private key could not be used (for example because its service is down); the token
    /// request is made later.
    KeyUnavailable,
    /// The key set could not be fetched yet.
    KeysUnavailable {
        /// Why.
        trouble: Trouble,
        /// How many look-ups in a row brought no key set.
        attempts: u32,
    },
    /// No key fits yet; a newer key set will be asked for (REQ-JWKS-09, REQ-JWKS-10).
    UnknownKey,
    /// The state could not be saved, and the authentication request does not leave before it is.
    NotSaved,
    /// The clock was set back by this much; all waits got longer by it (ruling 18).
    ClockSetBack(Duration),
}

impl Setback {
    /// A lower-case name with underscores, for machine-readable output.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotSent { .. } => "not_sent",
            Self::NoAnswer { .. } => "no_answer",
            Self::Unavailable { .. } => "unavailable",
            Self::KeyUnavailable => "key_unavailable",
            Self::KeysUnavailable { .. } => "keys_unavailable",
            Self::UnknownKey => "unknown_key",
            Self::NotSaved => "not_saved",
            Self::ClockSetBack(_) => "clock_set_back",
        }
    }
}

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
            Self::KeyUnavailable => f.write_str("the private key cannot be used yet"),
            Self::KeysUnavailable { trouble, .. } => {
                f.write_str("the provider's keys cannot be fetched yet")?;
                write_reason(f, *trouble)
            }
            Self::UnknownKey => f.write_str("no key of the provider fits the token yet"),
            Self::NotSaved => f.write_str("the state of the flow could not be saved yet"),
            Self::ClockSetBack(by) => write!(f, "the clock was set back by {} s", by.as_secs()),
        }
    }
}

impl core::error::Error for Setback {}

impl Setback {
    /// The endpoint it is about.
    #[must_use]
    pub const fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::NotSent { .. } => Some(Endpoint::BackchannelAuthentication),
            Self::NoAnswer { .. } | Self::Unavailable { .. } => Some(Endpoint::Token),
            Self::KeysUnavailable { .. } | Self::UnknownKey => Some(Endpoint::KeySet),
            Self::KeyUnavailable | Self::NotSaved | Self::ClockSetBack(_) => None,
        }
    }

    /// What went wrong with the exchange.
    #[must_use]
    pub const fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::NotSent { cause, .. } | Self::NoAnswer { cause, .. } => {
                Some(Trouble::Unanswered(*cause))
            }
            Self::Unavailable { status, .. } => {
                Some(Trouble::Unusable { fault: Fault::Status, status: *status })
            }
            Self::KeysUnavailable { trouble, .. } => Some(*trouble),
            Self::UnknownKey | Self::KeyUnavailable | Self::NotSaved | Self::ClockSetBack(_) => {
                None
            }
        }
    }

    /// How many attempts were made so far, where something was attempted.
    #[must_use]
    pub const fn attempts(&self) -> Option<u32> {
        match self {
            Self::NotSent { attempts, .. }
            | Self::NoAnswer { attempts, .. }
            | Self::Unavailable { attempts, .. }
            | Self::KeysUnavailable { attempts, .. } => Some(*attempts),
            Self::KeyUnavailable | Self::UnknownKey | Self::NotSaved | Self::ClockSetBack(_) => {
                None
            }
        }
    }
}
