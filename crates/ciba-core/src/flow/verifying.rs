//! The phase in which received tokens are verified. They are not trusted before every check has
//! passed.
// The token endpoint is not asked again, whatever the result is (ruling 11, OPM-DSC-13).

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    context::{Context, Poll},
    effect::{Effect, PlannedWait},
    grant::{Grant, Terms},
    phase::{Phase, Step},
    questions::Open,
    settled::Settled,
};
use crate::{
    ask::{Answer, KeySetRequest, Output, WaitReason},
    bounds,
    elapsed::Moment,
    endpoint::Endpoint,
    error::{Failure, Indeterminacy, LostAnswer, Setback},
    fault::{Cause, ExchangeProblem, Fault, Found, Rejection, Untrusted},
    id_token::{self, IdToken, IdTokenContext},
    jose::KeySet,
    secret::AuthReqId,
    time::Timestamp,
    wire::{
        Headers, Misbehaviour, Response, ServerAnswer, metadata::DeliveryMode,
        token::ReceivedTokens,
    },
};

/// The received tokens and what they are checked against. A saved flow needs this to verify them
/// again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Evidence {
    pub(super) tokens: ReceivedTokens,
    pub(super) auth_req_id: AuthReqId,
    pub(super) terms: Box<Terms>,
    /// When the authentication request was sent, on the wall clock at the time of receipt.
    pub(super) started_at: Timestamp,
    /// When the tokens arrived. All times in the ID Token are checked against this.
    pub(super) received_at: Timestamp,
    /// When the authentication request expired.
    pub(super) deadline: Moment,
}

pub(super) struct Verifying {
    pub(super) evidence: Evidence,
    /// When the tokens arrived, on the machine's time line.
    pub(super) arrived: Moment,
    pub(super) looking: KeySearch,
    /// The generation of the key set that was not sufficient, if a newer one is required.
    stale: Option<u64>,
    /// Why keys are looked up.
    reason: Reason,
    /// The number of consecutive lookups without a key set.
    unavailable: u32,
    /// What went wrong with the last of them.
    problem: ExchangeProblem,
    /// The number of consecutive fetches that returned something that can never be read, and when
    /// the last of them was counted.
    unreadable: (u32, Moment),
    /// The failed check whose result a newer key set may change.
    rejection: Option<Rejection>,
}

/// The state of the lookup of keys.
pub(super) enum KeySearch {
    /// The keys will be requested, but not before this moment.
    Due(Moment),
    /// The keys were requested.
    Asking(Open),
}

/// The reason for a lookup of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The first lookup.
    First,
    /// No key of the last set fits.
    UnknownKey,
    /// A key of the last set fits but does not verify the signature. It may have been replaced by
    /// another key with the same id.
    // REQ-JWKS-11
    Signature,
}

impl Verifying {
    /// Begins to verify the tokens of a token response or a push.
    pub(super) fn begin(
        tokens: ReceivedTokens,
        grant: Grant,
        received_at: Timestamp,
        context: &Context<'_>,
    ) -> Phase {
        // Elapsed time is subtracted from the current clock, so that a clock that was set while the
        // person decided does not reject a good token by its `iat`.
        let started_at = context.now.saturating_sub(context.moment.since(grant.sent));
        let evidence = Evidence {
            tokens,
            auth_req_id: grant.auth_req_id,
            terms: grant.terms,
            started_at,
            received_at,
            deadline: grant.deadline,
        };
        Self::start(evidence, context.moment, context)
    }

    /// Begins to verify tokens, or begins again after a restart.
    pub(super) fn start(evidence: Evidence, arrived: Moment, context: &Context<'_>) -> Phase {
        // A resumed flow may be arbitrarily old. A login that was approved yesterday must not open
        // a session today.
        if evidence.is_too_old(context.moment) {
            return Settled::failed(Failure::Expired(None));
        }
        let verdict = match &evidence.tokens.id_token {
            // The request was made without `openid` (ruling 5). Without that, a response without an ID
            // Token gets here only from a modified snapshot.
            None if !evidence.terms.id_token_required
                && context.config.delivery != DeliveryMode::Push =>
            {
                Ok(None)
            }
            None => Err(Untrusted::TokenForm.at("id_token", Found::Missing)),
            Some(token) => match id_token::inspect(context.config, token.expose()) {
                Ok(inspected) if inspected.needs_keys(context.config) => {
                    let looking = KeySearch::Due(Moment::START);
                    let verifying = Self {
                        evidence,
                        arrived,
                        looking,
                        stale: None,
                        reason: Reason::First,
                        unavailable: 0,
                        problem: Cause::Unknown.into(),
                        unreadable: (0, Moment::START),
                        rejection: None,
                    };
                    return Phase::Verifying(Box::new(verifying));
                }
                Ok(inspected) => {
                    inspected.verify(context.config, None, &evidence.context(context)).map(Some)
                }
                Err(untrusted) => Err(untrusted),
            },
        };
        match verdict {
            Ok(id_token) => Settled::verified(evidence, id_token),
            Err(untrusted) => Settled::failed(Failure::Untrusted(untrusted)),
        }
    }

    pub(super) fn poll(mut self: Box<Self>, poll: &mut Poll<'_>) -> Step {
        let moment = poll.context.moment;
        // Checked again at every poll: a flow can sleep here while its machine is suspended.
        if self.evidence.is_too_old(moment) {
            return Step::Next(Settled::failed(Failure::Expired(None)));
        }
        if moment >= self.window_end() {
            return Step::Next(self.give_up());
        }
        match self.looking {
            // Looking up keys has no effect on the person, so it is simply repeated.
            KeySearch::Asking(ref open) if open.is_over(moment) => {
                self.looking = KeySearch::Due(moment);
                Step::Next(Phase::Verifying(self))
            }
            KeySearch::Asking(ref open) => {
                // The window ends even while the caller is still looking for keys.
                let until = open.limit.min(self.window_end());
                Step::Emit(
                    Phase::Verifying(self),
                    Effect::Wait(PlannedWait::new(until, WaitReason::InFlight)),
                )
            }
            KeySearch::Due(due) if moment < due => {
                let because = match self.reason {
                    Reason::UnknownKey | Reason::Signature if self.unavailable == 0 => {
                        Setback::UnknownKey
                    }
                    Reason::First | Reason::UnknownKey | Reason::Signature => {
                        Setback::KeysUnavailable {
                            problem: self.problem,
                            attempts: self.unavailable,
                        }
                    }
                };
                let until = due.min(self.window_end());
                Step::Emit(
                    Phase::Verifying(self),
                    Effect::Wait(PlannedWait::new(until, WaitReason::Setback(because))),
                )
            }
            KeySearch::Due(_) => {
                let (ticket, open) =
                    poll.questions.ask(moment.plus(poll.context.config.policy.local_timeout));
                self.looking = KeySearch::Asking(open);
                let issuer = poll.context.config.issuer.shared();
                let request =
                    // The key id only tells the caller what is sought; the verification decides
                    // which key fits.
                    KeySetRequest::new(issuer, self.key_id(&poll.context), self.stale, ticket);
                Step::Emit(
                    Phase::Verifying(self),
                    Effect::Do { output: Output::KeySet(request), save: false },
                )
            }
        }
    }

    pub(super) const fn open(&self) -> Option<&Open> {
        match &self.looking {
            KeySearch::Asking(open) => Some(open),
            KeySearch::Due(_) => None,
        }
    }

    pub(super) fn answered(mut self: Box<Self>, answer: Answer, context: &Context<'_>) -> Phase {
        match answer {
            Answer::Keys(keys) => self.verify(&keys, context),
            Answer::KeysLater(until) => {
                // The cache works and only asks to wait, so this is not a failed lookup.
                self.unavailable = 0;
                self.looking = KeySearch::Due(context.moment.plus(until.since(context.now)));
                Phase::Verifying(self)
            }
            Answer::KeysUnavailable(why) => {
                self.problem = why;
                if self.is_unreadable_for_good(why, context.moment) {
                    return self.misbehaved(why);
                }
                // 1, 2, 4, 8 and then 16 seconds.
                let wait =
                    Duration::from_secs(1_u64.checked_shl(self.unavailable.min(4)).unwrap_or(1));
                self.unavailable = self.unavailable.saturating_add(1);
                self.looking = KeySearch::Due(context.moment.plus(wait));
                Phase::Verifying(self)
            }
            Answer::Response(..)
            | Answer::Unanswered(_)
            | Answer::Signature(_)
            | Answer::KeyUnavailable(_)
            | Answer::KeyInterrupted
            | Answer::Saved(_) => Phase::Verifying(self),
        }
    }

    fn verify(mut self: Box<Self>, keys: &KeySet, context: &Context<'_>) -> Phase {
        let Some(token) = &self.evidence.tokens.id_token else {
            // Cannot happen: without an ID Token no keys are requested. Not a panic, because the
            // flow holds tokens.
            return Phase::Verifying(self);
        };
        let verdict = id_token::inspect(context.config, token.expose()).and_then(|inspected| {
            inspected.verify(context.config, Some(keys), &self.evidence.context(context))
        });
        let reason = match verdict {
            Ok(id_token) => return Settled::verified(self.evidence, Some(id_token)),
            Err(rejection) => {
                // A pinned set does not change, however often it is requested.
                let is_newest = self.stale.is_some_and(|stale| keys.generation() <= stale);
                #[cfg_attr(
                    not(test),
                    expect(
                        clippy::wildcard_enum_match_arm,
                        reason = "no other check is about keys"
                    )
                )]
                let reason = match rejection.check() {
                    // A key that is published late gets as much time as unavailable keys (ruling 31).
                    Untrusted::UnknownKey if !is_newest => Reason::UnknownKey,
                    // For keys that are published, one newer set is tried, not two (REQ-JWKS-09,
                    // REQ-JWKS-11).
                    Untrusted::UnusableKey if self.stale.is_none() => Reason::UnknownKey,
                    Untrusted::Signature if self.stale.is_none() => Reason::Signature,
                    // The tokens are kept: a set that is repaired or published later may verify them.
                    Untrusted::UnknownKey | Untrusted::UnusableKey => {
                        return Settled::unverified(self.evidence, Failure::Untrusted(rejection));
                    }
                    // No other key can repair a failed check of the header or of the claims.
                    _ => return Settled::failed(Failure::Untrusted(rejection)),
                };
                self.rejection = Some(rejection);
                reason
            }
        };
        self.reason = reason;
        // Keys arrived, so earlier problems with fetching them are over.
        self.unavailable = 0;
        self.unreadable = (0, context.moment);
        self.stale = Some(keys.generation());
        self.looking = KeySearch::Due(context.moment);
        Phase::Verifying(self)
    }

    fn key_id(&self, context: &Context<'_>) -> Option<alloc::string::String> {
        let token = self.evidence.tokens.id_token.as_ref()?;
        id_token::inspect(context.config, token.expose()).ok()?.key_id
    }

    pub(super) fn window_end(&self) -> Moment {
        self.arrived.plus(bounds::KEYS_WINDOW)
    }

    /// Returns when there is something to do.
    pub(super) fn wake_at(&self) -> Moment {
        let next = match self.looking {
            KeySearch::Due(due) => due,
            KeySearch::Asking(ref open) => open.wake_at(),
        };
        next.min(self.window_end())
    }

    /// Whether the fetches return something that is not a key set and never will be.
    // Ruling 31.
    fn is_unreadable_for_good(&mut self, why: ExchangeProblem, moment: Moment) -> bool {
        let (count, counted) = self.unreadable;
        if why.may_pass() {
            self.unreadable = (0, moment);
            return false;
        }
        // Lookups in quick succession may report the same fetch again.
        let spacing =
            if self.stale.is_some() { bounds::FORCED_KEYS_RETRY } else { bounds::KEYS_RETRY };
        if count == 0 || moment.since(counted) >= spacing {
            self.unreadable = (count.saturating_add(1), moment);
        }
        self.unreadable.0 >= bounds::UNREADABLE_KEY_SETS
    }

    fn misbehaved(self: Box<Self>, why: ExchangeProblem) -> Phase {
        let (fault, answer) = match why {
            ExchangeProblem::Unusable { fault, status } => {
                let answer = Response::new(status, Headers::new(), "");
                (fault, Some(Box::new(ServerAnswer::of_document(Endpoint::KeySet, &answer))))
            }
            // Not reached: a missing response may pass, so it never counts as unreadable for good.
            ExchangeProblem::Unanswered(_) => (Fault::Status, None),
        };
        let misbehaviour = Misbehaviour { fault, endpoint: Endpoint::KeySet, answer };
        Settled::unverified(self.evidence, Failure::ProviderMisbehaved(misbehaviour))
    }

    fn give_up(self: Box<Self>) -> Phase {
        let failure = match self.reason {
            Reason::UnknownKey if self.unavailable == 0 => {
                Failure::Untrusted(self.rejection.unwrap_or(Untrusted::UnknownKey.into()))
            }
            // A key of the issuer contradicts the token, so the tokens are not kept.
            Reason::Signature => {
                let rejection = self.rejection.unwrap_or(Untrusted::Signature.into());
                return Settled::failed(Failure::Untrusted(rejection));
            }
            Reason::First | Reason::UnknownKey => Failure::Indeterminate(Indeterminacy::new(
                LostAnswer::KeySet(self.problem),
                self.unavailable,
            )),
        };
        Settled::unverified(self.evidence, failure)
    }
}

impl Evidence {
    /// Whether the person approved more than a day ago, so that the result must no longer be used.
    pub(super) fn is_too_old(&self, moment: Moment) -> bool {
        moment > self.deadline.plus(bounds::EVIDENCE_AGE)
    }

    fn context(&self, context: &Context<'_>) -> IdTokenContext<'_> {
        IdTokenContext {
            expectations: &self.terms.expectations,
            auth_req_id: Some(&self.auth_req_id),
            access_token: Some(&self.tokens.access_token),
            refresh_token: self.tokens.refresh_token.as_ref(),
            started_at: Some(self.started_at),
            received_at: self.received_at,
            is_pushed: context.config.delivery == DeliveryMode::Push,
        }
    }
}

/// A verified ID Token with the evidence from which it was verified.
pub(super) struct Verified {
    pub(super) evidence: Evidence,
    pub(super) id_token: Option<IdToken>,
}
