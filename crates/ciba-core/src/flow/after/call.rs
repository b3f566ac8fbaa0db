//! One request with tokens, from its preparation to its answer.

use alloc::{boxed::Box, string::String, sync::Arc};
use core::{fmt, time::Duration};

use super::failure::{CallFailure, NotPossible};
use crate::{
    ask::{
        Answer, Dropped, Input, KeySetRequest, Misuse, MisuseReason, Output, Sending, SendingId,
        Ticket, Transmit, Unanswered, Wait, WaitReason,
    },
    bounds,
    client::ClientConfig,
    crypto::entropy::{Entropy, Purpose},
    elapsed::{Clock, Moment},
    endpoint::Endpoint,
    error::{KeyProblem, Setback},
    fault::{Cause, ExchangeProblem, Fault, Rejection, Untrusted},
    flow::{
        context::{Context, Poll},
        effect::Effect,
        exchange::{Draft, RequestProgress, Target, hand_out},
        questions::{Open, Questions},
    },
    jose::KeySet,
    time::Timestamp,
    wire::{Request, Response, ServerAnswer},
};

/// A [`CallRequest`] that is being made, as a state machine without I/O.
///
/// It is driven like a [`Flow`](crate::Flow): perform what [`Self::poll`] returns and pass the answer
/// to [`Self::handle`], until it returns [`Output::Done`]. It never asks for a save: a call that is
/// lost with its process can be made again, except a refresh, which may have replaced the refresh
/// token.
pub struct Call<R> {
    config: Arc<ClientConfig>,
    clock: Clock,
    questions: Questions,
    task: Box<dyn Task<R> + Send + Sync>,
    state: State<R>,
    /// The number of requests that were handed out.
    attempts: u32,
    key_failures: u32,
}

/// A request with tokens that a client already holds: a refresh
/// ([`RefreshRequest`](super::RefreshRequest)), a request for claims
/// ([`UserInfoRequest`](super::UserInfoRequest)) or a revocation ([`Revocable`](super::Revocable)).
pub trait CallRequest: Sized {
    /// What the call returns.
    type Answer;

    /// Begins the call.
    ///
    /// # Errors
    ///
    /// [`NotPossible`]. Nothing is sent.
    fn call(
        self,
        config: Arc<ClientConfig>,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Call<Self::Answer>, NotPossible>;
}

/// What a call sends, and what the answer means.
pub(super) trait Task<R> {
    fn endpoint(&self) -> Endpoint;

    /// Performs the next step of the preparation of a request.
    fn request(&self, draft: Box<Draft>, attempt: u32, poll: &mut Poll<'_>) -> NextStep;

    fn judge(&mut self, response: &Response, config: &ClientConfig, now: Timestamp) -> Verdict<R>;

    /// Verifies an answer for which [`Verdict::NeedsKeys`] was returned.
    fn verify(&self, _: &KeySet, _: &ClientConfig) -> Result<R, Rejection> {
        Err(Untrusted::UnknownKey.into())
    }

    /// Returns the id of the key that an answer names.
    fn key_id(&self, _: &ClientConfig) -> Option<String> {
        None
    }

    /// Whether a request may be made again although it may have been received.
    fn is_repeatable(&self) -> bool {
        true
    }

    /// How long keys are searched to verify an answer.
    fn keys_window(&self) -> Duration {
        bounds::CALL_WINDOW
    }
}

/// The progress of the request, and the output for the caller.
pub(super) type NextStep = (RequestProgress, Effect);

/// The meaning of an answer.
pub(super) enum Verdict<R> {
    Done(R),
    /// The same request may succeed later.
    Busy(Box<ServerAnswer>),
    Failed(CallFailure),
    /// The answer is signed, and the keys of the issuer are needed.
    NeedsKeys,
}

enum State<R> {
    /// The next request is made at this moment.
    Due(Moment, WaitReason),
    Requesting(RequestProgress),
    Verifying(KeySearch),
    Over(Box<Result<R, CallFailure>>),
}

/// A search for the keys of the issuer.
struct KeySearch {
    asked: Asked,
    /// When the search ends without a key.
    until: Moment,
    /// The generation of the set that was not sufficient.
    stale: Option<u64>,
    failures: u32,
    problem: ExchangeProblem,
}

enum Asked {
    Due(Moment),
    Open(Open),
}

impl<R> Call<R> {
    pub(super) fn start(
        config: Arc<ClientConfig>,
        task: Box<dyn Task<R> + Send + Sync>,
        entropy: &Entropy,
        now: Timestamp,
    ) -> Self {
        let serial = entropy.number(&*config.verifier, Purpose::Serial);
        Self {
            config,
            clock: Clock::starting(now),
            questions: Questions { serial, counter: 0 },
            task,
            state: State::Requesting(RequestProgress::Fresh),
            attempts: 0,
            key_failures: 0,
        }
    }

    /// Returns the next output. This never fails. `now` and `entropy` are those of
    /// [`Flow::poll`](crate::Flow::poll).
    pub fn poll(&mut self, now: Timestamp, entropy: Entropy) -> Output {
        let _ = self.clock.observe(now);
        self.notice_drop(now);
        let moment = self.clock.moment();
        // This terminates: every iteration enters a later step, or waits.
        loop {
            let (until, because) = match &mut self.state {
                State::Over(_) => return Output::Done,
                State::Due(due, because) if moment < *due => (*due, because.clone()),
                State::Due(..) | State::Requesting(RequestProgress::Fresh) => {
                    let draft = Box::<Draft>::default();
                    self.state = State::Requesting(RequestProgress::Drafted(draft));
                    continue;
                }
                State::Requesting(RequestProgress::Drafted(draft)) => {
                    let draft = core::mem::take(draft);
                    return self.request(draft, &entropy, now);
                }
                State::Requesting(
                    RequestProgress::Signing { open, .. } | RequestProgress::InFlight { open, .. },
                ) => (open.limit, WaitReason::InFlight),
                State::Verifying(search) if moment >= search.until => {
                    let failure = CallFailure::KeysUnavailable(search.problem);
                    self.end(Err(failure));
                    continue;
                }
                State::Verifying(search) => match &search.asked {
                    Asked::Open(open) => (open.limit.min(search.until), WaitReason::InFlight),
                    Asked::Due(due) if moment < *due => {
                        let setback = Setback::KeysUnavailable {
                            problem: search.problem,
                            attempts: search.failures,
                        };
                        ((*due).min(search.until), WaitReason::Setback(setback))
                    }
                    Asked::Due(_) => return self.ask_for_keys(moment),
                },
            };
            return Output::Wait(Wait::new(self.clock.wall_at(until), now, because, None));
        }
    }

    fn request(&mut self, draft: Box<Draft>, entropy: &Entropy, now: Timestamp) -> Output {
        let moment = self.clock.moment();
        // What was signed long ago, because the machine was suspended, is signed again.
        let draft = if draft.is_stale(moment) { Box::default() } else { draft };
        let context = Context::new(&self.config, now, moment);
        let mut poll =
            Poll { context, token: None, nonce: None, entropy, questions: &mut self.questions };
        let attempt = self.attempts.saturating_add(1);
        let (progress, effect) = self.task.request(draft, attempt, &mut poll);
        if progress.is_in_flight() {
            self.attempts = attempt;
            self.key_failures = 0;
        }
        self.state = State::Requesting(progress);
        match effect {
            Effect::Do { output, .. } => output,
            // A request is either signed or sent.
            Effect::Wait(_) | Effect::Done => Output::Done,
        }
    }

    fn ask_for_keys(&mut self, moment: Moment) -> Output {
        let key_id = self.task.key_id(&self.config);
        let (ticket, open) = self.questions.ask(moment.plus(self.config.policy.local_timeout));
        let mut stale = None;
        if let State::Verifying(search) = &mut self.state {
            stale = search.stale;
            search.asked = Asked::Open(open);
        }
        Output::KeySet(KeySetRequest::new(self.config.issuer.shared(), key_id, stale, ticket))
    }

    /// Returns the request of a transmission at the instant of sending, or `None` if it must not be
    /// sent any more. It then counts as not sent; poll again.
    pub fn begin(&mut self, transmit: Transmit, now: Timestamp) -> Option<Sending> {
        let Ticket { serial, counter, .. } = *transmit.ticket();
        self.may_send(SendingId { serial, counter }, now).then(|| transmit.begin())
    }

    /// Returns whether a request may still be sent, if time passes between [`Self::begin`] and the
    /// first byte. If it returns `false`, answer [`Unanswered::NotSent`](crate::http::Unanswered).
    #[must_use]
    pub fn may_send(&mut self, sending: SendingId, now: Timestamp) -> bool {
        let _ = self.clock.observe(now);
        let moment = self.clock.moment();
        match &mut self.state {
            State::Requesting(progress) if sending.serial == self.questions.serial => {
                let may_send = progress.may_send(sending.counter, moment);
                if may_send {
                    progress.begin(moment, Moment::NEVER);
                }
                may_send
            }
            State::Requesting(_) | State::Due(..) | State::Verifying(_) | State::Over(_) => false,
        }
    }

    /// Handles the answer to an output. A late answer is ignored, because the request was made
    /// again, except the tokens of a refresh that counts as lost.
    ///
    /// # Errors
    ///
    /// Returns [`Misuse`] with the input if it does not belong to this call, which is then unchanged.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        if let Some(reason) = self.objection(&input) {
            return Err(Misuse { input: Box::new(input), reason });
        }
        let _ = self.clock.observe(now);
        let Input { ticket, answer } = input;
        let is_expected = self.open().is_some_and(|open| open.counter == ticket.counter);
        ticket.mark_answered();
        match &answer {
            _ if is_expected => self.answered(answer, now),
            // It may contain the only copy of new tokens.
            Answer::Response(_, response) if response.status == 200 && self.is_lost() => {
                self.judge(response, now);
            }
            Answer::Response(..)
            | Answer::Unanswered(_)
            | Answer::Signature(_)
            | Answer::KeyUnavailable(_)
            | Answer::KeyInterrupted
            | Answer::Keys(_)
            | Answer::KeysLater(_)
            | Answer::KeysUnavailable(_)
            | Answer::Saved(_) => {}
        }
        Ok(())
    }

    /// Returns the result.
    ///
    /// # Errors
    ///
    /// Returns the [`CallFailure`] with which the call ended, or [`CallFailure::Abandoned`] if it is
    /// not over.
    pub fn finish(self) -> Result<R, CallFailure> {
        match self.state {
            State::Over(result) => *result,
            State::Due(..) | State::Requesting(_) | State::Verifying(_) => {
                Err(CallFailure::Abandoned)
            }
        }
    }

    /// Whether the call ended because an answer was lost that must not be asked for again.
    fn is_lost(&self) -> bool {
        matches!(&self.state, State::Over(result)
            if matches!(**result, Err(CallFailure::RefreshLost(_))))
    }

    fn objection(&self, input: &Input) -> Option<MisuseReason> {
        match &input.answer {
            _ if input.ticket.serial != self.questions.serial => Some(MisuseReason::ForeignTicket),
            _ if input.ticket.counter > self.questions.counter => Some(MisuseReason::StaleTicket),
            // With the keys of another issuer, that issuer could sign this one's answers.
            Answer::Keys(keys) if keys.issuer() != self.config.issuer.as_str() => {
                Some(MisuseReason::ForeignKeys)
            }
            Answer::Keys(_)
            | Answer::Response(..)
            | Answer::Unanswered(_)
            | Answer::Signature(_)
            | Answer::KeyUnavailable(_)
            | Answer::KeyInterrupted
            | Answer::KeysLater(_)
            | Answer::KeysUnavailable(_)
            | Answer::Saved(_) => None,
        }
    }

    const fn open(&self) -> Option<&Open> {
        match &self.state {
            State::Requesting(progress) => progress.open(),
            State::Verifying(KeySearch { asked: Asked::Open(open), .. }) => Some(open),
            State::Verifying(_) | State::Due(..) | State::Over(_) => None,
        }
    }

    /// If the open question was dropped or its time is up, answers it with what is known.
    fn notice_drop(&mut self, now: Timestamp) {
        let moment = self.clock.moment();
        let Some(open) = self.open() else { return };
        let (dropped, is_over) = (open.dropped(), open.is_over(moment));
        let answer = match (&self.state, dropped) {
            (_, None) if !is_over => return,
            (State::Requesting(progress), dropped) if progress.is_in_flight() => {
                Answer::Unanswered(match dropped {
                    Some(Dropped::Untouched) => Unanswered::NotSent(Cause::Interrupted),
                    Some(Dropped::Begun) => Unanswered::Lost(Cause::Interrupted),
                    None if progress.is_begun() => Unanswered::Lost(Cause::Timeout),
                    None => Unanswered::NotSent(Cause::Timeout),
                })
            }
            (State::Requesting(_), Some(_)) => Answer::KeyInterrupted,
            (State::Requesting(_), None) => Answer::KeyUnavailable(KeyProblem::Unknown),
            (State::Verifying(_) | State::Due(..) | State::Over(_), _) => Answer::KeysLater(now),
        };
        self.answered(answer, now);
    }

    fn answered(&mut self, answer: Answer, now: Timestamp) {
        match answer {
            Answer::Signature(signature) => {
                let fresh = State::Requesting(RequestProgress::Fresh);
                if let State::Requesting(progress) = core::mem::replace(&mut self.state, fresh) {
                    let signed = progress.signed(&signature, self.task.endpoint(), &self.config);
                    self.state = State::Requesting(signed);
                }
            }
            Answer::KeyInterrupted => self.state = State::Requesting(RequestProgress::Fresh),
            Answer::KeyUnavailable(problem) => {
                self.key_failures = self.key_failures.saturating_add(1);
                if self.key_failures >= bounds::KEY_FAILURES {
                    self.end(Err(CallFailure::PrivateKey(problem)));
                } else {
                    let due = self.clock.moment().plus(back_off(self.key_failures));
                    self.state = State::Due(due, WaitReason::Setback(Setback::KeyUnavailable));
                }
            }
            Answer::Response(_, response) => self.judge(&response, now),
            Answer::Unanswered(Unanswered::Lost(cause)) if !self.task.is_repeatable() => {
                self.end(Err(CallFailure::RefreshLost(cause.into())));
            }
            Answer::Unanswered(how) => {
                let cause = how.cause();
                let failure = CallFailure::Unanswered { cause, attempts: self.attempts };
                self.again(failure, cause.into(), None);
            }
            Answer::Keys(keys) => self.verify(&keys),
            Answer::KeysLater(until) => {
                let due = self.clock.moment().plus(until.since(now));
                if let State::Verifying(search) = &mut self.state {
                    search.asked = Asked::Due(due);
                }
            }
            Answer::KeysUnavailable(problem) => {
                let moment = self.clock.moment();
                if let State::Verifying(search) = &mut self.state {
                    search.problem = problem;
                    search.failures = search.failures.saturating_add(1);
                    search.asked = Asked::Due(moment.plus(back_off(search.failures)));
                }
            }
            // A call asks for no save.
            Answer::Saved(_) => {}
        }
    }

    fn judge(&mut self, response: &Response, now: Timestamp) {
        match self.task.judge(response, &self.config, now) {
            Verdict::Done(result) => self.end(Ok(result)),
            Verdict::Failed(failure) => self.end(Err(failure)),
            Verdict::Busy(answer) => {
                let (fault, status) = (Fault::Status, answer.status);
                let retry_after = answer.retry_after;
                let problem = ExchangeProblem::Unusable { fault, status };
                self.again(CallFailure::Unavailable(answer), problem, retry_after);
            }
            Verdict::NeedsKeys => {
                let moment = self.clock.moment();
                self.state = State::Verifying(KeySearch {
                    asked: Asked::Due(moment),
                    until: moment.plus(self.task.keys_window()),
                    stale: None,
                    failures: 0,
                    problem: Cause::Unknown.into(),
                });
            }
        }
    }

    fn verify(&mut self, keys: &KeySet) {
        let State::Verifying(search) = &mut self.state else { return };
        let result = self.task.verify(keys, &self.config);
        let is_about_keys = result.as_ref().is_err_and(|rejection| {
            matches!(
                rejection.check(),
                Untrusted::UnknownKey | Untrusted::UnusableKey | Untrusted::Signature
            )
        });
        // The keys may have changed since they were fetched, so one newer set is tried.
        if is_about_keys && search.stale.is_none() {
            search.stale = Some(keys.generation());
            search.asked = Asked::Due(self.clock.moment());
        } else {
            self.end(result.map_err(CallFailure::Untrusted));
        }
    }

    /// Makes the request again, or ends the call if it was made often or long enough.
    fn again(
        &mut self,
        failure: CallFailure,
        problem: ExchangeProblem,
        retry_after: Option<Duration>,
    ) {
        let wait = back_off(self.attempts).max(retry_after.unwrap_or_default());
        let due = self.clock.moment().plus(wait);
        // The time line begins with the call.
        if self.attempts >= bounds::CALL_ATTEMPTS || due > Moment::START.plus(bounds::CALL_WINDOW) {
            self.end(Err(failure));
        } else {
            let (endpoint, attempts) = (self.task.endpoint(), self.attempts);
            let setback = Setback::Repeated { endpoint, problem, attempts };
            self.state = State::Due(due, WaitReason::Setback(setback));
        }
    }

    fn end(&mut self, result: Result<R, CallFailure>) {
        self.state = State::Over(Box::new(result));
    }
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("endpoint", &self.task.endpoint()).finish_non_exhaustive()
    }
}

/// 1, 2, 4 and then 8 seconds.
fn back_off(failures: u32) -> Duration {
    Duration::from_secs(1_u64.checked_shl(failures.saturating_sub(1).min(3)).unwrap_or(1))
}

/// Checks that a token can be sent in a header field and in a form.
pub(super) fn sendable(token: &str) -> Result<(), NotPossible> {
    // A line break would begin another header field.
    match !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(NotPossible::UnusableToken),
    }
}

/// Makes the transmission of a request that carries an access token and no client authentication.
pub(super) fn send(poll: &mut Poll<'_>, target: &Target<'_>, mut request: Request) -> NextStep {
    for (name, value) in poll.context.config.headers.iter() {
        request.headers.push(name, value);
    }
    let (progress, transmit) = hand_out(poll, target, request, Moment::NEVER);
    (progress, Effect::Do { output: Output::Transmit(transmit), save: false })
}
