//! From the start to the acknowledgement. The request is never repeated once a byte of it may have left: a person would
//! be prompted twice (REQ-AREQ-30).

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    exchange::{self, Making, Target},
    grant::{Grant, Terms},
    pending::Pending,
    phase::{Pause, Phase, Poll, Say, Tick, Turn},
    settled::Settled,
};
use crate::{
    ask::{Answer, Because, Endpoint, Unanswered},
    bounds,
    elapsed::Moment,
    error::{Failure, Indeterminacy, LostAnswer, Setback, Unreachable, UnreachableTarget},
    request::AuthRequest,
    wire::{
        Response,
        authorize::{self, Acknowledged, AuthorizeReply},
        form::Form,
    },
};

pub(super) struct Authorizing {
    pub(super) request: Box<AuthRequest>,
    pub(super) making: Making,
    /// Counts the transmissions.
    pub(super) attempt: u32,
    /// Counts the key operations nobody answered.
    pub(super) unsigned: u32,
    /// When the first transmission was tried.
    pub(super) first_sent: Option<Moment>,
    /// Not before this moment.
    pub(super) due: Moment,
    /// Jitter for the first wait after the acknowledgement.
    pub(super) jitter: Duration,
}

impl Authorizing {
    pub(super) fn new(request: AuthRequest) -> Self {
        Self {
            request: Box::new(request),
            making: Making::Fresh,
            attempt: 0,
            unsigned: 0,
            first_sent: None,
            due: Moment::START,
            jitter: Duration::ZERO,
        }
    }

    pub(super) fn poll(mut self, poll: &mut Poll<'_>) -> Turn {
        let moment = poll.tick.moment;
        match core::mem::replace(&mut self.making, Making::Fresh) {
            Making::Fresh if moment < self.due => {
                let pause = Pause::new(self.due, Because::Setback(Setback::NotSent));
                Turn::Emit(Phase::Authorizing(self), Say::Wait(pause))
            }
            Making::Fresh => {
                let (making, say) = exchange::authenticate(poll, Endpoint::BackchannelAuthentication);
                self.making = making;
                match say {
                    Some(say) => Turn::Emit(Phase::Authorizing(self), say),
                    None => Turn::Next(Phase::Authorizing(self)),
                }
            }
            Making::Signing { open, .. } if open.is_over(moment) => {
                self.unsigned = self.unsigned.saturating_add(1);
                if self.unsigned >= bounds::SEND_ATTEMPTS {
                    return Turn::Next(key_unreachable());
                }
                Turn::Next(Phase::Authorizing(self))
            }
            Making::InFlight { open, .. } if open.is_over(moment) => Turn::Next(self.lost()),
            making @ (Making::Signing { .. } | Making::InFlight { .. }) => {
                let limit = making.open().map_or(moment, |open| open.limit);
                self.making = making;
                Turn::Emit(Phase::Authorizing(self), Say::Wait(Pause::new(limit, Because::InFlight)))
            }
            Making::Authenticated(applied) => {
                self.attempt = self.attempt.saturating_add(1);
                self.first_sent.get_or_insert(moment);
                self.jitter = poll.jitter();
                let config = poll.tick.config;
                let mut form = Form::default();
                self.request.write(&mut form, None);
                let target = Target {
                    endpoint: Endpoint::BackchannelAuthentication,
                    url: &config.backchannel_endpoint,
                    attempt: self.attempt,
                    timeout: config.policy.authentication_timeout,
                    max_response: bounds::ACKNOWLEDGEMENT_BYTES,
                    latest: Moment::from_millis(u64::MAX),
                };
                let (making, say) = exchange::transmit(poll, &target, form, applied, self.request.headers());
                self.making = making;
                Turn::Emit(Phase::Authorizing(self), say)
            }
        }
    }

    /// Takes the answer to the open question. The acknowledgement goes beside the phase: every later one may show it.
    pub(super) fn answered(mut self, answer: Answer, tick: &Tick<'_>) -> (Phase, Option<Acknowledged>) {
        match (core::mem::replace(&mut self.making, Making::Fresh), answer) {
            (making @ Making::Signing { .. }, Answer::Signature(signature)) => {
                self.making = making.signed(&signature, tick.config);
                (Phase::Authorizing(self), None)
            }
            (Making::Signing { .. }, Answer::KeyUnavailable) => (key_unreachable(), None),
            (Making::InFlight { sent, .. }, Answer::Response(response)) => self.response(&response, sent, tick),
            (Making::InFlight { .. }, Answer::Unanswered(Unanswered::Lost)) => (self.lost(), None),
            (Making::InFlight { .. }, Answer::Unanswered(Unanswered::NotSent)) => (self.not_sent(tick.moment), None),
            (making, _) => {
                self.making = making;
                (Phase::Authorizing(self), None)
            }
        }
    }

    fn response(self, response: &Response, sent: Moment, tick: &Tick<'_>) -> (Phase, Option<Acknowledged>) {
        let failure = match authorize::process(response, tick.now) {
            AuthorizeReply::Acknowledged(auth_req_id, acknowledged) => {
                let terms = Terms::of(&self.request, tick.config);
                let grant = Grant::new(auth_req_id, &acknowledged, sent, self.jitter, terms);
                return (Phase::Pending(Pending::first(grant, tick)), Some(acknowledged));
            }
            AuthorizeReply::Refused(answer) => Failure::Refused(answer),
            AuthorizeReply::Indeterminate(answer) => {
                Failure::Indeterminate(Indeterminacy { lost: LostAnswer::AuthenticationRequest, answer: Some(answer) })
            }
            AuthorizeReply::Misbehaved(misbehaviour) => Failure::ProviderMisbehaved(misbehaviour),
        };
        (Settled::failed(failure), None)
    }

    /// The answer is lost: the person may have been prompted, so this is the end (poll mode).
    pub(super) fn lost(self) -> Phase {
        Settled::failed(Failure::Indeterminate(Indeterminacy { lost: LostAnswer::AuthenticationRequest, answer: None }))
    }

    /// Nothing left: try again soon, a few times.
    fn not_sent(mut self, moment: Moment) -> Phase {
        let due = moment.plus(Duration::from_secs(1).saturating_mul(self.attempt.saturating_mul(self.attempt)));
        let window = self.first_sent.unwrap_or(moment).plus(bounds::SEND_WINDOW);
        if self.attempt > bounds::SEND_ATTEMPTS || due > window {
            return Settled::failed(Failure::Unreachable(Unreachable {
                target: UnreachableTarget::Endpoint(Endpoint::BackchannelAuthentication),
                answer: None,
            }));
        }
        self.due = due;
        Phase::Authorizing(self)
    }
}

/// The private key is out of reach before anything was sent.
pub(super) fn key_unreachable() -> Phase {
    Settled::failed(Failure::Unreachable(Unreachable { target: UnreachableTarget::PrivateKey, answer: None }))
}
