//! What can end a drive, a discovery or an authentication besides its result.

use std::{error::Error, fmt, io};

use ciba_core::{
    Failure,
    http::Unanswered,
    machine::{MisuseReason, ResumeError},
    metadata::MetadataError,
    prompts::PromptRefused,
    request::RequestError,
};

use crate::entropy::EntropyError;

/// Why a saver could not be made: any error of a store.
pub type SaverError = Box<dyn Error + Send + Sync>;

/// Why a drive ended before its flow was over. The flow is intact: remove the cause and drive it
/// again, or cancel it.
#[derive(Debug)]
#[non_exhaustive]
pub enum DriveError {
    /// The random generator failed; nothing was done with the flow.
    Entropy(EntropyError),
    /// The flow's state could not be saved while the authentication request may still be sent.
    /// Nothing was sent. Drive the flow again once the store works.
    Save(io::Error),
    /// The watcher stopped the drive ([`Watch::stop`](crate::Watch::stop)).
    Stopped,
    /// The flow was started with another configuration than the driver's. Start or resume it with
    /// the driver. Nothing was done with the flow.
    AnotherConfiguration,
    /// The driver's inbox is full of flows that are being driven. Nothing was done with the flow.
    InboxFull,
    /// The driver's [`PromptGuard`](crate::PromptGuard) does not allow this flow to prompt now; it
    /// says how long another flow for the same person may still run. Nothing was sent.
    PromptRefused(PromptRefused),
    /// An answer belongs to another flow, for example because the driver was given another
    /// issuer's keys.
    Misuse(MisuseReason),
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entropy(_) => f.write_str("the flow needs random bytes and there are none"),
            Self::Save(_) => f.write_str("the state of the flow could not be saved"),
            Self::Stopped => f.write_str("the wait was stopped"),
            Self::AnotherConfiguration => {
                f.write_str("the flow has another configuration than the driver")
            }
            Self::InboxFull => f.write_str("the inbox is full"),
            Self::PromptRefused(refused) => refused.fmt(f),
            Self::Misuse(MisuseReason::ForeignKeys) => {
                f.write_str("the driver's keys are another issuer's")
            }
            Self::Misuse(_) => f.write_str("an answer belongs to another flow"),
        }
    }
}

impl Error for DriveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Entropy(error) => Some(error),
            Self::Save(error) => Some(error),
            Self::Stopped
            | Self::AnotherConfiguration
            | Self::InboxFull
            | Self::PromptRefused(_)
            | Self::Misuse(_) => None,
        }
    }
}

/// Why there is no authentication.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// This client cannot send the request to its provider. Nothing was sent.
    Request(RequestError),
    /// The saved flow cannot be resumed. Nothing was sent.
    Resume(ResumeError),
    /// The saver of the flow could not be made. Nothing was sent.
    Saver(SaverError),
    /// The flow ended without an authentication.
    Failed(Failure),
    /// The flow could not be driven to its end.
    Drive(DriveError),
}

impl fmt::Display for AuthenticateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(_) => "the request cannot be sent",
            Self::Resume(_) => "the saved flow cannot be resumed",
            Self::Saver(_) => "the flow cannot be saved",
            Self::Failed(_) => "the person was not authenticated",
            Self::Drive(_) => "the authentication could not be driven to its end",
        })
    }
}

impl Error for AuthenticateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Resume(error) => Some(error),
            Self::Saver(error) => Some(&**error),
            Self::Failed(error) => Some(error),
            Self::Drive(error) => Some(error),
        }
    }
}

impl From<RequestError> for AuthenticateError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<ResumeError> for AuthenticateError {
    fn from(error: ResumeError) -> Self {
        Self::Resume(error)
    }
}

impl From<DriveError> for AuthenticateError {
    fn from(error: DriveError) -> Self {
        Self::Drive(error)
    }
}

impl From<EntropyError> for DriveError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

/// Why there is no metadata of a provider.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiscoverError {
    /// There was no answer.
    Unreachable {
        /// Whether the request was sent.
        how: Unanswered,
        /// The error of the HTTP client.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer is unusable.
    Metadata(MetadataError),
}

impl fmt::Display for DiscoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable { .. } => "the metadata document could not be fetched",
            Self::Metadata(_) => "the metadata document cannot be used",
        })
    }
}

impl Error for DiscoverError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable { source, .. } => Some(&**source),
            Self::Metadata(error) => Some(error),
        }
    }
}

/// The error for a builder that turns the verification of certificates off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unverified;

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the builder turns off the verification of certificates; name your own CA instead",
        )
    }
}

impl Error for Unverified {}
