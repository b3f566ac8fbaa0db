//! The phase of a token request: making it, sending it, and handling the response.
// There are never two requests at once, and none after a 200 (ruling 11).

use alloc::{boxed::Box, sync::Arc};

use super::{
    context::{Context, Poll},
    effect::{Effect, PlannedWait},
    exchange::{self, Preparation, Ready, RequestProgress, Target},
    grant::Grant,
    nonce,
    pending::Pending,
    phase::{Phase, Step},
    settled::Settled,
    spacing::{Spacing, unanswered},
    verifying::Verifying,
};
use crate::{
    ask::{Answer, Unanswered, WaitReason},
    binding::Binding,
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
    pub(super) request_progress: RequestProgress,
    /// When the request became due, for a flow that is resumed before sending it.
    pub(super) due: Moment,
    /// The description of the last pending answer, shown until there is a newer one.
    pub(super) progress: Option<Arc<str>>,
}

impl Redeeming {
    pub(super) fn new(mut pending: Pending) -> Self {
        pending.grant.answers.has_new_nonce = false;
        Self {
            grant: pending.grant,
            request_progress: RequestProgress::Fresh,
            due: pending.due,
            progress: pending.progress,
        }
    }

    pub(super) fn poll(mut self, poll: &mut Poll<'_>) -> Step {
        let moment = poll.context.moment;
        let expired = self.grant.is_over(moment);
        match core::mem::replace(&mut self.request_progress, RequestProgress::Fresh) {
            // Checked before the deadline, because an outcome that is lost must be recorded before
            // the flow draws its conclusion.
            RequestProgress::InFlight { open, sent, .. } if open.is_over(moment) => {
                Step::Next(self.no_answer(Unanswered::Lost(Cause::Timeout), sent, &poll.context))
            }
            // No request starts at or after the deadline (REQ-POLL-18). One in flight may still be
            // answered, because the provider may have issued the tokens in time.
            RequestProgress::Signing { .. }
            | RequestProgress::Fresh
            | RequestProgress::Drafted(_)
                if expired =>
            {
                Step::Next(Settled::failed(self.grant.ran_out(&poll.context)))
            }
            RequestProgress::Signing { open, .. } if open.is_over(moment) => {
                Step::Next(self.key_unavailable(KeyProblem::Unknown, &poll.context))
            }
            RequestProgress::Drafted(draft) if draft.is_stale(moment) => {
                Step::Next(self.key_unavailable(KeyProblem::Unknown, &poll.context))
            }
            request_progress @ (RequestProgress::Signing { .. }
            | RequestProgress::InFlight { .. }) => {
                self.request_progress = request_progress;
                let wait = PlannedWait {
                    until: self.wake_at(),
                    because: WaitReason::InFlight,
                    progress: self.progress.clone(),
                };
                Step::Emit(Phase::Redeeming(self), Effect::Wait(wait))
            }
            RequestProgress::Fresh => {
                self.request_progress = RequestProgress::Drafted(Box::default());
                Step::Next(Phase::Redeeming(self))
            }
            RequestProgress::Drafted(draft) => {
                let (request_progress, effect) =
                    match exchange::prepare(draft, Endpoint::Token, None, poll) {
                        Preparation::Ask(request_progress, effect) => (request_progress, effect),
                        Preparation::Send(ready) => self.transmit(ready, poll),
                    };
                self.request_progress = request_progress;
                Step::Emit(Phase::Redeeming(self), effect)
            }
        }
    }

    fn transmit(&mut self, ready: Ready, poll: &mut Poll<'_>) -> (RequestProgress, Effect) {
        // The key works again, so only consecutive failures count.
        self.grant.key_failures = 0;
        // A ping that arrived before this request is answered by it.
        self.grant.owes_request = false;
        // A repetition for a nonce is no poll of its own.
        if !self.grant.answers.has_new_nonce {
            self.grant.requests = self.grant.requests.saturating_add(1);
        }
        // A new jitter for each wait, so that many flows that started together drift apart.
        self.grant.jitter = poll.jitter();
        let config = poll.context.config;
        // The tokens are bound to the key of the request that brings them.
        self.grant.terms.binding = Binding::of(config);
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
            // Before the request begins, it will bring what the ping announces. While it is in
            // flight, its answer may be older than the ping.
            || (self.request_progress.is_begun()
                && !grant.owes_request
                && grant.answers.has_skips_left())
    }

    /// Whether the given request may still be sent.
    pub(super) fn may_send(&self, counter: u64, moment: Moment) -> bool {
        // The deadline may pass between `poll` and the first byte (REQ-POLL-18).
        !self.grant.is_over(moment) && self.request_progress.may_send(counter, moment)
    }

    /// Returns the latest end of the wait for a response.
    pub(super) fn latest(&self) -> Moment {
        self.grant.deadline.plus(bounds::GRACE)
    }

    /// Returns when there is something to do. At the deadline, the flow stops waiting for a
    /// signature.
    pub(super) fn wake_at(&self) -> Moment {
        match &self.request_progress {
            RequestProgress::InFlight { open, .. } => open.wake_at(),
            RequestProgress::Signing { open, .. } => open.wake_at().min(self.grant.deadline),
            RequestProgress::Fresh | RequestProgress::Drafted(_) => Moment::START,
        }
    }

    pub(super) fn answered(mut self, answer: Answer, context: &Context<'_>) -> Phase {
        match (core::mem::replace(&mut self.request_progress, RequestProgress::Fresh), answer) {
            (request_progress @ RequestProgress::Signing { .. }, Answer::Signature(signature)) => {
                self.request_progress =
                    request_progress.signed(&signature, Endpoint::Token, context.config);
                Phase::Redeeming(self)
            }
            (RequestProgress::Signing { .. }, Answer::KeyUnavailable(problem)) => {
                self.key_unavailable(problem, context)
            }
            // The caller was cancelled, so the key is not to blame. The signature is requested
            // again.
            (RequestProgress::Signing { .. }, Answer::KeyInterrupted) => Phase::Redeeming(self),
            (RequestProgress::InFlight { sent, .. }, Answer::Response(_, response)) => {
                // Long after the deadline a response cannot belong to an approval that was given in
                // time.
                if context.moment > self.latest() {
                    self.grant.answers.ended(
                        &Spacing::GaveUp(Cause::Timeout),
                        Moment::NEVER,
                        context,
                    );
                    return Settled::failed(self.grant.ran_out(context));
                }
                self.response(&response, sent, context)
            }
            (RequestProgress::InFlight { sent, .. }, Answer::Unanswered(how)) => {
                self.no_answer(how, sent, context)
            }
            (request_progress, _) => {
                self.request_progress = request_progress;
                Phase::Redeeming(self)
            }
        }
    }

    fn response(mut self, response: &Response, sent: Moment, context: &Context<'_>) -> Phase {
        let rules = rules(&self.grant, context);
        match token::process(response, rules, context.now) {
            TokenReply::Tokens(tokens) => {
                // The receipt time is now: a slow key set or a crash must not let the token expire.
                Verifying::begin(*tokens, self.grant, context.now, context)
            }
            TokenReply::Pending(pacing) => {
                let because = self.grant.awaits(context.config);
                self.again(Spacing::Pending(pacing), because, sent, context)
            }
            TokenReply::SlowDown(pacing) => {
                self.again(Spacing::SlowDown(pacing), WaitReason::SlowDown, sent, context)
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
                self.again(Spacing::Busy(answer), because, sent, context)
            }
            TokenReply::NonceDemanded(answer) => {
                match nonce::may_repeat(
                    answer,
                    response,
                    Endpoint::Token,
                    self.grant.answers.has_new_nonce,
                    context,
                ) {
                    // At once: the request was refused before it was processed, so the interval does
                    // not apply to it.
                    Ok(()) => {
                        self.grant.answers.has_new_nonce = true;
                        Phase::Redeeming(self)
                    }
                    Err(failure) => Settled::failed(failure),
                }
            }
            TokenReply::Error(answer) => Settled::failed(refusal(answer, &self.grant, context)),
            // Not retried: the provider may have issued the tokens with this response, and a second
            // use of the `auth_req_id` can revoke them (ruling 11).
            TokenReply::Misbehaved(misbehaviour) => {
                Settled::failed(Failure::ProviderMisbehaved(misbehaviour))
            }
        }
    }

    pub(super) fn no_answer(
        mut self,
        how: Unanswered,
        sent: Moment,
        context: &Context<'_>,
    ) -> Phase {
        let maybe_lost = matches!(how, Unanswered::Lost(_));
        self.grant.maybe_redeemed |= maybe_lost;
        self.grant.maybe_slower |= maybe_lost;
        // A provider may hold a token request (CIBA Core 10.1), so a long silence is not a sign of
        // overload.
        let waited = context.moment.since(sent);
        let spacing = match how {
            Unanswered::Lost(cause) => unanswered(waited, cause),
            Unanswered::NotSent(cause) => Spacing::NoAnswer(cause),
        };
        let setback = Setback::NoAnswer { cause: how.cause(), attempts: self.grant.requests };
        self.again(spacing, WaitReason::Setback(setback), sent, context)
    }

    fn again(
        mut self,
        spacing: Spacing,
        because: WaitReason,
        sent: Moment,
        context: &Context<'_>,
    ) -> Phase {
        let due = self.grant.next_due(&spacing, sent, context);
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
    fn key_unavailable(mut self, problem: KeyProblem, context: &Context<'_>) -> Phase {
        // Nothing was sent, so the wait counts from now.
        let due = self.grant.next_due(&Spacing::NoKey, context.moment, context);
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

fn rules<'a>(grant: &Grant, context: &Context<'a>) -> TokenRules<'a> {
    context.config.token_rules(grant.terms.id_token_required)
}

/// Returns the meaning of a terminal error of the token endpoint or of a push (CIBA Core 11 and 12).
pub(super) fn refusal(answer: Box<ServerAnswer>, grant: &Grant, context: &Context<'_>) -> Failure {
    match answer.code() {
        // Some providers answer `access_denied` for a request that expired, which must not be
        // blamed on the person.
        Some(ErrorCode::AccessDenied) if !grant.is_over(context.moment) => Failure::Denied(answer),
        Some(ErrorCode::AccessDenied | ErrorCode::ExpiredToken) => Failure::Expired(Some(answer)),
        // An `auth_req_id` that was redeemed is invalid as well, so a lost answer may have had the
        // tokens (REQ-POLL-11).
        Some(ErrorCode::InvalidGrant) if grant.maybe_redeemed => Failure::Indeterminate(
            Indeterminacy::new(LostAnswer::Tokens, grant.requests).answered(Some(answer)),
        ),
        _ => Failure::Refused(answer),
    }
}

/// Handles a late response of the token endpoint. A 200 may contain the only copy of the tokens, so
/// it is accepted. Any other response is ignored, because the next one will say the same.
// Ruling 11: after a 200 the token endpoint is not asked again, whatever the body was.
pub(super) fn late(response: &Response, grant: &Grant, context: &Context<'_>) -> Option<Phase> {
    // A late response to an old request must not change spacing or state of a newer one.
    if response.status != 200 || context.moment > grant.deadline.plus(bounds::GRACE) {
        return None;
    }
    match token::process(response, rules(grant, context), context.now) {
        TokenReply::Tokens(tokens) => {
            Some(Verifying::begin(*tokens, grant.clone(), context.now, context))
        }
        TokenReply::Error(answer) => Some(Settled::failed(refusal(answer, grant, context))),
        TokenReply::Misbehaved(misbehaviour) => {
            Some(Settled::failed(Failure::ProviderMisbehaved(misbehaviour)))
        }
        TokenReply::Pending(_)
        | TokenReply::SlowDown(_)
        | TokenReply::Busy(_)
        | TokenReply::NonceDemanded(_) => None,
    }
}
