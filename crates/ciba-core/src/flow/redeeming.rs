//! The phase of a token request: making it, sending it, and handling the response.
// There are never two requests at once, and none after a 200 (ruling 11).

use alloc::{boxed::Box, sync::Arc};

use super::{
    context::{Context, Poll},
    effect::{Effect, PlannedWait},
    exchange::{self, Preparation, Ready, RequestProgress, Target},
    grant::Grant,
    pending::Pending,
    phase::{Phase, Step},
    settled::Settled,
    spacing::{Spacing, unanswered},
    verifying::Verifying,
};
use crate::{
    ask::{Answer, Unanswered, WaitReason},
    bounds,
    elapsed::Moment,
    endpoint::Endpoint,
    error::{Failure, Indeterminacy, KeyProblem, LostAnswer, Setback},
    fault::Cause,
    wire::{
        ErrorCode, Response, ServerAnswer,
        token::{self, Pacing, TokenReply, TokenRules},
    },
};

pub(super) struct Redeeming {
    pub(super) grant: Grant,
    pub(super) making: RequestProgress,
    /// When the request became due, for a flow that is resumed before sending it.
    pub(super) due: Moment,
    /// The description of the last pending answer, shown until there is a newer one.
    pub(super) progress: Option<Arc<str>>,
}

impl Redeeming {
    pub(super) fn new(pending: Pending) -> Self {
        Self {
            grant: pending.grant,
            making: RequestProgress::Fresh,
            due: pending.due,
            progress: pending.progress,
        }
    }

    pub(super) fn poll(mut self, poll: &mut Poll<'_>) -> Step {
        let moment = poll.tick.moment;
        let expired = self.grant.is_over(moment);
        match core::mem::replace(&mut self.making, RequestProgress::Fresh) {
            RequestProgress::InFlight { open, sent, .. } if open.is_over(moment) => {
                Step::Next(self.no_answer(Unanswered::Lost(Cause::Timeout), sent, &poll.tick))
            }
            // No request starts at or after the deadline (REQ-POLL-18). One in flight may still be
            // answered, because the provider may have issued the tokens in time.
            RequestProgress::Signing { .. }
            | RequestProgress::Fresh
            | RequestProgress::Drafted(_)
                if expired =>
            {
                Step::Next(Settled::failed(self.grant.ran_out(&poll.tick)))
            }
            RequestProgress::Signing { open, .. } if open.is_over(moment) => {
                Step::Next(self.key_unavailable(KeyProblem::Unknown, &poll.tick))
            }
            RequestProgress::Drafted(draft) if draft.is_stale(moment) => {
                Step::Next(self.key_unavailable(KeyProblem::Unknown, &poll.tick))
            }
            making @ (RequestProgress::Signing { .. } | RequestProgress::InFlight { .. }) => {
                self.making = making;
                let pause = PlannedWait {
                    until: self.wake_at(),
                    because: WaitReason::InFlight,
                    progress: self.progress.clone(),
                };
                Step::Emit(Phase::Redeeming(self), Effect::Wait(pause))
            }
            RequestProgress::Fresh => {
                self.making = RequestProgress::Drafted(Box::default());
                Step::Next(Phase::Redeeming(self))
            }
            RequestProgress::Drafted(draft) => {
                let (making, say) = match exchange::prepare(draft, Endpoint::Token, None, poll) {
                    Preparation::Ask(making, say) => (making, say),
                    Preparation::Send(ready) => self.transmit(ready, poll),
                };
                self.making = making;
                Step::Emit(Phase::Redeeming(self), say)
            }
        }
    }

    fn transmit(&mut self, ready: Ready, poll: &mut Poll<'_>) -> (RequestProgress, Effect) {
        self.grant.key_failures = 0;
        // A ping that arrived before this request is answered by it.
        self.grant.owes_request = false;
        self.grant.requests = self.grant.requests.saturating_add(1);
        // A new jitter for each wait, so that many flows that started together drift apart.
        self.grant.jitter = poll.jitter();
        let config = poll.tick.config;
        let target = Target {
            endpoint: Endpoint::Token,
            url: &config.token_endpoint,
            attempt: self.grant.requests,
            timeout: config.policy.token_timeout,
            max_response: config.policy.max_token_response,
            latest: self.latest(),
        };
        exchange::transmit(
            poll,
            &target,
            |form| token::request(&self.grant.auth_req_id, form),
            ready,
            &[],
        )
    }

    /// Whether a ping causes one more request. The first one does, and later ones if they arrive
    /// while a request is in flight.
    // Ruling 30.
    pub(super) const fn heeds_ping(&self) -> bool {
        let grant = &self.grant;
        !grant.was_pinged
            || (self.making.is_begun() && !grant.owes_request && grant.heard.has_skips_left())
    }

    /// Returns the latest end of the wait for a response.
    pub(super) fn latest(&self) -> Moment {
        self.grant.deadline.plus(bounds::GRACE)
    }

    /// Returns when there is something to do. At the deadline, the flow stops waiting for a
    /// signature.
    pub(super) fn wake_at(&self) -> Moment {
        match &self.making {
            RequestProgress::InFlight { open, .. } => open.wake_at(),
            RequestProgress::Signing { open, .. } => open.wake_at().min(self.grant.deadline),
            RequestProgress::Fresh | RequestProgress::Drafted(_) => Moment::START,
        }
    }

    pub(super) fn answered(mut self, answer: Answer, tick: &Context<'_>) -> Phase {
        match (core::mem::replace(&mut self.making, RequestProgress::Fresh), answer) {
            (making @ RequestProgress::Signing { .. }, Answer::Signature(signature)) => {
                self.making = making.signed(&signature, Endpoint::Token, tick.config);
                Phase::Redeeming(self)
            }
            (RequestProgress::Signing { .. }, Answer::KeyUnavailable(problem)) => {
                self.key_unavailable(problem, tick)
            }
            (RequestProgress::Signing { .. }, Answer::KeyInterrupted) => Phase::Redeeming(self),
            (RequestProgress::InFlight { sent, .. }, Answer::Response(_, response)) => {
                // Long after the deadline a response cannot belong to an approval that was given in
                // time.
                if tick.moment > self.latest() {
                    self.grant.heard.ended(&Spacing::GaveUp(Cause::Timeout), Moment::NEVER, tick);
                    return Settled::failed(self.grant.ran_out(tick));
                }
                self.response(&response, sent, tick)
            }
            (RequestProgress::InFlight { sent, .. }, Answer::Unanswered(how)) => {
                self.no_answer(how, sent, tick)
            }
            (making, _) => {
                self.making = making;
                Phase::Redeeming(self)
            }
        }
    }

    fn response(mut self, response: &Response, sent: Moment, tick: &Context<'_>) -> Phase {
        let rules = rules(&self.grant, tick);
        match token::process(response, rules, tick.now) {
            TokenReply::Tokens(tokens) => Verifying::begin(*tokens, self.grant, tick.now, tick),
            TokenReply::Pending(pacing) => {
                let because = self.grant.awaits(tick.config);
                self.again(Spacing::Pending(pacing), because, sent, tick)
            }
            TokenReply::SlowDown(pacing) => {
                self.again(Spacing::SlowDown(pacing), WaitReason::SlowDown, sent, tick)
            }
            TokenReply::Busy(answer) => {
                let (status, retry_after) = (answer.status(), answer.retry_after());
                // A gateway may have dropped the tokens. These statuses say that the request was not
                // processed.
                let maybe_lost = !matches!(status, 408 | 425 | 429 | 503);
                self.grant.maybe_redeemed |= maybe_lost;
                self.grant.maybe_slower |= maybe_lost;
                let because = WaitReason::Setback(Setback::Unavailable {
                    status,
                    retry_after,
                    attempts: self.grant.requests,
                });
                self.again(Spacing::Busy(answer), because, sent, tick)
            }
            TokenReply::Error(answer) => Settled::failed(refusal(answer, &self.grant, tick)),
            // Not retried: the provider may have issued the tokens with this response, and a second
            // use of the `auth_req_id` can revoke them (ruling 11).
            TokenReply::Misbehaved(misbehaviour) => {
                Settled::failed(Failure::ProviderMisbehaved(misbehaviour))
            }
        }
    }

    pub(super) fn no_answer(mut self, how: Unanswered, sent: Moment, tick: &Context<'_>) -> Phase {
        let maybe_lost = matches!(how, Unanswered::Lost(_));
        self.grant.maybe_redeemed |= maybe_lost;
        self.grant.maybe_slower |= maybe_lost;
        let waited = tick.moment.since(sent);
        let spacing = match how {
            Unanswered::Lost(cause) => unanswered(waited, cause),
            Unanswered::NotSent(cause) => Spacing::NoAnswer(cause),
        };
        let setback = Setback::NoAnswer { cause: how.cause(), attempts: self.grant.requests };
        self.again(spacing, WaitReason::Setback(setback), sent, tick)
    }

    fn again(
        mut self,
        spacing: Spacing,
        because: WaitReason,
        sent: Moment,
        tick: &Context<'_>,
    ) -> Phase {
        let due = self.grant.next_due(&spacing, sent, tick);
        let progress = match spacing {
            Spacing::Pending(Pacing { progress, .. })
            | Spacing::SlowDown(Pacing { progress, .. }) => progress.map(Arc::from),
            // These say nothing about the person, so the last description remains the newest.
            Spacing::Busy(_) | Spacing::GaveUp(_) | Spacing::NoAnswer(_) | Spacing::NoKey => {
                self.progress
            }
        };
        Phase::Pending(Pending { grant: self.grant, due, because, progress })
    }

    /// Handles a key operation that failed. The key service may be down for a moment, so this is
    /// retried a limited number of times.
    fn key_unavailable(mut self, problem: KeyProblem, tick: &Context<'_>) -> Phase {
        let due = self.grant.next_due(&Spacing::NoKey, tick.moment, tick);
        self.grant.key_failures = self.grant.key_failures.saturating_add(1);
        if self.grant.key_failures >= bounds::KEY_FAILURES {
            // The person was prompted and may have approved.
            let unknown =
                Indeterminacy::new(LostAnswer::PrivateKey, self.grant.requests).with_key(problem);
            return Settled::failed(Failure::Indeterminate(unknown));
        }
        let because = WaitReason::Setback(Setback::KeyUnavailable);
        Phase::Pending(Pending { grant: self.grant, due, because, progress: self.progress })
    }
}

fn rules<'a>(grant: &Grant, tick: &Context<'a>) -> TokenRules<'a> {
    tick.config.policy.token_rules(grant.terms.id_token_required)
}

/// Returns the meaning of a terminal error of the token endpoint or of a push (CIBA Core 11 and 12).
pub(super) fn refusal(answer: Box<ServerAnswer>, grant: &Grant, tick: &Context<'_>) -> Failure {
    match answer.code() {
        Some(ErrorCode::AccessDenied) if !grant.is_over(tick.moment) => Failure::Denied(answer),
        Some(ErrorCode::AccessDenied | ErrorCode::ExpiredToken) => Failure::Expired(Some(answer)),
        Some(ErrorCode::InvalidGrant) if grant.maybe_redeemed => Failure::Indeterminate(
            Indeterminacy::new(LostAnswer::Tokens, grant.requests).answered(Some(answer)),
        ),
        _ => Failure::Refused(answer),
    }
}

/// Handles a late response of the token endpoint. A 200 may contain the only copy of the tokens, so
/// it is accepted. Any other response is ignored, because the next one will say the same.
// Ruling 11: after a 200 the token endpoint is not asked again, whatever the body was.
pub(super) fn late(response: &Response, grant: &Grant, tick: &Context<'_>) -> Option<Phase> {
    if response.status != 200 || tick.moment > grant.deadline.plus(bounds::GRACE) {
        return None;
    }
    match token::process(response, rules(grant, tick), tick.now) {
        TokenReply::Tokens(tokens) => {
            Some(Verifying::begin(*tokens, grant.clone(), tick.now, tick))
        }
        TokenReply::Error(answer) => Some(Settled::failed(refusal(answer, grant, tick))),
        TokenReply::Misbehaved(misbehaviour) => {
            Some(Settled::failed(Failure::ProviderMisbehaved(misbehaviour)))
        }
        TokenReply::Pending(_) | TokenReply::SlowDown(_) | TokenReply::Busy(_) => None,
    }
}
