//! The end of a flow: an authentication, or the reason why there is none.

use alloc::boxed::Box;

use super::{
    grant::Terms,
    phase::Phase,
    verifying::{Evidence, Verified},
};
use crate::{
    authentication::Authentication,
    error::{Failure, KeyProblem, Unreachable, UnreachableTarget},
    granted,
    id_token::IdToken,
};

pub(super) enum Settled {
    /// Every check passed. The evidence is kept as received, so that a snapshot can be verified
    /// again.
    Verified(Box<Verified>),
    Failed(Failure),
    /// The issuer's keys were not available. The tokens are kept as received, so that a snapshot can
    /// be verified later.
    // Ruling 42.
    Unverified(Box<Unverified>),
}

pub(super) struct Unverified {
    pub(super) evidence: Evidence,
    failure: Failure,
}

impl Settled {
    pub(super) fn verified(evidence: Evidence, id_token: Option<IdToken>) -> Phase {
        // Checked last: a response that fails another check proves nothing about what was granted.
        if let Some(rejection) = granted::against(&evidence.terms.requested, &evidence.tokens) {
            return Self::failed(Failure::Untrusted(rejection));
        }
        Phase::Settled(Self::Verified(Box::new(Verified { evidence, id_token })))
    }

    pub(super) fn unverified(evidence: Evidence, failure: Failure) -> Phase {
        Phase::Settled(Self::Unverified(Box::new(Unverified { evidence, failure })))
    }

    pub(super) const fn failed(failure: Failure) -> Phase {
        Phase::Settled(Self::Failed(failure))
    }

    /// Ends the flow because the private key could not be used.
    pub(super) fn key_unreachable(problem: KeyProblem) -> Phase {
        let unreachable = Unreachable::new(UnreachableTarget::PrivateKey);
        Self::failed(Failure::Unreachable(Unreachable { key: problem.known(), ..unreachable }))
    }

    pub(super) fn finish(self) -> Result<Box<Authentication>, Failure> {
        match self {
            Self::Verified(verified) => {
                let Evidence { tokens, terms, received_at, .. } = verified.evidence;
                let Terms { requested, binding, .. } = *terms;
                Ok(Authentication::new(tokens, verified.id_token, received_at, requested, binding))
            }
            Self::Failed(failure) => Err(failure),
            // The tokens stay inside: they are available only from a snapshot, which is verified
            // again.
            Self::Unverified(unverified) => Err(unverified.failure),
        }
    }
}
