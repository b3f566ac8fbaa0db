//! The phases of a flow, and the step from one to the next.

use alloc::boxed::Box;

use super::{
    adrift::Adrift,
    authorizing::Authorizing,
    context::{Context, Poll},
    effect::Effect,
    exchange::RequestProgress,
    pending::Pending,
    questions::Open,
    redeeming::{self, Redeeming},
    settled::Settled,
    stage::Stage,
    verifying::Verifying,
};
use crate::{
    ask::{Answer, Dropped, Output, Unanswered},
    elapsed::Moment,
    endpoint::Endpoint,
    error::Failure,
    fault::Cause,
    time::Timestamp,
};

/// The phase of a flow, with the data that has a meaning only in that phase.
pub(super) enum Phase {
    Authorizing(Authorizing),
    /// The acknowledgement was lost, in ping or push mode.
    Adrift(Box<Adrift>),
    Pending(Pending),
    Redeeming(Redeeming),
    Verifying(Box<Verifying>),
    Settled(Settled),
}

impl Phase {
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self::Authorizing(_) => Stage::Authorizing,
            Self::Adrift(_) => Stage::Adrift,
            Self::Pending(_) => Stage::Pending,
            Self::Redeeming(_) => Stage::Redeeming,
            Self::Verifying(_) => Stage::Verifying,
            Self::Settled(_) => Stage::Settled,
        }
    }

    pub(super) fn poll(self, poll: &mut Poll<'_>) -> Step {
        match self {
            Self::Authorizing(authorizing) => authorizing.poll(poll),
            Self::Adrift(adrift) => adrift.poll(&poll.context),
            Self::Pending(pending) => pending.poll(poll),
            Self::Redeeming(redeeming) => redeeming.poll(poll),
            Self::Verifying(verifying) => verifying.poll(poll),
            settled @ Self::Settled(_) => Step::Emit(settled, Effect::Done),
        }
    }

    /// Returns the open question.
    pub(super) fn open(&self) -> Option<&Open> {
        match self {
            Self::Authorizing(authorizing) => authorizing.request_progress.open(),
            Self::Redeeming(redeeming) => redeeming.request_progress.open(),
            Self::Verifying(verifying) => verifying.open(),
            Self::Adrift(_) | Self::Pending(_) | Self::Settled(_) => None,
        }
    }

    /// Whether an output that was held back for a save is still of use. The phase may have ended
    /// meanwhile, its question may have been answered or have timed out, or it may be too late to
    /// ask.
    pub(super) fn still_asks(&self, delayed: &Output, moment: Moment) -> bool {
        let Some(counter) = delayed.counter() else {
            // Keys that are requested ahead of time are of use only while the flow waits for the
            // person.
            return matches!(self, Self::Pending(_));
        };
        if matches!(delayed, Output::Transmit(_)) {
            // What `poll` returns may be sent at that instant, however long the store took.
            return self.may_send(counter, moment);
        }
        let is_in_time = match self {
            Self::Authorizing(authorizing) => !authorizing.is_too_late(moment),
            Self::Redeeming(redeeming) => !redeeming.grant.is_over(moment),
            Self::Adrift(_) | Self::Pending(_) | Self::Verifying(_) | Self::Settled(_) => true,
        };
        is_in_time
            && self.open().is_some_and(|open| open.counter == counter && !open.is_over(moment))
    }

    /// Whether the given request may be sent now.
    pub(super) fn may_send(&self, counter: u64, moment: Moment) -> bool {
        match self {
            Self::Authorizing(authorizing) => authorizing.may_send(counter, moment),
            Self::Redeeming(redeeming) => redeeming.may_send(counter, moment),
            Self::Adrift(_) | Self::Pending(_) | Self::Verifying(_) | Self::Settled(_) => false,
        }
    }

    /// Marks the open request as being sent.
    pub(super) fn begin(&mut self, moment: Moment) {
        let latest = self.latest();
        if let Some(request_progress) = self.request_progress() {
            request_progress.begin(moment, latest);
        }
    }

    /// Makes the timeout of the open request start now, because the store held it back until now.
    pub(super) fn hand_out(&mut self, moment: Moment) {
        let latest = self.latest();
        if let Some(request_progress) = self.request_progress() {
            request_progress.restart(moment, latest);
        }
    }

    /// Whether the flow has nothing that another process with the same flow cannot get: no tokens, no
    /// result, and no request whose answer may be tokens.
    pub(super) const fn gives_way(&self) -> bool {
        match self {
            Self::Authorizing(authorizing) => !authorizing.request_progress.is_begun(),
            Self::Redeeming(redeeming) => !redeeming.request_progress.is_begun(),
            Self::Adrift(_) | Self::Pending(_) => true,
            // The other process may know the outcome.
            Self::Settled(Settled::Failed(Failure::Indeterminate(_))) => true,
            Self::Verifying(_) | Self::Settled(_) => false,
        }
    }

    /// Returns when the timeout of a request ends at the latest.
    fn latest(&self) -> Moment {
        match self {
            Self::Redeeming(redeeming) => redeeming.latest(),
            Self::Authorizing(_)
            | Self::Adrift(_)
            | Self::Pending(_)
            | Self::Verifying(_)
            | Self::Settled(_) => Moment::NEVER,
        }
    }

    const fn request_progress(&mut self) -> Option<&mut RequestProgress> {
        match self {
            Self::Authorizing(authorizing) => Some(&mut authorizing.request_progress),
            Self::Redeeming(redeeming) => Some(&mut redeeming.request_progress),
            Self::Adrift(_) | Self::Pending(_) | Self::Verifying(_) | Self::Settled(_) => None,
        }
    }

    /// Returns the answer that describes what happened to a dropped question.
    pub(super) fn answer_of_drop(&self, how: Dropped, now: Timestamp) -> Option<Answer> {
        let unanswered = match how {
            Dropped::Untouched => Unanswered::NotSent(Cause::Interrupted),
            // It may have been sent, so it counts as sent (REQ-AREQ-30).
            Dropped::Begun => Unanswered::Lost(Cause::Interrupted),
        };
        let of = |request_progress: &RequestProgress| match request_progress {
            RequestProgress::InFlight { .. } => Some(Answer::Unanswered(unanswered)),
            RequestProgress::Signing { .. } => Some(Answer::KeyInterrupted),
            RequestProgress::Fresh | RequestProgress::Drafted(_) => None,
        };
        match self {
            Self::Authorizing(authorizing) => of(&authorizing.request_progress),
            Self::Redeeming(redeeming) => of(&redeeming.request_progress),
            // Looking for keys has no effect on the person, so it is repeated at once.
            Self::Verifying(_) => Some(Answer::KeysLater(now)),
            Self::Adrift(_) | Self::Pending(_) | Self::Settled(_) => None,
        }
    }

    /// Returns the answer that describes a request whose time is up and that never began: it was not
    /// sent. [`Self::poll`] handles every other question whose time is up.
    pub(super) fn answer_of_delay(&self) -> Option<Answer> {
        let request_progress = match self {
            Self::Authorizing(authorizing) => &authorizing.request_progress,
            Self::Redeeming(redeeming) => &redeeming.request_progress,
            Self::Adrift(_) | Self::Pending(_) | Self::Verifying(_) | Self::Settled(_) => {
                return None;
            }
        };
        let is_unsent = request_progress.is_in_flight() && !request_progress.is_begun();
        is_unsent.then_some(Answer::Unanswered(Unanswered::NotSent(Cause::Timeout)))
    }

    /// Handles the answer to the open question.
    pub(super) fn answered(self, answer: Answer, context: &mut Context<'_>) -> Self {
        match self {
            Self::Authorizing(authorizing) => authorizing.answered(answer, context),
            Self::Redeeming(redeeming) => redeeming.answered(answer, context),
            Self::Verifying(verifying) => verifying.answered(answer, context),
            // These phases have no open question that this could answer.
            other @ (Self::Adrift(_) | Self::Pending(_) | Self::Settled(_)) => other,
        }
    }

    /// Handles an answer that is no longer expected.
    pub(super) fn late(
        mut self,
        question: u64,
        answer: &Answer,
        context: &mut Context<'_>,
    ) -> Self {
        match &mut self {
            Self::Pending(pending) => {
                pending.grant.answers.ahead.answered(question, answer, context.moment)
            }
            Self::Redeeming(redeeming) => {
                redeeming.grant.answers.ahead.answered(question, answer, context.moment)
            }
            Self::Authorizing(_) | Self::Adrift(_) | Self::Verifying(_) | Self::Settled(_) => {}
        }
        // Signatures and keys are requested again, so only a response is worth anything late.
        let Answer::Response(endpoint, response) = answer else { return self };
        let is_of_token_endpoint = *endpoint == Endpoint::Token;
        let taken = match self {
            Self::Adrift(adrift) if !is_of_token_endpoint => return adrift.late(response, context),
            Self::Pending(ref pending) if is_of_token_endpoint => {
                redeeming::late(response, &pending.grant, context)
            }
            Self::Redeeming(ref redeeming) if is_of_token_endpoint => {
                redeeming::late(response, &redeeming.grant, context)
            }
            // Once a notification has named the request, a late acknowledgement has no effect.
            Self::Authorizing(_)
            | Self::Adrift(_)
            | Self::Pending(_)
            | Self::Redeeming(_)
            | Self::Verifying(_)
            | Self::Settled(_) => None,
        };
        context.changes.late_answer_counts = taken.is_some();
        taken.unwrap_or(self)
    }
}

/// The result of polling a phase: the next phase, or an effect for the caller.
#[expect(clippy::large_enum_variant, reason = "it lives for one step, on the stack")]
pub(super) enum Step {
    /// Continue immediately in this phase.
    Next(Phase),
    /// Stay in this phase and return the effect to the caller.
    Emit(Phase, Effect),
}
