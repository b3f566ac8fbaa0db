//! What can end a drive, a discovery or an authentication besides its result.

use std::{error::Error, fmt, io};

use ciba_core::{
    Failure, config::Lacking, http::Unanswered, machine::MisuseReason, metadata::MetadataError,
    prompts::PromptRefused, request::RequestError,
};

use crate::EntropyError;

/// Why a drive stopped before its flow was over. The flow is as it was: mend the cause and drive
/// on, or cancel it.
#[derive(Debug)]
#[non_exhaustive]
pub enum DriveError {
    /// The random generator failed; nothing was done with the flow.
    Entropy(EntropyError),
    /// The flow's state could not be saved while the authentication request may still be sent. The
    /// next step was not taken and nothing was sent for it: drive the flow again once the store
    /// works.
    Save(io::Error),
    /// The watcher of the blocking driver said so (`Watch::stop`).
    Stopped,
    /// The flow needs something that the driver does not have. Nothing was done with the flow.
    Lacking(Lacking),
    /// The flow was started with another configuration than the driver's: resume or start it with
    /// the driver's own. Nothing was done with the flow.
    AnotherConfiguration,
    /// The driver's inbox serves as many flows as it may. Nothing was done with
    /// the flow.
    InboxFull,
    /// The driver's [`PromptGuard`](crate::PromptGuard) does not allow this flow to prompt now; it
    /// says how long another flow for the same person may still run. Nothing was sent.
    PromptRefused(PromptRefused),
    /// An answer did not belong to the flow: the keys given to the driver are another issuer's.
    Misuse(MisuseReason),
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entropy(_) => f.write_str("the flow cannot go on without random bytes"),
            Self::Save(_) => f.write_str("the state of the flow could not be saved"),
            Self::Stopped => f.write_str("the wait was stopped"),
            Self::Lacking(lacking) => lacking.fmt(f),
            Self::AnotherConfiguration => {
                f.write_str("the flow has another configuration than the driver")
            }
            Self::InboxFull => f.write_str("the inbox serves as many flows as it may"),
            Self::PromptRefused(refused) => refused.fmt(f),
            Self::Misuse(MisuseReason::ForeignKeys) => {
                f.write_str("the driver's keys are another issuer's")
            }
            Self::Misuse(_) => f.write_str("an answer did not belong to the flow"),
        }
    }
}

impl Error for DriveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Entropy(error) => Some(error),
            Self::Save(error) => Some(error),
            Self::Stopped
            | Self::Lacking(_)
            | Self::AnotherConfiguration
            | Self::InboxFull
            | Self::PromptRefused(_)
            | Self::Misuse(_) => None,
        }
    }
}

/// Why a driver gave no authentication.
#[derive(Debug)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// The request cannot be sent by this client to this provider; nothing was sent.
    Request(RequestError),
    /// The flow ended without an authentication.
    Failed(Failure),
    /// The flow could not be driven to its end.
    Drive(DriveError),
}

impl fmt::Display for AuthenticateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request(_) => "the request cannot be sent",
            Self::Failed(_) => "the person was not authenticated",
            Self::Drive(_) => "the authentication could not be driven to its end",
        })
    }
}

impl Error for AuthenticateError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
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

/// Why a provider's metadata could not be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum DiscoverError {
    /// No answer came.
    Unreachable {
        /// Whether the request left.
        how: Unanswered,
        /// What the HTTP client says about it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer cannot be used.
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
