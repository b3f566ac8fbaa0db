//! The phase from the start to the acknowledgement.
//!
//! The authentication request is never repeated once a byte of it may have been sent, because the
//! person would be prompted twice.
// REQ-AREQ-30

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    adrift::Adrift,
    context::{Context, Poll},
    effect::{Effect, PlannedWait},
    exchange::{self, Preparation, Ready, RequestProgress, Target},
    grant::{Grant, Terms},
    nonce,
    pending::Pending,
    phase::{Phase, Step},
    settled::Settled,
};
use crate::{
    ask::{Answer, Unanswered, WaitReason},
    bounds,
    client::ClientConfig,
    elapsed::Moment,
    endpoint::Endpoint,
    error::{
        Failure, Indeterminacy, KeyProblem, LostAnswer, Setback, Unreachable, UnreachableTarget,
    },
    fault::Cause,
    request::AuthRequest,
    secret::NotificationToken,
    wire::{
        Response, ServerAnswer,
        authorize::{self, AuthorizeReply},
        form::Form,
        metadata::DeliveryMode,
    },
};

const ENDPOINT: Endpoint = Endpoint::BackchannelAuthentication;

pub(super) struct Authorizing {
    pub(super) request: Box<AuthRequest>,
    pub(super) request_progress: RequestProgress,
    /// The number of transmissions.
    pub(super) attempt: u32,
    /// Whether the request repeats one that was refused for its DPoP nonce.
    // REQ-POP-10: at most one repetition.
    pub(super) has_new_nonce: bool,
    /// The number of consecutive key operations without a signature in time.
    pub(super) unsigned: u8,
    /// Why the last transmission was not sent or not answered.
    pub(super) cause: Cause,
    /// When the first transmission was attempted.
    pub(super) first_sent: Option<Moment>,
    /// The next attempt is not made before this moment.
    pub(super) due: Moment,
    /// The request must be sent before this moment, because later the person no longer expects the
    /// prompt.
    // Ruling 27.
    pub(super) not_after: Moment,
    /// The jitter of the first wait after the acknowledgement.
    pub(super) jitter: Duration,
    /// Whether the flow was resumed, so that an earlier process may have got further than it could
    /// save.
    pub(super) is_resumed: bool,
}

impl Authorizing {
    pub(super) fn new(request: AuthRequest, not_after: Moment) -> Self {
        Self {
            request: Box::new(request),
            request_progress: RequestProgress::Fresh,
            attempt: 0,
            has_new_nonce: false,
            unsigned: 0,
            cause: Cause::Unknown,
            first_sent: None,
            due: Moment::START,
            not_after,
            jitter: Duration::ZERO,
            is_resumed: false,
        }
    }

    /// Returns until when the authentication request may be sent. The time counts from
    /// [`Moment::START`], at which every flow starts, including one that was saved by a version that
    /// did not store this.
    pub(super) fn not_after(config: &ClientConfig) -> Moment {
        Moment::START.plus(bounds::PROMPT_WITHIN.clamp(config.policy.prompt_within))
    }

    pub(super) fn poll(mut self, poll: &mut Poll<'_>) -> Step {
        let moment = poll.context.moment;
        match core::mem::replace(&mut self.request_progress, RequestProgress::Fresh) {
            // A request in flight is not among these: `may_send` checks the limit when it begins,
            // and afterwards it may have reached the provider.
            RequestProgress::Fresh
            | RequestProgress::Signing { .. }
            | RequestProgress::Drafted(_)
                if moment >= self.not_after =>
            {
                Step::Next(self.too_late())
            }
            RequestProgress::Fresh if moment < self.due => {
                let setback = match self.unsigned {
                    0 => Setback::NotSent { cause: self.cause, attempts: self.attempt },
                    _ => Setback::KeyUnavailable,
                };
                let wait =
                    PlannedWait::new(self.due.min(self.not_after), WaitReason::Setback(setback));
                Step::Emit(Phase::Authorizing(self), Effect::Wait(wait))
            }
            RequestProgress::Fresh => {
                self.request_progress = RequestProgress::Drafted(Box::default());
                Step::Next(Phase::Authorizing(self))
            }
            RequestProgress::Signing { open, .. } if open.is_over(moment) => {
                Step::Next(self.unsigned(KeyProblem::Unknown, moment))
            }
            RequestProgress::Drafted(draft) if draft.is_stale(moment) => {
                Step::Next(self.unsigned(KeyProblem::Unknown, moment))
            }
            // It began, so the provider may have it (REQ-AREQ-30). A request that never began was
            // answered as not sent before the phase is polled.
            RequestProgress::InFlight { open, sent, .. } if open.is_over(moment) => {
                Step::Next(self.no_answer(Unanswered::Lost(Cause::Timeout), sent, &poll.context))
            }
            request_progress @ (RequestProgress::Signing { .. }
            | RequestProgress::InFlight { .. }) => {
                self.request_progress = request_progress;
                let wait = PlannedWait::new(self.wake_at(), WaitReason::InFlight);
                Step::Emit(Phase::Authorizing(self), Effect::Wait(wait))
            }
            RequestProgress::Drafted(draft) => {
                let (request_progress, effect) =
                    match exchange::prepare(draft, ENDPOINT, Some(&self.request), poll) {
                        Preparation::Ask(request_progress, effect) => (request_progress, effect),
                        Preparation::Send(ready) => self.transmit(ready, poll),
                    };
                self.request_progress = request_progress;
                Step::Emit(Phase::Authorizing(self), effect)
            }
        }
    }

    /// Returns when there is something to do. A request that is in flight was sent in time, so only
    /// its own limit counts.
    pub(super) fn wake_at(&self) -> Moment {
        match &self.request_progress {
            RequestProgress::InFlight { open, .. } => open.wake_at(),
            RequestProgress::Signing { open, .. } => open.wake_at().min(self.not_after),
            RequestProgress::Fresh | RequestProgress::Drafted(_) => self.due.min(self.not_after),
        }
    }

    /// Returns the end of the time in which the person may be prompted.
    pub(super) const fn last_instant(&self) -> Moment {
        self.not_after
    }

    /// Whether it is too late to prompt the person.
    pub(super) fn is_too_late(&self, moment: Moment) -> bool {
        moment >= self.not_after
    }

    /// Whether the given request may still be sent.
    pub(super) fn may_send(&self, counter: u64, moment: Moment) -> bool {
        moment < self.not_after && self.request_progress.may_send(counter, moment)
    }

    fn transmit(&mut self, ready: Ready, poll: &mut Poll<'_>) -> (RequestProgress, Effect) {
        // The key works again, so its earlier failures no longer count.
        self.unsigned = 0;
        self.attempt = self.attempt.saturating_add(1);
        // The send window counts from the first attempt, so that retries cannot extend it.
        self.first_sent.get_or_insert(poll.context.moment);
        self.jitter = poll.jitter();
        let config = poll.context.config;
        let token = poll.token.map(NotificationToken::expose);
        let target = Target {
            endpoint: ENDPOINT,
            url: &config.backchannel_endpoint,
            attempt: self.attempt,
            timeout: config.policy.authentication_timeout,
            max_response: bounds::ACKNOWLEDGEMENT_BYTES,
            // There is no deadline yet: it counts from the acknowledgement that this request
            // brings.
            latest: Moment::NEVER,
        };
        let parameters = |form: &mut Form| self.request.write(&config.request_style, form, token);
        exchange::transmit(poll, &target, parameters, ready, self.request.headers())
    }

    /// Handles the answer to the open question. The acknowledgement is returned separately, because
    /// all later phases can show it.
    pub(super) fn answered(mut self, answer: Answer, context: &mut Context<'_>) -> Phase {
        match (core::mem::replace(&mut self.request_progress, RequestProgress::Fresh), answer) {
            (request_progress @ RequestProgress::Signing { .. }, Answer::Signature(signature)) => {
                self.request_progress =
                    request_progress.signed(&signature, ENDPOINT, context.config);
                Phase::Authorizing(self)
            }
            (RequestProgress::Signing { .. }, Answer::KeyUnavailable(problem)) => {
                self.unsigned(problem, context.moment)
            }
            // The caller was cancelled, so the key is not to blame. The signature is requested
            // again.
            (RequestProgress::Signing { .. }, Answer::KeyInterrupted) => Phase::Authorizing(self),
            (RequestProgress::InFlight { sent, .. }, Answer::Response(_, response)) => {
                self.response(&response, sent, context)
            }
            (RequestProgress::InFlight { sent, .. }, Answer::Unanswered(how)) => {
                self.no_answer(how, sent, context)
            }
            // An answer of another kind cannot be for this question, so it changes nothing.
            (request_progress, _) => {
                self.request_progress = request_progress;
                Phase::Authorizing(self)
            }
        }
    }

    fn response(self, response: &Response, sent: Moment, context: &mut Context<'_>) -> Phase {
        let failure = match authorize::process(response, context.now) {
            AuthorizeReply::Acknowledgement(auth_req_id, mut acknowledged) => {
                let terms = Terms::of(&self.request, context.config);
                terms.bound(&mut acknowledged);
                // `expires_in` counts from the sending of the request (REQ-ACK-11): the provider
                // starts its own clock before we read the response.
                let grant = Grant::new(auth_req_id, acknowledged.pace(), sent, self.jitter, terms);
                context.changes.acknowledgement = Some(Box::new(acknowledged));
                return Phase::Pending(Pending::first(grant, context));
            }
            // An error is final. The caller decides about a new flow, because only the caller can
            // tell whether the person still expects a prompt.
            AuthorizeReply::Refused(answer) => Failure::Refused(answer),
            // The provider refused the request before it processed it, so the person was not
            // prompted (RFC 9449 section 8).
            AuthorizeReply::NonceDemanded(answer) => {
                match nonce::may_repeat(answer, response, ENDPOINT, self.has_new_nonce, context) {
                    Ok(()) => {
                        return Phase::Authorizing(Self { has_new_nonce: true, ..self });
                    }
                    Err(failure) => failure,
                }
            }
            AuthorizeReply::Indeterminate(answer) => {
                return self.lost(Some(answer), sent, context);
            }
            AuthorizeReply::Misbehaved(misbehaviour) => Failure::ProviderMisbehaved(misbehaviour),
        };
        Settled::failed(failure)
    }

    fn no_answer(mut self, how: Unanswered, sent: Moment, context: &Context<'_>) -> Phase {
        self.cause = how.cause();
        match how {
            Unanswered::Lost(_) => self.lost(None, sent, context),
            Unanswered::NotSent(_) => self.not_sent(context.moment),
        }
    }

    /// Handles a lost acknowledgement. The person may have been prompted, so in poll mode the flow
    /// ends. In the other modes a notification may still name the request.
    pub(super) fn lost(
        self,
        answer: Option<Box<ServerAnswer>>,
        sent: Moment,
        context: &Context<'_>,
    ) -> Phase {
        // With a response, the response is the explanation and no cause is needed.
        let cause = answer.is_none().then_some(self.cause);
        match context.config.delivery {
            // In poll mode only the acknowledgement has the `auth_req_id`, so nothing can be asked
            // any more.
            DeliveryMode::Poll => Settled::failed(Failure::Indeterminate(
                Indeterminacy::new(LostAnswer::AuthenticationRequest, self.attempt)
                    .answered(answer)
                    .because(cause),
            )),
            DeliveryMode::Ping | DeliveryMode::Push => Phase::Adrift(Box::new(Adrift {
                terms: Terms::of(&self.request, context.config),
                sent,
                until: Adrift::until(sent, self.request.requested_lifetime()),
                answer,
                cause,
                attempts: self.attempt,
                jitter: self.jitter,
                is_resumed: self.is_resumed,
            })),
        }
    }

    /// Handles a notification that arrived while nothing is in flight.
    // Only the provider knows the notification token, so the request was sent even if the transport
    // reported otherwise, and must not be sent again.
    pub(super) fn was_received(self, context: &Context<'_>) -> Phase {
        let sent = self.first_sent.unwrap_or(context.moment);
        self.lost(None, sent, context)
    }

    /// Handles a missing or late signature. No person was prompted yet, so signing is retried a few
    /// times.
    fn unsigned(mut self, problem: KeyProblem, moment: Moment) -> Phase {
        self.unsigned = self.unsigned.saturating_add(1);
        // A signature of the wrong length would have the wrong length again.
        let is_hopeless = matches!(problem, KeyProblem::Length(_));
        if is_hopeless || u32::from(self.unsigned) >= bounds::KEY_FAILURES {
            return Settled::key_unreachable(problem);
        }
        self.due = moment.plus(wait_before(self.unsigned.into()));
        Phase::Authorizing(self)
    }

    /// Ends a flow whose request was not sent in time. If the private key caused the delay, the
    /// failure says so.
    fn too_late(self) -> Phase {
        if self.unsigned > 0 {
            return Settled::key_unreachable(KeyProblem::Unknown);
        }
        let unreachable = Unreachable::new(UnreachableTarget::Person);
        // These two say nothing that the failure itself does not say.
        let is_told = !matches!(self.cause, Cause::Unknown | Cause::Withheld);
        Settled::failed(Failure::Unreachable(match is_told {
            true => unreachable.because(self.cause.into(), self.attempt),
            false => unreachable,
        }))
    }

    /// Handles a request that was not sent: it is retried a few times.
    fn not_sent(mut self, moment: Moment) -> Phase {
        // Reported as too late and not as unreachable, because another attempt would be late as
        // well.
        if moment >= self.not_after {
            return self.too_late();
        }
        let due = moment.plus(wait_before(self.attempt));
        let window = self.first_sent.unwrap_or(moment).plus(bounds::SEND_WINDOW);
        // Retrying is safe here because nothing was sent, but the person waits for the prompt, so
        // it must be quick or not at all.
        if self.attempt > bounds::SEND_ATTEMPTS || due > window || due >= self.not_after {
            let target = UnreachableTarget::Endpoint(Endpoint::BackchannelAuthentication);
            let unreachable = Unreachable::new(target).because(self.cause.into(), self.attempt);
            return Settled::failed(Failure::Unreachable(unreachable));
        }
        self.due = due;
        Phase::Authorizing(self)
    }
}

/// Returns the pause after a number of attempts that had no effect on the person.
fn wait_before(tries: u32) -> Duration {
    // 1, 4 and 9 seconds: the retries fit into the send window, in which the person still waits.
    Duration::from_secs(1).saturating_mul(tries.saturating_mul(tries))
}
