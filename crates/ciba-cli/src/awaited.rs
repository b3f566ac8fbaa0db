//! What a flow waits for, for the sentence about a flow that was given up.

use ciba_core::{Event, error::Setback, http::Endpoint, machine::WaitReason};

/// What a flow waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Awaited {
    /// Nothing yet: it is being prepared.
    #[default]
    Nothing,
    Metadata,
    /// To send the authentication request.
    Sending,
    /// The answer to the authentication request.
    Acknowledgement,
    /// The person.
    Person,
    /// A notification of a request whose answer was lost.
    Adrift,
    /// The answer to a token request.
    Tokens,
    /// The provider's keys: tokens arrived.
    Keys,
}

impl Awaited {
    /// Follows an event.
    pub(crate) fn heed(&mut self, event: &Event) {
        *self = match event {
            Event::Requesting { endpoint: Endpoint::Discovery, .. } => Self::Metadata,
            Event::Requesting { endpoint: Endpoint::BackchannelAuthentication, .. } => {
                Self::Acknowledgement
            }
            Event::Requesting { endpoint: Endpoint::Token, .. } => Self::Tokens,
            // Keys are also fetched ahead of time, between two waits; after the answer to a token
            // request they are for tokens.
            Event::Requesting { endpoint: Endpoint::KeySet, .. } if *self == Self::Tokens => {
                Self::Keys
            }
            Event::Acknowledgement(_) => Self::Person,
            Event::Waiting(wait) => match (wait.reason(), *self) {
                (WaitReason::InFlight, now) => now,
                (WaitReason::Adrift, _) => Self::Adrift,
                (WaitReason::Setback(Setback::KeysUnavailable { .. } | Setback::UnknownKey), _) => {
                    Self::Keys
                }
                (
                    WaitReason::Setback(_),
                    Self::Nothing | Self::Metadata | Self::Sending | Self::Acknowledgement,
                ) => Self::Sending,
                (_, Self::Acknowledgement | Self::Tokens | Self::Adrift) => Self::Person,
                (_, now) => now,
            },
            _ => return,
        };
    }

    /// What the flow waited for when it was given up, and what that means for the person.
    pub(crate) const fn given_up(self) -> &'static str {
        match self {
            Self::Nothing => "before anything was sent; no person was prompted",
            Self::Metadata => "while waiting for the metadata document; no person was prompted",
            Self::Sending => {
                "before the authentication request could be sent; no person was prompted"
            }
            Self::Acknowledgement => {
                "while waiting for the answer to the authentication request; the person may still be prompted"
            }
            Self::Person => {
                "while waiting for the person, who may still be prompted and may still approve"
            }
            Self::Adrift => {
                "while waiting for a notification, because the answer to the authentication request was lost; the person may \
                 still be prompted"
            }
            Self::Tokens => {
                "while waiting for the token endpoint; the person may still be prompted, or may have approved"
            }
            Self::Keys => {
                "while waiting for the provider's keys: tokens arrived, and cannot be verified without them"
            }
        }
    }
}
