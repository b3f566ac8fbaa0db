//! Errors, grouped by what the caller must do: a [`Setback`] is being retried, and a [`Failure`]
//! ends a flow. They are small, comparable and without secrets. The provider's own text is
//! available from [`ServerAnswer`] but never part of `Display`.

use alloc::boxed::Box;
use core::fmt;

use crate::{
    endpoint::Endpoint,
    fault::{Cause, ExchangeProblem, Fault, Rejection, Untrusted, write_reason},
    named::named,
    wire::{ErrorCode, Misbehaviour, ServerAnswer},
};

mod key_problem;
mod setback;

pub use crate::named::UnknownName;
pub use key_problem::KeyProblem;
pub use setback::Setback;

/// The reason for which a flow ended without an authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The person, or the provider on their behalf, denied the request: `access_denied` before the
    /// deadline ([CIBA Core 11]).
    ///
    /// [CIBA Core 11]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.11
    Denied(Box<ServerAnswer>),
    /// The request expired.
    ///
    /// Either the provider said so, with `expired_token`, or with `access_denied` after the
    /// deadline; the response is then included. Or the deadline passed, and the last responses said
    /// that nothing was decided. Or an authentication that was received in time was more than a day
    /// old when the flow was resumed.
    Expired(Option<Box<ServerAnswer>>),
    /// The provider rejected the request: with an OAuth error or status 401, 408, 425, 429 or 503
    /// of the backchannel authentication endpoint, or with another terminal error of the token
    /// endpoint.
    Refused(Box<ServerAnswer>),
    /// A check failed, so no part of the response can be trusted.
    Untrusted(Rejection),
    /// A response cannot be used: the provider, or something in front of it, is broken.
    ProviderMisbehaved(Misbehaviour),
    /// The outcome is unknown: the person may have been prompted or may have approved, or the
    /// tokens may have been lost.
    Indeterminate(Indeterminacy),
    /// Something that is required could not be reached, and no person was prompted.
    Unreachable(Unreachable),
    /// The caller gave up.
    Abandoned,
    /// The store of the flow has a newer state, because another process has resumed the flow and
    /// continues it ([`Save::superseded`](crate::machine::Save::superseded)). The result is there.
    Superseded,
}

named! {
    impl Failure {
        Denied = "denied",
        Expired = "expired",
        Refused = "refused",
        Untrusted = "untrusted",
        ProviderMisbehaved = "provider_misbehaved",
        Indeterminate = "indeterminate",
        Unreachable = "unreachable",
        Abandoned = "abandoned",
        Superseded = "superseded",
    }
}

impl Failure {
    /// Returns `true` if a new flow could succeed without a change of the configuration.
    #[must_use]
    pub fn may_start_over(&self) -> bool {
        match self {
            Self::Denied(_)
            | Self::Expired(_)
            | Self::Indeterminate(_)
            | Self::Unreachable(_)
            | Self::Abandoned => true,
            // Most refusals are about the request or the client, which another try does not change.
            Self::Refused(answer) => answer.is_passing(),
            // The same request would get the same answer.
            Self::Untrusted(_) | Self::ProviderMisbehaved(_) => false,
            // It would prompt the person a second time while the other process waits for them.
            Self::Superseded => false,
        }
    }

    /// Returns the check that failed.
    #[must_use]
    pub const fn check(&self) -> Option<Untrusted> {
        match self {
            Self::Untrusted(rejection) => Some(rejection.check()),
            _ => None,
        }
    }

    /// Returns the response that caused the failure, if there is one.
    #[must_use]
    pub fn server_answer(&self) -> Option<&ServerAnswer> {
        match self {
            Self::Denied(answer) | Self::Refused(answer) => Some(answer),
            Self::Expired(answer) => answer.as_deref(),
            Self::ProviderMisbehaved(misbehaviour) => misbehaviour.answer.as_deref(),
            Self::Indeterminate(Indeterminacy { answer, .. }) => answer.as_deref(),
            Self::Unreachable(Unreachable { answer, .. }) => answer.as_deref(),
            Self::Untrusted(_) | Self::Abandoned | Self::Superseded => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(_) => f.write_str("the person refused the authentication"),
            Self::Expired(_) => f.write_str("the authentication request expired"),
            // The notification endpoint belongs to the client. A notification reports how the
            // authentication ended.
            Self::Refused(answer) => {
                match answer.endpoint() {
                    Endpoint::Notification => {
                        f.write_str("the provider reports that the authentication failed")?
                    }
                    endpoint => write!(f, "{endpoint} refused the request")?,
                }
                match answer.code() {
                    // An unknown code is text of the provider, so it is not shown.
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
                f.write_str("the provider sent an answer that cannot be used")
            }
            Self::Indeterminate(_) => f.write_str("the outcome of the authentication is unknown"),
            Self::Unreachable(_) => f.write_str("the provider could not be reached"),
            Self::Abandoned => f.write_str("the caller gave up waiting"),
            Self::Superseded => f.write_str(
                "another process has resumed this flow and continues it: its saved state is newer",
            ),
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
            Self::Denied(_)
            | Self::Expired(_)
            | Self::Refused(_)
            | Self::Abandoned
            | Self::Superseded => None,
        }
    }
}

/// The reason for which the outcome of a flow is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Indeterminacy {
    /// What was lost.
    pub lost: LostAnswer,
    /// The response that shows it, if there is one.
    pub answer: Option<Box<ServerAnswer>>,
    /// The cause for which no response was received, if it is known.
    pub cause: Option<Cause>,
    /// The number of requests to the endpoint.
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

    /// Returns the endpoint whose response was lost.
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

named! {
    /// The response that was lost.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum LostAnswer {
        /// That to the authentication request. The person may have been prompted.
        // REQ-AREQ-30
        AuthenticationRequest = "authentication_request",
        /// That to a token request. The tokens were issued once and did not arrive.
        // REQ-POLL-11
        Tokens = "tokens",
        /// That to the last token requests. Shortly before the deadline none had a usable response,
        /// or none was made, so the person may have approved.
        // Ruling 40.
        Outcome = "outcome",
        /// That to a token request that could not be made because the private key could not be
        /// used. The person may have approved.
        PrivateKey = "private_key",
        /// None was requested: a flow in push mode, or in ping mode without
        /// [`Policy::ping_backstop`](crate::Policy::ping_backstop), waited for a notification that
        /// did not arrive. Either the person did not decide, or the notification was lost.
        Notification = "notification",
    } copied with {
        /// The keys of the issuer: tokens arrived, but could not be verified without keys. The flow
        /// still holds them; see [`Flow::keeps_tokens`](crate::Flow::keeps_tokens).
        KeySet(problem: ExchangeProblem) = "key_set",
    }
}

impl LostAnswer {
    /// Returns the lost response with the given name. For a key set, the problem is unknown.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let others: [Self; Self::WITH_DATA] = [Self::KeySet(Cause::Unknown.into())];
        Self::without_data(name).or_else(|| others.into_iter().find(|lost| lost.name() == name))
    }
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
                "the token endpoint sent no usable answer before the request expired; the person may have approved it"
            }
            (LostAnswer::Outcome, Some(_)) => {
                "the token endpoint answered, but not with the outcome before the request expired; the person may \
                 have approved it"
            }
            (LostAnswer::PrivateKey, _) => {
                "the private key could not be used to ask the token endpoint; the person may have approved the request"
            }
            (LostAnswer::Notification, _) => {
                "no notification arrived before the request expired, and the token endpoint was not asked; the person may \
                 have approved it"
            }
            (LostAnswer::KeySet(_), _) => {
                "the person was asked and tokens arrived, but the provider's keys to verify them could not be fetched"
            }
        })?;
        if let LostAnswer::KeySet(problem) = self.lost {
            write_reason(f, problem)?;
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

/// The reason for which something could not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unreachable {
    /// What could not be reached.
    pub target: UnreachableTarget,
    /// The last response, if there was one.
    pub answer: Option<Box<ServerAnswer>>,
    /// What went wrong with the last attempt, if it is known.
    pub problem: Option<ExchangeProblem>,
    /// The number of attempts.
    pub attempts: u32,
    /// What is wrong with the private key.
    pub key: Option<Box<KeyProblem>>,
}

impl Unreachable {
    /// Creates the error without further details.
    #[must_use]
    pub const fn new(target: UnreachableTarget) -> Self {
        Self { target, answer: None, problem: None, attempts: 0, key: None }
    }

    /// Adds the last response.
    #[must_use]
    pub fn answered(self, answer: Option<Box<ServerAnswer>>) -> Self {
        Self { answer, ..self }
    }

    /// Adds what went wrong with the last attempt, and the number of attempts.
    #[must_use]
    pub fn because(self, problem: ExchangeProblem, attempts: u32) -> Self {
        Self { problem: Some(problem), attempts, ..self }
    }
}

/// Something that a flow requires from its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnreachableTarget {
    /// An endpoint of the provider. If it is the backchannel authentication endpoint, the request
    /// is known not to have been sent.
    Endpoint(Endpoint),
    /// The private key, in whichever store holds it.
    PrivateKey,
    /// The person: the authentication request had not been sent when it was too late to prompt them
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
                if !matches!(self.problem, Some(ExchangeProblem::Unusable { .. })) =>
            {
                write!(f, "{endpoint} could not be reached")?;
            }
            (UnreachableTarget::Endpoint(endpoint), _) => {
                write!(f, "the provider did not return {endpoint}")?
            }
        }
        match self.problem {
            // The status is shown with the response.
            Some(ExchangeProblem::Unanswered(Cause::Unknown)) | None => {}
            Some(ExchangeProblem::Unusable { fault: Fault::Status, .. })
                if self.answer.is_some() => {}
            Some(problem) => write!(f, ": {problem}")?,
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
