//! The end: evidence, or the reason why there is none.

use alloc::boxed::Box;

use super::{
    phase::Phase,
    verifying::{Evidence, Verified},
};
use crate::{
    authentication::Authentication,
    error::{Failure, Unreachable, UnreachableTarget},
    granted,
    id_token::IdToken,
};

pub(super) enum Settled {
    /// Every check passed; the evidence is kept as it was received, so that a snapshot can be verified again.
    Verified(Box<Verified>),
    Failed(Failure),
}

impl Settled {
    pub(super) fn verified(evidence: Evidence, id_token: Option<IdToken>) -> Phase {
        if let Some(rejection) = granted::against(&evidence.terms.asked, &evidence.tokens) {
            return Self::failed(Failure::Untrusted(rejection));
        }
        Phase::Settled(Self::Verified(Box::new(Verified { evidence, id_token })))
    }

    pub(super) const fn failed(failure: Failure) -> Phase {
        Phase::Settled(Self::Failed(failure))
    }

    /// The private key is out of reach.
    pub(super) const fn key_unreachable() -> Phase {
        Self::failed(Failure::Unreachable(Unreachable::new(UnreachableTarget::PrivateKey)))
    }

    pub(super) fn finish(self) -> Result<Box<Authentication>, Failure> {
        match self {
            Self::Verified(verified) => {
                let Evidence { tokens, terms, received_at, .. } = verified.evidence;
                Ok(Authentication::new(tokens, verified.id_token, received_at, terms.asked))
            }
            Self::Failed(failure) => Err(failure),
        }
    }
}
