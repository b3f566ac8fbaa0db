//! What a failed discovery means for an authentication.

use ciba_core::{
    Failure,
    answer::{Misbehaviour, ServerAnswer},
    error::{Unreachable, UnreachableTarget},
    fault::Fault,
    http::{Endpoint, Unanswered},
    metadata::MetadataError,
};
use ciba_std::DiscoverError;

/// The failure of an authentication whose provider's metadata could not be fetched.
pub(super) fn undiscovered(error: DiscoverError) -> Failure {
    match error {
        DiscoverError::Metadata(error) => failure_of(error),
        DiscoverError::Unreachable { how, .. } => unanswered(how),
        _ => unobtainable(None),
    }
}

/// The failure of an authentication whose provider's metadata cannot be used.
pub(crate) fn failure_of(error: MetadataError) -> Failure {
    match error {
        MetadataError::Untrusted(rejection) => Failure::Untrusted(rejection),
        // No document there, or none just now.
        MetadataError::Unusable(Misbehaviour { fault: Fault::Status, answer, .. }) => {
            unobtainable(answer)
        }
        MetadataError::Unusable(found) => Failure::ProviderMisbehaved(found),
        _ => unobtainable(None),
    }
}

pub(super) fn unobtainable(answer: Option<Box<ServerAnswer>>) -> Failure {
    Failure::Unreachable(
        Unreachable::new(UnreachableTarget::Endpoint(Endpoint::Discovery)).answered(answer),
    )
}

fn unanswered(how: Unanswered) -> Failure {
    let target = UnreachableTarget::Endpoint(Endpoint::Discovery);
    Failure::Unreachable(Unreachable::new(target).because(how.cause().into(), 1))
}
