//! The state machine: polling, handling answers, cancelling and finishing.

use alloc::{boxed::Box, sync::Arc};
use core::{fmt, time::Duration};

use super::{
    authorizing::Authorizing,
    context::{Context, Poll},
    effect::Effect,
    nonce::{self, Received},
    notifications::Notifications,
    phase::{Phase, Step},
    questions::Questions,
    settled::Settled,
    stage::Stage,
    store::StoreState,
};
use crate::{
    ask::{
        Answer, Input, Misuse, MisuseReason, Output, Sending, SendingId, Ticket, Transmit,
        Unanswered, Wait, WaitReason,
    },
    authentication::Authentication,
    client::ClientConfig,
    crypto::entropy::{Entropy, Purpose},
    elapsed::Clock,
    error::{Failure, Setback},
    request::{AuthRequest, RequestError},
    time::Timestamp,
    wire::authorize::Acknowledgement,
};

/// The state machine of one authentication of one person.
///
/// The flow decides and the caller performs. Call [`Self::poll`] for the next [`Output`], perform
/// it, and pass the answer to [`Self::handle`]. After [`Output::Done`], take the result with
/// [`Self::finish`]. The flow reads no clock, draws no randomness and opens no socket, so the same
/// loop works in an async service, a thread, a simulator and a fuzzer.
#[must_use = "a flow does nothing until it is polled"]
pub struct Flow {
    pub(super) config: Arc<ClientConfig>,
    pub(super) clock: Clock,
    pub(super) questions: Questions,
    pub(super) revision: u64,
    /// By how many milliseconds the clock was set back since a wait last reported it.
    pub(super) set_back: u32,
    /// Whether the flow was resumed and has not been polled since.
    pub(super) is_resumed: bool,
    pub(super) received: Option<Box<Received>>,
    /// Present in ping and push mode.
    pub(super) notifications: Option<Box<Notifications>>,
    /// The state of the store, if the flow is durable.
    pub(super) saving: Option<Box<StoreState>>,
    /// Always `Some` between calls.
    pub(super) phase: Option<Phase>,
}

impl Flow {
    /// Starts a flow. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// Returns [`RequestError`] if this client cannot send the request to this provider.
    pub fn start(
        config: Arc<ClientConfig>,
        request: AuthRequest,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Self, RequestError> {
        request.check(&config, now)?;
        // The serial separates flows, so that an answer for another flow is recognized. It is not a
        // secret.
        let serial = entropy.number(&*config.verifier, Purpose::Serial);
        // The notification token is part of the authentication request, so it exists from the
        // start.
        let notifications = Notifications::open(config.delivery, &entropy, &*config.verifier);
        let not_after = Authorizing::not_after(&config);
        Ok(Self {
            config,
            clock: Clock::starting(now),
            questions: Questions { serial, counter: 0 },
            revision: 0,
            set_back: 0,
            is_resumed: false,
            received: None,
            notifications,
            saving: None,
            phase: Some(Phase::Authorizing(Authorizing::new(request, not_after))),
        })
    }

    /// Returns the next output.
    ///
    /// This never fails. While an output has not been answered, it returns a wait until the limit of
    /// that output.
    ///
    /// `now` is the wall clock, which must be read again for each call. If it is earlier than a
    /// previous reading, all waits become longer by the difference, and the next wait reports it.
    /// `entropy` is used up even if it was not needed.
    pub fn poll(&mut self, now: Timestamp, entropy: Entropy) -> Output {
        self.observe(now);
        // Not done by `resume`, which has no entropy.
        if core::mem::take(&mut self.is_resumed) {
            self.questions.jump(&entropy, &*self.config.verifier);
        }
        self.notice_drop(now);
        // An output that waits for a save comes before anything that the phase would do next.
        if let Some(output) = self.delayed_output(now) {
            return output;
        }
        // This terminates, because every iteration enters a later step; see the phases.
        loop {
            // The phase is moved out, because a phase consumes itself to return the next one.
            self.stop_if_superseded();
            let Some(phase) = self.phase.take() else { return Output::Done };
            let before = phase.stage();
            let context = Context::new(&self.config, now, self.clock.moment());
            let token = self.notifications.as_ref().map(|notifications| &notifications.token);
            let mut poll = Poll {
                context,
                token,
                nonce: self.received.as_ref().and_then(|received| received.nonce.as_ref()),
                entropy: &entropy,
                questions: &mut self.questions,
            };
            match phase.poll(&mut poll) {
                Step::Next(next) => {
                    let next = self.collect(next, now);
                    // The start of a token request is not worth a save. A lost one, or the end of
                    // the flow, is.
                    if before != next.stage() && next.stage() != Stage::Redeeming {
                        self.touch();
                    }
                    self.phase = Some(next);
                }
                Step::Emit(next, effect) => {
                    self.phase = Some(next);
                    if matches!(effect, Effect::Do { save: true, .. }) {
                        self.touch();
                    }
                    return match self.saves_first(effect, now) {
                        Ok(effect) => self.output(effect, now),
                        Err(first) => first,
                    };
                }
            }
        }
    }

    fn output(&mut self, effect: Effect, now: Timestamp) -> Output {
        match effect {
            Effect::Do { output, .. } => output,
            Effect::Wait(wait) => {
                // A clock that was set back explains a longer wait better than its usual reason
                // does.
                let because = match core::mem::take(&mut self.set_back) {
                    0 => wait.because,
                    millis => WaitReason::Setback(Setback::ClockSetBack(Duration::from_millis(
                        millis.into(),
                    ))),
                };
                Output::Wait(Wait::new(self.clock.wall_at(wait.until), now, because, wait.progress))
            }
            Effect::Done => Output::Done,
        }
    }

    /// Returns the request of a transmission at the instant of sending. Its timeout starts now.
    ///
    /// Returns `None` if the request must not be sent any more: the flow was cancelled since
    /// [`Self::poll`], its deadline has passed, it is too late to prompt the person
    /// ([`Policy::prompt_within`](crate::Policy::prompt_within)), or what was signed expires too
    /// soon. The request then counts as not sent; poll again. A transmission of another machine also
    /// yields `None` and counts as not sent there.
    // REQ-POLL-18
    pub fn begin(&mut self, transmit: Transmit, now: Timestamp) -> Option<Sending> {
        let Ticket { serial, counter, .. } = *transmit.ticket();
        self.may_send(SendingId { serial, counter }, now).then(|| transmit.begin())
    }

    /// Returns whether a request may still be sent, if time passes between [`Self::begin`] and the
    /// first byte.
    ///
    /// Call it when the connection is established and only the request remains to be written,
    /// because the machine may have been suspended in the meantime. If it returns `false`, answer
    /// [`Unanswered::NotSent`]. It can be called repeatedly.
    // Ruling 27.
    #[must_use]
    pub fn may_send(&mut self, sending: SendingId, now: Timestamp) -> bool {
        self.observe(now);
        let moment = self.clock.moment();
        let SendingId { serial, counter } = sending;
        // The counter alone is not enough: another flow counts from the same numbers.
        serial == self.questions.serial
            && self.phase.as_mut().is_some_and(|phase| {
                let may_send = phase.may_send(counter, moment);
                if may_send {
                    phase.begin(moment);
                }
                may_send
            })
    }

    /// Handles the answer to an output.
    ///
    /// An answer to an output that has timed out is ignored, except a 200 of the token endpoint
    /// while the flow is not over: it may contain the only copy of the tokens.
    ///
    /// # Errors
    ///
    /// Returns [`Misuse`] with the input if it does not belong to this flow. The flow is then
    /// unchanged.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        // Checked before anything changes, so that a foreign input cannot even move the clock.
        if let Some(reason) = self.objection(&input) {
            return Err(Misuse { input: Box::new(input), reason });
        }
        let Input { ticket, answer } = input;
        if let Answer::Saved(outcome) = answer {
            // The clock is not observed here: a caller that saves for a notification may have read
            // `now` long ago.
            self.saved(ticket.counter, outcome);
            ticket.mark_answered();
            return Ok(());
        }
        self.observe(now);
        let is_expected = self
            .phase
            .as_ref()
            .and_then(Phase::open)
            .is_some_and(|open| open.counter == ticket.counter);
        // Read before the ticket is consumed: marking it as answered stops its drop from being
        // reported.
        let question = ticket.counter;
        ticket.mark_answered();
        self.answer(question, answer, is_expected, now);
        Ok(())
    }

    /// If the open question was dropped, or timed out before it began, answers it with what is known
    /// to have happened.
    pub(super) fn notice_drop(&mut self, now: Timestamp) {
        let Some((phase, open)) =
            self.phase.as_ref().and_then(|phase| Some((phase, phase.open()?)))
        else {
            return;
        };
        let question = open.counter;
        let answer = match open.dropped() {
            Some(how) => phase.answer_of_drop(how, now),
            None if open.is_over(self.clock.moment()) => phase.answer_of_delay(),
            None => None,
        };
        if let Some(answer) = answer {
            self.answer(question, answer, true, now);
        }
    }

    fn answer(&mut self, question: u64, answer: Answer, is_expected: bool, now: Timestamp) {
        let Some(phase) = self.phase.take() else { return };
        let mut context = Context::new(&self.config, now, self.clock.moment());
        // After a crash, an answer that is not saved here is lost with the process.
        // Signatures and keys are requested again after a restart, so they are not worth a save.
        let is_fleeting = matches!(
            answer,
            Answer::Signature(_)
                | Answer::KeyInterrupted
                | Answer::Keys(_)
                | Answer::KeysLater(_)
                | Answer::KeysUnavailable(_)
        );
        // A late response is older than the newest one, so its nonce may be out of date.
        if is_expected && let Some(nonce) = nonce::provided(&answer, &self.config) {
            self.received.get_or_insert_default().nonce = Some(nonce);
        }
        let (phase, changed) = if is_expected {
            let answer = match (&self.notifications, answer) {
                // Only the provider knows the notification token, so a notification proves that the
                // request was sent even if the transport reported otherwise.
                (Some(notifications), Answer::Unanswered(Unanswered::NotSent(cause)))
                    if !notifications.early.is_empty() =>
                {
                    Answer::Unanswered(Unanswered::Lost(cause))
                }
                (_, answer) => answer,
            };
            let phase = phase.answered(answer, &mut context);
            let changed = !is_fleeting || matches!(phase, Phase::Settled(_));
            (phase, changed)
        } else {
            let phase = phase.late(question, &answer, &mut context);
            (phase, context.changes.late_answer_counts)
        };
        if let Some(acknowledgement) = context.changes.acknowledgement {
            self.received.get_or_insert_default().acknowledgement = Some(*acknowledgement);
        }
        self.phase = Some(self.collect(phase, now));
        if changed {
            self.touch();
        }
        self.stop_if_superseded();
    }

    /// Applies early notifications, which may have become valid with a step.
    fn collect(&mut self, phase: Phase, now: Timestamp) -> Phase {
        let context = Context::new(&self.config, now, self.clock.moment());
        match &mut self.notifications {
            Some(notifications) => notifications.collect(phase, &context),
            None => phase,
        }
    }

    /// Returns why an input does not belong to this flow.
    fn objection(&self, input: &Input) -> Option<MisuseReason> {
        // The serial survives a resume, so an answer for an earlier process of this flow passes
        // here.
        if input.ticket.serial != self.questions.serial {
            return Some(MisuseReason::ForeignTicket);
        }
        match &input.answer {
            // A flow that was resumed from the same snapshot may have asked this and got further. A
            // late 200 may contain the only copy of the tokens.
            Answer::Response(..) => None,
            _ if input.ticket.counter > self.questions.counter => Some(MisuseReason::StaleTicket),
            // With the keys of another issuer, that issuer could sign this issuer's tokens
            // (REQ-JWKS-20).
            Answer::Keys(keys) => {
                (keys.issuer() != self.config.issuer.as_str()).then_some(MisuseReason::ForeignKeys)
            }
            Answer::Unanswered(_)
            | Answer::Signature(_)
            | Answer::KeyUnavailable(_)
            | Answer::KeyInterrupted
            | Answer::KeysLater(_)
            | Answer::KeysUnavailable(_)
            | Answer::Saved(_) => None,
        }
    }

    /// Gives up: no further request is made, and answers are ignored.
    ///
    /// The prompt stays on the person's device, because CIBA has no way to withdraw it. A flow that
    /// is over is not changed.
    // REQ-SEC-26
    pub fn cancel(&mut self, now: Timestamp) {
        self.observe(now);
        // A result that is already there must not be lost by a late cancel.
        if !matches!(self.phase, Some(Phase::Settled(_))) {
            self.phase = Some(Settled::failed(Failure::Abandoned));
            self.touch();
        }
    }

    /// Returns the result.
    ///
    /// # Errors
    ///
    /// Returns the [`Failure`] with which the flow ended, or [`Failure::Abandoned`] if it is not
    /// over.
    pub fn finish(self) -> Result<Box<Authentication>, Failure> {
        match self.phase {
            Some(Phase::Settled(settled)) => settled.finish(),
            _ => Err(Failure::Abandoned),
        }
    }

    /// Returns the revision of the state, which increases exactly when the state changes in a way
    /// that is worth saving.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Makes the next snapshot newer than every earlier one although the state has not changed.
    ///
    /// Call it before saving again after a save that failed or was abandoned. That save may have
    /// reached the store nevertheless, and a store that accepts only newer states would reject the
    /// same revision.
    pub const fn advance_revision(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    /// Returns `true` if a failed save must stop the flow, which is so while the authentication
    /// request may still be sent.
    ///
    /// In that case do not perform the output if the state cannot be saved: answer a transmission
    /// with [`Unanswered::NotSent`] and poll again when the store works. Otherwise a process that
    /// resumes from the older state would send the request again and prompt the person twice.
    ///
    /// If this is `false`, continue without the store. No older state can prompt the person again,
    /// and the tokens may exist only in memory. A flow resumed from an older state takes this into
    /// account: it does not report a refusal if the tokens may have been issued to the previous
    /// process.
    #[must_use]
    pub const fn must_be_saved(&self) -> bool {
        matches!(self.phase, Some(Phase::Authorizing(_)))
    }

    /// Returns the stage of the flow.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match &self.phase {
            Some(phase) => phase.stage(),
            None => Stage::Settled,
        }
    }

    /// Returns when [`Self::poll`] has something to do by itself, or `None` if the flow is over. An
    /// instant that is not in the future means now.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
        // While an output is held back or a save is open, `poll` does not get to the phase.
        if let Some(moment) = self.saving_wakes_at() {
            return Some(self.clock.wall_at(moment));
        }
        let moment = match self.phase.as_ref()? {
            Phase::Authorizing(authorizing) => authorizing.wake_at(),
            Phase::Adrift(adrift) => adrift.until,
            Phase::Pending(pending) => pending.wake_at(&self.config),
            Phase::Redeeming(redeeming) => redeeming.wake_at(),
            Phase::Verifying(verifying) => verifying.wake_at(),
            Phase::Settled(_) => return None,
        };
        Some(self.clock.wall_at(moment))
    }

    /// Returns when the authentication request expires.
    ///
    /// No token request is made at or after this instant, and the flow ends soon after. Returns
    /// `None` before the request is acknowledged and after the flow failed. For a flow whose
    /// acknowledgement was lost, it is the end of the wait for a notification.
    ///
    /// If the clock is set back, this instant moves back by the same amount.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let deadline = match self.phase.as_ref()? {
            Phase::Adrift(adrift) => adrift.until,
            Phase::Pending(pending) => pending.grant.deadline,
            Phase::Redeeming(redeeming) => redeeming.grant.deadline,
            Phase::Verifying(verifying) => verifying.evidence.deadline,
            Phase::Settled(Settled::Verified(verified)) => verified.evidence.deadline,
            Phase::Authorizing(_) | Phase::Settled(Settled::Failed(_) | Settled::Unverified(_)) => {
                return None;
            }
        };
        Some(self.clock.wall_at(deadline))
    }

    /// Returns `true` if the flow ended because the issuer's keys were not available, and still
    /// holds the unverified tokens.
    ///
    /// Keep its [`snapshot`](Self::snapshot): a flow [resumed](Self::resume) from it requests the
    /// keys again. A new flow would prompt the person a second time.
    // Ruling 42.
    #[must_use]
    pub const fn keeps_tokens(&self) -> bool {
        matches!(&self.phase, Some(Phase::Settled(Settled::Unverified(_))))
    }

    /// Whether the flow holds tokens that have not been verified yet.
    pub(super) const fn holds_tokens(&self) -> bool {
        matches!(&self.phase, Some(Phase::Verifying(_))) || self.keeps_tokens()
    }

    /// Returns the acknowledgement, once there is one ([CIBA Core 7.3]).
    ///
    /// [CIBA Core 7.3]: https://openid.net/specs/openid-client-initiated-backchannel-authentication-core-1_0.html#rfc.section.7.3
    #[must_use]
    pub fn acknowledgement(&self) -> Option<&Acknowledgement> {
        self.received.as_ref()?.acknowledgement.as_ref()
    }

    /// Returns the configuration with which the flow was started.
    #[must_use]
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    pub(super) fn observe(&mut self, now: Timestamp) {
        // Only the sum is kept: several steps back before the next wait are reported as one.
        if let Some(by) = self.clock.observe(now) {
            self.set_back =
                self.set_back.saturating_add(u32::try_from(by.as_millis()).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn touch(&mut self) {
        self.advance_revision();
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("stage", &self.stage())
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_fits_in_256_bytes() {
        assert!(size_of::<Flow>() <= 256, "{}", size_of::<Flow>());
    }
}
