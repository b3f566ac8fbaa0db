//! One authentication, from the request to the evidence.
//!
//! ```text
//!  Authorizing --sign?, transmit--> Pending --due or pinged--> Redeeming --200--> Verifying --keys--> Settled
//!    |   ^                           |   ^                        |                 ^   |
//!    |   '- not sent: wait           |   '-- pending, slow_down, -'                 |   '- unknown key: refresh,
//!    | answer lost                   |       5xx, 429, no answer                    |      wait, ask again
//!    v                               '---------- push: the tokens themselves -------'
//!  poll: Settled(Indeterminate)      any phase: cancel, refusal, expiry --> Settled(Failure)
//!  ping, push: Adrift --a notification bearing our token--> Pending or Verifying
//! ```

mod adrift;
mod authorizing;
mod exchange;
mod grant;
mod notifications;
mod notify;
mod pending;
mod phase;
mod prompts;
mod redeeming;
mod routes;
mod saving;
mod settled;
mod snapshot;
mod spent;
mod token_answers;
mod verifying;

use alloc::{boxed::Box, sync::Arc};
use core::{fmt, time::Duration};

use self::{
    authorizing::Authorizing,
    exchange::RequestProgress,
    notifications::Notifications,
    phase::{Context, Effect, Open, Phase, Poll, Questions, Step},
    saving::Saving,
    settled::Settled,
};
use crate::{
    ask::{
        Answer, Dropped, Input, Misuse, MisuseReason, Output, Sending, SendingId, Ticket, Transmit,
        Unanswered, Wait, WaitReason,
    },
    authentication::Authentication,
    client::ClientConfig,
    elapsed::Clock,
    endpoint::Endpoint,
    entropy::{Entropy, Purpose},
    error::{Failure, Setback},
    fault::Cause,
    request::{AuthRequest, RequestError},
    time::Timestamp,
    wire::authorize::Acknowledgement,
};

pub use notifications::NotificationKey;
pub use notify::{BadNotification, Notification, NotificationReply, NotificationVerdict};
pub use prompts::{PromptPlace, PromptRefused, RunningPrompts};
pub use routes::{Routes, RoutesFull};
pub use saving::{Receipt, Receiving};
pub use snapshot::ResumeError;
pub use spent::{SpentKey, SpentKeys};

/// One authentication of one person: the machine.
///
/// It decides and the caller performs. Call [`Self::poll`] for what to do next, do it, and give the
/// answer to [`Self::handle`]; when [`Output::Done`] comes, take the result with [`Self::finish`].
/// The machine reads no clock, draws no randomness and opens no socket, so the same loop serves an
/// async service, a thread, a simulator and a fuzzer.
#[must_use = "a flow does nothing until it is polled"]
pub struct Flow {
    config: Arc<ClientConfig>,
    clock: Clock,
    questions: Questions,
    revision: u64,
    /// By how many milliseconds the clock was set back since a wait last told.
    set_back: u32,
    /// Resumed and not polled since.
    is_resumed: bool,
    acknowledged: Option<Box<Acknowledgement>>,
    /// In ping and push mode.
    mailbox: Option<Box<Notifications>>,
    /// What is known of the store, where there is one.
    saving: Option<Box<Saving>>,
    /// Always there between calls.
    phase: Option<Phase>,
}

/// Where a flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The authentication request has not been acknowledged.
    Authorizing,
    /// In ping or push mode: the acknowledgement was lost, and a notification may still come.
    Adrift,
    /// Acknowledged; waiting for the person.
    Pending,
    /// A token request is being made.
    Redeeming,
    /// Tokens are here and are being verified.
    Verifying,
    /// Over.
    Settled,
}

impl Flow {
    /// Begins a flow; nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`RequestError`] when this client cannot send this request to this provider; nothing went on
    /// the wire.
    pub fn start(
        config: Arc<ClientConfig>,
        request: AuthRequest,
        entropy: Entropy,
        now: Timestamp,
    ) -> Result<Self, RequestError> {
        request.check(&config, now)?;
        let mut serial = [0_u8; 8];
        for (slot, byte) in
            serial.iter_mut().zip(entropy.expand(&*config.verifier, Purpose::Serial))
        {
            *slot = byte;
        }
        let mailbox = Notifications::open(config.delivery, &entropy, &*config.verifier);
        let not_after = Authorizing::not_after(&config);
        Ok(Self {
            config,
            clock: Clock::starting(now),
            questions: Questions { serial: u64::from_le_bytes(serial), counter: 0 },
            revision: 0,
            set_back: 0,
            is_resumed: false,
            acknowledged: None,
            mailbox,
            saving: None,
            phase: Some(Phase::Authorizing(Authorizing::new(request, not_after))),
        })
    }

    /// What to do next. Never fails; while an output is open it says to wait until that output's
    /// limit.
    ///
    /// `now` is the wall clock, read again for every call. When it lies before an earlier reading,
    /// all waits get longer by as much and the next wait says so. `entropy` is used up even when
    /// nothing needed it.
    pub fn poll(&mut self, now: Timestamp, entropy: Entropy) -> Output {
        self.observe(now);
        if core::mem::take(&mut self.is_resumed) {
            self.questions.begin_anew(&entropy, &*self.config.verifier);
        }
        self.hear_of_a_drop(now);
        if let Some(output) = self.held_back(now) {
            return output;
        }
        // Every turn moves on to a later step, so this ends; see the phases.
        loop {
            let Some(phase) = self.phase.take() else { return Output::Done };
            let before = phase.stage();
            let tick = Context { config: &self.config, now, moment: self.clock.moment() };
            let token = self.mailbox.as_ref().map(|mailbox| &mailbox.token);
            let mut poll = Poll { tick, token, entropy: &entropy, questions: &mut self.questions };
            match phase.poll(&mut poll) {
                Step::Next(next) => {
                    let next = self.collect(next, now);
                    // Beginning a token request is not worth saving; losing one, or the end, is.
                    if before != next.stage() && next.stage() != Stage::Redeeming {
                        self.touch();
                    }
                    self.phase = Some(next);
                }
                Step::Emit(next, say) => {
                    self.phase = Some(next);
                    if matches!(say, Effect::Do { save: true, .. }) {
                        self.touch();
                    }
                    return match self.saves_first(say, now) {
                        Ok(say) => self.say(say, now),
                        Err(first) => first,
                    };
                }
            }
        }
    }

    fn say(&mut self, say: Effect, now: Timestamp) -> Output {
        match say {
            Effect::Do { output, .. } => output,
            Effect::Wait(pause) => {
                let because = match core::mem::take(&mut self.set_back) {
                    0 => pause.because,
                    millis => WaitReason::Setback(Setback::ClockSetBack(Duration::from_millis(
                        millis.into(),
                    ))),
                };
                Output::Wait(Wait::new(
                    self.clock.wall_at(pause.until),
                    now,
                    because,
                    pause.progress,
                ))
            }
            Effect::Done => Output::Done,
        }
    }

    /// The request of a transmission at the instant of sending: its times count from now.
    ///
    /// `None` when it must not be sent any more: since [`Self::poll`] the flow was cancelled, its
    /// deadline came (REQ-POLL-18), it is too late to prompt the person
    /// ([`Policy::prompt_within`](crate::Policy::prompt_within)), or too little is left of the life
    /// of what was signed. The flow counts that as not sent; poll again. A transmission of another
    /// machine gives `None`, too, and counts as not sent there.
    pub fn begin(&mut self, transmit: Transmit, now: Timestamp) -> Option<Sending> {
        let Ticket { serial, counter, .. } = *transmit.ticket();
        self.may_send(SendingId { serial, counter }, now).then(|| transmit.begin())
    }

    /// Whether the request may still leave, for a caller to whom time passes between
    /// [`Self::begin`] and the first byte: ask when the connection stands and nothing but the
    /// request is left to write, since the machine may have been suspended meanwhile. If not,
    /// answer [`Unanswered::NotSent`]. Asking more than once is fine.
    #[must_use]
    pub fn may_send(&mut self, sending: SendingId, now: Timestamp) -> bool {
        self.observe(now);
        let moment = self.clock.moment();
        let SendingId { serial, counter } = sending;
        serial == self.questions.serial
            && match &mut self.phase {
                Some(Phase::Authorizing(authorizing)) => authorizing.may_send(counter, moment),
                Some(Phase::Redeeming(redeeming)) => {
                    let latest = redeeming.latest();
                    !redeeming.grant.is_over(moment)
                        && redeeming.making.may_send(counter, moment, latest)
                }
                _ => false,
            }
    }

    /// Takes the answer to an output.
    ///
    /// An answer that comes after its output was given up is ignored, except a 200 of the token
    /// endpoint while the flow is not over: it may be the only copy of the tokens.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the input does not belong here; it comes back and nothing changed.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<(), Misuse> {
        if let Some(reason) = self.objection(&input) {
            return Err(Misuse { input: Box::new(input), reason });
        }
        let Input { ticket, answer } = input;
        if let Answer::Saved(is_saved) = answer {
            // No time passes by it: whoever saves for a notification may have read the clock long
            // ago.
            self.saved(ticket.counter, is_saved);
            ticket.is_answered();
            return Ok(());
        }
        self.observe(now);
        let is_expected = self
            .phase
            .as_ref()
            .and_then(Phase::open)
            .is_some_and(|open| open.counter == ticket.counter);
        let question = ticket.counter;
        ticket.is_answered();
        self.answer(question, answer, is_expected, now);
        Ok(())
    }

    /// The open question was dropped: what is true then is the answer to it.
    fn hear_of_a_drop(&mut self, now: Timestamp) {
        let Some((phase, open)) =
            self.phase.as_ref().and_then(|phase| Some((phase, phase.open()?)))
        else {
            return;
        };
        let question = open.counter;
        let answer = open.dropped().and_then(|how| phase.answer_of_a_drop(how, now));
        if let Some(answer) = answer {
            self.answer(question, answer, true, now);
        }
    }

    fn answer(&mut self, question: u64, answer: Answer, is_expected: bool, now: Timestamp) {
        let Some(phase) = self.phase.take() else { return };
        let tick = Context { config: &self.config, now, moment: self.clock.moment() };
        // Signatures and keys are asked for again after a restart, so they are not worth saving.
        let is_fleeting = matches!(
            answer,
            Answer::Signature(_)
                | Answer::KeyInterrupted
                | Answer::Keys(_)
                | Answer::KeysLater(_)
                | Answer::KeysUnavailable(_)
        );
        let (phase, acknowledged, changed) = if is_expected {
            let answer = match (&self.mailbox, answer) {
                // Only the provider has our token: what was said not to have left is answered
                // already.
                (Some(mailbox), Answer::Unanswered(Unanswered::NotSent(cause)))
                    if !mailbox.early.is_empty() =>
                {
                    Answer::Unanswered(Unanswered::Lost(cause))
                }
                (_, answer) => answer,
            };
            let (phase, acknowledged) = phase.answered(answer, &tick);
            let changed = !is_fleeting || matches!(phase, Phase::Settled(_));
            (phase, acknowledged, changed)
        } else {
            phase.late(question, &answer, &tick)
        };
        if let Some(acknowledged) = acknowledged {
            self.acknowledged = Some(Box::new(acknowledged));
        }
        self.phase = Some(self.collect(phase, now));
        if changed {
            self.touch();
        }
    }

    /// After every step: what a notification said too early may count now.
    fn collect(&mut self, phase: Phase, now: Timestamp) -> Phase {
        let tick = Context { config: &self.config, now, moment: self.clock.moment() };
        match &mut self.mailbox {
            Some(mailbox) => mailbox.collect(phase, &tick),
            None => phase,
        }
    }

    /// Why an input does not belong here.
    fn objection(&self, input: &Input) -> Option<MisuseReason> {
        if input.ticket.serial != self.questions.serial {
            return Some(MisuseReason::ForeignTicket);
        }
        match &input.answer {
            // Another life of this flow, further on than the snapshot this one began with, asked:
            // the answer is late, and a 200 among them may hold the only copy of the tokens.
            Answer::Response(..) => None,
            _ if input.ticket.counter > self.questions.counter => Some(MisuseReason::StaleTicket),
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

    /// Gives up: no further request is made, and answers are ignored. The prompt stays on the
    /// person's device; CIBA has no way to take it back (REQ-SEC-26). A flow that is over stays as
    /// it is.
    pub fn cancel(&mut self, now: Timestamp) {
        self.observe(now);
        if !matches!(self.phase, Some(Phase::Settled(_))) {
            self.phase = Some(Settled::failed(Failure::Abandoned));
            self.touch();
        }
    }

    /// The result.
    ///
    /// # Errors
    ///
    /// [`Failure`]; a flow that is not over yet counts as [`Failure::Abandoned`].
    pub fn finish(self) -> Result<Box<Authentication>, Failure> {
        match self.phase {
            Some(Phase::Settled(settled)) => settled.finish(),
            _ => Err(Failure::Abandoned),
        }
    }

    /// Increases whenever something worth saving changed, and only then.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// Makes the next snapshot count as newer than every earlier one although nothing changed.
    ///
    /// Call it before you save again after a save that failed or was abandoned: it may have reached
    /// the store all the same, and a store that keeps only newer states would refuse the same
    /// revision.
    pub const fn advance_revision(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    /// Whether a failed save has to stop the flow: true while the authentication request may still
    /// be sent.
    ///
    /// If the state cannot be saved and this is true, do not carry out the output: answer a
    /// transmission with [`Unanswered::NotSent`] and poll again once the store works. Otherwise a
    /// process that resumes from the older state would send the request again and prompt the person
    /// twice.
    ///
    /// If it is false, continue without the store. No older state can prompt the person again, and
    /// what the provider grants may exist only in memory. A flow that is resumed from an older
    /// state accounts for that: it does not report a refusal where the tokens may have been issued
    /// to the earlier process.
    #[must_use]
    pub const fn must_be_saved(&self) -> bool {
        matches!(self.phase, Some(Phase::Authorizing(_)))
    }

    /// Where the flow is.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match &self.phase {
            Some(phase) => phase.stage(),
            None => Stage::Settled,
        }
    }

    /// When [`Self::poll`] has something to do by itself; `None` when the flow is over. An instant
    /// that is not in the future means now.
    #[must_use]
    pub fn wake_at(&self) -> Option<Timestamp> {
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

    /// When the authentication request expires: no token request is made then or later, and the
    /// flow is over soon after. `None` until the request was acknowledged, and once the flow
    /// failed. A flow whose acknowledgement was lost says until when it waits for a notification.
    ///
    /// When the clock was set back, it moves back by as much.
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

    /// Returns `true` if the flow ended because the issuer's keys could not be had, and still holds
    /// the unverified tokens.
    ///
    /// Keep its [`snapshot`](Self::snapshot): a flow that is [resumed](Self::resume) from it asks
    /// for the keys again. The person was asked already, so a new flow would ask once more.
    #[must_use]
    pub const fn keeps_tokens(&self) -> bool {
        matches!(&self.phase, Some(Phase::Settled(Settled::Unverified(_))))
    }

    /// Whether there are tokens that are not verified yet.
    const fn holds_tokens(&self) -> bool {
        matches!(&self.phase, Some(Phase::Verifying(_))) || self.keeps_tokens()
    }

    /// The acknowledgement, once there is one: what the provider granted and what else it said
    /// (CIBA 7.3).
    #[must_use]
    pub fn acknowledgement(&self) -> Option<&Acknowledgement> {
        self.acknowledged.as_deref()
    }

    /// The configuration it was started with.
    #[must_use]
    pub const fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    fn observe(&mut self, now: Timestamp) {
        if let Some(by) = self.clock.observe(now) {
            self.set_back =
                self.set_back.saturating_add(u32::try_from(by.as_millis()).unwrap_or(u32::MAX));
        }
    }

    fn touch(&mut self) {
        self.advance_revision();
    }
}

impl Phase {
    const fn stage(&self) -> Stage {
        match self {
            Self::Authorizing(_) => Stage::Authorizing,
            Self::Adrift(_) => Stage::Adrift,
            Self::Pending(_) => Stage::Pending,
            Self::Redeeming(_) => Stage::Redeeming,
            Self::Verifying(_) => Stage::Verifying,
            Self::Settled(_) => Stage::Settled,
        }
    }

    fn poll(self, poll: &mut Poll<'_>) -> Step {
        match self {
            Self::Authorizing(authorizing) => authorizing.poll(poll),
            Self::Adrift(adrift) => adrift.poll(&poll.tick),
            Self::Pending(pending) => pending.poll(poll),
            Self::Redeeming(redeeming) => redeeming.poll(poll),
            Self::Verifying(verifying) => verifying.poll(poll),
            settled @ Self::Settled(_) => Step::Emit(settled, Effect::Done),
        }
    }

    /// The question that is open.
    fn open(&self) -> Option<&Open> {
        match self {
            Self::Authorizing(authorizing) => authorizing.making.open(),
            Self::Redeeming(redeeming) => redeeming.making.open(),
            Self::Verifying(verifying) => verifying.open(),
            Self::Adrift(_) | Self::Pending(_) | Self::Settled(_) => None,
        }
    }

    /// What is true of the open question when nobody is going to answer it.
    fn answer_of_a_drop(&self, how: Dropped, now: Timestamp) -> Option<Answer> {
        let unanswered = match how {
            Dropped::Untouched => Unanswered::NotSent(Cause::Interrupted),
            Dropped::Begun => Unanswered::Lost(Cause::Interrupted),
        };
        let of = |making: &RequestProgress| match making {
            RequestProgress::InFlight { .. } => Some(Answer::Unanswered(unanswered)),
            RequestProgress::Signing { .. } => Some(Answer::KeyInterrupted),
            RequestProgress::Fresh | RequestProgress::Drafted(_) => None,
        };
        match self {
            Self::Authorizing(authorizing) => of(&authorizing.making),
            Self::Redeeming(redeeming) => of(&redeeming.making),
            Self::Verifying(_) => Some(Answer::KeysLater(now)),
            Self::Adrift(_) | Self::Pending(_) | Self::Settled(_) => None,
        }
    }

    /// The answer to the open question.
    fn answered(self, answer: Answer, tick: &Context<'_>) -> (Self, Option<Acknowledgement>) {
        match self {
            Self::Authorizing(authorizing) => authorizing.answered(answer, tick),
            Self::Redeeming(redeeming) => (redeeming.answered(answer, tick), None),
            Self::Verifying(verifying) => (verifying.answered(answer, tick), None),
            other @ (Self::Adrift(_) | Self::Pending(_) | Self::Settled(_)) => (other, None),
        }
    }

    /// An answer that is no longer waited for; returns whether it changed anything.
    fn late(
        mut self,
        question: u64,
        answer: &Answer,
        tick: &Context<'_>,
    ) -> (Self, Option<Acknowledgement>, bool) {
        match &mut self {
            Self::Pending(pending) => {
                pending.grant.heard.ahead.answered(question, answer, tick.moment)
            }
            Self::Redeeming(redeeming) => {
                redeeming.grant.heard.ahead.answered(question, answer, tick.moment)
            }
            Self::Authorizing(_) | Self::Adrift(_) | Self::Verifying(_) | Self::Settled(_) => {}
        }
        let Answer::Response(endpoint, response) = answer else { return (self, None, false) };
        let is_of_token_endpoint = *endpoint == Endpoint::Token;
        let taken = match self {
            Self::Adrift(adrift) if !is_of_token_endpoint => return adrift.late(response, tick),
            Self::Pending(ref pending) if is_of_token_endpoint => {
                redeeming::late(response, &pending.grant, tick)
            }
            Self::Redeeming(ref redeeming) if is_of_token_endpoint => {
                redeeming::late(response, &redeeming.grant, tick)
            }
            // A late acknowledgement comes too late once a notification named the request.
            Self::Authorizing(_)
            | Self::Adrift(_)
            | Self::Pending(_)
            | Self::Redeeming(_)
            | Self::Verifying(_)
            | Self::Settled(_) => None,
        };
        taken.map_or((self, None, false), |phase| (phase, None, true))
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
