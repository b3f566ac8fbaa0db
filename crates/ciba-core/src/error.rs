//! Errors by what the caller has to do: nothing for a [`Setback`], which is being retried; a
//! [`Failure`] is the end of a flow. Small, comparable, and without secrets; the
//! server's own words are reachable through [`ServerAnswer`], never through `Display`.

use alloc::boxed::Box;
use core::fmt;

use crate::{
    endpoint::Endpoint,
    fault::{Cause, Fault, Rejection, Trouble, Untrusted, write_reason},
    wire::{ErrorCode, Misbehaviour, ServerAnswer},
};

mod key_problem;
mod setback;

pub use key_problem::KeyProblem;
pub use setback::Setback;

/// The end of a flow without an authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The person (or the provider on their behalf) said no: `access_denied` before our deadline
    /// (CIBA 11).
    Denied(Box<ServerAnswer>),
    /// Time is up: the provider said so (`expired_token`, or `access_denied` after our deadline;
    /// then the answer is there), or our deadline came and its last answers said that nothing was
    /// decided. Also an authentication that was received in time and is a day too old when a saved
    /// flow is resumed.
    Expired(Option<Box<ServerAnswer>>),
    /// The provider refused the request: an OAuth error of the backchannel authentication endpoint,
    /// 503 or 429 there, or any other terminal error of the token endpoint.
    Refused(Box<ServerAnswer>),
    /// A numbered check failed: nothing of the answer may be believed.
    Untrusted(Rejection),
    /// An answer that cannot be used: the provider or something in front of it is broken.
    ProviderMisbehaved(Misbehaviour),
    /// The outcome is unknown: the person may have been prompted, or may have approved, or the
    /// tokens may have been lost.
    Indeterminate(Indeterminacy),
    /// Something needed could not be reached, and no person was prompted.
    Unreachable(Unreachable),
    /// The caller gave up.
    Abandoned,
}

impl Failure {
    /// Whether a new flow could succeed without a change of configuration.
    #[must_use]
    pub fn may_start_over(&self) -> bool {
        match self {
            Self::Denied(_)
            | Self::Expired(_)
            | Self::Indeterminate(_)
            | Self::Unreachable(_)
            | Self::Abandoned => true,
            Self::Refused(answer) => answer.is_passing(),
            Self::Untrusted(_) | Self::ProviderMisbehaved(_) => false,
        }
    }

    /// A lower-case name with underscores, for machine-readable output.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Denied(_) => "denied",
            Self::Expired(_) => "expired",
            Self::Refused(_) => "refused",
            Self::Untrusted(_) => "untrusted",
            Self::ProviderMisbehaved(_) => "provider_misbehaved",
            Self::Indeterminate(_) => "indeterminate",
            Self::Unreachable(_) => "unreachable",
            Self::Abandoned => "abandoned",
        }
    }

    /// The check that failed.
    #[must_use]
    pub const fn check(&self) -> Option<Untrusted> {
        match self {
            Self::Untrusted(rejection) => Some(rejection.check()),
            _ => None,
        }
    }

    /// What the server answered, if an answer caused the failure.
    #[must_use]
    pub fn server_answer(&self) -> Option<&ServerAnswer> {
        match self {
            Self::Denied(answer) | Self::Refused(answer) => Some(answer),
            Self::Expired(answer) => answer.as_deref(),
            Self::ProviderMisbehaved(misbehaviour) => misbehaviour.answer.as_deref(),
            Self::Indeterminate(Indeterminacy { answer, .. }) => answer.as_deref(),
            Self::Unreachable(Unreachable { answer, .. }) => answer.as_deref(),
            Self::Untrusted(_) | Self::Abandoned => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(_) => f.write_str("the person refused the authentication"),
            Self::Expired(_) => f.write_str("the authentication request expired"),
            // The notification endpoint is ours: what comes there says how the authentication
            // ended.
            Self::Refused(answer) => {
                match answer.endpoint() {
                    Endpoint::Notification => {
                        f.write_str("the provider reports that the authentication failed")?
                    }
                    endpoint => write!(f, "{endpoint} refused the request")?,
                }
                match answer.code() {
                    // What no specification defines is the server's own words.
                    Some(ErrorCode::Unknown(_)) => Ok(()),
                    Some(code) => write!(f, ": {code}"),
                    None if answer.endpoint() != Endpoint::Notification => {
                        write!(f, " (status {})", answer.status())
                    }
                    None => Ok(()),
                }
            }
            Self::Untrusted(_) => f.write_str("the provider's answer failed a check"),
            Self::ProviderMisbehaved(_) => {
                f.write_str("the provider gave an answer that cannot be used")
            }
            Self::Indeterminate(_) => f.write_str("the outcome of the authentication is unknown"),
            Self::Unreachable(_) => f.write_str("the provider could not be reached"),
            Self::Abandoned => f.write_str("the caller gave up waiting"),
        }
    }
}

impl core::error::Error for Failure {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Untrusted(reason) => Some(reason),
            Self::ProviderMisbehaved(misbehaviour) => Some(misbehaviour),
            Self::Indeterminate(reason) => Some(reason),
            Self::Unreachable(reason) => Some(reason),
            Self::Denied(_) | Self::Expired(_) | Self::Refused(_) | Self::Abandoned => None,
        }
    }
}

/// Why the outcome of a flow is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Indeterminacy {
    /// What was lost.
    pub lost: LostAnswer,
    /// The answer that shows it, when there is one.
    pub answer: Option<Box<ServerAnswer>>,
    /// Why no answer came, when that is known.
    pub cause: Option<Cause>,
    /// How many requests were made to the endpoint.
    pub attempts: u32,
    /// What is wrong with the private key.
    pub key: Option<Box<KeyProblem>>,
}

impl Indeterminacy {
    pub(crate) const fn new(lost: LostAnswer, attempts: u32) -> Self {
        Self { lost, answer: None, cause: None, attempts, key: None }
    }

    pub(crate) fn answered(self, answer: Option<Box<ServerAnswer>>) -> Self {
        Self { answer, ..self }
    }

    pub(crate) fn because(self, cause: Option<Cause>) -> Self {
        Self { cause, ..self }
    }

    pub(crate) fn with_key(self, problem: KeyProblem) -> Self {
        Self { key: problem.known(), ..self }
    }

    /// The endpoint whose answer was lost.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        match self.lost {
            LostAnswer::AuthenticationRequest => Endpoint::BackchannelAuthentication,
            LostAnswer::Tokens | LostAnswer::Outcome | LostAnswer::PrivateKey => Endpoint::Token,
            LostAnswer::Notification => Endpoint::Notification,
            LostAnswer::KeySet(_) => Endpoint::KeySet,
        }
    }
}

/// The answer that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LostAnswer {
    /// To the authentication request: the person may have been prompted (REQ-AREQ-30).
    AuthenticationRequest,
    /// To a token request: the tokens were issued once and did not arrive (REQ-POLL-11).
    Tokens,
    /// To the last token requests: none shortly before the deadline was answered usably, or none
    /// was made, so the person may have approved.
    Outcome,
    /// To a token request that could not be made, because the private key could not be used; the
    /// person may have approved.
    PrivateKey,
    /// None was asked for: a flow in push mode, or in ping mode without
    /// [`Policy::ping_backstop`](crate::Policy::ping_backstop), waited for a notification, and none
    /// came. The person may not have answered, or the notification was lost.
    Notification,
    /// The issuer's keys: the tokens arrived, and cannot be verified without keys. The flow still
    /// holds them; see [`Flow::keeps_tokens`](crate::Flow::keeps_tokens).
    KeySet(Trouble),
}

impl fmt::Display for Indeterminacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.lost, &self.answer) {
            (LostAnswer::AuthenticationRequest, None) => {
                "the answer to the authentication request was lost; the person may have been prompted"
            }
            (LostAnswer::AuthenticationRequest, Some(_)) => {
                "the answer to the authentication request does not tell whether the person was prompted"
            }
            (LostAnswer::Tokens, _) => "an answer of the token endpoint was lost, and the tokens with it",
            (LostAnswer::Outcome, None) => {
                "no usable answer of the token endpoint came before the request expired; the person may have approved it"
            }
            (LostAnswer::Outcome, Some(_)) => {
                "the token endpoint answered, and did not say before the request expired what became of it; the person may \
                 have approved it"
            }
            (LostAnswer::PrivateKey, _) => {
                "the private key could not be used to ask the token endpoint; the person may have approved the request"
            }
            (LostAnswer::Notification, _) => {
                "no notification came before the request expired, and the token endpoint was not asked; the person may \
                 have approved it"
            }
            (LostAnswer::KeySet(_), _) => {
                "the person was asked and tokens arrived, but the provider's keys to verify them could not be had"
            }
        })?;
        if let LostAnswer::KeySet(trouble) = self.lost {
            write_reason(f, trouble)?;
        }
        match self.cause {
            Some(Cause::Unknown) | None => Ok(()),
            Some(cause) => write!(f, " ({cause})"),
        }
    }
}

impl core::error::Error for Indeterminacy {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.key.as_deref().map(|problem| problem as _)
    }
}

/// What could not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreachable {
    /// What.
    pub target: UnreachableTarget,
    /// The last answer, when one came.
    pub answer: Option<Box<ServerAnswer>>,
    /// What went wrong with the last attempt, when that is known.
    pub trouble: Option<Trouble>,
    /// How many attempts were made.
    pub attempts: u32,
    /// What is wrong with the private key.
    pub key: Option<Box<KeyProblem>>,
}

impl Unreachable {
    /// Nothing is known but what could not be reached.
    #[must_use]
    pub const fn new(target: UnreachableTarget) -> Self {
        Self { target, answer: None, trouble: None, attempts: 0, key: None }
    }

    /// With the last answer.
    #[must_use]
    pub fn answered(self, answer: Option<Box<ServerAnswer>>) -> Self {
        Self { answer, ..self }
    }

    /// With what went wrong at the last attempt, and the number of attempts.
    #[must_use]
    pub fn because(self, trouble: Trouble, attempts: u32) -> Self {
        Self { trouble: Some(trouble), attempts, ..self }
    }
}

/// Something a flow needs from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnreachableTarget {
    /// An endpoint of the provider; for the backchannel endpoint it is certain that nothing was
    /// sent.
    Endpoint(Endpoint),
    /// The private key, in whatever holds it.
    PrivateKey,
    /// The person: the authentication request had not left when it was too late to prompt anybody
    /// ([`Policy::prompt_within`](crate::Policy::prompt_within)).
    Person,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.target, &self.answer) {
            (UnreachableTarget::PrivateKey, _) => {
                return f.write_str("the private key could not be used");
            }
            (UnreachableTarget::Person, _) => {
                f.write_str("the authentication request had not left when it was too late to prompt the person")?;
            }
            (UnreachableTarget::Endpoint(endpoint), None)
                if !matches!(self.trouble, Some(Trouble::Unusable { .. })) =>
            {
                write!(f, "{endpoint} could not be reached")?;
            }
            (UnreachableTarget::Endpoint(endpoint), _) => {
                write!(f, "the provider did not give {endpoint}")?
            }
        }
        match self.trouble {
            // The status is shown with the answer.
            Some(Trouble::Unanswered(Cause::Unknown)) | None => {}
            Some(Trouble::Unusable { fault: Fault::Status, .. }) if self.answer.is_some() => {}
            Some(trouble) => write!(f, ": {trouble}")?,
        }
        match self.attempts {
            0 | 1 => Ok(()),
            attempts => write!(f, " ({attempts} attempts)"),
        }
    }
}

impl core::error::Error for Unreachable {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.key.as_deref().map(|problem| problem as _)
    }
}
