//! The phase after a lost acknowledgement in ping or push mode, in which a notification may still
//! name the request.
// The request is not repeated, because the person may have been prompted (REQ-AREQ-30).

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    context::Context,
    effect::{Effect, PlannedWait},
    grant::{Grant, Terms},
    pending::Pending,
    phase::{Phase, Step},
    settled::Settled,
};
use crate::{
    ask::WaitReason,
    bounds,
    elapsed::Moment,
    error::{Failure, Indeterminacy, LostAnswer},
    fault::Cause,
    secret::AuthReqId,
    wire::{
        Response, ServerAnswer,
        authorize::{self, AuthorizeReply},
    },
};

pub(super) struct Adrift {
    pub(super) terms: Box<Terms>,
    /// When the request was sent.
    pub(super) sent: Moment,
    /// Until when the flow waits for a notification.
    pub(super) until: Moment,
    /// The response that was received instead of an acknowledgement, if there was one.
    pub(super) answer: Option<Box<ServerAnswer>>,
    /// The cause for which no response was received, if it is known.
    pub(super) cause: Option<Cause>,
    /// The number of requests.
    pub(super) attempts: u32,
    /// The jitter of the first wait, if the flow becomes pending after all.
    pub(super) jitter: Duration,
    /// Whether the flow was resumed, so that an earlier process may have got further than it could
    /// save.
    pub(super) is_resumed: bool,
}

impl Adrift {
    /// Returns the end of the wait: the requested lifetime, or ten minutes, after sending.
    pub(super) fn until(sent: Moment, asked: Option<Duration>) -> Moment {
        // The lifetime that the provider granted was in the lost acknowledgement, so what was
        // requested is the best estimate.
        sent.plus(asked.map_or(bounds::ADRIFT, |asked| bounds::LIFETIME.clamp(asked)))
    }

    pub(super) fn poll(self: Box<Self>, context: &Context<'_>) -> Step {
        if context.moment >= self.until {
            let lost = Indeterminacy::new(LostAnswer::AuthenticationRequest, self.attempts);
            return Step::Next(Settled::failed(Failure::Indeterminate(
                lost.answered(self.answer).because(self.cause),
            )));
        }
        let wait = PlannedWait::new(self.until, WaitReason::Adrift);
        Step::Emit(Phase::Adrift(self), Effect::Wait(wait))
    }

    /// Continues with the id that a notification named, and with default values for what the lost
    /// acknowledgement would have said.
    pub(super) fn adopt(self, auth_req_id: AuthReqId, context: &Context<'_>) -> Pending {
        let pace = (bounds::DEFAULT_INTERVAL, self.until.since(self.sent));
        Pending::first(self.grant(auth_req_id, pace), context)
    }

    fn grant(self, auth_req_id: AuthReqId, pace: (Duration, Duration)) -> Grant {
        // An earlier process may have polled with this id and lost the answer before it could save.
        let (maybe_redeemed, maybe_slower) = (self.is_resumed, self.is_resumed);
        Grant {
            maybe_redeemed,
            maybe_slower,
            ..Grant::new(auth_req_id, pace, self.sent, self.jitter, self.terms)
        }
    }

    /// Handles a response that arrived after its timeout.
    pub(super) fn late(self: Box<Self>, response: &Response, context: &mut Context<'_>) -> Phase {
        // The acknowledgement is the only source of the `auth_req_id` that does not depend on a
        // notification, so it counts however late it is.
        match authorize::process(response, context.now) {
            AuthorizeReply::Acknowledgement(auth_req_id, mut acknowledged) => {
                self.terms.bound(&mut acknowledged);
                let grant = self.grant(auth_req_id, acknowledged.pace());
                context.changes.acknowledgement = Some(Box::new(acknowledged));
                context.changes.late_answer_counts = true;
                Phase::Pending(Pending::first(grant, context))
            }
            // Too late for a repetition with the nonce.
            AuthorizeReply::Refused(answer) | AuthorizeReply::NonceDemanded(answer) => {
                context.changes.late_answer_counts = true;
                Settled::failed(Failure::Refused(answer))
            }
            // It says nothing new: a notification may still name the request.
            AuthorizeReply::Indeterminate(_) | AuthorizeReply::Misbehaved(_) => Phase::Adrift(self),
        }
    }
}
