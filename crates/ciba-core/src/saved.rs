//! The parts of a snapshot that other modules own, in their JSON form.
//!
//! The public types implement neither `Serialize` nor `Deserialize`: they can only be saved in a
//! snapshot, and what is read from one is verified again.
//!
//! An enum without data has the same names here as everywhere, so it is saved as itself. The
//! mirrors below exist because the saved form differs: it borrows, times are milliseconds, members
//! are optional that earlier versions did not write, and strings are bounded again when they are
//! read.

use alloc::{borrow::Cow, boxed::Box, vec::Vec};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    bounds,
    endpoint::Endpoint,
    error::{Failure, Indeterminacy, LostAnswer, Unreachable, UnreachableTarget},
    json::SavedJsonObject,
    secret::{AccessToken, CompactIdToken, RefreshToken},
    wire::{
        Deviation, ErrorCode, Headers, Misbehaviour, ServerAnswer, authorize::Acknowledgement,
        token::ReceivedTokens,
    },
};

mod fault;
mod reason;

use self::fault::SavedFault;
pub(crate) use reason::{SavedCause, SavedExchangeProblem, SavedKeyProblem, SavedRejection};

type Text<'a> = Cow<'a, str>;

fn seconds(duration: Duration) -> u64 {
    duration.as_secs()
}

/// Tokens as received.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedTokens<'a> {
    access_token: Text<'a>,
    token_type: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id_token: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "SavedJsonObject::is_empty")]
    extra: SavedJsonObject<'a>,
    // The name that earlier versions wrote.
    #[serde(default, rename = "oddities", skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<Text<'a>>,
}

impl<'a> SavedTokens<'a> {
    pub(crate) fn save(tokens: &'a ReceivedTokens) -> Self {
        Self {
            access_token: tokens.access_token.expose().into(),
            token_type: tokens.token_type.as_str().into(),
            id_token: tokens.id_token.as_ref().map(|token| token.expose().into()),
            refresh_token: tokens.refresh_token.as_ref().map(|token| token.expose().into()),
            expires_in: tokens.expires_in.map(seconds),
            scope: tokens.scope.as_deref().map(Into::into),
            extra: SavedJsonObject::save(&tokens.extra),
            deviations: deviations(&tokens.deviations),
        }
    }

    pub(crate) fn load(self) -> ReceivedTokens {
        ReceivedTokens {
            access_token: AccessToken::new(self.access_token),
            token_type: self.token_type.into_owned(),
            id_token: self.id_token.map(CompactIdToken::new),
            refresh_token: self.refresh_token.map(RefreshToken::new),
            expires_in: self.expires_in.map(Duration::from_secs),
            scope: self.scope.map(Cow::into_owned),
            extra: self.extra.load(),
            deviations: load_deviations(&self.deviations),
        }
    }
}

/// An acknowledgement.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedAcknowledgement<'a> {
    expires_in: u64,
    interval: u64,
    #[serde(default, skip_serializing_if = "SavedJsonObject::is_empty")]
    extra: SavedJsonObject<'a>,
    #[serde(default, rename = "oddities", skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<Text<'a>>,
}

fn deviations(deviations: &[Deviation]) -> Vec<Text<'static>> {
    deviations.iter().map(|deviation| deviation.name().into()).collect()
}

/// Reads deviations. Those of a later version are dropped.
fn load_deviations(names: &[Text<'_>]) -> Vec<Deviation> {
    // They only inform, so a resumed flow can do without them.
    names.iter().filter_map(|name| Deviation::from_name(name)).collect()
}

impl<'a> SavedAcknowledgement<'a> {
    pub(crate) fn save(acknowledged: &'a Acknowledgement) -> Self {
        Self {
            expires_in: seconds(acknowledged.expires_in),
            interval: seconds(acknowledged.interval),
            extra: SavedJsonObject::save(&acknowledged.extra),
            deviations: deviations(&acknowledged.deviations),
        }
    }

    pub(crate) fn load(self) -> Acknowledgement {
        Acknowledgement {
            // Clamped like a value of the provider, because a store may have been edited.
            expires_in: bounds::LIFETIME.clamp(Duration::from_secs(self.expires_in)),
            interval: bounds::INTERVAL.clamp(Duration::from_secs(self.interval)),
            extra: self.extra.load(),
            deviations: load_deviations(&self.deviations),
        }
    }
}

/// The failure with which a flow ended.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedFailure<'a> {
    Denied(SavedAnswer<'a>),
    Expired(Option<SavedAnswer<'a>>),
    Refused(SavedAnswer<'a>),
    Untrusted(SavedRejection<'a>),
    ProviderMisbehaved {
        fault: SavedFault,
        endpoint: Endpoint,
        answer: Option<SavedAnswer<'a>>,
    },
    Indeterminate {
        /// The name only: the problem with a key set is never saved.
        lost: Text<'a>,
        answer: Option<SavedAnswer<'a>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<SavedCause<'a>>,
        #[serde(default, skip_serializing_if = "is_zero")]
        attempts: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<SavedKeyProblem<'a>>,
    },
    Unreachable {
        /// `None` for the private key and the person.
        endpoint: Option<Endpoint>,
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        person: bool,
        answer: Option<SavedAnswer<'a>>,
        // The name that earlier versions wrote.
        #[serde(default, rename = "trouble", skip_serializing_if = "Option::is_none")]
        problem: Option<SavedExchangeProblem<'a>>,
        #[serde(default, skip_serializing_if = "is_zero")]
        attempts: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<SavedKeyProblem<'a>>,
    },
    Abandoned,
    Superseded,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it this way")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// An unsuccessful response of the provider.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedAnswer<'a> {
    endpoint: Endpoint,
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uri: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(default, skip_serializing_if = "SavedJsonObject::is_empty")]
    extra: SavedJsonObject<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(Text<'a>, Text<'a>)>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    excerpt: Text<'a>,
}

impl<'a> SavedAnswer<'a> {
    pub(crate) fn save(answer: &'a ServerAnswer) -> Self {
        Self {
            endpoint: answer.endpoint,
            status: answer.status,
            code: answer.code.as_ref().map(|code| code.name().into()),
            description: answer.description.as_deref().map(Into::into),
            uri: answer.uri.as_deref().map(Into::into),
            retry_after: answer.retry_after.map(seconds),
            extra: SavedJsonObject::save(&answer.extra),
            headers: answer
                .headers
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            excerpt: answer.excerpt.as_str().into(),
        }
    }

    pub(crate) fn load(self) -> Box<ServerAnswer> {
        Box::new(ServerAnswer {
            endpoint: self.endpoint,
            status: self.status,
            code: self.code.map(|code| ErrorCode::from_name(&code)),
            description: self
                .description
                .map(|text| crate::text::plain_at_most(&text, bounds::TEXT_BYTES)),
            uri: self.uri.map(|text| crate::text::plain_at_most(&text, bounds::TEXT_BYTES)),
            retry_after: self.retry_after.map(Duration::from_secs),
            extra: self.extra.load(),
            headers: self.headers.into_iter().collect::<Headers>(),
            // Sanitized again: what a store returns is no more trusted than what the provider sent.
            excerpt: crate::text::plain_at_most(&self.excerpt, bounds::TEXT_BYTES),
        })
    }
}

impl<'a> SavedFailure<'a> {
    pub(crate) fn save(failure: &'a Failure) -> Self {
        let answer =
            |answer: &'a Option<Box<ServerAnswer>>| answer.as_deref().map(SavedAnswer::save);
        match failure {
            Failure::Denied(denied) => Self::Denied(SavedAnswer::save(denied)),
            Failure::Expired(expired) => Self::Expired(answer(expired)),
            Failure::Refused(refused) => Self::Refused(SavedAnswer::save(refused)),
            Failure::Untrusted(rejection) => Self::Untrusted(SavedRejection::save(rejection)),
            Failure::ProviderMisbehaved(misbehaviour) => Self::ProviderMisbehaved {
                fault: SavedFault(misbehaviour.fault),
                endpoint: misbehaviour.endpoint,
                answer: answer(&misbehaviour.answer),
            },
            Failure::Indeterminate(indeterminacy) => Self::Indeterminate {
                lost: indeterminacy.lost.name().into(),
                answer: answer(&indeterminacy.answer),
                cause: SavedCause::save(indeterminacy.cause),
                attempts: indeterminacy.attempts,
                key: indeterminacy.key.as_deref().and_then(SavedKeyProblem::save),
            },
            Failure::Unreachable(unreachable) => Self::Unreachable {
                endpoint: match unreachable.target {
                    UnreachableTarget::Endpoint(endpoint) => Some(endpoint),
                    UnreachableTarget::PrivateKey | UnreachableTarget::Person => None,
                },
                // A flag of its own, because earlier versions read a missing endpoint as the
                // private key.
                person: unreachable.target == UnreachableTarget::Person,
                answer: answer(&unreachable.answer),
                problem: unreachable.problem.map(SavedExchangeProblem::save),
                attempts: unreachable.attempts,
                key: unreachable.key.as_deref().and_then(SavedKeyProblem::save),
            },
            Failure::Abandoned => Self::Abandoned,
            Failure::Superseded => Self::Superseded,
        }
    }

    pub(crate) fn load(self) -> Option<Failure> {
        let answer = |answer: Option<SavedAnswer<'_>>| answer.map(SavedAnswer::load);
        Some(match self {
            Self::Denied(denied) => Failure::Denied(denied.load()),
            Self::Expired(expired) => Failure::Expired(answer(expired)),
            Self::Refused(refused) => Failure::Refused(refused.load()),
            Self::Untrusted(rejection) => Failure::Untrusted(rejection.load()?),
            Self::ProviderMisbehaved { fault, endpoint, answer: given } => {
                Failure::ProviderMisbehaved(Misbehaviour {
                    fault: fault.0,
                    endpoint,
                    answer: answer(given),
                })
            }
            Self::Indeterminate { lost, answer: given, cause, attempts, key } => {
                Failure::Indeterminate(Indeterminacy {
                    // A flow that ended for want of keys is saved with its tokens and looks for
                    // keys again, so this crate never writes the name of that value.
                    lost: LostAnswer::from_name(&lost)?,
                    answer: answer(given),
                    cause: SavedCause::load(cause),
                    attempts,
                    key: key.map(SavedKeyProblem::load),
                })
            }
            Self::Unreachable { endpoint, person, answer: given, problem, attempts, key } => {
                Failure::Unreachable(Unreachable {
                    problem: problem.map(SavedExchangeProblem::load),
                    attempts,
                    key: key.map(SavedKeyProblem::load),
                    target: match endpoint {
                        Some(endpoint) => UnreachableTarget::Endpoint(endpoint),
                        None if person => UnreachableTarget::Person,
                        None => UnreachableTarget::PrivateKey,
                    },
                    answer: answer(given),
                })
            }
            Self::Abandoned => Failure::Abandoned,
            Self::Superseded => Failure::Superseded,
        })
    }
}
