//! How a flow may end, as far as the provider and the caller of the simulation know.

use ciba_core::{Authentication, Failure, answer::ErrorCode, error::LostAnswer};

use super::Sim;
use crate::model::Provider;

impl Sim {
    /// Whether what was received is a day past the deadline of its request.
    #[must_use]
    pub fn is_too_old(&self) -> bool {
        let lived = self.mirror.moment + self.wall.saturating_sub(self.mirror.wall);
        self.mirror.grant.as_ref().is_some_and(|grant| lived > grant.deadline + 86_400_000)
    }

    /// Returns the result and checks it: only genuine tokens may be accepted.
    ///
    /// # Errors
    ///
    /// Returns the failure of the flow.
    ///
    /// # Panics
    ///
    /// Panics if tokens are accepted that the provider did not issue as genuine.
    pub fn finish(self) -> Result<Box<Authentication>, Failure> {
        let was_acknowledged = self.flow.acknowledgement().is_some();
        let is_too_old = self.is_too_old();
        let result = self.flow.finish();
        if let Err(Failure::Refused(answer)) = &result
            && self.op.is_redeemed()
        {
            assert_ne!(
                answer.code(),
                Some(&ErrorCode::InvalidGrant),
                "refused, where tokens were issued to an earlier life"
            );
        }
        if let (Err(failure), Some(grant)) = (&result, &self.mirror.grant) {
            let can_conclude = grant.is_conclusive();
            match failure {
                Failure::Expired(None) if self.mirror.redeemed => {
                    assert!(is_too_old, "an expired authentication")
                }
                Failure::Expired(None) => {
                    assert!(can_conclude, "no pending answer was received")
                }
                Failure::Indeterminate(why)
                    if matches!(why.lost, LostAnswer::Outcome | LostAnswer::Notification) =>
                {
                    assert!(!can_conclude, "the provider said that nothing was decided: {why:?}");
                }
                _ => {}
            }
        }
        if let Ok(authentication) = &result {
            let issued_for = self.op.issued_for(authentication.access_token().expose());
            assert!(issued_for.is_some(), "forged tokens were accepted");
            if was_acknowledged {
                assert_eq!(
                    issued_for,
                    Some(Provider::AUTH_REQ_ID),
                    "tokens of another request were accepted"
                );
            }
        }
        result
    }
}
